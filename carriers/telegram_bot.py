"""What one practised Telegram bot knows: its chats, their messages, buttons and files. No HTTP.

How updates reach the bot's owner is in telegram_feed.py, the Bot API's methods are in telegram_methods.py.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from carriers.journal import Journal
from carriers.pace import Pace

Json = dict[str, Any]


class TelegramError(Exception):
    """The Bot API said no: HTTP status, its sentence, and how long to wait where it says so (seconds)."""

    def __init__(self, code: int, description: str, *, retry_after: int = 0) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Friend:
    """Somebody with Telegram, and all that an update tells about them. `id` is also the private chat's."""

    id: int = field(repr=False)
    first_name: str = field(default="Person", repr=False)
    last_name: str = field(default="", repr=False)
    username: str = field(default="", repr=False)
    language_code: str = field(default="", repr=False)
    started: bool = True  # False: never pressed Start, so the bot may not write first
    blocked: bool = False

    def user(self) -> Json:
        """A User object."""
        return {"id": self.id, "is_bot": False} | self._named()

    def chat(self) -> Json:
        """A Chat object."""
        named = self._named()
        named.pop("language_code", None)
        return {"id": self.id, "type": "private"} | named

    def _named(self) -> Json:
        names = ("first_name", "last_name", "username", "language_code")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file on Telegram's servers."""

    id: str
    path: str
    mime_type: str
    content: bytes = field(repr=False)

    def to_json(self) -> Json:
        """A File object, without its path."""
        return {"file_id": self.id, "file_unique_id": self.id[-12:], "file_size": len(self.content)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One message in a private chat. `attachment` is what the update says besides the text, e.g. "photo"."""

    id: int
    chat: int = field(repr=False)
    date: datetime
    by_bot: bool
    text: str = field(repr=False)
    keyboard: Json | None = field(default=None, repr=False)
    attachment: Mapping[str, Any] = field(default_factory=dict, repr=False)
    edited: datetime | None = None

    @property
    def buttons(self) -> list[list[dict[str, str]]]:
        """The inline keyboard as the phones page shows it."""
        rows = (self.keyboard or {}).get("inline_keyboard", [])
        return [[{"text": key["text"], "data": key.get("callback_data", "")} for key in row] for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A button that was pressed and not answered yet."""

    id: str
    message: int


class TelegramBot:
    """The bot `name` with its private chats. `push` gets every update: its kind and what it says."""

    def __init__(self, *, bot_id: int, name: str, pace: Pace, journal: Journal) -> None:
        self.id = bot_id
        self.name = name
        self.pace = pace
        self.friends: dict[int, Friend] = {}
        self.messages: dict[tuple[int, int], ChatMessage] = {}
        self.files: dict[str, StoredFile] = {}
        self.queries: dict[str, Query] = {}
        self.push: Callable[[str, Json], None] = lambda kind, said: None
        self._journal = journal
        self._last_message = 0

    def me(self) -> Json:
        """The bot's own User object."""
        return {"id": self.id, "is_bot": True, "first_name": self.name, "username": self.name}

    # what people do --------------------------------------------------------------------------------------

    def friend(self, chat: int) -> Friend:
        """Who has this chat; a stranger is made up."""
        return self.friends.setdefault(chat, Friend(id=chat))

    def write(self, chat: int, text: str, *, attachment: Mapping[str, Any] | None = None) -> ChatMessage:
        """Somebody writes to the bot, which also starts the chat and lifts a block."""
        self.friends[chat] = replace(self.friend(chat), started=True, blocked=False)
        message = self.add(chat, text, by_bot=False, attachment=attachment or {})
        self.push("message", self.to_json(message))
        return message

    def send_file(self, chat: int, kind: str, content: bytes, *, mime_type: str, caption: str = "") -> ChatMessage:
        """Somebody sends a "photo", "voice" or "document"."""
        token = secrets.token_urlsafe(24)
        suffix = mime_type.rpartition("/")[2]
        path = f"{kind}s/file_{len(self.files)}.{suffix}"
        file = StoredFile(id=token, path=path, mime_type=mime_type, content=content)
        self.files[file.id] = file
        details: dict[str, Any] = {
            "photo": [file.to_json() | {"width": 640, "height": 480}],
            "voice": file.to_json() | {"duration": 3, "mime_type": mime_type},
            "document": file.to_json() | {"file_name": f"file.{suffix}", "mime_type": mime_type},
        }
        return self.write(chat, caption, attachment={kind: details[kind]})

    def press(self, chat: int, message_id: int, data: str) -> str:
        """Somebody presses a button; the id of the query. Raises KeyError when there is no such message."""
        message = self.messages[chat, message_id]
        query = Query(id=str(secrets.randbits(60)), message=message_id)
        self.queries[query.id] = query
        said = {
            "id": query.id,
            "from": self.friend(chat).user(),
            "message": self.to_json(message),
            "chat_instance": str(chat),
            "data": data,
        }
        self.push("callback_query", said)
        return query.id

    def block(self, chat: int, *, blocked: bool = True) -> None:
        """Somebody blocks the bot, or lets it in again."""
        friend = self.friend(chat)
        self.friends[chat] = replace(friend, blocked=blocked)
        before, after = ("member", "kicked") if blocked else ("kicked", "member")
        said = {
            "chat": friend.chat(),
            "from": friend.user(),
            "date": self._seconds(self.pace.now()),
            "old_chat_member": self._member(before),
            "new_chat_member": self._member(after),
        }
        self.push("my_chat_member", said)

    def _member(self, status: str) -> Json:
        return {"user": self.me(), "status": status} | ({"until_date": 0} if status == "kicked" else {})

    # messages --------------------------------------------------------------------------------------------

    def add(self, chat: int, text: str, *, by_bot: bool, **details: Any) -> ChatMessage:
        """A new message in a chat, by the bot or by the person."""
        self._last_message += 1
        now = self.pace.now()
        message = ChatMessage(id=self._last_message, chat=chat, date=now, by_bot=by_bot, text=text, **details)
        return self.put(message)

    def put(self, message: ChatMessage) -> ChatMessage:
        """Store a new or changed message and show it on the phone."""
        self.messages[message.chat, message.id] = message
        self._journal.add(
            "message",
            phone=str(message.chat),
            channel="telegram",
            direction="in" if message.by_bot else "out",
            id=str(message.id),
            text=message.text,
            buttons=message.buttons,
            status="delivered",
            error=None,
            at=message.date.isoformat(),
        )
        return message

    def remove(self, message: ChatMessage) -> None:
        """A message disappears from both sides."""
        del self.messages[message.chat, message.id]
        self._journal.add("deleted", phone=str(message.chat), id=str(message.id))

    def to_json(self, message: ChatMessage) -> Json:
        """A Message object."""
        friend = self.friend(message.chat)
        said: Json = {
            "message_id": message.id,
            "from": self.me() if message.by_bot else friend.user(),
            "chat": friend.chat(),
            "date": self._seconds(message.date),
            **message.attachment,
        }
        if message.edited:
            said["edit_date"] = self._seconds(message.edited)
        if message.text:
            said["caption" if message.attachment else "text"] = message.text
        if message.text.startswith("/") and not message.by_bot:
            command = message.text.split()[0]
            said["entities"] = [{"type": "bot_command", "offset": 0, "length": len(command)}]
        if message.keyboard:
            said["reply_markup"] = message.keyboard
        return said

    @staticmethod
    def _seconds(moment: datetime) -> int:
        return int(moment.timestamp())
