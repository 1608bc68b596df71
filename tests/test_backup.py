"""Backup and restore: everything comes back but who was just talking, and no backup holds an epoch's secret."""

import asyncio
import base64
import io
import itertools
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pyotp
import pytest
from sqlalchemy import make_url

from bot.cli import main
from tests.databases import Cluster, at
from tests.house import ROOT
from tests.houses import LINE
from tests.vaults import CHEAP, Clock, found_team, open_case, rows
from triage.review import CaseState
from vault.audit import checking_key, verify
from vault.backup import BackupFailed, Programs, back_up, programs, read_backup, restore
from vault.cases import Entry, EntryKind
from vault.codes import code_keys, possible_keys
from vault.credentials import prepare
from vault.database import embedded_programs
from vault.delivery import OutboxKind, OutboxState
from vault.epochs import note
from vault.keys import KeyRing, begin_epoch, destroy_epoch, read_key_ring, set_effort
from vault.members import Role
from vault.paging import Contact
from vault.pseudonyms import Pseudonyms
from vault.retention import erase, make_final
from vault.sealing import Effort
from vault.unit import Vault, database_engine, job_app

NUMBER = "+15550100777"
WORDS = "they keep our papers in the barn"
CODE = "1234567890123452"
KEPT_OF_THE_RING = ["audit", "erasure-1", "salt", "service"]
PASSPHRASE = "seven quiet lanterns by the harbour"


def its_own_programs() -> Programs:
    """PostgreSQL's own programs, as the embedded one brings them."""
    folder = embedded_programs()
    return Programs(dump=str(folder / "pg_dump"), restore=str(folder / "pg_restore"))


def silent(_: str) -> None:
    """Progress that nobody reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a backup is made of and brought back to."""

    vault: Vault
    pseudonyms: Pseudonyms
    cluster: Cluster
    clock: Clock
    folder: Path
    using: Programs = field(default_factory=its_own_programs)

    @property
    def line_file(self) -> Path:
        """A line.yml."""
        return self.folder / "line.yml"

    @property
    def backup(self) -> Path:
        """Where the backup is."""
        return self.folder / "backup"

    async def make(self) -> None:
        """Make it."""
        await back_up(self.vault, self.using, self.line_file, self.backup, silent)

    def empty_database(self) -> str:
        """A database with nothing in it; gives its address."""
        name = f"restored_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.cluster.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return at(self.cluster.url, name)

    async def bring_back(self, home: Path, url: str = "") -> Vault:
        """Restore it; gives the vault of the restored line."""
        url = url or self.empty_database()

        def opened(ring: KeyRing) -> Vault:
            return Vault(engine=database_engine(url), jobs=job_app(url), ring=ring, now=self.clock)

        await restore(self.backup, home=home, url=url, using=self.using, open_vault=opened, say=silent)
        return opened(read_key_ring(home / "keyring"))


_numbers = itertools.count(1)


@pytest.fixture
def bench(vault: Vault, pseudonyms: Pseudonyms, cluster: Cluster, clock: Clock, tmp_path: Path) -> Bench:
    """A fresh vault, and PostgreSQL's own programs."""
    (tmp_path / "line.yml").write_text(LINE, encoding="utf-8")
    return Bench(vault=vault, pseudonyms=pseudonyms, cluster=cluster, clock=clock, folder=tmp_path)


async def live(bench: Bench) -> dict[str, Any]:
    """A line in use: staff, a responder, a case with a code and a held answer, and somebody in the middle of a talk."""
    vault = bench.vault
    async with vault.jobs.open_async():
        async with vault.unit() as unit:
            enrolled = await unit.members.enrol("rosa", PASSPHRASE, Role.SUPERVISOR)
            await unit.responders.add("Amina", ["es"], [Contact(method="sms", value="+12025550141")])
        async with vault.unit() as unit:
            case = await open_case(unit, state=CaseState.OPEN)
            await unit.cases.add(case, Entry(kind=EntryKind.PERSON, text=WORDS))
            await unit.codes.give(case.id, code_keys(CODE, unit.transaction.ring.salt, CHEAP))
            await unit.codes.leave(case.id, "we are here")
            held = OutboxState.HELD
            await unit.outbox.put(OutboxKind.STAFF, "sms", NUMBER, {"words": "hello"}, case_id=case.id, state=held)
            await unit.outbox.put(OutboxKind.ANSWER, "sms", NUMBER, {"text": "a question"})
            (who, *_) = await bench.pseudonyms.of("sms", NUMBER)
            await unit.conversations.save(who, {"step": "facts.where"}, case.id, turns=1)
            await unit.messages.remember(b"d" * 32, {"text": "a question"})
            await unit.unread_words.put(case.id, WORDS, "es")
            await unit.jobs.later("erase_copy", copy="00")
            unit.audit.add("case.began", f"case:{case.code}")
    return {"case": case, "totp": enrolled.totp_seed}


# What is in it -------------------------------------------------------------------------------------------------------


def spellings(secret: bytes) -> Iterator[bytes]:
    """Every usual way to write a secret."""
    yield from (secret, secret.hex().encode(), secret.hex().upper().encode())
    for shift in range(3):  # base64 looks different wherever the secret begins
        whole = base64.b64encode(b"\0" * shift + secret)[4 if shift else 0 : -4]
        yield from (whole, whole.translate(bytes.maketrans(b"+/", b"-_")))


def found_in(folder: Path, secret: bytes) -> list[str]:
    """The files of a folder that hold this secret, in any spelling."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path.name for path in files if any(form in path.read_bytes() for form in spellings(secret))]


async def test_no_byte_of_a_backup_holds_an_epoch_s_secret(bench: Bench) -> None:
    await live(bench)
    bench.vault.ring = begin_epoch(bench.vault.ring)
    await bench.make()
    ring = bench.vault.ring
    purposes = ("lock", "pseudonym")
    secrets = [
        *ring.epochs.values(),
        *(ring.epoch_key(epoch, purpose) for epoch in ring.epochs for purpose in purposes),
    ]
    assert len(secrets) == 6
    assert [found_in(bench.backup, secret) for secret in secrets] == [[]] * 6
    assert found_in(bench.backup, ring.service) == ["service"], "the search finds what is there"
    ((sealed,),) = await rows(bench.vault, "SELECT sealed FROM entries WHERE kind = 'person'")
    assert found_in(bench.backup, sealed) == ["database.dump"], "also inside of the dump"


async def test_a_backup_holds_neither_who_is_talking_nor_a_session(bench: Bench) -> None:
    await live(bench)
    (who, *_) = await bench.pseudonyms.of("sms", NUMBER)
    left_out = await rows(
        bench.vault,
        "SELECT sealed FROM conversations UNION ALL SELECT sealed FROM messages"
        " UNION ALL SELECT sealed FROM unread_words",
    )
    assert len(left_out) == 3
    await bench.make()
    for secret in (who.value, NUMBER.encode(), WORDS.encode(), PASSPHRASE.encode(), *(row.sealed for row in left_out)):
        assert found_in(bench.backup, secret) == []


async def test_nobody_else_on_the_machine_can_read_a_backup(bench: Bench) -> None:
    before = os.umask(0)
    try:
        await bench.make()
    finally:
        os.umask(before)
    found = [bench.backup, *(bench.backup).rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}


async def test_a_backup_is_never_overwritten_and_half_of_one_is_never_left(bench: Bench) -> None:
    await bench.make()
    before = read_backup(bench.backup)
    with pytest.raises(BackupFailed, match="never overwritten"):
        await bench.make()
    assert read_backup(bench.backup) == before
    broken = Programs(dump="/bin/false", restore="/bin/false")
    with pytest.raises(BackupFailed, match="gave up with status 1"):
        await back_up(bench.vault, broken, bench.line_file, bench.folder / "other", silent)
    assert not [name for name in os.listdir(bench.folder) if "other" in name]
    assert await rows(bench.vault, "SELECT action FROM audit") == [("backup.made",)]


async def test_a_backup_tells_how_far_it_is(bench: Bench) -> None:
    told: list[str] = []
    await back_up(bench.vault, bench.using, bench.line_file, bench.backup, told.append)
    assert [line.split(":")[0] for line in told] == ["Database", "Key ring", "line.yml"]


async def test_no_erasure_key_is_renewed_while_a_backup_is_made(bench: Bench) -> None:
    """Or the dump and the key ring in it would not fit together, and no case would open."""
    await found_team(bench.vault)
    async with bench.vault.unit() as unit:
        await erase(unit, await open_case(unit), actor="system")
    slow, started, go = bench.folder / "pg_dump", bench.folder / "started", bench.folder / "go"
    slow.write_text(
        f'#!/bin/sh\ntouch {started}\nwhile [ ! -e {go} ]; do sleep 0.05; done\nexec {bench.using.dump} "$@"\n'
    )
    slow.chmod(0o755)
    slowly = Programs(dump=str(slow), restore=bench.using.restore)
    making = asyncio.create_task(back_up(bench.vault, slowly, bench.line_file, bench.backup, silent))
    await asyncio.to_thread(_wait_for, started)
    assert not await make_final(bench.vault)
    go.touch()
    await making
    assert sorted(path.name for path in (bench.backup / "keyring").iterdir()) == KEPT_OF_THE_RING
    assert await make_final(bench.vault)


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


# Bringing it back ----------------------------------------------------------------------------------------------------


async def test_everything_comes_back_but_who_was_talking(bench: Bench) -> None:
    was = await live(bench)
    bench.vault.ring = set_effort(bench.vault.ring, Effort(passes=1, lanes=1, memory=1024), at=bench.clock.now)
    await bench.make()
    back = await bench.bring_back(bench.folder / "home")
    async with back.unit() as unit:
        signed_in = await _sign_in(unit, was["totp"], bench.clock)
        case = await unit.cases.by_code(was["case"].code)
        key = await unit.cases.key(case, signed_in.teams)
        assert [e.entry.text for e in await unit.cases.read(case, key, [EntryKind.PERSON])] == [WORDS]
        assert [r.name for r in await unit.responders.all()] == ["Amina"]
        found = await unit.codes.match(possible_keys(CODE, back.ring.salt, [CHEAP, *back.ring.code_efforts]))
        assert found is not None
        assert [answer.text for answer in await unit.codes.read(found.keys)] == ["we are here"]
        lines = tuple(reversed(await unit.audit.lines()))
    assert verify(lines, checking_key(bench.vault.ring)) == len(lines)
    assert (bench.folder / "home" / "line.yml").read_text(encoding="utf-8") == LINE
    assert await rows(back, "SELECT kind, state, sealed FROM outbox") == [("staff", "failed", None)]
    for table in ("conversations", "messages", "unread_words", "sessions"):
        assert await rows(back, f"SELECT count(*) FROM {table}") == [(0,)], table  # noqa: S608 - our names
    assert ("erase_copy",) in await rows(back, "SELECT task_name FROM procrastinate_jobs")
    assert back.ring.effort_of(back.ring.current) == Effort(passes=1, lanes=1, memory=1024)
    await back.close()


async def test_an_epoch_that_was_lost_never_gets_its_number_again(bench: Bench) -> None:
    await live(bench)
    for _ in range(2):
        bench.vault.ring = begin_epoch(bench.vault.ring)
    bench.vault.ring = destroy_epoch(bench.vault.ring, 1)
    await note(bench.vault)
    await bench.make()
    back = await bench.bring_back(bench.folder / "home")
    assert sorted(back.ring.epochs) == [4]
    told = await rows(back, "SELECT action, subject FROM audit WHERE subject LIKE 'epoch:%' ORDER BY number")
    assert [tuple(row) for row in told] == [
        ("epoch.begun", "epoch:2"),
        ("epoch.begun", "epoch:3"),
        ("epoch.destroyed", "epoch:1"),
        ("epoch.not_restored", "epoch:2"),
        ("epoch.not_restored", "epoch:3"),
        ("epoch.begun", "epoch:4"),
    ]
    assert (await note(back)).destroyed == ()
    await back.close()


async def _sign_in(unit: Any, seed: str, clock: Clock) -> Any:
    credentials = prepare("rosa", PASSPHRASE, pyotp.TOTP(seed).at(clock.now), await unit.members.salt("rosa"))
    return await unit.members.unlock(credentials)


async def test_flows_and_words_of_the_line_come_back_and_overwrite_nothing(bench: Bench) -> None:
    ours = {"flows/contact.yml": "steps: {}\n", "locales/es/messages.po": "# ours\n", "locales/es/sensitive.yml": "x\n"}
    for name, text in ours.items():
        (bench.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (bench.folder / name).write_text(text, encoding="utf-8")
    await bench.make()
    home = bench.folder / "prepared"
    (home / "flows").mkdir(parents=True)
    (home / "flows" / "contact.yml").write_text("mine\n", encoding="utf-8")
    back = await bench.bring_back(home)
    found = {name: (home / name).read_text(encoding="utf-8") for name in ours}
    assert found == {**ours, "flows/contact.yml": "mine\n"}
    assert not (home / "locales").stat().st_mode & 0o077
    await back.close()


async def test_a_restore_overwrites_nothing(bench: Bench) -> None:
    await bench.make()
    with pytest.raises(BackupFailed, match="not empty"):
        await bench.bring_back(bench.folder / "home", bench.vault.address)
    assert not (bench.folder / "home" / "keyring").exists()
    with pytest.raises(BackupFailed, match="key ring"):
        await bench.bring_back(bench.vault.ring.directory.parent)
    home = bench.folder / "prepared"
    home.mkdir()
    (home / "line.yml").write_text("name: Mine\n", encoding="utf-8")
    back = await bench.bring_back(home)
    assert (home / "line.yml").read_text(encoding="utf-8") == "name: Mine\n"
    await back.close()


@pytest.mark.parametrize("harm", ["no folder", "no manifest", "changed dump", "no service key", "another version"])
async def test_a_backup_that_is_not_whole_is_refused_before_anything_is_written(bench: Bench, harm: str) -> None:
    await bench.make()
    backup, url = bench.backup, bench.empty_database()
    manifest = backup / "harborline-backup.json"
    if harm == "no folder":
        backup.rename(bench.folder / "elsewhere")
    elif harm == "no manifest":
        manifest.unlink()
    elif harm == "changed dump":
        with (backup / "database.dump").open("r+b") as file:
            file.seek(4000)
            file.write(b"x")
    elif harm == "no service key":
        (backup / "keyring" / "service").unlink()
    else:
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 2}))
    with pytest.raises(BackupFailed, match="Take another one"):
        await bench.bring_back(bench.folder / "home", url)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


# Which programs ------------------------------------------------------------------------------------------------------


async def test_without_pg_dump_it_says_what_to_install(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupFailed, match=r"not in the PATH\. Install PostgreSQL's client programs of version 18"):
        await programs(database_url, embedded=False)


async def test_a_pg_dump_that_is_too_old_is_refused(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pg_dump", "pg_restore"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 14.11'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupFailed, match="pg_dump is of version 14, the database of 18"):
        await programs(database_url, embedded=False)


async def test_the_programs_in_the_path_are_taken_when_they_fit(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(embedded_programs()))
    assert await programs(database_url, embedded=False) == its_own_programs()
    assert await programs(database_url, embedded=True) == its_own_programs()


async def test_a_password_is_on_no_command_line(bench: Bench) -> None:
    spy, seen = bench.folder / "pg_dump", bench.folder / "seen"
    spy.write_text(f'#!/bin/sh\necho "$@" > {seen}\necho "$PGPASSWORD" >> {seen}\nexit 1\n')
    spy.chmod(0o755)
    url = make_url(bench.vault.address).set(password="canary")  # the server trusts whoever reaches its socket
    engine = database_engine(url.render_as_string(hide_password=False))
    guarded = Vault(engine=engine, jobs=bench.vault.jobs, ring=bench.vault.ring, now=bench.clock)
    with pytest.raises(BackupFailed):
        await back_up(guarded, Programs(dump=str(spy), restore=""), bench.line_file, bench.backup, silent)
    await guarded.close()
    arguments, password = seen.read_text().splitlines()
    assert "canary" not in arguments
    assert password == "canary"


# By command ----------------------------------------------------------------------------------------------------------

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(vault: Vault, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the vault's home and database: exit status, standard output, standard error."""
    monkeypatch.setenv("HARBORLINE_HOME", str(vault.ring.directory.parent))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PATH", str(embedded_programs()), prepend=os.pathsep)

    def runs(*arguments: str, types: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(types))
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return runs


def test_keys_rotate_begins_an_epoch_and_destroys_one_only_when_it_is_confirmed(run: Run, vault: Vault) -> None:
    directory = vault.ring.directory
    assert run("keys", "rotate")[:2] == (
        0,
        "Epoch 2 began. The ones before it are destroyed after their grace period.\n",
    )
    for typed in ("", "yes\n", "2\n"):
        status, out, err = run("keys", "rotate", "--destroy", "1", types=typed)
        assert (status, out) == (1, "")
        assert "Nothing was destroyed" in err
    assert sorted(read_key_ring(directory).epochs) == [1, 2]
    assert "is destroyed on" in run("keys", "show")[1]
    status, out, _ = run("keys", "rotate", "--destroy", "1", types="1\n")
    assert status == 0
    assert "Epoch 1 is destroyed." in out
    assert sorted(read_key_ring(directory).epochs) == [2]
    for gone in ("1", "2", "9"):
        status, _, err = run("keys", "rotate", "--destroy", gone, types=f"{gone}\n")
        assert (status, err.count("\n")) == (2, 1)


def test_keys_calibrate_measures_tells_and_changes_only_when_it_is_asked_to(run: Run, vault: Vault) -> None:
    directory = vault.ring.directory
    status, out, _ = run("keys", "calibrate", "--milliseconds", "150", "--dry-run")
    assert status == 0
    assert "CPU-years for 10^9 numbers" in out
    assert read_key_ring(directory).efforts == ()
    status, out, _ = run("keys", "calibrate", "--milliseconds", "600")
    assert status == 0
    assert "epoch 2 began with it" in out
    after = read_key_ring(directory)
    assert (after.current, after.effort_of(1)) == (2, Effort())
    assert after.effort_of(2) != Effort()
    assert run("keys", "calibrate", "--milliseconds", "0")[0] == 2


def test_backup_and_restore_by_command(run: Run, vault: Vault, bench: Bench, tmp_path: Path) -> None:
    (vault.ring.directory.parent / "line.yml").write_text(LINE, encoding="utf-8")
    status, out, err = run("backup", str(tmp_path / "backup"))
    assert (status, err) == (0, "")
    assert "guard it" in out
    assert run("backup", str(tmp_path / "backup"))[0] == 1
    home = tmp_path / "new home"
    environment = {
        **os.environ,
        "HARBORLINE_HOME": str(home),
        "DATABASE_URL": bench.empty_database(),
    }
    command = [sys.executable, "-m", "bot", "restore", str(tmp_path / "backup")]
    again = [
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)
        for _ in range(2)
    ]
    assert (again[0].returncode, again[0].stderr) == (0, "")
    assert again[0].stdout.splitlines()[-1].startswith("Restored.")
    assert again[1].returncode == 1
    assert "key ring" in again[1].stderr
    assert sorted(read_key_ring(home / "keyring").epochs) == [2]
    assert datetime.now(UTC) > read_backup(tmp_path / "backup").made_at


@pytest.mark.slow
def test_a_line_on_its_own_embedded_database_is_backed_up_and_brought_back(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}

    def runs(home: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        its = environment | {"HARBORLINE_HOME": str(tmp_path / home)}
        command = [sys.executable, "-m", "bot", *arguments]
        return subprocess.run(command, cwd=ROOT, env=its, capture_output=True, text=True, check=False, timeout=100)

    assert runs("old", "keys", "init").returncode == 0
    made = runs("old", "backup", str(tmp_path / "backup"))
    assert (made.returncode, made.stderr) == (0, "")
    back = runs("new", "restore", str(tmp_path / "backup"))
    assert (back.returncode, back.stderr) == (0, "")
    checked = runs("new", "audit", "verify")
    assert (checked.returncode, checked.stderr) == (0, "")
    old, new = (read_key_ring(tmp_path / home / "keyring") for home in ("old", "new"))
    assert (old.service, old.audit, old.salt, old.erasure) == (new.service, new.audit, new.salt, new.erasure)
    assert not {*old.epochs.values()} & {*new.epochs.values()}
