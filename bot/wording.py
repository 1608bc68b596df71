"""From what the engine wants said to an Answer: phrases in the person's language and mode, joined for the channel.

Nothing is decided here, and nothing is stored or sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from bot.recordings import Recordings
from channels.messages import Answer, ChannelName, Choice, Expect, Utterance
from dialogs.aloud import name_of, pieces
from dialogs.conversation import Conversation
from dialogs.events import Ask, Effect, GiveCode, Option, ReadAnswers, Say
from dialogs.line import LineFacts
from dialogs.phrases import Phrases
from vault.codes import grouped

NOTHING_RECORDED: Final = Recordings()
PATIENCE: Final = (10, 20, 40)  # seconds of silence on a call, once they were silent, and twice: then they are let go


_Line = tuple[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How one turn's effects are put into words. `code` is the return code that GiveCode says, `waiting` the answers
    that ReadAnswers says."""

    phrases: Phrases
    line: LineFacts
    conversation: Conversation
    channel: ChannelName
    code: str = ""
    waiting: Sequence[str] = ()
    recordings: Recordings = field(default=NOTHING_RECORDED, repr=False)

    @property
    def language(self) -> str:
        """The language to speak in."""
        return self.line.language_of(self.conversation)

    def answer(self, effects: Iterable[Effect], *, offers: bool = True) -> Answer | None:
        """What is said, or None when nothing is. Without `offers` no choice is named."""
        effects = tuple(effects)
        lines = [line for effect in effects for line in self._lines(effect)]
        question = next((effect for effect in effects if isinstance(effect, Ask)), None)
        options = question.options if question and offers else ()
        if not lines:
            return None
        said = [self.say(phrase, **values) for phrase, values in lines]
        return Answer(
            text=("  " if self._spoken else "\n").join([*said, *self._also(question)]),
            language=self.language,
            choices=tuple(self._choice(option) for option in options),
            aloud=tuple(self._aloud(lines, options)) if self._spoken else (),
            expect=(Expect.CODE if question.code else Expect.ANYTHING) if question else Expect.NOTHING,
            slow=self.conversation.slow and self._spoken,
            patience=PATIENCE[min(self.conversation.silences, len(PATIENCE) - 1)] if self._spoken else 0,
        )

    def _also(self, question: Ask | None) -> Iterable[str]:
        """A question in further languages, while nobody knows which one the person reads."""
        if question is None:
            return
        for tag in question.also:
            values = {**self.line.values, **question.values}
            yield self.phrases.text(question.phrase, tag, self.conversation.mode, values)

    def say(self, phrase: str, **values: str) -> str:
        """One phrase."""
        return self.phrases.text(phrase, self.language, self.conversation.mode, {**self.line.values, **values})

    @property
    def _spoken(self) -> bool:
        return self.channel is ChannelName.VOICE

    def _lines(self, effect: Effect) -> Iterable[_Line]:
        """Phrases, each with what fills it."""
        match effect:
            case Say(phrase=phrase, values=values):
                yield phrase, values
            case Ask(phrase=phrase, values=values, lists=lists, options=options, code=code):
                yield phrase, {**values, **{name: self._listed(keys) for name, keys in lists.items()}}
                if self._spoken and code:
                    yield "voice.digits", {}
                elif self._spoken and not options:
                    yield "voice.speak", {}
            case GiveCode(phrase=phrase):
                yield phrase, {"code": slowly(self.code) if self._spoken else grouped(self.code)}
            case ReadAnswers():
                for answer in self.waiting:
                    yield "staff.answer", {"text": answer}

    def _listed(self, phrases: Sequence[str]) -> str:
        """Several phrases, one after the other."""
        return self.say("heard.comma").join(map(self.say, phrases))

    def _choice(self, option: Option) -> Choice:
        label = self.say(option.label)
        tag = _tongue(option)
        spoken = self._say_in(tag or self.language, label, option.key) if self._spoken else ""
        return Choice(id=option.id, key=option.key, label=label, spoken=spoken, language=tag)

    def _say_in(self, language: str, label: str, key: str) -> str:
        """How a choice is offered by ear: the name of a language in that language."""
        return self.phrases.text("voice.press", language, self.conversation.mode, {"label": label, "key": key})

    # By recordings ---------------------------------------------------------------------------------------

    def _aloud(self, lines: Sequence[_Line], options: Sequence[Option]) -> Iterable[Utterance]:
        """All of it for the ear, where one of its languages is played from recordings."""
        tags = {self.language, *(_tongue(option) for option in options)}
        if not tags & self.recordings.tags:
            return
        for phrase, values in lines:
            yield from self._utter(phrase, self.language, values)
        for option in options:
            tag = _tongue(option) or self.language
            name = name_of(self.phrases, option.label, tag, self.conversation.mode)
            yield from self._utter(
                "voice.press", tag, {"label": self.say(option.label), "key": option.key}, {"label": name}
            )

    def _utter(
        self, phrase: str, tag: str, values: Mapping[str, str], recorded: Mapping[str, str] = MappingProxyType({})
    ) -> Iterable[Utterance]:
        """A phrase from its recordings; what has none, such as a member's words, is read."""
        mode, filled = self.conversation.mode, {**self.line.values, **values}
        if tag not in self.recordings.tags:
            yield Utterance(text=self.phrases.text(phrase, tag, mode, filled), language=tag)
            return
        for piece in pieces(self.phrases, phrase, tag, mode, filled, recorded):
            address = self.recordings.address(tag, piece.name) if piece.name else ""
            yield Utterance(text=piece.words, language=tag, recording=address)


def _tongue(option: Option) -> str:
    """The language whose name this choice is; "" for any other choice."""
    return option.label.removeprefix("language:") if option.label.startswith("language:") else ""


def slowly(code: str) -> str:
    """Digits for the ear: a pause after each, a longer one after every group."""
    return ". ".join(", ".join(group) for group in grouped(code).split(" "))
