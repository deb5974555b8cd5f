"""A later decree is data: units end and begin on its day, and nothing else changes."""

from datetime import date
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from sqlalchemy import text

from gis.boundaries.change import apply_change
from gis.boundaries.loader import load_boundaries
from gis.boundaries.sources import BoundarySource
from gis.boundaries.store import read_history
from gis.boundaries.units import BoundaryQuality, Level
from gis.database.engine import Database
from gis.errors import BadFile, Conflict
from tests.provinces import write_boundaries

ON = date(2026, 5, 1)
MERGER = """
on = 2026-05-01
source = "a test decree"
[[new]]
code = "00001"
full_name = "Phường Sao Mai Mới"
from = [{ code = "00001" }, { code = "00004" }]
"""
SPLIT = """
on = 2026-05-01
source = "a test decree"
[[new]]
code = "00007"
full_name = "Xã Đồi Thông"
from = [{ code = "00007", share_area = 0.7, share_population = 0.6, estimated = true }]
[[new]]
code = "00009"
full_name = "Xã Đồi Cao"
from = [{ code = "00007", share_area = 0.3, share_population = 0.4, estimated = true }]
"""


def decree(folder: Path, words: str) -> Path:
    path = folder / "decree.toml"
    path.write_text(words, encoding="utf-8")
    return path


def test_a_merger_ends_two_units_and_begins_one(toy_province: Database, tmp_path):
    report = apply_change(toy_province, decree(tmp_path, MERGER))
    with toy_province.reading() as connection:
        history = read_history(connection)
        area = connection.scalar(
            text(
                "SELECT ST_Area(geom) FROM gis.admin_unit WHERE code = '00001' AND valid_to IS NULL"
            )
        )
    before = history.unit("00001", Level.COMMUNE, date(2026, 4, 30))
    after = history.unit("00001", Level.COMMUNE, ON)
    assert (report.ended, report.begun, report.without_polygon) == (2, 1, ())
    assert before is not None
    assert after is not None
    assert (before.name, after.name) == ("Sao Mai", "Sao Mai Mới")
    assert history.unit("00004", Level.COMMUNE, ON) is None
    assert area == pytest.approx(0.02)
    assert history.successors("00004", date(2026, 4, 30), ON) == [("00001", 1.0, False)]


def test_a_split_says_that_its_shares_are_estimated(toy_province: Database, tmp_path):
    report = apply_change(toy_province, decree(tmp_path, SPLIT))
    with toy_province.reading() as connection:
        history = read_history(connection)
    assert report.without_polygon == ("00007", "00009")
    assert sorted(history.successors("00007", date(2026, 4, 30), ON)) == [
        ("00007", 0.7, True),
        ("00009", 0.3, True),
    ]


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (SPLIT.replace("0.3", "0.2"), BadFile, "adds up to 0.9"),
        (MERGER.replace('"00004"', '"00005"'), Conflict, "no commune 00005"),
        (SPLIT.replace('"00009"', '"00004"'), Conflict, "00004 belongs to Xã Bãi Cát"),
        (MERGER.replace("full_name", "fullname"), BadFile, "fullname"),
        (MERGER.replace("Phường Sao", "Làng Sao"), BadFile, "full_name starts with one of"),
        ("on = yesterday", BadFile, "decree.toml"),
    ],
)
def test_a_wrong_decree_is_told_and_changes_nothing(toy_province, tmp_path, words, error, told):
    with toy_province.reading() as connection:
        before = read_history(connection)
    with pytest.raises(error, match=told):
        apply_change(toy_province, decree(tmp_path, words))
    with toy_province.reading() as connection:
        assert read_history(connection) == before


def test_polygons_loaded_after_a_decree_keep_its_units(toy_province: Database, tmp_path):
    apply_change(toy_province, decree(tmp_path, MERGER))
    with toy_province.reading() as connection:
        changed = read_history(connection)
    west, east = shapely.box(104, 22, 104.2, 22.1), shapely.box(104.2, 22, 104.3, 22.1)
    communes = gpd.GeoDataFrame({"code": ["00001", "00007"]}, geometry=[west, east], crs=4326)
    path = write_boundaries(tmp_path, communes)
    report = load_boundaries(
        toy_province, BoundarySource("new", BoundaryQuality.OFFICIAL, (path,)), changed
    )
    with toy_province.reading() as connection:
        assert set(read_history(connection).units) == set(changed.units)
        former = connection.scalar(
            text(
                "SELECT count(*) FROM gis.admin_unit"
                " WHERE valid_to IS NOT NULL AND geom IS NOT NULL"
            )
        )
    assert (report.communes, former) == (2, 2)
