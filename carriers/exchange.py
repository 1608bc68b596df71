"""The whole practice world on one page: a telephone company, Telegram, and phones, started and stopped together.

Only wiring lives here. `async with Exchange(...) as exchange:` starts on free ports of the loopback.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from carriers.calls import Calls
from carriers.company import Company, Tasks
from carriers.faults import Faults
from carriers.handset import Chat, Phone
from carriers.journal import Journal
from carriers.messages import Messages
from carriers.numbers import Line, Person
from carriers.pace import Pace, utc_now
from carriers.phones import PhonesApi
from carriers.recordings import Recordings
from carriers.sounds import Sounds
from carriers.telegram_api import TelegramApi
from carriers.telegram_bot import Friend, TelegramBot
from carriers.telegram_feed import Feed
from carriers.twilio_api import TwilioApi
from carriers.webhooks import Alert, Courier, Reply

_LARGEST_BODY = 50 * 1024 * 1024  # bytes
_SHUTDOWN = 0.5  # seconds that open connections are given


class Exchange:
    """A practised world. `lines` are the account's numbers, `people` those of whom the carrier knows more.

    `speed` scales all waits a person would notice, `speech` is in characters a practised second, `delivery_delay`
    in practised seconds, `webhook_timeout` in real ones. `routes` maps the beginning of public addresses to where
    they are reached. `setup` is what the phones page is told about the demo.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        bot_token: str,
        bot_name: str,
        *,
        lines: Iterable[Line] = (),
        people: Iterable[Person] = (),
        setup: Mapping[str, Any] | None = None,
        routes: Mapping[str, str] | None = None,
        speed: float = 1.0,
        speech: float = 15.0,
        delivery_delay: float = 0.3,
        webhook_timeout: float = 15.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.setup: Mapping[str, Any] = setup or {}
        self.pace = Pace(speed=speed, speech=speech, clock=clock)
        self.faults = Faults()
        self.journal = Journal()
        self._tasks = Tasks()
        self._closing = asyncio.Event()
        self._courier = Courier(
            auth_token=auth_token, faults=self.faults, pace=self.pace, routes=routes or {}, timeout=webhook_timeout
        )
        self._company = Company(
            account_sid=account_sid,
            auth_token=auth_token,
            pace=self.pace,
            faults=self.faults,
            journal=self.journal,
            courier=self._courier,
            tasks=self._tasks,
            delivery_delay=delivery_delay,
            lines={line.number: line for line in lines},
            people={person.number: person for person in people},
        )
        self.messages = Messages(self._company)
        self.calls = Calls(self._company)
        self.recordings = Recordings(self._company)
        self.feed = Feed(pace=self.pace, faults=self.faults, courier=self._courier)
        self.bot = TelegramBot(
            bot_id=int(bot_token.partition(":")[0]), name=bot_name, pace=self.pace, journal=self.journal
        )
        self.bot.push = self.feed.push
        self._twilio = TwilioApi(self._company, self.messages, self.calls, self.recordings, self._closing)
        self._telegram = TelegramApi(
            token=bot_token, bot=self.bot, feed=self.feed, faults=self.faults, closing=self._closing
        )
        self._phones = PhonesApi(self)
        self._handsets: dict[str, Phone] = {}
        self._chats: dict[int, Chat] = {}
        self._runners: list[web.AppRunner] = []
        self.twilio_url = self.telegram_url = self.phones_url = ""

    # running ---------------------------------------------------------------------------------------------

    async def start(
        self, host: str = "127.0.0.1", twilio_port: int = 0, telegram_port: int = 0, phones_port: int = 0
    ) -> None:
        """Listen on three ports; 0 picks free ones. The addresses are in `twilio_url` and its sisters."""
        self.twilio_url = await self._listen(self._twilio.routes(), host, twilio_port)
        self.telegram_url = await self._listen(self._telegram.routes(), host, telegram_port)
        self.phones_url = await self._listen(self._phones.routes(), host, phones_port)
        self._company.addresses["api"] = self.twilio_url
        self._tasks.start(self.feed.run())

    async def close(self) -> None:
        """Hang up everything and stop. Raises ExceptionGroup when something inside had failed."""
        self._closing.set()
        await self._tasks.stop()
        await self._courier.close()
        for runner in self._runners:
            await runner.cleanup()
        if self._tasks.failures:
            raise ExceptionGroup("something failed inside the practised carriers", self._tasks.failures)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return await self.close()
        with contextlib.suppress(ExceptionGroup):  # the error that is under way says more
            await self.close()
        return None

    async def _listen(self, routes: Sequence[web.RouteDef], host: str, port: int) -> str:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, host, port).start()
        return f"http://{host}:{runner.addresses[0][1]}"

    # the world -------------------------------------------------------------------------------------------

    @property
    def lines(self) -> Mapping[str, Line]:
        """The account's numbers."""
        return self._company.lines

    @property
    def sms_line(self) -> str:
        """The number that people text when they name none; "" without any."""
        return next((line.number for line in self.lines.values() if line.sms_url), "")

    @property
    def voice_line(self) -> str:
        """The number that people call when they name none; "" without any."""
        return next((line.number for line in self.lines.values() if line.voice_url), "")

    @property
    def sounds(self) -> Sounds:
        """Recordings that were played."""
        return self._company.sounds

    def add_line(self, line: Line) -> None:
        """Give the account a number, or change where its webhooks go."""
        self._company.lines[line.number] = line

    def add_person(self, person: Person) -> None:
        """Tell the carrier who has a number."""
        self._company.people[person.number] = person

    def add_friend(self, friend: Friend) -> None:
        """Tell Telegram who has a chat."""
        self.bot.friends[friend.id] = friend

    def phone(self, number: str) -> Phone:
        """The handset with this number; the same one each time."""
        return self._handsets.setdefault(number, Phone(self, number))

    def chat(
        self,
        chat: int,
        *,
        started: bool = True,
        first_name: str = "Person",
        username: str = "",
        language_code: str = "",
    ) -> Chat:
        """The Telegram app of this person; the same one each time. What is said about them counts the first time."""
        if chat not in self._chats:
            friend = Friend(
                id=chat, started=started, first_name=first_name, username=username, language_code=language_code
            )
            self.bot.friends.setdefault(chat, friend)
            self._chats[chat] = Chat(self, chat)
        return self._chats[chat]

    # what happened ---------------------------------------------------------------------------------------

    @property
    def alerts(self) -> Sequence[Alert]:
        """Errors as Twilio's debugger would list them, oldest first."""
        return self._courier.alerts

    @property
    def webhooks(self) -> Sequence[Reply]:
        """Every webhook request of the telephone company with its answer, oldest first."""
        return self._courier.replies

    @property
    def requests(self) -> Sequence[str]:
        """Every API request by its fault target: first Twilio's, then Telegram's."""
        return [*self._twilio.requests, *self._telegram.requests]
