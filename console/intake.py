"""A report that a member writes down for somebody who cannot or does not want to write: met in person, or on a phone.

The person gets a return code from the member. Because the member has seen it, it only lasts until the person has used
it once and has a code of their own (dialogs/flows/code.yml). Nothing about who they are is asked.
"""

import secrets
import uuid
from typing import Final

from aiohttp import web

from console import words
from console.desk import Visit
from console.refused import Refused
from triage.levels import Level
from triage.review import CaseEvent, CaseState, transition
from vault.cases import Case, Entry, EntryKind, Reason
from vault.codes import grouped

CHANNEL: Final = "staff"
_LONGEST: Final = 20_000  # characters
_BACK: Final = ("/cases/new", "Go back to the form")


async def show(visit: Visit) -> web.Response:
    """The form. Its id makes sure that sending it twice keeps one report."""
    return visit.page(
        "intake.html",
        id=uuid.uuid4(),
        languages=visit.desk.setup.languages,
        longest=_LONGEST,
        levels=tuple(reversed(Level)),
        meanings=words.LEVELS,
    )


async def write_down(visit: Visit) -> web.Response:
    """Keep the report, and show the code that leads back to it, once."""
    unit, setup = visit.unit, visit.desk.setup
    text, language, level = _read(visit)
    await _only_once(visit)
    case = await unit.cases.open(language=language, channel=CHANNEL, level=level)
    said = Entry(
        kind=EntryKind.PERSON,
        text=text,
        language=language,
        channel=CHANNEL,
        author=str(visit.member.id),
        step="opening",
    )
    await unit.cases.add(case, said)
    why = (Reason(rule=words.SET_BY_STAFF, level=level.word),)
    await unit.cases.add(case, Entry(kind=EntryKind.REASONS, reasons=why, author=str(visit.member.id)))
    case = await _file(visit, case)
    code = await unit.codes.issue(case.id, secrets.randbelow, known_to_staff=True)
    await visit.desk.actions.written_down(unit, case, text)
    if level >= Level.HIGH:
        await visit.desk.actions.raise_level(unit, case, level, visit.member)
    visit.note("case.written_down", f"case:{case.code}")
    await unit.queue_changed()
    return visit.page("intake_code.html", case=case, code=grouped(code), language=setup.language(language))


async def _file(visit: Visit, case: Case) -> Case:
    state = transition(CaseState.DRAFT, CaseEvent.FILE)
    # Nobody answers a person who gave no way to be reached: what staff write waits under the code.
    return await visit.unit.cases.change(
        case.id, state=state, filed_at=visit.unit.transaction.minute, contact_rule="never_first"
    )


async def _only_once(visit: Visit) -> None:
    """Raises Refused when this very form was kept before: its code was shown then, and cannot be shown again."""
    given = visit.form.get("id", "")
    unit = visit.unit
    digest = unit.messages.digest(CHANNEL, given)
    await unit.lock(digest)
    if await unit.messages.seen(digest) is not None:
        raise Refused(
            409,
            "This report was kept already.",
            kept="It is in the queue, once. Its code was shown then and cannot be shown again.",
            next="If nobody noted the code, write the report down once more: it gets a new case and a new code.",
            reason="written_down_before",
        )
    await unit.messages.remember(digest, None)


def _read(visit: Visit) -> tuple[str, str, Level]:
    """Text, language and level. Raises Refused."""
    text = visit.form.get("text", "").replace("\r\n", "\n").strip()
    language, word = visit.form.get("language", ""), visit.form.get("level", "")
    level = next((level for level in Level if level.word == word), None)
    if not text:
        raise Refused(400, "There was nothing to keep: the report is empty.", next="Write it again.", back=_BACK)
    if len(text) > _LONGEST:
        happened = f"The report has {len(text)} characters; at most {_LONGEST} fit."
        raise Refused(413, happened, kept="Nothing was kept.", next="Keep the rest as a note.", back=_BACK)
    if language not in visit.desk.setup.languages:
        raise Refused(400, "No language was chosen.", next="Choose the language they speak.", back=_BACK)
    if level is None:
        raise Refused(400, "No level was chosen.", next="Choose how urgent it is.", back=_BACK)
    return text, language, level
