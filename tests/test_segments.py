"""Segments: what a text costs by SMS, and that neither folding nor splitting loses a letter."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.accents import BARE, thrifty
from channels.messages import legible
from channels.segments import Count, Encoding, fold, segments, split, width

GSM7, UCS2 = Encoding.GSM7, Encoding.UCS2


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", GSM7, 0, 0),
        ("a" * 160, GSM7, 160, 1),
        ("a" * 161, GSM7, 161, 2),
        ("a" * 306, GSM7, 306, 2),
        ("a" * 307, GSM7, 307, 3),
        ("€" * 80, GSM7, 160, 1),
        ("€" * 81, GSM7, 162, 2),
        ("ñ" * 160, GSM7, 160, 1),
        ("я" * 70, UCS2, 70, 1),
        ("я" * 71, UCS2, 71, 2),
        ("я" * 134, UCS2, 134, 2),
        ("я" * 135, UCS2, 135, 3),
        ("🙂" * 35, UCS2, 70, 1),
        ("a" * 159 + "’", UCS2, 160, 3),
    ],
)
def test_segments_are_counted_as_carriers_count_them(text: str, encoding: Encoding, units: int, count: int) -> None:
    assert segments(text) == Count(encoding=encoding, units=units, segments=count)


def test_a_character_of_two_units_is_never_cut_between_segments() -> None:
    assert segments("a" * 152 + "€" + "a" * 152).segments == 3  # the escape would be the 153rd, its pair the 154th
    assert segments("я" * 66 + "🙂" + "я" * 66).segments == 3


@pytest.mark.parametrize("character", "^{}\\[~]|€")
def test_extended_characters_cost_two(character: str) -> None:
    assert segments(character).units == 2


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("Don’t say “why”", 'Don\'t say "why"'),
        ("now – or later — or never", "now - or later - or never"),
        ("wait…", "wait..."),
        ("a\u00a0b\u202fc\u2009d", "a b c d"),
        ("soft\u00adhyphen\u200b\ufeff", "softhyphen"),
        ("e\u0301", "é"),
        ("a\r\nb\u2028c", "a\nb\nc"),
        ("• one", "- one"),
    ],
)
def test_typography_is_folded_when_that_makes_the_text_fit_gsm7(typed: str, plain: str) -> None:
    assert fold(typed) == plain
    assert segments(fold(typed)).encoding is GSM7


@pytest.mark.parametrize(
    "text",
    [
        "¿Está seguro – ahora?",
        "هل أنت بأمان… الآن؟",
        "क्या आप “सुरक्षित” हैं?",
        "你安全吗…",
        "می\u200cخواهم",
        "ça va – oui",
        "👩\u200d👧",
    ],
)
def test_a_text_with_a_letter_that_gsm7_lacks_stays_as_it_is(text: str) -> None:
    assert fold(text) == unicodedata.normalize("NFC", text)


# Written with other letters on purpose: ligatures, modifier apostrophes and the times sign are typography.
WRITTEN_OUT = "ʹʼˈﬀﬁﬂﬃﬄ×"


@given(st.text(st.characters(exclude_characters=WRITTEN_OUT), max_size=300))
@settings(max_examples=150, deadline=None)
def test_folding_never_loses_or_changes_a_letter_or_a_digit(text: str) -> None:
    def letters(value: str) -> list[str]:
        return [c for c in unicodedata.normalize("NFC", value) if unicodedata.category(c)[0] in "LN"]

    assert letters(fold(text)) == letters(text)


LONG = "Gracias. Si está en peligro ahora, llame al número de emergencia. Una persona del equipo lo leerá todo."


@pytest.mark.parametrize(
    ("text", "language", "sent"),
    [
        ("¿Está seguro?", "es", "¿Está seguro?"),  # one segment either way: it keeps its accents
        (LONG, "es", LONG.replace("á", "a").replace("ú", "u")),
        (f"{LONG} mañana, güero, también, ¡sí!", "es-MX", None),  # what GSM-7 has stays: ñ, ü, é, ¡
        (
            "Ça va bien, même si c’est dur ; on vous répondra bientôt, à l’heure où vous êtes seul. Le cœur y est.",
            "fr",
            None,
        ),
        (LONG, "en", LONG),  # a language that is not in the table
        (f"{LONG} 你好", "es", f"{LONG} 你好"),  # nothing would be saved
    ],
)
def test_accents_that_gsm7_lacks_go_where_people_leave_them_out_and_a_segment_is_saved(
    text: str, language: str, sent: str | None
) -> None:
    got = thrifty(text, language)
    assert sent is None or got == sent
    assert segments(got).segments == (2 if got == text and len(text) > 70 else 1)
    assert "?" not in got.replace("¿Está seguro?", ""), "no letter is lost"
    bare = [unicodedata.normalize("NFD", letter)[0] for letter in got.replace("oe", "œ") if letter.isalpha()]
    assert bare == [unicodedata.normalize("NFD", letter)[0] for letter in text if letter.isalpha()]


@given(st.text(max_size=300), st.sampled_from(["es", "fr", "pt", "vi", "ar", ""]))
@settings(max_examples=150, deadline=None)
def test_leaving_out_accents_never_costs_more_and_never_writes_a_question_mark(text: str, language: str) -> None:
    got = thrifty(text, language)
    assert segments(got).segments <= segments(fold(text)).segments
    assert got.count("?") == fold(text).count("?")
    assert not any(ord(bare) > 127 for table in BARE.values() for letters in table.values() for bare in letters)


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=400), st.integers(min_value=2, max_value=50))
@settings(max_examples=200, deadline=None)
def test_splitting_loses_nothing_but_white_space_and_keeps_the_limit(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(part and width(part) <= limit for part in parts)


def test_splitting_prefers_lines_then_sentences_then_words() -> None:
    assert split("first line\nsecond line", 15) == ("first line", "second line")
    assert split("One is here. Two is there", 16) == ("One is here.", "Two is there")
    assert split("alpha beta gamma", 11) == ("alpha beta", "gamma")
    assert split("abcdefgh", 5) == ("abcde", "fgh")


def test_splitting_keeps_a_letter_with_its_marks_and_an_emoji_whole() -> None:
    assert split("abc" + "e\u0301", 4) == ("abc", "e\u0301")
    assert split("a" + "👩\u200d👧", 5) == ("a", "👩\u200d👧")


def test_splitting_into_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="two units"):
        split("a", 1)


@given(st.text(st.characters(), max_size=200) | st.text(st.characters(categories=["Cs", "Cc", "Cn"]), max_size=50))
@settings(max_examples=200, deadline=None)
def test_a_legible_text_survives_utf8_and_xml_and_keeps_every_letter(text: str) -> None:
    clean = legible(text)
    assert clean.encode("utf-8").decode("utf-8") == clean
    assert "\x00" not in clean
    assert [c for c in clean if c.isalnum()] == [c for c in text if c.isalnum()]
