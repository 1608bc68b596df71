"""The way back when nobody can sign in: two sheets together open everything, one alone or a worn-out one nothing."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.staffed import Staff, cheap, chosen, staff
from tests.vaults import rows
from vault.credentials import choose, one_time_passphrase
from vault.errors import BadSheet, CannotOpen
from vault.members import Role
from vault.recovery import LINES, Sheet, join, line_fits, recovery_key, split

__all__ = ["cheap", "staff"]  # fixtures

SECRET = bytes(range(32))
SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


# Paper ------------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32))
def test_both_sheets_give_the_secret_in_any_order(secret: bytes) -> None:
    first, second = split(secret)
    assert join((first, second)) == join((second, first)) == secret


def test_a_sheet_is_four_lines_of_four_groups_that_can_be_typed() -> None:
    for sheet in split(SECRET):
        assert len(sheet) == LINES
        for line in sheet:
            assert [len(group) for group in line.split(" ")] == [4, 4, 4, 4]
            assert set(line.replace(" ", "")) <= set(SIGNS)


def test_one_sheet_alone_tells_nothing() -> None:
    """A first sheet is random bytes; a second one is the secret under them. Neither is twice the same."""
    seconds = [split(SECRET)[1][1:] for _ in range(50)]
    assert len({*seconds}) == 50
    with pytest.raises(BadSheet):
        join((split(SECRET)[0],) * 2)
    with pytest.raises(BadSheet):
        join((split(SECRET)[1],) * 2)


def test_sheets_of_two_pairs_do_not_go_together() -> None:
    (first, _), (_, second) = split(SECRET), split(bytes(32))
    with pytest.raises(BadSheet) as bad:
        join((first, second))
    assert (bad.value.sheet, bad.value.line) == (2, 0)


def test_what_looks_alike_is_read_alike() -> None:
    first, second = (tuple(line.lower().replace(" ", "-") for line in sheet) for sheet in split(SECRET))
    looks = str.maketrans("01", "oi")
    assert join([tuple(line.translate(looks) for line in sheet) for sheet in (first, second)]) == SECRET


@given(st.integers(0, LINES - 1), st.integers(0, 15), st.sampled_from(SIGNS))
def test_a_wrong_sign_is_found_in_its_line_nearly_always(line: int, place: int, sign: str) -> None:
    first, second = FIXED
    signs = list(first[line].replace(" ", ""))
    if signs[place] == sign:
        return
    signs[place] = sign
    worn = "".join(signs)
    if line_fits(worn, line + 1):  # one in a thousand gets past its line, and then not past the pair
        with pytest.raises(BadSheet):
            join(([*first[:line], worn, *first[line + 1 :]], second))
        return
    with pytest.raises(BadSheet) as bad:
        join(([*first[:line], worn, *first[line + 1 :]], second))
    assert (bad.value.sheet, bad.value.line) == (1, line + 1)


FIXED: tuple[Sheet, Sheet] = split(SECRET)


@pytest.mark.parametrize("lines", [(), ("",) * 4, ("É" * 16,) * 4, ("0" * 16,) * 3, FIXED[0][::-1], ("0" * 1000,) * 4])
def test_what_is_no_sheet_is_refused_with_its_line(lines: Sequence[str]) -> None:
    with pytest.raises(BadSheet) as bad:
        join((lines, FIXED[1]))
    assert bad.value.line in range(1, LINES + 1)


@given(st.lists(st.text(max_size=40), max_size=5), st.lists(st.text(max_size=40), max_size=5))
def test_whatever_is_typed_is_a_sheet_or_refused(first: list[str], second: list[str]) -> None:
    with pytest.raises(BadSheet):
        join((first, second))


def test_a_swap_of_two_neighbours_is_found() -> None:
    missed = 0
    for line in FIXED[0]:
        plain = line.replace(" ", "")
        for i in range(len(plain) - 1):
            swapped = plain[:i] + plain[i + 1] + plain[i] + plain[i + 2 :]
            missed += swapped != plain and line_fits(swapped, FIXED[0].index(line) + 1)
    assert missed <= 1


# What the sheets open ---------------------------------------------------------------------------------------------


async def printed(staff: Staff) -> tuple[Sheet, Sheet]:
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        return await unit.recovery.print(by=rosa)


async def recovered(staff: Staff, sheets: Sequence[Sheet], name: str) -> None:
    """As `harborline staff recover` does it."""
    one_time = one_time_passphrase()
    async with staff.vault.unit() as unit:
        keys = await unit.recovery.open(sheets)
        await unit.staffing.recover(name, choose(one_time), keys)
    await staff.settle(name, one_time)


async def test_both_sheets_open_every_case_when_everybody_forgot_everything(staff: Staff) -> None:
    before = await staff.case("before")
    sheets = await printed(staff)
    after = await staff.case("after")
    await recovered(staff, sheets, "rosa")
    rosa = await staff.open("rosa")
    assert rosa.member.role is Role.SUPERVISOR
    assert [await staff.reads(rosa, case) for case in (before, after)] == ["before", "after"]
    assert ("member.recovered", f"member:{rosa.member.id}") in await staff.audit()


async def test_the_sheets_also_let_somebody_in_who_never_was_here(staff: Staff) -> None:
    case, sheets = await staff.case(), await printed(staff)
    await recovered(staff, sheets, "the new director")
    director = await staff.open("the new director")
    assert director.member.role is Role.SUPERVISOR
    assert await staff.reads(director, case) == "words"


async def test_the_sheets_open_what_comes_after_a_new_team_key_without_being_shown(staff: Staff) -> None:
    old, sheets = await staff.case("old"), await printed(staff)
    mallory, rosa = await staff.join("mallory"), await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.remove(mallory.id, by=rosa)
    new = await staff.case("new")
    async with staff.vault.unit() as unit:
        keys = await unit.recovery.open(sheets)
        for case, said in ((old, "old"), (new, "new")):
            (entry,) = await unit.cases.read(case, await unit.cases.key(case, keys))
            assert entry.entry.text == said
    await staff.regrant(rosa)
    await recovered(staff, sheets, "rosa")
    rosa = await staff.open("rosa")
    assert [await staff.reads(rosa, case) for case in (old, new)] == ["old", "new"]


async def test_printing_again_makes_the_older_sheets_worthless(staff: Staff) -> None:
    old = await printed(staff)
    new = await printed(staff)
    async with staff.vault.unit() as unit:
        with pytest.raises(CannotOpen):
            await unit.recovery.open(old)
        assert await unit.recovery.open(new)
    assert len(await rows(staff.vault, "SELECT * FROM recoveries")) == 1


async def test_without_sheets_nothing_is_recovered(staff: Staff) -> None:
    async with staff.vault.unit() as unit:
        assert await unit.recovery.printed() is None
        with pytest.raises(CannotOpen):
            await unit.recovery.open(split(SECRET))


async def test_neither_half_nor_the_secret_is_in_the_database(staff: Staff) -> None:
    sheets = await printed(staff)
    seed = recovery_key(join(sheets)).seed
    kept = []
    for table in ("recoveries", "recovery_grants", "audit"):
        kept += [str(row) for row in await rows(staff.vault, f"SELECT t::text FROM {table} t")]  # noqa: S608 - names above
    assert kept
    for needle in (join(sheets), seed[:64], seed[64:]):
        assert not [row for row in kept if needle.hex() in row]


async def test_recovery_ends_the_sessions_and_passkeys_of_whoever_it_lets_in(staff: Staff) -> None:
    cookie, sheets = await staff.cookie("rosa"), await printed(staff)
    async with staff.vault.unit() as unit:
        await unit.staffing.recover("rosa", chosen(), await unit.recovery.open(sheets))
    assert await staff.opened(cookie) is None
