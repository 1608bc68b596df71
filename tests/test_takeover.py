"""A member writes with a person themselves: who may be written to, what the line does meanwhile, and how it comes back.

On a real vault with practice carriers and a clock that tests move; that real processes do the same, with the console
in front, is at the end.
"""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text as sql
from sqlalchemy import update

from bot import takeover
from bot.desk import Desk
from bot.takeover import Seat, TakeOver, Verdict, attended, verdict
from bot.thread import Live, ThreadState
from carriers.handset import Phone
from console.actions import Held, Presence
from dialogs.conversation import Conversation, Mode, Phase
from dialogs.events import Say
from dialogs.presence import GONE, HERE
from tests.console_bench import cheap_stretching
from tests.vaults import START, rows
from tests.wired import Wired, wired
from triage.levels import Level
from triage.review import CaseEvent, CaseState, transition
from vault import tables
from vault.cases import Case, Entry, EntryKind
from vault.conversations import Thread
from vault.credentials import choose
from vault.keys import begin_epoch
from vault.members import Member, Role
from vault.pseudonyms import Pseudonym
from vault.retention import erase, withdraw
from vault.sealing import new_private_key

__all__ = ["cheap_stretching", "wired"]  # fixtures

NUMBER = "+12025557001"
STORY = "The owner of the bakery keeps our passports and locks the door at night"


@dataclass(slots=True)
class Talk:
    """A person who writes by SMS, two members, and the desk between them."""

    wired: Wired
    phone: Phone
    noor: Member
    tomas: Member

    @property
    def desk(self) -> Desk:
        """What the console asks."""
        return Desk(house=self.wired.house)

    def phrase(self, name: str, language: str = "en", mode: Mode = Mode.PLAIN, **values: str) -> str:
        """What the line says."""
        house = self.wired.house
        return house.phrases.text(name, language, mode, {**house.facts.values, **values})

    async def writes(self, *texts: str) -> None:
        """The person writes, and whatever is due is done."""
        for text in texts:
            await self.phone.text(text)
            await self.wired.work("deliver")

    async def hears(self, words: str) -> str:
        """The person receives this."""
        await self.wired.work("deliver")
        return (await self.phone.receives(words)).text

    async def nothing_more(self) -> None:
        """What came by now is all that comes."""
        await self.wired.work("deliver")
        assert self.phone.unexpected() == []

    async def forget_what_came(self) -> None:
        """Take every text from the screen."""
        for text in self.phone.unexpected():
            await self.phone.receives(text)

    async def case(self) -> Case:
        """The person's newest case."""
        ((case_id,),) = await rows(self.wired.house.vault, "SELECT id FROM cases ORDER BY opened_at DESC, code LIMIT 1")
        async with self.wired.house.vault.unit() as unit:
            return await unit.cases.get(case_id)

    async def change(self, **states: Any) -> None:
        """Set states of the case."""
        async with self.wired.house.vault.unit() as unit:
            await unit.cases.change((await self.case()).id, **states)

    async def thread(self, number: str = NUMBER) -> tuple[Thread, ThreadState]:
        """The person's thread, as stored and opened."""
        async with self.wired.house.vault.unit() as unit:
            stored = await unit.conversations.find(await self.wired.house.pseudonyms.of("sms", number))
        assert stored is not None
        return stored, ThreadState.from_json(stored.state)

    async def put(self, **conversation: Any) -> None:
        """Put the person's conversation into a state; how bad it looked is forgotten."""
        stored, thread = await self.thread()
        after = thread.but(conversation=thread.conversation.but(**conversation), assessment=None)
        async with self.wired.house.vault.unit() as unit:
            await unit.conversations.save(stored.pseudonym, after.to_json(), stored.case_id, turns=stored.turns)

    def envelope(self, number: str = NUMBER, channel: str = "sms") -> Entry:
        """How the person is reached, as the console opened it."""
        return Entry(kind=EntryKind.ENVELOPE, channel=channel, address=number)

    async def presence(self, envelope: Entry | None = None) -> Presence:
        """What the case page shows."""
        async with self.wired.house.vault.unit() as unit:
            return await self.desk.presence(unit, await self.case(), envelope or self.envelope())

    async def begin(self, member: Member | None = None, envelope: Entry | None = None) -> uuid.UUID | None:
        """As the console does it."""
        member, case = member or self.noor, await self.case()
        async with self.wired.house.vault.unit() as unit:
            before = await self.desk.take_over(unit, case, envelope or self.envelope(), member)
            case = await unit.cases.get(case.id, lock=True)
            state = transition(case.state, CaseEvent.ASSIGN)
            await unit.cases.change(case.id, state=state, member_id=member.id)
            return before

    async def say(self, text: str, member: Member | None = None) -> None:
        """As the console does it, after reading everything."""
        case = await self.case()
        async with self.wired.house.vault.unit() as unit:
            await self.desk.write(unit, case, self.envelope(), text, member or self.noor)
            await unit.cases.change(case.id, waits=False, unread=False)

    async def hand_back(self, member: Member | None = None) -> bool:
        """As the console does it."""
        async with self.wired.house.vault.unit() as unit:
            return await self.desk.hand_back(unit, await self.case(), self.envelope(), member or self.noor)

    async def minutes(self, count: int, *, signed_in: bool = True) -> None:
        """So many minutes pass, with everything that is due in each. A member at the screen uses their session."""
        for _ in range(count):
            self.wired.clock.later(minutes=1)
            if signed_in:
                async with self.wired.house.vault.engine.begin() as connection:
                    await connection.execute(update(tables.sessions).values(used_at=self.wired.clock.now))
            await self.wired.work("attend", "deliver", "rest")

    async def sign_out(self) -> None:
        """Noor's sessions are over."""
        async with self.wired.house.vault.unit() as unit:
            await unit.sessions.end_all(self.noor.id)

    async def audit(self) -> list[str]:
        """What was done, oldest first."""
        return [action for (action,) in await rows(self.wired.house.vault, "SELECT action FROM audit ORDER BY number")]

    async def entries(self) -> int:
        """How many entries of the person their case has."""
        query = "SELECT count(*) FROM entries WHERE kind = 'person'"
        ((count,),) = await rows(self.wired.house.vault, query)
        return int(count)


@pytest_asyncio.fixture
async def talk(wired: Wired, cheap_stretching: None) -> AsyncIterator[Talk]:
    """Somebody has told what happens, and was asked the next question. Two members are signed in."""
    made, chosen = [], choose("seven quiet lanterns by the harbour")
    async with wired.house.vault.unit() as unit:
        for name in ("Noor", "Tomas"):
            member = await unit.members.add(name, Role.REVIEWER, chosen, {})
            await unit.sessions.begin(member.id, new_private_key())
            made.append(member)
    noor, tomas = made
    talk = Talk(wired, wired.exchange.phone(NUMBER), noor, tomas)
    await talk.writes("hello", "1", "English", "2", STORY, "1")
    await talk.hears(talk.phrase("facts.where").split("\n")[0])
    await talk.forget_what_came()
    yield talk


# While a member is there ------------------------------------------------------------------------------------------


async def test_the_person_is_told_once_that_a_human_writes_and_then_the_line_is_silent(talk: Talk) -> None:
    assert (await talk.presence()).announced == talk.phrase(HERE)
    assert await talk.begin() is None
    assert await talk.begin() is None, "twice is once"
    assert await talk.hears(talk.phrase(HERE)) == talk.phrase(HERE)
    before = await talk.entries()
    await talk.writes("is somebody there", "2", "please")
    await talk.nothing_more()
    assert await talk.entries() == before + 3, "everything is kept"
    case = await talk.case()
    assert (case.unread, case.waits) == (True, True)
    assert (await talk.presence()).member == talk.noor.id
    assert await talk.wired.jobs("attend") == 1


async def test_words_of_both_sides_go_to_and_fro(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.say("I am Noor. Are you safe now")
    assert await talk.hears("I am Noor") == "Harbor House: I am Noor. Are you safe now"
    await talk.writes("yes, he sleeps")
    await talk.say("Good")
    await talk.hears("Good")
    await talk.nothing_more()
    assert (await talk.case()).waits is False


async def test_danger_in_what_they_write_still_pages(talk: Talk) -> None:
    await talk.begin()
    await talk.writes("he has a knife and says he will kill me tonight")
    case = await talk.case()
    assert case.level is Level.EMERGENCY
    assert await rows(talk.wired.house.vault, "SELECT ringing FROM alerts") == [(True,)]


async def test_harmless_words_can_still_be_asked_for_and_then_the_line_signs_as_the_shop(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.writes("5")
    await talk.nothing_more()
    assert (await talk.case()).discreet
    assert (await talk.presence()).member == talk.noor.id, "she goes on writing"
    await talk.say("Your order is ready")
    assert await talk.hears("Your order") == "Corner Laundry: Your order is ready"
    assert await talk.hand_back()
    await talk.hears(talk.phrase(GONE, mode=Mode.DISCREET))


async def test_who_cannot_talk_now_is_heard_and_nothing_more_is_sent(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.say("on its way when they stop", talk.noor)
    await talk.phone.text("7")
    await talk.wired.work("deliver")
    await talk.hears(talk.phrase("later.parked"))
    await talk.nothing_more()
    assert await rows(talk.wired.house.vault, "SELECT state FROM outbox WHERE kind = 'staff'") == [("held",)]
    with pytest.raises(Held, match=takeover.OVER):
        await talk.say("are you there")
    assert (await talk.presence()).refusal == takeover.RESTING
    await talk.minutes(3)
    await talk.nothing_more()
    assert await talk.wired.jobs("attend") == 0


async def test_the_twin_is_said_where_words_must_be_harmless(talk: Talk) -> None:
    await talk.change(contact_rule="neutral")
    assert (await talk.presence()).announced == talk.phrase(HERE, mode=Mode.DISCREET)
    await talk.begin()
    await talk.hears(talk.phrase(HERE, mode=Mode.DISCREET))
    assert await talk.hand_back()
    text = await talk.hears(talk.phrase(GONE, mode=Mode.DISCREET))
    assert talk.phrase("facts.where").split("\n")[0] not in text, "the question is its twin, too"


async def test_who_asked_to_be_answered_only_when_they_write_is_answered_while_they_do(talk: Talk) -> None:
    await talk.change(contact_rule="when_i_write")
    await talk.begin()
    await talk.say("at once")
    await talk.hears("at once")
    await talk.minutes(29)
    await talk.say("still there")
    await talk.hears("still there")
    await talk.minutes(2)
    await talk.forget_what_came()
    await talk.say("too late")
    await talk.nothing_more()
    states = await rows(talk.wired.house.vault, "SELECT state FROM outbox WHERE kind = 'staff' ORDER BY created_at")
    assert [state for (state,) in states][-1] == "held"
    await talk.writes("hello again")
    await talk.hears("too late")


async def test_what_a_member_did_is_no_sign_of_the_person(talk: Talk) -> None:
    await talk.minutes(25)
    await talk.begin()
    await talk.say("hello")
    await talk.hand_back()
    await talk.minutes(6)
    assert "nothing came from them for 30 minutes" in (await talk.presence()).refusal


# Colleagues -------------------------------------------------------------------------------------------------------


async def test_a_colleague_takes_it_over_unannounced_and_the_first_cannot_write_any_more(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    assert await talk.begin(talk.tomas) == talk.noor.id
    await talk.nothing_more()
    assert (await talk.presence()).member == talk.tomas.id
    for act in (talk.say("me again"), talk.hand_back()):
        with pytest.raises(Held, match=takeover.OVER):
            await act
    await talk.say("I am Tomas", talk.tomas)
    await talk.hears("I am Tomas")
    await talk.sign_out()
    await talk.minutes(2)
    assert (await talk.presence()).member == talk.tomas.id, "that the first one left ends nothing"


# Who may not be written to ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "conversation", "reason"),
    [
        ({"state": CaseState.CLOSED}, {}, takeover.SHUT),
        ({"withdrawn_at": START}, {}, takeover.SHUT),
        ({}, {"duress": True}, takeover.FORCED),
        ({"resting": True}, {}, takeover.RESTING),
        ({}, {"phase": Phase.PARKED}, takeover.RESTING),
        ({"contact_rule": "never_first"}, {}, takeover.NEVER),
        ({}, {"phase": Phase.RESTED}, takeover.AWAY.format(minutes=30)),
        ({"contact_rule": "hours", "contact_hours": "20-22"}, {}, takeover.LATER),
        ({}, {"ask_safe": True}, takeover.UNSAFE),
        ({}, {"step": "who.asked"}, takeover.UNSAFE),
        ({}, {"guarded": True, "step": "again.word"}, takeover.UNSAFE),
        ({"envelope": 99}, {}, takeover.MOVED),
    ],
)
async def test_who_may_not_be_written_to_is_not_and_staff_are_told_why(
    talk: Talk, states: dict[str, Any], conversation: dict[str, Any], reason: str
) -> None:
    await talk.change(**states)
    await talk.put(**conversation)
    assert await talk.presence() == Presence(refusal=reason)
    with pytest.raises(Held) as held:
        await talk.begin()
    assert held.value.reason == reason
    await talk.nothing_more()
    assert (await talk.thread())[1].live is None


async def test_who_wrote_long_ago_is_not_written_to_as_if_they_were_there(talk: Talk) -> None:
    await talk.minutes(29)
    assert (await talk.presence()).announced
    await talk.minutes(1)
    assert (await talk.presence()).refusal == takeover.AWAY.format(minutes=30)


@pytest.mark.parametrize("channel", ["voice", "staff", ""])
async def test_who_does_not_write_cannot_be_written_with(talk: Talk, channel: str) -> None:
    for envelope in (None, talk.envelope(channel=channel)):
        async with talk.wired.house.vault.unit() as unit:
            found = await TakeOver(talk.wired.house).presence(unit, await talk.case(), envelope)
        assert found == Presence(refusal=takeover.SPOKEN)


async def test_words_stay_here_when_the_person_forbade_them_meanwhile(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.change(contact_rule="never_first")
    with pytest.raises(Held, match=takeover.NEVER):
        await talk.say("hello")
    assert await talk.hand_back()
    await talk.nothing_more()


# The line comes back ------------------------------------------------------------------------------------------------


async def test_handed_back_the_line_says_so_and_asks_again_what_waited(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.say("I have to go. The line goes on with you")
    await talk.hears("I have to go")
    assert await talk.hand_back()
    text = await talk.hears(talk.phrase(GONE))
    assert text.startswith(talk.phrase(GONE) + "\n")
    assert talk.phrase("facts.where").split("\n")[0] in text
    assert not await talk.hand_back()
    await talk.nothing_more()
    assert (await talk.case()).state is CaseState.ANSWERED
    await talk.writes("1")
    await talk.hears(talk.phrase("facts.when").split("\n")[0])


async def test_who_waits_while_the_member_signed_out_is_told_within_a_minute_and_goes_back_to_the_queue(
    talk: Talk,
) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.writes("are you there")
    await talk.sign_out()
    await talk.minutes(1)
    assert talk.phrase("facts.where").split("\n")[0] in await talk.hears(talk.phrase(GONE))
    case = await talk.case()
    assert (case.state, case.member_id, case.unread, case.waits) == (CaseState.OPEN, None, True, True)
    assert (await talk.audit()).count("case.live_lapsed") == 1
    await talk.minutes(3)
    await talk.nothing_more()


async def test_a_session_that_is_over_counts_as_signed_out(talk: Talk) -> None:
    await talk.begin()
    await talk.writes("are you there")
    async with talk.wired.house.vault.unit() as unit:
        assert await unit.sessions.is_in(talk.noor.id)
        assert not await unit.sessions.is_in(uuid.uuid4())
    talk.wired.clock.later(minutes=31)
    async with talk.wired.house.vault.unit() as unit:
        assert not await unit.sessions.is_in(talk.noor.id)


async def test_who_waits_longer_than_live_minutes_is_not_left_in_silence(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.writes("are you there")
    await talk.minutes(14)
    await talk.nothing_more()
    await talk.minutes(1)
    await talk.hears(talk.phrase(GONE))
    assert (await talk.presence()).announced, "somebody else can begin"


async def test_a_member_who_answers_stays_as_long_as_it_takes(talk: Talk) -> None:
    await talk.begin()
    for _ in range(4):
        await talk.writes("and then")
        await talk.minutes(10)
        await talk.say("go on")
    assert (await talk.presence()).member == talk.noor.id
    assert "case.live_lapsed" not in await talk.audit()
    assert await talk.wired.jobs("attend") == 1


@pytest.mark.parametrize("level", [Level.HIGH, Level.EMERGENCY])
async def test_an_emergency_rings_again_when_whoever_had_it_is_gone(talk: Talk, level: Level) -> None:
    house = talk.wired.house
    await talk.change(level=level)
    async with house.vault.unit() as unit:
        await house.pager.urgent(unit, await talk.case())
    await talk.begin()
    async with house.vault.unit() as unit:
        await talk.desk.acknowledge(unit, await talk.case(), talk.noor)
        await talk.desk.acknowledge(unit, await talk.case(), talk.tomas)
    assert await rows(house.vault, "SELECT ringing FROM alerts") == [(False,)]
    await talk.writes("are you there")
    await talk.sign_out()
    await talk.minutes(1)
    assert await rows(house.vault, "SELECT ringing FROM alerts") == [(True,)]
    ((machine,),) = await rows(house.vault, "SELECT machine FROM alerts")
    assert machine["acks"] == [], "nobody has it"


async def test_a_calm_case_rings_nobody_when_its_member_is_gone(talk: Talk) -> None:
    await talk.change(level=Level.STANDARD)
    await talk.put()
    async with talk.wired.house.vault.unit() as unit:
        await talk.desk.closed(unit, await talk.case(), talk.noor)
    await talk.begin()
    await talk.writes("ok")
    await talk.sign_out()
    await talk.minutes(1)
    assert not await rows(talk.wired.house.vault, "SELECT 1 FROM alerts WHERE ringing")


async def test_who_is_not_there_either_is_told_nothing_until_they_are_back_and_safe(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.say("good night")
    await talk.hears("good night")
    await talk.minutes(31)
    await talk.nothing_more()
    assert (await talk.thread())[1].left_unsaid
    await talk.writes("hello")
    asked = await talk.hears("")
    assert talk.phrase(GONE) not in asked, "first whether it is safe"
    await talk.writes("1")
    assert (await talk.hears("")).startswith(talk.phrase(GONE))
    assert not (await talk.thread())[1].left_unsaid
    await talk.forget_what_came()
    await talk.writes("1")
    assert talk.phrase(GONE) not in await talk.hears("")


async def test_a_report_destroyed_meanwhile_leaves_nobody_in_silence(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    async with talk.wired.house.vault.unit() as unit:
        await erase(unit, await unit.cases.get((await talk.case()).id, lock=True), actor="reporter")
    await talk.writes("are you there")
    assert (await talk.hears(talk.phrase(GONE))).startswith(talk.phrase(GONE))
    assert (await talk.thread())[1].live is None
    await talk.minutes(2)
    await talk.nothing_more()


async def test_a_report_destroyed_while_they_wait_brings_the_line_back_by_itself(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.writes("are you there")
    async with talk.wired.house.vault.unit() as unit:
        await erase(unit, await unit.cases.get((await talk.case()).id, lock=True), actor="system")
    await talk.minutes(1)
    stored, thread = await talk.thread()
    assert (thread.live, thread.conversation.human) == (None, False)
    assert stored.turns > 0


async def test_a_report_that_was_taken_back_elsewhere_is_written_in_no_more(talk: Talk) -> None:
    await talk.change(level=Level.EMERGENCY)
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    async with talk.wired.house.vault.unit() as unit:
        assert not await withdraw(unit, await unit.cases.get((await talk.case()).id, lock=True))
    with pytest.raises(Held):
        await talk.say("hello")
    await talk.minutes(1)
    await talk.nothing_more()
    assert (await talk.thread())[1].live is None


async def test_a_phone_whose_report_goes_on_elsewhere_is_answered_by_the_line(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.change(envelope=99)  # they opened their code on another phone
    with pytest.raises(Held, match="wrote from somewhere else"):
        await talk.say("hello")
    await talk.writes("are you there")
    await talk.hears(talk.phrase(GONE))
    assert (await talk.thread())[1].live is None


async def test_a_talk_goes_on_over_a_new_epoch_and_is_still_looked_after(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    house = talk.wired.house
    house.vault.ring = begin_epoch(house.vault.ring, at=talk.wired.clock.now)
    await talk.writes("are you there")
    await talk.nothing_more()
    await talk.say("yes")
    await talk.hears("yes")
    await talk.writes("and now")
    await talk.sign_out()
    await talk.minutes(1)
    await talk.hears(talk.phrase(GONE))


@pytest.mark.parametrize("waits", [True, False])
async def test_a_lost_job_leaves_nobody_in_silence(talk: Talk, waits: bool) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.change(waits=waits)
    async with talk.wired.house.vault.engine.begin() as connection:
        await connection.execute(sql("DELETE FROM procrastinate_jobs WHERE task_name = 'attend'"))
    line = talk.wired.house.line
    most = line.live_minutes if waits else line.idle_minutes
    await talk.minutes(most + 1)
    if waits:
        await talk.writes("are you there")
        await talk.nothing_more()  # the job may only be late
    await talk.minutes(5)
    await talk.writes("is anybody there")
    await talk.hears(talk.phrase(GONE))
    assert (await talk.thread())[1].live is None


async def test_a_thread_that_thinks_a_human_writes_though_none_does_is_answered(talk: Talk) -> None:
    await talk.put(human=True)
    await talk.writes("are you there")
    await talk.hears(talk.phrase(GONE))


async def test_a_closed_case_brings_the_line_back(talk: Talk) -> None:
    await talk.begin()
    await talk.hears(talk.phrase(HERE))
    await talk.change(state=CaseState.CLOSED, waits=False, unread=False)
    await talk.minutes(1)
    await talk.hears(talk.phrase(GONE))


# Decided without a database -------------------------------------------------------------------------------------------


LIVE = Live(id=uuid.uuid4(), member=uuid.uuid4(), channel="sms", address=NUMBER, acted=START, heard=START)


def a_seat(live: Live | None = LIVE, **states: Any) -> Seat:
    """A person's place, with a case in these states."""
    case = Case(
        id=uuid.uuid4(),
        code="123456",
        life_at_risk=False,
        unread=True,
        language="en",
        channel="sms",
        discreet=False,
        contact_rule="",
        contact_hours="",
        member_id=None,
        opened_at=START,
        changed_at=START,
        filed_at=None,
        closed_at=None,
        public_key=b"",
        **{"state": CaseState.ASSIGNED, "level": Level.HIGH, "waits": True, **states},
    )
    thread = ThreadState(conversation=Conversation(human=True), live=live)
    stored = Thread(pseudonym=Pseudonym(1, b"x"), state={}, case_id=case.id, turns=1, touched_at=START)
    return Seat(stored=stored, thread=thread, case=case)


@pytest.mark.parametrize(
    ("after", "signed_in", "states", "found"),
    [
        (1, True, {}, Verdict.STAY),
        (1, False, {}, Verdict.BACK),
        (14, True, {}, Verdict.STAY),
        (15, True, {}, Verdict.BACK),
        (20, True, {"waits_since": START + timedelta(minutes=10)}, Verdict.STAY),
        (29, True, {"waits": False}, Verdict.STAY),
        (30, True, {"waits": False}, Verdict.QUIET),
        (5, False, {"waits": False}, Verdict.BACK),
        (30, False, {"waits": False}, Verdict.QUIET),
        (5, True, {"state": CaseState.CLOSED}, Verdict.BACK),
        (5, True, {"withdrawn_at": START}, Verdict.BACK),
        (5, True, {"envelope": 3}, Verdict.QUIET),
    ],
)
def test_when_a_member_is_taken_to_be_gone(after: int, signed_in: bool, states: dict[str, Any], found: Verdict) -> None:
    now, live, idle = START + timedelta(minutes=after), timedelta(minutes=15), timedelta(minutes=30)
    assert verdict(a_seat(**states), now, signed_in=signed_in, live=live, idle=idle) is found


def test_whoever_does_not_write_is_not_gone_either() -> None:
    found = verdict(a_seat(None), START, signed_in=True, live=timedelta(minutes=15), idle=timedelta(minutes=30))
    assert found is Verdict.QUIET


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (Conversation(phase=Phase.ASKING, ask_safe=False), True),
        (Conversation(phase=Phase.ENDED, ask_safe=False), True),
        (Conversation(phase=Phase.ASKING, ask_safe=True), False),
        (Conversation(phase=Phase.PARKED, ask_safe=False), False),
        (Conversation(phase=Phase.RESTED, ask_safe=False), False),
        (Conversation(phase=Phase.ASKING, ask_safe=False, duress=True), False),
    ],
)
def test_that_somebody_left_is_said_once_it_is_safe_and_otherwise_kept_for_later(
    after: Conversation, told: bool
) -> None:
    live, unsaid, says = attended(ThreadState(left_unsaid=True), after, START)
    assert (live, unsaid, says) == (None, not told, (Say(phrase=GONE),) if told else ())


def test_a_member_who_writes_stays_until_the_person_ends_it() -> None:
    later = START + timedelta(minutes=3)
    before = ThreadState(live=LIVE)
    assert attended(before, Conversation(human=True), later) == (replace(LIVE, heard=later), False, ())
    assert attended(before, Conversation(human=False), later) == (None, False, ())
