"""gis boundaries: the administrative units."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import AsJson, print_facts, progress

if TYPE_CHECKING:
    from gis.database.engine import Database

app = typer.Typer(help="Load, check and change administrative units.", no_args_is_help=True)


@app.command(epilog="Example: gis boundaries load --from communes.geojson")
def load(
    source: Annotated[
        str | None, typer.Option("--from", help="File, folder or URL; unset: GIS_BOUNDARIES")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load the units of the province from the first source that exists."""
    from api.setup import load_units

    settings = read_settings()
    if source is not None:
        settings = settings.model_copy(update={"boundaries": source})
    with database_in_use() as database:
        with progress("boundaries") as show:
            report = load_units(database, settings, show)
        moved = _regeocode(database)
    print_facts(asdict(report) | moved, as_json=as_json)


@app.command(epilog="Example: gis boundaries load-former wards_2024.gpkg --day 2024-12-31")
def load_former(
    file: Annotated[Path, typer.Argument(help="Polygons of communes or districts of before")],
    day: Annotated[datetime, typer.Option(help="A day on which they were in force")],
    level: Annotated[str, typer.Option(help="What they are: commune or district")] = "commune",
    as_json: AsJson = False,
) -> None:
    """Give old communes or districts their polygons, so that points know their old unit."""
    from gis.boundaries.loader import load_former as load_former_units
    from gis.boundaries.units import Level
    from gis.errors import BadInput

    if level not in ("commune", "district"):
        raise BadInput(f"--level {level} is wrong: polygons are of communes or districts")

    with database_in_use() as database:
        report = load_former_units(database, file, day.date(), Level(level))
        moved = _regeocode(database)
    print_facts(asdict(report) | moved, as_json=as_json)


@app.command(epilog="Example: gis boundaries check --json")
def check(as_json: AsJson = False) -> None:
    """List invalid rings, overlaps, gaps and differences from the official areas."""
    from api.setup import units_source
    from gis.boundaries.check import check_boundaries
    from gis.boundaries.loader import read_communes
    from gis.boundaries.package_units import package_history

    settings = read_settings()
    history = package_history(settings.province)
    with progress("boundaries") as show:
        communes = read_communes(units_source(settings, show), history)
    print_facts(asdict(check_boundaries(communes)), as_json=as_json)


@app.command(epilog="Example: gis boundaries change decree.toml")
def change(
    file: Annotated[Path, typer.Argument(help="TOML: the day, the source, the new units")],
    as_json: AsJson = False,
) -> None:
    """Store a later change of units: which end on its day, which begin, what became of each."""
    from gis.boundaries.change import apply_change

    with database_in_use() as database:
        report = apply_change(database, file)
        moved = _regeocode(database)
    print_facts(asdict(report) | moved, as_json=as_json)


def _regeocode(database: "Database") -> dict[str, object]:
    """Re-geocode all layers; gives the number of moved rows by layer."""
    from layers.ingest.regeocode import regeocode

    layers = regeocode(database, read_layers(read_settings()))
    return {"placed_again": {layer.layer_id: layer.changed for layer in layers if layer.changed}}
