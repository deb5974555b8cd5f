"""One database for all tests of series, whose layer is taken away after each."""

from collections.abc import Iterator

import pytest

from gis.database.engine import Database
from tests.databases import Server
from tests.series_layers import forget


@pytest.fixture(scope="package")
def shared_province(postgres: Server, toy_template: str) -> Iterator[Database]:
    with postgres.opened(toy_template) as database:
        yield database


@pytest.fixture
def series_province(shared_province: Database) -> Iterator[Database]:
    yield shared_province
    forget(shared_province)
