"""The staff console over real HTTP on a real database: what is refused, what is shown to all, what can be proved."""

import json
import re
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from yarl import URL

from console import words
from console.app import HEADERS
from console.refused import Refused
from console.routes import ROUTES
from tests.console_bench import (
    PASSPHRASE,
    Browser,
    bench,
    browser,
    browsing,
    cheap_stretching,
    field_of,
    noor,
    words_of,
)
from triage.alerts import AlertState
from triage.levels import Level
from triage.review import CaseState
from triage.rules import REASONS
from vault.audit import Line, verify
from vault.delivery import OutboxState
from vault.paging import PageState
from vault.unit import database_engine

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures


# Requests that are refused --------------------------------------------------------------------------------------------

FORMS = ["answer", "note", "assign", "release", "acknowledge", "raise", "close"]


@pytest.mark.parametrize("form", FORMS)
async def test_a_form_without_the_sessions_token_changes_nothing(noor: Browser, form: str) -> None:
    code = await noor.bench.case("Hola")
    before = await noor.bench.stored(code)
    for token in ({}, {"token": ""}, {"token": "0" * 64}, {"token": "é"}):
        answer = await noor.post(f"/cases/{code}/{form}", {**token, "text": "words", "level": "high"})
        assert answer.status == 403
        assert "words" in await answer.text()
    assert await noor.bench.stored(code) == before
    assert not noor.bench.actions.answers


async def test_a_token_of_another_session_does_not_fit(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    async with browsing(noor.bench) as other:
        await other.sign_in("Tomas")
        foreign = await other.token()
    answer = await noor.post(f"/cases/{code}/note", {"token": foreign, "text": "words"})
    assert answer.status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "same-origin", "Origin": "null"}, 303),
        ({}, 303),
    ],
)
async def test_a_form_from_another_site_is_refused(noor: Browser, headers: dict[str, str], status: int) -> None:
    code = await noor.bench.case("Hola")
    form = {"token": await noor.token(), "text": "words"}
    assert (await noor.post(f"/cases/{code}/note", form, **headers)).status == status


async def test_our_own_origin_is_known_by_the_host_that_was_asked(noor: Browser) -> None:
    url = noor.client.make_url("/")
    code = await noor.bench.case("Hola")
    form = {"token": await noor.token(), "text": "words"}
    answer = await noor.post(f"/cases/{code}/note", form, Origin=f"http://{url.host}:{url.port}")
    assert answer.status == 303


async def test_another_site_cannot_sign_anybody_in(browser: Browser) -> None:
    form = {"name": "Noor", "passphrase": PASSPHRASE, "totp": browser.bench.totp("Noor")}
    answer = await browser.post("/signin", form, Sec_Fetch_Site="cross-site")
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers


async def test_what_is_too_large_is_refused_calmly(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    answer = await noor.post(f"/cases/{code}/note", {"token": await noor.token(), "text": "x" * 70_000})
    assert answer.status == 413
    assert "Shorten the text" in await answer.text()
    assert noor.bench.failures == []


async def test_only_forms_are_read(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    for content_type in ("application/json", "multipart/form-data; boundary=x", "text/plain"):
        async with noor.client.post(
            f"/cases/{code}/note", data=b"{}", headers={"Content-Type": content_type}, allow_redirects=False
        ) as answer:
            assert answer.status == 415


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2f%2e%2e%2fpyproject.toml",
        "/static//etc/passwd",
        "/static/",
        "/static",
        "/cases/12345",
        "/cases/1234567",
        "/cases/%D9%A0%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5",
        "/cases/000000/../../audit",
        "/directory",
        "/statistics",
    ],
)
async def test_there_is_nothing_beside_the_pages(noor: Browser, path: str) -> None:
    url = noor.client.make_url("/")
    async with noor.client.session.get(URL(f"{url.origin()}{path}", encoded=True), allow_redirects=False) as answer:
        assert answer.status in {303, 403, 404}
        page = await answer.text()
    assert "import" not in page
    assert "[project]" not in page
    assert "root:" not in page


async def test_a_case_that_does_not_exist_says_so(noor: Browser) -> None:
    status, page = await noor.get("/cases/999999")
    assert status == 404
    assert "There is no case with this number." in words_of(page)


async def test_every_page_carries_the_headers_that_lock_it_down(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    paths = ["/signin", "/", "/queue", "/queue?part=1", f"/cases/{code}", f"/cases/{code}/close", "/oncall"]
    for path in [*paths, "/audit", "/audit.json", "/metrics", "/nothing", "/cases/999999", "/static/console.css"]:
        async with noor.client.get(path, allow_redirects=False) as answer:
            for name, value in HEADERS.items():
                assert answer.headers[name] == value, (path, name)
            kept = "no-cache" if path.startswith("/static/") else "no-store"
            assert answer.headers["Cache-Control"] == kept, path


async def test_no_page_has_a_script_or_a_style_inside_it(noor: Browser) -> None:
    code = await noor.bench.case("Hola", level=Level.EMERGENCY)
    await noor.bench.rings(code)
    for path in ["/signin", "/queue", f"/cases/{code}", f"/cases/{code}/close", "/oncall", "/audit", "/nothing"]:
        _, page = await noor.get(path)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", page), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page), path


async def test_an_error_of_our_own_is_told_calmly_counted_and_leaves_the_work_undone(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    noor.bench.actions.broken = RuntimeError("a word of the report")
    answer = await noor.act(code, "answer", text="Estamos aquí")
    page = await answer.text()
    assert answer.status == 500
    assert "a word of the report" not in page
    assert "Estamos aquí" in page
    assert noor.bench.failures == [("console.failed", "RuntimeError")]
    assert (await noor.bench.stored(code)).state is CaseState.OPEN
    assert 'refused_total{reason="broken"} 1' in (await noor.get("/metrics"))[1]


async def test_without_the_database_the_page_says_so_and_gives_the_text_back(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    form = {"token": await noor.token(), "text": "Estamos aquí"}
    there = noor.bench.vault.engine
    noor.bench.vault.engine = database_engine(f"postgresql://nobody@127.0.0.1:{unused_port()}/none")
    for path in ("/queue", f"/cases/{code}", "/oncall", "/audit"):
        status, page = await noor.get(path)
        assert status == 503
        assert "The database cannot be reached" in words_of(page)
    answer = await noor.post(f"/cases/{code}/answer", form)
    page = await answer.text()
    assert answer.status == 503
    assert "Estamos aquí" in page
    assert field_of(page, "token") == form["token"]
    await noor.bench.vault.engine.dispose()
    noor.bench.vault.engine = there
    assert (await noor.post(f"/cases/{code}/answer", form)).status == 303


async def test_a_session_that_ended_while_writing_gives_the_text_back(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    form = {"token": await noor.token(), "text": "Estamos aquí"}
    noor.bench.clock.later(minutes=31)
    answer = await noor.post(f"/cases/{code}/answer", form)
    page = await answer.text()
    assert answer.status == 401
    assert "Estamos aquí" in page
    assert "Nothing was sent" in page
    assert not noor.bench.actions.answers


# On call --------------------------------------------------------------------------------------------------------------


async def test_on_call_shows_who_rings_and_how_far_each_page_has_come(noor: Browser) -> None:
    await noor.bench.responder("Amina", "ar", "en")
    code = await noor.bench.case("secret words", level=Level.EMERGENCY, language="ar")
    await noor.bench.rings(code, needed=2)
    _, page = await noor.get("/oncall")
    shown = words_of(page)
    for expected in (f"Case {code}", "Emergency", "Ringing", "2 people needed", "nobody has acknowledged yet"):
        assert expected in shown
    assert "Amina Text message Being sent" in shown
    assert "Amina On duty Arabic, English Text message" in shown
    assert "+15550100901" not in page
    assert "secret" not in page


async def test_on_call_without_anybody_says_what_to_do(noor: Browser) -> None:
    shown = words_of((await noor.get("/oncall"))[1])
    assert "Nothing is ringing." in shown
    assert "Nobody can be paged. Add the first responder with harborline rota add" in shown


# Proof and counts -----------------------------------------------------------------------------------------------------


async def test_the_audit_page_names_who_did_what_and_says_that_the_chain_holds(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    await noor.act(code, "assign", member=await noor.member_id("Tomas"))
    shown = words_of((await noor.get("/audit"))[1])
    assert "The chain holds. All 3 lines fit together" in shown
    assert f"Noor Gave the case to somebody Case {code} to Tomas" in shown
    assert f"Noor Opened the case Case {code}" in shown


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE audit SET actor = 'system' WHERE number = 2",
        "UPDATE audit SET at = at + interval '1 minute' WHERE number = 2",
        "DELETE FROM audit WHERE number = 2",
        "UPDATE audit SET signature = '\\x00' WHERE number = 2",
    ],
)
async def test_a_changed_trail_is_named_by_its_first_wrong_line(noor: Browser, damage: str) -> None:
    code = await noor.bench.case("Hola")
    for _ in range(3):
        await noor.get(f"/cases/{code}")
    async with noor.bench.vault.unit() as unit:
        await unit.transaction.connection.execute(text(damage))
    status, page = await noor.get("/audit")
    assert status == 200
    assert "The chain does not fit at line 2." in words_of(page)


async def test_a_long_trail_is_checked_from_its_end_and_wholly_when_asked(
    noor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.trail._AT_ONCE", 3)
    monkeypatch.setattr("console.trail._CHUNK", 2)
    code = await noor.bench.case("Hola")
    for _ in range(6):
        await noor.get(f"/cases/{code}")
    assert "The newest 2 lines of 7 fit together." in words_of((await noor.get("/audit"))[1])
    assert "All 7 lines fit together" in words_of((await noor.get("/audit?check=all"))[1])
    async with noor.bench.vault.unit() as unit:
        await unit.transaction.connection.execute(text("UPDATE audit SET action = 'x' WHERE number = 3"))
    assert "does not fit at line 3" in words_of((await noor.get("/audit?check=all"))[1])


async def test_older_lines_are_one_step_away(noor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.trail._SHOWN", 2)
    code = await noor.bench.case("Hola")
    for _ in range(3):
        await noor.get(f"/cases/{code}")
    _, page = await noor.get("/audit")
    older = re.search(r'href="(/audit\?before=\d+)"', page)
    assert older
    assert re.findall(r'data-label="Line">(\d+)', (await noor.get(older[1]))[1]) == ["2", "1"]


async def test_the_export_is_all_an_outsider_needs(noor: Browser) -> None:
    code = await noor.bench.case("secret words")
    await noor.get(f"/cases/{code}")
    _, body = await noor.get("/audit.json")
    assert "secret" not in body
    exported = json.loads(body)
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(exported["public_key"]))
    lines = [Line.from_json(line) for line in exported["lines"]]
    assert verify(lines, key) == 3
    assert lines[-1].action == "audit.exported"


async def test_the_counts_need_no_sign_in_and_hold_nothing_but_counts(browser: Browser) -> None:
    await browser.bench.case("secret words")
    await browser.sign_in("Noor", passphrase="wrong")
    status, body = await browser.get("/metrics")
    assert status == 200
    for line in body.strip().splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) [a-z_ A-Z.]+|[a-z_]+(\{[a-z]+=\"[a-z0-9_A-Z]+\"\})? [0-9.]+", line), line
    assert 'harborline_console_refused_total{reason="signin"} 1' in body


# Words ----------------------------------------------------------------------------------------------------------------


def test_every_rule_of_triage_has_its_sentence() -> None:
    for rule, sentence in REASONS.items():
        assert words.reason(rule) == sentence


def test_every_state_has_words() -> None:
    for table, states in (
        (words.STATES, CaseState),
        (words.LEVELS, Level),
        (words.INTENSITY, Level),
        (words.DELIVERIES, OutboxState),
        (words.PAGES, PageState),
        (words.ALERTS, AlertState),
    ):
        assert set(table) == set(states)


def test_no_words_shout() -> None:
    templates = Path(words.__file__).parent / "templates"
    for path in sorted(templates.glob("*.html")):
        said = re.sub(r"<!doctype|<!--|\{%.*?%\}|\{\{.*?\}\}|!=", "", path.read_text(encoding="utf-8"))
        assert "!" not in said, path.name


def test_a_refusal_always_says_what_to_do() -> None:
    refused = Refused(400, "It broke.", next="Try again.")
    assert (refused.kept, refused.next, str(refused)) == ("Nothing was changed.", "Try again.", "400")


def test_every_address_stands_in_the_one_table() -> None:
    paths = {route.path for route in ROUTES if hasattr(route, "path")}
    assert {"/signin", "/queue", "/oncall", "/audit", "/metrics"} <= paths
