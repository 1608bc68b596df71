"""Who can be reached now, which alerts are ringing, and how far each page has come. Numbers are never shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from console import words
from console.desk import Visit
from triage.alerts import OUTSIDE, Alert, AlertState
from triage.rota import Rota, gaps, on_duty, shifts
from vault.cases import Case
from vault.paging import PageState, StoredAlert, StoredPage
from vault.unit import Unit

_AHEAD: Final = timedelta(days=7)
_HANDOVERS: Final = 5
_LATE: Final = 60.0  # seconds
_NO_WORKER: Final = "No worker runs, so no page goes out. Tell the technician, and call people yourself."


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A responder: whether on duty, in which languages, and by which methods they can be paged."""

    name: str
    duty: bool
    languages: str
    methods: str


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
    people = _people(visit, rota, now)
    return visit.page(
        "oncall_part.html" if "part" in visit.request.query else "oncall.html",
        people=people,
        alerts=alerts,
        handovers=_handovers(rota, names, now),
        gap=next((g.start for g in gaps(rota, now, now + _AHEAD)), None) if rota.responders else None,
        now=now,
        alarm=await alarm(visit.unit),
        troubles=await _troubles(visit),
        summary=_summary(alerts),
    )


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


def _people(visit: Visit, rota: Rota, now: datetime) -> list[Person]:
    duty = on_duty(rota, now)
    order = sorted(rota.responders, key=lambda r: duty.index(r.id) if r.id in duty else len(duty))
    return [
        Person(
            name=r.name,
            duty=r.id in duty,
            languages=", ".join(visit.desk.setup.language(tag) for tag in r.languages),
            methods=", ".join(dict.fromkeys(words.METHODS[m.kind] for m in r.methods)),
        )
        for r in order
    ]


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
