"""What must hold when somebody else has the phone, when danger comes back, and when a stranger knows an id."""

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from carriers.handset import Phone
from tests.test_journeys import answered, cases, folded, says
from tests.world import Desk, World

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("world"),
    pytest.mark.slow,
    pytest.mark.usefixtures("quiet"),
]

TIP = "The bakery does not pay its workers"
FACTS = ("facts.when", "facts.who", "facts.still", "contact.rule")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(world: World) -> AsyncIterator[Desk]:
    """The second member of staff, signed in once."""
    yield await world.desk(1)


async def told(world: World) -> tuple[str, Phone]:
    """A person who told a tip and was asked how they may be answered; the case's code and their phone."""
    before = cases(world)
    person = world.phone()
    await answered(person, TIP, "safe")
    await answered(person, "1", "facts.where")
    for question in FACTS:
        await answered(person, "9", question)
    (code,) = cases(world) - before
    return code, person


def parcels(world: World, code: str) -> list[str]:
    """States of what staff sent."""
    query = "SELECT o.state FROM outbox o JOIN cases c ON c.id = o.case_id WHERE code = %s ORDER BY o.created_at, o.id"
    return [state for (state,) in world.rows(query, code)]


async def test_danger_that_comes_back_is_told_to_whoever_has_the_case(world: World) -> None:
    before = cases(world)
    person, amina = world.phone(), world.responder_chat("Amina")
    await person.text("They locked us in and he is coming back with a gun")
    (code,) = cases(world) - before
    await amina.receives(code, within=20)
    await world.responder_phone("Amina").text(code)
    taken = "SELECT ringing FROM alerts a JOIN cases c ON c.id = a.case_id WHERE code = %s"
    await world.until(lambda: world.rows(taken, code) == [(False,)], "taken, and still ringing")
    await person.text("he is back with the gun, he is breaking the door")
    raised = says("page.raised", "es", code=code, level=says("level.emergency", "es"), link="").strip()
    await amina.receives(raised, within=20)


async def test_an_answer_held_until_they_write_waits_until_it_is_safe_again(world: World, desk: Desk) -> None:
    code, person = await told(world)
    await answered(person, "2", "code.offer")  # only when I write
    await answered(person, "7", "later.parked")
    await desk.do(code, "answer", text="The shelter has a room for you.")
    assert parcels(world, code) == ["held"]
    for stranger in ("who is this? why is this number in my wifes phone", "what order"):
        shown = await _receives_any(person, stranger)
        assert "911" not in shown, "somebody else's phone shows what this line is"
        assert "Harborline" not in shown
        await desk.do(code, "answer", text="Another answer.")
        await asyncio.sleep(1.5)
        assert set(parcels(world, code)) == {"held"}, "a stranger was given staff's words"
    assert "Is this a good moment?" in await _receives_any(person, "hello")
    await desk.do(code, "answer", text="And one more.")
    assert set(parcels(world, code)) == {"held"}
    await person.text("1")
    await person.receives(within=15)
    await person.text("it is me again")
    await person.receives("The shelter has a room", within=15)


async def test_not_now_stops_staffs_words_and_neutral_words_are_kept(world: World, desk: Desk) -> None:
    before = cases(world)
    person = world.phone()
    await answered(person, "My husband's cousin keeps my passport and does not pay me for the cleaning", "safe")
    (code,) = cases(world) - before
    parked = await _receives_any(person, "2")
    assert "safe" not in parked
    await desk.do(code, "answer", text="Can you talk tomorrow?")
    assert parcels(world, code) == ["held"]
    await _receives_any(person, "hello")
    await _receives_any(person, "3")  # someone may see or hear
    await person.text("she keeps it in the kitchen")
    answer = await person.receives("Can you talk tomorrow?", within=15)
    assert "Corner Laundry" in answer.text
    assert "Harborline" not in answer.text


async def _receives_any(person: Phone, text: str) -> str:
    await person.text(text)
    return str((await person.receives(within=15)).text)


async def test_a_code_opened_elsewhere_moves_every_answer_there(world: World, desk: Desk) -> None:
    code, old = await told(world)
    await answered(old, "2", "code.offer")  # only when I write
    given = await answered(old, "1", "code.confirm")
    digits = re.sub(r"\D", "", given.split("\n", maxsplit=1)[0])
    await answered(old, digits[-4:], "done")
    await desk.do(code, "answer", text="First answer, held for the old phone.")
    assert parcels(world, code) == ["held"]

    new = world.phone()
    await answered(new, digits, "again.safe")
    heard = await _receives_any(new, "1")
    assert "First answer" in heard
    assert parcels(world, code) == ["left"]
    await desk.do(code, "answer", text="Second answer.")
    await _receives_any(new, "1")
    await new.text("it is me again")
    await new.receives("Second answer.", within=15)
    assert not [text for text in old.unexpected() if "answer" in text]


async def test_without_the_code_a_rule_can_only_become_stricter(world: World) -> None:
    code, person = await told(world)
    await answered(person, "1", "code.offer")  # never
    await answered(person, "2", "done")
    rule = "SELECT contact_rule FROM cases WHERE code = %s"
    assert world.rows(rule, code) == [("never_first",)]
    for text in ("hi", "1", "3", "4"):  # as whoever holds the phone would: change how you may answer me, any time
        await _receives_any(person, text)
    assert world.rows(rule, code) == [("never_first",)]


@pytest.mark.parametrize("cry", ["911", "112", "911 911"])
async def test_an_emergency_number_alone_is_a_cry_for_help(world: World, cry: str) -> None:
    before = cases(world)
    person = world.phone()
    await person.text(cry)
    await person.receives("911", within=15)
    (code,) = cases(world) - before
    assert world.rows("SELECT level FROM cases WHERE code = %s", code) == [(3,)]


async def test_signs_that_nobody_can_read_are_urgent_until_a_human_has(world: World) -> None:
    before = cases(world)
    await _receives_any(world.phone(), "!!!")
    (code,) = cases(world) - before
    assert world.rows("SELECT level, unread FROM cases WHERE code = %s", code) == [(2, True)]


async def test_a_stranger_who_knows_a_pages_id_takes_nothing(world: World) -> None:
    before = cases(world)
    await world.phone().text("They locked us in and he is coming back with a gun")
    (code,) = cases(world) - before
    await world.responder_chat("Amina").receives(code, within=20)
    ((page,),) = world.rows(
        "SELECT p.id FROM pages p JOIN alerts a ON a.id = p.alert_id JOIN cases c ON c.id = a.case_id "
        "WHERE c.code = %s LIMIT 1",
        code,
    )
    stranger = world.chat()
    await stranger.text("hello")
    await stranger.receives(within=15)
    async with aiohttp.ClientSession() as session:
        press = {
            "update_id": 900_000_001,
            "callback_query": {
                "id": "1",
                "data": f"page:{page}:take",
                "from": {"id": 5, "is_bot": False, "first_name": "x"},
                "message": {"message_id": 1, "date": 1, "chat": {"id": 999_777, "type": "private"}},
                "chat_instance": "1",
            },
        }
        secret = {"X-Telegram-Bot-Api-Secret-Token": world.made.telegram_webhook_secret}
        url = f"http://127.0.0.1:{world.ports.public}/telegram/webhook"
        async with session.post(url, json=press, headers=secret) as answer:
            assert answer.status == 200
    await asyncio.sleep(0.5)
    ringing = "SELECT ringing FROM alerts a JOIN cases c ON c.id = a.case_id WHERE code = %s"
    assert world.rows(ringing, code) == [(True,)]
    await world.responder_phone("Amina").text(code)
    await world.until(lambda: world.rows(ringing, code) == [(False,)], "taken by its code, and still ringing")


async def test_erase_removes_both_sides_of_a_chat_and_staffs_words_too(world: World, desk: Desk) -> None:
    before = cases(world)
    chat = world.chat()
    await chat.text(TIP)
    await chat.receives(says("safe"), within=15)
    await chat.press(says("label.yes"))
    await chat.receives(says("facts.where"), within=15)
    (code,) = cases(world) - before
    await desk.do(code, "answer", text="The shelter is at five Oak street.")
    await chat.receives("Oak street", within=15)
    for question in FACTS:
        await chat.text("9")
        await chat.receives(says(question), within=15)
    await chat.press(says("contact.neutral"))
    await chat.receives(says("code.offer"), within=15)
    await chat.press(says("label.no"))
    await chat.receives(says("done"), within=15)
    await chat.text("hello")
    await chat.receives(says("again.safe"), within=15)
    await chat.press(says("label.yes"))
    await chat.receives(says("after.what"), within=15)
    await chat.press(says("label.erase"))
    await chat.receives(says("erase.sure"), within=15)
    await chat.press(says("label.yes"))
    await chat.receives(says("erase.done"), within=15)
    await world.until(lambda: not chat.screen(), "something is still on the phone", within=100)


async def written_down(desk: Desk, text: str) -> tuple[str, str]:
    """A member writes a report down; the case's code and the return code for the person."""
    page = await desk.page("/cases/new")
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    form = hidden | {"text": text, "language": "en", "level": "standard"}
    async with desk.session.post(f"{desk.url}/cases/new", data=form, headers={"Origin": desk.url}) as answer:
        page = await answer.text()
    shown, case = re.search(r"<code>([0-9 ]+)</code>", page), re.search(r"/cases/(\d{6})", page)
    assert shown
    assert case
    return case[1], shown[1]


async def test_a_code_that_staff_have_seen_is_replaced_by_one_that_only_the_person_knows(
    world: World, desk: Desk
) -> None:
    code, known = await written_down(desk, "The bakery on Mill Road keeps our passports, says a man at the desk")
    await desk.do(code, "answer", text="We have a lawyer for you.")
    person = world.phone()
    await answered(person, known, "again.safe")
    shown = await _receives_any(person, "1")
    assert "We have a lawyer for you." in shown
    assert folded(says("code.confirm", "en")) in folded(shown)
    own = re.sub(r"\D", "", shown.split("new code", maxsplit=1)[1])[:16]
    assert own != re.sub(r"\D", "", known)
    await answered(person, own[-4:], "code.menu")
    stranger = world.phone()  # whoever read it over a shoulder
    await answered(stranger, known, "code.not_opened")
    again = world.chat()
    await again.text(own)
    await again.receives(says("again.safe", "en"), within=15)


async def test_a_report_is_taken_back_with_the_end_of_its_code(world: World) -> None:
    code, person = await told(world)
    await answered(person, "9", "code.offer")
    given = await answered(person, "1", "code.confirm")
    digits = re.sub(r"\D", "", given.split("\n", maxsplit=1)[0])
    await answered(person, digits[-4:], "done")
    other = world.phone()
    await answered(other, digits, "again.safe")
    await answered(other, "1", "code.menu")
    await answered(other, "3", "withdraw.sure")
    wrong = f"{(int(digits[-4:]) + 1) % 10_000:04d}"
    await answered(other, wrong, "withdraw.again")
    assert world.rows("SELECT state FROM cases WHERE code = %s", code) == [("open",)]
    await answered(other, digits[-4:], "withdraw.done")
    assert world.rows("SELECT state FROM cases WHERE code = %s", code) == [("erased",)]
    entries = "SELECT count(*) FROM entries e JOIN cases c ON c.id = e.case_id WHERE code = %s"
    assert world.rows(entries, code) == [(0,)]
    await answered(world.phone(), digits, "code.not_opened")
    before = cases(world)
    await person.text("The bakery on Mill Road has three new girls in the cellar")  # the old phone begins anew
    await person.receives(within=15)
    assert len(cases(world) - before) == 1
