"""One deadline for a whole exchange over the network.

Time-outs of sockets hold for a single read or write, so a peer that sends a byte a second never
meets one; a deadline holds for all reads and writes together.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Deadline:
    """A moment at which its connections are cut: what waits for one fails at once with OSError."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def left_s(self) -> float:
        """Seconds that are left. Raises TimeoutError when none are."""
        if self.passed:
            raise TimeoutError(f"not done within {self.seconds:g} s")
        return max(self._end - time.monotonic(), 0.001)

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to the first address of a host that answers. Raises OSError."""
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        failed = OSError(f"the host {host} has no address")
        for address in dict.fromkeys(str(info[4][0]) for info in addresses):
            try:
                connection = socket.create_connection((address, port), self.left_s())
            except OSError as error:
                failed = error
                continue
            self.add(connection)
            return connection
        raise failed

    def add(self, connection: socket.socket) -> None:
        """Cut this connection too when the deadline passes."""
        # A descriptor of our own, since TLS takes over that of the socket.
        with self._lock:
            self._connections.append(connection.dup())
        if self.passed:
            self.cut()

    def cut(self) -> None:
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # the other end has closed it
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            while self._connections:
                self._connections.pop().close()


@contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """A deadline in so many seconds, in force while inside."""
    until = Deadline(seconds)
    timer = threading.Timer(seconds, until.cut)
    timer.daemon = True
    timer.start()
    try:
        yield until
    finally:
        timer.cancel()
        until.close()
