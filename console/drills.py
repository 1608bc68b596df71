"""Drills: what they came to, per language and shift and over time, and beginning one. Playing them is the house's.

A drill that nobody has acknowledged yet is shown to supervisors only: who might be called must not read of it here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

from console import words
from console.actions import Held
from console.desk import Visit
from console.refused import Refused
from console.setup import Scenario
from triage.drills import Announce, DrillState, Figures, Outcome, Shift, shift_of, summaries
from vault.members import Role

_SHOWN: Final = 30  # drills in the table
_WIDE, _HIGH, _START, _TOP, _FLOOR = 320, 170, 52, 10, 140  # the picture, in units of its own
_TICKS: Final = ((10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h"))
_LEAST, _MOST = 5, 7200  # seconds; what is faster or slower lies on the edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One drill of the table."""

    at: datetime
    title: str
    language: str
    shift: str
    state: str
    good: bool
    page: str
    acknowledge: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A language in a shift."""

    language: str
    shift: str
    drills: int
    passed: int
    page: str
    acknowledge: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One time of one drill in the picture. `kind`: page, acknowledge, answer, or failed."""

    x: float
    y: float
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Times over time: later to the right, slower further up."""

    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    first: datetime
    last: datetime
    says: str


async def show(visit: Visit) -> web.Response:
    """The page."""
    setup = visit.desk.setup
    titles = {scenario.name: scenario.title for scenario in setup.scenarios()}
    runs = [run.outcome for run in await visit.unit.drills.all()]
    seen = [outcome for outcome in runs if _may_be_seen(visit, outcome)]
    return visit.page(
        "drills.html",
        rows=[_row(visit, outcome, titles.get(outcome.scenario, outcome.scenario)) for outcome in seen[:_SHOWN]],
        total=len(seen),
        groups=_groups(visit, seen),
        picture=_picture([outcome for outcome in seen if outcome.state is not DrillState.RUNNING][:_SHOWN]),
        scenarios=[(each, setup.language(each.language), words.SHIFTS[each.shift]) for each in setup.scenarios()],
        supervisor=visit.member.role is Role.SUPERVISOR,
        begun="begun" in visit.request.query,
    )


async def confirm(visit: Visit) -> web.Response:
    """The step before: somebody's phone will ring."""
    _only_supervisors(visit)
    scenario, setup = _scenario(visit), visit.desk.setup
    language, at_once = setup.language(scenario.language), setup.announce is Announce.AT_ONCE
    return visit.page("drill_confirm.html", scenario=scenario, language=language, at_once=at_once)


async def begin(visit: Visit) -> web.Response:
    """Begin it."""
    _only_supervisors(visit)
    scenario = _scenario(visit)
    try:
        await visit.desk.actions.begin_drill(visit.unit, scenario.name, visit.member)
    except Held as held:
        raise Refused(
            409,
            "The drill did not begin.",
            next=held.reason,
            reason="Held",
            back=("/drills", "Back to the drills"),
        ) from None
    return web.Response(status=303, headers={"Location": "/drills?begun=1"})


def _may_be_seen(visit: Visit, outcome: Outcome) -> bool:
    hidden = outcome.state is DrillState.RUNNING and outcome.figures.acknowledge is None
    return not hidden or visit.member.role is Role.SUPERVISOR or visit.desk.setup.announce is Announce.AT_ONCE


def _scenario(visit: Visit) -> Scenario:
    name = visit.request.match_info["name"]
    for scenario in visit.desk.setup.scenarios():
        if scenario.name == name:
            return scenario
    raise Refused(
        404,
        "There is no scenario of this name.",
        next="The drills page lists those there are.",
        reason="NotFound",
        back=("/drills", "Back to the drills"),
    )


def _only_supervisors(visit: Visit) -> None:
    if visit.member.role is not Role.SUPERVISOR:
        raise Refused(
            403,
            "Only a supervisor can begin a drill.",
            next="Ask a supervisor: the team page says who is one.",
            reason="NotAllowed",
            back=("/drills", "Back to the drills"),
        )


def _row(visit: Visit, outcome: Outcome, title: str) -> Row:
    setup, seen = visit.desk.setup, outcome.figures
    return Row(
        at=outcome.begun_at,
        title=title,
        language=setup.language(outcome.language),
        shift=words.SHIFTS[shift_of(outcome.begun_at, setup.time_zone)],
        state=words.DRILLS[outcome.state],
        good=outcome.state.good,
        page=duration(seen.page),
        acknowledge=duration(seen.acknowledge),
        answer=duration(seen.answer),
    )


def _groups(visit: Visit, outcomes: Sequence[Outcome]) -> list[Group]:
    setup = visit.desk.setup
    order = list(Shift)
    found = sorted(
        summaries(outcomes, setup.time_zone), key=lambda s: (setup.language(s.language), order.index(s.shift))
    )
    return [
        Group(
            language=setup.language(each.language),
            shift=words.SHIFTS[each.shift],
            drills=each.drills,
            passed=each.passed,
            page=duration(each.page),
            acknowledge=duration(each.acknowledge),
            answer=duration(each.answer),
        )
        for each in found
    ]


def duration(seconds: int | None) -> str:
    """A time as staff read it."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def _picture(outcomes: Sequence[Outcome]) -> Picture | None:
    """None as long as there is nothing to draw. A drill that failed has its cross at the foot."""
    if not outcomes:
        return None
    first, last = outcomes[-1].begun_at, outcomes[0].begun_at
    whole = (last - first).total_seconds()

    def across(at: datetime) -> float:
        share = (at - first).total_seconds() / whole if whole else 0.5
        return round(_START + 10 + share * (_WIDE - _START - 20), 1)

    marks = [mark for outcome in outcomes for mark in _marks(across(outcome.begun_at), outcome)]
    failed = sum(not outcome.state.good for outcome in outcomes)
    says = f"{words.count(len(outcomes), 'drill')}, {failed} to look into. The table below has every time."
    ticks = tuple((_up(seconds), label) for seconds, label in _TICKS)
    return Picture(marks=tuple(marks), ticks=ticks, first=first, last=last, says=says)


def _marks(x: float, outcome: Outcome) -> list[Mark]:
    found = [Mark(x=x, y=_up(seconds), kind=kind) for kind, seconds in _times(outcome.figures) if seconds is not None]
    return found if outcome.state.good else [*found, Mark(x=x, y=_FLOOR + 8, kind="failed")]


def _times(figures: Figures) -> tuple[tuple[str, int | None], ...]:
    return (("page", figures.page), ("acknowledge", figures.acknowledge), ("answer", figures.answer))


def _up(seconds: int) -> float:
    """How high a time stands: each step is a multiple, so that seconds and hours can be told apart."""
    share = math.log(min(max(seconds, _LEAST), _MOST) / _LEAST) / math.log(_MOST / _LEAST)
    return round(_FLOOR - share * (_FLOOR - _TOP), 1)
