"""The practised Twilio, calls: ringing, TwiML, keys and words, dialling through; seen by library and handset."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient

from carriers.call import CallStatus
from carriers.exchange import Exchange
from tests.subscriber import LINE, PERSON, PUBLIC, RESPONDER, Subscriber, a_client, an_exchange, twiml

# The twilio library builds its Authorization header in a way that aiohttp will drop in its next major release.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

MENU = (
    '<Gather numDigits="1" timeout="5" action="/chosen"><Say language="ar-SA">one or two</Say></Gather><Say>bye</Say>'
)


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


# incoming -----------------------------------------------------------------------------------------------------


async def test_a_caller_hears_the_menu_and_presses_a_key(exchange: Exchange, subscriber: Subscriber) -> None:
    subscriber.answers |= {"/voice": MENU, "/chosen": "<Say>thank you</Say><Hangup/>"}
    call = await exchange.phone(PERSON).call()
    await call.hears("one or two")
    await call.press("1")
    await call.hears("thank you")
    assert await call.ends() is CallStatus.COMPLETED
    (first,) = subscriber.fields("/voice")
    assert (first["CallSid"], first["CallStatus"], first["Direction"]) == (call.sid, "ringing", "inbound")
    assert (first["Caller"], first["Called"], first["CallerName"]) == (PERSON, LINE, "CANARY NAME")
    assert first["CallerCity"] == first["FromCity"] == "CANARYVILLE"
    (second,) = subscriber.fields("/chosen")
    assert (second["Digits"], second["CallStatus"]) == ("1", "in-progress")
    done = await subscriber.receives("/call-status", CallStatus="completed")
    assert "CallDuration" in done
    assert subscriber.forged == 0


async def test_silence_falls_through_unless_empty_results_are_wanted(
    exchange: Exchange, subscriber: Subscriber
) -> None:
    subscriber.answers["/voice"] = MENU
    call = await exchange.phone(PERSON).call()
    await call.stays_silent()
    await call.hears("bye")
    await call.ends()
    assert subscriber.fields("/chosen") == []
    subscriber.answers["/voice"] = MENU.replace("<Gather ", '<Gather actionOnEmptyResult="true" ')
    call = await exchange.phone(PERSON).call()
    await call.stays_silent()
    await subscriber.receives("/chosen", Digits="")


async def test_a_question_times_out_by_itself_in_scaled_time(exchange: Exchange, subscriber: Subscriber) -> None:
    exchange.pace.speed = 50
    subscriber.answers["/voice"] = MENU
    call = await exchange.phone(PERSON).call()
    await call.hears("bye")


@pytest.mark.parametrize(
    ("attributes", "keys", "digits"),
    [('numDigits="4"', "1234", "1234"), ("", "12#", "12"), ('finishOnKey="*"', "1#2*", "1#2")],
)
async def test_keys_are_collected_as_the_gather_asks(
    exchange: Exchange, subscriber: Subscriber, attributes: str, keys: str, digits: str
) -> None:
    subscriber.answers["/voice"] = f'<Gather {attributes} action="/chosen"/>'
    call = await exchange.phone(PERSON).call()
    await call.press(keys)
    await subscriber.receives("/chosen", Digits=digits)


async def test_the_time_out_submits_the_keys_that_were_pressed(exchange: Exchange, subscriber: Subscriber) -> None:
    subscriber.answers["/voice"] = '<Gather action="/chosen"/>'
    call = await exchange.phone(PERSON).call()
    await call.press("12")
    await call.stays_silent()
    await subscriber.receives("/chosen", Digits="12")


async def test_keys_go_unheard_when_nobody_listens(exchange: Exchange, subscriber: Subscriber) -> None:
    subscriber.answers["/voice"] = '<Pause length="60"/>'
    call = await exchange.phone(PERSON).call()
    with pytest.raises(AssertionError, match="nobody listened"):
        await call.press("1", within=0.2)
    await call.hang_up()
    assert await call.ends() is CallStatus.COMPLETED


@pytest.mark.parametrize(
    ("attributes", "heard"),
    [('profanityFilter="false"', "he said fuck you"), ("", "he said f*** you")],
)
async def test_speech_is_masked_unless_the_filter_is_off(
    exchange: Exchange, subscriber: Subscriber, attributes: str, heard: str
) -> None:
    subscriber.answers["/voice"] = f'<Gather input="dtmf speech" {attributes} action="/heard"><Say>speak</Say></Gather>'
    call = await exchange.phone(PERSON).call()
    await call.says("he said fuck you")
    fields = await subscriber.receives("/heard", SpeechResult=heard)
    assert float(fields["Confidence"]) > 0.5


async def test_hanging_up_ends_the_call_and_is_told(exchange: Exchange, subscriber: Subscriber) -> None:
    subscriber.answers["/voice"] = MENU
    call = await exchange.phone(PERSON).call()
    await call.hears("one")
    await call.hang_up()
    assert await call.ends() is CallStatus.COMPLETED
    await subscriber.receives("/call-status", CallSid=call.sid, CallStatus="completed")
    assert subscriber.fields("/chosen") == []


async def test_a_line_can_reject_a_call(exchange: Exchange, subscriber: Subscriber) -> None:
    subscriber.answers["/voice"] = '<Reject reason="busy"/>'
    call = await exchange.phone(PERSON).call()
    assert await call.ends() is CallStatus.BUSY


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (web.Response(status=500), 11200),
        (web.Response(text="<Response>", content_type="text/xml"), 12100),
        (twiml("<Sing>la</Sing>"), 12200),
        (twiml('<Gather digits="1"/>'), 12200),
    ],
)
async def test_a_caller_hears_when_the_line_answers_nonsense(
    exchange: Exchange, subscriber: Subscriber, answer: web.Response, code: int
) -> None:
    subscriber.answers["/voice"] = answer
    call = await exchange.phone(PERSON).call()
    await call.hears("application error")
    await call.ends()
    assert [alert.code for alert in exchange.alerts] == [code]


async def test_redirects_pauses_and_recordings_are_followed(exchange: Exchange, subscriber: Subscriber) -> None:
    exchange.pace.speed = 100
    subscriber.answers["/voice"] = '<Play>/sound.wav</Play><Pause length="2"/><Redirect>/next?step=2</Redirect>'
    subscriber.answers["/next"] = "<Say>here</Say>"
    call = await exchange.phone(PERSON).call()
    assert await call.hears_sound("sound.wav") == f"{PUBLIC}/sound.wav"
    await call.hears("here")


async def test_a_missing_recording_is_recorded_and_skipped(exchange: Exchange, subscriber: Subscriber) -> None:
    subscriber.answers["/voice"] = "<Play>/no-such-sound.wav</Play><Say>still here</Say>"
    call = await exchange.phone(PERSON).call()
    await call.hears("still here")
    assert [alert.code for alert in exchange.alerts] == [11200]


# outgoing -----------------------------------------------------------------------------------------------------

EVENTS = ["initiated", "ringing", "answered", "completed"]


async def test_a_page_by_telephone_rings_is_answered_and_acknowledged(
    exchange: Exchange, subscriber: Subscriber, client: Any
) -> None:
    subscriber.answers |= {"/page": '<Gather numDigits="1" action="/ack"><Say>press 1</Say></Gather>'}
    placed = await client.calls.create_async(
        to=RESPONDER,
        from_=LINE,
        url=f"{PUBLIC}/page?page=7",
        status_callback=f"{PUBLIC}/status",
        status_callback_event=EVENTS,
    )
    assert (placed.status, placed.direction) == ("queued", "outbound-api")
    call = await exchange.phone(RESPONDER).rings()
    assert call.shows == LINE
    call.answer()
    await call.hears("press 1")
    assert (await client.calls(placed.sid).fetch_async()).status == "in-progress"
    await call.press("1")
    await subscriber.receives("/ack", Digits="1")
    assert await call.ends() is CallStatus.COMPLETED
    for status in ("initiated", "ringing", "in-progress", "completed"):
        await subscriber.receives("/status", CallStatus=status, CallSid=placed.sid)
    fetched = await client.calls(placed.sid).fetch_async()
    assert fetched.status == "completed"
    assert fetched.end_time is not None


@pytest.mark.parametrize(("gesture", "status"), [("decline", "busy"), ("rings_out", "no-answer")])
async def test_an_unanswered_page_says_why(
    exchange: Exchange, subscriber: Subscriber, client: Any, gesture: str, status: str
) -> None:
    await client.calls.create_async(to=RESPONDER, from_=LINE, twiml="<Response/>", status_callback=f"{PUBLIC}/status")
    call = await exchange.phone(RESPONDER).rings()
    getattr(call, gesture)()
    assert (await call.ends()).value == status
    await subscriber.receives("/status", CallStatus=status)
    assert len(subscriber.fields("/status")) == 1  # only "completed" is told unless more is asked for


async def test_ringing_ends_by_itself_in_scaled_time(exchange: Exchange, client: Any) -> None:
    exchange.pace.speed = 200
    await client.calls.create_async(to=RESPONDER, from_=LINE, twiml="<Response/>", timeout=20)
    call = await exchange.phone(RESPONDER).rings()
    assert await call.ends() is CallStatus.NO_ANSWER


@pytest.mark.parametrize(("kind", "status"), [("busy", "busy"), ("error", "failed")])
async def test_the_network_can_fail_a_call(
    exchange: Exchange, subscriber: Subscriber, client: Any, kind: str, status: str
) -> None:
    exchange.faults.add("delivery.call", kind, number=RESPONDER)
    await client.calls.create_async(to=RESPONDER, from_=LINE, twiml="<Response/>", status_callback=f"{PUBLIC}/status")
    await subscriber.receives("/status", CallStatus=status)


async def test_a_call_is_canceled_redirected_ended_and_deleted_by_the_api(
    exchange: Exchange, subscriber: Subscriber, client: Any
) -> None:
    phone = exchange.phone(RESPONDER)
    taken_back = await client.calls.create_async(to=RESPONDER, from_=LINE, twiml="<Response/>")
    ringing = await phone.rings()
    with pytest.raises(TwilioRestException) as caught:
        await client.calls(taken_back.sid).update_async(twiml="<Response/>")
    assert caught.value.code == 21220
    await client.calls(taken_back.sid).update_async(status="canceled")
    assert await ringing.ends() is CallStatus.CANCELED
    placed = await client.calls.create_async(
        to=RESPONDER, from_=LINE, twiml='<Response><Pause length="60"/></Response>'
    )
    call = await phone.rings()
    call.answer()
    with pytest.raises(TwilioRestException) as caught:
        await client.calls(placed.sid).delete_async()
    assert caught.value.code == 20009
    await client.calls(placed.sid).update_async(twiml='<Response><Say>changed</Say><Pause length="60"/></Response>')
    await call.hears("changed")
    await client.calls(placed.sid).update_async(status="completed")
    assert await call.ends() is CallStatus.COMPLETED
    assert await client.calls(placed.sid).delete_async()
    assert [listed.sid for listed in await client.calls.list_async(status="canceled")] == [taken_back.sid]


@pytest.mark.parametrize(
    ("order", "code"),
    [({"to": "12"}, 21211), ({"from_": "+15550000000"}, 21210), ({"twiml": ""}, 21205)],
)
async def test_calls_that_twilio_refuses_are_refused(client: Any, order: dict[str, str], code: int) -> None:
    with pytest.raises(TwilioRestException) as caught:
        await client.calls.create_async(**{"to": RESPONDER, "from_": LINE, "twiml": "<Response/>", **order})
    assert caught.value.code == code


# dialling through ---------------------------------------------------------------------------------------------

DIAL = f'<Dial callerId="{LINE}" action="/dialled"><Number url="/whisper">{RESPONDER}</Number></Dial>'
WHISPER = '<Gather numDigits="1" action="/joined"><Say>A caller waits. Press 1.</Say></Gather><Hangup/>'


async def test_a_caller_is_connected_after_the_whisper_with_both_numbers_masked(
    exchange: Exchange, subscriber: Subscriber
) -> None:
    subscriber.answers |= {"/voice": DIAL, "/whisper": WHISPER, "/dialled": "<Say>goodbye</Say>"}
    caller = await exchange.phone(PERSON).call()
    responder = await exchange.phone(RESPONDER).rings()
    assert responder.shows == LINE
    responder.answer()
    await responder.hears("A caller waits")
    await responder.press("1")
    assert await responder.connected() == LINE
    await caller.connected()
    await caller.says("are you there")
    await responder.hears("are you there")
    whisper = subscriber.fields("/whisper")[0]
    assert (whisper["ParentCallSid"], whisper["Direction"]) == (caller.sid, "outbound-dial")
    await responder.hang_up()
    fields = await subscriber.receives("/dialled", DialCallStatus="completed", DialBridged="true")
    assert fields["DialCallSid"] == responder.sid
    await caller.hears("goodbye")


async def test_the_default_caller_id_gives_the_caller_away_as_in_earnest(
    exchange: Exchange, subscriber: Subscriber
) -> None:
    subscriber.answers["/voice"] = f"<Dial>{RESPONDER}</Dial>"
    await exchange.phone(PERSON).call()
    assert (await exchange.phone(RESPONDER).rings()).shows == PERSON


async def test_a_callee_who_hangs_up_in_the_whisper_is_not_connected(
    exchange: Exchange, subscriber: Subscriber
) -> None:
    subscriber.answers |= {"/voice": DIAL, "/whisper": WHISPER}
    await exchange.phone(PERSON).call()
    responder = await exchange.phone(RESPONDER).rings()
    responder.answer()
    await responder.stays_silent()
    await subscriber.receives("/dialled", DialCallStatus="completed", DialBridged="false")


@pytest.mark.parametrize(("gesture", "status"), [("decline", "busy"), ("rings_out", "no-answer")])
async def test_a_dial_that_nobody_answers_says_why(
    exchange: Exchange, subscriber: Subscriber, gesture: str, status: str
) -> None:
    subscriber.answers["/voice"] = DIAL
    await exchange.phone(PERSON).call()
    getattr(await exchange.phone(RESPONDER).rings(), gesture)()
    await subscriber.receives("/dialled", DialCallStatus=status, DialBridged="false")


async def test_a_caller_who_gives_up_stops_the_ringing(exchange: Exchange, subscriber: Subscriber) -> None:
    subscriber.answers["/voice"] = DIAL
    caller = await exchange.phone(PERSON).call()
    responder = await exchange.phone(RESPONDER).rings()
    await caller.hang_up()
    assert await responder.ends() is CallStatus.CANCELED
    assert subscriber.fields("/dialled") == []


async def test_the_first_of_several_to_answer_is_connected(exchange: Exchange, subscriber: Subscriber) -> None:
    second = "+15550199303"
    subscriber.answers["/voice"] = (
        f'<Dial callerId="{LINE}"><Number>{RESPONDER}</Number><Number>{second}</Number></Dial>'
    )
    caller = await exchange.phone(PERSON).call()
    one, two = await exchange.phone(RESPONDER).rings(), await exchange.phone(second).rings()
    two.answer()
    await caller.connected()
    assert await one.ends() is CallStatus.CANCELED
