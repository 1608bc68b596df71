"""Measures an engine honestly: predictions for a table of texts, and how well they order emergencies before the rest.

The table has columns `lang`, `text` and optionally `level` (tab-separated). Used by `harborline evaluate` and by the
benchmarks; left_out.py measures the heads on their own training words. The level of a Meaning is triage's to say:
pass it in as `level_of`.
"""

import asyncio
import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understanding.examples import LEVELS
from understanding.meaning import Engine, Meaning
from understanding.rasa import Rasa, plain
from understanding.text import clean
from understanding.training.solve import auc, recall
from understanding.understand import Understanding

DANGER_PAGES = 0.3
"""Danger at or above this pages, when nobody passes in what triage says."""
CONCERN_HIGH = 0.5
BUDGET = 30.0  # seconds a text may take when nobody waits for the answer
ENGINES = ("embedded", "rasa", "rules")
COLUMNS = ("lang", "text", "level", "score", "language", "intent", "reasons")

LevelOf = Callable[[Meaning], str]


class TableError(Exception):
    """The table cannot be used; the message names the line and what it needs."""


class NotThisEngine(Exception):
    """The engine that was to be measured did not read every text, so there is nothing to say about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One text to read; `level` is what people said it is, None when nobody has."""

    lang: str
    text: str = field(repr=False)
    level: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the engine says about one row; `score` orders: it is Meaning.danger."""

    level: str
    score: float
    language: str
    intent: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How well one group of rows was ordered and levelled. Shares are 0 to 1, NaN where there is nothing to count.

    `recall_10`: share of emergencies above the threshold at which 10 % of the other rows are paged too; `low` and
    `high` are its 95 % interval (Wilson). `paged`, `false_pages`: by the levels as predicted. `named`: language right.
    """

    group: str
    rows: int
    emergencies: int
    auc: float
    recall_5: float
    recall_10: float
    low: float
    high: float
    paged: float
    false_pages: float
    named: float


def plain_level(meaning: Meaning) -> str:
    """A level from the model's numbers alone, for want of triage's."""
    if not meaning.read or meaning.danger >= DANGER_PAGES:
        return "emergency"
    if meaning.concern >= CONCERN_HIGH:
        return "high"
    return "standard" if meaning.signals else "information"


def read_table(path: Path) -> list[Row]:
    """Read a table. Raises TableError, OSError."""
    with path.open(encoding="utf-8", errors="replace", newline="") as lines:
        table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"lang", "text"} <= set(table.fieldnames or ()):
            raise TableError(f"{path}: the first line must name the columns lang and text, and may name level")
        return [_row(entry, f"{path}, line {number}") for number, entry in enumerate(table, 2)]


def _row(entry: dict[str, str | None], where: str) -> Row:
    level = (entry.get("level") or "").strip().lower() or None
    if level not in (*LEVELS, None):
        raise TableError(f"{where}: the level must be one of {', '.join(LEVELS)} or empty")
    return Row(lang=entry["lang"] or "", text=entry["text"] or "", level=level)


def evaluate(
    path: Path, *, engine: str = "embedded", level_of: LevelOf = plain_level, rasa_url: str = ""
) -> tuple[list[Row], list[Prediction], list[Measure]]:
    """Everything `harborline evaluate` needs. Raises TableError, NotThisEngine, OSError, HeadsError."""
    rows = read_table(path)
    predictions = asyncio.run(predict(rows, engine=engine, level_of=level_of, rasa_url=rasa_url))
    return rows, predictions, measure(rows, predictions)


async def predict(
    rows: Sequence[Row],
    *,
    engine: str = "embedded",
    level_of: LevelOf = plain_level,
    languages: tuple[str, ...] = (),
    rasa_url: str = "",
) -> list[Prediction]:
    """Read every row with one engine (ENGINES), without telling it the row's language.

    `rasa_url` is for the engine rasa, and without effect on the others. Raises TableError, NotThisEngine.
    """
    if engine not in ENGINES:
        raise TableError(f"the engine must be one of {', '.join(ENGINES)}")
    understanding = Understanding(rasa=Rasa(rasa_url) if engine == "rasa" else None)
    if engine != "rules":
        await understanding.start()
    try:
        meanings = [await understanding.understand(row.text, languages=languages, budget=BUDGET) for row in rows]
    finally:
        await understanding.stop()
    if engine == "rasa":
        _by_rasa_alone(rows, meanings)
    return [_prediction(meaning, level_of) for meaning in meanings]


def _by_rasa_alone(rows: Sequence[Row], meanings: Sequence[Meaning]) -> None:
    """What another engine read in Rasa's place would be counted as Rasa's. Raises NotThisEngine."""
    missed = sum(
        bool(plain(clean(row.text))) and meaning.engine is not Engine.RASA
        for row, meaning in zip(rows, meanings, strict=True)
    )
    if missed:
        raise NotThisEngine(f"Rasa read {len(rows) - missed} of {len(rows)} texts")


def _prediction(meaning: Meaning, level_of: LevelOf) -> Prediction:
    reasons = tuple(f"{e.signal}={e.score:.2f}" + (f" ({e.words})" if e.words else "") for e in meaning.signals)
    return Prediction(
        level=level_of(meaning),
        score=meaning.danger,
        language=meaning.language or "",
        intent=meaning.intent.value,
        reasons=reasons,
    )


def measure(rows: Sequence[Row], predictions: Sequence[Prediction]) -> list[Measure]:
    """Measures over all labelled rows (group "all"), and per language. Rows without a level only count in `rows`."""
    pairs = list(zip(rows, predictions, strict=True))
    groups = {"all": pairs} | {lang: [p for p in pairs if p[0].lang == lang] for lang in sorted({r.lang for r in rows})}
    return [_measured(name, members) for name, members in groups.items()]


def _measured(group: str, pairs: Sequence[tuple[Row, Prediction]]) -> Measure:
    labelled = [(row, prediction) for row, prediction in pairs if row.level is not None]
    bad = np.array([row.level == "emergency" for row, _ in labelled], dtype=bool)
    scores = np.array([prediction.score for _, prediction in labelled], dtype=np.float64)
    paged = np.array([prediction.level == "emergency" for _, prediction in labelled], dtype=bool)
    at_10 = recall(scores, bad, 0.10)
    low, high = wilson(at_10, int(bad.sum()))
    return Measure(
        group=group,
        rows=len(pairs),
        emergencies=int(bad.sum()),
        auc=auc(scores, bad),
        recall_5=recall(scores, bad, 0.05),
        recall_10=at_10,
        low=low,
        high=high,
        paged=_share(paged[bad]),
        false_pages=_share(paged[~bad]),
        named=_share(np.array([row.lang.split("-")[0] == p.language for row, p in pairs], dtype=bool)),
    )


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else math.nan


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share of `count` cases (Wilson 1927); (NaN, NaN) without cases."""
    if not count or math.isnan(share):
        return math.nan, math.nan
    z = 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def as_text(measures: Sequence[Measure]) -> str:
    """The measures as a table for a terminal; "-" where there is nothing to count."""
    heads = ("lang", "rows", "emerg", "AUC", "rec@5%", "rec@10%", "95% interval", "paged", "false", "lang ok")
    lines = ["{:8}{:>6}{:>7}{:>7}{:>8}{:>9}{:>15}{:>7}{:>7}{:>9}".format(*heads)]
    for m in measures:
        cells = [f"{value:.2f}" if not math.isnan(value) else "-" for value in (m.auc, m.recall_5, m.recall_10)]
        interval = f"{m.low:.2f}-{m.high:.2f}" if m.emergencies else "-"
        rest = [f"{value:.2f}" if not math.isnan(value) else "-" for value in (m.paged, m.false_pages, m.named)]
        line = "{:8}{:>6}{:>7}{:>7}{:>8}{:>9}{:>15}{:>7}{:>7}{:>9}"
        lines.append(line.format(m.group, m.rows, m.emergencies, *cells, interval, *rest))
    return "\n".join(lines)


def as_json(measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """The measures as plain values; what cannot be counted is null."""
    return [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in asdict(m).items()}
        for m in measures
    ]


def write_predictions(path: Path, rows: Sequence[Row], predictions: Sequence[Prediction]) -> None:
    """Write the table with the engine's columns; `level` is the engine's."""
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write("\t".join(COLUMNS) + "\n")
        for row, p in zip(rows, predictions, strict=True):
            text = " ".join(row.text.split())
            cells = (row.lang, text, p.level, f"{p.score:.4f}", p.language, p.intent, "; ".join(p.reasons))
            out.write("\t".join(cells) + "\n")
