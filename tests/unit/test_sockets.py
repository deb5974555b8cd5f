"""One address for several processes: clients are dealt out, and nobody else may take it."""

import socket
from multiprocessing.reduction import ForkingPickler

import pytest

from api.sockets import Listener
from gis.errors import Unavailable


@pytest.fixture
def sent_to_two():
    """The sockets of two processes to which a listener was sent, as multiprocessing sends it."""
    with Listener.at("127.0.0.1", 0) as listener:
        one, two = (ForkingPickler.loads(ForkingPickler.dumps(listener)) for _ in range(2))
        with one, two:
            for each in (one, two):
                each.listen(100)
                each.setblocking(False)
            yield one, two


def accepted(listener: socket.socket) -> int:
    clients = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return clients
        clients += 1


def test_clients_that_come_at_once_are_dealt_out_among_the_processes(sent_to_two):
    clients = [socket.create_connection(sent_to_two[0].getsockname()) for _ in range(64)]
    got = [accepted(one) for one in sent_to_two]
    for client in clients:
        client.close()
    assert sum(got) == 64
    assert min(got) > 8  # of 64 drawn by lot, once in 10¹⁰ tries


def test_nobody_else_may_listen_where_the_processes_do(sent_to_two):
    port = sent_to_two[0].getsockname()[1]
    with pytest.raises(Unavailable, match=f"port {port} is in use"):
        Listener.at("127.0.0.1", port)


def test_an_address_of_another_machine_is_reported():
    with pytest.raises(Unavailable, match=r"cannot listen on 192\.0\.2\.1:8080"):
        Listener.at("192.0.2.1", 8080)
