"""line.yml: what a programme officer decides about one line. Read once at start; errors name line and column.

No secrets and no staff numbers are in it: responders' contacts are kept, locked, by `harborline rota`.
"""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from bot.calendar import Layer, RotaPolicy, Settings, Standing, Zone, check_layers
from dialogs.conversation import Mode
from dialogs.covers import Cover
from dialogs.lexicon import Lexicon
from dialogs.line import LineFacts
from dialogs.marked import load, utf8
from triage.drills import Announce
from triage.policy import TriagePolicy
from triage.review import CaseState
from vault.epochs import EpochPolicy
from vault.retention import Policy

Tag = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
Number = Annotated[str, Field(pattern=r"^(\+[1-9][0-9]{6,14})?$")]

_NUMERAL: Final = re.compile(r"-?[0-9]{1,8}(\.[0-9]+)?")  # longer ones are telephone numbers


def _numbers(value: Any) -> Any:
    """Numerals as numbers: every scalar of the file is text, and the policy takes nothing but a number for one."""
    if isinstance(value, Mapping):
        return {name: _numbers(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    if isinstance(value, str) and _NUMERAL.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value


class Numbers(Settings):
    """The line's own addresses, as people know them."""

    sms: Number = ""
    voice: Number = ""
    telegram: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{0,32}$")] = ""


Days = Annotated[int, Field(ge=1, le=3650)]


class CaseDays(Settings):
    """How many days after the last change a case in each state is erased. None: never by the calendar."""

    draft: Days | None = 30
    open: Days | None = None
    assigned: Days | None = None
    answered: Days | None = 365
    closed: Days | None = 180
    withdrawn: Days | None = 1


class Retention(Settings):
    """What is forgotten when."""

    epoch_days: Annotated[int, Field(ge=1, le=366)] = 30
    grace_days: Annotated[int, Field(ge=1, le=90)] = 7
    cases: CaseDays = CaseDays()
    drill_days: Days = 7
    trace_days: Annotated[int, Field(ge=3, le=3650)] = 30  # providers repeat themselves for a day or two
    backup_days: Days = 7

    @property
    def policy(self) -> Policy:
        """The same, as the vault takes it."""
        kept = {CaseState(name): days for name, days in self.cases.model_dump().items() if days is not None}
        return Policy(
            epochs=EpochPolicy(length=timedelta(days=self.epoch_days), grace=timedelta(days=self.grace_days)),
            cases={state: timedelta(days=days) for state, days in kept.items()},
            drills=timedelta(days=self.drill_days),
            traces=timedelta(days=self.trace_days),
        )


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_WEEK: Final[tuple[Day, ...]] = get_args(Day)
_STILL_DUE: Final = timedelta(minutes=10)  # later than this a drill that was missed is left out


class DrillTime(Settings):
    """When one scenario is drilled, by the line's own clock."""

    scenario: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    days: tuple[Day, ...] = Field(min_length=1)
    at: time


class Drills(Settings):
    """Exercises: when they begin by themselves, and when people are told that it is one."""

    announce: Announce = Announce.AFTER
    earliest: time = time(8)
    latest: time = time(20)
    schedule: tuple[DrillTime, ...] = ()

    @model_validator(mode="after")
    def _within_hours(self) -> Self:
        for entry in self.schedule:
            if not self.allows(entry.at):
                raise ValueError(
                    f"the schedule has a drill at {entry.at:%H:%M}, outside of {self.earliest:%H:%M} to "
                    f"{self.latest:%H:%M}: choose another time, or change earliest and latest"
                )
        return self

    def allows(self, moment: time) -> bool:
        """True between the earliest and the latest hour; the span may pass midnight."""
        if self.earliest <= self.latest:
            return self.earliest <= moment <= self.latest
        return moment >= self.earliest or moment <= self.latest

    def due(self, local: datetime) -> tuple[tuple[str, str], ...]:
        """What should have begun within the last minutes, as (slot, scenario). `local`: now, in the line's zone."""
        found = []
        for entry in self.schedule:
            begins = local.replace(hour=entry.at.hour, minute=entry.at.minute, second=0, microsecond=0)
            late = local - begins
            if _WEEK[local.weekday()] in entry.days and timedelta(0) <= late < _STILL_DUE:
                found.append((f"{begins:%Y-%m-%d %H:%M} {entry.scenario}", entry.scenario))
        return tuple(found)


class Line(Settings):
    """One hotline."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    cover: Annotated[str, Field(min_length=1, max_length=40)] = "Corner Laundry"
    cover_is: Cover = Cover.SHOP
    languages: tuple[Tag, ...] = Field(min_length=1, max_length=9)
    default_language: Tag
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    emergency_number: Annotated[str, Field(pattern=r"^[0-9]{2,6}$")]
    numbers: Numbers = Numbers()
    mode: Mode = Mode.PLAIN
    time_zone: Zone = "UTC"
    idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    live_minutes: Annotated[int, Field(ge=1, le=240)] = 15
    voices: dict[Tag, Literal["provider", "recorded"]] = Field(default_factory=dict)
    triage: Annotated[TriagePolicy, BeforeValidator(_numbers)] = TriagePolicy()
    on_call: tuple[Layer, ...] = ()
    rota: RotaPolicy = RotaPolicy()
    retention: Retention = Retention()
    drills: Drills = Drills()

    @model_validator(mode="after")
    def _speaks_its_default(self) -> Self:
        if self.default_language not in self.languages:
            raise ValueError("default_language must be one of languages: add it there, or choose another")
        strange = sorted(set(self.voices) - set(self.languages))
        if strange:
            raise ValueError(f"voices names {', '.join(strange)}: add it to languages, or take it out")
        return self

    @model_validator(mode="after")
    def _holidays_name_layers(self) -> Self:
        check_layers(self.on_call, self.rota.holidays)
        return self

    @property
    def standing(self) -> Standing:
        """Its on-call calendar, before anybody swapped anything."""
        return Standing(layers=self.on_call, policy=self.rota)

    @property
    def recorded(self) -> frozenset[str]:
        """Languages in which callers hear recordings."""
        return frozenset(tag for tag, voice in self.voices.items() if voice == "recorded")

    def facts(self, lexicon: Lexicon) -> LineFacts:
        """What a conversation needs to know of the line; `lexicon` are the words people use instead of keys."""
        return LineFacts(
            name=self.name,
            cover=self.cover,
            emergency_number=self.emergency_number,
            languages=self.languages,
            default_language=self.default_language,
            mode=self.mode,
            lexicon=lexicon,
        )


def read_line(path: Path) -> Line:
    """Read line.yml. Raises dialogs.marked.BadFile with every problem, or FileNotFoundError."""
    return load(utf8(path.read_bytes(), path.name), path.name, Line)
