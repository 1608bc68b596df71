"""The staff console in a real Chromium: live without reloading, whole without JavaScript, readable by everybody."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from sqlalchemy import update

from tests.console_bench import PASSPHRASE, Bench, bench_on
from triage.drills import DrillState, Expected, Figures
from triage.levels import Level
from vault import tables
from vault.paging import StoredAlert
from vault.rota import Ready

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE, TINY = (1280, 800), (320, 640)
ARABIC = "يقفلون الباب علينا في الليل. الرقم 12 شارع الميناء (الطابق 3)."

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@dataclass(slots=True, kw_only=True)
class Console:
    """A console that is served, a Chromium, and what went wrong in its pages."""

    bench: Bench
    browser: Browser
    runner: web.AppRunner
    troubles: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def member(self, name: str) -> str:
        """The id of a member."""
        async with self.bench.vault.unit() as unit:
            return next(str(m.id) for m in await unit.members.all() if m.name == name)

    @asynccontextmanager
    async def visitor(self, size: tuple[int, int] = WIDE, **options: Any) -> AsyncIterator[Page]:
        """A fresh browser at the door."""
        viewport = {"width": size[0], "height": size[1]}
        context: BrowserContext = await self.browser.new_context(viewport=viewport, **options)  # type: ignore[arg-type]  # playwright wants its own TypedDict
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: self.troubles.append(message.text) if message.type == "error" else None)
        try:
            yield page
        finally:
            await context.close()

    @asynccontextmanager
    async def noor(self, size: tuple[int, int] = WIDE, **options: Any) -> AsyncIterator[Page]:
        """Noor, signed in by the form, at the queue."""
        async with self.visitor(size, **options) as page:
            await page.goto(f"{self.address}/queue")
            await page.get_by_label("Name").fill("Noor")
            await page.get_by_label("Passphrase").fill(PASSPHRASE)
            await page.get_by_label("Code from your authenticator").fill(self.bench.totp("Noor"))
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
            self.bench.clock.later(seconds=30)
            yield page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chrome(chromium: str) -> AsyncIterator[Browser]:
    """One Chromium for all tests here; without one they are left out, loudly (see conftest.py)."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def console(chrome: Browser, database_url: str, tmp_path: Path) -> AsyncIterator[Console]:
    """A served console; at the end no page may have complained, of the content policy least of all."""
    async with bench_on(database_url, tmp_path / "ring") as bench:
        runner = web.AppRunner(bench.app(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made = Console(bench=bench, browser=chrome, runner=runner)
        yield made
        await runner.cleanup()
        assert bench.failures == []
    assert made.troubles == []


async def rich(bench: Bench) -> str:
    """One case of each level, an alert that rings, a calendar with gaps; gives the code of the emergency."""
    await bench.responder("Amina", "ar", "en")
    await bench.responder("Noor", "en", number="+15550100902", coordinator=True)
    bench.calendar("mon-sat 18:00-09:00", "sun 10:00-20:00")
    await plan(bench)
    for level, rules in ((Level.INFORMATION, ["question"]), (Level.STANDARD, ["unpaid", "debt"])):
        await bench.case("Hola", level=level, rules=rules)
    await bench.case("mujhe bahar jane nahi dete", level=Level.HIGH, language="hi", channel="telegram")
    code = await bench.case(
        ARABIC, level=Level.EMERGENCY, language="ar", rules=["weapon", "threat"], words="الباب", life=True
    )
    await bench.says(code, "https://example.org/" + "x" * 300)
    await bench.rings(code, needed=2)
    await drilled(bench)
    bench.clock.later(minutes=10)
    return code


async def plan(bench: Bench) -> None:
    """Noor stands in once, and Amina did not answer before a shift."""
    amina, noor = bench.rota.responders
    now = bench.clock.now
    async with bench.vault.unit() as unit:
        day = timedelta(days=1)
        await unit.rota_changes.override(now + day, now + 2 * day, responder=noor.id, replaces=amina.id)
        asked = await unit.readiness.ask(uuid.UUID(amina.id), method="sms", contact="sms", shift_at=now, due_at=now)
        assert asked
        await unit.readiness.set(asked, Ready.MISSED)


async def drilled(bench: Bench) -> None:
    """Some weeks of drills, of every outcome."""
    well, slow, quick = ("es", 10, 45, 300), ("ar", 15, 200, 1500), ("es", 5, 30, 120)
    seen = (well, slow, ("hi", 10, None, None), quick, ("zh", None, None, None))
    wanted = Expected(level=Level.EMERGENCY, page=60, acknowledge=300, answer=900)
    states = (DrillState.PASSED, DrillState.SLOW, DrillState.NOBODY, DrillState.PASSED, DrillState.UNPAGED)
    async with bench.vault.unit() as unit:
        for week, ((language, page, taken, answered), state) in enumerate(zip(seen, states, strict=True)):
            run = await unit.drills.begin("night_worker", language, "sms", wanted)
            assert run
            figures = Figures(level=Level.EMERGENCY, page=page, acknowledge=taken, answer=answered)
            await unit.drills.seen(run.id, figures)
            await unit.drills.end(run.id, state)
            begun = unit.transaction.now - timedelta(days=7 * (5 - week), hours=5 * week)
            query = update(tables.drills).where(tables.drills.c.id == run.id).values(begun_at=begun)
            await unit.transaction.connection.execute(query)


async def every_page(console: Console, page: Page, code: str) -> AsyncIterator[str]:
    """Go to each page in turn, with everything on it opened."""
    tomas = await console.member("Tomas")
    of_the_team = ("/team", f"/team/{tomas}", f"/team/{tomas}/reset", f"/team/{tomas}/remove", "/account")
    of_cases = ("/queue", f"/cases/{code}", f"/cases/{code}/close", "/oncall", "/audit", "/queue?state=closed")
    of_drills = ("/drills", "/drills/night_worker/start")
    for path in (*of_cases, *of_drills, *of_the_team):
        await page.goto(console.address + path)
        for summary in await page.locator("summary").all():
            await summary.click()
        yield path
    response = await page.goto(f"{console.address}/signin?next=/oncall")
    assert response
    yield "/signin"


async def test_a_new_case_appears_by_itself_and_is_answered(console: Console) -> None:
    async with console.noor() as page:
        await expect(page.get_by_text("New reports appear here by themselves")).to_be_visible()
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        loads: list[str] = []
        page.on("load", lambda loaded: loads.append(loaded.url))
        code = await console.bench.case("No me pagan", level=Level.EMERGENCY, rules=["weapon"])
        link = page.get_by_role("link", name=f"Case {code}")
        await expect(link).to_be_visible()
        await expect(page.locator("#news")).to_have_text("1 case to do: 1 emergency.")
        await expect(page).to_have_title("(1) Queue · Open Door")
        assert loads == []
        await link.click()
        said = page.get_by_text("No me pagan", exact=True)
        await expect(said).to_be_hidden()
        await page.get_by_text("Show what was said").click()
        await expect(said).to_be_visible()
        await page.get_by_label("Your answer, in Spanish").fill("Estamos aquí. ¿Puede hablar?")
        await expect(page.get_by_text("28 characters, 1 text message.")).to_be_visible()
        await page.get_by_role("button", name="Send the answer").click()
        await expect(page.get_by_role("status")).to_contain_text("Your answer is on its way.")
        await expect(page.get_by_text("On its way", exact=True)).to_be_visible()
    assert [text for _, _, text in console.bench.actions.answers] == ["Estamos aquí. ¿Puede hablar?"]


async def test_everything_works_without_javascript(console: Console) -> None:
    code = await console.bench.case("Hola")
    async with console.noor(TINY, java_script_enabled=False) as page:
        refresh = page.locator('meta[http-equiv="refresh"]')
        assert "auto=1" in (await refresh.get_attribute("content") or "")
        await page.get_by_role("link", name=f"Case {code}").click()
        await page.get_by_text("Show what was said").click()
        await expect(page.get_by_text("Hola", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Take this case").click()
        await expect(page.get_by_text("Taken, with Noor")).to_be_visible()
        await page.get_by_label("Your answer, in Spanish").fill("Estamos aquí.")
        await page.get_by_role("button", name="Send the answer").click()
        await expect(page.get_by_text("Your answer is on its way.")).to_be_visible()
        await page.get_by_role("link", name="Close this case").click()
        await page.get_by_role("button", name="Yes, close it").click()
        await expect(page.get_by_text("The case is closed.")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


async def test_a_screen_that_is_signed_out_elsewhere_leaves_the_page(console: Console) -> None:
    async with console.noor() as page:
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        console.bench.clock.later(minutes=31)
        await console.bench.case("Hola")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    console.troubles.clear()  # the 401 that told the page


async def test_a_screen_that_lost_the_console_says_so(console: Console) -> None:
    async with console.noor() as page:
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        await console.runner.cleanup()
        await expect(page.get_by_text("Not live. Trying again")).to_be_visible()
    console.troubles.clear()  # the connection that was refused


async def test_the_keyboard_reaches_everything_and_keeps_its_place_when_the_queue_changes(console: Console) -> None:
    code = await console.bench.case("Hola")
    async with console.noor() as page:
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Go to the content")).to_be_focused()
        link = page.get_by_role("link", name=f"Case {code}")
        for _ in range(20):
            await page.keyboard.press("Tab")
            if await link.evaluate("link => link === document.activeElement"):
                break
        await expect(link).to_be_focused()
        other = await console.bench.case("Hola", level=Level.EMERGENCY)
        await expect(page.get_by_role("link", name=f"Case {other}")).to_be_visible()
        await expect(link).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text(f"Case {code}")


async def test_nothing_is_wider_than_a_small_phone_and_everything_is_large_enough_to_touch(console: Console) -> None:
    code = await rich(console.bench)
    async with console.noor(TINY) as page:
        async for path in every_page(console, page, code):
            assert await page.evaluate("document.documentElement.scrollWidth") == TINY[0], path
            assert await page.evaluate(SMALL_TARGETS) == [], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, TINY])
async def test_every_word_can_be_told_from_its_background(console: Console, scheme: str, size: tuple[int, int]) -> None:
    code = await rich(console.bench)
    async with console.noor(size, color_scheme=scheme, reduced_motion="reduce") as page:
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(16, 21, 26)") is (scheme == "dark")
        async for path in every_page(console, page, code):
            assert await page.evaluate(FAINT_WORDS) == [], path


async def test_every_page_makes_sense_to_a_screen_reader(console: Console) -> None:
    code = await rich(console.bench)
    async with console.noor() as page:
        async for path in every_page(console, page, code):
            assert await page.evaluate(UNNAMED) == [], path
            assert await page.evaluate(STRUCTURE) == [], path


async def test_what_is_written_from_right_to_left_is_read_from_right_to_left(console: Console) -> None:
    code = await rich(console.bench)
    async with console.noor() as page:
        await page.goto(f"{console.address}/cases/{code}")
        await page.get_by_text("Show what was said").click()
        words = page.locator(".words").first
        assert await words.evaluate("e => getComputedStyle(e).direction") == "rtl"
        assert await words.get_attribute("lang") == "ar"
        answer = page.get_by_label("Your answer, in Arabic")
        await answer.fill("هل أنتم بأمان الآن؟")
        assert await answer.evaluate("e => getComputedStyle(e).direction") == "rtl"
        await expect(page.get_by_text("1 text message.")).to_be_visible()
        await answer.fill("هل " * 40)
        await expect(page.get_by_text("120 characters, 2 text messages.")).to_be_visible()


async def test_hostile_words_run_nothing(console: Console) -> None:
    hostile = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    code = await console.bench.case(hostile, words=hostile, rules=[hostile])
    async with console.noor() as page:
        for path in ("/queue", f"/cases/{code}"):
            await page.goto(console.address + path)
            await asyncio.sleep(0.1)
            assert "taken" not in await page.title()
            assert await page.locator("main img, main script").count() == 0


async def test_an_alert_is_acknowledged_from_on_call_and_falls_silent_on_the_other_screen(console: Console) -> None:
    code = await console.bench.case("Hola", level=Level.EMERGENCY)
    await console.bench.rings(code)
    async with console.noor() as one, console.noor() as other:
        await other.goto(f"{console.address}/oncall")
        await expect(other.get_by_text("Ringing", exact=True)).to_be_visible()
        await one.goto(f"{console.address}/oncall")
        await one.get_by_role("button", name="I have it").click()
        await expect(one.get_by_text("Noted: you have it.")).to_be_visible()
        await expect(other.get_by_text("Nothing is ringing. When")).to_be_visible()
    assert console.bench.actions.acknowledged == [(code, "Noor")]


SMALL_TARGETS = """
() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
  .filter(e => e.checkVisibility() && !e.matches('.skip, .message a, p a'))
  .map(e => [e, e.matches('h3 a') && e.closest('.row') ? e.closest('.row') : e])
  .filter(([, box]) => box.getBoundingClientRect().height < 44 && !box.closest('h3'))
  .map(([e]) => e.outerHTML.slice(0, 120))
"""

FAINT_WORDS = """
() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const over = (top, below) => {
    const a = top.length > 3 ? top[3] : 1;
    return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a));
  };
  const ground = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.unshift(parse(getComputedStyle(at).backgroundColor));
    return layers.reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const light = (c) => {
    const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || !e.checkVisibility() || e.closest('.sr, .skip, script, thead')) continue;
    const below = ground(e);
    const [a, b] = [light(over(parse(getComputedStyle(e).color), below)), light(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push([node.data.trim().slice(0, 40), ratio.toFixed(2)]);
  }
  return faint;
}
"""

UNNAMED = """
() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, nav, aside')]
  .filter(e => !(e.labels?.length || e.textContent.trim() && !e.matches('nav, aside, textarea, select')
    || e.getAttribute('aria-label') || document.getElementById(e.getAttribute('aria-labelledby'))))
  .map(e => e.outerHTML.slice(0, 120))
"""

STRUCTURE = """
() => {
  const wrong = [];
  const all = (s) => [...document.querySelectorAll(s)];
  if (document.documentElement.lang !== 'en') wrong.push('no language');
  if (all('h1').length !== 1) wrong.push('not one h1');
  if (all('main').length !== 1 || all('body > header').length !== 1) wrong.push('landmarks');
  let depth = 0;
  for (const h of all('h1, h2, h3, h4')) {
    if (Number(h.tagName[1]) > depth + 1) wrong.push('a heading skips a level: ' + h.textContent.trim());
    depth = Number(h.tagName[1]);
  }
  const ids = all('[id]').map(e => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push('twice: ' + id);
  for (const e of all('[aria-labelledby], [aria-describedby], label[for]'))
    for (const name of ['aria-labelledby', 'aria-describedby', 'for'])
      for (const id of (e.getAttribute(name) || '').split(' ').filter(Boolean))
        if (!document.getElementById(id)) wrong.push('points nowhere: ' + id);
  for (const svg of all('svg')) if (svg.getAttribute('aria-hidden') !== 'true') wrong.push('a picture without words');
  for (const table of all('table')) if (!table.caption) wrong.push('a table without a caption');
  return wrong;
}
"""


TONES = """
window.tones = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...given) { window.tones += 1; return start.apply(this, given); };
"""


async def until(page: Page, true: str) -> None:
    """Wait for something in the page. Playwright's own waiting needs `eval`, which our policy forbids."""
    for _ in range(75):
        if await page.evaluate(true):
            return
        await asyncio.sleep(0.2)
    pytest.fail(f"never in 15 seconds: {true}")


async def last_resort(bench: Bench, code: str) -> None:
    """Everyone is called for this case."""
    alert = await bench.rings(code)
    async with bench.vault.unit() as unit:
        loud = {**alert.machine, "state": "last_resort"}
        await unit.alerts.save(StoredAlert(id=alert.id, case_id=alert.case_id, ringing=True, machine=loud))
        await unit.queue_changed()


async def test_the_alarm_sounds_after_somebody_turned_it_on_and_until_the_alert_is_taken(console: Console) -> None:
    await console.bench.responder("Amina", "ar", "en")
    code = await console.bench.case("No me pagan", level=Level.EMERGENCY, rules=["weapon"])
    async with console.noor() as page:
        await page.add_init_script(TONES)
        await page.goto(f"{console.address}/oncall")
        banner = page.get_by_text("Everyone is being called, and nobody has it.")
        await expect(banner).to_be_hidden()
        await last_resort(console.bench, code)
        await expect(banner).to_be_visible()
        await expect(page.get_by_text("The alarm is silent in this browser.")).to_be_visible()
        await asyncio.sleep(0.5)
        assert await page.evaluate("tones") == 0, "a sound that nobody asked for"
        await page.get_by_role("button", name="Turn the sound on").click()
        await expect(page.get_by_text("The alarm sounds in this browser.")).to_be_visible()
        await until(page, "tones >= 4")  # two tones, and again
        await page.get_by_role("button", name="I have it").click()
        await page.goto(f"{console.address}/oncall")
        await expect(banner).to_be_hidden()
        await page.locator("h1").click()
        await asyncio.sleep(0.5)
        assert await page.evaluate("tones") == 0, "it sounds though somebody has it"


async def test_the_sound_can_be_heard_and_turned_off_before_it_is_needed(console: Console) -> None:
    code = await console.bench.case("No me pagan", level=Level.EMERGENCY, rules=["weapon"])
    async with console.noor(TINY) as page:
        await page.add_init_script(TONES)
        await page.goto(f"{console.address}/queue")
        await page.get_by_role("button", name="Turn the sound on").click()
        await until(page, "tones === 2")
        await page.get_by_role("button", name="Turn the sound off").click()
        await last_resort(console.bench, code)
        await expect(page.get_by_text("Everyone is being called, and nobody has it.")).to_be_visible()
        await asyncio.sleep(0.5)
        assert await page.evaluate("tones") == 2
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_without_javascript_the_alarm_is_a_banner(console: Console) -> None:
    code = await console.bench.case("No me pagan", level=Level.EMERGENCY, rules=["weapon"])
    await last_resort(console.bench, code)
    async with console.noor(java_script_enabled=False) as page:
        await expect(page.get_by_text("Everyone is being called, and nobody has it.")).to_be_visible()
        await expect(page.get_by_role("button", name="Turn the sound on")).to_be_hidden()
