"""Reader of a table of inhabitants by commune."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import shapely

from gis.errors import BadFile
from gis.intake.layout import FOUND, Layout
from gis.intake.numbers import NumberColumn, parse_numbers
from gis.intake.tables import RawTable, column_key, read_table, require_whole_records
from gis.population.pieces import PeopleByCell, pieces_of

# Names of columns, without case and diacritics.
CODES = ("ma", "ma xa", "ma phuong xa", "ma don vi", "code", "commune", "commune code")
PEOPLE = ("dan so", "so dan", "so nguoi", "nhan khau", "population", "people", "inhabitants")
_CODE_LENGTH = 5  # spreadsheets drop leading zeros
_MAX_FAULTS = 5


def read_people(
    path: Path,
    communes: Collection[str],
    *,
    encoding: str | None,
    number_format: str | None,
    table: str | None = None,
    layout: Layout = FOUND,
) -> dict[str, float]:
    """People by commune; `known` are the codes of today.

    Raises BadFile for unknown or repeated codes and for what is no number of people, Question where
    the text or the numbers have two readings.
    """
    read = read_table(path, encoding=encoding, table=table, layout=layout)
    require_whole_records(read)
    code, people = _column(read, CODES, "ma_xa"), _column(read, PEOPLE, "dan_so")
    codes = [value.strip().zfill(_CODE_LENGTH) for value in read[code]]
    numbers = parse_numbers(read[people], number_format, column=people)
    faults = list(_faults(read, codes, numbers, communes))
    if faults:
        more = f"; … ({len(faults)})" if len(faults) > _MAX_FAULTS else ""
        raise BadFile(f"{read.name}: {'; '.join(faults[:_MAX_FAULTS])}{more}")
    return dict(zip(codes, numbers.numbers.tolist(), strict=True))


def spread_evenly(area: shapely.Geometry, people: float) -> list[PeopleByCell]:
    """The people of an area (degrees, WGS 84), as many on each km² of it."""
    pieces = list(pieces_of(area))
    areas = [area_of_pieces.areas_km2 for area_of_pieces in pieces]
    density = people / sum(float(area_of_pieces.sum()) for area_of_pieces in areas)
    return [
        PeopleByCell(some.cells, cell_areas * density)
        for some, cell_areas in zip(pieces, areas, strict=True)
    ]


def _column(table: RawTable, names: Sequence[str], example: str) -> str:
    matches = [column for column in table.columns if column_key(column) in names]
    if len(matches) == 1:
        return matches[0]
    columns = ", ".join(f"“{column}”" for column in table.columns)
    raise BadFile(
        f"{table.name}: cần đúng một cột tên “{example}” (hoặc {', '.join(names)}) / needs one "
        f"column named “{example}” (or as listed). Các cột có / columns are: {columns}"
    )


def _faults(
    table: RawTable, codes: list[str], numbers: NumberColumn, communes: Collection[str]
) -> Iterator[str]:
    codes_seen: set[str] = set()
    for n, (line, code) in enumerate(zip(table.lines, codes, strict=True)):
        row, number = f"dòng / line {line}", numbers.numbers[n]
        if code not in communes:
            yield f"{row}: “{code}” không phải mã xã hiện nay / is no code of a commune of today"
        elif code in codes_seen:
            yield f"{row}: mã “{code}” lặp lại / comes again"
        if n in numbers.faults:
            yield f"{row}: {numbers.faults[n]}"
        elif np.isnan(number) or number < 0:
            yield f"{row}: số dân phải từ 0 / people must be a number from 0"
        codes_seen.add(code)
