"""The engine process and its faults: killed, stuck, late, lying, poisoned, missing; and what it may never leak."""

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import psutil
import pytest

from tests.engine_fuzz import engine_parser
from tests.fuzzing import fuzz
from understanding.child import ChildFailed, environment
from understanding.embedded import Embedded, Limits
from understanding.meaning import Engine, Signal
from understanding.understand import Understanding

LINE = ("en", "es", "fr", "ar", "hi", "zh")
PATIENT = 10.0  # seconds; a budget that no healthy child exhausts


def fake_child(tmp_path: Path, body: str) -> tuple[str, ...]:
    """A child that speaks the protocol with `say(value)` and `hear()`, and otherwise does what `body` says."""
    script = tmp_path / "child.py"
    opening = """
        import base64, json, struct, sys, time
        out, into = sys.stdout.buffer, sys.stdin.buffer
        def say(value):
            body = json.dumps(value).encode()
            out.write(struct.pack(">I", len(body)) + body); out.flush()
        def hear():
            head = into.read(4)
            return json.loads(into.read(struct.unpack(">I", head)[0])) if len(head) == 4 else sys.exit()
        good = base64.b64encode(struct.pack("<384f", *[0.05] * 384)).decode()
    """
    script.write_text(textwrap.dedent(opening) + textwrap.dedent(body))
    return (sys.executable, str(script))


QUICK = Limits(start=5.0, reply=0.5, first_pause=0.05, longest_pause=0.2)


@contextlib.asynccontextmanager
async def running(arguments: Sequence[str] | None = None, limits: Limits = QUICK) -> AsyncIterator[Understanding]:
    embedded = Embedded(arguments=arguments, limits=limits)
    made = Understanding(embedded=embedded)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def engine_of(made: Understanding) -> Embedded:
    return made._embedded


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that another process does."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a process raises no event of ours
            await asyncio.sleep(0.02)


# Faults ---------------------------------------------------------------------------------------------------------


async def test_a_child_that_is_killed_while_idle_is_replaced() -> None:
    async with running(limits=Limits(first_pause=0.05)) as made:
        first = engine_of(made).process_id
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: not made.ready)
        assert made.degraded
        during = await made.understand("he locked me in", languages=LINE)
        assert during.engine is Engine.RULES
        await until(lambda: made.ready)
        after = await made.understand("he locked me in", languages=LINE, budget=PATIENT)
        assert after.engine is Engine.EMBEDDED
        assert engine_of(made).process_id != first


async def test_a_child_that_is_killed_in_the_middle_of_a_message_costs_the_model_not_the_answer() -> None:
    async with running(limits=Limits(first_pause=0.05)) as made:
        process = engine_of(made).process_id
        assert process is not None
        os.kill(process, signal.SIGSTOP)  # it has the request and does not answer
        reading = asyncio.create_task(made.understand("they sold me, we leave tonight", languages=LINE, budget=PATIENT))
        await asyncio.sleep(0.1)
        os.kill(process, signal.SIGKILL)
        meaning = await reading
        assert meaning.engine is Engine.RULES
        assert Signal.MOVING_SOON in {evidence.signal for evidence in meaning.signals}
        await until(lambda: made.ready)
        assert engine_of(made).starts == 2


async def test_a_late_child_is_not_waited_for_beyond_the_budget(tmp_path: Path) -> None:
    late = 'say({"ready": True})\nwhile True:\n    r = hear(); time.sleep(0.4); say({"id": r["id"], "vector": good})'
    async with running(fake_child(tmp_path, late), limits=Limits(reply=5.0)) as made:
        began = time.monotonic()
        meaning = await made.understand("hello my friend", languages=LINE, budget=0.15)
        assert meaning.engine is Engine.RULES
        assert time.monotonic() - began < 0.35
        await asyncio.sleep(0.6)  # its answer comes, is nobody's, and does not disturb the next
        assert (await made.understand("hello", languages=LINE, budget=PATIENT)).engine is Engine.EMBEDDED
        assert engine_of(made).starts == 1


async def test_a_stuck_child_is_killed_and_replaced(tmp_path: Path) -> None:
    stuck = 'say({"ready": True})\nhear()\ntime.sleep(600)'
    async with running(fake_child(tmp_path, stuck)) as made:
        process = engine_of(made).process_id
        assert process is not None
        assert (await made.understand("hello", languages=LINE, budget=0.1)).engine is Engine.RULES
        await until(lambda: engine_of(made).starts >= 2 and made.ready)
        assert not psutil.pid_exists(process)


@pytest.mark.parametrize(
    "answer",
    [
        'say({"id": r["id"]})',
        'say({"id": r["id"] + 1, "vector": good})',
        'say({"id": r["id"], "vector": good[:-8]})',
        'say({"id": r["id"], "vector": "%%%"})',
        'say({"id": r["id"], "vector": good, "langid": {"en": "much"}})',
        'say({"id": r["id"], "vector": base64.b64encode(struct.pack("<384f", *[float("nan")] * 384)).decode()})',
        "say([1, 2])",
        'out.write(b"\\x00\\x00\\x00\\x04{{{{"); out.flush()',
        'out.write(b"\\xff\\xff\\xff\\xff"); out.flush()',
        'out.write(struct.pack(">I", 60000) + b"[" * 60000); out.flush()',
        "sys.exit(3)",
    ],
)
async def test_a_child_that_answers_garbage_is_replaced_and_the_message_is_read_by_rules(
    tmp_path: Path, answer: str
) -> None:
    body = f'say({{"ready": True}})\nwhile True:\n    r = hear(); {answer}'
    async with running(fake_child(tmp_path, body)) as made:
        meaning = await made.understand("he has a knife", languages=LINE, budget=5.0)
        assert meaning.engine is Engine.RULES
        assert Signal.WEAPON in {evidence.signal for evidence in meaning.signals}
        await until(lambda: engine_of(made).starts >= 2)


@pytest.mark.parametrize("body", ["sys.exit(1)", 'say({"ready": False})', "time.sleep(600)"])
async def test_a_child_that_never_gets_ready_leaves_the_service_degraded_not_stopped(tmp_path: Path, body: str) -> None:
    limits = Limits(start=0.5, first_pause=0.05, longest_pause=0.1)
    async with running(fake_child(tmp_path, body), limits=limits) as made:
        assert made.degraded
        assert (await made.understand("hola", languages=LINE)).engine is Engine.RULES


async def test_a_missing_program_leaves_the_service_degraded() -> None:
    async with running(("/no/such/program",)) as made:
        assert made.degraded
        assert (await made.understand("hola", languages=LINE)).read


async def test_starts_become_rarer_while_the_child_keeps_dying(tmp_path: Path) -> None:
    limits = Limits(start=5.0, first_pause=0.4, longest_pause=30.0)
    async with running(fake_child(tmp_path, "sys.exit(1)"), limits=limits) as made:
        await asyncio.sleep(2.0)
        assert 2 <= engine_of(made).starts <= 4


async def test_a_message_that_kills_the_child_is_not_tried_again_and_the_others_are_still_read(tmp_path: Path) -> None:
    counted = tmp_path / "poisoned"
    body = f"""
        say({{"ready": True}})
        while True:
            r = hear()
            if "poison" in r["text"]:
                open({str(counted)!r}, "a").write("x"); sys.exit(1)
            time.sleep(0.05); say({{"id": r["id"], "vector": good}})
    """
    async with running(fake_child(tmp_path, textwrap.dedent(body))) as made:
        poison = asyncio.create_task(made.understand("poison", languages=LINE, budget=5.0))
        others = [asyncio.create_task(made.understand(f"hello {i}", languages=LINE, budget=6.0)) for i in range(5)]
        assert (await poison).engine is Engine.RULES
        assert {meaning.engine for meaning in await asyncio.gather(*others)} == {Engine.EMBEDDED}
        assert counted.read_text() == "x"


async def test_stop_answers_everything_that_waits_and_leaves_no_process(tmp_path: Path) -> None:
    stuck = 'say({"ready": True})\nhear()\ntime.sleep(600)'
    made = Understanding(embedded=Embedded(arguments=fake_child(tmp_path, stuck), limits=Limits(reply=60.0)))
    await made.start()
    process = engine_of(made).process_id
    assert process is not None
    waiting = [asyncio.create_task(made.understand("hello", languages=LINE, budget=60.0)) for _ in range(3)]
    await asyncio.sleep(0.1)
    await made.stop()
    assert [meaning.engine for meaning in await asyncio.gather(*waiting)] == [Engine.RULES] * 3
    assert not psutil.pid_exists(process)


# Privacy of the child ---------------------------------------------------------------------------------------------


async def test_the_child_has_no_core_dump_no_secret_no_file_and_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(limits=Limits()) as made:
        confined(engine_of(made).process_id or 0)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "secret")
    monkeypatch.setenv("DATABASE_URL", "secret")
    assert "secret" not in environment().values()


def confined(process: int) -> None:
    limits = Path(f"/proc/{process}/limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]]
    assert [line.split()[3:5] for line in limits.splitlines() if line.startswith("Max file size")] == [["0", "0"]]
    child = psutil.Process(process)
    assert child.num_threads() == 1
    assert child.cmdline()[1:] == ["-m", "understanding.worker", str(os.getpid())]


async def test_nothing_of_the_text_is_logged_or_shown(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    async with running(limits=Limits()) as made:
        meaning = await made.understand("canaryword he has a knife", languages=LINE, budget=PATIENT)
    out = capfd.readouterr()
    assert "canaryword" not in caplog.text + out.out + out.err + repr(meaning)
    assert "knife" not in repr(meaning)


async def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    program = """
        import asyncio
        from understanding.embedded import Embedded
        async def main():
            embedded = Embedded()
            await embedded.start()
            print(embedded.process_id, flush=True)
            await asyncio.sleep(600)
        asyncio.run(main())
    """
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(program), stdout=asyncio.subprocess.PIPE, env=environment()
    )
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), 30))
    assert psutil.pid_exists(child)
    parent.kill()
    await parent.wait()
    await until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


async def test_hostile_texts_of_every_plane_are_read_by_one_process_that_never_dies() -> None:
    """The short run; `python -m bench.fuzz_engine` feeds a hundred thousand."""
    async with engine_parser() as parser:
        found = await fuzz("embedding process", parser, 300)
    assert found.findings == []
    assert found.inputs == 300
    assert len(found.kinds) > 30


async def test_a_process_that_dies_on_a_text_is_not_taken_for_one_that_read_it(tmp_path: Path) -> None:
    deadly = fake_child(tmp_path, "say({'ready': True}); hear(); sys.exit(1)")
    async with engine_parser(deadly) as parser:
        with pytest.raises(ChildFailed):
            await parser.feed(parser.examples[0])
