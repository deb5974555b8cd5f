"""The scan of a stream: records past the quality filter → clusters that chance hardly explains.

A space-time permutation scan a stream (Kulldorff et al. 2005), over the hexes that have cases. It
looks through windows of three shapes: circles of hexes, single hexes of a finer resolution, and
stretches of roads. One null judges them all: each replicate puts the days of the cases in one
random order, and its maximum is that over the windows of every shape.
"""

import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import h3
import h3ronpy
import h3ronpy.vector
import numpy as np
import numpy.typing as npt
import pandas as pd

from gis import analysis
from gis.alerts.policy import EVALUATIONS_A_DAY
from layers.definition.model import RoadOptions, ScanOptions
from layers.detect.observations import Observations, day_numbers, evidence_rows

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Cells = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

# Of records beside roads, in the input of a scan: see `roads.py`.
ROAD_COLUMNS = ("road", "road_part", "road_m", "road_km")
LONGEST_DAYS = 36_525.0  # a recurrence interval of a century says all
_NOISE_P = 0.1  # clusters after the first that chance brings so often are not worth a word
_CORE_SHARE = 0.8  # of the cases of a cluster
_STRETCH_RESOLUTION = 9  # of the hexes that draw a stretch of a road
_ROAD = 2**20  # segments that no road has
SURE_P = 0.01  # from here on, p is that of the replicates; below, of the law of their tail


@dataclass(frozen=True, slots=True)
class ScanCluster:
    """A window in the last days with more cases than its places and days explain: a circle of
    hexes, one hex of a finer resolution (`is_single`), or a `stretch` of a road.

    `cells` are all hexes of the circle, of a stretch those that have records, `centre` one of them;
    `observed` counts cases (one a hex, category and day), `records` are the ids of all evidence,
    repeats included. The circle reaches to its last case, be it one alone: its core is the smallest
    circle around a hex with cases that holds four fifths of them. `shares`: records by commune,
    most first.
    """

    stream: str
    rank: int
    centre: int
    radius_m: float
    days: int
    observed: int
    expected: float
    llr: float
    p: float
    recurrence_days: float
    cells: tuple[int, ...]
    communes: tuple[str, ...]
    records: tuple[int, ...]
    core: "Core | None" = None
    shares: tuple[tuple[str, int], ...] = ()
    is_single: bool = False
    stretch: "Stretch | None" = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """The stretch of a road from its first record to its last: metres of the road where its
    kilometres are known, else of a part of it.
    """

    road: str
    from_m: float
    to_m: float
    is_known: bool


@dataclass(frozen=True, slots=True)
class Core:
    """The smallest circle that holds most cases of a cluster; radius 0: one hex."""

    radius_m: float
    cases: int


@dataclass(frozen=True, slots=True)
class StreamScan:
    """One scan of one stream; `llr` and `p` are of its strongest cluster, None without any."""

    stream: str
    cases: int
    stratified: bool
    clusters: tuple[ScanCluster, ...]

    @property
    def llr(self) -> float | None:
        return self.clusters[0].llr if self.clusters else None

    @property
    def p(self) -> float | None:
        return self.clusters[0].p if self.clusters else None


@dataclass(frozen=True)
class Stream:
    """The cases of one stream, as the scan reads them, and their evidence."""

    name: str
    last_day: int
    evidence: pd.DataFrame
    cells: Cells  # of the places
    latitude: float  # degrees, at which distances east and west are right
    xy: Floats  # metres
    place: Integers
    day: Integers
    strata: Integers | None
    singles: "Windows | None" = None
    stretches: "Windows | None" = None

    @property
    def windows(self) -> "list[Windows]":
        """Windows beside the circles; of equally likely ones the first say most."""
        return [one for one in (self.singles, self.stretches) if one is not None]


@dataclass(frozen=True)
class Windows:
    """Windows that are single places, or places in a row: from `first` to `last` of `keys`.

    `place` is that of each case, a row of `keys` (hexes, or segments of roads); −1: none.
    """

    place: Integers
    keys: Cells | Integers
    first: Integers
    last: Integers

    def cases(self, window: int) -> Flags:
        """The cases in a window."""
        inside: Flags = (self.place >= self.first[window]) & (self.place <= self.last[window])
        return inside


# From the likelihood ratio of an evaluation to the maxima of the null that it is judged by.
NullOf = Callable[[float], Floats]


def alarm_input(records: Observations) -> pd.DataFrame:
    """The input of the alarm, to be stored: id, stream, cell, day, commune, in_alarm, precision_m;
    beside roads also their columns (see `beside_roads`).

    Cells are of resolution 11; days are numbered, and those on which records were received.
    """
    rows = evidence_rows(records.rows)
    rows = rows[rows["h3"] > 0]
    beside = {name: rows[name] for name in ROAD_COLUMNS if name in rows}
    return pd.DataFrame(
        {
            "id": rows["id"].astype(np.int64),
            "stream": rows["category"].astype(str),
            "cell": rows["h3"].astype(np.int64),
            "day": day_numbers(rows["received_at"]),
            "commune": rows["commune"].fillna("").astype(str),
            "in_alarm": rows["in_alarm"].astype(bool),
            "precision_m": rows["place_precision_m"].fillna(0.0).astype(float),
            **beside,
        }
    ).reset_index(drop=True)


def streams_of(
    frame: pd.DataFrame, options: ScanOptions, last_day: int, only: Collection[str] | None = None
) -> Iterator[Stream]:
    """The streams of an input, by name; days after `last_day` and before the window are left out.

    `only`: those with such names; None: all.

    Strata are judged over all streams together: a habit of posting is of an area, not of a subject;
    and on the days before those that may alarm: an outbreak is no habit.
    """
    inside = (frame["day"] <= last_day) & (frame["day"] > last_day - options.window_days)
    frame = frame[inside]
    frame = frame.assign(place=_parents(frame["cell"].to_numpy(np.uint64), options.resolution))
    if options.single_resolution is not None and options.single_resolution > options.resolution:
        frame = frame.assign(single=_singles(frame, options.single_resolution))
    if options.roads is not None and "road" in frame and (frame["road"] != "").any():
        frame = frame.assign(segment=_segments(frame, options.roads))
    strata = _strata(frame[frame["in_alarm"]], options, last_day)
    names = set(frame["stream"].unique())
    for name in sorted(names if only is None else names.intersection(only)):
        yield _stream(name, frame[frame["stream"] == name], strata, last_day, options)


def scan_stream(stream: Stream, options: ScanOptions, null: NullOf) -> StreamScan:
    """Scan once. Windows are centred on places with cases; distances are on a sphere made plane."""
    found = _found(stream, options)
    maxima = null(found[0].row["llr"]) if found else np.empty(0)
    p = [_p(maxima, one.row["llr"]) for one in found]
    clusters = [
        _cluster(stream, rank, one, one_p)
        for rank, (one, one_p) in enumerate(zip(found, p, strict=True), 1)
        if rank == 1 or one_p < _NOISE_P
    ]
    return StreamScan(stream.name, len(stream.place), stream.strata is not None, tuple(clusters))


@dataclass(frozen=True)
class _Found:
    """A likely window: its row of the scan, and its cases. `windows`: None: it is a circle."""

    windows: Windows | None
    row: Mapping[Any, Any]
    cases: Flags


def _found(stream: Stream, options: ScanOptions) -> list[_Found]:
    """The most likely windows of all shapes that share no case."""
    taken = np.zeros(len(stream.place), bool)
    chosen: list[_Found] = []
    each = [*_runs(stream, options), *_circles(stream, options)]
    for one in sorted(each, key=lambda one: -round(one.row["llr"], 9)):  # stable: circles last
        if len(chosen) < options.clusters and not taken[one.cases].any():
            chosen.append(one)
            taken |= one.cases
    return chosen


def _circles(stream: Stream, options: ScanOptions) -> Iterator[_Found]:
    circles = analysis.stp_scan(
        stream.place, stream.day, stream.xy,
        max_radius=1000 * options.max_radius_km, max_days=options.max_days,
        last_day=stream.last_day, min_cases=options.min_cases, strata=stream.strata,
        max_clusters=options.clusters, null=np.empty(0),
    )  # fmt: skip
    for row in circles.to_dict("records"):
        apart = np.hypot(*(stream.xy - stream.xy[int(row["centre"])]).T)
        yield _Found(None, row, (apart <= row["radius"] + 1e-3)[stream.place])


def _runs(stream: Stream, options: ScanOptions) -> Iterator[_Found]:
    for windows in stream.windows:
        likely = analysis.listed_scan(
            windows.place, stream.day, windows.first, windows.last,
            max_days=options.max_days, last_day=stream.last_day, min_cases=options.min_cases,
            strata=stream.strata, max_clusters=options.clusters,
        )  # fmt: skip
        for row in likely.to_dict("records"):
            yield _Found(windows, row, windows.cases(int(row["window"])))


def by_all(maxima: Floats) -> NullOf:
    """A null whose maxima are known."""
    return lambda llr: maxima


def draw_null(stream: Stream, options: ScanOptions) -> Floats:
    """The highest log likelihood ratios of random orders of the stream's days."""
    return np.concatenate(list(_maxima(stream, options)))


class IncrementalNull:
    """The maxima of `draw_null`, drawn as far as they are needed.

    Called with a likelihood ratio, it gives enough for `stop` of them to reach it, else all: every
    p from `stop` in all replicates downwards is as of all, others are of fewer.
    """

    def __init__(self, stream: Stream, options: ScanOptions, stop: int) -> None:
        self._more, self._stop = _maxima(stream, options), stop
        self._drawn: Floats = np.empty(0)

    def __call__(self, llr: float) -> Floats:
        while (self._drawn >= llr).sum() < self._stop:
            some = next(self._more, None)
            if some is None:
                break
            self._drawn = np.append(self._drawn, some)
        return self._drawn


def _maxima(stream: Stream, options: ScanOptions) -> Iterator[Floats]:
    """Each stream has random numbers of its own, and each shape of windows those of the stream:
    their orders of the days are the same, so the highest of all shapes is that of one order.
    """
    seed = (options.seed << 32) + zlib.crc32(stream.name.encode())
    null = analysis.Null(options.replicates, seed=seed)
    circles = analysis.stp_maxima(
        stream.place, stream.day, stream.xy,
        max_radius=1000 * options.max_radius_km, max_days=options.max_days,
        last_day=stream.last_day, min_cases=options.min_cases, strata=stream.strata, null=null,
    )  # fmt: skip
    runs = [
        analysis.listed_maxima(
            windows.place, stream.day, windows.first, windows.last,
            max_days=options.max_days, last_day=stream.last_day, min_cases=options.min_cases,
            strata=stream.strata, null=null,
        )
        for windows in stream.windows
    ]  # fmt: skip
    for maxima in zip(circles, *runs, strict=True):
        yield np.maximum.reduce(maxima)


def _strata(cases: pd.DataFrame, options: ScanOptions, last_day: int) -> bool:
    if options.strata != "auto":
        return options.strata == "weekday"
    areas = pd.factorize(cases["commune"])[0].astype(np.int64)
    days, first = cases["day"].to_numpy(np.int64), last_day - options.max_days + 1
    return analysis.weekday_strata(areas, days, before=first) is not None


def _stream(
    name: str, frame: pd.DataFrame, stratified: bool, last_day: int, options: ScanOptions
) -> Stream:
    cases, roads = frame[frame["in_alarm"]], options.roads
    cells, place = np.unique(cases["place"].to_numpy(np.uint64), return_inverse=True)
    day = cases["day"].to_numpy(np.int64)
    latitude = float(_degrees(cells)[:, 1].mean()) if len(cells) else 0.0
    return Stream(
        name=name,
        last_day=last_day,
        evidence=frame,
        cells=cells,
        latitude=latitude,
        xy=_plane(cells, latitude),
        place=place.ravel().astype(np.int64),
        day=day,
        strata=day % 7 if stratified else None,
        singles=_single_hexes(cases, options.min_cases) if "single" in cases else None,
        stretches=_stretches(cases, roads) if roads and "segment" in cases else None,
    )


def _singles(frame: pd.DataFrame, resolution: int) -> Cells:
    """The hex of each record, 0 where its place is known no better than two hexes are wide."""
    widest = 4 * h3.average_hexagon_edge_length(resolution, "m")
    cells = _parents(frame["cell"].to_numpy(np.uint64), resolution)
    if "precision_m" in frame:
        cells = np.where(frame["precision_m"].to_numpy() <= widest, cells, np.uint64(0))
    return cells


def _single_hexes(cases: pd.DataFrame, least: int) -> Windows:
    """Hexes with so many cases at least, each a window."""
    keys, counts = np.unique(cases["single"].to_numpy(np.uint64), return_counts=True)
    keys = keys[(counts >= least) & (keys > 0)]
    each = np.arange(len(keys), dtype=np.int64)
    return Windows(_places(cases["single"].to_numpy(np.uint64), keys), keys, each, each)


def _segments(frame: pd.DataFrame, roads: RoadOptions) -> Integers:
    """The segment of each record, in the order of the roads' metres; −1 beside no road."""
    names = frame["road"].astype(str) + "\n" + frame["road_part"].astype(str)
    number = pd.factorize(names, sort=True)[0].astype(np.int64)
    beside = (frame["road"] != "").to_numpy()
    along = np.floor(frame["road_m"].fillna(0.0).to_numpy() / roads.segment_m).astype(np.int64)
    return np.where(beside, number * _ROAD + np.clip(along, 0, _ROAD // 2), -1)


def _stretches(cases: pd.DataFrame, roads: RoadOptions) -> Windows:
    """From each segment with cases to each further one of the same road, as far as a stretch may
    reach.
    """
    segment = cases["segment"].to_numpy(np.int64)
    keys = np.unique(segment[segment >= 0])
    reach = max(int(1000 * roads.max_km / roads.segment_m), 1) - 1  # segments after the first
    end = np.searchsorted(keys, keys + reach, side="right")
    first = np.repeat(np.arange(len(keys)), end - np.arange(len(keys)))
    last = np.concatenate([np.arange(n, stop) for n, stop in enumerate(end)] or [first])
    return Windows(_places(segment, keys), keys, first, last.astype(np.int64))


def _places[K: (Cells, Integers)](of_cases: K, keys: K) -> Integers:
    """The place of each case among `keys`, which are in order; −1: in none."""
    at = np.searchsorted(keys, of_cases)
    known = at < len(keys)
    known[known] = keys[at[known]] == of_cases[known]
    return np.where(known, at, -1)


def _parents(cells: Cells, resolution: int) -> Cells:
    return np.asarray(h3ronpy.change_resolution(cells, resolution), np.uint64)


def _plane(cells: Cells, latitude: float) -> Floats:
    """Metres on a plane that touches the sphere at a latitude.

    Over a province (1.5° of latitude) distances are wrong by less than 1 %.
    """
    from gis.analysis.repeats import EARTH_RADIUS_M

    lon, lat = np.radians(_degrees(cells)).T
    return EARTH_RADIUS_M * np.column_stack([lon * np.cos(np.radians(latitude)), lat])


def _degrees(cells: Cells) -> Floats:
    """Longitude and latitude of the centres."""
    centres = h3ronpy.vector.cells_to_coordinates(cells)
    return np.column_stack([np.asarray(centres["lng"]), np.asarray(centres["lat"])])


def _cluster(stream: Stream, rank: int, found: _Found, p: float) -> ScanCluster:
    windows, row = found.windows, found.row
    recent = stream.evidence["day"] > stream.last_day - int(row["days"])
    if windows is None:
        centre, radius_m = int(stream.cells[int(row["centre"])]), float(row["radius"])
        cells = _circle(stream, centre, radius_m)
        within = stream.evidence[recent & stream.evidence["place"].isin(cells)]
        return replace(
            _told(stream, row, within, p),
            rank=rank,
            centre=centre,
            radius_m=radius_m,
            cells=tuple(int(cell) for cell in cells),
            core=_core(stream, cells, int(row["days"])),
        )
    window = int(row["window"])
    begin, end = (int(windows.keys[at[window]]) for at in (windows.first, windows.last))
    if windows is stream.singles:
        within = stream.evidence[recent & (stream.evidence["single"] == begin)]
        told = _told(stream, row, within, p)
        return replace(told, rank=rank, centre=begin, cells=(begin,), is_single=True)
    beside = stream.evidence["segment"].between(begin, end)
    within = stream.evidence[recent & beside]
    hexes = _parents(within["cell"].to_numpy(np.uint64), _STRETCH_RESOLUTION)
    stretch = Stretch(
        road=str(within["road"].iloc[0]),
        from_m=float(within["road_m"].min()),
        to_m=float(within["road_m"].max()),
        is_known=bool(within["road_km"].all()),
    )
    middle = (within["road_m"] - (stretch.from_m + stretch.to_m) / 2).abs().to_numpy()
    return replace(
        _told(stream, row, within, p),
        rank=rank,
        centre=int(hexes[np.lexsort((hexes, middle))[0]]),
        radius_m=(stretch.to_m - stretch.from_m) / 2,
        cells=tuple(int(cell) for cell in np.unique(hexes)),
        stretch=stretch,
    )


def _told(stream: Stream, row: Mapping[Any, Any], within: pd.DataFrame, p: float) -> ScanCluster:
    """What is said of a window of any shape; `within`: its evidence."""
    communes = within.loc[within["commune"] != "", "commune"]
    shares = communes.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return ScanCluster(
        stream=stream.name,
        rank=1,
        centre=0,
        radius_m=0.0,
        days=int(row["days"]),
        observed=int(row["observed"]),
        expected=float(row["expected"]),
        llr=float(row["llr"]),
        p=p,
        recurrence_days=1 / (EVALUATIONS_A_DAY * p),
        cells=(),
        communes=tuple(sorted(set(within["commune"]) - {""})),
        records=tuple(sorted(int(one) for one in within["id"])),
        shares=tuple((str(code), int(n)) for code, n in shares.items()),
    )


def _core(stream: Stream, cells: Cells, days: int) -> Core:
    """The core of a cluster of these hexes in the last days."""
    inside = (stream.day > stream.last_day - days) & np.isin(stream.cells, cells)[stream.place]
    places, counts = np.unique(stream.place[inside], return_counts=True)
    xy = stream.xy[places]
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    nearest = np.argsort(apart, axis=1, kind="stable")
    held = np.cumsum(counts[nearest], axis=1)
    wanted = np.ceil(_CORE_SHARE * counts.sum() - 1e-9)
    last = (held >= wanted).argmax(axis=1)
    rows = np.arange(len(places))
    radii = apart[rows, nearest[rows, last]]
    best = int(np.lexsort((-held[rows, last], radii))[0])
    return Core(float(radii[best]), int(counts[apart[best] <= radii[best] * (1 + 1e-9)].sum()))


def _p(maxima: Floats, llr: float) -> float:
    """Few replicates reach a rare value: there the law of their tail says more.

    But no law is trusted beyond a century.
    """
    of_replicates, of_law = analysis.replicate_p(maxima, llr), analysis.tail_p(maxima, llr)
    if of_replicates >= SURE_P or np.isnan(of_law):
        return of_replicates
    return max(of_law, 1 / (EVALUATIONS_A_DAY * LONGEST_DAYS))


def _circle(stream: Stream, centre: int, radius_m: float) -> Cells:
    """All hexes whose centre lies in the circle, also those without a case."""
    hexes = np.array([centre], np.uint64)
    spacing = np.sqrt(3) * h3.average_hexagon_edge_length(h3.get_resolution(f"{centre:x}"), "m")
    rings = int(np.ceil(radius_m / (0.7 * spacing)))
    near = np.unique(np.asarray(h3ronpy.grid_disk(hexes, rings, flatten=True), np.uint64))
    middle, around = _plane(hexes, stream.latitude), _plane(near, stream.latitude)
    inside: Cells = near[np.hypot(*(around - middle).T) <= radius_m * (1 + 1e-9)]
    return inside
