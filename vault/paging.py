"""Alerts, pages and responders at rest. What to do next is decided by triage.escalation; this only keeps it.

Responders' names and numbers are locked with the service key, not sealed to the team: the pager must read them at
any hour, with nobody signed in. SECURITY.md names them as what a thief of the running machine can read.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypedDict, Unpack

from sqlalchemy import DateTime, cast, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from triage.alerts import AlertState
from vault import tables
from vault.errors import NotFound
from vault.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlert:
    """The pager's state for one case: `machine` is triage.escalation.Alert as plain JSON."""

    id: uuid.UUID
    case_id: uuid.UUID
    ringing: bool
    machine: Mapping[str, Any] = field(repr=False)
    changed_at: datetime | None = field(default=None, compare=False)  # None before it is first kept


class PageState(StrEnum):
    """How far a page has come; a later one replaces an earlier one, never the other way round."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    ANSWERED = "answered"


_KNOWN: Final = (PageState.FAILED, PageState.DELIVERED, PageState.ANSWERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """One page to one responder by one method."""

    id: uuid.UUID
    alert_id: uuid.UUID
    responder_id: uuid.UUID | None
    method: str
    state: PageState
    error: int | None
    created_at: datetime
    sent_at: datetime | None
    contact: str = ""  # which of the responder's contacts; "" is the first of the method


class Alerts:
    """Alerts and their pages."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def of_case(self, case_id: uuid.UUID) -> StoredAlert | None:
        """The alert of a case, locked until the unit ends."""
        return await self._one(tables.alerts.c.case_id == case_id)

    async def get(self, alert_id: uuid.UUID) -> StoredAlert:
        """An alert, locked until the unit ends. Raises NotFound."""
        found = await self._one(tables.alerts.c.id == alert_id)
        if found is None:
            raise NotFound
        return found

    async def _one(self, condition: Any) -> StoredAlert | None:
        query = select(tables.alerts).where(condition).with_for_update()
        row = (await self._transaction.connection.execute(query)).first()
        if row is None:
            return None
        return alert_of(row)

    async def save(self, alert: StoredAlert) -> None:
        """Keep the pager's state."""
        values = {"ringing": alert.ringing, "machine": alert.machine, "changed_at": self._transaction.now}
        await self._transaction.connection.execute(
            upsert(tables.alerts)
            .values(id=alert.id, case_id=alert.case_id, **values)
            .on_conflict_do_update(index_elements=["id"], set_=values)
        )

    async def ringing(self) -> tuple[StoredAlert, ...]:
        """Every alert that still looks for a human."""
        query = select(tables.alerts).where(tables.alerts.c.ringing)
        rows = await self._transaction.connection.execute(query)
        return tuple(alert_of(r) for r in rows)

    async def following(self, now: datetime) -> tuple[uuid.UUID, ...]:
        """Alerts that somebody has, and whose next look at them is due: their wake-up may have been lost."""
        machine = tables.alerts.c.machine
        due = cast(machine["wake"].as_string(), DateTime(timezone=True)) < now
        query = select(tables.alerts.c.id).where(
            ~tables.alerts.c.ringing, machine["state"].as_string() == AlertState.ACKNOWLEDGED.value, due
        )
        return tuple(row.id for row in await self._transaction.connection.execute(query))

    async def add_page(
        self, page_id: uuid.UUID, alert_id: uuid.UUID, responder_id: uuid.UUID | None, method: str, *, contact: str = ""
    ) -> None:
        """Note a page that a job will send."""
        await self._transaction.connection.execute(
            insert(tables.pages).values(
                id=page_id,
                alert_id=alert_id,
                responder_id=responder_id,
                method=method,
                contact=contact,
                state=PageState.WAITING,
                created_at=self._transaction.now,
            )
        )

    async def page(self, page_id: uuid.UUID) -> StoredPage:
        """A page, locked until the unit ends. Raises NotFound."""
        query = select(tables.pages).where(tables.pages.c.id == page_id).with_for_update()
        row = (await self._transaction.connection.execute(query)).first()
        if row is None:
            raise NotFound
        return _page(row)

    async def case_of(self, page_id: uuid.UUID) -> uuid.UUID:
        """The case that a page is about; locks nothing. Raises NotFound."""
        joined = tables.pages.join(tables.alerts, tables.pages.c.alert_id == tables.alerts.c.id)
        query = select(tables.alerts.c.case_id).select_from(joined).where(tables.pages.c.id == page_id)
        found: uuid.UUID | None = await self._transaction.connection.scalar(query)
        if found is None:
            raise NotFound
        return found

    async def pages(self, alert_id: uuid.UUID) -> tuple[StoredPage, ...]:
        """The pages of an alert, oldest first."""
        table = tables.pages
        query = select(table).where(table.c.alert_id == alert_id).order_by(table.c.created_at)
        return tuple(_page(row) for row in await self._transaction.connection.execute(query))

    async def newest_pages(self, since: datetime) -> tuple[StoredPage, ...]:
        """The newest page to each contact since then of which it is known whether it arrived."""
        table = tables.pages
        query = (
            select(table)
            .ext(distinct_on(table.c.responder_id, table.c.method, table.c.contact))
            .where(table.c.created_at >= since, table.c.responder_id.is_not(None), table.c.state.in_(_KNOWN))
            .order_by(table.c.responder_id, table.c.method, table.c.contact, table.c.created_at.desc())
        )
        return tuple(_page(row) for row in await self._transaction.connection.execute(query))

    async def set_page(self, page_id: uuid.UUID, state: PageState, *, error: int | None = None) -> None:
        """Note how far a page has come. Older news that arrives late changes nothing."""
        table, now = tables.pages, self._transaction.now
        values: dict[str, object] = {"state": state, "error": error}
        values["sent_at" if state is PageState.SENT else "news_at"] = now
        before = list(PageState)[: list(PageState).index(state) + 1]
        await self._transaction.connection.execute(
            update(table).where(table.c.id == page_id, table.c.state.in_(before)).values(**values)
        )


def alert_of(row: Any) -> StoredAlert:
    """A row of the table as a value."""
    return StoredAlert(
        id=row.id, case_id=row.case_id, ringing=row.ringing, machine=row.machine, changed_at=row.changed_at
    )


def _page(row: Any) -> StoredPage:
    return StoredPage(
        id=row.id,
        alert_id=row.alert_id,
        responder_id=row.responder_id,
        method=row.method,
        state=PageState(row.state),
        error=row.error,
        created_at=row.created_at,
        sent_at=row.sent_at,
        contact=row.contact,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One way to reach a responder."""

    method: str  # sms | voice | telegram
    value: str = field(repr=False)


class More(TypedDict, total=False):
    """What a responder may have besides name, languages and contacts."""

    hours: tuple[str, ...]
    time_zone: str
    skills: tuple[str, ...]
    coordinator: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponder:
    """A responder as kept: everything but id and position is locked with the service key.

    `contacts` in the order in which they are tried. `hours` as people write them, on the clock of `time_zone` ("" is
    the line's own); whoever gave none can be called at any hour. A `coordinator` is told what needs a hand.
    """

    id: uuid.UUID
    name: str = field(repr=False)
    languages: tuple[str, ...]
    contacts: tuple[Contact, ...] = field(repr=False)
    hours: tuple[str, ...] = ()
    time_zone: str = ""
    skills: tuple[str, ...] = ()
    coordinator: bool = False

    def contact(self, method: str, key: str = "") -> Contact | None:
        """The contact of this key; without one, the first of this method."""
        if key:
            return dict(self.keyed()).get(key)
        return next((c for c in self.contacts if c.method == method), None)

    def keyed(self) -> tuple[tuple[str, Contact], ...]:
        """Contacts with the keys they are known by outside of the vault: "sms", "voice", "sms-2"."""
        found: list[tuple[str, Contact]] = []
        for contact in self.contacts:
            before = sum(other.method == contact.method for _, other in found)
            found.append((f"{contact.method}-{before + 1}" if before else contact.method, contact))
        return tuple(found)


class Responders:
    """The people who are paged."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(
        self, name: str, languages: Sequence[str], contacts: Sequence[Contact], **more: Unpack[More]
    ) -> uuid.UUID:
        """Add a responder at the end of the order; gives the id."""
        transaction = self._transaction
        responder = StoredResponder(
            id=transaction.new_id(), name=name, languages=tuple(languages), contacts=tuple(contacts), **more
        )
        position = select(func.coalesce(func.max(tables.responders.c.position), 0) + 1).scalar_subquery()
        await transaction.connection.execute(
            insert(tables.responders).values(id=responder.id, position=position, sealed=self._sealed(responder))
        )
        await self._know(responder)
        return responder.id

    async def change(self, responder: StoredResponder) -> None:
        """Keep a responder as they are now, in their old place."""
        connection = self._transaction.connection
        table = tables.responders
        await connection.execute(update(table).where(table.c.id == responder.id).values(sealed=self._sealed(responder)))
        await connection.execute(delete(tables.contacts).where(tables.contacts.c.responder_id == responder.id))
        await self._know(responder)

    async def _know(self, responder: StoredResponder) -> None:
        for contact in responder.contacts:
            await self._transaction.connection.execute(
                upsert(tables.contacts)
                .values(digest=self._digest(contact), responder_id=responder.id)
                .on_conflict_do_update(index_elements=["digest"], set_={"responder_id": responder.id})
            )

    async def remove(self, responder_id: uuid.UUID) -> None:
        """Take a responder off the rota."""
        await self._transaction.connection.execute(
            delete(tables.responders).where(tables.responders.c.id == responder_id)
        )

    async def all(self) -> tuple[StoredResponder, ...]:
        """Every responder, in order."""
        query = select(tables.responders).order_by(tables.responders.c.position)
        return tuple(self._responder(row) for row in await self._transaction.connection.execute(query))

    async def get(self, responder_id: uuid.UUID) -> StoredResponder | None:
        """One responder."""
        query = select(tables.responders).where(tables.responders.c.id == responder_id)
        row = (await self._transaction.connection.execute(query)).first()
        return self._responder(row) if row else None

    async def by_address(self, channel: str, value: str) -> StoredResponder | None:
        """The responder who writes or calls from this address, if it is one."""
        query = select(tables.contacts.c.responder_id).where(
            tables.contacts.c.digest == self._digest(Contact(method=channel, value=value))
        )
        responder_id = await self._transaction.connection.scalar(query)
        return await self.get(responder_id) if responder_id else None

    def _digest(self, contact: Contact) -> bytes:
        key = self._transaction.ring.service_key("contact")
        medium = "telegram" if contact.method == "telegram" else "phone"  # one number texts and calls
        return hmac.digest(key, f"{medium}:{contact.value}".encode(), hashlib.sha256)

    def _sealed(self, responder: StoredResponder) -> bytes:
        contacts = [[c.method, c.value] for c in responder.contacts]
        more = {name: getattr(responder, name) for name in More.__annotations__}
        plain = json.dumps([responder.name, list(responder.languages), contacts, more]).encode()
        return self._transaction.ring.lock_for_service(plain, f"responder/{responder.id}")

    def _responder(self, row: Any) -> StoredResponder:
        """What was kept before there were hours has three parts only."""
        name, languages, contacts, *rest = json.loads(
            self._transaction.ring.unlock_for_service(row.sealed, f"responder/{row.id}")
        )
        more = rest[0] if rest else {}
        return StoredResponder(
            id=row.id,
            name=name,
            languages=tuple(languages),
            contacts=tuple(Contact(method=m, value=v) for m, v in contacts),
            hours=tuple(more.get("hours", ())),
            time_zone=more.get("time_zone", ""),
            skills=tuple(more.get("skills", ())),
            coordinator=more.get("coordinator", False),
        )
