"""The tiles that a tileset says it has are those that it has: elsewhere each route answers 404."""

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.database.engine import Database
from gis.values import BBox
from layers.definition.catalogue import Catalogue
from tests.integration.tile_layers import (
    AREAS,
    POINTS,
    add_points,
    execute,
    publish,
    tile_service,
    variant,
)
from tiles.grid import MAX_ZOOM, Tile, tile_at
from tiles.limits import limits_of

FAR = variant("far", tiles={"min_zoom": 5, "max_zoom": 10})
NOTHING = variant("nothing")
LAYERS = Catalogue((AREAS, FAR, NOTHING, POINTS))
GRID = "WebMercatorQuad"


@pytest.fixture
def http(database: Database) -> Iterator[httpx.Client]:
    publish(database, LAYERS)
    add_points(database, 40)
    execute(
        database,
        "INSERT INTO layer.areas (geom, kind, source, source_key) VALUES"
        " (ST_Multi(ST_MakeEnvelope(104, 22.2, 104.3, 22.5, 4326)), 'x', 't', '1')",
    )
    execute(
        database,
        "INSERT INTO layer.far (geom, kind, source, source_key) VALUES"
        " ('SRID=4326;POINT(107 20)', 'x', 't', '1')",
    )
    with tile_service(database, LAYERS) as client:
        yield client


ROUTES = {
    "areas": ["/tiles/areas/{z}/{x}/{y}.mvt", "/tiles/areas/{z}/{x}/{y}.pbf"],
    "far": ["/tiles/far/{z}/{x}/{y}.mvt", "/tiles/far/{z}/{x}/{y}.mvt?kind=none"],
    "incidents": ["/tiles/incidents/{z}/{x}/{y}.mvt"],
    "nothing": ["/tiles/nothing/{z}/{x}/{y}.mvt"],
    "areas,incidents": [],
    "far,incidents": [],
}


def routes_of(names: str) -> list[str]:
    found = [f"/ogc/tiles/{GRID}/{{z}}/{{y}}/{{x}}?collections={names}", *ROUTES[names]]
    if "," not in names:
        found.append(f"/ogc/collections/{names}/tiles/{GRID}/{{z}}/{{y}}/{{x}}")
    return found


def is_declared(document: dict, tile: Tile) -> bool:
    limits = {one["tileMatrix"]: one for one in document.get("tileMatrixSetLimits", [])}
    own = limits.get(str(tile.z))
    if own is None:
        return "tileMatrixSetLimits" not in document and tile.z <= 14
    columns = range(own["minTileCol"], own["maxTileCol"] + 1)
    return tile.x in columns and tile.y in range(own["minTileRow"], own["maxTileRow"] + 1)


def around(lon: float, lat: float) -> Iterator[Tile]:
    for z in (0, 6, 9, 14, 15):
        middle, last = tile_at(lon, lat, z), (1 << z) - 1
        for right in (-1, 0, 1):
            for down in (-1, 0, 1):
                x, y = middle.x + right, middle.y + down
                if 0 <= x <= last and 0 <= y <= last:
                    yield Tile(z, x, y)


@pytest.mark.parametrize("names", ROUTES)
def test_a_tile_is_there_where_its_tileset_says_so_and_404_elsewhere(http, names):
    document = http.get(f"/ogc/tiles/{GRID}?collections={names}").json()
    seen = set()
    for lon, lat in ((104.0, 22.2), (107.0, 20.0)):
        for tile in around(lon, lat):
            here = is_declared(document, tile)
            for route in routes_of(names):
                answer = http.get(route.format(z=tile.z, x=tile.x, y=tile.y))
                assert answer.status_code == (200 if here else 404), (route, tile)
                seen.add((here, answer.status_code == 200 and len(answer.content) > 0))
                if not here:
                    assert answer.json()["detail"].count(f"{tile.z}/{tile.x}/{tile.y}") == 1
    assert (False, False) in seen
    assert (names == "nothing") is ((True, True) not in seen)


def test_limits_grow_and_shrink_with_the_rows(http, database):
    """Also of tiles that are kept, and that no change touches."""
    far, between = tile_at(105.2, 23.4, 9), tile_at(104.9, 22.9, 9)
    paths = [f"/tiles/incidents/9/{one.x}/{one.y}.mvt" for one in (far, between)]

    def statuses() -> list[int]:
        return [http.get(path).status_code for path in paths for _ in range(2)]

    assert statuses() == [404] * 4
    execute(
        database,
        "INSERT INTO layer.incidents (geom, kind, source, source_key)"
        " VALUES ('SRID=4326;POINT(105.2 23.4)', 'x', 't', 'far')",
    )
    assert statuses() == [200] * 4
    execute(database, "DELETE FROM layer.incidents WHERE source_key = 'far'")
    assert statuses() == [404] * 4


def test_a_tile_beyond_the_limits_is_refused_after_a_restart_too(database, tmp_path):
    publish(database, LAYERS)
    add_points(database, 40)
    for _ in range(2):
        with tile_service(database, LAYERS, home=tmp_path, tiles_disk_mb=5) as http:
            assert http.get("/tiles/incidents/9/1/1.mvt").status_code == 404


EDGE = st.floats(-180, 180, width=32)
LATITUDE = st.floats(-85, 85, width=32)


@given(EDGE, LATITUDE, st.floats(0, 3), st.floats(0, 3), st.integers(0, MAX_ZOOM))
def test_limits_are_the_tiles_whose_widened_box_meets_that_of_the_rows(lon, lat, wide, high, z):
    box = BBox(lon, lat, min(lon + wide, 180.0), min(lat + high, 85.0))
    limits, last = limits_of(box, z), (1 << z) - 1

    def meets(x: int, y: int) -> bool:
        own = Tile(z, x, y).bbox()
        return (
            own.west <= box.east
            and own.east >= box.west
            and own.south <= box.north
            and own.north >= box.south
        )

    corners = [(limits.first_x, limits.first_y), (limits.last_x, limits.last_y)]
    assert all(meets(x, y) and limits.hold(Tile(z, x, y)) for x, y in corners)
    for x, y in ((limits.first_x - 1, limits.first_y), (limits.first_x, limits.first_y - 1)):
        assert x < 0 or y < 0 or not meets(x, y)
    for x, y in ((limits.last_x + 1, limits.last_y), (limits.last_x, limits.last_y + 1)):
        assert x > last or y > last or not meets(x, y)
