"""What is noted about every arrival before anything is decided: the hour, the language, and whether they were away."""

from datetime import UTC, datetime, timedelta

from dialogs.conversation import Conversation, Phase
from dialogs.events import CodeChecked, Event, HungUp, Joined, Left, Said, Shared, Silent, Started
from dialogs.flow import Flow
from dialogs.lexicon import weight
from dialogs.line import LineFacts
from dialogs.neighbours import likely
from understanding.meaning import Meaning

_LANGUAGE_SURE = 0.9  # below it we ask, and never guess: romanised text defeats every identifier we measured
_LANGUAGE_LIKELY = 0.5  # below it nothing is noted: staff would look for the wrong interpreter
_LANGUAGE_CHANGE = 20  # letters in another language that change a language which was only recognised
_HOUR = "%Y-%m-%dT%H"


def note(conversation: Conversation, event: Event, meaning: Meaning, now: datetime, line: LineFacts) -> Conversation:
    """Take note of the hour and, from words, of the language, unless the person has chosen one."""
    if isinstance(event, Silent | HungUp | CodeChecked | Joined | Left):
        return conversation
    mode = line.mode if conversation.phase is Phase.NEW else conversation.mode
    conversation = conversation.but(heard=now.astimezone(UTC).strftime(_HOUR), silences=0, mode=mode)
    if isinstance(event, Started):  # another call, perhaps by somebody else
        conversation = conversation.but(again="", slow=False)
    text = event.text if isinstance(event, Said) else event.caption if isinstance(event, Shared) else ""
    if text and meaning.candidates:
        conversation = _guessed(conversation, text, meaning, line)
    known = meaning.language in line.languages and meaning.language_confidence >= _LANGUAGE_SURE
    if conversation.language_chosen or not text or not known:
        return conversation
    if conversation.language and weight(text) < _LANGUAGE_CHANGE:
        return conversation
    return conversation.but(language=meaning.language)


def _guessed(conversation: Conversation, text: str, meaning: Meaning, line: LineFacts) -> Conversation:
    """Note what the words are probably in, and in which of the line's languages the person can best be asked."""
    candidates = dict.fromkeys((*filter(None, (meaning.language,)), *meaning.candidates))
    conversation = conversation.but(likely=likely(candidates, line.languages))
    if meaning.language is None or meaning.language_confidence < _LANGUAGE_LIKELY:
        return conversation
    if conversation.tongue and weight(text) < _LANGUAGE_CHANGE:
        return conversation
    return conversation.but(tongue=meaning.language)


def is_away(flow: Flow, conversation: Conversation, now: datetime) -> bool:
    """The person was away so long that it may be unsafe again, or somebody else may hold the phone."""
    if conversation.phase in {Phase.PARKED, Phase.RESTED}:
        return True
    if conversation.phase is Phase.NEW or not conversation.heard:
        return False
    heard = datetime.strptime(conversation.heard, _HOUR).replace(tzinfo=UTC)
    return now - heard >= timedelta(hours=flow.main.away_hours + 1)  # heard is rounded down to the hour
