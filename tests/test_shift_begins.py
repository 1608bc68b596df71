"""A shift begins soon: real processes and PostgreSQL, practice phones; each method is asked and proves itself."""

import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from dialogs.conversation import Mode
from dialogs.phrases import load_phrases
from tests.databases import Cluster
from tests.world import LINE, World, open_world

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

MINUTE = 75.0  # seconds within which a job that runs every minute has run


def a_shift(now: datetime) -> str:
    """Amina's shift begins in half an hour, every day."""
    begins, ends = now + timedelta(minutes=30), now + timedelta(minutes=90)
    return f"on_call:\n  - {{members: [Amina], start: 2026-01-01, windows: ['{begins:%H:%M}-{ends:%H:%M}']}}\n"


def says(key: str, time: str = "") -> str:
    """What Amina, whose first language is Spanish, reads and hears."""
    return load_phrases().text(key, "es", Mode.PLAIN, {"line": "Harborline", "time": time})


def states(world: World) -> dict[str, str]:
    """What became of each question."""
    return dict(world.rows("SELECT contact, state FROM readiness"))


@pytest.mark.timeout(400)
async def test_before_a_shift_every_method_is_tried_and_answered_and_the_calendar_shows_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    shift = now + timedelta(minutes=30)
    begins = f"{shift:%H:%M}" if shift.date() == now.date() else f"{shift:%Y-%m-%d %H:%M}"
    async with open_world(cluster, tmp_path / "line", line=LINE + a_shift(now)) as world:
        phone, chat = world.responder_phone("Amina"), world.responder_chat("Amina")
        text = await phone.receives(says("page.shift", begins), within=MINUTE)
        assert "OK" in text.text
        call = await phone.rings(within=30)
        call.answer()
        await call.hears("Pulse 1", within=20)
        await call.press("1")
        await call.hears(says("page.shift_ready"), within=20)
        await phone.text("OK")
        await chat.receives(says("page.shift", begins), within=30)
        await chat.press(says("page.shift_button"), within=20)
        await world.until(
            lambda: set(states(world).values()) == {"ready"}, f"not all are ready: {states(world)}", within=30
        )
        assert set(states(world)) == {"telegram", "sms", "voice"}
        assert world.rows("SELECT 1 FROM alerts") == []
        address = await _a_calendar_address(world)
        async with aiohttp.ClientSession() as client, client.get(address) as answer:
            assert answer.status == 200
            shifts = re.findall(r"DTSTART:(\w+)", await answer.text())
        assert f"{now + timedelta(minutes=30):%Y%m%dT%H%M}00Z" in shifts


async def _a_calendar_address(world: World) -> str:
    """As the operator makes it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "rota", "feed", "Amina"),
        env=world.web.environment,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().splitlines()[0]
