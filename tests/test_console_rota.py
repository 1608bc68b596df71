"""The on-call page: the week as a picture and in words, swaps by those who may, and a calendar address shown once."""

import re
import uuid

import pytest

from tests.console_bench import Browser, bench, browser, cheap_stretching, field_of, noor, words_of
from vault.rota import Ready

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures

SWAP = {"start": "2026-03-03T18:00", "end": "2026-03-04T09:00"}


async def planned(browser: Browser, me: str = "Noor", *, coordinator: bool = False) -> dict[str, str]:
    """Amina and a member take turns at night; gives their ids."""
    await browser.bench.responder("Amina", "ar")
    await browser.bench.responder(me, "en", number="+15550100902", coordinator=coordinator)
    browser.bench.calendar("18:00-09:00")
    return {person.name: person.id for person in browser.bench.rota.responders}


async def send(browser: Browser, path: str, **form: str) -> int:
    """Post with the token of the page."""
    return (await browser.post(path, {"token": await browser.token(), **form})).status


async def test_the_week_is_drawn_and_told_in_words_with_gaps_and_hours(noor: Browser) -> None:
    await planned(noor)
    _, page = await noor.get("/oncall")
    shown = words_of(page)
    assert "The next seven days" in shown
    assert re.search(r"Nobody \d+ h", shown)
    assert "First Amina, then Noor" in shown
    assert re.search(r"Amina \d+ h", shown)
    assert "2 Mar, 18:00 3 Mar, 09:00 Amina 15" in shown
    assert "3 Mar, 09:00 3 Mar, 18:00 Nobody 9" in shown
    assert page.count('class="week-bar"') == 4
    assert "+1555" not in page


async def test_other_weeks_are_a_link_away_and_no_number_in_the_address_breaks_it(noor: Browser) -> None:
    await planned(noor)
    assert "Seven days from Mon 9" in words_of((await noor.get("/oncall?week=1"))[1])
    for strange in ("-1", "999", "x", "１", "3.5"):
        assert (await noor.get(f"/oncall?week={strange}"))[0] == 200


async def test_too_much_for_one_person_is_said(noor: Browser) -> None:
    await noor.bench.responder("Amina", "ar")
    noor.bench.calendar()
    assert "Too much for one person. Amina: " in words_of((await noor.get("/oncall"))[1])


async def test_readiness_is_shown_by_every_method(noor: Browser) -> None:
    ids = await planned(noor)
    now = noor.bench.clock.now
    async with noor.bench.vault.unit() as unit:
        asked = await unit.readiness.ask(uuid.UUID(ids["Amina"]), method="sms", contact="sms", shift_at=now, due_at=now)
        assert asked
    assert "Text message: Asked before the shift; no answer yet" in words_of((await noor.get("/oncall"))[1])
    async with noor.bench.vault.unit() as unit:
        await unit.readiness.set(asked, Ready.MISSED)
    shown = words_of((await noor.get("/oncall"))[1])
    assert "Text message: No answer before the last shift" in shown
    assert "Amina may not be reached." in shown


async def test_a_responder_gives_a_shift_away_and_takes_one_and_it_is_listed_told_and_noted(noor: Browser) -> None:
    ids = await planned(noor)
    assert await send(noor, "/oncall/swaps", who=ids["Amina"], replaces=ids["Noor"], **SWAP) == 303
    _, page = await noor.get("/oncall?done=swapped")
    shown = words_of(page)
    assert "The swap is noted." in shown
    assert "Amina instead of Noor 3 Mar, 18:00 to 4 Mar, 09:00" in shown
    assert noor.bench.actions.told == [(ids["Amina"], ids["Noor"])]
    assert (await noor.bench.audit())[-1][1:] == ("rota.override", f"responder:{ids['Amina']}")
    (undo,) = re.findall(r'action="(/oncall/swaps/[0-9a-f-]+/undo)"', page)
    assert await send(noor, undo) == 303
    assert "Amina instead of Noor" not in words_of((await noor.get("/oncall"))[1])
    assert await send(noor, undo) == 404


@pytest.fixture
async def tomas(browser: Browser) -> Browser:
    """Tomas, a reviewer, signed in."""
    assert (await browser.sign_in("Tomas")).status == 303
    return browser


@pytest.mark.parametrize(("who", "replaces"), [("Amina", ""), ("", "Tomas"), ("", "Amina"), ("Amina", "Amina")])
async def test_a_responder_changes_no_shift_but_their_own_and_leaves_none_empty(
    tomas: Browser, who: str, replaces: str
) -> None:
    ids = await planned(tomas, "Tomas") | {"": ""}
    assert await send(tomas, "/oncall/swaps", who=ids[who], replaces=ids[replaces], **SWAP) in {400, 403}
    assert "Nobody has swapped" in words_of((await tomas.get("/oncall"))[1])
    assert await send(tomas, "/oncall/swaps", who=ids["Tomas"], replaces=ids["Amina"], **SWAP) == 303


async def test_a_coordinator_changes_anybody_s(tomas: Browser) -> None:
    ids = await planned(tomas, "Tomas", coordinator=True)
    assert await send(tomas, "/oncall/swaps", who="", replaces=ids["Amina"], **SWAP) == 303
    assert "Amina is away" in words_of((await tomas.get("/oncall"))[1])


async def test_a_supervisor_who_is_not_paged_changes_anybody_s_too(noor: Browser) -> None:
    ids = await planned(noor, "Tomas")
    assert await send(noor, "/oncall/swaps", who="", replaces=ids["Tomas"], **SWAP) == 303
    assert await send(noor, "/oncall/calendar") == 403


async def test_who_is_not_paged_and_no_supervisor_changes_nothing(tomas: Browser) -> None:
    await tomas.bench.responder("Amina", "ar")
    tomas.bench.calendar("18:00-09:00")
    _, page = await tomas.get("/oncall")
    assert "/oncall/swaps" not in page
    amina = tomas.bench.rota.responders[0].id
    assert await send(tomas, "/oncall/swaps", who=amina, replaces="", **SWAP) == 403
    assert await send(tomas, "/oncall/calendar") == 403


@pytest.mark.parametrize(
    "change",
    [
        {"start": "", "end": ""},
        {"start": "2026-03-04T09:00", "end": "2026-03-03T18:00"},
        {"start": "2026-02-01T00:00", "end": "2026-02-02T00:00"},
        {"start": "2026-03-03T18:00", "end": "2026-09-03T18:00"},
        {"start": "2026-13-03T18:00", "end": "2026-13-04T18:00"},
        {"who": "somebody"},
    ],
)
async def test_a_swap_that_cannot_be_is_refused_and_nothing_is_kept(noor: Browser, change: dict[str, str]) -> None:
    ids = await planned(noor)
    form = {"who": ids["Noor"], "replaces": "", **SWAP, **change}
    assert await send(noor, "/oncall/swaps", **form) == 400
    assert "Nobody has swapped" in words_of((await noor.get("/oncall"))[1])


async def test_a_calendar_address_is_shown_once_and_taken_back(noor: Browser) -> None:
    ids = await planned(noor)
    _, page = await noor.get("/oncall")
    answer = await noor.post("/oncall/calendar", {"token": field_of(page, "token")})
    text = await answer.text()
    (secret,) = re.findall(r"/calendar/([A-Za-z0-9_-]{43})\.ics", text)
    async with noor.bench.vault.unit() as unit:
        opened = await unit.feeds.opens(secret)
        assert opened is not None
        assert opened[0] == uuid.UUID(ids["Noor"])
    assert secret not in (await noor.get("/oncall"))[1]
    assert await send(noor, "/oncall/calendar/remove") == 303
    async with noor.bench.vault.unit() as unit:
        assert await unit.feeds.opens(secret) is None


@pytest.mark.parametrize("path", ["/oncall/swaps", "/oncall/calendar", "/oncall/calendar/remove"])
async def test_no_other_site_swaps_a_shift(noor: Browser, path: str) -> None:
    await planned(noor)
    assert (await noor.post(path, {"token": "x" * 64, **SWAP})).status == 403
