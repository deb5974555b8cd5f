"""Real databases for tests: one throw-away cluster a session, a clone of a template a test.

A clone is a copy of 750 files: in memory it takes a tenth of the time that it does on a disk.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from gis.database.cluster import THROW_AWAY, Cluster, installation
from gis.database.engine import Database
from gis.database.roles import ensure_roles
from gis.errors import SetupError

MEMORY, DISK = Path("/dev/shm"), Path("/tmp")
_PREFIX = "gis-test-"
_LEAST_MEMORY = 6 << 30  # bytes: two processes of tests, each with a service beside its cluster
_SMALL_LOG = {"max_wal_size": "256MB"}  # the write-ahead log lies in memory too
_LEFT_AFTER_S = 3600.0


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server on which databases come and go; `url` names its first database."""

    url: str

    def url_of(self, name: str) -> str:
        head, _, query = self.url.partition("?")
        base = head.rsplit("/", 1)[0]
        return f"{base}/{name}" + (f"?{query}" if query else "")

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """A database for one test: its URL. Cloned from a template where one is named."""
        name = f"gis_test_{secrets.token_hex(6)}"
        # Pages that are copied one by one into the write-ahead log take half as long again.
        statement = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
        self._execute(statement, name, template or "template1")
        try:
            yield self.url_of(name)
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    @contextmanager
    def opened(self, template: str | None = None) -> Iterator[Database]:
        """The same, to be used."""
        with self.database(template) as url:
            database = Database(url)
            try:
                yield database
            finally:
                database.close()

    @contextmanager
    def refusing(self, url: str) -> Iterator[None]:
        """Nobody is connected to a database while inside, nor can be."""
        name = url.split("?")[0].rsplit("/", 1)[1]
        self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                (name,),
            )
        try:
            yield
        finally:
            self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def server() -> Iterator[Server]:
    """The server of GIS_TEST_DATABASE_URL, or a cluster of our own that ends with the session."""
    given = os.environ.get("GIS_TEST_DATABASE_URL")
    if given:
        ensure_roles(given)
        yield Server(given)
        return
    with own_cluster(THROW_AWAY) as cluster:
        yield Server(cluster.url)


def passing_folder() -> Path:
    """Where what lasts no longer than the tests may lie: in memory, where that has room."""
    try:
        room = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    except OSError:  # not on this system
        return DISK
    return MEMORY if room >= _LEAST_MEMORY else DISK


@contextmanager
def own_cluster(options: Mapping[str, str]) -> Iterator[Cluster]:
    """A cluster of our own that runs, and is removed at the end.

    One that need not be durable lies in memory, and one that is lies on the disk.
    """
    durable = options.get("fsync") != "off"
    folder = DISK if durable else passing_folder()
    small = {}
    if folder == MEMORY:
        _remove_left_behind()
        small = _SMALL_LOG
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
    cluster = Cluster(made / "pg", {**small, **options})
    made.chmod(0o755)
    try:
        with cluster.in_use():
            ensure_roles(cluster.url)
            yield cluster
    finally:
        cluster.remove()
        made.rmdir()


@contextmanager
def killable_cluster() -> Iterator[Cluster]:
    """A cluster of our own whose data outlive it, unlike those of other tests: it is killed, and
    the machine, which alone would lose what is not synced, is not. Skips without PostgreSQL.
    """
    try:
        installation()
    except SetupError as missing:
        pytest.skip(str(missing))
    with own_cluster({"fsync": "off"}) as running:
        yield running


def _remove_left_behind() -> None:
    """Tests of ours that were killed leave their clusters, which hold memory."""
    homes = MEMORY.glob("gis-accept-*/*/postgres/users.lock")
    for left in (*MEMORY.glob(f"{_PREFIX}*/pg/users.lock"), *homes):
        cluster = Cluster(left.parent)
        status = left.stat()
        ours = status.st_uid == os.getuid() and time.time() - status.st_mtime > _LEFT_AFTER_S
        if ours and not cluster.is_used():
            cluster.remove()
            shutil.rmtree(cluster.folder.parent, ignore_errors=True)


@contextmanager
def template(on: Server, base: str | None = None) -> Iterator[tuple[str, Database]]:
    """A database to fill and then clone from: its name, and itself, to be closed before."""
    with on.database(base) as url:
        database = Database(url)
        try:
            yield url.split("?")[0].rsplit("/", 1)[1], database
        finally:
            database.close()
