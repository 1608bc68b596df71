"""What holds for every conversation, whatever happens in it: its state, and sequences that nobody thought of."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogs.conversation import VERSION, Conversation, Mode, Phase, UnknownVersion
from dialogs.events import (
    Alert,
    Ask,
    Chose,
    CodeChecked,
    End,
    Event,
    HungUp,
    Keep,
    OpenCode,
    Said,
    Shared,
    Silent,
    Started,
    Withdraw,
    Withdrawn,
)
from dialogs.lexicon import normal, weight
from tests.talking import CODE, FLOW, LINE, STORY, Talk, at, means, speaks
from understanding.meaning import UNREAD, Intent, Meaning

# State ------------------------------------------------------------------------------------------------------------


def test_a_conversation_of_another_version_is_refused_with_the_remedy() -> None:
    for strange in ({"version": VERSION + 1}, {}, {"version": VERSION, "mood": "calm"}):
        with pytest.raises(UnknownVersion, match="upgrade this process"):
            Conversation.from_json(strange)


def test_a_conversation_holds_no_word_that_was_said() -> None:
    talk = Talk()
    for text in ("Zanzibar", "1", "1", "2", "Zanzibar", "Zanzibar", CODE):
        talk.says(text)
    kept = json.dumps(talk.state.to_json())
    assert "Zanzibar" not in kept
    assert "3456" not in kept


def test_the_hour_is_all_that_is_known_of_the_time() -> None:
    talk = Talk()
    talk.now = datetime(2026, 1, 15, 12, 34, 56, tzinfo=UTC)
    assert talk.says("hello").state.heard == "2026-01-15T12"


def test_a_conversation_from_a_flow_that_has_changed_goes_on() -> None:
    assert at("way", interrupted=("gone.step",)).says("8", "1").asked == "way"


WORDS = [
    STORY,
    "he keeps my passport",
    "somewhere near the river",
    "كل يوم",
    "老板不给工资",
    "madad karo please",
    "ok so listen",
]
TYPED = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "7",
    "8",
    "9",
    "*",
    "yes",
    "no",
    "",
    " ",
    "😢",
    CODE,
    "0000",
    "٣",
    "Español",
    "operator",
    "skip",
]
BUTTONS = [f"{name}:{choice.id}" for name, step in FLOW.steps.items() for choice in step.choices]
MEANINGS = [UNREAD, *(means(intent) for intent in Intent), speaks("es", 0.95), speaks("hi", 0.5)]
EVENTS = st.one_of(
    st.sampled_from(WORDS + TYPED).map(lambda text: Said(text=text)),
    st.text(max_size=30).map(lambda text: Said(text=text)),
    st.sampled_from([*BUTTONS, "language:ar", "language:more", "way:human", "x", ":"]).map(lambda o: Chose(option=o)),
    st.sampled_from([Started(), Shared(), Shared(caption=STORY), Silent(), Silent(idle=True), HungUp()]),
    st.builds(CodeChecked, found=st.booleans(), waiting=st.integers(0, 2), known_to_staff=st.booleans()),
    st.builds(Withdrawn, at_once=st.booleans()),
)
TURNS = st.lists(
    st.tuples(EVENTS, st.sampled_from(MEANINGS), st.booleans(), st.sampled_from([0, 0, 0, 1, 12])), max_size=25
)


@settings(max_examples=300, deadline=None)
@given(TURNS, st.sampled_from(["sms", "voice", "telegram"]), st.sampled_from(list(Mode)))
def test_whatever_happens_nothing_is_lost_and_nobody_is_left_without_a_word(
    turns: Sequence[tuple[Event, Meaning, bool, int]], channel: str, mode: Mode
) -> None:
    talk = Talk(replace(LINE, channel=channel, mode=mode))
    for event, meaning, dangerous, hours in turns:
        urgent = dangerous and isinstance(event, Said | Shared)
        talk.later(hours).does(event, meaning, urgent=urgent)
        if isinstance(event, Shared) or (isinstance(event, Said) and event.text in WORDS):
            assert any(isinstance(e, Keep) and not e.choice for e in talk.effects), (event, talk.effects)
        if urgent:
            assert talk.of(Alert)
        assert_speaks(talk, event)
        assert len(talk.of(Ask)) <= 1
        assert talk.state.phase is not Phase.ASKING or talk.state.step in FLOW.steps


def assert_speaks(talk: Talk, event: Event) -> None:
    """The turn ends by asking, resting, or waiting for the vault; only silences and news of codes may go unanswered."""
    last = talk.effects[-1] if talk.effects else None
    quiet = isinstance(event, Silent | HungUp | CodeChecked | Withdrawn)
    assert isinstance(last, Ask | End | OpenCode | Withdraw) or quiet, (event, talk.effects)
    if isinstance(last, Ask):
        assert talk.state.phase is Phase.ASKING
    if isinstance(last, End):
        assert talk.state.phase in {Phase.ENDED, Phase.PARKED}


@given(st.text())
def test_reading_a_text_never_fails_and_is_the_same_twice(text: str) -> None:
    assert normal(normal(text)) == normal(text)
    assert weight(text) >= 0
