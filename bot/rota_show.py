"""The calendar in plain characters, as wide as a terminal: a week's bars, what is missing, and who has too much.

Text only: what is drawn is decided in triage/week.py. Numbers and chat ids are never shown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.house import House
from channels.messages import ChannelName
from triage.rota import Responder, Rota, Shift, gaps
from triage.week import Bar, Overload, Row, Week, overloads
from vault.paging import StoredResponder
from vault.reach import Reach, Why
from vault.rota import Check, Ready

_STEPS: Final = 8  # characters a day
_NAME: Final = 14  # characters for a name
_MARKS: Final = "#=%+"  # members of one layer, in turn

WHY: Final[Mapping[Why, str]] = {
    Why.MISSED: "no answer before a shift",
    Why.REFUSED: "refused before a shift",
    Why.PAGE_FAILED: "the last page failed",
    Why.WORKS: "works",
}
READY: Final[Mapping[Ready, str]] = {
    Ready.ASKED: "asked, no answer yet",
    Ready.READY: "ready",
    Ready.MISSED: "no answer",
    Ready.FAILED: "refused",
}


def drawn(picture: Week, names: Mapping[str, str], zone: ZoneInfo) -> Iterator[str]:
    """The week: a row for every layer and every person, and a row for nobody where there is a gap."""
    heads = "".join(f"{day.astimezone(zone):%a %d}".ljust(_STEPS) for day in picture.days)
    yield f"{'':{_NAME}} {heads}".rstrip()
    for row in picture.layers:
        marks = {who: _MARKS[n % len(_MARKS)] for n, who in enumerate(dict.fromkeys(b.who for b in row.bars if b.who))}
        yield f"{_cut(row.id)} {_bars(picture, row.bars, marks)}"
        legend = ", ".join(f"{mark} {names.get(who, 'somebody who has left')}" for who, mark in marks.items())
        yield f"{'':{_NAME}} {legend or 'nobody'}"
    for row in picture.people:
        if row.bars:
            yield f"{_cut(names[row.id])} {_bars(picture, row.bars, {row.id: '#'})} {_hours(row)}"
    if picture.gaps:
        nobody = tuple(Bar(start=gap.start, end=gap.end, who="!") for gap in picture.gaps)
        yield f"{'NOBODY':{_NAME}} {_bars(picture, nobody, {'!': '!'})}"


def problems(
    picture: Week,
    overloads: Sequence[Overload],
    reached: Sequence[Reach],
    people: Sequence[StoredResponder],
    zone: ZoneInfo,
) -> list[str]:
    """What needs a hand: gaps, ways that do not work, and too much. One sentence each."""
    names = {str(person.id): person.name for person in people}
    return [
        *(f"Nobody is on duty {when(gap, zone)}. Alerts then go to everyone." for gap in picture.gaps if people),
        *(f"{person.name} has no way to be paged." for person in people if not person.contacts),
        *(
            f"{names[str(bad.responder_id)]} may not be reached by {bad.contact}: {WHY[bad.why]} "
            f"({bad.at.astimezone(zone):%d %b %H:%M})."
            for bad in reached
            if bad.bad and str(bad.responder_id) in names
        ),
        *(f"{names[load.responder]} has {_too_much(load, zone)}." for load in overloads),
    ]


def rota_findings(house: House, rota: Rota, reached: Sequence[Reach], now: datetime) -> list[tuple[str, str]]:
    """What doctor says of the calendar: what was looked at, and the remedy ("" when all is well)."""
    week_ahead = gaps(rota, now, now + timedelta(days=7))
    names = {person.id: person.name for person in rota.responders}
    bad = sorted(
        {f"{names[str(r.responder_id)]} ({r.contact})" for r in reached if r.bad and str(r.responder_id) in names}
    )
    nowhere = sorted({person.name for person in rota.responders if not _reachable(house, person)})
    loads = sorted({names[load.responder] for load in overloads(rota, now, house.line.rota.limits)})
    coordinators = any(person.coordinator for person in rota.responders)
    return [
        (
            "on call",
            f"{len(week_ahead)} stretches of next week have nobody: harborline rota show, then on_call in line.yml "
            "or harborline rota override."
            if week_ahead
            else "",
        ),
        ("ways to responders", f"The last try failed for {', '.join(bad)}: call them, or plan a swap." if bad else ""),
        (
            "methods of responders",
            f"No channel of this line pages {', '.join(nowhere)}: harborline rota change, or set the channel up."
            if nowhere
            else "",
        ),
        ("load", f"{', '.join(loads)} have more than rota.most_* allows: harborline rota show." if loads else ""),
        (
            "coordinator",
            "Nobody is told of who does not answer before a shift: harborline rota change NAME --coordinator yes."
            if rota.has_calendar and not coordinators
            else "",
        ),
    ]


def _reachable(house: House, person: Responder) -> bool:
    return any(ChannelName(method.kind) in house.channels for method in person.methods)


def person_line(person: StoredResponder, checks: Sequence[Check], *, feed: bool) -> str:
    """One responder: languages, ways, hours, skills, and how the last questions before a shift went. No number."""
    asked = {check.contact: READY[check.state] for check in checks if check.responder_id == person.id}
    ways = ", ".join(f"{key} ({asked[key]})" if key in asked else key for key, _ in person.keyed())
    more = [
        f"hours {'; '.join(person.hours)}{f' {person.time_zone}' if person.time_zone else ''}" if person.hours else "",
        f"skills {','.join(person.skills)}" if person.skills else "",
        "coordinator" if person.coordinator else "",
        "has a calendar address" if feed else "",
    ]
    return "\t".join([person.name, ",".join(person.languages), ways, *filter(None, more)])


def when(gap: Shift, zone: ZoneInfo) -> str:
    """ "from 24 Nov 18:00 to 25 Nov 09:00"."""
    return f"from {gap.start.astimezone(zone):%d %b %H:%M} to {gap.end.astimezone(zone):%d %b %H:%M}"


def _too_much(load: Overload, zone: ZoneInfo) -> str:
    since = f"from {load.since.astimezone(zone):%d %b}"
    return f"{load.nights} nights in a row, {since}" if load.nights else f"{load.hours:g} hours in 7 days, {since}"


def _bars(picture: Week, bars: Sequence[Bar], marks: Mapping[str, str]) -> str:
    cells = len(picture.days) * _STEPS
    step = (picture.end - picture.start) / cells
    return "".join(_cell(bars, picture.start + step * n, step, marks.get) for n in range(cells))


def _cell(bars: Sequence[Bar], start: datetime, step: timedelta, mark: Callable[[str, str], str]) -> str:
    """Whoever has any of it; a gap of minutes must be seen too, and has a row of its own."""
    held = next((bar.who for bar in bars if bar.who and bar.start < start + step and bar.end > start), "")
    return mark(held, ".")


def _hours(row: Row) -> str:
    return f"{row.hours:g} h"


def _cut(name: str) -> str:
    return name[:_NAME].ljust(_NAME)
