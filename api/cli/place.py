"""gis place: adds placing columns to a table of addresses and coordinates."""

import csv
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.context import database_in_use
from api.cli.output import complain
from gis.clock import today

if TYPE_CHECKING:
    from gis.intake.tables import RawTable
    from gis.placing.placer import Claims

_LINE_END = re.compile(r"\r\n|\n|\r")  # control characters may be letters of an old encoding
_COLUMNS = (
    "lon", "lat", "cell", "commune", "commune_name", "unit_then", "era", "method", "confidence",
    "precision_m", "candidates", "reason", "why",
)  # fmt: skip


def place(
    file: Annotated[Path | None, typer.Argument(help="A table; unset: addresses on stdin")] = None,
    address: Annotated[str, typer.Option(help="Column of the address")] = "address",
    lon: Annotated[str, typer.Option(help="Column of the longitude, WGS 84")] = "lon",
    lat: Annotated[str, typer.Option(help="Column of the latitude, WGS 84")] = "lat",
    unit: Annotated[str, typer.Option(help="Column of a commune's code or name")] = "commune",
    day: Annotated[str, typer.Option(help="Column of the day")] = "day",
    encoding: Annotated[
        str | None, typer.Option(help="The encoding of the text, for example tcvn3 or vni")
    ] = None,
) -> None:
    """Place the records of a table, or one address a line on stdin; writes CSV to stdout.

    Example: echo "thôn 3, xã Bát Xát, Lào Cai" | gis place
    """
    from gis.intake.tables import require_columns
    from gis.placing.reference import stored_placer

    names = {"address": address, "lon": lon, "lat": lat, "unit": unit, "day": day}
    table = _read(file, address, encoding)
    if not set(names.values()) & set(table.columns):
        require_columns(table, [address])
    with database_in_use() as database, database.reading() as connection:
        placer = stored_placer(connection, today())
        places = placer.place(_claims(table, names))
    _write(table, [placer.answer(places, i) for i in range(len(table))])


def _read(file: Path | None, column: str, encoding: str | None) -> "RawTable":
    from gis.intake.tables import read_table

    if file is None:
        table = read_lines(sys.stdin.buffer.read(), column, encoding=encoding)
    else:
        table = read_table(file, encoding=encoding)
    for note in table.notes:
        complain(f"{table.name}: {note}")
    return table


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


def _claims(table: "RawTable", names: dict[str, str]) -> "Claims":
    import numpy as np

    from gis.intake.dates import parse_dates
    from gis.intake.numbers import parse_numbers
    from gis.placing.placer import Claims

    nothing = [""] * len(table)
    columns = {part: table.cells.get(name, nothing) for part, name in names.items()}
    instants = parse_dates(columns["day"], format=None, column=names["day"]).instants
    return Claims(
        lon=parse_numbers(columns["lon"], column=names["lon"]).numbers,
        lat=parse_numbers(columns["lat"], column=names["lat"]).numbers,
        address=columns["address"],
        unit=columns["unit"],
        day=[instant.date() if instant else None for instant in instants],
        precision_m=np.full(len(table), np.nan),
    )


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
