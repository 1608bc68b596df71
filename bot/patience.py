"""How much of what is slow one sender may cost, and all of them together: tries at return codes, and reading.

It only counts; what follows from "too often" is in reading.py and turn.py. Nothing is ever refused here: a message
beyond every limit is still kept. Counts lie in this process's memory alone, by pseudonym, at most so many, and go as
soon as they mean nothing; a second process counts for itself.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """So many at once, and then one more each time that `every` has passed."""

    burst: int
    every: timedelta


EVENTS: Final = Pace(burst=30, every=timedelta(seconds=2))
"""Texts, keys and calls of one sender. Nobody who tells something writes thirty messages in a minute."""

GUESSES: Final = Pace(burst=6, every=timedelta(minutes=10))
"""Tries of one sender. Mistyped digits are caught by the check digit and are no try, so six are plenty."""

WORDS: Final = Pace(burst=12, every=timedelta(minutes=5))
"""Tries at an agreed word, which opens nothing but the sender's own thread. Beyond, none is recognised for a while.

Every short message of somebody who has words is one, so there are more than guesses at codes.
"""

RINGS: Final = Pace(burst=4, every=timedelta(minutes=10))
"""Times a caller is put through. Each rings up to five people; beyond, the case still pages as it always does."""

SHARED: Final = Pace(burst=60, every=timedelta(seconds=10))
"""Tries of all senders together, beyond the first three of each."""

HONEST: Final = 3
"""The first tries of a sender wait for nobody else: a flood of guesses must not keep a person from their answer."""

AT_ONCE: Final = 2
"""Derivations at once. Each fills a CPU and 32 MiB; the other threads stay free for whoever is not trying a code."""

WORDS_AT_ONCE: Final = 1
"""Agreed words have a place of their own: a flood of guesses at codes must not keep a duress word from being heard."""

QUEUE: Final = 5.0
"""Seconds a try waits for its turn; a provider hangs up after fifteen, and the rest of the turn needs some."""

SENDERS: Final = 10_000
"""Senders and events that are remembered: about 2 MB. Beyond, whoever was silent longest is forgotten first."""

_EVERYBODY: Final = b"everybody"


class Buckets:
    """Token buckets of one pace, one for each sender."""

    def __init__(self, pace: Pace, most: int = SENDERS) -> None:
        self._pace = pace
        self._most = most
        self._held: OrderedDict[bytes, tuple[float, datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def take(self, who: bytes, now: datetime) -> int:
        """Take one if there is one. How many there were: 0 means that there was none."""
        self._forget(now)
        pace = self._pace
        tokens, at = self._held.pop(who, (float(pace.burst), now))
        tokens = min(pace.burst, tokens + max(now - at, timedelta()) / pace.every)  # clocks may be set back
        there = int(tokens)
        self._held[who] = (tokens - 1 if there else tokens, now)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return there

    def _forget(self, now: datetime) -> None:
        """A bucket that is full again says nothing more."""
        full = self._pace.burst * self._pace.every
        while self._held and now - next(iter(self._held.values()))[1] >= full:
            self._held.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What may be spent on one event: nothing slow while its sender is `flooding`; its code only if `may_try`."""

    flooding: bool
    may_try: bool


class Patience:
    """The patience of one process."""

    def __init__(self, *, most: int = SENDERS) -> None:
        self._most = most
        self._events = Buckets(EVENTS, most)
        self._guesses = Buckets(GUESSES, most)
        self._words = Buckets(WORDS, most)
        self._rings = Buckets(RINGS, most)
        self._shared = Buckets(SHARED, 1)
        self._verdicts: OrderedDict[str, Verdict] = OrderedDict()
        self._slow = asyncio.Semaphore(AT_ONCE)
        self._slow_words = asyncio.Semaphore(WORDS_AT_ONCE)

    def judge(self, who: bytes, event: str, now: datetime, *, guess: bool) -> Verdict:
        """Count one event of a sender; `guess`: it holds what could be a return code.

        `event` is its id: one that a provider hands over again, or that is read again, is the same event, not a new
        one, and gets the same verdict.
        """
        known = self._verdicts.get(event)
        if known:
            return known
        flooding = self._events.take(who, now) == 0
        verdict = Verdict(flooding=flooding, may_try=guess and not flooding and self._may_guess(who, now))
        self._verdicts[event] = verdict
        if len(self._verdicts) > self._most:
            self._verdicts.popitem(last=False)
        return verdict

    def may_say(self, who: bytes, now: datetime) -> bool:
        """Count one try of a sender at their agreed word; False: it is one too many for now."""
        return self._words.take(who, now) > 0

    def may_ring(self, who: bytes, now: datetime) -> bool:
        """Count one wish of a caller to be put through; False: responders were rung for them too often just now."""
        return self._rings.take(who, now) > 0

    def _may_guess(self, who: bytes, now: datetime) -> bool:
        left = self._guesses.take(who, now)
        if left > GUESSES.burst - HONEST:
            return True
        return left > 0 and self._shared.take(_EVERYBODY, now) > 0

    async def slowly(self, work: Callable[[], T], *, word: bool = False) -> T:
        """Do this in a thread, AT_ONCE at a time; `word`: in the place of agreed words. Raises TimeoutError when its
        turn does not come within QUEUE."""
        places = self._slow_words if word else self._slow
        async with asyncio.timeout(QUEUE):
            await places.acquire()
        try:
            return await asyncio.to_thread(work)
        finally:
            places.release()
