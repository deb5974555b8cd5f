"""Connections of clients, none of which may be slow for ever.

uvicorn ends a connection that is idle between two requests, and no other: a client that sends its
request by the byte, or does not read its answer, would keep a connection, its memory and a file
descriptor for as long as it likes.
"""

import asyncio
import fcntl
import resource
import socket
import struct
import termios
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gis.settings import Settings

_LARGEST_HEADER: Final = 64 * 1024  # bytes, in the steps in which they arrive
_LEAST_RATE: Final = 1000  # bytes a second that a client has to read; slower is as good as gone
_MOST_UNSENT: Final = 256 * 2**20  # bytes of answers that clients have yet to read
_OTHER_FILES: Final = 256  # descriptors that are left for the database, exports and tiles
_LONGEST_FAREWELL_S: Final = 1.0
_FORGET: Final = struct.pack("ii", 1, 0)  # to linger, for no time


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits for clients, in seconds, and the largest numbers of connections."""

    header_s: float = 15
    body_s: float = 60
    read_s: float = 30
    connections: int = 700


def patience_of(settings: Settings) -> Patience:
    """Patience by the settings, with no more connections than the process may have open files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Patience(
        header_s=settings.client_header_s,
        body_s=settings.client_body_s,
        read_s=settings.client_read_s,
        connections=max(1, min(settings.connections, files - _OTHER_FILES)),
    )


class Connections:
    """Open connections of one process, checked some times a second while there are any."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        shortest = min(patience.header_s, patience.body_s, patience.read_s)
        self._every_s = min(0.5, shortest / 4)
        self._open: set[Connection] = set()
        self._checking = False

    def protocol(self, **given: Any) -> asyncio.Protocol:
        """The protocol that uvicorn creates for each new connection."""
        return Connection(self, **given)

    def opened(self, new: "Connection") -> None:
        if len(self._open) >= self.patience.connections:
            slowest = self._slowest()
            if slowest is None:
                new.refuse(503, "as many clients are served as can be: come again in a moment")
                return
            slowest.cut()
        self._open.add(new)
        if not self._checking:
            self._checking = True
            new.loop.call_later(self._every_s, self._check, new.loop)

    def closed(self, old: "Connection") -> None:
        self._open.discard(old)

    def _slowest(self) -> "Connection | None":
        """The connection to drop for another: idle the longest, first of all before a request."""
        waited_for = [connection for connection in self._open if not connection.is_answered]
        unread = [connection for connection in self._open if connection.unread_since is not None]
        if waited_for:
            return min(waited_for, key=lambda connection: connection.since)
        return min(
            unread, key=lambda connection: cast(float, connection.unread_since), default=None
        )

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        for connection in list(self._open):
            connection.check(now, self._every_s)
        unread = [connection for connection in self._open if connection.unread_since is not None]
        unread.sort(key=lambda connection: cast(float, connection.unread_since))
        unsent = sum(connection.unsent for connection in unread)
        while unsent > _MOST_UNSENT:
            unsent -= unread[0].unsent
            unread.pop(0).cut()
        self._checking = bool(self._open)
        if self._checking:
            loop.call_later(self._every_s, self._check, loop)


class Connection(HttpToolsProtocol):
    """Knows what the client owes: the rest of a request until `_due`, or to read its answer."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._connections = connections
        self._patience = connections.patience
        self._due: float | None = None
        self._header: int | None = 0  # bytes of a header that is not complete
        self._ended_at: float | None = None
        self.since = 0.0  # when the client began to keep us waiting
        self.unread_since: float | None = None
        self.unsent = 0  # bytes that the client has yet to read
        self._read = 0  # bytes that it has read in this window

    @property
    def is_answered(self) -> bool:
        """True where a whole request has arrived, and its answer is not sent yet."""
        return self._due is None and self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._owe(self._patience.header_s)
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._due is None and not self.is_answered:
            self._owe(self._patience.header_s)
        if self._ended_at is not None:
            return
        super().data_received(data)
        if self._header is not None:
            self._header += len(data)
            if self._header > _LARGEST_HEADER:
                self.refuse(431, f"the header of a request has {_LARGEST_HEADER} bytes at most")

    def on_message_begin(self) -> None:
        self._header = 0
        self._owe(self._patience.header_s)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._header = None
        self._owe(self._patience.body_s)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._due = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.since = time.monotonic()
        super().on_response_complete()

    def resume_writing(self) -> None:
        self._read = max(self._read, int(_LEAST_RATE * self._patience.read_s))
        super().resume_writing()

    def cut(self) -> None:
        """End the connection at once, and have the kernel forget what it was to send."""
        client = self.transport.get_extra_info("socket")
        with suppress(OSError):  # it is ended already
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FORGET)
        self.transport.abort()

    def _owe(self, within_s: float) -> None:
        self.since = time.monotonic()
        self._due = self.since + within_s

    def check(self, now: float, every_s: float) -> None:
        """End what takes too long."""
        if self._ended_at is not None:
            if now > self._ended_at + _LONGEST_FAREWELL_S:
                self.cut()
        elif self._due is not None and self.flow.read_paused:
            self._due += every_s  # it is we who do not read
        elif self._due is not None and now >= self._due:
            self._give_up()
        else:
            self._check_reading(now)

    def _give_up(self) -> None:
        if self._header is None:
            self.refuse(408, f"the body did not arrive within {self._patience.body_s:g} s")
        else:
            self.refuse(408, f"the header did not arrive within {self._patience.header_s:g} s")

    def _check_reading(self, now: float) -> None:
        buffered = self.transport.get_write_buffer_size()
        if not buffered:
            self.unread_since, self.unsent, self._read = None, 0, 0
            return
        unsent = buffered + _unacknowledged(self.transport)
        self._read += max(0, self.unsent - unsent)
        self.unsent = unsent
        if self.unread_since is None:
            self.unread_since, self._read = now, 0
        elif now >= self.unread_since + self._patience.read_s:
            if self._read < _LEAST_RATE * self._patience.read_s:
                self.cut()
            self.unread_since, self._read = now, 0

    def refuse(self, status: int, why: str) -> None:
        """Answer, unless an answer has begun, and end the connection."""
        if self._ended_at is not None:
            return
        self._ended_at = time.monotonic()
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            self.transport.write(_refusal(status, why))
        self.transport.close()


def _unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes that the kernel holds until the client's has taken them (SIOCOUTQ)."""
    with suppress(OSError):  # it is ended already
        size = fcntl.ioctl(transport.get_extra_info("socket"), termios.TIOCOUTQ, b"\0" * 4)
        return int(struct.unpack("i", size)[0])
    return 0


def _refusal(status: int, why: str) -> bytes:
    phrase = HTTPStatus(status).phrase
    body = orjson.dumps(
        {
            "type": "about:blank",
            "title": phrase,
            "status": status,
            "detail": why,
            "code": phrase.replace(" ", ""),
            "description": why,
        }
    )
    head = b"content-type: application/problem+json\r\nconnection: close\r\ncontent-length: %d\r\n"
    return b"%s%s\r\n%s" % (STATUS_LINE[status], head % len(body), body)
