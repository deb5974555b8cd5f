"""The circles of scan statistics: for each centre, the places around it from near to far."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from gis.analysis.inputs import above, floats

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Circles:
    """Around centre i: `near[start[i]:start[i + 1]]`, ordered by `distance`.

    `closes` is true where a circle may end: only after all places at an equal distance are in.
    """

    start: Places
    near: Places
    distance: Floats
    closes: npt.NDArray[np.bool_]


def circles_around(xy: npt.ArrayLike, radius: float, *, whole_rings: bool = True) -> Circles:
    """Circles of up to `radius` around each place; `xy` of shape (n, 2), in the unit of `radius`.

    Plane coordinates (metres of a projected CRS, say). Distances that differ by less than a
    billionth of the radius are equal, and enter together unless `whole_rings` is off. Raises
    BadInput for a radius that is not above 0.
    """
    above("max_radius", radius, 0)
    xy = floats("xy", xy, (None, 2))
    extent = float(np.hypot(*np.ptp(xy, axis=0))) if len(xy) else 0.0
    reach = min(radius, 2 * extent + 1.0)
    pairs = cKDTree(xy).query_pairs(reach * (1 + 1e-12), output_type="ndarray").astype(np.int64)
    itself = np.arange(len(xy))
    centre = np.concatenate([itself, pairs[:, 0], pairs[:, 1]])
    near = np.concatenate([itself, pairs[:, 1], pairs[:, 0]])
    distance = np.hypot(*(xy[centre] - xy[near]).T)
    steps = np.rint(distance / (reach * 1e-9))
    order = np.lexsort((near, steps, centre))
    centre, near, distance, steps = centre[order], near[order], distance[order], steps[order]
    start = np.searchsorted(centre, np.arange(len(xy) + 1))
    closes = np.append((np.diff(steps) != 0) | (not whole_rings) | (np.diff(centre) != 0), True)
    return Circles(start, near, distance, closes[: len(near)])
