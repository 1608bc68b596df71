"""What a line says by ear in recordings: which there are, and of which a phrase is put together.

Names and words only; where recordings lie, and whether there is one, is not known here. A recording is named after its
phrase and mode: `safe.plain`. A phrase with something to fill in is cut there, `voice.press.plain.1`, and what is
filled in has recordings of its own: digits, labels, the name of a language, the names of the line.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dialogs.conversation import Mode
from dialogs.discreet import PLACEHOLDER
from dialogs.phrases import NO_TWIN, Phrases

LANGUAGE = "language"  # the name of a language, in its own folder
NAMES = ("line", "cover")  # what a line is called is recorded by the line
_WRITTEN = (".sms", ".telegram")  # said elsewhere than on a call
_DIGITS = re.compile(r"[\d ,.]+")
_WORDY = re.compile(r"\w")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A recording's name, and the words of it; no name where there can be none, nothing at all for a pause."""

    name: str = ""
    words: str = field(default="", repr=False)


def spoken(key: str) -> bool:
    """True when callers may get to hear this phrase."""
    return not key.startswith(NO_TWIN) and not key.endswith(_WRITTEN)


def name_of(phrases: Phrases, key: str, tag: str, mode: Mode) -> str:
    """The name of a whole phrase's recording."""
    if key.startswith("language:"):
        return LANGUAGE
    twin = mode is Mode.DISCREET and phrases.catalogue[tag][key].discreet is not None
    return f"{key}.{Mode.DISCREET if twin else Mode.PLAIN}"


def pieces(  # noqa: PLR0917 - a phrase, in a language and mode, and what fills it
    phrases: Phrases,
    key: str,
    tag: str,
    mode: Mode,
    values: Mapping[str, str],
    recorded: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Piece]:
    """A phrase as it is put together. `recorded` names the recordings of values that have one."""
    whole = name_of(phrases, key, tag, mode)
    for name, words, holds in _cut(phrases.catalogue[tag][key].text(mode), whole):
        if not holds:
            yield Piece(name=name, words=words)
        elif holds in recorded:
            yield Piece(name=recorded[holds], words=values[holds])
        elif holds in NAMES:
            yield Piece(name=f"name.{holds}", words=values[holds])
        elif _DIGITS.fullmatch(values[holds]):
            yield from _digit_by_digit(values[holds])
        else:
            yield Piece(words=values[holds])


def sheet(phrases: Phrases, tag: str, values: Mapping[str, str]) -> dict[str, str]:
    """Everything to be recorded in a language: name -> the words to read, in an order in which one can read them."""
    found = {
        name: words
        for key, phrase in phrases.catalogue[tag].items()
        if spoken(key)
        for mode in (Mode.PLAIN, *([Mode.DISCREET] if phrase.discreet else []))
        for name, words, holds in _cut(phrase.text(mode), name_of(phrases, key, tag, mode))
        if not holds
    }
    digits = {f"digit.{digit}": str(digit) for digit in range(10)}
    return {**found, **digits, **{f"name.{name}": values[name] for name in NAMES}, LANGUAGE: phrases.locales[tag].name}


def _cut(text: str, whole: str) -> Iterator[tuple[str, str, str]]:
    """Name, words and placeholder of each part: a part holds words or a placeholder. What is no word is left out."""
    parts = PLACEHOLDER.split(text)
    if len(parts) == 1:
        yield whole, text, ""
        return
    for at, part in enumerate(parts):
        if at % 2:
            yield "", "", part
        elif _WORDY.search(part):
            yield f"{whole}.{at // 2 + 1}", part.strip(), ""


def _digit_by_digit(value: str) -> Iterator[Piece]:
    """Digits one by one, with a pause after each group."""
    for letter in value:
        if letter.isdecimal():
            yield Piece(name=f"digit.{int(letter)}", words=str(int(letter)))
        elif letter == ".":
            yield Piece()
