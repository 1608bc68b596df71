"""What is written down is true: settings, commands and paths in the documents are those of the house."""

import re
import subprocess

import pytest

from bot.settings import SETTINGS
from tests.house import ROOT

DOCUMENTS = [path.name for path in sorted(ROOT.glob("*.md"))]
SETTING = re.compile(r"^#?(?P<name>[A-Z][A-Z0-9_]+)=(?P<default>.*)$", re.MULTILINE)


def test_the_example_shows_every_setting_with_its_default() -> None:
    shown = {found["name"]: found["default"] for found in SETTING.finditer((ROOT / ".env.example").read_text("utf-8"))}
    assert shown == {name: setting.default for name, setting in SETTINGS.items()}


def test_make_says_what_it_can_do() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (promised,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert re.findall(r"^make (\w+)", told, re.MULTILINE) == promised.split()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_only_make_targets_that_exist(document: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", (ROOT / document).read_text(encoding="utf-8"))) <= targets


def test_contributing_names_only_paths_that_exist() -> None:
    """A newcomer follows these file by file. A name in angle brackets, as in locales/<tag>/, stands for any."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w.<>*-]+/[\w./<>*-]*)`", text)
    missing = [path for path in named if not list(ROOT.glob(re.sub(r"<\w+>", "*", path.rstrip("/"))))]
    assert named, "it should name files"
    assert not missing, f"moved or renamed: {missing}"
