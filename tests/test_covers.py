"""What a line looks like in discreet mode is one ordinary thing, in every language: a shop, a school or a clinic."""

import pytest

from channels.segments import fold, segments
from dialogs.conversation import Mode
from dialogs.covers import Cover, Covers, dress
from dialogs.marked import BadFile, load
from dialogs.phrases import LOCALES, Phrases, check, load_phrases

LANGUAGES = ("en", "es", "fr", "ar", "hi", "zh")
SPOKEN_OF = 20  # phrases that name what the cover is about


def cost(text: str) -> int:
    return segments(fold(text)).segments


@pytest.fixture(scope="module", params=Cover)
def worn(request: pytest.FixtureRequest) -> tuple[Cover, Phrases]:
    return request.param, load_phrases(languages=LANGUAGES, cover=request.param)


def test_every_cover_is_harmless_and_within_its_budget_in_every_language(worn: tuple[Cover, Phrases]) -> None:
    assert check(worn[1], cost) == []


def test_no_phrase_speaks_of_two_covers(worn: tuple[Cover, Phrases]) -> None:
    cover, phrases = worn
    for tag in LANGUAGES:
        covers = load((LOCALES / tag / "cover.yml").read_text("utf-8"), f"locales/{tag}/cover.yml", Covers)
        words = {each: getattr(covers, each.value).thing for each in Cover}
        texts = [phrase.text(Mode.DISCREET) for phrase in phrases.catalogue[tag].values() if phrase.discreet]
        named = [text for text in texts if words[cover] in text]
        assert len(named) >= SPOKEN_OF, tag
        for other in set(Cover) - {cover}:
            assert not [text for text in named if words[other] in text], (tag, other)
        assert not [text for text in texts if "{thing" in text or "{a_thing" in text], tag


def test_a_clinic_speaks_of_appointments() -> None:
    phrases = load_phrases(languages=["en"], cover=Cover.CLINIC)
    values = {"cover": "Dr Rivera", "line": "Harborline"}
    assert phrases.text("who.asks", "en", Mode.DISCREET, values) == "This is Dr Rivera. It was about an appointment."
    assert phrases.text("code.enter", "en", Mode.DISCREET, values).startswith("What is your appointment number?")


def test_only_the_words_of_the_cover_are_filled_in() -> None:
    assert dress("Your {thing}, {code}", {"thing": "order"}) == "Your order, {code}"


def test_a_mistake_in_a_cover_names_its_line() -> None:
    with pytest.raises(BadFile, match=r"cover\.yml:3:3"):
        load("shop:\n  thing: order\n  thingz: orders\n", "cover.yml", Covers)
