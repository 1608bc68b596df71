"""What one turn puts into its case: opened when the first thing is worth keeping, filed, raised, alerted.

Everything that was said is sealed here and nowhere else. Nothing is decided here but when a case begins.
"""

import uuid
from collections.abc import Iterable, Sequence
from typing import Final

from bot.contact import is_stricter, later, leave
from bot.house import House
from bot.thread import ThreadState
from channels.messages import Incoming, IncomingKind
from dialogs.conversation import CodeState, Conversation, Mode, Phase
from dialogs.events import Alert, Effect, File, Keep, SetContactRule
from dialogs.guarding import FORCED, is_doubtful, may_be_read_here
from triage.drills import Announce
from triage.levels import Assessment, Level
from triage.review import CaseEvent, legal_events, transition
from triage.rules import RULES
from vault.cases import Case, Entry, EntryKind, Reason
from vault.errors import NotFound
from vault.retention import withdraw
from vault.unit import Unit

BLOCKED: Final = "blocked"  # what the case notes when the person wrote a carrier's stop word

DRILL: Final = "drill"  # what the case of a drill notes, once staff may know

_PAGED: Final = Level.HIGH
_TALKING: Final = {Phase.ASKING, Phase.ENDED}  # not parked, not fallen silent


class Report:
    """The case of one thread, within one unit."""

    def __init__(
        self, house: House, unit: Unit, case_id: uuid.UUID | None, incoming: Incoming, *, envelope: int = 0
    ) -> None:
        self._house = house
        self._unit = unit
        self._incoming = incoming
        self._case: Case | None = None
        self._conversation = Conversation()
        self._moved = False
        self.case_id = case_id
        self.envelope = envelope

    def continue_case(self, case_id: uuid.UUID) -> None:
        """From now on this thread feeds the case that the person's code opened, and answers come here."""
        self._moved = case_id != self.case_id
        self.case_id = case_id
        self._case = None

    @staticmethod
    def alerts(effects: Iterable[Effect]) -> tuple[str, ...]:
        """Reasons for which the flow itself asks for a human."""
        return tuple(effect.reason for effect in effects if isinstance(effect, Alert))

    async def case(self) -> Case:
        """The case, begun now if there is none yet, or if the one there was has been erased or withdrawn."""
        if self._case is None and self.case_id is not None:
            self._case = await self._present(self.case_id)
        if self._case is None:
            self._case = await self._open()
            self.case_id = self._case.id
        return self._case

    async def _present(self, case_id: uuid.UUID) -> Case | None:
        try:
            case = await self._unit.cases.get(case_id, lock=True)
        except NotFound:
            return None
        return case if CaseEvent.WRITE in legal_events(case.state) and not case.withdrawn_at else None

    async def withdraw(self) -> bool:
        """The person takes it back. True when it is destroyed at once; what they say next begins a new case."""
        at_once = True
        if self.case_id is not None and (case := await self._present(self.case_id)):
            at_once = await withdraw(self._unit, case)
        self.case_id, self.envelope, self._case, self._moved = None, 0, None, False
        return at_once

    async def keep(self, thread: ThreadState, effects: Sequence[Effect], *, late: bool) -> None:
        """Seal, file and raise what this turn came to. `late`: the words still wait to be read."""
        self._conversation = thread.conversation
        if self._moved:
            await self._move()
        for effect in effects:
            match effect:
                case Keep():
                    await self._keep(effect)
                case SetContactRule(rule=rule, hours=hours):
                    await self._set_rule(rule, hours)
                case File():
                    await self._file()
                case _:
                    pass
        if self.case_id and self._is_newest(await self.case()):
            await self._follow_mode(kept=any(isinstance(effect, Keep) for effect in effects))
        if self.case_id and self._incoming.kind is IncomingKind.BLOCKED:
            blocked = Entry(kind=EntryKind.NOTE, choice=BLOCKED, channel=self._incoming.address.channel)
            await self._unit.cases.add(await self.case(), blocked)
        assessment, alerts = thread.assessment, self.alerts(effects)
        if assessment and (alerts or self.case_id):
            await self._judge(assessment, again=bool(alerts))
        if late and any(isinstance(effect, Keep) and not effect.choice for effect in effects):
            await self._read_later()

    def _is_newest(self, case: Case) -> bool:
        """True when answers go to the phone that this event came from."""
        return self.envelope == case.envelope

    async def _move(self) -> None:
        """The code was opened here: from now on answers come here, and none that was written before goes elsewhere."""
        case = await self.case()
        await self._remember_address(case)
        for unsent in await self._unit.outbox.unsent(case.id):
            if parcel := await self._unit.outbox.look(unsent):
                await leave(self._unit, parcel)

    async def _follow_mode(self, *, kept: bool) -> None:
        """Answers are neutral, wait or stop as the conversation does; what was held goes when they write, in safety."""
        case, conversation = await self.case(), self._conversation
        states: dict[str, object] = {
            "discreet": conversation.mode is Mode.DISCREET,
            "resting": conversation.phase is Phase.PARKED or is_doubtful(self._house.flow, conversation),
            "forced": conversation.duress,
        }
        if _ends_without_a_rule(conversation) and not case.contact_rule:
            states["contact_rule"] = "never_first"  # nothing was chosen, so nobody writes first (product.md, P9)
        if any(getattr(case, name) != value for name, value in states.items()):
            case = await self._change(**states)
        if kept and conversation.phase in _TALKING and may_be_read_here(self._house.flow, conversation):
            for parcel in await self._unit.outbox.release(case.id):
                await later(self._unit, parcel, released="yes")

    async def _set_rule(self, rule: str, hours: str) -> None:
        """The person's rule. Without their code, whoever holds the phone can only make it stricter."""
        case = await self.case()
        knows_code = self._conversation.code is CodeState.OPENED
        if knows_code or is_stricter(rule, case.contact_rule):
            await self._change(contact_rule=rule, contact_hours=hours)

    async def _open(self) -> Case:
        unit, incoming = self._unit, self._incoming
        drill = await unit.drills.by_address(incoming.address.value)  # of a run begun here, or it is a real report
        case = await unit.cases.open(
            language=self._conversation.language or self._conversation.tongue,
            channel=incoming.address.channel,
            level=Level.INFORMATION,
            drill=drill is not None,
            dice=self._house.world.dice,
        )
        unit.audit.add("case.began", f"case:{case.code}")
        if drill:
            await unit.drills.has_case(drill.id, case.id)
            if self._house.line.drills.announce is Announce.AT_ONCE:
                await unit.cases.add(case, drill_mark(drill.scenario))
        self._case = case
        await self._remember_address(case)
        await unit.queue_changed()
        return self._case

    async def _remember_address(self, case: Case) -> None:
        """Seal how this person is reached now; the newest envelope is the one that answers go to."""
        address = self._incoming.address
        envelope = Entry(kind=EntryKind.ENVELOPE, channel=address.channel, address=address.value)
        self.envelope = await self._unit.cases.add(case, envelope)
        self._case = await self._unit.cases.change(case.id, envelope=self.envelope)

    async def _keep(self, kept: Keep) -> None:
        case = await self.case()
        incoming, conversation = self._incoming, self._conversation
        text = self._label(kept) if kept.choice else incoming.text
        entry = Entry(
            kind=EntryKind.PERSON,
            text=text,
            step=kept.step,
            choice=kept.choice,
            language=self._house.line.default_language if kept.choice else conversation.tongue or conversation.language,
            channel=incoming.address.channel,
            media=incoming.media,
            earlier=not self._is_newest(case),
        )
        await self._unit.cases.add(case, entry)
        await self._change(
            state=transition(case.state, CaseEvent.WRITE),
            unread=True,
            waits=True,
            waits_since=case.waits_since if case.waits and case.waits_since else self._unit.transaction.minute,
            language=conversation.language or conversation.tongue or case.language,
        )
        await self._unit.queue_changed()

    def _label(self, kept: Keep) -> str:
        """The words of a choice, in the line's own language, for the staff."""
        if kept.choice == FORCED:
            return RULES[FORCED].say
        step = self._house.flow.steps.get(kept.step)
        choice = step.choice(kept.choice) if step else None
        if choice is None:
            return kept.choice
        line = self._house.line
        return self._house.phrases.text(choice.label, line.default_language, Mode.PLAIN, self._house.facts.values)

    async def _file(self) -> None:
        case = await self.case()
        if case.filed_at is None:
            self._unit.audit.add("case.filed", f"case:{case.code}")
            await self._change(state=transition(case.state, CaseEvent.FILE), filed_at=self._unit.transaction.minute)
            await self._unit.queue_changed()

    async def _judge(self, assessment: Assessment, *, again: bool) -> None:
        """Raise the case to its assessment, say why, and page when it is bad. A case is never lowered here."""
        case = await self.case()
        worse = assessment.level > case.level or (assessment.life_at_risk and not case.life_at_risk)
        if not worse and not again:
            return
        level = max(assessment.level, case.level)
        life = assessment.life_at_risk or case.life_at_risk
        if worse:
            await self._unit.cases.add(case, reasons_entry(assessment))
            self._unit.audit.add(f"case.{level.word}", f"case:{case.code}")
            case = await self._change(level=level, life_at_risk=life)
        if case.level >= _PAGED:
            await self._house.pager.urgent(self._unit, case)
        await self._unit.queue_changed()

    async def _read_later(self) -> None:
        case = await self.case()
        words = await self._unit.unread_words.put(case.id, self._incoming.text, case.language)
        await self._unit.jobs.later("read", words=str(words))

    async def _change(self, **states: object) -> Case:
        self._case = await self._unit.cases.change((await self.case()).id, **states)
        return self._case


def _ends_without_a_rule(conversation: Conversation) -> bool:
    """The person went through to the end and chose no contact rule; in danger they wait for an answer here."""
    return conversation.phase is Phase.ENDED and not conversation.contact_rule and not conversation.danger_shown


def drill_mark(scenario: str) -> Entry:
    """What tells the staff, sealed, that a case is a drill, and of which scenario."""
    return Entry(kind=EntryKind.NOTE, choice=DRILL, text=scenario)


def reasons_entry(assessment: Assessment) -> Entry:
    """Why a case has its level, for the staff: rules, and the words or answers that fired them."""
    return Entry(
        kind=EntryKind.REASONS,
        reasons=tuple(Reason(rule=r.rule, level=r.level.word, words=r.words) for r in assessment.reasons),
    )
