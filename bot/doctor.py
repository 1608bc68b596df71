"""`harborline doctor`: looks at everything a line needs and says, one line each, what is well and what to do."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text

from bot.app import open_house, voice_folders
from bot.commands import ready
from bot.context import Context
from bot.errors import CommandFailed
from bot.flows import proven
from bot.house import House
from bot.keeping import findings as keeping_findings
from bot.recordings import found, placeholders
from bot.rota_show import rota_findings
from bot.script import Script
from bot.voice import words_of
from channels.messages import ChannelName
from channels.voice import Voice
from dialogs.marked import BadFile
from vault.delivery import HeldCopies
from vault.errors import NoKeyRing
from vault.reach import reach
from vault.unit import DATABASE_AWAY

_CLOCK: Final = timedelta(seconds=5)
_SPACE: Final = 1 << 30  # bytes that should be free
_COPIES: Final = timedelta(days=1)
_RASA_MAY_TAKE: Final = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, and the remedy ("" when all is well)."""

    what: str
    remedy: str = ""


async def run(context: Context) -> None:
    """Print every finding; fails when one needs a hand."""
    try:
        async with open_house(ready(context.settings), context.log) as house:
            findings = [finding async for finding in examine(house)]
    except FileNotFoundError as error:
        raise CommandFailed(f"{error.filename} is missing: write it, or set HARBORLINE_HOME to its folder.") from None
    except (BadFile, NoKeyRing) as error:
        raise CommandFailed(str(error)) from None
    for finding in findings:
        sys.stdout.write(f"{'look' if finding.remedy else 'well'}  {finding.what}\n")
        if finding.remedy:
            sys.stdout.write(f"      {finding.remedy}\n")
    if any(finding.remedy for finding in findings):
        raise CommandFailed("Something needs a hand: see the lines that begin with `look`.")


async def examine(house: House) -> AsyncIterator[Finding]:
    """Every check, in the order in which a line depends on them."""
    yield _keys(house)
    try:
        async with house.vault.unit() as unit:
            now = await unit.transaction.connection.scalar(text("SELECT now()"))
            teams, responders = await unit.cases.teams(), await unit.responders.all()
            copies = await unit.copies.by_channel()
            rota = await house.pager.rota(unit)
            reached = await reach(unit.alerts, unit.readiness, unit.transaction.now)
            failed = await unit.jobs.failed()
            workers = await unit.jobs.workers()
            moving, sheets = await unit.teams.left(), await unit.recovery.printed()
            keeping = await keeping_findings(house, unit)
    except DATABASE_AWAY:
        yield Finding("database", "It cannot be reached: start it, or correct DATABASE_URL.")
        return
    yield Finding("database")
    off = abs(datetime.now(UTC) - now)
    yield Finding("clock", "" if off < _CLOCK else "This machine and the database differ: synchronise their clocks.")
    yield Finding("staff", "" if teams else "Nobody can open a case: harborline staff add NAME.")
    yield Finding("responders", "" if responders else "Nobody can be paged: harborline rota add NAME --sms NUMBER.")
    for what, remedy in rota_findings(house, rota, reached, datetime.now(UTC)):
        yield Finding(what, remedy)
    yield Finding("team key", f"{moving} cases still open with an old one: harborline staff regrant." if moving else "")
    yield Finding("recovery sheets", "" if sheets else "None is printed: harborline staff recovery-print.")
    yield Finding(f"workers: {workers}", "" if workers else "None is alive, so no page goes out: harborline worker.")
    yield Finding(f"jobs given up: {failed}", "Look for their failure in the worker's log." if failed else "")
    for check in _CHECKS:
        yield check(house)
    for finding in copies_findings(house, copies, datetime.now(UTC)):
        yield finding
    for what, remedy in keeping:
        yield Finding(what, remedy)
    yield await _understanding(house)
    if house.understanding.rasa_ready is not None:
        yield await rasa_finding(house)


def copies_findings(house: House, copies: Sequence[HeldCopies], now: datetime) -> list[Finding]:
    """What providers still hold, by channel. Most goes within minutes; what stays over a day needs a hand."""
    if not copies:
        return [Finding("provider copies: none")]
    return [
        Finding(
            f"provider copies: {held.count} of {held.channel}, since {held.since:%Y-%m-%d %H:%M} UTC, "
            f"tried up to {held.tries} times",
            _remedy(house, held) if now - held.since > _COPIES else "",
        )
        for held in copies
    ]


def _remedy(house: House, held: HeldCopies) -> str:
    """They are never forgotten: once the cause is gone, they go within six hours."""
    if held.channel not in house.channels:
        return f"Nobody can delete them while {held.channel} is not set up: set it up again, or delete them at Twilio."
    return (
        "Check TWILIO_* and look for copy.refused in the worker's log; what goes on failing, delete at Twilio by hand."
    )


def _keys(house: House) -> Finding:
    loose = [path.name for path in house.settings.key_ring.iterdir() if path.stat().st_mode & 0o077]
    return Finding("key ring", "Others on this machine can read it: chmod -R go= the keyring folder." if loose else "")


def _channels(house: House) -> Finding:
    return Finding(
        f"channels: {', '.join(sorted(house.channels)) or 'none'}",
        "" if house.channels else "Set TWILIO_* or TELEGRAM_* and the numbers in line.yml.",
    )


def _webhooks(house: House) -> Finding:
    local = house.settings.public_url.startswith("http://")
    practised = house.settings.twilio_api_url.startswith("http://127.0.0.1")
    return Finding(
        "public address",
        "PUBLIC_URL is not https: providers would send reports in clear." if local and not practised else "",
    )


def _languages(house: House) -> Finding:
    spoken = house.line.languages if ChannelName.VOICE in house.channels else ()
    silent = [tag for tag in spoken if not Voice.speaks(tag) and tag not in house.line.recorded]
    return Finding(
        f"languages: {', '.join(house.line.languages)}",
        f"The phone service has no voice for {', '.join(silent)}: set voices in line.yml to recorded."
        if silent
        else "",
    )


def _recordings(house: House) -> Finding:
    """Each sentence that has no recording is read by a voice of the phone service, as far as it can."""
    script, missing, made = Script(flow=house.flow, phrases=house.phrases), 0, 0
    for tag in house.line.recorded:
        there = found(voice_folders(house.settings), tag)
        missing += len(set(words_of(script, house.line, tag)) - set(there))
        made += len(placeholders(there))
    what = f"recordings: {', '.join(sorted(house.line.recorded)) or 'none needed'}"
    what += f"; {made} still made by a machine" if made else ""
    return Finding(what, f"{missing} are missing: harborline voice make --lang TAG, or record them." if missing else "")


def _flows(house: House) -> Finding:
    """Whatever would not load has ended this command before; the rest is proven here, with the line's own cover."""
    script = Script(flow=house.flow, phrases=house.phrases)
    broken = sum(len(finding.problems) for finding in proven(script, house.facts))
    return Finding("flows and words", f"{broken} places need a hand: harborline flows check." if broken else "")


def _disk(house: House) -> Finding:
    free = shutil.disk_usage(house.settings.harborline_home).free
    return Finding("disk", "" if free > _SPACE else "Less than 1 GiB is free: make room.")


_CHECKS: Final[tuple[Callable[[House], Finding], ...]] = (
    _channels,
    _webhooks,
    _languages,
    _recordings,
    _flows,
    _disk,
)


async def _understanding(house: House) -> Finding:
    for _ in range(20):
        if house.understanding.ready:
            return Finding("understanding")
        await asyncio.sleep(0.5)
    return Finding("understanding", "The engine does not start: messages are read by word patterns only. See the log.")


async def rasa_finding(house: House) -> Finding:
    """One harmless text is read: what counts is an answer that can be used, and not only an open port."""
    await house.understanding.understand("hello", languages=house.line.languages, budget=_RASA_MAY_TAKE)
    ready = house.understanding.rasa_ready
    return Finding(
        "rasa",
        "" if ready else "It does not read at RASA_URL: the embedded engine does in its place. Start it, or make rasa.",
    )
