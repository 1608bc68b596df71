"""Address -> Pseudonym: how a returning person is recognised without keeping who they are.

Pseudonym = HMAC-SHA256(epoch secret, Argon2id(channel and value, salt)). The slow part costs a thief of the whole
machine tens of milliseconds a guess (`harborline keys calibrate`); the epoch secret, once destroyed, makes guessing
impossible. Addresses and their digests are kept in this process's memory only, as long as a conversation lasts.
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from vault.keys import KeyRing, reread
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
        """`effort` is what a derivation costs as long as the key ring was never calibrated."""
        self._ring = ring
        self._effort = effort
        self._now = now
        self._digests: OrderedDict[tuple[str, str, Effort], tuple[datetime, bytes]] = OrderedDict()

    async def of(self, channel: str, value: str) -> tuple[Pseudonym, ...]:
        """The address's pseudonym in every epoch that is still readable, the current one first."""
        ring = self._look()
        names = []
        for epoch in sorted(ring.epochs, reverse=True):
            digest = await self._digest(channel, value, ring.effort_of(epoch) or self._effort)
            key = ring.epoch_key(epoch, "pseudonym")
            names.append(Pseudonym(epoch, hmac.digest(key, digest, hashlib.sha256)))
        return tuple(names)

    def are_current(self, pseudonyms: Sequence[Pseudonym]) -> bool:
        """False when an epoch has begun since they were derived: ask again, or a person is taken for two.

        Ask once the pseudonyms are locked (`Unit.lock`): whoever held them before may have known of the new epoch.
        """
        return pseudonyms[0].epoch == self._look().current

    def use(self, ring: KeyRing) -> None:
        """Go on with a changed key ring."""
        self._ring = ring

    def _look(self) -> KeyRing:
        self._ring = reread(self._ring)
        return self._ring

    @property
    def effort(self) -> Effort:
        """What a derivation costs as long as the key ring was never calibrated."""
        return self._effort

    async def _digest(self, channel: str, value: str, effort: Effort) -> bytes:
        now = self._now()
        while self._digests and now - next(iter(self._digests.values()))[0] > _KEEP:
            self._digests.popitem(last=False)
        name = (channel, value, effort)
        known = self._digests.pop(name, None)
        digest = (
            known[1]
            if known
            else await asyncio.to_thread(stretch, f"{channel}:{value}".encode(), self._ring.salt, effort)
        )
        self._digests[name] = (now, digest)
        if len(self._digests) > _MOST:
            self._digests.popitem(last=False)
        return digest
