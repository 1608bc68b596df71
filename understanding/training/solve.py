"""The arithmetic of training: ridge in kernel form, exact leave-one-out, Platt's calibration. Numpy only, no text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEEP, PRIOR = 5.0, 0.05
"""The slope that a calibration is drawn towards, and how strongly: about a tenth of what a hundred examples weigh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A kernel ridge machine: its coefficients, and the margin of every example by a machine that never saw it.

    `group_out`: by a machine that saw nothing of the example's group either.
    """

    coefficients: Array
    left_out: Array
    group_out: Array


def ridge(gram: Array, targets: Array, penalty: float, groups: Sequence[str] = ()) -> Solved:
    """Solve a kernel ridge machine. Without `groups` every example is a group of its own.

    What was left out needs no refitting: with C = (K + penalty I)^-1 the margin of an example is y - (C y) / diag(C),
    and those of a group are y - (its block of C)^-1 (C y).
    """
    inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
    coefficients = inverse @ targets
    left_out = targets - coefficients / np.diag(inverse)[:, None]
    group_out = left_out.copy()
    labels = np.array(groups)
    for group in sorted(set(groups)):
        here = np.flatnonzero(labels == group)
        group_out[here] = targets[here] - np.linalg.solve(inverse[np.ix_(here, here)], coefficients[here])
    return Solved(coefficients=coefficients, left_out=left_out, group_out=group_out)


def platt(margins: Array, positive: NDArray[np.bool_], rounds: int = 100) -> tuple[float, float]:
    """Slope and offset of a sigmoid through margins, by Newton's method with backtracking (Lin, Lin and Weng 2007).

    Without the backtracking a step overshoots where positives are rare, and every margin becomes a certainty. A few
    examples left out of a rare head are no proof of a steep slope either: PRIOR draws it towards STEEP.
    """
    yes, no = int(positive.sum()), int((~positive).sum())
    wanted = np.where(positive, (yes + 1) / (yes + 2), 1 / (no + 2))
    at = np.array([0.0, float(np.log((yes + 1) / (no + 1)))])
    ones = np.stack([margins, np.ones_like(margins)])
    for _ in range(rounds):
        guess = 1.0 / (1.0 + np.exp(-np.clip(at @ ones, -30, 30)))
        gradient = ones @ (guess - wanted) + np.array([PRIOR * (at[0] - STEEP), 0.0])
        hessian = (ones * (guess * (1 - guess))) @ ones.T + np.diag([PRIOR, 1e-9])
        step = np.linalg.solve(hessian, gradient)
        now, share = _misfit(at, ones, wanted), 1.0
        while _misfit(at - share * step, ones, wanted) > now - 1e-4 * share * float(gradient @ step) and share > 1e-8:
            share /= 2
        at = at - share * step
        if float(np.abs(share * step).max()) < 1e-9:
            break
    return float(at[0]), float(at[1])


def _misfit(at: Array, ones: Array, wanted: Array) -> float:
    """Cross-entropy of a sigmoid, and how far its slope is from what is usual."""
    logits = at @ ones
    entropy = np.logaddexp(0.0, logits) - wanted * logits
    return float(entropy.sum() + PRIOR / 2 * (at[0] - STEEP) ** 2)


def calibrated(margins: Array, fires: NDArray[np.bool_]) -> Array:
    """Left-out margins as the probabilities that heads.npz would make of them, one column per head."""
    columns = (platt(column, truth) for column, truth in zip(margins.T, fires.T, strict=True))
    slopes, offsets = np.array(list(columns)).T
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(slopes * margins + offsets, -30, 30))))


def auc(scores: Array, positive: NDArray[np.bool_]) -> float:
    """Probability that a positive ranks above a negative; ties count half. NaN when one side is empty."""
    yes, no = int(positive.sum()), int((~positive).sum())
    if not yes or not no:
        return float("nan")
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[group][positive].sum() - yes * (yes + 1) / 2) / (yes * no))


def threshold(scores: Array, positive: NDArray[np.bool_], false_pages: float) -> float:
    """The lowest threshold ("page at or above") at which at most this share of the negatives is paged."""
    negatives = np.sort(scores[~positive])[::-1]
    allowed = int(false_pages * len(negatives))
    return float(np.nextafter(negatives[allowed], np.inf)) if allowed < len(negatives) else float("-inf")


def recall(scores: Array, positive: NDArray[np.bool_], false_pages: float) -> float:
    """Share of positives paged at that threshold; NaN without positives."""
    if not positive.any():
        return float("nan")
    return float((scores[positive] >= threshold(scores, positive, false_pages)).mean())
