"""What all tests share: real databases, the development data, and how processes share the tests.

A database is cloned from a template; server and templates last as long as the session.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from xdist.scheduler import LoadFileScheduling

from gis.boundaries.loader import load_boundaries
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.database.engine import Database
from gis.database.migrate import migrate
from gis.errors import SetupError
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.storage.sync import sync
from tests import soak
from tests.databases import Server, server, template
from tests.provinces import toy_communes, toy_history, write_boundaries

pytest_plugins = ["tests.skips"]

# On a busy machine examples are slow to be made, which says nothing of the code.
# The short form draws the same examples each time; `make soak` draws others in each round.
settings.register_profile(
    "here",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not soak.LONG,
    database=None,
)
settings.load_profile("here")

LAYERS = Path(__file__).parents[1] / "layers"
SHARED = Path(os.environ.get("GIS_SHARED", Path(__file__).parents[1].parent / "shared"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the long form, all that draw examples draw many, from the seed of the round."""
    if not soak.LONG:
        return
    for law in {item.obj for item in items if is_hypothesis_test(getattr(item, "obj", None))}:
        usual = law._hypothesis_internal_use_settings or settings.default
        many = settings(usual, max_examples=soak.LONG_EXAMPLES * usual.max_examples)
        law._hypothesis_internal_use_settings = many
        law._hypothesis_internal_use_seed = soak.SEED


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Tests of a file stay in one process: they share a database or a service."""
    config.option.loadscopereorder = False  # the long ones come first: acceptance, integration
    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The optional folder with real development data (../shared); skips when it is not there."""
    if not SHARED.is_dir():
        pytest.skip(f"no development data at {SHARED}; set GIS_SHARED to run this test")
    return SHARED


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


def fill_toy_province(database: Database, catalogue: Catalogue, folder: Path) -> None:
    """Three square communes and every layer's table in a migrated database."""
    path = write_boundaries(folder, toy_communes())
    load_boundaries(
        database, BoundarySource("toy", BoundaryQuality.OFFICIAL, (path,)), toy_history()
    )
    with database.writing() as connection:
        sync(connection, catalogue)


@contextmanager
def migrated_toy_province(url: str, catalogue: Catalogue, folder: Path) -> Iterator[Database]:
    """An empty database, filled with three square communes and every layer's table."""
    database = Database(url)
    try:
        migrate(database)
        fill_toy_province(database, catalogue, folder)
        yield database
    finally:
        database.close()


@pytest.fixture(scope="session")
def toy_template(
    postgres: Server, migrated: str, catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database's name, with three square communes and every layer's table, to clone from."""
    with template(postgres, migrated) as (name, database):
        fill_toy_province(database, catalogue, tmp_path_factory.mktemp("toy"))
        database.close()
        yield name


@pytest.fixture
def toy_province(postgres: Server, toy_template: str) -> Iterator[Database]:
    """A fresh database with three square communes (see tests.provinces) and the layers' tables."""
    with postgres.opened(toy_template) as opened:
        yield opened


@pytest.fixture(scope="module")
def standing_province(postgres: Server, toy_template: str) -> Iterator[Database]:
    """The same for a file of tests, each of which leaves it as it was."""
    with postgres.opened(toy_template) as opened:
        yield opened


@pytest.fixture(scope="session")
def lao_cai_template(
    postgres: Server, migrated: str, catalogue: Catalogue, shared: Path
) -> Iterator[str]:
    with template(postgres, migrated) as (name, database):
        path = shared / "boundaries" / "lao_cai_communes_2025.geojson"
        load_boundaries(
            database, BoundarySource("real", BoundaryQuality.OFFICIAL, (path,)), package_history()
        )
        with database.writing() as connection:
            sync(connection, catalogue)
        database.close()
        yield name


@pytest.fixture
def lao_cai(postgres: Server, lao_cai_template: str) -> Iterator[Database]:
    """A fresh database with the real communes; skips without the development data."""
    with postgres.opened(lao_cai_template) as opened:
        yield opened
