"""Templates: phrases with lists, endings and gaps, as a programme officer writes them in locales/<tag>/mentions.yml.

Here they become regular expressions that read any text in linear time: a gap is bounded, nothing is repeated inside a
repetition, and an ending is possessive. What a template means is for mentions.py; no file is read here.

    word        this word                         word*       a word that begins so
    (a|b c)     one of these                      (a|b)?      one of these, or nothing
    <list>      one word or phrase of a list      #           a number of up to four digits
    ..  ...     up to two, up to five words (joined writing: three, seven signs)
    @           one word that the person wrote with a capital letter (the group of a match)
    don't       also "dont" and "don t"
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from understanding.text import clean, fold

HAN = "\u3400-\u9fff"
KEY = 4
"""Characters by which templates are found: the longest beginning of a first word that is looked up."""
NUMBER = "#"
_ENDS = frozenset(".!…。！।॥؟？?\n")
_ASKS = frozenset("?？؟")
_DOUBLED = re.compile(r"([a-z])\1+")
_NASAL = str.maketrans("ँ", "ं")
_PIECE = re.compile(r"\s+|<\w+>|[()|?#@]|\.{2,3}|[^\s<>()|?#@.]+|.")
_GAPS = {"..": (2, 3), "...": (5, 7)}
_WORD = r"[^ |?]"


class TemplateError(Exception):
    """A template cannot be read; the message says what is wrong with it and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a language is written: `joined`, without spaces between words; `prefixes` that are written onto words."""

    joined: bool = False
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A compiled template: an expression, and the beginnings (of 1 to KEY characters, or NUMBER) of its first word.

    Where its last word ends is for whoever joins several templates (phrasebook.py): it is slow to compile.
    """

    expression: str
    keys: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A text as templates see it: folded words with one space between, "|" where a sentence ends, "?" a question.

    Every run of a Latin letter is written once: people double letters as they like.
    """

    text: str
    original: str = field(repr=False)
    offsets: tuple[int, ...] = field(repr=False)  # of every word in `text`, ascending
    places: tuple[tuple[int, int], ...] = field(repr=False)  # of the same words in `original`
    shouted: bool  # capitals say nothing here: most words begin with one. Told once: every name of a text asks for it

    def as_written(self, start: int, end: int) -> str:
        """The words of the original that `text[start:end]` stands for."""
        first = max(bisect_right(self.offsets, start) - 1, 0)
        last = max(bisect_right(self.offsets, max(end - 1, start)) - 1, 0)
        return self.original[self.places[first][0] : self.places[last][1]] if self.places else ""


def plain(word: str) -> str:
    """A word as templates compare it: folded, western digits, runs of a Latin letter written once."""
    folded = _DOUBLED.sub(r"\1", fold(word)).translate(_NASAL)
    return "".join(c if c.isascii() or not c.isdecimal() else str(unicodedata.decimal(c)) for c in folded)


def spoken(raw: str) -> Spoken:
    """A text in the form that templates are matched against. Any text; at most text.LONGEST characters are read."""
    original = clean(raw.replace("\n", " | ")).replace(" | ", "\n")
    pieces, offsets, places = [" "], list[int](), list[tuple[int, int]]()
    at, length = 0, 1
    while at < len(original):
        end = _word_end(original, at)
        word = plain(original[at:end])
        if word:
            if _is_han(original[at]) and offsets and pieces[-1].endswith(" "):
                pieces[-1] = pieces[-1][:-1]
                length -= 1
            offsets.append(length)
            places.append((at, end))
            pieces.append(word + ("" if _is_han(original[at]) else " "))
        else:
            pieces.append("" if end > at else _mark(original[at]))  # a mark without its letter is no word
            end = max(end, at + 1)
        length += len(pieces[-1])
        at = end
    text = "".join(pieces).rstrip() + " "
    high = sum(original[start].isupper() for start, _ in places)
    return Spoken(
        text=text,
        original=original,
        offsets=tuple(offsets),
        places=tuple(places),
        shouted=len(places) > 2 and high * 2 > len(places),
    )


def _word_end(text: str, at: int) -> int:
    """Where the word that begins at `at` ends; `at` itself if none does. A Han sign is a word of its own."""
    if _is_han(text[at]):
        return at + 1
    end = at
    while end < len(text) and _is_word(text[end]) and not _is_han(text[end]):
        end += 1
    return end


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _mark(character: str) -> str:
    if character in _ENDS:
        return "? | " if character in _ASKS else "| "
    return ""


# Reading a template -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Item:
    """One part of a phrase: what it matches, how it may begin, and how it hangs together with the part before."""

    expression: str
    keys: frozenset[str]
    spaced: bool = False
    optional: bool = False
    gap: bool = False


class Reader:
    """Reads the templates of one language."""

    def __init__(self, writing: Writing, lists: Mapping[str, Sequence[str]]) -> None:
        self.writing = writing
        self._lists = lists
        self._made: dict[str, _Item] = {}
        self._within: list[str] = []
        prefixes = sorted(map(plain, writing.prefixes), key=len, reverse=True)
        self._prefix = f"(?:{'|'.join(map(re.escape, prefixes))})?" if prefixes else ""
        self._script = _script(prefixes[0]) if prefixes else ""

    def template(self, line: str) -> Template:
        """Compile one template. Raises TemplateError."""
        item = self._phrase(line)
        return Template(expression=item.expression, keys=item.keys)

    def _phrase(self, line: str) -> _Item:
        pieces = _PIECE.findall(line.strip())
        item, rest = self._either(pieces, 0)
        if rest < len(pieces):
            raise TemplateError("a closing bracket has no opening one: remove it")
        return item

    def _either(self, pieces: Sequence[str], at: int) -> tuple[_Item, int]:
        """Alternatives up to a closing bracket or the end."""
        branches: list[_Item] = []
        while True:
            items: list[_Item] = []
            while at < len(pieces) and pieces[at] not in ("|", ")"):
                at = self._part(pieces, at, items)
            branches.append(_sequence(items, self.writing))
            if at == len(pieces) or pieces[at] == ")":
                return _one_of(branches), at
            at += 1

    def _part(self, pieces: Sequence[str], at: int, items: list[_Item]) -> int:
        """Read one part, append it to `items`, and return where the next begins."""
        piece, spaced = pieces[at], at > 0 and pieces[at - 1].isspace()
        if piece.isspace():
            return at + 1
        if piece == "?":
            if not items or items[-1].gap:
                raise TemplateError("a question mark follows what may be left out: write it after a word or a bracket")
            items[-1] = replace(items[-1], optional=True)
            return at + 1
        if piece in _GAPS:
            items.append(_gap(piece, self.writing))
            return at + 1
        if piece == "(":
            item, end = self._either(pieces, at + 1)
            if end == len(pieces):
                raise TemplateError("an opening bracket is not closed: add one")
            items.append(replace(item, spaced=spaced))
            return end + 1
        items.append(replace(self._word(piece), spaced=spaced))
        return at + 1

    def _word(self, piece: str) -> _Item:
        if piece.startswith("<") and len(piece) > 1:
            return self._listed(piece[1:-1])
        if piece == NUMBER:
            return _Item(r"(?<!\d)\d{1,4}(?!\d)", frozenset([NUMBER]))
        if piece == "@":
            return _Item(f"({_WORD}++)", frozenset())
        parts = [plain(part) for part in re.split("['’-]", piece.removesuffix("*"))]
        letters = "".join(parts)
        if not letters or not all(map(_is_word, letters)):
            raise TemplateError(f"{piece!r} is not a word: write letters, or brackets, <list>, #, @, .. or ...")
        ending = f"{_WORD}*+" if piece.endswith("*") else ""
        whole = not ending and len(parts) == 1 and not self.writing.joined
        first = f"{parts[0]} " if whole else parts[0]
        key = NUMBER if first[0].isdecimal() else first[:KEY]
        prefix = self._prefix if _script(letters) == self._script else ""
        return _Item(prefix + " ?".join(map(re.escape, parts)) + ending, frozenset([key]))

    def _listed(self, name: str) -> _Item:
        if name in self._within:
            raise TemplateError(f"the list <{name}> contains itself: write its words out")
        if name not in self._lists:
            raise TemplateError(f"there is no list <{name}>: add it under lists, or correct its spelling")
        if name not in self._made:
            self._within.append(name)
            self._made[name] = _one_of([self._phrase(line) for line in self._lists[name]])
            self._within.pop()
        return self._made[name]


def _script(word: str) -> str:
    """ "latin", or the first word of the name of another script."""
    return unicodedata.name(word[0], "").partition(" ")[0] if word else ""


def _gap(piece: str, writing: Writing) -> _Item:
    words, signs = _GAPS[piece]
    expression = f"{_WORD}{{0,{signs}}}?" if writing.joined else f"(?: {_WORD}++){{0,{words}}}?"
    return _Item(expression, frozenset(), gap=True)


def _one_of(branches: Sequence[_Item]) -> _Item:
    if len(branches) == 1:
        return branches[0]
    longest_first = sorted((branch.expression for branch in branches), key=len, reverse=True)
    return _Item(f"(?:{'|'.join(longest_first)})", frozenset().union(*(branch.keys for branch in branches)))


def _sequence(items: Sequence[_Item], writing: Writing) -> _Item:
    """Parts one after the other, as one."""
    if not items or items[0].gap or items[-1].gap or all(item.optional for item in items):
        raise TemplateError("a phrase begins and ends with a word, and some word of it is needed: write one")
    expression, started = "", False
    keys: frozenset[str] = frozenset()
    for item in items:
        space = ("" if writing.joined else " ") if item.spaced or not started else ""
        if not started:
            keys |= item.keys
            expression += f"(?:{item.expression}{space})?" if item.optional else item.expression
            started = not item.optional
        elif item.gap:
            expression += item.expression
        else:
            expression += f"(?:{space}{item.expression})?" if item.optional else space + item.expression
    if not keys:
        raise TemplateError("a phrase cannot begin with a name or a gap: write the word before it")
    return _Item(expression, keys)
