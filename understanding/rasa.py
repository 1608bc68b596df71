"""The Rasa side-car over HTTP: one window of text to `/model/parse`, scores back, in time or not at all.

Used when RASA_URL is set, beside the embedded engine, which answers when Rasa is down, late or talks nonsense. What
it answers is checked down to the last number: it was fed hostile text. No text appears in an exception. What Rasa runs
is in understanding/rasa/; what scores mean is decided elsewhere (understand.py).
"""

import asyncio
import json
import math
from dataclasses import dataclass
from typing import Any

import aiohttp

from understanding.heads import Scores
from understanding.meaning import Intent, Signal

LARGEST_ANSWER = 64 << 10  # bytes; a good one has about 2,000
_AT_ONCE = 8  # requests; Rasa reads one text at a time anyway
_MOST_SCORES = 64  # entries of one list


class RasaFailed(Exception):
    """Rasa was down, late, or answered what is no reading; the text is read by the embedded engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How long Rasa is left alone after a failure, in seconds; doubled from one to the next until it answers again."""

    first: float = 0.5
    longest: float = 10.0


class Rasa:
    """A client of one Rasa server. Use within one event loop: `start`, `read`, `stop`."""

    def __init__(self, url: str, *, pauses: Pauses | None = None) -> None:
        self._address = f"{url.rstrip('/')}/model/parse"
        self._pauses = pauses or Pauses()
        self._pause = self._pauses.first
        self._resting_until = -math.inf  # of the loop's clock
        self._session: aiohttp.ClientSession | None = None
        self.ready = False  # the last reading succeeded
        self.failures = 0  # readings that failed so far, for health and tests

    async def start(self) -> None:
        """Open the connections; Rasa itself may come later."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_AT_ONCE),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a small answer must not become a large one
            trust_env=False,  # words go to the address that was set, and not by way of a proxy
            raise_for_status=False,
        )

    async def stop(self) -> None:
        """Close the connections."""
        self.ready = False
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def read(self, text: str, *, deadline: float) -> Scores | None:
        """Read one window of cleaned text by a time of the loop's clock; None when that was not possible."""
        loop = asyncio.get_running_loop()
        asked = plain(text)
        if self._session is None or not asked or loop.time() < self._resting_until:
            return None
        try:
            async with asyncio.timeout_at(deadline):
                scores = scores_of(await self._answer(self._session, asked))
        except (RasaFailed, TimeoutError, aiohttp.ClientError, OSError):
            self._failed(loop.time())
            return None
        self.ready, self._pause = True, self._pauses.first
        return scores

    async def _answer(self, session: aiohttp.ClientSession, text: str) -> bytes:
        async with session.post(self._address, json={"text": text}, allow_redirects=False) as response:
            if response.status != 200:
                raise RasaFailed
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > LARGEST_ANSWER:
                    raise RasaFailed
            return bytes(body)

    def _failed(self, now: float) -> None:
        """Leave it alone for a while: with a server that hangs, every answer would wait for nothing."""
        self.ready, self.failures = False, self.failures + 1
        if now < self._resting_until:  # the others of one burst
            return
        self._resting_until = now + self._pause
        self._pause = min(2 * self._pause, self._pauses.longest)


def plain(text: str) -> str:
    """A text that Rasa reads as words: what begins with a stroke it takes for a command, and says so in its log."""
    return text.lstrip("/ \t")


def scores_of(body: bytes) -> Scores:
    """The scores in an answer. Raises RasaFailed on anything but a whole and sane one."""
    try:
        answer = json.loads(body)
        level = answer["level"]
        danger = _share(level["danger"])
        return Scores(
            danger=danger,
            concern=max(_share(level["concern"]), danger),
            signals={Signal(name): score for name, score in _named(answer["signals"], "score").items()},
            intents={Intent(name): score for name, score in _named(answer["intent_ranking"], "confidence").items()}
            or _none_known(),
            varieties={},
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise RasaFailed from None


def _none_known() -> dict[Intent, float]:
    raise RasaFailed


def _named(entries: Any, key: str) -> dict[str, float]:
    """A list of names and shares as a table."""
    if not isinstance(entries, list) or len(entries) > _MOST_SCORES:
        raise RasaFailed
    return {entry["name"]: _share(entry[key]) for entry in entries}


def _share(value: Any) -> float:
    """A number from 0 to 1; rounding may carry it a hair outside. Truth values, text and NaN are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e-6 <= value <= 1 + 1e-6:
        raise RasaFailed
    return min(max(float(value), 0.0), 1.0)
