"""The tables. Every column is an id, a state, a rounded time, a digest under a secret key, or sealed bytes.

No column holds words, names, numbers or addresses in clear: a test walks this metadata, and another the bytes.
Times of what people did are rounded to the minute before they get here. Jobs are in procrastinate's own tables.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


def _time(name: str, *, empty: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=empty)


def _sealed(name: str = "sealed", *, empty: bool = False) -> Column[object]:
    return Column(name, LargeBinary, nullable=empty)


# Conversations -----------------------------------------------------------------------------------------------

conversations = Table(
    "conversations",
    metadata,
    Column("pseudonym", LargeBinary, primary_key=True),
    Column("epoch", Integer, nullable=False),
    _sealed(),  # dialogs.Conversation and the case it belongs to, locked in the epoch
    Column("turns", Integer, nullable=False),
    _time("touched_at"),
)

messages = Table(
    "messages",
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # keyed digest of the provider's id
    Column("epoch", Integer, nullable=False),
    _sealed(empty=True),  # the answer that was given, locked in the epoch; empty: no answer
    _time("received_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("case_id", Uuid, nullable=True),
    Column("epoch", Integer, nullable=False),
    _sealed(empty=True),  # address and answer, locked in the epoch; emptied once the provider took it
    Column("state", String(16), nullable=False),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("error", Integer, nullable=True),  # the provider's number
    _time("created_at"),
)

unread_words = Table(
    "unread_words",  # words that no engine has read yet; emptied as soon as one has
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("case_id", Uuid, nullable=False),
    Column("epoch", Integer, nullable=False),
    _sealed(),
    _time("created_at"),
)

copies = Table(
    "copies",  # what a provider still holds
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # keyed digest of the provider's id
    _sealed(empty=True),  # the id itself, locked for the service until the copy is gone
    Column("channel", String(16), nullable=False),
    Column("state", String(16), nullable=False),  # held | erased
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    _time("seen_at"),
    _time("erased_at", empty=True),
)

chat_messages = Table(
    "chat_messages",  # numbers of messages in a chat, so that `erase` can delete both sides'
    metadata,
    Column("pseudonym", LargeBinary, primary_key=True),
    Column("message", BigInteger, primary_key=True),
    _time("sent_at"),
)

# Cases -------------------------------------------------------------------------------------------------------

cases = Table(
    "cases",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("code", String(6), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("life_at_risk", Boolean, nullable=False, server_default="false"),
    Column("unread", Boolean, nullable=False),
    Column("waits", Boolean, nullable=False),  # the person wrote after the last answer
    Column("language", String(16), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("discreet", Boolean, nullable=False, server_default="false"),  # only neutral words go to this person
    Column("resting", Boolean, nullable=False, server_default="false"),  # they cannot talk now: nothing is sent
    Column("forced", Boolean, nullable=False, server_default="false"),  # the duress word was given: nothing is sent
    Column("envelope", Integer, nullable=False, server_default="0"),  # number of the entry that says where answers go
    Column("contact_rule", String(16), nullable=False, server_default=""),  # empty: nobody has chosen one
    Column("contact_hours", String(8), nullable=False, server_default=""),  # "08-12" when the rule is hours
    Column("member_id", Uuid, nullable=True),  # who has it
    Column("drill", Boolean, nullable=False, server_default="false"),  # an exercise: nobody's words
    _time("opened_at"),
    _time("waits_since", empty=True),  # since when the person has waited for an answer
    _time("changed_at"),
    _time("filed_at", empty=True),
    _time("closed_at", empty=True),
    _time("withdrawn_at", empty=True),  # the person took it back, and somebody first looks whether all are safe
    Index("ix_cases_queue", "state", "level", "opened_at"),
)

entries = Table(
    "entries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("case_id", Uuid, ForeignKey("cases.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    _sealed(),
    _time("at"),
    UniqueConstraint("case_id", "number"),
)

grants = Table(
    "grants",  # a case's private key, sealed to a team
    metadata,
    Column("case_id", Uuid, ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
    Column("team_id", Uuid, ForeignKey("teams.id"), primary_key=True),
    _sealed(),
)

case_locks = Table(
    "case_locks",  # what lies between a grant and a case's private key; erasing a case destroys it (vault/erasing.py)
    metadata,
    Column("case_id", Uuid, ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, nullable=False),  # of the erasure key it is locked under
    _sealed(),
)

erasure_keys = Table(
    "erasure_keys",  # the greatest number counts; the keys themselves are in the key ring
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    _time("begun_at"),
    _time("owed_since", empty=True),  # since when an erased case waits for the next key
)

codes = Table(
    "codes",
    metadata,
    Column("locator", LargeBinary, primary_key=True),
    Column("case_id", Uuid, ForeignKey("cases.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("known_to_staff", Boolean, nullable=False, server_default="false"),  # until the person has one of their own
    _time("created_at"),
)

waiting_answers = Table(
    "waiting_answers",  # answers sealed to a return code
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("locator", LargeBinary, ForeignKey("codes.locator", ondelete="CASCADE"), nullable=False, index=True),
    _sealed(),
    _time("created_at"),
)

# Paging ------------------------------------------------------------------------------------------------------

alerts = Table(
    "alerts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("case_id", Uuid, ForeignKey("cases.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("ringing", Boolean, nullable=False),
    Column("machine", JSON, nullable=False),  # triage.escalation.Alert: ids and states only
    _time("changed_at"),
)

pages = Table(
    "pages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("alert_id", Uuid, ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("responder_id", Uuid, nullable=True),  # empty: the outside number of the last resort
    Column("method", String(16), nullable=False),
    Column("contact", String(16), nullable=False, server_default=""),  # "sms-2": their second number for texts
    Column("state", String(16), nullable=False),
    Column("error", Integer, nullable=True),
    _time("created_at"),
    _time("sent_at", empty=True),
    _time("news_at", empty=True),
)

responders = Table(
    "responders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("position", Integer, nullable=False),
    _sealed(),  # name, languages, contact methods, hours: locked for the service, which must page at night
)

rota_changes = Table(
    "rota_changes",  # what changes the standing calendar of line.yml: stand-ins, and shifts of imported calendars
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),  # override | planned
    _time("starts_at"),
    _time("ends_at"),
    _sealed(),  # whom it is about, and the imported calendar's name: locked for the service
    _time("created_at"),
    Index("ix_rota_changes_ends_at", "ends_at"),
)

rota_feeds = Table(
    "rota_feeds",  # secret addresses of a responder's own calendar
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # keyed digest of the address's secret
    Column("responder_id", Uuid, ForeignKey("responders.id", ondelete="CASCADE"), nullable=False, index=True),
    _time("created_at"),
)

readiness = Table(
    "readiness",  # the question before a shift, one row for each of a responder's methods
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("responder_id", Uuid, ForeignKey("responders.id", ondelete="CASCADE"), nullable=False),
    Column("method", String(16), nullable=False),
    Column("contact", String(16), nullable=False),
    _time("shift_at"),
    _time("due_at"),
    Column("state", String(16), nullable=False),  # asked | ready | missed | failed
    Column("error", Integer, nullable=True),  # the provider's number
    Column("told", Boolean, nullable=False, server_default="false"),  # responder and coordinators know of it
    UniqueConstraint("responder_id", "contact", "shift_at"),
)

contacts = Table(
    "contacts",  # keyed digests, to recognise an acknowledgement's sender
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("responder_id", Uuid, ForeignKey("responders.id", ondelete="CASCADE"), nullable=False),
)

drills = Table(
    "drills",  # exercises and what they came to: never a word of a scenario
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("scenario", String(32), nullable=False),  # name of its file
    Column("language", String(16), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("slot", String(64), nullable=True, unique=True),  # place in the schedule: filled once, by whichever worker
    Column("case_id", Uuid, nullable=True),
    Column("expected_level", SmallInteger, nullable=False),
    Column("expected_page", Integer, nullable=False),  # seconds from the first message on; so are the next five
    Column("expected_acknowledge", Integer, nullable=False),
    Column("expected_answer", Integer, nullable=False),
    Column("level", SmallInteger, nullable=True),
    Column("page", Integer, nullable=True),
    Column("acknowledge", Integer, nullable=True),
    Column("answer", Integer, nullable=True),
    _time("begun_at"),
    _time("ended_at", empty=True),
)

# Staff -------------------------------------------------------------------------------------------------------

teams = Table(
    "teams",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    _time("created_at"),
    _time("retired_at", empty=True),
    Column("replaced_by", Uuid, nullable=True),  # the team whose key took over; grants move there
)

members = Table(
    "members",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("login", LargeBinary, nullable=False, unique=True),  # keyed digest of the sign-in name
    _sealed("name"),
    Column("role", String(16), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    _sealed("private_key"),  # wrapped by Argon2id(passphrase)
    _sealed("totp"),  # sealed to the member's own key: a second factor needs the first
    Column("totp_step", BigInteger, nullable=False, server_default="0"),  # last used: a code works once
    Column("failures", SmallInteger, nullable=False, server_default="0"),
    _time("locked_until", empty=True),
    _time("invited_until", empty=True),  # set: the passphrase is a one-time one, and lets in only to choose another
    Column("passkey_only", Boolean, nullable=False, server_default="false"),  # codes do not count any more
    _time("removed_at", empty=True),  # set: nothing of them opens; the name stays for the audit trail
)

memberships = Table(
    "memberships",  # a team's private key, sealed to a member
    metadata,
    Column("team_id", Uuid, ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True),
    Column("member_id", Uuid, ForeignKey("members.id", ondelete="CASCADE"), primary_key=True),
    _sealed(),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # of the cookie's first half
    Column("member_id", Uuid, ForeignKey("members.id", ondelete="CASCADE"), nullable=False),
    _sealed(),  # the member's private key, locked under the cookie's second half
    _time("created_at"),
    _time("used_at"),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("member_id", Uuid, ForeignKey("members.id", ondelete="CASCADE"), nullable=False, index=True),
    _sealed(),  # label, credential id and public key, sealed to the member's own key: as `totp`
    Column("uses", BigInteger, nullable=False, server_default="0"),  # the authenticator's own counter, if it has one
    _time("created_at"),
)

spent_challenges = Table(
    "spent_challenges",  # challenges that were answered, until they are too old to be answered anyway
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    _time("spent_at"),
)

recoveries = Table(
    "recoveries",  # the key pair whose private half is on two sheets of paper and nowhere else
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    _time("created_at"),
)

recovery_grants = Table(
    "recovery_grants",  # a team's private key, sealed to the recovery key
    metadata,
    Column("team_id", Uuid, ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True),
    Column("recovery_id", Uuid, ForeignKey("recoveries.id", ondelete="CASCADE"), primary_key=True),
    _sealed(),
)

# Proof -------------------------------------------------------------------------------------------------------

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _time("at"),
    Column("actor", String(48), nullable=False),  # "system" or "member:<id>"
    Column("action", String(32), nullable=False),
    Column("subject", String(64), nullable=False),  # "case:<code>", "epoch:3", never words
    Column("hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
