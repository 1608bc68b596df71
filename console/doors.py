"""The way in: every view inside stands behind one of these, which opens the unit and says who is looking.

Nothing a browser sends is read inside a transaction, and nothing is answered before it is committed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from console.desk import DESK, Visit
from console.refused import Refused
from console.session import Cookies, comes_from_here, token, token_fits

FORM: Final = web.RequestKey("form", dict[str, str])
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_CHARSETS: Final = frozenset({"", "charset=utf-8", 'charset="utf-8"'})  # that of our pages, and so of what they send
_PATIENCE: Final = 20.0  # seconds for a form to arrive

View = Callable[[Visit], Awaitable[web.Response]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SignedOut(Exception):
    """Nobody is signed in, or no longer."""


def cookies(request: web.Request) -> Cookies:
    """The cookie of this console."""
    return Cookies(secure=request.app[DESK].setup.secure_cookie)


@asynccontextmanager
async def entered(request: web.Request, *, by_itself: bool = False, staff: bool = False) -> AsyncIterator[Visit]:
    """One unit with a signed-in member in it. Raises SignedOut.

    What a screen fetches by itself (`auto`, `part`) does not count as use: an unattended screen signs itself out.
    `staff`: it is about to change who is a member, or their keys, and waits until nobody else does.
    """
    desk, cookie = request.app[DESK], cookies(request).read(request)
    if not cookie:
        raise SignedOut
    by_hand = not (by_itself or {"auto", "part"} & request.query.keys())
    async with desk.vault.unit() as unit:
        if staff:
            await unit.members.hold()
        who = await unit.members.open(cookie, touch=by_hand)
        if who is not None:
            form = request.get(FORM, {})
            yield Visit(desk=desk, request=request, unit=unit, who=who, token=token(cookie), form=form)
    if who is None:
        raise SignedOut


def inside(view: View) -> Handler:
    """A page for signed-in members."""

    async def handle(request: web.Request) -> web.StreamResponse:
        async with entered(request) as visit:
            return await view(visit)

    return handle


def posted(view: View) -> Handler:
    """A form of a signed-in member: from our own page, with our own token."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await own_form(request)
        async with entered(request) as visit:
            return await view(visit)

    return handle


async def own_form(request: web.Request) -> dict[str, str]:
    """What a form of this session sent. Raises SignedOut, Refused."""
    form, cookie = await read_form(request), cookies(request).read(request)
    if not cookie:
        raise SignedOut
    if not token_fits(cookie, form.get("token", "")):
        raise Refused(
            403,
            "This form belongs to another sign-in, so it was not used.",
            next="Open the page again and send it from there.",
            reason="token",
        )
    return form


async def read_form(request: web.Request) -> dict[str, str]:
    """What a form sent, by field; the first of several. Raises Refused."""
    if not comes_from_here(request):
        raise Refused(
            403,
            "This request did not come from a page of this console, so it was not used.",
            next="Open the console over https, or on the machine it runs on, and send the form from there.",
            reason="origin",
        )
    _check_type(request)
    if (request.content_length or 0) > request.client_max_size:
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, request.content_length or 0)
    try:
        async with asyncio.timeout(_PATIENCE):
            fields = await request.post()
    except UnicodeDecodeError:
        raise _unreadable() from None
    except TimeoutError:
        raise Refused(
            408, "The form did not arrive in time.", next="Check the connection and send it again.", reason="slow"
        ) from None
    form = {name: value for name, value in reversed([*fields.items()]) if isinstance(value, str)}
    request[FORM] = form
    return form


def _check_type(request: web.Request) -> None:
    """Raise Refused unless the headers announce a form as browsers send it, in UTF-8 and not packed.

    By comparing, before the library reads the header: its parser is Python's for mail, which some headers break
    (`a/b; x*`) and others hold for seconds (eight thousand semicolons). A test keeps it so.
    """
    given = request.headers.getall("Content-Type", [])
    kind, _, rest = given[0].partition(";") if len(given) == 1 else ("", "", "")
    # Nothing unpacks a body here: a small packed one could unfold into a large one. No browser packs a form.
    if kind.strip().lower() != _FORM_TYPE or "Content-Encoding" in request.headers:
        raise Refused(
            415, "This is not a form of this console.", next="Use the forms on the pages.", reason="content_type"
        )
    if rest.strip().lower() not in _CHARSETS:
        raise _unreadable()


def _unreadable() -> Refused:
    return Refused(
        400, "This form could not be read.", next="Open the page again and send it from there.", reason="malformed"
    )
