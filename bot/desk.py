"""What the console asks of the house: staff's words on their way within the person's rule, and the pager's news."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from bot.contact import Fate, fate, later, next_moment
from bot.drills import CannotDrill, begin
from bot.house import House
from bot.readiness import note
from bot.takeover import TakeOver
from channels.messages import ChannelName
from console.actions import Held, Presence
from dialogs.lexicon import normal
from triage.levels import Level
from vault.cases import Case, Entry
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
        state = _STATES[fate(case, channel)]
        if state is OutboxState.LEFT and not left:
            raise Held(
                _UNREACHABLE.format(who="called" if channel == ChannelName.VOICE else "asked not to be contacted")
            )
        at = next_moment(case, unit.transaction.now, ZoneInfo(self.house.line.time_zone))
        goes = state is OutboxState.WAITING
        parcel = await unit.outbox.put(
            OutboxKind.STAFF,
            channel,
            address,
            {"words": text, "left": left},
            case_id=case.id,
            state=OutboxState.HELD if goes and at else state,
        )
        if goes:
            await later(unit, parcel, at)
        return str(parcel)

    async def written_down(self, unit: Unit, case: Case, text: str) -> None:
        """Its words wait, locked, until the engine has read them."""
        words = await unit.unread_words.put(case.id, text, case.language)
        await unit.jobs.later("read", words=str(words))

    async def acknowledge(self, unit: Unit, case: Case, member: Member) -> None:
        """A member has this case."""
        stored = await unit.alerts.of_case(case.id)
        if stored is not None:
            who = await _as_responder(unit, member)
            await self.house.pager.acknowledged(unit, stored.id, who or str(member.id), role="member")

    async def presence(self, unit: Unit, case: Case, envelope: Entry | None) -> Presence:
        """Who writes with this person, or why nobody can."""
        return await TakeOver(self.house).presence(unit, case, envelope)

    async def take_over(self, unit: Unit, case: Case, envelope: Entry | None, member: Member) -> uuid.UUID | None:
        """This member writes with the person from now on."""
        return await TakeOver(self.house).take_over(unit, case, envelope, member)

    async def write(self, unit: Unit, case: Case, envelope: Entry | None, text: str, member: Member) -> str:
        """Words of the member who writes with the person, at once."""
        return await TakeOver(self.house).write(unit, case, envelope, text, member)

    async def hand_back(self, unit: Unit, case: Case, envelope: Entry | None, member: Member) -> bool:
        """The line takes over again."""
        return await TakeOver(self.house).hand_back(unit, case, envelope, member)

    async def closed(self, unit: Unit, case: Case, member: Member) -> None:
        """Nobody is called for this case any more."""
        await self.house.pager.closed(unit, case)

    async def begin_drill(self, unit: Unit, name: str, member: Member) -> None:
        """Begin the drill of this scenario."""
        try:
            await begin(unit, self.house.settings, self.house.line, name, f"member:{member.id}")
        except CannotDrill as error:
            raise Held(str(error)) from None

    async def raise_level(self, unit: Unit, case: Case, level: Level, member: Member) -> None:
        """The case has this level now."""
        if level >= Level.HIGH:
            await self.house.pager.urgent(unit, case)

    async def swapped(self, unit: Unit, about: Sequence[str], *, start: datetime, member: Member) -> None:
        """A short note to each of them, but not to whoever did it."""
        mine = await _as_responder(unit, member)
        for person in await unit.responders.all():
            if str(person.id) in about and str(person.id) != mine:
                await note(self.house, unit, person, "page.shift_changed", about=person, at=start)


_STATES: Final = {Fate.SEND: OutboxState.WAITING, Fate.HOLD: OutboxState.HELD, Fate.LEAVE: OutboxState.LEFT}
_UNREACHABLE: Final = (
    "This person {who} and has no return code, so no answer can reach them. "
    "Keep it as a note: it is here when they come back."
)


async def _as_responder(unit: Unit, member: Member) -> str:
    """The responder of the same name, or "": one human with two hats counts once, where two people are needed."""
    name = normal(member.name)
    return next((str(r.id) for r in await unit.responders.all() if normal(r.name) == name), "")
