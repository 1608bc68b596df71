"""Reads locales/<tag>/nlu.yml: what people write, with its meaning, and the patterns that name a signal's words.

The format is Rasa's training data (version 3.1), so that both engines learn from one file. Per example, Rasa's own
`metadata` carries what it has no word for: `level` (domain.md, section 1) and `signals`. `regex` blocks are named
after signals. Nothing is learnt here.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from understanding.meaning import Intent, Signal
from understanding.text import clean, fold

LOCALES = Path(__file__).resolve().parent.parent / "locales"
LEVELS = ("information", "standard", "high", "emergency")


class TrainingWordsError(Exception):
    """A training file says something we cannot use; the message names file and entry and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One thing somebody might write, and what it means."""

    language: str
    text: str
    intent: Intent
    level: str  # one of LEVELS
    signals: frozenset[Signal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Everything one language's file says: examples, and per signal the patterns (matched in folded text)."""

    language: str
    examples: tuple[Example, ...]
    patterns: dict[Signal, tuple[str, ...]] = field(default_factory=dict)


def _example(language: str, intent: Intent, entry: dict[str, Any], where: str) -> Example:
    metadata = entry.get("metadata") or {}
    level = metadata.get("level")
    if level not in LEVELS:
        raise TrainingWordsError(f"{where}: level {level!r} is not one of {', '.join(LEVELS)}")
    try:
        signals = frozenset(map(Signal, metadata.get("signals", ())))
    except ValueError as error:
        raise TrainingWordsError(f"{where}: {error}") from None
    return Example(language=language, text=clean(entry["text"]), intent=intent, level=level, signals=signals)


def _patterns(block: str, where: str) -> tuple[str, ...]:
    lines = tuple(line.strip().removeprefix("- ") for line in block.splitlines() if line.strip())
    for line in lines:
        try:
            re.compile(fold(line))
        except re.error as error:
            raise TrainingWordsError(f"{where}: the pattern {line!r} cannot be read: {error}") from None
        if re.search(r"\\[A-Z]", line):
            raise TrainingWordsError(f"{where}: the pattern {line!r} uses an upper-case class, which folding changes")
    return lines


def _load(path: Path) -> list[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same rules, ten times faster
    try:
        blocks: list[dict[str, Any]] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)["nlu"]  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise TrainingWordsError(f"{path}: not a list of training examples under nlu: {error}") from None
    return blocks


def read_words(path: Path) -> Words:
    """Read one nlu.yml. The language is the folder's name. Raises TrainingWordsError."""
    language = path.parent.name
    examples: list[Example] = []
    patterns: dict[Signal, tuple[str, ...]] = {}
    for block in _load(path):
        where = f"{path}: {block.get('intent') or block.get('regex')}"
        try:
            if "intent" in block:
                intent = Intent(block["intent"])
                examples += [_example(language, intent, entry, where) for entry in block["examples"]]
            else:
                patterns[Signal(block["regex"])] = _patterns(block["examples"], where)
        except (KeyError, TypeError, ValueError) as error:
            raise TrainingWordsError(f"{where}: {error}") from None
    return Words(language=language, examples=tuple(examples), patterns=patterns)


def files(locales: Path = LOCALES) -> tuple[Path, ...]:
    """The training files, in the order of their tags."""
    return tuple(sorted(locales.glob("*/nlu.yml")))


def all_words(locales: Path = LOCALES) -> Iterator[Words]:
    """Every language's words, in the order of their tags. Raises TrainingWordsError."""
    return map(read_words, files(locales))


def digest(locales: Path = LOCALES) -> str:
    """SHA-256 over all training files: the heads remember which words they were built from."""
    total = hashlib.sha256()
    for path in files(locales):
        total.update(path.parent.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()
