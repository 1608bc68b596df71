"""The trained heads: from an embedding and a text's surface to calibrated probabilities. Numpy only, no text.

A head is a kernel ridge machine: a Gaussian kernel over the embedding, from which the mean of its language variety
was taken away, plus a linear part over the surface (n-grams and fired patterns), calibrated by Platt's method. All
heads share one set of support vectors. The surface heads are the same without the embedding: what is used when that
is missing; they alone say which language it looks like, and their names come last.
Coefficients are data (heads.npz, written by training/build.py, read without pickle).
"""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understanding.meaning import Intent, Signal
from understanding.surface import Surface

Array = NDArray[np.float32]
HEADS_FILE = Path(__file__).resolve().parent / "heads.npz"
FORMAT = 1
WIDTH_OF_KERNEL = 1.0
"""Gamma of the Gaussian kernel over unit vectors."""
DANGER, CONCERN = "level:danger", "level:concern"


class HeadsError(Exception):
    """The heads file is missing or was written for another version: run `make heads`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Calibrated probabilities for one window. `varieties`: which language the n-grams look like."""

    danger: float
    concern: float
    signals: dict[Signal, float]
    intents: dict[Intent, float]
    varieties: dict[str, float]


def gaussian(products: Array) -> Array:
    """Gaussian kernel of vectors of unit length, from their scalar products."""
    return np.asarray(np.exp(-WIDTH_OF_KERNEL * np.maximum(2.0 - 2.0 * products, 0.0)), dtype=np.float32)


def kernel(left: Array, right: Array) -> Array:
    """Gaussian kernel between rows of unit length."""
    return gaussian(left @ right.T)


def centred(vectors: Array, means: Array) -> Array:
    """Vectors without the mean of their variety, of length 1 again."""
    moved = vectors - means
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-6), dtype=np.float32)


def probability(margins: Array, platt: Array) -> Array:
    """Platt's sigmoid, one slope and offset per head."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(platt[0] * margins + platt[1], -30, 30))), dtype=np.float32)


class Heads:
    """All heads, ready to use. `digest` names the training words they were built from."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        described = json.loads(bytes(arrays["described"].tobytes()))
        if described["format"] != FORMAT:
            raise HeadsError(f"the heads have format {described['format']}, this version reads {FORMAT}")
        self.digest: str = described["digest"]
        self.names: tuple[str, ...] = tuple(described["heads"])
        self._varieties = {name: row for row, name in enumerate(described["varieties"])}
        self._means = arrays["means"].astype(np.float32)  # one row per variety, the last for all others
        self._vectors = arrays["vectors"].astype(np.float32)
        self._dual = arrays["dual"].astype(np.float32)
        self._surface = arrays["surface"].astype(np.float32)
        self._alone = arrays["alone"].astype(np.float32)
        self._platt = arrays["platt"].astype(np.float32)
        self._platt_alone = arrays["platt_alone"].astype(np.float32)

    @classmethod
    def load(cls, path: Path = HEADS_FILE) -> "Heads":
        """Read a heads file. Raises HeadsError."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
                return cls({name: stored[name] for name in stored.files})
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise HeadsError(f"the heads cannot be read ({type(error).__name__}): run make heads") from None

    def _named(self, probabilities: Array) -> Scores:
        by_name = dict(zip(self.names, map(float, probabilities), strict=False))

        def family(prefix: str) -> dict[str, float]:
            return {name.removeprefix(prefix): p for name, p in by_name.items() if name.startswith(prefix)}

        return Scores(
            danger=by_name[DANGER],
            concern=max(by_name[CONCERN], by_name[DANGER]),
            signals={Signal(name): p for name, p in family("signal:").items()},
            intents={Intent(name): p for name, p in family("intent:").items()},
            varieties=family("variety:"),
        )

    def alone(self, surface: Surface) -> Scores:
        """What the surface alone says (no embedding at hand)."""
        margins = surface.values @ self._alone[surface.indices]
        return self._named(probability(margins, self._platt_alone))

    def read(self, vector: Array, surface: Surface, variety: str) -> Scores:
        """What embedding and surface say together. `variety` is a tag or "<tag>-Latn"; others count as unknown."""
        row = self._varieties.get(variety, len(self._varieties))
        moved = centred(vector, self._means[row])
        # einsum, not @: BLAS wakes a thread for every core for this millisecond of work, and lets them spin
        near = gaussian(np.einsum("ij,j->i", self._vectors, moved))
        margins = np.einsum("i,ij->j", near, self._dual) + surface.values @ self._surface[surface.indices]
        return self._named(probability(margins, self._platt))
