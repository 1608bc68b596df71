"""What the console asks of the house and cannot do itself, since it knows neither channels nor the pager."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from triage.levels import Level
from vault.cases import Case, Entry
from vault.members import Member
from vault.unit import Unit


class Held(Exception):
    """The answer cannot go out now. `reason` is the sentence staff read: why, and what they can do instead."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Who writes with a person now (a member's id), or why nobody can: the sentence staff read.

    `announced`: neither, and this is what the line will tell them when somebody begins.
    """

    member: uuid.UUID | None = None
    refusal: str = ""
    announced: str = ""


class Actions(Protocol):
    """All of it happens inside the unit that is passed in; nothing leaves before that is committed."""

    async def answer(self, unit: Unit, case: Case, *, channel: str, address: str, text: str, member: Member) -> str:
        """Send staff's words, hold them, or leave them under the return code; gives the parcel's id.

        Raises Held when nothing can reach the person, having changed nothing.
        """
        ...

    async def written_down(self, unit: Unit, case: Case, text: str) -> None:
        """A member wrote a report down: have it read like any other, which may raise its level."""
        ...

    async def acknowledge(self, unit: Unit, case: Case, member: Member) -> None:
        """A member has this case: as good as a responder's acknowledgement."""
        ...

    async def presence(self, unit: Unit, case: Case, envelope: Entry | None) -> Presence:
        """Who writes with this person now, at the address of their newest envelope. Changes nothing."""
        ...

    async def take_over(self, unit: Unit, case: Case, envelope: Entry | None, member: Member) -> uuid.UUID | None:
        """From now on this member writes with the person and the line is silent; gives the id of the member they take
        it from. The case must not be locked yet. Raises Held."""
        ...

    async def write(self, unit: Unit, case: Case, envelope: Entry | None, text: str, member: Member) -> str:
        """Send the words of the member who writes with the person; gives the parcel's id. The case must not be locked
        yet. Raises Held."""
        ...

    async def hand_back(self, unit: Unit, case: Case, envelope: Entry | None, member: Member) -> bool:
        """The line takes over again; False when it had already. The case must not be locked yet. Raises Held."""
        ...

    async def closed(self, unit: Unit, case: Case, member: Member) -> None:
        """The case was closed: nobody is called for it any more."""
        ...

    async def begin_drill(self, unit: Unit, name: str, member: Member) -> None:
        """Begin the drill of this scenario. Raises Held when it cannot begin now."""
        ...

    async def raise_level(self, unit: Unit, case: Case, level: Level, member: Member) -> None:
        """The case has this level now: page whoever must know."""
        ...

    async def swapped(self, unit: Unit, about: Sequence[str], *, start: datetime, member: Member) -> None:
        """A member changed whose shift it is: tell the responders of these ids, but not that member."""
        ...
