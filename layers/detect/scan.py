"""The scan of a stream: records past the quality filter → clusters that chance hardly explains.

A space-time permutation scan a stream (Kulldorff et al. 2005), over the hexes that have cases.
"""

import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import h3
import h3ronpy
import h3ronpy.vector
import numpy as np
import numpy.typing as npt
import pandas as pd

from gis import analysis
from gis.alerts.policy import EVALUATIONS_A_DAY
from layers.definition.model import ScanOptions
from layers.detect.observations import Observations, day_numbers, evidence_rows

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Cells = npt.NDArray[np.uint64]

LONGEST_DAYS = 36_525.0  # a recurrence interval of a century says all
_NOISE_P = 0.1  # clusters after the first that chance brings so often are not worth a word
_CORE_SHARE = 0.8  # of the cases of a cluster
SURE_P = 0.01  # from here on, p is that of the replicates; below, of the law of their tail


@dataclass(frozen=True, slots=True)
class ScanCluster:
    """A circle of hexes in the last days with more cases than its places and days explain.

    `cells` are all hexes of the circle, `centre` one of them; `observed` counts cases (one a hex,
    category and day), `records` are the ids of all evidence, repeats included. The circle reaches
    to its last case, be it one alone: its core is the smallest circle around a hex with cases that
    holds four fifths of them. `shares`: records by commune, most first.
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


# From the likelihood ratio of an evaluation to the maxima of the null that it is judged by.
NullOf = Callable[[float], Floats]


def alarm_input(records: Observations) -> pd.DataFrame:
    """The input of the alarm, to be stored: id, stream, cell, day, commune, in_alarm.

    Cells are of resolution 11; days are numbered, and those on which records were received.
    """
    rows = evidence_rows(records.rows)
    rows = rows[rows["h3"] > 0]
    return pd.DataFrame(
        {
            "id": rows["id"].astype(np.int64),
            "stream": rows["category"].astype(str),
            "cell": rows["h3"].astype(np.int64),
            "day": day_numbers(rows["received_at"]),
            "commune": rows["commune"].fillna("").astype(str),
            "in_alarm": rows["in_alarm"].astype(bool),
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
    strata = _strata(frame[frame["in_alarm"]], options, last_day)
    names = set(frame["stream"].unique())
    for name in sorted(names if only is None else names.intersection(only)):
        yield _stream(name, frame[frame["stream"] == name], strata, last_day)


def scan_stream(stream: Stream, options: ScanOptions, null: NullOf) -> StreamScan:
    """Scan once. Circles are centred on hexes with cases; distances are on a sphere made plane."""
    candidates = analysis.stp_scan(
        stream.place, stream.day, stream.xy,
        max_radius=1000 * options.max_radius_km, max_days=options.max_days,
        last_day=stream.last_day, min_cases=options.min_cases, strata=stream.strata,
        max_clusters=options.clusters, null=np.empty(0),
    )  # fmt: skip
    maxima = null(float(candidates["llr"].max())) if len(candidates) else np.empty(0)
    p = [_p(maxima, llr) for llr in candidates["llr"]]
    clusters = [
        _cluster(stream, rank, row)
        for rank, row in enumerate(candidates.assign(p=p).to_dict("records"), 1)
        if rank == 1 or row["p"] < _NOISE_P
    ]
    return StreamScan(stream.name, len(stream.place), stream.strata is not None, tuple(clusters))


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
    """Each stream has random numbers of its own."""
    seed = (options.seed << 32) + zlib.crc32(stream.name.encode())
    return analysis.stp_maxima(
        stream.place, stream.day, stream.xy,
        max_radius=1000 * options.max_radius_km, max_days=options.max_days,
        last_day=stream.last_day, min_cases=options.min_cases, strata=stream.strata,
        null=analysis.Null(options.replicates, seed=seed),
    )  # fmt: skip


def _strata(cases: pd.DataFrame, options: ScanOptions, last_day: int) -> bool:
    if options.strata != "auto":
        return options.strata == "weekday"
    areas = pd.factorize(cases["commune"])[0].astype(np.int64)
    days, first = cases["day"].to_numpy(np.int64), last_day - options.max_days + 1
    return analysis.weekday_strata(areas, days, before=first) is not None


def _stream(name: str, frame: pd.DataFrame, stratified: bool, last_day: int) -> Stream:
    cases = frame[frame["in_alarm"]]
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
    )


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


def _cluster(stream: Stream, rank: int, row: Mapping[Any, Any]) -> ScanCluster:
    centre, days = int(stream.cells[int(row["centre"])]), int(row["days"])
    cells = _circle(stream, centre, row["radius"])
    near = stream.evidence
    within = near[(near["day"] > stream.last_day - days) & near["place"].isin(cells)]
    communes = within.loc[within["commune"] != "", "commune"]
    shares = communes.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return ScanCluster(
        stream=stream.name,
        rank=rank,
        centre=centre,
        radius_m=float(row["radius"]),
        days=days,
        observed=int(row["observed"]),
        expected=float(row["expected"]),
        llr=float(row["llr"]),
        p=row["p"],
        recurrence_days=1 / (EVALUATIONS_A_DAY * row["p"]),
        cells=tuple(int(cell) for cell in cells),
        communes=tuple(sorted(set(within["commune"]) - {""})),
        records=tuple(sorted(int(one) for one in within["id"])),
        core=_core(stream, cells, days),
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
