"""Gazetteer: landmarks and villages by name, with a point each, that the operator loads.

A table (CSV, UTF-8, with a head) of columns name, kind, lon, lat, unit, source, licence, or a
file of GeoNames (https://download.geonames.org/export/dump/, for Vietnam `VN.txt`, CC BY 4.0:
19 columns by tabs, no head). `unit` is a commune's code of today and may be empty.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection, text

from gis.database.engine import Database
from gis.errors import BadFile
from gis.text import nfc, search_key

_COLUMNS = ("name", "kind", "lon", "lat", "unit", "source", "licence")
_GEONAMES_COLUMNS = 19
_GEONAMES_KINDS = {
    "P": "village", "S": "building", "R": "road", "H": "water", "T": "mountain", "L": "area",
    "V": "vegetation",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NamedPoint:
    """A landmark or village: name, kind, degrees (WGS 84), commune of today or empty."""

    name: str
    kind: str
    lon: float
    lat: float
    unit: str
    source: str
    licence: str


@dataclass(frozen=True)
class Gazetteer:
    """Named points by a key that ignores case, diacritics, blanks and i/y."""

    rows: tuple[NamedPoint, ...]

    @cached_property
    def _by_key(self) -> dict[str, list[NamedPoint]]:
        index: defaultdict[str, list[NamedPoint]] = defaultdict(list)
        for row in self.rows:
            index[name_key(row.name)].append(row)
        return dict(index)

    def __len__(self) -> int:
        return len(self.rows)

    def named(self, key: str) -> list[NamedPoint]:
        """The rows whose name has this key (see `name_key`)."""
        return self._by_key.get(key, [])


def name_key(name: str) -> str:
    """`Chợ Cốc Lếu` → `chococleu`: no case, diacritics, blanks, and `i` for `y`."""
    return re.sub(r"[\W_]", "", search_key(name)).replace("y", "i")


def read_gazetteer(path: Path) -> Gazetteer:
    """Read a table or a GeoNames file (.txt); raises BadFile, which names line and column."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{path.name} cannot be read as UTF-8 text: {error}") from None
    geonames = bool(lines) and lines[0].count("\t") == _GEONAMES_COLUMNS - 1
    return Gazetteer(tuple(_geonames_rows(lines) if geonames else _table_rows(path.name, lines)))


def _table_rows(file: str, lines: list[str]) -> Iterator[NamedPoint]:
    reader = csv.DictReader(lines)
    missing = {"name", "lon", "lat"} - set(reader.fieldnames or ())
    if missing:
        raise BadFile(
            f"{file}: no column {', '.join(sorted(missing))}; "
            f"the first line must name the columns {', '.join(_COLUMNS)}"
        )
    for number, row in enumerate(reader, start=2):
        values = {column: (row.get(column) or "").strip() for column in _COLUMNS}
        yield _point(f"{file} line {number}", **values)


def _point(line: str, *, lon: str, lat: str, name: str, **columns: str) -> NamedPoint:
    try:
        x, y = float(lon), float(lat)
    except ValueError:
        raise BadFile(
            f"{line}: lon {lon!r}, lat {lat!r} are not numbers; give degrees such as 103.97, 22.48"
        ) from None
    if not (-180 <= x <= 180 and -90 <= y <= 90):
        raise BadFile(f"{line}: lon {lon}, lat {lat} are no degrees of WGS 84")
    if not name:
        raise BadFile(f"{line}: the name is empty")
    return NamedPoint(name=nfc(name), lon=x, lat=y, **columns)


def _geonames_rows(lines: Iterable[str]) -> Iterator[NamedPoint]:
    """Columns: https://download.geonames.org/export/dump/readme.txt; units (A) are left out."""
    for number, line in enumerate(lines, start=1):
        columns = line.split("\t")
        if len(columns) != _GEONAMES_COLUMNS:
            raise BadFile(f"line {number}: {len(columns)} columns; GeoNames has 19, by tabs")
        kind = _GEONAMES_KINDS.get(columns[6])
        if kind is not None:
            yield _point(
                f"line {number}", name=columns[1], kind=kind, lon=columns[5], lat=columns[4],
                unit="", source="GeoNames", licence="CC BY 4.0",
            )  # fmt: skip


def load_gazetteer(database: Database, path: Path) -> int:
    """Replace the rows of the file's sources; gives how many of the file's lie in the province.

    A row without a unit gets the commune that its point lies in; one outside all communes, or with
    an unknown unit, is left out.
    """
    rows = read_gazetteer(path).rows
    with database.writing() as connection:
        connection.execute(_CLEAR, {"sources": sorted({row.source for row in rows})})
        return sum(connection.execute(_STORE, _parameters(row)).rowcount for row in rows)


def stored_gazetteer(connection: Connection) -> Gazetteer:
    """The gazetteer in the database."""
    rows = connection.execute(_STORED)
    return Gazetteer(tuple(NamedPoint(*row) for row in rows))


def _parameters(row: NamedPoint) -> dict[str, object]:
    return dict(zip(_COLUMNS, astuple(row), strict=True))


_CLEAR = text("DELETE FROM gis.gazetteer WHERE source = ANY(:sources)")

# The unit given wins; else the commune of today under the point; no unit, no row.
_STORE = text("""
INSERT INTO gis.gazetteer (name, kind, geom, unit, source, licence)
SELECT :name, :kind, spot.geom, unit.code, :source, :licence
FROM (SELECT ST_SetSRID(ST_MakePoint(:lon, :lat), 4326) AS geom) AS spot
CROSS JOIN LATERAL (
  SELECT code FROM layer.communes
  WHERE code = :unit OR (CAST(:unit AS text) = '' AND ST_Covers(communes.geom, spot.geom))
  ORDER BY code LIMIT 1
) AS unit
ON CONFLICT (name, source, geom) DO NOTHING
""")

_STORED = text("""
SELECT name, kind, ST_X(geom), ST_Y(geom), unit, source, licence
FROM gis.gazetteer ORDER BY id
""")
