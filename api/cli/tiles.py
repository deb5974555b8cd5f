"""gis tiles: archives of all tiles of a layer."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import AsJson, print_facts, progress
from tiles.archive import SUFFIX, export

app = typer.Typer(help="Archives of tiles.", no_args_is_help=True)


@app.command("export", epilog="Example: gis tiles export citizen_reports")
def export_command(
    layer: Annotated[str, typer.Argument(help="Id of the layer")],
    file: Annotated[
        Path | None,
        typer.Argument(help="A .pmtiles file; unset: where the service hands out public layers"),
    ] = None,
    max_zoom: Annotated[int | None, typer.Option(help="Last zoom; unset: of the layer")] = None,
    as_json: AsJson = False,
) -> None:
    """Write all tiles of a layer into one PMTiles file, as of one moment; whole or not at all."""
    settings = read_settings()
    chosen = read_layers(settings).get(layer)
    path = file or settings.archives / f"{chosen.id}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with database_in_use() as database, progress(f"exporting {layer}") as show:
        made = export(database, chosen, path, show, max_zoom)
    facts = {"file": path, "tiles": made.tiles, "version": made.version, "bytes": made.bytes}
    print_facts(facts, as_json=as_json)
