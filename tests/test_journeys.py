"""What people go through, from the first message to the answer, through real processes and practice carriers."""

import io
import re
import tarfile
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from carriers.call import CallStatus
from carriers.handset import CallInHand, Phone
from dialogs.conversation import Mode
from dialogs.phrases import load_phrases
from tests.world import Desk, World

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("world"),
    pytest.mark.slow,
    pytest.mark.usefixtures("quiet"),
]

PHRASES = load_phrases()
VALUES = {"line": "Harborline", "cover": "Corner Laundry", "emergency": "911"}


def says(key: str, language: str = "en", **values: str) -> str:
    """What the line says for a phrase."""
    return PHRASES.text(key, language, Mode.PLAIN, {**VALUES, **values})


async def answered(phone: Phone, text: str, key: str, language: str = "en") -> str:
    """Text something, and wait for an answer that holds this phrase; gives the whole answer."""
    await phone.text(text)
    return (await phone.receives(folded(says(key, language)), within=15)).text


async def picked_up(phone: Phone) -> CallInHand:
    """The next call that still rings when a hand reaches it; calls of earlier tests have long given up."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        call = await phone.rings(within=60)
        if call.state is CallStatus.RINGING:
            call.answer()
            return call
    raise AssertionError("every call had stopped ringing")


def folded(text: str) -> str:
    """As it arrives by SMS, where typographic characters become plain ones."""
    return text.replace("’", "'").replace("«", '"').replace("»", '"').replace("\u202f", " ").replace("\u00a0", " ")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(world: World) -> AsyncIterator[Desk]:
    """The first member of staff, signed in once."""
    yield await world.desk()


def cases(world: World) -> set[str]:
    """Codes of all cases."""
    return {row[0] for row in world.rows("SELECT code FROM cases")}


def pages(world: World, code: str) -> list[tuple[Any, ...]]:
    """Pages of a case: method and state."""
    return list(
        world.rows(
            "SELECT p.method, p.state FROM pages p JOIN alerts a ON a.id = p.alert_id "
            "JOIN cases c ON c.id = a.case_id WHERE c.code = %s ORDER BY p.created_at",
            code,
        )
    )


async def test_a_spanish_text_that_turns_dangerous_pages_until_a_human_has_it_and_is_answered(
    world: World, desk: Desk
) -> None:
    before = cases(world)
    person, amina, bilal = world.phone(), world.responder_chat("Amina"), world.responder_phone("Bilal")
    await answered(person, "Hola, trabajo limpiando una casa y la señora no me paga", "safe", "es")
    await person.text("1")
    await person.receives(within=15)  # what they told is read back to them
    danger = "Me tiene encerrada y esta noche vuelve con un cuchillo, dice que me va a matar"
    answer = await answered(person, danger, "danger.number", "es")
    assert "911" in answer

    (code,) = cases(world) - before
    first = await amina.receives(code, within=15)  # speaks Spanish, so she is asked first, and is silent
    assert says("level.emergency", "es") in first.text
    page = await bilal.receives(code, within=40)
    for word in ("encerrada", "cuchillo", "matar", "señora", person.number):
        assert word not in first.text
        assert word not in page.text
    await bilal.text(code)
    await bilal.receives(says("page.taken", "ar", code=code, link="").strip(), within=10)
    assert (await amina.receives(code, within=10)).text  # she is told who has it, and can rest

    queue = await desk.queue()
    assert code in queue
    assert "Emergency" in queue
    case = await desk.page(f"/cases/{code}")
    assert "cuchillo" in case
    assert "Spanish" in case
    await desk.do(code, "answer", text="Estamos con usted. La policía va en camino.")
    await person.receives("Estamos con usted", within=15)


async def test_an_arabic_call_by_keypad_alone_is_filed_with_a_code(world: World, desk: Desk) -> None:
    before = cases(world)
    call = await world.phone().call()
    await call.hears(says("safe"), within=15)
    await call.press("1")
    await call.hears(says("language"), within=15)
    await call.press("4")  # more
    await call.hears("العربية", within=15)
    await call.press("1")
    await call.hears(says("way", "ar"), within=15)
    await call.press("2")
    await call.hears(says("report.what", "ar"), within=15)
    await call.press("9")
    for question, key in (("facts.where", "9"), ("facts.when", "1"), ("facts.who", "4"), ("facts.still", "1")):
        await call.hears(says(question, "ar"), within=15)
        await call.press(key)
    await call.hears(says("contact.rule", "ar"), within=15)
    await call.press("1")
    await call.hears(says("code.offer", "ar"), within=15)
    await call.press("1")
    spoken = await call.hears(says("code.give", "ar", code="*").split("*", maxsplit=1)[0].strip(), within=20)
    digits = re.sub(r"\D", "", spoken)[:16]
    assert len(digits) == 16
    await call.press(f"{digits[-4:]}#")
    await call.hears(says("done", "ar"), within=15)
    assert (await call.ends(within=15)).value == "completed"
    (code,) = cases(world) - before
    page = await desk.page(f"/cases/{code}")
    assert "Arabic" in page
    assert world.rows("SELECT contact_rule FROM cases WHERE code = %s", code) == [("never_first",)]


async def test_an_arabic_call_by_speech_pages_at_once(world: World) -> None:
    before = cases(world)
    call = await world.phone().call()
    await call.hears(says("safe"), within=15)
    await call.press("1")
    await call.hears(says("language"), within=15)
    await call.press("4")  # more
    await call.hears("العربية", within=15)
    await call.press("1")
    await call.hears(says("way", "ar"), within=15)
    await call.says("ساعدوني، صاحب العمل حبسني في الغرفة ويضربني الآن ومعه سكين")
    await call.hears("911", within=15)
    await call.hang_up()
    (code,) = cases(world) - before
    page = await world.responder_chat("Bilal").receives(code, within=20)
    assert "سكين" not in page.text
    await world.responder_chat("Bilal").press(says("page.take", "ar"), within=10)
    await world.until(
        lambda: (
            world.rows("SELECT ringing FROM alerts a JOIN cases c ON c.id = a.case_id WHERE code = %s", code)
            == [(False,)]
        ),
        "taken by a button, and still ringing",
    )


async def test_hindi_on_telegram_with_buttons_and_then_in_latin_letters(world: World, desk: Desk) -> None:
    before = cases(world)
    chat = world.chat()
    await chat.text("नमस्ते, मुझे एक बात बतानी है")
    await chat.receives(says("safe", "hi"), within=15)
    await chat.press(says("label.yes", "hi"))
    await chat.receives(says("way", "hi"), within=15)
    await chat.press(says("way.report", "hi"))
    await chat.receives(says("report.what", "hi"), within=15)
    await chat.text("bhatte par sab mazdooron ka paisa rok liya hai aur passport bhi malik ke paas hai")
    await chat.receives(says("facts.where", "hi"), within=15)
    (code,) = cases(world) - before
    page = await desk.page(f"/cases/{code}")
    assert "bhatte par sab mazdooron" in page
    assert "Hindi" in page
    await desk.do(code, "answer", text="धन्यवाद, हम देख रहे हैं")
    await chat.receives("धन्यवाद, हम देख रहे हैं", within=15)


async def test_a_calm_tip_reaches_the_queue_and_wakes_nobody(world: World, desk: Desk) -> None:
    before = cases(world)
    person = world.phone()
    await answered(person, "I saw an advert for waiters abroad that looks strange, they ask for money first", "safe")
    await answered(person, "1", "facts.where")
    for question in ("facts.when", "facts.who", "facts.still", "contact.rule", "code.offer", "done"):
        await answered(person, "9", question)
    (code,) = cases(world) - before
    assert code in await desk.queue()
    assert pages(world, code) == []
    assert world.rows("SELECT state FROM cases WHERE code = %s", code) == [("open",)]
    await desk.do(code, "assign", member=str(world.rows("SELECT id FROM members LIMIT 1")[0][0]))
    closed = await desk.do(code, "close")
    assert code in closed
    assert world.rows("SELECT state FROM cases WHERE code = %s", code) == [("closed",)]


async def test_a_duplicate_of_every_webhook_changes_nothing_and_gets_the_same_answer(world: World) -> None:
    faults = world.exchange.faults
    faults.add("webhook", "duplicate", times=None)
    try:
        before, sent = cases(world), len(world.exchange.webhooks)
        person, chat = world.phone(), world.chat()
        await answered(person, "They keep the passports of the cleaners at the hotel", "safe")
        await chat.text("The farm does not let its pickers leave on Sundays")
        await chat.receives(says("safe"), within=15)
        call = await world.phone().call()
        await call.hears(says("safe"), within=15)
        await call.press("2")
        await call.ends(within=15)
    finally:
        faults.clear()
    new = cases(world) - before
    assert len(new) <= 3
    for code in new:
        (count,) = world.rows(
            "SELECT count(*) FROM entries e JOIN cases c ON c.id = e.case_id WHERE code = %s AND kind = 'person'", code
        )[0]
        assert count == 1
    bodies: dict[str, set[str]] = {}
    for posted in world.exchange.webhooks[sent:]:
        webhook = posted.webhook
        if webhook.kind == "sms":
            bodies.setdefault(webhook.fields["MessageSid"], set()).add(posted.body)
    assert bodies
    assert all(len(same) == 1 for same in bodies.values())


async def test_a_forged_webhook_is_refused_and_leaves_no_trace_of_its_content(world: World) -> None:
    canary = "zebra-lighthouse-4711"
    before = cases(world)
    world.exchange.faults.add("webhook.sms", "forge")
    reply = await world.phone().text(f"{canary} they beat us")
    assert reply is not None
    assert reply.status == 403
    assert cases(world) == before
    assert canary not in world.web.log.read_text()
    assert world.web.events("webhook.refused")


async def test_a_person_comes_back_by_another_channel_with_their_code_and_hears_the_answer(
    world: World, desk: Desk
) -> None:
    before = cases(world)
    person = world.phone()
    await answered(person, "My cousin's restaurant keeps the kitchen staff's papers in a safe", "safe")
    await answered(person, "1", "facts.where")
    for question in ("facts.when", "facts.who", "facts.still", "contact.rule", "code.offer"):
        await answered(person, "9", question)
    given = await answered(person, "1", "code.confirm")
    digits = re.sub(r"\D", "", given.split("\n", maxsplit=1)[0])
    assert len(digits) == 16
    await answered(person, digits[-4:], "done")
    (code,) = cases(world) - before
    await desk.do(code, "answer", text="We have asked the labour inspectors to look.")
    assert world.rows("SELECT o.state FROM outbox o JOIN cases c ON c.id = o.case_id WHERE code = %s", code) == [
        ("left",)
    ], "who chose no contact rule is never written to first"

    chat = world.chat()
    await chat.text(" ".join(digits[i : i + 4] for i in range(0, 16, 4)))
    await chat.receives("safe", within=15)
    await chat.press(says("label.yes"))
    heard = await chat.receives("labour inspectors", within=15)
    assert heard.text
    assert digits not in world.web.log.read_text()


async def test_a_page_that_cannot_be_written_is_called_and_taken_by_a_key(world: World) -> None:
    amina, phone = world.responder_chat("Amina"), world.responder_phone("Amina")
    amina.block()
    world.exchange.faults.add("delivery.sms", "error", code=30003, number=phone.number, times=None)
    try:
        before = cases(world)
        await world.phone().text("Ayúdenme, me tiene encerrada y me va a matar con un cuchillo esta noche")
        (code,) = cases(world) - before
        call = await picked_up(phone)
        heard = await call.hears(", ".join(code), within=15)
        assert "cuchillo" not in heard
        await call.press("5")
        await call.hears(says("page.again", "es", code=", ".join(code)), within=15)
        await call.press("1")
        await call.hears(says("page.taken_voice", "es", code=", ".join(code)), within=15)
    finally:
        amina.block(blocked=False)
        world.exchange.faults.clear()
    assert ("telegram", "failed") in pages(world, code)
    assert ("sms", "failed") in pages(world, code)
    assert ("voice", "answered") in pages(world, code)
    assert world.rows("SELECT ringing FROM alerts a JOIN cases c ON c.id = a.case_id WHERE code = %s", code) == [
        (False,)
    ]


async def test_what_a_responder_says_otherwise_takes_no_page(world: World) -> None:
    before = cases(world)
    await world.phone().text("Nos tienen encerrados en el sótano y vuelve con una pistola")
    (code,) = cases(world) - before
    await world.responder_chat("Amina").receives(code, within=20)
    bilal = world.responder_phone("Bilal")
    await bilal.text("no puedo, estoy enfermo")
    await bilal.receives(code, within=15)  # which cases ring, of which this is one
    ringing = "SELECT ringing FROM alerts a JOIN cases c ON c.id = a.case_id WHERE code = %s"
    assert world.rows(ringing, code) == [(True,)]
    await bilal.text(code)
    await world.until(lambda: world.rows(ringing, code) == [(False,)], "taken by its code, and still ringing")
    await bilal.text(code)
    await bilal.receives(says("page.taken", "ar", code=code, link="").strip(), within=15)


async def test_the_front_page_says_how_to_reach_the_line_and_gives_its_source(world: World, desk: Desk) -> None:
    async with desk.session.get(f"http://127.0.0.1:{world.ports.public}/") as answer:
        assert "+12025550100" in await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    async with desk.session.get(f"http://127.0.0.1:{world.ports.public}/source") as answer:
        with tarfile.open(fileobj=io.BytesIO(await answer.read())) as archive:
            names = archive.getnames()
    assert "harborline/bot/turn.py" in names
    assert "harborline/LICENSE" in names
    assert not [name for name in names if "var/" in name or "demo.json" in name or ".git" in name]
