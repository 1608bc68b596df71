"""Texts: whose signature counts, what a text becomes, and how an answer is written."""

import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from channels.messages import Address, Answer, ChannelName, Choice, Incoming, IncomingKind
from channels.segments import segments
from channels.sms import Sms, render
from channels.twilio import Twilio, TwilioAccount
from tests.channel_bench import (
    ANSWER,
    DROPPED,
    LINE,
    PERSON,
    SID,
    TOKEN,
    House,
    Post,
    serving,
    sign,
    twilio_request,
    way,
)

PATH = "/twilio/messages"
FORM = {"MessageSid": "SM1", "From": PERSON, "To": LINE, "Body": "help", "NumMedia": "0"}


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def post(house: House) -> AsyncIterator[Post]:
    async with serving(way(ChannelName.SMS).adapter, house) as posting:
        yield posting


def messages(twiml: str) -> list[str]:
    document = ET.fromstring(twiml)  # noqa: S314 - our own answer, not a stranger's
    assert document.tag == "Response"
    return [item.text or "" for item in document.findall("Message")]


# Signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public_url", "signed_for", "status"),
    [
        ("https://line.example", "https://line.example", 200),
        ("https://line.example", "https://line.example:443", 200),
        ("https://line.example:8443", "https://line.example", 200),
        ("https://line.example:8443/", "https://line.example:8443", 200),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", 200),
        ("https://line.example/hotline", "https://line.example/hotline", 200),
        ("https://line.example", "http://line.example", 403),
        ("https://line.example", "https://line.example:8443", 403),
        ("https://line.example", "https://other.example", 403),
        ("https://line.example", "http://127.0.0.1", 403),
    ],
)
async def test_a_signature_counts_for_the_public_address_only(
    house: House, public_url: str, signed_for: str, status: int
) -> None:
    account = TwilioAccount(sid=SID, auth_token=TOKEN, public_url=public_url)
    async with serving(Sms(Twilio(account), LINE), house) as post:
        assert (await post(twilio_request(PATH, FORM, sign(PATH, FORM, signed_for)))).status == status


@pytest.mark.parametrize("change", [{"Body": "other"}, {"From": "+15551239999"}, {"Extra": "x"}, {"MessageSid": "SM2"}])
async def test_a_changed_field_breaks_the_signature(house: House, post: Post, change: dict[str, str]) -> None:
    reply = await post(twilio_request(PATH, FORM | change, sign(PATH, FORM)))
    assert (reply.status, house.incoming) == (403, [])


async def test_a_changed_query_breaks_the_signature(house: House, post: Post) -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    reply = await post(twilio_request("/twilio/status?ref=b", form, sign("/twilio/status?ref=a", form)))
    assert (reply.status, house.deliveries) == (403, [])


async def test_a_refusal_tells_the_operator_what_to_check(post: Post) -> None:
    reply = await post(twilio_request(PATH, FORM, "x"))
    assert reply.text == "This request is not signed for this line. Check PUBLIC_URL and the auth token."


def test_the_account_shows_none_of_its_secrets() -> None:
    account = TwilioAccount(sid=SID, auth_token=TOKEN, public_url="https://line.example")
    assert repr(account) == "TwilioAccount()"


# What came in -----------------------------------------------------------------------------------------------------


async def test_a_text_becomes_words_from_a_number(house: House, post: Post) -> None:
    assert (await post(twilio_request(PATH, FORM | DROPPED))).status == 200
    address = Address(channel=ChannelName.SMS, value=PERSON)
    assert house.incoming == [
        Incoming(id="SM1", address=address, kind=IncomingKind.TEXT, text="help", copies=("messages/SM1",))
    ]


async def test_pictures_are_named_but_not_fetched_and_their_copies_are_known(house: House, post: Post) -> None:
    link = f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages/MM1/Media/ME7"
    form = {**FORM, "MessageSid": "MM1", "Body": "", "NumMedia": "2", "MediaUrl0": link, "MediaUrl1": "https://x/y"}
    await post(twilio_request(PATH, form | {"MediaContentType0": "image/jpeg"}))
    (incoming,) = house.incoming
    assert (incoming.kind, incoming.text) == (IncomingKind.ATTACHMENT, "")
    assert incoming.media == (link, "https://x/y")
    assert incoming.copies == ("messages/MM1", "messages/MM1/media/ME7")


@pytest.mark.parametrize(
    ("body", "order", "kind"),
    [
        *((word, "", IncomingKind.BLOCKED) for word in ("STOP", "stop ", "Quit", "end", "CANCEL", "optout", "Revoke")),
        ("arret", "STOP", IncomingKind.BLOCKED),  # a word of the account's own
        ("START", "START", IncomingKind.STARTED),
        ("unstop", "", IncomingKind.STARTED),
        ("YES", "START", IncomingKind.TEXT),  # it answers whether it is safe, first of all
        ("HELP", "HELP", IncomingKind.TEXT),  # whoever writes this needs help
        ("INFO", "HELP", IncomingKind.TEXT),
        ("please make him stop", "", IncomingKind.TEXT),
        ("STOP IT", "", IncomingKind.TEXT),
    ],
)
async def test_a_carrier_s_word_is_an_order_to_the_carrier_when_it_stands_alone(
    house: House, post: Post, body: str, order: str, kind: IncomingKind
) -> None:
    await post(twilio_request(PATH, {**FORM, "Body": body, **({"OptOutType": order} if order else {})}))
    assert [incoming.kind for incoming in house.incoming] == [kind]


# What is answered -------------------------------------------------------------------------------------------------


async def test_an_answer_is_the_words_then_one_line_for_each_choice(post: Post) -> None:
    reply = await post(twilio_request(PATH, FORM))
    assert messages(reply.text) == ["Is it safe to talk now?\n1 Yes\n2 No"]


async def test_the_copy_of_our_answer_is_reported_so_that_it_can_be_deleted(house: House, post: Post) -> None:
    reply = await post(twilio_request(PATH, FORM))
    assert 'statusCallback="https://line.example/twilio/status"' in reply.text
    await post(twilio_request("/twilio/status", {"MessageSid": "SM2", "MessageStatus": "delivered"}))
    (delivery,) = house.deliveries
    assert (delivery.reference, delivery.copy) == ("", "messages/SM2")


async def test_nothing_to_say_is_an_empty_answer(house: House, post: Post) -> None:
    house.answer = None
    assert messages((await post(twilio_request(PATH, FORM))).text) == []


async def test_a_long_answer_goes_out_whole_in_messages_twilio_takes(house: House, post: Post) -> None:
    words = " ".join(f"слово{number}" for number in range(500))
    house.answer = replace(ANSWER, text=words, choices=())
    parts = messages((await post(twilio_request(PATH, FORM))).text)
    assert all(0 < len(part) <= 1600 for part in parts)
    assert " ".join(parts) == words


async def test_an_answer_with_bytes_that_xml_cannot_carry_is_still_xml(house: House, post: Post) -> None:
    house.answer = replace(ANSWER, text="a\x00b\ud800c<&>", choices=())
    assert messages((await post(twilio_request(PATH, FORM))).text) == ["ab\ufffdc<&>"]


def test_curly_quotes_do_not_double_the_price() -> None:
    (text,) = render(replace(ANSWER, text="You don’t have to answer – “skip” is fine. " + "x" * 100))
    assert segments(text).segments == 1


def test_a_choice_without_a_key_is_offered_by_its_label() -> None:
    answer = Answer(text="Language?", language="en", choices=(Choice(id="l:ar", key="", label="العربية"),))
    assert render(answer) == ("Language?\nالعربية",)
