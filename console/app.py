"""Builds the console: parts, routes, and the headers that every response carries. Serve it without an access log."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from aiohttp import web

from console.actions import Actions
from console.desk import DESK, Desk
from console.errors import calm
from console.live import Live
from console.render import Pages
from console.routes import ROUTES
from console.session import Gate
from console.setup import Setup
from console.sweeping import Sweeper
from vault.unit import Vault

_LARGEST_BODY: Final = 64 * 1024  # bytes

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "X-Robots-Tag": "noindex",
        "Server": "Harborline",
    }
)


def build(
    *,
    vault: Vault,
    setup: Setup,
    actions: Actions,
    metrics: Callable[[], Awaitable[str]],
    failure: Callable[[str, BaseException], None] = lambda event, error: None,
) -> web.Application:
    """The console of one line. `metrics` gives the text of /metrics, counts only.

    `failure` is told of every request that broke: an event's name and the error, whose text may quote a report and
    must not be written down. Without it such requests are only counted.
    """
    live = Live(vault)
    app = web.Application(middlewares=[calm], client_max_size=_LARGEST_BODY)
    app[DESK] = Desk(
        vault=vault,
        setup=setup,
        actions=actions,
        metrics=metrics,
        pages=Pages(setup),
        gate=Gate(vault.now),
        live=live,
        failure=failure,
    )
    sweeper = Sweeper()
    app.on_response_prepare.append(_add_headers)
    app.on_response_prepare.append(sweeper.stir)
    app.cleanup_ctx.append(sweeper.run)
    app.cleanup_ctx.append(live.run)
    app.on_shutdown.append(live.end)
    app.add_routes(ROUTES)
    return app


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    # Styles and scripts are asked for again each time and mostly answered with 304; pages are never kept.
    response.headers["Cache-Control"] = "no-cache" if request.path.startswith("/static/") else "no-store"
    if request.app[DESK].setup.secure_cookie:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
