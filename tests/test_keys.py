"""The key ring: made once however often it is asked for, readable by the service alone, refused unless it is whole."""

import multiprocessing
import stat
from pathlib import Path

import pytest

from tests.vaults import every_key
from vault.errors import CannotOpen, EpochGone, NoKeyRing
from vault.keys import KeyRing, begin_epoch, destroy_epoch, init_key_ring, read_key_ring
from vault.sealing import unlock

FILES = ("service", "audit", "salt", "epoch-1", "erasure-1")


def contents(ring: KeyRing) -> tuple[bytes, ...]:
    """The secrets of a ring, to compare."""
    return (ring.service, ring.audit, ring.salt, *ring.epochs.values(), *ring.erasure.values())


def _init_in_a_process(directory: str) -> tuple[bytes, ...]:
    return contents(init_key_ring(Path(directory)))


def test_a_new_key_ring_is_whole_and_every_secret_is_its_own(ring: KeyRing) -> None:
    assert sorted(path.name for path in ring.directory.iterdir()) == sorted(FILES)
    assert [len(key) for key in contents(ring)] == [32, 32, 16, 32, 32]
    assert len({key[:16] for key in contents(ring)}) == 5
    assert ring.current == 1


def test_nobody_else_on_the_machine_can_read_it(tmp_path: Path) -> None:
    ring = begin_epoch(init_key_ring(tmp_path / "new" / "keyring"))
    assert stat.S_IMODE(ring.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in ring.directory.iterdir()} == {0o600}


def test_making_it_again_keeps_every_key(ring: KeyRing) -> None:
    assert contents(init_key_ring(ring.directory)) == contents(ring)
    assert contents(read_key_ring(ring.directory)) == contents(ring)


def test_making_it_again_after_the_first_epoch_is_gone_does_not_bring_it_back(ring: KeyRing) -> None:
    after = destroy_epoch(begin_epoch(ring), 1)
    assert init_key_ring(ring.directory).epochs == after.epochs == {2: after.epochs[2]}


def test_processes_that_make_it_at_once_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        made = pool.map(_init_in_a_process, [str(tmp_path / "keyring")] * 9, chunksize=1)
    assert len(set(made)) == 1
    assert sorted(path.name for path in (tmp_path / "keyring").iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["missing", "empty", "short", "long", "a folder"])
def test_a_key_ring_that_is_not_whole_is_refused(ring: KeyRing, name: str, harm: str) -> None:
    path = ring.directory / name
    whole = path.read_bytes()
    path.unlink()
    if harm == "a folder":
        path.mkdir()
    elif harm != "missing":
        path.write_bytes({"empty": b"", "short": whole[:-1], "long": whole + b"\0"}[harm])
    with pytest.raises(NoKeyRing):
        read_key_ring(ring.directory)


def test_a_key_ring_that_was_never_made_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoKeyRing, match="harborline keys init"):
        read_key_ring(tmp_path / "nowhere")


def test_a_file_that_only_looks_like_an_epoch_is_refused(ring: KeyRing) -> None:
    (ring.directory / "epoch-1.bak").write_bytes(b"k" * 32)
    with pytest.raises(NoKeyRing):
        read_key_ring(ring.directory)


# Epochs -----------------------------------------------------------------------------------------------------------


def test_the_next_epoch_locks_and_the_one_before_still_opens(ring: KeyRing) -> None:
    epoch, locked = ring.lock_in_epoch(b"words", "state")
    after = begin_epoch(ring)
    assert (epoch, after.current, sorted(after.epochs)) == (1, 2, [1, 2])
    assert after.unlock_in_epoch(epoch, locked, "state") == b"words"
    assert after.lock_in_epoch(b"words", "state")[0] == 2


def test_an_epoch_begun_twice_at_once_is_one_epoch(ring: KeyRing) -> None:
    assert begin_epoch(ring).epochs == begin_epoch(ring).epochs


def test_a_destroyed_epoch_opens_with_no_key_that_is_left(ring: KeyRing) -> None:
    epoch, locked = ring.lock_in_epoch(b"words", "state")
    secret = ring.epochs[1]
    after = destroy_epoch(begin_epoch(ring), 1)
    with pytest.raises(EpochGone):
        after.unlock_in_epoch(epoch, locked, "state")
    for key in every_key(after):
        with pytest.raises(CannotOpen):
            unlock(locked, key, "state")
    assert all(secret not in path.read_bytes() for path in ring.directory.iterdir())


def test_the_current_epoch_cannot_be_destroyed(ring: KeyRing) -> None:
    with pytest.raises(ValueError, match="begin a new one first"):
        destroy_epoch(ring, 1)
    assert contents(read_key_ring(ring.directory)) == contents(ring)


def test_an_epoch_is_destroyed_once(ring: KeyRing) -> None:
    after = destroy_epoch(begin_epoch(ring), 1)
    for gone in (1, 7):
        with pytest.raises(EpochGone):
            destroy_epoch(after, gone)


# Keys -------------------------------------------------------------------------------------------------------------


def test_every_purpose_and_epoch_has_a_key_of_its_own(ring: KeyRing) -> None:
    after = begin_epoch(ring)
    keys = [after.epoch_key(epoch, purpose) for epoch in (1, 2) for purpose in ("lock", "pseudonym")]
    keys += [after.service_key("lock"), after.service_key("login")]
    assert len({*keys, *contents(after)}) == 6 + 6
    assert after.epoch_key(1, "lock") == ring.epoch_key(1, "lock")


def test_what_is_locked_for_the_service_opens_under_its_own_context_only(ring: KeyRing) -> None:
    locked = ring.lock_for_service(b"+15550100141", "responder/1")
    assert ring.unlock_for_service(locked, "responder/1") == b"+15550100141"
    with pytest.raises(CannotOpen):
        ring.unlock_for_service(locked, "responder/2")


def test_a_key_ring_shows_no_key_when_printed(ring: KeyRing) -> None:
    shown = repr(ring)
    assert all(key.hex() not in shown and repr(key) not in shown for key in contents(ring))
