"""Simulated citizen reports and departmental events for the demo.

Deterministic: the same communes, end and seed give the same records. Among them are two outbreaks
(one sudden, one slow), a geocoder's default point, a record beyond the border, and one of each
kind that cannot be placed. Each record says that it is simulated.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from gis.clock import HERE

Floats = npt.NDArray[np.float64]

DAYS = 90
SEED = 15
RECORDS = 3_600
SUDDEN_DAYS = 3
SLOW_DAYS = 14
DEFAULT_POINT_RECORDS = 120

_DEGREES_PER_KM = 1 / 111.2
_SETTLEMENTS = 4  # per commune
_SPREAD_KM = 2.0
_WARD_WEIGHT = 2.5  # a town's ward reports more than a rural commune
_WEEKDAYS = np.array([1.15, 1.1, 1.05, 1.05, 1.1, 0.85, 0.7])
_WITH_ADDRESS, _WITH_COMMUNE = 0.12, 0.03

# Category, share of the reports, and what people write.
_STORIES: dict[str, tuple[float, tuple[str, ...]]] = {
    "traffic": (0.28, ("Ổ gà lớn trên đường", "Đèn giao thông hỏng", "Xe tải đỗ chắn lối đi")),
    "security": (0.14, ("Mất trộm xe máy", "Tụ tập gây ồn ban đêm", "Nghi có lừa đảo")),
    "infrastructure": (0.26, ("Mất điện cả xóm", "Cột điện nghiêng", "Cống thoát nước tắc")),
    "environment": (0.20, ("Đổ rác bên suối", "Khói đốt rác", "Nước thải có mùi")),
    "disaster": (0.12, ("Sạt taluy dương", "Nước suối dâng nhanh", "Nứt đất sau nhà")),
}
_SUDDEN = ("environment", "Nước suối đục, cá chết hàng loạt")
_SLOW = ("infrastructure", "Nước máy yếu rồi mất hẳn")


@dataclass(frozen=True, slots=True)
class Report:
    """One citizen report, as a line of a CSV file."""

    report_id: str
    happened_at: str
    received_at: str
    category: str
    description: str
    status: str
    lon: str
    lat: str
    address: str
    commune: str
    reporter_name: str
    reporter_phone: str
    reporter_email: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One event of a department, as a line of a CSV file."""

    incident_id: str
    happened_at: str
    kind: str
    severity: str
    note: str
    lon: str
    lat: str


def simulate_reports(
    communes: gpd.GeoDataFrame,
    until: datetime,
    *,
    records: int = RECORDS,
    seed: int = SEED,
    outbreaks: bool = True,
) -> list[Report]:
    """Reports of the 90 days before `until`, in order of time.

    `communes` has columns code, full_name, geometry (EPSG:4326). `records` counts the usual
    reports; default point, unplaceable records and, with `outbreaks`, the outbreaks are added.
    """
    random = np.random.default_rng(seed)
    country = _Country(communes, random)
    reports = [*_usual_reports(country, until, records, random)]
    if outbreaks:
        reports += _sudden_outbreak(country, until, random)
        reports += _slow_outbreak(country, until, random)
    reports += [*_default_point_reports(country, until, random), *_unplaceable_reports(until)]
    reports.sort(key=lambda report: report.happened_at)
    return [_with_reporter(report, n) for n, report in enumerate(reports, 1)]


def simulate_incidents(
    communes: gpd.GeoDataFrame, until: datetime, *, records: int = 200, seed: int = SEED
) -> list[Incident]:
    """Field incidents of departments in the 90 days before `until`, in order of time."""
    random = np.random.default_rng([seed, 2])
    country = _Country(communes, random)
    lon, lat, _ = country.sample(records, random)
    times = _times(until, records, random)
    kinds = random.choice(["road_closed", "power_cut", "forest_fire", "flood"], records)
    severities = random.choice(["low", "medium", "high"], records, p=[0.6, 0.3, 0.1])
    return [
        Incident(
            incident_id=f"SIM-INC-{n:05}",
            happened_at=times[n].isoformat(),
            kind=str(kinds[n]),
            severity=str(severities[n]),
            note="Sự việc mô phỏng",
            lon=_degrees(lon[n]),
            lat=_degrees(lat[n]),
        )
        for n in sorted(range(records), key=lambda n: times[n])
    ]


def write_csv(path: Path, records: Sequence[Report] | Sequence[Incident]) -> None:
    """Write a CSV file, one line a record, UTF-8."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(records[0])])
        writer.writeheader()
        writer.writerows(asdict(record) for record in records)


class _Country:
    """Communes with settlements (longitude, latitude; WGS 84), around which reports scatter."""

    def __init__(self, communes: gpd.GeoDataFrame, random: np.random.Generator) -> None:
        self.communes = communes.sort_values("code").reset_index(drop=True)
        self.names: list[str] = list(self.communes["full_name"])
        self.codes: list[str] = list(self.communes["code"])
        self.shapes = self.communes.geometry.to_numpy()
        shapely.prepare(self.shapes)
        weights = [_WARD_WEIGHT if name.startswith("Phường") else 1.0 for name in self.names]
        self.weights = np.array(weights) / sum(weights)
        self.settlements = np.array(
            [_points_in(shape, _SETTLEMENTS, random) for shape in self.shapes]
        )

    def sample(self, n: int, random: np.random.Generator) -> tuple[Floats, Floats, list[int]]:
        """n points near settlements, each inside its commune, and the commune's index."""
        indices = random.choice(len(self.shapes), n, p=self.weights)
        centre = self.settlements[indices, random.integers(_SETTLEMENTS, size=n)]
        points = np.stack(_scatter(centre, _SPREAD_KM, random), axis=1)
        strayed = ~shapely.contains_xy(self.shapes[indices], *points.T)
        while strayed.any():  # half the way back to the settlement, until it is in its commune
            points[strayed] = (points[strayed] + centre[strayed]) / 2
            strayed = ~shapely.contains_xy(self.shapes[indices], *points.T)
        lon, lat = points.T
        return lon, lat, [int(index) for index in indices]

    def rural(self, part: float) -> Floats:
        """A settlement of a rural commune, `part` (0–1) of the way through their codes."""
        rural = [i for i, name in enumerate(self.names) if not name.startswith("Phường")]
        chosen = rural or list(range(len(self.names)))
        settlement: Floats = self.settlements[chosen[int(part * (len(chosen) - 1))], 0]
        return settlement


def _usual_reports(
    country: _Country, until: datetime, records: int, random: np.random.Generator
) -> Iterator[Report]:
    lon, lat, indices = country.sample(records, random)
    times = _times(until, records, random)
    categories = random.choice(list(_STORIES), records, p=[share for share, _ in _STORIES.values()])
    place_kind = random.random(records)
    for n in range(records):
        stories = _STORIES[str(categories[n])][1]
        report = _report(times[n], str(categories[n]), stories[n % len(stories)], lon[n], lat[n])
        if place_kind[n] < _WITH_ADDRESS:
            name = country.names[indices[n]]
            address = f"Thôn {1 + n % 9}, {name}, tỉnh Lào Cai"
            yield replace(report, lon="", lat="", address=address)
        elif place_kind[n] < _WITH_ADDRESS + _WITH_COMMUNE:
            yield replace(report, lon="", lat="", commune=country.codes[indices[n]])
        else:
            yield report


def _sudden_outbreak(
    country: _Country, until: datetime, random: np.random.Generator
) -> Iterator[Report]:
    """Eighteen reports, most within a kilometre, in the last three days."""
    lon, lat = _scatter(np.tile(country.rural(0.3), (18, 1)), 0.7, random)
    hours = np.sort(random.uniform(1, 24 * SUDDEN_DAYS, len(lon)))
    for n, hour in enumerate(hours):
        yield _report(until - timedelta(hours=float(hour)), *_SUDDEN, lon[n], lat[n])


def _slow_outbreak(
    country: _Country, until: datetime, random: np.random.Generator
) -> Iterator[Report]:
    """Reports within two kilometres for two weeks, each day half a report more than before."""
    for day in range(1, SLOW_DAYS + 1):
        count = (day + 1) // 2
        lon, lat = _scatter(np.tile(country.rural(0.7), (count, 1)), 0.7, random)
        start = until - timedelta(days=SLOW_DAYS - day + 1)
        for n in range(count):
            at = start + timedelta(hours=float(random.uniform(0, 23)))
            yield _report(at, *_SLOW, lon[n], lat[n])


def _default_point_reports(
    country: _Country, until: datetime, random: np.random.Generator
) -> Iterator[Report]:
    """Unrelated reports that a geocoder put on one coordinate, because it knew no better."""
    lon, lat = country.settlements[0, 0]
    times = _times(until, DEFAULT_POINT_RECORDS, random)
    categories = random.choice(list(_STORIES), DEFAULT_POINT_RECORDS)
    for n, at in enumerate(times):
        category = str(categories[n])
        yield _report(at, category, _STORIES[category][1][n % 3], lon, lat)


def _unplaceable_reports(until: datetime) -> Iterator[Report]:
    """Reports of each kind that must end in quarantine, and one beyond the border."""
    at = until - timedelta(days=5)
    blank = _report(at, "traffic", "Ổ gà lớn trên đường", np.nan, np.nan)
    yield blank
    yield replace(blank, address="gần chợ, đối diện cây xăng")
    yield replace(blank, address="phường Trung Tâm")
    yield replace(blank, lon="0", lat="0")
    yield replace(blank, commune="99999")
    yield replace(blank, category="unknown", address="Thôn 1, xã Bảo Thắng, tỉnh Lào Cai")
    yield replace(blank, lon="103.9640", lat="22.5070")  # Hekou, across the river


def _report(at: datetime, category: str, story: str, lon: float, lat: float) -> Report:
    received = at + timedelta(minutes=20)
    return Report(
        report_id="",
        happened_at=at.isoformat(),
        received_at=received.isoformat(),
        category=category,
        description=f"{story} (mô phỏng)",
        status="received",
        lon=_degrees(lon),
        lat=_degrees(lat),
        address="",
        commune="",
        reporter_name="",
        reporter_phone="",
        reporter_email="",
    )


def _with_reporter(report: Report, n: int) -> Report:
    """The report with its number, and a reporter who does not exist."""
    return replace(
        report,
        report_id=f"SIM-{n:06}",
        reporter_name=f"Người Mô Phỏng {n}",
        reporter_phone=f"0000{n:06}",
        reporter_email=f"nguoi{n}@example.invalid",
    )


def _times(until: datetime, n: int, random: np.random.Generator) -> list[datetime]:
    """Instants in the 90 days before, more on working days and by day than by night."""
    end = until.astimezone(HERE)
    days = [end - timedelta(days=back) for back in range(DAYS)]
    weights = np.array([_WEEKDAYS[day.weekday()] * _season(day) for day in days])
    chosen = random.choice(DAYS, n, p=weights / weights.sum())
    hours = 24 * random.beta(2.2, 2.2, n)
    return [
        end - timedelta(days=int(d), hours=float(h)) for d, h in zip(chosen, hours, strict=True)
    ]


def _season(day: datetime) -> float:
    """Seasonal factor of a day: 1.2 in the rains of July, 0.8 in January."""
    return float(1 + 0.2 * np.cos(2 * np.pi * (day.timetuple().tm_yday - 200) / 365))


def _points_in(shape: shapely.Geometry, n: int, random: np.random.Generator) -> Floats:
    """n points inside a polygon, by rejection."""
    west, south, east, north = shape.bounds
    inside = np.empty((0, 2))
    while len(inside) < n:
        candidates = random.uniform((west, south), (east, north), (16 * n, 2))
        inside = np.vstack(
            [inside, candidates[shapely.contains_xy(shape, candidates[:, 0], candidates[:, 1])]]
        )
    points: Floats = inside[:n]
    return points


def scattered_in(
    shape: shapely.Geometry, spread_km: float, random: np.random.Generator
) -> tuple[float, float]:
    """A point (longitude, latitude) around the middle of a polygon, within it."""
    centre = shape.point_on_surface()
    point = np.array([[centre.x, centre.y]])
    lon, lat = (float(each[0]) for each in _scatter(point, spread_km, random))
    while not shapely.contains_xy(shape, lon, lat):  # half the way back
        lon, lat = (lon + centre.x) / 2, (lat + centre.y) / 2
    return lon, lat


def _scatter(
    centre: Floats, spread_km: float, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Points around centres (n × lon, lat), normally distributed on the ground."""
    east, north = random.normal(0, spread_km * _DEGREES_PER_KM, (2, len(centre)))
    lon, lat = centre.T
    return lon + east / np.cos(np.radians(lat)), lat + north


def _degrees(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"
