"""What a telephone call is: one leg between the company and a phone, how it appears on the wire, how it listens.

What becomes of a call is in calls.py, what is said on it in conversation.py.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from carriers.company import API_VERSION, Company, http_date
from carriers.numbers import place


class CallStatus(StrEnum):
    """Twilio's statuses."""

    QUEUED = "queued"
    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


OVER = frozenset({CallStatus.COMPLETED, CallStatus.BUSY, CallStatus.FAILED, CallStatus.NO_ANSWER, CallStatus.CANCELED})

# The status callback event that each status belongs to.
EVENT_OF: Mapping[CallStatus, str] = MappingProxyType(
    {
        CallStatus.INITIATED: "initiated",
        CallStatus.RINGING: "ringing",
        CallStatus.IN_PROGRESS: "answered",
    }
    | dict.fromkeys(OVER, "completed")
)

# What a phone shows; a call that was taken back has simply not been answered.
SHOWN: Mapping[CallStatus, str] = MappingProxyType(
    {status: status.value for status in (CallStatus.RINGING, CallStatus.IN_PROGRESS, *OVER)}
    | {CallStatus.CANCELED: "no-answer"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOrder:
    """What the REST API is asked to dial. `ring_seconds` is Twilio's Timeout."""

    from_: str = field(repr=False)
    to: str = field(repr=False)
    url: str = field(default="", repr=False)
    method: str = "POST"
    twiml: str = field(default="", repr=False)
    fallback: str = field(default="", repr=False)
    status_callback: str = field(default="", repr=False)
    status_events: tuple[str, ...] = ("completed",)
    ring_seconds: float = 60.0


class Listening:
    """One <Gather>: takes keys and words until it has what it asked for. Keys win over words once one is pressed."""

    def __init__(self, *, inputs: tuple[str, ...], num_digits: int, finish_key: str, masked: bool) -> None:
        self.inputs = inputs
        self.masked = masked
        self._num_digits = num_digits
        self._finish_key = finish_key
        self.digits = ""
        self.speech = ""
        self.complete = False
        self.stirred = asyncio.Event()

    def press(self, key: str) -> bool:
        """One key. False: nobody listens for it."""
        if self.complete or "dtmf" not in self.inputs:
            return False
        if key == self._finish_key:
            self.complete = True
        else:
            self.digits += key
            self.complete = bool(self._num_digits) and len(self.digits) >= self._num_digits
        self.stirred.set()
        return True

    def speak(self, text: str) -> bool:
        """Words. False: nobody listens for them."""
        if self.complete or self.digits or "speech" not in self.inputs:
            return False
        self.speech = text
        self.complete = True
        self.stirred.set()
        return True

    def stop(self) -> None:
        """Nothing more will come: the time-out, without the wait."""
        self.complete = True
        self.stirred.set()


class Call:
    """One leg, which changes as the call goes on.

    `phone` is the number of the person at the other end; `parent` the sid of the call that dialled this one;
    `answer` tells how the ringing ends.
    """

    def __init__(self, *, sid: str, direction: str, from_: str, to: str, phone: str, created: datetime) -> None:
        self.sid = sid
        self.direction = direction
        self.from_ = from_
        self.to = to
        self.phone = phone
        self.created = created
        self.status = CallStatus.QUEUED
        self.parent: str | None = None
        self.status_callback = ""
        self.status_events: tuple[str, ...] = ("completed",)
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self.sequence = 0
        self.answer: asyncio.Future[CallStatus] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self.work: asyncio.Task[Any] | None = None
        self.listening: Listening | None = None
        self.bridge: Call | None = None

    @property
    def other(self) -> str:
        """The number that the person's phone shows."""
        return self.to if self.phone == self.from_ else self.from_

    @property
    def seconds(self) -> int:
        """How long the two were connected."""
        return round((self.ended - self.started).total_seconds()) if self.ended and self.started else 0

    def fields(self, company: Company) -> dict[str, str]:
        """What every webhook about this call carries, all that is known about the person included."""
        caller, called = company.person(self.from_), company.person(self.to)
        fields = {
            "CallSid": self.sid,
            "AccountSid": company.account_sid,
            "From": self.from_,
            "To": self.to,
            "Caller": self.from_,
            "Called": self.to,
            "CallStatus": self.status.value,
            "Direction": self.direction,
            "ApiVersion": API_VERSION,
        }
        if caller.name and self.direction == "inbound":
            fields["CallerName"] = caller.name
        if self.parent:
            fields["ParentCallSid"] = self.parent
        for role, person in (("From", caller), ("Caller", caller), ("To", called), ("Called", called)):
            fields |= place(role, person)
        return fields

    def status_fields(self, company: Company) -> dict[str, str]:
        """What a status callback carries."""
        fields = self.fields(company) | {
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(self.sequence),
            "Timestamp": http_date(company.pace.now()) or "",
        }
        if self.status in OVER:
            fields |= {"CallDuration": str(self.seconds), "Duration": str(-(-self.seconds // 60))}
        return fields

    def resource(self, company: Company) -> dict[str, Any]:
        """The Call resource as the REST API prints it."""
        path = f"Calls/{self.sid}"
        return {
            "sid": self.sid,
            "account_sid": company.account_sid,
            "annotation": None,
            "answered_by": None,
            "api_version": API_VERSION,
            "caller_name": None,
            "date_created": http_date(self.created),
            "date_updated": http_date(self.ended or self.started or self.created),
            "direction": self.direction,
            "duration": str(self.seconds) if self.status in OVER else None,
            "end_time": http_date(self.ended),
            "forwarded_from": None,
            "from": self.from_,
            "from_formatted": self.from_,
            "group_sid": None,
            "parent_call_sid": self.parent,
            "phone_number_sid": None,
            "price": None,
            "price_unit": "USD",
            "queue_time": "0",
            "start_time": http_date(self.started),
            "status": self.status.value,
            "subresource_uris": {"recordings": company.uri(f"{path}/Recordings.json")},
            "to": self.to,
            "to_formatted": self.to,
            "trunk_sid": None,
            "uri": company.uri(f"{path}.json"),
        }
