"""Jobs: a broken case silences no other, words stay until they were really read, and tidying never delays a page."""

import uuid

import pytest
from sqlalchemy import update

from bot.house import House
from bot.jobs import QUEUES, READ, TALK, TIDY, URGENT, Jobs
from bot.report import reasons_entry
from tests.vaults import Clock, found_team, open_case, rows
from triage.levels import Assessment, Level, Reason
from triage.review import CaseState
from vault import tables
from vault.cases import Case
from vault.unit import Unit


async def test_one_broken_alert_does_not_keep_the_others_from_being_looked_at(
    house: House, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A poisoned row is counted and logged without its contents; the next one is still paged."""
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        broken = await open_case(unit)
        await house.pager.urgent(unit, await unit.cases.change(broken.id, level=Level.EMERGENCY))
    async with house.vault.unit() as unit:
        late = await open_case(unit)
        await unit.cases.change(late.id, level=Level.HIGH, state=CaseState.OPEN)
    async with house.vault.unit() as unit:
        await unit.transaction.connection.execute(update(tables.alerts).values(machine={"version": 99}))
    clock.later(hours=2)
    async with house.vault.jobs.open_async():
        await Jobs(house).look(0)
    assert house.counts["look_failed"] == 1
    alerts = await rows(house.vault, "SELECT case_id FROM alerts")
    assert {case_id for (case_id,) in alerts} == {broken.id, late.id}


async def test_words_that_only_patterns_could_read_are_read_again_until_the_engine_has(house: House) -> None:
    """The engine of this house was never started: it reads by patterns alone."""
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit)
        words = await unit.unread_words.put(case.id, "there is a man with a gun here", "en")
    async with house.vault.jobs.open_async():
        await Jobs(house).read(str(words))
    assert await rows(house.vault, "SELECT count(*) FROM unread_words") == [(1,)]
    assert await rows(house.vault, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'read'") == [(1,)]
    ((level,),) = await rows(house.vault, "SELECT level FROM cases")
    assert level >= Level.HIGH, "what patterns saw counts at once"


async def test_words_that_are_gone_are_nothing_to_do(house: House) -> None:
    async with house.vault.jobs.open_async():
        await Jobs(house).read(str(uuid.uuid4()))


def test_pages_wake_ups_and_the_look_share_no_queue_with_anything_else(house: House) -> None:
    Jobs(house).register(house.vault.jobs)
    queues = {name: task.queue for name, task in house.vault.jobs.tasks.items()}
    assert {name for name, queue in queues.items() if queue == URGENT} == {"page", "wake", "look", "watch", "beat"}
    assert queues["read"] == READ
    assert {name for name, queue in queues.items() if queue == TALK} == {"ask_ready", "attend", "deliver"}
    assert {queues["erase_copy"], queues["erase_chat"], queues["tidy"]} == {TIDY}
    assert set(queues.values()) - {"builtin"} <= set(QUEUES), "nobody works it"


async def test_reasons_are_kept_with_their_words_in_the_case_alone(house: House) -> None:
    reason = Reason(rule="weapon", level=Level.EMERGENCY, words="a gun")
    entry = reasons_entry(Assessment(level=Level.EMERGENCY, reasons=(reason,)))
    assert entry.reasons[0].words == "a gun"
    assert "gun" not in repr(entry)


async def test_every_unread_case_past_its_target_is_found_however_many_there_are(house: House, clock: Clock) -> None:
    await found_team(house.vault)
    opened = []
    async with house.vault.unit() as unit:
        for level, state in ((Level.HIGH, CaseState.ASSIGNED), (Level.STANDARD, CaseState.OPEN)):
            opened.append((await _in_state(unit, level, state)).id)
        await _in_state(unit, Level.HIGH, CaseState.CLOSED)
    clock.later(hours=2)
    async with house.vault.unit() as unit:
        assert await unit.cases.overdue(house.pager.unread_before(clock.now)) == (opened[0],)
    clock.later(hours=30)
    async with house.vault.unit() as unit:
        assert set(await unit.cases.overdue(house.pager.unread_before(clock.now))) == set(opened)


async def _in_state(unit: Unit, level: Level, state: CaseState) -> Case:
    case = await open_case(unit)
    return await unit.cases.change(case.id, level=level, state=state)
