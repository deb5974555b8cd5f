"""The outline of hexes as text that PostGIS reads: WKT, longitude before latitude, WGS 84."""

from collections.abc import Sequence

import h3


def outline_of(cells: Sequence[int]) -> str:
    """The MULTIPOLYGON of H3 cells of one resolution, holes kept."""
    shape = h3.cells_to_h3shape([h3.int_to_str(cell) for cell in cells])
    polygons = getattr(shape, "polys", [shape])
    return f"MULTIPOLYGON({', '.join(_rings(polygon) for polygon in polygons)})"


def _rings(polygon: h3.LatLngPoly) -> str:
    rings = [polygon.outer, *polygon.holes]
    return f"({', '.join(_ring(ring) for ring in rings)})"


def _ring(points: Sequence[tuple[float, float]]) -> str:
    closed = [*points, points[0]] if points[0] != points[-1] else points
    return f"({', '.join(f'{lon:.7f} {lat:.7f}' for lat, lon in closed)})"
