"""One transaction: its repositories, its audit lines and its jobs become true together, or not at all.

`async with vault.unit() as unit:` commits when the block ends and rolls back when it raises. No provider is
called inside it.
"""

import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import procrastinate
from procrastinate.exceptions import ConnectorException
from psycopg import AsyncConnection as DriverConnection
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from vault.account import Account
from vault.audit import Audit
from vault.cases import Cases
from vault.codebook import Codebook
from vault.conversations import ChatMessages, Conversations, Messages, UnreadWords
from vault.delivery import Copies, Outbox
from vault.drills import Drills
from vault.keys import KeyRing, reread
from vault.members import Members
from vault.paging import Alerts, Responders
from vault.passkeys import Passkeys
from vault.recovery import Recovery
from vault.rota import Feeds, Readiness, RotaChanges
from vault.sessions import Sessions
from vault.staffing import Staffing
from vault.teams import Teams
from vault.transaction import Transaction

# Nothing waits for ever: not for a lock that a frozen process holds, not for a host that has vanished. Milliseconds
# and seconds; a turn has less time than Twilio's 15 s.
_CONNECT: Final[Mapping[str, Any]] = {
    "connect_timeout": 3,
    "options": "-c statement_timeout=8000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=10000",
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10000,
}

QUEUE_CHANGED = "harborline_queue"
"""PostgreSQL notification channel: something in the staff's queue changed (no payload)."""

DATABASE_AWAY: Final = (OperationalError, InterfaceError, PoolTimeout, ConnectorException)
"""What a unit raises when the database cannot be reached or stopped in the middle: nothing of the unit was kept."""


class Jobs:
    """Work to be done later, enqueued on the same connection: committed with the facts it is about."""

    def __init__(self, app: procrastinate.App, connection: DriverConnection[Any]) -> None:
        self._app = app
        self._connection = connection

    async def later(self, task: str, *, at: datetime | None = None, lock: str | None = None, **ids: str) -> None:
        """Enqueue a task by name. Arguments are ids only, never words or addresses."""
        await self._app.configure_task(
            task,
            allow_unknown=True,
            connection=self._connection,
            schedule_at=at.astimezone(UTC) if at else None,
            lock=lock,
        ).defer_async(**ids)

    async def workers(self, *, within: float = 30.0) -> int:
        """How many worker processes showed a sign of life within so many seconds. None: no page goes out."""
        query = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)"
        row = await (await self._connection.execute(query, [within])).fetchone()
        return int(row[0]) if row else 0

    async def failed(self, *, since: datetime | None = None) -> int:
        """How many jobs were given up, all or those since a moment: each needs a human."""
        query = (
            "SELECT count(*) FROM procrastinate_jobs j WHERE status = 'failed' AND (%s::timestamptz IS NULL OR EXISTS "
            "(SELECT 1 FROM procrastinate_events e WHERE e.job_id = j.id AND e.type = 'failed' AND e.at > %s))"
        )
        row = await (await self._connection.execute(query, [since, since])).fetchone()
        return int(row[0]) if row else 0

    async def late(self, seconds: float) -> Mapping[str, int]:
        """Queue -> jobs that have been due, or have been running, for longer than this."""
        query = (
            "SELECT queue_name, count(*) FROM procrastinate_jobs j WHERE status IN ('todo', 'doing') AND "
            "greatest(scheduled_at, (SELECT max(at) FROM procrastinate_events e WHERE e.job_id = j.id)) "
            "< now() - make_interval(secs => %s) GROUP BY queue_name"
        )
        found = await (await self._connection.execute(query, [seconds])).fetchall()
        return {str(queue): int(count) for queue, count in found}

    async def signs_of_life(self) -> dict[int, float]:
        """Worker -> seconds since its last sign of life."""
        query = "SELECT id, extract(epoch FROM now() - last_heartbeat) FROM procrastinate_workers"
        return {int(i): float(age) for i, age in await (await self._connection.execute(query)).fetchall()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Everything one transaction can touch."""

    transaction: Transaction
    conversations: Conversations
    messages: Messages
    chat_messages: ChatMessages
    unread_words: UnreadWords
    cases: Cases
    codes: Codebook
    outbox: Outbox
    copies: Copies
    alerts: Alerts
    responders: Responders
    rota_changes: RotaChanges
    feeds: Feeds
    readiness: Readiness
    drills: Drills
    members: Members
    account: Account
    staffing: Staffing
    passkeys: Passkeys
    sessions: Sessions
    teams: Teams
    recovery: Recovery
    audit: Audit
    jobs: Jobs

    async def lock(self, *names: bytes) -> None:
        """Wait until no other transaction holds any of these names; held until the end of this one."""
        for key in sorted(int.from_bytes(hashlib.sha256(n).digest()[:8], signed=True) for n in names):
            await self.transaction.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

    async def queue_changed(self) -> None:
        """Tell every console, once this is committed, that the queue looks different."""
        await self.transaction.connection.execute(text(f"NOTIFY {QUEUE_CHANGED}"))


class Vault:
    """The database, the key ring, and the way to a unit."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        jobs: procrastinate.App,
        ring: KeyRing,
        now: Callable[[], datetime],
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        self.engine = engine
        self.jobs = jobs
        self.ring = ring
        self.now = now
        self._new_id = new_id

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        """One transaction. Raises sqlalchemy.exc.OperationalError when the database is away."""
        async with self.engine.connect() as connection, connection.begin():
            unit = await self._open(connection)
            yield unit
            await unit.audit.write()

    async def _open(self, connection: AsyncConnection) -> Unit:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        self.ring = reread(self.ring)  # another process may have begun or destroyed an epoch
        transaction = Transaction(connection=connection, ring=self.ring, now=self.now(), new_id=self._new_id)
        audit = Audit(transaction)
        return Unit(
            transaction=transaction,
            conversations=Conversations(transaction),
            messages=Messages(transaction),
            chat_messages=ChatMessages(transaction),
            unread_words=UnreadWords(transaction),
            cases=Cases(transaction),
            codes=Codebook(transaction),
            outbox=Outbox(transaction),
            copies=Copies(transaction),
            alerts=Alerts(transaction),
            responders=Responders(transaction),
            rota_changes=RotaChanges(transaction),
            feeds=Feeds(transaction),
            readiness=Readiness(transaction),
            drills=Drills(transaction),
            members=Members(transaction),
            account=Account(transaction, audit),
            staffing=Staffing(transaction, audit),
            passkeys=Passkeys(transaction),
            sessions=Sessions(transaction),
            teams=Teams(transaction),
            recovery=Recovery(transaction, audit),
            audit=audit,
            jobs=Jobs(self.jobs, driver),
        )

    @property
    def address(self) -> str:
        """The database's address, "postgresql://…". It may hold a password: keep it off command lines and logs."""
        return self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    async def close(self) -> None:
        """Give the connections back."""
        await self.engine.dispose()


def database_engine(url: str, *, connections: int = 10) -> AsyncEngine:
    """An engine for any PostgreSQL 15+ address, "postgresql://…".

    Parameters never reach an exception text (`hide_parameters`): they may hold sealed bytes and digests.
    """
    return create_async_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1),
        pool_size=connections,
        max_overflow=connections,
        pool_pre_ping=True,
        pool_timeout=5,
        hide_parameters=True,
        connect_args={**_CONNECT, "application_name": "harborline"},
    )


def job_app(url: str, *, connections: int = 8) -> procrastinate.App:
    """The job queue on the same database."""
    connector = procrastinate.PsycopgConnector(
        conninfo=url,
        min_size=1,
        max_size=connections,
        kwargs={**_CONNECT, "application_name": "harborline-jobs"},
    )
    return procrastinate.App(connector=connector)
