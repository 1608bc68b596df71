"""What crosses the border between a provider and the house: a message in, an answer or a message out.

Only plain, frozen values live here, and the one error that every adapter raises. No provider's
field name, no HTTP and no storage: those belong to the adapter of that provider.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from aiohttp import web

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_UNPAIRED = re.compile("[\ud800-\udfff\ufffe\uffff]")


def legible(text: str) -> str:
    """The same text as UTF-8, XML 1.0 and PostgreSQL can carry it.

    Control characters are dropped; halves of surrogate pairs and the two noncharacters of plane 0 become U+FFFD.
    Every adapter applies it to what comes in and to what goes out: one stray byte must not lose a message.
    """
    return _UNPAIRED.sub("\ufffd", _CONTROLS.sub("", text))


class ChannelName(StrEnum):
    """The ways a person can reach the line."""

    SMS = "sms"
    VOICE = "voice"
    TELEGRAM = "telegram"


class IncomingKind(StrEnum):
    """What kind of thing came in."""

    TEXT = "text"  # words, typed
    SPEECH = "speech"  # words, spoken, transcribed by the provider
    DIGITS = "digits"  # keypad
    CHOICE = "choice"  # a button; `text` is the Choice.id
    STARTED = "started"  # a call was answered, or /start on Telegram; no words
    PICKED_UP = "picked_up"  # a phone that Connect rang was picked up, by a human or by a machine
    DIALLED = "dialled"  # Connect is over and the caller is back; `text` is a DialOutcome
    SILENCE = "silence"  # a prompt timed out
    HANGUP = "hangup"  # the call is over
    BLOCKED = "blocked"  # the person wrote a carrier's stop word: no text of ours comes through until they allow it
    ATTACHMENT = "attachment"  # photo, voice note, file; `text` is the caption, often empty


class DeliveryState(StrEnum):
    """How far a message or call that we sent has come. Only DELIVERED and ANSWERED count as reached."""

    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    FAILED = "failed"


class DialOutcome(StrEnum):
    """How Connect ended. Only CONNECTED means that two people could speak."""

    CONNECTED = "connected"
    NOT_TAKEN = "not_taken"  # picked up, and no key was pressed: a voicemail box, or a hand that hung up
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    CANCELED = "canceled"


class Expect(StrEnum):
    """What the person may do next; a channel uses it to choose its prompt."""

    ANYTHING = "anything"  # words or a choice
    CODE = "code"  # a long number, typed or keyed
    NOTHING = "nothing"  # the conversation rests; voice hangs up
    TALK = "talk"  # nothing of ours follows: two people are put through to each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a person can be reached on one channel. Never printed: repr shows the channel only."""

    channel: ChannelName
    # E.164 number, or Telegram chat id in decimal, or "call:<id>" for a call whose number is withheld: that address
    # lasts as long as the call, so that two people who hide their numbers never share a conversation.
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One thing a person may pick."""

    id: str  # comes back as Incoming.text when a button is pressed; at most 60 bytes (Telegram allows 64)
    key: str  # digit to type or press, "" for none
    label: str
    spoken: str = ""  # how voice offers it, e.g. "Yes: press 1."
    language: str = ""  # tag of the voice that reads it, when that is not the Answer's: the name of a language


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Ring somebody for a caller, who waits; a phone that is picked up is asked first (Incoming PICKED_UP).

    Both sides see the line's own number. `reference` comes back with what happens on that phone, and with DIALLED.
    """

    address: Address
    reference: str
    seconds: int  # how long it rings


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One thing for the ear: the address of its recording below PUBLIC_URL, or words for a voice to read; neither is
    a pause."""

    text: str = field(default="", repr=False)
    language: str = ""  # tag of the voice
    recording: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What we say next, before a channel renders it. `language` is a BCP-47 tag.

    `connect` belongs to Expect.TALK for a caller: whom to ring after the words. Only voice can do it. So are the last
    three: `aloud` stands for text and choices where recordings are played, `slow` says all of it slowly, and `patience`
    is how many seconds may pass in silence, 0 for what is usual.
    """

    text: str = field(repr=False)
    language: str
    choices: tuple[Choice, ...] = field(default=(), repr=False)
    expect: Expect = Expect.ANYTHING
    connect: Connect | None = None
    aloud: tuple[Utterance, ...] = field(default=(), repr=False)
    slow: bool = False
    patience: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values for storage; the inverse of `from_json`."""
        to = self.connect
        return {
            "text": self.text,
            "language": self.language,
            "expect": self.expect.value,
            "connect": [to.address.channel.value, to.address.value, to.reference, to.seconds] if to else None,
            "aloud": [[u.text, u.language, u.recording] for u in self.aloud],
            "slow": self.slow,
            "patience": self.patience,
            "choices": [[c.id, c.key, c.label, c.spoken, c.language] for c in self.choices],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Answer":
        """Rebuild an answer that was stored with `to_json`."""
        return cls(
            text=value["text"],
            language=value["language"],
            expect=Expect(value["expect"]),
            connect=_connect(*to) if (to := value.get("connect")) else None,
            aloud=tuple(Utterance(text=t, language=tag, recording=r) for t, tag, r in value.get("aloud", ())),
            slow=value.get("slow", False),
            patience=value.get("patience", 0),
            choices=tuple(Choice(id=i, key=k, label=n, spoken=s, language=tag) for i, k, n, s, tag in value["choices"]),
        )


def _connect(channel: str, value: str, reference: str, seconds: int) -> Connect:
    return Connect(address=Address(channel=ChannelName(channel), value=value), reference=reference, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One thing a person (or a responder) did. Holds nothing of the provider's but what is named here."""

    id: str  # the provider's id of this very event, unique per channel; a repeated webhook repeats it
    address: Address
    kind: IncomingKind
    text: str = field(default="", repr=False)
    reference: str = ""  # our own reference that the provider carried back, e.g. a page id on a call
    media: tuple[str, ...] = field(default=(), repr=False)  # provider URLs or file ids; not fetched here
    copies: tuple[str, ...] = ()  # provider resources that now hold a copy: "messages/SM..", "calls/CA.."


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message or call that we begin. `reference` comes back with key presses and delivery news."""

    address: Address
    answer: Answer
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The provider took it. `id` finds it again; `state` is ACCEPTED unless the provider says more.

    `copies` is everything that the provider now holds of it, as in Incoming.copies: a long text is several messages.
    """

    id: str
    copies: tuple[str, ...]
    state: DeliveryState = DeliveryState.ACCEPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """News about something we sent: `reference` is the Outgoing's, `error` the provider's number.

    `reference` is "" for an answer that went out in a webhook's response; such news matters for `copy` alone.
    """

    reference: str
    state: DeliveryState
    error: int | None = None
    copy: str = ""  # provider resource, as in Incoming.copies


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a channel can render."""

    buttons: bool
    keypad: bool
    speech: bool
    max_text: int  # characters in one Answer.text
    answers_in_response: bool  # True: the webhook's response carries the answer


class SendError(Exception):
    """The provider did not take the message: `say` tells staff why and what to do about it.

    `retry` is True when the same message may work later; `after` is how long to wait, in seconds;
    `code` is the provider's error number, or None when it gave none.
    """

    def __init__(self, code: int | None, *, retry: bool, say: str, after: float | None = None) -> None:
        super().__init__(say)
        self.code = code
        self.retry = retry
        self.say = say
        self.after = after


class NotKept(Exception):
    """What came in could not be stored. `answer` tells the person; None lets the provider try again."""

    def __init__(self, answer: Answer | None = None) -> None:
        super().__init__("the message could not be stored")
        self.answer = answer


Receive = Callable[[Incoming], Awaitable[Answer | None]]
"""Handle one incoming event. None: nothing to say (a duplicate hang-up, a human is writing)."""

Report = Callable[[Delivery], Awaitable[None]]
"""Handle delivery news."""

Refused = Callable[[ChannelName, str], None]
"""Count a webhook that was refused or went wrong: channel and a fixed reason.

Refused: "signature", "malformed", "too_large", "slow". Went wrong on our side: "failed:<type of the error>" (the
provider may try again), "abandoned" (tried too often and passed over), "courtesy" (a politeness did not work),
"no_voice" (an answer was in a language that the provider cannot speak).
"""


class Channel(Protocol):
    """One way to reach people. An adapter is built once and holds no state about a person."""

    @property
    def name(self) -> ChannelName: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def routes(self, receive: Receive, report: Report, refused: Refused) -> Sequence[web.RouteDef]:
        """The webhooks of this channel; each checks its signature before it looks at anything else."""
        ...

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Hand one message or call to the provider. Raises SendError."""
        ...

    async def erase_copy(self, copy: str) -> bool:
        """Delete one provider copy; True once the provider confirms that it is gone. Raises SendError."""
        ...

    async def close(self) -> None:
        """Give back the connections."""
        ...
