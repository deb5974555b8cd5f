"""The private cluster of a running service is started again when it dies, and only then."""

import ctypes
import os
import signal
from collections.abc import Iterator

import psycopg
import pytest

from gis.database.cluster import Cluster
from gis.database.supervisor import Supervisor
from gis.errors import SetupError
from tests.databases import own_cluster
from tests.waiting import wait_until

PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    try:
        with own_cluster({}) as running:
            yield running
    except SetupError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    """It runs."""
    shared.start()
    return shared


def kill(cluster: Cluster) -> None:
    os.kill(cluster.postmaster, signal.SIGKILL)
    wait_until(lambda: not cluster.listens())


def answers(cluster: Cluster) -> bool:
    with psycopg.connect(cluster.url) as connection:
        return connection.execute("SELECT true").fetchone() == (True,)


def test_a_server_that_was_killed_is_started_again_at_once(cluster: Cluster):
    guard = Supervisor(cluster)
    before = cluster.postmaster
    guard.look()
    assert cluster.postmaster == before
    kill(cluster)
    guard.look()
    assert answers(cluster)


def test_one_that_dies_again_and_again_is_started_after_ever_longer_pauses(cluster: Cluster):
    now = 0.0
    guard = Supervisor(cluster, lambda: now)
    kill(cluster)
    guard.look()
    for pause_s in (1, 2, 4):
        kill(cluster)
        now += pause_s - 0.1
        guard.look()
        assert not cluster.listens()
        now += 0.1
        guard.look()
        assert answers(cluster)
    now += 61
    guard.look()
    kill(cluster)
    guard.look()
    assert answers(cluster)


def test_one_that_cannot_start_is_tried_again_until_it_can(cluster: Cluster, monkeypatch, capsys):
    monkeypatch.setattr("gis.database.cluster._GONE_WITHIN_S", 0.5)
    guard, conf = Supervisor(cluster), cluster.data / "postgresql.conf"
    sound = conf.read_text()
    conf.write_text(sound + "no_such_setting = 1\n")
    kill(cluster)
    guard.look()
    assert not cluster.listens()
    assert "PostgreSQL does not start" in capsys.readouterr().out
    conf.write_text(sound)
    guard.look()
    assert not cluster.listens()
    wait_until(lambda: guard.look() or cluster.listens())
    assert answers(cluster)


def test_one_that_somebody_stopped_stays_so(cluster: Cluster):
    guard = Supervisor(cluster)
    cluster.stop()
    guard.look()
    assert not cluster.listens()
    cluster.start()
    kill(cluster)
    guard.look()
    assert answers(cluster)


def test_one_whose_parent_is_the_service_itself_is_reaped(cluster: Cluster):
    """As in a container, where the service is the parent of whoever has none."""
    libc = ctypes.CDLL(None)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
    try:
        cluster.stop()
        cluster.start()
        kill(cluster)
        Supervisor(cluster).look()
        assert answers(cluster)
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
