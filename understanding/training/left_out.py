"""What the heads make of their own training words, each scored by heads that have not seen it.

`python -m understanding.training.left_out` prints per variety how well emergencies are ordered before the rest, and how
often a score of each size is right. One author wrote all words, and situations come back in other languages: expect
less in the field, and look at texts from elsewhere too (tests/heldout). Not used while the service runs.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understanding.examples import LOCALES, all_words, digest
from understanding.surface import Patterns
from understanding.training.build import Trained, train, variety
from understanding.training.evaluate import DANGER_PAGES
from understanding.training.measure import Prediction, Row, as_text, measure, reliability
from understanding.training.solve import calibrated, threshold

FALSE_PAGES = (0.02, 0.05, 0.1)

Array = NDArray[np.float64]


def report(locales: Path = LOCALES) -> str:
    """All tables as text. Raises TrainingWordsError."""
    words = list(all_words(locales))
    examples = [example for language in words for example in language.examples]
    trained = train(examples, Patterns(words), digest(locales))
    groups = [variety(example) for example in examples]
    scores = calibrated(trained.margins, trained.fires)
    alone = calibrated(trained.margins_alone, trained.fires)
    parts = [_ordered("all heads", scores[:, 0], trained.fires[:, 0], groups)]
    parts.append(_ordered("surface heads only", alone[:, 0], trained.fires[:, 0], groups))
    return "\n\n".join([*parts, _reliable(trained, scores)])


def _ordered(title: str, scores: Array, bad: NDArray[np.bool_], groups: list[str]) -> str:
    rows = [
        Row(lang=group, text="", level="emergency" if flag else "high") for group, flag in zip(groups, bad, strict=True)
    ]
    predictions = [
        Prediction(
            level="emergency" if score >= DANGER_PAGES else "high",
            score=float(score),
            language="",
            intent="",
            reasons=(),
        )
        for score in scores
    ]
    levels = ", ".join(f"{share:.0%}: {threshold(scores, bad, share):.2f}" for share in FALSE_PAGES)
    return f"{title}; danger at false pages of {levels}\n{as_text(measure(rows, predictions))}"


def _reliable(trained: Trained, scores: Array) -> str:
    lines = ["how often a score is right: from this score on, right of how many"]
    for family in ("level:danger", "level:concern", "signal:", "intent:"):
        chosen = [place for place, name in enumerate(trained.names) if name.startswith(family)]
        bins = reliability(scores[:, chosen].ravel(), trained.fires[:, chosen].ravel())
        lines.append(f"{family:14} " + "  ".join(f"{b.low:.2f}: {b.right:.2f} of {b.count}" for b in bins))
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
