"""Passkeys: a second factor that answers only to the real address of the console, so that it cannot be phished.

A passkey is sealed to its member's own key, as the authenticator seed is: the second factor needs the first. What a
challenge was made for is signed into it with a key of this installation, so that asking for one stores nothing; it is
stored once it was answered, and is then worth nothing. The protocol is py_webauthn's; it calls nobody.
"""

import hashlib
import hmac
import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from vault import tables
from vault.errors import PasskeyRefused
from vault.sealing import PrivateKey, PublicKey, open_sealed, seal
from vault.transaction import Transaction

_VALID: Final = timedelta(minutes=5)
_NONCE: Final = 16
_STAMP: Final = 8
_MOST: Final = 10  # passkeys of one member
SIGNING_IN: Final = "sign-in"
# What these parsers raise on bytes of strangers: their own family, and what it is made of.
_UNREADABLE: Final = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a passkey is bound to: the console's host name, and its address as browsers know it."""

    host: str
    origin: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One passkey of a member."""

    id: uuid.UUID
    label: str = field(repr=False)
    created_at: datetime
    credential: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    uses: int


class Passkeys:
    """The passkeys of members, and the challenges they answer."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    # Kept ------------------------------------------------------------------------------------------------------------

    async def of(self, member_id: uuid.UUID, key: PrivateKey) -> tuple[Passkey, ...]:
        """A member's passkeys, oldest first. Raises CannotOpen."""
        table = tables.passkeys
        query = select(table).where(table.c.member_id == member_id).order_by(table.c.created_at, table.c.id)
        return tuple(_opened(row, key) for row in await self._transaction.connection.execute(query))

    async def counts(self) -> dict[uuid.UUID, int]:
        """How many each member has."""
        table = tables.passkeys
        query = select(table.c.member_id, func.count()).group_by(table.c.member_id)
        return {member_id: int(n) for member_id, n in await self._transaction.connection.execute(query)}

    async def reseal(self, member_id: uuid.UUID, old: PrivateKey, new: PublicKey) -> None:
        """The member has a new key pair."""
        table = tables.passkeys
        for passkey in await self.of(member_id, old):
            sealed = _sealed(passkey, new)
            await self._transaction.connection.execute(
                update(table).where(table.c.id == passkey.id).values(sealed=sealed)
            )

    async def remove(self, member_id: uuid.UUID, passkey_id: uuid.UUID | None = None) -> bool:
        """Remove one passkey of a member, or all; False when there was none."""
        table = tables.passkeys
        query = delete(table).where(table.c.member_id == member_id)
        if passkey_id is not None:
            query = query.where(table.c.id == passkey_id)
        return bool((await self._transaction.connection.execute(query.returning(table.c.id))).all())

    # Adding one ------------------------------------------------------------------------------------------------------

    async def options_to_add(self, member_id: uuid.UUID, name: str, key: PrivateKey, site: Site) -> str:
        """What the browser needs to make a passkey, as JSON (PublicKeyCredentialCreationOptions)."""
        known = [PublicKeyCredentialDescriptor(id=passkey.credential) for passkey in await self.of(member_id, key)]
        options = generate_registration_options(
            rp_id=site.host,
            rp_name=site.name,
            user_id=member_id.bytes,
            user_name=name,
            challenge=self._challenge(f"add/{member_id}"),
            timeout=_milliseconds(),
            # Discoverable, so that signing in need not tell a stranger which passkeys belong to a name.
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
            ),
            exclude_credentials=known,
        )
        return options_to_json(options)

    async def add(self, member_id: uuid.UUID, key: PrivateKey, site: Site, *, label: str, answer: str) -> Passkey:
        """Keep the passkey that a browser made. Raises PasskeyRefused."""
        try:
            credential = parse_registration_credential_json(answer)
            challenge = parse_client_data_json(credential.response.client_data_json).challenge
            if not await self._spend(challenge, f"add/{member_id}"):
                raise PasskeyRefused
            verified = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=site.host,
                expected_origin=site.origin,
            )
        except _UNREADABLE:
            raise PasskeyRefused from None
        known = await self.of(member_id, key)
        if len(known) >= _MOST or any(p.credential == verified.credential_id for p in known):
            raise PasskeyRefused
        passkey = Passkey(
            id=self._transaction.new_id(),
            label=label,
            created_at=self._transaction.minute,
            credential=verified.credential_id,
            public_key=verified.credential_public_key,
            uses=verified.sign_count,
        )
        await self._transaction.connection.execute(
            insert(tables.passkeys).values(
                id=passkey.id,
                member_id=member_id,
                sealed=_sealed(passkey, key.public),
                uses=passkey.uses,
                created_at=passkey.created_at,
            )
        )
        return passkey

    # Signing in ------------------------------------------------------------------------------------------------------

    def options_to_sign_in(self, site: Site) -> str:
        """What the browser needs to ask for a passkey, as JSON; the same for everybody, and nothing is stored."""
        options = generate_authentication_options(
            rp_id=site.host,
            challenge=self._challenge(SIGNING_IN),
            timeout=_milliseconds(),
            user_verification=UserVerificationRequirement.PREFERRED,
        )
        return options_to_json(options)

    async def fits(self, member_id: uuid.UUID, key: PrivateKey, site: Site, answer: str) -> bool:
        """True when one of the member's passkeys signed a challenge of ours, at our address, for the first time."""
        try:
            credential = parse_authentication_credential_json(answer)
            challenge = parse_client_data_json(credential.response.client_data_json).challenge
            passkey = next((p for p in await self.of(member_id, key) if p.credential == credential.raw_id), None)
            if passkey is None or not await self._spend(challenge, SIGNING_IN):
                return False
            verified = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=site.host,
                expected_origin=site.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.uses,
            )
        except _UNREADABLE:
            return False
        table = tables.passkeys
        await self._transaction.connection.execute(
            update(table).where(table.c.id == passkey.id).values(uses=verified.new_sign_count)
        )
        return True

    # Challenges ------------------------------------------------------------------------------------------------------

    def _challenge(self, purpose: str) -> bytes:
        """Random bytes and the time, signed for one purpose."""
        stamp = int(self._transaction.now.timestamp()).to_bytes(_STAMP)
        body = secrets.token_bytes(_NONCE) + stamp
        return body + self._signature(body, purpose)

    def _signature(self, body: bytes, purpose: str) -> bytes:
        return hmac.digest(self._transaction.ring.service_key("challenge"), body + purpose.encode(), hashlib.sha256)

    async def _spend(self, challenge: bytes, purpose: str) -> bool:
        """True the first time a fresh challenge of ours comes back, whatever is made of the answer to it."""
        body, signature = challenge[: _NONCE + _STAMP], challenge[_NONCE + _STAMP :]
        if not hmac.compare_digest(self._signature(body, purpose), signature):
            return False
        now, table = self._transaction.now, tables.spent_challenges
        if abs(now.timestamp() - int.from_bytes(body[_NONCE:])) > _VALID.total_seconds():  # machines' clocks differ
            return False
        connection = self._transaction.connection
        await connection.execute(delete(table).where(table.c.spent_at < now - 2 * _VALID))
        query = upsert(table).values(digest=hashlib.sha256(challenge).digest(), spent_at=now).on_conflict_do_nothing()
        return (await connection.scalar(query.returning(table.c.digest))) is not None


def _sealed(passkey: Passkey, to: PublicKey) -> bytes:
    plain = {"label": passkey.label, "id": passkey.credential.hex(), "key": passkey.public_key.hex()}
    return seal(json.dumps(plain).encode(), to, f"passkey/{passkey.id}")


def _opened(row: Any, key: PrivateKey) -> Passkey:
    plain = json.loads(open_sealed(row.sealed, key, f"passkey/{row.id}"))
    return Passkey(
        id=row.id,
        label=plain["label"],
        created_at=row.created_at,
        credential=bytes.fromhex(plain["id"]),
        public_key=bytes.fromhex(plain["key"]),
        uses=row.uses,
    )


def _milliseconds() -> int:
    return int(_VALID.total_seconds() * 1000)
