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


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A signal, how sure the engine is (0 to 1), and the words that fired it ("" when none can be named)."""

    signal: Signal
    score: float
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

    @property
    def read(self) -> bool:
        """True when some engine has read the message."""
        return self.engine is not Engine.NONE


UNREAD = Meaning()
