"""Names of headers as RFCs write them.

Names mean the same in any case, but there are clients that read one case alone: QGIS 3.40 finds
the address of a new item under `Location` only, and reports that the item was not stored.
Starlette writes names in lower case, and uvicorn lower-cases whatever it is given.
"""

from collections.abc import Iterable


class WireName(bytes):
    """A name that stays as it is when it is lower-cased."""

    __slots__ = ()
    lower = bytes.__bytes__


class _WireNames(dict[bytes, bytes]):
    """By whatever case an answer has them in. All are our own: none comes from a client."""

    def __missing__(self, name: bytes) -> bytes:
        lower = name.lower()
        wire = lower if lower in _FRAMING else WireName(_OTHERWISE.get(lower) or lower.title())
        return self.setdefault(name, wire)


_OTHERWISE = {b"etag": b"ETag", b"www-authenticate": b"WWW-Authenticate"}
# The server compares these, to know where an answer ends.
_FRAMING = {b"connection", b"content-length", b"transfer-encoding"}
_NAMES = _WireNames()


def on_wire(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """For HTTP/1.1 alone: in HTTP/2 names are lower-case."""
    return [(_NAMES[name], value) for name, value in headers]
