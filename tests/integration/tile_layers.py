"""A service with tiles of points, of squares side by side, and of layers that few may read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import text

from api.app import create_app
from gis.database.asking import Asking
from gis.database.engine import Database
from gis.settings import Settings
from layers.catalogue import Catalogue
from layers.model import Layer
from layers.schema import sync
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


class TileClient(httpx.Client):
    """A client of a service, and how that asks the database from its event loop."""

    asking: Asking


@contextmanager
def tile_service(
    database: Database, catalogue: Catalogue = LAYERS, **settings: Any
) -> Iterator[TileClient]:
    app = create_app(Settings(_env_file=None, **settings), database, catalogue)
    with serving(app) as url, TileClient(base_url=url, timeout=30) as client:
        client.asking = app.state.asking
        yield client


def path_of(layer_id: str, tile: Tile) -> str:
    return f"/tiles/{layer_id}/{tile.z}/{tile.x}/{tile.y}.mvt"


def features(
    client: httpx.Client, layer_id: str, tile: Tile, headers: Any = None, **parameters: str
) -> list[Decoded]:
    answer = client.get(path_of(layer_id, tile), params=parameters, headers=headers)
    assert answer.status_code == 200, answer.text
    return decode(answer.content, tile, layer_id)
