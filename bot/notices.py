"""Trouble of the machine or the rota, told to a human who can mend it: the coordinators, or else who is on call.

A notice is no page: it rings nobody, needs no acknowledgement, and carries nothing of any case. Each kind goes out
once in a while, however often it is seen; the audit trail remembers when. What no notice can say, because nothing
goes out any more, the missing heartbeat says (heartbeat.py).
"""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from bot.house import House
from channels.messages import Answer, Expect
from dialogs.conversation import Mode
from triage.rota import Responder, Rota, everyone, on_call
from vault.delivery import OutboxKind
from vault.unit import Unit

SYSTEM: Final = "system"


class Trouble(StrEnum):
    """What needs a hand. The value is its action in the audit trail."""

    STOPPED = "trouble.stopped"  # a responder's phone takes no texts of ours any more
    RESUMED = "trouble.resumed"  # it does again
    STUCK = "trouble.jobs"  # urgent work waits too long, or was given up
    WORKER = "trouble.worker"  # a worker died


_QUIET: Final[Mapping[Trouble, timedelta]] = MappingProxyType(
    {
        Trouble.STOPPED: timedelta(hours=12),
        Trouble.RESUMED: timedelta(0),
        Trouble.STUCK: timedelta(hours=1),
        Trouble.WORKER: timedelta(minutes=10),
    }
)
"""How long the same trouble is not told again."""

_SAYS: Final[Mapping[Trouble, str]] = MappingProxyType(
    {
        Trouble.STOPPED: "page.stopped_notice",
        Trouble.RESUMED: "page.resumed_notice",
        Trouble.STUCK: "page.stuck_notice",
        Trouble.WORKER: "page.worker_notice",
    }
)


def whom(rota: Rota, about: str, now: datetime) -> tuple[Responder, ...]:
    """Who is told: coordinators; without one, who is on call; whoever it is about only when there is nobody else."""
    named = tuple(r for r in rota.responders if r.coordinator)
    candidates = (named, on_call(rota, now), everyone(rota, now))
    return next((kept for group in candidates if (kept := tuple(r for r in group if r.id != about))), candidates[-1])


async def notice(house: House, unit: Unit, trouble: Trouble, *, about: str = "", **values: str) -> bool:
    """Tell of it, unless it was told a short while ago. `about` is a responder's id. True when it was told now."""
    subject = f"responder:{about}" if about else SYSTEM
    await unit.lock(b"notice")  # two workers see the same trouble at once
    last = await unit.audit.latest(trouble, subject)
    if last is not None and unit.transaction.now - last < _QUIET[trouble]:
        return False
    if trouble is Trouble.RESUMED:
        stopped = await unit.audit.latest(Trouble.STOPPED, subject)
        if stopped is None or (last is not None and last >= stopped):
            return False  # nobody was told of a STOP that could be over now
    unit.audit.add(trouble, subject)
    house.counts[trouble.value.replace(".", "_")] += 1
    for person in whom(await house.pager.rota(unit), about, unit.transaction.now):
        await _write(house, unit, uuid.UUID(person.id), _SAYS[trouble], values)
    return True


async def _write(house: House, unit: Unit, who: uuid.UUID, phrase: str, values: Mapping[str, str]) -> None:
    found = await unit.responders.get(who)
    contact = found and (found.contact("telegram") or found.contact("sms"))
    if not found or not contact:
        return
    language = house.pager.language(found)
    text = house.phrases.text(phrase, language, Mode.PLAIN, {"line": house.line.name, **values})
    answer = Answer(text=text, language=language, expect=Expect.NOTHING)
    parcel = await unit.outbox.put(OutboxKind.RESPONDER, contact.method, contact.value, answer.to_json())
    await unit.jobs.later("deliver", parcel=str(parcel))
