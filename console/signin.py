"""Signing in with passphrase and second factor, what comes after an invitation, and signing out."""

import asyncio

from aiohttp import web

from console.desk import DESK, Desk
from console.doors import cookies, read_form
from console.refused import Refused
from console.session import local, token_fits
from vault.credentials import prepare
from vault.devices import Devices
from vault.errors import SignInLocked, SignInRefused
from vault.members import Member
from vault.sessions import Cookie

_LONGEST_NAME = 200
_LONGEST_SECRET = 1000
_LONGEST_PASSKEY = 8000


async def show(request: web.Request) -> web.Response:
    """The form. With somewhere to go, it also offers to go on: after a link from elsewhere, browsers hold back a
    SameSite=Strict cookie until the next step, so the member may be signed in already."""
    return _form(request.app[DESK], goal=request.query.get("next", ""))


async def enter(request: web.Request) -> web.Response:
    """Check both factors. Every refusal has the same words: none tells whether a name exists or is locked."""
    desk, form = request.app[DESK], await read_form(request)
    goal, name, jar = form.get("next", ""), form.get("name", ""), cookies(request)
    devices = Devices(desk.vault.ring, desk.vault.now())
    device = devices.known(jar.mark(request), name)
    trusted = desk.gate.trusts(device)
    if not trusted and not desk.gate.begin(request):
        raise Refused(
            429,
            "There were too many tries from this address.",
            kept="Cases and pages are not affected.",
            next="Wait a quarter of an hour, then try again.",
            reason="signin_rate",
            back=("/signin", "Sign in"),
        )
    found = await _check(desk, form, old=jar.read(request), trusted=trusted)
    if found is None:
        desk.refusals["signin"] += 1
        return _form(desk, goal=goal, refused=True, status=403)
    desk.gate.succeeded(request, device if trusted else None)
    member, cookie = found
    where = "/begin" if member.invited_until else local(goal)
    response = web.Response(status=303, headers={"Location": where})
    jar.give(response, cookie.value)
    jar.leave_mark(response, devices.mark(name, device))
    return response


async def challenge(request: web.Request) -> web.Response:
    """What the browser needs to ask for a passkey. It is the same for every name, and nothing is stored."""
    desk = request.app[DESK]
    if desk.setup.site is None:
        raise web.HTTPNotFound
    async with desk.vault.unit() as unit:
        options = unit.passkeys.options_to_sign_in(desk.setup.site)
    return web.Response(text=options, content_type="application/json")


async def _check(desk: Desk, form: dict[str, str], *, old: str, trusted: bool) -> tuple[Member, Cookie] | None:
    """A new session, or None. The slow part runs in a thread, outside any unit, also for a name nobody has.

    `trusted`: the tries of this browser are counted by the gate, and a name that strangers locked is open to it.
    """
    name, passphrase, totp = form.get("name", ""), form.get("passphrase", ""), form.get("totp", "")
    passkey = form.get("passkey", "")
    if len(name) > _LONGEST_NAME or max(len(passphrase), len(totp)) > _LONGEST_SECRET:
        return None
    if len(passkey) > _LONGEST_PASSKEY:
        return None
    async with desk.vault.unit() as unit:
        salt = await unit.members.salt(name)
    async with desk.gate.stretching:
        credentials = await asyncio.to_thread(
            prepare, name, passphrase, "".join(totp.split()), salt, passkey=passkey, site=desk.setup.site
        )
    async with desk.vault.unit() as unit:
        found = await unit.members.sign_in(credentials, counted=trusted)
        if isinstance(found, SignInRefused | SignInLocked):
            return None
        member, cookie = found
        if old:
            await unit.members.sign_out(old)  # a browser has one session, and it is never an older one
        unit.audit.add("member.signed_in", f"member:{member.id}", actor=f"member:{member.id}")
    return member, cookie


async def leave(request: web.Request) -> web.Response:
    """End the session: its row goes, and with it the only copy of its key."""
    form, jar = await read_form(request), cookies(request)
    cookie = jar.read(request)
    response = web.Response(status=303, headers={"Location": "/signin"})
    if not token_fits(cookie, form.get("token", "")):
        return response
    async with request.app[DESK].vault.unit() as unit:
        who = await unit.members.open(cookie)
        if who is not None:
            await unit.members.sign_out(cookie)
            unit.audit.add("member.signed_out", f"member:{who.member.id}", actor=f"member:{who.member.id}")
    jar.take(response)
    return response


def _form(desk: Desk, *, goal: str, refused: bool = False, status: int = 200) -> web.Response:
    goal = local(goal) if goal else ""
    passkeys = desk.setup.site is not None
    return desk.pages.response("signin.html", status=status, goal=goal, refused=refused, passkeys=passkeys)
