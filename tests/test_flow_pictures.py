"""The flows, seen: every step and answer is in a picture that can be read on a phone, by ear, in light and in dark."""

import re
import subprocess
import xml.etree.ElementTree as Xml
from functools import cache
from pathlib import Path

import pytest

from bot.flows import pages
from bot.script import Script, read_script
from dialogs.checks import FLOWS
from dialogs.drawing import described, draw
from dialogs.flow import Doing, Flow
from dialogs.lanes import Run, assign
from dialogs.lettering import width, wrap
from dialogs.picture import DOES, WORDS, Leads, Picture, files_of, heading, picture
from tests.house import ROOT

SVG = "{http://www.w3.org/2000/svg}"
PICTURES = ROOT / "docs" / "flows"
WIDEST = 400  # units: at 320 px a letter of 14 is still 11 px high


@cache
def built_in() -> Script:
    return read_script(None)


@cache
def drawn() -> dict[str, str]:
    """Every picture and the page, as `make flows` writes them."""
    return dict(pages(built_in(), None))


def flow() -> Flow:
    return built_in().flow


def pictured(file: str) -> Picture:
    return picture(flow(), built_in().phrases, file, heading((FLOWS / file).read_text("utf-8")))


def everything() -> list[tuple[str, Xml.Element]]:
    return [(name, Xml.fromstring(text)) for name, text in drawn().items() if name]  # noqa: S314 - we wrote it


def words_of(svg: Xml.Element) -> str:
    return " ".join(text.text or "" for text in svg.iter(f"{SVG}text"))


# In step with the flows -------------------------------------------------------------------------------------------


def test_the_pictures_in_the_documents_are_those_of_the_flows() -> None:
    """They changed, or a phrase did: run `make flows` and look at the difference."""
    found = {path.name: path.read_text("utf-8") for path in PICTURES.iterdir()}
    wanted = {name: text for name, text in drawn().items() if name}
    assert set(found) == set(wanted)
    for name, text in wanted.items():
        assert found[name] == text, f"docs/flows/{name} is of yesterday: make flows"


def test_the_page_in_the_documents_is_that_of_the_flows() -> None:
    assert (ROOT / "docs" / "flows.md").read_text("utf-8") == drawn()[""], "docs/flows.md is of yesterday: make flows"


def test_the_same_flow_is_always_drawn_the_same() -> None:
    script = """
from bot.flows import picture_of
from bot.script import read_script
from dialogs.drawing import draw
print(draw(picture_of(read_script(None), "danger.yml", None)), end="")
"""
    runs = {
        subprocess.run(
            [str(ROOT / ".venv/bin/python"), "-c", script],
            env={"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {drawn()["danger.svg"]}


def test_every_file_of_the_flow_has_a_picture_and_a_sentence() -> None:
    page = drawn()[""]
    for file in files_of(flow()):
        about = heading((FLOWS / file).read_text("utf-8"))
        assert len(about) > 20, f"say at the head of {file} what it is about"
        assert f"## {file}\n\n{about}\n" in page
        assert f"(flows/{file.removesuffix('.yml')}.svg)" in page


def test_the_page_shows_what_is_proven_and_what_texts_cost() -> None:
    page = drawn()[""]
    assert re.search(r"\| every path ends \| [\d,]+ walks from \d+ entrances", page)
    assert "Allowed on purpose: `danger.number`" in page
    for tag, locale in built_in().phrases.locales.items():
        for mode in ("plain", "discreet"):
            assert re.search(rf"\| {re.escape(locale.english)} \| {mode} \| \d+ \| \d+ % \| \d+ % \| \d+ \|", page), tag


# What is in them --------------------------------------------------------------------------------------------------


def test_every_step_and_every_answer_is_in_a_picture() -> None:
    cards = {card.step: card for file in files_of(flow()) for card in pictured(file).cards}
    assert set(cards) == set(flow().steps)
    for name, step in flow().steps.items():
        keys = [row.key for row in cards[name].rows]
        assert [key for key in keys if key.isdigit() and key != "9"] == [choice.key for choice in step.choices], name
        assert sum(row.skip for row in cards[name].rows) == bool(step.skip), name
        targets = {row.target.leads for row in cards[name].rows}
        ends = [choice.next for choice in step.choices] + [step.next, step.words, step.skip, step.found, step.lost]
        assert (Leads.END in targets) == ("end" in ends), name
        assert (Leads.WAITS in targets) == ("park" in ends), name


def test_all_that_a_step_or_choice_may_do_is_told() -> None:
    """A new thing that a flow can do needs its sentence in dialogs/picture.py."""
    told = {name for name, _ in DOES}
    assert set(Doing.model_fields) - told == {"hours", "say"}  # told with `contact`, and as what is said


def test_what_works_at_every_step_is_in_the_legend_and_not_drawn_as_a_way() -> None:
    always = pictured("intake.yml").always
    assert [row.key for row in always if row.key != WORDS] == [key.key for key in flow().main.keys]
    assert {row.target.step for row in always if row.key == WORDS} >= {flow().main.danger, flow().main.code}
    svg = dict(everything())["help.svg"]
    assert "Also at every step:" in words_of(svg)


def test_steps_that_are_reached_from_anywhere_say_so() -> None:
    comes = {card.step: card.comes for file in files_of(flow()) for card in pictured(file).cards}
    assert "from anywhere: words of danger" in comes[flow().main.danger]
    assert "the first message begins here" in comes[flow().main.start]
    for key in flow().main.keys:
        assert not key.to or f"from anywhere: key {key.key}" in comes[key.to]


def test_what_goes_on_elsewhere_names_the_file() -> None:
    for file in files_of(flow()):
        for card in pictured(file).cards:
            for row in card.rows:
                if row.target.leads is Leads.ELSEWHERE:
                    assert row.target.file in files_of(flow())
                    assert row.target.file != file
                    assert f"↗ {row.target.file}" in words_of(dict(everything())[file.replace(".yml", ".svg")])


def test_a_skip_is_dotted_and_an_answer_is_not() -> None:
    svg = dict(everything())["danger.svg"]
    ways = [path.get("class", "") for path in svg.iter(f"{SVG}path") if "way" in path.get("class", "")]
    inside = [row for card in pictured("danger.yml").cards for row in card.rows if row.target.leads is Leads.HERE]
    assert sum("dotted" in way for way in ways) == sum(row.skip for row in inside)
    assert any("dotted" not in way for way in ways)


# For everybody ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [path.name for path in sorted(PICTURES.iterdir())])
def test_a_picture_is_narrow_whole_and_needs_nothing_else(name: str) -> None:
    text = drawn()[name]
    svg = dict(everything())[name]
    wide, high = float(svg.get("width", 0)), float(svg.get("height", 0))
    assert svg.get("viewBox") == f"0 0 {svg.get('width')} {svg.get('height')}"
    assert wide <= WIDEST
    assert not re.search(r"href|url\(|@import|<script|<image", text), "it must not fetch or run anything"
    for element in svg.iter():
        if element.tag in {f"{SVG}text", f"{SVG}rect"}:
            x, y = float(element.get("x", 0)), float(element.get("y", 0))
            assert -1 <= x <= wide, element.attrib
            assert -9 <= y <= high, element.attrib


@pytest.mark.parametrize("name", [path.name for path in sorted(PICTURES.iterdir())])
def test_a_picture_can_be_heard(name: str) -> None:
    svg = dict(everything())[name]
    file = name.replace(".svg", ".yml")
    assert svg.get("role") == "img"
    title, desc = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert title is not None
    assert desc is not None
    assert svg.get("aria-labelledby", "").split() == [title.get("id"), desc.get("id")]
    assert desc.text == described(pictured(file))
    assert all(card.step in desc.text for card in pictured(file).cards)


@pytest.mark.parametrize("name", [path.name for path in sorted(PICTURES.iterdir())])
def test_words_stay_inside_of_their_card(name: str) -> None:
    """By the same reckoning as the drawing's, from where each text begins or ends."""
    svg = dict(everything())[name]
    wide = float(svg.get("width", 0))
    sizes = {"title": 21, "step": 15, "ask": 14, "label": 14, "small": 12, "any": 12, "name": 12, "on": 12, "key": 13}
    for text in svg.iter(f"{SVG}text"):
        long = width(text.text or "", sizes[text.get("class", "")])
        x = float(text.get("x", 0))
        start = {"end": x - long, "middle": x - long / 2}.get(text.get("text-anchor", ""), x)
        assert start > 0, text.text
        assert start + long < wide, text.text


def _colours(block: str) -> dict[str, dict[str, str]]:
    """By class (or `text`), what a style sheet says of fill and stroke."""
    found: dict[str, dict[str, str]] = {}
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", block):
        for selector in selectors.split(","):
            found.setdefault(selector.strip(), {}).update(dict(re.findall(r"(fill|stroke): (#[0-9a-f]{3,6})", body)))
    return found


def _light(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    bright, dim = sorted((_light(one), _light(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_every_word_stands_out_from_its_ground_in_light_and_dark(dark: bool) -> None:
    style = re.search(r"<style>(.*?)</style>", drawn()["danger.svg"], re.DOTALL)
    assert style
    light_part, _, dark_part = style[1].partition("@media (prefers-color-scheme: dark) {")
    looks = _colours(light_part)
    if dark:
        for name, changed in _colours(dark_part).items():
            looks.setdefault(name, {}).update(changed)
    grounds = [looks[name]["fill"] for name in (".paper", ".card", ".passage")]
    for name in ("text", ".small", ".any", ".key"):
        for ground in grounds:
            assert _contrast(looks[name]["fill"], ground) >= 4.5, (name, ground)
    assert _contrast(looks[".on"]["fill"], looks[".rest"]["fill"]) >= 4.5
    for hue in range(5):
        assert _contrast(looks[f".h{hue}"]["stroke"], looks[".paper"]["fill"]) >= 3, hue
        assert looks[f".h{hue}"]["stroke"] == looks[f".t{hue}"]["fill"]


# Parts ------------------------------------------------------------------------------------------------------------


def test_ways_that_pass_each_other_run_in_lanes_of_their_own() -> None:
    runs = assign([("far", 500, (10, 200)), ("near", 100, (20,)), ("below", 400, (300,)), ("apart", 700, (600,))])
    lanes = {run.target: run.lane for run in runs}
    assert [run.target for run in runs] == ["far", "near", "below", "apart"]
    assert lanes == {"far": 1, "near": 0, "below": 0, "apart": 0}
    assert runs[0] == Run(target="far", door=500, ports=(10, 200), lane=1)
    assert runs[0].ends == (10, 500)


def test_a_long_text_is_broken_between_words_and_ends_in_an_ellipsis() -> None:
    text = "“Do you want a code? With it you can come back from any phone, hear our answer and add more.”"
    lines = wrap(text, 14, 260, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…”")
    assert all(width(line, 14) <= 260 for line in lines)
    assert wrap("short", 14, 260, 2) == ["short"]
    assert wrap("", 14, 260, 2) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# One.\n# Two.\n#\n# More\nstart: x\n", "One. Two."),
        ("# One.\n\n# Other\n", "One."),
        ("steps:\n  # not at the head\n", ""),
    ],
)
def test_the_sentence_of_a_flow_is_the_first_paragraph_at_its_head(text: str, said: str) -> None:
    assert heading(text) == said


def test_markup_in_a_phrase_is_only_words(tmp_path: Path) -> None:
    (tmp_path / "locales" / "en").mkdir(parents=True)
    (tmp_path / "locales" / "en" / "messages.po").write_text('msgid "way"\nmsgstr "<script>&\\"way\\"</script>"\n')
    script = read_script(tmp_path)
    text = draw(picture(script.flow, script.phrases, "intake.yml", "A & B <i>"))
    Xml.fromstring(text)  # noqa: S314 - we wrote it
    assert "<script" not in text
    assert "&lt;script&gt;" in text
