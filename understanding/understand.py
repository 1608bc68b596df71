"""The door of the room: a text in, a Meaning out, in time. Combines surface, embedding, heads and language.

What the embedding process cannot read in time is read by n-grams and patterns alone, and the Meaning says so. Stores
nothing, knows nobody, never raises on content.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from understanding.child import Reading
from understanding.embedded import Embedded
from understanding.examples import LOCALES, all_words
from understanding.heads import HEADS_FILE, Heads, Scores
from understanding.language import Guess, Votes, identify
from understanding.meaning import Engine, Evidence, Intent, Meaning, Signal
from understanding.mentions import mentions_in
from understanding.phrasebook import read_mentions
from understanding.romanised import native
from understanding.surface import Patterns, Surface, surface
from understanding.text import clean, windows

SIGNAL_SHOWN = 0.4
"""A signal is reported at this probability, or when a pattern fired."""
PATTERN_SCORE = 0.5
"""The least score of a signal whose words were found: a head may raise it and never lowers it."""
INTENT_KNOWN = 0.3
"""Below this probability the intent is UNKNOWN."""
_IN_THREAD = 4  # windows; more are looked at outside the event loop


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    text: str
    surface: Surface
    scores: Scores
    read: bool  # by the embedding, not by the surface alone

    def score(self, signal: Signal) -> float:
        """How sure a signal is. Words that were found count, whatever a head makes of them."""
        score = self.scores.signals.get(signal, PATTERN_SCORE)
        return max(score, PATTERN_SCORE) if signal in self.surface.words else score


class Understanding:
    """What a message means. Make one per process: `start`, then `understand` as often as wanted, then `stop`.

    `understand` never raises on content and never takes much longer than its budget. `Meaning.engine` says how it was
    read: EMBEDDED, every part of it; RULES, at least one part by n-grams and patterns only (the child was late, down
    or restarting): act on it now, and read it again with a larger budget (5 s) from a job.
    """

    def __init__(self, *, embedded: Embedded | None = None, heads: Path = HEADS_FILE, locales: Path = LOCALES) -> None:
        """Reads heads, patterns and phrasebooks. Raises HeadsError, TrainingWordsError, MentionWordsError."""
        self._heads = Heads.load(heads)
        self._patterns = Patterns(all_words(locales))
        self._mentions = read_mentions(locales)
        self._embedded = embedded or Embedded()

    @property
    def ready(self) -> bool:
        """True while the embedding process is up."""
        return self._embedded.ready

    @property
    def degraded(self) -> bool:
        """True while messages are read by n-grams and patterns only."""
        return not self._embedded.ready

    @property
    def starts(self) -> int:
        """How often the embedding process was started; more than once means that it died."""
        return self._embedded.starts

    async def start(self) -> None:
        """Start the embedding process; returns when it is ready or its first start has failed (then `degraded`)."""
        await self._embedded.start()

    async def stop(self) -> None:
        """End the embedding process."""
        await self._embedded.stop()

    async def understand(
        self, text: str, *, languages: tuple[str, ...], hint: str | None = None, budget: float = 0.3
    ) -> Meaning:
        """Read one message.

        languages: the line's own, as tags of locales/; hint: the language the person chose, if any;
        budget: seconds until the answer is needed.
        """
        deadline = asyncio.get_running_loop().time() + budget
        pieces = windows(clean(text))
        if len(pieces) > _IN_THREAD:
            seen = await asyncio.to_thread(self._looked_at, pieces)
        else:
            seen = self._looked_at(pieces)
        if not seen:
            return Meaning(engine=Engine.EMBEDDED if self.ready else Engine.RULES)
        first = await self._embedded.read(seen[0].text, language=True, deadline=deadline)
        guess = _language(seen[0], first, languages, hint)
        spelt = [self._spelt(window, guess.variety) for window in seen]
        readings = await self._readings(spelt, first if spelt[0].text == seen[0].text else None, deadline)
        meaning = _meaning([self._judged(window, readings.get(i), guess) for i, window in enumerate(spelt)], guess)
        likely = tuple(filter(None, dict.fromkeys((guess.language, *guess.candidates)))) or languages
        mentions, cues = mentions_in(text, likely, self._mentions)  # some 1 ms; 0.1 s for the longest text there is
        return replace(meaning, mentions=mentions, cues=cues)

    def _looked_at(self, pieces: Sequence[str]) -> list[_Window]:
        surfaces = [surface(piece, self._patterns) for piece in pieces]
        return [
            _Window(text=piece, surface=seen, scores=self._heads.alone(seen), read=False)
            for piece, seen in zip(pieces, surfaces, strict=True)
        ]

    def _spelt(self, window: _Window, variety: str) -> _Window:
        """A romanised window in its own script; `scores`, of the surface alone, stay those of the text as written."""
        text = native(window.text, variety)
        if text == window.text:
            return window
        return replace(window, text=text, surface=surface(window.text, self._patterns, text))

    async def _readings(self, seen: Sequence[_Window], first: Reading | None, deadline: float) -> dict[int, Reading]:
        """Vectors, in the order that matters when time runs out: beginning, end, then the most worrying."""
        found = {} if first is None else {0: first}
        order = sorted(range(len(seen)), key=lambda i: (i != 0, i != len(seen) - 1, -seen[i].scores.danger))
        for i in order:
            reading = found.get(i) or await self._embedded.read(seen[i].text, language=False, deadline=deadline)
            if reading is None:
                break
            found[i] = reading
        return found

    def _judged(self, window: _Window, reading: Reading | None, guess: Guess) -> _Window:
        if reading is None:
            return window
        scores = self._heads.read(reading.vector, window.surface, guess.variety)
        return replace(window, scores=scores, read=True)


def _language(first: _Window, reading: Reading | None, languages: tuple[str, ...], hint: str | None) -> Guess:
    votes = Votes(
        langid=reading.langid if reading else {}, cld=reading.cld if reading else {}, own=first.scores.varieties
    )
    return identify(first.text, votes=votes, languages=languages, hint=hint)


def _evidence(seen: Sequence[_Window]) -> tuple[Evidence, ...]:
    """Signals of all windows, the surest first; a signal's words are those of the window that shows it best."""
    best: dict[Signal, Evidence] = {}
    for window in seen:
        for signal in set(window.scores.signals) | set(window.surface.words):
            words = window.surface.words.get(signal, "")
            score = window.score(signal)
            if score >= SIGNAL_SHOWN and (signal not in best or score > best[signal].score):
                best[signal] = Evidence(signal=signal, score=round(score, 3), words=words)
    return tuple(sorted(best.values(), key=lambda evidence: (-evidence.score, evidence.signal)))


def _meaning(seen: Sequence[_Window], guess: Guess) -> Meaning:
    """One meaning for all windows: the worst of each; the intent is that of the most worrying window."""
    worst = max(seen, key=lambda window: window.scores.danger + window.scores.concern)
    intent, confidence = max(worst.scores.intents.items(), key=lambda item: item[1])
    return Meaning(
        language=guess.language,
        language_confidence=guess.confidence,
        candidates=guess.candidates,
        transliterated=guess.transliterated,
        intent=intent if confidence >= INTENT_KNOWN else Intent.UNKNOWN,
        confidence=round(confidence, 3),
        signals=_evidence(seen),
        danger=round(max(window.scores.danger for window in seen), 4),
        concern=round(max(window.scores.concern for window in seen), 4),
        engine=Engine.EMBEDDED if all(window.read for window in seen) else Engine.RULES,
    )
