"""A customer of the practised carriers, for testing the carriers alone: answers webhooks as a test tells it to.

No room is imported; the signature is checked with Twilio's own library, which the carriers do not use.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Self

from aiohttp import web
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from carriers.exchange import Exchange
from carriers.numbers import Line, Person

ACCOUNT = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "a-practice-token"
BOT_TOKEN = "4711:practice-bot-token"
BOT_NAME = "harborline_test_bot"
LINE, PERSON, RESPONDER = "+15550100100", "+15550199101", "+15550199202"
PUBLIC = "https://hotline.example"
XML = '<?xml version="1.0" encoding="UTF-8"?>'

Answer = str | web.Response | Callable[[Mapping[str, str]], str | web.Response]


def twiml(inside: str) -> web.Response:
    """A TwiML document."""
    return web.Response(text=f"{XML}<Response>{inside}</Response>", content_type="text/xml")


def a_client(exchange: Exchange, http: AsyncTwilioHttpClient, token: str = AUTH_TOKEN) -> Any:
    """Twilio's library, pointed at the exchange. Any: its annotations make every field of every answer optional."""
    client: Any = Client(ACCOUNT, token, http_client=http)  # type: ignore[no-untyped-call]  # the library has no types here
    client.api.base_url = exchange.twilio_url
    return client


class Subscriber:
    """Keeps every webhook (path, fields, headers) and answers by path; unknown paths get an empty document."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.posts: list[tuple[str, dict[str, str], Mapping[str, str]]] = []
        self.updates: list[tuple[str, dict[str, Any]]] = []  # Telegram's: secret and body
        self.forged = 0
        self._validator: Any = RequestValidator(AUTH_TOKEN)  # type: ignore[no-untyped-call]  # the same
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.route("*", "/{path:.*}", self._take)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        fields = {name: str(value) for name, value in (await request.post()).items()}
        if request.path == "/telegram":
            return await self._take_update(request)
        if request.path == "/sound.wav":
            return web.Response(body=b"\0" * 40, content_type="audio/wav")
        if request.path == "/slow":
            await asyncio.sleep(2)
        signature = request.headers.get("X-Twilio-Signature", "")
        if not self._validator.validate(PUBLIC + request.path_qs, fields, signature):
            self.forged += 1
            return web.Response(status=403)
        self.posts.append((request.path, fields, request.headers))
        answer = self.answers.get(request.path, twiml(""))
        answer = answer(fields) if callable(answer) else answer
        if isinstance(answer, str):
            return twiml(answer)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    async def _take_update(self, request: web.Request) -> web.Response:
        self.updates.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token", ""), await request.json()))
        answer = self.answers.get("/telegram", "")
        assert callable(answer) or isinstance(answer, str)
        status = answer({}) if callable(answer) else answer
        assert isinstance(status, str)
        if status.startswith("{"):
            return web.Response(text=status, content_type="application/json")
        return web.Response(status=int(status or 200))

    def fields(self, path: str) -> list[dict[str, str]]:
        """The fields of all posts to this path, oldest first."""
        return [fields for posted, fields, _ in self.posts if posted == path]

    async def takes_all_updates(self, exchange: Exchange) -> None:
        """Wait until Telegram has nothing left to deliver."""
        async with asyncio.timeout(5):
            while exchange.feed.pending:  # noqa: ASYNC110 - a test looks from outside
                await asyncio.sleep(0.005)

    async def receives(self, path: str, **wanted: str) -> dict[str, str]:
        """Wait for a post to this path with these fields."""
        async with asyncio.timeout(5):
            while True:
                for fields in self.fields(path):
                    if wanted.items() <= fields.items():
                        return fields
                await asyncio.sleep(0.005)


def an_exchange(subscriber: Subscriber, **settings: Any) -> Exchange:
    """A quick exchange whose line belongs to this subscriber. Not started."""
    line = Line(
        number=LINE,
        sms_url=f"{PUBLIC}/sms",
        voice_url=f"{PUBLIC}/voice",
        status_url=f"{PUBLIC}/call-status",
    )
    person = Person(number=PERSON, name="CANARY NAME", city="CANARYVILLE", state="ZZ", zip="99999")
    quick: dict[str, Any] = {"speech": 1e6, "delivery_delay": 0.02}
    return Exchange(
        ACCOUNT,
        AUTH_TOKEN,
        BOT_TOKEN,
        BOT_NAME,
        lines=[line],
        people=[person],
        routes={PUBLIC: subscriber.url},
        **quick | settings,
    )
