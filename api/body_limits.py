"""Size limits of request bodies: counted while they arrive, before anything is parsed."""

from typing import Final

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from gis.access import ANONYMOUS

_MEGABYTE: Final = 1_000_000
_AT_A_TIME: Final = 5  # bodies of the largest size that are held for clients without a key


class BodyLimits:
    """Refuses a body that is too large, by its declared size before it is read.

    The bodies of clients without a key have a bound together as well. Stands inside RequestContext,
    which says who asks.
    """

    def __init__(self, app: ASGIApp, largest_mb: float) -> None:
        self.app = app
        self._largest = int(largest_mb * _MEGABYTE)
        self._too_large = f"a body may have {largest_mb:g} MB at most"
        self._held = 0  # bytes, for clients without a key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        refusal = self._refusal(request)
        if refusal is not None:
            await problem(request, *refusal)(scope, receive, send)
            return
        anonymous = request.state.principal.role is ANONYMOUS.role
        size = 0

        async def receive_counted() -> Message:
            nonlocal size
            message = await receive()
            part = len(message.get("body", b""))
            size += part
            self._held += part if anonymous else 0
            if size > self._largest:
                raise HTTPException(413, self._too_large)
            if anonymous and self._held > _AT_A_TIME * self._largest:
                raise HTTPException(503, "too much arrives at a time: try again later")
            return message

        try:
            await self.app(scope, receive_counted, send)
        finally:
            self._held -= size if anonymous else 0

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        """A status and why, as far as the headers show."""
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._largest:
            return 413, self._too_large
        coding = request.headers.get("content-encoding", "identity").strip().lower()
        if coding != "identity":
            return 415, f"a body is sent as it is, without Content-Encoding: {coding}"
        return None
