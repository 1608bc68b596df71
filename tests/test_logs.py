"""The log: events with allow-listed keys, and nothing that anybody said, neither from us nor from a library."""

import ast
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from io import StringIO

import pytest

from bot.logs import KEYS, ForbiddenKey, Log, quiet_libraries
from tests.house import ROOT, sources

CANARY = "canary words +15550100777"
METHODS = {"debug", "info", "warning", "error", "failure"}


@pytest.fixture
def written() -> StringIO:
    """What was written."""
    return StringIO()


@pytest.fixture
def libraries() -> Iterator[None]:
    """Libraries' logging, put back as it was."""
    root, hook, lost, thread = logging.getLogger(), sys.excepthook, sys.unraisablehook, threading.excepthook
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    sys.excepthook, sys.unraisablehook, threading.excepthook = hook, lost, thread


def lines(written: StringIO) -> list[dict[str, object]]:
    """The events."""
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(written: StringIO) -> None:
    Log(stream=written).info("page.sent", page="7", milliseconds=12.5, code=None, count=3)
    (line,) = lines(written)
    assert str(line.pop("at")).endswith("+00:00")
    assert line == {
        "level_name": "INFO", "event": "page.sent", "page": "7", "milliseconds": 12.5, "code": None, "count": 3,
    }  # fmt: skip


def test_a_value_cannot_break_out_of_its_line(written: StringIO) -> None:
    Log(stream=written).info("page.sent", page='7"}\n{"event": "forged')
    assert len(lines(written)) == 1


@pytest.mark.parametrize("key", ["text", "words", "number", "address", "token", "body", "name", "value", "url"])
@pytest.mark.parametrize("method", sorted(METHODS - {"failure"}))
def test_a_key_that_is_not_on_the_list_is_refused_and_writes_nothing(written: StringIO, method: str, key: str) -> None:
    with pytest.raises(ForbiddenKey) as refused:
        getattr(Log("DEBUG", written), method)("turn.kept", **{key: CANARY})
    assert CANARY not in str(refused.value)
    assert written.getvalue() == ""


def test_a_forbidden_key_is_refused_below_the_level_that_is_written_too(written: StringIO) -> None:
    with pytest.raises(ForbiddenKey):
        Log("ERROR", written).debug("turn.kept", text=CANARY)


@pytest.mark.parametrize(
    ("level", "expected"),
    [("DEBUG", "dbug info warn errr"), ("INFO", "info warn errr"), ("WARNING", "warn errr"), ("ERROR", "errr")],
)
def test_only_events_of_the_level_and_above_are_written(written: StringIO, level: str, expected: str) -> None:
    log = Log(level, written)
    for method, event in ((log.debug, "dbug"), (log.info, "info"), (log.warning, "warn"), (log.error, "errr")):
        method(event)
    assert " ".join(str(line["event"]) for line in lines(written)) == expected


def test_an_exception_leaves_its_class_and_place_and_never_its_text(written: StringIO) -> None:
    try:
        int(CANARY)
    except ValueError as error:
        Log(stream=written).failure("turn.failed", error, channel="sms")
    Log(stream=written).failure("turn.failed", ValueError(CANARY))
    raised, never_raised = lines(written)
    assert (raised["error"], raised["channel"]) == ("ValueError", "sms")
    assert str(raised["where"]).startswith("test_logs.py:")
    assert never_raised["where"] == ""
    assert "canary" not in written.getvalue()


# Libraries --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("libraries")
def test_a_library_s_warning_loses_its_text_and_keeps_its_name(written: StringIO) -> None:
    quiet_libraries(Log(stream=written))
    logger = logging.getLogger("aiohttp.server.canary")
    logger.info(CANARY)
    logger.warning("%s", CANARY, extra={"address": CANARY})
    logger.error(CANARY, stack_info=True)
    assert [(line["event"], line["kind"]) for line in lines(written)] == [
        ("library.warning", "aiohttp"),
        ("library.error", "aiohttp"),
    ]
    assert "canary" not in written.getvalue()


@pytest.mark.usefixtures("libraries")
def test_a_library_s_exception_loses_its_text_and_that_of_its_causes(written: StringIO) -> None:
    quiet_libraries(Log(stream=written))
    try:
        try:
            "".index(CANARY)
        except ValueError:
            int(CANARY)
    except ValueError:
        logging.getLogger("procrastinate").exception(CANARY)
    (line,) = lines(written)
    assert (line["event"], line["error"], line["kind"]) == ("library.failure", "ValueError", "procrastinate")
    assert "canary" not in written.getvalue()


@pytest.mark.usefixtures("libraries")
def test_handlers_that_were_there_before_are_gone(written: StringIO) -> None:
    before = StringIO()
    logging.getLogger().addHandler(logging.StreamHandler(before))
    quiet_libraries(Log(stream=written))
    logging.getLogger("twilio.http_client").error(CANARY)
    assert before.getvalue() == ""


@pytest.mark.usefixtures("libraries")
def test_a_warning_of_python_loses_its_text(written: StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        quiet_libraries(Log(stream=written))
        warnings.warn(CANARY, RuntimeWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert [(line["event"], line["kind"]) for line in lines(written)] == [("library.warning", "py")]
    assert "canary" not in written.getvalue() + capsys.readouterr().err


def test_the_error_that_ends_a_process_leaves_its_class_and_place_and_never_its_text() -> None:
    program = f"from bot.logs import Log, quiet_libraries\nquiet_libraries(Log())\nint({CANARY!r})"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "canary" not in done.stdout + done.stderr
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (line["event"], line["error"], line["where"]) == ("process.failed", "ValueError", "<string>:3")


@pytest.mark.parametrize(
    ("program", "event"),
    [
        (
            "class Dying:\n    def __del__(self): raise ValueError(words)\nDying()",
            "process.lost_failure",
        ),
        (
            "import threading\nt = threading.Thread(target=lambda: int(words))\nt.start(); t.join()",
            "process.thread_failed",
        ),
    ],
)
def test_an_error_that_nobody_can_catch_leaves_its_class_and_never_its_text(program: str, event: str) -> None:
    start = f"from bot.logs import Log, quiet_libraries\nquiet_libraries(Log())\nwords = {CANARY!r}\n"
    done = subprocess.run([sys.executable, "-c", start + program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "canary" not in done.stdout + done.stderr
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (line["event"], line["error"]) == (event, "ValueError")


# Every call -------------------------------------------------------------------------------------------------------


def calls(room: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a log in a room, with its place."""
    for source in sources(room):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                owner = ast.unparse(node.func.value).split(".")[-1]
                if owner in {"log", "_log"}:
                    yield f"{source.path}:{node.lineno}", node


def test_every_call_of_the_log_uses_fixed_events_and_listed_keys() -> None:
    found = list(calls("bot"))
    assert len(found) > 10
    for place, call in found:
        assert isinstance(call.args[0], ast.Constant), f"{place}: an event is a fixed word"
        assert {keyword.arg for keyword in call.keywords} <= KEYS, place
        positional = 2 if isinstance(call.func, ast.Attribute) and call.func.attr == "failure" else 1
        assert len(call.args) == positional, place
