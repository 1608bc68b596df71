"""Agreed words within a turn: their slow digest, outside the transaction; keeping one, and telling which it is.

The words themselves go nowhere: not into the thread, the case, a job or a log. What follows from them is decided in
dialogs/guarding.py.
"""

from dataclasses import replace
from functools import partial
from typing import Final

from bot.house import House
from bot.reading import Reading
from bot.thread import ThreadState
from channels.messages import Incoming, IncomingKind
from dialogs.events import CheckWord, KeepWord, Secret, WordChecked, WordKept
from vault.sealing import Effort
from vault.words import LONGEST, SHORTEST, AgreedWords, Stretched, folded, new_salt, stretched

_SPOKEN: Final = {IncomingKind.TEXT, IncomingKind.SPEECH, IncomingKind.DIGITS}
_SALTS: Final = 2**128
_KEY: Final = "agreed words"


class WordAsked(Exception):
    """The turn needs the digest of what was said, with this salt: it begins again when there is one."""

    def __init__(self, *, salt: bytes, effort: Effort) -> None:
        super().__init__()
        self.salt = salt
        self.effort = effort


class AgreedSpeech:
    """The agreed words of a house's threads."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def stretch(self, incoming: Incoming, reading: Reading, asked: WordAsked) -> Reading:
        """The same reading, with the digest of what was said. One guess too many takes as long and is none.

        Whoever floods waits among those who guess codes: their noise must not cover somebody else's duress word.
        """
        house = self._house
        counts = house.patience.may_say(reading.pseudonym.value, house.world.now())
        key = house.vault.ring.service_key(_KEY)
        try:
            work = partial(stretched, incoming.text, asked.salt, asked.effort, key)
            said = await house.patience.slowly(work, word=not reading.flooding)
        except TimeoutError:  # more at once than this machine can derive: nobody's digest
            house.counts["words_unheard"] += 1
            said = Stretched(salt=asked.salt, effort=asked.effort, digest=b"nobody's", usable=False)
        house.counts["words_limited"] += not counts
        return replace(reading, word=replace(said, counts=counts and not reading.flooding))

    def unasked(self, incoming: Incoming, reading: Reading, thread: ThreadState) -> WordChecked | None:
        """An agreed word that was said although nobody asked for one; None when it is none. Raises WordAsked.

        So the duress word works at every step, and neither word ever becomes part of the case.
        """
        words = thread.words
        if words is None or incoming.kind not in _SPOKEN or not SHORTEST <= len(folded(incoming.text)) <= LONGEST:
            return None
        found = words.which(self._said(reading, words))
        return WordChecked(found=Secret(found)) if found else None

    def answer(
        self, asked: KeepWord | CheckWord, reading: Reading, thread: ThreadState
    ) -> tuple[WordKept | WordChecked, ThreadState]:
        """What the engine is told, and the thread as it is then. Raises WordAsked."""
        words = thread.words or self._new(reading)
        said = self._said(reading, words)
        if isinstance(asked, CheckWord):
            found = words.which(said)
            return WordChecked(found=Secret(found) if found else None), thread
        agreed = words.agree(asked.secret, said)
        return WordKept(kept=agreed is not None), thread.but(words=agreed or thread.words)

    def _new(self, reading: Reading) -> AgreedWords:
        """A thread's first word is digested with a salt of its own."""
        house, said = self._house, reading.word
        if said is not None:
            return AgreedWords(salt=said.salt, effort=said.effort)
        ring = house.vault.ring
        return AgreedWords(
            salt=new_salt(house.world.dice(_SALTS)), effort=ring.effort_of(ring.current) or house.pseudonyms.effort
        )

    @staticmethod
    def _said(reading: Reading, words: AgreedWords) -> Stretched:
        if reading.word is None or reading.word.salt != words.salt:
            raise WordAsked(salt=words.salt, effort=words.effort)
        return reading.word
