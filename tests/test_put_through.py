"""A caller who presses 0 is put through to a responder: real processes and PostgreSQL, practice carriers' phones."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from carriers.call import CallStatus
from carriers.handset import CallInHand, Phone
from dialogs.conversation import Mode
from dialogs.phrases import load_phrases
from tests.databases import Cluster
from tests.world import World, open_world

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

PHRASES = load_phrases()
VALUES = {"line": "Harborline", "cover": "Corner Laundry", "emergency": "911"}
LINE = "+12025550101"
AMINA, BILAL = "Amina", "Bilal"


def says(key: str, language: str = "en", **values: str) -> str:
    """What the line says for a phrase."""
    return PHRASES.text(key, language, Mode.PLAIN, {**VALUES, **values})


@pytest.fixture
def answered_faults(world: World) -> Iterator[None]:
    """Faults of one test trouble no other."""
    yield
    world.exchange.faults.clear()


@dataclass(slots=True)
class Caller:
    """Somebody on the phone with the line, and the case that came of it."""

    world: World
    phone: Phone
    call: CallInHand
    code: str = ""

    async def asks_for_a_human(self, before: set[str]) -> None:
        """Press 0 at the first question."""
        await self.call.hears(says("safe"), within=15)
        await self.call.press("0")
        await self.call.hears(says("human.connecting"), within=15)
        (self.code,) = codes(self.world) - before

    def audit(self) -> list[str]:
        """What was noted of the call, in order."""
        return [
            action
            for (action,) in self.world.rows(
                "SELECT action FROM audit WHERE subject = %s AND action LIKE 'call.%%' ORDER BY number",
                f"case:{self.code}",
            )
        ]

    def ringing(self) -> bool:
        """True while the case's alert looks for people."""
        query = "SELECT a.ringing FROM alerts a JOIN cases c ON c.id = a.case_id WHERE c.code = %s"
        return bool(self.world.rows(query, self.code)[0][0])

    def tries(self) -> list[str]:
        """How far each try to put the caller through has come, in order."""
        query = (
            "SELECT p.state FROM pages p JOIN alerts a ON a.id = p.alert_id JOIN cases c ON c.id = a.case_id "
            "WHERE c.code = %s AND p.method = 'connect' ORDER BY p.created_at"
        )
        return [state for (state,) in self.world.rows(query, self.code)]


def codes(world: World) -> set[str]:
    """Codes of all cases."""
    return {row[0] for row in world.rows("SELECT code FROM cases")}


async def a_caller(world: World) -> Caller:
    """A new person calls and asks for a human."""
    before, phone = codes(world), world.phone()
    caller = Caller(world, phone, await phone.call())
    await caller.asks_for_a_human(before)
    return caller


async def rung(world: World, name: str) -> CallInHand:
    """This responder's phone rings for a caller: not for a page, and not since an earlier test."""
    phone = world.responder_phone(name)
    async with asyncio.timeout(30):
        while True:
            call = await phone.rings(within=30)
            for_a_caller = world.exchange.calls.get(call.sid).direction == "outbound-dial"
            if for_a_caller and call.state is CallStatus.RINGING:
                return call


async def taken(caller: Caller, responder: CallInHand) -> None:
    """Pick up, hear the whisper, press 1, be joined."""
    responder.answer()
    await responder.hears(", ".join(caller.code), within=15)
    await responder.press("1")
    await responder.connected(within=15)
    await caller.call.connected(within=15)


def addresses(world: World, since: int) -> Sequence[str]:
    """Every address of ours that the carrier asked since, whole."""
    return [reply.webhook.url for reply in world.exchange.webhooks[since:]]


def in_ledger(world: World) -> int:
    """How many calls were entered in the ledger of copies."""
    return int(world.rows("SELECT count(*) FROM copies WHERE channel = 'voice'")[0][0])


@pytest.mark.xdist_group("world")
@pytest.mark.usefixtures("quiet", "answered_faults")
class TestInTheWorld:
    """On the line that all journeys share."""

    async def test_a_caller_who_presses_zero_is_joined_with_the_responder_on_call(self, world: World) -> None:
        since = len(world.exchange.webhooks)
        caller = await a_caller(world)
        amina = await rung(world, AMINA)
        assert amina.shows == LINE, "the responder sees the line's number only"
        amina.answer()
        whisper = await amina.hears(", ".join(caller.code), within=15)
        told = {
            "level": says("level.high", "es"),
            "code": ", ".join(caller.code),
            "language": says("page.language_unknown", "es"),
        }
        assert whisper == PHRASES.text("page.whisper", "es", Mode.PLAIN, VALUES | told)
        assert caller.audit() == [], "to be picked up is not to be taken"
        await amina.press("1")
        assert await amina.connected(within=15) == LINE
        await caller.call.connected(within=15)
        await world.until(lambda: not caller.ringing(), "taken by a key, and still paging", within=1)
        await caller.call.says("is somebody there")
        await amina.hears("is somebody there")
        assert caller.audit() == ["call.connected"]

        await amina.hang_up()
        await caller.call.hears(says("human.back"), within=15)
        await caller.call.press("1")
        await caller.call.hears(says("safe"), within=15)
        await caller.call.hang_up()
        await world.until(lambda: caller.tries() == ["answered"], "the try is not noted")
        asked, number = addresses(world, since), caller.phone.number.removeprefix("+")
        assert [url for url in asked if "/whisper?" in url]
        assert not [url for url in asked if number in url or "2025550141" in url], "no number in any address"

    async def test_both_legs_enter_the_ledger_of_what_is_deleted_there_and_nothing_is_recorded(
        self, world: World
    ) -> None:
        before = in_ledger(world)
        caller = await a_caller(world)
        amina = await rung(world, AMINA)
        await taken(caller, amina)
        await amina.hang_up()
        await caller.call.hears(says("human.back"), within=15)
        await caller.call.hang_up()
        await world.until(lambda: in_ledger(world) >= before + 2, "two legs, and less than two in the ledger")
        assert not [reply for reply in world.exchange.webhooks if "record" in reply.body.lower()]

    async def test_who_does_not_pick_up_is_followed_by_the_next(self, world: World) -> None:
        caller = await a_caller(world)
        (await rung(world, AMINA)).rings_out()
        await caller.call.hears(says("human.next"), within=15)
        await taken(caller, await rung(world, BILAL))
        assert caller.tries() == ["failed", "answered"]
        await caller.call.hang_up()

    async def test_a_voicemail_box_presses_no_key_and_is_left(self, world: World) -> None:
        caller = await a_caller(world)
        box = await rung(world, AMINA)
        box.answer()
        await box.hears(", ".join(caller.code), within=15)
        await box.hears(", ".join(caller.code), within=15)  # said twice
        assert await box.ends(within=15) is CallStatus.COMPLETED
        bilal = await rung(world, BILAL)
        assert caller.audit() == []
        await taken(caller, bilal)
        assert caller.audit() == ["call.connected"]
        await caller.call.hang_up()

    async def test_a_wrong_key_is_asked_again_and_joins_nobody(self, world: World) -> None:
        caller = await a_caller(world)
        amina = await rung(world, AMINA)
        amina.answer()
        for _ in range(2):
            await amina.hears(", ".join(caller.code), within=15)
            await amina.press("5")
        await amina.hears(", ".join(caller.code), within=15)
        assert caller.audit() == []
        await amina.press("5")
        assert await amina.ends(within=15) is CallStatus.COMPLETED
        (await rung(world, BILAL)).decline()
        await caller.call.hears(says("human.nobody"), within=15)

    async def test_when_nobody_takes_the_call_the_caller_is_told_and_may_go_on(self, world: World) -> None:
        caller = await a_caller(world)
        (await rung(world, AMINA)).decline()
        (await rung(world, BILAL)).decline()
        heard = await caller.call.hears(says("human.nobody"), within=15)
        assert says("human.wait") in heard
        assert caller.audit() == ["call.not_connected"]
        assert caller.ringing(), "the page goes on by its own rules"
        await caller.call.press("0")  # and it may be tried again
        await caller.call.hears(says("human.connecting"), within=15)
        await taken(caller, await rung(world, AMINA))
        await caller.call.hang_up()
        await world.until(lambda: not caller.ringing(), "taken, and still paging", within=1)
        assert caller.audit() == ["call.not_connected", "call.connected"]

    async def test_who_has_the_case_already_is_rung_first_and_nobody_else_takes_it(self, world: World) -> None:
        caller = await a_caller(world)
        (await rung(world, AMINA)).decline()
        (await rung(world, BILAL)).decline()
        await caller.call.hears(says("human.nobody"), within=15)
        await world.responder_phone(BILAL).text(caller.code)
        await world.until(lambda: not caller.ringing(), "taken by its code, and still paging")
        await caller.call.press("0")
        (await rung(world, BILAL)).decline()
        await taken(caller, await rung(world, AMINA))
        acks = "SELECT machine->'acks' FROM alerts a JOIN cases c ON c.id = a.case_id WHERE c.code = %s"
        assert len(world.rows(acks, caller.code)[0][0]) == 1, "joined, and the case stays with whom it was"
        await caller.call.hang_up()

    async def test_a_caller_who_gives_up_stops_the_ringing(self, world: World) -> None:
        caller = await a_caller(world)
        amina = await rung(world, AMINA)
        await caller.call.hang_up()
        assert await amina.ends(within=15) is CallStatus.CANCELED
        await world.until(lambda: caller.audit() == ["call.not_connected"], "nobody noted it")
        filed = "SELECT filed_at IS NOT NULL FROM cases WHERE code = %s"
        assert world.rows(filed, caller.code) == [(True,)]

    async def test_every_webhook_may_come_twice(self, world: World) -> None:
        world.exchange.faults.add("webhook", "duplicate", times=None)
        caller = await a_caller(world)
        (await rung(world, AMINA)).rings_out()
        bilal = await rung(world, BILAL)
        await taken(caller, bilal)
        await bilal.hang_up()
        await caller.call.hears(says("human.back"), within=15)
        assert caller.tries() == ["failed", "answered"]
        assert caller.audit() == ["call.connected"]
        await caller.call.hang_up()

    async def test_a_forged_whisper_is_refused_and_joins_nobody(self, world: World) -> None:
        number, since = world.responder_phone(AMINA).number, len(world.exchange.webhooks)
        caller = await a_caller(world)
        world.exchange.faults.add("webhook.voice", "forge", number=number)
        amina = await rung(world, AMINA)
        amina.answer()
        await amina.ends(within=15)
        refused = [reply.status for reply in world.exchange.webhooks[since:] if "/whisper?" in reply.webhook.url]
        assert set(refused) == {403}
        assert caller.audit() == []
        (await rung(world, BILAL)).decline()
        await caller.call.hears(says("human.nobody"), within=15)
        await caller.call.hang_up()

    async def test_a_leg_that_the_provider_cannot_place_leads_on(self, world: World) -> None:
        world.exchange.faults.add("delivery.call", "error", number=world.responder_phone(AMINA).number)
        caller = await a_caller(world)
        await taken(caller, await rung(world, BILAL))
        assert caller.tries() == ["failed", "answered"]
        await caller.call.hang_up()

    async def test_on_a_checked_phone_the_caller_hears_of_a_colleague_only(self, world: World) -> None:
        before, phone = codes(world), world.phone()
        call = await phone.call()
        await call.hears(says("safe"), within=15)
        await call.press("3")
        await call.hears(PHRASES.text("language", "en", Mode.DISCREET, VALUES), within=15)
        await call.press("1")
        await call.hears(PHRASES.text("way", "en", Mode.DISCREET, VALUES), within=15)
        await call.press("0")
        await call.hears(PHRASES.text("human.connecting", "en", Mode.DISCREET, VALUES), within=15)
        assert len(codes(world) - before) == 1
        await call.hang_up()


@pytest.mark.xdist_group("outages")
@pytest.mark.timeout(240)
async def test_the_web_process_may_die_while_a_phone_rings(cluster: Cluster, tmp_path: Path) -> None:
    async with open_world(cluster, tmp_path / "line") as world:
        caller = await a_caller(world)
        world.exchange.pace.speed = 0.2  # as long as a new process needs, however busy the machine
        amina = await rung(world, AMINA)
        world.exchange.pace.speed = 5.0
        await world.web.kill()
        await world.web.start()
        await world.ready()
        amina.rings_out()
        await taken(caller, await rung(world, BILAL))
        await caller.call.hang_up()
        await world.until(lambda: not caller.ringing(), "taken, and still paging", within=5)
