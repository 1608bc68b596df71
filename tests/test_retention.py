"""What is erased when, that it is erased for good, and that the audit says that and when, but never what."""

import asyncio
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from bot.house import House
from bot.keeping import Keeping, findings
from bot.line import Retention
from dialogs.marked import BadFile
from tests.houses import LINE, a_line
from tests.vaults import CHEAP, Clock, every_key, found_team, open_case, rows
from triage.levels import Level
from triage.review import CaseState, IllegalTransition
from vault import tables
from vault.cases import Case, Entry, EntryKind
from vault.codes import code_keys, new_code
from vault.delivery import OutboxKind, OutboxState
from vault.erasing import CaseLocks
from vault.errors import CannotOpen, Erased, RingBehind
from vault.glance import newest
from vault.keys import KeyRing, begin_erasure_key, read_key_ring
from vault.paging import StoredAlert
from vault.retention import LOOKED_AT, MAKE_FINAL, Policy, clear_traces, erase, erase_due, make_final, overdue, withdraw
from vault.sealing import SEED_BYTES, PrivateKey, PublicKey, open_sealed, seal, unlock
from vault.unit import Unit, Vault, database_engine, job_app

WORDS = "they keep our papers in the barn"
POLICY = Policy(
    cases={
        CaseState.DRAFT: timedelta(days=30),
        CaseState.ANSWERED: timedelta(days=365),
        CaseState.CLOSED: timedelta(days=180),
        CaseState.WITHDRAWN: timedelta(days=1),
    }
)
CASE_TABLES = (
    "case_locks",
    "grants",
    "entries",
    "codes",
    "waiting_answers",
    "alerts",
    "pages",
    "outbox",
    "unread_words",
)

TeamKeys = Mapping[uuid.UUID, PrivateKey]


async def full_case(vault: Vault, **changes: Any) -> Case:
    """A case with one row in every table that a case can have rows in, and with jobs that wait."""
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.cases.add(case, Entry(kind=EntryKind.PERSON, text=WORDS))
        await unit.cases.add(case, Entry(kind=EntryKind.ENVELOPE, channel="sms", address="+15550100777"))
        await unit.codes.give(case.id, code_keys(new_code(), unit.transaction.ring.salt, CHEAP))
        await unit.codes.leave(case.id, "we are here")
        words = await unit.unread_words.put(case.id, WORDS, "es")
        parcel = await unit.outbox.put(OutboxKind.STAFF, "sms", "+15550100777", {"words": "hello"}, case_id=case.id)
        alert, page = uuid.uuid4(), uuid.uuid4()
        await unit.alerts.save(StoredAlert(id=alert, case_id=case.id, ringing=False, machine={"state": "closed"}))
        await unit.alerts.add_page(page, alert, None, "voice")
        await unit.jobs.later("wake", alert=str(alert), timer="1")
        await unit.jobs.later("page", page=str(page))
        await unit.jobs.later("deliver", parcel=str(parcel))
        await unit.jobs.later("read", words=str(words))
        return await unit.cases.change(case.id, **({"unread": False} | changes))


async def read(vault: Vault, case: Case, teams: TeamKeys) -> list[str]:
    """What the staff read in a case."""
    async with vault.unit() as unit:
        return [
            e.entry.text for e in await unit.cases.read(case, await unit.cases.key(case, teams), [EntryKind.PERSON])
        ]


async def states(vault: Vault) -> dict[str, str]:
    """State by code of every case."""
    return {row.code: row.state for row in await rows(vault, "SELECT code, state FROM cases")}


# When ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "kept"), POLICY.cases.items())
async def test_a_case_is_erased_when_the_time_of_its_state_is_over_and_not_before(
    vault: Vault, clock: Clock, state: CaseState, kept: timedelta
) -> None:
    await found_team(vault)
    case = await full_case(vault, state=state)
    clock.now += kept - timedelta(minutes=1)
    assert await erase_due(vault, POLICY) == 0
    clock.later(minutes=1)
    assert await erase_due(vault, POLICY) == 1
    assert await states(vault) == {case.code: "erased"}
    assert await erase_due(vault, POLICY) == 0


async def withdrawn(vault: Vault, case: Case) -> bool:
    """The person takes this case back; True when it was destroyed at once."""
    async with vault.unit() as unit:
        return await withdraw(unit, await unit.cases.get(case.id, lock=True))


async def test_what_the_person_takes_back_is_destroyed_at_once(vault: Vault) -> None:
    team = await found_team(vault)
    case = await full_case(vault, state=CaseState.OPEN, level=Level.HIGH)
    assert await withdrawn(vault, case)
    assert await states(vault) == {case.code: "erased"}
    with pytest.raises(Erased):
        await read(vault, (await one(vault, case)), team)
    for table in CASE_TABLES:
        assert await rows(vault, f"SELECT * FROM {table}") == []  # noqa: S608 - names of our own tables
    assert MAKE_FINAL in [row.task_name for row in await rows(vault, "SELECT task_name FROM procrastinate_jobs")]


@pytest.mark.parametrize("dealt_with", [CaseState.ANSWERED, CaseState.CLOSED])
async def test_an_emergency_that_staff_have_dealt_with_is_destroyed_at_once_too(
    vault: Vault, dealt_with: CaseState
) -> None:
    await found_team(vault)
    assert await withdrawn(vault, await full_case(vault, state=dealt_with, level=Level.EMERGENCY))


async def test_an_emergency_that_nobody_has_dealt_with_goes_when_staff_have_looked(vault: Vault) -> None:
    """Whoever is forced to take a report back, with a hand on the phone, must still be looked for."""
    team = await found_team(vault)
    case = await full_case(vault, state=CaseState.OPEN, level=Level.EMERGENCY)
    assert not await withdrawn(vault, case)
    case = await one(vault, case)
    assert (case.state, case.contact_rule) == (CaseState.OPEN, "never_first")
    assert await rows(vault, "SELECT * FROM codes") == []
    assert await rows(vault, "SELECT * FROM outbox WHERE sealed IS NOT NULL") == []
    assert await read(vault, case, team) == [WORDS]
    async with vault.unit() as unit:
        await unit.cases.change(case.id, state=CaseState.CLOSED)
    assert await erase_due(vault, POLICY) == 1
    assert await states(vault) == {case.code: "erased"}


async def test_a_ringing_case_is_kept_until_somebody_has_looked_and_then_goes_by_itself(
    vault: Vault, clock: Clock
) -> None:
    await found_team(vault)
    case = await full_case(vault, state=CaseState.OPEN, level=Level.HIGH)
    await ring(vault, case, ringing=True)
    assert not await withdrawn(vault, case)
    clock.now += LOOKED_AT
    assert await erase_due(vault, POLICY) == 0  # it rings still
    await ring(vault, case, ringing=False)
    assert await erase_due(vault, POLICY) == 1


async def ring(vault: Vault, case: Case, *, ringing: bool) -> None:
    """Let the case's alert ring, or fall silent."""
    async with vault.unit() as unit:
        alert = await unit.alerts.of_case(case.id)
        assert alert
        await unit.alerts.save(replace(alert, ringing=ringing))


async def one(vault: Vault, case: Case) -> Case:
    """The case as it is stored now."""
    async with vault.unit() as unit:
        return await unit.cases.get(case.id)


@pytest.mark.parametrize("state", [CaseState.OPEN, CaseState.ASSIGNED])
async def test_a_case_that_somebody_works_on_is_kept_without_an_end(
    vault: Vault, clock: Clock, state: CaseState
) -> None:
    await found_team(vault)
    await full_case(vault, state=state)
    clock.later(days=3000)
    assert await erase_due(vault, POLICY) == 0


@pytest.mark.parametrize("state", [CaseState.DRAFT, CaseState.ANSWERED])
async def test_what_nobody_has_read_is_never_erased_by_the_calendar_but_shown(
    vault: Vault, clock: Clock, state: CaseState
) -> None:
    await found_team(vault)
    await full_case(vault, state=state, unread=True)
    clock.later(days=3000)
    assert await erase_due(vault, POLICY) == 0
    async with vault.unit() as unit:
        assert await overdue(unit, POLICY) == 1


async def test_what_still_rings_is_never_erased_by_the_calendar(vault: Vault, clock: Clock) -> None:
    await found_team(vault)
    case = await full_case(vault, state=CaseState.ANSWERED)
    async with vault.unit() as unit:
        alert = await unit.alerts.of_case(case.id)
        assert alert is not None
        await unit.alerts.save(StoredAlert(id=alert.id, case_id=case.id, ringing=True, machine={"state": "ringing"}))
    clock.later(days=3000)
    assert await erase_due(vault, POLICY) == 0


async def test_what_the_person_took_back_goes_even_unread(vault: Vault, clock: Clock) -> None:
    await found_team(vault)
    await full_case(vault, state=CaseState.WITHDRAWN, unread=True)
    clock.later(days=1)
    assert await erase_due(vault, POLICY) == 1


async def test_a_drill_goes_after_its_own_time_whatever_its_state(vault: Vault, clock: Clock) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        drill = await unit.cases.open(language="es", channel="sms", level=Level.EMERGENCY, drill=True)
        await open_case(unit, state=CaseState.OPEN)
    assert drill.drill
    clock.later(days=7)
    assert await erase_due(vault, POLICY) == 1
    assert (await states(vault))[drill.code] == "erased"


async def test_whoever_writes_again_keeps_their_case(vault: Vault, clock: Clock) -> None:
    teams = await found_team(vault)
    case = await full_case(vault, state=CaseState.CLOSED)
    clock.later(days=180)
    async with vault.unit() as unit:
        await unit.cases.change(case.id, state=CaseState.OPEN)
    assert await erase_due(vault, POLICY) == 0
    assert await read(vault, case, teams) == [WORDS]


# For good ------------------------------------------------------------------------------------------------------------


async def copied(vault: Vault) -> dict[str, list[Any]]:
    """Every row of every table about cases, as a thief of an old disk would have them."""
    return {name: list(await rows(vault, f'SELECT * FROM "{name}"')) for name in CASE_TABLES}  # noqa: S608 - our names


def unlocked(locked: bytes, context: str, keys: Iterable[bytes]) -> Iterator[bytes]:
    """What these bytes hold, with whichever of the keys opens them."""
    for key in keys:
        with suppress(CannotOpen):
            yield unlock(locked, key, context)


def unsealed(sealed: bytes, context: str, keys: Iterable[PrivateKey]) -> Iterator[bytes]:
    """The same for what is sealed to a key pair."""
    for key in keys:
        with suppress(CannotOpen):
            yield open_sealed(sealed, key, context)


def opened_by_a_thief(old: Mapping[str, Sequence[Any]], teams: TeamKeys, ring: KeyRing) -> list[bytes]:
    """Whatever of a case's leftover rows opens with all the keys there are: the ring's and every team's."""
    symmetric, private = list(every_key(ring)), list(teams.values())
    for row in old["case_locks"]:
        symmetric += unlocked(row.sealed, f"case-lock/{row.case_id}", tuple(symmetric))
    for row in old["grants"]:
        for inner in unsealed(row.sealed, f"grant/{row.case_id}/{row.team_id}", tuple(private)):
            seeds = [inner, *unlocked(inner, f"case-key/{row.case_id}", symmetric)]
            private += [PrivateKey(seed) for seed in seeds if len(seed) == SEED_BYTES]
    found: list[bytes] = []
    for row in old["entries"]:
        found += unsealed(row.sealed, f"entry/{row.case_id}/{row.number}/{row.kind}", private)
    for row in old["waiting_answers"]:
        found += unsealed(row.sealed, f"waiting/{row.id}", private)
    return found


async def test_the_leftover_bytes_of_an_erased_case_open_with_no_key_that_is_left(vault: Vault) -> None:
    teams = await found_team(vault)
    case = await full_case(vault, state=CaseState.CLOSED)
    old = await copied(vault)
    assert all(old[name] for name in CASE_TABLES), "a row of every kind was copied"
    assert any(WORDS.encode() in found for found in opened_by_a_thief(old, teams, vault.ring)), "the thief knows how"
    async with vault.unit() as unit:
        await erase(unit, case, actor="member:x")
    # The row is gone, but until the erasure key is renewed its bytes would still open: that is why it is renewed.
    assert any(WORDS.encode() in found for found in opened_by_a_thief(old, teams, vault.ring))
    assert await make_final(vault)
    assert opened_by_a_thief(old, teams, vault.ring) == []
    assert sorted(vault.ring.erasure) == [2]


async def test_erasing_leaves_no_row_but_that_there_was_a_case(vault: Vault) -> None:
    await found_team(vault)
    case = await full_case(vault, state=CaseState.CLOSED, member_id=uuid.uuid4(), contact_rule="neutral")
    async with vault.unit() as unit:
        await erase(unit, case, actor="system")
    for name, found in (await copied(vault)).items():
        assert found == [], name
    async with vault.unit() as unit:
        after = await unit.cases.get(case.id)
    assert (after.state, after.public_key, after.member_id, after.contact_rule) == (CaseState.ERASED, b"", None, "")
    assert not any([after.unread, after.waits, after.life_at_risk, after.discreet])


async def test_what_was_to_be_done_for_an_erased_case_is_not_done(vault: Vault) -> None:
    await found_team(vault)
    case, other = await full_case(vault, state=CaseState.CLOSED), await _another_with_jobs(vault)
    async with vault.unit() as unit:
        await erase(unit, case, actor="system")
    left = await rows(vault, "SELECT task_name, args FROM procrastinate_jobs ORDER BY id")
    assert [(name, args) for name, args in left] == [("deliver", {"parcel": other}), (MAKE_FINAL, {})]


async def _another_with_jobs(vault: Vault) -> str:
    async with vault.unit() as unit:
        parcel = str(uuid.uuid4())
        await unit.jobs.later("deliver", parcel=parcel)
    return parcel


async def test_nothing_can_be_added_to_an_erased_case_and_it_is_erased_once(vault: Vault) -> None:
    teams = await found_team(vault)
    case = await full_case(vault, state=CaseState.CLOSED)
    async with vault.unit() as unit:
        await erase(unit, case, actor="system")
    async with vault.unit() as unit:
        after = await unit.cases.get(case.id)
        with pytest.raises(Erased):
            await unit.cases.key(after, teams)
        with pytest.raises(IllegalTransition):
            await erase(unit, after, actor="system")
    with pytest.raises(ValueError):
        async with vault.unit() as unit:
            await unit.cases.add(after, Entry(kind=EntryKind.PERSON, text=WORDS))


async def test_the_audit_says_that_and_when_but_never_what(vault: Vault, clock: Clock) -> None:
    await found_team(vault)
    case = await full_case(vault, state=CaseState.CLOSED)
    clock.later(days=180)
    await erase_due(vault, POLICY)
    await make_final(vault)
    lines = await rows(vault, "SELECT at, actor, action, subject FROM audit ORDER BY number")
    minute = clock.now.replace(second=0, microsecond=0)
    assert list(lines) == [
        (minute, "system", "case.erased", f"case:{case.code}"),
        (minute, "system", "erasure.renewed", "erasure:2"),
    ]


# Everybody else's cases ----------------------------------------------------------------------------------------------


async def test_other_cases_open_as_before_when_the_erasure_key_was_renewed(vault: Vault) -> None:
    teams = await found_team(vault)
    erased, kept = await full_case(vault, state=CaseState.CLOSED), await full_case_without_code(vault)
    for _ in range(3):
        async with vault.unit() as unit:
            await CaseLocks(unit.transaction).destroy(uuid.uuid4())
        assert await make_final(vault)
    async with vault.unit() as unit:
        await erase(unit, erased, actor="system")
    assert await make_final(vault)
    assert await read(vault, kept, teams) == [WORDS]
    async with vault.unit() as unit:
        seen = await newest(unit.transaction, [kept], teams, EntryKind.PERSON)
        fresh = await open_case(unit)
        await unit.cases.add(fresh, Entry(kind=EntryKind.PERSON, text="new"))
    assert seen[kept.id].text == WORDS
    assert await read(vault, fresh, teams) == ["new"]
    assert sorted(vault.ring.erasure) == [5]


async def full_case_without_code(vault: Vault) -> Case:
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.cases.add(case, Entry(kind=EntryKind.PERSON, text=WORDS))
    return case


async def test_nothing_is_renewed_while_nothing_was_erased(vault: Vault) -> None:
    await found_team(vault)
    await full_case_without_code(vault)
    assert await make_final(vault)
    assert sorted(vault.ring.erasure) == [1]
    assert await rows(vault, "SELECT count(*) FROM audit") == [(0,)]


async def test_a_case_that_begins_while_a_key_is_renewed_is_not_lost(vault: Vault, database_url: str) -> None:
    """The other process has not noticed the new key, and opens its case the moment the renewal lets it."""
    teams = await found_team(vault)
    old = read_key_ring(vault.ring.directory)
    other = Vault(engine=database_engine(database_url), jobs=job_app(database_url), ring=old, now=vault.now)
    await _erase_one(vault)

    async def begins() -> Case:
        async with other.unit() as unit:
            case = await open_case(unit)
            await unit.cases.add(case, Entry(kind=EntryKind.PERSON, text=WORDS))
            return case

    async with vault.unit() as unit:
        assert await CaseLocks(unit.transaction).renew() is not None
        waiting = asyncio.create_task(begins())
        await asyncio.sleep(0.2)
        assert not waiting.done()
    case = await waiting
    assert await make_final(vault)
    assert await read(vault, case, teams) == [WORDS]
    assert await rows(vault, "SELECT DISTINCT number FROM case_locks") == [(2,)]
    await other.close()


async def _erase_one(vault: Vault) -> None:
    case = await full_case(vault, state=CaseState.CLOSED)
    async with vault.unit() as unit:
        await erase(unit, case, actor="system")


async def test_a_renewal_that_broke_off_goes_on_the_next_time(vault: Vault) -> None:
    teams = await found_team(vault)
    kept = await full_case_without_code(vault)
    await _erase_one(vault)
    begin_erasure_key(vault.ring, 2)  # the file was made, then the process died
    assert await read(vault, kept, teams) == [WORDS]
    async with vault.unit() as unit:  # everything was locked anew, then the process died
        await CaseLocks(unit.transaction).renew()
    assert sorted(read_key_ring(vault.ring.directory).erasure) == [1, 2]
    assert await read(vault, kept, teams) == [WORDS]
    assert await make_final(vault)
    assert sorted(vault.ring.erasure) == [2]
    assert await read(vault, kept, teams) == [WORDS]


async def test_a_renewal_waits_for_a_backup_and_lets_new_cases_pass(vault: Vault) -> None:
    await found_team(vault)
    await _erase_one(vault)
    async with vault.unit() as backup:
        await CaseLocks(backup.transaction).hold_still()
        assert not await make_final(vault)
        await full_case_without_code(vault)  # nobody waits behind the renewal
        assert sorted(read_key_ring(vault.ring.directory).erasure) == [1]
    assert await make_final(vault)


async def test_no_key_is_destroyed_while_a_lock_does_not_open(vault: Vault) -> None:
    """Such as after the wrong key ring was copied here: then a renewal would destroy every case."""
    await found_team(vault)
    await full_case_without_code(vault)
    await _erase_one(vault)
    path = vault.ring.directory / "erasure-1"
    right = path.read_bytes()
    path.write_bytes(os.urandom(32))
    with pytest.raises(CannotOpen):
        await make_final(vault)
    assert path.exists()
    path.write_bytes(right)
    assert await make_final(vault)


async def test_a_machine_without_the_erasure_key_says_so_and_takes_no_case_it_could_not_open(vault: Vault) -> None:
    await found_team(vault)
    await _erase_one(vault)
    await make_final(vault)
    (vault.ring.directory / "erasure-2").rename(vault.ring.directory / "erasure-1")  # an old copy of the folder
    with pytest.raises(RingBehind):
        await full_case_without_code(vault)


async def test_a_case_of_the_first_release_opens_as_before(vault: Vault) -> None:
    teams = await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.cases.add(case, Entry(kind=EntryKind.PERSON, text=WORDS))
        key = await unit.cases.key(case, teams)
        connection = unit.transaction.connection
        await connection.execute(text("DELETE FROM case_locks"))
        await connection.execute(text("DELETE FROM grants"))
        for team_id, team in teams.items():
            sealed = seal(key.seed, PublicKey(team.public.raw), f"grant/{case.id}/{team_id}")
            await connection.execute(insert(tables.grants).values(case_id=case.id, team_id=team_id, sealed=sealed))
    assert await read(vault, case, teams) == [WORDS]


# Traces --------------------------------------------------------------------------------------------------------------


async def _leave_traces(unit: Unit) -> None:
    await unit.messages.remember(os.urandom(32), {"text": "hello"})
    settled = await unit.outbox.put(OutboxKind.ANSWER, "sms", "+15550100777", {"text": "hello"})
    await unit.outbox.set(settled, OutboxState.REACHED)
    await unit.outbox.put(OutboxKind.ANSWER, "sms", "+15550100777", {"text": "on its way"})
    gone, _ = await unit.copies.note("sms", [f"messages/{uuid.uuid4()}", f"messages/{uuid.uuid4()}"])
    await unit.copies.gone(gone)


async def test_traces_are_cleared_when_their_time_is_over_and_what_is_still_due_is_not(
    vault: Vault, clock: Clock
) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        await _leave_traces(unit)
    await _erase_one(vault)
    clock.later(days=30, minutes=-1)
    async with vault.unit() as unit:
        assert await clear_traces(unit, POLICY) in {0, 1}  # hours are rounded down
    clock.later(hours=1)
    async with vault.unit() as unit:
        await clear_traces(unit, POLICY)
    assert await rows(vault, "SELECT count(*) FROM messages") == [(0,)]
    assert await rows(vault, "SELECT state FROM outbox") == [("waiting",)]
    assert await rows(vault, "SELECT state FROM copies") == [("held",)]
    assert await states(vault) == {}


async def test_the_console_can_count_copies_by_channel(vault: Vault, clock: Clock) -> None:
    async with vault.unit() as unit:
        await unit.copies.note("voice", ["calls/1"])
    clock.later(hours=2)
    async with vault.unit() as unit:
        first, _ = await unit.copies.note("sms", ["messages/1", "messages/2"])
        await unit.copies.trying(first)
        voice, sms = await unit.copies.by_channel()
    assert (voice.channel, voice.count, voice.tries) == ("voice", 1, 0)
    assert (sms.channel, sms.count, sms.tries) == ("sms", 2, 1)
    assert voice.since < sms.since <= clock.now


# The hourly job, doctor, line.yml ------------------------------------------------------------------------------------


async def test_the_hourly_job_erases_and_makes_it_final_in_one_round(house: House, clock: Clock) -> None:
    teams = await found_team(house.vault)
    await full_case(house.vault, state=CaseState.CLOSED)
    old = await copied(house.vault)
    clock.later(days=180)
    await Keeping(house).keep(0)
    assert house.counts["cases_erased"] == 1
    assert opened_by_a_thief(old, teams, house.vault.ring) == []


async def test_when_somebody_erases_a_case_the_job_makes_it_final_at_once(house: House) -> None:
    teams = await found_team(house.vault)
    case = await full_case(house.vault, state=CaseState.OPEN)
    old = await copied(house.vault)
    async with house.vault.unit() as unit:
        await erase(unit, case, actor="reporter")
    assert (MAKE_FINAL,) in await rows(house.vault, "SELECT task_name FROM procrastinate_jobs")
    await Keeping(house).make_final()
    assert opened_by_a_thief(old, teams, house.vault.ring) == []


async def test_doctor_names_cases_past_their_time_and_an_erasing_that_hangs(house: House, clock: Clock) -> None:
    await found_team(house.vault)
    await full_case(house.vault, state=CaseState.DRAFT, unread=True)
    await _erase_one(house.vault)
    clock.later(days=32)
    async with house.vault.unit() as unit:
        told = dict(await findings(house, unit))
    assert "read and close them" in told["cases past their time: 1"]
    assert "not final yet" in told["erasing"]
    await make_final(house.vault)
    async with house.vault.unit() as unit:
        assert dict(await findings(house, unit))["erasing"] == ""


async def test_doctor_asks_for_a_backup_when_the_last_one_is_old(house: House, clock: Clock) -> None:
    async def told() -> tuple[str, str]:
        async with house.vault.unit() as unit:
            return next(found for found in await findings(house, unit) if found[0].startswith("backup"))

    assert await told() == ("backup: none yet", "")
    async with house.vault.unit() as unit:
        unit.audit.add("case.began", "case:123456")
    clock.later(days=8)
    assert await told() == ("backup: none yet", "Make one: harborline backup FOLDER.")
    async with house.vault.unit() as unit:
        unit.audit.add("backup.made", "database")
    assert await told() == ("backup: 0 hours old", "")
    clock.later(days=8)
    assert await told() == ("backup: 8 days old", "Make one: harborline backup FOLDER.")


def test_what_line_yml_says_is_what_is_done() -> None:
    line = a_line(LINE + "retention: {epoch_days: 10, grace_days: 2, cases: {open: 90, closed: 5}, trace_days: 14}\n")
    policy = line.retention.policy
    assert (policy.epochs.length, policy.epochs.grace) == (timedelta(days=10), timedelta(days=2))
    assert policy.cases == {
        CaseState.DRAFT: timedelta(days=30),
        CaseState.OPEN: timedelta(days=90),
        CaseState.ANSWERED: timedelta(days=365),
        CaseState.CLOSED: timedelta(days=5),
        CaseState.WITHDRAWN: timedelta(days=1),
    }
    assert policy.traces == timedelta(days=14)
    assert a_line().retention == Retention()


@pytest.mark.parametrize(
    "wrong", ["epoch_days: 0", "grace_days: never", "cases: {closed: 0}", "cases: {erased: 3}", "trace_days: 2"]
)
def test_a_mistake_in_retention_is_named_where_it_stands(wrong: str) -> None:
    with pytest.raises(BadFile, match=r"line\.yml:"):
        a_line(LINE + f"retention: {{{wrong}}}\n")


def test_every_state_a_case_can_be_kept_in_has_its_setting() -> None:
    assert {*CaseState} - {CaseState.ERASED} == {CaseState(name) for name in Retention().cases.model_dump()}
