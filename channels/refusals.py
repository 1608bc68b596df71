"""What Twilio's error numbers mean for us: may the same message work later, and what do staff need to know.

A table and its look-up; no HTTP and no message text. The numbers come from domain.md section 7 and from
https://www.twilio.com/docs/api/errors. The same numbers arrive when we send and later as delivery news.
"""

from dataclasses import dataclass

from channels.messages import SendError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to make of one error. `after` is in seconds."""

    retry: bool
    say: str
    after: float | None = None


_WRONG_NUMBER = Rule(retry=False, say="The number is not a phone number that can be reached. Check it.")
_REGION_OFF = Rule(
    retry=False,
    say="The Twilio account may not send to this country. Allow the country in Twilio's geographic permissions.",
)
_NOT_OURS = Rule(
    retry=False,
    say="The line's own number cannot be used for this at Twilio. Check the number in line.yml.",
)

RULES: dict[int, Rule] = {
    20003: Rule(
        retry=False,
        say="Twilio does not accept our sign-in. Check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.",
    ),
    20009: Rule(retry=True, say="Twilio is still busy with this message or call; it can be deleted later.", after=60),
    20429: Rule(retry=True, say="Twilio asks us to slow down. It is tried again by itself.", after=5),
    21211: _WRONG_NUMBER,
    21217: _WRONG_NUMBER,  # the same, for calls
    21214: _WRONG_NUMBER,  # the same, number cannot be called
    21408: _REGION_OFF,
    21215: _REGION_OFF,  # the same, for calls
    21210: _NOT_OURS,
    21606: _NOT_OURS,
    21610: Rule(
        retry=False,
        say="The person has written STOP, so their carrier lets no text of ours through. Only they can change that: by "
        "writing START. Until then they can call, or open their code by another way.",
    ),
    21614: Rule(retry=False, say="The number cannot receive text messages. Call it instead."),
    21617: Rule(retry=False, say="The text is longer than 1600 characters. Shorten it."),
    30001: Rule(retry=True, say="Twilio has too many messages waiting. It is tried again by itself.", after=60),
    30003: Rule(retry=True, say="The phone is off or out of reach. It is tried again by itself.", after=120),
    30005: Rule(retry=False, say="The number does not exist or is no longer in use. Check it."),
    30006: Rule(retry=False, say="The number is a landline or its carrier takes no texts. Call it instead."),
    30007: Rule(retry=False, say="The carrier filtered the text out. Word it differently or use another way."),
    30008: Rule(retry=True, say="The carrier failed without saying why. It is tried again by itself.", after=60),
}

_THROTTLED = Rule(retry=True, say="Twilio asks us to slow down. It is tried again by itself.", after=5)
_OUTAGE = Rule(retry=True, say="Twilio has a fault of its own. It is tried again by itself.")
_SILENT = Rule(retry=True, say="Twilio cannot be reached. It is tried again by itself. Check the network if it lasts.")
_UNREADABLE = Rule(retry=True, say="Twilio's answer could not be read. It is tried again by itself.")
_OTHER = Rule(retry=False, say="Twilio refused this. The error's number is explained at twilio.com/docs/api/errors.")


def refusal(code: int | None, status: int | None = None) -> SendError:
    """The SendError for Twilio's error number and HTTP status; either may be unknown."""
    rule = RULES.get(code) if code is not None else None
    return _error(code, rule or _by_status(status))


def unreachable() -> SendError:
    """No answer came: the network failed or the time ran out. What we asked for may have happened all the same."""
    return _error(None, _SILENT)


def unreadable() -> SendError:
    """An answer came that is not Twilio's format, e.g. from a proxy in between."""
    return _error(None, _UNREADABLE)


def _by_status(status: int | None) -> Rule:
    if status == 429:
        return _THROTTLED
    return _OUTAGE if status is not None and status >= 500 else _OTHER


def _error(code: int | None, rule: Rule) -> SendError:
    return SendError(code, retry=rule.retry, say=rule.say, after=rule.after)
