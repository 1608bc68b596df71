"""The jobs that forget: epochs that turn, cases whose time is over, traces nobody needs. And what doctor says of them.

When and with which policy; what is destroyed, and how, is in vault/epochs.py, vault/retention.py and vault/erasing.py.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import procrastinate

from bot.house import House
from vault import retention
from vault.epochs import ends, next_epoch
from vault.erasing import CaseLocks
from vault.keys import KeyRing, reread
from vault.retention import MAKE_FINAL
from vault.unit import Unit

_EVERY_HOUR: Final = "23 * * * *"
_AGAIN: Final = procrastinate.RetryStrategy(max_attempts=20, wait=5, linear_wait=5)
_LOOK: Final = 15.0  # seconds: for so long at most an idle process remembers an epoch that was destroyed
_LATE: Final = timedelta(hours=3)  # by which the hourly job may be behind before doctor says so


class Keeping:
    """The tasks of this subject."""

    def __init__(self, house: House) -> None:
        self._house = house

    def register(self, app: procrastinate.App) -> None:
        """Name every task, and the periodic one with its schedule."""
        app.task(name=MAKE_FINAL, retry=_AGAIN)(self.make_final)
        keep = app.task(name="keep", queueing_lock="keep", lock="keep")(self.keep)
        app.periodic(cron=_EVERY_HOUR)(keep)

    async def keep(self, timestamp: int) -> None:
        """Every hour: everything that is due. Broken off anywhere, the next hour goes on."""
        house = self._house
        done = await retention.keep(house.vault, house.line.retention.policy)
        house.pseudonyms.use(house.vault.ring)
        if done.epochs.begun:
            house.log.info("epoch.begun", count=len(done.epochs.begun))
        if done.epochs.destroyed:
            house.log.info("epoch.destroyed", count=len(done.epochs.destroyed))
        house.counts["epoch_rows_removed"] += done.epochs.rows
        house.counts["cases_erased"] += done.erased
        if not done.final:
            house.log.warning("erasing.not_final")

    async def make_final(self) -> None:
        """After somebody asked to erase a case: renew the erasure key now, not in an hour."""
        if not await retention.make_final(self._house.vault):
            self._house.log.warning("erasing.not_final")  # the hourly job tries again


@asynccontextmanager
async def watching(house: House) -> AsyncIterator[None]:
    """As long as this is open, a key ring that another process changed is noticed also by a process that idles."""
    watch = asyncio.create_task(_watch(house))
    try:
        yield
    finally:
        watch.cancel()


async def _watch(house: House) -> None:
    while True:
        await asyncio.sleep(_LOOK)
        house.vault.ring = reread(house.vault.ring)
        house.pseudonyms.use(house.vault.ring)


# What doctor says ----------------------------------------------------------------------------------------------------


async def findings(house: House, unit: Unit) -> list[tuple[str, str]]:
    """What doctor says of keeping and forgetting: (what, remedy); the remedy is empty when all is well."""
    now = unit.transaction.now
    late = await retention.overdue(unit, house.line.retention.policy)
    owed = await CaseLocks(unit.transaction).owed_since()
    return [
        _epochs(house, unit.transaction.ring, now),
        await _backup(house, unit, now),
        (
            f"cases past their time: {late}",
            "They are unread or still ring: read and close them, then they are erased." if late else "",
        ),
        (
            "erasing",
            "An erased case is not final yet. Does a backup hang, or no worker run?"
            if owed and now - owed > _LATE
            else "",
        ),
    ]


def _epochs(house: House, ring: KeyRing, now: datetime) -> tuple[str, str]:
    policy = house.line.retention.policy.epochs
    ages = ", ".join(f"{epoch} ({_age(now - ring.begun[epoch])} old)" for epoch in sorted(ring.epochs))
    due = [at for epoch in ring.epochs if (at := ends(ring, policy, epoch))] + [next_epoch(ring, policy)]
    return (
        f"epochs: {ages}; next {next_epoch(ring, policy):%Y-%m-%d}",
        "They are not turned in time: does a worker run?" if now - min(due) > _LATE else "",
    )


async def _backup(house: House, unit: Unit, now: datetime) -> tuple[str, str]:
    limit = timedelta(days=house.line.retention.backup_days)
    made = await unit.audit.latest("backup.made")
    since = made or await unit.audit.begins()
    said = f"backup: {_age(now - made)} old" if made else "backup: none yet"
    late = since is not None and now - since > limit
    return said, "Make one: harborline backup FOLDER." if late else ""


def _age(age: timedelta) -> str:
    """In the largest unit that says something: 5 days, 7 hours."""
    hours = max(age, timedelta(0)) // timedelta(hours=1)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
