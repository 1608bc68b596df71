"""A member of staff writes with a person themselves: taking a conversation over, writing in it, and handing it back.

Every change is one transaction under the locks of a turn, in a turn's order: the person's pseudonyms first, the case
after them. So a message that comes at the same moment is either answered by the line or kept for the member, and
never both or neither. Whether the person may be written to is their own rule (contact.py).
"""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final
from zoneinfo import ZoneInfo

from bot.afterwards import chat_lock, rest_later
from bot.contact import Fate, fate, next_moment
from bot.house import House
from bot.line import Line
from bot.report import Report
from bot.thread import Live, ThreadState
from bot.wording import Wording
from channels.messages import Address, ChannelName, Incoming, IncomingKind
from console.actions import Held, Presence
from dialogs.conversation import Conversation, Mode, Phase
from dialogs.engine import advance
from dialogs.events import Effect, Joined, Left, Say
from dialogs.guarding import is_doubtful
from dialogs.presence import GONE, HERE, may_be_joined
from triage.levels import Level
from triage.review import CaseEvent, legal_events, transition
from understanding.meaning import UNREAD
from vault.cases import Case, Entry
from vault.conversations import Thread
from vault.delivery import OutboxKind, OutboxState
from vault.errors import NotFound
from vault.members import Member
from vault.pseudonyms import Pseudonym
from vault.unit import Unit

_TEXT: Final = {ChannelName.SMS, ChannelName.TELEGRAM}
_LOOK: Final = timedelta(minutes=1)  # how often somebody looks whether the member is still there
_LATE: Final = timedelta(minutes=5)  # by so much that look may be late, after an outage; beyond, it will not come

AWAY: Final = "They are not there now: nothing came from them for {minutes} minutes. An answer goes by their own rule."
MOVED: Final = "They are not there now: they last wrote from somewhere else. An answer goes by their own rule."
SPOKEN: Final = "Only people who write can be written with. An answer goes by their own rule."
RESTING: Final = "They said that they cannot talk now. An answer waits until they write and it is safe."
UNSAFE: Final = "The line has just asked them whether it is safe to write. Wait for their answer."
FORCED: Final = "They may be forced by somebody who reads along. Nothing is sent to this phone."
NEVER: Final = "They asked not to be contacted first. An answer waits under their code."
LATER: Final = "They asked to be contacted at certain hours only, and it is not that time. An answer goes out then."
OVER: Final = "You are not writing with them any more: the line has taken over again, or a colleague has."
SHUT: Final = "This case is not open, so nobody can write with them."


class Verdict(Enum):
    """Whether a member still writes with a person."""

    STAY = "stay"
    BACK = "back"  # the line comes back, and says so
    QUIET = "quiet"  # the line comes back, and says so when the person does


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A person's thread, and the case it belongs to."""

    stored: Thread
    thread: ThreadState
    case: Case

    @property
    def live(self) -> Live | None:
        """Who writes with them now."""
        return self.thread.live

    @property
    def heard(self) -> datetime:
        """The minute of the person's last sign."""
        return self.thread.signed or self.stored.touched_at


def verdict(seat: Seat, now: datetime, *, signed_in: bool, live: timedelta, idle: timedelta) -> Verdict:
    """Whether the member is still there, and whether the person would miss them."""
    going, case = seat.live, seat.case
    if going is None or seat.thread.envelope != case.envelope:
        return Verdict.QUIET
    waits_since = max(going.acted, case.waits_since or going.acted)
    gone = not signed_in or not _workable(case)
    if case.waits and _workable(case):
        return Verdict.BACK if gone or now - waits_since >= live else Verdict.STAY
    if now - going.heard >= idle and (gone or now - going.acted >= idle):
        return Verdict.QUIET
    return Verdict.BACK if gone else Verdict.STAY


def attended(before: ThreadState, after: Conversation, minute: datetime) -> tuple[Live | None, bool, tuple[Say, ...]]:
    """After a turn: who writes with the person still, whether they are yet to be told that somebody left, and what
    they are told now. They end it themselves by a key (dialogs/presence.py)."""
    live = before.live
    if live is not None:
        return (replace(live, heard=minute) if after.human else None), False, ()
    safe = after.phase in {Phase.ASKING, Phase.ENDED} and not after.ask_safe and not after.duress
    told = (Say(phrase=GONE),) if before.left_unsaid and safe else ()
    return None, before.left_unsaid and not told, told


async def is_attended(unit: Unit, thread: ThreadState, case_id: uuid.UUID | None, line: Line) -> bool:
    """Whether what the person says now comes before the eyes of the member who writes with them.

    Not when their report was destroyed, or goes on elsewhere since they opened their code there: then nobody would
    answer, and the line would be silent. Nor when the job that looks after the member is long overdue: it was lost.
    """
    if thread.live is None or case_id is None:
        return False
    try:
        case = await unit.cases.get(case_id, lock=True)
    except NotFound:
        return False
    readable = thread.envelope == case.envelope and CaseEvent.WRITE in legal_events(case.state)
    return readable and not case.withdrawn_at and not _overdue(case, thread.live, unit.transaction.now, line)


def _overdue(case: Case, live: Live, now: datetime, line: Line) -> bool:
    """The job should have brought the line back long ago (`verdict`)."""
    if case.waits:
        since, most = max(live.acted, case.waits_since or live.acted), line.live_minutes
    else:
        since, most = max(live.acted, live.heard), line.idle_minutes
    return now - since >= timedelta(minutes=most) + _LATE


def left_behind(house: House, thread: ThreadState) -> ThreadState:
    """The thread after a member could no longer write in it: the line is back, and says so with its next words."""
    back, _ = advance(house.flow, thread.conversation, Left(), UNREAD, house.world.now(), house.facts)
    return thread.but(conversation=back, live=None, left_unsaid=True)


class TakeOver:
    """What the console and the job do about it, for one house."""

    def __init__(self, house: House) -> None:
        self._house = house

    # For the console ---------------------------------------------------------------------------------------

    async def presence(self, unit: Unit, case: Case, envelope: Entry | None) -> Presence:
        """Who writes with this person, or why nobody can. Changes nothing and waits for nobody."""
        seat = await self._seat(unit, case, envelope, lock=False)
        if isinstance(seat, str):
            return Presence(refusal=seat)
        if seat.live:
            return Presence(member=seat.live.member)
        refusal = self._why_not(seat, unit.transaction.now)
        return Presence(refusal=refusal) if refusal else Presence(announced=self._announced(seat))

    async def take_over(self, unit: Unit, case: Case, envelope: Entry | None, member: Member) -> uuid.UUID | None:
        """From now on this member writes, and the line is silent; gives whom they take it from. Once or again, the
        same. Raises Held."""
        seat = await self._held(unit, case, envelope)
        now, minute = unit.transaction.now, unit.transaction.minute
        if seat.live:
            before = seat.live.member
            if before != member.id:
                await self._save(unit, seat, live=replace(seat.live, member=member.id, acted=minute))
            return before if before != member.id else None
        if refusal := self._why_not(seat, now):
            raise Held(refusal)
        if envelope is None:  # never: who has no address has no seat
            raise Held(SPOKEN)
        live = Live(
            id=self._house.world.new_id(),
            member=member.id,
            channel=envelope.channel,
            address=envelope.address,
            acted=minute,
            heard=seat.heard,
        )
        conversation, effects = self._engine(seat, Joined(), live.channel)
        await self._tell(unit, seat, live, conversation, effects)
        await self._save(unit, seat, live=live, conversation=conversation, turns=seat.stored.turns + 1)
        await look_later(unit, seat.stored.pseudonym, live)
        return None

    async def write(self, unit: Unit, case: Case, envelope: Entry | None, text: str, member: Member) -> str:
        """Words of the member, at once: the person is there. Gives the parcel's id. Raises Held.

        They are not left under the return code as an answer is: whoever opens it later need not hear a whole talk.
        """
        seat = await self._held(unit, case, envelope)
        live, now = seat.live, unit.transaction.now
        if live is None or live.member != member.id:
            raise Held(OVER)
        if (rule := fate(seat.case, live.channel)) is Fate.LEAVE:
            raise Held(NEVER)
        there = now - live.heard < self._idle
        state = OutboxState.HELD if rule is Fate.HOLD and not there else OutboxState.WAITING
        parcel = await unit.outbox.put(
            OutboxKind.STAFF, live.channel, live.address, {"words": text}, case_id=case.id, state=state
        )
        if state is OutboxState.WAITING:
            lock = chat_lock(unit, seat.stored.pseudonym)
            await unit.jobs.later("deliver", lock=lock, parcel=str(parcel), released="yes")
        await self._save(unit, seat, live=replace(live, acted=unit.transaction.minute))
        return str(parcel)

    async def hand_back(self, unit: Unit, case: Case, envelope: Entry | None, member: Member) -> bool:
        """The line takes over again, and says so; False when it had already. Raises Held for a colleague's."""
        seat = await self._held(unit, case, envelope)
        if seat.live is None:
            return False
        if seat.live.member != member.id:
            raise Held(OVER)
        away = unit.transaction.now - seat.live.heard >= self._idle and not seat.case.waits
        await self._end(unit, seat, quietly=away)
        waits = seat.case.waits
        if not waits:
            await self._change(unit, seat.case, CaseEvent.ANSWER)
        return True

    # For the worker ----------------------------------------------------------------------------------------

    async def attend(self, thread: str, live: str) -> None:
        """Every minute: is the member still there? If not, the line comes back, so that nobody is left in silence."""
        house, pseudonym = self._house, bytes.fromhex(thread)
        async with house.vault.unit() as unit:
            await unit.lock(pseudonym)
            stored = await unit.conversations.by_token(pseudonym)
            state = ThreadState.from_json(stored.state) if stored else ThreadState()
            if stored is None or state.live is None or str(state.live.id) != live:
                return  # it is over, or goes on under another job
            seat = await self._seat_of(unit, stored, state)
            if seat is None:
                after = left_behind(house, state).to_json()
                await unit.conversations.save(stored.pseudonym, after, stored.case_id, turns=stored.turns + 1)
                return
            found = verdict(
                seat,
                unit.transaction.now,
                signed_in=await unit.sessions.is_in(state.live.member),
                live=timedelta(minutes=house.line.live_minutes),
                idle=self._idle,
            )
            if found is Verdict.STAY:
                await look_later(unit, stored.pseudonym, state.live)
                return
            await self._end(unit, seat, quietly=found is Verdict.QUIET)
            unit.audit.add("case.live_lapsed", f"case:{seat.case.code}")
            await self._give_up(unit, seat.case)

    async def _give_up(self, unit: Unit, case: Case) -> None:
        """The member is gone. Who waits goes back to the queue as unread, and an emergency rings as if it were new."""
        if not case.waits:
            await self._change(unit, case, CaseEvent.ANSWER)
            return
        if CaseEvent.RELEASE in legal_events(case.state):
            case = await self._change(unit, case, CaseEvent.RELEASE, member_id=None)
        if _workable(case):
            case = await unit.cases.change(case.id, unread=True)
            if case.level >= Level.HIGH:
                await self._house.pager.given_up(unit, case)

    # Within ------------------------------------------------------------------------------------------------

    @property
    def _idle(self) -> timedelta:
        return timedelta(minutes=self._house.line.idle_minutes)

    async def _held(self, unit: Unit, case: Case, envelope: Entry | None) -> Seat:
        seat = await self._seat(unit, case, envelope, lock=True)
        if isinstance(seat, str):
            raise Held(seat)
        return seat

    async def _seat(self, unit: Unit, case: Case, envelope: Entry | None, *, lock: bool) -> Seat | str:
        """The thread in which the person last wrote to this case; otherwise the sentence that says why there is none.
        `lock`: nobody else changes thread or case until the unit is over."""
        if envelope is None or envelope.channel not in _TEXT:
            return SPOKEN
        while True:
            names = await self._house.pseudonyms.of(envelope.channel, envelope.address)
            if lock:
                await unit.lock(*(name.value for name in names))
            if not lock or self._house.pseudonyms.are_current(names):
                break
        stored = await unit.conversations.find(names)
        case = await unit.cases.get(case.id, lock=True) if lock else case
        thread = ThreadState.from_json(stored.state) if stored else ThreadState()
        if stored is None or stored.case_id != case.id or thread.envelope != case.envelope:
            return MOVED
        return Seat(stored=stored, thread=thread, case=case)

    @staticmethod
    async def _seat_of(unit: Unit, stored: Thread, thread: ThreadState) -> Seat | None:
        if stored.case_id is None:
            return None
        try:
            case = await unit.cases.get(stored.case_id, lock=True)
        except NotFound:  # erased meanwhile, with all that was said in it
            return None
        return Seat(stored=stored, thread=thread, case=case)

    def _why_not(self, seat: Seat, now: datetime) -> str:
        """Why nobody can write with this person now; "" when somebody can."""
        case, said, minutes = seat.case, seat.thread.conversation, self._house.line.idle_minutes
        away = now - seat.heard >= self._idle
        reasons = (
            (not _workable(case), SHUT),
            (said.duress, FORCED),
            (case.resting or said.phase is Phase.PARKED, RESTING),
            (case.contact_rule == "never_first", NEVER),
            (away or not may_be_joined(said.phase), AWAY.format(minutes=minutes)),
            (next_moment(case, now, ZoneInfo(self._house.line.time_zone)) is not None, LATER),
            (said.ask_safe or is_doubtful(self._house.flow, said), UNSAFE),
        )
        return next((sentence for holds, sentence in reasons if holds), "")

    def _engine(self, seat: Seat, event: Joined | Left, channel: str) -> tuple[Conversation, tuple[Effect, ...]]:
        house = self._house
        line = house.facts.on(channel)
        return advance(house.flow, seat.thread.conversation, event, UNREAD, house.world.now(), line)

    async def _end(self, unit: Unit, seat: Seat, *, quietly: bool) -> None:
        """The line is back in this thread."""
        live, case, house = seat.live, seat.case, self._house
        if live is None:
            return
        quietly = quietly or case.resting or fate(case, live.channel) is Fate.LEAVE
        conversation, effects = self._engine(seat, Left(quietly=quietly), live.channel)
        turns = seat.stored.turns + 1
        if quietly:
            await self._file(unit, seat, conversation, effects)
        else:
            await self._tell(unit, seat, live, conversation, effects)
            await rest_later(house, unit, seat.stored.pseudonym, turns, effects)
        await self._save(unit, seat, live=None, conversation=conversation, turns=turns, left_unsaid=quietly)
        await unit.queue_changed()

    async def _file(self, unit: Unit, seat: Seat, conversation: Conversation, effects: tuple[Effect, ...]) -> None:
        """As when a conversation falls silent (rest.py)."""
        if not _workable(seat.case):
            return
        nobody = Address(channel=ChannelName.SMS, value="")
        silence = Incoming(id=f"left:{seat.stored.turns}", address=nobody, kind=IncomingKind.SILENCE)
        report = Report(self._house, unit, seat.case.id, silence)
        await report.keep(seat.thread.but(conversation=conversation), effects, late=False)

    async def _tell(
        self, unit: Unit, seat: Seat, live: Live, conversation: Conversation, effects: tuple[Effect, ...]
    ) -> None:
        """What the line says of it: in the person's language, and as the neutral twin where that is wanted."""
        house, channel = self._house, ChannelName(live.channel)
        spoken = conversation.but(mode=Mode.DISCREET) if _neutral(seat.case) else conversation
        line = house.facts.on(channel)
        answer = Wording(phrases=house.phrases, line=line, conversation=spoken, channel=channel).answer(effects)
        if answer is not None:
            parcel = await unit.outbox.put(OutboxKind.ANSWER, live.channel, live.address, answer.to_json())
            await unit.jobs.later("deliver", lock=chat_lock(unit, seat.stored.pseudonym), parcel=str(parcel))

    def _announced(self, seat: Seat) -> str:
        """What the person is told when somebody begins, in the language of the staff."""
        house = self._house
        mode = Mode.DISCREET if _neutral(seat.case) else seat.thread.conversation.mode
        return house.phrases.text(HERE, house.line.default_language, mode, house.facts.values)

    async def _change(self, unit: Unit, case: Case, event: CaseEvent, **states: object) -> Case:
        if event not in legal_events(case.state):
            return case
        return await unit.cases.change(case.id, state=transition(case.state, event), **states)

    async def _save(self, unit: Unit, seat: Seat, *, turns: int | None = None, **changes: object) -> None:
        stored, after = seat.stored, seat.thread.but(**changes)
        turns = stored.turns if turns is None else turns
        await unit.conversations.save(stored.pseudonym, after.to_json(), stored.case_id, turns=turns)


async def look_later(unit: Unit, pseudonym: Pseudonym, live: Live) -> None:
    """Somebody looks after this in a minute."""
    at = unit.transaction.now + _LOOK
    await unit.jobs.later("attend", at=at, thread=pseudonym.value.hex(), live=str(live.id))


def _neutral(case: Case) -> bool:
    return case.discreet or case.contact_rule == "neutral"


def _workable(case: Case) -> bool:
    return CaseEvent.ASSIGN in legal_events(case.state) and not case.withdrawn_at
