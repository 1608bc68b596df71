"""Sealing: what is sealed opens only with the right key and under the right context, and fails closed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.errors import CannotOpen
from vault.sealing import (
    Effort,
    PrivateKey,
    derive,
    lock,
    new_private_key,
    open_sealed,
    seal,
    stretch,
    unlock,
)

KEY = new_private_key()
CHEAP = Effort(passes=1, lanes=1, memory=64)


@given(st.binary(max_size=40_000))
@settings(max_examples=60, deadline=None)
def test_what_is_sealed_opens_again(plaintext: bytes) -> None:
    assert open_sealed(seal(plaintext, KEY.public, "entry/1"), KEY, "entry/1") == plaintext


@given(st.binary(max_size=3000))
@settings(max_examples=60, deadline=None)
def test_what_is_locked_unlocks_again(plaintext: bytes) -> None:
    assert unlock(lock(plaintext, b"k" * 32, "state"), b"k" * 32, "state") == plaintext


@pytest.mark.parametrize("change", ["other key", "other context", "cut", "flipped", "empty", "other version"])
def test_a_sealed_value_that_was_changed_or_moved_does_not_open(change: str) -> None:
    sealed = seal(b"words", KEY.public, "entry/1")
    bad = {
        "cut": sealed[:-1],
        "flipped": sealed[:-1] + bytes([sealed[-1] ^ 1]),
        "empty": b"",
        "other version": b"\x02" + sealed[1:],
    }.get(change, sealed)
    key = new_private_key() if change == "other key" else KEY
    with pytest.raises(CannotOpen):
        open_sealed(bad, key, "entry/2" if change == "other context" else "entry/1")


@pytest.mark.parametrize("change", ["other key", "other context", "cut", "flipped", "empty", "other version"])
def test_a_locked_value_that_was_changed_or_moved_does_not_open(change: str) -> None:
    locked = lock(b"words", b"k" * 32, "state")
    bad = {
        "cut": locked[:-1],
        "flipped": locked[:-1] + bytes([locked[-1] ^ 1]),
        "empty": b"",
        "other version": b"\x02" + locked[1:],
    }.get(change, locked)
    key, context = {"other key": (b"j" * 32, "state"), "other context": (b"k" * 32, "other")}.get(
        change, (b"k" * 32, "state")
    )
    with pytest.raises(CannotOpen):
        unlock(bad, key, context)


@given(st.binary(max_size=3000))
@settings(max_examples=200, deadline=None)
def test_no_bytes_whatever_raise_anything_but_cannot_open(junk: bytes) -> None:
    with pytest.raises(CannotOpen):
        open_sealed(junk, KEY, "")
    with pytest.raises(CannotOpen):
        unlock(junk, b"k" * 32, "")
    with pytest.raises(CannotOpen):
        open_sealed(b"\x01" + junk, KEY, "")


def test_messages_of_similar_length_look_the_same_size() -> None:
    sizes = {len(seal(b"x" * n, KEY.public, "")) for n in range(253)}
    assert len(sizes) == 1


def test_a_private_key_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(CannotOpen):
        open_sealed(seal(b"", KEY.public, ""), PrivateKey(b"short"), "")


def test_keys_show_nothing_when_printed() -> None:
    assert KEY.seed.hex()[:8] not in repr(KEY)
    assert repr(KEY) == "PrivateKey()"


def test_the_same_guess_gives_the_same_key_and_another_salt_another() -> None:
    assert stretch(b"+1555", b"a" * 16, CHEAP) == stretch(b"+1555", b"a" * 16, CHEAP)
    assert stretch(b"+1555", b"a" * 16, CHEAP) != stretch(b"+1555", b"b" * 16, CHEAP)
    assert derive(b"s" * 32, "one") != derive(b"s" * 32, "two")
