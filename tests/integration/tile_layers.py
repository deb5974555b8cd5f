"""A service with tiles of points, of squares side by side, and of layers that few may read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import text

from api.app import create_app
from gis.database.async_reader import AsyncReader
from gis.database.engine import Database
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.storage.sync import sync
from tests.integration.ogc_app import serving
from tests.integration.ogc_layers import INCIDENTS
from tests.integration.tile_reader import Decoded, decode
from tiles.grid import Tile


def variant(layer_id: str, **changed: Any) -> Layer:
    told = INCIDENTS.model_dump(mode="json") | {"id": layer_id, "tiles": {}, **changed}
    return Layer.model_validate(told)


POINTS = variant("incidents")
DEPARTMENT = variant("secret", access={"read": "department"})
PRIVATE = variant("closed", access={"read": "private"})
AREAS = variant("areas", geometry="polygon", placed=False, style={"text": "note"})
WAYS = variant("ways", geometry="line", placed=False)
GATHERED = variant("gathered", tiles={"points_from_zoom": 12})
LAYERS = Catalogue((AREAS, PRIVATE, GATHERED, POINTS, DEPARTMENT))


def publish(database: Database, catalogue: Catalogue = LAYERS) -> None:
    with database.writing() as connection:
        sync(connection, catalogue)


def execute(database: Database, statement: str, **values: Any) -> None:
    with database.writing() as connection:
        connection.execute(text(statement), values)


def add_points(database: Database, rows: int, layer_id: str = "incidents") -> None:
    """Points in the west of the province, always the same; each has a kind, a severity, a time."""
    execute(
        database,
        f"INSERT INTO layer.{layer_id} (geom, kind, note, severity, valid_at, source, source_key)"
        " SELECT ST_SetSRID(ST_MakePoint("
        "   103.6 + (i * 7919 % 10007) / 10007.0, 21.9 + (i * 104729 % 10009) / 10009.0), 4326),"
        " (ARRAY['flood', 'road'])[1 + i % 2], 'Ghi chú ' || i, i % 5,"
        " timestamptz '2026-01-01' + i * interval '1 hour', 'test', i::text"
        " FROM generate_series(1, CAST(:rows AS bigint)) AS i",
        rows=rows,
    )


def squares(database: Database, across: int) -> None:
    """So many squares across and up, side by side, over one degree."""
    execute(
        database,
        "INSERT INTO layer.areas (geom, kind, source, source_key)"
        " SELECT ST_Multi(ST_MakeEnvelope(103.6 + x * side, 21.9 + y * side,"
        "   103.6 + (x + 1) * side, 21.9 + (y + 1) * side, 4326)), 'flood', 't', x || '.' || y"
        " FROM (SELECT 1.0 / :across AS side) AS s, generate_series(0, :across - 1) AS x,"
        "   generate_series(0, :across - 1) AS y",
        across=across,
    )


def wavy_squares(database: Database) -> None:
    """Nine squares of 0.2° whose common borders have many small teeth."""
    execute(
        database,
        """
        INSERT INTO layer.areas (geom, kind, note, source, source_key)
        SELECT ST_Multi(ST_MakePolygon(ST_MakeLine(ARRAY(
          SELECT ST_SetSRID(ST_MakePoint(
            103.6 + 0.2 * (c + x) + 0.004 * sin(157 * (r + y)) * (x * (1 - x) = 0)::int,
            22.0 + 0.2 * (r + y) + 0.004 * sin(211 * (c + x)) * (y * (1 - y) = 0)::int), 4326)
          FROM (SELECT n, CASE n / 100 WHEN 0 THEN n % 100 / 100.0 WHEN 1 THEN 1
                  WHEN 2 THEN 1 - n % 100 / 100.0 ELSE 0 END AS x,
                CASE n / 100 WHEN 0 THEN 0 WHEN 1 THEN n % 100 / 100.0
                  WHEN 2 THEN 1 ELSE 1 - n % 100 / 100.0 END AS y
                FROM (SELECT generate_series(0, 399) % 400 UNION ALL SELECT 0) AS s (n)) AS e
          )))), 'flood', 'Xã ' || c || r, 'test', c || '.' || r
        FROM generate_series(0, 2) AS c, generate_series(0, 2) AS r
        """,
    )


class TileClient(httpx.Client):
    """A client of a service, and how that asks the database from its event loop."""

    async_reader: AsyncReader


@contextmanager
def tile_service(
    database: Database, catalogue: Catalogue = LAYERS, **settings: Any
) -> Iterator[TileClient]:
    app = create_app(Settings(_env_file=None, **settings), database, catalogue)
    with serving(app) as url, TileClient(base_url=url, timeout=60, verify=False) as client:
        client.async_reader = app.state.async_reader
        yield client


def path_of(layer_id: str, tile: Tile) -> str:
    return f"/tiles/{layer_id}/{tile.z}/{tile.x}/{tile.y}.mvt"


def features(
    client: httpx.Client, layer_id: str, tile: Tile, headers: Any = None, **parameters: str
) -> list[Decoded]:
    """Those of a tile; none where it lies beyond the limits of its tileset."""
    answer = client.get(path_of(layer_id, tile), params=parameters, headers=headers)
    if answer.status_code == 404 and "has no tile" in answer.json()["detail"]:
        return []
    assert answer.status_code == 200, answer.text
    return decode(answer.content, tile, layer_id)
