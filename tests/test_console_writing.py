"""Writing with a person from the console: who may, who does, what both see, and what is kept of it."""

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest

from tests.console_bench import (
    ADDRESS,
    Browser,
    bench,
    browser,
    browsing,
    cheap_stretching,
    field_of,
    noor,
    words_of,
)
from triage.levels import Level
from triage.review import CaseState

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures

AWAY = "They are not there now."


@pytest.fixture
async def tomas(noor: Browser) -> AsyncIterator[Browser]:
    """Tomas, signed in at another screen."""
    async with browsing(noor.bench) as somebody:
        assert (await somebody.sign_in("Tomas")).status == 303
        yield somebody


async def part(browser: Browser, code: str, after: int = 0) -> tuple[int, str]:
    """What an open page fetches by itself."""
    return await browser.get(f"/cases/{code}/talk?part=1&after={after}")


async def test_a_case_says_that_its_person_can_be_written_with_and_what_they_will_be_told(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    _, page = await noor.get(f"/cases/{code}")
    assert "Write with them now" in words_of(page)
    assert "A person is writing with you now." in words_of(page)


async def test_a_case_says_in_one_sentence_why_its_person_cannot_be_written_with(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    bench.actions.nobody = AWAY
    _, page = await noor.get(f"/cases/{code}")
    assert f"Nobody writes with them. {AWAY}" in words_of(page)
    assert "/live" not in page.replace("/queue/live", "")


async def test_to_begin_is_refused_calmly_when_it_has_become_impossible(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola", level=Level.EMERGENCY)
    _, page = await noor.get(f"/cases/{code}")
    bench.actions.nobody = AWAY
    answer = await noor.post(f"/cases/{code}/live", {"token": field_of(page, "token")})
    assert answer.status == 409
    assert AWAY in words_of(await answer.text())
    assert (await bench.stored(code)).member_id is None
    assert not [line for line in await bench.audit() if "live" in line[1]]


async def test_whoever_begins_has_the_case_and_the_pager_stops_looking(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola", level=Level.EMERGENCY)
    await bench.rings(code)
    answer = await noor.act(code, "live")
    assert answer.headers["Location"] == f"/cases/{code}?done=writing#writing"
    case = await bench.stored(code)
    assert (case.state, str(case.member_id)) == (CaseState.ASSIGNED, await noor.member_id("Noor"))
    assert bench.actions.acknowledged == [(code, "Noor")]
    member = f"member:{await noor.member_id('Noor')}"
    assert (member, "case.live_began", f"case:{code}") in await bench.audit()


async def test_words_go_out_at_once_and_stand_in_the_case(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    await noor.act(code, "live")
    answer = await noor.act(code, "live/say", text="Estoy aquí.")
    assert answer.headers["Location"] == f"/cases/{code}#writing"
    assert bench.actions.reached == [(ADDRESS, "Estoy aquí.")]
    _, page = await noor.get(f"/cases/{code}")
    assert page.count("Estoy aquí.") == 2, "in the talk, and in what was said"
    case = await bench.stored(code)
    assert (case.waits, case.unread, case.state) == (False, False, CaseState.ASSIGNED)
    assert "case.live_wrote" in [action for _, action, _ in await bench.audit()]


async def test_words_that_cross_with_the_persons_go_out_but_the_case_goes_on_waiting(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    await noor.act(code, "live")
    _, page = await noor.get(f"/cases/{code}")
    form = {"token": field_of(page, "token"), "seen": field_of(page, "seen"), "text": "Estoy aquí."}
    await bench.says(code, "Ya viene")
    async with bench.vault.unit() as unit:
        await unit.cases.change((await unit.cases.by_code(code)).id, unread=True)
    answer = await noor.post(f"/cases/{code}/live/say", form)
    assert answer.headers["Location"] == f"/cases/{code}?done=crossed#writing"
    case = await bench.stored(code)
    assert (case.waits, case.unread) == (True, True), "nobody has read it yet"
    assert bench.actions.reached == [(ADDRESS, "Estoy aquí.")]


async def test_who_does_not_write_any_more_gets_their_words_back(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    await noor.act(code, "live")
    _, page = await noor.get(f"/cases/{code}")
    bench.actions.writes.clear()  # the person ended it by a key
    form = {"token": field_of(page, "token"), "seen": field_of(page, "seen"), "text": "Un texto largo."}
    answer = await noor.post(f"/cases/{code}/live/say", form)
    text = unescape(await answer.text())
    assert answer.status == 409
    assert "You are not writing with them any more." in text
    assert "Un texto largo." in text
    assert bench.actions.reached == []


@pytest.mark.parametrize(("text", "status"), [("", 400), ("  \n", 400), ("x" * 1601, 413)])
async def test_nothing_and_too_much_are_refused(noor: Browser, text: str, status: int) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    await noor.act(code, "live")
    assert (await noor.act(code, "live/say", text=text)).status == status
    assert bench.actions.reached == []


async def test_both_members_see_who_has_it_and_a_colleague_can_go_on(noor: Browser, tomas: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    await noor.act(code, "live")
    _, page = await tomas.get(f"/cases/{code}")
    assert "Noor writes with them now" in words_of(page)
    assert 'action="/cases/' + code + '/live/say"' not in page
    assert 'action="/cases/' + code + '/answer"' not in page, "an answer would come between"
    await tomas.act(code, "live")
    _, page = await noor.get(f"/cases/{code}")
    assert "Tomas writes with them now" in words_of(page)
    assert (await noor.act(code, "live/say", text="Sigo aquí")).status == 409
    assert "case.live_taken" in [action for _, action, _ in await bench.audit()]


async def test_to_hand_back_is_noted_once_and_a_colleague_cannot_do_it(noor: Browser, tomas: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    await noor.act(code, "live")
    assert (await tomas.act(code, "live/end")).status == 409
    for _ in range(2):
        answer = await noor.act(code, "live/end")
        assert answer.headers["Location"] == f"/cases/{code}?done=handed_back#writing"
    assert [action for _, action, _ in await bench.audit()].count("case.live_ended") == 1


async def test_an_open_page_fetches_new_words_and_that_they_were_read_is_noted(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    await noor.act(code, "live")
    _, page = await noor.get(f"/cases/{code}")
    found = re.search(r'data-last="(\d+)"', page)
    assert found
    shown = int(found[1])
    _, nothing = await part(noor, code, shown)
    assert "words" not in re.findall(r'class="([a-z]+)"', nothing)
    assert "case.read_on" not in [action for _, action, _ in await bench.audit()]
    await bench.says(code, "Ya se fue")
    async with bench.vault.unit() as unit:
        await unit.cases.change((await unit.cases.by_code(code)).id, unread=True)
    _, new = await part(noor, code, shown)
    assert "Ya se fue" in new
    assert "Hola" not in new
    assert [action for _, action, _ in await bench.audit()].count("case.read_on") == 1
    assert (await bench.stored(code)).unread, "a screen that fetches is not a human who reads"


async def test_a_page_of_somebody_who_does_not_write_is_told_of_new_words_and_never_given_them(
    noor: Browser, tomas: Browser
) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    await bench.says(code, "Ya se fue")
    for nobody_yet in (True, False):
        _, text = await part(tomas, code, 1)
        assert ("Noor writes with them now" in words_of(text)) is not nobody_yet
        assert "They have written since you opened this page." in words_of(text)
        assert "Ya se fue" not in text
        await noor.act(code, "live")
    assert "case.read_on" not in [action for _, action, _ in await bench.audit()]


async def test_a_page_that_fetches_by_itself_does_not_keep_its_member_signed_in(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    for _ in range(3):
        bench.clock.later(minutes=14)
        status, _ = await part(noor, code)
    assert status == 401


async def test_a_number_that_is_none_shows_no_more_than_no_number(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    await noor.act(code, "live")
    for after in ("x", "-1", "9" * 30, "٣"):
        status, text = await noor.get(f"/cases/{code}/talk?part=1&after={after}")
        assert status == 200
        assert "Hola" in text


async def test_staff_are_warned_to_write_harmless_words(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    async with bench.vault.unit() as unit:
        await unit.cases.change((await unit.cases.by_code(code)).id, discreet=True, contact_rule="neutral")
    await noor.act(code, "live")
    _, page = await noor.get(f"/cases/{code}")
    panel = page.partition('id="writing"')[2].partition("</section>")[0]
    assert "write harmless words" in words_of(panel)
    assert "write nothing that shows what this line is" in words_of(panel)


async def test_hostile_words_stay_words_in_the_talk(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case('<script>alert("x")</script>')
    await noor.act(code, "live")
    for page in ((await noor.get(f"/cases/{code}"))[1], (await part(noor, code))[1]):
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


async def test_a_form_without_its_token_begins_nothing(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    for what in ("live", "live/say", "live/end"):
        assert (await noor.post(f"/cases/{code}/{what}", {"text": "x"})).status == 403
    assert bench.actions.writes == {}


async def test_a_closed_case_is_not_taken_by_writing(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola", state=CaseState.CLOSED)
    answer = await noor.act(code, "live")
    assert answer.status == 409
    assert (await bench.stored(code)).state is CaseState.CLOSED
