"""The two ports: how long a connection may take, and how many there may be. What is asked on them is for the handlers.

A connection is let go when no request begins within HEAD_SECONDS, and earlier when all places are taken and somebody
else knocks: of those that are not being served, because their request has not arrived as a whole or has been answered,
the one that waited longest. So connections that say nothing, or say it slowly, keep nobody out.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aiohttp import web

HEAD_SECONDS: Final = 15.0  # for the head of a request to arrive, and between two requests
PLACES: Final = 400  # connections of one port: with both, fewer than the 1,024 files a process may commonly open
GRACE: Final = 10.0  # seconds that running requests have to finish at the end

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Doorway:
    """The connections of one port."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._inside: set[asyncio.BaseTransport] = set()
        self._idle: OrderedDict[asyncio.BaseTransport, None] = OrderedDict()  # longest first

    def __len__(self) -> int:
        return len(self._inside)

    def enters(self, transport: asyncio.BaseTransport) -> bool:
        """A new connection. False when every place is taken by somebody who is being served."""
        if len(self._inside) >= self._places:
            if not self._idle:
                return False
            longest, _ = self._idle.popitem(last=False)
            self._inside.discard(longest)
            _cut(longest)
        self._inside.add(transport)
        self._idle[transport] = None
        return True

    def leaves(self, transport: asyncio.BaseTransport) -> None:
        """A connection is over."""
        self._inside.discard(transport)
        self._idle.pop(transport, None)

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request; whoever sent it as a whole is not let go meanwhile."""
        transport = request.transport
        if transport is None or not request.content.is_eof():
            return await handler(request)
        self._idle.pop(transport, None)
        try:
            return await handler(request)
        finally:
            if transport in self._inside:
                self._idle[transport] = None


class _Guest(asyncio.Protocol):
    """One connection: hands on to the server's own protocol all that happens, if there is a place for it."""

    def __init__(self, doorway: Doorway, inner: asyncio.Protocol) -> None:
        self._doorway = doorway
        self._inner: asyncio.Protocol | None = inner
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._inner is None or not self._doorway.enters(transport):
            self._inner = None
            _cut(transport)
            return
        self._transport = transport
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._doorway.leaves(self._transport)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()


def _cut(transport: asyncio.BaseTransport) -> None:
    """End a connection now, also when its other side takes nothing."""
    if isinstance(transport, asyncio.Transport):
        transport.abort()


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str, port: int, *, share: bool = False) -> AsyncIterator[Doorway]:
    """Serve an application on a port, without an access log. `share`: other processes listen there too."""
    doorway = Doorway()

    @web.middleware
    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await doorway.serve(request, handler)

    app.middlewares.insert(0, serve)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=GRACE,
        keepalive_timeout=HEAD_SECONDS,  # the library starts it with the connection, so it bounds the first head too
        auto_decompress=False,  # nobody packs what we read, and a small packed body could unfold into a large one
    )
    await runner.setup()
    server = runner.server
    if server is None:
        raise RuntimeError("the runner was not set up")
    loop = asyncio.get_running_loop()
    port_server = await loop.create_server(
        lambda: _Guest(doorway, server()), host, port, reuse_port=share or None, backlog=128
    )
    try:
        yield doorway
    finally:
        port_server.close()
        await runner.cleanup()
