"""Feeds a parser damaged examples and says what came of it. Knows no parser: those are in parsers.py.

Inputs are damaged examples rather than noise, since noise never comes past a parser's first line. Whatever brings out
a kind of answer that was not seen before is kept and damaged further, so that the inputs find their own way deeper.
The same seed makes the same inputs.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

LONGEST: Final = 4_000  # bytes of one input, unless it is nested, so that a million of them end
DEEPEST: Final = (30, 300, 300, 3_000)  # levels; the last is far beyond what Python's stack holds
DEEP: Final = DEEPEST[-1]
KEPT: Final = 400  # inputs that are kept because they brought out something new
WORTH_KEEPING: Final = 1_000  # bytes: what is longer is not kept
FINDINGS: Final = 20  # after so many a run is over: the parser is broken
LOOK_AGAIN: Final = 0.05  # seconds from which an input is fed once more: the garbage collector does not strike twice

TURN: Final = 500  # inputs after which the loop gets its turn
_WRONG: Final = "wrong: "

Feed = Callable[[bytes], Awaitable[str]]
"""Feeds one input and gives the kind of answer; raises nothing, unless the parser is wrong."""

TOKENS: Final = (
    *(b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\x0b", b"\x85", b"\r\n"),
    *("٣".encode(), "०".encode(), "²".encode(), "Ⅷ".encode(), "𝟘".encode(), "🆘".encode()),
    *(b"%", b"%ED%A0%80", b"%00", b"%C0%80", b"%FF", b"&", b"=", b"+", b";", b"&&=", b"a=1&" * 600),
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\ud800", b"\\u0000", b"null", b"true", b"NaN", b"Infinity"),
    *(b"-1", b"1e999", b"-1e999", b"9" * 400, b"9" * 5000, b"0x1f", b"1_0", b"-0", b"0.1", b"2026-13-45"),
    *(b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"2026-01-01", b"00", b"zz"),
    *(b"&a ", b"*a", b"<<: *a", b"!!python/object/apply:os.system ", b"!!binary ", b"!!timestamp ", b"? ", b"| "),
    *(b"> ", b"- ", b"---\n", b"...\n", b"%YAML 9.9\n", b"%TAG ! x\n", b"\t", b"# ", b"'", b"@", b"`", b"__class__"),
    *(b"{0}", b"../", b"%2e%2e%2f", b"//", b"\\", b"<script>", b"%0d%0aSet-Cookie: a=b"),
)
NESTS: Final = (b"[", b'{"a":', b"{a: ", b"- ", b"? ", b"(", b"!a ", b'{"message":', b"- - ", b"[[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """Something that reads bytes from outside. `share`: of a short run, less for what is slow.

    `bound`: seconds of the processor that one input may take. A port must answer others meanwhile.
    """

    examples: tuple[bytes, ...] = field(repr=False)
    feed: Feed
    share: float = 1.0
    bound: float = 0.5


@dataclass(slots=True, kw_only=True)
class Fuzzed:
    """What came of a run. `slowest` in seconds of the processor, of one input."""

    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


def damaged(dice: random.Random, examples: Sequence[bytes]) -> bytes:
    """One input: an example, or what is left of it; now and then noise, or something nested very deep."""
    kind = dice.random()
    if kind < 0.05:
        return dice.randbytes(dice.randrange(200))
    if kind < 0.051:
        return dice.choice(NESTS) * dice.choice(DEEPEST) + dice.choice(examples)
    value = bytearray(dice.choice(examples))
    for _ in range(dice.choice((0, 1, 1, 2, 3, 5, 9))):
        _DAMAGE[dice.randrange(len(_DAMAGE))](dice, value, examples)
    return bytes(value[:LONGEST])


def _flip(dice: random.Random, value: bytearray, _: Sequence[bytes]) -> None:
    if value:
        value[dice.randrange(len(value))] ^= 1 << dice.randrange(8)


def _byte(dice: random.Random, value: bytearray, _: Sequence[bytes]) -> None:
    if value:
        value[dice.randrange(len(value))] = dice.randrange(256)


def _insert(dice: random.Random, value: bytearray, _: Sequence[bytes]) -> None:
    at = dice.randrange(len(value) + 1)
    value[at:at] = dice.choice(TOKENS)


def _cut(dice: random.Random, value: bytearray, _: Sequence[bytes]) -> None:
    at = dice.randrange(len(value) + 1)
    del value[at : at + dice.choice((1, 2, 8, 64, 10_000))]


def _replace(dice: random.Random, value: bytearray, _: Sequence[bytes]) -> None:
    at = dice.randrange(len(value) + 1)
    value[at : at + dice.choice((1, 4, 12))] = dice.choice(TOKENS)


def _repeat(dice: random.Random, value: bytearray, _: Sequence[bytes]) -> None:
    at = dice.randrange(len(value) + 1)
    value[at:at] = value[at : at + dice.randrange(1, 40)] * dice.choice((1, 2, 20))


def _splice(dice: random.Random, value: bytearray, examples: Sequence[bytes]) -> None:
    other = dice.choice(examples)
    at, there = dice.randrange(len(value) + 1), dice.randrange(len(other) + 1)
    value[at:] = other[there:]


_DAMAGE: Final = (_flip, _byte, _insert, _cut, _replace, _repeat, _splice)


async def fuzz(name: str, parser: Parser, inputs: int, *, seed: int = 1, until: float = float("inf")) -> Fuzzed:
    """Feed `inputs` damaged examples, or as many as come before `until` (time.perf_counter)."""
    dice, found = random.Random(f"{name}/{seed}"), Fuzzed()
    corpus, began = list(parser.examples), time.perf_counter()
    for example in parser.examples:
        found.kinds[await parser.feed(example)] += 1
    now = time.perf_counter()
    while found.inputs < inputs and now < until and len(found.findings) < FINDINGS:
        body = damaged(dice, corpus)
        kind, took = await _fed(parser, body)
        if took > LOOK_AGAIN:
            took = min(took, (await _fed(parser, body))[1])
        if took > parser.bound:
            kind = _WRONG + f"{took:.1f} seconds"
        if kind.startswith(_WRONG):
            found.findings.append(f"{name}, input {found.inputs}: {kind.removeprefix(_WRONG)} for {body[:300]!r}")
        if kind not in found.kinds and len(body) < WORTH_KEEPING and len(found.kinds) < KEPT:
            corpus.append(body)
        if kind in found.kinds or len(found.kinds) < KEPT:
            found.kinds[kind] += 1
        found.inputs += 1
        found.slowest = max(found.slowest, took)
        now = time.perf_counter()
        if found.inputs % TURN == 0:
            await asyncio.sleep(0)  # or the timers that every request sets and unsets pile up to a million
    found.seconds = time.perf_counter() - began
    return found


async def _fed(parser: Parser, body: bytes) -> tuple[str, float]:
    """The kind of answer, and the processor's seconds: another process that has it meanwhile is not this input's."""
    began = time.process_time()
    try:
        kind = await parser.feed(body)
    except Exception as error:  # test_the_fuzz_finds_what_a_careless_parser_lets_through
        kind = f"{_WRONG}{type(error).__name__}: {error!s:.200}"
    return kind, time.process_time() - began
