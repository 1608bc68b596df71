"""One incoming event = one transaction. The only translator between rooms; read it from top to bottom.

    read    outside any transaction: who (a pseudonym), what it means, what a code opens; each with a time limit
    seen?   a repeated webhook gets its first answer again and changes nothing
    talk    the engine says what follows; triage says how bad it is; the case keeps what was said
    commit  conversation, case, alert, jobs, audit, answer: one fact
    answer  only now does anything leave

Save, then speak: if it cannot be saved, the person or the provider is told so and can try again.
"""

import asyncio
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from bot.house import House
from bot.report import Report
from bot.responders import Responders
from bot.thread import ThreadState
from bot.wording import Wording
from channels.messages import Answer, Expect, Incoming, IncomingKind, NotKept
from dialogs.conversation import Conversation
from dialogs.engine import advance
from dialogs.events import (
    Ask,
    Chose,
    CodeChecked,
    Effect,
    Erase,
    Event,
    GiveCode,
    HungUp,
    OpenCode,
    ReadAnswers,
    Said,
    Shared,
    Silent,
    Started,
)
from triage.assess import assess
from triage.levels import Level
from understanding.meaning import UNREAD, Engine, Meaning
from vault.codes import CodeKeys, code_keys, last_group, new_code, read_code
from vault.delivery import OutboxKind
from vault.errors import NoTeam
from vault.pseudonyms import Pseudonym
from vault.sealing import Effort
from vault.unit import DATABASE_AWAY, Unit

PATIENCE: Final = 10.0  # seconds we wait for a database that is away; Twilio hangs up after 15
_PAUSE: Final = 0.25
_BUDGET: Final = 0.3  # seconds for understanding; late means that the answer goes out and a job reads the words
CODE_EFFORT: Final = Effort()

_WORDY: Final = {IncomingKind.TEXT, IncomingKind.SPEECH, IncomingKind.ATTACHMENT}
_EVENTS: Final[Mapping[IncomingKind, Callable[[Incoming], Event]]] = {
    IncomingKind.TEXT: lambda i: Said(text=i.text),
    IncomingKind.SPEECH: lambda i: Said(text=i.text),
    IncomingKind.DIGITS: lambda i: Said(text=i.text),
    IncomingKind.CHOICE: lambda i: Chose(option=i.text),
    IncomingKind.STARTED: lambda _: Started(),
    IncomingKind.SILENCE: lambda _: Silent(),
    IncomingKind.HANGUP: lambda _: HungUp(),
    IncomingKind.ATTACHMENT: lambda i: Shared(caption=i.text),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was found out about an event before its transaction. `meaning` None: it has no words to read."""

    pseudonyms: Sequence[Pseudonym]
    meaning: Meaning | None
    code: CodeKeys | None = field(default=None, repr=False)

    @property
    def late(self) -> bool:
        """There are words that the full engine could not read in time: a job will read them again."""
        return self.meaning is not None and self.meaning.engine in {Engine.RULES, Engine.NONE}

    @property
    def judged(self) -> Meaning | None:
        """What triage judges now: of a late reading only the danger that patterns already saw."""
        return None if self.late and self.meaning and not self.meaning.signals else self.meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What a turn came to: the thread as it is now, and all that is asked of the house."""

    thread: ThreadState
    effects: tuple[Effect, ...]
    code: str = field(default="", repr=False)
    answers: tuple[str, ...] = field(default=(), repr=False)


class Turns:
    """Takes what comes in, from every channel."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._responders = Responders(house)

    async def take(self, incoming: Incoming) -> Answer | None:
        """Handle one event and give the answer. Raises NotKept when it could not be stored."""
        house = self._house
        reading = await self._read(incoming)
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                return await self._commit(incoming, reading)
            except DATABASE_AWAY as error:
                house.counts["database_away"] += 1
                if asyncio.get_running_loop().time() > deadline:
                    house.log.failure("turn.not_kept", error, channel=incoming.address.channel)
                    raise NotKept(self._not_kept(incoming, reading)) from None
                await asyncio.sleep(_PAUSE)
            except NoTeam as error:  # nobody could ever open it: refuse rather than keep it unsealed
                house.log.failure("turn.not_kept", error, channel=incoming.address.channel)
                raise NotKept(self._not_kept(incoming, reading)) from None

    # Read --------------------------------------------------------------------------------------------------

    async def _read(self, incoming: Incoming) -> Reading:
        house = self._house
        address = incoming.address
        meaning, code = await asyncio.gather(self._meaning(incoming), self._code(incoming))
        return Reading(pseudonyms=await house.pseudonyms.of(address.channel, address.value), meaning=meaning, code=code)

    async def _meaning(self, incoming: Incoming) -> Meaning | None:
        if incoming.kind not in _WORDY or not _has_words(incoming.text):
            return None
        house = self._house
        return await house.understanding.understand(incoming.text, languages=house.line.languages, budget=_BUDGET)

    async def _code(self, incoming: Incoming) -> CodeKeys | None:
        """The keys of a return code that was typed or keyed. A wrong one costs as much time as a right one."""
        digits = _digits(incoming.text) if incoming.kind in {IncomingKind.TEXT, IncomingKind.DIGITS} else ""
        if not _MIN_CODE <= len(digits) <= _MAX_CODE:
            return None
        keys = await asyncio.to_thread(code_keys, digits, self._house.vault.ring.salt, CODE_EFFORT)
        return keys if read_code(digits) else None

    # Commit ------------------------------------------------------------------------------------------------

    async def _commit(self, incoming: Incoming, reading: Reading) -> Answer | None:
        house = self._house
        async with house.vault.unit() as unit:
            digest = unit.messages.digest(incoming.address.channel, incoming.id)
            await unit.lock(digest, reading.pseudonyms[0].value)
            seen = await unit.messages.seen(digest)
            if seen is not None:
                house.counts["messages_repeated"] += 1
                return Answer.from_json(seen.answer) if seen.answer else None
            answer = await self._responders.reply(unit, incoming)
            if answer is None:
                answer = await self._talk(unit, incoming, reading)
            answer = await self._route(unit, incoming, reading, answer)
            await unit.messages.remember(digest, answer.to_json() if answer else None)
            await self._note_copies(unit, incoming, reading)
        house.counts[f"turns_{incoming.address.channel}"] += 1
        return answer

    async def _talk(self, unit: Unit, incoming: Incoming, reading: Reading) -> Answer | None:
        stored = await unit.conversations.find(reading.pseudonyms)
        thread = ThreadState.from_json(stored.state) if stored else ThreadState()
        pseudonym, turns = reading.pseudonyms[0], (stored.turns if stored else 0) + 1
        report = Report(self._house, unit, stored.case_id if stored else None, incoming)
        spoken = await self._advance(unit, report, incoming, reading, thread)
        await report.keep(spoken.thread, spoken.effects, late=reading.late)
        if any(isinstance(effect, Erase) for effect in spoken.effects):
            await self._erase(unit, incoming, pseudonym)
        if stored and stored.pseudonym != pseudonym:
            await unit.conversations.forget(stored.pseudonym)
        await unit.conversations.save(pseudonym, spoken.thread.to_json(), report.case_id, turns=turns)
        await self._rest_later(unit, pseudonym, turns, spoken.effects)
        wording = Wording(
            phrases=self._house.phrases,
            line=self._house.facts,
            conversation=spoken.thread.conversation,
            channel=incoming.address.channel,
            code=spoken.code,
            waiting=spoken.answers,
        )
        return wording.answer(spoken.effects)

    async def _advance(
        self, unit: Unit, report: Report, incoming: Incoming, reading: Reading, thread: ThreadState
    ) -> Spoken:
        """Ask the engine what follows, and triage how bad it is, before and after."""
        house = self._house
        before, policy = thread.conversation, house.line.triage
        meaning = _in_context(reading.meaning, before)
        judged = meaning if reading.judged else None
        verdict = assess(judged, before.chosen, thread.assessment, policy)
        conversation, effects = self._engine(before, _EVENTS[incoming.kind](incoming), incoming, meaning, verdict.level)
        opened: tuple[str, ...] = ()
        while isinstance(effects[-1] if effects else None, OpenCode):
            *done, asked = effects
            assert isinstance(asked, OpenCode)  # noqa: S101 - narrows the type
            checked = await self._check_code(unit, report, asked, reading, thread)
            conversation, more = self._engine(conversation, checked, incoming, meaning, Level.INFORMATION)
            effects = (*done, *more)
        if any(isinstance(effect, ReadAnswers) for effect in effects) and reading.code:
            opened = tuple(answer.text for answer in await unit.codes.take(reading.code))
        code = await self._give_code(report, unit, effects)
        alerts = report.alerts(effects)
        verdict = assess(None, conversation.chosen, verdict, policy, alerts=alerts)
        code_end = last_group(code) if code else thread.code_end
        after = ThreadState(conversation=conversation, assessment=verdict, code_end=code_end)
        return Spoken(thread=after, effects=effects, code=code, answers=opened)

    def _engine(
        self, conversation: Conversation, event: Event, incoming: Incoming, meaning: Meaning | None, level: Level
    ) -> tuple[Conversation, tuple[Effect, ...]]:
        house = self._house
        shows_danger = meaning is not None and level is Level.EMERGENCY
        line = house.facts.on(incoming.address.channel)
        return advance(house.flow, conversation, event, meaning or UNREAD, house.world.now(), line, urgent=shows_danger)

    async def _check_code(
        self, unit: Unit, report: Report, asked: OpenCode, reading: Reading, thread: ThreadState
    ) -> CodeChecked:
        if asked.ending:
            return CodeChecked(found=bool(thread.code_end) and _digits(asked.digits) == thread.code_end)
        case_id = await unit.codes.find(reading.code.locator) if reading.code else None
        if case_id is None or reading.code is None:
            self._house.counts["codes_refused"] += 1
            return CodeChecked(found=False)
        report.continue_case(case_id)
        return CodeChecked(found=True, waiting=await unit.codes.count(reading.code.locator))

    async def _give_code(self, report: Report, unit: Unit, effects: Sequence[Effect]) -> str:
        if not any(isinstance(effect, GiveCode) for effect in effects):
            return ""
        code = new_code(self._house.world.dice)
        keys = await asyncio.to_thread(code_keys, code, self._house.vault.ring.salt, CODE_EFFORT)
        await unit.codes.give((await report.case()).id, keys)
        return code

    # What follows from it ----------------------------------------------------------------------------------

    async def _route(self, unit: Unit, incoming: Incoming, reading: Reading, answer: Answer | None) -> Answer | None:
        """The answer itself where the response carries it; elsewhere it goes by the outbox and this gives None."""
        channel = self._house.channels[incoming.address.channel]
        if answer is None or channel.capabilities.answers_in_response:
            return answer
        token = reading.pseudonyms[0].value.hex()
        address = incoming.address
        parcel = await unit.outbox.put(
            OutboxKind.ANSWER, address.channel, address.value, {**answer.to_json(), "thread": token}
        )
        await unit.jobs.later("deliver", lock=token, parcel=str(parcel))
        return None

    async def _erase(self, unit: Unit, incoming: Incoming, pseudonym: Pseudonym) -> None:
        """Delete both sides' messages of a chat, as far as the platform lets us; provider copies go by themselves."""
        numbers = await unit.chat_messages.take(pseudonym.value)
        if numbers:
            address = incoming.address
            parcel = await unit.outbox.put(
                OutboxKind.ERASE, address.channel, address.value, {"messages": list(numbers)}
            )
            await unit.jobs.later("erase_chat", parcel=str(parcel))

    async def _rest_later(self, unit: Unit, pseudonym: Pseudonym, turns: int, effects: Sequence[Effect]) -> None:
        """If nothing more comes, what was said is filed when the line's idle time is over."""
        if effects and isinstance(effects[-1], Ask):
            at = unit.transaction.now + timedelta(minutes=self._house.line.idle_minutes)
            await unit.jobs.later("rest", at=at, thread=pseudonym.value.hex(), turns=str(turns))

    async def _note_copies(self, unit: Unit, incoming: Incoming, reading: Reading) -> None:
        """What the provider now holds: Twilio's copies are deleted soon, a chat's when the person asks for it."""
        for copy in incoming.copies:
            if copy.startswith(_CHAT):
                await unit.chat_messages.note(reading.pseudonyms[0].value, int(copy.removeprefix(_CHAT)))
        held = [copy for copy in incoming.copies if not copy.startswith(_CHAT)]
        for copy in await unit.copies.note(incoming.address.channel, held):
            at = unit.transaction.now + timedelta(minutes=1)
            await unit.jobs.later("erase_copy", at=at, channel=incoming.address.channel.value, copy=copy)

    def _not_kept(self, incoming: Incoming, reading: Reading) -> Answer | None:
        """What the person is told when nothing was stored; None where the provider tries again by itself."""
        house = self._house
        if not house.channels[incoming.address.channel].capabilities.answers_in_response:
            return None
        found = reading.meaning.language if reading.meaning else None
        language = found if found in house.line.languages else house.line.default_language
        assert language is not None  # noqa: S101 - narrows the type
        text = house.phrases.text("turn.not_kept", language, house.line.mode, house.facts.values)
        return Answer(text=text, language=language, expect=Expect.NOTHING)


_CHAT: Final = "telegram/"
_MIN_CODE: Final = 12  # digits: fewer is no attempt at a code, more than 24 neither
_MAX_CODE: Final = 24


def _digits(text: str) -> str:
    """The decimal digits in a text, of any script, as 0-9."""
    return "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())


def _has_words(text: str) -> bool:
    """False for keys and codes: nothing but digits, spaces and punctuation."""
    return any(unicodedata.category(c)[0] not in "NZPC" for c in text)


def _in_context(meaning: Meaning | None, conversation: Conversation) -> Meaning | None:
    """A message too short to tell its language is in the language of its conversation."""
    if meaning is None or meaning.language is not None or not conversation.language:
        return meaning
    return replace(meaning, language=conversation.language)
