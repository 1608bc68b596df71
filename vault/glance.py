"""What the queue shows of many cases at once, in three queries however many they are. Only reads, with open keys."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sqlalchemy import desc, select
from sqlalchemy.dialects.postgresql import distinct_on

from vault import tables
from vault.cases import Case, Entry, EntryKind
from vault.erasing import CaseLocks
from vault.errors import CannotOpen
from vault.sealing import PrivateKey, open_sealed
from vault.transaction import Transaction


async def newest(
    transaction: Transaction, cases: Sequence[Case], team_keys: Mapping[uuid.UUID, PrivateKey], kind: EntryKind
) -> Mapping[uuid.UUID, Entry]:
    """The newest entry of this kind by case. A case without one, or whose bytes do not open with these keys,
    is left out: one damaged case must not hide the others.
    """
    ids = [case.id for case in cases]
    grants, entries = tables.grants, tables.entries
    granted = await transaction.connection.execute(
        select(grants)
        .ext(distinct_on(grants.c.case_id))
        .where(grants.c.case_id.in_(ids), grants.c.team_id.in_(list(team_keys)))
        .order_by(grants.c.case_id)
    )
    inner: dict[uuid.UUID, bytes] = {}
    for row in granted:
        with suppress(CannotOpen):
            inner[row.case_id] = open_sealed(row.sealed, team_keys[row.team_id], f"grant/{row.case_id}/{row.team_id}")
    keys = await CaseLocks(transaction).open(inner)
    found = await transaction.connection.execute(
        select(entries)
        .ext(distinct_on(entries.c.case_id))
        .where(entries.c.case_id.in_(list(keys)), entries.c.kind == kind)
        .order_by(entries.c.case_id, desc(entries.c.number))
    )
    read: dict[uuid.UUID, Entry] = {}
    for row in found:
        with suppress(CannotOpen):
            opened = open_sealed(row.sealed, keys[row.case_id], f"entry/{row.case_id}/{row.number}/{row.kind}")
            read[row.case_id] = Entry.from_bytes(kind, opened)
    return read
