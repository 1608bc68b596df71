"""The sign of life to a monitor outside: while it comes, this line can bring a human to somebody in danger.

It is sent by a job of the urgent queue that the look asks for once a minute, after it has gone well. So it stops by
itself when no worker takes urgent jobs, when the database is away, and when the look fails; and it is held back on
purpose while urgent work is stuck, while nobody could open a report, or while an alert calls everyone and no
provider takes any of it. Then the monitor does what it was set up for: it calls somebody. Nothing is sent but the
request itself; `HEARTBEAT_URL` is a secret and never in a log.
"""

from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from bot.house import House
from triage.alerts import Alert
from triage.ladder import unheard
from vault.unit import Unit

LATE: Final = 90.0  # seconds by which urgent work may be late
_PATIENCE: Final = ClientTimeout(total=10)
_HEADERS: Final = {"User-Agent": "Harborline"}


class Heartbeat:
    """One job."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def beat(self) -> None:
        """Send it, unless something is wrong; then say in the log what."""
        house = self._house
        if not house.settings.heartbeat_url:
            return
        async with house.vault.unit() as unit:
            wrong = await trouble(unit)
        if wrong:
            house.counts["heartbeat_held_back"] += 1
            house.log.error("heartbeat.held_back", reason=wrong)
            return
        await self._send()

    async def _send(self) -> None:
        house = self._house
        try:
            async with (
                ClientSession(timeout=_PATIENCE, cookie_jar=DummyCookieJar(), headers=_HEADERS) as session,
                session.get(house.settings.heartbeat_url, allow_redirects=False) as answer,
            ):
                good = 200 <= answer.status < 300
                status = answer.status
        except (ClientError, TimeoutError, OSError) as error:
            house.counts["heartbeat_failed"] += 1
            house.log.failure("heartbeat.failed", error)
            return
        house.counts["heartbeat_sent" if good else "heartbeat_failed"] += 1
        if not good:
            house.log.warning("heartbeat.refused", state=status)


async def trouble(unit: Unit) -> str:
    """Why the line could not bring a human now, as a fixed word; "" when it can."""
    if not await unit.cases.teams():
        return "no_team"
    if (await unit.jobs.late(LATE)).get("urgent"):
        return "urgent_work_is_late"
    for stored in await unit.alerts.ringing():
        if unheard(Alert.from_json(stored.machine)):
            return "no_provider_takes_anything"
    return ""
