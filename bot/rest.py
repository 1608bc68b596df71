"""A conversation falls silent: the engine is told, and what was said is filed. Nothing is sent."""

from bot.house import House
from bot.report import Report
from bot.thread import ThreadState
from channels.messages import Address, ChannelName, Incoming, IncomingKind
from dialogs.engine import advance
from dialogs.events import Silent
from understanding.meaning import UNREAD


async def rest(house: House, pseudonym: bytes, turns: int) -> None:
    """File what was said, unless the person has written since (`turns` has grown)."""
    async with house.vault.unit() as unit:
        await unit.lock(pseudonym)
        stored = await unit.conversations.by_token(pseudonym)
        if stored is None or stored.turns != turns:
            return
        thread = ThreadState.from_json(stored.state)
        conversation, effects = advance(
            house.flow, thread.conversation, Silent(idle=True), UNREAD, house.world.now(), house.facts
        )
        nobody = Address(channel=ChannelName.SMS, value="")  # silence comes from no address
        silence = Incoming(id=f"rest:{turns}", address=nobody, kind=IncomingKind.SILENCE)
        report = Report(house, unit, stored.case_id, silence)
        after = thread.but(conversation=conversation)
        await report.keep(after, effects, late=False)
        await unit.conversations.save(stored.pseudonym, after.to_json(), report.case_id, turns=turns)
