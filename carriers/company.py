"""What both halves of the practised Twilio share: the account, its lines, the people, and errors of the REST API.

Messages and calls have their own modules; HTTP is in twilio_api.py.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from types import MappingProxyType
from typing import Any, TypeVar

from carriers.faults import Faults
from carriers.journal import Journal
from carriers.numbers import Line, Person
from carriers.pace import Pace
from carriers.sounds import Sounds
from carriers.webhooks import Courier

API_VERSION = "2010-04-01"

_T = TypeVar("_T")

# Twilio's error number -> HTTP status and its sentence (docs: "Error and warning dictionary").
REFUSALS: Mapping[int, tuple[int, str]] = MappingProxyType(
    {
        20001: (400, "A required parameter is missing or unknown"),
        20003: (401, "Authenticate"),
        20004: (405, "Method not allowed"),
        20009: (409, "This resource cannot be changed or deleted before it is finished"),
        20404: (404, "The requested resource was not found"),
        20429: (429, "Too Many Requests"),
        20500: (500, "Internal server error"),
        21201: (400, "No 'To' number is specified"),
        21205: (400, "Url parameter is required"),
        21210: (400, "The source phone number provided is not yet verified for your account"),
        21211: (400, "Invalid 'To' Phone Number"),
        21220: (400, "Call is not in-progress. Cannot redirect."),
        21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number"),
        21602: (400, "Message body is required."),
        21603: (400, "A 'From' phone number is required."),
        21604: (400, "A 'To' phone number is required."),
        21606: (400, "The 'From' phone number is not a valid, SMS-capable inbound phone number for your account."),
        21610: (400, "Attempt to send to unsubscribed recipient"),
        21612: (400, "The 'To' phone number is not currently reachable using the 'From' phone number via SMS"),
        21614: (400, "'To' number is not a valid mobile number"),
        21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    }
)


class Refusal(Exception):
    """The REST API said no: `code` is Twilio's number, `status` the HTTP status."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.status, self.sentence = REFUSALS.get(code, (400, "Refused"))
        super().__init__(self.sentence)


class Tasks:
    """Work that goes on by itself. Its failures are kept, so that closing the exchange can report them."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self.failures: list[Exception] = []

    def start(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Let it run in the background."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.failures.append(error)

    async def stop(self) -> None:
        """Cancel what still runs and wait for its end."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def new_sid(prefix: str) -> str:
    """A fresh id of the form SM + 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


def http_date(moment: datetime | None) -> str | None:
    """RFC 2822, as Twilio's REST API writes dates."""
    return None if moment is None else format_datetime(moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """The practised Twilio account and everything its parts have in common."""

    account_sid: str
    auth_token: str = field(repr=False)
    pace: Pace
    faults: Faults
    journal: Journal
    courier: Courier
    tasks: Tasks
    sid: Callable[[str], str] = new_sid
    delivery_delay: float = 0.3  # practised seconds from queued to sent, and from sent to delivered
    lines: dict[str, Line] = field(default_factory=dict, repr=False)
    people: dict[str, Person] = field(default_factory=dict, repr=False)
    sounds: Sounds = field(default_factory=Sounds)
    addresses: dict[str, str] = field(default_factory=dict)  # "api": where the REST API listens, once it does

    def person(self, number: str) -> Person:
        """Who has this number; a stranger has only the number."""
        return self.people.get(number) or Person(number=number)

    def uri(self, path: str) -> str:
        """The path of a resource of this account, as the REST API prints it."""
        return f"/{API_VERSION}/Accounts/{self.account_sid}/{path}"
