"""What can be seen on the surface of a text without a model: character n-grams, and the patterns of signals.

Pure Python and numpy, no native text code: this is what is left when the embedding process is down. It gives
features and the words that fired; what they are worth is learnt (heads.py), not written here.
"""

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from understanding.examples import Words
from understanding.meaning import Signal
from understanding.text import fold

BUCKETS = 1 << 13
SIZES = (1, 2, 3, 4)
SIGNALS = tuple(Signal)
WIDTH = BUCKETS + len(SIGNALS)
PATTERN_WEIGHT = 0.35
"""How much one fired pattern weighs beside an n-gram vector of length 1."""
_LONGEST_WORDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Features of one window as a sparse vector of WIDTH, and the words that fired, by signal."""

    indices: NDArray[np.intp]
    values: NDArray[np.float32]
    words: dict[Signal, str] = field(repr=False)

    def dense(self) -> NDArray[np.float32]:
        """The same as a full vector (for training)."""
        full = np.zeros(WIDTH, dtype=np.float32)
        full[self.indices] = self.values
        return full


def _grams(text: str) -> dict[int, float]:
    """Hashed n-grams with a sign against collisions, damped by logarithm, of length 1."""
    padded = f" {text} "
    buckets: Counter[int] = Counter()
    for size in SIZES:
        for start in range(len(padded) - size + 1):
            code = zlib.crc32(padded[start : start + size].encode("utf-8"))
            buckets[code % BUCKETS] += 1 if code & 0x100000 else -1
    damped = {bucket: math.copysign(math.log1p(abs(count)), count) for bucket, count in buckets.items() if count}
    length = math.sqrt(sum(value * value for value in damped.values())) or 1.0
    return {bucket: value / length for bucket, value in damped.items()}


def _alphabets(folded: str) -> frozenset[bool]:
    """True: has Latin letters. False: has letters of another script."""
    return frozenset(character < "\u0250" for character in set(folded) if character.isalpha())


class Patterns:
    """All languages' patterns, grouped by script: a text is only searched with patterns of scripts it is written in."""

    def __init__(self, words: Iterable[Words]) -> None:
        lines: dict[tuple[bool, Signal], list[str]] = {}
        for language in words:
            for signal, patterns in language.patterns.items():
                for pattern in map(fold, patterns):
                    for latin in _alphabets(re.sub(r"\\[a-z]", "", pattern)):
                        lines.setdefault((latin, signal), []).append(pattern)
        self._groups = {key: re.compile("|".join(f"(?:{line})" for line in group)) for key, group in lines.items()}

    def fired(self, folded: str) -> dict[Signal, str]:
        """The first words that fire each signal in a folded text."""
        found: dict[Signal, str] = {}
        alphabets = _alphabets(folded)
        for (latin, signal), pattern in self._groups.items():
            if latin in alphabets and (match := pattern.search(folded)) and match.group().strip():
                found.setdefault(signal, match.group().strip()[:_LONGEST_WORDS])
        return found


def surface(window: str, patterns: Patterns, spelt: str = "") -> Surface:
    """The surface of one window of cleaned text.

    `spelt`: the same in its own script, if it is romanised (romanised.py): its n-grams are taken instead, and
    patterns may fire in either.
    """
    folded, other = fold(window), fold(spelt)
    words = patterns.fired(folded)
    if other:
        words = patterns.fired(other) | words
    features = _grams(other or folded)
    features |= {BUCKETS + SIGNALS.index(signal): PATTERN_WEIGHT for signal in words}
    return Surface(
        indices=np.fromiter(features.keys(), dtype=np.intp, count=len(features)),
        values=np.fromiter(features.values(), dtype=np.float32, count=len(features)),
        words=words,
    )
