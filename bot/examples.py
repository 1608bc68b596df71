"""A few reports for `harborline demo --examples`, sent by the practice people through the real channels."""

from typing import Final

from bot.practice import PEOPLE
from carriers.exchange import Exchange

_TEXTS: Final = (
    ("+12025550151", "The bakery on Mill Road keeps the passports of its workers"),
    ("+12025550152", "Mi jefe no me paga desde hace tres meses y no puedo salir"),
    ("+12025550153", "What are my rights if my employer keeps my papers?"),
)
_CHAT: Final = "mujhe paise nahi mile, malik dhamki deta hai"


async def send_examples(exchange: Exchange) -> None:
    """Three texts and a Telegram message."""
    for number, text in _TEXTS:
        await exchange.phone(number).text(text)
    await exchange.chat(PEOPLE[1].telegram).text(_CHAT)
