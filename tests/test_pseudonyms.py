"""Pseudonyms: the same person is recognised within an epoch, and nobody across a destroyed one."""

from datetime import timedelta

import pytest

from channels.messages import ChannelName
from tests.vaults import CHEAP, START, Clock
from vault.keys import KeyRing, begin_epoch, destroy_epoch, init_key_ring
from vault.pseudonyms import Pseudonyms
from vault.sealing import Effort

NUMBER = "+15550100777"


async def test_the_same_address_is_the_same_person_in_every_process(ring: KeyRing, clock: Clock) -> None:
    first, second = (Pseudonyms(ring, CHEAP, clock) for _ in range(2))
    assert await first.of("sms", NUMBER) == await first.of("sms", NUMBER) == await second.of(ChannelName.SMS, NUMBER)


@pytest.mark.parametrize(("channel", "value"), [("voice", NUMBER), ("sms", "+15550100778"), ("sms", f"{NUMBER} ")])
async def test_another_channel_or_number_is_another_person(pseudonyms: Pseudonyms, channel: str, value: str) -> None:
    assert await pseudonyms.of("sms", NUMBER) != await pseudonyms.of(channel, value)


async def test_another_installation_knows_the_same_number_by_another_name(
    pseudonyms: Pseudonyms, clock: Clock, ring: KeyRing
) -> None:
    elsewhere = Pseudonyms(init_key_ring(ring.directory.parent / "elsewhere"), CHEAP, clock)
    assert await pseudonyms.of("sms", NUMBER) != await elsewhere.of("sms", NUMBER)


async def test_a_person_has_one_name_in_every_readable_epoch_the_current_one_first(
    pseudonyms: Pseudonyms, ring: KeyRing
) -> None:
    (first,) = await pseudonyms.of("sms", NUMBER)
    later = begin_epoch(ring)
    pseudonyms.use(later)
    second, again = await pseudonyms.of("sms", NUMBER)
    assert (second.epoch, again) == (2, first)
    assert second.value != first.value
    pseudonyms.use(destroy_epoch(later, 1))
    assert await pseudonyms.of("sms", NUMBER) == (second,)


async def test_the_effort_and_the_salt_are_part_of_the_name(ring: KeyRing, clock: Clock) -> None:
    costlier = Pseudonyms(ring, Effort(passes=2, lanes=1, memory=64), clock)
    assert await costlier.of("sms", NUMBER) != await Pseudonyms(ring, CHEAP, clock).of("sms", NUMBER)


async def test_an_address_is_remembered_for_an_hour_and_then_forgotten(pseudonyms: Pseudonyms, clock: Clock) -> None:
    await pseudonyms.of("sms", NUMBER)
    clock.later(minutes=60)
    await pseudonyms.of("sms", "+15550100778")
    assert NUMBER in repr(vars(pseudonyms))
    clock.later(seconds=1)
    await pseudonyms.of("sms", "+15550100778")
    assert NUMBER not in repr(vars(pseudonyms))


async def test_who_goes_on_writing_is_remembered_without_the_slow_part(ring: KeyRing, clock: Clock) -> None:
    slow = Pseudonyms(ring, Effort(passes=4, lanes=1, memory=64 * 1024), clock)
    first = await slow.of("sms", NUMBER)
    for _ in range(500):  # each would take a tenth of a second
        clock.later(minutes=30)
        assert await slow.of("sms", NUMBER) == first
    assert clock.now - START == timedelta(hours=250)


async def test_a_pseudonym_shows_only_its_epoch_when_printed(pseudonyms: Pseudonyms) -> None:
    (who,) = await pseudonyms.of("sms", NUMBER)
    assert repr(who) == "Pseudonym(epoch=1)"
