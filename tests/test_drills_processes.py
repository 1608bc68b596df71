"""A drill through real processes: it comes in at the public port, rings real phones, and leaves for nobody."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.databases import Cluster
from tests.test_journeys import folded, says
from tests.world import Desk, World, open_world

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.xdist_group("drills"),
    pytest.mark.timeout(300),
]

OWN = """\
title: A short one for this test
language: es
shift: day
messages:
  - say: Me tiene encerrada y esta noche vuelve con un cuchillo, dice que me va a matar
expect: {level: emergency, page: 2 minutes, acknowledge: 5 minutes, answer: 10 minutes}
"""
PATIENCE = 90.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(cluster: Cluster, tmp_path_factory: Any) -> AsyncIterator[World]:
    """A hotline of its own: a drill waits for real alerts, and other journeys leave some."""
    async with open_world(cluster, tmp_path_factory.mktemp("drilled")) as opened:
        folder = opened.home / "drills"
        folder.mkdir()
        (folder / "short_one.yml").write_text(OWN, encoding="utf-8")
        yield opened


async def begun(world: World, name: str = "short_one") -> asyncio.subprocess.Process:
    """`harborline drill run`, which follows it to its end."""
    environment = {**os.environ, **world.made.settings(), "HARBORLINE_HOME": str(world.home)}
    environment |= {"DATABASE_URL": world.database_url, "PUBLIC_URL": f"http://127.0.0.1:{world.ports.public}"}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "drill", "run", name),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def case_of(world: World) -> str:
    """Code of the newest drill's case, or ""."""
    found = world.rows(
        "SELECT c.code FROM drills d JOIN cases c ON c.id = d.case_id AND c.drill ORDER BY d.begun_at DESC LIMIT 1"
    )
    return str(found[0][0]) if found else ""


async def ended(world: World, process: asyncio.subprocess.Process) -> tuple[int, str]:
    """How the command ended, and what it said."""
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode or 0, (out + err).decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(world: World) -> Desk:
    """The supervisor, signed in once."""
    return await world.desk()


async def test_a_drill_rings_like_a_report_is_told_once_taken_and_closes_itself(world: World, desk: Desk) -> None:
    process = await begun(world)
    chat = world.responder_chat("Amina")
    await world.until(lambda: bool(case_of(world)), "the drill opened no case", PATIENCE)
    code = case_of(world)
    page = await chat.receives(code, within=PATIENCE)
    assert says("page.drill", "es") not in page.text  # it looks like any other page
    assert "This is a drill" not in await desk.page("/queue")
    await chat.press(says("page.take", "es"))
    await chat.receives(says("page.drill", "es"), within=PATIENCE)
    case = await desk.page(f"/cases/{code}")
    assert "This is a drill" in case
    await desk.do(code, "answer", text="Estamos aquí. ¿Puede salir sin riesgo?")
    status, said = await ended(world, process)
    assert (status, "passed" in said) == (0, True), said
    assert world.rows("SELECT state, unread FROM cases WHERE code = %s", code) == [("closed", False)]
    times = world.rows("SELECT page, acknowledge, answer FROM drills WHERE state = 'passed'")
    assert len(times) == 1
    assert 0 <= times[0][0] <= times[0][1] <= times[0][2]
    metrics = await desk.page("/metrics")
    assert 'level="emergency"' not in metrics  # no case of a drill is counted for a monitor
    assert "harborline_alerts_ringing 0" in metrics

    # Its answer was staff's words: they were taken out of the outbox, and no provider was asked to carry them.
    assert world.rows("SELECT count(*) FROM outbox WHERE kind = 'staff' AND state = 'accepted'")[0][0] >= 1
    assert not [event for event in world.exchange.journal.since(0) if "drill:" in repr(event)]
    assert world.exchange.alerts == []
    assert world.rows("SELECT count(*) FROM copies WHERE state = 'held' AND tries > 3") == [(0,)]


async def test_a_drill_that_nobody_takes_ends_before_the_outside_number_and_says_so(world: World) -> None:
    chats = {"es": world.responder_chat("Amina"), "ar": world.responder_chat("Bilal")}
    process = await begun(world)
    status, said = await ended(world, process)
    assert (status, "nobody acknowledged" in said) == (1, True), said
    code = case_of(world)
    outside = "SELECT p.id FROM pages p JOIN alerts a ON a.id = p.alert_id JOIN cases c ON c.id = a.case_id "
    assert world.rows(outside + "WHERE c.code = %s AND p.responder_id IS NULL", code) == []
    assert world.rows("SELECT state FROM cases WHERE code = %s", code) == [("closed",)]
    for language, chat in chats.items():  # whoever was called is told what it was
        await chat.receives(says("page.drill", language), within=PATIENCE)


async def test_a_real_emergency_during_a_drill_pages_as_always_and_calls_the_drill_off(world: World) -> None:
    chat = world.responder_chat("Bilal")
    process = await begun(world)
    running = "SELECT id FROM drills WHERE state = 'running' AND case_id IS NOT NULL"
    await world.until(lambda: bool(world.rows(running)), "the drill opened no case", PATIENCE)
    began = time.monotonic()
    person = world.phone()
    await person.text("He locked me in and he is coming back with a knife tonight, he will kill me")
    await person.receives(folded(says("danger.number")), within=PATIENCE)
    query = "SELECT c.code FROM cases c JOIN alerts a ON a.case_id = c.id WHERE NOT c.drill"
    await world.until(lambda: bool(world.rows(query)), "the real report rang nobody", PATIENCE)
    real = world.rows(query)[0][0]
    await chat.receives(real, within=PATIENCE)
    assert time.monotonic() - began < PATIENCE
    status, said = await ended(world, process)
    assert (status, "a real report came" in said) == (0, True), said
    assert world.rows("SELECT a.ringing FROM alerts a JOIN cases c ON c.id = a.case_id WHERE NOT c.drill") == [(True,)]
    world.hush()
