"""Sensors that push records to the layer `mz`: its database, and their client with a key."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.storage.sync import sync
from tests.databases import Server
from tests.intake_layers import MZ
from tests.integration.ogc_app import app_client

CATALOGUE = Catalogue((MZ,), {"mz": "1"})


@contextmanager
def sensor_database(postgres: Server, toy_template: str) -> Iterator[Database]:
    with postgres.opened(toy_template) as opened:
        with opened.writing() as connection:
            sync(connection, CATALOGUE)
        yield opened


@contextmanager
def sensor_client(database: Database, **settings: Any) -> Iterator[httpx.Client]:
    with app_client(
        create_app(Settings(_env_file=None, **settings), database, CATALOGUE)
    ) as opened:
        with database.writing() as connection:
            opened.headers["X-API-Key"] = create_key(
                connection, "sensors", Role.DEPARTMENT, ("mz",)
            )
        yield opened
