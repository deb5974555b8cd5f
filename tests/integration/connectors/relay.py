"""A relay before a real server, which stands still or cuts its connections when asked to."""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Passes bytes between clients at `port` and a server, in a thread for each connection."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.passes = threading.Event()
        self.passes.set()
        self.cut_after: int | None = None  # bytes of the server, after which connections are cut
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.passes.set()
        for each in [self._listener, *self._open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = self._connect()
                self._open += [client, server]
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with suppress(OSError, ValueError):
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    content = ready.recv(65_536)
                    self.passes.wait(30)
                    if ready is server and self.cut_after is not None:
                        content = content[: max(self.cut_after - passed, 0)]
                    if ready is server:
                        passed += len(content)
                    if not content:
                        raise OSError
                    (server if ready is client else client).sendall(content)
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(connect: Callable[[], socket.socket]) -> Iterator[Relay]:
    made = Relay(connect)
    try:
        yield made
    finally:
        made.close()


def unix_socket(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    return connection
