"""Passkeys in a real Chromium with its virtual authenticator: added, used, and refused where they should be."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import unused_port
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.console_bench import PASSPHRASE, Bench, bench_on, cheap_stretching
from tests.test_console_browser import FLAGS

__all__ = ["cheap_stretching"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
SIGNS = """
async ([options, host]) => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const words = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=+$/, "");
  try {
    const made = await navigator.credentials.get({ publicKey: { challenge: bytes(options.challenge), rpId: host } });
    const response = {};
    for (const name of ["clientDataJSON", "authenticatorData", "signature"]) response[name] = words(made.response[name]);
    return { id: made.id, rawId: words(made.rawId), type: made.type, response };
  } catch (error) {
    return error.name;
  }
}
"""  # noqa: E501 - JavaScript reads best unbroken


@dataclass(slots=True, kw_only=True)
class Desk:
    """A console at an address with a name, a Chromium, and what went wrong in its pages."""

    bench: Bench
    browser: Browser
    address: str
    troubles: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def noor(self) -> AsyncIterator[Page]:
        """Noor at the door, with a security key in her machine."""
        context = await self.browser.new_context()
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: self.troubles.append(message.text) if message.type == "error" else None)
        devtools = await context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
        try:
            await page.goto(f"{self.address}/signin")
            yield page
        finally:
            await context.close()

    async def post(self, form: dict[str, str]) -> int:
        """Send the sign-in form from somewhere else; gives the status."""
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{self.address}/signin", data=form, allow_redirects=False) as answer,
        ):
            return answer.status

    async def options(self) -> dict[str, str]:
        """A challenge, as anybody gets it."""
        async with aiohttp.ClientSession() as client, client.get(f"{self.address}/signin/passkey") as answer:
            options: dict[str, str] = await answer.json()
            return options


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[None]:
    """An application on a port of this machine."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(chromium: str, database_url: str, tmp_path: Path, cheap_stretching: None) -> AsyncIterator[Desk]:
    """A served console; at the end no page may have complained, of the content policy least of all."""
    port = unused_port()
    address = f"http://localhost:{port}"
    async with bench_on(database_url, tmp_path / "ring") as bench, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        made = Desk(bench=bench, browser=browser, address=address)
        async with serving(bench.app(address=address), port):
            yield made
        await browser.close()
        assert bench.failures == []
    assert made.troubles == []


async def with_code(desk: Desk, page: Page) -> None:
    """Sign in with passphrase and code."""
    await page.get_by_label("Name").fill("Noor")
    await page.get_by_label("Passphrase").fill(PASSPHRASE)
    await page.get_by_label("Code from your authenticator").fill(desk.bench.totp("Noor"))
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    desk.bench.clock.later(seconds=30)


async def add(desk: Desk, page: Page, label: str = "blue key") -> None:
    """Add a passkey on the account page, and sign out."""
    await with_code(desk, page)
    await page.get_by_role("link", name="Noor").click()
    await page.get_by_text("Add a passkey", exact=True).click()
    await page.get_by_label("What you call it").fill(label)
    await page.locator("#new-passkey").get_by_label("Your passphrase").fill(PASSPHRASE)
    await page.get_by_role("button", name="Add it").click()
    await expect(page.get_by_role("status")).to_contain_text("The passkey was added.")
    await expect(page.get_by_text(label, exact=True)).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()


async def with_passkey(page: Page) -> None:
    """Fill in the form and use the key."""
    await page.get_by_label("Name").fill("Noor")
    await page.get_by_label("Passphrase").fill(PASSPHRASE)
    await page.get_by_role("button", name="Use a passkey instead").click()


async def test_a_passkey_is_added_and_takes_the_place_of_the_code(desk: Desk) -> None:
    async with desk.noor() as page:
        await add(desk, page)
        await with_passkey(page)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Queue")


async def test_what_the_browser_sent_once_lets_nobody_in_a_second_time(desk: Desk) -> None:
    sent: list[str] = []
    async with desk.noor() as page:
        await add(desk, page)
        page.on("request", lambda r: sent.append(r.post_data or "") if r.url.endswith("/signin") else None)
        await with_passkey(page)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    (form,) = [{name: values[0] for name, values in parse_qs(body).items()} for body in sent if body]
    assert json.loads(form["passkey"])["type"] == "public-key"
    assert await desk.post(form) == 403


async def test_an_answer_that_was_given_to_another_page_lets_nobody_in(desk: Desk) -> None:
    """The other page has the passphrase, a fresh challenge of ours and the person's touch; it lacks our address."""
    elsewhere = unused_port()

    async def lookalike(_: web.Request) -> web.Response:
        return web.Response(text="<title>Sign in</title>", content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", lookalike)])
    async with serving(app, elsewhere), desk.noor() as page:
        await add(desk, page)
        await page.goto(f"http://localhost:{elsewhere}/")
        stolen = await page.evaluate(SIGNS, [await desk.options(), "localhost"])
        assert isinstance(stolen, dict), stolen
        form = {"name": "Noor", "passphrase": PASSPHRASE, "passkey": json.dumps(stolen)}
        assert await desk.post(form) == 403
        await page.goto(f"http://127.0.0.1:{elsewhere}/")
        assert await page.evaluate(SIGNS, [await desk.options(), "localhost"]) == "SecurityError"
        await page.goto(f"{desk.address}/signin")
        ours = await page.evaluate(SIGNS, [await desk.options(), "localhost"])
        assert await desk.post(form | {"passkey": json.dumps(ours)}) == 303, "at our address the same key is good"
    desk.troubles.clear()  # the lookalike has no icon


async def test_a_key_that_was_never_added_is_refused_and_the_code_remains(desk: Desk) -> None:
    async with desk.noor() as page:
        await with_passkey(page)
        trouble = page.get_by_role("alert")
        await expect(trouble).to_contain_text("The passkey did not answer. Try again, or use the code")
        await with_code(desk, page)


async def test_without_javascript_the_code_remains_and_nothing_offers_a_passkey(desk: Desk) -> None:
    context = await desk.browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{desk.address}/signin")
    await expect(page.get_by_role("button", name="Use a passkey instead")).to_be_hidden()
    await with_code(desk, page)
    await page.goto(f"{desk.address}/account")
    await expect(page.get_by_text("Adding a passkey needs JavaScript")).to_be_visible()
    await expect(page.get_by_text("Add a passkey", exact=True)).to_be_hidden()
    await context.close()


async def test_cases_that_still_move_go_on_by_themselves(desk: Desk) -> None:
    for _ in range(3):
        await desk.bench.case("Hola")
    async with desk.noor() as page:
        await with_code(desk, page)
        cookie = next(c["value"] for c in await page.context.cookies() if c["name"] == "harborline")
        async with desk.bench.vault.unit() as unit:
            who = await unit.members.open(cookie)
            assert who is not None
            await unit.staffing.rotate(by=who)
        await page.goto(f"{desk.address}/team?done=moving")
        await expect(page.get_by_text("Every case is under the new key, and the old one is destroyed.")).to_be_visible()
