"""Alerts, pages and responders at rest: states go forward only, and an acknowledgement's sender is recognised."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import update

from tests.vaults import START, Clock, found_team, open_case, rows
from vault import tables
from vault.errors import NotFound
from vault.paging import Contact, PageState, StoredAlert
from vault.unit import Unit, Vault

AMINA = (
    Contact(method="telegram", value="9001"),
    Contact(method="sms", value="+15550100141"),
    Contact(method="voice", value="+15550100141"),
)
BILAL = (Contact(method="sms", value="+15550100142"),)


async def open_alert(unit: Unit, *, ringing: bool = True) -> StoredAlert:
    """An alert of a case of its own."""
    case = await open_case(unit)
    alert = StoredAlert(id=unit.transaction.new_id(), case_id=case.id, ringing=ringing, machine={"acks": []})
    await unit.alerts.save(alert)
    return alert


# Alerts and pages -------------------------------------------------------------------------------------------------


async def test_an_alert_is_found_by_its_id_and_by_its_case_as_it_was_saved(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        alert = await open_alert(unit)
        assert await unit.alerts.get(alert.id) == await unit.alerts.of_case(alert.case_id) == alert
        quiet = StoredAlert(id=alert.id, case_id=alert.case_id, ringing=False, machine={"acks": ["x"]})
        await unit.alerts.save(quiet)
        assert await unit.alerts.get(alert.id) == quiet
        with pytest.raises(NotFound):
            await unit.alerts.get(uuid.uuid4())
        assert await unit.alerts.of_case(uuid.uuid4()) is None


async def test_only_ringing_alerts_still_look_for_a_human(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        alert = await open_alert(unit)
        await open_alert(unit, ringing=False)
        assert await unit.alerts.ringing() == (alert,)


async def test_two_events_of_one_alert_never_overwrite_each_other(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        alert = await open_alert(unit)

    async def acknowledge(who: str) -> None:
        async with vault.unit() as unit:
            stored = await unit.alerts.get(alert.id)
            await asyncio.sleep(0.02)
            machine = {"acks": [*stored.machine["acks"], who]}
            await unit.alerts.save(StoredAlert(id=alert.id, case_id=alert.case_id, ringing=True, machine=machine))

    await asyncio.gather(acknowledge("amina"), acknowledge("bilal"))
    async with vault.unit() as unit:
        assert sorted((await unit.alerts.get(alert.id)).machine["acks"]) == ["amina", "bilal"]


async def test_the_pages_of_an_alert_come_oldest_first(vault: Vault, clock: Clock) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        alert = await open_alert(unit)
    pages = [uuid.uuid4() for _ in range(3)]
    for page in pages:
        clock.later(seconds=1)
        async with vault.unit() as unit:
            await unit.alerts.add_page(page, alert.id, None, "voice")
    async with vault.unit() as unit:
        found = await unit.alerts.pages(alert.id)
        assert [page.id for page in found] == pages
        assert {(p.alert_id, p.responder_id, p.method, p.state) for p in found} == {
            (alert.id, None, "voice", PageState.WAITING)
        }
        with pytest.raises(NotFound):
            await unit.alerts.page(uuid.uuid4())


async def test_news_of_a_page_in_any_order_leaves_it_as_far_as_it_came(vault: Vault) -> None:
    await found_team(vault)
    async with vault.unit() as unit:
        alert = await open_alert(unit)
        for news in permutations((PageState.SENT, PageState.FAILED, PageState.DELIVERED)):
            page = uuid.uuid4()
            await unit.alerts.add_page(page, alert.id, None, "sms")
            for state in news:
                await unit.alerts.set_page(page, state, error=30003 if state is PageState.FAILED else None)
            found = await unit.alerts.page(page)
            assert (found.state, found.error) == (PageState.DELIVERED, None), news


async def test_a_page_s_error_and_times_are_kept(vault: Vault, clock: Clock) -> None:
    await found_team(vault)
    page = uuid.uuid4()
    async with vault.unit() as unit:
        await unit.alerts.add_page(page, (await open_alert(unit)).id, None, "sms")
    clock.later(seconds=2)
    async with vault.unit() as unit:
        await unit.alerts.set_page(page, PageState.SENT)
        await unit.alerts.set_page(page, PageState.FAILED, error=30003)
        found = await unit.alerts.page(page)
    assert (found.state, found.error, found.created_at, found.sent_at) == (
        PageState.FAILED,
        30003,
        START,
        clock.now,
    )


# Responders -------------------------------------------------------------------------------------------------------


async def test_responders_are_kept_in_the_order_they_were_added(vault: Vault) -> None:
    async with vault.unit() as unit:
        amina = await unit.responders.add("Amina", ["es", "fr"], AMINA)
        bilal = await unit.responders.add("Bilal", ["ar"], BILAL)
        carla = await unit.responders.add("Carla", [], [])
        await unit.responders.remove(bilal)
        dario = await unit.responders.add("Darío", ["es"], BILAL)
        assert [r.id for r in await unit.responders.all()] == [amina, carla, dario]
        found = await unit.responders.get(amina)
        assert found is not None
        assert (found.name, found.languages, found.contacts) == ("Amina", ("es", "fr"), AMINA)
        assert found.contact("voice") == AMINA[2]
        assert found.contact("pigeon") is None
        assert await unit.responders.get(bilal) is None


@pytest.mark.parametrize(
    ("channel", "value", "known"),
    [
        ("telegram", "9001", True),
        ("sms", "+15550100141", True),
        ("voice", "+15550100141", True),
        ("sms", "9001", False),  # a chat id is no telephone number
        ("telegram", "+15550100141", False),
        ("sms", "+15550100149", False),
        ("sms", "", False),
    ],
)
async def test_a_responder_is_recognised_by_what_they_write_or_call_from(
    vault: Vault, channel: str, value: str, known: bool
) -> None:
    async with vault.unit() as unit:
        amina = await unit.responders.add("Amina", ["es"], AMINA)
        found = await unit.responders.by_address(channel, value)
    assert (found.id if found else None) == (amina if known else None)


async def test_one_number_that_texts_and_calls_is_one_number(vault: Vault) -> None:
    async with vault.unit() as unit:
        bilal = await unit.responders.add("Bilal", ["ar"], BILAL)  # enrolled for texts only
        found = await unit.responders.by_address("voice", "+15550100142")
    assert found is not None
    assert found.id == bilal


async def test_who_was_taken_off_the_rota_is_a_person_like_any_other(vault: Vault) -> None:
    async with vault.unit() as unit:
        await unit.responders.remove(await unit.responders.add("Amina", ["es"], AMINA))
        assert await unit.responders.by_address("sms", "+15550100141") is None
    assert await rows(vault, "SELECT * FROM contacts") == []


async def test_a_number_that_changed_hands_belongs_to_the_newer_responder(vault: Vault) -> None:
    async with vault.unit() as unit:
        await unit.responders.add("Amina", ["es"], BILAL)
        bilal = await unit.responders.add("Bilal", ["ar"], BILAL)
        found = await unit.responders.by_address("sms", "+15550100142")
    assert found is not None
    assert found.id == bilal


async def test_neither_names_nor_numbers_are_in_the_table_or_in_a_repr(vault: Vault) -> None:
    async with vault.unit() as unit:
        amina = await unit.responders.get(await unit.responders.add("Amina", ["es"], AMINA))
    ((row,),) = await rows(vault, "SELECT encode(sealed, 'escape') FROM responders")
    for telling in ("Amina", "5550100141", "9001"):
        assert telling not in row
        assert telling not in repr(amina) + repr(AMINA)


async def test_a_responder_from_before_there_were_hours_is_read_and_a_change_keeps_the_place(vault: Vault) -> None:
    async with vault.unit() as unit:
        amina = await unit.responders.add("Amina", ["es"], AMINA)
        await unit.responders.add("Bilal", ["ar"], BILAL)
        old = vault.ring.lock_for_service(b'["Amina", ["es"], [["sms", "+15550100141"]]]', f"responder/{amina}")
        await unit.transaction.connection.execute(
            update(tables.responders).where(tables.responders.c.id == amina).values(sealed=old)
        )
        found = await unit.responders.get(amina)
        assert found is not None
        assert (found.hours, found.skills, found.time_zone, found.coordinator) == ((), (), "", False)
        numbers = (Contact(method="voice", value="+15550100143"), Contact(method="voice", value="+15550100144"))
        await unit.responders.change(
            replace(found, contacts=numbers, hours=("mon-fri 08:00-20:00",), skills=("minors",), coordinator=True)
        )
        changed = (await unit.responders.all())[0]
        assert (changed.id, changed.hours, changed.skills, changed.coordinator) == (
            amina,
            ("mon-fri 08:00-20:00",),
            ("minors",),
            True,
        )
        assert [key for key, _ in changed.keyed()] == ["voice", "voice-2"]
        assert changed.contact("voice", "voice-2") == numbers[1]
        assert changed.contact("voice") == numbers[0]
        assert await unit.responders.by_address("voice", "+15550100144") == changed
        assert await unit.responders.by_address("sms", "+15550100141") is None


# The calendar -----------------------------------------------------------------------------------------------------


async def test_what_changes_the_calendar_is_kept_sealed_found_by_time_and_forgotten(vault: Vault) -> None:
    day = timedelta(days=1)
    async with vault.unit() as unit:
        swap = await unit.rota_changes.override(START, START + day, responder="amina-canary", replaces="b")
        await unit.rota_changes.plan("nights-canary", [(START + day, START + 2 * day, "amina-canary")])
        await unit.rota_changes.plan("nights-canary", [(START + 2 * day, START + 3 * day, "c")])  # replaces the other
        found = await unit.rota_changes.between(START, START + 9 * day)
        assert [(c.kind.value, c.responder, c.replaces, c.calendar) for c in found] == [
            ("override", "amina-canary", "b", ""),
            ("planned", "c", "", "nights-canary"),
        ]
        assert await unit.rota_changes.between(START + 4 * day, START + 9 * day) == ()
        assert not await unit.rota_changes.undo(found[1].id)  # an imported shift is taken away with its calendar
        assert await unit.rota_changes.undo(swap)
        assert not await unit.rota_changes.undo(swap)
        assert await unit.rota_changes.forget_calendar("nights-canary") == 1
        await unit.rota_changes.override(START, START + day, responder="amina-canary")
    stored = await rows(vault, "SELECT encode(sealed, 'escape') FROM rota_changes")
    assert len(stored) == 1
    assert "canary" not in str(stored)
    async with vault.unit() as unit:
        await unit.rota_changes.forget_before(START + 2 * day)
        assert await unit.rota_changes.between(START - day, START + 9 * day) == ()


async def test_a_change_that_does_not_open_is_left_out_and_stops_no_page(vault: Vault) -> None:
    async with vault.unit() as unit:
        await unit.rota_changes.override(START, START + timedelta(days=1), responder="a")
        await unit.transaction.connection.execute(update(tables.rota_changes).values(sealed=b"nothing that opens"))
        assert await unit.rota_changes.between(START, START + timedelta(days=1)) == ()
