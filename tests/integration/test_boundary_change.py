"""A later decree is data: units end and begin on its day, and nothing else changes."""

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import geopandas as gpd
import pytest
import shapely
from sqlalchemy import text

from gis.alerts.actions import get_alert
from gis.alerts.units import SucceededCommune, follow_units
from gis.boundaries.change import apply_change
from gis.boundaries.loader import load_boundaries
from gis.boundaries.sources import BoundarySource
from gis.boundaries.store import read_history
from gis.boundaries.units import BoundaryQuality, Level
from gis.database.engine import Database
from gis.errors import BadFile, Conflict
from layers.jobs.alert_maintenance import follow_decrees
from tests.integration.notify.made import make_alert, subscribe
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
def test_a_wrong_decree_is_reported_and_changes_nothing(toy_province, tmp_path, words, error, told):
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


RENAMED = {
    "merged": (MERGER, ["00001", "00004"], ["00001"], "Phường Sao Mai Mới"),
    "split": (SPLIT, ["00007"], ["00007", "00009"], "Xã Đồi Thông, Xã Đồi Cao"),
}


@pytest.mark.parametrize("how", RENAMED)
@pytest.mark.parametrize("status", ["open", "acknowledged", "suppressed", "pending"])
def test_live_alerts_and_their_recipients_are_of_the_new_units_at_once(
    toy_province: Database, tmp_path, how, status
):
    """An alert of the whole commune, of which the old name is in the text."""
    words, before, after, named = RENAMED[how]
    with toy_province.writing() as connection:
        old = connection.scalar(text("SELECT full_name FROM layer.communes WHERE code = :code"),
                                {"code": before[-1]})  # fmt: skip
        number = make_alert(connection, communes=before[-1:], headline_vi=f"12 báo cáo; {old}.")
        connection.execute(
            text(
                "UPDATE gis.alert SET status = :status,"
                " resumes = CASE :status WHEN 'suppressed' THEN 'open' END,"
                " last_notification = jsonb_build_object('communes', communes) WHERE id = :id"
            ),
            {"id": number, "status": status},
        )
        over = make_alert(connection, communes=before[-1:])
        connection.execute(text("UPDATE gis.alert SET status = 'expired' WHERE id = :id"),
                           {"id": over})  # fmt: skip
        subscribe(connection, "của xã", communes=before[-1:])
        subscribe(connection, "toàn tỉnh")
    apply_change(toy_province, decree(tmp_path, words))
    with toy_province.reading() as connection:
        found, ended = get_alert(connection, number), get_alert(connection, over)
        told, kept = connection.execute(text(
            "SELECT last_notification -> 'communes', (SELECT communes FROM gis.alert"
            " WHERE id = :over) FROM gis.alert WHERE id = :id"),
            {"id": number, "over": over}).one()  # fmt: skip
        communes = connection.scalars(text("SELECT communes FROM gis.subscription ORDER BY id"))
        mine, everywhere = communes.all()
        deliveries = connection.scalar(text("SELECT count(*) FROM gis.delivery"
                                            " JOIN gis.notification n USING (seq)"
                                            " WHERE n.act = 'update'"))  # fmt: skip
    assert [code for code, _ in found.communes] == after == told
    assert found.headline_vi == f"12 báo cáo; {named}."
    assert set(after) <= set(mine) and everywhere == []
    assert deliveries == 0  # nothing happened there
    assert kept == before[-1:] and ended.headline_vi == "Phản ánh: 12 báo cáo"


def test_a_part_of_a_split_unit_that_an_alert_does_not_touch_is_none_of_its_units(
    toy_province: Database, tmp_path
):
    """Where the parts have polygons; the alert lies in the west."""
    apply_change(toy_province, decree(tmp_path, SPLIT))
    west = "104.2 22, 104.25 22, 104.25 22.1, 104.2 22.1, 104.2 22"
    east = "104.25 22, 104.3 22, 104.3 22.1, 104.25 22.1, 104.25 22"
    corner = "MULTIPOLYGON(((104.21 22.01, 104.22 22.01, 104.22 22.02, 104.21 22.01)))"
    parts = {"00007": "Xã Đồi Thông", "00009": "Xã Đồi Cao"}
    with toy_province.writing() as connection:
        number = make_alert(connection, communes=["00007"], wkt=corner)
        for code, ring in (("00007", west), ("00009", east)):
            connection.execute(
                text(
                    "UPDATE gis.admin_unit SET geom = ST_Multi(ST_GeomFromText(:wkt, 4326))"
                    " WHERE code = :code AND valid_to IS NULL AND level = 'commune'"
                ),
                {"code": code, "wkt": f"POLYGON(({ring}))"},
            )
        follow_units(connection, [SucceededCommune("00007", "Xã Đồi Thông", parts)])
    with toy_province.reading() as connection:
        assert [code for code, _ in get_alert(connection, number).communes] == ["00007"]


def test_a_decree_of_a_day_to_come_changes_no_alert_yet(toy_province: Database, tmp_path):
    with toy_province.writing() as connection:
        number = make_alert(connection, communes=["00004"])
    later = (date.today() + timedelta(days=30)).isoformat()
    apply_change(toy_province, decree(tmp_path, MERGER.replace("2026-05-01", later)))
    with toy_province.reading() as connection:
        assert [code for code, _ in get_alert(connection, number).communes] == ["00004"]


@pytest.mark.parametrize("ago", [1, 0, -1])
def test_a_decree_of_a_day_to_come_takes_effect_as_its_day_begins(
    toy_province: Database, catalogue, tmp_path, ago
):
    """Once, for alerts and recipients alike; a rule of communes goes on under the new code."""
    words, before, after, _ = RENAMED["merged"]
    on = date.today() + timedelta(days=30)
    with toy_province.writing() as connection:
        number = make_alert(connection, communes=before[-1:], key=before[-1])
        sensor = make_alert(connection, communes=before[-1:], key="gauge 7")
        subscribe(connection, "của xã", communes=before[-1:])
    apply_change(toy_province, decree(tmp_path, words.replace("2026-05-01", on.isoformat())))
    midnight = datetime(on.year, on.month, on.day, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
    for _ in range(2):
        follow_decrees(toy_province, midnight + timedelta(days=ago))
    with toy_province.reading() as connection:
        rows = connection.execute(text("SELECT key, communes FROM gis.alert ORDER BY id")).all()
        (mine,) = connection.scalars(text("SELECT communes FROM gis.subscription"))
        steps = connection.scalar(
            text(
                "SELECT count(*) FROM gis.alert_event WHERE alert_id = :id"
                " AND note = 'units have changed'"
            ),
            {"id": number},
        )
    came = ago >= 0
    now = after if came else before[-1:]
    assert rows == [(now[0], now), ("gauge 7", now)] and sensor > number
    assert steps == int(came)
    assert set(mine) == ({*before[-1:], *after} if came else set(before[-1:]))
