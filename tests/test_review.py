"""The queue's order, its targets, and the legal way of a case."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.levels import Level
from triage.policy import TriagePolicy
from triage.review import (
    CASE_TABLE,
    WORK,
    CaseEvent,
    CaseState,
    IllegalTransition,
    QueueItem,
    due,
    in_order,
    legal_events,
    overdue,
    transition,
)

POLICY = TriagePolicy()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def item(
    code: str,
    level: Level,
    *,
    hours: float = 0,
    state: CaseState = CaseState.OPEN,
    unread: bool = False,
    life: bool = False,
    waiting: bool = False,
) -> QueueItem:
    return QueueItem(
        code=code,
        level=level,
        state=state,
        since=NOW - timedelta(hours=hours),
        unread=unread,
        life_at_risk=life,
        waiting=waiting,
    )


def codes(*items: QueueItem) -> str:
    return "".join(i.code for i in in_order(items, POLICY, NOW))


def test_the_worse_level_is_first_however_old_the_other_is() -> None:
    assert codes(item("b", Level.STANDARD, hours=500), item("a", Level.EMERGENCY)) == "ab"


def test_risk_to_life_is_first_among_emergencies() -> None:
    assert codes(item("b", Level.EMERGENCY, hours=1), item("a", Level.EMERGENCY, life=True)) == "ab"


def test_unread_is_first_among_equals() -> None:
    assert codes(item("b", Level.HIGH, hours=9), item("a", Level.HIGH, unread=True)) == "ab"


def test_the_case_furthest_past_its_target_is_first_among_equals() -> None:
    assert codes(item("b", Level.HIGH, hours=2), item("a", Level.HIGH, hours=3)) == "ab"


def test_who_waits_for_an_answer_comes_before_who_does_not() -> None:
    assert codes(item("b", Level.STANDARD, hours=3), item("a", Level.STANDARD, waiting=True)) == "ab"


def test_cases_at_rest_come_after_all_work() -> None:
    rest = item("b", Level.EMERGENCY, state=CaseState.ANSWERED)
    assert codes(rest, item("a", Level.INFORMATION)) == "ab"


def test_a_draft_is_work_too_because_the_person_may_never_finish() -> None:
    assert due(item("a", Level.HIGH, state=CaseState.DRAFT), POLICY) == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("level", "target"),
    [
        (Level.EMERGENCY, timedelta(minutes=3)),
        (Level.HIGH, timedelta(hours=1)),
        (Level.STANDARD, timedelta(hours=24)),
        (Level.INFORMATION, timedelta(hours=72)),
    ],
)
def test_every_level_has_its_target(level: Level, target: timedelta) -> None:
    assert due(item("a", level), POLICY) == NOW + target
    late = item("a", level, hours=100)
    assert overdue(late, POLICY, NOW) == timedelta(hours=100) - target
    assert overdue(item("a", level), POLICY, NOW) == timedelta(0)


def test_nothing_is_owed_once_answered_or_closed() -> None:
    for state in set(CaseState) - WORK:
        assert due(item("a", Level.HIGH, state=state), POLICY) is None
        assert not overdue(item("a", Level.HIGH, state=state, hours=99), POLICY, NOW)


ITEMS = st.builds(
    QueueItem,
    code=st.uuids().map(str),
    level=st.sampled_from(Level),
    state=st.sampled_from(CaseState),
    since=st.integers(0, 10**6).map(lambda s: NOW - timedelta(seconds=s)),
    unread=st.booleans(),
    life_at_risk=st.booleans(),
    waiting=st.booleans(),
)


@given(st.lists(ITEMS, max_size=12), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_where_a_case_stood_before(items: list[QueueItem], dice: object) -> None:
    shuffled = list(items)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # the strategy's type is hidden
    assert in_order(items, POLICY, NOW) == in_order(shuffled, POLICY, NOW)
    assert sorted(i.code for i in items) == sorted(i.code for i in in_order(items, POLICY, NOW))


def test_a_case_goes_from_draft_to_closed() -> None:
    state = CaseState.DRAFT
    for event in (CaseEvent.WRITE, CaseEvent.FILE, CaseEvent.ASSIGN, CaseEvent.ANSWER, CaseEvent.CLOSE):
        state = transition(state, event)
    assert state is CaseState.CLOSED


def test_staff_can_take_and_answer_a_case_that_is_not_finished() -> None:
    assert transition(CaseState.DRAFT, CaseEvent.ASSIGN) is CaseState.ASSIGNED
    assert transition(CaseState.DRAFT, CaseEvent.ANSWER) is CaseState.ANSWERED
    assert transition(CaseState.ASSIGNED, CaseEvent.FILE) is CaseState.ASSIGNED


@pytest.mark.parametrize("state", [CaseState.ANSWERED, CaseState.CLOSED])
def test_a_new_message_reopens_a_case(state: CaseState) -> None:
    assert transition(state, CaseEvent.WRITE) is CaseState.OPEN


@pytest.mark.parametrize("state", list(CaseState))
def test_every_state_but_erased_can_be_erased_and_nothing_follows(state: CaseState) -> None:
    if state is not CaseState.ERASED:
        assert transition(state, CaseEvent.ERASE) is CaseState.ERASED
    assert not legal_events(CaseState.ERASED)


@given(st.sampled_from(CaseState), st.sampled_from(CaseEvent))
def test_an_illegal_event_raises_and_says_which(state: CaseState, event: CaseEvent) -> None:
    if event in legal_events(state):
        assert transition(state, event) is CASE_TABLE[state][event]
    else:
        with pytest.raises(IllegalTransition) as refused:
            transition(state, event)
        assert (refused.value.state, refused.value.event) == (state, event)


def test_every_state_can_be_reached_from_a_draft() -> None:
    reached = {CaseState.DRAFT}
    while new := {after for state in reached for after in CASE_TABLE[state].values()} - reached:
        reached |= new
    assert reached == set(CaseState)
