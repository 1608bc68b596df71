"""Every word staff read that stands for a state, as tables, and how ages and sizes are said. No HTML, no I/O."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from triage.alerts import AlertState
from triage.drills import DrillState, Shift
from triage.levels import Level
from triage.review import CaseState
from triage.rules import REASONS
from vault.cases import Case
from vault.delivery import OutboxState
from vault.paging import PageState
from vault.reach import Why

STATES: Mapping[CaseState, str] = MappingProxyType(
    {
        CaseState.DRAFT: "Still writing",
        CaseState.OPEN: "Nobody has it",
        CaseState.ASSIGNED: "Taken",
        CaseState.ANSWERED: "Answered",
        CaseState.CLOSED: "Closed",
        CaseState.WITHDRAWN: "Withdrawn by the person",
        CaseState.ERASED: "Erased",
    }
)

LEVELS: Mapping[Level, str] = MappingProxyType(
    {
        Level.EMERGENCY: "Life or liberty is at stake now.",
        Level.HIGH: "Exploitation or control that continues.",
        Level.STANDARD: "Signs, without danger at this moment.",
        Level.INFORMATION: "A question, thanks, or a wrong number.",
    }
)

INTENSITY: Mapping[Level, str] = MappingProxyType(
    {
        Level.EMERGENCY: "May describe violence. Take the time you need.",
        Level.HIGH: "May describe threats or control.",
        Level.STANDARD: "May describe bad treatment.",
        Level.INFORMATION: "Probably calm.",
    }
)
"""What to expect before opening what was said."""

CHANNELS: Mapping[str, str] = MappingProxyType(
    {
        "sms": "Text message",
        "voice": "Phone call",
        "telegram": "Telegram",
        "whatsapp": "WhatsApp",
        "web": "Web page",
        "staff": "Return code only",
    }
)

DELIVERIES: Mapping[OutboxState, str] = MappingProxyType(
    {
        OutboxState.WAITING: "On its way",
        OutboxState.ACCEPTED: "Taken by the provider; not confirmed yet",
        OutboxState.REACHED: "Delivered",
        OutboxState.FAILED: "Could not be delivered",
        OutboxState.HELD: "Waits until the person writes; not sent yet",
        OutboxState.LEFT: "Waits under their return code; not sent",
    }
)

PAGES: Mapping[PageState, str] = MappingProxyType(
    {
        PageState.WAITING: "Being sent",
        PageState.SENT: "Sent; not confirmed yet",
        PageState.DELIVERED: "Delivered",
        PageState.ANSWERED: "Answered",
        PageState.FAILED: "Failed",
    }
)

ALERTS: Mapping[AlertState, str] = MappingProxyType(
    {
        AlertState.NEW: "About to ring",
        AlertState.RINGING: "Ringing",
        AlertState.LAST_RESORT: "Ringing everyone",
        AlertState.ACKNOWLEDGED: "Acknowledged",
        AlertState.CLOSED: "Over",
    }
)

DRILLS: Mapping[DrillState, str] = MappingProxyType(
    {
        DrillState.RUNNING: "Running",
        DrillState.PASSED: "Passed",
        DrillState.SLOW: "Slower than expected, or at a lower level",
        DrillState.UNANSWERED: "Nobody wrote to the person",
        DrillState.NOBODY: "Nobody acknowledged",
        DrillState.UNPAGED: "Nobody was paged",
        DrillState.CALLED_OFF: "Called off: a real report came",
        DrillState.BROKEN: "Did not get in",
    }
)

SHIFTS: Mapping[Shift, str] = MappingProxyType({Shift.DAY: "Day", Shift.EVENING: "Evening", Shift.NIGHT: "Night"})

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "sms": "Text message",
        "voice": "Phone call",
        "telegram": "Telegram",
        "connect": "Caller on the line",
        "still": "Asked by phone",
    }
)

REACH: Mapping[Why, str] = MappingProxyType(
    {
        Why.WORKS: "Works",
        Why.MISSED: "No answer before the last shift",
        Why.REFUSED: "Refused before the last shift",
        Why.PAGE_FAILED: "The last page failed",
    }
)
"""What a way to a responder did last."""

CONTACT_RULES: Mapping[str, str] = MappingProxyType(
    {
        "": "They did not choose how they may be contacted. Somebody else may read what you send.",
        "never_first": "Nobody writes to them first. Your answer is not sent; it waits under their code.",
        "when_i_write": "They asked to be answered only when they write. Your answer waits until then.",
        "hours": "They asked to be contacted at certain hours only ({hours}). Your answer goes out then.",
        "neutral": "They asked for neutral words only: write nothing that shows what this line is.",
    }
)
"""Contact rule of a case -> what staff must know before they write."""

_HELD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "never_first": "Held: nobody writes to them first, and they have no return code. Not sent",
        "when_i_write": "Held until they write: they asked for that. Not sent yet",
        "hours": "Held until their hours begin ({hours}): they asked for that. Not sent yet",
    }
)


def delivery(state: OutboxState, case: Case, trouble: str = "") -> str:
    """What became of an answer, with the reason for one that is held or has failed."""
    if state is not OutboxState.HELD:
        return f"{DELIVERIES[state]}. {trouble}" if trouble else DELIVERIES[state]
    if case.resting and case.contact_rule != "never_first":
        return "Held until they write and it is safe: they said that they cannot talk now. Not sent yet"
    return _HELD.get(case.contact_rule, DELIVERIES[state]).format(hours=case.contact_hours)


def contact(case: Case) -> tuple[str, ...]:
    """What staff must know before they answer this person."""
    rule = CONTACT_RULES.get(case.contact_rule, CONTACT_RULES[""]).format(hours=case.contact_hours)
    called = "They called. An answer waits under their return code, if they have one, until they call again."
    checked = "Somebody may be looking at their phone: write harmless words."
    withdrawn = "They have taken their report back. When you close the case, it is destroyed."
    resting = "They said that they cannot talk now. Your answer waits until they write and it is safe."
    forced = (
        "They gave the word that means: somebody forces me. Nothing is sent to this phone, and you must not call it, "
        "until they give their check word. Think of another way to reach them."
    )
    return (
        *([withdrawn] if case.withdrawn_at else []),
        *([forced] if case.forced else []),
        rule,
        *([resting] if case.resting else []),
        *([called] if case.channel == "voice" else []),
        *([checked] if case.discreet else []),
    )


_WHILE_WRITING: Mapping[str, str] = MappingProxyType(
    {
        "": "They did not choose how they may be contacted. Somebody else may read what you send.",
        "never_first": "They asked not to be contacted: nothing is sent.",
        "when_i_write": "They asked to be answered only when they write. While they do, your words go out at once.",
        "hours": "They asked to be contacted at certain hours only ({hours}). Outside of them your words wait.",
        "neutral": "They asked for neutral words only: write nothing that shows what this line is.",
    }
)


def while_writing(case: Case) -> tuple[str, ...]:
    """What a member must know who writes with this person."""
    rule = _WHILE_WRITING.get(case.contact_rule, _WHILE_WRITING[""]).format(hours=case.contact_hours)
    return rule, *(["Somebody may be looking at their phone: write harmless words."] if case.discreet else [])


RAISED_BY_STAFF = "raised_by_staff"
SET_BY_STAFF = "set_by_staff"
_BY_STAFF = {
    RAISED_BY_STAFF: "A member of staff raised the level.",
    SET_BY_STAFF: "A member of staff wrote the report down and chose the level.",
}


def reason(rule: str) -> str:
    """The sentence for a rule of triage; for one this version does not know, its name in plain letters."""
    return _BY_STAFF.get(rule) or REASONS.get(rule) or rule.replace("_", " ").capitalize() + "."


def span(time: timedelta) -> str:
    """A stretch of time as people say it: "under a minute", "12 min", "3 h 5 min", "2 days"."""
    minutes = int(max(time, timedelta(0)).total_seconds()) // 60
    if minutes < 1:
        return "under a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days = hours // 24
    return f"{days} day" if days == 1 else f"{days} days"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 case", "3 cases"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def day(at: datetime) -> str:
    """A local day, short: "Mon 22"."""
    return f"{at:%a} {at.day}"


def moment(at: datetime) -> str:
    """A local time, short: "22 Nov, 09:41"."""
    return f"{at.day} {at:%b, %H:%M}"
