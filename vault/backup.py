"""Backup and restore: a folder with the database, line.yml, own flows and words, and the key ring but its epochs.

What a backup must not outlive is left out of it: epochs, and every table that makes sense only while its epoch or its
session lasts. So it brings back cases, staff, responders, alerts, jobs and the audit trail, and forgets who was just
talking. PostgreSQL's own programs do the work; this says which, with what, and checks before and after.
"""

import asyncio
import hashlib
import json
import os
import re
import secrets
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import text

from vault.database import embedded_programs, migrate
from vault.environment import PASSED_ON
from vault.epochs import NOT_RESTORED, note, remove_rows
from vault.erasing import CaseLocks
from vault.keys import KeyRing, init_key_ring, reread
from vault.unit import Vault

_VERSION: Final = 1
_MANIFEST: Final = "harborline-backup.json"
_DATABASE: Final = "database.dump"
_LINE: Final = "line.yml"
_OWN: Final = ("flows/*.yml", "drills/*.yml", "locales/*/*.po", "locales/*/*.yml")
_RING: Final = "keyring"
_KEPT: Final = re.compile(r"service|audit|salt|effort|erasure-\d+")  # of the key ring; an epoch matches nothing here
_WITHOUT_ROWS: Final = (
    "conversations",  # nobody could open them without their epoch
    "messages",
    "unread_words",
    "chat_messages",
    "sessions",  # a cookie stolen long ago must not fit again
    "spent_challenges",
)
_TICK: Final = 1.0  # seconds between two signs of progress

Progress = Callable[[str], None]


class BackupFailed(Exception):
    """A backup could not be made or brought back; the text says why and what to do. Nothing half made is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """PostgreSQL's own programs for one database."""

    dump: str
    restore: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says of itself. `files`: path -> SHA-256 in hex. `epochs`: numbers of those that were left out."""

    made_at: datetime
    epochs: tuple[int, ...]
    files: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values; the inverse of `from_json`."""
        return {
            "version": _VERSION,
            "made_at": self.made_at.isoformat(),
            "epochs": list(self.epochs),
            "files": dict(self.files),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Manifest":
        """Raises KeyError, TypeError, ValueError when it is none of ours."""
        if value["version"] != _VERSION:
            raise ValueError
        return cls(
            made_at=datetime.fromisoformat(value["made_at"]),
            epochs=tuple(int(n) for n in value["epochs"]),
            files={str(name): str(digest) for name, digest in value["files"].items()},
        )


# Which programs ------------------------------------------------------------------------------------------------------


async def programs(url: str, *, embedded: bool) -> Programs:
    """The programs that fit this database. Raises BackupFailed when there are none, or only older ones."""
    if embedded:
        folder = embedded_programs()
        return Programs(dump=str(folder / "pg_dump"), restore=str(folder / "pg_restore"))
    with psycopg.connect(url) as connection:
        server = connection.info.server_version // 10000
    found = Programs(dump=shutil.which("pg_dump") or "", restore=shutil.which("pg_restore") or "")
    remedy = f"Install PostgreSQL's client programs of version {server} (Debian: postgresql-client-{server})"
    if not found.dump or not found.restore:
        raise BackupFailed(f"pg_dump and pg_restore are not in the PATH. {remedy}.")
    for program in (found.dump, found.restore):
        version = await _major(program)
        if version < server:
            raise BackupFailed(f"{Path(program).name} is of version {version}, the database of {server}. {remedy}.")
    return found


async def _major(program: str) -> int:
    told = await _run([program, "--version"], {})
    number = re.search(r"\d+", told)
    return int(number[0]) if number else 0


def _address(url: str) -> tuple[str, dict[str, str]]:
    """The address without its password, which goes by the environment: everybody can read a command line."""
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    return make_conninfo("", **parts), {"PGPASSWORD": str(password)} if password else {}


async def _run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program to its end; gives its output. Raises BackupFailed with what it complained of."""
    child = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env={**_inherited(), **environment}
    )
    try:
        told, complaints = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    if child.returncode:
        lines = [line for line in complaints.decode(errors="replace").splitlines() if ": error: " in line]
        name = Path(command[0]).name
        raise BackupFailed(f"{name} gave up with status {child.returncode}. {' '.join(lines[:3])}".strip())
    return told.decode(errors="replace")


# Making one ----------------------------------------------------------------------------------------------------------


async def back_up(vault: Vault, using: Programs, line_file: Path, target: Path, say: Progress) -> Manifest:
    """Write a backup into the new folder `target`. Raises BackupFailed."""
    draft = _new_draft(target)
    try:
        async with vault.unit() as unit:
            # Until this transaction ends no erasure key is renewed: the dump and the key ring fit together.
            await CaseLocks(unit.transaction).hold_still()
            await unit.transaction.connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            made_at = unit.transaction.now
            await _dump(vault, using, draft / _DATABASE, say)
            ring = reread(vault.ring)  # after the dump: no row in it is of an epoch that is younger
            _copy_ring(ring, draft / _RING)
        say(f"Key ring: without its epochs {', '.join(map(str, sorted(ring.epochs)))}.")
        if _copy_line(line_file, draft / _LINE):
            say("line.yml: copied.")
        if own := _copy_own(line_file.parent, draft):
            say(f"Flows and words of this line: {own} files copied.")
        manifest = _write_manifest(draft, made_at, ring)
        draft.replace(target)  # all of it or nothing
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    async with vault.unit() as unit:
        unit.audit.add("backup.made", "database")
    return manifest


def _new_draft(target: Path) -> Path:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupFailed(f"{target} is there already. Choose a new folder: a backup is never overwritten.")
    draft = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        draft.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise BackupFailed(f"{target} cannot be written: {error.strerror}. Choose another folder.") from None
    return draft


def _copy_ring(ring: KeyRing, target: Path) -> None:
    target.mkdir(mode=0o700)
    for name in sorted(path.name for path in ring.directory.iterdir()):
        if _KEPT.fullmatch(name):
            _put(target / name, (ring.directory / name).read_bytes())


def _copy_line(source: Path, target: Path) -> bool:
    if source.exists():
        _put(target, source.read_bytes())
    return target.exists()


def _copy_own(source: Path, target: Path) -> int:
    """The flows and words that a line laid over the built-in ones; a file that is there is left as it is."""
    paths = [path for pattern in _OWN for path in sorted(source.glob(pattern))]
    missing = [path for path in paths if not (target / path.relative_to(source)).exists()]
    for path in missing:
        copy = target / path.relative_to(source)
        for folder in reversed(path.relative_to(source).parents[:-1]):  # one by one: `parents` would forget the mode
            (target / folder).mkdir(mode=0o700, exist_ok=True)
        _put(copy, path.read_bytes())
    return len(missing)


def _write_manifest(draft: Path, made_at: datetime, ring: KeyRing) -> Manifest:
    files = {path.relative_to(draft).as_posix(): _digest(path) for path in draft.rglob("*") if path.is_file()}
    manifest = Manifest(made_at=made_at, epochs=tuple(sorted(ring.epochs)), files=files)
    _put(draft / _MANIFEST, json.dumps(manifest.to_json(), indent=1).encode())
    return manifest


async def _dump(vault: Vault, using: Programs, target: Path, say: Progress) -> None:
    """Not compressed: sealed bytes do not shrink, and a search for what must not be there sees every byte."""
    address, environment = _address(vault.address)
    _put(target, b"")
    options = ["--format=custom", "--compress=0", "--no-owner", "--no-privileges", f"--file={target}"]
    options += [f"--exclude-table-data=public.{name}" for name in _WITHOUT_ROWS]
    running: asyncio.Task[str] = asyncio.create_task(_run([using.dump, *options, f"--dbname={address}"], environment))
    try:
        while not (await asyncio.wait({running}, timeout=_TICK))[0]:
            say(f"Database: {_size(target)} so far.")
        running.result()
    finally:
        running.cancel()
    say(f"Database: {_size(target)}.")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1024 / 1024:.1f} MiB"


def _put(path: Path, contents: bytes) -> None:
    """A new file that nobody else may read, safe from a power cut."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(contents)
        file.flush()
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Bringing one back ---------------------------------------------------------------------------------------------------


def read_backup(source: Path) -> Manifest:
    """What this folder says of itself, once every file was found to be whole. Raises BackupFailed."""
    try:
        manifest = Manifest.from_json(json.loads((source / _MANIFEST).read_text(encoding="utf-8")))
        whole = all(_digest(source / name) == digest for name, digest in manifest.files.items())
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupFailed(f"{source} is no whole backup of this program. Take another one.") from None
    if not whole or not {_DATABASE, f"{_RING}/service"} <= set(manifest.files):
        raise BackupFailed(f"{source} was changed or damaged since it was made. Take another one.")
    return manifest


def refuse_unless_new(home: Path) -> None:
    """Raises BackupFailed when there is a key ring: a restore never replaces one."""
    ring = home / _RING
    if ring.exists() and any(ring.iterdir()):
        raise BackupFailed(f"There is a key ring in {ring} already. Restore into an empty HARBORLINE_HOME.")


async def restore(
    source: Path,
    *,
    home: Path,
    url: str,
    using: Programs,
    open_vault: Callable[[KeyRing], Vault],
    say: Progress,
) -> None:
    """Bring a backup back into an empty database and a home without a key ring. Raises BackupFailed."""
    manifest = read_backup(source)
    refuse_unless_new(home)
    _refuse_unless_empty(url)
    say(f"Backup of {manifest.made_at:%Y-%m-%d %H:%M} UTC: whole.")
    address, environment = _address(url)
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", f"--dbname={address}"]
    await _run([using.restore, *options, str(source / _DATABASE)], environment)
    await asyncio.to_thread(migrate, url)
    say("Database: restored.")
    draft = home / f".{_RING}-{secrets.token_hex(4)}"
    try:
        ring = _restore_ring(source, draft, manifest)
        dropped = await _settle(open_vault(ring), manifest)
        draft.replace(home / _RING)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    say(f"Key ring: restored, and epoch {ring.current} begins. {dropped} rows of the epochs before it were dropped.")
    say("line.yml: restored." if _restore_line(source, home) else "line.yml: the one that is there is left as it is.")
    if own := _copy_own(source, home):
        say(f"Flows and words of this line: {own} files restored.")


def _restore_line(source: Path, home: Path) -> bool:
    return not (home / _LINE).exists() and _copy_line(source / _LINE, home / _LINE)


def _refuse_unless_empty(url: str) -> None:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    if row is None or row[0]:
        raise BackupFailed("The database is not empty. Restore into a new one: nothing is ever overwritten.")


def _restore_ring(source: Path, draft: Path, manifest: Manifest) -> KeyRing:
    """The kept parts, and a first epoch whose number nothing in the database was ever locked in."""
    draft.mkdir(mode=0o700, parents=True)
    for path in sorted((source / _RING).iterdir()):
        if _KEPT.fullmatch(path.name):
            _put(draft / path.name, path.read_bytes())
    return init_key_ring(draft, first_epoch=max(manifest.epochs, default=0) + 1)


async def _settle(vault: Vault, manifest: Manifest) -> int:
    """Drop what was locked in epochs that are not here, and note it."""
    try:
        async with vault.unit() as unit:
            dropped = await remove_rows(unit, range(1, unit.transaction.ring.current))
            unit.audit.add("backup.restored", "database")
            for epoch in manifest.epochs:
                unit.audit.add(NOT_RESTORED, f"epoch:{epoch}")
        await note(vault)
    finally:
        await vault.close()
    return dropped


def _inherited() -> dict[str, str]:
    """What PostgreSQL's programs need of our environment, and no provider's token."""
    return {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith(("PG", "KRB5"))}
