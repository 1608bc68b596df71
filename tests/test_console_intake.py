"""A report that a member writes down for somebody, and the code that the person takes over with."""

import re

from tests.console_bench import Browser, bench, browser, cheap_stretching, field_of, noor, words_of
from triage.levels import Level
from triage.review import CaseState
from vault.codes import possible_keys, read_code
from vault.unit import Vault

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures

TOLD = "Nos quitaron los pasaportes en la finca"


async def written(who: Browser, **other: str) -> tuple[int, str]:
    """Fill in the form and send it; gives status and page."""
    _, page = await who.get("/cases/new")
    form = {"token": field_of(page, "token"), "id": field_of(page, "id"), "text": TOLD, "language": "es"}
    answer = await who.post("/cases/new", form | {"level": "standard"} | other)
    return answer.status, await answer.text()


def code_on(page: str) -> str:
    found = re.search(r"<code>([0-9 ]+)</code>", page)
    assert found
    code = read_code(found[1])
    assert code
    return code


async def opens(vault: Vault, code: str) -> tuple[str, bool]:
    """The case that this code leads to, and whether staff know the code."""
    async with vault.unit() as unit:
        ring = unit.transaction.ring
        match = await unit.codes.match(possible_keys(code, ring.salt, ring.code_efforts))
        assert match
        return (await unit.cases.get(match.case_id)).code, match.known_to_staff


async def test_a_report_is_written_down_and_its_code_shown_once(noor: Browser) -> None:
    status, page = await written(noor)
    assert status == 200
    case, known = await opens(noor.bench.vault, code_on(page))
    assert known
    stored = await noor.bench.stored(case)
    assert (stored.state, stored.level, stored.language) == (CaseState.OPEN, Level.STANDARD, "es")
    assert (stored.channel, stored.contact_rule, stored.waits) == ("staff", "never_first", True)
    assert code_on(page)[:4] not in (await noor.get(f"/cases/{case}"))[1]


async def test_the_case_says_who_wrote_it_down_and_why_it_has_its_level(noor: Browser) -> None:
    _, page = await written(noor)
    case, _ = await opens(noor.bench.vault, code_on(page))
    _, raw = await noor.get(f"/cases/{case}")
    shown = words_of(raw)
    assert "The person, written down by Noor" in shown
    assert TOLD in shown
    assert "A member of staff wrote the report down and chose the level." in shown
    assert "Return code only" in shown
    assert ("case.written_down", f"case:{case}") in [line[1:] for line in await noor.bench.audit()]


async def test_what_was_written_down_is_read_like_any_other_report(noor: Browser) -> None:
    _, page = await written(noor)
    case, _ = await opens(noor.bench.vault, code_on(page))
    assert noor.bench.actions.written == [(case, TOLD)]
    assert noor.bench.actions.raised == []


async def test_an_urgent_one_pages(noor: Browser) -> None:
    _, page = await written(noor, level="emergency")
    case, _ = await opens(noor.bench.vault, code_on(page))
    assert noor.bench.actions.raised == [(case, Level.EMERGENCY)]


async def test_an_answer_to_it_waits_under_the_code(noor: Browser) -> None:
    _, page = await written(noor)
    code = code_on(page)
    case, _ = await opens(noor.bench.vault, code)
    await noor.act(case, "answer", text="Estamos aquí.")
    async with noor.bench.vault.unit() as unit:
        ring = unit.transaction.ring
        match = await unit.codes.match(possible_keys(code, ring.salt, ring.code_efforts))
        assert match
        assert [answer.text for answer in await unit.codes.read(match.keys)] == ["Estamos aquí."]


async def test_sent_twice_it_is_kept_once(noor: Browser) -> None:
    _, page = await noor.get("/cases/new")
    form = {"token": field_of(page, "token"), "id": field_of(page, "id"), "text": TOLD, "language": "es"}
    first = await noor.post("/cases/new", form | {"level": "standard"})
    second = await noor.post("/cases/new", form | {"level": "standard"})
    assert (first.status, second.status) == (200, 409)
    assert "kept already" in await second.text()
    async with noor.bench.vault.unit() as unit:
        assert sum((await unit.cases.count()).values()) == 1


async def test_bad_input_gets_a_clear_sentence_and_keeps_nothing(noor: Browser) -> None:
    for wrong, status, sentence in (
        ({"text": "  \r\n "}, 400, "the report is empty"),
        ({"text": "a" * 20_001}, 413, "at most 20000 fit"),
        ({"language": "xx"}, 400, "No language was chosen"),
        ({"level": "dire"}, 400, "No level was chosen"),
    ):
        got, page = await written(noor, **wrong)
        assert (got, sentence in words_of(page)) == (status, True)
    async with noor.bench.vault.unit() as unit:
        assert sum((await unit.cases.count()).values()) == 0


async def test_a_refused_form_can_be_sent_again(noor: Browser) -> None:
    """What was refused was not kept, so its id is not spent."""
    _, page = await noor.get("/cases/new")
    form = {"token": field_of(page, "token"), "id": field_of(page, "id"), "text": TOLD, "language": "es"}
    assert (await noor.post("/cases/new", form)).status == 400
    assert (await noor.post("/cases/new", form | {"level": "high"})).status == 200


async def test_nobody_writes_down_anything_without_signing_in(browser: Browser) -> None:
    status, _ = await browser.get("/cases/new")
    assert status == 303
    assert (await browser.post("/cases/new", {"text": TOLD})).status == 401


async def test_a_case_that_was_taken_back_says_what_staff_must_do(noor: Browser) -> None:
    code = await noor.bench.case("Ayuda", level=Level.EMERGENCY)
    async with noor.bench.vault.unit() as unit:
        case = await unit.cases.by_code(code)
        await unit.cases.change(case.id, withdrawn_at=unit.transaction.minute, contact_rule="never_first")
        await unit.queue_changed()
    shown = words_of((await noor.get(f"/cases/{code}"))[1])
    assert "has taken this report back" in shown
    assert "When you close the case, it is destroyed." in shown
    assert "Taken back by the person" in words_of((await noor.get("/queue"))[1])
