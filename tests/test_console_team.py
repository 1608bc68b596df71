"""The team in the console: who is let in, let in again and taken out, one's own keys, and who may not do what."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pyotp
import pytest

from console.setup import Setup
from tests.authenticator import SoftPasskey
from tests.console_bench import (
    PASSPHRASE,
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
from triage.policy import TriagePolicy
from triage.review import CaseState
from triage.rota import Rota
from vault.passkeys import Site
from vault.unit import Unit

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures

OWN = "a passphrase of their own"
ADDRESS = "https://desk.example.org"


@pytest.fixture
async def tomas(bench: Bench) -> AsyncIterator[Browser]:
    """Tomas, a reviewer, signed in."""
    async with browsing(bench) as somebody:
        assert (await somebody.sign_in("Tomas")).status == 303
        yield somebody


async def send(who: Browser, path: str, **fields: str) -> tuple[int, str, str]:
    """Send a form of this session: status, where it leads, what it says."""
    answer = await who.post(path, {"token": await who.token(), **fields})
    return answer.status, answer.headers.get("Location", ""), await answer.text()


def one_time(page: str) -> str:
    """The passphrase that a page shows once."""
    found = re.search(r'<p class="secret"><code>([a-z2-9-]{24})</code>', page)
    assert found, words_of(page)
    return found[1]


async def settle(who: Browser, name: str, passphrase: str, **other: str) -> tuple[int, str]:
    """The first sign-in, and the form that follows it."""
    answer = await who.sign_in(name, passphrase=passphrase, totp="")
    assert (answer.status, answer.headers["Location"]) == (303, "/begin")
    status, page = await who.get("/begin")
    assert status == 200
    seed = "".join(field_of(page, "seed").split())
    form = {
        "token": field_of(page, "token"),
        "seed": seed,
        "new": OWN,
        "again": OWN,
        "totp": pyotp.TOTP(seed).at(who.bench.clock.now),
        **other,
    }
    answer = await who.post("/begin", form)
    if answer.status == 303:
        who.bench.seeds[name] = seed
        who.bench.clock.later(seconds=30)
    return answer.status, await answer.text()


# Letting in -------------------------------------------------------------------------------------------------------


async def test_a_supervisor_lets_somebody_in_and_they_choose_their_own_passphrase(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    status, _, page = await send(noor, "/team", name="Yusuf", role="reviewer")
    assert status == 200
    async with browsing(noor.bench) as yusuf:
        assert (await settle(yusuf, "Yusuf", one_time(page)))[0] == 303
        status, page = await yusuf.get(f"/cases/{code}")
        assert (status, "Hola" in page) == (200, True)
        status, page = await yusuf.get("/account?done=settled")
        assert "only your own passphrase opens your keys" in words_of(page)
    async with browsing(noor.bench) as again:
        assert (await again.sign_in("Yusuf", passphrase=OWN)).status == 303


async def test_a_one_time_passphrase_opens_no_page_but_the_first(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    _, _, page = await send(noor, "/team", name="Yusuf", role="supervisor")
    async with browsing(noor.bench) as yusuf:
        await yusuf.sign_in("Yusuf", passphrase=one_time(page), totp="")
        _, begin = await yusuf.get("/begin")
        token = field_of(begin, "token")
        for path in ("/queue", f"/cases/{code}", "/team", "/account", "/audit", "/oncall", "/audit.json"):
            assert (await yusuf.get(path))[0] == 303, path
        for path in ("/team", "/account/passphrase", f"/cases/{code}/note", "/team/rotate", "/account/passkeys"):
            answer = await yusuf.post(path, {"token": token, "name": "x", "role": "supervisor", "text": "words"})
            assert answer.status in {401, 404}, path


async def test_the_first_page_is_for_whoever_was_invited_and_nobody_else(noor: Browser, browser: Browser) -> None:
    assert (await noor.get("/begin"))[0] == 303
    async with browsing(noor.bench) as nobody:
        assert (await nobody.get("/begin"))[0] == 303


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"totp": "000000"}, "The code does not fit"),
        ({"again": "something else entirely"}, "are not the same"),
        ({"new": "short", "again": "short"}, "too short"),
    ],
)
async def test_a_mistake_on_the_first_page_keeps_the_seed_and_says_what(
    noor: Browser, wrong: dict[str, str], told: str
) -> None:
    _, _, page = await send(noor, "/team", name="Yusuf", role="reviewer")
    async with browsing(noor.bench) as yusuf:
        status, page = await settle(yusuf, "Yusuf", one_time(page), **wrong)
        assert status == 403
        assert told in words_of(page)
        seed = "".join(field_of(page, "seed").split())
        good = pyotp.TOTP(seed).at(noor.bench.clock.now)
        form = {"token": field_of(page, "token"), "seed": seed, "new": OWN, "again": OWN, "totp": good}
        assert (await yusuf.post("/begin", form)).status == 303


@pytest.mark.parametrize("seed", ["", "A", "A" * 31, "a" * 32, "0" * 32, "A" * 33, "é" * 32])
async def test_a_seed_that_is_not_ours_is_refused(noor: Browser, seed: str) -> None:
    status, _, _ = await send(noor, "/account/authenticator", seed=seed, passphrase=PASSPHRASE, totp="123456")
    assert status == 400


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\nb", "Tomas", "NOOR"])
async def test_a_name_that_cannot_be_used_lets_nobody_in(noor: Browser, name: str) -> None:
    status, _, page = await send(noor, "/team", name=name, role="reviewer")
    assert status in {400, 409}
    assert "secret" not in page


# Who may ----------------------------------------------------------------------------------------------------------


async def test_a_reviewer_sees_who_is_in_and_decides_nothing(tomas: Browser) -> None:
    status, page = await tomas.get("/team")
    assert status == 200
    assert "Noor" in page
    assert 'action="/team"' not in page
    theirs, mine = await tomas.member_id("Noor"), await tomas.member_id("Tomas")
    for path in (f"/team/{theirs}", f"/team/{theirs}/remove", f"/team/{theirs}/reset"):
        assert (await tomas.get(path))[0] == 403, path
    before = await tomas.bench.audit()
    for path, fields in (
        ("/team", {"name": "Friend", "role": "supervisor"}),
        ("/team/rotate", {}),
        (f"/team/{theirs}/remove", {}),
        (f"/team/{theirs}/reset", {}),
        (f"/team/{theirs}/role", {"role": "reviewer"}),
        (f"/team/{mine}/role", {"role": "supervisor"}),
    ):
        status, _, page = await send(tomas, path, **fields)
        assert (status, "Only a supervisor" in page) == (403, True), path
    assert await tomas.bench.audit() == before


async def test_without_the_sessions_token_nobody_is_decided_about(noor: Browser) -> None:
    member = await noor.member_id("Tomas")
    before = await noor.bench.audit()
    for path in (
        *("/team", "/team/rotate", "/team/regrant", f"/team/{member}/remove", f"/team/{member}/reset"),
        *(f"/team/{member}/role", "/account/passphrase", "/account/authenticator", "/account/passkeys"),
        *("/account/passkeys/options", "/account/passkeys/only", f"/account/passkeys/{member}/remove"),
    ):
        for token in ({}, {"token": "0" * 64}):
            assert (await noor.post(path, {**token, "name": "x", "role": "supervisor"})).status == 403, path
        answer = await noor.post(path, {"token": await noor.token()}, Sec_Fetch_Site="cross-site")
        assert answer.status == 403, path
    assert await noor.bench.audit() == before


async def test_the_last_supervisor_stays_one_and_cannot_take_themselves_out(noor: Browser) -> None:
    me = await noor.member_id("Noor")
    status, _, page = await send(noor, f"/team/{me}/role", role="reviewer")
    assert (status, "last supervisor" in page) == (409, True)
    for what in ("remove", "reset"):
        assert (await send(noor, f"/team/{me}/{what}"))[0] == 403
    assert (await noor.get("/team"))[0] == 200


async def test_a_role_counts_from_the_next_request_on(noor: Browser, tomas: Browser) -> None:
    member = await noor.member_id("Tomas")
    assert (await send(noor, f"/team/{member}/role", role="supervisor"))[:2] == (303, "/team?done=role")
    assert (await tomas.get(f"/team/{member}"))[0] == 200
    assert (await send(noor, f"/team/{member}/role", role="reviewer"))[0] == 303
    assert (await tomas.get(f"/team/{member}"))[0] == 403


@pytest.mark.parametrize("member", ["00000000-0000-0000-0000-000000000000", "x", "0" * 36])
async def test_a_member_who_is_not_there_is_said_to_be_missing(noor: Browser, member: str) -> None:
    assert (await noor.get(f"/team/{member}"))[0] == 404
    assert (await send(noor, f"/team/{member}/remove"))[0] == 404


# Taking out, letting in again -------------------------------------------------------------------------------------


async def test_who_is_taken_out_is_signed_out_at_once_and_the_cases_move(noor: Browser, tomas: Browser) -> None:
    codes = [await noor.bench.case(f"Hola {n}", state=CaseState.CLOSED if n else CaseState.OPEN) for n in range(3)]
    member = await noor.member_id("Tomas")
    status, page = await noor.get(f"/team/{member}/remove")
    assert (status, "Take Tomas out?" in words_of(page)) == (200, True)
    status, where, _ = await send(noor, f"/team/{member}/remove")
    assert (status, where) == (303, "/team?done=removed")
    assert (await tomas.get("/queue"))[0] == 303
    assert (await tomas.sign_in("Tomas")).status == 403
    _, page = await noor.get(where)
    assert "They are out" in words_of(page)
    assert "still to move" not in words_of(page)
    for n, code in enumerate(codes):
        assert f"Hola {n}" in (await noor.get(f"/cases/{code}"))[1]
    actions = [action for _, action, _ in await noor.bench.audit()]
    assert actions[-6:-3] == ["member.removed", "team.rotated", "team.regranted"]
    assert "Tomas" in (await noor.get("/audit"))[1]


async def test_moving_that_stopped_is_shown_to_everybody_and_goes_on_from_the_page(
    noor: Browser, tomas: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [await noor.bench.case("Hola") for _ in range(3)]
    async with noor.bench.vault.unit() as unit:
        who = await unit.members.open(noor.cookie)
        assert who is not None
        await unit.staffing.rotate(by=who)  # and then its process died
    for somebody in (noor, tomas):
        _, page = await somebody.get("/team")
        assert "3 cases still to move" in words_of(page)
        assert (await somebody.get(f"/cases/{codes[0]}"))[0] == 200
    monkeypatch.setattr("console.team._BUDGET", -1.0)
    assert (await send(tomas, "/team/regrant"))[1] == "/team?done=moving"
    monkeypatch.setattr("console.team._BUDGET", 60.0)
    assert (await send(tomas, "/team/regrant"))[1] == "/team?done=moved"
    _, page = await noor.get("/team?done=moved")
    assert "the old one is destroyed" in words_of(page)


async def test_who_lost_everything_is_let_in_again(noor: Browser, tomas: Browser) -> None:
    code, member = await noor.bench.case("Hola"), await noor.member_id("Tomas")
    status, page = await noor.get(f"/team/{member}/reset")
    assert (status, "whoever has it becomes them" in words_of(page)) == (200, True)
    _, _, page = await send(noor, f"/team/{member}/reset")
    assert (await tomas.get("/queue"))[0] == 303
    assert (await tomas.sign_in("Tomas")).status == 403, "the old passphrase is gone"
    assert (await settle(tomas, "Tomas", one_time(page)))[0] == 303
    assert "Hola" in (await tomas.get(f"/cases/{code}"))[1]


# One's own keys ---------------------------------------------------------------------------------------------------


async def test_a_stolen_cookie_stops_working_when_the_passphrase_is_changed(noor: Browser) -> None:
    stolen = noor.cookie
    status, where, _ = await send(noor, "/account/passphrase", passphrase=PASSPHRASE, new=OWN, again=OWN)
    assert (status, where) == (303, "/account?done=passphrase")
    mine = noor.cookie
    assert mine != stolen
    assert "is in force" in words_of((await noor.get(where))[1])
    noor.cookie = stolen
    for path in ("/queue", "/account", "/team"):
        assert (await noor.get(path))[0] == 303
    assert (await noor.sign_in("Noor")).status == 403
    assert (await noor.sign_in("Noor", passphrase=OWN)).status == 303


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"passphrase": "wrong", "new": OWN, "again": OWN}, "Your passphrase was not right"),
        ({"passphrase": PASSPHRASE, "new": OWN, "again": OWN + "x"}, "are not the same"),
        ({"passphrase": PASSPHRASE, "new": "short", "again": "short"}, "too short"),
        ({"passphrase": PASSPHRASE, "new": "", "again": ""}, "too short"),
        ({}, "too short"),
    ],
)
async def test_a_passphrase_is_changed_only_by_whoever_knows_it(
    noor: Browser, fields: dict[str, str], told: str
) -> None:
    status, _, page = await send(noor, "/account/passphrase", **fields)
    assert (status, told in words_of(page)) == (403, True)
    for secret in {PASSPHRASE, OWN} & {*fields.values()}:
        assert secret not in page
    assert (await noor.sign_in("Noor")).status == 303


async def test_guessing_the_passphrase_from_inside_closes_the_door_too(noor: Browser) -> None:
    for _ in range(5):
        await send(noor, "/account/passphrase", passphrase="wrong", new=OWN, again=OWN)
    status, _, page = await send(noor, "/account/passphrase", passphrase=PASSPHRASE, new=OWN, again=OWN)
    assert (status, "Wait a quarter of an hour" in page) == (403, True)


async def test_another_authenticator_counts_from_then_on(noor: Browser) -> None:
    _, page = await noor.get("/account")
    seed = "".join(field_of(page, "seed").split())
    assert f"secret={seed}&amp;issuer=Open%20Door" in page
    good = pyotp.TOTP(seed).at(noor.bench.clock.now)
    status, _, page = await send(noor, "/account/authenticator", seed=seed, passphrase=PASSPHRASE, totp="000000")
    assert (status, "".join(field_of(page, "seed").split())) == (403, seed)
    stolen = noor.cookie
    status, where, _ = await send(noor, "/account/authenticator", seed=seed, passphrase=PASSPHRASE, totp=good)
    assert (status, where) == (303, "/account?done=authenticator")
    noor.cookie = stolen
    assert (await noor.get("/queue"))[0] == 303
    noor.bench.clock.later(seconds=30)
    assert (await noor.sign_in("Noor")).status == 403
    noor.bench.seeds["Noor"] = seed
    assert (await noor.sign_in("Noor")).status == 303


# Passkeys ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def at_an_address(bench: Bench) -> AsyncIterator[tuple[Browser, SoftPasskey]]:
    """Noor at a console with a name, where passkeys work, with a key that she has added."""
    async with browsing(bench, address=ADDRESS) as somebody:
        await somebody.sign_in("Noor")
        device = SoftPasskey(origin=ADDRESS, host="desk.example.org")
        _, _, options = await send(somebody, "/account/passkeys/options")
        made = device.makes(options)
        status, where, _ = await send(
            somebody, "/account/passkeys", label="blue key", passphrase=PASSPHRASE, passkey=made
        )
        assert (status, where) == (303, "/account?done=passkey")
        yield somebody, device


async def challenge(who: Browser) -> str:
    status, options = await who.get("/signin/passkey")
    assert status == 200
    return options


async def test_passphrase_and_passkey_open_the_queue(bench: Bench) -> None:
    async with at_an_address(bench) as (noor, device):
        assert "blue key" in (await noor.get("/account"))[1]
        answer = await noor.sign_in("Noor", totp="", passkey=device.signs(await challenge(noor)))
        assert (answer.status, answer.headers["Location"]) == (303, "/queue")
        assert "Passkey or code" in words_of((await noor.get("/team"))[1])


async def test_a_wrong_passkey_is_told_as_everything_wrong_is(bench: Bench) -> None:
    async with at_an_address(bench) as (noor, device):
        plain = await (await noor.sign_in("Noor", passphrase="wrong")).text()
        good = device.signs(await challenge(noor))
        for passkey in (
            device.signs(await challenge(noor), origin="https://desk.example.org.evil.example"),
            "no json",
            "x" * 9000,
        ):
            answer = await noor.sign_in("Noor", totp="", passkey=passkey)
            assert (answer.status, await answer.text()) == (403, plain)
        assert (await noor.sign_in("Noor", totp="", passkey=good)).status == 303
        assert (await noor.sign_in("Noor", totp="", passkey=good)).status == 403


async def test_only_passkeys_count_for_whoever_wants_that(bench: Bench) -> None:
    async with at_an_address(bench) as (noor, device):
        status, where, _ = await send(noor, "/account/passkeys/only", only="yes", passphrase=PASSPHRASE)
        assert (status, where) == (303, "/account?done=only")
        assert (await noor.sign_in("Noor")).status == 403
        assert (await noor.sign_in("Noor", totp="", passkey=device.signs(await challenge(noor)))).status == 303
        status, where, _ = await send(noor, "/account/passkeys/only", only="no", passphrase=PASSPHRASE)
        assert where == "/account?done=codes"
        assert (await noor.sign_in("Noor")).status == 303


async def test_a_passkey_is_removed_with_the_passphrase_only(bench: Bench) -> None:
    async with at_an_address(bench) as (noor, device):
        _, page = await noor.get("/account")
        found = re.search(r'action="(/account/passkeys/[0-9a-f-]{36}/remove)"', page)
        assert found
        assert (await send(noor, found[1], passphrase="wrong"))[0] == 403
        assert (await send(noor, found[1], passphrase=PASSPHRASE))[1] == "/account?done=removed"
        status, _, page = await send(noor, found[1], passphrase=PASSPHRASE)
        assert (status, "gone already" in page) == (403, True)
        answer = await noor.sign_in("Noor", totp="", passkey=device.signs(await challenge(noor)))
        assert answer.status == 403


async def test_where_there_is_no_address_there_are_no_passkeys_and_the_page_says_why(noor: Browser) -> None:
    assert (await noor.get("/signin/passkey"))[0] == 404
    assert (await send(noor, "/account/passkeys/options"))[0] == 404
    status, page = await noor.get("/account")
    assert (status, "CONSOLE_URL" in page) == (200, True)
    async with browsing(noor.bench) as nobody:
        assert "passkey.js" not in (await nobody.get("/signin"))[1]


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("https://desk.example.org", ("desk.example.org", "https://desk.example.org")),
        ("https://desk.example.org:443", ("desk.example.org", "https://desk.example.org")),
        ("https://Desk.Example.org:8443/x", ("desk.example.org", "https://desk.example.org:8443")),
        ("http://localhost:8081", ("localhost", "http://localhost:8081")),
        ("http://desk.example.org", None),
        ("http://127.0.0.1:8081", None),
        ("https://127.0.0.1", None),
        ("https://[::1]:8081", None),
        ("", None),
    ],
)
def test_passkeys_are_bound_to_the_address_that_staff_open(address: str, site: tuple[str, str] | None) -> None:
    async def rota(_unit: Unit) -> Rota:
        return Rota()

    setup = Setup(line_name="Open Door", languages={}, policy=TriagePolicy(), rota=rota, address=address)
    assert setup.site == (Site(host=site[0], origin=site[1], name="Open Door") if site else None)
