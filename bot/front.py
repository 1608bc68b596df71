"""The public port's own pages: how to reach the line, and whether this process lives and can take a report."""

import html
from collections.abc import Sequence

from aiohttp import web

from bot.house import House
from vault.unit import DATABASE_AWAY

SOURCE: str = "https://www.gnu.org/licenses/agpl-3.0.html"

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<h1>{name}</h1>
<p>You can tell us about people who are held, forced to work or not paid. You need not say who you are.</p>
<ul>{ways}</ul>
<p>Every question can be skipped. A person will read what you send.</p>
<p><small>This line runs Harborline, free software under the <a href="{source}" rel="noreferrer">AGPL</a>.</small></p>
</html>
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def front_routes(house: House) -> Sequence[web.RouteDef]:
    """GET /, /healthz and /readyz."""

    async def front(_: web.Request) -> web.Response:
        return web.Response(text=_front_page(house), content_type="text/html", headers=_HEADERS)

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="lives\n")

    async def readyz(_: web.Request) -> web.Response:
        problem = await _problem(house)
        return web.Response(status=503 if problem else 200, text=f"{problem or 'ready'}\n")

    return [web.get("/", front), web.get("/healthz", healthz), web.get("/readyz", readyz)]


def _front_page(house: House) -> str:
    numbers = house.line.numbers
    ways = (
        ("Text", numbers.sms),
        ("Call", numbers.voice),
        ("Telegram", f"@{numbers.telegram}" if numbers.telegram else ""),
    )
    items = "".join(f"<li>{way}: {html.escape(address)}</li>" for way, address in ways if address)
    return _PAGE.format(name=html.escape(house.line.name), ways=items, source=SOURCE)


async def _problem(house: House) -> str:
    """Why no report could be taken now, in one sentence; "" when one could."""
    try:
        async with house.vault.unit() as unit:
            if not await unit.cases.teams():
                return "No member is enrolled, so no report could be sealed: run `harborline staff add`."
    except DATABASE_AWAY:
        return "The database cannot be reached: start it, or correct DATABASE_URL."
    return ""
