"""Phone calls through Twilio: callers who reach the line, pages that the line makes, and callers put through.

Signature and forms are in signed.py, REST in twilio.py, languages in voices.py, <Dial> in dialling.py. Nothing is
recorded here, and nothing is decided about what to say. The address of each webhook counts the steps of its call (n);
it can be trusted because the address is part of what Twilio signs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from twilio.twiml.voice_response import VoiceResponse

from channels.dialling import MOST_WHISPERS, STATUS, WHISPER, dial, dialled
from channels.messages import (
    Address,
    Answer,
    Capabilities,
    ChannelName,
    Delivery,
    DeliveryState,
    Expect,
    Incoming,
    IncomingKind,
    Outgoing,
    Receipt,
    Receive,
    Refused,
    Report,
    SendError,
    Utterance,
    legible,
)
from channels.segments import split
from channels.signed import Form, caller, reference_of, sid_of, signed, status_of, step_of
from channels.twilio import Twilio
from channels.voices import LAST_RESORT, speaker_of
from channels.webhook import heard, malformed

PATIENCE = 10  # seconds of silence before we speak again: the person may have to put the phone down
PAUSE = 4  # seconds of silence that end what somebody tells; whoever is afraid stops in the middle of a sentence
BRISKNESS = 5  # seconds for a key after a whisper that was said twice: somebody waits on the line
SLOWLY = "75%"  # of the usual rate; Polly's and Google's voices both take it
SPOKEN_LIMIT = 3000  # characters in one <Say>; Twilio takes 4096
INLINE_LIMIT = 4000  # characters of TwiML in a call that we begin

CALL, STEP, PAGE = "/twilio/voice", "/twilio/voice/step", "/twilio/voice/page"

_Response: Any = VoiceResponse  # the library has no types here


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prompt:
    """How an answer is put to the person: where the reply goes, by keypad alone or also by voice, said how often, and
    how long a reply may take (seconds)."""

    action: str
    keypad_only: bool = False
    times: int = 1
    patience: int = PATIENCE


class Voice:
    """The voice channel of one line. `number` is the line's own, E.164."""

    name = ChannelName.VOICE
    capabilities = Capabilities(
        buttons=False, keypad=True, speech=True, max_text=SPOKEN_LIMIT, answers_in_response=True
    )

    def __init__(self, twilio: Twilio, number: str) -> None:
        self._twilio = twilio
        self._number = number

    @staticmethod
    def speaks(tag: str) -> bool:
        """True when Twilio has a voice for this BCP-47 tag; offer only such languages on the phone."""
        return speaker_of(tag) is not None

    def routes(self, receive: Receive, report: Report, refused: Refused) -> Sequence[web.RouteDef]:
        """POST /twilio/voice, .../step, .../page, .../whisper and .../status; all refuse what Twilio has not signed."""
        account = self._twilio.account

        def spoken(answer: Answer | None, prompt: _Prompt) -> web.Response:
            if answer and not answer.aloud and not self.speaks(answer.language):
                refused(self.name, "no_voice")
            return web.Response(text=self._twiml(answer, prompt), content_type="text/xml")

        async def call(_: web.Request, form: Form) -> web.Response:
            answer = await heard(receive, _started(form))
            return spoken(answer, _Prompt(action=account.link(STEP, n=1)))

        async def step(request: web.Request, form: Form) -> web.Response:
            number, reference = step_of(request), reference_of(request)
            event = dialled(form, number, reference) if reference else _stepped(form, number)
            answer = await heard(receive, event)
            return spoken(answer, _Prompt(action=account.link(STEP, n=number + 1)))

        async def page(request: web.Request, form: Form) -> web.Response:
            number, reference = step_of(request), reference_of(request)
            event = _paged(form, "page", number, reference)
            answer = await heard(receive, event)
            if event.kind is IncomingKind.DIGITS:  # a key is proof of a human; being picked up is not
                await report(Delivery(reference=reference, state=DeliveryState.ANSWERED, copy=event.copies[0]))
            action = account.link(PAGE, ref=reference, n=number + 1)
            return spoken(answer, _Prompt(action=action, keypad_only=True))

        async def whisper(request: web.Request, form: Form) -> web.Response:
            number, reference = step_of(request), reference_of(request)
            event = _paged(form, "whisper", number, reference)
            event = replace(event, kind=IncomingKind.PICKED_UP, text="") if number == 1 else event
            answer = await heard(receive, event)
            again = answer is None or answer.expect is not Expect.ANYTHING or number <= MOST_WHISPERS
            action = account.link(WHISPER, ref=reference, n=number + 1)
            prompt = _Prompt(action=action, keypad_only=True, times=2, patience=BRISKNESS)
            return spoken(answer if again else None, prompt)

        handlers = {CALL: call, STEP: step, PAGE: page, WHISPER: whisper, STATUS: status_of(receive, report)}
        return [web.post(path, signed(account, self.name, refused, handler)) for path, handler in handlers.items()]

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Call a number, say the answer twice and wait for a key. Raises SendError.

        The key comes back as Incoming DIGITS with the reference, and as Delivery ANSWERED.
        """
        if outgoing.address.value.startswith("call:"):
            raise SendError(None, retry=False, say="This person hid their number, so they cannot be called back.")
        account = self._twilio.account
        action = account.link(PAGE, ref=outgoing.reference, n=1)
        twiml = self._twiml(outgoing.answer, _Prompt(action=action, keypad_only=True, times=2))
        if len(twiml) > INLINE_LIMIT:
            raise SendError(None, retry=False, say="The words are too long for a call. Shorten them or send a text.")
        status = account.link(STATUS, ref=outgoing.reference)
        call = await self._twilio.call(to=outgoing.address.value, sender=self._number, twiml=twiml, status=status)
        return Receipt(id=call, copies=(f"calls/{call}",))

    async def erase_copy(self, copy: str) -> bool:
        """Delete Twilio's record of a call, and what was recorded of it; True once it is gone. Raises SendError."""
        return await self._twilio.erase(copy)

    async def held(self, since: datetime, before: datetime) -> tuple[str, ...]:
        """This number's calls of a time, in and out, that Twilio still holds. Raises SendError."""
        return await self._twilio.calls_of(self._number, since, before)

    async def close(self) -> None:
        """Give back the connections."""
        await self._twilio.close()

    def _twiml(self, answer: Answer | None, prompt: _Prompt) -> str:
        """The answer as TwiML. None, or nothing more to expect: the call ends after the words."""
        response = _Response()
        if answer is None or answer.expect is Expect.NOTHING:
            if answer:
                self._say(response, answer, prompt.times)
            response.hangup()
        elif answer.expect is Expect.TALK:  # for whoever was rung: nothing after the words, and Twilio joins both
            self._say(response, answer, 1)
            if answer.connect:
                step = f"{prompt.action}&{urlencode({'ref': answer.connect.reference})}"
                dial(response, answer.connect, account=self._twilio.account, sender=self._number, step=step)
        else:
            self._say(response.gather(**_gathering(answer, prompt)), answer, prompt.times)
        return str(response)

    def _say(self, node: Any, answer: Answer, times: int) -> None:
        """Recordings are played and words read, both slowly if that was asked for: a recording with pauses between."""
        for turn in range(times):
            if turn:
                node.pause(length=1)
            for part in answer.aloud or _read(answer):
                if part.recording:
                    node.play(self._twilio.account.link(part.recording))
                elif part.text:
                    _speak(node, part, slow=answer.slow)
                if answer.slow or not (part.recording or part.text):
                    node.pause(length=1)


# What came in ---------------------------------------------------------------------------------------------------


def _started(form: Form) -> Incoming:
    sid = sid_of(form, "CallSid")
    return Incoming(id=sid, address=caller(form, sid), kind=IncomingKind.STARTED, copies=(f"calls/{sid}",))


def _stepped(form: Form, number: int) -> Incoming:
    sid = sid_of(form, "CallSid")
    kind, text = _reply(form)
    return Incoming(
        id=f"{sid}:{number}", address=caller(form, sid), kind=kind, text=legible(text), copies=(f"calls/{sid}",)
    )


def _paged(form: Form, way: str, number: int, reference: str) -> Incoming:
    """What the person we called did. On such a call `To` is the person and `From` is the line."""
    sid, dialled = sid_of(form, "CallSid"), form.get("To", "")
    if not reference or not 0 < len(dialled) <= 256:
        raise malformed()
    kind, text = _reply(form)
    return Incoming(
        id=f"{sid}:{way}:{number}",
        address=Address(channel=ChannelName.VOICE, value=legible(dialled)),
        kind=kind,
        text=legible(text),
        reference=reference,
        copies=(f"calls/{sid}",),
    )


def _reply(form: Form) -> tuple[IncomingKind, str]:
    if digits := form.get("Digits", ""):
        return IncomingKind.DIGITS, digits
    if speech := form.get("SpeechResult", ""):
        return IncomingKind.SPEECH, speech
    return IncomingKind.SILENCE, ""


# What is said ---------------------------------------------------------------------------------------------------


def _speak(node: Any, part: Utterance, *, slow: bool) -> None:
    speaker = speaker_of(part.language) or LAST_RESORT
    for words in split(legible(part.text), SPOKEN_LIMIT):
        if slow:
            said = node.say(language=speaker.says, voice=speaker.voice)
            said.prosody(words, rate=SLOWLY)
        else:
            node.say(words, language=speaker.says, voice=speaker.voice)


def _gathering(answer: Answer, prompt: _Prompt) -> dict[str, Any]:
    """Attributes of <Gather>. The words are inside of it, so that a key or a word interrupts them."""
    speaker = speaker_of(answer.language) or LAST_RESORT
    hears = "" if prompt.keypad_only else speaker.hears
    attributes: dict[str, Any] = {
        "action": prompt.action,
        "method": "POST",
        "timeout": answer.patience or prompt.patience,
        "action_on_empty_result": True,  # silence comes back to us too, instead of ending the call
        "input": "dtmf speech" if hears else "dtmf",
    }
    if hears:
        # The profanity filter is on by default and masks the words of an assault.
        ending = "auto" if answer.choices else PAUSE
        attributes |= {"language": hears, "speech_timeout": ending, "profanity_filter": False}
    if answer.expect is Expect.CODE:
        return attributes | {"finish_on_key": "#"}
    # One key at a time, also where words are expected: whoever presses 0 for a human must not wait for a time-out.
    return attributes | {"num_digits": max((len(choice.key) for choice in answer.choices if choice.key), default=1)}


def _read(answer: Answer) -> tuple[Utterance, ...]:
    """Text and choices, for a voice to read."""
    choices = (
        Utterance(text=c.spoken or f"{c.key} {c.label}", language=c.language or answer.language) for c in answer.choices
    )
    own = (Utterance(text=answer.text, language=answer.language),) if answer.text else ()
    return (*own, *choices)
