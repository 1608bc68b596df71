"""What is proven of a whole flow, with numbers: where it can go, that it ends, and that it always answers.

Two kinds of proof. The steps as a map: every walk through it is counted. And the engine itself, played: from every
situation it can come to, every answer that a person may give. Nothing is read, written or changed.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from dialogs.checks import edges, entries
from dialogs.conversation import Conversation, Mode, Phase
from dialogs.engine import advance
from dialogs.events import (
    Ask,
    CheckWord,
    CodeChecked,
    Effect,
    End,
    Event,
    GiveCode,
    HandedBack,
    HungUp,
    KeepWord,
    OpenCode,
    ReadAnswers,
    Said,
    Say,
    Secret,
    Shared,
    Silent,
    Started,
    Withdraw,
    Withdrawn,
    WordChecked,
    WordKept,
)
from dialogs.flow import END, PARK, RESUME, Flow, Kind
from dialogs.line import LineFacts
from dialogs.rehearsal import FIRST_MOMENT
from understanding.meaning import UNREAD, Cue, Evidence, Meaning, Mention

_RESTS: Final = frozenset({PARK, END})
_WORDS: Final = "somewhere near the river"  # says nothing that a key, a choice or a pattern would hear
_SKIP: Final = "skip"
_SPOKEN: Final = (Say, Ask, GiveCode, ReadAnswers)
# What the vault may answer to what it is asked.
_REPLIES: Final[Mapping[type[Effect], tuple[Event, ...]]] = {
    OpenCode: (
        CodeChecked(found=True),
        CodeChecked(found=True, waiting=1, known_to_staff=True),
        CodeChecked(found=False),
    ),
    Withdraw: (Withdrawn(at_once=True), Withdrawn(at_once=False)),
    KeepWord: (WordKept(kept=True), WordKept(kept=False)),
    CheckWord: tuple(WordChecked(found=found) for found in (None, *Secret)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Walks:
    """The map of the steps. `walks`: ways from the start to an end that come to no step twice, counted by answers."""

    steps: int
    answers: int
    walks: int
    ways: int  # the same without telling answers apart that lead to the same step
    longest: int  # steps of the longest walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The engine, played. `silent`: steps and events in which an answer was met by nothing, which must be none."""

    situations: int
    turns: int
    steps: int  # at which it stood at least once
    most_skips: int  # presses of the skip key until the end, from the worst place
    silent: tuple[tuple[str, str], ...]
    stuck: tuple[str, ...]  # steps from which skipping alone does not end
    unvisited: tuple[str, ...]  # steps that ask and that no play came to
    said: tuple[tuple[Effect, ...], ...] = field(repr=False)  # every different answer: what is sent at once


def count_walks(flow: Flow) -> Walks:
    """Every walk from any entrance of the flow; `resume or X` is taken as X, the walk that nothing interrupted."""
    leads = {name: _answers(flow, name) for name in flow.steps}
    walks = ways = longest = 0
    for entrance in sorted(entries(flow)):
        todo: list[tuple[str, frozenset[str], int]] = [(entrance, frozenset({entrance}), 1)]
        while todo:
            name, seen, answers = todo.pop()
            for target, count in leads[name].items():
                if target in _RESTS:
                    walks, ways, longest = walks + answers * count, ways + 1, max(longest, len(seen))
                elif target not in seen:
                    todo.append((target, seen | {target}, answers * count))
    return Walks(
        steps=len(flow.steps), answers=sum(sum(targets.values()) for targets in leads.values()), walks=walks, ways=ways,
        longest=longest,
    )  # fmt: skip


def play_all(flow: Flow, line: LineFacts) -> Played:
    """Play every answer in every situation that the engine can come to from a first message, in both modes.

    Two situations are one when they differ in nothing but what was said and chosen before. What words may mean beside
    their being words is played once at every step.
    """
    seen = {_situation(flow, start): start for start in (Conversation(mode=mode) for mode in Mode)}
    waiting, turns, met = deque(seen.values()), 0, set[tuple[str, str]]()
    silent: dict[tuple[str, str], None] = {}
    said: dict[str, tuple[Effect, ...]] = {}
    while waiting:
        now = waiting.popleft()
        acts = [*_acts(flow, now), *(() if (now.phase, now.step) in met else _meanings(flow))]
        met.add((now.phase, now.step))
        for act in acts:
            turns += 1
            for after, effects in _outcomes(flow, now, act, line):
                spoken = tuple(effect for effect in effects if isinstance(effect, _SPOKEN))
                said[repr(spoken)] = spoken
                if not _answered(now, act.event, effects):
                    silent[now.step, type(act.event).__name__] = None
                if _situation(flow, after) not in seen:
                    seen[_situation(flow, after)] = after
                    waiting.append(after)
    stood = {now.step for now in seen.values()}
    places = {(now.phase, now.step, bool(now.interrupted), now.guarded): now for now in seen.values()}
    skips = {place: _skips(flow, now, line) for place, now in places.items()}
    return Played(
        situations=len(seen),
        turns=turns,
        steps=len(stood & set(flow.steps)),
        most_skips=max(count or 0 for count in skips.values()),
        silent=tuple(silent),
        stuck=tuple(dict.fromkeys(step for (_, step, *_), count in skips.items() if count is None)),
        said=tuple(filter(None, said.values())),
        unvisited=tuple(name for name, step in flow.steps.items() if step.asks and name not in stood),
    )


def _answers(flow: Flow, name: str) -> Mapping[str, int]:
    """Where a step leads, with how many different answers."""
    step = flow.steps[name]
    targets = [choice.next for choice in step.choices]
    targets += [getattr(step, field) for field in ("next", "words", "skip", "found", "lost")]
    bare = [target.removeprefix(RESUME) for target in targets if target]
    return {target: bare.count(target) for target in sorted(edges(flow, name))}


_Situation = tuple[object, ...]


def _situation(flow: Flow, now: Conversation) -> _Situation:
    """What decides how the engine goes on, without the history of what was said and chosen.

    A question that rests is the same as one that was just asked; the mode matters where nobody has agreed on a word,
    and what the words told where it is read back.
    """
    step = flow.steps.get(now.step)
    phase = Phase.ASKING if now.phase is Phase.RESTED else now.phase
    guarded = now.guarded or now.mode is Mode.PLAIN
    return (
        phase,
        now.step,
        now.code,
        now.ask_safe,
        bool(now.interrupted),
        now.tries > 0,
        now.human,
        guarded,
        now.duress,
        frozenset(now.facts) if step and step.lists_facts else (),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """Something a person does, and what it means."""

    event: Event
    meaning: Meaning = UNREAD
    urgent: bool = False
    later: timedelta = timedelta()


def _acts(flow: Flow, now: Conversation) -> Iterator[_Act]:
    """Every kind of answer that can be given here: words, keys, choices, digits, a picture, silence, an end."""
    for event in (Said(text=_WORDS), Shared(), Started(), Silent(), Silent(idle=True), HungUp()):
        yield _Act(event=event)
    yield from (_Act(event=Said(text=key.key)) for key in flow.main.keys)
    step = flow.steps.get(now.step)
    if step is None or now.phase not in {Phase.ASKING, Phase.RESTED}:
        return
    yield from (_Act(event=Said(text=choice.key)) for choice in step.choices)
    if step.kind is Kind.LANGUAGES:
        yield _Act(event=Said(text="1"))
    if step.kind in {Kind.CODE, Kind.ENDING}:
        yield _Act(event=Said(text="1234"))


def _meanings(flow: Flow) -> Iterator[_Act]:
    """The same words when they mean something: danger, an intent, a fact, a doubt; or when they come hours later."""
    main, words = flow.main, Said(text=_WORDS)
    heard = [each.intent for each in main.keys] + [each.intent for each in main.meant]
    intents = {intent for intent in (*heard, *(c.intent for c in flow.steps[main.ways].choices)) if intent}
    facts = {step.fact: next((choice.id for choice in step.choices), "") for step in flow.steps.values() if step.fact}
    yield _Act(event=words, urgent=True)
    yield _Act(event=words, later=timedelta(hours=main.away_hours))
    for signal in sorted({each.signal for each in main.dangers}):
        yield _Act(event=words, urgent=True, meaning=Meaning(signals=(Evidence(signal=signal, score=1.0),)))
    for intent in sorted(intents):
        yield _Act(event=words, meaning=Meaning(intent=intent, confidence=0.95))
    for cue in sorted(Cue):
        yield _Act(event=words, meaning=Meaning(cues=frozenset({cue})))
    for fact, value in facts.items():
        yield _Act(event=words, meaning=Meaning(mentions=(Mention(fact=fact, value=value),)))
    yield from (_Act(event=HandedBack(talked=talked)) for talked in (True, False))


def _outcomes(
    flow: Flow, now: Conversation, act: _Act, line: LineFacts
) -> Iterator[tuple[Conversation, tuple[Effect, ...]]]:
    """What follows; where the vault is asked for something, what follows from each of its answers."""
    moment = FIRST_MOMENT + act.later
    after, effects = advance(flow, now, act.event, act.meaning, moment, line, urgent=act.urgent)
    replies = next((_REPLIES[type(effect)] for effect in effects if type(effect) in _REPLIES), ())
    if not replies:
        yield after, effects
    for reply in replies:
        for later, more in _outcomes(flow, after, replace(act, event=reply), line):
            yield later, (*effects, *more)


def _answered(now: Conversation, event: Event, effects: tuple[Effect, ...]) -> bool:
    """A person gets a question or an end; only silence, and words to somebody who is there, may be met by nothing."""
    if isinstance(event, Silent | HungUp) or now.human:
        return True
    return any(isinstance(effect, Ask | End) for effect in effects)


def _skips(flow: Flow, now: Conversation, line: LineFacts) -> int | None:
    """How often the skip key must be pressed until the conversation rests; None when it never does."""
    skip = _Act(event=Said(text=next((key.key for key in flow.main.keys if key.do == _SKIP), "")))
    for count in range(2 * len(flow.steps)):
        if now.phase in {Phase.ENDED, Phase.PARKED} or now.human:
            return count
        now, _ = next(_outcomes(flow, now, skip, line))
    return None
