"""The recordings of a line's languages: where they lie, at which address a call finds them, and which are missing.

A line's own, in HARBORLINE_HOME, stand before the built-in ones. An address tells nothing: it is a keyed digest of the
language and the name, so that whoever sees it, at the phone service or on the way, cannot tell which sentence was said
and in which mode. No words of a person are ever recorded.
"""

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from dialogs.marked import load, utf8

FOLDER: Final = "voice"  # below locales/<tag>/
MANIFEST: Final = "voice.yml"
PLACEHOLDER: Final = "espeak-ng placeholder"
_TYPES: Final = {".wav": "audio/wav", ".mp3": "audio/mpeg"}
_PATH: Final = "/voice/"


class Manifest(BaseModel):
    """voice.yml beside recordings that a machine made: `files` has the digest of each as it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    made_by: str
    files: dict[str, str]


class Recordings:
    """What there is, found once at start. `tags` are the languages that are played and not read."""

    def __init__(self, folders: Sequence[Path] = (), tags: Collection[str] = (), secret: bytes = b"") -> None:
        self.tags = frozenset(tags)
        self._addresses: dict[tuple[str, str], str] = {}
        self._files: dict[str, Path] = {}
        for tag in self.tags:
            for name, path in found(folders, tag).items():
                digest = hashlib.blake2b(f"{tag}/{name}".encode(), key=secret[:64], digest_size=16)
                self._files[digest.hexdigest()] = path
                self._addresses[tag, name] = f"{_PATH}{digest.hexdigest()}"

    def address(self, tag: str, name: str) -> str:
        """Where a call finds it, below PUBLIC_URL; "" when there is none."""
        return self._addresses.get((tag, name), "")

    def routes(self) -> Sequence[web.RouteDef]:
        """GET /voice/<digest>."""
        return [web.get(f"{_PATH}{{digest:[0-9a-f]{{32}}}}", self._give)] if self._files else []

    async def _give(self, request: web.Request) -> web.Response:
        path = self._files.get(request.match_info["digest"])
        try:
            content = await asyncio.to_thread(path.read_bytes) if path else b""
        except OSError:  # taken away since the start
            content = b""
        if path is None or not content:
            raise web.HTTPNotFound
        return web.Response(body=content, content_type=_TYPES[path.suffix])


def found(folders: Sequence[Path], tag: str) -> dict[str, Path]:
    """The recordings of a language by name; of the first folder that has one."""
    paths = [path for folder in folders for path in sorted((folder / tag / FOLDER).glob("*")) if path.suffix in _TYPES]
    return {path.stem: path for path in reversed(paths)}


def placeholders(paths: Mapping[str, Path]) -> frozenset[str]:
    """Those that a machine made and nobody has replaced. Raises BadFile for a manifest that cannot be read."""
    made: dict[Path, Manifest] = {}
    for folder in {path.parent for path in paths.values()}:
        if (file := folder / MANIFEST).exists():
            made[folder] = load(utf8(file.read_bytes(), str(file)), str(file), Manifest)
    return frozenset(
        name
        for name, path in paths.items()
        if path.parent in made and made[path.parent].files.get(path.name) == digest_of(path)
    )


def digest_of(path: Path) -> str:
    """What a file holds, in short."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
