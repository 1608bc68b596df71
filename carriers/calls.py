"""The life of a call at the practised Twilio: dialled, ringing, answered, connected, over. Who may do what when.

What is said on a call is in conversation.py; HTTP is in twilio_api.py (in) and webhooks.py (out).
"""

import asyncio
from collections.abc import Iterator

from carriers.call import EVENT_OF, OVER, SHOWN, Call, CallOrder, CallStatus
from carriers.company import Company, Refusal
from carriers.conversation import Conversation, Source
from carriers.faults import FaultKind
from carriers.numbers import Line, is_number
from carriers.webhooks import Webhook, WebhookKind


class Calls:
    """All calls of the account, oldest first."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._all: dict[str, Call] = {}

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._all.values()))

    def get(self, sid: str) -> Call:
        """One call. Raises Refusal 20404."""
        if sid not in self._all:
            raise Refusal(20404)
        return self._all[sid]

    # what the account asks for ---------------------------------------------------------------------------

    def create(self, order: CallOrder) -> Call:
        """Take an order and begin to dial. Raises Refusal."""
        checks = (
            (not order.to, 21201),
            (order.from_ not in self._company.lines, 21210),
            (not is_number(order.to), 21211),
            (not order.url and not order.twiml, 21205),
        )
        for wrong, code in checks:
            if wrong:
                raise Refusal(code)
        call = self._new("outbound-api", from_=order.from_, to=order.to, phone=order.to)
        call.status_callback, call.status_events = order.status_callback, order.status_events
        source = Source(url=order.url, method=order.method, twiml=order.twiml, fallback=order.fallback)
        call.work = self._company.tasks.start(self._originate(call, source, order.ring_seconds))
        return call

    def stop(self, call: Call, *, canceled: bool = False) -> None:
        """End a call; `canceled` only takes back one that has not been answered."""
        ringing_out = call.status not in OVER and self._settle(call, CallStatus.CANCELED)
        if not ringing_out and not canceled:
            self.hang_up(call)

    def redirect(self, call: Call, *, url: str = "", twiml: str = "", method: str = "POST") -> None:
        """Break off what the call is doing and carry out other TwiML. Raises Refusal 21220."""
        if call.status is not CallStatus.IN_PROGRESS:
            raise Refusal(21220)
        if call.work is not None:
            call.work.cancel()
        call.work = self._company.tasks.start(self._run(call, Source(url=url, twiml=twiml, method=method)))

    def delete(self, sid: str) -> None:
        """Remove a call that is over. Raises Refusal."""
        if self.get(sid).status not in OVER:
            raise Refusal(20009)
        del self._all[sid]

    # what people do with their phones --------------------------------------------------------------------

    def place(self, *, person: str, line: str) -> Call:
        """Somebody calls a line."""
        call = self._new("inbound", from_=person, to=line, phone=person)
        settings = self._company.lines.get(line) or Line(number=line)
        call.status_callback = settings.status_url
        self.move(call, CallStatus.RINGING)
        source = Source(url=settings.voice_url, fallback=settings.voice_fallback_url)
        call.work = self._company.tasks.start(self._run(call, source))
        return call

    def pick_up(self, call: Call) -> bool:
        """The person answers. False: it does not ring."""
        return self._settle(call, CallStatus.IN_PROGRESS)

    def decline(self, call: Call) -> bool:
        """The person declines. False: it does not ring."""
        return self._settle(call, CallStatus.BUSY)

    def ring_out(self, call: Call) -> bool:
        """Nobody answers: the time-out, without the wait. False: it does not ring."""
        return self._settle(call, CallStatus.NO_ANSWER)

    def hang_up(self, call: Call) -> None:
        """Either side hangs up; nothing happens when the call is over."""
        if call.status in OVER:
            return
        if call.work is not None:
            call.work.cancel()
        self.finish(call, CallStatus.COMPLETED if call.started else CallStatus.CANCELED)

    def press(self, call: Call, digits: str) -> bool:
        """Press keys. False: nobody listened, as on a real telephone."""
        heard = [call.listening is not None and call.listening.press(key) for key in digits]
        return bool(heard) and all(heard)

    def speak(self, call: Call, text: str) -> bool:
        """Say something, to a <Gather> or to the person at the other end. False: nobody listened."""
        if call.listening is not None:
            return call.listening.speak(text)
        if call.bridge is None:
            return False
        other = call.bridge
        self._company.journal.add("say", phone=other.phone, call=other.sid, text=text, language="", voice="person")
        return True

    # what a conversation needs ---------------------------------------------------------------------------

    def branch(self, parent: Call, number: str, *, caller_id: str, callback: str, events: tuple[str, ...]) -> Call:
        """A new leg that a call dials."""
        call = self._new("outbound-dial", from_=caller_id, to=number, phone=number)
        call.parent = parent.sid
        call.status_callback, call.status_events = callback, events
        return call

    async def ring(self, call: Call, seconds: float) -> bool:
        """Let the phone ring for so many practised seconds; True when it is answered."""
        fault = self._company.faults.take("delivery.call", call.to)
        kind = fault.kind if fault else None
        self.move(call, CallStatus.INITIATED)
        if kind in (FaultKind.BUSY, FaultKind.ERROR):
            self.finish(call, CallStatus.BUSY if kind is FaultKind.BUSY else CallStatus.FAILED)
            return False
        self.move(call, CallStatus.RINGING, silently=kind in (FaultKind.NO_ANSWER, FaultKind.DROP))
        await asyncio.wait((call.answer,), timeout=self._company.pace.real(seconds))
        status = call.answer.result() if call.answer.done() else CallStatus.NO_ANSWER
        if status is not CallStatus.IN_PROGRESS:
            self.finish(call, status)
            return False
        self.move(call, status)
        return True

    def move(self, call: Call, status: CallStatus, *, silently: bool = False) -> None:
        """Set a status, show it on the phone unless `silently`, and tell whoever asked to be told."""
        call.status = status
        if status is CallStatus.IN_PROGRESS:
            call.started = self._company.pace.now()
        if status in SHOWN and not silently:
            self._show(call)
        if call.status_callback and EVENT_OF.get(status) in call.status_events:
            fields = call.status_fields(self._company)
            webhook = Webhook(kind=WebhookKind.STATUS, url=call.status_callback, fields=fields)
            self._company.tasks.start(self._company.courier.deliver(webhook))
        call.sequence += 1

    def finish(self, call: Call, status: CallStatus) -> None:
        """The call is over; the first to say so is right."""
        if call.status not in OVER:
            call.ended = self._company.pace.now()
            call.listening = None
            self.move(call, status)
            call.over.set()
            if not call.answer.done():
                call.answer.set_result(status)

    # inside ----------------------------------------------------------------------------------------------

    def _new(self, direction: str, *, from_: str, to: str, phone: str) -> Call:
        call = Call(
            sid=self._company.sid("CA"),
            direction=direction,
            from_=from_,
            to=to,
            phone=phone,
            created=self._company.pace.now(),
        )
        self._all[call.sid] = call
        return call

    def _settle(self, call: Call, status: CallStatus) -> bool:
        if call.answer.done() or call.direction == "inbound":
            return False
        call.answer.set_result(status)
        return True

    async def _originate(self, call: Call, source: Source, ring_seconds: float) -> None:
        if await self.ring(call, ring_seconds):
            await self._run(call, source)

    async def _run(self, call: Call, source: Source) -> None:
        end = await Conversation(self._company, self, call).hold(source)
        self.finish(call, end or CallStatus.COMPLETED)

    def _show(self, call: Call) -> None:
        self._company.journal.add(
            "call",
            phone=call.phone,
            call=call.sid,
            direction="out" if call.direction == "inbound" else "in",
            state=SHOWN[call.status],
            other=call.other,
        )
