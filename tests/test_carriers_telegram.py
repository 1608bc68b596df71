"""The practised Telegram: what python-telegram-bot, a webhook and a person with the app see of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, FormData
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter
from telegram.ext import Application, ApplicationBuilder, CallbackQueryHandler, ContextTypes, MessageHandler, filters
from telegram.request import HTTPXRequest

from carriers.exchange import Exchange
from tests.subscriber import BOT_NAME, BOT_TOKEN, PUBLIC, Subscriber, an_exchange

CHAT = 5550101
KEYS = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="safe:yes")]])


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    async with Subscriber() as subscriber:
        yield subscriber


@pytest.fixture
async def exchange(subscriber: Subscriber) -> AsyncIterator[Exchange]:
    async with an_exchange(subscriber) as exchange:
        yield exchange


def a_bot(exchange: Exchange, token: str = BOT_TOKEN) -> Bot:
    return Bot(token, base_url=f"{exchange.telegram_url}/bot", base_file_url=f"{exchange.telegram_url}/file/bot")


@pytest.fixture
async def bot(exchange: Exchange) -> AsyncIterator[Bot]:
    async with a_bot(exchange) as bot:
        yield bot


# sending ------------------------------------------------------------------------------------------------------


async def test_the_bot_knows_itself_and_a_wrong_token_is_refused(exchange: Exchange, bot: Bot) -> None:
    assert (bot.username, bot.id) == (BOT_NAME, 4711)
    stranger = a_bot(exchange, "4711:wrong")
    with pytest.raises(InvalidToken):
        await stranger.get_me()
    await stranger.request.shutdown()


async def test_a_message_with_buttons_is_shown_pressed_answered_and_changed(exchange: Exchange, bot: Bot) -> None:
    chat = exchange.chat(CHAT, first_name="CANARY", username="canary_user", language_code="hi")
    sent = await bot.send_message(CHAT, "Is it safe to talk now?", reply_markup=KEYS)
    assert (await chat.receives("safe")).buttons == ("Yes",)
    await chat.press("Yes")
    (update,) = await bot.get_updates()
    query = update.callback_query
    assert query is not None
    assert (query.data, query.from_user.username) == ("safe:yes", "canary_user")
    assert query.message is not None
    assert query.message.message_id == sent.message_id
    assert await query.answer()
    with pytest.raises(BadRequest, match="too old"):
        await query.answer()
    await bot.edit_message_text("Thank you", chat_id=CHAT, message_id=sent.message_id)
    await chat.receives("Thank you")
    with pytest.raises(BadRequest, match="not modified"):
        await bot.edit_message_text("Thank you", chat_id=CHAT, message_id=sent.message_id)
    await bot.edit_message_reply_markup(CHAT, sent.message_id, reply_markup=KEYS)
    assert chat.unexpected() == []
    assert chat.screen() == ["Thank you"]
    assert await bot.send_chat_action(CHAT, "typing")


@pytest.mark.parametrize(
    ("text", "data", "reason"),
    [
        ("x" * 4097, "d", "too long"),
        ("   ", "d", "text is empty"),
        ("x", "d" * 65, "BUTTON_DATA_INVALID"),
        ("x", "ध" * 22, "BUTTON_DATA_INVALID"),
    ],
)
async def test_messages_that_telegram_refuses_are_refused(
    exchange: Exchange, bot: Bot, text: str, data: str, reason: str
) -> None:
    exchange.chat(CHAT)
    keys = InlineKeyboardMarkup([[InlineKeyboardButton("k", callback_data=data)]])
    with pytest.raises(BadRequest, match=f"(?i){reason}"):
        await bot.send_message(CHAT, text, reply_markup=keys)


async def test_strangers_the_shy_and_those_who_blocked_cannot_be_written_to(exchange: Exchange, bot: Bot) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(99, "x")
    shy = exchange.chat(CHAT, started=False)
    with pytest.raises(Forbidden, match="initiate"):
        await bot.send_message(CHAT, "x")
    await shy.text("/start")
    await bot.send_message(CHAT, "x")
    shy.block()
    with pytest.raises(Forbidden, match="blocked"):
        await bot.send_message(CHAT, "x")
    updates = await bot.get_updates()
    assert updates[0].message is not None
    assert updates[0].message.entities[0].type == "bot_command"
    assert updates[1].my_chat_member is not None
    assert updates[1].my_chat_member.new_chat_member.status == "kicked"


async def test_both_sides_are_deleted_within_48_hours_and_not_later(exchange: Exchange, bot: Bot) -> None:
    chat = exchange.chat(CHAT)
    await chat.text("my secret")
    sent = await bot.send_message(CHAT, "an answer")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert await bot.delete_message(CHAT, update.message.message_id)
    assert await bot.delete_message(CHAT, sent.message_id)
    assert chat.screen() == []
    with pytest.raises(BadRequest, match="delete not found"):
        await bot.delete_message(CHAT, sent.message_id)
    old = await bot.send_message(CHAT, "old")
    exchange.pace.advance(timedelta(hours=49))
    with pytest.raises(BadRequest, match="can't be deleted"):
        await bot.delete_message(CHAT, old.message_id)


async def test_files_are_fetched(exchange: Exchange, bot: Bot) -> None:
    await exchange.chat(CHAT).sends("photo", b"picture", mime_type="image/jpeg", caption="look")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.caption == "look"
    file = await update.message.photo[0].get_file()
    assert bytes(await file.download_as_bytearray()) == b"picture"
    with pytest.raises(BadRequest, match="file_id"):
        await bot.get_file("nothing")


@pytest.mark.filterwarnings("ignore:.*retry_after:DeprecationWarning")  # its type changes in a later release
async def test_errors_on_demand_are_telegrams(exchange: Exchange, bot: Bot) -> None:
    exchange.chat(CHAT)
    exchange.faults.add("telegram.sendMessage", "error", code=429, retry_after=7, number=str(CHAT))
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(CHAT, "x")
    assert str(caught.value).endswith(("7 seconds", "0:00:07"))  # as PTB_TIMEDELTA, which our channel sets, has it
    exchange.faults.add("telegram", "error", code=500)
    with pytest.raises(NetworkError, match="Internal Server Error"):
        await bot.send_message(CHAT, "x")
    for kind in ("http", "reset", "hang"):
        exchange.faults.add("telegram.sendMessage", kind, status=502)
        with pytest.raises(NetworkError):
            await bot.send_message(CHAT, "x", read_timeout=0.3)
    await bot.send_message(CHAT, "at last")
    assert exchange.chat(CHAT).screen() == ["at last"]


async def test_every_kind_of_body_is_understood(exchange: Exchange) -> None:
    exchange.chat(CHAT)
    url = f"{exchange.telegram_url}/bot{BOT_TOKEN}/sendMessage"
    fields = {"chat_id": str(CHAT), "text": "x", "reply_markup": KEYS.to_json()}
    multipart = FormData(fields)
    multipart.add_field("extra", b"x", filename="x")
    bodies: list[dict[str, Any]] = [{"json": fields}, {"data": fields}, {"data": multipart}, {"params": fields}]
    async with ClientSession() as session:
        for body in bodies:
            async with session.post(url, **body) as response:
                answer = await response.json()
                assert answer["result"]["reply_markup"]["inline_keyboard"][0][0]["text"] == "Yes"
        async with session.post(url, data=b"{", headers={"Content-Type": "application/json"}) as response:
            assert (await response.json())["error_code"] == 400
        async with session.post(url.replace("sendMessage", "sendMoney"), json={}) as response:
            assert response.status == 404


# polling ------------------------------------------------------------------------------------------------------


async def test_polling_waits_confirms_and_tolerates_one_poller_only(exchange: Exchange, bot: Bot) -> None:
    chat = exchange.chat(CHAT)
    waiting = asyncio.create_task(bot.get_updates(timeout=5))
    await asyncio.sleep(0.1)
    await chat.text("first")
    (update,) = await waiting
    assert update.message is not None
    assert update.message.text == "first"
    assert len(await bot.get_updates()) == 1  # not confirmed, so it comes again
    assert await bot.get_updates(offset=update.update_id + 1) == ()
    async with a_bot(exchange) as other:
        older = asyncio.create_task(other.get_updates(timeout=5))
        await asyncio.sleep(0.1)
        assert await bot.get_updates(timeout=0) == ()
        with pytest.raises(Conflict, match="other getUpdates"):
            await older


async def test_a_whole_application_runs_by_long_polling(exchange: Exchange) -> None:
    async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message is not None
        await update.message.reply_text(f"you said {update.message.text}", reply_markup=KEYS)

    async def pressed(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.callback_query is not None
        await update.callback_query.answer()
        await update.callback_query.edit_message_text("pressed")

    builder = ApplicationBuilder().token(BOT_TOKEN).base_url(f"{exchange.telegram_url}/bot")
    application: Application[Any, Any, Any, Any, Any, Any] = builder.get_updates_request(HTTPXRequest()).build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    application.add_handler(CallbackQueryHandler(pressed))
    async with application:
        await application.start()
        assert application.updater is not None
        await application.updater.start_polling(timeout=1)
        chat = exchange.chat(CHAT)
        await chat.text("मदद")
        await chat.receives("you said मदद")
        await chat.press("Yes")
        await chat.receives("pressed")
        await application.updater.stop()
        await application.stop()


# webhook ------------------------------------------------------------------------------------------------------


async def test_the_webhook_gets_updates_in_order_with_its_secret_and_until_they_are_accepted(
    exchange: Exchange, subscriber: Subscriber, bot: Bot
) -> None:
    exchange.pace.speed = 50
    statuses = iter(["500", "503"])
    subscriber.answers["/telegram"] = lambda fields: next(statuses, "200")
    await bot.set_webhook(f"{PUBLIC}/telegram", secret_token="s3cret", allowed_updates=["message"])
    with pytest.raises(Conflict, match="webhook is active"):
        await bot.get_updates()
    chat = exchange.chat(CHAT, username="canary")
    await chat.text("one")
    await chat.text("two")
    await subscriber.takes_all_updates(exchange)
    assert [update["message"]["text"] for _, update in subscriber.updates] == ["one", "one", "one", "two"]
    assert {secret for secret, _ in subscriber.updates} == {"s3cret"}
    assert subscriber.updates[0][1]["message"]["from"]["username"] == "canary"
    info = await bot.get_webhook_info()
    assert (info.url, info.pending_update_count) == (f"{PUBLIC}/telegram", 0)
    assert "503" in (info.last_error_message or "")
    await bot.delete_webhook()
    assert await bot.get_updates() == ()


async def test_webhook_updates_can_be_doubled_and_forged(exchange: Exchange, subscriber: Subscriber, bot: Bot) -> None:
    await bot.set_webhook(f"{PUBLIC}/telegram", secret_token="s3cret")
    exchange.faults.add("webhook.telegram", "duplicate")
    await exchange.chat(CHAT).text("one")
    await subscriber.takes_all_updates(exchange)
    assert [update["update_id"] for _, update in subscriber.updates] == [1, 1]
    exchange.faults.add("webhook.telegram", "forge")
    await exchange.chat(CHAT).text("two")
    await subscriber.takes_all_updates(exchange)
    assert subscriber.updates[-1][0] != "s3cret"


async def test_a_webhook_may_answer_with_the_next_message(exchange: Exchange, subscriber: Subscriber, bot: Bot) -> None:
    subscriber.answers["/telegram"] = f'{{"method": "sendMessage", "chat_id": {CHAT}, "text": "in the answer"}}'
    await bot.set_webhook(f"{PUBLIC}/telegram")
    chat = exchange.chat(CHAT)
    await chat.text("x")
    await chat.receives("in the answer")


async def test_a_bad_secret_and_a_bad_address_are_refused(bot: Bot) -> None:
    with pytest.raises(BadRequest, match="unallowed"):
        await bot.set_webhook(f"{PUBLIC}/telegram", secret_token="no spaces")
    with pytest.raises(BadRequest, match="url must be provided"):
        await bot.set_webhook("ftp://x")
