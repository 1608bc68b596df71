"""The `harborline` command: one table of commands, one sentence for every error.

Exit status: 0 done, 1 it failed, 2 wrong usage or settings. What a command does is in a module of its own.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple

from bot import (
    admin,
    commands,
    demo,
    doctor,
    drill_commands,
    evaluate,
    flows,
    keeping_commands,
    learn,
    rehearse,
    rota_commands,
    staff,
    voice,
)
from bot.context import Context
from bot.errors import CommandFailed
from bot.logs import Log, quiet_libraries
from bot.settings import BadSettings, read_settings
from bot.wiping import leave_no_core, wipe_what_is_freed
from understanding.training.evaluate import ENGINES
from vault.unit import DATABASE_AWAY


class Command(NamedTuple):
    """One command: what it does, an example, the function that does it, and its arguments."""

    does: str
    example: str
    runs: Callable[[Context], Coroutine[Any, Any, None]]
    arguments: Callable[[argparse.ArgumentParser], None]
    more: tuple[str, ...] = ()  # examples of its other actions


def _none(_: argparse.ArgumentParser) -> None:
    pass


def _workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="how many processes (default 1)")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8000, metavar="P", help="port of the phones page (default 8000)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the phones page")
    parser.add_argument("--examples", action="store_true", help="begin with a few example reports in the queue")


def _keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=("init", "show", "rotate", "calibrate"),
        help="init: make what is missing; show: list, no values; rotate: begin an epoch; calibrate: cost of a guess",
    )
    parser.add_argument("--destroy", type=int, metavar="N", help="rotate: destroy epoch N instead; asks once more")
    parser.add_argument(
        "--milliseconds", type=float, default=50, metavar="MS", help="calibrate: what one guess shall cost (default 50)"
    )
    parser.add_argument("--dry-run", action="store_true", help="calibrate: measure and tell, change nothing")


def _folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="the backup's folder")


def _staff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=tuple(staff.ACTIONS))
    parser.add_argument("name", nargs="?", help="sign-in name of the member it is about")
    parser.add_argument("--role", choices=("reviewer", "supervisor"), default="reviewer")
    parser.add_argument("--by", metavar="NAME", help="the supervisor who does it; not needed for the first member")


def _rota(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("action", choices=tuple(rota_commands.ACTIONS))
    add("name", nargs="?", help="the responder's name, as colleagues see it; undo: an id; import: the file")
    add("--languages", default="", metavar="TAGS", help="languages they speak: es,en")
    add("--telegram", default=[], action="append", metavar="CHAT", help="Telegram chat id; may be repeated")
    add("--sms", default=[], action="append", metavar="NUMBER", help="number for texts, +15551234567; may be repeated")
    add("--voice", default=[], action="append", metavar="NUMBER", help="number for calls; may be repeated")
    add("--order", default="", metavar="WAYS", help="their own order: voice,sms,voice-2")
    add("--hours", default=[], action="append", metavar="HOURS", help='"mon-fri 08:00-20:00"; may be repeated')
    add("--zone", default="", metavar="ZONE", help="their own time zone, Europe/Madrid; import: that of the file")
    add("--skills", default="", metavar="SKILLS", help="what they are good at: minors,medical")
    add("--coordinator", choices=("yes", "no"), help="is told when somebody cannot be reached before a shift")
    add("--from", dest="begin", default="", metavar="MOMENT", help='override: "2026-12-24 18:00"; show: first day')
    add("--until", dest="end", default="", metavar="MOMENT", help='override: "2026-12-25 09:00"')
    add("--replaces", default="", metavar="NAME", help="override: who is stood in for")
    add("--calendar", default="calendar", metavar="NAME", help="import: what the calendar is called")
    add("--only-known", action="store_true", help="import: pass over events that name nobody")


def _drill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=drill_commands.ACTIONS)
    parser.add_argument("name", nargs="?", help="run: the scenario, by the name of its file")
    parser.add_argument("--json", action="store_true", help="report: every drill as JSON")


def _audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("export", "verify"))
    parser.add_argument("file", nargs="?", help="an export to verify; without it the database is verified")


def _evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a table with the columns lang, text and perhaps level, separated by tabs")
    parser.add_argument("--engine", choices=ENGINES, default="embedded")
    parser.add_argument("--out", metavar="FILE", help="write a line for every message here")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def _learn(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", help="the case's code")
    parser.add_argument("--by", required=True, metavar="NAME", help="the member who opens it and types both factors")


def _rehearse(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--flow", default="intake")
    parser.add_argument("--lang", default="en")
    parser.add_argument("--channel", choices=("sms", "voice", "telegram"), default="sms")
    parser.add_argument("--record", metavar="FILE", help="write what was played as a story, e.g. tests/stories/x.yml")


def _voice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=("list", "make"), help="list: what to record; make: placeholders by espeak-ng"
    )
    parser.add_argument("--lang", required=True, metavar="TAG", help="a language of the line")


def _flows(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("check", "draw"))
    parser.add_argument("--built-in", action="store_true", help="leave out what HARBORLINE_HOME lays over it")
    parser.add_argument("--segments", action="store_true", help="check: what every phrase costs, by language")
    parser.add_argument("--out", default="docs/flows", metavar="FOLDER", help="draw: where to (default docs/flows)")
    parser.add_argument("--flow", metavar="FILE", help="draw: only this file, such as danger")


COMMANDS: Final[dict[str, Command]] = {
    "demo": Command(
        "a whole hotline on this machine, with practice carriers", "harborline demo --port 8000", demo.run, _demo
    ),
    "serve": Command("the web processes", "harborline serve --workers 2", commands.serve, _workers),
    "worker": Command("the job processes", "harborline worker --workers 2", commands.worker, _workers),
    "rehearse": Command(
        "play a conversation in the terminal", "harborline rehearse --lang es", rehearse.run, _rehearse
    ),
    "flows": Command("see and prove what a line asks and says", "harborline flows check --segments", flows.run, _flows),
    "voice": Command("recordings for callers", "harborline voice make --lang es", voice.run, _voice),
    "evaluate": Command("score messages in a file", "harborline evaluate texts.tsv --json", evaluate.run, _evaluate),
    "learn": Command(
        "turn a report that was judged wrongly into an example",
        "harborline learn 482193 --by rosa",
        learn.learn,
        _learn,
    ),
    "doctor": Command("check that everything is well", "harborline doctor", doctor.run, _none),
    "keys": Command("the key ring", "harborline keys init", keeping_commands.keys, _keys),
    "staff": Command("who may open cases", "harborline staff add rosa --by amina", staff.staff, _staff),
    "rota": Command(
        "who is paged",
        "harborline rota add amina --languages es,en --sms +15551234567",
        rota_commands.rota,
        _rota,
        (
            'harborline rota change amina --hours "mon-fri 08:00-20:00" --order voice,sms',
            "harborline rota show --from 2026-12-21",
            'harborline rota override bilal --replaces amina --from "2026-12-24 18:00" --until "2026-12-25 09:00"',
            "harborline rota import december.ics --calendar nights",
            "harborline rota undo nights",
            "harborline rota feed amina",
            "harborline rota unfeed amina",
            "harborline rota remove amina",
        ),
    ),
    "drill": Command(
        "exercises through the real path", "harborline drill run night_worker", drill_commands.drill, _drill
    ),
    "audit": Command("who did what, verified", "harborline audit verify export.json", admin.audit, _audit),
    "backup": Command(
        "a copy of everything but epochs", "harborline backup /mnt/safe/monday", keeping_commands.backup, _folder
    ),
    "restore": Command(
        "a backup into an empty home", "harborline restore /mnt/safe/monday", keeping_commands.restore_backup, _folder
    ),
}


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="harborline", description="An anonymous multilingual reporting hotline.")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        examples = [f"Example: {command.example}", *(f"         {example}" for example in command.more)]
        sub = subparsers.add_parser(
            name,
            help=command.does,
            description=command.does.capitalize() + ".",
            epilog="\n".join(examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(sub)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status. Without `arguments` it is what this process was started for, and the
    process is made to leave no trace."""
    parsed = parser().parse_args(arguments)
    if arguments is None:
        wipe_what_is_freed(sys.argv[1:])
        leave_no_core()
    try:
        settings = read_settings(os.environ)
        log = Log(settings.log_level)
        quiet_libraries(log)
        asyncio.run(COMMANDS[parsed.command].runs(Context(settings, log, parsed)))
    except BadSettings as error:
        return _complain(error.problems, 2)
    except CommandFailed as error:
        return _complain([str(error)], error.status)
    except DATABASE_AWAY:
        return _complain(["The database cannot be reached: start it, or correct DATABASE_URL."], 1)
    except KeyboardInterrupt:
        return 130
    return 0


def _complain(sentences: Sequence[str], status: int) -> int:
    for sentence in sentences:
        sys.stderr.write(f"{sentence}\n")
    return status
