"""All tiles of a layer in one PMTiles file (version 3), for maps without the service.

Format: https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md
"""

import gzip
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from pmtiles.reader import MmapSource, Reader
from pmtiles.tile import Compression, MagicNumberNotFound, TileType, zxy_to_tileid
from pmtiles.writer import Writer
from sqlalchemy import Connection, func, select, text

from gis.clock import HERE
from gis.database.engine import Database
from gis.errors import BadInput, NotFound, Unavailable
from gis.values import BBox
from layers.definition.model import GeometryKind, Layer
from layers.items import source_of
from layers.storage.tables import SCHEMA
from tiles.coverage import is_simplified, is_too_large, simplifying, stored_zoom
from tiles.grid import Tile
from tiles.mvt import layer_tile
from tiles.sources import TileRequest
from tiles.state import LayerState, read_state

MEDIA_TYPE = "application/vnd.pmtiles"
SUFFIX = ".pmtiles"
PART = ".part"  # of a file that is being written, after the number of its process
_AT_ONCE = 2000  # tiles of one statement
_ATTEMPTS = 5  # to find shapes and rows of one moment
_E7 = 10_000_000

type Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """The number of tiles written, the version of the layer, and the bytes of the file."""

    tiles: int
    version: int
    bytes: int


def export(
    database: Database, layer: Layer, path: Path, show: Progress, max_zoom: int | None = None
) -> ArchiveReport:
    """Write every tile of a layer that holds something, as of one moment, or nothing at all.

    The file appears whole, in place of one that was there. `show` gets tiles done and in all.
    Raises NotFound for a layer without tiles, BadInput for one without a row on the map, or a zoom
    that it does not have.
    """
    zooms_of(layer, max_zoom)
    with one_moment(database, [layer]) as connection:
        return export_at(connection, layer, path, show, max_zoom)


@contextmanager
def one_moment(database: Database, layers: Iterable[Layer]) -> Iterator[Connection]:
    """A snapshot from which to export layers, with the simplified shapes of their polygons.

    Raises Unavailable where these change faster than they are simplified.
    """
    simplified = [layer for layer in layers if stored_zoom(layer, zooms_of(layer)[0]) is not None]
    for _ in range(_ATTEMPTS):
        for layer in simplified:
            with simplifying(database, layer):
                pass
        with database.snapshot() as connection:
            if all(_is_ready(connection, layer) for layer in simplified):
                connection.execute(text("SET LOCAL statement_timeout = '10min'"))
                yield connection
                return
    names = ", ".join(layer.id for layer in simplified)
    raise Unavailable(f"{names}: polygons changed while they were simplified: try again")


def _is_ready(connection: Connection, layer: Layer) -> bool:
    state = read_state(connection, layer.id)
    return is_simplified(connection, layer, state) or is_too_large(connection, layer)


def export_at(
    connection: Connection, layer: Layer, path: Path, show: Progress, max_zoom: int | None = None
) -> ArchiveReport:
    """The same as `export`, of the moment of a connection."""
    zooms = zooms_of(layer, max_zoom)
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        with part.open("wb") as file:
            state = read_state(connection, layer.id)
            with _writer(file) as writer:
                tiles = _written(connection, layer, writer, zooms, state, show)
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return ArchiveReport(tiles, state.version, path.stat().st_size)


def is_outdated(path: Path, state: LayerState) -> bool:
    """True where an archive may hold a layer or a field that was closed since it was made."""
    return state.derived_from > 0 and version_of(path) < state.derived_from


def version_of(path: Path) -> int:
    """The version of the layer that an archive is of; 0 for a file that names none."""
    try:
        with path.open("rb") as file:
            return int(Reader(MmapSource(file)).metadata()["version"])  # type: ignore[no-untyped-call]
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        MagicNumberNotFound,
    ):
        return 0


def has_rows(connection: Connection, layer: Layer) -> bool:
    """True where any row of a layer has a place on the map."""
    return any(tiles_with_rows(connection, layer, range(1)))


@contextmanager
def _writer(file: BinaryIO) -> Iterator[Any]:
    """The format's writer; of its own it leaves its temporary file open when it is given up."""
    writer: Any = Writer(file)  # type: ignore[no-untyped-call]
    with writer.tile_f:
        yield writer


def zooms_of(layer: Layer, max_zoom: int | None = None) -> range:
    """The zooms of a layer's tiles, up to `max_zoom`. Raises NotFound, BadInput as `export`."""
    if layer.tiles is None or layer.geometry is GeometryKind.NONE:
        raise NotFound(f"the layer {layer.id} has no tiles")
    least, most = layer.tiles.min_zoom, layer.tiles.max_zoom
    if max_zoom is not None and not least <= max_zoom <= most:
        raise BadInput(
            f"{layer.id} has no tiles at zoom {max_zoom}: give one from {least} to {most}"
        )
    return range(least, (most if max_zoom is None else max_zoom) + 1)


def tiles_with_rows(connection: Connection, layer: Layer, zooms: range) -> Iterator[Tile]:
    """The tiles of some zooms that a row of the layer meets, coarse ones first."""
    tiles = [Tile(0, 0, 0)]
    for z in range(zooms[-1] + 1):
        near = tiles if z == 0 else [child for tile in tiles for child in _children(tile)]
        tiles = [
            near[start + number]
            for start in range(0, len(near), _AT_ONCE)
            for number in _met(connection, layer, near[start : start + _AT_ONCE])
        ]
        if z in zooms:
            yield from tiles


def _children(tile: Tile) -> Iterator[Tile]:
    for down in (0, 1):
        for right in (0, 1):
            yield Tile(tile.z + 1, 2 * tile.x + right, 2 * tile.y + down)


def _met(connection: Connection, layer: Layer, tiles: Sequence[Tile]) -> list[int]:
    """Positions in `tiles` of those that a row of the layer meets."""
    edges = zip(*(tile.bbox().as_list() for tile in tiles), strict=True)
    names = ("west", "south", "east", "north")
    boxes = {name: list(edge) for name, edge in zip(names, edges, strict=True)}
    table = f'{SCHEMA}."{layer.id}"'
    return list(connection.scalars(text(_MET.format(table=table)), boxes)) if tiles else []


_MET = """
SELECT number - 1 FROM unnest(CAST(:west AS float[]), CAST(:south AS float[]),
  CAST(:east AS float[]), CAST(:north AS float[])) WITH ORDINALITY AS tile (w, s, e, n, number)
WHERE EXISTS (SELECT FROM {table} WHERE geom && ST_MakeEnvelope(w, s, e, n, 4326))
ORDER BY number"""


def _written(
    connection: Connection,
    layer: Layer,
    writer: Any,
    zooms: range,
    state: LayerState,
    show: Progress,
) -> int:
    """Write the tiles in the order of the format; the number of those that hold something."""
    tiles = list(tiles_with_rows(connection, layer, zooms))
    tiles.sort(key=_number)
    simplified, written = is_simplified(connection, layer, state), 0
    for done, tile in enumerate(tiles):
        show(done, len(tiles))
        zoom = stored_zoom(layer, tile.z) if simplified else None
        content = layer_tile(connection, layer, TileRequest(tile), zoom)
        if content:
            writer.write_tile(_number(tile), gzip.compress(content, 6, mtime=0))
            written += 1
    if not written:
        raise BadInput(f"{layer.id} has no row on the map: there is nothing to export")
    made_at: datetime = connection.execute(select(func.now())).scalar_one()
    about = metadata(layer, state, made_at)
    writer.finalize(_header(_extent(connection, layer)), about | _layers_in(layer, zooms))
    return written


def _number(tile: Tile) -> int:
    return int(zxy_to_tileid(tile.z, tile.x, tile.y))


def _extent(connection: Connection, layer: Layer) -> BBox:
    source = source_of(layer)
    box = select(func.ST_Extent(source.geometry).label("box")).select_from(source.table).subquery()
    edges = (func.ST_XMin, func.ST_YMin, func.ST_XMax, func.ST_YMax)
    row = connection.execute(select(*(edge(box.c.box) for edge in edges))).one()
    return BBox(*row)


def _header(box: BBox) -> dict[str, Any]:
    edges = zip(("min_lon", "min_lat", "max_lon", "max_lat"), box.as_list(), strict=True)
    return {
        "tile_type": TileType.MVT,
        "tile_compression": Compression.GZIP,
        **{f"{name}_e7": round(degrees * _E7) for name, degrees in edges},
        "center_zoom": 0,
        "center_lon_e7": round((box.west + box.east) / 2 * _E7),
        "center_lat_e7": round((box.south + box.north) / 2 * _E7),
    }


def metadata(layer: Layer, state: LayerState, made_at: datetime) -> dict[str, Any]:
    """Metadata of an archive, from which its holder learns how old it is, and how secret the layer
    was.
    """
    return {
        "name": layer.title.vi,
        "description": layer.description.vi,
        "attribution": layer.attribution or layer.department.vi,
        "licence": layer.licence,
        "classification": layer.classification,
        "access": layer.access.read.value,
        "version": str(state.version),
        "changed_at": datetime.fromisoformat(state.changed_at).astimezone(HERE).isoformat(),
        "made_at": made_at.astimezone(HERE).isoformat(),
    }


def _layers_in(layer: Layer, zooms: range) -> dict[str, Any]:
    fields = {name: field.type.value for name, field in layer.public_fields.items()}
    described = {
        "id": layer.id,
        "description": layer.description.vi,
        "fields": fields,
        "minzoom": zooms[0],
        "maxzoom": zooms[-1],
    }
    return {"vector_layers": [described]}
