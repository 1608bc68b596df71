"""A console on a fresh database, with staff, cases and a clock that tests move. Real vault, real keys, real HTTP."""

import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pyotp
import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from console.actions import Held, Presence
from console.app import build
from console.setup import Scenario, Setup
from triage.alerts import Alert, AlertState
from triage.drills import Shift
from triage.hours import read_window
from triage.levels import Level
from triage.policy import TriagePolicy
from triage.review import CaseState
from triage.rota import Method, MethodKind, Override, Responder, Rota
from triage.turns import Rotation
from vault.cases import Case, Entry, EntryKind, Reason
from vault.credentials import prepare
from vault.delivery import OutboxKind, OutboxState
from vault.keys import init_key_ring
from vault.members import Member, Role
from vault.paging import Contact, StoredAlert
from vault.sealing import Effort
from vault.unit import Unit, Vault, database_engine, job_app

PASSPHRASE = "seven quiet lanterns by the harbour"
ADDRESS = "+15550100777"
START = datetime(2026, 3, 2, 9, 30, 20, tzinfo=UTC)
QUESTIONS = {"report.what": "What happened?", "contact.rule": "How may we contact you?", "way": "What do you need?"}
CHOICES = {"contact.rule:neutral": "With neutral words only", "way:help": "I need help"}
LANGUAGES = {"en": "English", "es": "Spanish", "ar": "Arabic", "hi": "Hindi", "zh": "Chinese", "fr": "French"}
SCENARIOS = (
    Scenario(name="night_worker", title="Somebody locked in", language="es", shift=Shift.NIGHT),
    Scenario(name="far_away", title="Nobody speaks it", language="zh", shift=Shift.DAY, trouble="the line is mute"),
)

Client = TestClient[web.Request, web.Application]


class Clock:
    """The time, until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def later(self, **by: float) -> None:
        """Let time pass; arguments of timedelta."""
        self.now += timedelta(**by)


@dataclass(slots=True)
class FakeActions:
    """What the bot would do: a real parcel in the real outbox, everything else only remembered."""

    held: str = ""
    fate: OutboxState = OutboxState.WAITING
    broken: Exception | None = None
    answers: list[tuple[str, str, str]] = field(default_factory=list)
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    closings: list[str] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)
    raised: list[tuple[str, Level]] = field(default_factory=list)
    drills: list[str] = field(default_factory=list)
    nobody: str = ""
    writes: dict[str, uuid.UUID] = field(default_factory=dict)
    reached: list[tuple[str, str]] = field(default_factory=list)
    told: list[tuple[str, ...]] = field(default_factory=list)

    async def answer(self, unit: Unit, case: Case, *, channel: str, address: str, text: str, member: Member) -> str:
        """Put the parcel out, or refuse as the test wishes."""
        if self.broken:
            raise self.broken
        if self.held:
            raise Held(self.held)
        self.answers.append((channel, address, text))
        parcel = await unit.outbox.put(
            OutboxKind.STAFF, channel, address, {"text": text}, case_id=case.id, state=self.fate
        )
        return str(parcel)

    async def written_down(self, unit: Unit, case: Case, text: str) -> None:
        """Remember it."""
        self.written.append((case.code, text))

    async def acknowledge(self, unit: Unit, case: Case, member: Member) -> None:
        """As the pager would: the member is among those who have it, and with enough of them it falls silent."""
        self.acknowledged.append((case.code, member.name))
        stored = await unit.alerts.of_case(case.id)
        if stored:
            acks = [*stored.machine["acks"], str(member.id)]
            rings = len(acks) < int(stored.machine["needed"])
            machine = {**stored.machine, "acks": acks, "state": "ringing" if rings else "acknowledged"}
            await unit.alerts.save(StoredAlert(id=stored.id, case_id=case.id, ringing=rings, machine=machine))

    async def presence(self, unit: Unit, case: Case, envelope: Entry | None) -> Presence:
        """Whoever took it over, or the refusal that the test wishes."""
        if case.code in self.writes:
            return Presence(member=self.writes[case.code])
        return Presence(refusal=self.nobody) if self.nobody else Presence(announced="A person is writing with you now.")

    async def take_over(self, unit: Unit, case: Case, envelope: Entry | None, member: Member) -> uuid.UUID | None:
        """Remember who writes, or refuse as the test wishes."""
        if self.nobody:
            raise Held(self.nobody)
        before = self.writes.get(case.code)
        self.writes[case.code] = member.id
        await unit.queue_changed()
        return before if before != member.id else None

    async def write(self, unit: Unit, case: Case, envelope: Entry | None, text: str, member: Member) -> str:
        """Put the parcel out, if this member still writes."""
        if self.writes.get(case.code) != member.id or envelope is None:
            raise Held("You are not writing with them any more.")
        self.reached.append((envelope.address, text))
        parcel = await unit.outbox.put(
            OutboxKind.STAFF, envelope.channel, envelope.address, {"words": text}, case_id=case.id, state=self.fate
        )
        return str(parcel)

    async def hand_back(self, unit: Unit, case: Case, envelope: Entry | None, member: Member) -> bool:
        """Nobody writes any more."""
        if self.writes.get(case.code, member.id) != member.id:
            raise Held("You are not writing with them any more.")
        return self.writes.pop(case.code, None) is not None

    async def closed(self, unit: Unit, case: Case, member: Member) -> None:
        """Remember it."""
        self.closings.append(case.code)

    async def begin_drill(self, unit: Unit, name: str, member: Member) -> None:
        """Remember it, or refuse as the test wishes."""
        if self.held:
            raise Held(self.held)
        self.drills.append(name)

    async def raise_level(self, unit: Unit, case: Case, level: Level, member: Member) -> None:
        """Remember it."""
        self.raised.append((case.code, level))

    async def swapped(self, unit: Unit, about: Sequence[str], *, start: datetime, member: Member) -> None:
        """Remember it."""
        self.told.append(tuple(about))


@dataclass(slots=True, kw_only=True)
class Bench:
    """Everything a test of the console touches."""

    vault: Vault
    clock: Clock
    actions: FakeActions
    failures: list[tuple[str, str]] = field(default_factory=list)
    seeds: dict[str, str] = field(default_factory=dict)
    rota: Rota = field(default_factory=Rota)

    def app(self, *, secure: bool = False, address: str = "") -> web.Application:
        """The console under test."""

        async def metrics() -> str:
            async with self.vault.unit() as unit:
                held, _ = await unit.copies.held()
            return f"harborline_copies_held {held}\n"

        async def rota(unit: Unit) -> Rota:
            now = unit.transaction.now
            changes = await unit.rota_changes.between(now - timedelta(days=8), now + timedelta(days=62))
            swaps = tuple(
                Override(start=c.start, end=c.end, responder=c.responder, replaces=c.replaces) for c in changes
            )
            return replace(self.rota, overrides=swaps)

        return build(
            vault=self.vault,
            setup=Setup(
                line_name="Open Door",
                languages=LANGUAGES,
                policy=TriagePolicy(),
                rota=rota,
                address=address,
                secure_cookie=secure,
                questions=QUESTIONS,
                choices=CHOICES,
                scenarios=lambda: SCENARIOS,
                troubles={21610: "The person has written STOP."},
            ),
            actions=self.actions,
            metrics=metrics,
            failure=lambda event, error: self.failures.append((event, type(error).__name__)),
        )

    async def enrol(self, *names: str) -> None:
        """Add members; the first founds the team, and shares its key with the others."""
        for name in names:
            async with self.vault.unit() as unit:
                founder = next(iter(self.seeds), "")
                by = await unit.members.open(await self._cookie(unit, founder)) if founder else None
                enrolled = await unit.members.enrol(name, PASSPHRASE, Role.REVIEWER, by=by)
                self.seeds[name] = enrolled.totp_seed

    async def _cookie(self, unit: Unit, name: str) -> str:
        found = await unit.members.sign_in(prepare(name, PASSPHRASE, self.totp(name), await unit.members.salt(name)))
        assert isinstance(found, tuple)
        self.clock.later(seconds=30)
        return found[1].value

    def totp(self, name: str) -> str:
        """The code that this member's authenticator shows now."""
        return pyotp.TOTP(self.seeds[name]).at(self.clock.now)

    async def case(
        self,
        *said: str,
        level: Level = Level.STANDARD,
        language: str = "es",
        channel: str = "sms",
        rules: Sequence[str] = ("unpaid",),
        words: str = "",
        state: CaseState = CaseState.OPEN,
        address: str = ADDRESS,
        life: bool = False,
    ) -> str:
        """A case with what the person said; gives its code."""
        async with self.vault.unit() as unit:
            case = await unit.cases.open(language=language, channel=channel, level=level)
            for text in said:
                entry = Entry(kind=EntryKind.PERSON, text=text, step="report.what", language=language, channel=channel)
                await unit.cases.add(case, entry)
            reasons = tuple(Reason(rule=rule, level=level.word, words=words) for rule in rules)
            await unit.cases.add(case, Entry(kind=EntryKind.REASONS, reasons=reasons))
            if address:
                await unit.cases.add(case, Entry(kind=EntryKind.ENVELOPE, channel=channel, address=address))
            await unit.cases.change(case.id, state=state, life_at_risk=life)
            await unit.queue_changed()
        return case.code

    async def says(self, code: str, text: str, *, step: str = "", choice: str = "") -> None:
        """The person writes again."""
        async with self.vault.unit() as unit:
            case = await unit.cases.by_code(code)
            await unit.cases.add(
                case, Entry(kind=EntryKind.PERSON, text=text, step=step, choice=choice, language=case.language)
            )
            await unit.cases.change(case.id, waits=True)
            await unit.queue_changed()

    async def rings(self, code: str, *, needed: int = 1) -> StoredAlert:
        """The case has an alert that looks for people, with one page on its way to the first responder."""
        async with self.vault.unit() as unit:
            case = await unit.cases.by_code(code)
            machine = Alert(
                id=str(uuid.uuid4()),
                level=case.level,
                language=case.language,
                needed=needed,
                state=AlertState.RINGING,
            )
            alert = StoredAlert(id=uuid.UUID(machine.id), case_id=case.id, ringing=True, machine=machine.to_json())
            await unit.alerts.save(alert)
            people = await unit.responders.all()
            if people:
                await unit.alerts.add_page(uuid.uuid4(), alert.id, people[0].id, "sms")
            await unit.queue_changed()
        return alert

    async def responder(
        self, name: str, *languages: str, number: str = "+15550100901", coordinator: bool = False
    ) -> None:
        """Somebody who can be paged."""
        async with self.vault.unit() as unit:
            added = await unit.responders.add(name, languages, [Contact(method="sms", value=number)])
        method = Method(kind=MethodKind.SMS, contact=f"{added}/sms")
        person = Responder(id=str(added), name=name, languages=languages, methods=(method,), coordinator=coordinator)
        self.rota = Rota(responders=(*self.rota.responders, person))

    def calendar(self, *windows: str, days: int = 1) -> None:
        """Everybody there is takes turns, within these hours."""
        layer = Rotation(
            id="First",
            members=tuple(person.id for person in self.rota.responders),
            start=START.date() - timedelta(days=START.weekday()),
            days=days,
            windows=tuple(read_window(text) for text in windows),
        )
        self.rota = replace(self.rota, layers=(layer,))

    async def stored(self, code: str) -> Case:
        """What the service itself knows of a case."""
        async with self.vault.unit() as unit:
            return await unit.cases.by_code(code)

    async def audit(self) -> list[tuple[str, str, str]]:
        """Actor, action and subject of every line, oldest first."""
        async with self.vault.unit() as unit:
            lines = await unit.audit.lines(limit=1000)
        return [(line.actor, line.action, line.subject) for line in reversed(lines)]


@pytest.fixture
def cheap_stretching(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase is stretched for a tenth of a second, by intention; not four times in each of these tests."""
    monkeypatch.setattr("vault.credentials.PASSPHRASE_EFFORT", Effort(passes=1, lanes=1, memory=64))


@pytest.fixture
async def bench(database_url: str, tmp_path: Path, cheap_stretching: None) -> AsyncIterator[Bench]:
    """A console's world."""
    async with bench_on(database_url, tmp_path / "ring") as made:
        yield made


@pytest.fixture
async def browser(bench: Bench) -> AsyncIterator["Browser"]:
    """Somebody at the console, not signed in."""
    async with browsing(bench) as somebody:
        yield somebody


@pytest.fixture
async def noor(browser: "Browser") -> "Browser":
    """Noor, signed in."""
    assert (await browser.sign_in("Noor")).status == 303
    return browser


@asynccontextmanager
async def bench_on(url: str, directory: Path) -> AsyncIterator[Bench]:
    """A bench on this database, with two members: Noor and Tomas."""
    clock = Clock()
    vault = Vault(engine=database_engine(url), jobs=job_app(url), ring=init_key_ring(directory), now=clock)
    bench = Bench(vault=vault, clock=clock, actions=FakeActions())
    try:
        await bench.enrol("Noor", "Tomas")
        yield bench
    finally:
        await vault.close()


@asynccontextmanager
async def browsing(bench: Bench, *, secure: bool = False, address: str = "") -> AsyncIterator["Browser"]:
    """Somebody at the console, not signed in."""
    async with TestClient(TestServer(bench.app(secure=secure, address=address))) as client:
        yield Browser(client, bench)


class Browser:
    """What a browser does, without a browser: follows nothing by itself, and takes tokens from the pages."""

    def __init__(self, client: Client, bench: Bench) -> None:
        self.client = client
        self.bench = bench

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body, without following."""
        async with self.client.get(path, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, form: Mapping[str, str], **headers: str) -> ClientResponse:
        """Send a form as it stands. Names of headers have _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.client.post(path, data=form, allow_redirects=False, headers=named)
        await answer.read()
        return answer

    async def sign_in(self, name: str = "Noor", **other: str) -> ClientResponse:
        """Send the sign-in form; `other` replaces fields. The next code is ready afterwards."""
        fields = {"name": name, "passphrase": PASSPHRASE, **other}
        if "totp" not in fields:
            fields["totp"] = self.bench.totp(name)
        answer = await self.post("/signin", fields)
        if answer.status == 303:
            self.bench.clock.later(seconds=30)
        return answer

    async def token(self) -> str:
        """The token of this session's forms."""
        _, page = await self.get("/oncall")
        return field_of(page, "token")

    async def act(self, code: str, what: str, **fields: str) -> ClientResponse:
        """Open the case, fill in one of its forms, send it."""
        _, page = await self.get(f"/cases/{code}")
        form = {"token": field_of(page, "token"), "seen": _seen(page), **fields}
        return await self.post(f"/cases/{code}/{what}", form)

    async def member_id(self, name: str) -> str:
        """The id of a member."""
        async with self.bench.vault.unit() as unit:
            return next(str(m.id) for m in await unit.members.all() if m.name == name)

    @property
    def cookie(self) -> str:
        """What the browser keeps."""
        return next((c.value for c in self.client.session.cookie_jar if c.key.endswith("harborline")), "")

    @cookie.setter
    def cookie(self, value: str) -> None:
        self.client.session.cookie_jar.clear()
        self.client.session.cookie_jar.update_cookies({"harborline": value}, self.client.make_url("/"))


def field_of(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"the page has no field {name}"
    return unescape(found[1])


def _seen(page: str) -> str:
    found = re.search(r'name="seen" value="(\d+)"', page)
    return found[1] if found else "0"


def words_of(page: str) -> str:
    """The text of a page as a reader meets it, in one line."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    body = re.sub(r"</?bdi>", "", body)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())
