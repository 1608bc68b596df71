"""The team: who is in it, and what supervisors do about that. Whether they may is decided in vault/staffing.py.

Removing somebody replaces the team's key. The cases are moved to the new one in short transactions for a few seconds a
request; the page shows how far it is, and goes on, in the hands of any member.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from console.desk import DESK, Visit
from console.doors import entered, own_form
from console.refused import Refused
from vault.credentials import Chosen, choose, one_time_passphrase
from vault.errors import NotFound
from vault.members import Member, Role

_BUDGET: Final = 3.0  # seconds that one request moves cases
_LONGEST_NAME: Final = 80  # characters
_BACK: Final = ("/team", "Go to the team")

_DONE: Final[Mapping[str, str]] = {
    "role": "The role was changed.",
    "removed": "They are out: signed out everywhere, and the team has a new key.",
    "rotated": "The team has a new key.",
    "moved": "Every case is under the new key, and the old one is destroyed.",
}
Handing = Callable[[Visit, Chosen], Awaitable[Member]]
_ROLES: Final[Mapping[str, Role]] = {role.value: role for role in Role}


async def show(visit: Visit) -> web.Response:
    """Who is in, and how they sign in."""
    asked = visit.request.query.get("done", "")
    counts = await visit.unit.passkeys.counts()
    left = await visit.unit.teams.left()
    return visit.page(
        "team.html",
        people=await visit.unit.members.all(),
        passkeys=counts,
        supervisor=visit.member.role is Role.SUPERVISOR,
        left=left,
        going_on=asked == "moving" and left > 0,
        stuck=asked == "stuck" and left > 0,
        sheets=await visit.unit.recovery.printed(),
        done="" if left and asked == "moved" else _DONE.get(asked, ""),
    )


async def one(visit: Visit) -> web.Response:
    """One member, and what a supervisor can do about them."""
    _only_supervisors(visit)
    return visit.page("member.html", person=await _person(visit), itself=_id(visit.request) == visit.member.id)


async def confirm(visit: Visit) -> web.Response:
    """What removing them, or letting them in again, will mean."""
    _only_supervisors(visit)
    what = visit.request.match_info["what"]
    return visit.page("member_confirm.html", person=await _person(visit), what=what)


async def invite(request: web.Request) -> web.Response:
    """Let somebody in under a one-time passphrase, which is shown once."""
    form = await own_form(request)
    name, role = form.get("name", "").strip(), _ROLES.get(form.get("role", ""), Role.REVIEWER)
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Refused(
            400, "This name cannot be used.", next="Write a name of at most 80 letters.", reason="name", back=_BACK
        )
    return await _hand_out(request, lambda visit, chosen: visit.unit.staffing.invite(name, role, chosen, by=visit.who))


async def reset(request: web.Request) -> web.Response:
    """Let somebody in again who lost passphrase or second factor."""
    await own_form(request)
    member_id = _id(request)
    return await _hand_out(request, lambda visit, chosen: visit.unit.staffing.reset(member_id, chosen, by=visit.who))


async def change_role(request: web.Request) -> web.Response:
    """Reviewer or supervisor."""
    form = await own_form(request)
    role = _ROLES.get(form.get("role", ""))
    if role is None:
        raise Refused(400, "No role was chosen.", next="Choose one of the two.", reason="role", back=_BACK)
    async with entered(request, staff=True) as visit:
        await visit.unit.staffing.change_role(_id(request), role, by=visit.who)
    return _to("role")


async def remove(request: web.Request) -> web.Response:
    """Take somebody out, and begin to move the cases."""
    await own_form(request)
    async with entered(request, staff=True) as visit:
        await visit.unit.staffing.remove(_id(request), by=visit.who)
        await visit.unit.queue_changed()
    return await _go_on(request, done="removed")


async def rotate(request: web.Request) -> web.Response:
    """A new team key with everybody still in."""
    await own_form(request)
    async with entered(request, staff=True) as visit:
        await visit.unit.staffing.rotate(by=visit.who)
    return await _go_on(request, done="rotated")


async def regrant(request: web.Request) -> web.Response:
    """Go on moving cases to the new key."""
    await own_form(request)
    return await _go_on(request, done="moved")


async def _go_on(request: web.Request, *, done: str) -> web.Response:
    """Move cases for a few seconds, each batch in a unit of its own, so that nobody waits for long."""
    until = asyncio.get_running_loop().time() + _BUDGET
    after: uuid.UUID | None = None
    while True:
        async with entered(request) as visit:
            moved = await visit.unit.teams.regrant(visit.who.teams, after=after)
            if moved.finished:
                visit.note("team.regranted", "team")
        after = moved.after
        if after is None:
            return _to("stuck" if moved.left else done)
        if asyncio.get_running_loop().time() > until:
            return _to("moving")


async def _hand_out(request: web.Request, act: Handing) -> web.Response:
    """Do it under a one-time passphrase, and show that once: it is kept nowhere."""
    desk = request.app[DESK]
    passphrase = one_time_passphrase()
    async with desk.gate.stretching:
        chosen = await asyncio.to_thread(choose, passphrase)
    async with entered(request, staff=True) as visit:
        person = await act(visit, chosen)
        return visit.page("handed_out.html", person=person, passphrase=passphrase)


def _id(request: web.Request) -> uuid.UUID:
    return uuid.UUID(request.match_info["member"])


async def _person(visit: Visit) -> Member:
    """Raises NotFound for somebody who was removed."""
    person = await visit.unit.members.get(_id(visit.request))
    if person.removed_at:
        raise NotFound
    return person


def _only_supervisors(visit: Visit) -> None:
    if visit.member.role is not Role.SUPERVISOR:
        raise Refused(
            403,
            "Only a supervisor can do this.",
            next="Ask a supervisor: the team page says who is one.",
            reason="NotAllowed",
            back=_BACK,
        )


def _to(done: str) -> web.Response:
    return web.Response(status=303, headers={"Location": f"/team?done={done}"})
