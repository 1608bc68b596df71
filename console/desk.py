"""What every view needs: the application's parts, and one visit by a signed-in member. Holds; decides nothing."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from console.actions import Actions
from console.live import Live
from console.render import Pages
from console.session import Gate
from console.setup import Setup
from vault.members import Member, SignedIn
from vault.unit import Unit, Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The parts of one console."""

    vault: Vault
    setup: Setup
    actions: Actions
    metrics: Callable[[], Awaitable[str]]
    pages: Pages
    gate: Gate
    live: Live
    failure: Callable[[str, BaseException], None]
    refusals: Counter[str] = field(default_factory=Counter)


DESK: Final = web.AppKey("desk", Desk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of a signed-in member, inside one unit. `form` is empty unless something was posted."""

    desk: Desk
    request: web.Request
    unit: Unit
    who: SignedIn
    token: str = field(repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def member(self) -> Member:
        """Who is looking."""
        return self.who.member

    def note(self, action: str, subject: str) -> None:
        """An audit line of this member."""
        self.unit.audit.add(action, subject, actor=f"member:{self.member.id}")

    def page(self, template: str, *, status: int = 200, **values: object) -> web.Response:
        """A page with the frame that signed-in members see."""
        frame = {"member": self.member, "token": self.token, "line": self.desk.setup.line_name}
        return self.desk.pages.response(template, status=status, **frame, **values)
