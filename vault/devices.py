"""The mark that a browser keeps after a sign-in: it shows that somebody of this name signed in here before.

It opens nothing and replaces no factor. Whoever shows it has tries of their own, so that a stranger who keeps guessing
a name locks out strangers only. Nothing is stored: the mark is signed, holds a random number and the day, and no name.
"""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final

from vault.credentials import plain_name
from vault.keys import KeyRing

KEPT_DAYS: Final = 180  # without a sign-in
_NONCE: Final = 16
_DAY: Final = 4
_BODY: Final = _NONCE + _DAY


class Devices:
    """The marks of all browsers, at one moment (UTC)."""

    def __init__(self, ring: KeyRing, now: datetime) -> None:
        self._key = ring.service_key("device")
        self._today = now.toordinal()

    def known(self, mark: str, name: str) -> bytes | None:
        """The browser's number, if it was marked for this name within KEPT_DAYS; None for everybody else."""
        try:
            raw = bytes.fromhex(mark)
        except ValueError:
            return None
        body, signature = raw[:_BODY], raw[_BODY:]
        if not hmac.compare_digest(self._sign(body, name), signature):
            return None
        age = self._today - int.from_bytes(body[_NONCE:])
        return body[:_NONCE] if -1 <= age <= KEPT_DAYS else None  # machines' clocks differ

    def mark(self, name: str, device: bytes | None = None) -> str:
        """A mark for a browser in which `name` just signed in; `device` is its number if it had one."""
        body = (device or secrets.token_bytes(_NONCE)) + self._today.to_bytes(_DAY)
        return (body + self._sign(body, name)).hex()

    def _sign(self, body: bytes, name: str) -> bytes:
        return hmac.digest(self._key, body + plain_name(name), hashlib.sha256)
