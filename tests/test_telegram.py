"""Telegram: what an update becomes, buttons, messages, deletion, and polling that loses nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from channels.messages import Address, Answer, ChannelName, Choice, Incoming, IncomingKind, NotKept, Outgoing, SendError
from channels.telegram import Erased, Telegram
from tests.channel_bench import (
    ANSWER,
    BOT_TOKEN,
    CHAT,
    SECRET,
    House,
    Provider,
    message,
    press,
    serving,
    telegram_request,
)
from tests.test_sending import telegram_error

TO = Address(channel=ChannelName.TELEGRAM, value=str(CHAT))


@pytest.fixture
def house() -> House:
    return House(None)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().running() as running:
        yield running


@pytest.fixture
async def bot(provider: Provider) -> AsyncIterator[Telegram]:
    adapter = Telegram(BOT_TOKEN, SECRET, api_url=provider.url, seconds=0.5, pauses=(0.01,))
    yield adapter
    await adapter.close()


async def takes(bot: Telegram, house: House, update: object) -> int:
    async with serving(bot, house) as post:
        return (await post(telegram_request(update))).status


def methods(provider: Provider) -> list[str]:
    return [asked.path.rsplit("/", 1)[-1] for asked in provider.asked]


# What came in -----------------------------------------------------------------------------------------------------

SIZES = [{"file_id": "small", "width": 90}, {"file_id": "large", "width": 1280}]
FILE = {"file_id": "F1", "file_name": "CANARYname.pdf", "mime_type": "x/y"}
Content = tuple[str, dict[str, Any], IncomingKind, str, tuple[str, ...]]
CONTENTS: list[Content] = [
    ("words", {"text": "help me"}, IncomingKind.TEXT, "help me", ()),
    ("start", {"text": "/start"}, IncomingKind.STARTED, "", ()),
    ("start with a payload", {"text": "/start CANARY"}, IncomingKind.STARTED, "", ()),
    ("no start", {"text": "/started"}, IncomingKind.TEXT, "/started", ()),
    ("photo", {"photo": SIZES, "caption": "here"}, IncomingKind.ATTACHMENT, "here", ("large",)),
    ("voice", {"voice": FILE}, IncomingKind.ATTACHMENT, "", ("F1",)),
    ("document", {"document": FILE}, IncomingKind.ATTACHMENT, "", ("F1",)),
    ("animation", {"animation": FILE, "document": FILE}, IncomingKind.ATTACHMENT, "", ("F1",)),
    ("place", {"location": {"latitude": 48.858222, "longitude": 2.2945}}, IncomingKind.TEXT, "48.85822, 2.29450", ()),
    ("sticker", {"sticker": {"file_id": "S", "emoji": "🙏"}}, IncomingKind.TEXT, "🙏", ()),
    ("contact", {"contact": {"phone_number": "CANARY"}}, IncomingKind.ATTACHMENT, "", ()),
]


@pytest.mark.parametrize("case", CONTENTS, ids=[one[0] for one in CONTENTS])
async def test_a_message_becomes_what_it_says_and_nothing_more(bot: Telegram, house: House, case: Content) -> None:
    _, content, kind, text, media = case
    assert await takes(bot, house, message(number=5, **content)) == 200
    assert house.incoming == [Incoming(id="u5", address=TO, kind=kind, text=text, media=media, copies=("telegram/45",))]
    assert "CANARY" not in str(asdict(house.incoming[0]))


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 1},
        {"update_id": 1, "edited_message": message("2")["message"]},
        {"update_id": 1, "edited_message": message(location={"latitude": 1.5, "longitude": 2.5})["message"]},
        {"update_id": 1, "edited_message": message("/start again")["message"]},
        {"update_id": 1, "edited_message": message(photo=[{"file_id": "a"}])["message"]},
        {"update_id": 1, "my_chat_member": {"chat": {"id": CHAT, "type": "private"}}},
        {"update_id": 1, "message": {**message("x")["message"], "chat": {"id": -5, "type": "group"}}},
        {"update_id": 1, "channel_post": {"chat": {"id": -5, "type": "channel"}, "text": "x"}},
        message(None, 1, pinned_message={}),
        {"update_id": 1, "a_kind_of_tomorrow": {"text": "x"}},
    ],
)
async def test_what_is_not_from_one_person_is_taken_and_ignored(bot: Telegram, house: House, update: object) -> None:
    assert await takes(bot, house, update) == 200
    assert (house.incoming, house.refusals) == ([], [])


@pytest.mark.parametrize("field", ["text", "caption"])
async def test_words_that_were_corrected_are_told_once_more_as_a_message_of_their_own(
    bot: Telegram, house: House, field: str
) -> None:
    first, second = {"text": "He is a guard"}, {field: "He has a gun"}
    assert await takes(bot, house, message(number=5, **first)) == 200
    edited = {"update_id": 6, "edited_message": message(number=5, edit_date=1700000009, **second)["message"]}
    assert await takes(bot, house, edited) == 200
    assert [(i.id, i.kind, i.text) for i in house.incoming] == [
        ("u5", IncomingKind.TEXT, "He is a guard"),
        ("u6", IncomingKind.TEXT, "He has a gun"),
    ]
    assert {incoming.copies for incoming in house.incoming} == {("telegram/45",)}, "in the chat it is one message"


async def test_a_button_is_a_choice_and_its_waiting_mark_and_buttons_go_away(
    bot: Telegram, house: House, provider: Provider
) -> None:
    assert await takes(bot, house, press()) == 200
    assert house.incoming == [Incoming(id="u9", address=TO, kind=IncomingKind.CHOICE, text="safe:yes")]
    assert sorted(methods(provider)) == ["answerCallbackQuery", "editMessageReplyMarkup"]
    by_method = dict(zip(methods(provider), provider.asked, strict=True))
    assert by_method["answerCallbackQuery"].get("callback_query_id") == "4382bfdwdsb323b2d9"
    assert by_method["editMessageReplyMarkup"].get("message_id") == "49"
    assert house.refusals == []


async def test_a_politeness_that_fails_is_counted_and_changes_nothing(
    bot: Telegram, house: House, provider: Provider
) -> None:
    for _ in range(2):
        provider.next(*telegram_error(400, "Bad Request: query is too old"))
    assert await takes(bot, house, press()) == 200
    assert len(house.incoming) == 1
    assert house.reasons == ["courtesy", "courtesy"]


async def test_a_button_that_was_not_kept_keeps_its_waiting_mark(
    bot: Telegram, house: House, provider: Provider
) -> None:
    house.failure = NotKept()
    assert await takes(bot, house, press()) == 503
    assert provider.asked == []


async def test_without_a_secret_there_is_no_webhook(house: House) -> None:
    assert Telegram(BOT_TOKEN).routes(house.receive, house.report, house.refused) == []


# Going out --------------------------------------------------------------------------------------------------------


async def test_choices_are_buttons_one_a_row_and_links_show_no_preview(bot: Telegram, provider: Provider) -> None:
    await bot.send(Outgoing(address=TO, answer=ANSWER, reference="r"))
    (asked,) = provider.asked
    assert asked.get("text") == "Is it safe to talk now?"
    assert asked.get("reply_markup") == (
        '{"inline_keyboard": [[{"callback_data": "safe:yes", "text": "Yes"}],'
        ' [{"callback_data": "safe:no", "text": "No"}]]}'
    )
    assert asked.get("link_preview_options") == '{"is_disabled": true}'
    assert "parse_mode" not in dict(asked.form)


async def test_a_text_too_long_for_one_message_goes_out_whole_with_its_buttons_last(
    bot: Telegram, provider: Provider
) -> None:
    words = " ".join(f"word{number}" for number in range(1500))
    await bot.send(Outgoing(address=TO, answer=replace(ANSWER, text=words), reference="r"))
    parts = [asked.get("text") for asked in provider.asked]
    assert all(len(part) <= 4096 for part in parts)
    assert " ".join(parts) == words
    assert [bool(asked.get("reply_markup")) for asked in provider.asked] == [False] * (len(parts) - 1) + [True]


async def test_a_choice_of_sixty_bytes_fits_a_button(bot: Telegram, provider: Provider) -> None:
    answer = Answer(text="?", language="en", choices=(Choice(id="x" * 60, key="1", label="Yes"),))
    await bot.send(Outgoing(address=TO, answer=answer, reference="r"))
    assert "x" * 60 in provider.asked[0].get("reply_markup")


async def test_only_a_telegram_address_is_written_to(bot: Telegram, provider: Provider) -> None:
    with pytest.raises(SendError):
        await bot.send(Outgoing(address=replace(TO, value="@name"), answer=ANSWER, reference="r"))
    assert provider.asked == []


async def test_a_message_is_erased_in_its_chat(bot: Telegram, provider: Provider) -> None:
    assert await bot.erase(TO, 321) is Erased.GONE
    (asked,) = provider.asked
    assert (methods(provider), asked.get("chat_id"), asked.get("message_id")) == (["deleteMessage"], str(CHAT), "321")


async def test_a_message_older_than_telegram_allows_is_not_called_erased(bot: Telegram, provider: Provider) -> None:
    provider.next(*telegram_error(400, "Bad Request: message can't be deleted"))
    assert await bot.erase(TO, 321) is Erased.REFUSED


async def test_a_message_that_is_no_longer_there_is_gone(bot: Telegram, provider: Provider) -> None:
    provider.next(*telegram_error(400, "Bad Request: message to delete not found"))
    assert await bot.erase(TO, 321) is Erased.GONE


async def test_a_chat_that_does_not_exist_is_not_called_erased(bot: Telegram, provider: Provider) -> None:
    provider.next(*telegram_error(400, "Bad Request: chat not found"))
    assert await bot.erase(TO, 321) is Erased.REFUSED


async def test_an_erasure_that_could_not_be_tried_is_an_error(bot: Telegram, provider: Provider) -> None:
    provider.next(502, "")
    with pytest.raises(SendError) as caught:
        await bot.erase(TO, 321)
    assert caught.value.retry
    with pytest.raises(SendError):
        await bot.erase_copy("telegram/321")


async def test_the_webhook_is_registered_with_its_secret_and_only_for_what_we_read(
    bot: Telegram, provider: Provider
) -> None:
    await bot.register_webhook("https://line.example/", SECRET)
    (asked,) = provider.asked
    assert (asked.get("url"), asked.get("secret_token")) == ("https://line.example/telegram/webhook", SECRET)
    assert asked.get("allowed_updates") == '["message", "edited_message", "callback_query"]'


# Polling ----------------------------------------------------------------------------------------------------------


async def polls(bot: Telegram, house: House, done: Callable[[], bool]) -> None:
    """Poll until `done`, then stop; a poll that does not stop fails the test."""
    stop = asyncio.Event()

    async def watch() -> None:
        while not done():  # noqa: ASYNC110 - the condition is the provider's view, which has no event
            await asyncio.sleep(0.005)
        stop.set()

    async with asyncio.timeout(5):
        await asyncio.gather(bot.poll(house.receive, house.refused, stop), watch())


async def test_polling_takes_the_webhook_away_and_reads_every_update_once(
    bot: Telegram, house: House, provider: Provider
) -> None:
    provider.updates = [message("one", 1), message("two", 2), press(number=3)]
    await polls(bot, house, lambda: 4 in provider.offsets)
    assert methods(provider)[0] == "deleteWebhook"
    assert [incoming.id for incoming in house.incoming] == ["u1", "u2", "u3"]


async def test_polling_does_not_go_past_what_was_not_kept(bot: Telegram, house: House, provider: Provider) -> None:
    provider.updates = [message("one", 1), message("two", 2)]
    house.failure = NotKept()
    await polls(bot, house, lambda: len(house.incoming) >= 8)
    assert {incoming.id for incoming in house.incoming} == {"u1"}
    assert set(provider.offsets) == {0}
    assert house.refusals == []
    house.failure = None
    await polls(bot, house, lambda: 3 in provider.offsets)
    assert house.incoming[-1].id == "u2"


async def test_polling_passes_over_an_update_that_always_fails(bot: Telegram, house: House, provider: Provider) -> None:
    provider.updates = [message("one", 1), message("odd", 2), message("three", 3)]
    seen: list[str] = []

    async def receive(incoming: Incoming) -> Answer | None:
        seen.append(incoming.id)
        if incoming.id == "u2":
            raise KeyError("CANARYwords")
        return None

    house.receive = receive  # type: ignore[method-assign]  # a house with one fault
    await polls(bot, house, lambda: "u3" in seen)
    assert seen == ["u1", *["u2"] * 5, "u3"]
    assert house.reasons == ["failed:KeyError"] * 5 + ["abandoned"]


async def test_polling_survives_a_provider_in_trouble(bot: Telegram, house: House, provider: Provider) -> None:
    provider.updates = [message("one", 1)]
    provider.next(502, "")
    provider.next(*telegram_error(409, "Conflict: terminated by other getUpdates request"))
    provider.next(*telegram_error(429, "Too Many Requests: retry after 1", retry_after=1))
    provider.next(200, "not json")
    provider.next(200, {"ok": True, "result": {"odd": 1}})
    started = asyncio.get_running_loop().time()
    await polls(bot, house, lambda: 2 in provider.offsets)
    assert [incoming.id for incoming in house.incoming] == ["u1"]
    assert asyncio.get_running_loop().time() - started >= 1  # it waited as long as it was told to


async def test_polling_stops_at_once_while_it_waits_for_updates(
    bot: Telegram, house: House, provider: Provider
) -> None:
    async def hold(_: object) -> Any:
        await asyncio.sleep(30)

    provider.scripted.append(hold)
    before = asyncio.get_running_loop().time()
    await polls(bot, house, lambda: "getUpdates" in methods(provider))
    assert asyncio.get_running_loop().time() - before < 1
