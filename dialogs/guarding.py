"""Agreed words: one that shows that it is the person, and one with which they say unseen that somebody forces them.

Pure, and it never sees a word: the turn compares, and tells which it was. Whoever says the duress word sees nothing
but a calm sentence, then and until the check word; the case is marked, and somebody looks for them.
"""

from dataclasses import replace

from dialogs.conversation import Conversation, Mode
from dialogs.events import Alert, CheckWord, Event, Keep, KeepWord, Said, Secret, Shared, WordChecked, WordKept
from dialogs.flow import Flow, Kind
from dialogs.lexicon import weight
from dialogs.listening import Digits, hear
from dialogs.walking import Turn, ask, come_back, enter, interrupt, known
from understanding.meaning import Cue

FORCED = "duress"  # label of the act, and reason of the alert
_LONGEST_WORD = 40  # letters: more than that is something to tell


def listens(turn: Turn, text: str) -> bool:
    """Words said now are an agreed word, or meant as one: the vault is asked before anything is kept.

    A whole sentence is no word to agree on, and neither are words of danger: they are heard as what they say.
    """
    if turn.step is None or turn.away:
        return False
    if turn.step.kind is Kind.NEW_WORD:
        return not turn.urgent and weight(text) <= _LONGEST_WORD
    return turn.step.kind is Kind.WORD


def asks_vault(turn: Turn) -> bool:
    """Whether what was said is an agreed word is not known yet."""
    return bool(turn.effects) and isinstance(turn.effects[-1], CheckWord)


def door(turn: Turn) -> str:
    """The step through which somebody comes back who was away."""
    return turn.flow.main.guard if turn.conversation.guarded else turn.flow.main.returns


def waits(turn: Turn) -> tuple[str, ...]:
    """The step of the check word, if whoever is here has yet to say it: danger or a call for a human come before it."""
    unsaid = turn.conversation.guarded and (turn.away or owes_word(turn.flow, turn.conversation))
    return (turn.flow.main.guard,) if unsaid else ()


def owes_word(flow: Flow, now: Conversation) -> bool:
    """The check word was asked and is not said yet."""
    return now.guarded and (now.step == flow.main.guard or flow.main.guard in now.interrupted)


def is_doubtful(flow: Flow, now: Conversation) -> bool:
    """It may be somebody else: whoever is back has not said yet that it is safe, or the check word, or has asked who
    we are. Nothing that staff write is sent meanwhile."""
    asked = {flow.steps[cued.to].next for cued in flow.main.cues if cued.cue is Cue.WHO_IS_THIS}
    back = now.ask_safe and now.step == flow.main.returns
    return back or owes_word(flow, now) or now.step in asked


def may_be_read_here(flow: Flow, now: Conversation) -> bool:
    """What was held may go to this phone: it was said that it is safe, since they were away or in danger."""
    dangers = (flow.main.danger, *(danger.to for danger in flow.main.dangers))
    asked = {flow.steps[to].next for to in dangers}
    return not (now.ask_safe or now.duress or is_doubtful(flow, now) or now.step in asked)


def is_locked(turn: Turn, *, current: bool) -> bool:
    """A choice counts for nothing before the check word, unless it answers the question that was just asked."""
    return bool(waits(turn)) and not (current and not turn.away)


def is_word(event: Event) -> bool:
    """The event is an agreed word: then it is nothing else, and says no danger. A duress word alerts by itself."""
    return (isinstance(event, WordChecked) and event.found is not None) or (isinstance(event, WordKept) and event.kept)


def heed(turn: Turn) -> Turn:
    """Ask the vault about the words."""
    step = turn.step
    if step is not None and step.kind is Kind.NEW_WORD and step.secret is not None:
        return turn.then(KeepWord(secret=step.secret))
    return turn.then(CheckWord())


def while_forced(turn: Turn, event: Event) -> Turn:
    """The duress word was said: only the check word changes anything; the same calm sentence for all else."""
    if isinstance(event, Said):
        code = isinstance(hear(event.text, turn.flow, turn.conversation, turn.line), Digits)  # which is never kept
        return enter(turn, turn.flow.main.duress) if code else turn.then(CheckWord())
    if isinstance(event, Shared):
        turn = turn.but(kept=True).then(Keep(step=FORCED))
    return enter(turn, turn.flow.main.duress)


def agreed(turn: Turn, *, kept: bool) -> Turn:
    """A word was proposed: go on, or ask for another one."""
    step = turn.step
    if step is None or step.kind is not Kind.NEW_WORD:
        return turn
    if kept:
        return enter(turn.but(guarded=True, tries=0), step.next)
    tries = turn.conversation.tries + 1
    return ask(turn.but(tries=tries)) if tries < step.tries else enter(turn, step.skip)


def checked(turn: Turn, found: Secret | None) -> Turn:
    """Which word it was that somebody said."""
    match found:
        case Secret.DURESS:
            return _forced(turn)
        case Secret.CHECK if turn.conversation.duress:
            back = turn.flow.main.after if turn.conversation.filed else ""
            return enter(interrupt(turn.but(duress=False, ask_safe=True), back), turn.flow.main.returns)
        case Secret.CHECK:
            return _welcome(known(turn))
        case None:
            return _unknown(turn)


def _welcome(turn: Turn) -> Turn:
    """It is them: on to where they were, or the same question again when nobody had asked for the word."""
    step = turn.step
    if step is not None and step.kind is not Kind.WORD and not turn.away:
        return ask(turn)
    if step is None or step.kind is not Kind.WORD:
        turn = replace(come_back(turn), effects=turn.effects)
    return enter(turn.but(tries=0, ask_safe=False), turn.flow.steps[turn.flow.main.guard].found)


def _forced(turn: Turn) -> Turn:
    """Nothing visible but what anybody would see; unseen, everything that can be done."""
    label = turn.conversation.step if turn.step is not None else FORCED
    turn = turn.but(duress=True, human=False, mode=Mode.DISCREET, kept=True, danger_shown=True, interrupted=())
    return enter(turn.then(Keep(step=label, choice=FORCED), Alert(reason=FORCED)), turn.flow.main.duress)


def _unknown(turn: Turn) -> Turn:
    """Not an agreed word: what was said is kept all the same, for it may be somebody who forgot theirs."""
    now, step = turn.conversation, turn.step
    if now.duress:
        turn = turn.but(kept=True).then(Keep(step=FORCED))
        return enter(turn, turn.flow.main.duress)
    if step is None or step.kind is not Kind.WORD:
        return turn
    if turn.urgent:  # danger comes before everything, also before the word
        turn = turn.but(kept=True, ask_safe=False, interrupted=waits(turn)).then(Keep(step=now.step))
        return enter(turn, turn.flow.main.danger)
    turn = turn.but(kept=True, tries=now.tries + 1).then(Keep(step=now.step))
    return ask(turn) if turn.conversation.tries < step.tries else enter(turn, step.lost)
