"""A return code that opens nothing: the words and the time are the same, whatever is wrong with it."""

import gc
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from bot.house import House
from bot.patience import GUESSES
from bot.turn import Turns
from channels.messages import Address, Answer, ChannelName, Incoming, IncomingKind
from tests.channel_bench import way
from tests.vaults import START, found_team, open_case
from vault.codes import code_keys, new_code, read_code
from vault.effort import EffortFrom
from vault.retention import erase
from vault.sealing import Effort

TRIES: Final = 520  # of each kind: more than 2,000 in all
WARM_UP: Final = 20  # of each kind, not counted: connections, caches and plans of the database
KINDS: Final = ("unknown", "mistyped", "erased", "limited")
ERASED: Final = 12  # cases; their codes are tried in turn
EFFORT: Final = Effort(passes=1, lanes=1, memory=2048)  # about 2 ms: enough to be seen, if it were left out
MOST_APART: Final = 0.08  # of the chance that a try of one kind takes longer than one of another, from one half
MEDIANS_APART: Final = 0.10  # of the median: the machine that runs this is busy with other tests too

Times = npt.NDArray[np.float64]


def longer(one: Times, other: Times) -> float:
    """Chance that a value of `one` is greater than one of `other`: Mann and Whitney's U over the number of pairs."""
    both = np.concatenate([one, other])
    ranks = np.empty(len(both))
    ranks[np.argsort(both, kind="stable")] = np.arange(1, len(both) + 1)
    return float((ranks[: len(one)].sum() - len(one) * (len(one) + 1) / 2) / (len(one) * len(other)))


def look_alike(one: Times, other: Times) -> bool:
    """True when nobody could tell the two by their times."""
    medians = np.median(one), np.median(other)
    apart = abs(medians[0] - medians[1]) / min(medians)
    return abs(longer(one, other) - 0.5) <= MOST_APART and bool(apart <= MEDIANS_APART)


@dataclass(slots=True)
class Prober:
    """Somebody with as many phones as they like, who tries codes and looks at the clock."""

    house: House
    phones: Iterator[int]

    async def prepare(self, *, limited: bool = False) -> Address:
        """A phone that has never been used; `limited`: all the tries it has are used up."""
        address = Address(channel=ChannelName.SMS, value=f"+1202{next(self.phones):07d}")
        who, *_ = await self.house.pseudonyms.of(address.channel, address.value)  # this cost is the same for everybody
        for number in range(GUESSES.burst if limited else 0):
            self.house.patience.judge(who.value, f"{address.value}/{number}", self.house.world.now(), guess=True)
        return address

    async def tries(self, address: Address, code: str) -> tuple[Answer | None, float]:
        """The answer, and how long it took in seconds."""
        incoming = Incoming(id=f"SM{address.value}", address=address, kind=IncomingKind.TEXT, text=code)
        turns = Turns(self.house)
        began = time.perf_counter()
        answer = await turns.take(incoming)
        return answer, time.perf_counter() - began


@pytest.fixture
async def prober(house: House) -> Prober:
    """A line with a team and a key ring whose codes cost a little."""
    efforts = (EffortFrom(epoch=0, effort=EFFORT, since=START),)
    house.vault.ring = replace(house.vault.ring, efforts=efforts)
    await found_team(house.vault)
    house = replace(house, channels={ChannelName.SMS: way(ChannelName.SMS).adapter})
    return Prober(house, itertools.count(1))


async def given_code(house: House) -> str:
    """The code of a new case."""
    code, ring = new_code(), house.vault.ring
    async with house.vault.unit() as unit:
        await unit.codes.give((await open_case(unit)).id, code_keys(code, ring.salt, EFFORT))
    return code


async def erased_code(house: House) -> str:
    """The code of a case that was erased."""
    code, ring = new_code(), house.vault.ring
    async with house.vault.unit() as unit:
        case = await open_case(unit)
        await unit.codes.give(case.id, code_keys(code, ring.salt, EFFORT))
        await erase(unit, case, actor="member:1")
    return code


def mistyped() -> str:
    """Sixteen digits of which one is wrong."""
    code = new_code()
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    assert read_code(wrong) is None
    return wrong


@pytest.mark.slow
async def test_a_code_that_opens_nothing_never_tells_why_neither_in_words_nor_in_time(
    prober: Prober, record_property: Callable[[str, object], None]
) -> None:
    house = prober.house
    dead = itertools.cycle([await erased_code(house) for _ in range(ERASED)])
    alive = await given_code(house)
    make: dict[str, Callable[[], str]] = {
        "unknown": new_code,
        "mistyped": mistyped,
        "erased": lambda: next(dead),
        "limited": lambda: alive,  # even the right one
    }
    order = [kind for _ in range(TRIES + WARM_UP) for kind in random.Random(3).sample(KINDS, len(KINDS))]
    answers: set[str] = set()
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    gc.disable()
    try:
        for kind in order:
            address = await prober.prepare(limited=kind == "limited")
            answer, seconds = await prober.tries(address, make[kind]())
            answers.add(repr(answer.to_json()) if answer else "silence")
            taken[kind].append(seconds)
    finally:
        gc.enable()
    times = {kind: np.array(values[WARM_UP:]) for kind, values in taken.items()}
    summary = {kind: f"{np.median(values) * 1000:.2f} ms" for kind, values in times.items()}
    record_property("median", summary)
    assert len(answers) == 1
    assert house.counts["codes_refused"] == len(order)
    assert house.counts["codes_limited"] == TRIES + WARM_UP
    for one, other in itertools.combinations(KINDS, 2):
        assert look_alike(times[one], times[other]), (one, other, summary)


async def test_the_comparison_sees_a_derivation_that_is_left_out(prober: Prober) -> None:
    """Who floods the line has nothing derived for them; that they may know, and it shows what the test above sees."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    for flooding in [True, False] * 80:
        address = await prober.prepare()
        if flooding:
            await flood(prober.house, address)
        taken[flooding].append((await prober.tries(address, new_code()))[1])
    assert not look_alike(np.array(taken[True][10:]), np.array(taken[False][10:]))


async def flood(house: House, address: Address) -> None:
    """So many events of one sender that nothing slow is spent on the next."""
    who, *_ = await house.pseudonyms.of(address.channel, address.value)
    for number in range(100):
        house.patience.judge(who.value, f"{address.value}/flood/{number}", house.world.now(), guess=False)


@pytest.mark.parametrize(("shift", "alike"), [(1.0, True), (1.02, True), (1.3, False), (0.7, False)])
def test_times_are_compared_by_their_ranks_so_that_a_hiccup_is_none(shift: float, alike: bool) -> None:
    dice = np.random.default_rng(5)
    one, other = dice.lognormal(2, 0.2, 500), dice.lognormal(2, 0.2, 500) * shift
    one[:5] *= 100  # a hiccup of the machine
    assert look_alike(one, other) is alike
    assert look_alike(other, one) is alike


@pytest.mark.parametrize(
    ("one", "other", "expected"), [((3, 4), (1, 2), 1.0), ((1, 2), (3, 4), 0.0), ((1, 4), (2, 3), 0.5)]
)
def test_the_chance_of_being_longer_is_that_of_the_pairs(
    one: Sequence[float], other: Sequence[float], expected: float
) -> None:
    assert longer(np.array(one), np.array(other)) == expected


async def test_the_right_code_opens_within_three_tries_while_others_are_guessing(prober: Prober) -> None:
    house = prober.house
    code = await given_code(house)
    for _ in range(20):  # every try that all may share is used up
        guesser = await prober.prepare(limited=True)
        await prober.tries(guesser, new_code())
    mine = await prober.prepare()
    first = Incoming(id="1", address=mine, kind=IncomingKind.TEXT, text=new_code())
    for number, text in enumerate((new_code(), new_code(), code)):
        await Turns(house).take(replace(first, id=str(number), text=text))
    async with house.vault.unit() as unit:
        found = await unit.conversations.find(await house.pseudonyms.of(mine.channel, mine.value))
        assert found is not None
        assert found.case_id is not None
