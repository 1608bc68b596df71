"""Staff: both factors or nothing, a code once, a session that ends; and what the key of one member opens."""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.vaults import START, Clock, every_key, found_team, open_case, rows
from vault.cases import Entry, EntryKind
from vault.credentials import Credentials, prepare
from vault.errors import CannotOpen, NotFound, SignInLocked, SignInRefused
from vault.members import Enrolment, Member, Role, SignedIn
from vault.sealing import PrivateKey, open_sealed, unlock
from vault.sessions import Cookie
from vault.unit import Vault

PASSPHRASE = "seven quiet lanterns by the harbour"
Outcome = tuple[Member, Cookie] | SignInRefused | SignInLocked


async def enrol_first(vault: Vault, name: str = "rosa") -> Enrolment:
    """The first member, who founds the team."""
    async with vault.unit() as unit:
        return await unit.members.enrol(name, PASSPHRASE, Role.SUPERVISOR)


def code(enrolment: Enrolment, clock: Clock) -> str:
    """What the authenticator shows now."""
    return pyotp.TOTP(enrolment.totp_seed).at(clock.now)


async def sign_in(vault: Vault, totp: str, *, name: str = "rosa", passphrase: str = PASSPHRASE) -> Outcome:
    """Sign in as the console does."""
    async with vault.unit() as unit:
        salt = await unit.members.salt(name)
    credentials = prepare(name, passphrase, totp, salt)
    async with vault.unit() as unit:
        return await unit.members.sign_in(credentials)


async def session(vault: Vault, enrolment: Enrolment, clock: Clock) -> str:
    """The cookie of a member who has just signed in."""
    outcome = await sign_in(vault, code(enrolment, clock))
    assert isinstance(outcome, tuple)
    return outcome[1].value


async def opened(vault: Vault, cookie: str, *, touch: bool = True) -> SignedIn | None:
    """Whom a cookie opens."""
    async with vault.unit() as unit:
        return await unit.members.open(cookie, touch=touch)


# Enrolment --------------------------------------------------------------------------------------------------------


async def test_the_first_member_founds_the_team_and_the_second_is_let_in_by_them(vault: Vault, clock: Clock) -> None:
    rosa = await session(vault, await enrol_first(vault), clock)
    by = await opened(vault, rosa)
    assert by is not None
    async with vault.unit() as unit:
        omar = await unit.members.enrol("omar", "another long passphrase", Role.REVIEWER, by=by)
        case = await open_case(unit)
        await unit.cases.add(case, Entry(kind=EntryKind.PERSON, text="words"))
    outcome = await sign_in(vault, code(omar, clock), name="omar", passphrase="another long passphrase")
    assert isinstance(outcome, tuple)
    assert (outcome[0].name, outcome[0].role) == ("omar", Role.REVIEWER)
    let_in = await opened(vault, outcome[1].value)
    assert let_in is not None
    async with vault.unit() as unit:
        (entry,) = await unit.cases.read(case, await unit.cases.key(case, let_in.teams))
        assert entry.entry.text == "words"
        assert [member.name for member in await unit.members.all()] == ["omar", "rosa"]


async def test_a_second_member_cannot_found_a_team_of_their_own(vault: Vault) -> None:
    await enrol_first(vault)
    with pytest.raises(CannotOpen):
        await enrol_first(vault, "mallory")
    assert len(await rows(vault, "SELECT * FROM members")) == 1


async def test_a_name_is_taken_once_however_it_is_written(vault: Vault, clock: Clock) -> None:
    by = await opened(vault, await session(vault, await enrol_first(vault), clock))
    with pytest.raises(IntegrityError):
        async with vault.unit() as unit:
            await unit.members.enrol(" Rosa ", "another long passphrase", Role.REVIEWER, by=by)


async def test_a_member_who_is_not_there_is_said_to_be_missing(vault: Vault) -> None:
    async with vault.unit() as unit:
        with pytest.raises(NotFound):
            await unit.members.get(uuid.uuid4())


# Sign-in ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rosa", " ROSA "])
async def test_both_factors_let_a_member_in(vault: Vault, clock: Clock, name: str) -> None:
    outcome = await sign_in(vault, code(await enrol_first(vault), clock), name=name)
    assert isinstance(outcome, tuple)
    assert outcome[0].name == "rosa"


@pytest.mark.parametrize("drift", [-30, 30])
async def test_a_clock_that_is_half_a_minute_off_still_lets_in(vault: Vault, clock: Clock, drift: int) -> None:
    enrolment = await enrol_first(vault)
    shown = pyotp.TOTP(enrolment.totp_seed).at(clock.now + timedelta(seconds=drift))
    assert isinstance(await sign_in(vault, shown), tuple)


@pytest.mark.parametrize("drift", [-90, 90])
async def test_an_older_or_later_code_does_not(vault: Vault, clock: Clock, drift: int) -> None:
    enrolment = await enrol_first(vault)
    shown = pyotp.TOTP(enrolment.totp_seed).at(clock.now + timedelta(seconds=drift))
    assert isinstance(await sign_in(vault, shown), SignInRefused)


async def test_every_wrong_factor_gets_the_same_answer(vault: Vault, clock: Clock) -> None:
    right = code(await enrol_first(vault), clock)
    wrong = (
        await sign_in(vault, right, passphrase="wrong"),
        await sign_in(vault, "000000" if right != "000000" else "111111"),
        await sign_in(vault, ""),
        await sign_in(vault, "\u0661\u0662\ud800"),
        await sign_in(vault, right, name="nobody"),
        await sign_in(vault, right, name="\ud800"),
    )
    assert {(type(outcome), str(outcome)) for outcome in wrong} == {(SignInRefused, str(SignInRefused()))}


async def test_the_salt_of_an_unknown_name_stays_the_same_and_looks_like_any(vault: Vault) -> None:
    await enrol_first(vault)
    async with vault.unit() as unit:
        salts = [await unit.members.salt(name) for name in ("nobody", " Nobody", "somebody", "rosa", "\ud800")]
        assert salts[0] == salts[1] == await unit.members.salt("nobody")
        assert len({*salts}) == 4
        assert {len(salt) for salt in salts} == {16}


async def test_a_code_works_once(vault: Vault, clock: Clock) -> None:
    enrolment = await enrol_first(vault)
    assert isinstance(await sign_in(vault, code(enrolment, clock)), tuple)
    assert isinstance(await sign_in(vault, code(enrolment, clock)), SignInRefused)
    clock.later(seconds=30)
    assert isinstance(await sign_in(vault, code(enrolment, clock)), tuple)


async def test_a_code_works_once_even_twice_at_once(vault: Vault, clock: Clock) -> None:
    shown = code(await enrol_first(vault), clock)
    outcomes = await asyncio.gather(*(sign_in(vault, shown) for _ in range(3)))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["SignInRefused", "SignInRefused", "tuple"]


async def test_five_wrong_tries_close_the_door_for_a_quarter_of_an_hour(vault: Vault, clock: Clock) -> None:
    enrolment = await enrol_first(vault)
    credentials = await _wrong(vault)
    for _ in range(5):
        assert isinstance(await _try(vault, credentials), SignInRefused)
    assert isinstance(await sign_in(vault, code(enrolment, clock)), SignInLocked)
    clock.later(minutes=14, seconds=59)
    assert isinstance(await sign_in(vault, code(enrolment, clock)), SignInLocked)
    clock.later(seconds=1)
    assert isinstance(await sign_in(vault, code(enrolment, clock)), tuple)


async def test_a_right_sign_in_forgives_the_wrong_ones(vault: Vault, clock: Clock) -> None:
    enrolment = await enrol_first(vault)
    credentials = await _wrong(vault)
    for _ in range(3):
        for _ in range(4):
            assert isinstance(await _try(vault, credentials), SignInRefused)
        assert isinstance(await sign_in(vault, code(enrolment, clock)), tuple)
        clock.later(seconds=30)


async def _wrong(vault: Vault) -> Credentials:
    """Credentials that do not fit, stretched once."""
    async with vault.unit() as unit:
        return prepare("rosa", "wrong", "123456", await unit.members.salt("rosa"))


async def _try(vault: Vault, credentials: Credentials) -> Outcome:
    async with vault.unit() as unit:
        return await unit.members.sign_in(credentials)


# Sessions ---------------------------------------------------------------------------------------------------------


async def test_a_session_ends_half_an_hour_after_its_last_use(vault: Vault, clock: Clock) -> None:
    cookie = await session(vault, await enrol_first(vault), clock)
    for _ in range(3):
        clock.later(minutes=30)
        assert await opened(vault, cookie) is not None
    clock.later(minutes=30, seconds=1)
    assert await opened(vault, cookie) is None
    assert await rows(vault, "SELECT * FROM sessions") == []


async def test_a_screen_that_refreshes_itself_does_not_keep_a_session_alive(vault: Vault, clock: Clock) -> None:
    cookie = await session(vault, await enrol_first(vault), clock)
    clock.later(minutes=20)
    assert await opened(vault, cookie, touch=False) is not None
    clock.later(minutes=11)
    assert await opened(vault, cookie) is None


async def test_no_session_lasts_longer_than_twelve_hours(vault: Vault, clock: Clock) -> None:
    cookie = await session(vault, await enrol_first(vault), clock)
    while clock.now < START + timedelta(hours=12):
        clock.later(minutes=30)
        assert await opened(vault, cookie) is not None
    clock.later(seconds=1)
    assert await opened(vault, cookie) is None


async def test_signing_out_removes_the_wrapped_key(vault: Vault, clock: Clock) -> None:
    enrolment = await enrol_first(vault)
    first = await session(vault, enrolment, clock)
    clock.later(seconds=30)
    second = await session(vault, enrolment, clock)
    async with vault.unit() as unit:
        await unit.members.sign_out(first)
    assert await opened(vault, first) is None
    assert await opened(vault, second) is not None
    assert len(await rows(vault, "SELECT * FROM sessions")) == 1


async def test_a_cookie_that_was_changed_opens_nothing(vault: Vault, clock: Clock) -> None:
    enrolment = await enrol_first(vault)
    cookie = await session(vault, enrolment, clock)
    clock.later(seconds=30)
    other = await session(vault, enrolment, clock)
    bad = (
        "",
        "no hex",
        "\u0661" * 128,
        cookie[:-2],
        cookie + "00",
        cookie[64:] + cookie[:64],
        cookie[:64] + other[64:],  # the name of one session with the key of another
        "00" * 64,
        f"{int(cookie[:2], 16) ^ 1:02x}{cookie[2:]}",
        f"{cookie[:-2]}{int(cookie[-2:], 16) ^ 1:02x}",
    )
    for changed in bad:
        assert await opened(vault, changed) is None, changed
    assert await opened(vault, cookie) is not None


async def test_a_member_who_was_removed_is_out_at_once(vault: Vault, clock: Clock) -> None:
    cookie = await session(vault, await enrol_first(vault), clock)
    async with vault.engine.begin() as connection:
        await connection.execute(text("DELETE FROM members"))
    assert await opened(vault, cookie) is None


async def test_neither_half_of_the_cookie_is_in_the_database(vault: Vault, clock: Clock) -> None:
    cookie = await session(vault, await enrol_first(vault), clock)
    ((row,),) = await rows(vault, "SELECT sessions::text FROM sessions")
    assert cookie[:64] not in row
    assert cookie[64:] not in row
    assert cookie not in repr(Cookie(cookie))


# What a thief can open --------------------------------------------------------------------------------------------


async def test_the_passphrase_alone_opens_the_keys_and_a_wrong_one_none(vault: Vault) -> None:
    await enrol_first(vault)
    async with vault.unit() as unit:
        salt = await unit.members.salt("rosa")
        unlocked = await unit.members.unlock(prepare("rosa", PASSPHRASE, "", salt))
        assert len(unlocked.teams) == 1
        for credentials in (prepare("rosa", "wrong", "", salt), prepare("nobody", PASSPHRASE, "", salt)):
            with pytest.raises(CannotOpen):
                await unit.members.unlock(credentials)


async def test_a_stolen_database_and_key_ring_without_a_passphrase_open_no_case(vault: Vault, clock: Clock) -> None:
    """Every 32 bytes of every column are tried as a secret key, every 96 as a private one, and the key ring's too."""
    enrolment = await enrol_first(vault)
    await session(vault, enrolment, clock)
    async with vault.unit() as unit:
        case = await open_case(unit)
        await unit.cases.add(case, Entry(kind=EntryKind.PERSON, text="words"))
    stolen = await _everything(vault)
    secrets = {*every_key(vault.ring), *(value[i : i + 32] for value in stolen for i in range(0, len(value) - 31, 32))}
    member, team = enrolment.member.id, (await rows(vault, "SELECT id FROM teams"))[0][0]
    for where, context in (
        ("SELECT private_key FROM members", f"member-key/{member}"),
        ("SELECT sealed FROM sessions", f"session/{member}"),
    ):
        ((locked,),) = await rows(vault, where)
        for secret in secrets:
            with pytest.raises(CannotOpen):
                unlock(locked, secret, context)
    seeds = {value[:96] for value in stolen if len(value) >= 96} | {(key * 3)[:96] for key in every_key(vault.ring)}
    for where, context in (
        ("SELECT totp FROM members", f"totp/{member}"),
        ("SELECT sealed FROM memberships", f"membership/{team}/{member}"),
        ("SELECT sealed FROM grants", f"grant/{case.id}/{team}"),
        ("SELECT sealed FROM entries", f"entry/{case.id}/1/person"),
    ):
        ((sealed,),) = await rows(vault, where)
        for seed in seeds:
            with pytest.raises(CannotOpen):
                open_sealed(sealed, PrivateKey(seed), context)


async def _everything(vault: Vault) -> list[bytes]:
    """Every value of bytes in every table."""
    found: list[bytes] = []
    for (table,) in await rows(vault, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        for row in await rows(vault, f'SELECT * FROM "{table}"'):  # noqa: S608 - names from the catalogue
            found += [bytes(value) for value in row if isinstance(value, bytes)]
    return found


async def test_a_member_opens_only_what_their_team_was_granted(vault: Vault, clock: Clock) -> None:
    rosa = await opened(vault, await session(vault, await enrol_first(vault), clock))
    assert rosa is not None
    async with vault.engine.begin() as connection:
        await connection.execute(text("UPDATE teams SET retired_at = now()"))
    others: Mapping[uuid.UUID, PrivateKey] = await found_team(vault)
    async with vault.unit() as unit:
        case = await open_case(unit)
        assert len((await unit.cases.key(case, others)).seed) == 96
        with pytest.raises(CannotOpen):
            await unit.cases.key(case, rosa.teams)
