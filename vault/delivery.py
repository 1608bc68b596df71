"""What is on its way out, and the copies that providers still hold.

An outbox row holds address and answer, locked in the epoch, only until the provider has taken it.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import String, cast, column, exists, func, literal, select, update
from sqlalchemy import table as table_of
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.sql import ColumnElement

from vault import tables
from vault.errors import EpochGone
from vault.transaction import Transaction


def _has_job(
    task: str, argument: str, value: ColumnElement[str], states: Sequence[str] = ("todo", "doing")
) -> ColumnElement[bool]:
    """Whether a job of this task waits or runs whose argument is this value."""
    jobs = table_of("procrastinate_jobs", column("task_name"), column("status"), column("args", JSONB))  # not ours
    waits = (jobs.c.task_name == task) & cast(jobs.c.status, String).in_(states)
    return exists().where(waits, jobs.c.args[argument].astext == value)


class OutboxKind(StrEnum):
    """What a row is: an answer within a conversation, staff's words, a note to a responder, or messages to delete."""

    ANSWER = "answer"
    STAFF = "staff"
    RESPONDER = "responder"
    ERASE = "erase"


class OutboxState(StrEnum):
    """How far it has come.

    HELD: the person's contact rule does not allow it now; it goes out when they write, in their hours, or by a code
    that they do not have yet.
    LEFT: it waits under the person's return code; nothing is sent.
    """

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REACHED = "reached"
    FAILED = "failed"
    HELD = "held"
    LEFT = "left"


_FULL = {OutboxState.WAITING, OutboxState.HELD}
"""States in which a row still holds what is to be sent."""

_SETTLED = {OutboxState.REACHED, OutboxState.FAILED}
"""States that only news of having been reached may replace: news may come before we noted that it was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One thing on its way: where to, the answer as plain JSON, and since when (to the minute)."""

    id: uuid.UUID
    kind: OutboxKind
    case_id: uuid.UUID | None
    channel: str
    value: str = field(repr=False)
    answer: Mapping[str, Any] = field(repr=False)
    state: OutboxState
    tries: int
    since: datetime


class Outbox:
    """Rows are kept as proof of delivery; their contents are not."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(
        self,
        kind: OutboxKind,
        channel: str,
        value: str,
        answer: Mapping[str, Any],
        *,
        case_id: uuid.UUID | None = None,
        state: OutboxState = OutboxState.WAITING,
    ) -> uuid.UUID:
        """Keep something to deliver; gives the id for the job and for the provider's news."""
        transaction = self._transaction
        row_id = transaction.new_id()
        if kind is OutboxKind.STAFF and state is OutboxState.WAITING and await self._forced(case_id):
            state = OutboxState.HELD  # whoever asks for it: nothing goes to a phone that somebody else may hold
        plain = json.dumps([channel, value, answer]).encode()
        epoch, sealed = transaction.ring.lock_in_epoch(plain, f"outbox/{row_id}")
        await transaction.connection.execute(
            insert(tables.outbox).values(
                id=row_id,
                kind=kind,
                case_id=case_id,
                epoch=epoch,
                sealed=sealed if state in _FULL else None,
                state=state,
                created_at=transaction.minute,
            )
        )
        return row_id

    async def look(self, row_id: uuid.UUID) -> Parcel | None:
        """What there is to deliver, or None when it is gone or done. Locks the row.

        A row of an epoch that was destroyed can never be sent: it has failed.
        """
        table = tables.outbox
        query = select(table).where(table.c.id == row_id).with_for_update()
        row = (await self._transaction.connection.execute(query)).first()
        if row is None or row.sealed is None:
            return None
        try:
            plain = self._transaction.ring.unlock_in_epoch(row.epoch, row.sealed, f"outbox/{row.id}")
        except EpochGone:
            await self.set(row_id, OutboxState.FAILED)
            return None
        channel, value, answer = json.loads(plain)
        return Parcel(
            id=row.id,
            kind=OutboxKind(row.kind),
            case_id=row.case_id,
            channel=channel,
            value=value,
            answer=answer,
            state=OutboxState(row.state),
            tries=row.tries,
            since=row.created_at,
        )

    async def rewrite(self, parcel: Parcel, answer: Mapping[str, Any]) -> None:
        """Keep something else in a parcel that waits, locked in its own epoch still."""
        table, transaction = tables.outbox, self._transaction
        waits = (table.c.id == parcel.id) & table.c.sealed.is_not(None)
        epoch = await transaction.connection.scalar(select(table.c.epoch).where(waits))
        if epoch is None:
            return
        plain = json.dumps([parcel.channel, parcel.value, answer]).encode()
        _, sealed = transaction.ring.lock_in_epoch(plain, f"outbox/{parcel.id}", epoch=epoch)
        await transaction.connection.execute(update(table).where(waits).values(sealed=sealed))

    async def erasures(self) -> Mapping[uuid.UUID, bool]:
        """Chats that are being erased: the parcel's id, and whether a job is there that goes on with it."""
        table = tables.outbox
        query = select(table.c.id, _has_job("erase_chat", "parcel", cast(table.c.id, String))).where(
            table.c.kind == OutboxKind.ERASE, table.c.state == OutboxState.WAITING
        )
        return {row[0]: row[1] for row in await self._transaction.connection.execute(query)}

    async def set(
        self, row_id: uuid.UUID, state: OutboxState, *, error: int | None = None, tried: bool = False
    ) -> uuid.UUID | None:
        """Note how far it has come, never back; contents go once they are not needed.

        Gives the case, None for an unknown row or when it has come further already.
        """
        table = tables.outbox
        final = {OutboxState.REACHED} if state is OutboxState.REACHED else _SETTLED
        values: dict[str, object] = {"state": state, "error": error}
        if state not in _FULL:
            values["sealed"] = None
        if tried:
            values["tries"] = table.c.tries + 1
        reachable = (table.c.id == row_id) & table.c.state.not_in(list(final))
        query = update(table).where(reachable).values(**values).returning(table.c.case_id)
        found: uuid.UUID | None = await self._transaction.connection.scalar(query)
        return found

    async def release(self, case_id: uuid.UUID) -> tuple[uuid.UUID, ...]:
        """What was held for this person may go out now; gives the ids for the jobs. Nothing may for the forced."""
        if await self._forced(case_id):
            return ()
        table = tables.outbox
        query = (
            update(table)
            .where(table.c.case_id == case_id, table.c.state == OutboxState.HELD)
            .values(state=OutboxState.WAITING)
            .returning(table.c.id)
        )
        return tuple(row.id for row in await self._transaction.connection.execute(query))

    async def comes_up(self, row_id: uuid.UUID) -> bool:
        """True when a job waits that will look at it again, beside the one that may be doing so now."""
        query = select(_has_job("deliver", "parcel", literal(str(row_id)), ("todo",)))
        return bool(await self._transaction.connection.scalar(query))

    async def unsent(self, case_id: uuid.UUID) -> tuple[uuid.UUID, ...]:
        """Staff's words to this person that may still go out, the oldest first."""
        table = tables.outbox
        unsent = (table.c.case_id == case_id) & (table.c.kind == OutboxKind.STAFF) & table.c.state.in_(list(_FULL))
        query = select(table.c.id).where(unsent).order_by(table.c.created_at, table.c.id)
        return tuple((await self._transaction.connection.scalars(query)).all())

    async def _forced(self, case_id: uuid.UUID | None) -> bool:
        """The duress word was given in this case, and the check word has not been since."""
        if case_id is None:
            return False
        query = select(tables.cases.c.forced).where(tables.cases.c.id == case_id)
        return bool(await self._transaction.connection.scalar(query))

    async def leave(self, case_id: uuid.UUID) -> None:
        """Nothing that was written so far goes out any more: the person has taken the report back."""
        table = tables.outbox
        unsent = (table.c.case_id == case_id) & (table.c.kind == OutboxKind.STAFF) & table.c.state.in_(list(_FULL))
        await self._transaction.connection.execute(
            update(table).where(unsent).values(state=OutboxState.LEFT, sealed=None)
        )

    async def of_case(self, case_id: uuid.UUID) -> Mapping[uuid.UUID, OutboxState]:
        """Delivery states of a case's parcels by id."""
        table = tables.outbox
        rows = await self._transaction.connection.execute(
            select(table.c.id, table.c.state).where(table.c.case_id == case_id)
        )
        return {row.id: OutboxState(row.state) for row in rows}

    async def errors_of_case(self, case_id: uuid.UUID) -> Mapping[uuid.UUID, int]:
        """The provider's error numbers of those that have failed."""
        table = tables.outbox
        failed = (table.c.case_id == case_id) & (table.c.state == OutboxState.FAILED) & table.c.error.is_not(None)
        rows = await self._transaction.connection.execute(select(table.c.id, table.c.error).where(failed))
        return {row.id: row.error for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCopies:
    """Copies that a provider still holds, of one channel: since when the oldest is, and how often one was tried."""

    channel: str
    count: int
    since: datetime
    tries: int


class Copies:
    """The ledger of what providers hold."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def note(self, channel: str, resources: Sequence[str]) -> tuple[str, ...]:
        """Enter resources, such as "messages/SM..."; gives our own ids of those that are new, for the jobs."""
        ring, new = self._transaction.ring, []
        for resource in resources:
            digest = hmac.digest(ring.service_key("copy"), resource.encode(), hashlib.sha256)
            query = (
                insert(tables.copies)
                .values(
                    digest=digest,
                    sealed=ring.lock_for_service(resource.encode(), f"copy/{digest.hex()}"),
                    channel=channel,
                    state="held",
                    seen_at=self._transaction.hour,
                )
                .on_conflict_do_nothing()
                .returning(tables.copies.c.digest)
            )
            if await self._transaction.connection.scalar(query):
                new.append(digest.hex())
        return tuple(new)

    async def look(self, copy_id: str) -> tuple[str, str] | None:
        """(channel, resource) of a copy that is still held, or None."""
        table = tables.copies
        query = select(table).where(table.c.digest == bytes.fromhex(copy_id))
        row = (await self._transaction.connection.execute(query)).first()
        if row is None or row.sealed is None:
            return None
        return row.channel, self._transaction.ring.unlock_for_service(row.sealed, f"copy/{copy_id}").decode()

    async def trying(self, copy_id: str) -> int:
        """Note that it is asked for once more; gives how often that makes."""
        table = tables.copies
        # The column counts to 32767: at six hours a try that is twenty years.
        query = update(table).where(table.c.digest == bytes.fromhex(copy_id)).values(tries=table.c.tries + 1)
        return int(await self._transaction.connection.scalar(query.returning(table.c.tries)) or 0)

    async def gone(self, copy_id: str) -> None:
        """The provider confirmed that the copy is gone: then its id goes too."""
        table = tables.copies
        values = {"state": "erased", "erased_at": self._transaction.minute, "sealed": None}
        await self._transaction.connection.execute(
            update(table).where(table.c.digest == bytes.fromhex(copy_id)).values(**values)
        )

    async def adrift(self, most: int) -> tuple[str, ...]:
        """Our ids of copies that are still held though no job is there to delete them, the oldest first."""
        table = tables.copies
        name = func.encode(table.c.digest, "hex")
        query = (
            select(name)
            .where(table.c.state == "held", ~_has_job("erase_copy", "copy", name))
            .order_by(table.c.seen_at)
            .limit(most)
        )
        return tuple((await self._transaction.connection.scalars(query)).all())

    async def held(self) -> tuple[int, datetime | None]:
        """How many copies are still there, and since when the oldest is."""
        table = tables.copies
        query = select(func.count(), func.min(table.c.seen_at)).where(table.c.state == "held")
        row = (await self._transaction.connection.execute(query)).one()
        return int(row[0]), row[1]

    async def by_channel(self) -> tuple[HeldCopies, ...]:
        """What is still there, the oldest first."""
        table = tables.copies
        query = (
            select(table.c.channel, func.count(), func.min(table.c.seen_at), func.max(table.c.tries))
            .where(table.c.state == "held")
            .group_by(table.c.channel)
            .order_by(func.min(table.c.seen_at))
        )
        rows = await self._transaction.connection.execute(query)
        return tuple(HeldCopies(channel=c, count=n, since=since, tries=tries) for c, n, since, tries in rows)
