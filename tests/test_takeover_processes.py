"""A member takes a conversation over, through real processes: the phone, the console, the job that looks after it."""

import asyncio
import re

import pytest

from dialogs.conversation import Mode
from dialogs.phrases import load_phrases
from tests.world import Desk, World

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("world"),
    pytest.mark.slow,
    pytest.mark.usefixtures("quiet"),
    pytest.mark.timeout(300),
]

PHRASES = load_phrases()
VALUES = {"line": "Harborline", "cover": "Corner Laundry", "emergency": "911"}
LOOKED = 90.0  # seconds: somebody looks every minute whether the member is still there
DANGER = "He locked me in the cellar and has a knife, tonight he will kill me"
WORDS = (
    "I hear him on the stairs",
    "I am Noor and I stay with you",
    "Hide the phone and keep it on",
    "Are you with me",
)


def says(key: str) -> str:
    """What the line says for a phrase."""
    return PHRASES.text(key, "en", Mode.PLAIN, VALUES)


async def at_the_console(world: World, member: int) -> Desk:
    """A member, signed in: with the next code, when the last one was used by an earlier test."""
    while True:
        try:
            return await world.desk(member)
        except AssertionError:
            await asyncio.sleep(5)


async def sign_out(desk: Desk) -> None:
    """As the button does it."""
    found = re.search(r'name="token" value="(\w+)"', await desk.queue())
    assert found
    async with desk.session.post(f"{desk.url}/signout", data={"token": found[1]}, headers={"Origin": desk.url}) as left:
        assert left.status == 200


async def test_a_member_writes_with_somebody_in_danger_and_when_they_vanish_the_line_is_back_and_it_rings_again(
    world: World,
) -> None:
    before = {row[0] for row in world.rows("SELECT code FROM cases")}
    person, bilal = world.phone(), world.responder_phone("Bilal")
    await person.text(DANGER)
    await person.receives(says("danger.number"), within=15)
    (code,) = {row[0] for row in world.rows("SELECT code FROM cases")} - before
    noor, tomas = await at_the_console(world, 0), await at_the_console(world, 1)

    page = await noor.do(code, "live")
    assert "You write with them now" in page
    assert (await person.receives(says("live.here"), within=15)).text == says("live.here")
    assert "writes with them now" in await tomas.page(f"/cases/{code}")
    ringing = "SELECT a.ringing FROM alerts a JOIN cases c ON c.id = a.case_id WHERE c.code = %s"
    assert world.rows(ringing, code) == [(False,)], "whoever writes with them has it"

    await person.text(WORDS[0])
    assert WORDS[0] in await noor.page(f"/cases/{code}")
    await noor.do(code, "live/say", text=WORDS[1])
    await person.receives(WORDS[1], within=15)
    await tomas.do(code, "live")
    await tomas.do(code, "live/say", text=WORDS[2])
    await person.receives(WORDS[2], within=15)
    assert person.unexpected() == [], "the line is silent while a human is there"

    await person.text(WORDS[3])
    await sign_out(tomas)
    back = await person.receives(says("live.gone"), within=LOOKED)
    assert back.text.startswith(says("live.gone"))
    await world.until(lambda: world.rows(ringing, code) == [(True,)], "nobody is called for somebody who waits")
    await bilal.receives(code, within=60)
    query = "SELECT state, member_id, unread, waits FROM cases WHERE code = %s"
    assert world.rows(query, code) == [("open", None, True, True)]
    assert "Write with them now" in await noor.page(f"/cases/{code}")

    done = [row[0] for row in world.rows("SELECT action FROM audit WHERE subject = %s ORDER BY number", f"case:{code}")]
    of_it = [action for action in done if "live" in action]
    assert of_it == [
        "case.live_began",
        "case.live_wrote",
        "case.live_taken",
        "case.live_wrote",
        "case.live_lapsed",
    ]
    logs = world.web.log.read_text() + world.worker.log.read_text()
    for secret in (*WORDS, DANGER, person.number.removeprefix("+")):
        assert secret not in logs
