"""gis boundaries: the administrative units."""

from dataclasses import asdict
from typing import Annotated

import typer

from api.cli.context import database_in_use, read_settings
from api.cli.output import AsJson, print_facts, progress
from api.setup import load_units

app = typer.Typer(help="Load, check and change administrative units.", no_args_is_help=True)


@app.command(epilog="Example: gis boundaries load --from communes.geojson")
def load(
    source: Annotated[
        str | None, typer.Option("--from", help="File, folder or URL; unset: GIS_BOUNDARIES")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load the units of the province from the first source that exists."""
    settings = read_settings()
    if source is not None:
        settings = settings.model_copy(update={"boundaries": source})
    with database_in_use() as database, progress("boundaries") as show:
        report = load_units(database, settings, show)
    print_facts(asdict(report), as_json=as_json)
