"""Reads locales/<tag>/mentions.yml: how people say where, when, who, and so on, as templates (templates.py).

Every mistake is reported with file, line and column, all of them at once. What a phrase counts for when several are
found is for mentions.py. A file says:

    joined: true            the language is written without spaces (otherwise leave it out)
    prefixes: [...]         what is written onto the beginning of words
    lists: {name: [...]}    words for use in templates as <name>
    not_names: [...]        words with a capital letter that @ does not mean
    serious: [...]          with one of these in it, no text is a joke, in whatever language
    doubt: [...]            after these no fact counts: nobody says that it is so
    mentions: {fact.value: {say: [...], not_after: [...], not_before: [...]}}
    cues: {cue: {say: ...}}

`not_after` takes a phrase back when found shortly before it or within it, `not_before` when found shortly behind it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from understanding.examples import LOCALES
from understanding.meaning import Cue, Fact
from understanding.templates import HAN, Reader, Spoken, Template, TemplateError, Writing, plain

Result = tuple[Fact, str] | Cue
RESULTS: Mapping[str, Result] = MappingProxyType(
    {
        "where": (Fact.WHERE, ""),
        **{f"when.{value}": (Fact.WHEN, value) for value in ("today", "week", "earlier")},
        **{f"who.{value}": (Fact.WHO, value) for value in ("me", "adult", "minor", "several")},
        "still.yes": (Fact.STILL, "yes"),
        "still.no": (Fact.STILL, "no"),
        "papers.kept": (Fact.PAPERS, "kept"),
        "wages.unpaid": (Fact.WAGES, "unpaid"),
        **{cue.value: cue for cue in Cue},
    }
)
"""What can be named under `mentions` and `cues`, and what it stands for."""

_FACTS = tuple(name for name, result in RESULTS.items() if isinstance(result, tuple))
_PARTS = ("joined", "prefixes", "lists", "not_names", "serious", "doubt", "mentions", "cues")
_RULE = ("say", "not_after", "not_before")


class MentionWordsError(Exception):
    """A mentions.yml cannot be used. Each line of the message says file, line, column and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Phrases of one language with one result, and what takes them back."""

    result: Result
    phrases: re.Pattern[str]
    not_after: re.Pattern[str] | None = None
    not_before: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrasebook:
    """One language: rules by the beginning of their first word."""

    language: str
    writing: Writing
    rules: Mapping[str, tuple[Rule, ...]]
    not_names: frozenset[str] = frozenset()
    serious: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionTable:
    """All languages' phrasebooks, by tag."""

    books: Mapping[str, Phrasebook]

    def is_serious(self, seen: Spoken) -> bool:
        """Whether some word of danger or exploitation, of any language, is in the text."""
        return any(book.serious and book.serious.search(seen.text) for book in self.books.values())


def read_mentions(locales: Path = LOCALES) -> MentionTable:
    """Read every language's mentions.yml. Raises MentionWordsError with all mistakes of all files."""
    books: dict[str, Phrasebook] = {}
    problems: list[str] = []
    for path in sorted(locales.glob("*/mentions.yml")):
        file = _File(path)
        books[path.parent.name] = file.phrasebook()
        problems += file.problems
    if problems:
        raise MentionWordsError("\n".join(problems))
    return MentionTable(books=MappingProxyType(books))


class _File:
    """One file while it is read; collects its problems."""

    def __init__(self, path: Path) -> None:
        self._name = f"{path.parent.name}/{path.name}"
        self._language = path.parent.name
        self.problems: list[str] = []
        self._top = self._compose(path)

    def phrasebook(self) -> Phrasebook:
        """What the file says, as far as it can be read; the rest is in `problems`."""
        top = self._mapping(self._top, _PARTS)
        prefixes = tuple(word.value for word in self._list(top.get("prefixes")))
        writing = Writing(joined=self._truth(top.get("joined")), prefixes=prefixes)
        lists = {name: self._list(node) for name, node in self._mapping(top.get("lists"), None).items()}
        reader = Reader(writing, {name: [word.value for word in words] for name, words in lists.items()})
        for name, words in lists.items():
            self._templates(reader, words or [], f"<{name}>")
        doubt = self._templates(reader, self._list(top.get("doubt")))
        rules: dict[str, list[Rule]] = {}
        for part, allowed in (("mentions", _FACTS), ("cues", tuple(Cue))):
            for name, node in self._mapping(top.get(part), allowed).items():
                keys, rule = self._rule(reader, RESULTS[name], node, doubt if part == "mentions" else ())
                for key in keys:
                    rules.setdefault(key, []).append(rule)
        return Phrasebook(
            language=self._language,
            writing=writing,
            rules=MappingProxyType({key: tuple(found) for key, found in rules.items()}),
            not_names=frozenset(plain(word.value) for word in self._list(top.get("not_names"))),
            serious=_searched(self._templates(reader, self._list(top.get("serious"))), writing),
        )

    def _rule(
        self, reader: Reader, result: Result, node: yaml.Node, doubt: Sequence[Template]
    ) -> tuple[frozenset[str], Rule]:
        parts = self._mapping(node, _RULE)
        say, after, before = (self._templates(reader, self._list(parts.get(name))) for name in _RULE)
        if not say:
            self._problem(node, "write at least one phrase under `say`")
        rule = Rule(
            result=result,
            phrases=re.compile(_any(say, reader.writing)),
            not_after=_searched((*after, *doubt), reader.writing),
            not_before=_searched(before, reader.writing),
        )
        return frozenset().union(*(template.keys for template in say)), rule

    def _templates(self, reader: Reader, lines: Iterable[yaml.ScalarNode], name: str = "") -> tuple[Template, ...]:
        """Compile these lines; with `name`, only see whether the list of this name can be read."""
        found: list[Template] = []
        for line in lines:
            try:
                found.append(reader.template(line.value))
            except TemplateError as error:
                self._problem(line, f"{name + ': ' if name else ''}{error}")
        return tuple(found)

    # YAML, with places --------------------------------------------------------------------------------------------

    def _compose(self, path: Path) -> yaml.Node | None:
        try:
            node: yaml.Node | None = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            at = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
            self.problems.append(f"{self._name}:{at}: correct the YAML here: {error.problem}")
            return None
        except (yaml.YAMLError, UnicodeDecodeError):
            self.problems.append(f"{self._name}:1:1: save the file as UTF-8 text without control characters")
            return None
        return node

    def _mapping(self, node: yaml.Node | None, allowed: Sequence[str] | None) -> dict[str, yaml.Node]:
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self._problem(node, "write settings of its own here, indented, each with a name and a colon")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if allowed is not None and key.value not in allowed:
                self._problem(key, f"{key.value!r} is not known here: use one of {', '.join(allowed)}")
            elif key.value in found:
                self._problem(key, f"{key.value!r} is written twice: keep one")
            else:
                found[key.value] = value
        return found

    def _list(self, node: yaml.Node | None) -> list[yaml.ScalarNode]:
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self._problem(node, "write a list: [one, two], or lines that begin with a dash")
            return []
        for item in node.value:
            if not isinstance(item, yaml.ScalarNode):
                self._problem(item, "write one phrase here; put quotation marks around it if it has colons or brackets")
        return [item for item in node.value if isinstance(item, yaml.ScalarNode)]

    def _truth(self, node: yaml.Node | None) -> bool:
        if node is not None and node.value not in ("true", "false"):
            self._problem(node, "write true or false")
        return node is not None and node.value == "true"

    def _problem(self, node: yaml.Node, sentence: str) -> None:
        mark = node.start_mark
        self.problems.append(f"{self._name}:{mark.line + 1}:{mark.column + 1}: {sentence}")


def _any(templates: Sequence[Template], writing: Writing) -> str:
    """One expression for all of these; what cannot match for none. Their last word ends where they do."""
    if not templates:
        return r"(?!)"
    ending = "" if writing.joined else f"(?=[ {HAN}])"
    return f"(?:{'|'.join(template.expression for template in templates)}){ending}"


def _searched(templates: Sequence[Template], writing: Writing) -> re.Pattern[str] | None:
    """The same for searching in a text, at the beginnings of words only."""
    if not templates:
        return None
    beginning = "" if writing.joined else f"(?<=[ {HAN}])"
    return re.compile(f"{beginning}{_any(templates, writing)}")
