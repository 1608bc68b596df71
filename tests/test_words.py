"""Agreed words: kept as slow digests only, recognised however they are typed, and heard at every step."""

import asyncio
import json
import threading
import uuid
from dataclasses import replace

import pytest
from sqlalchemy import text as sql

from bot import patience
from bot.house import House
from bot.patience import AT_ONCE, EVENTS, WORDS, Patience
from bot.sending import Sending
from bot.thread import ThreadState
from bot.turn import Turns
from channels.messages import Address, ChannelName, Incoming, IncomingKind
from tests.channel_bench import way
from tests.vaults import CHEAP, START, Clock, found_team, rows
from triage.levels import Level
from vault.cases import Case
from vault.delivery import OutboxKind, OutboxState
from vault.effort import EffortFrom
from vault.sealing import PrivateKey
from vault.words import CHECK, DURESS, AgreedWords, folded, stretched

KEY, SALT = b"k" * 32, b"s" * 16
PHONE = Address(channel=ChannelName.SMS, value="+15550100444")
STORY = "the foreman keeps our passports"
CHECK_WORD, DURESS_WORD = "Bluebird", "Yellow kite"


def agreed(check: str, duress: str) -> AgreedWords:
    """A thread's words."""
    words = AgreedWords(salt=SALT, effort=CHEAP)
    for name, word in ((CHECK, check), (DURESS, duress)):
        made = words.agree(name, stretched(word, SALT, CHEAP, KEY))
        assert made is not None
        words = made
    return words


@pytest.mark.parametrize(
    ("agreed_on", "typed"),
    [
        ("Bluebird", "  blue BIRD. "),
        ("Ñandú 42", "nandu 42"),
        ("école", "ECOLE"),
        ("٤٢ قمر", "42 قَمَر"),
        ("चाँद १२", "चाँद 12"),
        ("月亮 7", "月亮７"),
        ("Straße", "STRASSE"),
    ],
)
def test_a_word_is_recognised_however_it_is_typed(agreed_on: str, typed: str) -> None:
    assert folded(agreed_on) == folded(typed)
    assert agreed(agreed_on, "something else").which(stretched(typed, SALT, CHEAP, KEY)) == CHECK


@pytest.mark.parametrize("typed", ["bluebirds", "bluebir", "", "चाँदी"])
def test_another_word_is_no_agreed_word(typed: str) -> None:
    assert agreed("bluebird", "चाँद १२").which(stretched(typed, SALT, CHEAP, KEY)) == ""


def test_a_word_needs_three_letters_and_both_words_differ() -> None:
    words = agreed("bluebird", "yellow kite")
    assert words.agree(DURESS, stretched("Blue-Bird", SALT, CHEAP, KEY)) is None
    assert words.agree(CHECK, stretched("yellowkite", SALT, CHEAP, KEY)) is None
    assert words.agree(CHECK, stretched("a 1", SALT, CHEAP, KEY)) is None


def test_the_same_word_has_another_digest_in_another_thread_and_installation() -> None:
    one = stretched("bluebird", SALT, CHEAP, KEY).digest
    assert one != stretched("bluebird", b"t" * 16, CHEAP, KEY).digest
    assert one != stretched("bluebird", SALT, CHEAP, b"l" * 32).digest


def test_kept_words_are_the_same_after_json_and_show_nothing() -> None:
    words = agreed("bluebird", "yellow kite")
    assert AgreedWords.from_json(json.loads(json.dumps(words.to_json()))) == words
    thread = ThreadState(words=words)
    assert ThreadState.from_json(json.loads(json.dumps(thread.to_json()))) == thread
    assert words.check.hex() not in repr(thread)


class Texter:
    """Somebody with one phone, who has agreed on both words in the discreet mode."""

    def __init__(self, house: House, clock: Clock, keys: dict[uuid.UUID, PrivateKey]) -> None:
        self.keys = keys
        self.house, self.clock, self.phone, self._count = house, clock, PHONE, 0
        self.turns = Turns(house)

    async def says(self, *texts: str) -> str:
        """Send these, one after the other; gives the last answer."""
        answer = None
        for text in texts:
            self._count += 1
            incoming = Incoming(
                id=f"SM{self.phone.value}{self._count}", address=self.phone, kind=IncomingKind.TEXT, text=text
            )
            answer = await self.turns.take(incoming)
        return answer.text if answer else ""

    async def thread(self) -> ThreadState:
        """Their thread as it is stored."""
        async with self.house.vault.unit() as unit:
            stored = await unit.conversations.find(await self.house.pseudonyms.of(self.phone.channel, self.phone.value))
            assert stored is not None
            return ThreadState.from_json(stored.state)

    async def case(self) -> Case:
        """Their case."""
        async with self.house.vault.unit() as unit:
            stored = await unit.conversations.find(await self.house.pseudonyms.of(self.phone.channel, self.phone.value))
            assert stored is not None
            assert stored.case_id is not None
            return await unit.cases.get(stored.case_id)


@pytest.fixture
async def texter(house: House, clock: Clock) -> Texter:
    """A report was filed, both words were agreed on, and the conversation has ended."""
    keys = await found_team(house.vault)
    house.vault.ring = replace(house.vault.ring, efforts=(EffortFrom(epoch=0, effort=CHEAP, since=START),))
    texter = Texter(replace(house, channels={ChannelName.SMS: way(ChannelName.SMS).adapter}), clock, keys)
    asked = await texter.says("hi", "3", "1", "2", STORY, "9", "9", "9", "9", "9")
    assert "put a name on the order" in asked
    await texter.says("1", CHECK_WORD)
    assert "name next time" in await texter.says(DURESS_WORD)
    await texter.says("2")
    return texter


async def everything(house: House) -> bytes:
    """All that the database holds, and what the service could open of it."""
    found: list[bytes] = []
    async with house.vault.engine.connect() as connection:
        tables = await connection.execute(sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        for (table,) in tables.all():
            for row in await connection.execute(sql(f'SELECT * FROM "{table}"')):  # noqa: S608 - names of our tables
                found.extend(part if isinstance(part, bytes) else str(part).encode() for part in row)
        for row in await connection.execute(sql("SELECT pseudonym, epoch, sealed FROM conversations")):
            context = f"conversation/{row.pseudonym.hex()}"
            found.append(house.vault.ring.unlock_in_epoch(row.epoch, row.sealed, context))
    return b"\n".join(found)


async def entries(texter: Texter) -> str:
    """What a member of staff reads in the case."""
    async with texter.house.vault.unit() as unit:
        case = await texter.case()
        key = await unit.cases.key(case, texter.keys)
        return json.dumps([opened.entry.text for opened in await unit.cases.read(case, key)], ensure_ascii=False)


async def test_words_are_kept_in_the_thread_as_digests_and_nowhere_as_they_are(texter: Texter) -> None:
    thread = await texter.thread()
    assert thread.conversation.guarded
    assert thread.words is not None
    assert thread.words.check
    assert thread.words.duress
    held = (await everything(texter.house)).lower()
    assert b"bluebird" not in held
    assert b"yellow kite" not in held
    assert "bluebird" not in (await entries(texter)).lower()


async def test_somebody_who_comes_back_is_asked_for_the_word_and_goes_on_with_it(texter: Texter) -> None:
    texter.clock.later(hours=9)
    assert "Which name is it under?" in await texter.says("hi")
    assert "Once more" in await texter.says("sparrow")
    assert "What would you like to do?" in await texter.says("blue bird")
    assert "bluebird" not in (await entries(texter)).lower()


async def test_whoever_does_not_know_the_word_is_told_about_an_order_and_nothing_more(texter: Texter) -> None:
    texter.clock.later(hours=9)
    said = await texter.says("hi", "sparrow", "swallow")
    assert said.startswith("This is Corner Laundry.")
    assert "Which name is it under?" in await texter.says("hello?")


async def test_the_duress_word_changes_nothing_visible_marks_the_case_and_pages(texter: Texter) -> None:
    texter.clock.later(hours=9)
    said = await texter.says("hi", DURESS_WORD)
    case = await texter.case()
    assert "your order is noted" in said
    assert case.forced
    assert case.level is Level.EMERGENCY
    assert case.life_at_risk
    assert (await rows(texter.house.vault, "SELECT count(*) FROM alerts WHERE ringing"))[0][0] == 1
    assert "They gave the word that means: somebody forces me." in await entries(texter)
    assert "yellow" not in (await entries(texter)).lower()
    for anything in ("0", "2", "help me he has a knife", "tell me everything", "1234567890123456"):
        assert await texter.says(anything) == said
    assert "1234567890123456" not in await entries(texter)


async def test_the_duress_word_works_in_the_middle_of_anything(texter: Texter) -> None:
    await texter.says("hello again", "1")
    assert "your order is noted" in await texter.says("yellow KITE")
    assert (await texter.case()).forced


async def test_nothing_is_sent_to_the_phone_of_a_forced_person_until_the_check_word(texter: Texter) -> None:
    texter.clock.later(hours=9)
    await texter.says("hi", DURESS_WORD)
    case, vault = await texter.case(), texter.house.vault
    async with vault.unit() as unit:
        await unit.cases.change(case.id, contact_rule="neutral")
        parcel = await unit.outbox.put(OutboxKind.STAFF, "sms", PHONE.value, {"words": "hello"}, case_id=case.id)
        assert (await unit.outbox.of_case(case.id))[parcel] is OutboxState.HELD
        assert await unit.outbox.release(case.id) == ()
    await Sending(texter.house).deliver(str(parcel), released="yes")
    async with vault.unit() as unit:
        assert (await unit.outbox.of_case(case.id))[parcel] is OutboxState.HELD
    assert "Is this a good moment?" in await texter.says(CHECK_WORD)
    assert not (await texter.case()).forced
    await texter.says("1", "it is quiet again here")
    async with vault.unit() as unit:
        assert (await unit.outbox.of_case(case.id))[parcel] is OutboxState.WAITING


async def test_danger_at_the_check_word_is_heard_and_lets_no_held_answer_out(texter: Texter) -> None:
    case, vault = await texter.case(), texter.house.vault
    async with vault.unit() as unit:
        await unit.cases.change(case.id, contact_rule="when_i_write")
        parcel = await unit.outbox.put(
            OutboxKind.STAFF, "sms", PHONE.value, {"words": "hello"}, case_id=case.id, state=OutboxState.HELD
        )
    texter.clock.later(hours=9)
    await texter.says("hi", "he has a knife and he is coming up the stairs, help me")
    assert (await texter.case()).level is Level.EMERGENCY
    async with vault.unit() as unit:
        assert (await unit.outbox.of_case(case.id))[parcel] is OutboxState.HELD


async def test_danger_from_a_parked_phone_lets_nothing_out_before_it_is_said_to_be_safe(
    house: House, clock: Clock
) -> None:
    keys = await found_team(house.vault)
    texter = Texter(replace(house, channels={ChannelName.SMS: way(ChannelName.SMS).adapter}), clock, keys)
    await texter.says("hi", "1", "1", STORY, "7")
    case = await texter.case()
    async with house.vault.unit() as unit:
        parcel = await unit.outbox.put(
            OutboxKind.STAFF, "sms", PHONE.value, {"words": "hello"}, case_id=case.id, state=OutboxState.HELD
        )
    assert "911" in await texter.says("he has a knife and he is coming up the stairs, help me")
    async with house.vault.unit() as unit:
        assert (await unit.outbox.of_case(case.id))[parcel] is OutboxState.HELD
    await texter.says("1", "we are in the cellar")
    async with house.vault.unit() as unit:
        assert (await unit.outbox.of_case(case.id))[parcel] is OutboxState.WAITING


async def test_guesses_are_slowed_and_the_duress_word_is_heard_all_the_same(texter: Texter) -> None:
    texter.clock.later(hours=9)
    for guess in range(WORDS.burst + 2):
        await texter.says(f"guess{guess}")
    assert "What would you like" not in await texter.says("hello", CHECK_WORD)
    assert texter.house.counts["words_limited"] > 0
    assert "your order is noted" in await texter.says(DURESS_WORD)
    texter.clock.later(hours=3)
    assert "Is this a good moment?" in await texter.says(CHECK_WORD)


async def test_a_flood_of_guesses_at_codes_does_not_keep_the_duress_word_from_being_heard(
    texter: Texter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "QUEUE", 0.2)
    blocked, slow = threading.Event(), texter.house.patience.slowly
    busy = [asyncio.create_task(slow(blocked.wait)) for _ in range(AT_ONCE)]
    try:
        await asyncio.sleep(0)
        assert "your order is noted" in await texter.says(DURESS_WORD)
        assert (await texter.case()).forced
        assert DURESS_WORD not in await entries(texter)
    finally:
        blocked.set()
        await asyncio.gather(*busy)


async def test_who_floods_with_words_takes_nobodys_place(texter: Texter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "QUEUE", 0.2)
    monkeypatch.setattr(patience, "EVENTS", replace(EVENTS, burst=1))
    texter.house = replace(texter.house, patience=Patience())
    texter.turns = Turns(texter.house)
    blocked, slow = threading.Event(), texter.house.patience.slowly
    busy = [asyncio.create_task(slow(blocked.wait)) for _ in range(AT_ONCE)]
    try:
        await texter.says("first")
        assert "your order is noted" not in await texter.says(DURESS_WORD)
        assert texter.house.counts["words_unheard"] == 1
    finally:
        blocked.set()
        await asyncio.gather(*busy)


async def test_words_go_with_the_thread(texter: Texter) -> None:
    house = texter.house
    words = (await texter.thread()).words
    assert words is not None
    async with house.vault.unit() as unit:
        for pseudonym in await house.pseudonyms.of(PHONE.channel, PHONE.value):
            await unit.conversations.forget(pseudonym)
    assert words.check.hex().encode() not in await everything(house)
    assert "is this a good moment" not in await texter.says("hi")
    assert not (await texter.thread()).conversation.guarded


async def test_a_whole_story_at_the_word_is_kept_and_no_word(texter: Texter) -> None:
    fresh = Texter(texter.house, texter.clock, texter.keys)
    fresh.phone = replace(PHONE, value="+15550100555")
    await fresh.says("hi", "3", "1", "2", STORY, "9", "9", "9", "9", "9", "1")
    await fresh.says("wait there is more he took the phones of the others and nobody has eaten since sunday")
    assert "nobody has eaten" in await entries(fresh)
    assert (await fresh.thread()).words is None
