"""Which lane each way of a picture runs in, so that no two share one where both pass. Pure geometry."""

from collections.abc import Sequence
from dataclasses import dataclass

_APART = 8.0  # units that two ways in one lane keep between them


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All ways to one target: from the heights `ports` into its `door`, in the lane with this number from 0."""

    target: str
    door: float
    ports: tuple[float, ...]
    lane: int

    @property
    def ends(self) -> tuple[float, float]:
        """The highest and the lowest point."""
        return min(self.door, *self.ports), max(self.door, *self.ports)


def assign(wanted: Sequence[tuple[str, float, tuple[float, ...]]]) -> tuple[Run, ...]:
    """Lanes for (target, door, ports), the shortest innermost; in the order given."""
    runs = [Run(target=target, door=door, ports=ports, lane=0) for target, door, ports in wanted]
    placed: dict[str, Run] = {}
    for run in sorted(runs, key=lambda each: (each.ends[1] - each.ends[0], each.ends)):
        taken = {other.lane for other in placed.values() if _meet(run, other)}
        lane = next(number for number in range(len(runs)) if number not in taken)
        placed[run.target] = Run(target=run.target, door=run.door, ports=run.ports, lane=lane)
    return tuple(placed[run.target] for run in runs)


def _meet(one: Run, other: Run) -> bool:
    return one.ends[0] < other.ends[1] + _APART and other.ends[0] < one.ends[1] + _APART
