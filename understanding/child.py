"""One life of the embedding process, seen from the parent: begin, ask, end. Knows no queue and no restart.

Everything the child answers is checked down to the last number, because it was fed hostile text. No text appears in
an exception or in a process argument, and no secret of the service in the child's environment.
"""

import asyncio
import base64
import binascii
import contextlib
import json
import math
import os
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

DIMENSION = 384
_LARGEST_ANSWER = 64 << 10  # bytes; a good one has about 3,000
_ROOT = Path(__file__).resolve().parent.parent
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "SYSTEMROOT")


class ChildFailed(Exception):
    """The child died, hung or answered garbage; it is replaced, and the request is answered without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the child says about one window: its vector, and the identifiers' votes if they were asked for."""

    vector: NDArray[np.float32] = field(repr=False)
    langid: dict[str, float]
    cld: dict[str, float]


def command() -> tuple[str, ...]:
    """How the child is started: our own interpreter, the worker module, and our process id for it to watch."""
    return (sys.executable, "-m", "understanding.worker", str(os.getpid()))


def environment() -> dict[str, str]:
    """A short list of harmless variables, and one thread for every numeric library."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return passed | threads | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}


class Child:
    """A running child. Made by `begin`."""

    def __init__(
        self, process: asyncio.subprocess.Process, requests: asyncio.StreamWriter, answers: asyncio.StreamReader
    ) -> None:
        self._process = process
        self._requests = requests
        self._answers = answers

    @classmethod
    async def begin(cls, arguments: Sequence[str]) -> Self:
        """Start a process; it is of no use before `prepared`. Raises OSError, ChildFailed."""
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )
        if process.stdin is None or process.stdout is None:
            raise ChildFailed
        return cls(process, process.stdin, process.stdout)

    @property
    def process_id(self) -> int:
        """Of the running process."""
        return self._process.pid

    async def prepared(self, seconds: float) -> None:
        """Wait until the models are loaded. Raises ChildFailed."""
        if not (await self._frame(seconds)).get("ready"):
            raise ChildFailed

    async def ask(self, number: int, text: str, *, language: bool, seconds: float) -> Reading:
        """Read one window of cleaned text. Raises ChildFailed; after that the child must be ended."""
        body = json.dumps({"id": number, "text": text, "language": language}).encode("ascii")
        self._requests.write(struct.pack(">I", len(body)) + body)
        return _reading(await self._frame(seconds), number)

    async def gone(self) -> None:
        """Wait until the process has ended by itself."""
        await self._process.wait()

    async def end(self) -> None:
        """Kill the process, if it still runs, and collect it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._requests.close()
        await self._process.wait()

    async def _frame(self, seconds: float) -> dict[str, object]:
        try:
            async with asyncio.timeout(seconds):
                (length,) = struct.unpack(">I", await self._answers.readexactly(4))
                if length > _LARGEST_ANSWER:
                    raise ChildFailed
                frame = json.loads(await self._answers.readexactly(length))
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, ValueError, RecursionError):
            raise ChildFailed from None
        if not isinstance(frame, dict):
            raise ChildFailed
        return frame


def _reading(frame: dict[str, object], number: int) -> Reading:
    try:
        vector = np.frombuffer(base64.b64decode(str(frame["vector"]), validate=True), dtype=np.float32)
        whole = vector.shape == (DIMENSION,) and bool(np.isfinite(vector).all())
        if frame["id"] != number or not whole:
            raise ChildFailed
        return Reading(vector=vector, langid=_votes(frame.get("langid")), cld=_votes(frame.get("cld")))
    except (KeyError, ValueError, TypeError, binascii.Error):
        raise ChildFailed from None


def _votes(value: object) -> dict[str, float]:
    """Shares by tag, each forced into 0 to 1; NaN counts as nothing."""
    if not isinstance(value, dict):
        return {}
    shares = {str(tag): float(share) for tag, share in value.items()}
    return {tag: min(max(share, 0.0), 1.0) for tag, share in shares.items() if not math.isnan(share)}
