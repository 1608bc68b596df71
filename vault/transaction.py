"""What every repository needs to work inside one transaction: the connection, the key ring, the time and new ids."""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from vault.keys import KeyRing


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One open transaction. `now` is its single point in time (UTC)."""

    connection: AsyncConnection
    ring: KeyRing
    now: datetime
    new_id: Callable[[], uuid.UUID]

    async def hold(self, name: bytes, *, shared: bool = False) -> None:
        """Wait until no other transaction holds this name; held until the end of this one. Twice is once.

        `shared`: others may hold it so too, but nobody alone.
        """
        key = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        await self.connection.execute(text(f"SELECT {function}(:key)"), {"key": key})

    @property
    def minute(self) -> datetime:
        """The time rounded down to the minute: what is stored about a person's doings is never finer."""
        return self.now.replace(second=0, microsecond=0)

    @property
    def hour(self) -> datetime:
        """The time rounded down to the hour."""
        return self.minute.replace(minute=0)
