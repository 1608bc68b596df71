"""Climbing the ladder: whom the pager calls next, by which method, and when it must look again.

Pure, like escalation.py, which says when to climb. What may not live here: what an event means, or a state that
stops calling. Every climb ends in a later wake-up, so an alert that is still ringing never falls asleep.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from triage.alerts import (
    OUTSIDE,
    Action,
    Alert,
    AlertState,
    ConsoleAlarm,
    Page,
    PageOutside,
    PageResponder,
    PageState,
    WakeAt,
)
from triage.policy import LevelPolicy, Step, TriagePolicy, When, Who
from triage.rota import Method, MethodKind, Responder, Rota, everyone, in_hours, on_call

PAGES_KEPT = 256  # older pages are forgotten: an alert that rings for days must still fit a row

Result = tuple[Alert, tuple[Action, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every move needs to know besides the alert."""

    policy: TriagePolicy
    rota: Rota
    now: datetime
    new_id: Callable[[], str]

    def ladder(self, alert: Alert) -> LevelPolicy:
        return self.policy.of(alert.level)

    def later(self, seconds: float, alert: Alert) -> datetime:
        """`seconds` from now; longer when somebody, but not enough, already has it."""
        slower = self.policy.slow_factor if alert.acks else 1.0
        return self.now + timedelta(seconds=seconds * slower)

    def fresh(self, page: Page) -> bool:
        """True while the page may still arrive: it has not failed, and has not had its time."""
        return page.state is not PageState.FAILED and self.now < self.silent_at(page)

    def silent_at(self, page: Page) -> datetime:
        return page.at + timedelta(seconds=self.policy.method_wait)


def drive(desk: Desk, alert: Alert) -> Result:
    """Do all that is due: next methods, next rungs, and the next wake-up.

    It ends: each rung is entered at most once per climb, and the last resort always waits for a later moment.
    """
    actions: list[Action] = []
    while True:
        alert, pages = _next_methods(desk, alert)
        actions += pages
        if not _is_over(desk, alert):
            break
        alert, pages = _next_rung(desk, alert)
        actions += pages
    alert, wake = _set_clock(desk, alert)
    return alert, (*actions, *wake)


def at_the_foot(desk: Desk, alert: Alert) -> Alert:
    """Before the first rung, with the deadline already here: the next drive steps onto it."""
    return replace(
        alert,
        state=AlertState.RINGING,
        step=-1,
        round=0,
        began=alert.attempt,
        deadline=desk.now,
        wake=None,
        touched=False,
        asked_at=None,
        settled=False,
    )


def unheard(alert: Alert) -> bool:
    """True when everyone is called by everything and no provider takes any of it: nothing of ours reaches a human.

    Pages of the last two rounds count: those of the present one may not have been tried yet. Nobody to call at all
    is the same.
    """
    recent = [p.state for p in alert.pages if p.attempt >= alert.attempt - 1]
    return alert.state is AlertState.LAST_RESORT and all(s in {PageState.ASKED, PageState.FAILED} for s in recent)


def _next_methods(desk: Desk, alert: Alert) -> Result:
    """Follow every page of this attempt that failed or stayed silent with that person's next method."""
    if _out_of_time(desk, alert):
        return alert, ()  # somebody else's turn
    latest = {p.responder: p for p in _attempt(alert)}
    actions: tuple[Action, ...] = ()
    for person in desk.rota.responders:
        page = latest.get(person.id)
        if page is not None and not desk.fresh(page):
            alert, more = _page(desk, alert, person, _methods(desk, alert, person)[:1])
            actions += more
    return alert, actions


def _is_over(desk: Desk, alert: Alert) -> bool:
    """True when this rung has had its time, or nobody on it can still be hoped for."""
    if _out_of_time(desk, alert):
        return True
    if alert.state is AlertState.LAST_RESORT:
        return False
    pages = _attempt(alert)
    if not pages:
        return not (_waits_for_hours(desk, alert) or _still_ringing(desk, alert))
    return not any(p.state.reached or desk.fresh(p) for p in pages)


def _out_of_time(desk: Desk, alert: Alert) -> bool:
    return alert.deadline is None or desk.now >= alert.deadline


def _next_rung(desk: Desk, alert: Alert) -> Result:
    ladder = desk.ladder(alert)
    index, climbs = alert.step + 1, alert.round
    if index >= len(ladder.steps) and climbs < ladder.repeat:
        index, climbs = 0, climbs + 1
        alert = replace(alert, began=alert.attempt)
    if alert.state is AlertState.LAST_RESORT or index >= len(ladder.steps):
        return _ring_everything(desk, alert)
    rung = ladder.steps[index]
    alert = replace(alert, step=index, round=climbs, attempt=alert.attempt + 1, deadline=desk.later(rung.wait, alert))
    if rung.who is Who.OUTSIDE:
        return _page_outside(desk, alert)
    actions: tuple[Action, ...] = ()
    for person in _people(desk, alert, rung):
        alert, more = _page(desk, alert, person, _methods(desk, alert, person)[:1])
        actions += more
    return alert, actions


def _ring_everything(desk: Desk, alert: Alert) -> Result:
    """The last resort: everyone, by every method, at any hour, the outside number and the console."""
    alert = replace(
        alert,
        state=AlertState.LAST_RESORT,
        step=len(desk.ladder(alert).steps),
        round=alert.round + 1,
        attempt=alert.attempt + 1,
        deadline=desk.later(desk.ladder(alert).last_resort_every, alert),
    )
    actions: tuple[Action, ...] = (ConsoleAlarm(),)
    for person in everyone(desk.rota, desk.now, (alert.language,)):
        if person.id not in alert.acks:
            alert, more = _page(desk, alert, person, _methods(desk, alert, person))
            actions += more
    alert, more = _page_outside(desk, alert)
    return alert, actions + more


def _people(desk: Desk, alert: Alert, rung: Step) -> tuple[Responder, ...]:
    """Whom this rung calls: never somebody who already has it."""
    urgent = desk.ladder(alert).page is When.AT_ONCE
    choose = everyone if rung.who is Who.EVERYONE else on_call
    called = {p.responder for p in alert.pages if p.attempt > alert.began}
    skills = desk.ladder(alert).skills
    fitting = choose(desk.rota, desk.now, (alert.language,), urgent=urgent, skills=skills)
    # Whoever had it and fell silent comes after the others.
    free = sorted((r for r in fitting if r.id not in alert.acks), key=lambda r: r.id in alert.lapsed)
    if rung.who is Who.EVERYONE:
        return tuple(free)
    return tuple(r for r in free if r.id not in called and _methods(desk, alert, r))[:1]


def _methods(desk: Desk, alert: Alert, person: Responder) -> tuple[Method, ...]:
    """What is left of a person's methods in this attempt, in their order, without those that rang just now."""
    steps = desk.ladder(alert).steps
    kinds: tuple[MethodKind, ...] = steps[alert.step].methods if 0 <= alert.step < len(steps) else ()
    allowed = [m for m in person.methods if m.kind in kinds] or list(person.methods)
    used = {p.contact for p in alert.pages if p.responder == person.id and p.attempt == alert.attempt}
    return tuple(m for m in allowed if m.contact not in used and not _rang_just_now(desk, alert, m.contact))


def _rang_just_now(desk: Desk, alert: Alert, contact: str) -> bool:
    gap = timedelta(seconds=desk.policy.contact_gap)
    # The absolute difference: after a clock was set back by more than the gap, ring rather than stay quiet.
    return any(p.contact == contact and abs(desk.now - p.at) < gap for p in alert.pages)


def _page(desk: Desk, alert: Alert, person: Responder, methods: tuple[Method, ...]) -> Result:
    actions: list[Action] = []
    for method in methods:
        page = Page(
            id=desk.new_id(),
            responder=person.id,
            contact=method.contact,
            kind=method.kind,
            at=desk.now,
            attempt=alert.attempt,
        )
        alert = replace(alert, pages=(*alert.pages, page)[-PAGES_KEPT:])
        actions.append(PageResponder(page=page.id, responder=person.id, method=method))
    return alert, tuple(actions)


def _page_outside(desk: Desk, alert: Alert) -> Result:
    if not desk.policy.outside_number or OUTSIDE in alert.acks or _rang_just_now(desk, alert, OUTSIDE):
        return alert, ()
    page = Page(
        id=desk.new_id(),
        responder=OUTSIDE,
        contact=OUTSIDE,
        kind=MethodKind.VOICE,
        at=desk.now,
        attempt=alert.attempt,
    )
    return replace(alert, pages=(*alert.pages, page)[-PAGES_KEPT:]), (PageOutside(page=page.id),)


def _attempt(alert: Alert) -> tuple[Page, ...]:
    """Pages of the present rung to people who do not have it yet, oldest first."""
    return tuple(p for p in alert.pages if p.attempt == alert.attempt and p.responder not in alert.acks)


def _still_ringing(desk: Desk, alert: Alert) -> tuple[Page, ...]:
    """Pages of any rung that may still arrive. They are why a rung may find every contact just rung."""
    return tuple(p for p in alert.pages if p.responder not in alert.acks and desk.fresh(p))


def _waits_for_hours(desk: Desk, alert: Alert) -> bool:
    """True when the level respects hours and nobody is within theirs: a reason to wait, not to hurry on."""
    if desk.ladder(alert).page is When.AT_ONCE:
        return False
    free = [r for r in desk.rota.responders if r.id not in alert.acks]
    return bool(free) and not any(in_hours(r, desk.now) for r in free)


def _set_clock(desk: Desk, alert: Alert) -> Result:
    """Ask for the next moment at which something is due, unless that very wake-up is already on its way."""
    deadlines = [alert.deadline] if alert.deadline is not None else []
    if alert.state is AlertState.RINGING:
        waiting = _attempt(alert) or _still_ringing(desk, alert)
        deadlines += [desk.silent_at(p) for p in waiting if desk.fresh(p)]
    wake = min(deadlines)
    if wake == alert.wake:
        return alert, ()
    alert = replace(alert, wake=wake, timer=alert.timer + 1)
    return alert, (WakeAt(at=wake, timer=alert.timer),)
