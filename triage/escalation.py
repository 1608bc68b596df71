"""The pager's core: what happens to an alert next, and who must be called. A pure state machine.

Two rules for this file. The table below is the program: what is not in it is illegal, raises and changes nothing.
And nothing here waits, sends, stores, reads a clock or makes an identifier: those are arguments and actions.

Until enough people have acknowledged or staff have closed it, an alert always has a wake-up ahead of it, and every
wake-up either calls somebody or brings the next call nearer. There is no state in which it gives up. What is asked
of those who have it is in following.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

from triage.alerts import (
    OUTSIDE,
    Acknowledged,
    Alert,
    AlertState,
    Closed,
    Event,
    Opened,
    PageNews,
    Raised,
    Tell,
    TellResponder,
    Tick,
    TimedOut,
    Worked,
)
from triage.following import care, note_work, rest, set_clock
from triage.ladder import Desk, Result, at_the_foot, drive
from triage.levels import Level
from triage.policy import TriagePolicy
from triage.rota import Rota


class Move(Enum):
    """What an event does to an alert."""

    START = auto()  # begin to climb
    WAKE = auto()  # do what is due, if the timer is the present one
    LOOK = auto()  # do what is due by the clock
    FOLLOW = auto()  # note the news; a failure brings the next method at once
    NOTE = auto()  # note the news
    COUNT = auto()  # one more acknowledgement
    THANK = auto()  # from whoever has it: they still do; from anybody else: say who has it
    WORK = auto()  # something was done about the case
    TELL_OVER = auto()  # an acknowledgement of something closed
    WORSEN = auto()  # raise the level while ringing
    CALL_AGAIN = auto()  # raise the level of something taken or closed: perhaps more people are needed
    SHUT = auto()
    IGNORE = auto()  # a repetition that means nothing any more


_N, _R, _L, _A, _C = AlertState

TABLE: Mapping[tuple[AlertState, type[Event]], tuple[Move, frozenset[AlertState]]] = MappingProxyType(
    {
        # state and event: what is done, and the states it may end in
        (_N, Opened): (Move.START, frozenset({_R, _L})),
        (_N, Closed): (Move.SHUT, frozenset({_C})),
        (_R, Opened): (Move.IGNORE, frozenset({_R})),
        (_R, TimedOut): (Move.WAKE, frozenset({_R, _L})),
        (_R, Tick): (Move.LOOK, frozenset({_R, _L})),
        (_R, PageNews): (Move.FOLLOW, frozenset({_R, _L})),
        (_R, Acknowledged): (Move.COUNT, frozenset({_R, _L, _A})),
        (_R, Worked): (Move.IGNORE, frozenset({_R})),  # reading is not "I have it"
        (_R, Raised): (Move.WORSEN, frozenset({_R, _L})),
        (_R, Closed): (Move.SHUT, frozenset({_C})),
        (_L, Opened): (Move.IGNORE, frozenset({_L})),
        (_L, TimedOut): (Move.WAKE, frozenset({_L})),
        (_L, Tick): (Move.LOOK, frozenset({_L})),
        (_L, PageNews): (Move.NOTE, frozenset({_L})),
        (_L, Acknowledged): (Move.COUNT, frozenset({_L, _A})),
        (_L, Worked): (Move.IGNORE, frozenset({_L})),
        (_L, Raised): (Move.WORSEN, frozenset({_L})),
        (_L, Closed): (Move.SHUT, frozenset({_C})),
        (_A, Opened): (Move.IGNORE, frozenset({_A})),
        (_A, TimedOut): (Move.WAKE, frozenset({_A, _R, _L})),
        (_A, Tick): (Move.LOOK, frozenset({_A, _R, _L})),
        (_A, PageNews): (Move.NOTE, frozenset({_A})),
        (_A, Acknowledged): (Move.THANK, frozenset({_A})),
        (_A, Worked): (Move.WORK, frozenset({_A})),
        (_A, Raised): (Move.CALL_AGAIN, frozenset({_A, _R, _L})),
        (_A, Closed): (Move.SHUT, frozenset({_C})),
        (_C, Opened): (Move.IGNORE, frozenset({_C})),
        (_C, TimedOut): (Move.IGNORE, frozenset({_C})),
        (_C, Tick): (Move.IGNORE, frozenset({_C})),
        (_C, PageNews): (Move.NOTE, frozenset({_C})),
        (_C, Acknowledged): (Move.TELL_OVER, frozenset({_C})),
        (_C, Worked): (Move.IGNORE, frozenset({_C})),
        (_C, Raised): (Move.CALL_AGAIN, frozenset({_R, _L})),  # danger after closing must never be swallowed
        (_C, Closed): (Move.IGNORE, frozenset({_C})),
    }
)


class IllegalEvent(Exception):
    """This cannot happen to an alert that has not been opened yet: send Opened first."""

    def __init__(self, state: AlertState, event: type[Event]) -> None:
        super().__init__(f"{event.__name__} cannot happen to an alert that is {state.value}: send Opened first")
        self.state = state
        self.event = event


def new_alert(alert_id: str, *, level: Level, language: str, life_at_risk: bool, policy: TriagePolicy) -> Alert:
    """An alert before its first event. `language` is the reporter's tag, "" when unknown."""
    needed = policy.of(level).needed(life_at_risk=life_at_risk)
    return Alert(id=alert_id, level=level, language=language, needed=needed)


def step(
    alert: Alert, policy: TriagePolicy, rota: Rota, event: Event, now: datetime, *, new_id: Callable[[], str]
) -> Result:
    """What becomes of `alert`, and what must be done: store the first, then do the second.

    `now` is aware; `new_id` names each new page. Raises IllegalEvent, having changed nothing.
    """
    if now.tzinfo is None:
        raise ValueError("the pager needs a time with its zone: pass an aware datetime")
    found = TABLE.get((alert.state, type(event)))
    if found is None:
        raise IllegalEvent(alert.state, type(event))
    return _MOVES[found[0]](Desk(policy=policy, rota=rota, now=now, new_id=new_id), alert, event)


# Moves: what each event does -------------------------------------------------------------------------------


def _start(desk: Desk, alert: Alert, event: Event) -> Result:
    return drive(desk, at_the_foot(desk, alert))


def _wake(desk: Desk, alert: Alert, event: TimedOut) -> Result:
    if event.timer != alert.timer or alert.wake is None:
        return alert, ()
    # The scheduler has a clock of its own. If it says the time has come, this machine's clock is merely slow.
    return _look(replace(desk, now=max(desk.now, alert.wake)), alert, event)


def _look(desk: Desk, alert: Alert, event: Event) -> Result:
    return care(desk, alert) if alert.state is AlertState.ACKNOWLEDGED else drive(desk, alert)


def _note(desk: Desk, alert: Alert, event: PageNews) -> Result:
    pages = tuple(
        replace(p, state=p.state.after(event.state), error=p.error if event.error is None else event.error)
        if p.id == event.page
        else p
        for p in alert.pages
    )
    return replace(alert, pages=pages), ()


def _follow(desk: Desk, alert: Alert, event: PageNews) -> Result:
    return drive(desk, _note(desk, alert, event)[0])


def _count(desk: Desk, alert: Alert, event: Acknowledged) -> Result:
    who = event.responder
    again = who in alert.acks
    alert = alert if again else replace(alert, acks=(*alert.acks, who), acked_at=desk.now)
    if len(alert.acks) < alert.needed:
        told = TellResponder(responder=who, what=Tell.NEEDS_SECOND, holders=alert.acks)
        alert, actions = (alert, ()) if again else drive(desk, alert)
        return alert, (told, *actions)
    called = dict.fromkeys(p.responder for p in alert.pages)
    others = tuple(
        TellResponder(responder=r, what=Tell.STOOD_DOWN, holders=alert.acks)
        for r in called
        if r not in alert.acks and r != OUTSIDE
    )
    told = TellResponder(responder=who, what=Tell.TAKEN, holders=alert.acks)
    alert, wake = rest(desk, alert)
    return alert, (told, *others, *wake)


def _thank(desk: Desk, alert: Alert, event: Acknowledged) -> Result:
    """Whoever has it and says so again still has it. While they are silent to "still on it?", anybody may step in."""
    who, others = event.responder, tuple(a for a in alert.acks if a != event.responder)
    if who not in alert.holders and alert.asked_at is None:
        told = TellResponder(responder=who, what=Tell.ALREADY_TAKEN, holders=alert.holders)
        return replace(alert, acks=(*others, who)), (told,)
    acks = alert.acks if who in alert.holders else (who, *others)
    alert, wake = set_clock(desk, replace(alert, acks=acks, acked_at=desk.now, asked_at=None))
    return alert, (TellResponder(responder=who, what=Tell.TAKEN, holders=alert.holders), *wake)


def _work(desk: Desk, alert: Alert, event: Worked) -> Result:
    return note_work(desk, alert, event)


def _tell_over(desk: Desk, alert: Alert, event: Acknowledged) -> Result:
    return alert, (TellResponder(responder=event.responder, what=Tell.CLOSED, holders=alert.acks),)


def _worsen(desk: Desk, alert: Alert, event: Raised) -> Result:
    worse = _worse(desk, alert, event)
    if worse.level == alert.level:
        return worse, ()
    if alert.state is AlertState.LAST_RESORT:
        return drive(desk, replace(worse, deadline=desk.now))  # everyone is called already: ring again at once
    return drive(desk, at_the_foot(desk, worse))


def _call_again(desk: Desk, alert: Alert, event: Raised) -> Result:
    """Danger again, in something taken or closed. Whoever has it is told; when they took it longer ago than an
    answer may take, somebody is called anew: they may have put the phone away."""
    if alert.state is AlertState.CLOSED or _is_long_ago(desk, alert):
        return drive(desk, at_the_foot(desk, replace(_worse(desk, alert, event), acks=())))
    worse = _worse(desk, alert, event)
    same = (worse.level, worse.needed) == (alert.level, alert.needed)
    if same and alert.told_at is not None and desk.now - alert.told_at < timedelta(seconds=desk.policy.method_wait):
        return set_clock(desk, replace(alert, settled=False))
    worse = replace(worse, told_at=desk.now, settled=False)
    told = tuple(TellResponder(responder=r, what=Tell.RAISED, holders=worse.acks) for r in worse.acks)
    enough = same or len(worse.acks) >= worse.needed
    worse, actions = set_clock(desk, worse) if enough else drive(desk, at_the_foot(desk, worse))
    return worse, (*told, *actions)


def _is_long_ago(desk: Desk, alert: Alert) -> bool:
    ladder = desk.ladder(alert)
    patience = ladder.answer or ladder.target or 0
    return alert.acked_at is not None and desk.now - alert.acked_at > timedelta(seconds=patience)


def _shut(desk: Desk, alert: Alert, event: Event) -> Result:
    return replace(alert, state=AlertState.CLOSED, deadline=None, wake=None, asked_at=None), ()


def _ignore(desk: Desk, alert: Alert, event: Event) -> Result:
    return alert, ()


# Each move accepts only the events that TABLE sends it, which a type cannot say here: hence Any.
_MOVES: Mapping[Move, Callable[[Desk, Alert, Any], Result]] = MappingProxyType(
    {
        Move.START: _start,
        Move.WAKE: _wake,
        Move.LOOK: _look,
        Move.FOLLOW: _follow,
        Move.NOTE: _note,
        Move.COUNT: _count,
        Move.THANK: _thank,
        Move.WORK: _work,
        Move.TELL_OVER: _tell_over,
        Move.WORSEN: _worsen,
        Move.CALL_AGAIN: _call_again,
        Move.SHUT: _shut,
        Move.IGNORE: _ignore,
    }
)


def _worse(desk: Desk, alert: Alert, event: Raised) -> Alert:
    level = max(alert.level, event.level)
    needed = max(alert.needed, desk.policy.of(level).needed(life_at_risk=event.life_at_risk))
    return replace(alert, level=level, needed=needed)
