"""The arithmetic of training: ridge in kernel form, exact leave-one-out, Platt's calibration. Numpy only, no text."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def ridge(gram: Array, targets: Array, penalty: float) -> tuple[Array, Array]:
    """Coefficients of a kernel ridge machine, and for every example the margin it has when it is left out.

    The second needs no refitting: with C = (K + penalty I)^-1 the left-out margin is y - (C y) / diag(C).
    """
    inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
    coefficients = inverse @ targets
    return coefficients, targets - coefficients / np.diag(inverse)[:, None]


def platt(margins: Array, positive: NDArray[np.bool_], rounds: int = 100) -> tuple[float, float]:
    """Slope and offset of a sigmoid through margins, by Newton's method (Lin, Lin and Weng 2007)."""
    yes, no = int(positive.sum()), int((~positive).sum())
    wanted = np.where(positive, (yes + 1) / (yes + 2), 1 / (no + 2))
    slope, offset = 0.0, float(np.log((yes + 1) / (no + 1)))
    for _ in range(rounds):
        guess = 1.0 / (1.0 + np.exp(-np.clip(slope * margins + offset, -30, 30)))
        error, weight = guess - wanted, guess * (1 - guess) + 1e-9
        gradient = np.array([error @ margins, error.sum()])
        hessian = np.array([[weight @ margins**2 + 1e-6, weight @ margins], [weight @ margins, weight.sum() + 1e-6]])
        step = np.linalg.solve(hessian, gradient)
        slope, offset = slope - float(step[0]), offset - float(step[1])
        if float(np.abs(step).max()) < 1e-9:
            break
    return slope, offset


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
