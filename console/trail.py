"""The audit trail: its newest lines, whether the chain holds, and the export that an outsider can check."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from aiohttp import web

from console.desk import DESK, Visit
from console.doors import entered
from vault.audit import Broken, Line, checking_key, verify
from vault.unit import Vault

_SHOWN: Final = 100
_CHUNK: Final = 1000
_AT_ONCE: Final = 5000  # lines that are checked without being asked; more take seconds

_ACTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "case.began": "A report began",
        "case.opened": "Opened the case",
        "case.answered": "Answered the person",
        "case.noted": "Wrote a note",
        "case.assigned": "Gave the case to somebody",
        "case.released": "Put the case back",
        "case.acknowledged": "Acknowledged the alert",
        "case.raised": "Raised the level",
        "case.closed": "Closed the case",
        "case.live_began": "Began to write with the person",
        "case.live_taken": "Went on writing in place of a colleague",
        "case.live_wrote": "Wrote with the person",
        "case.read_on": "Read what came meanwhile",
        "case.live_ended": "Handed back to the line",
        "case.live_lapsed": "The line took over: nobody wrote with the person any more",
        "alert.opened": "An alert began",
        "alert.acknowledged": "Acknowledged the alert",
        "alert.last_resort": "Everyone was called",
        "trouble.stopped": "Was told that a responder's phone takes no texts",
        "trouble.resumed": "Was told that it takes texts again",
        "trouble.jobs": "Was told that urgent work is stuck",
        "trouble.worker": "Was told that a worker died",
        "member.signed_in": "Signed in",
        "member.signed_out": "Signed out",
        "member.enrolled": "Let somebody in",
        "member.settled": "Chose their own passphrase",
        "member.reset": "Let somebody in again",
        "member.recovered": "Was let in by the recovery sheets",
        "member.removed": "Took somebody out",
        "member.made_supervisor": "Made somebody a supervisor",
        "member.made_reviewer": "Made somebody a reviewer",
        "member.passphrase": "Changed their passphrase",
        "member.authenticator": "Changed their authenticator",
        "member.passkey_added": "Added a passkey",
        "member.passkey_removed": "Removed a passkey",
        "member.passkeys_only": "Lets only passkeys count",
        "member.codes_again": "Lets codes count again",
        "team.rotated": "Gave the team a new key",
        "team.regranted": "Moved the last case to the new key",
        "recovery.printed": "Printed recovery sheets",
        "responder.added": "Added somebody who is paged",
        "responder.changed": "Changed somebody who is paged",
        "responder.removed": "Took somebody off the rota",
        "rota.override": "Swapped a shift",
        "rota.undone": "Took a swap or a calendar back",
        "rota.imported": "Imported a calendar",
        "rota.feed": "Made a calendar address",
        "rota.unfeed": "Took a calendar address back",
        "rota.not_ready": "Did not answer before a shift",
        "audit.exported": "Downloaded the audit trail",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One line, in words."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    code: str  # of the case it is about, "" for none


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found: how many lines of how many fit, and the first that does not."""

    lines: int
    total: int
    broken: int | None = None

    @property
    def whole(self) -> bool:
        """True when every line was checked."""
        return self.lines == self.total


async def show(request: web.Request) -> web.Response:
    """The newest lines, and whether the chain holds. Each chunk is read in a unit of its own and checked in a thread,
    so that a long trail keeps nobody waiting; lines are only ever added, so the pieces fit together."""
    desk = request.app[DESK]
    async with entered(request) as visit:
        lines = await visit.unit.audit.lines(limit=_SHOWN, before=_before(request))
        newest = await visit.unit.audit.lines(limit=1)
        names = await _names(visit)
    total = newest[0].number if newest else 0
    everything = total <= _AT_ONCE or request.query.get("check") == "all"
    checked = await check(desk.vault, total, first=0 if everything else max(0, total - _CHUNK))
    shown = [_shown(line, names) for line in lines]
    older = lines[-1].number if lines and lines[-1].number > 1 else None
    head = newest[0].hash.hex()[:16] if newest else ""
    return visit.page(
        "audit.html", shown=shown, checked=checked, older=older, head=head, paged="before" in request.query
    )


async def export(request: web.Request) -> web.Response:
    """The whole trail as JSON, with the key that checks it."""
    desk = request.app[DESK]
    async with entered(request) as visit:
        visit.note("audit.exported", "audit")
    async with desk.vault.unit() as unit:
        newest = await unit.audit.lines(limit=1)
    total = newest[0].number if newest else 0
    body: list[str] = []
    for start in range(0, total, _CHUNK):
        chunk = await _chunk(desk.vault, start, total)
        body += [json.dumps(line.to_json()) for line in chunk]
    key = checking_key(desk.vault.ring).public_bytes_raw().hex()
    text = f'{{"version": 1, "public_key": "{key}", "lines": [\n' + ",\n".join(body) + "\n]}\n"
    headers = {"Content-Disposition": 'attachment; filename="harborline-audit.json"'}
    return web.Response(text=text, content_type="application/json", headers=headers)


async def check(vault: Vault, total: int, *, first: int = 0) -> Checked:
    """Check the lines after number `first` up to `total`."""
    key, after = checking_key(vault.ring), None
    if first:
        after = (await _chunk(vault, first - 1, first))[0]
    for start in range(first, total, _CHUNK):
        chunk = await _chunk(vault, start, total)
        try:
            reached = await asyncio.to_thread(verify, chunk, key, after=after)
        except Broken as broken:
            return Checked(lines=total - first, total=total, broken=broken.number)
        if reached != min(start + _CHUNK, total):
            return Checked(lines=total - first, total=total, broken=reached + 1)
        after = chunk[-1]
    return Checked(lines=total - first, total=total)


async def _chunk(vault: Vault, start: int, total: int) -> Sequence[Line]:
    """Lines start+1 to start+_CHUNK, at most to `total`, oldest first."""
    end = min(start + _CHUNK, total)
    async with vault.unit() as unit:
        return tuple(reversed(await unit.audit.lines(limit=end - start, before=end + 1)))


def _before(request: web.Request) -> int | None:
    digits = request.query.get("before", "")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 16 else None


async def _names(visit: Visit) -> Mapping[str, str]:
    """Actors and subjects by name."""
    names = {f"member:{m.id}": m.name for m in await visit.unit.members.everyone()}
    names |= {f"responder:{m.id}": m.name for m in await visit.unit.members.everyone()}
    names |= {f"responder:{r.id}": r.name for r in await visit.unit.responders.all()}
    return names | {"system": "Harborline", "recovery": "The recovery sheets"}


def _shown(line: Line, names: Mapping[str, str]) -> Shown:
    kind, _, rest = line.subject.partition(":")
    parts = [names.get(part, part) for part in line.subject.split(" ")]
    code = rest.split(" ")[0] if kind == "case" else ""
    return Shown(
        number=line.number,
        at=line.at,
        actor=names.get(line.actor, line.actor),
        action=_ACTIONS.get(line.action, line.action.replace(".", ": ").replace("_", " ").capitalize()),
        subject=" to ".join(parts).replace("case:", "Case "),
        code=code if code.isdecimal() else "",
    )
