"""What is on its way out, what waits under a return code, and what providers still hold."""

import pytest
from sqlalchemy import text

from tests.vaults import CHEAP, START, Clock, every_key, found_team, open_case, rows
from vault.codes import CodeKeys, code_keys, new_code
from vault.delivery import OutboxKind, OutboxState
from vault.errors import CannotOpen
from vault.keys import begin_epoch, destroy_epoch
from vault.sealing import PrivateKey, open_sealed, unlock
from vault.unit import Vault

NUMBER = "+15550100777"
ANSWER = {"text": "we can meet you at six", "language": "en"}
FULL = (OutboxState.WAITING, OutboxState.HELD)


def keys_of(body: int) -> CodeKeys:
    """The keys of a return code."""
    return code_keys(new_code(lambda _: body), b"s" * 16, CHEAP)


# Outbox -----------------------------------------------------------------------------------------------------------


async def test_what_is_to_be_sent_is_sealed_until_the_provider_has_it(vault: Vault) -> None:
    async with vault.unit() as unit:
        parcel = await unit.outbox.put(OutboxKind.ANSWER, "sms", NUMBER, ANSWER)
    ((sealed,),) = await rows(vault, "SELECT sealed FROM outbox")
    assert NUMBER.encode() not in sealed
    async with vault.unit() as unit:
        found = await unit.outbox.look(parcel)
        assert found is not None
        assert (found.kind, found.channel, found.value, found.answer) == (OutboxKind.ANSWER, "sms", NUMBER, ANSWER)
        assert (found.state, found.tries) == (OutboxState.WAITING, 0)
        assert NUMBER not in repr(found)
        assert "six" not in repr(found)
        await unit.outbox.set(parcel, OutboxState.ACCEPTED, tried=True)
        assert await unit.outbox.look(parcel) is None
    assert await rows(vault, "SELECT sealed, state, tries FROM outbox") == [(None, "accepted", 1)]


@pytest.mark.parametrize("state", OutboxState)
async def test_only_what_may_still_go_out_keeps_its_contents(vault: Vault, state: OutboxState) -> None:
    async with vault.unit() as unit:
        put = await unit.outbox.put(OutboxKind.STAFF, "sms", NUMBER, ANSWER, state=state)
        became = await unit.outbox.put(OutboxKind.STAFF, "sms", NUMBER, ANSWER)
        await unit.outbox.set(became, state)
        for parcel in (put, became):
            assert (await unit.outbox.look(parcel) is not None) == (state in FULL)
    full = await rows(vault, "SELECT 1 FROM outbox WHERE sealed IS NOT NULL")
    assert len(full) == (2 if state in FULL else 0)


async def test_a_failed_try_counts_and_leaves_the_parcel_waiting(vault: Vault) -> None:
    async with vault.unit() as unit:
        parcel = await unit.outbox.put(OutboxKind.ANSWER, "sms", NUMBER, ANSWER)
        for _ in range(2):
            await unit.outbox.set(parcel, OutboxState.WAITING, error=20429, tried=True)
        found = await unit.outbox.look(parcel)
    assert found is not None
    assert (found.tries, found.answer) == (2, ANSWER)


@pytest.mark.parametrize(
    ("news", "ends"),
    [
        ((OutboxState.REACHED, OutboxState.ACCEPTED), OutboxState.REACHED),  # news overtook our own note
        ((OutboxState.FAILED, OutboxState.ACCEPTED), OutboxState.FAILED),
        ((OutboxState.ACCEPTED, OutboxState.FAILED, OutboxState.REACHED), OutboxState.REACHED),
        ((OutboxState.ACCEPTED, OutboxState.REACHED, OutboxState.FAILED), OutboxState.REACHED),
        ((OutboxState.ACCEPTED, OutboxState.ACCEPTED), OutboxState.ACCEPTED),
    ],
)
async def test_news_in_the_wrong_order_never_takes_a_parcel_back(
    vault: Vault, news: tuple[OutboxState, ...], ends: OutboxState
) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)
        parcel = await unit.outbox.put(OutboxKind.STAFF, "sms", NUMBER, ANSWER, case_id=case.id)
        for state in news:
            await unit.outbox.set(parcel, state)
        assert await unit.outbox.of_case(case.id) == {parcel: ends}


async def test_news_of_something_unknown_changes_nothing(vault: Vault) -> None:
    async with vault.unit() as unit:
        assert await unit.outbox.set(unit.transaction.new_id(), OutboxState.REACHED) is None
        assert await unit.outbox.look(unit.transaction.new_id()) is None


async def test_what_was_held_goes_out_when_the_person_writes_and_only_theirs(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        case, other = await open_case(unit), await open_case(unit)
        put = unit.outbox.put
        held = await put(OutboxKind.STAFF, "sms", NUMBER, ANSWER, case_id=case.id, state=OutboxState.HELD)
        left = await put(OutboxKind.STAFF, "sms", NUMBER, ANSWER, case_id=case.id, state=OutboxState.LEFT)
        theirs = await put(OutboxKind.STAFF, "sms", NUMBER, ANSWER, case_id=other.id, state=OutboxState.HELD)
        assert await unit.outbox.release(case.id) == (held,)
        assert await unit.outbox.release(case.id) == ()
        found = await unit.outbox.look(held)
        assert found is not None
        assert (found.state, found.case_id, found.answer) == (OutboxState.WAITING, case.id, ANSWER)
        assert await unit.outbox.of_case(case.id) == {held: OutboxState.WAITING, left: OutboxState.LEFT}
        assert await unit.outbox.of_case(other.id) == {theirs: OutboxState.HELD}


async def test_a_parcel_of_a_destroyed_epoch_has_failed_and_nothing_opens_it(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)
        parcel = await unit.outbox.put(OutboxKind.STAFF, "sms", NUMBER, ANSWER, case_id=case.id)
    ((sealed,),) = await rows(vault, "SELECT sealed FROM outbox")
    vault.ring = destroy_epoch(begin_epoch(vault.ring), 1)
    async with vault.unit() as unit:
        assert await unit.outbox.look(parcel) is None
        assert await unit.outbox.of_case(case.id) == {parcel: OutboxState.FAILED}
    assert await rows(vault, "SELECT sealed FROM outbox") == [(None,)]
    for key in every_key(vault.ring):
        with pytest.raises(CannotOpen):
            unlock(sealed, key, f"outbox/{parcel}")


# Return codes -----------------------------------------------------------------------------------------------------


async def test_a_code_leads_to_its_case_and_a_newer_code_replaces_it(vault: Vault) -> None:
    await found_team(vault)
    first, second = keys_of(1), keys_of(2)
    async with vault.unit() as unit:
        case = await open_case(unit)
        assert await unit.codes.find(first.locator) is None
        await unit.codes.give(case.id, first)
        assert await unit.codes.find(first.locator) == case.id
        await unit.codes.give(case.id, second)
        assert await unit.codes.find(first.locator) is None
        assert await unit.codes.find(second.locator) == case.id


async def test_a_case_without_a_code_takes_no_waiting_answer(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        assert not await unit.codes.leave((await open_case(unit)).id, "words")
    assert await rows(vault, "SELECT * FROM waiting_answers") == []


async def test_answers_wait_under_the_code_in_order_until_they_were_said(vault: Vault, clock: Clock) -> None:
    await found_team(vault)
    keys = keys_of(1)
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.codes.give(case.id, keys)
    texts = [f"answer {number}" for number in range(6)]
    for words in texts:
        clock.later(seconds=5)  # most of them within one minute
        async with vault.unit() as unit:
            assert await unit.codes.leave(case.id, words)
    async with vault.unit() as unit:
        waiting = await unit.codes.read(keys)
        assert [answer.text for answer in waiting] == texts
        await unit.codes.said([waiting[0].id, waiting[1].id])
        assert [answer.text for answer in await unit.codes.read(keys)] == texts[2:]
        assert await unit.codes.read(keys_of(2)) == ()
        assert texts[0] not in repr(waiting)


async def test_an_answer_left_while_others_are_said_goes_on_waiting(vault: Vault) -> None:
    await found_team(vault)
    keys = keys_of(1)
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.codes.give(case.id, keys)
        await unit.codes.leave(case.id, "first")
    async with vault.unit() as unit:
        waiting = await unit.codes.read(keys)
        async with vault.unit() as other:
            await other.codes.leave(case.id, "second")
        await unit.codes.said([answer.id for answer in waiting])
    async with vault.unit() as unit:
        assert [answer.text for answer in await unit.codes.read(keys)] == ["second"]


async def test_a_code_that_staff_know_lives_until_the_person_has_shown_one_of_their_own(vault: Vault) -> None:
    await found_team(vault)
    theirs, own, newer = keys_of(1), keys_of(2), keys_of(3)
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.codes.give(case.id, theirs, known_to_staff=True)
        await unit.codes.settle(case.id)  # there is no other yet: nobody is locked out
        for keys in (own, newer):  # the message with `own` got lost
            await unit.codes.give(case.id, keys)
            match = await unit.codes.match([theirs])
            assert match
            assert match.known_to_staff
        assert await unit.codes.match([own]) is None
        await unit.codes.settle(case.id)
        assert await unit.codes.match([theirs]) is None
        match = await unit.codes.match([newer])
        assert match
        assert not match.known_to_staff


async def test_while_a_case_has_two_codes_an_answer_waits_under_both(vault: Vault) -> None:
    await found_team(vault)
    theirs, own = keys_of(1), keys_of(2)
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.codes.give(case.id, theirs, known_to_staff=True)
        await unit.codes.leave(case.id, "from before")
        await unit.codes.give(case.id, own)
        assert len(await unit.codes.pass_on(case.id, ["from before"])) == 1
        await unit.codes.leave(case.id, "from after")
        for keys in (theirs, own):
            assert [answer.text for answer in await unit.codes.read(keys)] == ["from before", "from after"]
        await unit.codes.settle(case.id)
        assert await unit.codes.read(theirs) == ()
        assert [answer.text for answer in await unit.codes.read(own)] == ["from before", "from after"]


async def test_an_answer_under_a_code_opens_with_that_code_alone(vault: Vault) -> None:
    team = await found_team(vault)
    keys = keys_of(1)
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.codes.give(case.id, keys)
        await unit.codes.leave(case.id, "we can meet you at six")
        case_key = await unit.cases.key(case, team)
    ((row, sealed),) = await rows(vault, "SELECT id, sealed FROM waiting_answers")
    assert open_sealed(sealed, keys.private, f"waiting/{row}") == b"we can meet you at six"
    for key in (
        case_key,
        *team.values(),
        keys_of(2).private,
        *(PrivateKey((k * 3)[:96]) for k in every_key(vault.ring)),
    ):
        with pytest.raises(CannotOpen):
            open_sealed(sealed, key, f"waiting/{row}")


async def test_the_code_itself_is_nowhere_in_the_database(vault: Vault) -> None:
    await found_team(vault)
    code = new_code()
    async with vault.unit() as unit:
        await unit.codes.give((await open_case(unit)).id, code_keys(code, vault.ring.salt, CHEAP))
    ((row,),) = await rows(vault, "SELECT codes::text FROM codes")
    assert code not in row
    assert code.encode().hex() not in row


# Provider copies --------------------------------------------------------------------------------------------------


async def test_a_copy_is_entered_once_and_held_until_the_provider_confirms(vault: Vault, clock: Clock) -> None:
    async with vault.unit() as unit:
        assert await unit.copies.held() == (0, None)
        first, second = await unit.copies.note("sms", ["messages/SM1", "messages/SM2", "messages/SM1"])
    clock.later(minutes=10)
    async with vault.unit() as unit:
        (third,) = await unit.copies.note("sms", ["messages/SM1", "calls/CA1"])
        assert [await unit.copies.trying(first) for _ in range(2)] == [1, 2]
        assert await unit.copies.held() == (3, START.replace(minute=0, second=0, microsecond=0))
        assert await unit.copies.look(first) == ("sms", "messages/SM1")
        for copy in (first, second):
            await unit.copies.gone(copy)
        assert (await unit.copies.held())[0] == 1
        assert await unit.copies.look(first) is None, "its id goes with it"
        assert await unit.copies.look(third) == ("sms", "calls/CA1")


async def test_a_provider_s_ids_are_not_in_the_database_in_clear(vault: Vault) -> None:
    async with vault.unit() as unit:
        (copy,) = await unit.copies.note("sms", ["messages/SMcanary"])
    ((row,),) = await rows(vault, "SELECT copies::text FROM copies")
    assert "SMcanary" not in row
    assert b"SMcanary".hex() not in row
    assert copy in row, "jobs name it by a keyed digest"


async def test_erasing_a_case_takes_its_entries_grants_codes_and_answers_along(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.codes.give(case.id, keys_of(1))
        await unit.codes.leave(case.id, "words")
    async with vault.engine.begin() as connection:
        await connection.execute(text("DELETE FROM cases"))
    for table in ("grants", "codes", "waiting_answers", "entries"):
        assert await rows(vault, f"SELECT 1 FROM {table}") == [], table  # noqa: S608 - fixed names
