"""The alarm on real reports of a city: how often it would have spoken."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import h3
import numpy as np
import pandas as pd

from calibration.daily_evaluation import (
    DAY_LIMITS,
    STOP,
    WINDOW_DAYS,
    DailyEvaluation,
    Raised,
    alarms,
    evaluate,
    signals,
)
from calibration.province import Counts, Events, Floats, Province
from gis.analysis import Null, clean
from gis.errors import BadInput

DATES = ("Creation_Date", "Created Date")
KEYS = ("Service_Request_Number", "Unique Key")
KINDS = ("What_is_the_Nature_of_this_Code_Violation", "Descriptor")
LONGEST_DAYS = 365
DEGREE_M = 111_195.0


@dataclass(frozen=True, slots=True)
class Stream:
    """The reports of one kind: how many counted, the evaluations at them, and where they lie."""

    name: str
    counted: int
    evaluations: tuple[DailyEvaluation, ...]
    where: Province
    first: date  # of day 0

    def a_year(self, number: int) -> float:
        return number * 365 / len(self.evaluations)

    def signals(self, days: int) -> list[Raised]:
        """Distinct signals with a recurrence interval of so many days."""
        return signals(self.where, self.evaluations, days)

    def text(self) -> str:
        each = (
            f"{self.a_year(len(self.signals(days))):5.1f} "
            f"({self.a_year(len(alarms(self.evaluations, days))):5.1f})"
            for days in DAY_LIMITS
        )
        return f"{self.name[:38]:<38} {self.counted:>7,}  {'  '.join(each)}"

    def described(self, one: Raised) -> str:
        found, on = one.cluster, self.first + timedelta(days=one.day)
        lat, lon = h3.cell_to_latlng(h3.int_to_str(int(self.where.cells[found.centre])))
        what = f"{found.observed} reports in {found.days} d, {found.expected:.1f} expected"
        place = f"within {found.radius / 1000:.1f} km of {lat:.3f} {lon:.3f}"
        return f"  {on} {self.name}: {what}, {place}; RI {1 / found.p:,.0f}"


@dataclass(frozen=True, slots=True)
class City:
    """Alarms of the reports of a city, each kind of them a stream."""

    reports: int
    streams: tuple[Stream, ...]

    @property
    def budget_days(self) -> int:
        """The recurrence interval that one false alert a year allows to each of the streams."""
        return 365 * len(self.streams)

    def within_budget(self) -> list[tuple[Stream, Raised]]:
        return [(one, each) for one in self.streams for each in one.signals(self.budget_days)]

    def text(self) -> str:
        """A line for each stream; of the signals within the budget one each."""
        found = self.within_budget()
        a_year = self.streams[0].a_year(len(found))
        limits = "  ".join(f"{f'RI {days}':>13}" for days in DAY_LIMITS)
        return "\n".join(
            [
                f"{self.reports:,} reports; {len(self.streams[0].evaluations)} evaluations",
                "distinct signals (alarm-days) a year",
                f"{'stream':<38} counted  {limits}",
                *(one.text() for one in self.streams),
                f"all, with a budget of one false alert a year (RI {self.budget_days:,}): "
                f"{a_year:.1f} distinct signals a year",
                *(one.described(each) for one, each in found),
            ]
        )


def city(
    path: Path,
    replicates: int = 999,
    longest_days: int = LONGEST_DAYS,
    *,
    one_stream: bool = False,
    each: Callable[..., Iterable[Stream]] = map,
) -> City:
    """Watch the last `longest_days` days of a file of reports, each kind of them as a stream.

    A CSV file with Latitude, Longitude (degrees, WGS 84), a date and a number of each report, as
    Chicago and New York publish them; where it has no kinds, or with `one_stream`, all are one. It
    has one date, which counts as happened and received. `each` maps the streams, as a pool may.
    """
    records = reports(path, one_stream)
    judged = clean(records).records
    kept = judged[judged["in_alarm"]]
    last = kept["received_at"].max().floor("D")
    begun = kept["received_at"].min().floor("D")
    days = (last - begun).days
    first = max(min(WINDOW_DAYS, days // 2), days - longest_days + 1)
    watch = partial(_stream_of, begun=begun, days=range(first, days + 1), replicates=replicates)
    kinds = [(str(name), rows) for name, rows in kept.groupby("category")]
    return City(len(records), tuple(each(watch, kinds)))


def _stream_of(
    kind: tuple[str, pd.DataFrame], begun: pd.Timestamp, days: range, replicates: int
) -> Stream:
    name, rows = kind
    where, events = _placed(rows, begun)
    evaluations = tuple(
        evaluate(where, events, day, Null(replicates, STOP, day), stratified=True) for day in days
    )
    return Stream(name, len(rows), evaluations, where, begun.date())


def reports(path: Path, one_stream: bool = False) -> pd.DataFrame:
    """The file as the quality filter reads records; days without a time of day stay at midnight."""
    rows = pd.read_csv(path, low_memory=False)
    date, key = (_named(rows, names) for names in (DATES, KEYS))
    at = pd.to_datetime(rows[date], format="mixed").dt.tz_localize("Asia/Ho_Chi_Minh")
    rows = rows.assign(_at=at).dropna(subset=["Latitude", "Longitude"]).sort_values("_at")
    first = rows["_at"].max() - pd.Timedelta(days=LONGEST_DAYS + 2 * WINDOW_DAYS)
    rows = rows[rows["_at"] >= first].reset_index(drop=True)
    kind = next((name for name in KINDS if name in rows and not one_stream), None)
    return pd.DataFrame(
        {
            "category": rows[kind].fillna("") if kind else "reports",
            "lon": rows["Longitude"], "lat": rows["Latitude"],
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


def _placed(kept: pd.DataFrame, begun: pd.Timestamp) -> tuple[Province, Events]:
    """Hexes of the city that have reports, and the reports on them; days count from `begun`.

    Hexes of resolution 7 (5 km²) are its quarters, which may differ in their week as towns do.
    """
    names = [h3.cell_to_parent(h3.int_to_str(int(cell)), 8) for cell in kept["cell"]]
    cells, place = np.unique([h3.str_to_int(name) for name in names], return_inverse=True)
    day = (kept["received_at"] - begun).dt.days
    part = np.zeros(len(place), np.int64)
    people = np.full(len(cells), 1 / len(cells))
    quarters = [h3.cell_to_parent(h3.int_to_str(int(cell)), 7) for cell in cells]
    town = np.unique(quarters, return_inverse=True)[1].astype(np.int64)
    where = Province(cells.astype(np.uint64), _plane(cells), people, town)
    return where, Events(place.astype(np.int64), np.asarray(day, np.int64), part)


def _plane(cells: Counts) -> Floats:
    """Metres on a plane that touches the sphere at the middle of the city."""
    lat, lon = np.array([h3.cell_to_latlng(h3.int_to_str(int(cell))) for cell in cells]).T
    return DEGREE_M * np.column_stack([lon * np.cos(np.radians(lat.mean())), lat])
