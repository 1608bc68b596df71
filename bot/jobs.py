"""What is done later, by name: the tasks of procrastinate, in queues of their own so that tidying never delays a page.

Arguments are ids only. What a task does is in sending.py, erasing.py, chats.py, takeover.py, rest.py, keeping.py,
lookout.py and heartbeat.py; what is here looks after alerts, unread words and other workers' jobs.
"""

import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

import procrastinate

from bot.chats import Chats
from bot.drills import DrillRuns
from bot.erasing import Erasing
from bot.heartbeat import Heartbeat
from bot.house import House
from bot.keeping import Keeping
from bot.lookout import Lookout
from bot.readiness import look
from bot.report import reasons_entry
from bot.rest import rest
from bot.sending import Sending
from bot.takeover import TakeOver
from triage.assess import assess
from triage.levels import Assessment, Level
from understanding.meaning import Engine
from vault.errors import NotFound
from vault.unit import Unit

URGENT: Final = "urgent"  # whatever brings a human to somebody in danger
TALK: Final = "talk"  # what a person waits for
READ: Final = "read"  # words that were late; a flood of them must delay nothing else
TIDY: Final = "default"  # everything else
QUEUES: Final = {URGENT: 10, TALK: 10, READ: 2, TIDY: 4}
"""Queue -> jobs at once in one worker process."""

# What a task does not expect, such as a database that went away, is tried again for about an hour; then the job
# counts as failed, and doctor and /metrics show it.
_AGAIN: Final = procrastinate.RetryStrategy(max_attempts=80, wait=1, linear_wait=1)
_LOOKS: Final = 10  # seconds between two looks; the first of a minute asks for the heartbeat
_STALLED: Final = 20.0  # seconds without a worker's heartbeat
_READ_BUDGET: Final = 10.0  # seconds: nobody waits for this one
_READ_AGAIN: Final = timedelta(seconds=15)
_READ_TRIES: Final = 240  # an hour: then a human has long been asked to read it
_REPEATS: Final = timedelta(hours=2)  # stored times are rounded down to the hour: at least one hour is kept
_SHIFTS: Final = timedelta(days=31)


Look = Callable[[Unit, uuid.UUID], Awaitable[None]]


class Jobs:
    """The tasks of one worker."""

    def __init__(self, house: House) -> None:
        self._house = house

    def register(self, app: procrastinate.App) -> None:
        """Name every task, and the periodic ones with their schedule."""
        sending, erasing, chats = Sending(self._house), Erasing(self._house), Chats(self._house)
        queues: dict[str, tuple[Callable[..., Awaitable[None]], ...]] = {
            URGENT: (sending.page, self.wake),
            TALK: (sending.deliver, sending.ask_ready, TakeOver(self._house).attend),
            READ: (self.read,),
            TIDY: (self.rest, erasing.erase_copy, chats.erase_chat),
        }
        for queue, tasks in queues.items():
            for task in tasks:
                app.task(name=task.__name__, queue=queue, retry=_AGAIN)(task)
        # The sixth field is seconds: whatever lost its wake-up is found within ten.
        look = app.task(name="look", queue=URGENT, queueing_lock="look")(self.look)
        app.periodic(cron="* * * * * */10")(look)
        before = app.task(name="before_shifts", queue=TIDY, queueing_lock="before_shifts")(self.before_shifts)
        app.periodic(cron="* * * * *")(before)
        app.task(name="beat", queue=URGENT)(Heartbeat(self._house).beat)  # not tried again: another follows
        Lookout(self._house, URGENT).register(app)
        hourly = {7: self.tidy, 27: erasing.sweep, 37: chats.sweep_chats, 47: erasing.compare}
        for minute, work in hourly.items():
            name = work.__name__
            app.periodic(cron=f"{minute} * * * *")(app.task(name=name, queue=TIDY, queueing_lock=name)(work))
        Keeping(self._house).register(app)
        DrillRuns(self._house).register(app)

    # Alerts and workers ------------------------------------------------------------------------------------

    async def wake(self, alert: str, timer: str) -> None:
        """A moment that the pager asked for has come; nothing is left to do for a case that was erased meanwhile."""
        with suppress(NotFound):
            async with self._house.vault.unit() as unit:
                await self._house.pager.timed_out(unit, uuid.UUID(alert), int(timer))

    async def look(self, timestamp: int) -> None:
        """Every ten seconds: jobs of dead workers, alerts whose wake-up was lost, cases nobody read in time."""
        house = self._house
        manager = house.vault.jobs.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED):
            await manager.retry_job(job)
            house.log.warning("job.taken_over", job=job.id, task=job.task_name)
        async with house.vault.unit() as unit:
            ringing = await unit.alerts.ringing()
            overdue = await unit.cases.overdue(house.pager.unread_before(unit.transaction.now))
        well = [await self._one(house.pager.tick, alert.id) for alert in ringing]
        well += [await self._one(house.pager.backstop, case_id) for case_id in overdue]
        if house.settings.heartbeat_url and timestamp % 60 < _LOOKS and all(well):
            async with house.vault.unit() as unit:
                await unit.jobs.later("beat")

    async def _one(self, act: Look, subject: uuid.UUID) -> bool:
        """One alert or case in a unit of its own: a broken one must not keep the others from being looked at."""
        house = self._house
        try:
            async with house.vault.unit() as unit:
                await act(unit, subject)
        except Exception as error:
            house.counts["look_failed"] += 1
            house.log.failure("look.failed", error)
            return False
        return True

    # Reading late, resting ---------------------------------------------------------------------------------

    async def read(self, words: str, tries: str = "0") -> None:
        """Read words that were late. Until the full engine has read them, what patterns see counts, and they stay."""
        house, words_id = self._house, uuid.UUID(words)
        async with house.vault.unit() as unit:
            found = await unit.unread_words.look(words_id)
        if found is None:
            return
        case_id, text, language = found
        meaning = await house.understanding.understand(text, languages=house.line.languages, budget=_READ_BUDGET)
        known = meaning if meaning.language else replace(meaning, language=language or None)
        async with house.vault.unit() as unit:
            if await unit.unread_words.look(words_id) is None:
                return
            await self._raise(unit, case_id, assess(known, {}, None, house.line.triage))
            if meaning.engine is Engine.RULES and int(tries) < _READ_TRIES:
                at = unit.transaction.now + _READ_AGAIN
                await unit.jobs.later("read", at=at, words=words, tries=str(int(tries) + 1))
            else:
                await unit.unread_words.done(words_id)

    async def _raise(self, unit: Unit, case_id: uuid.UUID, assessment: Assessment) -> None:
        case = await unit.cases.get(case_id, lock=True)
        life = assessment.life_at_risk or case.life_at_risk
        if assessment.level <= case.level and life == case.life_at_risk:
            return
        await unit.cases.add(case, reasons_entry(assessment))
        unit.audit.add(f"case.{assessment.level.word}", f"case:{case.code}")
        case = await unit.cases.change(case_id, level=max(assessment.level, case.level), life_at_risk=life)
        if case.level >= Level.HIGH:
            await self._house.pager.urgent(unit, case)
        await unit.queue_changed()

    async def rest(self, thread: str, turns: str) -> None:
        """A conversation has fallen silent: file what was said."""
        await rest(self._house, bytes.fromhex(thread), int(turns))

    async def before_shifts(self, timestamp: int) -> None:
        """Every minute: ask whose shift begins soon, and tell of whoever did not answer."""
        await look(self._house)

    async def tidy(self, timestamp: int) -> None:
        """Every hour: forget answers nobody asks for again, shifts of last month, and jobs that are done."""
        house = self._house
        async with house.vault.unit() as unit:
            last_month = unit.transaction.now - _SHIFTS
            await unit.rota_changes.forget_before(last_month)
            await unit.readiness.forget_before(last_month)
            await unit.messages.forget_answers_before(unit.transaction.now - _REPEATS)
        await house.vault.jobs.job_manager.delete_old_jobs(nb_hours=1)
