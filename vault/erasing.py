"""What makes erasing a case final: a lock of its own inside every grant, and the erasure key those locks lie under.

Deleting a row leaves its bytes for a while: in dead tuples until VACUUM, in the WAL until it is recycled, in dumps and
replicas for ever; and a team's key, which lives on, would open an old grant. So a grant does not hold the case's
private key as it is, but locked under a random key of this case alone. That key is in `case_locks`, locked under the
ring's erasure key. To erase a case its lock is deleted, then all other locks are locked anew under a fresh erasure
key, and the old erasure key is destroyed: whatever is left of the deleted lock opens with no key there is.

Which erasure key counts is written in the database (`erasure_keys`), so that a process that has not yet noticed a new
one does not lock a case under a key that is about to be destroyed. Everything here happens inside a caller's unit.
"""

import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from vault import tables
from vault.errors import CannotOpen
from vault.keys import KeyRing, begin_erasure_key, reread
from vault.sealing import KEY_BYTES, SEED_BYTES, PrivateKey, lock, unlock
from vault.transaction import Transaction

_LOCKS: Final = 0x68_61_72_62_6C_6F_63  # advisory lock: shared by who adds a lock or makes a backup, alone to renew


class CaseLocks:
    """The locks of all cases."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def close(self, case_id: uuid.UUID, key: PrivateKey) -> bytes:
        """Lock a new case's private key under a fresh key of its own; gives what may be granted to teams."""
        await self.hold_still()
        number = await self._number()
        own = secrets.token_bytes(KEY_BYTES)
        erasure = self._transaction.ring.erasure_key(number)
        await self._transaction.connection.execute(
            insert(tables.case_locks).values(
                case_id=case_id, number=number, sealed=lock(own, erasure, _lock_context(case_id))
            )
        )
        return lock(key.seed, own, _key_context(case_id))

    async def open(self, granted: Mapping[uuid.UUID, bytes]) -> Mapping[uuid.UUID, PrivateKey]:
        """The private keys of these cases, by what was granted. A case whose bytes do not open is left out."""
        table = tables.case_locks
        rows = await self._transaction.connection.execute(select(table).where(table.c.case_id.in_(list(granted))))
        locks = {row.case_id: row for row in rows}
        keys = {}
        for case_id, inner in granted.items():
            try:
                keys[case_id] = self._open(inner, locks.get(case_id))
            except CannotOpen:
                continue
        return keys

    def _open(self, inner: bytes, row: Any) -> PrivateKey:
        if row is None:
            if len(inner) != SEED_BYTES:  # a case of the first release was granted without a lock
                raise CannotOpen
            return PrivateKey(inner)
        own = unlock(row.sealed, self._transaction.ring.erasure_key(row.number), _lock_context(row.case_id))
        return PrivateKey(unlock(inner, own, _key_context(row.case_id)))

    async def hold_still(self) -> None:
        """No renewal begins until this transaction ends."""
        await self._transaction.connection.execute(text("SELECT pg_advisory_xact_lock_shared(:k)"), {"k": _LOCKS})

    async def _number(self) -> int:
        """The erasure key that counts; the ring's newest in a database that is new."""
        table, connection = tables.erasure_keys, self._transaction.connection
        found = await connection.scalar(select(func.max(table.c.number)))
        if found is None:
            found = max(reread(self._transaction.ring).erasure)
            await connection.execute(
                upsert(table).values(number=found, begun_at=self._transaction.now).on_conflict_do_nothing()
            )
        return int(found)

    # Erasing -----------------------------------------------------------------------------------------------------

    async def destroy(self, case_id: uuid.UUID) -> None:
        """Delete a case's lock, and note that a renewal is owed."""
        connection, owed = self._transaction.connection, tables.erasure_keys
        await connection.execute(delete(tables.case_locks).where(tables.case_locks.c.case_id == case_id))
        await connection.execute(
            update(owed)
            .where(owed.c.number == select(func.max(owed.c.number)).scalar_subquery(), owed.c.owed_since.is_(None))
            .values(owed_since=self._transaction.minute)
        )

    async def renew(self) -> KeyRing | None:
        """Lock every lock anew under a fresh erasure key. None when somebody holds them still.

        Commit this before `finish`: until then both keys are needed. A lock that does not open stops it all: rather
        is an erased case not final yet than a living one lost.
        """
        transaction, table = self._transaction, tables.case_locks
        connection = transaction.connection
        # Never wait in the queue for it: new cases would wait behind us for as long as a backup takes.
        if not await connection.scalar(text("SELECT pg_try_advisory_xact_lock(:k)"), {"k": _LOCKS}):
            return None
        number = await self._number() + 1
        ring = begin_erasure_key(transaction.ring, number)
        rows = (await connection.execute(select(table))).all()
        moved = [{"id": row.case_id, "locked": _again(ring, row, number), "to": number} for row in rows]
        if moved:
            query = update(table).where(table.c.case_id == bindparam("id"))
            await connection.execute(query.values(sealed=bindparam("locked"), number=bindparam("to")), moved)
        await connection.execute(insert(tables.erasure_keys).values(number=number, begun_at=transaction.now))
        return ring

    async def finish(self) -> int | None:
        """The number below which erasure keys may be destroyed now; None while something is locked under one."""
        locks, keys, connection = tables.case_locks, tables.erasure_keys, self._transaction.connection
        if not await connection.scalar(text("SELECT pg_try_advisory_xact_lock(:k)"), {"k": _LOCKS}):
            return None
        number = await self._number()
        if await connection.scalar(select(func.count()).select_from(locks).where(locks.c.number < number)):
            return None
        await connection.execute(delete(keys).where(keys.c.number < number))
        return number

    async def owed_since(self) -> datetime | None:
        """Since when an erased case waits for what makes it final; None when none does."""
        table = tables.erasure_keys
        found: datetime | None = await self._transaction.connection.scalar(select(func.min(table.c.owed_since)))
        return found

    async def owed(self) -> bool:
        """True when a case was erased after the newest erasure key began."""
        table = tables.erasure_keys
        query = select(table.c.owed_since).order_by(table.c.number.desc()).limit(1)
        return await self._transaction.connection.scalar(query) is not None


def _again(ring: KeyRing, row: Any, number: int) -> bytes:
    context = _lock_context(row.case_id)
    return lock(unlock(row.sealed, ring.erasure_key(row.number), context), ring.erasure_key(number), context)


def _lock_context(case_id: uuid.UUID) -> str:
    return f"case-lock/{case_id}"


def _key_context(case_id: uuid.UUID) -> str:
    return f"case-key/{case_id}"
