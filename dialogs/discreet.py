"""What gives a line away on a checked phone: the words, names and numbers that no discreet text may hold.

Judging only. The words are data, in locales/<tag>/sensitive.yml; what is said is in the phrases. A lint finds words,
not hints: whether a twin sounds like a shop is for a reader of that language.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


class Sensitive(BaseModel):
    """The words of one language that give a line away: locales/<tag>/sensitive.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[str, ...]  # with every ending that the language gives them
    whole: tuple[str, ...] = ()  # only as they stand

    def with_those_of(self, other: "Sensitive") -> "Sensitive":
        """Both lists together: a line can add words and take none away."""
        return Sensitive(words=(*self.words, *other.words), whole=(*self.whole, *other.whole))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliberate:
    """A discreet phrase that may hold what others may not, and why."""

    phrase: str
    holds: str
    reason: str


# Every exception by name. A new one is a decision about somebody's safety: it needs its reason here.
DELIBERATE: Final = (
    Deliberate(
        phrase="danger.number",
        holds="emergency",
        reason="it names the country's emergency number to somebody whose life may depend on it; nothing else does",
    ),
)
# A value that tells who we are, or what a page says; {cover} is made to be seen.
_TELLING_VALUES: Final = frozenset({"line", "emergency", "level", "link", "holders"})
_TELLING_NUMBER: Final = re.compile(r"(?<!\d)\d{3,}")  # 112, 911, 116000: whoever wonders can look it up


def gives_away(text: str, sensitive: Sensitive, script: str) -> tuple[str, ...]:
    """The sensitive words that a text contains, as they are listed.

    Latin script: at the beginning of a word. Arabic: with prefixes and pronouns. Devanagari: with its endings. Chinese
    and other scripts without spaces: anywhere, also across spaces. `whole` words only as they stand.
    """
    finds = _FINDS.get(script, _find_latin)
    plain = _plain(text, script)
    found = [word for word in sensitive.words if finds(plain, _plain(word, script))]
    return (*found, *(word for word in sensitive.whole if _find_whole(plain, _plain(word, script))))


def telling_values(phrase: str, text: str) -> Iterator[str]:
    """The placeholders and literal numbers in a discreet text that tell, as they are written; none that is allowed."""
    allowed = {each.holds for each in DELIBERATE if each.phrase == phrase}
    for name in sorted(set(PLACEHOLDER.findall(text)) & _TELLING_VALUES - allowed):
        yield f"{{{name}}}"
    yield from _TELLING_NUMBER.findall(text)


def telling(phrase: str, text: str, words: Mapping[str, Sensitive], tag: str, script: str) -> Iterator[str]:
    """Everything in a discreet text of one language that gives a line away.

    `words` are those of every loaded language; English ones are looked for in every script but Latin, because a word in
    Latin letters stands out there.
    """
    bare = PLACEHOLDER.sub(" ", text)
    yield from telling_values(phrase, text)
    yield from gives_away(bare, words[tag], script)
    if script != "Latn" and "en" in words:
        yield from gives_away(bare, words["en"], "Latn")


# How each script is read ------------------------------------------------------------------------------------------

_INVISIBLE: Final = {"Cf", "Cc"}
_ARABIC_MARKS: Final = re.compile(r"[\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0640]")
_ARABIC: Final = str.maketrans("أإآٱىؤئ", "اااايوي")
_NUKTA: Final = "\u093c"
_CANDRABINDU: Final = str.maketrans("\u0901", "\u0902")


def _plain(text: str, script: str) -> str:
    """The same text without what a writer may add or leave out: case, width, invisible signs, vowel marks."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = "".join(" " if letter in "\n\t" else letter for letter in text if letter in "\n\t" or _is_seen(letter))
    if script == "Arab":
        return _ARABIC_MARKS.sub("", text).translate(_ARABIC)
    if script == "Deva":
        return unicodedata.normalize("NFD", text).replace(_NUKTA, "").translate(_CANDRABINDU)
    return text


def _is_seen(letter: str) -> bool:
    return unicodedata.category(letter) not in _INVISIBLE


def _find_latin(text: str, word: str) -> bool:
    """At the beginning only, or "report" would forbid "airport"."""
    return re.search(rf"(?<!\w){re.escape(word)}", text) is not None


_SIGN: Final = r"\w\u0900-\u0963"  # a vowel sign of Devanagari is no letter to `re`, but it is the middle of a word


def _find_whole(text: str, word: str) -> bool:
    return re.search(rf"(?<![{_SIGN}]){re.escape(word)}(?![{_SIGN}])", text) is not None


_AND: Final = "(?:[وف]?(?:س|(?:[بكل]?ال)|لل|[بكل])?)"
_PRONOUN: Final = "(?:ات|ون|ين|ان)?(?:ي|ني|ك|كم|كن|ه|ها|هم|هن|نا)?"


def _find_arabic(text: str, word: str) -> bool:
    """With the small words that are written together with it, before and behind; -a becomes -t before a pronoun."""
    stem = re.escape(word)
    forms = f"{stem}{_PRONOUN}" + (f"|{stem[:-1]}(?:ت|ات){_PRONOUN}" if word.endswith("ة") else "")
    return re.search(rf"(?<!\w){_AND}(?:{forms})(?!\w)", text) is not None


_ENDING: Final = "(?:ा|ी|े|ो|ों|ें|ीं|ियों|ियां|ियाँ|ाओं|ुओं|ओं|एं|यों|ना|ने|नी|ता|ते|ती|कर|ाना|ाने|ाया|ाई)?"
_LAST_VOWELS: Final = "ाीेो"


def _find_devanagari(text: str, word: str) -> bool:
    """A whole word, with the endings of number, case and tense."""
    forms = f"{re.escape(word)}{_ENDING}"
    if word[-1] in _LAST_VOWELS and len(word) > _LONG_ENOUGH:
        forms += f"|{re.escape(word[:-1])}{_ENDING}"
    return re.search(rf"(?<![{_SIGN}])(?:{forms})(?![{_SIGN}])", text) is not None


_LONG_ENOUGH: Final = 3  # letters: a shorter stem with an ending is too often another word


def _find_anywhere(text: str, word: str) -> bool:
    return re.sub(r"[\W_]", "", word) in re.sub(r"[\W_]", "", text)


_FINDS: Final = {
    "Arab": _find_arabic,
    "Deva": _find_devanagari,
    **dict.fromkeys(("Hans", "Hant", "Jpan", "Thai"), _find_anywhere),
}
