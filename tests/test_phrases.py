"""The words: complete in every language, both twins, short enough, and harmless where they must be."""

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from channels.segments import fold, segments
from dialogs.budgets import over_budget, question
from dialogs.checks import check_phrases, load_flow
from dialogs.conversation import Mode
from dialogs.discreet import gives_away
from dialogs.flow import Flow
from dialogs.line import LineFacts
from dialogs.marked import BadFile
from dialogs.phrases import LOCALES, NoSuchPhrase, Phrases, check, load_locales, load_phrases, placeholders
from dialogs.rehearsal import rehearsal_line

LANGUAGES = [tag for tag, locale in load_locales().items() if locale.complete]
VALUES = {"line": "Harborline", "cover": "Corner Laundry", "emergency": "112"}


@cache
def intake() -> Flow:
    return load_flow()


@cache
def catalogue() -> Phrases:
    return load_phrases()


@cache
def practice() -> LineFacts:
    return rehearsal_line(catalogue(), "en", "sms")


@pytest.fixture
def phrases() -> Phrases:
    return catalogue()


def cost(text: str) -> int:
    return segments(fold(text)).segments


# The catalogue that ships -----------------------------------------------------------------------------------------


def test_six_languages_are_complete() -> None:
    """Loading a complete language proves every phrase, both twins and all placeholders."""
    assert {"en", "es", "fr", "ar", "hi", "zh"} <= set(LANGUAGES)
    assert set(load_phrases().languages) == set(LANGUAGES)


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_phrase_keeps_its_budget_and_every_discreet_twin_is_harmless(tag: str) -> None:
    assert check(load_phrases(languages=[tag, "en"]), cost) == []


def test_the_intake_flow_asks_for_no_phrase_that_is_missing(phrases: Phrases) -> None:
    assert check_phrases(intake(), phrases.keys) == []


def asked(tag: str, step: str, mode: Mode) -> str:
    """The question of a step with its choices, as it goes out by SMS."""
    return question(intake(), catalogue(), practice(), step, tag, mode)


@pytest.mark.parametrize("tag", LANGUAGES)
@pytest.mark.parametrize("mode", list(Mode))
def test_the_first_question_with_its_choices_is_one_segment(tag: str, mode: Mode) -> None:
    for step in ("safe", "again.safe"):
        text = asked(tag, step, mode)
        assert cost(text) == 1, f"{len(text)} characters: {text}"


@pytest.mark.parametrize("tag", LANGUAGES)
def test_other_questions_are_two_segments_and_three_with_all_that_is_said_once_before_them(tag: str) -> None:
    line = replace(practice(), languages=tuple(dict.fromkeys((tag, "en"))))
    assert over_budget(intake(), load_phrases(languages=line.languages), line, cost) == []


@pytest.mark.parametrize("tag", LANGUAGES)
@pytest.mark.parametrize("mode", list(Mode))
def test_a_question_as_it_is_measured_shows_all_of_its_choices(tag: str, mode: Mode) -> None:
    for name, step in intake().steps.items():
        for choice in step.choices:
            label = catalogue().text(choice.label, tag, mode, VALUES)
            assert f"{choice.key} {label}" in asked(tag, name, mode)


def test_a_question_over_its_budget_is_found_with_the_place_that_asks_it_and_the_place_of_its_words() -> None:
    long = replace(practice(), name="The Harbour House Line of the Northern Islands and Coasts")
    found = over_budget(intake(), catalogue(), long, cost)
    place = next(problem for problem in found if "`safe` takes 2 segments in zh (plain)" in problem)
    assert place.startswith(f"{intake().where('safe')}: ")
    assert place.endswith(f"shorten its words in {catalogue().catalogue['zh']['safe'].at}")


@pytest.mark.parametrize("tag", LANGUAGES)
def test_labels_of_one_question_differ(phrases: Phrases, tag: str) -> None:
    """Two choices with the same word could not be told apart by somebody who types the word."""
    for mode in Mode:
        for name, step in intake().steps.items():
            labels = [phrases.text(choice.label, tag, mode, {}) for choice in step.choices]
            assert len(labels) == len(set(labels)), f"{name} ({mode}): {labels}"


@pytest.mark.parametrize("tag", LANGUAGES)
def test_no_phrase_shouts_or_smiles(phrases: Phrases, tag: str) -> None:
    for key, phrase in phrases.catalogue[tag].items():
        for text in filter(None, (phrase.plain, phrase.discreet)):
            assert not set("!¡！") & set(text), key
            assert all(ord(letter) < 0x1F000 for letter in text), key


def test_english_needs_only_the_cheap_sms_alphabet(phrases: Phrases) -> None:
    for key, phrase in phrases.catalogue["en"].items():
        for text in filter(None, (phrase.plain, phrase.discreet)):
            assert segments(text).encoding.value == "gsm7", key


def test_the_sentence_for_somebody_who_cannot_talk_is_harmless_in_both_modes(phrases: Phrases) -> None:
    """The person may have chosen plain words before somebody came in."""
    for tag, locale in phrases.locales.items():
        for mode in Mode:
            text = phrases.text("later.parked", tag, mode, {})
            assert not gives_away(text, phrases.sensitive[tag], locale.script), (tag, text)


# Looking words up -------------------------------------------------------------------------------------------------


def test_the_twin_follows_the_mode(phrases: Phrases) -> None:
    assert phrases.text("safe", "en", Mode.PLAIN, VALUES).startswith("Harborline:")
    assert phrases.text("safe", "en", Mode.DISCREET, VALUES).startswith("Corner Laundry:")


def test_a_language_is_named_in_its_own_words(phrases: Phrases) -> None:
    assert phrases.text("language:es", "en", Mode.PLAIN, {}) == "Español"


@pytest.mark.parametrize(("key", "tag"), [("no.such", "en"), ("safe", "xx"), ("safe", "en"), ("language:xx", "en")])
def test_a_missing_phrase_language_or_value_is_never_papered_over(phrases: Phrases, key: str, tag: str) -> None:
    with pytest.raises(NoSuchPhrase):
        phrases.text(key, tag, Mode.PLAIN, {})


def test_a_value_is_never_read_as_a_placeholder(phrases: Phrases) -> None:
    assert phrases.text("staff.answer", "en", Mode.PLAIN, {**VALUES, "text": "{line}"}) == "Harborline: {line}"


# Loading refuses --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small languages, complete."""
    for tag in ("en", "es"):
        (tmp_path / tag).mkdir()
        shutil.copy(LOCALES / tag / "meta.yml", tmp_path / tag)
        shutil.copy(LOCALES / tag / "sensitive.yml", tmp_path / tag)
        (tmp_path / tag / "messages.po").write_text(
            '#. max 1 segment\nmsgid "hello"\nmsgstr "{line} here"\n\n'
            'msgctxt "discreet"\nmsgid "hello"\nmsgstr "{cover} here"\n\n'
            '#. max 4 characters\nmsgid "page.take"\nmsgstr "mine"\n',
            "utf-8",
        )
    return tmp_path


def spoil(folder: Path, old: str, new: str, tag: str = "es") -> None:
    path = folder / tag / "messages.po"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_a_small_catalogue_is_complete(folder: Path) -> None:
    assert check(load_phrases(folder), cost) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('msgid "page.take"', 'msgid "page.took"', "translate `page.take`"),
        ('msgid "page.take"', 'msgid "page.took"', "`page.took` is not a phrase any more"),
        ('msgstr "{line} here"', 'msgstr ""', "translate `hello`"),
        ('#. max 1 segment\nmsgid "hello"', '#, fuzzy\nmsgid "hello"', "translate `hello`"),
        ('msgctxt "discreet"', 'msgctxt "formal"', "translate the discreet twin of `hello`"),
        ("{line}", "{lyne}", "`hello` must have these placeholders and no other: line"),
        ("{cover}", "{line}", "the discreet twin of `hello` must have these placeholders and no other: cover"),
        ('msgstr "mine"', 'msgsrt "mine"', "locales/es/messages.po:11:1: "),
    ],
)
def test_a_language_that_is_not_complete_is_refused(folder: Path, old: str, new: str, said: str) -> None:
    spoil(folder, old, new)
    with pytest.raises(BadFile) as bad:
        load_phrases(folder)
    assert said in str(bad.value)


def test_an_unfinished_language_is_not_offered_but_does_no_harm(folder: Path) -> None:
    meta = folder / "es" / "meta.yml"
    meta.write_text(meta.read_text("utf-8").replace("complete: true", "complete: false"), "utf-8")
    spoil(folder, 'msgstr "mine"', 'msgstr ""')
    assert load_phrases(folder).languages == ("en",)
    with pytest.raises(BadFile):
        load_phrases(folder, ["en", "es"])


def test_a_language_nobody_wrote_is_named(folder: Path) -> None:
    with pytest.raises(BadFile, match="take tl from the line's languages"):
        load_phrases(folder, ["en", "tl"])


def test_a_phrase_without_a_twin_is_refused_unless_only_staff_read_it(folder: Path) -> None:
    for tag in ("en", "es"):
        spoil(folder, 'msgid "page.take"', 'msgid "turn.take"', tag)
    with pytest.raises(BadFile, match=r"`turn\.take` needs a discreet twin"):
        load_phrases(folder)


def test_a_phrase_over_its_budget_is_found(folder: Path) -> None:
    spoil(folder, "{line} here", "{line} " + "ñ" * 140 + "—" * 20)
    spoil(folder, 'msgstr "mine"', 'msgstr "it is mine"')
    found = check(load_phrases(folder), cost)
    assert len(found) == 2
    assert "`hello` has 2 segments, at most 1 fit" in found[0]
    assert "`page.take` has 10 characters, at most 4 fit" in found[1]


def test_a_twin_that_tells_is_found(folder: Path) -> None:
    spoil(folder, "{cover} here", "{cover}: la policía viene")
    assert "the discreet twin of `hello` says `polic`" in check(load_phrases(folder), cost)[0]


def test_placeholders_are_the_names_between_braces() -> None:
    assert placeholders("{line}: {code} {}") == {"line", "code"}
