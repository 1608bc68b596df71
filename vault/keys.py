"""The key ring: the few secrets that live outside the database.

A directory of small files, readable by the service alone: one *service* key (staff contact details, sign-in
names, digests of provider ids), one *audit* signing seed, one *salt*, one secret per *epoch*, one *erasure* key (two
while it is being renewed), and, once it was calibrated, *effort*. Destroying an epoch's file is what forgetting means:
pseudonyms of that epoch link to nobody, and what was locked in it (conversation state, answers on their way, words
waiting to be read) never opens again. What the erasure key is for is told in vault/erasing.py.

Several processes share the directory. Whoever changes it takes a lock on it; whoever uses it looks, each time, whether
it has changed (`reread`). An epoch's age is the date of its file. Keys of people (members, teams, cases, return codes)
are not here: they are in the database, sealed or wrapped.
"""

import fcntl
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from vault.effort import EffortFrom, from_bytes, to_bytes
from vault.errors import EpochGone, NoKeyRing, RingBehind
from vault.sealing import KEY_BYTES, Effort, derive, lock, unlock

_SERVICE: Final = "service"
_AUDIT: Final = "audit"
_SALT: Final = "salt"
_EPOCH: Final = "epoch-"
_ERASURE: Final = "erasure-"
_EFFORT: Final = "effort"
_SALT_BYTES: Final = 16
_DRAFT: Final = re.compile(r"\.(service|audit|salt|effort|epoch-\d+|erasure-\d+)-[0-9a-f]{16}")
_TRIES: Final = 5  # how often to read a directory that changes while it is read

Listing = frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """The secrets of one installation, read into memory. `epochs` maps number to secret; the greatest is current."""

    directory: Path
    service: bytes = field(repr=False)
    audit: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    epochs: Mapping[int, bytes] = field(repr=False)
    begun: Mapping[int, datetime]  # when each epoch began (UTC)
    erasure: Mapping[int, bytes] = field(repr=False)
    efforts: tuple[EffortFrom, ...] = ()  # oldest first; empty: never calibrated
    listing: Listing = field(repr=False)  # the directory as it was read, to see when it has changed

    @property
    def current(self) -> int:
        """Number of the epoch in which new things are locked."""
        return max(self.epochs)

    def effort_of(self, epoch: int) -> Effort | None:
        """What one derivation costs in this epoch; None when this ring was never calibrated."""
        return next((row.effort for row in reversed(self.efforts) if row.epoch <= epoch), None)

    @property
    def code_efforts(self) -> tuple[Effort, ...]:
        """What return codes may have been derived with, the present effort first."""
        return tuple(dict.fromkeys(row.effort for row in reversed(self.efforts))) or (Effort(),)

    def epoch_key(self, epoch: int, purpose: str) -> bytes:
        """A 32-byte key of one epoch for one purpose. Raises EpochGone, or RingBehind for an epoch of the future.

        Another process may have begun an epoch a moment ago: before it is called gone, the directory is read again.
        """
        secret = self.epochs.get(epoch)
        if secret is None:
            now = reread(self)
            secret = now.epochs.get(epoch)
            if secret is None:
                raise RingBehind if epoch > now.current else EpochGone
        return derive(secret, f"harborline/epoch/{purpose}")

    def erasure_key(self, number: int) -> bytes:
        """The 32-byte key under which cases' own locks are kept. Raises RingBehind, CannotOpen by its users."""
        secret = self.erasure.get(number) or reread(self).erasure.get(number)
        if secret is None:
            raise RingBehind
        return derive(secret, "harborline/erasure")

    def service_key(self, purpose: str) -> bytes:
        """A 32-byte key of this installation for one purpose."""
        return derive(self.service, f"harborline/service/{purpose}")

    def lock_in_epoch(self, plaintext: bytes, context: str, *, epoch: int | None = None) -> tuple[int, bytes]:
        """Lock for the current epoch, or for this one; gives its number, which `unlock_in_epoch` needs."""
        epoch = self.current if epoch is None else epoch
        return epoch, lock(plaintext, self.epoch_key(epoch, "lock"), context)

    def unlock_in_epoch(self, epoch: int, locked: bytes, context: str) -> bytes:
        """The inverse of `lock_in_epoch`. Raises EpochGone, RingBehind, CannotOpen."""
        return unlock(locked, self.epoch_key(epoch, "lock"), context)

    def lock_for_service(self, plaintext: bytes, context: str) -> bytes:
        """Lock what the service must open at any hour, such as a responder's number."""
        return lock(plaintext, self.service_key("lock"), context)

    def unlock_for_service(self, locked: bytes, context: str) -> bytes:
        """The inverse of `lock_for_service`. Raises CannotOpen."""
        return unlock(locked, self.service_key("lock"), context)


# Reading -----------------------------------------------------------------------------------------------------------


def read_key_ring(directory: Path) -> KeyRing:
    """Read the key ring. Raises NoKeyRing when a part is missing."""
    for _ in range(_TRIES):
        try:
            before = _listing(directory)
            ring = _read(directory, before)
            if _listing(directory) == before:
                return ring
        except FileNotFoundError:
            continue  # it was there a moment ago: another process has just destroyed it
        except (OSError, ValueError):
            break
    raise NoKeyRing


def reread(ring: KeyRing) -> KeyRing:
    """The ring as its directory is now; the very same value when nothing changed there.

    A directory that cannot be read at the moment changes nothing: the line goes on with what it has in memory.
    """
    try:
        return ring if _listing(ring.directory) == ring.listing else read_key_ring(ring.directory)
    except (OSError, NoKeyRing):
        return ring


def _listing(directory: Path) -> Listing:
    """Names and dates (ns). A few microseconds, so that every transaction can ask."""
    with os.scandir(directory) as entries:
        return frozenset((e.name, e.stat().st_mtime_ns) for e in entries if not e.name.startswith("."))


def _read(directory: Path, listing: Listing) -> KeyRing:
    service, audit, salt = ((directory / name).read_bytes() for name in (_SERVICE, _AUDIT, _SALT))
    epochs, erasure = _numbered(directory, listing, _EPOCH), _numbered(directory, listing, _ERASURE)
    dates = dict(listing)
    sizes = {len(key) for key in (service, audit, *epochs.values(), *erasure.values())}
    if not epochs or not erasure or sizes != {KEY_BYTES} or len(salt) != _SALT_BYTES:
        raise ValueError
    return KeyRing(
        directory=directory,
        service=service,
        audit=audit,
        salt=salt,
        epochs=epochs,
        begun={n: datetime.fromtimestamp(dates[f"{_EPOCH}{n}"] / 1e9, UTC) for n in epochs},
        erasure=erasure,
        efforts=from_bytes((directory / _EFFORT).read_bytes()) if _EFFORT in dates else (),
        listing=listing,
    )


def _numbered(directory: Path, listing: Listing, prefix: str) -> dict[int, bytes]:
    names = [name for name, _ in listing if name.startswith(prefix)]
    return {int(name.removeprefix(prefix)): (directory / name).read_bytes() for name in names}


# Changing ----------------------------------------------------------------------------------------------------------


def init_key_ring(directory: Path, *, first_epoch: int = 1) -> KeyRing:
    """Make whatever the key ring still lacks and read it. Never replaces a key; safe to run twice or at once."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _create(directory / _SERVICE, KEY_BYTES)
    with _alone(directory):
        for name, size in ((_AUDIT, KEY_BYTES), (_SALT, _SALT_BYTES)):
            _create(directory / name, size)
        for prefix, number in ((_EPOCH, first_epoch), (_ERASURE, 1)):
            if not any(directory.glob(f"{prefix}*")):
                _create(directory / f"{prefix}{number}", KEY_BYTES)
    return read_key_ring(directory)


def begin_epoch(ring: KeyRing, *, at: datetime | None = None) -> KeyRing:
    """Begin the next epoch; the older ones stay readable until `destroy_epoch`. `at` dates it, otherwise now."""
    with _alone(ring.directory):
        _create(ring.directory / f"{_EPOCH}{ring.current + 1}", KEY_BYTES, at=at)
    return read_key_ring(ring.directory)


def destroy_epoch(ring: KeyRing, epoch: int) -> KeyRing:
    """Destroy an epoch's secret, never the current one. Raises EpochGone when it is not there."""
    if epoch == ring.current:
        raise ValueError("the current epoch cannot be destroyed: begin a new one first")
    with _alone(ring.directory):
        try:
            _destroy(ring.directory / f"{_EPOCH}{epoch}")
        except FileNotFoundError:
            raise EpochGone from None
    return read_key_ring(ring.directory)


def begin_erasure_key(ring: KeyRing, number: int) -> KeyRing:
    """Make the erasure key of this number, unless it is there."""
    with _alone(ring.directory):
        _create(ring.directory / f"{_ERASURE}{number}", KEY_BYTES)
    return read_key_ring(ring.directory)


def destroy_erasure_keys(ring: KeyRing, *, before: int) -> KeyRing:
    """Destroy every erasure key with a smaller number. Nothing may be locked under them any more."""
    with _alone(ring.directory):
        for number in reread(ring).erasure:
            if number < before:
                _destroy(ring.directory / f"{_ERASURE}{number}")
    return read_key_ring(ring.directory)


def set_effort(ring: KeyRing, effort: Effort, *, at: datetime) -> KeyRing:
    """From now on a derivation costs this much. Begins an epoch, because within one nothing may change."""
    with _alone(ring.directory):
        ring = read_key_ring(ring.directory)
        rows = ring.efforts or (EffortFrom(epoch=0, effort=Effort(), since=at),)
        coming = EffortFrom(epoch=ring.current + 1, effort=effort, since=at)
        # First the effort, then the epoch it is for: no process ever sees the epoch without its effort.
        _write_efforts(ring.directory, (*rows, coming))
        _create(ring.directory / f"{_EPOCH}{ring.current + 1}", KEY_BYTES, at=at)
    return read_key_ring(ring.directory)


def forget_efforts(ring: KeyRing, *, oldest_code: datetime | None) -> KeyRing:
    """Drop efforts that no readable epoch has and no code was made with. `oldest_code`: when the oldest code was."""
    kept = list(ring.efforts)
    while len(kept) > 1:
        following = kept[1]
        if min(ring.epochs) < following.epoch or (oldest_code and oldest_code < following.since):
            break
        kept.pop(0)
    if len(kept) == len(ring.efforts):
        return ring
    with _alone(ring.directory):
        if reread(ring) is ring:  # somebody calibrated meanwhile: another time
            _write_efforts(ring.directory, kept)
    return read_key_ring(ring.directory)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One process changes the ring at a time, the others wait. What a crash left half done is destroyed first."""
    descriptor = os.open(directory / _SERVICE, os.O_RDWR)  # NFS grants an exclusive lock to writers only
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for leftover in directory.iterdir():
            if _DRAFT.fullmatch(leftover.name):
                with suppress(FileNotFoundError):
                    _overwrite(leftover)
        yield
    finally:
        os.close(descriptor)


def _create(path: Path, size: int, *, at: datetime | None = None) -> None:
    """Write a random key under a name of its own, then link it into place: whole or not at all, and only once."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    _write(draft, secrets.token_bytes(size))
    if at is not None:
        os.utime(draft, (at.timestamp(), at.timestamp()))
    try:
        os.link(draft, path)
    except (FileExistsError, FileNotFoundError):
        pass  # another process was first and its key stands; it may have cleared our draft away, too
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)


def _write_efforts(directory: Path, rows: Sequence[EffortFrom]) -> None:
    draft = directory / f".{_EFFORT}-{secrets.token_hex(8)}"
    _write(draft, to_bytes(rows))
    draft.replace(directory / _EFFORT)
    _sync(directory)


def _write(path: Path, contents: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(contents)
        file.flush()
        os.fsync(file.fileno())


def _destroy(path: Path) -> None:
    """Take a key away: out of every reader's sight first, so that nobody reads it half overwritten."""
    hidden = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    path.rename(hidden)
    _sync(path.parent)
    _overwrite(hidden)


def _overwrite(path: Path) -> None:
    """Overwrite, then unlink. On copy-on-write file systems and on flash the old block may outlive this."""
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if os.fstat(file.fileno()).st_nlink == 1:  # a second link is a key that was put in place: it stays
            file.write(secrets.token_bytes(size))
            file.flush()
            os.fsync(file.fileno())
    path.unlink()
    _sync(path.parent)


def _sync(directory: Path) -> None:
    """Names, too, must survive a power cut: a destroyed key must not come back."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
