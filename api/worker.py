"""One of several serving processes: made by the parent, which did the setting up."""

from fastapi import FastAPI

from api.app import create_app
from api.cli.context import read_layers, read_settings
from api.logs import configure_logs
from gis.database.engine import Database
from gis.errors import SetupError


def create() -> FastAPI:
    """The application over the database that the parent names in GIS_DATABASE_URL."""
    settings = read_settings()
    configure_logs(settings)
    if settings.database_url is None:
        raise SetupError("serving processes are started by `gis serve`, which names the database")
    url = settings.database_url.get_secret_value()
    database = Database(url, reader_timeout_ms=settings.reader_timeout_ms)
    return create_app(settings, database, read_layers(settings))
