"""Locate: where to put k posts so that most people, or records, are within a distance."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator
from sqlalchemy import func, select, text

from gis.errors import BadInput
from layers.definition.model import GeometryKind, LocalizedText, Style
from layers.processes.context import Context
from layers.processes.process import (
    LayerInput,
    Metres,
    NewCollection,
    Parameters,
    Process,
    Row,
    integer,
    number,
    parameter,
    words,
)

Floats = npt.NDArray[np.float64]
MOST_DEMAND, MOST_SITES, MOST_PAIRS = 50_000, 5_000, 20_000_000


class LocateParameters(Parameters):
    """Who is to be reached, from where, how far."""

    k: int = parameter(3, "Số điểm đặt", "How many posts", ge=1, le=50)
    distance_m: Metres = parameter(
        5_000, "Bán kính phục vụ (m)", "Distance (m)", extra={"unit": "m"}
    )
    demand: LayerInput | None = parameter(
        None, "Phục vụ lớp điểm (trống: người dân)", "Points to be reached (empty: inhabitants)"
    )
    weight: str | None = parameter(
        None, "Trọng số (trường số)", "Weight, a number property", max_length=60,
        extra={"format": "property"},
    )  # fmt: skip
    sites: LayerInput | None = parameter(
        None, "Nơi có thể đặt (trống: nơi có nhu cầu)", "Possible sites (empty: where demand is)"
    )
    existing: LayerInput | None = parameter(None, "Điểm đã có", "Posts that are there already")
    resolution: int = parameter(
        8, "Độ phân giải ô H3 của người dân", "H3 resolution of people", ge=6, le=9
    )
    time_limit_s: float = parameter(
        20, "Thời gian tính tối đa (giây)", "Longest search (seconds)", gt=0, le=300
    )

    @model_validator(mode="after")
    def _weight_of_demand(self) -> Self:
        if self.weight is not None and self.demand is None:
            raise ValueError("`weight` is a property of `demand`: inhabitants have theirs")
        return self


class Locate(Process[LocateParameters]):
    """Maximal covering location (Church and ReVelle 1974), exact where the time suffices."""

    name = "locate"
    title = LocalizedText(vi="Chọn nơi đặt điểm phục vụ", en="Locate posts")
    description = LocalizedText(
        vi="Đặt k điểm sao cho nhiều người (hoặc bản ghi) nhất ở trong bán kính, tính theo đường "
        "thẳng trên mặt đất. Kết quả ghi rõ còn có thể tốt hơn tối đa bao nhiêu.",
        en="Where to put k posts so that most people (or records) are within the distance, as the "
        "crow flies. The result says by how much it could be better at most.",
    )
    parameters = LocateParameters
    is_light = False
    examples = ({"demand": "citizen_reports", "k": 3, "distance_m": 3000, "sites": "landslides"},)

    def run(self, context: Context, parameters: LocateParameters) -> NewCollection:
        context.report(0.0, "reading")
        demand, weights, quality = _demand(context, parameters)
        sites = demand if parameters.sites is None else _points(context, parameters.sites)[0]
        sites = np.unique(sites, axis=0)
        if not len(demand) or not len(sites):
            raise BadInput("there is nothing to be reached, or nowhere to put a post")
        if len(demand) > MOST_DEMAND or len(sites) > MOST_SITES:
            raise BadInput(
                f"there are {len(demand)} points to be reached and {len(sites)} sites: at most "
                f"{MOST_DEMAND} and {MOST_SITES} are compared; narrow them, or choose coarser hexes"
            )
        total = float(weights.sum())
        done = np.zeros(len(demand), bool)
        if parameters.existing is not None:
            there = _points(context, parameters.existing)[0]
            done[np.unique(within(there, demand, parameters.distance_m)[1])] = True
        pairs = within(sites, demand, parameters.distance_m)
        context.report(0.3, f"{len(demand)} points, {len(sites)} sites, {len(pairs[0])} pairs")
        wanted = np.where(done, 0.0, weights)
        found = cover(pairs, wanted, len(sites), parameters.k, parameters.time_limit_s)
        rows: list[Row] = []
        reached = done.copy()
        order = _by_gain(found.sites, pairs, wanted)
        for rank, site in enumerate(order, 1):
            mine = pairs[1][pairs[0] == site]
            gain = float(weights[mine[~reached[mine]]].sum())
            reached[mine] = True
            lon, lat = sites[site]
            rows.append((_point(lon, lat), {
                "rank": rank, "name": f"{rank}", "reached": float(weights[mine].sum()),
                "newly_reached": gain,
                "share": float(weights[reached].sum()) / total if total else None,
            }))  # fmt: skip
        covered = float(weights[reached].sum())
        before = float(weights[done].sum())
        summary = {
            "demand": total,
            "reached_before": before,
            "reached": covered,
            "share": covered / total if total else None,
            "at_most": before + found.bound,
            "gap": found.gap,
            "proven": found.gap <= 1e-6,
            "method": found.method,
            "distance": "straight line",
            "population_quality": quality,
        }
        fields = {
            "rank": integer("Thứ tự", "Rank"),
            "name": words("Tên", "Name"),
            "reached": number("Trong bán kính", "Within the distance"),
            "newly_reached": number("Thêm được", "Newly reached"),
            "share": number("Tỷ lệ cộng dồn", "Share so far", "1"),
        }
        style = Style(colour="#d7301f", size_px=8, outline="#ffffff", text="name")
        return NewCollection(GeometryKind.POINT, fields, rows, summary, style)


class Cover:
    """Chosen sites, what they cover, the least upper bound that is known, and how far it is."""

    def __init__(self, sites: list[int], covered: float, bound: float, method: str) -> None:
        self.sites = sites
        self.covered = covered
        self.bound = max(bound, covered)
        self.method = method

    @property
    def gap(self) -> float:
        """By how much, relatively, the best could be better at most."""
        return 0.0 if self.bound <= 0 else (self.bound - self.covered) / self.bound


def cover(
    pairs: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    weights: Floats,
    sites: int,
    k: int,
    time_limit_s: float,
) -> Cover:
    """At most k sites that cover the greatest weight; `pairs` are (site, demand) within reach.

    Demand that the same sites reach is one variable. HiGHS searches for the time given; what it
    has not proven by then is compared with the greedy choice, and the better one is kept.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array, hstack, vstack

    greedy = _greedy(pairs, weights, sites, k)
    site, demand = pairs
    reach = coo_array((np.ones(len(site)), (demand, site)), shape=(len(weights), sites)).tocsr()
    reach, grouped = _grouped(reach, weights)
    groups = len(grouped)
    if groups == 0:
        return Cover([], 0.0, 0.0, "nothing within reach")
    # Variables: a site is chosen (whole), a group is covered (0 to 1, whole by itself).
    objective = np.concatenate([np.zeros(sites), -grouped])
    identity = coo_array((np.ones(groups), (np.arange(groups), np.arange(groups))))
    covered_by = hstack([-reach, identity])
    chosen = coo_array((np.ones(sites), (np.zeros(sites, int), np.arange(sites))),
                       shape=(1, sites + groups))  # fmt: skip
    result = milp(
        objective,
        integrality=np.concatenate([np.ones(sites), np.zeros(groups)]),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(
            vstack([covered_by, chosen]).tocsr(), -np.inf, np.concatenate([np.zeros(groups), [k]])
        ),
        options={"time_limit": time_limit_s, "mip_rel_gap": 1e-9},
    )
    bound = float(grouped.sum())
    if getattr(result, "mip_dual_bound", None) is not None:
        bound = min(bound, -float(result.mip_dual_bound))
    if result.x is None:
        return Cover(greedy, _covered(greedy, pairs, weights), bound, "greedy")
    exact = [int(one) for one in np.flatnonzero(result.x[:sites] > 0.5)]
    best, method = exact, "exact" if result.status == 0 else "search ended by time"
    if _covered(greedy, pairs, weights) > _covered(exact, pairs, weights) + 1e-9:
        best, method = greedy, "greedy"
    value = _covered(best, pairs, weights)
    return Cover(best, value, value if result.status == 0 else bound, method)


def _grouped(reach: Any, weights: Floats) -> tuple[Any, Floats]:
    """Demand by the set of sites that reach it: one row each, with the sum of the weights."""
    keys: dict[bytes, int] = {}
    rows: list[int] = []
    sums: list[float] = []
    for at in np.flatnonzero((np.diff(reach.indptr) > 0) & (weights > 0)):
        key = np.sort(reach.indices[reach.indptr[at] : reach.indptr[at + 1]]).tobytes()
        if key not in keys:
            keys[key] = len(rows)
            rows.append(int(at))
            sums.append(0.0)
        sums[keys[key]] += weights[at]
    return reach[rows], np.array(sums)


def _greedy(pairs: Any, weights: Floats, sites: int, k: int) -> list[int]:
    left, chosen = weights.copy(), []
    for _ in range(min(k, sites)):
        gains = np.bincount(pairs[0], left[pairs[1]], minlength=sites)
        best = int(gains.argmax())
        if gains[best] <= 0:
            break
        chosen.append(best)
        left[pairs[1][pairs[0] == best]] = 0.0
    return chosen


def _covered(chosen: list[int], pairs: Any, weights: Floats) -> float:
    mine = np.unique(pairs[1][np.isin(pairs[0], chosen)])
    return float(weights[mine].sum())


def _by_gain(chosen: list[int], pairs: Any, weights: Floats) -> list[int]:
    """The chosen sites, each the one that adds most to those before it."""
    left, order, rest = weights.copy(), [], list(chosen)
    while rest:
        best = max(rest, key=lambda site: (left[pairs[1][pairs[0] == site]].sum(), -site))
        order.append(best)
        rest.remove(best)
        left[pairs[1][pairs[0] == best]] = 0.0
    return order


def within(
    one: Floats, other: Floats, distance_m: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs of points (degrees, longitude first) at most so many metres apart, by index.

    Found on the unit sphere, a little farther than asked, and then measured on the ellipsoid.
    """
    import pyproj
    from scipy.spatial import cKDTree

    if not len(one) or not len(other):
        return np.array([], np.int64), np.array([], np.int64)
    chord = 2 * np.sin(min(distance_m * 1.01 / 6_371_000 / 2, np.pi / 2))
    near = cKDTree(sphere(one)).sparse_distance_matrix(
        cKDTree(sphere(other)), chord, output_type="ndarray"
    )
    if len(near) > MOST_PAIRS:
        raise BadInput("too much lies within the distance: choose a smaller one, or coarser hexes")
    i, j = near["i"].astype(np.int64), near["j"].astype(np.int64)
    metres = pyproj.Geod(ellps="WGS84").inv(one[i, 0], one[i, 1], other[j, 0], other[j, 1])[2]
    keep = metres <= distance_m
    return i[keep], j[keep]


def sphere(places: Floats) -> Floats:
    """Points (degrees, longitude first) on the unit sphere, shape (n, 3)."""
    lon, lat = np.radians(places).T
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _demand(context: Context, parameters: LocateParameters) -> tuple[Floats, Floats, str | None]:
    """Places (degrees), how much each counts, and how the inhabitants are known."""
    if parameters.demand is not None:
        places, weights = _points(context, parameters.demand, parameters.weight)
        return places, weights, None
    from h3ronpy.vector import cells_to_coordinates

    from gis.population.store import require_population

    population = require_population(context.connection)
    rows = context.connection.execute(_PEOPLE, {"resolution": parameters.resolution}).all()
    cells = np.array([row.cell for row in rows], np.uint64)
    centres = cells_to_coordinates(cells)
    places = np.column_stack([np.asarray(centres["lng"]), np.asarray(centres["lat"])])
    return places, np.array([row.people for row in rows], float), population.quality.value


_PEOPLE = text(
    "SELECT cell, people FROM gis.population WHERE (cell >> 52) & 15 = :resolution ORDER BY cell"
)


def _points(
    context: Context, given: LayerInput, weight: str | None = None
) -> tuple[Floats, Floats]:
    """The places of a layer's points in degrees, and their weights, 1 where none is named."""
    source = context.source(given, (GeometryKind.POINT,))
    if weight is not None:
        context.numeric(source, weight)
    rows = context.rows(given, GeometryKind.POINT, names=[weight] if weight else [])
    columns = [func.ST_X(rows.c.geom).label("x"), func.ST_Y(rows.c.geom).label("y")]
    found = context.connection.execute(
        select(*columns, *([rows.c[weight]] if weight else [])).order_by(rows.c.id)
    ).all()
    places = np.array([row[:2] for row in found], float).reshape(-1, 2)
    weights = np.array([row[2] or 0 for row in found], float) if weight else np.ones(len(found))
    if (weights < 0).any():
        raise BadInput(f"{weight} is below 0 in some rows: a weight is not")
    return places, weights


def _point(lon: float, lat: float) -> bytes:
    import struct

    return struct.pack("<BIdd", 1, 1, lon, lat)
