"""What one guess shall cost: Argon2id parameters, chosen by measuring this machine, kept by epoch in the key ring.

A parameter that changes must lose nobody. So every row says from which epoch on it counts: pseudonyms of an epoch are
always derived as they were when it began, and a return code is tried with every effort that is still in the list.
Measuring and choosing only; the file itself is written by vault/keys.py.
"""

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median
from typing import Final

from vault.sealing import Effort, stretch

_MOST_MEMORY: Final = 64 * 1024  # KiB: several people may write at once, and each derivation holds this much
_MOST_PASSES: Final = 200
_RUNS: Final = 5
_SECONDS_A_YEAR: Final = 365.25 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortFrom:
    """From this epoch on a derivation costs `effort`; decided at `since` (UTC)."""

    epoch: int
    effort: Effort
    since: datetime


def to_bytes(rows: Sequence[EffortFrom]) -> bytes:
    """The file's contents; the inverse of `from_bytes`."""
    plain = [
        {
            "epoch": row.epoch,
            "passes": row.effort.passes,
            "lanes": row.effort.lanes,
            "memory": row.effort.memory,
            "since": row.since.isoformat(),
        }
        for row in rows
    ]
    return json.dumps(plain, indent=1).encode()


def from_bytes(raw: bytes) -> tuple[EffortFrom, ...]:
    """Rows, oldest first. Raises ValueError when the file is not one of ours."""
    try:
        rows = tuple(
            EffortFrom(
                epoch=int(row["epoch"]),
                effort=Effort(passes=int(row["passes"]), lanes=int(row["lanes"]), memory=int(row["memory"])),
                since=datetime.fromisoformat(row["since"]),
            )
            for row in json.loads(raw)
        )
    except (KeyError, TypeError):
        raise ValueError from None
    if not rows or [row.epoch for row in rows] != sorted({row.epoch for row in rows}):
        raise ValueError
    return rows


def measure(effort: Effort) -> float:
    """Seconds of a CPU that one derivation takes on this machine: the median of a few.

    Not by the clock on the wall: while others keep this machine busy a guess would seem dear, and be cheap for a thief.
    """
    times = []
    for _ in range(_RUNS):
        begun = time.process_time()
        stretch(b"+15550100000", secrets.token_bytes(16), effort)
        times.append(time.process_time() - begun)
    return median(times)


def choose(target: float, cost: Callable[[Effort], float] = measure) -> tuple[Effort, float]:
    """The cheapest effort that costs at least `target` seconds, and what it costs.

    Memory grows first, because it is what makes guessing on graphics cards dear; then passes. Never less than the
    effort a key ring begins with.
    """
    effort = Effort()
    seconds = cost(effort)
    while seconds < target and effort.memory < _MOST_MEMORY:
        effort = replace(effort, memory=min(effort.memory * 2, _MOST_MEMORY))
        seconds = cost(effort)
    while seconds < target and effort.passes < _MOST_PASSES:
        wanted = round(effort.passes * target / seconds)
        effort = replace(effort, passes=min(max(wanted, effort.passes + 1), _MOST_PASSES))
        seconds = cost(effort)
    return effort, seconds


def cpu_years(seconds: float, guesses: float) -> float:
    """How long one CPU like this one is busy with so many guesses, in years."""
    return seconds * guesses / _SECONDS_A_YEAR
