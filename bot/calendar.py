"""The standing calendar as line.yml has it: layers, hand-overs, holidays, and what is asked of people before a shift.

Values and their checks, and the one place where they meet the people of the vault. No database is read here and nobody
is called.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from triage.hours import Window, read_moment, read_window
from triage.rota import Method, MethodKind, Override, Planned, Responder, Rota
from triage.turns import Holiday, Rotation
from triage.week import Limits
from vault.paging import StoredResponder
from vault.rota import ChangeKind, RotaChange


def known_zone(name: str) -> str:
    """The name of a time zone. Checked at start: at night it would stop a page."""
    try:
        ZoneInfo(name)
    except (OSError, LookupError, ValueError):
        raise ValueError("no time zone has this name: use one such as Europe/Madrid") from None
    return name


def _window(text: str) -> str:
    read_window(text)
    return text


def _moment(text: str) -> str:
    read_moment(text)
    return text


Zone = Annotated[str, AfterValidator(known_zone)]
Hours = Annotated[str, AfterValidator(_window)]
HandOver = Annotated[str, AfterValidator(_moment)]
Name = Annotated[str, Field(min_length=1, max_length=40)]


class Settings(BaseModel):
    """Frozen, no unknown names, and no value of the file in an error message."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Layer(Settings):
    """One layer of the on-call calendar; `members` are names given to `harborline rota add`."""

    name: Annotated[str, Field(max_length=40)] = ""
    members: tuple[str, ...] = Field(min_length=1)
    start: date
    handover: time = time(9)
    days: Annotated[int, Field(ge=1, le=366)] = 7
    changes: Annotated[tuple[HandOver, ...], Field(max_length=21)] = ()
    windows: Annotated[tuple[Hours, ...], Field(max_length=21)] = ()
    time_zone: Zone = "UTC"
    standby: bool = False


class DaysOff(Settings):
    """Dates on which layers or people are off."""

    first: date
    last: date | None = None
    layers: tuple[Name, ...] = ()
    people: tuple[Name, ...] = ()
    instead: Annotated[str, Field(max_length=40)] = ""

    @model_validator(mode="after")
    def _is_about_somebody(self) -> Self:
        if not self.layers and not self.people:
            raise ValueError("a holiday is about layers or people: name at least one")
        if self.last is not None and not timedelta() <= self.last - self.first <= timedelta(days=366):
            raise ValueError("last must not be before first, nor over a year later: correct one of the two")
        return self


class RotaPolicy(Settings):
    """What is asked before a shift, what is too much, and holidays."""

    readiness_minutes: Annotated[int, Field(ge=0, le=2880)] = 120
    answer_minutes: Annotated[int, Field(ge=5, le=1440)] = 45
    most_hours: Annotated[float, Field(gt=0, le=168)] | None = None
    most_nights: Annotated[int, Field(ge=1, le=366)] | None = 7
    holidays: Annotated[tuple[DaysOff, ...], Field(max_length=200)] = ()

    @property
    def limits(self) -> Limits:
        """The same, as triage takes it."""
        return Limits(hours=self.most_hours, nights=self.most_nights)


def check_layers(layers: Sequence[Layer], holidays: Sequence[DaysOff]) -> None:
    """Raises ValueError with the remedy when names of layers do not fit together."""
    names = [name(layer, number) for number, layer in enumerate(layers)]
    if len(set(names)) != len(names):
        raise ValueError("two layers of on_call have the same name: give each its own")
    for holiday in holidays:
        if {*holiday.layers, *([holiday.instead] if holiday.instead else [])} - set(names):
            raise ValueError("rota.holidays names a layer that on_call does not have: give the layer this name there")


def name(layer: Layer, number: int) -> str:
    """What a layer is called: its own name, or "layer-1" for the first."""
    return layer.name or f"layer-{number + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The calendar of one line.yml."""

    layers: tuple[Layer, ...] = ()
    policy: RotaPolicy = field(default_factory=RotaPolicy)

    def rota(self, people: Sequence[Responder], changes: Sequence[RotaChange] = ()) -> Rota:
        """The calendar over the people there are. A name that is not enrolled is left out of its layer."""
        ids = {person.name.casefold(): person.id for person in people}
        layers = tuple(
            _rotation(layer, name(layer, number), ids)
            for number, layer in enumerate(self.layers)
            if any(m.casefold() in ids for m in layer.members)
        )
        known = {person.id for person in people}
        mine = [c for c in changes if {c.responder, c.replaces} - {""} <= known]
        return Rota(
            responders=tuple(people),
            layers=layers,
            overrides=tuple(
                Override(start=c.start, end=c.end, responder=c.responder, replaces=c.replaces)
                for c in mine
                if c.kind is ChangeKind.OVERRIDE
            ),
            planned=tuple(
                Planned(start=c.start, end=c.end, responder=c.responder, calendar=c.calendar)
                for c in mine
                if c.kind is ChangeKind.PLANNED
            ),
            holidays=tuple(_holiday(h, ids, {layer.id for layer in layers}) for h in self.policy.holidays),
        )


def responder(stored: StoredResponder, time_zone: str = "UTC") -> Responder:
    """A responder as triage knows them: no name of a number, only that there is one. Hours that cannot be read, and a
    zone that is gone, are left out: at night they would stop a page."""
    return Responder(
        id=str(stored.id),
        name=stored.name,
        languages=stored.languages,
        methods=tuple(
            Method(kind=MethodKind(contact.method), contact=f"{stored.id}/{key}") for key, contact in stored.keyed()
        ),
        time_zone=_zone(stored.time_zone) or time_zone,
        hours=tuple(window for text in stored.hours if (window := _read(text))),
        skills=frozenset(stored.skills),
        coordinator=stored.coordinator,
    )


def contact_of(method: Method) -> tuple[uuid.UUID, str]:
    """Whose contact it is, and its key."""
    whose, _, key = method.contact.partition("/")
    return uuid.UUID(whose), key


def _rotation(layer: Layer, called: str, ids: Mapping[str, str]) -> Rotation:
    return Rotation(
        id=called,
        members=tuple(ids[m.casefold()] for m in layer.members if m.casefold() in ids),
        start=layer.start,
        handover=layer.handover,
        days=layer.days,
        time_zone=layer.time_zone,
        windows=tuple(read_window(text) for text in layer.windows),
        changes=tuple(read_moment(text) for text in layer.changes),
        standby=layer.standby,
    )


def _holiday(days: DaysOff, ids: Mapping[str, str], layers: set[str]) -> Holiday:
    """A layer whose people are all gone is not there, and nor is its holiday."""
    return Holiday(
        first=days.first,
        last=days.last or days.first,
        layers=frozenset(days.layers) & layers,
        responders=frozenset(ids[p.casefold()] for p in days.people if p.casefold() in ids),
        instead=days.instead if days.instead in layers else "",
    )


def _read(text: str) -> Window | None:
    try:
        return read_window(text)
    except ValueError:
        return None


def _zone(text: str) -> str:
    try:
        return known_zone(text) if text else ""
    except ValueError:
        return ""
