"""Who can be reached now, which alerts are ringing, and how far each page has come. Numbers are never shown."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from console import words
from console.desk import Visit
from console.swaps import coming, rights
from console.week import draw, swaps
from triage.alerts import OUTSIDE, Alert, AlertState
from triage.rota import Method, Rota, gaps, on_duty, shifts
from vault.cases import Case
from vault.paging import PageState, StoredAlert, StoredPage
from vault.reach import Reach, reach
from vault.rota import Ready
from vault.unit import Unit

_AHEAD: Final = timedelta(days=7)
_HANDOVERS: Final = 5
_LATE: Final = 60.0  # seconds
_NO_WORKER: Final = "No worker runs, so no page goes out. Tell the technician, and call people yourself."
_DONE: Final[Mapping[str, str]] = {
    "swapped": "The swap is noted. Whoever it is about is told.",
    "undone": "The swap is taken back. Whoever it was about is told.",
    "no_address": "The calendar address opens nothing any more.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A responder: whether on duty, in which languages, and by which methods they can be paged."""

    name: str
    duty: bool
    languages: str
    ways: tuple["Way", ...]
    coordinator: bool

    @property
    def trouble(self) -> bool:
        """True when no way to them is known to be good, and one is known to be bad."""
        return not self.ways or (any(way.bad for way in self.ways) and not any(way.good for way in self.ways))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to somebody, and what it did last."""

    method: str
    says: str
    good: bool = False
    bad: bool = False

    @property
    def mark(self) -> str:
        """The shape beside it."""
        return "reached" if self.good else "failed" if self.bad else "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """One page of an alert."""

    who: str
    method: str
    state: str
    at: datetime
    reached: bool
    failed: bool
    error: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """One alert that still looks for somebody."""

    case: Case
    state: str
    language: str
    age: timedelta
    needed: int
    names: tuple[str, ...]
    pages: tuple[PageRow, ...]
    mine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """From when on who is on duty; nobody: a gap."""

    at: datetime
    names: str


async def show(visit: Visit) -> web.Response:
    """The page, or with `part` only what changes in it."""
    rota = await visit.desk.setup.rota(visit.unit)
    now = visit.unit.transaction.now
    names = {OUTSIDE: "The outside number", **{r.id: r.name for r in rota.responders}}
    names |= {str(m.id): m.name for m in await visit.unit.members.all()}
    alerts = [await _ringing(visit, alert, names) for alert in await visit.unit.alerts.ringing()]
    alerts.sort(key=lambda a: (-a.case.level, a.case.opened_at, a.case.code))
    part = "part" in visit.request.query
    return visit.page(
        "oncall_part.html" if part else "oncall.html",
        people=await _people(visit, rota, now),
        alerts=alerts,
        handovers=_handovers(rota, names, now),
        gap=next((g.start for g in gaps(rota, now, now + _AHEAD)), None) if rota.responders else None,
        now=now,
        alarm=await alarm(visit.unit),
        troubles=await _troubles(visit),
        summary=_summary(alerts),
        **({} if part else await _calendar(visit, rota, names)),
    )


async def _calendar(visit: Visit, rota: Rota, names: Mapping[str, str]) -> dict[str, Any]:
    """What the page shows of the week: it does not change by itself, so that a form is not taken from under a hand."""
    holder = rights(visit, rota)
    me = holder.me.id if holder.me else ""
    return {
        "week": draw(visit, rota, names),
        "has_calendar": rota.has_calendar,
        "swaps": swaps(await coming(visit), names, me, all_of_them=holder.everybody),
        "rights": holder,
        "choosable": rota.responders,
        "zone": visit.desk.setup.time_zone.key,
        "has_address": bool(me) and me in {str(i) for i in await visit.unit.feeds.holders()},
        "done": _DONE.get(visit.request.query.get("done", ""), ""),
    }


async def alarm(unit: Unit) -> tuple[str, ...]:
    """Codes of the cases for which everyone is called, because nobody has taken them."""
    loudest = [a for a in await unit.alerts.ringing() if a.machine["state"] == AlertState.LAST_RESORT]
    return tuple(sorted([(await unit.cases.get(alert.case_id)).code for alert in loudest]))


async def _troubles(visit: Visit) -> list[str]:
    """What keeps pages from going out, in words; nothing when all is well."""
    late = (await visit.unit.jobs.late(_LATE)).get("urgent", 0)
    stuck = f"{words.count(late, 'page or wake-up', 'pages or wake-ups')} should have gone out by now."
    return [
        *([_NO_WORKER] if not await visit.unit.jobs.workers() else []),
        *([f"{stuck} Tell the technician, and call people yourself."] if late else []),
    ]


def _summary(alerts: Sequence[Ringing]) -> str:
    return f"{words.count(len(alerts), 'alert')} ringing." if alerts else "Nothing is ringing."


async def _people(visit: Visit, rota: Rota, now: datetime) -> list[Person]:
    duty = on_duty(rota, now)
    order = sorted(rota.responders, key=lambda r: duty.index(r.id) if r.id in duty else len(duty))
    known = {
        (str(found.responder_id), found.contact): found
        for found in await reach(visit.unit.alerts, visit.unit.readiness, now)
    }
    waiting = {(str(c.responder_id), c.contact) for c in await visit.unit.readiness.newest() if c.state is Ready.ASKED}
    return [
        Person(
            name=r.name,
            duty=r.id in duty,
            languages=", ".join(visit.desk.setup.language(tag) for tag in r.languages),
            ways=tuple(_way(r.id, m, known, waiting) for m in r.methods),
            coordinator=r.coordinator,
        )
        for r in order
    ]


def _way(who: str, method: Method, known: Mapping[tuple[str, str], Reach], waiting: Collection[tuple[str, str]]) -> Way:
    key = method.contact.partition("/")[2]
    _, _, number = key.partition("-")
    name = words.METHODS[method.kind] + (f" {number}" if number else "")
    found = known.get((who, key))
    if (who, key) in waiting:
        return Way(method=name, says="Asked before the shift; no answer yet")
    if found is None:
        return Way(method=name, says="")
    return Way(method=name, says=words.REACH[found.why], good=not found.bad, bad=found.bad)


def _handovers(rota: Rota, names: Mapping[str, str], now: datetime) -> list[Handover]:
    if not rota.layers:
        return []
    coming = [s for s in shifts(rota, now, now + _AHEAD) if s.start > now]
    return [
        Handover(at=shift.start, names=", ".join(names[i] for i in shift.responders)) for shift in coming[:_HANDOVERS]
    ]


async def _ringing(visit: Visit, stored: StoredAlert, names: Mapping[str, str]) -> Ringing:
    unit = visit.unit
    case, machine = await unit.cases.get(stored.case_id), Alert.from_json(stored.machine)
    pages = await unit.alerts.pages(stored.id)
    return Ringing(
        case=case,
        state=words.ALERTS[machine.state],
        language=visit.desk.setup.language(case.language),
        age=unit.transaction.now - case.opened_at,
        needed=machine.needed,
        names=tuple(names.get(who, "somebody who has left") for who in machine.acks),
        pages=tuple(_page_row(page, names) for page in reversed(pages)),
        mine=str(visit.member.id) in machine.acks,
    )


def _page_row(page: StoredPage, names: Mapping[str, str]) -> PageRow:
    who = str(page.responder_id) if page.responder_id else OUTSIDE
    return PageRow(
        who=names.get(who, "Somebody who has left"),
        method=words.METHODS.get(page.method, page.method),
        state=words.PAGES[page.state],
        at=page.created_at,
        reached=page.state in {PageState.DELIVERED, PageState.ANSWERED},
        failed=page.state is PageState.FAILED,
        error=page.error,
    )
