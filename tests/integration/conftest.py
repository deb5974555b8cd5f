"""A real PostGIS for every test here: a database cloned from a migrated template."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gis.boundaries.loader import load_boundaries
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import Source
from gis.boundaries.units import Quality
from gis.database.engine import Database
from gis.database.migrate import migrate
from gis.errors import SetupError
from layers.catalogue import Catalogue, read_catalogue
from layers.schema import sync
from tests.databases import Server, server, template
from tests.provinces import toy_communes, toy_history, write_boundaries

LAYERS = Path(__file__).parents[2] / "layers"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    try:
        with server() as running:
            yield running
    except SetupError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def migrated(postgres: Server) -> Iterator[str]:
    with template(postgres) as (name, database):
        migrate(database)
        database.close()
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


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The layer files of the project."""
    return read_catalogue(LAYERS)


@pytest.fixture(scope="session")
def toy_template(
    postgres: Server, migrated: str, catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database's name, with three square communes and every layer's table, to clone from."""
    with template(postgres, migrated) as (name, database):
        path = write_boundaries(tmp_path_factory.mktemp("toy"), toy_communes())
        load_boundaries(database, Source("toy", Quality.OFFICIAL, (path,)), toy_history())
        with database.writing() as connection:
            sync(connection, catalogue)
        database.close()
        yield name


@pytest.fixture
def toy_province(postgres: Server, toy_template: str) -> Iterator[Database]:
    """A fresh database with three square communes (see tests.provinces) and the layers' tables."""
    with postgres.database(toy_template) as fresh:
        opened = Database(fresh)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def lao_cai_template(
    postgres: Server, migrated: str, catalogue: Catalogue, shared: Path
) -> Iterator[str]:
    with template(postgres, migrated) as (name, database):
        path = shared / "boundaries" / "lao_cai_communes_2025.geojson"
        load_boundaries(database, Source("real", Quality.OFFICIAL, (path,)), package_history())
        with database.writing() as connection:
            sync(connection, catalogue)
        database.close()
        yield name


@pytest.fixture
def lao_cai(postgres: Server, lao_cai_template: str) -> Iterator[Database]:
    """A fresh database with the real communes; skips without the development data."""
    with postgres.database(lao_cai_template) as fresh:
        opened = Database(fresh)
        yield opened
        opened.close()
