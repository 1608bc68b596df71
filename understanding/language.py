"""Which language a text is written in: what the identifiers say, weighed into one guess. Pure; runs no native code.

Script decides first, for many languages alone. Within a script py3langid is heard most, cld3 second (it alone knows
romanised Hindi, Russian, Bulgarian and Chinese), our own n-gram heads third (they know what the training words
know, Arabizi too). Romanised text defeats every identifier: what is written in Latin letters without agreement
stays below SURE, so that the person is asked. A language that a person chose is passed in as `hint` and wins near ties.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SURE = 0.9
"""At or above this confidence nobody needs to ask."""
_UNSURE = 0.89
_CANDIDATES = 3
_WORTH_ASKING = 0.03  # a candidate with a smaller share is not offered
_AGREED = 1.5  # bonus when two independent identifiers are both sure
_ABSENT = 0.07  # what our own heads say of a language they have never seen

SCRIPT_OF: Mapping[str, str] = MappingProxyType(
    dict.fromkeys("en es pt fr ht vi tl id ro hu pl sq tr so sw ha yo".split(), "Latn")
    | dict.fromkeys(("ar", "fa", "ps", "ur"), "Arab")
    | dict.fromkeys(("hi", "ne"), "Deva")
    | dict.fromkeys(("mn", "ru", "uk", "bg"), "Cyrl")
    | dict.fromkeys(("am", "ti"), "Ethi")
    | {"bn": "Beng", "pa": "Guru", "ta": "Taml", "si": "Sinh", "th": "Thai", "lo": "Laoo", "km": "Khmr"}
    | {"my": "Mymr", "zh": "Hani", "ko": "Hang", "ku": "Latn"}
)
"""The languages we know, with their usual script."""
KNOWN = tuple(SCRIPT_OF)
_OTHER_SCRIPTS = {"ku": "Arab", "pa": "Arab"}
_ROMANISED = (
    *("hi", "ar", "zh", "ru", "bg", "ur", "bn", "ne", "pa", "fa", "ps", "ta", "si", "am", "mn", "uk", "ti"),
    *("km", "ko", "lo", "my", "th"),
)
_BLOCKS = {
    "LATIN": "Latn", "ARABIC": "Arab", "DEVANAGARI": "Deva", "CYRILLIC": "Cyrl", "ETHIOPIC": "Ethi", "BENGALI": "Beng",
    "GURMUKHI": "Guru", "TAMIL": "Taml", "SINHALA": "Sinh", "THAI": "Thai", "LAO": "Laoo", "KHMER": "Khmr",
    "MYANMAR": "Mymr", "CJK": "Hani", "HANGUL": "Hang", "HIRAGANA": "Kana", "KATAKANA": "Kana",
}  # fmt: skip

_LETTERS: Mapping[str, str] = MappingProxyType({
    "ur": "ٹڈڑےںھ", "ps": "ټډړږښځڅېۍګڼ", "fa": "گچپژ", "ku": "ڕڵێۆە",
    "mn": "өү", "uk": "іїєґ", "ru": "ыэё", "bg": "ъщ",
})  # fmt: skip
"""Letters that speak for one language among those that share its script (fa, bg: weakly, they share them)."""
_DIGITS_AS_LETTERS = re.compile(r"(?<![a-z0-9])(?:[37][a-z]{3,}|[a-z']+[23579][a-z]+)", re.IGNORECASE)
"""Words of Arabic in Latin letters, with digits for the letters Latin has not ("ba3d", "7abibi"); not "3pm", "2nd"."""
_LETTER_WEIGHT = {"fa": 0.5, "bg": 0.7, "ru": 0.7}
_TIGRINYA = frozenset(("እዩ", "ናይ", "ኣብ", "ካብ", "ድማ", "ኣሎ", "ኣለኹ", "እየ", "ምስ", "ክሳብ", "ከምኡ", "ሓደ", "ኢና", "የለን", "ኣነ"))
_AMHARIC = frozenset(("ነው", "እና", "ላይ", "አለ", "ውስጥ", "ግን", "ነኝ", "እኔ", "ነገር", "ናቸው", "አንድ", "ጋር", "ስለ", "የለም", "ነበር"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """What the identifiers said, as probabilities: py3langid by tag; cld3 and our heads by tag or "<tag>-Latn"."""

    langid: Mapping[str, float]
    cld: Mapping[str, float]
    own: Mapping[str, float]


NO_VOTES = Votes(langid={}, cld={}, own={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """The likeliest language, or None; `script` is ISO 15924, "" without letters; `variety` keys the heads' means."""

    language: str | None
    confidence: float
    candidates: tuple[str, ...]
    script: str
    transliterated: bool = False

    @property
    def variety(self) -> str:
        """ "hi", or "hi-Latn" when romanised; "" when unknown."""
        return f"{self.language}-Latn" if self.language and self.transliterated else self.language or ""


def scripts(text: str) -> Counter[str]:
    """How many letters of each script a text has. Marks do not count, digits and symbols neither."""
    found: Counter[str] = Counter()
    for character, count in Counter(text).items():
        if unicodedata.category(character)[0] == "L":
            block = unicodedata.name(character, "").split(" ")[0]
            found[_BLOCKS.get(block, "Zyyy")] += count
    return found


def script(text: str) -> str:
    """The ISO 15924 code of the script most letters are in; "" without letters; "Zyyy" for one we have no name for."""
    found = scripts(text)
    if found["Kana"] * 5 > found["Hani"] and found["Kana"]:
        found["Kana"] += found.pop("Hani", 0)
    return found.most_common(1)[0][0] if found else ""


def _options(code: str) -> tuple[str, ...]:
    """The varieties that are written in a script; in Latin also the romanised ones."""
    usual = [tag for tag in KNOWN if SCRIPT_OF[tag] == code or _OTHER_SCRIPTS.get(tag) == code]
    return tuple(usual + [f"{tag}-Latn" for tag in _ROMANISED] if code == "Latn" else usual)


def _tag(variety: str) -> str:
    return variety.removesuffix("-Latn")


def _score(variety: str, votes: Votes) -> float:
    """Weighed logarithms; a voter that does not know a variety abstains with its usual share."""
    if variety.endswith("-Latn"):
        langid = 0.15 if variety in votes.own or variety in votes.cld else 0.005
    else:
        langid = max(votes.langid.get(variety, 0.0), 0.01)
    cld = max(votes.cld.get(variety, 0.0), 0.05)
    own = min(max(votes.own.get(variety, _ABSENT), 0.02), 0.97)
    agreed = _AGREED if langid >= SURE and cld >= SURE else 0.0
    return math.log(langid) + 0.7 * math.log(cld) + 1.2 * math.log(own) + agreed


def _letters(text: str, variety: str) -> float:
    """Bonus for letters that only this language uses: up to 3, growing with their number."""
    if variety == "ar-Latn":
        return min(3.0, 1.5 * len(_DIGITS_AS_LETTERS.findall(text)))
    letters = _LETTERS.get(variety)
    if not letters:
        return 0.0
    share = sum(map(text.count, letters)) / max(len(text), 1)
    return min(3.0, 60 * share) * _LETTER_WEIGHT.get(variety, 1.0)


def _ethiopic(text: str) -> dict[str, float]:
    """Amharic or Tigrinya: Tigrinya keeps ኣ and the ቐ row, which Amharic hardly writes; then the commonest words."""
    words = set(text.replace("።", " ").replace("፣", " ").split())
    tigrinya = text.count("ኣ") + 3 * sum("ቐ" <= c <= "ቝ" for c in text) + 2 * len(words & _TIGRINYA)
    amharic = text.count("አ") + 2 * len(words & _AMHARIC)
    tigrinya += sum(word.startswith(("ዝ", "ን", "ኣ", "ክ")) for word in words)
    amharic += sum(word.startswith(("የ", "በ", "እን", "ለ")) for word in words)
    share = (tigrinya + 0.5) / (tigrinya + amharic + 1.0)
    return {"ti": share, "am": 1.0 - share}


def _posterior(text: str, code: str, votes: Votes, languages: tuple[str, ...], hint: str | None) -> dict[str, float]:
    options = _options(code)
    if code == "Ethi":
        return _ethiopic(text)
    scores = {variety: _score(variety, votes) + _letters(text, variety) for variety in options}
    for variety in scores:
        scores[variety] += (0.4 if _tag(variety) in languages else 0.0) + (1.0 if _tag(variety) == hint else 0.0)
    top = max(scores.values())
    weights = {variety: math.exp(score - top) for variety, score in scores.items()}
    total = sum(weights.values())
    return {variety: weight / total for variety, weight in weights.items()}


def _cap(text: str, code: str, variety: str, alone: bool, votes: Votes) -> float:
    """The most confidence this text can give, whatever the identifiers say."""
    letters, words = sum(c.isalpha() for c in text), len(text.split())
    if code == "Latn":
        if letters < 8 or words < 2:
            return 0.5
        agreed = max(votes.cld, key=votes.cld.__getitem__, default="") == variety
        return _UNSURE if variety.endswith("-Latn") or letters < 12 or not (agreed or votes.langid) else 0.99
    if alone:
        return 0.99
    return 0.99 if letters >= 6 else _UNSURE


def identify(text: str, *, votes: Votes = NO_VOTES, languages: tuple[str, ...] = (), hint: str | None = None) -> Guess:
    """Guess the language of cleaned text.

    `languages` are the line's own: preferred in near ties, never forced, so that staff learn which interpreter is
    needed. Too short to tell ("ok", "12", an emoji): language None, with candidates where the script gives some.
    """
    code = script(text)
    options = _options(code)
    if not options:
        return Guess(language=None, confidence=0.0, candidates=(), script=code)
    posterior = _posterior(text, code, votes, languages, hint)
    ranked = sorted(posterior, key=lambda variety: -posterior[variety])
    best = ranked[0]
    worth = [variety for variety in ranked if posterior[variety] >= _WORTH_ASKING] or [best]
    candidates = tuple(dict.fromkeys(map(_tag, worth)))[:_CANDIDATES]
    sure = sum(share for variety, share in posterior.items() if _tag(variety) == _tag(best))
    confidence = min(sure, _cap(text, code, best, len(options) == 1, votes))
    romanised = best.endswith("-Latn")
    tellable = confidence > 0.5 or not _short(text, code)
    return Guess(
        language=_tag(best) if tellable else None,
        confidence=round(confidence, 3) if tellable else 0.0,
        candidates=candidates,
        script=code,
        transliterated=romanised and tellable,
    )


def _short(text: str, code: str) -> bool:
    return code == "Latn" and (len(text.split()) < 2 or sum(c.isalpha() for c in text) < 8)
