"""No column for words, and no words in any byte: the tables' metadata is walked, and the database's files are searched.

`harborline`'s first promise is kept here for the vault alone; the journeys keep it for whole conversations.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Uuid,
    insert,
)

from tests.canaries import encodings, found_in
from tests.databases import Cluster
from tests.vaults import CHEAP, rows
from triage.levels import Level
from vault import tables
from vault.cases import Entry, EntryKind, Reason
from vault.codes import code_keys, grouped, new_code
from vault.credentials import prepare
from vault.delivery import OutboxKind, OutboxState
from vault.members import Role
from vault.paging import Contact
from vault.pseudonyms import Pseudonyms
from vault.unit import Unit, Vault

# Columns ----------------------------------------------------------------------------------------------------------

ID: Final = "our own id, or a pseudonym or digest under a secret key"
STATE: Final = "one of a few words or numbers of ours"
COUNT: Final = "a number of ours"
KEY: Final = "the public half of a key pair, or a salt"
SEALED: Final = "sealed or locked bytes"
ROUNDED: Final = "a person's doing, to the minute"
MOMENT: Final = "our own or the staff's doing"
PROVIDER: Final = "a provider's id of a resource that must be deleted there"

TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    ID: (Uuid, LargeBinary),
    STATE: (String, SmallInteger, Boolean, JSON),
    COUNT: (Integer, SmallInteger, BigInteger),
    KEY: (LargeBinary,),
    SEALED: (LargeBinary,),
    ROUNDED: (DateTime,),
    MOMENT: (DateTime,),
    PROVIDER: (String, BigInteger),
}
# A new column needs a line here, and whoever reviews it sees what is kept.
ALLOWED: Final[Mapping[str, Mapping[str, str]]] = {
    "conversations": {
        "pseudonym": ID, "epoch": COUNT, "sealed": SEALED, "turns": COUNT, "touched_at": ROUNDED,
    },
    "messages": {"digest": ID, "epoch": COUNT, "sealed": SEALED, "received_at": ROUNDED},
    "outbox": {
        "id": ID, "kind": STATE, "case_id": ID, "epoch": COUNT, "sealed": SEALED, "state": STATE, "tries": COUNT,
        "error": COUNT, "created_at": ROUNDED,
    },
    "unread_words": {"id": ID, "case_id": ID, "epoch": COUNT, "sealed": SEALED, "created_at": ROUNDED},
    "copies": {
        "digest": ID, "sealed": SEALED, "channel": STATE, "state": STATE, "tries": COUNT, "seen_at": ROUNDED,
        "erased_at": ROUNDED,
    },
    "chat_messages": {"pseudonym": ID, "message": PROVIDER, "sent_at": ROUNDED},
    "cases": {
        "id": ID, "code": ID, "state": STATE, "level": STATE, "life_at_risk": STATE, "unread": STATE, "waits": STATE,
        "language": STATE, "channel": STATE, "public_key": KEY, "discreet": STATE, "resting": STATE, "forced": STATE,
        "envelope": COUNT, "contact_rule": STATE, "contact_hours": STATE, "member_id": ID, "drill": STATE,
        "opened_at": ROUNDED, "waits_since": ROUNDED, "changed_at": ROUNDED,
        "filed_at": ROUNDED, "closed_at": ROUNDED, "withdrawn_at": ROUNDED,
    },
    "entries": {"id": ID, "case_id": ID, "number": COUNT, "kind": STATE, "sealed": SEALED, "at": ROUNDED},
    "grants": {"case_id": ID, "team_id": ID, "sealed": SEALED},
    "case_locks": {"case_id": ID, "number": COUNT, "sealed": SEALED},
    "erasure_keys": {"number": COUNT, "begun_at": MOMENT, "owed_since": ROUNDED},
    "codes": {"locator": ID, "case_id": ID, "public_key": KEY, "known_to_staff": STATE, "created_at": ROUNDED},
    "waiting_answers": {"id": ID, "locator": ID, "sealed": SEALED, "created_at": MOMENT},
    "alerts": {"id": ID, "case_id": ID, "ringing": STATE, "machine": STATE, "changed_at": MOMENT},
    "pages": {
        "id": ID, "alert_id": ID, "responder_id": ID, "method": STATE, "contact": STATE, "state": STATE, "error": COUNT,
        "created_at": MOMENT, "sent_at": MOMENT, "news_at": MOMENT,
    },
    "drills": {  # nobody's words: of the exercise itself, every moment is our own doing
        "id": ID, "scenario": STATE, "language": STATE, "channel": STATE, "state": STATE, "slot": STATE, "case_id": ID,
        "expected_level": STATE, "expected_page": COUNT, "expected_acknowledge": COUNT, "expected_answer": COUNT,
        "level": STATE, "page": COUNT, "acknowledge": COUNT, "answer": COUNT, "begun_at": MOMENT, "ended_at": MOMENT,
    },
    "responders": {"id": ID, "position": COUNT, "sealed": SEALED},
    "contacts": {"digest": ID, "responder_id": ID},
    "rota_changes": {
        "id": ID, "kind": STATE, "starts_at": MOMENT, "ends_at": MOMENT, "sealed": SEALED, "created_at": MOMENT,
    },
    "rota_feeds": {"digest": ID, "responder_id": ID, "created_at": MOMENT},
    "readiness": {
        "id": ID, "responder_id": ID, "method": STATE, "contact": STATE, "shift_at": MOMENT, "due_at": MOMENT,
        "state": STATE, "error": COUNT, "told": STATE,
    },
    "teams": {"id": ID, "public_key": KEY, "created_at": MOMENT, "retired_at": MOMENT, "replaced_by": ID},
    "members": {
        "id": ID, "login": ID, "name": SEALED, "role": STATE, "public_key": KEY, "salt": KEY, "private_key": SEALED,
        "totp": SEALED, "totp_step": COUNT, "failures": COUNT, "locked_until": MOMENT,
        "invited_until": MOMENT, "passkey_only": STATE, "removed_at": MOMENT,
    },
    "memberships": {"team_id": ID, "member_id": ID, "sealed": SEALED},
    "sessions": {"digest": ID, "member_id": ID, "sealed": SEALED, "created_at": MOMENT, "used_at": MOMENT},
    "passkeys": {"id": ID, "member_id": ID, "sealed": SEALED, "uses": COUNT, "created_at": MOMENT},
    "spent_challenges": {"digest": ID, "spent_at": MOMENT},
    "recoveries": {"id": ID, "public_key": KEY, "created_at": MOMENT},
    "recovery_grants": {"team_id": ID, "recovery_id": ID, "sealed": SEALED},
    "audit": {
        "number": COUNT, "at": ROUNDED, "actor": STATE, "action": STATE, "subject": STATE, "hash": ID,
        "signature": KEY,
    },
}  # fmt: skip
LONG_TEXT: Final = {
    "cases.code": 6,
    "audit.actor": 48,
    "audit.action": 32,
    "audit.subject": 64,
    "drills.scenario": 32,
    "drills.slot": 64,  # the name of a file, and with it a date
}


def test_every_column_is_on_the_list_and_nothing_else_is() -> None:
    found = {table.name: set(table.columns.keys()) for table in tables.metadata.sorted_tables}
    assert found == {name: set(columns) for name, columns in ALLOWED.items()}


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=lambda table: str(table.name))
def test_every_column_has_the_type_of_what_it_may_hold(table: Table) -> None:
    for column in table.columns:
        kind = ALLOWED[table.name][column.name]
        fits = isinstance(column.type, TYPES[kind])
        if isinstance(column.type, String):  # texts are short: a state, a tag, a code
            longest = LONG_TEXT.get(f"{table.name}.{column.name}", 16)
            fits = column.name == "code" or (column.type.length or 10**9) <= longest
        assert fits, f"{table.name}.{column.name} is {column.type!r}, but should be {kind}"
        assert not isinstance(column.type, DateTime) or column.type.timezone


async def test_the_database_has_the_columns_of_the_tables_and_no_others(vault: Vault) -> None:
    found = await rows(
        vault,
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND table_name NOT LIKE 'procrastinate%' AND table_name <> 'alembic_version'",
    )
    assert {(name, column) for name, columns in ALLOWED.items() for column in columns} == {tuple(row) for row in found}


# Bytes ------------------------------------------------------------------------------------------------------------

CANARIES: Final = {
    "words": "canario-verde-en-la-mina",
    "answer": "we-meet-you-by-the-fountain",
    "question": "are-you-safe-to-talk-canary",
    "number": "+15550177231",
    "chat": "7700112233445566",
    "step": "canary.step.of.the.flow",
    "reason": "knife-on-the-canary-table",
    "media": "https://media.example.org/canary/1",
    "arabic": "عصفور الكناري في المنجم",
    "hindi": "खदान में कैनरी पक्षी है",
    "responder": "Amina-Canary-Responder",
    "contact": "+15550199887",
    "member": "rosa-canary-member",
    "passphrase": "seven quiet canaries by the harbour",
    "totp": "CANARYCANARYCANARYCANARYCANARY22",
    "message id": "SMcanary0123456789abcdef",
    "code": new_code(lambda _: 314159265358979),
}


_COARSE: Final = 0.2  # seconds by which a file's time may lag behind the clock


async def files(cluster: Cluster, vault: Vault, since: float) -> list[bytes]:
    """Every file of the server that was written since: this database's tables, WAL, log, temporary files."""
    ((oid,),) = await rows(vault, "SELECT oid FROM pg_database WHERE datname = current_database()")
    async with vault.engine.connect() as connection:
        driver = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await driver.exec_driver_sql("CHECKPOINT")
    base = cluster.directory / "base"
    mine = (p for p in cluster.directory.rglob("*") if not p.is_relative_to(base) or p.parent == base / str(oid))
    return [found for path in mine if (found := _written(path, since))]


def _written(path: Path, since: float) -> bytes:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_mtime >= since else b""
    except FileNotFoundError:  # the server removes files of its own while we look
        return b""


async def logical(vault: Vault) -> list[bytes]:
    """Every row of every table as text: PostgreSQL may compress long values in its files."""
    names = await rows(vault, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [
        str(row).encode()
        for (name,) in names
        for (row,) in await rows(vault, f'SELECT t::text FROM "{name}" t')  # noqa: S608 - names from the catalogue
    ]


async def _a_person_tells(unit: Unit, pseudonyms: Pseudonyms) -> None:
    """Everything a turn keeps."""
    c = CANARIES
    who, chat = (await pseudonyms.of("sms", c["number"]))[0], (await pseudonyms.of("telegram", c["chat"]))[0]
    case = await unit.cases.open(language="es", channel="sms", level=Level.HIGH)
    await unit.cases.add(case, Entry(kind=EntryKind.ENVELOPE, channel="sms", address=c["number"]))
    for words in (c["words"], c["arabic"], c["hindi"]):
        await unit.cases.add(case, Entry(kind=EntryKind.PERSON, text=words, step=c["step"], media=(c["media"],)))
        await unit.unread_words.put(case.id, words, "es")
    reason = Reason(rule="weapon", level="high", words=c["reason"])
    await unit.cases.add(case, Entry(kind=EntryKind.REASONS, reasons=(reason,)))
    await unit.conversations.save(who, {"step": c["step"]}, case.id, turns=1)
    await unit.chat_messages.note(chat.value, 7)
    digest = unit.messages.digest("sms", c["message id"])
    await unit.messages.remember(digest, {"text": c["question"]})
    keys = code_keys(c["code"], unit.transaction.ring.salt, CHEAP)
    await unit.codes.give(case.id, keys)
    await unit.codes.leave(case.id, c["answer"])
    for kind, state in ((OutboxKind.ANSWER, OutboxState.WAITING), (OutboxKind.STAFF, OutboxState.HELD)):
        parcel = await unit.outbox.put(kind, "sms", c["number"], {"text": c["answer"]}, case_id=case.id, state=state)
        await unit.jobs.later("deliver", lock=who.value.hex(), parcel=str(parcel))
    await unit.outbox.set(parcel, OutboxState.ACCEPTED)
    unit.audit.add("case.opened", f"case:{case.code}")


async def _staff_work(vault: Vault) -> None:
    """Everything that is kept about people who work here."""
    c = CANARIES
    async with vault.unit() as unit:
        await unit.members.enrol(c["member"], c["passphrase"], Role.REVIEWER, totp_seed=c["totp"])
        contacts = (Contact(method="sms", value=c["contact"]), Contact(method="telegram", value=c["chat"]))
        await unit.responders.add(c["responder"], ["es"], contacts)
    async with vault.unit() as unit:
        wrong = prepare(c["member"], c["passphrase"], "000000", await unit.members.salt(c["member"]))
        await unit.members.sign_in(wrong)


async def test_no_byte_of_the_database_s_files_holds_what_people_said_or_who_they_are(
    cluster: Cluster, vault: Vault, pseudonyms: Pseudonyms
) -> None:
    since = time.time() - _COARSE
    await _staff_work(vault)
    async with vault.unit() as unit:
        await _a_person_tells(unit, pseudonyms)
    wanted = CANARIES | {"code as it is read": grouped(CANARIES["code"])}
    assert found_in(wanted, await files(cluster, vault, since)) == set()
    assert found_in(wanted, await logical(vault)) == set()


async def test_a_plain_value_would_have_been_found_in_any_encoding_even_after_it_was_deleted(
    cluster: Cluster, vault: Vault
) -> None:
    spoken = "a plain canary: ثلاثة"
    forms, since = list(encodings(spoken)), time.time() - _COARSE
    async with vault.engine.begin() as connection:
        for number, form in enumerate(forms):
            row = {"digest": bytes([number]) * 32, "epoch": 1, "sealed": form, "received_at": vault.now()}
            await connection.execute(insert(tables.messages).values(row))
        await connection.exec_driver_sql("DELETE FROM messages")
    haystacks = await files(cluster, vault, since)
    assert all(any(form in haystack for haystack in haystacks) for form in forms)
    assert found_in({"spoken": spoken}, haystacks) == {"spoken"}
    assert found_in({"spoken": "never said anywhere"}, haystacks) == set()


@pytest.mark.parametrize("form", [*encodings("seven canaries, ü")])
def test_every_encoding_is_seen_wherever_it_stands(form: bytes) -> None:
    assert found_in({"it": "seven canaries, ü"}, [b"x" * 5 + form + b"y"]) == {"it"}
