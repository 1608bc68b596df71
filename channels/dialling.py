"""Putting a caller through: <Dial> with a whisper, and what comes back of it.

The caller's call stays with us: when the other side is over, Twilio asks our next step. Whoever picks up hears the
whisper first and is joined only by a key; a machine presses none. Nothing is recorded, both numbers stay masked behind
the line's own, and an address of ours holds nothing but an opaque reference. Whom to ring is not decided here.
https://www.twilio.com/docs/voice/twiml/dial and https://www.twilio.com/docs/voice/twiml/number
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from channels.messages import Connect, DialOutcome, Incoming, IncomingKind
from channels.signed import OVER, Form, caller, hung_up, sid_of
from channels.twilio import TwilioAccount

WHISPER: Final = "/twilio/voice/whisper"
STATUS: Final = "/twilio/voice/status"
MOST_WHISPERS: Final = 3  # a wrong key is asked again, but a caller is waiting

# What Twilio is to do when we do not answer: otherwise it drops the call with words of its own.
_INSIST: Final = "#rc=3&rp=5xx,ct,rt"
_EVENTS: Final = "initiated ringing answered completed"  # the first one names the leg, so that its record is deleted

_OUTCOMES: Final[Mapping[str, DialOutcome]] = MappingProxyType(
    {
        "completed": DialOutcome.CONNECTED,
        "answered": DialOutcome.CONNECTED,
        "busy": DialOutcome.BUSY,
        "no-answer": DialOutcome.NO_ANSWER,
        "failed": DialOutcome.FAILED,
        "canceled": DialOutcome.CANCELED,
    }
)
_SID: Final = re.compile(r"CA[0-9a-zA-Z]{1,62}")


def dial(response: Any, to: Connect, *, account: TwilioAccount, sender: str, step: str) -> None:
    """Add <Dial> to a response. `sender` is the line's number, `step` where the caller goes on afterwards."""
    verb = response.dial(
        caller_id=sender, answer_on_bridge=True, timeout=to.seconds, action=step + _INSIST, method="POST"
    )
    verb.number(
        to.address.value,
        url=account.link(WHISPER, ref=to.reference, n=1) + _INSIST,
        method="POST",
        status_callback=account.link(STATUS, ref=to.reference),
        status_callback_event=_EVENTS,
        status_callback_method="POST",
    )


def outcome(form: Form) -> DialOutcome:
    """What Twilio says of the other leg. A status that is not in the table is a failure: the caller is with us."""
    found = _OUTCOMES.get(form.get("DialCallStatus", ""), DialOutcome.FAILED)
    # "completed" only says that it was picked up, as by a voicemail box that pressed no key.
    unheard = found is DialOutcome.CONNECTED and form.get("DialBridged", "").lower() == "false"
    return DialOutcome.NOT_TAKEN if unheard else found


def dialled(form: Form, number: int, reference: str) -> Incoming:
    """The caller's step after <Dial>: DIALLED, or HANGUP when the caller is gone."""
    sid, leg = sid_of(form, "CallSid"), form.get("DialCallSid", "")
    copies = (f"calls/{sid}", *([f"calls/{leg}"] if _SID.fullmatch(leg) else []))
    if form.get("CallStatus") in OVER:
        return hung_up(form, copies=copies)
    return Incoming(
        id=f"{sid}:{number}",
        address=caller(form, sid),
        kind=IncomingKind.DIALLED,
        text=outcome(form).value,
        reference=reference,
        copies=copies,
    )
