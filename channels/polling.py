"""Reading updates one after the other when there is no webhook: what counts as read, and what happens on trouble.

No Telegram library and no HTTP lives here; both come in as functions.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from channels.messages import ChannelName, NotKept, Refused, SendError
from channels.updates import Update, read
from channels.webhook import failed

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds between tries; the last one again and again
TRIES = 5

Fetch = Callable[[int], Awaitable[list[Any]]]
Handle = Callable[[Update], Awaitable[None]]


class Poller:
    """Hands updates over in their order. One counts as read only after `handle` returned.

    NotKept and SendError wait and try again for as long as it takes. Any other error is ours: after TRIES of them the
    update is passed over and counted as "abandoned", since one odd message must not lock out all who write after it.
    """

    def __init__(self, fetch: Fetch, handle: Handle, refused: Refused, pauses: Sequence[float] = PAUSES) -> None:
        self._fetch = fetch
        self._handle = handle
        self._refused = refused
        self._pauses = tuple(pauses)
        self._offset = 0
        self._head: int | None = None  # the update being handled
        self._own_failures = 0

    async def until(self, stop: asyncio.Event) -> None:
        """Poll until `stop` is set. What is being handled then is dropped unread, and comes again next time."""
        polling = asyncio.create_task(self._forever())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            polling.cancel()
            stopping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await polling

    async def _forever(self) -> None:
        failures = 0
        while True:
            wait: float | None = None
            try:
                await self._batch()
            except SendError as error:
                wait = error.after
            except NotKept:
                pass  # the house cannot store right now; the provider keeps the update
            except Exception as error:  # test_polling_passes_over_an_update_that_always_fails
                self._blame(error)
            else:
                failures = 0
                continue
            failures += 1
            pause = self._pauses[min(failures, len(self._pauses)) - 1]
            await asyncio.sleep(pause if wait is None else wait)

    async def _batch(self) -> None:
        self._head = None
        for value in await self._fetch(self._offset):
            update = read(value)
            self._head = update.number
            await self._handle(update)
            self._offset, self._own_failures = update.number + 1, 0

    def _blame(self, error: Exception) -> None:
        self._refused(ChannelName.TELEGRAM, failed(error))
        self._own_failures += 1
        if self._head is not None and self._own_failures >= TRIES:
            self._offset, self._own_failures = self._head + 1, 0
            self._refused(ChannelName.TELEGRAM, "abandoned")
