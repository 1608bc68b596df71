"""Epochs: a returning person keeps the thread, an ended epoch is forgotten for good, and nothing stumbles over it.

Every place that can meet a destroyed epoch is in MEETINGS and in the tests of the jobs below it.
"""

import asyncio
import hashlib
import hmac
import json
import multiprocessing
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.chats import Chats
from bot.house import House
from bot.jobs import Jobs
from bot.keeping import Keeping, findings, watching
from bot.sending import Sending
from bot.turn import Turns
from channels.messages import Address, Answer, ChannelName, Incoming, IncomingKind
from channels.sms import Sms
from channels.twilio import Twilio, TwilioAccount
from tests.vaults import CHEAP, START, Clock, every_key, found_team, open_case, rows
from tests.world import World
from vault.codes import code_keys, possible_keys
from vault.delivery import OutboxKind, OutboxState
from vault.effort import choose, cpu_years
from vault.epochs import EpochPolicy, ends, next_epoch, note, over, turn
from vault.errors import CannotOpen, EpochGone, NoKeyRing, RingBehind
from vault.keys import (
    KeyRing,
    begin_epoch,
    destroy_epoch,
    forget_efforts,
    init_key_ring,
    read_key_ring,
    reread,
    set_effort,
)
from vault.pseudonyms import Pseudonym, Pseudonyms
from vault.sealing import Effort, stretch, unlock
from vault.unit import Unit, Vault, database_engine, job_app

NUMBER = "+15550100777"
STATE = {"step": "facts.where"}
POLICY = EpochPolicy(length=timedelta(days=30), grace=timedelta(days=7))
SECOND_PROCESS = 40  # changes of the ring that another process makes while we read


def dated(ring: KeyRing, at: datetime = START) -> KeyRing:
    """The same ring, all of whose epochs began at this moment: a file's date is an epoch's age."""
    for epoch in ring.epochs:
        os.utime(ring.directory / f"epoch-{epoch}", (at.timestamp(), at.timestamp()))
    return read_key_ring(ring.directory)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    """A fresh key ring whose first epoch began when the clock of these tests did."""
    return dated(init_key_ring(tmp_path / "keyring"))


async def another(vault: Vault, database_url: str) -> Vault:
    """The vault of another process: its own connections, its own copy of the ring in memory."""
    ring = read_key_ring(vault.ring.directory)
    return Vault(engine=database_engine(database_url), jobs=job_app(database_url), ring=ring, now=vault.now)


# The calendar ------------------------------------------------------------------------------------------------------


async def test_an_epoch_begins_when_its_time_has_come_and_not_before(vault: Vault, clock: Clock) -> None:
    clock.later(days=30, seconds=-1)
    assert (await turn(vault, POLICY)).begun == (1,)  # the first one is noted, late but once
    assert vault.ring.current == 1
    clock.later(seconds=1)
    assert (await turn(vault, POLICY)).begun == (2,)
    assert vault.ring.begun[2] == clock.now
    assert next_epoch(vault.ring, POLICY) == clock.now + POLICY.length


async def test_an_ended_epoch_is_destroyed_after_the_grace_period_and_not_before(vault: Vault, clock: Clock) -> None:
    clock.later(days=30)
    await turn(vault, POLICY)
    assert ends(vault.ring, POLICY, 1) == clock.now + POLICY.grace
    clock.later(days=7, seconds=-1)
    assert (await turn(vault, POLICY)).destroyed == ()
    assert sorted(vault.ring.epochs) == [1, 2]
    clock.later(seconds=1)
    assert (await turn(vault, POLICY)).destroyed == (1,)
    assert sorted(vault.ring.epochs) == [2]
    assert not (vault.ring.directory / "epoch-1").exists()


async def test_years_of_hourly_jobs_leave_at_most_two_epochs_and_a_line_for_each(vault: Vault, clock: Clock) -> None:
    for _ in range(60):
        clock.later(days=11)
        await turn(vault, POLICY)
        assert len(vault.ring.epochs) <= 2
    lines = await rows(vault, "SELECT action, subject FROM audit ORDER BY number")
    begun = [subject for action, subject in lines if action == "epoch.begun"]
    destroyed = [subject for action, subject in lines if action == "epoch.destroyed"]
    assert begun == [f"epoch:{n}" for n in range(1, vault.ring.current + 1)]
    assert destroyed == [f"epoch:{n}" for n in range(1, min(vault.ring.epochs))]
    assert len(begun) > 15


async def test_the_current_epoch_has_no_end_yet(ring: KeyRing) -> None:
    assert ends(ring, POLICY, 1) is None
    assert over(ring, POLICY, START + timedelta(days=1000)) == ()


async def test_two_processes_that_turn_at_once_turn_once(vault: Vault, clock: Clock, database_url: str) -> None:
    other = await another(vault, database_url)
    clock.later(days=30)
    await turn(vault, POLICY)
    await turn(other, POLICY)
    assert vault.ring.epochs == other.ring.epochs
    assert vault.ring.current == 2
    assert await rows(vault, "SELECT count(*) FROM audit WHERE subject = 'epoch:2'") == [(1,)]
    await other.close()


async def test_what_broke_off_between_key_and_note_is_noted_the_next_time(vault: Vault, clock: Clock) -> None:
    async with vault.unit() as unit:
        await unit.messages.remember(b"d" * 32, {"text": "a question"})
    destroy_epoch(begin_epoch(vault.ring, at=clock.now), 1)  # and the process dies here
    noted = await turn(vault, POLICY)
    assert (noted.destroyed, noted.rows) == ((1,), 1)
    assert (await turn(vault, POLICY)).destroyed == ()


# Several processes, one ring -----------------------------------------------------------------------------------------


async def test_a_process_notices_a_new_epoch_with_its_next_transaction(
    vault: Vault, pseudonyms: Pseudonyms, clock: Clock
) -> None:
    begin_epoch(vault.ring, at=clock.now)  # somebody else
    async with vault.unit() as unit:
        assert unit.transaction.ring.current == 2
    assert [p.epoch for p in await pseudonyms.of("sms", NUMBER)] == [2, 1]


async def test_a_row_of_an_epoch_that_began_a_moment_ago_opens(vault: Vault, database_url: str, clock: Clock) -> None:
    other = await another(vault, database_url)
    async with vault.unit() as unit:  # opened before the epoch began
        begin_epoch(other.ring, at=clock.now)
        async with other.unit() as theirs:
            parcel = await theirs.outbox.put(OutboxKind.ANSWER, "sms", NUMBER, {"text": "hello"})
        found = await unit.outbox.look(parcel)
    assert found is not None
    assert found.answer == {"text": "hello"}
    await other.close()


async def test_a_row_of_an_epoch_this_ring_never_had_is_not_called_gone(vault: Vault) -> None:
    async with vault.unit() as unit:
        parcel = await unit.outbox.put(OutboxKind.ANSWER, "sms", NUMBER, {"text": "hello"})
    async with vault.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE outbox SET epoch = 9")
    with pytest.raises(RingBehind, match="copy the key ring folder"):
        async with vault.unit() as unit:
            await unit.outbox.look(parcel)
    assert await rows(vault, "SELECT state FROM outbox") == [("waiting",)]


async def test_a_person_whose_name_was_made_before_the_epoch_turned_is_asked_for_again(
    vault: Vault, pseudonyms: Pseudonyms, clock: Clock
) -> None:
    before = await pseudonyms.of("sms", NUMBER)
    assert pseudonyms.are_current(before)
    begin_epoch(vault.ring, at=clock.now)
    assert not pseudonyms.are_current(before)
    assert pseudonyms.are_current(await pseudonyms.of("sms", NUMBER))


async def test_an_idle_process_drops_a_destroyed_epoch_from_its_memory(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.keeping._LOOK", 0.01)
    destroy_epoch(begin_epoch(house.vault.ring), 1)
    assert 1 in house.vault.ring.epochs
    async with watching(house):
        for _ in range(200):
            if 1 not in house.vault.ring.epochs:
                break
            await asyncio.sleep(0.01)
    assert sorted(house.vault.ring.epochs) == [2]


def test_a_ring_that_cannot_be_read_for_a_moment_is_used_as_it_was(ring: KeyRing) -> None:
    ring.directory.rename(ring.directory.with_name("away"))
    assert reread(ring) is ring
    ring.directory.with_name("away").rename(ring.directory)
    assert reread(ring) is ring


def _change_the_ring(directory: str) -> None:
    for _ in range(SECOND_PROCESS):
        ring = begin_epoch(read_key_ring(Path(directory)))
        destroy_epoch(ring, min(ring.epochs))


def test_whoever_reads_while_others_change_the_ring_never_sees_a_wrong_key(ring: KeyRing) -> None:
    secrets: dict[int, bytes] = {}
    writers = [
        multiprocessing.get_context("spawn").Process(target=_change_the_ring, args=(str(ring.directory),))
        for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    seen = 0
    while any(writer.is_alive() for writer in writers):
        ring = reread(ring)
        for epoch, secret in ring.epochs.items():
            assert secrets.setdefault(epoch, secret) == secret
        seen += 1
    assert [writer.exitcode for writer in writers] != [None, None]
    assert seen > SECOND_PROCESS
    assert len(read_key_ring(ring.directory).epochs) >= 1


def test_what_a_crash_left_of_a_key_is_destroyed_with_the_next_change(ring: KeyRing) -> None:
    left = ring.directory / ".epoch-1-0123456789abcdef"
    left.write_bytes(b"k" * 32)
    twin = ring.directory / ".epoch-1-fedcba9876543210"
    os.link(ring.directory / "epoch-1", twin)  # it was put in place, and only its draft was left over
    after = begin_epoch(ring)
    assert not left.exists()
    assert not twin.exists()
    assert after.epochs[1] == ring.epochs[1]


# Returning within the grace period -----------------------------------------------------------------------------------


@pytest.fixture
def texting(house: House) -> House:
    """The house with a real SMS channel; nothing in these tests is sent by it."""
    account = TwilioAccount(
        sid="AC" + "0" * 32, auth_token="t" * 32, api_url="http://127.0.0.1:1", public_url="http://x"
    )
    return replace(house, channels={ChannelName.SMS: Sms(Twilio(account), "+12025550100")})


async def says(house: House, text: str, number: int) -> Answer:
    """One text of the same person; gives the line's answer."""
    address = Address(channel=ChannelName.SMS, value=NUMBER)
    incoming = Incoming(id=f"SM{number}", address=address, kind=IncomingKind.TEXT, text=text)
    answer = await Turns(house).take(incoming)
    assert answer is not None
    return answer


async def test_whoever_comes_back_within_the_grace_period_keeps_the_thread(texting: House, clock: Clock) -> None:
    house = texting
    dated(house.vault.ring)
    await found_team(house.vault)
    first = await says(house, "hello", 1)
    second = await says(house, "1", 2)
    assert first.text != second.text
    clock.later(days=30)
    await turn(house.vault, POLICY)
    third = await says(house, "1", 3)
    assert third.text not in {first.text, second.text}  # the conversation went on, it did not begin anew
    assert await rows(house.vault, "SELECT epoch, turns FROM conversations") == [(2, 3)]
    clock.later(days=7)
    await turn(house.vault, POLICY)
    assert await rows(house.vault, "SELECT epoch, turns FROM conversations") == [(2, 3)]


async def test_whoever_comes_back_after_it_begins_anew_without_a_stumble(texting: House, clock: Clock) -> None:
    house = texting
    dated(house.vault.ring)
    await found_team(house.vault)
    first = await says(house, "hello", 1)
    await says(house, "1", 2)
    clock.later(days=30)
    await turn(house.vault, POLICY)
    clock.later(days=7)
    await turn(house.vault, POLICY)
    assert await rows(house.vault, "SELECT count(*) FROM conversations") == [(0,)]
    assert (await says(house, "hello", 3)).text == first.text
    assert await rows(house.vault, "SELECT epoch, turns FROM conversations") == [(2, 1)]


async def test_the_job_alone_moves_nothing_into_the_new_epoch(
    vault: Vault, pseudonyms: Pseudonyms, clock: Clock
) -> None:
    (who,) = await pseudonyms.of("sms", NUMBER)
    async with vault.unit() as unit:
        await unit.conversations.save(who, STATE, None, turns=1)
        await unit.messages.remember(b"d" * 32, {"text": "a question"})
    clock.later(days=30)
    await turn(vault, POLICY)
    assert await rows(vault, "SELECT epoch FROM conversations UNION ALL SELECT epoch FROM messages") == [(1,), (1,)]
    async with vault.unit() as unit:  # nor does the job that files a silent conversation
        thread = await unit.conversations.by_token(who.value)
        assert thread is not None
        await unit.conversations.save(thread.pseudonym, {"step": "filed"}, None, turns=1)
    assert await rows(vault, "SELECT epoch FROM conversations") == [(1,)]


# Forgetting ----------------------------------------------------------------------------------------------------------


async def fill(unit: Unit, who: Pseudonym) -> dict[str, Any]:
    """One row of everything that is locked in an epoch; gives their ids."""
    case = await open_case(unit)
    await unit.conversations.save(who, STATE, case.id, turns=1)
    await unit.messages.remember(b"d" * 32, {"text": "a question"})
    return {
        "case": case.id,
        "words": await unit.unread_words.put(case.id, "help", "en"),
        "answer": await unit.outbox.put(OutboxKind.ANSWER, "sms", NUMBER, {"text": "hello"}),
        "staff": await unit.outbox.put(
            OutboxKind.STAFF, "sms", NUMBER, {"text": "we are here"}, case_id=case.id, state=OutboxState.HELD
        ),
    }


async def test_once_an_epoch_is_destroyed_no_key_that_is_left_opens_what_was_locked_in_it(
    vault: Vault, pseudonyms: Pseudonyms, clock: Clock
) -> None:
    await found_team(vault)
    (who,) = await pseudonyms.of("sms", NUMBER)
    async with vault.unit() as unit:
        await fill(unit, who)
    copied = await rows(
        vault,
        "SELECT sealed, 'conversation/' || encode(pseudonym, 'hex') FROM conversations"
        " UNION ALL SELECT sealed, 'answer/' || encode(digest, 'hex') FROM messages"
        " UNION ALL SELECT sealed, 'unread/' || id FROM unread_words"
        " UNION ALL SELECT sealed, 'outbox/' || id FROM outbox",
    )
    assert len(copied) == 5
    before = vault.ring.epoch_key(1, "lock")
    assert all(
        json.loads(unlock(sealed, before, context)) for sealed, context in copied
    )  # the bytes are the right ones
    clock.later(days=30)
    await turn(vault, POLICY)
    clock.later(days=7)
    await turn(vault, POLICY)
    for sealed, context in copied:
        for key in every_key(vault.ring):
            with pytest.raises(CannotOpen):
                unlock(sealed, key, context)
    left = await rows(vault, "SELECT sealed FROM conversations UNION ALL SELECT sealed FROM messages")
    assert left == []
    assert await rows(vault, "SELECT kind, state, sealed FROM outbox") == [("staff", "failed", None)]
    assert await rows(vault, "SELECT count(*) FROM unread_words") == [(0,)]


async def test_once_an_epoch_is_destroyed_no_key_that_is_left_links_a_pseudonym_to_a_number(
    vault: Vault, pseudonyms: Pseudonyms
) -> None:
    (who,) = await pseudonyms.of("sms", NUMBER)
    digest = stretch(f"sms:{NUMBER}".encode(), vault.ring.salt, CHEAP)  # a thief who already suspects this number
    known = vault.ring.epoch_key(1, "pseudonym")
    assert hmac.digest(known, digest, hashlib.sha256) == who.value
    after = destroy_epoch(begin_epoch(vault.ring), 1)
    assert all(hmac.digest(key, digest, hashlib.sha256) != who.value for key in every_key(after))
    assert who not in await pseudonyms.of("sms", NUMBER)
    assert known not in {*every_key(after)}


Meeting = Callable[[Unit, dict[str, Any], Pseudonym], Awaitable[Any]]

MEETINGS: dict[str, tuple[Meeting, Any]] = {
    "conversations.find": (lambda u, _, who: u.conversations.find([who]), None),
    "conversations.by_token": (lambda u, _, who: u.conversations.by_token(who.value), None),
    "messages.seen": (lambda u, _i, _w: u.messages.seen(b"d" * 32), "Seen(answer"),
    "unread_words.look": (lambda u, ids, _: u.unread_words.look(ids["words"]), None),
    "outbox.look, an answer": (lambda u, ids, _: u.outbox.look(ids["answer"]), None),
    "outbox.look, staff's words": (lambda u, ids, _: u.outbox.look(ids["staff"]), None),
}


@pytest.mark.parametrize("place", MEETINGS)
async def test_every_place_that_meets_a_destroyed_epoch_goes_on(
    vault: Vault, pseudonyms: Pseudonyms, place: str
) -> None:
    await found_team(vault)
    (who,) = await pseudonyms.of("sms", NUMBER)
    async with vault.unit() as unit:
        ids = await fill(unit, who)
    destroy_epoch(begin_epoch(vault.ring), 1)  # the rows are still there: their job has not run
    meet, finds = MEETINGS[place]
    async with vault.unit() as unit:
        found = await meet(unit, ids, who)
    assert (found is None) if finds is None else (found is not None and found.answer is None)
    if place.startswith("outbox"):
        row_id = ids["staff" if "staff" in place else "answer"]
        assert await rows(vault, "SELECT state, sealed FROM outbox WHERE id = :id", id=row_id) == [("failed", None)]
    assert (await note(vault)).destroyed == (1,)


async def test_nothing_new_is_locked_in_an_epoch_that_is_gone(vault: Vault, pseudonyms: Pseudonyms) -> None:
    (who,) = await pseudonyms.of("sms", NUMBER)
    destroy_epoch(begin_epoch(vault.ring), 1)
    with pytest.raises(EpochGone):
        async with vault.unit() as unit:
            await unit.conversations.save(who, STATE, None, turns=1)


async def test_jobs_that_meet_a_destroyed_epoch_end_calmly_and_are_not_tried_again(house: House) -> None:
    await found_team(house.vault)
    (who,) = await house.pseudonyms.of("sms", NUMBER)
    async with house.vault.unit() as unit:
        ids = await fill(unit, who)
    destroy_epoch(begin_epoch(house.vault.ring), 1)
    jobs = Jobs(house)
    await jobs.read(str(ids["words"]))
    await jobs.rest(who.value.hex(), "1")
    for parcel in (ids["answer"], ids["staff"]):
        await Sending(house).deliver(str(parcel))
        await Chats(house).erase_chat(str(parcel))
    assert {s for (s,) in await rows(house.vault, "SELECT state FROM outbox")} == {"failed"}
    assert await rows(house.vault, "SELECT count(*) FROM procrastinate_jobs") == [(0,)]


async def test_the_hourly_job_turns_forgets_counts_and_is_harmless_when_repeated(house: House, clock: Clock) -> None:
    dated(house.vault.ring)
    await found_team(house.vault)
    (who,) = await house.pseudonyms.of("sms", NUMBER)
    async with house.vault.unit() as unit:
        await fill(unit, who)
    keeping = Keeping(house)
    clock.later(days=30)
    await keeping.keep(0)
    clock.later(days=7)
    await keeping.keep(0)
    await keeping.keep(0)
    assert house.counts["epoch_rows_removed"] == 4  # the handled message went as a trace a week before
    assert sorted(house.vault.ring.epochs) == [2]
    assert await rows(house.vault, "SELECT count(*) FROM audit WHERE action = 'epoch.destroyed'") == [(1,)]


# What a guess costs --------------------------------------------------------------------------------------------------


async def test_a_new_effort_loses_nobody(vault: Vault, clock: Clock, pseudonyms: Pseudonyms) -> None:
    (before,) = await pseudonyms.of("sms", NUMBER)
    costly = Effort(passes=3, lanes=1, memory=128)
    ring = set_effort(vault.ring, costly, at=clock.now)
    assert (ring.current, ring.effort_of(1), ring.effort_of(2)) == (2, Effort(), costly)
    fresh = Pseudonyms(ring, CHEAP, clock)  # another process, with nothing in its memory
    assert (await fresh.of("sms", NUMBER))[0].epoch == 2
    plain = Pseudonyms(ring, Effort(), clock)
    assert [p.epoch for p in await plain.of("sms", NUMBER)] == [2, 1]
    same = stretch(f"sms:{NUMBER}".encode(), ring.salt, costly)
    expected = hmac.digest(ring.epoch_key(2, "pseudonym"), same, hashlib.sha256)
    assert (await fresh.of("sms", NUMBER))[0].value == expected
    assert before.epoch == 1


async def test_return_codes_are_tried_with_every_effort_that_may_have_made_them(vault: Vault, clock: Clock) -> None:
    await found_team(vault)
    old, costly = "1234567890123452", Effort(passes=1, lanes=1, memory=16 * 1024)
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.codes.give(case.id, code_keys(old, vault.ring.salt, vault.ring.code_efforts[0]))
        await unit.codes.leave(case.id, "we are here")
    vault.ring = set_effort(vault.ring, costly, at=clock.now)
    assert vault.ring.code_efforts == (costly, Effort())
    candidates = possible_keys(old, vault.ring.salt, vault.ring.code_efforts)
    async with vault.unit() as unit:
        found = await unit.codes.match(candidates)
        assert found is not None
        assert found.case_id == case.id
        assert [answer.text for answer in await unit.codes.read(found.keys)] == ["we are here"]
        assert await unit.codes.match(possible_keys("1234567890123451", vault.ring.salt, [CHEAP])) is None
        assert await unit.codes.match(()) is None


async def test_an_effort_that_no_code_and_no_epoch_needs_is_dropped(ring: KeyRing, clock: Clock) -> None:
    costly = Effort(passes=3, lanes=1, memory=128)
    ring = set_effort(ring, costly, at=clock.now)
    made_before, made_after = clock.now - timedelta(days=1), clock.now + timedelta(days=1)
    assert forget_efforts(ring, oldest_code=None) is ring  # epoch 1 is still readable
    ring = destroy_epoch(ring, 1)
    assert forget_efforts(ring, oldest_code=made_before) is ring
    assert forget_efforts(ring, oldest_code=made_after).code_efforts == (costly,)
    assert read_key_ring(ring.directory).effort_of(2) == costly


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"[1]", b'[{"epoch": 1}]', b"\xff", b'[{"epoch":"x"}]'])
def test_an_effort_file_that_is_not_whole_is_refused(ring: KeyRing, raw: bytes) -> None:
    (ring.directory / "effort").write_bytes(raw)
    with pytest.raises(NoKeyRing):
        read_key_ring(ring.directory)


@pytest.mark.parametrize("target", [0.001, 0.03, 0.05, 0.2, 1.0])
def test_the_chosen_effort_costs_what_was_asked_for_and_never_less_than_at_the_beginning(target: float) -> None:
    def cost(effort: Effort) -> float:
        return effort.passes * effort.memory * 4e-7  # seconds

    effort, seconds = choose(target, cost)
    assert seconds == cost(effort) >= target
    assert effort.passes * effort.memory >= Effort().passes * Effort().memory
    assert seconds < target * 2.1 or effort == Effort()


def test_a_machine_that_is_too_fast_is_not_measured_for_ever() -> None:
    effort, seconds = choose(10.0, lambda e: e.passes * 1e-6)
    assert seconds < 10
    assert effort.passes == 200


def test_calibrating_measures_this_very_machine() -> None:
    effort, seconds = choose(0.05)
    assert seconds >= 0.05
    assert effort.memory >= Effort().memory
    assert 1.0 < cpu_years(seconds, 1e9) < 1000


# Doctor --------------------------------------------------------------------------------------------------------------


async def said(house: House) -> Sequence[tuple[str, str]]:
    async with house.vault.unit() as unit:
        return await findings(house, unit)


async def test_doctor_tells_ages_and_the_next_turn_and_when_a_turn_is_late(house: House, clock: Clock) -> None:
    dated(house.vault.ring)
    clock.later(days=3)
    assert ("epochs: 1 (3 days old); next 2026-04-01", "") in await said(house)
    clock.later(days=27, hours=4)
    (found,) = [remedy for what, remedy in await said(house) if what.startswith("epochs")]
    assert "does a worker run?" in found
    await turn(house.vault, house.line.retention.policy.epochs)
    assert all(remedy == "" for what, remedy in await said(house) if what.startswith("epochs"))


# Real processes ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.xdist_group("world")
@pytest.mark.asyncio(loop_scope="session")
async def test_running_processes_notice_a_rotation_without_a_restart_and_without_losing_a_turn(world: World) -> None:
    person, directory = world.phone(), world.home / "keyring"

    async def threads() -> list[tuple[Any, ...]]:
        names = await Pseudonyms(read_key_ring(directory), Effort(), lambda: START).of("sms", person.number)
        found = [world.rows("SELECT epoch, turns FROM conversations WHERE pseudonym = %s", n.value) for n in names]
        return [row for rows_of_one in found for row in rows_of_one]

    await person.text("hello")
    first = await person.receives(within=15)
    before = read_key_ring(directory).current
    command = (sys.executable, "-m", "bot", "keys", "rotate")
    child = await asyncio.create_subprocess_exec(*command, env=world.web.environment, stdout=PIPE)
    assert b"began" in (await child.communicate())[0]
    await person.text("1")
    assert (await person.receives(within=15)).text != first.text
    assert await threads() == [(before + 1, 2)]
