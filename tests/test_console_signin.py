"""Who gets into the staff console, for how long, and what everybody else is told."""

import pytest
from sqlalchemy import text

from console.session import Gate, local
from tests.console_bench import (
    Bench,
    Browser,
    bench,
    browser,
    browsing,
    cheap_stretching,
    field_of,
    noor,
    words_of,
)

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures


async def test_name_passphrase_and_code_open_the_queue(browser: Browser) -> None:
    answer = await browser.sign_in("noor ", totp=browser.bench.totp("Noor"))
    assert (answer.status, answer.headers["Location"]) == (303, "/queue")
    status, page = await browser.get("/queue")
    assert status == 200
    assert "Signed in as Noor" in words_of(page)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("Noor", {"passphrase": "not it"}),
        ("Noor", {"totp": "000000"}),
        ("Noor", {"totp": ""}),
        ("Noor", {"totp": "١٢٣٤٥٦"}),
        ("Noor", {"passphrase": ""}),
        ("Noor", {"passphrase": "x" * 5000}),
        ("Nobody", {"totp": "123456"}),
        ("\u0000", {"totp": "123456"}),
        ("", {"totp": "123456"}),
    ],
)
async def test_every_refusal_has_the_same_words(browser: Browser, name: str, wrong: dict[str, str]) -> None:
    plain = await (await browser.sign_in("Noor", passphrase="plainly wrong")).text()
    answer = await browser.sign_in(name, **wrong)
    assert answer.status == 403
    assert await answer.text() == plain
    assert "Set-Cookie" not in answer.headers


async def test_a_locked_name_is_refused_in_the_same_words_even_with_the_right_ones(browser: Browser) -> None:
    refused = [await browser.sign_in("Noor", passphrase="wrong") for _ in range(5)]
    locked = await browser.sign_in("Noor")
    assert locked.status == 403
    assert await locked.text() == await refused[0].text()
    browser.bench.clock.later(minutes=16)
    assert (await browser.sign_in("Noor")).status == 303


async def test_a_code_works_once(browser: Browser) -> None:
    code = browser.bench.totp("Noor")
    assert (await browser.sign_in("Noor", totp=code)).status == 303
    browser.bench.clock.later(seconds=-30)
    assert (await browser.sign_in("Noor", totp=code)).status == 403


async def test_a_code_may_be_typed_with_a_space(browser: Browser) -> None:
    code = browser.bench.totp("Noor")
    assert (await browser.sign_in("Noor", totp=f"{code[:3]} {code[3:]}")).status == 303


async def test_an_address_that_tries_too_often_has_to_wait(browser: Browser) -> None:
    for number in range(30):
        await browser.sign_in(f"guess {number}", totp="000000", passphrase="x" * 2000)
    answer = await browser.sign_in("Noor")
    assert answer.status == 429
    assert "Wait a quarter of an hour" in await answer.text()
    browser.bench.clock.later(minutes=16)
    assert (await browser.sign_in("Noor")).status == 303


async def test_the_memory_of_addresses_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.session._ADDRESSES", 3)
    gate = Gate(bench.clock)
    for number in range(10):
        assert gate.begin(_Remote(f"192.0.2.{number}"))  # type: ignore[arg-type]  # only .remote is read
    assert len(gate._strangers) == 3


class _Remote:
    def __init__(self, remote: str) -> None:
        self.remote = remote


async def test_signing_in_makes_a_new_session_and_ends_the_one_that_was_there(noor: Browser) -> None:
    before = noor.cookie
    assert (await noor.sign_in("Tomas")).status == 303
    assert noor.cookie
    assert noor.cookie != before
    noor.cookie = before
    assert (await noor.get("/queue"))[0] == 303


async def test_a_cookie_that_somebody_planted_is_not_taken_over(browser: Browser) -> None:
    browser.cookie = "ab" * 64
    assert (await browser.sign_in("Noor")).status == 303
    assert browser.cookie != "ab" * 64


@pytest.mark.parametrize("value", ["", "zz", "ab" * 63, "ab" * 64, "ab" * 5000, "é", '"', "00" * 64])
async def test_a_made_up_cookie_opens_nothing(browser: Browser, value: str) -> None:
    browser.cookie = value
    status, page = await browser.get("/queue")
    assert status == 303
    assert page == ""


async def test_half_of_a_cookie_is_worth_nothing(noor: Browser) -> None:
    noor.cookie = noor.cookie[:64] + "0" * 64
    assert (await noor.get("/queue"))[0] == 303


async def test_signing_out_ends_the_session_everywhere(noor: Browser) -> None:
    cookie, before = noor.cookie, await sessions(noor)
    answer = await noor.post("/signout", {"token": await noor.token()})
    assert (answer.status, answer.headers["Location"]) == (303, "/signin")
    assert 'harborline=""' in answer.headers["Set-Cookie"]
    noor.cookie = cookie
    assert (await noor.get("/queue"))[0] == 303
    assert await sessions(noor) == before - 1


async def sessions(somebody: Browser) -> int:
    async with somebody.bench.vault.unit() as unit:
        return int(await unit.transaction.connection.scalar(text("SELECT count(*) FROM sessions")) or 0)


async def test_nobody_else_can_sign_a_member_out(noor: Browser) -> None:
    answer = await noor.post("/signout", {"token": "0" * 64})
    assert answer.status == 303
    assert (await noor.get("/queue"))[0] == 200


async def test_a_session_rests_after_half_an_hour_however_often_the_screen_refreshes_itself(noor: Browser) -> None:
    for _ in range(3):
        noor.bench.clock.later(minutes=11)
        status, _ = await noor.get("/queue?part=1")
    assert status == 401
    assert (await noor.get("/queue"))[0] == 303


async def test_a_session_in_use_lasts(noor: Browser) -> None:
    for _ in range(3):
        noor.bench.clock.later(minutes=20)
        assert (await noor.get("/queue"))[0] == 200


async def test_the_cookie_is_out_of_reach_of_scripts_other_sites_and_plain_http(bench: Bench) -> None:
    async with browsing(bench, secure=True) as browser:
        cookie = (await browser.sign_in("Noor")).headers["Set-Cookie"]
    name, *attributes = [part.strip() for part in cookie.split(";")]
    assert name.startswith("__Host-harborline=")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"}


async def test_on_one_machine_without_tls_the_cookie_is_still_out_of_reach(browser: Browser) -> None:
    cookie = (await browser.sign_in("Noor")).headers["Set-Cookie"]
    assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "Path=/", "SameSite=Strict"}


@pytest.mark.parametrize(
    ("wish", "way"),
    [
        ("/cases/123456", "/cases/123456"),
        ("/queue?state=mine", "/queue?state=mine"),
        ("/oncall", "/oncall"),
        ("//evil.example", "/queue"),
        ("https://evil.example/queue", "/queue"),
        ("/\\evil.example", "/queue"),
        ("/queue\r\nSet-Cookie: a=b", "/queue"),
        ("/queue?x=%0d%0aSet-Cookie:a", "/queue"),
        ("javascript:alert(1)", "/queue"),
        ("/signout", "/queue"),
        ("/cases/123456/../../evil", "/queue"),
        ("/queue\n", "/queue"),
        ("", "/queue"),
    ],
)
async def test_signing_in_leads_only_to_our_own_pages(browser: Browser, wish: str, way: str) -> None:
    assert local(wish) == way
    answer = await browser.sign_in("Noor", next=wish)
    assert (answer.status, answer.headers["Location"]) == (303, way)
    given = [cookie.partition("=")[0] for cookie in answer.headers.getall("Set-Cookie")]
    assert given == ["harborline", "harborline-device"]


async def test_after_a_link_from_elsewhere_one_click_goes_on(browser: Browser) -> None:
    status, page = await browser.get("/signin?next=/cases/123456")
    assert status == 200
    assert '<a href="/cases/123456">' in page
    assert field_of(page, "next") == "/cases/123456"


async def test_whoever_is_not_signed_in_is_sent_to_the_door_and_back(browser: Browser) -> None:
    async with browser.client.get("/cases/123456", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/signin?next=/cases/123456")
