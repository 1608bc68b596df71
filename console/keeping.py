"""What is kept for how long: epochs and their ends, copies that providers still hold, the last backup. Only reads."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from console import words
from console.desk import Visit
from vault import epochs, retention
from vault.delivery import HeldCopies
from vault.erasing import CaseLocks
from vault.keys import KeyRing
from vault.retention import Policy

_LONG: Final = timedelta(days=1)  # for so long no copy is held unless something is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One epoch; `ends` None: the present one."""

    number: int
    begun: datetime
    ends: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """What a provider still holds, of one channel."""

    channel: str
    held: HeldCopies


async def show(visit: Visit) -> web.Response:
    """The page. Whoever is signed in may see it: it names no case and no person."""
    unit, policy = visit.unit, visit.desk.setup.retention
    ring = unit.transaction.ring
    copies = await unit.copies.by_channel()
    return visit.page(
        "keeping.html",
        epochs=_epochs(ring, policy),
        next_epoch=epochs.next_epoch(ring, policy.epochs),
        grace=policy.epochs.grace,
        copies=[Copies(channel=words.CHANNELS.get(c.channel, c.channel), held=c) for c in copies],
        stuck=any(unit.transaction.now - c.since > _LONG for c in copies),
        backup=await unit.audit.latest("backup.made"),
        past=await retention.overdue(unit, policy),
        owed=await CaseLocks(unit.transaction).owed_since(),
        kept=[(words.STATES[state], days) for state, days in policy.cases.items()],
        now=unit.transaction.now,
    )


def _epochs(ring: KeyRing, policy: Policy) -> list[Epoch]:
    return [
        Epoch(number=n, begun=ring.begun[n], ends=epochs.ends(ring, policy.epochs, n))
        for n in sorted(ring.epochs, reverse=True)
    ]
