"""What follows from a turn, within its unit: answers on their way, resting, erasing, and copies at the provider.

Nothing leaves from here: parcels and jobs become true with the commit.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bot.house import House
from bot.thread import Chat
from channels.messages import Answer, ChannelName, Incoming
from dialogs.conversation import Conversation, Phase
from dialogs.events import Ask, Effect, Say
from vault.delivery import OutboxKind
from vault.pseudonyms import Pseudonym
from vault.unit import Unit

CHAT: Final = "telegram/"  # how the name of a chat's message begins; what a provider keeps for itself begins otherwise
_SOON: Final = timedelta(minutes=1)  # Twilio deletes nothing that is still on its way
_SPREAD: Final = 120  # seconds


async def route(
    house: House, unit: Unit, incoming: Incoming, pseudonym: Pseudonym, answer: Answer | None
) -> Answer | None:
    """The answer itself where the webhook's response carries it; elsewhere it goes by the outbox, and this is None."""
    address = incoming.address
    if answer is None or house.channels[address.channel].capabilities.answers_in_response:
        return answer
    parcel = await unit.outbox.put(OutboxKind.ANSWER, address.channel, address.value, answer.to_json())
    await unit.jobs.later("deliver", lock=chat_lock(unit, pseudonym), parcel=str(parcel))
    return None


def chat_lock(unit: Unit, pseudonym: Pseudonym) -> str:
    """Answers of one chat leave in their order. It is a digest: a job's row must not name the person's thread."""
    return unit.messages.digest("chat", pseudonym.value.hex()).hex()


async def erase_chat(unit: Unit, incoming: Incoming) -> None:
    """Delete both sides' messages of a chat, as far as the platform lets us; Twilio's copies go by themselves.

    It begins a little later, so that what is still on its way goes too.
    """
    address = incoming.address
    if address.channel is ChannelName.TELEGRAM:
        parcel = await unit.outbox.put(OutboxKind.ERASE, address.channel, address.value, {})
        await unit.jobs.later("erase_chat", at=unit.transaction.now + _SOON, parcel=str(parcel))


def left_over(chat: Chat) -> tuple[Say, ...]:
    """What is said of a chat that could not be erased as a whole."""
    said = (
        *((Say(phrase="erase.older"),) if chat.older else ()),
        *((Say(phrase="erase.left", values={"count": str(chat.left)}),) if chat.left else ()),
    )
    return (*said, Say(phrase="erase.by_hand")) if said else ()


def owed(chat: Chat, conversation: Conversation) -> tuple[Chat, tuple[Say, ...]]:
    """What the person is still to be told of their chat, once they can talk; and what is kept of it then."""
    heard = not conversation.human  # while staff write, nothing of ours comes between
    safe = heard and conversation.phase in {Phase.ASKING, Phase.ENDED} and not conversation.ask_safe
    told = left_over(chat) if safe else ()
    return (Chat(began=chat.began) if told else chat), told


async def rest_later(house: House, unit: Unit, pseudonym: Pseudonym, turns: int, effects: Sequence[Effect]) -> None:
    """If nothing more comes, what was said is filed when the line's idle time is over."""
    if effects and isinstance(effects[-1], Ask):
        at = unit.transaction.minute + timedelta(minutes=house.line.idle_minutes + 1)
        await unit.jobs.later("rest", at=at, thread=pseudonym.value.hex(), turns=str(turns))


def soon(house: House, unit: Unit) -> datetime:
    """Some moment of the next minutes. The dice keep a job's date from telling which message it belongs to."""
    return unit.transaction.minute + _SOON + timedelta(seconds=house.world.dice(_SPREAD))


async def note_copies(house: House, unit: Unit, incoming: Incoming, pseudonym: Pseudonym) -> None:
    """What the provider now holds: Twilio's copies are deleted soon, a chat's when the person asks for it."""
    channel = incoming.address.channel.value
    for copy in incoming.copies:
        if copy.startswith(CHAT):
            await unit.chat_messages.note(pseudonym.value, int(copy.removeprefix(CHAT)))
    held = [copy for copy in incoming.copies if not copy.startswith(CHAT)]
    for copy in await unit.copies.note(channel, held):
        await unit.jobs.later("erase_copy", at=soon(house, unit), copy=copy)
