"""What the console asks of the house and cannot do itself, since it knows neither channels nor the pager."""

import uuid
from dataclasses import dataclass
from typing import Protocol

from triage.levels import Level
from vault.cases import Case
from vault.members import Member
from vault.unit import Unit


class Held(Exception):
    """The answer cannot go out now. `reason` is the sentence staff read: why, and what they can do instead."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Who writes with a person now (a member's id), or why nobody can: the sentence staff read."""

    member: uuid.UUID | None = None
    refusal: str = ""


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

    async def closed(self, unit: Unit, case: Case, member: Member) -> None:
        """The case was closed: nobody is called for it any more."""
        ...

    async def raise_level(self, unit: Unit, case: Case, level: Level, member: Member) -> None:
        """The case has this level now: page whoever must know."""
        ...
