"""gis demo: simulated records, labelled so in each of them."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.layers import report_row
from api.cli.output import AsJson, print_rows, progress, say


class Scenario(StrEnum):
    YAGI = "yagi"


app = typer.Typer(help="Simulated data.", no_args_is_help=True)

Until = Annotated[datetime | None, typer.Option(help="The last instant, UTC; unset: now")]


@app.command(epilog="Example: gis demo load")
def load(until: Until = None, as_json: AsJson = False) -> None:
    """Load 90 simulated days, in place of those loaded before."""
    from api.demo import load_demo

    catalogue = read_layers(read_settings())
    with database_in_use() as database, progress("simulated records") as show:
        reports = load_demo(database, catalogue, _end(until), show)
    rows = [report_row(report) for report in reports]
    print_rows(rows, as_json=as_json, empty="no layer takes simulated records")


@app.command(epilog="Example: gis demo scenario yagi")
def scenario(
    name: Annotated[Scenario, typer.Argument(help="yagi: the night to 10 September 2024")],
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Replay a disaster by published figures, over ordinary simulated days.

    Hours and places within a district are assumed, as each record says. The service sees the night
    as it would a real one; all that comes of it is marked as simulated. Only in a database without
    real records.
    """
    from api.demo import load_yagi

    catalogue = read_layers(read_settings())
    with database_in_use() as database, progress(f"scenario {name}") as show:
        reports = load_yagi(database, catalogue, _end(until), show)
    rows = [report_row(report) for report in reports]
    print_rows(rows, as_json=as_json, empty="no layer takes simulated records")


@app.command(epilog="Example: gis demo write reports.csv --records 100000")
def write(
    file: Annotated[Path, typer.Argument(help="The CSV file to write")],
    records: Annotated[
        int | None, typer.Option(min=1, help="How many usual reports; unset: as `gis demo load`")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Another seed, other reports; unset: as `gis demo load`")
    ] = None,
    until: Until = None,
) -> None:
    """Write simulated citizen reports to a CSV file, points and addresses mixed."""
    from gis.placing.reference import read_current_communes
    from layers.ingest.demo import RECORDS, SEED, simulate_reports, write_csv

    with database_in_use() as database, database.reading() as connection:
        communes = read_current_communes(connection)
    reports = simulate_reports(
        communes,
        _end(until),
        records=RECORDS if records is None else records,
        seed=SEED if seed is None else seed,
    )
    write_csv(file, reports)
    say(f"{len(reports)} simulated reports in {file}")


def _end(until: datetime | None) -> datetime:
    return until.replace(tzinfo=UTC) if until else datetime.now(UTC)
