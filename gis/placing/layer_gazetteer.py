"""Gazetteers of layers: the places of each published layer whose file has a section `gazetteer`.

Each is read when an address first asks for it and kept until the layer changes; a layer that an
asker may not read is not searched for him.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from geoalchemy2 import Geography, Geometry
from pyproj import Geod
from sqlalchemy import (
    ColumnClause,
    Connection,
    Float,
    Row,
    String,
    TableClause,
    cast,
    column,
    func,
    literal,
    null,
    select,
    table,
    text,
)
from sqlalchemy.sql.elements import ColumnElement

from gis.access import Principal, may_read
from gis.placing.cells import CellTable
from gis.placing.gazetteer import Gazetteer, NamedPoint, stored_gazetteer
from gis.placing.road_kilometres import KilometrePost, RoadLine, RoadNetwork
from gis.text import nfc

_GEOD = Geod(ellps="WGS84")
_LEAST_M = 1e-3  # metres of a piece whose ends are one point
_PIECE_DEGREES = 0.001  # about 100 m
_TABLE = "gis.gazetteer"  # the key of what operators loaded into the table, beside layers

_kept: dict[str, tuple[object, Gazetteer]] = {}
_reading = threading.Lock()
_latest: tuple[list[tuple[str, str, str]], Sequence[Row[Any]]] = ([], ())


@dataclass(frozen=True, slots=True)
class _Section:
    """The section `gazetteer` of a published layer, with what else of its file concerns it."""

    layer_id: str
    geometry: str
    fields: Mapping[str, Any]
    section: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        aliases = self.section["aliases"]
        return (self.section["name"], *([aliases] if isinstance(aliases, str) else aliases))

    @property
    def table(self) -> TableClause:
        columns: list[ColumnClause[Any]] = [column(name) for name in self.fields]
        return table(self.layer_id, column("geom", Geometry()), *columns, schema="layer")

    def value(self, source: TableClause, word: str) -> ColumnElement[Any]:
        """The column that a word of the section names, or the word itself as a constant."""
        value = self.section[word]
        if value is None:
            return null()
        if isinstance(value, str) and value in self.fields:
            return source.c[value]
        return literal(value)


def gazetteer_for(
    connection: Connection, principal: Principal, communes: CellTable, placed_on: str
) -> Gazetteer:
    """The places that somebody may ask for: the loaded table, and the layers that he may read.

    `placed_on` is a digest of the polygons of `communes`.
    """

    def commune_at(lon: float, lat: float) -> str | None:
        return _communes_at(communes, [lon], [lat])[0] or None

    versions = connection.execute(_VERSIONS).all()
    table_stamp = tuple(versions[0][:3])
    parts = [_current(_TABLE, table_stamp, partial(stored_gazetteer, connection))]
    layers = _sections(connection, versions)
    latest = {row.id: (row.database, row.layer_version, row.transaction) for row in versions}
    for layer in layers:
        # A layer that was published between the two statements is searched from the next time on.
        if layer.id in latest and may_read(principal, layer.audience, layer.id):
            stamp = (*latest[layer.id], layer.digest, placed_on)
            section = _Section(layer.id, layer.geometry, layer.fields, layer.gazetteer)
            parts.append(_current(layer.id, stamp, partial(_read, connection, section, communes)))
    for gone in _kept.keys() - {_TABLE, *(layer.id for layer in layers)}:
        _kept.pop(gone, None)
    return Gazetteer(parts=tuple(part for part in parts if part), commune_at=commune_at)


def _current(name: str, stamp: object, read: Callable[[], Gazetteer]) -> Gazetteer:
    """What is kept under a name while its stamp is the same, else what is read anew, by one."""
    kept = _kept.get(name)
    if kept is not None and kept[0] == stamp:
        return kept[1]
    with _reading:
        kept = _kept.get(name)
        if kept is None or kept[0] != stamp:
            kept = _kept[name] = (stamp, read())
        return kept[1]


# Of the table, and of each published layer. A version that a transaction raised and did not commit
# may be raised again by another, to another content: `xmin` tells the two apart.
_VERSIONS = text("""
SELECT t.version, t.xmin::text, current_database() AS database, l.id, l.digest,
       l.version AS layer_version, l.xmin::text AS transaction
FROM gis.gazetteer_version t LEFT JOIN gis.layer l ON l.published ORDER BY l.id
""")
# Definitions are long, and to unpack all of them takes longer than to place an address: they are
# read where a digest has changed, not at each change of a layer's rows.
_LAYERS = text("""
SELECT id, digest, definition ->> 'geometry' AS geometry,
       definition #>> '{access,read}' AS audience, definition -> 'gazetteer' AS gazetteer,
       definition -> 'fields' AS fields
FROM gis.layer
WHERE published AND jsonb_typeof(definition -> 'gazetteer') = 'object' ORDER BY id
""")


def _sections(connection: Connection, versions: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """The published layers with a section, by rows of `_VERSIONS`."""
    global _latest
    known, layers = _latest
    published = [(row.database, row.id, row.digest) for row in versions]
    if known != published:
        layers = connection.execute(_LAYERS).all()
        _latest = published, layers
    return layers


def _read(connection: Connection, section: _Section, communes: CellTable) -> Gazetteer:
    if section.geometry == "line":
        lines = [
            _Line(
                _split_names(section, row),
                row.kind or "",
                row.precision_m,
                row.km,
                bytes(row.shape),
            )
            for row in connection.execute(_lines(section))
        ]
        shapes = shapely.from_wkb([line.wkb for line in lines])
        points = tuple(_line_points(section.layer_id, lines, shapes, communes))
        return Gazetteer(points, RoadNetwork.of(_road_lines(lines, shapes), ()))
    if section.section["km"] is not None:
        return Gazetteer((), _roads_of_posts(connection, section))
    rows = connection.execute(_places(section)).all()
    return Gazetteer(tuple(_points(section, rows, communes)))


def _names(section: _Section, source: TableClause) -> list[ColumnElement[Any]]:
    return [source.c[name].label(f"name{i}") for i, name in enumerate(section.names)]


def _places(section: _Section) -> Any:
    """Names, kind, precision (m) and degrees of each place; of an area a point in it, and the
    radius of a circle as large.
    """
    source = section.table
    point = func.ST_PointOnSurface(source.c.geom)
    area = func.ST_Area(cast(source.c.geom, Geography()))
    radius = func.sqrt(area / func.pi()) if section.geometry == "polygon" else cast(null(), Float)
    return select(
        *_names(section, source),
        cast(section.value(source, "kind"), String).label("kind"),
        func.coalesce(cast(section.value(source, "precision_m"), Float), radius).label(
            "precision_m"
        ),
        func.ST_X(point).label("lon"),
        func.ST_Y(point).label("lat"),
    ).where(source.c.geom.is_not(None), source.c[section.section["name"]].is_not(None))


def _points(section: _Section, rows: Sequence[Any], communes: CellTable) -> Iterator[NamedPoint]:
    units = _communes_at(communes, [row.lon for row in rows], [row.lat for row in rows])
    for row, unit in zip(rows, units, strict=True):
        if unit:
            yield _point(section, row, unit)


def _communes_at(communes: CellTable, lon: Sequence[float], lat: Sequence[float]) -> list[str]:
    """The commune of each point (degrees, WGS 84), empty outside."""
    indices = communes.assign(np.array(lon, float), np.array(lat, float))
    return [communes.codes[index] if index >= 0 else "" for index in indices]


def _point(section: _Section, row: Any, unit: str) -> NamedPoint:
    name, *aliases = _split_names(section, row)
    return NamedPoint(
        name, row.kind or "", row.lon, row.lat, unit, section.layer_id, "", row.precision_m,
        tuple(aliases),
    )  # fmt: skip


def _split_names(section: _Section, row: Any) -> list[str]:
    """The name, then the aliases."""
    texts = [getattr(row, f"name{i}") for i in range(len(section.names))]
    aliases = [alias for value in texts[1:] if value for alias in re.split(r"[;|]", value)]
    return [nfc(texts[0]), *(nfc(alias) for alias in aliases if alias.strip())]


def _lines(section: _Section) -> Any:
    """Names, kind, precision (m), first kilometre and shape of each line with a name."""
    source = section.table
    return select(
        *_names(section, source),
        cast(section.value(source, "kind"), String).label("kind"),
        cast(section.value(source, "precision_m"), Float).label("precision_m"),
        cast(section.value(source, "km"), Float).label("km"),
        func.ST_AsBinary(func.ST_LineMerge(source.c.geom, True)).label("shape"),
    ).where(source.c.geom.is_not(None), source.c[section.section["name"]].is_not(None))


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a layer: its name and aliases, kind, declared precision (m), first kilometre."""

    names: list[str]
    kind: str
    precision_m: float | None
    km: float | None
    wkb: bytes


def _line_points(
    source: str, lines: Sequence[_Line], shapes: npt.NDArray[np.object_], communes: CellTable
) -> Iterator[NamedPoint]:
    """The lines of each name and kind in each commune: the point of them nearest to their middle.

    Its precision is their length there; where they lie apart, the span of them all. Lines are cut
    into pieces of 100 m, each of which lies in the commune of its middle: to intersect a province's
    roads with its communes takes longer than an asker may wait.
    """
    first: dict[tuple[str, ...], int] = {}
    of_name = np.array(
        [first.setdefault((*line.names, line.kind), i) for i, line in enumerate(lines)], np.intp
    )
    pieces = _cut(shapes)
    index = communes.assign(*pieces.middle.T)
    group = of_name[pieces.line] * len(communes.codes) + index
    inside = np.flatnonzero(index >= 0)
    order = inside[np.argsort(group[inside], kind="stable")]
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    for members in np.split(order, starts[1:]) if len(order) else ():
        line = lines[of_name[pieces.line[members[0]]]]
        middle, metres = pieces.middle[members], pieces.metres[members]
        (west, south), (east, north) = middle.min(axis=0), middle.max(axis=0)
        span_m = _GEOD.inv(west, south, east, north)[2]
        weights = np.maximum(metres, _LEAST_M)
        centre = weights @ middle / weights.sum()
        lon, lat = middle[np.argmin(np.hypot(*(middle - centre).T))].tolist()
        precision_m = line.precision_m or max(float(metres.sum()), span_m)
        yield NamedPoint(
            line.names[0], line.kind, lon, lat, communes.codes[index[members[0]]], source, "",
            precision_m, tuple(line.names[1:]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Pieces:
    """n pieces of lines: the index of the line, the middle (degrees, (n, 2)), the length."""

    line: npt.NDArray[np.intp]
    middle: npt.NDArray[np.float64]
    metres: npt.NDArray[np.float64]


def _cut(shapes: npt.NDArray[np.object_]) -> _Pieces:
    parts, line_of_part = shapely.get_parts(shapes, return_index=True)
    coordinates, part = shapely.get_coordinates(
        shapely.segmentize(parts, _PIECE_DEGREES), return_index=True
    )
    same = np.flatnonzero(part[:-1] == part[1:])
    start, stop = coordinates[same], coordinates[same + 1]
    metres = np.asarray(_GEOD.inv(*start.T, *stop.T)[2])
    return _Pieces(line_of_part[part[same]], (start + stop) / 2, metres)


def _road_lines(
    lines: Sequence[_Line], shapes: npt.NDArray[np.object_]
) -> Iterator[tuple[list[str], RoadLine]]:
    """A line of several parts has no measure of its own: its parts are lines by themselves."""
    counts = shapely.get_num_geometries(shapes)
    for part, i in zip(*shapely.get_parts(shapes, return_index=True), strict=True):
        yield lines[i].names, RoadLine(part, lines[i].km if counts[i] == 1 else None)


def _roads_of_posts(connection: Connection, section: _Section) -> RoadNetwork:
    source = section.table
    km = source.c[section.section["km"]]
    rows = connection.execute(
        select(
            *_names(section, source),
            cast(km, Float).label("km"),
            func.ST_X(source.c.geom).label("lon"),
            func.ST_Y(source.c.geom).label("lat"),
        ).where(source.c.geom.is_not(None), km.is_not(None))
    )
    posts = [
        (_split_names(section, row), KilometrePost(row.km, row.lon, row.lat))
        for row in rows
        if row.name0
    ]
    return RoadNetwork.of((), posts)
