"""What the console asks of the house: staff's words on their way within the person's rule, and the pager's news."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.house import House
from channels.messages import Answer, ChannelName, Expect
from console.actions import Held
from dialogs.conversation import Mode
from triage.levels import Level
from vault.cases import Case
from vault.delivery import OutboxKind, OutboxState
from vault.members import Member
from vault.unit import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """console.actions.Actions, for one house."""

    house: House

    async def answer(self, unit: Unit, case: Case, *, channel: str, address: str, text: str, member: Member) -> str:
        """Send, hold or leave staff's words, as the person's rule and channel allow; gives the parcel's id."""
        left = await unit.codes.leave(case.id, text)
        state = _fate(case, channel, left=left)
        answer = self._worded(case, text).to_json()
        parcel = await unit.outbox.put(OutboxKind.STAFF, channel, address, answer, case_id=case.id, state=state)
        if state is OutboxState.WAITING:
            at = _within(case.contact_hours, unit.transaction.now, ZoneInfo(self.house.line.time_zone))
            await unit.jobs.later("deliver", at=at, parcel=str(parcel))
        return str(parcel)

    async def acknowledge(self, unit: Unit, case: Case, member: Member) -> None:
        """A member has this case."""
        stored = await unit.alerts.of_case(case.id)
        if stored is not None:
            await self.house.pager.acknowledged(unit, stored.id, str(member.id), role="member")

    async def closed(self, unit: Unit, case: Case, member: Member) -> None:
        """Nobody is called for this case any more."""
        await self.house.pager.closed(unit, case)

    async def raise_level(self, unit: Unit, case: Case, level: Level, member: Member) -> None:
        """The case has this level now."""
        if level >= Level.HIGH:
            await self.house.pager.urgent(unit, case)

    def _worded(self, case: Case, text: str) -> Answer:
        house = self.house
        language = case.language if case.language in house.line.languages else house.line.default_language
        mode = Mode.DISCREET if case.discreet or case.contact_rule == "neutral" else Mode.PLAIN
        words = house.phrases.text("staff.answer", language, mode, {**house.facts.values, "text": text})
        return Answer(text=words, language=language, expect=Expect.NOTHING)


def _fate(case: Case, channel: str, *, left: bool) -> OutboxState:
    """What the person's own rule and channel make of an answer. `left`: it also waits under their return code."""
    if channel == ChannelName.VOICE or case.contact_rule == "never_first":
        if left:
            return OutboxState.LEFT
        who = "called" if channel == ChannelName.VOICE else "asked not to be contacted"
        raise Held(
            f"This person {who} and has no return code, so no answer can reach them. "
            "Keep it as a note: it is here when they come back."
        )
    return OutboxState.HELD if case.contact_rule == "when_i_write" else OutboxState.WAITING


def _within(hours: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The next moment within "08-12" on the line's clock; None when that is now, or no hours were chosen."""
    if not hours:
        return None
    begin, end = (int(hour) for hour in hours.split("-"))
    local = now.astimezone(zone)
    if begin <= local.hour < end:
        return None
    day = local.date() if local.hour < begin else local.date() + timedelta(days=1)
    return datetime.combine(day, time(begin), tzinfo=zone)
