"""What is kept of a conversation between two turns: its state, how bad it looks, and the end of the code it was given.

Plain JSON for the vault, which locks it in the epoch. No word of the person is in it: reasons are kept without
theirs. Staff's answers that a code opened are, for the short while until it is safe to say them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dialogs.conversation import Conversation
from triage.levels import Assessment

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadState:
    """One person's thread. `code_end`: the last group of the code just given; `waiting`: staff's answers that a code
    opened, with their ids, until the person has heard them; `heard`: ids of those that were just said; `envelope`: the
    number of the entry in which this thread's address is sealed.
    """

    conversation: Conversation = field(default_factory=Conversation)
    assessment: Assessment | None = None
    code_end: str = field(default="", repr=False)
    waiting: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    heard: tuple[str, ...] = ()
    envelope: int = 0

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
        )


def _without_words(assessment: Assessment) -> Assessment:
    return replace(assessment, reasons=tuple(replace(reason, words="") for reason in assessment.reasons))
