"""Staff: who may open cases, how they sign in, and the keys that make both true.

A member's private key is wrapped by Argon2id(passphrase); it opens the team's key, which opens the cases'. Signing in
re-wraps it under a random key that only the cookie holds: an idle server cannot open a case.
"""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import pyotp
from sqlalchemy import delete, insert, select, update

from vault import tables
from vault.errors import CannotOpen, NotFound, SignInLocked, SignInRefused
from vault.sealing import (
    KEY_BYTES,
    Effort,
    PrivateKey,
    lock,
    new_private_key,
    open_sealed,
    seal,
    stretch,
    unlock,
)
from vault.transaction import Transaction

PASSPHRASE_EFFORT: Final = Effort(passes=3, lanes=1, memory=64 * 1024)
_TOTP_STEP: Final = 30  # seconds
_TRIES: Final = 5
_LOCKED: Final = timedelta(minutes=15)
_IDLE: Final = timedelta(minutes=30)
_LONGEST: Final = timedelta(hours=12)


class Role(StrEnum):
    """What a member may do."""

    REVIEWER = "reviewer"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of staff."""

    id: uuid.UUID
    name: str = field(repr=False)
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a new member needs once: the seed for their authenticator."""

    member: Member
    totp_seed: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The slow part of a sign-in, prepared outside any transaction (`prepare`)."""

    name: str = field(repr=False)
    salt: bytes = field(repr=False)
    wrapping_key: bytes = field(repr=False)
    totp: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A member with their keys open, for the length of one request."""

    member: Member
    teams: Mapping[uuid.UUID, PrivateKey] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cookie:
    """What the browser keeps: it names the session and opens its key. The server keeps neither half."""

    value: str = field(repr=False)


def prepare(name: str, passphrase: str, totp: str, salt: bytes) -> Credentials:
    """Stretch the passphrase. Slow on purpose: call it in a thread, outside a unit."""
    key = stretch(passphrase.encode("utf-8", "surrogatepass"), salt, PASSPHRASE_EFFORT)
    return Credentials(name=name, salt=salt, wrapping_key=key, totp=totp)


class Members:
    """Enrolment, sign-in, sessions."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def salt(self, name: str) -> bytes:
        """The salt for this name; for an unknown name a made-up one that stays the same."""
        login = self._login(name)
        query = select(tables.members.c.salt).where(tables.members.c.login == login)
        found: bytes | None = await self._transaction.connection.scalar(query)
        return found or self._transaction.ring.service_key(f"no-such-member/{login.hex()}")[:16]

    async def enrol(
        self, name: str, passphrase: str, role: Role, *, by: SignedIn | None = None, totp_seed: str | None = None
    ) -> Enrolment:
        """Add a member. The first one founds the team; later ones need a signed-in member to share the team's key."""
        transaction = self._transaction
        member = Member(id=transaction.new_id(), name=name, role=role)
        key, salt, seed = new_private_key(), secrets.token_bytes(16), totp_seed or pyotp.random_base32()
        wrapping_key = stretch(passphrase.encode(), salt, PASSPHRASE_EFFORT)
        await transaction.connection.execute(
            insert(tables.members).values(
                id=member.id,
                login=self._login(name),
                name=transaction.ring.lock_for_service(name.encode(), f"member/{member.id}"),
                role=role,
                public_key=key.public.raw,
                salt=salt,
                private_key=lock(key.seed, wrapping_key, f"member-key/{member.id}"),
                totp=seal(seed.encode(), key.public, f"totp/{member.id}"),
            )
        )
        teams = by.teams if by else await self._found_team()
        for team_id, team_key in teams.items():
            sealed = seal(team_key.seed, key.public, f"membership/{team_id}/{member.id}")
            await transaction.connection.execute(
                insert(tables.memberships).values(team_id=team_id, member_id=member.id, sealed=sealed)
            )
        return Enrolment(member=member, totp_seed=seed)

    async def _found_team(self) -> Mapping[uuid.UUID, PrivateKey]:
        transaction = self._transaction
        if await transaction.connection.scalar(select(tables.teams.c.id).limit(1)):
            raise CannotOpen  # only a member can share the team's key: sign in as one
        team_id, key = transaction.new_id(), new_private_key()
        await transaction.connection.execute(
            insert(tables.teams).values(id=team_id, public_key=key.public.raw, created_at=transaction.minute)
        )
        return {team_id: key}

    async def sign_in(self, credentials: Credentials) -> tuple[Member, Cookie] | SignInRefused | SignInLocked:
        """Check both factors. A refusal is returned, not raised, so that the count of failures is committed."""
        table = tables.members
        query = select(table).where(table.c.login == self._login(credentials.name)).with_for_update()
        row = (await self._transaction.connection.execute(query)).first()
        if row is None:
            return SignInRefused()
        if row.locked_until and row.locked_until > self._transaction.now:
            return SignInLocked()
        try:
            key = PrivateKey(unlock(row.private_key, credentials.wrapping_key, f"member-key/{row.id}"))
            step = self._totp_step(open_sealed(row.totp, key, f"totp/{row.id}").decode(), credentials.totp)
        except CannotOpen:
            return await self._refuse(row)
        if step is None or step <= row.totp_step:
            return await self._refuse(row)
        await self._transaction.connection.execute(
            update(table).where(table.c.id == row.id).values(totp_step=step, failures=0, locked_until=None)
        )
        return self._member(row), await self._begin(row.id, key)

    async def _refuse(self, row: Any) -> SignInRefused:
        failures = row.failures + 1
        locked = self._transaction.now + _LOCKED if failures >= _TRIES else None
        await self._transaction.connection.execute(
            update(tables.members)
            .where(tables.members.c.id == row.id)
            .values(failures=0 if locked else failures, locked_until=locked)
        )
        return SignInRefused()

    def _totp_step(self, seed: str, code: str) -> int | None:
        """The time step that this code belongs to, now or one step to either side."""
        totp, now = pyotp.TOTP(seed), int(self._transaction.now.timestamp())
        for step in range(now // _TOTP_STEP - 1, now // _TOTP_STEP + 2):
            if hmac.compare_digest(totp.at(step * _TOTP_STEP).encode(), code.encode("utf-8", "surrogatepass")):
                return step
        return None

    async def _begin(self, member_id: uuid.UUID, key: PrivateKey) -> Cookie:
        name, secret = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
        now = self._transaction.now
        await self._transaction.connection.execute(
            insert(tables.sessions).values(
                digest=hashlib.sha256(name).digest(),
                member_id=member_id,
                sealed=lock(key.seed, secret, f"session/{member_id}"),
                created_at=now,
                used_at=now,
            )
        )
        return Cookie((name + secret).hex())

    async def unlock(self, credentials: Credentials) -> SignedIn:
        """A member's keys by passphrase alone, for administration on the machine itself. Raises CannotOpen."""
        query = select(tables.members).where(tables.members.c.login == self._login(credentials.name))
        row = (await self._transaction.connection.execute(query)).first()
        if row is None:
            raise CannotOpen
        key = PrivateKey(unlock(row.private_key, credentials.wrapping_key, f"member-key/{row.id}"))
        return SignedIn(member=self._member(row), teams=await self._teams(row.id, key))

    async def open(self, cookie: str, *, touch: bool = True) -> SignedIn | None:
        """The member behind a cookie, with keys open; None when the session is over or was never there.

        Without `touch` it does not count as use: a screen that refreshes itself must not keep a session alive.
        """
        found = await self._session(cookie, touch=touch)
        if found is None:
            return None
        row, secret = found
        try:
            key = PrivateKey(unlock(row.sealed, secret, f"session/{row.member_id}"))
        except CannotOpen:
            return None
        return SignedIn(member=await self.get(row.member_id), teams=await self._teams(row.member_id, key))

    async def _teams(self, member_id: uuid.UUID, key: PrivateKey) -> Mapping[uuid.UUID, PrivateKey]:
        table = tables.memberships
        rows = await self._transaction.connection.execute(select(table).where(table.c.member_id == member_id))
        return {
            row.team_id: PrivateKey(open_sealed(row.sealed, key, f"membership/{row.team_id}/{member_id}"))
            for row in rows
        }

    async def _session(self, cookie: str, *, touch: bool = True) -> tuple[Any, bytes] | None:
        try:
            raw = bytes.fromhex(cookie)
        except ValueError:
            return None
        if len(raw) != 2 * KEY_BYTES:
            return None
        table, now = tables.sessions, self._transaction.now
        digest = hashlib.sha256(raw[:KEY_BYTES]).digest()
        await self._transaction.connection.execute(
            delete(table).where((table.c.used_at < now - _IDLE) | (table.c.created_at < now - _LONGEST))
        )
        used_at = now if touch else table.c.used_at
        query = update(table).where(table.c.digest == digest).values(used_at=used_at).returning(*table.c)
        row = (await self._transaction.connection.execute(query)).first()
        return (row, raw[KEY_BYTES:]) if row else None

    async def sign_out(self, cookie: str) -> None:
        """End the session; its wrapped key is removed."""
        found = await self._session(cookie)
        if found:
            await self._transaction.connection.execute(
                delete(tables.sessions).where(tables.sessions.c.digest == found[0].digest)
            )

    async def get(self, member_id: uuid.UUID) -> Member:
        """A member. Raises NotFound."""
        query = select(tables.members).where(tables.members.c.id == member_id)
        row = (await self._transaction.connection.execute(query)).first()
        if row is None:
            raise NotFound
        return self._member(row)

    async def all(self) -> tuple[Member, ...]:
        """Every member, by name."""
        rows = await self._transaction.connection.execute(select(tables.members))
        return tuple(sorted((self._member(row) for row in rows), key=lambda m: m.name))

    def _login(self, name: str) -> bytes:
        key = self._transaction.ring.service_key("login")
        return hmac.digest(key, name.strip().casefold().encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _member(self, row: Any) -> Member:
        name = self._transaction.ring.unlock_for_service(row.name, f"member/{row.id}").decode()
        return Member(id=row.id, name=name, role=Role(row.role))
