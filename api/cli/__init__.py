"""The command line: one module a noun, each a thin layer over the domain."""

import sys

import typer

from api.cli import (
    alerts,
    boundaries,
    db,
    demo,
    gazetteer,
    hotspots,
    keys,
    layers,
    place,
    quarantine,
    up,
)
from api.cli.output import complain
from gis.errors import GisError

app = typer.Typer(
    name="gis",
    help="GIS service of a provincial operations centre.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("place")(place.place)
for noun in (db, boundaries, layers, demo, hotspots, alerts, keys, quarantine, gazetteer):
    app.add_typer(noun.app, name=noun.__name__.rsplit(".", 1)[1])


def main() -> None:
    """Run a command; an error raised on purpose ends as one message and its exit code."""
    try:
        app()
    except GisError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
