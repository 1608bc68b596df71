"""A vault on a fresh database, with a clock that tests move and a team that can open cases. Real keys, no mocks."""

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, text

from triage.levels import Level
from vault import tables
from vault.cases import Case
from vault.keys import KeyRing, init_key_ring
from vault.pseudonyms import Pseudonyms
from vault.sealing import Effort, PrivateKey, new_private_key
from vault.unit import Unit, Vault, database_engine, job_app

START = datetime(2026, 3, 2, 9, 30, 20, 123456, tzinfo=UTC)
CHEAP = Effort(passes=1, lanes=1, memory=64)
PURPOSES = ("lock", "pseudonym", "message-id", "contact", "login")


class Clock:
    """The time, until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def later(self, **by: float) -> None:
        """Let time pass; arguments of timedelta."""
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    """A fresh key ring."""
    return init_key_ring(tmp_path / "keyring")


@pytest_asyncio.fixture
async def vault(database_url: str, ring: KeyRing, clock: Clock) -> AsyncIterator[Vault]:
    """An empty vault: nobody can open a case in it yet."""
    opened = Vault(engine=database_engine(database_url), jobs=job_app(database_url), ring=ring, now=clock)
    yield opened
    await opened.close()


@pytest.fixture
def pseudonyms(ring: KeyRing, clock: Clock) -> Pseudonyms:
    """Pseudonyms that cost little."""
    return Pseudonyms(ring, CHEAP, clock)


async def found_team(vault: Vault) -> dict[uuid.UUID, PrivateKey]:
    """One more team, with its open key, without the slow part of enrolling a member."""
    team, key = uuid.uuid4(), new_private_key()
    async with vault.unit() as unit:
        await unit.transaction.connection.execute(
            insert(tables.teams).values(id=team, public_key=key.public.raw, created_at=unit.transaction.minute)
        )
    return {team: key}


async def open_case(unit: Unit, **changes: Any) -> Case:
    """A case, begun now."""
    case = await unit.cases.open(language="es", channel="sms", level=Level.STANDARD)
    return await unit.cases.change(case.id, **changes) if changes else case


async def rows(vault: Vault, query: str, **values: Any) -> Sequence[Any]:
    """Ask the database itself."""
    async with vault.engine.connect() as connection:
        return (await connection.execute(text(query), values)).all()


def every_key(ring: KeyRing) -> Iterator[bytes]:
    """All that whoever holds this key ring can lock and unlock with."""
    yield from (ring.service, ring.audit, ring.salt * 2, *ring.epochs.values(), *ring.erasure.values())
    yield from (ring.erasure_key(number) for number in ring.erasure)
    for purpose in PURPOSES:
        yield ring.service_key(purpose)
        yield from (ring.epoch_key(epoch, purpose) for epoch in ring.epochs)
