"""Shares of communes in lines and areas: how much of a shape lies in each, by intersection."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

Shapes = npt.NDArray[np.object_]

_COVERED = 1 - 1e-9
_TOUCHED = 1e-9  # a share below it is a common border, not a part


@dataclass(frozen=True, slots=True)
class UnitShares:
    """The communes (their indices) that hold a part of a shape, each with its share, 0–1.

    The shares of a shape across the border of the province add up to less than 1. `point` lies on
    the largest part.
    """

    shares: dict[int, float]
    point: shapely.Point

    @property
    def main(self) -> int:
        """The commune with the largest share; the first of equal ones."""
        return max(self.shares, key=lambda index: (self.shares[index], -index))


def unit_shares(shapes: Shapes, communes: Shapes) -> list[UnitShares | None]:
    """The shares of each shape (EPSG:4326); None where there is none, or it lies in no commune.

    `communes` do not overlap. Lengths and areas are compared within one shape, so that degrees
    will do.
    """
    found: list[UnitShares | None] = [None] * len(shapes)
    touched: dict[int, list[int]] = {}
    for row, index in shapely.STRtree(communes).query(shapes, predicate="intersects").T.tolist():
        touched.setdefault(row, []).append(index)
    for row, indices in touched.items():
        found[row] = _shares(shapes[row], sorted(indices), communes)
    return found


def _shares(shape: shapely.Geometry, indices: Sequence[int], communes: Shapes) -> UnitShares | None:
    measure = shapely.area if shapely.get_dimensions(shape) == 2 else shapely.length
    whole = float(measure(shape))
    if len(indices) == 1 and shapely.covers(communes[indices[0]], shape):
        return UnitShares({indices[0]: 1.0}, shapely.point_on_surface(shape))
    parts = {index: shapely.intersection(shape, communes[index]) for index in indices}
    shares = {index: float(measure(part)) / whole for index, part in parts.items()} if whole else {}
    shares = {
        index: 1.0 if share > _COVERED else share
        for index, share in shares.items()
        if share > _TOUCHED
    }
    if not shares:
        return None
    main = max(shares, key=lambda index: (shares[index], -index))
    return UnitShares(shares, shapely.point_on_surface(_solid(parts[main])))


def _solid(part: shapely.Geometry) -> shapely.Geometry:
    """The members of an intersection with its full dimension: it may touch in points too."""
    members = shapely.get_parts(part)
    dimensions = shapely.get_dimensions(members)
    return shapely.union_all(members[dimensions == dimensions.max()])
