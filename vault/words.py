"""Agreed words: what is kept of a check word and a duress word, and how words that are said are compared with them.

Only slow digests are kept, under a secret of the key ring and a salt of the thread's own, inside the thread, which is
locked in its epoch and goes with it. The words themselves are never kept, logged or shown. Nothing is stored here.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from vault.sealing import Effort, stretch

CHECK: Final = "check"
DURESS: Final = "duress"
SHORTEST: Final = 3  # letters or digits, after folding
LONGEST: Final = 60
_SALT: Final = 16  # bytes
_MARKS: Final = frozenset({"Mn", "Me", "Cf"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretched:
    """What a person said, made slow to guess. `counts` False: one guess too many, so no check word is recognised."""

    salt: bytes = field(repr=False)
    effort: Effort
    digest: bytes = field(repr=False)
    usable: bool  # long enough to be agreed on
    counts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedWords:
    """The digests of one thread's words; b"" for one that was not agreed on."""

    salt: bytes = field(repr=False)
    effort: Effort
    check: bytes = field(default=b"", repr=False)
    duress: bytes = field(default=b"", repr=False)

    def which(self, said: Stretched) -> str:
        """CHECK, DURESS, or "" for neither. Both are compared each time, and in constant time."""
        check = hmac.compare_digest(self.check, said.digest)
        duress = hmac.compare_digest(self.duress, said.digest)
        if duress:  # always heard: who is forced to guess may still ask for help
            return DURESS
        return CHECK if check and said.counts else ""

    def agree(self, name: str, said: Stretched) -> "AgreedWords | None":
        """The same with this word, or None: it is too short, or it is the other one."""
        other = self.duress if name == CHECK else self.check
        if not said.usable or hmac.compare_digest(other, said.digest):
            return None
        return replace(self, check=said.digest) if name == CHECK else replace(self, duress=said.digest)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the inverse of `from_json`."""
        return {
            "salt": self.salt.hex(),
            "effort": [self.effort.passes, self.effort.lanes, self.effort.memory],
            CHECK: self.check.hex(),
            DURESS: self.duress.hex(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "AgreedWords":
        """Rebuild what was stored."""
        passes, lanes, memory = value["effort"]
        return cls(
            salt=bytes.fromhex(value["salt"]),
            effort=Effort(passes=passes, lanes=lanes, memory=memory),
            check=bytes.fromhex(value[CHECK]),
            duress=bytes.fromhex(value[DURESS]),
        )


def stretched(text: str, salt: bytes, effort: Effort, key: bytes) -> Stretched:
    """Digest what was said. Slow on purpose: call it in a thread."""
    word = folded(text)
    raw = stretch(f"word:{word}".encode(), salt, effort)
    digest = hmac.digest(key, raw, hashlib.sha256)
    return Stretched(salt=salt, effort=effort, digest=digest, usable=SHORTEST <= len(word) <= LONGEST)


def new_salt(dice: int) -> bytes:
    """A salt of a number below 2**128."""
    return dice.to_bytes(_SALT)


def folded(text: str) -> str:
    """A word as it is compared: no case, accents, spaces or punctuation; digits of any script are the same."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = unicodedata.normalize("NFKD", plain)
    return "".join(
        str(unicodedata.decimal(letter)) if letter.isdecimal() else letter
        for letter in plain
        if unicodedata.category(letter) not in _MARKS and (letter.isalnum() or unicodedata.category(letter) == "Mc")
    )
