"""A house wired to the practice carriers within one process: real adapters, real PostgreSQL, one clock for all of it.

Jobs do not run by themselves: a test moves the clock and has the due ones done.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import text

from bot.house import House
from bot.jobs import Jobs
from bot.sending import Sending
from bot.turn import Turns
from carriers.exchange import Exchange
from carriers.handset import Chat
from carriers.numbers import Line
from channels.sms import Sms
from channels.telegram import Telegram
from channels.twilio import Twilio, TwilioAccount
from channels.voice import Voice
from tests.subscriber import ACCOUNT, AUTH_TOKEN, BOT_NAME, BOT_TOKEN, LINE, PUBLIC
from tests.vaults import Clock, found_team, rows
from tests.world import free_port

__all__ = ["wired"]

SECRET = "practice-secret"
_NEXT = """DELETE FROM procrastinate_jobs WHERE id = (
    SELECT id FROM procrastinate_jobs
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= :now) AND task_name = ANY(:tasks)
    ORDER BY scheduled_at NULLS FIRST, id LIMIT 1
) RETURNING task_name, args"""


@dataclass(slots=True)
class Wired:
    """The house, its carriers and its clock."""

    house: House
    exchange: Exchange
    clock: Clock

    async def work(self, *tasks: str) -> int:
        """Do the jobs that are due, or those of these tasks, until none is left; gives how many that were."""
        known, done = self.house.vault.jobs.tasks, 0
        while True:
            async with self.house.vault.engine.begin() as connection:
                due = {"now": self.clock.now, "tasks": list(tasks or known)}
                row = (await connection.execute(text(_NEXT), due)).first()
            if row is None:
                return done
            await known[row.task_name].func(**row.args)
            done += 1

    async def chats(self, chat: Chat, *words: str) -> None:
        """Somebody writes on Telegram, and each message is answered before the next."""
        for one in words:
            await chat.text(one)
            async with asyncio.timeout(5):
                while self.exchange.feed.pending:  # noqa: ASYNC110 - a test looks from outside
                    await asyncio.sleep(0.005)
            await self.work("deliver")

    def digest(self, resource: str) -> bytes:
        """How the ledger names a provider's resource."""
        return hmac.digest(self.house.vault.ring.service_key("copy"), resource.encode(), hashlib.sha256)

    async def ledger(self) -> dict[bytes, str]:
        """States by digest."""
        return dict(await rows(self.house.vault, "SELECT digest, state FROM copies"))

    async def jobs(self, task: str) -> int:
        """How many jobs of this task wait."""
        ((count,),) = await rows(
            self.house.vault,
            f"SELECT count(*) FROM procrastinate_jobs WHERE task_name = '{task}'",  # noqa: S608 - a name from the tests
        )
        return int(count)


def _webhooks(house: House) -> web.Application:
    app, turns, sending = web.Application(), Turns(house), Sending(house)
    for way in house.channels.values():
        for route in way.routes(turns.take, sending.report, lambda channel, reason: None):
            if route.path not in {known.canonical for known in app.router.resources()}:  # SMS and voice share one
                app.router.add_routes([route])
    return app


@pytest_asyncio.fixture
async def wired(house: House, clock: Clock) -> AsyncIterator[Wired]:
    """A house that can be texted, called and chatted with; somebody can open its cases."""
    await found_team(house.vault)
    port = free_port()
    exchange = Exchange(
        ACCOUNT,
        AUTH_TOKEN,
        BOT_TOKEN,
        BOT_NAME,
        lines=[
            Line(
                number=LINE,
                sms_url=f"{PUBLIC}/twilio/messages",
                voice_url=f"{PUBLIC}/twilio/voice",
                status_url=f"{PUBLIC}/twilio/voice/status",
            )
        ],
        speech=1e6,
        delivery_delay=0.02,
        clock=clock,
        routes={PUBLIC: f"http://127.0.0.1:{port}"},
    )
    async with exchange:
        account = TwilioAccount(sid=ACCOUNT, auth_token=AUTH_TOKEN, api_url=exchange.twilio_url, public_url=PUBLIC)
        telegram = Telegram(BOT_TOKEN, SECRET, api_url=exchange.telegram_url)
        ways = (Sms(Twilio(account), LINE), Voice(Twilio(account), LINE), telegram)
        whole = replace(house, channels={way.name: way for way in ways})
        Jobs(whole).register(whole.vault.jobs)
        server = TestServer(_webhooks(whole), port=port)
        await server.start_server(access_log=None)
        async with whole.vault.jobs.open_async():
            await telegram.register_webhook(PUBLIC, SECRET)
            yield Wired(whole, exchange, clock)
        for way in ways:
            await way.close()
        await server.close()
