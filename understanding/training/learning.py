"""What one more example would change: the next training compared with the present one, before anybody takes it.

Nothing is written here. One inverse serves both trainings: what an example does to a ridge machine can be taken out of
it again, exactly. Only the head of danger is compared, since it is the one that pages. Not used while the service runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understanding.examples import Example
from understanding.surface import Patterns
from understanding.training.build import PENALTY, gram
from understanding.training.solve import Array, platt, recall
from understanding.training.vectors import Embed, remembered_but_last

FALSE_PAGES = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Danger of the new example by heads that do not know it and by heads that do; recall of emergencies among the
    other training words, left out, at FALSE_PAGES; and how many of those words would page newly, or no more."""

    before: float
    after: float
    recall_before: float
    recall_after: float
    newly: int
    no_more: int

    def as_text(self) -> str:
        """What a member reads before they decide."""
        return (
            f"danger of this text: {self.before:.2f} now, {self.after:.2f} after the next training\n"
            f"emergencies found among the training words, at one false page in ten: {self.recall_before:.3f} now, "
            f"{self.recall_after:.3f} after\n"
            f"other training words that would page newly: {self.newly}; that would page no more: {self.no_more}"
        )


def difference(
    examples: Sequence[Example],
    new: Example,
    patterns: Patterns,
    *,
    pages: float,
    embedding: Embed = remembered_but_last,
) -> Difference:
    """Compare trainings on `examples` with and without `new`. `pages`: the danger that pages."""
    everything = [*examples, new]
    fires = np.array([example.level == "emergency" for example in everything])
    targets = np.where(fires, 1.0, -1.0)
    inverse = np.linalg.inv(gram(everything, patterns, embedding).both + PENALTY * np.eye(len(everything)))
    coefficients, diagonal = inverse @ targets, np.diag(inverse)
    last = inverse[:, -1]
    alone = coefficients - last * coefficients[-1] / diagonal[-1]  # those of a machine that never saw the last
    margins = targets - coefficients / diagonal
    margins_before = targets[:-1] - alone[:-1] / (diagonal - last**2 / diagonal[-1])[:-1]
    sigmoid = platt(margins[:-1], fires[:-1])
    now, then = _danger(margins_before, sigmoid), _danger(margins[:-1], sigmoid)
    known = targets[-1] - PENALTY * coefficients[-1]
    unknown, learnt = _danger(np.array([margins[-1], known]), sigmoid)
    return Difference(
        before=float(unknown),
        after=float(learnt),
        recall_before=recall(now, fires[:-1], FALSE_PAGES),
        recall_after=recall(then, fires[:-1], FALSE_PAGES),
        newly=int(((now < pages) & (then >= pages)).sum()),
        no_more=int(((now >= pages) & (then < pages)).sum()),
    )


def _danger(margins: Array, sigmoid: tuple[float, float]) -> NDArray[np.float64]:
    slope, offset = sigmoid
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(slope * margins + offset, -30, 30))))
