"""From what the engine wants said to an Answer: phrases in the person's language and mode, joined for the channel.

Nothing is decided here, and nothing is stored or sent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from channels.messages import Answer, ChannelName, Choice, Expect
from dialogs.conversation import Conversation
from dialogs.events import Ask, Effect, GiveCode, Option, ReadAnswers, Say
from dialogs.line import LineFacts
from dialogs.phrases import Phrases
from vault.codes import grouped


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

    @property
    def language(self) -> str:
        """The language to speak in."""
        return self.line.language_of(self.conversation)

    def answer(self, effects: Iterable[Effect]) -> Answer | None:
        """What is said, or None when nothing is."""
        effects = tuple(effects)
        parts = [part for effect in effects for part in self._parts(effect)]
        question = next((effect for effect in effects if isinstance(effect, Ask)), None)
        if not parts:
            return None
        return Answer(
            text=("  " if self._spoken else "\n").join(parts),
            language=self.language,
            choices=tuple(self._choice(option) for option in question.options) if question else (),
            expect=(Expect.CODE if question.code else Expect.ANYTHING) if question else Expect.NOTHING,
        )

    def say(self, phrase: str, **values: str) -> str:
        """One phrase."""
        return self._say_in(self.language, phrase, **values)

    def _say_in(self, language: str, phrase: str, **values: str) -> str:
        return self.phrases.text(phrase, language, self.conversation.mode, {**self.line.values, **values})

    @property
    def _spoken(self) -> bool:
        return self.channel is ChannelName.VOICE

    def _parts(self, effect: Effect) -> Iterable[str]:
        match effect:
            case Say(phrase=phrase, values=values):
                yield self.say(phrase, **values)
            case Ask(phrase=phrase, also=also, values=values, options=options, code=code):
                yield self.say(phrase, **values)
                for tag in also:
                    yield self._say_in(tag, phrase, **values)
                if self._spoken and code:
                    yield self.say("voice.digits")
                elif self._spoken and not options:
                    yield self.say("voice.speak")
            case GiveCode(phrase=phrase):
                yield self.say(phrase, code=slowly(self.code) if self._spoken else grouped(self.code))
            case ReadAnswers():
                for answer in self.waiting:
                    yield self.say("staff.answer", text=answer)

    def _choice(self, option: Option) -> Choice:
        label = self.say(option.label)
        tag = option.label.removeprefix("language:") if option.label.startswith("language:") else ""
        # by ear the name of a language is offered in that language
        spoken = self._say_in(tag or self.language, "voice.press", label=label, key=option.key) if self._spoken else ""
        return Choice(id=option.id, key=option.key, label=label, spoken=spoken, language=tag)


def slowly(code: str) -> str:
    """Digits for the ear: a pause after each, a longer one after every group."""
    return ". ".join(", ".join(group) for group in grouped(code).split(" "))
