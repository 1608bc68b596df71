"""GET /calendar/<secret>.ics: a responder's own shifts, for the calendar on their phone.

On the public port, because calendar programs cannot sign in and the console need not be reachable from anywhere. It
shows when and one ordinary word; what is not there, was taken back or belongs to somebody who left is the same 404.
"""

import re
from datetime import timedelta
from typing import Final

from aiohttp import web

from bot.house import House
from bot.patience import Buckets, Pace
from dialogs.conversation import Mode
from triage.ics_write import tag, write_calendar
from triage.rota import shifts
from triage.week import on_duty_of

PATH: Final = "/calendar/{secret}.ics"
BACK: Final = timedelta(days=8)  # more than a week's turn, so that the one that goes on is whole
AHEAD: Final = timedelta(days=60)
ASKING: Final = Pace(burst=60, every=timedelta(milliseconds=500))
"""All together: phones ask every hour or so; whoever guesses at 256 bits must not keep the database busy."""

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_NOTHING: Final = "There is no calendar here.\n"
_EVERYBODY: Final = b"everybody"


class Feed:
    """The calendars of one line."""

    def __init__(self, house: House, pace: Pace = ASKING) -> None:
        self._house = house
        self._asked = Buckets(pace, 1)

    def route(self) -> web.RouteDef:
        """Its address."""
        return web.get(PATH, self.give, allow_head=False)

    async def give(self, request: web.Request) -> web.Response:
        """The file; 304 when it is the one they have; 404; 503 when too many ask."""
        house, secret = self._house, request.match_info["secret"]
        if not _SECRET.fullmatch(secret):
            return web.Response(status=404, text=_NOTHING)
        if not self._asked.take(_EVERYBODY, house.world.now()):
            return web.Response(status=503, text="Ask again in a minute.\n", headers={"Retry-After": "60"})
        body = await self._body(secret)
        if body is None:
            return web.Response(status=404, text=_NOTHING)
        headers = {"ETag": f'"{tag(body)}"', "Content-Disposition": 'inline; filename="calendar.ics"'}
        known = {found.value for found in request.if_none_match or ()}
        if tag(body) in known:
            return web.Response(status=304, headers={"ETag": headers["ETag"]})
        return web.Response(body=body, headers=headers, content_type="text/calendar", charset="utf-8")

    async def _body(self, secret: str) -> bytes | None:
        house = self._house
        async with house.vault.unit() as unit:
            opened = await unit.feeds.opens(secret)
            person = await unit.responders.get(opened[0]) if opened else None
            if opened is None or person is None:
                return None
            rota, now = await house.pager.rota(unit), unit.transaction.now
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)  # so that it stays the same all day
        start, end = midnight - BACK, midnight + AHEAD
        found = on_duty_of(str(person.id), shifts(rota, start, end)) if rota.has_calendar else ()
        whole = [b for b in found if (b.start > start or b.end > now) and (b.end < end or b.start <= now)]
        word = house.phrases.text("page.shift_word", house.pager.language(person), Mode.PLAIN, {})
        return write_calendar(whole, word=word, key=f"uid:{secret}".encode(), stamp=opened[1])
