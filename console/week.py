"""The week's picture: bars of layers and people, gaps, hours, and swaps. What is drawn is decided in triage/week.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from console import words
from console.desk import Visit
from triage.rota import Rota
from triage.week import Bar, Overload, Row, Week, overloads, week
from vault.rota import ChangeKind, RotaChange

WIDE: Final = 700  # units of a drawn row
MOST_WEEKS: Final = 8
_TONES: Final = 3
_LEFT: Final = "somebody who has left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One drawn bar."""

    x: float
    width: float
    tone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One drawn row, with what it says in words. `gap`: nobody is on duty."""

    title: str
    says: str
    pieces: tuple[Piece, ...]
    gap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One row of the table. No names: a gap."""

    start: datetime
    end: datetime
    names: str
    hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """One change of the calendar by somebody."""

    id: str
    start: datetime
    end: datetime
    says: str
    mine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """All of the week's page."""

    number: int
    days: tuple[datetime, ...]
    marks: tuple[float, ...]
    layers: tuple[Line, ...]
    people: tuple[Line, ...]
    nobody: Line | None
    table: tuple[Stretch, ...]
    too_much: tuple[str, ...]


def draw(visit: Visit, rota: Rota, names: Mapping[str, str]) -> Drawn:
    """The week that is asked for, from today's local midnight."""
    setup, now = visit.desk.setup, visit.unit.transaction.now
    number = _number(visit.request.query.get("week", ""))
    first = now.astimezone(setup.time_zone).date() + timedelta(days=7 * number)
    picture = week(rota, first, setup.time_zone.key)
    gaps = tuple(Bar(start=gap.start, end=gap.end, who="nobody") for gap in picture.gaps)
    return Drawn(
        number=number,
        days=picture.days,
        marks=tuple(round(WIDE * picture.share(day), 1) for day in picture.days[1:]),
        layers=tuple(_layer(picture, row, names) for row in picture.layers),
        people=tuple(_person(picture, row, names) for row in picture.people if row.bars),
        nobody=Line(title="Nobody", says=_hours(Row(id="", bars=gaps)), pieces=_pieces(picture, gaps), gap=True)
        if gaps
        else None,
        table=tuple(
            Stretch(
                start=s.start,
                end=s.end,
                names=", ".join(names.get(i, _LEFT) for i in s.responders),
                hours=(s.end - s.start) / timedelta(hours=1),
            )
            for s in picture.shifts
        ),
        too_much=tuple(
            f"{names.get(load.responder, _LEFT)}: {_load(load)}" for load in overloads(rota, now, setup.limits)
        ),
    )


def swaps(changes: Sequence[RotaChange], names: Mapping[str, str], me: str, *, all_of_them: bool) -> list[Swap]:
    """Swaps that are not over, the earliest first; `mine` may be taken back by whoever looks."""
    found = [change for change in changes if change.kind is ChangeKind.OVERRIDE]
    return [
        Swap(
            id=str(change.id),
            start=change.start,
            end=change.end,
            says=_says(names.get(change.responder, _LEFT), names.get(change.replaces, _LEFT), change),
            mine=all_of_them or bool(me and me in {change.responder, change.replaces}),
        )
        for change in sorted(found, key=lambda change: change.start)
    ]


def _says(name: str, other: str, change: RotaChange) -> str:
    if not change.responder:
        return f"{other} is away"
    return f"{name} instead of {other}" if change.replaces else f"{name} is on duty too"


def _number(text: str) -> int:
    return min(MOST_WEEKS, int(text)) if text.isascii() and text.isdecimal() and len(text) < 3 else 0


def _layer(picture: Week, row: Row, names: Mapping[str, str]) -> Line:
    turns = [bar for bar in row.bars if bar.who]
    order = list(dict.fromkeys(bar.who for bar in turns))
    says = ", then ".join(dict.fromkeys(names.get(bar.who, _LEFT) for bar in turns)) or "nobody"
    return Line(title=row.id, says=says, pieces=_pieces(picture, turns, order))


def _person(picture: Week, row: Row, names: Mapping[str, str]) -> Line:
    return Line(title=names.get(row.id, _LEFT), says=_hours(row), pieces=_pieces(picture, row.bars))


def _pieces(picture: Week, bars: Sequence[Bar], order: Sequence[str] = ()) -> tuple[Piece, ...]:
    found = []
    for bar in bars:
        begins, ends = WIDE * picture.share(bar.start), WIDE * picture.share(bar.end)
        tone = order.index(bar.who) % _TONES if order else 0
        found.append(Piece(x=round(begins, 1), width=round(max(1.5, ends - begins), 1), tone=tone))
    return tuple(found)


def _hours(row: Row) -> str:
    return f"{row.hours:g} h"


def _load(load: Overload) -> str:
    if load.nights:
        return f"{words.count(load.nights, 'night')} in a row"
    return f"{load.hours:g} hours within seven days"
