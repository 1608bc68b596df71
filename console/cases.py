"""One case: where it stands, what was said, and what can be done with it. Reads; console/changes.py changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from console import words
from console.desk import Visit
from console.queue import queue_item, reasons
from triage.alerts import OUTSIDE, Alert, AlertState
from triage.levels import Level
from triage.review import CaseEvent, due, legal_events
from vault.cases import Case, Entry, EntryKind, OpenEntry
from vault.delivery import OutboxState
from vault.retention import LOOKED_AT

DONE: Final = {
    "answered": "Your answer is on its way. Below it you see when it arrives.",
    "held": "Your answer is held, as the person asked. It was not sent yet; below it you see what it waits for.",
    "left": "Your answer waits under their return code. It was not sent, because they cannot be contacted.",
    "noted": "Your note is kept. Only the team can read it.",
    "assigned": "The case has changed hands.",
    "released": "The case is back in the queue.",
    "acknowledged": "Noted: you have it. The pager knows.",
    "raised": "The level is raised. Whoever must know is being paged.",
    "closed": "The case is closed. It opens again when the person writes.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One entry of the timeline, as it is shown."""

    number: int
    kind: EntryKind
    at: datetime
    who: str
    text: str = field(repr=False)
    question: str
    picked: str = field(repr=False)
    language: str
    files: int
    delivery: str
    trouble: bool
    written_down: bool  # by a member, for them
    earlier: bool  # from a phone that answers no longer go to


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Where the case's alert stands."""

    state: str
    ringing: bool
    needed: int
    names: tuple[str, ...]
    mine: bool  # the signed-in member has acknowledged


async def show(visit: Visit) -> web.Response:
    """The case page. Opening it is an act: it is written to the audit trail, and the case counts as read."""
    unit, setup = visit.unit, visit.desk.setup
    case = await unit.cases.by_code(visit.request.match_info["code"])
    key = await unit.cases.key(case, visit.who.teams)
    entries = await unit.cases.read(case, key)
    members = await unit.members.all()
    names = {str(m.id): m.name for m in members}
    visit.note("case.opened", f"case:{case.code}")
    if case.unread:
        case = await unit.cases.change(case.id, unread=False)
        await unit.queue_changed()
    now, by = unit.transaction.now, due(queue_item(case), setup.policy)
    return visit.page(
        "case.html",
        case=case,
        state=words.STATES[case.state],
        meaning=words.LEVELS[case.level],
        intensity=words.INTENSITY[case.level],
        language=setup.language(case.language),
        channel=_channel(entries, case),
        age=now - case.opened_at,
        left=by - now if by else None,
        nothing=timedelta(0),
        gone_by=case.withdrawn_at + LOOKED_AT if case.withdrawn_at else None,
        who=names.get(str(case.member_id), ""),
        members=members,
        reasons=reasons(newest_entry(entries, EntryKind.REASONS)),
        quotes=_quotes(newest_entry(entries, EntryKind.REASONS)),
        timeline=_timeline(visit, entries, await _sent(visit, case), names),
        pager=await _pager(visit, case, names),
        rules=words.contact(case),
        can=legal_events(case.state),
        event=CaseEvent,
        worse=[level for level in Level if level > case.level],
        seen=newest_from_person(entries),
        longest=setup.longest_answer,
        done=DONE.get(visit.request.query.get("done", ""), ""),
    )


async def confirm_close(visit: Visit) -> web.Response:
    """The step before closing. Opens no entry but counts them, so that nothing new is closed unread."""
    unit = visit.unit
    case = await unit.cases.by_code(visit.request.match_info["code"])
    key = await unit.cases.key(case, visit.who.teams)
    entries = await unit.cases.read(case, key, [EntryKind.PERSON])
    pager = await _pager(visit, case, {})
    return visit.page("close.html", case=case, seen=newest_from_person(entries), ringing=bool(pager and pager.ringing))


def newest_from_person(entries: Sequence[OpenEntry]) -> int:
    """Number of the newest thing the person said; 0 when nothing."""
    return max((e.number for e in entries if e.entry.kind is EntryKind.PERSON), default=0)


def newest_entry(entries: Sequence[OpenEntry], kind: EntryKind) -> Entry | None:
    """The newest entry of a kind."""
    return next((e.entry for e in reversed(entries) if e.entry.kind is kind), None)


def _channel(entries: Sequence[OpenEntry], case: Case) -> str:
    envelope = newest_entry(entries, EntryKind.ENVELOPE)
    channel = envelope.channel if envelope else case.channel
    return words.CHANNELS.get(channel, channel)


def _quotes(entry: Entry | None) -> dict[str, list[str]]:
    """The words that set the level, each once, with the sentences they are the reason for."""
    quotes: dict[str, list[str]] = {}
    for reason in entry.reasons if entry else ():
        if reason.words:
            quotes.setdefault(reason.words, []).append(words.reason(reason.rule))
    return quotes


async def _sent(visit: Visit, case: Case) -> Mapping[str, tuple[OutboxState, str]]:
    """What became of each answer, with the reason where it is held or has failed."""
    outbox, troubles = visit.unit.outbox, visit.desk.setup.troubles
    states, errors = await outbox.of_case(case.id), await outbox.errors_of_case(case.id)
    return {
        str(parcel): (state, words.delivery(state, case, troubles.get(errors.get(parcel, 0), "")))
        for parcel, state in states.items()
    }


def _timeline(
    visit: Visit,
    entries: Sequence[OpenEntry],
    sent: Mapping[str, tuple[OutboxState, str]],
    names: Mapping[str, str],
) -> list[Moment]:
    spoken = {EntryKind.PERSON, EntryKind.STAFF, EntryKind.NOTE}
    return [_moment(visit, opened, sent, names) for opened in entries if opened.entry.kind in spoken]


def _moment(
    visit: Visit, opened: OpenEntry, sent: Mapping[str, tuple[OutboxState, str]], names: Mapping[str, str]
) -> Moment:
    entry, setup = opened.entry, visit.desk.setup
    state, delivery = sent.get(entry.parcel, (OutboxState.LEFT, words.DELIVERIES[OutboxState.LEFT]))
    return Moment(
        number=opened.number,
        kind=entry.kind,
        at=opened.at,
        who=names.get(entry.author, "Somebody who has left" if entry.author else "the line itself"),
        text=entry.text,
        question=setup.question(entry.step) if entry.step else "",
        picked=setup.choice(entry.step, entry.choice) if entry.choice else "",
        language=entry.language,
        files=len(entry.media),
        delivery=delivery if entry.kind is EntryKind.STAFF else "",
        trouble=state is OutboxState.FAILED,
        written_down=entry.kind is EntryKind.PERSON and bool(entry.author),
        earlier=entry.earlier,
    )


async def _pager(visit: Visit, case: Case, names: Mapping[str, str]) -> Pager | None:
    stored = await visit.unit.alerts.of_case(case.id)
    if stored is None:
        return None
    alert = Alert.from_json(stored.machine)
    known = {**names, OUTSIDE: "the outside number"}
    known |= {str(r.id): r.name for r in await visit.unit.responders.all()}
    return Pager(
        state=words.ALERTS[alert.state],
        ringing=alert.state in {AlertState.NEW, AlertState.RINGING, AlertState.LAST_RESORT},
        needed=alert.needed,
        names=tuple(known.get(who, "somebody who has left") for who in alert.acks),
        mine=str(visit.member.id) in alert.acks,
    )
