"""Numbers and who is behind them: the line's own, and people with their places. Values only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_E164 = re.compile(r"\+[1-9]\d{6,14}")

# Twilio's own test numbers and what sending to them is answered with (its page "Test credentials").
MAGIC: Mapping[str, int] = MappingProxyType(
    {
        "+15005550001": 21211,
        "+15005550002": 21612,
        "+15005550003": 21408,
        "+15005550004": 21610,
        "+15005550009": 21614,
    }
)

_COUNTRIES = (
    ("+1", "US"), ("+20", "EG"), ("+33", "FR"), ("+34", "ES"), ("+44", "GB"), ("+49", "DE"), ("+52", "MX"),
    ("+62", "ID"), ("+63", "PH"), ("+84", "VN"), ("+86", "CN"), ("+90", "TR"), ("+91", "IN"), ("+92", "PK"),
    ("+212", "MA"), ("+251", "ET"), ("+254", "KE"), ("+880", "BD"), ("+961", "LB"), ("+966", "SA"), ("+971", "AE"),
    ("+977", "NP"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A number the account owns and where its webhooks go. "" for none.

    Twilio reads connection overrides in the fragment of a URL (#rc=2&rp=5xx); so do we.
    """

    number: str
    sms_url: str = ""
    voice_url: str = ""
    status_url: str = ""  # for incoming calls, when they are over
    sms_status_url: str = ""  # for messages that name no StatusCallback, as a Messaging Service has it
    sms_fallback_url: str = ""
    voice_fallback_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a phone. What the carrier knows about them goes into every webhook, wanted or not."""

    number: str = field(repr=False)
    name: str = field(default="", repr=False)
    city: str = field(default="", repr=False)
    state: str = field(default="", repr=False)
    zip: str = field(default="", repr=False)


def is_number(text: str) -> bool:
    """True for an E.164 number."""
    return _E164.fullmatch(text) is not None


def country(number: str) -> str:
    """ISO code of the country, "" when this small table does not know it."""
    return next((code for prefix, code in sorted(_COUNTRIES, reverse=True) if number.startswith(prefix)), "")


def place(role: str, person: Person) -> dict[str, str]:
    """The geography fields of one party: role "From" gives FromCity, FromState, FromZip, FromCountry."""
    return {
        f"{role}City": person.city,
        f"{role}State": person.state,
        f"{role}Zip": person.zip,
        f"{role}Country": country(person.number),
    }
