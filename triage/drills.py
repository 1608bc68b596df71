"""Drills judged: what one came to, in which shift it fell, and what many of them say together. Pure.

Ids, states and seconds only: no word of a scenario, no name and no number of anybody gets in here. What a scripted
person says is in drills/, and who says it is bot/drills.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median
from zoneinfo import ZoneInfo

from triage.levels import Level

ROUND = 5  # seconds: a time is kept to this


class Announce(StrEnum):
    """When responders and staff are told that it is a drill."""

    AFTER = "after_acknowledge"
    AT_ONCE = "at_once"


class DrillState(StrEnum):
    """What became of a drill."""

    RUNNING = "running"
    PASSED = "passed"
    SLOW = "slow"  # all of it happened, later than the scenario asks for or at a lower level
    UNANSWERED = "unanswered"  # somebody had it, and wrote no word
    NOBODY = "nobody"  # paged up to the outside number, and nobody had it
    UNPAGED = "unpaged"  # nobody was paged at all
    CALLED_OFF = "called_off"  # a real report came: it must not compete with an exercise
    BROKEN = "broken"  # what the scripted person said did not get in

    @property
    def good(self) -> bool:
        """True when there is nothing to look into."""
        return self in {DrillState.PASSED, DrillState.CALLED_OFF, DrillState.RUNNING}


class Shift(StrEnum):
    """The part of the day in which a drill began, by the line's own clock."""

    DAY = "day"
    EVENING = "evening"
    NIGHT = "night"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a scenario asks for: a level, and seconds from the first message on."""

    level: Level
    page: int
    acknowledge: int
    answer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was seen of a drill: its level, and seconds from its first message on; None: not yet, or never."""

    level: Level | None = None
    page: int | None = None
    acknowledge: int | None = None
    answer: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where a drill stands. `age`: seconds since it began; `said`: the scripted person has nothing more to say;
    `given_up`: the ladder was climbed to its end; `real`: the alert of a real report rings."""

    age: float
    said: bool
    given_up: bool
    real: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One drill that is over, or running."""

    scenario: str
    language: str
    begun_at: datetime
    state: DrillState
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Several drills of one language and shift. Times are medians in seconds; None: there is none to count."""

    language: str
    shift: Shift
    drills: int
    passed: int
    page: int | None
    acknowledge: int | None
    answer: int | None


def rounded(seconds: float) -> int:
    """Seconds as they are kept: never before it began, and to five."""
    return max(0, round(seconds / ROUND) * ROUND)


def verdict(expected: Expected, figures: Figures, now: Situation) -> DrillState:
    """What a drill has come to. RUNNING until there is nothing more to wait for; a real alert ends it at once."""
    if now.real:
        return DrillState.CALLED_OFF
    if figures.answer is not None and figures.acknowledge is not None:
        return DrillState.PASSED if _is_as_expected(expected, figures) else DrillState.SLOW
    if figures.acknowledge is not None:
        return DrillState.UNANSWERED if now.age > 2 * expected.answer else DrillState.RUNNING
    if now.given_up:
        return DrillState.NOBODY
    if figures.page is None and now.said and now.age > 2 * expected.page:
        return DrillState.UNPAGED
    # A ladder that lasts longer than anybody would wait for the answer tells nothing more.
    return DrillState.NOBODY if now.age > 2 * expected.acknowledge + expected.answer else DrillState.RUNNING


def _is_as_expected(expected: Expected, figures: Figures) -> bool:
    pairs = (
        (figures.page, expected.page),
        (figures.acknowledge, expected.acknowledge),
        (figures.answer, expected.answer),
    )
    in_time = all(seen is not None and seen <= wanted for seen, wanted in pairs)
    return in_time and figures.level is not None and figures.level >= expected.level


def shift_of(moment: datetime, zone: ZoneInfo) -> Shift:
    """The shift of a moment: day from 6, evening from 14, night from 22."""
    return shift_at(moment.astimezone(zone).hour)


def shift_at(hour: int) -> Shift:
    """The shift of an hour of the day."""
    if hour < 6 or hour >= 22:
        return Shift.NIGHT
    return Shift.DAY if hour < 14 else Shift.EVENING


def summaries(outcomes: Iterable[Outcome], zone: ZoneInfo) -> tuple[Summary, ...]:
    """Per language and shift. Drills that run, were called off or never got in say nothing about the people."""
    silent = {DrillState.RUNNING, DrillState.CALLED_OFF, DrillState.BROKEN}
    grouped: dict[tuple[str, Shift], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.state not in silent:
            grouped.setdefault((outcome.language, shift_of(outcome.begun_at, zone)), []).append(outcome)
    return tuple(_summary(language, shift, group) for (language, shift), group in sorted(grouped.items()))


def _summary(language: str, shift: Shift, group: Sequence[Outcome]) -> Summary:
    return Summary(
        language=language,
        shift=shift,
        drills=len(group),
        passed=sum(outcome.state is DrillState.PASSED for outcome in group),
        page=_middle(o.figures.page for o in group),
        acknowledge=_middle(o.figures.acknowledge for o in group),
        answer=_middle(o.figures.answer for o in group),
    )


def _middle(seconds: Iterable[int | None]) -> int | None:
    known = [each for each in seconds if each is not None]
    return rounded(median(known)) if known else None
