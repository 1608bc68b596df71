"""`make bench`: a whole hotline on this machine, measured from outside; writes bench/results.md.

Every figure is of one run on one machine, practice carriers included on the same cores; compare ratios, not
absolute times, between machines.
"""

import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg

from bench import understanding
from carriers.handset import Phone
from tests.databases import Cluster, at
from tests.world import World, open_world
from vault.database import EmbeddedPostgres, migrate
from vault.sealing import Effort, new_private_key, open_sealed, seal, stretch

ROOT = Path(__file__).parent.parent
PEOPLE = 40
AT_ONCE = 8
CALM = "The laundry on Fourth Street does not pay its workers for overtime"
DANGER = "They locked us in and he is coming back with a gun"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    value: str
    how: str


async def main() -> None:
    """Measure everything and write the table."""
    rows = [*_sealing(), _install()]
    with tempfile.TemporaryDirectory() as folder:
        cluster = _cluster(Path(folder) / "pg")
        begun = time.perf_counter()
        async with open_world(cluster, Path(folder) / "line", UNDERSTANDING_BUDGET="0.3") as world:
            rows.append(Row("web and worker ready", _seconds(time.perf_counter() - begun), "from spawn to /readyz"))
            rows += await _turns(world)
            rows += await _paging(world)
            rows += _memory(world)
    _write(rows)
    print(understanding.write(*await understanding.tables()))


def _cluster(directory: Path) -> Cluster:
    begun = EmbeddedPostgres(directory).start()
    with psycopg.connect(begun, autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_harborline")
    migrate(at(begun, "template_harborline"))
    return Cluster(begun, directory)


async def _turns(world: World) -> list[Row]:
    people = [world.phone() for _ in range(PEOPLE)]
    text = await _measured([_say(person, CALM) for person in people])
    keys = await _measured([_say(person, "1") for person in people])
    more = await _measured([_say(person, "Behind the station, next to the bakery") for person in people])
    return [
        *_latency("first free text (new person, new case)", text),
        *_latency("keypad turn", keys),
        *_latency("later free text", more),
    ]


def _say(person: Phone, text: str) -> Callable[[], Awaitable[object]]:
    return lambda: person.text(text)


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds each, and all together."""

    each: Sequence[float]
    wall: float


async def _measured(work: Sequence[Callable[[], Awaitable[object]]]) -> Measured:
    gate, each = asyncio.Semaphore(AT_ONCE), []

    async def one(act: Callable[[], Awaitable[object]]) -> None:
        async with gate:
            begun = time.perf_counter()
            await act()
            each.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(one(act) for act in work))
    return Measured(each, time.perf_counter() - begun)


def _latency(what: str, measured: Measured) -> list[Row]:
    centiles = statistics.quantiles(measured.each, n=100, method="inclusive")
    how = f"{len(measured.each)} turns, {AT_ONCE} at once, webhook sent to answer received"
    return [
        Row(f"{what}: p50 / p99", f"{centiles[49] * 1000:.0f} / {centiles[98] * 1000:.0f} ms", how),
        Row(f"{what}: rate", f"{len(measured.each) / measured.wall:.1f} turns/s", how),
    ]


async def _paging(world: World) -> list[Row]:
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        amina = world.responder_chat("Amina")
        await world.phone().text(DANGER)
        await amina.receives("/cases/", within=30)
        seconds.append(time.perf_counter() - begun)
    value = f"{statistics.median(seconds):.2f} / {max(seconds):.2f} s"
    return [Row("message in to page on the phone: median / worst", value, "5 first messages, by Telegram")]


def _memory(world: World) -> list[Row]:
    rows = []
    for process in (world.web, world.worker):
        if process.running is None:
            continue
        parent = psutil.Process(process.running.pid)
        for each in (parent, *parent.children(recursive=True)):
            kind = "understanding" if each != parent else "process"
            info = each.memory_full_info()
            value = f"{info.rss / 2**20:.0f} MB ({info.uss / 2**20:.0f} MB its own)"
            rows.append(Row(f"memory: {process.name} {kind}", value, "resident after the load above"))
    return rows


def _sealing() -> list[Row]:
    key = new_private_key()
    words = os.urandom(500)
    sealed = seal(words, key.public, "bench")
    return [
        Row("seal 500 bytes", _milliseconds(lambda: seal(words, key.public, "bench")), "median of 50"),
        Row("open 500 bytes", _milliseconds(lambda: open_sealed(sealed, key, "bench")), "median of 50"),
        Row(
            "one guess of an address or code",
            _milliseconds(lambda: stretch(b"+1", b"s" * 16, Effort()), 10),
            "Argon2id, median of 10",
        ),
    ]


def _milliseconds(act: Callable[[], object], times: int = 50) -> str:
    each = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        each.append(time.perf_counter() - begun)
    return f"{statistics.median(each) * 1000:.2f} ms"


def _install() -> Row:
    size = sum(path.stat().st_size for path in (ROOT / ".venv").rglob("*") if path.is_file() and not path.is_symlink())
    return Row("size of .venv", f"{size / 2**20:.0f} MB", "with whatever is installed in it now")


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _write(rows: Sequence[Row]) -> None:
    machine = f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}"
    lines = [
        "# Measured",
        "",
        f"One run of `make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine}.",
        "",
        "| what | value | how |",
        "|---|---|---|",
        *(f"| {row.what} | {row.value} | {row.how} |" for row in rows),
        "",
    ]
    (ROOT / "bench" / "results.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    asyncio.run(main())
