"""How bad a report is: rules over answers and signs first, then the model, which may raise and never lower.

Pure and total: every meaning, also an absurd one, gets an assessment. A level never goes down by itself; only a
human may lower it. Tables are in rules.py, numbers in policy.py.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from math import isfinite

from triage.levels import Assessment, Level, Reason
from triage.policy import Thresholds, TriagePolicy
from triage.rules import (
    ANSWERS,
    COMBINATIONS,
    EXPECTED_TO_REPEAT,
    INTENTS,
    RULES,
    SIGNALS,
    UNREAD_RULES,
)
from understanding.meaning import Evidence, Intent, Meaning

_NOTHING_YET = Assessment(level=Level.INFORMATION)


def assess(
    meaning: Meaning | None,
    answers: Mapping[str, str],
    previous: Assessment | None,
    policy: TriagePolicy,
    *,
    alerts: Collection[str] = (),
) -> Assessment:
    """The assessment of a report after one more message.

    `meaning`: of the words that just came, None when none came (a key press, silence). A meaning that nobody read
    is urgent until a human has read it. `answers`: choice ids by step, all so far. `previous`: what this function
    returned last time for the same report. `alerts`: reasons of the flow's own alerts; one that no rule knows is
    an emergency.
    """
    before = previous or _NOTHING_YET
    seen = {reason.rule: reason for reason in before.reasons}
    for reason in (*_from_answers(answers), *_from_alerts(alerts)):
        seen.setdefault(reason.rule, reason)
    for reason in _from_meaning(meaning, policy):
        seen[reason.rule] = _again(seen.get(reason.rule), reason)
    for reason in _from_all(seen, policy):
        seen[reason.rule] = reason
    reasons = tuple(sorted(seen.values(), key=lambda r: -r.level))
    return Assessment(
        level=max([before.level, *(r.level for r in reasons)]),
        reasons=reasons,
        life_at_risk=before.life_at_risk or any(r.rule in RULES and RULES[r.rule].life for r in reasons),
        unread=before.unread or (meaning is not None and _unread_rule(meaning, policy) is not None),
    )


def mark_read(assessment: Assessment) -> Assessment:
    """A human, or an engine that came late, has read everything so far. The level stays."""
    return replace(assessment, unread=False)


def _reason(rule: str, words: str) -> Reason:
    return Reason(rule=rule, level=RULES[rule].level, words=words)


def _again(old: Reason | None, new: Reason) -> Reason:
    """The same rule in one more message; the newest words win, if there are any."""
    if old is None:
        return new
    return Reason(rule=new.rule, level=max(old.level, new.level), words=new.words or old.words, times=old.times + 1)


def _from_answers(answers: Mapping[str, str]) -> Iterator[Reason]:
    for step, choice in answers.items():
        rule = ANSWERS.get((step, choice))
        if rule is not None:
            yield _reason(rule, f"{step}: {choice}")


def _from_alerts(alerts: Collection[str]) -> Iterator[Reason]:
    for name in alerts:
        yield _reason(name, "") if name in RULES else _reason("flow_alert", name)


def _from_meaning(meaning: Meaning | None, policy: TriagePolicy) -> Iterator[Reason]:
    """Each rule at most once, so that `times` counts messages."""
    if meaning is None:
        return
    limits = policy.thresholds_for(meaning.language, romanised=meaning.transliterated)
    unread = _unread_rule(meaning, policy)
    if unread is not None:
        yield _reason(unread, "")
    signals = {e.signal: e for e in sorted(meaning.signals, key=lambda e: bool(e.words)) if e.score >= limits.signal}
    for evidence in signals.values():
        yield _signal_reason(evidence, meaning, limits)
    scored = [_reason(rule, "") for rule in _score_rules(meaning, limits)]
    intent = _intent_rule(meaning, limits)
    if intent is not None and not (intent == INTENTS[Intent.UNKNOWN] and (signals or scored)):
        yield _reason(intent, "")
    yield from scored


def _signal_reason(evidence: Evidence, meaning: Meaning, limits: Thresholds) -> Reason:
    """The rule of one signal. A sign of danger that nothing else supports is high, not yet an emergency; one without
    words, seen by the model alone while it sees no danger, is a sign like any other."""
    reason = _reason(SIGNALS[evidence.signal], evidence.words)
    if meaning.danger >= limits.near_danger or (evidence.words and evidence.score >= limits.sure_signal):
        return reason
    return replace(reason, level=min(reason.level, Level.HIGH if evidence.words else Level.STANDARD))


def _score_rules(meaning: Meaning, limits: Thresholds) -> Iterator[str]:
    if meaning.danger >= limits.danger:
        yield "model_danger"
    elif meaning.danger >= limits.near_danger:
        yield "model_near_danger"
    if meaning.concern >= limits.concern:
        yield "model_concern"


def _intent_rule(meaning: Meaning, limits: Thresholds) -> str | None:
    if not meaning.read:
        return None
    sure = meaning.confidence >= limits.understood
    return INTENTS[meaning.intent if sure else Intent.UNKNOWN]


def _unread_rule(meaning: Meaning, policy: TriagePolicy) -> str | None:
    """Why nobody can be said to have understood this message, if so."""
    scores = (meaning.danger, meaning.concern, meaning.confidence, *(e.score for e in meaning.signals))
    if not meaning.read or not all(isfinite(score) for score in scores):
        return "not_read"
    limits = policy.thresholds_for(meaning.language, romanised=meaning.transliterated)
    if meaning.language is None and _intent_rule(meaning, limits) == INTENTS[Intent.UNKNOWN]:
        return "language_unknown"
    return None


def _from_all(seen: Mapping[str, Reason], policy: TriagePolicy) -> list[Reason]:
    """What follows from everything seen so far, in this message and in those before it."""
    found = [_reason(rule, ", ".join(sorted(parts))) for parts, rule in COMBINATIONS if parts <= seen.keys()]
    signs = sorted(name for name in seen if name in RULES and RULES[name].weight)
    if sum(RULES[name].weight for name in signs) >= policy.weak_signs:
        found.append(_reason("weak_signs", ", ".join(signs)))
    often = sorted(
        r.rule for r in seen.values() if r.times >= policy.repeats and r.rule not in EXPECTED_TO_REPEAT | UNREAD_RULES
    )
    if often:
        found.append(_reason("repeated", ", ".join(often)))
    if "model_near_danger" in often:
        found.append(_reason("danger_repeated", ""))
    return found
