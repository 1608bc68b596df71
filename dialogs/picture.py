"""What a picture of a flow file shows: cards for its steps, a row for each answer, and where each leads. No geometry.

The words are the flow's own in English; the few sentences that explain a step to a programme officer are here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dialogs.checks import edges
from dialogs.conversation import Mode
from dialogs.flow import END, PARK, RESUME, Doing, Flow, Kind, Known, Step
from dialogs.phrases import Phrases

LANGUAGE: Final = "en"
WORDS: Final = "Aa"  # in the place of a key: they write or say it
_SAMPLES: Final = {"line": "Harborline", "cover": "…", "emergency": "112", "code": "…", "text": "…"}


class Leads(StrEnum):
    """What kind of place an answer leads to."""

    HERE = "here"  # a step of the same file
    ELSEWHERE = "elsewhere"  # a step of another file
    BACK = "back"  # the step that was interrupted
    END = "end"
    WAITS = "waits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an answer leads. `file` is the name of the other file, for ELSEWHERE and BACK."""

    leads: Leads
    step: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer: the key that gives it, WORDS, or "" where it comes by itself; what it does, and where it leads."""

    key: str
    label: str
    target: Target
    note: str = ""
    skip: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One step. `question` is empty for a passage; `notes` say what it does; `comes` who leads here from outside."""

    step: str
    kind: str
    question: str
    notes: tuple[str, ...]
    comes: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One flow file. `always` are the answers that work at every step; `main` is the file that says so."""

    file: str
    main: str
    about: str
    cards: tuple[Card, ...]
    always: tuple[Row, ...]


def picture(flow: Flow, phrases: Phrases, file: str, about: str) -> Picture:
    """The picture of one file of a flow; `file` is its name without folder, `about` the sentence at its head."""
    return Picture(
        file=file,
        main=files_of(flow)[0],
        about=about,
        cards=tuple(_card(flow, phrases, name, file) for name in flow.steps if file_of(flow, name) == file),
        always=tuple(_always(flow, file)),
    )


def files_of(flow: Flow) -> tuple[str, ...]:
    """The names of a flow's files, the main one first, as "intake.yml"."""
    return tuple(f"{name}.yml" for name in (flow.name, *flow.main.include))


def file_of(flow: Flow, step: str) -> str:
    """The name of the file in which a step is written, without its folder."""
    return flow.files[step].source.rpartition("/")[2]


def heading(text: str) -> str:
    """The first paragraph of the comment at the head of a flow file: what the file is about."""
    said = []
    for line in text.splitlines():
        words = line.removeprefix("#").strip()
        if not line.startswith("#") or not words:
            break
        said.append(words)
    return " ".join(said)


# Cards ------------------------------------------------------------------------------------------------------------

_KINDS: Final[Mapping[Kind, str]] = {
    Kind.QUESTION: "",
    Kind.PASSAGE: "goes on by itself",
    Kind.LANGUAGES: "a menu of languages",
    Kind.CODE: "waits for a code",
    Kind.ENDING: "waits for the last digits",
    Kind.NEW_WORD: "waits for a new word",
    Kind.WORD: "waits for the check word",
    Kind.WITHDRAWAL: "destroys the report",
}


_KNOWN: Final[Mapping[Known, str]] = {
    Known.TOLD: "they have told it already",
    Known.LANGUAGE: "the language is known",
    Known.CONTACT: "a rule was chosen before",
    Known.CODE: "there is a code",
    Known.OWN_CODE: "nobody else knows the code",
    Known.GUARDED: "there is a check word, or nobody looks",
    Known.NOTHING_HEARD: "their words told nothing of it",
}


def _card(flow: Flow, phrases: Phrases, name: str, file: str) -> Card:
    step = flow.steps[name]
    passed = (f"passed over when {_KNOWN[step.unless]}",) if step.unless else ()
    once = ("asked once, and not again",) if step.asked == "once" else ()
    return Card(
        step=name,
        kind=_KINDS[step.kind],
        question=_words(phrases, flow.phrase(name)) if step.asks else "",
        notes=(*_does(step), *(f"says “{_words(phrases, phrase)}”" for phrase in _said(step)), *passed, *once),
        comes=tuple(_comes(flow, name, file)),
        rows=tuple(_rows(flow, phrases, step, file)),
    )


def _said(step: Step) -> tuple[str, ...]:
    return (*step.say, *filter(None, (step.give_code,)))


def _words(phrases: Phrases, phrase: str) -> str:
    text = phrases.catalogue[LANGUAGE][phrase].text(Mode.PLAIN)
    for name, sample in _SAMPLES.items():
        text = text.replace(f"{{{name}}}", sample)
    return text


def _spoken(name: str) -> str:
    return name.replace("_", " ")


_CONTACT: Final = {
    "never_first": "nobody writes first",
    "when_i_write": "an answer waits until they write",
    "hours": "an answer comes in these hours",
    "neutral": "an answer comes in neutral words",
}
# Everything that a step or a choice may do, with its sentence.
DOES: Final[tuple[tuple[str, Callable[[Doing], str]], ...]] = (
    ("alert", lambda doing: f"calls a human: {_spoken(doing.alert)}"),
    ("file", lambda _: "the report goes to the queue"),
    ("hand_over", lambda _: "connects a human"),
    ("erase", lambda _: "removes what it can of the chat"),
    ("confirm", lambda _: "what their words told is taken as the answer"),
    ("give_code", lambda _: "gives a return code"),
    ("read_answers", lambda _: "reads out the answers that wait"),
    ("mode", lambda doing: "neutral words from here on" if doing.mode == "discreet" else "plain words from here on"),
    ("contact", lambda doing: _CONTACT[doing.contact]),
    ("forget", lambda doing: f"open again: {', '.join(doing.forget)}"),
)


def _does(doing: Doing) -> Iterator[str]:
    return (say(doing) for field, say in DOES if getattr(doing, field))


_ENTRANCES: Final = (
    ("start", "the first message begins here"),
    ("returns", "whoever comes back begins here"),
    ("guard", "whoever comes back and has a check word begins here"),
    ("after", "for whoever had finished"),
    ("danger", "from anywhere: words of danger"),
    ("code", "from anywhere: a return code"),
    ("talked", "after a call with a human"),
    ("nobody", "when nobody could take the call"),
)


def _comes(flow: Flow, name: str, file: str) -> Iterator[str]:
    """What leads to a step from outside of the file's own answers."""
    main = flow.main
    yield from (words for field, words in _ENTRANCES if getattr(main, field) == name)
    yield from (f"from anywhere: key {key.key}" for key in main.keys if key.to == name)
    heard: list[str] = [each.signal for each in main.dangers if each.to == name]
    heard += [each.cue for each in main.cues if each.to == name]
    heard += [each.intent for each in main.meant if each.to == name and name != main.code]
    if heard:
        yield f"from anywhere: words that show {', '.join(map(_spoken, heard))}"
    others = {file_of(flow, other) for other in flow.steps if name in edges(flow, other)} - {file}
    if others:
        yield f"from {', '.join(sorted(others))}"


# Rows -------------------------------------------------------------------------------------------------------------

_OPENS: Final = {"found": "it opens", "lost": "it does not open"}
_SAID_OF: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.PASSAGE: {"next": "then"},
    Kind.LANGUAGES: {"next": "a language"},
    Kind.CODE: _OPENS,
    Kind.ENDING: {"found": "they are right", "lost": "they are wrong"},
    Kind.NEW_WORD: {"found": "it is kept", "lost": "it cannot be used"},
    Kind.WORD: {"found": "it is theirs", "lost": "it is not"},
    Kind.WITHDRAWAL: {"found": "at once", "lost": "when somebody has looked"},
}


def _rows(flow: Flow, phrases: Phrases, step: Step, file: str) -> Iterator[Row]:
    for choice in step.choices:
        yield Row(
            key=choice.key,
            label=_words(phrases, choice.label),
            target=_target(flow, choice.next, file),
            note=", ".join(_does(choice)),
        )
    for field, label in _SAID_OF.get(step.kind, {}).items():
        if getattr(step, field):
            yield Row(key="", label=label, target=_target(flow, getattr(step, field), file))
    if step.words:
        yield Row(key=WORDS, label="in own words", target=_target(flow, step.words, file))
    if step.skip:
        key, label = (_skip_key(flow), "skipped") if step.asks else ("", "passed over")
        yield Row(key=key, label=label, target=_target(flow, step.skip, file), skip=True)


def _skip_key(flow: Flow) -> str:
    return next((key.key for key in flow.main.keys if key.do == "skip"), "")


def _target(flow: Flow, target: str, file: str) -> Target:
    rests = {END: Leads.END, PARK: Leads.WAITS}
    if target in rests:
        return Target(leads=rests[target])
    step = target.removeprefix(RESUME)
    other = file_of(flow, step)
    if target.startswith(RESUME):
        return Target(leads=Leads.BACK, step=step, file="" if other == file else other)
    if other == file:
        return Target(leads=Leads.HERE, step=step)
    return Target(leads=Leads.ELSEWHERE, step=step, file=other)


_KEY_DOES: Final = {
    "park": "cannot talk now",
    "skip": "skips the question",
    "repeat": "says it again",
    "back": "back to the question before",
    "hush": "neutral words from here on",
}


def _always(flow: Flow, file: str) -> Iterator[Row]:
    """What works at every step: the keys, and what is heard in words."""
    main = flow.main
    for key in main.keys:
        target = {"go": key.to, "park": PARK}.get(key.do, "")
        label = _KEY_DOES.get(key.do, _spoken(key.id))
        yield Row(key=key.key, label=label, target=_target(flow, target, file) if target else Target(leads=Leads.BACK))
    yield Row(key=WORDS, label="words of danger", target=_target(flow, main.danger, file))
    yield Row(key=WORDS, label="a return code", target=_target(flow, main.code, file))
