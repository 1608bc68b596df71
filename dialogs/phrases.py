"""The words: phrase key + language + mode -> text, from locales/<tag>/messages.po and meta.yml.

Loading refuses a language that is not complete; there is no falling back to another language or to the plain twin
behind anybody's back. What is said when is not decided here.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polib
from pydantic import BaseModel, ConfigDict

from dialogs.conversation import Mode
from dialogs.lexicon import Lexicon
from dialogs.marked import BadFile, load

LOCALES = Path(__file__).parent.parent / "locales"
REFERENCE = "en"  # the language that says which phrases there are
NO_TWIN = ("page.", "level.", "words.")  # read by our own people, or only listened for
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_BUDGET = re.compile(r"max (\d+) (segment|character)")
_HEARD_AS_CHOICE = 40  # letters: a longer phrase is no label that somebody would type
# What placeholders hold when lengths are measured
SAMPLE = {
    "line": "Harborline", "cover": "Corner Laundry", "emergency": "112", "code": "1234 5678 9012 3456",
    "level": "Emergency", "language": "English", "link": "https://line.example.org/cases/K7Q2", "holders": "Ada, Ben",
}  # fmt: skip


class Locale(BaseModel):
    """What a language needs besides its phrases: locales/<tag>/meta.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str  # in its own words and script
    english: str
    direction: Literal["ltr", "rtl"]
    script: str  # ISO 15924
    complete: bool  # offered to people; the tests prove it
    say: str  # the voice provider's tag for reading aloud
    listen: str  # and for speech
    also: tuple[str, ...] = ()  # what people call it
    sensitive: tuple[str, ...]  # words that no discreet phrase may contain


class NoSuchPhrase(Exception):
    """A phrase was asked for that the catalogue does not have: add it to locales/<tag>/messages.po."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase in one language, both twins. `discreet` is None where none is needed."""

    plain: str
    discreet: str | None = None
    note: str = ""  # for translators; holds the length budget

    def text(self, mode: Mode) -> str:
        """The words in this mode."""
        return self.discreet if mode is Mode.DISCREET and self.discreet is not None else self.plain


@dataclass(frozen=True, slots=True)
class Phrases:
    """All phrases of some languages. Build it with `load_phrases`."""

    locales: Mapping[str, Locale]
    catalogue: Mapping[str, Mapping[str, Phrase]] = field(repr=False)

    @property
    def languages(self) -> tuple[str, ...]:
        """The tags of the languages that were loaded."""
        return tuple(self.locales)

    @property
    def keys(self) -> frozenset[str]:
        """Every phrase key."""
        return frozenset(
            self.catalogue[REFERENCE] if REFERENCE in self.catalogue else next(iter(self.catalogue.values()))
        )

    def text(self, key: str, language: str, mode: Mode, values: Mapping[str, str]) -> str:
        """The words of a phrase with its placeholders filled. "language:<tag>" is a language's own name.

        Raises NoSuchPhrase when the key, the language or a value is missing.
        """
        try:
            if key.startswith("language:"):
                return self.locales[key.removeprefix("language:")].name
            words = self.catalogue[language][key].text(mode)
            return _PLACEHOLDER.sub(lambda found: values[found[1]], words)
        except KeyError as missing:
            raise NoSuchPhrase(
                f"phrase {key!r} in {language!r} lacks {missing}: see locales/{language}/messages.po"
            ) from None

    def lexicon(self) -> Lexicon:
        """The words that people may use instead of keys: labels of both twins, `words.` phrases, names of languages."""
        return Lexicon.of(self._words())

    def _words(self) -> Iterator[tuple[str, str, str]]:
        for language, phrases in self.catalogue.items():
            for key, phrase in phrases.items():
                if key.startswith("words."):
                    yield language, key, phrase.plain
                elif len(phrase.plain) <= _HEARD_AS_CHOICE and not key.startswith(NO_TWIN):
                    yield language, key, phrase.plain
                    yield language, key, phrase.discreet or ""
            for tag, locale in self.locales.items():
                yield language, f"language:{tag}", ",".join((locale.name, *locale.also))


def load_locales(directory: Path = LOCALES) -> dict[str, Locale]:
    """Every language's meta.yml by tag, complete ones and others. Raises BadFile."""
    found = {}
    for path in sorted(directory.glob("*/meta.yml")):
        found[path.parent.name] = load(path.read_text("utf-8"), f"locales/{path.parent.name}/meta.yml", Locale)
    return found


def load_phrases(directory: Path = LOCALES, languages: Collection[str] | None = None) -> Phrases:
    """The phrases of these languages, or of every complete one. Raises BadFile when one of them is not complete."""
    known = load_locales(directory)
    wanted = [tag for tag in known if (known[tag].complete if languages is None else tag in languages)]
    unknown = sorted(set(languages or ()) - set(known))
    if unknown:
        raise BadFile(
            [f"locales/{tag}/meta.yml:1:1: write it, or take {tag} from the line's languages" for tag in unknown]
        )
    reference = _read(directory, REFERENCE)
    catalogue = {tag: _read(directory, tag) for tag in wanted}
    problems = [problem for tag in wanted for problem in _gaps(tag, catalogue[tag], reference)]
    if problems:
        raise BadFile(problems)
    return Phrases({tag: known[tag] for tag in wanted}, catalogue)


def placeholders(text: str) -> frozenset[str]:
    """The names between braces."""
    return frozenset(_PLACEHOLDER.findall(text))


def check(phrases: Phrases, segments: Callable[[str], int]) -> list[str]:
    """Every promise a catalogue makes that loading does not enforce: length budgets and harmless discreet twins.

    `segments` counts the SMS segments of a text. Returns one sentence for each problem.
    """
    return [
        problem
        for tag, locale in phrases.locales.items()
        for key, phrase in phrases.catalogue[tag].items()
        for problem in (*_too_long(tag, key, phrase, phrases, segments), *_telling(tag, key, phrase, locale))
    ]


def is_telling(text: str, word: str, script: str) -> bool:
    """True when `text` contains a sensitive word: its beginning in Latin script, a whole word in others, any place in
    Chinese, which does not separate words."""
    text, word = text.casefold(), word.casefold()
    if script in {"Hans", "Hant", "Jpan", "Thai"}:
        return word in text
    if script == "Latn":
        return re.search(rf"(?<!\w){re.escape(word)}", text) is not None
    # A vowel sign of Devanagari is no letter to `re`, but it is the middle of a word.
    before = r"(?<![\w\u0900-\u0963])" if script == "Deva" else r"(?:^|[\s\W])"
    after = r"(?:$|[\s.,:;?؟،।()])"
    article = "(?:[وفبكل]?(?:ال)?|لل)" if script == "Arab" else ""
    return re.search(f"{before}{article}{re.escape(word)}{after}", text) is not None


def _read(directory: Path, tag: str) -> dict[str, Phrase]:
    path = directory / tag / "messages.po"
    name = f"locales/{tag}/messages.po"
    try:
        entries = polib.pofile(str(path), check_for_duplicates=True)
    except FileNotFoundError:
        raise BadFile([f"{name}:1:1: write it, or set complete: false in meta.yml"]) from None
    except (OSError, ValueError) as error:
        raise BadFile([f"{name}:1:1: {_first_line(error)}"]) from None
    usable = [entry for entry in entries if not entry.obsolete and entry.msgstr and "fuzzy" not in entry.flags]
    twins = {entry.msgid: entry.msgstr for entry in usable if entry.msgctxt == Mode.DISCREET}
    plain = [entry for entry in usable if not entry.msgctxt]
    return {entry.msgid: Phrase(entry.msgstr, twins.get(entry.msgid), entry.comment) for entry in plain}


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else "this is not a gettext catalogue"


def _gaps(tag: str, phrases: Mapping[str, Phrase], reference: Mapping[str, Phrase]) -> Iterator[str]:
    name = f"locales/{tag}/messages.po:1:1"
    for key, wanted in reference.items():
        if key not in phrases:
            yield f"{name}: translate `{key}`"
            continue
        for mode, ours, theirs in (
            ("", phrases[key].plain, wanted.plain),
            (" (discreet)", phrases[key].discreet, wanted.discreet),
        ):
            if theirs is None:
                continue
            if ours is None:
                yield f"{name}: translate the discreet twin of `{key}`"
            elif placeholders(ours) != placeholders(theirs):
                named = ", ".join(sorted(placeholders(theirs))) or "none"
                yield f"{name}: `{key}`{mode} must have these placeholders and no other: {named}"
        if wanted.discreet is None and not key.startswith(NO_TWIN):
            yield f'{name}: `{key}` needs a discreet twin (msgctxt "discreet")'
    for key in phrases:
        if key not in reference:
            yield f"{name}: `{key}` is not a phrase any more: remove it"


def _too_long(tag: str, key: str, phrase: Phrase, phrases: Phrases, segments: Callable[[str], int]) -> Iterator[str]:
    reference = phrases.catalogue.get(REFERENCE, {}).get(key, phrase)
    budget = _BUDGET.search(reference.note)
    if budget is None:
        return
    most, unit = int(budget[1]), budget[2]
    for text in filter(None, (phrase.plain, phrase.discreet)):
        filled = _PLACEHOLDER.sub(lambda found: SAMPLE.get(found[1], ""), text)
        size = segments(filled) if unit == "segment" else len(filled)
        if size > most:
            yield f"locales/{tag}/messages.po:1:1: `{key}` has {size} {unit}s, at most {most} fit: shorten it"


def _telling(tag: str, key: str, phrase: Phrase, locale: Locale) -> Iterator[str]:
    for word in locale.sensitive:
        if phrase.discreet and is_telling(_PLACEHOLDER.sub("", phrase.discreet), word, locale.script):
            yield f"locales/{tag}/messages.po:1:1: the discreet twin of `{key}` says `{word}`: use an ordinary word"
