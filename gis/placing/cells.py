"""Table of small cells that assigns points to communes.

The cells are those of a plain grid of degrees: the index of a point is two subtractions, where an
H3 index takes half a microsecond. A cell without a border in it has one owner; points in a cell on
a border are tested against the polygons. A point on a common border belongs to the commune with
the least code.
"""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import h3ronpy.vector
import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Geod
from sqlalchemy import Connection, text

from gis.placing.shares import UnitShares, unit_shares

if TYPE_CHECKING:
    import geopandas as gpd
    from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.int32]

STEP_DEGREES = 0.0005  # about 50 m
OUTSIDE, BORDER = -1, -2
RESOLUTION = 11
_BORDER_STEP_DEGREES = 0.005
_GAP_DEGREES = 0.0005  # so wide a gap may lie between neighbours
_GEOD = Geod(ellps="WGS84")


def h3_cells(lon: Floats, lat: Floats, resolution: int = RESOLUTION) -> npt.NDArray[np.uint64]:
    """The H3 cell of each point; degrees, WGS 84."""
    cells = h3ronpy.vector.coordinates_to_cells(
        np.ascontiguousarray(lat), np.ascontiguousarray(lon), resolution
    )
    return np.asarray(cells, np.uint64)


@dataclass(frozen=True)
class Nearest:
    """The nearest commune of n points: its index, distance and direction.

    `distance_m` is to its border, exact to 300 m; `bearing` is that of the point from there, in
    degrees from north by east.
    """

    index: Indexes
    distance_m: Floats
    bearing: Floats


@dataclass(frozen=True)
class CellTable:
    """Communes by cell of a grid of degrees (WGS 84) from `west`, `south`.

    `owner` (rows from the south, columns from the west) holds the index of a commune in `codes`,
    OUTSIDE, or BORDER. `shapes` are the polygons (EPSG:4326), in the order of `codes`.
    """

    codes: tuple[str, ...]
    west: float
    south: float
    owner: npt.NDArray[np.int16]
    shapes: npt.NDArray[np.object_] = field(repr=False)

    def __post_init__(self) -> None:
        shapely.prepare(self.shapes)  # once, not in the threads that share the table

    @classmethod
    def build(cls, communes: "gpd.GeoDataFrame") -> "CellTable":
        """The table of communes with columns code and geometry (EPSG:4326, no overlaps)."""
        ordered = communes.sort_values("code")
        shapes = ordered.geometry.to_numpy()
        west, south, east, north = shapely.total_bounds(shapes)
        west, south = west - 2 * STEP_DEGREES, south - 2 * STEP_DEGREES
        columns = int(np.ceil((east - west) / STEP_DEGREES)) + 2
        rows = int(np.ceil((north - south) / STEP_DEGREES)) + 2
        owner = _owners(shapes, west, south, rows, columns)
        return cls(tuple(ordered["code"]), float(west), float(south), owner, shapes)

    def assign(self, lon: Floats, lat: Floats) -> Indexes:
        """The index in `codes` of each point's commune; OUTSIDE where there is none, or for NaN."""
        owner = self._lookup(lon, lat)
        unclear = np.flatnonzero(owner == BORDER)
        owner[unclear] = self._exactly(lon[unclear], lat[unclear])
        return owner

    def _lookup(self, lon: Floats, lat: Floats) -> Indexes:
        rows, columns = self.owner.shape
        with np.errstate(invalid="ignore"):
            column = (lon - self.west) * (1 / STEP_DEGREES)
            row = (lat - self.south) * (1 / STEP_DEGREES)
            inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        owner = np.full(len(lon), OUTSIDE, np.int32)
        at = row[inside].astype(np.int32) * columns + column[inside].astype(np.int32)
        owner[inside] = self.owner.ravel()[at]
        return owner

    def _exactly(self, lon: Floats, lat: Floats) -> Indexes:
        """Owners by the polygons themselves; the first that covers a point has it."""
        west, south, east, north = shapely.bounds(self.shapes).T
        owner = np.full(len(lon), OUTSIDE, np.int32)
        for index in range(len(self.codes) - 1, -1, -1):
            in_box = (west[index] <= lon) & (lon <= east[index])
            in_box &= (south[index] <= lat) & (lat <= north[index])
            candidates = np.flatnonzero(in_box)
            covered = shapely.intersects_xy(self.shapes[index], lon[candidates], lat[candidates])
            owner[candidates[covered]] = index
        return owner

    def nearest(self, lon: Floats, lat: Floats) -> Nearest:
        """The commune nearest to each point; degrees, WGS 84."""
        border, owner, tree = self._borders
        # Degrees of longitude are shorter here than those of latitude.
        _, nearest = tree.query(np.column_stack([lon * self._narrowing, lat]))
        bearing, _, distance_m = _GEOD.inv(border[nearest, 0], border[nearest, 1], lon, lat)
        return Nearest(owner[nearest], np.asarray(distance_m), np.asarray(bearing))

    def shares(self, shapes: npt.NDArray[np.object_]) -> list[UnitShares | None]:
        """The communes of lines and areas (EPSG:4326), by their index in `codes`."""
        return unit_shares(shapes, self.shapes)

    def neighbours(self, index: int) -> list[str]:
        """Codes of the communes around one, by its index: within about 50 m of it, in order."""
        near = self._tree.query(self.shapes[index], predicate="dwithin", distance=_GAP_DEGREES)
        return [self.codes[i] for i in sorted(near.tolist()) if i != index]

    def offset_m(self, codes: Iterable[str], place: shapely.Geometry) -> tuple[float, float]:
        """How far east and north, in metres, a place (EPSG:4326) lies of the nearest of these.

        (0, 0) inside one of them, and where none has a polygon here: nothing is known against it.
        """
        index = {code: i for i, code in enumerate(self.codes)}
        shapes = self.shapes[[index[code] for code in codes if code in index]]
        if len(shapes) == 0:
            return 0.0, 0.0
        # Degrees are not square, but which border is the nearest depends little on it.
        ends = shapely.get_coordinates(shapely.shortest_line(shapes, place))
        starts, points = ends[::2], ends[1::2]
        azimuth, _, metres = _GEOD.inv(starts[:, 0], starts[:, 1], points[:, 0], points[:, 1])
        nearest = int(np.argmin(metres))
        bearing = np.radians(azimuth[nearest])
        return float(metres[nearest] * np.sin(bearing)), float(metres[nearest] * np.cos(bearing))

    @property
    def _narrowing(self) -> float:
        return float(np.cos(np.radians(self.south)))

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.shapes)

    @cached_property
    def _borders(self) -> "tuple[Floats, Indexes, cKDTree]":
        """Points on the borders at most `_BORDER_STEP_DEGREES` apart, their communes, an index."""
        from scipy.spatial import cKDTree

        dense = shapely.segmentize(self.shapes, _BORDER_STEP_DEGREES)
        border, owner = shapely.get_coordinates(dense, return_index=True)
        tree = cKDTree(border * [self._narrowing, 1])
        return border, owner.astype(np.int32), tree

    def to_bytes(self) -> bytes:
        """The table without the polygons, which the database has."""
        stream = io.BytesIO()
        np.savez_compressed(
            stream,
            codes=np.array(self.codes),
            origin=np.array([self.west, self.south]),
            owner=self.owner,
        )
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, communes: "gpd.GeoDataFrame") -> "CellTable":
        """The table of `to_bytes`, with the communes that it was made from."""
        stored = np.load(io.BytesIO(content), allow_pickle=False)
        west, south = stored["origin"]
        shapes = communes.sort_values("code").geometry.to_numpy()
        return cls(
            tuple(stored["codes"].tolist()), float(west), float(south), stored["owner"], shapes
        )


def cached_cell_table(connection: Connection, communes: "gpd.GeoDataFrame") -> CellTable:
    """The table of these communes, cached in the database by their digest.

    In a read-only transaction it is built and not stored.
    """
    digest = digest_of(communes)
    content = connection.scalar(
        text("SELECT content FROM gis.cell_table WHERE digest = :digest"), {"digest": digest}
    )
    if content is not None:
        return CellTable.from_bytes(content, communes)
    table = CellTable.build(communes)
    if connection.scalar(text("SHOW transaction_read_only")) == "off":
        connection.execute(
            text(
                "INSERT INTO gis.cell_table (digest, content) VALUES (:digest, :content)"
                " ON CONFLICT DO NOTHING"
            ),
            {"digest": digest, "content": table.to_bytes()},
        )
    return table


def digest_of(communes: "gpd.GeoDataFrame") -> str:
    """SHA-256 over codes, polygons and step: the key of the table."""
    digest = hashlib.sha256(f"{STEP_DEGREES}".encode())
    ordered = communes.sort_values("code")
    for code, wkb in zip(ordered["code"], shapely.to_wkb(ordered.geometry.to_numpy()), strict=True):
        digest.update(code.encode() + wkb)
    return digest.hexdigest()


def _owners(
    shapes: npt.NDArray[np.object_], west: float, south: float, rows: int, columns: int
) -> npt.NDArray[np.int16]:
    import rasterio.features
    import rasterio.transform
    from scipy.ndimage import maximum_filter

    transform = rasterio.transform.Affine(STEP_DEGREES, 0, west, 0, STEP_DEGREES, south)
    size = {"out_shape": (rows, columns), "transform": transform, "dtype": np.int16}
    numbered = [(shape, index) for index, shape in enumerate(shapes)]
    owner = rasterio.features.rasterize(numbered, fill=OUTSIDE, **size)
    borders = [(line, 1) for line in shapely.boundary(shapes)]
    touched = rasterio.features.rasterize(borders, fill=0, all_touched=True, **size)
    # One cell more on each side: a line that only grazes a corner may not be drawn in it.
    owner[maximum_filter(touched, size=3) == 1] = BORDER
    return np.asarray(owner, np.int16)
