"""Real processes that write alerts, deliver them and receive them, to be killed at any moment."""

import contextlib
import hashlib
import multiprocessing
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.process import BaseProcess
from pathlib import Path

from gis.database.engine import Database
from gis.delivery.reach import Reach, networks_of
from gis.delivery.retrying import Retrying
from gis.delivery.sending import Sender, send_due
from gis.delivery.signing import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER, verify
from gis.errors import Unavailable
from tests.integration.delivery.made import make_alert, step

HERE = Reach(networks_of("127.0.0.0/8"))
QUICK = Retrying(10_000, timedelta(milliseconds=20), timedelta(milliseconds=100))

# Children are forked from a server that has imported this module, and pytest, which each looks for:
# they start in milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", __name__])


def start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    process = _CONTEXT.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def write_for_ever(url: str) -> None:
    """Alerts that open and are acknowledged, each step in a transaction of its own."""
    database = Database(url)
    while True:
        with contextlib.suppress(Unavailable):
            with database.writing() as connection:
                alert = make_alert(connection)
            with database.writing() as connection:
                step(connection, alert, "acknowledged")
        time.sleep(0.01)


def deliver_for_ever(url: str) -> None:
    database = Database(url)
    while True:
        with contextlib.suppress(Unavailable):
            send_due(database, Sender(HERE, retrying=QUICK))
        time.sleep(0.01)


def receive_for_ever(port: int, secret: str, book: Path) -> None:
    """Enters each key once in `book`, also when a former receiver was killed after entering it."""
    Receiver(port, secret, book).serve_forever()


class Receiver(ThreadingHTTPServer):
    """A receiver as the documentation describes it: verify, then act once for one key."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, secret: str, book: Path) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.secret = secret
        self.book = book
        self.entering = threading.Lock()
        self.status = 200

    def enter(self, key: str, body: bytes) -> None:
        with self.entering, self.book.open("a+") as book:
            book.seek(0)
            if not any(line.startswith(key) for line in book):
                book.write(f"{key} {hashlib.sha256(body).hexdigest()}\n")


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signature = self.headers[SIGNATURE_HEADER]
        verify(self.server.secret, self.headers[TIME_HEADER], body, signature, time.time())
        if self.server.status == 200:
            self.server.enter(self.headers[KEY_HEADER], body)
        self.send_response(self.server.status)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/other")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None: ...
