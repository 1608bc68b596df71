"""Read a YAML file into a typed model, and say for every mistake where it is and what to do about it.

Every scalar stays a string until the model asks for something else, so that `no`, `on` and 08-12 mean what they say.
Only reading lives here: what a file means is for its model, and what follows from it for whoever loads it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]
_TOO_DEEP = "{source}:1:1: nest the settings less deeply"
_MOST_PARTS = 50_000  # the largest flow has about 1,000; aliases can make a short file mean billions


class BadFile(Exception):
    """A file cannot be used. `problems` holds one sentence for each mistake, as "file:line:column: what to do"."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked(Generic[M]):
    """A value read from a file, which still knows where each part of it was written (line and column from 1)."""

    value: M
    source: str
    places: Mapping[Path, tuple[int, int]]

    def where(self, path: Path) -> str:
        """ "file:line:column" of this part, or of the nearest part around it."""
        return _where(self.source, self.places, path)


def utf8(raw: bytes, source: str) -> str:
    """The bytes of a file as text. Raises BadFile with the place of the first byte that is not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    raise BadFile([f"{source}:{line}:{column}: save the file as UTF-8 text: from here on it is something else"])


def load(text: str, source: str, model: type[M]) -> M:
    """Read YAML `text` into `model`; `source` names the file in errors. Raises BadFile with all problems at once."""
    return read(text, source, model).value


def read(text: str, source: str, model: type[M]) -> Marked[M]:
    """Like `load`, and keep the places for checks that the model alone cannot make. Raises BadFile."""
    places: dict[Path, tuple[int, int]] = {}
    value = _Reader(source, places).read(text)
    try:
        return Marked(value=model.model_validate(value), source=source, places=places)
    except ValidationError as error:
        raise BadFile(sorted(_sentence(source, places, detail) for detail in error.errors())) from None


class _Reader:
    """Turns YAML nodes into plain values and notes the place of each."""

    def __init__(self, source: str, places: dict[Path, tuple[int, int]]) -> None:
        self.source = source
        self.places = places
        self.problems: list[str] = []

    def read(self, text: str) -> Any:
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            at = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
            what = error.problem or "this is not YAML"
            raise BadFile([f"{self.source}:{at}: correct the YAML here: {what}"]) from None
        except (yaml.YAMLError, ValueError):
            raise BadFile([f"{self.source}:1:1: save the file as UTF-8 text without control characters"]) from None
        except RecursionError:
            raise BadFile([_TOO_DEEP.format(source=self.source)]) from None
        if node is None:
            raise BadFile([f"{self.source}:1:1: the file is empty: write its settings"])
        try:
            value = self._value(node, (), ())
        except RecursionError:
            raise BadFile([_TOO_DEEP.format(source=self.source)]) from None
        if self.problems:
            raise BadFile(self.problems)
        return value

    def _value(self, node: yaml.Node, path: Path, above: tuple[int, ...]) -> Any:
        self.places.setdefault(path, _place(node))
        if len(self.places) > _MOST_PARTS:
            raise BadFile([f"{self.source}:1:1: the file is too large: write fewer settings, without aliases"])
        if id(node) in above:
            self._problem(node, "write this out: a part of the file may not refer to itself")
            return ""
        above = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, above)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index), above) for index, item in enumerate(node.value)]
        return node.value

    def _mapping(self, node: yaml.MappingNode, path: Path, above: tuple[int, ...]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, "use a plain word as the name of a setting")
                continue
            if key.value in made:
                self._problem(key, f"`{key.value}` is written twice: keep one")
                continue
            self.places[(*path, key.value)] = _place(key)
            made[key.value] = self._value(item, (*path, key.value), above)
        return made

    def _problem(self, node: yaml.Node, sentence: str) -> None:
        line, column = _place(node)
        self.problems.append(f"{self.source}:{line}:{column}: {sentence}")


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _where(source: str, places: Mapping[Path, tuple[int, int]], path: Path) -> str:
    while path and path not in places:
        path = path[:-1]
    line, column = places.get(path, (1, 1))
    return f"{source}:{line}:{column}"


_SAY = {
    "missing": "add `{field}`: it is needed here",
    "extra_forbidden": "`{field}` is not a setting here: remove it or correct its spelling",
    "literal_error": "`{field}` must be {expected}",
    "enum": "`{field}` must be {expected}",
    "bool_parsing": "`{field}` must be true or false",
    "int_parsing": "`{field}` must be a whole number",
    "float_parsing": "`{field}` must be a number",
    "list_type": "`{field}` must be a list: [one, two] or lines that begin with a dash",
    "tuple_type": "`{field}` must be a list: [one, two] or lines that begin with a dash",
    "dict_type": "`{field}` must hold settings of its own, indented below it",
    "model_type": "`{field}` must hold settings of its own, indented below it",
    "string_type": "`{field}` must be one text, not a list or a group",
    "value_error": "`{field}`: {error}",
}


def _sentence(source: str, places: Mapping[Path, tuple[int, int]], detail: Mapping[str, Any]) -> str:
    """One pydantic error as a sentence for whoever edits the file; never the rejected value, which may be a secret."""
    path: Path = tuple(detail["loc"])
    names = [part for part in path if isinstance(part, str)]
    facts = {"field": names[-1] if names else "the file", **detail.get("ctx", {})}
    fallback = "`{field}`: " + re.sub(r"[{}]", "", str(detail["msg"]))
    return f"{_where(source, places, path)}: " + _SAY.get(detail["type"], fallback).format_map(facts)
