"""Seal to a public key, lock with a secret key: two pairs of verbs and no options.

Nothing here chooses an algorithm at run time, reads a file or remembers a key. Every failure is CannotOpen,
whatever the cause, so that an attacker learns nothing from the difference. No primitive is our own:
HPKE (RFC 9180) in the suite MLKEM768_X25519 / HKDF_SHA256 / CHACHA20_POLY1305, ChaCha20-Poly1305 (RFC 8439),
Argon2id (RFC 9106) and HKDF (RFC 5869), all from pyca/cryptography.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.errors import CannotOpen

_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_VERSION: Final = b"\x01"  # first byte of every sealed or locked value; another value is refused, never guessed
_MLKEM_SEED: Final = 64
_MLKEM_PUBLIC: Final = 1184
_NONCE: Final = 12
_BUCKETS: Final = (256, 512, 1024, 2048, 4096, 8192, 16384)  # bytes; longer values are padded to a multiple of the last

KEY_BYTES: Final = 32
SEED_BYTES: Final = 96  # of a private key: 64 for ML-KEM-768, 32 for X25519


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Half of a key pair that may lie in the database: 1216 bytes, ML-KEM-768 then X25519."""

    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The other half: a 96-byte seed. Its repr shows nothing."""

    seed: bytes = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The public half."""
        mlkem, x25519 = _private_parts(self)
        return PublicKey(mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw())


def new_private_key() -> PrivateKey:
    """A fresh random key pair, from the operating system's generator."""
    return PrivateKey(secrets.token_bytes(SEED_BYTES))


def seal(plaintext: bytes, to: PublicKey, context: str) -> bytes:
    """Seal so that only the private half opens it, and only under the same context (what and whose it is)."""
    # The context is HPKE's info: a sealed value moved to another row or another purpose does not open there.
    return _VERSION + _SUITE.encrypt(_pad(plaintext), _public(to), info=context.encode())


def open_sealed(sealed: bytes, key: PrivateKey, context: str) -> bytes:
    """The plaintext of a sealed value. Raises CannotOpen."""
    if sealed[:1] != _VERSION:
        raise CannotOpen
    try:
        padded = _SUITE.decrypt(sealed[1:], MLKEM768X25519PrivateKey(*_private_parts(key)), info=context.encode())
    except (InvalidTag, ValueError):
        raise CannotOpen from None
    return _unpad(padded)


def lock(plaintext: bytes, key: bytes, context: str) -> bytes:
    """Lock with a 32-byte secret key, bound to the context."""
    nonce = secrets.token_bytes(_NONCE)  # random: a key locks far fewer than 2^32 values in its life
    return _VERSION + nonce + ChaCha20Poly1305(key).encrypt(nonce, _pad(plaintext), context.encode())


def unlock(locked: bytes, key: bytes, context: str) -> bytes:
    """The plaintext of a locked value. Raises CannotOpen."""
    if locked[:1] != _VERSION or len(locked) < 1 + _NONCE:
        raise CannotOpen
    try:
        padded = ChaCha20Poly1305(key).decrypt(locked[1 : 1 + _NONCE], locked[1 + _NONCE :], context.encode())
    except InvalidTag:
        raise CannotOpen from None
    return _unpad(padded)


def derive(secret: bytes, purpose: str, length: int = KEY_BYTES) -> bytes:
    """A sub-key of a strong secret for one purpose (HKDF-SHA256). Never for passphrases: use `stretch`."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=purpose.encode()).derive(secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What one Argon2id derivation costs: passes over memory, lanes, memory in KiB."""

    passes: int = 2
    lanes: int = 1
    memory: int = 32 * 1024


def stretch(guessable: bytes, salt: bytes, effort: Effort, length: int = KEY_BYTES) -> bytes:
    """A key from something a person could guess (number, passphrase, return code), made slow by Argon2id."""
    return Argon2id(
        salt=salt, length=length, iterations=effort.passes, lanes=effort.lanes, memory_cost=effort.memory
    ).derive(guessable)


def _private_parts(key: PrivateKey) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    if len(key.seed) != SEED_BYTES:
        raise CannotOpen
    return (
        MLKEM768PrivateKey.from_seed_bytes(key.seed[:_MLKEM_SEED]),
        X25519PrivateKey.from_private_bytes(key.seed[_MLKEM_SEED:]),
    )


def _public(key: PublicKey) -> MLKEM768X25519PublicKey:
    return MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(key.raw[:_MLKEM_PUBLIC]),
        X25519PublicKey.from_public_bytes(key.raw[_MLKEM_PUBLIC:]),
    )


def _pad(plaintext: bytes) -> bytes:
    """Length, plaintext, zeros up to a bucket, so that the size of a message tells little about it."""
    body = len(plaintext).to_bytes(4) + plaintext
    size = next((b for b in _BUCKETS if b >= len(body)), -(-len(body) // _BUCKETS[-1]) * _BUCKETS[-1])
    return body.ljust(size, b"\0")


def _unpad(padded: bytes) -> bytes:
    length = int.from_bytes(padded[:4])
    if 4 + length > len(padded):
        raise CannotOpen
    return padded[4 : 4 + length]
