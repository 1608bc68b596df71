"""`harborline staff`: everything a supervisor and an operator do about members, typed as people type it."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pyotp
import pytest

from bot.cli import main
from tests.staffed import CHEAP_EFFORT
from vault.keys import init_key_ring

PASSPHRASE = "seven quiet lanterns by the harbour"
Run = Callable[..., tuple[int, str, str]]


class Desk:
    """A machine with a line on it, and what its people know."""

    def __init__(self, run: Run, url: str) -> None:
        self.run = run
        self.url = url
        self.seeds: dict[str, str] = {}

    def founded(self) -> "Desk":
        """Rosa is the first member."""
        status, out, _ = self.run("add", "rosa", types=f"{PASSPHRASE}\n")
        assert status == 0
        self.seeds["rosa"] = out.split()[-1]
        return self

    def factors(self, name: str = "rosa", passphrase: str = PASSPHRASE) -> str:
        """What a member types. A code works once: the database is told that none was used yet."""
        with psycopg.connect(self.url) as connection:
            connection.execute("UPDATE members SET totp_step = 0")
        return f"{passphrase}\n{pyotp.TOTP(self.seeds[name]).at(datetime.now(UTC))}\n"

    def by_rosa(self, *arguments: str, types: str = "") -> tuple[int, str, str]:
        """An action that Rosa confirms."""
        return self.run(*arguments, "--by", "rosa", types=self.factors() + types)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Ask the database itself."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def desk(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    """A line nobody works at yet."""
    init_key_ring(tmp_path / "keyring")
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers, root.level
    monkeypatch.setenv("HARBORLINE_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setattr("vault.credentials.PASSPHRASE_EFFORT", CHEAP_EFFORT)

    def run(*arguments: str, types: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(types))
        status = main(["staff", *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    yield Desk(run, database_url)
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.fixture
def rosa(desk: Desk) -> Desk:
    """A line at which Rosa works."""
    return desk.founded()


def one_time(out: str) -> str:
    """The passphrase that was handed out."""
    return out.splitlines()[0].rsplit(" ", 1)[1]


def test_a_member_is_invited_and_the_one_time_passphrase_is_said_once(rosa: Desk) -> None:
    status, out, err = rosa.by_rosa("invite", "omar", "--role", "supervisor")
    assert (status, err) == (0, "")
    assert len(one_time(out)) == 24
    assert rosa.run("list")[1] == "omar\tsupervisor\tinvited\nrosa\tsupervisor\n"
    assert one_time(out) not in rosa.run("list")[1]


@pytest.mark.parametrize("action", ["invite", "reset", "remove", "role", "rotate", "regrant", "recovery-print"])
def test_whoever_decides_about_others_proves_who_they_are(rosa: Desk, action: str) -> None:
    before = rosa.rows("SELECT m::text FROM members m")
    status, out, err = rosa.run(action, "omar")
    assert (status, out) == (2, "")
    assert "--by NAME" in err
    status, out, err = rosa.run(action, "omar", "--by", "rosa", types="wrong\n000000\n")
    assert (status, out) == (1, "")
    assert err == "The name, the passphrase or the code is not right.\n"
    assert [row[0] for row in rosa.rows("SELECT count(*) FROM members")] == [len(before)]


@pytest.mark.parametrize("action", ["add", "invite", "passphrase", "reset", "remove", "role", "recover"])
def test_an_action_about_somebody_needs_a_name(desk: Desk, action: str) -> None:
    status, out, err = desk.run(action)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"harborline staff {action} NAME" in err


def test_somebody_added_in_person_and_then_only_a_reviewer_lets_nobody_in(rosa: Desk) -> None:
    status, out, _ = rosa.by_rosa("add", "omar", types="another long passphrase\n")
    assert status == 0
    rosa.seeds["omar"] = out.split()[-1]
    typed = rosa.factors("omar", "another long passphrase")
    status, _, err = rosa.run("invite", "friend", "--by", "omar", types=typed)
    assert (status, err.startswith("Only a supervisor may do this")) == (1, True)


def test_a_member_changes_their_passphrase(rosa: Desk) -> None:
    new = "quite another passphrase"
    status, out, _ = rosa.run("passphrase", "rosa", types=rosa.factors() + f"{new}\n{new}\n")
    assert (status, PASSPHRASE in out, new in out) == (0, False, False)
    assert rosa.rows("SELECT * FROM sessions") == []
    assert rosa.by_rosa("rotate")[0] == 1, "the old passphrase"
    assert rosa.run("rotate", "--by", "rosa", types=rosa.factors(passphrase=new))[0] == 0


@pytest.mark.parametrize("typed", ["quite another passphrase\nand another\n", "short\nshort\n"])
def test_a_new_passphrase_that_is_short_or_typed_wrong_changes_nothing(rosa: Desk, typed: str) -> None:
    before = rosa.rows("SELECT public_key FROM members")
    status, out, err = rosa.run("passphrase", "rosa", types=rosa.factors() + typed)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert rosa.rows("SELECT public_key FROM members") == before


def test_a_member_is_let_in_again_and_taken_out(rosa: Desk) -> None:
    rosa.by_rosa("add", "omar", types="another long passphrase\n")
    status, out, _ = rosa.by_rosa("reset", "Omar")
    assert (status, len(one_time(out))) == (0, 24)
    assert "omar\treviewer\tinvited" in rosa.run("list")[1]
    status, out, _ = rosa.by_rosa("remove", "omar")
    assert (status, out.splitlines()[-1]) == (0, "Every case is under the team's present key.")
    assert rosa.run("list")[1] == "rosa\tsupervisor\n"
    assert rosa.by_rosa("remove", "omar")[0] == 1
    actions = [action for (action,) in rosa.rows("SELECT action FROM audit ORDER BY number")]
    assert actions == [
        "member.enrolled",
        "member.enrolled",
        "member.reset",
        "member.removed",
        "team.rotated",
        "team.regranted",
    ]


def test_the_last_supervisor_stays_one(rosa: Desk) -> None:
    status, _, err = rosa.by_rosa("role", "rosa", "--role", "reviewer")
    assert (status, "last supervisor" in err) == (1, True)
    rosa.by_rosa("add", "omar", types="another long passphrase\n")
    assert rosa.by_rosa("role", "omar", "--role", "supervisor")[0] == 0
    assert rosa.by_rosa("role", "rosa", "--role", "reviewer")[0] == 0


# Paper ------------------------------------------------------------------------------------------------------------


def sheets(out: str) -> list[list[str]]:
    """The lines of both sheets, as somebody reads them off the paper."""
    return [
        [line[5:] for line in page.splitlines() if line[:5].strip().isdecimal() and line.startswith("  ")]
        for page in out.split("\f")
    ]


def typed(pages: list[list[str]]) -> str:
    return "\n".join(line for page in pages for line in page) + "\n"


def test_both_sheets_let_somebody_in_when_nobody_else_can(rosa: Desk) -> None:
    status, out, err = rosa.by_rosa("recovery-print")
    assert (status, out.count("\f")) == (0, 1)
    assert "two places" in err
    pages = sheets(out)
    assert [len(page) for page in pages] == [4, 4]
    status, out, err = rosa.run("recover", "rosa", types=typed(pages[::-1]))
    assert (status, err) == (0, "")
    assert len(one_time(out)) == 24
    assert rosa.run("list")[1] == "rosa\tsupervisor\tinvited\n"
    assert rosa.rows("SELECT actor FROM audit WHERE action = 'member.recovered'") == [("recovery",)]


def test_a_typing_error_is_named_by_sheet_and_line(rosa: Desk) -> None:
    pages = sheets(rosa.by_rosa("recovery-print")[1])
    first = pages[1][2][0]
    pages[1][2] = ("0" if first != "0" else "1") + pages[1][2][1:]
    status, out, err = rosa.run("recover", "rosa", types=typed(pages))
    assert (status, out) == (2, "")
    assert err.startswith("Line 3 of sheet 2 is not right")
    assert rosa.run("list")[1] == "rosa\tsupervisor\n"


def test_one_sheet_twice_and_worn_out_sheets_let_nobody_in(rosa: Desk) -> None:
    old = sheets(rosa.by_rosa("recovery-print")[1])
    status, _, err = rosa.run("recover", "rosa", types=typed([old[0], old[0]]))
    assert (status, "not one pair" in err) == (2, True)
    new = sheets(rosa.by_rosa("recovery-print")[1])
    status, _, err = rosa.run("recover", "rosa", types=typed(old))
    assert (status, "newer ones were printed" in err) == (1, True)
    assert rosa.run("recover", "rosa", types=typed(new))[0] == 0


def test_no_secret_of_the_sheets_is_on_standard_error_or_in_the_database(rosa: Desk) -> None:
    _, out, err = rosa.by_rosa("recovery-print")
    for page in sheets(out):
        for line in page:
            assert line not in err
            for (row,) in rosa.rows("SELECT r::text FROM recoveries r"):
                assert line.replace(" ", "") not in str(row)
