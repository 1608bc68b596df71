"""The languages that are understood, by their English names; a line may speak only some of them. A table, no code.

Staff read these names beside a report, and a page says one when the line has no phrases in that language.
"""

from collections.abc import Mapping
from types import MappingProxyType

NAMES: Mapping[str, str] = MappingProxyType({
    "am": "Amharic", "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "en": "English", "es": "Spanish",
    "fa": "Persian", "fr": "French", "ha": "Hausa", "hi": "Hindi", "ht": "Haitian Creole", "hu": "Hungarian",
    "id": "Indonesian", "km": "Khmer", "ko": "Korean", "ku": "Kurdish", "lo": "Lao", "mn": "Mongolian",
    "my": "Burmese", "ne": "Nepali", "pa": "Punjabi", "pl": "Polish", "ps": "Pashto", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "si": "Sinhala", "so": "Somali", "sq": "Albanian", "sw": "Swahili",
    "ta": "Tamil", "th": "Thai", "ti": "Tigrinya", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian",
    "ur": "Urdu", "vi": "Vietnamese", "yo": "Yoruba", "zh": "Chinese",
})  # fmt: skip
