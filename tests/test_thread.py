"""A thread between two turns: the same after JSON, and without a word of the person."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.thread import Live, ThreadState
from dialogs.conversation import CodeState, Conversation, Mode, Phase, UnknownVersion
from triage.levels import Assessment, Level, Reason

TAGS = st.text("abcdefghijklmnopqrstuvwxyz._", max_size=12)
CONVERSATIONS = st.builds(
    Conversation,
    phase=st.sampled_from(Phase),
    step=TAGS,
    interrupted=st.lists(TAGS, max_size=3).map(tuple),
    language=st.sampled_from(["", "en", "zh"]),
    mode=st.sampled_from(Mode),
    chosen=st.dictionaries(TAGS, TAGS, max_size=4),
    filed=st.booleans(),
    code=st.sampled_from(CodeState),
    waiting=st.integers(0, 9),
    said=st.lists(TAGS, max_size=3).map(tuple),
    heard=st.just("2026-03-02T09"),
)
REASONS = st.lists(st.builds(Reason, rule=TAGS, level=st.sampled_from(Level), times=st.integers(1, 5)), max_size=3).map(
    tuple
)
ASSESSMENTS = st.none() | st.builds(
    Assessment, level=st.sampled_from(Level), reasons=REASONS, life_at_risk=st.booleans(), unread=st.booleans()
)
MINUTES = st.datetimes(timezones=st.just(UTC))
LIVES = st.builds(
    Live,
    id=st.uuids(),
    member=st.uuids(),
    channel=st.sampled_from(["sms", "telegram"]),
    address=st.just("+12025557001"),
    acted=MINUTES,
    heard=MINUTES,
)
THREADS = st.builds(
    ThreadState,
    conversation=CONVERSATIONS,
    assessment=ASSESSMENTS,
    code_end=st.sampled_from(["", "0123"]),
    waiting=st.lists(st.tuples(TAGS, st.text(max_size=20)), max_size=3).map(tuple),
    live=st.none() | LIVES,
    signed=st.none() | MINUTES,
    left_unsaid=st.booleans(),
)


@given(THREADS)
def test_a_thread_is_the_same_after_it_was_kept(thread: ThreadState) -> None:
    assert ThreadState.from_json(json.loads(json.dumps(thread.to_json()))) == thread


def test_the_words_that_gave_a_level_are_not_kept_with_the_thread() -> None:
    reason = Reason(rule="weapon", level=Level.EMERGENCY, words="he has a knife", times=2)
    thread = ThreadState(assessment=Assessment(level=Level.EMERGENCY, reasons=(reason,), life_at_risk=True))
    kept = thread.to_json()
    assert "knife" not in json.dumps(kept)
    again = ThreadState.from_json(kept).assessment
    assert again is not None
    assert again.reasons == (Reason(rule="weapon", level=Level.EMERGENCY, times=2),)
    assert (again.level, again.life_at_risk) == (Level.EMERGENCY, True)


def test_a_thread_shows_neither_code_nor_answers_when_printed() -> None:
    thread = ThreadState(code_end="7731", waiting=(("1", "we meet at six"),))
    assert "7731" not in repr(thread)
    assert "six" not in repr(thread)


def test_a_thread_from_the_future_is_refused_rather_than_guessed() -> None:
    kept = ThreadState().to_json()
    kept["conversation"]["version"] = 99
    with pytest.raises(UnknownVersion):
        ThreadState.from_json(kept)


def test_a_thread_in_which_staff_write_does_not_show_the_address_when_printed() -> None:
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    live = Live(id=uuid.uuid4(), member=uuid.uuid4(), channel="sms", address="+12025557001", acted=now, heard=now)
    assert "2025557001" not in repr(ThreadState(live=live))
