"""What shall go wrong, and when: rules that are used up one by one, and how a request suffers one.

What a fault means for a webhook or a delivery is carried out where those are.

A rule's target is a dotted name and covers everything below it: "telegram" covers "telegram.sendMessage".

| target | where it strikes |
|---|---|
| twilio.messages.create, .fetch, .list, .update, .delete; twilio.calls.…; | a request to the practised REST API |
| telegram.sendMessage, telegram.file, … | a request to the practised Bot API |
| webhook.sms, webhook.status, webhook.voice, webhook.telegram | a request that the carrier makes to the line |
| delivery.sms, delivery.call | the way from the carrier to a phone |
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from aiohttp import web

_TARGETS = ("twilio", "telegram", "webhook", "delivery")
_ANSWER_IS_LOST = web.RequestKey("answer_is_lost", bool)


class FaultKind(StrEnum):
    """How something goes wrong."""

    ERROR = "error"  # the provider's error `code`; for delivery.sms the message fails with it
    HTTP = "http"  # a bare HTTP `status` with no JSON in it
    HANG = "hang"  # no answer at all
    RESET = "reset"  # the connection is cut before anything is done
    LOSE_ANSWER = "lose-answer"  # it is done, but the connection is cut before the answer
    SLOW = "slow"  # right, but only after `seconds`; for delivery.sms a late message
    DUPLICATE = "duplicate"  # the webhook is sent twice at the same moment
    REORDER = "reorder"  # the webhook waits until a later one of its kind has gone
    FORGE = "forge"  # the webhook's signature or secret is wrong
    DROP = "drop"  # it never arrives; for delivery.sms the message stays "sent"
    BUSY = "busy"  # delivery.call only
    NO_ANSWER = "no-answer"  # delivery.call only: rings, though nobody is there


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule. `times` None: until cleared. `number`: only for this phone number or chat id."""

    target: str
    kind: FaultKind
    times: int | None = 1
    number: str = field(default="", repr=False)
    code: int = 0
    status: int = 500
    seconds: float = 0.0
    retry_after: int = 0  # seconds, Telegram's 429

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Fault":
        """Read a rule. Raises ValueError or TypeError with what is wrong."""
        target, number, times = value.get("target"), value.get("number", ""), value.get("times", 1)
        if not isinstance(target, str) or not isinstance(number, str):
            raise TypeError("the target and the number of a fault are texts")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise ValueError("times is a whole number from 1, or null for ever")
        return cls(**{**value, "kind": FaultKind(value.get("kind", ""))})

    def __post_init__(self) -> None:
        """Refuse a rule that could never strike. Raises ValueError."""
        if self.target.partition(".")[0] not in _TARGETS:
            raise ValueError(f"a target begins with one of {', '.join(_TARGETS)}, not {self.target!r}")

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `from_json` takes them."""
        return {name: getattr(self, name) for name in self.__slots__}

    def covers(self, target: str, parties: tuple[str, ...]) -> bool:
        """True when this rule strikes there, for one of these numbers."""
        return _below(target, self.target) and (not self.number or self.number in parties)


class Faults:
    """The rules in force, oldest first."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._rules)

    def add(self, target: str, kind: FaultKind | str, **details: Any) -> Fault:
        """Add a rule; `details` are the other fields of Fault. Raises ValueError or TypeError."""
        fault = Fault(target=target, kind=FaultKind(kind), **details)
        self.put(fault)
        return fault

    def put(self, fault: Fault) -> None:
        """Add a rule that is made already."""
        self._rules.append(fault)

    def clear(self, target: str = "") -> None:
        """Forget all rules, or those at this target and below it."""
        self._rules = [rule for rule in self._rules if target and not _below(rule.target, target)]

    def take(self, target: str, *parties: str) -> Fault | None:
        """The rule that strikes now, used up by one, or None."""
        for place, rule in enumerate(self._rules):
            if rule.covers(target, parties):
                if rule.times is not None:
                    self._rules[place : place + 1] = [replace(rule, times=rule.times - 1)] if rule.times > 1 else []
                return rule
        return None


def _below(target: str, above: str) -> bool:
    return target == above or target.startswith(above + ".")


async def suffer(fault: Fault, request: web.Request, closing: asyncio.Event) -> web.Response | None:
    """Carry out a fault that strikes a request. None: go on as if nothing had been."""
    if fault.kind is FaultKind.HTTP:
        return web.Response(status=fault.status)
    if fault.kind is FaultKind.SLOW:
        await asyncio.sleep(fault.seconds)
    if fault.kind is FaultKind.HANG:
        await closing.wait()
    if fault.kind in (FaultKind.RESET, FaultKind.HANG):
        cut(request)
        return web.Response()  # nobody reads it, and nothing is done
    request[_ANSWER_IS_LOST] = fault.kind is FaultKind.LOSE_ANSWER
    return None


def lose_answer(request: web.Request) -> None:
    """Cut the connection after the work is done, when that was the fault."""
    if request.get(_ANSWER_IS_LOST):
        cut(request)


def cut(request: web.Request) -> None:
    """Reset the connection."""
    if request.transport is not None:
        request.transport.abort()
