"""The queue: what comes first, what a row says and does not say, and how a change reaches every screen."""

import re

import pytest
from sqlalchemy import text

from tests.console_bench import (
    Browser,
    bench,
    browser,
    cheap_stretching,
    noor,
    words_of,
)
from triage.levels import Level
from triage.review import CaseState
from triage.rules import REASONS
from vault.cases import Entry, EntryKind, Reason

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures


async def codes_of(browser: Browser, path: str = "/queue") -> list[str]:
    return re.findall(r'id="case-(\d{6})"', (await browser.get(path))[1])


async def test_the_most_urgent_comes_first_and_among_equals_what_waited_longest(noor: Browser) -> None:
    bench = noor.bench
    first = await bench.case("a", level=Level.STANDARD)
    bench.clock.later(minutes=10)
    second = await bench.case("b", level=Level.STANDARD)
    question = await bench.case("c", level=Level.INFORMATION)
    high = await bench.case("d", level=Level.HIGH, state=CaseState.DRAFT)
    emergency = await bench.case("e", level=Level.EMERGENCY)
    life = await bench.case("f", level=Level.EMERGENCY, life=True)
    assert await codes_of(noor) == [life, emergency, high, first, second, question]


async def test_a_row_says_how_bad_how_old_in_which_language_and_why(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("secret words", level=Level.HIGH, rules=("locked_in", "threat"), words="secret words")
    bench.clock.later(minutes=12)
    page = (await noor.get("/queue"))[1]
    shown = words_of(page)
    for expected in (f"Case {code}", "High", "12 min old", "47 min left", "Spanish", "Text message", "Nobody has it"):
        assert expected in shown
    assert REASONS["locked_in"] in shown
    assert REASONS["threat"] in shown
    assert "secret" not in page


async def test_a_case_past_its_target_says_by_how_much(noor: Browser) -> None:
    await noor.bench.case("a", level=Level.EMERGENCY)
    noor.bench.clock.later(minutes=10)
    assert "7 min past its target" in words_of((await noor.get("/queue"))[1])


async def test_the_newest_reasons_count(noor: Browser) -> None:
    code = await noor.bench.case("a", rules=("unpaid",))
    async with noor.bench.vault.unit() as unit:
        case = await unit.cases.by_code(code)
        reason = Reason(rule="a_rule_of_tomorrow", level="high")
        await unit.cases.add(case, Entry(kind=EntryKind.REASONS, reasons=(reason,)))
    shown = words_of((await noor.get("/queue"))[1])
    assert "A rule of tomorrow." in shown
    assert REASONS["unpaid"] not in shown


async def test_one_damaged_case_does_not_hide_the_others(noor: Browser) -> None:
    broken = await noor.bench.case("a", level=Level.EMERGENCY)
    whole = await noor.bench.case("b", rules=("debt",))
    case = await noor.bench.stored(broken)
    async with noor.bench.vault.unit() as unit:
        await unit.transaction.connection.execute(
            text("UPDATE entries SET sealed = sealed || '\\x00' WHERE case_id = :id"), {"id": case.id}
        )
    assert await codes_of(noor) == [broken, whole]
    status, page = await noor.get(f"/cases/{broken}")
    assert status == 403
    assert "does not open with your keys" in words_of(page)


async def test_tabs_show_what_they_say(noor: Browser) -> None:
    bench = noor.bench
    new = await bench.case("a")
    mine = await bench.case("b")
    answered = await bench.case("c", state=CaseState.ANSWERED)
    closed = await bench.case("d", state=CaseState.CLOSED)
    me = re.search(r'name="member" value="([^"]+)"', (await noor.get(f"/cases/{mine}"))[1])
    assert me
    await noor.act(mine, "assign", member=me[1])
    assert set(await codes_of(noor)) == {new, mine}
    assert await codes_of(noor, "/queue?state=mine") == [mine]
    assert await codes_of(noor, "/queue?state=answered") == [answered]
    assert await codes_of(noor, "/queue?state=closed") == [closed]
    assert set(await codes_of(noor, "/queue?state=%3Cscript%3E")) == {new, mine}


async def test_an_empty_queue_says_what_will_appear(noor: Browser) -> None:
    for state in ("open", "mine", "answered", "closed"):
        page = (await noor.get(f"/queue?state={state}"))[1]
        assert 'class="empty panel"' in page
    assert "New reports appear here by themselves" in words_of((await noor.get("/queue"))[1])


async def test_a_long_queue_comes_in_pages(noor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.queue.PAGE", 2)
    codes = [await noor.bench.case("a") for _ in range(5)]
    seen = [code for page in (1, 2, 3) for code in await codes_of(noor, f"/queue?page={page}")]
    assert sorted(seen) == sorted(codes)
    for odd in ("0", "-1", "99999", "x", "٢"):
        assert (await noor.get(f"/queue?page={odd}"))[0] == 200


async def test_ringing_alerts_are_marked(noor: Browser) -> None:
    code = await noor.bench.case("a", level=Level.EMERGENCY)
    assert "Ringing" not in words_of((await noor.get("/queue"))[1])
    await noor.bench.rings(code)
    assert "Ringing" in words_of((await noor.get("/queue"))[1])


async def test_the_stream_tells_of_changes_without_content_and_ends_with_the_session(
    noor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.queue.BEAT", 1.0)
    async with noor.client.get("/queue/live") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert await next_event(stream.content) == "changed"
        await noor.bench.case("secret words")
        assert await next_event(stream.content) == "changed"
        await noor.post("/signout", {"token": await noor.token()})
        while (event := await next_event(stream.content)) == "changed":
            pass
        assert event == "signed_out"
        assert (await stream.content.read()).strip() == b"data:"


async def next_event(content: object) -> str:
    while True:
        line = await content.readline()  # type: ignore[attr-defined]  # aiohttp's StreamReader
        assert line, "the stream ended"
        if line.startswith(b"event: "):
            return str(line[7:].strip().decode())


async def test_the_stream_is_for_members(browser: Browser) -> None:
    assert (await browser.get("/queue/live"))[0] == 303


async def test_the_listener_comes_back_when_the_database_does(noor: Browser) -> None:
    async with noor.client.get("/queue/live") as stream:
        assert await next_event(stream.content) == "changed"
        async with noor.bench.vault.unit() as unit:
            killed = await unit.transaction.connection.scalar(
                text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE application_name = 'harborline-console' AND datname = current_database()"
                )
            )
        assert killed == 1
        assert await next_event(stream.content) == "changed"
        await noor.bench.case("a")
        assert await next_event(stream.content) == "changed"
