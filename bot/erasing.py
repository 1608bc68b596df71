"""Removes what providers and chats still hold: again and again, until they say that it is gone."""

import uuid
from datetime import timedelta
from typing import Final

from bot.house import House
from channels.messages import Address, ChannelName, SendError
from channels.telegram import Telegram
from vault.delivery import OutboxState, Parcel

_DELAY: Final = timedelta(minutes=10)
_MOST_TRIES: Final = 150  # about a day
_CHAT_DELAY: Final = timedelta(minutes=1)
_CHAT_TRIES: Final = 300
_AT_ONCE: Final = 20  # messages of one chat in one job: an emergency must never wait for a tidy phone


class Erasing:
    """Deletes copies at Twilio, and chats on Telegram."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def erase_copy(self, copy: str, tries: str = "0") -> None:
        """Delete one copy that a provider still holds, until it confirms. `copy` is our own id of it."""
        house = self._house
        async with house.vault.unit() as unit:
            held = await unit.copies.look(copy)
        if held is None:
            return
        channel, resource = held
        gone = await self._is_gone(channel, resource, int(tries) + 1)
        async with house.vault.unit() as unit:
            await unit.copies.tried(copy, erased=gone)
            if not gone and int(tries) < _MOST_TRIES:
                at = unit.transaction.now + _DELAY
                await unit.jobs.later("erase_copy", at=at, copy=copy, tries=str(int(tries) + 1))

    async def _is_gone(self, channel: str, resource: str, attempt: int) -> bool:
        adapter = self._house.channels.get(ChannelName(channel))
        if adapter is None:
            return False
        try:
            return await adapter.erase_copy(resource)
        except SendError as error:
            self._house.log.warning("copy.refused", channel=channel, code=error.code, attempt=attempt)
            return False

    async def erase_chat(self, parcel: str, tries: str = "0") -> None:
        """Delete a chat's messages, both sides', some in each job; what could not be deleted is tried again."""
        house, parcel_id = self._house, uuid.UUID(parcel)
        async with house.vault.unit() as unit:
            found = await unit.outbox.look(parcel_id)
        if found is None:
            return
        chat = [pseudonym.value for pseudonym in await house.pseudonyms.of(found.channel, found.value)]
        async with house.vault.unit() as unit:
            numbers = await unit.chat_messages.some(chat, _AT_ONCE)
        done = [number for number in numbers if await self._is_erased(found, number)]
        async with house.vault.unit() as unit:
            await unit.chat_messages.gone(chat, done)
            left = await unit.chat_messages.some(chat, 1)
            if left and int(tries) < _CHAT_TRIES:
                at = unit.transaction.now + (_CHAT_DELAY if len(done) < len(numbers) else timedelta(0))
                await unit.jobs.later("erase_chat", at=at, parcel=parcel, tries=str(int(tries) + 1))
            else:
                await unit.outbox.set(parcel_id, OutboxState.FAILED if left else OutboxState.REACHED, tried=True)
        house.log.info("chat.erased", count=len(done))

    async def _is_erased(self, found: Parcel, number: int) -> bool:
        """True when nothing more can be done about this message: it is gone, or too old for Telegram to delete."""
        telegram = self._house.channels.get(ChannelName.TELEGRAM)
        if not isinstance(telegram, Telegram):
            return False
        try:
            await telegram.erase(Address(channel=ChannelName.TELEGRAM, value=found.value), number)
        except SendError as error:
            self._house.log.warning("chat.refused", channel=found.channel, code=error.code)
            return False
        return True
