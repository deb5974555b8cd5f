"""Risk of a day by hex: rain of 24 hours, days of rain before, susceptibility → levels."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gis.hexes import Cells
from gis.rasters.rain import steps_of_window, wet_days_before
from gis.rasters.raster import RasterStack
from gis.rasters.zones import MEAN_DIGITS, hex_statistics
from gis.risk.law import RiskTable
from gis.risk.second_opinions import (
    ARI_DAYS,
    LOCAL_THRESHOLDS,
    antecedent_rain_index,
    lhasa,
    usual_index,
)

type Floats = NDArray[np.float64]

DAYS = 11  # the last, and the ten before it that a local threshold asks for
_MOST_DAYS_OF_LHASA = 3 * 366
_HOURS = 24


@dataclass(frozen=True)
class RiskDay:
    """The levels of n hexes at the end of a day; NaN, -1: not known."""

    cells: Cells
    rain_mm: Floats
    days_before: Floats
    susceptibility: Floats
    level: NDArray[np.int64]
    opinions: dict[str, NDArray[np.int64]]  # by place of a threshold: 1 reached, 0 not, -1 unknown


@dataclass
class RiskAssessor:
    """Assesses days by rasters of one moment; rain by hex is kept from day to day."""

    rain: RasterStack
    susceptibility: RasterStack | None
    folder: Path
    cells: Cells
    table: RiskTable

    def __post_init__(self) -> None:
        self._daily: dict[datetime, Floats] = {}
        stack = self.susceptibility
        self._place = (
            np.full(len(self.cells), np.nan)
            if stack is None
            else hex_statistics(stack.newest.path(self.folder), self.cells, ["majority"])[
                "majority"
            ]
        )

    def assess(self, end: datetime) -> RiskDay:
        """The levels by the 24 hours before an instant, and the days before them."""
        daily = np.stack(
            [self._rain_of(end - timedelta(hours=_HOURS * back)) for back in range(DAYS)][::-1]
        )
        before = wet_days_before(daily, self.table.wet_day_mm)
        return RiskDay(
            self.cells,
            daily[-1],
            before,
            self._place,
            self.table.levels(daily[-1], before, self._place),
            {each.place: each.is_reached(daily) for each in LOCAL_THRESHOLDS},
        )

    def lhasa(self, end: datetime, susceptibility_of_five: RasterStack) -> NDArray[np.int64]:
        """NASA's nowcast at the end of a day: 0 low, 1 moderate, 2 high, -1 unknown.

        What is usual is told of the days that the stack has before, of which it takes a year.
        """
        interval = self.rain.interval
        assert interval is not None and interval.start is not None
        days = min((end - interval.start) // timedelta(hours=_HOURS), _MOST_DAYS_OF_LHASA)
        daily = np.stack(
            [self._rain_of(end - timedelta(hours=_HOURS * back)) for back in range(max(days, 1))]
        )[::-1]
        path = susceptibility_of_five.newest.path(self.folder)
        place = hex_statistics(path, self.cells, ["majority"])["majority"]
        return lhasa(antecedent_rain_index(daily[-ARI_DAYS:]), usual_index(daily), place)

    def _rain_of(self, end: datetime) -> Floats:
        """Mean rain of each hex in the 24 hours before an instant; NaN where a step is missing."""
        if end not in self._daily:
            steps = steps_of_window(self.rain, end, _HOURS)
            parts = [
                hex_statistics(step.path(self.folder), self.cells, ["mean"])["mean"]
                for step in steps or ()
            ]
            rain = np.sum(parts, axis=0) if parts else np.full(len(self.cells), np.nan)
            self._daily[end] = np.round(rain, MEAN_DIGITS)
        return self._daily[end]
