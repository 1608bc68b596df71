"""What went wrong, for the person in front of the screen: what happened, what was kept, what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What was typed, so that it can be sent again: nobody writes a careful answer twice."""

    action: str
    fields: Mapping[str, str] = field(repr=False, default_factory=dict)
    button: str = "Try again"


class Refused(Exception):
    """A request that is answered with a calm page. Raised inside a unit it also undoes everything in it.

    `happened`, `kept` and `next` are sentences; `reason` is a fixed word for the counter; `back` a link, and its words.
    """

    def __init__(
        self,
        status: int,
        happened: str,
        *,
        kept: str = "Nothing was changed.",
        next: str,  # noqa: A002 - reads as it is meant: what to do next
        reason: str = "",
        back: tuple[str, str] = ("/queue", "Go to the queue"),
        again: Again | None = None,
    ) -> None:
        super().__init__(reason or str(status))
        self.status = status
        self.happened = happened
        self.kept = kept
        self.next = next
        self.reason = reason
        self.back = back
        self.again = again
