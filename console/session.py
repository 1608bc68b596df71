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

_TRIES: Final = 30  # sign-ins that failed, from one address
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
    return origin is None or urlsplit(origin).netloc == request.host


def local(path: str) -> str:
    """`path` when it is one of our own pages, otherwise the queue: a link to us never leads elsewhere."""
    return path if _LOCAL.fullmatch(path) else _HOME


class Gate:
    """Counts tries to sign in by address, in memory and under a key that dies with the process."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._key = secrets.token_bytes(32)
        self._tries: OrderedDict[bytes, tuple[int, datetime]] = OrderedDict()
        self.stretching = asyncio.Semaphore(_STRETCHES)

    def _name(self, request: web.Request) -> bytes:
        return hmac.digest(self._key, (request.remote or "").encode(), hashlib.sha256)

    def begin(self, request: web.Request) -> bool:
        """Count a try; False when this address has had too many. Counted first, so that many at once gain nothing."""
        name, now = self._name(request), self._now()
        tries, since = self._tries.pop(name, (0, now))
        if now - since >= _WITHIN:
            tries, since = 0, now
        self._tries[name] = (tries + 1, since)
        while len(self._tries) > _ADDRESSES:
            self._tries.popitem(last=False)
        return tries < _TRIES

    def succeeded(self, request: web.Request) -> None:
        """Forget the tries of this address: somebody signed in."""
        self._tries.pop(self._name(request), None)
