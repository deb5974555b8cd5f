"""A receiver that drips costs one deadline: the attempt fails, is repeated, and delays no other."""

import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest
from sqlalchemy import text

from gis.notify.backoff import Backoff
from gis.notify.channels.mail import MailChannel, MailServer
from gis.notify.dispatch import Sender, send_next
from gis.notify.senders import delivering
from gis.notify.subscriptions import SubscriptionRequest, subscribe, subscriptions
from tests.integration.notify.drips import MAIL_PHASES, PHASES, dripping
from tests.integration.notify.made import make_alert
from tests.integration.notify.processes import HERE
from tests.waiting import wait_until

TIMEOUT_S = 0.5
SOON = Backoff(1000, timedelta(milliseconds=300), timedelta(hours=1))


def tried_once(database, wish: SubscriptionRequest, sender: Sender) -> tuple[float, str]:
    """How long one attempt takes, in seconds, and why it failed; the message waits for another."""
    with database.writing() as connection:
        subscribe(connection, wish, "tests", HERE)
        make_alert(connection)
    descriptors = psutil.Process().num_fds()
    started = time.monotonic()
    assert send_next(database, sender)
    took_s = time.monotonic() - started
    assert psutil.Process().num_fds() <= descriptors + 1  # a connection of the pool
    with database.reading() as connection:
        (found,) = subscriptions(connection)
        attempts = connection.scalar(text("SELECT attempts FROM gis.delivery"))
    assert (found.waiting, found.dead, attempts) == (1, 0, 1)
    return took_s, found.error


@pytest.mark.parametrize("phase", PHASES)
def test_a_webhook_that_drips_is_cut_at_the_deadline(toy_province, phase: str):
    scheme = "https" if phase == "TLS" else "http"
    with dripping(*PHASES[phase]) as port:
        wish = SubscriptionRequest(
            "slow", "webhook", f"{scheme}://127.0.0.1:{port}/", simulated=True
        )
        took_s, why = tried_once(toy_province, wish, Sender(HERE, timeout_s=TIMEOUT_S))
    assert why == "no answer within 0.5 s"
    assert TIMEOUT_S * 0.9 < took_s < TIMEOUT_S + 1


@pytest.mark.parametrize("phase", MAIL_PHASES)
def test_a_mail_server_that_drips_is_cut_at_the_deadline(toy_province, phase: str):
    with dripping(*MAIL_PHASES[phase]) as port:
        server = MailServer("127.0.0.1", port, "gis@example.vn", tls_from_start=phase == "TLS")
        wish = SubscriptionRequest("slow", "mail", "truc.ban@example.vn", simulated=True)
        sender = Sender({"mail": MailChannel(server)}, timeout_s=TIMEOUT_S)
        took_s, why = tried_once(toy_province, wish, sender)
    assert why == "the mail server did not take it: not within 0.5 s"
    assert TIMEOUT_S * 0.9 < took_s < TIMEOUT_S + 1


def test_a_body_that_never_ends_is_not_waited_for(toy_province):
    """The status is the receipt."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    with dripping(head, b"x" * 65536) as port:
        wish = SubscriptionRequest("slow", "webhook", f"http://127.0.0.1:{port}/", simulated=True)
        with toy_province.writing() as connection:
            subscribe(connection, wish, "tests", HERE)
            make_alert(connection)
        started = time.monotonic()
        assert send_next(toy_province, Sender(HERE))
        assert time.monotonic() - started < 5
    with toy_province.reading() as connection:
        (found,) = subscriptions(connection)
    assert (found.delivered, found.waiting) == (1, 0)


class Desk(HTTPServer):
    """A receiver that answers at once; `at` is when each message came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.at: list[float] = []


class _Handler(BaseHTTPRequestHandler):
    server: Desk

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.at.append(time.monotonic())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words: object) -> None: ...


def test_more_slow_receivers_than_senders_delay_no_other(toy_province):
    """Four senders serve eight receivers that drip, all with something new."""
    with ExitStack() as stack, ExitStack() as slow:
        desk = stack.enter_context(Desk())
        threading.Thread(target=desk.serve_forever, daemon=True).start()
        stack.callback(desk.shutdown)
        ports = [slow.enter_context(dripping(*PHASES["header"])) for _ in range(8)]
        sender = Sender(HERE, retrying=SOON, timeout_s=2)
        stack.enter_context(delivering(toy_province, sender, "gis-ioc"))
        subscribe_hook(toy_province, desk.server_port)
        usual = delay_of(toy_province, desk)
        for port in ports:
            subscribe_hook(toy_province, port)
        delay_of(toy_province, desk)
        wait_until(lambda: failing(toy_province) == len(ports))
        beside_slow = delay_of(toy_province, desk)
        slow.close()
    assert beside_slow < 1.5 + 3 * usual  # behind one of them alone it would be 2 s more


def subscribe_hook(database, port: int) -> None:
    wish = SubscriptionRequest(f"s{port}", "webhook", f"http://127.0.0.1:{port}/", simulated=True)
    with database.writing() as connection:
        subscribe(connection, wish, "tests", HERE)


def delay_of(database, desk) -> float:
    """Seconds from a new alert to its message at the desk."""
    before = len(desk.at)
    with database.writing() as connection:
        make_alert(connection)
    made = time.monotonic()
    wait_until(lambda: len(desk.at) == before + 1)
    return desk.at[before] - made


def failing(database) -> int:
    """How many subscriptions have a message that failed and waits."""
    asked = "SELECT count(DISTINCT subscription_id) FROM gis.delivery WHERE status = 'waiting'"
    with database.reading() as connection:
        return connection.scalar(text(f"{asked} AND attempts > 0"))
