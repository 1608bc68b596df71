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
from triage.drills import Announce
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
    "writing": "You write with them now. The line is silent until you hand back.",
    "crossed": "Sent. They wrote at the same time: read it before you go on.",
    "handed_back": "The line has taken over again.",
}

_TALK: Final = 8  # of the newest words, shown where they are answered


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Who writes with the person now, as this member sees it, and what both said last.

    `refusal`: why nobody can; `announced`: what the line tells them when somebody begins. Words are shown to the member
    who writes: `fresh` are those that the page has not shown yet, `sent` says how far the others have come. `last` is
    the number of the newest entry in the talk.
    """

    who: str
    mine: bool
    refusal: str
    announced: str
    rules: Sequence[str]
    fresh: Sequence[Moment]
    sent: Sequence[Moment]
    last: int
    seen: int  # number of the newest thing the person said
    newer: bool  # they have written since the page was opened, and nothing of it is shown here

    @property
    def summary(self) -> str:
        """For whoever does not see the screen."""
        who = "You write" if self.mine else f"{self.who} writes" if self.who else "Nobody writes"
        return f"{who} with them." + (" They have written." if self.seen else "")


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
    timeline = _timeline(visit, entries, await _sent(visit, case), names)
    writing = await _writing(visit, case, entries, names, timeline)
    pager = await _pager(visit, case, names)
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
        drill=_is_known_drill(visit, case, pager),
        who=names.get(str(case.member_id), ""),
        members=members,
        reasons=reasons(newest_entry(entries, EntryKind.REASONS)),
        quotes=_quotes(newest_entry(entries, EntryKind.REASONS)),
        timeline=timeline,
        pager=pager,
        rules=words.contact(case),
        can=legal_events(case.state),
        event=CaseEvent,
        worse=[level for level in Level if level > case.level],
        seen=newest_from_person(entries),
        longest=setup.longest_answer,
        writing=writing,
        done=DONE.get(visit.request.query.get("done", ""), ""),
    )


async def talk(visit: Visit) -> web.Response:
    """What changes while somebody writes with the person: who it is, and what was said after entry number `after`.

    The open page fetches it by itself. What it shows for the first time was read, and is written to the audit trail;
    the case does not count as read, for nobody may be in front of the screen.
    """
    unit = visit.unit
    case = await unit.cases.by_code(visit.request.match_info["code"])
    key = await unit.cases.key(case, visit.who.teams)
    entries = await unit.cases.read(case, key, [EntryKind.PERSON, EntryKind.STAFF, EntryKind.ENVELOPE])
    names = {str(m.id): m.name for m in await unit.members.all()}
    timeline = _timeline(visit, entries, await _sent(visit, case), names)
    writing = await _writing(visit, case, entries, names, timeline, after=_after(visit.request))
    if any(moment.kind is EntryKind.PERSON for moment in writing.fresh):
        visit.note("case.read_on", f"case:{case.code}")
    return visit.page("writing_part.html", case=case, writing=writing)


def _after(request: web.Request) -> int:
    digits = request.query.get("after", "")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 9 else 0


async def confirm_close(visit: Visit) -> web.Response:
    """The step before closing. Opens no entry but counts them, so that nothing new is closed unread."""
    unit = visit.unit
    case = await unit.cases.by_code(visit.request.match_info["code"])
    key = await unit.cases.key(case, visit.who.teams)
    entries = await unit.cases.read(case, key, [EntryKind.PERSON])
    pager = await _pager(visit, case, {})
    return visit.page("close.html", case=case, seen=newest_from_person(entries), ringing=bool(pager and pager.ringing))


async def _writing(  # noqa: PLR0917 - what a page has read already, and from where on it shows it
    visit: Visit,
    case: Case,
    entries: Sequence[OpenEntry],
    names: Mapping[str, str],
    timeline: Sequence[Moment],
    after: int | None = None,
) -> Writing:
    """`after`: the newest entry that the page has shown; None for a page that is just opened."""
    presence = await visit.desk.actions.presence(visit.unit, case, newest_entry(entries, EntryKind.ENVELOPE))
    talking = [moment for moment in timeline if moment.kind is not EntryKind.NOTE]
    fresh = talking[-_TALK:] if after is None else [moment for moment in talking if moment.number > after]
    seen, mine = newest_from_person(entries), presence.member == visit.member.id
    return Writing(
        who=names.get(str(presence.member), "Somebody who has left") if presence.member else "",
        mine=mine,
        refusal=presence.refusal,
        announced=presence.announced,
        rules=words.while_writing(case),
        fresh=fresh if mine else (),
        sent=[moment for moment in talking if moment.delivery] if mine and after is not None else (),
        last=talking[-1].number if talking else 0,
        seen=seen,
        newer=not mine and after is not None and seen > after,
    )


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


def _is_known_drill(visit: Visit, case: Case, pager: Pager | None) -> bool:
    """Whether to say that this is a drill: at once, or when somebody has it or it is over, as the line has chosen."""
    known = visit.desk.setup.announce is Announce.AT_ONCE or case.closed_at or (pager and pager.names)
    return case.drill and bool(known)


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
