"""Erases a chat: both sides' messages, as long as Telegram allows, and the person is told what stayed behind.

What is in the way of a deletion passes or does not; it is tried until the platform's 48 hours are over, so an erasure
always ends. Numbers of messages are never kept longer than they are of use. Copies at Twilio are in erasing.py.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.afterwards import chat_lock, left_over
from bot.house import House
from bot.thread import Chat, ThreadState
from bot.wording import Wording
from channels.messages import Address, ChannelName, SendError
from channels.telegram import Erased, Telegram
from dialogs.conversation import Phase
from vault.delivery import OutboxKind, OutboxState, Parcel
from vault.errors import VaultError
from vault.pseudonyms import Pseudonym
from vault.unit import Unit

WINDOW: Final = timedelta(hours=48)  # https://core.telegram.org/bots/api#deletemessage
_KEPT: Final = WINDOW + timedelta(hours=1)  # times are rounded down to the hour: by then all of it is too old for sure
_HURRY: Final = timedelta(hours=40)  # from this age on a message goes before younger ones
_ANSWERED: Final = timedelta(minutes=5)  # what is sent so soon after the wish still belongs to what shall go
_AT_ONCE: Final = 20  # messages of one chat in one job: an emergency must never wait for a tidy phone
_MINUTES: Final = (1, 2, 5, 10)  # until the next try; the last one until the window closes
_STILL_HERE: Final = timedelta(minutes=15)  # since the person last wrote: then a message of ours surprises nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """What became of some messages. `wait`: how long to leave Telegram in peace; None when it had no objection."""

    gone: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    wait: timedelta | None = None


class Chats:
    """Deletes messages on Telegram."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def erase_chat(self, parcel: str, tries: str = "0") -> None:
        """Delete a chat's messages, both sides', some in each job, until nothing is left to try."""
        house = self._house
        async with house.vault.unit() as unit:
            found = await unit.outbox.look(uuid.UUID(parcel))
        if found is None:
            return
        pseudonyms = await house.pseudonyms.of(found.channel, found.value)
        async with house.vault.unit() as unit:
            numbers = await self._next(unit, found, pseudonyms, _AT_ONCE)
        done = await self._delete(found, numbers, int(tries))
        async with house.vault.unit() as unit:
            await unit.lock(*_values(pseudonyms))
            left = await self._count(unit, found.id, pseudonyms, done)
            if left is None:  # another job was faster
                return
            if await self._next(unit, found, pseudonyms, 1):
                at, tried = unit.transaction.now + (done.wait or timedelta(0)), int(tries) + 1 if done.wait else 0
                await unit.jobs.later("erase_chat", at=at, parcel=parcel, tries=str(tried))
            else:
                await unit.outbox.set(found.id, OutboxState.FAILED if left else OutboxState.REACHED, tried=True)
                await self._tell(unit, found, pseudonyms, left)
        house.log.info("chat.erased", count=len(done.gone))

    async def _next(self, unit: Unit, found: Parcel, pseudonyms: Sequence[Pseudonym], most: int) -> tuple[int, ...]:
        """What was in the chat when the person asked, and the answer to that; not what they talk about since."""
        until, hurry = found.since + _ANSWERED, unit.transaction.now - _HURRY
        return await unit.chat_messages.some(_values(pseudonyms), most, until=until, hurry=hurry)

    async def _delete(self, found: Parcel, numbers: Sequence[int], tries: int) -> _Round:
        """Ask for one after the other; the first that cannot even be tried ends the round."""
        pause = timedelta(minutes=_MINUTES[min(tries, len(_MINUTES) - 1)])
        telegram = self._house.channels.get(ChannelName.TELEGRAM)
        if not isinstance(telegram, Telegram):  # taken out of the settings, perhaps for a moment
            return _Round(wait=pause)
        address, became = Address(channel=ChannelName.TELEGRAM, value=found.value), {}
        wait = None
        for number in numbers:
            try:
                became[number] = await telegram.erase(address, number)
            except SendError as error:
                self._house.log.warning("chat.refused", channel=found.channel, code=error.code, attempt=tries + 1)
                wait = max(pause, timedelta(seconds=error.after or 0))
                break
        gone, refused = (tuple(n for n, what in became.items() if what is kind) for kind in Erased)
        return _Round(gone=gone, refused=refused, wait=wait)

    async def _count(
        self, unit: Unit, parcel: uuid.UUID, pseudonyms: Sequence[Pseudonym], done: _Round | None = None
    ) -> int | None:
        """Forget numbers that are of no use any more; gives how many messages stayed behind, in all rounds so far."""
        present = await unit.outbox.look(parcel)  # locked from here on: nobody else counts
        if present is None:
            return None
        chat, before = _values(pseudonyms), unit.transaction.now - _KEPT
        left: int = present.answer.get("left", 0) + await unit.chat_messages.expire(chat, before)
        if done:
            await unit.chat_messages.gone(chat, done.gone)
            left += await unit.chat_messages.gone(chat, done.refused)
        await unit.outbox.rewrite(present, {"left": left})
        return left

    # Telling -----------------------------------------------------------------------------------------------

    async def _tell(self, unit: Unit, found: Parcel, pseudonyms: Sequence[Pseudonym], left: int) -> None:
        """Say what stayed behind, now if they are still here; else in the next answer, once it is safe to talk."""
        stored = await unit.conversations.find(pseudonyms)
        if stored is None:  # their epoch is over: nobody knows any more how to speak to them
            self._house.log.info("chat.untold", count=left)
            return
        thread = ThreadState.from_json(stored.state)
        # A thread from before this was noted may be of any age.
        chat = thread.chat
        older = chat.older or chat.began is None or chat.began < found.since - WINDOW
        after = Chat(began=chat.began, left=chat.left + left, older=older)
        here = unit.transaction.now - stored.touched_at < _STILL_HERE
        if here and thread.conversation.phase is not Phase.PARKED:
            await self._say(unit, found, pseudonyms[0], thread.but(chat=after))
            after = Chat(began=chat.began)
        if after != chat:
            kept = thread.but(chat=after).to_json()
            await unit.conversations.save(stored.pseudonym, kept, stored.case_id, turns=stored.turns)

    async def _say(self, unit: Unit, found: Parcel, pseudonym: Pseudonym, thread: ThreadState) -> None:
        house = self._house
        wording = Wording(
            phrases=house.phrases,
            line=house.facts,
            conversation=thread.conversation,
            channel=ChannelName.TELEGRAM,
        )
        if answer := wording.answer(left_over(thread.chat)):
            parcel = await unit.outbox.put(OutboxKind.ANSWER, found.channel, found.value, answer.to_json())
            await unit.jobs.later("deliver", lock=chat_lock(unit, pseudonym), parcel=str(parcel))

    # Sweeping ----------------------------------------------------------------------------------------------

    async def sweep_chats(self, timestamp: int) -> None:
        """Every hour: go on with erasures whose job was lost, and forget numbers too old to delete.

        What an erasure did not get to in time is counted first, so that the person is told.
        """
        house = self._house
        async with house.vault.unit() as unit:
            erasures = await unit.outbox.erasures()
            for parcel, has_job in erasures.items():
                if not has_job:
                    await unit.jobs.later("erase_chat", parcel=str(parcel))
        for parcel in erasures:
            try:
                await self._expire(parcel)
            except VaultError as error:  # one that cannot be opened must not keep the others, nor what follows
                house.log.failure("chat.not_counted", error)
        async with house.vault.unit() as unit:
            await unit.chat_messages.forget_before(unit.transaction.now - _KEPT)

    async def _expire(self, parcel: uuid.UUID) -> None:
        async with self._house.vault.unit() as unit:
            found = await unit.outbox.look(parcel)
        if found is not None:
            pseudonyms = await self._house.pseudonyms.of(found.channel, found.value)
            async with self._house.vault.unit() as unit:
                await self._count(unit, parcel, pseudonyms)


def _values(pseudonyms: Sequence[Pseudonym]) -> list[bytes]:
    return [pseudonym.value for pseudonym in pseudonyms]
