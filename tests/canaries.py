"""Canaries: values that occur nowhere else, how they may look in bytes, and the search for them in every byte.

Nothing here knows what a line does. What is planted is said in tests/test_canaries.py, where it may lie as well; that
the search finds what was leaked on purpose is shown in tests/test_canaries_seeded.py. A finding names place, canary
and encoding, and never what lies around it.
"""

import asyncio
import base64
import hashlib
import html
import json
import re
import secrets
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_from_bytes

import numpy as np
import psutil
import psycopg

_WINDOW: Final = 8  # bytes by which a needle is first recognised: shorter ones would be found by chance
_PART: Final = 1 << 18  # bytes that are looked at in one go
_BITS: Final = 20  # of the table that says which windows are worth a look
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)  # spreads a window over the table
_DIGESTS: Final = (hashlib.md5, hashlib.sha1, hashlib.sha256)

# Making them ------------------------------------------------------------------------------------------------------


def made_up(letters: str, length: int = 12) -> str:
    """A word of these letters that nobody has ever written."""
    return "".join(secrets.choice(letters) for _ in range(length))


# Encodings --------------------------------------------------------------------------------------------------------


def encodings(text: str) -> Iterator[bytes]:
    """Every usual way to write a text as bytes, without digests."""
    yield from dict.fromkeys(form for _, form in written(text))


def written(text: str) -> Iterator[tuple[str, bytes]]:
    """Every usual way to write a text as bytes, with its name; the commonest first."""
    raw = text.encode()
    for codec in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        yield codec, text.encode(codec)
    yield "utf-8, small letters", text.lower().encode()
    yield "utf-8, capitals", text.upper().encode()
    yield "hex", raw.hex().encode()
    yield "hex, capitals", raw.hex().upper().encode()
    for shift in range(3):  # base64 looks different wherever the text begins
        form = _base64(raw, shift)
        yield f"base64 at {shift}", form
        yield f"base64url at {shift}", form.translate(bytes.maketrans(b"+/", b"-_"))
    everything = "".join(f"%{byte:02X}" for byte in raw)
    for percent in (quote(text), quote(text, safe=""), quote_from_bytes(raw, safe="").replace("%20", "+"), everything):
        yield "percent", percent.encode()
        yield "percent, small letters", re.sub("%..", lambda found: found[0].lower(), percent).encode()
    escaped = json.dumps(text)[1:-1]
    yield "json", escaped.encode()
    yield "json, capitals", re.sub(r"\\u....", lambda found: "\\u" + found[0][2:].upper(), escaped).encode()
    yield "json, all escaped", "".join(f"\\u{unit:04x}" for unit in _utf16(text)).encode()
    yield "html", html.escape(text).encode("ascii", "xmlcharrefreplace")
    if re.fullmatch(r"\+?[0-9]{8,18}", text):
        yield "64-bit integer, little end first", struct.pack("<q", int(text))
        yield "64-bit integer, big end first", struct.pack(">q", int(text))


def digested(text: str) -> Iterator[tuple[str, bytes]]:
    """Its digests without a key: whoever has a list of all phone numbers reads them like the numbers themselves."""
    for digest in _DIGESTS:
        raw = digest(text.encode()).digest()
        name = digest(b"").name
        yield f"{name}", raw
        yield f"{name}, hex", raw.hex().encode()
        yield f"{name}, hex in capitals", raw.hex().upper().encode()
        yield f"{name}, base64", base64.b64encode(raw).rstrip(b"=")
        yield f"{name}, base64url", base64.urlsafe_b64encode(raw).rstrip(b"=")


def _base64(raw: bytes, shift: int) -> bytes:
    """The letters of base64 that depend on `raw` alone, when `shift` other bytes stand before it."""
    whole = base64.b64encode(b"\0" * shift + raw)
    return whole[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]


def _utf16(text: str) -> Sequence[int]:
    raw = text.encode("utf-16-le")
    return struct.unpack(f"<{len(raw) // 2}H", raw)


# Searching --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A canary where it should not be. `place` is a file, a table or a process, never its contents."""

    place: str
    canary: str
    encoding: str


class Needles:
    """Looks for many texts in all encodings at once; the time does not depend on how many they are.

    `canaries`: name -> text. Raises ValueError for one that would be too short in some encoding.
    """

    def __init__(self, canaries: Mapping[str, str]) -> None:
        forms: dict[bytes, tuple[str, str]] = {}
        for name, text in canaries.items():
            for encoding, form in (*written(text), *digested(text)):
                if len(form) < _WINDOW:
                    raise ValueError(f"the canary {name} is too short to be found as {encoding}")
                forms.setdefault(form, (name, encoding))
        self.count = len(forms)
        self._by_window: dict[int, list[tuple[int, bytes, Finding]]] = defaultdict(list)
        for form, (name, encoding) in forms.items():
            start = max(range(len(form) - _WINDOW + 1), key=lambda at: len({*form[at : at + _WINDOW]}))
            (window,) = struct.unpack_from("<Q", form, start)
            self._by_window[window].append((start, form, Finding("", name, encoding)))
        self._worth = np.zeros(1 << _BITS, dtype=bool)
        self._worth[self._slots(np.array([*self._by_window], dtype="<u8"))] = True

    @staticmethod
    def _slots(windows: np.ndarray) -> np.ndarray:
        return (windows * _MIX) >> np.uint64(64 - _BITS)

    def search(self, place: str, data: bytes) -> set[Finding]:
        """What is in these bytes."""
        found: set[Finding] = set()
        for begin in range(0, len(data) - _WINDOW + 1, _PART):  # parts that a processor keeps at hand
            end = min(len(data), begin + _PART + _WINDOW - 1)
            if data.count(0, begin, end) == end - begin:
                continue
            for offset in range(begin, min(begin + _WINDOW, end - _WINDOW + 1)):
                words = np.frombuffer(data, dtype="<u8", offset=offset, count=(end - offset) // _WINDOW)
                for index in np.flatnonzero(self._worth[self._slots(words)]):
                    found.update(self._at(place, data, offset + int(index) * _WINDOW))
        return found

    def _at(self, place: str, data: bytes, at: int) -> Iterator[Finding]:
        """Every needle whose window lies here, if all of it does."""
        for start, form, finding in self._by_window.get(int.from_bytes(data[at : at + _WINDOW], "little"), ()):
            if at >= start and data.startswith(form, at - start):
                yield Finding(place, finding.canary, finding.encoding)


def found_in(texts: Mapping[str, str], haystacks: Iterable[bytes]) -> set[str]:
    """The names of those texts that are somewhere, in some encoding or digest."""
    needles = Needles(texts)
    return {finding.canary for haystack in haystacks for finding in needles.search("", haystack)}


# Places -----------------------------------------------------------------------------------------------------------

Places = Iterator[tuple[str, bytes]]


def files(label: str, folder: Path, wanted: Callable[[Path], bool] = lambda path: True) -> Places:
    """Every file under a folder, with its name: a name is searched like the contents."""
    for path in sorted(folder.rglob("*")):
        name = f"{label}/{path.relative_to(folder).as_posix()}"
        try:
            if not path.is_symlink() and path.is_file() and wanted(path):
                yield name, path.read_bytes()
                yield f"name of {name}", path.name.encode()
        except FileNotFoundError:  # a server removes files of its own while we look
            continue


def tables(url: str) -> Places:
    """Every row of every table as text: jobs too, and what PostgreSQL compresses in its files."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        for (name,) in names:
            rows = connection.execute(f'SELECT t::text FROM "{name}" t').fetchall()  # noqa: S608 - from the catalogue
            yield f"table {name}", "\n".join(row for (row,) in rows).encode()
        asked = connection.execute("SELECT query FROM pg_stat_activity WHERE query IS NOT NULL").fetchall()
        yield "statements that the server shows", "\n".join(query for (query,) in asked).encode()


@dataclass(slots=True)
class Watch:
    """Looks at running processes again and again: command lines, environments, and files already deleted but open.

    `roots`: label -> process id or None; what a process has started is looked at under its label too.
    """

    roots: Callable[[], Mapping[str, int | None]]
    seen: set[tuple[str, bytes]] = field(default_factory=set)
    processes: set[int] = field(default_factory=set)

    async def run(self, pause: float = 0.5) -> None:
        """Look until cancelled; `pause` is in seconds."""
        while True:
            self.look()
            await asyncio.sleep(pause)

    def look(self) -> None:
        """Look once."""
        for label, root in self.roots().items():
            for role, process in _family(label, root):
                try:
                    self._note(role, Path(f"/proc/{process}"), Path(f"/proc/{root}") if process != root else None)
                except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
                    continue
                self.processes.add(process)

    def _note(self, role: str, folder: Path, parent: Path | None) -> None:
        command = (folder / "cmdline").read_bytes()
        if parent and command == (parent / "cmdline").read_bytes():  # between fork and exec it is its parent still
            return
        self.seen.add((f"command line of {role}", command))
        for variable in (folder / "environ").read_bytes().split(b"\0"):
            name = variable.partition(b"=")[0].decode(errors="replace")
            self.seen.add((f"environment of {role}: {name}", variable))
        for link in (folder / "fd").iterdir():
            target = str(link.readlink())
            if target.startswith("/") and target.endswith(" (deleted)") and link.is_file():
                self.seen.add((f"deleted file that {role} holds open", link.read_bytes()))

    def places(self) -> Places:
        """Everything that was seen, once."""
        yield from sorted(self.seen)


def _family(label: str, root: int | None) -> list[tuple[str, int]]:
    if root is None:
        return []
    try:
        children = psutil.Process(root).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [(label, root), *((f"a child of {label}", child.pid) for child in children)]


# Verdict ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What may hold a value, and why. `place` and `canary` are patterns for the whole name."""

    place: str
    canary: str
    why: str

    def covers(self, finding: Finding) -> bool:
        """True when this finding is no leak."""
        return bool(re.fullmatch(self.place, finding.place) and re.fullmatch(self.canary, finding.canary))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a search came to. `idle`: allowances that nothing needed."""

    leaks: tuple[Finding, ...]
    idle: tuple[Allowed, ...]
    places: tuple[str, ...]
    searched: int  # bytes


def judge(needles: Needles, places: Iterable[tuple[str, bytes]], allowed: Sequence[Allowed] = ()) -> Verdict:
    """Search everything, and set apart what is allowed."""
    leaks: set[Finding] = set()
    used: set[Allowed] = set()
    names: list[str] = []
    searched = 0
    for place, data in places:
        names.append(place)
        searched += len(data)
        for finding in needles.search(place, data):
            reasons = [one for one in allowed if one.covers(finding)]
            used.update(reasons)
            if not reasons:
                leaks.add(finding)
    idle = tuple(one for one in allowed if one not in used)
    return Verdict(leaks=tuple(sorted(leaks)), idle=idle, places=tuple(names), searched=searched)
