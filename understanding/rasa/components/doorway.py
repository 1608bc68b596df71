"""The door of the side-car: it answers `GET /` and `POST /model/parse`, and nothing else that Rasa's API offers.

Rasa takes it for a messaging channel (credentials.yml), because that is the place where its server lets others in.
Without it whoever reaches the port could put another model in place, read trackers, or start a training. A text that
begins with a stroke does not pass either: Rasa takes it for a command, and its log quotes one that it does not know.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint, Sanic, response
from sanic.request import Request
from sanic.response import HTTPResponse

OPEN = {("GET", "/"), ("POST", "/model/parse")}
LARGEST = 64 << 10  # bytes of a request; a message is at most 4,000 characters


async def refuse(request: Request) -> HTTPResponse | None:
    """An answer to what does not pass, before any of Rasa's own handlers sees it; None lets it through."""
    if (request.method, request.path) not in OPEN or request.args:
        return response.json({"status": "failure"}, status=404)
    if _is_command(request.body):
        return response.json({"status": "failure"}, status=400)
    return None


def _is_command(body: bytes) -> bool:
    """Would Rasa read this as a command? What is no message at all is Rasa's own to refuse."""
    try:
        text = json.loads(body)["text"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return isinstance(text, str) and text.strip().startswith("/")


class ParseOnly(InputChannel):
    """No channel at all: it takes no messages and has no address of its own."""

    @classmethod
    def name(cls) -> str:
        """Its name in Rasa's log."""
        return "parse_only"

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> "ParseOnly":
        """There are none."""
        return cls()

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """What Rasa adds to its server: a listener that puts the door in before anybody is served."""
        door = Blueprint("parse_only")

        @door.listener("before_server_start")
        async def close(app: Sanic, _: Any) -> None:
            app.config.REQUEST_MAX_SIZE = LARGEST
            app.config.ACCESS_LOG = False
            app.register_middleware(refuse, "request")

        return door
