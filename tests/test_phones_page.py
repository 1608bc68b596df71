"""The phones page in a real Chromium, against a small fake of the practice carriers that plays a scripted story.

Only the page is under test: no hotline, no real carrier, and nothing is imported from carriers/ but its files.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

PAGE = Path(__file__).parents[1] / "carriers" / "page"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CSP = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
WIDE, NARROW, TINY = (1440, 900), (800, 900), (320, 700)
ALL_PHONES_FROM = 1200  # px; below, each side shows one phone and its tabs

WORKER, CHAT, CALLER = "+15550100101", "5550102", "+15550100103"
AMINA, AMINA_CHAT, BEN = "+15550100201", "5550201", "+15550100202"
SETUP: dict[str, Any] = {
    "line": {"sms": "+15550100100", "voice": "+15550100109", "bot": "harborline_demo_bot"},
    "people": [
        {"name": "Rosa", "kind": "sms", "phone": WORKER},
        {"name": "Karim", "kind": "telegram", "phone": CHAT},
        {"name": "Mei", "kind": "voice", "phone": CALLER},
    ],
    "responders": [
        {"name": "Amina", "phone": AMINA, "telegram": AMINA_CHAT},
        {"name": "Ben", "phone": BEN, "telegram": ""},
    ],
    "console": "http://127.0.0.1:8081/queue",
}

# Scripts that look at the page as a visitor would; each returns what is wrong, best nothing.
VISIBLE = "const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest('.sr, .skip, .sprite');"
SMALL_TARGETS = f"""(() => {{ {VISIBLE}
  return [...document.querySelectorAll('button, select, textarea, .console')].filter(seen)
    .map((e) => [e.className || e.ariaLabel, e.getBoundingClientRect()])
    .filter(([, box]) => box.width < 44 || box.height < 44)
    .map(([name, box]) => `${{name}} ${{box.width}} x ${{box.height}}`);
}})()"""
OVERFLOWING = f"""(() => {{ {VISIBLE}
  return [...document.querySelectorAll('.phone :is(p, button, div, h3, textarea)')].filter(seen).filter((e) => {{
    const [inner, outer] = [e.getBoundingClientRect(), e.closest('.phone').getBoundingClientRect()];
    return inner.left < outer.left || inner.right > outer.right;
  }}).map((e) => e.className + e.textContent);
}})()"""
LOW_CONTRAST = f"""(() => {{ {VISIBLE}
  const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (rgb) => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => sum + w * part(rgb[i]), 0);
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const behind = (e) => {{
    for (; e; e = e.parentElement) {{
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }}
  }};
  const words = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  return [...document.body.querySelectorAll('*')].filter((e) => seen(e) && words(e) && !e.disabled).map((e) => {{
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.className || e.textContent];
  }}).filter(([ratio]) => ratio < 4.5);
}})()"""

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


class FakeCarrier:
    """The API that the page talks to: keeps a list of events, follows it over SSE, remembers what was posted."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.followers: set[asyncio.Task[Any]] = set()
        self.refuse = 0  # answer posts with this HTTP status
        self.setup = SETUP
        self.news = asyncio.Event()  # set, and replaced, with every event
        self.posting = asyncio.Event()  # the same with every post
        self.time = datetime.now(UTC)

    def tell(self, type_: str, phone: str, **fields: Any) -> None:
        """Add one event and wake whoever follows."""
        self.events.append({"seq": len(self.events) + 1, "type": type_, "phone": phone, **fields})
        self.news.set()
        self.news = asyncio.Event()

    def message(self, phone: str, id_: str, text: str, **fields: Any) -> None:
        """A message event; an incoming delivered SMS unless `fields` say otherwise."""
        usual: dict[str, Any] = {
            "channel": "sms",
            "direction": "in",
            "status": "delivered",
            "buttons": [],
            "error": None,
        }
        self.tell("message", phone, id=id_, text=text, at=self.time.isoformat(), **{**usual, **fields})

    def later(self, seconds: float) -> None:
        """Let the story's clock run."""
        self.time += timedelta(seconds=seconds)

    def call(self, phone: str, state: str, *, direction: str = "in", sid: str = "CA1") -> None:
        """A call event between this phone and the line."""
        self.tell("call", phone, call=sid, direction=direction, state=state, other=SETUP["line"]["voice"])

    async def posted(self, path: str) -> dict[str, Any]:
        """The newest body posted to this path, awaited for up to five seconds."""
        async with asyncio.timeout(5):
            while not (found := [body for where, body in self.posts if where == path]):
                await self.posting.wait()
        return found[-1]

    def drop(self) -> None:
        """Cut every open event stream."""
        for task in self.followers:
            task.cancel()

    def app(self) -> web.Application:
        """Everything on one origin, with the policy the real one has."""
        app = web.Application()
        app.on_response_prepare.append(_add_policy)
        app.add_routes(
            [
                web.get("/", _index),
                web.get("/phones/setup", self._setup),
                web.get("/phones/events", self._follow),
                web.post("/phones/{action:.+}", self._post),
                web.static("/", PAGE),
            ]
        )
        return app

    async def _setup(self, _request: web.Request) -> web.Response:
        return web.json_response(self.setup, status=200 if self.setup else 503)

    async def _post(self, request: web.Request) -> web.Response:
        if self.refuse:
            return web.json_response({"error": "refused"}, status=self.refuse)
        assert request.content_type == "application/json"
        self.posts.append((request.path, await request.json()))
        self.posting.set()
        self.posting = asyncio.Event()
        return web.json_response({"call": "CA1"} if request.path == "/phones/call" else {})

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        task = asyncio.current_task()
        assert task is not None
        self.followers.add(task)
        after = int(request.query.get("after", "0"))
        try:
            while True:
                news = self.news
                for event in self.events[after:]:
                    after = event["seq"]
                    await response.write(f"id: {after}\ndata: {json.dumps(event)}\n\n".encode())
                await news.wait()
        except ConnectionResetError:
            return response  # the browser went away
        finally:
            self.followers.discard(task)


async def _index(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html")


async def _add_policy(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = CSP


@asynccontextmanager
async def serving(carrier: FakeCarrier, port: int = 0) -> AsyncIterator[str]:
    """The fake on a free loopback port, or on this one again."""
    runner = web.AppRunner(carrier.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        carrier.drop()
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """One Chromium for all tests here; without one they are left out, loudly (see conftest.py)."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def carrier() -> FakeCarrier:
    """A carrier on which nothing has happened."""
    return FakeCarrier()


@asynccontextmanager
async def opened(
    browser: Browser, url: str, size: tuple[int, int] = WIDE, *, script: str = "", **options: Any
) -> AsyncIterator[Page]:
    """The page at this size; anything the browser complains about, the content policy above all, fails the test."""
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    if script:
        await page.add_init_script(script)
    await page.goto(url)
    await expect(page.locator(".phone")).to_have_count(len(SETUP["people"]) + len(SETUP["responders"]))
    yield page
    await context.close()
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def phone(page: Page, address: str) -> Locator:
    """The phone with this number or chat id."""
    return page.locator(f'.phone[data-phone="{address}"]')


def bubbles(page: Page, address: str) -> Locator:
    """What is written on this phone, oldest first."""
    return phone(page, address).locator(".bubble")


async def looking_on(page: Page) -> None:
    """Wait until the page has read the history: from now on it announces and measures."""
    await expect(page.locator(".feed[aria-live=polite]").first).to_be_attached()


def in_call(carrier: FakeCarrier, address: str, *, direction: str = "in", **gather: Any) -> None:
    """A call that was answered and now waits for keys or words."""
    carrier.call(address, "ringing", direction=direction)
    carrier.call(address, "in-progress", direction=direction)
    usual = {"input": ["dtmf", "speech"], "num_digits": 1, "finish_on_key": "#", "language": "en-US"}
    carrier.tell("gather", address, call="CA1", **{**usual, **gather})


def frightened_story(carrier: FakeCarrier) -> None:
    """Messages in two scripts on the left; two seconds later a page on the right, with one more on its way."""
    carrier.message(WORKER, "SM1", "Me tiene encerrada. Dice que me va a matar.", direction="out")
    carrier.later(2)
    carrier.message(WORKER, "SM2", "Una persona le va a escribir aquí muy pronto.")
    carrier.message(AMINA, "SM3", "Harborline: emergency, case 4F7K, Spanish. http://127.0.0.1:8081/cases/4F7K")
    carrier.message(CHAT, "7", "أخذوا أختي أمس", direction="out", channel="telegram")
    buttons = [[{"text": "نعم", "data": "safe:yes"}, {"text": "لا", "data": "safe:no"}]]
    carrier.message(CHAT, "8", "هل من الآمن أن نتحدث الآن؟", channel="telegram", buttons=buttons)
    carrier.message(BEN, "SM4", "Harborline: emergency, case 4F7K, Spanish.", status="sent")


# The picture --------------------------------------------------------------------------------------------------


async def test_a_frightened_message_on_the_left_is_followed_by_a_page_on_the_right(
    browser: Browser, carrier: FakeCarrier
) -> None:
    async with serving(carrier) as url, opened(browser, url) as page:
        await looking_on(page)
        await page.clock.set_fixed_time("2026-03-02T21:14:05Z")
        await phone(page, WORKER).get_by_role("button", name="Me tiene encerrada").click()
        text = "Me tiene encerrada. Dice que me va a matar."
        assert await carrier.posted("/phones/sms") == {"from": WORKER, "text": text}
        carrier.message(WORKER, "SM1", text, direction="out")
        await expect(bubbles(page, WORKER)).to_have_text(text)
        carrier.message(AMINA, "SM2", "Harborline: emergency, case 4F7K", status="sent")
        await expect(phone(page, AMINA).locator(".coming")).to_contain_text("on its way")
        await expect(page.locator("#wire .figure")).to_be_empty()  # sent is not reached
        await page.clock.set_fixed_time("2026-03-02T21:14:07Z")
        carrier.message(AMINA, "SM2", "Harborline: emergency, case 4F7K", status="delivered")
        await expect(phone(page, AMINA).locator(".later")).to_have_text("2.0 seconds later")
        sentence = re.compile(r"2\.0 seconds later\s+a page on Amina.s phone")
        await expect(page.get_by_role("status", name="From message to page")).to_have_text(sentence)
        await expect(bubbles(page, AMINA)).to_have_count(1)


async def test_the_history_claims_no_time_that_the_page_did_not_measure(browser: Browser, carrier: FakeCarrier) -> None:
    frightened_story(carrier)
    async with serving(carrier) as url, opened(browser, url) as page:
        await looking_on(page)
        carrier.message(BEN, "SM9", "Harborline: emergency")
        await expect(bubbles(page, BEN)).to_have_count(2)
        await expect(page.locator("#wire .figure")).to_be_empty()


@pytest.mark.parametrize("size", [TINY, (375, 700), NARROW, (1200, 800), WIDE, (1600, 1000)], ids=str)
async def test_every_width_shows_both_sides_without_scrolling_sideways(
    browser: Browser, carrier: FakeCarrier, size: tuple[int, int]
) -> None:
    frightened_story(carrier)
    in_call(carrier, CALLER, direction="out")
    carrier.call(BEN, "ringing", sid="CA2")
    async with serving(carrier) as url, opened(browser, url, size) as page:
        await expect(phone(page, AMINA).locator(".bubble")).to_be_visible()
        await expect(phone(page, WORKER).locator(".bubble").last).to_be_visible()
        shown = 5 if size[0] >= ALL_PHONES_FROM else 2
        await expect(page.locator(".phone:visible")).to_have_count(shown)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await page.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize("size", [TINY, WIDE], ids=str)
async def test_every_target_is_at_least_44_px(browser: Browser, carrier: FakeCarrier, size: tuple[int, int]) -> None:
    frightened_story(carrier)
    in_call(carrier, AMINA)
    carrier.call(BEN, "ringing", sid="CA2")
    async with serving(carrier) as url, opened(browser, url, size) as page:
        await expect(phone(page, AMINA).locator(".keypad")).to_be_visible()
        assert await page.evaluate(SMALL_TARGETS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_enough_contrast(browser: Browser, carrier: FakeCarrier, scheme: str) -> None:
    frightened_story(carrier)
    carrier.message(WORKER, "SM9", "lost", status="failed", error=30003)
    in_call(carrier, CALLER, direction="out")
    carrier.tell("say", CALLER, call="CA1", text="Is it safe to talk?", language="en-US", voice="x")
    async with serving(carrier) as url, opened(browser, url, color_scheme=scheme) as page:
        await expect(bubbles(page, CALLER)).to_have_count(1)
        assert await page.evaluate(LOW_CONTRAST) == []


async def test_nothing_moves_but_a_ringing_call(browser: Browser, carrier: FakeCarrier) -> None:
    frightened_story(carrier)
    running = "document.getAnimations().map((a) => a.effect.target.className)"
    async with serving(carrier) as url:
        async with opened(browser, url) as page:
            await expect(bubbles(page, AMINA)).to_have_count(1)
            assert await page.evaluate(running) == []
            carrier.call(BEN, "ringing")
            await expect(phone(page, BEN).locator(".bell")).to_be_visible()
            assert await page.evaluate(running) == ["bell"]
        async with opened(browser, url, reduced_motion="reduce") as page:
            await expect(phone(page, BEN).locator(".bell")).to_be_visible()
            assert await page.evaluate(running) == []


# Words --------------------------------------------------------------------------------------------------------


async def test_message_text_is_never_markup(browser: Browser, carrier: FakeCarrier) -> None:
    evil = "<img src=x onerror=alert(1)><b>bold</b> javascript:alert(1) http://a.example/<script>"
    button = [[{"text": "<i>yes</i>", "data": "x"}]]
    carrier.message(WORKER, "1", evil, direction="out")
    carrier.message(CHAT, "2", evil, channel="telegram", buttons=button)
    in_call(carrier, CALLER, direction="out")
    carrier.tell("say", CALLER, call="CA1", text=evil, language="en-US", voice="x")
    async with serving(carrier) as url, opened(browser, url) as page:
        for address in (WORKER, CHAT, CALLER):
            await expect(bubbles(page, address)).to_have_text(evil)
        assert await page.locator(".feed").locator("img, b, script, i").count() == 0
        links = await page.locator(".feed a").evaluate_all("all => all.map((a) => a.href)")
        assert links == ["http://a.example/"]


@pytest.mark.parametrize(
    ("text", "language", "direction"),
    [
        ("أخذوا أختي أمس", "ar", "rtl"),
        ("मेरी मदद करो", "hi", "ltr"),
        ("他把我锁在房间里", "zh", "ltr"),
        ("Jaldi madad karo", "", "ltr"),
    ],
)
async def test_a_message_has_its_own_direction_and_language(
    browser: Browser, carrier: FakeCarrier, text: str, language: str, direction: str
) -> None:
    carrier.message(WORKER, "1", text)
    async with serving(carrier) as url, opened(browser, url) as page:
        bubble = bubbles(page, WORKER)
        await expect(bubble).to_have_attribute("lang", language)
        await expect(bubble).to_have_css("direction", direction)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("queued", None, "queued"),
        ("sent", None, "on its way"),
        ("delivered", None, "delivered"),
        ("failed", 30003, "not delivered (30003)"),
    ],
)
async def test_a_status_is_a_word_and_a_shape(
    browser: Browser, carrier: FakeCarrier, status: str, error: int | None, words: str
) -> None:
    carrier.message(AMINA, "1", "page", status=status, error=error)
    async with serving(carrier) as url, opened(browser, url) as page:
        shown = phone(page, AMINA).locator(".status")
        await expect(shown).to_have_text(words)
        await expect(shown.locator("svg use")).to_have_count(1)


async def test_telegram_buttons_are_pressed_edited_and_erased(browser: Browser, carrier: FakeCarrier) -> None:
    frightened_story(carrier)
    async with serving(carrier) as url, opened(browser, url) as page:
        yes = phone(page, CHAT).get_by_role("button", name="نعم")
        await yes.click()
        expected = {"chat": CHAT, "message_id": "8", "data": "safe:yes"}
        assert await carrier.posted("/phones/telegram") == expected
        await expect(yes).to_have_attribute("aria-pressed", "true")
        carrier.message(CHAT, "8", "شكرا", channel="telegram")
        await expect(bubbles(page, CHAT).last).to_have_text("شكرا")
        await expect(phone(page, CHAT).locator(".meta").last).to_contain_text("edited")
        await expect(yes).to_have_count(0)
        carrier.tell("deleted", CHAT, id="7")
        carrier.tell("deleted", CHAT, id="8")
        await expect(bubbles(page, CHAT)).to_have_count(0)
        await expect(phone(page, CHAT).locator(".note")).to_have_text("2 messages erased from this phone")


async def test_writing_works_with_the_keyboard_alone(browser: Browser, carrier: FakeCarrier) -> None:
    async with serving(carrier) as url, opened(browser, url) as page:
        field = page.get_by_label("Reply from Amina")
        await field.press_sequentially("731")
        await field.press("Shift+Enter")
        await field.press_sequentially("ok")
        await field.press("Enter")
        assert await carrier.posted("/phones/sms") == {"from": AMINA, "text": "731\nok"}
        await expect(field).to_have_value("")
        await phone(page, AMINA).get_by_label("Reply by").select_option("telegram")
        await field.press_sequentially("here")
        await field.press("Enter")
        assert await carrier.posted("/phones/telegram") == {"chat": AMINA_CHAT, "text": "here"}


async def test_each_phone_of_a_person_offers_urgent_and_calm_stories_in_five_languages(
    browser: Browser, carrier: FakeCarrier
) -> None:
    async with serving(carrier) as url, opened(browser, url) as page:
        for address in (WORKER, CHAT, CALLER):
            box = phone(page, address).locator(".stories")
            urgent = await box.locator(".story:visible").all_text_contents()
            await box.get_by_role("button", name="Calm").click()
            calm = await box.locator(".story:visible").all_text_contents()
            languages = await box.locator(".story:visible").evaluate_all("all => all.map((b) => b.lang)")
            assert languages == ["en", "es", "ar", "hi-Latn", "zh"]
            assert len(urgent) == len(calm) == len(languages)
            assert not set(urgent) & set(calm)


async def test_incoming_messages_are_announced_but_history_is_not(browser: Browser, carrier: FakeCarrier) -> None:
    frightened_story(carrier)
    watch = """new MutationObserver((all) => all.forEach(({ target }) => {
      if (target.matches?.('.feed') && target.ariaLive === 'polite') (window.announced ??= []).push(target.innerText);
    })).observe(document, { childList: true, subtree: true });"""
    async with serving(carrier) as url, opened(browser, url, script=watch) as page:
        feed = phone(page, AMINA).get_by_role("log", name="Messages on Amina")
        await expect(feed).to_have_attribute("aria-live", "polite")
        assert await page.evaluate("window.announced ?? []") == []
        carrier.message(AMINA, "SM5", "Still on it?")
        await expect(bubbles(page, AMINA)).to_have_count(2)
        assert len(await page.evaluate("window.announced")) == 1


# Calls --------------------------------------------------------------------------------------------------------


async def test_a_call_is_placed_answered_with_keys_and_ended(browser: Browser, carrier: FakeCarrier) -> None:
    async with serving(carrier) as url, opened(browser, url) as page:
        mei = phone(page, CALLER)
        await mei.get_by_role("button", name="Call the line").click()
        assert await carrier.posted("/phones/call") == {"from": CALLER}
        in_call(carrier, CALLER, direction="out", input=["dtmf"])
        await expect(mei.get_by_label("Speak from Mei")).to_be_disabled()
        await mei.get_by_role("button", name="1", exact=True).click()
        assert await carrier.posted("/phones/call/CA1/digits") == {"digits": "1"}
        await expect(bubbles(page, CALLER)).to_have_text("1")
        await mei.get_by_role("button", name="Hang up").click()
        assert await carrier.posted("/phones/call/CA1/hangup") == {}
        carrier.call(CALLER, "completed", direction="out")
        await expect(mei.get_by_text("Call ended")).to_be_visible()
        await expect(mei.locator(".keypad")).to_be_hidden()


async def test_a_long_number_is_sent_whole(browser: Browser, carrier: FakeCarrier) -> None:
    in_call(carrier, CALLER, direction="out", num_digits=16)
    async with serving(carrier) as url, opened(browser, url) as page:
        keypad = phone(page, CALLER).locator(".keypad")
        await expect(keypad).to_be_visible()
        await keypad.get_by_role("button", name="1", exact=True).focus()
        await page.keyboard.type("123412341234123")
        await expect(phone(page, CALLER).locator(".hint")).to_have_text("123412341234123")
        assert carrier.posts == []
        await page.keyboard.type("4")
        assert await carrier.posted("/phones/call/CA1/digits") == {"digits": "1234123412341234"}


@pytest.mark.parametrize(("keys", "why"), [("42#", "the finishing key"), ("42", "a pause")])
async def test_a_number_of_unknown_length_ends_with(
    browser: Browser, carrier: FakeCarrier, keys: str, why: str
) -> None:
    in_call(carrier, CALLER, direction="out", num_digits=None)
    async with serving(carrier) as url, opened(browser, url) as page:
        await expect(phone(page, CALLER).locator(".keypad")).to_be_visible()
        await phone(page, CALLER).locator(".keypad button").first.focus()
        await page.keyboard.type(keys)
        assert await carrier.posted("/phones/call/CA1/digits") == {"digits": keys}, why


async def test_a_story_is_told_as_soon_as_the_line_listens(browser: Browser, carrier: FakeCarrier) -> None:
    async with serving(carrier) as url, opened(browser, url) as page:
        await looking_on(page)
        await phone(page, CALLER).get_by_role("button", name="He is hitting her").click()
        await carrier.posted("/phones/call")
        in_call(carrier, CALLER, direction="out")
        said = await carrier.posted("/phones/call/CA1/speech")
        assert said == {"text": "He is hitting her right now. Please send someone."}
        await expect(bubbles(page, CALLER)).to_have_text(said["text"])
        carrier.call(AMINA, "ringing", sid="CA2")
        await expect(page.locator("#wire .figure")).to_contain_text("seconds later")


SPEECH = """
window.spoken = [];
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
Object.defineProperty(window, 'speechSynthesis', { value: {
  getVoices: () => [{ lang: 'ar-EG' }, { lang: 'en-US' }],
  speak: (one) => window.spoken.push([one.text, one.voice.lang]),
  cancel: () => window.spoken.push('hush'),
} });"""


async def test_only_calls_of_this_page_are_read_aloud_and_mute_stops_them(
    browser: Browser, carrier: FakeCarrier
) -> None:
    async with serving(carrier) as url, opened(browser, url, script=SPEECH) as page:
        in_call(carrier, CALLER, direction="out")
        carrier.tell("say", CALLER, call="CA1", text="someone else's call", language="en-US", voice="x")
        carrier.call(AMINA, "ringing", sid="CA2")
        await phone(page, AMINA).get_by_role("button", name="Answer").click()
        assert await carrier.posted("/phones/call/CA2/answer") == {}
        carrier.call(AMINA, "in-progress", sid="CA2")
        carrier.tell("say", AMINA, call="CA2", text="طارئ", language="ar-SA", voice="x")
        await expect(bubbles(page, AMINA)).to_have_text("طارئ")
        assert await page.evaluate("spoken") == [["طارئ", "ar-EG"]]
        await phone(page, AMINA).get_by_role("switch", name="Read calls aloud").click()
        await expect(phone(page, CALLER).get_by_role("switch")).to_have_attribute("aria-checked", "false")
        carrier.tell("say", AMINA, call="CA2", text="again", language="en-US", voice="x")
        await expect(bubbles(page, AMINA)).to_have_count(2)
        assert await page.evaluate("spoken") == [["طارئ", "ar-EG"], "hush"]


async def test_a_missing_voice_is_admitted(browser: Browser, carrier: FakeCarrier) -> None:
    async with serving(carrier) as url, opened(browser, url, script=SPEECH) as page:
        await phone(page, CALLER).get_by_role("button", name="Call the line").click()
        await carrier.posted("/phones/call")
        in_call(carrier, CALLER, direction="out")
        carrier.tell("say", CALLER, call="CA1", text="这里很安全吗", language="zh-CN", voice="x")
        await expect(phone(page, CALLER).get_by_text("no voice for it")).to_be_visible()


async def test_two_people_whom_the_line_joins_can_talk(browser: Browser, carrier: FakeCarrier) -> None:
    in_call(carrier, AMINA, input=["dtmf"])
    async with serving(carrier) as url, opened(browser, url) as page:
        field = page.get_by_label("Reply from Amina")
        await expect(phone(page, AMINA).locator(".keypad")).to_be_visible()
        await expect(field).to_be_hidden()
        carrier.tell("connected", AMINA, call="CA1", other=SETUP["line"]["voice"])
        await field.fill("I am listening")
        await field.press("Enter")
        assert await carrier.posted("/phones/call/CA1/speech") == {"text": "I am listening"}
        carrier.tell("say", AMINA, call="CA1", text="thank you", language="", voice="person")
        await expect(bubbles(page, AMINA)).to_have_text(["I am listening", "thank you"])


async def test_a_ringing_call_can_be_declined_or_missed(browser: Browser, carrier: FakeCarrier) -> None:
    carrier.call(BEN, "ringing")
    async with serving(carrier) as url, opened(browser, url) as page:
        ben = phone(page, BEN)
        await ben.get_by_role("button", name="Decline").click()
        assert await carrier.posted("/phones/call/CA1/decline") == {}
        carrier.call(BEN, "busy")
        await expect(ben.get_by_role("button", name="Decline")).to_be_hidden()
        carrier.call(BEN, "ringing", sid="CA2")
        carrier.call(BEN, "no-answer", sid="CA2")
        await expect(ben.get_by_text("Missed call")).to_be_visible()


# Small screens ------------------------------------------------------------------------------------------------


async def test_a_small_screen_switches_phones_by_tabs_and_tells_of_news(browser: Browser, carrier: FakeCarrier) -> None:
    async with serving(carrier) as url, opened(browser, url, TINY) as page:
        await looking_on(page)
        carrier.message(BEN, "1", "Harborline: emergency")
        ben = page.get_by_role("tab", name="Ben")
        await expect(ben).to_contain_text("1 new")
        await page.get_by_role("tab", name="Amina").press("ArrowRight")
        await expect(ben).to_be_focused()
        await expect(ben).not_to_contain_text("new")
        await expect(page.get_by_role("tabpanel", name="Ben")).to_be_visible()
        await expect(phone(page, AMINA)).to_be_hidden()
        carrier.call(AMINA, "ringing")
        await expect(page.get_by_role("tab", name="Amina")).to_contain_text("rings")
        carrier.call(AMINA, "completed")
        await expect(page.get_by_role("tab", name="Amina")).not_to_contain_text("rings")


# When things go wrong -----------------------------------------------------------------------------------------


async def test_a_refused_message_stays_in_the_field(browser: Browser, carrier: FakeCarrier) -> None:
    carrier.refuse = 503
    async with serving(carrier) as url, opened(browser, url) as page:
        field = page.get_by_label("Message from Rosa")
        await field.fill("help")
        await field.press("Enter")
        await expect(phone(page, WORKER).get_by_role("alert")).to_contain_text("refused")
        await expect(field).to_have_value("help")
        carrier.refuse = 0
        await field.press("Enter")
        assert await carrier.posted("/phones/sms") == {"from": WORKER, "text": "help"}
        await expect(phone(page, WORKER).get_by_role("alert")).to_be_hidden()


async def test_words_that_the_call_did_not_take_are_not_in_the_transcript(
    browser: Browser, carrier: FakeCarrier
) -> None:
    in_call(carrier, CALLER, direction="out")
    carrier.refuse = 503
    async with serving(carrier) as url, opened(browser, url) as page:
        field = page.get_by_label("Speak from Mei")
        await field.fill("he is here")
        await field.press("Enter")
        await expect(phone(page, CALLER).get_by_role("alert")).to_be_visible()
        await expect(field).to_have_value("he is here")
        await expect(bubbles(page, CALLER)).to_have_count(0)


async def test_a_lost_connection_is_shown_and_comes_back_without_repeating(
    browser: Browser, carrier: FakeCarrier
) -> None:
    carrier.message(WORKER, "1", "before")
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(carrier))
        async with opened(browser, url) as page:
            await expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
            await page.get_by_label("Message from Rosa").fill("half a sent")
            await stack.aclose()
            await expect(page.get_by_role("alert").filter(has_text="No connection")).to_be_visible()
            await expect(page.locator("#link")).to_have_text("Not connected")
            carrier.message(WORKER, "2", "after")
            async with serving(carrier, int(url.rsplit(":", 1)[1])):
                await page.get_by_role("button", name="Try now").click()
                await expect(bubbles(page, WORKER)).to_have_text(["before", "after"])
                await expect(page.locator("#lost")).to_be_hidden()
                await expect(page.get_by_label("Message from Rosa")).to_have_value("half a sent")


async def test_a_demo_that_was_started_anew_starts_the_page_anew(browser: Browser, carrier: FakeCarrier) -> None:
    carrier.message(WORKER, "1", "the old demo")
    async with serving(carrier) as url, opened(browser, url) as page:
        await expect(bubbles(page, WORKER)).to_have_text("the old demo")
        carrier.events.clear()
        carrier.message(WORKER, "1", "the new demo")
        carrier.drop()
        await expect(bubbles(page, WORKER)).to_have_text(["the new demo"])


async def test_the_page_waits_for_a_demo_that_is_still_starting(browser: Browser, carrier: FakeCarrier) -> None:
    carrier.setup = {}
    async with serving(carrier) as url:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(url)
        await expect(page.get_by_role("alert").filter(has_text="No connection")).to_be_visible()
        carrier.setup = SETUP
        await expect(page.locator(".phone")).to_have_count(5)
        await expect(page.locator("#lost")).to_be_hidden()
        await expect(page.get_by_role("link", name="Staff console")).to_have_attribute("href", SETUP["console"])
        await context.close()


async def test_the_files_hold_nothing_inline_and_nothing_from_elsewhere() -> None:
    html, css = ((PAGE / name).read_text() for name in ("index.html", "phones.css"))
    js = "".join(path.read_text() for path in PAGE.glob("*.js"))
    assert not re.findall(r"\bstyle=|\bon\w+=|<style|<script(?! type=\"module\" src=\"phones\.js\")", html)
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", js)
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//|@import|url\(", html + css)
