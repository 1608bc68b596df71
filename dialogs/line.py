"""What a conversation may know of the line it belongs to, and of the channel this turn came by. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dialogs.conversation import Conversation, Mode
from dialogs.lexicon import SILENT, Lexicon

CHANNELS = ("sms", "voice", "telegram")
_VOICE_MENU = 4  # more than four choices cannot be remembered by ear


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """One line, as the engine sees it.

    `cover` is what discreet phrases call the line, `emergency_number` the number of the country; `lexicon` the words
    that people use instead of keys.
    """

    name: str
    cover: str
    emergency_number: str
    languages: tuple[str, ...]
    default_language: str
    mode: Mode = Mode.PLAIN
    channel: str = "sms"
    lexicon: Lexicon = field(default=SILENT, repr=False)

    @property
    def values(self) -> Mapping[str, str]:
        """What fills the placeholders that every phrase may use."""
        return {"line": self.name, "cover": self.cover, "emergency": self.emergency_number}

    def on(self, channel: str) -> "LineFacts":
        """The same line, on another channel."""
        return replace(self, channel=channel)

    def language_of(self, conversation: Conversation) -> str:
        """The language to speak in: the person's, or the line's own while theirs is unknown."""
        return conversation.language or self.default_language

    def menu(self, free_keys: int) -> int:
        """How many choices one menu may have on this channel."""
        return min(free_keys, _VOICE_MENU) if self.channel == "voice" else free_keys
