"""gis gazetteer: landmarks and villages by name."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import database_in_use
from api.cli.output import say

app = typer.Typer(help="Landmarks and villages that addresses name.", no_args_is_help=True)


@app.callback()
def _gazetteer() -> None:
    """Keeps `load` a command of its own while it is the only one."""


@app.command(epilog="Example: gis gazetteer load places.csv")
def load(file: Annotated[Path, typer.Argument(help="CSV: name, kind, lon, lat, source…")]) -> None:
    """Load places from a file; those of the same source are replaced."""
    from gis.placing.gazetteer import load_gazetteer

    with database_in_use() as database:
        count = load_gazetteer(database, file)
    say(f"{count} places")
