"""What is kept of a conversation between two turns: its state, how bad it looks, and the end of the code it was given.

Plain JSON for the vault, which locks it in the epoch. No word of the person is in it: reasons are kept without
theirs. Staff's answers that a code opened are, for the short while until it is safe to say them.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dialogs.conversation import Conversation
from triage.levels import Assessment
from vault.words import AgreedWords

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """A caller is being put through. `page`: the attempt that is going on; `tried`: responders who were rung, each with
    whether they had the case then."""

    page: uuid.UUID
    tried: tuple[tuple[str, bool], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; the inverse of `from_json`."""
        return {"page": str(self.page), "tried": [list(one) for one in self.tried]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Calling":
        """Rebuild what was stored."""
        return cls(page=uuid.UUID(value["page"]), tried=tuple((who, had) for who, had in value["tried"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A member of staff writes with this person. `acted`: the minute in which they last did something; `heard`: that of
    the person's last sign; the address is where both sides' words go, as long as it lasts."""

    id: uuid.UUID
    member: uuid.UUID
    channel: str
    address: str = field(repr=False)
    acted: datetime
    heard: datetime

    def to_json(self) -> dict[str, Any]:
        """Plain values; the inverse of `from_json`."""
        return {
            "id": str(self.id),
            "member": str(self.member),
            "channel": self.channel,
            "address": self.address,
            "acted": self.acted.isoformat(),
            "heard": self.heard.isoformat(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Live":
        """Rebuild what was stored."""
        return cls(
            id=uuid.UUID(value["id"]),
            member=uuid.UUID(value["member"]),
            channel=value["channel"],
            address=value["address"],
            acted=datetime.fromisoformat(value["acted"]),
            heard=datetime.fromisoformat(value["heard"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """The chat a thread is held in. `began`: the hour of its first turn, None when it is older than this note of it;
    `left`: messages that could not be erased, `older`: there may be some too old to erase; both not told yet."""

    began: datetime | None = None
    left: int = 0
    older: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values; the inverse of `from_json`."""
        return {"began": self.began.isoformat() if self.began else None, "left": self.left, "older": self.older}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Chat":
        """Rebuild what was stored; nothing was by the first release."""
        began = value.get("began")
        return cls(
            began=datetime.fromisoformat(began) if began else None,
            left=value.get("left", 0),
            older=value.get("older", False),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadState:
    """One person's thread.

    `code_end`: the last group of the code just given or opened; `waiting`: staff's answers that a code opened, with
    their ids, until the person has heard them; `heard`: ids of those that were just said; `envelope`: the number of the
    entry in which this thread's address is sealed; `signed`: the minute in which the person last did anything here.
    """

    conversation: Conversation = field(default_factory=Conversation)
    assessment: Assessment | None = None
    code_end: str = field(default="", repr=False)
    waiting: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    heard: tuple[str, ...] = ()
    envelope: int = 0
    chat: Chat = field(default_factory=Chat)
    calling: Calling | None = None  # as long as a phone rings for this caller, or they talk; any other turn ends it
    live: Live | None = None
    signed: datetime | None = None
    left_unsaid: bool = False  # a member of staff left while the person was away: they are told when they are back
    words: AgreedWords | None = None  # digests of the words that were agreed on

    def but(self, **changes: Any) -> "ThreadState":
        """The same with some parts changed."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the inverse of `from_json`."""
        return {
            "version": _VERSION,
            "conversation": self.conversation.to_json(),
            "assessment": _without_words(self.assessment).to_json() if self.assessment else None,
            "code_end": self.code_end,
            "waiting": [list(answer) for answer in self.waiting],
            "heard": list(self.heard),
            "envelope": self.envelope,
            "chat": self.chat.to_json(),
            "calling": self.calling.to_json() if self.calling else None,
            "live": self.live.to_json() if self.live else None,
            "signed": self.signed.isoformat() if self.signed else None,
            "left_unsaid": self.left_unsaid,
            "words": self.words.to_json() if self.words else None,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ThreadState":
        """Rebuild a stored thread. Raises dialogs.conversation.UnknownVersion for a conversation from the future."""
        stored = value["assessment"]
        return cls(
            conversation=Conversation.from_json(value["conversation"]),
            assessment=Assessment.from_json(stored) if stored else None,
            code_end=value["code_end"],
            waiting=tuple((answer_id, text) for answer_id, text in value["waiting"]),
            heard=tuple(value["heard"]),
            envelope=value["envelope"],
            chat=Chat.from_json(value.get("chat", {})),
            calling=Calling.from_json(called) if (called := value.get("calling")) else None,
            live=Live.from_json(live) if (live := value.get("live")) else None,
            signed=datetime.fromisoformat(signed) if (signed := value.get("signed")) else None,
            left_unsaid=value.get("left_unsaid", False),
            words=AgreedWords.from_json(words) if (words := value.get("words")) else None,
        )


def _without_words(assessment: Assessment) -> Assessment:
    return replace(assessment, reasons=tuple(replace(reason, words="") for reason in assessment.reasons))
