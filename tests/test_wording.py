"""Wording: the same effects, put into words for a text, a call and a chat, in the person's language and mode."""

import pytest

from bot.wording import Wording, slowly
from channels.messages import ChannelName, Expect
from dialogs.conversation import Conversation, Mode
from dialogs.events import Ask, Effect, End, File, GiveCode, Keep, Option, ReadAnswers, Say
from dialogs.phrases import Phrases
from tests.houses import a_line
from vault.codes import grouped, new_code

CODE = new_code(lambda _: 123456789012345)
YES = Option(id="safe:yes", key="1", label="label.yes")
QUESTION = Ask(phrase="safe", options=(YES, Option(id="safe:no", key="2", label="label.no")))
SMS, VOICE, TELEGRAM = ChannelName


@pytest.fixture
def words(phrases: Phrases) -> "Words":
    """A way to word effects."""
    return Words(phrases)


class Words:
    """Wordings of one line."""

    def __init__(self, phrases: Phrases) -> None:
        self.phrases = phrases
        self.line = a_line().facts(phrases.lexicon())

    def on(
        self,
        channel: ChannelName,
        language: str = "en",
        mode: Mode = Mode.PLAIN,
        waiting: tuple[str, ...] = (),
    ) -> Wording:
        """A wording."""
        conversation = Conversation(language=language, mode=mode)
        return Wording(
            phrases=self.phrases,
            line=self.line,
            conversation=conversation,
            channel=channel,
            code=CODE,
            waiting=waiting,
        )

    def text(self, phrase: str, language: str = "en", mode: Mode = Mode.PLAIN, **values: str) -> str:
        """One phrase."""
        return self.phrases.text(phrase, language, mode, {**self.line.values, **values})


@pytest.mark.parametrize("effects", [(), (End(),), (Keep(step="what"), File(way="report"), End())])
@pytest.mark.parametrize("channel", ChannelName)
def test_nothing_said_is_no_answer(words: Words, channel: ChannelName, effects: tuple[Effect, ...]) -> None:
    assert words.on(channel).answer(effects) is None


@pytest.mark.parametrize(("channel", "between"), [(SMS, "\n"), (TELEGRAM, "\n"), (VOICE, "  ")])
def test_what_is_said_in_one_turn_is_one_answer_in_order(words: Words, channel: ChannelName, between: str) -> None:
    answer = words.on(channel).answer((Say(phrase="code.no_answers"), Keep(step="x"), Say(phrase="code.confirmed")))
    assert answer is not None
    assert answer.text == between.join([words.text("code.no_answers"), words.text("code.confirmed")])
    assert (answer.expect, answer.choices, answer.language) == (Expect.NOTHING, (), "en")


@pytest.mark.parametrize("channel", [SMS, TELEGRAM])
def test_a_written_question_carries_its_choices_apart(words: Words, channel: ChannelName) -> None:
    answer = words.on(channel, "es").answer((QUESTION,))
    assert answer is not None
    assert (answer.text, answer.expect, answer.language) == (words.text("safe", "es"), Expect.ANYTHING, "es")
    assert [(c.id, c.key, c.label, c.spoken) for c in answer.choices] == [
        ("safe:yes", "1", words.text("label.yes", "es"), ""),
        ("safe:no", "2", words.text("label.no", "es"), ""),
    ]


def test_a_spoken_choice_says_which_key_to_press(words: Words) -> None:
    answer = words.on(VOICE, "ar").answer((QUESTION,))
    assert answer is not None
    assert [choice.spoken for choice in answer.choices] == [
        words.text("voice.press", "ar", label=words.text(f"label.{label}", "ar"), key=key)
        for label, key in (("yes", "1"), ("no", "2"))
    ]
    assert {choice.language for choice in answer.choices} == {""}


def test_a_language_is_offered_in_its_own_name_by_its_own_voice(words: Words) -> None:
    options = tuple(
        Option(id=f"language:{tag}", key=key, label=f"language:{tag}") for key, tag in (("1", "es"), ("2", "ar"))
    )
    answer = words.on(VOICE, "en").answer((Ask(phrase="safe", options=options),))
    assert answer is not None
    assert [(c.language, c.label) for c in answer.choices] == [("es", "Español"), ("ar", "العربية")]
    assert [choice.spoken for choice in answer.choices] == [
        words.text("voice.press", "es", label="Español", key="1"),
        words.text("voice.press", "ar", label="العربية", key="2"),
    ]


@pytest.mark.parametrize(
    ("channel", "code", "says_how"),
    [(VOICE, False, "voice.speak"), (VOICE, True, "voice.digits"), (SMS, False, ""), (TELEGRAM, True, "")],
)
def test_a_question_without_choices_says_by_ear_how_to_answer(
    words: Words, channel: ChannelName, code: bool, says_how: str
) -> None:
    answer = words.on(channel).answer((Ask(phrase="safe", code=code),))
    assert answer is not None
    assert answer.text == "  ".join(words.text(key) for key in ("safe", says_how) if key)
    assert answer.expect is (Expect.CODE if code else Expect.ANYTHING)


@pytest.mark.parametrize("channel", ChannelName)
def test_a_code_is_read_slowly_and_written_in_groups(words: Words, channel: ChannelName) -> None:
    answer = words.on(channel).answer((GiveCode(phrase="code.give"),))
    assert answer is not None
    assert (slowly(CODE) in answer.text) == (channel is VOICE)
    assert (grouped(CODE) in answer.text) == (channel is not VOICE)


def test_a_code_for_the_ear_pauses_after_each_digit_and_longer_after_each_group() -> None:
    assert slowly("1234567890123456") == "1, 2, 3, 4. 5, 6, 7, 8. 9, 0, 1, 2. 3, 4, 5, 6"


@pytest.mark.parametrize("mode", Mode)
def test_answers_that_waited_are_said_one_by_one_signed_as_the_mode_wants(words: Words, mode: Mode) -> None:
    waiting = ("We can meet at six.", "Bring {line} nothing.")
    answer = words.on(SMS, "en", mode, waiting).answer((ReadAnswers(),))
    assert answer is not None
    name = words.line.cover if mode is Mode.DISCREET else words.line.name
    assert answer.text == f"{name}: We can meet at six.\n{name}: Bring {{line}} nothing."  # staff's braces are theirs
    assert words.on(SMS).answer((ReadAnswers(),)) is None


@pytest.mark.parametrize("channel", ChannelName)
def test_discreet_words_never_name_the_line(words: Words, channel: ChannelName) -> None:
    answer = words.on(channel, "en", Mode.DISCREET).answer(
        (Say(phrase="code.confirmed"), Say(phrase="code.no_answers"), QUESTION)
    )
    assert answer is not None
    assert words.line.name not in str(answer.to_json())


def test_until_a_language_is_known_the_line_s_own_is_spoken(words: Words) -> None:
    answer = words.on(SMS, "").answer((QUESTION,))
    assert answer is not None
    assert (answer.language, answer.text) == ("en", words.text("safe"))
