"""The Bot API's methods as one table: parameters in, result out, TelegramError when Telegram would refuse.

HTTP is in telegram_api.py; waiting for updates is in telegram_feed.py.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from carriers.telegram_bot import ChatMessage, Friend, Json, TelegramBot, TelegramError
from carriers.telegram_feed import Feed

LONGEST = 4096  # characters of a message
LONGEST_DATA = 64  # bytes of a button's callback_data
DELETABLE = timedelta(hours=48)
LARGEST_FILE = 20_000_000  # bytes that a bot may download


class Parameters:
    """The parameters of one request, whatever body they came in: numbers may be text, objects may be JSON text."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """A text, "" when absent."""
        value = self._values.get(name, "")
        return value if isinstance(value, str) else str(value)

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number. Raises TelegramError."""
        value = self._values.get(name, default)
        try:
            return int(value)
        except (TypeError, ValueError):
            raise TelegramError(400, f"Bad Request: {name} is not a number") from None

    def flag(self, name: str) -> bool:
        """A Boolean, False when absent."""
        return self._values.get(name) in (True, "true", "True", "1", 1)

    def json(self, name: str) -> Any:
        """An object or list, None when absent. Raises TelegramError."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise TelegramError(400, f"Bad Request: can't parse {name} JSON object") from None


class Methods:
    """All methods but getUpdates, which waits."""

    def __init__(self, bot: TelegramBot, feed: Feed) -> None:
        self._bot = bot
        self._feed = feed
        self._table: Mapping[str, Callable[[Parameters], object]] = {
            "getme": lambda parameters: bot.me(),
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": lambda parameters: feed.info(),
            "sendmessage": self._send_message,
            "editmessagetext": self._edit_text,
            "editmessagereplymarkup": self._edit_keyboard,
            "deletemessage": self._delete_message,
            "deletemessages": self._delete_messages,
            "answercallbackquery": self._answer_query,
            "getfile": self._get_file,
            "sendchataction": lambda parameters: bool(self._open_chat(parameters)),
            "getchat": lambda parameters: self._open_chat(parameters).chat(),
            "setmycommands": _take_it,
            "deletemycommands": _take_it,
            "setmydescription": _take_it,
            "setmyshortdescription": _take_it,
            "setchatmenubutton": _take_it,
        }

    def perform(self, method: str, parameters: Mapping[str, Any]) -> object:
        """Carry out one method. Raises TelegramError."""
        handler = self._table.get(method.lower())
        if handler is None:
            raise TelegramError(404, "Not Found: method not found")
        return handler(Parameters(parameters))

    # webhook ---------------------------------------------------------------------------------------------

    def _set_webhook(self, parameters: Parameters) -> bool:
        return self._feed.set_webhook(
            parameters.text("url"),
            secret=parameters.text("secret_token"),
            allowed=parameters.json("allowed_updates"),
            drop_pending=parameters.flag("drop_pending_updates"),
            connections=parameters.integer("max_connections", 40),
        )

    def _delete_webhook(self, parameters: Parameters) -> bool:
        return self._feed.set_webhook("", drop_pending=parameters.flag("drop_pending_updates"))

    # chats and messages ----------------------------------------------------------------------------------

    def _open_chat(self, parameters: Parameters) -> Friend:
        """The chat, if the bot may write to it. Raises TelegramError."""
        if not parameters.text("chat_id"):
            raise TelegramError(400, "Bad Request: chat_id is empty")
        friend = self._bot.friends.get(parameters.integer("chat_id"))
        if friend is None:
            raise TelegramError(400, "Bad Request: chat not found")
        if friend.blocked:
            raise TelegramError(403, "Forbidden: bot was blocked by the user")
        if not friend.started:
            raise TelegramError(403, "Forbidden: bot can't initiate conversation with a user")
        return friend

    def _message(self, parameters: Parameters, verb: str) -> ChatMessage:
        friend = self._open_chat(parameters)
        message = self._bot.messages.get((friend.id, parameters.integer("message_id")))
        if message is None:
            raise TelegramError(400, f"Bad Request: message to {verb} not found")
        return message

    def _send_message(self, parameters: Parameters) -> Json:
        friend = self._open_chat(parameters)
        message = self._bot.add(
            friend.id, _body(parameters), by_bot=True, keyboard=_keyboard(parameters.json("reply_markup"))
        )
        return self._bot.to_json(message)

    def _edit_text(self, parameters: Parameters) -> Json:
        message = self._message(parameters, "edit")
        keyboard = _keyboard(parameters.json("reply_markup"))
        return self._edit(message, replace(message, text=_body(parameters), keyboard=keyboard))

    def _edit_keyboard(self, parameters: Parameters) -> Json:
        message = self._message(parameters, "edit")
        return self._edit(message, replace(message, keyboard=_keyboard(parameters.json("reply_markup"))))

    def _edit(self, before: ChatMessage, after: ChatMessage) -> Json:
        if not before.by_bot:
            raise TelegramError(400, "Bad Request: message can't be edited")
        if before == after:
            raise TelegramError(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly "
                "the same as a current content and reply markup of the message",
            )
        return self._bot.to_json(self._bot.put(replace(after, edited=self._bot.pace.now())))

    def _delete_message(self, parameters: Parameters) -> bool:
        message = self._message(parameters, "delete")
        if self._bot.pace.now() - message.date >= DELETABLE:
            raise TelegramError(400, "Bad Request: message can't be deleted for everyone")
        self._bot.remove(message)
        return True

    def _delete_messages(self, parameters: Parameters) -> bool:
        """Deletes what can be deleted and, as Telegram does, says nothing about the rest."""
        friend = self._open_chat(parameters)
        for number in parameters.json("message_ids") or []:
            message = self._bot.messages.get((friend.id, int(number)))
            if message is not None and self._bot.pace.now() - message.date < DELETABLE:
                self._bot.remove(message)
        return True

    def _answer_query(self, parameters: Parameters) -> bool:
        if self._bot.queries.pop(parameters.text("callback_query_id"), None) is None:
            raise TelegramError(
                400, "Bad Request: query is too old and response timeout expired or query ID is invalid"
            )
        return True

    def _get_file(self, parameters: Parameters) -> Json:
        file = self._bot.files.get(parameters.text("file_id"))
        if file is None:
            raise TelegramError(400, "Bad Request: invalid file_id")
        if len(file.content) > LARGEST_FILE:
            raise TelegramError(400, "Bad Request: file is too big")
        return file.to_json() | {"file_path": file.path}


def _take_it(parameters: Parameters) -> bool:
    """For what has no effect in a private chat that is practised."""
    return True


def _body(parameters: Parameters) -> str:
    text = parameters.text("text")
    if parameters.text("parse_mode"):
        raise TelegramError(400, "Bad Request: parse_mode is not practised here; send plain text or entities")
    if not text.strip():
        raise TelegramError(400, "Bad Request: message text is empty")
    if len(text) > LONGEST:
        raise TelegramError(400, "Bad Request: message is too long")
    return text


def _keyboard(markup: Any) -> Json | None:
    """Check an inline keyboard. Other keyboards are taken and not shown. Raises TelegramError."""
    if not markup:
        return None
    if not isinstance(markup, dict):
        raise TelegramError(400, "Bad Request: object expected as reply markup")
    if "inline_keyboard" not in markup:
        return None
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise TelegramError(400, "Bad Request: can't parse inline keyboard: expected an Array of Array of buttons")
    for key in (key for row in rows for key in row):
        if not isinstance(key, dict) or not isinstance(key.get("text"), str):
            raise TelegramError(400, "Bad Request: can't parse inline keyboard button: expected an Object with text")
        if not key["text"].strip():
            raise TelegramError(400, "Bad Request: can't parse inline keyboard button: Text must be non-empty")
        data = key.get("callback_data")
        if data is None and "url" not in key:
            raise TelegramError(400, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed")
        if data is not None and not 1 <= len(data.encode()) <= LONGEST_DATA:
            raise TelegramError(400, "Bad Request: BUTTON_DATA_INVALID")
    return markup
