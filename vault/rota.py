"""What changes the standing calendar, and what is known of people before their shifts, at rest.

Whom a stand-in or an imported shift is about is locked with the service key, like the responders themselves. A
calendar's secret address is kept as a keyed digest only: nobody can read it here again. Who is on duty is not decided
here.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from vault import tables
from vault.errors import CannotOpen
from vault.transaction import Transaction


class ChangeKind(StrEnum):
    """Where a change of the calendar comes from."""

    OVERRIDE = "override"  # somebody stands in, joins or is absent
    PLANNED = "planned"  # a shift of an imported calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class RotaChange:
    """From `start` until `end`: `responder` is on duty, or stands in for `replaces`; "" is nobody.

    `calendar` is the name of the imported calendar.
    """

    id: uuid.UUID
    kind: ChangeKind
    start: datetime
    end: datetime
    responder: str = ""
    replaces: str = ""
    calendar: str = field(default="", repr=False)


class RotaChanges:
    """Stand-ins, and shifts of imported calendars."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def override(self, start: datetime, end: datetime, *, responder: str = "", replaces: str = "") -> uuid.UUID:
        """Keep a stand-in; gives its id."""
        new = RotaChange(
            id=self._transaction.new_id(),
            kind=ChangeKind.OVERRIDE,
            start=start,
            end=end,
            responder=responder,
            replaces=replaces,
        )
        await self._keep([new])
        return new.id

    async def plan(self, calendar: str, shifts: Sequence[tuple[datetime, datetime, str]]) -> None:
        """Keep an imported calendar's shifts; whatever it planned before is replaced."""
        await self.forget_calendar(calendar)
        await self._keep(
            [
                RotaChange(
                    id=self._transaction.new_id(),
                    kind=ChangeKind.PLANNED,
                    start=start,
                    end=end,
                    responder=responder,
                    calendar=calendar,
                )
                for start, end, responder in shifts
            ]
        )

    async def between(self, start: datetime, end: datetime) -> tuple[RotaChange, ...]:
        """What changes the calendar between these moments, in the order in which it was made.

        What does not open is left out: the standing calendar must go on, and pages with it.
        """
        table = tables.rota_changes
        where = (table.c.ends_at > start, table.c.starts_at < end)
        query = select(table).where(*where).order_by(table.c.created_at, table.c.starts_at, table.c.id)
        found = []
        for row in await self._transaction.connection.execute(query):
            with suppress(CannotOpen):
                found.append(self._change(row))
        return tuple(found)

    async def undo(self, change_id: uuid.UUID) -> bool:
        """Take a stand-in back; False when there is none of this id."""
        table = tables.rota_changes
        where = (table.c.id == change_id, table.c.kind == ChangeKind.OVERRIDE)
        gone = await self._transaction.connection.execute(delete(table).where(*where))
        return bool(gone.rowcount)

    async def forget_calendar(self, calendar: str) -> int:
        """Take an imported calendar away; gives how many shifts it had."""
        table = tables.rota_changes
        rows = await self._transaction.connection.execute(select(table).where(table.c.kind == ChangeKind.PLANNED))
        mine = [change.id for change in map(self._change, rows) if change.calendar == calendar]
        await self._transaction.connection.execute(delete(table).where(table.c.id.in_(mine)))
        return len(mine)

    async def forget_before(self, moment: datetime) -> None:
        """What ended before this moment has no use any more."""
        table = tables.rota_changes
        await self._transaction.connection.execute(delete(table).where(table.c.ends_at < moment))

    async def _keep(self, changes: Sequence[RotaChange]) -> None:
        if changes:
            rows = [self._row(change) for change in changes]
            await self._transaction.connection.execute(insert(tables.rota_changes), rows)

    def _row(self, change: RotaChange) -> dict[str, object]:
        plain = json.dumps([change.responder, change.replaces, change.calendar]).encode()
        return {
            "id": change.id,
            "kind": change.kind,
            "starts_at": change.start,
            "ends_at": change.end,
            "sealed": self._transaction.ring.lock_for_service(plain, f"rota_change/{change.id}"),
            "created_at": self._transaction.now,
        }

    def _change(self, row: Any) -> RotaChange:
        opened = self._transaction.ring.unlock_for_service(row.sealed, f"rota_change/{row.id}")
        responder, replaces, calendar = json.loads(opened)
        return RotaChange(
            id=row.id,
            kind=ChangeKind(row.kind),
            start=row.starts_at,
            end=row.ends_at,
            responder=responder,
            replaces=replaces,
            calendar=calendar,
        )


class Feeds:
    """Secret addresses of responders' own calendars."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def give(self, responder_id: uuid.UUID, secret: str) -> None:
        """From now on this secret opens their calendar, and no earlier one does."""
        await self.revoke(responder_id)
        await self._transaction.connection.execute(
            insert(tables.rota_feeds).values(
                digest=self._digest(secret), responder_id=responder_id, created_at=self._transaction.now
            )
        )

    async def revoke(self, responder_id: uuid.UUID) -> bool:
        """No address opens their calendar any more; False when none did."""
        table = tables.rota_feeds
        gone = await self._transaction.connection.execute(delete(table).where(table.c.responder_id == responder_id))
        return bool(gone.rowcount)

    async def opens(self, secret: str) -> tuple[uuid.UUID, datetime] | None:
        """Whose calendar this secret opens, and since when; None for one that was never given or is revoked."""
        table = tables.rota_feeds
        query = select(table).where(table.c.digest == self._digest(secret))
        row = (await self._transaction.connection.execute(query)).first()
        return (row.responder_id, row.created_at) if row else None

    async def holders(self) -> frozenset[uuid.UUID]:
        """Who has an address."""
        rows = await self._transaction.connection.execute(select(tables.rota_feeds.c.responder_id))
        return frozenset(row.responder_id for row in rows)

    def _digest(self, secret: str) -> bytes:
        key = self._transaction.ring.service_key("calendar")
        return hmac.digest(key, secret.encode("utf-8", "replace"), hashlib.sha256)


_OVER: Final = timedelta(hours=12)  # after a shift began: an "OK" is no answer to its question any more


class Ready(StrEnum):
    """How a method did before a shift."""

    ASKED = "asked"
    READY = "ready"
    MISSED = "missed"  # nobody answered in time
    FAILED = "failed"  # the provider refused it, or said that it did not arrive


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The question by one method before one shift."""

    id: uuid.UUID
    responder_id: uuid.UUID
    method: str
    contact: str
    shift_at: datetime
    due_at: datetime
    state: Ready
    error: int | None = None
    told: bool = False

    @property
    def bad(self) -> bool:
        """True when this method did not do its part."""
        return self.state in {Ready.MISSED, Ready.FAILED}


class Readiness:
    """Questions before shifts, and what became of them."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def ask(
        self, responder_id: uuid.UUID, *, method: str, contact: str, shift_at: datetime, due_at: datetime
    ) -> uuid.UUID | None:
        """Note a question that a job will send; None when it was asked before this shift already."""
        new = self._transaction.new_id()
        made = await self._transaction.connection.execute(
            upsert(tables.readiness)
            .values(
                id=new,
                responder_id=responder_id,
                method=method,
                contact=contact,
                shift_at=shift_at,
                due_at=due_at,
                state=Ready.ASKED,
            )
            .on_conflict_do_nothing(index_elements=["responder_id", "contact", "shift_at"])
        )
        return new if made.rowcount else None

    async def get(self, check_id: uuid.UUID) -> Check | None:
        """One question, locked until the unit ends."""
        query = select(tables.readiness).where(tables.readiness.c.id == check_id).with_for_update()
        row = (await self._transaction.connection.execute(query)).first()
        return _check(row) if row else None

    async def open_of(self, responder_id: uuid.UUID, method: str) -> tuple[Check, ...]:
        """Questions to somebody by a method that have no answer yet, in time or not; the newest shift first."""
        table = tables.readiness
        where = (
            table.c.responder_id == responder_id,
            table.c.method == method,
            table.c.state != Ready.READY,
            table.c.shift_at > self._transaction.now - _OVER,
        )
        rows = await self._transaction.connection.execute(select(table).where(*where).order_by(table.c.shift_at.desc()))
        return tuple(_check(row) for row in rows)

    async def set(self, check_id: uuid.UUID, state: Ready, *, error: int | None = None) -> None:
        """What became of a question. An answer is never taken back by news that come late."""
        table = tables.readiness
        where = (table.c.id == check_id, table.c.state != Ready.READY)
        await self._transaction.connection.execute(update(table).where(*where).values(state=state, error=error))

    async def to_tell(self) -> tuple[Check, ...]:
        """What went wrong and nobody knows of yet, locked until the unit ends. No answer in time is noted as missed."""
        table, now = tables.readiness, self._transaction.now
        await self._transaction.connection.execute(
            update(table).where(table.c.state == Ready.ASKED, table.c.due_at <= now).values(state=Ready.MISSED)
        )
        where = (table.c.state.in_([Ready.MISSED, Ready.FAILED]), ~table.c.told, table.c.due_at <= now)
        query = select(table).where(*where).order_by(table.c.shift_at, table.c.id).with_for_update(skip_locked=True)
        return tuple(_check(row) for row in await self._transaction.connection.execute(query))

    async def told(self, checks: Sequence[Check]) -> None:
        """Everybody who must know of these does."""
        table = tables.readiness
        ids = [check.id for check in checks]
        await self._transaction.connection.execute(update(table).where(table.c.id.in_(ids)).values(told=True))

    async def newest(self) -> tuple[Check, ...]:
        """The last question to each contact."""
        table = tables.readiness
        query = (
            select(table)
            .ext(distinct_on(table.c.responder_id, table.c.contact))
            .order_by(table.c.responder_id, table.c.contact, table.c.shift_at.desc())
        )
        return tuple(_check(row) for row in await self._transaction.connection.execute(query))

    async def forget_before(self, moment: datetime) -> None:
        """Shifts that began before this moment say nothing any more."""
        table = tables.readiness
        await self._transaction.connection.execute(delete(table).where(table.c.shift_at < moment))


def _check(row: Any) -> Check:
    return Check(
        id=row.id,
        responder_id=row.responder_id,
        method=row.method,
        contact=row.contact,
        shift_at=row.shift_at,
        due_at=row.due_at,
        state=Ready(row.state),
        error=row.error,
        told=row.told,
    )
