"""`harborline rota` and `audit`: administration, one transaction each."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bot.context import Context
from bot.errors import CommandFailed
from bot.terminal import opened_vault, say
from vault.audit import Broken, Line, checking_key, verify
from vault.paging import Contact
from vault.unit import Unit


async def rota(context: Context) -> None:
    """Add, show or remove responders."""
    arguments = context.arguments
    async with opened_vault(context) as vault, vault.unit() as unit:
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
        say(f"{responder.name}\t{','.join(responder.languages)}\t{methods}")
    if not responders:
        say("Nobody can be paged yet: harborline rota add NAME --sms +15551234567.")


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
    say(f"{arguments.name} can be paged from now on.")


async def _remove_responder(unit: Unit, name: str) -> None:
    for responder in await unit.responders.all():
        if responder.name.casefold() == name.casefold():
            await unit.responders.remove(responder.id)
            unit.audit.add("responder.removed", f"responder:{responder.id}")
            say(f"{name} is not paged any more.")
            return
    raise CommandFailed("Nobody of this name can be paged: see harborline rota show.")


def _is_number(value: str) -> bool:
    return value.startswith("+") and value[1:].isdecimal() and 7 <= len(value[1:]) <= 15


async def audit(context: Context) -> None:
    """Export the chain, or verify an export or the database."""
    if context.arguments.action == "verify" and context.arguments.file:
        _verify_file(Path(context.arguments.file))
        return
    async with opened_vault(context) as vault, vault.unit() as unit:
        lines = tuple(reversed(await unit.audit.lines(limit=10_000_000)))
        key = checking_key(vault.ring)
    if context.arguments.action == "export":
        export = {"version": 1, "public_key": key.public_bytes_raw().hex(), "lines": [line.to_json() for line in lines]}
        say(json.dumps(export, indent=1))
        return
    _verified(lines, key)


def _verify_file(path: Path) -> None:
    """Verify an export, offline."""
    try:
        export = json.loads(path.read_text(encoding="utf-8"))
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(export["public_key"]))
        lines = tuple(Line.from_json(line) for line in export["lines"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise CommandFailed("This file is no audit export: make one with harborline audit export.", status=2) from None
    _verified(lines, key)


def _verified(lines: tuple[Line, ...], key: Ed25519PublicKey) -> None:
    try:
        count = verify(lines, key)
    except Broken as broken:
        raise CommandFailed(f"{str(broken).capitalize()}.") from None
    say(f"All {count} lines fit, and are signed by {key.public_bytes_raw().hex()[:16]}.")
