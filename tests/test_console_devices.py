"""Signing in while a stranger guesses: who signed in on a browser before is let in, and nobody gets more tries."""

from collections.abc import AsyncIterator, Callable
from http.cookies import SimpleCookie

import pytest

from tests.console_bench import Bench, Browser, bench, browser, browsing, cheap_stretching, noor
from vault.devices import KEPT_DAYS, Devices

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures

MARK = "harborline-device"
NAME_TRIES, BROWSER_TRIES, ADDRESS_TRIES = 5, 10, 30


@pytest.fixture
async def stranger(bench: Bench, noor: Browser) -> AsyncIterator[Browser]:
    """Somebody who knows Noor's name, on a browser of their own; by now Noor has signed out on hers."""
    await noor.post("/signout", {"token": await noor.token()})
    async with browsing(bench) as somebody:
        yield somebody


async def guess(who: Browser, times: int) -> list[int]:
    """Wrong passphrases; gives the statuses."""
    return [(await who.sign_in("Noor", passphrase="wrong", totp="000000")).status for _ in range(times)]


def keep(who: Browser, mark: str) -> None:
    """This browser has this mark."""
    who.client.session.cookie_jar.update_cookies({MARK: mark}, who.client.make_url("/"))


def mark_of(who: Browser) -> str:
    """The mark that this browser has."""
    return who.client.session.cookie_jar.filter_cookies(who.client.make_url("/"))[MARK].value


async def test_a_stranger_who_guesses_a_name_locks_out_strangers_only(noor: Browser, stranger: Browser) -> None:
    assert await guess(stranger, NAME_TRIES) == [403] * NAME_TRIES
    assert (await stranger.sign_in("Noor")).status == 403, "the name is closed to whoever never signed in there"
    assert (await noor.sign_in("Noor")).status == 303


async def test_also_a_stranger_behind_the_same_address_locks_out_strangers_only(
    noor: Browser, stranger: Browser
) -> None:
    """Behind a proxy all the world has one address."""
    assert (await guess(stranger, ADDRESS_TRIES + 1))[-1] == 429
    assert (await noor.sign_in("Noor")).status == 303
    assert (await guess(stranger, 1)) == [429], "a member's sign-in gives strangers no new tries"


async def test_a_members_sign_in_forgives_a_stranger_nothing(noor: Browser, stranger: Browser) -> None:
    await guess(stranger, NAME_TRIES)
    assert (await noor.sign_in("Noor")).status == 303
    assert (await stranger.sign_in("Noor")).status == 403


async def test_the_browser_of_a_member_has_few_tries_too_and_then_counts_as_a_stranger(noor: Browser) -> None:
    assert await guess(noor, BROWSER_TRIES + NAME_TRIES) == [403] * (BROWSER_TRIES + NAME_TRIES)
    assert (await noor.sign_in("Noor")).status == 403
    noor.bench.clock.later(minutes=16)
    assert (await noor.sign_in("Noor")).status == 303


async def test_a_member_who_mistypes_on_their_own_browser_closes_the_name_for_nobody(
    noor: Browser, stranger: Browser
) -> None:
    await guess(noor, NAME_TRIES + 1)
    assert (await stranger.sign_in("Noor")).status == 303


async def test_a_mark_is_worth_nothing_for_another_name(noor: Browser, stranger: Browser) -> None:
    await guess(stranger, NAME_TRIES)
    async with browsing(noor.bench) as tomas:
        assert (await tomas.sign_in("Tomas")).status == 303
        assert (await tomas.sign_in("Noor")).status == 403


@pytest.mark.parametrize("change", [lambda mark: mark[:-1] + "fe"[mark[-1] == "f"], lambda _: "", lambda _: "zz" * 52])
async def test_a_mark_that_was_changed_or_made_up_is_worth_nothing(
    noor: Browser, stranger: Browser, change: Callable[[str], str]
) -> None:
    keep(stranger, change(mark_of(noor)))
    await guess(stranger, NAME_TRIES)
    assert (await stranger.sign_in("Noor")).status == 403


async def test_signing_in_again_gives_a_browser_no_second_number(noor: Browser) -> None:
    """Or old marks, one of each day, would add up to many tries."""
    devices = Devices(noor.bench.vault.ring, noor.bench.clock())
    before = devices.known(mark_of(noor), "noor ")
    noor.bench.clock.later(days=20)
    assert (await noor.sign_in("Noor")).status == 303
    after = Devices(noor.bench.vault.ring, noor.bench.clock()).known(mark_of(noor), "Noor")
    assert before is not None
    assert before == after


async def test_a_mark_is_forgotten_after_half_a_year_without_a_sign_in(noor: Browser) -> None:
    mark = mark_of(noor)
    noor.bench.clock.later(days=KEPT_DAYS)
    assert Devices(noor.bench.vault.ring, noor.bench.clock()).known(mark, "Noor")
    noor.bench.clock.later(days=1)
    assert Devices(noor.bench.vault.ring, noor.bench.clock()).known(mark, "Noor") is None


async def test_the_mark_names_nobody_opens_nothing_and_stays_out_of_reach(bench: Bench) -> None:
    async with browsing(bench, secure=True) as secure:
        answer = await secure.sign_in("Noor")
    jar = SimpleCookie()
    for header in answer.headers.getall("Set-Cookie"):
        jar.load(header)
    mark = jar["__Host-harborline-device"]
    assert (mark["httponly"], mark["secure"], mark["samesite"], mark["path"]) == (True, True, "Strict", "/")
    assert "noor" not in bytes.fromhex(mark.value).decode("latin-1").casefold()
    async with browsing(bench) as thief:
        keep(thief, mark.value)
        thief.client.session.cookie_jar.update_cookies({"harborline": mark.value}, thief.client.make_url("/"))
        assert (await thief.get("/queue"))[0] == 303
