"""A house without its processes: real vault, phrases, flow and pager on a fresh database, for tests of the shell."""

import random
from pathlib import Path

import pytest

from bot.house import House
from bot.line import Line
from bot.logs import Log
from bot.pager import Pager
from bot.settings import read_settings
from bot.world import World
from dialogs.checks import load_flow
from dialogs.marked import load
from dialogs.phrases import Phrases, load_phrases
from tests.vaults import CHEAP, Clock
from understanding.understand import Understanding
from vault.keys import init_key_ring
from vault.pseudonyms import Pseudonyms
from vault.unit import Vault, database_engine, job_app

LINE = """\
name: Harbor House
cover: Corner Laundry
languages: [en, es, ar]
default_language: en
country: US
emergency_number: "911"
time_zone: Europe/Madrid
triage:
  outside_number: "+12025550190"
"""
CONSOLE = "https://console.example.org"


def a_line(text: str = LINE) -> Line:
    """A line of this line.yml."""
    return load(text, "line.yml", Line)


@pytest.fixture(scope="session")
def phrases() -> Phrases:
    """Every phrase of the line's languages."""
    return load_phrases(languages=("en", "es", "ar"))


@pytest.fixture(scope="session")
def understanding() -> Understanding:
    """An engine that was not started: nothing here reads words."""
    return Understanding()


@pytest.fixture
def house(vault: Vault, clock: Clock, phrases: Phrases, understanding: Understanding, tmp_path: Path) -> House:
    """A house on a fresh database, with a clock that tests move."""
    return _build(vault, clock, phrases, understanding, tmp_path)


@pytest.fixture(scope="session")
def silent_house(phrases: Phrases, understanding: Understanding, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house without a database, for what it says rather than does."""
    home, clock = tmp_path_factory.mktemp("silent"), Clock()
    nowhere = "postgresql://127.0.0.1:1/nothing"
    ring = init_key_ring(home / "keyring")
    vault = Vault(engine=database_engine(nowhere), jobs=job_app(nowhere), ring=ring, now=clock)
    return _build(vault, clock, phrases, understanding, home)


def _build(vault: Vault, clock: Clock, phrases: Phrases, understanding: Understanding, home: Path) -> House:
    world, line = World(now=clock, dice=random.Random(7).randrange), a_line()
    return House(
        settings=read_settings({"HARBORLINE_HOME": str(home), "CONSOLE_URL": CONSOLE}),
        line=line,
        world=world,
        log=Log("ERROR"),
        vault=vault,
        pseudonyms=Pseudonyms(vault.ring, CHEAP, clock),
        understanding=understanding,
        flow=load_flow(),
        phrases=phrases,
        facts=line.facts(phrases.lexicon()),
        pager=Pager(line=line, world=world, phrases=phrases, console_url=CONSOLE),
        channels={},
    )
