"""An idle web process holds no key: its memory is read, byte by byte, after somebody signed in, worked and left.

What this can show is that the copies are gone which Python made and gave back. It cannot show what the kernel kept in
its own buffers or in swap, and nothing of a process that is busy: SECURITY.md says both.
"""

import asyncio
import gc
import os
import platform
import re
import sys
import time
import weakref
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.wiping import ALLOCATOR
from console.sweeping import Sweeper
from tests.databases import Cluster
from tests.world import Desk, World, open_world
from vault.credentials import prepare
from vault.keys import KeyRing, read_key_ring
from vault.unit import Vault, database_engine, job_app

WORDS = "canary heliotrope seven three one nine"
ANSWER = "canary quokka four four seven one"
_WITHIN = 30.0  # seconds until an idle process has let go


def memory(pid: int) -> Iterator[bytes]:
    """Everything that a process can write to: heap, stacks, anonymous and private pages."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as whole:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            begin, end = (int(number, 16) for number in place.split("-"))
            if rights.startswith("rw"):
                try:
                    whole.seek(begin)
                    yield whole.read(end - begin)
                except OSError:  # a page of the kernel's
                    continue


def found(pid: int, needles: Mapping[str, bytes]) -> set[str]:
    """The names of the needles that are somewhere in a process."""
    names: set[str] = set()
    for region in memory(pid):
        names |= {name for name, needle in needles.items() if needle in region}
    return names


def halves(name: str, seed: bytes) -> dict[str, bytes]:
    """Pieces of a private key, each of which would help: the two of ML-KEM, and X25519's."""
    return {f"{name}, bytes {i} to {i + 31}": seed[i : i + 32] for i in range(0, len(seed), 32)}


async def keys(vault: Vault, desk: Desk, code: str) -> dict[str, bytes]:
    """Every key that a visit by this member opens."""
    me = desk.sign_in
    async with vault.unit() as unit:
        credentials = prepare(me.name, me.passphrase, "", await unit.members.salt(me.name))
        who = await unit.members.unlock(credentials)
        case = await unit.cases.key(await unit.cases.by_code(code), who.teams)
    needles = halves("the member's key", who.key.seed) | halves("the case's key", case.seed)
    for team in who.teams.values():
        needles |= halves("the team's key", team.seed)
    return needles | {"the key that the passphrase gives": credentials.wrapping_key}


@pytest.mark.slow
@pytest.mark.xdist_group("world")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="LEFT OUT: only glibc overwrites what is freed")
@pytest.mark.asyncio(loop_scope="session")
async def test_an_idle_process_has_no_key_no_passphrase_and_no_word_in_its_memory(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with open_world(cluster, tmp_path / "line") as world:
        code = await reported(world)
        desk = await world.desk()
        page = await desk.page(f"/cases/{code}")
        assert WORDS in page
        await desk.do(code, "answer", text=ANSWER)
        cookie = next(c.value for c in desk.session.cookie_jar)
        ring = read_key_ring(tmp_path / "line" / "keyring")
        vault = _vault(world, ring)
        needles = await keys(vault, desk, code) | {
            "the passphrase": desk.sign_in.passphrase.encode(),
            "the authenticator's seed": desk.sign_in.totp_seed.encode(),
            "the cookie": cookie.encode(),
            "the half of it that opens the session": bytes.fromhex(cookie[64:]),
            "what the person said": WORDS.encode(),
            "what was answered": ANSWER.encode(),
        }
        await vault.close()
        await signed_out(desk, page)
        assert world.web.running is not None
        pid = world.web.running.pid
        assert found(pid, {"control": ring.service}), "a key that is always there is seen"
        assert await gone(pid, needles) == set()


def _vault(world: World, ring: KeyRing) -> Vault:
    url = world.database_url
    return Vault(engine=database_engine(url), jobs=job_app(url), ring=ring, now=lambda: datetime.now(UTC))


async def reported(world: World) -> str:
    """A report by text message; gives the code of its case."""
    await world.phone().text(f"They keep my papers. {WORDS}")
    await world.until(lambda: bool(world.rows("SELECT code FROM cases")), "no case")
    return str(world.rows("SELECT code FROM cases")[0][0])


async def signed_out(desk: Desk, page: str) -> None:
    """As by the button."""
    token = re.search(r'name="token" value="([0-9a-f]+)"', page)
    assert token
    form, headers = {"token": token[1]}, {"Origin": desk.url}
    async with desk.session.post(f"{desk.url}/signout", data=form, headers=headers) as answer:
        assert answer.status == 200
    await desk.session.close()


async def gone(pid: int, needles: Mapping[str, bytes]) -> set[str]:
    """What is still there when the process has had time to let go."""
    deadline = time.monotonic() + _WITHIN
    while True:
        await asyncio.sleep(3)
        left = found(pid, needles)
        if not left or time.monotonic() > deadline:
            return left


def test_what_is_searched_for_would_be_found() -> None:
    assert found(os.getpid(), {"it": os.urandom(32)}) == {"it"}
    assert len(halves("key", bytes(96))) == 3


async def test_what_hangs_in_a_cycle_is_let_go_once_the_console_is_quiet() -> None:
    class Frame:
        def __init__(self) -> None:
            self.itself = self

    gc.disable()
    try:
        sweeper, left = Sweeper(), weakref.ref(Frame())
        assert left() is not None
        await sweeper.stir(None, None)  # type: ignore[arg-type]  # it looks at neither
        await asyncio.sleep(1.5)
        assert left() is None
    finally:
        gc.enable()


async def test_a_serving_process_runs_under_the_allocator_that_overwrites(cluster: Cluster, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ALLOCATOR}
    environment |= {"DATABASE_URL": "postgresql://127.0.0.1:1/nothing", "HARBORLINE_HOME": str(tmp_path)}
    script = "import os, sys, bot.cli as c; os.execve = lambda p, a, e: sys.exit(repr(e['PYTHONMALLOC'])); c.main()"
    for command, expected in (("serve", b"'malloc'"), ("worker", b"'malloc'"), ("doctor", b"")):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script, command),
            env=environment,
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        _, said = await process.communicate()
        assert (b"'malloc'" in said) is bool(expected), command
