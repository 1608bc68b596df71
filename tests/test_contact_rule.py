"""The person's contact rule holds at every door: at the desk, at the job that sends, and when it changes between."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any, cast

import pytest

from bot.desk import Desk
from bot.house import House
from bot.report import Report
from bot.sending import Sending
from bot.thread import ThreadState
from channels.messages import Address, Capabilities, ChannelName, Incoming, IncomingKind, Outgoing, Receipt
from console import words
from dialogs.conversation import CodeState, Conversation, Phase
from dialogs.events import SetContactRule
from tests.test_desk import KEYS, NUMBER, TEXT, a_member
from tests.vaults import Clock, found_team, open_case, rows
from vault.cases import Case, Entry, EntryKind
from vault.delivery import OutboxKind, OutboxState

HELD, LEFT, ACCEPTED, WAITING = OutboxState.HELD, OutboxState.LEFT, OutboxState.ACCEPTED, OutboxState.WAITING
NIGHT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # three in Madrid
MORNING = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)


class Carrier:
    """Takes whatever it is given, and remembers the words."""

    capabilities = Capabilities(buttons=False, keypad=False, speech=False, max_text=1600, answers_in_response=True)

    def __init__(self) -> None:
        self.took: list[str] = []

    async def send(self, outgoing: Outgoing) -> Receipt:
        self.took.append(outgoing.answer.text)
        return Receipt(id="1", copies=())


@pytest.fixture
def carrier(house: House) -> Iterator[Carrier]:
    """Every channel of the house."""
    taking = Carrier()
    channels = cast("dict[ChannelName, Any]", house.channels)
    channels.update(dict.fromkeys(ChannelName, taking))
    yield taking
    channels.clear()


async def written(house: House, case: Case, channel: str = "sms", *, state: OutboxState = WAITING) -> uuid.UUID:
    """Staff's words on their way, past the desk: whatever made the job, the job asks for itself."""
    async with house.vault.unit() as unit:
        return await unit.outbox.put(OutboxKind.STAFF, channel, NUMBER, {"words": TEXT}, case_id=case.id, state=state)


async def state_of(house: House, case: Case, parcel: uuid.UUID) -> OutboxState:
    async with house.vault.unit() as unit:
        return (await unit.outbox.of_case(case.id))[parcel]


async def deliver(house: House, parcel: uuid.UUID, released: str = "") -> None:
    async with house.vault.jobs.open_async():
        await Sending(house).deliver(str(parcel), released)


WAYS = list(product(("sms", "telegram", "voice"), (MORNING, NIGHT), (False, True), ("", "yes")))


@pytest.mark.parametrize("rule", ["", "neutral", "hours", "when_i_write", "never_first"])
async def test_the_job_itself_sends_only_what_the_rule_allows_now(
    house: House, carrier: Carrier, clock: Clock, rule: str
) -> None:
    """By every channel, by day and by night, also while they cannot talk, and when they have just written."""
    await found_team(house.vault)
    signed = f"{'Corner Laundry' if rule == 'neutral' else 'Harbor House'}: {TEXT}"
    for channel, at, resting, released in WAYS:
        clock.now = at
        carrier.took.clear()
        hours = "08-12" if rule == "hours" else ""
        async with house.vault.unit() as unit:
            case = await open_case(unit, contact_rule=rule, contact_hours=hours, resting=resting)
        parcel = await written(house, case, channel)
        await deliver(house, parcel, released)
        may = channel != "voice" and not resting and rule != "never_first"
        may = may and (rule != "when_i_write" or released == "yes") and (rule != "hours" or at is MORNING)
        assert carrier.took == ([signed] if may else []), (channel, at, resting, released)
        assert await state_of(house, case, parcel) is (ACCEPTED if may else HELD), "no code: nothing could be left"


@pytest.mark.parametrize("rule", ["never_first", "when_i_write", "hours"])
async def test_a_rule_that_changes_after_the_answer_was_written_holds_it_still(
    house: House, carrier: Carrier, clock: Clock, rule: str
) -> None:
    """The text was on its way when the person, or whoever holds the phone, made the rule stricter."""
    clock.now = NIGHT
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit)
        parcel = uuid.UUID(
            await Desk(house=house).answer(unit, case, channel="sms", address=NUMBER, text=TEXT, member=a_member(unit))
        )
    assert await state_of(house, case, parcel) is WAITING
    async with house.vault.unit() as unit:
        changed = await unit.cases.change(case.id, contact_rule=rule, contact_hours="08-12" if rule == "hours" else "")
    await deliver(house, parcel)
    assert carrier.took == []
    assert await state_of(house, case, parcel) is HELD
    reason = words.delivery(HELD, changed)
    assert reason.startswith("Held"), "staff see that it is held,"
    assert {"never_first": "nobody writes", "when_i_write": "until they write", "hours": "08-12"}[rule] in reason


async def test_what_the_hours_hold_is_shown_as_held_and_goes_once_when_they_begin(
    house: House, carrier: Carrier, clock: Clock
) -> None:
    clock.now = NIGHT
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit, contact_rule="hours", contact_hours="08-12")
        desk, member = Desk(house=house), a_member(unit)
        parcel = uuid.UUID(await desk.answer(unit, case, channel="sms", address=NUMBER, text=TEXT, member=member))
    assert await state_of(house, case, parcel) is HELD
    async with house.vault.unit() as unit:  # the person writes in the night: that makes a second job for it
        for released in await unit.outbox.release(case.id):
            await unit.jobs.later("deliver", parcel=str(released), released="yes")
    await deliver(house, parcel, "yes")
    assert (carrier.took, await state_of(house, case, parcel)) == ([], HELD)
    clock.now = MORNING
    await deliver(house, parcel)
    await deliver(house, parcel, "yes")
    assert len(carrier.took) == 1
    due = await rows(house.vault, "SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at IS NOT NULL")
    assert due == [(1,)], "two workers never wake up for it at once"


async def test_an_answer_that_may_not_be_sent_any_more_is_under_the_code_once(house: House, carrier: Carrier) -> None:
    """It was written before there was a code, or after; it is never lost between two rules."""
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit)
        desk, member = Desk(house=house), a_member(unit)
        before = await desk.answer(unit, case, channel="sms", address=NUMBER, text="before", member=member)
        await unit.codes.give(case.id, KEYS)
        after = await desk.answer(unit, case, channel="sms", address=NUMBER, text="after", member=member)
        await unit.cases.change(case.id, contact_rule="never_first")
    for parcel in (before, after):
        await deliver(house, uuid.UUID(parcel))
        assert await state_of(house, case, uuid.UUID(parcel)) is LEFT
    assert carrier.took == []
    async with house.vault.unit() as unit:
        assert sorted(answer.text for answer in await unit.codes.read(KEYS)) == ["after", "before"]


async def test_a_code_opened_elsewhere_takes_along_what_was_written_before_there_was_one(house: House) -> None:
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit, contact_rule="when_i_write")
        desk, member = Desk(house=house), a_member(unit)
        await desk.answer(unit, case, channel="sms", address=NUMBER, text="before", member=member)
        await unit.codes.give(case.id, KEYS)
        report = Report(house, unit, None, from_phone("+15550100778", IncomingKind.TEXT))
        report.continue_case(case.id)
        await report.keep(ThreadState(conversation=Conversation(phase=Phase.ASKING)), (), late=False)
    async with house.vault.unit() as unit:
        assert [answer.text for answer in await unit.codes.read(KEYS)] == ["before"]
        assert set((await unit.outbox.of_case(case.id)).values()) == {LEFT}


@pytest.mark.parametrize(
    ("rule", "change", "opened", "becomes"),
    [
        ("never_first", "neutral", False, "never_first"),  # whoever merely holds the phone
        ("never_first", "neutral", True, "neutral"),  # whoever has the code
        ("hours", "never_first", False, "never_first"),
        ("when_i_write", "hours", False, "when_i_write"),
    ],
)
async def test_only_a_code_makes_a_rule_looser(
    house: House, rule: str, change: str, opened: bool, becomes: str
) -> None:
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit, contact_rule=rule)
        report = Report(house, unit, case.id, from_phone(NUMBER, IncomingKind.TEXT))
        code = CodeState.OPENED if opened else CodeState.NONE
        thread = ThreadState(conversation=Conversation(phase=Phase.ASKING, code=code))
        await report.keep(thread, (SetContactRule(rule=change),), late=False)
        assert (await unit.cases.get(case.id)).contact_rule == becomes


async def test_after_a_stop_word_answers_wait_and_staff_are_told_why(house: House, carrier: Carrier) -> None:
    """Nothing of ours keeps the number: the conversation is parked, as if they had said that they cannot talk."""
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        case = await open_case(unit)
        envelope = Entry(kind=EntryKind.ENVELOPE, channel="sms", address=NUMBER)
        number = await unit.cases.add(case, envelope)
        await unit.cases.change(case.id, envelope=number)
        report = Report(house, unit, case.id, from_phone(NUMBER, IncomingKind.BLOCKED), envelope=number)
        await report.keep(ThreadState(conversation=Conversation(phase=Phase.PARKED)), (), late=False)
        case = await unit.cases.get(case.id)
    assert case.resting
    parcel = await written(house, case)
    await deliver(house, parcel)
    assert (carrier.took, await state_of(house, case, parcel)) == ([], HELD)
    assert "cannot talk" in words.delivery(HELD, case)


def test_why_an_answer_failed_is_said_beside_it() -> None:
    """21610 comes back from Twilio when the person has written STOP."""
    assert words.delivery(OutboxState.FAILED, None, "The person has written STOP.").endswith("written STOP.")  # type: ignore[arg-type]  # not looked at


def from_phone(number: str, kind: IncomingKind) -> Incoming:
    return Incoming(id="SM1", address=Address(channel=ChannelName.SMS, value=number), kind=kind)
