"""From what was said and what was predicted to figures: order, levels, languages, calibration, with 95 % intervals.

Pure; reads nothing and knows no engine (evaluate.py does). A group is a language as the table names it, "romanised" is
every row in Latin letters of a language that has letters of its own ("hi-Latn"), and "all" is all.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understanding.examples import LEVELS
from understanding.training.solve import auc, recall

ROMANISED = "-Latn"
EDGES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""Where the bins of a reliability table begin."""
Array = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One text to read; `level` is what people said it is, None when nobody has."""

    lang: str
    text: str = field(repr=False)
    level: str | None = None

    @property
    def romanised(self) -> bool:
        """The table says that it is written in Latin letters, against the custom of its language."""
        return self.lang.endswith(ROMANISED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the engine says about one row; `score` orders: it is Meaning.danger."""

    level: str
    score: float
    language: str
    intent: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Scores from `low` on, up to the next bin: how many there are, their mean, and the share that was right."""

    low: float
    count: int
    said: float
    right: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How well one group of rows was ordered and levelled. Shares are 0 to 1, NaN where there is nothing to count.

    `recall_5`, `recall_10`: share of emergencies above the threshold at which 5 % or 10 % of the other rows are paged
    too; `low`, `high` and `low_5`, `high_5` are their 95 % intervals (Wilson). `paged`, `false_pages`: by the levels as
    predicted. `named`: language right. `calibration`: how often a score of each size is right. `confusion`: level as
    given, then level as predicted, counted.
    """

    group: str
    rows: int
    emergencies: int
    auc: float
    recall_5: float
    recall_10: float
    low: float
    high: float
    low_5: float
    high_5: float
    paged: float
    false_pages: float
    named: float
    calibration: tuple[Bin, ...]
    confusion: dict[str, dict[str, int]]


def measure(rows: Sequence[Row], predictions: Sequence[Prediction]) -> list[Measure]:
    """Measures over all labelled rows (group "all"), of the romanised ones, and per language, in this order.

    Rows without a level only count in `rows` and `named`.
    """
    pairs = list(zip(rows, predictions, strict=True))
    groups = {"all": pairs}
    romanised = [pair for pair in pairs if pair[0].romanised]
    if romanised:
        groups["romanised"] = romanised
    groups |= {lang: [p for p in pairs if p[0].lang == lang] for lang in sorted({r.lang for r in rows})}
    return [_measured(name, members) for name, members in groups.items()]


def _measured(group: str, pairs: Sequence[tuple[Row, Prediction]]) -> Measure:
    labelled = [(row, prediction) for row, prediction in pairs if row.level is not None]
    bad = np.array([row.level == "emergency" for row, _ in labelled], dtype=bool)
    scores = np.array([prediction.score for _, prediction in labelled], dtype=np.float64)
    paged = np.array([prediction.level == "emergency" for _, prediction in labelled], dtype=bool)
    at_5, at_10 = recall(scores, bad, 0.05), recall(scores, bad, 0.10)
    (low_5, high_5), (low, high) = wilson(at_5, int(bad.sum())), wilson(at_10, int(bad.sum()))
    return Measure(
        group=group,
        rows=len(pairs),
        emergencies=int(bad.sum()),
        auc=auc(scores, bad),
        recall_5=at_5,
        recall_10=at_10,
        low=low,
        high=high,
        low_5=low_5,
        high_5=high_5,
        paged=_share(paged[bad]),
        false_pages=_share(paged[~bad]),
        named=_share(np.array([row.lang.split("-")[0] == p.language for row, p in pairs], dtype=bool)),
        calibration=tuple(reliability(scores, bad)) if labelled else (),
        confusion=_confusion(labelled),
    )


def _confusion(labelled: Iterable[tuple[Row, Prediction]]) -> dict[str, dict[str, int]]:
    seen = Counter((row.level, prediction.level) for row, prediction in labelled)
    return {given: {said: seen[given, said] for said in LEVELS} for given in LEVELS}


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else math.nan


def reliability(scores: Array, fires: NDArray[np.bool_]) -> list[Bin]:
    """How often a score of each size is right; bins without scores are left out."""
    places = np.digitize(scores, EDGES) - 1
    inside = ((low, places == place) for place, low in enumerate(EDGES))
    return [
        Bin(low=low, count=int(here.sum()), said=float(scores[here].mean()), right=float(fires[here].mean()))
        for low, here in inside
        if here.any()
    ]


def wilson(share: float, count: int) -> Interval:
    """95 % interval of a share of `count` cases (Wilson 1927); (NaN, NaN) without cases."""
    if not count or math.isnan(share):
        return math.nan, math.nan
    z = 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


# Showing ---------------------------------------------------------------------------------------------------------

_LINE = "{:10}{:>6}{:>7}{:>7}{:>8}{:>13}{:>9}{:>13}{:>7}{:>7}{:>9}"
_HEADS = ("lang", "rows", "emerg", "AUC", "rec@5%", "95% int.", "rec@10%", "95% int.", "paged", "false", "lang ok")


def as_text(measures: Sequence[Measure]) -> str:
    """Three tables for a terminal: measures by group, then calibration and confusion of all; "-": nothing to count."""
    lines = [_LINE.format(*_HEADS)]
    lines += [_LINE.format(*cells(m)) for m in measures]
    everything = measures[0]
    if everything.calibration:
        lines += ["", "calibration: danger from .. on, mean, share that was an emergency, of how many"]
        lines += [f"  {b.low:.2f}  {b.said:.2f}  {b.right:.2f}  {b.count}" for b in everything.calibration]
        lines += ["", "{:22}".format("given \\ predicted") + "".join(f"{level:>13}" for level in LEVELS)]
        for given, row in everything.confusion.items():
            lines.append(f"{given:22}" + "".join(f"{row[said]:>13}" for said in LEVELS))
    return "\n".join(lines)


def cells(m: Measure) -> tuple[str, ...]:
    """One group as the cells of a table: group, rows, emergencies, AUC, recall at 5 % and 10 %, each with interval,
    paged, false pages, language named."""
    at_5 = _interval(m.low_5, m.high_5)
    at_10 = _interval(m.low, m.high)
    rest = (m.paged, m.false_pages, m.named)
    counts = (str(m.rows), str(m.emergencies))
    return m.group, *counts, _two(m.auc), _two(m.recall_5), at_5, _two(m.recall_10), at_10, *map(_two, rest)


def _two(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _interval(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{low:.2f}-{high:.2f}"


def as_json(measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """The measures as plain values; what cannot be counted is null."""
    return [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in asdict(m).items()}
        for m in measures
    ]
