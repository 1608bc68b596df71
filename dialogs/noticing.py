"""What words tell beside what was asked: facts that need not be asked any more, corrections, and who seems to write.

Pure. What a message means is found out in the understanding room; here is only what follows from it.
"""

from collections.abc import Mapping

from dialogs.conversation import Conversation, Phase
from dialogs.events import Say
from dialogs.flow import Flow
from dialogs.guarding import waits
from dialogs.listening import sure
from dialogs.walking import Turn, ask, come_back, enter, interrupt
from understanding.meaning import Cue, Fact, Intent, Meaning

_PATIENCE = 2  # jokes or adverts, after which we say goodbye


def notice(turn: Turn) -> Turn:
    """Remember which facts these words tell, and whether they are in earnest.

    What was told or chosen before is changed only by words that correct it.
    """
    now, meaning = turn.conversation, turn.meaning
    noisy = Cue.JOKE in meaning.cues or (meaning.intent is Intent.NOISE and sure(meaning))
    corrects = Cue.CORRECTION in meaning.cues or (turn.step is not None and turn.step.lists_facts)
    known = _known(turn.flow, now)
    new = {m.fact: m.value for m in meaning.mentions if corrects or m.fact not in known}
    return turn.but(
        noise=now.noise + 1 if noisy else 0, facts={**now.facts, **new}, chosen=_chosen_anew(turn.flow, now, new)
    )


def is_asked_by_a_stranger(meaning: Meaning, sure: float) -> bool:
    """Whoever asks who we are may hold somebody else's phone: a score below `sure` shows no danger there. What triage
    makes of it stands: people are called."""
    return Cue.WHO_IS_THIS in meaning.cues and not meaning.signals and meaning.danger < sure


def corrected(turn: Turn, before: Conversation) -> Turn | None:
    """These words took back an earlier answer: say so, and ask what was asked once more."""
    step = turn.step
    if Cue.CORRECTION not in turn.meaning.cues or step is None or step.lists_facts or turn.at_safety or turn.away:
        return None
    known = _known(turn.flow, before)
    others = [mention for mention in turn.meaning.mentions if mention.fact in known and mention.fact is not step.fact]
    # Of a place we know only that it was told: told again as a correction, it is another one.
    changed = any(not mention.value or mention.value != known[mention.fact] for mention in others)
    # Tuesday is as much this week as yesterday was: nothing changes here, and still it answers no other question.
    beside = bool(others) and all(mention.fact is not step.fact for mention in turn.meaning.mentions)
    phrase = turn.flow.main.corrected
    return ask(turn.then(Say(phrase=phrase))) if (changed or beside) and phrase else None


def by_cue(turn: Turn) -> Turn | None:
    """Somebody who does not know this number, a journalist, a joker, a lawyer: each has a considered way."""
    now, main = turn.conversation, turn.flow.main
    if turn.meaning.signals or turn.urgent:
        return None
    for cued in main.cues:
        begins = cued.cue is Cue.WHO_IS_THIS and now.phase is Phase.NEW  # they wrote first: we say who we are
        if cued.cue not in turn.meaning.cues or begins:
            continue
        if cued.cue is Cue.WHAT_IS_KEPT and (now.ask_safe or turn.away or waits(turn)):
            return _once_safe(turn, cued.to)
        here = interrupt(turn, _place(turn, cued.cue))
        return enter(interrupt(here, "".join(waits(turn))), cued.to)  # the check word is not forgotten behind it
    if main.noise and now.noise >= _PATIENCE and not (now.told or now.filed):
        return enter(turn.but(noise=0), main.noise)
    return None


def _once_safe(turn: Turn, target: str) -> Turn:
    """Nothing is told before it is known who holds the phone: it waits behind the question whether it is safe."""
    now, main = turn.conversation, turn.flow.main
    if now.phase is Phase.NEW:
        return enter(interrupt(interrupt(turn, main.ways), target), main.start)
    if turn.at_safety and turn.step is not None:
        return ask(interrupt(turn if now.interrupted else interrupt(turn, main.ways), target))
    return come_back(interrupt(turn, _place(turn, Cue.WHAT_IS_KEPT)), target)


def _place(turn: Turn, cue: Cue) -> str:
    """Where to go on afterwards: the question that waits; whoever had finished is not taken through it all again."""
    now = turn.conversation
    if turn.step is not None:
        return "" if turn.at_safety else now.step
    finished = now.phase is Phase.ENDED and now.filed
    return turn.flow.main.after if finished and cue is Cue.WHAT_IS_KEPT else ""


def _known(flow: Flow, now: Conversation) -> dict[Fact, str]:
    """What was told or chosen of each fact; a choice counts more."""
    chosen = {step.fact: now.chosen[name] for name, step in flow.steps.items() if step.fact and name in now.chosen}
    return {Fact(fact): value for fact, value in now.facts.items()} | chosen


def _chosen_anew(flow: Flow, now: Conversation, new: Mapping[Fact, str]) -> Mapping[str, str]:
    """Answers that were chosen follow the correction."""
    anew = {
        name: new[step.fact]
        for name, step in flow.steps.items()
        if step.fact and step.fact in new and name in now.chosen and step.choice(new[step.fact])
    }
    return {**now.chosen, **anew}
