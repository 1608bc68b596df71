"""How wide a text is, roughly, without a font: enough to break lines so that none leaves its place. Pure.

Widths are those of a wide sans serif, rounded up, so that a text in another font is seldom longer than was reckoned.
"""

from typing import Final

_NARROW: Final = dict.fromkeys("iljI|!.,:;'’()[] ", 0.33) | dict.fromkeys("ft-r/“”", 0.43)
_WIDE: Final = dict.fromkeys("mwMW@…↗▸", 0.98) | dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ", 0.72)
_WIDTHS: Final = _NARROW | _WIDE
_USUAL: Final = 0.575  # of the size


def width(text: str, size: float) -> float:
    """The width of a text of this font size, in the same unit."""
    return sum(_WIDTHS.get(letter, _USUAL) for letter in text) * size


def wrap(text: str, size: float, room: float, most: int) -> list[str]:
    """The text in lines of at most this width; what does not fit into `most` lines ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and width(longer, size) > room:
            lines.append(line)
            line = word
        else:
            line = longer
    lines += [line] if line else []
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], _shortened(f"{lines[most - 1]} {lines[most]}", size, room, quoted=text.endswith("”"))]


def _shortened(text: str, size: float, room: float, *, quoted: bool) -> str:
    """As many whole words as fit before an ellipsis; a quotation is closed."""
    end = "…”" if quoted else "…"
    words = text.split()
    while len(words) > 1 and width(" ".join(words) + end, size) > room:
        words.pop()
    return " ".join(words).rstrip(".,:;") + end
