"""Files and settings with bytes that are no text: a sentence that names the file and the place, never a traceback."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.line import read_line
from bot.settings import BadSettings, read_settings
from dialogs.checks import FLOWS, load_flow
from dialogs.marked import BadFile, utf8
from dialogs.phrases import LOCALES, load_phrases

LATIN = "ñ".encode("latin-1")


def spoiled(path: Path) -> None:
    """As an editor saves it that does not know UTF-8: the second line begins with é, in one byte."""
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first + b"\n# caf\xe9\n" + rest)


def a_line(folder: Path) -> None:
    shutil.copy(FLOWS / "code.yml", folder / "line.yml")
    spoiled(folder / "line.yml")
    read_line(folder / "line.yml")


def a_flow(folder: Path) -> None:
    shutil.copytree(FLOWS, folder, dirs_exist_ok=True)
    spoiled(folder / "code.yml")
    load_flow("intake", folder)


def a_catalogue(folder: Path) -> None:
    shutil.copytree(LOCALES, folder, dirs_exist_ok=True)
    spoiled(folder / "fr" / "messages.po")
    load_phrases(folder)


def a_language(folder: Path) -> None:
    shutil.copytree(LOCALES, folder, dirs_exist_ok=True)
    spoiled(folder / "fr" / "meta.yml")
    load_phrases(folder)


@pytest.mark.parametrize(
    ("reads", "name"),
    [
        (a_line, "line.yml"),
        (a_flow, "code.yml"),
        (a_catalogue, "locales/fr/messages.po"),
        (a_language, "locales/fr/meta.yml"),
    ],
)
def test_a_file_that_is_not_utf8_is_named_with_the_place(
    reads: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    with pytest.raises(BadFile) as bad:
        reads(tmp_path)
    (problem,) = bad.value.problems
    assert problem == f"{name}:2:6: save the file as UTF-8 text: from here on it is something else"


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"\xff", "1:1"),
        ("año: ".encode() + LATIN, "1:6"),
        (b"a: b\r\nc: \xc3", "2:4"),
        (b"a\n\n\xed\xa0\x80", "3:1"),  # half a surrogate pair
    ],
)
def test_the_place_is_that_of_the_first_byte_that_is_no_text(raw: bytes, place: str) -> None:
    with pytest.raises(BadFile, match=f"^x.yml:{place}: "):
        utf8(raw, "x.yml")


def test_a_setting_whose_file_is_not_text_is_named_without_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"CANARY\xff")
    with pytest.raises(BadSettings) as bad:
        read_settings({"TWILIO_AUTH_TOKEN_FILE": str(tmp_path / "token")})
    (problem,) = bad.value.problems
    assert problem.startswith("TWILIO_AUTH_TOKEN_FILE is no text file: ")


@pytest.mark.parametrize("value", ["a\r\nX-Injected: b", "a\nb", "a\0b", "a\x7fb", "a\udcff"])
@pytest.mark.parametrize("name", ["TWILIO_AUTH_TOKEN", "PUBLIC_URL", "TWILIO_API_URL", "DATABASE_URL"])
def test_a_setting_never_holds_a_line_break_or_bytes_that_are_no_text(name: str, value: str) -> None:
    """They would end up in a header of a request, or stop the first one."""
    with pytest.raises(BadSettings, match=f"^{name} cannot be used"):
        read_settings({name: f"https://line.example/{value}"})
