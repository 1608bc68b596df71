"""How bad: the four levels, the reasons for one, and the assessment that carries both. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    """Order of urgency; a greater value is worse (domain.md, section 1)."""

    INFORMATION = 0
    STANDARD = 1
    HIGH = 2
    EMERGENCY = 3

    @property
    def word(self) -> str:
        """Lower-case name, as stored and shown: "emergency"."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Level":
        """The level with this name. Raises ValueError."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"no level is called {word!r}: use one of {', '.join(m.word for m in cls)}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a level was given: a rule's name, the level it asks for, and the words or answer that fired it.

    `times`: in how many messages it fired; a sign that comes back counts for more.
    """

    rule: str
    level: Level
    words: str = field(default="", repr=False)
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The level of a report with all reasons, worst first. `unread`: no engine has read it, so a human must."""

    level: Level
    reasons: tuple[Reason, ...] = ()
    life_at_risk: bool = False
    unread: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be sealed with the case: they hold words. The inverse of `from_json`."""
        return {
            "level": self.level.word,
            "reasons": [[r.rule, r.level.word, r.words, r.times] for r in self.reasons],
            "life_at_risk": self.life_at_risk,
            "unread": self.unread,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Assessment":
        """Rebuild an assessment that was stored with `to_json`."""
        return cls(
            level=Level.of(value["level"]),
            reasons=tuple(
                Reason(rule=rule, level=Level.of(level), words=words, times=times)
                for rule, level, words, times in value["reasons"]
            ),
            life_at_risk=value["life_at_risk"],
            unread=value["unread"],
        )
