"""Something breaks in every room while it holds what a person said or who they are; and what follows from it.

The exception quotes all it can see. Whoever waits gets an answer that lets them, or their provider, try again; then
all goes on. That nothing of it is left anywhere is found out by tests/test_canaries.py.
"""

import asyncio
from dataclasses import dataclass, replace

import aiohttp
import pyotp

from carriers.handset import Phone
from tests.breaks import ALWAYS
from tests.canary_line import PATIENCE, Line
from tests.test_journeys import cases, says
from tests.world import Desk


@dataclass(frozen=True, slots=True)
class Place:
    """A function, and whether it breaks once its work is done."""

    name: str
    after: bool = False


BY_TEXT = (
    Place("channels.signed:parse_form"),
    Place("channels.sms:_incoming"),
    Place("bot.reading:read"),
    Place("vault.pseudonyms:Pseudonyms.of"),
    Place("understanding.understand:Understanding.understand"),
    Place("understanding.understand:_meaning"),
    Place("triage.assess:assess"),
    Place("dialogs.engine:advance"),
    Place("dialogs.walking:ask"),
    Place("bot.report:Report.keep"),
    Place("vault.cases:Cases.add"),
    Place("vault.sealing:seal"),
    Place("vault.conversations:Conversations.save"),
    Place("bot.wording:Wording.answer"),
    Place("bot.turn:Turns._commit", after=True),
)
BY_CHAT = (
    Place("channels.updates:read"),
    Place("vault.delivery:Outbox.put"),
    Place("bot.turn:Turns._commit", after=True),
    Place("channels.telegram:Telegram.send"),
    Place("vault.conversations:ChatMessages.note"),
)
ELSEWHERE = (
    *("channels.voice:_started", "channels.voice:_stepped", "channels.twilio:Twilio.text"),
    *("vault.conversations:UnreadWords.look", "channels.telegram:Telegram.erase", "bot.sending:Sending._send"),
    *("console.changes:_send", "console.cases:_moment", "vault.credentials:prepare"),
)
_AT_ONCE = 3  # texts: Twilio's two tries together get 15 seconds, also on a busy machine
NAMES = (*dict.fromkeys([*(place.name for place in (*BY_TEXT, *BY_CHAT)), *ELSEWHERE]),)
ROOMS = {"bot", "channels", "console", "dialogs", "triage", "understanding", "vault"}


async def breaks_in_every_room(line: Line, desk: Desk) -> None:
    """All of it."""
    before = cases(line.world)
    for begin in range(0, len(BY_TEXT), _AT_ONCE):
        await asyncio.gather(*(_a_text(line, place) for place in BY_TEXT[begin : begin + _AT_ONCE]))
    written = cases(line.world) - before
    kept = "SELECT count(*) FROM entries e JOIN cases c ON c.id = e.case_id WHERE kind = 'person' AND code = ANY(%s)"
    assert len(written) == len(BY_TEXT)
    assert line.world.rows(kept, [*written]) == [(len(BY_TEXT),)], "each text is there once, though it came twice"
    for place in BY_CHAT:
        await _a_chat(line, place)
    await asyncio.gather(_a_call_that_begins(line), _a_call_that_goes_on(line))
    await _an_answer(line, desk)
    await _a_sign_in(line)
    await _a_job_that_fails_for_ever(line, desk)
    assert line.breaks.rooms() == ROOMS
    assert not line.breaks.unstruck()


def _statuses(line: Line, phone: Phone, since: int) -> list[int | None]:
    """What the line answered to the webhooks about this phone."""
    replies = line.world.exchange.webhooks[since:]
    return [reply.status for reply in replies if reply.webhook.fields.get("From") == phone.number]


async def _a_text(line: Line, place: Place) -> None:
    """The first try is refused for now, Twilio's second one is answered: from what was stored, where it was."""
    where = f"{place.name}{' after' if place.after else ''}"
    person, word = line.planted.caller(line.world, f"the one at {where}"), line.planted.word(f"at {where}")
    line.breaks.at(place.name, person.number if "Pseudonyms" in where else word, after=place.after)
    since = len(line.world.exchange.webhooks)
    await person.text(f"The mill of {word} does not pay its workers")
    statuses = _statuses(line, person, since)[:2]
    assert statuses == [503, 200], (where, statuses)
    await person.receives(says("safe"), within=PATIENCE)


async def _a_chat(line: Line, place: Place) -> None:
    """Telegram sends again until it was taken; what the worker could not send is sent by the next try of its job."""
    where = f"{place.name} on Telegram{' after' if place.after else ''}"
    chat, word = line.planted.chatter(line.world, f"the one at {where}"), line.planted.word(f"at {where}")
    begun = line.breaks.struck(place.name, after=place.after)
    line.breaks.at(place.name, str(chat.id), after=place.after)
    await chat.text(f"The kiln of {word} does not pay its workers")
    await chat.receives(says("safe"), within=PATIENCE)

    def struck() -> bool:
        return line.breaks.struck(place.name, after=place.after) == begun + 1

    await line.world.until(struck, f"nothing broke at {where}", within=PATIENCE)


async def _a_call_that_begins(line: Line) -> None:
    """Twilio asks again, as docs/operating.md sets it up, and the caller hears the first question."""
    exchange = line.world.exchange
    set_up = exchange.lines[exchange.voice_line]
    exchange.add_line(replace(set_up, voice_url=f"{set_up.voice_url}#rc=3&rp=5xx"))
    caller = line.planted.caller(line.world, "the caller whose call breaks")
    line.breaks.at("channels.voice:_started", caller.number)
    call = await caller.call()
    await call.hears(says("safe"), within=PATIENCE)
    await call.hang_up()


async def _a_call_that_goes_on(line: Line) -> None:
    """What was said is lost with the call, and Twilio says so; whoever calls again is heard."""
    caller = line.planted.caller(line.world, "the caller whose words break")
    word = line.planted.word("spoken while it breaks")
    line.breaks.at("channels.voice:_stepped", word)
    for broken in (True, False):
        call = await caller.call()
        await call.hears(says("safe"), within=PATIENCE)
        await call.says(f"The ship of {word} does not pay its crew")
        if broken:
            await call.ends(within=PATIENCE)
        else:
            await call.hears(within=PATIENCE)
            await call.hang_up()


async def _an_answer(line: Line, desk: Desk) -> None:
    """The console keeps nothing of what broke, and says so; the provider gets what its channel could not send."""
    world, planted, breaks = line.world, line.planted, line.breaks
    person, told, word = (
        planted.caller(world, "the one whose answer breaks"),
        planted.word("read while it breaks"),
        planted.word("answered while it breaks"),
    )
    code = await line.told(person, f"The laundry of {told} does not pay its workers")
    breaks.at("console.cases:_moment", told)
    assert "broken" in await _broken(desk, f"/cases/{code}")
    breaks.at("console.changes:_send", word)
    await desk.do(code, "answer", expects=500, text=f"Go to {word} tomorrow.")
    breaks.at("channels.twilio:Twilio.text", person.number)
    await desk.do(code, "answer", text=f"Go to {word} tomorrow.")
    await person.receives(word, within=PATIENCE)


async def _broken(desk: Desk, path: str) -> str:
    async with desk.session.get(desk.url + path) as answer:
        assert answer.status == 500
        return await answer.text()


async def _a_sign_in(line: Line) -> None:
    """With the right passphrase and the right code, twice: the first one breaks."""
    member = line.world.made.staff[1]
    line.breaks.at("vault.credentials:prepare", member.passphrase)
    url = f"http://127.0.0.1:{line.world.ports.console}"
    form = {"name": member.name, "passphrase": member.passphrase, "totp": pyotp.TOTP(member.totp_seed).now()}
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{url}/signin", data=form, headers={"Origin": url}) as answer:
            assert answer.status == 500
        async with session.get(f"{url}/queue", allow_redirects=False) as answer:
            assert answer.status == 303, "what broke lets nobody in"
    await line.world.desk(1)


async def _a_job_that_fails_for_ever(line: Line, desk: Desk) -> None:
    """After its last try it is kept as failed, for a human to see."""
    world, breaks, place = line.world, line.breaks, "bot.sending:Sending._send"
    person, word = line.planted.caller(world, "the one never answered"), line.planted.word("never sent")
    code = await line.told(person, "The restaurant does not pay its cooks")
    breaks.at(place, word, times=ALWAYS)
    await desk.do(code, "answer", text=f"Ask {word} about it.")
    await world.until(lambda: breaks.struck(place) > 0, "the job was not begun", within=PATIENCE)
    tried = "UPDATE procrastinate_jobs SET attempts = 100 WHERE task_name = 'deliver' AND attempts > 0 RETURNING id"
    failed = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'deliver' AND status = 'failed'"
    await world.until(lambda: bool(world.rows(tried)), "the job is not tried again", within=PATIENCE)
    await world.until(lambda: world.rows(failed) == [(1,)], "the job has not failed", within=PATIENCE)
    breaks.mend(place)
