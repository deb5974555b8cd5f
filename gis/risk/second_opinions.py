"""Published rules of others, uncalibrated for Lào Cai: they stand beside the law's level, and raise
nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

type Floats = NDArray[np.float64]

UNCALIBRATED = "chưa hiệu chỉnh cho Lào Cai / not calibrated for Lào Cai"

# LHASA 1.1.1 (Kirschbaum & Stanley 2018, Earth's Future 6:505–523): seven days, the newest first.
ARI_DAYS = 7
_ARI_WEIGHTS = 1 / np.arange(1, ARI_DAYS + 1, dtype=np.float64) ** 2
_MODERATE_ABOVE, _HIGH_ABOVE = 2, 4  # susceptibility of five classes
ARI_PERCENTILE = 95
_LEAST_DAYS = 365  # of which a percentile is told


def antecedent_rain_index(daily_mm: ArrayLike) -> Floats:
    """ARI of the last of n ≥ 7 days, shape (days, places), oldest first: a weighted mean, mm."""
    newest_first = np.asarray(daily_mm, np.float64)[::-1][: len(_ARI_WEIGHTS)]
    if len(newest_first) < len(_ARI_WEIGHTS):
        return np.full(newest_first.shape[1:], np.nan)
    return np.tensordot(_ARI_WEIGHTS, newest_first, 1) / _ARI_WEIGHTS.sum()


def usual_index(daily_mm: ArrayLike) -> Floats:
    """The 95th percentile of ARI at each place; NaN from less than a year of days."""
    days = np.asarray(daily_mm, np.float64)
    if len(days) < _LEAST_DAYS:
        return np.full(days.shape[1:], np.nan)
    series = [antecedent_rain_index(days[: end + 1]) for end in range(ARI_DAYS - 1, len(days))]
    return np.asarray(np.percentile(series, ARI_PERCENTILE, axis=0), np.float64)


def lhasa(
    index: ArrayLike, usual: ArrayLike, susceptibility_of_five: ArrayLike
) -> NDArray[np.int64]:
    """NASA's nowcast: 0 low, 1 moderate, 2 high; -1 where an input is not known."""
    now, percentile, place = np.broadcast_arrays(
        *(np.asarray(part, np.float64) for part in (index, usual, susceptibility_of_five))
    )
    wet = now > percentile
    level = np.where(
        wet & (place > _HIGH_ABOVE), 2, np.where(wet & (place > _MODERATE_ABOVE), 1, 0)
    )
    unknown = np.isnan(now) | np.isnan(percentile) | np.isnan(place)
    return np.where(unknown, -1, level).astype(np.int64)


@dataclass(frozen=True, slots=True)
class LocalThreshold:
    """Daily rain above `intercept` − `slope` · rain of so many days before it, mm."""

    key: str
    place: str
    intercept_mm: float
    slope: float
    days: int

    def is_reached(self, daily_mm: ArrayLike) -> NDArray[np.int64]:
        """1 reached, 0 not, -1 not known; of days of shape (days, places), oldest first."""
        days = np.asarray(daily_mm, np.float64)
        if len(days) < self.days + 1:
            return np.full(days.shape[1:], -1, np.int64)
        before = days[-1 - self.days : -1].sum(axis=0)
        reached = days[-1] > self.intercept_mm - self.slope * before
        unknown = np.isnan(days[-1]) | np.isnan(before)
        return np.where(unknown, -1, reached.astype(np.int64))


LOCAL_THRESHOLDS = (
    LocalThreshold("ha_giang", "Hà Giang", 40.8, 0.201, 3),
    LocalThreshold("mai_chau", "Mai Châu", 128.41, 0.076, 10),
)
