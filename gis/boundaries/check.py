"""Report on polygons of communes before their repair: invalid rings, overlaps, gaps, areas."""

from dataclasses import dataclass

import geopandas as gpd
import shapely

from gis.boundaries.repair import Overlap, area_km2, make_valid, resolve_overlaps

AREA_TOLERANCE = 0.02  # of the official area; surveys differ by less
_MIN_GAP_KM2 = 1e-4


@dataclass(frozen=True, slots=True)
class InvalidRing:
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole between communes: its middle (degrees, WGS 84) and area."""

    lon: float
    lat: float
    area_km2: float


@dataclass(frozen=True, slots=True)
class AreaDifference:
    """A commune whose polygon, once repaired, is not as large as the official figure."""

    code: str
    area_km2: float
    official_km2: float

    @property
    def share(self) -> float:
        """(polygon − official) / official."""
        return self.area_km2 / self.official_km2 - 1


@dataclass(frozen=True, slots=True)
class BoundaryReport:
    communes: int
    total_km2: float  # of the union
    invalid: tuple[InvalidRing, ...]
    overlaps: tuple[Overlap, ...]
    gaps: tuple[Gap, ...]
    areas: tuple[AreaDifference, ...]


def check_boundaries(communes: gpd.GeoDataFrame) -> BoundaryReport:
    """Report the faults of polygons, certain and suspected.

    `communes` has columns code, area_km2 (official, NaN when unknown), geometry (EPSG:4326).
    Overlaps are those that a load resolves; gaps are holes in the union of all communes.
    """
    repaired, overlaps = resolve_overlaps(make_valid(communes))
    union = shapely.union_all(repaired.geometry.to_numpy())
    return BoundaryReport(
        communes=len(communes),
        total_km2=area_km2(union),
        invalid=_invalid(communes),
        overlaps=overlaps,
        gaps=_gaps(union),
        areas=_area_differences(repaired),
    )


def _invalid(communes: gpd.GeoDataFrame) -> tuple[InvalidRing, ...]:
    reasons = shapely.is_valid_reason(communes.geometry.to_numpy())
    pairs = zip(communes["code"], reasons, strict=True)
    return tuple(InvalidRing(code, reason) for code, reason in pairs if reason != "Valid Geometry")


def _gaps(union: shapely.Geometry) -> tuple[Gap, ...]:
    holes = [
        shapely.Polygon(ring)
        for part in shapely.get_parts(union)
        for ring in shapely.get_rings(part)[1:]
    ]
    sized = [(hole, area_km2(hole)) for hole in holes]
    return tuple(
        Gap(hole.centroid.x, hole.centroid.y, size)
        for hole, size in sorted(sized, key=lambda pair: -pair[1])
        if size >= _MIN_GAP_KM2
    )


def _area_differences(communes: gpd.GeoDataFrame) -> tuple[AreaDifference, ...]:
    sizes = [area_km2(shape) for shape in communes.geometry]
    differences = [
        AreaDifference(code, size, float(official))
        for code, size, official in zip(communes["code"], sizes, communes["area_km2"], strict=True)
        if official > 0
    ]
    beyond_tolerance = [
        difference for difference in differences if abs(difference.share) > AREA_TOLERANCE
    ]
    return tuple(sorted(beyond_tolerance, key=lambda difference: -abs(difference.share)))
