"""The public port's own pages: how to reach the line, its source, and whether this process can take a report."""

import asyncio
import html
from collections.abc import Sequence

from aiohttp import web

from bot.house import House
from bot.source import source_archive
from vault.unit import DATABASE_AWAY

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
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def front_routes(house: House) -> Sequence[web.RouteDef]:
    """GET /, /healthz, /readyz and /source."""

    async def front(_: web.Request) -> web.Response:
        return web.Response(text=_front_page(house), content_type="text/html", headers=_HEADERS)

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="lives\n")

    async def readyz(_: web.Request) -> web.Response:
        problem = await _problem(house)
        return web.Response(status=503 if problem else 200, text=f"{problem or 'ready'}\n")

    async def source(_: web.Request) -> web.Response:
        archive = await asyncio.to_thread(source_archive)
        headers = {**_HEADERS, "Content-Disposition": 'attachment; filename="harborline.tar.gz"'}
        return web.Response(body=archive, content_type="application/gzip", headers=headers)

    handlers = {"/": front, "/healthz": healthz, "/readyz": readyz, "/source": source}
    return [web.get(path, handler) for path, handler in handlers.items()]


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
