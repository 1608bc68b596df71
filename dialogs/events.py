"""What can happen in a conversation, and what a conversation asks of the house. Values only.

Events go in, effects come out; `engine.advance` is the only place that turns one into the other.
An effect names phrases by key, never by text: the turn looks the words up in the person's language and mode.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# What can happen -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A call was answered or a chat was opened; nothing has been said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Words, typed or spoken. Keypad digits and typed digits arrive here too: the engine reads "2" as a key."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chose:
    """A button was pressed. `option` is "<step>:<choice>"; an old button of a past step is understood as such."""

    option: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A photo, voice note or file came in, perhaps with a caption."""

    caption: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """Nothing came: a voice prompt timed out, or a text conversation has rested for the line's idle time."""

    idle: bool = False  # True: the conversation rests; file what was said


@dataclass(frozen=True, slots=True, kw_only=True)
class HungUp:
    """The call is over. `blocked`: or nothing of ours comes through any more, until the person allows it again."""

    blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedBack:
    """A caller who was to be connected to a human is with us again. `talked`: a human was there, and hung up first."""

    talked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A member of staff writes with the person from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """The member of staff is gone. `quietly`: the person is not there either, so nothing is said to them now."""

    quietly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeChecked:
    """The vault's answer to OpenCode: found or not, and how many answers wait."""

    found: bool
    waiting: int = 0
    known_to_staff: bool = False  # somebody typed the report in for them and told them this code


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """The vault's answer to Withdraw. `at_once` False: somebody first makes sure that nobody is in danger."""

    at_once: bool


class Secret(StrEnum):
    """A word that two sides have agreed on."""

    CHECK = "check"  # shows that it is the person, before anything sensitive is said again
    DURESS = "duress"  # somebody forces them: nothing visible changes, and they are looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class WordKept:
    """The vault's answer to KeepWord. `kept` False: it is the same as the other word, or no word at all."""

    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WordChecked:
    """What the vault says to words that may be an agreed word: which it is, None for neither."""

    found: Secret | None


Event = (
    Started
    | Said
    | Chose
    | Shared
    | Silent
    | HungUp
    | HandedBack
    | Joined
    | Left
    | CodeChecked
    | Withdrawn
    | WordKept
    | WordChecked
)


# What we ask for -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Say a phrase. `values` fill its placeholders."""

    phrase: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice of a question. `label` is a phrase key, or "language:<tag>" for a language's own name."""

    id: str  # "<step>:<choice>"
    key: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask a question. `code`: a long number is expected. The last effect of a turn that waits for the person.

    `lists`: placeholders that are filled with several phrases, one after the other. `also`: languages in which the
    phrase is said too, because nobody knows yet which one the person reads.
    """

    phrase: str
    also: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    code: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Seal what the person just did into the case, labelled with the step it answered. `choice` "" means words."""

    step: str
    choice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A human is needed now. `reason` is a rule's name, for the assessment."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """The report is complete enough for the queue. `way` is the way through that was taken."""

    way: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveCode:
    """Make a return code and say it with this phrase, which has the placeholder {code}."""

    phrase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCode:
    """Look up a return code; the vault answers with CodeChecked in the same turn.

    `ending`: the digits are the last ones of the code that was given in this conversation; only compare them.
    """

    digits: str = field(repr=False)
    ending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnswers:
    """Say the answers that wait under the code that was opened, then continue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetContactRule:
    """How the person may be contacted: never_first | when_i_write | hours | neutral.

    `hours` is "08-12" on the line's own clock when the rule is hours, else "".
    """

    rule: str
    hours: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """Connect to a human now, if the channel can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erase:
    """Remove what can be removed from the person's phone and the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepWord:
    """Remember the words that were just said as an agreed word; the vault answers with WordKept in the same turn."""

    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckWord:
    """Is it an agreed word that was just said? The vault answers with WordChecked in the same turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Destroy the report that this conversation's code opened; the vault answers with Withdrawn in the same turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The conversation rests. A later message begins where the flow says a returning person begins."""


Effect = (
    Say
    | Ask
    | Keep
    | Alert
    | File
    | GiveCode
    | OpenCode
    | ReadAnswers
    | SetContactRule
    | HandOver
    | Erase
    | KeepWord
    | CheckWord
    | Withdraw
    | End
)
