"""Which other languages people of a language often read: in what a person is asked whose own the line does not speak.

A table of schools, borders and work abroad, most likely first. It decides only in which languages we ask which language
they want; the person's choice decides the rest. No engine and no line may be named here.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

LIKELY = 2
"""So many languages are asked in, beside the line's own: more cannot be read at a glance."""

READS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "am": ("en", "ar"), "bg": ("ru", "tr", "en"), "bn": ("hi", "en", "ar"), "fa": ("en", "ar", "tr"),
    "fr": ("en", "es"), "ha": ("en", "fr", "ar"), "hi": ("ur", "en"), "ht": ("fr", "en", "es"),
    "hu": ("ro", "en"), "id": ("en", "ar"), "km": ("th", "vi", "en"), "ko": ("en", "zh"),
    "ku": ("tr", "ar", "fa"), "lo": ("th", "vi", "en"), "mn": ("ru", "zh", "en"), "my": ("th", "en"),
    "ne": ("hi", "en"), "pa": ("hi", "ur", "en"), "pl": ("en", "ru", "uk"), "ps": ("fa", "ur", "ar"),
    "pt": ("es", "fr", "en"), "ro": ("ru", "fr", "es", "en"), "ru": ("uk", "en"), "si": ("ta", "en", "ar"),
    "so": ("ar", "en", "sw"), "sq": ("en", "tr"), "sw": ("en", "fr", "ar"), "ta": ("en", "si", "hi"),
    "th": ("en", "zh"), "ti": ("am", "ar", "en"), "tl": ("en", "es"), "tr": ("en", "ar", "ku"),
    "uk": ("ru", "pl", "en"), "ur": ("hi", "en", "ar"), "vi": ("en", "zh"), "yo": ("en", "fr"), "zh": ("en",),
})  # fmt: skip


def likely(candidates: Iterable[str], spoken: Iterable[str]) -> tuple[str, ...]:
    """The languages of the line that a person probably reads, best first, from those their words may be in."""
    tags = tuple(candidates)
    guesses = dict.fromkeys((*tags, *(tag for each in tags for tag in READS.get(each, ()))))
    line = frozenset(spoken)
    return tuple(tag for tag in guesses if tag in line)[:LIKELY]
