"""Golden stories: whole conversations as people have them, with what the house says back and what it does.

Each file in tests/stories/ is named flow.scenario.language.channel. The state goes through JSON between any two turns.
To accept a change of behaviour, write the stories anew and read the difference:

    HARBORLINE_RECORD=1 pytest tests/test_stories.py
"""

import os
from functools import cache
from pathlib import Path

import pytest

from dialogs.checks import load_flow
from dialogs.flow import Flow
from dialogs.marked import BadFile
from dialogs.phrases import Phrases, load_phrases
from dialogs.rehearsal import Rehearsal, Story, play, read_story, rehearsal_line, write_story

STORIES = sorted((Path(__file__).parent / "stories").glob("*.yml"))
RECORD = os.environ.get("HARBORLINE_RECORD") == "1"


@cache
def words() -> Phrases:
    return load_phrases()


@cache
def flow(name: str) -> Flow:
    return load_flow(name)


def story_in(path: Path) -> Story:
    return read_story(path.read_text("utf-8"), path.name)


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_story_goes_as_recorded(path: Path) -> None:
    told = story_in(path)
    played = play(told, flow(told.flow), words())
    if RECORD:
        path.write_text(write_story(played), "utf-8")
    else:
        assert write_story(played) == write_story(told), "HARBORLINE_RECORD=1 accepts the change: read the difference"


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_story_is_named_after_what_it_plays(path: Path) -> None:
    told = story_in(path)
    name, scenario, language, channel = path.stem.split(".")
    line = rehearsal_line(words(), told.language, told.channel, told.mode)
    rehearsal = Rehearsal(flow=flow(told.flow), phrases=words(), line=line)
    for beat in told.turns:
        rehearsal, _ = rehearsal.hears(beat.person)
    assert (name, channel) == (told.flow, told.channel)
    assert scenario.replace("_", "").isalpha()
    assert language == line.language_of(rehearsal.conversation)


def test_there_are_stories_in_every_language_and_on_every_channel() -> None:
    names = [path.stem.split(".") for path in STORIES]
    assert len(names) >= 12
    assert {channel for *_, channel in names} >= {"sms", "voice", "telegram"}
    assert {language for _, _, language, _ in names} >= set(words().languages)


def test_a_change_of_behaviour_is_noticed() -> None:
    told = story_in(next(path for path in STORIES if "tip.en" in path.stem))
    other = told.model_copy(update={"turns": told.turns[:1] + told.turns[2:]})
    assert write_story(play(other, flow(told.flow), words())) != write_story(other)


def test_a_misspelt_story_names_its_line() -> None:
    with pytest.raises(BadFile, match=r"s\.yml:4:5: `sayz` is not a setting"):
        read_story("about: x\nturns:\n- person:\n    sayz: hello\n", "s.yml")
