"""Passkeys: what lets a member in, what does not, and what a stranger's bytes can do."""

import asyncio
import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.authenticator import SoftPasskey, b64, unb64
from tests.staffed import Staff, cheap, chosen, staff
from tests.vaults import rows
from vault.errors import NotAllowed, NotFound, PasskeyRefused, SignInRefused
from vault.members import SignedIn
from vault.passkeys import Passkey, Site

__all__ = ["cheap", "staff"]  # fixtures

SITE = Site(host="desk.example.org", origin="https://desk.example.org", name="Open Door")


def key() -> SoftPasskey:
    """A security key at the real address."""
    return SoftPasskey(origin=SITE.origin, host=SITE.host)


async def options_to_add(staff: Staff, name: str = "rosa", site: Site = SITE) -> str:
    who = await staff.open(name)
    async with staff.vault.unit() as unit:
        return await unit.passkeys.options_to_add(who.member.id, name, who.key, site)


async def options_to_sign_in(staff: Staff, site: Site = SITE) -> str:
    async with staff.vault.unit() as unit:
        return unit.passkeys.options_to_sign_in(site)


async def add(staff: Staff, answer: str, name: str = "rosa") -> Passkey:
    """Keep what a browser answered, as the account page does."""
    who, now = await staff.open(name), await staff.credentials(name, totp="")
    async with staff.vault.unit() as unit:
        added = await unit.account.add_passkey(who, now, SITE, label="blue key", answer=answer)
    assert isinstance(added, Passkey)
    return added


async def added(staff: Staff, name: str = "rosa") -> SoftPasskey:
    """A key that this member has added."""
    device = key()
    await add(staff, device.makes(await options_to_add(staff, name)), name)
    return device


async def enters(staff: Staff, answer: str, name: str = "rosa", **other: str) -> bool:
    """Whether passphrase and this answer let somebody in."""
    outcome = await staff.sign_in(name, totp="", passkey=answer, site=SITE, **other)
    return isinstance(outcome, tuple)


# What lets in -----------------------------------------------------------------------------------------------------


async def test_passphrase_and_passkey_let_a_member_in_without_a_code(staff: Staff) -> None:
    device = await added(staff)
    assert await enters(staff, device.signs(await options_to_sign_in(staff)))


async def test_a_passkey_without_the_passphrase_lets_nobody_in(staff: Staff) -> None:
    device = await added(staff)
    assert not await enters(staff, device.signs(await options_to_sign_in(staff)), passphrase="wrong")


async def test_codes_still_count_until_the_member_says_otherwise(staff: Staff) -> None:
    await added(staff)
    assert isinstance(await staff.sign_in("rosa"), tuple)
    await only(staff)
    assert isinstance(await staff.sign_in("rosa"), SignInRefused)
    device = await added_beside(staff)
    assert await enters(staff, device.signs(await options_to_sign_in(staff)))


async def only(staff: Staff, *, yes: bool = True) -> None:
    who, now = await staff.open("rosa"), await staff.credentials("rosa", totp="")
    async with staff.vault.unit() as unit:
        assert await unit.account.only_passkeys(who, now, only=yes) is None


async def added_beside(staff: Staff) -> SoftPasskey:
    """A second key, added in a session that was opened by neither code nor key."""
    device, now = key(), await staff.credentials("rosa", totp="")
    async with staff.vault.unit() as unit:
        who = await unit.members.unlock(now)
        options = await unit.passkeys.options_to_add(who.member.id, "rosa", who.key, SITE)
        await unit.account.add_passkey(who, now, SITE, label="red", answer=device.makes(options))
    return device


async def test_without_a_passkey_codes_cannot_be_given_up(staff: Staff) -> None:
    with pytest.raises(NotAllowed):
        await only(staff)


async def test_with_the_last_passkey_goes_the_rule_that_only_passkeys_count(staff: Staff) -> None:
    await added(staff)
    who, now = await staff.open("rosa"), await staff.credentials("rosa", totp="")
    async with staff.vault.unit() as unit:
        await unit.account.only_passkeys(who, now, only=True)
        (passkey,) = await unit.passkeys.of(who.member.id, who.key)
        await unit.account.remove_passkey(who, now, passkey.id)
    assert isinstance(await staff.sign_in("rosa"), tuple)


async def test_a_new_passphrase_keeps_the_passkeys(staff: Staff) -> None:
    device = await added(staff)
    who, now = await staff.open("rosa"), await staff.credentials("rosa", totp="")
    async with staff.vault.unit() as unit:
        await unit.account.change_passphrase(who, now, chosen("quite another passphrase"))
    staff.passphrases["rosa"] = "quite another passphrase"
    assert await enters(staff, device.signs(await options_to_sign_in(staff)))


async def test_who_is_let_in_again_has_no_passkey_any_more(staff: Staff) -> None:
    omar = await staff.join("omar")
    await added(staff, "omar")
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        await unit.staffing.reset(omar.id, chosen(), by=rosa)
    assert await rows(staff.vault, "SELECT * FROM passkeys") == []


# What does not ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trick",
    [
        lambda device, options: device.signs(options, origin="https://desk.example.org.evil.example"),
        lambda device, options: device.signs(options, origin="http://desk.example.org"),
        lambda device, options: device.signs(options, origin="https://desk.example.org:8443"),
        lambda device, options: device.signs(options, type="webauthn.create"),
        lambda device, options: device.signs(options, challenge=b64(bytes(56))),
        lambda device, options: device.signs(options, challenge=""),
    ],
)
async def test_an_answer_that_was_made_for_another_page_is_refused(
    staff: Staff, trick: Callable[[SoftPasskey, str], str]
) -> None:
    device = await added(staff)
    assert not await enters(staff, trick(device, await options_to_sign_in(staff)))
    assert await enters(staff, device.signs(await options_to_sign_in(staff))), "the passkey itself is good"


async def test_an_answer_of_another_host_is_refused(staff: Staff) -> None:
    device = await added(staff)
    device.host = "evil.example"
    assert not await enters(staff, device.signs(await options_to_sign_in(staff)))


async def test_an_answer_that_nobody_touched_a_key_for_is_refused(staff: Staff) -> None:
    device = await added(staff)
    device.present = False
    assert not await enters(staff, device.signs(await options_to_sign_in(staff)))


async def test_an_answer_works_once(staff: Staff) -> None:
    device = await added(staff)
    answer = device.signs(await options_to_sign_in(staff))
    assert await enters(staff, answer)
    assert not await enters(staff, answer)


async def test_an_answer_works_once_even_twice_at_once(staff: Staff) -> None:
    device = await added(staff)
    answer = device.signs(await options_to_sign_in(staff))
    assert sorted(await asyncio.gather(*(enters(staff, answer) for _ in range(3)))) == [False, False, True]


async def test_a_challenge_works_once_also_for_another_answer_to_it(staff: Staff) -> None:
    device = await added(staff)
    options = await options_to_sign_in(staff)
    assert not await enters(staff, device.signs(options, origin="https://evil.example"))
    assert not await enters(staff, device.signs(options))


async def test_a_challenge_ends_after_five_minutes_and_is_not_kept_for_longer(staff: Staff) -> None:
    device = await added(staff)
    options = await options_to_sign_in(staff)
    staff.clock.later(minutes=5, seconds=1)
    assert not await enters(staff, device.signs(options))
    assert await enters(staff, device.signs(await options_to_sign_in(staff)))
    staff.clock.later(minutes=11)
    assert await enters(staff, device.signs(await options_to_sign_in(staff)))
    assert len(await rows(staff.vault, "SELECT * FROM spent_challenges")) == 1


async def test_asking_for_challenges_stores_nothing(staff: Staff) -> None:
    asked = {json.loads(await options_to_sign_in(staff))["challenge"] for _ in range(20)}
    assert len(asked) == 20
    assert await rows(staff.vault, "SELECT * FROM spent_challenges") == []


async def test_what_is_asked_of_a_browser_at_the_door_names_nobody(staff: Staff) -> None:
    await added(staff)
    options = json.loads(await options_to_sign_in(staff))
    assert options.get("allowCredentials", []) == []
    assert set(options) <= {"challenge", "rpId", "timeout", "allowCredentials", "userVerification"}


async def test_a_passkey_of_somebody_else_does_not_count(staff: Staff) -> None:
    await staff.join("omar")
    device = await added(staff, "omar")
    await added(staff)
    assert not await enters(staff, device.signs(await options_to_sign_in(staff)))
    assert await enters(staff, device.signs(await options_to_sign_in(staff)), "omar")


async def test_a_key_that_was_copied_is_noticed_by_its_counter(staff: Staff) -> None:
    device = await added(staff)
    assert await enters(staff, device.signs(await options_to_sign_in(staff)))
    assert await enters(staff, device.signs(await options_to_sign_in(staff)))
    device.uses = 0
    assert not await enters(staff, device.signs(await options_to_sign_in(staff)))


async def test_without_an_address_of_ours_no_passkey_counts(staff: Staff) -> None:
    device = await added(staff)
    answer = device.signs(await options_to_sign_in(staff))
    assert isinstance(await staff.sign_in("rosa", totp="", passkey=answer), SignInRefused)


async def test_wrong_passkeys_close_the_door_as_wrong_codes_do(staff: Staff) -> None:
    device = await added(staff)
    for _ in range(5):
        assert not await enters(staff, device.signs(await options_to_sign_in(staff), origin="https://evil.example"))
    assert not await enters(staff, device.signs(await options_to_sign_in(staff)))
    staff.clock.later(minutes=16)
    assert await enters(staff, device.signs(await options_to_sign_in(staff)))


# Adding one -------------------------------------------------------------------------------------------------------


async def test_a_passkey_is_sealed_to_its_member(staff: Staff) -> None:
    device = await added(staff)
    ((row,),) = await rows(staff.vault, "SELECT t::text FROM passkeys t")
    assert device.credential.hex() not in row
    assert b"blue key".hex() not in row
    rosa = await staff.open("rosa")
    async with staff.vault.unit() as unit:
        (passkey,) = await unit.passkeys.of(rosa.member.id, rosa.key)
    assert (passkey.label, passkey.credential) == ("blue key", device.credential)


@pytest.mark.parametrize(
    "trick",
    [
        {"origin": "https://evil.example"},
        {"type": "webauthn.get"},
        {"challenge": b64(bytes(56))},
    ],
)
async def test_a_passkey_that_was_made_for_another_page_is_not_kept(staff: Staff, trick: dict[str, str]) -> None:
    with pytest.raises(PasskeyRefused):
        await add(staff, key().makes(await options_to_add(staff), **trick))
    assert await rows(staff.vault, "SELECT * FROM passkeys") == []


async def test_a_challenge_for_signing_in_or_of_somebody_else_adds_nothing(staff: Staff) -> None:
    await staff.join("omar")
    for options in (await options_to_sign_in(staff), await options_to_add(staff, "omar")):
        with pytest.raises(PasskeyRefused):
            await add(staff, key().makes(options))


async def test_a_challenge_for_adding_lets_nobody_in(staff: Staff) -> None:
    device = await added(staff)
    assert not await enters(staff, device.signs(await options_to_add(staff)))


async def test_a_passkey_is_added_once_and_not_for_the_same_challenge(staff: Staff) -> None:
    device, options = key(), await options_to_add(staff)
    await add(staff, device.makes(options))
    with pytest.raises(PasskeyRefused):
        await add(staff, key().makes(options))
    with pytest.raises(PasskeyRefused):
        await add(staff, device.makes(await options_to_add(staff)))
    excluded = json.loads(await options_to_add(staff))["excludeCredentials"]
    assert [unb64(one["id"]) for one in excluded] == [device.credential]


async def test_a_member_has_ten_passkeys_at_most(staff: Staff) -> None:
    for _ in range(10):
        await added(staff)
    with pytest.raises(PasskeyRefused):
        await added(staff)


async def test_a_session_alone_adds_and_removes_none(staff: Staff) -> None:
    await added(staff)
    who, wrong = await staff.open("rosa"), await staff.credentials("rosa", passphrase="wrong", totp="")
    options = await options_to_add(staff)
    async with staff.vault.unit() as unit:
        (passkey,) = await unit.passkeys.of(who.member.id, who.key)
        outcomes = (
            await unit.account.add_passkey(who, wrong, SITE, label="", answer=key().makes(options)),
            await unit.account.remove_passkey(who, wrong, passkey.id),
            await unit.account.only_passkeys(who, wrong, only=True),
        )
    assert {type(outcome) for outcome in outcomes} == {SignInRefused}
    assert len(await rows(staff.vault, "SELECT * FROM passkeys")) == 1


async def test_nobody_removes_somebody_elses_passkey(staff: Staff) -> None:
    await added(staff)
    await staff.join("omar")
    ((passkey_id,),) = await rows(staff.vault, "SELECT id FROM passkeys")
    omar, now = await staff.open("omar"), await staff.credentials("omar", totp="")
    with pytest.raises(NotFound):
        async with staff.vault.unit() as unit:
            await unit.account.remove_passkey(omar, now, passkey_id)
    assert len(await rows(staff.vault, "SELECT * FROM passkeys")) == 1


# Strangers' bytes -------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("id", "rawId", "type", "response", "clientDataJSON", "authenticatorData", "signature", "attestationObject")


@pytest.mark.parametrize("passkey", ["", "{}", "[]", "null", "{", "\ud800", "[" * 5000, '{"id": 1}', "0" * 9000])
async def test_an_answer_that_is_none_lets_nobody_in_and_breaks_nothing(staff: Staff, passkey: str) -> None:
    await added(staff)
    assert not await enters(staff, passkey)
    with pytest.raises(PasskeyRefused):
        await add(staff, passkey)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    target=st.sampled_from(FIELDS),
    value=JSON | st.binary(max_size=60).map(b64) | JSON.map(lambda plain: b64(json.dumps(plain).encode())),
)
async def test_an_answer_with_any_field_changed_lets_nobody_in_and_breaks_nothing(
    staff: Staff, target: str, value: object
) -> None:
    who = await _rosa(staff)
    device = key()
    async with staff.vault.unit() as unit:
        options = await unit.passkeys.options_to_add(who.member.id, "rosa", who.key, SITE)
        made, signed = device.makes(options), device.signs(unit.passkeys.options_to_sign_in(SITE))
        if target != "rawId":  # of what was made, only the id inside of the attestation counts
            changed = _changed(made, target, value)
            if changed:
                with pytest.raises(PasskeyRefused):
                    await unit.passkeys.add(who.member.id, who.key, SITE, label="", answer=changed)
        options = await unit.passkeys.options_to_add(who.member.id, "rosa", who.key, SITE)
        kept = await unit.passkeys.add(who.member.id, who.key, SITE, label="", answer=device.makes(options))
        changed = _changed(signed, target, value)
        assert not changed or not await unit.passkeys.fits(who.member.id, who.key, SITE, changed)
        await unit.passkeys.remove(who.member.id, kept.id)


def _changed(answer: str, target: str, value: object) -> str:
    """The answer with one field changed; "" when it has no such field or nothing changes by it."""
    plain = json.loads(answer)
    place = plain if target in plain else plain["response"]
    if target not in place or place[target] == value:
        return ""
    place[target] = value
    return json.dumps(plain)


async def _rosa(staff: Staff) -> SignedIn:
    async with staff.vault.unit() as unit:
        return await unit.members.unlock(await staff.credentials("rosa", totp=""))
