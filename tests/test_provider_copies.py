"""What providers hold: every record enters the ledger, goes when it is finished, and is asked for until it is gone."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import text

from bot.doctor import copies_findings
from bot.erasing import Erasing
from bot.house import House
from bot.sending import Sending
from carriers.faults import FaultKind
from carriers.numbers import Line
from channels.messages import Answer, ChannelName, Expect
from channels.sms import Sms
from channels.twilio import Twilio
from tests.channel_bench import account
from tests.subscriber import LINE, PERSON, RESPONDER
from tests.vaults import START, open_case, rows
from tests.wired import Wired, wired
from triage.levels import Level
from vault.delivery import HeldCopies, OutboxKind
from vault.paging import Contact

__all__ = ["wired"]  # fixture

DAYS = 2
SOON = range(120)  # minutes in which tries follow each other closely
OTHER_LINE = "+15550100777"
FAILED_JOB = text(
    "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) "
    "VALUES ('default', 'erase_copy', CAST(:args AS jsonb), 'failed')"
)
PHOTO = ("image/jpeg", b"\xff\xd8 a photo")


def held_by_twilio(wired: Wired) -> set[str]:
    """Every record of the account, by the names the ledger uses."""
    exchange = wired.exchange
    media = {f"messages/{m.sid}/media/{one.sid}" for m in exchange.messages for one in m.media}
    recordings = {f"recordings/{one['sid']}" for one in exchange.recordings.of()}
    return (
        {f"messages/{m.sid}" for m in exchange.messages}
        | media
        | {f"calls/{c.sid}" for c in exchange.calls}
        | recordings
    )


async def walks_to_its_end(wired: Wired) -> None:
    """Every text is delivered and told about."""
    async with asyncio.timeout(5):
        while any(m.status.value in {"queued", "sent"} for m in wired.exchange.messages):  # noqa: ASYNC110 - from outside
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)  # the last delivery news is on its way


async def text_in_and_out(wired: Wired) -> None:
    await wired.exchange.phone(PERSON).text("hello")
    await wired.exchange.phone(PERSON).receives()


async def photo_in(wired: Wired) -> None:
    await wired.exchange.phone(PERSON).text("see", media=(PHOTO, PHOTO))


async def long_answer_out(wired: Wired) -> None:
    answer = Answer(text="word " * 500, language="en", expect=Expect.NOTHING)
    async with wired.house.vault.unit() as unit:
        parcel = await unit.outbox.put(OutboxKind.RESPONDER, "sms", PERSON, answer.to_json())
    await Sending(wired.house).deliver(str(parcel))


async def call_in(wired: Wired) -> None:
    call = await wired.exchange.phone(PERSON).call()
    await call.hears()
    await call.hang_up()
    await call.ends()


async def pages_out(wired: Wired) -> None:
    """A page by text, answered by text, and a page by call, taken with a key."""
    house, phone = wired.house, wired.exchange.phone(RESPONDER)
    async with house.vault.unit() as unit:
        both = [Contact(method=method, value=RESPONDER) for method in ("sms", "voice")]
        responder = await unit.responders.add("Amina", ["en"], both)
        case = await open_case(unit, level=Level.EMERGENCY)
        await house.pager.urgent(unit, case)
        stored = await unit.alerts.of_case(case.id)
        assert stored is not None
        pages = [unit.transaction.new_id() for _ in both]
        for page, contact in zip(pages, both, strict=True):
            await unit.alerts.add_page(page, stored.id, responder, contact.method)
    for page in pages:
        await Sending(house).page(str(page))
    call = await phone.rings()
    call.answer()
    await call.press("1")
    await call.ends()
    await phone.text(case.code)


KINDS = (text_in_and_out, photo_in, long_answer_out, call_in, pages_out)


@pytest.mark.parametrize("happens", KINDS)
async def test_every_record_at_the_provider_is_in_the_ledger_and_goes(wired: Wired, happens: object) -> None:
    """Texts in and out, media, long answers in parts, calls in, pages by text and by call and their replies."""
    assert callable(happens)
    await happens(wired)
    await walks_to_its_end(wired)
    held = held_by_twilio(wired)
    assert held
    assert set(await wired.ledger()) == {wired.digest(resource) for resource in held}
    wired.clock.later(minutes=5)
    await wired.work("erase_copy")
    assert held_by_twilio(wired) == set()
    assert set((await wired.ledger()).values()) == {"erased"}


async def test_recordings_and_media_go_before_what_they_hang_on(wired: Wired) -> None:
    """Once a message or a call is deleted, Twilio does not tell any more what hung on it."""
    exchange, phone = wired.exchange, wired.exchange.phone(PERSON)
    call = await phone.call()
    await call.hang_up()
    exchange.recordings.keep(call.sid)
    other = exchange.recordings.keep("CAofsomebodyelse")
    await phone.text("see", media=(PHOTO,))
    (message,) = [m for m in exchange.messages if m.media]
    twilio = wired.house.channels[ChannelName.SMS]
    assert await twilio.erase_copy(f"messages/{message.sid}")
    asked = [target.removeprefix("twilio.") for target in exchange.requests if target.startswith("twilio.messages")]
    assert asked == ["messages.update", "messages.media", "messages.media", "messages.delete", "messages.fetch"]
    assert await twilio.erase_copy(f"calls/{call.sid}")
    assert [one["sid"] for one in exchange.recordings.of()] == [other.sid]
    assert await twilio.erase_copy(f"recordings/{other.sid}")
    assert exchange.recordings.of() == []


async def test_what_is_still_on_its_way_is_left_in_peace_and_deleted_when_it_is_finished(wired: Wired) -> None:
    """Twilio refuses with 20009 as long as a call goes on or a text is under way."""
    call = await wired.exchange.phone(PERSON).call()
    await call.hears()
    wired.clock.later(minutes=5)
    await wired.work("erase_copy")
    assert set((await wired.ledger()).values()) == {"held"}
    await call.hang_up()
    wired.clock.later(minutes=1)
    await wired.work("erase_copy")
    assert held_by_twilio(wired) == set()
    assert set((await wired.ledger()).values()) == {"erased"}


async def test_a_text_under_way_is_emptied_and_deleted_once_it_has_arrived(wired: Wired) -> None:
    wired.exchange.faults.add("delivery.sms", FaultKind.SLOW, seconds=1.0)
    async with wired.house.vault.unit() as unit:
        answer = Answer(text="come at six", language="en", expect=Expect.NOTHING)
        parcel = await unit.outbox.put(OutboxKind.RESPONDER, "sms", PERSON, answer.to_json())
    await Sending(wired.house).deliver(str(parcel))
    wired.clock.later(minutes=5)
    await wired.work("erase_copy")
    assert set((await wired.ledger()).values()) == {"held"}
    await walks_to_its_end(wired)
    wired.clock.later(minutes=1)
    await wired.work("erase_copy")
    assert held_by_twilio(wired) == set()


async def test_a_copy_the_provider_does_not_know_is_gone(wired: Wired) -> None:
    async with wired.house.vault.unit() as unit:
        for copy in await unit.copies.note("sms", ["messages/SMunknown", "messages/SMx/media/MEy", "recordings/REx"]):
            await unit.jobs.later("erase_copy", copy=copy)
    await wired.work("erase_copy")
    assert set((await wired.ledger()).values()) == {"erased"}


# For as long as it takes -------------------------------------------------------------------------------------------


async def note_one(wired: Wired) -> str:
    async with wired.house.vault.unit() as unit:
        (copy,) = await unit.copies.note("sms", ["messages/SM1"])
        await unit.jobs.later("erase_copy", copy=copy)
    return copy


async def test_a_copy_is_asked_for_less_and_less_often_but_for_as_long_as_it_is_held(wired: Wired) -> None:
    wired.exchange.faults.add("twilio.messages", FaultKind.ERROR, code=20003, times=None)
    await note_one(wired)
    asked = []
    for minute in range(DAYS * 24 * 60):
        if await wired.work("erase_copy") if minute in SOON or minute % 30 == 0 else 0:
            asked.append(wired.clock.now)
        wired.clock.later(minutes=1)
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= timedelta(minutes=2)
    assert max(pauses) == timedelta(hours=6)
    assert wired.clock.now - asked[-1] <= timedelta(hours=6)
    wired.exchange.faults.clear()
    wired.clock.later(hours=6)
    await wired.work("erase_copy")
    assert set((await wired.ledger()).values()) == {"erased"}, "after days, it goes as soon as it can"


async def test_a_provider_that_asks_for_more_time_is_given_it(wired: Wired) -> None:
    wired.exchange.faults.add("twilio.messages", FaultKind.ERROR, code=20009)
    await note_one(wired)
    await wired.work("erase_copy")
    ((at,),) = await rows(wired.house.vault, "SELECT scheduled_at FROM procrastinate_jobs")
    assert at - wired.clock.now >= timedelta(seconds=60)


async def test_held_copies_without_a_job_are_taken_up_by_the_hourly_sweep(wired: Wired) -> None:
    """A job can be lost: it failed for good, or the database was restored from a backup."""
    erasing = Erasing(wired.house)
    async with wired.house.vault.unit() as unit:
        lost = await unit.copies.note("sms", [f"messages/SM{number}" for number in range(3)])
        await unit.jobs.later("erase_copy", copy=lost[0])
        (gone,) = await unit.copies.note("sms", ["messages/SMgone"])
        await unit.copies.gone(gone)
    async with wired.house.vault.engine.begin() as connection:
        await connection.execute(FAILED_JOB, {"args": f'{{"copy": "{lost[1]}"}}'})
    await erasing.sweep(0)
    assert await wired.jobs("erase_copy") == 4, "one had a job, one has failed, two are new"
    await erasing.sweep(0)
    assert await wired.jobs("erase_copy") == 4, "a sweep enqueues nothing twice"
    wired.clock.later(minutes=5)
    await wired.work("erase_copy")
    assert set((await wired.ledger()).values()) == {"erased"}


async def test_a_sweep_takes_up_a_bounded_number_and_the_next_one_the_rest(wired: Wired) -> None:
    async with wired.house.vault.unit() as unit:
        await unit.copies.note("sms", [f"messages/SM{number}" for number in range(230)])
    await Erasing(wired.house).sweep(0)
    assert await wired.jobs("erase_copy") == 200
    await Erasing(wired.house).sweep(0)
    assert await wired.jobs("erase_copy") == 230


async def test_a_channel_that_is_not_set_up_any_more_keeps_its_copies_in_the_ledger(wired: Wired) -> None:
    copy = await note_one(wired)
    alone = replace(wired.house, channels={})
    await Erasing(alone).erase_copy(copy)
    assert set((await wired.ledger()).values()) == {"held"}
    assert await wired.jobs("erase_copy") == 2, "the first one, which this test did by hand, and its next try"


# What nobody told us of ----------------------------------------------------------------------------------------------


async def begun(wired: Wired) -> None:
    """The line's first audit line says since when it exists."""
    async with wired.house.vault.unit() as unit:
        unit.audit.add("test.began", "test")


async def test_what_was_missed_while_we_were_away_is_found_in_the_provider_s_own_list(wired: Wired) -> None:
    """A webhook that never came, and delivery news that was lost: only Twilio knows of those."""
    phone, exchange = wired.exchange.phone(PERSON), wired.exchange
    await phone.text("from before this line was set up")
    await walks_to_its_end(wired)
    old = held_by_twilio(wired)
    wired.clock.later(hours=1)
    await begun(wired)
    wired.clock.later(minutes=1)
    exchange.faults.add("webhook", FaultKind.DROP, times=None)
    await phone.text("nobody is at home")
    await (await phone.call()).ends()
    exchange.faults.clear()
    missed = held_by_twilio(wired) - old
    assert {name.split("/")[0] for name in missed} == {"messages", "calls"}
    erasing, before = Erasing(wired.house), set(await wired.ledger())
    await erasing.compare(0)
    assert set(await wired.ledger()) == before, "too fresh: its webhook may be on the way"
    wired.clock.later(hours=2)
    await erasing.compare(0)
    assert set(await wired.ledger()) - before == {wired.digest(name) for name in missed}
    await erasing.compare(0)
    wired.clock.later(minutes=5)
    await wired.work("erase_copy")
    assert not held_by_twilio(wired) & missed


async def test_other_numbers_of_the_account_are_left_alone(wired: Wired) -> None:
    await begun(wired)
    wired.exchange.add_line(Line(number=OTHER_LINE))
    await wired.exchange.phone(PERSON).text("for the shop next door", line=OTHER_LINE)
    wired.clock.later(hours=2)
    await Erasing(wired.house).compare(0)
    assert await wired.ledger() == {}
    assert held_by_twilio(wired)


async def test_a_provider_that_does_not_answer_is_compared_another_hour(wired: Wired) -> None:
    await begun(wired)
    wired.exchange.faults.add("twilio.messages.list", FaultKind.HTTP, status=503, times=None)
    wired.exchange.faults.add("webhook", FaultKind.DROP)
    await (await wired.exchange.phone(PERSON).call()).ends()
    wired.clock.later(hours=2)
    await Erasing(wired.house).compare(0)
    assert len(await wired.ledger()) == 1, "the calls were listed all the same"


# What doctor says ----------------------------------------------------------------------------------------------------


def test_doctor_says_how_many_are_held_since_when_by_channel_and_what_to_do_when_they_are_old(house: House) -> None:
    def held(channel: str, **age: float) -> HeldCopies:
        return HeldCopies(channel=channel, count=3, since=START - timedelta(**age), tries=12)

    (none,) = copies_findings(house, [], START)
    assert (none.what, none.remedy) == ("provider copies: none", "")
    (fresh,) = copies_findings(house, [held("sms", hours=23)], START)
    assert fresh.what == "provider copies: 3 of sms, since 2026-03-01 10:30 UTC, tried up to 12 times"
    assert fresh.remedy == ""
    (closed,) = copies_findings(house, [held("sms", days=2)], START)
    assert "Nobody can delete them while sms is not set up" in closed.remedy
    open_again = replace(house, channels={ChannelName.SMS: Sms(Twilio(account("http://127.0.0.1:1")), LINE)})
    (old,) = copies_findings(open_again, [held("sms", days=2)], START)
    assert "TWILIO_*" in old.remedy
    assert "by hand" in old.remedy
