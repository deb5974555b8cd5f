"""What the triggers of layers' tables tell of each change: which box, and how many rows where."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gis.database.engine import Database
from tests.integration.tile_layers import add_points, execute, publish


def rows_of(database: Database, statement: str) -> list[Any]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def version_of(database: Database) -> int:
    return rows_of(database, "SELECT version FROM gis.layer WHERE id = 'incidents'")[0][0]


def touches(database: Database, since: int) -> list[Any]:
    found = rows_of(
        database,
        "SELECT version, west, south, east, north FROM gis.changed_area"
        f" WHERE layer_id = 'incidents' AND version > {since} ORDER BY 1, 2, 3",
    )
    return [(row[0] - since, *row[1:]) for row in found]


@pytest.fixture
def points(database: Database) -> Database:
    publish(database)
    execute(
        database,
        "INSERT INTO layer.incidents (geom, source, source_key) VALUES"
        " ('SRID=4326;POINT(104 22)', 't', '1'), ('SRID=4326;POINT(104.5 22.5)', 't', '2'),"
        " (NULL, 't', '3')",
    )
    return database


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM layer.incidents WHERE id = 1", [(1, 104, 22, 104, 22)]),
        ("UPDATE layer.incidents SET note = 'x' WHERE id = 2", [(1, 104.5, 22.5, 104.5, 22.5)]),
        (
            "UPDATE layer.incidents SET geom = ST_Translate(geom, 1, 0) WHERE id = 1",
            [(1, 104, 22, 104, 22), (1, 105, 22, 105, 22)],
        ),
        ("UPDATE layer.incidents SET note = 'x' WHERE id = 3", [(1, None, None, None, None)]),
        ("UPDATE layer.incidents SET note = 'x' WHERE id = 9", [(1, None, None, None, None)]),
        ("TRUNCATE layer.incidents", []),
        ("UPDATE gis.layer SET version = version + 1", []),
    ],
)
def test_a_change_reports_the_boxes_that_it_touched(points, statement, told):
    before = version_of(points)
    execute(points, statement)
    assert version_of(points) == before + 1
    assert touches(points, before) == told


def test_each_statement_of_a_transaction_reports_its_own_version(points):
    before = version_of(points)
    with points.writing() as connection:
        connection.execute(text("UPDATE layer.incidents SET note = 'a' WHERE id = 1"))
        connection.execute(text("UPDATE layer.incidents SET note = 'b' WHERE id = 2"))
    assert [one[0] for one in touches(points, before)] == [1, 2]
    assert version_of(points) == before + 2


def test_many_places_are_reported_as_one_box(points):
    before = version_of(points)
    add_points(points, 3_000)
    ((version, west, south, east, north),) = touches(points, before)
    assert version == 1
    assert (west, south) == pytest.approx((103.6, 21.9), abs=0.01)
    assert (east, north) == pytest.approx((104.6, 22.9), abs=0.01)


def test_the_log_is_bounded(points):
    execute(points, "UPDATE gis.layer SET version = version + 5000 WHERE id = 'incidents'")
    execute(points, "UPDATE layer.incidents SET note = 'x' WHERE id = 1")
    told = rows_of(points, "SELECT version FROM gis.changed_area WHERE layer_id = 'incidents'")
    assert [row[0] for row in told] == [version_of(points)]


_COUNTED = """
SELECT zoom, across, up, count, sum_x, sum_y FROM gis.tile_count
WHERE layer_id = 'incidents' ORDER BY 1, 2, 3"""
_ANEW = """
SELECT zoom, floor(x / 40075016.685578488 * 2 ^ zoom)::int, floor(y / 40075016.685578488 * 2 ^ zoom)::int,
  count(*)::int, sum(round(x * 100)::bigint)::bigint, sum(round(y * 100)::bigint)::bigint
FROM (SELECT ST_X(p) AS x, ST_Y(p) AS y
      FROM (SELECT ST_Transform(geom, 3857) AS p FROM layer.incidents WHERE geom IS NOT NULL) AS a) AS b,
  (VALUES (11), (13), (16)) AS zooms (zoom)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""  # noqa: E501

PLACE = st.tuples(st.integers(1030, 1050), st.integers(215, 230))
STEP = st.one_of(
    st.tuples(st.just("add"), PLACE),
    st.tuples(st.just("move"), PLACE),
    st.tuples(st.just("lose"), PLACE),
    st.tuples(st.just("delete"), PLACE),
    st.tuples(st.just("many"), PLACE),
    st.tuples(st.just("truncate"), PLACE),
)
_STEPS = {
    "add": "INSERT INTO layer.incidents (geom, source, source_key)"
    " VALUES (ST_SetSRID(ST_MakePoint({x}, {y}), 4326), 't', gen_random_uuid()::text)",
    "move": "UPDATE layer.incidents SET geom = ST_SetSRID(ST_MakePoint({x}, {y}), 4326)"
    " WHERE id = (SELECT max(id) FROM layer.incidents)",
    "lose": "UPDATE layer.incidents SET geom = NULL WHERE ST_X(geom) > {x}",
    "delete": "DELETE FROM layer.incidents WHERE ST_X(geom) > {x}",
    "many": "INSERT INTO layer.incidents (geom, source, source_key)"
    " SELECT ST_SetSRID(ST_MakePoint({x} + i / 50.0, {y}), 4326), 't', gen_random_uuid()::text"
    " FROM generate_series(1, 20) i",
    "truncate": "TRUNCATE layer.incidents",
}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEP, min_size=1, max_size=8))
def test_counts_are_those_of_the_rows_after_any_changes(points, steps):
    for name, (x, y) in steps:
        execute(points, _STEPS[name].format(x=x / 10 + 0.0123, y=y / 10 + 0.0123))
    kept, anew = rows_of(points, _COUNTED), rows_of(points, _ANEW)
    assert [row[:4] for row in kept] == [row[:4] for row in anew]
    assert [row[4:] for row in kept] == [pytest.approx(row[4:], abs=row[3]) for row in anew]
