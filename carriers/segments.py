"""How many parts a text is sent in: GSM-7 or UCS-2 (3GPP TS 23.038). Pure; folding letters is not done here."""

_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_DOUBLE = frozenset("^{}\\[~]|€\f")


def count(text: str) -> int:
    """Segments of this text, at least 1."""
    if all(letter in _GSM7 or letter in _GSM7_DOUBLE for letter in text):
        size, single, part = sum(2 if letter in _GSM7_DOUBLE else 1 for letter in text), 160, 153
    else:
        size, single, part = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if size <= single else -(-size // part)
