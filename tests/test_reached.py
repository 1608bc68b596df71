"""A human is reached, and stays: reminders, late and wrong codes, STOP, stuck work, dead workers; on a real vault."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text, update

from bot.desk import Desk
from bot.house import House
from bot.jobs import Jobs
from bot.lookout import Lookout, look_round
from bot.notices import whom
from bot.pager import STILL
from bot.responders import Responders
from bot.sending import Sending
from channels.messages import (
    Address,
    Answer,
    ChannelName,
    Delivery,
    DeliveryState,
    Expect,
    Incoming,
    IncomingKind,
    Outgoing,
    Receipt,
    SendError,
)
from dialogs.conversation import Mode
from tests.test_pager import AMINA, BILAL, alert_of, emergency, enrol, jobs, pages
from tests.vaults import START, Clock, found_team, open_case, rows
from triage.alerts import Alert, AlertState, PageState, Tell
from triage.levels import Level
from triage.review import CaseState
from triage.rota import Responder, Rota
from vault import tables
from vault.cases import Case
from vault.members import Member, Role
from vault.paging import Contact, StoredResponder

OUTSIDE_NUMBER = "+12025550190"


async def machine(house: House, case: Case) -> Alert:
    """The alert of a case as triage sees it."""
    async with house.vault.unit() as unit:
        return Alert.from_json((await alert_of(unit, case)).machine)


async def take(house: House, case: Case, who: StoredResponder) -> Tell:
    """Somebody says that they have it."""
    async with house.vault.unit() as unit:
        return (await house.pager.acknowledged(unit, (await alert_of(unit, case)).id, str(who.id))).what


async def tick(house: House, case: Case) -> None:
    """A regular look at one alert."""
    async with house.vault.unit() as unit:
        await house.pager.tick(unit, (await alert_of(unit, case)).id)


async def staff_do(house: House, case: Case, action: str) -> None:
    """A member does something, as the audit trail knows it."""
    async with house.vault.unit() as unit:
        unit.audit.add(action, f"case:{case.code}", actor=f"member:{uuid.uuid4()}")


async def parcels(house: House) -> list[tuple[str, str, str]]:
    """(channel, text, first button) of everything that waits in the outbox."""
    found = []
    async with house.vault.unit() as unit:
        for args in await jobs(house, "deliver"):
            parcel = await unit.outbox.look(uuid.UUID(args["parcel"]))
            if parcel:
                answer = Answer.from_json(parcel.answer)
                found.append((parcel.channel, answer.text, answer.choices[0].id if answer.choices else ""))
    return found


async def says(house: House, contact: Contact, words: str, kind: IncomingKind = IncomingKind.TEXT) -> Answer:
    """What a responder is answered."""
    address = Address(channel=ChannelName(contact.method), value=contact.value)
    incoming = Incoming(id=str(uuid.uuid4()), address=address, kind=kind, text=words)
    async with house.vault.unit() as unit:
        answer = await Responders(house).reply(unit, incoming)
    assert answer is not None
    return answer


def phrase(house: House, key: str, language: str, **values: str) -> str:
    return house.phrases.text(key, language, Mode.PLAIN, values)


# Still on it? -----------------------------------------------------------------------------------------------------


async def test_a_case_that_was_taken_and_not_opened_is_offered_to_others_and_its_holder_is_told(
    house: House, clock: Clock
) -> None:
    amina, bilal = await enrol(house)
    case = await emergency(house)
    await take(house, case, amina)
    clock.later(seconds=601)
    await tick(house, case)
    assert (await machine(house, case)).state is AlertState.RINGING
    assert (await pages(house, case))[-1].responder_id == bilal.id
    assert ("telegram", phrase(house, "page.lapsed", "es", code=case.code), "") in await parcels(house)


@pytest.mark.parametrize("action", ["case.opened", "case.answered", "case.noted", "case.assigned"])
async def test_what_staff_do_counts_and_saying_i_have_it_does_not(house: House, clock: Clock, action: str) -> None:
    amina, _ = await enrol(house)
    case = await emergency(house)
    await take(house, case, amina)
    clock.later(minutes=5)
    await staff_do(house, case, "case.acknowledged")
    await staff_do(house, await emergency(house), action)
    clock.later(minutes=4)
    await staff_do(house, case, action)
    clock.later(minutes=2)
    await tick(house, case)
    assert (await machine(house, case)).state is AlertState.ACKNOWLEDGED


async def test_work_on_another_case_or_a_mere_promise_does_not_count(house: House, clock: Clock) -> None:
    amina, _ = await enrol(house)
    case = await emergency(house)
    await take(house, case, amina)
    clock.later(minutes=5)
    for action in ("case.acknowledged", "case.released"):
        await staff_do(house, case, action)
    await staff_do(house, await emergency(house), "case.opened")
    clock.later(minutes=6)
    await tick(house, case)
    assert (await machine(house, case)).state is AlertState.RINGING


async def test_still_on_it_is_asked_in_writing_with_a_button_and_the_button_answers_it(
    house: House, clock: Clock
) -> None:
    amina, _ = await enrol(house)
    case = await emergency(house)
    await take(house, case, amina)
    await staff_do(house, case, "case.opened")
    clock.later(minutes=32)
    await tick(house, case)
    alert = await machine(house, case)
    link = f"{house.settings.console_url}/cases/{case.code}"
    asked = ("telegram", phrase(house, "page.still", "es", code=case.code, link=link), f"{STILL}:{alert.id}")
    assert asked in await parcels(house)
    clock.later(minutes=4)
    answer = await says(house, AMINA[0], f"{STILL}:{alert.id}", IncomingKind.CHOICE)
    assert answer.text == phrase(house, "page.taken", "es", code=case.code, link=link)
    clock.later(minutes=2)
    await tick(house, case)
    assert (await machine(house, case)).state is AlertState.ACKNOWLEDGED


async def test_whoever_has_only_a_telephone_is_asked_by_a_call(house: House, clock: Clock) -> None:
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        await unit.responders.add("Chen", ["en"], [Contact(method="voice", value="+12025550143")])
        (chen,) = await unit.responders.all()
    case = await emergency(house)
    await take(house, case, chen)
    await staff_do(house, case, "case.opened")
    clock.later(minutes=32)
    await tick(house, case)
    page = (await pages(house, case))[-1]
    assert page.method == STILL
    provider = Provider()
    await Sending(with_channels(house, voice=provider)).page(str(page.id))
    ((value, said),) = provider.sent
    assert (value, said) == ("+12025550143", phrase(house, "page.still_voice", "en", code=", ".join(case.code)))
    address = Address(channel=ChannelName.VOICE, value="+12025550143")
    key = Incoming(id="k", address=address, kind=IncomingKind.DIGITS, text="1", reference=str(page.id))
    async with house.vault.unit() as unit:
        answer = await Responders(house).reply(unit, key)
    assert answer is not None
    assert answer.text == phrase(house, "page.taken_voice", "en", code=", ".join(case.code))
    assert (await machine(house, case)).asked_at is None


async def test_no_answer_to_the_question_calls_the_next_person(house: House, clock: Clock) -> None:
    amina, bilal = await enrol(house)
    case = await emergency(house)
    await take(house, case, amina)
    await staff_do(house, case, "case.opened")
    clock.later(minutes=32)
    await tick(house, case)
    clock.later(minutes=6)
    await tick(house, case)
    assert (await pages(house, case))[-1].responder_id == bilal.id


async def test_nobody_is_asked_once_the_person_has_an_answer(house: House, clock: Clock) -> None:
    amina, _ = await enrol(house)
    case = await emergency(house)
    await take(house, case, amina)
    async with house.vault.unit() as unit:
        await unit.cases.change(case.id, state=CaseState.ANSWERED, waits=False, unread=False)
    clock.later(hours=8)
    await tick(house, case)
    assert (await machine(house, case)).settled
    assert await parcels(house) == []


async def test_a_reminder_whose_wake_up_was_lost_is_found_by_the_watch(house: House, clock: Clock) -> None:
    amina, bilal = await enrol(house)
    case = await emergency(house)
    await take(house, case, amina)
    clock.later(seconds=601)
    async with house.vault.jobs.open_async():
        await Lookout(house, "urgent").watch(0)
    assert (await pages(house, case))[-1].responder_id == bilal.id
    async with house.vault.unit() as unit:
        assert await unit.alerts.following(clock.now) == ()


# Taking -----------------------------------------------------------------------------------------------------------


class Provider:
    """A channel that notes what it was given, or refuses it with one error."""

    def __init__(self, error: SendError | None = None) -> None:
        self.error = error
        self.sent: list[tuple[str, str]] = []

    async def send(self, outgoing: Outgoing) -> Receipt:
        if self.error:
            raise self.error
        self.sent.append((outgoing.address.value, outgoing.answer.text))
        return Receipt(id="x", copies=())


def with_channels(house: House, **channels: Any) -> House:
    return replace(house, channels={ChannelName(name): channel for name, channel in channels.items()})


async def test_a_page_that_was_queued_before_somebody_took_the_case_is_not_sent(house: House) -> None:
    amina, bilal = await enrol(house)
    case = await emergency(house)
    (queued,) = await pages(house, case)
    await take(house, case, bilal)
    provider = Provider()
    await Sending(with_channels(house, telegram=provider)).page(str(queued.id))
    assert provider.sent == []
    assert amina.id == queued.responder_id


async def test_a_page_to_whoever_already_has_it_is_not_sent_while_a_second_person_is_looked_for(house: House) -> None:
    amina, _ = await enrol(house)
    case = await emergency(house, life_at_risk=True)
    (queued,) = await pages(house, case)
    assert await take(house, case, amina) is Tell.NEEDS_SECOND
    provider = Provider()
    sending = Sending(with_channels(house, telegram=provider, sms=provider))
    await sending.page(str(queued.id))
    assert provider.sent == []
    await sending.page(str((await pages(house, case))[-1].id))
    assert len(provider.sent) == 1


async def test_one_human_answering_by_two_methods_is_one_of_the_two_that_are_needed(house: House) -> None:
    await enrol(house)
    case = await emergency(house, life_at_risk=True)
    await says(house, AMINA[0], case.code)
    answer = await says(house, AMINA[1], case.code)
    link = f"{house.settings.console_url}/cases/{case.code}"
    assert answer.text == phrase(house, "page.needs_second", "es", code=case.code, link=link)
    assert (await machine(house, case)).live


@pytest.mark.parametrize("written", ["Amina", "  amina ", "AMINA", "\uff21mina"])
async def test_a_member_and_a_responder_who_are_one_human_count_once(house: House, written: str) -> None:
    await enrol(house)
    case = await emergency(house, life_at_risk=True)
    await says(house, AMINA[0], case.code)
    member = Member(id=uuid.uuid4(), name=written, role=Role.REVIEWER)
    async with house.vault.unit() as unit:
        await Desk(house=house).acknowledge(unit, case, member)
    assert len((await machine(house, case)).acks) == 1


async def test_the_outside_number_that_is_somebodys_own_phone_counts_as_them(house: House, clock: Clock) -> None:
    await found_team(house.vault)
    own = Contact(method="voice", value=OUTSIDE_NUMBER)
    async with house.vault.unit() as unit:
        await unit.responders.add("Dina", ["en"], [own])
        (dina,) = await unit.responders.all()
    case = await emergency(house, life_at_risk=True)
    await take(house, case, dina)
    for _ in range(12):
        clock.later(seconds=61)
        await tick(house, case)
    outside = next(page for page in await pages(house, case) if page.responder_id is None)
    address = Address(channel=ChannelName.VOICE, value=OUTSIDE_NUMBER)
    key = Incoming(id="k", address=address, kind=IncomingKind.DIGITS, text="1", reference=str(outside.id))
    async with house.vault.unit() as unit:
        await Responders(house).reply(unit, key)
    assert (await machine(house, case)).acks == (str(dina.id),)


async def test_a_wrong_code_is_answered_with_those_that_ring(house: House) -> None:
    await enrol(house)
    first, second = await emergency(house), await emergency(house)
    answer = await says(house, BILAL[0], "000000" if first.code != "000000" else "111111")
    codes = ", ".join(sorted([first.code, second.code]))
    assert answer.text == phrase(house, "page.which", "ar", codes=codes)
    await says(house, BILAL[0], second.code)
    answer = await says(house, BILAL[0], "hello?")
    assert answer.text == phrase(house, "page.which", "ar", codes=first.code), "not what they have already"


async def test_a_responder_who_calls_the_line_back_keys_the_code_in(house: House) -> None:
    await enrol(house)
    case = await emergency(house)
    call = Contact(method="voice", value=BILAL[0].value)
    answer = await says(house, call, "", IncomingKind.STARTED)
    assert answer.text == phrase(house, "page.which_voice", "ar", codes=", ".join(case.code))
    assert answer.expect is Expect.CODE
    answer = await says(house, call, case.code, IncomingKind.DIGITS)
    assert answer.text == phrase(house, "page.taken_voice", "ar", code=", ".join(case.code))
    assert not (await machine(house, case)).live


async def test_a_late_code_says_who_has_it_and_when_nothing_rings_an_unknown_one_says_so(house: House) -> None:
    _, bilal = await enrol(house)
    case = await emergency(house)
    await take(house, case, bilal)
    answer = await says(house, AMINA[0], case.code)
    values = {"code": case.code, "holders": "Bilal", "level": "", "link": ""}
    assert answer.text == phrase(house, "page.not_yours", "es", **values)
    assert (await says(house, AMINA[0], "I am here")).text == phrase(house, "page.unknown_code", "es")


async def test_a_code_means_one_case_for_as_long_as_its_row_is_kept(house: House) -> None:
    """Dice that fall alike: the second case draws again, also when the first one was closed meanwhile."""
    await found_team(house.vault)
    falls = iter([7, 7, 7, 8])
    async with house.vault.unit() as unit:
        first = await unit.cases.open(language="es", channel="sms", level=Level.HIGH, dice=lambda _: next(falls))
        await unit.cases.change(first.id, state=CaseState.ERASED)
        second = await unit.cases.open(language="es", channel="sms", level=Level.HIGH, dice=lambda _: next(falls))
    assert (first.code, second.code) == ("000007", "000008")


# STOP -------------------------------------------------------------------------------------------------------------


async def test_stop_from_a_responder_silences_no_rota_and_tells_somebody_else(house: House, clock: Clock) -> None:
    _, bilal = await enrol(house)
    answer = await says(house, BILAL[0], "Stop")
    assert answer.text == phrase(house, "page.stopped", "ar", line="Harbor House")
    notices = [phrase(house, "page.stopped_notice", "es", name="Bilal", line="Harbor House")]
    assert [words for _, words, _ in await parcels(house)] == notices
    await says(house, BILAL[0], "STOP")
    assert len(await parcels(house)) == 1, "told once"
    case = await emergency(house, language="ar")
    assert (await pages(house, case))[0].responder_id == bilal.id
    clock.later(hours=1)
    answer = await says(house, BILAL[0], "START")
    assert answer.text == phrase(house, "page.ready", "ar", line="Harbor House")
    assert len(await parcels(house)) == 2


async def test_start_without_a_stop_tells_nobody(house: House) -> None:
    await enrol(house)
    await says(house, BILAL[0], "start")
    assert await parcels(house) == []


@pytest.mark.parametrize("way", ["at once", "later"])
async def test_a_text_that_is_blocked_brings_the_next_method_and_tells_somebody_else(house: House, way: str) -> None:
    _, bilal = await enrol(house)
    case = await emergency(house, language="ar")
    (first,) = await pages(house, case)
    blocked = SendError(21610, retry=False, say="They wrote STOP.")
    sending = Sending(with_channels(house, sms=Provider(blocked if way == "at once" else None)))
    await sending.page(str(first.id))
    if way == "later":
        news = Delivery(reference=str(first.id), state=DeliveryState.FAILED, error=21610)
        await sending.report(news)
    assert [(p.responder_id, p.method) for p in await pages(house, case)] == [(bilal.id, "sms"), (bilal.id, "voice")]
    assert len(await parcels(house)) == 1


async def test_when_one_provider_is_down_the_others_are_used_and_when_all_are_everything_is_tried(
    house: House, clock: Clock
) -> None:
    """Twilio first, then Telegram too: no page waits for its time when a provider says no."""
    await enrol(house)
    down = SendError(None, retry=True, say="It cannot be reached.")
    twilio, telegram = Provider(down), Provider()
    sending = Sending(with_channels(house, sms=twilio, voice=twilio, telegram=telegram))
    case = await emergency(house, language="ar")
    await _send_all(house, sending, case)
    assert [value for value, _ in telegram.sent] == ["9001"], "Bilal has only Twilio, so Amina is called at once"
    telegram.error = down
    clock.later(seconds=26)
    await tick(house, case)
    for _ in range(4):
        await _send_all(house, sending, case)
        clock.later(seconds=130)
        await tick(house, case)
    tried = {(p.responder_id, p.method) for p in await pages(house, case)}
    assert len(tried) == 5, "both people by every method, and the outside number"
    assert (await machine(house, case)).state is AlertState.LAST_RESORT


async def _send_all(house: House, sending: Sending, case: Case) -> None:
    """Send what waits, and what that brings about, until nothing waits."""
    while waiting := [p for p in await pages(house, case) if p.state.value == "waiting"]:
        for page in waiting:
            await sending.page(str(page.id))


# Backstop and trouble ---------------------------------------------------------------------------------------------


async def test_words_that_nothing_could_read_for_minutes_page_a_human(house: House, clock: Clock) -> None:
    await enrol(house)
    async with house.vault.unit() as unit:
        mute, read = await open_case(unit), await open_case(unit, unread=False)
        for case in (mute, read):
            await unit.unread_words.put(case.id, "zzz", "es")
    async with house.vault.jobs.open_async():
        await Lookout(house, "urgent").watch(0)
        assert await rows(house.vault, "SELECT 1 FROM alerts") == []
        clock.later(minutes=7)
        await Lookout(house, "urgent").watch(0)
        await Lookout(house, "urgent").watch(0)
    assert await rows(house.vault, "SELECT case_id FROM alerts") == [(mute.id,)]
    assert await rows(house.vault, "SELECT level FROM cases ORDER BY level") == [(1,), (2,)]
    assert len(await pages(house, mute)) == 1


async def test_a_broken_alert_keeps_no_other_from_being_watched(
    house: House, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    amina, _ = await enrol(house)
    broken, other = await emergency(house), await emergency(house)
    for case in (broken, other):
        await take(house, case, amina)
    clock.later(seconds=601)
    async with house.vault.unit() as unit:
        bad = {**(await alert_of(unit, broken)).machine, "version": 99}
        query = update(tables.alerts).where(tables.alerts.c.case_id == broken.id).values(machine=bad)
        await unit.transaction.connection.execute(query)
    async with house.vault.jobs.open_async():
        await Lookout(house, "urgent").watch(0)
    assert house.counts["watch_failed"] == 1
    assert (await machine(house, other)).state is AlertState.RINGING


async def _age_jobs(house: House, seconds: int) -> None:
    """All jobs were asked for so long ago, as the database's own clock says."""
    async with house.vault.engine.begin() as connection:
        query = "UPDATE procrastinate_events SET at = at - make_interval(secs => :s)"
        await connection.execute(text(query), {"s": seconds})
        query = "UPDATE procrastinate_jobs SET scheduled_at = scheduled_at - make_interval(secs => :s)"
        await connection.execute(text(query), {"s": seconds + 10_000_000})  # the tests' clock is not the database's


async def test_urgent_work_that_is_stuck_is_told_once_an_hour_with_nothing_of_any_case(
    house: House, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    Jobs(house).register(house.vault.jobs)
    await enrol(house)
    case = await emergency(house)
    async with house.vault.jobs.open_async():
        await _age_jobs(house, 61)
        for _ in range(3):
            await Lookout(house, "urgent").watch(0)
        notices = await parcels(house)
    assert len(notices) == 2, "no coordinator is named, so whoever is on call"
    assert all(case.code not in words for _, words, _ in notices)


async def test_work_that_was_given_up_is_told(house: House) -> None:
    await enrol(house)
    await emergency(house)
    async with house.vault.engine.begin() as connection:
        await connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
        await connection.execute(text("UPDATE procrastinate_jobs SET status = 'failed'"))
        await connection.execute(
            text("UPDATE procrastinate_events SET at = :at WHERE type = 'failed'"), {"at": house.world.now()}
        )
    async with house.vault.jobs.open_async():
        await Lookout(house, "urgent").watch(0)
    assert len(await parcels(house)) == 2


async def test_a_worker_that_is_gone_without_taking_its_leave_is_noticed_by_another(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    await enrol(house)
    add = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => :age)) RETURNING id"

    async def workers(ages: Sequence[float]) -> None:
        async with house.vault.engine.begin() as connection:
            await connection.execute(text("DELETE FROM procrastinate_workers"))
            for age in ages:
                await connection.execute(text(add), {"age": age})

    await workers([1, 2])
    seen = await look_round(house, {})
    assert len(seen) == 2
    await workers([])
    assert await look_round(house, seen) == {}
    assert await parcels(house) == [], "both had just shown a sign of life: they ended well"
    await workers([15])
    seen = await look_round(house, {})
    await workers([1])
    await look_round(house, seen)
    assert len(await parcels(house)) == 2


def test_a_coordinator_is_told_alone_otherwise_who_is_on_call_and_whom_it_is_about_last() -> None:
    ana, ben = Responder(id="ana", name="Ana"), Responder(id="ben", name="Ben")
    dina = Responder(id="dina", name="Dina", coordinator=True)

    def told(about: str, *people: Responder) -> list[str]:
        return [r.id for r in whom(Rota(responders=people), about, START)]

    assert told("ana", ana, ben, dina) == ["dina"]
    assert told("dina", ana, ben, dina) == ["ana", "ben"]
    assert told("ana", ana, ben) == ["ben"]
    assert told("ana", ana) == ["ana"]
    assert told("", ana, ben) == ["ana", "ben"]
    assert told("") == []


async def test_the_look_asks_for_a_heartbeat_once_a_minute_and_only_after_it_went_well(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    await enrol(house)
    case = await emergency(house)
    watched = replace(house, settings=replace(house.settings, heartbeat_url="http://127.0.0.1:1/x"))
    async with house.vault.jobs.open_async():
        for timestamp in range(0, 120, 10):
            await Jobs(watched).look(timestamp)
        assert len(await jobs(house, "beat")) == 2
        async with house.vault.unit() as unit:
            bad = {**(await alert_of(unit, case)).machine, "version": 99}
            await unit.transaction.connection.execute(update(tables.alerts).values(machine=bad))
        await Jobs(watched).look(120)
    assert len(await jobs(house, "beat")) == 2


async def test_late_news_of_a_failure_after_somebody_has_it_rings_nobody(house: House) -> None:
    amina, _ = await enrol(house)
    case = await emergency(house)
    (page,) = await pages(house, case)
    await take(house, case, amina)
    async with house.vault.unit() as unit:
        await house.pager.news(unit, page.id, PageState.FAILED, 30003)
    assert len(await pages(house, case)) == 1
