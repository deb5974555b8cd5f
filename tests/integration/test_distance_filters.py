"""S_DWITHIN and IN_LAYER: against geodesics of pyproj, over points, lines and areas."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Geod
from sqlalchemy import text

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.settings import Settings
from layers.cql2.distance import FARTHEST_M
from layers.cql2.functions import FUNCTIONS
from tests.databases import Server
from tests.integration.ogc_app import app_client
from tests.planners import LAYERS, plant, plant_points, plant_province, plant_shapes
from tiles.grid import tile_at

GEOD = Geod(ellps="WGS84")
SLIDES = [(104.10, 22.05, 3), (104.25, 22.02, 0), (104.02, 22.09, 1)]
WAY = "LINESTRING(104.03 22.03, 104.12 22.03)"
ZONE = "POLYGON((104.07 22.04, 104.09 22.04, 104.09 22.06, 104.07 22.06, 104.07 22.04))"


@pytest.fixture(scope="module")
def province(
    postgres: Server, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    with postgres.opened(migrated) as database:
        plant_province(database, tmp_path_factory.mktemp("distances"))
        plant(database)
        plant_points(database, "slides", *SLIDES)
        plant_points(database, "secrets", (104.02, 22.05, 1))
        plant_shapes(database, "ways", ("QL4D", WAY, 2))
        plant_shapes(database, "zones", ("zone", ZONE, 0))
        yield database


@pytest.fixture(scope="module")
def http(province: Database) -> Iterator[httpx.Client]:
    app = create_app(Settings(_env_file=None), province, LAYERS)
    with app_client(app) as client:
        yield client


POINTS = {"a": (104.02, 22.05), "b": (104.08, 22.05), "c": (104.15, 22.05), "d": (104.15, 22.02),
          "e": (104.08, 22.08), "g": (104.25, 22.05)}  # fmt: skip


def keys(http: httpx.Client, filter_: Any, layer: str = "requests", **more: Any) -> set[str]:
    language = {} if isinstance(filter_, str) else {"filter-lang": "cql2-json"}
    words = filter_ if isinstance(filter_, str) else json.dumps(filter_)
    given = {"filter": words, "limit": 100, **language, **more}
    answer = http.get(f"/ogc/collections/{layer}/items", params=given)
    assert answer.status_code == 200, answer.text
    features = answer.json()["features"]
    places = {place: key for key, place in POINTS.items()}
    points = [feature["geometry"] for feature in features]
    return {places[tuple(point["coordinates"])] if point else "f" for point in points}


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(GEOD.inv(*one, *other)[2])


def test_what_lies_within_two_kilometres_of_a_point(http: httpx.Client) -> None:
    centre = (104.09, 22.05)
    near = {key for key, place in POINTS.items() if distance_m(centre, place) <= 2000}
    assert near == {"b"}
    assert keys(http, "S_DWITHIN(geom, POINT(104.09 22.05), 2000)") == near
    assert keys(http, "S_DWITHIN(POINT(104.09 22.05), geom, 2000)") == near
    in_json = {
        "op": "s_dwithin",
        "args": [{"property": "geom"}, {"type": "Point", "coordinates": list(centre)}, 2000],
    }
    assert keys(http, in_json) == near
    far = keys(http, "NOT S_DWITHIN(geom, POINT(104.09 22.05), 2000)")
    assert far == POINTS.keys() - near


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lon=st.floats(103.9, 104.4),
    lat=st.floats(21.9, 22.2),
    metres=st.integers(0, 60_000),
)
def test_distances_are_geodesic_whatever_the_index_says(
    province: Database, lon: float, lat: float, metres: float
) -> None:
    """The same rows as without the index, and as pyproj measures to within a centimetre."""
    sql = text(
        "SELECT source_key FROM layer.requests WHERE geom && gis.reach(ST_Point(:x, :y, 4326), :m)"
        " AND ST_DWithin(geom::geography, ST_Point(:x, :y, 4326)::geography, :m)"
    )
    with province.reading() as connection:
        found = set(connection.scalars(sql, {"x": lon, "y": lat, "m": metres}))
    for key, place in POINTS.items():
        distance = distance_m((lon, lat), place)
        if abs(distance - metres) > 0.01:
            assert (key in found) == (distance < metres)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lon=st.floats(-180, 180),
    lat=st.floats(-90, 90),
    azimuth=st.floats(0, 360),
    metres=st.integers(0, int(FARTHEST_M)),
)
def test_the_box_of_the_index_holds_all_that_lies_within_the_distance(
    province: Database, lon: float, lat: float, azimuth: float, metres: float
) -> None:
    """Anywhere on earth, the poles and 180° included."""
    x, y, _ = GEOD.fwd(lon, lat, azimuth, metres * 0.9999)
    sql = "SELECT ST_Point(%s, %s, 4326) && gis.reach(ST_Point(%s, %s, 4326), %s)"
    with province.reading() as connection:
        row = connection.exec_driver_sql(sql, (float(x), float(y), lon, lat, metres)).one()
    assert row[0]


def test_lines_and_areas_are_near_by_their_nearest_part(http: httpx.Client) -> None:
    """Against the nearest of many points along them."""
    for wkt in (WAY, ZONE):
        shape = shapely.from_wkt(wkt)
        along = shapely.get_coordinates(shapely.segmentize(shape, 0.0002))
        for metres in (0, 1500, 2500, 4000):
            near = set()
            for key, (x, y) in POINTS.items():
                n = len(along)
                apart = GEOD.inv(np.full(n, x), np.full(n, y), along[:, 0], along[:, 1])[2].min()
                if apart <= metres or shape.contains(shapely.Point(x, y)):
                    near.add(key)
                assert abs(apart - metres) > 15 or metres == 0  # so that the second way can tell
            assert keys(http, f"S_DWITHIN(geom, {wkt}, {metres})") == near, (wkt, metres)


def _near_slides(metres: float, least: int = 0) -> set[str]:
    return {
        key
        for key, place in POINTS.items()
        if any(distance_m(place, (x, y)) <= metres for x, y, deaths in SLIDES if deaths >= least)
    }


@pytest.mark.parametrize("metres", [0, 500, 2500, 4000, 6000, 30_000])
def test_what_lies_near_a_feature_of_another_layer(http: httpx.Client, metres: int) -> None:
    assert keys(http, f"IN_LAYER(geom, 'slides', {metres})") == _near_slides(metres)
    assert keys(http, f"IN_LAYER(geom, 'slides', {metres}, deaths > 0)") == _near_slides(metres, 1)
    in_json = {
        "op": "in_layer",
        "args": [{"property": "geom"}, "slides", metres,
                 {"op": ">", "args": [{"property": "deaths"}, 0]}],
    }  # fmt: skip
    assert keys(http, in_json) == _near_slides(metres, 1)
    assert keys(http, f"NOT IN_LAYER(geom, 'slides', {metres})") == (
        {*POINTS, "f"} - _near_slides(metres)
    )  # what has no place is near nothing


def test_within_an_area_and_along_a_line_of_another_layer(http: httpx.Client) -> None:
    assert keys(http, "IN_LAYER(geom, 'zones', 0)") == {"b"}
    assert keys(http, "IN_LAYER(geom, 'ways', 2500, name = 'QL4D')") == {"a", "b"}
    assert keys(http, "IN_LAYER(geom, 'ways', 2500, name = 'QL32')") == set()
    assert keys(http, "IN_LAYER(geom, 'zones', 0) OR IN_LAYER(geom, 'slides', 500)") == {"b"}


def test_a_predicate_may_search_the_other_layer_by_words_distance_and_place(
    http: httpx.Client,
) -> None:
    near = "S_DWITHIN(geom, POINT(104.25 22.02), 100)"
    assert keys(http, f"IN_LAYER(geom, 'slides', 5000, {near})") == {"g"}
    assert keys(http, "IN_LAYER(geom, 'ways', 2500, CASEI(name) LIKE CASEI('ql4%'))") == {"a", "b"}


def test_a_closed_layer_answers_as_one_that_does_not_exist(
    http: httpx.Client, province: Database
) -> None:
    for path in ("/ogc/collections/requests/items", "/summary/requests"):
        words = []
        for name in ("secrets", "nothing"):
            answer = http.get(path, params={"filter": f"IN_LAYER(geom, '{name}', 5000)"})
            assert answer.status_code == 400
            words.append(answer.json()["detail"].replace(name, "…"))
        assert words[0] == words[1]
    with province.writing() as connection:
        key = create_key(connection, "tests", Role.OPERATOR)
    headers = {"X-API-Key": key}
    filter_ = {"filter": "IN_LAYER(geom, 'secrets', 100)"}
    answer = http.get("/ogc/collections/requests/items", params=filter_, headers=headers)
    assert [f["properties"]["agency"] for f in answer.json()["features"]] == ["A"]
    closed = http.get("/ogc/collections/requests/items", params=filter_)
    assert closed.status_code == 400


def test_personal_and_unknown_fields_of_the_other_layer_are_no_properties(
    http: httpx.Client,
) -> None:
    for name in ("provenance", "source_key", "reporter_phone"):
        filter_ = f"IN_LAYER(geom, 'slides', 5000, {name} = 'x')"
        answer = http.get("/ogc/collections/requests/items", params={"filter": filter_})
        assert answer.status_code == 400
        assert f"no property '{name}'" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("filter_", "words"),
    [
        ("S_DWITHIN(geom, POINT(104 22))", "two geometries and a number"),
        ("S_DWITHIN(geom, POINT(104 22), -1)", "from 0 to 200000"),
        ("S_DWITHIN(geom, POINT(104 22), 1e9)", "from 0 to 200000"),
        ("S_DWITHIN(geom, POINT(104 22), 'far')", "from 0 to 200000"),
        ("S_DWITHIN(agency, POINT(104 22), 5)", "is a text, not a geometry"),
        ("IN_LAYER(geom, 'slides')", "takes the geometry of this layer"),
        ("IN_LAYER(geom, slides, 5)", "takes the geometry of this layer"),
        ("IN_LAYER(POINT(104 22), 'slides', 5)", "geometry of this layer first"),
        ("IN_LAYER(agency, 'slides', 5)", "geometry of this layer first"),
        ("IN_LAYER(geom, 'slides', 5, deaths)", "not true or false"),
        ("IN_LAYER(geom, 'slides', 5, agency = 'A')", "no property 'agency'"),
        ("IN_LAYER(geom, 'slides', 5, IN_LAYER(geom, 'ways', 5))", "not offered here"),
        ("IN_LAYER(geom, 'slides', 5) OR IN_LAYER(geom, 'ways', 5) OR IN_LAYER(geom, 'zones', 5)",
         "at most 2 other layers"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_in_words(http: httpx.Client, filter_: str, words: str) -> None:
    answer = http.get("/ogc/collections/requests/items", params={"filter": filter_})
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["detail"]


def test_a_page_changes_when_the_other_layer_does(http: httpx.Client, province: Database) -> None:
    given = {"filter": "IN_LAYER(geom, 'slides', 10, deaths = 99)"}
    first = http.get("/ogc/collections/requests/items", params=given)
    tag = {"If-None-Match": first.headers["ETag"]}
    again = http.get("/ogc/collections/requests/items", params=given, headers=tag)
    assert (first.json()["numberMatched"], again.status_code) == (0, 304)
    with province.writing() as connection:
        connection.execute(
            text("INSERT INTO layer.slides (source, source_key, geom, deaths)"
                 " VALUES ('tests', 'new', ST_Point(104.25, 22.05, 4326), 99)")
        )  # fmt: skip
    changed = http.get("/ogc/collections/requests/items", params=given, headers=tag)
    assert changed.status_code == 200
    assert changed.json()["numberMatched"] == 1
    with province.writing() as connection:
        connection.execute(text("DELETE FROM layer.slides WHERE source_key = 'new'"))


def test_tiles_which_are_cached_for_their_own_layer_take_distances_and_no_other_layer(
    http: httpx.Client,
) -> None:
    tile = tile_at(104.02, 22.05, 10)
    path = f"/tiles/requests/10/{tile.x}/{tile.y}.mvt"
    near = http.get(path, params={"filter": "S_DWITHIN(geom, POINT(104.02 22.05), 5000)"})
    assert near.status_code in (200, 204)
    other = http.get(path, params={"filter": "IN_LAYER(geom, 'slides', 5000)"})
    assert other.status_code == 400
    assert "not offered here" in other.json()["detail"]


def test_the_functions_are_listed_with_their_arguments(http: httpx.Client) -> None:
    document = http.get("/ogc/functions").json()
    assert [each["name"] for each in document["functions"]] == [each.name for each in FUNCTIONS]
    for each in document["functions"]:
        assert each["returns"] == ["boolean"]
        assert all(argument["title"] and argument["type"] for argument in each["arguments"])
    landing = http.get("/ogc?f=json").json()["links"]
    assert any(link["rel"].endswith("/functions") for link in landing)
    assert "S_DWITHIN" in http.get("/ogc/functions?f=html&lang=vi").text


def test_the_index_finds_what_is_near(province: Database) -> None:
    """With many rows PostgreSQL begins with the few of the other layer."""
    with province.writing() as connection:
        connection.execute(
            text("INSERT INTO layer.requests (source, source_key, geom)"
                 " SELECT 'many', n, ST_Point(104 + random() * 0.3, 22 + random() * 0.1, 4326)"
                 " FROM generate_series(1, 5000) AS n")
        )  # fmt: skip
    try:
        with province.writing() as connection:
            connection.exec_driver_sql("SET ROLE gis_owner")
            connection.exec_driver_sql("ANALYZE layer.requests, layer.slides")
        from sqlalchemy import select

        from layers.cql2 import FilterScope, condition, parse, properties_of
        from layers.items import source_of

        own = source_of(LAYERS.get("requests"))
        scope = FilterScope(own, lambda name: source_of(LAYERS.get(name)))
        wanted = parse("IN_LAYER(geom, 'slides', 300)")
        statement = (
            select(own.id)
            .select_from(own.table)
            .where(condition(wanted, properties_of(own), scope=scope))
        )
        with province.reading() as connection:
            compiled = statement.compile(connection.engine)
            plan = connection.exec_driver_sql(
                f"EXPLAIN {compiled}", dict(compiled.params)
            ).scalars()
            words = "\n".join(plan)
        assert "requests.geom" in words, words
    finally:
        with province.writing() as connection:
            connection.execute(text("DELETE FROM layer.requests WHERE source = 'many'"))
