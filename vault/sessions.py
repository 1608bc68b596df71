"""Sessions: what a browser keeps, and the row that only it can open. Whether someone may sign in is in members.py.

The member's key is locked under a random secret that only the cookie holds: an idle server cannot open a case.
"""

import hashlib
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete, insert, select, update

from vault import tables
from vault.errors import CannotOpen
from vault.sealing import KEY_BYTES, PrivateKey, lock, unlock
from vault.transaction import Transaction

_IDLE: Final = timedelta(minutes=30)
_LONGEST: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Cookie:
    """What the browser keeps: it names the session and opens its key. The server keeps neither half."""

    value: str = field(repr=False)


class Sessions:
    """The sessions of all members."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def begin(self, member_id: uuid.UUID, key: PrivateKey) -> Cookie:
        """A new session of this member."""
        name, secret = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
        now = self._transaction.now
        await self._transaction.connection.execute(
            insert(tables.sessions).values(
                digest=hashlib.sha256(name).digest(),
                member_id=member_id,
                sealed=lock(key.seed, secret, f"session/{member_id}"),
                created_at=now,
                used_at=now,
            )
        )
        return Cookie((name + secret).hex())

    async def open(self, cookie: str, *, touch: bool = True) -> tuple[uuid.UUID, PrivateKey] | None:
        """Whose session it is, and their key; None when it is over or was never there. `touch`: this is use."""
        found = await self._find(cookie, touch=touch)
        if found is None:
            return None
        row, secret = found
        try:
            return row.member_id, PrivateKey(unlock(row.sealed, secret, f"session/{row.member_id}"))
        except CannotOpen:
            return None

    async def end(self, cookie: str) -> None:
        """End one session; its wrapped key is removed."""
        found = await self._find(cookie, touch=True)
        if found:
            await self._delete(tables.sessions.c.digest == found[0].digest)

    async def is_in(self, member_id: uuid.UUID) -> bool:
        """Whether this member has a session that is not over."""
        table, now = tables.sessions, self._transaction.now
        lasts = (table.c.used_at >= now - _IDLE) & (table.c.created_at >= now - _LONGEST)
        query = select(table.c.digest).where(table.c.member_id == member_id, lasts).limit(1)
        return await self._transaction.connection.scalar(query) is not None

    async def end_all(self, member_id: uuid.UUID) -> None:
        """End every session of a member."""
        await self._delete(tables.sessions.c.member_id == member_id)

    async def _delete(self, which: Any) -> None:
        await self._transaction.connection.execute(delete(tables.sessions).where(which))

    async def _find(self, cookie: str, *, touch: bool) -> tuple[Any, bytes] | None:
        try:
            raw = bytes.fromhex(cookie)
        except ValueError:
            return None
        if len(raw) != 2 * KEY_BYTES:
            return None
        table, now = tables.sessions, self._transaction.now
        digest = hashlib.sha256(raw[:KEY_BYTES]).digest()
        await self._delete((table.c.used_at < now - _IDLE) | (table.c.created_at < now - _LONGEST))
        used_at = now if touch else table.c.used_at
        query = update(table).where(table.c.digest == digest).values(used_at=used_at).returning(*table.c)
        row = (await self._transaction.connection.execute(query)).first()
        return (row, raw[KEY_BYTES:]) if row else None
