"""The container files, as far as a machine without a Docker engine can try them.

docker-compose.yml is read and held against rules. The Dockerfile's steps are carried out in a plain folder by the
small interpreter below: what it copies must be enough for the house to start. Nothing is downloaded here: the step
that installs the locked packages finds an environment that already holds them.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import SETTINGS
from tests.house import ROOMS, ROOT

HOUSE = ("web", "worker")
RASA = "understanding/rasa/Dockerfile"
SECRETS = re.compile(r"TOKEN|PASSWORD|SECRET|DATABASE_URL")
# Steps that change the machine rather than the folder; only their syntax is tried.
MACHINE = re.compile(r"\b(useradd|apt-get|install --directory)\b")


# docker-compose.yml -----------------------------------------------------------------------------------------------


@cache
def compose() -> dict[str, Any]:
    """docker-compose.yml as YAML sees it, anchors and merges resolved."""
    value = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return value


def services() -> dict[str, dict[str, Any]]:
    """The services by name."""
    found = compose()["services"]
    assert isinstance(found, dict)
    return found


def test_compose_has_the_four_services() -> None:
    assert set(services()) == {"web", "worker", "postgres", "rasa"}
    assert services()["rasa"]["profiles"] == ["rasa"], "Rasa runs only when it is asked for"
    assert (ROOT / services()["rasa"]["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", services())
def test_images_have_a_version(name: str) -> None:
    _, _, tag = services()[name]["image"].rpartition(":")
    assert re.match(r"\d", tag), "a tag without a version changes under a running line"


@pytest.mark.parametrize("name", services())
def test_no_port_is_open_beyond_this_machine(name: str) -> None:
    for port in services()[name].get("ports", []):
        assert str(port).startswith("127.0.0.1:"), f"{port} would be reachable from outside"
    assert name == "web" or not services()[name].get("ports"), "only web speaks to people"
    assert services()[name].get("network_mode") is None


@pytest.mark.parametrize("name", services())
def test_secrets_come_as_files(name: str) -> None:
    service = services()[name]
    for variable, value in service.get("environment", {}).items():
        if SECRETS.search(variable):
            assert variable.endswith("_FILE"), f"{variable} would be readable by whoever can inspect the container"
            assert value.removeprefix("/run/secrets/") in service["secrets"]


def test_every_secret_file_is_made_by_one_command(tmp_path: Path) -> None:
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    subprocess.run([tmp_path / ".ci/secrets"], check=True, capture_output=True, timeout=60)
    made = {f"./secrets/{path.name}": path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    assert {entry["file"] for entry in compose()["secrets"].values()} == set(made)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700

    subprocess.run([tmp_path / ".ci/secrets"], check=True, capture_output=True, timeout=60)
    again = {f"./secrets/{path.name}": path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    assert again == made, "a second run must not change a password that is in use"


@pytest.mark.parametrize("name", [*HOUSE, "rasa"])
def test_what_is_ours_runs_without_privileges_on_a_read_only_disk(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("name", HOUSE)
def test_compose_sets_only_settings_that_exist(name: str) -> None:
    assert {variable.removesuffix("_FILE") for variable in services()[name]["environment"]} <= set(SETTINGS)


def test_what_others_wait_for_has_a_health_check() -> None:
    for service in services().values():
        for other, on in service.get("depends_on", {}).items():
            assert on == {"condition": "service_healthy"}
            assert "healthcheck" in services()[other] or "HEALTHCHECK" in words_of_dockerfile()


def test_what_keeps_and_reads_words_has_no_way_out() -> None:
    assert compose()["networks"]["inside"] == {"internal": True}
    assert services()["postgres"]["networks"] == services()["rasa"]["networks"] == ["inside"]


def test_every_network_volume_and_secret_that_is_used_is_declared() -> None:
    for service in services().values():
        assert set(service.get("networks", [])) <= set(compose()["networks"])
        assert set(service.get("secrets", [])) <= set(compose()["secrets"])
        named = {volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith(("./", "/"))}
        assert named <= set(compose()["volumes"])


def test_compose_itself_accepts_the_file() -> None:
    """Where the client has its compose plugin; where it has not, the rules above are all there is."""
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        subprocess.run([docker, "compose", "config", "--quiet"], cwd=ROOT, check=True, timeout=60)
    assert compose()["name"] == "harborline"


# Dockerfile -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction: its word in capitals and the rest, continuation lines joined."""

    word: str
    rest: str


def steps(dockerfile: str = "Dockerfile") -> Iterator[Step]:
    """The instructions of a Dockerfile, in order."""
    text = (ROOT / dockerfile).read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield Step(word=word.upper(), rest=rest.strip())


def words_of_dockerfile(dockerfile: str = "Dockerfile") -> set[str]:
    """Which instructions it uses."""
    return {step.word for step in steps(dockerfile)}


def enters_the_build(path: str) -> bool:
    """What .dockerignore lets through: the last pattern that matches a path or one of its folders decides."""
    parts = path.split("/")
    prefixes = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    kept = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            bare = pattern.removeprefix("!").removeprefix("**/")
            candidates = prefixes if not bare.startswith("__") else parts
            if any(fnmatch.fnmatchcase(candidate, bare) for candidate in candidates):
                kept = pattern.startswith("!")
    return kept


def copy(rest: str, context: Path, workdir: Path) -> None:
    """COPY: files by name, folders by content, nothing that .dockerignore keeps out."""
    *origins, target = rest.split()
    for origin in origins:
        source = context / origin
        assert source.exists(), f"COPY {origin}: there is no such file"
        files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
        kept = [path for path in files if enters_the_build(path.relative_to(context).as_posix())]
        assert kept, f"COPY {origin}: .dockerignore keeps it out"
        for path in kept:
            inside = path.relative_to(source if source.is_dir() else source.parent)
            place = workdir / target / inside if source.is_dir() or target.endswith("/") else workdir / target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)


def run(command: str, workdir: Path) -> None:
    """RUN: for real, unless it changes the machine; then its syntax only."""
    flags = ["-n"] if MACHINE.search(command) else []
    done = subprocess.run(
        ["sh", *flags, "-euc", command],
        cwd=workdir,
        env=bare(),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, f"RUN {command}\n{done.stderr}"


def bare(**more: str) -> dict[str, str]:
    """An environment without this test run's own settings, and with no index to download from."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH", "LANG"}}
    return kept | {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull} | more


def prepare_environment(workdir: Path) -> None:
    """A .venv that already holds the locked packages: those that this test runs with."""
    venv.create(workdir / ".venv", with_pip=False, symlinks=True)
    packages = next((workdir / ".venv/lib").glob("python3.*/site-packages"))
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (workdir / ".venv/locks").mkdir()
    shutil.copy2(ROOT / "requirements.lock", workdir / ".venv/locks")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The folder that the Dockerfile's steps leave behind, as its WORKDIR."""
    workdir = tmp_path
    for step in steps():
        if step.word == "WORKDIR":
            workdir = tmp_path / step.rest.strip("/")
            workdir.mkdir(parents=True)
            prepare_environment(workdir)
        elif step.word == "COPY":
            copy(step.rest, ROOT, workdir)
        elif step.word == "RUN":
            run(step.rest, workdir)
    return workdir


@pytest.mark.parametrize("dockerfile", ["Dockerfile", RASA])
def test_the_dockerfile_uses_only_what_this_interpreter_understands(dockerfile: str) -> None:
    known = {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert words_of_dockerfile(dockerfile) <= known


@pytest.mark.parametrize(("dockerfile", "user"), [("Dockerfile", "harborline"), (RASA, "rasa")])
def test_the_image_runs_as_nobody_in_particular(dockerfile: str, user: str) -> None:
    users = [step.rest for step in steps(dockerfile) if step.word == "USER"]
    assert users == [user]
    last = [step.word for step in steps(dockerfile)]
    assert last.index("USER") > max(place for place, word in enumerate(last) if word == "RUN")


def test_the_image_holds_every_room_and_the_words_and_nothing_private(image: Path) -> None:
    held = {path.name for path in image.iterdir()}
    assert {*ROOMS, "locales", "LICENSE"} <= held
    assert not held & {"tests", "bench", "secrets", "var", ".env", ".git"}


@pytest.mark.slow
def test_what_the_image_holds_is_enough_to_start(image: Path, tmp_path: Path) -> None:
    (entry,) = [json.loads(step.rest) for step in steps() if step.word == "ENTRYPOINT"]
    program = image / entry[0].removeprefix("/app/")
    for command in [["--help"], ["serve", "--help"], ["worker", "--help"]]:
        done = subprocess.run(
            [program, *command], cwd=tmp_path, env=bare(), capture_output=True, text=True, check=False, timeout=100
        )
        assert done.returncode == 0, done.stderr
        assert str(ROOT) not in done.stderr


@pytest.mark.slow
def test_the_image_runs_from_its_own_files(image: Path, tmp_path: Path) -> None:
    """Not from the tree that this test runs in: the launcher finds the rooms beside itself."""
    program = "import bot, vault; print(bot.__file__, vault.__file__)"
    python = image / ".venv/bin/python"
    done = subprocess.run([python, "-c", program], cwd=tmp_path, env=bare(), capture_output=True, text=True, check=True)
    assert all(Path(place).is_relative_to(image) for place in done.stdout.split())


def test_the_health_check_fails_when_nobody_answers(tmp_path: Path) -> None:
    (check,) = [step.rest for step in steps() if step.word == "HEALTHCHECK"]
    command = json.loads(check.partition("CMD ")[2])
    assert command[0] == ".venv/bin/python"
    done = subprocess.run([sys.executable, *command[1:]], env=bare(PUBLIC_PORT="1"), capture_output=True, check=False)
    assert done.returncode != 0


# Rasa's image -----------------------------------------------------------------------------------------------------


@pytest.fixture
def rasa_image(tmp_path: Path) -> Path:
    """What Rasa's Dockerfile copies, where it copies it; its packages and its training are left to `make rasa`."""
    for step in steps(RASA):
        if step.word == "COPY":
            copy(step.rest, ROOT, tmp_path)
    return tmp_path


def test_rasas_image_holds_all_that_its_model_is_made_from_and_nothing_of_the_line(rasa_image: Path) -> None:
    held = {path.name for path in rasa_image.iterdir()}
    assert held == {".ci", "requirements-rasa.lock", "understanding", "locales"}
    project = rasa_image / "understanding" / "rasa"
    config = yaml.safe_load((project / "config.yml").read_text(encoding="utf-8"))
    credentials = yaml.safe_load((project / "credentials.yml").read_text(encoding="utf-8"))
    named = [part["name"] for part in [*config["pipeline"], *config["importers"]]] + list(credentials)
    ours = [name for name in named if name.startswith("components.")]
    assert len(ours) == 4, "featurizer, heads, importer and door"
    for name in ours:
        module = project / f"{name.rpartition('.')[0].replace('.', '/')}.py"
        assert f"class {name.rpartition('.')[2]}(" in module.read_text(encoding="utf-8")
    words = {path.parent.name for path in (ROOT / "locales").glob("*/nlu.yml")}
    assert {path.parent.name for path in (rasa_image / "locales").glob("*/nlu.yml")} == words


def test_rasas_image_does_in_its_steps_what_make_rasa_does(rasa_image: Path) -> None:
    """And its entry says what is missing when a model was left out, instead of serving another."""
    runs = [step.rest for step in steps(RASA) if step.word == "RUN"]
    assert runs[1:] == [".ci/rasa build", ".ci/rasa"]
    for command in runs:
        run(f"true || {command}", rasa_image)
    (entry,) = [json.loads(step.rest)[0] for step in steps(RASA) if step.word == "ENTRYPOINT"]
    (argument,) = [json.loads(step.rest)[0] for step in steps(RASA) if step.word == "CMD"]
    program = rasa_image / entry.removeprefix("/app/")
    done = subprocess.run([program, argument], env=bare(), capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "There is no model yet: make rasa\n")
