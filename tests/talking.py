"""The bench of the dialogue tests: a person who says, presses and waits, and what was asked of the house in return."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from dialogs.checks import load_flow
from dialogs.conversation import Conversation, Phase
from dialogs.engine import advance
from dialogs.events import Ask, Effect, Event, Said, Say
from dialogs.lexicon import Lexicon
from dialogs.line import LineFacts
from understanding.meaning import UNREAD, Engine, Evidence, Intent, Meaning, Signal

E = TypeVar("E")
FLOW = load_flow()
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
CODE = "1234 5678 9012 3456"
STORY = "The owner of the farm keeps the papers of nine men and locks the barn at night"
LINE = LineFacts(
    name="Harborline",
    cover="Corner Laundry",
    emergency_number="112",
    languages=("en", "es", "fr", "ar", "hi", "zh"),
    default_language="en",
    lexicon=Lexicon.of(
        [
            ("en", "words.yes", "yes, ok"),
            ("en", "words.no", "no"),
            ("en", "words.skip", "skip"),
            ("en", "words.human", "operator"),
            ("en", "who.adult", "Another adult"),
            ("en", "language:es", "Español, spanish"),
            ("es", "words.yes", "sí"),
            ("hi", "words.yes", "हाँ"),
        ]
    ),
)


class Talk:
    """A conversation in a test: says, presses, waits; remembers the effects of the last turn. JSON between turns."""

    def __init__(self, line: LineFacts = LINE, **state: Any) -> None:
        self.line = line
        self.now = NOON
        self.state = Conversation().but(**state)
        self.effects: tuple[Effect, ...] = ()

    def does(self, event: Event, meaning: Meaning = UNREAD, *, urgent: bool = False) -> "Talk":
        self.state = Conversation.from_json(json.loads(json.dumps(self.state.to_json())))
        self.state, self.effects = advance(FLOW, self.state, event, meaning, self.now, self.line, urgent=urgent)
        return self

    def says(self, *texts: str, urgent: bool = False, meaning: Meaning = UNREAD) -> "Talk":
        for text in texts:
            self.does(Said(text=text), meaning, urgent=urgent)
        return self

    def later(self, hours: float) -> "Talk":
        self.now += timedelta(hours=hours)
        return self

    @property
    def asked(self) -> str:
        assert isinstance(self.effects[-1], Ask), self.effects
        return self.effects[-1].phrase

    @property
    def said(self) -> list[str]:
        return [effect.phrase for effect in self.effects if isinstance(effect, Say)]

    def of(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, kind)]


def at(step: str, **state: Any) -> Talk:
    """Somebody who was just asked this question, in English, safely."""
    known = {"language": "en", "ask_safe": False, "heard": "2026-01-15T12", **state}
    return Talk(LINE, step=step, phase=Phase.ASKING, **known)


def means(intent: Intent, confidence: float = 0.95, *signals: Signal) -> Meaning:
    found = tuple(Evidence(signal=signal, score=1.0) for signal in signals)
    return Meaning(intent=intent, confidence=confidence, signals=found, engine=Engine.RULES)


def speaks(language: str, confidence: float) -> Meaning:
    return Meaning(language=language, language_confidence=confidence, engine=Engine.RULES)
