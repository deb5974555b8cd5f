"""The alarm on real reports of a city: how often it would have spoken."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import h3
import numpy as np
import pandas as pd

from calibration.province import Counts, Events, Floats, Province
from calibration.watch import DAY_LIMITS, STOP, WINDOW_DAYS, Look, Raised, alarms, look, signals
from gis.analysis import Null, clean
from gis.errors import BadInput

DATES = ("Creation_Date", "Created Date")
KEYS = ("Service_Request_Number", "Unique Key")
LONGEST_DAYS = 365
DEGREE_M = 111_195.0


@dataclass(frozen=True, slots=True)
class City:
    """What one stream of a city raised: looks, and alarm-days and signals by limit in days."""

    reports: int
    counted: int
    looks: int
    alarm_days: dict[int, int]
    distinct: dict[int, list[Raised]]
    where: Province
    first: date  # of day 0

    def told(self) -> str:
        """Some lines of text; of the rarest signals one each."""
        years = self.looks / 365
        head = f"{self.reports:,} reports, {self.counted:,} as alarms count; {self.looks} looks"
        rows = [
            f"RI {limit}: {self.alarm_days[limit] / years:.1f} alarm-days, "
            f"{len(self.distinct[limit]) / years:.1f} distinct signals a year"
            for limit in DAY_LIMITS
        ]
        return "\n".join([head, *rows, *map(self._described, self.distinct[DAY_LIMITS[-1]])])

    def _described(self, one: Raised) -> str:
        found, on = one.cluster, self.first + timedelta(days=one.day)
        lat, lon = h3.cell_to_latlng(h3.int_to_str(int(self.where.cells[found.centre])))
        what = f"{found.observed} reports in {found.days} d, {found.expected:.1f} expected"
        place = f"within {found.radius / 1000:.1f} km of {lat:.3f} {lon:.3f}"
        return f"  {on}: {what}, {place}; RI {1 / found.p:,.0f}"


def city(path: Path, replicates: int = 999, longest_days: int = LONGEST_DAYS) -> City:
    """Watch the last `longest_days` days of a file of reports, all its kinds as one stream.

    A CSV file with Latitude, Longitude (degrees, WGS 84), a date and a number of each report, as
    Chicago and New York publish them. It has one date, which counts as happened and received.
    """
    records = reports(path)
    judged = clean(records).records
    kept = judged[judged["in_alarm"]]
    where, events = _placed(kept)
    last = int(events.day.max())
    first = max(min(WINDOW_DAYS, last // 2), last - longest_days + 1)
    looks: list[Look] = [
        look(where, events, day, Null(replicates, STOP, day), stratified=True)
        for day in range(first, last + 1)
    ]
    return City(
        len(records), len(events.day), len(looks),
        {limit: len(alarms(looks, limit)) for limit in DAY_LIMITS},
        {limit: signals(where, looks, limit) for limit in DAY_LIMITS},
        where, kept["received_at"].min().date(),
    )  # fmt: skip


def reports(path: Path) -> pd.DataFrame:
    """The file as the gate reads records; days without a time of day stay at midnight."""
    rows = pd.read_csv(path, low_memory=False)
    date, key = (_named(rows, names) for names in (DATES, KEYS))
    at = pd.to_datetime(rows[date], format="mixed").dt.tz_localize("Asia/Ho_Chi_Minh")
    rows = rows.assign(_at=at).dropna(subset=["Latitude", "Longitude"]).sort_values("_at")
    first = rows["_at"].max() - pd.Timedelta(days=LONGEST_DAYS + 2 * WINDOW_DAYS)
    rows = rows[rows["_at"] >= first].reset_index(drop=True)
    return pd.DataFrame(
        {
            "category": "reports", "lon": rows["Longitude"], "lat": rows["Latitude"],
            "happened_at": rows["_at"], "received_at": rows["_at"], "source": "city",
            "source_key": rows[key].astype(str), "default_point": False,
            "place_precision_m": 10.0, "cell": _cells(rows["Latitude"], rows["Longitude"], 9),
        }
    )  # fmt: skip


def _named(rows: pd.DataFrame, names: tuple[str, ...]) -> str:
    found = [name for name in names if name in rows]
    if not found or not {"Latitude", "Longitude"} <= set(rows):
        raise BadInput(f"the file needs Latitude, Longitude and one of {', '.join(names)}")
    return found[0]


def _cells(lat: pd.Series, lon: pd.Series, resolution: int) -> Counts:
    cells = [
        h3.str_to_int(h3.latlng_to_cell(y, x, resolution)) for y, x in zip(lat, lon, strict=True)
    ]
    return np.array(cells, np.int64)


def _placed(kept: pd.DataFrame) -> tuple[Province, Events]:
    """Hexes of the city that have reports, and the reports on them.

    Hexes of resolution 7 (5 km²) are its quarters, which may differ in their week as towns do.
    """
    names = [h3.cell_to_parent(h3.int_to_str(int(cell)), 8) for cell in kept["cell"]]
    cells, place = np.unique([h3.str_to_int(name) for name in names], return_inverse=True)
    day = (kept["received_at"] - kept["received_at"].min().floor("D")) // pd.Timedelta(days=1)
    part = np.zeros(len(place), np.int64)
    people = np.full(len(cells), 1 / len(cells))
    quarters = [h3.cell_to_parent(h3.int_to_str(int(cell)), 7) for cell in cells]
    town = np.unique(quarters, return_inverse=True)[1].astype(np.int64)
    where = Province(cells.astype(np.uint64), _plane(cells), people, town)
    return where, Events(place.astype(np.int64), day.to_numpy(np.int64), part)


def _plane(cells: Counts) -> Floats:
    """Metres on a plane that touches the sphere at the middle of the city."""
    lat, lon = np.array([h3.cell_to_latlng(h3.int_to_str(int(cell))) for cell in cells]).T
    return DEGREE_M * np.column_stack([lon * np.cos(np.radians(lat.mean())), lat])
