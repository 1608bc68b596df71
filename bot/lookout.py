"""Looks after the machine itself: what became of whoever took a case, work that is stuck, words nobody could read, and
workers that die. Each is found by somebody else than the one who failed.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

import procrastinate

from bot.house import House
from bot.notices import SYSTEM, Trouble, notice
from bot.report import reasons_entry
from triage.levels import Assessment, Level, Reason
from vault.errors import NotFound
from vault.unit import DATABASE_AWAY, Unit

LATE: Final[dict[str, float]] = {"urgent": 60.0, "talk": 600.0, "read": 900.0}
"""Queue -> seconds by which its work may be late before somebody is told."""

PEERS_EVERY: Final = 5.0  # seconds
_DEAD: Final = 12.0  # seconds without a sign of life, then gone: a worker that ends well takes its leave before
_FAILED_SINCE: Final = timedelta(days=1)

Act = Callable[[Unit, uuid.UUID], Awaitable[None]]


class Lookout:
    """One job a minute."""

    def __init__(self, house: House, queue: str) -> None:
        self._house = house
        self._queue = queue

    def register(self, app: procrastinate.App) -> None:
        """Name the task, with its schedule."""
        app.periodic(cron="* * * * *")(app.task(name="watch", queue=self._queue, queueing_lock="watch")(self.watch))

    async def watch(self, timestamp: int) -> None:
        """Every minute: reminders whose wake-up was lost, words nobody could read, work that is stuck."""
        house = self._house
        async with house.vault.unit() as unit:
            now = unit.transaction.now
            following = await unit.alerts.following(now)
            unread = await unit.unread_words.waiting_since(now - timedelta(seconds=house.line.triage.unassessed))
            await self._stuck(unit)
        for alert in following:
            await self._one(house.pager.tick, alert)
        for case in unread:
            await self._one(self._unassessed, case)

    async def _one(self, act: Act, subject: uuid.UUID) -> None:
        """Each in a unit of its own: a broken one must not keep the others from being looked at."""
        house = self._house
        try:
            async with house.vault.unit() as unit:
                await act(unit, subject)
        except NotFound:  # the case was erased meanwhile
            return
        except Exception as error:
            house.counts["watch_failed"] += 1
            house.log.failure("watch.failed", error)

    async def _unassessed(self, unit: Unit, case_id: uuid.UUID) -> None:
        """Words that no engine could read are urgent until a human has read them."""
        case = await unit.cases.get(case_id, lock=True)
        if not case.unread:
            return
        if case.level < Level.HIGH:
            reason = Reason(rule="not_read", level=Level.HIGH)
            await unit.cases.add(case, reasons_entry(Assessment(level=Level.HIGH, reasons=(reason,), unread=True)))
            unit.audit.add("case.high", f"case:{case.code}")
            case = await unit.cases.change(case_id, level=Level.HIGH)
            await unit.queue_changed()
        if await unit.alerts.of_case(case_id) is None:  # rung for once; from then on its alert has rules of its own
            await self._house.pager.urgent(unit, case)

    async def _stuck(self, unit: Unit) -> None:
        """Urgent work that waits, or that was given up since somebody was last told."""
        waiting = sum([(await unit.jobs.late(limit)).get(queue, 0) for queue, limit in LATE.items()])
        told = await unit.audit.latest(Trouble.STUCK, SYSTEM)
        since = max(told or unit.transaction.now - _FAILED_SINCE, unit.transaction.now - _FAILED_SINCE)
        count = waiting + await unit.jobs.failed(since=since)
        if count and await notice(self._house, unit, Trouble.STUCK, count=str(count)):
            self._house.log.error("jobs.stuck", count=count)


async def watch_peers(house: House, stop: asyncio.Event) -> None:
    """Beside the jobs of a worker: notice when another one is gone without having taken its leave."""
    seen: dict[int, float] = {}
    while not stop.is_set():
        with suppress(*DATABASE_AWAY):
            seen = await look_round(house, seen)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PEERS_EVERY)


async def look_round(house: House, before: dict[int, float]) -> dict[int, float]:
    """Who shows signs of life, with their age in seconds; tells of whoever fell silent and is gone."""
    async with house.vault.unit() as unit:
        seen = await unit.jobs.signs_of_life()
        gone = [worker for worker, age in before.items() if worker not in seen and age > _DEAD - PEERS_EVERY]
        if gone and await notice(house, unit, Trouble.WORKER):
            house.log.error("worker.gone", count=len(gone))
    return seen
