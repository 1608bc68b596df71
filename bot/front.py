"""The public port's own pages: how to reach the line, its source, and whether this process can take a report."""

import asyncio
import html
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from bot.house import House
from bot.patience import Buckets, Pace
from bot.source import source_archive
from vault.unit import DATABASE_AWAY

SOURCES: Final = Pace(burst=8, every=timedelta(seconds=5))
"""Archives to all together: of 3 MB each, about 600 kB a second."""

SOURCES_AT_ONCE: Final = 8
SOURCE_SECONDS: Final = 120.0  # for one of them to be taken
RETRY: Final = 60  # seconds
_PIECE: Final = 64 * 1024  # bytes

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<h1>{name}</h1>
<p>You can tell us about people who are held, forced to work or not paid. You need not say who you are.</p>
<ul>{ways}</ul>
<p>Every question can be skipped. A person will read what you send.</p>
<p><small>This line runs Harborline, free software under the AGPL: <a href="/source">its source</a>.</small></p>
</html>
"""
_HEADERS = {
    "Server": "Harborline",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def front_routes(house: House) -> Sequence[web.RouteDef]:
    """GET /, /healthz, /readyz and /source."""

    async def front(_: web.Request) -> web.Response:
        return web.Response(text=_front_page(house), content_type="text/html")

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="lives\n")

    async def readyz(_: web.Request) -> web.Response:
        problem = await _problem(house)
        return web.Response(status=503 if problem else 200, text=f"{problem or 'ready'}\n")

    handlers = {"/": front, "/healthz": healthz, "/readyz": readyz}
    return [
        *(web.get(path, handler) for path, handler in handlers.items()),
        web.get("/source", Source(house.world.now).give, allow_head=False),
    ]


async def lock_down(_: web.Request, response: web.StreamResponse) -> None:
    """What every response of the public port carries, errors and webhooks included (aiohttp's on_response_prepare)."""
    response.headers.update(_HEADERS)


class Source:
    """GET /source: the archive, of several megabytes, to so many at a time and so many in all.

    Everybody shares the same places, since addresses are not looked at here.
    """

    def __init__(self, now: Callable[[], datetime], pace: Pace = SOURCES, seconds: float = SOURCE_SECONDS) -> None:
        self._now = now
        self._begun = Buckets(pace, 1)
        self._seconds = seconds
        self._giving = 0

    async def give(self, request: web.Request) -> web.StreamResponse:
        """The archive, or 503 with the time after which to try again."""
        if self._giving >= SOURCES_AT_ONCE or not self._begun.take(b"everybody", self._now()):
            headers = {"Retry-After": str(RETRY)}
            return web.Response(status=503, text="Many are fetching the source right now.\n", headers=headers)
        self._giving += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._written(request)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            raise
        finally:
            self._giving -= 1

    @staticmethod
    async def _written(request: web.Request) -> web.StreamResponse:
        """In pieces, each of which waits until there is room, so that a slow reader fills no memory."""
        archive = memoryview(await asyncio.to_thread(source_archive))
        headers = {"Content-Disposition": 'attachment; filename="harborline.tar.gz"'}
        response = web.StreamResponse(headers=headers)
        response.content_type, response.content_length = "application/gzip", len(archive)
        await response.prepare(request)
        for start in range(0, len(archive), _PIECE):
            await response.write(archive[start : start + _PIECE])
        await response.write_eof()
        return response


def _front_page(house: House) -> str:
    numbers = house.line.numbers
    ways = (
        ("Text", numbers.sms),
        ("Call", numbers.voice),
        ("Telegram", f"@{numbers.telegram}" if numbers.telegram else ""),
    )
    items = "".join(f"<li>{way}: {html.escape(address)}</li>" for way, address in ways if address)
    return _PAGE.format(name=html.escape(house.line.name), ways=items)


async def _problem(house: House) -> str:
    """Why no report could be taken now, in one sentence; "" when one could."""
    try:
        async with house.vault.unit() as unit:
            if not await unit.cases.teams():
                return "No member is enrolled, so no report could be sealed: run `harborline staff add`."
    except DATABASE_AWAY:
        return "The database cannot be reached: start it, or correct DATABASE_URL."
    return ""
