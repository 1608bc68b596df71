"""`harborline learn`: a report that was judged wrongly, turned into an example to measure and train with.

A member types both factors, chooses one message, rewrites it so that it tells of nobody, and says how the person
agreed. They see what the next training would make of it before anything is kept. What they then take is written beside
line.yml, for whoever trains; the agreement and the taking are noted in the case and in the audit. The words as they
were said go nowhere but to the screen.
"""

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bot.context import Context
from bot.errors import CommandFailed
from bot.line import read_line
from bot.staff import signed_in
from bot.terminal import asked, opened_vault, say
from triage.policy import TriagePolicy
from understanding.examples import LEVELS, Example, all_words
from understanding.language import KNOWN
from understanding.meaning import Intent
from understanding.surface import Patterns
from understanding.text import clean
from understanding.training.learning import Difference, difference
from understanding.training.vectors import remembered_but_last
from vault.cases import Case, Entry, EntryKind
from vault.errors import VaultError
from vault.members import SignedIn
from vault.unit import Vault

EMBEDDING: Final = remembered_but_last
LEARNED: Final = "learned.tsv"
"""In HARBORLINE_HOME: a table that `harborline evaluate` reads, with the columns lang, level, intent and text."""
_HEAD: Final = "lang\tlevel\tintent\ttext\n"
_TELLING: Final = (
    (re.compile(r"\d(?:[\s().-]?\d){3,}"), "a number of four digits or more"),
    (re.compile(r"@|https?:|www\.|\b\w+\.(?:com|net|org)\b", re.IGNORECASE), "an address"),
)
_LEAST: Final = 10  # letters that say how somebody agreed
_YES: Final = "take"
_NOTE: Final = "Words of this report are used to measure and train, redacted. How the person agreed:"


async def learn(context: Context) -> None:
    """One message of one case, from the choice to the note in the audit."""
    async with opened_vault(context) as vault:
        try:
            by = await signed_in(vault, context.arguments.by)
            case, said = await _opened(vault, context.arguments.code, by)
            example, agreed = _turned(said)
            policy = _policy(context)
            pages = policy.thresholds_for(example.language).danger
            say("What the next training would make of it. This takes some minutes.")
            say((await asyncio.to_thread(_compared, example, pages)).as_text())
            if asked(f"Type {_YES} to keep it, anything else to leave it: ").strip() != _YES:
                raise CommandFailed("Nothing was kept.")
            await _take(vault, case, by, agreed)
        except VaultError as error:
            raise CommandFailed(str(error)) from None
    _write(context.settings.harborline_home / LEARNED, example)
    say(f"Kept in {LEARNED}. Measure it with the rest: harborline evaluate {LEARNED}.")


async def _opened(vault: Vault, code: str, by: SignedIn) -> tuple[Case, Sequence[Entry]]:
    """The case and what the person wrote in it, opened with the member's key. Raises VaultError, CommandFailed."""
    async with vault.unit() as unit:
        case = await unit.cases.by_code(code)
        key = await unit.cases.key(case, by.teams)
        entries = await unit.cases.read(case, key, (EntryKind.PERSON,))
        unit.audit.add("case.read", f"case:{case.code}", actor=f"member:{by.member.id}")
    said = [open_entry.entry for open_entry in entries if open_entry.entry.text and not open_entry.entry.choice]
    if not said:
        raise CommandFailed("There are no words of the person in this case.")
    return case, said


def _turned(said: Sequence[Entry]) -> tuple[Example, str]:
    """What the member makes of one message, and how the person agreed. Raises CommandFailed."""
    for number, entry in enumerate(said, 1):
        say(f"{number}. {entry.text}")
    chosen = asked("Which message? ").strip()
    if not chosen.isascii() or not chosen.isdecimal() or not 1 <= int(chosen) <= len(said):
        raise CommandFailed("No message has this number: nothing was kept.", status=2)
    say("Write it anew: no name, number, street or day, and whatever else could tell who it was changed for another.")
    text = clean(asked("Redacted: "))
    if (found := telling(text, said)) is not None:
        raise CommandFailed(f"The text still holds {found}: change it. Nothing was kept.", status=2)
    language = _one_of("Language", KNOWN, said[int(chosen) - 1].language)
    level = _one_of("Level", LEVELS, "emergency")
    intent = _one_of("Intent", tuple(Intent), Intent.HELP_SELF)
    agreed = asked("How and when did the person agree that these words are used? ").strip()
    if len(agreed) < _LEAST:
        raise CommandFailed("Without the person's agreement their words are not used. Nothing was kept.", status=2)
    say(f"\n{language}, {level}, {intent}:\n{text}\n")
    if asked("Can nobody be recognised by this? Type yes: ").strip() != "yes":
        raise CommandFailed("Nothing was kept.")
    return Example(language=language, text=text, intent=Intent(intent), level=level, signals=frozenset()), agreed


def telling(text: str, said: Sequence[Entry]) -> str | None:
    """What a redacted text may not hold, or None: nothing at all, a number, an address, or the words as they were."""
    if not text:
        return "nothing"
    if any(text == clean(entry.text) for entry in said):
        return "the words as they were said"
    return next((what for pattern, what in _TELLING if pattern.search(text)), None)


def _one_of(name: str, allowed: Sequence[str], usual: str) -> str:
    typed = asked(f"{name} ({usual}): ").strip() or usual
    if typed not in allowed:
        raise CommandFailed(f"{name} must be one of {', '.join(allowed)}. Nothing was kept.", status=2)
    return typed


def _policy(context: Context) -> TriagePolicy:
    path = context.settings.harborline_home / "line.yml"
    return read_line(path).triage if path.exists() else TriagePolicy()


def _compared(example: Example, pages: float) -> Difference:
    words = list(all_words())
    examples = [each for language in words for each in language.examples]
    return difference(examples, example, Patterns(words), pages=pages, embedding=EMBEDDING)


async def _take(vault: Vault, case: Case, by: SignedIn, agreed: str) -> None:
    actor = f"member:{by.member.id}"
    async with vault.unit() as unit:
        note = Entry(kind=EntryKind.NOTE, text=f"{_NOTE} {agreed}", author=str(by.member.id))
        await unit.cases.add(case, note)
        unit.audit.add("case.learnt", f"case:{case.code}", actor=actor)
        await unit.queue_changed()


def _write(path: Path, example: Example) -> None:
    """Add one line; nobody but the service's user reads the file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as out:
        if out.tell() == 0:
            out.write(_HEAD)
        out.write(f"{example.language}\t{example.level}\t{example.intent}\t{example.text}\n")
