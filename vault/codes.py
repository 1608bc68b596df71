"""Return codes: 16 digits with which a person comes back, from any channel, without having an account.

The last digit is a Damm check (H. M. Damm, 2004): it catches every single wrong digit and every swap of two
neighbours. The fifteen others are random: 10^15 codes. The code derives, slowly (Argon2id), a *locator*, under
which the database finds the case, and a key pair, to which waiting answers are sealed. The code itself is never
stored.
"""

import secrets
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from vault.sealing import SEED_BYTES, Effort, PrivateKey, stretch

DIGITS: Final = 16
_GROUP: Final = 4
_LOCATOR: Final = 16  # bytes
_DAMM: Final = (  # a totally anti-symmetric quasigroup of order 10
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


@dataclass(frozen=True, slots=True)
class CodeKeys:
    """What a return code derives."""

    locator: bytes
    private: PrivateKey = field(repr=False)


def new_code(dice: Callable[[int], int] = secrets.randbelow) -> str:
    """A fresh code of 16 digits. `dice(n)` gives a number below n."""
    body = f"{dice(10 ** (DIGITS - 1)):0{DIGITS - 1}d}"
    return body + str(_damm(body))


def read_code(text: str) -> str | None:
    """The 16 digits in what a person typed, in the digits of any script; None when it cannot be a code."""
    digits = "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())
    return digits if len(digits) == DIGITS and _damm(digits) == 0 else None


def grouped(code: str) -> str:
    """As people read it: 4-4-4-4."""
    return " ".join(code[i : i + _GROUP] for i in range(0, DIGITS, _GROUP))


def last_group(code: str) -> str:
    """The four digits a person types to confirm that they have it."""
    return code[-_GROUP:]


def code_keys(code: str, salt: bytes, effort: Effort) -> CodeKeys:
    """Derive locator and key pair. Slow on purpose: call it in a thread."""
    raw = stretch(f"code:{code}".encode(), salt, effort, _LOCATOR + SEED_BYTES)
    return CodeKeys(raw[:_LOCATOR], PrivateKey(raw[_LOCATOR:]))


def possible_keys(code: str, salt: bytes, efforts: Sequence[Effort]) -> tuple[CodeKeys, ...]:
    """What a code derives with every effort it may have been made with (`KeyRing.code_efforts`), the likeliest first.

    All of them each time, so that a wrong code takes as long as a right one. Slow on purpose: call it in a thread.
    """
    return tuple(code_keys(code, salt, effort) for effort in efforts)


def _damm(digits: str) -> int:
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return interim
