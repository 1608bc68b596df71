"""The unit and what goes on in it: conversations, messages, words that wait. All true together, or not at all."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from tests.vaults import START, Clock, every_key, rows
from vault import tables
from vault.errors import CannotOpen, EpochGone
from vault.keys import KeyRing, begin_epoch, destroy_epoch
from vault.pseudonyms import Pseudonym, Pseudonyms
from vault.sealing import unlock
from vault.unit import DATABASE_AWAY, Vault, database_engine, job_app

NUMBER = "+15550100777"
EVER = {"until": START + timedelta(days=9), "hurry": START}
STATE = {"step": "facts.where", "chosen": {"way": "report"}}


class Stop(Exception):
    """The middle of a unit."""


async def person(pseudonyms: Pseudonyms) -> tuple[Pseudonym, ...]:
    """The same person, in every epoch that can be read."""
    return await pseudonyms.of("sms", NUMBER)


async def turn_the_epoch(vault: Vault, pseudonyms: Pseudonyms) -> None:
    """Begin the next epoch."""
    vault.ring = begin_epoch(vault.ring)
    pseudonyms.use(vault.ring)


async def forget_the_first_epoch(vault: Vault, pseudonyms: Pseudonyms) -> None:
    """Begin the next epoch and destroy the first."""
    await turn_the_epoch(vault, pseudonyms)
    vault.ring = destroy_epoch(vault.ring, 1)
    pseudonyms.use(vault.ring)


# Conversations ----------------------------------------------------------------------------------------------------


async def test_a_conversation_is_found_again_as_it_was_left(vault: Vault, pseudonyms: Pseudonyms) -> None:
    who = await person(pseudonyms)
    async with vault.unit() as unit:
        case_id = unit.transaction.new_id()
        await unit.conversations.save(who[0], STATE, case_id, turns=3)
    async with vault.unit() as unit:
        thread = await unit.conversations.find(who)
    assert thread is not None
    assert (thread.pseudonym, thread.state, thread.case_id, thread.turns) == (who[0], STATE, case_id, 3)


async def test_a_conversation_is_kept_once_however_often_it_is_saved(vault: Vault, pseudonyms: Pseudonyms) -> None:
    who = await person(pseudonyms)
    for turns in (1, 2, 3):
        async with vault.unit() as unit:
            await unit.conversations.save(who[0], STATE, None, turns=turns)
    assert await rows(vault, "SELECT turns FROM conversations") == [(3,)]


async def test_nobody_finds_the_conversation_of_somebody_else(vault: Vault, pseudonyms: Pseudonyms) -> None:
    async with vault.unit() as unit:
        await unit.conversations.save((await person(pseudonyms))[0], STATE, None, turns=1)
        assert await unit.conversations.find(await pseudonyms.of("sms", "+15550100778")) is None
        assert await unit.conversations.find(await pseudonyms.of("voice", NUMBER)) is None


async def test_a_person_is_recognised_in_the_epoch_that_follows(vault: Vault, pseudonyms: Pseudonyms) -> None:
    before = await person(pseudonyms)
    async with vault.unit() as unit:
        await unit.conversations.save(before[0], STATE, None, turns=1)
    await turn_the_epoch(vault, pseudonyms)
    who = await person(pseudonyms)
    assert [p.epoch for p in who] == [2, 1]
    async with vault.unit() as unit:
        thread = await unit.conversations.find(who)
    assert thread is not None
    assert (thread.pseudonym, thread.state) == (before[0], STATE)


async def test_of_two_conversations_of_one_person_the_newer_goes_on(vault: Vault, pseudonyms: Pseudonyms) -> None:
    async with vault.unit() as unit:
        await unit.conversations.save((await person(pseudonyms))[0], {"step": "old"}, None, turns=1)
    await turn_the_epoch(vault, pseudonyms)
    who = await person(pseudonyms)
    async with vault.unit() as unit:
        await unit.conversations.save(who[0], {"step": "new"}, None, turns=1)
    async with vault.unit() as unit:
        thread = await unit.conversations.find(who)
        assert thread is not None
        assert thread.state == {"step": "new"}
        await unit.conversations.forget(who[0])
    async with vault.unit() as unit:
        left = await unit.conversations.find(who)
    assert left is not None
    assert left.state == {"step": "old"}


async def test_once_its_epoch_is_destroyed_nobody_is_recognised_and_nothing_opens(
    vault: Vault, pseudonyms: Pseudonyms
) -> None:
    before = await person(pseudonyms)
    async with vault.unit() as unit:
        await unit.conversations.save(before[0], STATE, None, turns=1)
    await forget_the_first_epoch(vault, pseudonyms)
    who = await person(pseudonyms)
    assert before[0] not in who
    async with vault.unit() as unit:
        assert await unit.conversations.find(who) is None
        assert await unit.conversations.by_token(before[0].value) is None  # a job that was told the old pseudonym
    ((epoch, sealed),) = await rows(vault, "SELECT epoch, sealed FROM conversations")
    with pytest.raises(EpochGone):
        vault.ring.unlock_in_epoch(epoch, sealed, f"conversation/{before[0].value.hex()}")
    for key in every_key(vault.ring):
        with pytest.raises(CannotOpen):
            unlock(sealed, key, f"conversation/{before[0].value.hex()}")


async def test_the_table_of_conversations_does_not_say_which_case_they_feed(
    vault: Vault, pseudonyms: Pseudonyms
) -> None:
    async with vault.unit() as unit:
        case_id = unit.transaction.new_id()
        await unit.conversations.save((await person(pseudonyms))[0], STATE, case_id, turns=1)
    (row,) = await rows(vault, "SELECT * FROM conversations")
    assert all(case_id.bytes not in value for value in row if isinstance(value, bytes))
    assert case_id not in row


async def test_a_moved_conversation_does_not_open_as_somebody_elses(vault: Vault, pseudonyms: Pseudonyms) -> None:
    one, other = (await person(pseudonyms))[0], (await pseudonyms.of("sms", "+15550100778"))[0]
    async with vault.unit() as unit:
        await unit.conversations.save(one, STATE, None, turns=1)
    async with vault.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE conversations SET pseudonym = %s", (other.value,))
    async with vault.unit() as unit:
        with pytest.raises(CannotOpen):
            await unit.conversations.find([other])


# Messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [{"text": "Is it safe to talk now?", "choices": []}, {}, None])
async def test_a_message_that_was_seen_gets_its_first_answer_again(
    vault: Vault, answer: dict[str, object] | None
) -> None:
    async with vault.unit() as unit:
        digest = unit.messages.digest("sms", "SM1")
        assert await unit.messages.seen(digest) is None
        await unit.messages.remember(digest, answer)
    async with vault.unit() as unit:
        seen = await unit.messages.seen(digest)
    assert seen is not None
    assert seen.answer == answer


async def test_the_same_id_on_another_channel_is_another_message(vault: Vault) -> None:
    async with vault.unit() as unit:
        await unit.messages.remember(unit.messages.digest("sms", "1"), None)
        assert await unit.messages.seen(unit.messages.digest("telegram", "1")) is None


async def test_a_message_is_remembered_once(vault: Vault) -> None:
    async with vault.unit() as unit:
        digest = unit.messages.digest("sms", "SM1")
        await unit.messages.remember(digest, {"text": "first"})
    with pytest.raises(IntegrityError):
        async with vault.unit() as unit:
            await unit.messages.remember(digest, {"text": "second"})
    async with vault.unit() as unit:
        seen = await unit.messages.seen(digest)
    assert seen is not None
    assert seen.answer == {"text": "first"}


async def test_an_answer_of_a_destroyed_epoch_is_not_repeated_but_the_message_stays_seen(
    vault: Vault, pseudonyms: Pseudonyms
) -> None:
    async with vault.unit() as unit:
        digest = unit.messages.digest("sms", "SM1")
        await unit.messages.remember(digest, {"text": "words"})
    await forget_the_first_epoch(vault, pseudonyms)
    async with vault.unit() as unit:
        seen = await unit.messages.seen(digest)
    assert seen is not None
    assert seen.answer is None


async def test_an_answer_that_nobody_asks_for_again_is_emptied_and_stays_seen(vault: Vault, clock: Clock) -> None:
    async with vault.unit() as unit:
        old = unit.messages.digest("sms", "SM1")
        await unit.messages.remember(old, {"text": "your code is"})
    clock.later(hours=2)
    async with vault.unit() as unit:
        new = unit.messages.digest("sms", "SM2")
        await unit.messages.remember(new, {"text": "thank you"})
        await unit.messages.forget_answers_before(clock.now - timedelta(hours=1))
        answers = [seen.answer if (seen := await unit.messages.seen(digest)) else "new" for digest in (old, new)]
    assert answers == [None, {"text": "thank you"}]
    assert len(await rows(vault, "SELECT 1 FROM messages WHERE sealed IS NULL")) == 1


async def test_the_provider_s_id_is_not_in_the_table(vault: Vault) -> None:
    async with vault.unit() as unit:
        await unit.messages.remember(unit.messages.digest("sms", "SM1234567890"), None)
    ((digest,),) = await rows(vault, "SELECT digest FROM messages")
    assert len(digest) == 32
    assert b"SM1234567890" not in digest


# Messages of a chat, words that wait -------------------------------------------------------------------------------


async def test_the_messages_of_a_chat_are_noted_once_and_removed_one_by_one(vault: Vault) -> None:
    async with vault.unit() as unit:
        for number in (7, 5, 7, 2**40):
            await unit.chat_messages.note(b"p" * 32, number)
        await unit.chat_messages.note(b"q" * 32, 6)
        assert await unit.chat_messages.some([b"p" * 32], 2, **EVER) == (2**40, 7)
        assert await unit.chat_messages.gone([b"p" * 32], [7, 2**40, 6]) == 2
        assert await unit.chat_messages.some([b"p" * 32], 9, **EVER) == (5,)
        assert await unit.chat_messages.some([b"q" * 32], 9, **EVER) == (6,)


async def test_messages_too_old_to_delete_are_forgotten(vault: Vault, clock: Clock) -> None:
    async with vault.unit() as unit:
        await unit.chat_messages.note(b"p" * 32, 1)
    clock.later(hours=2)
    async with vault.unit() as unit:
        await unit.chat_messages.note(b"p" * 32, 2)
        await unit.chat_messages.forget_before(START)
        assert await unit.chat_messages.some([b"p" * 32], 9, **EVER) == (2,)


async def test_words_wait_sealed_until_they_were_read(vault: Vault) -> None:
    async with vault.unit() as unit:
        case_id = unit.transaction.new_id()
        words = await unit.unread_words.put(case_id, "me tienen encerrada", "es")
    ((sealed,),) = await rows(vault, "SELECT sealed FROM unread_words")
    assert b"encerrada" not in sealed
    async with vault.unit() as unit:
        assert await unit.unread_words.look(words) == (case_id, "me tienen encerrada", "es")
        await unit.unread_words.done(words)
        assert await unit.unread_words.look(words) is None


async def test_words_of_a_destroyed_epoch_are_gone(vault: Vault, pseudonyms: Pseudonyms) -> None:
    async with vault.unit() as unit:
        words = await unit.unread_words.put(unit.transaction.new_id(), "words", "en")
    await forget_the_first_epoch(vault, pseudonyms)
    async with vault.unit() as unit:
        assert await unit.unread_words.look(words) is None


# One transaction ---------------------------------------------------------------------------------------------------


async def test_a_unit_that_fails_leaves_nothing_not_even_its_jobs(vault: Vault, pseudonyms: Pseudonyms) -> None:
    who = await person(pseudonyms)

    async def fail() -> None:
        async with vault.unit() as unit:
            await unit.conversations.save(who[0], STATE, None, turns=1)
            await unit.jobs.later("page", page="1")
            unit.audit.add("case.opened", "case:123456")
            await unit.audit.write()
            raise Stop

    with pytest.raises(Stop):
        await fail()
    for table in ("conversations", "procrastinate_jobs", "audit"):
        assert await rows(vault, f"SELECT * FROM {table}") == [], table  # noqa: S608 - fixed names


async def test_a_job_exists_from_the_moment_its_unit_is_committed(vault: Vault) -> None:
    async with vault.unit() as unit:
        await unit.jobs.later("wake", at=START + timedelta(minutes=3), lock="one at a time", alert="7", timer="2")
        assert await rows(vault, "SELECT * FROM procrastinate_jobs") == []
    ((task, args, at, lock),) = await rows(
        vault, "SELECT task_name, args, scheduled_at, lock FROM procrastinate_jobs WHERE status = 'todo'"
    )
    assert (task, args, lock) == ("wake", {"alert": "7", "timer": "2"}, "one at a time")
    assert at == START + timedelta(minutes=3)


async def test_jobs_that_were_given_up_are_counted(vault: Vault) -> None:
    async with vault.unit() as unit:
        await unit.jobs.later("page", page="1")
        await unit.jobs.later("page", page="2")
        assert await unit.jobs.failed() == 0
    async with vault.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE procrastinate_jobs SET status = 'failed' WHERE args->>'page' = '1'")
    async with vault.unit() as unit:
        assert await unit.jobs.failed() == 1


async def test_two_units_about_the_same_person_follow_each_other(vault: Vault) -> None:
    order: list[str] = []
    first_holds = asyncio.Event()

    async def first() -> None:
        async with vault.unit() as unit:
            await unit.lock(b"message", b"person")
            first_holds.set()
            await asyncio.sleep(0.1)
            order.append("first is done")

    async def second() -> None:
        await first_holds.wait()
        async with vault.unit() as unit:
            await unit.lock(b"person")
            order.append("second begins")

    await asyncio.gather(second(), first())
    assert order == ["first is done", "second begins"]


async def test_units_that_name_the_same_locks_in_another_order_do_not_block_each_other(vault: Vault) -> None:
    names = [b"a", b"b", b"c"]

    async def hold(turn: int) -> None:
        async with vault.unit() as unit:
            await unit.lock(*(names if turn % 2 else reversed(names)))
            await asyncio.sleep(0)

    async with asyncio.timeout(20):
        await asyncio.gather(*(hold(turn) for turn in range(12)))


async def test_the_same_message_twice_at_once_is_handled_once(vault: Vault) -> None:
    async def handle() -> str:
        async with vault.unit() as unit:
            digest = unit.messages.digest("sms", "SM1")
            await unit.lock(digest)
            seen = await unit.messages.seen(digest)
            if seen is not None and seen.answer:
                return str(seen.answer["text"])
            await asyncio.sleep(0.05)
            text = str(unit.transaction.new_id())
            await unit.messages.remember(digest, {"text": text})
            return text

    assert len(set(await asyncio.gather(*(handle() for _ in range(6))))) == 1


async def test_what_is_kept_of_a_person_s_doings_is_no_finer_than_the_minute(
    vault: Vault, pseudonyms: Pseudonyms
) -> None:
    async with vault.unit() as unit:
        await unit.conversations.save((await person(pseudonyms))[0], STATE, None, turns=1)
        await unit.messages.remember(unit.messages.digest("sms", "1"), None)
        await unit.unread_words.put(unit.transaction.new_id(), "words", "en")
        await unit.chat_messages.note(b"p" * 32, 1)
        await unit.copies.note("sms", ["messages/SM1"])
    times = await rows(
        vault,
        "SELECT touched_at FROM conversations UNION ALL SELECT received_at FROM messages UNION ALL "
        "SELECT created_at FROM unread_words UNION ALL SELECT sent_at FROM chat_messages UNION ALL "
        "SELECT seen_at FROM copies",
    )
    assert len(times) == 5
    assert all(at.second == at.microsecond == 0 for (at,) in times)


async def test_a_database_that_is_away_is_said_in_one_way(ring: KeyRing, clock: Clock) -> None:
    nowhere = "postgresql://127.0.0.1:1/nothing"
    vault = Vault(engine=database_engine(nowhere), jobs=job_app(nowhere), ring=ring, now=clock)
    with pytest.raises(DATABASE_AWAY):
        async with vault.unit():
            pass
    await vault.close()


async def test_an_error_of_the_database_does_not_quote_what_it_was_given(vault: Vault) -> None:
    row = {"digest": b"d" * 32, "epoch": 1, "sealed": b"a canary in words", "received_at": START}
    async with vault.engine.begin() as connection:
        await connection.execute(insert(tables.messages).values(row))
    with pytest.raises(IntegrityError) as caught:
        async with vault.engine.begin() as connection:
            await connection.execute(insert(tables.messages).values(row))
    assert "canary" not in str(caught.value)
    assert b"canary".hex() not in str(caught.value)
