"""What happened on the phones, in order: a list that can be followed. Knows nothing about HTTP or providers.

Every event is plain JSON with a growing "seq"; the phones page and the handsets of the tests read the same list.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

Event = Mapping[str, Any]

KEPT = 20_000  # events; a demo that runs for days forgets its oldest


class Journal:
    """All events, oldest first."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._last = 0
        self._news = asyncio.Event()

    @property
    def last(self) -> int:
        """The number of the newest event, 0 before the first."""
        return self._last

    def add(self, type_: str, **fields: Any) -> None:
        """Write down one event."""
        self._last += 1
        self._events.append({"seq": self._last, "type": type_, **fields})
        del self._events[:-KEPT]
        self._news.set()
        self._news = asyncio.Event()

    def since(self, after: int) -> list[Event]:
        """The events after this number, oldest first."""
        first = self._last - len(self._events) + 1
        return self._events[max(0, after - first + 1) :]

    async def follow(self, after: int) -> AsyncIterator[Event]:
        """Every event after this number, for ever."""
        while True:
            news = self._news
            for event in self.since(after):
                after = event["seq"]
                yield event
            await news.wait()

    async def find(self, wanted: Callable[[Event], bool], *, after: int = 0, within: float) -> Event | None:
        """The first event after this number that is wanted, or None when `within` real seconds have passed."""
        try:
            async with asyncio.timeout(within):
                async for event in self.follow(after):
                    if wanted(event):
                        return event
        except TimeoutError:
            return None
        return None
