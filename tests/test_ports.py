"""The two ports of a real process, over raw sockets: whoever sends what no browser and no provider sends.

Slow, endless, packed, doubled, misshapen: each is refused plainly and within bounds, and the log says nothing of it.
"""

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import time
import zlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import psutil
import pyotp
import pytest
import pytest_asyncio

from bot.doorway import HEAD_SECONDS, PLACES
from tests.databases import Cluster
from tests.world import World, open_world

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

SECRET: Final = "a-secret-of-the-webhook_1"
FORM: Final = "application/x-www-form-urlencoded"
MEGABYTE: Final = 1024 * 1024
CANARY: Final = "CANARYport"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def line(cluster: Cluster, tmp_path_factory: Any) -> AsyncIterator[World]:
    """A hotline that is flooded, so nobody else's."""
    home = tmp_path_factory.mktemp("flooded")
    async with open_world(cluster, home, TELEGRAM_WEBHOOK_SECRET=SECRET) as opened:
        yield opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. `status` 0: the connection was closed without a word."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    def get(self, name: str) -> list[str]:
        """Every header of this name."""
        return [value for known, value in self.headers if known == name.lower()]


def head(method: str, path: str, *lines: str, close: bool = True) -> bytes:
    """The head of a request."""
    end = ("Connection: close",) if close else ()
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: line.example", *end, *lines, "", "")).encode("latin-1")


def post(path: str, body: bytes, *lines: str, kind: str = FORM) -> bytes:
    """A whole request with a body."""
    return head("POST", path, f"Content-Type: {kind}", f"Content-Length: {len(body)}", *lines) + body


async def talk(port: int, *parts: bytes, within: float = 40.0) -> Reply:
    """Send the parts, then read until the other side is done."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
        async with asyncio.timeout(within):
            return read(await reader.read())
    except ConnectionError:
        return Reply(status=0)
    finally:
        writer.transport.abort()


def read(raw: bytes) -> Reply:
    """One response."""
    if not raw:
        return Reply(status=0)
    top, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    pairs = tuple((name.lower(), value.strip()) for name, _, value in (text.partition(":") for text in lines))
    return Reply(status=int(first.split()[1]), headers=pairs, body=body)


def signed(line: World, path: str, body: bytes) -> str:
    """Twilio's header for this form."""
    settings = line.web.environment
    pairs = sorted(set(parse_qsl(body.decode(), keep_blank_values=True)))
    text = settings["PUBLIC_URL"] + path + "".join(name + value for name, value in pairs)
    mac = hmac.digest(settings["TWILIO_AUTH_TOKEN"].encode(), text.encode(), hashlib.sha1)
    return f"X-Twilio-Signature: {base64.b64encode(mac).decode()}"


def text_message(line: World, number: int, body: str = "hello", **more: str) -> bytes:
    """A form as Twilio posts it."""
    to = "+12025550100"
    return urlencode(
        {"MessageSid": f"SM{number:032x}", "From": "+15550107777", "To": to, "Body": body, "NumMedia": "0", **more}
    ).encode()


def ports(line: World) -> dict[str, int]:
    """Both."""
    return {"public": line.ports.public, "console": line.ports.console}


def process(line: World) -> psutil.Process:
    """The web process."""
    assert line.web.running is not None
    return psutil.Process(line.web.running.pid)


async def alive(line: World) -> None:
    """Both ports answer others, soon."""
    for port, path in ((line.ports.public, "/healthz"), (line.ports.console, "/signin")):
        began = time.monotonic()
        assert (await talk(port, head("GET", path), within=20)).status == 200
        assert time.monotonic() - began < 10


# Slow ------------------------------------------------------------------------------------------------------------


async def drip(port: int, first: bytes, drop: bytes) -> float:
    """Send a little each second until the other side has had enough; gives the seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    end = asyncio.create_task(reader.read())
    try:
        writer.write(first)
        while not end.done() and time.monotonic() - began < 60:
            await asyncio.wait([end], timeout=1)
            writer.write(drop)
        assert end.done(), "it was listened to for a minute"
    finally:
        end.cancel()
        writer.transport.abort()
    return time.monotonic() - began


async def test_heads_and_bodies_that_never_end_are_given_up_on_both_ports(line: World) -> None:
    long = f"Content-Type: {FORM}", "Content-Length: 5000"
    unsaid, part = b"", b"GET / HTTP/1.1\r\nHost: line.example\r\nX-Slow: "
    slow = [
        *(drip(port, first, drop) for port in ports(line).values() for first, drop in ((unsaid, b""), (part, b"a"))),
        drip(line.ports.public, head("POST", "/twilio/messages", *long, "X-Twilio-Signature: x"), b"a"),
        drip(line.ports.console, head("POST", "/signin", *long), b"a"),
        drip(line.ports.public, head("POST", "/", *long), b"a"),
    ]
    seconds = await asyncio.gather(*slow)
    assert max(seconds[:4]) < HEAD_SECONDS + 10, seconds
    assert max(seconds) < 45, seconds
    await alive(line)


@pytest.mark.parametrize("port", ["public", "console"])
@pytest.mark.parametrize("begun", [b"", b"POST /signin HTTP/1.1\r\nHost: line.example\r\nContent-Length: 9\r\n\r\na"])
async def test_more_silent_connections_than_there_are_places_keep_nobody_out(
    line: World, port: str, begun: bytes
) -> None:
    held: list[asyncio.StreamWriter] = []
    try:
        for _ in range(PLACES + 40):
            _, writer = await asyncio.open_connection("127.0.0.1", ports(line)[port])
            writer.write(begun)
            held.append(writer)
        await alive(line)
        sockets = [one for one in process(line).net_connections("tcp") if one.laddr.port == ports(line)[port]]
        assert len([one for one in sockets if one.status == psutil.CONN_ESTABLISHED]) <= PLACES + 2
    finally:
        for writer in held:
            writer.transport.abort()


# Large -----------------------------------------------------------------------------------------------------------


async def test_a_body_that_is_said_to_be_large_is_refused_before_it_is_sent(line: World) -> None:
    large = f"Content-Type: {FORM}", f"Content-Length: {500 * MEGABYTE}"
    public = await talk(line.ports.public, head("POST", "/twilio/messages", *large, "X-Twilio-Signature: x"))
    secret = f"X-Telegram-Bot-Api-Secret-Token: {SECRET}"
    telegram = await talk(line.ports.public, head("POST", "/telegram/webhook", *large, secret))
    console = await talk(line.ports.console, head("POST", "/signin", *large))
    assert (public.status, telegram.status, console.status) == (413, 413, 413)


async def pour(port: int, top: bytes, chunk: bytes, most: int) -> tuple[int, int]:
    """Send chunks until there is an answer; gives its status, and how many bytes were taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer, sent = asyncio.create_task(reader.read()), 0
    try:
        writer.write(top)
        while not answer.done() and sent < most:
            writer.write(chunk)
            sent += len(chunk)
            await asyncio.wait_for(writer.drain(), 20)
        return read(await asyncio.wait_for(answer, 40)).status, sent
    except ConnectionError:
        return 413, sent  # it hung up while we still poured
    finally:
        answer.cancel()
        writer.transport.abort()


async def test_a_body_of_unsaid_length_is_not_read_to_its_end(line: World) -> None:
    chunked = f"Content-Type: {FORM}", "Transfer-Encoding: chunked"
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    before = process(line).memory_info().rss
    for port, path, more in (
        (line.ports.public, "/twilio/messages", "X-Twilio-Signature: x"),
        (line.ports.public, "/telegram/webhook", f"X-Telegram-Bot-Api-Secret-Token: {SECRET}"),
        (line.ports.console, "/signin", "Sec-Fetch-Site: same-origin"),
    ):
        status, _ = await pour(port, head("POST", path, *chunked, more), chunk, 64 * MEGABYTE)
        assert status == 413, path
    assert process(line).memory_info().rss - before < 40 * MEGABYTE
    await alive(line)


def packings() -> Iterable[tuple[str, bytes]]:
    """Sixty-four megabytes of nothing, in several packings."""
    nothing = bytes(64 * MEGABYTE)
    yield "gzip", gzip.compress(nothing)
    yield "deflate", zlib.compress(nothing)
    yield "br", b"\x5b\xff\xff\x03\x80\x00\x00"
    yield "zstd", b"\x28\xb5\x2f\xfd\xa4"
    yield "gzip, gzip", gzip.compress(gzip.compress(nothing))


async def test_a_packed_body_is_not_unpacked(line: World) -> None:
    before = process(line).memory_info().rss
    for packing, body in packings():
        packed = f"Content-Encoding: {packing}"
        public = await talk(line.ports.public, post("/twilio/messages", body[:60_000], packed, "X-Twilio-Signature: x"))
        console = await talk(line.ports.console, post("/signin", body[:60_000], packed))
        assert (public.status, console.status) == (400, 415), packing
    assert process(line).memory_info().rss - before < 30 * MEGABYTE


async def test_thousands_of_fields_and_deep_json_cost_little(line: World) -> None:
    fields = "&".join(f"f{n}=" for n in range(9_000)).encode()[:64_000]
    began = time.monotonic()
    console = await talk(line.ports.console, post("/signin", fields))
    public = await talk(line.ports.public, post("/twilio/messages", fields, signed(line, "/twilio/messages", fields)))
    deep = b'{"message":' * 20_000
    secret = f"X-Telegram-Bot-Api-Secret-Token: {SECRET}"
    telegram = await talk(line.ports.public, post("/telegram/webhook", deep, secret, kind="application/json"))
    assert (console.status, public.status, telegram.status) == (413, 400, 400)
    assert time.monotonic() - began < 20


async def test_a_form_in_several_parts_is_not_read(line: World) -> None:
    parts = b'--x\r\nContent-Disposition: form-data; name="name"; filename="../../x"\r\n\r\nNoor\r\n--x--\r\n'
    kind = "multipart/form-data; boundary=x"
    console = await talk(line.ports.console, post("/signin", parts, kind=kind))
    public = await talk(line.ports.public, post("/twilio/messages", parts, "X-Twilio-Signature: x", kind=kind))
    assert (console.status, public.status) == (415, 400)


async def test_a_form_that_is_no_text_is_refused_calmly(line: World) -> None:
    """Found by fuzzing: it was answered as a fault of ours."""
    for body, kind in ((b"name=\xff", FORM), (b"name=x", f"{FORM}; charset=idna"), (b"a", f"{FORM}; charset=nonsense")):
        answer = await talk(line.ports.console, post("/signin", body, kind=kind))
        assert (answer.status, b"could not be read" in answer.body) == (400, True)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Content-Type: a/b; x*", 415),
        (f"Content-Type: {FORM}; x*", 400),
        (f"Content-Type: {'(' * 3_000}", 415),
        (f"Content-Type: {FORM};{';' * 7_900}", 400),
        (f"Content-Type: {FORM}; {'a=b; ' * 1_500}", 400),
        (f"Content-Type: {FORM}\r\nContent-Type: {FORM}", 400),
        (f"Content-Type: {FORM}\r\nOrigin: http://[", 403),
        (f"Content-Type: {FORM}\r\nHost: [\r\nOrigin: http://[]", 400),
    ],
)
async def test_no_header_of_a_form_breaks_or_holds_the_console(line: World, header: str, status: int) -> None:
    """Found by fuzzing, and by reading on from there: a fault of ours, or one request that held it for seconds."""
    before = sum(process(line).cpu_times()[:2])
    for _ in range(5):
        answer = await talk(line.ports.console, head("POST", "/signin", header, "Content-Length: 1") + b"a")
        assert answer.status == status
    assert sum(process(line).cpu_times()[:2]) - before < 2.5
    assert not line.web.events("console.failed")


# Doubled and misshapen -------------------------------------------------------------------------------------------


async def test_a_signature_is_believed_only_when_there_is_one(line: World) -> None:
    path, body = "/twilio/messages", text_message(line, 1)
    right, wrong = signed(line, path, body), "X-Twilio-Signature: AAAA"
    for several in ((right, wrong), (wrong, right), (right, right), (wrong,), ()):
        assert (await talk(line.ports.public, post(path, body, *several))).status == 403
    assert (await talk(line.ports.public, post(path, body, right))).status == 200
    secret = f"X-Telegram-Bot-Api-Secret-Token: {SECRET}"
    update = json.dumps({"update_id": 1}).encode()
    for lines, status in (((secret, secret), 403), ((secret, secret + "x"), 403), ((secret,), 200)):
        answer = await talk(line.ports.public, post("/telegram/webhook", update, *lines, kind="application/json"))
        assert answer.status == status


@pytest.mark.parametrize(
    "raw",
    [
        head("POST", "/twilio/messages", "Content-Length: 5", "Content-Length: 6") + b"hello",
        head("POST", "/twilio/messages", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        head("POST", "/twilio/messages", "Transfer-Encoding: chunked, identity") + b"0\r\n\r\n",
        head("POST", "/twilio/messages", "Content-Length: -1"),
        head("POST", "/twilio/messages", "Content-Length: 1_0") + b"0123456789",
        head("GET", "/", f"X-Long: {'a' * 100_000}"),
        head("GET", "/" + "a" * 100_000),
        head("GET", "/", *(f"X-{n}: a" for n in range(5_000))),
        b"GET / HTTP/1.1\r\nHost: a\r\n X-Folded: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Bad\x00: b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 50_000,
    ],
)
async def test_what_is_no_request_is_refused_without_an_echo(line: World, raw: bytes) -> None:
    for port in ports(line).values():
        answer = await talk(port, raw, within=HEAD_SECONDS + 20)
        assert answer.status in {0, 400, 403, 405, 413, 431}, answer
        assert not answer.body or answer.get("content-type")[0].startswith(("text/plain", "text/html; charset=utf-8"))
        assert b"<script" not in answer.body
    await alive(line)


async def test_what_breaks_a_header_or_a_log_line_gets_into_neither(line: World) -> None:
    breaks = ("%0d%0aX-Injected:%20yes", "%0aX-Injected:yes", "%E5%98%8A%E5%98%8DX-Injected:yes", "%00")
    body = text_message(line, 2, f"{CANARY}\r\nX-Injected: yes", FromCity=f"{CANARY}\n{{}}")
    for end in breaks:
        for port, path in (
            (line.ports.public, f"/{CANARY}{end}"),
            (line.ports.public, f"/source?{CANARY}={end}"),
            (line.ports.console, f"/signin?next=/queue{end}{CANARY}"),
            (line.ports.console, f"/queue{end}?x={CANARY}"),
            (line.ports.console, f"/cases/{CANARY}{end}"),
            (line.ports.console, f"/static/{CANARY}{end}"),
        ):
            lines = f"User-Agent: {CANARY}", f"Cookie: harborline={CANARY}", f"X-Forwarded-For: {CANARY}"
            answer = await talk(port, head("HEAD" if "source" in path else "GET", path, *lines))
            assert answer.status < 500, path
            assert not answer.get("x-injected")
            assert all(CANARY not in value for value in answer.get("location")), path
        path = f"/twilio/status?ref={CANARY}{end}"
        assert not (await talk(line.ports.public, post(path, body, signed(line, path, body)))).get("x-injected")
    answer = await talk(line.ports.public, post("/twilio/messages", body, signed(line, "/twilio/messages", body)))
    assert (answer.status, answer.get("x-injected")) == (200, [])
    await talk(line.ports.public, b"GET / HTTP/1.1\r\nHost: " + CANARY.encode() + b"\r\nX" + b"\x00" + b": a\r\n\r\n")
    log = line.web.log.read_text(encoding="utf-8")
    assert CANARY not in log
    assert all(json.loads(text)["event"] for text in log.splitlines())


@pytest.mark.parametrize(
    "way",
    [
        *(
            "/static/../app.py",
            "/static/..%2fapp.py",
            "/static/%2e%2e/app.py",
            "/static/%2e%2e%2f%2e%2e%2fpyproject.toml",
        ),
        *("/static/....//app.py", "/static/..\\app.py", "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/"),
        *("/static/%00", "/static/console.css/../../app.py", "/audit.json/../../etc/passwd", "/cases/..%2f..%2fx"),
        *(
            "/source/../pyproject.toml",
            "/source/..%2f..%2fpyproject.toml",
            "/..%2f..%2f..%2fetc%2fpasswd",
            "/var/line.yml",
        ),
        *("//etc/passwd", "/keyring/service", "/.env", "/.git/config"),
    ],
)
async def test_no_path_leads_out_of_what_is_served(line: World, way: str) -> None:
    for port in ports(line).values():
        answer = await talk(port, head("GET", way))
        assert answer.status in {303, 400, 403, 404}, way
        assert all(known not in answer.body for known in (b"root:", b"import ", b"[project]", b"languages:"))
        assert all(value.startswith("/signin?next=/queue") for value in answer.get("location"))


# Browsers that are led astray ------------------------------------------------------------------------------------


async def test_every_answer_of_both_ports_keeps_other_sites_from_framing_and_guessing_it(line: World) -> None:
    for port, paths in (
        (line.ports.public, ("/", "/healthz", "/readyz", "/nowhere", "/twilio/messages")),
        (line.ports.console, ("/signin", "/queue", "/nowhere", "/static/console.css", "/metrics")),
    ):
        for path in paths:
            answer = await talk(port, head("GET", path))
            (policy,) = answer.get("content-security-policy")
            assert "frame-ancestors 'none'" in policy
            assert answer.get("x-frame-options") == ["DENY"]
            assert answer.get("x-content-type-options") == ["nosniff"]
            assert answer.get("server") == ["Harborline"], "no versions"


async def test_no_wish_for_another_site_is_granted(line: World) -> None:
    for wish in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/queue@evil.example",
        "/%09/evil.example",
    ):
        page = await talk(line.ports.console, head("GET", f"/signin?next={wish}"))
        assert (page.status, b"evil.example" in page.body) == (200, False)
        away = await talk(line.ports.console, head("GET", f"/{wish.lstrip('/')}"))
        assert all("evil" not in value for value in away.get("location"))


async def test_a_planted_cookie_is_replaced_at_sign_in_and_stays_worthless(line: World) -> None:
    member, planted = line.made.staff[0], "ab" * 64
    form = urlencode(
        {"name": member.name, "passphrase": member.passphrase, "totp": pyotp.TOTP(member.totp_seed).now()}
    ).encode()
    cookie = f"Cookie: harborline={planted}"
    foreign = await talk(line.ports.console, post("/signin", form, cookie, "Origin: https://evil.example"))
    assert (foreign.status, foreign.get("set-cookie")) == (403, [])
    answer = await talk(line.ports.console, post("/signin", form, cookie))
    assert answer.status == 303
    values = {name: value.partition(";")[0] for name, _, value in (c.partition("=") for c in answer.get("set-cookie"))}
    assert values["harborline"] != planted
    assert (await talk(line.ports.console, head("GET", "/queue", cookie))).status == 303
    own = f"Cookie: harborline={values['harborline']}"
    assert (await talk(line.ports.console, head("GET", "/queue", own))).status == 200
    for path in ("/signout", "/account/passphrase", "/cases/123456/note"):
        borrowed = await talk(line.ports.console, post(path, b"token=&text=x", own, "Sec-Fetch-Site: cross-site"))
        assert borrowed.status in {403, 404}
        untold = await talk(line.ports.console, post(path, b"token=0&text=x", own))
        assert untold.status in {303, 403, 404}
    assert (await talk(line.ports.console, head("GET", "/queue", own))).status == 200


# Last, since they use up what there is ---------------------------------------------------------------------------


async def test_the_source_is_given_to_a_few_and_then_again_after_a_while(line: World) -> None:
    answers = [await talk(line.ports.public, head("GET", "/source")) for _ in range(12)]
    given = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status != 200]
    assert {len(answer.body) for answer in given} == {int(given[0].get("content-length")[0])}
    assert gzip.decompress(given[0].body)
    assert {answer.status for answer in refused} == {503}
    assert all(int(answer.get("retry-after")[0]) > 0 for answer in refused)
    await alive(line)


async def test_whoever_guesses_passphrases_has_to_wait_and_a_forger_of_webhooks_costs_little(line: World) -> None:
    guess = urlencode({"name": "nobody", "passphrase": "x" * 2000, "totp": "000000"}).encode()
    statuses = [(await talk(line.ports.console, post("/signin", guess))).status for _ in range(32)]
    assert statuses[-1] == 429
    body = text_message(line, 3, CANARY)
    forged = [post("/twilio/messages", body, "X-Twilio-Signature: AAAA") for _ in range(300)]
    began = time.monotonic()
    assert {(await talk(line.ports.public, one)).status for one in forged} == {403}
    assert time.monotonic() - began < 30
    warnings = line.web.events("webhook.refused")
    assert len(warnings) < 40, "a flood does not fill the disk with its log"
