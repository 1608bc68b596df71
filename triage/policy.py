"""What a programme officer decides about urgency: targets, thresholds and the ladder of pages. Read from line.yml.

Only numbers and their checks live here; what they do is in assess.py, escalation.py and review.py. All times are
seconds. Messages of refusal name the setting and the remedy and never repeat a value: one of them is a number.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from triage.levels import Level
from triage.rota import MethodKind

Seconds = Annotated[float, Field(strict=True, ge=1, le=31_536_000, allow_inf_nan=False)]
Score = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=1, le=100)]


class Who(StrEnum):
    """Whom a step calls."""

    NEXT = "next"  # the next person on call who has not been called in this round
    EVERYONE = "everyone"
    OUTSIDE = "outside"  # the number outside the organisation


class When(StrEnum):
    """When reports of a level page."""

    AT_ONCE = "at_once"
    IN_HOURS = "in_hours"  # at once, but only people within their hours; past the last step, everyone
    PAST_TARGET = "past_target"  # only when nobody has read them in time; then as IN_HOURS


class _Settings(BaseModel):
    """Frozen, no unknown names, and no value of the file in an error message."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Step(_Settings):
    """One rung: whom to call, by which kinds of method (none named: all of theirs), and how long to wait."""

    who: Who
    wait: Seconds
    methods: tuple[MethodKind, ...] = ()


class LevelPolicy(_Settings):
    """Targets of one level and its ladder. `people` acknowledgements are needed, `people_for_life` at risk to life.

    The ladder is climbed 1 + `repeat` times; then everyone is called by every method each `last_resort_every`
    seconds until enough have acknowledged. `review`: a human has read it; the rest as named. Who has most of `skills`
    is called first, after the language; nobody is left out for want of one.

    Once somebody has it: `untouched` is how long the case may stay as it was before others are called; `still_on_it`
    after how long without a sign of work whoever has it is asked, again and again. None: that is not looked at.
    """

    page: When
    acknowledge: Seconds | None = None
    answer: Seconds | None = None
    review: Seconds | None = None
    people: Count = 1
    people_for_life: Count = 1
    skills: tuple[str, ...] = ()
    steps: tuple[Step, ...] = Field(min_length=1, max_length=20)
    repeat: Annotated[int, Field(strict=True, ge=0, le=10)] = 0
    last_resort_every: Seconds
    untouched: Seconds | None = None
    still_on_it: Seconds | None = None

    @model_validator(mode="after")
    def _has_a_target(self) -> Self:
        if self.target is None:
            raise ValueError("a level needs a target: set acknowledge, answer or review, in seconds")
        return self

    @property
    def target(self) -> float | None:
        """Seconds until a human must have it: the shortest target that is set."""
        return min((t for t in (self.acknowledge, self.answer, self.review) if t is not None), default=None)

    def needed(self, *, life_at_risk: bool) -> int:
        """How many people must acknowledge."""
        return max(self.people, self.people_for_life) if life_at_risk else self.people


class Thresholds(_Settings):
    """From which score on the model is believed (0 to 1).

    `danger` alone makes an emergency, `near_danger` and `concern` make it high, `signal` fires a signal's rule. A
    signal of danger makes an emergency when its score is `sure_signal`, or the model sees `near_danger` too; less
    than that is high, since words such as "gun" are also in films. `understood` is how sure an intent must be when
    the language is unknown. The defaults are left-one-out scores of the embedded engine (docs/decisions).
    """

    danger: Score = 0.3
    near_danger: Score = 0.15
    concern: Score = 0.5
    signal: Score = 0.5
    sure_signal: Score = 0.7
    understood: Score = 0.6

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.near_danger > self.danger:
            raise ValueError("near_danger must not be above danger: lower near_danger")
        return self


class Levels(_Settings):
    """One policy per level; what is not written keeps its default (domain.md, section 1)."""

    emergency: LevelPolicy = LevelPolicy(
        page=When.AT_ONCE,
        acknowledge=180,
        answer=600,
        people_for_life=2,
        steps=(
            Step(who=Who.NEXT, wait=60),
            Step(who=Who.NEXT, wait=60),
            Step(who=Who.EVERYONE, wait=60),
            Step(who=Who.OUTSIDE, wait=60),
        ),
        last_resort_every=120,
        untouched=600,
        still_on_it=1800,
    )
    high: LevelPolicy = LevelPolicy(
        page=When.IN_HOURS,
        answer=3600,
        steps=(
            Step(who=Who.NEXT, wait=900),
            Step(who=Who.NEXT, wait=900),
            Step(who=Who.EVERYONE, wait=1800),
        ),
        last_resort_every=1800,
        untouched=3600,
    )
    standard: LevelPolicy = LevelPolicy(
        page=When.PAST_TARGET,
        review=24 * 3600,
        steps=(Step(who=Who.NEXT, wait=1800), Step(who=Who.EVERYONE, wait=12 * 3600)),
        last_resort_every=12 * 3600,
    )
    information: LevelPolicy = LevelPolicy(
        page=When.PAST_TARGET,
        review=72 * 3600,
        steps=(Step(who=Who.NEXT, wait=3600), Step(who=Who.EVERYONE, wait=24 * 3600)),
        last_resort_every=24 * 3600,
    )


class TriagePolicy(_Settings):
    """Everything the triage room needs to know about one line.

    `thresholds_by_language` replaces `thresholds` for messages in that language ("hi"), or in that language in Latin
    letters ("hi-Latn"). `weak_signs`: how much weight
    of weak signs adds up to high; `repeats`: in how many messages a sign must come back to count for more.
    `method_wait`: how long one method may stay silent before the next is tried; `contact_gap`: least time between
    two pages to the same contact; `slow_factor`: how much longer to wait once somebody, but not enough, has it;
    `still_wait`: how long "still on it?" may stay without an answer; `unassessed`: how long words may wait for an
    engine that can read them before a human is asked to.
    """

    thresholds: Thresholds = Thresholds()
    thresholds_by_language: Mapping[str, Thresholds] = Field(default_factory=dict)
    weak_signs: Count = 3
    repeats: Annotated[int, Field(strict=True, ge=2, le=100)] = 3
    levels: Levels = Levels()
    outside_number: str = Field(default="", repr=False, pattern=r"^(\+[1-9][0-9]{6,14})?$")
    method_wait: Seconds = 25
    contact_gap: Seconds = 20
    slow_factor: Annotated[float, Field(strict=True, ge=1, le=10, allow_inf_nan=False)] = 2
    still_wait: Seconds = 300
    unassessed: Seconds = 300

    @model_validator(mode="after")
    def _pages_are_bounded(self) -> Self:
        for level in Level:
            policy = self.of(level)
            if min(policy.last_resort_every, *(step.wait for step in policy.steps)) < self.contact_gap:
                raise ValueError(
                    f"levels.{level.word}: a step or last_resort_every is shorter than contact_gap: lengthen it, "
                    "or lower contact_gap"
                )
        return self

    def of(self, level: Level) -> LevelPolicy:
        """Targets and ladder of a level."""
        return {
            Level.EMERGENCY: self.levels.emergency,
            Level.HIGH: self.levels.high,
            Level.STANDARD: self.levels.standard,
            Level.INFORMATION: self.levels.information,
        }[level]

    def target(self, level: Level) -> timedelta:
        """How soon a human must have a report of this level."""
        return timedelta(seconds=self.of(level).target or 0)

    def thresholds_for(self, language: str | None, *, romanised: bool = False) -> Thresholds:
        """The thresholds for a message in this language, in its own letters or in Latin ones.

        What the line says comes first: of the language in these letters ("hi-Latn"), of the language ("hi"), of all.
        Where it says nothing, what was measured of the embedded engine (thresholds.yml) stands.
        """
        varieties = [f"{language}-Latn"] * romanised + [language or ""]
        said = next((self.thresholds_by_language[v] for v in varieties if v in self.thresholds_by_language), None)
        if said is not None or "thresholds" in self.model_fields_set:
            return said or self.thresholds
        return next((MEASURED[v] for v in varieties if v in MEASURED), self.thresholds)


def _measured(path: Path = Path(__file__).parent / "thresholds.yml") -> Mapping[str, Thresholds]:
    """By variety, what left-out scores chose; only `danger` is in the file, and `near_danger` is never above it."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))["danger"]
    near = Thresholds().near_danger
    return {name: Thresholds(danger=danger, near_danger=min(near, danger)) for name, danger in found.items()}


MEASURED: Mapping[str, Thresholds] = _measured()
"""Thresholds that a line starts with where a language has enough examples to tell (`make heads` writes the file)."""
