"""gis place: adds placing columns to a table of addresses and coordinates."""

import csv
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.context import database_in_use, somebody_here
from api.cli.file_options import (
    AssumedCrs,
    DateFormat,
    Delimiter,
    Encoding,
    FooterRows,
    HeaderRow,
    NumberFormat,
    Table,
)
from api.cli.output import complain
from gis.clock import today

if TYPE_CHECKING:
    from gis.intake.tables import RawTable
    from gis.placing.placer import Claims
    from gis.placing.reference import Territory
    from gis.placing.source_crs import Floats

_LINE_END = re.compile(r"\r\n|\n|\r")  # control characters may be letters of an old encoding
_COLUMNS = (
    "lon", "lat", "cell", "commune", "commune_name", "unit_then", "era", "method", "confidence",
    "precision_m", "matched", "candidates", "reason", "why",
)  # fmt: skip


def place(
    file: Annotated[Path | None, typer.Argument(help="A table; unset: addresses on stdin")] = None,
    address: Annotated[str, typer.Option(help="Column of the address")] = "address",
    lon: Annotated[str, typer.Option(help="Column of the longitude or easting")] = "lon",
    lat: Annotated[str, typer.Option(help="Column of the latitude or northing")] = "lat",
    unit: Annotated[str, typer.Option(help="Column of a commune's code or name")] = "commune",
    district: Annotated[str, typer.Option(help="Column of an old district")] = "district",
    day: Annotated[str, typer.Option(help="Column of the day")] = "day",
    assume_crs: AssumedCrs = None,
    date_format: DateFormat = None,
    number_format: NumberFormat = None,
    encoding: Encoding = None,
    table: Table = None,
    header_row: HeaderRow = None,
    footer_rows: FooterRows = None,
    delimiter: Delimiter = None,
) -> None:
    """Place the records of a table, or one address a line on stdin; writes CSV to stdout.

    Columns of coordinates are WGS 84 unless --assume-crs says otherwise.
    Example: echo "thôn 3, xã Bát Xát, Lào Cai" | gis place
    """
    from gis.intake.layout import parse_layout
    from gis.intake.tables import read_table, require_columns
    from gis.placing.reference import stored_placer, stored_territory

    names = {
        "address": address, "lon": lon, "lat": lat, "unit": unit, "district": district, "day": day,
    }  # fmt: skip
    formats = _Formats(assume_crs, date_format, number_format)
    if file is None:
        records = read_lines(sys.stdin.buffer.read(), address, encoding=encoding)
    else:
        layout = parse_layout(header_row, footer_rows, delimiter)
        records = read_table(file, encoding=encoding, table=table, layout=layout)
    for note in records.notes:
        complain(f"{records.name}: {note}")
    with database_in_use() as database, database.reading() as connection:
        claims = _claims(records, names, formats, stored_territory(connection))
        if claims is None:
            require_columns(records, [address])
            return
        placer = stored_placer(connection, today(), somebody_here())
        places = placer.place(claims)
    _write(records, [placer.answer(places, i) for i in range(len(records))])


@dataclass(frozen=True, slots=True)
class _Formats:
    """Answers to questions about the columns of a table."""

    crs: str | None
    date: str | None
    number: str | None


def read_lines(content: bytes, column: str, *, encoding: str | None = None) -> "RawTable":
    """A table of one column from the lines of a text, in Unicode, with notes of conversions.

    Raises AmbiguousInput when bytes that are no UTF-8 have several readings and `encoding` names
    none.
    """
    from gis.intake.encodings import decode_columns, decode_file
    from gis.intake.tables import RawTable

    text, decoded = decode_file(content)
    lines = _LINE_END.split(text)
    lines = lines[:-1] if lines[-1] == "" else lines
    decoded_columns = decode_columns([column], [lines], decoded=decoded, encoding=encoding)
    cells = {column: [line.strip() for line in decoded_columns.cells[column]]}
    return RawTable("stdin", "", (column,), cells, range(1, len(lines) + 1), decoded_columns.notes)


def _claims(
    table: "RawTable", names: dict[str, str], formats: _Formats, territory: "Territory"
) -> "Claims | None":
    """The claims of the records; None where the table holds none of the columns.

    Values that cannot be read, and records that are not whole, are told on stderr.
    """
    import numpy as np

    from gis.intake.coordinates import place_column, with_places
    from gis.intake.dates import parse_dates
    from gis.placing.crs import check_points
    from gis.placing.placer import Claims
    from gis.values import BBox

    words = {names["address"], names["unit"], names["district"], names["day"]}
    located = table
    if table.geometry is None and not {names["lon"], names["lat"]} & set(table.columns):
        column = place_column(table, words)
        located = table if column is None else with_places(table, column)
    if located.geometry is None and not set(names.values()) & set(table.columns):
        return None
    x, y, crs = _coordinates(located, names, formats)
    envelope = BBox.of(territory.outline.bounds)
    points = check_points(x, y, crs, envelope, assume=formats.crs, inside=territory.holds)
    nothing = [""] * len(table)
    dates = parse_dates(table.cells.get(names["day"], nothing), formats.date, column=names["day"])
    values = dict(table.value_faults(sorted(set(names.values()))))
    for faults in (table.faults, values, located.unread, points.faults, dates.faults):
        for row, why in faults.items():
            complain(f"{table.name}: dòng / line {table.lines[row]}: {why}")
    whole = [row not in table.faults for row in range(len(table))]
    columns = {
        part: [
            value if is_whole else ""
            for value, is_whole in zip(table.cells.get(names[part], nothing), whole, strict=True)
        ]
        for part in ("address", "unit", "district")
    }
    return Claims(
        lon=np.where(whole, points.lon, np.nan),
        lat=np.where(whole, points.lat, np.nan),
        address=columns["address"],
        unit=columns["unit"],
        day=[instant.date() if instant else None for instant in dates.instants],
        precision_m=np.full(len(table), np.nan),
        district=columns["district"],
    )


def _coordinates(
    table: "RawTable", names: dict[str, str], formats: _Formats
) -> "tuple[Floats, Floats, str | None]":
    """x, y and the declared CRS: of the geometry, else of two columns, degrees unless said."""
    from gis.intake.coordinates import parse_degrees
    from gis.intake.numbers import parse_numbers
    from gis.placing.crs import AS_DECLARED, parse_crs

    if table.points is not None:
        return (*table.points, table.crs)
    crs = "EPSG:4326" if formats.crs in (None, AS_DECLARED) else str(formats.crs)
    read = parse_numbers if parse_crs(crs).crs.is_projected else parse_degrees
    nothing = [""] * len(table)
    x, y = (
        read(table.cells.get(names[part], nothing), formats.number, column=names[part])
        for part in ("lon", "lat")
    )
    for parsed in (x, y):
        for row, why in parsed.faults.items():
            complain(f"{table.name}: dòng / line {table.lines[row]}: {why}")
    return x.numbers, y.numbers, "EPSG:4326"


def _write(table: "RawTable", answers: Sequence[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout)
    existing = set(table.columns)
    writer.writerow([*table.columns, *(f"place_{c}" if c in existing else c for c in _COLUMNS)])
    for i, answer in enumerate(answers):
        cells = _as_cells(answer)
        writer.writerow([*table.row(i).values(), *(cells[column] for column in _COLUMNS)])


def _as_cells(answer: dict[str, Any]) -> dict[str, Any]:
    commune = answer["commune"] or {"code": None, "name": None}
    candidates = (f"{candidate['code']} {candidate['name']}" for candidate in answer["candidates"])
    return answer | {
        "commune": commune["code"],
        "commune_name": commune["name"],
        "candidates": "; ".join(candidates),
    }
