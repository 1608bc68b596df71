"""A member writes with a person: begins, writes, hands back. Each is one unit, as every change of a case is.

Whether the person may be written to now is asked through console.actions, which locks their conversation and then
the case: no view here may lock the case before it.
"""

from aiohttp import web

from console.actions import Held
from console.cases import newest_entry, newest_from_person
from console.changes import back_to, cannot_go, stop_the_pager, typed
from console.desk import Visit
from console.refused import Refused
from triage.review import CaseEvent, transition
from vault.cases import Case, Entry, EntryKind
from vault.delivery import OutboxState
from vault.sealing import PrivateKey


async def begin(visit: Visit) -> web.Response:
    """From now on this member writes with the person, in a colleague's place if need be. They have the case, too."""
    case, _, envelope = await _reach(visit)
    unit, member = visit.unit, visit.member
    try:
        before = await visit.desk.actions.take_over(unit, case, envelope, member)
    except Held as held:
        raise _refused(case, held) from None
    case = await _take(visit, case)
    await stop_the_pager(visit, case)
    visit.note("case.live_taken" if before else "case.live_began", f"case:{case.code}")
    return await _back(visit, case, "writing")


async def say(visit: Visit) -> web.Response:
    """Words of the member who writes. They go out also when the person wrote meanwhile, as in any talk; but then the
    case goes on waiting, since nobody has read that yet."""
    case, key, envelope = await _reach(visit)
    text = typed(visit, case, longest=visit.desk.setup.longest_answer)
    unit, member = visit.unit, visit.member
    try:
        parcel = await visit.desk.actions.write(unit, case, envelope, text, member)
    except Held as held:
        raise cannot_go(case, text, held.reason) from None
    case = await _take(visit, case)
    entry = Entry(
        kind=EntryKind.STAFF,
        text=text,
        author=str(member.id),
        language=case.language,
        channel=envelope.channel if envelope else "",
        parcel=parcel,
    )
    await unit.cases.add(case, entry)
    said = await unit.cases.read(case, key, [EntryKind.PERSON])
    read = visit.form.get("seen") == str(newest_from_person(said))
    if read:
        case = await unit.cases.change(case.id, waits=False, unread=False)
        await stop_the_pager(visit, case)
    visit.note("case.live_wrote", f"case:{case.code}")
    states = {str(row): state for row, state in (await unit.outbox.of_case(case.id)).items()}
    waits = states.get(parcel) is OutboxState.HELD
    return await _back(visit, case, "held" if waits else "" if read else "crossed")


async def end(visit: Visit) -> web.Response:
    """The line takes over again."""
    case, _, envelope = await _reach(visit)
    try:
        ended = await visit.desk.actions.hand_back(visit.unit, case, envelope, visit.member)
    except Held as held:
        raise _refused(case, held) from None
    if ended:
        visit.note("case.live_ended", f"case:{case.code}")
    return await _back(visit, case, "handed_back")


async def _reach(visit: Visit) -> tuple[Case, PrivateKey, Entry | None]:
    """The case, not locked, its key, and how the person is reached. Raises CannotOpen."""
    case = await visit.unit.cases.by_code(visit.request.match_info["code"])
    key = await visit.unit.cases.key(case, visit.who.teams)
    entries = await visit.unit.cases.read(case, key, [EntryKind.ENVELOPE])
    return case, key, newest_entry(entries, EntryKind.ENVELOPE)


async def _take(visit: Visit, case: Case) -> Case:
    """Whoever writes with the person has the case."""
    case = await visit.unit.cases.get(case.id, lock=True)
    state = transition(case.state, CaseEvent.ASSIGN)
    return await visit.unit.cases.change(case.id, state=state, member_id=visit.member.id)


def _refused(case: Case, held: Held) -> Refused:
    return Refused(
        409,
        held.reason,
        next="Open the case: it says what is possible now.",
        reason="held",
        back=back_to(case),
    )


async def _back(visit: Visit, case: Case, done: str) -> web.Response:
    await visit.unit.queue_changed()
    query = f"?done={done}" if done else ""
    return web.Response(status=303, headers={"Location": f"/cases/{case.code}{query}#writing"})
