"""Staff: who may open cases, how they sign in, and the keys that make both true.

A member's private key is wrapped by Argon2id(passphrase); it opens the team's key, which opens the cases'. What
members do with their own keys is in account.py, what supervisors do to others in staffing.py.
"""

import hashlib
import hmac
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import pyotp
from sqlalchemy import insert, select, update

from vault import tables
from vault.credentials import Chosen, Credentials, choose, plain_name, totp_step
from vault.errors import CannotOpen, Conflict, NotAllowed, NotFound, SignInLocked, SignInRefused
from vault.passkeys import Passkeys
from vault.sealing import PrivateKey, lock, new_private_key, open_sealed, seal, unlock
from vault.sessions import Cookie, Sessions
from vault.teams import TeamKeys, Teams
from vault.transaction import Transaction

_TRIES: Final = 5
_LOCKED: Final = timedelta(minutes=15)


class Role(StrEnum):
    """What a member may do: a reviewer works on cases, a supervisor also decides who is a member."""

    REVIEWER = "reviewer"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of staff. `invited_until`: they have yet to choose a passphrase of their own, by then."""

    id: uuid.UUID
    name: str = field(repr=False)
    role: Role
    invited_until: datetime | None = None
    passkey_only: bool = False
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a new member needs once: the seed for their authenticator."""

    member: Member
    totp_seed: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A member with their keys open, for the length of one request."""

    member: Member
    key: PrivateKey = field(repr=False)
    teams: TeamKeys = field(repr=False)


class Members:
    """Who there is, and signing in."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._sessions = Sessions(transaction)
        self._teams = Teams(transaction)
        self._passkeys = Passkeys(transaction)

    async def salt(self, name: str) -> bytes:
        """The salt for this name; for an unknown name a made-up one that stays the same."""
        login = self.login(name)
        query = select(tables.members.c.salt).where(tables.members.c.login == login)
        found: bytes | None = await self._transaction.connection.scalar(query)
        return found or self._transaction.ring.service_key(f"no-such-member/{login.hex()}")[:16]

    async def enrol(
        self, name: str, passphrase: str, role: Role, *, by: SignedIn | None = None, totp_seed: str | None = None
    ) -> Enrolment:
        """Add a member who is present and types both factors. The first founds the team, as a supervisor.

        Later ones need a signed-in supervisor to share the team's key: raises NotAllowed, CannotOpen, Conflict.
        """
        if by is not None:
            await self.supervises(by)
        teams, seed = by.teams if by else await self._teams.found(), totp_seed or pyotp.random_base32()
        role = role if by else Role.SUPERVISOR  # or nobody could ever let anyone in
        member = await self.add(name, role, choose(passphrase), teams, totp_seed=seed)
        return Enrolment(member=member, totp_seed=seed)

    async def add(
        self,
        name: str,
        role: Role,
        chosen: Chosen,
        teams: TeamKeys,
        *,
        totp_seed: str = "",
        invited_until: datetime | None = None,
    ) -> Member:
        """A row, a key pair and the team's key for somebody. Asks nobody's leave: that is the caller's to check."""
        transaction = self._transaction
        member_id = transaction.new_id()
        await transaction.connection.execute(
            insert(tables.members).values(
                id=member_id,
                login=self.login(name),
                name=transaction.ring.lock_for_service(name.encode(), f"member/{member_id}"),
                role=role,
                **dict.fromkeys(("public_key", "salt", "private_key", "totp"), b""),
            )
        )
        await self.rekey(member_id, chosen, teams, totp_seed=totp_seed, invited_until=invited_until)
        return await self.get(member_id)

    async def rekey(
        self,
        member_id: uuid.UUID,
        chosen: Chosen,
        teams: TeamKeys,
        *,
        totp_seed: str,
        invited_until: datetime | None = None,
    ) -> PrivateKey:
        """Give a member a new key pair under a new passphrase, and the teams' keys; every session of theirs ends.

        A new pair, not a new wrapping of the old: whoever has an old backup and the old passphrase opens nothing with
        them in the new rows. Raises Conflict when the team's key was replaced since `teams` was opened.
        """
        await self.hold()
        if not await self._teams.of(member_id) <= teams.keys():
            raise Conflict
        key = new_private_key()
        await self._transaction.connection.execute(
            update(tables.members)
            .where(tables.members.c.id == member_id)
            .values(
                public_key=key.public.raw,
                salt=chosen.salt,
                private_key=lock(key.seed, chosen.wrapping_key, f"member-key/{member_id}"),
                totp=seal(totp_seed.encode(), key.public, f"totp/{member_id}"),
                invited_until=invited_until,
                failures=0,
                locked_until=None,
            )
        )
        await self._teams.share(teams, member_id, key.public)
        await self._sessions.end_all(member_id)
        return key

    async def hold(self) -> None:
        """Who is a member, and what they hold, changes in one transaction at a time."""
        await self._transaction.hold(b"staff")

    async def supervises(self, by: SignedIn) -> None:
        """Check, as things stand now, that `by` is a supervisor whose open keys are all theirs.

        Raises NotAllowed, Conflict.
        """
        await self.hold()
        now = await self.get(by.member.id)
        if now.role is not Role.SUPERVISOR or now.removed_at or now.invited_until:
            raise NotAllowed
        if not await self._teams.of(now.id) <= by.teams.keys():
            raise Conflict

    async def get(self, member_id: uuid.UUID) -> Member:
        """A member, also one who was removed. Raises NotFound."""
        return self._member(await self.row(tables.members.c.id == member_id))

    async def row(self, which: Any, *, lock: bool = False) -> Any:
        """One row of the table. Raises NotFound."""
        query = select(tables.members).where(which)
        row = (await self._transaction.connection.execute(query.with_for_update() if lock else query)).first()
        if row is None:
            raise NotFound
        return row

    async def all(self) -> tuple[Member, ...]:
        """Every member, by name."""
        return tuple(member for member in await self.everyone() if member.removed_at is None)

    async def everyone(self) -> tuple[Member, ...]:
        """Every member there ever was, by name: the audit trail names them."""
        rows = await self._transaction.connection.execute(select(tables.members))
        return tuple(sorted((self._member(row) for row in rows), key=lambda m: m.name))

    # Signing in ------------------------------------------------------------------------------------------------------

    async def sign_in(
        self, credentials: Credentials, *, counted: bool = False
    ) -> tuple[Member, Cookie] | SignInRefused | SignInLocked:
        """Check both factors. A refusal is returned, not raised, so that the count of failures is committed.

        `counted`: the caller bounds these tries otherwise, so those of strangers neither stop them nor are forgiven.
        A one-time passphrase has no second factor yet: its session opens nothing but `open_invited`.
        """
        try:
            row = await self.row(tables.members.c.login == self.login(credentials.name), lock=True)
        except NotFound:
            return SignInRefused()
        key = await self.passphrase_fits(row, credentials, counted=counted)
        if not isinstance(key, PrivateKey):
            return key
        if row.invited_until is None and not await self._second_factor_fits(row, key, credentials):
            return await self._refuse(row, counted=counted)
        if not counted:
            await self._transaction.connection.execute(
                update(tables.members).where(tables.members.c.id == row.id).values(failures=0, locked_until=None)
            )
        return self._member(row), await self._sessions.begin(row.id, key)

    async def passphrase_fits(
        self, row: Any, credentials: Credentials, *, counted: bool = False
    ) -> PrivateKey | SignInRefused | SignInLocked:
        """The member's key, when the passphrase opens it; otherwise the failure is counted, unless it is already."""
        if row.locked_until and row.locked_until > self._transaction.now and not counted:
            return SignInLocked()
        if row.invited_until and row.invited_until < self._transaction.now:
            return await self._refuse(row, counted=counted)
        try:
            return PrivateKey(unlock(row.private_key, credentials.wrapping_key, f"member-key/{row.id}"))
        except CannotOpen:
            return await self._refuse(row, counted=counted)

    async def _second_factor_fits(self, row: Any, key: PrivateKey, credentials: Credentials) -> bool:
        """A passkey when one was shown, otherwise the authenticator's code, unless the member wants passkeys only."""
        if credentials.passkey:
            site = credentials.site
            return site is not None and await self._passkeys.fits(row.id, key, site, credentials.passkey)
        if row.passkey_only:
            return False
        seed = open_sealed(row.totp, key, f"totp/{row.id}").decode()
        step = totp_step(seed, credentials.totp, self._transaction.now)
        if step is None or step <= row.totp_step:
            return False
        await self._transaction.connection.execute(
            update(tables.members).where(tables.members.c.id == row.id).values(totp_step=step)
        )
        return True

    async def _refuse(self, row: Any, *, counted: bool) -> SignInRefused:
        if counted:
            return SignInRefused()
        failures = row.failures + 1
        locked = self._transaction.now + _LOCKED if failures >= _TRIES else None
        await self._transaction.connection.execute(
            update(tables.members)
            .where(tables.members.c.id == row.id)
            .values(failures=0 if locked else failures, locked_until=locked)
        )
        return SignInRefused()

    async def unlock(self, credentials: Credentials) -> SignedIn:
        """A member's keys by passphrase alone, for administration on the machine itself. Raises CannotOpen."""
        query = select(tables.members).where(tables.members.c.login == self.login(credentials.name))
        row = (await self._transaction.connection.execute(query)).first()
        if row is None or row.invited_until:
            raise CannotOpen
        key = PrivateKey(unlock(row.private_key, credentials.wrapping_key, f"member-key/{row.id}"))
        return SignedIn(member=self._member(row), key=key, teams=await self._teams.open(row.id, key))

    async def open(self, cookie: str, *, touch: bool = True) -> SignedIn | None:
        """The member behind a cookie, with keys open; None when the session is over or was never there.

        Without `touch` it does not count as use: a screen that refreshes itself must not keep a session alive.
        """
        who = await self._open(cookie, touch=touch)
        return who if who and who.member.invited_until is None else None

    async def open_invited(self, cookie: str) -> SignedIn | None:
        """The member behind a cookie who has yet to choose a passphrase of their own; None for anybody else."""
        who = await self._open(cookie, touch=True)
        until = who.member.invited_until if who else None
        return who if until and until >= self._transaction.now else None

    async def _open(self, cookie: str, *, touch: bool) -> SignedIn | None:
        found = await self._sessions.open(cookie, touch=touch)
        if found is None:
            return None
        member_id, key = found
        return SignedIn(member=await self.get(member_id), key=key, teams=await self._teams.open(member_id, key))

    async def sign_out(self, cookie: str) -> None:
        """End the session; its wrapped key is removed."""
        await self._sessions.end(cookie)

    def login(self, name: str) -> bytes:
        """The keyed digest by which a sign-in name is found, however it is written."""
        key = self._transaction.ring.service_key("login")
        return hmac.digest(key, plain_name(name), hashlib.sha256)

    def _member(self, row: Any) -> Member:
        name = self._transaction.ring.unlock_for_service(row.name, f"member/{row.id}").decode()
        return Member(
            id=row.id,
            name=name,
            role=Role(row.role),
            invited_until=row.invited_until,
            passkey_only=row.passkey_only,
            removed_at=row.removed_at,
        )
