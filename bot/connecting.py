"""A caller asks for a human and is put through: whom to ring, what the responder hears, what becomes of both.

One responder at a time. Each try is a row among the alert's pages, so that its reference is opaque, the key that is
pressed acknowledges the alert as any other page's does, and staff see whom it rang. The alert itself goes on by its
own rules. Nobody is called from here: the answer says whom to ring, and the channel rings.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.house import House
from bot.thread import Calling, ThreadState
from bot.wording import Wording
from channels.messages import Address, Answer, ChannelName, Connect, DialOutcome, Expect, Incoming, IncomingKind
from dialogs.conversation import Mode
from dialogs.events import Effect, HandOver, Say
from triage.alerts import Alert
from triage.rota import MethodKind, Responder, on_call
from vault.cases import Case, Entry, EntryKind
from vault.errors import NotFound
from vault.paging import PageState, StoredPage, StoredResponder
from vault.unit import Unit

CONNECT: Final = "connect"  # the method of a page that is a caller waiting on the line
CONNECTED: Final = "call_connected"
NOT_CONNECTED: Final = "call_not_connected"
RING: Final = 22  # seconds; most voicemail boxes answer after 20 to 30
MOST: Final = 5  # responders in a row: beyond, a caller has waited for minutes

_KEY: Final = "1"
_RINGS_AT_MOST: Final = timedelta(seconds=2 * RING)  # the whisper included


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """Somebody is rung for a caller."""

    calling: Calling
    connect: Connect


def whom(
    duty: Sequence[Responder], known: Sequence[Responder], holders: Sequence[str], tried: Sequence[tuple[str, bool]]
) -> tuple[str, bool] | None:
    """Whom to ring next, and whether they have the case: those who have it first, then who is on duty, in order.

    Everybody once; who took the case since they were rung in vain is rung again, for now they are awake.
    """
    people = {person.id: person for person in known}
    having = [people[holder] for holder in holders if holder in people]
    for person, holds in [(p, True) for p in having] + [(p, False) for p in duty if p.id not in holders]:
        rung = (person.id, holds) in tried or (person.id, True) in tried
        if not rung and any(method.kind is MethodKind.VOICE for method in person.methods):
            return person.id, holds
    return None


def is_rung(page: StoredPage, pages: Sequence[StoredPage], now: datetime) -> bool:
    """True when a page is to be called to a phone that rings for a caller just now: one of both would find it busy."""
    return page.method == MethodKind.VOICE and any(
        other.method == CONNECT
        and other.responder_id == page.responder_id
        and other.state in {PageState.WAITING, PageState.SENT}
        and now - other.created_at < _RINGS_AT_MOST
        for other in pages
    )


class Connecting:
    """The caller's side of it, within one unit."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def ring(self, unit: Unit, case: Case, before: Calling | None = None) -> Ringing | None:
        """Ring the next responder for this case's caller; None when there is nobody (left) to ring."""
        tried = before.tried if before else ()
        if len(tried) >= MOST:
            return None
        pager, now = self._house.pager, unit.transaction.now
        stored = await pager.alert_of(unit, case)
        rota = await pager.rota(unit)
        duty = on_call(rota, now, (case.language,))
        chosen = whom(duty, rota.responders, Alert.from_json(stored.machine).acks, tried)
        responder = await unit.responders.get(uuid.UUID(chosen[0])) if chosen else None
        contact = responder.contact(ChannelName.VOICE) if responder else None
        if chosen is None or responder is None or contact is None:
            return None
        page = self._house.world.new_id()
        await unit.alerts.add_page(page, stored.id, responder.id, CONNECT)
        self._house.counts["calls_put_through"] += 1
        return Ringing(
            calling=Calling(page=page, tried=(*tried, chosen)),
            connect=Connect(
                address=Address(channel=ChannelName.VOICE, value=contact.value), reference=str(page), seconds=RING
            ),
        )

    async def go_on(
        self, unit: Unit, incoming: Incoming, thread: ThreadState, case_id: uuid.UUID | None
    ) -> Ringing | None:
        """What was going on is over: ring the next one, or None when the caller is with us, or gone."""
        calling = thread.calling
        if calling is None or case_id is None:
            return None
        try:
            taken = (await unit.alerts.page(calling.page)).state is PageState.ANSWERED
            case = await unit.cases.get(case_id, lock=True)
        except NotFound:  # the case was erased meanwhile
            return None
        here = incoming.kind is IncomingKind.DIALLED and incoming.reference == str(calling.page)
        if taken and (not here or incoming.text == DialOutcome.CONNECTED):
            return None  # they talked: that was noted when the key was pressed
        following = await self.ring(unit, case, calling) if here else None
        if following is None:
            await note(unit, case, NOT_CONNECTED)
        return following

    async def talked(self, unit: Unit, incoming: Incoming, thread: ThreadState) -> bool:
        """True when a human was on the line: joined, as the provider says, after a key, as we know."""
        if incoming.text != DialOutcome.CONNECTED or thread.calling is None:
            return False
        try:
            return (await unit.alerts.page(thread.calling.page)).state is PageState.ANSWERED
        except NotFound:
            return False

    @staticmethod
    def first(wording: Wording, effects: Sequence[Effect], ringing: Ringing) -> Answer | None:
        """What a caller hears who is being put through: what comes before that, and one calm sentence."""
        before = effects[: next((at for at, e in enumerate(effects) if isinstance(e, HandOver)), len(effects))]
        return _ring_after(wording, (*before, Say(phrase="human.connecting")), ringing)

    @staticmethod
    def again(wording: Wording, ringing: Ringing) -> Answer | None:
        """What a caller hears before the next responder is rung."""
        return _ring_after(wording, (Say(phrase="human.next"),), ringing)


def _ring_after(wording: Wording, effects: Sequence[Effect], ringing: Ringing) -> Answer | None:
    answer = wording.answer(effects, offers=False)
    return answer and replace(answer, expect=Expect.TALK, connect=ringing.connect)


# The responder's side -------------------------------------------------------------------------------------------


async def whispered(
    house: House, unit: Unit, incoming: Incoming, page: StoredPage, responder: StoredResponder
) -> Answer:
    """What a responder hears who picked up while a caller waits. Only the key joins them; it also takes the case,
    unless enough others have it."""
    language = house.pager.language(responder)
    case = await unit.cases.get(await unit.alerts.case_of(page.id), lock=True)  # page, case, alert: in this order
    pressed = incoming.kind is IncomingKind.DIGITS
    if pressed and incoming.text == _KEY:
        await unit.alerts.set_page(page.id, PageState.ANSWERED)
        if (await unit.alerts.get(page.alert_id)).ringing:
            await house.pager.acknowledged(unit, page.alert_id, str(responder.id))
        await note(unit, case, CONNECTED, actor=f"responder:{responder.id}")
        return Answer(text="", language=language, expect=Expect.TALK)
    if not pressed and incoming.kind is not IncomingKind.PICKED_UP:  # no key: a machine, or somebody who cannot
        return Answer(text="", language=language, expect=Expect.NOTHING)
    values = {
        "line": house.line.name,
        "level": house.phrases.text(f"level.{case.level.word}", language, Mode.PLAIN, {}),
        "code": ", ".join(case.code),
        "language": house.pager.named(case.language, language),
    }
    return Answer(text=house.phrases.text("page.whisper", language, Mode.PLAIN, values), language=language)


async def note(unit: Unit, case: Case, what: str, *, actor: str = "system") -> None:
    """Keep with the case whether its caller was connected: a fact without a word, and a line in the audit."""
    await unit.cases.add(case, Entry(kind=EntryKind.NOTE, choice=what, channel=ChannelName.VOICE))
    unit.audit.add(_AUDIT[what], f"case:{case.code}", actor=actor)
    await unit.queue_changed()


_AUDIT: Final = {CONNECTED: "call.connected", NOT_CONNECTED: "call.not_connected"}
