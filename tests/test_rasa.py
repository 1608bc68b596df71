"""Rasa beside the embedded engine: believed when it answers in time and in sense, done without when it does not.

The first part plays Rasa, so that it can lie; the second runs the real one, as `make rasa` built it.
"""

import asyncio
import gzip
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.app import open_house
from bot.doctor import rasa_finding
from bot.house import House
from bot.logs import Log
from bot.metrics import metrics
from bot.settings import read_settings
from tests.databases import Cluster
from tests.house import ROOT
from tests.houses import LINE as LINE_YML
from tests.world import free_port
from understanding.embedded import Embedded, Limits
from understanding.heads import Scores
from understanding.meaning import Engine, Intent, Meaning, Signal
from understanding.rasa import LARGEST_ANSWER, Pauses, Rasa, RasaFailed, scores_of
from understanding.training.evaluate import NotThisEngine, predict
from understanding.training.measure import Row
from understanding.understand import Understanding
from vault.keys import init_key_ring

LINE = ("en", "es", "fr", "ar", "hi", "zh")
WORDS = "the madam keeps a canary in the kitchen"
SOON = Pauses(first=0.05, longest=0.1)
GOOD: dict[str, Any] = {
    "text": WORDS,
    "intent": {"name": "report", "confidence": 0.7},
    "intent_ranking": [{"name": "report", "confidence": 0.7}, {"name": "help_self", "confidence": 0.3}],
    "entities": [],
    "level": {"danger": 0.9, "concern": 0.95},
    "signals": [{"name": "threat", "score": 0.8}, {"name": "weapon", "score": 0.01}],
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def playing(handler: Handler) -> AsyncIterator[str]:
    """A server that answers POST /model/parse; its address."""
    app = web.Application()
    app.router.add_post("/model/parse", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@asynccontextmanager
async def asking(url: str, pauses: Pauses = SOON) -> AsyncIterator[Rasa]:
    """A client of that server."""
    rasa = Rasa(url, pauses=pauses)
    await rasa.start()
    try:
        yield rasa
    finally:
        await rasa.stop()


@asynccontextmanager
async def understanding(rasa: Rasa, *, embedded: Embedded | None = None) -> AsyncIterator[Understanding]:
    """Both engines."""
    made = Understanding(rasa=rasa, embedded=embedded)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


def says(value: object) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(value)

    return handler


def changed(**parts: object) -> bytes:
    return json.dumps(GOOD | parts).encode()


# A good answer ------------------------------------------------------------------------------------------------------


def test_a_good_answer_becomes_scores() -> None:
    scores = scores_of(json.dumps(GOOD).encode())
    assert scores == Scores(
        danger=0.9,
        concern=0.95,
        signals={Signal.THREAT: 0.8, Signal.WEAPON: 0.01},
        intents={Intent.REPORT: 0.7, Intent.HELP_SELF: 0.3},
        varieties={},
    )


async def test_what_rasa_says_in_time_goes_before_what_the_heads_say() -> None:
    async with playing(says(GOOD)) as url, understanding(Rasa(url)) as both:
        meaning = await both.understand("nice weather in the city today", languages=LINE, budget=10)
    assert (meaning.engine, meaning.danger, meaning.intent) == (Engine.RASA, 0.9, Intent.REPORT)
    assert [evidence.signal for evidence in meaning.signals] == [Signal.THREAT]
    assert meaning.language == "en", "the language is the identifiers' to say, which Rasa does not ask"


async def test_words_of_a_signal_count_whatever_rasa_says() -> None:
    calm = GOOD | {"signals": [], "level": {"danger": 0.0, "concern": 0.0}}
    async with playing(says(calm)) as url, understanding(Rasa(url)) as both:
        meaning = await both.understand("he has a knife and he is at the door", languages=LINE, budget=10)
    assert meaning.engine is Engine.RASA
    assert Signal.WEAPON in [evidence.signal for evidence in meaning.signals]


async def test_every_part_of_a_long_message_is_asked_about_and_the_worst_counts() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append((await request.json())["text"])
        return web.json_response(GOOD | {"level": {"danger": 0.8 if "knife" in asked[-1] else 0.1, "concern": 0.8}})

    long = "the market was full of people today and we bought bread. " * 8 + "he has a knife"
    async with playing(handler) as url, understanding(Rasa(url)) as both:
        meaning = await both.understand(long, languages=LINE, budget=20)
    assert len(asked) > 2
    assert (meaning.engine, meaning.danger) == (Engine.RASA, 0.8)


async def test_rasa_is_not_asked_about_nothing_and_no_text_can_be_a_command_of_its() -> None:
    """What begins with a stroke Rasa takes for an intent, believes, and quotes in its log when it knows none."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append((await request.json())["text"])
        return web.json_response(GOOD)

    async with playing(handler) as url, asking(url) as rasa:
        for text in ("", "/", " / /", '/help_self{"a": "b"}', "// erase"):
            await rasa.read(text, deadline=soon())
    assert asked == ['help_self{"a": "b"}', "erase"]


# Bad answers --------------------------------------------------------------------------------------------------------

GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"<html>504</html>",
    "not text": b"\xff\xfe\x00",
    "a number": b"7",
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "deep": b'{"level":' + b"[" * 30_000,
    "a number too long to be one": b'{"level": {"danger": ' + b"9" * 5000 + b"}}",
    "no level": json.dumps({k: v for k, v in GOOD.items() if k != "level"}).encode(),
    "level is text": changed(level="emergency"),
    "level is null": changed(level=None),
    "no danger": changed(level={"concern": 0.5}),
    "danger is text": changed(level={"danger": "0.5", "concern": 0.5}),
    "danger is true": changed(level={"danger": True, "concern": 0.5}),
    "danger is NaN": b'{"level": {"danger": NaN, "concern": 0.5}, "signals": [], "intent_ranking": []}',
    "danger is infinite": changed(level={"danger": float("inf"), "concern": 0.5}),
    "danger is negative": changed(level={"danger": -0.5, "concern": 0.5}),
    "danger is above one": changed(level={"danger": 1.5, "concern": 0.5}),
    "danger is huge": b'{"level": {"danger": 1e400, "concern": 0.5}, "signals": [], "intent_ranking": []}',
    "concern is missing": changed(level={"danger": 0.5}),
    "no signals": json.dumps({k: v for k, v in GOOD.items() if k != "signals"}).encode(),
    "signals are an object": changed(signals={"threat": 0.5}),
    "signals are null": changed(signals=None),
    "a signal is text": changed(signals=["threat"]),
    "a signal nobody knows": changed(signals=[{"name": "aliens", "score": 0.5}]),
    "a signal without a score": changed(signals=[{"name": "threat"}]),
    "a signal whose name is a list": changed(signals=[{"name": ["threat"], "score": 0.5}]),
    "a signal's score is null": changed(signals=[{"name": "threat", "score": None}]),
    "far too many signals": changed(signals=[{"name": "threat", "score": 0.5}] * 1000),
    "no intents": changed(intent_ranking=[]),
    "intents are text": changed(intent_ranking="report"),
    "an intent nobody knows": changed(intent_ranking=[{"name": "order_pizza", "confidence": 1.0}]),
    "an intent without a confidence": changed(intent_ranking=[{"name": "report"}]),
    "an intent's confidence is text": changed(intent_ranking=[{"name": "report", "confidence": "high"}]),
    "Rasa's own error": json.dumps({"status": "failure", "reason": "ParsingError", "code": 500}).encode(),
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_no_reading(body: bytes) -> None:
    with pytest.raises(RasaFailed) as failed:
        scores_of(body)
    assert not str(failed.value), "what was answered may quote the person"


def test_every_single_byte_that_is_cut_off_makes_an_answer_no_reading() -> None:
    body = json.dumps(GOOD).encode()
    for end in range(len(body)):
        with pytest.raises(RasaFailed):
            scores_of(body[:end])


async def _late(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.json_response(GOOD)


async def _drips(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for byte in json.dumps(GOOD).encode():
        await response.write(bytes([byte]))
        await asyncio.sleep(0.05)
    return response


async def _too_large(request: web.Request) -> web.StreamResponse:
    """Endless, until the client has had enough."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 4096)


async def _hangs_up(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "5000"})
    await response.prepare(request)
    await response.write(b'{"level":')
    assert request.transport is not None
    request.transport.abort()
    return response


async def _bomb(_: web.Request) -> web.StreamResponse:
    body = gzip.compress(b" " * (8 << 20) + json.dumps(GOOD).encode())
    return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})


def _status(status: int) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response(GOOD, status=status)

    return handler


async def _elsewhere(_: web.Request) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect("/model/parse")


BROKEN: dict[str, Handler] = {
    "late": _late,
    "drop by drop": _drips,
    "endless": _too_large,
    "cut off": _hangs_up,
    "a bomb": _bomb,
    "somewhere else": _elsewhere,
    "no such address": _status(404),
    "an error": _status(500),
    "nothing to say": _status(204),
}


@pytest.mark.parametrize("handler", BROKEN.values(), ids=BROKEN)
async def test_a_broken_rasa_is_done_without_and_in_time(handler: Handler) -> None:
    async with playing(handler) as url, asking(url) as rasa:
        begun = time.monotonic()
        assert await rasa.read(WORDS, deadline=soon(1.0)) is None
        assert time.monotonic() - begun < 5.0
        assert (rasa.ready, rasa.failures) == (False, 1)


async def test_an_answer_just_as_large_as_allowed_is_read() -> None:
    """The bound is one of bytes, and stands above what a good answer needs."""
    body = json.dumps(GOOD).encode().ljust(LARGEST_ANSWER)

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    async with playing(handler) as url, asking(url) as rasa:
        assert await rasa.read(WORDS, deadline=soon()) is not None


async def test_without_rasa_the_embedded_engine_answers_and_rasa_is_heard_again_when_it_is_back() -> None:
    port = free_port()
    async with understanding(Rasa(f"http://127.0.0.1:{port}", pauses=SOON)) as both:
        down = await both.understand(WORDS, languages=LINE, budget=10)
        assert (down.engine, both.rasa_ready) == (Engine.EMBEDDED, False)
        app = web.Application()
        app.router.add_post("/model/parse", says(GOOD))
        async with TestServer(app, port=port):
            await asyncio.sleep(0.2)
            back = await both.understand(WORDS, languages=LINE, budget=10)
        assert (back.engine, both.rasa_ready) == (Engine.RASA, True)
        assert both.starts == 1


async def test_with_both_engines_down_patterns_are_left() -> None:
    nobody = Embedded(arguments=("/nonexistent",), limits=Limits(start=1.0))
    async with understanding(Rasa(f"http://127.0.0.1:{free_port()}"), embedded=nobody) as both:
        meaning = await both.understand("he has a knife", languages=LINE, budget=5)
    assert meaning.engine is Engine.RULES
    assert Signal.WEAPON in [evidence.signal for evidence in meaning.signals]


async def test_with_the_embedded_engine_down_rasa_alone_reads() -> None:
    nobody = Embedded(arguments=("/nonexistent",), limits=Limits(start=1.0))
    async with playing(says(GOOD)) as url, understanding(Rasa(url), embedded=nobody) as both:
        meaning = await both.understand(WORDS, languages=LINE, budget=5)
    assert (meaning.engine, meaning.danger) == (Engine.RASA, 0.9)


async def test_a_rasa_that_hangs_makes_one_message_wait_and_not_every_one() -> None:
    asked = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        await asyncio.sleep(30)
        return web.json_response(GOOD)

    async with playing(handler) as url, asking(url, Pauses(first=5.0)) as rasa:
        assert await rasa.read(WORDS, deadline=soon(0.2)) is None
        begun = time.monotonic()
        for _ in range(50):
            assert await rasa.read(WORDS, deadline=soon(0.2)) is None
        assert time.monotonic() - begun < 0.2
    assert asked == 1


async def test_words_go_to_the_address_that_was_set_and_not_by_way_of_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with playing(says(GOOD)) as url, asking(url) as rasa:
        assert await rasa.read(WORDS, deadline=soon()) is not None


async def test_what_is_measured_as_rasa_was_read_by_rasa() -> None:
    rows = [Row(lang="en", text=WORDS, level="high"), Row(lang="en", text="", level="information")]
    async with playing(says(GOOD)) as url:
        predictions = await predict(rows, engine="rasa", rasa_url=url)
        assert predictions[0].score == 0.9
    with pytest.raises(NotThisEngine, match="1 of 2"):
        await predict(rows, engine="rasa", rasa_url=url)


def test_a_meaning_by_rasa_counts_as_read() -> None:
    assert replace(Meaning(), engine=Engine.RASA).read


def test_rasas_own_files_know_every_intent_of_ours() -> None:
    domain = (ROOT / "understanding/rasa/domain.yml").read_text(encoding="utf-8").split("intents:")[1]
    assert {line.removeprefix("- ") for line in domain.split("\n") if line} == set(Intent) - {Intent.UNKNOWN}


# Wired -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def a_house(cluster: Cluster, home: Path, url: str) -> AsyncIterator[House]:
    """Everything that `serve` and `worker` open, with RASA_URL set."""
    environment = {"HARBORLINE_HOME": str(home), "DATABASE_URL": cluster.new(), "RASA_URL": url}
    settings = read_settings(environment)
    if not settings.line_file.exists():
        settings.line_file.write_text(LINE_YML, encoding="utf-8")
    init_key_ring(settings.key_ring)
    async with open_house(settings, Log("ERROR", StringIO())) as house:
        yield house


async def test_rasa_url_makes_the_house_ask_rasa_and_the_monitor_can_see_it(cluster: Cluster, tmp_path: Path) -> None:
    async with playing(says(GOOD)) as url, a_house(cluster, tmp_path, url) as house:
        meaning = await house.understanding.understand(WORDS, languages=LINE, budget=10)
        assert (meaning.engine, meaning.danger) == (Engine.RASA, 0.9)
        assert "harborline_rasa_ready 1\n" in await metrics(house)
        assert (await rasa_finding(house)).remedy == ""


async def test_doctor_and_monitor_say_when_rasa_does_not_read_and_the_house_reads_all_the_same(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with a_house(cluster, tmp_path, f"http://127.0.0.1:{free_port()}") as house:
        meaning = await house.understanding.understand(WORDS, languages=LINE, budget=10)
        assert meaning.engine is Engine.EMBEDDED
        assert "harborline_rasa_ready 0\n" in await metrics(house)
        assert "RASA_URL" in (await rasa_finding(house)).remedy


async def test_without_rasa_url_nobody_speaks_of_rasa(cluster: Cluster, tmp_path: Path) -> None:
    async with a_house(cluster, tmp_path, "") as house:
        assert house.understanding.rasa_ready is None
        assert "rasa" not in await metrics(house)


# Without the real one -------------------------------------------------------------------------------------------------


def test_without_python_3_10_it_says_what_to_install(tmp_path: Path) -> None:
    """Here by a PATH without any Python at all."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    for tool in ("dirname", "sh"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    done = subprocess.run(
        ["/bin/sh", str(tmp_path / ".ci/rasa")], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 3, done.stderr
    assert "pyenv install 3.10" in done.stderr
