"""The person's own rule on how they may be answered, kept when an answer is written and again when it leaves.

What a rule makes of an answer, how the answer is worded, when the hours of a rule next begin, and what is left under a
return code instead. Nothing is sent here.
"""

import uuid
from datetime import datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from bot.house import House
from channels.messages import Answer, ChannelName, Expect
from dialogs.conversation import Mode
from vault.cases import Case
from vault.delivery import OutboxState, Parcel
from vault.unit import Unit


class Fate(Enum):
    """What may become of an answer now."""

    SEND = "send"
    HOLD = "hold"  # until the person writes
    LEAVE = "leave"  # under their return code; nothing is ever sent


def fate(case: Case, channel: str) -> Fate:
    """What the rule and the channel allow. A call cannot be answered: we do not ring a phone that others may hold."""
    if channel == ChannelName.VOICE or case.contact_rule == "never_first":
        return Fate.LEAVE
    return Fate.HOLD if case.resting or case.forced or case.contact_rule == "when_i_write" else Fate.SEND


def is_stricter(rule: str, than: str) -> bool:
    """True when a rule gives away no more than another one: whoever merely holds the phone may not loosen it."""
    return _STRICTNESS[rule] >= _STRICTNESS[than]


_STRICTNESS = {"": 0, "neutral": 1, "hours": 1, "when_i_write": 2, "never_first": 3}


def staff_answer(house: House, case: Case, text: str) -> Answer:
    """Staff's words as they leave: in the person's language, and as the neutral twin where that is wanted now."""
    language = case.language if case.language in house.line.languages else house.line.default_language
    mode = Mode.DISCREET if case.discreet or case.contact_rule == "neutral" else Mode.PLAIN
    words = house.phrases.text("staff.answer", language, mode, {**house.facts.values, "text": text})
    return Answer(text=words, language=language, expect=Expect.NOTHING)


def next_moment(case: Case, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The next moment within the case's "08-12" on the line's clock; None when that is now, or none were chosen.

    "20-06" goes over midnight.
    """
    if not case.contact_hours:
        return None
    begin, end = (int(hour) for hour in case.contact_hours.split("-"))
    local = now.astimezone(zone)
    if begin <= local.hour < end or (end <= begin and (local.hour >= begin or local.hour < end)):
        return None
    day = local.date() if local.hour < begin else local.date() + timedelta(days=1)
    return datetime.combine(day, time(begin), tzinfo=zone)


async def later(unit: Unit, parcel: uuid.UUID, at: datetime | None = None, *, released: str = "") -> None:
    """Deliver it then, or now; `released`: the person has just written."""
    await unit.jobs.later("deliver", at=at, parcel=str(parcel), released=released)


async def leave(unit: Unit, parcel: Parcel) -> OutboxState:
    """Words that may not be sent wait under the person's code, once; without a code they are held until there is one.

    They may have been written when another rule held, or before there was a code.
    """
    left = parcel.answer.get("left") or (
        parcel.case_id is not None and await unit.codes.leave(parcel.case_id, parcel.answer["words"])
    )
    state = OutboxState.LEFT if left else OutboxState.HELD
    await unit.outbox.set(parcel.id, state)
    return state
