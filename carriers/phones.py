"""The phones as HTTP: what people do comes in as JSON, what happens goes out as a stream of events, and the page.

Everything done here can be done through Exchange too; no rule of a carrier lives here.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from carriers.call import Call
from carriers.company import Refusal
from carriers.faults import Fault

if TYPE_CHECKING:
    from carriers.exchange import Exchange

PAGE = Path(__file__).parent / "page"
KEEP_ALIVE = 15.0  # seconds between comments on a quiet stream

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_LONGEST = 100_000  # characters of one text, far more than any phone sends

Body = Mapping[str, Any]
Action = Callable[[web.Request, Body], Awaitable[Body]]


class PhonesApi:
    """The routes of the phones page."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange

    def routes(self) -> Sequence[web.RouteDef]:
        """The page, the setup, the stream, and everything a person can do."""
        posts: tuple[tuple[str, Action], ...] = (
            ("/phones/sms", self._text),
            ("/phones/telegram", self._telegram),
            ("/phones/call", self._dial),
            ("/phones/call/{sid}/answer", self._answer),
            ("/phones/call/{sid}/decline", self._decline),
            ("/phones/call/{sid}/hangup", self._hang_up),
            ("/phones/call/{sid}/digits", self._press),
            ("/phones/call/{sid}/speech", self._speak),
            ("/faults", self._fault),
        )
        return [
            web.get("/phones/setup", self._setup),
            web.get("/phones/events", self._events),
            web.get(r"/phones/sounds/{number:\d+}", self._sound),
            web.get("/faults", self._faults),
            web.get("/", self._page),
            web.get("/{file}", self._page),
            *(web.post(path, partial(self._act, action)) for path, action in posts),
        ]

    # the page --------------------------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("file", "index.html")
        known = {path.name: path for path in PAGE.iterdir() if path.is_file()} if PAGE.is_dir() else {}
        if name not in known:
            raise web.HTTPNotFound(headers=_HEADERS)
        return web.FileResponse(known[name], headers=_HEADERS)

    async def _setup(self, request: web.Request) -> web.Response:
        return web.json_response(dict(self._exchange.setup), headers=_HEADERS)

    async def _sound(self, request: web.Request) -> web.Response:
        sound = self._exchange.sounds.get(int(request.match_info["number"]))
        if sound is None:
            raise web.HTTPNotFound(headers=_HEADERS)
        return web.Response(body=sound.content, content_type=sound.content_type, headers=_HEADERS)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: first what the reader has missed, then what happens."""
        seen = request.headers.get("Last-Event-ID") or request.query.get("after", "0")
        after = int(seen) if seen.isdigit() else 0
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            event = await self._exchange.journal.find(lambda event: True, after=after, within=KEEP_ALIVE)
            if event is None:
                await response.write(b": still here\n\n")
                continue
            after = event["seq"]
            await response.write(f"id: {after}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode())

    # what people do --------------------------------------------------------------------------------------

    async def _act(self, action: Action, request: web.Request) -> web.Response:
        """Only JSON is taken: a form on a foreign page cannot send it, and a foreign script may not."""
        if request.content_type != "application/json":
            return _answer({"error": "send JSON with Content-Type: application/json"}, 415)
        try:
            body = await request.json()
            if not isinstance(body, dict):
                return _answer({"error": "send a JSON object"}, 400)
            return _answer(await action(request, body))
        except Refusal as refusal:
            return _answer({"error": refusal.sentence}, refusal.status)
        except (ValueError, TypeError) as error:  # JSON's errors are ValueErrors too
            return _answer({"error": str(error)}, 400)

    async def _text(self, request: web.Request, body: Body) -> Body:
        line = body.get("to") or self._exchange.sms_line
        message, _ = self._exchange.messages.receive(person=_words(body, "from"), line=line, body=_words(body, "text"))
        return {"id": message.sid}

    async def _telegram(self, request: web.Request, body: Body) -> Body:
        bot, chat = self._exchange.bot, int(body.get("chat", ""))
        if "data" not in body:
            return {"id": str(bot.write(chat, _words(body, "text")).id)}
        try:
            return {"query": bot.press(chat, int(body["message_id"]), _words(body, "data"))}
        except KeyError:
            raise Refusal(20404) from None

    async def _dial(self, request: web.Request, body: Body) -> Body:
        line = body.get("to") or self._exchange.voice_line
        return {"call": self._exchange.calls.place(person=_words(body, "from"), line=line).sid}

    def _call(self, request: web.Request) -> Call:
        return self._exchange.calls.get(request.match_info["sid"])

    async def _answer(self, request: web.Request, body: Body) -> Body:
        return {"done": self._exchange.calls.pick_up(self._call(request))}

    async def _decline(self, request: web.Request, body: Body) -> Body:
        return {"done": self._exchange.calls.decline(self._call(request))}

    async def _hang_up(self, request: web.Request, body: Body) -> Body:
        self._exchange.calls.hang_up(self._call(request))
        return {"done": True}

    async def _press(self, request: web.Request, body: Body) -> Body:
        return {"done": self._exchange.calls.press(self._call(request), _words(body, "digits"))}

    async def _speak(self, request: web.Request, body: Body) -> Body:
        return {"done": self._exchange.calls.speak(self._call(request), _words(body, "text"))}

    # faults ----------------------------------------------------------------------------------------------

    async def _faults(self, request: web.Request) -> web.Response:
        return _answer({"faults": [fault.to_json() for fault in self._exchange.faults]})

    async def _fault(self, request: web.Request, body: Body) -> Body:
        if "clear" in body:
            self._exchange.faults.clear(body["clear"] if isinstance(body["clear"], str) else "")
            return {"done": True}
        fault = Fault.from_json(body)
        self._exchange.faults.put(fault)
        return {"fault": fault.to_json()}


def _words(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError(f"{name!r} must be a text of at most {_LONGEST} characters")
    return value


def _answer(body: Body, status: int = 200) -> web.Response:
    return web.json_response(dict(body), status=status, headers=_HEADERS)
