"""What must hold between the steps of a flow, and between a flow and the phrases. Proofs only: nothing is changed."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from dialogs.facts import TELLS
from dialogs.flow import END, PARK, RESUME, Flow, Kind, Step, read_flow
from dialogs.line import CHANNELS
from dialogs.marked import BadFile

FLOWS = Path(__file__).parent / "flows"
_RESTS = {PARK, END}
_NEEDED = {
    Kind.QUESTION: ("words", "skip"),
    Kind.PASSAGE: ("next",),
    Kind.LANGUAGES: ("next", "words", "skip"),
    Kind.CODE: ("words", "skip", "again", "found", "lost"),
    Kind.ENDING: ("words", "skip", "again", "found", "lost"),
    Kind.NEW_WORD: ("secret", "next", "skip", "again"),
    Kind.WORD: ("skip", "again", "found", "lost"),
    Kind.WITHDRAWAL: ("found", "lost"),
}
HEARD = tuple(f"heard.{fact}.{value}" if value else f"heard.{fact}" for fact, value in TELLS)
"""Phrases for what a person's words can tell."""

_OPTIONAL = ("talked", "nobody", "noise", "guard", "duress")
_TARGETS = ("next", "words", "skip", "found", "lost")
_MOST_CHOICES = 4  # more cannot be remembered by ear


def load_flow(name: str = "intake", directory: Path = FLOWS, *, own: Path | None = None) -> Flow:
    """Read a flow and prove that it holds together; a file in the folder `own` stands for the built-in one.

    Raises BadFile with every problem as "file:line:column: ...".
    """
    flow = read_flow(directory, name, own)
    problems = [problem for check in _CHECKS for problem in check(flow)]
    if not problems:
        problems = [*_unreachable(flow), *_endless(flow), *_skips_in_circles(flow)]
    if problems:
        raise BadFile(problems)
    return flow


def phrases_of(flow: Flow) -> dict[str, str]:
    """Every phrase that a flow can say, with the place that asks for it."""
    main = flow.main
    found = {phrase: flow.where("", "silence") for phrase in main.silence}
    found |= {getattr(main, field): flow.where("", field) for field in ("parked", "shared", "corrected")}
    found |= {key.words: flow.where("", "keys", at, "words") for at, key in enumerate(main.keys)}
    found |= {key.slower: flow.where("", "keys", at, "slower") for at, key in enumerate(main.keys)}
    for name, step in flow.steps.items():
        found |= {phrase: flow.where(name, field) for field, phrase in _phrases_of_step(name, step)}
        for at, choice in enumerate(step.choices):
            found |= {phrase: flow.where(name, "choices", at) for phrase in (choice.label, choice.words, *choice.say)}
        if step.kind is Kind.LANGUAGES:
            found["label.more"] = flow.where(name)
    found.pop("", None)
    return found


def check_phrases(flow: Flow, keys: Collection[str]) -> list[str]:
    """One sentence for every phrase that the flow names and the catalogue does not have."""
    return [
        f"{place}: there is no phrase `{phrase}`: add it to locales/*/messages.po or correct the key"
        for phrase, place in phrases_of(flow).items()
        if phrase not in keys
    ]


def edges(flow: Flow, name: str) -> frozenset[str]:
    """The steps, `park` and `end`, to which a step can lead by an answer, a skip or by itself."""
    step = flow.steps[name]
    found = {getattr(step, field) for field in _TARGETS} | {choice.next for choice in step.choices}
    return frozenset(target.removeprefix(RESUME) for target in found if target)


def entries(flow: Flow) -> dict[str, str]:
    """The steps that are entered from outside of any step, with the place that says so."""
    main = flow.main
    found = {
        getattr(main, field): flow.where("", field)
        for field in ("start", "returns", "after", "danger", "ways", "language", "code")
    }
    found |= {to: flow.where("", field) for field in _OPTIONAL if (to := getattr(main, field))}
    for field in ("dangers", "cues"):
        found |= {item.to: flow.where("", field, at, "to") for at, item in enumerate(getattr(main, field))}
    found |= {key.to: flow.where("", "keys", at, "to") for at, key in enumerate(main.keys) if key.to}
    return found | {meant.to: flow.where("", "meant", at, "to") for at, meant in enumerate(main.meant)}


def _phrases_of_step(name: str, step: Step) -> Iterator[tuple[str, str]]:
    if step.asks:
        yield "ask", step.ask or name
    for field in ("again", "passed", "give_code", "read_answers"):
        yield field, getattr(step, field)
    for phrase in step.say:
        yield "say", phrase
    if step.lists_facts:
        for phrase in HEARD:
            yield "lists_facts", phrase
    for family in step.once:
        for channel in CHANNELS:
            yield "once", f"{family}.{channel}"


def _missing_targets(flow: Flow) -> Iterator[str]:
    for target, place in entries(flow).items():
        if target not in flow.steps:
            yield f"{place}: there is no step `{target}`: write it or correct the name"
    for name, step in flow.steps.items():
        named = [((field,), getattr(step, field)) for field in _TARGETS]
        paths: list[tuple[tuple[str | int, ...], str]] = [
            *named,
            *((("choices", at, "next"), choice.next) for at, choice in enumerate(step.choices)),
            *((("forget", at), forgotten) for at, forgotten in enumerate(step.forget)),
        ]
        for path, target in paths:
            bare = target.removeprefix(RESUME)
            if bare and bare not in flow.steps and bare not in _RESTS:
                yield f"{flow.where(name, *path)}: there is no step `{bare}`: write it or correct the name"


def _incomplete_steps(flow: Flow) -> Iterator[str]:
    for name, step in flow.steps.items():
        for field in _NEEDED[step.kind]:
            if not getattr(step, field):
                why = " (every question can be skipped)" if field == "skip" else ""
                yield f"{flow.where(name)}: `{name}` is a {step.kind} and needs `{field}`{why}"
        if step.choices and step.kind is not Kind.QUESTION:
            yield f"{flow.where(name, 'choices')}: only a question has choices: remove them or the `kind`"
        if step.asked == "once" and not step.asks:
            yield f"{flow.where(name, 'asked')}: a {step.kind} asks nothing: remove `asked`"
        if step.unless and not step.skip:
            yield f"{flow.where(name, 'unless')}: `{name}` can be passed over and needs `skip`, where that leads"


def _confusing_choices(flow: Flow) -> Iterator[str]:
    taken = {key.key for key in flow.main.keys}
    for name, step in flow.steps.items():
        if len(step.choices) > _MOST_CHOICES:
            yield f"{flow.where(name, 'choices')}: at most {_MOST_CHOICES} choices can be remembered by ear"
        for field in ("id", "key"):
            seen: set[str] = set()
            for at, choice in enumerate(step.choices):
                value = getattr(choice, field)
                if value in seen:
                    yield f"{flow.where(name, 'choices', at, field)}: `{value}` is used twice in this step"
                if field == "key" and value in taken:
                    yield f"{flow.where(name, 'choices', at, field)}: {value} works at every step: use another digit"
                seen.add(value)


def _wrong_kinds(flow: Flow) -> Iterator[str]:
    """Named steps have the kind that the engine expects of them."""
    main = flow.main
    for field, kind in (("language", Kind.LANGUAGES), ("code", Kind.CODE), ("ways", Kind.QUESTION)):
        step = flow.steps.get(getattr(main, field))
        if step and step.kind is not kind:
            yield f"{flow.where('', field)}: `{getattr(main, field)}` must be a step of kind {kind}"
    ways = flow.steps.get(main.ways)
    if ways and ways.choice(main.fallback_way) is None:
        yield f"{flow.where('', 'fallback_way')}: `{main.ways}` has no choice `{main.fallback_way}`"
    for at, key in enumerate(main.keys):
        if (key.do == "go") != bool(key.to):
            yield f"{flow.where('', 'keys', at)}: a key that goes needs `to`, and no other key may have it"


_CHECKS: tuple[Callable[[Flow], Iterator[str]], ...] = (
    _missing_targets,
    _incomplete_steps,
    _confusing_choices,
    _wrong_kinds,
)


def _unreachable(flow: Flow) -> Iterator[str]:
    seen: set[str] = set()
    waiting = list(entries(flow))
    while waiting:
        name = waiting.pop()
        if name not in seen and name not in _RESTS:
            seen.add(name)
            waiting.extend(edges(flow, name))
    for name in flow.steps:
        if name not in seen:
            yield f"{flow.where(name)}: nothing leads to `{name}`: lead there or remove it"


def _endless(flow: Flow) -> Iterator[str]:
    """From every step some answer must lead to an end."""
    ending: set[str] = set(_RESTS)
    while True:
        more = {name for name in flow.steps if name not in ending and edges(flow, name) & ending}
        if not more:
            break
        ending |= more
    for name in flow.steps:
        if name not in ending:
            yield f"{flow.where(name)}: no answer to `{name}` ever leads to an end"


def _skips_in_circles(flow: Flow) -> Iterator[str]:
    """Whoever only skips must come to an end."""
    for name in flow.steps:
        seen = [name]
        while (onward := _by_skipping(flow, seen[-1])) not in _RESTS:
            if onward in seen:
                yield f"{flow.where(name, 'skip')}: skipping from `{name}` goes round in a circle at `{onward}`"
                break
            seen.append(onward)


def _by_skipping(flow: Flow, name: str) -> str:
    step = flow.steps[name]
    onward = {Kind.PASSAGE: step.next, Kind.WITHDRAWAL: step.found}.get(step.kind, step.skip)
    return onward.removeprefix(RESUME)
