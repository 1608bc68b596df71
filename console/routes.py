"""Every address of the console, in one table, and which door it stands behind."""

from typing import Final

from aiohttp import web

from console import (
    account,
    cases,
    changes,
    counts,
    drills,
    intake,
    keeping,
    oncall,
    queue,
    signin,
    swaps,
    team,
    trail,
    writing,
)
from console.doors import inside, posted
from console.render import HERE

_CASE: Final = "/cases/{code:[0-9]{6}}"
_ID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DRILL: Final = "/drills/{name:[a-z][a-z0-9_]{0,31}}/start"
_MEMBER: Final = f"/team/{{member:{_ID}}}"

ROUTES: Final = (
    # Open to whoever can reach this port
    web.get("/signin", signin.show),
    web.post("/signin", signin.enter),
    web.get("/signin/passkey", signin.challenge, allow_head=False),
    web.post("/signout", signin.leave),
    web.get("/metrics", counts.show),
    web.static("/static", HERE / "static"),
    # For whoever signed in with a one-time passphrase, and for nobody else
    web.get("/begin", account.begin),
    web.post("/begin", account.settle),
    # For members
    web.get("/", queue.home),
    web.get("/queue", inside(queue.show)),
    web.get("/queue/live", queue.live, allow_head=False),
    web.get("/oncall", inside(oncall.show)),
    web.post("/oncall/swaps", posted(swaps.swap)),
    web.post(f"/oncall/swaps/{{change:{_ID}}}/undo", posted(swaps.undo)),
    web.post("/oncall/calendar", posted(swaps.address)),
    web.post("/oncall/calendar/remove", posted(swaps.no_address)),
    web.get("/audit", trail.show),
    web.get("/audit.json", trail.export, allow_head=False),
    web.get("/keeping", inside(keeping.show)),
    web.get("/account", inside(account.show)),
    web.post("/account/passphrase", account.change_passphrase),
    web.post("/account/authenticator", account.change_authenticator),
    web.post("/account/passkeys", account.add_passkey),
    web.post("/account/passkeys/options", account.options),
    web.post("/account/passkeys/only", account.only_passkeys),
    web.post(f"/account/passkeys/{{passkey:{_ID}}}/remove", account.remove_passkey),
    web.get("/team", inside(team.show)),
    web.post("/team/regrant", team.regrant),
    web.get("/drills", inside(drills.show)),
    # For supervisors: console/drills.py asks
    web.get(_DRILL, inside(drills.confirm)),
    web.post(_DRILL, posted(drills.begin)),
    # For supervisors: vault/staffing.py asks
    web.post("/team", team.invite),
    web.post("/team/rotate", team.rotate),
    web.get(_MEMBER, inside(team.one)),
    web.get(f"{_MEMBER}/{{what:reset|remove}}", inside(team.confirm)),
    web.post(f"{_MEMBER}/role", team.change_role),
    web.post(f"{_MEMBER}/reset", team.reset),
    web.post(f"{_MEMBER}/remove", team.remove),
    # A report written down for somebody
    web.get("/cases/new", inside(intake.show)),
    web.post("/cases/new", posted(intake.write_down)),
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
    # Writing with the person oneself
    web.get(f"{_CASE}/talk", inside(cases.talk), allow_head=False),
    web.post(f"{_CASE}/live", posted(writing.begin)),
    web.post(f"{_CASE}/live/say", posted(writing.say)),
    web.post(f"{_CASE}/live/end", posted(writing.end)),
)
