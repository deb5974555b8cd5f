"""The guard of layers of which nobody is to take the whole, such as base maps joined over a large
area: it stops bulk copies, not looking at a map.
"""

import shapely
from pyproj import Geod, Transformer

from gis.access import Principal, Role
from gis.errors import NotAllowed
from layers.definition.model import Layer
from layers.items.crs import CRS84
from layers.items.query import Box

_GEOD = Geod(ellps="WGS84")
_STEPS = 64  # points along an edge, which is bent in another CRS


def check_export_area(layer: Layer, box: Box | None, principal: Principal) -> None:
    """Raises NotAllowed where the rows in a box (None: all) are more than may be taken at once."""
    most = layer.largest_export_km2
    if most is None or principal.role is Role.ADMIN:
        return
    if box is None:
        raise NotAllowed(
            f"rows of {layer.id} are given out by area, at most {most:g} km² at once: add bbox="
        )
    area = sum(_km2(part) for part in box.parts())
    if not area <= most:  # nor where it cannot be told
        raise NotAllowed(
            f"the box covers {area:,.0f} km², and rows of {layer.id} are given out for at most "
            f"{most:g} km² at once: choose a smaller one"
        )


def _km2(box: Box) -> float:
    """Area of a box on the ellipsoid; NaN or infinite beyond the reach of its CRS."""
    longest = max(box.east - box.west, box.north - box.south)
    outline = shapely.box(box.west, box.south, box.east, box.north)
    x, y = shapely.get_coordinates(shapely.segmentize(outline, longest / _STEPS or 1.0)).T
    if box.crs.srid != CRS84.srid:
        x, y = Transformer.from_crs(box.crs.srid, CRS84.srid, always_xy=True).transform(x, y)
    return abs(_GEOD.polygon_area_perimeter(x, y)[0]) / 1e6
