"""The one way out: every message and call that we begin leaves here, as an answer, a staff member's words or a page.

Each may leave twice, after a crash; what it does is asked of the database first and noted there afterwards. Whether a
person may be written to now is asked again just before, since rules change and workers sleep.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.afterwards import CHAT, soon
from bot.connecting import RING, is_rung
from bot.contact import Fate, fate, later, leave, next_moment, staff_answer
from bot.house import House
from bot.notices import Trouble, notice
from bot.pager import STILL
from bot.readiness import question
from bot.responders import page_answer
from channels.messages import Address, Answer, ChannelName, Delivery, DeliveryState, Outgoing, SendError
from triage.alerts import OUTSIDE, Alert, AlertState, PageState
from triage.rota import MethodKind
from vault.delivery import OutboxKind, OutboxState, Parcel
from vault.drills import is_drill
from vault.errors import NotFound
from vault.paging import StoredPage
from vault.rota import Ready
from vault.unit import Unit

_DELAYS: Final = (2, 5, 15, 60, 300, 900, 3600)  # seconds between tries of a delivery
_MOST_TRIES: Final = 30
_ASK_AGAIN: Final = timedelta(minutes=1)

_PAGE_STATES: Final[Mapping[DeliveryState, PageState]] = {
    DeliveryState.ACCEPTED: PageState.ACCEPTED,
    DeliveryState.SENT: PageState.SENT,
    DeliveryState.DELIVERED: PageState.DELIVERED,
    DeliveryState.ANSWERED: PageState.ANSWERED,
    DeliveryState.FAILED: PageState.FAILED,
}
_PARCEL_STATES: Final[Mapping[DeliveryState, OutboxState]] = {
    DeliveryState.DELIVERED: OutboxState.REACHED,
    DeliveryState.ANSWERED: OutboxState.REACHED,
    DeliveryState.FAILED: OutboxState.FAILED,
}

_BLOCKED: Final = 21610  # the receiver wrote STOP: https://www.twilio.com/docs/api/errors/21610


def sent_by(page: StoredPage) -> str:
    """The channel of a page. Asking whoever has a case, by telephone, is a call."""
    return MethodKind.VOICE.value if page.method == STILL else page.method


def wanted(alert: Alert, page: StoredPage) -> bool:
    """True while a page that waits in the queue is still to go out: nobody is rung for what they, or enough others,
    already have."""
    if page.method == STILL:
        return alert.state is AlertState.ACKNOWLEDGED and alert.asked_at is not None
    who = str(page.responder_id) if page.responder_id else OUTSIDE
    return alert.live and who not in alert.acks


class Sending:
    """Sends, and notes what providers say of it."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def _send(self, channel: str, value: str, answer: Answer, reference: uuid.UUID) -> tuple[str, ...]:
        """Hand one thing to a provider and note what it now holds; gives that, as in Receipt. Raises SendError."""
        house, name = self._house, ChannelName(channel)
        if is_drill(value):  # nobody is there: whatever was to leave ends here, before any provider hears of it
            house.counts["drill_kept_back"] += 1
            return ()
        adapter = house.channels.get(name)
        if adapter is None:
            raise SendError(None, retry=False, say=f"The channel {channel} is not set up. Set it in the environment.")
        address = Address(channel=name, value=value)
        receipt = await adapter.send(Outgoing(address=address, answer=answer, reference=str(reference)))
        house.counts[f"sent_{channel}"] += 1
        await self._note_copies(channel, receipt.copies)
        return receipt.copies

    async def _note_copies(self, channel: str, resources: Sequence[str]) -> None:
        """A chat's messages are no copies: they are noted with their chat, for when the person asks to erase it."""
        held = [resource for resource in resources if not resource.startswith(CHAT)]
        if not held:
            return
        async with self._house.vault.unit() as unit:
            for copy in await unit.copies.note(channel, held):
                await unit.jobs.later("erase_copy", at=soon(self._house, unit), copy=copy)

    # Answers -----------------------------------------------------------------------------------------------

    async def deliver(self, parcel: str, released: str = "") -> None:
        """Send an answer, staff's words or a note to a responder; try again as long as that may help.

        `released`: it was held until the person wrote, and they just did.
        """
        house, parcel_id = self._house, uuid.UUID(parcel)
        async with house.vault.unit() as unit:
            found = await unit.outbox.look(parcel_id)
            answer = await self._allowed(unit, found, released=bool(released)) if found else None
        if found is None or answer is None:
            return
        try:
            sent = await self._send(found.channel, found.value, answer, parcel_id)
        except SendError as error:
            await self._not_delivered(found, error, released)
            return
        async with house.vault.unit() as unit:
            await unit.outbox.set(parcel_id, OutboxState.ACCEPTED, tried=True)
            await self._note_messages(unit, found, sent)
            await unit.queue_changed()

    async def _allowed(self, unit: Unit, found: Parcel, *, released: bool) -> Answer | None:
        """What may leave now; None when it may not, after noting when it may. Staff's words obey the person's rule."""
        if found.kind is not OutboxKind.STAFF or found.case_id is None:
            return Answer.from_json(found.answer)
        case = await unit.cases.get(found.case_id)
        verdict = fate(case, found.channel)
        if verdict is Fate.LEAVE:
            await leave(unit, found)
        elif verdict is Fate.HOLD and (case.resting or case.forced or not released):
            await unit.outbox.set(found.id, OutboxState.HELD)
        elif at := next_moment(case, unit.transaction.now, ZoneInfo(self._house.line.time_zone)):
            await unit.outbox.set(found.id, OutboxState.HELD)
            if not await unit.outbox.comes_up(found.id):  # whoever writes while it waits for their hours made a second
                await later(unit, found.id, at, released="yes" if released else "")
        else:
            return staff_answer(self._house, case, found.answer["words"])
        await unit.queue_changed()
        return None

    async def _note_messages(self, unit: Unit, found: Parcel, sent: Sequence[str]) -> None:
        """Remember the numbers of messages in a person's chat, so that they can have them erased."""
        if found.channel == ChannelName.TELEGRAM and found.kind is not OutboxKind.RESPONDER:
            pseudonyms = await self._house.pseudonyms.of(found.channel, found.value)
            for message in sent:
                await unit.chat_messages.note(pseudonyms[0].value, int(message.removeprefix(CHAT)))

    async def _not_delivered(self, parcel: Parcel, error: SendError, released: str) -> None:
        house = self._house
        house.log.warning("deliver.refused", channel=parcel.channel, code=error.code, attempt=parcel.tries + 1)
        async with house.vault.unit() as unit:
            again = error.retry and parcel.tries + 1 < _MOST_TRIES
            state = OutboxState.WAITING if again else OutboxState.FAILED
            await unit.outbox.set(parcel.id, state, error=error.code, tried=True)
            if again:
                delay = max(error.after or 0, _DELAYS[min(parcel.tries, len(_DELAYS) - 1)])
                at = unit.transaction.now + timedelta(seconds=delay)
                await unit.jobs.later("deliver", at=at, parcel=str(parcel.id), released=released)
            await unit.queue_changed()

    # Pages -------------------------------------------------------------------------------------------------

    async def page(self, page: str) -> None:
        """Send one page, if its alert still looks for a human."""
        house, page_id = self._house, uuid.UUID(page)
        try:
            async with house.vault.unit() as unit:
                stored = await unit.alerts.page(page_id)
                alert = await unit.alerts.get(stored.alert_id)
                case = await unit.cases.get(alert.case_id)
                responder = await unit.responders.get(stored.responder_id) if stored.responder_id else None
                if is_rung(stored, await unit.alerts.pages(alert.id), unit.transaction.now):
                    at = unit.transaction.now + timedelta(seconds=RING)
                    await unit.jobs.later("page", at=at, page=page)
                    return
        except NotFound:  # the case was erased meanwhile
            return
        if not wanted(Alert.from_json(alert.machine), stored):
            return
        contact = responder.contact(sent_by(stored), stored.contact) if responder else None
        value = contact.value if contact else "" if stored.responder_id else house.line.triage.outside_number
        state, error = await self._page(stored, value, page_answer(house, case, stored, responder))
        house.log.info("page.sent", page=page_id, method=stored.method, state=state, level=case.level.word)
        async with house.vault.unit() as unit:
            await house.pager.news(unit, page_id, state, error)
            await self._blocked(unit, stored, error)

    async def _blocked(self, unit: Unit, page: StoredPage, error: int | None) -> None:
        """The responder wrote STOP: the other methods go on by themselves, and somebody is told to help them."""
        responder = await unit.responders.get(page.responder_id) if page.responder_id and error == _BLOCKED else None
        if responder:
            await notice(self._house, unit, Trouble.STOPPED, about=str(responder.id), name=responder.name)

    async def _page(self, page: StoredPage, value: str, answer: Answer) -> tuple[PageState, int | None]:
        """Hand the page over; a refusal is news for the pager, which tries the next method or person."""
        if not value:  # the responder was removed, or has changed this method, since the page was asked for
            return PageState.FAILED, None
        try:
            await self._send(sent_by(page), value, answer, page.id)
        except SendError as refused:
            self._house.log.warning("page.refused", page=page.id, method=page.method, code=refused.code)
            return PageState.FAILED, refused.code
        return PageState.ACCEPTED, None

    # Questions before shifts ---------------------------------------------------------------------------------

    async def ask_ready(self, check: str) -> None:
        """Ask a responder by one of their methods. While an alert rings, and the phone may be needed, it waits."""
        house, check_id = self._house, uuid.UUID(check)
        async with house.vault.unit() as unit:
            asked = await unit.readiness.get(check_id)
            responder = await unit.responders.get(asked.responder_id) if asked else None
            if asked is None or responder is None or asked.state is not Ready.ASKED:
                return
            busy = asked.method == MethodKind.VOICE and bool(await unit.alerts.ringing())
            if busy and unit.transaction.now < asked.due_at:
                await unit.jobs.later("ask_ready", at=unit.transaction.now + _ASK_AGAIN, check=check)
                return
            contact = responder.contact(asked.method, asked.contact)
            answer = question(house, unit, responder, asked)
        try:
            await self._send(asked.method, contact.value if contact else "", answer, check_id)
        except SendError as refused:
            house.log.warning("readiness.refused", method=asked.method, code=refused.code)
            async with house.vault.unit() as unit:
                if refused.retry and unit.transaction.now + _ASK_AGAIN < asked.due_at:
                    await unit.jobs.later("ask_ready", at=unit.transaction.now + _ASK_AGAIN, check=check)
                else:
                    await unit.readiness.set(check_id, Ready.FAILED, error=refused.code)

    # What providers say ------------------------------------------------------------------------------------

    async def report(self, delivery: Delivery) -> None:
        """News of something we sent: a page or a parcel. Its copy goes to the ledger, whatever it is."""
        house = self._house
        if delivery.copy:
            channel = ChannelName.VOICE if delivery.copy.startswith("calls/") else ChannelName.SMS
            await self._note_copies(channel, [delivery.copy])
        try:
            reference = uuid.UUID(delivery.reference)
        except ValueError:  # an answer that went out in a webhook's response has no reference of ours
            house.counts["news_without_reference"] += 1
            return
        async with house.vault.unit() as unit:
            try:
                await house.pager.news(unit, reference, _PAGE_STATES[delivery.state], delivery.error)
                await self._blocked(unit, await unit.alerts.page(reference), delivery.error)
            except NotFound:
                state = _PARCEL_STATES.get(delivery.state)
                if await unit.readiness.get(reference) is not None:
                    if state is OutboxState.FAILED:
                        await unit.readiness.set(reference, Ready.FAILED, error=delivery.error)
                elif state:
                    await unit.outbox.set(reference, state, error=delivery.error)
            await unit.queue_changed()
