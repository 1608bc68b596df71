"""The command line: help that shows an example, one sentence for every failure, and the right exit status."""

import io
import json
import logging
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import COMMANDS, main, parser
from tests.house import ROOT
from tests.houses import LINE
from vault.keys import init_key_ring

PASSPHRASE = "seven quiet lanterns by the harbour"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a key ring and a line."""
    init_key_ring(tmp_path / "keyring")
    (tmp_path / "line.yml").write_text(LINE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run a command in this process: exit status, standard output, standard error."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers, root.level
    monkeypatch.setenv("HARBORLINE_HOME", str(home))
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nothing")

    def runs(*arguments: str, types: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(types))
        try:
            status = main(arguments)
        except SystemExit as over:  # argparse ends the program itself
            status = int(over.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    yield runs
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    sys.excepthook = hook


@pytest.fixture
def on(run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same with a database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return run


def is_one_sentence(text: str) -> bool:
    """One line that ends like a sentence."""
    return text.count("\n") == 1 and text.endswith(".\n") and "Traceback" not in text


# Help and usage ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_says_what_it_does_and_shows_an_example(run: Run, name: str) -> None:
    status, out, _ = run(name, "--help")
    text = " ".join(out.split())
    assert status == 0
    assert f"Example: {COMMANDS[name].example}" in text
    assert COMMANDS[name].does.capitalize() in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_command_that_is_understood(name: str) -> None:
    program, *arguments = COMMANDS[name].example.split()
    assert program == "harborline"
    assert parser().parse_args(arguments).command == name


@pytest.mark.parametrize(
    "arguments",
    [(), ("dance",), ("keys",), ("keys", "burn"), ("serve", "--workers", "many"), ("rota", "add", "x", "-y")],
)
def test_wrong_usage_ends_with_status_2(run: Run, arguments: tuple[str, ...]) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert "usage: harborline" in err


def test_the_program_can_be_started_as_it_is_installed() -> None:
    done = subprocess.run([sys.executable, "-m", "bot", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in COMMANDS)


# Failures ---------------------------------------------------------------------------------------------------------


def test_wrong_settings_are_all_told_and_end_with_status_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_PORT", "canary")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    status, out, err = run("keys", "show")
    assert (status, out) == (2, "")
    assert [line.split(" ", 1)[0] for line in err.splitlines()] == ["PUBLIC_PORT", "LOG_LEVEL"]
    assert "canary" not in err


@pytest.mark.parametrize("arguments", [("keys", "show"), ("staff", "list"), ("rota", "show"), ("audit", "verify")])
def test_without_a_key_ring_a_command_says_how_to_get_one(run: Run, home: Path, arguments: tuple[str, ...]) -> None:
    (home / "keyring" / "salt").unlink()
    status, _, err = run(*arguments)
    assert status == 2
    assert is_one_sentence(err)
    assert "harborline keys init" in err


@pytest.mark.parametrize("arguments", [("staff", "list"), ("rota", "show"), ("audit", "export"), ("serve",)])
def test_a_database_that_is_away_is_one_sentence_and_status_1(run: Run, arguments: tuple[str, ...]) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (1, "")
    assert err == "The database cannot be reached: start it, or correct DATABASE_URL.\n"


@pytest.mark.parametrize(
    "text", ["", "{}", '{"key": "zz", "lines": []}', '{"key": "00", "lines": [{"number": 1}]}', "[]"]
)
def test_a_file_that_is_no_export_is_refused(run: Run, home: Path, text: str) -> None:
    (home / "export.json").write_text(text)
    status, _, err = run("audit", "verify", str(home / "export.json"))
    assert status == 2
    assert is_one_sentence(err)


def test_a_file_that_is_not_there_is_refused(run: Run, home: Path) -> None:
    for arguments in (("audit", "verify", str(home / "nowhere")), ("evaluate", str(home / "nowhere"))):
        status, _, err = run(*arguments)
        assert (status, is_one_sentence(err)) == (2, True), err


# Keys, staff, rota, audit -------------------------------------------------------------------------------------------


def test_the_key_ring_is_made_and_shown_without_a_key(run: Run, home: Path) -> None:
    status, out, _ = run("keys", "init")
    assert status == 0
    assert "Epoch 1 began 0 days ago" in out
    assert "is the current one" in run("keys", "show")[1]
    ring = init_key_ring(home / "keyring")
    assert all(key.hex() not in out for key in (ring.service, ring.audit, ring.salt, *ring.epochs.values()))


def test_staff_are_enrolled_and_listed_and_nobody_lets_themselves_in(on: Run) -> None:
    status, out, err = on("staff", "add", "rosa", "--role", "supervisor", types=f"{PASSPHRASE}\n")
    assert (status, err) == (0, "")
    assert "rosa is enrolled" in out
    assert PASSPHRASE not in out
    assert on("staff", "list")[1] == "rosa\tsupervisor\n"
    status, _, err = on("staff", "add", "mallory", types=f"{PASSPHRASE}\n")
    assert (status, is_one_sentence(err)) == (2, True)
    status, _, err = on("staff", "add", "mallory", "--by", "rosa", types="wrong\n000000\n")
    assert (status, err) == (1, "The name, the passphrase or the code is not right.\n")
    assert on("staff", "list")[1] == "rosa\tsupervisor\n"


def test_a_short_passphrase_and_a_missing_name_are_refused(on: Run) -> None:
    for arguments, typed in ((("staff", "add", "rosa"), "elevenchars\n"), (("staff", "add"), "")):
        status, out, err = on(*arguments, types=typed)
        assert (status, out, is_one_sentence(err)) == (2, "", True)
        assert "elevenchars" not in err
    assert on("staff", "list")[1] == ""


def test_responders_are_added_shown_without_their_numbers_and_removed(on: Run) -> None:
    status, out, _ = on("rota", "add", "Amina", "--languages", "es,en", "--sms", "+12025550141", "--telegram", "9001")
    assert (status, out) == (0, "Amina can be paged from now on.\n")
    assert on("rota", "show")[1].splitlines()[0] == "Amina\tes,en\ttelegram, sms"
    status, _, err = on("rota", "add", "amina", "--sms", "+12025550142")
    assert (status, is_one_sentence(err)) == (1, True)
    assert on("rota", "remove", "AMINA")[0] == 0
    status, _, err = on("rota", "remove", "amina")
    assert (status, is_one_sentence(err)) == (1, True)
    assert "Nobody can be paged yet" in on("rota", "show")[1]


@pytest.mark.parametrize(
    "contact",
    [(), ("--sms", "12025550141"), ("--sms", "+1202555canary"), ("--voice", "+1"), ("--telegram", "@amina"),
     ("--sms", "+" + "1" * 16)],
)  # fmt: skip
def test_a_contact_that_cannot_work_is_refused_and_not_repeated(on: Run, contact: tuple[str, ...]) -> None:
    status, _, err = on("rota", "add", "Amina", *contact)
    assert (status, is_one_sentence(err)) == (2, True)
    assert not any(part in err for part in contact if part[0] != "-")
    assert "Nobody can be paged yet" in on("rota", "show")[1]


def test_a_responder_is_changed_in_hours_skills_languages_and_the_order_of_two_numbers(on: Run) -> None:
    on("rota", "add", "Amina", "--languages", "es", "--sms", "+12025550141", "--voice", "+12025550141")
    status, out, err = on(
        *("rota", "change", "amina", "--voice", "+12025550142", "--voice", "+12025550143"),
        *("--order", "voice-2,sms,voice", "--hours", "mon-fri 08:00-20:00", "--zone", "Asia/Kathmandu"),
        *("--skills", "minors,medical", "--coordinator", "yes", "--languages", "ar,en"),
    )
    assert (status, out, err) == (0, "Amina is changed.\n", "")
    more = ("hours mon-fri 08:00-20:00 Asia/Kathmandu", "skills minors,medical", "coordinator")
    assert on("rota", "show")[1].splitlines()[0].split("\t") == ["Amina", "ar,en", "voice, sms, voice-2", *more]
    on("rota", "change", "Amina", "--hours", "-", "--skills", "-", "--coordinator", "no", "--zone", "-")
    shown = on("rota", "show")[1]
    assert shown.splitlines()[0] == "Amina\tar,en\tvoice, sms, voice-2"
    assert "20255501" not in shown


@pytest.mark.parametrize(
    "wrong",
    [("--hours", "nine to five"), ("--zone", "Mars/Olympus"), ("--order", "pigeon"), ("--sms", "+12025550141") * 2],
)  # fmt: skip
def test_a_change_that_cannot_be_is_refused_in_one_sentence(on: Run, wrong: tuple[str, ...]) -> None:
    on("rota", "add", "Amina", "--voice", "+12025550141")
    status, _, err = on("rota", "change", "Amina", *wrong)
    assert (status, is_one_sentence(err)) == (2, True)
    assert on("rota", "show")[1].splitlines()[0] == "Amina\t\tvoice"


def test_a_swap_is_noted_shown_and_taken_back(on: Run) -> None:
    for name in ("Amina", "Bilal"):
        on("rota", "add", name, "--sms", "+12025550141")
    begin, end = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d} 18:00" for days in (1, 2))
    status, out, _ = on("rota", "override", "Bilal", "--replaces", "Amina", "--from", begin, "--until", end)
    assert status == 0
    swap = out.split()[-1]
    shown = on("rota", "show")[1]
    assert f"swap {swap}: Bilal instead of Amina, {begin} to {end}" in shown
    assert on("rota", "undo", swap)[0] == 0
    assert "instead of" not in on("rota", "show")[1]
    assert on("rota", "undo", swap)[0] == 1
    for wrong in (("--from", "soon", "--until", end), ("--from", end, "--until", begin)):
        status, _, err = on("rota", "override", "Bilal", *wrong)
        assert (status, is_one_sentence(err)) == (2, True)


def test_a_calendar_is_imported_drawn_and_taken_away_and_a_broken_one_changes_nothing(on: Run, home: Path) -> None:
    on("rota", "add", "Amina", "--sms", "+12025550141")
    day = f"{datetime.now(UTC) + timedelta(days=1):%Y%m%d}"
    event = f"SUMMARY:Amina\r\nDTSTART:{day}T200000Z\r\nDURATION:PT12H\r\nRRULE:FREQ=DAILY;COUNT=3\r\n"
    file = home / "nights.ics"
    file.write_bytes(f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{event}END:VEVENT\r\nEND:VCALENDAR\r\n".encode())
    status, out, err = on("rota", "import", str(file), "--calendar", "nights")
    assert (status, err) == (0, "")
    assert out.startswith("3 shifts are planned, the last until ")
    shown = on("rota", "show")[1]
    assert "nights" in shown
    assert "NOBODY" in shown
    assert "36 h" in shown
    assert "look  Nobody is on duty from " in shown
    file.write_bytes(file.read_bytes().replace(b"SUMMARY:Amina", b"SUMMARY:Canary"))
    status, _, err = on("rota", "import", str(file), "--calendar", "nights")
    assert status == 2
    assert "line 2: this event names nobody" in err
    assert "Canary" not in err
    assert "36 h" in on("rota", "show")[1]
    assert on("rota", "undo", "nights")[0] == 0
    assert "nights" not in on("rota", "show")[1]


def test_a_calendar_address_is_printed_once_and_taken_back(on: Run) -> None:
    on("rota", "add", "Amina", "--sms", "+12025550141")
    status, out, _ = on("rota", "feed", "Amina")
    assert status == 0
    assert re.search(r"/calendar/[A-Za-z0-9_-]{43}\.ics\n", out)
    assert "has a calendar address" in on("rota", "show")[1]
    assert on("rota", "unfeed", "Amina")[0] == 0
    assert on("rota", "unfeed", "Amina")[0] == 1


def test_every_further_example_of_a_command_is_understood() -> None:
    for command in COMMANDS.values():
        for example in command.more:
            program, *arguments = shlex.split(example)
            assert program == "harborline"
            parser().parse_args(arguments)


def test_the_trail_is_exported_and_verified_offline_and_a_change_is_found(
    on: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Amina", "Bilal"):
        on("rota", "add", name, "--sms", "+12025550141")
    assert on("audit", "verify")[1].startswith("All 2 lines fit")
    _, exported, _ = on("audit", "export")
    file = home / "export.json"
    file.write_text(exported)
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nothing")  # an outsider has no database
    status, out, _ = on("audit", "verify", str(file))
    assert status == 0
    assert out.startswith("All 2 lines fit, and are signed by ")
    export = json.loads(exported)
    export["lines"][1]["action"] = "responder.removed"
    file.write_text(json.dumps(export))
    status, out, err = on("audit", "verify", str(file))
    assert (status, out) == (1, "")
    assert is_one_sentence(err)
    assert "line 2" in err
