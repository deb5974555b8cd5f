"""gis loads: what was loaded, what it changed, and how it is taken back."""

from dataclasses import asdict
from typing import Annotated, Final

import typer

from api.cli.context import database_in_use, read_layers, read_settings, somebody_here
from api.cli.output import AsJson, print_facts, print_rows

app = typer.Typer(help="List, show, compare and revert loads of files.", no_args_is_help=True)

_LISTED: Final = (
    "id", "layer_id", "source", "file", "mode", "loaded_at", "loaded_by", "read", "added",
    "updated", "removed", "quarantined", "outside", "reverted_at",
)  # fmt: skip
_NOTHING = "nothing was loaded"

Number = Annotated[int, typer.Argument(help="Number of the load, from `gis loads list`")]
Limit = Annotated[int, typer.Option(min=1, help="Most rows to list")]


@app.command("list", epilog="Example: gis loads list --layer citizen_reports")
def list_command(
    layer: Annotated[str | None, typer.Option(help="Only loads of this layer")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the loads of files, newest first."""
    from layers.ingest.loads import list_loads

    with database_in_use() as database, database.reading() as connection:
        loads = [asdict(load) for load in list_loads(connection, layer, limit)]
    rows = loads if as_json else [{name: load[name] for name in _LISTED} for load in loads]
    print_rows(rows, as_json=as_json, empty=_NOTHING)


@app.command(epilog="Example: gis loads show 7")
def show(load: Number, as_json: AsJson = False) -> None:
    """Show a load: its file, options and counts."""
    from layers.ingest.loads import get_load

    with database_in_use() as database, database.reading() as connection:
        print_facts(asdict(get_load(connection, load)), as_json=as_json)


@app.command(epilog="Example: gis loads diff 7 --json")
def diff(load: Number, limit: Limit = 100, as_json: AsJson = False) -> None:
    """Compare the rows that a load changed with what was there before."""
    from layers.ingest import loads

    catalogue = read_layers(read_settings())
    with database_in_use() as database, database.reading() as connection:
        chosen = loads.get_load(connection, load)
        layer = catalogue.get(chosen.layer_id)
        rows = [asdict(change) for change in loads.diff(connection, layer, chosen, limit)]
    print_rows(rows, as_json=as_json, empty="it changed no row")


@app.command(epilog="Example: gis loads revert 7")
def revert(load: Number, as_json: AsJson = False) -> None:
    """Put back what a load changed. Rows that were changed since stay as they are, and are counted.

    The revert is in the history of rows, and each row of it can be reverted.
    """
    from layers.ingest import loads

    catalogue = read_layers(read_settings())
    with database_in_use() as database, database.writing() as connection:
        layer = catalogue.get(loads.get_load(connection, load).layer_id)
        reverted = loads.revert(connection, layer, load, somebody_here())
    print_facts(asdict(reverted), as_json=as_json)
