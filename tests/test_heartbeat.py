"""The heartbeat: sent to an outside monitor while a human can be reached, held back when not; never a word in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from io import StringIO

import pytest
from aiohttp import web

from bot.heartbeat import Heartbeat
from bot.house import House
from bot.jobs import Jobs
from bot.logs import Log
from tests.test_pager import alert_of, emergency, enrol
from tests.test_reached import _age_jobs
from tests.vaults import found_team
from triage.alerts import Alert, AlertState, PageState
from vault.paging import StoredAlert


@dataclass(slots=True)
class Monitor:
    """An outside monitor on this machine: what it was asked, and what it answers."""

    status: int = 200
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    address: str = ""
    log: StringIO = field(default_factory=StringIO)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path_qs, dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers={"Location": "/elsewhere"} if self.status == 302 else {})


@asynccontextmanager
async def monitored(house: House, status: int = 200) -> AsyncIterator[tuple[Heartbeat, Monitor]]:
    """A heartbeat with a real server that hears it."""
    monitor = Monitor(status=status)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", monitor.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monitor.address = f"http://127.0.0.1:{runner.addresses[0][1]}/ping/secret?status=up"
    try:
        settings = replace(house.settings, heartbeat_url=monitor.address)
        yield Heartbeat(replace(house, settings=settings, log=Log("INFO", monitor.log))), monitor
    finally:
        await runner.cleanup()


async def test_it_is_one_request_that_says_nothing(house: House) -> None:
    await enrol(house)
    case = await emergency(house)
    async with monitored(house) as (heart, monitor):
        await heart.beat()
    ((method, path, headers, body),) = monitor.asked
    assert (method, path, body) == ("GET", "/ping/secret?status=up", b"")
    assert set(headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding"}
    assert headers["User-Agent"] == "Harborline"
    assert case.code not in str(headers)
    assert house.counts["heartbeat_sent"] == 1


async def test_without_an_address_nothing_is_sent(house: House) -> None:
    await Heartbeat(house).beat()
    assert not house.counts


async def test_it_stops_while_nobody_could_open_a_report(house: House) -> None:
    async with monitored(house) as (heart, monitor):
        await heart.beat()
        assert monitor.asked == []
        await found_team(house.vault)
        await heart.beat()
        assert len(monitor.asked) == 1
    assert "no_team" in monitor.log.getvalue()


async def test_it_stops_while_urgent_work_is_late(house: House) -> None:
    Jobs(house).register(house.vault.jobs)
    await enrol(house)
    await emergency(house)
    async with monitored(house) as (heart, monitor):
        await _age_jobs(house, 91)
        await heart.beat()
    assert monitor.asked == []
    assert "urgent_work_is_late" in monitor.log.getvalue()


async def test_it_stops_while_everyone_is_called_and_no_provider_takes_any_of_it(house: House) -> None:
    await enrol(house)
    case = await emergency(house)
    async with monitored(house) as (heart, monitor):
        for state, heard in ((PageState.FAILED, False), (PageState.ACCEPTED, True)):
            async with house.vault.unit() as unit:
                stored = await alert_of(unit, case)
                alert = Alert.from_json(stored.machine)
                pages = tuple(replace(page, state=state) for page in alert.pages)
                loud = replace(alert, state=AlertState.LAST_RESORT, pages=pages)
                await unit.alerts.save(StoredAlert(id=stored.id, case_id=case.id, ringing=True, machine=loud.to_json()))
            before = len(monitor.asked)
            await heart.beat()
            assert (len(monitor.asked) > before) is heard, state
    assert "no_provider_takes_anything" in monitor.log.getvalue()


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_monitor_that_refuses_is_counted_and_not_followed(house: House, status: int) -> None:
    await found_team(house.vault)
    async with monitored(house, status) as (heart, monitor):
        await heart.beat()
    assert len(monitor.asked) == 1
    assert (house.counts["heartbeat_failed"], house.counts["heartbeat_sent"]) == (1, 0)
    assert "secret" not in monitor.log.getvalue()


async def test_a_monitor_that_is_away_breaks_nothing_and_its_address_is_not_logged(
    house: House,
) -> None:
    await found_team(house.vault)
    settings, log = replace(house.settings, heartbeat_url="http://127.0.0.1:1/canary-path"), StringIO()
    await Heartbeat(replace(house, settings=settings, log=Log("INFO", log))).beat()
    assert house.counts["heartbeat_failed"] == 1
    assert "heartbeat.failed" in log.getvalue()
    assert "canary" not in log.getvalue() + repr(settings)


async def test_a_worker_that_takes_the_look_sends_it_and_without_a_worker_nothing_comes(house: House) -> None:
    """The real job queue: the look asks for the beat, and the beat goes out, only because a worker takes both."""
    await found_team(house.vault)
    async with monitored(house) as (_, monitor), house.vault.jobs.open_async():
        settings = replace(house.settings, heartbeat_url=monitor.address)
        Jobs(replace(house, settings=settings)).register(house.vault.jobs)
        await house.vault.jobs.configure_task("look").defer_async(timestamp=0)
        assert monitor.asked == []
        await house.vault.jobs.run_worker_async(queues=["urgent"], wait=False, install_signal_handlers=False)
        assert len(monitor.asked) == 1
