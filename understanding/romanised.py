"""Romanised text spelt back in its own script, roughly: the embedding knows the script, and hardly the Latin letters.

Pure; the tables are in spellings.py, and nothing is decided here. People spell as they like, so the result is not good
spelling: short vowels of Arabic are left out as Arabic does, and Hindi's retroflex letters only appear in words that
are listed. It is only ever compared with other text that was spelt by the same tables.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from understanding import spellings as tables
from understanding.spellings import Abugida, Table
from understanding.text import clean

_WORD = re.compile(r"[a-z0-9']+|[^a-z0-9'\s]+")
_LONGEST = 4  # letters of one piece of a table


def _piece(word: str, at: int, table: Table, longest: int = _LONGEST) -> str:
    """The longest piece of a word from here on that a table knows; "" when it knows none."""
    return next((word[at : at + n] for n in range(longest, 0, -1) if word[at : at + n] in table), "")


def _by_word(spell: Callable[[str], str], text: str) -> str:
    return " ".join(map(spell, _WORD.findall(text.lower())))


# Arabic letters: short vowels are not written -------------------------------------------------------------------------


def _arabic_word(word: str) -> str:
    return _consonantal(word, tables.ARABIC, tables.ARABIC_FIRST, tables.ARABIC_LAST)


def _consonantal(word: str, letters: Table, first: Table, last: Table) -> str:
    spelt, at = "", 0
    while at < len(word):
        piece = _piece(word, at, letters, 3) or word[at]
        ends = at + len(piece) == len(word)
        if at == 0 and piece in first:
            spelt += first[piece]
        elif ends and at > 1 and piece in last:
            spelt += last[piece]
        elif not (at and piece == word[at - 1] and piece.isalpha()):  # a doubled letter is written once
            spelt += letters.get(piece, "")
        at += len(piece)
    return spelt


def _arabic(text: str) -> str:
    spelt = [
        "ال" if word in tables.ARABIC_ARTICLES else f"{word if word.isdecimal() else _arabic_word(word)} "
        for word in _WORD.findall(text.lower())
    ]
    return "".join(spelt)


def _persian_word(words: Table, word: str) -> str:
    if word in words or not word.isalpha():
        return words.get(word, word)
    return _consonantal(word, tables.PERSIAN, tables.PERSIAN_FIRST, tables.PERSIAN_LAST) or word


# Scripts of India and its neighbours ----------------------------------------------------------------------------------


def _abugida_word(script: Abugida, word: str) -> str:
    if word in script.words or not word.isalpha():
        return script.words.get(word, word)
    spelt, at, bare = "", 0, False  # bare: the last letter was a consonant, whose vowel may follow
    while at < len(word):
        piece = _piece(word, at, script.consonants, 3)
        if piece == "n" and script.nasal and at and word[at + 1 : at + 2] not in ("", *"aeiouyn"):
            spelt, bare = spelt + script.nasal, False
        elif piece:
            doubled = bare and (script.always or piece == word[at - 1])
            spelt, bare = spelt + (script.bare if doubled else "") + script.consonants[piece], True
        else:
            piece = _piece(word, at, script.signs, 2) or word[at]
            spelt += _vowel(script, piece, bare=bare, last=at + len(piece) == len(word))
            bare = False
        at += len(piece)
    return spelt + (script.bare if bare and script.always else "")


def _vowel(script: Abugida, vowel: str, *, bare: bool, last: bool) -> str:
    """A vowel as a sign after a consonant, or as a letter of its own; a short one that ends a word may be long."""
    if not bare:
        return script.first.get(vowel, "")
    return (last and script.last.get(vowel)) or script.signs.get(vowel, "")


# Cyrillic, Ethiopic -------------------------------------------------------------------------------------------------


def _alphabetic_word(letters: Table, word: str) -> str:
    if word.isdecimal():
        return word
    spelt, at = "", 0
    while at < len(word):
        piece = _piece(word, at, letters) or word[at]
        spelt += letters.get(piece, piece)
        at += len(piece)
    return spelt


def _mongolian_word(word: str) -> str:
    spelt = _alphabetic_word(tables.MONGOLIAN, word)
    if "э" not in spelt or "а" in spelt or "о" in spelt:
        return spelt
    return "".join(tables.MONGOLIAN_FRONT.get(letter, letter) for letter in spelt)


def _ethiopic_word(word: str) -> str:
    spelt, at = "", 0
    rows, orders = tables.ETHIOPIC_ROWS, tables.ETHIOPIC_ORDERS
    while at < len(word):
        piece = next((word[at : at + n] for n in (2, 1) if word[at : at + n] in rows), "")
        after = at + len(piece)
        if piece and word[after : after + len(piece)] == piece:  # a doubled letter is written once
            at, after = after, after + len(piece)
        vowel = next((word[after : after + n] for n in (2, 1) if word[after : after + n] in orders), "")
        if piece:
            spelt, at = spelt + chr(rows[piece] + orders[vowel]), after + len(vowel)
        else:
            spelt, at = spelt + tables.ETHIOPIC_FIRST.get(vowel, word[at]), at + max(len(vowel), 1)
    return spelt


_WORDS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "hi-Latn": partial(_abugida_word, tables.HINDI),
        "ur-Latn": partial(_abugida_word, tables.HINDI),
        "ne-Latn": partial(_abugida_word, tables.NEPALI),
        "pa-Latn": partial(_abugida_word, tables.PUNJABI),
        "bn-Latn": partial(_abugida_word, tables.BENGALI),
        "ta-Latn": partial(_abugida_word, tables.TAMIL),
        "si-Latn": partial(_abugida_word, tables.SINHALA),
        "fa-Latn": partial(_persian_word, tables.PERSIAN_WORDS),
        "ps-Latn": partial(_persian_word, tables.PASHTO_WORDS),
        "ru-Latn": partial(_alphabetic_word, tables.RUSSIAN),
        "uk-Latn": partial(_alphabetic_word, tables.UKRAINIAN),
        "bg-Latn": partial(_alphabetic_word, tables.BULGARIAN),
        "mn-Latn": _mongolian_word,
        "am-Latn": _ethiopic_word,
    }
)
_SPELLERS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"ar-Latn": _arabic} | {variety: partial(_by_word, spell) for variety, spell in _WORDS.items()}
)


def native(text: str, variety: str) -> str:
    """Cleaned text of a romanised variety in a native script; other text as it is. Urdu is spelt as Hindi."""
    spell = _SPELLERS.get(variety)
    return (spell and clean(spell(text))) or text
