"""The rules of triage as tables: what a sign, an answer or an intent asks for, and how staff read it.

Data only; assess.py applies it. To add a rule, add a row and its sentence here, and a line to tests/test_triage.py.
A sign that is weak by itself has a weight; weights add up over the whole conversation. Levels: domain.md, section 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from triage.levels import Level
from understanding.meaning import Intent, Signal

_E, _H, _S, _I = Level.EMERGENCY, Level.HIGH, Level.STANDARD, Level.INFORMATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row: the level it asks for, its weight as a weak sign, and whether it means that a life is at risk.

    `say` is the sentence staff read beside the level.
    """

    name: str
    level: Level
    say: str
    weight: int = 0
    life: bool = False


def _rule(name: str, level: Level, say: str, *, weight: int = 0, life: bool = False) -> Rule:
    return Rule(name=name, level=level, say=say, weight=weight, life=life)


_ALL = (
    # Life or liberty at stake now
    _rule("violence_now", _E, "Violence is happening or about to happen.", life=True),
    _rule("weapon", _E, "A weapon is mentioned.", life=True),
    _rule("medical", _E, "Someone needs medical help.", life=True),
    _rule("self_harm", _E, "The person may be thinking of suicide or of harming themselves.", life=True),
    _rule("duress", _E, "They gave the word that means: somebody forces me.", life=True),
    _rule("missing", _E, "Someone was just taken or is missing.", life=True),
    _rule("moving_soon", _E, "People are about to be moved, or the controller is coming back."),
    _rule("danger", _E, "There is danger now, by the person's own answer or words."),
    _rule("may_be_in_danger", _E, "The person is not sure whether they are in danger."),
    _rule("help_watched", _E, "The person wants help and is being watched."),
    _rule("locked_in_threat", _E, "Locked in, and threatened."),
    _rule("locked_in_watched", _E, "Locked in, and watched."),
    _rule("locked_in_child", _E, "A child is locked in or kept from leaving."),
    _rule("child_threat", _E, "A child is involved and there are threats."),
    _rule("child_sexual", _E, "A child may be sexually exploited."),
    _rule("model_danger", _E, "The words resemble messages from people in danger."),
    _rule("danger_repeated", _E, "Several messages came close to an emergency."),
    _rule("flow_alert", _E, "The conversation asked for a person at once."),
    # Exploitation, control or threat that continues
    _rule("locked_in", _H, "Someone is locked in or cannot leave."),
    _rule("threat", _H, "There are threats."),
    _rule("child", _H, "A child is involved."),
    _rule("sexual_exploitation", _H, "Signs of sexual exploitation."),
    _rule("asks_for_help", _H, "The person asks for help for themselves."),
    _rule("asked_for_human", _H, "The person asked to be connected with a person."),
    _rule("model_near_danger", _H, "The words come close to messages from people in danger."),
    _rule("model_concern", _H, "The words resemble messages about continuing exploitation."),
    _rule("weak_signs", _H, "Several signs, each weak alone, add up."),
    _rule("repeated", _H, "The same sign came back in several messages."),
    _rule("not_read", _H, "Nothing could read this message. It is urgent until a person has."),
    _rule("language_unknown", _H, "The language was not recognised. It is urgent until a person has read it."),
    # Indicators and tips
    _rule("documents_kept", _S, "Papers are kept from someone.", weight=1),
    _rule("unpaid", _S, "Wages are not paid.", weight=1),
    _rule("debt", _S, "A debt has to be worked off.", weight=1),
    _rule("isolation", _S, "Someone is kept away from other people.", weight=1),
    _rule("deception", _S, "Someone was deceived about the work or the place.", weight=1),
    _rule("overwork", _S, "Working hours are excessive.", weight=1),
    _rule("domestic_servitude", _S, "Someone may be held as a servant in a home.", weight=2),
    _rule("recruitment", _S, "Recruitment or an advert looks suspicious.", weight=1),
    _rule("third_party", _S, "The person writes about somebody else."),
    _rule("still_going_on", _S, "It is still going on.", weight=1),
    _rule("watched", _S, "Someone is watching the person or their phone.", weight=2),
    _rule("cannot_talk", _S, "The person cannot talk now.", weight=2),
    _rule("wants_help", _S, "The words ask for help.", weight=2),
    _rule("wants_human", _S, "The person asked to speak with a person.", weight=1),
    _rule("report", _S, "The person wants to report something."),
    _rule("not_classified", _S, "The message was read, but not understood well enough to sort."),
    # Nothing that needs a hurry
    _rule("question", _I, "A question."),
    _rule("no_concern", _I, "Nothing in it points to danger or exploitation."),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _ALL})

REASONS: Mapping[str, str] = MappingProxyType({rule.name: rule.say for rule in _ALL})
"""Rule name -> the sentence staff read. The console shows it beside the words that fired the rule."""

SIGNALS: Mapping[Signal, str] = MappingProxyType({signal: signal.value for signal in Signal})
"""Every signal has the rule of its own name."""

INTENTS: Mapping[Intent, str] = MappingProxyType(
    {
        Intent.HELP_SELF: "wants_help",
        Intent.REPORT: "report",
        Intent.QUESTION: "question",
        Intent.ANSWER: "no_concern",
        Intent.HAVE_CODE: "no_concern",
        Intent.CANNOT_TALK: "cannot_talk",
        Intent.ERASE: "no_concern",
        Intent.YES: "no_concern",
        Intent.NO: "no_concern",
        Intent.SKIP: "no_concern",
        Intent.HUMAN: "wants_human",
        Intent.GREETING: "no_concern",
        Intent.THANKS: "no_concern",
        Intent.NOISE: "no_concern",
        Intent.UNKNOWN: "not_classified",
    }
)
"""What an intent asks for: at most standard, because one intent alone is too thin a thread to page on."""

ANSWERS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("safe", "not_now"): "cannot_talk",
        ("safe", "watched"): "watched",
        ("again.safe", "not_now"): "cannot_talk",
        ("again.safe", "watched"): "watched",
        ("way", "help"): "asks_for_help",
        ("way", "report"): "report",
        ("way", "question"): "question",
        ("help.danger", "yes"): "danger",
        ("help.danger", "not_sure"): "may_be_in_danger",
        ("danger.safe", "no"): "cannot_talk",
        ("danger.safe", "neutral"): "watched",
        ("facts.who", "minor"): "child",
        ("facts.still", "yes"): "still_going_on",
    }
)
"""(step, choice) of a flow -> rule. A choice that is not here asks for nothing."""

COMBINATIONS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"asks_for_help", "watched"}), "help_watched"),
    (frozenset({"locked_in", "threat"}), "locked_in_threat"),
    (frozenset({"locked_in", "watched"}), "locked_in_watched"),
    (frozenset({"locked_in", "child"}), "locked_in_child"),
    (frozenset({"child", "threat"}), "child_threat"),
    (frozenset({"child", "sexual_exploitation"}), "child_sexual"),
)
"""Signs that mean more together than apart, whichever message each came in."""

UNREAD_RULES = frozenset({"not_read", "language_unknown"})
EXPECTED_TO_REPEAT = frozenset({"report", "question", "no_concern", "third_party", "not_classified"})
"""Rules whose return says nothing: people say thank you often."""
