"""/metrics: numbers for a machine that watches. Counts only; the bot says which, the console adds its refusals."""

from aiohttp import web

from console.desk import DESK


async def show(request: web.Request) -> web.Response:
    """Prometheus text format 0.0.4."""
    desk = request.app[DESK]
    text = (await desk.metrics()).rstrip("\n")
    name = "harborline_console_refused_total"
    lines = [f'{name}{{reason="{reason}"}} {number}' for reason, number in sorted(desk.refusals.items())]
    body = "\n".join([text, f"# HELP {name} Requests refused by this process.", f"# TYPE {name} counter", *lines, ""])
    return web.Response(text=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
