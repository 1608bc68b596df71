"""The queue before the embedding process: one child, one request at a time, the most urgent first.

A child that crashes, hangs or answers garbage is killed and started again after a pause that doubles until one answers
again; the request it died on is not tried again, the others wait on until their own deadlines. Nothing here raises on
content. What a vector means is decided elsewhere (understand.py).
"""

import asyncio
import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from understanding.child import Child, ChildFailed, Reading, command


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take, in seconds, and how much may wait."""

    start: float = 20.0  # until a fresh child says that it is ready
    reply: float = 2.0  # for one window; a child that needs longer is stuck and is killed
    first_pause: float = 0.1
    longest_pause: float = 10.0
    waiting: int = 2000  # requests; beyond that new ones are turned away at once


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    text: str = field(repr=False)
    language: bool
    deadline: float  # of the loop's clock
    answer: "asyncio.Future[Reading | None]"

    def wanted(self, now: float) -> bool:
        return not self.answer.done() and now < self.deadline

    def settle(self, reading: Reading | None) -> None:
        if not self.answer.done():
            self.answer.set_result(reading)


class Embedded:
    """The embedding process and the queue before it. Use within one event loop: `start`, `read`, `stop`."""

    def __init__(self, *, arguments: Sequence[str] | None = None, limits: Limits | None = None) -> None:
        self._arguments = tuple(arguments) if arguments is not None else command()
        self._limits = limits or Limits()
        self._queue: list[tuple[float, int, _Request]] = []
        self._numbers = itertools.count(1)
        self._arrived = asyncio.Event()
        self._settled = asyncio.Event()  # the first start has succeeded or failed
        self._pause = self._limits.first_pause
        self._child: Child | None = None
        self._runner: asyncio.Task[None] | None = None
        self.ready = False
        self.starts = 0  # children begun so far, for health and tests

    @property
    def process_id(self) -> int | None:
        """Of the child, for measurements; None while there is none."""
        return self._child.process_id if self._child else None

    async def start(self) -> None:
        """Start the child and wait until it is ready, or until its first start has failed (it is tried again)."""
        if self._runner is None:
            self._settled.clear()
            self._runner = asyncio.create_task(self._run(), name="understanding-child")
        await self._settled.wait()

    async def stop(self) -> None:
        """End the child and answer everything that waits with None."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
            self._runner = None
        for _, _, request in self._queue:
            request.settle(None)
        self._queue.clear()

    async def read(self, text: str, *, language: bool, deadline: float) -> Reading | None:
        """Read one window of cleaned text by a time of the loop's clock; None when that was not possible."""
        loop = asyncio.get_running_loop()
        if not self.ready or len(self._queue) >= self._limits.waiting:
            return None
        request = _Request(text=text, language=language, deadline=deadline, answer=loop.create_future())
        heapq.heappush(self._queue, (deadline, next(self._numbers), request))
        self._arrived.set()
        try:
            return await asyncio.wait_for(request.answer, max(0.0, deadline - loop.time()))
        except TimeoutError:
            return None

    async def _run(self) -> None:
        while True:
            try:
                await self._one_life()
            except (ChildFailed, OSError):
                self._settled.set()
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, self._limits.longest_pause)

    async def _one_life(self) -> None:
        """From start to death of one child. Raises ChildFailed, OSError; on every way out the process is gone."""
        self.starts += 1
        child = await Child.begin(self._arguments)
        self._child = child
        try:
            await child.prepared(self._limits.start)
            self.ready = True
            self._settled.set()
            while True:
                await self._serve_next(child)
        finally:
            self.ready, self._child = False, None
            await child.end()

    async def _serve_next(self, child: Child) -> None:
        """Serve the nearest deadline; whoever has given up is passed over."""
        while not self._queue:
            self._arrived.clear()
            await self._arrival(child)
        _, number, request = heapq.heappop(self._queue)
        if not request.wanted(asyncio.get_running_loop().time()):
            return
        try:
            request.settle(await child.ask(number, request.text, language=request.language, seconds=self._limits.reply))
            self._pause = self._limits.first_pause
        finally:
            request.settle(None)

    async def _arrival(self, child: Child) -> None:
        """Wait for work. A child that dies while idle is noticed now, not by the next person. Raises ChildFailed."""
        arrival = asyncio.ensure_future(self._arrived.wait())
        death = asyncio.ensure_future(child.gone())
        try:
            await asyncio.wait({arrival, death}, return_when=asyncio.FIRST_COMPLETED)
            if death.done():
                raise ChildFailed
        finally:
            arrival.cancel()
            death.cancel()
