"""Harmless on a checked phone: what gives a line away is found in every script, and what is allowed has a reason."""

from dataclasses import replace

import pytest

from dialogs.discreet import DELIBERATE, Sensitive, gives_away, telling, telling_values
from dialogs.phrases import LOCALES, Phrases, load_locales, load_phrases, telling_phrases
from tests.house import ROOT

SCRIPTS = {tag: locale.script for tag, locale in load_locales().items() if locale.complete}


@pytest.fixture(scope="module")
def phrases() -> Phrases:
    return load_phrases()


@pytest.mark.parametrize(
    ("script", "word", "text", "found"),
    [
        ("Latn", "traffick", "We ship to Traffickers", True),
        ("Latn", "report", "Gate 4 of the airport", False),  # only beginnings
        ("Latn", "police", "Call the P\u00adO\u200bLICE", True),  # invisible signs hide nothing
        ("Latn", "police", "ｐｏｌｉｃｅ", True),  # nor do wide letters
        ("Latn", "polic", "la policía viene", True),
        ("Arab", "شرطة", "اتصل بالشرطة.", True),
        ("Arab", "شرطة", "وللشرطة رأي", True),
        ("Arab", "مساعدة", "نرسل لك مساعدتك", True),  # the ending changes before a pronoun
        ("Arab", "خطر", "هل أنت في خَطَرٍ؟", True),  # vowel marks
        ("Arab", "سري", "خط سريع", False),
        ("Arab", "أمان", "في امان", True),  # hamza is often left out
        ("Arab", "نجدة", "لم نجده", False),
        ("Deva", "खतरा", "कोई ख़तरा है?", True),  # with nukta and without
        ("Deva", "ख़तरा", "खतरे में", True),
        ("Deva", "पुलिस", "पुलिसों को", True),
        ("Deva", "डर", "आपका ऑर्डर तैयार है", False),  # the end of another word
        ("Deva", "भाग", "यह भागीदार नहीं", False),
        ("Hans", "安全", "现在安 全吗", True),
        ("Hans", "报警", "日报，警告", True),  # rather too often than once too seldom
        ("Hans", "警察", "快递员", False),
    ],
)
def test_a_sensitive_word_is_found_as_its_script_writes_it(script: str, word: str, text: str, found: bool) -> None:
    assert gives_away(text, Sensitive(words=(word,)), script) == ((word,) if found else ())


def test_a_whole_word_is_found_only_as_it_stands() -> None:
    words = Sensitive(words=(), whole=("die", "मार"))
    assert gives_away("a diet, an audience", words, "Latn") == ()
    assert gives_away("Die here", words, "Latn") == ("die",)
    assert gives_away("मार्च में", words, "Deva") == ()


@pytest.mark.parametrize("tag", SCRIPTS)
@pytest.mark.parametrize(
    "sentences",
    [
        {
            "en": "The police know", "es": "La policía lo sabe", "fr": "La police le sait", "ar": "الشرطة تعرف",
            "hi": "पुलिस को पता है", "zh": "警察知道",
        },
        {
            "en": "You are not in danger", "es": "No hay peligro", "fr": "Sans danger", "ar": "لا يوجد خطر",
            "hi": "कोई ख़तरा नहीं", "zh": "没有危险",
        },
        {
            "en": "They took your passport", "es": "Le quitaron el pasaporte", "fr": "Votre passeport",
            "ar": "أخذوا جواز سفرك", "hi": "आपका पासपोर्ट ले लिया", "zh": "护照被拿走",
        },
        {
            "en": "We can help you", "es": "Podemos ayudarle", "fr": "On peut vous aider", "ar": "يمكننا مساعدتك",
            "hi": "हम मदद कर सकते हैं", "zh": "我们可以帮助你",
        },
        {
            "en": "Against trafficking", "es": "Contra la trata", "fr": "Contre la traite", "ar": "ضد الاتجار بالبشر",
            "hi": "मानव तस्करी के ख़िलाफ़", "zh": "反对人口贩卖",
        },
        {
            "en": "A shelter for you", "es": "Un refugio", "fr": "Un refuge", "ar": "ملجأ لك", "hi": "आपके लिए आश्रय",
            "zh": "庇护所",
        },
        {
            "en": "Your report", "es": "Su denuncia", "fr": "Votre signalement", "ar": "بلاغك", "hi": "आपकी रिपोर्ट",
            "zh": "你的举报",
        },
        {
            "en": "The hotline", "es": "La línea directa", "fr": "La ligne d'écoute", "ar": "الخط الساخن",
            "hi": "हेल्पलाइन", "zh": "热线",
        },
        {
            "en": "Is he violent?", "es": "¿Hay violencia?", "fr": "Est-il violent ?", "ar": "هل هو عنيف؟",
            "hi": "क्या वह हिंसक है?", "zh": "他有暴力吗",
        },
        {
            "en": "Your case", "es": "Su caso", "fr": "Votre dossier", "ar": "قضيتك", "hi": "आपका मामला",
            "zh": "你的案件",
        },
        dict.fromkeys(("en", "es", "fr", "ar", "hi", "zh"), "Harborline"),
        dict.fromkeys(("en", "ar", "hi", "zh"), "… police …") | {"es": "¡Policía!", "fr": "Police !"},
    ],
    ids=lambda each: each["en"],
)  # fmt: skip
def test_what_gives_a_line_away_is_found_in_every_language(
    phrases: Phrases, tag: str, sentences: dict[str, str]
) -> None:
    assert list(telling("some.phrase", sentences[tag], phrases.sensitive, tag, SCRIPTS[tag])), sentences[tag]


@pytest.mark.parametrize("text", ["{line} here", "Call {emergency}", "Call 112", "116000", "Case {link}", "A {level}"])
def test_a_name_or_number_of_the_line_is_found(text: str) -> None:
    assert list(telling_values("some.phrase", text))


def test_numbers_that_a_shop_says_are_no_reason() -> None:
    assert not list(telling_values("some.phrase", "{cover}: 9 for next, 16 digits, 08-12, {code}"))


def test_the_exceptions_are_named_used_and_have_a_reason(phrases: Phrases) -> None:
    assert [each.phrase for each in DELIBERATE] == ["danger.number"]
    for each in DELIBERATE:
        assert len(each.reason.split()) > 8
        for tag in SCRIPTS:
            assert f"{{{each.holds}}}" in (phrases.catalogue[tag][each.phrase].discreet or ""), tag
        assert list(telling_values("another.phrase", f"{{{each.holds}}}"))


@pytest.mark.parametrize("tag", SCRIPTS)
def test_every_language_has_its_own_list_and_the_name_of_the_house_on_it(phrases: Phrases, tag: str) -> None:
    sensitive = phrases.sensitive[tag]
    assert len(sensitive.words) > 120
    assert "harborline" in sensitive.words
    assert len({*sensitive.words, *sensitive.whole}) == len(sensitive.words) + len(sensitive.whole), "a word twice"


def test_the_covers_that_the_house_suggests_tell_nothing(phrases: Phrases) -> None:
    for tag, sensitive in phrases.sensitive.items():
        assert not gives_away("Corner Laundry", sensitive, "Latn"), tag


def test_a_telling_twin_is_named_with_its_place(phrases: Phrases) -> None:
    phrase = replace(phrases.catalogue["es"]["done"], discreet="Gracias. La policía lo verá.")
    spoilt = Phrases(phrases.locales, {"es": {"done": phrase}}, phrases.sensitive)
    only = Phrases({"es": phrases.locales["es"]}, spoilt.catalogue, phrases.sensitive)
    (problem,) = telling_phrases(only)
    assert problem == f"{phrase.twin_at}: the discreet twin of `done` says `polic`: use an ordinary word"
    file, line, column = phrase.twin_at.split(":")
    written = (ROOT / file).read_text("utf-8").splitlines()
    assert (ROOT / file).is_relative_to(LOCALES)
    assert written[int(line) - 1 : int(line) + 1] == ['msgctxt "discreet"', 'msgid "done"']
    assert column == "1"
