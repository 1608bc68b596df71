"""Who is on call: turns, layers, overrides, hours, languages, and clocks that change twice a year."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.hours import Window
from triage.rota import (
    Method,
    MethodKind,
    Override,
    Responder,
    Rota,
    everyone,
    gaps,
    in_hours,
    on_call,
    on_duty,
    shifts,
)
from triage.turns import Rotation

MADRID = ZoneInfo("Europe/Madrid")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday


def responder(name: str, *languages: str, hours: tuple[Window, ...] = ()) -> Responder:
    return Responder(
        id=name,
        name=name.title(),
        languages=languages,
        methods=(Method(kind=MethodKind.SMS, contact=f"{name}-sms"),),
        time_zone="Europe/Madrid",
        hours=hours,
    )


ANA, BEN, CHI = responder("ana", "es"), responder("ben", "en", "ar"), responder("chi", "zh", "en")
PEOPLE = (ANA, BEN, CHI)


def weekly(*members: str, **more: object) -> Rotation:
    settings = {"id": "first", "start": date(2026, 3, 2), "time_zone": "Europe/Madrid", **more}
    return Rotation(members=members, **settings)  # type: ignore[arg-type]  # settings of many types


def madrid(day: int, hour: int, minute: int = 0, *, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=MADRID)


def test_without_a_calendar_everyone_is_on_call() -> None:
    assert on_call(Rota(responders=PEOPLE), NOON) == PEOPLE
    assert not gaps(Rota(responders=PEOPLE), NOON, NOON + timedelta(days=7))


def test_a_rota_without_people_is_one_long_gap() -> None:
    assert on_call(Rota(), NOON) == ()
    (gap,) = gaps(Rota(), NOON, NOON + timedelta(days=7))
    assert (gap.start, gap.end) == (NOON, NOON + timedelta(days=7))


def test_who_speaks_the_language_is_called_first_and_nobody_is_left_out() -> None:
    rota = Rota(responders=PEOPLE)
    assert on_call(rota, NOON, ("zh",)) == (CHI, ANA, BEN)
    assert on_call(rota, NOON, ("en",)) == (BEN, CHI, ANA)
    assert on_call(rota, NOON, ("sw",)) == PEOPLE


def test_turns_change_at_the_hand_over_hour() -> None:
    rota = Rota(responders=PEOPLE, layers=(weekly("ana", "ben", days=1, handover=time(9)),))
    assert on_duty(rota, madrid(2, 9)) == ("ana",)
    assert on_duty(rota, madrid(3, 8, 59)) == ("ana",)
    assert on_duty(rota, madrid(3, 9)) == ("ben",)
    assert on_duty(rota, madrid(4, 9)) == ("ana",)


def test_weekly_turns_last_seven_days() -> None:
    rota = Rota(responders=PEOPLE, layers=(weekly("ana", "ben"),))
    assert on_duty(rota, madrid(9, 8, 59)) == ("ana",)
    assert on_duty(rota, madrid(9, 9)) == ("ben",)


def test_layers_are_called_in_order() -> None:
    rota = Rota(responders=PEOPLE, layers=(weekly("chi"), weekly("ana", id="second")))
    assert on_call(rota, NOON) == (CHI, ANA)
    assert on_call(rota, NOON, ("es",)) == (ANA, CHI)
    assert everyone(rota, NOON) == (CHI, ANA, BEN)


def test_a_hole_in_the_calendar_calls_everyone() -> None:
    nights = weekly("ana", windows=(Window(start=time(20), end=time(8)),))
    rota = Rota(responders=PEOPLE, layers=(nights,))
    assert on_duty(rota, NOON) == ()
    assert on_call(rota, NOON) == PEOPLE


def test_gaps_are_found_to_the_minute() -> None:
    nights = weekly("ana", windows=(Window(start=time(20), end=time(8)),))
    rota = Rota(responders=PEOPLE, layers=(nights,))
    found = gaps(rota, madrid(4, 0), madrid(6, 0))
    assert [(g.start, g.end) for g in found] == [(madrid(4, 8), madrid(4, 20)), (madrid(5, 8), madrid(5, 20))]


def test_before_its_first_day_a_rotation_has_nobody() -> None:
    rota = Rota(responders=PEOPLE, layers=(weekly("ana"),))
    (gap,) = gaps(rota, madrid(1, 0), madrid(3, 0))
    assert gap.end == madrid(2, 9)


def test_an_override_stands_in_for_its_time_only() -> None:
    swap = Override(start=madrid(4, 10), end=madrid(4, 18), responder="chi", replaces="ana")
    rota = Rota(responders=PEOPLE, layers=(weekly("ana"),), overrides=(swap,))
    assert on_duty(rota, madrid(4, 9, 59)) == ("ana",)
    assert on_duty(rota, madrid(4, 10)) == ("chi",)
    assert on_duty(rota, madrid(4, 18)) == ("ana",)
    assert [s.responders for s in shifts(rota, madrid(4, 0), madrid(5, 0))] == [("ana",), ("chi",), ("ana",)]


def test_a_holiday_without_a_stand_in_is_a_gap() -> None:
    away = Override(start=madrid(4, 0), end=madrid(5, 0), replaces="ana")
    rota = Rota(responders=PEOPLE, layers=(weekly("ana"),), overrides=(away,))
    (gap,) = gaps(rota, madrid(3, 0), madrid(7, 0))
    assert (gap.start, gap.end) == (madrid(4, 0), madrid(5, 0))


def test_an_extra_person_joins_in_front() -> None:
    extra = Override(start=madrid(4, 0), end=madrid(5, 0), responder="ben")
    rota = Rota(responders=PEOPLE, layers=(weekly("ana"),), overrides=(extra,))
    assert on_duty(rota, NOON) == ("ben", "ana")


def test_hand_over_keeps_the_wall_clock_when_summer_time_begins_and_ends() -> None:
    rota = Rota(responders=PEOPLE, layers=(weekly("ana", "ben", days=1),))
    for month, day in ((3, 29), (10, 25)):  # Madrid changes its clocks on these nights of 2026
        before, after = on_duty(rota, madrid(day, 8, 59, month=month)), on_duty(rota, madrid(day, 9, month=month))
        assert before != after


def test_a_hand_over_in_the_hour_that_comes_twice_happens_once() -> None:
    rota = Rota(responders=PEOPLE, layers=(weekly("ana", "ben", days=1, handover=time(2, 30)),))
    night = datetime(2026, 10, 24, 22, tzinfo=UTC)
    changes = shifts(rota, night, night + timedelta(hours=8))
    assert [s.start for s in changes[1:]] == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]


def test_a_hand_over_in_the_hour_that_is_skipped_still_happens() -> None:
    rota = Rota(responders=PEOPLE, layers=(weekly("ana", "ben", days=1, handover=time(2, 30)),))
    night = datetime(2026, 3, 28, 22, tzinfo=UTC)
    changes = shifts(rota, night, night + timedelta(hours=8))
    assert [s.start for s in changes[1:]] == [datetime(2026, 3, 29, 1, 30, tzinfo=UTC)]


def test_hours_are_the_responders_own_and_keep_only_calm_pages_away() -> None:
    day = responder("day", hours=(Window(start=time(9), end=time(17), days=frozenset(range(5))),))
    night = responder("night", hours=(Window(start=time(22), end=time(6)),))
    rota = Rota(responders=(day, night))
    assert on_call(rota, madrid(4, 12), urgent=False) == (day,)
    assert on_call(rota, madrid(4, 2), urgent=False) == (night,)
    assert on_call(rota, madrid(7, 12), urgent=False) == ()  # a Saturday
    assert on_call(rota, madrid(7, 12)) == (day, night)
    assert in_hours(day, madrid(4, 9))
    assert not in_hours(day, madrid(4, 17))


def test_mistakes_in_a_rota_are_named() -> None:
    with pytest.raises(ValueError, match="does not list: eve"):
        Rota(responders=PEOPLE, layers=(weekly("eve"),))
    with pytest.raises(ValueError, match="same id"):
        Rota(responders=(ANA, ANA))
    with pytest.raises(ValueError, match="Europe/Madrid"):
        weekly("ana", time_zone="Madrid/Europe")
    with pytest.raises(ValueError, match="at least one member"):
        weekly()


def test_a_responders_name_never_shows_in_a_repr() -> None:
    assert "Ana" not in repr(Rota(responders=PEOPLE))


WINDOWS = st.builds(
    Window,
    start=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    end=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    days=st.frozensets(st.integers(0, 6), min_size=1),
)
LAYERS = st.builds(
    Rotation,
    id=st.just("any"),
    members=st.lists(st.sampled_from(["ana", "ben", "chi"]), min_size=1, max_size=3).map(tuple),
    start=st.dates(date(2026, 1, 1), date(2026, 12, 1)),
    handover=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    days=st.integers(1, 8),
    time_zone=st.sampled_from(["UTC", "Europe/Madrid", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"]),
    windows=st.lists(WINDOWS, max_size=2).map(tuple),
)
MOMENTS = st.integers(0, 364 * 24 * 3600).map(lambda s: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


@given(st.lists(LAYERS, min_size=1, max_size=2), MOMENTS, st.integers(1, 200), st.floats(0, 1))
def test_a_week_ahead_shows_exactly_who_will_be_on_duty(
    layers: list[Rotation], start: datetime, hours: int, part: float
) -> None:
    rota = Rota(responders=PEOPLE, layers=tuple(layers))
    end = start + timedelta(hours=hours)
    plan = shifts(rota, start, end)
    assert plan[0].start == start
    assert plan[-1].end == end
    assert all(a.end == b.start and a.responders != b.responders for a, b in pairwise(plan))
    moment = start + (end - start) * part * 0.999
    (shift,) = [s for s in plan if s.start <= moment < s.end]
    assert shift.responders == on_duty(rota, moment)
    assert on_call(rota, moment)
