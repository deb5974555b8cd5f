"""gis gazetteer: landmarks and villages by name."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import AsJson, print_rows, say

app = typer.Typer(help="Landmarks and villages that addresses name.", no_args_is_help=True)


@app.command(epilog="Example: gis gazetteer load places.csv")
def load(file: Annotated[Path, typer.Argument(help="CSV: name, kind, lon, lat, source…")]) -> None:
    """Load places from a file; those of the same source are replaced."""
    from gis.placing.gazetteer import load_gazetteer

    with database_in_use() as database:
        count = load_gazetteer(database, file)
    say(f"{count} places")


@app.command(epilog="Example: gis gazetteer regeocode citizen_reports")
def regeocode(
    layer: Annotated[
        str | None, typer.Argument(help="Id of a layer; unset: all whose records have addresses")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Place records by their addresses again, after the gazetteer has grown.

    Records that waited in quarantine with an unclear address are tried again too.
    """
    from layers.ingest.regeocode import layers_with_addresses, regeocode_addresses

    catalogue = read_layers(read_settings())
    chosen = layers_with_addresses(catalogue) if layer is None else [catalogue.get(layer)]
    with database_in_use() as database:
        counts = [regeocode_addresses(database, each) for each in chosen]
    rows = [asdict(count) for count in counts]
    print_rows(rows, as_json=as_json, empty="no layer has addresses")
