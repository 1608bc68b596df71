"""Conversations that are going on, the messages that were seen, and the words that wait to be read.

All of it is locked in an epoch: the service opens it while it talks, nobody opens it once the epoch is destroyed.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from vault import tables
from vault.errors import EpochGone
from vault.pseudonyms import Pseudonym
from vault.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A conversation at rest: its state as plain JSON, the case it feeds, and how often it was changed."""

    pseudonym: Pseudonym
    state: Mapping[str, Any] = field(repr=False)
    case_id: uuid.UUID | None
    turns: int
    touched_at: datetime


class Conversations:
    """One row a person and epoch."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, pseudonyms: Sequence[Pseudonym]) -> Thread | None:
        """The newest thread of these pseudonyms that can still be opened. Lock them first (`Unit.lock`)."""
        table = tables.conversations
        query = select(table).where(table.c.pseudonym.in_([p.value for p in pseudonyms])).order_by(table.c.epoch.desc())
        for row in await self._transaction.connection.execute(query):
            with suppress(EpochGone):  # the row is removed by vault/retention.py
                return self._open(row)
        return None

    def _open(self, row: Any) -> Thread:
        opened = json.loads(self._transaction.ring.unlock_in_epoch(row.epoch, row.sealed, _context(row.pseudonym)))
        return Thread(
            pseudonym=Pseudonym(row.epoch, row.pseudonym),
            state=opened["state"],
            case_id=uuid.UUID(opened["case"]) if opened["case"] else None,
            turns=row.turns,
            touched_at=row.touched_at,
        )

    async def save(
        self, pseudonym: Pseudonym, state: Mapping[str, Any], case_id: uuid.UUID | None, *, turns: int
    ) -> None:
        """Keep a thread. The case it belongs to is inside the lock: the tables do not link people to cases.

        It is locked in the pseudonym's own epoch, and forgotten with it: only the person's coming back moves it on.
        """
        transaction = self._transaction
        plain = json.dumps({"state": state, "case": str(case_id) if case_id else None}).encode()
        epoch, sealed = transaction.ring.lock_in_epoch(plain, _context(pseudonym.value), epoch=pseudonym.epoch)
        values = {"epoch": epoch, "sealed": sealed, "turns": turns, "touched_at": transaction.minute}
        await transaction.connection.execute(
            insert(tables.conversations)
            .values(pseudonym=pseudonym.value, **values)
            .on_conflict_do_update(index_elements=["pseudonym"], set_=values)
        )

    async def forget(self, pseudonym: Pseudonym) -> None:
        """Remove a thread."""
        table = tables.conversations
        await self._transaction.connection.execute(delete(table).where(table.c.pseudonym == pseudonym.value))

    async def by_token(self, token: bytes) -> Thread | None:
        """The thread whose pseudonym this is, for a job that was told only the pseudonym."""
        return await self.find([Pseudonym(0, token)])


def _context(pseudonym: bytes) -> str:
    return f"conversation/{pseudonym.hex()}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A message that was handled before, with the answer it was given (plain JSON, or None)."""

    answer: Mapping[str, Any] | None = field(repr=False)


class ChatMessages:
    """Numbers of the messages in a chat, both sides', until they are too old to delete (Telegram: 48 hours)."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def note(self, pseudonym: bytes, message: int) -> None:
        """Remember one message of this chat."""
        await self._transaction.connection.execute(
            insert(tables.chat_messages)
            .values(pseudonym=pseudonym, message=message, sent_at=self._transaction.hour)
            .on_conflict_do_nothing()
        )

    async def some(self, chat: Sequence[bytes], most: int, *, until: datetime, hurry: datetime) -> tuple[int, ...]:
        """Numbers of this chat up to a moment, under whichever of its pseudonyms.

        Those from before `hurry` come first, since their time runs out; then the newest, which are seen first.
        """
        table = tables.chat_messages
        query = (
            select(table.c.message)
            .where(table.c.pseudonym.in_(list(chat)), table.c.sent_at <= until)
            .order_by((table.c.sent_at < hurry).desc(), table.c.message.desc())
            .limit(most)
        )
        return tuple(row.message for row in await self._transaction.connection.execute(query))

    async def gone(self, chat: Sequence[bytes], messages: Sequence[int]) -> int:
        """These are no longer in the chat, or can no longer be deleted; gives how many we still knew of."""
        table = tables.chat_messages
        which = table.c.pseudonym.in_(list(chat)) & table.c.message.in_(list(messages))
        return (await self._transaction.connection.execute(delete(table).where(which))).rowcount

    async def expire(self, chat: Sequence[bytes], before: datetime) -> int:
        """Forget what is too old to delete of this chat; gives how many messages those are."""
        table = tables.chat_messages
        which = table.c.pseudonym.in_(list(chat)) & (table.c.sent_at < before)
        return (await self._transaction.connection.execute(delete(table).where(which))).rowcount

    async def forget_before(self, moment: datetime) -> None:
        """Remove what can no longer be deleted anyway."""
        table = tables.chat_messages
        await self._transaction.connection.execute(delete(table).where(table.c.sent_at < moment))


class Messages:
    """Every provider id that was handled: a repeated webhook gets its first answer again."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def digest(self, channel: str, message_id: str) -> bytes:
        """Keyed digest of a provider's id, so that the table does not name the provider's records."""
        key = self._transaction.ring.service_key("message-id")
        return hmac.digest(key, f"{channel}:{message_id}".encode(), hashlib.sha256)

    async def seen(self, digest: bytes) -> Seen | None:
        """What was answered to this id, or None if it is new. An answer of an epoch that is gone is not repeated."""
        table = tables.messages
        row = (await self._transaction.connection.execute(select(table).where(table.c.digest == digest))).first()
        if row is None:
            return None
        if row.sealed is None:
            return Seen(None)
        try:
            plain = self._transaction.ring.unlock_in_epoch(row.epoch, row.sealed, f"answer/{digest.hex()}")
        except EpochGone:
            return Seen(None)
        return Seen(json.loads(plain))

    async def remember(self, digest: bytes, answer: Mapping[str, Any] | None) -> None:
        """Keep that this id was handled, and with which answer."""
        transaction = self._transaction
        epoch, sealed = transaction.ring.lock_in_epoch(json.dumps(answer).encode(), f"answer/{digest.hex()}")
        await transaction.connection.execute(
            insert(tables.messages).values(
                digest=digest, epoch=epoch, sealed=None if answer is None else sealed, received_at=transaction.hour
            )
        )

    async def forget_answers_before(self, moment: datetime) -> None:
        """Empty answers that no provider asks for again: they may hold a return code."""
        table = tables.messages
        await self._transaction.connection.execute(
            update(table).where(table.c.received_at < moment, table.c.sealed.is_not(None)).values(sealed=None)
        )


class UnreadWords:
    """Words that no engine could read in time; a job reads them and takes them out."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(self, case_id: uuid.UUID, words: str, language: str) -> uuid.UUID:
        """Keep words to be read; gives the id for the job."""
        transaction = self._transaction
        row_id = transaction.new_id()
        plain = json.dumps([words, language]).encode()
        epoch, sealed = transaction.ring.lock_in_epoch(plain, f"unread/{row_id}")
        await transaction.connection.execute(
            insert(tables.unread_words).values(
                id=row_id, case_id=case_id, epoch=epoch, sealed=sealed, created_at=transaction.minute
            )
        )
        return row_id

    async def look(self, row_id: uuid.UUID) -> tuple[uuid.UUID, str, str] | None:
        """(case id, words, language), or None when they were read already or their epoch is gone."""
        table = tables.unread_words
        row = (await self._transaction.connection.execute(select(table).where(table.c.id == row_id))).first()
        if row is None:
            return None
        try:
            plain = self._transaction.ring.unlock_in_epoch(row.epoch, row.sealed, f"unread/{row.id}")
        except EpochGone:
            return None
        words, language = json.loads(plain)
        return row.case_id, words, language

    async def waiting_since(self, before: datetime) -> tuple[uuid.UUID, ...]:
        """Cases with words that nothing could read since before this moment."""
        table = tables.unread_words
        query = select(table.c.case_id).distinct().where(table.c.created_at < before)
        return tuple(row.case_id for row in await self._transaction.connection.execute(query))

    async def done(self, row_id: uuid.UUID) -> None:
        """They have been read: remove them."""
        table = tables.unread_words
        await self._transaction.connection.execute(delete(table).where(table.c.id == row_id))
