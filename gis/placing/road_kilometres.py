"""Kilometres of roads: `QL4D Km 102+300` to a point, by linear reference.

A road has lines, measured from their start, or kilometre posts, or both. Posts win: what stands on
them is what people write, while the measure of a line drifts from it with every bend rebuilt.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, pairwise
from typing import Self

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Geod

from gis.text import search_key

Floats = npt.NDArray[np.float64]

_GEOD = Geod(ellps="WGS84")
_KM = re.compile(r"\bkm\s?\.?\s?(\d{1,4})(?:\s?\+\s?(\d{1,3})(?!\d))?", re.IGNORECASE)
_CODE = re.compile(
    r"\b(ql|quoc lo|dt|tl|tinh lo|duong tinh|dh|hl|huyen lo|duong huyen|ct|cao toc)"
    r"[\s.\-]*(\d{1,3})(?:\s?([a-z])(?![a-z0-9]))?(?![a-z0-9])"
)
_CLASSES = {
    "ql": "ql", "quoc lo": "ql", "dt": "dt", "tl": "dt", "tinh lo": "dt", "duong tinh": "dt",
    "dh": "dh", "hl": "dh", "huyen lo": "dh", "duong huyen": "dh", "ct": "ct", "cao toc": "ct",
}  # fmt: skip
_ROAD_WORD = re.compile(r"^(duong|tuyen|quoc lo|cao toc|dai lo|pho|lien xa|lien huyen|so)\b\s*")
_MAX_NAME_WORDS = 8  # words of a road's name
_POST_PRECISION_M, _BETWEEN_POSTS_M = 50.0, 100.0
_DRIFT = 0.02  # of a measure from the start of a line, as bends are rebuilt
_SAME_POST_M = 200.0  # metres between two posts of one kilometre that are one
_BESIDE_LINE_DEGREES = 0.002  # about 200 m from a line to the posts of its road
_MAX_POST_GAP_KM = 5.0  # km; posts further apart say nothing of what lies between


@dataclass(frozen=True, slots=True)
class RoadPoint:
    """A point on a road: name with the kilometre, degrees (WGS 84), precision in metres.

    `assumed`: measured from the start of a line of which nobody says that it is kilometre 0.
    """

    name: str
    lon: float
    lat: float
    precision_m: float
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class KilometrePost:
    """A post by a road: the kilometre written on it, degrees (WGS 84)."""

    km: float
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class RoadLine:
    """A line of a road: `shape` (EPSG:4326), and the kilometre at which it starts."""

    shape: shapely.LineString
    start_km: float | None = None


@dataclass(frozen=True, slots=True)
class _Measure:
    """Metres from the start of a line at each vertex; `coordinates` (degrees) have shape (n, 2)."""

    start_km: float | None
    metres: Floats
    coordinates: Floats

    def holds(self, km: float) -> bool:
        start_km = self.start_km or 0.0
        return start_km <= km <= start_km + float(self.metres[-1]) / 1_000


@dataclass(frozen=True)
class Road:
    """A road by one name, with its lines and posts."""

    name: str
    lines: tuple[RoadLine, ...] = ()
    posts: tuple[KilometrePost, ...] = ()

    def at_posts(self, km: float, lines: Iterable[shapely.LineString]) -> RoadPoint | None:
        """The point at a kilometre by the posts before and after it, along a line that passes both.

        None beyond the posts, and where two posts of one kilometre stand apart.
        """
        posts = self._posts_by_km
        after = next((i for i, post in enumerate(posts) if post.km >= km), None)
        if after is None or self._repeats_posts:
            return None
        post, before = posts[after], posts[after - 1] if after else None
        if post.km == km:
            return self._point(km, post.lon, post.lat, _POST_PRECISION_M)
        if before is None or post.km - before.km > _MAX_POST_GAP_KM:
            return None
        return self._point(km, *_between(before, post, km, lines))

    def on_lines(self, km: float) -> RoadPoint | None:
        """The point at a kilometre by the measure of the one line that has it."""
        found = [measure for measure in self._measures if measure.holds(km)]
        if len(found) != 1:
            return None
        measure = found[0]
        metres = (km - (measure.start_km or 0.0)) * 1_000
        lon, lat = (
            float(np.interp(metres, measure.metres, measure.coordinates[:, axis]))
            for axis in (0, 1)
        )
        precision_m = max(_BETWEEN_POSTS_M, _DRIFT * metres)
        return self._point(km, lon, lat, precision_m, assumed=measure.start_km is None)

    def _point(
        self, km: float, lon: float, lat: float, precision_m: float, *, assumed: bool = False
    ) -> RoadPoint:
        return RoadPoint(f"{self.name} {kilometre_text(km)}", lon, lat, precision_m, assumed)

    @cached_property
    def _posts_by_km(self) -> list[KilometrePost]:
        return sorted(self.posts, key=lambda post: post.km)

    @cached_property
    def _repeats_posts(self) -> bool:
        return any(
            one.km == other.km and _distance_m(one, other) > _SAME_POST_M
            for one, other in pairwise(self._posts_by_km)
        )

    @cached_property
    def joined(self) -> list[shapely.LineString]:
        """The lines, joined where one ends and another starts."""
        merged = shapely.line_merge(
            shapely.MultiLineString([line.shape for line in self.lines]), directed=True
        )
        return list(shapely.get_parts(merged))

    @cached_property
    def _measures(self) -> list[_Measure]:
        """Lines with a first kilometre, else the whole road where it joins to one line.

        Where it does not, it is not known how its lines follow each other.
        """
        declared = [line for line in self.lines if line.start_km is not None]
        if declared:
            return [_measured(line.shape, line.start_km) for line in declared]
        return [_measured(self.joined[0], None)] if len(self.joined) == 1 else []


def _measured(shape: shapely.LineString, start_km: float | None) -> _Measure:
    coordinates = shapely.get_coordinates(shape)
    lon, lat = coordinates.T
    steps = np.asarray(_GEOD.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2])
    return _Measure(start_km, np.concatenate([[0.0], np.cumsum(steps)]), coordinates)


def _distance_m(one: KilometrePost, other: KilometrePost) -> float:
    return float(_GEOD.inv(one.lon, one.lat, other.lon, other.lat)[2])


def _between(
    one: KilometrePost, other: KilometrePost, km: float, lines: Iterable[shapely.LineString]
) -> tuple[float, float, float]:
    """Degrees and precision (m) between two posts: along a line that passes both, else straight."""
    share = (km - one.km) / (other.km - one.km)
    ends = [shapely.Point(post.lon, post.lat) for post in (one, other)]
    for line in lines:
        if all(shapely.dwithin(line, end, _BESIDE_LINE_DEGREES) for end in ends):
            start, stop = (shapely.line_locate_point(line, end) for end in ends)
            point = shapely.line_interpolate_point(line, start + share * (stop - start))
            return point.x, point.y, _BETWEEN_POSTS_M
    lon, lat = one.lon + share * (other.lon - one.lon), one.lat + share * (other.lat - one.lat)
    return lon, lat, max(_BETWEEN_POSTS_M, _distance_m(one, other) / 2)


@dataclass(frozen=True)
class RoadNetwork:
    """Roads by key (see `road_keys`)."""

    roads: Mapping[str, Road] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        lines: Iterable[tuple[Iterable[str], RoadLine]],
        posts: Iterable[tuple[Iterable[str], KilometrePost]],
    ) -> Self:
        """Lines and posts, each with the names of its road."""
        names: dict[str, str] = {}
        lines_of: defaultdict[str, list[RoadLine]] = defaultdict(list)
        posts_of: defaultdict[str, list[KilometrePost]] = defaultdict(list)
        for road_names, line in lines:
            for key, name in _keys_of(road_names):
                names.setdefault(key, name)
                lines_of[key].append(line)
        for road_names, post in posts:
            for key, name in _keys_of(road_names):
                names.setdefault(key, name)
                posts_of[key].append(post)
        return cls(
            {
                key: Road(name, tuple(lines_of[key]), tuple(posts_of[key]))
                for key, name in names.items()
            }
        )


def point_at(networks: Iterable[RoadNetwork], keys: Iterable[str], km: float) -> RoadPoint | None:
    """The point at a kilometre of the road of the first known key, in all networks together.

    None where no road has the key, none reaches the kilometre, or none is measured.
    """
    networks = list(networks)
    roads: list[Road] = []
    for key in keys:
        roads = [network.roads[key] for network in networks if key in network.roads]
        if roads:
            break
    lines = [line for road in roads for line in road.joined]
    points = (road.at_posts(km, lines) for road in roads if road.posts)
    on_lines = (road.on_lines(km) for road in roads if road.lines)
    return next((point for point in chain(points, on_lines) if point is not None), None)


def _keys_of(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each key of a road once, with the first of the names that gives it."""
    first: dict[str, str] = {}
    for name in names:
        for key in road_keys(name):
            first.setdefault(key, name)
    yield from first.items()


def road_keys(name: str) -> list[str]:
    """Keys of a road's name or reference: `QL.4D` → ql4d, `Đường Hà Nội - Lào Cai` → hanoilaocai.

    References of several roads are parted by semicolons.
    """
    keys = []
    for part in name.split(";"):
        text = search_key(part)
        code = _CODE.search(text)
        if code:
            keys.append(_code_key(code))
        else:
            keys.append(_name_key(text))
    return [key for key in keys if key]


def _code_key(code: re.Match[str]) -> str:
    return f"{_CLASSES[code[1]]}{int(code[2])}{code[3] or ''}"


def _name_key(text: str) -> str:
    """The key of a name without diacritics, without words for a road before it."""
    while True:
        shorter = _ROAD_WORD.sub("", text)
        if shorter == text:
            break
        text = shorter
    return re.sub(r"[\W_]", "", text).replace("y", "i")


def kilometres_in(text: str) -> list[float]:
    """The kilometres that a text names: `Km 102+300` → 102.3; `5 km` is a distance, and none."""
    return [int(km) + int(metres or 0) / 1_000 for km, metres in _KM.findall(text)]


def roads_in(text: str) -> Iterator[list[str]]:
    """The roads that a text names, each as keys of which the first known one is meant.

    `QL 70 x. Bản Phiệt` may be ql70x or ql70.
    """
    plain = search_key(_KM.sub(" , ", text))
    for code in _CODE.finditer(plain):
        yield [_code_key(code), f"{_CLASSES[code[1]]}{int(code[2])}"]
    for part in re.split(r"[,;:()\[\]\n|]", _CODE.sub(" , ", plain)):
        words = part.split()
        spans = [
            _name_key(" ".join(words[start:end]))
            for start in range(len(words))
            for end in range(min(len(words), start + _MAX_NAME_WORDS), start, -1)
        ]
        yield [key for key in spans if len(key) >= 4]


def kilometre_text(km: float) -> str:
    """`Km 102+300`, as on a post."""
    whole, metres = divmod(round(km * 1_000), 1_000)
    return f"Km {whole}+{metres:03d}" if metres else f"Km {whole}"
