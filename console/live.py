"""Tells every open browser that the queue changed. Carries no content: the page fetches what it may see itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

from aiohttp import web

from vault.listening import Silent, queue_changes
from vault.unit import Vault

MOST_STREAMS: Final = 500
BEAT: Final = 20.0  # seconds between two signs of life; ages on the screen move with them
_PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before listening again


class Live:
    """One listener at the database, many browsers."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._streams: set[asyncio.Event] = set()
        self.closing = False

    @property
    def full(self) -> bool:
        """True when no further stream is taken."""
        return len(self._streams) >= MOST_STREAMS

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set at every change; many changes before the next look are one."""
        news = asyncio.Event()
        self._streams.add(news)
        try:
            yield news
        finally:
            self._streams.discard(news)

    def tell(self) -> None:
        """Wake every stream."""
        for news in self._streams:
            news.set()

    async def listen(self) -> None:
        """Pass changes on until cancelled; when the database falls silent, come back to it, slower each time."""
        failures = 0
        while True:
            with suppress(Silent):
                async with aclosing(queue_changes(self._vault)) as changes:
                    async for _ in changes:
                        failures = 0
                        self.tell()
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Listen for as long as the application runs."""
        task = asyncio.create_task(self.listen())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def end(self, _app: web.Application) -> None:
        """The application is stopping: let every stream finish."""
        self.closing = True
        self.tell()
