"""What supervisors decide about others: who is let in, let in again, given another role, or taken out.

Each act checks, in its own transaction, that whoever does it is a supervisor at that moment, and leaves a line in the
audit chain. Nobody does any of it to themselves. There is always a supervisor: the one who acts.
"""

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update

from triage.review import CaseState
from vault import tables
from vault.audit import Audit
from vault.credentials import Chosen
from vault.errors import LastSupervisor, NameTaken, NotAllowed, NotFound
from vault.members import Member, Members, Role, SignedIn
from vault.passkeys import Passkeys
from vault.sessions import Sessions
from vault.teams import TeamKeys, Teams
from vault.transaction import Transaction

_INVITED: Final = timedelta(days=3)


class Staffing:
    """Who is a member, decided by supervisors. Raises NotAllowed for anybody else."""

    def __init__(self, transaction: Transaction, audit: Audit) -> None:
        self._transaction = transaction
        self._audit = audit
        self._members = Members(transaction)
        self._teams = Teams(transaction)

    @property
    def _invited_until(self) -> datetime:
        return self._transaction.minute + _INVITED

    async def invite(self, name: str, role: Role, chosen: Chosen, *, by: SignedIn) -> Member:
        """Add a member under a one-time passphrase; they choose their own when they first sign in. Raises NameTaken."""
        await self._members.supervises(by)
        if not name.strip() or await self._find(name):
            raise NameTaken
        member = await self._members.add(name.strip(), role, chosen, by.teams, invited_until=self._invited_until)
        self._note("member.enrolled", member.id, by)
        return member

    async def reset(self, member_id: uuid.UUID, chosen: Chosen, *, by: SignedIn) -> Member:
        """Let a member in again who lost passphrase or second factor: new keys, both factors gone, sessions over."""
        member = await self._other(member_id, by)
        await self._start_again(member.id, chosen, by.teams)
        self._note("member.reset", member.id, by)
        return await self._members.get(member.id)

    async def recover(self, name: str, chosen: Chosen, teams: TeamKeys) -> Member:
        """Let somebody in as a supervisor with keys that the recovery sheets opened: nobody has to be signed in."""
        await self._members.hold()
        member_id = await self._find(name)
        if member_id is None:
            until = self._invited_until
            member_id = (await self._members.add(name.strip(), Role.SUPERVISOR, chosen, teams, invited_until=until)).id
        else:
            await self._start_again(member_id, chosen, teams)
            await self._set(member_id, role=Role.SUPERVISOR)
        self._audit.add("member.recovered", f"member:{member_id}", actor="recovery")
        return await self._members.get(member_id)

    async def change_role(self, member_id: uuid.UUID, role: Role, *, by: SignedIn) -> None:
        """Make a member a supervisor, or a reviewer. One may step down oneself; raises LastSupervisor."""
        await self._members.supervises(by)
        member = await self._present(member_id)
        if member.id == by.member.id and role is not Role.SUPERVISOR and await self._supervisors() < 2:
            raise LastSupervisor
        await self._set(member.id, role=role)
        self._note(f"member.made_{role}", member.id, by)

    async def remove(self, member_id: uuid.UUID, *, by: SignedIn) -> None:
        """Take a member out: their keys and sessions go, the team gets a new key, and their cases wait for somebody.

        The cases that were there are moved to the new key afterwards, in batches: `Teams.regrant`.
        """
        member = await self._other(member_id, by)
        await Sessions(self._transaction).end_all(member.id)
        await Passkeys(self._transaction).remove(member.id)
        await self._teams.leave(member.id)
        await self._set(
            member.id,
            login=secrets.token_bytes(32),  # the name is free again
            removed_at=self._transaction.minute,
            invited_until=None,
            passkey_only=False,
            **dict.fromkeys(("public_key", "salt", "private_key", "totp"), b""),
        )
        await self._free_cases(member.id)
        await self._teams.rotate(by.teams)
        self._note("member.removed", member.id, by)
        self._audit.add("team.rotated", "team", actor=f"member:{by.member.id}")

    async def rotate(self, *, by: SignedIn) -> None:
        """Give the team a new key with everybody still in; `Teams.regrant` moves the cases afterwards."""
        await self._members.supervises(by)
        await self._teams.rotate(by.teams)
        self._audit.add("team.rotated", "team", actor=f"member:{by.member.id}")

    async def _free_cases(self, member_id: uuid.UUID) -> None:
        """What they had taken waits for somebody again (triage.review: RELEASE); what they answered is nobody's."""
        cases, minute = tables.cases, self._transaction.minute
        theirs = update(cases).where(cases.c.member_id == member_id)
        taken = theirs.where(cases.c.state == CaseState.ASSIGNED)
        await self._transaction.connection.execute(
            taken.values(state=CaseState.OPEN, member_id=None, changed_at=minute)
        )
        await self._transaction.connection.execute(theirs.values(member_id=None))

    async def _start_again(self, member_id: uuid.UUID, chosen: Chosen, teams: TeamKeys) -> None:
        await Passkeys(self._transaction).remove(member_id)
        await self._set(member_id, passkey_only=False, totp_step=0)
        await self._members.rekey(member_id, chosen, teams, totp_seed="", invited_until=self._invited_until)

    async def _other(self, member_id: uuid.UUID, by: SignedIn) -> Member:
        """Somebody else, who is present. Raises NotAllowed, NotFound."""
        await self._members.supervises(by)
        if member_id == by.member.id:
            raise NotAllowed
        return await self._present(member_id)

    async def _present(self, member_id: uuid.UUID) -> Member:
        member = await self._members.get(member_id)
        if member.removed_at:
            raise NotFound
        return member

    async def _find(self, name: str) -> uuid.UUID | None:
        query = select(tables.members.c.id).where(tables.members.c.login == self._members.login(name))
        found: uuid.UUID | None = await self._transaction.connection.scalar(query)
        return found

    async def _supervisors(self) -> int:
        """How many supervisors can act."""
        return sum(m.role is Role.SUPERVISOR and m.invited_until is None for m in await self._members.all())

    async def _set(self, member_id: uuid.UUID, **values: Any) -> None:
        table = tables.members
        await self._transaction.connection.execute(update(table).where(table.c.id == member_id).values(**values))

    def _note(self, action: str, member_id: uuid.UUID, by: SignedIn) -> None:
        self._audit.add(action, f"member:{member_id}", actor=f"member:{by.member.id}")
