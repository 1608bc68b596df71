"""Hand-overs, holidays and weeks, on clocks that change: over zones and years, and by name where it has been wrong."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.hours import EVERY_DAY, Moment, Window, instant, read_moment, read_window, said, within
from triage.rota import Override, Planned, Responder, Rota, gaps, on_call, on_duty, shifts
from triage.turns import Holiday, Rotation, turn
from triage.week import Limits, hours_of, overloads, week

ZONES = st.sampled_from(
    [
        *("Europe/Madrid", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham", "Africa/Cairo"),
        *("Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Asia/Tehran", "Pacific/Apia", "UTC"),
    ]
)
YEARS = st.datetimes(datetime(2009, 1, 1), datetime(2037, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001 - UTC is given
CLOCKS = st.times(min_value=time(0), max_value=time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0))
DAYSETS = st.frozensets(st.integers(0, 6), min_size=1)
WINDOWS = st.builds(Window, start=CLOCKS, end=CLOCKS, days=DAYSETS)
MOMENTS = st.lists(st.builds(Moment, at=CLOCKS, days=DAYSETS), min_size=1, max_size=3).map(tuple)
DAY = timedelta(days=1)
NAMES = ("ana", "ben", "chi")


def people(zone: str = "UTC") -> tuple[Responder, ...]:
    return tuple(Responder(id=name, name=name.title(), time_zone=zone) for name in NAMES)


def layer(zone: str = "UTC", **more: object) -> Rotation:
    found = {"id": "first", "members": NAMES, "start": date(2008, 12, 1), "time_zone": zone, **more}
    return Rotation(**found)  # type: ignore[arg-type]  # settings of many types


def madrid(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo("Europe/Madrid"))


# Over zones and years ---------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(ZONES, YEARS, st.integers(1, 9), CLOCKS)
def test_a_daily_or_weekly_turn_passes_at_its_hour_on_the_wall_and_always_to_the_next(
    zone: str, start: datetime, days: int, clock: time
) -> None:
    rota = Rota(responders=people(), layers=(layer(zone, days=days, handover=clock),))
    found = shifts(rota, start, start + 30 * DAY)
    for before, after in pairwise(found):
        assert before.end == after.start
        local = after.start.astimezone(ZoneInfo(zone)).date()
        assert after.start in {instant(local + n * DAY, clock, ZoneInfo(zone)) for n in (-1, 0, 1)}
        step = (NAMES.index(after.responders[0]) - NAMES.index(before.responders[0])) % 3
        assert step == 1 or zone == "Pacific/Apia"  # it once left out a day, and with it a turn
        assert turn(layer(zone, days=days, handover=clock), after.start - timedelta(seconds=1)) == before.responders[0]
    assert (found[0].start, found[-1].end) == (start, start + 30 * DAY)
    assert not gaps(rota, start, start + 30 * DAY)


@settings(max_examples=150)
@given(ZONES, YEARS, MOMENTS)
def test_turns_that_pass_on_days_of_the_week_pass_in_order_without_a_gap(
    zone: str, start: datetime, changes: tuple[Moment, ...]
) -> None:
    rota = Rota(responders=people(), layers=(layer(zone, changes=changes),))
    found = shifts(rota, start, start + 21 * DAY)
    assert all(len(shift.responders) == 1 for shift in found)
    times = {(day, moment.at) for moment in changes for day in moment.days}
    for before, after in pairwise(found):
        step = (NAMES.index(after.responders[0]) - NAMES.index(before.responders[0])) % 3
        local = after.start.astimezone(ZoneInfo(zone))
        jump = local.utcoffset() != (after.start - 3 * timedelta(hours=1)).astimezone(ZoneInfo(zone)).utcoffset()
        assert step == 1 or jump  # in the hour that a clock skips, two hand-overs may fall together
        assert (local.weekday(), local.time()) in times or jump


@settings(max_examples=150)
@given(ZONES, YEARS, WINDOWS)
def test_a_window_covers_what_its_clock_says_and_shifts_agree_with_every_moment(
    zone: str, start: datetime, window: Window
) -> None:
    place = ZoneInfo(zone)
    rota = Rota(responders=people(), layers=(layer(zone, windows=(window,)),))
    found = shifts(rota, start, start + 9 * DAY)
    for number in range(0, 9 * 24 * 4, 7):
        now = start + timedelta(minutes=15 * number)
        (shift,) = [s for s in found if s.start <= now < s.end]
        assert shift.responders == on_duty(rota, now)
        assert bool(shift.responders) is within((window,), place, now)
    assert sum((s.end - s.start for s in found), timedelta()) == 9 * DAY


@settings(max_examples=60)
@given(ZONES, YEARS)
def test_the_days_of_a_picture_begin_at_midnight_and_hold_all_of_its_hours(zone: str, start: datetime) -> None:
    rota = Rota(responders=people(), layers=(layer(zone),))
    place = ZoneInfo(zone)
    picture = week(rota, start.astimezone(place).date(), zone)
    assert len(picture.days) == 7
    assert list(picture.days) == sorted(picture.days)
    hours = (picture.end - picture.start) / timedelta(hours=1)
    assert 7 * 24 - 25 <= hours <= 7 * 24 + 2  # Samoa once left out a day
    assert sum(hours_of(picture).values()) == pytest.approx(hours)


@given(WINDOWS)
def test_hours_are_read_back_as_they_are_said(window: Window) -> None:
    assert read_window(said(window)) == window


@pytest.mark.parametrize(
    ("text", "days"),
    [("fri-mon 18:00-08:00", {4, 5, 6, 0}), ("MON,wed 09:00 - 17:00", {0, 2}), ("00:00-24:00", set(EVERY_DAY))],
)
def test_hours_are_written_as_people_write_them(text: str, days: set[int]) -> None:
    assert read_window(text).days == days


@pytest.mark.parametrize("text", ["", "monday 9-5", "mon 25:00-26:00", "mon", "09:00", "mon-fri,  09:00-10:00"])
def test_hours_that_cannot_be_understood_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="hours are written like"):
        read_window(text)


def test_a_hand_over_on_two_days_of_the_week() -> None:
    split = layer("Europe/Madrid", start=date(2026, 3, 2), changes=(read_moment("mon 09:00"), read_moment("fri 18:00")))
    moments = ((2, 8, 59), (2, 9), (6, 17, 59), (6, 18), (9, 9), (13, 18), (16, 9))
    assert [turn(split, madrid(*at)) for at in moments] == [None, "ana", "ana", "ben", "chi", "ana", "ben"]


# Days off ---------------------------------------------------------------------------------------------------------


def test_on_a_holiday_another_layer_takes_over_from_midnight_to_midnight() -> None:
    standing = Rota(
        responders=people(),
        layers=(
            layer("Europe/Madrid", members=("ana",)),
            layer("Europe/Madrid", id="reserve", members=("ben", "chi"), days=1, handover=time(0), standby=True),
        ),
        holidays=(
            Holiday(first=date(2026, 3, 28), last=date(2026, 3, 29), layers=frozenset({"first"}), instead="reserve"),
        ),
    )
    duty = shifts(standing, madrid(27, 12), madrid(30, 12))
    assert [(s.responders[0], f"{s.start.astimezone(ZoneInfo('Europe/Madrid')):%d %H:%M}") for s in duty] == [
        ("ana", "27 12:00"),
        ("ben", "28 00:00"),
        ("chi", "29 00:00"),
        ("ana", "30 00:00"),
    ]
    assert duty[2].end - duty[2].start == timedelta(hours=23)  # summer time begins on that day


def test_on_a_holiday_that_nobody_takes_over_there_is_a_gap_and_everybody_is_called() -> None:
    rota = Rota(
        responders=people(),
        layers=(layer(),),
        holidays=(Holiday(first=date(2026, 3, 4), last=date(2026, 3, 4), layers=frozenset({"first"})),),
    )
    (gap,) = gaps(rota, datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
    assert (gap.start, gap.end) == (datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC))
    assert len(on_call(rota, datetime(2026, 3, 4, 12, tzinfo=UTC))) == 3


def test_somebody_s_day_off_falls_to_the_next_of_the_layer_and_their_turn_is_not_moved() -> None:
    off = Holiday(first=date(2026, 3, 4), last=date(2026, 3, 4), responders=frozenset({"ben"}))
    rota = Rota(responders=people(), layers=(layer(start=date(2026, 3, 3), days=1, handover=time(0)),), holidays=(off,))
    days = [on_duty(rota, datetime(2026, 3, day, 12, tzinfo=UTC)) for day in range(3, 9)]
    assert days == [("ana",), ("chi",), ("chi",), ("ana",), ("ben",), ("chi",)]


def test_a_day_off_is_on_the_person_s_own_clock() -> None:
    off = Holiday(first=date(2026, 3, 4), last=date(2026, 3, 4), responders=frozenset({"ben"}))
    rota = Rota(responders=people("Pacific/Chatham"), layers=(layer(members=("ben",)),), holidays=(off,))
    (gap,) = gaps(rota, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
    chatham = ZoneInfo("Pacific/Chatham")
    assert (gap.start, gap.end) == (datetime(2026, 3, 4, tzinfo=chatham), datetime(2026, 3, 5, tzinfo=chatham))


# Plans, swaps, skills -----------------------------------------------------------------------------------------------


def test_an_imported_shift_is_called_before_the_layers_and_a_swap_changes_it_too() -> None:
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    plan = Planned(start=now - DAY, end=now + DAY, responder="chi")
    assert on_duty(Rota(responders=people(), layers=(layer(members=("ana",)),), planned=(plan,)), now) == ("chi", "ana")
    swapped = Override(start=now - DAY, end=now + DAY, responder="ben", replaces="chi")
    assert on_duty(Rota(responders=people(), planned=(plan,), overrides=(swapped,)), now) == ("ben",)
    assert on_duty(Rota(responders=people(), planned=(plan,)), now + 2 * DAY) == ()


def test_the_language_comes_before_skills_and_neither_leaves_anybody_out() -> None:
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    rota = Rota(
        responders=(
            Responder(id="ana", name="Ana"),
            Responder(id="ben", name="Ben", skills=frozenset({"minors", "medical"})),
            Responder(id="chi", name="Chi", languages=("zh",), skills=frozenset({"minors"})),
        )
    )
    assert [r.id for r in on_call(rota, now, ("zh",), skills=("medical",))] == ["chi", "ben", "ana"]
    assert [r.id for r in on_call(rota, now, (), skills=("minors", "medical"))] == ["ben", "chi", "ana"]


# Too much -------------------------------------------------------------------------------------------------------------


def test_too_many_nights_in_a_row_and_too_many_hours_are_found_with_their_beginning() -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    alone = Rota(responders=people(), layers=(layer(members=("ana",)),))
    (nights,) = overloads(alone, start, Limits(nights=7))
    assert (nights.responder, nights.nights >= 14) == ("ana", True)
    (hours,) = overloads(alone, start, Limits(nights=None, hours=60))
    assert (hours.responder, hours.hours, hours.since) == ("ana", 168, start)
    shared = Rota(responders=people(), layers=(layer(days=1),))
    assert overloads(shared, start, Limits(nights=1, hours=72)) == ()
    assert {load.responder for load in overloads(shared, start, Limits(nights=None, hours=71))} <= set(NAMES)


def test_days_are_no_nights_and_without_a_calendar_nobody_has_too_much() -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    by_day = layer(members=("ana",), windows=(read_window("09:00-18:00"),))
    assert overloads(Rota(responders=people(), layers=(by_day,)), start, Limits(nights=1)) == ()
    assert overloads(Rota(responders=people()), start, Limits(nights=1, hours=1)) == ()
