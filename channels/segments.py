"""How long a text is in the provider's eyes: the GSM-7 alphabet, folding, counting and splitting. Pure.

No provider, no language and no wording lives here. A letter is never replaced by another letter here: what GSM-7 cannot
write goes out as UCS-2, longer but whole. Where people leave accents out themselves, accents.py does.
Sources: 3GPP TS 23.038 (alphabet), TS 23.040 (seven octets of header, hence 153 and 67); domain.md section 7.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")  # each costs two: an escape and the character

_FOLDS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′ʹʼˈ´`‹›", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
        **dict.fromkeys("\t\u00a0\u1680\u202f\u205f", " "),
        **dict.fromkeys((chr(code) for code in range(0x2000, 0x200B)), " "),  # spaces of every width
        **dict.fromkeys("\u2028\u2029\u0085", "\n"),
        # Invisible: soft hyphen, zero-width space, joiners, marks of direction, byte order mark. They carry meaning in
        # scripts that GSM-7 cannot write anyway, and `fold` leaves such a text as it is.
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""),
        "…": "...",
        "•": "-",
        "×": "x",
        "ﬀ": "ff",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
    }
)


class Encoding(StrEnum):
    """How a text travels by SMS."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What a text costs: `units` are septets (GSM-7) or UTF-16 code units (UCS-2), `segments` what is paid for."""

    encoding: Encoding
    units: int
    segments: int


_CAPACITY = {Encoding.GSM7: (160, 153), Encoding.UCS2: (70, 67)}  # alone, and as one of several


def fold(text: str) -> str:
    """The same words in GSM-7 if only typography stands in the way; otherwise the text in composed form (NFC).

    Quotes, dashes, ellipses and odd spaces get their plain form. A text with one letter that GSM-7 lacks keeps all of
    its typography: folding would save nothing.
    """
    composed = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    folded = composed.translate(_FOLDS)
    return folded if _is_gsm7(folded) else composed


def segments(text: str) -> Count:
    """Count what the text costs as it stands; fold it first. An empty text has no segments.

    A character that takes two units is never cut in half, so a segment may stay one unit short.
    """
    encoding = Encoding.GSM7 if _is_gsm7(text) else Encoding.UCS2
    costs = [_cost(character, encoding) for character in text]
    units = sum(costs)
    alone, among = _CAPACITY[encoding]
    if units <= alone:
        return Count(encoding=encoding, units=units, segments=1 if text else 0)
    return Count(encoding=encoding, units=units, segments=_packed(costs, among))


def width(text: str) -> int:
    """Length in UTF-16 code units, by which Twilio and Telegram count (an emoji is two)."""
    return sum(_cost(character, Encoding.UCS2) for character in text)


def split(text: str, limit: int) -> tuple[str, ...]:
    """Cut a text into parts of at most `limit` UTF-16 units; only white space at a cut is lost.

    Cuts after a line, else after a sentence, else between words; inside a word only if it alone is too long, and then
    not between a letter and its marks unless they fill a part by themselves. Raises ValueError for a limit below two.
    """
    if limit < 2:
        raise ValueError("a part holds at least two units")
    parts: list[str] = []
    rest = text.strip()
    while width(rest) > limit:
        head = rest[: _cut(rest, limit)]
        parts.append(head.rstrip())
        rest = rest[len(head) :].lstrip()
    return (*parts, rest) if rest else tuple(parts)


def _is_gsm7(text: str) -> bool:
    return all(character in _BASIC or character in _EXTENDED for character in text)


def _cost(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return 2 if character in _EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1


def _packed(costs: Iterable[int], capacity: int) -> int:
    count, room = 1, capacity
    for cost in costs:
        if cost > room:
            count, room = count + 1, capacity
        room -= cost
    return count


_ENDS = tuple(re.compile(pattern) for pattern in (r"\n", r"(?<=[.!?؟。！？।])\s|(?<=[。！？])", r"\s"))


def _cut(text: str, limit: int) -> int:
    """Where to cut: the index of the first character that no longer belongs to the part."""
    room = _fitting(text, limit)
    window = text[: room + 1]
    for end in _ENDS:
        cuts = [match.end() for match in end.finditer(window) if room // 2 < match.start() <= room]
        if cuts:
            return cuts[-1]
    return _before_marks(text, room)


def _fitting(text: str, limit: int) -> int:
    used = 0
    for index, character in enumerate(text):
        used += _cost(character, Encoding.UCS2)
        if used > limit:
            return index
    return len(text)


def _before_marks(text: str, index: int) -> int:
    """Step back from marks and joiners, so that a letter or an emoji stays whole."""
    start = index
    while start > 0 and (_clings(text[start]) or text[start - 1] == "\u200d"):
        start -= 1
    return start or index


def _clings(character: str) -> bool:
    return unicodedata.category(character).startswith("M") or character in "\u200c\u200d"
