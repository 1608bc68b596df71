"""The key ring: the few secrets that live outside the database and outside its backups.

A directory of small files, readable by the service alone: one *service* key (staff contact details, sign-in
names, digests of provider ids), one *audit* signing seed, one *salt*, and one secret per *epoch*. Destroying an
epoch's file is what forgetting means: pseudonyms of that epoch link to nobody, and what was locked in it
(conversation state, answers on their way, words waiting to be read) never opens again.

Keys of people (members, teams, cases, return codes) are not here: they are in the database, sealed or wrapped.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vault.errors import EpochGone, NoKeyRing
from vault.sealing import KEY_BYTES, derive, lock, unlock

_SERVICE: Final = "service"
_AUDIT: Final = "audit"
_SALT: Final = "salt"
_EPOCH: Final = "epoch-"
_SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """The secrets of one installation, read into memory. `epochs` maps number to secret; the greatest is current."""

    directory: Path
    service: bytes = field(repr=False)
    audit: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    epochs: Mapping[int, bytes] = field(repr=False)

    @property
    def current(self) -> int:
        """Number of the epoch in which new things are locked."""
        return max(self.epochs)

    def epoch_key(self, epoch: int, purpose: str) -> bytes:
        """A 32-byte key of one epoch for one purpose. Raises EpochGone."""
        if epoch not in self.epochs:
            raise EpochGone
        return derive(self.epochs[epoch], f"harborline/epoch/{purpose}")

    def service_key(self, purpose: str) -> bytes:
        """A 32-byte key of this installation for one purpose."""
        return derive(self.service, f"harborline/service/{purpose}")

    def lock_in_epoch(self, plaintext: bytes, context: str) -> tuple[int, bytes]:
        """Lock for the current epoch; gives its number, which `unlock_in_epoch` needs."""
        epoch = self.current
        return epoch, lock(plaintext, self.epoch_key(epoch, "lock"), context)

    def unlock_in_epoch(self, epoch: int, locked: bytes, context: str) -> bytes:
        """The inverse of `lock_in_epoch`. Raises EpochGone, CannotOpen."""
        return unlock(locked, self.epoch_key(epoch, "lock"), context)

    def lock_for_service(self, plaintext: bytes, context: str) -> bytes:
        """Lock what the service must open at any hour, such as a responder's number."""
        return lock(plaintext, self.service_key("lock"), context)

    def unlock_for_service(self, locked: bytes, context: str) -> bytes:
        """The inverse of `lock_for_service`. Raises CannotOpen."""
        return unlock(locked, self.service_key("lock"), context)


def init_key_ring(directory: Path) -> KeyRing:
    """Make whatever the key ring still lacks and read it. Never replaces a key; safe to run twice or at once."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, size in ((_SERVICE, KEY_BYTES), (_AUDIT, KEY_BYTES), (_SALT, _SALT_BYTES)):
        _create(directory / name, size)
    if not any(directory.glob(f"{_EPOCH}*")):
        _create(directory / f"{_EPOCH}1", KEY_BYTES)
    return read_key_ring(directory)


def read_key_ring(directory: Path) -> KeyRing:
    """Read the key ring. Raises NoKeyRing when a part is missing."""
    try:
        epochs = {int(p.name.removeprefix(_EPOCH)): p.read_bytes() for p in directory.glob(f"{_EPOCH}*")}
        service, audit, salt = ((directory / name).read_bytes() for name in (_SERVICE, _AUDIT, _SALT))
    except (OSError, ValueError):
        raise NoKeyRing from None
    sizes = {len(key) for key in (service, audit, *epochs.values())}
    if not epochs or sizes != {KEY_BYTES} or len(salt) != _SALT_BYTES:
        raise NoKeyRing
    return KeyRing(directory=directory, service=service, audit=audit, salt=salt, epochs=epochs)


def begin_epoch(ring: KeyRing) -> KeyRing:
    """Begin the next epoch; the older ones stay readable until `destroy_epoch`."""
    _create(ring.directory / f"{_EPOCH}{ring.current + 1}", KEY_BYTES)
    return read_key_ring(ring.directory)


def destroy_epoch(ring: KeyRing, epoch: int) -> KeyRing:
    """Destroy an epoch's secret, never the current one. Overwritten first, then unlinked.

    On copy-on-write file systems and on flash the old block may outlive this; SECURITY.md says so.
    """
    if epoch == ring.current:
        raise ValueError("the current epoch cannot be destroyed: begin a new one first")
    path = ring.directory / f"{_EPOCH}{epoch}"
    try:
        with path.open("r+b") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        raise EpochGone from None
    return read_key_ring(ring.directory)


def _create(path: Path, size: int) -> None:
    """Write a random key under a name of its own, then link it into place: whole or not at all, and only once."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(size))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first; its key stands
    finally:
        draft.unlink()
