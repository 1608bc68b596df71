"""What is destroyed when, and the proof of it: cases whose time is over, and traces nobody needs any more.

The audit says that and when, never what. Keys are destroyed; the bytes of deleted rows stay in dead tuples until
VACUUM and in the WAL until it is recycled, where no key opens them. Nothing here decides how long anything is kept:
that is in line.yml, and arrives as a Policy. When it runs is decided in bot/keeping.py.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import Table, and_, delete, exists, func, or_, select, text
from sqlalchemy.sql import ColumnElement

from triage.levels import Level
from triage.review import CASE_TABLE, WORK, CaseEvent, CaseState, IllegalTransition
from vault import epochs, tables
from vault.cases import Case
from vault.delivery import OutboxState
from vault.epochs import EpochPolicy, Turned
from vault.erasing import CaseLocks
from vault.errors import NotFound
from vault.keys import KeyRing, destroy_erasure_keys, forget_efforts
from vault.unit import Unit, Vault

MAKE_FINAL: Final = "make_final"
"""The task that runs `make_final`; bot/keeping.py registers it."""

LOOKED_AT: Final = timedelta(days=3)
"""Within which staff make sure that nobody is in danger before a report that was withdrawn is destroyed."""

_DAY: Final = timedelta(days=1)
_FINISHED: Final = (CaseState.CLOSED, CaseState.WITHDRAWN)
_UNSETTLED: Final = (OutboxState.WAITING, OutboxState.HELD)
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long things are kept. A case in a state that is not in `cases` is kept without an end.

    `traces`: handled message ids, proof of delivery, copies that are gone, and what remains of an erased case.
    """

    epochs: EpochPolicy = EpochPolicy()  # noqa: RUF009 - frozen, like the value it stands in
    cases: Mapping[CaseState, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    drills: timedelta = timedelta(days=7)
    traces: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What one round did. `final` is False while an erased case still waits for the next erasure key."""

    epochs: Turned
    erased: int
    final: bool


async def keep(vault: Vault, policy: Policy) -> Kept:
    """One round of everything here."""
    turned = await epochs.turn(vault, policy.epochs)
    erased = await erase_due(vault, policy)
    final = await make_final(vault)
    async with vault.unit() as unit:
        await clear_traces(unit, policy)
        oldest = await unit.codes.oldest()
    vault.ring = _without_old_efforts(vault.ring, oldest)
    return Kept(epochs=turned, erased=erased, final=final)


def _without_old_efforts(ring: KeyRing, oldest: datetime | None) -> KeyRing:
    # A process that has not looked yet may have made a code with the effort of before: an hour is more than enough.
    return forget_efforts(ring, oldest_code=oldest - timedelta(hours=1) if oldest else None)


# Cases ---------------------------------------------------------------------------------------------------------------


async def erase(unit: Unit, erased: Case, *, actor: str) -> None:
    """Destroy everything of a case but the fact that it was there, because somebody asked for it.

    Raises triage.review.IllegalTransition when it is erased already. The job makes it final within moments.
    """
    await _erase(unit, erased, actor)
    await unit.jobs.later(MAKE_FINAL)


async def withdraw(unit: Unit, case: Case) -> bool:
    """The person takes their report back; True when it is destroyed at once.

    While it shows danger and nobody has dealt with it, somebody may be forcing them: their code dies now, nothing is
    sent to them any more, and the report goes when staff have closed it, or `LOOKED_AT` after this.
    """
    alert = await unit.alerts.of_case(case.id)
    if not (alert and alert.ringing) and not (case.level is Level.EMERGENCY and case.state in WORK):
        await erase(unit, case, actor="reporter")
        return True
    codes = tables.codes
    await unit.transaction.connection.execute(delete(codes).where(codes.c.case_id == case.id))
    await unit.outbox.leave(case.id)
    await unit.cases.change(case.id, withdrawn_at=unit.transaction.minute, contact_rule="never_first", contact_hours="")
    unit.audit.add("case.withdrawn", f"case:{case.code}", actor="reporter")
    await unit.queue_changed()
    return False


async def _erase(unit: Unit, erased: Case, actor: str) -> None:
    """Its lock goes first: with it what the grants hold, and what was sealed to the case, opens no more."""
    after = CASE_TABLE[erased.state].get(CaseEvent.ERASE)
    if after is None:
        raise IllegalTransition(erased.state, CaseEvent.ERASE)
    connection = unit.transaction.connection
    await CaseLocks(unit.transaction).destroy(erased.id)
    await _cancel_jobs(unit, erased.id)
    for table in (tables.grants, tables.entries, tables.codes, tables.alerts, tables.outbox, tables.unread_words):
        await connection.execute(delete(table).where(table.c.case_id == erased.id))  # answers and pages go with these
    await unit.cases.change(
        erased.id,
        state=after,
        unread=False,
        waits=False,
        waits_since=None,
        life_at_risk=False,
        resting=False,
        forced=False,
        envelope=0,
        discreet=False,
        contact_rule="",
        contact_hours="",
        withdrawn_at=None,
        member_id=None,
        public_key=b"",
    )
    unit.audit.add("case.erased", f"case:{erased.code}", actor=actor)
    await unit.queue_changed()


async def _cancel_jobs(unit: Unit, case_id: uuid.UUID) -> None:
    """What was to be done for this case later is not done. Arguments of jobs are ids."""
    alerts, pages, out, words = tables.alerts, tables.pages, tables.outbox, tables.unread_words
    of_alert = select(alerts.c.id).where(alerts.c.case_id == case_id)
    connection = unit.transaction.connection
    ids = [
        *await connection.scalars(of_alert),
        *await connection.scalars(select(pages.c.id).where(pages.c.alert_id.in_(of_alert))),
        *await connection.scalars(select(out.c.id).where(out.c.case_id == case_id)),
        *await connection.scalars(select(words.c.id).where(words.c.case_id == case_id)),
    ]
    query = text(
        "DELETE FROM procrastinate_jobs WHERE status = 'todo' AND task_name = ANY(:tasks) "
        "AND (args->>'alert' = ANY(:ids) OR args->>'page' = ANY(:ids) OR args->>'parcel' = ANY(:ids)"
        " OR args->>'words' = ANY(:ids))"
    )
    await connection.execute(query, {"tasks": ["wake", "page", "deliver", "read"], "ids": [str(i) for i in ids]})


async def erase_due(vault: Vault, policy: Policy) -> int:
    """Erase the cases whose time is over, each in a unit of its own; gives how many."""
    async with vault.unit() as unit:
        found = await _past(unit, policy, unit.transaction.now)
    count = 0
    for case_id in found:
        async with vault.unit() as unit:
            try:
                locked = await unit.cases.get(case_id, lock=True)
            except NotFound:
                continue
            if locked.id in await _past(unit, policy, unit.transaction.now, only=locked.id):  # nobody came meanwhile
                await _erase(unit, locked, "system")
                count += 1
    return count


async def make_final(vault: Vault) -> bool:
    """Renew the erasure key if a case was erased since it began: nothing that is left of that case opens any more.

    False while something holds it up, such as a backup that is being made; it is tried again.
    """
    async with vault.unit() as unit:
        locks = CaseLocks(unit.transaction)
        if await locks.owed():
            ring = await locks.renew()
            if ring is None:
                return False
            unit.audit.add("erasure.renewed", f"erasure:{max(ring.erasure)}")
    async with vault.unit() as unit:
        locks = CaseLocks(unit.transaction)
        number = await locks.finish() if len(unit.transaction.ring.erasure) > 1 else 0
        if number is None:
            return False
    if number:
        vault.ring = destroy_erasure_keys(vault.ring, before=number)
    return True


async def _past(unit: Unit, policy: Policy, moment: datetime, *, only: uuid.UUID | None = None) -> list[uuid.UUID]:
    """Cases whose time was over at this moment, and that may go."""
    table = tables.cases
    query = select(table.c.id).where(_over(policy, moment), _may_go()).order_by(table.c.changed_at).limit(_AT_ONCE)
    if only is not None:
        query = query.where(table.c.id == only)
    return list(await unit.transaction.connection.scalars(query))


def _over(policy: Policy, moment: datetime) -> ColumnElement[bool]:
    """A drill's time counts whatever its state; what was withdrawn goes when staff are done with it."""
    table = tables.cases
    rules = [and_(table.c.state == state, table.c.changed_at <= moment - kept) for state, kept in policy.cases.items()]
    drill = and_(table.c.drill, table.c.state != CaseState.ERASED, table.c.changed_at <= moment - policy.drills)
    gone = or_(table.c.state == CaseState.CLOSED, table.c.withdrawn_at <= moment - LOOKED_AT)
    withdrawn = and_(table.c.withdrawn_at.is_not(None), gone, table.c.state != CaseState.ERASED)
    return or_(drill, withdrawn, *rules)


def _may_go() -> ColumnElement[bool]:
    """What nobody has read, or what still rings, is never erased by the calendar. Doctor shows it instead."""
    table, alerts = tables.cases, tables.alerts
    rings = exists().where(alerts.c.case_id == table.c.id, alerts.c.ringing)
    return or_(table.c.drill, table.c.state.in_(_FINISHED), and_(~table.c.unread, ~rings))


async def overdue(unit: Unit, policy: Policy) -> int:
    """How many cases have been past their time for a day and are still there."""
    query = select(func.count()).select_from(tables.cases).where(_over(policy, unit.transaction.now - _DAY))
    return int(await unit.transaction.connection.scalar(query) or 0)


# Traces --------------------------------------------------------------------------------------------------------------


async def clear_traces(unit: Unit, policy: Policy) -> int:
    """Remove handled message ids, settled deliveries without a case, copies that are gone, and erased cases."""
    before = unit.transaction.now - policy.traces
    messages, out, copies, cases = tables.messages, tables.outbox, tables.copies, tables.cases
    old: tuple[tuple[Table, ColumnElement[bool]], ...] = (
        (messages, messages.c.received_at < before),
        (out, and_(out.c.case_id.is_(None), out.c.state.not_in(_UNSETTLED), out.c.created_at < before)),
        (copies, and_(copies.c.state == "erased", copies.c.erased_at < before)),
        (cases, and_(cases.c.state == CaseState.ERASED, cases.c.changed_at < before)),
    )
    connection = unit.transaction.connection
    return sum([(await connection.execute(delete(table).where(which))).rowcount for table, which in old])
