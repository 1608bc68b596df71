"""What every channel owes: forged, repeated, empty, long, odd, oversized and slow requests, the same bench for all."""

import asyncio
import contextlib
import gzip
import logging
from collections.abc import AsyncIterator
from dataclasses import asdict, replace

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from aiohttp.web import Application
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import webhook
from channels.messages import ChannelName, IncomingKind, NotKept
from channels.signed import parse_form
from channels.updates import Unreadable, parse, read
from channels.webhook import Refusal
from tests.channel_bench import (
    BOT_TOKEN,
    FORM,
    House,
    Post,
    Way,
    message,
    raw_twilio,
    serving,
    telegram_request,
    twilio_request,
    way,
)

TWILIO = (ChannelName.SMS, ChannelName.VOICE)


@pytest.fixture(params=list(ChannelName))
async def line(request: pytest.FixtureRequest) -> Way:
    return way(request.param)


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def post(line: Way, house: House) -> AsyncIterator[Post]:
    async with serving(line.adapter, house) as posting:
        yield posting


def samples() -> list[tuple[str, str]]:
    """One sample of every plane, and what breaks naive code."""
    planes = {0: "é", 1: "🙂", 2: "𠮷", 3: "𰻝"}
    characters = [(f"plane {plane}", planes.get(plane, chr(plane * 0x10000 + 0x21))) for plane in range(17)]
    return [
        *characters,
        ("combining", "a\u0301\u0323\u0489"),
        ("right to left", "\u202eأنا محبوسة\u202c"),
        ("joined", "👩\u200d👩\u200d👧 क्ष"),
        ("markup", "</Message><Say>&amp; ]]> \" '"),
        ("line ends", "one\ntwo\r\nthree\ttab"),
    ]


# Refused ----------------------------------------------------------------------------------------------------------


async def test_a_forged_request_is_refused_and_leaves_no_trace(
    line: Way, house: House, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reply = await post(line.forged("CANARYwords"))
    assert reply.status == 403
    assert house.refusals == [(line.channel, "signature")]
    assert not house.incoming
    assert "CANARY" not in caplog.text + reply.text


async def test_a_request_without_signature_is_refused_before_its_body_is_read(
    line: Way, house: House, post: Post
) -> None:
    large = line.raw(b"x" * 1_000_000)
    reply = await post(replace(large, headers={"Content-Type": FORM}))
    assert (reply.status, house.reasons) == (403, ["signature"])


@pytest.mark.parametrize("signature", ["", "x", "é", "A" * 10_000])
async def test_an_odd_signature_is_refused_plainly(line: Way, house: House, post: Post, signature: str) -> None:
    names = ("X-Twilio-Signature", "X-Telegram-Bot-Api-Secret-Token")
    request = line.says("hello")
    reply = await post(replace(request, headers={**request.headers, **dict.fromkeys(names, signature[:4000])}))
    assert (reply.status, house.incoming) == (403, [])


@pytest.mark.parametrize("size", [300_000, 900_000])
async def test_an_oversized_body_is_refused_and_counted(line: Way, house: House, post: Post, size: int) -> None:
    reply = await post(line.raw(b"a=" + b"x" * size))
    assert (reply.status, house.reasons, house.incoming) == (413, ["too_large"], [])


async def test_an_oversized_body_without_a_length_is_refused_too(line: Way, house: House) -> None:
    request = line.raw(b"")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 16_384

    app = Application()
    app.router.add_routes(line.adapter.routes(house.receive, house.report, house.refused))
    async with TestServer(app) as server, ClientSession() as client:
        url = server.make_url(request.path)
        async with client.post(url, data=chunks(), headers=dict(request.headers)) as response:
            assert (response.status, house.reasons) == (413, ["too_large"])


async def test_a_packed_body_is_refused(line: Way, house: House, post: Post) -> None:
    request = line.raw(gzip.compress(b"a=" + b"x" * 5_000_000))
    reply = await post(replace(request, headers={**request.headers, "Content-Encoding": "gzip"}))
    assert (reply.status, house.incoming) == (400, [])


async def test_a_slow_body_is_given_up(line: Way, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "BODY_SECONDS", 0.1)
    request = line.raw(b"")
    app = Application()
    app.router.add_routes(line.adapter.routes(house.receive, house.report, house.refused))
    async with TestServer(app) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        writer.write(f"POST {request.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n{headers}\r\na=".encode())
        status = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
    assert (status.split()[1], house.reasons) == (b"408", ["slow"])


async def test_a_body_cut_short_is_survived(line: Way, house: House) -> None:
    request = line.raw(b"")
    app = Application()
    app.router.add_routes(line.adapter.routes(house.receive, house.report, house.refused))
    async with TestServer(app) as server:
        for ending in (b"", b"zz\r\n"):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
            start = f"POST {request.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{headers}\r\n".encode()
            writer.write(start + ending)
            await writer.drain()
            writer.close()
        await asyncio.sleep(0.1)
    assert not house.incoming
    assert set(house.reasons) <= {"malformed"}


async def test_an_empty_body_is_malformed(line: Way, house: House, post: Post) -> None:
    reply = await post(line.raw(b""))
    assert (reply.status, house.reasons, house.incoming) == (400, ["malformed"], [])


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"Body=%FF", b"Body=%ED%A0%80", b"no-equals-sign", b"a=1&b", b"&".join([b"a=1"] * 600)],
    ids=["bytes", "percent", "lone surrogate", "no value", "one without value", "too many fields"],
)
@pytest.mark.parametrize("channel", TWILIO)
async def test_a_malformed_form_is_refused_plainly(channel: ChannelName, body: bytes, house: House) -> None:
    line = way(channel)
    async with serving(line.adapter, house) as post:
        reply = await post(raw_twilio(line.path(), body))
    assert (reply.status, house.reasons, house.incoming) == (400, ["malformed"], [])


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
@pytest.mark.parametrize("channel", TWILIO)
async def test_only_forms_are_read_from_twilio(channel: ChannelName, kind: str, house: House) -> None:
    line = way(channel)
    request = line.says("hello")
    async with serving(line.adapter, house) as post:
        reply = await post(replace(request, headers={**request.headers, "Content-Type": kind or "x/y"}))
    assert (reply.status, house.reasons) == (400, ["malformed"])


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[" * 100_000,
        b'{"update_id":' * 9_000,
        b"1" * 5_000,
        b"null",
        b"[]",
        b'"x"',
        b'{"update_id":"7"}',
        b"\xff",
    ],
)
async def test_malformed_json_is_refused_plainly(body: bytes, house: House) -> None:
    line = way(ChannelName.TELEGRAM)
    async with serving(line.adapter, house) as post:
        reply = await post(telegram_request(body))
    assert (reply.status, house.reasons, house.incoming) == (400, ["malformed"], [])


@pytest.mark.parametrize("missing", ["MessageSid", "From"])
async def test_a_signed_text_without_its_fields_is_malformed(missing: str, house: House) -> None:
    line = way(ChannelName.SMS)
    form = {name: value for name, value in line.form("hello", 1).items() if name != missing}
    async with serving(line.adapter, house) as post:
        reply = await post(twilio_request(line.path(), form))
    assert (reply.status, house.reasons) == (400, ["malformed"])


# Taken ------------------------------------------------------------------------------------------------------------


async def test_the_same_event_twice_has_the_same_id_and_gets_the_same_answer(
    line: Way, house: House, post: Post
) -> None:
    first, second = await post(line.says("hello")), await post(line.says("hello"))
    assert first == second
    assert first.status == 200
    one, two = house.incoming
    assert one == two
    other = await post(line.says("hello", 2))
    assert other.status == 200
    assert house.incoming[2].id != one.id


async def test_sixteen_hundred_characters_arrive_whole(line: Way, house: House, post: Post) -> None:
    text = "ñandú – 1600! "[:10] * 160
    assert (await post(line.says(text))).status == 200
    assert house.incoming[0].text == text


@pytest.mark.parametrize(("name", "text"), samples(), ids=[name for name, _ in samples()])
async def test_words_of_every_plane_arrive_as_they_are(
    line: Way, house: House, post: Post, name: str, text: str
) -> None:
    house.answer = replace(house.answer, text=text) if house.answer else None
    reply = await post(line.says(f"<{text}>"))
    assert (reply.status, house.reasons) == (200, [])
    assert house.incoming[0].text == f"<{text}>"


async def test_what_storage_cannot_carry_is_made_harmless(line: Way, house: House, post: Post) -> None:
    assert (await post(line.says("a\x00b\x1b[31mc\ufffe"))).status == 200
    assert house.incoming[0].text == "ab[31mc\ufffd"


async def test_half_a_surrogate_pair_from_telegram_becomes_a_mark(house: House) -> None:
    line = way(ChannelName.TELEGRAM)
    async with serving(line.adapter, house) as post:
        assert (await post(line.says("a\ud800b"))).status == 200
    assert house.incoming[0].text == "a\ufffdb"
    house.incoming[0].text.encode()


async def test_nothing_that_identifies_survives_the_adapter(line: Way, house: House, post: Post) -> None:
    await post(line.says("hello"))
    (incoming,) = house.incoming
    assert "CANARY" not in str(asdict(incoming))
    assert incoming.address.value not in repr(incoming)
    assert "hello" not in repr(incoming)


async def test_an_empty_text_is_taken(line: Way, house: House, post: Post) -> None:
    reply = await post(line.says(""))
    assert reply.status == 200
    kinds = {ChannelName.SMS: [IncomingKind.TEXT], ChannelName.VOICE: [IncomingKind.SILENCE], ChannelName.TELEGRAM: []}
    assert [incoming.kind for incoming in house.incoming] == kinds[line.channel]


# When the house cannot -------------------------------------------------------------------------------------------


async def test_what_could_not_be_kept_is_left_to_the_provider(line: Way, house: House, post: Post) -> None:
    house.failure = NotKept()
    reply = await post(line.says("hello"))
    assert (reply.status, house.refusals) == (503, [])


async def test_a_person_is_told_that_it_was_not_kept_where_the_provider_will_not_try_again(
    line: Way, house: House, post: Post
) -> None:
    assert house.answer
    house.failure = NotKept(replace(house.answer, text="Please send that again in a minute."))
    reply = await post(line.says("hello"))
    if line.channel is ChannelName.TELEGRAM:
        assert reply.status == 503
    else:
        assert reply.status == 200
        assert "Please send that again in a minute." in reply.text


async def test_a_failure_of_our_own_is_counted_and_left_to_the_provider(
    line: Way, house: House, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    house.failure = KeyError("CANARYwords")
    reply = await post(line.says("CANARYwords"))
    assert (reply.status, house.refusals) == (503, [(line.channel, "failed:KeyError")])
    assert "CANARY" not in caplog.text + reply.text
    house.failure = None
    assert (await post(line.says("CANARYwords"))).status == 200
    assert house.incoming[0] == house.incoming[1]


def test_an_adapter_shows_no_secret() -> None:
    async def build() -> str:
        return " ".join(repr(vars(way(name).adapter)) + repr(way(name).adapter) for name in TWILIO)

    assert "9f8e7d6c" not in asyncio.run(build())
    assert BOT_TOKEN not in repr(asyncio.run(_telegram()))


async def _telegram() -> object:
    return way(ChannelName.TELEGRAM).adapter


# Any bytes --------------------------------------------------------------------------------------------------------


@given(
    st.binary(max_size=300) | st.text(max_size=100).map(lambda text: f"Body={text}&From=%2B1".encode(errors="replace"))
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_bytes_crash_the_form_parser(body: bytes) -> None:
    with contextlib.suppress(Refusal):
        for name, value in parse_form(FORM, body):
            assert isinstance((name + value).encode(), bytes)  # whole UTF-8, no half pairs


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(message("x")["message"])), inner)
    ),
    max_leaves=20,
)


@given(JSON, JSON, JSON, st.integers(min_value=0, max_value=2**40))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_update_crashes_the_update_parser(chat: object, content: object, query: object, number: int) -> None:
    private = {"id": number, "type": "private"}
    odd = [
        {"update_id": number, "message": chat},
        {"update_id": number, "message": {"chat": private, "message_id": 1, "text": content, "photo": query}},
        {"update_id": number, "message": {"chat": private, "message_id": content, "location": query, "sticker": chat}},
        {"update_id": number, "callback_query": {"id": content, "data": query, "message": {"chat": private}}},
        {"update_id": number, "callback_query": query, "message": content},
    ]
    for update in odd:
        assert read(update).number == number


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_bytes_crash_the_update_parser(body: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert parse(body).number >= 0
