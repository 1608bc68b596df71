"""Which language a text is in: the pure weighing of votes, and the real identifiers through the real child."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from understanding.language import KNOWN, NO_VOTES, SURE, Votes, identify, script
from understanding.romanised import native
from understanding.text import clean
from understanding.understand import Understanding

LINE = ("en", "es", "fr", "ar", "hi", "zh")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def understanding() -> AsyncIterator[Understanding]:
    made = Understanding()
    await made.start()
    assert made.ready
    yield made
    await made.stop()


@pytest.mark.parametrize("text", ["", "12", "2", "😀😀", "?!", "4821 0093 7716 2045", "ok", "hi", "si", "na", "salam"])
def test_short_words_digits_and_emoji_name_no_language(text: str) -> None:
    guess = identify(text, votes=Votes(langid={"en": 0.99}, cld={"en": 0.99}, own={"en": 0.99}))
    assert guess.language is None
    assert guess.confidence == 0.0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hello", "Latn"),
        ("مرحبا", "Arab"),
        ("नमस्ते", "Deva"),
        ("你好", "Hani"),
        ("たすけてください", "Kana"),
        ("助けてください", "Kana"),
        ("привет", "Cyrl"),
        ("ሰላም", "Ethi"),
        ("123", ""),
        ("γειά", "Zyyy"),
    ],
)
def test_the_script_is_the_one_most_letters_are_in(text: str, code: str) -> None:
    assert script(text) == code


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("ช่วยด้วย", "th"),
        ("도와주세요", "ko"),
        ("உதவி", "ta"),
        ("ជួយខ្ញុំផង", "km"),
        ("ຊ່ວຍແດ່", "lo"),
        ("ကူညီပါ", "my"),
        ("সাহায্য", "bn"),
        ("救救我", "zh"),
        ("උදව්", "si"),
        ("ਮਦਦ", "pa"),
    ],
)
def test_a_script_of_one_language_decides_alone_without_any_identifier(text: str, tag: str) -> None:
    guess = identify(text, votes=NO_VOTES)
    assert guess.language == tag
    assert guess.confidence >= SURE


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("ንስኻ ኣብ ገዛ ኣለኻ ዝበለኒ ሓደ ሰብ ኣሎ", "ti"),
        ("እባክህ እርዳኝ ቤት ውስጥ ነኝ እና በሩ ተቆልፏል", "am"),
    ],
)
def test_amharic_and_tigrinya_are_told_apart_by_rule(text: str, tag: str) -> None:
    assert identify(text, votes=NO_VOTES).language == tag


def test_a_script_that_no_language_of_ours_uses_names_no_language() -> None:
    guess = identify("βοήθεια παρακαλώ κάποιος", votes=Votes(langid={"en": 0.9}, cld={}, own={}))
    assert (guess.language, guess.candidates) == (None, ())


def test_the_persons_choice_wins_a_near_tie() -> None:
    votes = Votes(langid={"es": 0.5, "pt": 0.45}, cld={}, own={})
    text = "por favor ajuda nao posso sair"
    assert identify(text, votes=votes, hint="pt").language == "pt"
    assert identify(text, votes=votes, hint="es").language == "es"


def test_the_lines_languages_are_preferred_but_never_forced() -> None:
    torn = Votes(langid={"es": 0.45, "pt": 0.5}, cld={}, own={})
    assert identify("no puedo salir da casa", votes=torn, languages=("es",)).language == "es"
    clear = Votes(langid={"pl": 0.99}, cld={"pl": 0.99}, own={})
    assert identify("szef zabrał mi paszport i nie płaci", votes=clear, languages=LINE).language == "pl"


def test_identifiers_that_disagree_leave_a_confidence_that_makes_us_ask() -> None:
    guess = identify("kama hii ni sawa kabisa leo", votes=Votes(langid={"en": 0.6}, cld={"sw": 0.8}, own={}))
    assert guess.confidence < SURE
    assert len(guess.candidates) >= 2


def test_romanised_text_always_stays_below_the_threshold_so_that_the_person_is_asked() -> None:
    votes = Votes(langid={"sw": 0.2}, cld={"hi-Latn": 0.999}, own={"hi-Latn": 0.99})
    guess = identify("mujhe yahan se bahar nikalna hai kripya madad karo", votes=votes, hint="hi", languages=LINE)
    assert (guess.language, guess.transliterated, guess.variety) == ("hi", True, "hi-Latn")
    assert guess.confidence < SURE


def test_every_language_of_the_list_is_known() -> None:
    tags = "en es pt fr ht ar fa ps ur hi bn pa ne ta si th vi km lo my tl id zh ko mn ru uk ro bg hu pl sq tr ku"
    assert set(KNOWN) == set(f"{tags} am ti so sw ha yo".split())


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("they keep all our passports in the office and nobody got paid", "en"),
        ("no me han pagado desde marzo y me quitaron el pasaporte", "es"),
        ("le patron a gardé nos papiers et on dort dans le hangar", "fr"),
        ("صاحب العمل أخذ جوازات السفر ولم يدفع لنا شيئا", "ar"),
        ("मालिक ने हमारे कागज रख लिए हैं और पैसे नहीं देता", "hi"),
        ("老板扣了我们的护照 三个月没发工资了", "zh"),
        ("o patrão ficou com o meu passaporte e não me deixa sair", "pt"),
        ("шеф забрал паспорта и не платит нам уже три месяца", "ru"),
        ("начальник забрав паспорти і не платить нам вже три місяці", "uk"),
        ("patron pasaportumu aldı ve üç aydır para vermiyor", "tr"),
        ("کارفرما پاسپورت ما را گرفته و حقوق نمی‌دهد", "fa"),
        ("مالک نے ہمارے پاسپورٹ رکھ لیے ہیں اور تنخواہ نہیں دیتا", "ur"),
        ("मालिकले हाम्रो राहदानी राखेको छ र तलब दिँदैन", "ne"),
        ("ông chủ giữ hộ chiếu và không trả lương cho chúng tôi", "vi"),
        ("szef zabrał nam paszporty i nie płaci od trzech miesięcy", "pl"),
        ("patwon an pran paspò nou epi li pa peye nou", "ht"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_informal_sentences_are_named_by_the_real_identifiers(
    understanding: Understanding, text: str, tag: str
) -> None:
    meaning = await understanding.understand(text, languages=LINE, budget=5.0)
    assert meaning.language == tag
    assert not meaning.transliterated


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("maalik humara passport nahi de raha aur paise bhi nahi milte", "hi"),
        ("mujhe ghar jana hai lekin ye log jane nahi dete", "hi"),
        ("el moudir ma 3am yedfa3 w akhad el basbor", "ar"),
        ("ma baddi irja3 3al beit, khayfe ktir menno", "ar"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_romanised_hindi_and_arabizi_are_candidates_to_ask_about(
    understanding: Understanding, text: str, tag: str
) -> None:
    meaning = await understanding.understand(text, languages=LINE, budget=5.0)
    assert tag in meaning.candidates
    assert meaning.language_confidence < SURE


def test_romanised_words_are_spelt_back_in_their_own_script_and_others_are_left_alone() -> None:
    assert native("mujhe bachao wo maar raha hai", "hi-Latn") == "मुझे बचाओ वो मार रहा है"
    assert native("khidki ke bahar khada hai", "ur-Latn") == "खिड़की के बाहर खड़ा है"
    assert native("el madrase msakkra", "ar-Latn") == "المدرسه مسكره"
    assert native("bokra 7adir 3afsh", "ar-Latn") == "بكره حدر عفش"
    for text, variety in (("they took my passport", "en"), ("мама", "ru"), ("12 !!", "hi-Latn"), ("", "ar-Latn")):
        assert native(text, variety) == text


@given(st.text(max_size=300).map(clean), st.sampled_from(["ar-Latn", "hi-Latn", "ur-Latn"]))
@settings(max_examples=200, deadline=None)
def test_spelling_back_never_raises_never_empties_and_stays_clean(text: str, variety: str) -> None:
    spelt = native(text, variety)
    assert clean(spelt) == spelt
    assert bool(spelt) == bool(text)
    assert len(spelt) <= 4 * len(text)


@pytest.mark.parametrize("text", ["ba3d bokra fi 7add w ma ba3ref", "3am yetla3 hala2 ma3 7ada"])
def test_digits_inside_words_speak_for_arabic_in_latin_letters(text: str) -> None:
    assert identify(text, votes=Votes(langid={"so": 0.5}, cld={}, own={"ar-Latn": 0.3})).variety == "ar-Latn"


@pytest.mark.parametrize("text", ["meet me at 3pm on the 2nd of may please", "7am or 9pm are fine for my 3 kids"])
def test_times_and_counts_are_not_taken_for_arabic(text: str) -> None:
    assert identify(text, votes=Votes(langid={"en": 0.6}, cld={"en": 0.9}, own={"en": 0.9})).language == "en"
