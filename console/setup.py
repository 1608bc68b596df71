"""What the console must be told about one line: names, time zone, policy, words of the questions. Values only."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from triage.drills import Announce, Shift
from triage.policy import TriagePolicy
from triage.rota import Rota
from triage.week import Limits
from vault.passkeys import Site
from vault.retention import Policy
from vault.unit import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A drill that can be begun. `trouble`: why this line cannot play it, or ""."""

    name: str
    title: str
    language: str
    shift: Shift
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One line, as its staff see it.

    `languages`: tag -> name staff read. `questions`: step -> the question in the staff's language; `choices`:
    "<step>:<choice>" -> its label; what is missing is shown by a readable form of its id. `rota` gives the calendar.
    `secure_cookie` is False only where the console is opened without TLS on the machine itself.
    """

    line_name: str
    languages: Mapping[str, str]
    policy: TriagePolicy
    rota: Callable[[Unit], Awaitable[Rota]]
    retention: Policy = Policy()  # noqa: RUF009 - frozen, like the value it stands in
    secure_cookie: bool = True
    time_zone: ZoneInfo = ZoneInfo("UTC")  # noqa: RUF009 - a constant of the standard library
    questions: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    troubles: Mapping[int, str] = field(default_factory=dict)  # a provider's error number -> why, and what to do
    address: str = ""  # https://… as staff open it: passkeys are bound to it
    public_address: str = ""  # https://… of the public port: calendars are fetched there
    limits: Limits = Limits()  # noqa: RUF009 - frozen, like the value it stands in
    announce: Announce = Announce.AFTER  # when staff may know that a case is a drill
    scenarios: Callable[[], Sequence[Scenario]] = tuple  # those there are now; none when a file has a mistake
    longest_answer: int = 1600  # characters; Twilio refuses more with 21617

    def language(self, tag: str) -> str:
        """The language's name, or a readable stand-in."""
        return self.languages.get(tag, tag or "Unknown language")

    @property
    def site(self) -> Site | None:
        """What passkeys are bound to; None where browsers make none: at a bare IP address, or without TLS."""
        parts = urlsplit(self.address)
        host = parts.hostname or ""
        if not host or re.fullmatch(r"[0-9.]+|.*:.*", host):
            return None
        if parts.scheme != "https" and host != "localhost":
            return None
        port = f":{parts.port}" if parts.port not in {None, {"https": 443, "http": 80}[parts.scheme]} else ""
        return Site(host=host, origin=f"{parts.scheme}://{host}{port}", name=self.line_name)

    def question(self, step: str) -> str:
        """The question that this step asks."""
        return self.questions.get(step) or _readable(step)

    def choice(self, step: str, choice: str) -> str:
        """What the person picked. `choice` with or without its step in front."""
        name = choice.removeprefix(f"{step}:")
        return self.choices.get(f"{step}:{name}") or _readable(name)


def _readable(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ").capitalize()
