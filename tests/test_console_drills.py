"""The page of drills: times over time, by language and shift, and who may begin one."""

from datetime import timedelta

import pytest

from tests.console_bench import Browser, bench, browser, browsing, cheap_stretching, noor, words_of
from tests.test_console_team import send
from triage.drills import DrillState, Expected, Figures
from triage.levels import Level

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures

EXPECTED = Expected(level=Level.EMERGENCY, page=60, acknowledge=300, answer=900)


async def ran(noor: Browser, language: str, state: DrillState, figures: Figures) -> None:
    """A drill that came to this, three minutes after the one before."""
    noor.bench.clock.now += timedelta(minutes=3)
    async with noor.bench.vault.unit() as unit:
        run = await unit.drills.begin("night_worker", language, "sms", EXPECTED)
        assert run
        await unit.drills.seen(run.id, figures)
        if state is not DrillState.RUNNING:
            await unit.drills.end(run.id, state)


async def test_without_a_drill_the_page_says_what_will_appear(noor: Browser) -> None:
    _, page = await noor.get("/drills")
    assert "No drill was run yet" in words_of(page)
    assert "<svg viewBox" not in page


async def test_every_time_of_a_drill_is_in_the_table_and_in_the_picture(noor: Browser) -> None:
    await ran(noor, "es", DrillState.PASSED, Figures(level=Level.EMERGENCY, page=10, acknowledge=65, answer=300))
    await ran(noor, "ar", DrillState.NOBODY, Figures(level=Level.EMERGENCY, page=15))
    _, page = await noor.get("/drills")
    text = words_of(page)
    for said in ("Spanish", "Arabic", "1 min 5 s", "5 min", "Nobody acknowledged", "1 of 1", "0 of 1"):
        assert said in text, said
    drawing = page.partition('viewBox="0 0 320 170"')[2].partition("</svg>")[0]
    kinds = {kind: drawing.count(f'class="mark-{kind}"') for kind in ("page", "acknowledge", "answer", "failed")}
    assert kinds == {"page": 2, "acknowledge": 1, "answer": 1, "failed": 1}
    assert "2 drills, 1 to look into." in text


async def test_a_running_drill_is_hidden_from_whoever_may_be_called_until_somebody_has_it(noor: Browser) -> None:
    await noor.bench.enrol("Yusuf")  # a reviewer
    await ran(noor, "es", DrillState.RUNNING, Figures(page=5))
    async with browsing(noor.bench) as yusuf:
        await yusuf.sign_in("Yusuf")
        assert "Running" not in words_of((await yusuf.get("/drills"))[1])
        assert "Running" in words_of((await noor.get("/drills"))[1])
        await ran(noor, "es", DrillState.RUNNING, Figures(page=5, acknowledge=20))
        assert "Running" in words_of((await yusuf.get("/drills"))[1])


async def test_a_supervisor_begins_a_drill_after_being_asked(noor: Browser) -> None:
    _, page = await noor.get("/drills")
    assert "/drills/night_worker/start" in page
    assert "/drills/far_away/start" not in page  # this line cannot play it
    assert "Phones of people on call ring as in earnest" in words_of((await noor.get("/drills/night_worker/start"))[1])
    status, *_ = await send(noor, "/drills/night_worker/start")
    assert (status, noor.bench.actions.drills) == (303, ["night_worker"])


async def test_a_drill_that_cannot_begin_says_why(noor: Browser) -> None:
    noor.bench.actions.held = "Another drill is running."
    status, _, page = await send(noor, "/drills/night_worker/start")
    assert status == 409
    assert "Another drill is running." in words_of(page)


@pytest.mark.parametrize("path", ["/drills/night_worker/start", "/drills/nothing/start"])
async def test_a_reviewer_begins_no_drill(noor: Browser, path: str) -> None:
    await noor.bench.enrol("Yusuf")
    async with browsing(noor.bench) as yusuf:
        await yusuf.sign_in("Yusuf")
        assert "/start" not in (await yusuf.get("/drills"))[1]
        assert (await yusuf.get(path))[0] == 403
        status, *_ = await send(yusuf, path)
    assert (status, noor.bench.actions.drills) == (403, [])


@pytest.mark.parametrize(("taken", "told"), [(False, False), (True, True)])
async def test_a_case_says_that_it_is_a_drill_once_it_is_over(noor: Browser, taken: bool, told: bool) -> None:
    async with noor.bench.vault.unit() as unit:
        case = await unit.cases.open(language="es", channel="sms", level=Level.EMERGENCY, drill=True)
        if taken:
            await unit.cases.change(case.id, closed_at=unit.transaction.minute)
    _, page = await noor.get(f"/cases/{case.code}")
    assert ("This is a drill." in words_of(page)) is told
    assert "drill" not in words_of((await noor.get("/queue"))[1]).lower().replace("drills", "")
