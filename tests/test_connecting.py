"""Connecting a caller: whom to ring and in which order, what a key does, what is noted; on a real vault."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.connecting import CONNECT, CONNECTED, MOST, RING, Connecting, Ringing, is_rung, whom
from bot.house import House
from bot.patience import RINGS, Patience
from bot.responders import Responders
from bot.sending import Sending
from bot.thread import Calling, ThreadState
from channels.messages import Address, Answer, ChannelName, DialOutcome, Expect, Incoming, IncomingKind
from dialogs.conversation import Conversation, Mode, Phase
from dialogs.events import Ask, HandedBack, Say
from tests.talking import Talk, at
from tests.vaults import Clock, found_team, open_case, rows
from triage.levels import Level
from triage.rota import Method, MethodKind, Responder
from vault.cases import Case, EntryKind
from vault.paging import Contact, PageState
from vault.retention import erase

CALLER = "+12025559000"
NUMBERS = {"Amina": "+12025550141", "Bilal": "+12025550142", "Chen": "+12025550143"}


def person(name: str, *kinds: MethodKind) -> Responder:
    return Responder(id=name, name=name, methods=tuple(Method(kind=kind, contact=f"{name}/{kind}") for kind in kinds))


A, B = person("a", MethodKind.SMS, MethodKind.VOICE), person("b", MethodKind.VOICE)
MUTE = person("mute", MethodKind.TELEGRAM)


# Whom -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holders", "tried", "chosen"),
    [
        ((), (), ("a", False)),
        ((), (("a", False),), ("b", False)),
        ((), (("a", False), ("b", False)), None),
        (("b",), (), ("b", True)),
        (("b",), (("b", True),), ("a", False)),
        (("b",), (("b", True), ("a", False)), None),
        (("a",), (("a", False),), ("a", True)),  # rung in vain, then took the case: now they are awake
        (("outside", "a member's id"), (), ("a", False)),  # nobody whose phone we could ring
    ],
)
def test_whoever_has_the_case_is_rung_first_then_who_is_on_duty_each_once(
    holders: tuple[str, ...], tried: tuple[tuple[str, bool], ...], chosen: tuple[str, bool] | None
) -> None:
    assert whom((A, B), (A, B, MUTE), holders, tried) == chosen


def test_who_has_no_telephone_is_passed_over() -> None:
    assert whom((MUTE, B), (MUTE, A, B), (), ()) == ("b", False)
    assert whom((MUTE,), (MUTE, A, B), (), ()) is None


def test_who_has_the_case_is_rung_also_when_off_duty() -> None:
    assert whom((A,), (A, B), ("b",), ()) == ("b", True)


def test_a_caller_rings_responders_four_times_and_then_once_each_ten_minutes() -> None:
    patience, now = Patience(), datetime(2026, 3, 4, 3, tzinfo=UTC)
    assert [patience.may_ring(b"a caller", now) for _ in range(RINGS.burst + 2)] == [True] * RINGS.burst + [False] * 2
    assert patience.may_ring(b"somebody else", now)
    assert patience.may_ring(b"a caller", now + RINGS.every)


# On a vault -------------------------------------------------------------------------------------------------------


async def enrol(house: House) -> None:
    """Amina speaks Spanish, Bilal Arabic; all can be called."""
    await found_team(house.vault)
    async with house.vault.unit() as unit:
        for (name, number), language in zip(NUMBERS.items(), ("es", "ar", "en"), strict=True):
            await unit.responders.add(name, [language], (Contact(method="voice", value=number),))


async def a_case(house: House, language: str = "ar", level: Level = Level.HIGH) -> Case:
    """A case of somebody who is on the line and asked for a human."""
    async with house.vault.unit() as unit:
        case = await open_case(unit, level=level, language=language)
        await house.pager.urgent(unit, case)
    return case


async def ring(house: House, case: Case, before: Calling | None = None) -> Ringing | None:
    async with house.vault.unit() as unit:
        return await Connecting(house).ring(unit, case, before)


async def rung(house: House, case: Case, before: Calling | None = None) -> Ringing:
    ringing = await ring(house, case, before)
    assert ringing is not None
    return ringing


async def on_the_phone(
    house: House, ringing: Ringing, kind: IncomingKind, text: str = "", to: str = ""
) -> Answer | None:
    """What whoever was rung does, and what they hear."""
    incoming = Incoming(
        id=str(uuid.uuid4()),
        address=Address(channel=ChannelName.VOICE, value=to or ringing.connect.address.value),
        kind=kind,
        text=text,
        reference=ringing.connect.reference,
    )
    async with house.vault.unit() as unit:
        return await Responders(house).reply(unit, incoming)


def dialled(ringing: Ringing, outcome: DialOutcome, reference: str = "") -> Incoming:
    return Incoming(
        id="CA1:5",
        address=Address(channel=ChannelName.VOICE, value=CALLER),
        kind=IncomingKind.DIALLED,
        text=outcome,
        reference=reference or ringing.connect.reference,
    )


async def noted(house: House, case: Case) -> list[str]:
    """Audit lines about this caller, in order."""
    found = await rows(
        house.vault,
        "SELECT action FROM audit WHERE subject = :subject AND action LIKE 'call.%' ORDER BY number",
        subject=f"case:{case.code}",
    )
    return [action for (action,) in found]


async def state(house: House, ringing: Ringing) -> PageState:
    async with house.vault.unit() as unit:
        return (await unit.alerts.page(ringing.calling.page)).state


async def test_who_speaks_the_language_is_rung_first_and_the_others_follow(house: House) -> None:
    await enrol(house)
    case, numbers, calling = await a_case(house), [], None
    while (ringing := await ring(house, case, calling)) is not None:
        numbers.append(ringing.connect.address.value)
        calling = ringing.calling
    assert numbers == [NUMBERS["Bilal"], NUMBERS["Amina"], NUMBERS["Chen"]]


async def test_a_caller_is_not_kept_waiting_for_a_long_rota(house: House) -> None:
    await enrol(house)
    tried = tuple((str(uuid.uuid4()), False) for _ in range(MOST))
    assert await ring(house, await a_case(house), Calling(page=uuid.uuid4(), tried=tried)) is None


async def test_with_nobody_to_ring_nobody_is_rung(house: House) -> None:
    await found_team(house.vault)
    assert await ring(house, await a_case(house)) is None


async def test_a_level_that_pages_nobody_by_itself_still_reaches_somebody(house: House) -> None:
    await enrol(house)
    case = await a_case(house, level=Level.STANDARD)
    ringing = await rung(house, case)
    await on_the_phone(house, ringing, IncomingKind.DIGITS, "1")
    assert await rows(house.vault, "SELECT ringing FROM alerts") == [(False,)]


async def test_the_whisper_says_line_level_code_and_language_in_the_responders_own(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    answer = await on_the_phone(house, await rung(house, case), IncomingKind.PICKED_UP)
    assert answer is not None
    values = {
        "line": "Harbor House",
        "level": house.phrases.text("level.high", "ar", Mode.PLAIN, {}),
        "code": ", ".join(case.code),
        "language": "العربية",
    }
    assert answer.text == house.phrases.text("page.whisper", "ar", Mode.PLAIN, values)
    assert (answer.language, answer.expect, answer.choices) == ("ar", Expect.ANYTHING, ())
    assert await noted(house, case) == []


async def test_the_key_joins_takes_the_case_and_is_noted_without_a_word(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    ringing = await rung(house, case)
    answer = await on_the_phone(house, ringing, IncomingKind.DIGITS, "1")
    assert answer == Answer(text="", language="ar", expect=Expect.TALK)
    assert await rows(house.vault, "SELECT ringing FROM alerts") == [(False,)]
    assert await state(house, ringing) is PageState.ANSWERED
    assert await noted(house, case) == ["call.connected"]
    ((actor,),) = await rows(house.vault, "SELECT actor FROM audit WHERE action = 'call.connected'")
    assert actor.startswith("responder:")


async def test_what_the_case_keeps_of_it_is_a_fact_and_no_words(house: House) -> None:
    keys = await found_team(house.vault)
    async with house.vault.unit() as unit:
        await unit.responders.add("Amina", ["es"], (Contact(method="voice", value=NUMBERS["Amina"]),))
    case = await a_case(house)
    await on_the_phone(house, await rung(house, case), IncomingKind.DIGITS, "1")
    async with house.vault.unit() as unit:
        key = await unit.cases.key(case, keys)
        (entry,) = [opened.entry for opened in await unit.cases.read(case, key, [EntryKind.NOTE])]
    assert (entry.choice, entry.channel, entry.text, entry.author, entry.address) == (CONNECTED, "voice", "", "", "")


@pytest.mark.parametrize(("kind", "text"), [(IncomingKind.SILENCE, ""), (IncomingKind.HANGUP, "")])
async def test_without_a_key_that_phone_is_left_and_nothing_is_taken(
    house: House, kind: IncomingKind, text: str
) -> None:
    await enrol(house)
    case = await a_case(house)
    ringing = await rung(house, case)
    answer = await on_the_phone(house, ringing, kind, text)
    assert answer is not None
    assert (answer.text, answer.expect) == ("", Expect.NOTHING)
    assert await rows(house.vault, "SELECT ringing FROM alerts") == [(True,)]
    assert await noted(house, case) == []


async def test_another_key_is_asked_again(house: House) -> None:
    await enrol(house)
    answer = await on_the_phone(house, await rung(house, await a_case(house)), IncomingKind.DIGITS, "11")
    assert answer is not None
    assert answer.expect is Expect.ANYTHING


async def test_a_case_that_somebody_has_stays_theirs_when_another_is_joined(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    async with house.vault.unit() as unit:
        stored = await unit.alerts.of_case(case.id)
        chen = (await unit.responders.all())[2]
        assert stored is not None
        await house.pager.acknowledged(unit, stored.id, str(chen.id))
    first = await rung(house, case)
    assert first.connect.address.value == NUMBERS["Chen"]
    second = await rung(house, case, first.calling)
    answer = await on_the_phone(house, second, IncomingKind.DIGITS, "1")
    assert answer is not None
    assert answer.expect is Expect.TALK
    ((machine,),) = await rows(house.vault, "SELECT machine FROM alerts")
    assert machine["acks"] == [str(chen.id)]


async def test_nobody_is_joined_from_another_number_or_once_the_case_is_gone(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    ringing = await rung(house, case)
    elsewhere = await on_the_phone(house, ringing, IncomingKind.DIGITS, "1", to="+12025550999")
    another = await on_the_phone(house, ringing, IncomingKind.PICKED_UP, to=NUMBERS["Chen"])
    async with house.vault.unit() as unit:
        await erase(unit, case, actor="system")
    late = await on_the_phone(house, ringing, IncomingKind.DIGITS, "1")
    for answer in (elsewhere, another, late):
        assert answer is not None
        assert answer.expect is Expect.NOTHING


async def test_a_phone_that_rings_for_the_caller_is_not_paged_at_the_same_moment(house: House, clock: Clock) -> None:
    await enrol(house)  # all of them are paged by a call first
    case = await a_case(house)
    await rung(house, case)
    query = "SELECT id, state FROM pages WHERE method = 'voice'"
    ((page, _),) = await rows(house.vault, query)
    await Sending(house).page(str(page))
    assert await rows(house.vault, query) == [(page, "waiting")]
    jobs = "SELECT scheduled_at > now() FROM procrastinate_jobs WHERE task_name = 'page' AND scheduled_at IS NOT NULL"
    assert len(await rows(house.vault, jobs)) == 1, "it goes out as soon as the phone is free"
    clock.later(seconds=2 * RING)
    await Sending(house).page(str(page))
    assert await rows(house.vault, query) != [(page, "waiting")]


async def test_nobody_elses_page_waits_for_it(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    first = await rung(house, case)
    await rung(house, case, replace(first.calling, tried=((str(first.calling.tried[0][0]), False),)))
    async with house.vault.unit() as unit:
        stored = await unit.alerts.of_case(case.id)
        assert stored is not None
        pages = await unit.alerts.pages(stored.id)
        ringing = [page for page in pages if page.method == CONNECT]
        chen = (await unit.responders.all())[2]
        now = unit.transaction.now
    assert not is_rung(replace(pages[0], responder_id=chen.id), ringing, now)
    assert not is_rung(replace(pages[0], method="sms"), ringing, now)
    assert not is_rung(pages[0], [replace(page, state=PageState.FAILED) for page in ringing], now)
    assert is_rung(pages[0], ringing, now)


# What became of it ------------------------------------------------------------------------------------------------


async def go_on(house: House, case: Case, ringing: Ringing, incoming: Incoming) -> tuple[Ringing | None, bool]:
    """What follows, and whether a human was on the line."""
    thread, connecting = ThreadState(calling=ringing.calling), Connecting(house)
    async with house.vault.unit() as unit:
        talked = await connecting.talked(unit, incoming, thread)
        return await connecting.go_on(unit, incoming, thread, case.id), talked


@pytest.mark.parametrize("outcome", [o for o in DialOutcome if o is not DialOutcome.CONNECTED])
async def test_whatever_went_wrong_the_next_is_rung(house: House, outcome: DialOutcome) -> None:
    await enrol(house)
    case = await a_case(house)
    ringing = await rung(house, case)
    following, talked = await go_on(house, case, ringing, dialled(ringing, outcome))
    assert following is not None
    assert following.connect.address.value == NUMBERS["Amina"]
    assert not talked
    assert await noted(house, case) == []


async def test_to_be_connected_takes_a_key_whatever_the_provider_says(house: House) -> None:
    """A provider that leaves out whether the two were joined calls a voicemail box "completed"."""
    await enrol(house)
    case = await a_case(house)
    ringing = await rung(house, case)
    following, talked = await go_on(house, case, ringing, dialled(ringing, DialOutcome.CONNECTED))
    assert following is not None
    assert not talked


async def test_after_a_talk_nobody_else_is_rung(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    ringing = await rung(house, case)
    await on_the_phone(house, ringing, IncomingKind.DIGITS, "1")
    assert await go_on(house, case, ringing, dialled(ringing, DialOutcome.CONNECTED)) == (None, True)
    assert await noted(house, case) == ["call.connected"]


async def test_who_took_it_and_was_not_joined_is_rung_again(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    ringing = await rung(house, case)
    await on_the_phone(house, ringing, IncomingKind.DIGITS, "1")
    following, talked = await go_on(house, case, ringing, dialled(ringing, DialOutcome.NOT_TAKEN))
    assert following is not None
    assert following.connect.address.value == NUMBERS["Bilal"]
    assert not talked


async def test_after_the_last_one_it_is_noted_that_nobody_was_there(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    ringing = await rung(house, case)
    for _ in range(2):
        ringing = await rung(house, case, ringing.calling)
    assert await go_on(house, case, ringing, dialled(ringing, DialOutcome.BUSY)) == (None, False)
    assert await noted(house, case) == ["call.not_connected"]


async def test_a_caller_who_is_gone_is_noted_and_nobody_else_is_rung(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    ringing = await rung(house, case)
    gone = replace(dialled(ringing, DialOutcome.CANCELED), kind=IncomingKind.HANGUP, reference="", text="")
    assert await go_on(house, case, ringing, gone) == (None, False)
    assert await noted(house, case) == ["call.not_connected"]


async def test_what_comes_back_of_an_older_try_rings_nobody(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    first = await rung(house, case)
    second = await rung(house, case, first.calling)
    following, _ = await go_on(house, case, second, dialled(first, DialOutcome.BUSY))
    assert following is None


async def test_a_case_that_was_erased_meanwhile_leaves_the_caller_with_us(house: House) -> None:
    await enrol(house)
    case = await a_case(house)
    ringing = await rung(house, case)
    async with house.vault.unit() as unit:
        await erase(unit, case, actor="system")
    assert await go_on(house, case, ringing, dialled(ringing, DialOutcome.CONNECTED)) == (None, False)


async def test_what_is_tried_is_in_the_thread_and_no_number_is_in_a_row(house: House) -> None:
    await enrol(house)
    ringing = await rung(house, await a_case(house))
    thread = ThreadState(calling=ringing.calling)
    stored = json.loads(json.dumps(thread.to_json()))
    assert ThreadState.from_json(stored) == thread
    del stored["calling"]  # as a process before this version stored it
    assert ThreadState.from_json(stored).calling is None
    ((method, row),) = await rows(house.vault, "SELECT method, p::text FROM pages p WHERE method = :m", m=CONNECT)
    assert method == CONNECT
    assert not [number for number in NUMBERS.values() if number.lstrip("+") in row]


# The conversation -------------------------------------------------------------------------------------------------


def test_a_caller_who_talked_comes_back_to_a_menu_that_says_so() -> None:
    talk = at("help.what").says("0").does(HandedBack(talked=True))
    assert talk.asked == "human.back"
    assert talk.says("1").asked == "help.what"


def test_a_caller_whom_nobody_took_hears_so_and_may_go_on_or_try_again() -> None:
    talk = at("help.what").says("0").does(HandedBack(talked=False))
    assert (talk.said, talk.asked) == (["human.nobody"], "human.wait")
    assert talk.says("0").said == ["human.asked"]
    assert talk.does(HandedBack(talked=False)).says("1").asked == "help.what"


@pytest.mark.parametrize("talked", [True, False])
@pytest.mark.parametrize("known", [{"human": True}, {"phase": Phase.RESTED}, {"phase": Phase.PARKED}, {}])
def test_whatever_the_conversation_was_at_a_caller_is_never_left_in_silence(
    talked: bool, known: dict[str, Any]
) -> None:
    talk = Talk(step="human.wait", **known).does(HandedBack(talked=talked))
    assert isinstance(talk.effects[-1], Ask)
    assert Conversation.from_json(talk.state.to_json()).phase is Phase.ASKING
    assert all(isinstance(effect, Say | Ask) for effect in talk.effects)
