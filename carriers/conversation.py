"""Carries TwiML out on one call: what the person hears, what is gathered, who is dialled.

Reading TwiML is twiml.py's, ringing and hanging up are calls.py's; whoever hangs up cancels the task in here.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import aiohttp

from carriers import twiml
from carriers.call import Call, CallStatus, Listening
from carriers.company import Company
from carriers.numbers import is_number
from carriers.sounds import Sound
from carriers.twiml import Verb
from carriers.webhooks import HTTP_FAILURE, Webhook, WebhookKind

if TYPE_CHECKING:
    from carriers.calls import Calls

APPLICATION_ERROR = "We are sorry. An application error has occurred. Goodbye."  # what Twilio says in such a case
BAD_CALLER_ID = 13214
BAD_NUMBER = 13223
CONFIDENCE = "0.92"  # of every SpeechResult

# A few words that Twilio's default filter would hide. A line that forgets profanityFilter="false" loses them.
_PROFANE = re.compile(r"\b(fuck\w*|shit\w*|bitch\w*|whore\w*|slut\w*|bastard\w*|puta\w*|pute|putain)\b", re.IGNORECASE)

_REJECTED: Mapping[str, CallStatus] = MappingProxyType(
    {"busy": CallStatus.BUSY, "rejected": CallStatus.NO_ANSWER, "": CallStatus.NO_ANSWER}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the next TwiML comes from: a URL with fields to post, or the text itself."""

    url: str = field(default="", repr=False)
    method: str = "POST"
    twiml: str = field(default="", repr=False)
    fallback: str = field(default="", repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)


class _Ended(Exception):
    """The document ends the call with this status."""

    def __init__(self, status: CallStatus) -> None:
        super().__init__(status.value)
        self.status = status


Step = Callable[[Verb, str], Awaitable[Source | None]]


class Conversation:
    """TwiML being carried out on one call."""

    def __init__(self, company: Company, calls: "Calls", call: Call) -> None:
        self._company = company
        self._calls = calls
        self._call = call
        self._steps: Mapping[str, Step] = {
            "Say": self._say,
            "Play": self._play,
            "Pause": self._pause,
            "Gather": self._gather,
            "Redirect": self._redirect,
            "Dial": self._dial,
            "Hangup": self._hang_up,
        }

    async def hold(self, source: Source) -> CallStatus | None:
        """Carry out this TwiML and all that follows. None: it ran off the end; else how the call was ended."""
        following: Source | None = source
        try:
            while following is not None:
                verbs = await self._obtain(following)
                self._pick_up(verbs)
                following = await self._perform(verbs, following.url)
        except twiml.TwimlError:
            self._pick_up(())
            await self._utter(Verb(name="Say", text=APPLICATION_ERROR))
            return CallStatus.COMPLETED
        except _Ended as end:
            return end.status
        return None

    async def _obtain(self, source: Source) -> tuple[Verb, ...]:
        courier = self._company.courier
        try:
            if source.twiml:
                return twiml.parse(source.twiml, twiml.VOICE)
            fields = {**self._call.fields(self._company), **source.fields}
            webhook = Webhook(
                kind=WebhookKind.VOICE, url=source.url, method=source.method, fallback=source.fallback, fields=fields
            )
            # A request that has left is not taken back when somebody hangs up meanwhile.
            reply = await asyncio.shield(self._company.tasks.start(courier.deliver(webhook)))
            if reply.error is None:
                return twiml.read(reply.body, reply.content_type, twiml.VOICE)
        except twiml.TwimlError as error:
            courier.alert(error.code, self._call.sid)
            raise
        raise twiml.TwimlError(reply.error, "the line did not answer")

    def _pick_up(self, verbs: Sequence[Verb]) -> None:
        """An incoming call is answered by its first document, unless that begins with <Reject>."""
        if self._call.status is CallStatus.RINGING:
            if verbs and verbs[0].name == "Reject":
                raise _Ended(_REJECTED[verbs[0].get("reason")])
            self._calls.move(self._call, CallStatus.IN_PROGRESS)

    async def _perform(self, verbs: Sequence[Verb], base: str) -> Source | None:
        for verb in verbs:
            if verb.name == "Reject":
                self._company.courier.alert(twiml.NOT_TWIML, self._call.sid)  # only at the very beginning
                continue
            following = await self._steps[verb.name](verb, base)
            if following is not None:
                return following
        return None

    # to be heard -----------------------------------------------------------------------------------------

    async def _say(self, verb: Verb, base: str) -> None:
        for _ in range(int(verb.number("loop", 1)) or 1):
            await self._utter(verb)

    async def _utter(self, verb: Verb) -> None:
        rates = [mark.get("rate") for mark in verb.children if mark.name == "prosody"]
        how = {"rate": rates[0]} if rates else {}
        self._tell("say", text=verb.text, language=verb.get("language", "en-US"), voice=verb.get("voice"), **how)
        await self._company.pace.speak(verb.text)

    async def _play(self, verb: Verb, base: str) -> None:
        if not verb.text:  # digits only
            return await self._company.pace.sleep(0.25 * len(verb.get("digits")))
        source = urljoin(base, verb.text)
        sound = await self._fetch_sound(source)
        if sound is None:
            self._company.courier.alert(HTTP_FAILURE, self._call.sid)
            return None
        self._tell("play", url=self._company.sounds.keep(sound), source=source)
        await self._company.pace.sleep(sound.seconds * (verb.number("loop", 1) or 1))
        return None

    async def _fetch_sound(self, url: str) -> Sound | None:
        """Fetch it as Twilio would, so that a missing prompt is found here and not in earnest."""
        try:
            async with await self._company.courier.dial("GET", url) as response:
                content = await response.read()
                return Sound(content_type=response.content_type, content=content) if response.ok else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def _pause(self, verb: Verb, base: str) -> None:
        await self._company.pace.sleep(verb.number("length", 1))

    # to be asked -----------------------------------------------------------------------------------------

    async def _gather(self, verb: Verb, base: str) -> Source | None:
        call = self._call
        listening = Listening(
            inputs=tuple(verb.get("input", "dtmf").split()),
            num_digits=int(verb.number("numDigits", 0)),
            finish_key=verb.get("finishOnKey", "#"),
            masked=verb.get("profanityFilter", "true").lower() != "false",
        )
        call.listening = listening
        self._tell(
            "gather",
            input=list(listening.inputs),
            num_digits=int(verb.number("numDigits", 0)) or None,
            finish_on_key=verb.get("finishOnKey", "#"),
            language=verb.get("language", "en-US"),
        )
        try:
            await self._listen(listening, verb, base)
        finally:
            call.listening = None
        return self._gathered(listening, verb, base)

    async def _listen(self, listening: Listening, verb: Verb, base: str) -> None:
        """Prompts first, cut short by the first key or word; then the time-out, anew after each key."""
        timeout = self._company.pace.real(verb.number("timeout", 5))
        prompts = asyncio.ensure_future(self._perform(verb.children, base))
        stirred = asyncio.ensure_future(listening.stirred.wait())
        try:
            await asyncio.wait((prompts, stirred), return_when=asyncio.FIRST_COMPLETED)
            if prompts.done():
                prompts.result()
            while not listening.complete:
                await asyncio.wait_for(listening.stirred.wait(), timeout)
                listening.stirred.clear()
        except TimeoutError:
            listening.complete = True
        finally:
            prompts.cancel()
            stirred.cancel()

    def _gathered(self, listening: Listening, verb: Verb, base: str) -> Source | None:
        speech = listening.speech
        if listening.masked:
            speech = _PROFANE.sub(lambda found: found.group()[0] + "*" * (len(found.group()) - 1), speech)
        fields = {"msg": "Gather End"}
        if speech:
            fields |= {"SpeechResult": speech, "Confidence": CONFIDENCE}
            fields |= {"Language": verb.get("language", "en-US")}
        elif listening.digits:
            fields |= {"Digits": listening.digits}
        elif verb.get("actionOnEmptyResult").lower() == "true":
            fields |= {"Digits": ""}
        else:
            return None
        return Source(url=urljoin(base, verb.get("action")), method=verb.get("method", "POST"), fields=fields)

    # to go elsewhere -------------------------------------------------------------------------------------

    async def _redirect(self, verb: Verb, base: str) -> Source:
        return Source(url=urljoin(base, verb.text), method=verb.get("method", "POST"))

    async def _hang_up(self, verb: Verb, base: str) -> None:
        raise _Ended(CallStatus.COMPLETED)

    async def _dial(self, verb: Verb, base: str) -> Source | None:
        numbers = [child for child in verb.children if child.name == "Number"] or [Verb(name="Number", text=verb.text)]
        legs = [self._dial_one(number, verb, base) for number in numbers if self._may_dial(number, verb)]
        winner: Call | None = None
        try:
            winner = await self._first_ready(legs)
            for leg in legs:
                if leg is not winner:
                    self._calls.hang_up(leg)
            if winner is not None:
                await self._connect(winner)
        finally:
            for leg in legs:
                self._calls.hang_up(leg)
        action = verb.get("action")
        if not action:
            return None
        fields = _dial_fields(winner, legs)
        return Source(url=urljoin(base, action), method=verb.get("method", "POST"), fields=fields)

    def _caller_id(self, verb: Verb) -> str:
        return verb.get("callerId") or self._call.from_  # Twilio's default shows the caller's own number

    def _may_dial(self, number: Verb, verb: Verb) -> bool:
        caller_id = self._caller_id(verb)
        if caller_id not in self._company.lines and caller_id != self._call.from_:
            self._company.courier.alert(BAD_CALLER_ID, self._call.sid)
            return False
        if not is_number(number.text):
            self._company.courier.alert(BAD_NUMBER, self._call.sid)
            return False
        return True

    def _dial_one(self, number: Verb, verb: Verb, base: str) -> Call:
        callback = number.get("statusCallback")
        leg = self._calls.branch(
            self._call,
            number.text,
            caller_id=self._caller_id(verb),
            callback=urljoin(base, callback) if callback else "",
            events=tuple(number.get("statusCallbackEvent", "completed").replace(",", " ").split()),
        )
        leg.work = self._company.tasks.start(self._reach(leg, number, base, verb.number("timeout", 30)))
        return leg

    async def _reach(self, leg: Call, number: Verb, base: str, seconds: float) -> bool:
        """Ring, then whisper; True when the person stayed."""
        if not await self._calls.ring(leg, seconds):
            return False
        if not number.get("url"):
            return True
        whisper = Source(url=urljoin(base, number.get("url")), method=number.get("method", "POST"))
        end = await Conversation(self._company, self._calls, leg).hold(whisper)
        if end is not None:
            self._calls.finish(leg, end)
        return end is None

    async def _first_ready(self, legs: Sequence[Call]) -> Call | None:
        waiting = {leg.work: leg for leg in legs if leg.work is not None}
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                leg = waiting.pop(work)
                if not work.cancelled() and work.exception() is None and work.result():
                    return leg
        return None

    async def _connect(self, leg: Call) -> None:
        """Join the two until the other one hangs up. If this one does, the task is cancelled and _dial tidies up."""
        self._call.bridge, leg.bridge = leg, self._call
        self._tell("connected", other=leg.to)
        self._company.journal.add("connected", phone=leg.phone, call=leg.sid, other=leg.from_)
        try:
            await leg.over.wait()
        finally:
            self._call.bridge = leg.bridge = None

    def _tell(self, type_: str, **fields: object) -> None:
        self._company.journal.add(type_, phone=self._call.phone, call=self._call.sid, **fields)


def _dial_fields(winner: Call | None, legs: Sequence[Call]) -> dict[str, str]:
    """How a <Dial> went. Somebody who picked up and did not stay counts as "completed", but not as bridged."""
    leg = winner or next((leg for leg in legs if leg.started), legs[0] if legs else None)
    if leg is None:
        return {"DialCallStatus": CallStatus.FAILED.value, "DialBridged": "false"}
    return {
        "DialCallStatus": leg.status.value,
        "DialCallSid": leg.sid,
        "DialCallDuration": str(leg.seconds),
        "DialBridged": "true" if winner else "false",
    }
