"""Made-up records that a backtest adds to the past: what would the alarms have seen?"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import h3
import numpy as np
import pandas as pd

from gis.analysis.repeats import EARTH_RADIUS_M
from gis.errors import BadInput
from gis.placing.cells import h3_cells
from gis.placing.reference import Territory

_SEED = 11
_FORM = re.compile(
    r"(?P<count>\d+)@(?P<lon>-?[\d.]+),(?P<lat>-?[\d.]+)"
    r"(:(?P<radius>[\d.]+)km)?(:(?P<days>[\d.]+)d)?(:(?P<category>[^:]+))?"
)
_MOST = 10_000
_CELL_RESOLUTION = 9  # of "one a hex, category and day"


@dataclass(frozen=True, slots=True)
class Injection:
    """So many records around a point (longitude, latitude; WGS 84), evenly over the last days, each
    by a person of its own.
    """

    count: int
    lon: float
    lat: float
    radius_m: float = 1000.0
    days: float = 1.0
    category: str = ""

    @classmethod
    def parse(cls, words: str) -> Self:
        """Raises BadInput for what is not as `12@104.15,22.05:1.5km:3d:disaster`."""
        found = _FORM.fullmatch(words)
        try:
            assert found is not None
            made = cls(
                int(found["count"]),
                float(found["lon"]),
                float(found["lat"]),
                1000 * float(found["radius"] or 1),
                float(found["days"] or 1),
                found["category"] or "",
            )
        except (AssertionError, ValueError) as error:
            raise BadInput(
                f"{words!r} is no injection: write count@lon,lat:radius:days:category, such as "
                "12@104.15,22.05:1.5km:3d:disaster"
            ) from error
        if not (1 <= made.count <= _MOST and abs(made.lon) <= 180 and abs(made.lat) <= 90):
            raise BadInput(
                f"{words!r}: from 1 to {_MOST} records, at degrees of longitude,latitude"
            )
        return made

    def times(self, until: datetime) -> list[datetime]:
        """Evenly over the days before `until`, the last just before it."""
        step = timedelta(days=self.days) / self.count
        return [until - step * (n + 0.5) for n in reversed(range(self.count))]

    def records(self, territory: Territory, until: datetime) -> pd.DataFrame:
        """The records as they would have been read, before the quality filter; their ids are below
        zero, in the order of time. Raises BadInput where a point lies outside.
        """
        random = np.random.default_rng(_SEED)
        turn = random.uniform(0, 2 * np.pi, self.count)
        away = self.radius_m * np.sqrt(random.random(self.count))
        north = np.degrees(away * np.sin(turn) / EARTH_RADIUS_M)
        east = np.degrees(away * np.cos(turn) / EARTH_RADIUS_M) / np.cos(np.radians(self.lat))
        lon, lat = self.lon + east, self.lat + north
        cells = h3_cells(lon, lat)
        communes = territory.communes_of(cells)
        if None in communes:
            raise BadInput(f"{self.lon}, {self.lat} with its radius reaches outside the province")
        times = pd.DatetimeIndex(self.times(until)).tz_convert("UTC")
        parents = [h3.str_to_int(h3.cell_to_parent(h3.int_to_str(int(one)), _CELL_RESOLUTION))
                   for one in cells]  # fmt: skip
        return pd.DataFrame({
            "id": -np.arange(1, self.count + 1),
            "category": self.category,
            "lon": lon, "lat": lat,
            "happened_at": times, "received_at": times,
            "source": "injected", "source_key": [f"injected {n}" for n in range(self.count)],
            "default_point": False, "place_precision_m": 10.0,
            "h3": cells.astype(np.int64), "cell": parents,
            "commune": communes, "amount": 1, "simulated": False,
            "voice": [f"injected {n}" for n in range(self.count)],
        })  # fmt: skip
