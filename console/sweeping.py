"""Lets go of what a request left behind. What hangs in a cycle, as an exception and its frames do, stays alive until
Python looks for it, which an idle process never does: a key must not wait for the next busy hour.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

_QUIET: Final = 1.0  # seconds without an answer


class Sweeper:
    """Collects garbage once the console has been quiet for a moment."""

    def __init__(self) -> None:
        self._due: asyncio.TimerHandle | None = None

    async def stir(self, request: web.Request, response: web.StreamResponse) -> None:
        """Something was answered: a signal of aiohttp's."""
        if self._due is not None:
            self._due.cancel()
        self._due = asyncio.get_running_loop().call_later(_QUIET, gc.collect)

    async def run(self, app: web.Application) -> AsyncIterator[None]:
        """A cleanup context of aiohttp's: nothing is left waiting at the end."""
        yield
        if self._due is not None:
            self._due.cancel()
