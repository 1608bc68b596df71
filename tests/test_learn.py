"""`harborline learn`: a report turned into an example, redacted, agreed to, compared, and only then kept."""

import asyncio
import io
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pyotp
import pytest
from numpy.typing import NDArray

from bot.cli import main
from bot.learn import telling
from tests.staffed import CHEAP_EFFORT, say
from understanding.child import DIMENSION
from understanding.examples import Example, Words, all_words
from understanding.meaning import Intent
from understanding.surface import Patterns
from understanding.training.build import PENALTY, gram
from understanding.training.learning import difference
from understanding.training.solve import ridge
from understanding.training.vectors import remembered
from vault.cases import Entry, EntryKind
from vault.database import migrate
from vault.keys import init_key_ring, read_key_ring
from vault.unit import Vault, database_engine, job_app

PASSPHRASE = "seven quiet lanterns by the harbour"
SAID = "they took Maria to the flat on Elm Street, call 555 0134 5678"
REDACTED = "they took my friend to a flat last night and nobody can reach her"
AGREED = "by SMS under her code, on Monday"
ANSWERS = ("1", REDACTED, "en", "emergency", "help_self", AGREED, "yes", "take")
Run = Callable[..., tuple[int, str, str]]


def pretend(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors that depend on the text alone, without the library."""
    rows = [np.random.default_rng(list(text.encode())).normal(size=DIMENSION) for text in texts]
    return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32)


def few() -> list[Example]:
    english = next(words for words in all_words() if words.language == "en")
    return [example for example in english.examples if example.level in ("emergency", "information")][:80]


NEW = Example(language="en", text=REDACTED, intent=Intent.HELP_SELF, level="emergency", signals=frozenset())


def test_the_difference_is_that_between_two_trainings() -> None:
    """Everything is had from one inverse; here it is compared with machines that were really trained twice."""
    examples, patterns = few(), Patterns([])
    found = difference(examples, NEW, patterns, pages=0.3, embedding=pretend)
    alike = gram([*examples, NEW], patterns, pretend).both
    fires = np.array([[example.level == "emergency"] for example in [*examples, NEW]])
    targets = np.where(fires, 1.0, -1.0)
    without = ridge(alike[:-1, :-1], targets[:-1], PENALTY)
    having = ridge(alike, targets, PENALTY)
    outside = float((alike[-1, :-1] @ without.coefficients)[0])
    inside = float((alike[-1] @ having.coefficients)[0])
    assert (outside < inside) == (found.before < found.after)
    assert found.after > found.before
    assert 0 <= found.newly + found.no_more <= len(examples)
    assert "after the next training" in found.as_text()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "nothing"),
        (SAID, "the words as they were said"),
        ("call me on 0613 55", "a number"),
        ("call me on ٠٦١٣٥", "a number"),
        ("write to a@b.org", "an address"),
        ("see www.example", "an address"),
    ],
)
def test_a_text_that_still_tells_who_it_was_is_refused(text: str, what: str) -> None:
    found = telling(text, [Entry(kind=EntryKind.PERSON, text=SAID)])
    assert found is not None
    assert what in found


def test_a_redacted_text_is_taken() -> None:
    assert telling(REDACTED, [Entry(kind=EntryKind.PERSON, text=SAID)]) is None


def test_embeddings_are_made_once_and_a_spoilt_file_is_written_anew(tmp_path: Path) -> None:
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return pretend(texts)

    kept = tmp_path / "vectors.npz"
    first = remembered(["a", "b", "a"], path=kept, embed=embed)
    again = remembered(["b", "c"], path=kept, embed=embed)
    assert asked == ["a", "b", "c"]
    assert np.array_equal(first[1], again[0])
    assert np.array_equal(first[0], pretend(["a"]).astype(np.float16).astype(np.float32)[0])
    kept.write_bytes(b"PK not really")
    assert np.array_equal(remembered(["a"], path=kept, embed=embed)[0], first[0])
    assert asked[-1] == "a"


# The command --------------------------------------------------------------------------------------------------------


class Desk:
    """A machine with a line on it, Rosa who works there, and one report."""

    def __init__(self, run: Run, url: str, home: Path) -> None:
        self.run, self.url, self.home = run, url, home
        self.seed = run("staff", "add", "rosa", types=f"{PASSPHRASE}\n")[1].split()[-1]
        self.code = asyncio.run(self._report())

    async def _report(self) -> str:
        jobs = job_app(self.url)
        ring = read_key_ring(self.home / "keyring")
        vault = Vault(engine=database_engine(self.url), jobs=jobs, ring=ring, now=lambda: datetime.now(UTC))
        try:
            async with jobs.open_async(), vault.unit() as unit:
                return (await say(unit, SAID)).code
        finally:
            await vault.close()

    def learns(self, answers: Sequence[str] = ANSWERS, passphrase: str = PASSPHRASE) -> tuple[int, str, str]:
        with psycopg.connect(self.url) as connection:
            connection.execute("UPDATE members SET totp_step = 0")
        factors = f"{passphrase}\n{pyotp.TOTP(self.seed).at(datetime.now(UTC))}\n"
        return self.run("learn", self.code, "--by", "rosa", types=factors + "".join(f"{a}\n" for a in answers))

    def audit(self) -> list[str]:
        with psycopg.connect(self.url) as connection:
            return [action for (action,) in connection.execute("SELECT action FROM audit ORDER BY number").fetchall()]


@pytest.fixture
def desk(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    """Training on a few words, without the library: a real one takes minutes."""
    init_key_ring(tmp_path / "keyring")
    migrate(database_url)
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers, root.level
    monkeypatch.setenv("HARBORLINE_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setattr("vault.credentials.PASSPHRASE_EFFORT", CHEAP_EFFORT)
    monkeypatch.setattr("bot.learn.all_words", lambda: [Words(language="en", examples=tuple(few()))])
    monkeypatch.setattr("bot.learn.EMBEDDING", pretend)

    def run(*arguments: str, types: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(types))
        status = main(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    yield Desk(run, database_url, tmp_path)
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def test_a_report_becomes_an_example_after_all_questions_and_the_difference(desk: Desk) -> None:
    status, out, err = desk.learns()
    assert (status, err) == (0, "")
    assert "danger of this text:" in out
    kept = desk.home / "learned.tsv"
    assert kept.read_text() == f"lang\tlevel\tintent\ttext\nen\temergency\thelp_self\t{REDACTED}\n"
    assert kept.stat().st_mode & 0o077 == 0
    assert desk.audit()[-2:] == ["case.read", "case.learnt"]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (("9",), "No message has this number"),
        (("1", SAID), "still holds the words as they were said"),
        (("1", REDACTED, "xx"), "Language must be one of"),
        (("1", REDACTED, "en", "emergency", "help_self", ""), "Without the person's agreement"),
        ((*ANSWERS[:6], "no"), "Nothing was kept"),
        ((*ANSWERS[:7], "no"), "Nothing was kept"),
    ],
)
def test_nothing_is_kept_unless_every_question_is_answered_for(desk: Desk, answers: tuple[str, ...], says: str) -> None:
    status, _, err = desk.learns(answers)
    assert status != 0
    assert says in err
    assert "Maria" not in err
    assert not (desk.home / "learned.tsv").exists()
    assert "case.learnt" not in desk.audit()


def test_without_both_factors_no_case_is_opened(desk: Desk) -> None:
    status, out, _ = desk.learns(passphrase="not hers at all")
    assert status == 1
    assert "Maria" not in out
    assert "case.read" not in desk.audit()
