"""What staff do to a case. Each is one unit: the entry, the state, the audit line and the job become true together.

Legal steps are triage's table; the person is reached through console.actions; nothing is decided from a page's age:
a form says what its sender had seen, and is refused when the person has written since.
"""

from dataclasses import replace
from typing import Final

from aiohttp import web

from console import words
from console.actions import Held
from console.cases import newest_entry, newest_from_person
from console.desk import Visit
from console.refused import Again, Refused
from triage.alerts import Alert
from triage.levels import Level
from triage.review import CaseEvent, transition
from vault.cases import Case, Entry, EntryKind, OpenEntry, Reason
from vault.delivery import OutboxState

_LONGEST_NOTE: Final = 10_000  # characters
_FATES: Final = {OutboxState.HELD: "held", OutboxState.LEFT: "left"}


async def answer(visit: Visit) -> web.Response:
    """Send words to the person. Whoever answers has the case, and the pager need not look for them any more."""
    case, entries = await _open(visit)
    text = typed(visit, case, longest=visit.desk.setup.longest_answer)
    state = transition(case.state, CaseEvent.ANSWER)
    _nothing_new(visit, case, entries, button="I have read it: send this answer")
    parcel, channel = await _send(visit, case, entries, text)
    unit, member = visit.unit, visit.member
    entry = Entry(
        kind=EntryKind.STAFF,
        text=text,
        author=str(member.id),
        language=case.language,
        channel=channel,
        parcel=parcel,
    )
    await unit.cases.add(case, entry)
    holder = case.member_id or member.id
    case = await unit.cases.change(case.id, state=state, waits=False, unread=False, member_id=holder)
    await stop_the_pager(visit, case)
    return await _done(visit, case, "case.answered", await _fate(visit, case, parcel))


async def _send(visit: Visit, case: Case, entries: tuple[OpenEntry, ...], text: str) -> tuple[str, str]:
    """The parcel and its channel; both "" when only the return code is left to reach them. Raises Refused."""
    envelope = newest_entry(entries, EntryKind.ENVELOPE)
    if envelope is None:
        if await visit.unit.codes.leave(case.id, text):
            return "", ""
        raise cannot_go(case, text, "The line does not know how to reach this person.")
    try:
        parcel = await visit.desk.actions.answer(
            visit.unit, case, channel=envelope.channel, address=envelope.address, text=text, member=visit.member
        )
    except Held as held:
        raise cannot_go(case, text, held.reason) from None
    return parcel, envelope.channel


def cannot_go(case: Case, text: str, why: str) -> Refused:
    """What staff read when their words cannot reach the person; the words are given back to them."""
    return Refused(
        409,
        why,
        kept="Nothing was sent. What you wrote is below.",
        next="Keep the text as a note, and answer when the person comes back.",
        reason="held",
        back=back_to(case),
        again=Again(action=f"/cases/{case.code}/note", fields={"text": text}, button="Keep as a note"),
    )


async def _fate(visit: Visit, case: Case, parcel: str) -> str:
    """What to tell staff about an answer: it goes out, it waits for the person, or it waits under their code."""
    states = {str(row): state for row, state in (await visit.unit.outbox.of_case(case.id)).items()}
    return _FATES.get(states.get(parcel, OutboxState.LEFT), "answered")


async def note(visit: Visit) -> web.Response:
    """Keep something for the team."""
    case = await _locked(visit)
    text = typed(visit, case, longest=_LONGEST_NOTE)
    await visit.unit.cases.add(case, Entry(kind=EntryKind.NOTE, text=text, author=str(visit.member.id)))
    return await _done(visit, case, "case.noted", "noted")


async def assign(visit: Visit) -> web.Response:
    """Give the case to a member; whoever takes it for themselves has also acknowledged it."""
    case = await _locked(visit)
    given = visit.form.get("member", "")
    chosen = next((m for m in await visit.unit.members.all() if str(m.id) == given), None)
    if chosen is None:
        raise Refused(400, "Nobody was chosen.", next="Choose a member of the team.", back=back_to(case))
    state = transition(case.state, CaseEvent.ASSIGN)
    case = await visit.unit.cases.change(case.id, state=state, member_id=chosen.id)
    if chosen.id == visit.member.id:
        await stop_the_pager(visit, case)
    visit.note("case.assigned", f"case:{case.code} member:{chosen.id}")
    return await _done(visit, case, "", "assigned")


async def release(visit: Visit) -> web.Response:
    """Put the case back, for anybody to take."""
    case = await _locked(visit)
    state = transition(case.state, CaseEvent.RELEASE)
    case = await visit.unit.cases.change(case.id, state=state, member_id=None)
    return await _done(visit, case, "case.released", "released")


async def acknowledge(visit: Visit) -> web.Response:
    """The member has it: as good as answering the page."""
    case = await _locked(visit)
    await visit.desk.actions.acknowledge(visit.unit, case, visit.member)
    return await _done(visit, case, "case.acknowledged", "acknowledged")


async def raise_level(visit: Visit) -> web.Response:
    """A human saw more than the rules did. Only ever upwards."""
    case, entries = await _open(visit)
    transition(case.state, CaseEvent.ASSIGN)  # a case that nobody may work on any more cannot ring either
    level = _level(visit.form.get("level", ""))
    if level is None or level <= case.level:
        raise Refused(
            409,
            f"This case is at the level {case.level.word} already.",
            next="Look at the case again. A level only ever goes up.",
            back=back_to(case),
        )
    before = newest_entry(entries, EntryKind.REASONS) or Entry(kind=EntryKind.REASONS)
    mine = Reason(rule=words.RAISED_BY_STAFF, level=level.word)
    reasons = (mine, *(r for r in before.reasons if r.rule != mine.rule))
    await visit.unit.cases.add(case, replace(before, reasons=reasons, author=str(visit.member.id)))
    case = await visit.unit.cases.change(case.id, level=level)
    await visit.desk.actions.raise_level(visit.unit, case, level, visit.member)
    return await _done(visit, case, "case.raised", "raised")


async def close(visit: Visit) -> web.Response:
    """Close the case, after the confirming page and with everything read."""
    case, entries = await _open(visit)
    state = transition(case.state, CaseEvent.CLOSE)
    _nothing_new(visit, case, entries, button="I have read it: close the case")
    now = visit.unit.transaction.minute
    case = await visit.unit.cases.change(case.id, state=state, waits=False, unread=False, closed_at=now)
    await visit.desk.actions.closed(visit.unit, case, visit.member)
    return await _done(visit, case, "case.closed", "closed")


async def _locked(visit: Visit) -> Case:
    return await visit.unit.cases.by_code(visit.request.match_info["code"], lock=True)


async def _open(visit: Visit) -> tuple[Case, tuple[OpenEntry, ...]]:
    """The case, locked, with what a change needs to look at. Raises CannotOpen."""
    case = await _locked(visit)
    key = await visit.unit.cases.key(case, visit.who.teams)
    kinds = [EntryKind.PERSON, EntryKind.ENVELOPE, EntryKind.REASONS]
    return case, await visit.unit.cases.read(case, key, kinds)


async def stop_the_pager(visit: Visit, case: Case) -> None:
    """Whoever takes or answers a case has it: count them among those who acknowledged, once."""
    alert = await visit.unit.alerts.of_case(case.id)
    if alert is not None and alert.ringing and str(visit.member.id) not in Alert.from_json(alert.machine).acks:
        await visit.desk.actions.acknowledge(visit.unit, case, visit.member)
        visit.note("case.acknowledged", f"case:{case.code}")


async def _done(visit: Visit, case: Case, action: str, done: str) -> web.Response:
    if action:
        visit.note(action, f"case:{case.code}")
    await visit.unit.queue_changed()
    return web.Response(status=303, headers={"Location": f"/cases/{case.code}?done={done}"})


def typed(visit: Visit, case: Case, *, longest: int) -> str:
    """What was typed. Raises Refused when there is nothing, or too much."""
    text = visit.form.get("text", "").replace("\r\n", "\n").strip()
    if not text:
        raise Refused(400, "There was nothing to keep: the text is empty.", next="Write it again.", back=back_to(case))
    if len(text) > longest:
        raise Refused(
            413,
            f"The text has {len(text)} characters; at most {longest} fit.",
            kept="Nothing was sent. What you wrote is below.",
            next="Shorten it, or send it as two.",
            back=back_to(case),
        )
    return text


def _nothing_new(visit: Visit, case: Case, entries: tuple[OpenEntry, ...], *, button: str) -> None:
    """Raises Refused when the person has written since the page was opened; it can be sent again after reading."""
    newest = str(newest_from_person(entries))
    if visit.form.get("seen", newest) == newest:
        return
    fields = {k: v for k, v in visit.form.items() if k != "token"} | {"seen": newest}
    raise Refused(
        409,
        "The person wrote again while you had this page open.",
        kept="Nothing was sent or changed." + (" What you wrote is below." if "text" in fields else ""),
        next="Open the case in a new tab and read what is new. Then decide.",
        reason="not_read_yet",
        back=back_to(case),
        again=Again(action=visit.request.path, fields=fields, button=button),
    )


def _level(word: str) -> Level | None:
    return next((level for level in Level if level.word == word), None)


def back_to(case: Case) -> tuple[str, str]:
    """The link back to a case."""
    return f"/cases/{case.code}", f"Go to case {case.code}"
