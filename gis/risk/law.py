"""Levels of risk as the law has them: a table of an article, as data that can be edited."""

import tomllib
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.errors import BadInput

DECISION_18_2021 = Path(__file__).parent / "decision_18_2021.toml"


class RiskLevel(IntEnum):
    """Levels of Decision 18/2021/QĐ-TTg, Article 4, with what lies beneath and beside them."""

    UNKNOWN = -1  # the table has no row for it, or an input is missing: no alert
    NONE = 0  # less rain than the lowest row asks for
    ONE = 1
    TWO = 2
    THREE = 3
    FOUR = 4
    FIVE = 5


# The colours of Decision 18/2021: light blue, light yellow, orange, red, violet.
COLOURS = {1: "#8ecae6", 2: "#fff3a3", 3: "#f8961e", 4: "#d00000", 5: "#7b2cbf"}


@dataclass(frozen=True, slots=True)
class RiskRow:
    """One row of the table: above `rain_mm[0]` (from it on in the lowest) up to `rain_mm[1]`."""

    level: int
    article: str
    rain_mm: tuple[float, float]
    days: tuple[int, int]
    susceptibility: tuple[int, ...]


@dataclass(frozen=True)
class RiskTable:
    """The rows of an article for a region; below `least_mm` of rain there is no level."""

    decision: str
    article: int
    region: int
    least_mm: float
    wet_day_mm: float
    rows: tuple[RiskRow, ...]

    def levels(
        self, rain_24h_mm: ArrayLike, days_before: ArrayLike, susceptibility: ArrayLike
    ) -> NDArray[np.int64]:
        """A level for each place; UNKNOWN where no row has it or an input is NaN.

        Too little rain needs neither the days before nor the susceptibility to be known.
        """
        rain, days, place = np.broadcast_arrays(
            np.asarray(rain_24h_mm, np.float64),
            np.asarray(days_before, np.float64),
            np.asarray(susceptibility, np.float64),
        )
        level = np.full(rain.shape, int(RiskLevel.UNKNOWN), np.int64)
        level[rain < self.least_mm] = RiskLevel.NONE
        for row in self.rows:
            low, high = row.rain_mm
            above = rain >= low if low == self.least_mm else rain > low
            held = above & (rain <= high) & (days >= row.days[0]) & (days <= row.days[1])
            level[held & np.isin(place, row.susceptibility)] = row.level
        return level


def read_risk_table(path: Path = DECISION_18_2021) -> RiskTable:
    """The table of a TOML file; raises BadInput naming the row that is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = tuple(_row(number, row) for number, row in enumerate(data["levels"], 1))
        table = RiskTable(
            str(data["decision"]),
            int(data["article"]),
            int(data["region"]),
            float(data["least_mm"]),
            float(data["wet_day_mm"]),
            rows,
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path.name} is no table of risk levels: {error}") from None
    _require_one_answer(path, table)
    return table


def _row(number: int, data: dict[str, list[float]]) -> RiskRow:
    low, high = map(float, data["rain_mm"])
    first, last = map(int, data["days"])
    level = int(data["level"])  # type: ignore[call-overload]
    places = tuple(map(int, data["susceptibility"]))
    if not (0 < low < high and 0 <= first <= last and 1 <= level <= 5):
        raise ValueError(f"row {number}: rain_mm and days rise, and level is 1 to 5")
    if not set(places) <= {1, 2, 3, 4}:
        raise ValueError(f"row {number}: susceptibility is 1 (low) to 4 (very high)")
    return RiskRow(level, str(data["article"]), (low, high), (first, last), places)


def _require_one_answer(path: Path, table: RiskTable) -> None:
    """Raises BadInput for two rows that hold the same case with different levels."""
    for number, one in enumerate(table.rows):
        for other in table.rows[number + 1 :]:
            apart = (
                one.rain_mm[1] <= other.rain_mm[0] or other.rain_mm[1] <= one.rain_mm[0]
                or one.days[1] < other.days[0] or other.days[1] < one.days[0]
                or not set(one.susceptibility) & set(other.susceptibility)
            )  # fmt: skip
            if not apart and one.level != other.level:
                raise BadInput(
                    f"{path.name}: two rows of levels {one.level} and {other.level} hold the same "
                    "case: part their rain_mm, days or susceptibility"
                )
