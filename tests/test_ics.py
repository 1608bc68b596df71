"""iCalendar, both ways: shifts out of files from anywhere, and a file that says when and nothing else."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.ics_read import MOST_BYTES, BadCalendar, Reading, read_calendar
from triage.ics_write import tag, write_calendar
from triage.recurring import read_rule, recur
from triage.week import Bar

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
READING = Reading(
    names={"Amina": "a", "Bilal": "b", "Ana María": "m"},
    zone="Europe/Madrid",
    start=START,
    end=START + timedelta(days=60),
)


def file(*events: str) -> bytes:
    """A calendar of these events, each the lines inside of one."""
    inside = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{inside}END:VCALENDAR\n".replace("\n", "\r\n").encode()


def read(*events: str, reading: Reading = READING) -> list[tuple[str, str, str]]:
    """Who has which shifts, as day and hours of UTC."""
    return [
        (s.responder, f"{s.start:%d.%m. %H:%M}", f"{s.end:%d.%m. %H:%M}") for s in read_calendar(file(*events), reading)
    ]


def refusal(content: bytes, reading: Reading = READING) -> str:
    """Why a file is refused."""
    with pytest.raises(BadCalendar) as caught:
        read_calendar(content, reading)
    return str(caught.value)


# Read --------------------------------------------------------------------------------------------------------------


def test_a_shift_is_whose_it_says_on_the_clock_it_says() -> None:
    assert read(
        "SUMMARY:Amina\nDTSTART;TZID=America/New_York:20260303T200000\nDTEND;TZID=America/New_York:20260304T080000"
    ) == [("a", "04.03. 01:00", "04.03. 13:00")]
    assert read("SUMMARY:On call: Bilal (phone)\nDTSTART:20260303T200000Z\nDURATION:PT12H") == [
        ("b", "03.03. 20:00", "04.03. 08:00")
    ]
    assert read(
        'SUMMARY:Night\nATTENDEE;CN="Ana María":mailto:x@example.org\nDTSTART:20260303T200000\nDTEND:20260304T080000'
    ) == [("m", "03.03. 19:00", "04.03. 07:00")]
    assert read("SUMMARY:Amina\nDTSTART;VALUE=DATE:20260303\nDTEND;VALUE=DATE:20260305") == [
        ("a", "02.03. 23:00", "04.03. 23:00")
    ]


def test_a_weekly_shift_stays_at_its_hour_when_summer_time_begins() -> None:
    found = read("SUMMARY:Amina\nDTSTART;TZID=Europe/Madrid:20260316T090000\nDURATION:PT8H\nRRULE:FREQ=WEEKLY;COUNT=3")
    assert [begins for _, begins, _ in found] == ["16.03. 08:00", "23.03. 08:00", "30.03. 07:00"]


def test_a_moved_shift_an_exception_and_a_cancelled_one_are_understood() -> None:
    day = "DTSTART:20260302T090000Z\nDTEND:20260302T170000Z"
    series = f"UID:1\nSUMMARY:Amina\n{day}\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20260303T090000Z"
    moved = "UID:1\nRECURRENCE-ID:20260304T090000Z\nSUMMARY:Bilal\nDTSTART:20260304T120000Z\nDTEND:20260304T200000Z"
    off = f"UID:1\nRECURRENCE-ID:20260305T090000Z\nSTATUS:CANCELLED\nSUMMARY:Amina\n{day}"
    assert read(series, moved, off) == [("a", "02.03. 09:00", "02.03. 17:00"), ("b", "04.03. 12:00", "04.03. 20:00")]


def test_alarms_time_zones_and_tasks_are_passed_over_and_lines_are_unfolded() -> None:
    content = (
        b"BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nEND:STANDARD\r\n"
        b"END:VTIMEZONE\r\nBEGIN:VTODO\r\nSUMMARY:Nobody\r\nEND:VTODO\r\nBEGIN:VEVENT\r\nSUMM\r\n ARY:Ami\r\n\tna\r\n"
        b"DTSTART:20260303T200000Z\r\nDURATION:PT1H\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    assert [s.responder for s in read_calendar(content, READING)] == ["a"]


def test_an_event_that_names_nobody_is_a_mistake_unless_it_may_be_passed_over() -> None:
    stranger = "SUMMARY:Dentist\nDTSTART:20260303T200000Z\nDURATION:PT1H"
    assert refusal(file(stranger)).startswith("line 3: this event names nobody")
    kind = Reading(names=READING.names, zone="UTC", start=READING.start, end=READING.end, pass_over=True)
    assert read(stranger, "SUMMARY:Aminata\nDTSTART:20260303T200000Z\nDURATION:PT1H", reading=kind) == []


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("SUMMARY:Amina\nDTSTART:2026-03-03", "line 5: this is no date"),
        ("SUMMARY:Amina\nDTSTART:20260231T000000Z\nDURATION:PT1H", "line 5: this is no date"),
        ("SUMMARY:Amina\nDTSTART:20260303T200000Z", "line 3: this event has no end"),
        ("SUMMARY:Amina\nDTEND:20260303T200000Z", "line 3: this event has no DTSTART"),
        ("SUMMARY:Amina\nDTSTART:20260303T200000Z\nDTEND:20260303T200000Z", "line 6: a shift must end after"),
        ("SUMMARY:Amina\nDTSTART:20260303T200000Z\nDURATION:P99D", "line 6: a shift must end after"),
        ("SUMMARY:Amina\nDTSTART:20260303T200000Z\nDURATION:soon", "line 6: this duration"),
        ("SUMMARY:Amina\nDTSTART;TZID=Romance Standard Time:20260303T200000\nDURATION:PT1H", "line 5: this time zone"),
        ("SUMMARY:Amina\nDTSTART:20260303T200000Z\nDURATION:PT1H\nRRULE:FREQ=SECONDLY", "line 7: only daily"),
        ("SUMMARY:Amina\nDTSTART:20260303T200000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYSETPOS=1", "line 7: a part of"),
        ("SUMMARY:Amina\nDTSTART:20010303T200000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY", "line 3: this recurrence began"),
        ("SUMMARY:Amina\nDTSTART:20260303T200000Z\nDTSTART:20260303T200000Z", "line 6: DTSTART stands twice"),
        ("SUMMARY:Amina\nnonsense", "line 5: this is no line of iCalendar"),
        ("SUMMARY:Amina\nEND:VCALENDAR", "line 5: this END closes nothing"),
        ("BEGIN:A\nBEGIN:B\nBEGIN:C", "line 6: parts are nested too deeply"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(lines: str, complaint: str) -> None:
    assert refusal(
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n"
        + lines.encode().replace(b"\n", b"\r\n")
        + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).startswith(complaint)


MANY = [f"SUMMARY:Amina\nDTSTART:20260303T00{m:02}00Z\nDURATION:PT1M\nRRULE:FREQ=DAILY" for m in range(60)] * 2
MANY = [event.replace("T00", f"T{number // 60:02}") for number, event in enumerate(MANY)]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "the file holds no event"),
        (b"hello", "line 1: this is no line"),
        (b"X:1", "line 1: this is no iCalendar file"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT", "the file ends in the middle"),
        (b"BEGIN:VCALENDAR\r\nX:\xff", "line 2: this is not UTF-8"),
        (b"a" * (MOST_BYTES + 1), "the file is larger than 2 MB"),
        (b"BEGIN:VCALENDAR\r\nX:" + b"a" * 9000, "line 2: a line has more than 8000"),
        (file(*["SUMMARY:Amina\nDTSTART:20260303"] * 5001), "line 20003: there are more than 5000"),
        (file(*["SUMMARY:Amina\nDTSTART:20260303\nRRULE:FREQ=DAILY"] * 201), "line 1006: more than 200 events recur"),
        (file(*MANY), "line 507: more than 5000 shifts"),
    ],
    ids=["empty", "text", "other", "half", "bytes", "large", "long line", "events", "recurring", "shifts"],
)  # fmt: skip
def test_a_hostile_file_is_bounded_and_refused(content: bytes, complaint: str) -> None:
    assert refusal(content).startswith(complaint)


def test_a_refusal_quotes_nothing_of_the_file() -> None:
    assert "canary" not in refusal(file("SUMMARY:canary-name\nDTSTART:canary-date"))


PIECES = st.sampled_from(
    [
        *(
            "BEGIN:VCALENDAR",
            "BEGIN:VEVENT",
            "END:VEVENT",
            "END:VCALENDAR",
            "SUMMARY:Amina",
            "DTSTART:20260303T200000Z",
        ),
        *("DURATION:PT1H", "DTEND;TZID=Asia/Kathmandu:20260304T000000", "RRULE:FREQ=MONTHLY;BYDAY=-1SU"),
        *("EXDATE:20260303", "RDATE:20260305,2026", ";;:", 'A;B="x:y', " x"),
    ]
) | st.text(max_size=20)


@given(st.lists(PIECES, max_size=14))
def test_no_file_does_anything_but_give_shifts_or_a_reason(lines: Sequence[str]) -> None:
    try:
        found = read_calendar("\r\n".join(["BEGIN:VCALENDAR", *lines]).encode("utf-8", "replace"), READING)
    except BadCalendar:
        return
    assert all(shift.start < shift.end for shift in found)


# Recurrence --------------------------------------------------------------------------------------------------------

BYDAYS = st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, max_size=4, unique=True)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """A rule that we take."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 5))}"]
    by_day = frequency in {"DAILY", "WEEKLY"}
    if by_day and draw(st.booleans()):
        parts.append("BYDAY=" + ",".join(draw(BYDAYS)))
    if frequency == "WEEKLY":
        parts.append(f"WKST={draw(st.sampled_from(['MO', 'SU']))}")
    if frequency == "MONTHLY":
        nth = [f"{draw(st.sampled_from([1, 2, 4, 5, -1, -2]))}{day}" for day in draw(BYDAYS)]
        days = ",".join(
            str(n)
            for n in draw(st.lists(st.integers(1, 31) | st.integers(-5, -1), min_size=1, max_size=3, unique=True))
        )
        parts += draw(st.sampled_from([[], ["BYDAY=" + ",".join(nth)], [f"BYMONTHDAY={days}"]]))
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 60))}")
    return ";".join(parts)


@given(rules(), st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)))  # noqa: DTZ001 - wall clocks
def test_a_recurrence_is_what_another_implementation_makes_of_it(rule: str, first: datetime) -> None:
    first = first.replace(microsecond=0)
    end = first + timedelta(days=900)
    mine = list(recur(read_rule(rule), first, end, ZoneInfo("UTC")))
    theirs = list(rrulestr(rule, dtstart=first).between(first - timedelta(seconds=1), end - timedelta(seconds=1)))
    bounded = "COUNT" in rule
    if first not in theirs:  # RFC 5545 leaves it open; calendars show the first one, and it counts
        theirs = [first, *(theirs[:-1] if bounded and len(theirs) == int(rule.rpartition("=")[2]) else theirs)]
        if bounded:
            theirs, mine = theirs[: len(mine)], mine[: len(theirs)]
    assert mine == theirs


def test_an_end_by_date_counts_on_the_event_s_clock() -> None:
    rule = read_rule("FREQ=DAILY;UNTIL=20260305T080000Z")
    first = datetime(2026, 3, 3, 9)  # noqa: DTZ001 - a wall clock: 9:00 in Madrid is 8:00 UTC
    assert len(list(recur(rule, first, first + timedelta(days=30), ZoneInfo("Europe/Madrid")))) == 3
    assert len(list(recur(rule, first, first + timedelta(days=30), ZoneInfo("America/New_York")))) == 2


@settings(max_examples=200)
@given(st.text(alphabet="FREQDAILYWKUNTCOBSM=;,+-0123456789Z", max_size=60))
def test_a_rule_of_rubbish_is_refused_in_words(text: str) -> None:
    try:
        read_rule(text)
    except ValueError as error:
        assert "not understood" in str(error) or "recurrence" in str(error)  # noqa: PT017 - either is fine


# Written -----------------------------------------------------------------------------------------------------------

BARS = (
    Bar(start=datetime(2026, 3, 28, 19, tzinfo=UTC), end=datetime(2026, 3, 29, 7, tzinfo=UTC), who="a"),
    Bar(start=datetime(2026, 4, 4, 18, tzinfo=UTC), end=datetime(2026, 4, 5, 6, tzinfo=UTC), who="a"),
)


def written(word: str = "Shift", key: bytes = b"k", bars: Sequence[Bar] = BARS) -> bytes:
    return write_calendar(bars, word=word, key=key, stamp=START)


def test_a_feed_says_when_and_one_word_and_nothing_else() -> None:
    lines = written().decode().split("\r\n")
    told = {line.partition(":")[2] for line in lines if line.partition(":")[0] in {"SUMMARY", "X-WR-CALNAME"}}
    assert told == {"Shift"}
    names = {re.split("[:;]", line)[0] for line in lines if line}
    assert names == {
        "BEGIN", "END", "VERSION", "PRODID", "CALSCALE", "METHOD", "X-WR-CALNAME", "REFRESH-INTERVAL",
        "X-PUBLISHED-TTL", "UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "TRANSP", "CLASS",
    }  # fmt: skip


def test_a_feed_is_read_back_as_it_was_written() -> None:
    far = Reading(names={"Shift": "a"}, zone="UTC", start=START, end=START + timedelta(days=400))
    assert [(s.start, s.end) for s in read_calendar(written(), far)] == [(b.start, b.end) for b in BARS]


@given(st.text(max_size=120))
def test_no_line_has_more_than_75_octets_and_none_is_cut_within_a_letter(word: str) -> None:
    body = written(word.replace("\ud800", ""))
    assert body.endswith(b"END:VCALENDAR\r\n")
    for line in body.split(b"\r\n"):
        assert len(line) <= 75
        line.decode()
    assert b"\n" not in body.replace(b"\r\n", b"")


def test_ids_and_bytes_stay_until_the_shifts_change_and_ids_differ_between_people() -> None:
    assert tag(written()) == tag(written())
    first, second = (re.findall(r"UID:(\w+)", written(key=key).decode()) for key in (b"a", b"b"))
    assert len(set(first)) == len(BARS)
    assert not set(first) & set(second)
    assert re.findall(r"UID:(\w+)", written(key=b"a", bars=BARS[1:]).decode()) == first[1:]
    assert tag(written(bars=BARS[1:])) != tag(written())
