"""What responders do with a page: take it by a reply, a key or a button; and what they are told.

A page call or a button carries our own reference; a reply is known by the responder's address. Everybody else is a
person who reports, and is none of this module's business.
"""

import uuid
from typing import Final

from bot.connecting import CONNECT, whispered
from bot.house import House
from bot.notices import Trouble, notice
from bot.pager import STILL
from bot.readiness import answered
from channels.messages import Answer, ChannelName, Choice, Expect, Incoming, IncomingKind
from dialogs.conversation import Mode
from dialogs.lexicon import normal
from triage.alerts import OUTSIDE
from triage.drills import Announce
from triage.rota import MethodKind
from vault.cases import Case
from vault.errors import NotFound
from vault.paging import StoredPage, StoredResponder
from vault.unit import Unit

TAKE: Final = "take"  # a page's button, and the key 1 on a call
_KEY: Final = "1"
_RUNG: Final = {CONNECT: MethodKind.VOICE.value, STILL: MethodKind.VOICE.value}
"""A page's method, where it is not that of the contact it went to."""

_MOST_CODES: Final = 5  # as many as a text holds in every language

# Words with which a phone turns our texts off and on again, as Twilio documents them: it obeys them before we hear of
# it (https://help.twilio.com/articles/223134027). Error 21610 tells the same when we next send.
_STOP: Final = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
_START: Final = frozenset({"start", "unstop", "yes"})


class Responders:
    """Answers responders, and only them."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def reply(self, unit: Unit, incoming: Incoming) -> Answer | None:
        """The answer to a responder, or None when this is no responder's doing."""
        if incoming.kind is IncomingKind.DIALLED:  # a caller's step, though it carries a page's reference back
            return None
        ready = await answered(self._house, unit, incoming)
        if ready is not None:
            return ready
        page = await self._page(unit, incoming)
        if page is not None and await self._was_sent_to(unit, page, incoming):
            return await self._on_page(unit, incoming, page)
        responder = await unit.responders.by_address(incoming.address.channel, incoming.address.value)
        if responder is None:  # on a call that we began nobody reports anything: the case was erased, or they left
            return self._say(None, "page.unknown_code", Expect.NOTHING) if incoming.reference else None
        if incoming.kind is IncomingKind.STARTED and incoming.address.channel is ChannelName.TELEGRAM:
            return self._say(responder, "page.ready", Expect.NOTHING, line=self._house.line.name)
        if incoming.kind in {IncomingKind.HANGUP, IncomingKind.SILENCE, IncomingKind.PICKED_UP}:
            return self._say(responder, "page.unknown_code", Expect.NOTHING)
        return await self._written(unit, incoming, responder)

    async def _written(self, unit: Unit, incoming: Incoming, responder: StoredResponder) -> Answer:
        """What a responder wrote, pressed or keyed by themselves: a code, STOP, or something we cannot read."""
        spoken = incoming.address.channel is ChannelName.VOICE
        word = normal(incoming.text)
        if incoming.address.channel is ChannelName.SMS and word in _STOP | _START:
            return await self._texts(unit, responder, on=word in _START)
        meant = await self._asked(unit, incoming) or await self._house.pager.meant(unit, incoming.text)
        if meant is not None:
            return await self._take(unit, meant, responder, spoken=spoken)
        codes = (await self._house.pager.ringing_for(unit, responder))[:_MOST_CODES]
        if not codes:
            return self._say(responder, "page.unknown_code", Expect.NOTHING)
        phrase, expect = ("page.which_voice", Expect.CODE) if spoken else ("page.which", Expect.NOTHING)
        return self._say(
            responder, phrase, expect, codes=("; " if spoken else ", ").join(map(_spelled, codes) if spoken else codes)
        )

    @staticmethod
    async def _asked(unit: Unit, incoming: Incoming) -> uuid.UUID | None:
        """The alert whose "still on it?" this button answers."""
        first, _, rest = incoming.text.partition(":")
        if incoming.kind is not IncomingKind.CHOICE or first != STILL:
            return None
        try:
            return (await unit.alerts.get(uuid.UUID(rest))).id
        except (ValueError, NotFound):
            return None

    async def _texts(self, unit: Unit, responder: StoredResponder, *, on: bool) -> Answer:
        """They turned our texts off, or on again. They stay on the rota, other methods go on, and somebody is told."""
        trouble = Trouble.RESUMED if on else Trouble.STOPPED
        await notice(self._house, unit, trouble, about=str(responder.id), name=responder.name)
        phrase = "page.ready" if on else "page.stopped"
        return self._say(responder, phrase, Expect.NOTHING, line=self._house.line.name)

    async def _page(self, unit: Unit, incoming: Incoming) -> StoredPage | None:
        """The page that this event answers, by our reference in a call's address or a button's id."""
        reference = incoming.reference or incoming.text.partition(":")[2].removesuffix(f":{TAKE}")
        if not incoming.reference and not (incoming.kind is IncomingKind.CHOICE and incoming.text.startswith("page:")):
            return None
        try:
            return await unit.alerts.page(uuid.UUID(reference))
        except (ValueError, NotFound):
            return None

    async def _was_sent_to(self, unit: Unit, page: StoredPage, incoming: Incoming) -> bool:
        """True when this page went to this very address: knowing a page's id does not make anybody a responder."""
        if page.responder_id is None:
            return incoming.address.value == self._house.line.triage.outside_number
        responder = await unit.responders.get(page.responder_id)
        contact = responder.contact(_RUNG.get(page.method, page.method), page.contact) if responder else None
        return contact is not None and contact.value == incoming.address.value

    async def _on_page(self, unit: Unit, incoming: Incoming, page: StoredPage) -> Answer:
        responder = await unit.responders.get(page.responder_id) if page.responder_id else None
        if responder and page.method == CONNECT:
            return await whispered(self._house, unit, incoming, page, responder)
        spoken = bool(incoming.reference)
        if spoken and not (incoming.kind is IncomingKind.DIGITS and incoming.text == _KEY):
            stored = await unit.alerts.get(page.alert_id)
            case = await unit.cases.get(stored.case_id)
            again = incoming.kind is not IncomingKind.HANGUP
            return self._say(
                responder, "page.again", Expect.ANYTHING if again else Expect.NOTHING, code=_spelled(case.code)
            )
        # One phone is one human, though it stand in two places: as the outside number and as somebody's own.
        address = incoming.address
        owner = responder or await unit.responders.by_address(address.channel, address.value)
        return await self._take(unit, page.alert_id, owner, spoken=spoken)

    async def _take(
        self, unit: Unit, alert_id: uuid.UUID, responder: StoredResponder | None, *, spoken: bool
    ) -> Answer:
        pager = self._house.pager
        told = await pager.acknowledged(unit, alert_id, str(responder.id) if responder else OUTSIDE)
        case = await unit.cases.get((await unit.alerts.get(alert_id)).case_id)
        return await pager.told(unit, case, responder, told, spoken=spoken)

    def _say(self, responder: StoredResponder | None, phrase: str, expect: Expect, **values: str) -> Answer:
        language = self._house.pager.language(responder)
        text = self._house.phrases.text(phrase, language, Mode.PLAIN, values)
        return Answer(text=text, language=language, expect=expect)


def page_answer(house: House, case: Case, page: StoredPage, responder: StoredResponder | None) -> Answer:
    """The page itself: code, level, language and a link; never a word of the report, on no method."""
    language = house.pager.language(responder)
    if page.method == STILL:
        text = house.phrases.text("page.still_voice", language, Mode.PLAIN, {"code": _spelled(case.code)})
        return Answer(text=text, language=language)
    spoken = page.method == MethodKind.VOICE
    values = {
        "line": house.line.name,
        "level": house.phrases.text(f"level.{case.level.word}", language, Mode.PLAIN, {}),
        "code": _spelled(case.code) if spoken else case.code,
        "language": house.pager.named(case.language, language),
        "link": f"{house.settings.console_url}/cases/{case.code}",
    }
    text = house.phrases.text("page.voice" if spoken else "page.text", language, Mode.PLAIN, values)
    if case.drill and house.line.drills.announce is Announce.AT_ONCE:
        text = f"{text}\n{house.phrases.text('page.drill', language, Mode.PLAIN, {})}"
    label = house.phrases.text("page.take", language, Mode.PLAIN, {})
    button = Choice(id=f"page:{page.id}:{TAKE}", key=_KEY, label=label)
    buttons = (button,) if page.method == MethodKind.TELEGRAM else ()
    return Answer(text=text, language=language, choices=buttons)


def _spelled(code: str) -> str:
    """A case code for the ear."""
    return ", ".join(code)
