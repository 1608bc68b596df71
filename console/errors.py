"""The last loop boundary of the console: whatever goes wrong becomes a calm page, and a counted, wordless event."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from aiohttp import web

from console.desk import DESK
from console.doors import FORM, Handler, SignedOut, cookies
from console.refused import Again, Refused
from console.session import local, token
from triage.review import IllegalTransition
from vault.errors import CannotOpen, Conflict, Erased, LastSupervisor, NameTaken, NotAllowed, NotFound, VaultError
from vault.unit import DATABASE_AWAY

_QUEUE: Final = ("/queue", "Go to the queue")
_TEAM: Final = ("/team", "Go to the team")
_NOT_SENT: Final = "Nothing was sent or changed."

_HTTP: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        404: ("There is no such page.", "Check the address, or look for the case in the queue."),
        405: ("This address does not take that kind of request.", "Use the forms on the pages."),
        413: ("That is more than a form of this console may carry.", "Shorten the text and send it again."),
    }
)

_VAULT: Mapping[type[VaultError], tuple[int, str, str]] = MappingProxyType(
    {
        NotFound: (404, "There is no case with this number.", "Check the number, or look in the queue."),
        CannotOpen: (
            403,
            "This case does not open with your keys: it was shared with another team, or its bytes were changed.",
            "Ask a supervisor to share it, and tell the operator if nobody can open it.",
        ),
        NotAllowed: (403, "Only a supervisor can do this, and nobody to themselves.", "Ask another supervisor."),
        LastSupervisor: (
            409,
            "You are the last supervisor, and somebody has to be one.",
            "Make somebody else a supervisor first.",
        ),
        NameTaken: (409, "This name is taken, or empty.", "Go back and choose another one."),
        Erased: (
            410,
            "This case was erased. Nothing of it is left to open, for anybody.",
            "The audit trail says when, and who asked for it.",
        ),
        Conflict: (409, "Somebody else changed this a moment ago.", "Look at it again, then decide."),
    }
)


@web.middleware
async def calm(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every failure with a page that says what happened, what was kept and what to do next."""
    try:
        return await handler(request)
    except SignedOut:
        return _signed_out(request)
    except Refused as refused:
        return _page(request, refused)
    except DATABASE_AWAY:
        return _page(request, _away())
    except IllegalTransition:
        return _page(request, _illegal())
    except VaultError as error:
        return _page(request, _vault(error, request.path))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _page(request, _http(error.status))
    except Exception as error:  # the loop boundary
        request.app[DESK].failure("console.failed", error)
        return _page(request, _broken())


def _signed_out(request: web.Request) -> web.Response:
    if "part" in request.query:
        return web.Response(status=401, text="signed out")
    if request.method in {"GET", "HEAD"}:
        where = quote(local(request.rel_url.path_qs), safe="/")
        return web.Response(status=303, headers={"Location": f"/signin?next={where}"})
    refused = Refused(
        401,
        "You were signed out, because nothing happened for a while or because you signed out elsewhere.",
        kept=_NOT_SENT,
        next="Sign in again, then send it.",
        reason="signed_out",
        back=("/signin", "Sign in"),
    )
    return _page(request, refused)


def _away() -> Refused:
    return Refused(
        503,
        "The database cannot be reached at the moment.",
        kept="Nothing that was stored is lost. What you just sent was not kept.",
        next="Try again in a minute. Reports still reach the line: providers send again what was not taken.",
        reason="database",
        back=("", ""),
    )


def _illegal() -> Refused:
    return Refused(
        409,
        "The case has moved on since you opened it, and this step is no longer possible.",
        kept=_NOT_SENT,
        next="Open the case again and look where it stands.",
        reason="transition",
    )


def _vault(error: VaultError, path: str) -> Refused:
    if isinstance(error, NotFound) and path.startswith("/team/"):
        return Refused(404, "This member was removed.", next="Look at the team.", reason="NotFound", back=_TEAM)
    status, happened, then = _VAULT.get(type(error), (500, str(error), "Tell the operator what this page says."))
    back = _TEAM if path.startswith("/team") else _QUEUE
    return Refused(status, happened, kept=_NOT_SENT, next=then, reason=type(error).__name__, back=back)


def _http(status: int) -> Refused:
    happened, then = _HTTP.get(status, ("This request could not be understood.", "Go back and try again."))
    return Refused(status, happened, kept=_NOT_SENT, next=then, reason=f"http_{status}")


def _broken() -> Refused:
    return Refused(
        500,
        "Something in the console is broken.",
        kept="Nothing of this request was kept; everything from before is.",
        next="Try again. If it comes back, tell the operator the time and the page.",
        reason="broken",
    )


def _page(request: web.Request, refused: Refused) -> web.Response:
    desk = request.app[DESK]
    desk.refusals[refused.reason or str(refused.status)] += 1
    again = refused.again or _typed(request)
    return desk.pages.response(
        "refused.html",
        status=refused.status,
        refused=refused,
        again=again,
        token=token(cookies(request).read(request)),
    )


def _typed(request: web.Request) -> Again | None:
    """What was typed into the form that failed, unless it was a sign-in."""
    form = request.get(FORM, {})
    if not form.get("text") or not request.path.startswith("/cases/"):
        return None
    return Again(action=request.path, fields={k: v for k, v in form.items() if k not in {"token", "again"}})
