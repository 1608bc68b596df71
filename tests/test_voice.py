"""Calls: what a caller hears, what keys, words and silence become, and pages that wait for a key."""

import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest

from channels.messages import (
    Address,
    Answer,
    ChannelName,
    Choice,
    Delivery,
    DeliveryState,
    Expect,
    IncomingKind,
    NotKept,
    Outgoing,
    SendError,
    Utterance,
)
from channels.twilio import Twilio
from channels.voice import INLINE_LIMIT, Voice
from channels.voices import SPEAKERS, speaker_of
from tests.channel_bench import (
    ANSWER,
    LINE,
    PERSON,
    REST,
    House,
    Post,
    Provider,
    account,
    serving,
    sign,
    twilio_request,
    way,
)

CALL = "CA" + "1" * 32
BASE = "https://line.example/twilio/voice"


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def post(house: House) -> AsyncIterator[Post]:
    async with serving(way(ChannelName.VOICE).adapter, house) as posting:
        yield posting


async def calls(post: Post, path: str = "/twilio/voice", **more: str) -> ET.Element:
    """The TwiML that a call gets."""
    reply = await post(twilio_request(path, {"CallSid": CALL, "From": PERSON, "To": LINE, **more}))
    assert reply.status == 200, reply.text
    return ET.fromstring(reply.text)  # noqa: S314 - our own answer, not a stranger's


def gather(document: ET.Element) -> ET.Element:
    found = document.find("Gather")
    assert found is not None
    return found


def heard(document: ET.Element) -> list[str]:
    return [say.text or "" for say in document.iter("Say")]


# A caller ---------------------------------------------------------------------------------------------------------


async def test_a_caller_is_greeted_and_may_interrupt_by_key_or_word(house: House, post: Post) -> None:
    document = await calls(post)
    (incoming,) = house.incoming
    assert (incoming.id, incoming.kind, incoming.text) == (CALL, IncomingKind.STARTED, "")
    assert incoming.address == Address(channel=ChannelName.VOICE, value=PERSON)
    assert incoming.copies == (f"calls/{CALL}",)
    assert dict(gather(document).attrib) == {
        "action": f"{BASE}/step?n=1",
        "method": "POST",
        "input": "dtmf speech",
        "language": "en-US",
        "profanityFilter": "false",
        "actionOnEmptyResult": "true",
        "speechTimeout": "auto",
        "timeout": "10",
        "numDigits": "1",
    }
    # Inside <Gather>, so that a key stops the voice.
    assert [child.tag for child in gather(document)] == ["Say", "Say", "Say"]
    assert heard(document) == ["Is it safe to talk now?", "For yes, press 1.", "For no, press 2."]


@pytest.mark.parametrize(
    ("form", "kind", "text"),
    [
        ({"Digits": "2"}, IncomingKind.DIGITS, "2"),
        ({"Digits": "1", "SpeechResult": "yes"}, IncomingKind.DIGITS, "1"),
        ({"SpeechResult": "they locked the door", "Confidence": "0.9"}, IncomingKind.SPEECH, "they locked the door"),
        ({}, IncomingKind.SILENCE, ""),
        ({"Digits": "", "SpeechResult": ""}, IncomingKind.SILENCE, ""),
    ],
)
async def test_keys_words_and_silence_become_events_numbered_by_step(
    house: House, post: Post, form: Mapping[str, str], kind: IncomingKind, text: str
) -> None:
    document = await calls(post, "/twilio/voice/step?n=4", **form)
    (incoming,) = house.incoming
    assert (incoming.id, incoming.kind, incoming.text) == (f"{CALL}:4", kind, text)
    assert gather(document).get("action") == f"{BASE}/step?n=5"


async def test_the_step_cannot_be_changed_without_the_signature(house: House, post: Post) -> None:
    form = {"CallSid": CALL, "From": PERSON, "Digits": "1"}
    reply = await post(twilio_request("/twilio/voice/step?n=9", form, sign("/twilio/voice/step?n=1", form)))
    assert (reply.status, house.incoming) == (403, [])


@pytest.mark.parametrize("query", ["", "?n=", "?n=x", "?n=-1", "?n=%D9%A3", "?n=1234567", "?n=1.5"])
async def test_a_step_without_a_number_is_malformed(house: House, post: Post, query: str) -> None:
    reply = await post(twilio_request(f"/twilio/voice/step{query}", {"CallSid": CALL, "From": PERSON}))
    assert (reply.status, house.reasons) == (400, ["malformed"])


async def test_a_code_is_typed_until_the_hash_key(house: House, post: Post) -> None:
    house.answer = replace(ANSWER, expect=Expect.CODE)
    attributes = gather(await calls(post)).attrib
    assert attributes["finishOnKey"] == "#"
    assert "numDigits" not in attributes


async def test_where_words_are_expected_one_key_still_works_at_once(house: House, post: Post) -> None:
    """Otherwise whoever presses 0 for a human, or 9 to skip, would wait for the whole time-out."""
    house.answer = replace(ANSWER, choices=())
    attributes = gather(await calls(post)).attrib
    assert (attributes["numDigits"], attributes["input"]) == ("1", "dtmf speech")
    assert attributes["speechTimeout"] == "4", "a story has pauses"


async def test_whoever_asks_for_it_hears_everything_slowly(house: House, post: Post) -> None:
    house.answer = replace(ANSWER, slow=True)
    document = await calls(post)
    rates = [(say.find("prosody").get("rate"), say.find("prosody").text) for say in document.iter("Say")]  # type: ignore[union-attr]  # a test that fails here shows it
    assert rates == [("75%", "Is it safe to talk now?"), ("75%", "For yes, press 1."), ("75%", "For no, press 2.")]
    assert len(list(document.iter("Pause"))) == len(rates), "and a breath after each"


async def test_whoever_was_silent_is_given_more_time(house: House, post: Post) -> None:
    house.answer = replace(ANSWER, patience=40)
    assert gather(await calls(post)).get("timeout") == "40"


async def test_recordings_are_played_and_what_has_none_is_read(house: House, post: Post) -> None:
    spoken = (Utterance(recording="/voice/abc.wav"), Utterance(), Utterance(text="Words.", language="es"))
    house.answer = replace(ANSWER, aloud=spoken)
    parts = gather(await calls(post))
    assert [part.tag for part in parts] == ["Play", "Pause", "Say"]
    assert (parts[0].text, parts[2].get("language")) == ("https://line.example/voice/abc.wav", "es-US")


@pytest.mark.parametrize("answer", [REST, None])
async def test_the_call_ends_when_nothing_more_is_expected(house: House, post: Post, answer: Answer | None) -> None:
    house.answer = answer
    document = await calls(post)
    assert document.find("Gather") is None
    assert document[-1].tag == "Hangup"
    assert heard(document) == ([answer.text] if answer else [])


async def test_a_choice_without_spoken_words_is_offered_by_key_and_label(house: House, post: Post) -> None:
    house.answer = replace(ANSWER, choices=(Choice(id="a", key="1", label="Yes"),))
    assert heard(await calls(post))[1] == "1 Yes"


async def test_a_long_text_is_said_whole_in_pieces_twilio_takes(house: House, post: Post) -> None:
    words = "One sentence of many. " * 500
    house.answer = replace(REST, text=words)
    said = heard(await calls(post))
    assert all(len(piece) <= 4096 for piece in said)
    assert " ".join(said).split() == words.split()


async def test_nothing_is_recorded(house: House, post: Post) -> None:
    text = ET.tostring(await calls(post), encoding="unicode")
    assert "Record" not in text
    assert "record" not in text


@pytest.mark.parametrize(
    "number",
    ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253", "266696687", "Anonymous", "", "sip:a@b"],
)
async def test_two_callers_who_hide_their_numbers_do_not_share_an_address(
    house: House, post: Post, number: str
) -> None:
    for sid in ("CA1", "CA2"):
        await calls(post, CallSid=sid, From=number)
    assert [incoming.address.value for incoming in house.incoming] == ["call:CA1", "call:CA2"]


async def test_a_caller_who_hid_the_number_cannot_be_called_back() -> None:
    to = Address(channel=ChannelName.VOICE, value="call:CA1")
    with pytest.raises(SendError) as caught:
        await way(ChannelName.VOICE).adapter.send(Outgoing(address=to, answer=ANSWER, reference="r"))
    assert (caught.value.retry, "hid their number" in caught.value.say) == (False, True)


async def test_a_caller_is_told_what_could_not_be_kept(house: House, post: Post) -> None:
    house.failure = NotKept(replace(REST, text="Please call again in a minute."))
    assert heard(await calls(post, "/twilio/voice/step?n=1", Digits="1")) == ["Please call again in a minute."]


# Languages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "says", "hears"),
    [
        ("es", "es-US", "es-US"),
        ("fr", "fr-FR", "fr-FR"),
        ("ar", "arb", "ar-EG"),
        ("hi", "hi-IN", "hi-IN"),
        ("zh", "cmn-CN", "cmn-Hans-CN"),
        ("pt-PT", "pt-PT", "pt-PT"),
        ("es-AR", "es-US", "es-US"),
        ("uk", "uk-UA", "uk-UA"),
        ("zh-Hant", "cmn-CN", "cmn-Hans-CN"),
    ],
)
async def test_every_language_is_said_and_heard_as_itself(
    house: House, post: Post, tag: str, says: str, hears: str
) -> None:
    house.answer = replace(ANSWER, language=tag)
    document = await calls(post)
    assert {say.get("language") for say in document.iter("Say")} == {says}
    assert gather(document).get("language") == hears
    assert house.refusals == []


async def test_a_language_without_a_voice_is_not_spoken_in_silence(house: House, post: Post) -> None:
    house.answer = replace(ANSWER, language="am")
    document = await calls(post)
    assert house.refusals == [(ChannelName.VOICE, "no_voice")]
    assert gather(document).get("input") == "dtmf"
    assert not Voice.speaks("am")
    assert Voice.speaks("ar")


async def test_a_language_that_is_not_heard_is_asked_by_keypad_only(house: House, post: Post) -> None:
    house.answer = replace(ANSWER, language="ht")
    attributes = gather(await calls(post)).attrib
    assert attributes["input"] == "dtmf"
    assert "language" not in attributes


def test_a_voice_speaks_the_language_it_is_listed_for() -> None:
    for tag, speaker in SPEAKERS.items():
        provider, _, name = speaker.voice.partition(".")
        assert provider in {"Polly", "Google"}
        assert provider == "Polly" or name.startswith(speaker.says), tag
    assert speaker_of("xx") is None


# A page -----------------------------------------------------------------------------------------------------------

PAGE = replace(
    ANSWER, text="Case K7. Level: emergency.", choices=(Choice(id="ack", key="1", label="Mine", spoken="Press 1."),)
)
DIALLED = {"From": LINE, "To": PERSON}


async def test_a_page_is_said_twice_and_waits_for_one_key() -> None:
    async with Provider().running() as provider:
        twilio = Twilio(account(provider.url))
        to = Address(channel=ChannelName.VOICE, value=PERSON)
        receipt = await Voice(twilio, LINE).send(Outgoing(address=to, answer=PAGE, reference="page-7"))
        await twilio.close()
    (asked,) = provider.asked
    assert receipt.id == "CA" + "b" * 32
    assert (asked.get("To"), asked.get("From"), asked.get("Record")) == (PERSON, LINE, "")
    assert asked.get("StatusCallback") == f"{BASE}/status?ref=page-7"
    events = [value for name, value in asked.form if name == "StatusCallbackEvent"]
    assert events == ["initiated", "ringing", "answered", "completed"]
    twiml = asked.get("Twiml")
    assert len(twiml) <= INLINE_LIMIT
    keys = gather(ET.fromstring(twiml))  # noqa: S314 - our own page, not a stranger's
    assert (keys.get("action"), keys.get("numDigits")) == (f"{BASE}/page?ref=page-7&n=1", "1")
    assert keys.get("input") == "dtmf"  # a voicemail greeting must not pass for an answer
    assert [child.tag for child in keys] == ["Say", "Say", "Pause", "Say", "Say"]
    assert heard(keys) == ["Case K7. Level: emergency.", "Press 1."] * 2


async def test_a_key_on_a_page_is_proof_that_a_human_was_reached(house: House, post: Post) -> None:
    house.answer = REST
    document = await calls(post, "/twilio/voice/page?ref=page-7&n=1", Digits="1", **DIALLED)
    (incoming,) = house.incoming
    assert (incoming.id, incoming.kind, incoming.text) == (f"{CALL}:page:1", IncomingKind.DIGITS, "1")
    assert (incoming.address.value, incoming.reference) == (PERSON, "page-7")
    copy = f"calls/{CALL}"
    assert house.deliveries == [Delivery(reference="page-7", state=DeliveryState.ANSWERED, copy=copy)]
    assert document[-1].tag == "Hangup"


async def test_silence_on_a_page_reaches_nobody(house: House, post: Post) -> None:
    await calls(
        post, "/twilio/voice/page?ref=page-7&n=1", SpeechResult="please leave a message", **DIALLED | {"Digits": ""}
    )
    assert house.deliveries == []


async def test_a_wrong_key_on_a_page_is_asked_again(house: House, post: Post) -> None:
    house.answer = PAGE
    keys = gather(await calls(post, "/twilio/voice/page?ref=page-7&n=1", Digits="5", **DIALLED))
    assert keys.get("action") == f"{BASE}/page?ref=page-7&n=2"
    assert keys.get("input") == "dtmf"


async def test_a_key_that_could_not_be_kept_is_not_called_answered(house: House, post: Post) -> None:
    house.failure = NotKept()
    form = {"CallSid": CALL, "Digits": "1", **DIALLED}
    reply = await post(twilio_request("/twilio/voice/page?ref=page-7&n=1", form))
    assert (reply.status, house.deliveries) == (503, [])


async def test_a_page_without_its_reference_is_malformed(house: House, post: Post) -> None:
    reply = await post(twilio_request("/twilio/voice/page?n=1", {"CallSid": CALL, "Digits": "1", **DIALLED}))
    assert (reply.status, house.reasons) == (400, ["malformed"])
