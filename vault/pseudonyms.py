"""Address -> Pseudonym: how a returning person is recognised without keeping who they are.

Pseudonym = HMAC-SHA256(epoch secret, Argon2id(channel and value, salt)). The slow part costs a thief of the whole
machine tens of milliseconds a guess; the epoch secret, once destroyed, makes guessing impossible. Addresses and
their digests are kept in this process's memory only, and only as long as a conversation lasts.
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from vault.keys import KeyRing
from vault.sealing import Effort, stretch

_KEEP: Final = timedelta(hours=1)
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """Who writes, within one epoch: 32 bytes that mean nothing outside it."""

    epoch: int
    value: bytes = field(repr=False)


class Pseudonyms:
    """Derives pseudonyms, and remembers the slow digests for an hour."""

    def __init__(self, ring: KeyRing, effort: Effort, now: Callable[[], datetime]) -> None:
        self._ring = ring
        self._effort = effort
        self._now = now
        self._digests: OrderedDict[tuple[str, str], tuple[datetime, bytes]] = OrderedDict()

    async def of(self, channel: str, value: str) -> tuple[Pseudonym, ...]:
        """The address's pseudonym in every epoch that is still readable, the current one first."""
        digest = await self._digest(channel, value)
        return tuple(
            Pseudonym(epoch, hmac.digest(self._ring.epoch_key(epoch, "pseudonym"), digest, hashlib.sha256))
            for epoch in sorted(self._ring.epochs, reverse=True)
        )

    def use(self, ring: KeyRing) -> None:
        """Go on with a changed key ring."""
        self._ring = ring

    async def _digest(self, channel: str, value: str) -> bytes:
        now = self._now()
        while self._digests and now - next(iter(self._digests.values()))[0] > _KEEP:
            self._digests.popitem(last=False)
        known = self._digests.pop((channel, value), None)
        digest = (
            known[1]
            if known
            else await asyncio.to_thread(stretch, f"{channel}:{value}".encode(), self._ring.salt, self._effort)
        )
        self._digests[channel, value] = (now, digest)
        if len(self._digests) > _MOST:
            self._digests.popitem(last=False)
        return digest
