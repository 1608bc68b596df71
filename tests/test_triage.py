"""How bad a report is: the rules, the model's limits, and what must hold for every message whatever it says."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from triage.assess import assess, mark_read
from triage.levels import Assessment, Level
from triage.policy import MEASURED, Thresholds, TriagePolicy
from triage.rules import ANSWERS, COMBINATIONS, INTENTS, REASONS, RULES, SIGNALS
from understanding.meaning import UNREAD, Engine, Evidence, Intent, Meaning, Signal
from understanding.training.solve import threshold
from understanding.training.thresholds import HIGHEST, LOWEST, as_yaml, chosen

POLICY = TriagePolicy()
FLOWS = Path(__file__).parent.parent / "dialogs" / "flows"


def heard(*signals: Signal, intent: Intent = Intent.REPORT, danger: float = 0.0, concern: float = 0.0) -> Meaning:
    """A message in Spanish that was read and understood."""
    return Meaning(
        language="es",
        language_confidence=1.0,
        intent=intent,
        confidence=0.9,
        signals=tuple(Evidence(signal=s, score=0.9, words=f"<{s.value}>") for s in signals),
        danger=danger,
        concern=concern,
        engine=Engine.EMBEDDED,
    )


def told(*meanings: Meaning | None, answers: dict[str, str] | None = None) -> Assessment:
    """The assessment after a conversation of these messages."""
    result: Assessment | None = None
    for meaning in meanings:
        result = assess(meaning, answers or {}, result, POLICY)
    assert result is not None
    return result


def rules_of(assessment: Assessment) -> set[str]:
    return {reason.rule for reason in assessment.reasons}


# Rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signal", [Signal.VIOLENCE_NOW, Signal.WEAPON, Signal.MEDICAL, Signal.SELF_HARM, Signal.MISSING]
)
def test_a_life_in_danger_is_an_emergency_for_two_people(signal: Signal) -> None:
    result = told(heard(signal))
    assert (result.level, result.life_at_risk) == (Level.EMERGENCY, True)
    assert result.reasons[0].rule == signal.value
    assert result.reasons[0].words == f"<{signal.value}>"


def test_people_about_to_be_moved_are_an_emergency() -> None:
    assert told(heard(Signal.MOVING_SOON)).level is Level.EMERGENCY


@pytest.mark.parametrize("signal", [Signal.LOCKED_IN, Signal.THREAT, Signal.CHILD, Signal.SEXUAL_EXPLOITATION])
def test_control_that_continues_is_high(signal: Signal) -> None:
    result = told(heard(signal))
    assert (result.level, result.life_at_risk) == (Level.HIGH, False)


@pytest.mark.parametrize("signal", [Signal.DOCUMENTS_KEPT, Signal.UNPAID, Signal.DEBT, Signal.RECRUITMENT])
def test_one_weak_sign_alone_is_standard(signal: Signal) -> None:
    assert told(heard(signal)).level is Level.STANDARD


def test_several_weak_signs_add_up_to_high() -> None:
    result = told(heard(Signal.DOCUMENTS_KEPT, Signal.UNPAID, Signal.ISOLATION))
    assert result.level is Level.HIGH
    assert result.reasons[0].rule == "weak_signs"
    assert result.reasons[0].words == "documents_kept, isolation, unpaid"


def test_weak_signs_add_up_over_several_messages() -> None:
    first = told(heard(Signal.DOCUMENTS_KEPT))
    assert first.level is Level.STANDARD
    assert told(heard(Signal.DOCUMENTS_KEPT), heard(Signal.UNPAID), heard(Signal.DEBT)).level is Level.HIGH


def test_the_same_weak_sign_in_one_message_counts_once() -> None:
    assert told(heard(Signal.UNPAID, Signal.UNPAID, Signal.UNPAID)).level is Level.STANDARD


def test_a_sign_that_comes_back_three_times_is_high() -> None:
    result = told(*[heard(Signal.UNPAID)] * 3)
    assert result.level is Level.HIGH
    assert "repeated" in rules_of(result)


def test_thanking_many_times_is_not_a_sign() -> None:
    assert told(*[heard(intent=Intent.THANKS)] * 10).level is Level.INFORMATION


@pytest.mark.parametrize(("parts", "rule"), COMBINATIONS)
def test_signs_that_mean_more_together_are_an_emergency(parts: frozenset[str], rule: str) -> None:
    signals = [Signal(p) for p in parts if p in set(Signal)]
    answers = dict(key for key, fired in ANSWERS.items() if fired in parts and fired not in set(Signal))
    result = told(*(heard(s) for s in signals), None, answers=answers)
    assert result.level is Level.EMERGENCY
    assert rule in rules_of(result)


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ({}, Level.INFORMATION),
        ({"way": "question"}, Level.INFORMATION),
        ({"way": "report", "facts.still": "yes"}, Level.STANDARD),
        ({"way": "report", "facts.who": "minor"}, Level.HIGH),
        ({"way": "help"}, Level.HIGH),
        ({"way": "help", "safe": "watched"}, Level.EMERGENCY),
        ({"way": "help", "help.danger": "yes"}, Level.EMERGENCY),
        ({"way": "help", "help.danger": "no"}, Level.HIGH),
        ({"safe": "not_now"}, Level.STANDARD),
        ({"safe": "watched", "facts.still": "yes"}, Level.HIGH),
    ],
)
def test_answers_by_key_alone_are_assessed(answers: dict[str, str], level: Level) -> None:
    assert told(None, answers=answers).level is level


def test_an_answer_counts_once_however_often_the_conversation_is_assessed() -> None:
    result = told(*[None] * 10, answers={"facts.still": "yes"})
    assert result.level is Level.STANDARD
    assert [reason.times for reason in result.reasons] == [1]


def test_a_calm_tip_is_standard_and_a_question_is_information() -> None:
    assert told(heard(intent=Intent.REPORT)).level is Level.STANDARD
    assert told(heard(intent=Intent.QUESTION)).level is Level.INFORMATION


def test_words_that_were_read_but_not_understood_wait_in_the_queue() -> None:
    result = told(replace(heard(), intent=Intent.UNKNOWN))
    assert (result.level, result.unread) == (Level.STANDARD, False)


@pytest.mark.parametrize(
    ("alert", "level"),
    [("danger", Level.EMERGENCY), ("asked_for_human", Level.HIGH), ("nobody knows this one", Level.EMERGENCY)],
)
def test_an_alert_of_the_flow_is_assessed_by_its_rule(alert: str, level: Level) -> None:
    assert assess(None, {}, None, POLICY, alerts=(alert,)).level is level


# The model --------------------------------------------------------------------------------------------------


def test_the_model_raises_at_its_thresholds() -> None:
    limits = POLICY.thresholds_for("es")
    assert told(heard(danger=limits.danger)).level is Level.EMERGENCY
    assert told(heard(danger=limits.danger - 0.01)).level is Level.HIGH
    assert told(heard(danger=limits.near_danger - 0.01)).level is Level.STANDARD
    assert told(heard(concern=limits.concern)).level is Level.HIGH


def test_a_sign_of_danger_that_nothing_supports_is_high_and_not_yet_an_emergency() -> None:
    """Words such as "gun" are also in films: a pattern alone scores 0.5."""
    faint = (Evidence(signal=Signal.WEAPON, score=0.5, words="gun"),)
    assert told(replace(heard(), signals=faint)).level is Level.HIGH
    assert told(replace(heard(danger=POLICY.thresholds_for("es").near_danger), signals=faint)).level is Level.EMERGENCY
    sure = (Evidence(signal=Signal.WEAPON, score=POLICY.thresholds.sure_signal, words="gun"),)
    assert told(replace(heard(), signals=sure)).level is Level.EMERGENCY
    wordless = (Evidence(signal=Signal.WEAPON, score=1.0),)
    assert told(replace(heard(), signals=wordless)).level is Level.STANDARD


def test_the_model_alone_never_says_that_a_life_is_at_risk() -> None:
    assert not told(heard(danger=1.0)).life_at_risk


def test_the_model_never_lowers_what_a_rule_found() -> None:
    assert told(heard(Signal.WEAPON, danger=0.0, concern=0.0)).level is Level.EMERGENCY


def test_three_messages_that_come_close_to_danger_are_an_emergency() -> None:
    result = told(*[heard(danger=POLICY.thresholds.near_danger)] * 3)
    assert result.level is Level.EMERGENCY
    assert "danger_repeated" in rules_of(result)


def test_a_signal_below_its_threshold_does_not_fire() -> None:
    weak = replace(heard(), signals=(Evidence(signal=Signal.WEAPON, score=0.49),))
    assert told(weak).level is Level.STANDARD


def test_a_language_may_have_thresholds_of_its_own() -> None:
    policy = TriagePolicy(thresholds_by_language={"es": Thresholds(danger=0.1, near_danger=0.05)})
    assert assess(heard(danger=0.1), {}, None, policy).level is Level.EMERGENCY
    assert assess(replace(heard(danger=0.1), language="zz"), {}, None, policy).level is Level.STANDARD


# Not read ---------------------------------------------------------------------------------------------------


def test_what_nobody_read_is_urgent_until_a_human_has() -> None:
    result = told(UNREAD)
    assert (result.level, result.unread) == (Level.HIGH, True)
    assert told(UNREAD, heard(intent=Intent.THANKS)).unread
    assert mark_read(result) == replace(result, unread=False)


def test_an_unknown_language_is_urgent_until_a_human_has_read_it() -> None:
    result = told(replace(heard(), language=None, intent=Intent.UNKNOWN, confidence=0.0))
    assert (result.level, result.unread, rules_of(result)) == (
        Level.HIGH,
        True,
        {"language_unknown", "not_classified"},
    )


def test_a_short_yes_in_no_particular_language_is_understood() -> None:
    result = told(replace(heard(), language=None, intent=Intent.YES, confidence=0.9))
    assert (result.level, result.unread) == (Level.INFORMATION, False)


def test_a_score_that_is_no_number_counts_as_unread() -> None:
    assert told(heard(danger=float("nan"))).unread


def test_what_was_found_before_stays_even_if_its_rules_are_gone() -> None:
    before = Assessment(level=Level.EMERGENCY, reasons=(), life_at_risk=True, unread=True)
    assert assess(heard(intent=Intent.THANKS), {}, before, POLICY).life_at_risk


def test_no_words_means_nothing_unread() -> None:
    assert told(None) == Assessment(level=Level.INFORMATION)


# Tables -----------------------------------------------------------------------------------------------------


def test_every_rule_has_a_sentence_and_every_sign_a_rule() -> None:
    used = {*SIGNALS.values(), *INTENTS.values(), *ANSWERS.values(), *(rule for _, rule in COMBINATIONS)}
    assert used <= RULES.keys() == REASONS.keys()
    assert set(SIGNALS) == set(Signal)
    assert set(INTENTS) == set(Intent)
    assert all(part in RULES for parts, _ in COMBINATIONS for part in parts)


@pytest.mark.parametrize("sentence", sorted(REASONS.values()))
def test_reasons_are_calm_whole_sentences(sentence: str) -> None:
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert "!" not in sentence
    assert len(sentence) <= 100


def flow_steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FLOWS.glob("*.yml")):
        yield from yaml.safe_load(path.read_text("utf-8"))["steps"].items()


def test_every_answer_with_a_rule_exists_in_the_flows() -> None:
    offered = {(step, choice["id"]) for step, body in flow_steps() for choice in body.get("choices", ())}
    assert ANSWERS.keys() <= offered


def test_every_alert_of_the_flows_has_a_rule() -> None:
    steps = [body for _, body in flow_steps()]
    choices = [choice for body in steps for choice in body.get("choices", ())]
    alerts = {part["alert"] for part in [*steps, *choices] if "alert" in part}
    assert alerts
    assert alerts <= RULES.keys()


# Whatever is said -------------------------------------------------------------------------------------------

SCORES = st.floats(0, 1)
EVIDENCE = st.builds(Evidence, signal=st.sampled_from(Signal), score=SCORES | st.floats(), words=st.text(max_size=20))
MEANINGS = st.builds(
    Meaning,
    language=st.none() | st.sampled_from(["en", "es", "hi", "xx", ""]),
    intent=st.sampled_from(Intent),
    confidence=SCORES | st.floats(),
    signals=st.lists(EVIDENCE, max_size=6).map(tuple),
    danger=SCORES | st.floats(),
    concern=SCORES | st.floats(),
    engine=st.sampled_from(Engine),
)
ANSWER_SETS = st.dictionaries(
    st.sampled_from([step for step, _ in ANSWERS]) | st.text(max_size=5),
    st.sampled_from([choice for _, choice in ANSWERS]) | st.text(max_size=5),
    max_size=5,
)


def talk(meanings: list[Meaning], answers: dict[str, str]) -> Assessment | None:
    result: Assessment | None = None
    for meaning in meanings:
        result = assess(meaning, answers, result, POLICY)
    return result


@given(st.lists(MEANINGS, max_size=3), MEANINGS | st.none(), ANSWER_SETS)
def test_every_message_gets_an_assessment_that_explains_itself(
    before: list[Meaning], meaning: Meaning | None, answers: dict[str, str]
) -> None:
    previous = talk(before, answers)
    result = assess(meaning, answers, previous, POLICY)
    assert {r.rule for r in result.reasons} <= REASONS.keys()
    levels = [r.level for r in result.reasons]
    assert levels == sorted(levels, reverse=True)
    assert result.level == max(levels, default=Level.INFORMATION)
    if previous is not None:
        assert result.level >= previous.level
        assert result.life_at_risk >= previous.life_at_risk
        assert {r.rule for r in previous.reasons} <= {r.rule for r in result.reasons}
    if meaning is not None and not meaning.read:
        assert result.unread
        assert result.level >= Level.HIGH


@given(st.lists(MEANINGS, max_size=2), MEANINGS, ANSWER_SETS, EVIDENCE)
def test_one_more_sign_never_lowers_the_level(
    before: list[Meaning], meaning: Meaning, answers: dict[str, str], sign: Evidence
) -> None:
    previous = talk(before, answers)
    without = assess(meaning, answers, previous, POLICY)
    with_sign = assess(replace(meaning, signals=(*meaning.signals, sign)), answers, previous, POLICY)
    assert with_sign.level >= without.level
    assert with_sign.life_at_risk >= without.life_at_risk


@given(st.lists(MEANINGS, max_size=2), MEANINGS, ANSWER_SETS, SCORES, SCORES)
def test_a_higher_score_never_lowers_the_level(
    before: list[Meaning], meaning: Meaning, answers: dict[str, str], one: float, other: float
) -> None:
    previous = talk(before, answers)
    low, high = sorted((one, other))
    for lower, higher in (
        (replace(meaning, danger=low), replace(meaning, danger=high)),
        (replace(meaning, concern=low), replace(meaning, concern=high)),
    ):
        one_level, other_level = (assess(m, answers, previous, POLICY).level for m in (lower, higher))
        assert other_level >= one_level


@given(st.lists(MEANINGS, min_size=1, max_size=3), ANSWER_SETS)
def test_an_assessment_survives_storage(meanings: list[Meaning], answers: dict[str, str]) -> None:
    result = talk(meanings, answers)
    assert result is not None
    assert Assessment.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_words_of_a_report_never_show_in_a_repr() -> None:
    assert "<weapon>" not in repr(told(heard(Signal.WEAPON)))


# Policy -----------------------------------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_product() -> None:
    emergency, high = POLICY.of(Level.EMERGENCY), POLICY.of(Level.HIGH)
    assert (emergency.acknowledge, emergency.needed(life_at_risk=True), emergency.needed(life_at_risk=False)) == (
        180,
        2,
        1,
    )
    assert high.answer == 3600
    assert POLICY.target(Level.STANDARD).total_seconds() == 24 * 3600
    assert POLICY.target(Level.INFORMATION).total_seconds() == 72 * 3600


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"outside_number": "0034 600 111 222"}, "outside_number"),
        ({"thresholds": {"danger": 2}}, "thresholds.danger"),
        ({"thresholds": {"danger": 0.2, "near_danger": 0.5}}, "thresholds"),
        ({"method_wait": "25"}, "method_wait"),
        ({"methodwait": 25}, "methodwait"),
        ({"contact_gap": 600}, ""),
        ({"levels": {"high": {"page": "in_hours", "steps": [], "last_resort_every": 60}}}, "levels.high.steps"),
        ({"levels": {"high": {"page": "at_noon"}}}, "levels.high.page"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_name_and_without_its_value(
    settings: dict[str, Any], where: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        TriagePolicy.model_validate(settings)
    assert where in {".".join(map(str, error["loc"])) for error in refused.value.errors()}
    assert "600 111" not in str(refused.value)


def test_a_policy_is_read_from_the_words_of_a_line_file() -> None:
    text = """
    outside_number: "+34600111222"
    thresholds: {danger: 0.7}
    thresholds_by_language: {hi: {danger: 0.6}}
    levels:
      emergency:
        page: at_once
        acknowledge: 120
        people_for_life: 2
        last_resort_every: 60
        repeat: 1
        steps:
          - {who: next, wait: 45, methods: [sms, voice]}
          - {who: everyone, wait: 60}
          - {who: outside, wait: 60}
    """
    policy = TriagePolicy.model_validate(yaml.safe_load(text))
    assert policy.of(Level.EMERGENCY).target == 120
    assert policy.thresholds_for("hi").danger == 0.6
    assert policy.thresholds_for("fr").danger == policy.thresholds_for(None).danger == 0.7
    assert policy.of(Level.HIGH) == POLICY.of(Level.HIGH)
    assert "+34600111222" not in repr(policy)


def test_measured_thresholds_stand_until_a_line_says_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """By language and letters: the line's own table, then what the line says of all, then what was measured."""
    measured = {"hi": Thresholds(danger=0.2), "hi-Latn": Thresholds(danger=0.15)}
    monkeypatch.setattr("triage.policy.MEASURED", measured)
    silent = TriagePolicy()
    assert silent.thresholds_for("hi").danger == 0.2
    assert silent.thresholds_for("hi", romanised=True).danger == 0.15
    assert silent.thresholds_for("xx", romanised=True).danger == silent.thresholds_for(None).danger == 0.3
    of_all = TriagePolicy(thresholds=Thresholds(danger=0.5))
    assert of_all.thresholds_for("hi").danger == 0.5
    of_one = TriagePolicy(thresholds_by_language={"hi": Thresholds(danger=0.4)})
    assert of_one.thresholds_for("hi", romanised=True).danger == 0.4
    assert of_one.thresholds_for("ar").danger == 0.3
    apart = TriagePolicy(thresholds_by_language={"hi": Thresholds(danger=0.4), "hi-Latn": Thresholds(danger=0.25)})
    assert apart.thresholds_for("hi", romanised=True).danger == 0.25


def test_every_measured_threshold_is_within_the_bounds_of_its_training_and_in_order() -> None:
    assert set(MEASURED) >= {"en", "es", "fr", "ar", "ar-Latn", "hi", "hi-Latn", "zh"}
    for limits in MEASURED.values():
        assert LOWEST <= limits.danger <= HIGHEST
        assert limits.near_danger <= limits.danger


def test_a_threshold_is_the_lowest_at_which_one_in_ten_of_the_others_pages_drawn_to_that_of_all() -> None:
    others = np.linspace(0.0, 0.3, 400)
    scores = np.concatenate([others, np.full(40, 0.9), others / 4, np.full(40, 0.9), [0.9, 0.1]])
    fires = np.array([False] * 400 + [True] * 40 + [False] * 400 + [True] * 40 + [True, False])
    varieties = ["aa"] * 440 + ["bb"] * 440 + ["cc"] * 2
    found = chosen(scores, fires, varieties)
    assert list(found) == ["aa", "bb"]  # two messages of cc tell nothing
    everywhere = threshold(scores, fires, 0.10)
    assert threshold(others, np.zeros(400, bool), 0.10) == pytest.approx(0.27, abs=0.01)
    assert everywhere < found["aa"] <= HIGHEST
    assert LOWEST <= found["bb"] < everywhere
    assert yaml.safe_load(as_yaml({"no": 0.2, "hi-Latn": 0.15})) == {"danger": {"no": 0.2, "hi-Latn": 0.15}}


@pytest.mark.parametrize("level", list(Level))
def test_a_level_is_found_by_its_word(level: Level) -> None:
    assert Level.of(level.word) is level
    with pytest.raises(ValueError, match="use one of"):
        Level.of("urgent")
