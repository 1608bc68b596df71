"""<Dial>: what a caller who is put through gets, what the other phone is asked, and what comes back of both."""

import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest

from channels.messages import Address, Answer, ChannelName, Connect, DialOutcome, Expect, IncomingKind, NotKept
from tests.channel_bench import ANSWER, LINE, PERSON, REST, House, Post, serving, sign, twilio_request, way

CALL, LEG = "CA" + "1" * 32, "CA" + "2" * 32
RESPONDER = "+15551230099"
REFERENCE = "5f0c1a52-0000-4000-8000-000000000007"
BASE = "https://line.example/twilio/voice"
INSIST = "#rc=3&rp=5xx,ct,rt"
PUT_THROUGH = Answer(
    text="I am connecting you.",
    language="en",
    expect=Expect.TALK,
    connect=Connect(address=Address(channel=ChannelName.VOICE, value=RESPONDER), reference=REFERENCE, seconds=22),
)
WHISPER = Answer(text="A call. Press 1 to take it.", language="es")
JOIN = Answer(text="", language="es", expect=Expect.TALK)
CALLER = {"CallSid": CALL, "From": PERSON, "To": LINE, "CallStatus": "in-progress"}
RUNG = {"CallSid": LEG, "From": LINE, "To": RESPONDER, "CallStatus": "in-progress", "ParentCallSid": CALL}


@pytest.fixture
def house() -> House:
    return House(PUT_THROUGH)


@pytest.fixture
async def post(house: House) -> AsyncIterator[Post]:
    async with serving(way(ChannelName.VOICE).adapter, house) as posting:
        yield posting


async def asked(post: Post, path: str, form: Mapping[str, str]) -> ET.Element:
    """The TwiML for a signed form."""
    reply = await post(twilio_request(path, form))
    assert reply.status == 200, reply.text
    return ET.fromstring(reply.text)  # noqa: S314 - our own answer, not a stranger's


async def over(post: Post, **form: str) -> ET.Element:
    """The caller's step after <Dial>."""
    return await asked(post, f"/twilio/voice/step?n=5&ref={REFERENCE}", CALLER | form)


async def whisper(post: Post, number: int, **form: str) -> ET.Element:
    """What the phone that rang does."""
    return await asked(post, f"/twilio/voice/whisper?ref={REFERENCE}&n={number}", RUNG | form)


# The caller -------------------------------------------------------------------------------------------------------


async def test_a_caller_is_told_first_and_then_put_through_behind_the_lines_own_number(post: Post) -> None:
    document = await asked(post, "/twilio/voice/step?n=4", CALLER | {"Digits": "0"})
    assert [verb.tag for verb in document] == ["Say", "Dial"]
    (number,) = document[1]
    assert dict(document[1].attrib) == {
        "callerId": LINE,
        "answerOnBridge": "true",
        "timeout": "22",
        "action": f"{BASE}/step?n=5&ref={REFERENCE}{INSIST}",
        "method": "POST",
    }
    assert number.text == RESPONDER
    assert dict(number.attrib) == {
        "url": f"{BASE}/whisper?ref={REFERENCE}&n=1{INSIST}",
        "method": "POST",
        "statusCallback": f"{BASE}/status?ref={REFERENCE}",
        "statusCallbackEvent": "initiated ringing answered completed",
        "statusCallbackMethod": "POST",
    }


async def test_no_address_holds_a_number_and_nothing_is_recorded(post: Post) -> None:
    document = await asked(post, "/twilio/voice/step?n=4", CALLER | {"Digits": "0"})
    addresses = [value for verb in document.iter() for value in verb.attrib.values() if "://" in value]
    assert len(addresses) == 3
    assert not [a for a in addresses if PERSON.lstrip("+") in a or RESPONDER.lstrip("+") in a]
    assert "record" not in ET.tostring(document, encoding="unicode").lower()


def test_an_answer_that_connects_survives_storage_and_an_older_one_is_still_read() -> None:
    assert Answer.from_json(PUT_THROUGH.to_json()) == PUT_THROUGH
    older = {key: value for key, value in ANSWER.to_json().items() if key != "connect"}
    assert Answer.from_json(older) == ANSWER


def test_whom_is_rung_shows_in_no_repr() -> None:
    assert RESPONDER not in repr(PUT_THROUGH)


@pytest.mark.parametrize(
    ("form", "outcome"),
    [
        ({"DialCallStatus": "completed", "DialBridged": "true"}, DialOutcome.CONNECTED),
        ({"DialCallStatus": "answered", "DialBridged": "true"}, DialOutcome.CONNECTED),
        ({"DialCallStatus": "completed"}, DialOutcome.CONNECTED),
        ({"DialCallStatus": "completed", "DialBridged": "false"}, DialOutcome.NOT_TAKEN),
        ({"DialCallStatus": "busy", "DialBridged": "false"}, DialOutcome.BUSY),
        ({"DialCallStatus": "no-answer", "DialBridged": "false"}, DialOutcome.NO_ANSWER),
        ({"DialCallStatus": "failed"}, DialOutcome.FAILED),
        ({"DialCallStatus": "canceled"}, DialOutcome.CANCELED),
        ({"DialCallStatus": "something new"}, DialOutcome.FAILED),
        ({}, DialOutcome.FAILED),
    ],
)
async def test_whatever_the_provider_says_of_the_other_leg_the_caller_is_back_with_us(
    house: House, post: Post, form: Mapping[str, str], outcome: DialOutcome
) -> None:
    house.answer = ANSWER
    document = await over(post, DialCallSid=LEG, **form)
    (incoming,) = house.incoming
    assert (incoming.id, incoming.kind, incoming.text) == (f"{CALL}:5", IncomingKind.DIALLED, outcome)
    assert (incoming.address.value, incoming.reference) == (PERSON, REFERENCE)
    assert incoming.copies == (f"calls/{CALL}", f"calls/{LEG}")
    gather = document.find("Gather")
    assert gather is not None
    assert gather.get("action") == f"{BASE}/step?n=6"


async def test_a_caller_who_hung_up_meanwhile_is_put_through_to_nobody_else(house: House, post: Post) -> None:
    house.answer = None
    await over(post, CallStatus="completed", DialCallStatus="canceled", DialCallSid=LEG)
    (incoming,) = house.incoming
    assert (incoming.id, incoming.kind) == (f"{CALL}:end", IncomingKind.HANGUP)
    assert incoming.copies == (f"calls/{CALL}", f"calls/{LEG}")


@pytest.mark.parametrize("leg", ["", "../../x", "SM1", "CA" + "1" * 99])
async def test_what_is_no_leg_enters_no_ledger(house: House, post: Post, leg: str) -> None:
    house.answer = ANSWER
    await over(post, DialCallStatus="busy", DialCallSid=leg)
    assert house.incoming[0].copies == (f"calls/{CALL}",)


# The phone that rang ----------------------------------------------------------------------------------------------


async def test_whoever_picks_up_hears_the_whisper_twice_and_must_press_a_key(house: House, post: Post) -> None:
    house.answer = WHISPER
    document = await whisper(post, 1, Digits="1", SpeechResult="hello")
    (incoming,) = house.incoming
    assert (incoming.id, incoming.kind, incoming.text) == (f"{LEG}:whisper:1", IncomingKind.PICKED_UP, "")
    assert (incoming.address.value, incoming.reference) == (RESPONDER, REFERENCE)
    assert incoming.copies == (f"calls/{LEG}",)
    (gather,) = document
    assert dict(gather.attrib) == {
        "action": f"{BASE}/whisper?ref={REFERENCE}&n=2",
        "method": "POST",
        "input": "dtmf",  # a voicemail greeting must not pass for an answer
        "timeout": "5",
        "actionOnEmptyResult": "true",
        "numDigits": "1",
    }
    assert [child.tag for child in gather] == ["Say", "Pause", "Say"]


async def test_the_key_comes_to_us_and_only_our_answer_joins_them(house: House, post: Post) -> None:
    house.answer = JOIN
    document = await whisper(post, 2, Digits="1")
    (incoming,) = house.incoming
    assert (incoming.id, incoming.kind, incoming.text) == (f"{LEG}:whisper:2", IncomingKind.DIGITS, "1")
    assert list(document) == [], "an empty document: the provider joins both"
    assert house.deliveries == []


async def test_silence_after_the_whisper_ends_that_leg(house: House, post: Post) -> None:
    house.answer = REST
    document = await whisper(post, 2, Digits="")
    assert house.incoming[0].kind is IncomingKind.SILENCE
    assert document[-1].tag == "Hangup"


async def test_wrong_keys_are_asked_again_but_not_for_ever(house: House, post: Post) -> None:
    house.answer = WHISPER
    documents = [await whisper(post, number, Digits="5") for number in (2, 3, 4)]
    assert [document[0].tag for document in documents] == ["Gather", "Gather", "Hangup"]


@pytest.mark.parametrize(
    "path", [f"/twilio/voice/whisper?ref={REFERENCE}&n=2", f"/twilio/voice/step?n=5&ref={REFERENCE}"]
)
async def test_a_forged_request_joins_nobody_and_is_counted(house: House, post: Post, path: str) -> None:
    house.answer = JOIN
    form = RUNG | {"Digits": "1"}
    for signature in (sign(path, form, token="0" * 32), sign("/twilio/voice/whisper?ref=another&n=2", form), ""):
        assert (await post(twilio_request(path, form, signature))).status == 403
    assert house.incoming == []
    assert house.reasons == ["signature"] * 3


@pytest.mark.parametrize("query", ["?n=1", f"?ref={REFERENCE}", f"?ref={REFERENCE}&n=x"])
async def test_a_whisper_without_its_reference_or_step_is_malformed(house: House, post: Post, query: str) -> None:
    reply = await post(twilio_request(f"/twilio/voice/whisper{query}", RUNG))
    assert (reply.status, house.reasons) == (400, ["malformed"])


async def test_a_key_that_could_not_be_kept_joins_nobody(house: House, post: Post) -> None:
    house.failure = NotKept()
    reply = await post(twilio_request(f"/twilio/voice/whisper?ref={REFERENCE}&n=2", RUNG | {"Digits": "1"}))
    assert reply.status == 503


async def test_a_repeated_request_is_the_same_event(house: House, post: Post) -> None:
    house.answer = JOIN
    for _ in range(2):
        await whisper(post, 2, Digits="1")
    first, second = house.incoming
    assert first == second


async def test_words_before_joining_are_said_to_the_responder_alone(house: House, post: Post) -> None:
    house.answer = replace(JOIN, text="One moment.")
    document = await whisper(post, 2, Digits="1")
    assert [verb.tag for verb in document] == ["Say"]
