"""The bench that every adapter stands on: a house that records, a provider that answers, and requests as providers
make them. Signatures are computed here from Twilio's documentation; nothing is taken from the adapters.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from channels.messages import Answer, Channel, ChannelName, Choice, Delivery, Expect, Incoming
from channels.sms import Sms
from channels.telegram import Telegram
from channels.twilio import Twilio, TwilioAccount
from channels.voice import Voice

PUBLIC_URL = "https://line.example"
SID = "AC" + "0" * 32
TOKEN = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
BOT_TOKEN = "123456789:CANARY-bot-token-AAAAAAAAAAAAAAAAAA"
SECRET = "hook-secret_1"
LINE = "+15005550006"
PERSON = "+15551230001"
CHAT = 777000111

ANSWER = Answer(
    text="Is it safe to talk now?",
    language="en",
    choices=(
        Choice(id="safe:yes", key="1", label="Yes", spoken="For yes, press 1."),
        Choice(id="safe:no", key="2", label="No", spoken="For no, press 2."),
    ),
)
REST = Answer(text="Thank you. You can write again at any time.", language="en", expect=Expect.NOTHING)

Respond = Callable[[Incoming], Awaitable[Answer | None]]


class House:
    """Stands for the rest of the house: records what comes, answers, and can be made to fail."""

    def __init__(self, answer: Answer | None = ANSWER) -> None:
        self.answer = answer
        self.failure: Exception | None = None
        self.incoming: list[Incoming] = []
        self.deliveries: list[Delivery] = []
        self.refusals: list[tuple[ChannelName, str]] = []

    async def receive(self, incoming: Incoming) -> Answer | None:
        self.incoming.append(incoming)
        if self.failure:
            raise self.failure
        return self.answer

    async def report(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

    def refused(self, channel: ChannelName, reason: str) -> None:
        self.refusals.append((channel, reason))

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason in self.refusals]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One webhook as the provider would make it."""

    path: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def sign(path: str, pairs: Mapping[str, str], base: str = PUBLIC_URL, token: str = TOKEN) -> str:
    """Twilio's signature: base64(HMAC-SHA1(token, address + each name and value, names sorted))."""
    text = base + path + "".join(name + pairs[name] for name in sorted(pairs))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


FORM = "application/x-www-form-urlencoded; charset=UTF-8"


def twilio_request(path: str, pairs: Mapping[str, str], signature: str | None = None) -> Request:
    """A signed form, or one with another signature."""
    given = sign(path, pairs) if signature is None else signature
    headers = {"Content-Type": FORM, "X-Twilio-Signature": given}
    return Request(path=path, body=urlencode(pairs).encode(), headers=headers)


def raw_twilio(path: str, body: bytes, signed_over: Mapping[str, str] | None = None) -> Request:
    """Bytes as they are, with the signature of an empty or of another form."""
    headers = {"Content-Type": FORM, "X-Twilio-Signature": sign(path, signed_over or {})}
    return Request(path=path, body=body, headers=headers)


def telegram_request(update: object, secret: str = SECRET) -> Request:
    """An update, or raw bytes, with a secret."""
    body = update if isinstance(update, bytes) else json.dumps(update).encode()
    headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": secret}
    return Request(path="/telegram/webhook", body=body, headers=headers)


def message(text: str | None = None, number: int = 1, **more: object) -> dict[str, Any]:
    """A private message as Telegram documents it, with every identifying field filled in by a canary."""
    who = {"id": CHAT, "first_name": "CANARYfirst", "last_name": "CANARYlast", "username": "CANARYuser"}
    body: dict[str, Any] = {
        "message_id": 40 + number,
        "from": {**who, "is_bot": False, "language_code": "CANARYlang"},
        "chat": {**who, "type": "private"},
        "date": 1700000000,
        **more,
    }
    return {"update_id": number, "message": body if text is None else {**body, "text": text}}


def press(data: str = "safe:yes", number: int = 9) -> dict[str, Any]:
    """A pressed button."""
    return {
        "update_id": number,
        "callback_query": {
            "id": "4382bfdwdsb323b2d9",
            "from": {"id": CHAT, "is_bot": False, "first_name": "CANARYfirst"},
            "message": message("the question", number)["message"],
            "chat_instance": "CANARYinstance",
            "data": data,
        },
    }


# Documented Twilio fields that must end in the adapter, each with a canary.
DROPPED = {
    name: f"CANARY{name}"
    for name in (
        *("FromCity", "FromState", "FromZip", "FromCountry", "ToCity", "ToState", "ToZip", "ToCountry"),
        *("CallerName", "CallerCity", "CallerState", "CallerZip", "CallerCountry", "Caller", "Called", "CalledCity"),
        *("ProfileName", "WaId", "AccountSid", "ApiVersion", "ForwardedFrom", "StirVerstat", "Latitude", "Address"),
    )
}


class Way:
    """One channel on the bench: an adapter, and how its provider says words."""

    def __init__(self, channel: ChannelName, adapter: Channel) -> None:
        self.channel = channel
        self.adapter = adapter

    def says(self, text: str, number: int = 1) -> Request:
        """A person says `text`; `number` makes the event's id."""
        if self.channel is ChannelName.TELEGRAM:
            return telegram_request(message(text, number))
        return twilio_request(self.path(number), self.form(text, number))

    def form(self, text: str, number: int) -> dict[str, str]:
        """Twilio's form for it."""
        if self.channel is ChannelName.SMS:
            return {
                "MessageSid": f"SM{number:032x}",
                "From": PERSON,
                "To": LINE,
                "Body": text,
                "NumMedia": "0",
                **DROPPED,
            }
        return {"CallSid": "CA" + "a" * 32, "From": PERSON, "To": LINE, "SpeechResult": text, **DROPPED}

    def path(self, number: int = 1) -> str:
        """Where the provider posts it."""
        paths = {ChannelName.SMS: "/twilio/messages", ChannelName.VOICE: f"/twilio/voice/step?n={number}"}
        return paths.get(self.channel, "/telegram/webhook")

    def forged(self, text: str) -> Request:
        """The same words from somebody else."""
        if self.channel is ChannelName.TELEGRAM:
            return telegram_request(message(text), secret="hook-secret_2")
        form = self.form(text, 1)
        return twilio_request(self.path(), form, sign(self.path(), form, token="0" * 32))

    def raw(self, body: bytes) -> Request:
        """Any bytes from the provider itself."""
        if self.channel is ChannelName.TELEGRAM:
            return telegram_request(body)
        return raw_twilio(self.path(), body)


def account(api_url: str = "http://127.0.0.1:9") -> TwilioAccount:
    """The line's account at a provider; by default one that nobody serves."""
    return TwilioAccount(sid=SID, auth_token=TOKEN, api_url=api_url, public_url=PUBLIC_URL)


def way(channel: ChannelName, api_url: str = "http://127.0.0.1:9", seconds: float = 5.0) -> Way:
    """An adapter that speaks to a provider at `api_url`. Inside a running loop."""
    if channel is ChannelName.TELEGRAM:
        return Way(channel, Telegram(BOT_TOKEN, SECRET, api_url=api_url, seconds=seconds, pauses=(0.01,)))
    twilio = Twilio(account(api_url), seconds=seconds)
    return Way(channel, Sms(twilio, LINE) if channel is ChannelName.SMS else Voice(twilio, LINE))


@asynccontextmanager
async def serving(adapter: Channel, house: House) -> AsyncIterator["Post"]:
    """The adapter's webhooks on a port; yields a function that posts a Request."""
    app = web.Application()
    app.router.add_routes(adapter.routes(house.receive, house.report, house.refused))
    async with TestClient(TestServer(app)) as client:

        async def post(request: Request) -> "Reply":
            response = await client.post(request.path, data=request.body, headers=dict(request.headers))
            return await Reply.of(response)

        yield post


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a webhook answered."""

    status: int
    text: str

    @classmethod
    async def of(cls, response: ClientResponse) -> "Reply":
        return cls(status=response.status, text=await response.text())


Post = Callable[[Request], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an adapter asked of the provider."""

    method: str
    path: str
    form: list[tuple[str, str]]
    authorization: str

    def get(self, name: str) -> str:
        return next((value for key, value in self.form if key == name), "")


Script = Callable[[web.Request], Awaitable[web.Response]]


class Provider:
    """Plays Twilio's REST and Telegram's Bot API on one port with the bodies that they document."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.scripted: list[Script] = []
        self.updates: list[dict[str, Any]] = []
        self.offsets: list[int] = []
        self.url = ""

    def next(self, status: int, body: object) -> None:
        """Answer the next request so."""

        async def script(_: web.Request) -> web.Response:
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(status=status, text=text, content_type="application/json")

        self.scripted.append(script)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Provider"]:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        server = TestServer(app)
        await server.start_server(access_log=None)  # the provider's own log is not ours
        self.url = str(server.make_url("")).rstrip("/")
        try:
            yield self
        finally:
            await server.close()

    async def _answer(self, request: web.Request) -> web.Response:
        form = [(name, str(value)) for name, value in (await request.post()).items()]
        self.asked.append(
            Asked(
                method=request.method,
                path=request.path,
                form=form,
                authorization=request.headers.get("Authorization", ""),
            )
        )
        if self.scripted and not request.path.endswith("/deleteWebhook"):
            return await self.scripted.pop(0)(request)
        return web.json_response(self._usual(request, dict(form)), status=201 if "/Accounts/" in request.path else 200)

    def _usual(self, request: web.Request, form: dict[str, str]) -> object:
        method = request.path.rsplit("/", 1)[-1]
        if "/Accounts/" in request.path:
            prefix = "CA" if "/Calls" in method or method == "Calls.json" else "SM"
            return {"sid": prefix + "b" * 32, "status": "queued", "to": form.get("To"), "body": form.get("Body")}
        if method == "sendMessage":
            chat = {"id": int(form["chat_id"]), "type": "private", "first_name": "CANARYfirst"}
            return {"ok": True, "result": {"message_id": 321, "date": 1700000000, "chat": chat, "text": form["text"]}}
        if method == "getUpdates":
            offset = int(form["offset"]) if "offset" in form else 0
            self.offsets.append(offset)
            return {"ok": True, "result": [update for update in self.updates if update["update_id"] >= offset]}
        return {"ok": True, "result": True}
