"""Text messages through Twilio: a signed webhook answered in TwiML, and messages that we begin.

Signature and forms are in signed.py, REST in twilio.py, error numbers in refusals.py; what is said is decided
elsewhere.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiohttp import web
from twilio.twiml.messaging_response import MessagingResponse

from channels.accents import thrifty
from channels.messages import (
    Address,
    Answer,
    Capabilities,
    ChannelName,
    Incoming,
    IncomingKind,
    Outgoing,
    Receipt,
    Receive,
    Refused,
    Report,
    legible,
)
from channels.segments import split
from channels.signed import Form, sid_of, signed, status_of
from channels.twilio import Twilio
from channels.webhook import heard, malformed

LIMIT = 1600  # characters in one message; error 21617 above
STATUS = "/twilio/status"

_WHATSAPP = "whatsapp:"
_Response: Any = MessagingResponse  # the library has no types here

# Words that Twilio takes as an order to itself, alone in a text: it lets nothing of ours through after the first ones
# (21610) and everything again after the second. YES allows too, but is an answer to our first question first of all;
# whoever writes HELP or INFO gets a text of Twilio's and ours as well. With words of its own an account says
# OptOutType. https://help.twilio.com/articles/223134027
_STOPS = frozenset("STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT".split())
_ALLOWS = frozenset("START UNSTOP".split())
_MEDIA_URL = re.compile(r".*/Messages/(\w{1,64})/Media/(\w{1,64})")


class Sms:
    """The SMS channel of one line. `number` is the line's own, E.164."""

    name = ChannelName.SMS
    capabilities = Capabilities(buttons=False, keypad=False, speech=False, max_text=LIMIT, answers_in_response=True)

    def __init__(self, twilio: Twilio, number: str) -> None:
        self._twilio = twilio
        self._number = number

    def routes(self, receive: Receive, report: Report, refused: Refused) -> Sequence[web.RouteDef]:
        """POST /twilio/messages and POST /twilio/status; both refuse what Twilio has not signed."""
        account = self._twilio.account

        async def messages(_: web.Request, form: Form) -> web.Response:
            answer = await heard(receive, _incoming(form))
            return web.Response(text=self._twiml(answer), content_type="text/xml")

        return [
            web.post("/twilio/messages", signed(account, self.name, refused, messages)),
            web.post(STATUS, signed(account, self.name, refused, status_of(receive, report))),
        ]

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Send one text; above 1600 characters as several, of which only the last one brings news with a reference.

        Raises SendError. When a later part fails, trying again repeats the earlier ones: better twice than never. Then
        the news of the earlier ones tells of their copies.
        """
        *before, last = render(outgoing.answer)
        to = outgoing.address.value
        sender = _WHATSAPP + self._number if to.startswith(_WHATSAPP) else self._number
        link = self._twilio.account.link
        sent = [await self._twilio.text(to=to, sender=sender, body=part, status=link(STATUS)) for part in before]
        status = link(STATUS, ref=outgoing.reference)
        sent.append(await self._twilio.text(to=to, sender=sender, body=last, status=status))
        return Receipt(id=sent[-1], copies=tuple(f"messages/{sid}" for sid in sent))

    async def erase_copy(self, copy: str) -> bool:
        """Delete Twilio's copy of a message or its media; True once it is gone. Raises SendError."""
        return await self._twilio.erase(copy)

    async def held(self, since: datetime, before: datetime) -> tuple[str, ...]:
        """This number's messages of a time, in and out, that Twilio still holds. Raises SendError."""
        numbers = (self._number, _WHATSAPP + self._number)
        return tuple([copy for number in numbers for copy in await self._twilio.messages_of(number, since, before)])

    async def close(self) -> None:
        """Give back the connections."""
        await self._twilio.close()

    def _twiml(self, answer: Answer | None) -> str:
        response = _Response()
        for part in render(answer) if answer else ():
            # The status callback tells us the id of Twilio's copy of our answer, so that it can be deleted.
            response.message(part, status_callback=self._twilio.account.link(STATUS))
        return str(response)


def render(answer: Answer) -> tuple[str, ...]:
    """The answer as texts of at most 1600 characters: the words, then one line for each choice, "1 Label"."""
    lines = [answer.text, *(f"{choice.key} {choice.label}".strip() for choice in answer.choices)]
    return split(thrifty(legible("\n".join(lines)), answer.language), LIMIT) or ("",)


def _incoming(form: Form) -> Incoming:
    sid = sid_of(form, "MessageSid")
    sender = form.get("From", "")
    if not 0 < len(sender) <= 256:
        raise malformed()
    media = _media(form)
    body = form.get("Body", "")
    return Incoming(
        id=sid,
        address=Address(channel=ChannelName.SMS, value=legible(sender)),
        kind=IncomingKind.ATTACHMENT if media else _kind(body, form.get("OptOutType", "")),
        text=legible(body),
        media=media,
        copies=(f"messages/{sid}", *(copy for url in media for copy in _media_copies(url))),
    )


def _kind(body: str, order: str) -> IncomingKind:
    """Words, or an order to Twilio itself, which the line honours without keeping a number of its own."""
    word = body.strip().upper()
    if word in _STOPS or order == "STOP":
        return IncomingKind.BLOCKED
    return IncomingKind.STARTED if word in _ALLOWS else IncomingKind.TEXT


def _media(form: Form) -> tuple[str, ...]:
    """Links of what is attached; Twilio sends at most ten."""
    links = (legible(form.get(f"MediaUrl{index}", "")) for index in range(10))
    return tuple(link for link in links if link) if form.get("NumMedia", "0") != "0" else ()


def _media_copies(url: str) -> tuple[str, ...]:
    match = _MEDIA_URL.fullmatch(url)
    return (f"messages/{match[1]}/media/{match[2]}",) if match else ()
