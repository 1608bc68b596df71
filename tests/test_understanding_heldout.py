"""Texts nobody trained on: how many emergencies page, how many calm messages do not. By ranking first, then by level.

tests/heldout/texts.tsv has two sets. The first was looked at while the training words grew; the second was written
after that and only measured. Both are by the author of the training words; the same situations come in all languages.
"""

import csv
import html
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from triage.assess import assess
from triage.levels import Level
from triage.policy import TriagePolicy
from understanding.examples import LEVELS, all_words
from understanding.meaning import Engine, Meaning
from understanding.text import clean, fold
from understanding.training.solve import auc, recall
from understanding.understand import PATTERN_SCORE, Understanding

TEXTS = Path(__file__).parent / "heldout" / "texts.tsv"
PAGE = Path(__file__).parent.parent / "carriers" / "page" / "index.html"
LINE = ("en", "es", "fr", "ar", "hi", "zh")
VARIETIES = ("en", "es", "fr", "ar", "ar-Latn", "hi", "hi-Latn", "zh")
PATIENT = 30.0  # seconds; nobody waits
ALIKE = 0.75
"""Share of trigrams two texts may have in common before one counts as a copy of the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text and what people would say about it."""

    group: str
    lang: str
    level: str
    words: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A text with what was made of it."""

    text: Text
    meaning: Meaning
    level: Level


def held_out() -> list[Text]:
    with TEXTS.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Text(group=r["set"], lang=r["lang"], level=r["level"], words=r["text"]) for r in rows]


def stories() -> list[tuple[str, str]]:
    """What the simulated people of the practice carriers say: mood and words."""
    found = re.findall(r'<li data-kind="\w+" data-mood="(\w+)"[^>]*>(.*?)</li>', PAGE.read_text(encoding="utf-8"))
    return [(mood, html.unescape(words)) for mood, words in found]


def trigrams(text: str) -> frozenset[str]:
    folded = f" {fold(clean(text))} "
    return frozenset(folded[i : i + 3] for i in range(len(folded) - 2))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def understanding() -> AsyncIterator[Understanding]:
    made = Understanding()
    await made.start()
    assert made.ready
    yield made
    await made.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def read(understanding: Understanding) -> list[Read]:
    """Every held-out text, read without being told its language, at the thresholds a line starts with."""
    found = []
    for text in held_out():
        meaning = await understanding.understand(text.words, languages=LINE, budget=PATIENT)
        found.append(Read(text=text, meaning=meaning, level=assess(meaning, {}, None, TriagePolicy()).level))
    return found


def ordered(read: list[Read]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    scores = np.array([each.meaning.danger for each in read], dtype=np.float64)
    return scores, np.array([each.text.level == "emergency" for each in read])


def share(read: list[Read], levels: set[str], at_least: Level) -> float:
    chosen = [each.level >= at_least for each in read if each.text.level in levels]
    return sum(chosen) / len(chosen)


def test_each_variety_has_at_least_40_texts_urgent_and_calm() -> None:
    texts = held_out()
    assert {text.level for text in texts} == set(LEVELS)
    for variety in VARIETIES:
        of_it = [text for text in texts if text.lang == variety]
        assert len(of_it) >= 40
        assert sum(text.level == "emergency" for text in of_it) >= 15
        assert sum(text.level in ("standard", "information") for text in of_it) >= 20


def test_no_held_out_text_and_no_story_is_in_a_training_file_nor_nearly() -> None:
    trained = [example.text for language in all_words() for example in language.examples]
    folded = {fold(clean(text)) for text in trained}
    sets = [trigrams(text) for text in trained]
    having: dict[str, list[int]] = {}
    for place, grams in enumerate(sets):
        for gram in grams:
            having.setdefault(gram, []).append(place)
    for words in [text.words for text in held_out()] + [words for _, words in stories()]:
        grams = trigrams(words)
        if len(grams) < 12:  # "no idea" is what people say; only the very same counts
            assert fold(clean(words)) not in folded
            continue
        common: Counter[int] = Counter()
        for gram in grams:
            common.update(having.get(gram, ()))
        near = {place: count / (len(grams) + len(sets[place]) - count) for place, count in common.items()}
        nearest = max(near, key=near.__getitem__, default=None)
        assert nearest is None or near[nearest] < ALIKE, (words, trained[nearest])


@pytest.mark.asyncio(loop_scope="module")
async def test_emergencies_are_ordered_before_the_rest(read: list[Read]) -> None:
    scores, bad = ordered(read)
    assert {each.meaning.engine for each in read} == {Engine.EMBEDDED}
    assert auc(scores, bad) >= 0.955
    assert recall(scores, bad, 0.10) >= 0.89
    assert recall(scores, bad, 0.05) >= 0.80


@pytest.mark.parametrize("variety", VARIETIES)
@pytest.mark.asyncio(loop_scope="module")
async def test_emergencies_are_ordered_before_the_rest_in_every_variety(read: list[Read], variety: str) -> None:
    scores, bad = ordered([each for each in read if each.text.lang == variety])
    assert auc(scores, bad) >= 0.90


@pytest.mark.asyncio(loop_scope="module")
async def test_the_set_that_was_only_measured_is_not_much_worse(read: list[Read]) -> None:
    scores, bad = ordered([each for each in read if each.text.group == "second"])
    assert auc(scores, bad) >= 0.95
    assert recall(scores, bad, 0.10) >= 0.87


@pytest.mark.asyncio(loop_scope="module")
async def test_at_the_thresholds_a_line_starts_with_most_emergencies_page_and_few_others(read: list[Read]) -> None:
    assert share(read, {"emergency"}, Level.EMERGENCY) >= 0.85
    assert share(read, {"emergency"}, Level.HIGH) >= 0.93
    assert share(read, {"high"}, Level.HIGH) >= 0.90
    assert share(read, {"high", "standard", "information"}, Level.EMERGENCY) <= 0.15
    assert share(read, {"standard", "information"}, Level.HIGH) <= 0.25


async def test_no_head_silences_words_that_were_found(read: list[Read]) -> None:
    """A model may raise and never lower: whatever it makes of a text, a pattern that fired counts half at least."""
    found = [evidence for one in read for evidence in one.meaning.signals if evidence.words]
    assert len(found) > 100
    assert min(evidence.score for evidence in found) >= PATTERN_SCORE


async def test_without_the_engine_emergencies_still_tend_to_score_higher() -> None:
    rules = Understanding()
    meanings = [(text, await rules.understand(text.words, languages=LINE)) for text in held_out()]
    assert {meaning.engine for _, meaning in meanings} == {Engine.RULES}
    scores = np.array([meaning.danger for _, meaning in meanings], dtype=np.float64)
    assert auc(scores, np.array([text.level == "emergency" for text, _ in meanings])) >= 0.7


EXPLOITED = frozenset(("Factory mein do mahine se paise nahi mile",))
"""Calm, but told by the one it happens to: may be high."""


@pytest.mark.parametrize(("mood", "words"), stories())
@pytest.mark.asyncio(loop_scope="module")
async def test_the_people_of_the_practice_carriers_are_understood(
    understanding: Understanding, mood: str, words: str
) -> None:
    meaning = await understanding.understand(words, languages=LINE, budget=PATIENT)
    level = assess(meaning, {}, None, TriagePolicy()).level
    if mood == "urgent":
        assert level is Level.EMERGENCY
    else:
        assert level <= (Level.HIGH if words in EXPLOITED else Level.STANDARD)


def test_there_are_30_stories_15_of_each_mood() -> None:
    assert sorted(mood for mood, _ in stories()) == ["calm"] * 15 + ["urgent"] * 15
