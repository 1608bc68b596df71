"""The Bot API as HTTP: token, bodies, faults, the answer's envelope, files. What is done is in telegram_methods.py."""

import asyncio
import hmac
import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from carriers.faults import Fault, FaultKind, Faults, lose_answer, suffer
from carriers.telegram_bot import TelegramBot, TelegramError
from carriers.telegram_feed import Feed
from carriers.telegram_methods import Methods, Parameters

_SENTENCES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests: retry after {}",
    500: "Internal Server Error",
    502: "Bad Gateway",
}


class TelegramApi:
    """The routes of one bot."""

    def __init__(self, *, token: str, bot: TelegramBot, feed: Feed, faults: Faults, closing: asyncio.Event) -> None:
        self._token = token
        self._bot = bot
        self._feed = feed
        self._faults = faults
        self._closing = closing
        self._methods = Methods(bot, feed)
        feed.perform = self._methods.perform
        self.requests: list[str] = []  # fault targets, oldest first

    def routes(self) -> Sequence[web.RouteDef]:
        """Methods by GET and POST, and downloads."""
        return [
            web.get("/file/bot{token}/{path:.+}", self._download),
            web.route("*", "/bot{token}/{method}", self._call),
        ]

    async def _call(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        try:
            parameters = await _read(request)
            spoilt = await self._strike(request, f"telegram.{method}", str(parameters.get("chat_id", "")))
            if spoilt is not None:
                return spoilt
            self._authenticate(request)
            if method.lower() == "getupdates":
                return _ok(await self._poll(Parameters(parameters)))
            result = self._methods.perform(method, parameters)
            lose_answer(request)
            return _ok(result)
        except TelegramError as error:
            return _refused(error)

    async def _download(self, request: web.Request) -> web.Response:
        try:
            spoilt = await self._strike(request, "telegram.file", "")
            if spoilt is not None:
                return spoilt
            self._authenticate(request)
        except TelegramError as error:
            return _refused(error)
        for file in self._bot.files.values():
            if file.path == request.match_info["path"]:
                return web.Response(body=file.content, content_type="application/octet-stream")
        return _refused(TelegramError(404, "Not Found"))

    async def _strike(self, request: web.Request, target: str, chat: str) -> web.Response | None:
        self.requests.append(target)
        fault = self._faults.take(target, chat)
        if fault is None:
            return None
        if fault.kind is FaultKind.ERROR:
            raise _error(fault)
        return await suffer(fault, request, self._closing)

    def _authenticate(self, request: web.Request) -> None:
        if not hmac.compare_digest(request.match_info["token"].encode(), self._token.encode()):
            raise TelegramError(401, "Unauthorized")

    async def _poll(self, parameters: Parameters) -> list[dict[str, Any]]:
        return await self._feed.poll(
            offset=parameters.integer("offset"),
            limit=parameters.integer("limit", 100),
            patience=parameters.integer("timeout"),
            allowed=parameters.json("allowed_updates"),
        )


async def _read(request: web.Request) -> dict[str, Any]:
    """Query and body together, whichever of the three kinds the body is. Raises TelegramError."""
    values: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json" and request.can_read_body:
        try:
            body = await request.json()
        except ValueError:
            raise TelegramError(400, "Bad Request: can't parse JSON object") from None
        if not isinstance(body, dict):
            raise TelegramError(400, "Bad Request: object expected")
        return values | body
    return values | dict(await request.post())


def _error(fault: Fault) -> TelegramError:
    sentence = _SENTENCES.get(fault.code, "Bad Request").format(fault.retry_after)
    return TelegramError(fault.code, sentence, retry_after=fault.retry_after)


def _ok(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _refused(error: TelegramError) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.retry_after:
        body["parameters"] = {"retry_after": error.retry_after}
    return web.Response(text=json.dumps(body), status=error.code, content_type="application/json")
