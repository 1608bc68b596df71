"""The pager: an urgent case calls people by jobs, whoever has it is noted once, and a page never quotes the report."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.house import House
from bot.responders import page_answer
from tests.houses import CONSOLE
from tests.vaults import START, Clock, found_team, open_case, rows
from triage.alerts import OUTSIDE, PageState, Tell
from triage.levels import Level
from triage.review import CaseState
from triage.rota import MethodKind
from understanding.tongues import NAMES
from vault import paging
from vault.cases import Case
from vault.errors import NotFound
from vault.paging import Contact, StoredPage, StoredResponder
from vault.unit import Unit

AMINA = (Contact(method="telegram", value="9001"), Contact(method="sms", value="+12025550141"))
BILAL = (Contact(method="sms", value="+12025550142"), Contact(method="voice", value="+12025550142"))


async def enrol(house: House) -> tuple[StoredResponder, StoredResponder]:
    """Amina, who speaks Spanish, and Bilal, who speaks Arabic."""
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        await unit.responders.add("Amina", ["es"], AMINA)
        await unit.responders.add("Bilal", ["ar"], BILAL)
        amina, bilal = await unit.responders.all()
    return amina, bilal


async def emergency(house: House, **changes: object) -> Case:
    """A case in danger, whose alert is open."""
    async with house.vault.unit() as unit:
        case = await open_case(unit, **({"level": Level.EMERGENCY} | changes))
        await house.pager.urgent(unit, case)
    return case


async def alert_of(unit: Unit, case: Case) -> paging.StoredAlert:
    """The alert of a case, which has one."""
    stored = await unit.alerts.of_case(case.id)
    assert stored is not None
    return stored


async def pages(house: House, case: Case) -> tuple[StoredPage, ...]:
    """The pages of a case."""
    async with house.vault.unit() as unit:
        return await unit.alerts.pages((await alert_of(unit, case)).id)


async def jobs(house: House, task: str) -> list[dict[str, str]]:
    """Arguments of the waiting jobs of one kind."""
    query = "SELECT args FROM procrastinate_jobs WHERE task_name = :task ORDER BY id"
    return [args for (args,) in await rows(house.vault, query, task=task)]


# Opening ----------------------------------------------------------------------------------------------------------


async def test_an_emergency_calls_whoever_speaks_the_language_first_and_asks_to_be_woken(house: House) -> None:
    amina, _ = await enrol(house)
    case = await emergency(house)
    (page,) = await pages(house, case)
    assert (page.responder_id, page.method, page.state) == (amina.id, "telegram", paging.PageState.WAITING)
    assert await jobs(house, "page") == [{"page": str(page.id)}]
    (wake,) = await jobs(house, "wake")
    assert wake.keys() == {"alert", "timer"}


@pytest.mark.parametrize("level", [Level.INFORMATION, Level.STANDARD])
async def test_a_calm_case_calls_nobody(house: House, level: Level) -> None:
    await enrol(house)
    async with house.vault.unit() as unit:
        case = await open_case(unit, level=level)
        await house.pager.urgent(unit, case)
        assert await unit.alerts.of_case(case.id) is None


async def test_the_same_danger_seen_again_opens_no_second_alert(house: House) -> None:
    await enrol(house)
    case = await emergency(house)
    async with house.vault.unit() as unit:
        await house.pager.urgent(unit, case)
    assert len(await pages(house, case)) == 1
    assert len(await rows(house.vault, "SELECT 1 FROM alerts")) == 1


async def test_an_alert_that_is_rolled_back_calls_nobody(house: House) -> None:
    await enrol(house)

    async def fail() -> None:
        async with house.vault.unit() as unit:
            await house.pager.urgent(unit, await open_case(unit, level=Level.EMERGENCY))
            raise NotFound

    with pytest.raises(NotFound):
        await fail()
    for table in ("alerts", "pages", "procrastinate_jobs", "audit"):
        assert await rows(house.vault, f"SELECT 1 FROM {table}") == [], table  # noqa: S608 - fixed names


async def test_with_nobody_on_the_rota_the_outside_number_is_called(house: House, clock: Clock) -> None:
    await found_team(house.vault)
    case = await emergency(house)
    for _ in range(20):
        clock.later(seconds=30)
        async with house.vault.unit() as unit:
            await house.pager.tick(unit, (await alert_of(unit, case)).id)
    found = await pages(house, case)
    assert found
    assert {(page.responder_id, page.method) for page in found} == {(None, "voice")}


# Waiting ----------------------------------------------------------------------------------------------------------


async def test_silence_brings_the_next_person_by_the_timer_or_by_a_look(house: House, clock: Clock) -> None:
    _, bilal = await enrol(house)
    for way in ("timer", "look"):
        case = await emergency(house)
        clock.later(seconds=61)
        async with house.vault.unit() as unit:
            alert = await alert_of(unit, case)
            if way == "timer":
                await house.pager.timed_out(unit, alert.id, alert.machine["timer"])
            else:
                await house.pager.tick(unit, alert.id)
        assert bilal.id in {page.responder_id for page in await pages(house, case)}, way


async def test_an_outdated_wake_up_changes_nothing(house: House, clock: Clock) -> None:
    await enrol(house)
    case = await emergency(house)
    clock.later(seconds=61)
    async with house.vault.unit() as unit:
        alert = await alert_of(unit, case)
        await house.pager.timed_out(unit, alert.id, alert.machine["timer"] - 1)
        assert (await alert_of(unit, case)).machine == alert.machine


async def test_a_page_that_failed_brings_the_next_method_at_once(house: House) -> None:
    amina, _ = await enrol(house)
    case = await emergency(house)
    (first,) = await pages(house, case)
    async with house.vault.unit() as unit:
        await house.pager.news(unit, first.id, PageState.FAILED, 30003)
    failed, second = await pages(house, case)
    assert (failed.state, failed.error) == (paging.PageState.FAILED, 30003)
    assert (second.responder_id, second.method) == (amina.id, "sms")


async def test_news_of_a_page_that_is_not_ours_is_said_to_be(house: House) -> None:
    async with house.vault.unit() as unit:
        with pytest.raises(NotFound):
            await house.pager.news(unit, uuid.uuid4(), PageState.DELIVERED)


async def test_late_news_of_a_page_takes_nothing_back(house: House) -> None:
    await enrol(house)
    case = await emergency(house)
    (page,) = await pages(house, case)
    async with house.vault.unit() as unit:
        for state in (PageState.DELIVERED, PageState.ACCEPTED, PageState.SENT):
            await house.pager.news(unit, page.id, state)
    (page,) = await pages(house, case)
    assert page.state is paging.PageState.DELIVERED


@pytest.mark.parametrize(("level", "target"), [(Level.STANDARD, 24), (Level.INFORMATION, 72)])
async def test_a_report_nobody_read_within_its_target_pages_too(
    house: House, clock: Clock, level: Level, target: int
) -> None:
    await enrol(house)
    async with house.vault.unit() as unit:
        unread = await open_case(unit, level=level, state=CaseState.OPEN)
        read = await open_case(unit, level=level, state=CaseState.OPEN, unread=False)
    for hours, ringing in ((target - 1, 0), (2, 1), (2, 1)):
        clock.later(hours=hours)
        async with house.vault.unit() as unit:
            for case in (unread, read):
                await house.pager.backstop(unit, case.id)
            assert len(await unit.alerts.ringing()) == ringing
    assert await pages(house, unread)


# Taking -----------------------------------------------------------------------------------------------------------


async def test_who_takes_it_has_it_and_the_calling_ends(house: House) -> None:
    amina, bilal = await enrol(house)
    case = await emergency(house)
    async with house.vault.unit() as unit:
        alert = await alert_of(unit, case)
        told = await house.pager.acknowledged(unit, alert.id, str(amina.id))
        assert (told.what, told.responder) == (Tell.TAKEN, str(amina.id))
        assert not (await alert_of(unit, case)).ringing
        again = await house.pager.acknowledged(unit, alert.id, str(bilal.id))
        assert (again.what, again.holders) == (Tell.ALREADY_TAKEN, (str(amina.id),))
        lines = [(line.action, line.subject) for line in await unit.audit.lines()]
        assert lines == [("alert.opened", f"case:{case.code}")]
    async with house.vault.unit() as unit:
        assert [line.action for line in await unit.audit.lines(limit=2)] == ["alert.acknowledged"] * 2


@pytest.mark.parametrize("who", [OUTSIDE, "member"])
async def test_the_outside_number_and_the_staff_can_take_it_too(house: House, who: str) -> None:
    await enrol(house)
    case = await emergency(house)
    async with house.vault.unit() as unit:
        name = str(uuid.uuid4()) if who == "member" else who
        told = await house.pager.acknowledged(unit, (await alert_of(unit, case)).id, name)
        assert told.what is Tell.TAKEN
        assert not (await alert_of(unit, case)).ringing


async def test_risk_to_life_needs_two_people_even_when_both_answer_at_once(house: House) -> None:
    amina, bilal = await enrol(house)
    case = await emergency(house, life_at_risk=True)
    async with house.vault.unit() as unit:
        alert = await alert_of(unit, case)

    async def take(who: StoredResponder) -> Tell:
        async with house.vault.unit() as unit:
            return (await house.pager.acknowledged(unit, alert.id, str(who.id))).what

    assert {*await asyncio.gather(take(amina), take(bilal))} == {Tell.NEEDS_SECOND, Tell.TAKEN}
    async with house.vault.unit() as unit:
        after = await alert_of(unit, case)
    assert not after.ringing
    assert sorted(after.machine["acks"]) == sorted([str(amina.id), str(bilal.id)])


async def test_a_closed_case_calls_nobody_any_more(house: House, clock: Clock) -> None:
    await enrol(house)
    case = await emergency(house)
    async with house.vault.unit() as unit:
        await house.pager.closed(unit, case)
        await house.pager.closed(unit, case)
        assert not (await alert_of(unit, case)).ringing
    clock.later(hours=1)
    async with house.vault.unit() as unit:
        await house.pager.tick(unit, (await alert_of(unit, case)).id)
    assert len(await pages(house, case)) == 1


@pytest.mark.parametrize(
    ("words", "takes"),
    [
        ("{code}", True), ("{code}!", True), ("{spaced}", True), ("1", False), ("", False), ("I can't", False),
        ("who is this?", False), ("STOP", False), ("2", False), ("in 1 hour", False), ("999999", False),
    ],
)  # fmt: skip
async def test_only_the_code_takes_a_page_in_writing(house: House, words: str, takes: bool) -> None:
    """A forged sender knows a responder's number, but not the code."""
    await enrol(house)
    case = await emergency(house)
    spaced = f"{case.code[:3]} {case.code[3:]}"
    async with house.vault.unit() as unit:
        meant = await house.pager.meant(unit, words.format(code=case.code, spaced=spaced))
        assert meant == ((await alert_of(unit, case)).id if takes else None)


async def test_others_who_were_called_hear_that_they_can_rest_without_a_word_of_the_report(
    house: House, clock: Clock
) -> None:
    amina, bilal = await enrol(house)
    case = await emergency(house)
    clock.later(seconds=61)
    async with house.vault.unit() as unit:
        alert = await alert_of(unit, case)
        await house.pager.tick(unit, alert.id)
        await house.pager.acknowledged(unit, alert.id, str(bilal.id))
    (told,) = await jobs(house, "deliver")
    async with house.vault.unit() as unit:
        parcel = await unit.outbox.look(uuid.UUID(told["parcel"]))
    assert parcel is not None
    assert (parcel.channel, parcel.value) == ("telegram", "9001")
    expected = {"code": case.code, "holders": "Bilal", "level": "", "link": ""}
    assert parcel.answer["text"] == house.phrases.text("page.not_yours", "es", house.line.mode, expected)
    assert amina.id != bilal.id


# What a page says -------------------------------------------------------------------------------------------------


def a_case(*, code: str, level: Level, language: str, channel: str) -> Case:
    """A case with secrets in every field that a page must not show."""
    return Case(
        id=uuid.uuid4(), code=code, state=CaseState.OPEN, level=level, life_at_risk=True, unread=True, waits=True,
        language=language, channel=channel, discreet=True, contact_rule="canary-rule", contact_hours="08-12",
        member_id=uuid.uuid4(), opened_at=START, changed_at=START + timedelta(days=1), filed_at=None, closed_at=None,
        public_key=b"canary-key",
    )  # fmt: skip


CASES = st.builds(
    a_case,
    code=st.integers(0, 999_999).map("{:06}".format),
    level=st.sampled_from(Level),
    language=st.sampled_from(["en", "es", "ar", "ti", "", "zz-canary"]),
    channel=st.sampled_from(["sms", "voice", "telegram", "canary-channel"]),
)


@given(
    case=CASES,
    method=st.sampled_from(MethodKind),
    tags=st.sampled_from([("en",), ("es", "en"), ("ar",), ("ti",), ()]),
)
def test_a_page_holds_code_level_language_and_link_and_nothing_else(
    silent_house: House, case: Case, method: MethodKind, tags: tuple[str, ...]
) -> None:
    house = silent_house
    page = StoredPage(
        id=uuid.uuid4(), alert_id=uuid.uuid4(), responder_id=None, method=method, state=paging.PageState.WAITING,
        error=None, created_at=START, sent_at=None,
    )  # fmt: skip
    responder = StoredResponder(id=uuid.uuid4(), name="Canary Name", languages=tags, contacts=AMINA)
    answer = page_answer(house, case, page, responder)
    spoken = method is MethodKind.VOICE
    known = house.phrases.locales.get(case.language)
    tag = next((t for t in tags if t in house.line.languages), "en")
    unknown = house.phrases.text("page.language_unknown", tag, house.line.mode, {})
    values = {
        "line": "Harbor House",
        "level": house.phrases.text(f"level.{case.level.word}", tag, house.line.mode, {}),
        "code": ", ".join(case.code) if spoken else case.code,
        "language": known.name if known else NAMES.get(case.language, unknown),
        "link": f"{CONSOLE}/cases/{case.code}",
    }
    phrase = "page.voice" if spoken else "page.text"
    assert answer.text == house.phrases.text(phrase, tag, house.line.mode, values)
    assert answer.language == tag
    assert [choice.id for choice in answer.choices] == (
        [f"page:{page.id}:take"] if method is MethodKind.TELEGRAM else []
    )
    assert all(telling not in str(answer.to_json()) for telling in ("Canary", "canary-channel", "+1202", str(case.id)))
