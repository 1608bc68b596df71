"""`harborline drill`: begin one and follow it, list and check scenarios, report. What a drill does is in drills.py."""

import asyncio
import json
import uuid
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.context import Context
from bot.drills import CannotDrill, begin
from bot.errors import CommandFailed
from bot.line import Line, read_line
from bot.scenarios import Scenario, misplanned, read_scenarios, unplayable
from bot.terminal import opened_vault, say
from dialogs.marked import BadFile
from triage.drills import DrillState, shift_of, summaries
from vault.drills import Drill
from vault.unit import Vault

ACTIONS: Final = ("run", "list", "check", "report")
_FOLLOW: Final = 1.0  # seconds between two looks
_LATE: Final = 60  # seconds without a step: then no worker runs, or it is far behind

SAID: Final = {
    DrillState.RUNNING: "is running",
    DrillState.PASSED: "passed",
    DrillState.SLOW: "slow: all of it happened, later or at a lower level than the scenario asks for",
    DrillState.UNANSWERED: "failed: somebody had it, and nobody wrote to the person",
    DrillState.NOBODY: "failed: nobody acknowledged",
    DrillState.UNPAGED: "failed: nobody was paged",
    DrillState.CALLED_OFF: "called off: a real report came",
    DrillState.BROKEN: "broken: the message did not get in at PUBLIC_URL, or its scenario cannot be read",
}


async def drill(context: Context) -> None:
    """Run one action."""
    action = context.arguments.action
    try:
        line = read_line(context.settings.line_file)
        scenarios = read_scenarios(context.settings.harborline_home)
    except FileNotFoundError:
        raise CommandFailed("There is no line.yml yet: docs/line.md has an example.", status=2) from None
    except BadFile as error:
        raise CommandFailed(str(error), status=2) from None
    if action == "list":
        _list(scenarios, line)
    elif action == "check":
        _check(scenarios, line)
    elif action == "report":
        async with opened_vault(context) as vault:
            await _report(vault, line, as_json=context.arguments.json)
    else:
        await _run(context, line)


def _list(scenarios: dict[str, Scenario], line: Line) -> None:
    for name, scenario in sorted(scenarios.items()):
        when = "; ".join(f"{','.join(e.days)} {e.at:%H:%M}" for e in line.drills.schedule if e.scenario == name)
        state = unplayable(scenario, line) or when or "not planned"
        say(f"{name}\t{scenario.language}\t{scenario.channel}\t{scenario.shift}\t{state}\t{scenario.title}")


def _check(scenarios: dict[str, Scenario], line: Line) -> None:
    if problems := misplanned(scenarios, line):
        raise CommandFailed("\n".join(problems))
    say(f"All {len(scenarios)} scenarios can be read, and the schedule fits them.")


async def _run(context: Context, line: Line) -> None:
    name = context.arguments.name
    if not name:
        raise CommandFailed("Say which one: harborline drill run NAME. See harborline drill list.", status=2)
    async with opened_vault(context) as vault:
        try:
            async with vault.unit() as unit:
                run = await begin(unit, context.settings, line, name, "system")
        except CannotDrill as error:
            raise CommandFailed(str(error)) from None
        say(f"{name} has begun. To stop watching, press Ctrl-C: the drill goes on.")
        ended = await _followed(vault, run.id)
    say(f"{name} {SAID[ended.state]}.")
    if not ended.state.good:
        raise CommandFailed("Look into it: harborline drill report.")


async def _followed(vault: Vault, run_id: uuid.UUID) -> Drill:
    """The run when it is over. What is new is said as it happens."""
    shown: set[str] = set()
    waited = 0.0
    while True:
        run = await _run_of(vault, run_id)
        for what in ("page", "acknowledge", "answer"):
            seconds = getattr(run.figures, what)
            if seconds is not None and what not in shown:
                shown.add(what)
                say(f"{_WORDS[what]} after {seconds} s")
        if run.state is not DrillState.RUNNING:
            return run
        waited += _FOLLOW
        if waited == _LATE and run.case_id is None:
            say("Nothing has come in yet. Does a worker run?")
        await asyncio.sleep(_FOLLOW)


_WORDS: Final = {"page": "paged", "acknowledge": "acknowledged", "answer": "answered by a human"}


async def _run_of(vault: Vault, run_id: uuid.UUID) -> Drill:
    async with vault.unit() as unit:
        return next(run for run in await unit.drills.all() if run.id == run_id)


async def _report(vault: Vault, line: Line, *, as_json: bool) -> None:
    async with vault.unit() as unit:
        runs = await unit.drills.all()
    zone = ZoneInfo(line.time_zone)
    if as_json:
        say(json.dumps([_plain(run, zone) for run in runs], indent=1))
        return
    if not runs:
        say("No drill was run yet: harborline drill run NAME.")
        return
    say("language\tshift\tdrills\tpassed\tpage\tacknowledge\tanswer")
    for each in summaries((run.outcome for run in runs), zone):
        times = "\t".join(_time(s) for s in (each.page, each.acknowledge, each.answer))
        say(f"{each.language}\t{each.shift}\t{each.drills}\t{each.passed}\t{times}")
    say("")
    for run in runs:
        seen = run.figures
        times = "\t".join(_time(s) for s in (seen.page, seen.acknowledge, seen.answer))
        say(f"{run.begun_at.astimezone(zone):%Y-%m-%d %H:%M}\t{run.scenario}\t{run.state}\t{times}")


def _time(seconds: int | None) -> str:
    return "-" if seconds is None else f"{seconds} s"


def _plain(run: Drill, zone: ZoneInfo) -> dict[str, Any]:
    seen = run.figures
    return {
        "scenario": run.scenario,
        "language": run.language,
        "shift": shift_of(run.begun_at, zone).value,
        "begun": run.begun_at.isoformat(timespec="minutes"),
        "state": run.state.value,
        "level": seen.level.word if seen.level is not None else None,
        "page": seen.page,
        "acknowledge": seen.acknowledge,
        "answer": seen.answer,
    }
