"""Swaps, and calendar addresses: what responders may change of their own, and coordinators and supervisors of anybody.

A member is the responder of the same name, as everywhere in the house. The standing calendar is line.yml's and is not
changed here.
"""

import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from console.desk import Visit
from console.refused import Refused
from triage.rota import Responder, Rota
from vault.members import Role
from vault.rota import ChangeKind, RotaChange

_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}", re.ASCII)
_LONGEST: Final = timedelta(days=92)
_FAR: Final = timedelta(days=366)
_BACK: Final = ("/oncall#swaps", "Go back to On call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Who is looking, as a responder, and whether they may change everybody's shifts."""

    me: Responder | None
    everybody: bool

    @property
    def any(self) -> bool:
        """True when they may change something."""
        return self.everybody or self.me is not None


def rights(visit: Visit, rota: Rota) -> Rights:
    """What this member may do about the calendar."""
    name = visit.member.name.casefold()
    me = next((person for person in rota.responders if person.name.casefold() == name), None)
    coordinator = me is not None and me.coordinator
    return Rights(me=me, everybody=visit.member.role is Role.SUPERVISOR or coordinator)


async def swap(visit: Visit) -> web.Response:
    """Somebody stands in, joins or is away."""
    rota = await visit.desk.setup.rota(visit.unit)
    known = {person.id for person in rota.responders}
    who, replaces = visit.form.get("who", ""), visit.form.get("replaces", "")
    if {who, replaces} - known - {""} or who == replaces:
        raise _refused("This swap names nobody, or one person twice.", "Choose who is on duty, and instead of whom.")
    _may(rights(visit, rota), who, replaces)
    start, end = _moment(visit, "start"), _moment(visit, "end")
    now = visit.unit.transaction.now
    if not timedelta() < end - start <= _LONGEST or end <= now or start > now + _FAR:
        raise _refused(
            "This swap has no time that can be.", "Its end must be after its beginning and now, within three months."
        )
    await visit.unit.rota_changes.override(start, end, responder=who, replaces=replaces)
    await _changed(visit, "rota.override", (who, replaces), start)
    return _to("swapped")


async def undo(visit: Visit) -> web.Response:
    """Take a swap back."""
    wanted = uuid.UUID(visit.request.match_info["change"])
    change = next((c for c in await coming(visit) if c.id == wanted and c.kind is ChangeKind.OVERRIDE), None)
    if change is None:
        raise _refused("This swap is not there any more.", "Look at the list: somebody may have taken it back.", 404)
    _may(rights(visit, await visit.desk.setup.rota(visit.unit)), change.responder, change.replaces, undo=True)
    await visit.unit.rota_changes.undo(change.id)
    await _changed(visit, "rota.undone", (change.responder, change.replaces), change.start)
    return _to("undone")


async def address(visit: Visit) -> web.Response:
    """A new secret address for the calendar on one's own phone; it is shown once, and ends the one before."""
    me = _myself(visit, await visit.desk.setup.rota(visit.unit))
    secret = secrets.token_urlsafe(32)
    await visit.unit.feeds.give(uuid.UUID(me.id), secret)
    visit.note("rota.feed", f"responder:{me.id}")
    return visit.page("calendar_address.html", address=f"{visit.desk.setup.public_address}/calendar/{secret}.ics")


async def no_address(visit: Visit) -> web.Response:
    """Take one's own address back."""
    me = _myself(visit, await visit.desk.setup.rota(visit.unit))
    if await visit.unit.feeds.revoke(uuid.UUID(me.id)):
        visit.note("rota.unfeed", f"responder:{me.id}")
    return _to("no_address")


async def coming(visit: Visit) -> tuple[RotaChange, ...]:
    """Changes of the calendar that are not over."""
    now = visit.unit.transaction.now
    return await visit.unit.rota_changes.between(now, now + _FAR + _LONGEST)


async def _changed(visit: Visit, action: str, about: tuple[str, str], start: datetime) -> None:
    visit.note(action, f"responder:{about[0] or about[1]}")
    await visit.desk.actions.swapped(visit.unit, tuple(i for i in about if i), start=start, member=visit.member)
    await visit.unit.queue_changed()


def _may(holder: Rights, who: str, replaces: str, *, undo: bool = False) -> None:
    """One's own shifts may be given to somebody and others' taken over; a hole is for a coordinator to make."""
    mine = holder.me is not None and holder.me.id in {who, replaces}
    if not holder.everybody and not (mine and (who or undo)):
        raise _refused(
            "You can change your own shifts only, and not leave them empty.",
            "Ask a coordinator or a supervisor, or choose who stands in for you.",
            403,
        )


def _myself(visit: Visit, rota: Rota) -> Responder:
    me = rights(visit, rota).me
    if me is None:
        raise _refused("You are not paged, so you have no shifts.", "The operator adds responders.", 403)
    return me


def _moment(visit: Visit, name: str) -> datetime:
    text = visit.form.get(name, "")
    if not _MOMENT.fullmatch(text):
        raise _refused("A time of this swap is missing.", "Write both as 2026-12-24T18:00.")
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise _refused("A time of this swap is no time.", "Write both as 2026-12-24T18:00.") from None
    return local.replace(tzinfo=visit.desk.setup.time_zone).astimezone(UTC)


def _refused(what: str, following: str, status: int = 400) -> Refused:
    return Refused(status, what, kept="Nothing was changed.", next=following, reason="rota", back=_BACK)


def _to(done: str) -> web.Response:
    return web.Response(status=303, headers={"Location": f"/oncall?done={done}"})
