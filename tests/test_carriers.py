"""The practised Twilio, texts: what the official library and a signed webhook see of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession, web
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient

from carriers.exchange import Exchange
from carriers.segments import count
from tests.subscriber import ACCOUNT, LINE, PERSON, PUBLIC, Subscriber, a_client, an_exchange, twiml

# The twilio library builds its Authorization header in a way that aiohttp will drop in its next major release.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    async with Subscriber() as subscriber:
        yield subscriber


@pytest.fixture
async def exchange(subscriber: Subscriber) -> AsyncIterator[Exchange]:
    async with an_exchange(subscriber) as exchange:
        yield exchange


@pytest.fixture
async def client(exchange: Exchange) -> AsyncIterator[Any]:
    async with AsyncTwilioHttpClient() as http:
        yield a_client(exchange, http)


async def refused(client: Any, **message: str) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as caught:
        await client.messages.create_async(**{"to": PERSON, "from_": LINE, "body": "hello", **message})
    return caught.value


# sending ------------------------------------------------------------------------------------------------------


async def test_a_text_is_queued_sent_and_delivered_and_each_step_is_told(
    exchange: Exchange, subscriber: Subscriber, client: Any
) -> None:
    sent = await client.messages.create_async(
        to=PERSON, from_=LINE, body="Case 4711", status_callback=f"{PUBLIC}/status"
    )
    assert (sent.status, sent.direction, sent.num_segments) == ("queued", "outbound-api", "1")
    assert sent.sid.startswith("SM")
    assert len(sent.sid) == 34
    assert sent.date_created is not None
    assert (await exchange.phone(PERSON).receives("4711")).text == "Case 4711"
    for status in ("queued", "sent", "delivered"):
        fields = await subscriber.receives("/status", MessageStatus=status, MessageSid=sent.sid)
        assert fields["AccountSid"] == ACCOUNT
    fetched = await client.messages(sent.sid).fetch_async()
    assert (fetched.status, fetched.error_code) == ("delivered", None)
    assert fetched.date_sent is not None


async def test_a_delivery_can_fail_with_any_code(exchange: Exchange, subscriber: Subscriber, client: Any) -> None:
    exchange.faults.add("delivery.sms", "error", code=30003)
    sent = await client.messages.create_async(to=PERSON, from_=LINE, body="x", status_callback=f"{PUBLIC}/status")
    await subscriber.receives("/status", MessageStatus="undelivered", ErrorCode="30003")
    assert (await client.messages(sent.sid).fetch_async()).error_code == 30003
    assert not exchange.phone(PERSON).unexpected()
    exchange.faults.add("delivery.sms", "error", code=30001)
    await client.messages.create_async(to=PERSON, from_=LINE, body="x", status_callback=f"{PUBLIC}/status")
    await subscriber.receives("/status", MessageStatus="failed", ErrorCode="30001")


async def test_a_text_can_stay_sent_for_ever(exchange: Exchange, subscriber: Subscriber, client: Any) -> None:
    exchange.faults.add("delivery.sms", "drop", number=PERSON)
    sent = await client.messages.create_async(to=PERSON, from_=LINE, body="x", status_callback=f"{PUBLIC}/status")
    await subscriber.receives("/status", MessageStatus="sent")
    await asyncio.sleep(0.1)
    assert (await client.messages(sent.sid).fetch_async()).status == "sent"
    assert exchange.phone(PERSON).unexpected() == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"to": "12"}, 21211),
        ({"to": "+15005550001"}, 21211),
        ({"to": "+15005550003"}, 21408),
        ({"to": "+15005550004"}, 21610),
        ({"to": "+15005550009"}, 21614),
        ({"from_": "+15550000000"}, 21606),
        ({"body": "x" * 1601}, 21617),
        ({"body": " "}, 21602),
    ],
)
async def test_orders_that_twilio_refuses_are_refused_with_its_number(
    client: Any, message: dict[str, str], code: int
) -> None:
    error = await refused(client, **message)
    assert (error.code, error.status) == (code, 400)


async def test_errors_on_demand_are_used_up(exchange: Exchange, client: Any) -> None:
    exchange.faults.add("twilio.messages", "error", code=20429)
    error = await refused(client)
    assert (error.code, error.status) == (20429, 429)
    exchange.faults.add("twilio.messages.create", "http", status=500, times=2)
    assert [(await refused(client)).status for _ in range(2)] == [500, 500]
    assert (await client.messages.create_async(to=PERSON, from_=LINE, body="x")).status == "queued"


async def test_a_hanging_request_and_a_cut_connection_reach_the_client(exchange: Exchange, client: Any) -> None:
    exchange.faults.add("twilio.messages", "reset")
    with pytest.raises(ClientConnectionError):
        await client.messages.create_async(to=PERSON, from_=LINE, body="x")
    exchange.faults.add("twilio.messages", "hang")
    with pytest.raises(TimeoutError):  # the library's own time-out is not obeyed by its asynchronous client
        async with asyncio.timeout(0.3):
            await client.messages.create_async(to=PERSON, from_=LINE, body="x")
    assert list(exchange.messages) == []


async def test_an_answer_can_be_lost_though_the_text_went_out(exchange: Exchange, client: Any) -> None:
    exchange.faults.add("twilio.messages", "lose-answer")
    with pytest.raises(ClientConnectionError):
        await client.messages.create_async(to=PERSON, from_=LINE, body="once")
    await exchange.phone(PERSON).receives("once")


async def test_a_wrong_password_is_refused(exchange: Exchange) -> None:
    async with AsyncTwilioHttpClient() as http:
        error = await refused(a_client(exchange, http, token="wrong"))
    assert (error.code, error.status) == (20003, 401)


# keeping ------------------------------------------------------------------------------------------------------


async def test_a_text_is_redacted_and_deleted_once_it_is_finished(exchange: Exchange, client: Any) -> None:
    sent = await client.messages.create_async(to=PERSON, from_=LINE, body="secret")
    with pytest.raises(TwilioRestException) as caught:
        await client.messages(sent.sid).delete_async()
    assert (caught.value.code, caught.value.status) == (20009, 409)
    await exchange.phone(PERSON).receives("secret")
    assert (await client.messages(sent.sid).update_async(body="")).body == ""
    assert await client.messages(sent.sid).delete_async()
    with pytest.raises(TwilioRestException) as caught:
        await client.messages(sent.sid).fetch_async()
    assert (caught.value.code, caught.value.status) == (20404, 404)


async def test_lists_come_newest_first_and_in_pages(client: Any) -> None:
    for number in range(5):
        await client.messages.create_async(to=PERSON, from_=LINE, body=str(number))
    listed = await client.messages.list_async(page_size=2)
    assert [message.body for message in listed] == ["4", "3", "2", "1", "0"]
    assert await client.messages.list_async(to="+15550000001") == []


async def test_media_are_resources_of_their_own(exchange: Exchange, subscriber: Subscriber, client: Any) -> None:
    await exchange.phone(PERSON).text("look", media=(("image/jpeg", b"picture"),))
    (fields,) = subscriber.fields("/sms")
    assert (fields["NumMedia"], fields["MediaContentType0"]) == ("1", "image/jpeg")
    (media,) = await client.messages(fields["MessageSid"]).media.list_async()
    async with ClientSession() as session, session.get(fields["MediaUrl0"]) as response:
        assert response.status == 401
    assert await client.messages(fields["MessageSid"]).media(media.sid).delete_async()
    assert await client.messages(fields["MessageSid"]).media.list_async() == []


# receiving ----------------------------------------------------------------------------------------------------


async def test_a_text_to_the_line_is_signed_for_its_public_address_and_answered_in_twiml(
    exchange: Exchange, subscriber: Subscriber
) -> None:
    subscriber.answers["/sms"] = "<Message>Is it safe to talk now?</Message><Message><Body>1 yes</Body></Message>"
    phone = exchange.phone(PERSON)
    await phone.text("ayuda ñ 帮")
    (fields,) = subscriber.fields("/sms")
    assert fields["Body"] == "ayuda ñ 帮"
    assert (fields["From"], fields["To"], fields["SmsStatus"]) == (PERSON, LINE, "received")
    assert fields["MessageSid"] == fields["SmsSid"] == fields["SmsMessageSid"]
    assert (fields["FromCity"], fields["FromZip"], fields["FromCountry"]) == ("CANARYVILLE", "99999", "US")
    assert subscriber.forged == 0
    await phone.receives("safe")
    await phone.receives("1 yes")
    assert phone.unexpected() == []


async def test_whatsapp_brings_the_name_of_the_profile(exchange: Exchange, subscriber: Subscriber) -> None:
    subscriber.answers["/sms"] = "<Message>hello</Message>"
    phone = exchange.phone(f"whatsapp:{PERSON}")
    await phone.text("hola", line=f"whatsapp:{LINE}")
    (fields,) = subscriber.fields("/sms")
    assert (fields["ProfileName"], fields["WaId"]) == ("CANARY NAME", PERSON.removeprefix("+"))
    await phone.receives("hello")


async def test_a_message_nobody_asked_for_is_unexpected(exchange: Exchange, subscriber: Subscriber) -> None:
    subscriber.answers["/sms"] = "<Message>one</Message><Message>two</Message>"
    phone = exchange.phone(PERSON)
    await phone.text("x")
    await phone.receives("one")
    with pytest.raises(AssertionError, match="two"):
        await phone.receives("three", within=0.3)
    assert phone.unexpected() == ["two"]


async def test_stop_silences_start_opens_and_help_is_answered_by_the_carrier(
    exchange: Exchange, subscriber: Subscriber, client: Any
) -> None:
    subscriber.answers["/sms"] = "<Message>from the line</Message>"
    phone = exchange.phone(PERSON)
    await phone.text(" stop ")
    await phone.receives("unsubscribed")
    assert subscriber.fields("/sms")[0]["OptOutType"] == "STOP"
    assert (await refused(client)).code == 21610
    assert [alert.code for alert in exchange.alerts] == [21610]  # the line's own answer to STOP
    await phone.text("Help")
    await phone.receives("Reply STOP")
    await phone.text("START")
    await phone.receives("subscribed again")
    assert (await client.messages.create_async(to=PERSON, from_=LINE, body="x")).status == "queued"
    await phone.text("stop it please")
    assert "OptOutType" not in subscriber.fields("/sms")[-1]


# webhooks that go wrong ---------------------------------------------------------------------------------------


async def test_a_line_that_fails_is_recorded_and_the_text_is_lost_as_in_earnest(
    exchange: Exchange, subscriber: Subscriber
) -> None:
    subscriber.answers["/sms"] = web.Response(status=503)
    reply = await exchange.phone(PERSON).text("x")
    assert reply is not None
    assert (reply.status, reply.error) == (503, 11200)
    assert [alert.code for alert in exchange.alerts] == [11200]
    assert len(subscriber.posts) == 1


async def test_retries_follow_the_overrides_in_the_address_and_keep_their_token(
    exchange: Exchange, subscriber: Subscriber
) -> None:
    exchange.pace.speed = 100
    exchange.add_line(replace(exchange.lines[LINE], sms_url=f"{PUBLIC}/sms#rc=3&rp=5xx"))
    failing = iter([503, 503])
    subscriber.answers["/sms"] = lambda fields: web.Response(status=next(failing, 204))
    reply = await exchange.phone(PERSON).text("x")
    assert reply is not None
    assert reply.accepted
    tokens = {headers["I-Twilio-Idempotency-Token"] for _, _, headers in subscriber.posts}
    assert (len(subscriber.posts), len(tokens)) == (3, 1)


async def test_the_fallback_hears_what_went_wrong(exchange: Exchange, subscriber: Subscriber) -> None:
    exchange.add_line(replace(exchange.lines[LINE], sms_fallback_url=f"{PUBLIC}/fallback"))
    subscriber.answers["/sms"] = web.Response(status=500)
    subscriber.answers["/fallback"] = "<Message>try later</Message>"
    await exchange.phone(PERSON).text("x")
    assert subscriber.fields("/fallback")[0]["ErrorCode"] == "11200"
    await exchange.phone(PERSON).receives("try later")


async def test_a_slow_line_is_given_up(subscriber: Subscriber) -> None:
    async with an_exchange(subscriber, webhook_timeout=0.2) as exchange:
        exchange.add_line(replace(exchange.lines[LINE], sms_url=f"{PUBLIC}/slow"))
        reply = await exchange.phone(PERSON).text("x")
    assert reply is not None
    assert (reply.status, reply.error) == (None, 11200)


async def test_a_line_that_is_not_there_is_tried_twice(exchange: Exchange) -> None:
    exchange.pace.speed = 100
    exchange.add_line(replace(exchange.lines[LINE], sms_url="http://127.0.0.1:9/sms"))
    reply = await exchange.phone(PERSON).text("x")
    assert reply is not None
    assert reply.error == 11205
    assert len(exchange.webhooks) == 2


async def test_webhooks_can_be_doubled_forged_held_back_and_lost(exchange: Exchange, subscriber: Subscriber) -> None:
    phone = exchange.phone(PERSON)
    exchange.faults.add("webhook.sms", "duplicate", number=PERSON)
    await phone.text("twice")
    assert [fields["Body"] for fields in subscriber.fields("/sms")] == ["twice", "twice"]
    assert len({headers["I-Twilio-Idempotency-Token"] for _, _, headers in subscriber.posts}) == 1
    exchange.faults.add("webhook.sms", "forge")
    await phone.text("forged")
    assert (subscriber.forged, len(subscriber.posts)) == (1, 2)
    exchange.faults.add("webhook.sms", "reorder")
    held = asyncio.create_task(phone.text("first"))
    await asyncio.sleep(0.05)
    await phone.text("second")
    await held
    assert [fields["Body"] for fields in subscriber.fields("/sms")[2:]] == ["second", "first"]
    exchange.faults.add("webhook.sms", "drop")
    await phone.text("lost")
    assert "lost" not in {fields["Body"] for fields in subscriber.fields("/sms")}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (web.Response(text="<Response><Message>", content_type="text/xml"), 12100),
        (web.Response(text="plain", content_type="text/xml"), 12100),
        (web.Response(text="<!DOCTYPE x><Response/>", content_type="text/xml"), 12100),
        (twiml("<Massage>typo</Massage>"), 12200),
        (twiml('<Message colour="red">x</Message>'), 12200),
        (web.Response(body=b"<Response/>", content_type="application/octet-stream"), 12300),
        (web.Response(text='{"a": 1}', content_type="application/json"), 12300),
    ],
)
async def test_answers_that_are_not_twiml_are_recorded(
    exchange: Exchange, subscriber: Subscriber, answer: web.Response, code: int
) -> None:
    subscriber.answers["/sms"] = answer
    await exchange.phone(PERSON).text("x")
    assert [alert.code for alert in exchange.alerts] == [code]
    assert exchange.phone(PERSON).unexpected() == []


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ş" * 70, 1),
        ("ş" * 71, 2),
        ("😀" * 36, 2),
    ],
)
def test_segments_are_counted_as_the_network_does(text: str, segments: int) -> None:
    assert count(text) == segments
