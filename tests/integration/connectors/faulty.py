"""A server of simulated sources that fails in each way in which servers do."""

import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, cast

from api.demo_sources.server import DemoAnswer, DemoPage, DemoRequest, DemoServer, running
from gis.connectors import CONNECTORS
from gis.connectors.connector import Batch, Connector, Cursor, Surroundings
from gis.egress import EgressPolicy, networks_of
from gis.errors import BadFile, SourceRefused, SourceUnavailable

LOCAL = EgressPolicy(networks_of("127.0.0.0/8"), "GIS_SOURCE_NETWORKS")
HTML = "<!DOCTYPE html><html><head><title>Đăng nhập</title></head><body>…</body></html>".encode()


class FaultyServer(DemoServer):
    """Its answers are given by `fault`, where that is set, in place of the right ones."""

    def __init__(self, pages: Mapping[str, DemoPage]) -> None:
        super().__init__(pages)
        self.fault: Callable[[FaultyServer, BaseHTTPRequestHandler, DemoAnswer], None] | None = None
        self.asked: list[DemoRequest] = []
        self.released = threading.Event()

    def answer(self, request: DemoRequest) -> DemoAnswer:
        self.asked.append(request)
        return super().answer(request)

    def send(self, handler: BaseHTTPRequestHandler, answer: DemoAnswer) -> None:
        if self.fault is None:
            super().send(handler, answer)
        else:
            self.fault(self, handler, answer)

    def plainly(self, handler: BaseHTTPRequestHandler, answer: DemoAnswer) -> None:
        super().send(handler, answer)


@contextmanager
def faulty(pages: Mapping[str, DemoPage]) -> Iterator[FaultyServer]:
    server = FaultyServer(pages)
    with running(server):
        try:
            yield server
        finally:
            server.released.set()


def _cut(server: FaultyServer, handler: BaseHTTPRequestHandler, answer: DemoAnswer) -> None:
    """Half of what the header has promised."""
    handler.send_response(200)
    handler.send_header("Content-Type", answer.headers.get("Content-Type", ""))
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    handler.wfile.write(answer.body[: len(answer.body) // 2])
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def _silent(server: FaultyServer, handler: BaseHTTPRequestHandler, answer: DemoAnswer) -> None:
    server.released.wait(10)
    handler.close_connection = True


def _dripping(server: FaultyServer, handler: BaseHTTPRequestHandler, answer: DemoAnswer) -> None:
    """A byte now and then, so that no single read is too slow."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not server.released.wait(0.05):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            break
    handler.close_connection = True


def _answering(
    status: int, body: bytes = b"", kind: str = "application/json", **headers: str
) -> Callable[[FaultyServer, BaseHTTPRequestHandler, DemoAnswer], None]:
    said = DemoAnswer(body, status, {"Content-Type": kind, **headers})
    return lambda server, handler, answer: server.plainly(handler, said)


def _other_bytes(server: FaultyServer, handler: BaseHTTPRequestHandler, answer: DemoAnswer) -> None:
    """Bytes of another encoding than the header says."""
    body = answer.body.replace(b'"', b'"\xe9\xff', 1)
    server.plainly(handler, DemoAnswer(body, 200, answer.headers))


@dataclass(frozen=True)
class Fault:
    """A way to fail, and the error that a connector makes of it."""

    name: str
    send: Callable[[FaultyServer, BaseHTTPRequestHandler, DemoAnswer], None]
    error: type[Exception]
    words: str = ""
    timeout_s: float = 20  # of what waits for nothing, so that a busy machine does not matter
    longest_s: float = 60


FAULTS = (
    Fault("cut in the middle", _cut, SourceUnavailable, "cut"),
    Fault("silent", _silent, SourceUnavailable, "slow", timeout_s=0.3),
    Fault("dripping", _dripping, SourceUnavailable, "longer than", longest_s=0.5),
    Fault("500", _answering(500, b'{"message": "NullPointer"}'), SourceUnavailable, "500"),
    Fault("503", _answering(503, **{"Retry-After": "120"}), SourceUnavailable, "503"),
    Fault("429", _answering(429, **{"Retry-After": "120"}), SourceUnavailable, "429"),
    Fault("401", _answering(401), SourceRefused, "renew the secret"),
    Fault("403", _answering(403), SourceRefused, "renew the secret"),
    Fault("404", _answering(404), SourceRefused, "correct the address"),
    Fault("HTML", _answering(200, HTML, "text/html; charset=utf-8"), SourceRefused, "HTML"),
    Fault("HTML as JSON", _answering(200, HTML), SourceRefused, "Đăng nhập"),
    Fault("garbage", _answering(200, b"\x00\x01garbage\xff"), BadFile),
    Fault("half of JSON", _answering(200, b'{"value": [{"a": 1}, {"a"'), BadFile),
    Fault("nothing", _answering(200), BadFile, "empty"),
    Fault("another encoding", _other_bytes, BadFile),
    Fault("another schema", _answering(200, b'{"zzz": {"yyy": 1}}'), BadFile),
    Fault("too large", _answering(200, b" " * 3_000_000), BadFile, "more than"),
)


def surroundings(secrets: Mapping[str, str] | None = None, **limits: Any) -> Surroundings:
    usual: dict[str, Any] = {"timeout_s": 20, "longest_s": 60, "most_bytes": 2 * 2**20}
    return Surroundings(secrets or {}, LOCAL, **(usual | limits))


def connector(name: str, around: Surroundings | None = None, **options: Any) -> Connector[Any]:
    kind = CONNECTORS[name]
    return kind(kind.Options.model_validate(options), around or surroundings())


@dataclass
class Reading:
    """All batches of a reading."""

    batches: list[Batch] = field(default_factory=list)

    @property
    def records(self) -> list[Any]:
        return [record for batch in self.batches for record in batch.records]

    @property
    def cursor(self) -> Cursor:
        return self.batches[-1].cursor if self.batches else {}

    @property
    def is_whole(self) -> bool:
        return bool(self.batches) and self.batches[-1].ends_whole


def read(source: Connector[Any], cursor: Cursor | None = None) -> Reading:
    """All that a source gives after a cursor; only the last batch may end it."""
    try:
        reading = Reading(list(source.read(cursor or {})))
    finally:
        source.close()
    assert not any(batch.ends_whole for batch in reading.batches[:-1])
    return reading


def first_batch(source: Connector[Any], cursor: Cursor | None = None) -> Batch:
    """The first batch of a reading that is then left, as when its process dies."""
    reading = cast(Generator[Batch], source.read(cursor or {}))
    try:
        return next(reading)
    finally:
        reading.close()
        source.close()
