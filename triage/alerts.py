"""The pager's words: an alert and its pages, what can happen to it, what it asks for, and its plain JSON.

Values only. What follows from what is in escalation.py. Nothing here knows a word of the report, a name or a
number: only ids, levels, languages, states and times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from triage.levels import Level
from triage.rota import Method, MethodKind

VERSION = 1
OUTSIDE = "outside"  # stands for the people behind the outside number, who can acknowledge too


class AlertState(StrEnum):
    """How far an alert has come."""

    NEW = "new"
    RINGING = "ringing"  # climbing the ladder
    LAST_RESORT = "last_resort"  # everyone, by everything, again and again
    ACKNOWLEDGED = "acknowledged"  # as many people as needed have it
    CLOSED = "closed"


class PageState(StrEnum):
    """How far one page has come. A state never goes back to an earlier one; late truth may replace FAILED."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    ANSWERED = "answered"

    @property
    def reached(self) -> bool:
        """Only these two count: "accepted" and "sent" are a provider's hope."""
        return self in {PageState.DELIVERED, PageState.ANSWERED}

    def after(self, news: "PageState") -> "PageState":
        """The later of both: webhooks come twice and in the wrong order."""
        order = list(PageState)
        return max(self, news, key=order.index)


class Tell(StrEnum):
    """What a responder is told."""

    TAKEN = "taken"  # you have it
    ALREADY_TAKEN = "already_taken"  # thank you; `holders` have it
    NEEDS_SECOND = "needs_second"  # you have it; one more person is being called
    STOOD_DOWN = "stood_down"  # you were called; `holders` have it now
    RAISED = "raised"  # what you have is now worse
    STILL_ON_IT = "still_on_it"  # do you still have it?
    LAPSED = "lapsed"  # you had it; nothing was seen or heard, so others are called
    CLOSED = "closed"  # it is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One attempt to reach one person by one method. `at`: when it was asked for (UTC)."""

    id: str
    responder: str
    contact: str
    kind: MethodKind
    at: datetime
    attempt: int
    state: PageState = PageState.ASKED
    error: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert. `step` counts rungs (-1: not yet on the ladder), `round` completed climbs, and after them rings
    of the last resort; `attempt` counts every rung ever entered, `began` the attempt the present climb follows.

    `deadline`: when the rung is over; `wake`: the next moment something is due, under the number `timer`.
    `acks`: who acknowledged, each once; the first `needed` of them have it. `acked_at`: when somebody last said so;
    `told_at`: when they were last told that danger was seen again. Once they have it: `touched`, somebody did
    something about the case, last at `worked_at`; `asked_at`: since when "still on it?" waits for an answer;
    `settled`: the person waits for nothing more. `lapsed`: who had it before and fell silent.
    """

    id: str
    level: Level
    language: str
    needed: int
    state: AlertState = AlertState.NEW
    step: int = -1
    round: int = 0
    attempt: int = 0
    began: int = 0
    deadline: datetime | None = None
    wake: datetime | None = None
    timer: int = 0
    pages: tuple[Page, ...] = ()
    acks: tuple[str, ...] = ()
    acked_at: datetime | None = None
    told_at: datetime | None = None
    touched: bool = False
    worked_at: datetime | None = None
    asked_at: datetime | None = None
    settled: bool = False
    lapsed: tuple[str, ...] = ()

    @property
    def holders(self) -> tuple[str, ...]:
        """Who has it; whoever acknowledged after them was told to rest."""
        return self.acks[: self.needed]

    @property
    def live(self) -> bool:
        """True while it still looks for people."""
        return self.state in {AlertState.RINGING, AlertState.LAST_RESORT}

    def page(self, page_id: str) -> Page | None:
        """The page with this id, if it is still remembered."""
        return next((page for page in self.pages if page.id == page_id), None)

    def to_json(self) -> dict[str, Any]:
        """Plain values for storage; the inverse of `from_json`."""
        return {
            "version": VERSION,
            "id": self.id,
            "level": self.level.word,
            "language": self.language,
            "needed": self.needed,
            "state": self.state.value,
            "step": self.step,
            "round": self.round,
            "attempt": self.attempt,
            "began": self.began,
            "deadline": _text(self.deadline),
            "wake": _text(self.wake),
            "timer": self.timer,
            "pages": [_page_to_json(page) for page in self.pages],
            "acks": list(self.acks),
            "acked_at": _text(self.acked_at),
            "told_at": _text(self.told_at),
            "touched": self.touched,
            "worked_at": _text(self.worked_at),
            "asked_at": _text(self.asked_at),
            "settled": self.settled,
            "lapsed": list(self.lapsed),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Alert":
        """Rebuild a stored alert. Raises ValueError when it was written by a newer version."""
        if value["version"] != VERSION:
            raise ValueError(f"the alert has version {value['version']}, this program reads {VERSION}: update it")
        return cls(
            id=value["id"],
            level=Level.of(value["level"]),
            language=value["language"],
            needed=value["needed"],
            state=AlertState(value["state"]),
            step=value["step"],
            round=value["round"],
            attempt=value["attempt"],
            began=value["began"],
            deadline=_moment(value["deadline"]),
            wake=_moment(value["wake"]),
            timer=value["timer"],
            pages=tuple(_page_from_json(page) for page in value["pages"]),
            acks=tuple(value["acks"]),
            acked_at=_moment(value["acked_at"]),
            told_at=_moment(value["told_at"]),
            # Rows that were written before anybody was asked "still on it?" have none of these.
            touched=value.get("touched", False),
            worked_at=_moment(value.get("worked_at")),
            asked_at=_moment(value.get("asked_at")),
            settled=value.get("settled", False),
            lapsed=tuple(value.get("lapsed", ())),
        )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _page_to_json(page: Page) -> dict[str, Any]:
    return {
        "id": page.id,
        "responder": page.responder,
        "contact": page.contact,
        "kind": page.kind.value,
        "at": page.at.isoformat(),
        "attempt": page.attempt,
        "state": page.state.value,
        "error": page.error,
    }


def _page_from_json(value: Mapping[str, Any]) -> Page:
    return Page(
        id=value["id"],
        responder=value["responder"],
        contact=value["contact"],
        kind=MethodKind(value["kind"]),
        at=datetime.fromisoformat(value["at"]),
        attempt=value["attempt"],
        state=PageState(value["state"]),
        error=value["error"],
    )


# What can happen -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The alert begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """The wake-up asked for with WakeAt has come. An outdated `timer` changes nothing."""

    timer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A regular look: whatever is due by now is done, even if its wake-up was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNews:
    """News of a page. A call counts as ANSWERED only with a key press: voicemail is not an answer."""

    page: str
    state: PageState
    error: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Somebody says "I have it": a responder's id, a staff member's, or OUTSIDE."""

    responder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """Somebody did something about the case (opened it, wrote, noted, spoke) at `at`. `settled`: the person waits for
    nothing more, so nobody need be asked whether they are still on it."""

    at: datetime
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The case looks worse now, or danger was seen again. Never lowers anything."""

    level: Level
    life_at_risk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Staff closed the alert; nobody is called any more."""


Event = Opened | TimedOut | Tick | PageNews | Acknowledged | Worked | Raised | Closed


# What we ask for -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PageResponder:
    """Send a page. `page` comes back in PageNews."""

    page: str
    responder: str
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOutside:
    """Call the number outside the organisation (policy.outside_number)."""

    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeAt:
    """Come back at `at` (UTC) with TimedOut(timer). It replaces every wake-up asked for before."""

    at: datetime
    timer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TellResponder:
    """Tell somebody where it stands. `holders`: ids of those who have it, first to last."""

    responder: str
    what: Tell
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleAlarm:
    """Sound the alarm in the console: the last resort is ringing."""


Action = PageResponder | PageOutside | WakeAt | TellResponder | ConsoleAlarm
