"""Words that people use instead of keys: what counts as the same word, and which phrases a word stands for.

Only exact matches live here; what a sentence means is for the understanding room.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_KEYCAP = dict.fromkeys((0xFE0F, 0x20E3, 0x200D, 0x200E, 0x200F))  # emoji dress and direction marks around a digit
_SEPARATORS = re.compile(r"[,،，、;؛\n]")


def normal(text: str) -> str:
    """The text as we compare it: one case, one form, digits of every script as 0-9, no punctuation around it."""
    folded = unicodedata.normalize("NFKC", text.translate(_KEYCAP)).casefold()
    latin = "".join(_digit(letter) for letter in folded)
    words = " ".join(latin.split())
    if words == "*":
        return words
    return words.strip("".join({letter for letter in words if unicodedata.category(letter)[0] in "PSZC"}))


def weight(text: str) -> int:
    """How much is said, roughly in letters of the Latin script: a Chinese or Japanese sign counts three."""
    return sum(3 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in normal(text))


def _digit(letter: str) -> str:
    value = unicodedata.decimal(letter, None)
    return letter if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """For each language, the phrases that a word or short sentence stands for.

    Build it with `Lexicon.of`; keys are phrase keys, or "language:<tag>" for the name of a language.
    """

    entries: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Iterable[tuple[str, str, str]]) -> "Lexicon":
        """From triples of language, phrase key and text; the text may hold several words, separated by commas."""
        made: dict[str, dict[str, frozenset[str]]] = {}
        for language, key, text in words:
            table = made.setdefault(language, {})
            for word in filter(None, map(normal, _SEPARATORS.split(text))):
                table[word] = table.get(word, frozenset()) | {key}
        return cls(MappingProxyType(made))

    def stands_for(self, text: str, languages: Iterable[str]) -> frozenset[str]:
        """The phrase keys that `text` stands for in any of these languages."""
        word = normal(text)
        found = (self.entries.get(language, {}).get(word, frozenset()) for language in languages)
        return frozenset().union(*found)


SILENT = Lexicon()
"""Knows no words."""
