"""The door of the room: a text in, a Meaning out, in time. Combines surface, embedding, heads and language.

What the embedding process cannot read in time is read by n-grams and patterns alone, and the Meaning says so. Where
there is a Rasa, it reads too, and its scores go before the heads' when they come in time. Stores nothing, knows nobody,
never raises on content.
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
from understanding.rasa import Rasa
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
    by: Engine  # whose scores these are; RULES: of the surface alone

    def score(self, signal: Signal) -> float:
        """How sure a signal is. Words that were found count, whatever a head makes of them."""
        score = self.scores.signals.get(signal, PATTERN_SCORE)
        return max(score, PATTERN_SCORE) if signal in self.surface.words else score


class Understanding:
    """What a message means. Make one per process: `start`, then `understand` as often as wanted, then `stop`.

    `understand` never raises on content and never takes much longer than its budget. `Meaning.engine` says how it was
    read: RASA, every part of it by Rasa; EMBEDDED, every part by an engine; RULES, at least one part by n-grams and
    patterns only (the child was late, down or restarting): act on it now, and read it again with a larger budget (5 s)
    from a job.
    """

    def __init__(
        self,
        *,
        embedded: Embedded | None = None,
        rasa: Rasa | None = None,
        heads: Path = HEADS_FILE,
        locales: Path = LOCALES,
    ) -> None:
        """Reads heads, patterns and phrasebooks. Raises HeadsError, TrainingWordsError, MentionWordsError."""
        self._heads = Heads.load(heads)
        self._patterns = Patterns(all_words(locales))
        self._mentions = read_mentions(locales)
        self._embedded = embedded or Embedded()
        self._rasa = rasa

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

    @property
    def rasa_ready(self) -> bool | None:
        """True while Rasa answers; None when there is none."""
        return self._rasa.ready if self._rasa else None

    async def start(self) -> None:
        """Start the embedding process; returns when it is ready or its first start has failed (then `degraded`)."""
        if self._rasa:
            await self._rasa.start()
        await self._embedded.start()

    async def stop(self) -> None:
        """End the embedding process."""
        await self._embedded.stop()
        if self._rasa:
            await self._rasa.stop()

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
        (guess, judged), heard = await asyncio.gather(
            self._embedding(seen, languages, hint, deadline), self._heard(seen, deadline)
        )
        told = [
            replace(window, scores=scores, by=Engine.RASA) if scores else window
            for window, scores in zip(judged, heard, strict=True)
        ]
        likely = tuple(filter(None, dict.fromkeys((guess.language, *guess.candidates)))) or languages
        if len(pieces) > _IN_THREAD:
            mentions, cues = await asyncio.to_thread(mentions_in, text, likely, self._mentions)
        else:
            mentions, cues = mentions_in(text, likely, self._mentions)  # some 1 ms
        return replace(_meaning(told, guess), mentions=mentions, cues=cues)

    async def _embedding(
        self, seen: Sequence[_Window], languages: tuple[str, ...], hint: str | None, deadline: float
    ) -> tuple[Guess, list[_Window]]:
        """The language, and every window as heads or surface judge it."""
        first = await self._embedded.read(seen[0].text, language=True, deadline=deadline)
        guess = _language(seen[0], first, languages, hint)
        spelt = [self._spelt(window, guess.variety) for window in seen]
        readings = await self._readings(spelt, first if spelt[0].text == seen[0].text else None, deadline)
        return guess, [self._judged(window, readings.get(i), guess) for i, window in enumerate(spelt)]

    async def _heard(self, seen: Sequence[_Window], deadline: float) -> list[Scores | None]:
        """What Rasa says of every window, None where it says nothing in time. It spells and finds languages itself."""
        if self._rasa is None:
            return [None] * len(seen)
        order = _worth_first(seen)
        found = await asyncio.gather(*(self._rasa.read(seen[i].text, deadline=deadline) for i in order))
        return [scores for _, scores in sorted(zip(order, found, strict=True), key=lambda pair: pair[0])]

    def _looked_at(self, pieces: Sequence[str]) -> list[_Window]:
        surfaces = [surface(piece, self._patterns) for piece in pieces]
        return [
            _Window(text=piece, surface=seen, scores=self._heads.alone(seen), by=Engine.RULES)
            for piece, seen in zip(pieces, surfaces, strict=True)
        ]

    def _spelt(self, window: _Window, variety: str) -> _Window:
        """A romanised window in its own script; `scores`, of the surface alone, stay those of the text as written."""
        text = native(window.text, variety)
        if text == window.text:
            return window
        return replace(window, text=text, surface=surface(window.text, self._patterns, text))

    async def _readings(self, seen: Sequence[_Window], first: Reading | None, deadline: float) -> dict[int, Reading]:
        """Vectors, in the order that matters when time runs out."""
        found = {} if first is None else {0: first}
        for i in _worth_first(seen):
            reading = found.get(i) or await self._embedded.read(seen[i].text, language=False, deadline=deadline)
            if reading is None:
                break
            found[i] = reading
        return found

    def _judged(self, window: _Window, reading: Reading | None, guess: Guess) -> _Window:
        if reading is None:
            return window
        scores = self._heads.read(reading.vector, window.surface, guess.variety)
        return replace(window, scores=scores, by=Engine.EMBEDDED)


def _worth_first(seen: Sequence[_Window]) -> list[int]:
    """The order in which windows are read while there is time: beginning, end, then the most worrying."""
    return sorted(range(len(seen)), key=lambda i: (i != 0, i != len(seen) - 1, -seen[i].scores.danger))


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
        engine=_engine({window.by for window in seen}),
    )


def _engine(by: set[Engine]) -> Engine:
    """Who read all of it: the least of those who read a part."""
    return next(engine for engine in (Engine.RULES, Engine.EMBEDDED, Engine.RASA) if engine in by)
