"""Recordings that the practised Twilio keeps of calls. They outlive their call. No sound lives here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from carriers.company import API_VERSION, Company, Refusal, http_date


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recording of a call."""

    sid: str
    call: str
    created: datetime

    def resource(self, company: Company) -> dict[str, Any]:
        """The Recording resource as the REST API prints it."""
        return {
            "sid": self.sid,
            "account_sid": company.account_sid,
            "api_version": API_VERSION,
            "call_sid": self.call,
            "channels": 1,
            "date_created": http_date(self.created),
            "date_updated": http_date(self.created),
            "status": "completed",
            "uri": company.uri(f"Recordings/{self.sid}.json"),
        }


class Recordings:
    """All recordings of the account, oldest first."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._all: dict[str, Recording] = {}

    def keep(self, call: str) -> Recording:
        """A call was recorded, because the account or the number is set to."""
        recording = Recording(sid=self._company.sid("RE"), call=call, created=self._company.pace.now())
        self._all[recording.sid] = recording
        return recording

    def of(self, call: str = "") -> list[dict[str, Any]]:
        """The resources of one call's recordings, or of all."""
        return [one.resource(self._company) for one in self._all.values() if call in ("", one.call)]

    def get(self, sid: str) -> Recording:
        """One recording. Raises Refusal 20404."""
        if sid not in self._all:
            raise Refusal(20404)
        return self._all[sid]

    def delete(self, sid: str) -> None:
        """Remove one. Raises Refusal 20404."""
        del self._all[self.get(sid).sid]
