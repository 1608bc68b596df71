"""What is done later: deliver, page, wake, read, rest, erase, look after. Tasks of procrastinate, by name.

One way out: every message and call that we begin leaves through `_send` here. Arguments are ids only. Each task may
run twice, after a crash; what it does is asked of the database first and noted there afterwards, so that a
repetition changes nothing but, at worst, repeats a page.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import procrastinate

from bot.house import House
from bot.report import reasons_entry
from bot.responders import page_answer
from bot.rest import rest
from channels.messages import Address, Answer, ChannelName, Delivery, DeliveryState, Outgoing, SendError
from channels.telegram import Telegram
from triage.alerts import PageState
from triage.assess import assess
from triage.levels import Level
from triage.review import CaseState
from vault.delivery import OutboxState, Parcel
from vault.errors import NotFound
from vault.paging import StoredPage

_DELAYS: Final = (2, 5, 15, 60, 300, 900, 3600)  # seconds between tries of a delivery
# What a task does not expect, such as a database that went away, is tried again for about an hour; then the job
# counts as failed, and doctor and /metrics show it.
_AGAIN: Final = procrastinate.RetryStrategy(max_attempts=80, wait=1, linear_wait=1)
_MOST_TRIES: Final = 30
_ERASE_DELAY: Final = timedelta(minutes=10)
_ERASE_TRIES: Final = 150  # about a day
_READ_BUDGET: Final = 5.0  # seconds: nobody waits for this one
_REPEATS: Final = timedelta(hours=2)  # stored times are rounded down to the hour: at least one hour is kept
_CHAT_WINDOW: Final = timedelta(hours=48)  # Telegram deletes nothing older

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


class Jobs:
    """The tasks of one worker."""

    def __init__(self, house: House) -> None:
        self._house = house

    def register(self, app: procrastinate.App) -> None:
        """Name every task, and the periodic ones with their schedule."""
        for task in (self.deliver, self.page, self.wake, self.read, self.rest, self.erase_copy, self.erase_chat):
            app.task(name=task.__name__, retry=_AGAIN)(task)
        # The sixth field is seconds: whatever lost its wake-up is found within ten.
        look = app.task(name="look", queueing_lock="look")(self.look)
        app.periodic(cron="* * * * * */10")(look)
        tidy = app.task(name="tidy", queueing_lock="tidy")(self.tidy)
        app.periodic(cron="7 * * * *")(tidy)

    # The one way out ---------------------------------------------------------------------------------------

    async def _send(self, channel: str, value: str, answer: Mapping[str, Any], reference: uuid.UUID) -> str:
        """Hand one thing to a provider and note the copy it now holds; gives its id there. Raises SendError."""
        house, name = self._house, ChannelName(channel)
        adapter = house.channels.get(name)
        if adapter is None:
            raise SendError(None, retry=False, say=f"The channel {channel} is not set up. Set it in the environment.")
        address = Address(channel=name, value=value)
        outgoing = Outgoing(address=address, answer=Answer.from_json(answer), reference=str(reference))
        receipt = await adapter.send(outgoing)
        house.counts[f"sent_{channel}"] += 1
        if name is not ChannelName.TELEGRAM:
            kind = "calls" if name is ChannelName.VOICE else "messages"
            await self._note_copy(channel, f"{kind}/{receipt.id}")
        return receipt.id

    async def _note_copy(self, channel: str, copy: str) -> None:
        house = self._house
        async with house.vault.unit() as unit:
            if await unit.copies.note(channel, [copy]):
                at = unit.transaction.now + _ERASE_DELAY
                await unit.jobs.later("erase_copy", at=at, channel=channel, copy=copy)

    # Answers -----------------------------------------------------------------------------------------------

    async def deliver(self, parcel: str) -> None:
        """Send an answer, staff's words or a note to a responder; try again as long as that may help."""
        house, parcel_id = self._house, uuid.UUID(parcel)
        async with house.vault.unit() as unit:
            found = await unit.outbox.look(parcel_id)
        if found is None:
            return
        try:
            sent = await self._send(found.channel, found.value, found.answer, parcel_id)
        except SendError as error:
            await self._not_delivered(found, error)
            return
        async with house.vault.unit() as unit:
            await unit.outbox.set(parcel_id, OutboxState.ACCEPTED, tried=True)
            thread = found.answer.get("thread")
            if thread and sent.isdecimal():
                await unit.chat_messages.note(bytes.fromhex(thread), int(sent))
            await unit.queue_changed()

    async def _not_delivered(self, parcel: Parcel, error: SendError) -> None:
        house = self._house
        house.log.warning("deliver.refused", channel=parcel.channel, code=error.code, attempt=parcel.tries + 1)
        async with house.vault.unit() as unit:
            again = error.retry and parcel.tries + 1 < _MOST_TRIES
            state = OutboxState.WAITING if again else OutboxState.FAILED
            await unit.outbox.set(parcel.id, state, error=error.code, tried=True)
            if again:
                delay = max(error.after or 0, _DELAYS[min(parcel.tries, len(_DELAYS) - 1)])
                at = unit.transaction.now + timedelta(seconds=delay)
                await unit.jobs.later("deliver", at=at, parcel=str(parcel.id))
            await unit.queue_changed()

    async def report(self, delivery: Delivery) -> None:
        """What a provider says of something we sent: a page or a parcel. Unknown references are counted."""
        house = self._house
        if delivery.copy:
            channel = ChannelName.VOICE if delivery.copy.startswith("calls/") else ChannelName.SMS
            await self._note_copy(channel, delivery.copy)
        try:
            reference = uuid.UUID(delivery.reference)
        except ValueError:  # an answer that went out in a webhook's response has no reference of ours
            house.counts["news_without_reference"] += 1
            return
        async with house.vault.unit() as unit:
            try:
                await house.pager.news(unit, reference, _PAGE_STATES[delivery.state], delivery.error)
            except NotFound:
                state = _PARCEL_STATES.get(delivery.state)
                if state:
                    await unit.outbox.set(reference, state, error=delivery.error)
            await unit.queue_changed()

    # Pages -------------------------------------------------------------------------------------------------

    async def page(self, page: str) -> None:
        """Send one page, if its alert still looks for a human."""
        house, page_id = self._house, uuid.UUID(page)
        async with house.vault.unit() as unit:
            stored = await unit.alerts.page(page_id)
            alert = await unit.alerts.get(stored.alert_id)
            case = await unit.cases.get(alert.case_id)
            responder = await unit.responders.get(stored.responder_id) if stored.responder_id else None
        if not alert.ringing:
            return
        contact = responder.contact(stored.method) if responder else None
        value = contact.value if contact else "" if stored.responder_id else house.line.triage.outside_number
        state, error = await self._page(stored, value, page_answer(house, case, stored, responder))
        house.log.info("page.sent", page=page_id, method=stored.method, state=state, level=case.level.word)
        async with house.vault.unit() as unit:
            await house.pager.news(unit, page_id, state, error)

    async def _page(self, page: StoredPage, value: str, answer: Answer) -> tuple[PageState, int | None]:
        """Hand the page over; a refusal is news for the pager, which tries the next method or person."""
        if not value:  # the responder was removed, or has changed this method, since the page was asked for
            return PageState.FAILED, None
        try:
            await self._send(page.method, value, answer.to_json(), page.id)
        except SendError as refused:
            self._house.log.warning("page.refused", page=page.id, method=page.method, code=refused.code)
            return PageState.FAILED, refused.code
        return PageState.ACCEPTED, None

    async def wake(self, alert: str, timer: str) -> None:
        """A moment that the pager asked for has come."""
        async with self._house.vault.unit() as unit:
            await self._house.pager.timed_out(unit, uuid.UUID(alert), int(timer))

    async def look(self, timestamp: int) -> None:
        """Every ten seconds: alerts whose wake-up was lost, cases nobody read in time, jobs of dead workers."""
        house = self._house
        async with house.vault.unit() as unit:
            now = unit.transaction.now
            ringing = await unit.alerts.ringing()
            unread = await unit.cases.in_states((CaseState.DRAFT, CaseState.OPEN))
        for alert in ringing:
            async with house.vault.unit() as unit:
                await house.pager.tick(unit, alert.id)
        for case in unread:
            if house.pager.is_overdue(case, now):
                async with house.vault.unit() as unit:
                    await house.pager.backstop(unit, case.id)
        stalled = await house.vault.jobs.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED)
        for job in stalled:
            await house.vault.jobs.job_manager.retry_job(job)
            house.log.warning("job.taken_over", job=job.id, task=job.task_name)

    # Reading late, resting ---------------------------------------------------------------------------------

    async def read(self, words: str) -> None:
        """Read words that were late. What nobody can read stays urgent until a human has."""
        house, words_id = self._house, uuid.UUID(words)
        async with house.vault.unit() as unit:
            found = await unit.unread_words.look(words_id)
        if found is None:
            return
        case_id, text, language = found
        meaning = await house.understanding.understand(text, languages=house.line.languages, budget=_READ_BUDGET)
        policy = house.line.triage
        async with house.vault.unit() as unit:
            if await unit.unread_words.look(words_id) is None:
                return
            case = await unit.cases.get(case_id, lock=True)
            known = meaning if meaning.language else replace(meaning, language=language or None)
            assessment = assess(known, {}, None, policy)
            life = assessment.life_at_risk or case.life_at_risk
            if assessment.level > case.level or life != case.life_at_risk:
                await unit.cases.add(case, reasons_entry(assessment))
                unit.audit.add(f"case.{assessment.level.word}", f"case:{case.code}")
                level = max(assessment.level, case.level)
                case = await unit.cases.change(case_id, level=level, life_at_risk=life)
                if case.level >= Level.HIGH:
                    await house.pager.urgent(unit, case)
                await unit.queue_changed()
            await unit.unread_words.done(words_id)

    async def rest(self, thread: str, turns: str) -> None:
        """A conversation has fallen silent: file what was said."""
        await rest(self._house, bytes.fromhex(thread), int(turns))

    # Erasing -----------------------------------------------------------------------------------------------

    async def erase_copy(self, channel: str, copy: str, tries: str = "0") -> None:
        """Delete what a provider still holds, until it confirms."""
        house = self._house
        adapter = house.channels.get(ChannelName(channel))
        gone = False
        if adapter is not None:
            try:
                gone = await adapter.erase_copy(copy)
            except SendError as error:
                house.log.warning("copy.refused", copy=copy, code=error.code, attempt=int(tries) + 1)
        async with house.vault.unit() as unit:
            await unit.copies.tried(copy, erased=gone)
            if not gone and int(tries) < _ERASE_TRIES:
                at = unit.transaction.now + _ERASE_DELAY
                await unit.jobs.later("erase_copy", at=at, channel=channel, copy=copy, tries=str(int(tries) + 1))

    async def erase_chat(self, parcel: str) -> None:
        """Delete a chat's messages, both sides', one after another."""
        house, parcel_id = self._house, uuid.UUID(parcel)
        async with house.vault.unit() as unit:
            found = await unit.outbox.look(parcel_id)
        telegram = house.channels.get(ChannelName.TELEGRAM)
        if found is None or not isinstance(telegram, Telegram):
            return
        address = Address(channel=ChannelName.TELEGRAM, value=found.value)
        left = 0
        for number in found.answer["messages"]:
            try:
                left += not await telegram.erase(address, int(number))
            except SendError as error:
                left += 1
                await asyncio.sleep(min(error.after or 0, 5))
        async with house.vault.unit() as unit:
            await unit.outbox.set(parcel_id, OutboxState.FAILED if left else OutboxState.REACHED, tried=True)
        house.log.info("chat.erased", count=len(found.answer["messages"]) - left)

    async def tidy(self, timestamp: int) -> None:
        """Every hour: forget answers nobody asks for again, message numbers too old to delete, jobs that are done."""
        house = self._house
        async with house.vault.unit() as unit:
            await unit.chat_messages.forget_before(unit.transaction.now - _CHAT_WINDOW)
            await unit.messages.forget_answers_before(unit.transaction.now - _REPEATS)
        await house.vault.jobs.job_manager.delete_old_jobs(nb_hours=1)


_STALLED: Final = 20.0  # seconds without a worker's heartbeat
