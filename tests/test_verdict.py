"""`harborline flows check`, broken in each way: what does not hold is found, and named with its place and a remedy."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from channels.segments import fold, segments
from dialogs.checks import load_flow, phrases_of
from dialogs.conversation import Mode
from dialogs.line import LineFacts
from dialogs.marked import BadFile
from dialogs.phrases import LOCALES, load_phrases
from dialogs.rehearsal import rehearsal_line
from dialogs.verdict import RESERVED, Finding, judge
from tests.test_flow_language import MAIN, MORE, write

SKIPPED = MAIN.replace("steps:\n", '  - {id: skip, key: "9", do: skip}\nsteps:\n', 1)
TEXTS = {
    "safe": "{line}: is it a good moment?",
    "later": "We will talk another time.",
    "not_opened": "Try it again.",
    "report_label": "Something",
}


def cost(text: str) -> int:
    return segments(fold(text)).segments


def catalogue(folder: Path, keys: Mapping[str, str], change: Mapping[tuple[str, Mode], str]) -> Path:
    """English words for these phrases, all harmless but for a change."""
    shutil.copytree(LOCALES / "en", folder / "en", ignore=shutil.ignore_patterns("*.po", "nlu.yml"))
    entries = []
    for key in sorted({*keys, "label.more", "voice.press", "staff.answer"}):
        for mode in Mode:
            words = change.get((key, mode), TEXTS.get(key, f"A word on {key.replace('_', ' ')}."))
            words = words if mode is Mode.PLAIN else words.replace("{line}", "{cover}")
            context = "" if mode is Mode.PLAIN else 'msgctxt "discreet"\n'
            entries.append(f'{context}msgid "{key}"\nmsgstr "{words}"\n')
    (folder / "en" / "messages.po").write_text("\n".join(entries), "utf-8")
    return folder


def findings(
    folder: Path,
    change: Mapping[tuple[str, Mode], str] | None = None,
    *,
    cover: str = "Corner Shop",
    main: str = SKIPPED,
) -> dict[str, Finding]:
    """All that is said of the small flow, by what must hold."""
    flow = load_flow("intake", write(folder, main))
    phrases = load_phrases(catalogue(folder / "locales", phrases_of(flow), change or {}), ["en"])
    line: LineFacts = replace(rehearsal_line(phrases, "en", "sms"), cover=cover)
    return {found.what: found for found in judge(flow, phrases, line, cost, "line.yml:2:8")}


def problems(found: Mapping[str, Finding]) -> dict[str, tuple[str, ...]]:
    return {what: finding.problems for what, finding in found.items() if finding.problems}


def test_a_flow_in_which_everything_holds_is_well(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert problems(found) == {}
    assert "6 steps" in found["every step can be reached"].shown
    assert {
        "every path ends",
        "every question can be skipped, and answered in words",
        "every answer is answered",
        "whoever only skips comes to an end",
        "every phrase is there in every language, plain and discreet",
        "no reserved word of a carrier is needed",
        "SMS budgets are kept",
        "no discreet text gives the line away",
    } < set(found)


def test_without_a_key_that_skips_nobody_comes_to_an_end_by_skipping(tmp_path: Path) -> None:
    assert set(problems(findings(tmp_path, main=MAIN))) == {"whoever only skips comes to an end"}


LONG = "We would like to know whether this is a good moment for you to talk with us. " * 3


@pytest.mark.parametrize(
    ("key", "mode", "words", "what", "said"),
    [
        ("safe", Mode.PLAIN, "{line}: " + LONG, "SMS budgets are kept", "at most 1 fit"),
        ("safe", Mode.DISCREET, "{line}: " + LONG, "SMS budgets are kept", "(discreet)"),
        ("what", Mode.PLAIN, LONG * 2, "SMS budgets are kept", "at most 2 fit"),
        ("thanks", Mode.DISCREET, "We read your report.", "no discreet text gives the line away", "says `report`"),
        ("later", Mode.PLAIN, "The hotline is there.", "no discreet text gives the line away", "both modes"),
        *(
            ("thanks", mode, f"Write {word} now.", "no reserved word of a carrier is needed", f"says {word}")
            for word in sorted(RESERVED)
            for mode in Mode
            if (word, mode) != ("HELP", Mode.DISCREET)  # which gives the line away as well
        ),
    ],
)
def test_words_that_break_a_promise_are_found_where_they_stand(  # noqa: PLR0917 - one broken text each
    tmp_path: Path, key: str, mode: Mode, words: str, what: str, said: str
) -> None:
    found = problems(findings(tmp_path, {(key, mode): words}))
    named = found.pop(what)
    assert any(said in problem for problem in named), named
    assert all("messages.po:" in problem for problem in named), "with the place of the words"
    assert found == {}, "and nothing else is blamed"


def test_a_cover_that_tells_is_found_in_line_yml(tmp_path: Path) -> None:
    (told,) = problems(findings(tmp_path, cover="Trafficking Help")).values()
    assert all(problem.startswith("line.yml:2:8: `cover` says") for problem in told)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    skip: code\n", "", "needs `skip`"),  # a question without a way past it
        ("next: end", "next: what", "ever leads to an end"),  # a path without an end
        ("  filed:\n", "  lost.step:\n    kind: passage\n    next: end\n  filed:\n", "nothing leads to"),
        ("words: code", "words: cod", "there is no step `cod`"),
    ],
)
def test_a_flow_that_breaks_a_promise_does_not_even_load(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(BadFile) as bad:
        load_flow("intake", write(tmp_path, more=MORE.replace(old, new, 1)))
    assert any(said in problem and problem.startswith("more.yml:") for problem in bad.value.problems)


def test_a_phrase_that_is_missing_in_one_mode_is_refused(tmp_path: Path) -> None:
    flow = load_flow("intake", write(tmp_path))
    folder = catalogue(tmp_path / "locales", phrases_of(flow), {})
    path = folder / "en" / "messages.po"
    whole = path.read_text("utf-8")
    twin = 'msgctxt "discreet"\nmsgid "thanks"\nmsgstr "A word on thanks."\n'
    assert twin in whole
    path.write_text(whole.replace(twin, ""), "utf-8")
    with pytest.raises(BadFile, match="`thanks` needs a discreet twin"):
        load_phrases(folder, ["en"])
