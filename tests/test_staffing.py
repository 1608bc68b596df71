"""Staff come and go: who may decide it, what opens for whom afterwards, and a new team key that nothing interrupts."""

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import psycopg
import pyotp
import pytest
from alembic import command
from sqlalchemy import create_engine, text

from tests.databases import Cluster, at
from tests.staffed import PASSPHRASE, Staff, cheap, chosen, say, staff
from tests.vaults import rows
from triage.review import CaseState
from vault.audit import checking_key, verify
from vault.credentials import choose, one_time_passphrase
from vault.database import alembic_config, migrate
from vault.errors import (
    CannotOpen,
    Conflict,
    LastSupervisor,
    NameTaken,
    NotAllowed,
    NotFound,
    SignInLocked,
    SignInRefused,
    VaultError,
    WeakPassphrase,
)
from vault.members import Member, Role, SignedIn
from vault.sealing import PrivateKey, open_sealed
from vault.sessions import Cookie
from vault.unit import Unit

__all__ = ["cheap", "staff"]  # fixtures


async def fails_with(error: type[VaultError], staff: Staff, act: Callable[[Unit], Awaitable[object]]) -> None:
    """The act raises, and leaves members, keys and the audit trail as they were."""
    before = await everything(staff)
    with pytest.raises(error):
        async with staff.vault.unit() as unit:
            await act(unit)
    assert await everything(staff) == before


async def everything(staff: Staff) -> list[object]:
    """What must not change when an act is refused."""
    tables = ("members", "memberships", "teams", "audit", "recoveries")
    return [await rows(staff.vault, f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]  # noqa: S608 - names above


# Letting in -------------------------------------------------------------------------------------------------------


async def test_whoever_is_invited_chooses_their_own_passphrase_and_then_opens_cases(staff: Staff) -> None:
    case = await staff.case()
    await staff.join("omar")
    omar = await staff.open("omar")
    assert (omar.member.name, omar.member.role, omar.member.invited_until) == ("omar", Role.REVIEWER, None)
    assert await staff.reads(omar, case) == "words"


async def test_a_one_time_passphrase_opens_nothing_but_the_choice_of_another(staff: Staff) -> None:
    one_time = one_time_passphrase()
    await invited(staff, one_time)
    outcome = await staff.sign_in("omar", passphrase=one_time, totp="")
    assert isinstance(outcome, tuple)
    assert await staff.opened(outcome[1].value) is None
    async with staff.vault.unit() as unit:
        assert await unit.members.open_invited(outcome[1].value) is not None
        assert await unit.members.open_invited(await staff.cookie("rosa")) is None
        with pytest.raises(CannotOpen):
            await unit.members.unlock(await staff.credentials("omar", passphrase=one_time, totp=""))


async def test_a_one_time_passphrase_is_worth_nothing_once_another_was_chosen(staff: Staff) -> None:
    one_time = one_time_passphrase()
    await invited(staff, one_time)
    before = await rows(staff.vault, "SELECT public_key, salt, private_key FROM members ORDER BY id")
    session = await staff.sign_in("omar", passphrase=one_time, totp="")
    assert isinstance(session, tuple)
    await staff.settle("omar", one_time)
    assert isinstance(await staff.sign_in("omar", passphrase=one_time, totp=""), SignInRefused)
    async with staff.vault.unit() as unit:
        assert await unit.members.open_invited(session[1].value) is None
    after = await rows(staff.vault, "SELECT public_key, salt, private_key FROM members ORDER BY id")
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


async def test_a_one_time_passphrase_ends_after_three_days(staff: Staff) -> None:
    one_time = one_time_passphrase()
    await invited(staff, one_time)
    session = await staff.sign_in("omar", passphrase=one_time, totp="")
    assert isinstance(session, tuple)
    staff.clock.later(days=3)
    assert isinstance(await staff.sign_in("omar", passphrase=one_time, totp=""), SignInRefused)
    async with staff.vault.unit() as unit:
        assert await unit.members.open_invited(session[1].value) is None


async def test_a_seed_counts_only_when_the_authenticator_shows_its_code(staff: Staff) -> None:
    one_time = one_time_passphrase()
    await invited(staff, one_time)
    session = await staff.sign_in("omar", passphrase=one_time, totp="")
    assert isinstance(session, tuple)
    async with staff.vault.unit() as unit:
        who = await unit.members.open_invited(session[1].value)
        assert who is not None
        seed = pyotp.random_base32()
        assert not isinstance(await unit.account.settle(who, chosen(), seed, "000000"), Cookie)
    assert isinstance(await staff.sign_in("omar", passphrase=one_time, totp=""), tuple)


async def invited(staff: Staff, one_time: str, name: str = "omar") -> Member:
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        return await unit.staffing.invite(name, Role.REVIEWER, choose(one_time), by=rosa)


@pytest.mark.parametrize("name", ["rosa", " ROSA ", "", "  "])
async def test_a_name_is_given_once_and_is_never_empty(staff: Staff, name: str) -> None:
    rosa = await staff.open("rosa")
    await fails_with(NameTaken, staff, lambda u: u.staffing.invite(name, Role.REVIEWER, chosen(), by=rosa))


def test_a_one_time_passphrase_cannot_be_guessed_and_can_be_read_out() -> None:
    many = {one_time_passphrase() for _ in range(100)}
    assert len(many) == 100
    assert all(len(one.replace("-", "")) == 20 and not set(one) & set("ilou01") for one in many)


@pytest.mark.parametrize("weak", ["", "elevenchars"])
def test_a_short_passphrase_is_refused(weak: str) -> None:
    with pytest.raises(WeakPassphrase):
        choose(weak)


# Roles ------------------------------------------------------------------------------------------------------------


async def test_a_reviewer_decides_about_nobody_and_cannot_raise_themselves(staff: Staff) -> None:
    rosa = (await staff.open("rosa")).member
    tariq = await staff.join("tariq")
    mallory = await staff.join("mallory")
    by = await staff.open("mallory")
    acts: list[Callable[[Unit], Awaitable[object]]] = [
        lambda u: u.members.enrol("friend", PASSPHRASE, Role.SUPERVISOR, by=by),
        lambda u: u.staffing.invite("friend", Role.REVIEWER, chosen(), by=by),
        lambda u: u.staffing.reset(tariq.id, chosen(), by=by),
        lambda u: u.staffing.remove(tariq.id, by=by),
        lambda u: u.staffing.change_role(mallory.id, Role.SUPERVISOR, by=by),
        lambda u: u.staffing.change_role(rosa.id, Role.REVIEWER, by=by),
        lambda u: u.staffing.rotate(by=by),
        lambda u: u.recovery.print(by=by),
    ]
    for act in acts:
        await fails_with(NotAllowed, staff, act)


async def test_keys_opened_as_a_supervisor_decide_nothing_after_the_role_is_gone(staff: Staff) -> None:
    tariq = await staff.join("tariq", Role.SUPERVISOR)
    stale = await staff.open("tariq")
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.change_role(tariq.id, Role.REVIEWER, by=rosa)
    await fails_with(NotAllowed, staff, lambda u: u.staffing.remove(rosa.member.id, by=stale))
    await fails_with(NotAllowed, staff, lambda u: u.staffing.change_role(tariq.id, Role.SUPERVISOR, by=stale))


async def test_a_stored_role_that_was_forged_in_memory_does_not_count(staff: Staff) -> None:
    await staff.join("mallory")
    honest = await staff.open("mallory")
    forged = SignedIn(
        member=Member(id=honest.member.id, name="mallory", role=Role.SUPERVISOR), key=honest.key, teams=honest.teams
    )
    await fails_with(NotAllowed, staff, lambda u: u.staffing.rotate(by=forged))


async def test_the_last_supervisor_cannot_step_down_and_nobody_takes_themselves_out(staff: Staff) -> None:
    await staff.join("tariq")
    rosa = await staff.open("rosa")
    me = rosa.member.id
    await fails_with(LastSupervisor, staff, lambda u: u.staffing.change_role(me, Role.REVIEWER, by=rosa))
    await fails_with(NotAllowed, staff, lambda u: u.staffing.remove(me, by=rosa))
    await fails_with(NotAllowed, staff, lambda u: u.staffing.reset(me, chosen(), by=rosa))


async def test_somebody_who_has_only_been_invited_is_not_counted_as_a_supervisor(staff: Staff) -> None:
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.invite("tariq", Role.SUPERVISOR, chosen(), by=rosa)
    me = rosa.member.id
    await fails_with(LastSupervisor, staff, lambda u: u.staffing.change_role(me, Role.REVIEWER, by=rosa))


async def test_a_supervisor_may_step_down_when_there_is_another(staff: Staff) -> None:
    await staff.join("tariq", Role.SUPERVISOR)
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.change_role(rosa.member.id, Role.REVIEWER, by=rosa)
    assert (await staff.open("rosa")).member.role is Role.REVIEWER


async def test_two_supervisors_who_remove_each_other_at_once_leave_one(staff: Staff) -> None:
    await staff.join("tariq", Role.SUPERVISOR)
    rosa, tariq = await staff.open("rosa"), await staff.open("tariq")

    async def out(whom: SignedIn, by: SignedIn) -> bool:
        try:
            async with staff.vault.unit() as unit:
                await unit.staffing.remove(whom.member.id, by=by)
        except (NotAllowed, Conflict):
            return False
        return True

    assert sorted(await asyncio.gather(out(rosa, tariq), out(tariq, rosa))) == [False, True]
    async with staff.vault.unit() as unit:
        assert [m.role for m in await unit.members.all()] == [Role.SUPERVISOR]


async def test_the_first_member_is_a_supervisor_whatever_was_asked(vault: object, staff: Staff) -> None:
    async with staff.vault.engine.begin() as connection:
        for table in ("memberships", "sessions", "members", "teams"):
            await connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names above
    async with staff.vault.unit() as unit:
        enrolment = await unit.members.enrol("first", PASSPHRASE, Role.REVIEWER)
    assert enrolment.member.role is Role.SUPERVISOR


async def test_two_who_would_found_the_team_at_once_found_one(staff: Staff) -> None:
    async with staff.vault.engine.begin() as connection:
        for table in ("memberships", "sessions", "members", "teams"):
            await connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names above

    async def found(name: str) -> bool:
        try:
            async with staff.vault.unit() as unit:
                await unit.members.enrol(name, PASSPHRASE, Role.SUPERVISOR)
        except CannotOpen:
            return False
        return True

    assert sorted(await asyncio.gather(found("one"), found("two"))) == [False, True]
    assert len(await rows(staff.vault, "SELECT * FROM teams")) == 1


# A new passphrase -------------------------------------------------------------------------------------------------


async def test_a_new_passphrase_ends_every_other_session_and_the_old_one(staff: Staff) -> None:
    case = await staff.case()
    stolen, mine = await staff.cookie("rosa"), await staff.cookie("rosa")
    who, now = await staff.opened(mine), await staff.credentials("rosa", totp="")
    assert who is not None
    async with staff.vault.unit() as unit:
        fresh = await unit.account.change_passphrase(who, now, chosen("quite another passphrase"))
    assert isinstance(fresh, Cookie)
    assert await staff.opened(stolen) is None
    assert await staff.opened(mine) is None
    again = await staff.opened(fresh.value)
    assert again is not None
    assert await staff.reads(again, case) == "words"
    assert isinstance(await staff.sign_in("rosa"), SignInRefused)
    staff.passphrases["rosa"] = "quite another passphrase"
    assert isinstance(await staff.sign_in("rosa"), tuple), "the authenticator is the same"


async def test_the_old_passphrase_and_an_old_session_open_nothing_that_is_stored_now(staff: Staff) -> None:
    who = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.account.change_passphrase(who, await staff.credentials("rosa", totp=""), chosen())
    member = who.member.id
    for query, context in (
        ("SELECT totp FROM members", f"totp/{member}"),
        ("SELECT sealed FROM memberships", f"membership/{next(iter(who.teams))}/{member}"),
    ):
        ((sealed,),) = await rows(staff.vault, query)
        with pytest.raises(CannotOpen):
            open_sealed(sealed, who.key, context)


async def test_a_stolen_session_cannot_change_keys_without_the_passphrase_and_wrong_ones_are_counted(
    staff: Staff,
) -> None:
    who = await staff.open("rosa")
    wrong = await staff.credentials("rosa", passphrase="wrong", totp="")
    seed = pyotp.random_base32()
    code = pyotp.TOTP(seed).at(staff.clock.now)
    before = await rows(staff.vault, "SELECT public_key, totp FROM members")
    for number in range(5):
        async with staff.vault.unit() as unit:
            acts = (
                lambda u=unit: u.account.change_passphrase(who, wrong, chosen()),
                lambda u=unit: u.account.change_authenticator(who, wrong, seed, code),
            )
            assert isinstance(await acts[number % 2](), SignInRefused)
    right = await staff.credentials("rosa", totp="")
    async with staff.vault.unit() as unit:
        assert isinstance(await unit.account.change_passphrase(who, right, chosen()), SignInLocked)
    assert await rows(staff.vault, "SELECT public_key, totp FROM members") == before
    assert isinstance(await staff.sign_in("rosa"), SignInLocked)


async def test_another_authenticator_takes_the_place_of_the_old_one(staff: Staff) -> None:
    stolen = await staff.cookie("rosa")
    who, now, seed = await staff.open("rosa"), await staff.credentials("rosa", totp=""), pyotp.random_base32()
    code = pyotp.TOTP(seed).at(staff.clock.now)
    async with staff.vault.unit() as unit:
        assert not isinstance(await unit.account.change_authenticator(who, now, seed, "000000"), Cookie)
        assert isinstance(await unit.account.change_authenticator(who, now, seed, code), Cookie)
    assert await staff.opened(stolen) is None
    staff.clock.later(seconds=30)
    assert isinstance(await staff.sign_in("rosa"), SignInRefused)
    staff.seeds["rosa"] = seed
    assert isinstance(await staff.sign_in("rosa"), tuple)


# Let in again -----------------------------------------------------------------------------------------------------


async def test_who_lost_everything_is_let_in_again_and_reads_what_they_read_before(staff: Staff) -> None:
    case = await staff.case()
    omar = await staff.join("omar")
    old_session, one_time = await staff.cookie("omar"), one_time_passphrase()
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.reset(omar.id, choose(one_time), by=rosa)
    assert await staff.opened(old_session) is None
    assert isinstance(await staff.sign_in("omar"), SignInRefused), "the old factors are gone"
    await staff.settle("omar", one_time)
    assert await staff.reads(await staff.open("omar"), case) == "words"
    assert ("member.reset", f"member:{omar.id}") in await staff.audit()


async def test_letting_in_again_also_opens_a_name_that_was_locked(staff: Staff) -> None:
    omar = await staff.join("omar")
    for _ in range(5):
        await staff.sign_in("omar", passphrase="wrong", totp="")
    one_time, rosa = one_time_passphrase(), await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.reset(omar.id, choose(one_time), by=rosa)
    await staff.settle("omar", one_time)


# Taking out, and a new team key -----------------------------------------------------------------------------------


async def test_who_was_taken_out_opens_nothing_and_everybody_else_everything(staff: Staff) -> None:
    before = await staff.case("before")
    mallory = await staff.join("mallory")
    await staff.join("omar")
    cookie, kept = await staff.cookie("mallory"), await staff.open("mallory")
    omar_before, rosa = await staff.cookie("omar"), await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.remove(mallory.id, by=rosa)
    after = await staff.case("after")
    assert await staff.opened(cookie) is None
    assert isinstance(await staff.sign_in("mallory"), SignInRefused)
    with pytest.raises(CannotOpen):
        await staff.reads(kept, after)
    omar = await staff.opened(omar_before)
    assert omar is not None, "nobody else has to sign in again"
    for case in (before, after):
        assert await staff.reads(omar, case) == case_text(case, before)
    assert await staff.regrant(omar) == 0
    with pytest.raises(CannotOpen):
        await staff.reads(kept, before)
    for name in ("rosa", "omar"):
        who = await staff.open(name)
        assert len(who.teams) == 1
        assert [await staff.reads(who, case) for case in (before, after)] == ["before", "after"]


def case_text(case: object, before: object) -> str:
    return "before" if case == before else "after"


async def test_nothing_that_is_stored_opens_with_the_keys_of_somebody_who_was_taken_out(staff: Staff) -> None:
    """Everything that they ever held, tried on every sealed byte of grants and memberships."""
    await staff.case()
    mallory = await staff.join("mallory")
    kept, rosa = await staff.open("mallory"), await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.remove(mallory.id, by=rosa)
    await staff.regrant(rosa)
    teams = [team for (team,) in await rows(staff.vault, "SELECT id FROM teams")]
    members = [member for (member,) in await rows(staff.vault, "SELECT id FROM members")]
    found = []
    for key in (kept.key, *kept.teams.values()):
        for case_id, sealed in await rows(staff.vault, "SELECT case_id, sealed FROM grants"):
            found += [opens(sealed, key, f"grant/{case_id}/{team}") for team in teams]
        for (sealed,) in await rows(staff.vault, "SELECT sealed FROM memberships"):
            pairs = itertools.product(teams, members)
            found += [opens(sealed, key, f"membership/{team}/{member}") for team, member in pairs]
    assert found
    assert not any(found)
    ((gone,),) = await rows(staff.vault, f"SELECT t::text FROM members t WHERE id = '{mallory.id}'")  # noqa: S608 - an id
    assert "\\\\x" in gone
    assert kept.key.seed.hex() not in gone


def opens(sealed: bytes, key: PrivateKey, context: str) -> bool:
    try:
        open_sealed(sealed, key, context)
    except CannotOpen:
        return False
    return True


async def test_closed_cases_move_too(staff: Staff) -> None:
    states = [state for state in CaseState if state is not CaseState.ERASED]
    cases = [await staff.case(str(state)) for state in states]
    async with staff.vault.unit() as unit:
        for case, state in zip(cases, states, strict=True):
            await unit.cases.change(case.id, state=state)
    rosa = await staff.open("rosa")
    await _rotate(staff, rosa)
    assert await staff.regrant(rosa) == 0
    rosa = await staff.open("rosa")
    assert [await staff.reads(rosa, case) for case in cases] == [str(state) for state in states]
    assert len({*await rows(staff.vault, "SELECT team_id FROM grants")}) == 1


async def test_what_they_had_taken_waits_for_somebody_again(staff: Staff) -> None:
    mallory, rosa = await staff.join("mallory"), await staff.open("rosa")
    taken, answered, other = [await staff.case() for _ in range(3)]
    async with staff.vault.unit() as unit:
        await unit.cases.change(taken.id, state=CaseState.ASSIGNED, member_id=mallory.id)
        await unit.cases.change(answered.id, state=CaseState.ANSWERED, member_id=mallory.id)
        await unit.cases.change(other.id, state=CaseState.ASSIGNED, member_id=rosa.member.id)
    async with staff.vault.unit() as unit:
        await unit.staffing.remove(mallory.id, by=rosa)
    async with staff.vault.unit() as unit:
        states = [(c.state, c.member_id) for c in [await unit.cases.get(case.id) for case in (taken, answered, other)]]
    assert states == [
        (CaseState.OPEN, None),
        (CaseState.ANSWERED, None),
        (CaseState.ASSIGNED, rosa.member.id),
    ]


async def test_their_name_is_free_again_and_stays_in_the_audit_trail(staff: Staff) -> None:
    mallory, rosa = await staff.join("mallory"), await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.remove(mallory.id, by=rosa)
    async with staff.vault.unit() as unit:
        assert "mallory" not in [m.name for m in await unit.members.all()]
        assert "mallory" in [m.name for m in await unit.members.everyone()]
        for act in (unit.staffing.remove, unit.staffing.reset):
            arguments = (mallory.id,) if act == unit.staffing.remove else (mallory.id, chosen())
            with pytest.raises(NotFound):
                await act(*arguments, by=await staff.open("rosa"))
    assert (await staff.join("mallory")).id != mallory.id


async def _dies_in_the_middle(staff: Staff, by: SignedIn, after: uuid.UUID | None) -> None:
    async with staff.vault.unit() as unit:
        await unit.teams.regrant(by.teams, after=after, limit=2)
        raise ZeroDivisionError


@pytest.mark.parametrize("batches", [0, 1, 2])
async def test_moving_the_cases_may_stop_anywhere_and_goes_on_in_other_hands(staff: Staff, batches: int) -> None:
    cases = [await staff.case(str(number)) for number in range(7)]
    mallory = await staff.join("mallory")
    await staff.join("omar")
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.remove(mallory.id, by=rosa)
    after = None
    for _ in range(batches):
        async with staff.vault.unit() as unit:
            after = (await unit.teams.regrant(rosa.teams, after=after, limit=2)).after
    with pytest.raises(ZeroDivisionError):
        await _dies_in_the_middle(staff, rosa, after)
    omar = await staff.open("omar")
    async with staff.vault.unit() as unit:
        assert await unit.teams.left() == len(cases) - 2 * batches
    assert [await staff.reads(omar, case) for case in cases] == [str(n) for n in range(7)], "every case opens meanwhile"
    assert await staff.regrant(omar) == 0
    for name in ("omar", "rosa"):
        who = await staff.open(name)
        assert len(who.teams) == 1, "the old key is destroyed"
        assert [await staff.reads(who, case) for case in cases] == [str(n) for n in range(7)]


async def test_two_who_move_the_cases_at_once_are_not_in_each_others_way(staff: Staff) -> None:
    cases = [await staff.case(str(number)) for number in range(6)]
    await staff.join("omar")
    rosa, omar = await staff.open("rosa"), await staff.open("omar")
    async with staff.vault.unit() as unit:
        await unit.staffing.rotate(by=rosa)
    assert set(await asyncio.gather(staff.regrant(rosa), staff.regrant(omar))) == {0}
    again = await staff.open("omar")
    assert [await staff.reads(again, case) for case in cases] == [str(n) for n in range(6)]


async def test_a_second_new_key_before_the_first_is_done_ends_well(staff: Staff) -> None:
    cases = [await staff.case(str(number)) for number in range(3)]
    for _ in range(2):
        rosa = await staff.open("rosa")
        await _rotate(staff, rosa)
        async with staff.vault.unit() as unit:
            await unit.teams.regrant(rosa.teams, limit=1)
    assert await staff.regrant(await staff.open("rosa")) == 0
    rosa = await staff.open("rosa")
    assert len(rosa.teams) == 1
    assert [await staff.reads(rosa, case) for case in cases] == ["0", "1", "2"]


async def test_a_report_that_arrives_during_the_change_of_keys_is_not_sealed_to_the_old_one(staff: Staff) -> None:
    rosa = await staff.open("rosa")
    old = {*rosa.teams}
    async with staff.vault.unit() as unit:
        early = await say(unit, "began before")  # holds the teams still until it is kept
        rotating = asyncio.create_task(_rotate(staff, rosa))
        await asyncio.sleep(0.2)
        assert not rotating.done(), "the change waits for the report"
    await rotating
    late = await staff.case("came after")
    ((teams,),) = await rows(staff.vault, f"SELECT array_agg(team_id) FROM grants WHERE case_id = '{late.id}'")  # noqa: S608 - an id
    assert not old & {*teams}
    assert await staff.regrant(await staff.open("rosa")) == 0
    rosa = await staff.open("rosa")
    assert [await staff.reads(rosa, case) for case in (early, late)] == ["began before", "came after"]


async def _rotate(staff: Staff, by: SignedIn) -> None:
    async with staff.vault.unit() as unit:
        await unit.staffing.rotate(by=by)


async def test_a_grant_that_was_changed_stops_nothing_and_keeps_the_old_key(staff: Staff) -> None:
    good, bad = await staff.case("good"), await staff.case("bad")
    async with staff.vault.engine.begin() as connection:
        await connection.execute(
            text("UPDATE grants SET sealed = set_byte(sealed, 40, 255 - get_byte(sealed, 40)) WHERE case_id = :id"),
            {"id": bad.id},
        )
    rosa = await staff.open("rosa")
    await _rotate(staff, rosa)
    assert await staff.regrant(rosa) == 1
    rosa = await staff.open("rosa")
    assert len(rosa.teams) == 2
    assert await staff.reads(rosa, good) == "good"


async def test_keys_that_were_opened_before_the_change_let_nobody_in_without_the_new_key(staff: Staff) -> None:
    omar = await staff.join("omar")
    stale, rosa = await staff.open("rosa"), await staff.open("rosa")
    await _rotate(staff, rosa)
    await fails_with(Conflict, staff, lambda u: u.staffing.invite("new", Role.REVIEWER, chosen(), by=stale))
    await fails_with(Conflict, staff, lambda u: u.staffing.reset(omar.id, chosen(), by=stale))
    now = await staff.credentials("rosa", totp="")
    await fails_with(Conflict, staff, lambda u: u.account.change_passphrase(stale, now, chosen()))


async def test_who_is_let_in_while_cases_still_move_opens_all_of_them(staff: Staff) -> None:
    case = await staff.case()
    await _rotate(staff, await staff.open("rosa"))
    await staff.join("omar")
    omar = await staff.open("omar")
    assert await staff.reads(omar, case) == "words"
    assert await staff.regrant(omar) == 0


# Proof ------------------------------------------------------------------------------------------------------------


async def test_every_act_is_in_the_audit_chain_and_the_chain_holds(staff: Staff) -> None:
    omar = await staff.join("omar")
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.change_role(omar.id, Role.SUPERVISOR, by=rosa)
        await unit.staffing.change_role(omar.id, Role.REVIEWER, by=rosa)
        await unit.staffing.reset(omar.id, chosen(), by=rosa)
        await unit.recovery.print(by=rosa)
    async with staff.vault.unit() as unit:
        await unit.staffing.remove(omar.id, by=rosa)
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.account.change_passphrase(rosa, await staff.credentials("rosa", totp=""), chosen())
    async with staff.vault.unit() as unit:
        lines = tuple(reversed(await unit.audit.lines()))
    assert [line.action for line in lines] == [
        "member.enrolled",
        "member.settled",
        "member.made_supervisor",
        "member.made_reviewer",
        "member.reset",
        "recovery.printed",
        "member.removed",
        "team.rotated",
        "member.passphrase",
    ]
    assert {line.actor for line in lines} == {f"member:{rosa.member.id}", f"member:{omar.id}"}
    verify(lines, checking_key(staff.vault.ring))


async def test_nobody_who_is_not_there_is_decided_about(staff: Staff) -> None:
    rosa = await staff.open("rosa")
    await fails_with(NotFound, staff, lambda u: u.staffing.remove(uuid.uuid4(), by=rosa))
    await fails_with(NotFound, staff, lambda u: u.staffing.reset(uuid.uuid4(), chosen(), by=rosa))


async def test_an_invitation_lasts_three_days_to_the_minute(staff: Staff) -> None:
    member = await invited(staff, one_time_passphrase())
    assert member.invited_until is not None
    assert timedelta(days=2, hours=23) < member.invited_until - staff.clock.now <= timedelta(days=3)


# Coming from an earlier release -----------------------------------------------------------------------------------


def test_where_roles_meant_nothing_yet_everybody_becomes_a_supervisor(cluster: Cluster) -> None:
    """Or nobody could let anyone in after the update. Where there is a supervisor, nobody is raised."""
    for roles, after in ((["reviewer"] * 2, ["supervisor"] * 2), (["reviewer", "supervisor"],) * 2):
        name = f"old_{uuid.uuid4().hex}"
        with psycopg.connect(cluster.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        url = at(cluster.url, name)
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
        with engine.begin() as old:
            command.upgrade(alembic_config(old), "0002")
            for role in roles:
                old.execute(
                    text(
                        "INSERT INTO members (id, login, name, role, public_key, salt, private_key, totp)"
                        " VALUES (gen_random_uuid(), sha256(gen_random_uuid()::text::bytea), '', :role, '', '', '', '')"
                    ),
                    {"role": role},
                )
        engine.dispose()
        migrate(url)
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT role FROM members ORDER BY role").fetchall()
        assert [role for (role,) in found] == after
