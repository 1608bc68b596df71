"""The words: phrase key + language + mode -> text, from locales/<tag>/messages.po, meta.yml and sensitive.yml.

A line may lay words of its own over the built-in ones, phrase by phrase. Loading refuses a language that is not
complete; there is no falling back to another language or to the plain twin behind anybody's back. What is said when is
not decided here, nor what gives a line away (discreet.py).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polib
from pydantic import BaseModel, ConfigDict

from dialogs.conversation import Mode
from dialogs.covers import Cover, cover_words, dress
from dialogs.discreet import PLACEHOLDER, Sensitive, telling
from dialogs.lexicon import Lexicon
from dialogs.marked import BadFile, load, utf8

LOCALES = Path(__file__).parent.parent / "locales"
REFERENCE = "en"  # the language that says which phrases there are
NO_TWIN = ("page.", "level.", "words.")  # read by our own people, or only listened for
_BUDGET = re.compile(r"max (\d+) (segment|character)")
_SYNTAX = re.compile(r"\(line (\d+)\)")  # polib says the line of a mistake only in the text of its error
_FILLED_ANYWHERE = frozenset({"line", "cover", "emergency"})  # what every phrase may use, also one that a line adds
_HEARD_AS_CHOICE = 40  # letters: a longer phrase is no label that somebody would type
# What placeholders hold when lengths are measured
SAMPLE = {
    "line": "Harborline", "cover": "Corner Laundry", "emergency": "112", "code": "1234 5678 9012 3456",
    "level": "Emergency", "language": "English", "link": "https://line.example.org/cases/K7Q2", "holders": "Ada, Ben",
    "time": "2026-03-29 20:00", "methods": "Telegram", "name": "Ada",
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


class NoSuchPhrase(Exception):
    """A phrase was asked for that the catalogue does not have: add it to locales/<tag>/messages.po."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase in one language, both twins. `discreet` is None where none is needed."""

    plain: str
    discreet: str | None = None
    note: str = ""  # for translators; holds the length budget
    at: str = ""  # "file:line:column" of the plain words
    twin_at: str = ""  # and of the discreet ones

    def text(self, mode: Mode) -> str:
        """The words in this mode."""
        return self.discreet if mode is Mode.DISCREET and self.discreet is not None else self.plain


@dataclass(frozen=True, slots=True)
class Phrases:
    """All phrases of some languages. Build it with `load_phrases`."""

    locales: Mapping[str, Locale]
    catalogue: Mapping[str, Mapping[str, Phrase]] = field(repr=False)
    sensitive: Mapping[str, Sensitive] = field(repr=False)

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
            return PLACEHOLDER.sub(lambda found: values[found[1]], words)
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


def load_locales(directory: Path = LOCALES, own: Path | None = None) -> dict[str, Locale]:
    """Every language's meta.yml by tag, complete ones and others; one of `own` stands for the built-in one.

    Raises BadFile.
    """
    found = {}
    for folder in filter(None, (directory, own)):
        for path in sorted(folder.glob("*/meta.yml")):
            found[path.parent.name] = load(_text(path, directory), _name(path, directory), Locale)
    return found


def load_phrases(
    directory: Path = LOCALES,
    languages: Collection[str] | None = None,
    *,
    own: Path | None = None,
    cover: Cover = Cover.SHOP,
) -> Phrases:
    """The phrases of these languages, or of every complete one, with those of the folder `own` laid over them.

    `cover` is what the discreet ones look like.

    Raises BadFile when one of the languages is not complete.
    """
    known = load_locales(directory, own)
    wanted = [tag for tag in known if (known[tag].complete if languages is None else tag in languages)]
    unknown = sorted(set(languages or ()) - set(known))
    if unknown:
        raise BadFile(
            [f"locales/{tag}/meta.yml:1:1: write it, or take {tag} from the line's languages" for tag in unknown]
        )
    catalogue = {tag: _read(directory, tag, own, cover) for tag in wanted}
    reference = _reference(catalogue, _read(directory, REFERENCE, None, cover))
    problems = [problem for tag in wanted for problem in _gaps(tag, catalogue[tag], reference)]
    if problems:
        raise BadFile(problems)
    sensitive = {tag: _sensitive(directory, tag, own) for tag in {*wanted, REFERENCE}}
    return Phrases({tag: known[tag] for tag in wanted}, catalogue, sensitive)


def placeholders(text: str) -> frozenset[str]:
    """The names between braces."""
    return frozenset(PLACEHOLDER.findall(text))


def check(phrases: Phrases, segments: Callable[[str], int]) -> list[str]:
    """Every promise a catalogue makes that loading does not enforce: length budgets and harmless discreet twins.

    `segments` counts the SMS segments of a text. Returns one sentence for each problem.
    """
    return [*too_long(phrases, segments), *telling_phrases(phrases)]


def too_long(phrases: Phrases, segments: Callable[[str], int]) -> list[str]:
    """One sentence for every phrase over the budget in its comment ("max 2 segments")."""
    return [p for tag, key, phrase in _every(phrases) for p in _too_long(tag, key, phrase, phrases, segments)]


def telling_phrases(phrases: Phrases) -> list[str]:
    """One sentence for everything in a discreet phrase that gives the line away."""
    return [problem for tag, key, phrase in _every(phrases) for problem in _telling(tag, key, phrase, phrases)]


def _every(phrases: Phrases) -> Iterator[tuple[str, str, Phrase]]:
    return ((tag, key, phrase) for tag in phrases.languages for key, phrase in phrases.catalogue[tag].items())


def _reference(catalogue: Mapping[str, Mapping[str, Phrase]], built_in: Mapping[str, Phrase]) -> dict[str, Phrase]:
    """What every language must have: the built-in phrases, and those a line adds in any of its languages.

    A phrase is added in a file of the line's own; in a built-in file it can only be one that is not used any more.
    """
    added = {
        key: phrase
        for phrases in catalogue.values()
        for key, phrase in phrases.items()
        if key not in built_in and not phrase.at.startswith("locales/")
    }
    return {**added, **built_in}


def _read(directory: Path, tag: str, own: Path | None, cover: Cover) -> dict[str, Phrase]:
    """The phrases of one language: the built-in file, and over it the line's own where it has one."""
    files = [path for folder in filter(None, (directory, own)) if (path := folder / tag / "messages.po").exists()]
    if not files:
        raise BadFile([f"locales/{tag}/messages.po:1:1: write it, or set complete: false in meta.yml"])
    worn = cover_words(directory / tag / "cover.yml", f"locales/{tag}/cover.yml", cover)
    plain: dict[str, tuple[str, str, str]] = {}
    twins: dict[str, tuple[str, str, str]] = {}
    for path in files:
        name = _name(path, directory)
        for entry in _entries(path, name):
            if not entry.obsolete and entry.msgstr and "fuzzy" not in entry.flags:
                into = twins if entry.msgctxt == Mode.DISCREET else plain
                if into is twins or not entry.msgctxt:
                    note = entry.comment or into.get(entry.msgid, ("", "", ""))[1]
                    into[entry.msgid] = (dress(entry.msgstr, worn), note, f"{name}:{entry.linenum}:1")
    return {
        key: Phrase(words, twins[key][0] if key in twins else None, note, at, twins[key][2] if key in twins else at)
        for key, (words, note, at) in plain.items()
    }


def _entries(path: Path, name: str) -> polib.POFile:
    utf8(path.read_bytes(), name)
    try:
        return polib.pofile(str(path), encoding="utf-8", check_for_duplicates=True)
    except (OSError, ValueError) as error:
        said = _first_line(error)
        line = found[1] if (found := _SYNTAX.search(said)) else "1"
        raise BadFile([f"{name}:{line}:1: {said.replace(str(path), name)}"]) from None


def _sensitive(directory: Path, tag: str, own: Path | None) -> Sensitive:
    """The sensitive words of a language; a line's own are added to them."""
    found = Sensitive(words=())
    for folder in filter(None, (directory, own)):
        path = folder / tag / "sensitive.yml"
        if path.exists():
            found = found.with_those_of(load(_text(path, directory), _name(path, directory), Sensitive))
    return found


def _name(path: Path, directory: Path) -> str:
    """A built-in file by its place in the house, a line's own by its path."""
    return f"locales/{path.parent.name}/{path.name}" if path.is_relative_to(directory) else str(path)


def _text(path: Path, directory: Path) -> str:
    return utf8(path.read_bytes(), _name(path, directory))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else "this is not a gettext catalogue"


def _gaps(tag: str, phrases: Mapping[str, Phrase], reference: Mapping[str, Phrase]) -> Iterator[str]:
    for key, wanted in reference.items():
        if key not in phrases:
            yield f"locales/{tag}/messages.po:1:1: translate `{key}`"
            continue
        phrase = phrases[key]
        yield from _unlike(f"{phrase.at}: ", f"`{key}`", phrase.plain, wanted.plain)
        yield from _unlike(f"{phrase.twin_at}: ", f"the discreet twin of `{key}`", phrase.discreet, wanted.discreet)
        if wanted.discreet is None and not key.startswith(NO_TWIN):
            yield f'{phrase.at}: `{key}` needs a discreet twin (msgctxt "discreet")'
    for key, phrase in phrases.items():
        if key not in reference:
            yield f"{phrase.at}: `{key}` is not a phrase any more: remove it"
        elif phrase is reference[key] and placeholders(f"{phrase.plain}{phrase.discreet}") - _FILLED_ANYWHERE:
            yield f"{phrase.at}: `{key}` may hold {{line}}, {{cover}} and {{emergency}}: nothing fills another"


def _unlike(place: str, what: str, ours: str | None, theirs: str | None) -> Iterator[str]:
    """Words that are missing, or whose placeholders are not those of the reference."""
    if theirs is None:
        return
    if ours is None:
        yield f"{place}translate {what}"
    elif placeholders(ours) != placeholders(theirs):
        named = ", ".join(sorted(placeholders(theirs))) or "none"
        yield f"{place}{what} must have these placeholders and no other: {named}"


def _too_long(tag: str, key: str, phrase: Phrase, phrases: Phrases, segments: Callable[[str], int]) -> Iterator[str]:
    reference = phrases.catalogue.get(REFERENCE, {}).get(key, phrase)
    budget = _BUDGET.search(reference.note)
    if budget is None:
        return
    most, unit = int(budget[1]), budget[2]
    for text, place in ((phrase.plain, phrase.at), (phrase.discreet, phrase.twin_at)):
        filled = PLACEHOLDER.sub(lambda found: SAMPLE.get(found[1], ""), text or "")
        size = segments(filled) if unit == "segment" else len(filled)
        if size > most:
            yield f"{place}: `{key}` has {size} {unit}s, at most {most} fit: shorten it"


def _telling(tag: str, key: str, phrase: Phrase, phrases: Phrases) -> Iterator[str]:
    if phrase.discreet:
        for found in telling(key, phrase.discreet, phrases.sensitive, tag, phrases.locales[tag].script):
            yield f"{phrase.twin_at}: the discreet twin of `{key}` says `{found}`: use an ordinary word"
