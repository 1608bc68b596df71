"""What SMS and voice share at Twilio: the account, the REST client, deletion of Twilio's copies.

No webhook, no TwiML and no meaning of a message lives here. Twilio's library does the REST calls, with its logging
cut off: it writes request URLs and headers, and a URL can hold what we promised not to keep.
"""

import base64
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import aiohttp
from twilio.base import values
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response as TwilioResponse
from twilio.rest import Client

from channels.messages import SendError
from channels.refusals import refusal, unreachable, unreadable

SECONDS = 10.0  # for one REST call, all in all
RING = 25  # seconds a call rings: less than most voicemail boxes wait

_MOST = 500  # of one list, on one page: the client cuts queries off further pages' addresses

T = TypeVar("T")
_Client: Any = Client  # the library's constructor has no types


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioAccount:
    """Where and as whom we speak to Twilio. `public_url` is the address that Twilio signs for; repr shows nothing."""

    sid: str = field(repr=False)
    auth_token: str = field(repr=False)
    api_url: str = field(default="https://api.twilio.com", repr=False)
    public_url: str = field(repr=False)

    def link(self, path: str, **query: str | int) -> str:
        """The full address of one of our webhooks; empty values are left out of the query."""
        kept = {key: value for key, value in query.items() if value != ""}
        return self.public_url.rstrip("/") + path + (f"?{urlencode(kept)}" if kept else "")


class Twilio:
    """Twilio's REST API as far as we use it. Raises SendError and nothing else; tries each call once."""

    def __init__(self, account: TwilioAccount, *, seconds: float = SECONDS) -> None:
        self.account = account
        self._http = _Http(account.api_url, seconds)
        self._client = _Client(account.sid, account.auth_token, http_client=self._http)

    async def text(self, *, to: str, sender: str, body: str, status: str = "") -> str:
        """Send one SMS of at most 1600 characters; `status` is where delivery news goes. Returns the message's id."""
        asked = self._client.messages.create_async(
            to=to, from_=sender, body=body, status_callback=status or values.unset
        )
        return _sid((await self._ask(asked)).sid)

    async def call(self, *, to: str, sender: str, twiml: str, status: str) -> str:
        """Call a number and play `twiml` (at most 4000 characters). Returns the call's id."""
        asked = self._client.calls.create_async(
            to=to,
            from_=sender,
            twiml=twiml,
            timeout=RING,
            status_callback=status,
            status_callback_event=["initiated", "ringing", "answered", "completed"],
            status_callback_method="POST",
        )
        return _sid((await self._ask(asked)).sid)

    async def erase(self, copy: str) -> bool:
        """Delete a message, its media, a call or a recording at Twilio. True once Twilio no longer finds it.

        A message is emptied first, and what hangs on a message or a call goes first: once it is deleted, Twilio does
        not tell any more what hung on it. What is not finished yet is refused with 20009. Raises SendError.
        """
        resource = self._resource(copy)
        with contextlib.suppress(_Missing):
            if copy.startswith("messages/") and "/media/" not in copy:
                await self._empty(resource)
            if copy.startswith("calls/"):
                await self._delete_all(resource.recordings)
            await self._ask(resource.delete_async())
        try:
            await self._ask(resource.fetch_async())
        except _Missing:
            return True
        return False

    async def _empty(self, message: Any) -> None:
        emptied = await self._ask(message.update_async(body=""))
        if emptied.num_media not in {"0", None}:
            await self._delete_all(message.media)

    async def _delete_all(self, resources: Any) -> None:
        for one in await self._ask(resources.list_async(limit=_MOST, page_size=_MOST)):
            with contextlib.suppress(_Missing):
                await self._ask(one.delete_async())

    async def messages_of(self, number: str, since: datetime, before: datetime) -> tuple[str, ...]:
        """Messages of one number, made in [since, before), that Twilio holds; of the newest 500 in and 500 out."""
        return await self._of(self._client.messages, number, "messages", (since, before))

    async def calls_of(self, number: str, since: datetime, before: datetime) -> tuple[str, ...]:
        """Calls of one number, made in [since, before), that Twilio holds; of the newest 500 in and 500 out."""
        return await self._of(self._client.calls, number, "calls", (since, before))

    async def _of(self, resources: Any, number: str, kind: str, made: tuple[datetime, datetime]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for side in ("to", "from_"):
            listed = await self._ask(resources.list_async(limit=_MOST, page_size=_MOST, **{side: number}))
            found |= {f"{kind}/{_sid(one.sid)}": None for one in listed if made[0] <= _made(one) < made[1]}
        return tuple(found)

    async def close(self) -> None:
        """Give back the connections."""
        if self._http.session is not None:
            await self._http.session.close()

    def _resource(self, copy: str) -> Any:
        for pattern, find in _COPIES:
            if match := pattern.fullmatch(copy):
                return find(self._client, match)
        raise SendError(None, retry=False, say="This is not the name of something that Twilio keeps.")

    async def _ask(self, request: Awaitable[T]) -> T:
        # Twilio's errors quote the number and the address. Ours is raised outside of the handlers, so that it does
        # not carry the original along as its context.
        try:
            return await request
        except (TwilioRestException, TwilioServiceException) as error:
            problem = _problem(error)
        except TwilioException as error:  # what the library raises for a list: the response is its second argument
            problem = _by_status(getattr(error.args[-1], "status_code", None))
        except (aiohttp.ClientError, TimeoutError, OSError):
            problem = unreachable()
        except (ValueError, TypeError, AttributeError, KeyError):
            problem = unreadable()
        raise problem


class _Missing(SendError):
    """Twilio does not know this resource."""


class _Http(AsyncTwilioHttpClient):
    """Twilio's own client, pointed at the configured address, with a time limit, without log and without memory."""

    def __init__(self, base: str, seconds: float) -> None:
        super().__init__(pool_connections=False, timeout=seconds)
        self._base = base.rstrip("/")

    async def request(  # type: ignore[override]  # noqa: PLR0917 - the library's own signature
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - it is handed on to aiohttp
        allow_redirects: bool = False,
    ) -> TwilioResponse:
        if self.session is None:  # made late: a session needs a running loop
            self.session = aiohttp.ClientSession()
        ours = self._base + urlsplit(url).path
        if auth is not None:  # as a header: aiohttp is retiring the class that the library would use
            headers = {**(headers or {}), "Authorization": _basic(*auth)}
        limit = timeout or self.timeout  # the library drops the constructor's time limit
        try:
            return await super().request(method, ours, params, data, headers, None, limit, allow_redirects)
        finally:
            self._test_only_last_request = self._test_only_last_response = None  # they hold number, text and token

    def log_request(self, kwargs: dict[str, Any]) -> None:
        """Nothing: the library would write the address and the headers."""

    def log_response(self, status_code: int, response: Any) -> None:
        """Nothing: the same."""


_ID = r"([A-Za-z0-9]{1,64})"
_COPIES: tuple[tuple[re.Pattern[str], Callable[[Any, re.Match[str]], Any]], ...] = (
    (re.compile(f"messages/{_ID}"), lambda client, match: client.messages(match[1])),
    (re.compile(f"messages/{_ID}/media/{_ID}"), lambda client, match: client.messages(match[1]).media(match[2])),
    (re.compile(f"calls/{_ID}"), lambda client, match: client.calls(match[1])),
    (re.compile(f"recordings/{_ID}"), lambda client, match: client.recordings(match[1])),
)


def _made(resource: Any) -> datetime:
    made = resource.date_created
    if not isinstance(made, datetime):
        raise unreadable()
    return made


def _problem(error: TwilioRestException | TwilioServiceException) -> SendError:
    # Without a number of its own the library repeats the HTTP status as the code.
    code = error.code if isinstance(error.code, int) and error.code != error.status else None
    return _by_status(error.status, code)


def _by_status(status: int | None, code: int | None = None) -> SendError:
    if status == 404:
        return _Missing(code, retry=False, say="Twilio does not know this message or call.")
    return refusal(code, status)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _sid(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_ID, value):
        raise unreadable()
    return value
