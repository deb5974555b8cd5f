"""gis quarantine: records that could not be understood or placed."""

from typing import Annotated, Final

import typer

from api.cli.context import database_in_use, read_layers, read_settings, somebody_here
from api.cli.layers import replay_command
from api.cli.output import AsJson, print_json, print_rows, say
from api.records import quarantined_record, select
from gis.errors import BadInput

app = typer.Typer(help="List, correct and replay quarantined records.", no_args_is_help=True)

# Members of a record by the names under which commands show them.
_SHOWN: Final = {
    "id": "id",
    "layer": "layer_id",
    "source": "source",
    "key": "source_key",
    "reason": "reason",
    "why": "why",
    "status": "status",
    "created_at": "created_at",
}

Number = Annotated[int, typer.Argument(help="Number of the record in quarantine")]


@app.command("list", epilog="Example: gis quarantine list citizen_reports --json")
def list_command(
    layer: Annotated[str | None, typer.Argument(help="A layer; unset: all")] = None,
    status: Annotated[str, typer.Option(help="waiting, replayed or dropped")] = "waiting",
    source: Annotated[str | None, typer.Option(help="Only records of this source")] = None,
    reason: Annotated[
        str | None, typer.Option(help="Only records with this reason, such as outside")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most records to list")] = 100,
    as_json: AsJson = False,
) -> None:
    """List records with the reason in words."""
    from layers.ingest import quarantine

    catalogue = read_layers(read_settings())
    layers = [catalogue.get(layer).id] if layer else [each.id for each in catalogue.layers]
    with database_in_use() as database, database.reading() as connection:
        records = quarantine.list_waiting(
            connection, layers=layers, status=status, source=source, reason=reason, limit=limit
        )
    rows = [select(quarantined_record(record), _SHOWN) for record in records]
    print_rows(rows, as_json=as_json, empty="nothing waits in quarantine")


@app.command(epilog="Example: gis quarantine show 12")
def show(number: Number) -> None:
    """Show one record, as its source sent it or as corrected since."""
    from layers.ingest import quarantine

    with database_in_use() as database, database.reading() as connection:
        record = quarantined_record(quarantine.get_waiting(connection, number))
    whole = _SHOWN | {"raw": "raw", "answers": "answers", "changed_by": "changed_by"}
    print_json(select(record, whole))


@app.command(epilog='Example: gis quarantine fix 12 --set "address=Thôn 2, xã Bảo Yên, Lào Cai"')
def fix(
    number: Number,
    set_: Annotated[list[str], typer.Option("--set", help="column=value; can be repeated")],
) -> None:
    """Correct columns of a record; `gis quarantine replay` tries it again."""
    from layers.ingest import quarantine

    changes = dict(_assignment(assignment) for assignment in set_)
    with database_in_use() as database, database.writing() as connection:
        quarantine.fix(connection, number, changes, somebody_here().name)
    say(f"record {number} is corrected; `gis quarantine replay LAYER` tries it again")


app.command("replay", epilog="Example: gis quarantine replay citizen_reports")(replay_command)


@app.command(epilog="Example: gis quarantine drop 12")
def drop(
    number: Number, yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False
) -> None:
    """Drop a record; a copy stays and `gis quarantine list --status dropped` lists it."""
    from layers.ingest import quarantine

    if not yes:
        typer.confirm(f"Drop record {number}?", abort=True)
    with database_in_use() as database, database.writing() as connection:
        quarantine.drop(connection, number, somebody_here().name)
    say(f"record {number} is dropped")


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise BadInput(f"--set {text!r}: write column=value")
    return name, value
