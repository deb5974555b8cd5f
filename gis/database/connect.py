"""The database of the settings: a server that is named there, or the embedded cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from gis.database.cluster import Cluster
from gis.database.engine import Database
from gis.database.roles import ensure_roles
from gis.database.supervisor import Supervisor
from gis.jobs.periodic import repeating
from gis.settings import Settings


def embedded(settings: Settings) -> Cluster:
    return Cluster(settings.home / "postgres")


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The URL of a database that runs; the embedded cluster stops with its last user."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with embedded(settings).in_use() as url:
        yield url


@contextmanager
def retried(settings: Settings) -> Iterator[None]:
    """Supervision of the embedded cluster: started again when it dies; a named server is not."""
    if settings.database_url is not None:
        yield
        return
    with repeating("PostgreSQL", Supervisor(embedded(settings)).look):
        yield


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The database of the settings, closed at the end. Raises SetupError or Unavailable."""
    with database_url(settings) as url:
        ensure_roles(url)
        database = Database(url, reader_timeout_ms=settings.reader_timeout_ms)
        try:
            yield database
        finally:
            database.close()
