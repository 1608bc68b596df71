"""A responder's calendar address: it shows shifts, to whoever has it, until it is taken back; and nothing else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.app import public_app
from bot.feed import Feed
from bot.house import House
from bot.patience import Pace
from tests.houses import LINE, a_line
from tests.test_readiness import AMINA, BILAL, CALENDAR
from tests.vaults import Clock, rows

SECRET = "k" * 43
Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def calendar(house: House) -> AsyncIterator[tuple[House, Client]]:
    """The public port of a line whose Amina and Bilal take turns, and where Amina has an address."""
    line = a_line(LINE + CALENDAR)
    made = replace(house, line=line, pager=replace(house.pager, line=line))
    async with made.vault.unit() as unit:
        amina = await unit.responders.add("Amina", ["es"], AMINA)
        await unit.responders.add("Bilal", ["es"], BILAL)
        await unit.feeds.give(amina, SECRET)
    async with TestClient(TestServer(public_app(made))) as client:
        yield made, client


async def asked(client: Client, secret: str = SECRET, **headers: str) -> tuple[int, str, str]:
    """Status, body and entity tag."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.get(f"/calendar/{secret}.ics", headers=named) as answer:
        return answer.status, await answer.text(), answer.headers.get("ETag", "")


async def test_it_shows_the_shifts_of_its_responder_and_no_name_line_or_colleague(
    calendar: tuple[House, Client],
) -> None:
    status, text, _ = await asked(calendar[1])
    assert status == 200
    assert "DTSTART:20260303T110000Z\r\nDTEND:20260304T110000Z\r\nSUMMARY:Turno\r\n" in text
    assert text.count("BEGIN:VEVENT") == 30  # every second day of two months, and no half one at their end
    for telling in ("Amina", "Bilal", "Harbor", "hotline", "9001", "2025550", "example"):
        assert telling not in text


async def test_who_has_it_already_gets_nothing_again_until_something_changes(
    calendar: tuple[House, Client], clock: Clock
) -> None:
    house, client = calendar
    _, _, known = await asked(client)
    clock.later(hours=3)
    assert (await asked(client, If_None_Match=known))[:2] == (304, "")
    async with house.vault.unit() as unit:
        amina, bilal = await unit.responders.all()
        now = unit.transaction.now
        await unit.rota_changes.override(
            now + timedelta(days=1), now + timedelta(days=2), responder=str(bilal.id), replaces=str(amina.id)
        )
    status, _, new = await asked(client, If_None_Match=known)
    assert status == 200
    assert new != known


async def test_an_address_that_was_never_given_was_taken_back_or_belongs_to_nobody_is_the_same_nothing(
    calendar: tuple[House, Client],
) -> None:
    house, client = calendar
    nothing = (404, "There is no calendar here.\n", "")
    assert await asked(client, "x" * 43) == nothing
    assert await asked(client, "..%2f..%2fx") == nothing
    async with house.vault.unit() as unit:
        (amina, _) = await unit.responders.all()
        await unit.feeds.revoke(amina.id)
    assert await asked(client) == nothing
    async with house.vault.unit() as unit:
        await unit.feeds.give(amina.id, SECRET)
        await unit.responders.remove(amina.id)
    assert await asked(client) == nothing


async def test_a_new_address_ends_the_old_one_and_neither_can_be_read_in_the_database(
    calendar: tuple[House, Client],
) -> None:
    house, client = calendar
    async with house.vault.unit() as unit:
        (amina, _) = await unit.responders.all()
        await unit.feeds.give(amina.id, "n" * 43)
    assert (await asked(client))[0] == 404
    assert (await asked(client, "n" * 43))[0] == 200
    ((digest,),) = await rows(house.vault, "SELECT digest FROM rota_feeds")
    assert len(digest) == 32
    assert b"nnn" not in bytes(digest)


async def test_whoever_guesses_has_to_wait(house: House) -> None:
    app = web.Application()
    app.add_routes([Feed(house, Pace(burst=3, every=timedelta(minutes=1))).route()])
    async with TestClient(TestServer(app)) as client:
        assert [(await asked(client, "x" * 43))[0] for _ in range(5)] == [404, 404, 404, 503, 503]


async def test_a_line_without_a_calendar_shows_none(house: House) -> None:
    async with house.vault.unit() as unit:
        await unit.feeds.give(await unit.responders.add("Amina", ["es"], AMINA), SECRET)
    async with TestClient(TestServer(public_app(house))) as client:
        status, text, _ = await asked(client)
    assert status == 200
    assert "VEVENT" not in text
