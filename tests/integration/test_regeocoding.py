"""Rows are re-geocoded when units change: they lie in the communes of today again."""

from datetime import date
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from sqlalchemy import text

from gis.boundaries.change import apply_change
from gis.boundaries.loader import load_boundaries
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from layers.ingest.load import LoadOptions, load_file
from layers.ingest.regeocode import regeocode
from tests.provinces import toy_communes, toy_history, write_boundaries

REPORTS = """report_id,happened_at,category,lon,lat,address,commune
west,2026-03-01,traffic,104.05,22.05,,
middle,2026-03-01,traffic,104.15,22.05,,
named,2026-03-01,traffic,,,,00004
east,2026-03-01,traffic,104.25,22.05,,
"""
MERGER = """
on = {on}
source = "a test decree"
[[new]]
code = "00001"
full_name = "Phường Sao Mai Mới"
from = [{{ code = "00001" }}, {{ code = "00004" }}]
"""


@pytest.fixture
def reports(toy_province, catalogue, tmp_path: Path):
    path = tmp_path / "reports.csv"
    path.write_text(REPORTS, encoding="utf-8")
    load_file(toy_province, catalogue.get("citizen_reports"), path, LoadOptions("tests", "tests"))
    regeocode(toy_province, catalogue)
    return toy_province


def decree(folder: Path, on: date) -> Path:
    path = folder / "decree.toml"
    path.write_text(MERGER.format(on=on), encoding="utf-8")
    return path


def communes(database) -> dict[str, str | None]:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT source_key, commune FROM layer.citizen_reports"))
        return {row.source_key: row.commune for row in rows}


BEFORE = {"west": "00001", "middle": "00004", "named": "00004", "east": "00007"}
AFTER = {"west": "00001", "middle": "00001", "named": "00001", "east": "00007"}


def test_after_a_merger_rows_lie_in_the_new_commune(reports, catalogue, tmp_path):
    assert communes(reports) == BEFORE
    apply_change(reports, decree(tmp_path, date(2026, 5, 1)))
    (again,) = [one for one in regeocode(reports, catalogue) if one.rows]
    assert (again.layer_id, again.rows, again.changed) == ("citizen_reports", 4, 2)
    assert communes(reports) == AFTER
    assert regeocode(reports, catalogue) == []


def test_a_decree_of_a_later_day_moves_nothing_yet(reports, catalogue, tmp_path):
    apply_change(reports, decree(tmp_path, date(2100, 1, 1)))
    regeocode(reports, catalogue)
    assert communes(reports) == BEFORE


def test_better_polygons_move_points_and_nothing_else(reports, catalogue, tmp_path):
    better = toy_communes()
    shapes = [shapely.box(104, 22, 104.16, 22.1), shapely.box(104.16, 22, 104.2, 22.1)]
    better.geometry = gpd.GeoSeries([*shapes, better.geometry.iloc[2]], crs=better.crs)
    source = BoundarySource(
        "better", BoundaryQuality.OFFICIAL, (write_boundaries(tmp_path, better),)
    )
    load_boundaries(reports, source, toy_history())
    regeocode(reports, catalogue)
    assert communes(reports) == BEFORE | {"middle": "00001"}
