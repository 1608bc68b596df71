"""The audit trail: one chain over all processes, which shows every change to it, to whoever has an export."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from tests.vaults import START, Clock, rows
from vault.audit import Broken, Line, checking_key, signing_key, verify
from vault.errors import Conflict
from vault.keys import KeyRing, init_key_ring
from vault.unit import Vault

ACTIONS = (("case.opened", "case:123456"), ("case.filed", "case:123456"), ("alert.opened", "case:123456"))


async def chain(vault: Vault) -> list[Line]:
    """The whole chain, oldest first."""
    async with vault.unit() as unit:
        return list(reversed(await unit.audit.lines(limit=1000)))


async def write(vault: Vault, *actions: tuple[str, str], actor: str = "system") -> None:
    """Add lines in one unit."""
    async with vault.unit() as unit:
        for action, subject in actions:
            unit.audit.add(action, subject, actor=actor)


async def test_what_was_done_is_chained_in_order_and_verifies(vault: Vault, clock: Clock) -> None:
    await write(vault, *ACTIONS)
    clock.later(hours=1)
    await write(vault, ("case.closed", "case:123456"), actor="member:7")
    lines = await chain(vault)
    assert [line.number for line in lines] == [1, 2, 3, 4]
    assert [(line.action, line.subject) for line in lines] == [*ACTIONS, ("case.closed", "case:123456")]
    assert [line.actor for line in lines] == ["system"] * 3 + ["member:7"]
    assert lines[3].at - lines[0].at == timedelta(hours=1)
    assert lines[0].at == START.replace(second=0, microsecond=0)
    assert verify(lines, checking_key(vault.ring)) == 4


async def test_an_empty_chain_verifies_and_a_unit_without_deeds_adds_nothing(vault: Vault) -> None:
    await write(vault)
    assert verify(await chain(vault), checking_key(vault.ring)) == 0


async def test_a_deed_that_was_rolled_back_is_not_in_the_chain(vault: Vault) -> None:
    async def fail() -> None:
        async with vault.unit() as unit:
            unit.audit.add("case.opened", "case:1")
            raise Conflict

    with pytest.raises(Conflict):
        await fail()
    await write(vault, ("case.opened", "case:2"))
    assert [(line.number, line.subject) for line in await chain(vault)] == [(1, "case:2")]


async def test_many_writers_at_once_make_one_chain(vault: Vault) -> None:
    await asyncio.gather(*(write(vault, *ACTIONS) for _ in range(8)))
    lines = await chain(vault)
    assert verify(lines, checking_key(vault.ring)) == 24
    assert [line.action for line in lines] == [action for action, _ in ACTIONS] * 8  # units are not mixed


async def test_a_page_of_the_trail_goes_on_where_the_one_before_ended(vault: Vault) -> None:
    await write(vault, *ACTIONS)
    async with vault.unit() as unit:
        newest = await unit.audit.lines(limit=2)
        older = await unit.audit.lines(limit=2, before=newest[-1].number)
    assert [line.number for line in (*newest, *older)] == [3, 2, 1]
    whole = (*reversed(older), *reversed(newest))
    assert verify(whole[1:], checking_key(vault.ring), after=whole[0]) == 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET action = 'case.closed' WHERE number = 2",
        "UPDATE audit SET actor = 'member:9' WHERE number = 2",
        "UPDATE audit SET subject = 'case:654321' WHERE number = 2",
        "UPDATE audit SET at = at + interval '1 minute' WHERE number = 2",
        "UPDATE audit SET hash = decode(repeat('00', 32), 'hex') WHERE number = 2",
        "UPDATE audit SET signature = decode(repeat('00', 64), 'hex') WHERE number = 2",
        "UPDATE audit SET signature = ''  WHERE number = 2",
        "DELETE FROM audit WHERE number = 2",
    ],
)
async def test_a_changed_line_is_named(vault: Vault, statement: str) -> None:
    await write(vault, *ACTIONS)
    async with vault.engine.begin() as connection:
        await connection.execute(text(statement))
    with pytest.raises(Broken) as broken:
        verify(await chain(vault), checking_key(vault.ring))
    assert broken.value.number == 2


# The lines of a chain, without a database ---------------------------------------------------------------------------


@pytest.fixture
async def lines(vault: Vault) -> Sequence[Line]:
    """Three lines."""
    await write(vault, *ACTIONS)
    return await chain(vault)


async def test_a_line_that_was_left_out_moved_or_doubled_is_found(vault: Vault, lines: Sequence[Line]) -> None:
    key, (one, two, three) = checking_key(vault.ring), lines
    for wrong in ([two, three], [one, three], [one, three, two], [one, two, two, three], [one, two, three, three]):
        with pytest.raises(Broken):
            verify(wrong, key)


async def test_a_chain_signed_by_another_key_is_refused(vault: Vault, lines: Sequence[Line], ring: KeyRing) -> None:
    other = init_key_ring(ring.directory.parent / "other")
    with pytest.raises(Broken):
        verify(lines, checking_key(other))
    rewritten = [replace(line, signature=signing_key(other).sign(line.hash)) for line in lines]
    assert verify(rewritten, checking_key(other)) == 3
    with pytest.raises(Broken):
        verify(rewritten, checking_key(vault.ring))


async def test_a_shorter_chain_is_seen_by_its_last_number(vault: Vault, lines: Sequence[Line]) -> None:
    """Removing the newest lines leaves a chain that fits: whoever kept the last number, or a head, sees it."""
    assert verify(lines[:2], checking_key(vault.ring)) == 2


async def test_an_export_is_the_same_after_json(lines: Sequence[Line]) -> None:
    assert [Line.from_json(json.loads(json.dumps(line.to_json()))) for line in lines] == list(lines)


async def test_a_time_in_another_zone_is_the_same_time(vault: Vault, lines: Sequence[Line]) -> None:
    async with vault.engine.begin() as connection:
        await connection.execute(text("SET LOCAL TIME ZONE 'Asia/Kathmandu'"))
        found = (await connection.execute(text("SELECT * FROM audit ORDER BY number"))).all()
    moved = [Line(**row._mapping) for row in found]
    assert moved[0].at.utcoffset() != lines[0].at.utcoffset()
    assert verify(moved, checking_key(vault.ring)) == 3


@given(st.dictionaries(st.text(max_size=9), st.one_of(st.text(max_size=9), st.integers()), max_size=7))
def test_what_is_no_line_is_refused_as_such(junk: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Line.from_json(junk)


async def test_the_signature_is_not_secret_but_the_key_is(vault: Vault, lines: Sequence[Line]) -> None:
    assert repr(lines[0]).endswith("action='case.opened', subject='case:123456')")
    ((row,),) = await rows(vault, "SELECT string_agg(audit::text, '') FROM audit")
    assert vault.ring.audit.hex() not in row
    assert signing_key(vault.ring).private_bytes_raw().hex() not in row
