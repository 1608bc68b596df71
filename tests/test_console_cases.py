"""One case in the console: what is shown of it, and what staff can do with it."""

import re

import pytest

from console import words
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
from triage.rules import REASONS
from vault.codes import code_keys, new_code
from vault.delivery import OutboxState
from vault.sealing import Effort

__all__ = ["bench", "browser", "cheap_stretching", "noor"]  # fixtures

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> \u202eevil\u202c \u0000 \ud800 {{ 7*7 }} &amp;"
CHEAP = Effort(passes=1, lanes=1, memory=64)


# One case -------------------------------------------------------------------------------------------------------------


async def test_a_case_shows_where_it_stands_before_what_was_said(noor: Browser) -> None:
    code = await noor.bench.case("No me pagan", rules=("unpaid",), words="No me pagan")
    _, page = await noor.get(f"/cases/{code}")
    above, below = page.split("<details>")
    assert "No me pagan" not in above
    assert REASONS["unpaid"] in above
    assert "May describe bad treatment." in above
    assert '<p class="words" dir="auto" lang="es">No me pagan</p>' in below
    assert '<q dir="auto">No me pagan</q>' in below
    assert "What happened?" in below


async def test_staff_see_the_channel_and_never_the_address(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    _, page = await noor.get(f"/cases/{code}")
    assert "It goes out as: Text message" in words_of(page)
    assert ADDRESS not in page
    assert ADDRESS.lstrip("+") not in page


async def test_choices_are_shown_in_words_with_their_question(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    await noor.bench.says(code, "", step="way", choice="way:help")
    await noor.bench.says(code, "", step="a_new.step", choice="some_choice")
    shown = words_of((await noor.get(f"/cases/{code}"))[1])
    assert "What do you need? I need help" in shown
    assert "A new: step Some choice" in shown


@pytest.mark.parametrize("rule", sorted(words.CONTACT_RULES))
async def test_how_the_person_may_be_contacted_stands_above_the_answer(noor: Browser, rule: str) -> None:
    code = await noor.bench.case("Hola")
    case = await noor.bench.stored(code)
    async with noor.bench.vault.unit() as unit:
        await unit.cases.change(case.id, contact_rule=rule, contact_hours="08-12")
    shown = words_of((await noor.get(f"/cases/{code}"))[1])
    assert words.CONTACT_RULES[rule].format(hours="08-12") in shown


async def test_a_caller_and_a_watched_phone_are_pointed_out(noor: Browser) -> None:
    code = await noor.bench.case("Hola", channel="voice")
    assert "They called." in words_of((await noor.get(f"/cases/{code}"))[1])
    case = await noor.bench.stored(code)
    async with noor.bench.vault.unit() as unit:
        await unit.cases.change(case.id, discreet=True)
    assert "write harmless words" in words_of((await noor.get(f"/cases/{code}"))[1])


async def test_hostile_words_stay_words(noor: Browser) -> None:
    code = await noor.bench.case(HOSTILE, rules=("<i>rule</i>",), words=HOSTILE, language='"><x>')
    await noor.bench.says(code, HOSTILE, step="<i>", choice="<u>")
    await noor.act(code, "note", text=HOSTILE.replace("\ud800", ""))
    for path in ("/queue", f"/cases/{code}"):
        status, page = await noor.get(path)
        assert status == 200
        assert not re.search(r"<(img|i|u|x)[ >]|<script(?! src=\"/static/)", page)
        assert "49" not in re.findall(r"\{\{ 7\*7 \}\}|\b49\b", page)


async def test_opening_a_case_is_written_down_and_counts_as_reading_it(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    assert (await noor.bench.stored(code)).unread
    await noor.get(f"/cases/{code}")
    assert not (await noor.bench.stored(code)).unread
    assert [line[1:] for line in await noor.bench.audit()][-1] == ("case.opened", f"case:{code}")


async def test_looking_at_the_queue_opens_no_case(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    await noor.get("/queue")
    async with noor.client.head(f"/cases/{code}") as answer:
        assert answer.status == 405
    assert (await noor.bench.stored(code)).unread
    assert not [line for line in await noor.bench.audit() if line[1] == "case.opened"]


# What staff do --------------------------------------------------------------------------------------------------------


async def test_an_answer_goes_out_is_kept_and_shows_how_far_it_has_come(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    answer = await noor.act(code, "answer", text="  Estamos aquí.\r\n¿Puede hablar?  ")
    assert (answer.status, answer.headers["Location"]) == (303, f"/cases/{code}?done=answered")
    assert bench.actions.answers == [("sms", ADDRESS, "Estamos aquí.\n¿Puede hablar?")]
    case = await bench.stored(code)
    assert (case.state, case.waits) == (CaseState.ANSWERED, False)
    shown = words_of((await noor.get(f"/cases/{code}?done=answered"))[1])
    assert "Noor answered" in shown
    assert "Estamos aquí. ¿Puede hablar? On its way" in shown
    async with bench.vault.unit() as unit:
        (parcel,) = await unit.outbox.of_case(case.id)
        await unit.outbox.set(parcel, OutboxState.REACHED)
    assert "¿Puede hablar? Delivered" in words_of((await noor.get(f"/cases/{code}"))[1])
    assert [line[1] for line in await bench.audit() if line[1].startswith("case.")][-3:] == [
        "case.answered",
        "case.opened",
        "case.opened",
    ]


async def test_whoever_answers_has_the_case_and_the_pager_stops_looking(noor: Browser) -> None:
    code = await noor.bench.case("Hola", level=Level.EMERGENCY)
    await noor.bench.rings(code)
    await noor.act(code, "answer", text="Estamos aquí.")
    assert noor.bench.actions.acknowledged == [(code, "Noor")]
    assert "Answered, with Noor" in words_of((await noor.get(f"/cases/{code}"))[1])


@pytest.mark.parametrize(
    ("fate", "told", "shown"),
    [
        (OutboxState.HELD, "held", "Waits until the person writes; not sent yet"),
        (OutboxState.LEFT, "left", "Waits under their return code; not sent"),
    ],
)
async def test_an_answer_that_must_wait_says_for_what(noor: Browser, fate: OutboxState, told: str, shown: str) -> None:
    code = await noor.bench.case("Hola")
    noor.bench.actions.fate = fate
    answer = await noor.act(code, "answer", text="Estamos aquí.")
    assert answer.headers["Location"] == f"/cases/{code}?done={told}"
    page = words_of((await noor.get(f"/cases/{code}?done={told}"))[1])
    assert "It was not sent" in page
    assert shown in page


@pytest.mark.parametrize(
    ("rule", "hours", "resting", "reason"),
    [
        ("when_i_write", "", False, "Held until they write: they asked for that. Not sent yet"),
        ("hours", "08-12", False, "Held until their hours begin (08-12): they asked for that. Not sent yet"),
        ("never_first", "", False, "Held: nobody writes to them first, and they have no return code. Not sent"),
        ("", "", True, "Held until they write and it is safe: they said that they cannot talk now. Not sent yet"),
    ],
)
async def test_a_held_answer_is_shown_as_held_with_the_reason(
    noor: Browser, rule: str, hours: str, resting: bool, reason: str
) -> None:
    bench = noor.bench
    code = await bench.case("Hola")
    bench.actions.fate = OutboxState.HELD
    await noor.act(code, "answer", text="Estamos aquí.")
    case = await bench.stored(code)
    async with bench.vault.unit() as unit:
        await unit.cases.change(case.id, contact_rule=rule, contact_hours=hours, resting=resting)
    assert reason in words_of((await noor.get(f"/cases/{code}"))[1])


async def test_an_answer_that_twilio_refused_says_why(noor: Browser) -> None:
    """21610: whoever wrote STOP gets nothing, and staff must not believe that they did."""
    bench = noor.bench
    code = await bench.case("Hola")
    await noor.act(code, "answer", text="Estamos aquí.")
    async with bench.vault.unit() as unit:
        (parcel,) = await unit.outbox.of_case((await bench.stored(code)).id)
        await unit.outbox.set(parcel, OutboxState.FAILED, error=21610)
    shown = words_of((await noor.get(f"/cases/{code}"))[1])
    assert "Could not be delivered. The person has written STOP." in shown


async def test_an_answer_to_somebody_without_an_address_waits_under_the_return_code(noor: Browser) -> None:
    bench = noor.bench
    code = await bench.case("Hola", address="")
    keys = code_keys(new_code(), b"salt" * 4, CHEAP)
    case = await bench.stored(code)
    async with bench.vault.unit() as unit:
        await unit.codes.give(case.id, keys)
    answer = await noor.act(code, "answer", text="Estamos aquí.")
    assert answer.headers["Location"] == f"/cases/{code}?done=left"
    async with bench.vault.unit() as unit:
        assert [waiting.text for waiting in await unit.codes.read(keys)] == ["Estamos aquí."]
    assert "Waits under their return code; not sent" in words_of((await noor.get(f"/cases/{code}"))[1])


@pytest.mark.parametrize("address", [ADDRESS, ""])
async def test_an_answer_that_cannot_go_anywhere_says_why_and_gives_the_text_back(noor: Browser, address: str) -> None:
    code = await noor.bench.case("Hola", address=address)
    noor.bench.actions.held = "They asked not to be contacted first."
    answer = await noor.act(code, "answer", text="Estamos aquí.")
    page = await answer.text()
    assert answer.status == 409
    assert ("They asked not" if address else "does not know how to reach") in page
    assert "Estamos aquí." in page
    assert f'action="/cases/{code}/note"' in page
    assert (await noor.bench.stored(code)).state is CaseState.OPEN


@pytest.mark.parametrize("words_", ["", "   ", "\r\n"])
async def test_an_empty_answer_is_not_sent(noor: Browser, words_: str) -> None:
    code = await noor.bench.case("Hola")
    assert (await noor.act(code, "answer", text=words_)).status == 400
    assert not noor.bench.actions.answers


async def test_an_answer_longer_than_a_message_is_given_back_whole(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    answer = await noor.act(code, "answer", text="ñ" * 1601)
    assert answer.status == 413
    assert "ñ" * 1601 in await answer.text()


async def test_an_answer_waits_when_the_person_wrote_meanwhile(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    _, page = await noor.get(f"/cases/{code}")
    form = {"token": field_of(page, "token"), "seen": field_of(page, "seen"), "text": "Estamos aquí."}
    await noor.bench.says(code, "Ya viene")
    answer = await noor.post(f"/cases/{code}/answer", form)
    again = await answer.text()
    assert answer.status == 409
    assert "The person wrote again" in again
    assert not noor.bench.actions.answers
    form["seen"] = field_of(again, "seen")
    assert (await noor.post(f"/cases/{code}/answer", form)).status == 303


async def test_a_note_is_for_the_team_alone(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    assert (await noor.act(code, "note", text="Called the shelter.")).status == 303
    assert not noor.bench.actions.answers
    assert (await noor.bench.stored(code)).state is CaseState.OPEN
    assert "Note by Noor" in words_of((await noor.get(f"/cases/{code}"))[1])


async def test_a_case_is_taken_given_and_put_back(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    for name in ("Noor", "Tomas"):
        assert (await noor.act(code, "assign", member=await noor.member_id(name))).status == 303
        assert f"Taken, with {name}" in words_of((await noor.get(f"/cases/{code}"))[1])
    assert (await noor.act(code, "release")).status == 303
    case = await noor.bench.stored(code)
    assert (case.state, case.member_id) == (CaseState.OPEN, None)
    actions = [line for line in await noor.bench.audit() if line[1] == "case.assigned"]
    assert actions[-1][2] == f"case:{code} member:{await noor.member_id('Tomas')}"


@pytest.mark.parametrize("given", ["", "nobody", "00000000-0000-0000-0000-000000000000", "'; DROP TABLE cases"])
async def test_a_case_is_given_only_to_members(noor: Browser, given: str) -> None:
    code = await noor.bench.case("Hola")
    assert (await noor.act(code, "assign", member=given)).status == 400
    assert (await noor.bench.stored(code)).member_id is None


async def test_taking_a_ringing_case_acknowledges_it_and_giving_it_away_does_not(noor: Browser) -> None:
    code = await noor.bench.case("Hola", level=Level.EMERGENCY)
    await noor.bench.rings(code)
    await noor.act(code, "assign", member=await noor.member_id("Tomas"))
    assert noor.bench.actions.acknowledged == []
    await noor.act(code, "assign", member=await noor.member_id("Noor"))
    assert noor.bench.actions.acknowledged == [(code, "Noor")]


async def test_at_risk_to_life_one_member_counts_once_and_a_second_is_still_looked_for(noor: Browser) -> None:
    code = await noor.bench.case("Hola", level=Level.EMERGENCY, life=True)
    await noor.bench.rings(code, needed=2)
    await noor.act(code, "assign", member=await noor.member_id("Noor"))
    await noor.act(code, "answer", text="Estamos aquí.")
    assert noor.bench.actions.acknowledged == [(code, "Noor")]
    assert "Ringing. Noor has it. 1 more person needed." in words_of((await noor.get(f"/cases/{code}"))[1])
    async with browsing(noor.bench) as tomas:
        await tomas.sign_in("Tomas")
        await tomas.act(code, "acknowledge")
    assert "Acknowledged. Noor, Tomas have it." in words_of((await noor.get(f"/cases/{code}"))[1])


async def test_an_alert_can_be_acknowledged_from_the_case_and_from_on_call(noor: Browser) -> None:
    code = await noor.bench.case("Hola", level=Level.EMERGENCY)
    await noor.bench.rings(code)
    for path in (f"/cases/{code}", "/oncall"):
        assert f'action="/cases/{code}/acknowledge"' in (await noor.get(path))[1]
    assert (await noor.act(code, "acknowledge")).status == 303
    assert "Acknowledged. Noor has it." in words_of((await noor.get(f"/cases/{code}"))[1])


async def test_a_level_goes_up_pages_and_keeps_the_reasons(noor: Browser) -> None:
    code = await noor.bench.case("Hola", level=Level.STANDARD, rules=("unpaid",))
    assert (await noor.act(code, "raise", level="emergency")).status == 303
    assert noor.bench.actions.raised == [(code, Level.EMERGENCY)]
    assert (await noor.bench.stored(code)).level is Level.EMERGENCY
    shown = words_of((await noor.get("/queue"))[1])
    assert words.reason(words.RAISED_BY_STAFF) in shown
    assert REASONS["unpaid"] in shown


@pytest.mark.parametrize("level", ["information", "high", "", "catastrophe"])
async def test_a_level_never_goes_down_or_elsewhere(noor: Browser, level: str) -> None:
    code = await noor.bench.case("Hola", level=Level.HIGH)
    assert (await noor.act(code, "raise", level=level)).status == 409
    assert (await noor.bench.stored(code)).level is Level.HIGH
    assert noor.bench.actions.raised == []


async def test_closing_asks_first_and_says_what_would_be_left_open(noor: Browser) -> None:
    code = await noor.bench.case("Hola", level=Level.EMERGENCY)
    await noor.bench.rings(code)
    _, page = await noor.get(f"/cases/{code}/close")
    assert "Its alert is still ringing." in words_of(page)
    assert "The person waits for an answer." in words_of(page)
    assert (await noor.bench.stored(code)).state is CaseState.OPEN
    form = {"token": field_of(page, "token"), "seen": field_of(page, "seen")}
    assert (await noor.post(f"/cases/{code}/close", form)).status == 303
    case = await noor.bench.stored(code)
    assert (case.state, case.closed_at is not None) == (CaseState.CLOSED, True)
    assert noor.bench.actions.closings == [code]


async def test_nothing_is_closed_unread(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    _, page = await noor.get(f"/cases/{code}/close")
    await noor.bench.says(code, "Ya viene")
    answer = await noor.post(f"/cases/{code}/close", {"token": field_of(page, "token"), "seen": field_of(page, "seen")})
    assert answer.status == 409
    assert (await noor.bench.stored(code)).state is CaseState.OPEN


@pytest.mark.parametrize("state", [CaseState.CLOSED, CaseState.WITHDRAWN])
@pytest.mark.parametrize("form", ["answer", "assign", "release", "raise", "close"])
async def test_what_is_no_longer_possible_is_refused_calmly(noor: Browser, state: CaseState, form: str) -> None:
    code = await noor.bench.case("Hola", state=state)
    fields = {"text": "words", "member": await noor.member_id("Noor"), "level": "emergency"}
    answer = await noor.act(code, form, **fields)
    assert answer.status == 409
    assert "no longer possible" in await answer.text()
    assert (await noor.bench.stored(code)).state is state
    assert noor.bench.actions == type(noor.bench.actions)()
    assert noor.bench.failures == []


async def test_a_page_offers_only_what_is_possible(noor: Browser) -> None:
    code = await noor.bench.case("Hola", state=CaseState.CLOSED)
    _, page = await noor.get(f"/cases/{code}")
    for form in ("answer", "assign", "release", "raise", "close"):
        assert f"/cases/{code}/{form}" not in page
    assert "A closed case opens again when the person writes." in words_of(page)


async def test_two_members_see_each_others_work_under_their_own_names(noor: Browser) -> None:
    code = await noor.bench.case("Hola")
    async with browsing(noor.bench) as tomas:
        await tomas.sign_in("Tomas")
        await tomas.act(code, "note", text="I know this place.")
    shown = words_of((await noor.get(f"/cases/{code}"))[1])
    assert "Note by Tomas" in shown
    lines = [line for line in await noor.bench.audit() if line[1] == "case.noted"]
    assert lines == [(f"member:{await noor.member_id('Tomas')}", "case.noted", f"case:{code}")]
