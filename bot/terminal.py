"""What every administration command needs: the vault, a line on the screen, a secret from the keyboard."""

import getpass
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from bot.commands import ready
from bot.context import Context
from bot.errors import CommandFailed
from vault.database import migrate
from vault.errors import NoKeyRing
from vault.keys import read_key_ring
from vault.unit import Vault, database_engine, job_app


@asynccontextmanager
async def opened_vault(context: Context) -> AsyncIterator[Vault]:
    """The vault of these settings, its tables up to date. Raises CommandFailed without a key ring."""
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


def secret(prompt: str) -> str:
    """A secret from the terminal without echo, or a line of standard input when there is no terminal."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\n")


def asked(prompt: str) -> str:
    """What is typed from paper, and seen while it is; the prompt goes to standard error."""
    sys.stderr.write(prompt if sys.stdin.isatty() else "")
    sys.stderr.flush()
    return sys.stdin.readline().rstrip("\n")


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(f"{text}\n")
