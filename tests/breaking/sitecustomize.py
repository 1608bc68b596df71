"""Breaks named functions of the product from outside, in its real processes: no hook for tests is in the product.

Python imports this file by its name at start, in every process that has this folder on PYTHONPATH before the fence's.
Functions are named in HARBORLINE_BREAKABLE ("module:Class.method", separated by commas). Each breaks when a file of
its name lies in HARBORLINE_BREAKS and the value in that file is at hand, in its arguments or in the local variables
of whoever called it. What it raises then quotes all it could see: the worst exception there could be.
How files are laid there is in tests/breaks.py. Nothing else may live here: it is imported before any room.
"""

import dataclasses
import importlib.util
import inspect
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce, wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

_CALLERS = 12  # frames whose local variables are looked at
_MOST = 20_000  # values that are looked at
_QUOTED = 200  # texts that an exception quotes, besides the one it is about
_PLACES = Path(os.environ.get("HARBORLINE_BREAKS", "/nonexistent"))


class Broken(Exception):
    """Something broke on purpose. Its arguments quote everything that was at hand."""


def _wanted() -> dict[str, list[str]]:
    """Module -> what in it can break."""
    wanted: dict[str, list[str]] = {}
    for name in filter(None, os.environ.get("HARBORLINE_BREAKABLE", "").split(",")):
        module, _, place = name.partition(":")
        wanted.setdefault(module, []).append(place)
    return wanted


def _texts(values: Sequence[object]) -> Iterator[str]:
    """Every text in these values and in what they hold, the nearest first."""
    left, seen = deque(values), set[int]()
    while left and len(seen) < _MOST:
        value = left.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, str):
            yield value
        elif isinstance(value, bytes | bytearray):
            yield bytes(value).decode(errors="replace")
        elif isinstance(value, int):
            yield str(value)
        elif isinstance(value, Mapping):
            left.extend([*value.keys(), *value.values()])
        elif isinstance(value, list | tuple | set | frozenset):
            left.extend(value)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            left.extend(getattr(value, field.name) for field in dataclasses.fields(value))


def _locals(frame: FrameType | None) -> Iterator[object]:
    """What whoever called holds in local variables, the nearest first."""
    for _ in range(_CALLERS):
        if frame is None:
            return
        yield from frame.f_locals.values()
        frame = frame.f_back


def _break(place: Path, values: Sequence[object]) -> None:
    """Raise Broken if this place is to break now, on what is at hand. Each break is counted in a file beside it."""
    try:
        asked = json.loads(place.read_bytes())
    except (FileNotFoundError, ValueError):  # nothing is asked, or the file is just being written
        return
    texts = list(_texts([*values, *_locals(sys._getframe(2))]))
    if not (about := [text for text in texts if asked["value"] in text]):
        return
    if asked["times"] == 1:
        place.unlink()
    else:
        place.write_text(json.dumps(asked | {"times": asked["times"] - 1}))
    with place.with_name(f"{place.name}.struck").open("a") as struck:
        struck.write(f"{os.getpid()}\n")
    error = Broken(*about, *texts[:_QUOTED])
    error.add_note(about[0])
    raise error from ValueError(about[0])


def _breakable(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    place = _PLACES / name.replace(":", ".")
    after = _PLACES / f"{name.replace(':', '.')}.after"

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def awaited(*arguments: Any, **named: Any) -> Any:
            _break(place, [*arguments, *named.values()])
            result = await function(*arguments, **named)
            _break(after, [result, *arguments, *named.values()])
            return result

        return awaited

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        _break(place, [*arguments, *named.values()])
        result = function(*arguments, **named)
        _break(after, [result, *arguments, *named.values()])
        return result

    return called


class _Loader(SourceFileLoader):
    """Loads a module and makes what is named in it breakable, before anybody else can take it from there."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        for place in _wanted()[module.__name__]:
            *owners, last = place.split(".")
            owner: Any = reduce(getattr, owners, module)
            setattr(owner, last, _breakable(f"{module.__name__}:{place}", getattr(owner, last)))


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in _wanted():
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin:
            spec.loader = _Loader(name, spec.origin)
        return spec


def _fence() -> None:
    """Stand the network fence too: Python imports only the first file of this name."""
    path = Path(__file__).resolve().parent.parent / "fence" / "sitecustomize.py"
    spec = importlib.util.spec_from_file_location("harborline_fence", path)
    if spec is None or spec.loader is None:
        raise ImportError("the network fence is missing")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


_fence()
sys.meta_path.insert(0, _Finder())
