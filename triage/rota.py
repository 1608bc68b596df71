"""Who is on call at a given moment, with which languages and by which methods. Values and pure functions.

No clock (the moment is an argument), no telephone number: a method carries an opaque contact id that only the
vault can turn into an address. Hand-overs follow the wall clock of their time zone, so a shift stays at 09:00
when summer time begins or ends.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY = timedelta(days=1)
EVERY_DAY = frozenset(range(7))


class MethodKind(StrEnum):
    """How a responder can be paged."""

    SMS = "sms"
    VOICE = "voice"
    TELEGRAM = "telegram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One way to one responder. `contact` is opaque: the vault knows the address behind it."""

    kind: MethodKind
    contact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Local hours on some weekdays (Monday is 0). An `end` not after `start` lies on the following day."""

    start: time
    end: time
    days: frozenset[int] = EVERY_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """A human who answers pages. `methods` in the order they prefer; no `hours` means at any hour."""

    id: str
    name: str = field(repr=False)
    languages: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()
    time_zone: str = "UTC"
    hours: tuple[Window, ...] = ()
    skills: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        _zone(self.time_zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One layer of the rota: `members` take turns of `days` days from `start`, changing at `handover` local time.

    With `windows` the layer is on duty only within these local hours.
    """

    id: str
    members: tuple[str, ...]
    start: date
    handover: time = time(9)
    days: int = 7
    time_zone: str = "UTC"
    windows: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        _zone(self.time_zone)
        if not self.members or self.days < 1:
            raise ValueError(f"rotation {self.id!r} needs at least one member and turns of at least one day")


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """From `start` until `end` (aware), `responder` stands in for `replaces`.

    Without `replaces` they join the first layer; without `responder` the other is simply absent.
    """

    start: datetime
    end: datetime
    responder: str = ""
    replaces: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rota:
    """Everyone who can be paged, and when. Layers are ordered: the first is called first."""

    responders: tuple[Responder, ...] = ()
    layers: tuple[Rotation, ...] = ()
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        known = {responder.id for responder in self.responders}
        if len(known) != len(self.responders):
            raise ValueError("two responders have the same id: give each their own")
        named = {m for layer in self.layers for m in layer.members}
        named |= {i for o in self.overrides for i in (o.responder, o.replaces) if i}
        if named - known:
            raise ValueError(f"the rota names responders it does not list: {', '.join(sorted(named - known))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Who is on duty from `start` until `end` (UTC), ids in calling order. Nobody: a gap."""

    start: datetime
    end: datetime
    responders: tuple[str, ...]


def on_call(rota: Rota, now: datetime, languages: Sequence[str] = (), *, urgent: bool = True) -> tuple[Responder, ...]:
    """Whom to call now, in order: who speaks one of `languages` first, then by layer. Language never excludes.

    When nobody is on duty it is everyone: a hole in a calendar must not silence the line. Not `urgent`: only
    those within their own hours, perhaps nobody. `now` is aware.
    """
    people = {responder.id: responder for responder in rota.responders}
    duty = [people[i] for i in on_duty(rota, now)] or list(rota.responders)
    willing = [r for r in duty if urgent or in_hours(r, now)]
    return tuple(sorted(willing, key=lambda r: not _speaks(r, languages)))


def everyone(rota: Rota, now: datetime, languages: Sequence[str] = (), *, urgent: bool = True) -> tuple[Responder, ...]:
    """All responders, those on call first. Not `urgent`: only those within their own hours."""
    first = on_call(rota, now, languages, urgent=urgent)
    rest = [r for r in rota.responders if r not in first and (urgent or in_hours(r, now))]
    return first + tuple(sorted(rest, key=lambda r: not _speaks(r, languages)))


def on_duty(rota: Rota, now: datetime) -> tuple[str, ...]:
    """Ids the calendar puts on duty at `now`, in calling order. A rota without layers has all on duty always."""
    if not rota.layers:
        duty = [responder.id for responder in rota.responders]
    else:
        duty = [member for layer in rota.layers if (member := _turn(layer, now)) is not None]
    for override in rota.overrides:
        if override.start <= now < override.end:
            duty = _apply(override, duty)
    return tuple(dict.fromkeys(duty))


def in_hours(responder: Responder, now: datetime) -> bool:
    """True when `now` lies in the responder's own hours, or they gave none."""
    return not responder.hours or _within(responder.hours, _zone(responder.time_zone), now)


def shifts(rota: Rota, start: datetime, end: datetime) -> tuple[Shift, ...]:
    """Who is on duty from `start` until `end` (aware), without holes; neighbours with the same people are one."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    changes = sorted({start, *(c for c in _changes(rota, start, end) if start < c < end)})
    found: list[Shift] = []
    for begins, ends in zip(changes, [*changes[1:], end], strict=True):
        duty = on_duty(rota, begins)
        if found and found[-1].responders == duty:
            found[-1] = Shift(start=found[-1].start, end=ends, responders=duty)
        elif begins < ends:
            found.append(Shift(start=begins, end=ends, responders=duty))
    return tuple(found)


def gaps(rota: Rota, start: datetime, end: datetime) -> tuple[Shift, ...]:
    """The stretches between `start` and `end` (aware) for which the calendar has nobody on duty."""
    return tuple(shift for shift in shifts(rota, start, end) if not shift.responders)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"no time zone is called {name!r}: use a name such as Europe/Madrid") from None


def _speaks(responder: Responder, languages: Sequence[str]) -> bool:
    return any(language in responder.languages for language in languages)


def _instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A wall-clock time as UTC. When summer time ends it is the first of the two; in the hour that is skipped
    when it begins, the clock is read as if it had not been moved yet (PEP 495, fold=0)."""
    return datetime.combine(day, clock.replace(fold=0), tzinfo=zone).astimezone(UTC)


def _turn(layer: Rotation, now: datetime) -> str | None:
    """The member whose turn it is, or None before the first turn and outside the windows."""
    zone = _zone(layer.time_zone)
    day = now.astimezone(zone).date()
    if now < _instant(day, layer.handover, zone):
        day -= _DAY
    if day < layer.start or (layer.windows and not _within(layer.windows, zone, now)):
        return None
    return layer.members[(day - layer.start).days // layer.days % len(layer.members)]


def _apply(override: Override, duty: list[str]) -> list[str]:
    if not override.replaces:
        return [override.responder, *duty] if override.responder else duty
    swapped = [override.responder if i == override.replaces else i for i in duty]
    return [i for i in swapped if i]


def _within(windows: Iterable[Window], zone: ZoneInfo, now: datetime) -> bool:
    today = now.astimezone(zone).date()
    spans = (_span(w, day, zone) for w in windows for day in (today - _DAY, today) if day.weekday() in w.days)
    return any(begins <= now < ends for begins, ends in spans)


def _span(window: Window, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    last = day if window.end > window.start else day + _DAY
    return _instant(day, window.start, zone), _instant(last, window.end, zone)


def _changes(rota: Rota, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every instant near [start, end] at which the answer of on_duty may change."""
    for override in rota.overrides:
        yield override.start.astimezone(UTC)
        yield override.end.astimezone(UTC)
    for layer in rota.layers:
        zone = _zone(layer.time_zone)
        day = start.astimezone(zone).date() - _DAY
        while day <= end.astimezone(zone).date():
            yield _instant(day, layer.handover, zone)
            for window in layer.windows:
                yield from _span(window, day, zone)
            day += _DAY
