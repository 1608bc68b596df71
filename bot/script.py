"""The script of a line: its flows and its words, the built-in ones with the line's own laid over them.

A line's own lie in HARBORLINE_HOME: `flows/<name>.yml` stands for the built-in file of that name, and each phrase of
`locales/<tag>/messages.po` for the built-in phrase. Reading and refusing only; what is proven is in dialogs.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dialogs.checks import check_phrases, load_flow
from dialogs.covers import Cover
from dialogs.flow import Flow
from dialogs.marked import BadFile
from dialogs.phrases import Phrases, load_phrases, telling_phrases


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a line says, and when."""

    flow: Flow
    phrases: Phrases


def read_script(
    home: Path | None,
    languages: Collection[str] | None = None,
    *,
    name: str = "intake",
    cover: Cover = Cover.SHOP,
) -> Script:
    """The script of the line whose files lie in `home`, in these languages or in every complete one.

    Without a home it is the built-in script.

    Raises BadFile, with every mistake as "file:line:column: what to do": a flow that does not hold together, a phrase
    that is missing, or a discreet phrase that gives the line away.
    """
    problems: list[str] = []
    flow = phrases = None
    try:
        flow = load_flow(name, own=home / "flows" if home else None)
    except BadFile as error:
        problems.extend(error.problems)
    try:
        phrases = load_phrases(languages=languages, own=home / "locales" if home else None, cover=cover)
    except BadFile as error:
        problems.extend(error.problems)
    if flow and phrases:
        problems = [
            *(_strays(home, flow) if home else ()),
            *check_phrases(flow, phrases.keys),
            *telling_phrases(phrases),
        ]
        if not problems:
            return Script(flow=flow, phrases=phrases)
    raise BadFile(problems)


def own_files(home: Path) -> tuple[Path, ...]:
    """The files that a line has laid over the built-in ones."""
    found = [*(home / "flows").glob("*.yml"), *(home / "locales").glob("*/*.po"), *(home / "locales").glob("*/*.yml")]
    return tuple(sorted(found))


def _strays(home: Path, flow: Flow) -> list[str]:
    """Own files that nothing reads: somebody believes that they are in force."""
    read = {flow.name, *flow.main.include}
    strays = [path for path in (home / "flows").glob("*") if path.stem not in read or path.suffix != ".yml"]
    known = {"messages.po", "meta.yml", "sensitive.yml", "voice"}
    strays += [path for path in (home / "locales").glob("*/*") if path.name not in known]
    return [f"{path}:1:1: nothing reads this file: name it in `include`, rename it or remove it" for path in strays]
