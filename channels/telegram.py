"""Telegram through python-telegram-bot: updates by webhook or by long polling, messages with buttons.

What an update means is in updates.py. Answers do not travel in the webhook's response: the house sends them with
`send`. The bot's token is part of every request's address, so the libraries' loggers are silenced (`hush`).
"""

import asyncio
import hmac
import logging
import os
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

import telegram
from aiohttp import web
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from channels.messages import (
    Address,
    Answer,
    Capabilities,
    ChannelName,
    Choice,
    Outgoing,
    Receipt,
    Receive,
    Refused,
    Report,
    SendError,
    legible,
)
from channels.polling import PAUSES, Poller
from channels.segments import split
from channels.updates import KINDS, Press, Unreadable, Update, parse
from channels.webhook import Refusal, guarded, malformed, only, read_body

BODY_LIMIT = 256 * 1024  # bytes; a long message that quotes a long message, every character escaped, is about 100 kB
TEXT_LIMIT = 4096
WEBHOOK = "/telegram/webhook"
SECONDS = 10.0  # for one request
POLL = 25  # seconds Telegram holds a request for updates

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    retry: bool
    say: str
    code: int | None = None


class Erased(Enum):
    """What has become of a message that was to be deleted.

    GONE: it is no longer in the chat, because of us or because somebody was first. REFUSED: Telegram will never delete
    it for us; it is over 48 hours old, or of a kind that a bot may not delete.
    """

    GONE = "gone"
    REFUSED = "refused"


class _Missing(SendError):
    """Telegram does not know this message (any more)."""


# Looked up by the error's class and, where that is not listed, its parent's.
_RULES: dict[type[TelegramError], _Rule] = {
    Forbidden: _Rule(code=403, retry=False, say="The person has blocked the bot or closed the chat."),
    InvalidToken: _Rule(code=401, retry=False, say="Telegram does not accept the bot's token. Check it."),
    BadRequest: _Rule(code=400, retry=False, say="Telegram refused this: the chat or the message does not exist."),
    ChatMigrated: _Rule(code=400, retry=False, say="This chat has become a group. The line speaks to one person only."),
    Conflict: _Rule(code=409, retry=True, say="Another process reads this bot's messages. Stop one of the two."),
    NetworkError: _Rule(retry=True, say="Telegram cannot be reached. It is tried again by itself."),
    TelegramError: _Rule(retry=True, say="Telegram's answer could not be read. It is tried again by itself."),
}


def hush() -> None:
    """Silence the loggers of telegram, httpx and httpcore at every level: they write addresses, which hold the token,
    and bodies, which hold words."""
    for name in ("telegram", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class _Bot(telegram.Bot):
    """The library's bot, and updates as plain JSON: its own get_updates fails as a whole when one update is odd."""

    async def updates(self, offset: int, seconds: float) -> Any:
        """Updates from `offset` on; Telegram holds the request up to POLL seconds when there are none."""
        asked = {"offset": offset, "timeout": POLL, "allowed_updates": KINDS}
        return await self._post("getUpdates", asked, read_timeout=POLL + seconds)


class Telegram:
    """The Telegram channel of one bot. Without a webhook secret there is no webhook, only polling."""

    name = ChannelName.TELEGRAM
    capabilities = Capabilities(
        buttons=True, keypad=False, speech=False, max_text=TEXT_LIMIT, answers_in_response=False
    )

    def __init__(
        self,
        token: str,
        secret: str = "",
        *,
        api_url: str = "https://api.telegram.org",
        seconds: float = SECONDS,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        hush()
        os.environ.setdefault("PTB_TIMEDELTA", "1")  # the library's switch from numbers to timedelta; unset, it warns
        base = api_url.rstrip("/")
        self._requests = (_request(seconds), _request(seconds))  # for updates, and for all else
        self._bot = _Bot(
            token,
            base_url=f"{base}/bot",
            base_file_url=f"{base}/file/bot",
            get_updates_request=self._requests[0],
            request=self._requests[1],
        )
        self._secret = secret
        self._seconds = seconds
        self._pauses = tuple(pauses)

    def routes(self, receive: Receive, report: Report, refused: Refused) -> Sequence[web.RouteDef]:
        """POST /telegram/webhook, refused before the body is read unless it carries the secret. `report` is unused:
        Telegram tells nothing more about a message once it has taken it."""
        if not self._secret:
            return []

        async def webhook(request: web.Request) -> web.Response:
            given = only(request, "X-Telegram-Bot-Api-Secret-Token")
            if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._secret.encode()):
                raise Refusal(403, "signature", "This request does not carry the webhook's secret. Register it again.")
            try:
                update = parse(await read_body(request, BODY_LIMIT))
            except Unreadable:
                raise malformed() from None
            await self._hand_over(update, receive, refused)
            return web.Response()

        return [web.post(WEBHOOK, guarded(self.name, refused, webhook))]

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Send an answer, one button a row; above 4096 characters as several messages, the last with the buttons.

        Raises SendError. When a later part fails, trying again repeats the earlier ones: better twice than never.
        """
        chat = _chat(outgoing.address)
        *before, last = split(legible(outgoing.answer.text), TEXT_LIMIT) or ("",)
        sent = [await self._say(chat, part, None) for part in before]
        sent.append(await self._say(chat, last, _keyboard(outgoing.answer)))
        numbers = [message.message_id for message in sent]
        return Receipt(id=str(numbers[-1]), copies=tuple(f"telegram/{number}" for number in numbers))

    async def erase_copy(self, copy: str) -> bool:
        """Not possible: a copy's name does not hold the chat. Raises SendError; use `erase`."""
        raise SendError(None, retry=False, say="A Telegram message can be deleted only while its chat is known.")

    async def erase(self, address: Address, message_id: int) -> Erased:
        """Delete one message of ours or theirs. Raises SendError when it could not be tried, or may be later."""
        try:
            await self._ask(self._bot.delete_message(_chat(address), message_id))
        except _Missing:
            return Erased.GONE
        except SendError as error:
            if error.code == 400:
                return Erased.REFUSED
            raise
        return Erased.GONE

    async def register_webhook(self, public_url: str, secret: str) -> None:
        """Tell Telegram where to deliver, and the secret to send along. Raises SendError."""
        await self._ask(
            self._bot.set_webhook(public_url.rstrip("/") + WEBHOOK, secret_token=secret, allowed_updates=KINDS)
        )

    async def poll(self, receive: Receive, refused: Refused, stop: asyncio.Event) -> None:
        """Fetch updates until `stop` is set; a webhook that is still registered is removed first.

        An update counts as read only after `receive` returned; polling.py says what happens on trouble.
        """
        registered = True

        async def fetch(offset: int) -> list[Any]:
            nonlocal registered
            if registered:
                registered = not await self._ask(self._bot.delete_webhook())
            found = await self._ask(self._bot.updates(offset, self._seconds))
            return found if isinstance(found, list) else []

        async def handle(update: Update) -> None:
            await self._hand_over(update, receive, refused)

        await Poller(fetch, handle, refused, self._pauses).until(stop)

    async def close(self) -> None:
        """Give back the connections."""
        for request in self._requests:
            await request.shutdown()

    async def _hand_over(self, update: Update, receive: Receive, refused: Refused) -> None:
        if update.incoming:
            await receive(update.incoming)
        if update.press:
            await self._acknowledge(update.press, refused)

    async def _acknowledge(self, press: Press, refused: Refused) -> None:
        """Stop the button's waiting mark and take the buttons away. Both are politeness: a failure is only counted."""
        done = await asyncio.gather(
            self._ask(self._bot.answer_callback_query(press.query)),
            self._ask(self._bot.edit_message_reply_markup(press.chat, press.message)),
            return_exceptions=True,
        )
        for result in done:
            if isinstance(result, SendError):
                refused(self.name, "courtesy")
            elif isinstance(result, BaseException):
                raise result

    async def _say(self, chat: int, text: str, keyboard: telegram.InlineKeyboardMarkup | None) -> telegram.Message:
        return await self._ask(
            self._bot.send_message(
                chat,
                text,
                reply_markup=keyboard,
                # A preview would make Telegram fetch the link, and show on the phone what it leads to.
                link_preview_options=telegram.LinkPreviewOptions(is_disabled=True),
            )
        )

    async def _ask(self, request: Awaitable[T]) -> T:
        # Raised outside of the handlers, so that it does not carry the original, with its content, as its context.
        try:
            return await request
        except TelegramError as error:
            problem = _problem(error)
        except (KeyError, TypeError, ValueError, AttributeError):
            problem = _problem(TelegramError("unreadable"))
        raise problem


def _request(seconds: float) -> HTTPXRequest:
    return HTTPXRequest(connect_timeout=seconds, read_timeout=seconds, write_timeout=seconds, pool_timeout=seconds)


def _problem(error: TelegramError) -> SendError:
    if isinstance(error, RetryAfter):
        return SendError(
            429, retry=True, say="Telegram asks us to slow down. It is tried again by itself.", after=_seconds(error)
        )
    rule = next(_RULES[kind] for kind in type(error).__mro__ if kind in _RULES)
    # The only error whose words are read: Telegram gives "gone" and "not allowed" the same number, 400.
    if isinstance(error, BadRequest) and error.message.lower().endswith("message to delete not found"):
        return _Missing(rule.code, retry=rule.retry, say=rule.say)
    return SendError(rule.code, retry=rule.retry, say=rule.say)


def _seconds(error: RetryAfter) -> float:
    wait = error.retry_after
    return float(wait) if isinstance(wait, int | float) else wait.total_seconds()


def _chat(address: Address) -> int:
    try:
        return int(address.value)
    except ValueError:
        pass
    raise SendError(None, retry=False, say="This is not the address of a Telegram chat.")


def _keyboard(answer: Answer) -> telegram.InlineKeyboardMarkup | None:
    def button(choice: Choice) -> telegram.InlineKeyboardButton:
        return telegram.InlineKeyboardButton(legible(choice.label) or choice.key, callback_data=choice.id)

    return telegram.InlineKeyboardMarkup([[button(choice)] for choice in answer.choices]) if answer.choices else None
