"""Before a shift every way to its responder is tried; what fails is told, and never keeps a page from going out."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from bot.house import House
from bot.readiness import look
from bot.responders import Responders
from bot.sending import Sending
from channels.messages import (
    Address,
    Answer,
    Capabilities,
    ChannelName,
    Delivery,
    DeliveryState,
    Incoming,
    IncomingKind,
    Outgoing,
    Receipt,
    Receive,
    Refused,
    Report,
    SendError,
)
from tests.houses import LINE, a_line
from tests.vaults import Clock, found_team, open_case, rows
from triage.levels import Level
from vault.paging import Contact, StoredResponder
from vault.reach import Reach, Why, reach
from vault.rota import Check, Ready

NOON = datetime(2026, 3, 2, 11, tzinfo=UTC)  # 12:00 in Madrid, an hour and a half after the clock's start
CALENDAR = """\
on_call:
  - {members: [Amina, Bilal], start: 2026-03-01, days: 1, handover: "12:00", time_zone: Europe/Madrid}
"""
AMINA = (
    Contact(method="telegram", value="9001"),
    Contact(method="sms", value="+12025550141"),
    Contact(method="sms", value="+12025550149"),
)
BILAL = (Contact(method="sms", value="+12025550142"), Contact(method="voice", value="+12025550142"))
CARLA = (Contact(method="sms", value="+12025550143"),)


@dataclass(slots=True)
class Phones:
    """A channel that takes everything, or refuses it."""

    name: ChannelName
    refusal: SendError | None = None
    sent: list[Outgoing] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        raise AssertionError("nothing asks for them")

    def routes(self, receive: Receive, report: Report, refused: Refused) -> Sequence[web.RouteDef]:
        return ()

    async def erase_copy(self, copy: str) -> bool:
        return True

    async def send(self, outgoing: Outgoing) -> Receipt:
        if self.refusal:
            raise self.refusal
        self.sent.append(outgoing)
        return Receipt(id=str(uuid.uuid4()), state=DeliveryState.ACCEPTED, copies=())

    async def close(self) -> None:
        return None


@dataclass(slots=True)
class Line:
    """A house with a calendar and phones. Bilal's shift begins at noon; Carla coordinates."""

    house: House
    sms: Phones
    voice: Phones
    people: dict[str, StoredResponder] = field(default_factory=dict)

    async def before(self) -> None:
        """What the worker does every minute, and what comes of it."""
        await look(self.house)
        query = "DELETE FROM procrastinate_jobs WHERE task_name = :task AND status = 'todo' RETURNING args"
        sending = Sending(self.house)
        for task, act in (("ask_ready", sending.ask_ready), ("deliver", sending.deliver)):
            async with self.house.vault.unit() as unit:
                found = await _taken(unit, query, task)
            for args in found:
                await act(**args)

    async def checks(self) -> dict[str, Check]:
        """What is known of the shift's questions, by contact."""
        async with self.house.vault.unit() as unit:
            return {check.contact: check for check in await unit.readiness.newest()}

    async def reply(self, text: str, *, value: str, channel: ChannelName = ChannelName.SMS, **more: object) -> Answer:
        incoming = Incoming(
            id=str(uuid.uuid4()),
            address=Address(channel=channel, value=value),
            kind=more.pop("kind", IncomingKind.TEXT),  # type: ignore[arg-type]  # a kind, or the default
            text=text,
            **more,  # type: ignore[arg-type]  # fields of many types
        )
        async with self.house.vault.unit() as unit:
            answer = await Responders(self.house).reply(unit, incoming)
        assert answer is not None
        return answer


async def _taken(unit: object, query: str, task: str) -> list[dict[str, str]]:
    from sqlalchemy import text

    found = await unit.transaction.connection.execute(text(query), {"task": task})  # type: ignore[attr-defined]  # it is a unit
    return [args for (args,) in found]


@pytest.fixture
async def line(house: House) -> Line:
    sms, voice = Phones(name=ChannelName.SMS), Phones(name=ChannelName.VOICE)
    facts = a_line(LINE + CALENDAR)
    made = replace(
        house,
        line=facts,
        pager=replace(house.pager, line=facts),
        channels={ChannelName.SMS: sms, ChannelName.VOICE: voice},
    )
    await found_team(made.vault)
    async with made.vault.unit() as unit:
        await unit.responders.add("Amina", ["es"], AMINA)
        await unit.responders.add("Bilal", ["es"], BILAL)
        await unit.responders.add("Carla", ["en"], CARLA, coordinator=True)
        people = {r.name: r for r in await unit.responders.all()}
    return Line(made, sms, voice, people)


async def test_every_method_is_asked_once_before_the_shift_and_in_the_responder_s_language(line: Line) -> None:
    await line.before()
    await line.before()
    (text,) = line.sms.sent
    assert text.answer.text == "Harbor House: su turno empieza a las 12:00. Responda OK."
    assert text.address.value == "+12025550142"
    (call,) = line.voice.sent
    assert "Pulse 1 para confirmar" in call.answer.text
    assert {key: (c.state, c.shift_at) for key, c in (await line.checks()).items()} == {
        "sms": (Ready.ASKED, NOON),
        "voice": (Ready.ASKED, NOON),
    }


async def test_who_is_on_duty_already_is_not_asked_again(line: Line, clock: Clock) -> None:
    clock.later(hours=2)  # Bilal has begun
    await line.before()
    assert not line.sms.sent
    assert not line.voice.sent


@pytest.mark.parametrize("minutes", [0, 60])
async def test_the_policy_says_how_long_before_and_nought_is_never(line: Line, minutes: int) -> None:
    facts = a_line(f"{LINE}{CALENDAR}rota: {{readiness_minutes: {minutes}}}\n")
    line.house = replace(line.house, line=facts, pager=replace(line.house.pager, line=facts))
    await line.before()
    assert not line.sms.sent


@pytest.mark.parametrize("words", ["OK", "ok.", " Okay ", "1", "ＯＫ"])
async def test_ok_from_the_number_that_was_asked_proves_this_method_and_no_other(line: Line, words: str) -> None:
    await line.before()
    answer = await line.reply(words, value="+12025550142")
    assert answer.text == "Gracias. Aquí podemos contactarle."
    assert {k: c.state for k, c in (await line.checks()).items()} == {"sms": Ready.READY, "voice": Ready.ASKED}


async def test_the_key_1_on_the_call_proves_it_and_a_voicemail_box_does_not(line: Line) -> None:
    await line.before()
    check = str((await line.checks())["voice"].id)
    on_the_call = {"value": "+12025550142", "channel": ChannelName.VOICE, "reference": check}
    again = await line.reply("", kind=IncomingKind.SILENCE, **on_the_call)  # type: ignore[arg-type]  # as above
    assert again.text == "Pulse 1 para confirmar su turno de las 12:00."
    assert (await line.checks())["voice"].state is Ready.ASKED
    await line.reply("1", kind=IncomingKind.DIGITS, **on_the_call)  # type: ignore[arg-type]  # as above
    assert (await line.checks())["voice"].state is Ready.READY


async def test_somebody_else_who_knows_the_id_proves_nothing(line: Line) -> None:
    await line.before()
    check = str((await line.checks())["voice"].id)
    await line.reply("1", value="+12025550141", channel=ChannelName.VOICE, kind=IncomingKind.DIGITS, reference=check)
    assert (await line.checks())["voice"].state is Ready.ASKED


async def test_the_button_on_telegram_proves_it(line: Line, clock: Clock) -> None:
    clock.later(hours=24)  # Amina's turn comes
    telegram = Phones(name=ChannelName.TELEGRAM)
    line.house = replace(line.house, channels={**line.house.channels, ChannelName.TELEGRAM: telegram})
    await line.before()
    (button,) = telegram.sent[0].answer.choices
    await line.reply(button.id, value="9001", channel=ChannelName.TELEGRAM, kind=IncomingKind.CHOICE)
    assert (await line.checks())["telegram"].state is Ready.READY


async def test_two_numbers_of_one_kind_are_two_methods(line: Line, clock: Clock) -> None:
    clock.later(hours=24)
    await line.before()
    assert [sent.address.value for sent in line.sms.sent] == ["+12025550141", "+12025550149"]
    await line.reply("OK", value="+12025550149")
    states = {key: check.state for key, check in (await line.checks()).items()}
    assert states["sms"] is Ready.ASKED
    assert states["sms-2"] is Ready.READY


async def test_no_answer_in_time_is_told_once_to_the_responder_and_to_every_coordinator(
    line: Line, clock: Clock
) -> None:
    await line.before()
    await line.reply("OK", value="+12025550142")
    line.sms.sent.clear()
    clock.later(minutes=46)
    await line.before()
    await line.before()
    told = {sent.address.value: sent.answer.text for sent in line.sms.sent}
    assert told == {
        "+12025550142": "Harbor House: no logramos contactarle por llamada antes de su turno de las 12:00. "
        "Los avisos le siguen llegando. Revise su teléfono.",
        "+12025550143": "Harbor House: Bilal was not reached by call before the shift at 12:00. "
        "Pages still go there. Call them, or plan a swap.",
    }
    assert len(line.sms.sent) == 2
    assert (await line.checks())["voice"].state is Ready.MISSED


async def test_a_method_that_the_provider_refuses_has_failed_with_its_number(line: Line, clock: Clock) -> None:
    line.voice.refusal = SendError(21211, retry=False, say="x")
    await line.before()
    check = (await line.checks())["voice"]
    assert (check.state, check.error) == (Ready.FAILED, 21211)


async def test_a_text_that_did_not_arrive_has_failed_too(line: Line) -> None:
    await line.before()
    check = (await line.checks())["sms"]
    news = Delivery(reference=str(check.id), state=DeliveryState.FAILED, error=30003)
    await Sending(line.house).report(news)
    check = (await line.checks())["sms"]
    assert (check.state, check.error) == (Ready.FAILED, 30003)


async def test_a_late_ok_still_counts(line: Line, clock: Clock) -> None:
    await line.before()
    clock.later(minutes=50)
    await line.before()
    await line.reply("OK", value="+12025550142")
    assert (await line.checks())["sms"].state is Ready.READY


async def test_nothing_of_it_pages_anybody_and_whoever_failed_is_paged_like_everybody_else(
    line: Line, clock: Clock
) -> None:
    await line.before()
    clock.later(minutes=95)  # the shift has begun, and Bilal never answered
    await line.before()
    assert await rows(line.house.vault, "SELECT * FROM alerts") == []
    async with line.house.vault.unit() as unit:
        case = await open_case(unit, level=Level.EMERGENCY)
        await line.house.pager.urgent(unit, case)
        alert = await unit.alerts.of_case(case.id)
        assert alert is not None
        (page,) = await unit.alerts.pages(alert.id)
    assert page.responder_id == line.people["Bilal"].id


async def test_while_an_alert_rings_the_phone_is_kept_free(line: Line) -> None:
    async with line.house.vault.unit() as unit:
        case = await open_case(unit, level=Level.EMERGENCY)
        await line.house.pager.urgent(unit, case)
    await line.before()
    assert not line.voice.sent
    assert await rows(line.house.vault, "SELECT 1 FROM procrastinate_jobs WHERE task_name = 'ask_ready'")


async def test_what_is_known_of_a_method_is_the_newest_of_pages_and_questions(line: Line, clock: Clock) -> None:
    await line.before()
    clock.later(minutes=50)
    await line.before()
    bilal = line.people["Bilal"].id

    async def known() -> dict[tuple[uuid.UUID, str], Why]:
        async with line.house.vault.unit() as unit:
            found: tuple[Reach, ...] = await reach(unit.alerts, unit.readiness, unit.transaction.now)
        return {(r.responder_id, r.contact): r.why for r in found}

    assert await known() == {(bilal, "sms"): Why.MISSED, (bilal, "voice"): Why.MISSED}
    clock.later(minutes=60)
    async with line.house.vault.unit() as unit:
        case = await open_case(unit, level=Level.EMERGENCY)
        await line.house.pager.urgent(unit, case)
        alert = await unit.alerts.of_case(case.id)
        assert alert is not None
        (page,) = await unit.alerts.pages(alert.id)
    await Sending(line.house).report(Delivery(reference=str(page.id), state=DeliveryState.DELIVERED))
    assert await known() == {(bilal, "sms"): Why.WORKS, (bilal, "voice"): Why.MISSED}


async def test_old_shifts_are_forgotten(line: Line, clock: Clock) -> None:
    await line.before()
    async with line.house.vault.unit() as unit:
        await unit.readiness.forget_before(unit.transaction.now + timedelta(days=2))
    assert await line.checks() == {}
