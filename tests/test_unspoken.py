"""Somebody writes in a language that the line understands and does not speak, or in one that is not known for sure."""

from pathlib import Path

import pytest

from bot.wording import Wording
from channels.messages import ChannelName
from dialogs.conversation import Conversation, Mode
from dialogs.events import Ask
from dialogs.marked import BadFile
from dialogs.neighbours import LIKELY, READS, likely
from dialogs.phrases import Phrases, load_locales, load_phrases
from tests.houses import a_line
from tests.talking import LINE, Talk
from understanding.language import KNOWN
from understanding.meaning import Engine, Meaning
from understanding.tongues import NAMES

SWAHILI = Meaning(language="sw", language_confidence=0.95, candidates=("sw",), engine=Engine.EMBEDDED)
ROMANISED = Meaning(
    language="ur",
    language_confidence=0.6,
    candidates=("ur", "hi"),
    transliterated=True,
    engine=Engine.EMBEDDED,
)
ENGLISH = Meaning(language="en", language_confidence=0.99, candidates=("en",), engine=Engine.EMBEDDED)


def test_every_language_that_is_understood_has_a_name_for_staff() -> None:
    assert set(NAMES) == set(KNOWN)


def test_the_table_of_neighbours_names_known_languages_only_and_never_a_language_itself() -> None:
    assert set(READS) <= set(KNOWN)
    for tag, others in READS.items():
        assert tag not in others
        assert set(others) <= set(KNOWN)


def test_the_likeliest_are_what_the_words_may_be_in_then_what_its_speakers_read() -> None:
    assert likely(("ur", "hi"), LINE.languages) == ("hi", "en")
    assert likely(("ht",), LINE.languages) == ("fr", "en")
    assert likely(("ps",), ("en", "es")) == ()
    assert len(likely(KNOWN, KNOWN)) == LIKELY


def asked_after(meaning: Meaning) -> tuple[Talk, Ask]:
    talk = Talk()
    talk.says("naomba msaada tafadhali mimi niko hapa", meaning=meaning)
    talk.says("1")
    asked = talk.effects[-1]
    assert isinstance(asked, Ask)
    return talk, asked


def test_who_writes_in_a_language_the_line_does_not_speak_is_asked_in_those_they_probably_read() -> None:
    talk, asked = asked_after(SWAHILI)
    assert asked.phrase == "language"
    assert asked.also == ("fr",)  # beside English, which the line speaks anyway
    assert (talk.state.language, talk.state.tongue) == ("", "sw")
    assert [option.id for option in asked.options] == [
        f"language:{tag}" for tag in ("en", "fr", "es", "more")
    ]  # the likeliest first


def test_who_writes_a_language_in_other_letters_is_asked_in_the_likeliest_of_the_line() -> None:
    talk, asked = asked_after(ROMANISED)
    assert asked.also == ("hi",)
    assert talk.state.tongue == "ur"


def test_who_is_understood_for_sure_is_not_asked_for_a_language() -> None:
    _, asked = asked_after(ENGLISH)
    assert asked.phrase != "language"
    assert asked.also == ()


def test_what_the_person_chooses_wins_and_what_they_write_in_stays_noted() -> None:
    talk, _ = asked_after(SWAHILI)
    talk.says("2", meaning=Meaning(engine=Engine.RULES))
    talk.says("wamechukua pasipoti yangu na hawanilipi mshahara", meaning=SWAHILI)
    assert (talk.state.language, talk.state.language_chosen, talk.state.tongue) == ("fr", True, "sw")


def test_a_faint_guess_is_not_noted_for_staff() -> None:
    faint = Meaning(language="so", language_confidence=0.3, candidates=("so", "sw"), engine=Engine.EMBEDDED)
    talk, _ = asked_after(faint)
    assert talk.state.tongue == ""


def test_the_question_is_put_in_every_likely_language_by_text_and_in_one_by_voice(phrases: Phrases) -> None:
    line = a_line().facts(phrases.lexicon())

    def text(channel: ChannelName, asked: Ask) -> str:
        answer = Wording(
            phrases=phrases, line=line, conversation=Conversation(mode=Mode.PLAIN), channel=channel
        ).answer((asked,))
        assert answer is not None
        return answer.text

    both = text(ChannelName.SMS, Ask(phrase="language", also=("es",)))
    assert both.splitlines() == [phrases.text("language", tag, Mode.PLAIN, {}) for tag in ("en", "es")]
    spoken = Talk(LINE.on("voice"))
    spoken.says("naomba msaada tafadhali mimi niko hapa", meaning=SWAHILI)
    spoken.says("1")
    asked = spoken.effects[-1]
    assert isinstance(asked, Ask)
    assert (asked.phrase, asked.also) == ("language", ())


def test_a_folder_with_training_words_alone_is_no_language_of_a_line_and_breaks_nothing(tmp_path: Path) -> None:
    built_in = load_locales()
    own = tmp_path / "locales"
    (own / "so").mkdir(parents=True)
    (own / "so" / "nlu.yml").write_text('version: "3.1"\nnlu: []\n')
    assert load_locales(own=own) == built_in
    assert "so" not in load_phrases(own=own).languages
    with pytest.raises(BadFile, match="take so from the line's languages"):
        load_phrases(languages=("en", "so"), own=own)
