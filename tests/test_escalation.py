"""The pager: who is called, by what, and when; and what must hold in every history of events."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.histories import POLICIES, ROTAS, START, EveryHistory, responder
from triage.alerts import (
    OUTSIDE,
    Acknowledged,
    Action,
    Alert,
    AlertState,
    Closed,
    ConsoleAlarm,
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
from triage.escalation import TABLE, IllegalEvent, new_alert, step
from triage.ladder import PAGES_KEPT, unheard
from triage.levels import Level
from triage.policy import LevelPolicy, Levels, Step, TriagePolicy, When, Who
from triage.rota import MethodKind, Rota

MIDNIGHT = START - timedelta(hours=12)
SMS, VOICE, TELEGRAM = MethodKind.SMS, MethodKind.VOICE, MethodKind.TELEGRAM


ANA, BEN = responder("ana", SMS, VOICE, languages=("en",)), responder("ben", SMS, TELEGRAM, languages=("es",))
CHI = responder("chi", VOICE)
TWO, THREE = Rota(responders=(ANA, BEN)), Rota(responders=(ANA, BEN, CHI))
POLICY = TriagePolicy(outside_number="+34600111222")


class Pager:
    """One alert with its clock; it reads like the night it describes."""

    def __init__(
        self,
        rota: Rota = TWO,
        *,
        level: Level = Level.EMERGENCY,
        life: bool = False,
        language: str = "en",
        policy: TriagePolicy = POLICY,
        now: datetime = START,
    ) -> None:
        self.rota, self.policy, self.now = rota, policy, now
        self.new_id: Callable[[], str] = map("page-{}".format, count(1)).__next__
        self.alert = new_alert("alert", level=level, language=language, life_at_risk=life, policy=policy)

    def on(self, event: Event) -> tuple[Action, ...]:
        self.alert, actions = step(self.alert, self.policy, self.rota, event, self.now, new_id=self.new_id)
        return actions

    def opened(self) -> list[str]:
        return called(self.on(Opened()))

    def wakes(self) -> list[str]:
        """The next wake-up comes; who is called then."""
        assert self.alert.wake is not None
        self.now = self.alert.wake
        return called(self.on(TimedOut(timer=self.alert.timer)))

    def news(self, contact: str, state: PageState, error: int | None = None) -> list[str]:
        """News of the latest page to this contact; who is called because of it."""
        page = [p for p in self.alert.pages if p.contact == contact][-1]
        return called(self.on(PageNews(page=page.id, state=state, error=error)))

    def ack(self, who: str) -> list[tuple[str, Tell, tuple[str, ...]]]:
        """Somebody acknowledges; who is told what."""
        actions = self.on(Acknowledged(responder=who))
        return [(a.responder, a.what, a.holders) for a in actions if isinstance(a, TellResponder)]

    @property
    def after(self) -> float:
        """Seconds since the start."""
        return (self.now - START).total_seconds()


def called(actions: tuple[Action, ...]) -> list[str]:
    """Contacts called, in order."""
    names = (
        OUTSIDE if isinstance(a, PageOutside) else a.method.contact if isinstance(a, PageResponder) else "alarm"
        for a in actions
        if isinstance(a, PageOutside | PageResponder | ConsoleAlarm)
    )
    return list(names)


# The climb --------------------------------------------------------------------------------------------------


def test_an_emergency_calls_one_person_at_once() -> None:
    pager = Pager()
    actions = pager.on(Opened())
    assert called(actions) == ["ana-sms"]
    assert isinstance(actions[-1], WakeAt)


def test_who_speaks_the_language_is_called_first() -> None:
    assert Pager(language="es").opened() == ["ben-sms"]
    assert Pager(language="sw").opened() == ["ana-sms"]


def test_the_whole_ladder_when_everyone_sleeps() -> None:
    pager = Pager()
    history = [(pager.after, pager.opened())]
    pager.news("ana-sms", PageState.DELIVERED)
    while pager.alert.state is AlertState.RINGING:
        calls = pager.wakes()
        history += [(pager.after, calls)] if calls else []
        for call in calls:
            if call not in {"alarm", OUTSIDE}:
                pager.news(call, PageState.DELIVERED)
    assert history == [
        (0, ["ana-sms"]),
        (25, ["ana-voice"]),
        (60, ["ben-sms"]),
        (85, ["ben-telegram"]),
        (120, ["ana-sms", "ben-sms"]),
        (145, ["ana-voice", "ben-telegram"]),
        (180, [OUTSIDE]),
        (205, ["alarm", "ana-sms", "ana-voice", "ben-sms", "ben-telegram", OUTSIDE]),
    ]


def test_the_last_resort_rings_everyone_again_and_again() -> None:
    pager = Pager()
    pager.opened()
    while pager.alert.state is AlertState.RINGING:
        pager.wakes()
    for _ in range(50):
        before = pager.now
        assert pager.wakes() == ["alarm", "ana-sms", "ana-voice", "ben-sms", "ben-telegram", OUTSIDE]
        assert pager.now - before == timedelta(seconds=120)
    assert pager.alert.state is AlertState.LAST_RESORT


def test_a_failed_page_is_followed_by_the_next_method_at_once() -> None:
    pager = Pager()
    pager.opened()
    assert pager.news("ana-sms", PageState.FAILED, 30003) == ["ana-voice"]
    assert pager.alert.pages[0].error == 30003


def test_when_all_methods_of_a_person_fail_the_next_person_is_called_at_once() -> None:
    pager = Pager()
    pager.opened()
    pager.news("ana-sms", PageState.FAILED)
    assert pager.news("ana-voice", PageState.FAILED) == ["ben-sms"]


def test_accepted_and_sent_are_not_reached() -> None:
    pager = Pager(Rota(responders=(CHI, BEN)), language="")
    pager.opened()
    pager.news("chi-voice", PageState.ACCEPTED)
    pager.news("chi-voice", PageState.SENT)
    assert (pager.wakes(), pager.after) == (["ben-sms"], 25)


def test_a_page_that_arrived_gets_the_whole_wait() -> None:
    pager = Pager(Rota(responders=(CHI, BEN)), language="")
    pager.opened()
    pager.news("chi-voice", PageState.DELIVERED)
    assert (pager.wakes(), pager.after) == ([], 25)
    assert (pager.wakes(), pager.after) == (["ben-sms"], 60)


def test_everything_down_reaches_the_outside_number_without_waiting() -> None:
    pager = Pager()
    calls = pager.opened()
    while OUTSIDE not in calls:
        calls += pager.news(calls[-1], PageState.FAILED)
    assert pager.after == 0
    assert calls == ["ana-sms", "ana-voice", "ben-sms", "ben-telegram", OUTSIDE]


def test_an_empty_rota_still_ends_at_a_human() -> None:
    pager = Pager(Rota())
    assert pager.opened() == [OUTSIDE]
    assert pager.wakes() == ["alarm", OUTSIDE]


def test_an_empty_rota_without_an_outside_number_keeps_sounding_the_alarm() -> None:
    pager = Pager(Rota(), policy=TriagePolicy())
    assert pager.opened() == ["alarm"]
    assert pager.wakes() == ["alarm"]


def test_a_person_without_any_method_does_not_hold_the_ladder_up() -> None:
    pager = Pager(Rota(responders=(responder("eve"), ANA)), language="")
    assert (pager.opened(), pager.alert.step) == (["ana-sms"], 0)


def test_a_step_may_name_its_methods_but_never_leaves_a_person_out() -> None:
    emergency = LevelPolicy(
        page=When.AT_ONCE,
        acknowledge=60,
        steps=(Step(who=Who.EVERYONE, wait=60, methods=(VOICE,)),),
        last_resort_every=60,
    )
    pager = Pager(policy=TriagePolicy(levels=Levels(emergency=emergency)))
    assert pager.opened() == ["ana-voice", "ben-sms"]


def test_the_ladder_is_climbed_again_when_the_policy_repeats_it() -> None:
    emergency = LevelPolicy(
        page=When.AT_ONCE,
        acknowledge=60,
        steps=(Step(who=Who.NEXT, wait=25), Step(who=Who.NEXT, wait=25)),
        repeat=1,
        last_resort_every=60,
    )
    pager = Pager(policy=TriagePolicy(levels=Levels(emergency=emergency)))
    calls = [pager.opened(), *(pager.wakes() for _ in range(4))]
    assert [c[0] for c in calls] == ["ana-sms", "ben-sms", "ana-sms", "ben-sms", "alarm"]


def test_who_comes_on_shift_meanwhile_is_called() -> None:
    pager = Pager()
    pager.opened()
    pager.rota = Rota(responders=(CHI,))
    pager.news("ana-sms", PageState.FAILED)
    assert pager.alert.pages[-1].responder == "chi"


# Hours ------------------------------------------------------------------------------------------------------

DAY = Rota(responders=(responder("ana", SMS, office=True), responder("ben", SMS, office=True)))


def test_an_emergency_knows_no_hours() -> None:
    assert Pager(DAY, now=MIDNIGHT).opened() == ["ana-sms"]


def test_high_pages_within_hours() -> None:
    assert Pager(DAY, level=Level.HIGH, now=START).opened() == ["ana-sms"]
    assert Pager(DAY, level=Level.HIGH, now=MIDNIGHT).opened() == []


def test_high_at_night_calls_who_is_within_their_hours() -> None:
    rota = Rota(responders=(*DAY.responders, CHI))
    assert Pager(rota, level=Level.HIGH, now=MIDNIGHT).opened() == ["chi-voice"]


def test_high_that_nobody_took_in_an_hour_calls_everyone_at_any_hour() -> None:
    pager = Pager(DAY, level=Level.HIGH, now=MIDNIGHT)
    pager.opened()
    while pager.alert.state is AlertState.RINGING:
        calls = pager.wakes()
    assert (calls, pager.now - MIDNIGHT) == (["alarm", "ana-sms", "ben-sms", OUTSIDE], timedelta(hours=1))


# Acknowledging ----------------------------------------------------------------------------------------------


def test_an_acknowledgement_stops_the_calls_and_tells_those_who_were_called() -> None:
    pager = Pager()
    pager.opened()
    pager.wakes()
    pager.wakes()
    assert pager.ack("ben") == [("ben", Tell.TAKEN, ("ben",)), ("ana", Tell.STOOD_DOWN, ("ben",))]
    assert pager.alert.state is AlertState.ACKNOWLEDGED
    assert pager.on(Tick()) == ()


def test_a_late_acknowledgement_counts_while_it_rings() -> None:
    pager = Pager()
    pager.opened()
    while pager.alert.state is AlertState.RINGING:
        pager.wakes()
    assert pager.ack("ana")[0] == ("ana", Tell.TAKEN, ("ana",))


def test_who_acknowledges_after_another_sees_who_has_it() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ben")
    assert pager.ack("ana") == [("ana", Tell.ALREADY_TAKEN, ("ben",))]


def test_who_acknowledges_something_closed_is_told_so() -> None:
    pager = Pager()
    pager.opened()
    pager.on(Closed())
    assert pager.ack("ana") == [("ana", Tell.CLOSED, ())]
    assert pager.alert.state is AlertState.CLOSED


def test_risk_to_life_needs_two_people() -> None:
    pager = Pager(life=True)
    pager.opened()
    actions = pager.on(Acknowledged(responder="ana"))
    assert called(actions) == ["ben-sms"]
    assert TellResponder(responder="ana", what=Tell.NEEDS_SECOND, holders=("ana",)) in actions
    assert pager.ack("ben") == [("ben", Tell.TAKEN, ("ana", "ben"))]
    assert pager.alert.state is AlertState.ACKNOWLEDGED


def test_the_same_person_twice_is_one_person() -> None:
    pager = Pager(life=True)
    pager.opened()
    pager.ack("ana")
    assert pager.ack("ana") == [("ana", Tell.NEEDS_SECOND, ("ana",))]
    assert pager.alert.state is AlertState.RINGING


def test_the_second_person_is_called_more_slowly_and_the_first_is_left_alone() -> None:
    pager = Pager(life=True)
    pager.opened()
    pager.ack("ana")
    pager.news("ben-sms", PageState.DELIVERED)
    while pager.alert.state is AlertState.RINGING:
        pager.wakes()
    assert [p.contact for p in pager.alert.pages if p.responder == "ana"] == ["ana-sms"]
    before = pager.now
    assert pager.wakes() == ["alarm", "ben-sms", "ben-telegram", OUTSIDE]
    assert pager.now - before == timedelta(seconds=240)


def test_somebody_behind_the_outside_number_can_acknowledge() -> None:
    pager = Pager(Rota())
    pager.opened()
    assert pager.ack(OUTSIDE) == [(OUTSIDE, Tell.TAKEN, (OUTSIDE,))]


def test_the_outside_number_is_left_alone_once_it_has_acknowledged() -> None:
    pager = Pager(Rota(), life=True)
    pager.opened()
    pager.ack(OUTSIDE)
    assert pager.wakes() == ["alarm"]


# Whoever has it ---------------------------------------------------------------------------------------------


def told(actions: tuple[Action, ...]) -> list[tuple[str, Tell]]:
    """Who is told what."""
    return [(a.responder, a.what) for a in actions if isinstance(a, TellResponder)]


def test_a_case_that_nobody_touches_is_offered_to_others_and_its_holder_comes_last() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ana")
    pager.now += timedelta(seconds=599)
    assert pager.on(Tick()) == ()
    pager.now += timedelta(seconds=1)
    actions = pager.on(TimedOut(timer=pager.alert.timer))
    assert (told(actions), called(actions)) == ([("ana", Tell.LAPSED)], ["ben-sms"])
    assert (pager.alert.state, pager.alert.acks) == (AlertState.RINGING, ())


def test_whoever_had_it_is_called_again_when_there_is_nobody_else() -> None:
    pager = Pager(Rota(responders=(ANA,)))
    pager.opened()
    pager.ack("ana")
    assert pager.wakes() == ["ana-sms"]


def test_somebody_who_works_on_it_is_asked_and_an_answer_is_enough() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ana")
    pager.on(Worked(at=START + timedelta(minutes=5)))
    assert (pager.wakes(), pager.after) == ([], 35 * 60), "half an hour after anything was done"
    assert pager.alert.asked_at == pager.now
    pager.now += timedelta(seconds=200)
    assert pager.ack("ana") == [("ana", Tell.TAKEN, ("ana",))]
    assert (pager.wakes(), pager.after) == ([], 35 * 60 + 200 + 1800), "asked again, half an hour later"


def test_no_answer_to_the_question_calls_the_next_person() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ana")
    pager.on(Worked(at=START))
    pager.wakes()
    assert pager.wakes() == ["ben-sms"]
    assert pager.after == 1800 + 300


def test_work_answers_the_question_too() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ana")
    pager.on(Worked(at=START))
    pager.wakes()
    pager.on(Worked(at=pager.now + timedelta(seconds=30)))
    assert pager.alert.asked_at is None
    assert (pager.wakes(), pager.after) == ([], 1800 + 30 + 1800)


def test_nobody_is_asked_once_the_person_waits_for_nothing_more() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ana")
    pager.on(Worked(at=START, settled=True))
    assert pager.alert.wake is None
    pager.now += timedelta(days=1)
    assert pager.on(Tick()) == ()
    assert told(pager.on(Raised(level=Level.EMERGENCY))) == [], "so long after, somebody is called anew instead"
    assert pager.alert.live


def test_danger_within_seconds_of_an_answer_opens_the_question_again() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ana")
    pager.on(Raised(level=Level.EMERGENCY))
    pager.on(Worked(at=START, settled=True))
    assert told(pager.on(Raised(level=Level.EMERGENCY))) == [], "they were told a moment ago"
    assert pager.alert.wake is not None


def test_while_the_question_is_open_somebody_else_may_step_in() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ana")
    pager.on(Worked(at=START))
    pager.wakes()
    assert pager.ack("ben") == [("ben", Tell.TAKEN, ("ben",))]
    assert pager.alert.holders == ("ben",)


def test_only_those_who_have_it_are_asked_not_those_who_were_told_to_rest() -> None:
    pager = Pager(life=True)
    pager.opened()
    for name in ("ana", "ben", "staff"):
        pager.ack(name)
    pager.on(Worked(at=START))
    assert pager.alert.wake is not None
    pager.now = pager.alert.wake
    actions = pager.on(TimedOut(timer=pager.alert.timer))
    assert told(actions) == [("ana", Tell.STILL_ON_IT), ("ben", Tell.STILL_ON_IT)]


def test_a_level_without_these_times_leaves_whoever_has_it_alone() -> None:
    pager = Pager(level=Level.STANDARD)
    pager.opened()
    pager.ack("ana")
    assert pager.alert.wake is None


def test_an_alert_that_was_taken_before_reminders_existed_still_opens() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ana")
    old = pager.alert.to_json()
    for name in ("touched", "worked_at", "asked_at", "settled", "lapsed"):
        del old[name]
    assert Alert.from_json(old) == pager.alert


def test_it_is_known_when_no_provider_takes_anything() -> None:
    pager = Pager()
    pager.opened()
    while pager.alert.state is AlertState.RINGING:
        assert not unheard(pager.alert)
        pager.wakes()
    for page in pager.alert.pages:
        pager.on(PageNews(page=page.id, state=PageState.FAILED))
    assert unheard(pager.alert)
    pager.wakes()
    assert unheard(pager.alert), "pages that nobody has tried yet tell nothing"
    pager.on(PageNews(page=pager.alert.pages[-1].id, state=PageState.ACCEPTED))
    assert not unheard(pager.alert)


def test_with_nobody_to_call_nothing_is_heard() -> None:
    pager = Pager(Rota(), policy=TriagePolicy())
    pager.opened()
    assert unheard(pager.alert)


@given(ROTAS, st.sampled_from(["es", "sw", ""]))
def test_language_orders_people_and_never_makes_anybody_wait(rota: Rota, language: str) -> None:
    reachable = [r for r in rota.responders if r.methods]
    pager = Pager(rota, language=language)
    calls = pager.opened()
    assert calls
    if reachable:
        speaking = [r for r in reachable if language in r.languages]
        assert pager.alert.pages[0].responder == (speaking or reachable)[0].id
        assert pager.alert.pages[0].at == START


# Raising and closing ----------------------------------------------------------------------------------------


def test_a_level_that_rises_starts_again_at_once() -> None:
    pager = Pager(level=Level.HIGH)
    pager.opened()
    pager.now += timedelta(minutes=5)
    assert called(pager.on(Raised(level=Level.EMERGENCY))) == ["ana-sms"]
    assert (pager.alert.level, pager.wakes(), pager.alert.step) == (Level.EMERGENCY, ["ana-voice"], 0)


def test_a_level_that_rises_seconds_after_a_page_does_not_ring_the_same_phone_again() -> None:
    alone = Rota(responders=(CHI,))
    pager = Pager(alone, level=Level.HIGH)
    pager.opened()
    pager.now += timedelta(seconds=5)
    assert called(pager.on(Raised(level=Level.EMERGENCY))) == []
    assert (pager.wakes(), pager.after) == (["chi-voice"], 25)


def test_a_level_never_goes_down() -> None:
    pager = Pager()
    pager.opened()
    pager.on(Raised(level=Level.STANDARD))
    assert pager.alert.level is Level.EMERGENCY


def test_danger_seen_again_while_it_rings_does_not_ring_more() -> None:
    pager = Pager()
    pager.opened()
    assert pager.on(Raised(level=Level.EMERGENCY)) == ()


def test_risk_to_life_found_later_calls_a_second_person() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ana")
    actions = pager.on(Raised(level=Level.EMERGENCY, life_at_risk=True))
    assert called(actions) == ["ben-sms"]
    assert TellResponder(responder="ana", what=Tell.RAISED, holders=("ana",)) in actions
    assert pager.alert.state is AlertState.RINGING


def test_whoever_has_it_is_told_when_it_becomes_worse() -> None:
    pager = Pager(level=Level.HIGH)
    pager.opened()
    pager.ack("ana")
    actions = pager.on(Raised(level=Level.EMERGENCY))
    assert TellResponder(responder="ana", what=Tell.RAISED, holders=("ana",)) in actions
    assert called(actions) == []
    assert pager.alert.wake == START + timedelta(seconds=600), "an emergency may lie untouched for ten minutes"
    assert pager.on(Raised(level=Level.EMERGENCY)) == ()


def test_danger_after_closing_calls_again() -> None:
    pager = Pager()
    pager.opened()
    pager.ack("ana")
    pager.on(Closed())
    pager.now += timedelta(hours=5)
    assert called(pager.on(Raised(level=Level.HIGH))) == ["ana-sms"]
    assert (pager.alert.level, pager.alert.acks) == (Level.EMERGENCY, ())


def test_the_last_resort_rings_at_once_when_the_level_rises() -> None:
    pager = Pager(level=Level.HIGH)
    pager.opened()
    while pager.alert.state is AlertState.RINGING:
        pager.wakes()
    pager.now += timedelta(seconds=60)
    assert "ana-sms" in called(pager.on(Raised(level=Level.EMERGENCY)))


# Clocks, repetitions, order ---------------------------------------------------------------------------------


def test_an_old_wake_up_changes_nothing() -> None:
    pager = Pager()
    pager.opened()
    first, alert = pager.alert.timer, pager.alert
    pager.wakes()
    after = pager.alert
    assert pager.on(TimedOut(timer=first)) == ()
    assert pager.alert == after != alert


def test_a_slow_clock_does_not_delay_a_wake_up() -> None:
    pager = Pager()
    pager.opened()
    pager.now -= timedelta(seconds=60)
    assert called(pager.on(TimedOut(timer=pager.alert.timer))) == ["ana-voice"]


def test_a_regular_look_replaces_a_lost_wake_up() -> None:
    pager = Pager()
    pager.opened()
    assert pager.on(Tick()) == ()
    pager.now += timedelta(seconds=61)
    assert called(pager.on(Tick())) == ["ben-sms"]


@pytest.mark.parametrize("late", [PageState.ACCEPTED, PageState.SENT, PageState.FAILED])
def test_news_in_the_wrong_order_does_not_undo_what_is_known(late: PageState) -> None:
    pager = Pager()
    pager.opened()
    pager.news("ana-sms", PageState.DELIVERED)
    assert pager.news("ana-sms", late) == []
    assert pager.alert.pages[0].state is PageState.DELIVERED


def test_news_of_an_unknown_page_changes_nothing() -> None:
    pager = Pager()
    pager.opened()
    before = pager.alert
    assert pager.on(PageNews(page="somebody else's", state=PageState.FAILED)) == ()
    assert pager.alert == before


def test_opening_twice_is_opening_once() -> None:
    pager = Pager()
    pager.opened()
    before = pager.alert
    assert (pager.on(Opened()), pager.alert) == ((), before)


@pytest.mark.parametrize(
    "event",
    [
        TimedOut(timer=0),
        Tick(),
        PageNews(page="", state=PageState.SENT),
        Acknowledged(responder="ana"),
        Raised(level=Level.HIGH),
    ],
)
def test_nothing_happens_to_an_alert_before_it_is_opened(event: Event) -> None:
    pager = Pager()
    with pytest.raises(IllegalEvent, match="send Opened first"):
        pager.on(event)


def test_a_time_without_zone_is_refused() -> None:
    pager = Pager(now=START.replace(tzinfo=None))
    with pytest.raises(ValueError, match="aware"):
        pager.opened()


def test_the_table_covers_every_state_and_event_once_opened() -> None:
    events = (Opened, TimedOut, Tick, PageNews, Acknowledged, Worked, Raised, Closed)
    assert {(s, e) for s in AlertState if s is not AlertState.NEW for e in events} <= TABLE.keys()
    assert {e for s, e in TABLE if s is AlertState.NEW} == {Opened, Closed}


def test_an_alert_of_a_newer_version_is_refused() -> None:
    with pytest.raises(ValueError, match="update it"):
        Alert.from_json({**Pager().alert.to_json(), "version": 2})


def test_an_alert_that_rings_for_days_stays_small() -> None:
    pager = Pager()
    pager.opened()
    for _ in range(500):
        pager.wakes()
    assert len(pager.alert.pages) == PAGES_KEPT
    assert pager.alert.live


# Every history ----------------------------------------------------------------------------------------------

TestEveryHistory = EveryHistory.TestCase
TestEveryHistory.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@settings(deadline=None)
@given(POLICIES, ROTAS, st.data(), st.booleans())
def test_everyone_is_called_within_the_worst_case_time_if_nobody_answers(
    policy: TriagePolicy, rota: Rota, data: st.DataObject, life: bool
) -> None:
    pager = Pager(rota, policy=policy, life=life)
    calls = pager.opened()
    while "alarm" not in calls:
        if pager.alert.pages and (state := data.draw(st.none() | st.sampled_from(PageState))) is not None:
            page = pager.alert.pages[data.draw(st.integers(0, len(pager.alert.pages) - 1))].id
            calls += called(pager.on(PageNews(page=page, state=state)))
        calls += pager.wakes() if pager.alert.state is AlertState.RINGING else []
    ladder = policy.of(Level.EMERGENCY)
    assert pager.after <= sum(s.wait for s in ladder.steps) * (1 + ladder.repeat)
    assert {m.contact for r in rota.responders for m in r.methods} <= set(calls)
    assert (OUTSIDE in calls) == bool(policy.outside_number)


@settings(deadline=None)
@given(POLICIES, ROTAS)
def test_pages_in_a_minute_are_bounded(policy: TriagePolicy, rota: Rota) -> None:
    pager = Pager(rota, policy=policy, life=True)
    pager.opened()
    for _ in range(60):
        for page in pager.alert.pages[-4:]:
            pager.on(PageNews(page=page.id, state=PageState.FAILED))
        pager.wakes()
    contacts = 1 + sum(len(r.methods) for r in rota.responders)
    most = contacts * (1 + 60 // policy.contact_gap)
    times = [p.at for p in pager.alert.pages]
    assert all(sum(t <= u < t + timedelta(minutes=1) for u in times) <= most for t in times)
