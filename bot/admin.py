"""`harborline audit`: the chain exported, and verified."""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bot.context import Context
from bot.errors import CommandFailed
from bot.terminal import opened_vault, say
from vault.audit import Broken, Line, checking_key, verify


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
