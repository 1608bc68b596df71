"""When something that recurs happens: the part of RFC 5545's RRULE that calendars of shifts use, bounded.

FREQ=DAILY, WEEKLY, MONTHLY or YEARLY with INTERVAL, COUNT or UNTIL, BYDAY and BYMONTHDAY. Whatever else a rule says is
refused: a shift that is not understood must not be guessed. Pure, on the wall clock; what that means is hours.py's.
"""

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BYDAY: Final = re.compile(r"(?P<nth>[+-]?[1-5])?(?P<day>MO|TU|WE|TH|FR|SA|SU)")
_UNTIL: Final = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z)?)?")
_KNOWN: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "WKST"})
LONGEST: Final = timedelta(days=366 * 20)  # from the first to the last that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A recurrence. `days`: (which of the month or 0, weekday). `until` is aware, or naive on the wall clock."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    days: tuple[tuple[int, int], ...] = ()
    month_days: tuple[int, ...] = ()
    week_start: int = 0


def read_rule(text: str) -> Rule:
    """An RRULE's value. Raises ValueError saying what is not understood, without quoting it."""
    parts: dict[str, str] = {}
    for part in text.upper().split(";"):
        name, _, value = part.partition("=")
        if name not in _KNOWN or not value or name in parts:
            raise ValueError("a part of this recurrence is not understood")
        parts[name] = value
    frequency = parts.get("FREQ", "")
    if frequency not in {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}:
        raise ValueError("only daily, weekly, monthly and yearly recurrences are understood")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("a recurrence ends by COUNT or by UNTIL, not by both")
    rule = Rule(
        frequency=frequency,
        interval=_number(parts.get("INTERVAL", "1")),
        count=_number(parts["COUNT"]) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
        days=_weekdays(parts),
        month_days=_month_days(parts),
        week_start=_DAYS.index(parts["WKST"]) if parts.get("WKST") in _DAYS else 0,
    )
    _refuse_mixtures(rule)
    return rule


def recur(
    rule: Rule, first: datetime, end: datetime, zone: ZoneInfo, *, begin: datetime | None = None
) -> Iterator[datetime]:
    """Naive local beginnings from `first` (naive, the first of them), or from `begin` on, until the local `end`."""
    for given, start in enumerate(_starts(rule, first)):
        over = rule.until is not None and _after(start, rule.until, zone)
        if start >= end or over or (rule.count is not None and given >= rule.count):
            return
        if begin is None or start >= begin:
            yield start


def _starts(rule: Rule, first: datetime) -> Iterator[datetime]:
    """All of them in order, without an end but the longest."""
    last = first + LONGEST
    yield first
    for day in _dates(rule, first.date()):
        start = datetime.combine(day, first.time())
        if start > last:
            return
        if start > first:
            yield start


def _dates(rule: Rule, first: date) -> Iterator[date]:
    walk = {"DAILY": _daily, "WEEKLY": _weekly, "MONTHLY": _monthly, "YEARLY": _yearly}
    return walk[rule.frequency](rule, first)


def _daily(rule: Rule, first: date) -> Iterator[date]:
    wanted = {day for _, day in rule.days} or set(range(7))
    for number in range(LONGEST.days // rule.interval + 2):
        day = first + timedelta(days=number * rule.interval)
        if day.weekday() in wanted:
            yield day


def _weekly(rule: Rule, first: date) -> Iterator[date]:
    wanted = sorted({(day - rule.week_start) % 7 for _, day in rule.days} or {(first.weekday() - rule.week_start) % 7})
    week = first - timedelta(days=(first.weekday() - rule.week_start) % 7)
    for number in range(LONGEST.days // (7 * rule.interval) + 2):
        for offset in wanted:
            yield week + timedelta(days=7 * number * rule.interval + offset)


def _monthly(rule: Rule, first: date) -> Iterator[date]:
    for number in range(0, 20 * 12 + 13, rule.interval):
        year, month = divmod(first.year * 12 + first.month - 1 + number, 12)
        yield from _in_month(rule, year, month + 1, first.day)


def _yearly(rule: Rule, first: date) -> Iterator[date]:
    for number in range(0, 22, rule.interval):
        if first.day <= calendar.monthrange(first.year + number, first.month)[1]:
            yield date(first.year + number, first.month, first.day)


def _in_month(rule: Rule, year: int, month: int, day: int) -> Iterator[date]:
    """The dates of one month, in order. A day that it does not have is passed over."""
    longest = calendar.monthrange(year, month)[1]
    every = [date(year, month, n) for n in range(1, longest + 1)]
    if rule.days:
        chosen = {found for nth, weekday in rule.days for found in _nth(every, nth, weekday)}
    else:
        wanted = {n if n > 0 else longest + 1 + n for n in rule.month_days or (day,)}
        chosen = {found for found in every if found.day in wanted}
    yield from sorted(chosen)


def _nth(every: list[date], nth: int, weekday: int) -> list[date]:
    fitting = [day for day in every if day.weekday() == weekday]
    if nth == 0:
        return fitting
    index = nth - 1 if nth > 0 else nth
    return fitting[index : index + 1 or None] if -len(fitting) <= index < len(fitting) else []


def _after(start: datetime, until: datetime, zone: ZoneInfo) -> bool:
    if until.tzinfo is None:
        return start > until
    return start.replace(tzinfo=zone).astimezone(UTC) > until


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:6]) <= 10_000 or len(text) > 5:
        raise ValueError("a number of this recurrence is not between 1 and 10000")
    return int(text)


def _until(text: str) -> datetime:
    """A date alone lasts until its end."""
    found = _UNTIL.fullmatch(text)
    if found is None:
        raise ValueError("the UNTIL of this recurrence is no date")
    clock = found[2] or "235959"
    at = datetime.strptime(found[1] + clock, "%Y%m%d%H%M%S")  # noqa: DTZ007 - a wall clock, until the next line
    return at.replace(tzinfo=UTC) if found[3] else at


def _weekdays(parts: Mapping[str, str]) -> tuple[tuple[int, int], ...]:
    found = []
    for text in parts["BYDAY"].split(",") if "BYDAY" in parts else ():
        match = _BYDAY.fullmatch(text)
        if match is None:
            raise ValueError("the BYDAY of this recurrence is not understood")
        found.append((int(match["nth"] or 0), _DAYS.index(match["day"])))
    return tuple(found)


def _month_days(parts: Mapping[str, str]) -> tuple[int, ...]:
    found = []
    for text in parts["BYMONTHDAY"].split(",") if "BYMONTHDAY" in parts else ():
        if not re.fullmatch(r"[+-]?[0-9]{1,2}", text, re.ASCII) or not 1 <= abs(int(text)) <= 31:
            raise ValueError("the BYMONTHDAY of this recurrence is not understood")
        found.append(int(text))
    return tuple(found)


def _refuse_mixtures(rule: Rule) -> None:
    monthly = rule.frequency == "MONTHLY"
    if (rule.month_days and not monthly) or (rule.days and rule.month_days):
        raise ValueError("this mixture of BYDAY and BYMONTHDAY is not understood")
    if (any(nth for nth, _ in rule.days) and not monthly) or (rule.days and rule.frequency == "YEARLY"):
        raise ValueError("this BYDAY is not understood here")
