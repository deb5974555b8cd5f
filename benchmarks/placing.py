"""Points → communes: the cell table beside geopandas.sjoin on the same polygons, in one run.

The communes are those of GIS_BOUNDARIES where it is set, else squares. Prints seconds (medians of
paired runs), how often faster, and how the cost grows.
"""

import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np

from gis.boundaries.repair import make_valid, resolve_overlaps
from gis.placing.cells import OUTSIDE, CellTable
from tests.provinces import grid_communes

RUNS = 3
SIZES = (10_000, 100_000, 1_000_000)


def communes() -> gpd.GeoDataFrame:
    given = os.environ.get("GIS_BOUNDARIES")
    if given is None or not Path(given).is_file():
        return grid_communes()
    read = gpd.read_file(given)[["code", "area_km2", "geometry"]]
    return resolve_overlaps(make_valid(read))[0].sort_values("code").reset_index(drop=True)


def timed[T](work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def joined(polygons: gpd.GeoDataFrame, lon: np.ndarray, lat: np.ndarray, how: str) -> np.ndarray:
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs="EPSG:4326")
    found = gpd.sjoin(points, polygons[["geometry"]], predicate=how, how="left")["index_right"]
    return found.fillna(OUTSIDE).astype(int).groupby(level=0).min().to_numpy()


def compare(table: CellTable, polygons: gpd.GeoDataFrame, points: np.ndarray, how: str) -> str:
    """One line; `points` has shape (2, n)."""
    pairs = []
    for _ in range(RUNS):
        ours_s, ours = timed(lambda: table.assign(*points))
        theirs_s, theirs = timed(lambda: joined(polygons, *points, how))
        pairs.append((ours_s, theirs_s))
    ours_s, theirs_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    return (
        f"{points.shape[1]:>9,} points: table {ours_s:.4f} s, sjoin({how}) {theirs_s:.3f} s, "
        f"{theirs_s / ours_s:.0f}× faster, {int((ours == theirs).sum()):,} the same"
    )


def main() -> None:
    polygons = communes()
    build_s, table = timed(lambda: CellTable.build(polygons))
    print(f"building the table of {len(polygons)} communes: {build_s:.2f} s")
    random = np.random.default_rng(15)
    west, south, east, north = polygons.total_bounds
    for size in SIZES:
        points = random.uniform((west, south), (east, north), (size, 2)).T.copy()
        for how in ("intersects", "within"):
            print(compare(table, polygons, points, how))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory, both sides together: {peak_mb:,.0f} MB")


if __name__ == "__main__":
    main()
