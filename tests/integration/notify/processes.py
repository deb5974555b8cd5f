"""Real processes that write alerts, tell them and hear of them, to be killed at any moment."""

import asyncio
import contextlib
import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

from aiosmtpd.smtp import SMTP

from gis.database.engine import Database
from gis.egress import EgressPolicy, networks_of
from gis.errors import Unavailable
from gis.notify.backoff import Backoff
from gis.notify.cap.publication import publish_due
from gis.notify.channels.channel import Channel
from gis.notify.channels.mail import MailChannel, MailServer
from gis.notify.channels.signature import ID_HEADER
from gis.notify.channels.webhook import WebhookChannel
from gis.notify.dispatch import Sender, send_due
from tests.integration.notify.made import make_alert, step
from tests.unit.notify.documented import is_ours

# Channels that reach receivers on this machine, without a mail server.
HERE: dict[str, Channel] = {
    "mail": MailChannel(),
    "webhook": WebhookChannel(EgressPolicy(networks_of("127.0.0.0/8"))),
}
QUICK = Backoff(10_000, timedelta(milliseconds=20), timedelta(milliseconds=100))

# Children are forked from a server that has imported this module, and pytest, which each looks for:
# they start in milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", __name__, "api.worker"])


def prepare() -> None:
    """Begin to import what the children need, which takes seconds."""
    forkserver.ensure_running()


def start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    process = _CONTEXT.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def write_for_ever(url: str) -> None:
    """Alerts that open, are acknowledged and grow, each step in a transaction of its own."""
    database = Database(url)
    while True:
        with contextlib.suppress(Unavailable):
            with database.writing() as connection:
                alert = make_alert(connection)
            for act in ("acknowledged", "notify"):
                with database.writing() as connection:
                    step(connection, alert, act)
        time.sleep(0.2)


def deliver_for_ever(url: str, mail_port: int) -> None:
    database, sender = Database(url), sender_by(mail_port)
    while True:
        with contextlib.suppress(Unavailable):
            send_due(database, sender)
        time.sleep(0.01)


def sender_by(mail_port: int) -> Sender:
    """Sends to webhooks of this machine, and mail by the server at this port of it."""
    server = MailServer("127.0.0.1", mail_port, "gis@example.vn")
    return Sender(HERE | {"mail": MailChannel(server)}, retrying=QUICK)


def publish_for_ever(url: str) -> None:
    database = Database(url)
    while True:
        with contextlib.suppress(Unavailable):
            publish_due(database, "ioc.example.vn", QUICK)
        time.sleep(0.01)


def serve_for_ever(url: str, port: int) -> None:
    """A serving process of the service."""
    import uvicorn

    from api.worker import create

    os.environ["GIS_DATABASE_URL"] = url
    uvicorn.run(create(), host="127.0.0.1", port=port, log_level="critical")


def take_mail_for_ever(port: int, book: Path) -> None:
    """A mail server that enters each mail in `book` before it says that it took it."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(
        loop.create_server(lambda: SMTP(_Postbox(book), loop=loop), "127.0.0.1", port)
    )
    loop.run_forever()


class _Postbox:
    def __init__(self, book: Path) -> None:
        self.book = book

    async def handle_DATA(self, server, session, envelope) -> str:
        mail = message_from_bytes(envelope.content)
        with self.book.open("a") as book:
            book.write(f"{mail['Message-ID']} {hashlib.sha256(envelope.content).hexdigest()}\n")
        return "250 OK"


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
        assert is_ours(self.server.secret, self.headers, body)
        if self.server.status == 200:
            self.server.enter(self.headers[ID_HEADER], body)
        self.send_response(self.server.status)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/other")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None: ...
