"""What is said next: one event in, the conversation as it is afterwards and what we ask of the house out.

Two rules. It decides and does nothing: no clock, dice, storage or network, and time is an argument. And whatever a
person said in words becomes a `Keep` before anything else is decided, except a return code, which is never kept.
"""

from datetime import datetime

from dialogs import guarding, presence
from dialogs.arriving import is_away, note
from dialogs.conversation import CodeState, Conversation, Mode, Phase
from dialogs.events import (
    Alert,
    Chose,
    CodeChecked,
    Effect,
    Event,
    HandedBack,
    HungUp,
    Joined,
    Keep,
    Left,
    OpenCode,
    Said,
    Say,
    Shared,
    Silent,
    Started,
    Withdrawn,
    WordChecked,
    WordKept,
)
from dialogs.flow import PARK, RESUME, Choice, Flow, GlobalKey, Kind, Step, resolve
from dialogs.line import LineFacts
from dialogs.listening import (
    MORE,
    Digits,
    Heard,
    Picked,
    Pressed,
    Stray,
    Tongue,
    Words,
    hear,
    is_small_talk,
    is_story,
    press,
    sure,
)
from dialogs.noticing import by_cue, corrected, notice
from dialogs.walking import Turn, ask, come_back, do, enter, go, go_back, in_pace, interrupt, park, rest
from understanding.meaning import Meaning

_OPENING = "opening"  # label of words that answer no question: the first message,
_RETURNED = "returned"  # a message of somebody who was away,
_HUMAN = "human"  # and what is said while a staff member is writing


def advance(  # noqa: PLR0917 - the six things a turn depends on, in the order every caller knows
    flow: Flow,
    conversation: Conversation,
    event: Event,
    meaning: Meaning,
    now: datetime,
    line: LineFacts,
    *,
    urgent: bool = False,
) -> tuple[Conversation, tuple[Effect, ...]]:
    """Decide what follows from one event.

    `meaning` is that of the event's words (UNREAD for none); `now` is an aware time; `urgent` is triage's verdict that
    this event shows danger now. The last effect is an Ask or an End, unless nothing is to be said.
    """
    turn = Turn(
        flow=flow,
        line=line,
        meaning=meaning,
        conversation=note(conversation, event, meaning, now, line),
        away=is_away(flow, conversation, now),
        urgent=urgent,
    )
    if isinstance(event, HandedBack):  # a call is never left in silence
        turn = _handed_back(turn, event.talked)
    elif isinstance(event, WordChecked):
        turn = guarding.checked(turn, event.found)
    elif conversation.duress and not isinstance(event, Silent | HungUp):
        turn = guarding.while_forced(turn, event)
    else:
        turn = _while_human(turn, event) if conversation.human else _decide(turn, event)
    harmless = not urgent or guarding.is_word(event) or guarding.asks_vault(turn)
    return turn.conversation, turn.effects if harmless else _alerted(turn.effects)


def _decide(turn: Turn, event: Event) -> Turn:
    match event:
        case Started():
            return _start(turn)
        case Said(text=text):
            return _heard(turn, hear(text, turn.flow, turn.conversation, turn.line), text)
        case Chose(option=option):
            return _heard(turn, press(option, turn.flow, turn.line), "")
        case Shared(caption=caption):
            return _words(turn, caption, shared=True)
        case Silent(idle=True) | HungUp():
            return rest(turn, blocked=event.blocked if isinstance(event, HungUp) else False)
        case Silent():
            return _silent(turn)
        case _:
            return _told(turn, event)


def _told(turn: Turn, event: Event) -> Turn:
    """What the house answers, or tells us of itself."""
    match event:
        case CodeChecked():
            return _checked(turn, event)
        case Withdrawn(at_once=at_once):
            return _withdrawn(turn, at_once)
        case WordKept(kept=kept):
            return guarding.agreed(turn, kept=kept)
        case Joined():
            return presence.joined(turn)
        case _:
            return turn  # nobody had come who could leave; the others are answered in advance()


def _heard(turn: Turn, heard: Heard, text: str) -> Turn:
    match heard:
        case Words():
            return _words(turn, text)
        case Pressed(key=key):
            return _pressed(in_pace(turn, heard), key)
        case Picked(step=step, choice=choice):
            return _picked(turn, step, choice)
        case Tongue(tag=tag):
            return _tongue(turn, tag)
        case Digits(digits=digits):
            return _digits(turn, digits)
        case Stray():
            return _alarm(turn) or _start(turn)


# Around every decision --------------------------------------------------------------------------------------


def _while_human(turn: Turn, event: Event) -> Turn:
    """A staff member is writing: keep what is said and stay silent."""
    match event:
        case Said(text=text):
            heard = hear(text, turn.flow, turn.conversation, turn.line)
            if not isinstance(heard, Digits):
                turn = turn.but(kept=True).then(Keep(step=_HUMAN))
            turn = presence.pressed_meanwhile(turn, heard)
        case Shared():
            turn = turn.but(kept=True).then(Keep(step=_HUMAN))
        case Chose(option=option):
            heard = press(option, turn.flow, turn.line)
            turn = _keep_choice(turn, heard.step, heard.choice) if isinstance(heard, Picked) else turn
            turn = presence.pressed_meanwhile(turn, heard)
        case Left(quietly=quietly):
            turn = presence.left(turn, quietly=quietly)
        case Silent(idle=True) | HungUp():
            turn = rest(turn)
        case _:
            pass
    return turn


def _alerted(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    """Every sign of danger alerts, also when the number was said before; right behind what is kept."""
    if any(isinstance(effect, Alert) for effect in effects):
        return effects
    kept = next((at for at, effect in enumerate(effects) if not isinstance(effect, Keep)), len(effects))
    return (*effects[:kept], Alert(reason="danger"), *effects[kept:])


# One function for each thing that a person can mean ----------------------------------------------------------


def _start(turn: Turn) -> Turn:
    """Somebody is here and has said nothing: begin, ask again, or welcome them back."""
    if turn.conversation.phase is Phase.NEW:
        return enter(turn, turn.flow.main.start)
    if turn.step is None or (turn.away and not turn.at_safety):
        return come_back(turn)
    return ask(turn)


def _words(turn: Turn, text: str, *, shared: bool = False) -> Turn:
    if not shared and guarding.listens(turn, text):
        return guarding.heed(turn)
    small, before = not shared and is_small_talk(text, turn.meaning), turn.conversation
    turn = notice(_keep_words(turn, text, small=small))
    if shared:
        turn = turn.then(Say(phrase=turn.flow.main.shared))
    diverted = _alarm(turn) or by_cue(turn) or corrected(turn, before) or _by_intent(turn)
    if diverted:
        return diverted
    main, now, step = turn.flow.main, turn.conversation, turn.step
    if now.phase is Phase.NEW:
        return enter(turn, main.start)
    if now.phase is Phase.ENDED and now.filed and not (small or turn.away or guarding.waits(turn)):
        return enter(turn, turn.flow.steps[main.after].words)
    if step is None or small or (turn.away and turn.at_safety):
        return _start(turn)
    return _answer(turn, step, step.words or step.skip)


def _answer(turn: Turn, step: Step, target: str) -> Turn:
    """A question was answered or skipped; somebody who was away is first asked whether it is safe."""
    if turn.at_safety:
        return enter(turn.but(ask_safe=False), target)
    if turn.away:
        return come_back(turn, target)
    if step.kind is Kind.LANGUAGES and not turn.conversation.language and not turn.conversation.tries:
        return ask(turn.but(tries=1))
    if turn.conversation.step == turn.flow.main.ways and turn.flow.main.ways in turn.conversation.chosen:
        return go(turn, turn.flow.main.ways)
    return go(turn, target)


def _by_intent(turn: Turn) -> Turn | None:
    """Words that clearly mean a key, a choice of this step, or something that leads elsewhere from every step."""
    if not sure(turn.meaning):
        return None
    intent, main, step = turn.meaning.intent, turn.flow.main, turn.step
    key = next((key for key in main.keys if key.intent is intent), None)
    if key:
        return _pressed(turn, key)
    if step is None or turn.away:
        return None
    choice = next((choice for choice in step.choices if choice.intent is intent), None)
    if choice and turn.conversation.step != main.ways:
        return _picked(turn, turn.conversation.step, choice)
    meant = next((meant for meant in main.meant if meant.intent is intent), None)
    if meant and not turn.at_safety and turn.conversation.step != meant.to:
        return enter(interrupt(turn, turn.conversation.step), meant.to)
    return None


def _pressed(turn: Turn, key: GlobalKey) -> Turn:
    step = turn.step
    if key.do == "park":
        here = "" if step is None or turn.at_safety else turn.conversation.step
        return _alarm(turn) or park(interrupt(turn, here))
    if key.do == "go":
        if turn.flow.steps[key.to].alert:  # somebody will be called: there must be a case to call them to
            turn = turn.but(kept=True).then(Keep(step=_label(turn), choice=key.id))
        return _alarm(turn) or enter(_remember_place(turn, key.to), key.to, anyway=True)
    if key.do == "skip" and step is not None:
        return _alarm(turn) or _answer(turn, step, step.skip)
    if key.do == "hush":
        turn = turn.but(mode=Mode.DISCREET)
    if key.do == "back" and step is not None and not turn.away and not turn.at_safety:
        return _alarm(turn) or go_back(turn)
    return _alarm(turn) or _start(turn)


def _picked(turn: Turn, name: str, choice: Choice) -> Turn:
    """A choice of this step; or of an earlier one, which is noted without losing the place."""
    now, main, step = turn.conversation, turn.flow.main, turn.step
    current = step is not None and now.step == name
    if guarding.is_locked(turn, current=current) and choice.next not in {PARK, main.danger}:
        return _start(turn)  # a button that still stands in the chat is no check word
    turn = do(_keep_choice(turn, name, choice), choice)
    diverted = _alarm(turn)
    if diverted:
        return diverted
    if choice.next == PARK:
        return park(_after_parking(turn, name) if current else interrupt(turn, now.step if step else ""))
    if current and step is not None:
        return _answer(turn, step, choice.next)
    if name in {main.start, main.returns} and step is None and now.phase is not Phase.NEW:
        return enter(turn.but(ask_safe=False, step=name), choice.next)
    locked = turn.but(interrupted=guarding.waits(turn) or turn.conversation.interrupted)
    return enter(locked, choice.next) if choice.next == main.danger else _start(turn)


def _tongue(turn: Turn, tag: str) -> Turn:
    step = turn.step
    choosing = step is not None and step.kind is Kind.LANGUAGES and not turn.away
    if tag == MORE:
        return ask(turn.but(page=turn.conversation.page + 1)) if choosing else _start(turn)
    turn = turn.but(language=tag, language_chosen=True, page=0)
    return _alarm(turn) or (_answer(turn, step, step.next) if choosing and step else _start(turn))


def _digits(turn: Turn, digits: str) -> Turn:
    step = turn.step
    if step is not None and step.kind is Kind.ENDING and not turn.away:
        return turn.then(OpenCode(digits=digits, ending=True))
    unsafe = turn.conversation.ask_safe or turn.away or step is None
    code = turn.flow.main.code
    tries = turn.conversation.tries if turn.conversation.step == code else 0
    return turn.but(step=code, phase=Phase.ASKING, ask_safe=unsafe, tries=tries).then(OpenCode(digits=digits))


def _checked(turn: Turn, checked: CodeChecked) -> Turn:
    step, now = turn.step, turn.conversation
    if step is None or step.kind not in {Kind.CODE, Kind.ENDING}:
        return turn
    if not checked.found:
        tries = now.tries + 1
        return ask(turn.but(tries=tries)) if tries < step.tries else go(turn, step.lost)
    if step.kind is Kind.CODE:
        known = checked.known_to_staff
        turn = turn.but(code=CodeState.OPENED, waiting=checked.waiting, code_known_to_staff=known)
    elif now.code is CodeState.GIVEN:
        turn = turn.but(code=CodeState.CONFIRMED)
    else:  # the end of a code of their own, or of the new one that takes the place of one that staff knew
        turn = turn.but(code_known_to_staff=False)
    return go(turn.but(tries=0), step.found, proven=step.kind is Kind.CODE)


def _withdrawn(turn: Turn, at_once: bool) -> Turn:
    """The report is no more: whatever this person says next begins a new one."""
    step = turn.flow.steps.get(turn.conversation.step)
    if step is None or step.kind is not Kind.WITHDRAWAL:
        return turn
    turn = turn.but(chosen={}, told=False, kept=False, filed=False, contact_rule="", code=CodeState.NONE, waiting=0)
    return enter(turn.but(interrupted=()), step.found if at_once else step.lost)


def _handed_back(turn: Turn, talked: bool) -> Turn:
    """Whatever became of the connection, something is asked."""
    target = turn.flow.main.talked if talked else turn.flow.main.nobody
    return enter(turn, target) if target else _start(turn)


def _silent(turn: Turn) -> Turn:
    """A voice prompt timed out: repeat once, then offer, then let the person go in peace."""
    if turn.conversation.phase is not Phase.ASKING:
        return _start(turn) if turn.conversation.phase is Phase.NEW else turn
    count, phrases = turn.conversation.silences, turn.flow.main.silence
    if count < len(phrases):
        return ask(turn.but(silences=count + 1).then(Say(phrase=phrases[count])))
    return park(interrupt(turn, "" if turn.at_safety else turn.conversation.step))


# Parts of the above ------------------------------------------------------------------------------------------


def _alarm(turn: Turn) -> Turn | None:
    """Danger comes before everything: the number and a human at once, unless that was said a moment ago."""
    if not turn.urgent:
        return None
    if turn.conversation.danger_shown and turn.step is not None and not turn.away:
        return None
    main, signs = turn.flow.main, {evidence.signal for evidence in turn.meaning.signals}
    target = next((danger.to for danger in main.dangers if danger.signal in signs), main.danger)
    return enter(turn.but(ask_safe=False, interrupted=guarding.waits(turn)), target)


def _keep_words(turn: Turn, text: str, *, small: bool) -> Turn:
    now, step = turn.conversation, turn.step
    told = now.told or turn.urgent or is_story(text, turn.meaning) or bool(step and step.tells and not small)
    return _guess_way(turn.but(kept=True, told=told).then(Keep(step=_label(turn))))


def _label(turn: Turn) -> str:
    """The step that the person's act answers."""
    if turn.step is not None:
        return turn.conversation.step
    return _OPENING if turn.conversation.phase is Phase.NEW else _RETURNED


def _guess_way(turn: Turn) -> Turn:
    """The person may say what they want before we ask."""
    ways, now = turn.flow.main.ways, turn.conversation
    if ways in now.chosen or not sure(turn.meaning):
        return turn
    way = next((choice for choice in turn.flow.steps[ways].choices if choice.intent is turn.meaning.intent), None)
    return turn.but(chosen={**now.chosen, ways: way.id}) if way else turn


def _keep_choice(turn: Turn, name: str, choice: Choice) -> Turn:
    turn = turn.but(chosen={**turn.conversation.chosen, name: choice.id})
    if not (turn.flow.steps[name].keep and choice.keep):
        return turn
    return turn.but(kept=True).then(Keep(step=name, choice=choice.id))


def _after_parking(turn: Turn, name: str) -> Turn:
    """A question that was answered with "not now" is not asked again: the person will go on behind it."""
    onward, rest_of = resolve(turn.flow.steps[name].skip, turn.conversation.interrupted)
    return interrupt(turn.but(interrupted=rest_of), onward if onward in turn.flow.steps else "")


def _remember_place(turn: Turn, target: str) -> Turn:
    """Before a detour: where to go back to. A step that is itself a detour is nothing to go back to."""
    main, now, step = turn.flow.main, turn.conversation, turn.step
    if now.phase is Phase.NEW:
        return interrupt(turn, main.start)
    if step is None:
        return interrupt(turn, guarding.door(turn))
    if turn.at_safety:
        return interrupt(turn, now.step)
    if now.step != target and not step.skip.startswith(RESUME):
        turn = interrupt(turn, now.step)
    return interrupt(turn, guarding.door(turn)) if turn.away else turn
