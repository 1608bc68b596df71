"""Reads a table of texts with an engine and writes what it says of each; measure.py makes figures of it.

The table has columns `lang`, `text` and optionally `level` (tab-separated). Used by `harborline evaluate` and by the
benchmarks; left_out.py measures the heads on their own training words. The level of a Meaning is triage's to say:
pass it in as `level_of`.
"""

import asyncio
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from understanding.examples import LEVELS
from understanding.meaning import Engine, Meaning
from understanding.rasa import Rasa, plain
from understanding.text import clean
from understanding.training.measure import Measure, Prediction, Row, measure
from understanding.understand import Understanding

DANGER_PAGES = 0.3
"""Danger at or above this pages, when nobody passes in what triage says."""
CONCERN_HIGH = 0.5
BUDGET = 30.0  # seconds a text may take when nobody waits for the answer
ENGINES = ("embedded", "rasa", "rules")
COLUMNS = ("lang", "text", "level", "score", "language", "intent", "reasons")

LevelOf = Callable[[Meaning], str]
Progress = Callable[[int, int], None]
"""Told after each row: how many are read, and of how many."""


class TableError(Exception):
    """The table cannot be used; the message names the line and what it needs."""


class NotThisEngine(Exception):
    """The engine that was to be measured did not read every text, so there is nothing to say about it."""


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
    progress: Progress = lambda _done, _of: None,
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
    meanings = []
    try:
        for row in rows:
            meanings.append(await understanding.understand(row.text, languages=languages, budget=BUDGET))
            progress(len(meanings), len(rows))
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


def write_predictions(path: Path, rows: Sequence[Row], predictions: Sequence[Prediction]) -> None:
    """Write the table with the engine's columns; `level` is the engine's."""
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write("\t".join(COLUMNS) + "\n")
        for row, p in zip(rows, predictions, strict=True):
            text = " ".join(row.text.split())
            cells = (row.lang, text, p.level, f"{p.score:.4f}", p.language, p.intent, "; ".join(p.reasons))
            out.write("\t".join(cells) + "\n")
