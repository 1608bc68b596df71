"""Tables for spelling romanised text back: one for each script, as people type it on a phone. Data only.

A table maps what is typed to what is written; the longest piece wins. None of it is an academic transliteration: it is
as rough as people are, and only ever compared with text spelt by the same table (romanised.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Table = Mapping[str, str]


def table(pairs: str) -> Table:
    """Pairs "latin=native", separated by spaces."""
    split = (word.partition("=") for word in pairs.split())
    return MappingProxyType({latin: spelt for latin, _, spelt in split})


@dataclass(frozen=True, slots=True, kw_only=True)
class Abugida:
    """A script whose consonants carry a vowel: signs after a consonant, letters of their own elsewhere.

    `last`: vowels that a word ends in. `bare`: the mark of a consonant without a vowel; `always`: it is written
    wherever no vowel follows, not only between doubled letters. `nasal`: what an n before another consonant becomes.
    """

    consonants: Table
    signs: Table
    first: Table
    bare: str
    last: Table = field(default_factory=dict)
    words: Table = field(default_factory=dict)
    always: bool = False
    nasal: str = ""


_DEVANAGARI = (
    "chh=छ ksh=क्ष gy=ज्ञ kh=ख gh=घ ch=च jh=झ th=थ dh=ध ph=फ bh=भ sh=श k=क g=ग j=ज t=त d=द n=न p=प f=फ "
    "b=ब m=म y=य r=र l=ल v=व w=व s=स h=ह z=ज c=क q=क x=क्स"
)
_SIGNS = "aa=ा ee=ी oo=ू ai=ै au=ौ ei=े ou=ौ a= i=ि u=ु e=े o=ो"
_FIRST = "aa=आ ee=ई oo=ऊ ai=ऐ au=औ ei=ए ou=औ a=अ i=इ u=उ e=ए o=ओ"
_LAST = "a=ा i=ी u=ू"
_HINDI = (
    "hai=है h=है hain=हैं hu=हूं hoon=हूं hun=हूं ho=हो mein=में me=में main=मैं mai=मैं nahi=नहीं "
    "nhi=नहीं nai=नहीं nahin=नहीं na=ना ka=का ki=की ke=के ko=को se=से pe=पे par=पर ne=ने raha=रहा "
    "rha=रहा rahi=रही rhi=रही rahe=रहे rhe=रहे kya=क्या wo=वो woh=वो ye=ये yeh=ये aur=और kar=कर kr=कर "
    "gaya=गया gya=गया gayi=गई gaye=गए diya=दिया liya=लिया bahar=बाहर andar=अंदर kaam=काम kam=काम ghar=घर "
    "paise=पैसे paisa=पैसा mujhe=मुझे hame=हमें hum=हम mera=मेरा meri=मेरी mere=मेरे uske=उसके uska=उसका "
    "usko=उसको usne=उसने unko=उनको abhi=अभी aaj=आज kal=कल raat=रात din=दिन log=लोग logo=लोगों mar=मार "
    "maar=मार bol=बोल bola=बोला tha=था thi=थी the=थे to=तो bhi=भी hi=ही band=बंद aadmi=आदमी malik=मालिक "
    "maalik=मालिक malkin=मालकिन ladki=लड़की ladka=लड़का ladke=लड़के ladkiya=लड़कियां bada=बड़ा "
    "khada=खड़ा khadi=खड़ी khade=खड़े pada=पड़ा padi=पड़ी pad=पड़ gaadi=गाड़ी gadi=गाड़ी chhod=छोड़ "
    "tod=तोड़ pakad=पकड़ khidki=खिड़की padosi=पड़ोसी padosan=पड़ोसन chaku=चाकू chaaku=चाकू katta=कट्टा "
    "bandook=बंदूक behen=बहन behan=बहन bhai=भाई maa=मां baap=बाप beti=बेटी beta=बेटा bacha=बच्चा "
    "bachcha=बच्चा bache=बच्चे bachche=बच्चे darwaza=दरवाजा tala=ताला pata=पता jaan=जान khoon=खून "
    "madad=मदद bachao=बचाओ jaldi=जल्दी subah=सुबह shaam=शाम kamra=कमरा kamre=कमरे naukri=नौकरी "
    "salary=सैलरी phone=फोन police=पुलिस passport=पासपोर्ट doctor=डॉक्टर hotel=होटल factory=फैक्ट्री "
    "agent=एजेंट madam=मैडम aspatal=अस्पताल hospital=हॉस्पिटल ambulance=एंबुलेंस train=ट्रेन bus=बस "
    "truck=ट्रक gate=गेट visa=वीजा company=कंपनी school=स्कूल boss=बॉस ticket=टिकट photo=फोटो "
    "video=वीडियो plz=प्लीज pls=प्लीज please=प्लीज help=हेल्प koi=कोई kisi=किसी sab=सब bahut=बहुत"
)
"""Words whose letters the tables get wrong, and English ones that Hindi has taken in."""

HINDI = Abugida(
    consonants=table(_DEVANAGARI), signs=table(_SIGNS), first=table(_FIRST), last=table(_LAST), bare="्", nasal="ं",
    words=table(_HINDI),
)  # fmt: skip
NEPALI = Abugida(
    consonants=table(_DEVANAGARI), signs=table(_SIGNS), first=table(_FIRST), last=table(_LAST), bare="्", nasal="न्",
    words=table(
        "cha=छ chha=छ chhan=छन् chan=छन् ma=म malai=मलाई mero=मेरो hamro=हाम्रो hami=हामी le=ले lai=लाई "
        "bata=बाट ko=को ka=का ki=की ra=र u=ऊ usle=उसले aayo=आयो garyo=गर्यो garne=गर्ने gareko=गरेको "
        "huncha=हुन्छ chaina=छैन hoina=होइन ghar=घर kaam=काम kam=काम paisa=पैसा talab=तलब malik=मालिक "
        "aja=आज aaja=आज bholi=भोलि rati=राति police=प्रहरी passport=राहदानी phone=फोन madat=मद्दत "
        "bachau=बचाउ dhoka=ढोका kotha=कोठा keti=केटी didi=दिदी bhai=भाइ bahini=बहिनी agent=एजेन्ट"
    ),
)  # fmt: skip
PUNJABI = Abugida(
    consonants=table(
        "chh=ਛ kh=ਖ gh=ਘ ch=ਚ jh=ਝ th=ਥ dh=ਧ ph=ਫ bh=ਭ sh=ਸ਼ k=ਕ g=ਗ j=ਜ t=ਤ d=ਦ n=ਨ p=ਪ f=ਫ਼ b=ਬ m=ਮ "
        "y=ਯ r=ਰ l=ਲ v=ਵ w=ਵ s=ਸ h=ਹ z=ਜ਼ c=ਕ q=ਕ x=ਕਸ"
    ),
    signs=table("aa=ਾ ee=ੀ oo=ੂ ai=ੈ au=ੌ ei=ੇ ou=ੌ a= i=ਿ u=ੁ e=ੇ o=ੋ"),
    first=table("aa=ਆ ee=ਈ oo=ਊ ai=ਐ au=ਔ ei=ਏ ou=ਔ a=ਅ i=ਇ u=ਉ e=ਏ o=ਓ"),
    last=table("a=ਾ i=ੀ u=ੂ"),
    bare="੍",
    nasal="ੰ",
    words=table(
        "hai=ਹੈ aa=ਆ ne=ਨੇ nu=ਨੂੰ nun=ਨੂੰ da=ਦਾ di=ਦੀ de=ਦੇ te=ਤੇ ton=ਤੋਂ vich=ਵਿੱਚ ch=ਚ main=ਮੈਂ "
        "mai=ਮੈਂ mainu=ਮੈਨੂੰ sanu=ਸਾਨੂੰ asi=ਅਸੀਂ oh=ਉਹ ohna=ਉਹਨਾਂ ohde=ਉਹਦੇ ajj=ਅੱਜ raat=ਰਾਤ ghar=ਘਰ "
        "malik=ਮਾਲਕ paise=ਪੈਸੇ kamm=ਕੰਮ nahi=ਨਹੀਂ nai=ਨਹੀਂ police=ਪੁਲਿਸ passport=ਪਾਸਪੋਰਟ phone=ਫੋਨ "
        "kamre=ਕਮਰੇ gate=ਗੇਟ"
    ),
)
BENGALI = Abugida(
    consonants=table(
        "chh=ছ kh=খ gh=ঘ ch=চ jh=ঝ th=থ dh=ধ ph=ফ bh=ভ sh=শ ng=ং k=ক g=গ j=জ t=ত d=দ n=ন p=প f=ফ b=ব m=ম "
        "y=য় r=র l=ল v=ভ w=ও s=স h=হ z=জ c=ক q=ক x=ক্স"
    ),
    signs=table("aa=া ee=ী oo=ু ai=াই au=ৌ oi=ৈ ou=ৌ a=া i=ি u=ু e=ে o="),
    first=table("aa=আ ee=ঈ oo=উ ai=আই au=ঔ oi=ঐ ou=ঔ a=আ i=ই u=উ e=এ o=অ"),
    bare="্",
    nasal="ন্",
    words=table(
        "ami=আমি amake=আমাকে amar=আমার amra=আমরা amader=আমাদের tar=তার se=সে o=ও ora=ওরা oder=ওদের ki=কি "
        "na=না nai=নাই nei=নেই ghor=ঘর ghore=ঘরে kaj=কাজ taka=টাকা malik=মালিক aj=আজ ajke=আজকে rat=রাত "
        "rate=রাতে raat=রাত ekhon=এখন phone=ফোন police=পুলিশ passport=পাসপোর্ট dorja=দরজা bondho=বন্ধ "
        "tala=তালা meye=মেয়ে chele=ছেলে theke=থেকে kore=করে korte=করতে bolse=বলছে boleche=বলেছে "
        "mere=মেরে marche=মারছে martese=মারতেছে dalal=দালাল bhai=ভাই keu=কেউ"
    ),
)
TAMIL = Abugida(
    consonants=table(
        "nth=ந்த ng=ங்க zh=ழ th=த dh=த ch=ச sh=ஷ tt=ட்ட k=க g=க c=க q=க s=ச j=ஜ z=ஜ t=ட d=ட n=ன p=ப b=ப "
        "f=ப m=ம y=ய r=ர l=ல v=வ w=வ h=ஹ x=க்ஸ"
    ),
    signs=table("aa=ா ee=ீ ii=ீ oo=ூ uu=ூ ai=ை au=ௌ a= i=ி u=ு e=ே o=ோ"),
    first=table("aa=ஆ ee=ஈ ii=ஈ oo=ஊ uu=ஊ ai=ஐ au=ஔ a=அ i=இ u=உ e=எ o=ஒ"),
    bare="்",
    always=True,
    words=table(
        "naan=நான் nan=நான் en=என் enna=என்ன ennai=என்னை enaku=எனக்கு avan=அவன் ava=அவ avanga=அவங்க "
        "inga=இங்க anga=அங்க la=ல nu=னு illa=இல்ல iruku=இருக்கு irukku=இருக்கு irukken=இருக்கேன் "
        "veedu=வீடு velai=வேலை panam=பணம் ippo=இப்போ innaiku=இன்னைக்கு night=நைட் police=போலீஸ் "
        "passport=பாஸ்போர்ட் phone=போன் kathava=கதவ kathavu=கதவு pls=ப்ளீஸ் help=ஹெல்ப் car=கார் "
        "owner=ஓனர்"
    ),
)
SINHALA = Abugida(
    consonants=table(
        "sh=ශ th=ත dh=ද ch=ච gn=ඤ k=ක g=ග c=ක q=ක j=ජ t=ට d=ද n=න p=ප b=බ f=ෆ m=ම y=ය r=ර l=ල v=ව w=ව s=ස h=හ z=ස x=ක්ස"
    ),
    signs=table("aa=ා ae=ැ ee=ී ii=ී oo=ූ uu=ූ ai=ෛ au=ෞ a= i=ි u=ු e=ෙ o=ො"),
    first=table("aa=ආ ae=ඇ ee=ඊ ii=ඊ oo=ඌ uu=ඌ ai=ඓ au=ඖ a=අ i=ඉ u=උ e=එ o=ඔ"),
    bare="්",
    always=True,
    words=table(
        "mama=මම mata=මට mage=මගේ eya=එයා eyage=එයාගේ api=අපි apita=අපිට dan=දැන් dn=දැන් eka=එක eke=එකේ "
        "na=නෑ naha=නැහැ ne=නේ ada=අද gedara=ගෙදර wada=වැඩ salli=සල්ලි dora=දොර police=පොලිස් "
        "passport=පාස්පෝට් phone=ෆෝන් help=හෙල්ප් mudalali=මුදලාලි van=වෑන් gate=ගේට්"
    ),
)

ARABIC = table(
    "tch=تش kh=خ gh=غ sh=ش ch=ش th=ث dh=ذ ou=و oo=و ee=ي ii=ي aa=ا ei=ي ai=ي ay=ي 2=ء 3'=غ 3=ع 4=غ 5=خ "
    "6=ط 7'=خ 7=ح 8=غ 9=ق b=ب t=ت g=ج j=ج d=د r=ر z=ز s=س f=ف q=ق k=ك c=ك l=ل m=م n=ن h=ه w=و y=ي p=ب "
    "v=ف x=كس u=و"
)
ARABIC_FIRST = table("a=ا e=ا i=ا o=ا u=ا ou=او oo=او ei=اي ai=اي ee=اي")
ARABIC_LAST = table("a=ه e=ه i=ي o=و")
ARABIC_ARTICLES = frozenset(("el", "al", "il", "l"))

PERSIAN = table(
    "kh=خ gh=ق ch=چ sh=ش zh=ژ oo=و ou=و ow=و ee=ی ii=ی aa=ا ei=ی ey=ی ay=ای ai=ای b=ب p=پ t=ت s=س j=ج "
    "d=د z=ز r=ر f=ف q=ق k=ک g=گ l=ل m=م n=ن v=و w=و h=ه y=ی i=ی u=و c=ک x=کس"
)
PERSIAN_FIRST = table("a=ا e=ا i=ای o=ا u=او oo=او ee=ای aa=آ")
PERSIAN_LAST = table("a=ا e=ه i=ی o=و")
PERSIAN_WORDS = table(
    "man=من mano=منو ma=ما to=تو shoma=شما ro=رو ra=را az=از be=به ba=با ke=که ki=کی ye=یه yeki=یکی "
    "in=این un=اون oon=اون mara=مرا dar=در daro=درو nist=نیست hast=هست ast=است alan=الان emshab=امشب "
    "shab=شب farda=فردا komak=کمک polis=پلیس police=پلیس kar=کار pul=پول pool=پول bache=بچه khoone=خونه "
    "khune=خونه otagh=اتاق marde=مرده mard=مرد zan=زن dokhtar=دختر baradar=برادر passport=پاسپورت "
    "gushi=گوشی goshi=گوشی mashin=ماشین biroon=بیرون birun=بیرون"
)
PASHTO_WORDS = table(
    "da=د de=دي di=دي dai=دی pa=په ta=ته ma=ما za=زه zama=زما mung=موږ munga=مونږ sok=څوک che=چې ke=کې "
    "kor=کور na=نه nan=نن shpa=شپه os=اوس kar=کار paise=پیسې police=پولیس passport=پاسپورټ malik=مالک "
    "topak=ټوپک wai=وایی wayi=وایی ye=یې aw=او war=ور warwaza=دروازه darwaza=دروازه mobile=موبایل "
    "phone=فون mrasta=مرسته"
)

_CYRILLIC = "a=а b=б v=в w=в d=д z=з k=к l=л m=м n=н o=о p=п r=р s=с t=т u=у f=ф kh=х ch=ч sh=ш zh=ж x=х"
RUSSIAN = table(
    f"{_CYRILLIC} shch=щ sch=щ ts=ц yu=ю ju=ю ya=я ja=я yo=ё jo=ё ye=е yj=ый iy=ий ij=ий yy=ый ay=ай "
    "oy=ой ey=ей uy=уй aj=ай oj=ой ej=ей uj=уй g=г e=е i=и j=й y=ы h=х c=ц '=ь q=я"
)
UKRAINIAN = table(
    f"{_CYRILLIC} shch=щ sch=щ ts=ц c=ц yu=ю iu=ю ju=ю ya=я ia=я ja=я ye=є ie=є je=є yi=ї ji=ї yj=ий "
    "yy=ий ij=ій iy=ій ay=ай oy=ой ey=ей aj=ай oj=ой ej=ей g=г h=г e=е i=і j=й y=и '=ь"
)
BULGARIAN = table(
    f"{_CYRILLIC} sht=щ ts=ц c=ц yu=ю iu=ю ya=я ia=я q=я 4=ч 6=ш g=г h=х e=е i=и j=ж y=ъ ay=ай oy=ой ey=ей iy=ий"
)
MONGOLIAN = table(
    f"{_CYRILLIC} ts=ц c=ц yu=ю ya=я yo=ё ye=е ii=ий ai=ай oi=ой ui=уй ei=эй uu=уу g=г h=х e=э i=и j=ж y=ы"
)
MONGOLIAN_FRONT = MappingProxyType({"у": "ү"})
"""In words with front vowels only."""

ETHIOPIC_ROWS = MappingProxyType({
    "h": 0x1200, "l": 0x1208, "m": 0x1218, "r": 0x1228, "s": 0x1230, "sh": 0x1238, "q": 0x1240,
    "b": 0x1260, "v": 0x1268, "t": 0x1270, "ch": 0x1278, "n": 0x1290, "gn": 0x1298, "ny": 0x1298,
    "k": 0x12A8, "kh": 0x12B8, "w": 0x12C8, "z": 0x12D8, "zh": 0x12E0, "y": 0x12E8, "d": 0x12F0,
    "j": 0x1300, "g": 0x1308, "ts": 0x1338, "f": 0x1348, "p": 0x1350, "x": 0x1328, "c": 0x12A8,
})  # fmt: skip
"""Where the row of a consonant begins; a vowel adds its place in it."""
ETHIOPIC_ORDERS = MappingProxyType({"e": 0, "u": 1, "i": 2, "a": 3, "ie": 4, "": 5, "o": 6})
ETHIOPIC_FIRST = table("a=አ u=ኡ i=ኢ e=እ o=ኦ ie=ኤ")
