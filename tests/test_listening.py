"""Keys, words and languages: what counts as the same thing, in six languages and every kind of digit."""

from dataclasses import replace

import pytest

from dialogs.events import Ask, Chose, Keep, Started
from tests.talking import LINE, Talk, at, speaks

# Keys and words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["2", " 2. ", "(2)", "２", "٢", "२", "২", "2\ufe0f\u20e3", "#2", "Another ADULT!"])
def test_a_choice_is_understood_in_every_kind_of_digit_and_by_its_label(typed: str) -> None:
    talk = at("facts.who").says(typed)
    assert talk.of(Keep) == [Keep(step="facts.who", choice="adult")]
    assert talk.asked == "facts.still"


@pytest.mark.parametrize("word", ["yes", "YES.", "sí", "हाँ", "¡Sí!"])
def test_yes_is_yes_in_every_language_of_the_line(word: str) -> None:
    talk = at("facts.still", language="").says(word)
    assert talk.of(Keep) == [Keep(step="facts.still", choice="yes")]


def test_a_digit_without_a_meaning_asks_again_and_keeps_nothing() -> None:
    talk = at("facts.still").says("4")
    assert talk.effects == (talk.effects[-1],)
    assert talk.asked == "facts.still"


def test_a_single_digit_is_an_answer_where_no_choices_are_offered() -> None:
    assert at("facts.where").says("4").of(Keep) == [Keep(step="facts.where")]


def test_star_says_it_again() -> None:
    assert at("facts.still").says("*").effects == at("facts.still").says("4").effects


def test_an_old_button_is_noted_without_losing_the_place() -> None:
    talk = at("facts.still").does(Chose(option="facts.when:week"))
    assert talk.of(Keep) == [Keep(step="facts.when", choice="week")]
    assert talk.asked == "facts.still"


def test_a_button_of_a_flow_that_is_gone_asks_again() -> None:
    assert at("facts.still").does(Chose(option="gone:away")).asked == "facts.still"


# Language ---------------------------------------------------------------------------------------------------------


def test_a_language_recognised_with_confidence_is_not_asked_for() -> None:
    assert Talk().says("hola, buenos días", meaning=speaks("es", 0.95)).says("1").asked == "way"


def test_below_that_confidence_we_ask_and_never_guess() -> None:
    talk = Talk().says("mujhe madad chahiye", meaning=speaks("es", 0.85))
    assert talk.state.language == ""
    assert talk.says("1").asked == "language"


def test_languages_are_offered_in_their_own_names() -> None:
    question = Talk().says("hello", "1").effects[-1]
    assert isinstance(question, Ask)
    assert [(option.key, option.label) for option in question.options][:2] == [
        ("1", "language:en"),
        ("2", "language:es"),
    ]


def test_a_voice_menu_has_four_choices_and_turns_its_pages() -> None:
    talk = Talk(LINE.on("voice")).does(Started()).says("1")
    pages = []
    for _ in range(3):
        assert isinstance(talk.effects[-1], Ask)
        pages.append([option.id for option in talk.effects[-1].options])
        talk.says("4" if len(pages[-1]) == 4 else "3")
    assert pages[0] == ["language:en", "language:es", "language:fr", "language:more"]
    assert pages[1] == ["language:ar", "language:hi", "language:zh", "language:more"]
    assert pages[2] == pages[0]


def test_the_language_a_person_chose_wins_for_ever() -> None:
    talk = Talk().says("hello", "1", "2")
    assert (talk.state.language, talk.state.language_chosen) == ("es", True)
    talk.says("a long sentence in quite another language", meaning=speaks("fr", 0.99))
    assert talk.state.language == "es"


def test_one_key_or_the_name_of_a_language_changes_it_without_losing_the_place() -> None:
    talk = at("facts.when").says("8")
    assert talk.asked == "language"
    assert talk.says("2").asked == "facts.when"
    assert talk.state.language == "es"
    assert at("facts.when").says("español").state.language == "es"


def test_a_language_nobody_could_name_is_asked_for_once_more_and_then_left() -> None:
    talk = Talk().says("hello", "1").says("kya")
    assert talk.asked == "language"
    assert talk.says("kya").asked == "way"


def test_a_line_with_one_language_does_not_ask() -> None:
    assert Talk(replace(LINE, languages=("en",))).says("hello", "1").asked == "way"
