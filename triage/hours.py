"""Hours on the wall clock of a place, and the instants they mean: daylight saving is done here and nowhere else.

Pure: no clock. Also how hours are written by people, "mon-fri 18:00-08:00". Who has which hours is not decided here.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY: Final = timedelta(days=1)
EVERY_DAY: Final = frozenset(range(7))
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAYS: Final = "|".join(WEEKDAYS)
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_LIST: Final = rf"(?:{_DAYS})(?:-(?:{_DAYS}))?(?:,(?:{_DAYS})(?:-(?:{_DAYS}))?)*"
_WINDOW: Final = re.compile(rf"(?:(?P<days>{_LIST})\s+)?(?P<start>{_CLOCK})\s*-\s*(?P<end>{_CLOCK}|24:00)")
_MOMENT: Final = re.compile(rf"(?:(?P<days>{_LIST})\s+)?(?P<at>{_CLOCK})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Local hours on some weekdays (Monday is 0). An `end` not after `start` lies on the following day."""

    start: time
    end: time
    days: frozenset[int] = EVERY_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time of day on some weekdays."""

    at: time
    days: frozenset[int] = EVERY_DAY


@cache
def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name. Raises ValueError with the remedy."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone is called {name!r}: use a name such as Europe/Madrid") from None


def instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A wall-clock time as UTC. When summer time ends it is the first of the two; in the hour that is skipped
    when it begins, the clock is read as if it had not been moved yet (PEP 495, fold=0)."""
    return datetime.combine(day, clock.replace(fold=0), tzinfo=zone).astimezone(UTC)


def span(window: Window, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From when until when a window that begins on `day` lasts, in UTC."""
    last = day if window.end > window.start else day + DAY
    return instant(day, window.start, zone), instant(last, window.end, zone)


def within(windows: Iterable[Window], zone: ZoneInfo, now: datetime) -> bool:
    """True when `now` lies in one of the windows."""
    today = now.astimezone(zone).date()
    spans = (span(w, day, zone) for w in windows for day in (today - DAY, today) if day.weekday() in w.days)
    return any(begins <= now < ends for begins, ends in spans)


def days_between(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[date]:
    """Every local date from `start` to `end`, with one more at each end."""
    day, last = start.astimezone(zone).date() - DAY, end.astimezone(zone).date() + DAY
    while day <= last:
        yield day
        day += DAY


def read_window(text: str) -> Window:
    """ "mon-fri 18:00-08:00", or "18:00-08:00" for every day. Raises ValueError with the remedy."""
    found = _WINDOW.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError('hours are written like "mon-fri 18:00-08:00" or "sat,sun 00:00-24:00": write them so')
    end = time(0) if found["end"] == "24:00" else time.fromisoformat(found["end"])
    return Window(start=time.fromisoformat(found["start"]), end=end, days=_days(found["days"]))


def read_moment(text: str) -> Moment:
    """ "mon,thu 18:00", or "18:00" for every day. Raises ValueError with the remedy."""
    found = _MOMENT.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError('a hand-over is written like "mon 09:00" or "mon,thu 18:00": write it so')
    return Moment(at=time.fromisoformat(found["at"]), days=_days(found["days"]))


def said(window: Window) -> str:
    """A window as people write it; `read_window` reads it back."""
    end = "24:00" if window.end == time(0) else f"{window.end:%H:%M}"
    hours = f"{window.start:%H:%M}-{end}"
    return hours if window.days == EVERY_DAY else f"{_said_days(window.days)} {hours}"


def _days(text: str | None) -> frozenset[int]:
    if not text:
        return EVERY_DAY
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        begins, ends = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        found |= {day % 7 for day in range(begins, ends + (8 if ends < begins else 1))}
    return frozenset(found)


def _said_days(days: frozenset[int]) -> str:
    """Runs of three and more as "mon-fri"; everything else one by one."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    parts = [
        f"{WEEKDAYS[run[0]]}-{WEEKDAYS[run[-1]]}" if len(run) > 2 else ",".join(WEEKDAYS[day] for day in run)
        for run in runs
    ]
    return ",".join(parts)
