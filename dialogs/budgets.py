"""How many SMS segments a line pays for what it says, and the budgets it must keep.

Measuring only; how a segment is counted is an argument, since alphabets and providers belong to the channels.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dialogs.conversation import Conversation, Mode, Phase
from dialogs.discreet import PLACEHOLDER
from dialogs.events import Effect
from dialogs.flow import Flow
from dialogs.line import LineFacts
from dialogs.phrases import NO_TWIN, SAMPLE, Phrases
from dialogs.rehearsal import Rehearsal
from dialogs.walking import Turn, ask
from understanding.meaning import UNREAD

Segments = Callable[[str], int]

FIRST: Final = 1  # the question whether it is safe: whoever has one minute reads one message
USUAL: Final = 2  # every other question, with its choices
MOST: Final = 3  # with all that is said once before it
_OTHER_CHANNELS: Final = (".voice", ".telegram")
_ALOUD: Final = "voice."


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one text costs. `what` is the key of a phrase, or the name of a step that asks."""

    what: str
    language: str
    mode: Mode
    segments: int


def phrase_costs(flow: Flow, phrases: Phrases, line: LineFacts, segments: Segments) -> tuple[Cost, ...]:
    """Every phrase that a person can get by SMS, in every language and both modes, with sample values.

    Without what is only said on other channels or to our own people, and without labels, which come with a question.
    """
    values = {**SAMPLE, **line.values}
    labels = {choice.label for step in flow.steps.values() for choice in step.choices} | {"label.more"}
    return tuple(
        Cost(what=key, language=tag, mode=mode, segments=segments(_filled(text, values)))
        for tag in phrases.languages
        for key, phrase in sorted(phrases.catalogue[tag].items())
        if key not in labels and not key.startswith((*NO_TWIN, _ALOUD)) and not key.endswith(_OTHER_CHANNELS)
        for mode in Mode
        if (text := phrase.discreet if mode is Mode.DISCREET else phrase.plain)
    )


def question_costs(flow: Flow, phrases: Phrases, line: LineFacts, segments: Segments) -> tuple[Cost, ...]:
    """Every question with its choices, as it goes out by SMS, without what is said once before it."""
    return tuple(
        Cost(what=step, language=tag, mode=mode, segments=segments(question(flow, phrases, line, step, tag, mode)))
        for tag in phrases.languages
        for mode in Mode
        for step in _asking(flow)
    )


def answer_costs(
    said: Iterable[tuple[Effect, ...]], flow: Flow, phrases: Phrases, line: LineFacts, segments: Segments
) -> tuple[Cost, ...]:
    """Whole answers: everything that is sent at once, with all that is said before a question. `what` is empty."""
    found = []
    for tag in phrases.languages:
        for mode in Mode:
            rehearsal = Rehearsal(flow=flow, phrases=phrases, line=line.on("sms"))
            rehearsal = rehearsal.at(Conversation(language=tag, mode=mode))
            texts = {rehearsal.render(effects) for effects in said}
            found += [Cost(what="", language=tag, mode=mode, segments=segments(text)) for text in sorted(texts)]
    return tuple(found)


def share(costs: Sequence[Cost], most: int) -> str:
    """How many of these fit so many segments: "82 %"."""
    return f"{100 * sum(cost.segments <= most for cost in costs) // max(1, len(costs))} %"


def question(  # noqa: PLR0917 - what a question depends on, from the outside in
    flow: Flow, phrases: Phrases, line: LineFacts, step: str, tag: str, mode: Mode
) -> str:
    """A question with its choices, as it goes out by SMS."""
    rehearsal = Rehearsal(flow=flow, phrases=phrases, line=line.on("sms"))
    conversation = Conversation(phase=Phase.ASKING, step=step, language=tag, mode=mode)
    turn = Turn(flow=flow, line=rehearsal.line, meaning=UNREAD, conversation=conversation, away=False, urgent=False)
    return rehearsal.at(conversation).render(ask(turn).effects)


def over_budget(flow: Flow, phrases: Phrases, line: LineFacts, segments: Segments) -> list[str]:
    """One sentence for every question that is longer than its budget, with the place that asks it."""
    return [
        f"{flow.where(step)}: `{step}` takes {size} segments in {tag} ({mode}) {what}, at most {most} fit: shorten "
        f"its words in {_place(phrases, flow, step, tag, mode)}"
        for tag in phrases.languages
        for mode in Mode
        for step in _asking(flow)
        for what, most, text in _measured(flow, phrases, line, step, tag, mode)
        if (size := segments(text)) > most
    ]


def summary(costs: Sequence[Cost]) -> Mapping[tuple[str, Mode], tuple[int, int, int, int]]:
    """By language and mode: how many texts, how many fit one segment, how many two, and the longest."""
    found = {}
    for key in dict.fromkeys((cost.language, cost.mode) for cost in costs):
        sizes = [cost.segments for cost in costs if (cost.language, cost.mode) == key]
        found[key] = (len(sizes), sum(s <= 1 for s in sizes), sum(s <= USUAL for s in sizes), max(sizes))
    return found


def _measured(  # noqa: PLR0917 - the same six
    flow: Flow, phrases: Phrases, line: LineFacts, step: str, tag: str, mode: Mode
) -> Iterator[tuple[str, int, str]]:
    asked = question(flow, phrases, line, step, tag, mode)
    first = step in {flow.main.start, flow.main.returns}
    yield "with its choices", FIRST if first else USUAL, asked
    before = [phrases.text(f"{family}.sms", tag, mode, line.values) for family in flow.steps[step].once]
    if before:
        yield "with what is said before it", MOST, "\n".join([*before, asked])


def _asking(flow: Flow) -> Iterator[str]:
    return (name for name, step in flow.steps.items() if step.asks)


def _place(phrases: Phrases, flow: Flow, step: str, tag: str, mode: Mode) -> str:
    phrase = phrases.catalogue[tag][flow.phrase(step)]
    return phrase.twin_at if mode is Mode.DISCREET else phrase.at


def _filled(text: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: values.get(found[1], ""), text)
