"""The tile grid that web maps share: WebMercatorQuad, rows counted from the north."""

import math
from dataclasses import dataclass

from gis.errors import NotFound
from gis.values import BBox

HALF_WORLD_M = 20_037_508.342789244  # half the equator of the sphere of EPSG:3857
EARTH_RADIUS_M = 6_378_137.0
TILE_PX = 512  # as MapLibre draws them
EXTENT = 4096  # units of a tile's own coordinates
BUFFER = 64  # of these units: what sticks out is drawn whole at the edge
MAX_ZOOM = 22


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile by zoom, column and row. Raises NotFound where the grid has none."""

    z: int
    x: int
    y: int

    def __post_init__(self) -> None:
        if not (
            0 <= self.z <= MAX_ZOOM and 0 <= self.x < 1 << self.z and 0 <= self.y < 1 << self.z
        ):
            raise NotFound(
                f"there is no tile {self.z}/{self.x}/{self.y}: z is 0 to {MAX_ZOOM}, "
                "x and y are 0 to 2^z - 1"
            )

    @property
    def size_m(self) -> float:
        """Width of the tile in metres of EPSG:3857."""
        return 2 * HALF_WORLD_M / (1 << self.z)

    @property
    def west_m(self) -> float:
        return self.x * self.size_m - HALF_WORLD_M

    @property
    def north_m(self) -> float:
        return HALF_WORLD_M - self.y * self.size_m

    def bbox(self, margin: float = BUFFER / EXTENT) -> BBox:
        """The box in degrees, WGS 84, widened on all sides by `margin` of the tile's width."""
        extra = margin * self.size_m
        west, north = self.west_m - extra, self.north_m + extra
        east, south = self.west_m + self.size_m + extra, self.north_m - self.size_m - extra
        return BBox(_lon(west), _lat(south), _lon(east), _lat(north))


def pixel_m(z: int) -> float:
    """Metres of EPSG:3857 to a screen pixel at a zoom."""
    return 2 * HALF_WORLD_M / (TILE_PX << z)


def tile_at(lon: float, lat: float, z: int) -> Tile:
    """The tile of a point in degrees, WGS 84."""
    x = (lon + 180) / 360
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    last = (1 << z) - 1
    return Tile(z, *(min(max(math.floor(part * (1 << z)), 0), last) for part in (x, y)))


def _lon(x_m: float) -> float:
    return min(max(math.degrees(x_m / EARTH_RADIUS_M), -180.0), 180.0)


def _lat(y_m: float) -> float:
    """Inverse spherical Mercator (Snyder 1987, Map Projections, eq. 7-4)."""
    return min(max(math.degrees(math.atan(math.sinh(y_m / EARTH_RADIUS_M))), -90.0), 90.0)
