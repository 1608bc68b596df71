"""Fuzz: every parser of bytes from outside gives its documented error or a sound value, whatever it is fed.

A short run belongs to the gate. `BENCH_FUZZ=1000000 pytest tests/test_fuzz.py` feeds that many inputs to each parser
and says how fast; `BENCH_FUZZ_SEED` begins elsewhere. An input that fails is shown by its number: the same seed makes
it again. Inputs are damaged examples rather than noise, since noise never comes past a parser's first line.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.admin import audit
from bot.context import Context
from bot.errors import CommandFailed
from bot.line import Line
from bot.logs import Log
from bot.settings import read_settings
from channels.signed import parse_form
from channels.updates import Unreadable, parse
from channels.webhook import Refusal
from console.session import local, token, token_fits
from dialogs.checks import FLOWS
from dialogs.flow import FlowFile, StepsFile
from dialogs.marked import BadFile, load
from tests.channel_bench import FORM, message, press
from tests.houses import LINE
from tests.vaults import START
from vault.audit import _FIRST, _hash
from vault.audit import Line as AuditLine
from vault.codes import DIGITS, grouped, new_code, read_code
from vault.errors import CannotOpen
from vault.sealing import PrivateKey, lock, open_sealed, seal, unlock
from vault.unit import Vault

INPUTS: Final = int(os.environ.get("BENCH_FUZZ", "0"))
SEED: Final = int(os.environ.get("BENCH_FUZZ_SEED", "1"))
SHORT: Final = 1_500  # inputs to each parser in the gate
LONGEST: Final = 20_000  # bytes of one input, so that a million of them end
DEEP: Final = 3_000  # levels: far beyond what Python's stack holds

Feed = Callable[[bytes], Awaitable[None]]

TOKENS: Final = (
    *(b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\x0b", b"\x85", b"\r\n"),
    *("٣".encode(), "०".encode(), "²".encode(), "Ⅷ".encode(), "𝟘".encode(), "🆘".encode()),
    *(b"%", b"%ED%A0%80", b"%00", b"%C0%80", b"&", b"=", b"+", b";", b"&&=", b"a=1&" * 600),
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\ud800", b"\\u0000", b"null", b"true", b"NaN", b"Infinity"),
    *(b"-1", b"1e999", b"-1e999", b"9" * 400, b"9" * 5000, b"0x1f", b"1_0", b"-0", b"0.1", b"2026-13-45"),
    *(b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"2026-01-01", b"00", b"zz"),
    *(
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!python/object/apply:os.system ",
        b"!!binary ",
        b"!!timestamp ",
        b"? ",
        b"| ",
        b"> ",
    ),
    *(b"- ", b"---\n", b"...\n", b"%YAML 9.9\n", b"%TAG ! x\n", b"\t", b"# ", b"'", b"@", b"`", b"__class__", b"{0}"),
)
NESTS: Final = (b"[", b'{"a":', b"{a: ", b"- ", b"? ", b"(", b"!a ", b'{"message":', b"- - ", b"[[")


def damaged(dice: random.Random, examples: Sequence[bytes]) -> bytes:
    """One input: an example, or what is left of it; now and then noise, or something nested very deep."""
    kind = dice.random()
    if kind < 0.05:
        return dice.randbytes(dice.randrange(200))
    if kind < 0.055:
        return dice.choice(NESTS) * dice.randrange(1, DEEP) + dice.choice(examples)
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


# The parsers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """Something that reads bytes from outside. `feed` raises nothing, or an AssertionError."""

    examples: tuple[bytes, ...]
    feed: Feed
    share: float = 1.0  # of the short run; less for what is slow


def text_of(body: bytes) -> str:
    """Any bytes as a text, also one with halves of surrogate pairs in it."""
    return body.decode("utf-8", "surrogateescape" if len(body) % 2 else "replace")


async def feed_form(body: bytes) -> None:
    kind = FORM if len(body) % 7 else text_of(body[:40])
    with suppress(Refusal):
        for name, value in parse_form(kind, body):
            (name + value).encode()  # whole UTF-8, or it could not be signed and sealed


async def feed_update(body: bytes) -> None:
    with suppress(Unreadable):
        update = parse(body)
        incoming = update.incoming
        if incoming:
            assert incoming.address.value.lstrip("-").isdecimal()
            "".join((incoming.id, incoming.text, *incoming.media, *incoming.copies)).encode()
            assert "\x00" not in incoming.text + "".join(incoming.media)  # PostgreSQL takes none


async def feed_code(body: bytes) -> None:
    found = read_code(text_of(body))
    assert found is None or (len(found) == DIGITS and found.isascii() and found.isdecimal())


async def feed_line(body: bytes) -> None:
    with suppress(BadFile):
        line = load(text_of(body), "line.yml", Line)
        assert line.default_language in line.languages


async def feed_flow(body: bytes) -> None:
    model = StepsFile if len(body) % 3 else FlowFile
    with suppress(BadFile):
        assert isinstance(load(text_of(body), "flow.yml", model), model)


KEY: Final = PrivateKey(bytes(range(96)))
SECRET: Final = b"k" * 32
WORDS: Final = "They keep our papers. هم يحتجزوننا".encode()


async def feed_sealed(body: bytes) -> None:
    with suppress(CannotOpen):
        assert open_sealed(body, KEY, "entry/1") == WORDS


async def feed_locked(body: bytes) -> None:
    with suppress(CannotOpen):
        assert unlock(body, SECRET, "state/1") == WORDS


def an_export() -> bytes:
    """An audit export that verifies, of three lines."""
    key = Ed25519PrivateKey.from_private_bytes(SECRET)
    previous, lines = _FIRST, []
    for number in (1, 2, 3):
        line = AuditLine(
            number=number,
            at=START + timedelta(minutes=number),
            actor="member:7",
            action="case.opened",
            subject="case:123456",
            hash=b"",
            signature=b"",
        )
        previous = _hash(previous, number, line.at, line.actor, line.action, line.subject)
        lines.append(replace(line, hash=previous, signature=key.sign(previous)).to_json())
    public = key.public_key().public_bytes_raw().hex()
    return json.dumps({"version": 1, "public_key": public, "lines": lines}, indent=1).encode()


def feed_export(home: Path, capsys: pytest.CaptureFixture[str]) -> Feed:
    """`harborline audit verify <file>`, as the command runs it."""
    path = home / "export.json"
    arguments = argparse.Namespace(action="verify", file=str(path))
    context = Context(read_settings({"HARBORLINE_HOME": str(home)}), Log("ERROR"), arguments)
    count = 0

    async def feed(body: bytes) -> None:
        nonlocal count
        path.write_bytes(body)
        with suppress(CommandFailed):
            await audit(context)
        count += 1
        if count % 500 == 0:
            capsys.readouterr()  # what it says is not kept for a million times

    return feed


def feed_cookie(vault: Vault) -> Feed:
    """A cookie that names nobody opens nothing, and its token fits no form but its own."""

    async def feed(body: bytes) -> None:
        cookie = text_of(body).replace(";", "")
        async with vault.unit() as unit:
            assert await unit.members.open(cookie) is None
        assert token_fits(cookie, token(cookie)) is bool(cookie)
        assert not token_fits(cookie, cookie)
        assert local(cookie).startswith("/")
        assert not local(cookie).startswith("//")

    return feed


# The runs --------------------------------------------------------------------------------------------------------

FLOW_EXAMPLES: Final = tuple(sorted((path.read_bytes() for path in FLOWS.glob("*.yml")), key=len))[:4]  # the short ones
UPDATES: Final = tuple(
    json.dumps(update).encode()
    for update in (
        message("hello"),
        message("/start x"),
        press(),
        message(photo=[{"file_id": "a"}, {"file_id": "b"}], caption="look"),
        message(location={"latitude": 48.2, "longitude": 16.3}),
        message(sticker={"emoji": "🆘"}),
        message(voice={"file_id": "v"}, contact={"phone_number": "1"}),
    )
)
FORMS: Final = tuple(
    urlencode(fields).encode()
    for fields in (
        {"MessageSid": "SM1", "From": "+15551230001", "Body": "ayúdame, por favor", "NumMedia": "0"},
        {"CallSid": "CA1", "From": "+266696687", "Digits": "1", "SpeechResult": "مساعدة"},
        {"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "30003"},
    )
)
CODES: Final = tuple(
    made.translate({ord("0") + n: chr(zero + n) for n in range(10)}).encode()
    for zero in (0x30, 0x660, 0x966)
    for made in (new_code(lambda n: n // 3), grouped(new_code(lambda n: n // 7)))
)
SHORT_LINE: Final = b"name: a\ncover: b\nlanguages: [en]\ndefault_language: en\ncountry: US\nemergency_number: '911'\n"

STILL: Final = {
    "form": Parser(examples=FORMS, feed=feed_form),
    "update": Parser(examples=UPDATES, feed=feed_update),
    "code": Parser(examples=CODES, feed=feed_code),
    "line file": Parser(examples=(SHORT_LINE, LINE.encode()), feed=feed_line, share=0.5),
    "flow file": Parser(examples=(*FLOW_EXAMPLES, b"steps: {a: {kind: passage}}"), feed=feed_flow, share=0.2),
    "sealed": Parser(examples=(seal(WORDS, KEY.public, "entry/1"), seal(WORDS, KEY.public, "x")), feed=feed_sealed),
    "locked": Parser(examples=(lock(WORDS, SECRET, "state/1"), lock(b"", SECRET, "x")), feed=feed_locked),
}

Report = Callable[[str, int, float], None]


@pytest.fixture
def told(record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> Report:
    """Says how fast inputs were read: in the test report, and on the screen in a long run."""

    def tell(name: str, inputs: int, seconds: float) -> None:
        speed = f"{name}: {inputs} inputs, {inputs / seconds:.0f} a second"
        record_property("fuzz", speed)
        if INPUTS:
            with capsys.disabled():
                sys.stdout.write(f"\n{speed}, a million in {1e6 * seconds / inputs / 60:.1f} min\n")

    return tell


async def fuzz(name: str, parser: Parser, told: Report) -> None:
    """Feed one parser; an input that fails is shown."""
    dice = random.Random(f"{name}/{SEED}")
    inputs = INPUTS or int(SHORT * parser.share)
    began = time.perf_counter()
    for example in parser.examples:
        await parser.feed(example)
    for number in range(inputs):
        body = damaged(dice, parser.examples)
        try:
            await parser.feed(body)
        except Exception as error:
            pytest.fail(f"{name}, input {number}: {type(error).__name__}: {error!s:.200} for {body[:300]!r}")
    told(name, inputs, time.perf_counter() - began)


LONG: Final = pytest.mark.timeout(0 if INPUTS else 120)


@LONG
@pytest.mark.parametrize("name", STILL)
async def test_whatever_comes_a_parser_gives_its_documented_error_or_a_sound_value(name: str, told: Report) -> None:
    await fuzz(name, STILL[name], told)


@LONG
async def test_whatever_a_file_holds_verifying_it_ends_with_a_sentence(
    tmp_path: Path, told: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    export = an_export()
    known = (  # what a file held that once ended with a traceback
        export.replace(b'"number": 1', b'"number": Infinity'),
        export.replace(b"2026-03-02T09:31:20.123456+00:00", b"0001-01-01T00:00:00+14:00"),
        b"[" * DEEP,
    )
    parser = Parser(examples=(export, *known), feed=feed_export(tmp_path, capsys), share=0.5)
    await fuzz("audit export", parser, told)


@LONG
async def test_whatever_a_cookie_holds_it_opens_nothing(vault: Vault, told: Report) -> None:
    examples = (b"00" * 64, b"ab" * 64, b"/queue?level=high", b"AB" * 63)
    await fuzz("cookie", Parser(examples=examples, feed=feed_cookie(vault), share=0.2), told)


def test_a_file_whose_parts_multiply_is_refused_before_it_fills_the_memory() -> None:
    ninefold = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 6))
    with pytest.raises(BadFile, match="too large"):
        load(f"a0: &a0 [{', '.join('x' * 9)}]\n{ninefold}", "line.yml", Line)


async def test_the_fuzz_finds_what_a_careless_parser_lets_through(told: Report) -> None:
    async def careless(body: bytes) -> None:
        with suppress(ValueError):
            json.loads(body)  # RecursionError is no ValueError

    with pytest.raises(pytest.fail.Exception, match="RecursionError"):
        await fuzz("update", Parser(examples=UPDATES, feed=careless), told)
