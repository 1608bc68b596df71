"""Twilio's webhooks before anything is believed: signature, form, the few fields we keep, delivery news.

No REST, no TwiML and no wording lives here. What a form holds besides the named fields is never looked at: caller
names, cities and profile names end here.
"""

import base64
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from channels.messages import (
    Address,
    ChannelName,
    Delivery,
    DeliveryState,
    Incoming,
    IncomingKind,
    Receive,
    Refused,
    Report,
    legible,
)
from channels.twilio import TwilioAccount
from channels.webhook import Handler, Refusal, guarded, heard, malformed, only, read_body

BODY_LIMIT = 64 * 1024  # bytes; Twilio's largest form, ten media links and all, stays under 16 kB
FIELD_LIMIT = 512

_SID = re.compile(r"[A-Za-z0-9]{1,64}")

Form = Mapping[str, str]
FormHandler = Callable[[web.Request, Form], Awaitable[web.StreamResponse]]


def signed(account: TwilioAccount, channel: ChannelName, refused: Refused, handler: FormHandler) -> Handler:
    """A webhook that hands its form to `handler` only if Twilio signed it for `public_url`.

    Refused: no or wrong signature 403, larger than 64 KiB 413, not a UTF-8 form 400. Nothing of it is logged.
    The host that the request arrived on is not looked at: a proxy, or an attacker, can choose it.
    """

    async def check(request: web.Request) -> web.StreamResponse:
        claimed = only(request, "X-Twilio-Signature")
        if not claimed:
            raise _unsigned()
        pairs = parse_form(request.headers.get("Content-Type", ""), await read_body(request, BODY_LIMIT))
        if not _is_signed(account, request.raw_path, pairs, claimed):
            raise _unsigned()
        return await handler(request, dict(pairs))

    return guarded(channel, refused, check)


def parse_form(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """The fields of a form in their order, duplicates included. Raises Refusal unless it is a UTF-8 form."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise malformed()
    try:
        return parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            encoding="utf-8",
            errors="strict",
            max_num_fields=FIELD_LIMIT,
        )
    except ValueError:  # UnicodeDecodeError is one
        raise malformed() from None


def sid_of(form: Form, name: str) -> str:
    """A Twilio id from the form. Raises Refusal when there is none that could be one."""
    sid = form.get(name, "")
    if not _SID.fullmatch(sid):
        raise malformed()
    return sid


def step_of(request: web.Request) -> int:
    """Our own counter `n` from the query, trustworthy because the address is signed. Raises Refusal."""
    number = request.query.get("n", "")
    if not re.fullmatch(r"[0-9]{1,6}", number):
        raise malformed()
    return int(number)


def reference_of(request: web.Request) -> str:
    """Our own reference that Twilio carried back, or ""."""
    return legible(request.query.get("ref", ""))


def _is_signed(account: TwilioAccount, path: str, pairs: list[tuple[str, str]], claimed: str) -> bool:
    fields = "".join(name + value for name, value in sorted(set(pairs)))
    given = claimed.encode("utf-8", "surrogateescape")
    one, other = (_signature(account.auth_token, base + path + fields) for base in _signed_bases(account.public_url))
    return hmac.compare_digest(given, one) | hmac.compare_digest(given, other)


def signature_for(account: TwilioAccount, path: str, fields: Mapping[str, str]) -> str:
    """How Twilio would sign this form for this address below PUBLIC_URL: for a drill, which comes in the same way."""
    text = account.public_url.rstrip("/") + path + "".join(name + value for name, value in sorted(fields.items()))
    return _signature(account.auth_token, text).decode("ascii")


def _signature(token: str, text: str) -> bytes:
    """Twilio's rule: https://www.twilio.com/docs/usage/security#validating-requests."""
    digest = hmac.new(token.encode(), text.encode("utf-8", "surrogateescape"), "sha1").digest()
    return base64.b64encode(digest)


def _signed_bases(public_url: str) -> tuple[str, str]:
    """PUBLIC_URL with and without its port: Twilio signs some addresses one way and some the other."""
    parts = urlsplit(public_url.rstrip("/"))
    host = parts.netloc.rpartition("@")[2]
    bare = host if parts.port is None else host.rpartition(":")[0]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{bare}{parts.path}", f"{parts.scheme}://{bare}:{port}{parts.path}"


def _unsigned() -> Refusal:
    return Refusal(403, "signature", "This request is not signed for this line. Check PUBLIC_URL and the auth token.")


# What keypads spell when a caller hides the number: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE.
_WITHHELD = frozenset({"266696687", "7378742833", "2562533", "8656696", "86282452253"})


def caller(form: Form, sid: str) -> Address:
    """Who is calling. A withheld number becomes an address that lasts as long as this call (see Address)."""
    number = re.sub(r"[ ().-]", "", form.get("From", ""))
    known = re.fullmatch(r"\+?[0-9]{3,15}", number) and number.lstrip("+") not in _WITHHELD
    return Address(channel=ChannelName.VOICE, value=number if known else f"call:{sid}")


_MESSAGE_STATES = {
    "accepted": DeliveryState.ACCEPTED,
    "scheduled": DeliveryState.ACCEPTED,
    "queued": DeliveryState.ACCEPTED,
    "sending": DeliveryState.ACCEPTED,
    "sent": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.DELIVERED,
    "undelivered": DeliveryState.FAILED,
    "failed": DeliveryState.FAILED,
    "canceled": DeliveryState.FAILED,
}
# A call that was picked up is no more than SENT: a voicemail box picks up too. ANSWERED takes a key (voice.py).
_CALL_STATES = {
    "queued": DeliveryState.ACCEPTED,
    "initiated": DeliveryState.ACCEPTED,
    "ringing": DeliveryState.SENT,
    "in-progress": DeliveryState.SENT,
    "answered": DeliveryState.SENT,
    "completed": DeliveryState.SENT,
    "busy": DeliveryState.FAILED,
    "no-answer": DeliveryState.FAILED,
    "failed": DeliveryState.FAILED,
    "canceled": DeliveryState.FAILED,
}


OVER = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})


def status_of(receive: Receive, report: Report) -> FormHandler:
    """The webhook for news: of messages and calls that we began (Delivery), and of a caller's call that is over
    (Incoming HANGUP). Ours carry a reference in the address; a caller's call carries none."""

    async def status(request: web.Request, form: Form) -> web.Response:
        if "MessageSid" in form:
            delivery = _news(form, "MessageSid", reference_of(request))
        elif reference := reference_of(request):
            delivery = _news(form, "CallSid", reference)
        else:
            delivery = None
            if form.get("CallStatus") in OVER:
                await heard(receive, hung_up(form))
        if delivery:
            await report(delivery)
        return web.Response(status=204)

    return status


def _news(form: Form, id_field: str, reference: str) -> Delivery | None:
    kind, state_field, states = _NEWS[id_field]
    state = states.get(form.get(state_field, ""))
    sid = sid_of(form, id_field)
    code = form.get("ErrorCode", "")
    error = int(code) if re.fullmatch(r"[0-9]{1,6}", code) and int(code) else None
    return Delivery(reference=reference, state=state, error=error, copy=f"{kind}/{sid}") if state else None


_NEWS = {
    "MessageSid": ("messages", "MessageStatus", _MESSAGE_STATES),
    "CallSid": ("calls", "CallStatus", _CALL_STATES),
}


def hung_up(form: Form, copies: tuple[str, ...] = ()) -> Incoming:
    """The caller's call is over, whoever says so: one id. `copies` when there are more than the call itself."""
    sid = sid_of(form, "CallSid")
    held = copies or (f"calls/{sid}",)
    return Incoming(id=f"{sid}:end", address=caller(form, sid), kind=IncomingKind.HANGUP, copies=held)
