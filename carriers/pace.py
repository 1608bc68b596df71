"""How fast the practised world runs, and what time it is there. Nothing else may sleep or read a clock here.

Waits that a person would notice (ringing, prompts, delivery) are scaled by `speed`, so that a test need not
wait a minute for an unanswered phone. Network time-outs are real and are not scaled.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    """The real time, in UTC."""
    return datetime.now(UTC)


class Pace:
    """`speed` 10 makes ten practised seconds pass in one; `speech` is in characters per practised second."""

    def __init__(self, *, speed: float = 1.0, speech: float = 15.0, clock: Callable[[], datetime] = utc_now) -> None:
        self.speed = speed
        self.speech = speech
        self._clock = clock
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The practised time, in UTC."""
        return self._clock() + self._ahead

    def advance(self, time: timedelta) -> None:
        """Set the practised clock forward, e.g. past Telegram's 48 hours."""
        self._ahead += time

    def real(self, seconds: float) -> float:
        """How many real seconds so many practised ones take."""
        return seconds / self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait this many practised seconds."""
        await asyncio.sleep(self.real(seconds))

    async def speak(self, text: str) -> None:
        """Wait as long as it takes to say this."""
        await self.sleep(len(text) / self.speech)
