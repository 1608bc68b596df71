"""A member of staff comes and goes: what the person is told of it, and what a key still does while staff write.

Pure, like all of this room. What is kept meanwhile is in engine.py; whether staff may write at all is for the house.
"""

from dialogs.conversation import Mode, Phase
from dialogs.events import End, Say
from dialogs.listening import Heard, Pressed
from dialogs.walking import Turn, ask, interrupt, park, rest

HERE = "live.here"
GONE = "live.gone"


def joined(turn: Turn) -> Turn:
    """From now on staff write and we are silent. Said once: a colleague who takes over is not announced."""
    return turn if turn.conversation.human else turn.but(human=True).then(Say(phrase=HERE))


def left(turn: Turn, *, quietly: bool) -> Turn:
    """We are back, and ask again what waited. `quietly`: the person is not there either, so nothing is said now."""
    if not turn.conversation.human:
        return turn
    turn = turn.but(human=False)
    if quietly:
        return rest(turn)
    turn = turn.then(Say(phrase=GONE))
    return ask(turn) if turn.step is not None else turn.then(End())


def pressed_meanwhile(turn: Turn, heard: Heard) -> Turn:
    """Two keys work also while staff write, for they keep a person safe: not now, and harmless words."""
    match heard:
        case Pressed(key=key) if key.do == "park":
            here = "" if turn.step is None or turn.at_safety else turn.conversation.step
            return park(interrupt(turn.but(human=False), here))
        case Pressed(key=key) if key.do == "hush":
            return turn.but(mode=Mode.DISCREET)
        case _:
            return turn


def may_be_joined(phase: Phase) -> bool:
    """Somebody who cannot talk now, or has fallen silent, is not written to as if they were there."""
    return phase in {Phase.ASKING, Phase.ENDED}
