"""Fuzz: every parser of bytes from outside gives its documented error or a sound value, whatever it is fed.

The short run of the gate, with a fixed seed. `make fuzz` feeds each of them a million inputs (bench/fuzz.py). An input
that fails is shown by its number: the same seed makes it again.
"""

import json
import random
from pathlib import Path

import pytest

from bot.line import Line
from dialogs.marked import BadFile, load
from tests.fuzzing import Parser, damaged, fuzz
from tests.parsers import UPDATES, parsers

SHORT = 1_500  # inputs to each parser in the gate
NAMES = (
    *("form: a text", "form: a call", "form: news", "Telegram update", "return code", "line file", "flow file"),
    *("sealed value", "lock", "epoch and service lock", "stored conversation", "audit export", "console form"),
    *("cookie", "passkey"),
)


@pytest.mark.parametrize("name", NAMES)
async def test_whatever_comes_a_parser_gives_its_documented_error_or_a_sound_value(name: str, tmp_path: Path) -> None:
    parser = parsers(tmp_path)[name]
    found = await fuzz(name, parser, int(SHORT * parser.share))
    assert not found.findings, "\n".join(found.findings)
    assert found.inputs == int(SHORT * parser.share)
    assert len(found.kinds) > 1, "every input was answered alike: it never came past the first line"


async def test_every_parser_has_its_short_run(tmp_path: Path) -> None:
    assert set(parsers(tmp_path)) == set(NAMES)


def test_a_file_whose_parts_multiply_is_refused_before_it_fills_the_memory() -> None:
    ninefold = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 6))
    with pytest.raises(BadFile, match="too large"):
        load(f"a0: &a0 [{', '.join('x' * 9)}]\n{ninefold}", "line.yml", Line)


async def careless(body: bytes) -> str:
    """Reads JSON as many do."""
    try:
        json.loads(body)
    except ValueError:  # RecursionError is none
        return "unreadable"
    return "read"


async def test_the_fuzz_finds_what_a_careless_parser_lets_through() -> None:
    found = await fuzz("update", Parser(examples=UPDATES, feed=careless), 5_000)
    assert any("RecursionError" in finding for finding in found.findings)


async def test_the_same_seed_makes_the_same_inputs_and_another_one_others() -> None:
    async def inputs(seed: int) -> list[bytes]:
        seen: list[bytes] = []

        async def feed(body: bytes) -> str:
            seen.append(body)
            return str(len(body) % 5)

        await fuzz("update", Parser(examples=UPDATES, feed=feed), 200, seed=seed)
        return seen

    assert await inputs(1) == await inputs(1)
    assert await inputs(1) != await inputs(2)


async def test_what_brings_out_something_new_is_damaged_further() -> None:
    """Three letters in a row are out of reach for one change; each one alone is a step on the way."""
    goal = b"\xff\x00\xff\x00\xff\x00"

    async def feed(body: bytes) -> str:
        return str(next((n for n in range(len(goal), 0, -1) if body.startswith(goal[:n])), 0))

    found = await fuzz("steps", Parser(examples=(b"",), feed=feed), 20_000)
    assert str(len(goal)) in found.kinds
    dice = random.Random("steps/1")
    blind = [damaged(dice, (b"",)) for _ in range(20_000)]
    assert not any(body.startswith(goal) for body in blind)
