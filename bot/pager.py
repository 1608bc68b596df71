"""Carries out what triage.escalation decides: keeps the alert, sends its pages by jobs, wakes it by jobs.

Nothing is decided here and nobody is called here. Everything happens inside the caller's unit, so that an alert, its
pages and their jobs are one fact.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.calendar import contact_of, responder
from bot.line import Line
from bot.world import World
from channels.messages import Answer, Choice, Expect
from dialogs.conversation import Mode
from dialogs.lexicon import normal
from dialogs.phrases import Phrases
from triage.alerts import (
    OUTSIDE,
    Acknowledged,
    Action,
    Alert,
    AlertState,
    Closed,
    ConsoleAlarm,
    Event,
    Opened,
    PageNews,
    PageOutside,
    PageResponder,
    PageState,
    Raised,
    Tell,
    TellResponder,
    Tick,
    TimedOut,
    WakeAt,
    Worked,
)
from triage.escalation import new_alert, step
from triage.levels import Level
from triage.policy import When
from triage.review import WORK, CaseState
from triage.rota import MethodKind, Rota
from understanding.tongues import NAMES
from vault import paging
from vault.cases import Case
from vault.delivery import OutboxKind
from vault.errors import NotFound
from vault.paging import StoredAlert, StoredResponder
from vault.unit import Unit

BACK: Final = timedelta(days=8)
AHEAD: Final = timedelta(days=62)
STILL: Final = "still"  # a button's first part; and the method of a page that only asks, by a call
_MINUTE: Final = timedelta(seconds=59)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """The only way from a case to a ringing phone."""

    line: Line
    world: World
    phrases: Phrases
    console_url: str

    async def urgent(self, unit: Unit, case: Case) -> None:
        """The case has a level that may page: open its alert, or make it worse. Harmless when repeated."""
        if case.drill and case.state is CaseState.CLOSED:
            return  # the drill is over: words of it that were read late call nobody
        stored = await unit.alerts.of_case(case.id)
        if stored is not None:
            await self._apply(unit, stored.id, Raised(level=case.level, life_at_risk=case.life_at_risk))
        elif self.line.triage.of(case.level).page is not When.PAST_TARGET:
            await self._open(unit, case)

    async def alert_of(self, unit: Unit, case: Case) -> StoredAlert:
        """The case's alert, opened now if its level does not page by itself: somebody is wanted now."""
        stored = await unit.alerts.of_case(case.id)
        if stored is None:
            await self._open(unit, case)
            stored = await unit.alerts.of_case(case.id)
        if stored is None:
            raise NotFound
        return stored

    async def _open(self, unit: Unit, case: Case) -> None:
        alert_id = self.world.new_id()
        machine = new_alert(
            str(alert_id),
            level=case.level,
            language=case.language,
            life_at_risk=case.life_at_risk,
            policy=self.line.triage,
        )
        unit.audit.add("alert.opened", f"case:{case.code}")
        await unit.alerts.save(StoredAlert(id=alert_id, case_id=case.id, ringing=True, machine=machine.to_json()))
        await self._apply(unit, alert_id, Opened())

    async def timed_out(self, unit: Unit, alert_id: uuid.UUID, timer: int) -> None:
        """A wake-up has come."""
        await self._apply(unit, alert_id, TimedOut(timer=timer))

    async def tick(self, unit: Unit, alert_id: uuid.UUID) -> None:
        """Do whatever is due for this alert, even if its wake-up was lost."""
        await self._apply(unit, alert_id, Tick())

    async def backstop(self, unit: Unit, case_id: uuid.UUID) -> None:
        """Page for a case that nobody has read within its target."""
        case, now = await unit.cases.get(case_id, lock=True), unit.transaction.now
        if not case.unread or now - case.since <= self.line.triage.target(case.level):
            return  # somebody has read it just now
        stored = await unit.alerts.of_case(case.id)
        if stored is None:
            await self._open(unit, case)
        elif not stored.ringing and self._is_stale(stored, case, now):
            await self._apply(unit, stored.id, Raised(level=case.level, life_at_risk=case.life_at_risk))

    def _is_stale(self, stored: StoredAlert, case: Case, now: datetime) -> bool:
        """True when nothing happened to this alert for as long as the case may wait."""
        return stored.changed_at is not None and now - stored.changed_at > self.line.triage.target(case.level)

    def unread_before(self, now: datetime) -> dict[Level, datetime]:
        """For each level, the moment before which a case must have been read by now."""
        return {level: now - self.line.triage.target(level) for level in Level}

    async def news(self, unit: Unit, page_id: uuid.UUID, state: PageState, error: int | None = None) -> None:
        """What a provider says of a page. Raises NotFound for a page that is not ours."""
        page = await unit.alerts.page(page_id)
        await unit.alerts.set_page(page_id, _STORED[state], error=error)
        await self._apply(unit, page.alert_id, PageNews(page=str(page_id), state=state, error=error))

    async def acknowledged(
        self, unit: Unit, alert_id: uuid.UUID, who: str, *, role: str = "responder"
    ) -> TellResponder:
        """Somebody has it; gives what to tell them. `who` is a responder's or a member's id, or OUTSIDE."""
        stored = await unit.alerts.get(alert_id)
        case = await unit.cases.get(stored.case_id)
        unit.audit.add("alert.acknowledged", f"case:{case.code}", actor=f"{role}:{who}")
        return await self._apply(unit, alert_id, Acknowledged(responder=who), acting=who)

    async def closed(self, unit: Unit, case: Case) -> None:
        """Staff closed the case: nobody is called any more."""
        stored = await unit.alerts.of_case(case.id)
        if stored is not None:
            await self._apply(unit, stored.id, Closed())

    async def given_up(self, unit: Unit, case: Case) -> None:
        """Whoever had this case is gone while the person waits: call people anew, as if nobody had taken it."""
        await self.closed(unit, case)
        await self.urgent(unit, case)

    async def rota(self, unit: Unit) -> Rota:
        """Who can be paged: the calendar of line.yml, and what changes it, over the people in the vault.

        As far as anybody looks: from last week to two months ahead.
        """
        now = unit.transaction.now
        people = tuple(responder(r, self.line.time_zone) for r in await unit.responders.all())
        return self.line.standing.rota(people, await unit.rota_changes.between(now - BACK, now + AHEAD))

    async def _apply(self, unit: Unit, alert_id: uuid.UUID, event: Event, *, acting: str = "") -> TellResponder:
        """One step of the machine: keep it, then note what it asks for. Gives what the acting person is told."""
        stored = await unit.alerts.get(alert_id)  # locked: two events of one alert never overtake each other
        machine = Alert.from_json(stored.machine)
        rota, after = await self.rota(unit), machine
        actions: tuple[Action, ...] = ()
        worked = await self._worked(unit, stored, machine) if isinstance(event, TimedOut | Tick) else None
        for happened in (worked, event) if worked else (event,):
            after, more = step(
                after,
                self.line.triage,
                rota,
                happened,
                unit.transaction.now,
                new_id=lambda: str(self.world.new_id()),
            )
            actions = (*actions, *more)
        if _leaves_the_house(after, actions) and (await unit.cases.get(stored.case_id)).drill:
            # A drill climbs as far as our own people go. It ends here: bot/drills.py says that nobody had it.
            after, actions = step(
                after, self.line.triage, rota, Closed(), unit.transaction.now, new_id=lambda: str(self.world.new_id())
            )
        await unit.alerts.save(
            StoredAlert(id=stored.id, case_id=stored.case_id, ringing=after.live, machine=after.to_json())
        )
        told = TellResponder(responder=acting, what=Tell.TAKEN, holders=after.acks)
        for action in actions:
            if isinstance(action, TellResponder) and action.responder == acting:
                told = action
            else:
                await self._act(unit, stored, action)
        if after.state is not machine.state or after.acks != machine.acks:
            await unit.queue_changed()
        return told

    async def _worked(self, unit: Unit, stored: StoredAlert, machine: Alert) -> Worked | None:
        """What was done about a case since somebody took it, as far as the audit trail tells; asked only when it
        matters. The trail knows minutes: what was done within one counts as done at its end."""
        if machine.state is not AlertState.ACKNOWLEDGED or machine.acked_at is None:
            return None
        case, now = await unit.cases.get(stored.case_id), unit.transaction.now
        settled = case.state not in WORK or not (case.waits or case.unread)
        at = await unit.audit.worked_on(case.code, machine.acked_at)
        if at is None and not settled:
            return None
        return Worked(at=min(now, at + _MINUTE) if at else now, settled=settled)

    async def _act(self, unit: Unit, stored: StoredAlert, action: Action) -> None:
        match action:
            case PageResponder(page=page, method=method):
                await self._page(unit, stored, page, method.kind, contact_of(method))
            case PageOutside(page=page):
                await self._page(unit, stored, page, MethodKind.VOICE)
            case WakeAt(at=at, timer=timer):
                await unit.jobs.later("wake", at=at, alert=str(stored.id), timer=str(timer))
            case TellResponder():
                await self._tell(unit, stored, action)
            case ConsoleAlarm():
                case_ = await unit.cases.get(stored.case_id)
                unit.audit.add("alert.last_resort", f"case:{case_.code}")
                await unit.queue_changed()

    async def _page(
        self,
        unit: Unit,
        stored: StoredAlert,
        page: str,
        kind: MethodKind,
        to: tuple[uuid.UUID | None, str] = (None, ""),
    ) -> None:
        await unit.alerts.add_page(uuid.UUID(page), stored.id, to[0], kind, contact=to[1])
        await unit.jobs.later("page", page=page)

    async def _tell(self, unit: Unit, stored: StoredAlert, told: TellResponder) -> None:
        """Send a note by the quietest written method that the person has. A question also rings, if it has to."""
        if told.responder == OUTSIDE:
            return
        found = await unit.responders.get(uuid.UUID(told.responder))
        contact = found and (found.contact("telegram") or found.contact("sms"))
        if not found or not contact:
            if found and told.what is Tell.STILL_ON_IT and found.contact("voice"):
                page = self.world.new_id()
                await unit.alerts.add_page(page, stored.id, found.id, STILL)
                await unit.jobs.later("page", page=str(page))
            return
        case = await unit.cases.get(stored.case_id)
        answer = await self.told(unit, case, found, told)
        if told.what is Tell.STILL_ON_IT and contact.method == "telegram":
            label = self.phrases.text("page.still_button", answer.language, Mode.PLAIN, {})
            answer = replace(answer, choices=(Choice(id=f"{STILL}:{stored.id}", key="", label=label),))
        parcel = await unit.outbox.put(OutboxKind.RESPONDER, contact.method, contact.value, answer.to_json())
        await unit.jobs.later("deliver", parcel=str(parcel))

    async def told(
        self, unit: Unit, case: Case, responder: StoredResponder | None, told: TellResponder, *, spoken: bool = False
    ) -> Answer:
        """What a responder reads or hears about where an alert stands."""
        language = self.language(responder)
        values = {
            "code": ", ".join(case.code) if spoken else case.code,
            "holders": await self._names(unit, told.holders, told.responder),
            "level": self.phrases.text(f"level.{case.level.word}", language, Mode.PLAIN, {}),
            "link": "" if spoken else f"{self.console_url}/cases/{case.code}",
        }
        heard = spoken and told.what in {Tell.TAKEN, Tell.NEEDS_SECOND}
        phrase = "page.taken_voice" if heard else _TOLD[told.what]
        text = self.phrases.text(phrase, language, Mode.PLAIN, values)
        if case.drill:  # whoever is told anything has acknowledged, or it is over
            text = f"{text}\n{self.phrases.text('page.drill', language, Mode.PLAIN, {})}"
        return Answer(text=text, language=language, expect=Expect.NOTHING)

    async def called_off(self, unit: Unit, case: Case) -> None:
        """A drill is over: nobody is called any more, and whoever was called and never took it is told what it was."""
        stored = await unit.alerts.of_case(case.id)
        if stored is None:
            return
        machine = Alert.from_json(stored.machine)
        await self._apply(unit, stored.id, Closed())
        if len(machine.acks) < machine.needed:  # otherwise everybody else was told when enough people had it
            for who in dict.fromkeys(page.responder for page in machine.pages):
                if who not in machine.acks:
                    await self._tell(unit, stored, TellResponder(responder=who, what=Tell.CLOSED))

    async def _names(self, unit: Unit, holders: Sequence[str], asking: str) -> str:
        names = {str(r.id): r.name for r in await unit.responders.all()}
        names |= {str(m.id): m.name for m in await unit.members.all()}
        return ", ".join(names.get(h, h) for h in holders if h != asking)

    def named(self, tag: str, language: str) -> str:
        """A report's language by its own name; in English where the line does not speak it."""
        if locale := self.phrases.locales.get(tag):
            return locale.name
        return NAMES.get(tag) or self.phrases.text("page.language_unknown", language, Mode.PLAIN, {})

    def language(self, responder: StoredResponder | None) -> str:
        """The language a responder is written to: their first that the line has."""
        spoken = responder.languages if responder else ()
        return next((tag for tag in spoken if tag in self.line.languages), self.line.default_language)

    async def meant(self, unit: Unit, text: str) -> uuid.UUID | None:
        """Which alert a responder takes: the one whose case code they write. Anything else takes nothing: "I can't"
        must never count as "I have it", and a forged sender does not know the code."""
        try:
            case = await unit.cases.by_code(normal(text).replace(" ", ""))
        except NotFound:
            return None
        stored = await unit.alerts.of_case(case.id)
        return stored.id if stored else None

    async def ringing_for(self, unit: Unit, responder: StoredResponder) -> tuple[str, ...]:
        """Codes of what rings now and this responder does not have, those they were paged for first."""
        found: list[tuple[bool, str]] = []
        for stored in await unit.alerts.ringing():
            machine = Alert.from_json(stored.machine)
            if str(responder.id) not in machine.acks:
                case = await unit.cases.get(stored.case_id)
                found.append((all(p.responder != str(responder.id) for p in machine.pages), case.code))
        return tuple(code for _, code in sorted(found))


def _leaves_the_house(alert: Alert, actions: Sequence[Action]) -> bool:
    return alert.state is AlertState.LAST_RESORT or any(isinstance(action, PageOutside) for action in actions)


_TOLD = {
    Tell.TAKEN: "page.taken",
    Tell.ALREADY_TAKEN: "page.not_yours",
    Tell.NEEDS_SECOND: "page.needs_second",
    Tell.STOOD_DOWN: "page.not_yours",
    Tell.RAISED: "page.raised",
    Tell.CLOSED: "page.late",
    Tell.STILL_ON_IT: "page.still",
    Tell.LAPSED: "page.lapsed",
}

_STORED = {
    PageState.ASKED: paging.PageState.WAITING,
    PageState.ACCEPTED: paging.PageState.SENT,
    PageState.SENT: paging.PageState.SENT,
    PageState.FAILED: paging.PageState.FAILED,
    PageState.DELIVERED: paging.PageState.DELIVERED,
    PageState.ANSWERED: paging.PageState.ANSWERED,
}
