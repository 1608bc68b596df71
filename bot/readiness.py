"""Before a shift, every way to its responder is tried: asked in time, answered by reply, key or button, or told about.

It warns and decides nothing: whoever did not answer is paged like anybody else. Nothing is sent from here; questions go
out by the job `ask_ready` and warnings by the outbox, as pages and notes do.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.house import House
from channels.messages import Answer, Choice, Expect, Incoming, IncomingKind
from dialogs.conversation import Mode
from dialogs.lexicon import normal
from triage.rota import MethodKind, shifts
from triage.week import on_duty_of
from vault.delivery import OutboxKind
from vault.paging import StoredResponder
from vault.rota import Check, Ready
from vault.unit import Unit

PREFIX: Final = "ready:"
_KEY: Final = "1"
_OK: Final = frozenset({"ok", "okay", "1"})
_LEAST: Final = timedelta(minutes=5)  # to answer in, when a swap makes a shift begin at once
_PHRASES: Final = {MethodKind.VOICE.value: "page.shift_voice"}
_WRITTEN: Final = (MethodKind.TELEGRAM, MethodKind.SMS)


async def look(house: House) -> None:
    """Ask before every shift that begins soon; tell of those that nobody answered for."""
    async with house.vault.unit() as unit:
        for check in await _ask(house, unit):
            await unit.jobs.later("ask_ready", check=str(check))
        await _tell(house, unit)


async def _ask(house: House, unit: Unit) -> list[uuid.UUID]:
    policy, now = house.line.rota, unit.transaction.now
    rota = await house.pager.rota(unit)
    if not policy.readiness_minutes or not rota.has_calendar:
        return []
    found = shifts(rota, now, now + timedelta(minutes=policy.readiness_minutes))
    asked = []
    for person in await unit.responders.all():
        for bar in on_duty_of(str(person.id), found):
            if bar.start <= now:
                continue  # it goes on since before: it was asked then
            due = max(now + _LEAST, min(now + timedelta(minutes=policy.answer_minutes), bar.start))
            for key, contact in person.keyed():
                new = await unit.readiness.ask(
                    person.id, method=contact.method, contact=key, shift_at=bar.start, due_at=due
                )
                asked += [new] if new else []
    return asked


# Told ---------------------------------------------------------------------------------------------------------------


async def _tell(house: House, unit: Unit) -> None:
    """One warning a shift: to whoever has it, by a way that works if there is one, and to every coordinator."""
    untold = await unit.readiness.to_tell()
    shifts_: dict[tuple[uuid.UUID, datetime], list[Check]] = {}
    for check in untold:
        shifts_.setdefault((check.responder_id, check.shift_at), []).append(check)
    people = await unit.responders.all()
    for (responder_id, shift_at), checks in shifts_.items():
        person = next((p for p in people if p.id == responder_id), None)
        if person is None:
            continue
        unit.audit.add("rota.not_ready", f"responder:{person.id}")
        house.log.warning("readiness.missed", responder=person.id, count=len(checks))
        broken = {check.contact for check in checks}
        await note(house, unit, person, "page.shift_missed", about=person, at=shift_at, checks=checks, but=broken)
        for other in people:
            if other.coordinator and other.id != person.id:
                await note(house, unit, other, "page.shift_missed_other", about=person, at=shift_at, checks=checks)
    await unit.readiness.told(untold)
    if untold:
        await unit.queue_changed()


async def note(
    house: House,
    unit: Unit,
    to: StoredResponder,
    phrase: str,
    *,
    about: StoredResponder,
    at: datetime,
    checks: Sequence[Check] = (),
    but: frozenset[str] | set[str] = frozenset(),
) -> None:
    """Write to a responder by their first written way, rather one that is not among `but`."""
    written = [(key, contact) for key, contact in to.keyed() if contact.method in _WRITTEN]
    if not written:
        return
    _, contact = min(written, key=lambda way: way[0] in but)
    language = house.pager.language(to)
    methods = dict.fromkeys(
        house.phrases.text(f"page.method_{check.method}", language, Mode.PLAIN, {}) for check in checks
    )
    values = {
        "line": house.line.name,
        "name": about.name,
        "time": said_time(house, unit, to, at),
        "methods": ", ".join(methods),
    }
    text = house.phrases.text(phrase, language, Mode.PLAIN, values)
    answer = Answer(text=text, language=language, expect=Expect.NOTHING)
    parcel = await unit.outbox.put(OutboxKind.RESPONDER, contact.method, contact.value, answer.to_json())
    await unit.jobs.later("deliver", parcel=str(parcel))


def said_time(house: House, unit: Unit, to: StoredResponder, at: datetime) -> str:
    """ "20:00", with the date when it is not today's; on the responder's own clock."""
    zone = _zone(to, house)
    local = at.astimezone(zone)
    today = unit.transaction.now.astimezone(zone).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"


def _zone(to: StoredResponder, house: House) -> ZoneInfo:
    try:
        return ZoneInfo(to.time_zone or house.line.time_zone)
    except (OSError, LookupError, ValueError):
        return ZoneInfo(house.line.time_zone)


# Asked and answered -------------------------------------------------------------------------------------------------


def question(house: House, unit: Unit, to: StoredResponder, check: Check) -> Answer:
    """What a responder is asked before a shift, as this method can ask it."""
    language = house.pager.language(to)
    values = {"line": house.line.name, "time": said_time(house, unit, to, check.shift_at)}
    text = house.phrases.text(_PHRASES.get(check.method, "page.shift"), language, Mode.PLAIN, values)
    label = house.phrases.text("page.shift_button", language, Mode.PLAIN, {})
    button = Choice(id=f"{PREFIX}{check.id}", key=_KEY, label=label)
    return Answer(text=text, language=language, choices=(button,) if check.method == MethodKind.TELEGRAM else ())


async def answered(house: House, unit: Unit, incoming: Incoming) -> Answer | None:
    """The answer to somebody who confirmed a shift, or hears the question; None when this is about something else."""
    check = await _by_reference(unit, incoming)
    if check is None:
        return await _by_words(house, unit, incoming)
    responder = await unit.responders.get(check.responder_id)
    contact = responder.contact(check.method, check.contact) if responder else None
    if responder is None or contact is None or contact.value != incoming.address.value:
        return None  # knowing an id does not make anybody a responder
    language = house.pager.language(responder)
    if incoming.reference and not (incoming.kind is IncomingKind.DIGITS and incoming.text == _KEY):
        values = {"time": said_time(house, unit, responder, check.shift_at)}
        text = house.phrases.text("page.shift_again", language, Mode.PLAIN, values)
        expect = Expect.NOTHING if incoming.kind is IncomingKind.HANGUP else Expect.ANYTHING
        return Answer(text=text, language=language, expect=expect)
    await unit.readiness.set(check.id, Ready.READY)
    return await _thanks(house, unit, language)


async def _by_reference(unit: Unit, incoming: Incoming) -> Check | None:
    """The question whose call or button this is."""
    named = incoming.kind is IncomingKind.CHOICE and incoming.text.startswith(PREFIX)
    if not incoming.reference and not named:
        return None
    try:
        return await unit.readiness.get(uuid.UUID(incoming.reference or incoming.text.removeprefix(PREFIX)))
    except ValueError:
        return None


async def _by_words(house: House, unit: Unit, incoming: Incoming) -> Answer | None:
    """ "OK" from a number that was asked. It proves this number and no other."""
    if incoming.kind is not IncomingKind.TEXT or incoming.reference:
        return None
    if normal(incoming.text).strip(" .") not in _OK:
        return None
    responder = await unit.responders.by_address(incoming.address.channel, incoming.address.value)
    if responder is None:
        return None
    mine = [
        check
        for check in await unit.readiness.open_of(responder.id, incoming.address.channel)
        if (contact := responder.contact(check.method, check.contact)) and contact.value == incoming.address.value
    ]
    if not mine:
        return None
    for check in mine:
        await unit.readiness.set(check.id, Ready.READY)
    return await _thanks(house, unit, house.pager.language(responder))


async def _thanks(house: House, unit: Unit, language: str) -> Answer:
    await unit.queue_changed()
    text = house.phrases.text("page.shift_ready", language, Mode.PLAIN, {})
    return Answer(text=text, language=language, expect=Expect.NOTHING)
