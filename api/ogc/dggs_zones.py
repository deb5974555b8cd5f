"""Zones of H3 that have records: of one collection, or of all whose counts the caller may see."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import pyproj
import shapely
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Connection,
    Double,
    LargeBinary,
    Text,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ColumnElement

from gis.errors import BadInput
from gis.hexes import (
    COARSEST,
    EDGE_KM,
    FINEST,
    Cells,
    boundaries,
    cells_touching,
    descendants,
    resolution_of,
)
from gis.population.store import Population
from layers.cql2 import OperandKind, Property
from layers.items import CRS84, Box
from layers.items.value_errors import computed
from layers.storage.tables import has_hex_cover
from tiles.hexes import HexRequest, HexResults
from tiles.hexes.tables import FLAGS, Measures
from tiles.state import read_states

_KM_PER_DEGREE = 111.2
_MOST_LOOKED_UP = 50_000  # cells of an area; where it holds more, all zones with records are read
_A_METRE = 1e-5  # in degrees: a box may be a line or a point, of which H3 makes no cells
_MILD = shapely.box(-179, -85, 179, 85)  # where no hex is cut by the edge of the map
_EDGE_PARTS = 64  # straight edges of a box bend in another CRS

type Zones = dict[int, Measures]  # by cell, in the order of cells


@dataclass(frozen=True)
class Origin:
    """Origin of zones: the path of a collection (or nothing) and a request of each layer."""

    path: str
    hex_requests: tuple[HexRequest, ...]

    @property
    def finest(self) -> int:
        """The finest level with zones; at the root that of the layers of points, if there are any:
        lines and areas may end before."""
        every = [request for request in self.hex_requests if not has_hex_cover(request.layer)]
        requests = every or self.hex_requests
        return min((request.finest or FINEST for request in requests), default=FINEST)

    def measures(self, population: Population | None) -> tuple[str, ...]:
        """The names of what a zone may have."""
        if self.path:
            return self.hex_requests[0].measures(population)
        return tuple(f"{request.layer.id}_count" for request in self.hex_requests)

    def named(self, hex_request: HexRequest, measures: Measures) -> Measures:
        return measures if self.path else {f"{hex_request.layer.id}_count": measures["count"]}


@dataclass(frozen=True)
class ZoneArea:
    """An area of zones: those that touch a shape in degrees, and are a zone or within it."""

    shape: shapely.Geometry | None = None
    parent: int | None = None

    def cells(self, level: int) -> Cells | None:
        """The zones to look up; None where it is quicker to read all that have records."""
        if self.shape is None or self._number(level) > _MOST_LOOKED_UP:
            return None
        return cells_touching(self.shape.buffer(_A_METRE), level)

    def holds(self, cells: Cells) -> np.ndarray:
        """A mask of the cells that are in the area."""
        inside = np.ones(len(cells), dtype=np.bool_)
        if self.parent is not None and len(cells):
            if resolution_of(self.parent) > resolution_of(int(cells[0])):
                return ~inside
            span = descendants(self.parent, resolution_of(int(cells[0])))
            inside = (cells >= span.first) & (cells <= span.last)
        if self.shape is not None:
            shapely.prepare(self.shape)
            inside[inside] = shapely.intersects(self.shape, boundaries(cells[inside]))
        return inside

    def _number(self, level: int) -> float:
        assert self.shape is not None
        west, south, east, north = self.shape.bounds
        if not _MILD.contains(self.shape):
            return math.inf
        width, height = (east - west) * _KM_PER_DEGREE, (north - south) * _KM_PER_DEGREE
        edge = EDGE_KM[level]
        return float((width + 2 * edge) * (height + 2 * edge) / (2.6 * edge**2))


def zones_with_records(
    connection: Connection, answers: HexResults, origin: Origin, level: int, area: ZoneArea
) -> Zones:
    """Raises BadInput for a level at which nothing is counted, or at which it would be hidden."""
    require_level(level)
    zones = read_zones(connection, answers, origin, level, area.cells(level))
    cells = np.fromiter(zones, dtype=np.int64, count=len(zones))
    inside = area.holds(cells)
    return {int(cell): zones[int(cell)] for cell in cells[inside]}


def read_zones(
    connection: Connection,
    answers: HexResults,
    origin: Origin,
    level: int,
    cells: Cells | None,
) -> Zones:
    """The measures of zones of a level, among `cells`; None: of all. One snapshot is read."""
    zones: Zones = {}
    states = read_states(connection, [request.layer.id for request in origin.hex_requests])
    for hex_request in origin.hex_requests:
        is_left_out = not origin.path and has_hex_cover(hex_request.layer)
        if hex_request.layer.id not in states:
            continue
        if is_left_out and not hex_request.answers_at(level):
            continue
        table = answers.table(connection, states[hex_request.layer.id], hex_request, level, cells)
        for cell, measures in zip(table.cells.tolist(), table.measures(), strict=True):
            zones.setdefault(cell, {}).update(origin.named(hex_request, measures))
    return dict(sorted(zones.items()))


def require_level(level: int) -> None:
    if not COARSEST <= level <= FINEST:
        raise BadInput(
            f"level {level} has no data: records are counted from {COARSEST} to {FINEST}"
        )


def filtered(
    connection: Connection,
    zones: Zones,
    holds: ColumnElement[bool],
) -> Zones:
    """The zones for which a condition on `zone_properties` holds.

    Raises BadFilter. PostgreSQL evaluates it over what is shown, and nothing else.
    """
    cells = list(zones)
    arrays = [
        cast(bindparam("cells", cells), ARRAY(BigInteger)),
        cast(
            bindparam("measures", [orjson.dumps(measures).decode() for measures in zones.values()]),
            ARRAY(Text),
        ),
        cast(bindparam("shapes", list(shapely.to_wkb(boundaries(cells)))), ARRAY(LargeBinary)),
    ]
    unnested = func.unnest(*arrays).table_valued("cell", "measures", "shape", name="zones")
    rows = unnested.render_derived()
    with computed():
        chosen = connection.scalars(select(rows.c.cell).where(holds)).all()
    return {cell: zones[cell] for cell in sorted(chosen)}


def zone_properties(measures: Sequence[str]) -> dict[str, Property]:
    """By name, what a filter of zones may name: the measures and `geometry`."""
    shape = func.ST_SetSRID(func.ST_GeomFromWKB(column("shape")), CRS84.srid)
    named = {name: _property(name) for name in measures}
    return named | {"geometry": Property(OperandKind.GEOMETRY, shape)}


def _property(name: str) -> Property:
    value = cast(column("measures"), JSONB).op("->>")(name)
    if name in FLAGS:
        return Property(OperandKind.BOOLEAN, func.coalesce(cast(value, Boolean), False))
    return Property(OperandKind.NUMBER, cast(value, Double))


def shape_of(box: Box) -> shapely.Geometry:
    """A box of any CRS as an area in degrees, its edges bent as they are there."""
    return shapely.union_all([_in_degrees(part) for part in box.parts()])


def _in_degrees(box: Box) -> shapely.Geometry:
    if box.crs.srid == CRS84.srid:
        west, east = np.clip((box.west, box.east), -180, 180)
        south, north = np.clip((box.south, box.north), -90, 90)
        return shapely.box(west, south, east, north)
    shape = shapely.box(box.west, box.south, box.east, box.north)
    longest = max(box.east - box.west, box.north - box.south) / _EDGE_PARTS or 1.0
    moved = pyproj.Transformer.from_crs(box.crs.srid, CRS84.srid, always_xy=True)
    outline = shapely.transform(
        shapely.segmentize(shape, longest), moved.transform, interleaved=False
    )
    if not np.isfinite(shapely.get_coordinates(outline)).all():
        raise BadInput("bbox lies outside of where its CRS is defined: give it in CRS84")
    return outline
