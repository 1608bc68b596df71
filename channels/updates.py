"""Telegram's updates as they come over the wire, reduced to what we keep. Pure: bytes or JSON values in, values out.

Only private chats; only named fields survive. First names, user names, language codes and contacts end here.
https://core.telegram.org/bots/api#update
"""

import json
from dataclasses import dataclass
from typing import Any

from channels.messages import Address, ChannelName, Incoming, IncomingKind, legible

KINDS = ["message", "edited_message", "callback_query"]  # all we ask Telegram for

_FILES = ("voice", "audio", "video", "video_note", "document", "animation")
_KEY = 2  # characters
# Things without words or file that a person sends on purpose. They come through as an empty attachment, so that the
# person is answered instead of left waiting.
_OTHER = ("contact", "poll", "dice", "story", "sticker", "game", "paid_media")


class Unreadable(ValueError):
    """Not an update of Telegram's: the sender or the line is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button was pressed: what Telegram wants acknowledged, and the message whose buttons can go."""

    query: str
    chat: int
    message: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One update: its number, what a person did (None: nothing for us), and the button if it was one."""

    number: int
    incoming: Incoming | None = None
    press: Press | None = None


def parse(body: bytes) -> Update:
    """Read a webhook's body. Raises Unreadable for anything but an update."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):  # RecursionError: nested a thousand deep
        raise Unreadable from None
    return read(value)


def read(value: object) -> Update:
    """Read an update that is already JSON. Raises Unreadable when it has no number; what we do not know is empty."""
    update = _table(value)
    number = _whole(update.get("update_id"))
    if number is None:
        raise Unreadable
    if press := _press(_table(update.get("callback_query"))):
        return _pressed(number, press, _text(_table(update.get("callback_query")), "data"))
    message, correction = _table(update.get("message")), _table(update.get("edited_message"))
    if correction and not message:  # Telegram sends one of both
        return Update(number=number, incoming=_corrected(number, correction))
    return Update(number=number, incoming=_message(number, message))


def _corrected(number: int, message: dict[str, Any]) -> Incoming | None:
    """A message that the person changed: its words once more, as a message of their own, or a correction would be lost.

    Only words: a file came with the message itself, and a live place is an edit every few seconds. Not a key, which
    would answer whatever question is asked now.
    """
    text = _text(message, "text") or _text(message, "caption")
    if len(text.strip()) <= _KEY or text.startswith("/start"):
        return None
    words = {name: message.get(name) for name in ("chat", "message_id")}
    return _message(number, {**words, "text": text})


def _message(number: int, message: dict[str, Any]) -> Incoming | None:
    chat, message_id = _private_chat(message), _whole(message.get("message_id"))
    content = _content(message)
    if chat is None or message_id is None or content is None:
        return None
    kind, text, media = content
    return Incoming(
        id=f"u{number}",
        address=Address(channel=ChannelName.TELEGRAM, value=str(chat)),
        kind=kind,
        text=text,
        media=media,
        # Without the chat: a copy's name is stored in the clear. `Telegram.erase` takes the chat from the address.
        copies=(f"telegram/{message_id}",),
    )


def _content(message: dict[str, Any]) -> tuple[IncomingKind, str, tuple[str, ...]] | None:
    text = _text(message, "text")
    if text:
        started = text.split(maxsplit=1)[:1] == ["/start"]
        return (IncomingKind.STARTED, "", ()) if started else (IncomingKind.TEXT, text, ())
    if media := _media(message):
        return IncomingKind.ATTACHMENT, _text(message, "caption"), media
    if place := _place(_table(message.get("location"))):
        return IncomingKind.TEXT, place, ()
    if emoji := _text(_table(message.get("sticker")), "emoji"):
        return IncomingKind.TEXT, emoji, ()
    return (IncomingKind.ATTACHMENT, "", ()) if any(name in message for name in _OTHER) else None


def _media(message: dict[str, Any]) -> tuple[str, ...]:
    """File ids: of a photo the largest size, which Telegram puts last."""
    sizes = message.get("photo")
    last = sizes[-1] if isinstance(sizes, list) and sizes else None
    files = (_text(_table(item), "file_id") for item in (last, *(message.get(name) for name in _FILES)))
    return tuple(dict.fromkeys(name for name in files if name))  # an animation is also given as a document


def _place(location: dict[str, Any]) -> str:
    """Where somebody is, in words that a case can keep: five decimals are about a metre."""
    spot = [location.get(name) for name in ("latitude", "longitude")]
    degrees = [float(value) for value in spot if isinstance(value, int | float) and abs(value) <= 180]
    return ", ".join(f"{value:.5f}" for value in degrees) if len(degrees) == len(spot) else ""


def _press(query: dict[str, Any]) -> Press | None:
    message = _table(query.get("message"))
    chat, message_id, query_id = _private_chat(message), _whole(message.get("message_id")), _text(query, "id")
    if chat is None or message_id is None or not query_id:
        return None
    return Press(query=query_id, chat=chat, message=message_id)


def _pressed(number: int, press: Press, option: str) -> Update:
    address = Address(channel=ChannelName.TELEGRAM, value=str(press.chat))
    incoming = Incoming(id=f"u{number}", address=address, kind=IncomingKind.CHOICE, text=option)
    return Update(number=number, incoming=incoming if option else None, press=press)


def _private_chat(message: dict[str, Any]) -> int | None:
    chat = _table(message.get("chat"))
    return _whole(chat.get("id")) if chat.get("type") == "private" else None


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    """A whole number of Telegram's, at most 52 bits by its documentation. True is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _text(table: dict[str, Any], name: str) -> str:
    value = table.get(name)
    return legible(value) if isinstance(value, str) else ""
