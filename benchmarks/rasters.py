"""Rasters beside public peers, in one run: zones, tiles, windows, series, memory.

`python -m benchmarks.rasters [zones|serving]`: prints a line a comparison, in seconds of CPU
(medians of pairs), and ends with an error where a ratio is worse than it has to be.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio
import shapely
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from rasterio.windows import Window

RUNS = 3
_FAILED: list[str] = []


def cpu[T](work: Callable[[], T]) -> tuple[float, T]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def compare(
    name: str, ours: Callable[[], object], theirs: Callable[[], object], *, at_most: float,
    runs: int = RUNS,
) -> None:  # fmt: skip
    """Ours as a multiple of theirs; `at_most` below 1 asks to be faster."""
    ours(), theirs()
    pairs = [(cpu(ours)[0], cpu(theirs)[0]) for _ in range(runs)]
    mine, its = (statistics.median(column) for column in zip(*pairs, strict=True))
    verdict = "ok" if mine <= at_most * its else "WORSE"
    if verdict != "ok":
        _FAILED.append(name)
    print(
        f"{name}: ours {mine:.4f} s, peer {its:.4f} s, {mine / its:.2f}× (≤ {at_most:.2f}) "
        f"{verdict}"
    )


def peak_mib() -> float:
    """Largest memory of this process; getrusage would give that of a larger parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def field(side: int, kind: str = "float32") -> np.ndarray:
    """Smooth, so that it compresses as heights do."""
    along = np.linspace(0, 12, side, dtype=np.float32)
    return (500 + 300 * np.sin(along)[:, None] * np.cos(along)[None, :]).astype(kind)


def cog(folder: Path, side: int, name: str = "a") -> Path:
    from gis.rasters.conversion import convert

    source, target = folder / f"{name}_source.tif", folder / f"{name}.tif"
    with rasterio.open(
        source, "w", driver="GTiff", width=side, height=side, count=1, dtype="float32",
        crs="EPSG:4326", transform=from_origin(103.5, 22.9, 1.6 / side, 1.6 / side), tiled=True,
    ) as file:  # fmt: skip
        file.write(field(side), 1)
    plan = {"band": 1, "crs": "EPSG:4326", "quantity": "measure", "unit": "m", "least": None,
            "most": None, "classes": [], "nodata": []}  # fmt: skip
    convert(str(source), str(target), plan)
    source.unlink()
    return target


def hexes(count: int) -> np.ndarray:
    """So many H3-like hexagons over the raster, in random order."""
    random = np.random.default_rng(1)
    x, y = random.uniform(103.52, 105.08, count), random.uniform(21.32, 22.88, count)
    turn = np.linspace(0, 2 * np.pi, 7)
    radius = 0.5 * 1.6 / np.sqrt(count)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1) * radius
    return shapely.polygons(np.stack([x, y], 1)[:, None, :] + ring[None])


def compare_zones(folder: Path) -> None:
    import warnings

    import geopandas as gpd
    import rasterstats
    from exactextract import exact_extract

    from gis.rasters.zones import zonal_statistics

    warnings.simplefilter("ignore")
    path, few, many = cog(folder, 5_000), hexes(5_000), hexes(100_000)
    compare(
        "zones: 5,000² × 5,000 hexes beside rasterstats",
        lambda: zonal_statistics(path, few, ["mean"]),
        lambda: rasterstats.zonal_stats(list(few), str(path), stats=["mean"]),
        at_most=1 / 15,
        runs=1,
    )
    frame = gpd.GeoDataFrame(geometry=many, crs="EPSG:4326")
    compare(
        "zones: 5,000² × 100,000 hexes beside exactextract's GeoDataFrame",
        lambda: zonal_statistics(path, many, ["mean"]),
        lambda: exact_extract(str(path), frame, ["mean"], output="pandas"),
        at_most=1 / 3,
        runs=1,
    )
    alone = (
        "import sys; from pathlib import Path; from benchmarks.rasters import hexes, peak_mib; "
        "from gis.rasters.zones import zonal_statistics; "
        "zonal_statistics(Path(sys.argv[1]), hexes(100_000), ['mean']); "
        "print(peak_mib())"
    )
    done = subprocess.run(
        [sys.executable, "-c", alone, str(path)], capture_output=True, text=True, check=True
    )
    report("zones: memory of 100,000 hexes", float(done.stdout), 700, "MiB")


def report(name: str, value: float, most: float, unit: str) -> None:
    verdict = "ok" if value <= most else "WORSE"
    if verdict != "ok":
        _FAILED.append(name)
    print(f"{name}: {value:.0f} {unit} (≤ {most:.0f}) {verdict}")


def compare_serving(folder: Path) -> None:
    from rio_tiler.colormap import cmap
    from rio_tiler.io import Reader

    from gis.rasters.geotiff import geotiff
    from gis.rasters.queries import RasterQuery, read_cube, read_series
    from gis.rasters.raster import RasterGrid, RasterQuantity, RasterStack, StoredRaster
    from gis.settings import ROOT
    from gis.values import TimeSpan
    from layers.definition.catalogue import read_catalogue
    from tiles.grid import Tile, tile_at
    from tiles.raster import draw

    side = 4_000
    path = cog(folder, side)
    begin = datetime(2024, 1, 1, tzinfo=UTC)

    def stored(number: int, file: str) -> StoredRaster:
        start = begin + timedelta(days=number)
        span = TimeSpan(start, start + timedelta(days=1))
        return StoredRaster(number, "elevation", span, file, "float32", float("nan"), {}, 0, "",
                            False, begin, "")  # fmt: skip

    layer = read_catalogue(ROOT / "layers").raster("elevation")
    raster = stored(0, path.name)
    colours = cmap.get("viridis")  # a picture in colours, as ours is
    for z in (8, 12):
        tile = tile_at(104.3, 22.1, z)

        def bare(tile: Tile = tile) -> bytes:
            with Reader(str(path)) as reader:
                image = reader.tile(
                    tile.x,
                    tile.y,
                    tile.z,
                    tilesize=256,
                    resampling_method="bilinear",
                    reproject_method="bilinear",
                )
                image.rescale(in_range=((0, 1000),))
                return image.render(img_format="PNG", colormap=colours)

        compare(
            f"tile at zoom {z} beside rio-tiler",
            lambda tile=tile: [draw(layer, raster, folder, tile, "png", shaded=False)
                               for _ in range(10)],
            lambda bare=bare: [bare() for _ in range(10)],
            at_most=1.5,
        )  # fmt: skip

    grid = RasterGrid("EPSG:4326", side, side, 103.5, 22.9, 1.6 / side, 1.6 / side)
    stack = RasterStack(grid, (raster,))
    step = 1.6 / side
    box = (103.5 + 1000.5 * step, 22.9 - 1511.5 * step, 103.5 + 1511.5 * step, 22.9 - 1000.5 * step)

    def window() -> bytes:
        found = read_cube(stack, stack.rasters, folder, RasterQuantity.MEASURE, RasterQuery(box),
                          4_000_000)  # fmt: skip
        return geotiff(found, "m")

    def bare_window() -> bytes:
        with rasterio.open(path) as file, MemoryFile() as memory:
            values = file.read(1, window=Window(1000, 1000, 512, 512))
            profile = {"driver": "GTiff", "width": 512, "height": 512, "count": 1}
            profile |= {"dtype": "float32", "crs": file.crs, "nodata": file.nodata}
            with memory.open(transform=file.transform, **profile) as out:
                out.write(values, 1)
            return memory.read()

    compare(
        "coverage of 512² beside rasterio",
        lambda: [window() for _ in range(10)],
        lambda: [bare_window() for _ in range(10)],
        at_most=2,
    )

    small = cog(folder, 300, "day").read_bytes()
    for day in range(365):
        (folder / f"day{day}.tif").write_bytes(small)
    days = tuple(stored(day, f"day{day}.tif") for day in range(365))
    daily = RasterStack(RasterGrid("EPSG:4326", 300, 300, 103.5, 22.9, 1.6 / 300, 1.6 / 300), days)

    def bare_series() -> list[float]:
        values = []
        for day in days:
            with rasterio.open(folder / day.file) as file:
                values.append(float(file.read(1, window=Window(150, 150, 1, 1))[0, 0]))
        return values

    compare(
        "position on 365 steps beside rasterio",
        lambda: read_series(daily, days, folder, [(104.3, 22.1)], "EPSG:4326", 250_000),
        bare_series,
        at_most=3,
    )


def compare_memory(folder: Path) -> None:
    """Growth of a process by requests on a raster of 10,000²."""
    cog(folder, 10_000, "large")
    alone = """
import sys
from pathlib import Path
from benchmarks import rasters as b
from datetime import UTC, datetime
from gis.rasters.geotiff import geotiff
from gis.rasters.queries import RasterQuery, read_cube
from gis.rasters.raster import RasterGrid, RasterQuantity, RasterStack, StoredRaster
from gis.settings import ROOT
from layers.definition.catalogue import read_catalogue
from tiles.grid import tile_at
from tiles.raster import draw
folder = Path(sys.argv[1])
layer = read_catalogue(ROOT / "layers").raster("elevation")
def ask(name, side, sizes):
    raster = StoredRaster(0, "elevation", None, name, "float32", float("nan"), {}, 0, "", False,
                          datetime.now(UTC), "")
    grid = RasterGrid("EPSG:4326", side, side, 103.5, 22.9, 1.6 / side, 1.6 / side)
    stack = RasterStack(grid, (raster,))
    for z in (6, 8, 10, 13):
        draw(layer, raster, folder, tile_at(104.3, 22.1, z), "png", shaded=False)
    for target in (None, "EPSG:9208"):
        query = RasterQuery(None, "EPSG:4326", target, None, (sizes, sizes))
        cube = read_cube(stack, stack.rasters, folder, RasterQuantity.MEASURE, query, 4_000_000)
        geotiff(cube, "m")
    return b.peak_mib()
small = ask("small.tif", 400, 200)
print(ask("large.tif", 10_000, 1_000) - small)
"""
    cog(folder, 400, "small")
    done = subprocess.run(
        [sys.executable, "-c", alone, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report("memory of requests on 10,000²", float(done.stdout.split()[-1]), 64, "MiB")


PARTS = {"zones": compare_zones, "serving": compare_serving, "memory": compare_memory}


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in sys.argv[1:] or list(PARTS):
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder))
    if _FAILED:
        sys.exit(f"worse than asked: {', '.join(_FAILED)}")


if __name__ == "__main__":
    main()
