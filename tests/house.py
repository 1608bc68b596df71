"""The source of the house as the house rules read it: files, syntax trees, imports. Decides nothing about them."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("bot", "carriers", "channels", "console", "dialogs", "triage", "understanding", "vault")
PURE_ROOMS = ("dialogs", "triage")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One Python file: its path from the root ("vault/unit.py"), its lines and its tree."""

    path: str
    lines: tuple[str, ...] = field(repr=False)
    tree: ast.Module = field(repr=False)

    @property
    def room(self) -> str:
        """The first folder of the path: "vault", "tests"."""
        return self.path.split("/", 1)[0]

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Every function with its dotted name inside the file: "Unit.commit"."""
        yield from _functions(self.tree, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported module, the names taken from it (none for `import x`), and where that stands."""

    module: str
    names: tuple[str, ...]
    place: str  # "vault/unit.py:12"

    @property
    def top(self) -> str:
        """What stands before the first dot."""
        return self.module.split(".", 1)[0]

    @property
    def from_standard_library(self) -> bool:
        """True for what Python itself brings."""
        return self.top in sys.stdlib_module_names


@cache
def pyproject() -> dict[str, Any]:
    """The parsed pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """The Python files below these folders; Rasa's own project is Rasa's."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return tuple(read(path) for path in paths if "understanding/rasa/components" not in path.as_posix())


def read(path: Path) -> Source:
    """One file, parsed."""
    text = path.read_text(encoding="utf-8")
    return Source(path=path.relative_to(ROOT).as_posix(), lines=tuple(text.splitlines()), tree=ast.parse(text))


def imports(source: Source) -> Iterator[Import]:
    """Every import of a file, also those inside functions."""
    for node in ast.walk(source.tree):
        place = f"{source.path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module=alias.name, names=(), place=place)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield Import(module=node.module, names=tuple(alias.name for alias in node.names), place=place)


def length(function: Function) -> int:
    """Lines of a function without its docstring."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        whole -= (first.end_lineno or first.lineno) - first.lineno + 1
    return whole


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)
