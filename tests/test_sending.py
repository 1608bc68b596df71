"""What every channel owes when it sends: one bench of a provider that takes, throttles, refuses, fails and is silent.

Then what only Twilio has: delivery news, and deletion of the copies it keeps.
"""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from channels.messages import Address, ChannelName, Delivery, DeliveryState, IncomingKind, Outgoing, SendError
from channels.refusals import RULES
from channels.twilio import Twilio
from channels.voice import Voice
from tests.channel_bench import (
    ANSWER,
    BOT_TOKEN,
    CHAT,
    LINE,
    PERSON,
    SID,
    TOKEN,
    House,
    Provider,
    Way,
    account,
    serving,
    twilio_request,
    way,
)

ERRORS = "https://www.twilio.com/docs/errors/"


def twilio_error(code: int, status: int = 400, words: str = f"about {PERSON}") -> tuple[int, dict[str, object]]:
    """An error as Twilio documents it, with the number in its message."""
    return status, {"code": code, "message": words, "more_info": f"{ERRORS}{code}", "status": status}


def telegram_error(code: int, words: str, **parameters: int) -> tuple[int, dict[str, object]]:
    """An error as Telegram documents it."""
    body: dict[str, object] = {"ok": False, "error_code": code, "description": words}
    return code, {**body, "parameters": parameters} if parameters else body


def outgoing(line: Way, text: str = ANSWER.text) -> Outgoing:
    value = str(CHAT) if line.channel is ChannelName.TELEGRAM else PERSON
    address = Address(channel=line.channel, value=value)
    return Outgoing(address=address, answer=replace(ANSWER, text=text), reference="page-7")


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().running() as running:
        yield running


@pytest.fixture(params=list(ChannelName))
async def line(request: pytest.FixtureRequest, provider: Provider) -> AsyncIterator[Way]:
    built = way(request.param, provider.url, seconds=0.5)
    yield built
    await close(built)


async def close(line: Way) -> None:
    """Give back connections, whichever adapter it is."""
    owner: Any = getattr(line.adapter, "_twilio", line.adapter)
    await owner.close()


async def refused(line: Way) -> SendError:
    """Send, and return the error that has to come."""
    with pytest.raises(SendError) as caught:
        await line.adapter.send(outgoing(line))
    return caught.value


# The bench --------------------------------------------------------------------------------------------------------


async def test_a_message_is_handed_over_once_and_its_id_comes_back(line: Way, provider: Provider) -> None:
    receipt = await line.adapter.send(outgoing(line))
    assert receipt.state is DeliveryState.ACCEPTED
    assert receipt.id in {"SM" + "b" * 32, "CA" + "b" * 32, "321"}
    (asked,) = provider.asked
    assert asked.method == "POST"
    assert asked.get("To") == PERSON or asked.get("chat_id") == str(CHAT)


async def test_a_throttled_message_may_be_tried_again_after_a_while(line: Way, provider: Provider) -> None:
    if line.channel is ChannelName.TELEGRAM:
        provider.next(*telegram_error(429, "Too Many Requests: retry after 7", retry_after=7))
    else:
        provider.next(*twilio_error(20429, 429, "Too Many Requests"))
    error = await refused(line)
    assert (error.code, error.retry) == ((429 if line.channel is ChannelName.TELEGRAM else 20429), True)
    assert error.after
    assert error.after >= 1
    assert len(provider.asked) == 1  # no tries of its own: the job decides


PERMANENT = [
    (ChannelName.SMS, twilio_error(21610), 21610),
    (ChannelName.SMS, twilio_error(21211), 21211),
    (ChannelName.SMS, twilio_error(21614), 21614),
    (ChannelName.SMS, twilio_error(21408), 21408),
    (ChannelName.SMS, twilio_error(20003, 401), 20003),
    (ChannelName.SMS, twilio_error(29999), 29999),
    (ChannelName.VOICE, twilio_error(21217), 21217),
    (ChannelName.VOICE, twilio_error(21215), 21215),
    (ChannelName.TELEGRAM, telegram_error(403, "Forbidden: bot was blocked by the user"), 403),
    (ChannelName.TELEGRAM, telegram_error(400, "Bad Request: chat not found"), 400),
    (ChannelName.TELEGRAM, telegram_error(401, "Unauthorized"), 401),
    (ChannelName.TELEGRAM, telegram_error(400, "Bad Request: upgraded", migrate_to_chat_id=-100), 400),
]


@pytest.mark.parametrize(("channel", "answer", "code"), PERMANENT, ids=[f"{one[0]} {one[2]}" for one in PERMANENT])
async def test_a_message_that_can_never_arrive_is_not_tried_again(
    channel: ChannelName, answer: tuple[int, object], code: int, provider: Provider
) -> None:
    line = way(channel, provider.url)
    provider.next(*answer)
    error = await refused(line)
    await close(line)
    assert (error.code, error.retry) == (code, False)
    assert error.say.endswith(".")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"status": 500, "message": "Internal Server Error"}),
        (502, "<html>Bad Gateway</html>"),
        (503, ""),
        (200, "<html>sign in to the Wi-Fi</html>"),
        (200, "[]"),
        (200, '{"ok": true, "result": {}}'),
    ],
)
async def test_a_provider_with_a_fault_of_its_own_is_tried_again(
    line: Way, provider: Provider, status: int, body: object
) -> None:
    provider.next(status, body)
    error = await refused(line)
    assert (error.code, error.retry) == (None, True)


async def test_a_provider_that_does_not_answer_in_time_is_tried_again(line: Way, provider: Provider) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(3)
        return web.Response()

    provider.scripted.append(hang)
    before = asyncio.get_running_loop().time()
    error = await refused(line)
    assert (error.code, error.retry) == (None, True)
    assert asyncio.get_running_loop().time() - before < 2


async def test_a_provider_that_is_gone_is_tried_again() -> None:
    for channel in ChannelName:
        line = way(channel, "http://127.0.0.1:1")
        error = await refused(line)
        await close(line)
        assert (error.code, error.retry) == (None, True)


async def test_an_error_quotes_neither_number_nor_words_nor_token(line: Way, provider: Provider) -> None:
    words = f"CANARY {PERSON} {CHAT} {ANSWER.text}"
    telegram = line.channel is ChannelName.TELEGRAM
    provider.next(*(telegram_error(400, f"Bad Request: {words}") if telegram else twilio_error(21211, 400, words)))
    error = await refused(line)
    told = "".join(traceback.format_exception(error)) + repr(error) + error.say
    assert error.__context__ is None
    assert not [secret for secret in (PERSON, str(CHAT), "CANARY", TOKEN, BOT_TOKEN) if secret in told]


async def test_sending_writes_neither_number_nor_words_nor_token_to_the_log(
    line: Way, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await line.adapter.send(outgoing(line, "CANARYwords"))
    provider.next(400, "CANARYbody")
    await refused(line)
    provider.next(200, "CANARYbody")
    await refused(line)
    text = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    secrets = (PERSON, str(CHAT), "CANARY", TOKEN, SID, BOT_TOKEN, "bot-token")
    assert not [secret for secret in secrets if secret in text]


async def test_the_client_keeps_nothing_of_what_it_sent(provider: Provider) -> None:
    line = way(ChannelName.SMS, provider.url)
    await line.adapter.send(outgoing(line, "CANARYwords"))
    http = line.adapter._twilio._http  # type: ignore[attr-defined]  # what it remembers is the point
    assert (http._test_only_last_request, http._test_only_last_response) == (None, None)
    await close(line)


# Twilio alone -----------------------------------------------------------------------------------------------------


def test_every_error_number_has_a_sentence_for_staff() -> None:
    wanted = {21211, 21408, 21610, 21614, 21617, 30003, 30005, 30006, 30007, 20429, 20003}
    assert wanted <= set(RULES)
    assert all(rule.say.endswith(".") and "!" not in rule.say for rule in RULES.values())


async def test_a_text_asks_for_delivery_news_with_our_reference(provider: Provider) -> None:
    line = way(ChannelName.SMS, provider.url)
    await line.adapter.send(outgoing(line))
    (asked,) = provider.asked
    assert asked.path == f"/2010-04-01/Accounts/{SID}/Messages.json"
    assert asked.get("StatusCallback") == "https://line.example/twilio/status?ref=page-7"
    assert (asked.get("From"), asked.get("Body")) == (LINE, "Is it safe to talk now?\n1 Yes\n2 No")
    await close(line)


async def test_a_text_too_long_for_one_message_goes_out_whole_in_several(provider: Provider) -> None:
    line = way(ChannelName.SMS, provider.url)
    words = " ".join(f"word{number}" for number in range(400))
    await line.adapter.send(outgoing(line, words))
    bodies = [asked.get("Body") for asked in provider.asked]
    assert all(len(body) <= 1600 for body in bodies)
    assert " ".join(bodies).split() == [*words.split(), "1", "Yes", "2", "No"]
    status = "https://line.example/twilio/status"
    assert [asked.get("StatusCallback") for asked in provider.asked] == [status, f"{status}?ref=page-7"]
    await close(line)


async def test_an_answer_on_whatsapp_comes_from_whatsapp(provider: Provider) -> None:
    line = way(ChannelName.SMS, provider.url)
    to = Address(channel=ChannelName.SMS, value=f"whatsapp:{PERSON}")
    await line.adapter.send(replace(outgoing(line), address=to))
    assert provider.asked[0].get("From") == f"whatsapp:{LINE}"
    await close(line)


NEWS = [
    ("queued", DeliveryState.ACCEPTED),
    ("sent", DeliveryState.SENT),
    ("delivered", DeliveryState.DELIVERED),
    ("read", DeliveryState.DELIVERED),
    ("undelivered", DeliveryState.FAILED),
    ("failed", DeliveryState.FAILED),
]


@pytest.mark.parametrize(("status", "state"), NEWS)
async def test_news_of_a_text_is_reported_with_its_reference(status: str, state: DeliveryState) -> None:
    house, line = House(), way(ChannelName.SMS)
    form = {"MessageSid": "SM1", "MessageStatus": status, "To": PERSON, "ErrorCode": "30003"}
    async with serving(line.adapter, house) as post:
        assert (await post(twilio_request("/twilio/status?ref=page-7", form))).status == 204
    assert house.deliveries == [Delivery(reference="page-7", state=state, error=30003, copy="messages/SM1")]
    assert PERSON not in repr(house.deliveries)


CALLS = [
    ("initiated", DeliveryState.ACCEPTED),
    ("ringing", DeliveryState.SENT),
    ("in-progress", DeliveryState.SENT),
    ("completed", DeliveryState.SENT),
    ("no-answer", DeliveryState.FAILED),
    ("busy", DeliveryState.FAILED),
    ("failed", DeliveryState.FAILED),
    ("canceled", DeliveryState.FAILED),
]


@pytest.mark.parametrize("path", ["/twilio/status", "/twilio/voice/status"])
@pytest.mark.parametrize(("status", "state"), CALLS)
async def test_a_call_that_was_picked_up_has_not_reached_anybody_yet(
    status: str, state: DeliveryState, path: str
) -> None:
    house, line = House(), way(ChannelName.VOICE if "voice" in path else ChannelName.SMS)
    form = {"CallSid": "CA1", "CallStatus": status, "To": PERSON}
    async with serving(line.adapter, house) as post:
        assert (await post(twilio_request(f"{path}?ref=page-7", form))).status == 204
    assert house.deliveries == [Delivery(reference="page-7", state=state, copy="calls/CA1")]
    assert house.incoming == []


@pytest.mark.parametrize("path", ["/twilio/status", "/twilio/voice/status"])
async def test_a_caller_who_hangs_up_is_heard_once_the_call_is_over(path: str) -> None:
    house, line = House(None), way(ChannelName.VOICE if "voice" in path else ChannelName.SMS)
    async with serving(line.adapter, house) as post:
        for status in ("ringing", "in-progress", "completed"):
            form = {"CallSid": "CA1", "CallStatus": status, "From": PERSON}
            assert (await post(twilio_request(path, form))).status == 204
    (incoming,) = house.incoming
    assert (incoming.id, incoming.kind) == ("CA1:end", IncomingKind.HANGUP)
    assert incoming.address == Address(channel=ChannelName.VOICE, value=PERSON)
    assert house.deliveries == []


async def test_unknown_news_changes_nothing() -> None:
    house, line = House(), way(ChannelName.SMS)
    async with serving(line.adapter, house) as post:
        reply = await post(twilio_request("/twilio/status?ref=x", {"MessageSid": "SM1", "MessageStatus": "dreaming"}))
    assert (reply.status, house.deliveries) == (204, [])


@pytest.mark.parametrize(
    ("copy", "path"),
    [
        ("messages/SM1", "Messages/SM1"),
        ("messages/MM1/media/ME2", "Messages/MM1/Media/ME2"),
        ("calls/CA1", "Calls/CA1"),
        ("recordings/RE1", "Recordings/RE1"),
    ],
)
async def test_a_copy_is_gone_only_when_twilio_no_longer_finds_it(copy: str, path: str, provider: Provider) -> None:
    line = way(ChannelName.SMS, provider.url)
    if copy in FIRST:
        provider.next(200, {"recordings": []} if copy.startswith("calls/") else {"sid": "SM1", "num_media": "0"})
    provider.next(204, "")
    provider.next(*twilio_error(20404, 404, "not found"))
    assert await line.adapter.erase_copy(copy) is True
    address = f"/2010-04-01/Accounts/{SID}/{path}.json"
    asked = [(asked.method, asked.path) for asked in provider.asked]
    assert asked[-2:] == [("DELETE", address), ("GET", address)]
    assert asked[:-2] == ([first] if (first := FIRST.get(copy)) else [])
    await close(line)


FIRST = {
    "messages/SM1": ("POST", f"/2010-04-01/Accounts/{SID}/Messages/SM1.json"),  # its words are emptied
    "calls/CA1": ("GET", f"/2010-04-01/Accounts/{SID}/Calls/CA1/Recordings.json"),
}


async def test_a_copy_that_is_still_there_is_not_called_gone(provider: Provider) -> None:
    line = way(ChannelName.SMS, provider.url)
    provider.next(200, {"sid": "SM1", "body": "", "num_media": "0"})
    provider.next(204, "")
    provider.next(200, {"sid": "SM1", "body": "still here"})
    assert await line.adapter.erase_copy("messages/SM1") is False
    await close(line)


async def test_a_copy_that_was_deleted_before_is_gone(provider: Provider) -> None:
    line = way(ChannelName.VOICE, provider.url)
    provider.next(*twilio_error(20404, 404))
    provider.next(*twilio_error(20404, 404))
    assert await line.adapter.erase_copy("calls/CA1") is True
    await close(line)


async def test_a_copy_that_twilio_is_still_using_is_tried_again_later(provider: Provider) -> None:
    line = way(ChannelName.SMS, provider.url)
    provider.next(*twilio_error(20009, 409))
    with pytest.raises(SendError) as caught:
        await line.adapter.erase_copy("messages/SM1")
    assert (caught.value.code, caught.value.retry, caught.value.after) == (20009, True, 60)
    await close(line)


@pytest.mark.parametrize("copy", ["", "messages/", "messages/../../x", "telegram/5", "messages/SM1?x=1", "calls/CA1/"])
async def test_no_copy_can_name_anything_else_at_twilio(copy: str, provider: Provider) -> None:
    line = way(ChannelName.SMS, provider.url)
    with pytest.raises(SendError):
        await line.adapter.erase_copy(copy)
    assert provider.asked == []


async def test_a_page_too_long_for_a_call_is_refused_before_it_is_made(provider: Provider) -> None:
    voice = Voice(Twilio(account(provider.url)), LINE)
    with pytest.raises(SendError) as caught:
        await voice.send(outgoing(Way(ChannelName.VOICE, voice), "word " * 1000))
    assert caught.value.retry is False
    assert provider.asked == []
