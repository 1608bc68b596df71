"""docs/flows.md: the pictures of a flow with a sentence each, what is proven of it, what its texts cost. Text only."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dialogs.budgets import Cost, share, summary
from dialogs.conversation import Mode
from dialogs.picture import Picture
from dialogs.verdict import Finding

_HEAD: Final = """\
# The flows in pictures

What a person is asked, and where each answer leads. A picture shows one file of `dialogs/flows/`; its sentence is the
comment at the head of that file. Open a picture to see it in full size. Beside every answer stands where it leads: in
the same picture along a line, in a frame when it goes on in another file. Answers leave a step on its right side,
skips on its left, dotted. "At every step" in the first picture is not drawn again at every step.

`make flows` draws this page and its pictures again from the flows and the phrases; a test fails until they are the
same. A line that has flows of its own draws them with `harborline flows draw --out FOLDER`
([commands](commands.md#harborline-flows)).
"""


def page(
    pictures: Sequence[Picture], findings: Sequence[Finding], costs: Sequence[Cost], names: Mapping[str, str]
) -> str:
    """The whole page. `costs` are those of phrases, `names` the English names of languages; pictures are in flows/."""
    parts = [_HEAD, *map(_section, pictures), _proven(findings), _segments(costs, names)]
    return "\n".join(parts)


def _section(picture: Picture) -> str:
    name = picture.file.removesuffix(".yml")
    about = f"{picture.about}\n" if picture.about else ""
    described = f"The steps of {picture.file} and where each answer leads: {', '.join(c.step for c in picture.cards)}"
    return f"## {picture.file}\n\n{about}\n[![{described}](flows/{name}.svg)](flows/{name}.svg)\n"


def _proven(findings: Sequence[Finding]) -> str:
    lines = [
        "## What is proven",
        "",
        "`harborline flows check` proves it again, for a line's own flows and words too.",
        "",
    ]
    lines += ["| it holds that | shown by |", "|---|---|"]
    lines += [f"| {finding.what} | {finding.shown} |" for finding in findings]
    notes = [note for finding in findings for note in finding.notes]
    return "\n".join([*lines, "", *(f"{note[0].upper()}{note[1:]}." for note in notes), ""])


def _segments(costs: Sequence[Cost], names: Mapping[str, str]) -> str:
    """Shares by language; the whole table is printed by `harborline flows check --segments`."""
    lines = [
        "## What the texts cost by SMS",
        "",
        "Every phrase that a person can get as a text, with sample values. One segment is 160 characters where the",
        "SMS alphabet has all letters of a text, 70 where it has not. `harborline flows check --segments` prints each.",
        "",
        "| language | mode | phrases | one segment | at most two | longest |",
        "|---|---|---|---|---|---|",
    ]
    for (tag, mode), (count, _, _, longest) in summary(costs).items():
        mine = [cost for cost in costs if (cost.language, cost.mode) == (tag, mode)]
        lines.append(f"| {names[tag]} | {mode} | {count} | {share(mine, 1)} | {share(mine, 2)} | {longest} |")
    return "\n".join([*lines, ""])


def segment_table(costs: Sequence[Cost]) -> Iterator[str]:
    """The table of every phrase, as lines of a terminal: for each language the segments of the plain/discreet text."""
    tags = tuple(dict.fromkeys(cost.language for cost in costs))
    sizes = {(cost.what, cost.language, cost.mode): str(cost.segments) for cost in costs}
    keys = sorted({cost.what for cost in costs})
    wide = max(len("phrase"), *map(len, keys))
    yield f"{'phrase':<{wide}}  " + "  ".join(f"{tag:<3}" for tag in tags) + "  (plain/discreet)"
    for key in keys:
        pairs = ("/".join(sizes.get((key, tag, mode), "-") for mode in Mode) for tag in tags)
        yield f"{key:<{wide}}  " + "  ".join(f"{pair:<3}" for pair in pairs)
    for label, most in (("one segment", 1), ("at most two", 2)):
        yield f"{label:<{wide}}  " + "  ".join(_shares(costs, tag, most) for tag in tags)


def _shares(costs: Sequence[Cost], tag: str, most: int) -> str:
    return f"{tag} " + "/".join(
        share([cost for cost in costs if (cost.language, cost.mode) == (tag, mode)], most).replace(" ", "")
        for mode in Mode
    )
