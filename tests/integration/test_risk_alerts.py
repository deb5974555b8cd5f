"""Rules of risk: alerts where a level of the law meets people, roads or records; never unknown."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml
from sqlalchemy import text

from gis.alerts.actions import list_alerts
from gis.alerts.policy import Tier
from gis.alerts.states import LIVE
from gis.errors import BadInput, BadLayerFile
from gis.hexes import cell_text
from gis.rasters import loader
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.definition.model import Layer
from layers.detect.backtest import backtest
from layers.detect.thresholds import evaluate_rules
from layers.storage.sync import sync
from tests.conftest import LAYERS
from tests.integration.raster_desk import Desk

NOW = datetime(2024, 9, 11, 13, tzinfo=UTC)  # an hour after the rain day of the 11th ended
ROWS, COLUMNS = np.mgrid[0:10, 0:30]
WEST, MIDDLE, EAST = "00001", "00004", "00007"


def words(vi):
    return {"vi": vi, "en": f"{vi} (en)"}


def slides(**rule):
    """A layer of points with a rule of risk."""
    given = {"kind": "risk", "id": "rain_risk", "title": words("Rủi ro sạt lở")} | rule
    return Layer.model_validate(
        {
            "id": "slides",
            "title": words("Điểm sạt"),
            "description": words("Điểm sạt"),
            "department": words("Sở"),
            "licence": "CC0-1.0",
            "geometry": "point",
            "source": {"connector": "file", "key": "n", "time": {"column": "at"}},
            "fields": {"name": {"type": "text", "label": words("Tên")}},
            "alerts": {"rules": [given]},
        }
    )


@pytest.fixture(scope="module")
def wet_template(postgres, toy_template, catalogue, tmp_path_factory):
    """150 mm after two days of rain; susceptibility low, high and very high, from the west."""
    from tests.databases import template

    folder = tmp_path_factory.mktemp("wet")
    with template(postgres, toy_template) as (name, database), pytest.MonkeyPatch.context() as own:
        own.setattr(loader, "run_confined", loader.run_here)
        desk = Desk(database, catalogue, folder)
        for day, mm in ((8, 0), (9, 5), (10, 5), (11, 150)):
            add_rain(desk, f"2024-09-{day:02}", (mm, mm, mm))
        desk.add("landslide_susceptibility", (np.repeat([1, 3, 4], 10) + 0 * ROWS).astype(np.uint8))
        with database.writing() as connection:
            sync(connection, Catalogue((*catalogue.layers, slides()), rasters=catalogue.rasters))
            connection.execute(text("UPDATE gis.raster_layer SET changed_at = '2024-09-11'"))
        database.close()
        yield name, folder


def add_rain(desk, day, by_commune):
    values = np.repeat(np.array(by_commune, np.float32), 10) + 0 * ROWS
    desk.add("rain_daily", values.astype(np.float32), f"{day}.tif", file={"nodata": np.nan},
             time=day)  # fmt: skip


@pytest.fixture
def desk(postgres, wet_template, catalogue, monkeypatch):
    monkeypatch.setattr(loader, "run_confined", loader.run_here)
    name, folder = wet_template
    with postgres.opened(name) as database:
        yield Desk(database, catalogue, folder)


def follow(desk, now=NOW, **rule):
    catalogue = Catalogue((*desk.catalogue.layers, slides(**rule)), rasters=desk.catalogue.rasters)
    return evaluate_rules(desk.database, catalogue, now, desk.settings.rasters)


def live(desk):
    with desk.database.reading() as connection:
        found = list_alerts(connection, layers=["slides"], statuses=tuple(LIVE))
    return {alert.communes[0][0]: alert for alert in found}


def test_communes_with_a_level_have_an_alert_and_those_unknown_have_none(desk):
    assert follow(desk, resolution=8) == ["slides rain_risk"]
    alerts = live(desk)
    assert set(alerts) == {WEST, MIDDLE}  # of very high susceptibility the table has no row
    assert (alerts[WEST].observed, alerts[MIDDLE].observed) == (1, 2)
    assert alerts[MIDDLE].headline_vi.startswith("Rủi ro sạt lở: ")
    assert "cấp 2 tại" in alerts[MIDDLE].headline_vi and "level 2 in" in alerts[MIDDLE].headline_en
    assert alerts[WEST].severity == Tier.ALERT
    # Nothing changed: it is not due again before an hour has gone by.
    assert follow(desk, NOW + timedelta(minutes=59), resolution=8) == []
    assert follow(desk, NOW + timedelta(minutes=61), resolution=8) == ["slides rain_risk"]
    assert set(live(desk)) == {WEST, MIDDLE}


def test_only_from_the_level_that_is_asked_and_urgent_where_it_says_so(desk):
    follow(desk, from_level=2, urgent_from=2)
    assert {key: alert.severity for key, alert in live(desk).items()} == {MIDDLE: Tier.URGENT}


ROAD = """
INSERT INTO layer.roads (source, source_key, geom) VALUES ('test', '1',
  ST_GeomFromText('MULTILINESTRING((104.02 22.05, 104.06 22.05))', 4326))
"""
PERSON = """
INSERT INTO gis.population_source (source, year, quality, people)
VALUES ('test', 2025, 'gridded', 60);
INSERT INTO gis.population VALUES (:cell, 60)
"""
RECORD = """
INSERT INTO layer.slides (source, source_key, geom, valid_at, default_point)
VALUES ('test', gen_random_uuid()::text, ST_Point(104.15, 22.05, 4326), :at, false)
"""


def test_a_level_that_meets_nobody_raises_nothing(desk):
    follow(desk, people=1, roads="roads", records=1)
    assert live(desk) == {}


def test_it_meets_a_road_people_or_records(desk):
    with desk.database.writing() as connection:
        connection.execute(text(ROAD))
    follow(desk, roads="roads", people=50, records=2)
    assert set(live(desk)) == {WEST}
    assert "km đường" in live(desk)[WEST].headline_vi
    with desk.database.writing() as connection:
        for hours in (1, 20, 30):  # the last one before the day of rain
            connection.execute(text(RECORD), {"at": NOW - timedelta(hours=hours)})
    follow(desk, NOW + timedelta(hours=2), roads="roads", records=3)
    assert set(live(desk)) == {WEST}
    follow(desk, NOW + timedelta(hours=4), roads="roads", records=2)
    assert set(live(desk)) == {WEST, MIDDLE}
    assert "2 bản ghi trong 24 giờ" in live(desk)[MIDDLE].headline_vi


def test_people_count_where_they_live(desk):
    import h3

    cell = h3.latlng_to_cell(22.05, 104.15, 7)
    with desk.database.writing() as connection:
        for statement in PERSON.split(";"):
            connection.execute(text(statement), {"cell": h3.str_to_int(cell)})
    follow(desk, people=61)
    assert live(desk) == {}
    follow(desk, NOW + timedelta(hours=2), people=60)
    alerts = live(desk)
    assert set(alerts) == {MIDDLE} and ", 60 dân" in alerts[MIDDLE].headline_vi
    with desk.database.reading() as connection:
        cells = connection.scalars(text(
            "SELECT (jsonb_array_elements_text(to_jsonb(cells)))::bigint FROM gis.alert"
        )).all()  # fmt: skip
    assert [cell_text(each) for each in cells] == [cell]


def test_rain_that_is_missing_or_old_raises_nothing_and_ends_what_was(desk):
    follow(desk)
    assert set(live(desk)) == {WEST, MIDDLE}
    add_rain(desk, "2024-09-12", (np.nan, np.nan, 150))
    follow(desk, NOW + timedelta(days=1))
    follow(desk, NOW + timedelta(days=1, hours=2))
    assert live(desk) == {}
    # Two days later the rain of the 12th says nothing of the day.
    assert follow(desk, NOW + timedelta(days=4), from_level=1) == ["slides rain_risk"]
    assert live(desk) == {}


def test_a_day_that_has_not_ended_is_not_told_of(desk):
    follow(desk, NOW - timedelta(hours=2))
    assert live(desk) == {}


def test_a_new_raster_is_heeded_at_once(desk):
    now = datetime.now(UTC)  # as rasters are stamped
    follow(desk, now)
    assert follow(desk, now + timedelta(minutes=1)) == []
    add_rain(desk, "2024-09-12", (0, 0, 0))
    assert follow(desk, datetime.now(UTC) - timedelta(seconds=1)) == ["slides rain_risk"]


def test_without_a_folder_or_a_raster_other_rules_go_on(desk):
    catalogue = Catalogue((slides(),))
    assert evaluate_rules(desk.database, catalogue, NOW) == []
    with desk.database.writing() as connection:
        connection.execute(text("UPDATE gis.raster_layer SET published = false"))
    assert follow(desk) == []
    assert live(desk) == {}


def test_a_backtest_names_the_command_that_holds_it_against_events(desk):
    with (
        desk.database.reading() as connection,
        pytest.raises(BadInput, match="gis risk verify"),
    ):
        backtest(connection, slides(), NOW - timedelta(days=2), NOW, rule="rain_risk")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"rain": "rain_dayly"}, "there is no raster layer `rain_dayly`; did you mean"),
        ({"susceptibility": "communes"}, "there is no raster layer `communes`"),
        ({"roads": "communes"}, "there is no layer of lines `communes`"),
        ({"rain": "closed_rain"}, "closed_rain is not public, and its alerts would tell of it"),
    ],
)
def test_what_a_rule_reads_is_there_and_public(tmp_path, rule, told):
    for name in ("communes", "roads", "rain_daily", "landslide_susceptibility"):
        (tmp_path / f"{name}.yaml").write_bytes((LAYERS / f"{name}.yaml").read_bytes())
    closed = (LAYERS / "rain_daily.yaml").read_text().replace("rain_daily", "closed_rain")
    (tmp_path / "closed_rain.yaml").write_text(closed.replace("read: public", "read: department"))
    document = slides(**rule).model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    (tmp_path / "slides.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
    with pytest.raises(BadLayerFile) as raised:
        read_catalogue(tmp_path)
    assert str(raised.value).startswith("slides.yaml: rule `rain_risk`: ")
    assert told in str(raised.value)
