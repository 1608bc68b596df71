"""What a process leaves to others: PostgreSQL's programs inherit no token, and a crash leaves no core file.

The tests read what the kernel shows of running processes, so they need Linux, and rights over those processes.
"""

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from bot.practice import practice
from tests.canaries import Needles, Watch, found_in, judge
from tests.house import ROOT
from tests.test_idle_memory import memory
from tests.world import LINE, free_port
from vault.environment import PASSED_ON

pytestmark = [
    pytest.mark.xdist_group("outages"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="LEFT OUT: only Linux shows its processes in /proc"),
]

SECRETS = {
    "TWILIO_ACCOUNT_SID": "AC5e7d1c09b84f4a6d93d2f07a61b8c354",
    "TWILIO_AUTH_TOKEN": "9f31c6d27be845f0a1d4e85b60c7a392",
    "TELEGRAM_BOT_TOKEN": "7310482956:QmZrXvKtBwLpYdHsGfJcNaUeEoIiTrWqVbM",
    "TELEGRAM_WEBHOOK_SECRET": "kPz4vQx8LmN2sRt6WyB1cDf5",
    "SOMETHING_OF_THE_OPERATORS": "Zorvikanelo-Brunofelizca-4417",
}
PG_CTL_ADDS = {"PWD", "PGDATA", "PGSYSCONFDIR", "PGLOCALEDIR", "PG_GRANDPARENT_PID", "LC_MESSAGES"}
SILENT = "http://127.0.0.1:9"  # nobody listens there


# A line of its own ------------------------------------------------------------------------------------------------


class Served:
    """A running `harborline serve` that started its own PostgreSQL, and what was seen of both since they began."""

    def __init__(self, process: asyncio.subprocess.Process, watch: Watch, home: Path) -> None:
        self.process = process
        self.watch = watch
        self._home = home

    def postgres(self) -> list[psutil.Process]:
        """The database server and everything it has started."""
        try:
            server = psutil.Process(int((self._home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0]))
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return []
        return [server, *server.children(recursive=True)]

    def line(self) -> list[psutil.Process]:
        """The web process and everything it has started."""
        web = psutil.Process(self.process.pid)
        return [web, *web.children(recursive=True)]


@asynccontextmanager
async def _served(home: Path) -> AsyncIterator[Served]:
    practice(home)
    (home / "line.yml").write_text(LINE, encoding="utf-8")
    settings = {"TWILIO_API_URL": SILENT, "TELEGRAM_API_URL": SILENT, "HARBORLINE_HOME": str(home)}
    ports = {"PUBLIC_PORT": str(free_port()), "CONSOLE_PORT": str(free_port()), "PUBLIC_URL": SILENT}
    environment = {**os.environ, **settings, **ports, **SECRETS}
    environment.pop("DATABASE_URL", None)
    log = home / "web.log"
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "serve"), cwd=ROOT, env=environment, stdout=file, stderr=file
        )
    watch = Watch(roots=lambda: {"serve": process.pid if process.returncode is None else None})
    looking = asyncio.create_task(watch.run(0.05))
    try:
        deadline = time.monotonic() + 90
        while '"web.ready"' not in log.read_text():
            assert process.returncode is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            await asyncio.sleep(0.1)
        yield Served(process, watch, home)
    finally:
        looking.cancel()
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _variables(process: psutil.Process) -> set[str]:
    """Names in a process's environment, as the kernel shows it."""
    whole = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    return {variable.partition(b"=")[0].decode(errors="replace") for variable in whole if b"=" in variable}


def _core(process: psutil.Process) -> tuple[str, int]:
    """What the kernel would write when it crashes: at most so many bytes, and which parts of the memory."""
    limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
    (limit,) = [" ".join(line.split()[4:6]) for line in limits if line.startswith("Max core file size")]
    return limit, int(Path(f"/proc/{process.pid}/coredump_filter").read_text(), 16)


# Requirements -----------------------------------------------------------------------------------------------------


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that PostgreSQL's own user can walk through, which pytest's own folders do not allow."""
    folder = Path(tempfile.mkdtemp(prefix="harborline-processes-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def test_neither_postgresql_nor_its_programs_see_a_token_and_no_process_of_a_line_can_leave_a_core(
    home: Path,
) -> None:
    async with _served(home) as served:
        database, line = served.postgres(), served.line()
        assert len(database) > 3, "the server and its own processes"
        assert len([process for process in database if _sees_no_token(process)]) > 3
        assert "TWILIO_AUTH_TOKEN" in found_in(SECRETS, memory(served.process.pid)), "what has it is seen to have it"
        _nobody_inherits(served.watch)
        for process in line:
            assert _core(process) == ("0 0", 0), process.cmdline()
        assert {_core(process) for process in served.postgres() if process.is_running()} == {("0 0", 0)}


def _sees_no_token(process: psutil.Process) -> bool:
    """False for a process that has ended since: PostgreSQL starts some for a moment, as autovacuum's workers."""
    try:
        assert _variables(process) <= {*PASSED_ON, *PG_CTL_ADDS}
        # PostgreSQL moves its environment to write a title over it, so its memory is searched too.
        assert found_in(SECRETS, memory(process.pid)) == set(), process.name()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return True


def _nobody_inherits(watch: Watch) -> None:
    commands = b"\n".join(data for place, data in watch.seen if place == "command line of a child of serve")
    assert b"understanding.worker" in commands
    assert b"initdb" in commands, "PostgreSQL's programs were watched at work"
    leaks = judge(Needles(SECRETS), watch.places()).leaks
    assert {leak.place.partition(":")[0] for leak in leaks} == {"environment of serve"}


def test_what_a_library_asks_of_the_machine_at_the_start_shows_no_token(tmp_path: Path) -> None:
    """croniter runs `file` to learn what Python is, while it is imported."""
    asked = tmp_path / "file"
    asked.write_text(f"#!/bin/sh\nenv >>{tmp_path}/environment\n", encoding="ascii")
    asked.chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": os.environ["PYTHONPATH"]}
    environment = {**os.environ, **SECRETS, **path}
    subprocess.run([sys.executable, "-m", "bot", "--help"], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert "PATH=" in (tmp_path / "environment").read_text(), "it was asked"
    assert found_in(SECRETS, [(tmp_path / "environment").read_bytes()]) == set()


_CRASH = """
import ctypes, resource, sys
from bot.wiping import leave_no_core
words = sys.stdin.read()
if sys.argv[1] == "product":
    leave_no_core()
else:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    resource.setrlimit = lambda *_: None  # such a limit does not bind a program that takes the core
    if sys.argv[1] == "product, and a program takes the core":
        leave_no_core()
kept = words.encode() * 3
ctypes.string_at(0)
"""


def _crashed(kind: str, folder: Path) -> list[bytes]:
    """The core files of a process that held these words when it crashed."""
    folder.mkdir()
    path = os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", _CRASH, kind],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        input="".join(SECRETS.values()).encode(),
        check=False,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGSEGV, done.stderr.decode()
    return [core.read_bytes() for core in folder.iterdir()]


def test_a_crash_leaves_no_core_file(tmp_path: Path) -> None:
    assert _crashed("product", tmp_path / "product") == []


def _writes_cores() -> bool:
    pattern = Path("/proc/sys/kernel/core_pattern")
    in_place = pattern.exists() and pattern.read_text()[:1].isalnum()
    return in_place and resource.getrlimit(resource.RLIMIT_CORE)[1] != 0


@pytest.mark.skipif(not _writes_cores(), reason="LEFT OUT: this machine lets no process leave a core file")
def test_no_core_is_handed_to_a_program_either(tmp_path: Path) -> None:
    """Not even one without the memory: a processor's registers hold what was copied last."""
    (core,) = _crashed("nothing is done", tmp_path / "control")
    assert found_in(SECRETS, [core]) == set(SECRETS), "the search reads core files"
    assert _crashed("product, and a program takes the core", tmp_path / "handed") == []
