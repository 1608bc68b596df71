"""Drills: what they come to, who is called for them, what they never touch, and files a programme officer writes."""

import uuid
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.drills import CannotDrill, DrillRuns, begin
from bot.house import House
from bot.metrics import metrics
from bot.scenarios import BUILT_IN, Scenario, misplanned, read_scenarios, unplayable
from bot.sending import Sending
from bot.settings import read_settings
from carriers.webhooks import sign
from channels.messages import Answer
from channels.signed import signature_for
from channels.twilio import TwilioAccount
from dialogs.conversation import Mode
from dialogs.marked import BadFile
from tests.houses import LINE, a_line, house, phrases, understanding
from tests.vaults import Clock, clock, found_team, rows, vault
from triage.drills import DrillState, Expected, Figures, Outcome, Shift, Situation, shift_at, summaries, verdict
from triage.levels import Level
from vault.cases import Case
from vault.delivery import OutboxKind
from vault.drills import Drill, is_drill
from vault.paging import Contact

__all__ = ["clock", "house", "phrases", "understanding", "vault"]  # fixtures

EXPECTED = Expected(level=Level.EMERGENCY, page=60, acknowledge=300, answer=900)
NOW = Situation(age=30, said=True, given_up=False, real=False)
GOOD = Figures(level=Level.EMERGENCY, page=10, acknowledge=60, answer=300)
MADRID = ZoneInfo("Europe/Madrid")
SHORT = """\
title: Somebody
language: es
shift: night
messages: [{say: hola}]
expect: {level: emergency, page: 1 minute, acknowledge: 5 minutes, answer: 1 hour}
"""


# What it comes to ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figures", "situation", "state"),
    [
        (GOOD, {}, DrillState.PASSED),
        (GOOD, {"real": True}, DrillState.CALLED_OFF),
        (Figures(level=Level.EMERGENCY, page=65, acknowledge=70, answer=300), {}, DrillState.SLOW),
        (Figures(level=Level.HIGH, page=10, acknowledge=60, answer=300), {}, DrillState.SLOW),
        (Figures(level=Level.EMERGENCY, page=10), {}, DrillState.RUNNING),
        (Figures(level=Level.EMERGENCY, page=10), {"given_up": True}, DrillState.NOBODY),
        (Figures(level=Level.EMERGENCY, page=10), {"age": 1501}, DrillState.NOBODY),
        (Figures(level=Level.EMERGENCY, page=10, acknowledge=60), {"age": 1800}, DrillState.RUNNING),
        (Figures(level=Level.EMERGENCY, page=10, acknowledge=60), {"age": 1801}, DrillState.UNANSWERED),
        (Figures(), {"age": 120}, DrillState.RUNNING),
        (Figures(), {"age": 121}, DrillState.UNPAGED),
        (Figures(), {"age": 121, "said": False}, DrillState.RUNNING),
    ],
)
def test_a_drill_comes_to_one_end(figures: Figures, situation: dict[str, object], state: DrillState) -> None:
    plain = {"age": NOW.age, "said": NOW.said, "given_up": NOW.given_up, "real": NOW.real} | situation
    assert verdict(EXPECTED, figures, Situation(**plain)) is state  # type: ignore[arg-type] # what a row of the table says


def test_every_hour_belongs_to_a_shift() -> None:
    shifts = [shift_at(hour) for hour in range(24)]
    assert shifts == [*[Shift.NIGHT] * 6, *[Shift.DAY] * 8, *[Shift.EVENING] * 8, *[Shift.NIGHT] * 2]


def test_times_are_told_by_language_and_shift_and_what_says_nothing_about_people_is_left_out() -> None:
    night = datetime(2026, 1, 15, 23, tzinfo=UTC)

    def outcome(language: str, state: DrillState, seconds: int | None) -> Outcome:
        seen = Figures(page=seconds, acknowledge=seconds, answer=seconds)
        return Outcome(scenario="x", language=language, begun_at=night, state=state, figures=seen)

    found = summaries(
        [
            outcome("es", DrillState.PASSED, 10),
            outcome("es", DrillState.SLOW, 100),
            outcome("es", DrillState.NOBODY, None),
            outcome("es", DrillState.CALLED_OFF, 1),
            outcome("ar", DrillState.BROKEN, None),
        ],
        MADRID,
    )
    assert [(s.language, s.shift, s.drills, s.passed, s.page) for s in found] == [("es", Shift.NIGHT, 3, 1, 55)]


# Files ---------------------------------------------------------------------------------------------------------------


def test_the_built_in_scenarios_speak_several_languages_and_are_for_every_shift() -> None:
    found = read_scenarios(None)
    assert len({scenario.language for scenario in found.values()}) >= 5
    assert {scenario.shift for scenario in found.values()} == set(Shift)
    assert all((BUILT_IN / f"{name}.yml").exists() for name in found)


def test_a_line_lays_its_own_scenario_over_a_built_in_one(tmp_path: Path) -> None:
    own(tmp_path, "night_worker.yml", SHORT)
    assert read_scenarios(tmp_path)["night_worker"].title == "Somebody"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.yml", SHORT.replace("1 minute", "soon"), "x.yml:5:28: `page`: write a span"),
        ("x.yml", SHORT.replace("night", "dawn"), "x.yml:3:1: `shift` must be 'day', 'evening' or 'night'"),
        ("x.yml", SHORT.replace("title: Somebody\n", ""), "x.yml:1:1: add `title`"),
        ("x.yml", SHORT + "colour: red\n", "x.yml:6:1: `colour` is not a setting here"),
        ("x.yml", SHORT.replace("emergency", "standard"), "x.yml:5:10: `level` must be"),
        ("Big Name.yml", SHORT, "Big Name.yml:1:1: nothing reads this file"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, name: str, text: str, says: str) -> None:
    own(tmp_path, name, text)
    with pytest.raises(BadFile) as wrong:
        read_scenarios(tmp_path)
    assert says in str(wrong.value)


def test_a_scenario_of_a_language_that_the_line_has_not_cannot_be_played() -> None:
    line = a_line(LINE + 'numbers: {sms: "+12025550100"}\n')
    assert "does not speak zh" in unplayable(read_scenarios(None)["workshop_evening"], line)
    assert unplayable(read_scenarios(None)["night_worker"], line) == ""


def own(home: Path, name: str, text: str) -> None:
    """A scenario of the line's own."""
    (home / "drills").mkdir(exist_ok=True)
    (home / "drills" / name).write_text(text, encoding="utf-8")


# The schedule --------------------------------------------------------------------------------------------------------

PLANNED = LINE + 'drills:\n  schedule:\n    - {scenario: market_day, days: [tue], at: "10:00"}\n'


def test_a_drill_is_due_on_its_day_and_minute_by_the_lines_clock_and_once() -> None:
    drills = a_line(PLANNED).drills
    tuesday = datetime(2026, 7, 7, 10, 0, 40, tzinfo=MADRID)
    assert drills.due(tuesday) == (("2026-07-07 10:00 market_day", "market_day"),)
    assert drills.due(tuesday + timedelta(minutes=5)) == drills.due(tuesday)  # the same slot: it is filled once
    assert drills.due(tuesday + timedelta(minutes=10)) == ()
    assert drills.due(tuesday - timedelta(minutes=1)) == ()
    assert drills.due(tuesday + timedelta(days=1)) == ()


def test_a_drill_outside_of_the_allowed_hours_is_refused_with_its_place() -> None:
    with pytest.raises(BadFile, match="outside of 08:00 to 20:00"):
        a_line(PLANNED.replace("10:00", "03:00"))
    night = a_line(
        PLANNED.replace("10:00", "03:00").replace("drills:", 'drills:\n  earliest: "22:00"\n  latest: "06:00"')
    )
    assert night.drills.allows(time(3))
    assert not night.drills.allows(time(12))


def test_a_plan_that_does_not_fit_its_scenario_is_told() -> None:
    line = a_line(PLANNED + 'numbers: {sms: "+12025550100"}\n')
    found = read_scenarios(None)
    assert misplanned(found, line) == []
    assert "no such scenario" in misplanned({}, line)[0]
    wrong = {"market_day": Scenario(**{**dict(found["market_day"]), "shift": Shift.NIGHT})}
    assert "meant for the night" in misplanned(wrong, line)[0]


# The path ------------------------------------------------------------------------------------------------------------


def test_a_drill_is_signed_as_twilio_signs() -> None:
    account = TwilioAccount(sid="AC1", auth_token="secret", api_url="https://x", public_url="https://line.example.org")
    form = {"From": "drill:00", "Body": "hola"}
    expected = sign("secret", "https://line.example.org/twilio/messages", form)
    assert signature_for(account, "/twilio/messages", form) == expected


def test_the_address_of_a_drill_is_no_number() -> None:
    assert is_drill("drill:00")
    assert not any(is_drill(value) for value in ("+12025550100", "whatsapp:+12025550100", "call:CA1", "7001", ""))


async def a_run(house: House) -> Drill:
    """A drill that has begun."""
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        await unit.responders.add("Amina", ["es"], [Contact(method="sms", value="+12025550141")])
        run = await unit.drills.begin("night_worker", "es", "sms", EXPECTED)
    assert run
    return run


async def a_case(house: House, run: Drill) -> Case:
    """Its case, in danger, with its alert."""
    async with house.vault.unit() as unit:
        case = await unit.cases.open(language="es", channel="sms", level=Level.EMERGENCY, drill=True)
        await unit.drills.has_case(run.id, case.id)
        await house.pager.urgent(unit, case)
    return case


async def look(house: House, run: Drill) -> Drill:
    """One step of a run whose person has said everything; gives the run as it is then."""
    await DrillRuns(house).go_on(str(run.id), "9", "0")
    async with house.vault.unit() as unit:
        return await unit.drills.get(run.id)


async def test_nothing_leaves_for_a_scripted_person(house: House) -> None:
    """The house has no channel at all: whatever tried to leave would fail aloud."""
    run = await a_run(house)
    answer = Answer(text="we are here", language="es")
    async with house.vault.unit() as unit:
        parcel = await unit.outbox.put(OutboxKind.ANSWER, "sms", run.address, answer.to_json())
    await Sending(house).deliver(str(parcel))
    kept = await rows(house.vault, "SELECT state, sealed IS NULL FROM outbox WHERE kind = 'answer'")
    assert kept == [("accepted", True)]
    assert house.counts["drill_kept_back"] == 1
    assert house.counts["sent_sms"] == 0


async def test_only_a_run_that_was_begun_here_and_is_not_over_makes_a_drill(house: House) -> None:
    run = await a_run(house)
    async with house.vault.unit() as unit:
        assert await unit.drills.by_address(run.address) == run
        assert await unit.drills.by_address(f"drill:{uuid.uuid4().hex}") is None
        assert await unit.drills.by_address("drill:nonsense") is None
        assert await unit.drills.by_address("+12025550100") is None
        await unit.drills.end(run.id, DrillState.PASSED)
        assert await unit.drills.by_address(run.address) is None


async def test_a_drill_climbs_to_the_outside_number_and_not_further(house: House, clock: Clock) -> None:
    run = await a_run(house)
    case = await a_case(house, run)
    for _ in range(40):
        clock.now += timedelta(minutes=1)
        async with house.vault.unit() as unit:
            alert = await unit.drills.alert(case.id)
            if not alert or not alert.ringing:
                break
            await house.pager.tick(unit, alert.id)
    async with house.vault.unit() as unit:
        alert = await unit.drills.alert(case.id)
        assert alert
        assert not alert.ringing
        called = {page.responder_id for page in await unit.alerts.pages(alert.id)}
    assert called
    assert None not in called  # the outside number
    assert (await look(house, run)).state is DrillState.NOBODY
    told = await rows(house.vault, "SELECT count(*) FROM outbox WHERE kind = 'responder'")
    assert told == [(1,)]  # whoever was called is told that it was a drill
    assert await rows(house.vault, "SELECT state, unread FROM cases") == [("closed", False)]


async def test_a_drill_is_counted_by_no_monitor(house: House) -> None:
    await a_case(house, await a_run(house))
    text = await metrics(house)
    assert "harborline_cases{" not in text
    assert "harborline_alerts_ringing 0" in text


async def test_a_real_alert_calls_a_drill_off_and_rings_on(house: House) -> None:
    run = await a_run(house)
    case = await a_case(house, run)
    async with house.vault.unit() as unit:
        real = await unit.cases.open(language="es", channel="sms", level=Level.EMERGENCY)
        await house.pager.urgent(unit, real)
    assert (await look(house, run)).state is DrillState.CALLED_OFF
    async with house.vault.unit() as unit:
        ringing = {alert.case_id for alert in await unit.alerts.ringing()}
    assert ringing == {real.id}
    assert case.id not in ringing


async def test_no_drill_begins_while_a_real_alert_rings_or_another_drill_runs(house: House, tmp_path: Path) -> None:
    run = await a_run(house)
    settings = read_settings(
        {"HARBORLINE_HOME": str(tmp_path), "TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "0" * 32}
    )
    line = a_line(LINE + 'numbers: {sms: "+12025550100"}\n')
    with pytest.raises(CannotDrill, match="Another drill"):
        async with house.vault.unit() as unit:
            await begin(unit, settings, line, "night_worker", "system")
    async with house.vault.unit() as unit:
        await unit.drills.end(run.id, DrillState.PASSED)
        await begin(unit, settings, line, "night_worker", "system", "slot one")
    with pytest.raises(CannotDrill, match="no scenario"):
        async with house.vault.unit() as unit:
            await begin(unit, settings, line, "not_there", "system")
    async with house.vault.unit() as unit:
        await house.pager.urgent(unit, await unit.cases.open(language="es", channel="sms", level=Level.EMERGENCY))
    with pytest.raises(CannotDrill, match="real report rings"):
        async with house.vault.unit() as unit:
            await begin(unit, settings, line, "night_worker", "system")


async def test_words_that_are_read_after_a_drill_is_over_call_nobody(house: House) -> None:
    run = await a_run(house)
    case = await a_case(house, run)
    async with house.vault.unit() as unit:
        await house.pager.called_off(unit, case)
        closed = await unit.cases.change(case.id, state="closed")
    async with house.vault.unit() as unit:
        await house.pager.urgent(unit, await unit.cases.get(closed.id))
        assert await unit.alerts.ringing() == ()


@pytest.mark.parametrize("tag", ["en", "es", "ar"])
async def test_whoever_takes_a_drill_is_told_so_in_their_language(house: House, tag: str) -> None:
    run = await a_run(house)
    case = await a_case(house, run)
    async with house.vault.unit() as unit:
        await unit.responders.add("Somebody", [tag], [Contact(method="sms", value="+12025550142")])
        somebody = (await unit.responders.all())[-1]
        alert = await unit.drills.alert(case.id)
        assert alert
        told = await house.pager.acknowledged(unit, alert.id, str(somebody.id))
        answer = await house.pager.told(unit, case, somebody, told)
    assert house.phrases.text("page.drill", tag, Mode.PLAIN, {}) in answer.text
