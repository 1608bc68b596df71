"""From left-out scores to the danger at which a language pages: what goes into triage/thresholds.yml.

A threshold is the lowest at which no more than FALSE_PAGES of the other messages of that variety page, by scores of
heads that had not seen the message. Where a variety has few examples it is drawn towards that of all, and one with
hardly any gets none. Pure; build.py writes the file.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from understanding.training.solve import threshold

FALSE_PAGES = 0.10
"""What page 14 of docs/decisions allows: so many of the messages that are no emergency page all the same."""
ENOUGH = 20
"""Emergencies of a variety, and as many others, below which nothing is chosen for it."""
DRAWN = 100
"""The threshold of all weighs as much as so many messages of the variety's own."""
LOWEST, HIGHEST = 0.1, 0.3
"""Below it small talk pages; above it, the threshold of all, the languages that we read worst would be silenced."""

Array = NDArray[np.float64]


def chosen(scores: Array, emergency: NDArray[np.bool_], varieties: Sequence[str]) -> Mapping[str, float]:
    """The danger that pages, by variety, in the order of their names."""
    labels = np.array(varieties)
    everywhere = _logit(threshold(scores, emergency, FALSE_PAGES))
    found = {}
    for name in sorted(set(varieties)):
        here = labels == name
        yes, no = int((emergency & here).sum()), int((~emergency & here).sum())
        if min(yes, no) >= ENOUGH:
            own = _logit(threshold(scores[here], emergency[here], FALSE_PAGES))
            drawn = (no * own + DRAWN * everywhere) / (no + DRAWN)
            found[name] = round(min(max(_share(drawn), LOWEST), HIGHEST), 2)
    return found


def _logit(share: float) -> float:
    bounded = min(max(share, 0.001), 0.999)
    return float(np.log(bounded / (1 - bounded)))


def _share(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


_HEAD = """\
# The danger at which a message pages, by language (and by language in Latin letters), where a line says nothing else.
# Written by `make heads` from left-out scores: at most one in ten of the other messages pages at it. A language that is
# not here has the default of triage/policy.py.
danger:
"""


def as_yaml(thresholds: Mapping[str, float]) -> str:
    """The file."""
    return _HEAD + "".join(f'  "{name}": {danger:.2f}\n' for name, danger in thresholds.items())
