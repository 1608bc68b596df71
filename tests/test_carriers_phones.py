"""The phones over HTTP: what the demo page and scripts do, the stream of events, and faults by JSON."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from carriers.call import CallOrder
from carriers.exchange import Exchange
from carriers.message import MessageOrder
from tests.subscriber import LINE, PERSON, Subscriber, an_exchange

CHAT = "5550101"


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    async with Subscriber() as subscriber:
        yield subscriber


@pytest.fixture
async def exchange(subscriber: Subscriber) -> AsyncIterator[Exchange]:
    async with an_exchange(subscriber, setup={"line": {"sms": LINE}}) as exchange:
        yield exchange


@pytest.fixture
async def page(exchange: Exchange) -> AsyncIterator[ClientSession]:
    async with ClientSession(exchange.phones_url) as session:
        yield session


async def events(page: ClientSession, wanted: int, **request: Any) -> list[dict[str, Any]]:
    """The first events of the stream."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(5), page.get("/phones/events", **request) as response:
        assert response.content_type == "text/event-stream"
        async for line in response.content:
            if line.startswith(b"data: "):
                found.append(json.loads(line.removeprefix(b"data: ")))
            if len(found) == wanted:
                break
    return found


async def do(page: ClientSession, path: str, **body: object) -> dict[str, Any]:
    async with page.post(path, json=body) as response:
        answer: dict[str, Any] = {"http": response.status} | await response.json()
        return answer


async def test_the_page_is_served_under_a_strict_policy(page: ClientSession) -> None:
    async with page.get("/") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        assert response.headers["Content-Security-Policy"].startswith("default-src 'self';")
    async with page.get("/phones.js") as response:
        assert response.content_type in ("text/javascript", "application/javascript")
    for path in ("/exchange.py", "/..%2fexchange.py", "/page"):
        async with page.get(path) as response:
            assert response.status == 404
    async with page.get("/phones/setup") as response:
        assert await response.json() == {"line": {"sms": LINE}}


async def test_only_json_is_taken_so_that_a_foreign_page_cannot_post(page: ClientSession) -> None:
    async with page.post("/phones/sms", data={"from": PERSON, "text": "x"}) as response:
        assert response.status == 415
    async with page.post("/phones/sms", data=b"{", headers={"Content-Type": "application/json"}) as response:
        assert response.status == 400
    assert (await do(page, "/phones/sms", text="x"))["http"] == 400
    assert (await do(page, "/phones/call/CA0/answer"))["http"] == 404


async def test_a_text_and_its_answer_appear_in_the_stream(page: ClientSession, subscriber: Subscriber) -> None:
    subscriber.answers["/sms"] = "<Message>hello</Message>"
    sent = await do(page, "/phones/sms", **{"from": PERSON, "text": "ayuda"})
    out, update, answer = await events(page, 3)
    assert out == out | {"type": "message", "phone": PERSON, "direction": "out", "status": "sent"}
    assert (update["id"], update["status"]) == (sent["id"], "delivered")
    wanted = {"channel": "sms", "direction": "in", "text": "hello", "status": "delivered", "buttons": []}
    assert answer == answer | wanted
    assert [event["seq"] for event in (out, update, answer)] == [1, 2, 3]


async def test_a_reader_catches_up_from_where_it_was(page: ClientSession, exchange: Exchange) -> None:
    for text in ("one", "two", "three"):
        await exchange.phone(PERSON).text(text)
    everything = await events(page, 6)
    assert await events(page, 2, params={"after": "4"}) == everything[4:]
    assert await events(page, 1, headers={"Last-Event-ID": "5"}) == everything[5:]


async def test_a_call_is_made_heard_and_answered_with_keys_and_words(
    page: ClientSession, subscriber: Subscriber
) -> None:
    subscriber.answers["/voice"] = (
        '<Gather input="dtmf speech" numDigits="1" language="ar-SA" action="/heard"><Say>speak</Say></Gather>'
    )
    subscriber.answers["/heard"] = '<Play>/sound.wav</Play><Pause length="60"/>'
    call = (await do(page, "/phones/call", **{"from": PERSON}))["call"]
    seen = await events(page, 4)
    assert [event["type"] for event in seen] == ["call", "call", "gather", "say"]
    assert [event["state"] for event in seen[:2]] == ["ringing", "in-progress"]
    wanted = {"input": ["dtmf", "speech"], "num_digits": 1, "finish_on_key": "#", "language": "ar-SA"}
    assert seen[2] == seen[2] | wanted
    assert (await do(page, f"/phones/call/{call}/speech", text="ساعدوني"))["done"]
    await subscriber.receives("/heard", SpeechResult="ساعدوني")
    (play,) = await events(page, 1, params={"after": "4"})
    async with page.get(play["url"]) as response:
        assert response.content_type == "audio/wav"
    assert (await do(page, f"/phones/call/{call}/digits", digits="1"))["done"] is False
    assert (await do(page, f"/phones/call/{call}/hangup"))["done"]


async def test_a_ringing_phone_is_answered_or_declined(page: ClientSession, exchange: Exchange) -> None:
    for gesture, state in (("answer", "in-progress"), ("decline", "busy")):
        order = CallOrder(from_=LINE, to=PERSON, twiml='<Response><Pause length="60"/></Response>')
        call = exchange.calls.create(order)
        await exchange.phone(PERSON).rings()
        assert (await do(page, f"/phones/call/{call.sid}/{gesture}"))["done"]
        async with asyncio.timeout(5):
            async for event in exchange.journal.follow(0):
                if event.get("state") == state:
                    break
        exchange.calls.hang_up(call)


async def test_telegram_is_written_and_its_buttons_pressed(page: ClientSession, exchange: Exchange) -> None:
    written = await do(page, "/phones/telegram", chat=CHAT, text="/start")
    pressed = await do(page, "/phones/telegram", chat=CHAT, message_id=int(written["id"]), data="safe:yes")
    assert pressed["query"]
    assert exchange.feed.pending == 2
    assert (await do(page, "/phones/telegram", chat=CHAT, message_id=99, data="x"))["http"] == 404
    assert (await do(page, "/phones/telegram", chat="nobody", text="x"))["http"] == 400


async def test_faults_are_set_listed_and_cleared_by_json(page: ClientSession, exchange: Exchange) -> None:
    rule = {"target": "twilio.messages", "kind": "error", "code": 20429, "times": None}
    assert (await do(page, "/faults", **rule))["http"] == 200
    assert (await do(page, "/faults", target="webhook.sms", kind="duplicate"))["http"] == 200
    async with page.get("/faults") as response:
        listed = (await response.json())["faults"]
    assert [(fault["target"], fault["times"]) for fault in listed] == [("twilio.messages", None), ("webhook.sms", 1)]
    assert (await do(page, "/faults", target="twilio", kind="bad luck"))["http"] == 400
    assert (await do(page, "/faults", target="twilio", kind="http", weather="rain"))["http"] == 400
    assert (await do(page, "/faults", target="twillio", kind="http"))["http"] == 400
    assert (await do(page, "/faults", target="twilio", kind="http", times=0))["http"] == 400
    assert (await do(page, "/faults", target="telegram", kind="http", number=5))["http"] == 400
    await do(page, "/faults", clear="twilio")
    assert [fault.target for fault in exchange.faults] == ["webhook.sms"]
    await do(page, "/faults", clear=True)
    assert list(exchange.faults) == []


async def test_a_failure_inside_is_reported_when_the_exchange_closes(subscriber: Subscriber) -> None:
    exchange = an_exchange(subscriber, delivery_delay=None)  # nobody can wait for None
    await exchange.start()
    exchange.messages.create(MessageOrder(from_=LINE, to=PERSON, body="x"))
    await asyncio.sleep(0.01)
    with pytest.raises(ExceptionGroup, match="failed inside"):
        await exchange.close()
