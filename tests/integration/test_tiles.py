"""Tiles over HTTP: the same features as items have, for the same people, never an older state."""

import asyncio
import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from gis.access import Role, create_key
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.definition.model import TileOptions
from tests.databases import Server
from tests.integration.tile_layers import (
    AREAS,
    WAYS,
    TileClient,
    add_points,
    execute,
    features,
    path_of,
    publish,
    squares,
    tile_service,
    wavy_squares,
)
from tests.integration.tile_reader import decode
from tests.waiting import wait_until
from tiles.grid import EARTH_RADIUS_M, Tile, tile_at
from tiles.mvt import MOST_ROWS

HERE = tile_at(104.1, 22.4, 9)
ROWS = 400


@pytest.fixture
def http(database: Database) -> Iterator[TileClient]:
    publish(database)
    add_points(database, ROWS)
    with tile_service(database) as client:
        yield client


@pytest.fixture(scope="module")
def standing(postgres: Server, migrated: str) -> Iterator[TileClient]:
    """A service that no test changes."""
    with postgres.opened(migrated) as database:
        publish(database)
        add_points(database, ROWS)
        with tile_service(database) as client:
            yield client


def key(database: Database, role: Role, *layers: str) -> dict[str, str]:
    with database.writing() as connection:
        return {"X-API-Key": create_key(connection, "tests", role, layers)}


def items(client: httpx.Client, layer_id: str, tile: Tile, **parameters: str) -> list[dict]:
    box = ",".join(repr(edge) for edge in tile.bbox().as_list())
    asked = {"bbox": box, "limit": "10000", **parameters}
    answer = client.get(f"/ogc/collections/{layer_id}/items", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["features"]


FILTERS = st.sampled_from(
    [
        {},
        {"filter": "kind = 'flood'"},
        {"filter": "severity > 2 OR kind = 'road'"},
        {"filter": "note LIKE 'Ghi chú 1%'"},
        {"datetime": "2026-01-03T00:00:00Z/2026-01-09T00:00:00Z"},
        {"datetime": "2026-01-05T00:00:00Z/..", "filter": "severity = 1"},
        {"severity": "3"},
        {"kind": "road", "datetime": "../2026-01-10T00:00:00Z"},
    ]
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lon=st.floats(103.55, 104.65), lat=st.floats(21.85, 22.95), z=st.integers(5, 14), asked=FILTERS
)
def test_the_features_of_a_tile_are_the_items_of_its_envelope(http, lon, lat, z, asked):
    tile = tile_at(lon, lat, z)
    shown = features(http, "incidents", tile, **asked)
    listed = items(http, "incidents", tile, **asked)
    assert [one.id for one in shown] == sorted(item["id"] for item in listed)
    told = {item["id"]: item["properties"] for item in listed}
    for one in shown:
        assert one.properties.items() <= told[one.id].items()
        assert {"kind", "note", "severity"} <= one.properties.keys()


def test_a_tile_as_text(http, database):
    execute(database, "DELETE FROM layer.incidents WHERE id > 3")
    shown = [one.text for one in features(http, "incidents", tile_at(104.1, 22.4, 6))]
    assert shown == [
        "1: kind=road note=Ghi chú 1 severity=1 | POINT (11620721 2555290)",
        "2: kind=flood note=Ghi chú 2 severity=2 | POINT (11597637 2611089)",
        "3: kind=road note=Ghi chú 3 severity=3 | POINT (11574401 2546423)",
    ]


@pytest.mark.parametrize("z", [8, 10, 11, 12])
def test_a_point_lies_within_a_unit_of_its_place(http, z):
    """Near by, degrees are drawn as they are, of which Mercator differs by less than that."""
    tile = tile_at(104.1, 22.4, z)
    shown = {one.id: one.geometry for one in features(http, "incidents", tile)}
    listed = {one["id"]: one["geometry"]["coordinates"] for one in items(http, "incidents", tile)}
    assert shown.keys() == listed.keys() and shown
    for number, place in shown.items():
        lon, lat = listed[number]
        x = math.radians(lon) * EARTH_RADIUS_M
        y = math.asinh(math.tan(math.radians(lat))) * EARTH_RADIUS_M
        assert math.dist((place.x, place.y), (x, y)) < 1.6 * tile.size_m / 4096


def test_crowds_are_gathered_where_counts_show_them(http, database):
    add_points(database, 3_000, "closed")
    admin = key(database, Role.ADMIN)
    whole = features(http, "closed", Tile(0, 0, 0), admin)
    assert sum(one.properties["count"] for one in whole) == 3_000
    filtered = features(http, "closed", Tile(0, 0, 0), admin, filter="severity >= 0")
    assert len(filtered) == 3_000


def test_fields_choose_what_a_tile_carries(http):
    shown = features(http, "incidents", HERE, fields="severity,valid_at")
    assert shown and all(set(one.properties) == {"severity", "valid_at"} for one in shown)
    assert shown[0].properties["valid_at"].startswith("2026-01-")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/tiles/incidents/3/8/0.mvt", 404, "no tile 3/8/0"),
        ("/tiles/incidents/25/0/0.mvt", 404, "no tile 25/0/0"),
        ("/tiles/incidents/a/0/0.mvt", 400, "z"),
        ("/tiles/nowhere/0/0/0.mvt", 404, "no layer nowhere"),
        ("/tiles/incidents/0/0/0.mvt?filter=kind%20=", 400, "filter"),
        ("/tiles/incidents/0/0/0.mvt?filter=colour='red'", 400, "colour"),
        ("/tiles/incidents/0/0/0.mvt?datetime=yesterday", 400, "datetime"),
        ("/tiles/incidents/0/0/0.mvt?fields=phone", 400, "phone"),
        ("/tiles/incidents/0/0/0.mvt?filter=phone%20IS%20NULL", 400, "phone"),
        ("/tiles/incidents/0/0/0.mvt?colour=red", 400, "colour"),
        ("/tiles/incidents/0/0/0.mvt?kind=road&kind=flood", 400, "twice"),
    ],
)
def test_a_wrong_query_is_answered_with_what_is_wrong(standing, path, status, words):
    answer = standing.get(path)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_a_tile_of_nothing_is_empty(http, database):
    """Between rows; beyond them there is none (test_tilesets)."""
    execute(database, "DELETE FROM layer.incidents WHERE ST_X(geom) BETWEEN 103.7 AND 104.5")
    answer = http.get(path_of("incidents", tile_at(104.1, 22.4, 12)))
    assert (answer.status_code, answer.content) == (200, b"")


def test_personal_fields_are_in_no_tile(http):
    content = http.get(path_of("incidents", HERE)).content
    assert b"note" in content and b"phone" not in content


# --- Rights ----------------------------------------------------------------------------------


@pytest.mark.parametrize("layer_id", ["secret", "closed"])
def test_a_tile_that_may_not_be_read_is_not_there(http, database, layer_id):
    """Also when somebody who may has just fetched it, with the same parameters."""
    add_points(database, 20, layer_id)
    admin, named = key(database, Role.ADMIN), key(database, Role.DEPARTMENT, layer_id)
    other = key(database, Role.DEPARTMENT, "incidents")
    for headers in (admin, named):
        assert len(features(http, layer_id, HERE, headers)) > 0
    for headers in ({}, other):
        for path in (path_of(layer_id, HERE), f"/tiles/{layer_id}/tilejson.json"):
            assert http.get(path, headers=headers).status_code == 404


def test_an_operator_reads_layers_of_departments_and_not_private_ones(http, database):
    operator = key(database, Role.OPERATOR)
    assert http.get(path_of("secret", HERE), headers=operator).status_code == 200
    assert http.get(path_of("closed", HERE), headers=operator).status_code == 404


def test_no_shared_cache_keeps_one_persons_tile_for_another(http):
    headers = http.get(path_of("incidents", HERE)).headers
    assert headers["Cache-Control"] == "public, no-cache"
    assert {"X-API-Key", "Authorization"} <= set(headers["Vary"].split(", "))


def test_each_coding_of_a_tile_has_an_etag_of_its_own_and_gzip_may_be_refused(http):
    path = path_of("incidents", HERE)
    answers = {
        coding: http.get(path, headers={"Accept-Encoding": coding})
        for coding in ("gzip", "br, gzip;q=0.5", "*", "gzip;q=0", "identity", "*;q=0", "br")
    }
    packed = {coding: one for coding, one in answers.items() if "Content-Encoding" in one.headers}
    assert set(packed) == {"gzip", "br, gzip;q=0.5", "*"}
    assert len({one.content for one in answers.values()}) == 1
    assert len({one.headers["ETag"] for one in packed.values()}) == 1
    assert len({one.headers["ETag"] for one in answers.values()}) == 2
    known = {"If-None-Match": answers["gzip"].headers["ETag"], "Accept-Encoding": "gzip;q=0"}
    assert http.get(path, headers=known).status_code == 200


def test_head_says_of_a_tile_what_get_does(http):
    for path in (path_of("incidents", HERE), path_of("incidents", HERE) + "?fields=kind"):
        told, whole = http.head(path), http.get(path)
        assert (told.status_code, told.content) == (200, b"")
        assert told.headers["ETag"] == whole.headers["ETag"]
    assert http.head(path_of("nothing", HERE)).status_code == 404


# --- Freshness -------------------------------------------------------------------------------


def test_an_unchanged_tile_is_304_and_a_changed_one_is_not(http, database):
    first = http.get(path_of("incidents", HERE))
    known = {"If-None-Match": first.headers["ETag"]}
    again = http.get(path_of("incidents", HERE), headers=known)
    assert (again.status_code, again.content) == (304, b"")
    weak = {"If-None-Match": f'"x", W/{first.headers["ETag"]}'}
    assert http.get(path_of("incidents", HERE), headers=weak).status_code == 304
    execute(database, "UPDATE layer.incidents SET severity = 9")
    assert http.get(path_of("incidents", HERE), headers=known).status_code == 200


def test_the_next_request_after_a_commit_sees_it(http, database):
    for n in range(25):
        execute(
            database,
            "UPDATE layer.incidents SET severity = :n WHERE ST_X(geom) > 104.0",
            n=100 + n,
        )
        seen = {one.properties["severity"] for one in features(http, "incidents", HERE)}
        assert 100 + n in seen and not seen & set(range(100, 100 + n))


def test_no_reader_of_any_worker_ever_sees_an_older_tile(http, database):
    """Two services with caches of their own, four readers, one writer: whoever begins to read after
    a commit sees it, or something newer.
    """
    committed, failures, done = [0], [], threading.Event()

    def read(client: httpx.Client) -> None:
        while not done.is_set():
            least = committed[0]
            seen = {one.properties["severity"] for one in features(client, "incidents", HERE)}
            if min(seen) < least:
                failures.append((least, seen))

    execute(database, "UPDATE layer.incidents SET severity = 0")
    with tile_service(database) as second, ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read, client) for client in (http, second, http, second)]
        for n in range(1, 21):
            execute(database, "UPDATE layer.incidents SET severity = :n", n=n)
            committed[0] = n
        done.set()
        for reader in readers:
            reader.result()
        for client in (http, second):
            seen = {one.properties["severity"] for one in features(client, "incidents", HERE)}
            assert seen == {20}
    assert failures == []


def test_a_restarted_service_has_its_tiles_on_disk_and_shows_none_that_is_old(database, tmp_path):
    publish(database)
    add_points(database, ROWS)
    kept = {"home": tmp_path, "tiles_disk_mb": 5}
    path = path_of("incidents", HERE)
    with tile_service(database, **kept) as http:
        first = http.get(path).content
    with tile_service(database, **kept) as http, counting(http, database) as made:
        assert http.get(path).content == first and made == []
        execute(database, "UPDATE layer.incidents SET severity = 55")
    with tile_service(database, **kept) as http:
        seen = {one.properties["severity"] for one in features(http, "incidents", HERE)}
    assert seen == {55}


def test_a_tile_on_disk_is_not_found_by_who_may_not_read_its_layer(database, tmp_path):
    publish(database)
    add_points(database, 20, "closed")
    with tile_service(database, home=tmp_path, tiles_disk_mb=5) as http:
        assert features(http, "closed", HERE, key(database, Role.ADMIN))
    with tile_service(database, home=tmp_path, tiles_disk_mb=5) as http:
        assert http.get(path_of("closed", HERE)).status_code == 404


def test_a_removed_layer_has_no_tiles_though_they_were_cached(http, database):
    assert http.get(path_of("incidents", HERE)).status_code == 200
    execute(database, "UPDATE gis.layer SET published = false WHERE id = 'incidents'")
    assert http.get(path_of("incidents", HERE)).status_code == 404


@contextmanager
def counting(http: TileClient, database: Database, wait_s: float = 0.0) -> Iterator[list[str]]:
    """The statements that make tiles while inside, each held up for a while."""
    made: list[str] = []
    ask, ask_on_loop = database.ask, http.async_reader.ask

    def noted(statement):
        if "ST_AsMVT(" in statement:
            made.append(statement)
            return wait_s
        return 0.0

    def note(connection, cursor, statement, *rest):
        time.sleep(noted(statement))

    def noted_ask(statement, values):
        time.sleep(noted(statement))
        return ask(statement, values)

    async def noted_ask_on_loop(statement, values):
        found = await ask_on_loop(statement, values)
        await asyncio.sleep(noted(statement))
        return found

    event.listen(database._reader_engine, "before_cursor_execute", note)
    database.ask, http.async_reader.ask = noted_ask, noted_ask_on_loop
    yield made
    del database.ask, http.async_reader.ask
    event.remove(database._reader_engine, "before_cursor_execute", note)


@pytest.mark.parametrize("z", [9, 14])
def test_many_who_miss_one_tile_make_it_once(http, database, z):
    path = path_of("incidents", tile_at(104.1, 22.4, z))
    with counting(http, database) as alone:
        http.get(path_of("incidents", tile_at(103.2, 22.4, z)))
    with counting(http, database, 0.3) as made, ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda _: http.get(path).content, range(8)))
    assert len(set(bodies)) == 1
    assert len(made) == len(alone) == 1


@pytest.mark.parametrize(
    "path",
    [
        f"/tiles/incidents/9/{HERE.x}/{HERE.y}.mvt",
        f"/tiles/incidents/9/{HERE.x}/{HERE.y}.pbf?kind=flood",
        f"/ogc/collections/incidents/tiles/WebMercatorQuad/9/{HERE.y}/{HERE.x}?f=mvt",
        f"/ogc/tiles/WebMercatorQuad/9/{HERE.y}/{HERE.x}?collections=incidents,gathered",
    ],
)
def test_a_cached_tile_costs_one_statement_on_the_event_loop_on_every_route(http, database, path):
    drawn = http.get(path)
    assert drawn.status_code == 200
    on_loop, elsewhere = [], []
    ask, ask_on_loop = database.ask, http.async_reader.ask

    async def noted_on_loop(statement, values):
        on_loop.append(statement)
        return await ask_on_loop(statement, values)

    def noted(statement, values):
        elsewhere.append(statement)
        return ask(statement, values)

    def note(connection, cursor, statement, *rest):
        if "definition FROM gis.layer" not in statement:  # the service follows layer files
            elsewhere.append(statement)

    event.listen(database._reader_engine, "before_cursor_execute", note)
    database.ask, http.async_reader.ask = noted, noted_on_loop
    try:
        cached = http.get(path)
    finally:
        del database.ask, http.async_reader.ask
        event.remove(database._reader_engine, "before_cursor_execute", note)
    assert cached.content == drawn.content and cached.headers["etag"] == drawn.headers["etag"]
    assert (len(on_loop), elsewhere) == (1, [])
    assert http.get(path, headers={"If-None-Match": drawn.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(("lon", "status"), [(104.1, 200), (120.0, 404)])
def test_an_empty_tile_is_known_to_lie_within_the_limits_or_beyond_by_its_statement(
    http, database, lon, status
):
    execute(database, "DELETE FROM layer.incidents WHERE ST_X(geom) BETWEEN 103.7 AND 104.5")
    http.get(path_of("incidents", HERE))  # which layer files are in force is known from now on
    asked = []
    ask_on_loop = http.async_reader.ask

    async def noted_on_loop(statement, values):
        asked.append(statement)
        return await ask_on_loop(statement, values)

    http.async_reader.ask = noted_on_loop
    try:
        answer = http.get(path_of("incidents", tile_at(lon, 22.4, 13)))
    finally:
        del http.async_reader.ask
    assert answer.status_code == status
    assert ["ST_AsMVT(" in statement for statement in asked] == [True]


@pytest.mark.parametrize("way", ["at once, and large", "in a thread, as the question fails"])
def test_more_who_wait_for_one_tile_than_there_are_threads_hold_nothing_up(database, way):
    """The one who makes it may need a thread himself, of which an application has forty."""
    publish(database)
    large = way.startswith("at once")
    rows = 9_000 if large else MOST_ROWS + 500
    execute(
        database,
        "INSERT INTO layer.incidents (geom, kind, note, severity, valid_at, source, source_key)"
        " SELECT ST_SetSRID(ST_MakePoint(104.1, 22.4), 4326), 'flood', 'Ghi chú ' || i, i % 5,"
        " now(), 'test', i::text FROM generate_series(1, CAST(:rows AS bigint)) AS i",
        rows=rows,
    )
    tile = tile_at(104.1, 22.4, 13)
    with (
        tile_service(database) as http,
        counting(http, database, 1.0),
        httpx.Client(base_url=http.base_url, timeout=25, limits=httpx.Limits()) as many,
        ThreadPoolExecutor(60) as pool,
    ):
        answers = list(pool.map(lambda _: many.get(path_of("incidents", tile)), range(60)))
        assert {one.status_code for one in answers} == {200}
        assert len({one.content for one in answers}) == 1
        assert len(answers[0].content) > 64 * 1024 or not large
        assert http.get("/health/live").status_code == 200


def test_a_tile_that_is_being_made_is_not_handed_to_who_asks_after_a_commit(http, database):
    """Who asks while it is drawn waits for it, and is told of a later state all the same."""
    with counting(http, database, 0.5) as made, ThreadPoolExecutor(2) as pool:
        early = pool.submit(features, http, "incidents", HERE)
        wait_until(lambda: made != [])
        execute(database, "UPDATE layer.incidents SET severity = 77")
        late = features(http, "incidents", HERE)
        early.result()
    assert {one.properties["severity"] for one in late} == {77}
    assert len(made) == 2


def test_a_tile_that_takes_too_long_is_reported_as_with_parameters(database):
    hasty = Database(database.url, reader_timeout_ms=300)
    publish(database)
    add_points(database, 9)
    with tile_service(hasty) as http, database.writing() as connection:
        connection.execute(text("LOCK TABLE layer.incidents IN ACCESS EXCLUSIVE MODE"))
        plain = http.get(path_of("incidents", HERE))
        asked = http.get(path_of("incidents", HERE), params={"fields": "kind"})
    for answer in (plain, asked):
        assert answer.status_code == 503 and "took too long" in answer.json()["detail"]
        assert answer.headers["x-request-id"] == answer.json()["request_id"]
    hasty.close()


def test_a_database_that_is_away_is_unavailable_and_comes_back(postgres, migrated):
    with postgres.database(migrated) as url:
        away = Database(url)
        publish(away)
        add_points(away, 9)
        with tile_service(away) as http:
            assert http.get(path_of("incidents", HERE)).status_code == 200
            with postgres.refusing(url):
                for _ in range(2):
                    assert http.get(path_of("incidents", HERE)).status_code == 503
            assert http.get(path_of("incidents", HERE)).status_code == 200
        away.close()


def test_a_change_drops_only_the_tiles_that_it_touches(http, database):
    west, east = tile_at(103.7, 22.4, 10), tile_at(104.5, 22.4, 10)
    before = {one: http.get(path_of("incidents", one)).content for one in (west, east)}
    for n in range(3):
        execute(
            database,
            "UPDATE layer.incidents SET severity = :n WHERE ST_X(geom) > 104.45",
            n=100 + n,
        )
        with counting(http, database) as made:
            assert http.get(path_of("incidents", west)).content == before[west]
        assert made == []
        with counting(http, database) as made:
            assert http.get(path_of("incidents", east)).content != before[east]
        assert made


def test_a_row_that_leaves_a_tile_drops_it_and_one_that_comes_too(http, database):
    west, east = tile_at(103.7, 22.4, 10), tile_at(104.5, 22.4, 10)
    execute(
        database,
        "INSERT INTO layer.incidents (geom, kind, source, source_key) VALUES"
        " ('SRID=4326;POINT(103.7 22.4)', 'moves', 't', 'moves')",
    )

    def has(tile: Tile) -> bool:
        shown = features(http, "incidents", tile)
        return "moves" in {one.properties["kind"] for one in shown}

    assert (has(west), has(east)) == (True, False)
    execute(
        database,
        "UPDATE layer.incidents SET geom = 'SRID=4326;POINT(104.5 22.4)' WHERE kind = 'moves'",
    )
    assert (has(west), has(east)) == (False, True)
    execute(database, "TRUNCATE layer.incidents")
    assert (features(http, "incidents", west), features(http, "incidents", east)) == ([], [])


# --- How much is drawn -----------------------------------------------------------------------


def test_clusters_stand_for_every_row(http, database):
    add_points(database, 3_000, "gathered")
    around = [Tile(10, x, y) for x in range(806, 811) for y in range(443, 450)]
    counts = [one.properties["count"] for t in around for one in features(http, "gathered", t)]
    assert sum(counts) == 3_000
    everywhere = features(http, "gathered", Tile(0, 0, 0))
    assert sum(one.properties["count"] for one in everywhere) == 3_000


def test_clusters_count_what_the_filter_leaves(http, database):
    add_points(database, 3_000, "gathered")
    shown = features(http, "gathered", Tile(0, 0, 0), filter="kind = 'flood'")
    assert sum(one.properties["count"] for one in shown) == 1_500


def test_no_tile_of_100_000_points_is_heavy(http, database):
    execute(database, "DELETE FROM layer.incidents")
    add_points(database, 100_000)
    for z in range(5, 15):
        content = http.get(path_of("incidents", tile_at(104.1, 22.4, z))).content
        assert 0 < len(content) <= 500_000, z


def test_too_many_polygons_are_gathered_and_counted(http, database):
    squares(database, 120)
    everywhere = features(http, "areas", Tile(0, 0, 0))
    assert sum(one.properties["count"] for one in everywhere) == 120 * 120
    near = features(http, "areas", tile_at(104.1, 22.4, 12))
    assert near and all(one.geometry.geom_type == "Polygon" for one in near)


@pytest.mark.parametrize("z", [0, 3, 6])
def test_clusters_from_counts_are_those_from_rows(http, database, z):
    """With a filter that leaves every row they are made from the rows."""
    squares(database, 120)
    tile = tile_at(104.1, 22.4, z)
    counted = features(http, "areas", tile)
    gathered = features(http, "areas", tile, filter="kind = 'flood'")
    told = sorted((one.properties["count"], one.geometry.x, one.geometry.y) for one in counted)
    again = sorted((one.properties["count"], one.geometry.x, one.geometry.y) for one in gathered)
    assert len(told) == len(again) > 0
    assert [one[0] for one in told] == [one[0] for one in again]
    for one, other in zip(told, again, strict=True):
        assert one[1:] == pytest.approx(other[1:], abs=tile.size_m / 4096)


# --- Polygons --------------------------------------------------------------------------------


@pytest.mark.parametrize("z", [6, 7, 8, 9])
def test_neighbours_have_no_gap_between_them_when_simplified(http, database, z):
    wavy_squares(database)
    tile = tile_at(103.9, 22.3, z)
    shown = features(http, "areas", tile)
    pieces = [shapely.make_valid(one.geometry) for one in shown]
    whole = shapely.union_all(pieces)
    holes = [hole for part in shapely.get_parts(whole) for hole in part.interiors]
    unit_m = tile.size_m / 4096
    # Coordinates are rounded to the tile's grid: slivers of a unit or so are rounding, not gaps.
    assert sum(shapely.area(shapely.polygons(hole)) for hole in holes) <= 4 * unit_m**2 * 400
    overlap = sum(shapely.area(piece) for piece in pieces) - shapely.area(whole)
    assert overlap <= shapely.area(whole) * 1e-3


@pytest.mark.parametrize("z", [7, 9, 10])
def test_a_polygon_has_one_label_point_among_all_tiles_of_a_zoom(http, database, z):
    wavy_squares(database)
    first, last = tile_at(103.55, 22.65, z), tile_at(104.25, 21.95, z)
    found: list[str] = []
    for x in range(first.x, last.x + 1):
        for y in range(first.y, last.y + 1):
            content = http.get(path_of("areas", Tile(z, x, y))).content
            labels = decode(content, Tile(z, x, y), "areas_labels")
            found += [one.properties["note"] for one in labels]
    whole = [f"Xã {c}{r}" for c in range(3) for r in range(3)]
    assert sorted(found) == whole


def test_polygons_have_fewer_vertices_from_afar(http, database):
    wavy_squares(database)
    near = features(http, "areas", tile_at(103.9, 22.3, 13))
    far = features(http, "areas", tile_at(103.9, 22.3, 5))
    assert len(far) == 9 and near
    assert sum(shapely.get_num_coordinates(one.geometry) for one in far) < 9 * 401 / 4


def test_a_changed_polygon_is_drawn_as_it_is_now(http, database):
    wavy_squares(database)
    tile = tile_at(103.9, 22.3, 7)
    before = {one.id: one.text for one in features(http, "areas", tile)}
    execute(database, "UPDATE layer.areas SET geom = ST_Translate(geom, 0.05, 0) WHERE id = 1")
    after = {one.id: one.text for one in features(http, "areas", tile)}
    assert before.keys() == after.keys() and before[1] != after[1]


def test_a_changed_polygon_drops_no_tile_beyond_its_neighbours(http, database):
    wavy_squares(database)
    own, beside, beyond = (tile_at(lon, lat, 12) for lon, lat in CORNER_BESIDE_BEYOND)
    for each in (own, beside, beyond):
        http.get(path_of("areas", each))
    execute(database, "UPDATE layer.areas SET severity = 7 WHERE note = 'Xã 22'")
    for tile, again in ((beyond, False), (beside, True), (own, True)):
        with counting(http, database) as made:
            http.get(path_of("areas", tile))
        assert bool(made) is again


CORNER_BESIDE_BEYOND = [(104.1, 22.5), (103.9, 22.5), (103.7, 22.1)]
CHANGES = [
    "UPDATE layer.areas SET geom = ST_Translate(geom, 0.003, 0.002) WHERE note = 'Xã 11'",
    "DELETE FROM layer.areas WHERE note = 'Xã 20'",
    "UPDATE layer.areas SET note = 'changed' WHERE note = 'Xã 02'",
    "UPDATE layer.areas SET geom = ST_Multi(ST_Simplify(geom, 0.003)) WHERE note = 'Xã 00'",
    "INSERT INTO layer.areas (geom, kind, note, source, source_key) SELECT"
    " ST_Translate(geom, 0.2, 0), kind, 'Xã 32', 'test', '3.2' FROM layer.areas WHERE id = 9",
]


def test_cached_tiles_of_polygons_are_those_that_a_new_service_makes(http, database):
    wavy_squares(database)
    first, last = tile_at(103.55, 22.65, 11), tile_at(104.45, 21.95, 11)
    columns, rows = range(first.x, last.x + 1), range(first.y, last.y + 1)
    tiles = [Tile(11, x, y) for x in columns for y in rows] + [tile_at(103.9, 22.3, 8)]

    def all_of(client):
        answers = {str(tile): client.get(path_of("areas", tile)) for tile in tiles}
        return {tile: (one.status_code, one.headers.get("etag")) for tile, one in answers.items()}

    before = all_of(http)
    for change in CHANGES:
        execute(database, change)
        kept = all_of(http)
        with tile_service(database) as fresh:
            assert kept == all_of(fresh)
        assert kept != before
        before = kept


@pytest.mark.parametrize("layer_id", ["areas", "ways"])
def test_what_is_too_small_to_be_drawn_is_in_its_tile_all_the_same(database, layer_id):
    """Houses and driveways of four metres, as the items of the envelope tell."""
    deep = {"tiles": TileOptions(max_zoom=17)}
    layers = Catalogue(tuple(one.model_copy(update=deep) for one in (AREAS, WAYS)))
    publish(database, layers)
    box = "ST_MakeEnvelope(x, 22.4, x + 0.00004, 22.40004, 4326)"
    shape = f"ST_Multi({box})" if layer_id == "areas" else f"ST_Multi(ST_ExteriorRing({box}))"
    execute(
        database,
        f"INSERT INTO layer.{layer_id} (geom, kind, note, valid_at, source, source_key)"
        f" SELECT {shape}, 'house', 'Nhà ' || i, now(), 'test', i::text"
        " FROM generate_series(1, 5) AS i, LATERAL (SELECT 104.1 + i * 0.01) AS at(x)",
    )
    with tile_service(database, layers) as http:
        for z in (6, 9, 11, 13, 15, 17):
            tile = tile_at(104.11001, 22.40001, z)
            shown = {one.id for one in features(http, layer_id, tile)}
            assert shown == {one["id"] for one in items(http, layer_id, tile)} != set()
