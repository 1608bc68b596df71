"""A line to practise with: its own numbers, two responders and two staff, on practice carriers. For demo and tests.

Everything is made once and kept in demo.json (mode 0600) beside the key ring, so that a demo comes back as it was.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyotp

from vault.credentials import prepare
from vault.keys import init_key_ring
from vault.members import Role
from vault.paging import Contact
from vault.unit import Unit, Vault, database_engine, job_app

SMS_NUMBER: Final = "+12025550100"
VOICE_NUMBER: Final = "+12025550101"
BOT_NAME: Final = "harborline_demo_bot"
OUTSIDE_NUMBER: Final = "+12025550190"

_LINE: Final = """\
# What a programme officer decides about this line. Every setting is explained in docs/line.md.
name: Harborline
cover: Corner Laundry
languages: [en, es, fr, ar, hi, zh]
default_language: en
country: US
emergency_number: "911"
numbers:
  sms: "+12025550100"
  voice: "+12025550101"
  telegram: harborline_demo_bot
time_zone: America/New_York
idle_minutes: 30
triage:
  outside_number: "+12025550190"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """A person of the practice world. `telegram` is a chat id."""

    name: str
    phone: str
    telegram: int
    languages: tuple[str, ...] = ()


PEOPLE: Final = (
    Someone(name="Rosa", phone="+12025550111", telegram=7001),
    Someone(name="Priya", phone="+12025550112", telegram=7002),
    Someone(name="Yusuf", phone="+12025550113", telegram=7003),
)
RESPONDERS: Final = (
    Someone(name="Amina", phone="+12025550141", telegram=9001, languages=("es", "fr", "en")),
    Someone(name="Bilal", phone="+12025550142", telegram=9002, languages=("ar", "hi", "en")),
)
STAFF: Final = (("dara", Role.SUPERVISOR), ("noor", Role.REVIEWER))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How one member signs in."""

    name: str
    passphrase: str = field(repr=False)
    totp_seed: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """Secrets and accounts of one practice line."""

    twilio_account_sid: str
    twilio_auth_token: str = field(repr=False)
    telegram_bot_token: str = field(repr=False)
    telegram_webhook_secret: str = field(repr=False)
    staff: tuple[SignIn, ...]

    def settings(self) -> Mapping[str, str]:
        """The environment that a process of this line needs, without addresses."""
        return {
            "TWILIO_ACCOUNT_SID": self.twilio_account_sid,
            "TWILIO_AUTH_TOKEN": self.twilio_auth_token,
            "TELEGRAM_BOT_TOKEN": self.telegram_bot_token,
            "TELEGRAM_WEBHOOK_SECRET": self.telegram_webhook_secret,
        }


def practice(home: Path) -> Practice:
    """The practice line of this folder, made now if there is none: accounts, key ring and line.yml."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    init_key_ring(home / "keyring")
    line_file = home / "line.yml"
    if not line_file.exists():
        line_file.write_text(_LINE, encoding="utf-8")
    stored = home / "demo.json"
    if stored.exists():
        known = json.loads(stored.read_text(encoding="utf-8"))["accounts"]
        return Practice(**{**known, "staff": tuple(SignIn(**member) for member in known["staff"])})
    made = Practice(
        twilio_account_sid="AC" + secrets.token_hex(16),
        twilio_auth_token=secrets.token_hex(16),
        telegram_bot_token=f"{secrets.randbelow(9 * 10**8) + 10**8}:{secrets.token_urlsafe(26)}",
        telegram_webhook_secret=secrets.token_urlsafe(32),
        staff=tuple(SignIn(name=name, passphrase=_passphrase(), totp_seed=pyotp.random_base32()) for name, _ in STAFF),
    )
    write_demo(home, made, {})
    return made


def write_demo(home: Path, made: Practice, addresses: Mapping[str, Any]) -> None:
    """Keep accounts and present addresses in demo.json, readable by nobody else."""
    people = [asdict(person) for person in PEOPLE]
    responders = [asdict(person) for person in RESPONDERS]
    content = {
        "addresses": dict(addresses),
        "line": {"sms": SMS_NUMBER, "voice": VOICE_NUMBER, "telegram": BOT_NAME, "outside": OUTSIDE_NUMBER},
        "people": people,
        "responders": responders,
        "accounts": asdict(made),
    }
    draft = home / f".demo-{secrets.token_hex(4)}.json"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
    draft.replace(home / "demo.json")


async def enrol(home: Path, database_url: str, made: Practice) -> None:
    """Enrol the two staff and the two responders, unless they are there."""
    jobs = job_app(database_url)
    ring = init_key_ring(home / "keyring")
    vault = Vault(engine=database_engine(database_url), jobs=jobs, ring=ring, now=lambda: datetime.now(UTC))
    try:
        async with jobs.open_async(), vault.unit() as unit:
            if not await unit.members.all():
                await _enrol_staff(unit, made)
            if not await unit.responders.all():
                for person in RESPONDERS:
                    await unit.responders.add(person.name, person.languages, _contacts(person))
    finally:
        await vault.close()


async def _enrol_staff(unit: Unit, made: Practice) -> None:
    first, *others = made.staff
    roles = dict(STAFF)
    await unit.members.enrol(first.name, first.passphrase, roles[first.name], totp_seed=first.totp_seed)
    by = await unit.members.unlock(prepare(first.name, first.passphrase, "", await unit.members.salt(first.name)))
    for member in others:
        await unit.members.enrol(member.name, member.passphrase, roles[member.name], by=by, totp_seed=member.totp_seed)


def _contacts(person: Someone) -> tuple[Contact, ...]:
    return (
        Contact(method="telegram", value=str(person.telegram)),
        Contact(method="sms", value=person.phone),
        Contact(method="voice", value=person.phone),
    )


def _passphrase() -> str:
    """Four groups that can be typed from a screen; about 80 bits."""
    return "-".join(secrets.token_hex(3)[:5] for _ in range(4))
