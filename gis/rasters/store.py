"""Store of rasters: rows of gis.raster, and the files that they name in the folder of rasters.

A file is written under a new name, then the row switches to it in one transaction; the file of
before stays for those who read it, and goes later. So a kill at any moment leaves at most a file
that no row names, which `delete_unused` finds.
"""

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Row, text

from gis.database.engine import Database
from gis.errors import BadInput, Conflict, NotFound
from gis.rasters.raster import RasterGrid, RasterStack, StoredRaster
from gis.values import TimeSpan

INCOMING = "incoming"
_UNUSED_S = 24 * 3600  # a file that no row names may be one that is being added
_READ_ON_S = 3600  # who reads a file that was replaced has so long


@dataclass(frozen=True, slots=True)
class NewRaster:
    """A raster whose file lies in the folder, and which no row names yet."""

    layer_id: str
    span: TimeSpan | None
    grid: RasterGrid
    file: str
    dtype: str
    nodata: float | None
    statistics: Mapping[str, Any]
    bytes: int
    source: str
    simulated: bool
    added_by: str


@contextmanager
def incoming_file(folder: Path) -> Iterator[Path]:
    """A path for a file that is being made; what is left there in the end is deleted."""
    path = folder / INCOMING / f"{secrets.token_hex(8)}.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def file_in_place(folder: Path, made: Path, layer_id: str) -> str:
    """Move a file that is whole to a new name of its layer; gives that name."""
    name = f"{layer_id}/{made.stem}.tif"
    (folder / layer_id).mkdir(exist_ok=True)
    with made.open("rb") as file:
        os.fsync(file.fileno())  # before a row names it
    made.rename(folder / name)
    return name


def switch_rasters(connection: Connection, rasters: Sequence[NewRaster]) -> int:
    """Put rasters of one layer in the place of those of the same times; gives how many there were.

    Raises Conflict for another grid than that of the steps that stay, and for steps that overlap;
    NotFound where the layer is not published.
    """
    layer_id = rasters[0].layer_id
    _lock(connection, layer_id)
    starts = [raster.span.start if raster.span else None for raster in rasters]
    if len(set(starts)) < len(starts):
        raise Conflict("two of the rasters are of one time: name the time of each, --time")
    replaced = connection.execute(_OUTDATE, {"id": layer_id, "starts": starts}).rowcount
    staying = connection.execute(_CURRENT, {"id": layer_id}).all()
    grids = [_grid_of(row) for row in staying] + [raster.grid for raster in rasters]
    for raster, grid in zip(rasters, grids[len(staying) :], strict=True):
        if not grid.is_like(grids[0]):
            raise Conflict(
                _OTHER_GRID.format(raster.source, layer_id, _words(grids[0]), _words(grid))
            )
    _require_apart(
        [(row.starts_at, row.ends_at, row.source) for row in staying]
        + [(r.span.start, r.span.end, r.source) for r in rasters if r.span]
    )
    values = [_values_of(raster) for raster in rasters]
    connection.execute(_INSERT, values)
    connection.execute(_RAISE, {"id": layer_id})
    return replaced


_OTHER_GRID = (
    "{0}: lưới điểm ảnh khác với các bước đang có của {1} / its pixels are not those of the steps "
    "of {1}: there {2}, here {3}; warp it with gdalwarp -te -tr, or remove the others first "
    "(`gis rasters remove`)"
)


def remove_rasters(connection: Connection, layer_id: str, starts: Sequence[Any] | None) -> int:
    """Take rasters out of a layer, all of them where `starts` is None; gives how many.

    Raises NotFound where there is none.
    """
    _lock(connection, layer_id)
    if starts is None:
        removed = connection.execute(_OUTDATE_ALL, {"id": layer_id}).rowcount
    else:
        removed = connection.execute(_OUTDATE, {"id": layer_id, "starts": starts}).rowcount
    if not removed:
        raise NotFound(f"the layer {layer_id} has no such raster: `gis rasters show {layer_id}`")
    connection.execute(_RAISE, {"id": layer_id})
    return removed


def stored_stack(connection: Connection, layer_id: str) -> RasterStack | None:
    """The rasters of a layer; None where it has none."""
    rows = connection.execute(_CURRENT, {"id": layer_id}).all()
    if not rows:
        return None
    return RasterStack(_grid_of(rows[0]), tuple(map(_raster_of, rows)))


def require_stack(connection: Connection, layer_id: str) -> RasterStack:
    """The rasters of a layer; raises NotFound where it has none."""
    stack = stored_stack(connection, layer_id)
    if stack is None:
        raise NotFound(f"the layer {layer_id} has no raster yet: `gis rasters add FILE {layer_id}`")
    return stack


def delete_unused(database: Database, folder: Path) -> int:
    """Delete rows replaced an hour ago with their files, and files that no row names for a day.

    Rows go first: a kill in between leaves a file without a row, which goes the next time.
    """
    if not folder.is_dir():
        return 0
    with database.writing() as connection:
        connection.execute(_FORGET, {"seconds": _READ_ON_S})
        named = set(connection.scalars(_FILES))
        now = connection.scalar(text("SELECT extract(epoch FROM now())::float8"))
    deleted = 0
    for path in folder.glob("*/*"):
        name = path.relative_to(folder).as_posix()
        if name not in named and _age_s(path, now) > _UNUSED_S:
            path.unlink(missing_ok=True)
            deleted += 1
    return deleted


def _age_s(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _lock(connection: Connection, layer_id: str) -> None:
    if connection.execute(_LOCK, {"id": layer_id}).one_or_none() is None:
        raise NotFound(f"the layer {layer_id} is not published: run `gis layers sync`")


def _require_apart(steps: list[tuple[Any, Any, str]]) -> None:
    """Raises Conflict for steps of time that overlap."""
    ordered = sorted((step for step in steps if step[0] is not None), key=lambda step: step[0])
    for before, after in pairwise(ordered):
        if after[0] < before[1]:
            raise Conflict(
                f"{after[2]} begins at {after[0]:%Y-%m-%dT%H:%MZ}, within the step of {before[2]} "
                f"until {before[1]:%Y-%m-%dT%H:%MZ}: name its time, --time, or remove that step"
            )


def _words(grid: RasterGrid) -> str:
    box = " ".join(f"{part:.10g}" for part in grid.bounds)
    crs = grid.crs if len(grid.crs) < 20 else "WKT"
    return f"{grid.width} × {grid.height} in {crs} at {box}"


def _values_of(raster: NewRaster) -> dict[str, Any]:
    return {
        **asdict(raster.grid),
        "layer_id": raster.layer_id,
        "starts_at": raster.span.start if raster.span else None,
        "ends_at": raster.span.end if raster.span else None,
        "statistics": orjson.dumps(dict(raster.statistics)).decode(),
        **{
            name: getattr(raster, name)
            for name in ("file", "dtype", "nodata", "bytes", "source", "simulated", "added_by")
        },
    }


def _grid_of(row: Row[Any]) -> RasterGrid:
    return RasterGrid(row.crs, row.width, row.height, row.west, row.north, row.pixel_x, row.pixel_y)


def _raster_of(row: Row[Any]) -> StoredRaster:
    return StoredRaster(
        id=row.id,
        layer_id=row.layer_id,
        span=TimeSpan(row.starts_at, row.ends_at) if row.starts_at else None,
        file=row.file,
        dtype=row.dtype,
        nodata=row.nodata,
        statistics=row.statistics,
        bytes=row.bytes,
        source=row.source,
        simulated=row.simulated,
        added_at=row.added_at,
        added_by=row.added_by,
    )


def require_span(span: TimeSpan | None, *, has_time: bool, source: str) -> None:
    """Raises BadInput where a raster has a time and the layer has not, or the reverse."""
    if has_time and span is None:
        raise BadInput(
            f"{source}: lớp có thời gian; hãy cho biết thời gian của tệp / the layer has a time: "
            "name that of the file, --time, or write a date such as 20240910 in its name"
        )
    if not has_time and span is not None:
        raise BadInput("the layer has no `time` in its file: leave --time out, or write it there")


_LOCK = text("SELECT id FROM gis.raster_layer WHERE id = :id AND published FOR UPDATE")
_CURRENT = text("""
SELECT * FROM gis.raster WHERE layer_id = :id AND outdated_at IS NULL ORDER BY starts_at
""")
_OUTDATE = text("""
UPDATE gis.raster SET outdated_at = now()
WHERE layer_id = :id AND outdated_at IS NULL AND EXISTS (
  SELECT FROM unnest(CAST(:starts AS timestamptz[])) AS given
  WHERE starts_at IS NOT DISTINCT FROM given)
""")
_OUTDATE_ALL = text("""
UPDATE gis.raster SET outdated_at = now() WHERE layer_id = :id AND outdated_at IS NULL
""")
_INSERT = text("""
INSERT INTO gis.raster (layer_id, starts_at, ends_at, file, crs, width, height, west, north,
  pixel_x, pixel_y, dtype, nodata, statistics, bytes, source, simulated, added_by)
VALUES (:layer_id, :starts_at, :ends_at, :file, :crs, :width, :height, :west, :north,
  :pixel_x, :pixel_y, :dtype, :nodata, CAST(:statistics AS jsonb), :bytes, :source, :simulated,
  :added_by)
""")
_RAISE = text("""
UPDATE gis.raster_layer SET version = version + 1, changed_at = now() WHERE id = :id
""")
_FORGET = text("""
DELETE FROM gis.raster WHERE outdated_at < now() - make_interval(secs => :seconds)
""")
_FILES = text("SELECT file FROM gis.raster")
