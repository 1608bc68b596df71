"""Every history of a line's pager that hypothesis can think of: short in the tests, ten thousand in `make bench`.

Several cases at once, drills among them, on one rota and one policy. What must hold after every event is said by the
invariants and in `happens`; nothing here knows how the pager does it, but for the table of legal moves.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import combinations, count
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from triage.alerts import (
    OUTSIDE,
    Acknowledged,
    Action,
    Alert,
    AlertState,
    Closed,
    Event,
    Opened,
    PageNews,
    PageOutside,
    PageResponder,
    PageState,
    Raised,
    Tell,
    TellResponder,
    Tick,
    TimedOut,
    WakeAt,
    Worked,
)
from triage.escalation import TABLE, new_alert, step
from triage.hours import Window
from triage.levels import Level
from triage.policy import LevelPolicy, Levels, Step, TriagePolicy, When, Who
from triage.rota import Method, MethodKind, Responder, Rota, in_hours

START = datetime(2026, 3, 4, 12, tzinfo=UTC)
OFFICE = (Window(start=time(9), end=time(17)),)
NAMES = ("ana", "ben", "chi", "eve")
CODES = 8  # so few that a code is soon drawn twice
MOST_CASES = 3


def responder(name: str, *kinds: MethodKind, languages: tuple[str, ...] = (), office: bool = False) -> Responder:
    """Somebody with one contact for each kind."""
    return Responder(
        id=name,
        name=name.title(),
        languages=languages,
        methods=tuple(Method(kind=kind, contact=f"{name}-{kind}") for kind in kinds),
        hours=OFFICE if office else (),
    )


RESPONDERS = st.lists(
    st.builds(
        lambda name, kinds, office, speaks: responder(name, *kinds, office=office, languages=("es",) if speaks else ()),
        st.sampled_from(NAMES),
        st.lists(st.sampled_from(MethodKind), unique=True, max_size=3),
        st.booleans(),
        st.booleans(),
    ),
    unique_by=lambda r: r.id,
    max_size=4,
)
ROTAS = RESPONDERS.map(lambda people: Rota(responders=tuple(people)))
STEPS = st.lists(
    st.builds(
        Step,
        who=st.sampled_from(Who),
        wait=st.integers(20, 900),
        methods=st.lists(st.sampled_from(MethodKind), unique=True, max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
PATIENCE = st.none() | st.integers(30, 2000)
LADDERS = st.builds(
    LevelPolicy,
    page=st.sampled_from(When),
    acknowledge=st.just(180),
    people_for_life=st.integers(1, 3),
    steps=STEPS,
    repeat=st.integers(0, 2),
    last_resort_every=st.integers(20, 900),
    untouched=PATIENCE,
    still_on_it=PATIENCE,
)
POLICIES = st.builds(
    TriagePolicy,
    levels=st.builds(Levels, emergency=LADDERS, high=LADDERS),
    outside_number=st.sampled_from(["", "+34600111222"]),
    method_wait=st.integers(1, 60),
    contact_gap=st.integers(1, 20),
    still_wait=st.integers(1, 600),
)
SKEWS = st.integers(-60, 60)  # seconds by which two machines' clocks may differ
WHICH = st.integers(0, MOST_CASES - 1)
PAGED = st.sampled_from([Level.HIGH, Level.EMERGENCY])


@dataclass(slots=True, kw_only=True)
class Case:
    """One case of the line as the pager sees it. To the pager a drill is a report like any other."""

    alert: Alert
    drill: bool
    asked: WakeAt | None = None
    pages: set[str] = field(default_factory=set)


class EveryHistory(RuleBasedStateMachine):
    """Any order of new cases, acknowledgements in time and late, work, silence, failures, shift changes, wrong clocks,
    reminders, closings and drills."""

    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.cases: dict[str, Case] = {}
        self.spent: dict[str, str] = {}  # every code that was ever given -> the alert it was given for
        self.shift_changed = False
        self.paged: list[tuple[str, str, datetime]] = []
        self.new_id: Callable[[], str] = map("page-{}".format, count(1)).__next__
        self.counts["histories"] += 1

    @initialize(policy=POLICIES, rota=ROTAS, level=PAGED, life=st.booleans(), drill=st.booleans())
    def begin(self, policy: TriagePolicy, rota: Rota, level: Level, life: bool, drill: bool) -> None:
        self.policy, self.rota = policy, rota
        self.opens(0, level, life, drill)

    @precondition(lambda self: 0 < len(self.cases) < MOST_CASES and len(self.spent) < CODES)
    @rule(code=st.integers(0, CODES - 1), level=st.sampled_from(Level), life=st.booleans(), drill=st.booleans())
    def another_case(self, code: int, level: Level, life: bool, drill: bool) -> None:
        self.opens(code, level, life, drill)

    def opens(self, code: int, level: Level, life: bool, drill: bool) -> None:
        """As the vault does: a code that was ever given is drawn again, though its case be erased."""
        drawn = (str((code + more) % CODES) for more in range(CODES))
        free = next(code for code in drawn if code not in self.spent)
        alert = new_alert(f"alert-{self.new_id()}", level=level, language="es", life_at_risk=life, policy=self.policy)
        self.cases[free], self.spent[free] = Case(alert=alert, drill=drill), alert.id
        self.counts["drills" if drill else "reports"] += 1
        self.happens(free, Opened())

    def code(self, which: int) -> str:
        """One of the cases there are."""
        return list(self.cases)[which % len(self.cases)]

    def happens(self, code: str, event: Event, skew: int = 0) -> tuple[Action, ...]:
        """One event of one case, on a machine whose clock is `skew` seconds off."""
        case, now = self.cases[code], self.now + timedelta(seconds=skew)
        before = case.alert
        after, actions = step(before, self.policy, self.rota, event, now, new_id=self.new_id)
        self.counts["events"] += 1
        self.counts[f"{before.state} to {after.state}"] += before.state is not after.state
        assert after.state in TABLE[before.state, type(event)][1]
        assert after.level >= before.level
        assert after.needed >= before.needed
        assert Alert.from_json(json.loads(json.dumps(after.to_json()))) == after
        for action in actions:
            self.follows(case, before, after, action)
        case.alert = after
        self.somebody_is_being_called(after, now)
        return actions

    def follows(self, case: Case, before: Alert, after: Alert, action: Action) -> None:
        """What one action may be."""
        match action:
            case WakeAt():
                case.asked = action
            case PageResponder(page=page, responder=who, method=method):
                case.pages.add(page)
                assert who not in after.acks, "somebody who has it was called again"
                assert after.live
                self.paged.append((after.id, method.contact, after.pages[-1].at))
            case PageOutside(page=page):
                case.pages.add(page)
                assert OUTSIDE not in after.acks
                self.paged.append((after.id, OUTSIDE, after.pages[-1].at))
            case TellResponder(responder=who, what=Tell.STILL_ON_IT):
                self.counts["asked: still on it?"] += 1
                assert before.asked_at is None, "asked again before the first question had its time"
                assert who in after.holders
            case TellResponder(responder=who, what=Tell.LAPSED):
                self.counts["taken from whoever was silent"] += 1
                assert who in before.holders
                assert after.live
                assert after.acks == ()

    def somebody_is_being_called(self, alert: Alert, now: datetime) -> None:
        """While nothing is due, a phone rings, or a text that arrived has its time, or everybody is off hours."""
        if alert.state is not AlertState.RINGING or alert.wake is None or now >= alert.wake:
            return
        waiting = [p for p in alert.pages if p.responder not in alert.acks]
        arrived = any(p.state.reached and p.attempt == alert.attempt for p in waiting)
        ringing = any(
            p.state is not PageState.FAILED and now < p.at + timedelta(seconds=self.policy.method_wait) for p in waiting
        )
        free = [r for r in self.rota.responders if r.id not in alert.acks]
        off_hours = self.policy.of(alert.level).page is not When.AT_ONCE and (
            self.shift_changed or not any(in_hours(r, now) for r in free)
        )
        assert arrived or ringing or off_hours, "nobody is being called"

    # What happens ---------------------------------------------------------------------------------------------

    @rule(seconds=st.integers(1, 2000))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: any(case.asked for case in self.cases.values()))
    @rule(which=WHICH, skew=SKEWS)
    def a_wake_up_comes(self, which: int, skew: int) -> None:
        """Nobody did anything until then: silence."""
        code = self.code(which)
        asked = self.cases[code].asked
        if asked is not None:
            self.now = max(self.now, asked.at)
            self.happens(code, TimedOut(timer=asked.timer), skew)

    @precondition(lambda self: self.cases)
    @rule(which=WHICH, timer=st.integers(-1, 50), skew=SKEWS)
    def a_wake_up_comes_twice_or_late(self, which: int, timer: int, skew: int) -> None:
        code = self.code(which)
        asked = self.cases[code].asked
        if asked is None or timer != asked.timer:
            self.happens(code, TimedOut(timer=timer), skew)

    @precondition(lambda self: self.cases)
    @rule(skew=SKEWS)
    def a_regular_look(self, skew: int) -> None:
        for code in list(self.cases):
            self.happens(code, Tick(), skew)

    @precondition(lambda self: self.cases)
    @rule(which=WHICH, page=st.integers(0, 300), state=st.sampled_from(PageState), skew=SKEWS)
    def news(self, which: int, page: int, state: PageState, skew: int) -> None:
        code = self.code(which)
        pages = self.cases[code].alert.pages
        page_id = pages[-1 - page % len(pages)].id if pages else "unknown"
        self.happens(code, PageNews(page=page_id, state=state, error=30003), skew)

    @precondition(lambda self: self.cases)
    @rule(which=WHICH, who=st.sampled_from([*NAMES, OUTSIDE, "staff"]), skew=SKEWS)
    def somebody_replies_with_a_code(self, which: int, who: str, skew: int) -> None:
        """In time, late, twice or after others: it takes the case it names, and no other."""
        code = self.code(which)
        others = {c: case.alert for c, case in self.cases.items() if c != code}
        actions = self.happens(code, Acknowledged(responder=who), skew)
        assert others == {c: case.alert for c, case in self.cases.items() if c != code}
        assert sum(isinstance(a, TellResponder) and a.responder == who for a in actions) == 1, "left without an answer"
        alert = self.cases[code].alert
        assert who in alert.acks or alert.state is AlertState.CLOSED

    @precondition(lambda self: self.cases)
    @rule(which=WHICH, settled=st.booleans(), ago=st.integers(0, 90), skew=SKEWS)
    def somebody_works_on_it(self, which: int, settled: bool, ago: int, skew: int) -> None:
        at = self.now - timedelta(seconds=ago)
        code = self.code(which)
        self.happens(code, Worked(at=at, settled=settled), skew)
        if settled and self.cases[code].alert.state is AlertState.ACKNOWLEDGED:
            assert self.cases[code].alert.wake is None

    @precondition(lambda self: self.cases)
    @rule(which=WHICH, level=st.sampled_from(Level), life=st.booleans(), skew=SKEWS)
    def danger_is_seen_again(self, which: int, level: Level, life: bool, skew: int) -> None:
        code = self.code(which)
        self.happens(code, Raised(level=level, life_at_risk=life), skew)
        assert self.cases[code].alert.level >= level
        assert not self.cases[code].alert.settled

    @rule(rota=ROTAS)
    def the_shift_changes(self, rota: Rota) -> None:
        self.rota = rota
        self.shift_changed = True

    @precondition(lambda self: self.cases)
    @rule(which=WHICH, twice=st.booleans())
    def staff_close_it(self, which: int, twice: bool) -> None:
        for _ in range(1 + twice):
            self.happens(self.code(which), Closed())

    @precondition(lambda self: self.cases)
    @rule(which=WHICH)
    def it_is_opened_again(self, which: int) -> None:
        self.happens(self.code(which), Opened())

    @precondition(lambda self: len(self.cases) > 1)
    @rule(which=WHICH)
    def it_is_erased(self, which: int) -> None:
        """Late pages of it are about; whoever replies to one must not take somebody else's case."""
        code = self.code(which)
        if self.cases[code].alert.state is AlertState.CLOSED:
            del self.cases[code]

    # What must hold -------------------------------------------------------------------------------------------

    @invariant()
    def somebody_has_it_or_the_next_call_is_scheduled(self) -> None:
        for case in self.cases.values():
            alert = case.alert
            if alert.state is AlertState.ACKNOWLEDGED:
                assert len(alert.acks) >= alert.needed
            if alert.live:
                assert len(alert.acks) < alert.needed
            if alert.live or (alert.state is AlertState.ACKNOWLEDGED and alert.wake):
                assert case.asked == WakeAt(at=alert.wake or START, timer=alert.timer)
            if alert.state is AlertState.CLOSED:
                assert alert.wake is None

    @invariant()
    def whoever_took_it_is_looked_after_until_the_person_waits_for_nothing(self) -> None:
        for case in self.cases.values():
            alert, ladder = case.alert, self.policy.of(case.alert.level)
            if alert.state is not AlertState.ACKNOWLEDGED or alert.settled:
                continue
            if ladder.still_on_it is not None or (ladder.untouched is not None and not alert.touched):
                assert alert.wake is not None, "taken, and forgotten"

    @invariant()
    def each_person_counts_once_for_a_case(self) -> None:
        for case in self.cases.values():
            assert len(set(case.alert.acks)) == len(case.alert.acks)

    @invariant()
    def a_code_and_a_page_mean_one_case_for_ever(self) -> None:
        assert all(self.spent[code] == case.alert.id for code, case in self.cases.items())
        pages = [page for case in self.cases.values() for page in case.pages]
        assert len(set(pages)) == len(pages)
        assert all({p.id for p in case.alert.pages} <= case.pages for case in self.cases.values())

    @invariant()
    def no_phone_rings_twice_for_a_case_within_the_gap(self) -> None:
        gap = timedelta(seconds=self.policy.contact_gap)
        latest = self.paged[-40:]
        for (alert, one, a), (other, two, b) in combinations(latest, 2):
            assert (alert, one) != (other, two) or abs(a - b) >= gap
