"""`python -m bench.understanding`: how well messages are understood, on words left out, on texts nobody trained on, and
on data that nobody of us wrote; writes its part of bench/results.md and the table of docs/languages.md.

Data of others are looked for in ../shared/data; when absent, the page says so. Of the large sets so many rows of each
language are read, drawn with a seed (SAMPLE, default 60; 0: all).
"""

import asyncio
import csv
import os
import random
import re
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import psutil

from triage.assess import assess
from triage.policy import TriagePolicy
from understanding.examples import all_words, digest
from understanding.language import SCRIPT_OF
from understanding.meaning import Meaning
from understanding.surface import Patterns
from understanding.tongues import NAMES
from understanding.training.build import train, variety
from understanding.training.evaluate import predict
from understanding.training.left_out import levels, measured
from understanding.training.measure import Measure, Prediction, Row, cells, measure
from understanding.understand import Understanding

ROOT: Final = Path(__file__).parent.parent
DATA: Final = ROOT.parent / "shared" / "data"
RESULTS: Final = ROOT / "bench" / "results.md"
LANGUAGES: Final = ROOT / "docs" / "languages.md"
HELD_OUT: Final = ROOT / "tests" / "heldout" / "texts.tsv"
HEAD: Final = "## Understanding"
SAMPLE: Final = int(os.environ.get("SAMPLE", "60"))
_MARKS: Final = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- end -->)", re.DOTALL)
_BRIGHTER: Final = {
    "amh": "am", "arq": "ar", "ary": "ar", "chn": "zh", "eng": "en", "esp": "es", "hau": "ha", "hin": "hi",
    "ptbr": "pt", "ptmz": "pt", "ron": "ro", "rus": "ru", "som": "so", "swa": "sw", "tir": "ti", "ukr": "uk",
    "yor": "yo",
}  # fmt: skip
_HATECHECK: Final = {
    "arabic": "ar", "french": "fr", "hindi": "hi-Latn", "mandarin": "zh", "polish": "pl", "portuguese": "pt",
    "spanish": "es",
}  # fmt: skip
_LIFE: Final = ("medical_help", "search_and_rescue", "death", "security", "missing_people")
_LEFT: Final = "| group | rows | emergencies | AUC | recall at 5 % | 95 % | recall at 10 % | 95 % |"
_ABOUT: Final = f"{_LEFT} paged | false pages | language |"


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """Rows of one source. `level` "emergency" stands for what the source calls bad, "information" for the rest."""

    name: str
    rows: Sequence[Row]


def main() -> None:
    """Measure and write."""
    print(write(*asyncio.run(tables())))


def write(section: str, languages: str) -> str:
    """Put both where they belong: behind what else stands in bench/results.md, and between the marks of the page."""
    before = RESULTS.read_text(encoding="utf-8").split(HEAD)[0].rstrip() if RESULTS.exists() else "# Measured"
    RESULTS.write_text(f"{before}\n\n{section}", encoding="utf-8")
    page = LANGUAGES.read_text(encoding="utf-8")
    LANGUAGES.write_text(_MARKS.sub(lambda _: languages, page), encoding="utf-8")
    return section


async def tables() -> tuple[str, str]:
    """The part of bench/results.md, and the table of docs/languages.md."""
    left, languages = _left_out()
    parts = [HEAD, "", *left]
    parts += ["", "### Texts nobody trained on (tests/heldout)", "", *await _read(_held_out())]
    for found in _others():
        parts += ["", f"### {found.name}", "", *await _read(found)]
    if not DATA.exists():
        parts += ["", "### Data of others", "", "Not measured: ../shared/data is not there."]
    parts += ["", "### Time and memory", "", *await _speed()]
    return "\n".join(parts) + "\n", languages


# What was left out --------------------------------------------------------------------------------------------------


def _left_out() -> tuple[list[str], str]:
    words = list(all_words())
    examples = [example for language in words for example in language.examples]
    trained = train(examples, Patterns(words), digest())
    groups, lines = [variety(example) for example in examples], []
    found = {}
    for title, scores, measures in measured(trained, groups):
        found[title] = {m.group: m for m in measures}
        lines += [
            f"### Training words left out: {title}",
            "",
            f"{levels(scores, trained)}.",
            "",
            *_table(measures, _LEFT, 8),
        ]
        lines.append("")
    return lines[:-1], _languages(found["all heads"], found["heads without the language"])


def _languages(seen: dict[str, Measure], unseen: dict[str, Measure]) -> str:
    rows = ["| language | in Latin letters | examples | recall at 10 %, left out | 95 % | without its language |"]
    rows.append("|---|---|---:|---:|---|---:|")
    for group, m in seen.items():
        tag = group.removesuffix("-Latn")
        if tag in NAMES:
            apart = "yes" if tag != group else "its own" if SCRIPT_OF[tag] == "Latn" else ""
            _, count, _, _, _, _, at_10, interval, *_ = cells(m)
            rows.append(f"| {NAMES[tag]} | {apart} | {count} | {at_10} | {interval} | {cells(unseen[group])[6]} |")
    return "\n".join(rows) + "\n"


# Texts that are read ------------------------------------------------------------------------------------------------


def _held_out() -> Set:
    with HELD_OUT.open(encoding="utf-8", newline="") as lines:
        rows = [Row(lang=r["lang"], text=r["text"], level=r["level"]) for r in _tsv(lines)]
    return Set(name="held out", rows=rows)


def _others() -> Iterable[Set]:
    """Data nobody of us wrote, where it is at hand."""
    if not DATA.exists():
        return
    with (DATA / "haiti_sms_validation.csv").open(encoding="utf-8", newline="") as lines:
        help_line = [row for row in csv.DictReader(lines) if row["event"] == "haiti_earthquake" and row["original"]]
    marks = [any(row[label] == "1" for label in _LIFE) for row in help_line]
    texts = [("en", "message"), ("ht", "original")]
    yield Set(
        name="Help line of Haiti 2010, life threat, validation part",
        rows=[
            Row(lang=lang, text=row[column], level=_level(mark))
            for lang, column in texts
            for row, mark in zip(help_line, marks, strict=True)
        ],
    )
    yield Set(name="BRIGHTER, fear: a proxy", rows=_sampled("brighter_fear_extract.tsv", "fear", _BRIGHTER))
    yield Set(name="Multilingual HateCheck, threat", rows=_sampled("mhc_threat_extract.tsv", "threat", _HATECHECK))


def _sampled(file: str, label: str, tags: dict[str, str]) -> list[Row]:
    with (DATA / file).open(encoding="utf-8", newline="") as lines:
        known = [row for row in _tsv(lines) if row["lang"] in tags]
    chosen: list[Row] = []
    for name, rows in groupby(sorted(known, key=lambda row: row["lang"]), key=lambda row: row["lang"]):
        members = list(rows)
        few = random.Random(f"{file}/{name}").sample(members, min(SAMPLE, len(members))) if SAMPLE else members
        chosen += [Row(lang=tags[name], text=row["text"], level=_level(row[label] == "1")) for row in few]
    return chosen


def _tsv(lines: Iterable[str]) -> Iterable[dict[str, str]]:
    return csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def _level(bad: bool) -> str:
    return "emergency" if bad else "information"


async def _read(found: Set) -> list[str]:
    policy = TriagePolicy()

    def level(meaning: Meaning) -> str:
        return assess(meaning, {}, None, policy).level.word

    predictions = await predict(found.rows, level_of=level, progress=_told(found.name))
    measures = measure(found.rows, predictions)
    named = [m for m in measures if m.group not in ("all", "romanised")]
    macro = statistics.mean(m.named for m in named)
    return [
        *_table(measures, _ABOUT, 11),
        "",
        f"Language named right: {macro:.3f}, the mean over {len(named)} languages of these rows.",
        "",
        *_calibration(measures[0]),
        *_confusion(measures[0]),
        *_confused(found.rows, predictions),
    ]


def _told(name: str) -> Callable[[int, int], None]:
    def tell(done: int, of: int) -> None:
        if done % 200 == 0 or done == of:
            print(f"{name}: {done} of {of}", flush=True)

    return tell


def _table(measures: Sequence[Measure], head: str, columns: int) -> list[str]:
    rule = "|---|" + "---:|" * (head.count("|") - 2)
    return [head, rule, *(f"| {' | '.join(cells(m)[:columns])} |" for m in measures)]


def _calibration(m: Measure) -> list[str]:
    shown = "; ".join(f"{b.low:.2f}: {b.right:.2f} of {b.count}" for b in m.calibration)
    return [f"From this danger on, so many were emergencies: {shown}.", ""]


def _confusion(m: Measure) -> list[str]:
    said = list(m.confusion)
    counts = {given: [str(row[level]) for level in said] for given, row in m.confusion.items() if any(row.values())}
    rows = [f"| {given} | {' | '.join(each)} |" for given, each in counts.items()]
    return [f"| given, then as predicted | {' | '.join(said)} |", "|---|" + "---:|" * len(said), *rows]


def _confused(rows: Sequence[Row], predictions: Sequence[Prediction]) -> list[str]:
    """The commonest wrong languages."""
    wrong: dict[str, int] = {}
    for row, prediction in zip(rows, predictions, strict=True):
        if row.lang.split("-")[0] != prediction.language:
            pair = f"{row.lang} as {prediction.language or 'none'}"
            wrong[pair] = wrong.get(pair, 0) + 1
    shown = ", ".join(f"{pair} {count}" for pair, count in sorted(wrong.items(), key=lambda item: -item[1])[:8])
    return ["", f"Commonest wrong languages: {shown or 'none'}."]


# Time and memory ------------------------------------------------------------------------------------------------------


async def _speed() -> list[str]:
    """Milliseconds a message, one after the other; the best of several runs, as other work may share the machine."""
    texts = [row.text for row in _held_out().rows][::6]
    understanding = Understanding()
    await understanding.start()
    try:
        parent = psutil.Process()
        engine = parent.children()[0]
        before = _cpu(parent) + _cpu(engine)
        runs = [await _run(understanding, texts) for _ in range(5)]
        spent = 1000 * (_cpu(parent) + _cpu(engine) - before) / (5 * len(texts))
        child = engine.memory_full_info()
        memory = {"understanding process": child, "this process": parent.memory_full_info()}
    finally:
        await understanding.stop()
    middle, late = (min(centile) for centile in zip(*runs, strict=True))
    rows = [f"| a message, p50 / p95 | {middle:.0f} / {late:.0f} ms | {len(texts)} texts, best of 5 runs |"]
    rows.append(
        f"| processor time of a message, mean | {spent:.0f} ms | the same; other work on the machine adds little |"
    )
    rows += [
        f"| memory: {name} | {info.rss / 2**20:.0f} MB ({info.uss / 2**20:.0f} MB its own) | after that |"
        for name, info in memory.items()
    ]
    return ["| what | value | how |", "|---|---|---|", *rows]


def _cpu(process: psutil.Process) -> float:
    """Seconds of processor time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def _run(understanding: Understanding, texts: Sequence[str]) -> tuple[float, float]:
    each = []
    for text in texts:
        begun = time.perf_counter()
        await understanding.understand(text, languages=("en", "es", "fr", "ar", "hi", "zh"), budget=30)
        each.append((time.perf_counter() - begun) * 1000)
    centiles = statistics.quantiles(each, n=100, method="inclusive")
    return centiles[49], centiles[94]


if __name__ == "__main__":
    main()
