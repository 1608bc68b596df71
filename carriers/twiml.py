"""Reads TwiML: text in, verbs out, or the error Twilio would report. Pure; nothing is carried out here.

What a verb may contain is one table per product. A verb that Twilio knows and the table does not is refused
too: better a plain error in practice than silence in earnest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from xml.etree import ElementTree

NOT_XML = 12100
NOT_TWIML = 12200
BAD_CONTENT_TYPE = 12300

_XML_TYPES = ("text/xml", "application/xml", "application/rss+xml", "text/html")


class TwimlError(Exception):
    """The document cannot be carried out; `code` is Twilio's error number."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One element: its words, attributes and children. `text` includes the words inside SSML marks."""

    name: str
    text: str = field(default="", repr=False)
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    children: tuple["Verb", ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """An attribute, or the default."""
        return self.attributes.get(name, default)

    def number(self, name: str, default: float) -> float:
        """An attribute that is a number. "auto" and the like are the default."""
        value = self.get(name)
        return float(value) if value.replace(".", "", 1).isdigit() else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What one element may have."""

    attributes: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()


def _shape(attributes: str = "", children: str = "") -> Shape:
    return Shape(attributes=frozenset(attributes.split()), children=frozenset(children.split()))


_SSML = "break emphasis lang p phoneme prosody s say-as sub w"

VOICE: Mapping[str, Shape] = MappingProxyType(
    {
        "Response": _shape("", "Say Play Pause Gather Redirect Dial Hangup Reject"),
        "Say": _shape("voice language loop", _SSML),
        "Play": _shape("loop digits"),
        "Pause": _shape("length"),
        "Gather": _shape(
            "action method timeout numDigits finishOnKey input hints language profanityFilter speechTimeout "
            "speechModel enhanced actionOnEmptyResult bargeIn partialResultCallback partialResultCallbackMethod "
            "maxSpeechTime dtmfDetection debug",
            "Say Play Pause",
        ),
        "Redirect": _shape("method"),
        "Dial": _shape(
            "action method timeout hangupOnStar timeLimit callerId answerOnBridge ringTone sequential referUrl record",
            "Number",
        ),
        "Number": _shape("url method statusCallback statusCallbackEvent statusCallbackMethod sendDigits"),
        "Hangup": _shape(),
        "Reject": _shape("reason"),
    }
)

MESSAGING: Mapping[str, Shape] = MappingProxyType(
    {
        "Response": _shape("", "Message Redirect"),
        "Message": _shape("to from action method statusCallback", "Body Media"),
        "Body": _shape(),
        "Media": _shape(),
        "Redirect": _shape("method"),
    }
)


def read(body: str, content_type: str, grammar: Mapping[str, Shape]) -> tuple[Verb, ...]:
    """The verbs of a response, in order; an empty body has none. Raises TwimlError."""
    if not body.strip():
        return ()
    if content_type.partition(";")[0].strip().lower() not in _XML_TYPES:
        raise TwimlError(BAD_CONTENT_TYPE, "the Content-Type is not one of XML's")
    return parse(body, grammar)


def parse(body: str, grammar: Mapping[str, Shape]) -> tuple[Verb, ...]:
    """The verbs of a document, in order. Raises TwimlError."""
    if "<!DOCTYPE" in body or "<!ENTITY" in body:
        raise TwimlError(NOT_XML, "TwiML has no document type")
    try:
        root = ElementTree.fromstring(body.strip())  # noqa: S314 - no document type, hence no entities, gets here
    except ElementTree.ParseError as error:
        raise TwimlError(NOT_XML, "the document is not well-formed XML") from error
    if root.tag != "Response":
        raise TwimlError(NOT_XML, "the document is not a <Response>")
    return _verb(root, grammar).children


def _verb(element: ElementTree.Element, grammar: Mapping[str, Shape]) -> Verb:
    shape = grammar.get(element.tag)
    if shape is None:  # SSML inside <Say>: its words, and how they are said
        return Verb(name=element.tag, text="".join(element.itertext()), attributes=dict(element.attrib))
    unknown = set(element.attrib) - shape.attributes
    if unknown:
        raise TwimlError(NOT_TWIML, f"<{element.tag}> has no attribute {min(unknown)!r}")
    strangers = {child.tag for child in element} - shape.children
    if strangers:
        raise TwimlError(NOT_TWIML, f"<{element.tag}> may not contain <{min(strangers)}>")
    return Verb(
        name=element.tag,
        text="".join(element.itertext()).strip(),
        attributes=dict(element.attrib),
        children=tuple(_verb(child, grammar) for child in element),
    )
