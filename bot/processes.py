"""Keeps child processes running: started, watched, started again with a growing pause, stopped together."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.logs import Log

_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds
_HEALTHY: Final = 30.0  # seconds after which a child counts as well again
_GRACE: Final = 15.0  # seconds between asking a child to stop and killing it


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process to keep. `environment` is everything it sees."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


async def keep_running(children: Sequence[Child], log: Log, stop: asyncio.Event) -> None:
    """Run until `stop`, then end them all."""
    async with asyncio.TaskGroup() as group:
        for child in children:
            group.create_task(_keep(child, log, stop))


async def _keep(child: Child, log: Log, stop: asyncio.Event) -> None:
    loop, failures = asyncio.get_running_loop(), 0
    while not stop.is_set():
        begun = loop.time()
        process = await asyncio.create_subprocess_exec(*child.command, env=dict(child.environment))
        over, stopping = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait({over, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            await _end(process)
            return
        failures = 0 if loop.time() - begun > _HEALTHY else failures + 1
        log.warning("process.ended", process=child.name, code=process.returncode, attempt=failures)
        await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _GRACE)
        except TimeoutError:
            process.kill()
            await process.wait()
