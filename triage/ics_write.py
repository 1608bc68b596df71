"""A responder's shifts as iCalendar (RFC 5545), for the calendar on their phone. Pure.

It says from when until when, and one ordinary word. Never a name, a colleague, a case, a level or the line: whoever
holds the phone may read it. The same shifts give the same bytes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from triage.week import Bar

_OCTETS: Final = 75  # of a line, without its end


def write_calendar(bars: Sequence[Bar], *, word: str, key: bytes, stamp: datetime) -> bytes:
    """The file. `word` names every shift; `key` makes ids that stay and say nothing."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Calendar//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_text(word)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ]
    for bar in bars:
        lines += _event(bar, word, key, stamp)
    lines.append("END:VCALENDAR")
    return b"".join(folded + b"\r\n" for line in lines for folded in _folded(line))


def tag(body: bytes) -> str:
    """An entity tag, without its quotes."""
    return hashlib.sha256(body).hexdigest()[:32]


def _event(bar: Bar, word: str, key: bytes, stamp: datetime) -> list[str]:
    uid = hashlib.sha256(key + _time(bar.start).encode()).hexdigest()[:32]
    return [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{_time(stamp)}",
        f"DTSTART:{_time(bar.start)}",
        f"DTEND:{_time(bar.end)}",
        f"SUMMARY:{_text(word)}",
        "TRANSP:TRANSPARENT",
        "CLASS:PRIVATE",
        "END:VEVENT",
    ]


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return " ".join(escaped.splitlines())


def _folded(line: str) -> Iterator[bytes]:
    """Pieces of at most 75 octets, none cut within a letter; every further one begins with a space."""
    piece = b""
    for letter in line:
        octets = letter.encode()
        if len(piece) + len(octets) > _OCTETS:
            yield piece
            piece = b" "
        piece += octets
    yield piece
