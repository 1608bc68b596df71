"""The queue and a case's way through it: what to read first, by when, and which steps are legal.

Pure: the moment is an argument. Two rules: the table is the program, and an illegal event raises and changes
nothing. Who may cause an event is the console's business, what is kept of a case the vault's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from triage.levels import Level
from triage.policy import TriagePolicy


class CaseState(StrEnum):
    """Where a case stands."""

    DRAFT = "draft"  # the person is still telling; staff may already act
    OPEN = "open"
    ASSIGNED = "assigned"
    ANSWERED = "answered"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"  # the person took it back
    ERASED = "erased"


class CaseEvent(StrEnum):
    """What can happen to a case."""

    WRITE = "write"  # the person wrote again
    FILE = "file"  # the report is complete enough for the queue
    ASSIGN = "assign"
    RELEASE = "release"  # back to the queue
    ANSWER = "answer"
    CLOSE = "close"
    WITHDRAW = "withdraw"
    ERASE = "erase"


class IllegalTransition(Exception):
    """This cannot happen to a case in this state: reload the case and look again."""

    def __init__(self, state: CaseState, event: CaseEvent) -> None:
        super().__init__(f"a case that is {state.value} does not take the event {event.value}")
        self.state = state
        self.event = event


_D, _O, _AS, _AN, _CL, _WD, _ER = CaseState

CASE_TABLE: Mapping[CaseState, Mapping[CaseEvent, CaseState]] = MappingProxyType(
    {
        _D: {
            CaseEvent.WRITE: _D,
            CaseEvent.FILE: _O,
            CaseEvent.ASSIGN: _AS,
            CaseEvent.ANSWER: _AN,
            CaseEvent.CLOSE: _CL,
            CaseEvent.WITHDRAW: _WD,
            CaseEvent.ERASE: _ER,
        },
        _O: {
            CaseEvent.WRITE: _O,
            CaseEvent.FILE: _O,
            CaseEvent.ASSIGN: _AS,
            CaseEvent.ANSWER: _AN,
            CaseEvent.CLOSE: _CL,
            CaseEvent.WITHDRAW: _WD,
            CaseEvent.ERASE: _ER,
        },
        _AS: {
            CaseEvent.WRITE: _AS,
            CaseEvent.FILE: _AS,
            CaseEvent.ASSIGN: _AS,
            CaseEvent.RELEASE: _O,
            CaseEvent.ANSWER: _AN,
            CaseEvent.CLOSE: _CL,
            CaseEvent.WITHDRAW: _WD,
            CaseEvent.ERASE: _ER,
        },
        _AN: {
            CaseEvent.WRITE: _O,  # the person waits again
            CaseEvent.FILE: _AN,
            CaseEvent.ASSIGN: _AS,
            CaseEvent.RELEASE: _O,
            CaseEvent.ANSWER: _AN,
            CaseEvent.CLOSE: _CL,
            CaseEvent.WITHDRAW: _WD,
            CaseEvent.ERASE: _ER,
        },
        _CL: {
            CaseEvent.WRITE: _O,  # a new message reopens
            CaseEvent.FILE: _O,
            CaseEvent.WITHDRAW: _WD,
            CaseEvent.ERASE: _ER,
        },
        _WD: {CaseEvent.ERASE: _ER},
        _ER: {},
    }
)


def transition(state: CaseState, event: CaseEvent) -> CaseState:
    """The state after `event`. Raises IllegalTransition."""
    try:
        return CASE_TABLE[state][event]
    except KeyError:
        raise IllegalTransition(state, event) from None


def legal_events(state: CaseState) -> frozenset[CaseEvent]:
    """What may happen to a case in this state; the console offers nothing else."""
    return frozenset(CASE_TABLE[state])


WORK = frozenset({CaseState.DRAFT, CaseState.OPEN, CaseState.ASSIGNED})
"""States in which somebody has to do something; the others rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """What the order of the queue depends on. `since`: when the oldest message nobody has dealt with came (UTC).

    `unread`: no human has read it yet and no engine could. `waiting`: the person wants an answer.
    """

    code: str
    level: Level
    state: CaseState
    since: datetime
    unread: bool = False
    life_at_risk: bool = False
    waiting: bool = False


def due(item: QueueItem, policy: TriagePolicy) -> datetime | None:
    """By when a human must have dealt with it (UTC), or None when nothing is owed."""
    return item.since + policy.target(item.level) if item.state in WORK else None


def overdue(item: QueueItem, policy: TriagePolicy, now: datetime) -> timedelta:
    """How far past its target the case is; zero when it is not. The backstop pages when this is not zero."""
    by = due(item, policy)
    return max(now - by, timedelta(0)) if by is not None else timedelta(0)


def in_order(items: Iterable[QueueItem], policy: TriagePolicy, now: datetime) -> tuple[QueueItem, ...]:
    """The queue, first things first: work before rest, then level, risk to life, unread, furthest past its
    target, waiting for an answer, oldest. The code settles what is left, so that the order never flickers."""

    def rank(item: QueueItem) -> tuple[object, ...]:
        return (
            item.state not in WORK,
            -item.level,
            not item.life_at_risk,
            not item.unread,
            -overdue(item, policy, now),
            not item.waiting,
            item.since,
            item.code,
        )

    return tuple(sorted(items, key=rank))
