"""What every webhook does whoever the provider is: bound the body, refuse plainly, count, never fall over.

No provider's signature and no provider's field lives here; those belong to the adapter of that provider.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from channels.messages import Answer, ChannelName, Incoming, NotKept, Receive, Refused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_SECONDS = 10.0  # a body that takes longer is not from the provider, or not worth a worker


class Refusal(Exception):
    """The request is refused: `status` and `say` go back to the caller, `reason` is counted."""

    def __init__(self, status: int, reason: str, say: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.say = say


def malformed() -> Refusal:
    """The request cannot be read as what this address expects."""
    return Refusal(400, "malformed", "This request could not be read. Nothing was stored.")


def guarded(channel: ChannelName, refused: Refused, handler: Handler) -> Handler:
    """Wrap a webhook so that whatever happens ends in a plain answer and a count, and leaves no trace of the content.

    NotKept and unexpected errors are answered 503, so that a provider that tries again does so.
    """

    async def guard(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            refused(channel, refusal.reason)
            return web.Response(status=refusal.status, text=refusal.say)
        except NotKept:
            return _later()
        except Exception as error:  # test_a_failure_of_our_own_is_counted_and_left_to_the_provider
            refused(channel, failed(error))
            return _later()

    return guard


def failed(error: Exception) -> str:
    """The reason under which an error of our own is counted: its type, never its message, which may hold words."""
    return f"failed:{type(error).__name__}"


def only(request: web.Request, name: str) -> str:
    """The header that a request is believed by; "" when it is missing, or there is more than one to choose from."""
    given = request.headers.getall(name, [])
    return given[0] if len(given) == 1 else ""


async def read_body(request: web.Request, limit: int) -> bytes:
    """The request's body, at most `limit` bytes. Raises Refusal when it is larger, late, packed or cut short."""
    if request.headers.get("Content-Encoding"):
        raise malformed()  # no provider packs its webhooks; a small packed body could unfold into a large one
    if (request.content_length or 0) > limit:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _at_most(request, limit)
    except TimeoutError:
        raise Refusal(408, "slow", "The request took too long. Nothing was stored.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise malformed() from None


async def _at_most(request: web.Request, limit: int) -> bytes:
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > limit:
            raise _too_large()
    return bytes(body)


async def heard(receive: Receive, incoming: Incoming) -> Answer | None:
    """What to say to this event. When it could not be kept, that is what the person is told; without words for it,
    NotKept goes on to the caller."""
    try:
        return await receive(incoming)
    except NotKept as lost:
        if lost.answer is None:
            raise
        return lost.answer


def _too_large() -> Refusal:
    return Refusal(413, "too_large", "This request is too large. Nothing was stored.")


def _later() -> web.Response:
    return web.Response(status=503, text="The line cannot take this right now. Please try again.")
