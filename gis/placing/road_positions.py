"""Positions on roads: points → the road beside them and the kilometre there, by linear reference.

The inverse of `road_kilometres`. Lines with a first kilometre are measured from it; of other roads
the lines are joined, and how far along them a point lies is known, but not its kilometre.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Geod

from gis.placing.road_kilometres import RoadLine, road_keys

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_GEOD = Geod(ellps="WGS84")
_EARTH_RADIUS_M = 6_371_008.8  # the mean of IUGG
_REFERENCE = re.compile(r"(ql|dt|dh|ct)\d{1,3}[a-z]?")  # a key of `QL4D`, and of no street's name


@dataclass(frozen=True, slots=True)
class RoadPositions:
    """Where points lie on roads, each of shape (n,); a point beside no road has no name.

    `metre` is that of the road where its kilometres `is_known`, else from an end of the `part`, a
    number of lines that join.
    """

    road: npt.NDArray[np.object_]
    part: Integers
    metre: Floats
    is_known: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RoadPart:
    """A line of a road, and the metre of the road at which it starts; None: nobody says it."""

    road: str
    number: int
    shape: shapely.LineString
    start_m: float | None


@dataclass(frozen=True)
class RoadIndex:
    """Roads by place."""

    parts: tuple[RoadPart, ...] = field(default=())

    @classmethod
    def of(cls, lines: Iterable[tuple[Iterable[str], RoadLine]]) -> "RoadIndex":
        """Lines, each with the names of its road. Lines of one reference, such as QL4D, are one
        road, whatever streets they are; else those of one name.
        """
        names: dict[str, str] = {}
        roads: defaultdict[str, list[RoadLine]] = defaultdict(list)
        for given, line in lines:
            route = _route(given)
            if route is not None:
                names.setdefault(*route)
                roads[route[0]].append(line)
        return cls(tuple(
            part for key, of_road in roads.items() for part in _parts(names[key], of_road)
        ))  # fmt: skip

    def positions(self, lon: Floats, lat: Floats, within_m: float) -> RoadPositions:
        """The nearest road of each point (degrees, WGS 84; NaN: no point), up to `within_m` away.

        Distances are on a sphere made plane: over a province wrong by less than 1 %.
        """
        count = len(lon)
        road = np.full(count, "", object)
        part = np.zeros(count, np.int64)
        metre = np.full(count, np.nan)
        is_known = np.zeros(count, bool)
        placed = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
        if not len(placed) or not self.parts:
            return RoadPositions(road, part, metre, is_known)
        points = shapely.points(self._plane(np.column_stack([lon[placed], lat[placed]])))
        at, nearest = self._tree.query_nearest(points, max_distance=within_m, all_matches=False)
        for number in np.unique(nearest):
            one, here = self.parts[number], at[nearest == number]
            road[placed[here]], part[placed[here]] = one.road, one.number
            along = shapely.line_locate_point(self._lines[number], points[here])
            metre[placed[here]] = (one.start_m or 0.0) + self._metres(number, along)
            is_known[placed[here]] = one.start_m is not None
        return RoadPositions(road, part, metre, is_known)

    def _metres(self, number: int, along: Floats) -> Floats:
        """Metres on the ellipsoid from the start of a line, for lengths on the plane."""
        lon, lat = shapely.get_coordinates(self.parts[number].shape).T
        steps = np.asarray(_GEOD.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2])
        flat = np.hypot(*np.diff(shapely.get_coordinates(self._lines[number]), axis=0).T)
        planar, true = (np.concatenate([[0.0], np.cumsum(each)]) for each in (flat, steps))
        metres: Floats = np.interp(along, planar, true)
        return metres

    def _plane(self, lonlat: Floats) -> Floats:
        scale = np.array([np.cos(np.radians(self._latitude)), 1.0])
        plane: Floats = _EARTH_RADIUS_M * np.radians(lonlat) * scale
        return plane

    @cached_property
    def _latitude(self) -> float:
        return float(np.mean([one.shape.centroid.y for one in self.parts]))

    @cached_property
    def _lines(self) -> npt.NDArray[np.object_]:
        shapes = np.array([one.shape for one in self.parts], object)
        return np.asarray(shapely.transform(shapes, self._plane), object)

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self._lines)


def _route(names: Iterable[str]) -> tuple[str, str] | None:
    """The key of a road and its name: of its reference if it has one, else its first name."""
    keyed = [
        (keys[0], part.strip())
        for name in names
        for part in re.split(r"[;|]", name)
        if (keys := road_keys(part))
    ]
    referenced = (each for each in keyed if _REFERENCE.fullmatch(each[0]))
    return next(referenced, keyed[0] if keyed else None)


def _parts(road: str, lines: list[RoadLine]) -> list[RoadPart]:
    """Lines with a first kilometre are of one part; each of the others that join is its own."""
    known = [
        RoadPart(road, 0, line.shape, 1_000 * line.start_km)
        for line in lines
        if line.start_km is not None
    ]
    shapes = [line.shape for line in lines if line.start_km is None]
    merged = shapely.line_merge(shapely.MultiLineString(shapes)) if shapes else None
    joined = [] if merged is None else list(shapely.get_parts(merged))
    return known + [RoadPart(road, number, shape, None) for number, shape in enumerate(joined, 1)]
