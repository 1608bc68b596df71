"""What responders do with a page: take it by a reply, a key or a button; and what they are told.

A page call or a button carries our own reference; a reply is known by the responder's address. Everybody else is a
person who reports, and is none of this module's business.
"""

import uuid
from typing import Final

from bot.connecting import CONNECT, whispered
from bot.house import House
from bot.readiness import answered
from channels.messages import Answer, ChannelName, Choice, Expect, Incoming, IncomingKind
from dialogs.conversation import Mode
from triage.alerts import OUTSIDE
from triage.rota import MethodKind
from vault.cases import Case
from vault.errors import NotFound
from vault.paging import StoredPage, StoredResponder
from vault.unit import Unit

TAKE: Final = "take"  # a page's button, and the key 1 on a call
_KEY: Final = "1"
_RUNG: Final = {CONNECT: MethodKind.VOICE.value}  # a page's method, where it is not that of the contact it went to


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
        meant = await self._house.pager.meant(unit, incoming.text)
        if meant is None:
            return self._say(responder, "page.unknown_code", Expect.NOTHING)
        return await self._take(unit, meant, responder, spoken=False)

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
        return await self._take(unit, page.alert_id, responder, spoken=spoken)

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
    spoken = page.method == MethodKind.VOICE
    values = {
        "line": house.line.name,
        "level": house.phrases.text(f"level.{case.level.word}", language, Mode.PLAIN, {}),
        "code": _spelled(case.code) if spoken else case.code,
        "language": house.pager.named(case.language, language),
        "link": f"{house.settings.console_url}/cases/{case.code}",
    }
    text = house.phrases.text("page.voice" if spoken else "page.text", language, Mode.PLAIN, values)
    label = house.phrases.text("page.take", language, Mode.PLAIN, {})
    button = Choice(id=f"page:{page.id}:{TAKE}", key=_KEY, label=label)
    buttons = (button,) if page.method == MethodKind.TELEGRAM else ()
    return Answer(text=text, language=language, choices=buttons)


def _spelled(code: str) -> str:
    """A case code for the ear."""
    return ", ".join(code)
