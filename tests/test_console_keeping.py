"""The page of what is kept and forgotten: copies at providers, epochs, cases past their time, the last backup."""

import os
import re
from datetime import timedelta

import pytest

from tests.console_bench import START, Bench, Browser, bench, browser, cheap_stretching, noor
from triage.review import CaseState
from vault.keys import begin_epoch, read_key_ring
from vault.retention import erase

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures


@pytest.fixture
def keeper(noor: Browser) -> Browser:
    """Noor, at a console whose first epoch began with its clock."""
    directory = noor.bench.vault.ring.directory
    os.utime(directory / "epoch-1", (START.timestamp(), START.timestamp()))
    noor.bench.vault.ring = read_key_ring(directory)
    return noor


async def page(browser: Browser) -> str:
    status, text = await browser.get("/keeping")
    assert status == 200
    return " ".join(text.split())


async def test_a_line_that_has_nothing_to_show_says_what_will_appear(keeper: Browser) -> None:
    text = await page(keeper)
    assert "No provider holds a copy of anything that we know of." in text
    assert "None was made yet with <code>harborline backup</code>" in text
    assert "past the time set for them" not in text


async def test_copies_that_are_still_held_are_shown_with_their_channel_and_age(keeper: Browser) -> None:
    async with keeper.bench.vault.unit() as unit:
        await unit.copies.note("sms", ["messages/SM1", "messages/SM2"])
        await unit.copies.note("voice", ["calls/CA1"])
    keeper.bench.clock.later(minutes=20)
    text = await page(keeper)
    assert 'data-label="Channel">Text message</td> <td role="cell" data-label="Still there">2</td>' in text
    assert 'data-label="Channel">Phone call</td> <td role="cell" data-label="Still there">1</td>' in text
    assert re.search(r"5\d min ago", text), "hours are rounded down"
    for identifier in ("SM1", "SM2", "CA1"):
        assert identifier not in text


async def test_epochs_are_shown_with_their_end_and_the_next_turn(keeper: Browser) -> None:
    bench = keeper.bench
    assert "7 days after the next one begins" in await page(keeper)
    bench.vault.ring = begin_epoch(bench.vault.ring, at=START + timedelta(minutes=1))
    text = await page(keeper)
    assert f'datetime="{(START + timedelta(minutes=1, days=7)).isoformat()}"' in text
    assert f'datetime="{(START + timedelta(minutes=1, days=30)).isoformat()}"' in text
    secrets = read_key_ring(bench.vault.ring.directory).epochs.values()
    assert all(secret.hex() not in text for secret in secrets)


async def test_an_erasing_that_is_not_final_and_the_last_backup_are_shown(keeper: Browser) -> None:
    async with keeper.bench.vault.unit() as unit:
        unit.audit.add("backup.made", "database")
    await erased_case(keeper.bench)
    text = await page(keeper)
    assert "An erased case becomes final within the hour." in text
    assert "The last one was made on" in text


async def erased_case(bench: Bench) -> str:
    code = await bench.case("Hola", state=CaseState.CLOSED)
    async with bench.vault.unit() as unit:
        await erase(unit, await unit.cases.by_code(code), actor="system")
    return code


async def test_the_page_of_an_erased_case_says_so_calmly(keeper: Browser) -> None:
    status, text = await keeper.get(f"/cases/{await erased_case(keeper.bench)}")
    assert status == 410
    assert "This case was erased." in text


async def test_the_audit_page_leads_there_and_nobody_sees_it_signed_out(browser: Browser) -> None:
    status, _ = await browser.get("/keeping")
    assert status == 303
    await browser.sign_in("Noor")
    _, text = await browser.get("/audit")
    assert 'href="/keeping"' in text
