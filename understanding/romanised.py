"""Romanised text spelt back in its own script, roughly: the embedding knows the script, and hardly the Latin letters.

Pure tables and two small spellers; knows no model and decides nothing. People spell as they like, so the result is
not good spelling: short vowels of Arabic are left out as Arabic does, and Hindi's retroflex letters only appear in
words that are listed. It is only ever compared with other text that was spelt by the same tables.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from understanding.text import clean

_WORD = re.compile(r"[a-z0-9']+|[^a-z0-9'\s]+")


def _table(words: str) -> Mapping[str, str]:
    """Pairs "latin=native", separated by spaces."""
    pairs = (word.partition("=") for word in words.split())
    return MappingProxyType({latin: spelt for latin, _, spelt in pairs})


_ARABIC = _table(
    "tch=تش kh=خ gh=غ sh=ش ch=ش th=ث dh=ذ ou=و oo=و ee=ي ii=ي aa=ا ei=ي ai=ي ay=ي "
    "2=ء 3'=غ 3=ع 4=غ 5=خ 6=ط 7'=خ 7=ح 8=غ 9=ق b=ب t=ت g=ج j=ج d=د r=ر z=ز s=س f=ف q=ق k=ك c=ك l=ل m=م n=ن "
    "h=ه w=و y=ي p=ب v=ف x=كس u=و"
)
_ARABIC_FIRST = _table("a=ا e=ا i=ا o=ا u=ا ou=او oo=او ei=اي ai=اي ee=اي")
_ARABIC_LAST = _table("a=ه e=ه i=ي o=و")
_ARTICLES = frozenset(("el", "al", "il", "l"))

_CONSONANTS = _table(
    "chh=छ ksh=क्ष gy=ज्ञ kh=ख gh=घ ch=च jh=झ th=थ dh=ध ph=फ bh=भ sh=श k=क g=ग j=ज t=त d=द n=न p=प f=फ b=ब m=म y=य r=र "
    "l=ल v=व w=व s=स h=ह z=ज c=क q=क x=क्स"
)
_VOWELS = _table("aa=ा ee=ी oo=ू ai=ै au=ौ ei=े ou=ौ a= i=ि u=ु e=े o=ो")
_VOWELS_FIRST = _table("aa=आ ee=ई oo=ऊ ai=ऐ au=औ ei=ए ou=औ a=अ i=इ u=उ e=ए o=ओ")
_VOWELS_LAST = _table("a=ा i=ी u=ू")
_HINDI = _table(
    "hai=है h=है hain=हैं hu=हूं hoon=हूं hun=हूं ho=हो mein=में me=में main=मैं mai=मैं nahi=नहीं nhi=नहीं "
    "nai=नहीं nahin=नहीं na=ना ka=का ki=की ke=के ko=को se=से pe=पे par=पर ne=ने raha=रहा rha=रहा rahi=रही "
    "rhi=रही rahe=रहे rhe=रहे kya=क्या wo=वो woh=वो ye=ये yeh=ये aur=और kar=कर kr=कर gaya=गया gya=गया gayi=गई "
    "gaye=गए diya=दिया liya=लिया bahar=बाहर andar=अंदर kaam=काम kam=काम ghar=घर paise=पैसे paisa=पैसा mujhe=मुझे "
    "hame=हमें hum=हम mera=मेरा meri=मेरी mere=मेरे uske=उसके uska=उसका usko=उसको usne=उसने unko=उनको abhi=अभी "
    "aaj=आज kal=कल raat=रात din=दिन log=लोग logo=लोगों mar=मार maar=मार bol=बोल bola=बोला tha=था thi=थी the=थे "
    "to=तो bhi=भी hi=ही band=बंद aadmi=आदमी malik=मालिक maalik=मालिक malkin=मालकिन ladki=लड़की ladka=लड़का "
    "ladke=लड़के ladkiya=लड़कियां bada=बड़ा khada=खड़ा khadi=खड़ी khade=खड़े pada=पड़ा padi=पड़ी pad=पड़ "
    "gaadi=गाड़ी gadi=गाड़ी chhod=छोड़ tod=तोड़ pakad=पकड़ khidki=खिड़की padosi=पड़ोसी padosan=पड़ोसन chaku=चाकू "
    "chaaku=चाकू katta=कट्टा bandook=बंदूक behen=बहन behan=बहन bhai=भाई maa=मां baap=बाप beti=बेटी beta=बेटा "
    "bacha=बच्चा bachcha=बच्चा bache=बच्चे bachche=बच्चे darwaza=दरवाजा tala=ताला pata=पता jaan=जान khoon=खून "
    "madad=मदद bachao=बचाओ jaldi=जल्दी subah=सुबह shaam=शाम kamra=कमरा kamre=कमरे naukri=नौकरी salary=सैलरी "
    "phone=फोन police=पुलिस passport=पासपोर्ट doctor=डॉक्टर hotel=होटल factory=फैक्ट्री agent=एजेंट madam=मैडम "
    "aspatal=अस्पताल hospital=हॉस्पिटल ambulance=एंबुलेंस train=ट्रेन bus=बस truck=ट्रक gate=गेट visa=वीजा "
    "company=कंपनी school=स्कूल boss=बॉस ticket=टिकट photo=फोटो video=वीडियो plz=प्लीज pls=प्लीज please=प्लीज "
    "help=हेल्प koi=कोई kisi=किसी sab=सब bahut=बहुत"
)
"""Words whose letters the tables get wrong, and English ones that Hindi has taken in."""


def _arabic_word(word: str) -> str:
    spelt, at = "", 0
    while at < len(word):
        piece = next((word[at : at + n] for n in (3, 2, 1) if word[at : at + n] in _ARABIC), word[at])
        last = at + len(piece) == len(word)
        if at == 0 and piece in _ARABIC_FIRST:
            spelt += _ARABIC_FIRST[piece]
        elif last and at > 1 and piece in _ARABIC_LAST:
            spelt += _ARABIC_LAST[piece]
        elif not (at and piece == word[at - 1] and piece.isalpha()):  # a doubled letter is written once
            spelt += _ARABIC.get(piece, "")
        at += len(piece)
    return spelt


def _arabic(text: str) -> str:
    spelt = [
        "ال" if word in _ARTICLES else f"{word if word.isdecimal() else _arabic_word(word)} "
        for word in _WORD.findall(text.lower())
    ]
    return "".join(spelt)


def _hindi_word(word: str) -> str:
    if word in _HINDI or not word.isalpha():
        return _HINDI.get(word, word)
    spelt, at, bare = "", 0, False  # bare: the last letter was a consonant, whose vowel may follow
    while at < len(word):
        piece = next((word[at : at + n] for n in (3, 2, 1) if word[at : at + n] in _CONSONANTS), "")
        if piece == "n" and at and word[at + 1 : at + 2] not in ("", *"aeiouyn"):
            spelt, bare = spelt + "ं", False
        elif piece:
            spelt, bare = spelt + ("्" if bare and piece == word[at - 1] else "") + _CONSONANTS[piece], True
        else:
            piece = next((word[at : at + n] for n in (2, 1) if word[at : at + n] in _VOWELS), word[at])
            last = at + len(piece) == len(word)
            spelt, bare = spelt + _sign(piece, bare=bare, last=last), False
        at += len(piece)
    return spelt


def _sign(vowel: str, *, bare: bool, last: bool) -> str:
    """A vowel as a sign after a consonant, or as a letter of its own; a short one that ends a word is long."""
    if not bare:
        return _VOWELS_FIRST.get(vowel, "")
    return (last and _VOWELS_LAST.get(vowel)) or _VOWELS.get(vowel, "")


def _hindi(text: str) -> str:
    return " ".join(map(_hindi_word, _WORD.findall(text.lower())))


_SPELLERS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"ar-Latn": _arabic, "hi-Latn": _hindi, "ur-Latn": _hindi}
)


def native(text: str, variety: str) -> str:
    """Cleaned text of a romanised variety in a native script; other text as it is. Urdu is spelt as Hindi."""
    spell = _SPELLERS.get(variety)
    return (spell and clean(spell(text))) or text
