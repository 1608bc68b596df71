"""Cases: only a team that was granted the key opens them, entries are numbered without gaps, codes are unique."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update

from tests.vaults import START, Clock, every_key, found_team, open_case, rows
from triage.levels import Level
from triage.review import CaseState
from vault import tables
from vault.cases import Entry, EntryKind, Reason
from vault.errors import CannotOpen, Conflict, NoTeam, NotFound
from vault.glance import newest
from vault.sealing import PrivateKey, new_private_key, open_sealed, unlock
from vault.unit import Vault

WORDS = Entry(kind=EntryKind.PERSON, text="me quitaron el pasaporte", step="report.what", language="es", channel="sms")
NOTE = Entry(kind=EntryKind.NOTE, text="call the shelter", author="rosa")


# Opening ----------------------------------------------------------------------------------------------------------


async def test_what_nobody_could_open_is_not_kept(vault: Vault) -> None:
    async with vault.unit() as unit:
        assert await unit.cases.teams() == 0
    with pytest.raises(NoTeam):
        async with vault.unit() as unit:
            await open_case(unit)
    assert await rows(vault, "SELECT * FROM cases") == []


async def test_a_retired_team_counts_as_none(vault: Vault) -> None:
    await found_team(vault)
    async with vault.engine.begin() as connection:
        await connection.execute(update(tables.teams).values(retired_at=START))
    with pytest.raises(NoTeam):
        async with vault.unit() as unit:
            await open_case(unit)


async def test_every_team_can_open_a_case_by_itself(vault: Vault) -> None:
    first, second = await found_team(vault), await found_team(vault)
    async with vault.unit() as unit:
        assert await unit.cases.teams() == 2
        case = await open_case(unit)
        await unit.cases.add(case, WORDS)
        for team in (first, second, first | second):
            (entry,) = await unit.cases.read(case, await unit.cases.key(case, team))
            assert entry.entry == WORDS


async def test_a_team_without_a_grant_cannot_open_a_case(vault: Vault) -> None:
    team = await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)
    late = await found_team(vault)
    liar = dict.fromkeys(team, new_private_key())  # another key under the name of the team
    async with vault.unit() as unit:
        for keys in (late, liar, {}):
            with pytest.raises(CannotOpen):
                await unit.cases.key(case, keys)


async def test_the_grant_of_one_case_does_not_open_another(vault: Vault) -> None:
    team = await found_team(vault)
    async with vault.unit() as unit:
        case, other = await open_case(unit), await open_case(unit)
    async with vault.engine.begin() as connection:
        await connection.execute(
            text("UPDATE grants SET sealed = (SELECT sealed FROM grants WHERE case_id = :from) WHERE case_id = :to"),
            {"from": case.id, "to": other.id},
        )
    async with vault.unit() as unit:
        with pytest.raises(CannotOpen):
            await unit.cases.key(other, team)


async def test_the_code_of_a_case_is_never_given_twice(vault: Vault) -> None:
    await found_team(vault)
    dice = iter((7, 7, 7, 8))
    async with vault.unit() as unit:
        first = await unit.cases.open(language="en", channel="sms", level=Level.HIGH, dice=lambda _: next(dice))
        second = await unit.cases.open(language="en", channel="sms", level=Level.HIGH, dice=lambda _: next(dice))
        assert (first.code, second.code) == ("000007", "000008")
        assert (await unit.cases.by_code("000008")).id == second.id
        with pytest.raises(Conflict):
            await unit.cases.open(language="en", channel="sms", level=Level.HIGH, dice=lambda _: 7)


async def test_two_cases_opened_at_once_get_different_codes(vault: Vault) -> None:
    await found_team(vault)

    async def begin(rolls: list[int]) -> str:
        async with vault.unit() as unit:
            dice = iter(rolls)
            case = await unit.cases.open(language="en", channel="sms", level=Level.HIGH, dice=lambda _: next(dice))
            await asyncio.sleep(0.05)
            return case.code

    assert set(await asyncio.gather(begin([7, 8]), begin([7, 9]))) in ({"000007", "000009"}, {"000008", "000007"})


async def test_a_case_that_is_not_there_is_said_to_be_missing(vault: Vault) -> None:
    async with vault.unit() as unit:
        for missing in (unit.cases.get(uuid.uuid4()), unit.cases.by_code("123456"), unit.cases.change(uuid.uuid4())):
            with pytest.raises(NotFound):
                await missing


# Entries ----------------------------------------------------------------------------------------------------------


async def test_entries_are_numbered_from_one_and_read_in_order(vault: Vault) -> None:
    team = await found_team(vault)
    async with vault.unit() as unit:
        case, other = await open_case(unit), await open_case(unit)
        assert [await unit.cases.add(case, entry) for entry in (WORDS, NOTE, WORDS)] == [1, 2, 3]
        assert await unit.cases.add(other, WORDS) == 1
        key = await unit.cases.key(case, team)
        assert [(e.number, e.entry) for e in await unit.cases.read(case, key)] == [(1, WORDS), (2, NOTE), (3, WORDS)]
        (note,) = await unit.cases.read(case, key, [EntryKind.NOTE])
        assert (note.number, note.entry, note.at) == (2, NOTE, START.replace(second=0, microsecond=0))


async def test_two_writers_leave_no_gap_and_no_double(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)

    async def write() -> int:
        async with vault.unit() as unit:
            number = await unit.cases.add(case, WORDS)
            await asyncio.sleep(0.01)
            return number

    assert sorted(await asyncio.gather(*(write() for _ in range(8)))) == list(range(1, 9))


async def test_a_writer_that_fails_leaves_no_gap(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)

    async def fail() -> None:
        async with vault.unit() as unit:
            assert await unit.cases.add(case, WORDS) == 1
            raise Conflict

    with pytest.raises(Conflict):
        await fail()
    async with vault.unit() as unit:
        assert await unit.cases.add(case, WORDS) == 1


async def test_nothing_the_service_holds_opens_what_was_said(vault: Vault) -> None:
    team = await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.cases.add(case, WORDS)
        right = await unit.cases.key(case, team)
    ((sealed,),) = await rows(vault, "SELECT sealed FROM entries")
    context = f"entry/{case.id}/1/person"
    assert open_sealed(sealed, right, context) == WORDS.to_bytes()
    for secret in every_key(vault.ring):
        with pytest.raises(CannotOpen):
            unlock(sealed, secret, context)
        with pytest.raises(CannotOpen):
            open_sealed(sealed, PrivateKey((secret * 3)[:96]), context)
    for key in (*team.values(), new_private_key()):  # the team's own key opens the grant, not the entry
        with pytest.raises(CannotOpen):
            open_sealed(sealed, key, context)


@pytest.mark.parametrize("moved", [{"number": 2}, {"kind": "note"}, {"case_id": "another case's"}])
async def test_an_entry_that_was_moved_does_not_open(vault: Vault, moved: dict[str, object]) -> None:
    team = await found_team(vault)
    async with vault.unit() as unit:
        case, other = await open_case(unit), await open_case(unit)
        await unit.cases.add(case, WORDS)
        found = other if "case_id" in moved else case
    async with vault.engine.begin() as connection:
        await connection.execute(update(tables.entries).values(moved | {"case_id": found.id}))
    async with vault.unit() as unit:
        with pytest.raises(CannotOpen):
            await unit.cases.read(found, await unit.cases.key(found, team))


ENTRIES = st.builds(
    Entry,
    kind=st.sampled_from(EntryKind),
    text=st.text(st.characters(categories=["L", "Cs", "So", "Zs", "Cc"])),
    step=st.text(max_size=9),
    choice=st.text(max_size=9),
    language=st.sampled_from(["", "en", "zh"]),
    channel=st.sampled_from(["", "sms", "voice"]),
    media=st.lists(st.text(max_size=9), max_size=2).map(tuple),
    reasons=st.lists(
        st.builds(Reason, rule=st.text(max_size=9), level=st.just("high"), words=st.text(max_size=9)), max_size=2
    ).map(tuple),
    address=st.text(max_size=9),
)


@given(ENTRIES)
def test_an_entry_is_the_same_after_it_was_kept(entry: Entry) -> None:
    assert Entry.from_bytes(entry.kind, entry.to_bytes()) == entry


def test_an_entry_shows_no_words_and_no_address_when_printed() -> None:
    reason = Reason(rule="weapon", level="high", words="knife")
    entry = Entry(kind=EntryKind.PERSON, text="he has a knife", address="+15550100777", reasons=(reason,))
    assert "knife" not in repr(entry) + repr(reason)
    assert "+1555" not in repr(entry)


# States and order -------------------------------------------------------------------------------------------------


async def test_the_queue_s_cases_come_worst_first_then_oldest(vault: Vault, clock: Clock) -> None:
    await found_team(vault)
    codes = []
    for level in (Level.STANDARD, Level.EMERGENCY, Level.STANDARD):
        async with vault.unit() as unit:
            codes.append((await open_case(unit, level=level, state=CaseState.OPEN)).code)
        clock.later(minutes=5)
    async with vault.unit() as unit:
        await open_case(unit, state=CaseState.CLOSED, level=Level.EMERGENCY)
        found = [case.code for case in await unit.cases.in_states([CaseState.OPEN])]
        assert found == [codes[1], codes[0], codes[2]]
        assert await unit.cases.count() == {
            (CaseState.OPEN, Level.STANDARD): 2,
            (CaseState.OPEN, Level.EMERGENCY): 1,
            (CaseState.CLOSED, Level.EMERGENCY): 1,
        }
        (worst,) = await unit.cases.in_states([CaseState.OPEN, CaseState.CLOSED], limit=1)
        assert worst.code == codes[1]


async def test_a_change_is_dated_and_its_times_are_no_finer_than_the_minute(vault: Vault, clock: Clock) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)
    clock.later(minutes=7)
    async with vault.unit() as unit:
        case = await unit.cases.change(case.id, level=Level.EMERGENCY, life_at_risk=True, contact_rule="never_first")
    assert (case.level, case.life_at_risk, case.contact_rule) == (Level.EMERGENCY, True, "never_first")
    assert case.changed_at - case.opened_at == timedelta(minutes=7)
    assert case.opened_at == START.replace(second=0, microsecond=0)


async def test_whoever_locks_a_case_works_on_it_alone(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)
    seen = []

    async def raise_it() -> None:
        async with vault.unit() as unit:
            locked = await unit.cases.get(case.id, lock=True)
            seen.append(locked.level)
            await asyncio.sleep(0.02)
            await unit.cases.change(case.id, level=Level(min(locked.level + 1, 3)))

    await asyncio.gather(raise_it(), raise_it())
    assert sorted(seen) == [Level.STANDARD, Level.HIGH]


async def test_one_damaged_case_does_not_hide_the_others_from_the_queue(vault: Vault) -> None:
    team = await found_team(vault)
    async with vault.unit() as unit:
        well, damaged, empty, cut = [await open_case(unit) for _ in range(4)]
        for case in (well, damaged, cut):
            await unit.cases.add(case, WORDS)
            await unit.cases.add(case, Entry(kind=EntryKind.PERSON, text="newer"))
        await unit.cases.add(empty, NOTE)
    async with vault.engine.begin() as connection:
        await connection.execute(
            text("UPDATE entries SET sealed = '\\x01' WHERE case_id = :case"), {"case": damaged.id}
        )
        await connection.execute(text("UPDATE grants SET sealed = '\\x01' WHERE case_id = :case"), {"case": cut.id})
    async with vault.unit() as unit:
        found = await newest(unit.transaction, [well, damaged, empty, cut], team, EntryKind.PERSON)
        assert {case: entry.text for case, entry in found.items()} == {well.id: "newer"}
        assert await newest(unit.transaction, [well], {}, EntryKind.PERSON) == {}
