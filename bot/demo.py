"""`harborline demo`: a whole hotline on this machine. Nothing to sign up for, and nothing leaves the machine.

Embedded PostgreSQL, migrations, practice carriers and their phones page in this process; web and worker as processes
of their own, kept running.
"""

import asyncio
import os
import socket
import sys
import time
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from bot.commands import ready
from bot.context import Context
from bot.errors import CommandFailed
from bot.examples import send_examples
from bot.line import read_line
from bot.practice import (
    BOT_NAME,
    OUTSIDE_NUMBER,
    PEOPLE,
    RESPONDERS,
    SMS_NUMBER,
    VOICE_NUMBER,
    Practice,
    enrol,
    practice,
    write_demo,
)
from bot.processes import Child, keep_running
from bot.serve import stop_signal
from carriers.exchange import Exchange
from carriers.numbers import Line as CarrierLine
from carriers.numbers import Person
from dialogs.marked import BadFile
from vault.database import migrate

_READY: Final = 60.0  # seconds until the web process must have answered
_STARTED: Final = time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the demo listens, all on 127.0.0.1."""

    phones: int
    public: int
    console: int


async def run(context: Context) -> None:
    """Start everything, say where it is, and run until Ctrl-C."""
    home = context.settings.harborline_home.absolute()
    made = practice(home)
    try:
        read_line(home / "line.yml")
    except BadFile as error:
        raise CommandFailed(str(error), status=2) from None
    settings = ready(context.settings)
    migrate(settings.database_url)
    await enrol(home, settings.database_url, made)
    ports = Ports(
        phones=_free(context.arguments.port), public=_free(settings.public_port), console=_free(settings.console_port)
    )
    exchange = practice_exchange(made, ports)
    await exchange.start(phones_port=ports.phones)
    stop = stop_signal()
    environment = _environment(home, settings.database_url, made, ports, exchange)
    children = [
        Child(name=name, command=(sys.executable, "-m", "bot", name), environment=environment)
        for name in ("serve", "worker")
    ]
    running = asyncio.create_task(keep_running(children, context.log, stop))
    try:
        await _until_ready(ports, running)
        addresses = _addresses(ports, exchange)
        write_demo(home, made, addresses)
        for person in RESPONDERS:
            await exchange.chat(person.telegram).text("/start")
        _announce(made, addresses, home)
        if context.arguments.examples:
            await send_examples(exchange)
        if not context.arguments.no_browser and os.environ.get("DISPLAY"):
            webbrowser.open(addresses["phones"])
        await asyncio.wait({running, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        await running
        await exchange.close()


def practice_exchange(made: Practice, ports: Ports, *, speed: float = 1.0) -> Exchange:
    """Practice carriers that know the practice line's numbers, people and webhooks."""
    public = f"http://127.0.0.1:{ports.public}"
    return Exchange(
        made.twilio_account_sid,
        made.twilio_auth_token,
        made.telegram_bot_token,
        BOT_NAME,
        lines=[
            CarrierLine(
                number=SMS_NUMBER,
                sms_url=f"{public}/twilio/messages#rc=3&rp=5xx",  # as docs/operating.md tells to set up a number
                sms_status_url=f"{public}/twilio/status",
            ),
            CarrierLine(
                number=VOICE_NUMBER, voice_url=f"{public}/twilio/voice", status_url=f"{public}/twilio/voice/status"
            ),
        ],
        people=[
            Person(number=p.phone, name=p.name.upper(), city="SPRINGFIELD", state="IL", zip="62701")
            for p in (*PEOPLE, *RESPONDERS)
        ],
        setup=_setup(ports),
        speed=speed,
    )


def _setup(ports: Ports) -> dict[str, object]:
    sms, telegram, voice = PEOPLE
    return {
        "line": {"sms": SMS_NUMBER, "voice": VOICE_NUMBER, "bot": BOT_NAME},
        "people": [
            {"name": sms.name, "kind": "sms", "phone": sms.phone},
            {"name": telegram.name, "kind": "telegram", "phone": str(telegram.telegram)},
            {"name": voice.name, "kind": "voice", "phone": voice.phone},
        ],
        "responders": [{"name": r.name, "phone": r.phone, "telegram": str(r.telegram)} for r in RESPONDERS],
        "console": f"http://127.0.0.1:{ports.console}",
    }


def _environment(home: Path, database_url: str, made: Practice, ports: Ports, exchange: Exchange) -> Mapping[str, str]:
    return {
        **os.environ,
        **made.settings(),
        "HARBORLINE_HOME": str(home),
        "DATABASE_URL": database_url,
        "PUBLIC_URL": f"http://127.0.0.1:{ports.public}",
        "PUBLIC_PORT": str(ports.public),
        "CONSOLE_PORT": str(ports.console),
        "CONSOLE_URL": f"http://127.0.0.1:{ports.console}",
        "LISTEN": "127.0.0.1",
        "TWILIO_API_URL": exchange.twilio_url,
        "TELEGRAM_API_URL": exchange.telegram_url,
    }


def _addresses(ports: Ports, exchange: Exchange) -> dict[str, str]:
    return {
        "phones": exchange.phones_url,
        "console": f"http://127.0.0.1:{ports.console}",
        "public": f"http://127.0.0.1:{ports.public}",
        "twilio": exchange.twilio_url,
        "telegram": exchange.telegram_url,
    }


def _free(port: int) -> int:
    """This port, or a free one when somebody has it."""
    for candidate in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            number: int = probe.getsockname()[1]
            return number
    raise CommandFailed("No port is free on 127.0.0.1: stop another program, then try again.")


async def _until_ready(ports: Ports, running: "asyncio.Task[None]") -> None:
    deadline = time.monotonic() + _READY
    async with aiohttp.ClientSession() as client:
        while time.monotonic() < deadline and not running.done():
            try:
                async with client.get(f"http://127.0.0.1:{ports.public}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass  # it does not listen yet
            await asyncio.sleep(0.1)
    raise CommandFailed("The demo did not get ready: the lines above say what its processes complained about.")


def _announce(made: Practice, addresses: Mapping[str, str], home: Path) -> None:
    rows = [
        "Harborline is ready",
        f"  phones page    {addresses['phones']}",
        f"  staff console  {addresses['console']}/signin",
        f"  webhooks       {addresses['public']}",
        *(f"  sign in as     {m.name}   passphrase {m.passphrase}   TOTP seed {m.totp_seed}" for m in made.staff),
        f"  last resort    {OUTSIDE_NUMBER}; everything is also in {home / 'demo.json'}",
        f"  started in {time.monotonic() - _STARTED:.1f} s; Ctrl-C stops all of it",
    ]
    sys.stdout.write("\n".join(rows) + "\n")
    sys.stdout.flush()
