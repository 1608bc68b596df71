"""Which ways to responders do not work, as far as pages and the questions before shifts have shown.

Reads only. A number is never shown: a contact is known by its key, "sms" or "voice-2".
"""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from vault.paging import Alerts, PageState
from vault.rota import Readiness, Ready

_LOOK_BACK: Final = timedelta(days=14)


class Why(StrEnum):
    """What a contact did last."""

    MISSED = "missed"  # nobody answered the question before a shift
    REFUSED = "refused"  # the provider refused that question, or could not deliver it
    PAGE_FAILED = "page_failed"
    WORKS = "works"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The newest that is known of one contact."""

    responder_id: uuid.UUID
    contact: str
    why: Why
    at: datetime

    @property
    def bad(self) -> bool:
        """True when a page by this way would probably not arrive."""
        return self.why is not Why.WORKS


_PAGES: Final = {PageState.FAILED: Why.PAGE_FAILED, PageState.DELIVERED: Why.WORKS, PageState.ANSWERED: Why.WORKS}
_CHECKS: Final = {Ready.MISSED: Why.MISSED, Ready.FAILED: Why.REFUSED, Ready.READY: Why.WORKS}


async def reach(alerts: Alerts, readiness: Readiness, now: datetime) -> tuple[Reach, ...]:
    """What is known of every contact that anything is known of."""
    found: dict[tuple[uuid.UUID, str], Reach] = {}
    for one in sorted([r async for r in _seen(alerts, readiness, now)], key=lambda r: r.at):
        found[one.responder_id, one.contact] = one
    return tuple(found.values())


async def _seen(alerts: Alerts, readiness: Readiness, now: datetime) -> AsyncIterator[Reach]:
    for page in await alerts.newest_pages(now - _LOOK_BACK):
        if page.responder_id is not None:
            yield Reach(
                responder_id=page.responder_id,
                contact=page.contact or page.method,
                why=_PAGES[page.state],
                at=page.created_at,
            )
    for check in await readiness.newest():
        if check.state in _CHECKS and check.due_at > now - _LOOK_BACK:
            yield Reach(
                responder_id=check.responder_id, contact=check.contact, why=_CHECKS[check.state], at=check.due_at
            )
