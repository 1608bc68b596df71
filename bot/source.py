"""The source of this very line, as the AGPL asks: a tar of the tree it runs from, without data, secrets or history."""

import io
import tarfile
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final

ROOT: Final = Path(__file__).parent.parent
_FOLDERS: Final = (
    "bench",
    "bot",
    "carriers",
    "channels",
    "console",
    "dialogs",
    "docs",
    "drills",
    "locales",
    "tests",
    "triage",
    "understanding",
    "vault",
)
_LEFT_OUT: Final = {"__pycache__", ".DS_Store"}


_MAKING: Final = Lock()


def source_archive() -> bytes:
    """A gzipped tar, made once a process, however many ask at once. Slow the first time: call it in a thread."""
    with _MAKING:
        return _made()


@cache
def _made() -> bytes:
    """Names only what belongs to the program: an operator's files stay home."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path in (*_FOLDERS, *_programs_own_files()):
            if (ROOT / path).exists():
                archive.add(ROOT / path, arcname=f"harborline/{path}", filter=_plain)
    return buffer.getvalue()


def _programs_own_files() -> tuple[str, ...]:
    kinds = (
        "*.md",
        "*.toml",
        "*.lock",
        "Makefile",
        "Dockerfile",
        "docker-compose.yml",
        "LICENSE",
        ".ci",
        ".env.example",
    )
    return tuple(sorted(str(path.relative_to(ROOT)) for kind in kinds for path in ROOT.glob(kind)))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without caches, and without who owns the files on this machine."""
    if Path(entry.name).name in _LEFT_OUT:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
