"""Phones in the hand of a test: text, wait for a text, call, listen, press, speak. Reads like a telephone call.

A wait that ends in vain raises AssertionError and says what came instead. `within` is always in real seconds.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from carriers.call import Call, CallStatus
from carriers.journal import Event
from carriers.webhooks import Reply

if TYPE_CHECKING:
    from carriers.exchange import Exchange

PATIENCE = 5.0  # seconds
_GLANCE = 0.005  # seconds between two looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message on the screen. `seq` is its place in the journal."""

    id: str
    text: str = field(repr=False)
    buttons: tuple[str, ...] = field(default=(), repr=False)
    seq: int = 0


class _Inbox:
    """Messages that reached one phone, and which of them somebody has asked for."""

    def __init__(self, exchange: "Exchange", phone: str, channel: str) -> None:
        self._exchange = exchange
        self._phone = phone
        self._channel = channel
        self._claimed: set[tuple[str, str]] = set()

    def _arrived(self, event: Event) -> bool:
        return (
            event["type"] == "message"
            and (event["phone"], event["channel"]) == (self._phone, self._channel)
            and (event["direction"], event["status"]) == ("in", "delivered")
            and (event["id"], event["text"]) not in self._claimed
        )

    def unclaimed(self) -> list[str]:
        """Texts nobody has asked for, each once."""
        events = filter(self._arrived, self._exchange.journal.since(0))
        return list({(event["id"], event["text"]): event["text"] for event in events}.values())

    async def claim(self, containing: str, within: float) -> Received:
        """The oldest unclaimed message with these words. Raises AssertionError."""
        event = await self._exchange.journal.find(
            lambda event: self._arrived(event) and containing in event["text"], within=within
        )
        if event is None:
            raise AssertionError(f"no message containing {containing!r} came; instead: {self.unclaimed()}")
        self._claimed.add((event["id"], event["text"]))
        labels = tuple(button["text"] for row in event["buttons"] for button in row)
        return Received(id=event["id"], text=event["text"], buttons=labels, seq=event["seq"])


class CallInHand:
    """One call, seen from the phone. `hears` moves forward: what was heard once is over."""

    def __init__(self, exchange: "Exchange", call: Call, heard: int) -> None:
        self._exchange = exchange
        self._call = call
        self._heard = heard

    @property
    def sid(self) -> str:
        """Twilio's id of this leg."""
        return self._call.sid

    @property
    def shows(self) -> str:
        """The number on the display."""
        return self._call.other

    @property
    def state(self) -> CallStatus:
        """How far the call has come."""
        return self._call.status

    def answer(self) -> None:
        """Pick up. Raises AssertionError when it does not ring."""
        _insist(self._exchange.calls.pick_up(self._call), "the phone does not ring")

    def decline(self) -> None:
        """Press the red button while it rings. Raises AssertionError when it does not ring."""
        _insist(self._exchange.calls.decline(self._call), "the phone does not ring")

    def rings_out(self) -> None:
        """Let it ring until the carrier gives up, at once. Raises AssertionError when it does not ring."""
        _insist(self._exchange.calls.ring_out(self._call), "the phone does not ring")

    async def hears(self, containing: str = "", within: float = PATIENCE) -> str:
        """Wait for these words to be said; what was said in full. Raises AssertionError."""
        event = await self._next("say", lambda event: containing in event["text"], within)
        if event is None:
            said = [event["text"] for event in self._events("say")]
            raise AssertionError(f"nobody said {containing!r}; instead: {said}")
        return str(event["text"])

    async def hears_sound(self, containing: str = "", within: float = PATIENCE) -> str:
        """Wait for a recording to be played; where it came from. Raises AssertionError."""
        event = await self._next("play", lambda event: containing in event["source"], within)
        if event is None:
            raise AssertionError(f"no recording {containing!r} was played")
        return str(event["source"])

    async def press(self, keys: str, within: float = PATIENCE) -> None:
        """Press keys, each as soon as somebody listens for it. Raises AssertionError."""
        for key in keys:
            await _until(partial(self._exchange.calls.press, self._call, key), "nobody listened for keys", within)

    async def says(self, words: str, within: float = PATIENCE) -> None:
        """Speak as soon as somebody listens. Raises AssertionError."""
        await _until(lambda: self._exchange.calls.speak(self._call, words), "nobody listened to words", within)

    async def stays_silent(self, within: float = PATIENCE) -> None:
        """Let the present question time out, without the wait. Raises AssertionError."""
        await _until(self._stop_listening, "nobody listened", within)

    async def hang_up(self) -> None:
        """Press the red button."""
        self._exchange.calls.hang_up(self._call)

    async def connected(self, within: float = PATIENCE) -> str:
        """Wait to be joined with somebody; their number as it is shown here. Raises AssertionError."""
        event = await self._next("connected", lambda event: True, within)
        if event is None:
            raise AssertionError("nobody was connected")
        return str(event["other"])

    async def ends(self, within: float = PATIENCE) -> CallStatus:
        """Wait for the end; how it ended. Raises AssertionError."""
        await _until(self._call.over.is_set, "the call goes on", within)
        return self._call.status

    def _stop_listening(self) -> bool:
        listening = self._call.listening
        if listening is None or listening.complete:
            return False
        listening.stop()
        return True

    def _events(self, type_: str) -> list[Event]:
        events = self._exchange.journal.since(self._heard)
        return [event for event in events if event["type"] == type_ and event["call"] == self._call.sid]

    async def _next(self, type_: str, wanted: Callable[[Event], bool], within: float) -> Event | None:
        event = await self._exchange.journal.find(
            lambda event: event["type"] == type_ and event["call"] == self._call.sid and wanted(event),
            after=self._heard,
            within=within,
        )
        if event is not None:
            self._heard = event["seq"]
        return event


class Phone:
    """A telephone that texts and calls."""

    def __init__(self, exchange: "Exchange", number: str) -> None:
        self.number = number
        self._exchange = exchange
        self._inbox = _Inbox(exchange, number, "sms")
        self._calls_taken: set[str] = set()

    async def text(self, body: str, *, line: str = "", media: tuple[tuple[str, bytes], ...] = ()) -> Reply | None:
        """Send a text and wait until the line's webhook has answered; that answer. `media`: (MIME type, bytes)."""
        _, told = self._exchange.messages.receive(
            person=self.number, line=line or self._exchange.sms_line, body=body, media=media
        )
        return await told

    async def receives(self, containing: str = "", within: float = PATIENCE) -> Received:
        """Wait for a text with these words. Raises AssertionError."""
        return await self._inbox.claim(containing, within)

    def unexpected(self) -> list[str]:
        """Texts that came and that nobody asked for."""
        return self._inbox.unclaimed()

    async def call(self, *, line: str = "") -> CallInHand:
        """Call the line."""
        heard = self._exchange.journal.last
        call = self._exchange.calls.place(person=self.number, line=line or self._exchange.voice_line)
        return CallInHand(self._exchange, call, heard)

    async def rings(self, within: float = PATIENCE) -> CallInHand:
        """Wait until it rings. Raises AssertionError."""
        event = await self._exchange.journal.find(self._ringing, within=within)
        if event is None:
            raise AssertionError("the phone did not ring")
        self._calls_taken.add(event["call"])
        return CallInHand(self._exchange, self._exchange.calls.get(event["call"]), event["seq"])

    def _ringing(self, event: Event) -> bool:
        """A call that was over and deleted before a hand reached for it is none."""
        return (
            event["type"] == "call"
            and (event["phone"], event["direction"], event["state"]) == (self.number, "in", "ringing")
            and event["call"] not in self._calls_taken
            and any(call.sid == event["call"] for call in self._exchange.calls)
        )


class Chat:
    """Somebody's Telegram, open at the bot's chat."""

    def __init__(self, exchange: "Exchange", chat: int) -> None:
        self.id = chat
        self._exchange = exchange
        self._inbox = _Inbox(exchange, str(chat), "telegram")

    async def text(self, text: str) -> None:
        """Write to the bot."""
        self._exchange.bot.write(self.id, text)

    async def sends(self, kind: str, content: bytes, *, mime_type: str, caption: str = "") -> None:
        """Send a "photo", "voice" or "document"."""
        self._exchange.bot.send_file(self.id, kind, content, mime_type=mime_type, caption=caption)

    async def receives(self, containing: str = "", within: float = PATIENCE) -> Received:
        """Wait for a message, new or changed, with these words. Raises AssertionError."""
        return await self._inbox.claim(containing, within)

    async def press(self, label: str, within: float = PATIENCE) -> None:
        """Press the newest button with this label, as soon as it is there. Raises AssertionError."""
        await _until(lambda: self._press(label), f"there is no button {label!r}", within)

    def block(self, *, blocked: bool = True) -> None:
        """Block the bot, or let it in again."""
        self._exchange.bot.block(self.id, blocked=blocked)

    def screen(self) -> list[str]:
        """What can be read in the chat now, from both sides, oldest first."""
        return [message.text for (chat, _), message in self._exchange.bot.messages.items() if chat == self.id]

    def unexpected(self) -> list[str]:
        """Messages that came and that nobody asked for."""
        return self._inbox.unclaimed()

    def _press(self, label: str) -> bool:
        messages = [message for (chat, _), message in self._exchange.bot.messages.items() if chat == self.id]
        for message in reversed(messages):
            for button in (button for row in message.buttons for button in row):
                if button["text"] == label:
                    self._exchange.bot.press(self.id, message.id, button["data"])
                    return True
        return False


def _insist(done: bool, complaint: str) -> None:
    if not done:
        raise AssertionError(complaint)


async def _until(done: Callable[[], bool], complaint: str, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            while not done():  # noqa: ASYNC110 - to look is often to act: press the key, speak the words
                await asyncio.sleep(_GLANCE)
    except TimeoutError:
        raise AssertionError(complaint) from None
