"""Golden stories: whole conversations as people have them, with what the house says back and what it does.

Each file in tests/stories/ is named flow.scenario.language.channel. The state goes through JSON between any two turns.
To accept a change of behaviour, write the stories anew and read the difference:

    HARBORLINE_RECORD=1 pytest tests/test_stories.py
"""

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from dialogs.checks import load_flow
from dialogs.flow import Flow
from dialogs.marked import BadFile
from dialogs.phrases import Phrases, load_phrases
from dialogs.rehearsal import Rehearsal, Story, play, read_story, rehearsal_line, write_story
from understanding.mentions import mentions_in
from understanding.phrasebook import MentionTable, read_mentions

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
    assert len(names) >= 60
    assert {channel for *_, channel in names} >= {"sms", "voice", "telegram"}
    assert {language for _, _, language, _ in names} >= set(words().languages)


def _turns(path: Path) -> tuple[int | None, int | None]:
    """How many messages of the person it took until somebody was paged, from the first that shows danger or asks for a
    human; and until the report was in the queue, from the first of all, without those that tried a code."""
    danger: int | None = None
    paged: int | None = None
    filed: int | None = None
    code = 0
    for number, beat in enumerate(story_in(path).turns, start=1):
        did = [part.split()[0] for part in beat.house]
        asks = beat.person.urgent or beat.person.says == "0" or "keep way help" in beat.house
        danger = None if "keep help.danger no" in beat.house else danger
        danger = number if danger is None and (asks or "alert" in did) else danger
        paged = number - (danger or number) + 1 if paged is None and "alert" in did else paged
        code += "open_code" in did and filed is None
        filed = number - code if filed is None and "file" in did else filed
    return paged, filed


def test_a_human_is_paged_within_two_turns_and_a_tip_is_filed_within_seven(
    record_property: Callable[[str, object], None],
) -> None:
    table = {path.stem: _turns(path) for path in STORIES}
    for stem, (paged, filed) in table.items():
        sys.stdout.write(f"{stem:55} page {paged or '-':>2}   filed {filed or '-':>2}\n")  # pytest -rP shows it
        record_property(stem, f"page {paged or '-'} filed {filed or '-'}")
    assert max(paged for paged, _ in table.values() if paged) <= 2
    assert max(filed for _, filed in table.values() if filed) <= 7
    assert sum(paged is not None for paged, _ in table.values()) >= 12
    assert sum(filed is not None for _, filed in table.values()) >= 40


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_what_a_story_takes_its_words_to_tell_is_what_our_reader_makes_of_them(path: Path) -> None:
    language = ""
    for beat in story_in(path).turns:
        said = beat.person
        language = said.language or language or path.stem.split(".")[2]
        words = said.says or said.shares or ""
        if not (said.tells or said.cues) or not words:
            continue
        languages = (language, *(tag for tag in words_of() if tag != language))
        mentions, cues = mentions_in(words, languages, mention_table())
        found = {mention.fact: mention.value for mention in mentions}
        assert said.tells.items() <= found.items()
        assert set(said.cues) <= cues


def words_of() -> tuple[str, ...]:
    return words().languages


@cache
def mention_table() -> MentionTable:
    return read_mentions()


def test_a_change_of_behaviour_is_noticed() -> None:
    told = story_in(next(path for path in STORIES if "tip.en" in path.stem))
    other = told.model_copy(update={"turns": told.turns[:1] + told.turns[2:]})
    assert write_story(play(other, flow(told.flow), words())) != write_story(other)


def test_a_misspelt_story_names_its_line() -> None:
    with pytest.raises(BadFile, match=r"s\.yml:4:5: `sayz` is not a setting"):
        read_story("about: x\nturns:\n- person:\n    sayz: hello\n", "s.yml")
