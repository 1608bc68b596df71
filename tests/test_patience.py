"""Patience: what one sender, and all together, may cost; and that a flood makes nothing be lost."""

import asyncio
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import patience
from bot.house import House
from bot.patience import AT_ONCE, EVENTS, GUESSES, HONEST, SHARED, Buckets, Pace, Patience
from bot.turn import Turns
from channels.messages import Address, ChannelName, Incoming, IncomingKind
from dialogs.conversation import CodeState, Conversation, Phase
from tests.channel_bench import way
from tests.vaults import START, Clock, found_team, open_case, rows
from understanding.meaning import Meaning
from understanding.understand import Understanding
from vault.codes import code_keys, new_code

PACE = Pace(burst=3, every=timedelta(minutes=1))
PERSON = Address(channel=ChannelName.SMS, value="+12025550123")
A_STORY = "The owner keeps our papers and locks the barn at night"


def text(words: str, number: int, address: Address = PERSON) -> Incoming:
    """One text message."""
    return Incoming(id=f"SM{number}", address=address, kind=IncomingKind.TEXT, text=words)


# Counting --------------------------------------------------------------------------------------------------------


def test_so_many_at_once_and_then_one_each_time_that_it_has_grown_again() -> None:
    buckets = Buckets(PACE)
    assert [buckets.take(b"a", START) for _ in range(5)] == [3, 2, 1, 0, 0]
    assert buckets.take(b"b", START) == 3, "another sender has their own"
    assert buckets.take(b"a", START + timedelta(seconds=59)) == 0
    assert buckets.take(b"a", START + timedelta(seconds=61)) == 1
    assert buckets.take(b"a", START + timedelta(days=1)) == 3


@given(st.lists(st.integers(-300, 300), max_size=60))
def test_however_the_clock_jumps_nobody_gets_more_than_the_pace_allows(steps: list[int]) -> None:
    buckets, now, forward, taken = Buckets(PACE), START, 0, 0
    for step in steps:
        now += timedelta(seconds=step)
        forward += max(step, 0)
        taken += buckets.take(b"a", now) > 0
    assert taken <= PACE.burst + forward / PACE.every.total_seconds() + 1e-6


def test_no_more_senders_are_remembered_than_there_is_room_for() -> None:
    buckets = Buckets(PACE, most=100)
    for number in range(1000):
        buckets.take(number.to_bytes(4), START)
    assert len(buckets) == 100
    counting = Patience(most=100)
    for number in range(1000):
        counting.judge(number.to_bytes(4), str(number), START, guess=True)
    assert len(counting._events) == len(counting._guesses) == len(counting._verdicts) == 100


def test_who_has_been_silent_is_forgotten() -> None:
    buckets = Buckets(PACE)
    for number in range(50):
        buckets.take(number.to_bytes(4), START)
    buckets.take(b"later", START + PACE.burst * PACE.every)
    assert len(buckets) == 1


def test_what_patience_holds_is_not_shown() -> None:
    counting = Patience()
    counting.judge(b"WHO", "sms/EVENT", START, guess=True)
    assert "WHO" not in repr(counting)
    assert "EVENT" not in repr(counting)


# Guessing --------------------------------------------------------------------------------------------------------


def test_one_sender_tries_six_codes_and_then_one_each_ten_minutes() -> None:
    counting = Patience()

    def may(number: int, minutes: float = 0) -> bool:
        return counting.judge(b"a", str(number), START + timedelta(minutes=minutes), guess=True).may_try

    assert [may(n) for n in range(8)] == [True] * GUESSES.burst + [False] * 2
    assert [may(8, 9.9), may(9, 10.1), may(10, 10.2)] == [False, True, False]


def test_a_thousand_numbers_cannot_try_more_together_than_three_each_and_the_shared_ones() -> None:
    counting, tried, events = Patience(), 0, 0
    for sender in range(1000):
        for _ in range(10):
            events += 1
            tried += counting.judge(sender.to_bytes(4), str(events), START, guess=True).may_try
    assert tried == 1000 * HONEST + SHARED.burst


def test_the_first_three_tries_of_a_person_wait_for_nobody() -> None:
    counting = Patience()
    for sender in range(500):
        for number in range(GUESSES.burst):
            counting.judge(sender.to_bytes(4), f"{sender}/{number}", START, guess=True)
    tries = [counting.judge(b"me", f"me/{number}", START, guess=True).may_try for number in range(4)]
    assert tries == [True, True, True, False]


def test_words_and_mistyped_codes_are_no_tries() -> None:
    counting = Patience()
    for number in range(20):
        counting.judge(b"a", str(number), START, guess=False)
    assert counting.judge(b"a", "now", START, guess=True).may_try


def test_an_event_that_is_handed_over_again_counts_once() -> None:
    """Telegram repeats what was not taken, and a turn reads again when an epoch began meanwhile."""
    counting = Patience()
    verdicts = {counting.judge(b"a", "same", START, guess=True) for _ in range(200)}
    assert [verdict.may_try for verdict in verdicts] == [True]
    assert not counting.judge(b"a", "other", START, guess=False).flooding


async def test_only_two_codes_are_derived_at_once_and_the_others_wait_their_turn() -> None:
    counting, running, most = Patience(), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    await asyncio.gather(*(counting.slowly(work) for _ in range(12)))
    assert most == AT_ONCE


async def test_who_waits_too_long_for_their_turn_is_answered_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "QUEUE", 0.05)
    line = await texting(house)
    blocked = threading.Event()
    busy = [asyncio.create_task(line.patience.slowly(blocked.wait)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    answer = await Turns(line).take(text(new_code(), 1))
    blocked.set()
    await asyncio.gather(*busy)
    assert answer is not None
    assert line.counts["codes_limited"] == 1
    assert (await Turns(line).take(text(new_code(), 2))) == answer


async def test_the_right_code_beyond_the_limit_opens_nothing_and_opens_again_when_time_has_passed(
    house: House, clock: Clock
) -> None:
    line = await texting(house)
    code, ring = new_code(), house.vault.ring
    async with house.vault.unit() as unit:
        await unit.codes.give((await open_case(unit)).id, code_keys(code, ring.salt, ring.code_efforts[0]))
    for number in range(GUESSES.burst):
        await Turns(line).take(text(new_code(), number))
    await Turns(line).take(text(code, 100))
    assert (line.counts["codes_limited"], await opened(line)) == (1, False)
    clock.later(minutes=11)
    await Turns(line).take(text(code, 101))
    assert await opened(line)


# Flooding --------------------------------------------------------------------------------------------------------


class Listening(Understanding):
    """Counts what it was given to read."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []

    async def understand(
        self, text: str, *, languages: tuple[str, ...], hint: str | None = None, budget: float = 0.3
    ) -> Meaning:
        self.given.append(text)
        return await super().understand(text, languages=languages, hint=hint, budget=budget)


async def texting(house: House, reader: Understanding | None = None) -> House:
    """The house with an SMS channel and a team; `reader` reads the words."""
    await found_team(house.vault)
    channels = {ChannelName.SMS: way(ChannelName.SMS).adapter}
    return replace(house, channels=channels, understanding=reader or house.understanding)


async def opened(house: House, address: Address = PERSON) -> bool:
    """The person's thread leads to a case."""
    async with house.vault.unit() as unit:
        found = await unit.conversations.find(await house.pseudonyms.of(address.channel, address.value))
    return found is not None and found.case_id is not None


async def test_beyond_thirty_a_minute_every_text_is_kept_and_none_is_read_before_a_job_reads_it(house: House) -> None:
    reader = Listening()
    line = await texting(house, reader)
    turns, beyond = Turns(line), 12
    for number in range(EVENTS.burst + beyond):
        assert await turns.take(text(f"{A_STORY} {number}", number)) is not None
    assert len(reader.given) == EVENTS.burst
    assert line.counts["events_flooding"] == beyond
    words = "SELECT count(*) FROM entries e JOIN cases c ON c.id = e.case_id"
    ((kept,),) = await rows(line.vault, words)
    assert kept >= EVENTS.burst + beyond
    assert await rows(line.vault, "SELECT count(*) FROM cases") == [(1,)]
    # This house's engine was never started, so what came before the flood waits for it too.
    ((unread,),) = await rows(line.vault, "SELECT count(*) FROM unread_words")
    ((jobs,),) = await rows(line.vault, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'read'")
    assert (unread, jobs) == (EVENTS.burst + beyond,) * 2


async def test_a_flood_of_one_sender_slows_no_other(house: House) -> None:
    reader = Listening()
    line = await texting(house, reader)
    for number in range(EVENTS.burst + 5):
        await Turns(line).take(text(A_STORY, number))
    before = len(reader.given)
    await Turns(line).take(text("help me", 999, Address(channel=ChannelName.SMS, value="+12025550124")))
    assert len(reader.given) == before + 1


async def test_an_emergency_number_alone_is_a_cry_for_help_also_in_a_flood(house: House) -> None:
    line = await texting(house)
    for number in range(EVENTS.burst + 3):
        await Turns(line).take(text(A_STORY, number))
    await Turns(line).take(text("911", 999))
    assert await rows(line.vault, "SELECT count(*) FROM alerts") == [(1,)]


async def test_no_new_code_is_made_for_a_flooder_who_is_asked_again_instead(house: House, clock: Clock) -> None:
    line = await texting(house)
    await Turns(line).take(text(A_STORY, 1))
    offered = await at_the_offer(line)
    for number in range(100):
        line.patience.judge((await who(line)), f"flood/{number}", clock.now, guess=False)
    again = await Turns(line).take(text("1", 2))
    assert again is not None
    assert [choice.id for choice in again.choices][:2] == offered
    assert await rows(line.vault, "SELECT count(*) FROM codes") == [(0,)]
    clock.later(minutes=5)
    given_now = await Turns(line).take(text("1", 3))
    assert given_now != again
    assert await rows(line.vault, "SELECT count(*) FROM codes") == [(1,)]


async def who(house: House) -> bytes:
    """The person's pseudonym."""
    return (await house.pseudonyms.of(PERSON.channel, PERSON.value))[0].value


async def at_the_offer(house: House) -> list[str]:
    """Put the person before the question whether they want a code; gives the choices' ids."""
    async with house.vault.unit() as unit:
        found = await unit.conversations.find(await house.pseudonyms.of(PERSON.channel, PERSON.value))
        assert found is not None
        talk = Conversation.from_json(found.state["conversation"]).but(
            phase=Phase.ASKING, step="code.offer", language="en", ask_safe=False, code=CodeState.NONE
        )
        state = {**found.state, "conversation": talk.to_json()}
        await unit.conversations.save(found.pseudonym, state, found.case_id, turns=found.turns)
    return ["code.offer:yes", "code.offer:no"]
