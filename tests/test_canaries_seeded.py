"""The test of the canary test: what is leaked on purpose, in each of these ways, is found, and named by its place."""

import asyncio
import base64
import binascii
import hashlib
import logging
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from tests.canaries import Allowed, Finding, Needles, Watch, digested, files, judge, tables, written
from tests.databases import Cluster
from tests.test_idle_memory import memory

CANARIES = {
    "number": "+12027773141",
    "chat": "4192837465019283",
    "name": "Zorvikanelo",
    "words": "زرفكنيلوم",
    "name in Hindi": "झखटपणशचढफ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spots:
    """Where something can be leaked: a database that runs, a folder for files, and processes that are watched."""

    url: str
    folder: Path
    watch: Watch
    open: list[psycopg.Connection[Any]] = field(default_factory=list)  # connections

    def execute(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        """Change the database."""
        with psycopg.connect(self.url) as connection:
            for statement, values in statements:
                connection.execute(statement, values)


def _row(spots: Spots, canary: str) -> None:
    spots.execute(("CREATE TABLE people (number text)", ()), ("INSERT INTO people VALUES (%s)", (canary,)))


def _log_line(spots: Spots, canary: str) -> None:
    handler = logging.FileHandler(spots.folder / "web.log", encoding="utf-8")
    handler.emit(logging.LogRecord("web", logging.DEBUG, "", 0, "said: %s", (canary,), None))
    handler.close()


def _exception(spots: Spots, canary: str) -> None:
    failing = subprocess.run([sys.executable, "-c", f"int({canary!r})"], capture_output=True, check=False)
    (spots.folder / "worker.log").write_bytes(failing.stderr)


def _job(spots: Spots, canary: str) -> None:
    job = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) "
        "VALUES ('talk', 'deliver', jsonb_build_object('text', %s::text), 'failed')"
    )
    spots.execute((job, (canary,)))


def _temporary(spots: Spots, canary: str) -> None:
    with tempfile.NamedTemporaryFile(dir=spots.folder, delete=False) as file:
        file.write(quote(canary).encode())


def _metric(spots: Spots, canary: str) -> None:
    (spots.folder / "metrics").write_text(f'harborline_turns_total{{chat="{canary}"}} 1\n')


def _digest(spots: Spots, canary: str) -> None:
    digest = hashlib.sha256(canary.encode()).digest()
    spots.execute(("CREATE TABLE digests (d bytea)", ()), ("INSERT INTO digests VALUES (%s)", (digest,)))


def _deleted(spots: Spots, canary: str) -> None:
    form = base64.b64encode(b"x" + canary.encode()).decode()
    spots.execute(("CREATE TABLE gone (t text)", ()), ("INSERT INTO gone VALUES (%s)", (form,)))
    spots.execute(("DROP TABLE gone", ()))


def _utf16(spots: Spots, canary: str) -> None:
    (spots.folder / "notes.txt").write_bytes(canary.encode("utf-16"))


def _integer(spots: Spots, canary: str) -> None:
    spots.execute(("CREATE TABLE chats (id bigint)", ()), ("INSERT INTO chats VALUES (%s)", (int(canary),)))


def _compressed(spots: Spots, canary: str) -> None:
    spots.execute(("CREATE TABLE notes (t text)", ()), ("INSERT INTO notes VALUES (repeat(%s, 900))", (f"{canary} ",)))


def _file_name(spots: Spots, canary: str) -> None:
    (spots.folder / f"{canary}.json").write_text("{}")


def _beside(spots: Spots, command: list[str], environment: dict[str, str]) -> None:
    """Something that a watched process starts, and that ends before the search."""
    with subprocess.Popen(command, env=environment) as child:
        spots.watch.look()
        child.kill()


def _command_line(spots: Spots, canary: str) -> None:
    _beside(spots, [*SLEEPER, canary], {})


def _environment(spots: Spots, canary: str) -> None:
    _beside(spots, SLEEPER, {"CALLER": canary})


def _open_but_deleted(spots: Spots, canary: str) -> None:
    with tempfile.TemporaryFile(dir=spots.folder) as file:
        file.write(canary.encode())
        file.flush()
        spots.watch.look()


def _core_file(spots: Spots, canary: str) -> None:
    """What a core file would be: the memory of a process that was told something, written down."""
    with subprocess.Popen(HOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin
        assert holder.stdout
        holder.stdin.write(canary.encode())
        holder.stdin.close()
        holder.stdout.readline()
        (spots.folder / "core.4711").write_bytes(b"".join(memory(holder.pid)))
        holder.kill()


def _hex_dump(spots: Spots, canary: str) -> None:
    (spots.folder / "trace.txt").write_text(canary.encode().hex().upper())


def _digest_in_a_log(spots: Spots, canary: str) -> None:
    digest = hashlib.md5(canary.encode(), usedforsecurity=False).hexdigest()
    (spots.folder / "proxy.log").write_text(f"POST /twilio/messages from {digest}\n")


def _digest_as_a_label(spots: Spots, canary: str) -> None:
    digest = base64.b64encode(hashlib.sha1(canary.encode(), usedforsecurity=False).digest()).decode()
    (spots.folder / "metrics.txt").write_text(f'harborline_turns_total{{who="{digest}"}} 1\n')


def _statement(spots: Spots, canary: str) -> None:
    """A statement with a value in it, which the server shows as the last one of a connection that stays open."""
    spots.open.append(psycopg.connect(spots.url, autocommit=True))
    spots.open[-1].execute(sql.SQL("SELECT {}").format(canary))


HOLDER = [sys.executable, "-c", "import sys, time; k = sys.stdin.buffer.read(); print(flush=True); time.sleep(30)"]
SLEEPER = [sys.executable, "-c", "import time; time.sleep(30)"]


@dataclass(frozen=True, slots=True)
class Leak:
    """A leak on purpose: what it does, and by what its finding is known. Each has a canary of its own."""

    cause: Callable[[Spots, str], None]
    canary: str
    place: str
    encoding: str


LEAKS = {
    "a row in clear": Leak(_row, "+12027773142", "table people", "utf-8"),
    "a line in a log": Leak(_log_line, "تشلحضغقمن", "home/web.log", "utf-8"),
    "an exception's text in a log": Leak(_exception, "Brunofelizca", "home/worker.log", "utf-8"),
    "an argument of a failed job": Leak(_job, "डढणतथदधन", "table procrastinate_jobs", "utf-8"),
    "a temporary file": Leak(_temporary, "غفقكلمنهو", "home/tmp", "percent"),
    "a metric's label": Leak(_metric, "4192837465019284", "home/metrics", "utf-8"),
    "a digest without a key in a table": Leak(_digest, "+12027773143", "database/base/", "sha256"),
    "base64 in the WAL after its table was dropped": Leak(_deleted, "Quermindola", "database/pg_wal/", "base64 at 1"),
    "a file in UTF-16": Leak(_utf16, "ضصثقفغعهخ", "home/notes.txt", "utf-16-le"),
    "a chat id as a number": Leak(_integer, "4192837465019285", "database/base/", "64-bit integer, little end first"),
    "what the server keeps compressed": Leak(_compressed, "Wexafrontil", "table notes", "utf-8"),
    "the name of a file": Leak(_file_name, "+12027773144", "name of home/", "utf-8"),
    "a command line": Leak(_command_line, "+12027773145", "command line of a child of the test", "utf-8"),
    "an environment": Leak(_environment, "Yulgavestrom", "environment of a child of the test: CALLER", "utf-8"),
    "a file that is deleted and still open": Leak(_open_but_deleted, "Pondrelasku", "deleted file", "utf-8"),
    "a core file": Leak(_core_file, "Vastromelgi", "home/core.4711", "utf-8"),
    "a dump in hexadecimal": Leak(_hex_dump, "+12027773146", "home/trace.txt", "hex, capitals"),
    "a digest without a key in a log": Leak(_digest_in_a_log, "+12027773147", "home/proxy.log", "md5, hex"),
    "a digest as a metric's label": Leak(_digest_as_a_label, "+12027773148", "home/metrics.txt", "sha1, base64"),
    "a value in a statement": Leak(_statement, "شسيبلاتنمك", "statements that the server shows", "utf-8"),
}


@pytest.fixture(scope="module")
def found(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Finding, ...]:
    """Everything was leaked, and one search was made: over a database, a folder and a process, as the real one is."""
    spots = Spots(
        url=cluster.new(),
        folder=tmp_path_factory.mktemp("home"),
        watch=Watch(roots=lambda: {"the test": os.getpid()}),
    )
    for leak in LEAKS.values():
        leak.cause(spots, leak.canary)
    needles = Needles({name: leak.canary for name, leak in LEAKS.items()} | CANARIES)
    stored = [*tables(spots.url), *files("database", cluster.directory), *files("home", spots.folder)]
    for connection in spots.open:
        connection.close()
    return judge(needles, [*stored, *spots.watch.places()]).leaks


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_on_purpose_is_found_and_named(found: tuple[Finding, ...], name: str) -> None:
    leak = LEAKS[name]
    mine = [finding for finding in found if finding.canary == name]
    assert [f for f in mine if leak.place in f.place and f.encoding == leak.encoding], mine


def test_where_nothing_was_leaked_nothing_is_found(found: tuple[Finding, ...]) -> None:
    assert {finding.canary for finding in found} == set(LEAKS)


@pytest.mark.parametrize("name", CANARIES)
def test_every_encoding_and_digest_is_found_wherever_it_stands(name: str) -> None:
    needles = Needles(CANARIES)
    for encoding, form in (*written(CANARIES[name]), *digested(CANARIES[name])):
        for before in range(9):
            assert name in {f.canary for f in needles.search("", b"\0" * before + form + b"\0")}, encoding


def _digest_as(name: str, write: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda raw: write(hashlib.new(name, raw).digest())


# Written down here once more, by other means than in tests/canaries.py: what that forgets is missed here.
ENCODED: Mapping[str, Callable[[bytes], bytes]] = {
    "utf-8": lambda raw: raw,
    "utf-16-le": lambda raw: b"".join(bytes((code & 255, code >> 8)) for code in map(ord, raw.decode())),
    "utf-16-be": lambda raw: b"".join(bytes((code >> 8, code & 255)) for code in map(ord, raw.decode())),
    "base64 at 0": lambda raw: binascii.b2a_base64(raw + b"..."),
    "base64 at 1": lambda raw: binascii.b2a_base64(b"." + raw + b".."),
    "base64 at 2": lambda raw: binascii.b2a_base64(b".." + raw + b"."),
    "hex": binascii.hexlify,
    "hex, capitals": lambda raw: binascii.hexlify(raw).upper(),
    "percent": lambda raw: b"".join(b"%%%02X" % byte for byte in raw),
    "percent, small letters": lambda raw: b"".join(b"%%%02x" % byte for byte in raw),
    **{
        f"{name}{form}": _digest_as(name, write)
        for name in ("md5", "sha1", "sha256")
        for form, write in (
            ("", bytes),
            (", hex", binascii.hexlify),
            (", hex in capitals", lambda raw: binascii.hexlify(raw).upper()),
            (", base64", binascii.b2a_base64),
        )
    },
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_each_encoding_that_is_promised_is_found_in_the_middle_of_other_bytes(encoding: str) -> None:
    needles = Needles(CANARIES)
    for name, text in CANARIES.items():
        hay = b"\x00 before " + ENCODED[encoding](text.encode()) + b" after \xff"
        assert {found.canary for found in needles.search("", hay)} == {name}


def test_half_a_canary_is_none() -> None:
    needles = Needles(CANARIES)
    for text in CANARIES.values():
        for _, form in (*written(text), *digested(text)):
            assert needles.search("", form[:-1] + b"?") == needles.search("", form[:-1]), form


def test_a_canary_that_chance_could_write_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        Needles({"zip": "62701"})


def test_a_finding_quotes_nothing() -> None:
    (finding,) = Needles({"name": CANARIES["name"]}).search("home/x", f"secret {CANARIES['name']} neighbour".encode())
    assert finding == Finding("home/x", "name", "utf-8")


def test_what_is_allowed_is_allowed_there_only_and_an_idle_allowance_is_named() -> None:
    allowed = (
        Allowed(place="home/sheet", canary="name", why="its own"),
        Allowed(place="home/nothing", canary="name", why="none"),
    )
    name = CANARIES["name"]
    verdict = judge(Needles({"name": name}), [("home/sheet", name.encode()), ("home/log", name.encode())], allowed)
    assert [leak.place for leak in verdict.leaks] == ["home/log"]
    assert verdict.idle == allowed[1:]


def test_a_number_in_any_notation_of_a_64_bit_integer_is_found() -> None:
    for form in (struct.pack("<q", int(CANARIES["chat"])), struct.pack(">q", int(CANARIES["chat"]))):
        assert Needles(CANARIES).search("", b"abc" + form)


async def test_a_watch_sees_a_process_that_begins_and_ends_while_it_looks() -> None:
    watch = Watch(roots=lambda: {"the test": os.getpid()})
    looking = asyncio.create_task(watch.run(0.05))
    child = await asyncio.create_subprocess_exec(*SLEEPER, CANARIES["number"])
    await asyncio.sleep(0.4)
    child.kill()
    await child.wait()
    looking.cancel()
    leaks = judge(Needles(CANARIES), watch.places()).leaks
    assert {leak.place for leak in leaks} == {"command line of a child of the test"}
