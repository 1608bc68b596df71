"""Plays drills: a scripted person writes to the public port as a provider would, and what follows is the real thing.

Everything after the request is what a real report meets: signature, turn, sealing, triage, pager, page jobs. Three
things differ, each in one place: nothing leaves for the scripted person (`_send` in bot/sending.py), the ladder ends
before the outside number (bot/pager.py), and the case closes itself (here). What counts as passed is triage/drills.py.
"""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import aiohttp
import procrastinate

from bot.house import House
from bot.line import Line
from bot.report import drill_mark
from bot.scenarios import Scenario, read_scenarios, unplayable
from bot.settings import Settings
from channels.signed import signature_for
from channels.twilio import TwilioAccount
from dialogs.marked import BadFile
from triage.alerts import Alert, AlertState
from triage.drills import Announce, DrillState, Figures, Situation, rounded, verdict
from triage.review import CaseEvent, legal_events, transition
from vault.cases import Case
from vault.drills import Drill
from vault.errors import NotFound
from vault.unit import Unit

QUEUE: Final = "default"  # the quietest one: a drill never stands before anything real
_LOOK: Final = 5  # seconds between two looks at a drill
_TRIES: Final = 3  # of one message
_PATIENCE: Final = 20.0  # seconds for an answer of the public port; a provider waits 15
_PATH: Final = "/twilio/messages"
_AGAIN: Final = procrastinate.RetryStrategy(max_attempts=20, wait=5, linear_wait=5)


class CannotDrill(Exception):
    """A drill cannot begin now; the text says why and what to do."""


async def begin(  # noqa: PLR0917 - what a drill needs to begin, from a command, a schedule or a form
    unit: Unit, settings: Settings, line: Line, name: str, actor: str, slot: str | None = None
) -> Drill:
    """Note a run and its first step; both are true with the unit. Raises CannotDrill."""
    scenario = _playable(settings, line, name)
    if await unit.drills.real_ringing():
        raise CannotDrill("The alert of a real report rings. Begin the drill when somebody has it.")
    await unit.lock(b"drills")
    if await unit.drills.running():
        raise CannotDrill("Another drill is running. Begin this one when it is over.")
    run = await unit.drills.begin(name, scenario.language, scenario.channel, scenario.expected, slot=slot)
    if run is None:
        raise CannotDrill("This place in the schedule is filled already.")
    unit.audit.add("drill.began", f"drill:{name}", actor=actor)
    await _next(unit, run.id, 0, 0, 0)
    return run


def _playable(settings: Settings, line: Line, name: str) -> Scenario:
    try:
        scenarios = read_scenarios(settings.harborline_home)
    except BadFile:
        raise CannotDrill("A scenario has a mistake: harborline drill check says where.") from None
    if name not in scenarios:
        raise CannotDrill("There is no scenario of this name: harborline drill list shows them.")
    why = unplayable(scenarios[name], line)
    if not why and not settings.twilio:
        why = "Twilio is not set up: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"
    if why:
        raise CannotDrill(f"This drill cannot be played: {why}.")
    return scenarios[name]


async def _next(unit: Unit, run: uuid.UUID, said: int, tries: int, seconds: float) -> None:
    """Come back to this run; `said` messages are in."""
    at = unit.transaction.now + timedelta(seconds=seconds)
    await unit.jobs.later("drill", at=at, lock=f"drill:{run}", drill=str(run), said=str(said), tries=str(tries))


class DrillRuns:
    """The tasks of this subject."""

    def __init__(self, house: House) -> None:
        self._house = house

    def register(self, app: procrastinate.App) -> None:
        """Name both tasks, and look at the schedule every minute."""
        app.task(name="drill", queue=QUEUE, retry=_AGAIN)(self.go_on)
        due = app.task(name="drills_due", queue=QUEUE, queueing_lock="drills_due")(self.drills_due)
        app.periodic(cron="* * * * *")(due)

    async def drills_due(self, timestamp: int) -> None:
        """Begin what the schedule asks for. What cannot begin is logged, and its place is left empty."""
        house = self._house
        local = house.world.now().astimezone(ZoneInfo(house.line.time_zone))
        for slot, name in house.line.drills.due(local):
            try:
                async with house.vault.unit() as unit:
                    await begin(unit, house.settings, house.line, name, "system", slot)
            except CannotDrill:
                house.log.info("drill.not_begun", kind=name)
        async with house.vault.unit() as unit:
            await unit.drills.forget()

    async def go_on(self, drill: str, said: str, tries: str) -> None:
        """One step of a run: see where it stands, say what comes next, and ask to come back."""
        house, run_id, number = self._house, uuid.UUID(drill), int(said)
        async with house.vault.unit() as unit:
            try:
                run = await unit.drills.get(run_id)
            except NotFound:
                return
            scenario = self._scenario(run)
            messages = scenario.messages if scenario else ()
            if await self._is_over(unit, run, said=number >= len(messages), broken=scenario is None):
                return
            if not number and not int(tries):
                await unit.drills.spoke(run_id)
        kept = number >= len(messages) or await self._say(run, number, messages[number].say)
        done = number + 1 if kept and number < len(messages) else number
        async with house.vault.unit() as unit:
            if not kept and int(tries) + 1 >= _TRIES:
                await self._end(unit, await unit.drills.get(run_id), DrillState.BROKEN)
                return
            pause = messages[done].after if kept and done < len(messages) else _LOOK
            await _next(unit, run_id, done, 0 if kept else int(tries) + 1, pause)

    def _scenario(self, run: Drill) -> Scenario | None:
        try:
            return read_scenarios(self._house.settings.harborline_home).get(run.scenario)
        except BadFile:
            return None

    # The scripted person -------------------------------------------------------------------------------------

    async def _say(self, run: Drill, number: int, words: str) -> bool:
        """Bring a message to the public port, signed as the provider signs it. What the line answers ends here."""
        settings = self._house.settings
        account = TwilioAccount(
            sid=settings.twilio_account_sid,
            auth_token=settings.twilio_auth_token,
            api_url=settings.twilio_api_url,
            public_url=settings.public_url,
        )
        form = _form(run, number, words, account.sid, self._house.line.numbers.sms)
        headers = {"X-Twilio-Signature": signature_for(account, _PATH, form)}
        limit = aiohttp.ClientTimeout(total=_PATIENCE)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as client,
                client.post(settings.public_url.rstrip("/") + _PATH, data=form, headers=headers) as answer,
            ):
                if answer.status == 200:
                    return True
                self._house.log.warning("drill.refused", code=answer.status)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self._house.log.failure("drill.not_heard", error)
        return False

    # What was seen -------------------------------------------------------------------------------------------

    async def _is_over(self, unit: Unit, run: Drill, *, said: bool, broken: bool) -> bool:
        """Note what is to be seen of a run, tell the staff once they may know, and end it when it is over."""
        if run.state is not DrillState.RUNNING:
            return True
        if broken:
            await self._end(unit, run, DrillState.BROKEN)
            return True
        figures, given_up = await self._figures(unit, run)
        if figures != run.figures:
            await unit.drills.seen(run.id, figures)
        if run.case_id and figures.acknowledge is not None and run.figures.acknowledge is None:
            await self._announce(unit, run)
        situation = Situation(
            age=(unit.transaction.now - run.begun_at).total_seconds(),
            said=said,
            given_up=given_up,
            real=await unit.drills.real_ringing() > 0,
        )
        state = verdict(run.expected, figures, situation)
        if state is not DrillState.RUNNING:
            await self._end(unit, run, state)
        return state is not DrillState.RUNNING

    async def _figures(self, unit: Unit, run: Drill) -> tuple[Figures, bool]:
        """What is known by now, and whether the pager has given up. What was seen once stays."""
        if run.case_id is None:
            return run.figures, False
        try:
            case = await unit.cases.get(run.case_id)
        except NotFound:
            return run.figures, True
        seen = replace(run.figures, level=case.level)
        if seen.answer is None and await unit.drills.answered(case.id):
            seen = replace(seen, answer=rounded((unit.transaction.now - run.begun_at).total_seconds()))
        stored = await unit.drills.alert(case.id)
        if stored is not None:
            machine = Alert.from_json(stored.machine)
            sent = [page.sent_at for page in await unit.alerts.pages(stored.id) if page.sent_at]
            if seen.page is None and sent:
                seen = replace(seen, page=rounded((min(sent) - run.begun_at).total_seconds()))
            if seen.acknowledge is None and machine.acked_at:
                seen = replace(seen, acknowledge=rounded((machine.acked_at - run.begun_at).total_seconds()))
            if seen.acknowledge is None:  # whoever writes to the person has it
                seen = replace(seen, acknowledge=seen.answer)
        else:
            machine = None
        return seen, machine is not None and machine.state is AlertState.CLOSED and not machine.acks

    async def _announce(self, unit: Unit, run: Drill) -> None:
        """Somebody has it: from now on the case itself says that it is a drill."""
        if self._house.line.drills.announce is Announce.AFTER and run.case_id:
            case = await unit.cases.get(run.case_id, lock=True)
            await unit.cases.add(case, drill_mark(run.scenario))
            await unit.queue_changed()

    async def _end(self, unit: Unit, run: Drill, state: DrillState) -> None:
        """Close what the run began, tell whoever was called, and keep what came of it."""
        if run.case_id:
            with suppress(NotFound):  # erased meanwhile
                await self._close(unit, await unit.cases.get(run.case_id, lock=True))
        await unit.drills.end(run.id, state)
        unit.audit.add("drill.ended", f"drill:{run.scenario}")
        self._house.log.info("drill.ended", state=state, kind=run.scenario)

    async def _close(self, unit: Unit, case: Case) -> None:
        await self._house.pager.called_off(unit, case)
        if CaseEvent.CLOSE in legal_events(case.state):
            closed = transition(case.state, CaseEvent.CLOSE)
            await unit.cases.change(case.id, state=closed, closed_at=unit.transaction.minute, unread=False, waits=False)
        await unit.queue_changed()


def _form(run: Drill, number: int, words: str, account: str, line: str) -> Mapping[str, str]:
    """What Twilio sends for a text. The id is the same when a step is repeated, so nothing is taken twice."""
    sid = f"SM{run.id.hex}{number:02d}"
    return {
        "MessageSid": sid,
        "SmsSid": sid,
        "AccountSid": account,
        "From": run.address,
        "To": line,
        "Body": words,
        "NumMedia": "0",
        "NumSegments": "1",
    }
