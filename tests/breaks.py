"""Breaks on purpose: functions of the product that raise, in its real processes, while they hold a given value.

How a process breaks is in tests/breaking/sitecustomize.py; which ones, and what follows, is said by the tests.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ALWAYS = -1  # times
_FOLDER = Path(__file__).resolve().parent / "breaking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaks:
    """The functions that can break, as "module:Class.method", and the folder in which it is noted when they shall.

    The folder holds what is planted: a search for canaries must not look there.
    """

    folder: Path
    names: Sequence[str]

    @property
    def environment(self) -> dict[str, str]:
        """What a process must be started with."""
        path = os.pathsep.join([str(_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])])
        breakable = ",".join(self.names)
        return {"PYTHONPATH": path, "HARBORLINE_BREAKS": str(self.folder), "HARBORLINE_BREAKABLE": breakable}

    def at(self, name: str, value: str, *, after: bool = False, times: int = 1) -> None:
        """Break there when this value is at hand; `after`: once its work is done, before anybody hears of it."""
        assert name in self.names, name
        self.folder.mkdir(exist_ok=True)
        place = self._place(name, after)
        assert not place.exists(), f"{name} has not broken yet"
        new = place.with_name(f"{place.name}.new")
        new.write_text(json.dumps({"value": value, "times": times}))
        new.replace(place)

    def mend(self, name: str, *, after: bool = False) -> None:
        """It breaks no longer."""
        self._place(name, after).unlink()

    def struck(self, name: str, *, after: bool = False) -> int:
        """How often it has broken."""
        place = self._place(name, after)
        note = place.with_name(f"{place.name}.struck")
        return len(note.read_text().splitlines()) if note.exists() else 0

    def rooms(self) -> set[str]:
        """The rooms in which something has broken."""
        return {note.name.partition(".")[0] for note in self.folder.glob("*.struck")}

    def unstruck(self) -> set[str]:
        """What was to break and has not."""
        return {note.name for note in self.folder.iterdir() if note.suffix != ".struck"}

    def _place(self, name: str, after: bool) -> Path:
        return self.folder / (name.replace(":", ".") + (".after" if after else ""))
