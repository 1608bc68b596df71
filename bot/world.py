"""The clock and the dice, passed in wherever they are needed, so that a test can hold them still."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is not ours to decide: the time (UTC), fresh ids, and dice (`dice(n)` is a number below n)."""

    now: Callable[[], datetime] = _now
    new_id: Callable[[], uuid.UUID] = uuid.uuid4
    dice: Callable[[int], int] = secrets.randbelow
