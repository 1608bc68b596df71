"""Who is on call at a given moment, with which languages and by which methods. Values and pure functions.

No clock (the moment is an argument), no telephone number: a method carries an opaque contact id that only the
vault can turn into an address. Hand-overs follow the wall clock of their time zone, so a shift stays at 09:00
when summer time begins or ends. How a turn is found is in turns.py, what a wall clock means in hours.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from triage.hours import DAY, Window, days_between, instant, span, within, zone_of
from triage.turns import Holiday, Rotation, handovers, turn


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
class Responder:
    """A human who answers pages. `methods` in the order they prefer, also two of one kind; no `hours`: at any hour.

    A `coordinator` is told when the calendar or a phone needs a hand.
    """

    id: str
    name: str = field(repr=False)
    languages: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()
    time_zone: str = "UTC"
    hours: tuple[Window, ...] = ()
    skills: frozenset[str] = frozenset()
    coordinator: bool = False

    def __post_init__(self) -> None:
        zone_of(self.time_zone)


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
class Planned:
    """A shift that a calendar file names: `responder` is on duty from `start` until `end` (aware)."""

    start: datetime
    end: datetime
    responder: str
    calendar: str = "calendar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rota:
    """Everyone who can be paged, and when. Layers are ordered: the first is called first.

    `planned` are shifts of imported calendars; they are called before the layers. `overrides` change both.
    """

    responders: tuple[Responder, ...] = ()
    layers: tuple[Rotation, ...] = ()
    overrides: tuple[Override, ...] = ()
    planned: tuple[Planned, ...] = ()
    holidays: tuple[Holiday, ...] = ()

    def __post_init__(self) -> None:
        known = {responder.id for responder in self.responders}
        if len(known) != len(self.responders):
            raise ValueError("two responders have the same id: give each their own")
        named = {m for layer in self.layers for m in layer.members}
        named |= {i for o in self.overrides for i in (o.responder, o.replaces) if i}
        named |= {p.responder for p in self.planned} | {i for h in self.holidays for i in h.responders}
        if named - known:
            raise ValueError(f"the rota names responders it does not list: {', '.join(sorted(named - known))}")
        layers = {layer.id for layer in self.layers}
        strange = {i for h in self.holidays for i in (*h.layers, h.instead) if i} - layers
        if strange:
            raise ValueError(f"a holiday names layers that are not there: {', '.join(sorted(strange))}")

    @property
    def has_calendar(self) -> bool:
        """True when somebody has planned who is on duty; otherwise everyone is, always."""
        return bool(self.layers or self.planned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Who is on duty from `start` until `end` (UTC), ids in calling order. Nobody: a gap."""

    start: datetime
    end: datetime
    responders: tuple[str, ...]


def on_call(
    rota: Rota, now: datetime, languages: Sequence[str] = (), *, urgent: bool = True, skills: Sequence[str] = ()
) -> tuple[Responder, ...]:
    """Whom to call now, in order: who speaks one of `languages` first, then who has most of `skills`, then by layer.

    Neither excludes anybody. When nobody is on duty it is everyone: a hole in a calendar must not silence the
    line. Not `urgent`: only those within their own hours, perhaps nobody. `now` is aware.
    """
    people = {responder.id: responder for responder in rota.responders}
    duty = [people[i] for i in on_duty(rota, now)] or list(rota.responders)
    willing = [r for r in duty if urgent or in_hours(r, now)]
    return tuple(sorted(willing, key=lambda r: _fit(r, languages, skills)))


def everyone(
    rota: Rota, now: datetime, languages: Sequence[str] = (), *, urgent: bool = True, skills: Sequence[str] = ()
) -> tuple[Responder, ...]:
    """All responders, those on call first. Not `urgent`: only those within their own hours."""
    first = on_call(rota, now, languages, urgent=urgent, skills=skills)
    rest = [r for r in rota.responders if r not in first and (urgent or in_hours(r, now))]
    return first + tuple(sorted(rest, key=lambda r: _fit(r, languages, skills)))


def on_duty(rota: Rota, now: datetime) -> tuple[str, ...]:
    """Ids the calendar puts on duty at `now`, in calling order. A rota without any calendar has all on duty always."""
    if not rota.has_calendar:
        duty = [responder.id for responder in rota.responders]
    else:
        off = away(rota, now)
        duty = [p.responder for p in rota.planned if p.start <= now < p.end and p.responder not in off]
        duty += [member for layer in rota.layers if (member := layer_duty(rota, layer, now)) is not None]
    for override in rota.overrides:
        if override.start <= now < override.end:
            duty = _apply(override, duty)
    return tuple(dict.fromkeys(duty))


def layer_duty(rota: Rota, layer: Rotation, now: datetime) -> str | None:
    """Whom a layer puts on duty, before overrides: its own turn, or on a holiday the turn of whoever takes over."""
    off = away(rota, now)
    if layer.standby:
        return None  # it is on duty only in another one's place
    holiday = next((h for h in rota.holidays if layer.id in h.layers and h.covers(now, layer.time_zone)), None)
    if holiday is None:
        return turn(layer, now, off)
    cover = next((other for other in rota.layers if other.id == holiday.instead), None)
    return turn(cover, now, off) if cover else None


def away(rota: Rota, now: datetime) -> frozenset[str]:
    """Responders whose own day off it is, on their own clock."""
    return frozenset(
        person.id
        for person in rota.responders
        if any(person.id in h.responders and h.covers(now, person.time_zone) for h in rota.holidays)
    )


def in_hours(responder: Responder, now: datetime) -> bool:
    """True when `now` lies in the responder's own hours, or they gave none."""
    return not responder.hours or within(responder.hours, zone_of(responder.time_zone), now)


def shifts(rota: Rota, start: datetime, end: datetime) -> tuple[Shift, ...]:
    """Who is on duty from `start` until `end` (aware), without holes; neighbours with the same people are one."""
    found: list[Shift] = []
    for begins, ends in stretches(rota, start, end):
        duty = on_duty(rota, begins)
        if found and found[-1].responders == duty:
            found[-1] = Shift(start=found[-1].start, end=ends, responders=duty)
        else:
            found.append(Shift(start=begins, end=ends, responders=duty))
    return tuple(found)


def gaps(rota: Rota, start: datetime, end: datetime) -> tuple[Shift, ...]:
    """The stretches between `start` and `end` (aware) for which the calendar has nobody on duty."""
    return tuple(shift for shift in shifts(rota, start, end) if not shift.responders)


def stretches(rota: Rota, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) in UTC, cut wherever who is on duty may change."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    changes = sorted({start, *(c for c in _changes(rota, start, end) if start < c < end)})
    for begins, ends in zip(changes, [*changes[1:], end], strict=True):
        if begins < ends:
            yield begins, ends


def _fit(responder: Responder, languages: Sequence[str], skills: Sequence[str]) -> tuple[bool, int]:
    """Smaller is better."""
    speaks = any(language in responder.languages for language in languages)
    return not speaks, -len(responder.skills & set(skills))


def _apply(override: Override, duty: list[str]) -> list[str]:
    if not override.replaces:
        return [override.responder, *duty] if override.responder else duty
    swapped = [override.responder if i == override.replaces else i for i in duty]
    return [i for i in swapped if i]


def _changes(rota: Rota, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every instant near [start, end] at which the answer of on_duty may change."""
    named: tuple[Override | Planned, ...] = (*rota.overrides, *rota.planned)
    for stretch in named:
        yield stretch.start.astimezone(UTC)
        yield stretch.end.astimezone(UTC)
    for layer in rota.layers:
        zone = zone_of(layer.time_zone)
        for day in days_between(start, end, zone):
            yield from handovers(layer, day, zone)
            for window in layer.windows:
                yield from span(window, day, zone)
    zones = {layer.time_zone for layer in rota.layers} | {person.time_zone for person in rota.responders}
    for holiday in rota.holidays:
        for name in zones:
            yield instant(holiday.first, holiday.MIDNIGHT, zone_of(name))
            yield instant(holiday.last + DAY, holiday.MIDNIGHT, zone_of(name))
