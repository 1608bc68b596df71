"""`make bench`: ten thousand histories of a line's pager, counted; writes bench/pager.md.

The histories and what must hold in each are tests/histories.py; a finding ends the run with the shortest history that
shows it. `HISTORIES`, `STEPS` (events a history, at most) and `SEED` change it.
"""

import os
import platform
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.histories import EveryHistory

RESULTS: Final = Path(__file__).parent / "pager.md"


def main() -> int:
    """Explore, and write what was seen."""
    histories = int(os.environ.get("HISTORIES", "10000"))
    steps, chosen = int(os.environ.get("STEPS", "60")), int(os.environ.get("SEED", "1"))
    begun = time.perf_counter()
    seen = explore(histories, steps, chosen)
    page = _page(seen, chosen, steps, time.perf_counter() - begun)
    RESULTS.write_text(page, encoding="utf-8")
    sys.stdout.write(page)
    return 0 if seen["histories"] >= histories else 1


def explore(histories: int, steps: int, chosen: int) -> Counter[str]:
    """Run so many histories; gives what happened in them. Raises what a broken invariant raises."""
    EveryHistory.counts.clear()
    run_state_machine_as_test(
        seed(chosen)(EveryHistory),
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    return Counter(EveryHistory.counts)


def _page(seen: Counter[str], chosen: int, steps: int, seconds: float) -> str:
    machine = f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}"
    lines = [
        "# The pager's histories",
        "",
        f"One run of `python -m bench.pager` on {datetime.now(UTC):%Y-%m-%d}: {machine}.",
        "",
        f"Seed {chosen}, at most {steps} steps a history, {seconds / 60:.0f} minutes. No invariant was broken.",
        "",
        "| what | how many |",
        "|---|---|",
        *(f"| {what} | {number} |" for what, number in sorted(seen.items()) if number),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
