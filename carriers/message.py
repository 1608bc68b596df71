"""What a text message is: the record, the order for one, and how both appear on the wire. Values only.

What becomes of a message is in messages.py.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from carriers.company import API_VERSION, Company, http_date
from carriers.numbers import place
from carriers.segments import count

WHATSAPP = "whatsapp:"


class MessageStatus(StrEnum):
    """Twilio's statuses that we practise."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    RECEIVED = "received"


UNFINISHED = frozenset({MessageStatus.QUEUED, MessageStatus.SENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture or sound that came with a message."""

    sid: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One Message resource."""

    sid: str
    direction: str
    status: MessageStatus
    created: datetime
    updated: datetime
    from_: str = field(repr=False)
    to: str = field(repr=False)
    body: str = field(repr=False)
    sent: datetime | None = None
    error_code: int | None = None
    media: tuple[Media, ...] = field(default=(), repr=False)
    status_callback: str = field(default="", repr=False)
    messaging_service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageOrder:
    """What somebody asks us to send."""

    from_: str = field(repr=False)
    to: str = field(repr=False)
    body: str = field(repr=False)
    direction: str = "outbound-api"
    status_callback: str = field(default="", repr=False)
    media_urls: tuple[str, ...] = field(default=(), repr=False)
    messaging_service: str | None = None


def webhook_fields(company: Company, message: Message) -> dict[str, str]:
    """What every webhook about a message carries."""
    return {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "AccountSid": company.account_sid,
        "From": message.from_,
        "To": message.to,
        "ApiVersion": API_VERSION,
    }


def incoming_fields(company: Company, message: Message) -> dict[str, str]:
    """What the webhook of an incoming message carries besides, all that is known about the person included."""
    fields = {
        "SmsMessageSid": message.sid,
        "SmsStatus": "received",
        "Body": message.body,
        "NumMedia": str(len(message.media)),
        "NumSegments": str(count(message.body)),
    }
    for index, media in enumerate(message.media):
        path = company.uri(f"Messages/{message.sid}/Media/{media.sid}")
        fields[f"MediaUrl{index}"] = company.addresses.get("api", "") + path
        fields[f"MediaContentType{index}"] = media.content_type
    person = company.person(message.from_.removeprefix(WHATSAPP))
    fields |= place("From", person)
    fields |= place("To", company.person(message.to.removeprefix(WHATSAPP)))
    if message.from_.startswith(WHATSAPP):
        fields |= {"ProfileName": person.name, "WaId": person.number.removeprefix("+")}
    return fields


def status_fields(company: Company, message: Message) -> dict[str, str]:
    """What a status callback carries."""
    status = {"MessageStatus": message.status.value, "SmsStatus": message.status.value}
    if message.error_code is not None:
        status["ErrorCode"] = str(message.error_code)
    if message.status is MessageStatus.DELIVERED:
        status["RawDlrDoneDate"] = message.updated.strftime("%y%m%d%H%M")
    return webhook_fields(company, message) | status


def resource(company: Company, message: Message) -> dict[str, Any]:
    """The Message resource as the REST API prints it."""
    path = f"Messages/{message.sid}"
    return {
        "account_sid": company.account_sid,
        "api_version": API_VERSION,
        "body": message.body,
        "date_created": http_date(message.created),
        "date_sent": http_date(message.sent),
        "date_updated": http_date(message.updated),
        "direction": message.direction,
        "error_code": message.error_code,
        "error_message": None,
        "from": message.from_ or None,
        "messaging_service_sid": message.messaging_service,
        "num_media": str(len(message.media)),
        "num_segments": str(count(message.body)),
        "price": None,
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status.value,
        "subresource_uris": {"media": company.uri(f"{path}/Media.json")},
        "tags": None,
        "to": message.to,
        "uri": company.uri(f"{path}.json"),
    }


def media_resource(company: Company, message: Message, media: Media) -> dict[str, Any]:
    """A Media resource as the REST API prints it."""
    return {
        "sid": media.sid,
        "account_sid": company.account_sid,
        "parent_sid": message.sid,
        "content_type": media.content_type,
        "date_created": http_date(message.created),
        "date_updated": http_date(message.updated),
        "uri": company.uri(f"Messages/{message.sid}/Media/{media.sid}.json"),
    }
