"""A caller's pace: the same again, then slowly, and time to put the phone down. A carrier's stop word: silence."""

from datetime import UTC, datetime

import pytest

from bot.wording import PATIENCE, Wording
from channels.messages import Answer, ChannelName
from dialogs.checks import load_flow
from dialogs.conversation import Conversation, Phase
from dialogs.engine import advance
from dialogs.events import Ask, Effect, Event, File, HungUp, Keep, Said, Say, Silent, Started
from dialogs.flow import Flow
from dialogs.phrases import Phrases, load_phrases
from dialogs.rehearsal import rehearsal_line
from understanding.meaning import UNREAD

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SLOWER = {"en": "slower", "es": "más despacio", "fr": "moins vite", "ar": "ببطء", "hi": "धीरे बोलो", "zh": "慢一点"}


@pytest.fixture(scope="module")
def six() -> Phrases:
    return load_phrases()


@pytest.fixture(scope="module")
def intake() -> Flow:
    return load_flow("intake")


class Caller:
    """Somebody on a call who was asked what it is about."""

    def __init__(self, flow: Flow, phrases: Phrases, language: str = "en") -> None:
        self.flow, self.phrases = flow, phrases
        self.line = rehearsal_line(phrases, language, "voice")
        self.conversation = Conversation()
        self.effects: tuple[Effect, ...] = ()

    def does(self, *events: Event | str) -> "Caller":
        for event in events:
            happened = Said(text=event) if isinstance(event, str) else event
            self.conversation, self.effects = advance(self.flow, self.conversation, happened, UNREAD, NOON, self.line)
        return self

    @property
    def asked(self) -> str:
        return next((effect.phrase for effect in self.effects if isinstance(effect, Ask)), "")

    def answer(self) -> Answer:
        wording = Wording(
            phrases=self.phrases, line=self.line, conversation=self.conversation, channel=ChannelName.VOICE
        )
        answer = wording.answer(self.effects)
        assert answer is not None
        return answer


@pytest.fixture
def caller(intake: Flow, six: Phrases) -> Caller:
    return Caller(intake, six).does(Started(), "1", "1")


def test_the_star_says_the_same_again_and_once_more_says_it_slowly(caller: Caller) -> None:
    asked = caller.asked
    assert asked == caller.does("*").asked
    assert not caller.answer().slow
    assert asked == caller.does("*").asked
    assert caller.answer().slow
    assert caller.does("1").answer().slow, "whoever needed it once needs it for the rest of the call"


def test_a_star_at_another_question_only_says_it_again(caller: Caller) -> None:
    assert not caller.does("*", "2", "*").answer().slow


@pytest.mark.parametrize("language", SLOWER)
def test_slower_can_be_said_in_every_language(intake: Flow, six: Phrases, language: str) -> None:
    caller = Caller(intake, six, language).does(Started(), "1", "1")
    asked = caller.asked
    assert caller.does(SLOWER[language]).asked == asked
    assert caller.answer().slow
    assert not any(isinstance(effect, Keep) for effect in caller.effects), "it is not what they have to report"


def test_another_call_begins_at_the_usual_pace(caller: Caller) -> None:
    assert not caller.does("*", "*", HungUp(), Started()).answer().slow


def test_texts_know_no_pace(caller: Caller) -> None:
    caller.does("*", "*")
    texts = Wording(phrases=caller.phrases, line=caller.line, conversation=caller.conversation, channel=ChannelName.SMS)
    answer = texts.answer(caller.effects)
    assert answer is not None
    assert (answer.slow, answer.patience) == (False, 0)


def test_silence_is_given_more_and_more_time_and_then_the_caller_is_let_go(caller: Caller) -> None:
    """They may have had to put the phone down."""
    waited = [caller.answer().patience]
    while caller.does(Silent()).asked:
        waited.append(caller.answer().patience)
    assert waited == list(PATIENCE)
    assert caller.conversation.phase is Phase.PARKED
    assert caller.does("1").asked, "and finds everything as it was"


def test_after_a_stop_word_what_was_said_is_filed_and_nothing_is_said(intake: Flow, six: Phrases) -> None:
    person = Caller(intake, six).does("They keep our passports at the farm", HungUp(blocked=True))
    assert not any(isinstance(effect, Say | Ask) for effect in person.effects)
    assert any(isinstance(effect, File) for effect in person.effects)
    assert person.conversation.phase is Phase.PARKED
    assert person.does(Started()).asked == intake.phrase(intake.main.returns), "START is asked whether it is safe"


def test_a_stop_word_before_anything_else_begins_nothing(intake: Flow, six: Phrases) -> None:
    person = Caller(intake, six).does(HungUp(blocked=True))
    assert (person.effects, person.conversation.phase) == ((), Phase.NEW)
