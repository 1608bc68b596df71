"""Fuzz: every parser of bytes from outside gives its documented error or a sound value, whatever it is fed.

The short run of the gate, with a fixed seed. `make fuzz` feeds each of them a million inputs (bench/fuzz.py). An input
that fails is shown by its number: the same seed makes it again.
"""

import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from bot.line import Line
from dialogs.marked import BadFile, load
from tests.fuzzing import Parser, damaged, fuzz
from tests.parsers import UPDATES, parsers

SHORT = 1_500  # inputs to each parser in the gate
NAMES = (
    *("form: a text", "form: a call", "form: news", "Telegram update", "return code", "line file", "flow file"),
    *("iCalendar file", "sealed value", "lock", "epoch and service lock", "stored conversation", "audit export"),
    *("console form", "heads of a form", "cookie", "passkey"),
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


_TEXT: Final = b"MessageSid=SM1&From=%2B15551230001&NumMedia=0&Body="
_CALLED: Final = b"CallSid=CA1&From=%2B15551230001&SpeechResult="
_UPDATE: Final = b'{"update_id":1,"message":{"message_id":1,"chat":{"id":1,"type":"private"},"text":"'
_KIND: Final = b"Content-Type:application/x-www-form-urlencoded;"
LARGEST: Final[Mapping[str, tuple[bytes, ...]]] = {
    "form: a text": (
        *(_TEXT + filling * (65_000 // len(filling)) for filling in (b"a", b"%", b"%41", b"%00", b"%F0%9F%86%98")),
        *(_TEXT + filling.encode() * (65_000 // len(filling.encode())) for filling in ("🆘", "\u202e", "e\u0301")),
        b"&" * 65_000,
        b"&".join(b"field%d=1" % number for number in range(500)) + b"&" + _TEXT + b"x" * 50_000,
        b"MessageSid=SM1&NumMedia=0&Body=x&From=" + b"9" * 65_000,
    ),
    "form: a call": tuple(_CALLED + b"1" * (65_000 + more) for more in range(3)),
    "Telegram update": (
        b'{"message":' * 20_000,
        b'{"update_id":' + b"9" * 250_000 + b"}",
        b"{" + b",".join(b'"k%d":1' % number for number in range(20_000)) + b"}",
        *(_UPDATE + filling * (250_000 // len(filling)) + b'"}}' for filling in (b" ", b"a", b"\\ud83d", b"\\u202e")),
    ),
    "return code": (b"1" * 65_000, b"1-" * 32_000, "٣".encode() * 32_000, b" " * 65_000),
    "heads of a form": (
        *(
            _KIND + filling * (8_000 // len(filling))
            for filling in (b";", b"(", b" a=b;", b" x*0=y;", b" ", b'"', b"\\")
        ),
        *(b"Origin:" + filling * (8_000 // len(filling)) for filling in (b"[", b"//", b"@", b":", b"%")),
        *(b"Cookie:" + filling * (8_000 // len(filling)) for filling in (b";", b"a=b; ", b'a="', b'a="\\101', b"=")),
    ),
    "passkey": (b"[" * 60_000, b'{"id":"' + b"A" * 60_000 + b'"}'),
}


@pytest.mark.parametrize("name", LARGEST)
async def test_the_largest_request_that_is_read_holds_its_process_for_a_moment_only(name: str, tmp_path: Path) -> None:
    """A port answers others meanwhile. Before its header was compared, 8 kB of semicolons held it for 1.6 seconds."""
    parser = parsers(tmp_path)[name]
    for body in LARGEST[name]:
        took = []
        for _ in range(2):  # the garbage collector does not strike twice
            began = time.process_time()
            await parser.feed(body)
            took.append(time.process_time() - began)
        assert min(took) < 0.25, body[:60]


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


async def test_the_fuzz_finds_what_takes_too_long_and_forgives_what_was_slow_once() -> None:
    slept: set[bytes] = set()

    async def feed(body: bytes) -> str:
        if body.startswith(b"slow") or (body.startswith(b"once") and body not in slept):
            slept.add(body)
            end = time.process_time() + 0.06
            while time.process_time() < end:
                pass
        return "read"

    found = await fuzz("slow", Parser(examples=(b"slow",), feed=feed, bound=0.05), 30)
    assert any("seconds for" in finding for finding in found.findings)
    assert found.slowest >= 0.06
    found = await fuzz("once", Parser(examples=(b"once",), feed=feed, bound=0.05), 30)
    assert not found.findings


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
