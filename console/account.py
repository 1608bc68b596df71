"""A member's own page: passphrase, authenticator, passkeys; and the first sign-in with a one-time passphrase.

A form here asks for the passphrase again. It is stretched in a thread between two units; a wrong one is counted, so the
refusal leaves its unit by the door and is told afterwards.
"""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import quote

from aiohttp import web

from console.desk import DESK, Desk, Visit
from console.doors import SignedOut, cookies, entered, own_form
from console.refused import Refused
from console.session import token
from vault.account import Refusal
from vault.credentials import Chosen, Credentials, choose, new_totp_seed, prepare
from vault.errors import (
    NotAllowed,
    NotFound,
    PasskeyRefused,
    SignInLocked,
    SignInRefused,
    WeakPassphrase,
    WrongCode,
)
from vault.members import SignedIn
from vault.passkeys import Passkey, Site
from vault.sessions import Cookie
from vault.unit import Unit

_LONGEST: Final = 1000  # characters of a secret
_SEED: Final = re.compile(r"[A-Z2-7]{32}", re.ASCII)

_DONE: Final[Mapping[str, str]] = {
    "settled": "You are in. From now on only your own passphrase opens your keys.",
    "passphrase": "The new passphrase is in force. Everywhere else you were signed out.",
    "authenticator": "The new authenticator is in force, and the old one is not. Elsewhere you were signed out.",
    "passkey": "The passkey was added. You can use it the next time you sign in.",
    "removed": "The passkey was removed.",
    "only": "From now on only your passkeys let you in, and no code.",
    "codes": "Codes from your authenticator let you in again.",
}
_PROBLEMS: Final[Mapping[type[object], str]] = {
    SignInRefused: "Your passphrase was not right. After five wrong ones it rests for a quarter of an hour.",
    SignInLocked: "There were too many wrong passphrases. Wait a quarter of an hour.",
    WrongCode: "The code does not fit this seed. Check the clock of your phone, and use the code that shows now.",
    WeakPassphrase: "The new passphrase is too short: use at least 12 characters, better four or five words.",
    PasskeyRefused: "The passkey was not taken: it is known already, or it took longer than five minutes.",
    NotAllowed: "Add a passkey first: otherwise nothing would let you in.",
    NotFound: "This passkey is gone already.",
}
_DIFFERENT: Final = "The two new passphrases are not the same."

Act = Callable[[Visit, Credentials], Awaitable[Refusal | WrongCode | Cookie | Passkey | None]]


# The page -----------------------------------------------------------------------------------------------------------


async def show(visit: Visit) -> web.Response:
    """What lets this member in."""
    return await _page(visit, done=_DONE.get(visit.request.query.get("done", ""), ""))


async def _page(visit: Visit, *, done: str = "", problem: str = "", seed: str = "", status: int = 200) -> web.Response:
    half_done, seed = bool(seed), seed or new_totp_seed()
    return visit.page(
        "account.html",
        status=status,
        half_done=half_done,
        passkeys=await visit.unit.passkeys.of(visit.member.id, visit.who.key),
        possible=visit.desk.setup.site is not None,
        seed=_grouped(seed),
        link=_link(visit.desk, visit.member.name, seed),
        done=done,
        problem=problem,
    )


async def change_passphrase(request: web.Request) -> web.Response:
    """A new passphrase; this browser goes on under a new cookie, every other one is signed out."""
    form = await own_form(request)
    chosen = await _chosen(request.app[DESK], form)
    if isinstance(chosen, str):
        return await _again(request, chosen)

    async def act(visit: Visit, now: Credentials) -> Cookie | Refusal:
        return await visit.unit.account.change_passphrase(visit.who, now, chosen)

    return await _confirmed(request, form, act, done="passphrase")


async def change_authenticator(request: web.Request) -> web.Response:
    """Another authenticator, which shows a code of the seed that the page gave."""
    form = await own_form(request)
    seed, code = _seed(form), _digits(form)

    async def act(visit: Visit, now: Credentials) -> Cookie | WrongCode | Refusal:
        return await visit.unit.account.change_authenticator(visit.who, now, seed, code)

    return await _confirmed(request, form, act, done="authenticator", seed=seed)


async def options(request: web.Request) -> web.Response:
    """What the browser needs to make a passkey."""
    await own_form(request)
    site = _site(request)
    async with entered(request) as visit:
        text = await visit.unit.passkeys.options_to_add(visit.member.id, visit.member.name, visit.who.key, site)
    return web.Response(text=text, content_type="application/json")


async def add_passkey(request: web.Request) -> web.Response:
    """Keep the passkey that the browser made."""
    form, site = await own_form(request), _site(request)
    label, answer = form.get("label", ""), form.get("passkey", "")

    async def act(visit: Visit, now: Credentials) -> Passkey | Refusal:
        return await visit.unit.account.add_passkey(visit.who, now, site, label=label, answer=answer)

    return await _confirmed(request, form, act, done="passkey")


async def remove_passkey(request: web.Request) -> web.Response:
    """Forget a passkey."""
    form, passkey_id = await own_form(request), uuid.UUID(request.match_info["passkey"])

    async def act(visit: Visit, now: Credentials) -> Refusal | None:
        return await visit.unit.account.remove_passkey(visit.who, now, passkey_id)

    return await _confirmed(request, form, act, done="removed")


async def only_passkeys(request: web.Request) -> web.Response:
    """Whether codes count."""
    form = await own_form(request)
    only = form.get("only") == "yes"

    async def act(visit: Visit, now: Credentials) -> Refusal | None:
        return await visit.unit.account.only_passkeys(visit.who, now, only=only)

    return await _confirmed(request, form, act, done="only" if only else "codes")


async def _confirmed(
    request: web.Request, form: Mapping[str, str], act: Act, *, done: str, seed: str = ""
) -> web.Response:
    """Do it, if the passphrase is right. What went wrong is told on the same page, with the same seed."""
    desk = request.app[DESK]
    async with entered(request) as visit:
        name, salt = visit.member.name, await visit.unit.members.salt(visit.member.name)
    async with desk.gate.stretching:
        now = await asyncio.to_thread(prepare, name, form.get("passphrase", "")[:_LONGEST], "", salt)
    try:
        async with entered(request, staff=True) as visit:
            outcome = await act(visit, now)
    except (PasskeyRefused, NotAllowed, NotFound) as error:
        return await _again(request, _PROBLEMS[type(error)], seed=seed)
    if isinstance(outcome, SignInRefused | SignInLocked | WrongCode):
        desk.refusals["confirm"] += 1
        return await _again(request, _PROBLEMS[type(outcome)], seed=seed)
    response = web.Response(status=303, headers={"Location": f"/account?done={done}"})
    if isinstance(outcome, Cookie):
        cookies(request).give(response, outcome.value)
    return response


async def _again(request: web.Request, problem: str, *, seed: str = "") -> web.Response:
    async with entered(request) as visit:
        return await _page(visit, problem=problem, seed=seed, status=403)


def _site(request: web.Request) -> Site:
    site = request.app[DESK].setup.site
    if site is None:
        raise web.HTTPNotFound
    return site


# The first sign-in --------------------------------------------------------------------------------------------------


async def begin(request: web.Request) -> web.Response:
    """Somebody who was invited, or let in again: choose a passphrase, set up an authenticator."""
    async with request.app[DESK].vault.unit() as unit:
        who = await _invited(request, unit)
    return _begin_page(request, who, seed=new_totp_seed())


async def settle(request: web.Request) -> web.Response:
    """Keep both; from here on they are signed in like everybody."""
    desk, form = request.app[DESK], await own_form(request)
    seed, code = _seed(form), _digits(form)
    chosen = await _chosen(desk, form)
    outcome: Cookie | WrongCode | None = None
    async with desk.vault.unit() as unit:
        await unit.members.hold()
        who = await _invited(request, unit)
        if isinstance(chosen, Chosen):
            outcome = await unit.account.settle(who, chosen, seed, code)
    if isinstance(outcome, Cookie):
        response = web.Response(status=303, headers={"Location": "/account?done=settled"})
        cookies(request).give(response, outcome.value)
        return response
    problem = chosen if isinstance(chosen, str) else _PROBLEMS[WrongCode]
    return _begin_page(request, who, seed=seed, problem=problem, status=403)


async def _invited(request: web.Request, unit: Unit) -> SignedIn:
    who = await unit.members.open_invited(cookies(request).read(request))
    if who is None:
        raise SignedOut
    return who


def _begin_page(
    request: web.Request, who: SignedIn, *, seed: str, problem: str = "", status: int = 200
) -> web.Response:
    desk = request.app[DESK]
    return desk.pages.response(
        "begin.html",
        status=status,
        name=who.member.name,
        token=token(cookies(request).read(request)),
        seed=_grouped(seed),
        link=_link(desk, who.member.name, seed),
        problem=problem,
    )


# What was typed -----------------------------------------------------------------------------------------------------


async def _chosen(desk: Desk, form: Mapping[str, str]) -> Chosen | str:
    """The new passphrase, stretched; or what is wrong with it."""
    new = form.get("new", "")
    if new != form.get("again", ""):
        return _DIFFERENT
    try:
        async with desk.gate.stretching:
            return await asyncio.to_thread(choose, new[:_LONGEST])
    except WeakPassphrase:
        return _PROBLEMS[WeakPassphrase]


def _seed(form: Mapping[str, str]) -> str:
    """The seed that our page gave: one of another shape was not ours, and might be weak."""
    seed = "".join(form.get("seed", "").split())
    if not _SEED.fullmatch(seed):
        raise Refused(400, "This form is not complete.", next="Open the page again.", back=("/account", "Go back"))
    return seed


def _digits(form: Mapping[str, str]) -> str:
    return "".join(form.get("totp", "").split())


def _grouped(seed: str) -> str:
    return " ".join(seed[i : i + 4] for i in range(0, len(seed), 4))


def _link(desk: Desk, name: str, seed: str) -> str:
    """What an authenticator on the same phone opens (Key URI format)."""
    line = quote(desk.setup.line_name, safe="")
    return f"otpauth://totp/{line}:{quote(name, safe='')}?secret={seed}&issuer={line}"
