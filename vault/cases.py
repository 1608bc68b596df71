"""Cases: who may open them, what was said in them, and the states by which the queue is ordered.

What is said is sealed to the case's public key at once; the service cannot open it again. The case's private key
exists only as grants, sealed to the team, behind a lock of the case's own (vault/erasing.py). A member opens a case
with the team key that their own key opens.
"""

import json
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from triage.levels import Level
from triage.review import CaseState
from vault import tables
from vault.erasing import CaseLocks
from vault.errors import CannotOpen, Conflict, Erased, NoTeam, NotFound
from vault.sealing import PrivateKey, PublicKey, new_private_key, open_sealed, seal
from vault.teams import hold_still
from vault.transaction import Transaction

_CODE_DIGITS: Final = 6
_CODE_TRIES: Final = 20


class EntryKind(StrEnum):
    """What an entry of a case is. The kind is stored in clear, so it tells nothing about what was said."""

    PERSON = "person"  # words or a choice of the person
    STAFF = "staff"  # an answer to the person
    NOTE = "note"  # for the team only
    REASONS = "reasons"  # why the level is what it is
    ENVELOPE = "envelope"  # how to reach the person


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason of an assessment, as kept with the case."""

    rule: str
    level: str
    words: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in a case's timeline; everything but the kind is sealed."""

    kind: EntryKind
    text: str = field(default="", repr=False)
    step: str = ""  # the question it answered
    choice: str = ""  # the choice id, when a choice was made
    language: str = ""
    channel: str = ""
    author: str = ""  # member id of staff entries
    earlier: bool = False  # from a phone that answers no longer go to
    parcel: str = ""  # outbox id of an answer
    media: tuple[str, ...] = field(default=(), repr=False)
    reasons: tuple[Reason, ...] = field(default=(), repr=False)
    address: str = field(default="", repr=False)  # envelopes only

    def to_bytes(self) -> bytes:
        """Compact JSON."""
        plain = {k: v for k, v in asdict(self).items() if v and k != "kind"}
        return json.dumps(plain, ensure_ascii=False).encode("utf-8", "surrogatepass")

    @classmethod
    def from_bytes(cls, kind: EntryKind, raw: bytes) -> "Entry":
        """The inverse of `to_bytes`."""
        plain: dict[str, Any] = json.loads(raw.decode("utf-8", "surrogatepass"))
        reasons = tuple(Reason(**r) for r in plain.pop("reasons", ()))
        return cls(kind=kind, reasons=reasons, media=tuple(plain.pop("media", ())), **plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the service itself knows of a case: states and rounded times."""

    id: uuid.UUID
    code: str
    state: CaseState
    level: Level
    life_at_risk: bool
    unread: bool
    waits: bool
    language: str
    channel: str
    discreet: bool
    resting: bool = False
    forced: bool = False  # somebody reads along: nothing goes to this phone until the check word
    envelope: int = 0
    contact_rule: str
    contact_hours: str
    member_id: uuid.UUID | None
    opened_at: datetime
    waits_since: datetime | None = None
    drill: bool = False
    changed_at: datetime
    filed_at: datetime | None
    closed_at: datetime | None
    withdrawn_at: datetime | None = None
    public_key: bytes = field(repr=False)

    @property
    def since(self) -> datetime:
        """Since when something is owed: the oldest message nobody has answered."""
        return self.waits_since or self.opened_at


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEntry:
    """An entry that was opened."""

    number: int
    at: datetime
    entry: Entry


class Cases:
    """Cases and their entries."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def open(
        self,
        *,
        language: str,
        channel: str,
        level: Level,
        drill: bool = False,
        dice: Callable[[int], int] = secrets.randbelow,
    ) -> Case:
        """Begin a case: a new key pair, sealed to every team. Raises NoTeam: what nobody can open is not kept."""
        transaction = self._transaction
        await hold_still(transaction)  # or a team whose key is just being replaced would be given this one too
        query = select(tables.teams).where(tables.teams.c.retired_at.is_(None))
        teams = (await transaction.connection.execute(query)).all()
        if not teams:
            raise NoTeam
        key = new_private_key()
        case_id = transaction.new_id()
        for _ in range(_CODE_TRIES):
            query_insert = (
                upsert(tables.cases)
                .values(
                    id=case_id,
                    code=f"{dice(10**_CODE_DIGITS):0{_CODE_DIGITS}d}",
                    state=CaseState.DRAFT,
                    level=int(level),
                    unread=True,
                    waits=True,
                    language=language,
                    channel=channel,
                    drill=drill,
                    public_key=key.public.raw,
                    opened_at=transaction.minute,
                    changed_at=transaction.minute,
                )
                .on_conflict_do_nothing(index_elements=["code"])
                .returning(tables.cases.c.code)
            )
            if await transaction.connection.scalar(query_insert):
                break
        else:
            raise Conflict
        granted = await CaseLocks(transaction).close(case_id, key)
        for team in teams:
            sealed = seal(granted, PublicKey(team.public_key), f"grant/{case_id}/{team.id}")
            await transaction.connection.execute(
                insert(tables.grants).values(case_id=case_id, team_id=team.id, sealed=sealed)
            )
        return await self.get(case_id)

    async def teams(self) -> int:
        """How many teams could open a case; none means that nothing can be taken."""
        query = select(func.count()).select_from(tables.teams).where(tables.teams.c.retired_at.is_(None))
        return int(await self._transaction.connection.scalar(query) or 0)

    async def get(self, case_id: uuid.UUID, *, lock: bool = False) -> Case:
        """The case. Raises NotFound."""
        return await self._one(tables.cases.c.id == case_id, lock=lock)

    async def by_code(self, code: str, *, lock: bool = False) -> Case:
        """The case with this six-digit code. Raises NotFound."""
        return await self._one(tables.cases.c.code == code, lock=lock)

    async def _one(self, condition: Any, *, lock: bool) -> Case:
        query = select(tables.cases).where(condition)
        row = (await self._transaction.connection.execute(query.with_for_update() if lock else query)).first()
        if row is None:
            raise NotFound
        return _case(row)

    async def add(self, case: Case, entry: Entry) -> int:
        """Seal an entry into the case; gives its number."""
        transaction = self._transaction
        table = tables.entries
        await transaction.connection.execute(  # one writer a case, so that numbers have no gaps
            select(tables.cases.c.id).where(tables.cases.c.id == case.id).with_for_update()
        )
        query = select(func.coalesce(func.max(table.c.number), 0)).where(table.c.case_id == case.id)
        number = int(await transaction.connection.scalar(query) or 0) + 1
        sealed = seal(entry.to_bytes(), PublicKey(case.public_key), f"entry/{case.id}/{number}/{entry.kind}")
        await transaction.connection.execute(
            insert(table).values(
                id=transaction.new_id(),
                case_id=case.id,
                number=number,
                kind=entry.kind,
                sealed=sealed,
                at=transaction.minute,
            )
        )
        return number

    async def change(self, case_id: uuid.UUID, **states: Any) -> Case:
        """Set states (column names of the table) and the time of the change. Raises NotFound."""
        values = {k: int(v) if isinstance(v, Level) else v for k, v in states.items()}
        query = (
            update(tables.cases)
            .where(tables.cases.c.id == case_id)
            .values(**values, changed_at=self._transaction.minute)
            .returning(*tables.cases.c)
        )
        row = (await self._transaction.connection.execute(query)).first()
        if row is None:
            raise NotFound
        return _case(row)

    async def in_states(self, states: Sequence[CaseState], *, limit: int = 500) -> tuple[Case, ...]:
        """Cases in these states, worst and oldest first."""
        table = tables.cases
        query = (
            select(table)
            .where(table.c.state.in_(list(states)))
            .order_by(table.c.level.desc(), table.c.opened_at)
            .limit(limit)
        )
        return tuple(_case(row) for row in await self._transaction.connection.execute(query))

    async def overdue(self, before: Mapping[Level, datetime]) -> tuple[uuid.UUID, ...]:
        """Every case that a human should have read by now and nobody has, for each level since before its moment."""
        table = tables.cases
        since = func.coalesce(table.c.waits_since, table.c.opened_at)
        late = [and_(table.c.level == int(level), since < moment) for level, moment in before.items()]
        states = (CaseState.DRAFT, CaseState.OPEN, CaseState.ASSIGNED)
        query = select(table.c.id).where(table.c.unread, table.c.state.in_(states), or_(*late))
        return tuple(row.id for row in await self._transaction.connection.execute(query))

    async def count(self, *, drills: bool = True) -> Mapping[tuple[CaseState, Level], int]:
        """How many cases are in each state and level; without `drills` only what real people reported."""
        table = tables.cases
        query = select(table.c.state, table.c.level, func.count()).group_by(table.c.state, table.c.level)
        if not drills:
            query = query.where(~table.c.drill)
        rows = await self._transaction.connection.execute(query)
        return {(CaseState(state), Level(level)): int(n) for state, level, n in rows}

    async def key(self, case: Case, team_keys: Mapping[uuid.UUID, PrivateKey]) -> PrivateKey:
        """The case's private key, through a grant to one of the teams. Raises CannotOpen, Erased."""
        if case.state is CaseState.ERASED:
            raise Erased
        query = select(tables.grants).where(
            tables.grants.c.case_id == case.id, tables.grants.c.team_id.in_(list(team_keys))
        )
        row = (await self._transaction.connection.execute(query.limit(1))).first()
        if row is None:
            raise CannotOpen
        granted = open_sealed(row.sealed, team_keys[row.team_id], f"grant/{row.case_id}/{row.team_id}")
        keys = await CaseLocks(self._transaction).open({case.id: granted})
        if case.id not in keys:
            raise CannotOpen
        return keys[case.id]

    async def read(
        self, case: Case, key: PrivateKey, kinds: Sequence[EntryKind] = tuple(EntryKind)
    ) -> tuple[OpenEntry, ...]:
        """Open the entries of these kinds, oldest first. Raises CannotOpen."""
        table = tables.entries
        query = select(table).where(table.c.case_id == case.id, table.c.kind.in_(list(kinds))).order_by(table.c.number)
        rows = (await self._transaction.connection.execute(query)).all()
        return tuple(
            OpenEntry(
                number=row.number,
                at=row.at,
                entry=Entry.from_bytes(
                    EntryKind(row.kind), open_sealed(row.sealed, key, f"entry/{case.id}/{row.number}/{row.kind}")
                ),
            )
            for row in rows
        )


def _case(row: Any) -> Case:
    values = dict(row._mapping)
    values |= {"state": CaseState(values["state"]), "level": Level(values["level"])}
    return Case(**values)
