"""Gazetteer: places by name, with a point each: villages, markets, schools, streets, roads.

Places come from layers (see `gis.placing.layer_gazetteer`) and from tables that the operator loads:
CSV, UTF-8, with a head of columns name, kind, lon, lat, unit, source, licence, or a file of
GeoNames (https://download.geonames.org/export/dump/, for Vietnam `VN.txt`, CC BY 4.0: 19 columns by
tabs, no head). `unit` is a commune's code of today and may be empty.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from gis.database.engine import Database
from gis.errors import BadFile
from gis.placing.road_kilometres import RoadNetwork
from gis.text import nfc, search_key

_COLUMNS = ("name", "kind", "lon", "lat", "unit", "source", "licence")
_GEONAMES_COLUMNS = 19
_GEONAMES_KINDS = {
    "P": "village", "S": "building", "R": "road", "H": "water", "T": "mountain", "L": "area",
    "V": "vegetation",
}  # fmt: skip

# Classes of kinds: keys of the words that stand before a name of the class (the last word of each),
# the precision in metres where the source says none, and the kinds.
_VILLAGE_M, _PLACE_M = 500.0, 100.0
_CLASSES: Final = {
    "village": (
        """village hamlet neighbourhood quarter isolated_dwelling locality suburb thon ban lang xom
        to todanpho ap""",
        "thon ban lang xom ap to doi khu pho tdp kp village hamlet",
    ),
    "street": ("street road duong pho", "duong pho d street ngo"),
    "market": ("market marketplace cho", "cho market"),
    "bridge": ("bridge cau", "cau bridge"),
    "school": ("school kindergarten truong", "truong th thcs thpt mn mg school"),
    "health": (
        "health_post hospital clinic doctors tramite benhvien", "te tit vien bv kham hospital",
    ),
}  # fmt: skip
_CLASS_OF_KIND: Final = {
    kind: name for name, (kinds, _) in _CLASSES.items() for kind in kinds.split()
}
CLASS_OF_WORD: Final = {
    word: name for name, (_, words) in _CLASSES.items() for word in words.split()
}

# What people write in full or in short, as in keys; a name and a text are brought to the short.
_SHORT: Final = {
    "trunghocphothong": "thpt", "trunghoccoso": "thcs", "tieuhoc": "th", "mamnon": "mn",
    "maugiao": "mg", "phothongdantocnoitru": "ptdtnt", "phothongdantocbantru": "ptdtbt",
    "todanpho": "tdp", "khupho": "kp", "uibannhandan": "ubnd", "nhavanhoa": "nvh",
    "benhvien": "bv", "tramite": "tit", "todanphoso": "tdp", "tdpso": "tdp", "khuphoso": "kp",
    "thonso": "thon", "toso": "to", "banso": "ban",
}  # fmt: skip
_FULL = re.compile("|".join(sorted(_SHORT, key=len, reverse=True)))
_SCHOOL = re.compile("^truong(?=th|mn|mg|ptdt)")
_WORD = re.compile(r"[1-9]\d*|0(?!\d)|[^\W\d_]+")  # a number without zeros before it
_MIN_CLASS_KEY = 2  # letters of a name after the word of its class


@dataclass(frozen=True, slots=True)
class NamedPoint:
    """A place: name, kind, degrees (WGS 84), commune of today or empty, other names.

    `precision_m` is in metres; None where the source does not say.
    """

    name: str
    kind: str
    lon: float
    lat: float
    unit: str
    source: str
    licence: str
    precision_m: float | None = None
    aliases: tuple[str, ...] = ()

    @property
    def radius_m(self) -> float:
        """The precision, or that of its kind."""
        if self.precision_m is not None:
            return self.precision_m
        return _VILLAGE_M if class_of(self.kind) == "village" else _PLACE_M


@lru_cache(maxsize=1024)
def class_of(kind: str) -> str | None:
    """The class of a kind of place, as `village` for `thôn`; None for one of no class."""
    return _CLASS_OF_KIND.get(kind) or _CLASS_OF_KIND.get(name_key(kind))


def _nowhere(lon: float, lat: float) -> str | None:
    return None


@dataclass(frozen=True)
class Gazetteer:
    """Places by keys that ignore case, diacritics, blanks, i/y and short forms; and roads.

    `parts` are gazetteers that are searched too. `commune_at` gives the code of the commune of
    today at degrees (lon, lat), None outside.
    """

    rows: tuple[NamedPoint, ...] = ()
    roads: RoadNetwork = field(default_factory=RoadNetwork)
    parts: tuple["Gazetteer", ...] = ()
    commune_at: Callable[[float, float], str | None] = field(default=_nowhere, compare=False)

    @cached_property
    def _by_key(self) -> dict[str, NamedPoint | list[NamedPoint]]:
        """Lists are for keys of several places alone: most have one, and there are many."""
        index: dict[str, NamedPoint | list[NamedPoint]] = {}
        for row in self.rows:
            for key in _keys_of(row):
                one = index.get(key)
                if one is None:
                    index[key] = row
                elif isinstance(one, list):
                    one.append(row)
                else:
                    index[key] = [one, row]
        return index

    def __len__(self) -> int:
        return len(self.rows) + len(self.roads.roads) + sum(len(part) for part in self.parts)

    def named(self, key: str, word: str = "") -> list[NamedPoint]:
        """The rows whose name has this key (see `place_key`).

        `word` is the key of the word before the name in the text: after `thôn`, villages are
        found whose name is written with or without a word of its kind.
        """
        found = self._own(key)
        place_class = CLASS_OF_WORD.get(word)
        if place_class is not None:
            found = [*found, *self._own(f"{place_class}:{key}")]
        return [*found, *chain.from_iterable(part.named(key, word) for part in self.parts)]

    def _own(self, key: str) -> list[NamedPoint]:
        found = self._by_key.get(key)
        if found is None:
            return []
        return found if isinstance(found, list) else [found]

    def networks(self) -> Iterator[RoadNetwork]:
        """The networks of roads of all parts."""
        if self.roads.roads:
            yield self.roads
        for part in self.parts:
            yield from part.networks()


def _keys_of(row: NamedPoint) -> set[str]:
    """Keys of all names of a place; with its class, also of the names without a word of it."""
    place_class = class_of(row.kind)
    keys: set[str] = set()
    for name in (row.name, *row.aliases):
        words = _words(name)
        keys.add(place_key("".join(words)))
        while len(words) > 1 and place_class and CLASS_OF_WORD.get(words[0]) == place_class:
            words = words[1:]  # `thôn Làng Nủ` is found as `bản Nủ` too
        bare = place_key("".join(words))
        if place_class is not None and len(bare) >= _MIN_CLASS_KEY:
            keys.add(f"{place_class}:{bare}")
    return keys - {""}


def _words(name: str) -> list[str]:
    return _WORD.findall(search_key(name).replace("y", "i"))


def name_key(name: str) -> str:
    """`Chợ Cốc Lếu` → `chococleu`: no case, diacritics, blanks, `i` for `y`, no leading zeros."""
    return "".join(_words(name))


def place_key(key: str) -> str:
    """A key with the short forms of kinds of places: `truongtieuhockimtan` → `thkimtan`."""
    return _SCHOOL.sub("", _FULL.sub(lambda found: _SHORT[found[0]], key))


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


def _point(
    line: str,
    *,
    lon: str,
    lat: str,
    name: str,
    kind: str,
    unit: str,
    source: str,
    licence: str,
) -> NamedPoint:
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
    return NamedPoint(nfc(name), kind, x, y, unit, source, licence)


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
        connection.execute(_RAISE_VERSION)
        connection.execute(_CLEAR, {"sources": sorted({row.source for row in rows})})
        return sum(connection.execute(_STORE, _parameters(row)).rowcount for row in rows)


def stored_gazetteer(connection: Connection) -> Gazetteer:
    """The gazetteer in the database."""
    return Gazetteer(tuple(NamedPoint(*row) for row in connection.execute(_STORED)))


def _parameters(row: NamedPoint) -> dict[str, object]:
    return {column: getattr(row, column) for column in _COLUMNS}


_RAISE_VERSION = text("UPDATE gis.gazetteer_version SET version = version + 1")
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
