"""What a message means: values only. No model, no storage, no identity; every room may import this."""

from dataclasses import dataclass, field
from enum import StrEnum


class Intent(StrEnum):
    """What a person wants with this message."""

    HELP_SELF = "help_self"
    REPORT = "report"
    QUESTION = "question"
    ANSWER = "answer"  # where, when, who, "I don't know": says nothing without the question before it
    HAVE_CODE = "have_code"
    CANNOT_TALK = "cannot_talk"
    ERASE = "erase"
    YES = "yes"
    NO = "no"
    SKIP = "skip"
    HUMAN = "human"
    GREETING = "greeting"
    THANKS = "thanks"
    NOISE = "noise"  # wrong number, advert, test
    UNKNOWN = "unknown"


class Signal(StrEnum):
    """Signs of danger and of exploitation (domain.md, sections 1 and 2)."""

    VIOLENCE_NOW = "violence_now"
    WEAPON = "weapon"
    LOCKED_IN = "locked_in"
    MEDICAL = "medical"
    SELF_HARM = "self_harm"
    CHILD = "child"
    MISSING = "missing"
    MOVING_SOON = "moving_soon"
    THREAT = "threat"
    DOCUMENTS_KEPT = "documents_kept"
    UNPAID = "unpaid"
    DEBT = "debt"
    ISOLATION = "isolation"
    DECEPTION = "deception"
    OVERWORK = "overwork"
    SEXUAL_EXPLOITATION = "sexual_exploitation"
    DOMESTIC_SERVITUDE = "domestic_servitude"
    RECRUITMENT = "recruitment"
    THIRD_PARTY = "third_party"


class Engine(StrEnum):
    """Which engine read the message; NONE means that nobody did."""

    EMBEDDED = "embedded"
    RASA = "rasa"
    RULES = "rules"
    NONE = "none"


class Fact(StrEnum):
    """What a report is asked for, and what a person may have said before it was asked."""

    WHERE = "where"
    WHEN = "when"
    WHO = "who"
    STILL = "still"
    PAPERS = "papers"
    WAGES = "wages"


class Cue(StrEnum):
    """What a message is besides its content: who seems to hold the phone, and how earnest they are."""

    CORRECTION = "correction"  # takes back an earlier answer
    WHO_IS_THIS = "who_is_this"  # somebody who does not know the line, perhaps an abuser holding the phone
    PRESS = "press"  # a journalist, a thesis
    WHAT_IS_KEPT = "what_is_kept"  # asks what we store and who sees it
    JOKE = "joke"  # never where there is a sign of danger or of exploitation


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A signal, how sure the engine is (0 to 1), and the words that fired it ("" when none can be named)."""

    signal: Signal
    score: float
    words: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A fact that a text states of itself.

    `value`: an id of the choices of dialogs/flows/facts.yml (when: today, week, earlier; who: me, adult, minor,
    several; still: yes, no); where: ""; papers: "kept"; wages: "unpaid". `words`: those that fired.
    """

    fact: Fact
    value: str = ""
    words: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one message means, as far as an engine could tell.

    `language` is a tag of locales/ or None; `candidates` are the likeliest tags, best first.
    `danger` is the calibrated probability (0 to 1) that life or liberty is at stake now; `concern` the same
    for continuing exploitation. `engine` NONE means unread: triage treats that as urgent until a human has read it.
    """

    language: str | None = None
    language_confidence: float = 0.0
    candidates: tuple[str, ...] = ()
    transliterated: bool = False
    intent: Intent = Intent.UNKNOWN
    confidence: float = 0.0
    signals: tuple[Evidence, ...] = ()
    danger: float = 0.0
    concern: float = 0.0
    engine: Engine = Engine.NONE
    mentions: tuple[Mention, ...] = ()
    cues: frozenset[Cue] = frozenset()

    @property
    def read(self) -> bool:
        """True when some engine has read the message."""
        return self.engine is not Engine.NONE


UNREAD = Meaning()
