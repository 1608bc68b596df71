"""Every parser of bytes from outside, as one table: its examples, and a function that feeds it.

A feed gives the kind of answer and lets through only what the parser documents; all else is a finding. The short run
of the gate (test_fuzz.py) and the million of `make fuzz` (bench/fuzz.py) take their targets from here.
"""

import argparse
import asyncio
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from aiohttp import HttpVersion11, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from bot.admin import audit
from bot.context import Context
from bot.errors import CommandFailed
from bot.line import Line
from bot.logs import Log
from bot.settings import read_settings
from bot.thread import ThreadState
from channels.messages import ChannelName, Incoming
from channels.updates import Unreadable, parse
from console.doors import read_form
from console.refused import Refused
from console.session import Cookies, local, token, token_fits
from dialogs.checks import FLOWS
from dialogs.conversation import Conversation, UnknownVersion
from dialogs.flow import FlowFile, StepsFile
from dialogs.marked import BadFile, load
from tests.authenticator import SoftPasskey, b64
from tests.channel_bench import FORM, PUBLIC_URL, TOKEN, House, message, press, way
from tests.fuzzing import DEEP, Feed, Parser
from tests.houses import LINE
from tests.vaults import START
from triage.ics_read import BadCalendar, Reading, read_calendar
from vault.audit import _FIRST, _hash
from vault.audit import Line as AuditLine
from vault.codes import DIGITS, grouped, new_code, read_code
from vault.errors import CannotOpen, PasskeyRefused
from vault.keys import KeyRing, init_key_ring
from vault.passkeys import Passkeys, Site
from vault.sealing import PrivateKey, lock, open_sealed, seal, unlock
from vault.sessions import Sessions
from vault.transaction import Transaction

A_FILE: Final = 10.0  # seconds: whoever may write it may stop the line as well
KEY: Final = PrivateKey(bytes(range(96)))
SECRET: Final = b"k" * 32
_EVENTS: Final = (
    "SUMMARY:Amina\r\nDTSTART;TZID=Europe/Madrid:20260303T200000\r\nDTEND;TZID=Europe/Madrid:20260304T080000\r\n",
    "UID:1\r\nSUMMARY:Amina\r\nDTSTART:20260303T200000Z\r\nDURATION:PT12H\r\nRRULE:FREQ=WEEKLY;BYDAY=TU,TH;COUNT=9\r\n",
    "SUMMARY:Amina\r\nDTSTART;VALUE=DATE:20260303\r\nRRULE:FREQ=MONTHLY;BYDAY=-1SU\r\nEXDATE;VALUE=DATE:20260329\r\n",
    'ATTENDEE;CN="Amina":mailto:x\r\nDTSTART:20260303T200000\r\nDURATION:P1D\r\nRDATE:20260305T200000,20260306\r\n',
)
CALENDARS: Final = tuple(
    f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{event}END:VEVENT\r\nEND:VCALENDAR\r\n".encode() for event in _EVENTS
)
WORDS: Final = "They keep our papers. هم يحتجزوننا".encode()
_NO_LINES: Final = dict.fromkeys(range(32), " ")
_PLACE: Final = re.compile(r":[0-9]+:[0-9]+: |`[^`]*`|[0-9]+")


def parsers(folder: Path) -> dict[str, Parser]:
    """All of them. `folder` takes a key ring and the file of an audit export. Inside a running loop."""
    ring = init_key_ring(folder / "keyring")
    return {
        "form: a text": Parser(examples=TEXTS, feed=webhook(ChannelName.SMS, "/twilio/messages"), share=0.5),
        "form: a call": Parser(examples=CALLS, feed=calls()),
        "form: news": Parser(examples=NEWS, feed=webhook(ChannelName.SMS, "/twilio/status?ref=parcel-9"), share=0.5),
        "Telegram update": Parser(examples=UPDATES, feed=feed_update),
        "return code": Parser(examples=CODES, feed=feed_code),
        "line file": Parser(examples=(*SHORT_LINES, LINE.encode()), feed=feed_line, share=0.5, bound=A_FILE),
        "flow file": Parser(examples=(*SHORT_FLOWS, *FLOW_EXAMPLES), feed=feed_flow, share=0.2, bound=A_FILE),
        "iCalendar file": Parser(examples=CALENDARS, feed=feed_calendar, share=0.5),
        "sealed value": Parser(
            examples=(seal(WORDS, KEY.public, "entry/1"), seal(WORDS, KEY.public, "x")), feed=feed_sealed
        ),
        "lock": Parser(examples=(lock(WORDS, SECRET, "state/1"), lock(b"", SECRET, "x")), feed=feed_locked),
        "epoch and service lock": Parser(
            examples=(ring.lock_in_epoch(WORDS, "state/1")[1], ring.lock_for_service(WORDS, "state/1")),
            feed=feed_ring(ring),
        ),
        "stored conversation": Parser(examples=THREADS, feed=feed_thread),
        "audit export": Parser(examples=(AN_EXPORT, *BROKEN_EXPORTS), feed=feed_export(folder), share=0.5),
        "console form": Parser(examples=CONSOLE_FORMS, feed=feed_console_form, share=0.5),
        "heads of a form": Parser(examples=HEADS, feed=feed_heads, share=0.5),
        "cookie": Parser(examples=COOKIES, feed=feed_cookie(ring), share=0.5),
        "passkey": passkeys(ring),
    }


def text_of(body: bytes) -> str:
    """Any bytes as a text, also one with halves of surrogate pairs in it."""
    return body.decode("utf-8", "surrogateescape" if len(body) % 2 else "replace")


def whole(*texts: str) -> None:
    """These can be signed, sealed and stored: UTF-8 without the null that PostgreSQL refuses."""
    for text in texts:
        text.encode()
        assert "\x00" not in text


class Wire:
    """What a request knows of its connection."""

    peername = ("127.0.0.1", 50000)
    sockname = ("127.0.0.1", 8080)
    ssl_context = None
    transport = None


def posted(path: str, body: bytes, headers: Mapping[str, str]) -> web.Request:
    """A request as a handler gets it, without a socket. The library's own mock takes a millisecond for each."""
    loop = asyncio.get_running_loop()
    stream = StreamReader(BaseProtocol(loop), 2**20, loop=loop)
    stream.feed_data(body)
    stream.feed_eof()
    sent = CIMultiDict({name: in_a_header(value) for name, value in headers.items()})
    message = RawRequestMessage(
        "POST", path, HttpVersion11, CIMultiDictProxy(sent), (), False, None, False, False, URL(path)
    )
    wire, task = cast(Any, Wire()), cast(Any, asyncio.current_task())
    return web.Request(message, stream, wire, cast(Any, None), task, loop, client_max_size=64 * 1024)


def in_a_header(text: str) -> str:
    """As the server's own parser lets it through: no control characters."""
    return text.translate(_NO_LINES)


# Providers -------------------------------------------------------------------------------------------------------


def webhook(channel: ChannelName, path: str) -> Feed:
    """A webhook of Twilio's with its real handler: whatever form arrives is signed, as if Twilio were hostile."""
    house = House()
    handler = cast(
        Callable[[web.Request], Awaitable[web.Response]],
        next(
            route.handler
            for route in way(channel).adapter.routes(house.receive, house.report, house.refused)
            if route.path == path.partition("?")[0]
        ),
    )

    async def feed(body: bytes) -> str:
        for seen in (house.incoming, house.deliveries, house.refusals):
            seen.clear()
        kind = FORM if len(body) % 13 else text_of(body[:40])
        headers = {"Content-Type": kind, "X-Twilio-Signature": signature(path, body)}
        response = await handler(posted(path, body, headers))
        assert response.status in {200, 204, 400}, (response.status, house.reasons)
        for incoming in house.incoming:
            check(incoming)
        for delivery in house.deliveries:
            whole(delivery.reference, delivery.copy)
        what = [*(str(i.kind) for i in house.incoming), *(str(d.state) for d in house.deliveries), *house.reasons]
        return f"{response.status} {' '.join(what)}"

    return feed


def calls() -> Feed:
    """The three addresses to which a call posts its form."""
    feeds = [webhook(ChannelName.VOICE, f"/twilio/voice{end}") for end in ("", "/step?n=1", "/page?ref=page-7&n=1")]

    async def feed(body: bytes) -> str:
        return await feeds[len(body) % len(feeds)](body)

    return feed


def signature(path: str, body: bytes) -> str:
    """Twilio's signature over a form, if the bytes are one: every name and value, in order, what is repeated once."""
    with suppress(ValueError):
        pairs = sorted(set(parse_qsl(body.decode(), keep_blank_values=True, errors="strict")))
        text = PUBLIC_URL + path + "".join(name + value for name, value in pairs)
        return b64encode(hmac.digest(TOKEN.encode(), text.encode(), "sha1")).decode()
    return "bm8gc2lnbmF0dXJl"


def check(incoming: Incoming) -> None:
    """What comes out of an adapter can be stored."""
    whole(incoming.id, incoming.text, incoming.address.value, incoming.reference, *incoming.media, *incoming.copies)


async def feed_update(body: bytes) -> str:
    try:
        update = parse(body)
    except Unreadable:
        return "unreadable"
    if update.incoming is None:
        return f"nothing {update.press is not None}"
    assert update.incoming.address.value.lstrip("-").isdecimal()
    check(update.incoming)
    return f"{update.incoming.kind} {len(update.incoming.media)} {update.press is not None}"


async def feed_code(body: bytes) -> str:
    found = read_code(text_of(body))
    assert found is None or (len(found) == DIGITS and found.isascii() and found.isdecimal())
    return str(found is None)


# Files -----------------------------------------------------------------------------------------------------------


def sentences(bad: BadFile) -> str:
    """What kinds of mistakes were named; each sentence must name its place."""
    assert bad.problems
    assert all(re.match(r"[\w.]+:[0-9]+:[0-9]+: ", problem) for problem in bad.problems), bad.problems[0]
    return " ".join(sorted({_PLACE.sub("", problem)[:40] for problem in bad.problems})[:2])


async def feed_line(body: bytes) -> str:
    try:
        line = load(text_of(body), "line.yml", Line)
    except BadFile as bad:
        return sentences(bad)
    assert line.default_language in line.languages
    return "a line"


async def feed_calendar(body: bytes) -> str:
    start = START.replace(microsecond=0)
    reading = Reading(names={"Amina": "a"}, zone="Asia/Kathmandu", start=start, end=start + timedelta(days=90))
    try:
        found = read_calendar(body, reading)
    except BadCalendar as bad:
        return _PLACE.sub("", str(bad))[:40]
    assert all(shift.start < shift.end and shift.end > start for shift in found)
    return f"{len(found) > 1} shifts"


async def feed_flow(body: bytes) -> str:
    model = StepsFile if len(body) % 3 else FlowFile
    try:
        assert isinstance(load(text_of(body), "flow.yml", model), model)
    except BadFile as bad:
        return sentences(bad)
    return "a flow"


def feed_export(folder: Path) -> Feed:
    """`harborline audit verify <file>`, as the command runs it."""
    path = folder / "export.json"
    arguments = argparse.Namespace(action="verify", file=str(path))
    context = Context(read_settings({"HARBORLINE_HOME": str(folder)}), Log("ERROR"), arguments)

    async def feed(body: bytes) -> str:
        path.write_bytes(body)
        said = StringIO()
        try:
            with redirect_stdout(said):
                await audit(context)
        except CommandFailed as failed:
            return _PLACE.sub("", str(failed))[:60]
        return _PLACE.sub("", said.getvalue())[:60]

    return feed


# What is stored --------------------------------------------------------------------------------------------------


async def feed_sealed(body: bytes) -> str:
    try:
        assert open_sealed(body, KEY, "entry/1") == WORDS
    except CannotOpen:
        return "shut"
    return "open"


async def feed_locked(body: bytes) -> str:
    try:
        assert unlock(body, SECRET, "state/1") == WORDS
    except CannotOpen:
        return "shut"
    return "open"


def feed_ring(ring: KeyRing) -> Feed:
    """The two locks that the service itself opens."""

    async def feed(body: bytes) -> str:
        opened = 0
        with suppress(CannotOpen):
            assert ring.unlock_in_epoch(ring.current, body, "state/1") == WORDS
            opened += 1
        with suppress(CannotOpen):
            assert ring.unlock_for_service(body, "state/1") == WORDS
            opened += 1
        return str(opened)

    return feed


async def feed_thread(body: bytes) -> str:
    """A stored conversation that a faulty process wrote: from elsewhere it does not open (the locks above)."""
    try:
        state = ThreadState.from_json(json.loads(body))
    except UnknownVersion:
        return "another version"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return type(error).__name__
    return str(state.conversation.phase)


# Browsers --------------------------------------------------------------------------------------------------------


async def feed_console_form(body: bytes) -> str:
    kind = ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8")[len(body) % 2]
    if len(body) % 11 == 0:
        kind = f"application/x-www-form-urlencoded; charset={text_of(body[:20])}"
    if len(body) % 17 == 0:
        kind = text_of(body[:40])
    try:
        form = await read_form(posted("/signin", body, {"Content-Type": kind, "Sec-Fetch-Site": "same-origin"}))
    except Refused as refused:
        return f"{refused.status} {refused.reason}"
    except web.HTTPRequestEntityTooLarge:  # more fields than the library takes
        return "413"
    for value in (*form, *form.values()):
        value.encode()
    return f"a form of {min(len(form), 20)}"


async def feed_heads(body: bytes) -> str:
    """Whatever may stand above a form: what it is, where it comes from, for whom. Lines as in a request."""
    lines = (line.partition(":") for line in text_of(body).split("\n"))
    heads = {name if name in HEADERS else HEADERS[len(name) % len(HEADERS)]: value for name, _, value in lines}
    request = posted("/signin", b"name=x", heads)
    try:
        form = await read_form(request)
    except Refused as refused:
        return f"{refused.status} {refused.reason}"
    jar = Cookies(secure=len(body) % 2 == 0)
    return f"{form == {'name': 'x'}} {bool(jar.read(request))} {bool(jar.mark(request))}"


class Empty:
    """A database connection that finds nothing."""

    async def execute(self, *_: object) -> "Empty":
        """Nothing."""
        return self

    async def scalar(self, *_: object) -> bytes:
        """Whatever is spent is spent for the first time."""
        return b"spent"

    def first(self) -> None:
        """No row."""

    def all(self) -> list[Any]:
        """No rows."""
        return []

    def __iter__(self) -> Any:
        return iter(())


def transaction(ring: KeyRing) -> Transaction:
    """One in which nothing is found."""
    return Transaction(connection=cast(Any, Empty()), ring=ring, now=START, new_id=lambda: UUID(int=1))


def feed_cookie(ring: KeyRing) -> Feed:
    """A cookie that names nobody opens nothing, its token fits no form but its own, and no link leads elsewhere."""
    sessions, jar = Sessions(transaction(ring)), Cookies(secure=False)

    async def feed(body: bytes) -> str:
        text = text_of(body).translate(_NO_LINES)
        cookie = jar.read(posted("/queue", b"", {"Cookie": text}))
        for value in (cookie, text):
            assert await sessions.open(value) is None
            assert token_fits(value, token(value)) is bool(value)
            assert not token_fits(value, value)
        assert local(text).startswith("/")
        assert not local(text).startswith("//")
        return f"{bool(cookie)} {local(text) == text} {len(cookie) == 128}"

    return feed


def passkeys(ring: KeyRing) -> Parser:
    """What a browser answers about a passkey, also with a challenge that is ours and fresh."""
    site = Site(host="console.example", origin="https://console.example", name="Harborline")
    door, key = Passkeys(transaction(ring)), SoftPasskey(origin=site.origin, host=site.host)
    member, asked = UUID(int=7), door.options_to_sign_in(site)
    offered = json.dumps({"challenge": b64(door._challenge(f"add/{member}"))})

    async def feed(body: bytes) -> str:
        text = text_of(body)
        assert await door.fits(member, KEY, site, text) is False
        try:
            await door.add(member, KEY, site, label="phone", answer=text)
        except PasskeyRefused:
            return "refused"
        return "added"

    return Parser(examples=(key.signs(asked).encode(), key.makes(offered).encode()), feed=feed, share=0.3)


# Examples --------------------------------------------------------------------------------------------------------

_CALL: Final = {"CallSid": "CA1", "From": "+15551230001", "To": "+15005550006", "CallStatus": "ringing"}
TEXTS: Final = tuple(
    urlencode(fields).encode()
    for fields in (
        {"MessageSid": "SM1", "From": "+15551230001", "Body": "ayúdame, por favor", "NumMedia": "0"},
        {"MessageSid": "SM1", "From": "whatsapp:+266696687", "Body": "", "NumMedia": "1", "MediaUrl0": "https://a/b"},
    )
)
CALLS: Final = tuple(
    urlencode(fields).encode()
    for fields in (
        _CALL,
        {**_CALL, "Digits": "1", "From": "Anonymous"},
        {**_CALL, "SpeechResult": "مساعدة", "Confidence": "0.9"},
    )
)
NEWS: Final = tuple(
    urlencode(fields).encode()
    for fields in (
        {"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "30003"},
        {"MessageSid": "SM1", "MessageStatus": "delivered"},
        {"CallSid": "CA1", "CallStatus": "completed", "From": "+15551230001"},
    )
)
UPDATES: Final = tuple(
    json.dumps(update).encode()
    for update in (
        message("hello"),
        message("/start x"),
        press(),
        message(photo=[{"file_id": "a"}, {"file_id": "b"}], caption="look"),
        message(location={"latitude": 48.2, "longitude": 16.3}),
        message(sticker={"emoji": "🆘"}),
        message(voice={"file_id": "v"}, contact={"phone_number": "1"}),
        {"update_id": 3, "edited_message": message("hello again")["message"]},
    )
)
CODES: Final = tuple(
    made.translate({ord("0") + n: chr(zero + n) for n in range(10)}).encode()
    for zero in (0x30, 0x660, 0x966)
    for made in (new_code(lambda n: n // 3), grouped(new_code(lambda n: n // 7)))
)
_LINE: Final = b"name: a\ncover: b\nlanguages: [en]\ndefault_language: en\ncountry: US\nemergency_number: '911'\n"
SHORT_LINES: Final = (
    _LINE,
    _LINE + b"numbers: {sms: '+12025550100'}\n",
    _LINE + b"retention: {epoch_days: 30, cases: {draft: null}}\n",
    _LINE + b"on_call: [{members: [A], start: 2026-01-01, handover: 09:00, time_zone: UTC}]\n",
    _LINE + b"triage: {outside_number: '+12025550190', method_wait: 4}\n",
)
SHORT_FLOWS: Final = (
    b"steps: {a: {kind: passage, say: [b], next: done}}\n",
    b"steps:\n  a:\n    choices:\n      - {id: 'yes', key: '1', label: label.yes, next: done}\n    words: done\n",
    b"steps:\n  a: {kind: code, tries: 3, again: b, found: c, lost: d, keep: false}\n",
    b"start: a\nreturns: b\ninclude: [help.yml]\n",
)
FLOW_EXAMPLES: Final = tuple(sorted((path.read_bytes() for path in FLOWS.glob("*.yml")), key=len))[:2]
THREADS: Final = tuple(
    json.dumps(ThreadState(conversation=talk, waiting=waiting).to_json()).encode()
    for talk, waiting in (
        (Conversation(), ()),
        (Conversation(language="ar", step="way", chosen={"way": "help"}, said=("x",)), (("1", "an answer"),)),
    )
)
CONSOLE_FORMS: Final = (
    urlencode({"name": "Noor", "passphrase": "seven quiet lanterns", "totp": "123 456", "next": "/queue"}).encode(),
    urlencode({"token": "ab" * 32, "text": "نحن هنا\r\n<b>", "version": "3", "again": "1"}).encode(),
    urlencode([("member", "7"), ("member", "8"), ("", ""), ("passkey", "{}")]).encode(),
)
HEADERS: Final = ("Content-Type", "Origin", "Host", "Sec-Fetch-Site", "Cookie", "Content-Encoding")
_KIND: Final = b"Content-Type:application/x-www-form-urlencoded"
HEADS: Final = (
    _KIND + b"\nHost:a.example\nOrigin:https://a.example\nCookie:harborline=ab; harborline-device=cd",
    _KIND + b"; charset=UTF-8\nSec-Fetch-Site:same-origin",
    _KIND + b'; charset="utf-8"\nSec-Fetch-Site:none',
    b"Content-Type:multipart/form-data; boundary*=utf-8''x; filename*0=(a)\nContent-Encoding:gzip",
    _KIND + b"\nHost:[::1]:8081\nOrigin:http://[::1]:8081",
    _KIND + b"; x*",
    _KIND + b"\nOrigin:http://[",
)
COOKIES: Final = (
    b"harborline=" + b"ab" * 64,
    b"__Host-harborline=x; harborline=" + b"0F" * 64,
    b"/queue?level=high",
    b"/cases/123456",
    b"harborline=" + b"AB" * 63,
)


def an_export() -> bytes:
    """An audit export that verifies, of three lines."""
    key = Ed25519PrivateKey.from_private_bytes(SECRET)
    previous, lines = _FIRST, []
    for number in (1, 2, 3):
        line = AuditLine(
            number=number,
            at=START + timedelta(minutes=number),
            actor="member:7",
            action="case.opened",
            subject="case:123456",
            hash=b"",
            signature=b"",
        )
        previous = _hash(previous, number, line.at, line.actor, line.action, line.subject)
        lines.append(replace(line, hash=previous, signature=key.sign(previous)).to_json())
    public = key.public_key().public_bytes_raw().hex()
    return json.dumps({"version": 1, "public_key": public, "lines": lines}, indent=1).encode()


AN_EXPORT: Final = an_export()
BROKEN_EXPORTS: Final = (  # what a file held that once ended with a traceback
    AN_EXPORT.replace(b'"number": 1', b'"number": Infinity'),
    AN_EXPORT.replace(b"2026-03-02T09:31:20.123456+00:00", b"0001-01-01T00:00:00+14:00"),
    b"[" * DEEP,
)
