"""Epochs over time: when one begins, when one is destroyed, and what goes with it.

The key is destroyed first; rows follow, and a line in the audit says that and when. Everything here may be broken off
anywhere and repeated. How long an epoch lasts is in line.yml and arrives as an EpochPolicy.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from sqlalchemy import and_, delete, select, update

from vault import tables
from vault.delivery import OutboxState
from vault.errors import EpochGone
from vault.keys import KeyRing, begin_epoch, destroy_epoch, reread
from vault.unit import Unit, Vault

NOT_RESTORED: Final = "epoch.not_restored"
_GONE: Final = ("epoch.destroyed", NOT_RESTORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPolicy:
    """How long an epoch lasts, and how long a person is still recognised after it."""

    length: timedelta = timedelta(days=30)
    grace: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """What was noted: epochs begun, epochs destroyed, and how many rows went with them."""

    begun: tuple[int, ...]
    destroyed: tuple[int, ...]
    rows: int


def next_epoch(ring: KeyRing, policy: EpochPolicy) -> datetime:
    """When the next epoch begins."""
    return ring.begun[ring.current] + policy.length


def ends(ring: KeyRing, policy: EpochPolicy, epoch: int) -> datetime | None:
    """When this epoch is destroyed; None for the current one."""
    following = [ring.begun[n] for n in ring.epochs if n > epoch]
    return min(following) + policy.grace if following else None


def over(ring: KeyRing, policy: EpochPolicy, now: datetime) -> tuple[int, ...]:
    """The epochs whose successor is older than the grace period."""
    return tuple(old for old, new in pairwise(sorted(ring.epochs)) if now - ring.begun[new] >= policy.grace)


async def turn(vault: Vault, policy: EpochPolicy) -> Turned:
    """Begin and destroy what is due, and note it."""
    ring, now = reread(vault.ring), vault.now()
    if now >= next_epoch(ring, policy):
        ring = begin_epoch(ring, at=now)
    for epoch in over(ring, policy, now):
        with suppress(EpochGone):  # another process was first
            ring = destroy_epoch(ring, epoch)
    return await note(vault)


async def note(vault: Vault) -> Turned:
    """Write into the audit what became of the epochs, once each, and remove the rows that nothing opens any more."""
    async with vault.unit() as unit:
        await unit.lock(b"epochs")
        ring = unit.transaction.ring
        gone = [n for n in range(1, ring.current) if n not in ring.epochs]
        rows = await remove_rows(unit, gone)
        begun = await _unnoted(unit, ring.epochs, ("epoch.begun",))
        destroyed = await _unnoted(unit, gone, _GONE)
        for action, numbers in (("epoch.begun", begun), ("epoch.destroyed", destroyed)):
            for number in numbers:
                unit.audit.add(action, f"epoch:{number}")
    return Turned(begun=begun, destroyed=destroyed, rows=rows)


async def _unnoted(unit: Unit, epochs: Collection[int], actions: Sequence[str]) -> tuple[int, ...]:
    table = tables.audit
    subjects = [f"epoch:{n}" for n in epochs]
    query = select(table.c.subject).where(table.c.action.in_(list(actions)), table.c.subject.in_(subjects))
    known = set(await unit.transaction.connection.scalars(query))
    return tuple(n for n in sorted(epochs) if f"epoch:{n}" not in known)


async def remove_rows(unit: Unit, epochs: Sequence[int]) -> int:
    """Rows of epochs that are gone. Staff's words stay as ones that were not delivered, without their contents."""
    connection, out = unit.transaction.connection, tables.outbox
    lost = and_(out.c.epoch.in_(list(epochs)), out.c.sealed.is_not(None))
    of_a_case = update(out).where(lost, out.c.case_id.is_not(None)).values(sealed=None, state=OutboxState.FAILED)
    removed = (await connection.execute(of_a_case)).rowcount
    removed += (await connection.execute(delete(out).where(lost))).rowcount
    for table in (tables.conversations, tables.messages, tables.unread_words):
        removed += (await connection.execute(delete(table).where(table.c.epoch.in_(list(epochs))))).rowcount
    return int(removed)
