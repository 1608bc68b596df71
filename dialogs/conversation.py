"""The state of one conversation: a frozen value that goes to plain JSON and back between any two turns.

No word that a person said may live here, and nothing that tells who they are: only steps, choices and flags.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

VERSION = 1


class Mode(StrEnum):
    """Which twin of each phrase is said."""

    PLAIN = "plain"
    DISCREET = "discreet"


class Phase(StrEnum):
    """Where a conversation stands."""

    NEW = "new"  # nothing has happened yet
    ASKING = "asking"  # a question waits for an answer
    PARKED = "parked"  # the person cannot talk now
    RESTED = "rested"  # it fell silent, or the call ended
    ENDED = "ended"  # the flow came to its end


class CodeState(StrEnum):
    """What has become of a return code in this conversation."""

    NONE = "none"
    GIVEN = "given"
    CONFIRMED = "confirmed"
    OPENED = "opened"


class UnknownVersion(Exception):
    """This conversation was saved by another version: upgrade this process, or let the other one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One person's conversation with the line.

    `language` is a tag of locales/ or "" while unknown; `chosen` maps a step to the choice made there; `interrupted`
    holds the steps to go back to, last first; `heard` is the hour (UTC, "2026-01-31T18") of the last event.
    """

    phase: Phase = Phase.NEW
    step: str = ""
    interrupted: tuple[str, ...] = ()
    language: str = ""
    language_chosen: bool = False  # by the person: no detection changes it any more
    tongue: str = ""  # what their words are in, as far as that is known; perhaps one that the line does not speak
    likely: tuple[str, ...] = ()  # the line's languages that they probably read, while theirs is not known for sure
    mode: Mode = Mode.PLAIN
    chosen: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)  # what the person's words told before it was asked
    facts_confirmed: bool = False
    told: bool = False  # the person has told what it is about
    kept: bool = False  # something was sealed into a case
    filed: bool = False
    danger_shown: bool = False
    human: bool = False  # a staff member is writing; we are silent and keep what is said
    contact_rule: str = ""  # "" means the default, never first
    code: CodeState = CodeState.NONE
    code_known_to_staff: bool = False  # the opened code; the person is given one of their own
    waiting: int = 0  # answers under the opened code that were not read out yet
    ask_safe: bool = True  # nobody has answered yet whether it is safe
    guarded: bool = False  # there is a check word: it is asked before we say more to somebody who comes back
    duress: bool = False  # the duress word was said: nothing but a calm sentence, until the check word
    noise: int = 0  # messages that were jokes or adverts
    trail: tuple[str, ...] = ()  # questions that were asked, to go back to
    tries: int = 0
    silences: int = 0
    again: str = ""  # the step whose question was asked for once more; asked for twice, it is said slowly
    slow: bool = False  # from then on to the end of the call
    page: int = 0  # of a menu that is longer than the keypad
    said: tuple[str, ...] = ()  # phrases that are said once
    heard: str = ""

    @property
    def way(self) -> str:
        """The way through that was taken, or ""."""
        return self.chosen.get("way", "")

    def but(self, **changes: Any) -> "Conversation":
        """The same conversation with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain values for storage; the inverse of `from_json`."""
        made: dict[str, Any] = {"version": VERSION}
        for part in fields(self):
            value = getattr(self, part.name)
            made[part.name] = _PLAIN.get(part.name, _as_it_is)(value)
        return made

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Conversation":
        """Rebuild a conversation saved with `to_json`. Raises UnknownVersion."""
        if value.get("version") != VERSION:
            raise UnknownVersion(
                f"a conversation of version {value.get('version')!r} cannot be read here, only version {VERSION}: "
                "upgrade this process, or let the one that saved it answer"
            )
        kinds = {part.name: part for part in fields(cls)}
        unknown = sorted(set(value) - set(kinds) - {"version"})
        if unknown:
            raise UnknownVersion(f"a conversation with unknown parts ({', '.join(unknown)}): upgrade this process")
        return cls(**{name: _RICH.get(name, _as_it_is)(value[name]) for name in kinds if name in value})


def _as_it_is(value: Any) -> Any:
    return value


_PLAIN = {
    "chosen": dict,
    "facts": dict,
    "interrupted": list,
    "likely": list,
    "said": list,
    "trail": list,
    "phase": str,
    "mode": str,
    "code": str,
}
_RICH = {
    "interrupted": tuple,
    "likely": tuple,
    "said": tuple,
    "trail": tuple,
    "phase": Phase,
    "mode": Mode,
    "code": CodeState,
}
