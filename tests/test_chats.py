"""Erasing a chat on Telegram: both sides' messages within 48 hours, and the person is told what stayed behind."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from bot.afterwards import erase_chat, left_over, owed
from bot.chats import Chats
from bot.thread import Chat as ChatNotes
from bot.thread import ThreadState
from carriers.faults import Fault, FaultKind
from carriers.handset import Chat
from channels.messages import Address, Answer, ChannelName, Incoming, IncomingKind
from dialogs.conversation import Conversation, Mode, Phase
from dialogs.events import Say
from tests.vaults import START, Clock, rows
from tests.wired import Wired, wired
from vault import tables
from vault.conversations import Thread
from vault.delivery import OutboxKind
from vault.unit import Vault

__all__ = ["wired"]  # fixture

NUMBER = 770077
OUTAGE = Fault(target="telegram.deleteMessage", kind=FaultKind.HTTP, status=502, times=None)


@pytest.fixture
def chat(wired: Wired) -> Chat:
    """Somebody's Telegram."""
    return wired.exchange.chat(NUMBER)


async def wish(wired: Wired, *, language: str = "", **conversation: object) -> None:
    """The person asks to erase the chat; their conversation is as the flow leaves it, or as it is said here."""
    async with wired.house.vault.unit() as unit:
        address = Address(channel=ChannelName.TELEGRAM, value=str(NUMBER))
        await erase_chat(unit, Incoming(id="wish", address=address, kind=IncomingKind.TEXT))
    if language or conversation:
        await change(wired, language=language or "en", **conversation)


async def stored(wired: Wired) -> Thread:
    """The person's thread as it is kept."""
    async with wired.house.vault.unit() as unit:
        found = await unit.conversations.find(await wired.house.pseudonyms.of("telegram", str(NUMBER)))
    assert found is not None
    return found


async def notes(wired: Wired) -> ChatNotes:
    """What the thread still knows of the chat."""
    return ThreadState.from_json((await stored(wired)).state).chat


async def change(wired: Wired, **conversation: object) -> None:
    """Put the conversation into a state."""
    found = await stored(wired)
    state = ThreadState.from_json(found.state)
    after = state.but(conversation=state.conversation.but(**conversation)).to_json()
    async with wired.house.vault.unit() as unit:
        await unit.conversations.save(found.pseudonym, after, found.case_id, turns=found.turns)


async def erasing(wired: Wired) -> None:
    """A minute later, the job does its work."""
    wired.clock.later(minutes=1)
    await wired.work("erase_chat", "deliver")


def words(wired: Wired, phrase: str, language: str = "en", mode: Mode = Mode.PLAIN, **values: str) -> str:
    """A phrase of the house."""
    house = wired.house
    return house.phrases.text(phrase, language, mode, {**house.facts.values, **values})


async def state(wired: Wired) -> list[str]:
    """What has become of erasures."""
    return [s for (s,) in await rows(wired.house.vault, "SELECT state FROM outbox WHERE kind = 'erase'")]


# Within the window -------------------------------------------------------------------------------------------------


async def test_both_sides_are_erased_and_nothing_more_is_said(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start", "1", "the bakery keeps passports")
    assert len(chat.screen()) == 6
    await wish(wired)
    await erasing(wired)
    assert chat.screen() == []
    assert await state(wired) == ["reached"]
    assert await rows(wired.house.vault, "SELECT * FROM chat_messages") == []


async def test_a_person_erases_the_chat_by_the_menu(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start", "1", "English", "2", "The bakery keeps passports")
    while ThreadState.from_json((await stored(wired)).state).conversation.phase is not Phase.ENDED:
        await wired.chats(chat, "9")
    await wired.chats(chat, "hello", "1")
    await chat.press("Remove this chat")
    await wired.chats(chat)
    await wired.chats(chat, "1")
    assert words(wired, "erase.done") in chat.screen()[-1]
    await erasing(wired)
    assert chat.screen() == []


async def test_every_part_of_a_long_answer_is_erased(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start")
    async with wired.house.vault.unit() as unit:
        answer = Answer(text="word " * 2000, language="en")
        parcel = await unit.outbox.put(OutboxKind.ANSWER, "telegram", str(NUMBER), answer.to_json())
        await unit.jobs.later("deliver", parcel=str(parcel))
    await wired.work("deliver")
    assert len(chat.screen()) == 5
    await wish(wired)
    await erasing(wired)
    assert chat.screen() == []


async def test_a_long_chat_is_erased_some_at_a_time(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start", *["hello"] * 14)
    await wish(wired)
    wired.clock.later(minutes=1)
    assert await wired.work("erase_chat") == 2, "twenty in a job"
    assert chat.screen() == []


async def test_what_the_person_deleted_first_is_gone_and_not_told(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start", "1")
    for message in list(wired.exchange.bot.messages.values()):
        wired.exchange.bot.remove(message)
    await wish(wired)
    await erasing(wired)
    assert await state(wired) == ["reached"]
    assert chat.screen() == []


async def test_what_is_written_after_the_wish_stays(wired: Wired, chat: Chat) -> None:
    """The deletion may take its time; it must not eat the next conversation."""
    wired.exchange.faults.put(OUTAGE)
    await wired.chats(chat, "/start", "1")
    await wish(wired)
    wired.clock.later(hours=2)
    await wired.chats(chat, "I need you")
    wired.exchange.faults.clear()
    wired.clock.later(minutes=15)
    await wired.work("erase_chat")
    assert chat.screen()[0] == "I need you"
    assert await state(wired) == ["reached"]


async def test_an_outage_is_waited_out_and_everything_goes_before_the_window_closes(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start", "1", "hello")
    wired.exchange.faults.put(OUTAGE)
    await wish(wired)
    tries = 0
    for _ in range(4 * 46):
        wired.clock.later(minutes=15)
        tries += await wired.work("erase_chat")
    assert tries > 100, "it never gives up as long as there is hope"
    assert len(chat.screen()) == 6
    wired.exchange.faults.clear()
    await wired.chats(chat)
    wired.clock.later(minutes=15)
    await wired.work("erase_chat")
    assert chat.screen() == []
    assert await state(wired) == ["reached"]
    assert await notes(wired) == ChatNotes(began=START.replace(minute=0, second=0, microsecond=0))


async def test_a_throttled_deletion_ends_the_round_and_waits_as_long_as_it_was_asked_to(
    wired: Wired, chat: Chat
) -> None:
    await wired.chats(chat, "/start", "1", "hello")
    wired.exchange.faults.add("telegram.deleteMessage", FaultKind.ERROR, code=429, retry_after=600)
    await wish(wired)
    await erasing(wired)
    asked = [target for target in wired.exchange.requests if target == "telegram.deleteMessage"]
    assert len(asked) == 1
    wired.clock.later(minutes=9)
    assert await wired.work("erase_chat") == 0
    wired.clock.later(minutes=1)
    await wired.work("erase_chat")
    assert chat.screen() == []


async def test_messages_whose_time_runs_out_go_first(vault: Vault, clock: Clock) -> None:
    async with vault.unit() as unit:
        for number in (1, 2):
            await unit.chat_messages.note(b"p" * 32, number)
    clock.later(hours=30)
    async with vault.unit() as unit:
        for number in (3, 4):
            await unit.chat_messages.note(b"p" * 32, number)
        every = {"until": clock.now, "hurry": clock.now - timedelta(hours=40)}
        assert await unit.chat_messages.some([b"p" * 32], 9, **every) == (4, 3, 2, 1)
    clock.later(hours=12)
    async with vault.unit() as unit:
        every = {"until": clock.now, "hurry": clock.now - timedelta(hours=40)}
        assert await unit.chat_messages.some([b"p" * 32], 9, **every) == (2, 1, 4, 3)


# What cannot be erased -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "es", "ar"])
@pytest.mark.parametrize("mode", list(Mode))
async def test_what_telegram_refuses_is_told_in_the_person_s_language_and_mode(
    wired: Wired, chat: Chat, language: str, mode: Mode
) -> None:
    await wired.chats(chat, "/start", "1", "hello")
    wired.exchange.faults.add("telegram.deleteMessage", FaultKind.ERROR, code=400, times=2)
    await wish(wired, language=language, mode=mode)
    await erasing(wired)
    told = [words(wired, "erase.left", language, mode, count="2"), words(wired, "erase.by_hand", language, mode)]
    assert chat.screen()[-1] == "\n".join(told)
    assert len(chat.screen()) == 3, "two that were refused, and the note"
    assert await state(wired) == ["failed"]
    if mode is Mode.DISCREET:
        assert wired.house.line.name not in chat.screen()[-1]


async def test_the_note_itself_goes_when_the_chat_is_erased_again(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start")
    wired.exchange.faults.add("telegram.deleteMessage", FaultKind.ERROR, code=400)
    await wish(wired)
    await erasing(wired)
    assert len(chat.screen()) == 2
    await wish(wired)
    await erasing(wired)
    assert len(chat.screen()) == 1, "only what Telegram refused; we do not know its number any more"


async def test_a_chat_that_began_before_the_window_is_said_to_hold_older_messages(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start", "1")
    wired.clock.later(hours=60)
    await Chats(wired.house).sweep_chats(0)
    await wired.chats(chat, "hello")
    await wish(wired)
    await erasing(wired)
    *older, note = chat.screen()
    assert len(older) == 4
    assert note == "\n".join([words(wired, "erase.older"), words(wired, "erase.by_hand")])


async def test_messages_that_became_too_old_during_an_outage_are_counted_and_told_when_the_person_is_back(
    wired: Wired, chat: Chat
) -> None:
    """Nobody is written to two days later, out of the blue: the next answer tells them, once it is safe to talk."""
    await wired.chats(chat, "/start", "1")
    wired.exchange.faults.put(OUTAGE)
    await wish(wired)
    for _ in range(4 * 50):
        wired.clock.later(minutes=15)
        await wired.work("erase_chat", "deliver")
    assert await state(wired) == ["failed"]
    assert await wired.jobs("erase_chat") == 0, "after the window nothing is left to try"
    assert len(chat.screen()) == 4, "nothing was sent"
    assert (await notes(wired)).left == 4
    await wired.chats(chat, "hello")
    assert "erase" not in chat.screen()[-1]
    assert words(wired, "erase.left", count="4") not in chat.screen()[-1], "first it must be safe"
    await wired.chats(chat, "1")
    assert words(wired, "erase.left", count="4") in chat.screen()[-1]
    assert (await notes(wired)).left == 0, "it is said once"


async def test_messages_over_48_hours_old_are_refused_by_telegram_and_counted(wired: Wired, chat: Chat) -> None:
    """Times are noted by the hour, so Telegram decides within the last one."""
    wired.clock.later(minutes=20)
    await wired.chats(chat, "/start")
    wired.clock.later(hours=48, minutes=5)
    await wish(wired, ask_safe=False)
    await erasing(wired)
    assert words(wired, "erase.left", count="2") in chat.screen()[-1]


async def test_somebody_who_cannot_talk_now_is_told_later(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start", "1")
    wired.exchange.faults.add("telegram.deleteMessage", FaultKind.ERROR, code=400)
    await wish(wired, phase=Phase.PARKED)
    await erasing(wired)
    assert len(chat.screen()) == 1
    assert (await notes(wired)).left == 1


async def test_a_person_who_blocked_the_bot_keeps_no_job_running_after_the_window(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start")
    await wish(wired)
    chat.block()
    for _ in range(4 * 50):
        wired.clock.later(minutes=15)
        await wired.work("erase_chat")
    assert await wired.jobs("erase_chat") == 0
    assert await rows(wired.house.vault, "SELECT * FROM chat_messages") == []
    assert (await notes(wired)).left == 2


# Sweeping ----------------------------------------------------------------------------------------------------------


async def test_a_number_is_kept_while_telegram_may_delete_it_and_hardly_longer(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start")
    chats = Chats(wired.house)
    for hour in range(50):
        await chats.sweep_chats(0)
        held = await rows(wired.house.vault, "SELECT * FROM chat_messages")
        assert bool(held) == (hour <= 48), hour
        wired.clock.later(hours=1)


async def test_an_erasure_whose_job_was_lost_is_taken_up_by_the_hourly_sweep(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start", "1")
    await wish(wired)
    chats = Chats(wired.house)
    await chats.sweep_chats(0)
    assert await wired.jobs("erase_chat") == 1, "its job is there"
    async with wired.house.vault.engine.begin() as connection:
        await connection.execute(text("DELETE FROM procrastinate_jobs"))
    await chats.sweep_chats(0)
    await chats.sweep_chats(0)
    assert await wired.jobs("erase_chat") == 1
    await wired.work("erase_chat")
    assert chat.screen() == []


async def test_what_an_erasure_did_not_get_to_in_time_is_counted_before_it_is_forgotten(
    wired: Wired, chat: Chat
) -> None:
    await wired.chats(chat, "/start", "1")
    await wish(wired)
    wired.clock.later(hours=50)  # no worker ran for two days
    await Chats(wired.house).sweep_chats(0)
    assert await rows(wired.house.vault, "SELECT * FROM chat_messages") == []
    await wired.work("erase_chat")
    assert (await notes(wired)).left == 4


async def test_an_erasure_that_cannot_be_opened_keeps_no_other_from_its_end(wired: Wired, chat: Chat) -> None:
    async with wired.house.vault.unit() as unit:
        broken = await unit.outbox.put(OutboxKind.ERASE, "telegram", "1", {})
        change = update(tables.outbox).where(tables.outbox.c.id == broken).values(sealed=b"other bytes")
        await unit.transaction.connection.execute(change)
    await wired.chats(chat, "/start")
    wired.clock.later(hours=1)
    await wish(wired)
    wired.clock.later(hours=50)
    await Chats(wired.house).sweep_chats(0)
    assert await rows(wired.house.vault, "SELECT * FROM chat_messages") == []


async def test_two_jobs_of_one_erasure_count_nothing_twice(wired: Wired, chat: Chat) -> None:
    await wired.chats(chat, "/start", "1")
    wired.exchange.faults.add("telegram.deleteMessage", FaultKind.ERROR, code=400, times=None)
    await wish(wired)
    ((parcel,),) = await rows(wired.house.vault, "SELECT id FROM outbox WHERE kind = 'erase'")
    wired.clock.later(minutes=1)
    for _ in range(2):
        await Chats(wired.house).erase_chat(str(parcel))
    await Chats(wired.house).erase_chat(str(uuid.uuid4()))
    await wired.work("deliver")
    assert words(wired, "erase.left", count="4") in chat.screen()[-1]
    assert len(chat.screen()) == 5, "one note"


# What is said ------------------------------------------------------------------------------------------------------


def test_what_is_owed_is_said_once_and_only_when_it_is_safe_to_talk() -> None:
    chat, safe = ChatNotes(began=START, left=2, older=True), {"phase": Phase.ASKING, "ask_safe": False}
    after, told = owed(chat, Conversation(**safe))  # type: ignore[arg-type]  # a table of what a test varies
    assert [say.phrase for say in told] == ["erase.older", "erase.left", "erase.by_hand"]
    assert told[1] == Say(phrase="erase.left", values={"count": "2"})
    assert after == ChatNotes(began=START)
    assert owed(after, Conversation(**safe)) == (after, ())  # type: ignore[arg-type]  # the same
    for unsafe in ({"ask_safe": True}, {"phase": Phase.PARKED}, {"phase": Phase.RESTED}, {"phase": Phase.NEW}):
        assert owed(chat, Conversation(**(safe | unsafe))) == (chat, ())  # type: ignore[arg-type]  # the same


def test_a_thread_of_the_first_release_may_be_of_any_age() -> None:
    kept = ThreadState().to_json()
    del kept["chat"]
    assert ThreadState.from_json(kept).chat == ChatNotes()
    assert left_over(ChatNotes()) == ()
