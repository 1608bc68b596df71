"""Talks on the canary line: agreed words and guesses at them, staff who write live, everything told in words at once,
a call that is played from recordings, and a carrier's stop word.

What is planted is in tests/canary_line.py; that nothing of it is left is found out by tests/test_canaries.py.
"""

import asyncio
import hashlib
from pathlib import Path

from bot.patience import WORDS
from bot.recordings import Recordings
from carriers.call import CallStatus
from carriers.handset import CallInHand, Chat, Phone
from dialogs.aloud import sheet
from dialogs.conversation import Mode
from tests.canary_line import ARABIC, FACTS, HINDI, LATIN, PATIENCE, Line
from tests.test_journeys import PHRASES, VALUES, cases, folded, says
from tests.world import Desk, World
from triage.levels import Level
from vault.keys import read_key_ring

HEARING = "bot.agreed:AgreedSpeech.unasked"
SAYING = "bot.takeover:TakeOver.write"
BREAKS = (HEARING, SAYING)  # what can break meanwhile
_PLAYED = "hi"  # callers in Hindi hear recordings
VOICES = f"voices: {{{_PLAYED}: recorded}}\n"  # of line.yml
_HEARD = ("safe", "way", "report.what", *("facts.where", *FACTS), "code.offer", "done")


def _twin(key: str) -> str:
    """What the line says for a phrase to somebody whose phone is looked at, as it arrives by SMS."""
    return folded(PHRASES.text(key, "en", Mode.DISCREET, VALUES))


async def _turns(phone: Phone, *turns: tuple[str, str]) -> None:
    """Text and wait for the neutral phrase, again and again."""
    for words, key in turns:
        await phone.text(words)
        await phone.receives(_twin(key), within=PATIENCE)


# Agreed words -----------------------------------------------------------------------------------------------------


async def agreed_words(line: Line, desk: Desk) -> None:
    """Both words are agreed on, said, and guessed at; what forces the person keeps back what staff write to them."""
    world, planted = line.world, line.planted
    phone, before = planted.caller(world, "the one who is watched"), cases(line.world)
    check, forced = planted.word("check word"), planted.word("duress word")
    story = f"The laundry of {planted.word('launderer')} does not pay its workers"
    await phone.text("hello")
    await phone.receives(folded(says("safe")), within=PATIENCE)
    await _turns(phone, ("3", "language"), ("1", "way"), ("2", "report.what"), (story, "facts.where"))
    await _turns(phone, *(("9", question) for question in FACTS), ("4", "guard.offer"), ("1", "guard.word"))
    await _turns(phone, (check, "guard.forced"), (forced, "guard.agreed"), ("2", "done"))
    (code,) = cases(world) - before
    await _turns(phone, ("hello", "again.word"), (check.upper(), "after.what"), (forced, "duress.calm"))
    calm = f"{planted.word('read over the shoulder')} asks who this is, and what I told you about them and her sister"
    await _turns(phone, (calm, "duress.calm"))
    await desk.do(code, "answer", text=f"Go to {planted.word('in an answer to the forced')} tonight.")
    state = "SELECT forced, level FROM cases WHERE code = %s"
    assert world.rows(state, code) == [(True, Level.EMERGENCY)]
    await _turns(phone, (check, "again.safe"))
    assert world.rows(state, code) == [(False, Level.EMERGENCY)]
    await phone.text("7")
    await phone.receives(within=PATIENCE)
    for guess in range(WORDS.burst + 1):  # more than are heard
        await phone.text(planted.word(f"guess {guess}"))
        await phone.receives(within=PATIENCE)
    await phone.text(check)
    assert _twin("after.what") not in (await phone.receives(within=PATIENCE)).text, "a guess too many"
    line.breaks.at(HEARING, forced)  # Twilio hands it over again
    await _turns(phone, (forced, "duress.calm"))
    assert world.rows(state, code) == [(True, Level.EMERGENCY)]


# Staff who write --------------------------------------------------------------------------------------------------


async def staff_write_live(line: Line, desk: Desk) -> None:
    """By SMS and on Telegram, while it breaks: both sides' words, until the line is back."""
    world, planted = line.world, line.planted
    phone, chat = planted.caller(world, "the one staff write with"), planted.chatter(world, "the one staff write with")
    code = await line.told(phone, f"The vineyard of {planted.word('vintner')} does not pay its pickers")
    await _live(line, desk, code, phone, Mode.DISCREET)
    before = cases(world)
    await chat.text(f"The bakery of {planted.word('baker')} does not pay its workers")
    await chat.receives(says("safe"), within=PATIENCE)
    await chat.press(says("label.yes"))
    await chat.receives(says("facts.where"), within=PATIENCE)
    (code,) = cases(world) - before
    for question in FACTS:
        await chat.text("9")
        await chat.receives(says(question), within=PATIENCE)
    await chat.text("2")
    await chat.receives(says("code.offer"), within=PATIENCE)
    await _live(line, desk, code, chat, Mode.PLAIN)


async def _live(line: Line, desk: Desk, code: str, person: Phone | Chat, mode: Mode) -> None:
    planted, how = line.planted, f"to a {type(person).__name__}"
    asked, told = planted.word(f"asked live {how}"), planted.word(f"told live {how}")
    await desk.do(code, "live")
    await person.receives(folded(PHRASES.text("live.here", "en", mode, VALUES)), within=PATIENCE)
    line.breaks.at(SAYING, asked)
    await desk.do(code, "live/say", expects=500, text=f"Do you know {asked}?")
    await desk.do(code, "live/say", text=f"Do you know {asked}?")
    await person.receives(asked, within=PATIENCE)
    await person.text(f"Yes, {told} sleeps in the cellar")
    for _ in range(int(PATIENCE)):
        if told in await desk.page(f"/cases/{code}"):
            break
        await asyncio.sleep(1)  # Telegram hands it over in its own time
    else:
        raise AssertionError("what they wrote to staff is not in the case")
    await desk.do(code, "live/end")
    await person.receives(folded(PHRASES.text("live.gone", "en", mode, VALUES)), within=PATIENCE)


# Told in words ----------------------------------------------------------------------------------------------------


async def everything_in_one_message(line: Line) -> None:
    """Places, names, how many, papers and wages are found in the words: by SMS, and on Telegram in three scripts."""
    world, planted = line.world, line.planted
    phone = planted.caller(world, "the one who tells all")
    boss, near = planted.word("boss who is told of"), planted.word("place that is told of", LATIN.upper())
    await line.heard(
        phone,
        (f"we r 12 men at the brick factory near {near} Mr {boss} holds our id cards no salary since may", "safe"),
    )
    await line.heard(phone, ("1", "heard.story"), ("1", "facts.when"))
    places = {"ar": planted.word("place told in Arabic", ARABIC), "hi": planted.word("place told in Hindi", HINDI)}
    arabic, hindi = planted.word("boss told of in Arabic", ARABIC), planted.word("boss told of in Hindi", HINDI)
    told = {
        "ar": f"احنا تسع رجال بغرفة وحدة بمزرعة المعلم {arabic} حاجز جوازاتنا وما بيدفعولنا شي",
        "hi": f"हम बारह आदमी भट्ठे पर हैं, मालिक {hindi} ने पासपोर्ट रख लिए और मज़दूरी नहीं दी",
    }
    for language, words in told.items():
        chat = planted.chatter(world, f"the one who tells all in {language}")
        await chat.text(words)
        await chat.receives(says("safe", language), within=PATIENCE)
        await chat.press(says("label.yes", language))
        await chat.receives(within=PATIENCE)  # what is asked next depends on what the engine made of it
        await chat.text(places[language])
        await chat.receives(within=PATIENCE)


# Recordings -------------------------------------------------------------------------------------------------------


def record(home: Path) -> None:
    """Everything that the line says in Hindi, recorded."""
    folder = home / "locales" / _PLAYED / "voice"
    folder.mkdir(parents=True)
    for name in sheet(PHRASES, _PLAYED, VALUES):
        (folder / f"{name}.wav").write_bytes(b"RIFF")


def recordings(home: Path) -> Recordings:
    """As the web process finds them."""
    ring = read_key_ring(home / "keyring")
    return Recordings([home / "locales"], {_PLAYED}, ring.service_key("recordings"))


async def a_call_that_is_played(line: Line, desk: Desk) -> None:
    """What is played may tell nobody who sees its address what was said, in which language and how openly."""
    world, planted = line.world, line.planted
    ours = recordings(world.home)
    for name in sheet(PHRASES, _PLAYED, VALUES):
        if name.startswith(_HEARD):
            planted.put(f"recording: {name}", name)
            for secret, whose in ((b"", "no key"), (world.made.twilio_auth_token.encode(), "the token as its key")):
                digest = hashlib.blake2b(f"{_PLAYED}/{name}".encode(), key=secret, digest_size=16)
                planted.put(f"address of {name}, had it {whose}", digest.hexdigest())
    before = cases(world)
    call = await planted.caller(world, "the one recordings are played to").call()
    for key, question in (("1", "safe"), ("4", "language")):  # 4: more languages
        await call.hears(says(question), within=PATIENCE)
        await call.press(key)
    await call.hears_sound(ours.address(_PLAYED, "language"), within=PATIENCE)
    await call.press("2")
    await _hears(call, ours, "way")
    await call.press("2")
    await _hears(call, ours, "report.what")
    await call.says(f"मालिक {planted.word('spoken in Hindi', HINDI)} मज़दूरों के पैसे नहीं देता")
    await _hears(call, ours, "facts.where")
    for question in FACTS:
        await call.press("9")
        await _hears(call, ours, question)
    await call.press("4")
    await _hears(call, ours, "code.offer")
    await call.press("9")
    await _hears(call, ours, "done")
    assert await call.ends(within=PATIENCE) is CallStatus.COMPLETED
    (code,) = cases(world) - before
    assert planted.all["word: spoken in Hindi"] in await desk.page(f"/cases/{code}")


def played(world: World) -> list[str]:
    """The addresses of all recordings that calls were told."""
    found = [str(event["source"]) for event in world.exchange.journal.since(0) if event["type"] == "play"]
    assert len(set(found)) > len(_HEARD), "callers were played nothing"
    return found


async def _hears(call: CallInHand, ours: Recordings, key: str) -> None:
    """The recording of a phrase, or the first part of it."""
    names = [name for name in sheet(PHRASES, _PLAYED, VALUES) if name.startswith(f"{key}.{Mode.PLAIN}")]
    await call.hears_sound(ours.address(_PLAYED, min(names)), within=PATIENCE)


# The stop word ----------------------------------------------------------------------------------------------------


async def stop_and_start(line: Line, desk: Desk) -> None:
    """After STOP nothing is sent; with START what waited comes, once they have said that it is safe."""
    world, planted = line.world, line.planted
    phone = planted.caller(world, "the one who stops and starts")
    code = await line.told(phone, f"The inn of {planted.word('innkeeper')} does not pay its cooks")
    await phone.text("STOP")
    waits = f"Write to {planted.word('in an answer between STOP and START')}."
    await desk.do(code, "answer", text=waits)
    held = "SELECT o.state FROM outbox o JOIN cases c ON c.id = o.case_id WHERE c.code = %s AND o.kind = 'staff'"
    await world.until(lambda: world.rows(held, code) == [("held",)], "it is not held", within=PATIENCE)
    await phone.text("START")
    await phone.text("hello")
    await phone.receives(folded(says("again.safe")), within=PATIENCE)
    await phone.text("1")
    await phone.receives(within=PATIENCE)
    await phone.text(f"{planted.word('the innkeeper is away')} has left, we can talk")
    await phone.receives(planted.all["word: in an answer between STOP and START"], within=PATIENCE)
