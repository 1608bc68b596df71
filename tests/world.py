"""A whole hotline for a test: practice carriers here, web and worker as processes of their own, a real PostgreSQL.

Tests read like phone calls. A world is made once a test process; tests use different people, so that they do not
hear each other. Tests that kill processes or databases make a world of their own.
"""

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pyotp
import pytest
import pytest_asyncio

from bot.demo import Ports, practice_exchange
from bot.practice import RESPONDERS, Practice, SignIn, enrol, practice
from carriers.exchange import Exchange
from carriers.handset import Chat, Phone
from tests.databases import Cluster

LINE = """\
name: Harborline
cover: Corner Laundry
languages: [en, es, fr, ar, hi, zh]
default_language: en
country: US
emergency_number: "911"
numbers: {sms: "+12025550100", voice: "+12025550101", telegram: harborline_demo_bot}
idle_minutes: 30
triage:
  outside_number: "+12025550190"
  method_wait: 4
  contact_gap: 1
  levels:
    emergency:
      page: at_once
      acknowledge: 180
      people_for_life: 1
      steps:
        - {who: next, wait: 8}
        - {who: next, wait: 8}
        - {who: everyone, wait: 10}
        - {who: outside, wait: 10}
      last_resort_every: 20
"""
_START = 150.0  # seconds for a process to be ready on a busy machine


@dataclass(slots=True)
class Process:
    """One process of the hotline."""

    name: str
    environment: dict[str, str]
    log: Path
    running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, or start it again."""
        with self.log.open("ab") as log:
            self.running = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", self.name, env=self.environment, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self.running and self.running.returncode is None:
            self.running.send_signal(signal.SIGKILL)
            await self.running.wait()

    async def stop(self) -> None:
        """Ask it to stop."""
        if self.running and self.running.returncode is None:
            self.running.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.running.wait(), 20)
            except TimeoutError:
                await self.kill()

    def events(self, name: str) -> list[str]:
        """Log lines of one event."""
        return [line for line in self.log.read_text().splitlines() if f'"event": "{name}"' in line]


@dataclass(slots=True)
class Desk:
    """A member of staff at a browser, signed in."""

    url: str
    session: aiohttp.ClientSession
    sign_in: SignIn

    async def enter(self) -> None:
        """Sign in with both factors."""
        code = pyotp.TOTP(self.sign_in.totp_seed).now()
        form = {"name": self.sign_in.name, "passphrase": self.sign_in.passphrase, "totp": code}
        async with self.session.post(f"{self.url}/signin", data=form, headers={"Origin": self.url}) as answer:
            page = await answer.text()
            assert answer.status == 200, answer.status
            assert "Sign out" in page

    async def page(self, path: str) -> str:
        """The text of a page."""
        async with self.session.get(self.url + path) as answer:
            assert answer.status == 200, (path, answer.status)
            return await answer.text()

    async def queue(self) -> str:
        """The queue."""
        return await self.page("/queue")

    async def do(self, code: str, action: str, *, expects: int = 200, **form: str) -> str:
        """Post one of a case's forms, as its page offers it; gives the page that answers with this status."""
        page = await self.page(f"/cases/{code}")
        found = re.search(rf'action="/cases/{code}/{action}">(.*?)</form>', page, re.DOTALL)
        if found is None and action == "close":
            page = await self.page(f"/cases/{code}/close")
            found = re.search(r"<form(.*?)</form>", page, re.DOTALL)
        assert found, f"the page of {code} offers no {action}"
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found[1]))
        headers = {"Origin": self.url}
        async with self.session.post(
            f"{self.url}/cases/{code}/{action}", data=hidden | form, headers=headers
        ) as answer:
            text = await answer.text()
            assert answer.status == expects, (action, answer.status, text)
            return text

    async def write_down(self, text: str, *, language: str, level: str) -> str:
        """Write a report down for somebody; gives the code that the page shows."""
        page = await self.page("/cases/new")
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        form = hidden | {"text": text, "language": language, "level": level}
        async with self.session.post(f"{self.url}/cases/new", data=form, headers={"Origin": self.url}) as answer:
            shown = re.search(r"<code>([0-9 ]{19})</code>", await answer.text())
            assert (answer.status, bool(shown)) == (200, True)
            return shown[1] if shown else ""


@dataclass(slots=True)
class World:
    """Everything a test can reach."""

    home: Path
    database_url: str
    made: Practice
    exchange: Exchange
    ports: Ports
    web: Process
    worker: Process
    _people: int = 0
    _sessions: list[aiohttp.ClientSession] = field(default_factory=list)

    def phone(self, number: str = "") -> Phone:
        """The phone of a person nobody has seen before, or of this number."""
        self._people += 1
        return self.exchange.phone(number or f"+1202555{2000 + self._people}")

    def chat(self) -> Chat:
        """The Telegram chat of a person nobody has seen before."""
        self._people += 1
        return self.exchange.chat(100_000 + self._people)

    def responder_phone(self, name: str) -> Phone:
        """A responder's phone."""
        return self.exchange.phone(next(r.phone for r in RESPONDERS if r.name == name))

    def responder_chat(self, name: str) -> Chat:
        """A responder's Telegram."""
        return self.exchange.chat(next(r.telegram for r in RESPONDERS if r.name == name))

    async def desk(self, member: int = 0) -> Desk:
        """A member of staff, signed in. Each code works once, so each member signs in at most every half minute."""
        session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self._sessions.append(session)
        desk = Desk(url=f"http://127.0.0.1:{self.ports.console}", session=session, sign_in=self.made.staff[member])
        await desk.enter()
        return desk

    def rows(self, query: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        """Ask the database itself."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query, values).fetchall()

    def hush(self) -> None:
        """Close every alert, so that one test's emergency does not ring through the next."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute(
                "UPDATE alerts SET ringing = false, machine = jsonb_set(machine::jsonb, '{state}', '\"closed\"')::json"
            )

    async def until(self, true: Callable[[], bool], complaint: str, within: float = 20.0) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + within
        while not true():
            assert time.monotonic() < deadline, complaint
            await asyncio.sleep(0.1)

    async def ready(self) -> None:
        """Wait until the web process takes reports."""
        deadline = time.monotonic() + _START
        async with aiohttp.ClientSession() as client:
            while time.monotonic() < deadline:
                try:
                    async with client.get(f"http://127.0.0.1:{self.ports.public}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        raise AssertionError(f"the web process did not get ready: {self.web.log.read_text()[-2000:]}")

    async def close(self) -> None:
        """Stop everything."""
        for session in self._sessions:
            await session.close()
        await asyncio.gather(self.web.stop(), self.worker.stop())


def free_port() -> int:
    """A port nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_line(home: Path, line: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "line.yml").write_text(line, encoding="utf-8")


@asynccontextmanager
async def open_world(cluster: Cluster, home: Path, *, line: str = LINE, **changes: str) -> AsyncIterator[World]:
    """A hotline of its own. `line` is its line.yml, `changes` are settings that differ from the practice line's."""
    _write_line(home, line)
    made, url = practice(home), cluster.new()
    await enrol(home, url, made)
    ports = Ports(phones=free_port(), public=free_port(), console=free_port())
    async with practice_exchange(made, ports, speed=5.0) as exchange:
        environment = {
            **os.environ,
            **made.settings(),
            "HARBORLINE_HOME": str(home),
            "DATABASE_URL": url,
            "PUBLIC_URL": f"http://127.0.0.1:{ports.public}",
            "PUBLIC_PORT": str(ports.public),
            "CONSOLE_PORT": str(ports.console),
            "TWILIO_API_URL": exchange.twilio_url,
            "TELEGRAM_API_URL": exchange.telegram_url,
            "LOG_LEVEL": "DEBUG",
            "UNDERSTANDING_BUDGET": "3",  # the tests share their cores; what is late would be asked for its language
            **changes,
        }
        world = World(
            home=home,
            database_url=url,
            made=made,
            exchange=exchange,
            ports=ports,
            web=Process("serve", environment, home / "web.log"),
            worker=Process("worker", environment, home / "worker.log"),
        )
        await world.web.start()
        await world.worker.start()
        try:
            await world.ready()
            await world.until(lambda: bool(world.worker.events("worker.ready")), "no worker", within=_START)
            yield world
        finally:
            await world.close()


@pytest.fixture
def quiet(world: World) -> Iterator[None]:
    """Whatever rings when a test is over rings no longer."""
    yield
    world.hush()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(cluster: Cluster, tmp_path_factory: Any) -> AsyncIterator[World]:
    """One hotline for all journeys of a test process."""
    async with open_world(cluster, tmp_path_factory.mktemp("line")) as opened:
        yield opened
