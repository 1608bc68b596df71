"""What is written down is true: settings, commands, errors, flows and paths in the documents are those of the house.

Both ways: what the code has and no document names fails, and what a document names and the code no longer has.
"""

import argparse
import ast
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from bot.cli import COMMANDS
from bot.line import Line
from bot.settings import SETTINGS
from channels.refusals import RULES
from dialogs.marked import load
from tests.house import ROOMS, ROOT
from triage.levels import Level
from triage.policy import LevelPolicy, TriagePolicy

DOCUMENTS = [path.relative_to(ROOT).as_posix() for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])]
SETTING = re.compile(r"^#?(?P<name>[A-Z][A-Z0-9_]+)=(?P<default>.*)$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)(?P<path>[^)#\s]+)(?:#(?P<anchor>[^)\s]+))?\)")
PATH = re.compile(r"`([\w.<>*-]+/[\w./<>*-]*)`")
REQUIRED = "required"


def words(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every row of every table, as they are read: without code marks, headings and rules."""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not line.startswith("|-") and not following.startswith("|-"):
            yield [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]


def section(text: str, title: str) -> str:
    """What stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {title!r}"
    return found[1]


# The environment ---------------------------------------------------------------------------------------------------


def test_the_example_shows_every_setting_with_its_default() -> None:
    shown = {found["name"]: found["default"] for found in SETTING.finditer(words(".env.example"))}
    assert shown == {name: setting.default for name, setting in SETTINGS.items()}


def test_every_setting_is_documented_with_its_default() -> None:
    written = {cells[0]: cells[1] for cells in rows(words("docs/settings.md"))}
    assert written == {name: setting.default for name, setting in SETTINGS.items()}


# line.yml ----------------------------------------------------------------------------------------------------------


def _model_in(annotation: Any) -> tuple[type[BaseModel], str] | None:
    """The model inside of a field's type, and what stands for it in a path: "[]" for a list, ".<level>" and so on."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    inner = next((a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, BaseModel)), None)
    return (inner, "[]") if inner else None


def settings_of(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, object]]:
    """Every setting of line.yml by its path, with its default. Levels are alike, so they are one `<level>`."""
    for name, field in model.model_fields.items():
        path = f"{above}{name}"
        default = REQUIRED if field.is_required() else field.get_default(call_default_factory=True)
        found = _model_in(field.annotation)
        if path == "triage.levels":
            yield from settings_of(LevelPolicy, "triage.levels.<level>.")
        elif found is None or isinstance(default, Mapping):
            yield path, default
        elif found[1]:
            yield path, default
            yield from settings_of(found[0], f"{path}[].")
        else:
            if path == "triage":
                yield path, PydanticUndefined
            yield from settings_of(found[0], f"{path}.")


def _read_as(default: object) -> str | None:
    """How a default is written in the table; None where the table says it in words of its own."""
    if default is PydanticUndefined:
        return None
    if default is None:
        return "none"
    if default in ("", ()) or default == {}:
        return "empty"
    if hasattr(default, "isoformat"):
        return str(default)[:5]
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_every_setting_of_line_yml_is_documented_with_its_default() -> None:
    written = {cells[0]: cells[2] for cells in rows(words("docs/line.md")) if len(cells) == 4}
    known = {path: _read_as(default) for path, default in settings_of(Line)}
    assert set(written) == set(known)
    assert {p: written[p] for p in known if known[p] is not None} == {p: d for p, d in known.items() if d is not None}


def test_the_defaults_of_every_level_are_documented() -> None:
    written = {cells[0]: cells[1:] for cells in rows(words("docs/line.md")) if len(cells) == 10}
    policy = TriagePolicy()
    for level in Level:
        its = policy.of(level)
        steps = ", ".join(f"{step.who} {step.wait:g}" for step in its.steps)
        numbers = (its.acknowledge, its.answer, its.review, its.people, its.people_for_life)
        known = [its.page, *map(_read_as, numbers), steps, str(its.repeat), f"{its.last_resort_every:g}"]
        assert written[level.word] == known
    assert len(written) == len(Level)


def test_the_example_of_line_yml_can_be_used() -> None:
    example = re.search(r"^```yaml\n(.*?)^```", words("docs/line.md"), re.MULTILINE | re.DOTALL)
    assert example
    line = load(example[1], "docs/line.md", Line)
    assert line.default_language in line.languages


# Commands ----------------------------------------------------------------------------------------------------------


def _arguments(command: str) -> dict[str, str]:
    """What the parser takes, as it is written in the table: name -> default."""
    parser = argparse.ArgumentParser(add_help=False)
    COMMANDS[command].arguments(parser)
    known = {}
    for action in parser._actions:
        name = max(action.option_strings, key=len) if action.option_strings else action.dest
        needed = not action.option_strings and action.nargs is None
        default = "" if action.default is None or action.default is False else str(action.default) or "empty"
        known[name] = REQUIRED if needed else default
    return known


def test_no_command_is_undocumented_and_none_is_made_up() -> None:
    assert set(re.findall(r"^## `harborline (\w+)`", words("docs/commands.md"), re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_is_documented_with_its_default_and_the_example(command: str) -> None:
    text = section(words("docs/commands.md"), f"`harborline {command}`")
    written = {cells[0].split()[0]: cells[1] for cells in rows(text)}
    assert written == _arguments(command)
    assert f"    {COMMANDS[command].example}\n" in text


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_only_commands_that_exist(document: str) -> None:
    assert set(re.findall(r"`harborline ([a-z]+)", words(document))) <= set(COMMANDS)


def test_make_says_what_it_can_do() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    (promised,) = re.findall(r"^\.PHONY: (.*)$", words("Makefile"), re.MULTILINE)
    assert re.findall(r"^make (\w+)", told, re.MULTILINE) == promised.split()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_only_make_targets_that_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", words("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", words(document))) <= targets


# Errors ------------------------------------------------------------------------------------------------------------


def test_every_provider_error_is_documented_with_what_staff_are_told() -> None:
    written = {cells[0]: cells[1:] for cells in rows(section(words("docs/errors.md"), "Twilio's numbers"))}
    known = {}
    for number, rule in RULES.items():
        wait = "" if rule.after is None else f", after {rule.after:g}"
        known[str(number)] = [f"yes{wait}" if rule.retry else "no", rule.say]
    assert written == known


def _errors() -> Iterator[str]:
    """Every public class of the rooms that is named as an error's is: it derives from one, by name or by family."""
    families = {"Exception", "ValueError", "RuntimeError", "VaultError", "SendError"}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                bases = (
                    {b.id for b in node.bases if isinstance(b, ast.Name)} if isinstance(node, ast.ClassDef) else set()
                )
                if isinstance(node, ast.ClassDef) and bases & families and not node.name.startswith("_"):
                    yield f"{path.relative_to(ROOT).with_suffix('').as_posix().replace('/', '.')}.{node.name}"


def test_every_error_of_the_house_is_documented() -> None:
    """The practice carriers' errors stand for a provider's and reach nobody."""
    written = {cells[0] for cells in rows(section(words("docs/errors.md"), "Families"))}
    assert written == {error for error in _errors() if not error.startswith("carriers.")}


# The map -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ROOMS)
def test_the_map_has_a_line_for_every_module_and_none_that_is_gone(room: str) -> None:
    """A newcomer finds any file in ARCHITECTURE.md, under its room. A new one gets its line there."""
    found = re.search(rf"^### {room}/.*?(?=^##)", words("ARCHITECTURE.md"), re.MULTILINE | re.DOTALL)
    assert found, f"ARCHITECTURE.md has no part for {room}/"
    written = {cells[0] for cells in rows(found[0])}
    files = {path.relative_to(ROOT / room) for path in (ROOT / room).rglob("*.py")}
    assert written == {f.as_posix() for f in files if not f.name.startswith("__") and "migrations" not in f.parts}


def test_the_map_names_every_flow() -> None:
    flows = {path.name for path in (ROOT / "dialogs" / "flows").glob("*.yml")}
    assert flows == {name for name in re.findall(r"`(\w+\.yml)`", section_of_dialogs()) if name != "line.yml"}


def section_of_dialogs() -> str:
    """What ARCHITECTURE.md says of the room that plays the flows."""
    return words("ARCHITECTURE.md").split("### dialogs/", 1)[1].split("\n### ", 1)[0]


def test_the_map_names_no_file_that_is_gone() -> None:
    names = {path.name for room in (*ROOMS, "locales", "tests", "docs", ".ci") for path in (ROOT / room).rglob("*")}
    names |= {path.name for path in ROOT.iterdir()}
    written = set(re.findall(r"(?<![\w./>*-])(\w[\w-]*\.(?:py|yml|po|npz|lock))\b", words("ARCHITECTURE.md")))
    assert not written - names - MADE_BY_AN_OPERATOR


MADE_BY_AN_OPERATOR = {"line.yml"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_link_leads_to_something(document: str) -> None:
    here = (ROOT / document).parent
    for found in LINK.finditer(words(document)):
        target = (here / found["path"]).resolve()
        assert target.exists(), f"{found['path']} is gone"
        if found["anchor"] and target.suffix == ".md":
            assert found["anchor"] in _anchors(target), f"{found['path']} has no heading {found['anchor']}"


def _anchors(document: Path) -> set[str]:
    """The anchors that headings get: small letters, no punctuation, hyphens for spaces."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_only_paths_that_exist(document: str) -> None:
    """People follow these file by file. A name in angle brackets, as in locales/<tag>/, stands for any."""
    rooms = {*ROOMS, "docs", "tests", "locales", "bench", ".ci"}
    named = [path for path in PATH.findall(words(document)) if path.split("/", 1)[0] in rooms]
    missing = [path for path in named if not list(ROOT.glob(re.sub(r"<\w+>", "*", path.rstrip("/"))))]
    assert not missing, f"moved or renamed: {missing}"


def test_contributing_names_files() -> None:
    assert PATH.findall(words("CONTRIBUTING.md")), "it says how to add things file by file"


def test_every_decision_is_listed_and_says_why() -> None:
    listed = set(re.findall(r"\((\d{2}-[\w-]+\.md)\)", words("docs/decisions/README.md")))
    pages = {path.name for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    assert listed == pages
    for page in pages:
        titles = re.findall(r"^## (.*)$", words(f"docs/decisions/{page}"), re.MULTILINE)
        assert titles == ["Context", "Decision", "Consequence"], page


# Pictures ----------------------------------------------------------------------------------------------------------


def test_pictures_are_described_and_small() -> None:
    """A page that says nothing without its picture says nothing to some."""
    for document in DOCUMENTS:
        for described, path in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", words(document)):
            assert len(described) > 20, f"{path} in {document} needs words"
            assert ((ROOT / document).parent / path).stat().st_size < 400_000, f"{path} is too heavy"
