"""Receivers that never end what they say: a byte now and then, so that no single read is late."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

EVERY_S = 0.1
# What each says at once, then again and again.
PHASES = {
    "silent": (b"", b""),
    "status line": (b"HTTP/1.", b"1"),
    "header": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"y"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "TLS": (b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x00"),
}
MAIL_PHASES = {
    "silent": (b"", b""),
    "greeting": (b"220-mail", b"-"),
    "greeting by lines": (b"", b"220-mail\r\n"),
    "capabilities": (b"220 mail\r\n", b"250-SIZE\r\n"),
    "TLS": PHASES["TLS"],
}


@contextmanager
def dripping(at_once: bytes, again: bytes) -> Iterator[int]:
    """The port of a server that greets each client with both, whatever the client says."""
    ended = threading.Event()

    def drip(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.sendall(at_once)
            while not ended.wait(EVERY_S):
                client.sendall(again)

    def accept() -> None:
        with suppress(OSError):  # the listening socket is closed at the end
            while True:
                client, _ = listening.accept()
                threading.Thread(target=drip, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)
