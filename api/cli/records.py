"""gis records: the states of records, and the correction of those that are not placed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli.context import database_in_use, read_layers, read_settings, somebody_here
from api.cli.file_options import AssumedCrs, DateFormat, NumberFormat
from api.cli.output import AsJson, check_folder, complain, print_json, print_rows, say
from api.records import column_values, correction_record, quarantined_record, select
from gis.errors import AmbiguousInput, BadInput

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from layers.definition.model import Layer
    from layers.ingest.retry import RetryReport

app = typer.Typer(help="List, export, correct and replay records.", no_args_is_help=True)

# Members of a record by the names under which commands show them.
_SHOWN: Final = {
    "id": "id",
    "layer": "layer_id",
    "source": "source",
    "key": "source_key",
    "state": "state",
    "reason": "reason",
    "why": "why",
    "status": "status",
    "created_at": "created_at",
}
_MOST: Final = 100_000

Number = Annotated[int, typer.Argument(help="Number of the record")]
LayerId = Annotated[str | None, typer.Argument(help="A layer; unset: all")]
OneState = Annotated[
    str | None,
    typer.Option(
        help="placed, quarantined, outside, contradicting, stale (its layer serves the row of an "
        "earlier version) or dropped; unset: all that wait"
    ),
]
Source = Annotated[str | None, typer.Option(help="Only records of this source")]
Reason = Annotated[str | None, typer.Option(help="Only records with this reason, such as outside")]
Load = Annotated[int | None, typer.Option(help="Only records that last came with this load")]
Where = Annotated[
    list[str] | None, typer.Option(help="column=value as the source wrote it; can be repeated")
]


@app.command("list", epilog="Example: gis records list citizen_reports --state outside --json")
def list_command(
    layer: LayerId = None,
    state: OneState = None,
    status: Annotated[str, typer.Option(help="waiting, replayed or dropped")] = "waiting",
    source: Source = None,
    reason: Reason = None,
    load: Load = None,
    where: Where = None,
    limit: Annotated[int, typer.Option(min=1, help="Most records to list")] = 100,
    as_json: AsJson = False,
) -> None:
    """List records with their state, and the reason in words."""
    from layers.ingest import quarantine
    from layers.ingest.placed import placed_rows

    catalogue = read_layers(read_settings())
    layers = [catalogue.get(layer)] if layer else list(catalogue.layers)
    with database_in_use() as database, database.reading() as connection:
        if _state(state) == "placed":
            rows = [
                row
                for each in layers
                if not each.is_view
                for row in placed_rows(connection, each, source=source, limit=limit)
            ][:limit]
        else:
            records = quarantine.list_waiting(
                connection,
                layers=[each.id for each in layers],
                status=status,
                state=state,
                source=source,
                reason=reason,
                load=load,
                values=column_values(where),
                limit=limit,
            )
            rows = [select(quarantined_record(record), _SHOWN) for record in records]
    print_rows(rows, as_json=as_json, empty="no record is in this state")


@app.command(epilog="Example: gis records show 12")
def show(number: Number) -> None:
    """Show one record, as its source sent it or as corrected since.

    Cells of undeclared columns are shown too, and the audit log says to whom.
    """
    from layers.ingest import quarantine
    from layers.ingest.undeclared import in_clear

    with database_in_use() as database, database.writing() as connection:
        waiting = quarantine.get_waiting(connection, number)
        record = quarantined_record(in_clear(connection, waiting, somebody_here()))
    whole = _SHOWN | {name: name for name in ("raw", "answers", "item", "load_id", "changed_by")}
    print_json(select(record, whole))


@app.command(epilog="Example: gis records export citizen_reports failed.gpkg --state outside")
def export(
    layer: Annotated[str, typer.Argument(help="Id of the layer")],
    file: Annotated[Path, typer.Argument(help="A file .csv or .gpkg to write")],
    state: OneState = None,
    source: Source = None,
    reason: Reason = None,
    load: Load = None,
    where: Where = None,
    unmask: Annotated[
        bool,
        typer.Option("--unmask", help="Write undeclared columns in clear; the audit log says so"),
    ] = False,
) -> None:
    """Write records with their state, reason and columns to a CSV or GeoPackage file.

    Cells of columns that the layer file does not declare are masked.
    """
    from layers.ingest import quarantine
    from layers.ingest.record_files import write_records
    from layers.ingest.undeclared import in_clear

    check_folder(file)
    chosen = read_layers(read_settings()).get(layer)
    if _state(state) == "placed":
        raise BadInput("placed records are the items of the layer: export those")
    with database_in_use() as database, database.writing() as connection:
        records = quarantine.list_waiting(
            connection,
            layers=[chosen.id],
            state=state,
            source=source,
            reason=reason,
            load=load,
            values=column_values(where),
            limit=_MOST,
        )
        if unmask:
            records = [in_clear(connection, each, somebody_here()) for each in records]
    write_records(chosen, records, file)
    say(f"{len(records)} records are in {file}")


@app.command(
    epilog="Example: gis records fix --layer wells --where commune=2998 --set commune=02998"
)
def fix(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of records")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="column=value; can be repeated")
    ] = None,
    place_by: Annotated[
        str | None,
        typer.Option(help="Decide a contradiction: place by its coordinates or by its words"),
    ] = None,
    layer: Annotated[str | None, typer.Option(help="A selection: records of this layer")] = None,
    state: OneState = None,
    source: Source = None,
    reason: Reason = None,
    load: Load = None,
    where: Where = None,
    once: Annotated[
        bool, typer.Option("--once", help="Make no rule for later loads of --where")
    ] = False,
    later: Annotated[
        bool, typer.Option("--later", help="Do not try the records again now")
    ] = False,
) -> None:
    """Correct records by number, by a selection, or all that share a value, and try them again.

    With --where alone this is a rule too: later loads of the same source are changed alike.
    """
    from layers.ingest import corrections, quarantine

    changes = column_values(set_) | (corrections.decision(place_by) if place_by else {})
    if not changes:
        raise BadInput("say what is right: --set column=value, or --place-by")
    if bool(numbers) == bool(layer):
        raise BadInput("name records by their numbers, or a selection by --layer")
    matched = column_values(where)
    selects = bool(numbers or state or reason or load)
    catalogue, who = read_layers(read_settings()), somebody_here().name
    with database_in_use() as database, database.writing() as connection:
        if layer and matched and not selects:
            made = corrections.fix_all(
                connection, catalogue.get(layer), matched, changes, who, source=source, once=once
            )
        else:
            if numbers:
                records = [quarantine.get_waiting(connection, number) for number in numbers]
                for record in records:
                    quarantine.require_waiting(record)
            else:
                records = quarantine.list_waiting(
                    connection,
                    layers=[catalogue.get(layer or "").id],
                    state=state,
                    source=source,
                    reason=reason,
                    load=load,
                    values=matched,
                    limit=_MOST,
                )
            for layer_id in {record.layer_id for record in records}:
                corrections.check_columns(catalogue.get(layer_id), changes)
            made = corrections.correct(connection, records, changes, who)
        _say_corrected(connection, made)
    if not later:
        for correction in made:
            _replay(correction)


@app.command(epilog="Example: gis records replay citizen_reports")
def replay(
    layer: Annotated[str, typer.Argument(help="Id of the layer")],
    source: Annotated[str | None, typer.Option(help="Only records of this source")] = None,
    assume_crs: AssumedCrs = None,
    date_format: DateFormat = None,
    number_format: NumberFormat = None,
    as_json: AsJson = False,
) -> None:
    """Replay the quarantined records of a layer, as corrected since.

    They are read as their file was, with the answers given then; options here go before those.
    """
    from layers.ingest.records import FileOptions
    from layers.ingest.retry import replay as replay_records

    chosen = read_layers(read_settings()).get(layer)
    answers = FileOptions(crs=assume_crs, date_format=date_format, number_format=number_format)
    with database_in_use() as database, database.writing() as connection:
        reports = replay_records(
            connection, chosen, actor=somebody_here().name, source=source, answers=answers
        )
    rows = [_retry_row(report) for report in reports]
    print_rows(rows, as_json=as_json, empty="nothing waits in quarantine")
    questions = [report for report in reports if report.question]
    for report in questions:
        complain(f"{report.source}: {report.question}")
    if questions:
        raise typer.Exit(AmbiguousInput.exit_code)


def _retry_row(retried: "RetryReport") -> dict[str, object]:
    report = retried.report
    return {
        "source": retried.source,
        "tried": retried.waited if report else 0,
        "placed": report.added + report.updated + report.unchanged if report else 0,
        "outside": report.outside if report else 0,
        "waiting": retried.still_waiting,
    }


@app.command(epilog="Example: gis records drop 12")
def drop(
    number: Number, yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False
) -> None:
    """Drop a record; a copy stays and `gis records list --state dropped` lists it."""
    from layers.ingest import quarantine

    if not yes:
        typer.confirm(f"Drop record {number}?", abort=True)
    with database_in_use() as database, database.writing() as connection:
        quarantine.drop(connection, number, somebody_here().name)
    say(f"record {number} is dropped")


@app.command(epilog="Example: gis records corrections citizen_reports --rules")
def corrections(
    layer: LayerId = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Only rules that later loads go by")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most corrections to list")] = 100,
    as_json: AsJson = False,
) -> None:
    """List corrections, newest first: who changed what in how many records."""
    from layers.ingest.corrections import list_corrections

    catalogue = read_layers(read_settings())
    layers = [catalogue.get(layer).id] if layer else [each.id for each in catalogue.layers]
    with database_in_use() as database, database.reading() as connection:
        found = list_corrections(connection, layers, rules_only=rules, limit=limit)
    rows = [correction_record(each) for each in found]
    print_rows(rows, as_json=as_json, empty="nothing was corrected")


@app.command(epilog="Example: gis records undo 7")
def undo(
    correction: Annotated[int, typer.Argument(help="From `gis records corrections`")],
) -> None:
    """Undo a correction: its records wait as before, and its rule ends."""
    from layers.ingest.corrections import get_correction
    from layers.ingest.corrections import undo as undo_correction

    catalogue = read_layers(read_settings())
    with database_in_use() as database, database.writing() as connection:
        layer = catalogue.get(get_correction(connection, correction).layer_id)
        undone = undo_correction(connection, layer, correction, somebody_here())
    say(f"{undone.waiting} records wait as before correction {correction}")
    if undone.changed:
        complain(f"{undone.changed} records changed since, and stay as they are")


def _say_corrected(connection: "Connection", made: Sequence[int]) -> None:
    from layers.ingest.corrections import get_correction

    for number in made:
        correction = get_correction(connection, number)
        rule = ", and later loads of it are changed alike" if correction.matched else ""
        say(
            f"correction {number}: {correction.records} records of {correction.source}{rule} "
            f"(`gis records undo {number}`)"
        )


def _replay(correction_id: int) -> None:
    """Try the records of a correction again, and say what became of them."""
    from layers.ingest.corrections import get_correction, records_of
    from layers.ingest.retry import replay

    catalogue = read_layers(read_settings())
    with database_in_use() as database, database.writing() as connection:
        layer: Layer = catalogue.get(get_correction(connection, correction_id).layer_id)
        outcomes = replay(
            connection,
            layer,
            actor=somebody_here().name,
            ids=records_of(connection, correction_id),
        )
    placed = sum(
        each.report.added + each.report.updated + each.report.unchanged
        for each in outcomes
        if each.report
    )
    waiting = sum(each.still_waiting for each in outcomes)
    say(f"{placed} records are placed, {waiting} wait still")
    for each in outcomes:
        if each.question:
            answered = f"trả lời bằng / answer with `gis records replay {layer.id} --…`"
            complain(f"{each.source}: {each.question}\n{answered}")


def _state(state: str | None) -> str | None:
    from layers.ingest.quarantine import State

    if state is not None and state not in set(State):
        raise BadInput(f"--state {state!r} is none of {', '.join(State)}")
    return state
