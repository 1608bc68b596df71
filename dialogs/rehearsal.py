"""Play a conversation without a telephone: scripted acts in, what is said and asked of the house out.

Used by `harborline rehearse` and by the golden stories. The vault and the reader of meanings are played by the script;
nothing here touches a clock, a model or a store.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import yaml
from pydantic import BaseModel, ConfigDict, Field

from dialogs.conversation import Conversation, Mode
from dialogs.engine import advance
from dialogs.events import (
    Ask,
    CheckWord,
    Chose,
    CodeChecked,
    Effect,
    Event,
    GiveCode,
    HungUp,
    KeepWord,
    OpenCode,
    ReadAnswers,
    Said,
    Say,
    Secret,
    Shared,
    Silent,
    Started,
    Withdraw,
    Withdrawn,
    WordChecked,
    WordKept,
)
from dialogs.flow import Flow
from dialogs.line import LineFacts
from dialogs.marked import load
from dialogs.phrases import Phrases
from understanding.meaning import Cue, Engine, Evidence, Fact, Intent, Meaning, Mention, Signal

FIRST_MOMENT = datetime(2026, 1, 15, 12, tzinfo=UTC)
SAMPLE_CODE = "1234 5678 9012 3456"
SAMPLE_ANSWER = "We have read what you told us."


class Act(BaseModel):
    """What the person does in one turn, and what the house makes of it. Exactly one of the first seven is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    says: str | None = None  # typed, keyed or spoken
    presses: str | None = None  # a button, "<step>:<choice>"
    shares: str | None = None  # a photo or voice note with this caption
    starts: bool = False  # the call is answered, or the chat opened
    silent: bool = False  # a voice prompt times out
    rests: bool = False  # the conversation falls silent for the line's idle time
    hangs_up: bool = False

    hours_later: int = 0  # since the turn before
    urgent: bool = False  # triage's verdict
    language: str | None = None  # recognised with confidence
    means: Intent = Intent.UNKNOWN
    signals: tuple[Signal, ...] = ()
    tells: Mapping[Fact, str] = Field(default_factory=dict)  # what the words tell of the facts that are asked for
    cues: tuple[Cue, ...] = ()
    code_found: bool = False  # the vault's answer to a code
    code_known_to_staff: bool = False
    answers_waiting: int = 0
    word: Secret | None = None  # which agreed word the vault takes it for
    word_kept: bool = True  # whether the vault takes it as a new one
    urgent_case: bool = False  # what is withdrawn shows danger, and nobody has dealt with it
    human: bool | None = None  # a staff member begins (true) or ceases (false) to write before this

    def event(self) -> Event:
        """The act as an event."""
        if self.says is not None:
            return Said(text=self.says)
        if self.presses is not None:
            return Chose(option=self.presses)
        if self.shares is not None:
            return Shared(caption=self.shares)
        if self.silent or self.rests:
            return Silent(idle=self.rests)
        return HungUp() if self.hangs_up else Started()

    def meaning(self) -> Meaning:
        """What an engine would have made of the words."""
        return Meaning(
            language=self.language,
            language_confidence=0.99 if self.language else 0.0,
            intent=self.means,
            confidence=0.95 if self.means is not Intent.UNKNOWN else 0.0,
            signals=tuple(Evidence(signal=signal, score=1.0) for signal in self.signals),
            engine=Engine.RULES,
            mentions=tuple(Mention(fact=fact, value=value) for fact, value in self.tells.items()),
            cues=frozenset(self.cues),
        )


class Beat(BaseModel):
    """One turn of a story: the act, what was asked of the house, and the words where they are recorded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: Act
    house: tuple[str, ...] = ()
    text: str = ""


class Story(BaseModel):
    """A recorded conversation: tests/stories/<flow>.<scenario>.<language>.<channel>.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    flow: str = "intake"
    language: str = "en"  # the line's own
    channel: str = "sms"
    mode: Mode = Mode.PLAIN
    turns: tuple[Beat, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A conversation in progress. `state` is plain JSON, as between any two real turns."""

    flow: Flow
    phrases: Phrases = field(repr=False)
    line: LineFacts
    state: str = ""
    now: datetime = FIRST_MOMENT

    @property
    def conversation(self) -> Conversation:
        """The conversation as it stands."""
        return Conversation.from_json(json.loads(self.state)) if self.state else Conversation()

    def hears(self, act: Act) -> tuple["Rehearsal", tuple[Effect, ...]]:
        """Play one turn, with the vault's answer in the same turn when a code was to be opened."""
        now = self.now + timedelta(hours=act.hours_later)
        conversation = self.conversation if act.human is None else self.conversation.but(human=act.human)
        conversation, effects = advance(
            self.flow, conversation, act.event(), act.meaning(), now, self.line, urgent=act.urgent
        )
        if any(isinstance(effect, OpenCode) for effect in effects):
            checked = CodeChecked(
                found=act.code_found, waiting=act.answers_waiting, known_to_staff=act.code_known_to_staff
            )
            conversation, more = advance(self.flow, conversation, checked, Meaning(), now, self.line)
            effects = (*effects, *more)
        if effects and isinstance(effects[-1], KeepWord | CheckWord):
            kept = isinstance(effects[-1], KeepWord)
            answer = WordKept(kept=act.word_kept) if kept else WordChecked(found=act.word)
            conversation, more = advance(
                self.flow, conversation, answer, act.meaning(), now, self.line, urgent=act.urgent
            )
            effects = (*effects, *more)
        if any(isinstance(effect, Withdraw) for effect in effects):
            withdrawn = Withdrawn(at_once=not act.urgent_case)
            conversation, more = advance(self.flow, conversation, withdrawn, Meaning(), now, self.line)
            effects = (*effects, *more)
        return replace(self.at(conversation), now=now), effects

    def at(self, conversation: Conversation) -> "Rehearsal":
        """The same rehearsal, at another point."""
        return replace(self, state=json.dumps(conversation.to_json()))

    def render(self, effects: Iterable[Effect]) -> str:
        """What the person gets to read or hear, as one text."""
        language, mode = self.line.language_of(self.conversation), self.conversation.mode
        lines: list[str] = []
        for effect in effects:
            match effect:
                case Say(phrase=phrase, values=values):
                    lines.append(self._text(phrase, language, mode, values))
                case Ask(phrase=phrase, values=values, lists=lists):
                    told = {name: self._listed(keys, language, mode) for name, keys in lists.items()}
                    lines.append(self._text(phrase, language, mode, {**values, **told}))
                case GiveCode(phrase=phrase):
                    lines.append(self._text(phrase, language, mode, {"code": SAMPLE_CODE}))
                case ReadAnswers():
                    lines.append(self._text("staff.answer", language, mode, {"text": SAMPLE_ANSWER}))
                case _:
                    pass
            if isinstance(effect, Ask):
                lines.extend(self._choices(effect, language, mode))
        return "\n".join(lines)

    def _listed(self, phrases: Iterable[str], language: str, mode: Mode) -> str:
        comma = self._text("heard.comma", language, mode, {})
        return comma.join(self._text(phrase, language, mode, {}) for phrase in phrases)

    def _choices(self, question: Ask, language: str, mode: Mode) -> Iterable[str]:
        for option in question.options:
            label = self._text(option.label, language, mode, {})
            if self.line.channel == "voice":
                yield self._text("voice.press", language, mode, {"label": label, "key": option.key})
            else:
                yield f"{option.key} {label}"

    def _text(self, phrase: str, language: str, mode: Mode, values: Mapping[str, str]) -> str:
        return self.phrases.text(phrase, language, mode, {**self.line.values, **values})


def rehearsal_line(phrases: Phrases, language: str, channel: str, mode: Mode = Mode.PLAIN) -> LineFacts:
    """A line to practise with: every loaded language, its own first; an ordinary cover, the words of the catalogue."""
    return LineFacts(
        name="Harborline",
        cover="Corner Laundry",
        emergency_number="112",
        languages=(language, *(tag for tag in phrases.languages if tag != language)),
        default_language=language,
        mode=mode,
        channel=channel,
        lexicon=phrases.lexicon(),
    )


def play(story: Story, flow: Flow, phrases: Phrases) -> Story:
    """The same story with what the house says today. Words are recorded in English; keys say the rest."""
    line = rehearsal_line(phrases, story.language, story.channel, story.mode)
    rehearsal = Rehearsal(flow=flow, phrases=phrases, line=line)
    beats = []
    for beat in story.turns:
        rehearsal, effects = rehearsal.hears(beat.person)
        text = rehearsal.render(effects)
        english = line.language_of(rehearsal.conversation) == "en"
        beats.append(Beat(person=beat.person, house=tuple(map(describe, effects)), text=text if english else ""))
    return story.model_copy(update={"turns": tuple(beats)})


def describe(effect: Effect) -> str:
    """An effect as one short line: "keep facts.where", "ask safe [1 safe:yes, 2 safe:not_now]"."""
    if isinstance(effect, Ask):
        options = ", ".join(f"{option.key} {option.id}" for option in effect.options)
        return f"ask {effect.phrase}" + (f" [{options}]" if options else "") + (" (code)" if effect.code else "")
    if isinstance(effect, OpenCode):
        return "open_code (ending)" if effect.ending else "open_code"  # never the digits
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(effect).__name__)
    parts = (
        getattr(effect, part)
        for part in ("phrase", "step", "choice", "reason", "way", "rule", "hours")
        if hasattr(effect, part)
    )
    return " ".join([name.strip("_"), *filter(None, parts)])


def read_story(text: str, source: str) -> Story:
    """Read a story file. Raises dialogs.marked.BadFile."""
    return load(text, source, Story)


def write_story(story: Story) -> str:
    """The story as YAML, in the order and form that a reviewer reads."""
    value = story.model_dump(mode="json", exclude_defaults=True)
    value = {"about": story.about, **{key: value[key] for key in value if key != "about"}}
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Several lines as a block, as they would be shown."""


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text_node)
