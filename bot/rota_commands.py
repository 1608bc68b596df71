"""`harborline rota`: who is paged, by what, when, and what changes the calendar; one transaction each."""

import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.calendar import known_zone, responder
from bot.context import Context
from bot.errors import CommandFailed
from bot.line import Line, read_line
from bot.rota_show import drawn, person_line, problems
from bot.terminal import opened_vault, say
from dialogs.marked import BadFile
from triage.hours import read_window, said
from triage.ics_read import MOST_BYTES, BadCalendar, Reading, read_calendar
from triage.week import overloads, week
from vault.paging import Contact, More, StoredResponder
from vault.reach import reach
from vault.rota import ChangeKind
from vault.unit import Unit

AHEAD: Final = timedelta(days=366)  # so far an imported calendar is looked at
_LONGEST: Final = timedelta(days=92)  # of one stand-in
_WAYS: Final = ("telegram", "sms", "voice")


async def rota(context: Context) -> None:
    """Do one of the actions."""
    arguments = context.arguments
    act = ACTIONS[arguments.action]
    if arguments.action not in _NAMELESS and not arguments.name:
        raise CommandFailed(f"Say whom or what: harborline rota {arguments.action} NAME.", status=2)
    line = _line(context)
    async with opened_vault(context) as vault, vault.unit() as unit:
        await act(unit, line, context)


def _line(context: Context) -> Line | None:
    """The line, if there is one already: responders may be added before line.yml is written."""
    try:
        return read_line(context.settings.line_file)
    except FileNotFoundError:
        return None
    except BadFile as error:
        raise CommandFailed(str(error)) from None


def _zone(line: Line | None) -> ZoneInfo:
    return ZoneInfo(line.time_zone if line else "UTC")


# Seen ---------------------------------------------------------------------------------------------------------------


async def _show(unit: Unit, line: Line | None, context: Context) -> None:
    people = await unit.responders.all()
    if not people:
        say("Nobody can be paged yet: harborline rota add NAME --sms +15551234567.")
        return
    checks, holders = await unit.readiness.newest(), await unit.feeds.holders()
    for person in people:
        say(person_line(person, checks, feed=person.id in holders))
    if line is None:
        return
    zone, now = _zone(line), unit.transaction.now
    changes = await unit.rota_changes.between(now - timedelta(days=8), now + timedelta(days=62))
    calendar = line.standing.rota([responder(p, line.time_zone) for p in people], changes)
    picture = week(calendar, _first(context, now.astimezone(zone)), line.time_zone)
    names = {str(person.id): person.name for person in people}
    say("")
    for text in drawn(picture, names, zone):
        say(text)
    swaps = [c for c in changes if c.kind is ChangeKind.OVERRIDE and c.end > now]
    for swap in swaps:
        say(f"swap {swap.id}: {_told(swap.responder, swap.replaces, names)}, {_span(swap.start, swap.end, zone)}")
    known = await reach(unit.alerts, unit.readiness, now)
    for sentence in problems(picture, overloads(calendar, now, line.rota.limits), known, people, zone):
        say(f"look  {sentence}")


def _first(context: Context, today: datetime) -> Any:
    begins = context.arguments.begin
    return _day(begins) if begins else today.date()


def _told(who: str, replaces: str, names: Mapping[str, str]) -> str:
    name, other = names.get(who, "somebody who has left"), names.get(replaces, "somebody who has left")
    if not who:
        return f"{other} is away"
    return f"{name} instead of {other}" if replaces else f"{name} joins"


def _span(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    return f"{start.astimezone(zone):%Y-%m-%d %H:%M} to {end.astimezone(zone):%Y-%m-%d %H:%M}"


# People -------------------------------------------------------------------------------------------------------------


async def _add(unit: Unit, line: Line | None, context: Context) -> None:
    arguments = context.arguments
    contacts = _contacts(arguments)
    if not contacts:
        raise CommandFailed("Give at least one way to reach them: --sms, --voice or --telegram.", status=2)
    if any(r.name.casefold() == arguments.name.casefold() for r in await unit.responders.all()):
        raise CommandFailed("This name is taken: harborline rota change NAME, or choose another one.")
    languages = _listed(arguments.languages) or []
    added = await unit.responders.add(
        arguments.name, languages, _ordered(contacts, arguments.order), **_more(arguments)
    )
    unit.audit.add("responder.added", f"responder:{added}")
    say(f"{arguments.name} can be paged from now on.")


async def _change(unit: Unit, line: Line | None, context: Context) -> None:
    """What is not given stays as it is; ways of a kind that is given replace those of that kind."""
    arguments = context.arguments
    person = await _person(unit, arguments.name)
    new = _contacts(arguments)
    kinds = {contact.method for contact in new}
    kept = [contact for contact in person.contacts if contact.method not in kinds]
    changed = replace(person, contacts=tuple(_ordered([*kept, *new], arguments.order)), **_more(arguments))
    languages = _listed(arguments.languages)
    if languages is not None:
        changed = replace(changed, languages=tuple(languages))
    await unit.responders.change(changed)
    unit.audit.add("responder.changed", f"responder:{person.id}")
    say(f"{person.name} is changed.")


async def _remove(unit: Unit, line: Line | None, context: Context) -> None:
    person = await _person(unit, context.arguments.name)
    await unit.responders.remove(person.id)
    unit.audit.add("responder.removed", f"responder:{person.id}")
    say(f"{context.arguments.name} is not paged any more.")


async def _person(unit: Unit, name: str) -> StoredResponder:
    for person in await unit.responders.all():
        if person.name.casefold() == name.casefold():
            return person
    raise CommandFailed("Nobody of this name can be paged: see harborline rota show.")


def _contacts(arguments: Any) -> list[Contact]:
    contacts = [Contact(method=way, value=value) for way in _WAYS for value in getattr(arguments, way) if value]
    for contact in contacts:
        good = contact.value.isdecimal() if contact.method == "telegram" else _is_number(contact.value)
        if not good:
            raise CommandFailed(f"The {contact.method} contact is not usable: see harborline rota --help.", status=2)
    if len({(c.method, c.value) for c in contacts}) != len(contacts):
        raise CommandFailed("The same contact is given twice: leave one of them out.", status=2)
    return contacts


def _is_number(value: str) -> bool:
    return value.startswith("+") and value[1:].isdecimal() and 7 <= len(value[1:]) <= 15


def _ordered(contacts: Sequence[Contact], order: str) -> list[Contact]:
    """Their own order, such as "voice,sms,voice-2"; what it does not name comes after, as it was."""
    if not order:
        return list(contacts)
    keyed = dict(StoredResponder(id=uuid.UUID(int=0), name="", languages=(), contacts=tuple(contacts)).keyed())
    wanted = order.split(",")
    if strange := [key for key in wanted if key not in keyed]:
        raise CommandFailed(f"There is no {strange[0]} to order: the ways are {', '.join(keyed)}.", status=2)
    return [keyed.pop(key) for key in dict.fromkeys(wanted)] + list(keyed.values())


def _more(arguments: Any) -> More:
    """What was given of hours, zone, skills and the coordinator's hat; "-" empties."""
    more = More()
    try:
        if arguments.hours:
            more["hours"] = tuple(said(read_window(text)) for text in arguments.hours if text != "-")
        if arguments.zone:
            more["time_zone"] = "" if arguments.zone == "-" else known_zone(arguments.zone)
    except ValueError as error:
        raise CommandFailed(f"{str(error).capitalize()}.", status=2) from None
    skills = _listed(arguments.skills)
    if skills is not None:
        more["skills"] = tuple(skills)
    if arguments.coordinator:
        more["coordinator"] = arguments.coordinator == "yes"
    return more


def _listed(text: str) -> list[str] | None:
    """None: not given. "-" is an empty list."""
    return None if not text else [part.strip() for part in text.split(",") if part.strip(" -")]


# Changes of the calendar --------------------------------------------------------------------------------------------


async def _override(unit: Unit, line: Line | None, context: Context) -> None:
    arguments, zone = context.arguments, _zone(line)
    start, end = _moment(arguments.begin, zone), _moment(arguments.end, zone)
    if not timedelta() < end - start <= _LONGEST:
        raise CommandFailed("--until must be after --from, within three months: correct one of the two.", status=2)
    absent = arguments.name.casefold() == "nobody"
    if absent and not arguments.replaces:
        raise CommandFailed("Say who is away: harborline rota override nobody --replaces NAME.", status=2)
    who = None if absent else await _person(unit, arguments.name)
    other = await _person(unit, arguments.replaces) if arguments.replaces else None
    made = await unit.rota_changes.override(
        start, end, responder=str(who.id) if who else "", replaces=str(other.id) if other else ""
    )
    unit.audit.add("rota.override", f"responder:{(other or who).id}" if (other or who) else "rota")  # type: ignore[union-attr]  # one of them is there
    await unit.queue_changed()
    say(f"It is noted, from {_span(start, end, zone)}. To take it back: harborline rota undo {made}")


async def _undo(unit: Unit, line: Line | None, context: Context) -> None:
    """A swap by its id, or an imported calendar by its name."""
    named = context.arguments.name
    try:
        done = await unit.rota_changes.undo(uuid.UUID(named))
    except ValueError:
        done = bool(await unit.rota_changes.forget_calendar(named))
    if not done:
        raise CommandFailed("There is no swap of this id and no calendar of this name: see harborline rota show.")
    unit.audit.add("rota.undone", "rota")
    await unit.queue_changed()
    say("It is taken back.")


async def _import(unit: Unit, line: Line | None, context: Context) -> None:
    arguments, now = context.arguments, unit.transaction.now
    reading = Reading(
        names={person.name: str(person.id) for person in await unit.responders.all()},
        zone=_checked(arguments.zone) or (line.time_zone if line else "UTC"),
        start=now,
        end=now + AHEAD,
        trust_zone=bool(arguments.zone),
        pass_over=arguments.only_known,
    )
    try:
        found = read_calendar(_read(Path(arguments.name)), reading)
    except BadCalendar as error:
        raise CommandFailed(f"{arguments.name}: {error}.", status=2) from None
    if not found:
        raise CommandFailed("No shift in this file lies ahead: nothing was changed.")
    await unit.rota_changes.plan(arguments.calendar, [(s.start, s.end, s.responder) for s in found])
    unit.audit.add("rota.imported", "rota")
    await unit.queue_changed()
    say(f"{len(found)} shifts are planned, the last until {found[-1].end.astimezone(_zone(line)):%Y-%m-%d %H:%M}.")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError:
        raise CommandFailed("This file cannot be read: check its name.", status=2) from None


# Calendars of their own ---------------------------------------------------------------------------------------------


async def _feed(unit: Unit, line: Line | None, context: Context) -> None:
    person = await _person(unit, context.arguments.name)
    secret = secrets.token_urlsafe(32)
    await unit.feeds.give(person.id, secret)
    unit.audit.add("rota.feed", f"responder:{person.id}")
    say(f"{context.settings.public_url}/calendar/{secret}.ics")
    say("Give it to them alone: it shows when their shifts are, to whoever has it. It is not shown again.")


async def _unfeed(unit: Unit, line: Line | None, context: Context) -> None:
    person = await _person(unit, context.arguments.name)
    if not await unit.feeds.revoke(person.id):
        raise CommandFailed("They have no calendar address.")
    unit.audit.add("rota.unfeed", f"responder:{person.id}")
    say(f"The calendar address of {person.name} opens nothing any more.")


# What is typed ------------------------------------------------------------------------------------------------------


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        raise CommandFailed('Write the moment like --from "2026-12-24 18:00", and --until too.', status=2) from None


def _day(text: str) -> Any:
    try:
        return datetime.strptime(text[:10], "%Y-%m-%d").date()  # noqa: DTZ007 - a date on the line's clock
    except ValueError:
        raise CommandFailed("Write the first day like --from 2026-12-24.", status=2) from None


def _checked(zone: str) -> str:
    try:
        return known_zone(zone) if zone else ""
    except ValueError as error:
        raise CommandFailed(f"{str(error).capitalize()}.", status=2) from None


ACTIONS: Final[Mapping[str, Callable[[Unit, Line | None, Context], Awaitable[None]]]] = {
    "add": _add,
    "change": _change,
    "remove": _remove,
    "show": _show,
    "override": _override,
    "undo": _undo,
    "import": _import,
    "feed": _feed,
    "unfeed": _unfeed,
}
_NAMELESS: Final = frozenset({"show"})
