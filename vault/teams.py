"""Teams: the key that opens the cases, who holds it, and what happens when it has to change.

A new key takes two steps. `rotate` is one transaction: from then on new cases are sealed to the new key alone, and
whoever was left out holds nothing new. `regrant` then moves the grants of the cases that were there, a batch a
transaction, with the open keys of any member who is still in. Between two batches every case opens, through the one
grant or the other; broken off anywhere, it goes on where it stopped. When the last grant has moved, the old key is
destroyed.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from vault import tables
from vault.errors import CannotOpen
from vault.sealing import PrivateKey, PublicKey, new_private_key, open_sealed, seal
from vault.transaction import Transaction

_BATCH: Final = 100  # grants a transaction: about a tenth of a second
_CHANGING: Final = b"teams"
_MOVING: Final = b"regrant"

TeamKeys = Mapping[uuid.UUID, PrivateKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How far moving the grants has come. `after` is where the next batch begins; None: this was the last."""

    left: int
    after: uuid.UUID | None = None
    finished: bool = False  # just now the last one moved, and the old key was destroyed


async def hold_still(transaction: Transaction) -> None:
    """Which teams there are does not change until this transaction ends; many may ask for that at once."""
    await transaction.hold(_CHANGING, shared=True)


class Teams:
    """The teams' keys, as sealed to members and to the recovery key."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def found(self) -> TeamKeys:
        """The first team. Raises CannotOpen when there is one: only a member can share its key."""
        await self._transaction.hold(_CHANGING)
        if await self._transaction.connection.scalar(select(tables.teams.c.id).limit(1)):
            raise CannotOpen
        return await self._new()

    async def _new(self) -> dict[uuid.UUID, PrivateKey]:
        transaction = self._transaction
        team_id, key = transaction.new_id(), new_private_key()
        await transaction.connection.execute(
            insert(tables.teams).values(id=team_id, public_key=key.public.raw, created_at=transaction.minute)
        )
        return {team_id: key}

    async def current(self) -> frozenset[uuid.UUID]:
        """The teams that new cases are sealed to."""
        query = select(tables.teams.c.id).where(tables.teams.c.retired_at.is_(None))
        return frozenset(await self._transaction.connection.scalars(query))

    async def of(self, member_id: uuid.UUID) -> frozenset[uuid.UUID]:
        """The teams whose key this member holds."""
        query = select(tables.memberships.c.team_id).where(tables.memberships.c.member_id == member_id)
        return frozenset(await self._transaction.connection.scalars(query))

    async def open(self, member_id: uuid.UUID, key: PrivateKey) -> TeamKeys:
        """The keys of a member's teams. Raises CannotOpen."""
        table = tables.memberships
        rows = await self._transaction.connection.execute(select(table).where(table.c.member_id == member_id))
        return {
            row.team_id: PrivateKey(open_sealed(row.sealed, key, f"membership/{row.team_id}/{member_id}"))
            for row in rows
        }

    async def share(self, keys: TeamKeys, member_id: uuid.UUID, public_key: PublicKey) -> None:
        """Seal these keys to a member, instead of whatever was sealed to them before."""
        await self.leave(member_id)
        for team_id, key in keys.items():
            sealed = seal(key.seed, public_key, f"membership/{team_id}/{member_id}")
            await self._transaction.connection.execute(
                insert(tables.memberships).values(team_id=team_id, member_id=member_id, sealed=sealed)
            )

    async def leave(self, member_id: uuid.UUID) -> None:
        """Nothing is sealed to this member any more."""
        table = tables.memberships
        await self._transaction.connection.execute(delete(table).where(table.c.member_id == member_id))

    async def share_for_recovery(self, keys: TeamKeys, recovery_id: uuid.UUID, public_key: PublicKey) -> None:
        """Seal these keys to the recovery key."""
        for team_id, key in keys.items():
            sealed = seal(key.seed, public_key, f"recovery/{team_id}/{recovery_id}")
            await self._transaction.connection.execute(
                insert(tables.recovery_grants).values(team_id=team_id, recovery_id=recovery_id, sealed=sealed)
            )

    # A new key -----------------------------------------------------------------------------------------------------

    async def rotate(self, keys: TeamKeys) -> None:
        """Give each current team of `keys` a new key, sealed to whoever holds the old one now, and to recovery.

        Take leave of whoever shall be left out first. No case can be begun meanwhile, so that none is sealed to the
        old key after this.
        """
        await self._transaction.hold(_CHANGING)
        for team_id in await self.current() & keys.keys():
            fresh = await self._new()
            ((successor, key),) = fresh.items()
            await self._transaction.connection.execute(
                update(tables.teams)
                .where(tables.teams.c.id == team_id)
                .values(retired_at=self._transaction.minute, replaced_by=successor)
            )
            await self._share_as(team_id, successor, key)

    async def _share_as(self, old: uuid.UUID, new: uuid.UUID, key: PrivateKey) -> None:
        """Seal a new key to those who hold the old one."""
        members, memberships, recoveries = tables.members, tables.memberships, tables.recoveries
        query = (
            select(members.c.id, members.c.public_key)
            .join(memberships, memberships.c.member_id == members.c.id)
            .where(memberships.c.team_id == old)
        )
        for row in (await self._transaction.connection.execute(query)).all():
            sealed = seal(key.seed, PublicKey(row.public_key), f"membership/{new}/{row.id}")
            await self._transaction.connection.execute(
                insert(memberships).values(team_id=new, member_id=row.id, sealed=sealed)
            )
        for row in (await self._transaction.connection.execute(select(recoveries))).all():
            await self.share_for_recovery({new: key}, row.id, PublicKey(row.public_key))

    async def left(self, keys: Collection[uuid.UUID] | None = None) -> int:
        """How many grants still wait under a key that was replaced; of these teams, or of all."""
        query = select(func.count()).select_from(tables.grants.join(tables.teams)).where(_replaced(keys))
        return int(await self._transaction.connection.scalar(query) or 0)

    async def regrant(self, keys: TeamKeys, *, after: uuid.UUID | None = None, limit: int = _BATCH) -> Moved:
        """Move the next grants to the new key. Call again with its `after` until that is None.

        A grant whose bytes do not open is passed over and stays, and with it the old key.
        """
        await self._transaction.hold(_MOVING)  # one batch at a time, so that nobody takes a locked row for the end
        grants, teams = tables.grants, tables.teams
        query = select(grants).join(teams).where(_replaced(keys)).order_by(grants.c.case_id).limit(limit)
        if after is not None:
            query = query.where(grants.c.case_id > after)
        rows = (await self._transaction.connection.execute(query.with_for_update(of=grants))).all()
        heirs = await self._heirs()
        for row in rows:
            await self._move(row, keys[row.team_id], *heirs[row.team_id])
        finished = not rows and await self._destroy_replaced(keys)
        return Moved(left=await self.left(keys), after=rows[-1].case_id if rows else None, finished=finished)

    async def _heirs(self) -> Mapping[uuid.UUID, tuple[uuid.UUID, PublicKey]]:
        """For each replaced team the one that has its place now, which may be a successor's successor."""
        rows = {row.id: row for row in await self._transaction.connection.execute(select(tables.teams))}
        heirs = {}
        for team_id, row in rows.items():
            last = row
            while last.replaced_by is not None:
                last = rows[last.replaced_by]
            heirs[team_id] = (last.id, PublicKey(last.public_key))
        return heirs

    async def _move(self, grant: Any, key: PrivateKey, heir: uuid.UUID, public_key: PublicKey) -> None:
        try:
            seed = open_sealed(grant.sealed, key, f"grant/{grant.case_id}/{grant.team_id}")
        except CannotOpen:
            return
        table, connection = tables.grants, self._transaction.connection
        sealed = seal(seed, public_key, f"grant/{grant.case_id}/{heir}")
        await connection.execute(
            upsert(table).values(case_id=grant.case_id, team_id=heir, sealed=sealed).on_conflict_do_nothing()
        )
        await connection.execute(
            delete(table).where(table.c.case_id == grant.case_id, table.c.team_id == grant.team_id)
        )

    async def _destroy_replaced(self, keys: Collection[uuid.UUID]) -> bool:
        """Destroy every copy of a replaced key that no grant waits under; False when there was none."""
        grants, teams = tables.grants, tables.teams
        empty = select(teams.c.id).where(_replaced(keys), ~exists().where(grants.c.team_id == teams.c.id))
        destroyed = 0
        for table in (tables.memberships, tables.recovery_grants):
            query = delete(table).where(table.c.team_id.in_(empty)).returning(table.c.team_id)
            destroyed += len((await self._transaction.connection.execute(query)).all())
        return destroyed > 0


def _replaced(keys: Collection[uuid.UUID] | None) -> Any:
    replaced = tables.teams.c.replaced_by.is_not(None)
    return replaced if keys is None else replaced & tables.teams.c.id.in_(list(keys))
