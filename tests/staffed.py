"""A team in a vault: members who are enrolled, sign in and act, without waiting for Argon2id. Real keys, no mocks."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyotp
import pytest

from tests.vaults import Clock
from triage.levels import Level
from vault.cases import Case, Entry, EntryKind
from vault.credentials import Chosen, Credentials, choose, new_totp_seed, one_time_passphrase, prepare
from vault.members import Member, Role, SignedIn
from vault.passkeys import Site
from vault.sealing import Effort
from vault.sessions import Cookie
from vault.unit import Unit, Vault

CHEAP_EFFORT = Effort(passes=1, lanes=1, memory=64)
PASSPHRASE = "seven quiet lanterns by the harbour"


@pytest.fixture
def cheap() -> Iterator[None]:
    """A passphrase costs a tenth of a second, by intention; not so in tests of what comes after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vault.credentials.PASSPHRASE_EFFORT", CHEAP_EFFORT)
        yield


@dataclass(slots=True)
class Staff:
    """Everybody who works here, with what they know."""

    vault: Vault
    clock: Clock
    passphrases: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, str] = field(default_factory=dict)

    async def found(self, name: str = "rosa") -> Member:
        """The first member."""
        async with self.vault.unit() as unit:
            enrolment = await unit.members.enrol(name, PASSPHRASE, Role.SUPERVISOR)
        self.passphrases[name], self.seeds[name] = PASSPHRASE, enrolment.totp_seed
        return enrolment.member

    async def join(self, name: str, role: Role = Role.REVIEWER, *, by: str = "rosa") -> Member:
        """Invited by a supervisor, and settled."""
        who = await self.open(by)
        passphrase = one_time_passphrase()
        async with self.vault.unit() as unit:
            await unit.staffing.invite(name, role, choose(passphrase), by=who)
        return await self.settle(name, passphrase)

    async def settle(self, name: str, one_time: str) -> Member:
        """The first sign-in of somebody who was invited or let in again."""
        outcome = await self.sign_in(name, passphrase=one_time, totp="")
        assert isinstance(outcome, tuple), outcome
        seed, own = new_totp_seed(), f"an own passphrase of {name} {len(self.seeds)}"
        async with self.vault.unit() as unit:
            who = await unit.members.open_invited(outcome[1].value)
            assert who is not None
            settled = await unit.account.settle(who, choose(own), seed, pyotp.TOTP(seed).at(self.clock.now))
        assert isinstance(settled, Cookie)
        self.clock.later(seconds=30)
        self.passphrases[name], self.seeds[name] = own, seed
        return who.member

    async def credentials(
        self,
        name: str,
        *,
        passphrase: str | None = None,
        totp: str | None = None,
        passkey: str = "",
        site: Site | None = None,
    ) -> Credentials:
        """What they type, stretched."""
        async with self.vault.unit() as unit:
            salt = await unit.members.salt(name)
        code = pyotp.TOTP(self.seeds[name]).at(self.clock.now) if totp is None else totp
        known = self.passphrases[name] if passphrase is None else passphrase
        return prepare(name, known, code, salt, passkey=passkey, site=site)

    async def sign_in(
        self,
        name: str,
        *,
        passphrase: str | None = None,
        totp: str | None = None,
        passkey: str = "",
        site: Site | None = None,
    ) -> object:
        """As the console does it."""
        credentials = await self.credentials(name, passphrase=passphrase, totp=totp, passkey=passkey, site=site)
        async with self.vault.unit() as unit:
            outcome = await unit.members.sign_in(credentials)
        if isinstance(outcome, tuple):
            self.clock.later(seconds=30)
        return outcome

    async def cookie(self, name: str) -> str:
        """A new session."""
        outcome = await self.sign_in(name)
        assert isinstance(outcome, tuple), outcome
        found: Cookie = outcome[1]
        return found.value

    async def opened(self, cookie: str) -> SignedIn | None:
        """Whom a cookie opens."""
        async with self.vault.unit() as unit:
            return await unit.members.open(cookie)

    async def open(self, name: str) -> SignedIn:
        """A member with open keys."""
        who = await self.opened(await self.cookie(name))
        assert who is not None
        return who

    async def case(self, text: str = "words") -> Case:
        """A case with one entry."""
        async with self.vault.unit() as unit:
            return await say(unit, text)

    async def reads(self, who: SignedIn, case: Case) -> str:
        """What a member reads in a case. Raises CannotOpen."""
        async with self.vault.unit() as unit:
            (entry,) = await unit.cases.read(case, await unit.cases.key(case, who.teams))
        return entry.entry.text

    async def regrant(self, who: SignedIn) -> int:
        """Move every case to the new key; gives how many did not."""
        after = None
        while True:
            async with self.vault.unit() as unit:
                moved = await unit.teams.regrant(who.teams, after=after)
            after = moved.after
            if after is None:
                return moved.left

    async def audit(self) -> list[tuple[str, str]]:
        """Action and subject of every line, oldest first."""
        async with self.vault.unit() as unit:
            return [(line.action, line.subject) for line in reversed(await unit.audit.lines(limit=1000))]


async def say(unit: Unit, text: str) -> Case:
    """A case with one entry, in a unit that is open."""
    case = await unit.cases.open(language="es", channel="sms", level=Level.STANDARD)
    await unit.cases.add(case, Entry(kind=EntryKind.PERSON, text=text))
    return case


@pytest.fixture
async def staff(vault: Vault, clock: Clock, cheap: None) -> Staff:
    """Rosa, a supervisor, alone so far."""
    made = Staff(vault, clock)
    await made.found()
    return made


def chosen(passphrase: str = "another long passphrase") -> Chosen:
    """A passphrase that was chosen."""
    return choose(passphrase)
