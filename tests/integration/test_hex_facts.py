"""Everything about one hex: its place, measures and trend by layer, hotspots, alerts."""

from collections.abc import Iterator
from datetime import date, timedelta

import h3
import httpx
import pytest
from sqlalchemy import text

from gis.access import Role
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.storage.sync import sync
from tests.integration.hex_layers import COUNTED, OPEN, add, hex_service, key
from tests.integration.notify.made import open_to_all
from tests.waiting import lasting_today

CELL = h3.latlng_to_cell(22.05, 104.05, 10)
SEVEN = h3.cell_to_parent(CELL, 7)
LAYERS = Catalogue((OPEN, COUNTED))


@pytest.fixture
def today() -> date:
    return lasting_today()


@pytest.fixture
def http(toy_province: Database) -> Iterator[httpx.Client]:
    with toy_province.writing() as connection:
        sync(connection, LAYERS)
    with hex_service(toy_province, LAYERS) as client:
        yield client


def rising(database: Database, today: date, layer: str = "incidents") -> None:
    """One record twelve weeks ago, two eleven weeks ago, and so on."""
    for week in range(12):
        day = today - timedelta(days=7 * (11 - week))
        add(database, layer, CELL, week + 1, kind="flood", day=str(day), depth_m=week)


def test_a_hex_is_described_with_its_commune_its_area_and_its_measures(http, toy_province, today):
    rising(toy_province, today)
    found = http.get(f"/hexes/{CELL}", headers=key(toy_province, Role.OPERATOR)).json()
    assert (found["cell"], found["resolution"], found["commune"]) == (CELL, 10, "00001")
    assert found["area_km2"] == pytest.approx(h3.cell_area(CELL, unit="km^2"), rel=1e-4)
    ring = [(lon, lat) for lat, lon in h3.cell_to_boundary(CELL)]
    assert len(found["outline"]) == 7
    for corner in found["outline"]:
        assert min(abs(corner[0] - x) + abs(corner[1] - y) for x, y in ring) < 1e-9
    assert found["counts"] == {"counted": 0, "incidents": 78}
    told = found["layers"]["incidents"]
    assert told["count"] == 78
    assert told["mean"] == pytest.approx(sum(n * (n + 1) for n in range(12)) / 78, rel=1e-3)


def test_who_works_with_a_layer_gets_its_weeks_and_where_they_go(http, toy_province, today):
    rising(toy_province, today)
    found = http.get(f"/hexes/{SEVEN}", headers=key(toy_province, Role.OPERATOR)).json()
    trend = found["layers"]["incidents"]["trend"]
    assert trend["counts"] == list(range(1, 13))
    assert (trend["step"], trend["direction"]) == ("week", "rising")
    assert trend["p"] < 0.001
    assert trend["first"] == str(today - timedelta(days=83))
    quiet = found["layers"]["counted"]["trend"]
    assert (quiet["counts"], quiet["direction"], quiet["p"]) == ([0] * 12, "none", 1)


def test_the_public_gets_months_of_at_least_k_and_no_trend_through_hidden_ones(
    http, toy_province, today
):
    rising(toy_province, today)
    assert http.get(f"/hexes/{CELL}").json()["layers"]["incidents"]["trend"] is None
    trend = http.get(f"/hexes/{SEVEN}").json()["layers"]["incidents"]["trend"]
    assert trend["step"] == "month" and len(trend["counts"]) == 12
    assert all(count is None or count >= 5 for count in trend["counts"])
    assert trend["counts"][:8] == [None] * 8 and trend["counts"][-2] > 20
    assert trend["direction"] is None


def test_a_full_year_of_shown_months_has_a_direction_for_the_public_too(http, toy_province, today):
    for n in range(12):
        number = 12 * today.year + today.month - 1 - n
        add(toy_province, "counted", CELL, 5 + n, day=f"{number // 12}-{number % 12 + 1:02}-01")
    trend = http.get(f"/hexes/{SEVEN}").json()["layers"]["counted"]["trend"]
    assert trend["counts"] == list(range(16, 4, -1))
    assert trend["direction"] == "falling"


def test_a_hidden_hex_and_an_empty_one_look_the_same_to_the_public(http, toy_province, today):
    add(toy_province, "incidents", CELL, 4, kind="flood", day=str(today))
    empty = h3.latlng_to_cell(22.02, 104.25, 10)
    hidden = http.get(f"/hexes/{CELL}").json()["layers"]["incidents"]
    assert hidden == http.get(f"/hexes/{empty}").json()["layers"]["incidents"]
    assert hidden["count"] is None


def test_counts_that_are_open_are_given_of_a_layer_whose_records_are_not(http, toy_province):
    add(toy_province, "counted", CELL, 6)
    found = http.get(f"/hexes/{CELL}").json()
    assert found["counts"]["counted"] == 6


HOTSPOT = """
INSERT INTO gis.hotspot_run (layer_id, method, parameters, input_version, input_until, code_version)
VALUES (:layer, 'gi_star', '{}', 1, now(), 'test');
INSERT INTO gis.hotspot (run_id, cell, geom, count, expected, z, p, q, edge)
SELECT max(id), :cell, ST_GeomFromText('POLYGON((104 22, 104.1 22, 104 22.1, 104 22))', 4326),
       9, 1.5, 4.2, 0.001, 0.01, false FROM gis.hotspot_run;
INSERT INTO gis.alert (layer_id, rule, severity, headline_vi, headline_en, cells, communes, geom,
                       official, simulated, evidence)
VALUES (:layer, 'hotspot', 'alert', 'Nóng', 'Hot', ARRAY[:cell], '{}',
        ST_Multi(ST_GeomFromText('POLYGON((104 22, 104.1 22, 104 22.1, 104 22))', 4326)),
        true, false, '{}')
"""


def test_hotspots_and_alerts_are_listed_in_above_and_below_their_hex(http, toy_province):
    eight = h3.cell_to_parent(CELL, 8)
    for layer in ("incidents", "counted"):
        with toy_province.writing() as connection:
            for statement in HOTSPOT.split(";"):
                connection.execute(text(statement), {"layer": layer, "cell": int(eight, 16)})
    open_to_all(toy_province)
    for cell in (CELL, eight, SEVEN):
        found = http.get(f"/hexes/{cell}").json()
        assert [(one["of_layer"], one["cell"]) for one in found["hotspots"]] == [
            ("incidents", eight)
        ]
        assert [(one["layer_id"], one["headline_en"]) for one in found["alerts"]] == [
            ("incidents", "Hot")
        ]
    beside = h3.cell_to_center_child(sorted(h3.grid_ring(eight, 1))[0], 10)
    found = http.get(f"/hexes/{beside}").json()
    assert found["hotspots"] == [] and found["alerts"] == []
    operator = http.get(f"/hexes/{CELL}", headers=key(toy_province, Role.OPERATOR)).json()
    assert {one["of_layer"] for one in operator["hotspots"]} == {"incidents", "counted"}


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("8865a6d3b5ffff", "15 hexadecimal digits"),
        ("zzzzzzzzzzzzzzz", "15 hexadecimal digits"),
        ("ffffffffffffff1", "15 hexadecimal digits"),
        (h3.cell_to_parent(CELL, 4), "from 5 to 10"),
        (h3.cell_to_center_child(CELL, 11), "from 5 to 10"),
    ],
)
def test_what_is_no_counted_hex_is_400_and_says_what_is(http, cell, words):
    answer = http.get(f"/hexes/{cell}")
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
