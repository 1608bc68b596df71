"""Texts without the accents that GSM-7 lacks, in languages whose people write texts so themselves. A table, and when.

An "á" turns a whole text into UCS-2 and may double its segments; a phone of 2005 gets two parts, perhaps the second
one first. Only where that saves a segment, and only these letters: every other one stays, in a longer text, and nothing
ever becomes a "?". ñ, ü, é, è, à, ù and ò are in GSM-7 and keep theirs. Where an accent is a letter of its own, as in
Vietnamese, Polish or Turkish, the language is not in the table.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from channels.segments import fold, segments

BARE: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "es": dict(zip("áíóúÁÍÓÚ", "aiouAIOU", strict=True)),
        "fr": dict(zip("âêîôûëïçÂÊÎÔÛËÏÀÈÙ", "aeioueicAEIOUEIAEU", strict=True)) | {"œ": "oe", "Œ": "OE"},
        "pt": dict(zip("áâãêíóôõúçÁÂÃÊÍÓÔÕÚÀ", "aaaeioooucAAAEIOOOUA", strict=True)),
    }
)
"""Language -> what each of its letters becomes."""


def thrifty(text: str, language: str) -> str:
    """The text as it goes out: folded, and without accents where people write so and a segment is saved."""
    whole = fold(text)
    letters = BARE.get(language.partition("-")[0], {})
    bare = fold("".join(letters.get(letter, letter) for letter in whole))
    return bare if segments(bare).segments < segments(whole).segments else whole
