"""Simulated records: deterministic, rhythmic, and with the stories that the demo promises."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import geopandas as gpd
import pytest
import shapely

from layers.ingest.demo import (
    DAYS,
    DEFAULT_POINT_RECORDS,
    Report,
    simulate_incidents,
    simulate_reports,
    write_csv,
)

UNTIL = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def communes() -> gpd.GeoDataFrame:
    """Ten squares of a tenth of a degree in a row; the first is a ward."""
    boxes = [shapely.box(104 + n / 10, 22, 104.1 + n / 10, 22.1) for n in range(10)]
    names = ["Phường Một", *(f"Xã {n}" for n in range(2, 11))]
    codes = [f"{n:05}" for n in range(10)]
    columns = {"code": codes, "full_name": names}
    return gpd.GeoDataFrame(columns, geometry=boxes, crs="EPSG:4326")


@pytest.fixture(scope="module")
def reports(communes: gpd.GeoDataFrame) -> list[Report]:
    return simulate_reports(communes, UNTIL)


def test_the_same_end_and_seed_tell_the_same_story(communes, reports):
    assert simulate_reports(communes, UNTIL) == reports
    assert simulate_reports(communes, UNTIL, seed=1) != reports


def test_the_order_of_the_communes_is_irrelevant(communes, reports):
    assert simulate_reports(communes.iloc[::-1], UNTIL) == reports


def test_every_report_lies_in_the_ninety_days_and_says_that_it_is_simulated(reports):
    first = UNTIL - timedelta(days=DAYS)
    assert all(first <= datetime.fromisoformat(report.happened_at) <= UNTIL for report in reports)
    assert all("mô phỏng" in report.description for report in reports)
    assert all(report.reporter_email.endswith(".invalid") for report in reports)


def test_report_ids_are_unique(reports):
    assert len({report.report_id for report in reports}) == len(reports)


def test_sundays_are_quieter_than_mondays(reports):
    days = Counter(datetime.fromisoformat(report.happened_at).weekday() for report in reports)
    assert days[6] < 0.8 * days[0]


def test_the_sudden_outbreak_comes_in_the_last_three_days(reports):
    told = [report for report in reports if report.description.startswith("Nước suối đục")]
    assert len(told) == 18
    assert all(
        datetime.fromisoformat(report.happened_at) > UNTIL - timedelta(days=3) for report in told
    )


def test_the_slow_outbreak_grows_over_two_weeks(reports):
    told = [report for report in reports if report.description.startswith("Nước máy yếu")]
    ages = [(UNTIL - datetime.fromisoformat(report.happened_at)).days for report in told]
    week = Counter(age // 7 for age in ages)
    assert week[0] > 2 * week[1] > 0


def test_one_coordinate_collects_unrelated_reports(reports):
    point, count = Counter((r.lon, r.lat) for r in reports if r.lon).most_common(1)[0]
    categories = {r.category for r in reports if (r.lon, r.lat) == point}
    assert count == DEFAULT_POINT_RECORDS
    assert len(categories) == 5


def test_incidents_lie_in_the_communes(communes):
    province = communes.union_all()
    incidents = simulate_incidents(communes, UNTIL)
    points = [shapely.Point(float(one.lon), float(one.lat)) for one in incidents]
    assert len(incidents) == 200
    assert all(province.buffer(1e-5).covers(point) for point in points)


def test_a_csv_file_has_a_line_for_each_report(tmp_path, reports):
    path = tmp_path / "reports.csv"
    write_csv(path, reports)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("report_id,happened_at,received_at,category,description,status")
    assert len(lines) == len(reports) + 1
