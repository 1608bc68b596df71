"""Removes what a telephone company still holds: again and again, until it says that it is gone.

Three things together leave nothing behind: a job for each copy as it becomes known, less and less often but for as long
as it is held; `sweep`, for copies whose job was lost; `compare`, for what the company holds and never told us about.
Chats are erased in chats.py.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from bot.afterwards import soon
from bot.house import House
from channels.messages import ChannelName, SendError
from channels.sms import Sms
from channels.voice import Voice
from vault.unit import Unit

_MINUTES: Final = (1, 2, 5, 10, 10, 20, 30, 60, 120, 240, 360)  # until the next try; the last one for ever
_AT_ONCE: Final = 200  # lost copies taken up by one sweep: whatever else is to be done must not wait for them
_SETTLED: Final = timedelta(hours=1)  # by then every webhook about it has come, or never will


class Erasing:
    """Deletes copies at Twilio."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def erase_copy(self, copy: str, tries: str = "") -> None:
        """Delete one copy that a provider still holds, until it confirms. `copy` is our own id of it.

        `tries` comes with jobs of the first release alone; the ledger counts.
        """
        house = self._house
        async with house.vault.unit() as unit:
            held = await unit.copies.look(copy)
            tried = await unit.copies.trying(copy) if held else 0
        if held is None:
            return
        wait = await self._wait(*held, tried)
        async with house.vault.unit() as unit:
            if wait is None:
                await unit.copies.gone(copy)
            else:
                await unit.jobs.later("erase_copy", at=unit.transaction.now + wait, copy=copy)

    async def _wait(self, channel: str, resource: str, tried: int) -> timedelta | None:
        """None when it is gone; else for how long to leave it in peace."""
        wait = timedelta(minutes=_MINUTES[min(tried, len(_MINUTES)) - 1])
        adapter = self._house.channels.get(ChannelName(channel))
        if adapter is None:  # the channel was taken out of the settings; doctor says what that means
            return wait
        try:
            return None if await adapter.erase_copy(resource) else wait
        except SendError as error:
            self._house.log.warning("copy.refused", channel=channel, code=error.code, attempt=tried)
            return max(wait, timedelta(seconds=error.after or 0))

    async def sweep(self, timestamp: int) -> None:
        """Every hour: take up the copies that are held and have no job any more."""
        async with self._house.vault.unit() as unit:
            lost = await unit.copies.adrift(_AT_ONCE)
            await self._enqueue(unit, lost)
        if lost:
            self._house.log.warning("copies.taken_up", count=len(lost))

    async def compare(self, timestamp: int) -> None:
        """Every hour: enter what Twilio lists of our numbers since this line began, and the ledger does not know.

        A webhook that was missed while we were away, or delivery news that was lost, leaves such a copy behind.
        """
        house = self._house
        async with house.vault.unit() as unit:
            since, before = await unit.audit.begins(), unit.transaction.now - _SETTLED
        for adapter in house.channels.values():
            if since is None or not isinstance(adapter, Sms | Voice):
                continue
            try:
                found = await adapter.held(since, before)
            except SendError as error:
                house.log.warning("copies.not_listed", channel=adapter.name, code=error.code)
                continue
            async with house.vault.unit() as unit:
                new = await unit.copies.note(adapter.name, found)
                await self._enqueue(unit, new)
            house.counts["copies_found"] += len(new)

    async def _enqueue(self, unit: Unit, copies: Sequence[str]) -> None:
        for copy in copies:
            await unit.jobs.later("erase_copy", at=soon(self._house, unit), copy=copy)
