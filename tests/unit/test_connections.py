"""Clients that are slow, over real sockets: each is ended in time, and no other with it."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import httpx
import pytest

from api import connections
from api.connections import Patience
from tests.integration.ogc_app import serving
from tests.waiting import wait_until

QUICK = Patience(header_s=0.4, body_s=0.8, read_s=0.6)
LARGE = b"x" * 4_000_000


async def application(scope, receive, send) -> None:
    """POST gives back how long the body is, GET a large body in one piece or in many."""
    if scope["type"] != "http":
        return
    size, more = 0, scope["method"] == "POST"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    parts = {"/large": [LARGE], "/parts": [LARGE[:50_000]] * 400}.get(scope["path"], [b"%d" % size])
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(application, QUICK) as served:
        yield served


@contextmanager
def connected(
    url: str, first: bytes = b"", *, window: int | None = None
) -> Iterator[socket.socket]:
    """A client that has sent something; a small window lets the server's kernel take little."""
    address = httpx.URL(url)
    with closing(socket.socket()) as client:
        if window is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        client.settimeout(10)
        client.connect((address.host, address.port))
        client.sendall(first)
        yield client


def ended(client: socket.socket, drip: bytes = b"") -> tuple[float, bytes]:
    """Seconds until the server ends the connection, and all that it said; drips meanwhile."""
    started, said = time.monotonic(), b""
    client.settimeout(0.05)
    while time.monotonic() - started < 10:
        try:
            client.sendall(drip)
            part = client.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            break
        if not part:
            break
        said += part
    return time.monotonic() - started, said


HEADER = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
SENT = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx"
CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "drip", "why"),
    [
        (b"", b"", "header"),
        (b"G", b"", "header"),
        (b"\r\n", b"\r\n", "header"),
        (HEADER, b"", "header"),
        (HEADER + b"X-Slow: ", b"y", "header"),
        (HEADER, b"X: y\r\n", "header"),
        (SENT, b"", "body"),
        (SENT, b"x", "body"),
        (CHUNKED, b"1\r\nx\r\n", "body"),
    ],
)
def test_a_request_that_does_not_arrive_in_time_is_refused(url: str, first, drip, why):
    within_s = QUICK.header_s if why == "header" else QUICK.body_s
    with connected(url, first) as client:
        took_s, said = ended(client, drip)
    assert within_s - 0.2 < took_s < within_s + 2
    if said:  # who still sends when the connection is closed may miss it
        head, _, body = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert json.loads(body)["detail"] == f"the {why} did not arrive within {within_s:g} s"
    assert said or drip


@pytest.mark.parametrize("first", [b"", HEADER, SENT.replace(b"1000000", b"2")])
def test_the_next_request_of_a_connection_has_as_long_and_no_longer(url: str, first: bytes):
    with connected(url, HEADER + b"\r\n") as client:
        assert b"200 OK" in client.recv(65536)
        time.sleep(0.1)
        client.sendall(first or b"\r\n")
        took_s, _ = ended(client)
    assert took_s < QUICK.body_s + 2


def test_a_body_that_nobody_reads_ends_too(url: str):
    """The answer is there at once, and the client goes on sending for ever."""
    with connected(url, SENT.replace(b"POST", b"GET")) as client:
        took_s, said = ended(client, b"x")
    assert b"200 OK" in said
    assert took_s < QUICK.body_s + 2


@pytest.mark.parametrize("endless", [b"X: " + b"y" * 50_000, b"X: y\r\n" * 10_000])
def test_a_header_without_end_is_refused(url: str, endless: bytes):
    with connected(url, HEADER) as client:
        started, sent = time.monotonic(), 0
        with pytest.raises(OSError):
            while sent < 10_000_000:
                client.sendall(endless)
                sent += len(endless)
    assert sent < 5_000_000
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("path", ["/large", "/parts"])
@pytest.mark.parametrize("reads", [0, 1])
def test_a_client_that_hardly_reads_is_dropped(url: str, path: str, reads: int):
    with connected(url, b"GET %s HTTP/1.1\r\n\r\n" % path.encode(), window=4096) as client:
        started = time.monotonic()
        while _is_open(client) and time.monotonic() - started < 10:
            client.recv(reads)
            time.sleep(0.05)
        assert time.monotonic() - started < QUICK.read_s * 2 + 2


@pytest.mark.parametrize("path", ["/large", "/parts"])
def test_a_client_that_reads_slowly_and_steadily_gets_all(url: str, path: str):
    """For longer than any deadline, and with pauses."""
    with connected(url, b"GET %s HTTP/1.1\r\n\r\n" % path.encode(), window=65536) as client:
        size, started = 0, time.monotonic()
        while time.monotonic() - started < QUICK.read_s * 3:
            size += len(client.recv(20_000))
            time.sleep(0.1)
        while size < len(LARGE):
            part = client.recv(65536)
            assert part
            size += len(part)


def test_a_client_that_sends_slowly_but_in_time_is_answered():
    def body() -> Iterator[bytes]:
        for _ in range(5):
            yield b"x" * 1000
            time.sleep(0.1)

    with serving(application, Patience(body_s=5)) as url:
        assert httpx.post(url, content=body()).text == "5000"


def test_beyond_the_most_connections_those_that_keep_us_waiting_are_dropped():
    with serving(application, Patience(connections=20)) as url, ExitStack() as stack:
        slow = [stack.enter_context(connected(url, HEADER)) for _ in range(60)]
        for _ in range(5):
            assert httpx.get(url).text == "0"
        wait_until(lambda: sum(_is_open(one) for one in slow) < 20)
        assert _is_open(slow[-1]), "the newest may yet be an honest client"
        slow[-1].sendall(b"\r\n")
        assert b"200 OK" in slow[-1].recv(1000)


def test_beyond_the_most_connections_who_does_not_read_makes_room():
    with serving(application, Patience(connections=8)) as url, ExitStack() as stack:
        asked = b"GET /large HTTP/1.1\r\n\r\n"
        slow = [stack.enter_context(connected(url, asked, window=4096)) for _ in range(8)]
        # Refused until the service has seen that they do not read.
        wait_until(lambda: httpx.get(url).text == "0", every_s=0.1)
        wait_until(lambda: sum(map(_is_open, slow)) == 7)


def test_where_all_are_being_answered_another_is_refused():
    entered, go_on = threading.Semaphore(0), threading.Event()

    async def busy(scope, receive, send) -> None:
        if scope["type"] == "http":
            entered.release()
            await _until(go_on.is_set)
            await application(scope, receive, send)

    with serving(busy, Patience(connections=3)) as url, ExitStack() as stack:
        first = [stack.enter_context(connected(url, HEADER + b"\r\n")) for _ in range(3)]
        for _ in first:
            assert entered.acquire(timeout=10)
        with connected(url) as another:
            assert another.recv(1000).startswith(b"HTTP/1.1 503 ")
        go_on.set()
        assert all(b"200 OK" in one.recv(1000) for one in first)


def test_answers_that_nobody_reads_are_bounded_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "_MOST_UNSENT", 10_000_000)
    with serving(application, Patience()) as url, ExitStack() as stack:
        asked = b"GET /large HTTP/1.1\r\n\r\n"
        slow = [stack.enter_context(connected(url, asked, window=4096)) for _ in range(6)]
        wait_until(lambda: sum(map(_is_open, slow)) == 2, within_s=10)


async def _until(holds: Callable[[], bool]) -> None:
    import asyncio

    while not holds():
        await asyncio.sleep(0.01)


def _is_open(client: socket.socket) -> bool:
    """Whether the server still holds the connection; reads nothing."""
    state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state == 1  # TCP_ESTABLISHED
