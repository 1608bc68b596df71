"""One incoming event = one transaction. The only translator between rooms; read it from top to bottom.

    read    outside any transaction: who (a pseudonym), what it means, what a code opens; each with a time limit
    seen?   a repeated webhook gets its first answer again and changes nothing
    talk    the engine says what follows; triage says how bad it is; the case keeps what was said
    commit  conversation, case, alert, jobs, audit, answer: one fact
    answer  only now does anything leave

Save, then speak: if it cannot be saved, the person or the provider is told so and can try again.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bot.afterwards import erase_chat, note_copies, owed, rest_later, route
from bot.agreed import AgreedSpeech, WordAsked
from bot.connecting import Connecting
from bot.house import House
from bot.reading import Reading, digits, read
from bot.report import Report
from bot.responders import Responders
from bot.takeover import attended, is_attended, left_behind, look_later
from bot.thread import Chat, ThreadState
from bot.wording import Wording
from channels.messages import Answer, ChannelName, Expect, Incoming, IncomingKind, NotKept
from dialogs.conversation import Conversation
from dialogs.engine import advance
from dialogs.events import (
    Alert,
    CheckWord,
    Chose,
    CodeChecked,
    Effect,
    Erase,
    Event,
    GiveCode,
    HandedBack,
    HandOver,
    HungUp,
    Keep,
    KeepWord,
    OpenCode,
    ReadAnswers,
    Said,
    SetContactRule,
    Shared,
    Silent,
    Started,
    Withdraw,
    Withdrawn,
)
from dialogs.guarding import is_word
from dialogs.noticing import is_asked_by_a_stranger
from triage.assess import assess
from triage.levels import Assessment, Level
from understanding.meaning import UNREAD, Meaning
from vault.codes import last_group
from vault.conversations import Thread
from vault.drills import is_drill
from vault.errors import NoTeam
from vault.pseudonyms import Pseudonym
from vault.unit import DATABASE_AWAY, Unit

PATIENCE: Final = 11.0  # seconds for a turn, whatever the database does; Twilio hangs up after 15
_PAUSE: Final = 0.25

_EVENTS: Final[Mapping[IncomingKind, Callable[[Incoming], Event]]] = {
    IncomingKind.TEXT: lambda i: Said(text=i.text),
    IncomingKind.SPEECH: lambda i: Said(text=i.text),
    IncomingKind.DIGITS: lambda i: Said(text=i.text),
    IncomingKind.CHOICE: lambda i: Chose(option=i.text),
    IncomingKind.STARTED: lambda _: Started(),
    IncomingKind.SILENCE: lambda _: Silent(),
    IncomingKind.HANGUP: lambda _: HungUp(),
    IncomingKind.BLOCKED: lambda _: HungUp(blocked=True),
    IncomingKind.ATTACHMENT: lambda i: Shared(caption=i.text),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One event within its unit: what came, what was found out about it, and the thread it belongs to."""

    unit: Unit
    incoming: Incoming
    reading: Reading
    thread: ThreadState
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What a turn came to: the thread as it is now, and all that is asked of the house."""

    thread: ThreadState
    effects: tuple[Effect, ...]
    code: str = field(default="", repr=False)
    answers: tuple[str, ...] = field(default=(), repr=False)


class _EpochBegan(Exception):
    """An epoch began since the pseudonyms were derived: with the old ones a person would be taken for two."""


class Turns:
    """Takes what comes in, from every channel."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._responders = Responders(house)
        self._connecting = Connecting(house)
        self._words = AgreedSpeech(house)

    async def take(self, incoming: Incoming) -> Answer | None:
        """Handle one event and give the answer. Raises NotKept when it could not be stored."""
        house = self._house
        reading = await read(house, incoming)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._keep_trying(incoming, reading)
        except (TimeoutError, NoTeam) as error:  # without a team nobody could ever open it: refuse, keep nothing
            house.log.failure("turn.not_kept", error, channel=incoming.address.channel)
            raise NotKept(self._not_kept(incoming, reading)) from None

    async def _keep_trying(self, incoming: Incoming, reading: Reading) -> Answer | None:
        """Commit, again and again while the database is away. What did commit is found again by its id."""
        while True:
            try:
                return await self._commit(incoming, reading)
            except _EpochBegan:
                reading = await read(self._house, incoming)
            except WordAsked as asked:  # slow, and so outside of the transaction that asked for it
                reading = await self._words.stretch(incoming, reading, asked)
            except DATABASE_AWAY:
                self._house.counts["database_away"] += 1
                await asyncio.sleep(_PAUSE)

    # Commit ------------------------------------------------------------------------------------------------

    async def _commit(self, incoming: Incoming, reading: Reading) -> Answer | None:
        house = self._house
        async with house.vault.unit() as unit:
            digest = unit.messages.digest(incoming.address.channel, incoming.id)
            await unit.lock(digest, *(pseudonym.value for pseudonym in reading.pseudonyms))
            if not house.pseudonyms.are_current(reading.pseudonyms):
                raise _EpochBegan
            seen = await unit.messages.seen(digest)
            if seen is not None:
                house.counts["messages_repeated"] += 1
                return Answer.from_json(seen.answer) if seen.answer else None
            answer = await self._responders.reply(unit, incoming)
            if answer is None:
                answer = await self._talk(unit, incoming, reading)
            answer = await route(house, unit, incoming, reading.pseudonym, answer)
            await unit.messages.remember(digest, answer.to_json() if answer else None)
            if not is_drill(incoming.address.value):  # no provider holds a copy of what a scripted person says
                await note_copies(house, unit, incoming, reading.pseudonym)
        if is_drill(incoming.address.value):
            return answer
        house.counts[f"turns_{incoming.address.channel}"] += 1
        return answer

    async def _talk(self, unit: Unit, incoming: Incoming, reading: Reading) -> Answer | None:
        house, pseudonym = self._house, reading.pseudonym
        stored = await unit.conversations.find(reading.pseudonyms)
        thread = await self._thread(unit, stored)
        if stored and (ringing := await self._connecting.go_on(unit, incoming, thread, stored.case_id)):
            waits = thread.but(calling=ringing.calling)
            await unit.conversations.save(stored.pseudonym, waits.to_json(), stored.case_id, turns=stored.turns)
            return self._connecting.again(self._wording(incoming, Spoken(thread=thread, effects=())), ringing)
        moment = Moment(
            unit=unit,
            incoming=incoming,
            reading=reading,
            thread=thread,
            report=Report(house, unit, stored.case_id if stored else None, incoming, envelope=thread.envelope),
        )
        spoken = _owing(await self._advance(moment), moment)
        await moment.report.keep(spoken.thread, spoken.effects, late=reading.late)
        if _asks_for(Erase, spoken.effects):
            await erase_chat(unit, incoming)
        if thread.live:
            await unit.queue_changed()  # a key or a mark of theirs is seen at once too, though nothing is kept of it
        if stored and stored.pseudonym != pseudonym:  # it was found under an older epoch's pseudonym
            await self._move(unit, stored, pseudonym, spoken.thread)
        turns = (stored.turns if stored else 0) + 1
        ringing = None
        by_phone = incoming.address.channel is ChannelName.VOICE and _asks_for(HandOver, spoken.effects)
        if by_phone and house.patience.may_ring(pseudonym.value, house.world.now()):
            ringing = await self._connecting.ring(unit, await moment.report.case())
        calling = ringing.calling if ringing else None
        after = spoken.thread.but(envelope=moment.report.envelope, calling=calling)
        await unit.conversations.save(pseudonym, after.to_json(), moment.report.case_id, turns=turns)
        await rest_later(house, unit, pseudonym, turns, spoken.effects)
        wording = self._wording(incoming, spoken)
        return self._connecting.first(wording, spoken.effects, ringing) if ringing else wording.answer(spoken.effects)

    async def _thread(self, unit: Unit, stored: Thread | None) -> ThreadState:
        """Where the conversation stands. The line is silent only as long as a member can read what is said."""
        if stored is None:
            return ThreadState(chat=Chat(began=unit.transaction.hour))
        thread = ThreadState.from_json(stored.state)
        house = self._house
        if thread.conversation.human and not await is_attended(unit, thread, stored.case_id, house.line):
            return left_behind(house, thread)
        return thread

    @staticmethod
    async def _move(unit: Unit, stored: Thread, pseudonym: Pseudonym, thread: ThreadState) -> None:
        """The thread goes on under this epoch's pseudonym, and so does looking after a member who writes in it."""
        await unit.conversations.forget(stored.pseudonym)
        if thread.live:
            await look_later(unit, pseudonym, thread.live)

    def _wording(self, incoming: Incoming, spoken: Spoken) -> Wording:
        return Wording(
            phrases=self._house.phrases,
            line=self._house.facts,
            conversation=spoken.thread.conversation,
            channel=incoming.address.channel,
            code=spoken.code,
            waiting=spoken.answers,
            recordings=self._house.recordings,
        )

    # Talk --------------------------------------------------------------------------------------------------

    async def _advance(self, moment: Moment) -> Spoken:
        """Triage judges the words, the engine says what follows, triage judges what was chosen."""
        before, policy = moment.thread, self._house.line.triage
        if before.heard and moment.incoming.kind is not IncomingKind.HANGUP:  # whoever goes on has heard them
            await moment.unit.codes.said([uuid.UUID(answer_id) for answer_id in before.heard])
        judged = moment.reading.judged(before.conversation)
        verdict = assess(judged, before.conversation.chosen, before.assessment, policy)
        urgent = judged is not None and self._shows_danger(judged, before.assessment, verdict)
        event = self._words.unasked(moment.incoming, moment.reading, before) or await self._event(moment)
        conversation, effects = self._engine(moment, before.conversation, event, urgent=urgent)
        if moment.reading.flooding and _asks_for(GiveCode, effects):
            conversation, effects = self._without_code(moment, conversation, effects)
        if effects and isinstance(asked := effects[-1], OpenCode):
            checked, before = await self._check_code(moment, asked)
            conversation, more = self._engine(moment, conversation, checked)
            effects = (*effects[:-1], *more)
        if effects and isinstance(meant := effects[-1], KeepWord | CheckWord):
            event, before = self._words.answer(meant, moment.reading, before)
            conversation, more = self._engine(moment, conversation, event, urgent=urgent)
            effects = (*effects[:-1], *more)
        known = before.assessment if is_word(event) else verdict  # an agreed word says nothing else: nobody reads it
        if effects and isinstance(effects[-1], Withdraw):
            at_once = await moment.report.withdraw()
            conversation, more = self._engine(moment, conversation, Withdrawn(at_once=at_once))
            return Spoken(
                thread=ThreadState(conversation=conversation, words=before.words), effects=(*effects[:-1], *more)
            )
        verdict = assess(None, conversation.chosen, known, policy, alerts=moment.report.alerts(effects))
        said = before.waiting if _asks_for(ReadAnswers, effects) else ()
        code, copies = await self._new_code(moment, before) if _asks_for(GiveCode, effects) else ("", ())
        return Spoken(
            thread=ThreadState(
                conversation=conversation,
                assessment=verdict,
                code_end=last_group(code) if code else before.code_end,
                waiting=() if said else before.waiting,
                heard=(*(answer_id for answer_id, _ in said), *copies) if said else (),
                envelope=before.envelope,
                words=before.words,
            ),
            effects=effects,
            code=code,
            answers=tuple(text for _, text in said),
        )

    async def _event(self, moment: Moment) -> Event:
        if moment.incoming.kind is not IncomingKind.DIALLED:
            return _EVENTS[moment.incoming.kind](moment.incoming)
        return HandedBack(talked=await self._connecting.talked(moment.unit, moment.incoming, moment.thread))

    def _engine(
        self, moment: Moment, conversation: Conversation, event: Event, *, urgent: bool = False
    ) -> tuple[Conversation, tuple[Effect, ...]]:
        house = self._house
        line = house.facts.on(moment.incoming.address.channel)
        meaning = moment.reading.meaning or UNREAD
        return advance(house.flow, conversation, event, meaning, house.world.now(), line, urgent=urgent)

    def _without_code(
        self, moment: Moment, conversation: Conversation, effects: Sequence[Effect]
    ) -> tuple[Conversation, tuple[Effect, ...]]:
        """The sender is far too fast for a new code: what they said is kept, and they are asked the same again."""
        kept = tuple(effect for effect in effects if isinstance(effect, Keep | SetContactRule | Alert))
        before = moment.thread.conversation.but(kept=conversation.kept, contact_rule=conversation.contact_rule)
        again, asked = self._engine(moment, before, Started())
        return again, (*kept, *asked)

    def _shows_danger(self, meaning: Meaning, before: Assessment | None, verdict: Assessment) -> bool:
        """True when this very message means danger: by itself, or because it made an emergency of what was said."""
        policy = self._house.line.triage
        limits = policy.thresholds_for(meaning.language, romanised=meaning.transliterated)
        if is_asked_by_a_stranger(meaning, limits.sure_signal):
            return False
        alone = assess(meaning, {}, None, policy).level
        rose = verdict.level is Level.EMERGENCY and (before is None or before.level < Level.EMERGENCY)
        return alone is Level.EMERGENCY or rose

    async def _check_code(self, moment: Moment, asked: OpenCode) -> tuple[CodeChecked, ThreadState]:
        """What the vault says to a code, and the thread with the answers that wait under it."""
        thread, codes = moment.thread, moment.unit.codes
        if asked.ending:
            matches = bool(thread.code_end) and digits(asked.digits) == thread.code_end
            if matches and moment.report.case_id:
                await codes.settle(moment.report.case_id)
            return CodeChecked(found=matches), thread
        found = await codes.match(moment.reading.code)
        if found is None:
            self._house.counts["codes_refused"] += 1
            return CodeChecked(found=False), thread
        moment.report.continue_case(found.case_id)
        if not found.known_to_staff:
            await codes.settle(found.case_id)
        waiting = tuple((str(answer.id), answer.text) for answer in await codes.read(found.keys))
        checked = CodeChecked(found=True, waiting=len(waiting), known_to_staff=found.known_to_staff)
        return checked, thread.but(waiting=waiting, code_end=last_group(digits(asked.digits)))

    async def _new_code(self, moment: Moment, thread: ThreadState) -> tuple[str, tuple[str, ...]]:
        """A return code for this case. What waits under the code before it waits under this one too: ids of those."""
        case, codes = await moment.report.case(), moment.unit.codes
        code = await codes.issue(case.id, self._house.world.dice)
        copies = await codes.pass_on(case.id, [text for _, text in thread.waiting])
        return code, tuple(map(str, copies))

    def _not_kept(self, incoming: Incoming, reading: Reading) -> Answer | None:
        """What the person is told when nothing was stored; None where the provider tries again by itself."""
        house = self._house
        if not house.channels[incoming.address.channel].capabilities.answers_in_response:
            return None
        found = (reading.meaning.language if reading.meaning else None) or ""
        language = found if found in house.line.languages else house.line.default_language
        text = house.phrases.text("turn.not_kept", language, house.line.mode, house.facts.values)
        return Answer(text=text, language=language, expect=Expect.NOTHING)


def _owing(spoken: Spoken, moment: Moment) -> Spoken:
    """The same, after what the person is still to be told: that a member has left, and what became of their chat."""
    before, after, minute = moment.thread, spoken.thread.conversation, moment.unit.transaction.minute
    live, unsaid, of_staff = attended(before, after, minute)
    chat, of_chat = owed(before.chat, after)
    thread = spoken.thread.but(chat=chat, live=live, left_unsaid=unsaid, signed=minute)
    return replace(spoken, thread=thread, effects=(*of_staff, *of_chat, *spoken.effects))


def _asks_for(kind: type[Effect], effects: Sequence[Effect]) -> bool:
    return any(isinstance(effect, kind) for effect in effects)
