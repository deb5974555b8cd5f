"""Context of most commands: the settings, the migrated database, the catalogue."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.output import complain
from gis.errors import BadInput
from gis.text import fault_words

if TYPE_CHECKING:
    from gis.access import Principal
    from gis.database.engine import Database
    from gis.settings import Settings
    from layers.definition.catalogue import Catalogue

_MAX_NAME_LENGTH = 100

Who = Annotated[
    str | None, typer.Option(help="Your name, where several people use one login; kept with it")
]


def read_settings() -> "Settings":
    """The settings, with the simulated systems of departments where the demo has them.

    Raises BadInput, which names the variable that is wrong.
    """
    from pydantic import ValidationError

    from api.demo_sources.beside import with_demo_sources
    from gis.settings import Settings

    try:
        return with_demo_sources(Settings())
    except ValidationError as error:
        faults = [
            f"GIS_{str(e['loc'][0]).upper()}: {fault_words(e['msg'])}" for e in error.errors()
        ]
        raise BadInput("; ".join(faults)) from error


def read_layers(settings: "Settings") -> "Catalogue":
    from layers.definition.catalogue import read_catalogue

    return read_catalogue(settings.layers, *settings.more_layers)


def read_layers_at_hand() -> "Catalogue":
    """The layers whose files are right, with a warning of the others.

    Officers on duty need not wait until somebody has corrected a file.
    """
    from layers.definition.catalogue import read_good_layers

    settings = read_settings()
    catalogue = read_good_layers(settings.layers, *settings.more_layers)
    for fault in catalogue.faults:
        complain(f"warning: {fault}")
    return catalogue


def somebody_here(name: str | None = None) -> "Principal":
    """The person at the machine as the history names them: `local:<login>`, and a given name.

    Raises BadInput for a name that is empty, too long or not printable.
    """
    from gis.access import LOCAL_ADMIN

    who = f"{LOCAL_ADMIN.name}:{_login()}"
    if name is None:
        return replace(LOCAL_ADMIN, name=who)
    if not (name.strip() and name.isprintable() and len(name) <= _MAX_NAME_LENGTH):
        raise BadInput(f"--who is a name of up to {_MAX_NAME_LENGTH} letters")
    return replace(LOCAL_ADMIN, name=f"{who} ({name.strip()})")


def _login() -> str:
    """The login; the number of the account where it has no name, as in many containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid())


@contextmanager
def database_in_use() -> Iterator["Database"]:
    """The database of the settings; raises Unavailable where it has another schema."""
    from gis.database.connect import opened
    from gis.database.migrate import check_revision

    with opened(read_settings()) as database:
        with database.reading() as connection:
            check_revision(connection)
        yield database
