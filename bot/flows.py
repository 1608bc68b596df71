"""`harborline flows draw` and `harborline flows check`: the flows seen and proven, a line's own included."""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bot.context import Context
from bot.errors import CommandFailed
from bot.line import Line, read_line
from bot.script import Script, own_files, read_script
from channels.segments import fold, segments
from dialogs.budgets import Cost, phrase_costs
from dialogs.checks import FLOWS
from dialogs.covers import Cover
from dialogs.drawing import draw
from dialogs.flow_page import page, segment_table
from dialogs.line import LineFacts
from dialogs.marked import BadFile, read
from dialogs.picture import LANGUAGE, Picture, files_of, heading, picture
from dialogs.rehearsal import rehearsal_line
from dialogs.verdict import Finding, judge

_LINE_FILE: Final = "line.yml"
_WIDE: Final = 100
_INSET: Final = "      "


async def run(context: Context) -> None:
    """Draw, or check."""
    action = {"draw": _draw, "check": _check}[context.arguments.action]
    try:
        action(context)
    except BadFile as error:
        raise CommandFailed(str(error)) from None


def cost(text: str) -> int:
    """The SMS segments of a text as it is sent."""
    return segments(fold(text)).segments


def proven(script: Script, facts: LineFacts, line_file: Path | None = None) -> tuple[Finding, ...]:
    """What holds of a line's script, and what does not; `line_file` is where its cover is written."""
    at = f"{_LINE_FILE}:1:1"
    if line_file is not None:
        at = read(line_file.read_text("utf-8"), line_file.name, Line).where(("cover",))
    return judge(script.flow, script.phrases, facts, cost, at)


def pages(script: Script, home: Path | None) -> Iterator[tuple[str, str]]:
    """Every picture of a script with its file name, and last the page that shows them, as "../flows.md"."""
    facts = rehearsal_line(script.phrases, LANGUAGE, "sms")
    shown = [picture_of(script, file, home) for file in files_of(script.flow)]
    yield from ((f"{each.file.removesuffix('.yml')}.svg", draw(each)) for each in shown)
    names = {tag: locale.english for tag, locale in script.phrases.locales.items()}
    costs = phrase_costs(script.flow, script.phrases, facts, cost)
    yield "", page(shown, proven(script, facts), costs, names)


def picture_of(script: Script, file: str, home: Path | None) -> Picture:
    """One flow file as a picture: the line's own in `home`, or the built-in one."""
    own = home / "flows" / file if home else None
    path = own if own and own.exists() else FLOWS / file
    return picture(script.flow, script.phrases, file, heading(path.read_text("utf-8")))


def _draw(context: Context) -> None:
    arguments = context.arguments
    home = None if arguments.built_in else context.settings.harborline_home
    script = read_script(home)
    if LANGUAGE not in script.phrases.languages:
        raise CommandFailed("Pictures are drawn in English: keep locales/en complete.")
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    if arguments.flow:
        file = f"{Path(arguments.flow).stem}.yml"
        if file not in files_of(script.flow):
            raise CommandFailed(
                f"There is no flow file {file}: choose one of {', '.join(files_of(script.flow))}.", status=2
            )
        _write(out / f"{Path(file).stem}.svg", draw(picture_of(script, file, home)))
        return
    for name, text in pages(script, home):
        _write(out / name if name else out.with_suffix(".md"), text)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{path}\n")


def _check(context: Context) -> None:
    home = None if context.arguments.built_in else context.settings.harborline_home
    line_file = home / _LINE_FILE if home and (home / _LINE_FILE).exists() else None
    line = read_line(line_file) if line_file else None
    cover = line.cover_is if line else Cover.SHOP
    script = read_script(home, line.languages if line else None, cover=cover)
    facts = line.facts(script.phrases.lexicon()) if line else rehearsal_line(script.phrases, LANGUAGE, "sms")
    for path in own_files(home) if home else ():
        sys.stdout.write(f"own   {path}\n")
    findings = proven(script, facts, line_file)
    sys.stdout.writelines(f"{text}\n" for finding in findings for text in _told(finding))
    if context.arguments.segments:
        sys.stdout.writelines(f"{text}\n" for text in ("", *segment_table(_costs(script, facts))))
    if any(finding.problems for finding in findings):
        raise CommandFailed("Something does not hold: mend what stands below the lines that begin with `look`.")


def _costs(script: Script, facts: LineFacts) -> tuple[Cost, ...]:
    return phrase_costs(script.flow, script.phrases, facts, cost)


def _told(finding: Finding) -> Iterator[str]:
    """One finding as lines of a terminal. Problems are not broken into lines: their places are clicked and copied."""
    yield f"{'look' if finding.problems else 'well'}  {finding.what}"
    yield from (f"      {problem}" for problem in finding.problems)
    for sentence in (*(() if finding.problems else (finding.shown,)), *finding.notes):
        yield textwrap.fill(sentence, width=_WIDE, initial_indent=_INSET, subsequent_indent=_INSET)
