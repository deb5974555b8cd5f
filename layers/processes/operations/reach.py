"""Reach: how far one comes from some places, by distance or travel time."""

import math
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, Double, func, literal_column, select, union_all

from gis.errors import BadInput, NotFound
from gis.rasters.raster import RasterGrid
from layers.definition.model import GeometryKind, LocalizedText
from layers.processes.context import Context
from layers.processes.geometry import PLANE, area_km2
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Parameters,
    Process,
    RasterInput,
    Row,
    graduated,
    number,
    parameter,
)
from layers.processes.raster_values import heights_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_VERTICES = 2_000_000
_NEVER = 1e18  # a cost beyond all limits
_USUAL_HEIGHTS = "elevation"
_DOWNHILL = math.exp(3.5 * 0.05)  # times as fast as on level ground, where it falls by 5 %
_STEPS, _SHORTEST_M, _MOST_SAMPLES = 300, 10.0, 10_000_000  # of ways with slope
_DIGITS = 6  # of degrees, 0.1 m: ends of lines that are meant to meet


class ReachParameters(Parameters):
    """From where, how far, and by what."""

    origins: LayerInput | None = parameter(None, "Từ lớp điểm", "From the points of a layer")
    place: tuple[float, float] | None = parameter(
        None, "hoặc từ kinh độ, vĩ độ", "or from longitude, latitude"
    )
    by: Literal["distance", "time"] = parameter(
        "distance", "Theo", "By",
        extra={"labels_vi": {"distance": "khoảng cách (m)", "time": "thời gian (phút)"}},
    )  # fmt: skip
    limits: list[float] = Field(
        [1_000, 5_000],
        title="Limits: metres, or minutes",
        min_length=1,
        max_length=8,
        json_schema_extra={"title_vi": "Các mức: mét, hoặc phút"},
    )
    roads: LayerInput | None = parameter(
        None, "Mạng đường (trống: đường thẳng)", "Roads (empty: straight line)"
    )
    speed: str | None = parameter(
        None, "Trường tốc độ (km/h)", "Property with the speed (km/h)", max_length=60,
        extra={"format": "property"},
    )  # fmt: skip
    speed_kmh: float = parameter(30, "Tốc độ chung (km/h)", "Speed, else (km/h)", gt=0, le=200)
    walk_kmh: float = parameter(
        4, "Tốc độ ngoài đường (km/h)", "Speed off the roads (km/h)", gt=0, le=50
    )
    heights: RasterInput | None = parameter(
        None, "Lớp độ cao, cho thời gian theo đường thẳng (trống: elevation, nếu đã có)",
        "Raster of heights, for times in a straight line (empty: elevation, where there is one)",
    )  # fmt: skip

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.origins is None) == (self.place is None):
            raise ValueError("give either `origins`, a layer of points, or `place`, [lon, lat]")
        if self.place is not None and not (
            -180 <= self.place[0] <= 180 and -85 <= self.place[1] <= 85
        ):
            raise ValueError("`place` is longitude, latitude, in degrees")
        most = 200_000 if self.by == "distance" else 24 * 60
        if any(not 0 < limit <= most for limit in self.limits):
            raise ValueError(f"each of `limits` is above 0 and at most {most}")
        return self


class Reach(Process[ReachParameters]):
    """Areas as the crow flies, or the roads that are reached."""

    name = "reach"
    title = LocalizedText(vi="Tầm với tới", en="Reach")
    description = LocalizedText(
        vi="Vùng hoặc đoạn đường tới được trong các mức khoảng cách hay thời gian. Có lớp đường "
        "thì tính theo mạng đường, nếu không thì theo đường thẳng; thời gian theo đường thẳng tính "
        "cả độ dốc nơi có lớp độ cao (Tobler 1993). Kết quả ghi rõ cách tính.",
        en="Areas or roads that are reached within some distances or times: along the roads where "
        "a layer of roads is given, else as the crow flies; times in a straight line heed the "
        "slope where there is a raster of heights (Tobler 1993). The result says which.",
    )
    parameters = ReachParameters
    is_light = False
    examples = ({"origins": "landslides", "limits": [1000, 3000]},)

    def run(self, context: Context, parameters: ReachParameters) -> NewCollection:
        origins = _origins(context, parameters)
        limits = sorted(set(parameters.limits))
        if parameters.roads is not None:
            lines, speeds = _lines(context, parameters)
            if lines:
                return _along(context, parameters, origins, limits, lines, speeds)
        if parameters.by == "time":
            heights = _heights(context, parameters)
            if heights is not None:
                return _sloping(parameters, origins, limits, *heights)
        return _straight(parameters, origins, limits)


_UNITS = {"distance": "m", "time": "min"}


def _straight(parameters: ReachParameters, origins: Floats, limits: list[float]) -> NewCollection:
    """Rings around the origins: each area is what the smaller limits do not hold yet."""
    scale = 1.0 if parameters.by == "distance" else _metres_a_minute(parameters)
    points = func.ST_SetSRID(func.ST_Collect(literal_column(_points_sql(origins))), 4326)
    moved = func.ST_Transform(points, PLANE)
    parts = []
    inner = None
    for limit in limits:
        whole = func.ST_Buffer(moved, limit * scale, 16)
        ring = whole if inner is None else func.ST_Difference(whole, inner)
        value: ColumnElement[Any] = literal_column(str(float(limit)), Double()).label("within")
        parts.append(select(func.ST_Transform(ring, 4326).label("geom"), value))
        inner = whole
    rings = union_all(*parts).subquery()
    statement = select(rings, area_km2(rings.c.geom).label("area_km2")).order_by(rings.c.within)
    fields = {
        "within": number("Trong mức", "Within", _UNITS[parameters.by]),
        "area_km2": number("Diện tích", "Area", "km2"),
    }
    summary = {"method": "straight line", "origins": len(origins), "by": parameters.by,
               "metres_a_unit": scale, "roads": "none"}  # fmt: skip
    if parameters.roads is not None:
        summary["roads"] = "the layer of roads is empty"
    return NewCollection(
        GeometryKind.POLYGON, fields, statement, summary, graduated("within", limits)
    )


def _metres_a_minute(parameters: ReachParameters) -> float:
    """In a straight line: over land where there should have been roads."""
    kmh = parameters.walk_kmh if parameters.roads is not None else parameters.speed_kmh
    return kmh * 1000 / 60


def _heights(context: Context, parameters: ReachParameters) -> tuple[RasterGrid, Path] | None:
    """The grid and file of the heights; None where none was named and there is no elevation."""
    if parameters.heights is not None:
        source, _, path = heights_of(context, parameters.heights)
        return source.require_stack().grid, path
    if context.folder is None:
        return None
    try:
        source, _, path = heights_of(context, RasterInput(layer=_USUAL_HEIGHTS))
    except NotFound:
        return None
    return source.require_stack().grid, path


def _sloping(
    parameters: ReachParameters,
    origins: Floats,
    limits: list[float],
    grid: RasterGrid,
    heights: Path,
) -> NewCollection:
    """Rings around the origins by time along straight ways that rise and fall with the ground."""
    import pyproj
    import shapely

    pace = _metres_a_minute(parameters)
    radii, unknown = sloping_radii(origins, limits, pace, grid, heights)
    to_plane = pyproj.Transformer.from_crs("OGC:CRS84", f"EPSG:{PLANE}", always_xy=True)
    x, y = to_plane.transform(origins[:, 0], origins[:, 1])
    turn = np.radians(_directions())
    earth = pyproj.Geod(ellps="WGS84")
    rows: list[Row] = []
    inner = shapely.MultiPolygon()
    for at, limit in enumerate(limits):
        reached_x = np.asarray(x)[:, None] + radii[:, :, at] * np.sin(turn)
        reached_y = np.asarray(y)[:, None] + radii[:, :, at] * np.cos(turn)
        outlines = shapely.polygons(np.stack([reached_x, reached_y], axis=2))
        whole = shapely.union_all([*shapely.make_valid(outlines), inner])
        ring = shapely.transform(
            shapely.difference(whole, inner),
            lambda each, back: to_plane.transform(each, back, direction="INVERSE"),
            interleaved=False,
        )
        km2 = abs(earth.geometry_area_perimeter(ring)[0]) / 1e6
        if not ring.is_empty:
            rows.append((shapely.to_wkb(ring), {"within": limit, "area_km2": km2}))
        inner = whole
    fields = {
        "within": number("Trong mức", "Within", _UNITS["time"]),
        "area_km2": number("Diện tích", "Area", "km2"),
    }
    summary = {"method": "straight line with slope", "origins": len(origins), "by": "time",
               "metres_a_unit": pace, "without_height": unknown, "roads": "none"}  # fmt: skip
    if parameters.roads is not None:
        summary["roads"] = "the layer of roads is empty"
    style = graduated("within", limits)
    return NewCollection(GeometryKind.POLYGON, fields, rows, summary, style)


def sloping_radii(
    origins: Floats, limits: list[float], metres_a_minute: float, grid: RasterGrid, heights: Path
) -> tuple[Floats, float]:
    """How far one comes from n origins (degrees) in each direction within each limit (minutes),
    metres on the plane of VN-2000, shape (n, directions, limits); and the share of the ways whose
    height is not known, which is taken for level.

    Speed is e^(−3.5 |rise + 0.05|) of its greatest, so that the pace given is that of level ground
    (Tobler 1993, NCGIA Technical Report 93-1). Raises BadInput for too many ways.
    """
    import pyproj

    from gis.rasters.reading import read_points_along

    farthest = max(limits) * metres_a_minute * _DOWNHILL
    step = max(farthest / _STEPS, _SHORTEST_M)
    away = np.arange(0, farthest + step, step)
    turn = np.radians(_directions())
    if len(origins) * len(turn) * len(away) > _MOST_SAMPLES:
        raise BadInput(
            f"{len(origins)} origins are too many for ways with slope: narrow them with a filter"
        )
    to_plane = pyproj.Transformer.from_crs("OGC:CRS84", f"EPSG:{PLANE}", always_xy=True)
    to_grid = pyproj.Transformer.from_crs(f"EPSG:{PLANE}", grid.crs, always_xy=True)
    x, y = to_plane.transform(origins[:, 0], origins[:, 1])
    along_x = np.asarray(x)[:, None, None] + np.sin(turn)[:, None] * away
    along_y = np.asarray(y)[:, None, None] + np.cos(turn)[:, None] * away
    z = read_points_along(heights, grid, *to_grid.transform(along_x, along_y))
    rise = np.diff(z, axis=2) / step
    unknown = float(np.isnan(rise).mean())
    pace = metres_a_minute * np.exp(-3.5 * (np.abs(np.nan_to_num(rise) + 0.05) - 0.05))
    minutes = np.concatenate([np.zeros((*z.shape[:2], 1)), np.cumsum(step / pace, axis=2)], axis=2)
    flat = minutes.reshape(-1, len(away))
    found = np.array([np.interp(limits, way, away) for way in flat])
    return found.reshape(*z.shape[:2], len(limits)), unknown


def _directions() -> Floats:
    """Degrees from north by east."""
    return np.arange(0.0, 360.0, 5.0)


def _points_sql(origins: Floats) -> str:
    """Numbers of our own making, no text of a request."""
    made = ", ".join(f"ST_MakePoint({lon:.9f}, {lat:.9f})" for lon, lat in origins)
    return f"ARRAY[{made}]"


def _along(
    context: Context,
    parameters: ReachParameters,
    origins: Floats,
    limits: list[float],
    lines: list[Floats],
    speeds: Floats,
) -> NewCollection:
    """Pieces of roads by the limit within which they are reached."""
    import shapely

    context.report(0.3, f"{len(lines)} lines, {len(origins)} origins")
    by_time = parameters.by == "time"
    graph = network(lines, speeds if by_time else None)
    off_road = parameters.walk_kmh * 1000 / 60 if by_time else 1.0
    costs = reached(graph, origins, max(limits), off_road)
    pieces = cut(graph, costs, limits)
    rows: list[Row] = []
    for limit, segments, metres in pieces:
        if len(segments):
            shape = shapely.multilinestrings(shapely.linestrings(segments))
            merged = shapely.line_merge(shape)
            if merged.geom_type == "LineString":
                merged = shapely.multilinestrings([merged])
            rows.append((shapely.to_wkb(merged), {"within": limit, "length_km": metres / 1000}))
    fields = {
        "within": number("Trong mức", "Within", _UNITS[parameters.by]),
        "length_km": number("Chiều dài đường", "Length of roads", "km"),
    }
    summary = {"method": "along roads", "origins": len(origins), "by": parameters.by,
               "lines": len(lines), "nodes": len(graph.places)}  # fmt: skip
    style = graduated("within", limits).model_copy(update={"size_px": 3.0})
    return NewCollection(GeometryKind.LINE, fields, rows, summary, style)


class Network:
    """Vertices of lines and the straight pieces between them; costs in metres or minutes."""

    def __init__(self, places: Floats, ends: Ints, metres: Floats, costs: Floats) -> None:
        self.places = places
        self.ends = ends
        self.metres = metres
        self.costs = costs


def network(lines: list[Floats], speeds_kmh: Floats | None) -> Network:
    """The graph of some lines (degrees, longitude first), which meet where they share a vertex.

    `speeds_kmh` of the lines; None: a piece costs its metres.
    """
    import pyproj

    counts = np.array([len(line) for line in lines])
    vertices = np.round(np.concatenate(lines), _DIGITS)
    places, node = np.unique(vertices, axis=0, return_inverse=True)
    node = node.ravel()
    last = np.cumsum(counts) - 1
    begins = np.setdiff1d(np.arange(len(vertices)), last)
    ends = np.column_stack([node[begins], node[begins + 1]])
    of_line = np.repeat(np.arange(len(lines)), counts)[begins]
    keep = ends[:, 0] != ends[:, 1]
    ends, of_line = ends[keep], of_line[keep]
    one, other = places[ends[:, 0]], places[ends[:, 1]]
    metres = pyproj.Geod(ellps="WGS84").inv(one[:, 0], one[:, 1], other[:, 0], other[:, 1])[2]
    metres = np.asarray(metres, float)
    costs = metres if speeds_kmh is None else metres / (speeds_kmh[of_line] * 1000 / 60)
    return Network(places, ends, metres, costs)


def reached(graph: Network, origins: Floats, most: float, metres_a_unit: float) -> Floats:
    """The least cost of each vertex from any origin, infinite beyond `most`.

    An origin enters at the vertex next to it, and pays for the way there.
    """
    import pyproj
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra
    from scipy.spatial import cKDTree

    from layers.processes.operations.locate import sphere

    _, entry = cKDTree(sphere(graph.places)).query(sphere(origins))
    near = graph.places[entry]
    away = pyproj.Geod(ellps="WGS84").inv(origins[:, 0], origins[:, 1], near[:, 0], near[:, 1])[2]
    nodes, source = len(graph.places), len(graph.places)
    entries: dict[int, float] = {}
    for at, cost in zip(entry, np.asarray(away) / metres_a_unit, strict=True):
        entries[int(at)] = min(cost, entries.get(int(at), np.inf))
    # Of pieces between the same two vertices the cheapest counts, and one that costs nothing is an
    # edge all the same: a sparse graph has no zeros.
    ends = np.concatenate([
        np.sort(graph.ends, axis=1), np.array([(at, source) for at in entries], dtype=np.int64)
    ])  # fmt: skip
    costs = np.maximum(np.concatenate([graph.costs, np.array(list(entries.values()))]), 1e-9)
    order = np.lexsort((costs, ends[:, 1], ends[:, 0]))
    ends, costs = ends[order], costs[order]
    first = np.ones(len(ends), bool)
    first[1:] = (ends[1:] != ends[:-1]).any(axis=1)
    edges = coo_array(
        (costs[first], (ends[first, 0], ends[first, 1])), shape=(nodes + 1, nodes + 1)
    ).tocsr()
    found: Floats = dijkstra(edges, directed=False, indices=source, limit=most + 1e-6)
    return found[:nodes]


def cut(graph: Network, costs: Floats, limits: list[float]) -> list[tuple[float, Floats, float]]:
    """Of each limit, the straight parts of pieces that it reaches and no smaller limit does, with
    their length in metres; parts have shape (n, 2, 2), degrees.

    A piece is entered from both ends: what of it is reached is where the cost of either way is
    below the limit.
    """
    start, end = (np.minimum(costs[graph.ends[:, side]], _NEVER) for side in (0, 1))
    one, other = graph.places[graph.ends[:, 0]], graph.places[graph.ends[:, 1]]
    # Along a piece, t goes from 0 to 1; where both ways meet, nothing is counted twice.
    meet = np.clip((end - start + graph.costs) / (2 * graph.costs), 0, 1)
    found = []
    inner = 0.0
    for limit in limits:
        ahead = [np.clip((bound - start) / graph.costs, 0, 1) for bound in (inner, limit)]
        back = [1 - np.clip((bound - end) / graph.costs, 0, 1) for bound in (inner, limit)]
        parts, metres = [], 0.0
        for begin, finish in (
            (np.minimum(ahead[0], meet), np.minimum(ahead[1], meet)),
            (np.maximum(back[1], meet), np.maximum(back[0], meet)),
        ):
            some = finish - begin > 1e-9
            way = other[some] - one[some]
            parts.append(np.stack([one[some] + way * begin[some][:, None],
                                   one[some] + way * finish[some][:, None]], axis=1))  # fmt: skip
            metres += float(((finish - begin)[some] * graph.metres[some]).sum())
        found.append((limit, np.concatenate(parts), metres))
        inner = limit
    return found


def _origins(context: Context, parameters: ReachParameters) -> Floats:
    if parameters.place is not None:
        return np.array([parameters.place], float)
    assert parameters.origins is not None
    rows = context.rows(parameters.origins, GeometryKind.POINT, names=[])
    columns = [func.ST_X(rows.c.geom), func.ST_Y(rows.c.geom)]
    found = context.connection.execute(select(*columns).order_by(rows.c.id)).all()
    if not found:
        raise BadInput("there is no origin: the layer has no such points")
    if len(found) > 5_000:
        raise BadInput(f"there are {len(found)} origins: at most 5,000; narrow them with a filter")
    return np.array([tuple(row) for row in found], float)


def _lines(context: Context, parameters: ReachParameters) -> tuple[list[Floats], Floats]:
    import shapely

    assert parameters.roads is not None
    source = context.source(parameters.roads, (GeometryKind.LINE,))
    if parameters.speed is not None:
        context.numeric(source, parameters.speed)
    names = [parameters.speed] if parameters.speed else []
    rows = context.rows(parameters.roads, GeometryKind.LINE, names=names)
    found = context.connection.execute(
        select(func.ST_AsBinary(rows.c.geom).label("wkb"), *(rows.c[name] for name in names))
        .order_by(rows.c.id)
    ).all()  # fmt: skip
    lines: list[Floats] = []
    speeds: list[float] = []
    for row in found:
        speed = (row[1] if names else None) or parameters.speed_kmh
        for part in shapely.get_parts(shapely.from_wkb(bytes(row.wkb))):
            lines.append(shapely.get_coordinates(part))
            speeds.append(float(speed))
    if sum(map(len, lines)) > MOST_VERTICES:
        raise BadInput(
            f"the roads have more than {MOST_VERTICES:,} vertices: narrow them with a filter"
        )
    if any(speed <= 0 for speed in speeds):
        raise BadInput(f"{parameters.speed} is not above 0 in some rows")
    return lines, np.array(speeds)
