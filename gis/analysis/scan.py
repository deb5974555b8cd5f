"""Scan statistics: the circle, or cylinder, that chance explains least, and how rarely it does.

Poisson (Kulldorff 1997), space-time permutation (Kulldorff et al. 2005, here within strata) and
expectation-based Poisson (Neill et al. 2005). All look for excess alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import chi2_contingency

from gis.analysis.circles import Circles, circles_around
from gis.analysis.cylinders import highest_llr, llr_by_centre
from gis.analysis.inputs import above, between, floats, integers, whole
from gis.errors import BadInput

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]

BATCH = 64  # replicates counted while one centre's circles are at hand
EULER = 0.5772156649015329
MOST_CASES = 2_000_000_000  # replicates count in 32 bits
COUNTED = 10  # replicates above a value that give its p; beyond, their tail is drawn out


@dataclass(frozen=True, slots=True)
class Null:
    """The null distribution that gives p: `replicates` draws from `seed`, given up after `stop`
    of them reach the value.

    `stop` None draws them all. A stopped p is stop/(draws so far) (Besag & Clifford 1991).
    """

    replicates: int = 999
    stop: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        whole("replicates", self.replicates, 0)
        whole("seed", self.seed, 0)
        if self.stop is not None:
            whole("stop", self.stop, 1)


NULL = Null()
SEQUENTIAL = Null(stop=50)


class _Cluster(NamedTuple):
    centre: int
    end: int  # within the circles' `near`
    days: int
    llr: float


def poisson_scan(
    cases: npt.ArrayLike,
    population: npt.ArrayLike,
    xy: npt.ArrayLike,
    *,
    max_share: float = 0.5,
    max_radius: float = np.inf,
    max_clusters: int = 5,
    null: Null = NULL,
) -> pd.DataFrame:
    """Circles with more `cases` than their `population` explains, both (n,); `xy` (n, 2) is plane.

    Circles hold at most `max_share` of the population. One row a cluster, the most likely first,
    none overlapping another: centre (index), radius (unit of `xy`), places, observed, expected,
    llr, p, p_gumbel, p_tail. LLR = c ln(c/μ) + (C−c) ln((C−c)/(C−μ)) for c > μ. No cases, no rows.
    Raises BadInput for more than 2,000,000,000 cases, or where nobody lives.
    """
    _check_limits(max_radius, max_share=max_share, max_clusters=max_clusters)
    xy = floats("xy", xy, (None, 2))
    cases, total = _limited("cases", integers("cases", cases, (len(xy),), least=0))
    population = floats("population", population, (len(xy),), least=0)
    everyone = float(population.sum())
    if total and everyone <= 0:
        raise BadInput("the scan needs a `population` somewhere: all are 0")
    expected = population * (total / max(everyone, 1e-300))
    space = _Space(circles_around(xy, max_radius), expected[:, None], max_share * total, 1, total)
    draw = np.random.default_rng(null.seed)
    weights = population / max(everyone, 1e-300)

    def replicate() -> Counts:
        return draw.multinomial(total, weights)[:, None].astype(np.int64)

    clusters = _scan(space, cases[:, None], replicate, max_clusters, null)
    return clusters.drop(columns=["days"])


def stp_scan(
    place: npt.ArrayLike,
    day: npt.ArrayLike,
    xy: npt.ArrayLike,
    *,
    max_radius: float,
    max_days: int,
    last_day: int | None = None,
    min_cases: int = 3,
    strata: npt.ArrayLike | None = None,
    max_share: float = 0.5,
    max_clusters: int = 5,
    whole_rings: bool = True,
    null: Null | npt.ArrayLike = SEQUENTIAL,
) -> pd.DataFrame:
    """Space-time permutation: where too many of the last days' events are, given place and day.

    Event e of shape (E,) is at `place` (row of `xy`, n×2, the centres) on whole `day`; later events
    than `last_day` (default: the last event's) are left out. A cylinder is a circle of up to
    `max_radius` (unit of `xy`) with at most `max_share` of all events, over the last 1…`max_days`
    days. μ = Σ_w N_{A,w}·n_{d,w}/C_w over the `strata` w of the events (weekdays, say); the null
    permutes days within strata, or is that of `stp_null`, drawn before. A circle takes places at
    one distance together, unless `whole_rings` is off. Rows as in `poisson_scan`, with days and
    ri_days = 1/p (one scan a day).
    """
    _check_limits(max_radius, max_days, min_cases, max_share, max_clusters)
    circles = circles_around(xy, max_radius, whole_rings=whole_rings)
    place, age, strata = known_events(place, day, strata, last_day, len(circles.start) - 1)
    null = null if isinstance(null, Null) else floats("null", null)
    space, counts, replicate = _permutation(
        place, age, strata, circles, max_days, min_cases, max_share,
        null.seed if isinstance(null, Null) else 0,
    )  # fmt: skip
    clusters = _scan(space, counts, replicate, max_clusters, null)
    return clusters.assign(ri_days=1.0 / clusters["p"])


def stp_maxima(
    place: npt.ArrayLike,
    day: npt.ArrayLike,
    xy: npt.ArrayLike,
    *,
    max_radius: float,
    max_days: int,
    last_day: int | None = None,
    min_cases: int = 3,
    strata: npt.ArrayLike | None = None,
    max_share: float = 0.5,
    whole_rings: bool = True,
    null: Null = NULL,
) -> Iterator[Floats]:
    """The highest LLR of each replicate of `stp_scan`, some at a time; arguments as there.

    To be kept and given to `stp_scan` as its `null` while events arrive: one more event in
    thousands moves this distribution by less than its replicates do. `stop` is not used.
    """
    _check_limits(max_radius, max_days, min_cases, max_share)
    circles = circles_around(xy, max_radius, whole_rings=whole_rings)
    place, age, strata = known_events(place, day, strata, last_day, len(circles.start) - 1)
    space, _, replicate = _permutation(
        place, age, strata, circles, max_days, min_cases, max_share, null.seed
    )
    yield from _maxima(space, replicate, null.replicates)


def stp_null(place: npt.ArrayLike, day: npt.ArrayLike, xy: npt.ArrayLike, **how: Any) -> Floats:
    """All of `stp_maxima`, shape (replicates,)."""
    return np.concatenate([np.empty(0), *stp_maxima(place, day, xy, **how)])


def weekday_strata(
    area: npt.ArrayLike,
    day: npt.ArrayLike,
    *,
    before: int | None = None,
    alpha: float = 0.01,
) -> Counts | None:
    """The weekday (0–6) of each event where areas differ in their week, else None.

    `area` numbers the area (commune) of each event, `day` its day, both of shape (E,). A χ² test of
    area × weekday at `alpha`; areas with fewer than 35 events, 5 a weekday, are tested as one. Days
    from `before` on are not read: what a scan is to judge must not decide how. A day counts at
    most thrice the mean day of its area (1 at least): one great day is no habit.
    """
    between("alpha", alpha, 0, 1)
    area = integers("area", area)
    day = integers("day", day, (len(area),))
    if before is not None:
        whole("before", before)
    known = np.ones(len(day), bool) if before is None else day < before
    if not known.any():
        return None
    table = _by_weekday(numbered(area[known]), day[known])
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    differ = min(table.shape) > 1 and chi2_contingency(table).pvalue < alpha
    return day % 7 if differ else None


def _by_weekday(area: Counts, day: Counts) -> Floats:
    """Events of each area and weekday, shape (areas + 1, 7), the last of all areas with few."""
    few = np.bincount(area) < 35
    tested = np.where(few[area], len(few), area)
    first, days = int(day.min()), int(np.ptp(day)) + 1
    daily = np.zeros((len(few) + 1, days))
    np.add.at(daily, (tested, day - first), 1)
    usual = np.maximum(3 * daily.mean(axis=1, keepdims=True), 1)
    table = np.zeros((len(daily), 7))
    np.add.at(table.T, np.arange(first, first + days) % 7, np.minimum(daily, usual).T)
    return table


def ebp_scan(
    counts: npt.ArrayLike,
    baselines: npt.ArrayLike,
    xy: npt.ArrayLike,
    *,
    max_radius: float,
    max_days: int,
    min_cases: int = 1,
    max_clusters: int = 5,
    null: Null = SEQUENTIAL,
) -> pd.DataFrame:
    """Cylinders of the last days with more than forecast; `counts`, `baselines` of shape (n, days).

    The oldest day first; LLR = c ln(c/b) + b − c for c > b; the null draws Poisson(`baselines`).
    Rows as in `stp_scan`, `expected` being the forecast. Sees a rise everywhere, unlike `stp_scan`;
    it is as right as its forecast. Raises BadInput for other shapes, forecasts below 0, or more
    than 2,000,000,000 cases.
    """
    _check_limits(max_radius, max_days, min_cases, max_clusters=max_clusters)
    xy = floats("xy", xy, (None, 2))
    counts = integers("counts", counts, (len(xy), None), least=0)
    baselines = floats("baselines", baselines, counts.shape, least=0)
    if not counts.shape[1]:
        raise BadInput("`counts` have no day: give one at least")
    forecast, _ = _limited("baselines", baselines[:, ::-1][:, :max_days])
    observed, _ = _limited("counts", counts[:, ::-1][:, :max_days])
    expected = np.cumsum(forecast, axis=1)
    space = _Space(circles_around(xy, max_radius), expected, np.inf, min_cases, 0)
    draw = np.random.default_rng(null.seed)

    def replicate() -> Counts:
        return np.cumsum(draw.poisson(forecast), axis=1)

    clusters = _scan(space, np.cumsum(observed, axis=1), replicate, max_clusters, null)
    return clusters.assign(ri_days=1.0 / clusters["p"])


class _Space:
    """The parts that all replicates share: circles, expectations and limits."""

    def __init__(
        self,
        circles: Circles,
        expected: Floats,
        limit: float,
        min_cases: int,
        total: int,
        limited: Floats | None = None,
    ) -> None:
        self.circles = circles
        self.expected = np.ascontiguousarray(expected)  # (places, days), of the last 1…D days
        self.limit = limit
        self.limited = self.expected[:, -1].copy() if limited is None else limited
        self.min_cases = min_cases
        self.total = total  # 0: expectation-based

    def best(self, counts: Small) -> Floats:
        """The highest LLR of each replicate, `counts` of shape (replicates, places, days)."""
        circles = self.circles
        return highest_llr(
            circles.start, circles.near, circles.closes, self.expected, self.limited, self.limit,
            self.min_cases, self.total, counts,
        )  # fmt: skip

    def each_centre(self, counts: Counts) -> list[_Cluster]:
        """The best cylinder of each centre that has one, the most likely first."""
        circles = self.circles
        llr, end, days = llr_by_centre(
            circles.start, circles.near, circles.closes, self.expected, self.limited, self.limit,
            self.min_cases, self.total, counts,
        )  # fmt: skip
        # The smallest of equally likely circles is named: its centre says most.
        order = np.lexsort((circles.distance[end], -np.round(llr, 9)))
        order = order[llr[order] > 0]
        columns = (order, end[order], days[order], llr[order])
        return [_Cluster(*row) for row in zip(*(each.tolist() for each in columns), strict=True)]

    def places(self, cluster: _Cluster) -> Counts:
        return self.circles.near[self.circles.start[cluster.centre] : cluster.end + 1]


def _scan(
    space: _Space,
    counts: Counts,
    replicate: Callable[[], Counts],
    most: int,
    null: Null | Floats,
) -> pd.DataFrame:
    clusters = _apart(space, space.each_centre(counts), most)
    simulated, stopped = np.empty(0), False
    if isinstance(null, Null) and clusters:
        simulated = _simulate(space, replicate, clusters[0].llr, null)
        stopped = len(simulated) < null.replicates
    elif not isinstance(null, Null):
        simulated = null
    return pd.DataFrame(
        [_described(space, counts, one, simulated, stopped) for one in clusters],
        columns=["centre", "radius", "places", "days", "observed", "expected", "llr", "p",
                 "p_gumbel", "p_tail"],
    )  # fmt: skip


def _apart(space: _Space, clusters: list[_Cluster], most: int) -> list[_Cluster]:
    """The most likely clusters that share no place."""
    taken: set[int] = set()
    chosen: list[_Cluster] = []
    for cluster in clusters:
        if len(chosen) == most:
            break
        places = space.places(cluster).tolist()
        if taken.isdisjoint(places):
            chosen.append(cluster)
            taken.update(places)
    return chosen


def _simulate(space: _Space, replicate: Callable[[], Counts], top: float, null: Null) -> Floats:
    """Highest LLRs under the null, up to the replicate at which the scan may stop."""
    seen = np.empty(0)
    for some in _maxima(space, replicate, null.replicates):
        seen = np.append(seen, some)
        reached = np.flatnonzero(_reaches(seen, top))
        if null.stop is not None and len(reached) >= null.stop:
            return seen[: reached[null.stop - 1] + 1]
    return seen


def _maxima(space: _Space, replicate: Callable[[], Counts], replicates: int) -> Iterator[Floats]:
    for first in range(0, replicates, BATCH):
        batch = np.empty((min(BATCH, replicates - first), *space.expected.shape), np.int32)
        for drawn in range(len(batch)):
            batch[drawn] = replicate()
        yield space.best(batch)


def _reaches(simulated: Floats, llr: float) -> npt.NDArray[np.bool_]:
    """Equal cylinders must count as reached, whatever the order of their sums."""
    return simulated >= llr - 1e-9 * max(1.0, abs(llr))


def _described(
    space: _Space, counts: Counts, one: _Cluster, simulated: Floats, stopped: bool
) -> dict[str, float | int]:
    places = space.places(one)
    reached = int(_reaches(simulated, one.llr).sum())
    return {
        "centre": one.centre,
        "radius": float(space.circles.distance[one.end]),
        "places": len(places),
        "days": one.days,
        "observed": int(counts[places, one.days - 1].sum()),
        "expected": float(space.expected[places, one.days - 1].sum()),
        "llr": one.llr,
        "p": reached / len(simulated) if stopped else replicate_p(simulated, one.llr),
        "p_gumbel": gumbel_p(simulated, one.llr),
        "p_tail": tail_p(simulated, one.llr),
    }


def replicate_p(simulated: npt.ArrayLike, llr: float) -> float:
    """P(maximum ≥ `llr`): (1 + reached)/(S + 1) of the S simulated maxima."""
    simulated = _maxima_of(simulated, llr)
    return (1 + int(_reaches(simulated, llr).sum())) / (len(simulated) + 1)


def gumbel_p(simulated: npt.ArrayLike, llr: float) -> float:
    """P(maximum ≥ `llr`) of the Gumbel law with the mean and spread of the simulated maxima.

    For p below what the replicates resolve; NaN with fewer than 2, or without spread. Right for
    `poisson_scan`, but two to three times too large for rare values of `stp_scan`: see `tail_p`.
    Source: Abrams, Kleinman & Kulldorff 2010.
    """
    simulated = _maxima_of(simulated, llr)
    if len(simulated) < 2 or not simulated.std() > 0:
        return float("nan")
    scale = float(simulated.std(ddof=1)) * np.sqrt(6) / np.pi
    location = float(simulated.mean()) - EULER * scale
    return float(-np.expm1(-np.exp(-(llr - location) / scale)))


def tail_p(simulated: npt.ArrayLike, llr: float) -> float:
    """P(maximum ≥ `llr`): of the simulated maxima that reach it, beyond the tenth by their tail.

    (1 + reached)/(S + 1) where ten or more reach `llr`. Beyond, p falls from 10/(S + 1) by an
    exponential law whose scale is the mean excess of the highest twentieth (20 at least), so only
    the tail decides and not, as in `gumbel_p`, the lumpy bulk of the maxima of few events. NaN with
    fewer than 20 maxima, or without spread among the highest.
    Source: Knijnenburg et al. 2009, the generalised Pareto tail with shape 0.
    """
    simulated = _maxima_of(simulated, llr)
    reached = int(_reaches(simulated, llr).sum())
    highest = np.sort(simulated)[-max(len(simulated) // 20, 2 * COUNTED) :]
    if reached >= COUNTED:
        return replicate_p(simulated, llr)
    if len(simulated) < 2 * COUNTED or not highest[-1] > highest[0]:
        return float("nan")
    scale = float((highest - highest[0]).sum()) / (len(highest) - 1)
    beyond = max(0.0, llr - float(highest[-COUNTED]))
    return COUNTED / (len(simulated) + 1) * float(np.exp(-beyond / scale))


def _maxima_of(simulated: npt.ArrayLike, llr: float) -> Floats:
    if np.isnan(llr):
        raise BadInput("`llr` is nan: give the value whose p is asked for")
    return floats("simulated", simulated)


def _check_limits(
    max_radius: float,
    max_days: int = 1,
    min_cases: int = 1,
    max_share: float = 1.0,
    max_clusters: int = 1,
) -> None:
    above("max_radius", max_radius, 0)
    whole("max_days", max_days, 1)
    whole("min_cases", min_cases, 1)
    above("max_share", max_share, 0)
    between("max_share", max_share, 0, 1)
    whole("max_clusters", max_clusters, 1)


def _limited[T: (Counts, Floats)](name: str, counts: T) -> tuple[T, int]:
    """With their total."""
    total = float(counts.sum(dtype=np.float64))
    if total > MOST_CASES:
        raise BadInput(f"`{name}` hold {total:,.0f} cases: give at most {MOST_CASES:,}")
    return counts, int(total)


def known_events(
    place: npt.ArrayLike,
    day: npt.ArrayLike,
    strata: npt.ArrayLike | None,
    last_day: int | None,
    places: int,
) -> tuple[Counts, Counts, Counts | None]:
    """Place, age in days on the last day, and stratum of the events known by then."""
    place = integers("place", place)
    day = integers("day", day, (len(place),))
    if len(place) and not 0 <= place.min() <= place.max() < places:
        raise BadInput(f"`place` numbers the rows of `xy`, from 0 to {places - 1}")
    if last_day is not None:
        whole("last_day", last_day)
    end = int(day.max(initial=-(2**62)) if last_day is None else last_day)
    known = day <= end
    stratum = None if strata is None else integers("strata", strata, place.shape)[known]
    return place[known], end - day[known], stratum


def _permutation(
    place: Counts,
    age: Counts,
    strata: Counts | None,
    circles: Circles,
    max_days: int,
    min_cases: int,
    max_share: float,
    seed: int,
) -> tuple["_Space", Counts, Callable[[], Counts]]:
    """The space that is scanned, the counts observed, and a source of permuted ones."""
    places = len(circles.start) - 1
    stratum = numbered(strata if strata is not None else np.zeros(len(place), np.int64))
    expected = permuted_expectation(place, age, stratum, places, max_days)
    events = np.bincount(place, minlength=places).astype(float)
    limit = max_share * len(place)
    space = _Space(circles, expected, limit, min_cases, len(place), limited=events)
    shuffled = within_strata(stratum, np.random.default_rng(seed))

    def replicate() -> Counts:
        return recent_counts(place, age[shuffled()], places, max_days)

    return space, recent_counts(place, age, places, max_days), replicate


def numbered(strata: npt.NDArray[np.int64]) -> Counts:
    return np.unique(strata, return_inverse=True)[1].astype(np.int64)


@numba.njit(cache=True)
def recent_counts(place: Counts, age: Counts, places: int, max_days: int) -> Counts:
    """Events of each place in the last 1…`max_days` days, shape (places, max_days)."""
    counts = np.zeros((places, max_days), np.int64)
    for event in range(len(place)):
        if age[event] < max_days:
            counts[place[event], age[event]] += 1
    for at in range(places):
        for day in range(1, max_days):
            counts[at, day] += counts[at, day - 1]
    return counts


def permuted_expectation(
    place: Counts, age: Counts, stratum: Counts, places: int, max_days: int
) -> Floats:
    strata = int(stratum.max()) + 1 if len(stratum) else 1
    here = np.bincount(place * strata + stratum, minlength=places * strata)
    recent = recent_counts(stratum, age, strata, max_days)
    size = np.maximum(np.bincount(stratum, minlength=strata), 1)
    expected: Floats = here.reshape(places, strata) @ (recent / size[:, None])
    return expected


def within_strata(stratum: Counts, draw: np.random.Generator) -> Callable[[], Counts]:
    """A source of orders of the events that shuffle each stratum within itself."""
    members = list(_groups(stratum))

    def shuffled() -> Counts:
        order = np.arange(len(stratum))
        for group in members:
            order[group] = draw.permutation(group)
        return order

    return shuffled


def _groups(stratum: Counts) -> Iterator[Counts]:
    order = np.argsort(stratum, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(stratum[order])) + 1)
