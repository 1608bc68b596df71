"""The panel "Write with them" in a real Chromium: new words appear by themselves, and what is typed is left alone."""

import pytest
from playwright.async_api import Page, expect

from tests.test_console_browser import (
    ARABIC,
    FAINT_WORDS,
    SMALL_TARGETS,
    STRUCTURE,
    TINY,
    UNNAMED,
    WIDE,
    Console,
    chrome,
    console,
)
from triage.levels import Level
from vault.delivery import OutboxState

__all__ = ["chrome", "console"]  # fixtures

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

BEGIN = "Write with them now"


async def at_the_case(at: Console, page: Page, *, begin: bool = True, language: str = "es") -> str:
    """A case on the screen, with Noor writing in it; gives its code."""
    code = await at.bench.case("No me pagan", level=Level.HIGH, language=language)
    await page.goto(f"{at.address}/cases/{code}")
    if begin:
        await page.get_by_role("button", name=BEGIN).click()
        await expect(page.get_by_text("You write with them now", exact=True)).to_be_visible()
    return code


async def changed(at: Console) -> None:
    """Something happened that every open page is told of."""
    async with at.bench.vault.unit() as unit:
        await unit.queue_changed()


async def test_new_words_appear_by_themselves_and_what_is_typed_stays(console: Console) -> None:
    async with console.noor() as page:
        code = await at_the_case(console, page)
        talk = page.get_by_role("log")
        await expect(page.locator("#live")).to_have_text("Live")
        await expect(page.get_by_role("link", name="Look for new words")).to_be_hidden()
        box = page.get_by_label("Write to them, in Spanish")
        await box.fill("Estoy aqu")
        loads: list[str] = []
        page.on("load", lambda loaded: loads.append(loaded.url))
        await console.bench.says(code, "¿Hay alguien?")
        await expect(talk.get_by_text("¿Hay alguien?")).to_be_visible()
        await expect(page.locator("#news")).to_have_text("You write with them. They have written.")
        await expect(box).to_be_focused()
        await box.press_sequentially("í")
        await expect(box).to_have_value("Estoy aquí")
        assert loads == []
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(talk.get_by_text("Estoy aquí")).to_be_visible()
        await expect(talk.get_by_text("On its way")).to_be_visible()
    case = await console.bench.stored(code)
    assert (case.waits, case.unread) == (False, False), "what appeared by itself was read before it was answered"
    assert [text for _, text in console.bench.actions.reached] == ["Estoy aquí"]


async def test_how_far_words_have_come_is_shown_without_reloading(console: Console) -> None:
    async with console.noor() as page:
        code = await at_the_case(console, page)
        await page.get_by_label("Write to them, in Spanish").fill("Hola")
        await page.get_by_role("button", name="Send", exact=True).click()
        talk = page.get_by_role("log")
        await expect(talk.get_by_text("On its way")).to_be_visible()
        async with console.bench.vault.unit() as unit:
            case = await unit.cases.by_code(code)
            for parcel in await unit.outbox.of_case(case.id):
                await unit.outbox.set(parcel, OutboxState.FAILED)
            await unit.queue_changed()
        await expect(talk.get_by_text("Could not be delivered")).to_be_visible()
        await expect(talk.locator("li.trouble")).to_have_count(1)


async def test_a_colleague_who_goes_on_and_the_line_coming_back_are_seen_at_once(console: Console) -> None:
    async with console.noor() as page:
        code = await at_the_case(console, page)
        box = page.get_by_label("Write to them, in Spanish")
        await box.fill("un momento")
        async with console.bench.vault.unit() as unit:
            tomas = next(m.id for m in await unit.members.all() if m.name == "Tomas")
        console.bench.actions.writes[code] = tomas
        await changed(console)
        await expect(page.get_by_text("Tomas writes with them now", exact=True)).to_be_visible()
        await console.bench.says(code, "hola")
        await expect(page.get_by_text("They have written since you opened this page.")).to_be_visible()
        console.bench.actions.writes.clear()
        console.bench.actions.nobody = "They said that they cannot talk now."
        await changed(console)
        await expect(page.get_by_text("Nobody writes with them. They said that they cannot talk now.")).to_be_visible()
        await expect(box).to_have_value("un momento")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_text("You are not writing with them any more.")).to_be_visible()
        await expect(page.get_by_text("un momento")).to_be_visible()
    console.troubles.clear()  # the 409


async def test_it_works_without_javascript(console: Console) -> None:
    async with console.noor(TINY, java_script_enabled=False) as page:
        code = await at_the_case(console, page)
        await page.get_by_label("Write to them, in Spanish").fill("Estoy aquí")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_role("log").get_by_text("Estoy aquí")).to_be_visible()
        await console.bench.says(code, "Gracias")
        await page.get_by_role("link", name="Look for new words").click()
        await expect(page.get_by_role("log").get_by_text("Gracias")).to_be_visible()
        await page.get_by_role("button", name="Hand back to the line").click()
        await expect(page.get_by_text("The line has taken over again.")).to_be_visible()
        await expect(page.get_by_role("button", name=BEGIN)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, TINY])
async def test_the_panel_can_be_read_and_touched_by_everybody(
    console: Console, scheme: str, size: tuple[int, int]
) -> None:
    async with console.noor(size, color_scheme=scheme, reduced_motion="reduce") as page:
        code = await at_the_case(console, page, begin=False, language="ar")
        await console.bench.says(code, ARABIC)
        await console.bench.says(code, "https://example.org/" + "x" * 300)
        for who in ("nobody", "Noor", "Tomas", "refused"):
            if who == "Noor":
                await page.get_by_role("button", name=BEGIN).click()
                words = page.get_by_role("log").locator(".words").nth(1)
                assert await words.evaluate("e => getComputedStyle(e).direction") == "rtl"
                box = page.get_by_label("Write to them, in Arabic")
                await box.fill("هل أنتم بأمان الآن؟")
                assert await box.evaluate("e => getComputedStyle(e).direction") == "rtl"
            elif who == "Tomas":
                async with console.bench.vault.unit() as unit:
                    members = await unit.members.all()
                console.bench.actions.writes[code] = next(m.id for m in members if m.name == who)
            elif who == "refused":
                console.bench.actions.writes.clear()
                console.bench.actions.nobody = "They said that they cannot talk now."
            if who in {"Tomas", "refused"}:
                await page.reload()
            assert await page.evaluate("document.documentElement.scrollWidth") == size[0], who
            for check in (SMALL_TARGETS, FAINT_WORDS, UNNAMED, STRUCTURE):
                assert await page.evaluate(check) == [], who
