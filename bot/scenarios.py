"""Scenarios of drills: files that a programme officer reads and writes, and what is wrong with them.

The built-in ones lie in drills/, a line's own in HARBORLINE_HOME/drills; an own file stands for the built-in one of
its name. Reading and refusing only: who plays them is bot/drills.py.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bot.line import Line
from dialogs.marked import BadFile, load, utf8
from triage.drills import Expected, Shift, shift_at
from triage.levels import Level

BUILT_IN: Final = Path(__file__).parent.parent / "drills"
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")

_SPAN: Final = re.compile(r"([0-9]{1,4}) (second|minute|hour)s?")
_UNITS: Final[Mapping[str, int]] = {"second": 1, "minute": 60, "hour": 3600}
_DAY: Final = 86_400


def _seconds(value: object) -> int:
    """A span in words as seconds."""
    found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or not (seconds := int(found[1]) * _UNITS[found[2]]) <= _DAY:
        raise ValueError("write a span of at most a day in words, such as 90 seconds, 5 minutes or 1 hour")
    return seconds


Span = Annotated[int, BeforeValidator(_seconds)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Message(_Part):
    """One text of the scripted person, and how long they take to write it."""

    say: Annotated[str, Field(min_length=1, max_length=1600)]
    after: Span = 3


class Expect(_Part):
    """What ought to happen: the level at least, and by when, from the first message on."""

    level: Literal["high", "emergency"]
    page: Span
    acknowledge: Span
    answer: Span


class Scenario(_Part):
    """One scripted person."""

    title: Annotated[str, Field(min_length=1, max_length=80)]
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    channel: Literal["sms"] = "sms"
    shift: Shift
    messages: tuple[Message, ...] = Field(min_length=1, max_length=20)
    expect: Expect

    @property
    def expected(self) -> Expected:
        """The same, as triage judges by it."""
        wanted = self.expect
        return Expected(
            level=Level.of(wanted.level), page=wanted.page, acknowledge=wanted.acknowledge, answer=wanted.answer
        )


def read_scenarios(home: Path | None) -> dict[str, Scenario]:
    """Every scenario by name. Raises BadFile with every mistake as "file:line:column: what to do"."""
    found: dict[str, Scenario] = {}
    problems: list[str] = []
    folders = [(BUILT_IN, "drills"), *([(home / "drills", str(home / "drills"))] if home else [])]
    for folder, shown in folders:
        for path in sorted(folder.glob("*")):
            source = f"{shown}/{path.name}"
            if path.suffix != ".yml" or not NAME.fullmatch(path.stem):
                problems.append(f"{source}:1:1: nothing reads this file: name it like night_worker.yml, or remove it")
                continue
            try:
                found[path.stem] = load(utf8(path.read_bytes(), source), source, Scenario)
            except BadFile as error:
                problems.extend(error.problems)
    if problems:
        raise BadFile(problems)
    return found


def unplayable(scenario: Scenario, line: Line) -> str:
    """Why this line cannot play a scenario, or ""."""
    if scenario.language not in line.languages:
        return f"the line does not speak {scenario.language}: add it to languages, or choose another scenario"
    if not line.numbers.sms:
        return "the line has no number for texts: set numbers.sms in line.yml"
    return ""


def misplanned(scenarios: Mapping[str, Scenario], line: Line) -> list[str]:
    """What is wrong with the schedule of line.yml: a scenario that is not there, or one at another time of day."""
    problems = []
    for entry in line.drills.schedule:
        scenario = scenarios.get(entry.scenario)
        if scenario is None:
            problems.append(f"line.yml: the schedule names {entry.scenario}, and there is no such scenario")
        elif (shift := shift_at(entry.at.hour)) is not scenario.shift:
            problems.append(
                f"line.yml: {entry.scenario} is meant for the {scenario.shift} and is planned at "
                f"{entry.at:%H:%M}, in the {shift}"
            )
        elif why := unplayable(scenario, line):
            problems.append(f"line.yml: {entry.scenario}: {why}")
    return problems
