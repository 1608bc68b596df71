"""Builds understanding/heads.npz from locales/*/nlu.yml: `python -m understanding.training.build [--check]`.

The same words give the same bytes: nothing is drawn at random, vectors are stored rounded before anything is
solved, and what is solved is rounded before it is stored. `--check` builds in memory and fails when the file differs
in the words it was built from. Not used while the service runs.
"""

import argparse
import io
import json
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understanding.examples import LOCALES, Example, all_words, digest
from understanding.heads import CONCERN, DANGER, FORMAT, HEADS_FILE, Heads, centred, kernel
from understanding.language import SCRIPT_OF, script
from understanding.meaning import Intent, Signal
from understanding.romanised import native
from understanding.surface import Patterns, surface
from understanding.training.solve import calibrated, platt, ridge
from understanding.training.thresholds import as_yaml, chosen
from understanding.training.vectors import Embed, remembered

THRESHOLDS_FILE = Path(__file__).resolve().parent.parent.parent / "triage" / "thresholds.yml"
PENALTY = 0.15
SURFACE_SHARE = 0.3
"""Weight of the surface's linear kernel beside the embedding's Gaussian one."""
BIAS = 0.2
SHRINK = 15
"""A variety's mean is drawn towards the mean of all as if this many more examples had it."""
FEW = 5
"""A variety with fewer examples gets no head of its own yet."""
ENOUGH = 20
"""A signal or intent with fewer examples gets no head: its patterns speak alone, or nobody does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Arrays of heads.npz, and the left-out margins from which calibration and thresholds come.

    `fires`: which examples each head should fire for, one column per name, as in all kinds of margins: `margins` of
    the heads, `margins_alone` of those of the surface, `margins_unseen` of heads that saw nothing of the language
    either (but its mean, which needs no labels).
    """

    arrays: dict[str, NDArray[Any]]
    names: tuple[str, ...]
    fires: NDArray[np.bool_]
    margins: NDArray[np.float64]
    margins_alone: NDArray[np.float64]
    margins_unseen: NDArray[np.float64]


def variety(example: Example) -> str:
    """The variety an example is written in: its language, or "<tag>-Latn" when it is romanised."""
    romanised = script(example.text) == "Latn" and SCRIPT_OF[example.language] != "Latn"
    return f"{example.language}-Latn" if romanised else example.language


def _targets(examples: Sequence[Example], varieties: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Name of each head, and which examples it should fire for. Heads with too few examples are left out."""
    wanted = {DANGER: [e.level == "emergency" for e in examples]}
    wanted[CONCERN] = [e.level in ("emergency", "high") for e in examples]
    wanted |= {f"signal:{signal}": [signal in e.signals for e in examples] for signal in Signal}
    wanted |= {f"intent:{intent}": [e.intent is intent for e in examples] for intent in Intent}
    wanted = {name: fires for name, fires in wanted.items() if sum(fires) >= ENOUGH or name in (DANGER, CONCERN)}
    wanted |= {f"variety:{name}": [v == name for v in varieties] for name in sorted(set(varieties))}
    return {name: np.array(fires) for name, fires in wanted.items() if sum(fires) >= FEW}


def _means(vectors: NDArray[np.float32], varieties: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """A mean per variety, drawn towards the mean of all varieties, which is the last row."""
    names, labels = tuple(sorted(set(varieties))), np.array(varieties)
    middle = np.mean([vectors[labels == name].mean(axis=0) for name in names], axis=0)
    rows = [
        (vectors[labels == name].sum(axis=0) + SHRINK * middle) / ((labels == name).sum() + SHRINK) for name in names
    ]
    return names, np.stack([*rows, middle]).astype(np.float16).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gram:
    """Which example resembles which: `both` by embedding and surface, `alone` by the surface as it is written."""

    both: NDArray[np.float64]
    alone: NDArray[np.float64]
    vectors: NDArray[np.float32]  # of the embedding, without the mean of their variety
    varieties: tuple[str, ...]  # that have a mean
    means: NDArray[np.float32]
    surfaces: NDArray[np.float64]
    written: NDArray[np.float64]


def gram(examples: Sequence[Example], patterns: Patterns, embedding: Embed = remembered) -> Gram:
    """Embed and compare all examples."""
    varieties = [variety(example) for example in examples]
    spelt = [native(example.text, name) for example, name in zip(examples, varieties, strict=True)]
    vectors = embedding(spelt).astype(np.float16).astype(np.float32)
    names, means = _means(vectors, varieties)
    moved = centred(vectors, means[[names.index(v) for v in varieties]]).astype(np.float16).astype(np.float32)
    written = np.stack([surface(example.text, patterns).dense() for example in examples]).astype(np.float64)
    spelt_back = np.stack([surface(e.text, patterns, own).dense() for e, own in zip(examples, spelt, strict=True)])
    surfaces = spelt_back.astype(np.float64)
    return Gram(
        both=kernel(moved, moved) + SURFACE_SHARE * (surfaces @ surfaces.T) + BIAS,
        alone=written @ written.T + BIAS,
        vectors=moved,
        varieties=names,
        means=means,
        surfaces=surfaces,
        written=written,
    )


def train(examples: Sequence[Example], patterns: Patterns, words: str, embedding: Embed = remembered) -> Trained:
    """Fit all heads. `words` is the digest of the training files."""
    alike = gram(examples, patterns, embedding)
    varieties = [variety(example) for example in examples]
    targets = _targets(examples, varieties)
    signs = np.stack([np.where(fires, 1.0, -1.0) for fires in targets.values()], axis=1)
    languages = [example.language for example in examples]
    count = sum(not name.startswith("variety:") for name in targets)  # which language, the surface alone is asked
    both = ridge(alike.both, signs[:, :count], PENALTY, languages)
    only = ridge(alike.alone, signs, PENALTY)
    dual, alone, fires = both.coefficients, only.coefficients, np.stack(list(targets.values()), axis=1)
    fits = [platt(both.left_out[:, i], fires[:, i]) for i in range(count)]
    fits_alone = [platt(only.left_out[:, i], fires[:, i]) for i in range(len(targets))]
    return Trained(
        arrays={
            "described": _described(words, tuple(targets), alike.varieties),
            "means": alike.means.astype(np.float16),
            "vectors": alike.vectors.astype(np.float16),
            "dual": np.round(dual, 4).astype(np.float32),
            "surface": np.round(SURFACE_SHARE * alike.surfaces.T @ dual, 3).astype(np.float16),
            "alone": np.round(alike.written.T @ alone, 3).astype(np.float16),
            "platt": _sigmoids(fits, BIAS * dual.sum(axis=0)),
            "platt_alone": _sigmoids(fits_alone, BIAS * alone.sum(axis=0)),
        },
        names=tuple(targets)[:count],
        fires=fires[:, :count],
        margins=both.left_out,
        margins_alone=only.left_out[:, :count],
        margins_unseen=both.group_out,
    )


def _described(words: str, heads: tuple[str, ...], varieties: tuple[str, ...]) -> NDArray[np.uint8]:
    text = json.dumps({"format": FORMAT, "digest": words, "heads": heads, "varieties": varieties}, sort_keys=True)
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _sigmoids(fits: Sequence[tuple[float, float]], constants: NDArray[np.float64]) -> NDArray[np.float32]:
    """Slopes and offsets; the machines' constant terms are folded into the offsets."""
    slopes = np.array([slope for slope, _ in fits])
    offsets = np.array([offset for _, offset in fits]) + slopes * constants
    return np.round(np.stack([slopes, offsets]), 4).astype(np.float32)


def packed(arrays: dict[str, NDArray[Any]]) -> bytes:
    """The arrays as one .npz, byte for byte the same whenever and wherever it is written."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue())
    return out.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What `make heads` writes: the content of heads.npz, and of triage/thresholds.yml."""

    heads: bytes
    thresholds: str


def build(locales: Path = LOCALES, embedding: Embed = remembered) -> Built:
    """Heads and thresholds for these training words. Raises TrainingWordsError."""
    words = list(all_words(locales))
    examples = [example for language in words for example in language.examples]
    trained = train(examples, Patterns(words), digest(locales), embedding)
    danger = trained.names.index(DANGER)
    column, fires = slice(danger, danger + 1), trained.fires[:, danger]
    scores = calibrated(trained.margins[:, column], trained.fires[:, column])[:, 0]
    thresholds = as_yaml(chosen(scores, fires, [variety(example) for example in examples]))
    return Built(heads=packed(trained.arrays), thresholds=thresholds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the heads, or with --check say whether they belong to the training words at hand."""
    parser = argparse.ArgumentParser(prog="python -m understanding.training.build", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the heads are out of date")
    if parser.parse_args(arguments).check:
        if HEADS_FILE.exists() and Heads.load().digest == digest():
            return 0
        print("The heads were built from other training words: run make heads.", file=sys.stderr)
        return 1
    built = build()
    HEADS_FILE.write_bytes(built.heads)
    THRESHOLDS_FILE.write_text(built.thresholds, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
