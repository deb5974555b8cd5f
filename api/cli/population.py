"""gis population: inhabitants by hex, for records per 1,000 of them."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import database_in_use
from api.cli.file_options import Delimiter, Encoding, FooterRows, HeaderRow, NumberFormat, Table
from api.cli.output import AsJson, print_facts, progress, say

if TYPE_CHECKING:
    from gis.population.store import Population

app = typer.Typer(help="Inhabitants by hex, for rates.", no_args_is_help=True)


@app.command(epilog="Example: gis population load vnm_ppp_2020_UNadj.tif --year 2020")
def load(
    file: Annotated[Path, typer.Argument(help="GeoTIFF of people per pixel, or table of communes")],
    year: Annotated[
        int | None, typer.Option(min=1900, max=2100, help="The year that the numbers are of")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Who made the numbers; unset: file name")
    ] = None,
    number_format: NumberFormat = None,
    encoding: Encoding = None,
    table: Table = None,
    header_row: HeaderRow = None,
    footer_rows: FooterRows = None,
    delimiter: Delimiter = None,
    as_json: AsJson = False,
) -> None:
    """Load the inhabitants of the province, in the place of those loaded before.

    A table has a column ma_xa (or code), of codes of today, and dan_so (or population). Its people
    are spread evenly over their commune, and rates by them say `approximate`.
    """
    from gis.intake.layout import parse_layout
    from gis.population.loader import PopulationFileOptions, load_population

    layout = parse_layout(header_row, footer_rows, delimiter)
    options = PopulationFileOptions(year, source, encoding, number_format, table, layout)
    with database_in_use() as database, progress("population") as show:
        report = load_population(database, file, options, show)
    without = {"communes_without_people": " ".join(report.communes_without)}
    print_facts(_facts(report.population) | without, as_json=as_json)


@app.command(epilog="Example: gis population show --json")
def show(as_json: AsJson = False) -> None:
    """Show the number of inhabitants, their source, year and quality."""
    from gis.population.store import require_population

    with database_in_use() as database, database.reading() as connection:
        print_facts(_facts(require_population(connection)), as_json=as_json)


@app.command(epilog="Example: gis population drop")
def drop() -> None:
    """Delete the inhabitants: hexes have no rates then."""
    from gis.population.store import drop_population

    with database_in_use() as database, database.writing() as connection:
        drop_population(connection)
    say("no population is loaded now")


def _facts(population: "Population") -> dict[str, object]:
    return asdict(population) | {"people": round(population.people)}
