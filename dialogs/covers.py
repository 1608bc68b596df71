"""The ordinary thing that a line looks like in discreet mode: a shop, a school or a clinic, by a few words a language.

The discreet phrases speak of a {thing}; locales/<tag>/cover.yml says what that is for each cover. Only words are filled
in here; what gives a line away is judged afterwards (discreet.py).
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dialogs.marked import BadFile, load, utf8


class Cover(StrEnum):
    """What a line may look like. Its name is the line's own (`cover` in line.yml)."""

    SHOP = "shop"
    SCHOOL = "school"
    CLINIC = "clinic"


class Words(BaseModel):
    """What one cover's phrases speak of; `a_thing` only in languages whose article changes with the noun."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    thing: str
    things: str
    a_thing: str = ""
    A_thing: str = ""


class Covers(BaseModel):
    """locales/<tag>/cover.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shop: Words
    school: Words
    clinic: Words


def cover_words(path: Path, name: str, cover: Cover) -> Mapping[str, str]:
    """The words of a cover, from a file that is called `name` in errors.

    Raises BadFile. A language without the file has a shop only: its phrases say what it sells themselves.
    """
    try:
        covers = load(utf8(path.read_bytes(), name), name, Covers)
    except FileNotFoundError:
        if cover is Cover.SHOP:
            return {}
        raise BadFile([f"{name}:1:1: write it, or set cover_is: shop in line.yml"]) from None
    words: Words = getattr(covers, cover.value)
    return {part: word for part, word in words.model_dump().items() if word}


def dress(text: str, words: Mapping[str, str]) -> str:
    """A phrase with the words of the cover in their places."""
    for part, word in words.items():
        text = text.replace(f"{{{part}}}", word)
    return text
