"""What holds of a line's flow and words, each with its numbers and, where it does not hold, what to do about it.

The checks themselves are in checks.py, proofs.py, phrases.py, discreet.py and budgets.py; here they are put together
for `harborline flows check`, for doctor and for docs/flows.md. Nothing is read or changed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dialogs.budgets import FIRST, MOST, USUAL, Segments, answer_costs, over_budget, question_costs, share
from dialogs.checks import check_phrases, entries, phrases_of
from dialogs.discreet import DELIBERATE, gives_away
from dialogs.flow import Flow
from dialogs.line import LineFacts
from dialogs.phrases import Phrases, telling_phrases, too_long
from dialogs.proofs import Played, count_walks, play_all

# Carriers answer these themselves, or stop the line for this person: Twilio's default opt-out, opt-in and help words.
RESERVED: Final = frozenset("STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT START YES UNSTOP HELP INFO".split())
_CAPITALS: Final = re.compile(r"(?<![^\W_])[A-Z]{3,}(?![^\W_])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that must hold. `problems` are empty when it does; `notes` say what was allowed on purpose."""

    what: str
    shown: str
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def judge(
    flow: Flow, phrases: Phrases, line: LineFacts, segments: Segments, cover_at: str = "line.yml:1:1"
) -> tuple[Finding, ...]:
    """Everything that is promised of a flow that could be loaded.

    `segments` counts those of an SMS; `cover_at` is the place of the line's cover in its line.yml.
    """
    played = play_all(flow, line)
    return (
        *_map(flow),
        *_play(flow, played),
        *_words(flow, phrases),
        *_sms(flow, phrases, line, segments, played),
        _discreet(flow, phrases, line, cover_at),
    )


def _map(flow: Flow) -> Iterator[Finding]:
    """Loading has refused whatever breaks these; here they are counted."""
    walks, asking = count_walks(flow), [step for step in flow.steps.values() if step.asks]
    yield Finding(
        what="every step can be reached",
        shown=f"{walks.steps} steps, {walks.answers} answers that lead from one to another or to an end",
    )
    yield Finding(
        what="every path ends",
        shown=f"{walks.walks:,} walks from {len(entries(flow))} entrances, told apart by their answers, that come to "
        f"no step twice ({walks.ways:,} by the steps alone); each comes to an end, the longest over {walks.longest} "
        "steps, and every step they could turn back to has a way out",
    )
    yield Finding(
        what="every question can be skipped, and answered in words",
        shown=f"{len(asking)} questions, at most {max(len(step.choices) for step in asking)} choices each",
    )


def _play(flow: Flow, played: Played) -> Iterator[Finding]:
    yield Finding(
        what="every answer is answered",
        shown=f"the engine played {played.turns:,} answers in {played.situations:,} situations, at {played.steps} "
        "steps: words, every key and choice, digits, a picture, silence, hanging up; each got a question or an end",
        problems=(
            *(
                f"{flow.where(step)}: {event} is met by silence here: lead on to a question"
                for step, event in played.silent
            ),
            *(f"{flow.where(step)}: no play comes to `{step}`: lead there, or remove it" for step in played.unvisited),
        ),
    )
    yield Finding(
        what="whoever only skips comes to an end",
        shown=f"after {played.most_skips} skips at most, from anywhere",
        problems=tuple(f"{flow.where(step)}: skipping from `{step}` does not come to an end" for step in played.stuck),
    )


def _words(flow: Flow, phrases: Phrases) -> Iterator[Finding]:
    named, texts = phrases_of(flow), sum(1 for _ in _texts(phrases))
    yield Finding(
        what="every phrase is there in every language, plain and discreet",
        shown=f"{len(named)} phrases of the flow and {len(phrases.keys - set(named))} others in "
        f"{len(phrases.languages)} languages ({', '.join(phrases.languages)}): {texts:,} texts",
        problems=tuple(check_phrases(flow, phrases.keys)),
    )
    keys = len(flow.main.keys) + sum(len(step.choices) for step in flow.steps.values())
    yield Finding(
        what="no reserved word of a carrier is needed",
        shown=f"{keys} choices and keys are one digit or the star; no text asks for one of {len(RESERVED)} such words",
        problems=tuple(
            f"{place}: `{key}` says {word}, which a carrier answers itself: ask for a digit"
            for place, key, text in _texts(phrases)
            for word in sorted(set(_CAPITALS.findall(text)) & RESERVED)
        ),
    )


def _texts(phrases: Phrases) -> Iterator[tuple[str, str, str]]:
    """Every text with its place and key."""
    for tag in phrases.languages:
        for key, phrase in phrases.catalogue[tag].items():
            yield phrase.at, key, phrase.plain
            if phrase.discreet:
                yield phrase.twin_at, key, phrase.discreet


def _sms(flow: Flow, phrases: Phrases, line: LineFacts, segments: Segments, played: Played) -> Iterator[Finding]:
    asked = question_costs(flow, phrases, line, segments)
    whole = answer_costs(played.said, flow, phrases, line, segments)
    yield Finding(
        what="SMS budgets are kept",
        shown=f"the question whether it is safe is {FIRST} segment in every language and both modes, every other "
        f"question at most {USUAL} with its choices, {MOST} with what is said before it; "
        f"{share(asked, 1)} of {len(asked):,} questions are one segment; of {len(whole):,} whole answers "
        f"{share(whole, 1)} are one, {share(whole, USUAL)} at most two, {share(whole, MOST)} at most three, "
        f"the longest {max(cost.segments for cost in whole)}",
        problems=(*too_long(phrases, segments), *over_budget(flow, phrases, line, segments)),
    )


def _discreet(flow: Flow, phrases: Phrases, line: LineFacts, cover_at: str) -> Finding:
    twins = sum(1 for tag in phrases.languages for phrase in phrases.catalogue[tag].values() if phrase.discreet)
    words = sum(len(each.words) + len(each.whole) for each in phrases.sensitive.values())
    return Finding(
        what="no discreet text gives the line away",
        shown=f"{twins:,} discreet texts hold none of {words:,} sensitive words, no name of the line and no number",
        problems=(*telling_phrases(phrases), *_parked(flow, phrases), *_cover(line, phrases, cover_at)),
        notes=tuple(f"allowed on purpose: `{d.phrase}` holds {{{d.holds}}}: {d.reason}" for d in DELIBERATE),
    )


def _parked(flow: Flow, phrases: Phrases) -> Iterator[str]:
    """The sentence for somebody who cannot talk now: they may have chosen plain words before somebody came in."""
    key = flow.main.parked
    for tag, catalogue in phrases.catalogue.items():
        if key in catalogue:
            for word in gives_away(catalogue[key].plain, phrases.sensitive[tag], phrases.locales[tag].script):
                yield f"{catalogue[key].at}: `{key}` says `{word}`: it must be harmless in both modes"


_NAME_WORD: Final = 4  # letters: a shorter word of the line's name is in too many ordinary ones


def _cover(line: LineFacts, phrases: Phrases, place: str) -> list[str]:
    """What in the line's own cover gives it away: a sensitive word of any of its languages, or a word of its name."""
    found = {
        word
        for tag, sensitive in phrases.sensitive.items()
        for word in gives_away(line.cover, sensitive, phrases.locales[tag].script if tag in phrases.locales else "Latn")
    }
    names = {word.casefold() for word in re.findall(r"\w+", line.name) if len(word) >= _NAME_WORD}
    found |= names & {word.casefold() for word in re.findall(r"\w+", line.cover)}
    return [f"{place}: `cover` says `{word}`: choose a name that tells nothing" for word in sorted(found)]
