"""After enough people have it: is it worked on, are they still on it, and who is called when neither is so.

Pure, like escalation.py, which says when this is asked, and ladder.py, which calls. What may not live here: a way to
forget a case that somebody once took. Taking is a promise, and people fall asleep.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from triage.alerts import OUTSIDE, Alert, AlertState, Tell, TellResponder, WakeAt, Worked
from triage.ladder import Desk, Result, at_the_foot, drive


def rest(desk: Desk, alert: Alert) -> Result:
    """Enough people have it: nobody else is called, and from now on they are looked after."""
    return set_clock(
        desk,
        replace(
            alert,
            state=AlertState.ACKNOWLEDGED,
            deadline=None,
            wake=None,
            touched=False,
            worked_at=None,
            asked_at=None,
            settled=False,
            lapsed=(),
        ),
    )


def care(desk: Desk, alert: Alert) -> Result:
    """Do what is due: ask whoever has it whether they are still on it, or call others."""
    if alert.settled:
        return set_clock(desk, alert)
    if _is_due(desk, _lapses_at(desk, alert)):
        return _call_others(desk, alert)
    if alert.asked_at is not None or not _is_due(desk, _question_at(desk, alert)):
        return set_clock(desk, alert)
    asked = tuple(TellResponder(responder=r, what=Tell.STILL_ON_IT, holders=alert.holders) for r in alert.holders)
    alert, wake = set_clock(desk, replace(alert, asked_at=desk.now))
    return alert, (*asked, *wake)


def note_work(desk: Desk, alert: Alert, event: Worked) -> Result:
    """Something was done: that answers every question asked before it."""
    at = max(alert.worked_at or event.at, event.at)
    answered = event.settled or (alert.asked_at is not None and at >= alert.asked_at)
    worked = replace(alert, touched=True, worked_at=at, settled=event.settled)
    return set_clock(desk, replace(worked, asked_at=None) if answered else worked)


def set_clock(desk: Desk, alert: Alert) -> Result:
    """Ask to be woken when something is due next; never again when the person waits for nothing more."""
    if alert.settled:
        return replace(alert, wake=None), ()
    following = _lapses_at(desk, alert), _question_at(desk, alert) if alert.asked_at is None else None
    wake = min((at for at in following if at is not None), default=None)
    if wake is None or wake == alert.wake:
        return replace(alert, wake=wake), ()
    alert = replace(alert, wake=wake, timer=alert.timer + 1)
    return alert, (WakeAt(at=wake, timer=alert.timer),)


def _call_others(desk: Desk, alert: Alert) -> Result:
    """Begin anew, with whoever had it last in the order, and tell them: they may take it again."""
    told = tuple(TellResponder(responder=r, what=Tell.LAPSED) for r in alert.holders if r != OUTSIDE)
    alert, actions = drive(desk, at_the_foot(desk, replace(alert, acks=(), lapsed=alert.holders)))
    return alert, (*told, *actions)


def _is_due(desk: Desk, at: datetime | None) -> bool:
    return at is not None and desk.now >= at


def _lapses_at(desk: Desk, alert: Alert) -> datetime | None:
    """When others are called: nothing was done since somebody took it, or a question found no answer."""
    limit, moments = desk.ladder(alert).untouched, []
    if limit is not None and alert.acked_at is not None and not alert.touched:
        moments.append(alert.acked_at + timedelta(seconds=limit))
    if alert.asked_at is not None:
        moments.append(alert.asked_at + timedelta(seconds=desk.policy.still_wait))
    return min(moments, default=None)


def _question_at(desk: Desk, alert: Alert) -> datetime | None:
    """When whoever has it is asked: so long after they last said so, and after anything was last done."""
    every = desk.ladder(alert).still_on_it
    if every is None or alert.acked_at is None:
        return None
    return max(alert.acked_at, alert.worked_at or alert.acked_at) + timedelta(seconds=every)
