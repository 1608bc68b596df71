"""The desk: staff's words go out, wait or are held as the person's own rule says, and never in the wrong hours."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.contact import is_stricter, next_moment, staff_answer
from bot.desk import Desk
from bot.house import House
from console.actions import Held
from tests.vaults import CHEAP, found_team, open_case, rows
from triage.levels import Level
from vault.cases import Case
from vault.codes import code_keys, new_code
from vault.delivery import OutboxState
from vault.members import Member, Role
from vault.paging import Contact
from vault.unit import Unit

NUMBER = "+15550100777"
TEXT = "Can you talk tomorrow?"
KEYS = code_keys(new_code(lambda _: 1), b"s" * 16, CHEAP)
MADRID = ZoneInfo("Europe/Madrid")


def a_member(unit: Unit) -> Member:
    """Somebody at the console."""
    return Member(id=unit.transaction.new_id(), name="rosa", role=Role.REVIEWER)


async def answer(house: House, unit: Unit, case: Case, channel: str = "sms") -> OutboxState:
    """Answer, and give what became of it."""
    member = a_member(unit)
    parcel = await Desk(house=house).answer(unit, case, channel=channel, address=NUMBER, text=TEXT, member=member)
    states = {str(row): state for row, state in (await unit.outbox.of_case(case.id)).items()}
    return states[parcel]


async def jobs(house: House) -> list[tuple[str, datetime | None]]:
    """Tasks that wait, with their date."""
    found = await rows(house.vault, "SELECT task_name, scheduled_at FROM procrastinate_jobs ORDER BY id")
    return [(task, at) for task, at in found]


@pytest.mark.parametrize(
    ("rule", "channel", "code", "becomes"),
    [
        ("", "sms", False, OutboxState.WAITING),
        ("", "telegram", True, OutboxState.WAITING),
        ("neutral", "sms", False, OutboxState.WAITING),
        ("hours", "sms", False, OutboxState.WAITING),
        ("when_i_write", "sms", False, OutboxState.HELD),
        ("when_i_write", "telegram", True, OutboxState.HELD),
        ("never_first", "sms", True, OutboxState.LEFT),
        ("never_first", "telegram", True, OutboxState.LEFT),
        ("", "voice", True, OutboxState.LEFT),
        ("hours", "voice", True, OutboxState.LEFT),
        ("never_first", "voice", True, OutboxState.LEFT),
    ],
)
async def test_an_answer_takes_the_way_that_rule_channel_and_code_allow(
    house: House, rule: str, channel: str, code: bool, becomes: OutboxState
) -> None:
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit, contact_rule=rule)
        if code:
            await unit.codes.give(case.id, KEYS)
        assert await answer(house, unit, case, channel) is becomes
        assert [waiting.text for waiting in await unit.codes.read(KEYS)] == ([TEXT] if code else [])
    assert [task for task, _ in await jobs(house)] == (["deliver"] if becomes is OutboxState.WAITING else [])


@pytest.mark.parametrize(("rule", "channel"), [("never_first", "sms"), ("never_first", "telegram"), ("", "voice")])
async def test_an_answer_that_can_reach_nobody_is_held_and_changes_nothing(
    house: House, rule: str, channel: str
) -> None:
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit, contact_rule=rule)
        with pytest.raises(Held, match="Keep it as a note"):
            await answer(house, unit, case, channel)
    for table in ("outbox", "waiting_answers", "procrastinate_jobs"):
        assert await rows(house.vault, f"SELECT 1 FROM {table}") == [], table  # noqa: S608 - fixed names


async def test_what_is_not_to_be_sent_is_not_kept_with_its_number(house: House) -> None:
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit, contact_rule="never_first")
        await unit.codes.give(case.id, KEYS)
        await answer(house, unit, case)
    assert await rows(house.vault, "SELECT sealed FROM outbox") == [(None,)]


@pytest.mark.parametrize(
    ("changes", "language", "expected"),
    [
        ({"language": "es"}, "es", "Harbor House: Can you talk tomorrow?"),
        ({"language": "es", "discreet": True}, "es", "Corner Laundry: Can you talk tomorrow?"),
        ({"language": "en", "contact_rule": "neutral"}, "en", "Corner Laundry: Can you talk tomorrow?"),
        ({"language": "ti"}, "en", "Harbor House: Can you talk tomorrow?"),  # a language the line does not speak
    ],
)
async def test_an_answer_is_signed_as_the_person_chose(
    house: House, changes: dict[str, object], language: str, expected: str
) -> None:
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit, **changes)
    signed = staff_answer(house, case, TEXT)
    assert (signed.text, signed.language, signed.expect.value) == (expected, language, "nothing")


@pytest.mark.parametrize(
    ("rule", "than", "stricter"),
    [
        ("never_first", "", True),
        ("neutral", "never_first", False),
        ("hours", "when_i_write", False),
        ("when_i_write", "hours", True),
        ("never_first", "never_first", True),
    ],
)
def test_a_rule_is_stricter_when_it_gives_away_no_more(rule: str, than: str, stricter: bool) -> None:
    assert is_stricter(rule, than) is stricter


async def test_while_the_person_cannot_talk_everything_is_held(house: House) -> None:
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit, resting=True)
        assert await answer(house, unit, case) is OutboxState.HELD


async def test_a_member_and_a_responder_of_one_name_are_one_person(house: House) -> None:
    """Where two people are needed, one human with two hats must not count twice."""
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        rosa = await unit.responders.add("Rosa", ["es"], [Contact(method="sms", value="+15550100999")])
        case = await open_case(unit, level=Level.EMERGENCY, life_at_risk=True)
        await house.pager.urgent(unit, case)
        stored = await unit.alerts.of_case(case.id)
        assert stored is not None
        await house.pager.acknowledged(unit, stored.id, str(rosa))
        await Desk(house=house).acknowledge(unit, case, a_member(unit))
        stored = await unit.alerts.of_case(case.id)
        assert stored is not None
        assert stored.ringing, "two people are needed, and one has it"
        assert stored.machine["acks"] == [str(rosa)]


# Hours ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "now", "expected"),
    [
        ("", "2026-03-02T03:00", None),
        ("08-12", "2026-03-02T08:00", None),  # the first minute
        ("08-12", "2026-03-02T11:59", None),  # the last one
        ("08-12", "2026-03-02T12:00", "2026-03-03T08:00"),
        ("08-12", "2026-03-02T07:59", "2026-03-02T08:00"),
        ("17-21", "2026-12-31T21:00", "2027-01-01T17:00"),
        ("08-12", "2026-03-28T20:00", "2026-03-29T08:00"),  # the night summer time begins: an hour shorter
        ("08-12", "2026-10-24T20:00", "2026-10-25T08:00"),  # the night it ends: an hour longer
        ("02-04", "2026-03-29T00:30", "2026-03-29T03:00"),  # two o'clock does not exist that night
        ("20-06", "2026-03-02T23:00", None),  # over midnight
        ("20-06", "2026-03-03T05:59", None),
        ("20-06", "2026-03-03T06:00", "2026-03-03T20:00"),
        ("20-24", "2026-03-02T23:59", None),
    ],
)
async def test_words_wait_for_the_person_s_hours_on_the_line_s_clock(
    house: House, hours: str, now: str, expected: str | None
) -> None:
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit, contact_rule="hours", contact_hours=hours)
    found = next_moment(case, datetime.fromisoformat(now).replace(tzinfo=MADRID).astimezone(UTC), MADRID)
    moment = found and found.astimezone(UTC).astimezone(MADRID).replace(tzinfo=None)
    assert moment == (datetime.fromisoformat(expected) if expected else None)


async def test_an_answer_outside_the_person_s_hours_leaves_when_they_begin(house: House) -> None:
    await found_team(house.vault)  # it is half past nine in London, half past ten in Madrid
    async with house.vault.unit() as unit:
        later = await open_case(unit, contact_rule="hours", contact_hours="17-21")
        now = await open_case(unit, contact_rule="hours", contact_hours="08-12")
        assert await answer(house, unit, later) is OutboxState.HELD
        assert await answer(house, unit, now) is OutboxState.WAITING
    (_, at), (_, at_once) = await jobs(house)
    assert at == datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
    assert at_once is None


# The pager's news -------------------------------------------------------------------------------------------------


async def test_a_case_that_is_raised_pages_and_falls_silent_when_staff_have_or_close_it(house: House) -> None:
    await found_team(house.vault)
    desk = Desk(house=house)
    for end in (desk.acknowledge, desk.closed):
        async with house.vault.unit() as unit:
            case, member = await open_case(unit, level=Level.HIGH), a_member(unit)
            await desk.acknowledge(unit, case, member)  # nobody is being called: nothing happens
            await desk.raise_level(unit, case, Level.STANDARD, member)
            assert await unit.alerts.of_case(case.id) is None
            await desk.raise_level(unit, case, Level.HIGH, member)
            alert = await unit.alerts.of_case(case.id)
            assert alert is not None
            assert alert.ringing
            await end(unit, case, member)
            alert = await unit.alerts.of_case(case.id)
            assert alert is not None
            assert not alert.ringing
