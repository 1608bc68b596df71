"""`python -m bench.fuzz_engine`: hostile texts to the real embedding libraries, inside their process; writes
bench/fuzz_engine.md.

`INPUTS` (default 100000), `MINUTES` (default 60) and `SEED` change it. A run that was cut short says how far it came.
"""

import asyncio
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.engine_fuzz import engine_parser
from tests.fuzzing import Fuzzed, fuzz

RESULTS: Final = Path(__file__).parent / "fuzz_engine.md"


async def run(inputs: int, seconds: float, seed: int) -> Fuzzed:
    """Feed one process; it is never started again, so that one that dies is a finding."""
    async with engine_parser() as parser:
        return await fuzz("embedding process", parser, inputs, seed=seed, until=time.perf_counter() + seconds)


def main() -> int:
    """1 when there are findings."""
    inputs, seed = int(os.environ.get("INPUTS", "100000")), int(os.environ.get("SEED", "1"))
    found = asyncio.run(run(inputs, 60 * float(os.environ.get("MINUTES", "60")), seed))
    page = (
        "# Fuzz of the embedding process\n\n"
        f"`python -m bench.fuzz_engine` on {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, "
        f"seed {seed}: {found.inputs:,} of {inputs:,} hostile texts, {len(found.findings)} findings, "
        f"{len(found.kinds)} kinds of text, {found.seconds / 60:.0f} minutes, the slowest "
        f"{found.slowest * 1000:,.0f} ms. One process read all.\n"
        + "".join(f"\n    {finding}\n" for finding in found.findings)
    )
    RESULTS.write_text(page, encoding="utf-8")
    print(page)
    return 1 if found.findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
