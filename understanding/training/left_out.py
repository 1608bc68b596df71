"""What the heads make of their own training words, each scored by heads that have not seen it.

`python -m understanding.training.left_out` prints per variety how well emergencies are ordered before the rest, and how
often a score of each size is right. One author wrote all words, and situations come back in other languages: expect
less in the field, and look at texts from elsewhere too (tests/heldout). Not used while the service runs.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understanding.examples import LOCALES, all_words, digest
from understanding.heads import DANGER
from understanding.surface import Patterns
from understanding.training.build import Trained, train, variety
from understanding.training.evaluate import DANGER_PAGES
from understanding.training.measure import Measure, Prediction, Row, as_text, measure, reliability
from understanding.training.solve import calibrated, threshold

FALSE_PAGES = (0.02, 0.05, 0.1)

Array = NDArray[np.float64]


def report(locales: Path = LOCALES) -> str:
    """All tables as text. Raises TrainingWordsError."""
    words = list(all_words(locales))
    examples = [example for language in words for example in language.examples]
    trained = train(examples, Patterns(words), digest(locales))
    groups = [variety(example) for example in examples]
    found = measured(trained, groups)
    parts = [f"{title}; {levels(scores, trained)}\n{as_text(measures)}" for title, scores, measures in found]
    return "\n\n".join([*parts, _reliable(trained, calibrated(trained.margins, trained.fires))])


def measured(trained: Trained, groups: Sequence[str]) -> Iterator[tuple[str, Array, list[Measure]]]:
    """What was left out, three times: by all heads, by heads that saw nothing of the language, by the surface alone.

    `groups`: the variety of every example. Gives a title, the danger of every example, and the measures.
    """
    kinds = (
        ("all heads", trained.margins),
        ("heads without the language", trained.margins_unseen),
        ("surface heads only", trained.margins_alone),
    )
    place = trained.names.index(DANGER)
    for title, margins in kinds:
        fires = trained.fires[:, place : place + 1]
        scores = calibrated(margins[:, place : place + 1], fires)[:, 0]
        rows = [
            Row(lang=group, text="", level="emergency" if flag else "high")
            for group, flag in zip(groups, fires[:, 0], strict=True)
        ]
        yield title, scores, measure(rows, [_predicted(float(score)) for score in scores])


def _predicted(score: float) -> Prediction:
    level = "emergency" if score >= DANGER_PAGES else "high"
    return Prediction(level=level, score=score, language="", intent="", reasons=())


def levels(scores: Array, trained: Trained) -> str:
    """The danger at which so many of the others page."""
    bad = trained.fires[:, trained.names.index(DANGER)]
    return "danger at false pages of " + ", ".join(f"{s:.0%}: {threshold(scores, bad, s):.2f}" for s in FALSE_PAGES)


def _reliable(trained: Trained, scores: Array) -> str:
    lines = ["how often a score is right: from this score on, right of how many"]
    for family in ("level:danger", "level:concern", "signal:", "intent:"):
        chosen = [place for place, name in enumerate(trained.names) if name.startswith(family)]
        bins = reliability(scores[:, chosen].ravel(), trained.fires[:, chosen].ravel())
        lines.append(f"{family:14} " + "  ".join(f"{b.low:.2f}: {b.right:.2f} of {b.count}" for b in bins))
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
