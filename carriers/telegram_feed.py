"""How updates reach the bot's owner: by long polling or by webhook, in order, until they are accepted.

What an update says is telegram_bot.py's.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from carriers.faults import Fault, FaultKind, Faults
from carriers.pace import Pace
from carriers.telegram_bot import Json, TelegramError
from carriers.webhooks import Courier

FIRST_PAUSE = 1.0  # practised seconds before a refused update is tried again; doubled each time
LONGEST_PAUSE = 60.0
_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
_OK = range(200, 300)


class Feed:
    """The updates of one bot, oldest first. `perform` carries out a method named in a webhook's answer."""

    def __init__(self, *, pace: Pace, faults: Faults, courier: Courier) -> None:
        self._pace = pace
        self._faults = faults
        self._courier = courier
        self._pending: list[Json] = []
        self._last = 0
        self._changed = asyncio.Event()
        self._poller: asyncio.Event | None = None
        self._url = ""
        self._secret = ""
        self._allowed: Sequence[str] = ()
        self._connections = 40
        self._error: tuple[int, str] | None = None
        self.perform: Callable[[str, Mapping[str, Any]], object] = lambda method, parameters: None
        self.answers: list[int | None] = []  # HTTP status of every webhook request, None without an answer

    @property
    def pending(self) -> int:
        """Updates that nobody has taken yet."""
        return len(self._pending)

    def push(self, kind: str, said: Json) -> None:
        """A new update."""
        if self._allowed and kind not in self._allowed:
            return
        self._last += 1
        self._pending.append({"update_id": self._last, kind: said})
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # polling ---------------------------------------------------------------------------------------------

    async def poll(self, *, offset: int, limit: int, patience: float, allowed: Sequence[str] | None) -> list[Json]:
        """getUpdates; `patience` is its time-out, in real seconds. Raises TelegramError 409."""
        if self._url:
            raise TelegramError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first",
            )
        if self._poller is not None:
            self._poller.set()
        ousted = self._poller = asyncio.Event()
        self._allowed = allowed if allowed is not None else self._allowed
        self._confirm(offset)
        try:
            await self._wait_for_updates(ousted, patience)
        finally:
            if self._poller is ousted:
                self._poller = None
        if ousted.is_set():
            raise TelegramError(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )
        return self._pending[: limit or 100]

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            del self._pending[:offset]
        else:
            self._pending = [update for update in self._pending if update["update_id"] >= offset]

    async def _wait_for_updates(self, ousted: asyncio.Event, patience: float) -> None:
        end = asyncio.get_running_loop().time() + patience
        while not self._pending and not ousted.is_set():
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                return
            waits = [asyncio.ensure_future(event.wait()) for event in (self._changed, ousted)]
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    # webhook ---------------------------------------------------------------------------------------------

    def set_webhook(
        self,
        url: str,
        *,
        secret: str = "",
        allowed: Sequence[str] | None = None,
        drop_pending: bool = False,
        connections: int = 40,
    ) -> bool:
        """Where updates go from now on; "" for polling. Raises TelegramError."""
        if url and urlsplit(url).scheme not in ("http", "https"):  # Telegram wants https; loopback is plain
            raise TelegramError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if not _SECRET.fullmatch(secret):
            raise TelegramError(400, "Bad Request: secret token contains unallowed characters")
        self._url, self._secret, self._connections, self._error = url, secret, connections, None
        self._allowed = allowed if allowed is not None else self._allowed
        if drop_pending:
            self._pending.clear()
        self._wake()
        return True

    def info(self) -> Json:
        """A WebhookInfo object."""
        info: Json = {"url": self._url, "has_custom_certificate": False, "pending_update_count": self.pending}
        if self._url:
            info["max_connections"] = self._connections
        if self._allowed:
            info["allowed_updates"] = list(self._allowed)
        if self._error:
            info["last_error_date"], info["last_error_message"] = self._error
        return info

    async def run(self) -> None:
        """Deliver to the webhook for ever: in order, the same update again until it is accepted."""
        pause = FIRST_PAUSE
        while True:
            changed = self._changed
            if not self._url or not self._pending:
                await changed.wait()
            elif await self._deliver_next():
                pause = FIRST_PAUSE
            else:
                await self._pace.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _deliver_next(self) -> bool:
        update = self._pending[0]
        fault = self._faults.take("webhook.telegram", _chat_of(update))
        kind = fault.kind if fault else None
        if kind is FaultKind.REORDER and len(self._pending) > 1:
            update = self._pending[1]
        if fault and kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        copies = 2 if kind is FaultKind.DUPLICATE else 1
        accepted = kind is FaultKind.DROP or all(
            await asyncio.gather(*(self._post(update, fault) for _ in range(copies)))
        )
        if accepted and update in self._pending:
            self._pending.remove(update)
        return accepted

    async def _post(self, update: Json, fault: Fault | None) -> bool:
        forged = fault is not None and fault.kind is FaultKind.FORGE
        secret = "somebody-else" if forged else self._secret
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        try:
            async with await self._courier.dial("POST", self._url, body=update, headers=headers) as response:
                self.answers.append(response.status)
                if response.status not in _OK:
                    self._fail(f"Wrong response from the webhook: {response.status} {response.reason}")
                    return False
                self._obey(await response.text(errors="replace"))
                return True
        except (aiohttp.ClientError, TimeoutError):
            self.answers.append(None)
            self._fail("Connection failed")
            return False

    def _fail(self, reason: str) -> None:
        self._error = (int(self._pace.now().timestamp()), reason)

    def _obey(self, body: str) -> None:
        """A bot may answer a webhook with the next method; whether it worked it never learns."""
        try:
            said = json.loads(body)
        except ValueError:
            return
        if isinstance(said, dict) and isinstance(said.get("method"), str):
            try:
                self.perform(said["method"], said)
            except TelegramError as error:
                self._fail(error.description)


def _chat_of(update: Json) -> str:
    said = next(value for name, value in update.items() if name != "update_id")
    return str(said.get("from", {}).get("id", ""))
