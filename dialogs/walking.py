"""Walking through a flow: entering a step, doing what it says, asking its question, resting.

What an event means is decided in engine.py; here is only what follows once a target is known. Pure, like all of this
room: every function takes a turn and returns the turn as it is afterwards.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from dialogs.conversation import CodeState, Conversation, Mode, Phase
from dialogs.events import (
    Alert,
    Ask,
    Effect,
    End,
    Erase,
    File,
    GiveCode,
    HandOver,
    Keep,
    Option,
    ReadAnswers,
    Say,
    SetContactRule,
    Withdraw,
)
from dialogs.flow import END, PARK, Doing, Flow, Kind, Known, Step, resolve
from dialogs.line import LineFacts
from dialogs.listening import MORE, Pressed, languages_on_page
from understanding.meaning import Fact, Meaning

_LONGEST_TRAIL = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn while it is being decided. `away`: the person comes back after a silence; `urgent`: danger was seen."""

    flow: Flow
    line: LineFacts
    meaning: Meaning
    conversation: Conversation
    away: bool
    urgent: bool
    effects: tuple[Effect, ...] = ()

    def but(self, **changes: Any) -> "Turn":
        """The turn with some fields of its conversation changed."""
        return replace(self, conversation=self.conversation.but(**changes))

    def then(self, *effects: Effect) -> "Turn":
        """The turn with more effects."""
        return replace(self, effects=(*self.effects, *effects))

    @property
    def step(self) -> Step | None:
        """The question that waits for an answer, also after a silence; None when nothing was asked."""
        waiting = self.conversation.phase in {Phase.ASKING, Phase.RESTED}
        return self.flow.steps.get(self.conversation.step) if waiting else None

    @property
    def at_safety(self) -> bool:
        """The last question was whether it is safe, or for the check word."""
        main = self.flow.main
        return bool(self.conversation.step) and self.conversation.step in {main.start, main.returns, main.guard}


def enter(turn: Turn, target: str, *, anyway: bool = False) -> Turn:
    """Go to a target and on through passages and known answers until something is asked or the conversation rests.

    `anyway`: ask the first step even if its answer is known, because the person wants to change it.
    """
    for _ in range(2 * len(turn.flow.steps)):  # checks.py proves that it ends; a flow may change in between
        name, interrupted = resolve(target, turn.conversation.interrupted)
        turn = turn.but(interrupted=interrupted)
        if name in _RESTS:
            return _RESTS[name](turn)
        name = name if name in turn.flow.steps else turn.flow.main.ways
        step = turn.flow.steps[name]
        turn = _presume_way(turn, name)
        onward = "" if anyway else _onward(turn, name, step)
        anyway = False
        if onward:
            turn = _pass(turn, name, step)
            target = onward
            continue
        turn = do(_arrive(turn, name), step)
        if step.kind is Kind.WITHDRAWAL:
            return turn.then(Withdraw())
        if step.kind is not Kind.PASSAGE:
            for family in step.once:
                turn = _say_once(turn, f"{family}.{turn.line.channel}")
            return ask(turn)
        target = step.next
    return _end(turn)


def go(turn: Turn, target: str, *, proven: bool = False) -> Turn:
    """Enter a target, but ask first whether it is safe if nobody has answered that yet. `proven`: it is them."""
    turn = known(turn) if proven else turn
    main, now = turn.flow.main, turn.conversation
    name, _ = resolve(target, now.interrupted)
    if not now.ask_safe or turn.at_safety or name in {PARK, END, main.start, main.returns}:
        return enter(turn, target)
    return come_back(turn, target, proven=proven)


def come_back(turn: Turn, target: str = "", *, proven: bool = False) -> Turn:
    """Somebody is here again: ask whether it is safe, then go on at `target`, or where they were.

    Whoever has agreed on a word is asked for it, unless their return code has just shown that it is them (`proven`).
    """
    main, now = turn.flow.main, turn.conversation
    if target:
        name, rest = resolve(target, now.interrupted)
        turn = interrupt(turn.but(interrupted=rest), main.after if name in _RESTS else name)
    elif now.phase is Phase.ENDED:
        turn = interrupt(turn, main.after) if now.filed or now.code is not CodeState.NONE else turn
    elif now.phase is not Phase.PARKED and not turn.at_safety:
        turn = interrupt(turn, now.step)
    return enter(
        turn.but(ask_safe=True, danger_shown=False), main.guard if now.guarded and not proven else main.returns
    )


def known(turn: Turn) -> Turn:
    """It is them: no check word is asked for any more."""
    return turn.but(interrupted=tuple(s for s in turn.conversation.interrupted if s != turn.flow.main.guard))


def interrupt(turn: Turn, step: str) -> Turn:
    """Remember a step to go back to."""
    others = tuple(name for name in turn.conversation.interrupted if name != step)
    return turn.but(interrupted=(*others, step)) if step else turn


def ask(turn: Turn) -> Turn:
    """Ask the current step's question, perhaps once more."""
    name = turn.conversation.step
    step = turn.flow.steps[name]
    phrase = step.again if step.again and turn.conversation.tries else turn.flow.phrase(name)
    question = Ask(
        phrase=phrase,
        also=_also(turn, step),
        options=_options(turn, name, step),
        code=step.kind in {Kind.CODE, Kind.ENDING},
        lists={"facts": told(turn.conversation)} if step.lists_facts else {},
    )
    return _leave_trail(turn, name, step).but(phase=Phase.ASKING).then(question)


def _also(turn: Turn, step: Step) -> tuple[str, ...]:
    """In which languages a person is asked for theirs, beside the one the line speaks to them. One voice speaks one."""
    if step.kind is not Kind.LANGUAGES or turn.line.channel == "voice":
        return ()
    spoken = turn.line.language_of(turn.conversation)
    return tuple(tag for tag in turn.conversation.likely if tag != spoken)


def told(conversation: Conversation) -> tuple[str, ...]:
    """The phrases that say what the person's words told."""
    return tuple(
        f"heard.{fact}.{value}" if value else f"heard.{fact}"
        for fact in Fact
        if (value := conversation.facts.get(fact)) is not None
    )


def _leave_trail(turn: Turn, name: str, step: Step) -> Turn:
    """Remember this question, for whoever wants to go back to it."""
    trail = turn.conversation.trail
    if step.kind not in {Kind.QUESTION, Kind.LANGUAGES} or turn.at_safety or (trail and trail[-1] == name):
        return turn
    return turn.but(trail=(*trail, name)[-_LONGEST_TRAIL:])


def go_back(turn: Turn) -> Turn:
    """Ask the question before the one that waits; the same again when there is none."""
    *before, last = turn.conversation.trail or ("",)
    earlier = before if last == turn.conversation.step else [*before, last]
    target = next((name for name in reversed(earlier) if name in turn.flow.steps), "")
    if not target:
        return ask(turn)
    return enter(turn.but(trail=tuple(earlier[: earlier.index(target)])), target, anyway=True)


def in_pace(turn: Turn, pressed: Pressed) -> Turn:
    """Whoever asks for the same again, and once more, did not follow: from now on it is said slowly."""
    if pressed.key.do != "repeat":
        return turn
    step = turn.conversation.step
    return turn.but(again=step, slow=turn.conversation.slow or pressed.slowly or turn.conversation.again == step)


def park(turn: Turn) -> Turn:
    """One neutral sentence, unless a passage that leads here has just said its own; all is kept, and waits."""
    now, step = turn.conversation, turn.flow.steps.get(turn.conversation.step)
    last = turn.effects[-1] if turn.effects else None
    own = step is not None and step.next == PARK and isinstance(last, Say) and last.phrase in step.say
    goodbye = () if own else (Say(phrase=turn.flow.main.parked),)
    turn = _file(turn, Doing()) if now.told or now.way else turn  # a mere greeting can wait until it rests
    return turn.but(phase=Phase.PARKED).then(*goodbye, End())


def rest(turn: Turn, *, blocked: bool = False) -> Turn:
    """Nothing more is heard: file what was said, say nothing. `blocked`: as if they had said that they cannot talk."""
    turn = _file(turn, Doing())
    if blocked and turn.conversation.phase is not Phase.NEW:
        return turn.but(phase=Phase.PARKED)
    return turn.but(phase=Phase.RESTED) if turn.conversation.phase is Phase.ASKING else turn


def do(turn: Turn, doing: Doing) -> Turn:
    """What a step does when it is reached, or a choice when it is taken."""
    for name, act in _DOES.items():
        if getattr(doing, name):
            turn = act(turn, doing)
    return turn


def _end(turn: Turn) -> Turn:
    unsaid = tuple(step for step in turn.conversation.interrupted if step == turn.flow.main.guard)
    return turn.but(phase=Phase.ENDED, interrupted=unsaid).then(End())


_RESTS: dict[str, Callable[[Turn], Turn]] = {PARK: park, END: _end}


def _arrive(turn: Turn, name: str) -> Turn:
    now, main = turn.conversation, turn.flow.main
    return turn.but(
        step=name,
        tries=now.tries if now.step == name else 0,
        danger_shown=now.danger_shown or name in {main.danger, *(danger.to for danger in main.dangers)},
    )


def _presume_way(turn: Turn, name: str) -> Turn:
    """A story that does not say whose it is goes the fallback way."""
    main, now = turn.flow.main, turn.conversation
    if name != main.ways or not now.told or name in now.chosen:
        return turn
    return turn.but(chosen={**now.chosen, name: main.fallback_way})


def _onward(turn: Turn, name: str, step: Step) -> str:
    """Where a step leads whose answer is already known; "" when it has to be asked."""
    if step.unless and _KNOWN[step.unless](turn):
        return step.skip
    now = turn.conversation
    if step.fact is not None and step.fact in now.facts:
        heard = step.choice(now.facts[step.fact])
        return heard.next if heard else step.words
    known = step.choice(now.chosen.get(name, "")) if step.asked == "once" else None
    return known.next if known else ""


def _is_guarded(turn: Turn) -> bool:
    """There is a word, or nobody is said to look at the phone, or it is a call: speech is not heard exactly enough."""
    return turn.conversation.guarded or turn.conversation.mode is Mode.PLAIN or turn.line.channel == "voice"


_KNOWN: dict[Known, Callable[[Turn], bool]] = {
    Known.TOLD: lambda turn: turn.conversation.told,
    Known.LANGUAGE: lambda turn: bool(turn.conversation.language) or len(turn.line.languages) == 1,
    Known.CONTACT: lambda turn: bool(turn.conversation.contact_rule),
    Known.CODE: lambda turn: turn.conversation.code is not CodeState.NONE,
    Known.GUARDED: _is_guarded,
    Known.NOTHING_HEARD: lambda turn: turn.conversation.facts_confirmed or not _saves_a_question(turn),
    Known.OWN_CODE: lambda turn: not turn.conversation.code_known_to_staff,
}


def _saves_a_question(turn: Turn) -> bool:
    """Something was told that a step asks for; papers and wages are only read back along with it."""
    return any(step.fact in turn.conversation.facts for step in turn.flow.steps.values() if step.fact)


def _pass(turn: Turn, name: str, step: Step) -> Turn:
    """A step is passed over: what is said then, and what its known answer would have said."""
    now = turn.conversation
    known = step.choice(now.facts.get(step.fact, "") if step.fact else now.chosen.get(name, ""))
    return _say_all_once(turn, (step.passed, *(known.say if known and step.fact else ())))


def _say_all_once(turn: Turn, phrases: Iterable[str]) -> Turn:
    for phrase in phrases:
        turn = _say_once(turn, phrase)
    return turn


def _say_once(turn: Turn, phrase: str) -> Turn:
    if not phrase or phrase in turn.conversation.said:
        return turn
    return turn.but(said=(*turn.conversation.said, phrase)).then(Say(phrase=phrase))


def _options(turn: Turn, name: str, step: Step) -> tuple[Option, ...]:
    if step.kind is not Kind.LANGUAGES:
        return tuple(Option(id=f"{name}:{c.id}", key=c.key, label=c.label) for c in step.choices)
    pairs = languages_on_page(turn.flow, turn.conversation, turn.line)
    return tuple(
        Option(id=f"{name}:{tag}", key=key, label="label.more" if tag == MORE else f"language:{tag}")
        for key, tag in pairs
    )


# What a step or a choice does, in this order -----------------------------------------------------------------


def _alert(turn: Turn, doing: Doing) -> Turn:
    return turn.but(ask_safe=False).then(Alert(reason=doing.alert))


def _mode(turn: Turn, doing: Doing) -> Turn:
    return turn.but(mode=Mode(doing.mode))


def _forget(turn: Turn, doing: Doing) -> Turn:
    now, steps = turn.conversation, turn.flow.steps
    kept = {step: choice for step, choice in now.chosen.items() if step not in doing.forget}
    open_again = {steps[name].fact for name in doing.forget}
    return turn.but(chosen=kept, facts={fact: value for fact, value in now.facts.items() if fact not in open_again})


def _confirm(turn: Turn, _: Doing) -> Turn:
    """Every fact that the person's words told, and a step asks for, is now as good as chosen there."""
    turn = turn.but(facts_confirmed=True)
    for name, step in turn.flow.steps.items():
        heard = step.choice(turn.conversation.facts.get(step.fact, "")) if step.fact else None
        if heard:
            turn = turn.but(chosen={**turn.conversation.chosen, name: heard.id}, kept=True)
            turn = turn.then(Keep(step=name, choice=heard.id))
            turn = _say_all_once(turn, heard.say)
    return turn


def _contact(turn: Turn, doing: Doing) -> Turn:
    return turn.but(contact_rule=doing.contact).then(SetContactRule(rule=doing.contact, hours=doing.hours))


def _erase(turn: Turn, _: Doing) -> Turn:
    return turn.then(Erase())


def _file(turn: Turn, _: Doing) -> Turn:
    now = turn.conversation
    return turn.but(filed=True).then(File(way=now.way)) if now.kept and not now.filed else turn


def _hand_over(turn: Turn, _: Doing) -> Turn:
    return turn.then(HandOver())


def _give_code(turn: Turn, doing: Doing) -> Turn:
    opened = turn.conversation.code is CodeState.OPENED  # whoever opened a code goes on as such with their new one
    return turn.but(code=CodeState.OPENED if opened else CodeState.GIVEN).then(GiveCode(phrase=doing.give_code))


def _read_answers(turn: Turn, doing: Doing) -> Turn:
    if not turn.conversation.waiting:
        return turn.then(Say(phrase=doing.read_answers))
    return turn.but(waiting=0).then(ReadAnswers())


def _say(turn: Turn, doing: Doing) -> Turn:
    new = tuple(phrase for phrase in doing.say if phrase not in turn.conversation.said)  # once is enough, if it may be
    return turn.but(said=(*turn.conversation.said, *new)).then(*(Say(phrase=phrase) for phrase in doing.say))


_DOES: dict[str, Callable[[Turn, Doing], Turn]] = {
    "alert": _alert,
    "mode": _mode,
    "forget": _forget,
    "confirm": _confirm,
    "contact": _contact,
    "file": _file,
    "erase": _erase,
    "hand_over": _hand_over,
    "give_code": _give_code,
    "read_answers": _read_answers,
    "say": _say,
}
