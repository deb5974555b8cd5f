"""Request context: an id, the caller's principal, one line in the log, and the
headers that every answer has.
"""

import base64
import binascii
import re
import secrets
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.caching import CREDENTIALS, cache_control, vary
from api.errors import answer_to, problem
from api.header_names import on_wire
from api.logs import REQUEST_ID, RequestLog
from api.normal_form import composed_address
from api.origins import (
    SAFE_METHODS,
    Headers,
    Origins,
    body_advice,
    is_json,
    is_preflight,
    is_records,
)
from api.reserve import Reserve
from gis.access import ANONYMOUS, Principal, authenticate
from gis.database.engine import Database
from gis.errors import NoKey

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
]
_NO_BODY: Message = {"type": "http.response.body", "body": b"", "more_body": False}
_KEYS_AT_A_TIME = 4  # are looked up, whoever else waits for the database


class RequestContext:
    """Gives `request.state` a `request_id` and a `principal`; answers at once a key that fails, and
    what a page of another origin may not do.

    Stands outside of all else, so that errors have its headers too, those of unknown exceptions
    included. `shared_cache_s`: see `api.caching`.
    """

    def __init__(
        self,
        app: ASGIApp,
        database: Database,
        log: RequestLog,
        origins: Origins | None = None,
        shared_cache_s: int = 0,
    ) -> None:
        self.app = app
        self.log = log
        self.origins = origins or Origins()
        self.shared_cache_s = shared_cache_s
        self._keys = Reserve(database, _KEYS_AT_A_TIME)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = composed_address(scope)
        headers = dict(reversed(scope["headers"]))  # of headers of one name the first counts
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = _request_id(headers)
        method, started, status = scope["method"], time.perf_counter(), 500

        async def send_completed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._completed(message, scope, headers)
                await send(message)
                if method == "HEAD":  # ends what is answered bit by bit, such as a stream of events
                    await send(_NO_BODY)
            elif method != "HEAD":
                await send(message)

        bound = REQUEST_ID.set(request_id)
        try:
            await self._answer(scope, headers, receive, send_completed)
        finally:
            REQUEST_ID.reset(bound)
            entry = {
                "method": method,
                "path": scope["path"],
                "status": status,
                "took_ms": round(1000 * (time.perf_counter() - started), 1),
                "who": state.get("principal", ANONYMOUS).name,
            }
            self.log.write(request_id, entry)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """Whatever has GET has HEAD."""
        inner_scope = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        answer: ASGIApp | None = self._refusal(scope, headers)
        if answer is None:
            try:
                scope["state"]["principal"] = await self._principal(headers)
                answer = self.app
            except Exception as error:  # nothing outside of here would answer it
                answer = answer_to(Request(scope), error)
        await answer(inner_scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a preflight, and to a write that a strange page may have made."""
        if is_preflight(scope["method"], headers):
            return self._preflight(scope, headers)
        if scope["method"] in SAFE_METHODS:
            return None
        request = Request(scope)
        if not self.origins.may_write(headers):
            origin = headers.get(b"origin", b"another origin").decode("latin-1")
            return problem(
                request,
                403,
                f"a page of {origin} may not write here: send it from this service's own pages or "
                "from no browser, or let an administrator name the origin in GIS_CORS_ORIGINS",
            )
        if not (is_json(headers) or is_records(scope["path"], headers)):
            given = headers.get(b"content-type", b"none").decode("latin-1")
            return problem(
                request,
                415,
                f"the header Content-Type is {given}: {body_advice(scope['path'])}",
            )
        return None

    def _preflight(self, scope: Scope, headers: Headers) -> Response:
        origin, method = headers[b"origin"], headers[b"access-control-request-method"]
        allowed = self.origins.preflight_headers(origin, method)
        if allowed is None:
            return problem(
                Request(scope),
                403,
                f"a page of {origin.decode('latin-1')} may not send {method.decode('latin-1')} "
                "here: an administrator names origins in GIS_CORS_ORIGINS",
            )
        answer = Response(status_code=204)
        answer.raw_headers.extend(allowed)
        return answer

    def _completed(
        self, message: Message, scope: Scope, headers: Headers
    ) -> list[tuple[bytes, bytes]]:
        """The headers of an answer, with those that every answer has."""
        caching = varied = b""
        every = []
        for header in message.get("headers", ()):
            if header[0] == b"cache-control":
                caching = header[1]
            elif header[0] == b"vary":
                varied = b"%s, %s" % (varied, header[1]) if varied else header[1]
            else:
                every.append(header)
        if message["status"] >= 400 or scope["method"] not in _CACHEABLE:
            caching = b"no-store"
        keyed = CREDENTIALS[0] in headers or CREDENTIALS[1] in headers
        origins, state = self.origins, scope["state"]
        every += _SECURITY
        every += origins.answer_headers(headers.get(b"origin"))
        every += (
            (b"cache-control", cache_control(caching, keyed, self.shared_cache_s)),
            (b"vary", vary(varied, "negotiated" in state, not origins.any_reads)),
            (b"x-request-id", state["request_id"].encode()),
        )
        return on_wire(every) if scope["http_version"].startswith("1") else every

    async def _principal(self, headers: Headers) -> Principal:
        key = key_of(headers)
        return ANONYMOUS if key is None else await self._keys.run(self._authenticate, key)

    def _authenticate(self, key: str) -> Principal:
        with self._keys.database.reading() as connection:
            return authenticate(connection, key)


_CACHEABLE = ("GET", "HEAD")


def key_of(headers: Headers) -> str | None:
    """The key of the header X-API-Key, or the user name of HTTP Basic; None when neither."""
    if b"x-api-key" in headers:
        return headers[b"x-api-key"].decode("latin-1")
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise NoKey("the header Authorization is not Basic user:password in base64") from error


def _request_id(headers: Headers) -> str:
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _ID.fullmatch(given) else secrets.token_hex(16)
