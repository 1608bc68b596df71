"""How Twilio calls the line: a signed form post, a time limit, retries, a fallback, and faults on purpose.

What to say and what an answer means belongs to messages.py and conversation.py. The signature is written here
from Twilio's description ("Webhooks security"), not with its library: the line checks with that one.
"""

import asyncio
import base64
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qs, urldefrag, urlencode
from uuid import uuid4

import aiohttp

from carriers.faults import Fault, FaultKind, Faults
from carriers.pace import Pace

HTTP_FAILURE = 11200  # an answer that is not 2xx, or none in time
CONNECTION_FAILURE = 11205
REORDER_PATIENCE = 5.0  # seconds that a held webhook waits for another to overtake it
_RETRY_PAUSE = 1.0  # practised seconds
_MOST_RETRIES = 5
_OK = range(200, 300)


class WebhookKind(StrEnum):
    """What a webhook is about; also the last part of its fault target."""

    SMS = "sms"
    VOICE = "voice"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One request to make. `url` is what is signed; the fragment holds Twilio's connection overrides."""

    kind: WebhookKind
    url: str = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)
    fallback: str = field(default="", repr=False)
    method: str = "POST"

    @property
    def parties(self) -> tuple[str, str]:
        """The numbers at both ends, for faults that strike one phone only."""
        return self.fields.get("From", ""), self.fields.get("To", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of one attempt. `status` None: no HTTP answer. `error`: Twilio's number, None when all is well."""

    webhook: Webhook
    status: int | None = None
    content_type: str = ""
    body: str = field(default="", repr=False)
    error: int | None = None

    @property
    def accepted(self) -> bool:
        """True when the line took it."""
        return self.error is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What Twilio's debugger would show: an error number and which webhook or resource it belongs to."""

    code: int
    about: str


def sign(auth_token: str, url: str, fields: Mapping[str, str]) -> str:
    """The value of X-Twilio-Signature: base64 of HMAC-SHA1 over the URL and the sorted form fields."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Courier:
    """Takes webhooks to the line and keeps what came of each.

    `routes` maps the start of a public URL to the address that is dialled instead; the public one is signed.
    `timeout` is in real seconds.
    """

    def __init__(
        self, *, auth_token: str, faults: Faults, pace: Pace, routes: Mapping[str, str], timeout: float
    ) -> None:
        self._auth_token = auth_token
        self._faults = faults
        self._pace = pace
        self._routes = routes
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._overtaken: dict[WebhookKind, asyncio.Event] = defaultdict(asyncio.Event)
        self.replies: list[Reply] = []
        self.alerts: list[Alert] = []

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def deliver(self, webhook: Webhook) -> Reply:
        """Deliver one webhook, with retries and fallback; the reply that counts."""
        fault = self._faults.take(f"webhook.{webhook.kind}", *webhook.parties)
        kind = fault.kind if fault else None
        if kind is FaultKind.DROP:
            return Reply(webhook=webhook, error=HTTP_FAILURE)
        if fault and kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        if fault and kind is FaultKind.REORDER:
            await self._wait_to_be_overtaken(webhook.kind, fault)
        copies = 2 if kind is FaultKind.DUPLICATE else 1
        token = str(uuid4())
        replies = await asyncio.gather(
            *(self._insist(webhook, token, forged=kind is FaultKind.FORGE) for _ in range(copies))
        )
        return replies[0]

    async def dial(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: object = None,
    ) -> aiohttp.ClientResponse:
        """One HTTP request to where `url` really is; `body` goes as JSON. Raises aiohttp.ClientError, TimeoutError."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        where = self._reach(url)
        return await self._session.request(method, where, headers=headers, data=form, json=body, allow_redirects=False)

    def _reach(self, url: str) -> str:
        for public, real in self._routes.items():
            if url.startswith(public):
                return real + url.removeprefix(public)
        return url

    async def _wait_to_be_overtaken(self, kind: WebhookKind, fault: Fault) -> None:
        try:
            async with asyncio.timeout(fault.seconds or REORDER_PATIENCE):
                await self._overtaken[kind].wait()
        except TimeoutError:
            return  # nothing overtook it: a reordering of one

    async def _insist(self, webhook: Webhook, token: str, *, forged: bool) -> Reply:
        url, overrides = urldefrag(webhook.url)
        retries, policy = read_overrides(overrides)
        for attempt in range(retries + 1):
            reply = await self._attempt(webhook, url, webhook.fields, token, forged=forged)
            if reply.accepted or not _worth_retrying(reply, policy):
                break
            if attempt < retries:
                await self._pace.sleep(_RETRY_PAUSE * (attempt + 1))
        if reply.accepted or not webhook.fallback:
            return reply
        failed = {**webhook.fields, "ErrorCode": str(reply.error), "ErrorUrl": url}
        return await self._attempt(webhook, urldefrag(webhook.fallback).url, failed, str(uuid4()), forged=forged)

    async def _attempt(
        self, webhook: Webhook, url: str, fields: Mapping[str, str], token: str, *, forged: bool
    ) -> Reply:
        posted = webhook.method == "POST"
        target = url if posted else f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}"
        key = self._auth_token + "-somebody-else" if forged else self._auth_token
        headers = {
            "X-Twilio-Signature": sign(key, target, fields if posted else {}),
            "I-Twilio-Idempotency-Token": token,
            "User-Agent": "TwilioProxy/1.1",
        }
        reply = await self._fetch(webhook, target, headers, fields if posted else None)
        self.replies.append(reply)
        if reply.error is not None:
            self.alert(reply.error, str(webhook.kind))
        self._overtaken.pop(webhook.kind, asyncio.Event()).set()
        return reply

    async def _fetch(
        self, webhook: Webhook, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Reply:
        try:
            async with await self.dial(webhook.method, url, headers=headers, form=form) as response:
                body = await response.text(errors="replace")
                return Reply(
                    webhook=webhook,
                    status=response.status,
                    content_type=response.headers.get("Content-Type", ""),
                    body=body,
                    error=None if response.status in _OK else HTTP_FAILURE,
                )
        except aiohttp.ClientConnectorError:
            return Reply(webhook=webhook, error=CONNECTION_FAILURE)
        except (aiohttp.ClientError, TimeoutError):
            return Reply(webhook=webhook, error=HTTP_FAILURE)

    def alert(self, code: int, about: str) -> None:
        """Record an error as Twilio's debugger does."""
        self.alerts.append(Alert(code=code, about=about))


def read_overrides(fragment: str) -> tuple[int, Sequence[str]]:
    """Twilio's connection overrides: how often to retry (rc, default 1) and after what (rp, default ct)."""
    values = parse_qs(fragment)
    count = values.get("rc", ["1"])[0]
    policy = values.get("rp", ["ct"])[0].split(",")
    return min(int(count) if count.isdigit() else 1, _MOST_RETRIES), policy


def _worth_retrying(reply: Reply, policy: Sequence[str]) -> bool:
    if "all" in policy:
        return True
    if reply.status is not None:
        return f"{reply.status // 100}xx" in policy
    return ("ct" if reply.error == CONNECTION_FAILURE else "rt") in policy
