"""gis layers: layer files and the records of their tables."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli.context import database_in_use, read_layers, read_settings, somebody_here
from api.cli.file_options import (
    AssumedCrs,
    DateFormat,
    Delimiter,
    Encoding,
    FooterRows,
    HeaderRow,
    NumberFormat,
    Table,
    file_answers,
)
from api.cli.output import (
    AsJson,
    check_folder,
    complain,
    print_json,
    print_rows,
    progress,
    say,
    write_new,
)
from api.records import change_record, select
from layers.ingest.mode import LoadMode

if TYPE_CHECKING:
    from layers.ingest.load import LoadReport

app = typer.Typer(help="List, check, publish and fill layers.", no_args_is_help=True)

_CHANGE: Final = {name: name for name in ("change", "item", "act", "at", "who")}


@app.command("list", epilog="Example: gis layers list --json")
def list_command(as_json: AsJson = False) -> None:
    """List the layers of the catalogue."""
    rows = [
        {
            "id": layer.id,
            "title": layer.title.vi,
            "geometry": layer.geometry.value,
            "read": layer.access.read.value,
            "department": layer.department.vi,
        }
        for layer in read_layers(read_settings()).layers
    ]
    print_rows(rows, as_json=as_json, empty="the catalogue is empty")


@app.command(epilog="Example: gis layers check")
def check() -> None:
    """Read all layer files; each fault is named by file, line and the right word."""
    say(f"{len(read_layers(read_settings()).layers)} layer files are right")


@app.command(epilog="Example: gis layers draft gieng_khoan.csv --id wells --out layers/wells.yaml")
def draft(
    file: Annotated[
        Path, typer.Argument(help="Spreadsheet, CSV, GeoJSON, GIS file, or a zip of one")
    ],
    layer_id: Annotated[
        str | None, typer.Option("--id", help="Id of the layer; unset: from the file's name")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write, not there yet; unset: standard output")
    ] = None,
    encoding: Encoding = None,
    table: Table = None,
    header_row: HeaderRow = None,
    footer_rows: FooterRows = None,
    delimiter: Delimiter = None,
) -> None:
    """Draft a layer file from a file of records: types, key, place, units, and personal columns.

    Hexes and a style are proposed. All records prove the types. `gis layers check` and `load`
    accept it as it is; what says “?” is to be filled in.
    """
    from gis.intake.chunks import open_chunks
    from gis.intake.layout import parse_layout
    from layers.definition.drafts import draft_layer

    check_folder(out)
    layout = parse_layout(header_row, footer_rows, delimiter)
    chunks = open_chunks(file, encoding=encoding, table=table, layout=layout)
    name, text = draft_layer(chunks, layer_id or (out.stem if out else None))
    if out is None:
        typer.echo(text, nl=False)
        return
    write_new(out, text)
    say(f"drafted {name} in {out}: fill in what says “?”, then `gis layers check`")


@app.command("sync", epilog="Example: gis layers sync")
def sync_command(as_json: AsJson = False) -> None:
    """Publish the layer files: create and change tables, without losing rows.

    Whatever was derived from a layer or a field that is closed now is deleted.
    """
    from layers.definition.recipients import follow_files
    from layers.storage.sync import sync
    from tiles.outdated import delete_outdated

    settings = read_settings()
    catalogue = read_layers(settings)
    with database_in_use() as database:
        with database.writing() as connection:
            changes = sync(connection, catalogue)
        delete_outdated(database, settings.archives, settings.kept_tiles)
        missing = follow_files(database)
    rows = [
        {"layer": change.layer_id, "change": change.change, "detail": change.detail}
        for change in changes
    ]
    print_rows(rows, as_json=as_json, empty="nothing to change")
    for message in missing:
        complain(message)


@app.command(epilog="Example: gis layers load landslides nasa_glc.csv")
def load(
    layer: Annotated[str, typer.Argument(help="Id of the layer")],
    file: Annotated[
        Path, typer.Argument(help="Spreadsheet, CSV, GeoJSON, GIS file, or a zip of one")
    ],
    source: Annotated[
        str | None,
        typer.Option(
            help="The system that the records come from; unset: as the layer file says, "
            "else the file's name"
        ),
    ] = None,
    mode: Annotated[
        LoadMode,
        typer.Option(
            help="append: rows that are there stay as they are; upsert: they take new values; "
            "replace, mirror: those that the file has no more go, mirror asks where many would"
        ),
    ] = LoadMode.UPSERT,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask about what is overwritten or removed")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Store nothing; say what would be read and change")
    ] = False,
    failures: Annotated[
        Path | None, typer.Option(help="CSV file to write, with the records that fail and why")
    ] = None,
    assume_crs: AssumedCrs = None,
    date_format: DateFormat = None,
    number_format: NumberFormat = None,
    encoding: Encoding = None,
    table: Table = None,
    header_row: HeaderRow = None,
    footer_rows: FooterRows = None,
    delimiter: Delimiter = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="The records are simulated; say so in each")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Load records from a file: all or none. Loading twice changes nothing."""
    from layers.ingest.load import LoadOptions, load_file

    chosen = read_layers(read_settings()).get(layer)
    answers = file_answers(
        assume_crs=assume_crs,
        date_format=date_format,
        number_format=number_format,
        encoding=encoding,
        table=table,
        header_row=header_row,
        footer_rows=footer_rows,
        delimiter=delimiter,
    )
    check_folder(failures)
    options = LoadOptions(
        who=somebody_here().name,
        source=source,
        answers=answers,
        mode=mode,
        confirmed=yes,
        dry_run=dry_run,
        failures=failures,
        simulated=simulated,
    )
    with database_in_use() as database, progress(f"loading {layer}") as show:
        report = load_file(database, chosen, file, options, show)
    print_report(report, as_json=as_json)


@app.command(epilog="Example: gis layers history landslides 12")
def history(
    layer: Annotated[str, typer.Argument(help="Id of the layer")],
    item: Annotated[int | None, typer.Argument(help="Id of an item; unset: all")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most changes to list")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the edits of a layer's items, newest first: who, when, and what was there before."""
    from layers.ingest import edit

    chosen = read_layers(read_settings()).get(layer)
    with database_in_use() as database, database.reading() as connection:
        changes = edit.history(connection, chosen.id, item, limit)
    records = [change_record(change) for change in changes]
    rows = records if as_json else [select(record, _CHANGE) for record in records]
    print_rows(rows, as_json=as_json, empty="nothing was edited")


@app.command(epilog="Example: gis layers revert landslides 7")
def revert(
    layer: Annotated[str, typer.Argument(help="Id of the layer")],
    change: Annotated[int, typer.Argument(help="Number of the change, from `gis layers history`")],
) -> None:
    """Put an item back as it was before a change. This is a change too, and can be reverted."""
    from layers.ingest import edit

    chosen = read_layers(read_settings()).get(layer)
    with database_in_use() as database, database.writing() as connection:
        item = edit.revert(connection, chosen, change, somebody_here())
    say(f"item {item} of {layer} is as it was before change {change}")


def print_report(report: "LoadReport", *, as_json: bool) -> None:
    columns = [asdict(column) for column in report.columns]
    if as_json:
        more = {"states": report.states, "reasons": report.reasons, "notes": report.notes}
        print_json({**report_row(report), **more, **({"columns": columns} if columns else {})})
        return
    if columns:
        print_rows(columns, as_json=False, empty="")
        say("nothing was stored: this was a dry run")
    for name, value in report_row(report).items():
        if value is not None:
            say(f"{name:<15} {value}")
    for reason, count in sorted(report.reasons.items()):
        say(f"  {count} × {reason}")
    for note in report.notes:
        complain(note)
    if report.load_id is not None:
        say(f"`gis loads show {report.load_id}` shows it, `gis loads revert` takes it back")
    if report.quarantined or report.outside:
        say(f"`gis records list {report.layer_id}` shows those that are not placed, and why")


def _percent(share: float | None) -> str | None:
    """The share of the addresses that reached a hex, as 37 %; None where there was no address."""
    return None if share is None else f"{share:.0%}".replace("%", " %")


def report_row(report: "LoadReport") -> dict[str, object]:
    return {
        "load": report.load_id,
        "layer": report.layer_id,
        "source": report.source,
        "read": report.read,
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "outside": report.outside,
        "quarantined": report.quarantined,
        "removed": report.removed,
        "default_points": report.default_points,
        "addresses_in_hexes": _percent(report.address_share),
    }
