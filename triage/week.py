"""A stretch of the calendar as it is drawn: bars of layers and people, gaps, hours of each, and who has too much. Pure.

What a screen makes of it is the console's and the command's; who is on duty is decided in rota.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from triage.hours import DAY, days_between, instant, zone_of
from triage.rota import Rota, Shift, layer_duty, shifts, stretches

NIGHT: Final = (time(22), time(7))  # local hours of a night
_MOST_OF_A_NIGHT: Final = timedelta(hours=3)  # on duty so long within them: the night counts
_LOOK: Final = timedelta(days=14)  # how far overload is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """`who` is on duty from `start` until `end` (UTC); "" is nobody."""

    start: datetime
    end: datetime
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the picture: a layer with whose turn it is, or a person with when they are on duty."""

    id: str
    bars: tuple[Bar, ...]

    @property
    def hours(self) -> float:
        """How many hours its bars last together."""
        return sum((b.end - b.start for b in self.bars if b.who), timedelta()) / timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What is drawn: days begin at local midnight, so one of them may have 23 or 25 hours."""

    start: datetime
    end: datetime
    days: tuple[datetime, ...]
    layers: tuple[Row, ...]
    people: tuple[Row, ...]
    gaps: tuple[Shift, ...]
    shifts: tuple[Shift, ...]

    def share(self, at: datetime) -> float:
        """Where a moment lies, from 0 to 1."""
        return min(1.0, max(0.0, (at - self.start) / (self.end - self.start)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """More than this is too much. None: not looked at."""

    hours: float | None = None  # in any seven days
    nights: int | None = 7  # in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload:
    """Somebody has more than the limits allow: so many hours within seven days, or so many nights in a row."""

    responder: str
    hours: float = 0
    nights: int = 0
    since: datetime


def week(rota: Rota, first: date, zone: str, *, days: int = 7) -> Week:
    """The picture of `days` days from the local midnight of `first`."""
    place = zone_of(zone)
    marks = tuple(instant(first + n * DAY, time(0), place) for n in range(days + 1))
    start, end = marks[0], marks[-1]
    found = shifts(rota, start, end)
    cuts = tuple(stretches(rota, start, end))
    layers = [Row(id=layer.id, bars=_joined((b, e, layer_duty(rota, layer, b) or "") for b, e in cuts))
              for layer in rota.layers if not layer.standby]  # fmt: skip
    for name in dict.fromkeys(p.calendar for p in rota.planned):
        bars = _joined((b, e, _planned(rota, name, b)) for b, e in cuts)
        layers.insert(0, Row(id=name, bars=bars))
    people = [Row(id=person.id, bars=on_duty_of(person.id, found)) for person in rota.responders]
    return Week(
        start=start,
        end=end,
        days=marks[:-1],
        layers=tuple(layers),
        people=tuple(people),
        gaps=tuple(shift for shift in found if not shift.responders),
        shifts=found,
    )


def on_duty_of(responder: str, found: Sequence[Shift]) -> tuple[Bar, ...]:
    """When somebody is on duty, neighbours joined: what they would call their shifts."""
    return tuple(
        bar
        for bar in _joined((s.start, s.end, responder if responder in s.responders else "") for s in found)
        if bar.who
    )


def overloads(rota: Rota, start: datetime, limits: Limits) -> tuple[Overload, ...]:
    """Who has too much in the two weeks from `start`. Without a calendar nobody's hours are planned."""
    if not rota.has_calendar:
        return ()
    found = shifts(rota, start, start + _LOOK)
    loads: list[Overload] = []
    for person in rota.responders:
        bars = on_duty_of(person.id, found)
        if limits.hours is not None and (most := _most_hours(bars, limits.hours)):
            loads.append(Overload(responder=person.id, hours=most[0], since=most[1]))
        if limits.nights is not None and (row := _nights(bars, start, person.time_zone))[0] > limits.nights:
            loads.append(Overload(responder=person.id, nights=row[0], since=row[1]))
    return tuple(loads)


def hours_of(picture: Week) -> Mapping[str, float]:
    """Hours on duty of each person within the picture."""
    return {row.id: row.hours for row in picture.people}


def _planned(rota: Rota, name: str, at: datetime) -> str:
    return next((p.responder for p in rota.planned if p.calendar == name and p.start <= at < p.end), "")


def _joined(parts: Iterable[tuple[datetime, datetime, str]]) -> tuple[Bar, ...]:
    found: list[Bar] = []
    for start, end, who in parts:
        if found and found[-1].who == who and found[-1].end == start:
            found[-1] = Bar(start=found[-1].start, end=end, who=who)
        else:
            found.append(Bar(start=start, end=end, who=who))
    return tuple(found)


def _most_hours(bars: Sequence[Bar], most: float) -> tuple[float, datetime] | None:
    """The first seven days, from the beginning of one of their shifts, that hold more than `most` hours."""
    for bar in bars:
        until = bar.start + 7 * DAY
        held = sum((min(b.end, until) - b.start for b in bars if bar.start <= b.start < until), timedelta())
        if held > timedelta(hours=most):
            return held / timedelta(hours=1), bar.start
    return None


def _nights(bars: Sequence[Bar], start: datetime, zone: str) -> tuple[int, datetime]:
    """The longest row of nights, and when its first night begins."""
    place = zone_of(zone)
    best, row, since = (0, start), 0, start
    for day in days_between(start, start + _LOOK, place):
        begins, ends = instant(day, NIGHT[0], place), instant(day + DAY, NIGHT[1], place)
        held = sum((max(timedelta(), min(b.end, ends) - max(b.start, begins)) for b in bars), timedelta())
        if held < _MOST_OF_A_NIGHT:
            row = 0
            continue
        since = begins if row == 0 else since
        row += 1
        best = max(best, (row, since), key=lambda found: found[0])
    return best
