"""Hotspots beside esda, libpysal, pymannkendall and plain NumPy, on the same data in one run.

CPU seconds (medians of repeated runs), how often faster, and how the cost grows. The hexes, where
people live and the reports are made up (`calibration.province`), of the size of Lào Cai.
"""

import statistics
import time
import warnings
from collections.abc import Callable
from itertools import pairwise

import esda
import h3
import libpysal
import numpy as np
import pandas as pd
import pymannkendall
from rich.console import Console
from rich.table import Table

from calibration.province import Province, province, quiet
from gis.analysis import (
    Null,
    clean,
    disk_matrix,
    exact_p,
    gi_star,
    mann_kendall,
    scan,
    stp_scan,
)

CASE = {"max_radius": 10_000.0, "max_days": 14}
DAYS = 90
Row = tuple[str, ...]


def cpu[T](work: Callable[[], T], runs: int = 3) -> tuple[float, T]:
    """Median CPU seconds and the last result."""
    seconds = []
    for _ in range(runs):
        started = time.process_time()
        result = work()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds), result


def paired[T](ours: Callable[[], T], theirs: Callable[[], object], rounds: int) -> list[float]:
    """Median CPU seconds of both, in turn: a machine that slows down meanwhile slows both."""
    seconds = [(cpu(ours, runs=5)[0], cpu(theirs, runs=1)[0]) for _ in range(rounds)]
    return [statistics.median(one) for one in zip(*seconds, strict=True)]


def row(what: str, ours_s: float, theirs_s: float, peer: str, agreement: str) -> Row:
    faster = f"{theirs_s / ours_s:,.0f}×"
    return what, f"{ours_s:.4f}", f"{theirs_s:.3f}", peer, faster, agreement


def local(where: Province, permutations: bool) -> list[Row]:
    """Weights, Gi* and p on one map of sparse counts."""
    size = f"{len(where.cells):,} hexes"
    names = pd.Index([h3.int_to_str(int(cell)) for cell in where.cells])
    ours_s, weights = cpu(lambda: disk_matrix(where.cells))
    theirs_s, graph = cpu(lambda: libpysal.graph.Graph.build_h3(names), runs=1)
    graph = graph.assign_self_weight()
    assert (graph.sparse.tocsr() != weights).nnz == 0
    rows = [row(f"weights, {size}", ours_s, theirs_s, "libpysal build_h3", "equal")]
    counts = np.random.default_rng(1).poisson(where.people * 20_000)
    rows += [*stars(size, counts, weights, graph.to_W(), "esda, W")]
    rows += [*stars(size, counts, weights, graph, "esda, Graph")]
    if permutations:
        rows.append(exact(size, counts, weights, graph))
    return rows


def stars(size: str, counts: np.ndarray, weights: object, theirs: object, peer: str) -> list[Row]:
    values = counts.astype(float)

    def ours() -> np.ndarray:
        return gi_star(values, weights)

    def peers() -> esda.G_Local:
        return esda.G_Local(values, theirs, transform="B", star=True, permutations=0)

    away = np.abs(peers().Zs - ours()).max()
    ours_s, theirs_s = paired(ours, peers, rounds=15)
    return [row(f"Gi* z, {size}", ours_s, theirs_s, peer, f"|Δz| {away:.0e}")]


def exact(size: str, counts: np.ndarray, weights: object, graph: object) -> Row:
    sums = np.rint(weights @ counts).astype(np.int64)
    sizes = np.rint(np.asarray(weights.sum(axis=1)).ravel()).astype(np.int64)
    ours_s, _ = cpu(lambda: exact_p(counts, sums, sizes))
    conditional_s, p = cpu(lambda: exact_p(counts, sums, sizes, own=counts))

    def permuted() -> object:
        return esda.G_Local(
            counts.astype(float),
            graph,
            transform="B",
            star=True,
            permutations=999,
            n_jobs=1,
            seed=1,
        )

    theirs_s, peer = cpu(permuted, runs=1)
    above = sums > sizes * counts.mean()
    away = np.median(np.abs(p - peer.p_sim)[above])
    note = f"|Δp| {away:.3f}, median above the mean, of conditional p ({conditional_s:.2f} s)"
    return row(f"p of counts, {size}", ours_s, theirs_s, "esda, 999 permutations", note)


def trends() -> Row:
    series = np.random.default_rng(2).poisson(3, (18_000, 52)).astype(float)
    mann_kendall(series[:9])
    all_s, _ = cpu(lambda: mann_kendall(series))
    some = series[:1000]
    ours_s, ours = cpu(lambda: mann_kendall(some))
    theirs_s, theirs = cpu(lambda: [pymannkendall.original_test(one) for one in some], runs=1)
    away = np.abs(ours["p"] - [one.p for one in theirs]).max()
    return row(
        "Mann-Kendall, 1,000 × 52", ours_s, theirs_s, "pymannkendall",
        f"|Δp| {away:.0e}; 18,000 series take {all_s:.3f} s",
    )  # fmt: skip


class Stream:
    """Reports of 90 days, numbered by the places that have some."""

    def __init__(self, where: Province, total: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        events = quiet(where, 1.3 * total / DAYS, DAYS, random)
        some = np.sort(random.choice(len(events.day), total, replace=False))
        at, self.place = np.unique(events.place[some], return_inverse=True)
        self.day, self.xy = events.day[some], where.xy[at]

    def scan(self, null: Null) -> pd.DataFrame:
        return stp_scan(self.place, self.day, self.xy, null=null, **CASE)

    def prepared(self) -> tuple[object, np.ndarray, Callable[[], np.ndarray]]:
        circles = scan.circles_around(self.xy, CASE["max_radius"])
        return scan._permutation(
            self.place, self.day.max() - self.day, None, circles, CASE["max_days"], 3, 0.5, 0
        )


def plain_highest(space: object, counts: np.ndarray) -> float:
    """The same formula, one centre after the other, in plain NumPy."""
    circles, total, best = space.circles, space.total, 0.0
    for first, end in pairwise(circles.start.tolist()):
        near = circles.near[first:end]
        c = np.cumsum(counts[near], axis=0).astype(float)
        mu = np.cumsum(space.expected[near], axis=0)
        held = np.cumsum(space.limited[near])
        fits = (held <= space.limit) & circles.closes[first:end]
        with np.errstate(divide="ignore", invalid="ignore"):
            llr = c * np.log(c / mu) + (total - c) * np.log((total - c) / (total - mu))
        counted = fits[:, None] & (c > mu) & (c >= space.min_cases)
        best = max(best, float(llr[counted].max(initial=0.0)))
    return best


def case(where: Province) -> list[Row]:
    """20,000 events of 90 days: the observed scan, and p from 999 replicates."""
    stream = Stream(where, 20_000, 3)
    stream.scan(Null(1))
    events = f"{len(stream.day):,} events, {len(stream.xy):,} hexes"
    space, counts, replicate = stream.prepared()
    observed_s, clusters = cpu(lambda: space.each_centre(counts))
    plain_s, highest = cpu(lambda: plain_highest(space, counts), runs=1)
    assert abs(highest - clusters[0].llr) < 1e-9
    all_s, _ = cpu(lambda: stream.scan(Null(999)), runs=1)
    draws = [replicate() for _ in range(2)]
    per_replicate_s = statistics.mean(
        cpu(lambda drawn=drawn: plain_highest(space, drawn), runs=1)[0] for drawn in draws
    )
    return [
        row(f"observed scan, {events}", observed_s, plain_s, "NumPy", "equal LLR"),
        row(
            "the same with 999 replicates", all_s, per_replicate_s * 999, "NumPy",
            "2 replicates measured, × 999 / 2",
        ),
    ]  # fmt: skip


def night(where: Province) -> str:
    """Twenty streams of 200 to 20,000 reports, a fresh heap in every fourth."""
    sizes = np.geomspace(200, 20_000, 20).astype(int)
    streams = [Stream(where, int(size), 100 + i) for i, size in enumerate(sizes)]
    for stream in streams[::4]:
        near = np.flatnonzero(np.hypot(*(stream.xy - stream.xy[0]).T) <= 1500)
        stream.place = np.append(stream.place, np.resize(near, 12))
        stream.day = np.append(stream.day, np.full(12, DAYS - 1))
    wall = time.perf_counter()
    cpu_s, _ = cpu(lambda: [stream.scan(Null(999, stop=50)) for stream in streams], runs=1)
    wall = time.perf_counter() - wall
    total = sum(len(stream.day) for stream in streams)
    return f"a night's run, 20 streams, {total:,} reports: {wall:.1f} s ({cpu_s:.1f} CPU s)"


def records(where: Province, total: int) -> pd.DataFrame:
    random = np.random.default_rng(7)
    events = quiet(where, total / DAYS, DAYS, random)
    xy = where.xy[events.place] + random.uniform(-400, 400, (len(events.day), 2))
    lonlat = 104 + xy[:, 0] / 103_000 - 4.85, xy[:, 1] / 110_600
    at = pd.Timestamp("2026-01-01", tz="Asia/Ho_Chi_Minh") + pd.to_timedelta(
        events.day * 24 + random.uniform(0, 24, len(events.day)), unit="h"
    )
    return pd.DataFrame(
        {
            "category": random.integers(0, 8, len(at)).astype(str), "lon": lonlat[0],
            "lat": lonlat[1], "happened_at": at, "received_at": at, "source": "hotline",
            "source_key": np.arange(len(at)).astype(str), "default_point": False,
            "place_precision_m": 10.0, "cell": events.place * 7 + events.part,
        }
    )  # fmt: skip


def growth(where: Province, total: int) -> Row:
    stream = Stream(where, total, 5)
    circles_s, _ = cpu(stream.prepared, runs=1)
    space, counts, _ = stream.prepared()
    observed_s, _ = cpu(lambda: space.each_centre(counts), runs=1)
    batch_s, _ = cpu(lambda: stream.scan(Null(scan.BATCH)), runs=1)
    replicate_s = (batch_s - circles_s - observed_s) / scan.BATCH
    given = records(where, total)
    clean_s, _ = cpu(lambda: clean(given), runs=1)
    hexes = np.bincount(stream.place)
    return (
        f"{total:,}", f"{len(hexes):,}", f"{clean_s:.2f}", f"{circles_s:.2f}", f"{observed_s:.3f}",
        f"{replicate_s * 1000:.1f}",
    )  # fmt: skip


def printed(title: str, heads: Row, rows: list[Row], right: int) -> None:
    table = Table(title=title, title_justify="left")
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if 0 < i < right else "left")
    for one in rows:
        table.add_row(*one)
    Console(width=150).print(table)


def main() -> None:
    warnings.simplefilter("ignore")
    where = province()
    fine = province(rings=204, resolution=9)
    heads = ("step (CPU seconds)", "ours", "theirs", "they are", "faster", "agreement")
    rows = [*local(where, permutations=True), *local(fine, permutations=False), trends()]
    printed("Side by side", heads, rows + case(where), right=3)
    print(night(where))
    heads = ("events", "active hexes", "gate s", "circles s", "observed scan s", "replicate ms")
    printed("Growth", heads, [growth(where, total) for total in (20_000, 200_000, 2_000_000)], 6)


if __name__ == "__main__":
    main()
