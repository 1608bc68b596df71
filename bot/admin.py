"""`harborline keys`, `staff`, `rota` and `audit`: administration, one transaction each."""

import getpass
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.exc import IntegrityError

from bot.commands import ready
from bot.context import Context
from bot.errors import CommandFailed
from vault.audit import Broken, Line, checking_key, verify
from vault.database import migrate
from vault.errors import NoKeyRing, SignInLocked, SignInRefused
from vault.keys import init_key_ring, read_key_ring
from vault.members import Cookie, Member, Role, SignedIn, prepare
from vault.paging import Contact
from vault.unit import Unit, Vault, database_engine, job_app

_SHORTEST = 12  # characters of a passphrase


async def keys(context: Context) -> None:
    """Make or list the key ring."""
    settings = context.settings
    if context.arguments.action == "init":
        ring = init_key_ring(settings.key_ring)
        _say(
            f"The key ring is in {settings.key_ring}. Keep a copy of `service`, `audit` and `salt`; never of an epoch."
        )
    try:
        ring = read_key_ring(settings.key_ring)
    except NoKeyRing as error:
        raise CommandFailed(str(error), status=2) from None
    _say(f"Epochs that can still be read: {', '.join(map(str, sorted(ring.epochs)))}; current: {ring.current}.")


async def staff(context: Context) -> None:
    """Enrol or list members."""
    async with _vault(context) as vault:
        if context.arguments.action == "list":
            async with vault.unit() as unit:
                for member in await unit.members.all():
                    _say(f"{member.name}\t{member.role}")
            return
        if not context.arguments.name:
            raise CommandFailed("Say whom to add: harborline staff add NAME.", status=2)
        by = await _signed_in(vault, context.arguments.by) if context.arguments.by else None
        await _enrol(vault, context, by)


async def _enrol(vault: Vault, context: Context, by: SignedIn | None) -> None:
    name = context.arguments.name
    async with vault.unit() as unit:
        if by is None and await unit.members.all():
            raise CommandFailed("Only a member can let another one in: add --by NAME.", status=2)
    passphrase = _secret(f"New passphrase for {name}: ")
    if len(passphrase) < _SHORTEST:
        raise CommandFailed(f"The passphrase is too short: use at least {_SHORTEST} characters.", status=2)
    try:
        async with vault.unit() as unit:
            enrolment = await unit.members.enrol(name, passphrase, Role(context.arguments.role), by=by)
            actor = f"member:{by.member.id}" if by else "system"
            unit.audit.add("member.enrolled", f"member:{enrolment.member.id}", actor=actor)
    except IntegrityError:
        raise CommandFailed("This name is taken: choose another one.") from None
    _say(f"{name} is enrolled. Put this into their authenticator now; it is not shown again: {enrolment.totp_seed}")


async def _signed_in(vault: Vault, name: str) -> SignedIn:
    passphrase, code = _secret(f"Passphrase of {name}: "), _secret(f"Authenticator code of {name}: ")
    async with vault.unit() as unit:
        salt = await unit.members.salt(name)
    credentials = prepare(name, passphrase, code, salt)
    async with vault.unit() as unit:
        outcome = await unit.members.sign_in(credentials)
    if isinstance(outcome, SignInRefused | SignInLocked):
        raise CommandFailed(str(outcome))
    return await _opened(vault, outcome)


async def _opened(vault: Vault, outcome: tuple[Member, Cookie]) -> SignedIn:
    async with vault.unit() as unit:
        opened = await unit.members.open(outcome[1].value)
        await unit.members.sign_out(outcome[1].value)
    if opened is None:
        raise CommandFailed("The session ended before it was used: try again.")
    return opened


async def rota(context: Context) -> None:
    """Add, show or remove responders."""
    arguments = context.arguments
    async with _vault(context) as vault, vault.unit() as unit:
        if arguments.action == "show":
            await _show_rota(unit)
            return
        if not arguments.name:
            raise CommandFailed(f"Say whom to {arguments.action}: harborline rota {arguments.action} NAME.", status=2)
        if arguments.action == "add":
            await _add_responder(unit, arguments)
        else:
            await _remove_responder(unit, arguments.name)


async def _show_rota(unit: Unit) -> None:
    responders = await unit.responders.all()
    for responder in responders:
        methods = ", ".join(contact.method for contact in responder.contacts)
        _say(f"{responder.name}\t{','.join(responder.languages)}\t{methods}")
    if not responders:
        _say("Nobody can be paged yet: harborline rota add NAME --sms +15551234567.")


async def _add_responder(unit: Unit, arguments: Any) -> None:
    given = (("telegram", arguments.telegram), ("sms", arguments.sms), ("voice", arguments.voice))
    contacts = [Contact(method=method, value=value) for method, value in given if value]
    for contact in contacts:
        good = contact.value.isdecimal() if contact.method == "telegram" else _is_number(contact.value)
        if not good:
            raise CommandFailed(f"The {contact.method} contact is not usable: see harborline rota --help.", status=2)
    if not contacts:
        raise CommandFailed("Give at least one way to reach them: --sms, --voice or --telegram.", status=2)
    if any(r.name.casefold() == arguments.name.casefold() for r in await unit.responders.all()):
        raise CommandFailed("This name is taken: remove it first, or choose another one.")
    languages = [tag for tag in arguments.languages.split(",") if tag]
    responder_id = await unit.responders.add(arguments.name, languages, contacts)
    unit.audit.add("responder.added", f"responder:{responder_id}")
    _say(f"{arguments.name} can be paged from now on.")


async def _remove_responder(unit: Unit, name: str) -> None:
    for responder in await unit.responders.all():
        if responder.name.casefold() == name.casefold():
            await unit.responders.remove(responder.id)
            unit.audit.add("responder.removed", f"responder:{responder.id}")
            _say(f"{name} is not paged any more.")
            return
    raise CommandFailed("Nobody of this name can be paged: see harborline rota show.")


def _is_number(value: str) -> bool:
    return value.startswith("+") and value[1:].isdecimal() and 7 <= len(value[1:]) <= 15


async def audit(context: Context) -> None:
    """Export the chain, or verify an export or the database."""
    if context.arguments.action == "verify" and context.arguments.file:
        _verify_file(Path(context.arguments.file))
        return
    async with _vault(context) as vault, vault.unit() as unit:
        lines = tuple(reversed(await unit.audit.lines(limit=10_000_000)))
        key = checking_key(vault.ring)
    if context.arguments.action == "export":
        export = {"version": 1, "public_key": key.public_bytes_raw().hex(), "lines": [line.to_json() for line in lines]}
        _say(json.dumps(export, indent=1))
        return
    _verified(lines, key)


def _verify_file(path: Path) -> None:
    """Verify an export, offline."""
    try:
        export = json.loads(path.read_text(encoding="utf-8"))
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(export["public_key"]))
        lines = tuple(Line.from_json(line) for line in export["lines"])
    except (OSError, ValueError, KeyError, TypeError):
        raise CommandFailed("This file is no audit export: make one with harborline audit export.", status=2) from None
    _verified(lines, key)


def _verified(lines: tuple[Line, ...], key: Ed25519PublicKey) -> None:
    try:
        count = verify(lines, key)
    except Broken as broken:
        raise CommandFailed(f"{str(broken).capitalize()}.") from None
    _say(f"All {count} lines fit, and are signed by {key.public_bytes_raw().hex()[:16]}.")


@asynccontextmanager
async def _vault(context: Context) -> AsyncIterator[Vault]:
    settings = ready(context.settings)
    try:
        ring = read_key_ring(settings.key_ring)
    except NoKeyRing as error:
        raise CommandFailed(str(error), status=2) from None
    migrate(settings.database_url)
    jobs = job_app(settings.database_url)
    vault = Vault(engine=database_engine(settings.database_url), jobs=jobs, ring=ring, now=lambda: datetime.now(UTC))
    try:
        async with jobs.open_async():
            yield vault
    finally:
        await vault.close()


def _secret(prompt: str) -> str:
    """A secret from the terminal without echo, or a line of standard input when there is no terminal."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
