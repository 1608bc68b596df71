"""Recordings that were played on a call, kept so that the phones page can play them from its own origin."""

import io
import wave
from dataclasses import dataclass, field

KEPT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One recording as it was fetched."""

    content_type: str
    content: bytes = field(repr=False)

    @property
    def seconds(self) -> float:
        """How long it plays: exactly for WAV, by a guess of 32 kbit/s for anything else."""
        try:
            with wave.open(io.BytesIO(self.content)) as record:
                return float(record.getnframes() / record.getframerate())
        except (wave.Error, EOFError):
            return len(self.content) / 4000


class Sounds:
    """The newest recordings by their number."""

    def __init__(self) -> None:
        self._kept: dict[int, Sound] = {}
        self._last = 0

    def keep(self, sound: Sound) -> str:
        """Keep it; the path under which the phones page finds it."""
        self._last += 1
        self._kept[self._last] = sound
        self._kept.pop(self._last - KEPT, None)
        return f"/phones/sounds/{self._last}"

    def get(self, number: int) -> Sound | None:
        """A recording, or None when it is gone."""
        return self._kept.get(number)
