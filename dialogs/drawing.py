"""A picture of a flow file as SVG: one column of cards, so that it can be read on a phone as well as on a wall.

Answers leave a card on its right side and run in lanes beside the column; skips leave on the left, dotted. All targets
of one card share a lane. Geometry and markup only: what a picture shows is in picture.py. The same picture always gives
the same bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import Final

from dialogs.lanes import Run, assign
from dialogs.lettering import width, wrap
from dialogs.picture import WORDS, Card, Leads, Picture, Row, Target

_CARD: Final = 280  # width of a card, and of everything in it, in the picture's own units (pixels at full size)
_PAD: Final = 12
_EDGE: Final = 10  # around everything
_LANE: Final = 9
_GAP: Final = 30  # between cards
_STUB: Final = 102  # the widest that a target's name may be beside its answer
_TEXT, _SMALL, _HEAD = 14.0, 12.0, 15.0
_LINE, _SMALL_LINE = 18, 16
_CAP: Final = 22
_HUES: Final = 4

_STYLE: Final = """\
    text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: #1b232d }
    .paper { fill: #f3f1ec } .card { fill: #fff; stroke: #d9d4ca }
    .passage { fill: #f7f5f1; }
    .title { font-size: 21px; font-weight: 650 } .step { font-size: 15px; font-weight: 650 }
    .ask { font-size: 14px }
    .label { font-size: 14px } .small { font-size: 12px; fill: #545e6a }
    .key { font-size: 13px; font-weight: 650; fill: #0b6470 }
    .cap { fill: #e0eeee; stroke: #0b6470 } .cap.skip { fill: none; stroke: #7d8793; stroke-dasharray: 2 3 }
    .any { font-size: 12px; font-weight: 600; fill: #8f4a00 } .stub { fill: none; stroke: #7d8793 }
    .rest { fill: #1b232d } .on { fill: #fff; font-size: 12px; font-weight: 600 }
    .name { font-size: 12px; font-weight: 600 }
    .way { fill: none; stroke-width: 2; stroke-linejoin: round }
    .dotted { stroke-dasharray: 1 5; stroke-linecap: round }
    .rule { stroke: #e7e3db } .group { fill: none; stroke: #7d8793 }
    .h0 { stroke: #0b6470 } .h1 { stroke: #8a4b8f } .h2 { stroke: #2b5a86 } .h3 { stroke: #7a5a00 }
    .h4 { stroke: #7d8793 }
    .t0 { fill: #0b6470 } .t1 { fill: #8a4b8f } .t2 { fill: #2b5a86 } .t3 { fill: #7a5a00 }
    .t4 { fill: #7d8793 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e9edf0 } .paper { fill: #10151a } .card { fill: #192027; stroke: #3d4853 }
      .passage { fill: #141a20 }
      .small { fill: #a3afba } .key { fill: #6cc7d0 } .cap { fill: #1c3a40; stroke: #6cc7d0 }
      .any { fill: #f0b574 }
      .rest { fill: #e9edf0 } .on { fill: #10151a } .rule { stroke: #2a333c } .stub, .group { stroke: #77838f }
      .h0 { stroke: #6cc7d0 } .h1 { stroke: #cf9fd4 } .h2 { stroke: #8fb8e6 } .h3 { stroke: #d9b75a }
      .t0 { fill: #6cc7d0 } .t1 { fill: #cf9fd4 } .t2 { fill: #8fb8e6 } .t3 { fill: #d9b75a }
    }"""


@dataclass(slots=True, kw_only=True)
class _Sheet:
    """What has been drawn so far, and how far down. Ports are where ways begin and doors where they arrive."""

    left: float
    y: float
    marks: list[str] = field(default_factory=list)
    answers: list[tuple[str, float]] = field(default_factory=list)  # target and height, on the right
    skips: list[tuple[str, float]] = field(default_factory=list)  # and on the left
    doors: dict[str, float] = field(default_factory=dict)

    @property
    def right(self) -> float:
        return self.left + _CARD

    def text(self, kind: str, x: float, y: float, words: str, anchor: str = "start") -> None:
        end = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.marks.append(f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}"{end}>{escape(words, quote=False)}</text>')

    def box(self, kind: str, x: float, y: float, w: float, h: float, round_: float) -> None:  # noqa: PLR0917 - what a rectangle needs
        self.marks.append(
            f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" rx="{_n(round_)}"/>'
        )

    def lines(self, kind: str, lines: Sequence[str], step: int, *, inset: float = _PAD) -> None:
        for words in lines:
            self.y += step
            self.text(kind, self.left + inset, self.y, words)


def draw(picture: Picture) -> str:
    """The picture as an SVG document that needs nothing else, in light and dark, with its contents as real text."""
    right, left = _lanes_needed(picture)
    sheet = _Sheet(left=_EDGE + left * _LANE + (8 if left else 0), y=_EDGE)
    _title(sheet, picture)
    for card in picture.cards:
        _card(sheet, card)
    _legend(sheet, picture)
    ways = [*_ways(sheet, sheet.answers, side=1), *_ways(sheet, sheet.skips, side=-1)]
    wide = sheet.right + (right * _LANE + 10 if right else 0) + _EDGE
    return _document(picture, wide, sheet.y + _EDGE, [*ways, *sheet.marks])


def _lanes_needed(picture: Picture) -> tuple[int, int]:
    """How many lanes there are on the right and on the left; found by laying the cards out once."""
    sheet = _Sheet(left=0, y=0)
    _title(sheet, picture)
    for card in picture.cards:
        _card(sheet, card)
    right, left = (
        max((run.lane for run in _runs(sheet, ports)), default=-1) + 1 for ports in (sheet.answers, sheet.skips)
    )
    return right, left


# Parts ------------------------------------------------------------------------------------------------------------


def _title(sheet: _Sheet, picture: Picture) -> None:
    sheet.lines("title", [picture.file], 24, inset=0)
    sheet.y += 2
    sheet.lines("small", wrap(picture.about, _SMALL, _CARD, 4), _SMALL_LINE, inset=0)
    sheet.y += 20


def _card(sheet: _Sheet, card: Card) -> None:
    marks, sheet.marks = sheet.marks, []
    top = sheet.y
    for come in card.comes:
        kind = "any" if not come.endswith(".yml") else "small"
        sheet.lines(kind, wrap(f"▸ {come}", _SMALL, _CARD - 2 * _PAD, 2), _SMALL_LINE + 2)
    sheet.y += 6 if card.comes else 4
    sheet.lines("step", [card.step], 20)
    sheet.doors[card.step] = sheet.y - 5
    if card.kind:
        sheet.text("small", sheet.right - _PAD, sheet.y, card.kind, "end")
    if card.question:
        sheet.y += 3
        sheet.lines("ask", wrap(f"“{card.question}”", _TEXT, _CARD - 2 * _PAD, 2), _LINE)
    for note in card.notes:
        sheet.lines("small", wrap(note, _SMALL, _CARD - 2 * _PAD, 2), _SMALL_LINE + 1)
    sheet.y += 10
    for _, rows in groupby(card.rows, key=lambda row: (row.target, row.skip)):
        _group(sheet, tuple(rows))
    sheet.y += 4
    inside, sheet.marks = sheet.marks, marks
    sheet.box("card" if card.question else "card passage", sheet.left, top, _CARD, sheet.y - top, 12)
    sheet.marks.extend(inside)
    sheet.y += _GAP


def _group(sheet: _Sheet, rows: tuple[Row, ...]) -> None:
    """Answers that lead to the same place: their rows, and the place once beside them."""
    sheet.marks.append(f'<path class="rule" d="M{_n(sheet.left + _PAD)} {_n(sheet.y)}H{_n(sheet.right - _PAD)}"/>')
    top = sheet.y + 3
    middles = [_row(sheet, row) for row in rows]
    beside = rows[0].target
    sheet.y = max(sheet.y, top + (38 if beside.step and _named(beside)[1] else 0))
    middle = (top + sheet.y) / 2
    if len(rows) > 1:
        x = sheet.right - _PAD - _STUB - 8
        sheet.marks.append(
            f'<path class="group" d="M{_n(x - 4)} {_n(middles[0])}q5 0 5 5V{_n(middles[-1] - 5)}q0 5 -5 5"/>'
        )
    if beside.leads is Leads.HERE:
        ports = sheet.skips if rows[0].skip else sheet.answers
        ports.append((beside.step, middles[0] if rows[0].skip else middle))
    _target(sheet, beside, middle, skip=rows[0].skip)
    sheet.y += 3


def _row(sheet: _Sheet, row: Row) -> float:
    """One answer; gives the height of its middle."""
    x, top = sheet.left + _PAD, sheet.y
    room = _CARD - 2 * _PAD - _CAP - 8 - _STUB - 12
    label, note = wrap(row.label, _TEXT, room, 2), wrap(row.note, _SMALL, room, 2)
    height = max(_CAP + 6, len(label) * _LINE + len(note) * 15 + 8)
    _cap(sheet, x, top + 5, row)
    inset = x + _CAP + 8 if row.key else x
    y = top + 2
    for words in label:
        y += _LINE
        sheet.text("label", inset, y + 0.5, words)
    for words in note:
        y += 15
        sheet.text("small", x + _CAP + 8, y, words)
    sheet.y = top + height
    return top + 16


def _cap(sheet: _Sheet, x: float, y: float, row: Row) -> None:
    """The key as it looks on a telephone; words as a key without a border."""
    if row.key and row.key != WORDS:
        sheet.box("cap skip" if row.skip else "cap", x, y, _CAP, _CAP, 6)
    if row.key:
        sheet.text("key", x + _CAP / 2, y + 15.5, row.key, "middle")


def _target(sheet: _Sheet, target: Target, middle: float, *, skip: bool) -> None:
    """Where it leads, in words: a name, a stub with the name of another file, or an ending."""
    end = sheet.right - _PAD
    if target.leads in {Leads.END, Leads.WAITS}:
        words, wide = {Leads.END: ("the end", 70), Leads.WAITS: ("waits", 60)}[target.leads]
        sheet.box("rest", end - wide, middle - 11, wide, 22, 11 if target.leads is Leads.WAITS else 4)
        sheet.text("on", end - wide / 2, middle + 4, words, "middle")
        return
    first, second = _named(target)
    size = max(width(first, _SMALL), width(second, _SMALL))
    sheet.text("name", end - (7 if second else 0), middle + (-2 if second else 4), first, "end")
    if second:
        sheet.text("small", end - 7, middle + 12, second, "end")
        kind = "stub dotted" if skip else "stub"
        sheet.box(kind, end - size - 16, middle - 17, size + 16, 34, 8)


def _named(target: Target) -> tuple[str, str]:
    if target.leads is Leads.BACK:
        return ("where it was", f"or {target.step}")
    return (target.step, f"↗ {target.file}" if target.file else "")


# Ways -------------------------------------------------------------------------------------------------------------


def _runs(sheet: _Sheet, ports: Sequence[tuple[str, float]]) -> tuple[Run, ...]:
    targets = dict.fromkeys(step for step, _ in ports)
    return assign([(step, sheet.doors[step], tuple(y for other, y in ports if other == step)) for step in targets])


def _ways(sheet: _Sheet, ports: Sequence[tuple[str, float]], *, side: int) -> Iterator[str]:
    """The lanes of one side: out of every answer, along the lane, into the target's card."""
    start = sheet.right if side > 0 else sheet.left
    for number, run in enumerate(_runs(sheet, ports)):
        hue = number % _HUES if side > 0 else _HUES
        x = start + side * (run.lane + 1) * _LANE
        for y in run.ports:
            bend = 6 if run.door > y else -6
            along = f"H{_n(x - side * 6)}Q{_n(x)} {_n(y)} {_n(x)} {_n(y + bend)}V{_n(run.door - bend)}"
            into = f"Q{_n(x)} {_n(run.door)} {_n(x - side * 6)} {_n(run.door)}H{_n(start + side * 5)}"
            dotted = "" if side > 0 else " dotted"
            yield f'<path class="way h{hue}{dotted}" d="M{_n(start)} {_n(y)}{along}{into}"/>'
        tip, back = start + side * 1, start + side * 8
        point = f"M{_n(tip)} {_n(run.door)}L{_n(back)} {_n(run.door - 4.5)}V{_n(run.door + 4.5)}z"
        yield f'<path class="t{hue}" d="{point}"/>'


# Around it --------------------------------------------------------------------------------------------------------


def _legend(sheet: _Sheet, picture: Picture) -> None:
    """What works everywhere and how to read it: drawn once, with the main file, and named on every other picture."""
    if picture.file != picture.main:
        always = ", ".join(f"{row.key} {row.label}".removeprefix(WORDS).strip() for row in picture.always)
        lines = wrap(f"Also at every step: {always}. {picture.main} shows where these lead.", _SMALL, _CARD, 5)
        sheet.y -= 8
        lines += wrap("Dotted: skipped. A frame: goes on in another file.", _SMALL, _CARD, 2)
        sheet.lines("small", lines, _SMALL_LINE, inset=0)
        return
    sheet.lines("step", ["At every step"], 18, inset=0)
    sheet.y += 4
    for row in picture.always:
        _cap(sheet, sheet.left, sheet.y + 4, row)
        where = " ".join(filter(None, _named(row.target))) if row.target.step else ""
        where = "waits" if row.target.leads is Leads.WAITS else where
        sheet.text("label", sheet.left + _CAP + 8, sheet.y + 20, row.label)
        sheet.text("small", sheet.right, sheet.y + 20, where, "end")
        sheet.y += 28
    sheet.y += 12
    sheet.lines("step", ["How to read it"], 18, inset=0)
    sheet.y += 4
    for mark, words in _SIGNS:
        sheet.marks.append(f'<g transform="translate({_n(sheet.left)} {_n(sheet.y + 14)})">{mark}</g>')
        sheet.text("small", sheet.left + 52, sheet.y + 18, words)
        sheet.y += 24


_SIGNS: Final = (
    ('<path class="way h0" d="M0 0H36"/><path class="t0" d="M44 0L36 -4.5V4.5z"/>', "an answer, and where it leads"),
    ('<path class="way h4 dotted" d="M0 0H36"/><path class="t4" d="M44 0L36 -4.5V4.5z"/>', "the question is skipped"),
    ('<rect class="stub" x="0" y="-9" width="44" height="18" rx="6"/>', "goes on in another file"),
    ('<rect class="rest" x="0" y="-8" width="44" height="16" rx="4"/>', "the end; the conversation rests"),
    ('<rect class="rest" x="0" y="-8" width="44" height="16" rx="8"/>', "waits until the person comes back"),
)


def _document(picture: Picture, wide: float, high: float, marks: Sequence[str]) -> str:
    body = "\n".join(f"  {mark}" for mark in marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(wide)}" height="{_n(high)}" '
        f'viewBox="0 0 {_n(wide)} {_n(high)}" role="img" aria-labelledby="title desc">\n'
        f'  <title id="title">{escape(picture.file, quote=False)}</title>\n'
        f'  <desc id="desc">{escape(described(picture), quote=False)}</desc>\n'
        f"  <style>\n{_STYLE}\n  </style>\n"
        f'  <rect class="paper" width="{_n(wide)}" height="{_n(high)}" rx="14"/>\n{body}\n</svg>\n'
    )


def described(picture: Picture) -> str:
    """The picture in sentences, for whoever hears it."""
    said = [picture.about]
    for card in picture.cards:
        answers = "; ".join(f"{row.key} {row.label}: {_where(row.target)}".strip() for row in card.rows)
        said.append(f"{card.step}{f': {card.question}' if card.question else ''} {answers}.")
    return " ".join(said)


def _where(target: Target) -> str:
    if target.leads is Leads.END:
        return "the end"
    if target.leads is Leads.WAITS:
        return "waits"
    return " ".join(filter(None, (*_named(target),)))


def _n(value: float) -> str:
    """A number as short as it can be written."""
    return f"{value:.1f}".removesuffix(".0")
