"""What a person meant by what they did, as far as keys, words of the lexicon and digits tell.

Decides nothing about what happens next; that is engine.py. The order here is the order of interpretation:
keys that work everywhere, the choices of the step, names of languages, codes; what is left are words.
"""

import re
from dataclasses import dataclass, field

from dialogs.conversation import Conversation, Phase
from dialogs.flow import Choice, Flow, GlobalKey, Kind, Step
from dialogs.lexicon import normal, weight
from dialogs.line import LineFacts
from understanding.meaning import Cue, Intent, Meaning

MORE = "more"
_ALL_KEYS = "123456789"
_CODE_DIGITS = 16  # a return code, at any step; a phone number has at most 15
_ENTERED_DIGITS = 2  # where a code is asked for, so many are an attempt; one digit is a key
_SURE = 0.8  # an intent at least this sure may change the course
_STORY_WEIGHT = 60  # letters: a message this long has told what it is about
_SMALL_TALK = frozenset({Intent.GREETING, Intent.THANKS})


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key that works at every step. `slowly`: the same again was asked for in words that say how."""

    key: GlobalKey
    slowly: bool = False


@dataclass(frozen=True, slots=True)
class Picked:
    """A choice of a step, perhaps of an earlier one."""

    step: str
    choice: Choice


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language, by its name or its place in the menu; "more" turns the page."""

    tag: str


@dataclass(frozen=True, slots=True)
class Digits:
    """A return code, or the end of one."""

    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stray:
    """Nothing that we can use and nothing worth keeping: a key without a meaning here, or no letter at all."""


@dataclass(frozen=True, slots=True)
class Words:
    """Everything else: what the person has to say."""


Heard = Pressed | Picked | Tongue | Digits | Stray | Words


def hear(text: str, flow: Flow, conversation: Conversation, line: LineFacts) -> Heard:
    """Read typed, keyed or spoken text."""
    word = normal(text)
    asking = conversation.phase in {Phase.ASKING, Phase.RESTED}
    step = flow.steps.get(conversation.step) if asking else None
    if not word and not text.strip():
        return Stray()
    for key in flow.main.keys:
        if word == key.key:
            return Pressed(key)
    return (
        (step and _choice_by_key(word, step, flow, conversation, line))
        or _by_word(word, step, flow, conversation, line)
        or _digits(word, step)
        or (Stray() if len(word) == 1 and word in "0123456789*" and not _open(step) else Words())
    )


def press(option: str, flow: Flow, line: LineFacts) -> Heard:
    """Read a button, "<step>:<choice>", of this step or of an earlier one."""
    name, _, picked = option.partition(":")
    step = flow.steps.get(name)
    key = next((key for key in flow.main.keys if key.id == picked), None)
    if step is None:
        return Stray()
    if step.kind is Kind.LANGUAGES and (picked in line.languages or picked == MORE):
        return Tongue(picked)
    choice = step.choice(picked)
    if choice is not None:
        return Picked(name, choice)
    return Pressed(key) if key else Stray()


def languages_on_page(flow: Flow, conversation: Conversation, line: LineFacts) -> tuple[tuple[str, str], ...]:
    """The language menu as (key, tag) pairs, the person's likeliest first; the tag "more" leads to the next page."""
    taken = {key.key for key in flow.main.keys}
    keys = [key for key in _ALL_KEYS if key not in taken]
    keys = keys[: line.menu(len(keys))]
    tags = tuple(dict.fromkeys((*(tag for tag in conversation.likely if tag in line.languages), *line.languages)))
    if len(tags) <= len(keys):
        return tuple(zip(keys, tags, strict=False))
    size = len(keys) - 1
    pages = -(-len(tags) // size)
    start = conversation.page % pages * size
    return tuple(zip(keys, (*tags[start : start + size], MORE), strict=False))


def is_small_talk(text: str, meaning: Meaning) -> bool:
    """A greeting, thanks, a picture of a face, or whoever asks what we keep: nothing that answers a question."""
    return _greets(text, meaning) or (Cue.WHAT_IS_KEPT in meaning.cues and not meaning.signals)


def is_story(text: str, meaning: Meaning) -> bool:
    """The message already tells what it is about."""
    return bool(meaning.signals) or (weight(text) >= _STORY_WEIGHT and not _greets(text, meaning))


def sure(meaning: Meaning) -> bool:
    """The intent is sure enough to act on."""
    return meaning.confidence >= _SURE


def _greets(text: str, meaning: Meaning) -> bool:
    return not normal(text) or (meaning.intent in _SMALL_TALK and sure(meaning) and not meaning.signals)


def _open(step: Step | None) -> bool:
    """A question without choices: even a single digit may be an answer, such as the number of a house."""
    return step is not None and step.kind is Kind.QUESTION and not step.choices


def _choice_by_key(word: str, step: Step, flow: Flow, conversation: Conversation, line: LineFacts) -> Heard | None:
    if step.kind is Kind.LANGUAGES:
        tag = dict(languages_on_page(flow, conversation, line)).get(word)
        return Tongue(tag) if tag else None
    choice = next((choice for choice in step.choices if choice.key == word), None)
    return Picked(conversation.step, choice) if choice else None


def _by_word(word: str, step: Step | None, flow: Flow, conversation: Conversation, line: LineFacts) -> Heard | None:
    """A label, a word for a choice or for a key, or a language's name; in the person's language first, then in any."""
    for languages in ((conversation.language,), line.languages):
        keys = line.lexicon.stands_for(word, languages)
        choices = [choice for choice in (step.choices if step else ()) if keys & {choice.label, choice.words}]
        if len(choices) == 1:
            return Picked(conversation.step, choices[0])
        pressed = [Pressed(key, slowly=key.slower in keys) for key in flow.main.keys if keys & {key.words, key.slower}]
        if len(pressed) == 1 and not choices:
            return pressed[0]
        tags = [tag for tag in line.languages if f"language:{tag}" in keys]
        if len(tags) == 1:
            return Tongue(tags[0])
    return None


def _digits(word: str, step: Step | None) -> Digits | None:
    digits = re.sub(r"[\s.\-–—/_]", "", word)
    if not digits.isdecimal():
        return None
    wanted = step is not None and step.kind in {Kind.CODE, Kind.ENDING}
    enough = len(digits) >= _ENTERED_DIGITS if wanted else len(digits) == _CODE_DIGITS
    return Digits(digits) if enough else None
