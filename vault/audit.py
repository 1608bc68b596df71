"""A hash chain of who did what to which case, and when; every link signed, so that an outsider can verify an export.

It proves that and when, never what: subjects are codes and ids. The key is Ed25519, derived from the key ring's audit
seed; an export and the public key are all that verification needs.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import desc, func, insert, select, text

from vault import tables
from vault.keys import KeyRing
from vault.sealing import derive
from vault.transaction import Transaction

_FIRST: Final = b"\0" * 32
_REMEMBERED: Final = 20_000  # lines; a line is busy that writes so many while one case waits
_NO_WORK: Final = ("alert.acknowledged", "case.acknowledged", "case.released")
_SPOKEN: Final = ("call.connected",)  # by whoever answered the phone, member or not
_LOCK: Final = 0x68_61_72_62_61_75_64  # one writer at a time, across all processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One link of the chain."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    hash: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def to_json(self) -> dict[str, str | int]:
        """Plain values for an export; the inverse of `from_json`."""
        return {
            "number": self.number,
            "at": self.at.astimezone(UTC).isoformat(),
            "actor": self.actor,
            "action": self.action,
            "subject": self.subject,
            "hash": self.hash.hex(),
            "signature": self.signature.hex(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Line":
        """Rebuild an exported line. Raises KeyError, TypeError, ValueError, OverflowError when it is not one."""
        return cls(
            number=int(value["number"]),
            at=datetime.fromisoformat(value["at"]).astimezone(UTC),  # of the years 1 and 9999: OverflowError
            actor=value["actor"],
            action=value["action"],
            subject=value["subject"],
            hash=bytes.fromhex(value["hash"]),
            signature=bytes.fromhex(value["signature"]),
        )


class Broken(Exception):
    """The audit trail was changed: the first line that does not fit is named."""

    def __init__(self, number: int) -> None:
        super().__init__(f"the audit trail does not fit at line {number}: it, or a line before it, was changed")
        self.number = number


class Audit:
    """Collects the lines of one transaction and chains them just before it commits."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._waiting: list[tuple[str, str, str]] = []

    def add(self, action: str, subject: str, *, actor: str = "system") -> None:
        """Note that `actor` did `action` to `subject`; written when the unit commits."""
        self._waiting.append((actor, action, subject))

    async def write(self) -> None:
        """Chain what was added. Called by the unit, last, since it holds the one lock of the chain."""
        if not self._waiting:
            return
        connection = self._transaction.connection
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        table = tables.audit
        last = (await connection.execute(select(table).order_by(desc(table.c.number)).limit(1))).first()
        number, previous = (last.number, last.hash) if last else (0, _FIRST)
        key = signing_key(self._transaction.ring)
        for actor, action, subject in self._waiting:
            number += 1
            at = self._transaction.minute
            previous = _hash(previous, number, at, actor, action, subject)
            await connection.execute(
                insert(table).values(
                    number=number,
                    at=at,
                    actor=actor,
                    action=action,
                    subject=subject,
                    hash=previous,
                    signature=key.sign(previous),
                )
            )
        self._waiting.clear()

    async def lines(self, *, limit: int = 200, before: int | None = None) -> tuple[Line, ...]:
        """The newest lines first, at most `limit`, all with a number below `before`."""
        table = tables.audit
        query = select(table).order_by(desc(table.c.number)).limit(limit)
        if before is not None:
            query = query.where(table.c.number < before)
        return tuple(Line(**row._mapping) for row in await self._transaction.connection.execute(query))

    async def latest(self, action: str, subject: str = "") -> datetime | None:
        """When this was last done; with a subject, to this one."""
        table = tables.audit
        query = select(table.c.at).where(table.c.action == action).order_by(desc(table.c.number)).limit(1)
        if subject:
            query = query.where(table.c.subject == subject)
        found: datetime | None = await self._transaction.connection.scalar(query)
        return found

    async def worked_on(self, code: str, since: datetime) -> datetime | None:
        """When staff last did something with this case, at or after the minute of `since`; None: nothing, or more than
        _REMEMBERED lines ago. Saying "I have it" is a promise and not yet work, and putting it back is none."""
        table, minute = tables.audit, since.replace(second=0, microsecond=0)
        newest = select(func.max(table.c.number)).scalar_subquery()
        by_staff = table.c.actor.startswith("member:") | table.c.action.in_(_SPOKEN)
        query = (
            select(table.c.at)
            .where(table.c.number > newest - _REMEMBERED, table.c.at >= minute, by_staff)
            .where(table.c.subject.startswith(f"case:{code}"), table.c.action.not_in(_NO_WORK))
            .order_by(desc(table.c.number))
            .limit(1)
        )
        found: datetime | None = await self._transaction.connection.scalar(query)
        return found

    async def begins(self) -> datetime | None:
        """When the first line was written."""
        table = tables.audit
        found: datetime | None = await self._transaction.connection.scalar(
            select(table.c.at).where(table.c.number == 1)
        )
        return found


def signing_key(ring: KeyRing) -> Ed25519PrivateKey:
    """The key that signs the chain."""
    return Ed25519PrivateKey.from_private_bytes(derive(ring.audit, "harborline/audit"))


def checking_key(ring: KeyRing) -> Ed25519PublicKey:
    """The key that checks it; an export carries it."""
    return signing_key(ring).public_key()


def verify(lines: Iterable[Line], key: Ed25519PublicKey, *, after: Line | None = None) -> int:
    """Check a whole chain, oldest first, or what follows the line `after`; gives the last number. Raises Broken."""
    previous, first = (after.hash, after.number + 1) if after else (_FIRST, 1)
    count = first - 1
    for count, line in enumerate(lines, start=first):
        previous = _hash(previous, count, line.at, line.actor, line.action, line.subject)
        try:
            key.verify(line.signature, previous)
        except InvalidSignature:
            raise Broken(count) from None
        if line.number != count or line.hash != previous:
            raise Broken(count)
    return count


def _hash(previous: bytes, number: int, at: datetime, *what: str) -> bytes:
    """The hash of a line: of the one before, the number, the time, and actor, action and subject."""
    line = json.dumps([number, at.astimezone(UTC).isoformat(), *what], ensure_ascii=True)
    return hashlib.sha256(previous + line.encode()).digest()
