"""Structured events with allow-listed keys only: the one place that writes a log.

A value is an id, a state, a number or a fixed word. A key that is not on the list raises, so that words, numbers,
addresses and tokens cannot get in by accident; a test looks at every call. Other libraries' loggers, Python's
warnings and errors that nobody catches are cut down to name and place: their texts may quote what they were given.
"""

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import Final, TextIO

KEYS: Final = frozenset(
    {
        "alert",
        "attempt",
        "case",
        "channel",
        "code",  # a provider's error number
        "copy",
        "count",
        "engine",
        "error",  # the name of an exception class
        "file",
        "job",
        "kind",
        "level",
        "line",
        "method",
        "milliseconds",
        "page",
        "port",
        "process",
        "reason",
        "responder",
        "seconds",
        "state",
        "task",
        "where",
    }
)
_LEVELS: Final = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}


class ForbiddenKey(Exception):
    """A log event used a key that is not on the list in bot/logs.py."""


class Log:
    """Writes one JSON object a line to a stream."""

    def __init__(self, level: str = "INFO", stream: TextIO | None = None) -> None:
        self._least = _LEVELS[level]
        self._stream = stream or sys.stderr

    def debug(self, event: str, **values: object) -> None:
        """Something worth knowing when looking for a fault."""
        self._write("DEBUG", event, values)

    def info(self, event: str, **values: object) -> None:
        """Something that happened."""
        self._write("INFO", event, values)

    def warning(self, event: str, **values: object) -> None:
        """Something that the operator should know."""
        self._write("WARNING", event, values)

    def error(self, event: str, **values: object) -> None:
        """Something that needs a human."""
        self._write("ERROR", event, values)

    def failure(self, event: str, error: BaseException, **values: object) -> None:
        """An exception: its class and where it was raised, never its text."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
        self._write("ERROR", event, {"error": type(error).__name__, "where": where, **values})

    def _write(self, level: str, event: str, values: dict[str, object]) -> None:
        if forbidden := set(values) - KEYS:
            raise ForbiddenKey(", ".join(sorted(forbidden)))
        if _LEVELS[level] < self._least:
            return
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "level_name": level, "event": event}
        plain = {k: v if isinstance(v, int | float | None) else str(v) for k, v in values.items()}
        self._stream.write(json.dumps(line | plain, ensure_ascii=True) + "\n")
        self._stream.flush()


class _NameOnly(logging.Handler):
    """Turns a library's log record into an event that says which library and how bad, and nothing else."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        kind = record.name.split(".")[0]
        if error is not None:
            self._log.failure("library.failure", error, kind=kind)
        elif record.levelno >= logging.ERROR:
            self._log.error("library.error", kind=kind, line=record.lineno)
        else:
            self._log.warning("library.warning", kind=kind, line=record.lineno)


def quiet_libraries(log: Log) -> None:
    """From now on every library logs and warns through `_NameOnly`, and no traceback shows an error's text."""
    root = logging.getLogger()
    root.handlers = [_NameOnly(log)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = lambda _, error, __: log.failure("process.failed", error)
    # Python itself would print these with their text: what is raised where nobody can catch it, and what ends a thread.
    sys.unraisablehook = lambda lost: log.failure("process.lost_failure", lost.exc_value or lost.exc_type())
    threading.excepthook = lambda lost: log.failure("process.thread_failed", lost.exc_value or lost.exc_type())
