"""Measuring an engine: the table, the numbers, and the real engines on a small table."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from understanding.meaning import UNREAD, Engine, Evidence, Meaning, Signal
from understanding.training.evaluate import TableError, evaluate, plain_level, predict, read_table, write_predictions
from understanding.training.measure import Prediction, Row, as_json, as_text, measure, reliability, wilson
from understanding.training.solve import auc, calibrated, platt, recall, ridge, threshold

TABLE = (
    "lang\ttext\tlevel\n"
    "en\the has a knife and he is at the door\temergency\n"
    "en\tthank you\tinformation\n"
    "es\tnos encerraron y vienen por nosotras\temergency\n"
    'es\tcuanto "gana un cocinero\tinformation\n'
    "fr\tsans niveau\t\n"
)


def predicted(score: float, level: str = "information", language: str = "en") -> Prediction:
    return Prediction(level=level, score=score, language=language, intent="unknown", reasons=())


@pytest.mark.parametrize("engine", ["embedded", "rules"])
def test_a_table_is_read_and_measured_by_both_engines(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "table.tsv"
    path.write_text(TABLE, encoding="utf-8")
    rows, predictions, measures = evaluate(path, engine=engine)
    assert [row.level for row in rows] == ["emergency", "information", "emergency", "information", None]
    assert rows[3].text == 'cuanto "gana un cocinero'
    assert [m.group for m in measures] == ["all", "en", "es", "fr"]
    assert (measures[0].rows, measures[0].emergencies, measures[0].auc) == (5, 2, 1.0)
    out = tmp_path / "out.tsv"
    write_predictions(out, rows, predictions)
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == ["lang", "text", "level", "score", "language", "intent", "reasons"]
    assert len(lines) == 6
    assert "weapon" in lines[1]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a\tb\n1\t2\n", "columns lang and text"),
        ("", "columns lang and text"),
        ("lang\ttext\tlevel\nen\tx\turgent\n", "line 2"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_what_it_needs(
    tmp_path: Path, content: str, complaint: str
) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text(content)
    with pytest.raises(TableError, match=complaint):
        read_table(path)


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text(TABLE)
    with pytest.raises(TableError, match="embedded, rasa, rules"):
        evaluate(path, engine="oracle")


def test_recall_counts_emergencies_above_the_threshold_that_the_allowed_false_pages_set() -> None:
    bad = np.array([True] * 4 + [False] * 20)
    scores = np.array([0.99, 0.9, 0.5, 0.1, *np.linspace(0.05, 0.8, 20)])
    assert recall(scores, bad, 0.0) == 0.5
    assert threshold(scores, bad, 0.0) > 0.8
    assert recall(scores, bad, 1.0) == 1.0
    assert recall(scores, bad, 0.4) == 0.75


def test_ties_never_page_more_of_the_others_than_allowed() -> None:
    bad = np.array([True, True] + [False] * 10)
    scores = np.full(12, 0.5)
    assert recall(scores, bad, 0.10) == 0.0
    assert auc(scores, bad) == 0.5


def test_measures_are_per_language_and_say_when_there_is_nothing_to_count() -> None:
    rows = [
        Row(lang="en", text="a", level="emergency"),
        Row(lang="en", text="b", level="high"),
        Row(lang="pl", text="c"),
    ]
    measures = measure(rows, [predicted(0.9, "emergency"), predicted(0.2), predicted(0.3, language="pl")])
    everything, english, polish = measures
    assert (everything.paged, everything.false_pages, everything.named) == (1.0, 0.0, 1.0)
    assert english.auc == 1.0
    assert math.isnan(polish.auc)
    assert as_json(measures)[2]["recall_10"] is None
    json.dumps(as_json(measures))
    assert "pl" in as_text(measures).splitlines()[3]


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(0.5, 10)
    assert (round(low, 3), round(high, 3)) == (0.237, 0.763)
    assert math.isnan(wilson(math.nan, 0)[0])


def test_left_out_margins_are_those_of_a_machine_that_never_saw_the_example() -> None:
    dice = np.random.default_rng(1)
    points = dice.normal(size=(30, 5))
    targets = np.sign(points[:, :1] + 0.3 * dice.normal(size=(30, 1)))
    gram = points @ points.T + 0.2
    left_out = ridge(gram, targets, 0.5).left_out
    others = np.arange(30) != 7
    without = ridge(gram[np.ix_(others, others)], targets[others], 0.5).coefficients
    assert left_out[7, 0] == pytest.approx((gram[7, others] @ without)[0])


def test_margins_without_a_group_are_those_of_a_machine_that_saw_nothing_of_it() -> None:
    dice = np.random.default_rng(6)
    points = dice.normal(size=(30, 5))
    targets = np.sign(points[:, :1] + 0.3 * dice.normal(size=(30, 1)))
    gram = points @ points.T + 0.2
    groups = ["aa"] * 12 + ["bb"] * 10 + ["cc"] * 8
    group_out = ridge(gram, targets, 0.5, groups).group_out
    others = np.array(groups) != "bb"
    without = ridge(gram[np.ix_(others, others)], targets[others], 0.5).coefficients
    assert group_out[~others, 0] == pytest.approx((gram[np.ix_(~others, others)] @ without)[:, 0])


def test_calibration_gives_probabilities_that_match_the_share_of_positives() -> None:
    dice = np.random.default_rng(2)
    margins = dice.normal(size=4000)
    positive = dice.random(4000) < 1 / (1 + np.exp(-(2.0 * margins - 1.0)))
    slope, offset = platt(margins, positive)
    assert slope == pytest.approx(2.0, abs=0.3)
    assert offset == pytest.approx(-1.0, abs=0.2)


@pytest.mark.parametrize("positives", [5, 30, 1000])
def test_calibration_of_margins_that_separate_perfectly_stays_a_probability(positives: int) -> None:
    """Newton's step overshoots here; the slope was once 400 million, and every margin a certainty."""
    dice = np.random.default_rng(3)
    margins = np.concatenate([dice.uniform(0.0, 1.0, positives), dice.uniform(-1.3, -0.1, 2500)])
    slope, offset = platt(margins, np.arange(len(margins)) < positives)
    assert 3.0 < slope < 60.0
    assert abs(offset) < 10.0
    near = 1 / (1 + np.exp(-(slope * -0.3 + offset)))
    assert near < 0.5


def test_calibration_never_gets_worse_on_the_way() -> None:
    dice = np.random.default_rng(4)
    for shift in (-3.0, 0.0, 3.0):
        margins = dice.normal(size=600) + shift
        positive = dice.random(600) < 1 / (1 + np.exp(-(8.0 * (margins - shift) - 6.0)))
        slope, offset = platt(margins, positive)
        assert slope == pytest.approx(8.0, abs=3.0)
        said = 1 / (1 + np.exp(-(slope * margins + offset)))
        assert said.sum() == pytest.approx(positive.sum(), abs=2.0)


def test_reliability_counts_how_often_a_score_of_each_size_is_right() -> None:
    scores = np.array([0.01, 0.02, 0.4, 0.45, 0.95])
    bins = reliability(scores, np.array([False, False, True, False, True]))
    assert [(b.low, b.count, b.right) for b in bins] == [(0.0, 2, 0.0), (0.35, 2, 0.5), (0.9, 1, 1.0)]


def test_calibrated_margins_are_as_often_right_as_they_say() -> None:
    dice = np.random.default_rng(5)
    margins = dice.normal(size=(3000, 2))
    fires = dice.random((3000, 2)) < 1 / (1 + np.exp(-(6.0 * margins - 2.0)))
    for said in reliability(calibrated(margins, fires).ravel(), fires.ravel()):
        assert said.right == pytest.approx(said.said, abs=0.08)


@pytest.mark.parametrize(
    ("meaning", "level"),
    [
        (UNREAD, "emergency"),
        (Meaning(danger=0.9, concern=0.9, engine=Engine.EMBEDDED), "emergency"),
        (Meaning(danger=0.1, concern=0.9, engine=Engine.EMBEDDED), "high"),
        (Meaning(signals=(Evidence(signal=Signal.UNPAID, score=0.9),), engine=Engine.EMBEDDED), "standard"),
        (Meaning(engine=Engine.EMBEDDED), "information"),
    ],
)
def test_without_triage_the_level_follows_danger_concern_and_signals(meaning: Meaning, level: str) -> None:
    assert plain_level(meaning) == level


def test_measures_hold_intervals_calibration_confusion_and_romanised_rows_apart() -> None:
    rows = [
        Row(lang="hi-Latn", text="a", level="emergency"),
        Row(lang="hi-Latn", text="b", level="standard"),
        Row(lang="hi", text="c", level="emergency"),
        Row(lang="hi", text="d", level="information"),
    ]
    said = [predicted(0.95, "emergency", "hi"), predicted(0.3, "high", "ur"), predicted(0.02, "standard"), predicted(0)]
    everything, romanised, *languages = measure(rows, said)
    assert [m.group for m in (everything, romanised, *languages)] == ["all", "romanised", "hi", "hi-Latn"]
    assert (romanised.rows, romanised.recall_10, romanised.named) == (2, 1.0, 0.5)
    assert (everything.low_5, everything.high_5) == wilson(everything.recall_5, 2)
    assert [(b.low, b.count, b.right) for b in everything.calibration] == [(0.0, 2, 0.5), (0.2, 1, 0.0), (0.9, 1, 1.0)]
    assert everything.confusion["emergency"] == {"information": 0, "standard": 1, "high": 0, "emergency": 1}
    assert everything.confusion["standard"]["high"] == 1
    text = as_text(measure(rows, said))
    assert "calibration" in text
    assert "given \\ predicted" in text


@pytest.mark.asyncio
async def test_long_work_tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    rows = [Row(lang="en", text="hello"), Row(lang="en", text="thanks")]
    await predict(rows, engine="rules", progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 2), (2, 2)]
