"""Shifts out of an iCalendar file (RFC 5545), which may come from anywhere: bounded, and refused by line number.

Pure: bytes in, shifts out. Nothing of a file is ever quoted: it may hold names and numbers. Who a shift belongs to is
matched by the names of the responders there are; everything else in the file is dropped.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from triage.hours import zone_of
from triage.recurring import LONGEST, Rule, read_rule, recur

MOST_BYTES: Final = 2_000_000
MOST_EVENTS: Final = 5_000
MOST_RECURRING: Final = 200
MOST_SHIFTS: Final = 5_000
_DEEPEST: Final = 4
_LONGEST_LINE: Final = 8_000  # characters, unfolded
_LONGEST_SHIFT: Final = timedelta(days=31)
_NAMES: Final = ("SUMMARY", "ATTENDEE", "ORGANIZER", "DESCRIPTION")
_ONCE: Final = ("DTSTART", "DTEND", "DURATION", "RRULE", "RECURRENCE-ID", "UID", "STATUS")
_LINE: Final = re.compile(
    r'(?P<name>[A-Za-z0-9-]{1,40})(?P<params>(?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:])*)*):(?P<value>.*)'
)
_PARAM: Final = re.compile(r';([A-Za-z0-9-]+)=("[^"]*"|[^";:,]*)')
_DURATION: Final = re.compile(
    r"P(?:(\d{1,2})W|(?:(\d{1,3})D)?(?:T(?:(\d{1,3})H)?(?:(\d{1,4})M)?(?:(\d{1,5})S)?)?)", re.ASCII
)


class BadCalendar(ValueError):
    """A calendar file cannot be used; says the line, and what to do."""

    def __init__(self, line: int, say: str) -> None:
        super().__init__(f"line {line}: {say}" if line else say)
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A shift: whose, and from when until when (UTC)."""

    start: datetime
    end: datetime
    responder: str


@dataclass(frozen=True, slots=True)
class _Property:
    line: int
    value: str = field(repr=False)
    params: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    line: int
    once: Mapping[str, _Property]
    dates: tuple[tuple[str, _Property], ...]  # RDATE and EXDATE
    texts: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file must be read with. `names`: responder's name -> id. `zone`: for times that name none, or an unknown
    one when `trust_zone`. Shifts between `start` and `end` (UTC) are taken."""

    names: Mapping[str, str]
    zone: str
    start: datetime
    end: datetime
    trust_zone: bool = False
    pass_over: bool = False  # events that name nobody are not ours; otherwise they are a mistake


def read_calendar(content: bytes, reading: Reading) -> tuple[Found, ...]:
    """Every shift, earliest first. Raises BadCalendar."""
    if len(content) > MOST_BYTES:
        raise BadCalendar(0, "the file is larger than 2 MB: export fewer months")
    events = list(_events(_unfolded(content)))
    if not events:
        raise BadCalendar(0, "the file holds no event: export a calendar with shifts in it")
    moved: dict[str, set[str]] = {}
    for event in events:
        if {"UID", "RECURRENCE-ID"} <= event.once.keys():
            moved.setdefault(event.once["UID"].value, set()).add(event.once["RECURRENCE-ID"].value)
    found: set[tuple[datetime, datetime, str]] = set()
    for event in events:
        for shift in _shifts(event, reading, moved):
            found.add((shift.start, shift.end, shift.responder))
            if len(found) > MOST_SHIFTS:
                raise BadCalendar(event.line, f"more than {MOST_SHIFTS} shifts lie ahead: import fewer months")
    return tuple(Found(start=s, end=e, responder=r) for s, e, r in sorted(found))


# Lines --------------------------------------------------------------------------------------------------------------


def _unfolded(content: bytes) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first physical one."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCalendar(
            content[: error.start].count(b"\n") + 1, "this is not UTF-8: export it as iCalendar"
        ) from None
    held, began = "", 0
    for number, raw in enumerate(text.split("\n"), start=1):
        physical = raw.removesuffix("\r")
        if physical[:1] in {" ", "\t"} and began:
            held += physical[1:]
        else:
            if held:
                yield began, held
            held, began = physical, number
        if len(held) > _LONGEST_LINE:
            raise BadCalendar(began, f"a line has more than {_LONGEST_LINE} characters: shorten its text")
    if held:
        yield began, held


def _events(lines: Iterator[tuple[int, str]]) -> Iterator[_Event]:
    """Events, without what is inside of them (alarms) or beside them (time zones, tasks)."""
    held: list[tuple[str, _Property]] = []
    began, count, recurring = 0, 0, 0
    for inside, name, found in _parts(lines):
        if not inside:
            continue
        if name == "BEGIN":
            held, began, count = [], found.line, count + 1
            if count > MOST_EVENTS:
                raise BadCalendar(found.line, f"there are more than {MOST_EVENTS} events: export fewer months")
        elif name == "END":
            yield _event(began, held)
        else:
            recurring += name == "RRULE"
            if recurring > MOST_RECURRING:
                raise BadCalendar(found.line, f"more than {MOST_RECURRING} events recur: write the shifts one by one")
            held.append((name, found))


def _parts(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[bool, str, _Property]]:
    """Every property, and whether it is directly in an event, or begins or ends one. Checks what opens and closes."""
    stack: list[str] = []
    event = ["VCALENDAR", "VEVENT"]
    for number, text in lines:
        match = _LINE.fullmatch(text)
        if match is None:
            raise BadCalendar(number, "this is no line of iCalendar: export the calendar again")
        name, value = match["name"].upper(), match["value"]
        if not stack and (name, value.strip().upper()) != ("BEGIN", "VCALENDAR"):
            raise BadCalendar(number, "this is no iCalendar file: it must begin with BEGIN:VCALENDAR")
        if name == "END" and stack[-1] != value.strip().upper():
            raise BadCalendar(number, "this END closes nothing that is open: export the calendar again")
        if name == "BEGIN":
            stack.append(value.strip().upper())
        if len(stack) > _DEEPEST:
            raise BadCalendar(number, "parts are nested too deeply: export the calendar again")
        params = {key.upper(): quoted.strip('"') for key, quoted in _PARAM.findall(match["params"])}
        yield stack == event, name, _Property(number, value, params)
        if name == "END":
            stack.pop()
    if stack:
        raise BadCalendar(0, "the file ends in the middle: export the calendar again")


def _event(line: int, held: Sequence[tuple[str, _Property]]) -> _Event:
    once: dict[str, _Property] = {}
    for name, found in held:
        if name in _ONCE:
            if name in once:
                raise BadCalendar(found.line, f"{name} stands twice in one event: keep one of them")
            once[name] = found
    if "DTSTART" not in once:
        raise BadCalendar(line, "this event has no DTSTART: give it a beginning")
    texts = [t for name, found in held if name in _NAMES for t in (found.value, found.params.get("CN", ""))]
    dates = tuple((name, found) for name, found in held if name in {"RDATE", "EXDATE"})
    return _Event(line=line, once=once, dates=dates, texts=tuple(texts))


# Shifts -------------------------------------------------------------------------------------------------------------


def _shifts(event: _Event, reading: Reading, moved: Mapping[str, set[str]]) -> Iterator[Found]:
    status = event.once.get("STATUS")
    if status is not None and status.value.upper() == "CANCELLED":
        return
    whose = _whose(event, reading)
    if not whose:
        if reading.pass_over:
            return
        raise BadCalendar(
            event.line, "this event names nobody who can be paged: name one in its title, or use --only-known"
        )
    start, zone, whole_day = _moment(event.once["DTSTART"], reading)
    length = _length(event, start, zone, reading, whole_day=whole_day)
    for begins in _beginnings(event, start, zone, reading, moved):
        ends = begins + length
        first, last = _utc(begins, zone), _utc(ends, zone)
        if last > reading.start and first < reading.end and first < last:
            yield from (Found(start=first, end=last, responder=responder) for responder in whose)


def _beginnings(
    event: _Event, start: datetime, zone: ZoneInfo, reading: Reading, moved: Mapping[str, set[str]]
) -> Iterator[datetime]:
    """Naive local beginnings: by the rule, with RDATE, without EXDATE and without those that were moved."""
    begin = reading.start.astimezone(zone).replace(tzinfo=None) - _LONGEST_SHIFT
    end = reading.end.astimezone(zone).replace(tzinfo=None)
    if "RRULE" in event.once and end - start > LONGEST:
        raise BadCalendar(event.line, "this recurrence began over 18 years ago: begin it anew")
    rule = _rule(event.once["RRULE"]) if "RRULE" in event.once else None
    starts = set(recur(rule, start, end, zone, begin=begin)) if rule else {start}
    for name, found in event.dates:
        days = {_local(part, found, zone, reading, start) for part in found.value.split(",")}
        starts = starts | days if name == "RDATE" else starts - days
    uid = event.once.get("UID")
    if uid is not None and "RECURRENCE-ID" not in event.once:
        gone = moved.get(uid.value, set())
        starts -= {_local(key, event.once["DTSTART"], zone, reading, start) for key in gone}
    yield from sorted(starts)


def _rule(found: _Property) -> Rule:
    try:
        return read_rule(found.value)
    except ValueError as error:
        raise BadCalendar(found.line, f"{error}: write these shifts one by one") from None


def _whose(event: _Event, reading: Reading) -> list[str]:
    """Who is named: as a whole title or an attendee's name first, otherwise as words within the texts."""
    said = [" ".join(text.replace("\\", " ").casefold().split()) for text in event.texts if text]
    exact = [i for name, i in reading.names.items() if name.casefold() in said]
    if exact:
        return exact
    return [
        i
        for name, i in reading.names.items()
        if any(re.search(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", t) for t in said)
    ]


def _length(event: _Event, start: datetime, zone: ZoneInfo, reading: Reading, *, whole_day: bool) -> timedelta:
    """On the wall clock."""
    if "DTEND" in event.once:
        end, other, _ = _moment(event.once["DTEND"], reading)
        length = _utc(end, other).astimezone(zone).replace(tzinfo=None) - start
        line = event.once["DTEND"].line
    elif "DURATION" in event.once:
        length, line = _duration(event.once["DURATION"]), event.once["DURATION"].line
    elif whole_day:
        return timedelta(days=1)
    else:
        raise BadCalendar(event.line, "this event has no end: give it a DTEND")
    if not timedelta() < length <= _LONGEST_SHIFT:
        raise BadCalendar(line, "a shift must end after it begins, and within 31 days: correct its end")
    return length


def _duration(found: _Property) -> timedelta:
    match = _DURATION.fullmatch(found.value.strip().upper())
    if match is None or not any(match.groups()):
        raise BadCalendar(found.line, "this duration is not understood: give the event a DTEND")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _moment(found: _Property, reading: Reading) -> tuple[datetime, ZoneInfo, bool]:
    """Naive local time, its zone, and whether it is a whole day."""
    value = found.value.strip()
    whole = len(value) == 8
    zone = ZoneInfo("UTC") if value.endswith("Z") else _zone(found, reading)
    return _parsed(value, found), zone, whole


def _local(text: str, found: _Property, zone: ZoneInfo, reading: Reading, start: datetime) -> datetime:
    """A date among others, on the wall clock of the event; a date alone means the event's own hour."""
    value = text.strip()
    at = _parsed(value, found)
    if len(value) == 8:
        return datetime.combine(at.date(), start.time())
    if value.endswith("Z"):
        return at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    other = _zone(found, reading)
    return at if other == zone else at.replace(tzinfo=other).astimezone(zone).replace(tzinfo=None)


def _parsed(value: str, found: _Property) -> datetime:
    if re.fullmatch(r"[0-9]{8}(T[0-9]{6}Z?)?", value, re.ASCII):
        try:
            day = date(int(value[:4]), int(value[4:6]), int(value[6:8]))
            clock = time(int(value[9:11]), int(value[11:13]), min(59, int(value[13:15]))) if len(value) > 8 else time(0)
            if 2000 <= day.year <= 2199:
                return datetime.combine(day, clock)
        except ValueError:
            pass
    raise BadCalendar(found.line, "this is no date between 2000 and 2199: correct it")


def _zone(found: _Property, reading: Reading) -> ZoneInfo:
    """The zone it names; some programs put a path before the name."""
    named = found.params.get("TZID", "")
    if not named:
        return zone_of(reading.zone)
    for name in (named, "/".join(named.split("/")[-2:]), "/".join(named.split("/")[-3:])):
        try:
            return zone_of(name)
        except ValueError:
            continue
    if reading.trust_zone:
        return zone_of(reading.zone)
    raise BadCalendar(found.line, "this time zone has a name nobody knows: say which it is with --zone Europe/Madrid")


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)
