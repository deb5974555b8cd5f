"""A real PostGIS for every test here: a database cloned from a migrated template."""

from collections.abc import Iterator

import pytest

from gis.database.engine import Database
from gis.errors import SetupError
from tests.databases import Server, server, template


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    try:
        with server() as running:
            yield running
    except SetupError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def migrated(postgres: Server) -> Iterator[str]:
    with template(postgres) as name:
        yield name


@pytest.fixture
def url(postgres: Server, migrated: str) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    with postgres.database(migrated) as fresh:
        yield fresh


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A fresh, migrated database."""
    opened = Database(url)
    yield opened
    opened.close()
