"""What somebody typed to prove who they are, stretched; and what they chose for the next time. Nothing is stored here.

Argon2id takes a tenth of a second by intention, so it is done here, in a thread and outside of any transaction.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyotp

from vault.errors import WeakPassphrase
from vault.passkeys import Site
from vault.sealing import Effort, stretch

PASSPHRASE_EFFORT: Final = Effort(passes=3, lanes=1, memory=64 * 1024)
_TOTP_STEP: Final = 30  # seconds
_SHORTEST: Final = 12  # characters
_LETTERS: Final = "abcdefghjkmnpqrstvwxyz23456789"  # none that is taken for another when it is read out
_GROUPS: Final = 5  # of four letters: 98 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The slow part of a sign-in, prepared outside any transaction (`prepare`). `passkey`: the browser's answer."""

    name: str = field(repr=False)
    salt: bytes = field(repr=False)
    wrapping_key: bytes = field(repr=False)
    totp: str = field(repr=False)
    passkey: str = field(default="", repr=False)
    site: Site | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A passphrase that was chosen, stretched (`choose`)."""

    salt: bytes = field(repr=False)
    wrapping_key: bytes = field(repr=False)


def prepare(
    name: str, passphrase: str, totp: str, salt: bytes, *, passkey: str = "", site: Site | None = None
) -> Credentials:
    """Stretch the passphrase. Slow on purpose: call it in a thread, outside a unit."""
    key = stretch(passphrase.encode("utf-8", "surrogatepass"), salt, PASSPHRASE_EFFORT)
    return Credentials(name=name, salt=salt, wrapping_key=key, totp=totp, passkey=passkey, site=site)


def choose(passphrase: str) -> Chosen:
    """Stretch a new passphrase, with a new salt. Slow on purpose: call it in a thread, outside a unit.

    Raises WeakPassphrase.
    """
    if len(passphrase) < _SHORTEST:
        raise WeakPassphrase
    salt = secrets.token_bytes(16)
    key = stretch(passphrase.encode("utf-8", "surrogatepass"), salt, PASSPHRASE_EFFORT)
    return Chosen(salt=salt, wrapping_key=key)


def totp_step(seed: str, code: str, now: datetime) -> int | None:
    """The time step that this code belongs to, now or one step to either side."""
    totp, second = pyotp.TOTP(seed), int(now.timestamp())
    for step in range(second // _TOTP_STEP - 1, second // _TOTP_STEP + 2):
        if hmac.compare_digest(totp.at(step * _TOTP_STEP).encode(), code.encode("utf-8", "surrogatepass")):
            return step
    return None


def plain_name(name: str) -> bytes:
    """A sign-in name as it counts, however it was written."""
    return name.strip().casefold().encode("utf-8", "surrogatepass")


def new_totp_seed() -> str:
    """A seed for an authenticator: 160 random bits in base32."""
    return pyotp.random_base32()


def one_time_passphrase() -> str:
    """A passphrase that is handed over once, and lets somebody in only to choose their own."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS))
