"""Which case a return code leads to, and the answers that wait under it. Neither table knows the code.

A case has one code. Only a code that staff made, and so know, may stand beside the person's own until they have shown
that they have that one (`settle`): a message that got lost must lock nobody out.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select

from vault import tables
from vault.codes import CodeKeys, code_keys, new_code
from vault.sealing import PublicKey, open_sealed, seal
from vault.transaction import Transaction


@dataclass(frozen=True, slots=True)
class WaitingAnswer:
    """An answer of the staff, opened with the person's code."""

    id: uuid.UUID
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a code opened: its case, its keys, and whether staff know it too."""

    case_id: uuid.UUID
    keys: CodeKeys = field(repr=False)
    known_to_staff: bool


class Codebook:
    """Return codes by their locator."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def issue(self, case_id: uuid.UUID, dice: Callable[[int], int], *, known_to_staff: bool = False) -> str:
        """Make a return code for this case and give it. Nobody keeps it but whoever it is shown to."""
        code = new_code(dice)
        ring = self._transaction.ring
        keys = await asyncio.to_thread(code_keys, code, ring.salt, ring.code_efforts[0])
        await self.give(case_id, keys, known_to_staff=known_to_staff)
        return code

    async def give(self, case_id: uuid.UUID, keys: CodeKeys, *, known_to_staff: bool = False) -> None:
        """From now on this code leads to this case, and no older code does but one that staff know."""
        connection, table = self._transaction.connection, tables.codes
        await connection.execute(delete(table).where(table.c.case_id == case_id, ~table.c.known_to_staff))
        await connection.execute(
            insert(table).values(
                locator=keys.locator,
                case_id=case_id,
                public_key=keys.private.public.raw,
                known_to_staff=known_to_staff,
                created_at=self._transaction.minute,
            )
        )

    async def settle(self, case_id: uuid.UUID) -> None:
        """The person has shown that they have a code of their own: what staff know opens nothing any more."""
        table = tables.codes
        own = select(table.c.locator).where(table.c.case_id == case_id, ~table.c.known_to_staff).exists()
        await self._transaction.connection.execute(
            delete(table).where(table.c.case_id == case_id, table.c.known_to_staff, own)
        )

    async def find(self, locator: bytes) -> uuid.UUID | None:
        """The case under a locator."""
        table = tables.codes
        query = select(table.c.case_id).where(table.c.locator == locator)
        found: uuid.UUID | None = await self._transaction.connection.scalar(query)
        return found

    async def match(self, candidates: Sequence[CodeKeys]) -> Match | None:
        """The case that one of these leads to: a code derives one of them for each effort in use."""
        table = tables.codes
        query = select(table.c.locator, table.c.case_id, table.c.known_to_staff)
        wanted = query.where(table.c.locator.in_([c.locator for c in candidates])).limit(1)
        row = (await self._transaction.connection.execute(wanted)).first()
        if row is None:
            return None
        keys = next(c for c in candidates if c.locator == row.locator)
        return Match(case_id=row.case_id, keys=keys, known_to_staff=row.known_to_staff)

    async def oldest(self) -> datetime | None:
        """When the oldest code that is still good was given."""
        found: datetime | None = await self._transaction.connection.scalar(select(func.min(tables.codes.c.created_at)))
        return found

    async def leave(self, case_id: uuid.UUID, *texts: str) -> bool:
        """Seal answers to the case's return code, or to both while it has two; False when it has none."""
        connection = self._transaction.connection
        rows = (await connection.execute(select(tables.codes).where(tables.codes.c.case_id == case_id))).all()
        for row in rows:
            await self._seal(row.locator, row.public_key, texts)
        return bool(rows)

    async def pass_on(self, case_id: uuid.UUID, texts: Sequence[str]) -> tuple[uuid.UUID, ...]:
        """Seal answers that an older code opened to the person's own as well; gives their ids under it."""
        table = tables.codes
        query = select(table).where(table.c.case_id == case_id, ~table.c.known_to_staff)
        row = (await self._transaction.connection.execute(query)).one()
        return await self._seal(row.locator, row.public_key, texts)

    async def _seal(self, locator: bytes, public_key: bytes, texts: Sequence[str]) -> tuple[uuid.UUID, ...]:
        transaction = self._transaction
        ids = []
        for place, text in enumerate(texts):
            row_id = transaction.new_id()
            await transaction.connection.execute(
                insert(tables.waiting_answers).values(
                    id=row_id,
                    locator=locator,
                    sealed=seal(text.encode(), PublicKey(public_key), f"waiting/{row_id}"),
                    # To the microsecond: it is staff's doing, and answers of one minute keep their order.
                    created_at=transaction.now + timedelta(microseconds=place),
                )
            )
            ids.append(row_id)
        return tuple(ids)

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
