"""line.yml: what an officer wrote is what the line does, and every mistake is named where it stands."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from bot.line import Line, read_line
from dialogs.conversation import Mode
from dialogs.lexicon import SILENT
from dialogs.marked import BadFile
from triage.levels import Level
from triage.policy import When
from triage.rota import Responder, on_duty

GOOD = """\
name: Harbor House
cover: Corner Laundry
languages: [en, es, ar]
default_language: es
country: US
emergency_number: "911"
numbers:
  sms: "+12025550100"
  voice: "+12025550101"
  telegram: harbor_house_bot
mode: discreet
time_zone: Europe/Madrid
idle_minutes: 20
on_call:
  - members: [Amina, bilal, Nobody]
    start: 2026-01-05
    handover: "08:30"
    days: 7
    time_zone: America/New_York
  - {members: [Nobody], start: 2026-01-05}
triage:
  outside_number: "+12025550190"
  method_wait: 4
  slow_factor: 1.5
  thresholds: {danger: 0.75, near_danger: 0.5}
  levels:
    emergency:
      page: at_once
      acknowledge: 180
      people_for_life: 2
      steps:
        - {who: next, wait: 60}
        - {who: outside, wait: 60, methods: [voice]}
      last_resort_every: 120
"""
NUMBER = "12025550"


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Line]:
    """Read this text as line.yml."""

    def reads(text: str) -> Line:
        (tmp_path / "line.yml").write_text(text, encoding="utf-8")
        return read_line(tmp_path / "line.yml")

    return reads


def test_a_whole_line_is_read_as_it_was_written(read: Callable[[str], Line]) -> None:
    line = read(GOOD)
    assert (line.name, line.cover, line.languages, line.default_language) == (
        "Harbor House",
        "Corner Laundry",
        ("en", "es", "ar"),
        "es",
    )
    assert (line.numbers.sms, line.numbers.telegram) == ("+12025550100", "harbor_house_bot")
    assert (line.mode, line.time_zone, line.idle_minutes) == (Mode.DISCREET, "Europe/Madrid", 20)
    assert line.triage.outside_number == "+12025550190"
    assert (line.triage.method_wait, line.triage.slow_factor, line.triage.thresholds.danger) == (4, 1.5, 0.75)
    emergency = line.triage.of(Level.EMERGENCY)
    assert (emergency.page, emergency.acknowledge, emergency.people_for_life) == (When.AT_ONCE, 180, 2)
    assert [(step.who.value, step.wait) for step in emergency.steps] == [("next", 60), ("outside", 60)]
    assert line.triage.of(Level.HIGH).page is When.IN_HOURS  # what is not written keeps its default


def test_a_line_needs_little(read: Callable[[str], Line]) -> None:
    line = read('name: L\nlanguages: [no]\ndefault_language: no\ncountry: NO\nemergency_number: "112"\n')
    assert line.languages == ("no",)  # a language, not a refusal
    assert (line.mode, line.time_zone, line.cover, line.numbers.sms) == (Mode.PLAIN, "UTC", "Corner Laundry", "")


def test_conversations_know_of_the_line_what_they_need(read: Callable[[str], Line]) -> None:
    facts = read(GOOD).facts(SILENT)
    assert facts.values == {"line": "Harbor House", "cover": "Corner Laundry", "emergency": "911"}
    assert (facts.languages, facts.default_language, facts.mode) == (("en", "es", "ar"), "es", Mode.DISCREET)


def test_the_calendar_is_read_over_the_people_there_are(read: Callable[[str], Line]) -> None:
    people = (Responder(id="1", name="amina"), Responder(id="2", name="BILAL"), Responder(id="3", name="Carla"))
    rota = read(GOOD).standing.rota(people)
    (layer,) = rota.layers  # a layer of people who are not enrolled is no layer
    assert (layer.members, layer.start, layer.handover) == (("1", "2"), date(2026, 1, 5), time(8, 30))
    assert on_duty(rota, datetime(2026, 1, 12, 13, 29, tzinfo=UTC)) == ("1",)
    assert on_duty(rota, datetime(2026, 1, 12, 13, 30, tzinfo=UTC)) == ("2",)  # half past eight in New York
    assert on_duty(read(GOOD).standing.rota(people[2:]), datetime(2026, 1, 12, tzinfo=UTC)) == ("3",)


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("name: Harbor House", 'name: ""', "1:1", "`name`"),
        ("name: Harbor House", f"name: {'x' * 41}", "1:1", "`name`"),
        ("name: Harbor House\n", "", "1:1", "add `name`"),
        ("[en, es, ar]", "en", "3:1", "must be a list"),
        ("[en, es, ar]", "[]", "3:1", "`languages`"),
        ("[en, es, ar]", "[en, English, es]", "3:17", "`languages`"),
        ("default_language: es", "default_language: fr", "1:1", "default_language must be one of languages"),
        ("country: US", "country: USA", "5:1", "`country`"),
        ('"911"', '"+1911"', "6:1", "`emergency_number`"),
        ('"+12025550100"', f'"00{NUMBER}100"', "8:3", "`sms`"),
        ('"+12025550101"', f'"+1 {NUMBER}"', "9:3", "`voice`"),
        ("harbor_house_bot", '"@harbor"', "10:3", "`telegram`"),
        ("mode: discreet", "mode: hidden", "11:1", "`mode`"),
        ("Europe/Madrid", "Europe/Madird", "12:1", "no time zone has this name"),
        ("Europe/Madrid", "Europe", "12:1", "no time zone has this name"),
        ("Europe/Madrid", "../etc/passwd", "12:1", "no time zone has this name"),
        ("idle_minutes: 20", "idle_minutes: 0", "13:1", "`idle_minutes`"),
        ("idle_minutes: 20", "idle_minutes: soon", "13:1", "`idle_minutes`"),
        ("[Amina, bilal, Nobody]", "[]", "15:5", "`members`"),
        ("start: 2026-01-05\n", "start: monday\n", "16:5", "`start`"),
        ('"08:30"', '"25:30"', "17:5", "`handover`"),
        ("days: 7", "days: 0", "18:5", "`days`"),
        ("America/New_York", "New York", "19:5", "no time zone has this name"),
        ('"+12025550190"', f'"{NUMBER}190"', "22:3", "`outside_number`"),
        ("method_wait: 4", "method_wait: 0", "23:3", "`method_wait`"),
        ("method_wait: 4", "method_wait: soon", "23:3", "`method_wait`"),
        ("method_wait: 4", "method_wait: true", "23:3", "`method_wait`"),
        ("method_wait: 4", "method_wiat: 4", "23:3", "not a setting here"),
        ("danger: 0.75", "danger: 1.5", "25:16", "`danger`"),
        ("danger: 0.75", "danger: 0.1", "25:3", "near_danger must not be above danger"),
        ("page: at_once", "page: never", "28:7", "`page`"),
        ("{who: next, wait: 60}", "{who: anyone, wait: 60}", "32:12", "`who`"),
        ("mode: discreet", "mode: plain\nmode: discreet", "12:1", "written twice"),
        ("mode: discreet", "mode: [", "", "correct the YAML"),
    ],
)
def test_a_mistake_is_named_where_it_stands_and_no_number_is_quoted(
    read: Callable[[str], Line], old: str, new: str, where: str, what: str
) -> None:
    assert GOOD.count(old) >= 1
    with pytest.raises(BadFile) as bad:
        read(GOOD.replace(old, new, 1))
    told = "\n".join(bad.value.problems)
    (problem,) = [p for p in bad.value.problems if what in p]
    assert problem.startswith(f"line.yml:{where}"), told
    assert NUMBER not in told
    assert "2025550" not in told


def test_every_mistake_is_told_at_once(read: Callable[[str], Line]) -> None:
    with pytest.raises(BadFile) as bad:
        read(GOOD.replace("country: US", "country: us").replace("days: 7", "days: 0").replace('"911"', "nine"))
    assert [problem.split(": ")[0] for problem in bad.value.problems] == [
        "line.yml:18:5",
        "line.yml:5:1",
        "line.yml:6:1",
    ]


def test_a_line_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_line(tmp_path / "line.yml")
