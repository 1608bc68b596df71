"""Which of Twilio's voices speaks a language, and what its speech recognition calls that language. A table.

Twilio changes its voices now and then; the console's text-to-speech page is the authority. Only voices that Twilio has
offered unchanged for years are named here, mostly Polly's standard ones.
https://www.twilio.com/docs/voice/twiml/say/text-speech and https://www.twilio.com/docs/voice/twiml/gather
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """How Twilio says and hears one language. `hears` is "" where it offers no speech recognition: keypad only."""

    says: str  # <Say language>
    voice: str  # <Say voice>
    hears: str  # <Gather language>


def _speaker(says: str, voice: str, hears: str | None = None) -> Speaker:
    return Speaker(says=says, voice=voice, hears=says if hears is None else hears)


SPEAKERS: dict[str, Speaker] = {
    "ar": _speaker("arb", "Polly.Zeina", "ar-EG"),
    "bg": _speaker("bg-BG", "Google.bg-BG-Standard-A"),
    "bn": _speaker("bn-IN", "Google.bn-IN-Wavenet-C"),
    "ca": _speaker("ca-ES", "Polly.Arlet-Neural"),
    "cs": _speaker("cs-CZ", "Google.cs-CZ-Standard-A"),
    "da": _speaker("da-DK", "Polly.Naja"),
    "de": _speaker("de-DE", "Polly.Vicki"),
    "el": _speaker("el-GR", "Google.el-GR-Standard-A"),
    "en": _speaker("en-US", "Polly.Joanna"),
    "en-GB": _speaker("en-GB", "Polly.Amy"),
    "en-IN": _speaker("en-IN", "Polly.Raveena"),
    "es": _speaker("es-US", "Polly.Lupe"),
    "es-ES": _speaker("es-ES", "Polly.Lucia"),
    "es-MX": _speaker("es-MX", "Polly.Mia"),
    "fi": _speaker("fi-FI", "Polly.Suvi-Neural"),
    "fr": _speaker("fr-FR", "Polly.Lea"),
    "fr-CA": _speaker("fr-CA", "Polly.Chantal"),
    "gu": _speaker("gu-IN", "Google.gu-IN-Wavenet-C"),
    "he": _speaker("he-IL", "Google.he-IL-Standard-A"),
    "hi": _speaker("hi-IN", "Polly.Aditi"),
    "hu": _speaker("hu-HU", "Google.hu-HU-Standard-A"),
    "id": _speaker("id-ID", "Google.id-ID-Standard-A"),
    "is": _speaker("is-IS", "Polly.Dora"),
    "it": _speaker("it-IT", "Polly.Bianca"),
    "ja": _speaker("ja-JP", "Polly.Mizuki"),
    "kn": _speaker("kn-IN", "Google.kn-IN-Wavenet-C"),
    "ko": _speaker("ko-KR", "Polly.Seoyeon"),
    "lt": _speaker("lt-LT", "Google.lt-LT-Standard-A"),
    "lv": _speaker("lv-LV", "Google.lv-LV-Standard-A"),
    "ml": _speaker("ml-IN", "Google.ml-IN-Wavenet-C"),
    "mr": _speaker("mr-IN", "Google.mr-IN-Standard-A"),
    "ms": _speaker("ms-MY", "Google.ms-MY-Standard-A"),
    "nb": _speaker("nb-NO", "Polly.Liv"),
    "nl": _speaker("nl-NL", "Polly.Lotte"),
    "pa": _speaker("pa-IN", "Google.pa-IN-Standard-A", "pa-Guru-IN"),
    "pl": _speaker("pl-PL", "Polly.Ewa"),
    "pt": _speaker("pt-BR", "Polly.Camila"),
    "pt-PT": _speaker("pt-PT", "Polly.Ines"),
    "ro": _speaker("ro-RO", "Polly.Carmen"),
    "ru": _speaker("ru-RU", "Polly.Tatyana"),
    "sk": _speaker("sk-SK", "Google.sk-SK-Standard-A"),
    "sr": _speaker("sr-RS", "Google.sr-RS-Standard-A"),
    "sv": _speaker("sv-SE", "Polly.Astrid"),
    "ta": _speaker("ta-IN", "Google.ta-IN-Standard-C"),
    "te": _speaker("te-IN", "Google.te-IN-Standard-A"),
    "th": _speaker("th-TH", "Google.th-TH-Standard-A"),
    "tl": _speaker("fil-PH", "Google.fil-PH-Standard-A"),
    "tr": _speaker("tr-TR", "Polly.Filiz"),
    "uk": _speaker("uk-UA", "Google.uk-UA-Standard-A"),
    "vi": _speaker("vi-VN", "Google.vi-VN-Standard-A"),
    "yue": _speaker("yue-HK", "Google.yue-HK-Standard-A", "yue-Hant-HK"),
    "zh": _speaker("cmn-CN", "Polly.Zhiyu", "cmn-Hans-CN"),
    "zh-TW": _speaker("cmn-TW", "Google.cmn-TW-Standard-A", "cmn-Hant-TW"),
    # No voice of its own, read by the nearest one that reads its script aloud so that its speakers follow it.
    "fil": _speaker("fil-PH", "Google.fil-PH-Standard-A"),
    "ht": _speaker("fr-FR", "Polly.Lea", ""),
    "ne": _speaker("hi-IN", "Polly.Aditi", "ne-NP"),
    "no": _speaker("nb-NO", "Polly.Liv"),
}

# For every other language (fa, ps, ur, si, km, lo, my, mn, sq, ku, am, ti, so, sw, ha, yo ...) Twilio has no voice that
# a speaker would understand. English reads it, by keypad only, and the answer is counted as "no_voice", so that the
# operator sees it. Ask `speaker_of` before offering a language on the phone.
LAST_RESORT = _speaker("en-US", "Polly.Joanna", "")


def speaker_of(tag: str) -> Speaker | None:
    """The voice for a BCP-47 tag, e.g. "pt-PT", else for its language, "pt"; None when Twilio cannot speak it."""
    return SPEAKERS.get(tag) or SPEAKERS.get(tag.partition("-")[0].lower())
