"""What happens around every request: an id, the caller's principal, one line in the log."""

import base64
import binascii
import re
import secrets
import time

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem, status_of
from api.logs import REQUEST_ID, RequestLog
from api.reserve import Reserve
from gis.access import ANONYMOUS, Principal, authenticate
from gis.database.engine import Database
from gis.errors import GisError, NoKey

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
]

_KEYS_AT_A_TIME = 4  # are looked up, whoever else waits for the database


class RequestContext:
    """Gives `request.state` a `request_id` and a `principal`; answers at once a key that fails."""

    def __init__(self, app: ASGIApp, database: Database, log: RequestLog) -> None:
        self.app = app
        self._keys = Reserve(database, _KEYS_AT_A_TIME)
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        request_id = request.state.request_id = _request_id(request.headers)
        started = time.perf_counter()
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = (b"x-request-id", request_id.encode())
                message["headers"] = [*message["headers"], *_SECURITY, named]
            await send(message)

        bound = REQUEST_ID.set(request_id)
        try:
            await self._answer(request, receive, send_and_note)
        finally:
            REQUEST_ID.reset(bound)
            told = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "took_ms": round(1000 * (time.perf_counter() - started), 1),
                "who": getattr(request.state, "principal", ANONYMOUS).name,
            }
            self.log.write(request_id, told)

    async def _answer(self, request: Request, receive: Receive, send: Send) -> None:
        try:
            request.state.principal = await self._principal(request.headers)
        except GisError as refusal:
            await problem(request, status_of(refusal), str(refusal))(request.scope, receive, send)
            return
        await self.app(request.scope, receive, send)

    async def _principal(self, headers: Headers) -> Principal:
        key = key_of(headers)
        return ANONYMOUS if key is None else await self._keys.run(self._authenticate, key)

    def _authenticate(self, key: str) -> Principal:
        with self._keys.database.reading() as connection:
            return authenticate(connection, key)


def key_of(headers: Headers) -> str | None:
    """The key of the header X-API-Key, or the user name of HTTP Basic; None when neither."""
    if "x-api-key" in headers:
        return headers["x-api-key"]
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise NoKey("the header Authorization is not Basic user:password in base64") from error


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else secrets.token_hex(16)
