"""The life of a text message at the practised Twilio: ordered, walked to its end, received, answered, redacted.

HTTP is in twilio_api.py (in) and webhooks.py (out), the record itself in message.py; phones follow the journal.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import urljoin

from carriers import message as wire
from carriers import twiml
from carriers.company import Company, Refusal
from carriers.faults import FaultKind
from carriers.message import UNFINISHED, WHATSAPP, Media, Message, MessageOrder, MessageStatus
from carriers.numbers import MAGIC, Line, is_number
from carriers.webhooks import Reply, Webhook, WebhookKind

LONGEST = 1600  # characters, error 21617
_MOST_REDIRECTS = 10

# These end as "failed", before the network has it; every other code of a delivery as "undelivered".
_FAILED_CODES = frozenset({21610, 21611, 30001, 30002, 30010, 30034})


class OptOut(StrEnum):
    """The carrier's own keywords; the value is what Twilio posts as OptOutType."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


# Twilio's default keywords (its help page "Twilio support for opt-out keywords").
KEYWORDS: Mapping[str, OptOut] = MappingProxyType(
    dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), OptOut.STOP)
    | dict.fromkeys(("START", "YES", "UNSTOP"), OptOut.START)
    | dict.fromkeys(("HELP", "INFO"), OptOut.HELP)
)

CARRIER_ANSWERS: Mapping[OptOut, str] = MappingProxyType(
    {
        OptOut.STOP: "You have been unsubscribed and will get no more messages from this number. "
        "Reply START to subscribe again.",
        OptOut.START: "You have been subscribed again to messages from this number. "
        "Reply HELP for help, STOP to unsubscribe.",
        OptOut.HELP: "Reply STOP to unsubscribe. Message and data rates may apply.",
    }
)


class Messages:
    """All messages of the account, oldest first."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._all: dict[str, Message] = {}
        self._opted_out: set[tuple[str, str]] = set()

    def __iter__(self) -> Iterator[Message]:
        return iter(tuple(self._all.values()))

    def get(self, sid: str) -> Message:
        """One message. Raises Refusal 20404."""
        if sid not in self._all:
            raise Refusal(20404)
        return self._all[sid]

    def opted_out(self, person: str, line: str) -> bool:
        """True when this person told this line to stop."""
        return (person, line) in self._opted_out

    # what the account asks for ---------------------------------------------------------------------------

    def create(self, order: MessageOrder) -> Message:
        """Take an order and begin to walk it to its end. Raises Refusal."""
        code = self._objection(order)
        if code is not None:
            raise Refusal(code)
        return self._send(order)

    def redact(self, sid: str) -> Message:
        """Empty the body of a finished message. Raises Refusal."""
        self._must_be_finished(sid)
        self._change(sid, body="")
        return self.get(sid)

    def delete(self, sid: str) -> None:
        """Remove a finished message and its media. Raises Refusal."""
        self._must_be_finished(sid)
        del self._all[sid]

    def delete_media(self, sid: str, media_sid: str) -> None:
        """Remove one attachment. Raises Refusal."""
        message = self.get(sid)
        kept = tuple(media for media in message.media if media.sid != media_sid)
        if len(kept) == len(message.media):
            raise Refusal(20404)
        self._change(sid, media=kept)

    def _must_be_finished(self, sid: str) -> None:
        if self.get(sid).status in UNFINISHED:
            raise Refusal(20009)

    def _objection(self, order: MessageOrder) -> int | None:
        to = order.to.removeprefix(WHATSAPP)
        checks = (
            (not order.to, 21604),
            (not order.from_ and not order.messaging_service, 21603),
            (not order.body.strip() and not order.media_urls, 21602),
            (not is_number(to), 21211),
            (order.from_.removeprefix(WHATSAPP) not in self._company.lines, 21606),
            (to in MAGIC, MAGIC.get(to, 0)),
            ((order.to, order.from_) in self._opted_out, 21610),
            (len(order.body) > LONGEST, 21617),
        )
        return next((code for wrong, code in checks if wrong), None)

    # on the way to a phone -------------------------------------------------------------------------------

    def _send(self, order: MessageOrder) -> Message:
        now = self._company.pace.now()
        message = Message(
            sid=self._company.sid("MM" if order.media_urls else "SM"),
            direction=order.direction,
            status=MessageStatus.QUEUED,
            created=now,
            updated=now,
            from_=order.from_,
            to=order.to,
            body=order.body,
            status_callback=order.status_callback or self._line(order.from_).sms_status_url,
            messaging_service=order.messaging_service,
        )
        self._all[message.sid] = message
        self._notify(message)
        self._company.tasks.start(self._walk(message))
        return message

    async def _walk(self, message: Message) -> None:
        company = self._company
        fault = company.faults.take("delivery.sms", message.to)
        kind = fault.kind if fault else None
        code = fault.code if fault and kind is FaultKind.ERROR else None
        await company.pace.sleep(company.delivery_delay)
        if code in _FAILED_CODES:
            return self._move(message, MessageStatus.FAILED, code)
        self._move(message, MessageStatus.SENT)
        if kind is FaultKind.DROP:
            return None  # "sent" is not "reached": nothing more is ever heard of it
        await company.pace.sleep(company.delivery_delay + (fault.seconds if fault and kind is FaultKind.SLOW else 0))
        if code is not None:
            return self._move(message, MessageStatus.UNDELIVERED, code)
        return self._move(message, MessageStatus.DELIVERED)

    def _move(self, message: Message, status: MessageStatus, code: int | None = None) -> None:
        now = self._company.pace.now()
        sent = now if status is MessageStatus.SENT else self._all.get(message.sid, message).sent
        moved = self._change(message.sid, status=status, error_code=code, sent=sent) or replace(
            message, status=status, error_code=code
        )
        if status is not MessageStatus.SENT:
            self._show(replace(moved, body=message.body), phone=message.to, direction="in")
        self._notify(moved)

    def _notify(self, message: Message) -> None:
        if message.status_callback:
            fields = wire.status_fields(self._company, message)
            webhook = Webhook(kind=WebhookKind.STATUS, url=message.status_callback, fields=fields)
            self._company.tasks.start(self._company.courier.deliver(webhook))

    # on the way from a phone -----------------------------------------------------------------------------

    def receive(
        self, *, person: str, line: str, body: str, media: tuple[tuple[str, bytes], ...] = ()
    ) -> tuple[Message, asyncio.Task[Reply | None]]:
        """Somebody texts a line. The task ends once the line has answered the webhook."""
        now = self._company.pace.now()
        message = Message(
            sid=self._company.sid("MM" if media else "SM"),
            direction="inbound",
            status=MessageStatus.RECEIVED,
            created=now,
            updated=now,
            sent=now,
            from_=person,
            to=line,
            body=body,
            media=tuple(Media(sid=self._company.sid("ME"), content_type=kind, content=data) for kind, data in media),
        )
        self._all[message.sid] = message
        self._show(message, phone=person, direction="out", status="sent")
        keyword = KEYWORDS.get(body.strip().upper())
        if keyword is not None:
            self._obey(keyword, person, line)
        return message, self._company.tasks.start(self._tell_the_line(message, keyword))

    def _obey(self, keyword: OptOut, person: str, line: str) -> None:
        before = set(self._opted_out)
        if keyword is OptOut.STOP:
            self._opted_out.add((person, line))
        elif keyword is OptOut.START:
            self._opted_out.discard((person, line))
        if keyword is OptOut.HELP or self._opted_out != before:
            answer = CARRIER_ANSWERS[keyword]
            self._send(MessageOrder(from_=line, to=person, body=answer, direction="outbound-reply"))

    async def _tell_the_line(self, message: Message, keyword: OptOut | None) -> Reply | None:
        line = self._line(message.to)
        if not line.sms_url:
            return None
        fields = wire.webhook_fields(self._company, message) | wire.incoming_fields(self._company, message)
        if keyword is not None:
            fields["OptOutType"] = keyword.value
        webhook = Webhook(kind=WebhookKind.SMS, url=line.sms_url, fallback=line.sms_fallback_url, fields=fields)
        reply = await self._converse(message, webhook)
        status = "delivered" if reply.accepted else "failed"
        self._show(message, phone=message.from_, direction="out", status=status, error=reply.error)
        return reply

    async def _converse(self, message: Message, webhook: Webhook) -> Reply:
        """Post, carry out the answer, and follow its <Redirect>s."""
        for _ in range(_MOST_REDIRECTS):
            reply = await self._company.courier.deliver(webhook)
            if not reply.accepted:
                return reply
            try:
                verbs = twiml.read(reply.body, reply.content_type, twiml.MESSAGING)
            except twiml.TwimlError as error:
                self._company.courier.alert(error.code, message.sid)
                return replace(reply, error=error.code)
            for verb in verbs:
                if verb.name == "Redirect":
                    webhook = replace(webhook, url=urljoin(webhook.url, verb.text), method=verb.get("method", "POST"))
                    break
                self._answer(message, verb, webhook.url)
            else:
                return reply
        self._company.courier.alert(twiml.NOT_TWIML, message.sid)
        return reply

    def _answer(self, message: Message, verb: twiml.Verb, base: str) -> None:
        bodies = [child.text for child in verb.children if child.name == "Body"]
        callback = verb.get("statusCallback") or verb.get("action")
        order = MessageOrder(
            from_=verb.get("from", message.to),
            to=verb.get("to", message.from_),
            body="".join(bodies) if verb.children else verb.text,
            direction="outbound-reply",
            status_callback=urljoin(base, callback) if callback else "",
            media_urls=tuple(child.text for child in verb.children if child.name == "Media"),
        )
        code = self._objection(order)
        if code is None:
            self._send(order)
        else:
            self._company.courier.alert(code, message.sid)

    def _line(self, number: str) -> Line:
        number = number.removeprefix(WHATSAPP)
        return self._company.lines.get(number) or Line(number=number)

    def _change(self, sid: str, **fields: Any) -> Message | None:
        """Change a message unless it has been deleted meanwhile."""
        if sid not in self._all:
            return None
        self._all[sid] = replace(self._all[sid], updated=self._company.pace.now(), **fields)
        return self._all[sid]

    def _show(
        self, message: Message, *, phone: str, direction: str, status: str = "", error: int | None = None
    ) -> None:
        self._company.journal.add(
            "message",
            phone=phone,
            channel="sms",
            direction=direction,
            id=message.sid,
            text=message.body,
            buttons=[],
            status=status or message.status.value,
            error=error or message.error_code,
            at=message.created.isoformat(),
        )
