"""`harborline keys`, `backup` and `restore`: the key ring by hand, and the way back from a lost machine.

What they say is in sentences; keys are never printed.
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bot.context import Context
from bot.errors import CommandFailed
from bot.line import Retention, read_line
from bot.settings import Settings
from bot.terminal import opened_vault, say
from dialogs.marked import BadFile
from vault import epochs
from vault.backup import BackupFailed, back_up, programs, refuse_unless_new, restore
from vault.database import EmbeddedPostgres
from vault.effort import choose, cpu_years, measure
from vault.epochs import EpochPolicy
from vault.errors import EpochGone, NoKeyRing
from vault.keys import KeyRing, begin_epoch, destroy_epoch, init_key_ring, read_key_ring, set_effort
from vault.sealing import Effort
from vault.unit import Vault, database_engine, job_app

_NUMBERS: Final = 1e9  # a country's numbers, and then some


async def keys(context: Context) -> None:
    """Make, list, rotate or calibrate the key ring."""
    await {"init": _init, "show": _show, "rotate": _rotate, "calibrate": _calibrate}[context.arguments.action](context)


async def _init(context: Context) -> None:
    ring = init_key_ring(context.settings.key_ring)
    say(f"The key ring is in {ring.directory}. Copy it with harborline backup, which leaves its epochs out.")
    _tell(ring, _policy(context.settings), datetime.now(UTC))


async def _show(context: Context) -> None:
    _tell(_ring(context.settings), _policy(context.settings), datetime.now(UTC))


def _tell(ring: KeyRing, policy: EpochPolicy, now: datetime) -> None:
    for epoch in sorted(ring.epochs):
        effort = ring.effort_of(epoch) or Effort()
        end = epochs.ends(ring, policy, epoch)
        fate = f"is destroyed on {end:%Y-%m-%d}" if end else "is the current one"
        cost = f"{effort.passes} passes over {effort.memory // 1024} MiB"
        say(f"Epoch {epoch} began {(now - ring.begun[epoch]).days} days ago, costs {cost} a guess, and {fate}.")
    say(f"The next epoch begins on {epochs.next_epoch(ring, policy):%Y-%m-%d}.")


async def _rotate(context: Context) -> None:
    """Begin an epoch, or destroy one: what was locked in it is forgotten."""
    wanted: int | None = context.arguments.destroy
    async with opened_vault(context) as vault:
        if wanted is None:
            vault.ring = begin_epoch(vault.ring, at=vault.now())
            await epochs.note(vault)
            say(f"Epoch {vault.ring.current} began. The ones before it are destroyed after their grace period.")
            return
        _refuse_current(vault.ring, wanted)
        _confirm(wanted)
        try:
            vault.ring = destroy_epoch(vault.ring, wanted)
        except EpochGone as error:
            raise CommandFailed(str(error)) from None
        turned = await epochs.note(vault)
        say(f"Epoch {wanted} is destroyed. {turned.rows} rows that nothing opens any more were removed.")
        say("Running processes drop it from their memory within a quarter of a minute.")


def _refuse_current(ring: KeyRing, wanted: int) -> None:
    if wanted == ring.current:
        raise CommandFailed("This is the current epoch: begin a new one first with harborline keys rotate.", status=2)
    if wanted not in ring.epochs:
        raise CommandFailed(f"There is no epoch {wanted} to destroy: see harborline keys show.", status=2)


def _confirm(epoch: int) -> None:
    question = f"Conversations, held answers and unread words of epoch {epoch} are lost for good. Type {epoch} again: "
    if sys.stdin.isatty():
        sys.stdout.write(question)
        sys.stdout.flush()
    if sys.stdin.readline().strip() != str(epoch):
        raise CommandFailed("Nothing was destroyed: the number was not typed again.")


async def _calibrate(context: Context) -> None:
    """Measure this machine, and make a guess cost what was asked for."""
    target = context.arguments.milliseconds / 1000
    if not 0 < target <= 2:
        raise CommandFailed("Choose 1 to 2000 milliseconds: every first message of a person waits as long.", status=2)
    effort, seconds = await asyncio.to_thread(choose, target)
    say(f"{effort.passes} passes over {effort.memory // 1024} MiB take {seconds * 1000:.0f} ms on this machine.")
    if seconds < target:
        raise CommandFailed("This machine does not get that slow within sense: ask for fewer milliseconds.")
    if not context.arguments.dry_run:
        async with opened_vault(context) as vault:
            if effort == (vault.ring.effort_of(vault.ring.current) or Effort()):
                say("That is what a guess costs already: nothing was changed.")
            else:
                vault.ring = set_effort(vault.ring, effort, at=vault.now())
                await epochs.note(vault)
                say(f"It counts from now on: epoch {vault.ring.current} began with it. Nobody is lost by that.")
    say(
        f"Whoever steals this whole machine needs {seconds:.3f} s of such a CPU to test one number, "
        f"{cpu_years(seconds, _NUMBERS):.1f} CPU-years for 10^9 numbers; many CPUs at once are as much faster. "
        "Once the epoch is destroyed, no time is enough."
    )
    before = await asyncio.to_thread(measure, Effort())
    say(f"A key ring that was never calibrated: {before * 1000:.0f} ms, {cpu_years(before, _NUMBERS):.1f} CPU-years.")


# Backup --------------------------------------------------------------------------------------------------------------


async def backup(context: Context) -> None:
    """Write a backup into a new folder."""
    settings = context.settings
    async with opened_vault(context) as vault:
        try:
            using = await programs(vault.address, embedded=not settings.database_url)
            await back_up(vault, using, settings.line_file, _folder(context), say)
        except BackupFailed as error:
            raise CommandFailed(str(error)) from None
    say(f"The backup is in {_folder(context)}. Whoever has it and a member's passphrase can open cases: guard it.")


async def restore_backup(context: Context) -> None:
    """Bring a backup back into an empty home and an empty database."""
    settings = context.settings
    try:
        refuse_unless_new(settings.harborline_home)
        url = settings.database_url or EmbeddedPostgres(settings.harborline_home / "postgres").start()
        using = await programs(url, embedded=not settings.database_url)
        await restore(
            _folder(context),
            home=settings.harborline_home,
            url=url,
            using=using,
            open_vault=lambda ring: _open(url, ring),
            say=say,
        )
    except BackupFailed as error:
        raise CommandFailed(str(error)) from None
    say("Restored. Alerts that rang when the backup was made ring again once a worker runs. See harborline doctor.")


def _folder(context: Context) -> Path:
    return Path(context.arguments.folder)


# Parts ---------------------------------------------------------------------------------------------------------------


def _ring(settings: Settings) -> KeyRing:
    try:
        return read_key_ring(settings.key_ring)
    except NoKeyRing as error:
        raise CommandFailed(str(error), status=2) from None


def _policy(settings: Settings) -> EpochPolicy:
    """What line.yml says, or the defaults where there is none yet."""
    try:
        retention = read_line(settings.line_file).retention
    except FileNotFoundError:
        retention = Retention()
    except BadFile as error:
        raise CommandFailed(str(error), status=2) from None
    return retention.policy.epochs


def _open(url: str, ring: KeyRing) -> Vault:
    return Vault(engine=database_engine(url), jobs=job_app(url), ring=ring, now=lambda: datetime.now(UTC))
