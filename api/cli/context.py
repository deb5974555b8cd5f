"""What most commands start with: the settings, the migrated database, the catalogue."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from gis.database.engine import Database
from gis.database.migrate import newest_revision, revision_of
from gis.database.opening import opened
from gis.errors import BadInput, Unavailable
from gis.settings import Settings
from gis.text import fault_words
from layers.catalogue import Catalogue, read_catalogue


def read_settings() -> Settings:
    """The settings; BadInput names the variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        faults = [
            f"GIS_{str(e['loc'][0]).upper()}: {fault_words(e['msg'])}" for e in error.errors()
        ]
        raise BadInput("; ".join(faults)) from error


def read_layers(settings: Settings) -> Catalogue:
    return read_catalogue(settings.layers)


@contextmanager
def database_in_use() -> Iterator[Database]:
    """The database of the settings, in the schema of this version."""
    with opened(read_settings()) as database:
        with database.reading() as connection:
            revision = revision_of(connection)
        if revision != newest_revision():
            raise Unavailable(
                f"the database is at revision {revision or 'none'}, this version needs "
                f"{newest_revision()}: run `gis db migrate`"
            )
        yield database
