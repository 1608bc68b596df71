"""Who may come in: the cookie, the token in every form, where a request came from, and how often an address may try.

No page and no storage: a session itself is the vault's (vault/members.py).
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from vault.devices import KEPT_DAYS

_TRIES: Final = 30  # sign-ins that failed, from one address
_OWN_TRIES: Final = 10  # from one browser in which the member signed in before
_MARK_SECONDS: Final = KEPT_DAYS * 24 * 60 * 60
_WITHIN: Final = timedelta(minutes=15)
_ADDRESSES: Final = 10_000  # remembered at once; the oldest goes first
_STRETCHES: Final = 2  # Argon2id at the same time: each takes 64 MB
_LOCAL: Final = re.compile(r"/(?:queue|oncall|audit|account|team|cases/[0-9]{6})(?:\?[a-z0-9=&]{0,80})?", re.ASCII)
_HOME: Final = "/queue"


class Cookies:
    """The one cookie. `__Host-` binds it to this host, to TLS and to the whole site (RFC 6265bis)."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        self.name = "__Host-harborline" if secure else "harborline"

    def read(self, request: web.Request) -> str:
        """The session's value, or "" when there is none."""
        return request.cookies.get(self.name, "")

    def give(self, response: web.StreamResponse, value: str) -> None:
        """Set it until the browser closes; how long it counts is the vault's decision."""
        response.set_cookie(self.name, value, path="/", httponly=True, samesite="Strict", secure=self._secure)

    def take(self, response: web.StreamResponse) -> None:
        """Remove it."""
        response.del_cookie(self.name, path="/", httponly=True, samesite="Strict", secure=self._secure)

    @property
    def _marked(self) -> str:
        return f"{self.name}-device"

    def mark(self, request: web.Request) -> str:
        """What this browser kept of an earlier sign-in (vault/devices.py), or ""."""
        return request.cookies.get(self._marked, "")

    def leave_mark(self, response: web.StreamResponse, mark: str) -> None:
        """Let the browser keep it, also after signing out."""
        response.set_cookie(
            self._marked, mark, max_age=_MARK_SECONDS, path="/", httponly=True, samesite="Strict", secure=self._secure
        )


def token(cookie: str) -> str:
    """What every form of this session carries. Derived one way, so that a page never shows half of the cookie."""
    return hmac.digest(cookie.encode("utf-8", "replace"), b"harborline/form", hashlib.sha256).hex()


def token_fits(cookie: str, given: str) -> bool:
    """True when a form belongs to this session."""
    return bool(cookie) and hmac.compare_digest(token(cookie).encode(), given.encode("utf-8", "replace"))


def comes_from_here(request: web.Request) -> bool:
    """True unless the browser says that another site sent this.

    Sec-Fetch-Site first: under `Referrer-Policy: no-referrer` browsers send `Origin: null` with our own forms. A
    request with neither header is no browser's, so nobody's cookies were borrowed for it.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.host
    except ValueError:  # no browser sends an Origin that is no address, such as `http://[`
        return False


def local(path: str) -> str:
    """`path` when it is one of our own pages, otherwise the queue: a link to us never leads elsewhere."""
    return path if _LOCAL.fullmatch(path) else _HOME


class Tally:
    """Counts tries of each name within _WITHIN, in memory; forgets the oldest name when there are too many."""

    def __init__(self, now: Callable[[], datetime], most: int) -> None:
        self._now = now
        self._most = most
        self._tries: OrderedDict[bytes, tuple[int, datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tries)

    def count(self, name: bytes) -> bool:
        """Count a try; False when there were too many. Counted first, so that many at once gain nothing."""
        now = self._now()
        tries, since = self._tries.pop(name, (0, now))
        if now - since >= _WITHIN:
            tries, since = 0, now
        self._tries[name] = (tries + 1, since)
        while len(self._tries) > _ADDRESSES:
            self._tries.popitem(last=False)
        return tries < self._most

    def forget(self, name: bytes) -> None:
        """Somebody signed in."""
        self._tries.pop(name, None)


class Gate:
    """Counts tries to sign in, by address and by browser, in memory and under a key that dies with the process."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._key = secrets.token_bytes(32)
        self._strangers = Tally(now, _TRIES)
        self._browsers = Tally(now, _OWN_TRIES)
        self.stretching = asyncio.Semaphore(_STRETCHES)

    def begin(self, request: web.Request) -> bool:
        """Count a try; False when this address has had too many."""
        return self._strangers.count(self._name(request))

    def trusts(self, device: bytes | None) -> bool:
        """True for a browser that its member used before, while it has tries of its own; beyond, it is a stranger."""
        return device is not None and self._browsers.count(device)

    def succeeded(self, request: web.Request, device: bytes | None) -> None:
        """Forget the tries of this address, or of this browser: somebody signed in."""
        if device is None:
            self._strangers.forget(self._name(request))
        else:
            self._browsers.forget(device)

    def _name(self, request: web.Request) -> bytes:
        return hmac.digest(self._key, (request.remote or "").encode(), hashlib.sha256)
