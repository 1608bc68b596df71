"""Twilio's REST API as HTTP: authentication, faults, routes, pages of lists. What is done is decided elsewhere."""

import asyncio
import base64
import binascii
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from carriers import message as wire
from carriers.call import CallOrder
from carriers.calls import Calls
from carriers.company import API_VERSION, Company, Refusal, http_date
from carriers.faults import FaultKind, lose_answer, suffer
from carriers.message import Message, MessageOrder
from carriers.messages import Messages
from carriers.recordings import Recordings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Form = Mapping[str, tuple[str, ...]]

_ROOT = f"/{API_VERSION}/Accounts/{{account}}"
_PAGE = 50
_LARGEST_PAGE = 1000


class TwilioApi:
    """The routes of one account."""

    def __init__(
        self, company: Company, messages: Messages, calls: Calls, recordings: Recordings, closing: asyncio.Event
    ) -> None:
        self._company = company
        self._messages = messages
        self._calls = calls
        self._recordings = recordings
        self._closing = closing
        self.requests: list[str] = []  # fault targets, oldest first

    def routes(self) -> Sequence[web.RouteDef]:
        """Every route, each with the name by which faults know it."""
        message, call = f"{_ROOT}/Messages/{{sid}}", f"{_ROOT}/Calls/{{sid}}"
        recording, of_call = f"{_ROOT}/Recordings/{{recording}}.json", f"{call}/Recordings/{{recording}}.json"
        table: tuple[tuple[str, str, str, Handler], ...] = (
            ("GET", f"{_ROOT}.json", "account", self._account),
            ("GET", f"{_ROOT}/IncomingPhoneNumbers.json", "numbers", self._numbers),
            ("POST", f"{_ROOT}/Messages.json", "messages.create", self._create_message),
            ("GET", f"{_ROOT}/Messages.json", "messages.list", self._list_messages),
            ("GET", message + "/Media.json", "messages.media", self._list_media),
            ("GET", message + "/Media/{media}.json", "messages.media", self._media_record),
            ("DELETE", message + "/Media/{media}.json", "messages.media", self._delete_media),
            ("GET", message + "/Media/{media}", "messages.media", self._media_content),
            ("GET", message + ".json", "messages.fetch", self._fetch_message),
            ("POST", message + ".json", "messages.update", self._update_message),
            ("DELETE", message + ".json", "messages.delete", self._delete_message),
            ("POST", f"{_ROOT}/Calls.json", "calls.create", self._create_call),
            ("GET", f"{_ROOT}/Calls.json", "calls.list", self._list_calls),
            ("GET", call + "/Recordings.json", "recordings", self._list_recordings),
            ("GET", f"{_ROOT}/Recordings.json", "recordings", self._list_recordings),
            ("GET", of_call, "recordings", self._fetch_recording),
            ("GET", recording, "recordings", self._fetch_recording),
            ("DELETE", of_call, "recordings", self._delete_recording),
            ("DELETE", recording, "recordings", self._delete_recording),
            ("GET", call + ".json", "calls.fetch", self._fetch_call),
            ("POST", call + ".json", "calls.update", self._update_call),
            ("DELETE", call + ".json", "calls.delete", self._delete_call),
        )
        return [
            web.route(method, path, partial(self._guarded, f"twilio.{name}", handler))
            for method, path, name, handler in table
        ] + [web.route("*", "/{rest:.*}", partial(self._guarded, "twilio.unknown", self._unknown))]

    async def _guarded(self, target: str, handler: Handler, request: web.Request) -> web.StreamResponse:
        """Faults, then the password, then the work; a refusal becomes Twilio's JSON."""
        self.requests.append(target)
        try:
            spoilt = await self._strike(target, request)
            if spoilt is not None:
                return spoilt
            self._authenticate(request)
            response = await handler(request)
            lose_answer(request)
            return response
        except Refusal as refusal:
            return _refused(refusal)

    async def _strike(self, target: str, request: web.Request) -> web.Response | None:
        form = await _read(request)
        fault = self._company.faults.take(target, _text(form, "To"), _text(form, "From"))
        if fault is None:
            return None
        if fault.kind is FaultKind.ERROR:
            raise Refusal(fault.code)
        return await suffer(fault, request, self._closing)

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(value, validate=True) if scheme.lower() == "basic" else b""
        except binascii.Error:
            given = b""
        wanted = f"{self._company.account_sid}:{self._company.auth_token}".encode()
        account = request.match_info.get("account", self._company.account_sid)
        if not hmac.compare_digest(given, wanted) or account != self._company.account_sid:
            raise Refusal(20003)

    async def _unknown(self, request: web.Request) -> web.Response:
        raise Refusal(20404)

    # messages --------------------------------------------------------------------------------------------

    async def _create_message(self, request: web.Request) -> web.Response:
        form = await _read(request)
        service = _text(form, "MessagingServiceSid")
        lines = self._company.lines
        order = MessageOrder(
            from_=_text(form, "From") or (next(iter(lines), "") if service else ""),
            to=_text(form, "To"),
            body=_text(form, "Body"),
            status_callback=_text(form, "StatusCallback"),
            media_urls=_texts(form, "MediaUrl"),
            messaging_service=service or None,
        )
        return self._message(self._messages.create(order), status=201)

    async def _list_messages(self, request: web.Request) -> web.Response:
        wanted = {"from_": request.query.get("From"), "to": request.query.get("To")}
        found = [message for message in self._messages if _matches(message, wanted)]
        return self._page(request, "messages", "Messages.json", [wire.resource(self._company, m) for m in found[::-1]])

    async def _fetch_message(self, request: web.Request) -> web.Response:
        return self._message(self._messages.get(request.match_info["sid"]))

    async def _update_message(self, request: web.Request) -> web.Response:
        form = await _read(request)
        if _text(form, "Body") or "Body" not in form:  # only emptying is practised
            raise Refusal(20001)
        return self._message(self._messages.redact(request.match_info["sid"]))

    async def _delete_message(self, request: web.Request) -> web.Response:
        self._messages.delete(request.match_info["sid"])
        return web.Response(status=204)

    def _message(self, message: Message, status: int = 200) -> web.Response:
        return web.json_response(wire.resource(self._company, message), status=status)

    # media -----------------------------------------------------------------------------------------------

    async def _list_media(self, request: web.Request) -> web.Response:
        message = self._messages.get(request.match_info["sid"])
        records = [wire.media_resource(self._company, message, media) for media in message.media]
        return self._page(request, "media_list", f"Messages/{message.sid}/Media.json", records)

    def _one_media(self, request: web.Request) -> tuple[Message, wire.Media]:
        message = self._messages.get(request.match_info["sid"])
        for media in message.media:
            if media.sid == request.match_info["media"]:
                return message, media
        raise Refusal(20404)

    async def _media_record(self, request: web.Request) -> web.Response:
        return web.json_response(wire.media_resource(self._company, *self._one_media(request)))

    async def _media_content(self, request: web.Request) -> web.Response:
        _, media = self._one_media(request)
        return web.Response(body=media.content, content_type=media.content_type)

    async def _delete_media(self, request: web.Request) -> web.Response:
        self._messages.delete_media(request.match_info["sid"], request.match_info["media"])
        return web.Response(status=204)

    # calls -----------------------------------------------------------------------------------------------

    async def _create_call(self, request: web.Request) -> web.Response:
        form = await _read(request)
        order = CallOrder(
            from_=_text(form, "From"),
            to=_text(form, "To"),
            url=_text(form, "Url"),
            method=_text(form, "Method") or "POST",
            twiml=_text(form, "Twiml"),
            fallback=_text(form, "FallbackUrl"),
            status_callback=_text(form, "StatusCallback"),
            status_events=_texts(form, "StatusCallbackEvent") or ("completed",),
            ring_seconds=_number(_text(form, "Timeout"), 60),
        )
        call = self._calls.create(order)
        return web.json_response(call.resource(self._company), status=201)

    async def _list_calls(self, request: web.Request) -> web.Response:
        query = request.query
        wanted = {"from_": query.get("From"), "to": query.get("To"), "status": query.get("Status")}
        wanted["parent"] = query.get("ParentCallSid")
        found = [call for call in self._calls if _matches(call, wanted)]
        return self._page(request, "calls", "Calls.json", [call.resource(self._company) for call in found[::-1]])

    async def _fetch_call(self, request: web.Request) -> web.Response:
        return web.json_response(self._calls.get(request.match_info["sid"]).resource(self._company))

    async def _update_call(self, request: web.Request) -> web.Response:
        form = await _read(request)
        call = self._calls.get(request.match_info["sid"])
        status = _text(form, "Status")
        if status in ("completed", "canceled"):
            self._calls.stop(call, canceled=status == "canceled")
        elif _text(form, "Twiml") or _text(form, "Url"):
            self._calls.redirect(
                call, url=_text(form, "Url"), twiml=_text(form, "Twiml"), method=_text(form, "Method") or "POST"
            )
        else:
            raise Refusal(20001)
        return web.json_response(call.resource(self._company))

    async def _delete_call(self, request: web.Request) -> web.Response:
        self._calls.delete(request.match_info["sid"])
        return web.Response(status=204)

    async def _list_recordings(self, request: web.Request) -> web.Response:
        found = self._recordings.of(request.match_info.get("sid", ""))
        return self._page(request, "recordings", "Recordings.json", found[::-1])

    async def _fetch_recording(self, request: web.Request) -> web.Response:
        recording = self._recordings.get(request.match_info["recording"])
        return web.json_response(recording.resource(self._company))

    async def _delete_recording(self, request: web.Request) -> web.Response:
        self._recordings.delete(request.match_info["recording"])
        return web.Response(status=204)

    # the account -----------------------------------------------------------------------------------------

    async def _account(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "sid": self._company.account_sid,
                "friendly_name": "Practice",
                "status": "active",
                "type": "Full",
                "date_created": http_date(self._company.pace.now()),
                "date_updated": http_date(self._company.pace.now()),
                "uri": f"/{API_VERSION}/Accounts/{self._company.account_sid}.json",
                "subresource_uris": {},
            }
        )

    async def _numbers(self, request: web.Request) -> web.Response:
        wanted = request.query.get("PhoneNumber", "")
        records = [
            {
                "sid": "PN" + line.number.removeprefix("+").rjust(32, "0"),
                "account_sid": self._company.account_sid,
                "phone_number": line.number,
                "friendly_name": line.number,
                "sms_url": line.sms_url,
                "sms_method": "POST",
                "sms_fallback_url": line.sms_fallback_url,
                "voice_url": line.voice_url,
                "voice_method": "POST",
                "voice_fallback_url": line.voice_fallback_url,
                "status_callback": line.status_url,
                "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
            }
            for line in self._company.lines.values()
            if wanted in line.number
        ]
        return self._page(request, "incoming_phone_numbers", "IncomingPhoneNumbers.json", records)

    def _page(self, request: web.Request, key: str, path: str, records: list[dict[str, Any]]) -> web.Response:
        size = min(_number(request.query.get("PageSize", ""), _PAGE), _LARGEST_PAGE) or _PAGE
        page = _number(request.query.get("Page", ""), 0)
        start = page * size
        shown = list(islice(records, start, start + size))

        def address(number: int) -> str:
            query = {**request.query, "PageSize": str(size), "Page": str(number), "PageToken": f"PA{number}"}
            return f"{self._company.uri(path)}?{urlencode(query)}"

        return web.json_response(
            {
                key: shown,
                "first_page_uri": address(0),
                "next_page_uri": address(page + 1) if start + size < len(records) else None,
                "previous_page_uri": address(page - 1) if page else None,
                "uri": address(page),
                "page": page,
                "page_size": size,
                "start": start,
                "end": start + len(shown) - 1 if shown else 0,
            }
        )


async def _read(request: web.Request) -> Form:
    """The form; a field may be given several times. aiohttp keeps the body, so that it can be read again."""
    posted = await request.post()
    return {name: tuple(str(value) for value in posted.getall(name)) for name in posted}


def _text(form: Form, name: str) -> str:
    return form.get(name, ("",))[0]


def _number(text: str, default: int) -> int:
    if text and not text.isdigit():
        raise Refusal(20001)
    return int(text or default)


def _texts(form: Form, name: str) -> tuple[str, ...]:
    return tuple(value for value in form.get(name, ()) if value)


def _matches(record: object, wanted: Mapping[str, str | None]) -> bool:
    return all(value is None or getattr(record, name) == value for name, value in wanted.items())


def _refused(refusal: Refusal) -> web.Response:
    body = {
        "code": refusal.code,
        "message": refusal.sentence,
        "more_info": f"https://www.twilio.com/docs/errors/{refusal.code}",
        "status": refusal.status,
    }
    return web.Response(text=json.dumps(body), status=refusal.status, content_type="application/json")
