"""What the console must be told about one line: names, time zone, policy, words of the questions. Values only."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from triage.policy import TriagePolicy
from triage.rota import Rota
from vault.unit import Unit


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
    secure_cookie: bool = True
    time_zone: ZoneInfo = ZoneInfo("UTC")  # noqa: RUF009 - a constant of the standard library
    questions: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    longest_answer: int = 1600  # characters; Twilio refuses more with 21617

    def language(self, tag: str) -> str:
        """The language's name, or a readable stand-in."""
        return self.languages.get(tag, tag or "Unknown language")

    def question(self, step: str) -> str:
        """The question that this step asks."""
        return self.questions.get(step) or _readable(step)

    def choice(self, step: str, choice: str) -> str:
        """What the person picked. `choice` with or without its step in front."""
        name = choice.removeprefix(f"{step}:")
        return self.choices.get(f"{step}:{name}") or _readable(name)


def _readable(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ").capitalize()
