"""Layers whose records are counted by hex: an open one, and one of which only counts are open."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import h3
import httpx
from sqlalchemy import text

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.storage.sync import sync
from tests.databases import Server
from tests.integration.ogc_app import app_client
from tests.integration.ogc_layers import INCIDENTS
from tests.integration.tile_reader import Decoded, decode
from tiles.grid import Tile, tile_at

K = 5
HEXES = {"category": "kind", "measure": "depth_m", "min_count": K, "filter_resolution": 7}


def variant(layer_id: str, **changed: Any) -> Layer:
    told = INCIDENTS.model_dump(mode="json") | {"id": layer_id, "tiles": {}, **changed}
    return Layer.model_validate(told)


OPEN = variant("incidents", hexes=HEXES)
COUNTED = variant("counted", access={"read": "department"}, hexes={**HEXES, "read": "public"})
CLOSED = variant("closed", access={"read": "department"}, hexes=HEXES)
LAYERS = Catalogue((OPEN, COUNTED, CLOSED))

# A hex of resolution 7 in Lào Cai, and smaller ones within it and beside it.
SEVEN = h3.latlng_to_cell(22.35, 103.95, 7)
HERE = h3.cell_to_latlng(SEVEN)
TENS = sorted(h3.cell_to_children(SEVEN, 10))
BESIDE = h3.cell_to_center_child(sorted(h3.grid_ring(SEVEN, 1))[0], 10)


def publish(database: Database, catalogue: Catalogue = LAYERS) -> None:
    with database.writing() as connection:
        sync(connection, catalogue)


def add(database: Database, layer: str, cell: str, number: int = 1, **values: Any) -> None:
    """So many records at the middle of a cell; `kind`, `depth_m` and `day` if given."""
    lat, lon = h3.cell_to_latlng(cell)
    told = {"kind": None, "depth_m": None, "day": None, **values}
    day = told.pop("day")
    told["at"] = None if day is None else datetime.fromisoformat(f"{day}T12:00+07:00")
    with database.writing() as connection:
        connection.execute(
            text(
                f"INSERT INTO layer.{layer} (geom, h3, kind, depth_m, valid_at, source, source_key)"
                " SELECT ST_Point(:lon, :lat, 4326), :cell, :kind, :depth_m, :at, 'test',"
                " gen_random_uuid()::text FROM generate_series(1, :number)"
            ),
            {
                **told,
                "lon": lon,
                "lat": lat,
                "cell": int(h3.latlng_to_cell(lat, lon, 11), 16),
                "number": number,
            },
        )


@contextmanager
def hex_service(database: Database, catalogue: Catalogue = LAYERS) -> Iterator[httpx.Client]:
    app = create_app(Settings(_env_file=None), database, catalogue)
    with app_client(app) as client:
        yield client


def key(database: Database, role: Role, *layers: str) -> dict[str, str]:
    with database.writing() as connection:
        return {"X-API-Key": create_key(connection, "tests", role, layers)}


def tile_of(cell: str, z: int) -> Tile:
    lat, lon = h3.cell_to_latlng(cell)
    return tile_at(lon, lat, z)


def hexes(
    client: httpx.Client, layer: str, tile: Tile, headers: Any = None, **asked: str
) -> dict[str, Decoded]:
    """The hexes of a tile, by cell."""
    path = f"/hexes/{layer}/{tile.z}/{tile.x}/{tile.y}.mvt"
    answer = client.get(path, params=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    found = decode(answer.content, tile, f"{layer}_hexes")
    return {one.properties["cell"]: one for one in found}


def fill(database: Database, layer: str = "incidents") -> None:
    """In the first hex 7 floods in March and 6 roads in April; 2 and 9 in two others of the same
    hex of resolution 7; 5 beside."""
    add(database, layer, TENS[0], 7, kind="flood", day="2026-03-31", depth_m=0.5)
    add(database, layer, TENS[0], 6, kind="road", day="2026-04-01", depth_m=1.5)
    add(database, layer, TENS[40], 2, kind="flood", day="2026-03-02")
    add(database, layer, TENS[80], 9, kind="road", day="2026-03-03", depth_m=2)
    add(database, layer, BESIDE, 5, kind="road")


@dataclass(frozen=True)
class Desk:
    """A service over records that no test changes, and an operator's key to it."""

    client: httpx.Client
    operator: dict[str, str]


@contextmanager
def filled_desk(postgres: Server, migrated: str) -> Iterator[Desk]:
    """A desk where `incidents` and `counted` are filled."""
    with postgres.opened(migrated) as database:
        publish(database)
        fill(database)
        fill(database, "counted")
        with hex_service(database) as client:
            yield Desk(client, key(database, Role.OPERATOR))
