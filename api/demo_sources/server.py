"""HTTP server of simulated sources: one function a path, in threads of its own."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """A request to a simulated source; names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base: str  # address of the server, such as http://127.0.0.1:8100


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    """An answer of a simulated source."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


type DemoPage = Callable[[DemoRequest], DemoAnswer]


def json_answer(document: Any, status: int = 200, **headers: str) -> DemoAnswer:
    body = json.dumps(document, ensure_ascii=False).encode()
    return DemoAnswer(body, status, {"Content-Type": "application/json; charset=utf-8", **headers})


class DemoServer(ThreadingHTTPServer):
    """Simulated sources at one address; a page answers its path and all below it."""

    daemon_threads = True

    def __init__(
        self, pages: Mapping[str, DemoPage], port: int = 0, listener: socket.socket | None = None
    ) -> None:
        """A server at a port, 0: any that is free, or at a socket that listens already."""
        super().__init__(("127.0.0.1", port), _Handler, bind_and_activate=listener is None)
        if listener is not None:
            self.socket.close()
            self.socket = listener
            self.server_name, self.server_port = self.server_address = listener.getsockname()
        self.pages = dict(pages)
        self.base = f"http://127.0.0.1:{self.server_port}"

    def answer(self, request: DemoRequest) -> DemoAnswer:
        """The answer of the page whose path is the longest that fits."""
        for path in sorted(self.pages, key=len, reverse=True):
            if request.path == path or request.path.startswith(path.rstrip("/") + "/"):
                return self.pages[path](request)
        return json_answer({"message": "there is no such page"}, 404)

    def send(self, handler: BaseHTTPRequestHandler, answer: DemoAnswer) -> None:
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body)


class _Handler(BaseHTTPRequestHandler):
    server: DemoServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits until the client has seen its header

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        kind = self.headers.get("Content-Type", "")
        form = dict(parse_qsl(body.decode("utf-8", "replace"))) if "form" in kind else {}
        request = DemoRequest(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            form,
            {name.lower(): value for name, value in self.headers.items()},
            body,
            self.server.base,
        )
        self.server.send(self, self.server.answer(request))

    do_POST = do_GET

    def log_message(self, *words: object) -> None: ...


@contextmanager
def running(server: DemoServer) -> Iterator[DemoServer]:
    """A server that answers while inside."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)
