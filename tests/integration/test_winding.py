"""Rings of what is served: exteriors counter-clockwise in GeoJSON, positive in vector tiles.

RFC 7946, 3.1.6; Mapbox Vector Tile 2.1, 4.3.4.4, by whose sign a client tells holes from areas.
"""

from collections.abc import Iterator
from typing import Any

import h3
import httpx
import pytest
import shapely
from sqlalchemy import text

from gis.access import Role
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.definition.model import GeometryKind, Layer
from layers.jobs.covers import fill_waiting_covers
from tests.databases import Server
from tests.integration.hex_layers import hex_service, key, publish, variant
from tiles.grid import Tile, tile_at

AREAS = variant("areas", geometry="polygon", hexes={"resolutions": [5, 6, 7]})
HOLED = """POLYGON((104.02 22.02, 104.02 22.06, 104.06 22.06, 104.06 22.02, 104.02 22.02),
                   (104.03 22.03, 104.05 22.03, 104.05 22.05, 104.03 22.05, 104.03 22.03))"""
MIDDLE = (104.04, 22.055)


@pytest.fixture(scope="module")
def http(postgres: Server, toy_template: str, catalogue: Catalogue) -> Iterator[httpx.Client]:
    """A service whose areas and units are wound clockwise in the database."""
    layers = Catalogue((*catalogue.layers, AREAS), {**catalogue.digests, "areas": "1"})
    with postgres.opened(toy_template) as database:
        publish(database, layers)
        with database.writing() as connection:
            for force in ("ST_ForcePolygonCW", "ST_ForcePolygonCCW"):
                connection.execute(text(
                    "INSERT INTO layer.areas (geom, source, source_key)"
                    f" SELECT ST_Multi({force}(ST_GeomFromText(:shape, 4326))), 't', '{force}'"
                ), {"shape": HOLED})  # fmt: skip
            connection.exec_driver_sql("UPDATE gis.admin_unit SET geom = ST_ForcePolygonCW(geom)")
        fill_waiting_covers(database, layers)
        with hex_service(database, layers) as client:
            client.headers.update(key(database, Role.OPERATOR))
            yield client


def polygon_layers(http: httpx.Client, catalogue: Catalogue) -> list[Layer]:
    return [each for each in (*catalogue.layers, AREAS) if each.geometry is GeometryKind.POLYGON]


def polygons(geometry: dict[str, Any]) -> list[shapely.Polygon]:
    return list(shapely.get_parts(shapely.geometry.shape(geometry)))


def test_geojson_is_wound_right_whatever_is_stored(
    http: httpx.Client, catalogue: Catalogue
) -> None:
    seen = {}
    for layer in polygon_layers(http, catalogue):
        path = f"/ogc/collections/{layer.id}/items"
        features = http.get(path, params={"f": "json"}).json()["features"]
        one = [http.get(f"{path}/{each['id']}").json() for each in features[:2]]
        found = [part for each in (*features, *one) if each["geometry"]
                 for part in polygons(each["geometry"])]  # fmt: skip
        seen[layer.id] = len(found)
        for polygon in found:
            assert polygon.exterior.is_ccw
            assert not any(ring.is_ccw for ring in polygon.interiors)
    assert {"areas", "communes", "admin_units"} <= {name for name, found in seen.items() if found}


def test_hexes_in_geojson_are_wound_right(http: httpx.Client) -> None:
    answer = http.get(
        "/ogc/collections/areas/dggs/H3/zones", params={"zone-level": 7, "f": "geojson"}
    ).json()
    assert answer["features"]
    for feature in answer["features"]:
        assert all(polygon.exterior.is_ccw for polygon in polygons(feature["geometry"]))
    cell = h3.latlng_to_cell(*MIDDLE[::-1], 7)
    assert shapely.LinearRing(http.get(f"/hexes/{cell}").json()["outline"]).is_ccw


@pytest.mark.parametrize("radius", [0.1, 2])  # a large one is sent with fewer points
def test_the_shape_of_an_alert_is_wound_right(database: Database, radius: float) -> None:
    ring = shapely.Point(MIDDLE).buffer(radius, quad_segs=20 if radius < 1 else 1000).reverse()
    told = text("SELECT gis.payload_shape(ST_GeomFromText(:ring, 4326))")
    with database.reading() as connection:
        (polygon,) = polygons(connection.scalar(told, {"ring": ring.wkt}))
    assert polygon.exterior.is_ccw


@pytest.mark.parametrize("path", ["/tiles/areas", "/tiles/communes", "/hexes/areas"])
def test_tiles_are_wound_right(http: httpx.Client, path: str) -> None:
    for z in (8, 10, 12, 14):
        tile = tile_at(*MIDDLE, z)
        features = rings_of(http, path, tile)
        assert features
        for rings in features:
            assert rings[0] > 0
            assert sum(rings) > 0
    if path == "/tiles/areas":  # each with its hole
        tile = tile_at(*MIDDLE, 11)
        for exterior, hole in rings_of(http, path, tile):
            assert exterior > -4 * hole / 1.1 > 0


def rings_of(http: httpx.Client, path: str, tile: Tile) -> list[list[float]]:
    """The areas of the rings of each polygon of a tile, by the surveyor's formula."""
    answer = http.get(f"{path}/{tile.z}/{tile.x}/{tile.y}.mvt")
    assert answer.status_code == 200
    return [
        areas_of(numbers(geometry))
        for layer in members(answer.content, 3)
        for feature in members(layer, 2)
        if 3 in [kind for number, kind in fields(feature) if number == 3]
        for geometry in members(feature, 4)
    ]


def areas_of(commands: list[int]) -> list[float]:
    """MVT 2.1, 4.3: MoveTo 1, LineTo 2, ClosePath 7; steps are zigzag-encoded."""
    areas, ring, x, y, i = [], [], 0, 0, 0
    while i < len(commands):
        command, count = commands[i] & 7, commands[i] >> 3
        i += 1
        if command == 7:
            pairs = zip(ring, ring[1:] + ring[:1], strict=True)
            areas.append(sum(a * d - c * b for (a, b), (c, d) in pairs) / 2)
            ring = []
            continue
        for right, down in zip(commands[i : i + 2 * count : 2], commands[i + 1 :: 2], strict=False):
            x, y = x + signed(right), y + signed(down)
            ring.append((x, y))
        i += 2 * count
    return areas


def signed(zigzag: int) -> int:
    return zigzag >> 1 ^ -(zigzag & 1)


def members(message: bytes, number: int) -> list[bytes]:
    return [value for field, value in fields(message) if field == number and type(value) is bytes]


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: numbers or bytes, and nothing for what has a fixed size."""
    at = 0
    while at < len(message):
        head, at = number_at(message, at)
        value, after = number_at(message, at) if head & 7 in (0, 2) else (0, at)
        if head & 7 == 2:
            after, value = after + value, message[after : after + value]
        at = after + {1: 8, 5: 4}.get(head & 7, 0)
        yield head >> 3, value


def numbers(packed: bytes) -> list[int]:
    found, at = [], 0
    while at < len(packed):
        value, at = number_at(packed, at)
        found.append(value)
    return found


def number_at(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
