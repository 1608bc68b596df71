"""`make fuzz`: a million damaged inputs to every parser of bytes from outside; writes bench/fuzz.md.

Each parser has a process of its own, so that one that crashes or hangs is a finding and not the end of the run.
`INPUTS`, `MINUTES` (for each parser), `SEED` and `ONLY` (names, separated by commas; the other rows stay as they are)
change it.
"""

import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.fuzzing import Fuzzed, fuzz
from tests.parsers import parsers

RESULTS: Final = Path(__file__).parent / "fuzz.md"
_CHILD: Final = "--parser"
_HUNG: Final = 120.0  # seconds beyond its time after which a process is given up
_MARK: Final = "figures\t"
_SHOWN: Final = 3  # findings of one parser: they are mostly one fault, found again


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is fed."""

    inputs: int
    seconds: float
    seed: int
    only: tuple[str, ...]


def plan(environment: Mapping[str, str]) -> Plan:
    """From the environment."""
    return Plan(
        inputs=int(environment.get("INPUTS", "1000000")),
        seconds=60 * float(environment.get("MINUTES", "30")),
        seed=int(environment.get("SEED", "1")),
        only=tuple(name for name in environment.get("ONLY", "").split(",") if name),
    )


def main() -> int:
    """Every parser, one after the other; 1 when there are findings."""
    if sys.argv[1:2] == [_CHILD]:
        return asyncio.run(_feed(sys.argv[2], plan(os.environ)))
    wanted, names = plan(os.environ), _names()
    rows, findings = _kept(names) if wanted.only else ({}, {})
    ran = [name for name in names if not wanted.only or name in wanted.only]
    for name in ran:
        rows[name], findings[name] = _run(name, wanted)
        sys.stdout.write(rows[name] + "\n")
        sys.stdout.flush()
        shown = [finding for name in names for finding in findings.get(name, [])[:_SHOWN]]
        RESULTS.write_text(_page([rows[name] for name in names if name in rows], shown, wanted), encoding="utf-8")
    return 1 if any(findings[name] for name in ran) else 0


def _names() -> list[str]:
    async def listed() -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            return list(parsers(Path(folder)))

    return asyncio.run(listed())


def _kept(names: list[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Rows and findings of the page as it is, by parser."""
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    rows = {name: line for name in names for line in lines if line.startswith(f"| {name} |")}
    findings = {name: [line.strip() for line in lines if line.startswith(f"    {name}")] for name in names}
    return rows, findings


async def _feed(name: str, wanted: Plan) -> int:
    with tempfile.TemporaryDirectory() as folder:
        parser = parsers(Path(folder))[name]
        found = await fuzz(name, parser, wanted.inputs, seed=wanted.seed, until=time.perf_counter() + wanted.seconds)
    sys.stdout.write("".join(f"{finding}\n" for finding in found.findings) + _MARK + _figures(name, found) + "\n")
    return 0


def _figures(name: str, found: Fuzzed) -> str:
    speed = found.inputs / found.seconds
    return (
        f"| {name} | {found.inputs:,} | {len(found.findings)} | {len(found.kinds)} | {found.seconds / 60:.1f} min | "
        f"{speed:,.0f} | {found.slowest * 1000:,.0f} ms | {_today()} |"
    )


def _run(name: str, wanted: Plan) -> tuple[str, list[str]]:
    """One parser in its own process: its row, and what was found."""
    command = [sys.executable, "-m", "bench.fuzz", _CHILD, name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=wanted.seconds + _HUNG, check=False
        )
    except subprocess.TimeoutExpired:
        return f"| {name} | | 1 | | | | hung | {_today()} |", [f"{name}: an input never came back"]
    *lines, last = done.stdout.splitlines() or [""]
    if done.returncode or not last.startswith(_MARK):
        end = done.stderr.strip().splitlines()[-1:]
        return f"| {name} | | 1 | | | | crashed | {_today()} |", [
            f"{name}: ended with {done.returncode}: {' '.join(end)}"
        ]
    return last.removeprefix(_MARK), lines


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _page(rows: list[str], findings: list[str], wanted: Plan) -> str:
    return (
        "\n".join(
            [
                "# Fuzz",
                "",
                (
                    f"`make fuzz`, Python {platform.python_version()}, {platform.machine()}, one core, seed "
                    f"{wanted.seed}; each row with its day. Each parser gets {wanted.inputs:,} damaged examples, or "
                    f"what it takes in {wanted.seconds / 60:.0f} minutes. A finding is a crash, an error that the "
                    "parser does not document, a value that is not sound, or an input that takes longer than its "
                    "bound (half a second; ten for files that only whoever runs the line can write). Kinds: how many "
                    "different answers the inputs brought out. The slowest input is counted in seconds of the "
                    "processor, and the lesser of two when it is long, so that neither the garbage collector nor "
                    "another process counts. The targets are in `tests/parsers.py`, how inputs are made in "
                    "`tests/fuzzing.py`; the largest requests are in `tests/test_fuzz.py`."
                ),
                "",
                "| parser | inputs | findings | kinds | time | a second | slowest input | day |",
                "|---|---:|---:|---:|---:|---:|---:|---|",
                *rows,
                "",
                *(f"    {finding}" for finding in findings),
            ]
        ).rstrip()
        + "\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
