"""What a member does with their own keys: the first passphrase, a new one, the authenticator, passkeys.

A session alone changes none of them: each asks for the passphrase again, and counts a wrong one as signing in does.
Each leaves a line in the audit chain.
"""

import uuid
from typing import Final

from sqlalchemy import update

from vault import tables
from vault.audit import Audit
from vault.credentials import Chosen, Credentials, totp_step
from vault.errors import NotAllowed, NotFound, SignInLocked, SignInRefused, WrongCode
from vault.members import Members, SignedIn
from vault.passkeys import Passkey, Passkeys, Site
from vault.sealing import PrivateKey, open_sealed, seal
from vault.sessions import Cookie, Sessions
from vault.transaction import Transaction

Refusal = SignInRefused | SignInLocked
_LONGEST_LABEL: Final = 60  # characters


class Account:
    """A member's own keys."""

    def __init__(self, transaction: Transaction, audit: Audit) -> None:
        self._transaction = transaction
        self._audit = audit
        self._members = Members(transaction)
        self._passkeys = Passkeys(transaction)

    async def settle(self, who: SignedIn, chosen: Chosen, totp_seed: str, code: str) -> Cookie | WrongCode:
        """An invited member chooses a passphrase and shows that their authenticator has the seed.

        They get a key pair that the one-time passphrase never opened. Their new session is the only one.
        """
        step = totp_step(totp_seed, code, self._transaction.now)
        if step is None:
            return WrongCode()
        key = await self._members.rekey(who.member.id, chosen, who.teams, totp_seed=totp_seed)
        await self._set(who, totp_step=step)
        return await self._again(who, key, "member.settled")

    async def change_passphrase(self, who: SignedIn, now: Credentials, chosen: Chosen) -> Cookie | Refusal:
        """A new passphrase and a new key pair; every other session ends. Raises Conflict."""
        refusal = await self._confirm(who, now)
        if refusal:
            return refusal
        seed = await self._totp_seed(who)
        key = await self._members.rekey(who.member.id, chosen, who.teams, totp_seed=seed)
        await self._passkeys.reseal(who.member.id, who.key, key.public)
        return await self._again(who, key, "member.passphrase")

    async def change_authenticator(
        self, who: SignedIn, now: Credentials, totp_seed: str, code: str
    ) -> Cookie | WrongCode | Refusal:
        """Another authenticator, which has shown that it has the seed; every other session ends."""
        refusal = await self._confirm(who, now)
        if refusal:
            return refusal
        step = totp_step(totp_seed, code, self._transaction.now)
        if step is None:
            return WrongCode()
        sealed = seal(totp_seed.encode(), who.key.public, f"totp/{who.member.id}")
        await self._set(who, totp=sealed, totp_step=step)
        return await self._again(who, who.key, "member.authenticator")

    async def add_passkey(
        self, who: SignedIn, now: Credentials, site: Site, *, label: str, answer: str
    ) -> Passkey | Refusal:
        """Keep a passkey that the member's browser made. Raises PasskeyRefused."""
        refusal = await self._confirm(who, now)
        if refusal:
            return refusal
        label = label.strip()[:_LONGEST_LABEL] or "Passkey"
        passkey = await self._passkeys.add(who.member.id, who.key, site, label=label, answer=answer)
        self._note(who, "member.passkey_added")
        return passkey

    async def remove_passkey(self, who: SignedIn, now: Credentials, passkey_id: uuid.UUID) -> Refusal | None:
        """Forget a passkey; after the last one, codes count again. Raises NotFound."""
        refusal = await self._confirm(who, now)
        if refusal:
            return refusal
        if not await self._passkeys.remove(who.member.id, passkey_id):
            raise NotFound
        if not await self._passkeys.of(who.member.id, who.key):
            await self._set(who, passkey_only=False)
        self._note(who, "member.passkey_removed")
        return None

    async def only_passkeys(self, who: SignedIn, now: Credentials, *, only: bool) -> Refusal | None:
        """Whether the authenticator's codes still let the member in. Raises NotAllowed without a passkey."""
        refusal = await self._confirm(who, now)
        if refusal:
            return refusal
        if only and not await self._passkeys.of(who.member.id, who.key):
            raise NotAllowed
        await self._set(who, passkey_only=only)
        self._note(who, "member.passkeys_only" if only else "member.codes_again")
        return None

    async def _confirm(self, who: SignedIn, now: Credentials) -> Refusal | None:
        """Whether whoever sits here knows the passphrase. Returned, so that the count of failures is committed."""
        row = await self._members.row(tables.members.c.id == who.member.id, lock=True)
        key = await self._members.passphrase_fits(row, now)
        if not isinstance(key, PrivateKey):
            return key
        await self._set(who, failures=0)
        return None

    async def _totp_seed(self, who: SignedIn) -> str:
        row = await self._members.row(tables.members.c.id == who.member.id)
        return open_sealed(row.totp, who.key, f"totp/{who.member.id}").decode()

    async def _again(self, who: SignedIn, key: PrivateKey, action: str) -> Cookie:
        sessions = Sessions(self._transaction)
        await sessions.end_all(who.member.id)
        self._note(who, action)
        return await sessions.begin(who.member.id, key)

    async def _set(self, who: SignedIn, **values: object) -> None:
        table = tables.members
        await self._transaction.connection.execute(update(table).where(table.c.id == who.member.id).values(**values))

    def _note(self, who: SignedIn, action: str) -> None:
        self._audit.add(action, f"member:{who.member.id}", actor=f"member:{who.member.id}")
