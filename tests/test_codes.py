"""Return codes: mistakes are caught, every script's digits are read, and the code itself is in no key."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.codes import _DAMM, code_keys, grouped, last_group, new_code, read_code
from vault.sealing import Effort

CHEAP = Effort(passes=1, lanes=1, memory=64)
CODES = st.integers(0, 10**15 - 1).map(lambda n: new_code(lambda _: n))


def test_no_slip_whatever_is_missed_since_none_is_at_any_place_of_any_code() -> None:
    """All there are, not a sample: the check walks from state to state, one for each digit. A slip that leads to
    another state is never made good by the digits that follow, because each of them keeps different states apart."""
    for state in range(10):
        after = _DAMM[state]
        assert len(set(after)) == 10, "one wrong digit always leads elsewhere"
        assert len({_DAMM[other][state] for other in range(10)}) == 10, "what led elsewhere stays elsewhere"
        assert after[state] == 0, "one check digit fits, and no other"
        for one, other in itertools.combinations(range(10), 2):
            assert _DAMM[after[one]][other] != _DAMM[after[other]][one], "a swap always leads elsewhere"


@given(CODES, st.integers(0, 15), st.integers(1, 9))
def test_every_single_wrong_digit_is_caught(code: str, place: int, by: int) -> None:
    wrong = str((int(code[place]) + by) % 10)
    assert read_code(code[:place] + wrong + code[place + 1 :]) is None


@given(CODES, st.integers(0, 14))
def test_every_swap_of_two_neighbours_is_caught(code: str, place: int) -> None:
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert swapped == code or read_code(swapped) is None


@pytest.mark.parametrize("zero", ["0", "٠", "۰", "०", "０", "০", "๐", "᠐"])
@pytest.mark.parametrize("between", ["", " ", "-", " - ", "."])
def test_the_digits_of_any_script_are_read_however_they_are_grouped(zero: str, between: str) -> None:
    code = new_code()
    typed = between.join(grouped(code).split(" "))
    assert read_code("".join(chr(ord(zero) + int(c)) if c.isdecimal() else c for c in typed)) == code


@given(st.text(max_size=60))
def test_no_text_whatever_is_more_than_not_a_code(text: str) -> None:
    found = read_code(text)
    assert found is None or (len(found) == 16 and found.isascii())


def test_a_code_is_grouped_by_four_and_confirmed_by_its_last_group() -> None:
    code = new_code(lambda _: 123456789012345)
    assert grouped(code) == f"1234 5678 9012 345{code[-1]}"
    assert last_group(code) == f"345{code[-1]}"


def test_a_code_always_leads_to_the_same_keys_and_another_to_others() -> None:
    first, second = new_code(lambda _: 1), new_code(lambda _: 2)
    salt = b"s" * 16
    assert code_keys(first, salt, CHEAP) == code_keys(first, salt, CHEAP)
    assert code_keys(first, salt, CHEAP).locator != code_keys(second, salt, CHEAP).locator
