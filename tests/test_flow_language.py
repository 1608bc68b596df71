"""Flows and other files that people write: mistakes are found before anybody talks to the line, and named by place."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from dialogs.checks import FLOWS, check_phrases, edges, load_flow, phrases_of
from dialogs.flow import Flow, Kind, resolve
from dialogs.marked import BadFile, load, read
from dialogs.verdict import RESERVED


class Clerk(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    on: str = ""
    age: int = 0
    awake: bool = False
    days: tuple[str, ...] = ()


class Office(BaseModel):
    model_config = ConfigDict(extra="forbid")

    country: str
    clerks: tuple[Clerk, ...] = ()


# Reading with places ----------------------------------------------------------------------------------------------


def test_norway_stays_a_country_and_a_time_stays_a_text() -> None:
    office = load("country: no\nclerks:\n  - {name: yes, on: 08:30, age: 012, awake: true}\n", "o.yml", Office)
    assert (office.country, office.clerks[0].name, office.clerks[0].on) == ("no", "yes", "08:30")
    assert (office.clerks[0].age, office.clerks[0].awake) == (12, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("countri: NO\n", ["o.yml:1:1: `countri` is not a setting here", "o.yml:1:1: add `country`"]),
        ("country: NO\nclerks:\n  - nam: Ada\n", ["o.yml:3:5: `nam` is not a setting", "o.yml:3:5: add `name`"]),
        ("country: NO\nclerks:\n  - {name: Ada, age: old}\n", ["o.yml:3:17: `age` must be a whole number"]),
        ("country: NO\nclerks:\n  - {name: Ada, awake: maybe}\n", ["o.yml:3:17: `awake` must be true or false"]),
        ("country: NO\nclerks:\n  - {name: Ada, days: monday}\n", ["o.yml:3:17: `days` must be a list"]),
        ("country: [a, b]\n", ["o.yml:1:1: `country` must be one text"]),
        ("country: NO\ncountry: SE\n", ["o.yml:2:1: `country` is written twice: keep one"]),
        ("country: NO\nclerks: [\n", ["o.yml:3:1: correct the YAML here"]),
        ("? [a]\n: b\n", ["o.yml:1:3: use a plain word as the name of a setting"]),
        ("country: &c [*c]\n", ["o.yml:1:10: write this out"]),
        ("", ["o.yml:1:1: the file is empty"]),
        ("country: \x00\n", ["o.yml:1:1: save the file as UTF-8 text"]),
        ("- a\n", ["o.yml:1:1: `the file` must hold settings"]),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_remedy(text: str, said: list[str]) -> None:
    with pytest.raises(BadFile) as bad:
        load(text, "o.yml", Office)
    assert len(bad.value.problems) == len(said), bad.value.problems
    for sentence in said:
        assert any(problem.startswith(sentence) for problem in bad.value.problems), bad.value.problems


def test_a_rejected_value_is_not_repeated_in_the_error() -> None:
    with pytest.raises(BadFile) as bad:
        load("country: NO\nclerks:\n  - {name: Ada, age: hunter2}\n", "o.yml", Office)
    assert "hunter2" not in str(bad.value)


def test_a_part_without_a_place_is_found_at_the_part_around_it() -> None:
    marked = read("country: NO\nclerks:\n  - name: Ada\n", "o.yml", Office)
    assert marked.where(("clerks", 0, "age")) == "o.yml:3:5"
    assert marked.where(("clerks", 7)) == "o.yml:2:1"


# The flow language ------------------------------------------------------------------------------------------------

MAIN = """\
start: safe
returns: safe
after: safe
danger: safe
ways: way
fallback_way: report
language: language
code: code
parked: later
shared: heard
silence: [again]
away_hours: 3
include: [more]
keys:
  - {id: later, key: "7", do: park}
  - {id: language, key: "8", do: go, to: language}
steps:
  safe:
    choices:
      - {id: "yes", key: "1", label: yes_label, next: language}
    words: language
    skip: language
  language:
    kind: languages
    next: resume or way
    words: resume or way
    skip: resume or way
  way:
    choices:
      - {id: report, key: "1", label: report_label, next: what}
    words: what
    skip: what
"""
MORE = """\
steps:
  what:
    words: code
    skip: code
  code:
    kind: code
    again: not_opened
    found: filed
    lost: filed
    words: filed
    skip: filed
  filed:
    kind: passage
    file: true
    say: [thanks]
    next: end
"""


def write(folder: Path, main: str = MAIN, more: str = MORE) -> Path:
    (folder / "intake.yml").write_text(main, "utf-8")
    (folder / "more.yml").write_text(more, "utf-8")
    return folder


def problems_of(folder: Path) -> tuple[str, ...]:
    with pytest.raises(BadFile) as bad:
        load_flow("intake", folder)
    return bad.value.problems


def test_a_small_flow_is_accepted(tmp_path: Path) -> None:
    flow = load_flow("intake", write(tmp_path))
    assert set(flow.steps) == {"safe", "language", "way", "what", "code", "filed"}
    assert flow.where("what", "skip") == "more.yml:4:5"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("words: code", "words: cod", "more.yml:3:5: there is no step `cod`"),
        ("    skip: code\n", "", "more.yml:2:3: `what` is a question and needs `skip` (every question can be skipped)"),
        ("    next: end\n", "", "more.yml:12:3: `filed` is a passage and needs `next`"),
        ("    again: not_opened\n", "", "more.yml:5:3: `code` is a code and needs `again`"),
        ("  filed:\n", "  lost.step:\n    kind: passage\n    next: end\n  filed:\n", "more.yml:12:3: nothing leads to"),
        ("next: end", "next: what", "more.yml:2:3: no answer to `what` ever leads to an end"),
        ("    skip: filed\n", "    skip: what\n", "skipping from `what` goes round in a circle"),
        ("kind: passage", "kind: passing", "more.yml:13:5: `kind` must be 'question', 'passage'"),
        ("say: [thanks]", "says: [thanks]", "more.yml:15:5: `says` is not a setting here"),
        ("  what:\n", "  way:\n    words: code\n    skip: code\n  what:\n", "more.yml:2:3: `way` is also a step of"),
    ],
)
def test_a_flow_that_does_not_hold_together_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = problems_of(write(tmp_path, more=MORE.replace(old, new, 1)))
    assert any(said in problem for problem in found), found


CHOICE = '      - {id: report, key: "1", label: report_label, next: what}\n'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("danger: safe", "danger: nowhere", "intake.yml:4:1: there is no step `nowhere`"),
        ("include: [more]", "include: [more, most]", "intake.yml:13:17: write most.yml in"),
        ("fallback_way: report", "fallback_way: tell", "intake.yml:6:1: `way` has no choice `tell`"),
        ("code: code", "code: what", "intake.yml:8:1: `what` must be a step of kind code"),
        ("do: park}", "do: go}", "intake.yml:15:5: a key that goes needs `to`"),
        ('key: "1", label: report', 'key: "7", label: report', "7 works at every step: use another digit"),
        ('key: "1", label: report', "key: STOP, label: report", "`key`: String should match pattern"),
        (CHOICE, CHOICE * 2, "`report` is used twice in this step"),
        (CHOICE, "".join(CHOICE.replace("1", str(n)).replace("report,", f"r{n},") for n in range(1, 6)), "at most 4"),
        ("kind: languages", "kind: languages\n    choices: []\n    unless: bored", "`unless` must be 'told'"),
        ("next: resume or way", "next: resume way", "`next`: String should match pattern"),
    ],
)
def test_a_main_file_that_misleads_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = problems_of(write(tmp_path, main=MAIN.replace(old, new, 1)))
    assert any(said in problem for problem in found), found


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    found = problems_of(
        write(tmp_path, more=MORE.replace("words: code", "words: cod").replace("found: filed", "found: fil"))
    )
    assert len(found) == 2


def test_a_flow_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert problems_of(tmp_path)[0].startswith("intake.yml:1:1: write intake.yml in")


def test_a_phrase_that_nobody_wrote_is_found_with_the_place_that_asks_for_it(tmp_path: Path) -> None:
    flow = load_flow("intake", write(tmp_path))
    known = set(phrases_of(flow)) - {"thanks"}
    assert check_phrases(flow, known) == [
        "more.yml:15:5: there is no phrase `thanks`: add it to locales/*/messages.po or correct the key"
    ]


def test_resuming_goes_to_what_was_interrupted_last() -> None:
    assert resolve("resume or way", ("safe", "what")) == ("what", ("safe",))
    assert resolve("resume or way", ()) == ("way", ())
    assert resolve("what", ("safe",)) == ("what", ("safe",))


# The flow that ships ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def intake() -> Flow:
    return load_flow()


def test_the_intake_flow_holds_together(intake: Flow) -> None:
    assert intake.main.start == "safe"
    assert {path.stem for path in FLOWS.glob("*.yml")} == {"intake", *intake.main.include}


def test_no_reserved_carrier_word_is_ever_needed(intake: Flow) -> None:
    """Twilio answers these itself or opts the person out: every key is a digit, or the star of a keypad."""
    keys = {choice.key for step in intake.steps.values() for choice in step.choices} | {k.key for k in intake.main.keys}
    assert all(re.fullmatch(r"[0-9*]", key) for key in keys)
    assert not keys & {word.casefold() for word in RESERVED}


def test_every_question_can_be_skipped(intake: Flow) -> None:
    assert all(step.skip for step in intake.steps.values() if step.asks)


def test_free_text_is_welcome_at_every_question(intake: Flow) -> None:
    words = {Kind.NEW_WORD, Kind.WORD}  # whatever is said there is the answer
    assert all(step.words or step.kind in words for step in intake.steps.values() if step.asks)


def test_danger_is_reached_in_one_step_and_needs_no_form(intake: Flow) -> None:
    danger = intake.steps[intake.main.danger]
    assert (danger.kind, danger.alert, danger.file, danger.say) == (Kind.PASSAGE, "danger", True, ("danger.number",))
    assert edges(intake, intake.main.danger) == {"danger.safe"}
