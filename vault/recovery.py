"""The way back when nobody can sign in any more: a key on two sheets of paper, which opens the team's key.

The database has its public half, so a new team key is sealed to it without the sheets. The private half is derived
from a secret of 32 bytes that is shown once, split in two: one half is random, the other is the secret XOR that half.
Each sheet by itself is 32 random bytes. Printing again replaces key and sheets.

A sheet is four lines of sixteen signs, the last two of each a check, so that a typing error is found in its line.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, select

from vault import tables
from vault.audit import Audit
from vault.errors import BadSheet, CannotOpen
from vault.members import Members, SignedIn
from vault.sealing import SEED_BYTES, PrivateKey, derive, open_sealed
from vault.teams import TeamKeys, Teams
from vault.transaction import Transaction

_SIGNS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
_READ_AS: Final = str.maketrans("OIL", "011")
_SHARE: Final = 32  # bytes
_HEAD: Final = 3  # bytes: which sheet, and which pair of sheets
LINES: Final = 4
_DATA: Final = 14  # signs of a line before its check: 4 x 14 x 5 bits are the 35 bytes
_CHECK: Final = 2
SHEETS: Final = (1, 2)

Sheet = tuple[str, ...]
"""Lines as they are printed, in groups of four signs."""


def split(secret: bytes) -> tuple[Sheet, Sheet]:
    """Two sheets, of which each alone tells nothing about the secret."""
    pad = secrets.token_bytes(_SHARE)
    masked = bytes(a ^ b for a, b in zip(secret, pad, strict=True))
    pair = _pair(secret)
    first, second = (_written(bytes([n]) + pair + share) for n, share in zip(SHEETS, (pad, masked), strict=True))
    return first, second


def join(sheets: Sequence[Sequence[str]]) -> bytes:
    """The secret of two sheets, in any order. Raises BadSheet."""
    read = [_read(lines, sheet=n) for n, lines in zip(SHEETS, sheets, strict=True)]
    if sorted(raw[0] for raw in read) != list(SHEETS):
        raise BadSheet(sheet=2)
    secret = bytes(a ^ b for a, b in zip(read[0][_HEAD:], read[1][_HEAD:], strict=True))
    if any(raw[1:_HEAD] != _pair(secret) for raw in read):
        raise BadSheet(sheet=2)
    return secret


def recovery_key(secret: bytes) -> PrivateKey:
    """The key pair that the sheets stand for."""
    return PrivateKey(derive(secret, "harborline/recovery", SEED_BYTES))


def _pair(secret: bytes) -> bytes:
    """Two bytes by which sheets of one pair know each other."""
    return hashlib.sha256(b"harborline/recovery/pair" + secret).digest()[: _HEAD - 1]


def _written(raw: bytes) -> Sheet:
    number = int.from_bytes(raw)
    signs = "".join(_SIGNS[number >> shift & 31] for shift in range((len(raw) * 8) - 5, -1, -5))
    lines = [signs[i : i + _DATA] for i in range(0, len(signs), _DATA)]
    whole = [line + _check(line, n) for n, line in enumerate(lines, start=1)]
    return tuple(" ".join(line[i : i + 4] for i in range(0, len(line), 4)) for line in whole)


def _read(lines: Sequence[str], *, sheet: int) -> bytes:
    number = 0
    for n in range(1, LINES + 1):
        line = lines[n - 1] if n <= len(lines) else ""
        if not line_fits(line, n):
            raise BadSheet(sheet=sheet, line=n)
        for sign in _plain(line)[:_DATA]:
            number = number << 5 | _SIGNS.index(sign)
    return number.to_bytes(_HEAD + _SHARE)


def line_fits(line: str, number: int) -> bool:
    """True when this is a line of a sheet, at this place (from 1), typed without a mistake."""
    plain = _plain(line)
    whole = len(plain) == _DATA + _CHECK and set(plain) <= set(_SIGNS)
    return whole and plain[_DATA:] == _check(plain[:_DATA], number)


def _plain(line: str) -> str:
    """Without spaces and hyphens, in capitals, look-alikes read as what they look like."""
    return "".join(line.split()).replace("-", "").upper().translate(_READ_AS)


def _check(data: str, line: int) -> str:
    """Two signs of a hash of the line and its place."""
    digest = hashlib.sha256(f"{line}{data}".encode()).digest()
    return "".join(_SIGNS[byte & 31] for byte in digest[:_CHECK])


class Recovery:
    """The recovery key of this installation."""

    def __init__(self, transaction: Transaction, audit: Audit) -> None:
        self._transaction = transaction
        self._audit = audit
        self._teams = Teams(transaction)

    async def printed(self) -> datetime | None:
        """When the sheets in force were made; None: there are none."""
        query = select(tables.recoveries.c.created_at).limit(1)
        found: datetime | None = await self._transaction.connection.scalar(query)
        return found

    async def print(self, *, by: SignedIn) -> tuple[Sheet, Sheet]:
        """A new recovery key for every key that `by` holds, on two sheets; the sheets before open nothing any more.

        Raises NotAllowed, Conflict.
        """
        transaction = self._transaction
        await Members(transaction).supervises(by)
        secret = secrets.token_bytes(_SHARE)
        public_key, recovery_id = recovery_key(secret).public, transaction.new_id()
        await transaction.connection.execute(delete(tables.recoveries))
        await transaction.connection.execute(
            insert(tables.recoveries).values(id=recovery_id, public_key=public_key.raw, created_at=transaction.minute)
        )
        await self._teams.share_for_recovery(by.teams, recovery_id, public_key)
        self._audit.add("recovery.printed", "recovery", actor=f"member:{by.member.id}")
        return split(secret)

    async def open(self, sheets: Sequence[Sequence[str]]) -> TeamKeys:
        """The teams' keys, with both sheets. Raises BadSheet; CannotOpen when newer sheets were printed since."""
        key = recovery_key(join(sheets))
        table = tables.recovery_grants
        rows = (await self._transaction.connection.execute(select(table))).all()
        if not rows:
            raise CannotOpen
        return {
            row.team_id: PrivateKey(open_sealed(row.sealed, key, f"recovery/{row.team_id}/{row.recovery_id}"))
            for row in rows
        }
