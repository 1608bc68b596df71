"""Turns: whose day, week or stretch it is within one layer, and the days on which nobody keeps to that. Pure.

What is not here: several layers, stand-ins and the order of calling, which are rota.py's.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import ClassVar
from zoneinfo import ZoneInfo

from triage.hours import DAY, Moment, Window, instant, within, zone_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One layer of the rota: `members` take turns of `days` days from `start`, changing at `handover` local time.

    With `changes` the turn passes on at each of these moments of the week instead. With `windows` the layer is on
    duty only within these local hours. A `standby` layer is on duty only where a holiday names it.
    """

    id: str
    members: tuple[str, ...]
    start: date
    handover: time = time(9)
    days: int = 7
    time_zone: str = "UTC"
    windows: tuple[Window, ...] = ()
    changes: tuple[Moment, ...] = ()
    standby: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        zone_of(self.time_zone)
        if not self.members or self.days < 1:
            raise ValueError(f"rotation {self.id!r} needs at least one member and turns of at least one day")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """From the first to the last date, midnight to midnight, these layers and responders are off.

    `instead` is the layer that takes over from a layer; what a responder would have had falls to the next member.
    """

    MIDNIGHT: ClassVar[time] = time(0)

    first: date
    last: date
    layers: frozenset[str] = frozenset()
    responders: frozenset[str] = frozenset()
    instead: str = ""

    def covers(self, now: datetime, zone: str) -> bool:
        """True when it is one of these dates on the clock of this zone."""
        found = zone_of(zone)
        begins, ends = instant(self.first, self.MIDNIGHT, found), instant(self.last + DAY, self.MIDNIGHT, found)
        return begins <= now < ends


def turn(layer: Rotation, now: datetime, off: Collection[str] = ()) -> str | None:
    """The member whose turn it is, without those who are `off`: their turn falls to the next one who is not.

    None before the first turn, outside the windows, and when all of them are off.
    """
    zone = zone_of(layer.time_zone)
    number = _number(layer, now, zone)
    if number is None or (layer.windows and not within(layer.windows, zone, now)):
        return None
    row = (layer.members[(number + ahead) % len(layer.members)] for ahead in range(len(layer.members)))
    return next((member for member in row if member not in off), None)


def handovers(layer: Rotation, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """The instants of this local date at which the turn may pass on."""
    if not layer.changes:
        yield instant(day, layer.handover, zone)
    for moment in layer.changes:
        if day.weekday() in moment.days:
            yield instant(day, moment.at, zone)


def _number(layer: Rotation, now: datetime, zone: ZoneInfo) -> int | None:
    """How many turns were over before this one; None before the first."""
    if layer.changes:
        return _custom_number(layer, now, zone)
    day = now.astimezone(zone).date()
    if now < instant(day, layer.handover, zone):
        day -= DAY
    return None if day < layer.start else (day - layer.start).days // layer.days


def _custom_number(layer: Rotation, now: datetime, zone: ZoneInfo) -> int | None:
    """The first turn begins with the first hand-over on or after `start`."""
    week = sorted({(day, moment.at) for moment in layer.changes for day in moment.days})
    monday = layer.start - layer.start.weekday() * DAY
    skipped = sum(day < layer.start.weekday() for day, _ in week)
    today = now.astimezone(zone).date()
    passed = [
        (back // 7) * len(week) + place - skipped
        for back in range((today - monday).days - 7, (today - monday).days + 1)
        for place, (day, at) in enumerate(week)
        if back % 7 == day and instant(monday + back * DAY, at, zone) <= now
    ]  # the greatest, not the latest: where a clock jumps, two hand-overs may change places
    number = max(passed, default=-1)
    return None if number < 0 else number
