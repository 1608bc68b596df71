"""Every address of the console, in one table, and which door it stands behind."""

from typing import Final

from aiohttp import web

from console import cases, changes, counts, oncall, queue, signin, trail
from console.doors import inside, posted
from console.render import HERE

_CASE: Final = "/cases/{code:[0-9]{6}}"

ROUTES: Final = (
    # Open to whoever can reach this port
    web.get("/signin", signin.show),
    web.post("/signin", signin.enter),
    web.post("/signout", signin.leave),
    web.get("/metrics", counts.show),
    web.static("/static", HERE / "static"),
    # For members
    web.get("/", queue.home),
    web.get("/queue", inside(queue.show)),
    web.get("/queue/live", queue.live, allow_head=False),
    web.get("/oncall", inside(oncall.show)),
    web.get("/audit", trail.show),
    web.get("/audit.json", trail.export, allow_head=False),
    # One case. To look at it is an act, so HEAD may not
    web.get(_CASE, inside(cases.show), allow_head=False),
    web.get(f"{_CASE}/close", inside(cases.confirm_close), allow_head=False),
    web.post(f"{_CASE}/answer", posted(changes.answer)),
    web.post(f"{_CASE}/note", posted(changes.note)),
    web.post(f"{_CASE}/assign", posted(changes.assign)),
    web.post(f"{_CASE}/release", posted(changes.release)),
    web.post(f"{_CASE}/acknowledge", posted(changes.acknowledge)),
    web.post(f"{_CASE}/raise", posted(changes.raise_level)),
    web.post(f"{_CASE}/close", posted(changes.close)),
)
