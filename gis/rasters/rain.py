"""Rain over a window of hours: from gauges, interpolated; from a stack, summed.

Millimetres everywhere. NaN is not known, which is never taken for no rain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.errors import BadInput
from gis.rasters.raster import RasterStack, StoredRaster
from gis.values import TimeSpan

type Floats = NDArray[np.float64]

REACH_KM = 25.0  # beyond it a gauge in mountains says little: correlations of daily rain fall off
_NEIGHBOURS = 8
_POWER = 2
_EARTH_KM = 6371.0088  # mean radius (IUGG)
_NEAR_KM = 0.01


@dataclass(frozen=True)
class InterpolatedRain:
    """Rain at n places, and the distance to the nearest gauge, km; NaN beyond the reach."""

    rain_mm: Floats
    nearest_km: Floats


def interpolate_rain(
    gauges: ArrayLike, rain_mm: ArrayLike, places: ArrayLike, reach_km: float = REACH_KM
) -> InterpolatedRain:
    """Rain between gauges: the mean of the nearest eight within reach, by inverse squares of their
    distances (Shepard 1968, Proc. 23rd ACM National Conference, 517–524).

    `gauges` and `places` are longitudes and latitudes in degrees, shape (n, 2). A gauge without a
    value is none. Gauges are never extrapolated: a place beyond the reach of all has NaN.
    """
    from scipy.spatial import cKDTree

    values = np.asarray(rain_mm, np.float64)
    known = np.isfinite(values)
    if np.any(values[known] < 0):
        raise BadInput("a gauge has less than 0 mm: rain is 0 or more")
    asked = _on_sphere(places)
    count = min(_NEIGHBOURS, int(known.sum()))
    if not count:
        return InterpolatedRain(np.full(len(asked), np.nan), np.full(len(asked), np.inf))
    chords, numbers = cKDTree(_on_sphere(np.asarray(gauges)[known])).query(asked, k=count)
    chords, numbers = chords.reshape(len(asked), count), numbers.reshape(len(asked), count)
    away = 2 * _EARTH_KM * np.arcsin(np.minimum(chords / 2, 1))
    weights = np.where(away <= reach_km, 1 / np.maximum(away, _NEAR_KM) ** _POWER, 0)
    total = weights.sum(axis=1)
    rain = (weights * values[known][numbers]).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rain = np.where(total > 0, rain / total, np.nan)
    here = away[:, 0] <= _NEAR_KM
    return InterpolatedRain(np.where(here, values[known][numbers[:, 0]], rain), away[:, 0])


def leave_one_out(gauges: ArrayLike, rain_mm: ArrayLike, reach_km: float = REACH_KM) -> Floats:
    """Interpolated less measured rain at each gauge, from the others: how far it can be trusted."""
    places, values = np.asarray(gauges, np.float64), np.asarray(rain_mm, np.float64)
    errors = np.full(len(values), np.nan)
    for number in range(len(values)):
        rest = np.arange(len(values)) != number
        found = interpolate_rain(places[rest], values[rest], places[[number]], reach_km)
        errors[number] = found.rain_mm[0] - values[number]
    return errors


def steps_of_window(
    stack: RasterStack, end: datetime, hours: float
) -> Sequence[StoredRaster] | None:
    """The steps that make up the hours before an instant; None where one is missing, or the window
    does not begin and end with steps: half a day's rain is not half of its sum.
    """
    start = end - timedelta(hours=hours)
    last = end - timedelta(microseconds=1)
    steps = stack.within(TimeSpan(start, last))
    at = start
    for step in steps:
        if step.span is None or step.span.start != at or step.span.end is None:
            return None
        at = step.span.end
    return steps if steps and at == end else None


def rain_sum(steps: Sequence[StoredRaster], folder: Path) -> Floats:
    """The sum of steps on their grid, shape (rows, columns); NaN where one step has none."""
    from gis.rasters.reading import opened

    total: Floats | None = None
    for step in steps:
        with opened(step.path(folder)) as dataset:
            values = dataset.read(1, masked=True).astype(np.float64).filled(np.nan)
        total = values if total is None else total + values
    if total is None:
        raise BadInput("there is no step to sum")
    return total


def wet_days_before(daily_mm: ArrayLike, wet_day_mm: float) -> NDArray[np.float64]:
    """Days of rain in a row before the last day; `daily_mm` has shape (days, places), oldest first.

    NaN where a day in the row is not known.
    """
    days = np.asarray(daily_mm, np.float64)[:-1]
    count = np.zeros(days.shape[1:])
    going = np.ones(days.shape[1:], np.bool_)
    for day in days[::-1]:
        count = np.where(going & np.isnan(day), np.nan, count)
        going &= day >= wet_day_mm
        count = np.where(going, count + 1, count)
    return count


def exceedance(rain_mm: ArrayLike, thresholds_mm: Sequence[float]) -> NDArray[np.int64]:
    """How many of the rising thresholds are reached; -1 where rain is not known."""
    rain = np.asarray(rain_mm, np.float64)
    reached = np.searchsorted(np.asarray(thresholds_mm, np.float64), rain, side="right")
    return np.where(np.isnan(rain), -1, reached).astype(np.int64)


def _on_sphere(degrees: ArrayLike) -> Floats:
    lon, lat = np.radians(np.asarray(degrees, np.float64).reshape(-1, 2)).T
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
