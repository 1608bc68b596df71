"""The live queue: what to read first, how long it has waited, and why it is where it is. Never a word of a report."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from aiohttp import web

from console import words
from console.desk import DESK, Visit
from console.doors import SignedOut, entered
from console.live import BEAT
from console.oncall import alarm
from triage.levels import Level
from triage.review import WORK, CaseState, QueueItem, due, in_order
from vault.cases import Case, Entry, EntryKind
from vault.glance import newest
from vault.unit import DATABASE_AWAY

PAGE: Final = 50  # rows
_REASONS: Final = 3  # shown; the rest is counted
_BREATH: Final = 0.3  # seconds: many changes in a row are one


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One tab of the queue. `mine`: only what the signed-in member has. `empty`: what will appear, and what to do."""

    label: str
    states: frozenset[CaseState]
    empty: str
    mine: bool = False


FILTERS: Mapping[str, Filter] = MappingProxyType(
    {
        "open": Filter(
            label="To do",
            states=WORK,
            empty="Nothing waits. New reports appear here by themselves, the most urgent first.",
        ),
        "mine": Filter(
            label="Mine",
            states=WORK | {CaseState.ANSWERED},
            empty="You have no cases. Open one under To do and choose Take this case.",
            mine=True,
        ),
        "answered": Filter(
            label="Answered",
            states=frozenset({CaseState.ANSWERED}),
            empty="No case waits for the person's next message. Cases come here when you answer them.",
        ),
        "closed": Filter(
            label="Closed",
            states=frozenset({CaseState.CLOSED, CaseState.WITHDRAWN, CaseState.ERASED}),
            empty="Nothing is closed yet. A closed case comes here, and opens again when the person writes.",
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case as the queue shows it. `spent`: percent of its target time that is over; None: nothing is owed."""

    case: Case
    language: str
    channel: str
    state: str
    age: timedelta
    spent: int | None
    left: str
    reasons: tuple[str, ...]
    more: int
    who: str
    ringing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One level in the small picture. `share` of the greatest, in percent."""

    level: Level
    number: int
    share: int


async def home(_request: web.Request) -> web.Response:
    """The front door leads to the queue."""
    return web.Response(status=303, headers={"Location": "/queue"})


async def show(visit: Visit) -> web.Response:
    """The page, or with `part` only what changes in it."""
    name = visit.request.query.get("state", "open")
    chosen = FILTERS.get(name) or FILTERS["open"]
    name = name if name in FILTERS else "open"
    cases = await _ordered(visit, chosen)
    number = min(_page_number(visit.request), max(1, -(-len(cases) // PAGE)))
    shown = cases[(number - 1) * PAGE : number * PAGE]
    bars = _bars(await visit.unit.cases.count())
    template = "queue_part.html" if "part" in visit.request.query else "queue.html"
    return visit.page(
        template,
        filters=FILTERS,
        name=name,
        chosen=chosen,
        rows=await _rows(visit, shown),
        bars=bars,
        alarm=await alarm(visit.unit),
        summary=_summary(bars),
        waiting=sum(bar.number for bar in bars),
        total=len(cases),
        number=number,
        pages=-(-len(cases) // PAGE),
        first=(number - 1) * PAGE + 1,
    )


def _page_number(request: web.Request) -> int:
    digits = request.query.get("page", "1")
    return max(1, int(digits)) if digits.isascii() and digits.isdecimal() and len(digits) < 5 else 1


async def _ordered(visit: Visit, chosen: Filter) -> Sequence[Case]:
    cases = await visit.unit.cases.in_states(sorted(chosen.states))
    if chosen.mine:
        cases = tuple(c for c in cases if c.member_id == visit.member.id)
    by_code = {case.code: case for case in cases}
    items = (queue_item(case) for case in cases)
    now = visit.unit.transaction.now
    return [by_code[item.code] for item in in_order(items, visit.desk.setup.policy, now)]


def queue_item(case: Case) -> QueueItem:
    """What triage needs to order this case."""
    return QueueItem(
        code=case.code,
        level=case.level,
        state=case.state,
        since=case.since,
        unread=case.unread,
        life_at_risk=case.life_at_risk,
        waiting=case.waits,
    )


async def _rows(visit: Visit, cases: Sequence[Case]) -> list[Row]:
    unit = visit.unit
    entries = await newest(unit.transaction, cases, visit.who.teams, EntryKind.REASONS)
    names = {member.id: member.name for member in await unit.members.all()}
    ringing = {alert.case_id for alert in await unit.alerts.ringing()}
    return [
        _row(
            visit,
            case,
            sentences=reasons(entries.get(case.id)),
            who=names.get(case.member_id, "") if case.member_id else "",
            ringing=case.id in ringing,
        )
        for case in cases
    ]


def _row(visit: Visit, case: Case, *, sentences: tuple[str, ...], who: str, ringing: bool) -> Row:
    setup, now = visit.desk.setup, visit.unit.transaction.now
    by = due(queue_item(case), setup.policy)
    spent, left = None, ""
    if by is not None:
        whole, gone = by - case.since, now - case.since
        spent = max(0, min(100, int(100 * gone / whole)))
        left = f"{words.span(by - now)} left" if by > now else f"{words.span(now - by)} past its target"
    return Row(
        case=case,
        language=setup.language(case.language),
        channel=words.CHANNELS.get(case.channel, case.channel),
        state=words.STATES[case.state],
        age=now - case.opened_at,
        spent=spent,
        left=left,
        reasons=sentences[:_REASONS],
        more=max(0, len(sentences) - _REASONS),
        who=who,
        ringing=ringing,
    )


def reasons(entry: Entry | None) -> tuple[str, ...]:
    """The sentences of an entry of reasons, each once."""
    return tuple(dict.fromkeys(words.reason(r.rule) for r in entry.reasons)) if entry else ()


def _bars(counted: Mapping[tuple[CaseState, Level], int]) -> tuple[Bar, ...]:
    numbers = {level: sum(counted.get((state, level), 0) for state in WORK) for level in sorted(Level, reverse=True)}
    greatest = max(1, *numbers.values())
    return tuple(Bar(level=level, number=n, share=round(100 * n / greatest)) for level, n in numbers.items())


def _summary(bars: Sequence[Bar]) -> str:
    total = sum(bar.number for bar in bars)
    if not total:
        return "Nothing waits."
    parts = ", ".join(f"{bar.number} {bar.level.word}" for bar in bars if bar.number)
    return f"{words.count(total, 'case')} to do: {parts}."


async def live(request: web.Request) -> web.StreamResponse:
    """A stream of signs that something changed. It ends with the session, and never prolongs it."""
    desk = request.app[DESK]
    async with entered(request, by_itself=True):
        pass
    if desk.live.full:
        return web.Response(status=503, text="too many streams")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    async with desk.live.stream() as news:
        with suppress(ConnectionResetError):  # the browser has gone
            await response.prepare(request)
            await response.write(b"retry: 3000\n\nevent: changed\ndata:\n\n")
            while not desk.live.closing:
                changed = await _happens(news)
                if not changed and not await _still_in(request):
                    await response.write(b"event: signed_out\ndata:\n\n")
                    break
                await response.write(b"event: changed\ndata:\n\n")
                await asyncio.sleep(_BREATH)
    return response


async def _happens(news: asyncio.Event) -> bool:
    """True at a change, False after a beat without one."""
    try:
        async with asyncio.timeout(BEAT):
            await news.wait()
    except TimeoutError:
        return False
    news.clear()
    return True


async def _still_in(request: web.Request) -> bool:
    try:
        async with entered(request, by_itself=True):
            return True
    except SignedOut:
        return False
    except DATABASE_AWAY:
        return True  # not known: the page says so when it fetches
