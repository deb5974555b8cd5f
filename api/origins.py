"""Web pages of other origins: what they may read (CORS), and whose writes are refused (CSRF).

A browser sends the password of HTTP Basic along with whatever a page of any origin makes it send.
So a write counts only where the browser names no page, this service's own page, or one of an origin
that the settings name; and its body has a type that no form can have, or a key beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from gis.settings import Settings

type Headers = Mapping[bytes, bytes]  # of a request, by their names in lower case

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_READING = b"GET, HEAD"
_WRITING = b"GET, HEAD, POST, PUT, PATCH, DELETE"
# What scripts may read, beside Cache-Control, Content-Language, -Length, -Type and Last-Modified.
EXPOSED = (
    b"Allow, Content-Crs, Content-Disposition, Content-Range, ETag, Link, Location, Retry-After, "
    b"X-Request-Id"
)
_ASKED = (
    b"Accept, Accept-Language, Authorization, Cache-Control, Content-Crs, Content-Language, "
    b"Content-Type, Idempotency-Key, If-Match, If-Modified-Since, If-None-Match, If-Range, "
    b"If-Unmodified-Since, Last-Event-ID, Pragma, Prefer, Range, X-API-Key, X-Request-Id, "
    b"X-Requested-With"
)
_KEPT_S = b"3600"


@dataclass(frozen=True, slots=True)
class Origins:
    """`named` origins may read and write, any other may read where `any_reads`.

    No answer allows credentials: what a browser keeps of this service, no other page can use.
    """

    any_reads: bool = True
    named: frozenset[bytes] = frozenset()
    own_host: bytes = b""  # of the public URL

    @classmethod
    def of(cls, settings: Settings) -> Self:
        words = settings.cors_origins.lower().split()
        named = frozenset(word.encode() for word in words if word not in ("*", "none"))
        return cls("*" in words, named, urlsplit(settings.public_url or "").netloc.encode())

    def answer_headers(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        """CORS headers of an answer to an origin, but for Vary, which the middleware writes."""
        if self.any_reads:
            return _READ_BY_ALL
        if origin is None or origin.lower() not in self.named:
            return []
        return [(b"access-control-allow-origin", origin), *_READ_BY_ALL[1:]]

    def preflight_headers(self, origin: bytes, method: bytes) -> list[tuple[bytes, bytes]] | None:
        """CORS headers that answer a preflight; None where the request is not allowed."""
        named = origin.lower() in self.named
        if not (named or (self.any_reads and method in (b"GET", b"HEAD"))):
            return None
        return [
            (b"access-control-allow-methods", _WRITING if named else _READING),
            (b"access-control-allow-headers", _ASKED),
            (b"access-control-max-age", _KEPT_S),
        ]

    def may_write(self, headers: Headers) -> bool:
        """True where a write comes from no page, from our own, or from one of a named origin.

        Browsers say so in Sec-Fetch-Site; those that do not, or that see us without TLS, send
        Origin. Programs that are no browsers send neither.
        """
        origin = headers.get(b"origin")
        if origin is not None and origin.lower() in self.named:
            return True
        site = headers.get(b"sec-fetch-site")
        if site is not None:
            return site in (b"same-origin", b"none")
        if origin is None:
            return True
        forwarded = headers.get(b"x-forwarded-host", b"").partition(b",")[0].strip()
        own = {headers.get(b"host", b"").lower(), forwarded.lower(), self.own_host.lower()}
        return origin.lower().partition(b"://")[2] in own - {b""}


_READ_BY_ALL = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED),
]


def is_preflight(method: str, headers: Headers) -> bool:
    """True for a CORS preflight of a browser; other clients send a plain OPTIONS."""
    return method == "OPTIONS" and b"origin" in headers and _REQUEST_METHOD in headers


_REQUEST_METHOD = b"access-control-request-method"


def is_json(headers: Headers) -> bool:
    """True where a body has a type of JSON; a request without body and type passes too."""
    kind = headers.get(b"content-type")
    if kind is None:
        length = headers.get(b"content-length", b"0")
        return length == b"0" and b"transfer-encoding" not in headers
    media = kind.partition(b";")[0].strip().lower()
    return media == b"application/json" or (
        media.startswith(b"application/") and media.endswith(b"+json")
    )


def is_records(path: str, headers: Headers) -> bool:
    """True for records sent to a layer: of a type that no form can have, or in a form with a key
    in a header, which no form can send.
    """
    if not path.startswith("/ingest/"):
        return False
    media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return media in _RECORDS or (media == b"multipart/form-data" and b"x-api-key" in headers)


def body_advice(path: str) -> str:
    """What a write to this path may have as its Content-Type."""
    if path.startswith("/ingest/"):
        kinds = ", ".join(sorted(media.decode() for media in _RECORDS))
        return (
            f"records are one of {kinds}, application/geo+json, or, with the key in the header "
            "X-API-Key, a multipart/form-data with one file"
        )
    return (
        "a body is JSON here, so send Content-Type: application/json (or another of JSON, such as "
        "application/geo+json); without a body, leave the header out"
    )


_RECORDS = {
    b"text/csv", b"text/tab-separated-values", b"application/x-ndjson", b"application/ndjson",
    b"application/jsonl",
}  # fmt: skip
