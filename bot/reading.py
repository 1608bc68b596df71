"""What is found out about an event before its transaction: who it comes from, what it means, what its code opens.

Each of these is slow or may be late, so none of it happens while the database waits. Nothing is decided or kept here.
"""

import asyncio
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from bot.house import House
from bot.patience import Verdict
from channels.messages import Incoming, IncomingKind
from dialogs.conversation import Conversation
from understanding.meaning import UNREAD, Engine, Intent, Meaning
from vault.codes import CodeKeys, possible_keys, read_code
from vault.pseudonyms import Pseudonym
from vault.words import Stretched

_MIN_CODE: Final = 12  # digits: fewer is no attempt at a code, more than 24 neither
_MAX_CODE: Final = 24
_WORDY: Final = {IncomingKind.TEXT, IncomingKind.SPEECH, IncomingKind.ATTACHMENT}
_TYPED: Final = {IncomingKind.TEXT, IncomingKind.DIGITS, IncomingKind.SPEECH}
_CRIES: Final = {"112", "911", "999"}
_LONGEST_KEY: Final = 4  # digits: a choice, or the last group of a code
_LATE: Final = {Engine.RULES, Engine.NONE}
_NOBODYS: Final = "nobody's"  # is asked about in place of a try that does not count: no code derives the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was found out.

    `meaning` None: there is nothing to read, such as a key. UNREAD without `words`: something came that no engine
    reads, such as a voice note; that is urgent until a human has read it.
    """

    pseudonyms: Sequence[Pseudonym]
    meaning: Meaning | None
    words: bool
    flooding: bool = False  # this sender is far too fast: nothing slow is spent on them
    code: tuple[CodeKeys, ...] = field(default=(), repr=False)
    word: Stretched | None = field(default=None, repr=False)  # only once the turn has asked for it (agreed.py)

    @property
    def pseudonym(self) -> Pseudonym:
        """Who it is, in the current epoch."""
        return self.pseudonyms[0]

    @property
    def late(self) -> bool:
        """There are words that the full engine could not read in time: a job will read them again."""
        return self.words and self.meaning is not None and self.meaning.engine in _LATE

    def judged(self, conversation: Conversation) -> Meaning | None:
        """What triage judges now: of a late reading only the danger that patterns already saw.

        A message too short to tell its language is in the language of its conversation.
        """
        meaning = self.meaning
        if meaning is None or (self.late and not meaning.signals):
            return None
        if meaning.language is None and conversation.language:
            return replace(meaning, language=conversation.language)
        return meaning


async def read(house: House, incoming: Incoming) -> Reading:
    """Find out what can be found out without the database."""
    address, wanted = incoming.address, _wanted(incoming)
    pseudonyms = await house.pseudonyms.of(address.channel, address.value)
    verdict = house.patience.judge(
        pseudonyms[0].value,
        f"{address.channel}/{incoming.id}",
        house.world.now(),
        guess=read_code(wanted) is not None,
    )
    house.counts["events_flooding"] += verdict.flooding
    meaning, code = await asyncio.gather(_meaning(house, incoming, verdict), _code(house, wanted, verdict))
    return Reading(
        pseudonyms=pseudonyms, meaning=meaning, words=_is_wordy(incoming), flooding=verdict.flooding, code=code
    )


async def _meaning(house: House, incoming: Incoming, verdict: Verdict) -> Meaning | None:
    if not _is_wordy(incoming):
        return _wordless(house, incoming)
    if verdict.flooding:
        return UNREAD  # it is kept all the same, and a job reads it (`Reading.late`)
    budget = house.settings.understanding_budget  # late means that the answer goes out and a job reads the words
    return await house.understanding.understand(incoming.text, languages=house.line.languages, budget=budget)


def _wordless(house: House, incoming: Incoming) -> Meaning | None:
    """Things without a letter: an emergency number alone is a cry for help; a key or a code is nothing to read; a
    voice note, a place or mere signs are unread, and so urgent until a human has seen them."""
    if incoming.kind not in _WORDY:
        return None
    typed = digits(incoming.text)
    if incoming.text.strip() and set(incoming.text.split()) <= {house.line.emergency_number, *_CRIES}:
        return Meaning(danger=1.0, intent=Intent.HUMAN, confidence=1.0, engine=Engine.RULES)
    is_key = bool(typed) and len(typed) <= _LONGEST_KEY and len(incoming.text.strip()) <= _LONGEST_KEY + 1
    return None if is_key or _MIN_CODE <= len(typed) <= _MAX_CODE else UNREAD


def _wanted(incoming: Incoming) -> str:
    """The digits of what may be meant as a return code, or ""."""
    typed = digits(incoming.text) if incoming.kind in _TYPED else ""
    return typed if _MIN_CODE <= len(typed) <= _MAX_CODE else ""


async def _code(house: House, wanted: str, verdict: Verdict) -> tuple[CodeKeys, ...]:
    """What a return code derives that was typed, keyed or spoken, once for each effort that codes were made with.

    A try that does not count, because its check digit is wrong or because there were too many, takes the same way as
    any other, in thread and database, only that it asks about nobody's code: neither words nor time tell the cause.
    """
    if not wanted or verdict.flooding:
        return ()
    if read_code(wanted) and not verdict.may_try:
        house.counts["codes_limited"] += 1
    ring = house.vault.ring
    asked = wanted if verdict.may_try else _NOBODYS
    try:
        return await house.patience.slowly(partial(possible_keys, asked, ring.salt, ring.code_efforts))
    except TimeoutError:  # more tries at once than this machine can derive: whose they are plays no part in it
        house.counts["codes_limited"] += 1
        return ()


def digits(text: str) -> str:
    """The decimal digits in a text, of any script, as 0-9."""
    return "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())


def _is_wordy(incoming: Incoming) -> bool:
    """False for keys and codes: nothing but digits, spaces and punctuation."""
    return incoming.kind in _WORDY and any(unicodedata.category(c)[0] not in "NZPC" for c in incoming.text)
