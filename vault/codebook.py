"""Which case a return code leads to, and the answers that wait under it. Neither table knows the code."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, func, insert, select

from vault import tables
from vault.codes import CodeKeys
from vault.sealing import PublicKey, open_sealed, seal
from vault.transaction import Transaction


@dataclass(frozen=True, slots=True)
class WaitingAnswer:
    """An answer of the staff, opened with the person's code."""

    id: uuid.UUID
    text: str = field(repr=False)


class Codebook:
    """Return codes by their locator."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def give(self, case_id: uuid.UUID, keys: CodeKeys) -> None:
        """From now on this code leads to this case, and no older code does."""
        connection = self._transaction.connection
        await connection.execute(delete(tables.codes).where(tables.codes.c.case_id == case_id))
        await connection.execute(
            insert(tables.codes).values(
                locator=keys.locator,
                case_id=case_id,
                public_key=keys.private.public.raw,
                created_at=self._transaction.minute,
            )
        )

    async def find(self, locator: bytes) -> uuid.UUID | None:
        """The case under a locator."""
        table = tables.codes
        query = select(table.c.case_id).where(table.c.locator == locator)
        found: uuid.UUID | None = await self._transaction.connection.scalar(query)
        return found

    async def match(self, candidates: Sequence[CodeKeys]) -> tuple[uuid.UUID, CodeKeys] | None:
        """The case that one of these leads to, and which: a code derives one of them for each effort in use."""
        table = tables.codes
        query = select(table.c.locator, table.c.case_id).where(table.c.locator.in_([c.locator for c in candidates]))
        row = (await self._transaction.connection.execute(query.limit(1))).first()
        return next(((row.case_id, c) for c in candidates if row and c.locator == row.locator), None)

    async def oldest(self) -> datetime | None:
        """When the oldest code that is still good was given."""
        found: datetime | None = await self._transaction.connection.scalar(select(func.min(tables.codes.c.created_at)))
        return found

    async def leave(self, case_id: uuid.UUID, text: str) -> bool:
        """Seal an answer to the case's return code; False when it has none."""
        connection = self._transaction.connection
        row = (await connection.execute(select(tables.codes).where(tables.codes.c.case_id == case_id))).first()
        if row is None:
            return False
        row_id = self._transaction.new_id()
        await connection.execute(
            insert(tables.waiting_answers).values(
                id=row_id,
                locator=row.locator,
                sealed=seal(text.encode(), PublicKey(row.public_key), f"waiting/{row_id}"),
                created_at=self._transaction.now,  # staff's doing, and two answers of one minute keep their order
            )
        )
        return True

    async def read(self, keys: CodeKeys) -> tuple[WaitingAnswer, ...]:
        """The answers that wait, oldest first. They go on waiting until they were said (`said`)."""
        table = tables.waiting_answers
        query = select(table).where(table.c.locator == keys.locator).order_by(table.c.created_at)
        rows = await self._transaction.connection.execute(query)
        return tuple(WaitingAnswer(r.id, open_sealed(r.sealed, keys.private, f"waiting/{r.id}").decode()) for r in rows)

    async def said(self, answers: Sequence[uuid.UUID]) -> None:
        """The person has heard these: remove them."""
        table = tables.waiting_answers
        await self._transaction.connection.execute(delete(table).where(table.c.id.in_(list(answers))))
