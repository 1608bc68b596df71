"""The flow language: what a conversation asks and where each answer leads, as typed data read from YAML.

Only shapes and loading live here. What must hold between steps is in checks.py, what happens in engine.py; no phrase
is written here, only keys of phrases.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from dialogs.events import Secret
from dialogs.marked import BadFile, Marked, read, utf8
from understanding.meaning import Cue, Fact, Intent, Signal

S = TypeVar("S", bound=BaseModel)

PARK = "park"
END = "end"
RESUME = "resume or "

_WORD = r"[a-z][a-z0-9_]*"
_NAME = rf"{_WORD}(\.{_WORD})*"

Name = Annotated[str, StringConstraints(pattern=rf"^{_NAME}$")]
Target = Annotated[str, StringConstraints(pattern=rf"^({RESUME})?{_NAME}$")]
OptionalTarget = Annotated[str, StringConstraints(pattern=rf"^(({RESUME})?{_NAME})?$")]
OptionalName = Annotated[str, StringConstraints(pattern=rf"^({_NAME})?$")]
Id = Annotated[str, StringConstraints(pattern=rf"^{_WORD}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9*]$")]


def _whole_hours(hours: str) -> str:
    if hours and not re.fullmatch(r"([01]\d|2[0-3])-([01]\d|2[0-4])", hours):
        raise ValueError("write whole hours such as 08-12, or 20-06 for over midnight")
    return hours


class Kind(StrEnum):
    """What a step is."""

    QUESTION = "question"
    PASSAGE = "passage"  # says or does something and goes on
    LANGUAGES = "languages"  # a question whose choices are the line's languages
    CODE = "code"  # expects a return code
    ENDING = "ending"  # expects the last digits of the code that was given or opened here
    NEW_WORD = "new_word"  # expects a word to agree on: `secret` says which
    WORD = "word"  # expects the check word
    WITHDRAWAL = "withdrawal"  # destroys the report; `found`: at once, `lost`: when somebody has looked


class Known(StrEnum):
    """What may be known already, so that a step is passed over."""

    TOLD = "told"  # the person has told what it is about
    LANGUAGE = "language"  # chosen, or recognised with confidence, or the line has only one
    CONTACT = "contact"  # a contact rule was chosen
    CODE = "code"  # a code was given or opened
    OWN_CODE = "own_code"  # the code that was opened is known to nobody else
    GUARDED = "guarded"  # a check word was agreed on, or nobody is said to look at the phone
    NOTHING_HEARD = "nothing_heard"  # nothing that is still to be asked was told, or the person has confirmed it


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Doing(_Shape):
    """What a step does when it is reached, or a choice when it is taken."""

    alert: OptionalName = ""  # a human is needed: the reason
    file: bool = False  # the report may go to the queue, if anything was kept and it is not there yet
    hand_over: bool = False
    erase: bool = False
    contact: Literal["", "never_first", "when_i_write", "hours", "neutral"] = ""
    hours: Annotated[str, AfterValidator(_whole_hours)] = ""  # for contact: hours
    mode: Literal["", "plain", "discreet"] = ""
    forget: tuple[Name, ...] = ()  # steps whose answer is open again
    confirm: bool = False  # what the person's words told is taken as their answer
    give_code: OptionalName = ""  # the phrase that holds {code}
    read_answers: OptionalName = ""  # the phrase for when none waits
    say: tuple[Name, ...] = ()


class Choice(Doing):
    """One thing a person may pick."""

    id: Id
    key: Annotated[str, StringConstraints(pattern=r"^[1-9]$")]
    label: Name
    next: Target
    keep: bool = True  # it is part of the report, if the step's choices are
    words: OptionalName = ""  # phrase with the words that mean this choice
    intent: Intent | None = None


class Step(Doing):
    """One step of a conversation; the file intake.yml explains the words."""

    kind: Kind = Kind.QUESTION
    ask: OptionalName = ""  # the phrase; the step's own name when empty
    again: OptionalName = ""  # the phrase for a second try
    once: tuple[Id, ...] = ()  # said before the question, once in a conversation: phrase "<once>.<channel>"
    choices: tuple[Choice, ...] = ()
    next: OptionalTarget = ""
    words: OptionalTarget = ""
    skip: OptionalTarget = ""
    found: OptionalTarget = ""
    lost: OptionalTarget = ""
    tries: Annotated[int, Field(ge=1, le=5)] = 1
    unless: Known | None = None
    passed: OptionalName = ""  # the phrase said when the step is passed over
    asked: Literal["always", "once"] = "always"
    tells: bool = False  # words said here tell what it is about
    keep: bool = True  # the choice made here is part of the report; words are always
    fact: Fact | None = None  # what this asks for: not asked when the person's words have told it
    lists_facts: bool = False  # the phrase has the placeholder {facts}: what the person's words told
    secret: Secret | None = None  # of a new_word

    @property
    def asks(self) -> bool:
        """It asks something and waits; the others do something and go on."""
        return self.kind not in {Kind.PASSAGE, Kind.WITHDRAWAL}

    def choice(self, choice_id: str) -> Choice | None:
        """The choice with this id, if the step has it."""
        return next((choice for choice in self.choices if choice.id == choice_id), None)


class GlobalKey(_Shape):
    """A key that works at every step."""

    id: Id
    key: Key
    do: Literal["go", "park", "skip", "repeat", "back", "hush"]
    to: OptionalName = ""
    words: OptionalName = ""
    slower: OptionalName = ""  # for repeat: words that ask for the same, more slowly
    intent: Intent | None = None


class Meant(_Shape):
    """An intent that leads somewhere from every step."""

    intent: Intent
    to: Name


class Cued(_Shape):
    """Who seems to hold the phone, or how earnest they are, and where that leads."""

    cue: Cue
    to: Name


class Endangered(_Shape):
    """A sign of danger that has a step of its own."""

    signal: Signal
    to: Name


class FlowFile(_Shape):
    """The main file of a flow."""

    start: Name
    returns: Name
    after: Name
    danger: Name
    dangers: tuple[Endangered, ...] = ()
    cues: tuple[Cued, ...] = ()
    noise: OptionalName = ""  # these four: without it, nothing is made of what it is for
    guard: OptionalName = ""
    duress: OptionalName = ""
    corrected: OptionalName = ""
    ways: Name
    fallback_way: Id
    language: Name
    code: Name
    parked: Name
    shared: Name
    talked: OptionalName = ""
    nobody: OptionalName = ""
    silence: tuple[Name, ...]
    away_hours: Annotated[int, Field(ge=1, le=720)]
    include: tuple[Id, ...] = ()
    keys: tuple[GlobalKey, ...]
    meant: tuple[Meant, ...] = ()
    steps: dict[Name, Step]


class StepsFile(_Shape):
    """A file of further steps."""

    steps: dict[Name, Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A whole flow: the main file's settings and the steps of all its files; each file knows its lines."""

    name: str
    main: FlowFile
    steps: Mapping[str, Step]
    files: Mapping[str, Marked[FlowFile] | Marked[StepsFile]] = field(repr=False)

    def phrase(self, step: str) -> str:
        """The phrase that this step asks."""
        return self.steps[step].ask or step

    def where(self, step: str, *path: str | int) -> str:
        """ "file:line:column" of a part of a step; of a part of the main file when `step` is empty."""
        inside = ("steps", step, *path) if step else path
        return self.files[step].where(inside)


def read_flow(directory: Path, name: str, own: Path | None = None) -> Flow:
    """Read `<name>.yml` and what it includes, without checking that the steps fit together.

    A file in the folder `own` stands for the one of the same name in `directory`. Raises BadFile.
    """
    main = _read(directory, name, FlowFile, "", own)
    parts: list[Marked[FlowFile] | Marked[StepsFile]] = [main]
    problems: list[str] = []
    for index, part in enumerate(main.value.include):
        try:
            parts.append(_read(directory, part, StepsFile, main.where(("include", index)), own))
        except BadFile as error:
            problems.extend(error.problems)
    steps: dict[str, Step] = {}
    files: dict[str, Marked[FlowFile] | Marked[StepsFile]] = {"": main}
    for file in parts:
        for step, value in file.value.steps.items():
            if step in steps:
                where, other = file.where(("steps", step)), files[step].source
                problems.append(f"{where}: `{step}` is also a step of {other}: rename one")
                continue
            steps[step] = value
            files[step] = file
    if problems:
        raise BadFile(problems)
    return Flow(name=name, main=main.value, steps=steps, files=files)


def _read(directory: Path, name: str, model: type[S], asked_by: str, own: Path | None) -> Marked[S]:
    """One file. A built-in one is called by its name in errors, one of a line's own by its path."""
    path, source = directory / f"{name}.yml", f"{name}.yml"
    if own and (own / path.name).exists():
        path = own / path.name
        source = str(path)
    try:
        return read(utf8(path.read_bytes(), source), source, model)
    except FileNotFoundError:
        where = asked_by or f"{path.name}:1:1"
        raise BadFile([f"{where}: write {path.name} in {directory.name}/, or correct its name here"]) from None


def resolve(target: str, interrupted: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """A target as a step's name, `park` or `end`, and what is still interrupted afterwards."""
    if not target.startswith(RESUME):
        return target, interrupted
    if interrupted:
        return interrupted[-1], interrupted[:-1]
    return target.removeprefix(RESUME), ()
