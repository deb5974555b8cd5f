"""A small map by hand: squares of 0.1°, points and lines, each named for its purpose."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import shapely
from sqlalchemy import Select, func, literal, select, text

from gis.access import LOCAL_ADMIN, Principal
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.items import ItemSource, source_of
from layers.processes.execution import execute_now, process_of, read_parameters
from layers.processes.runs import ProcessRun, find_run, readable_result
from layers.storage.sync import sync
from tests.databases import Server, template


def layer(layer_id: str, geometry: str, read: str = "public", **fields: str) -> Layer:
    return Layer.model_validate(
        {
            "id": layer_id,
            "title": {"vi": f"Lớp {layer_id}", "en": layer_id},
            "description": {"vi": "Để kiểm thử", "en": "For tests"},
            "department": {"vi": "Kiểm thử", "en": "Tests"},
            "licence": "CC-BY-4.0",
            "geometry": geometry,
            "placed": False,
            "source": {"connector": "file", "key": "key", "time": {"column": "at"}},
            "fields": {
                name: {"type": kind, "label": {"vi": name, "en": name}}
                for name, kind in fields.items()
            },
            "access": {"read": read},
        }
    )


LAYERS = (
    layer("squares", "polygon", name="text", people="integer"),
    layer("spots", "point", name="text", size="number"),
    layer("posts", "point", name="text"),
    layer("ways", "line", name="text", kmh="number"),
    layer("closed_spots", "point", "department", name="text"),
)
CATALOGUE = Catalogue(LAYERS)

# West to east: a, b and c share borders; d lies apart, and holds nothing.
SQUARES = {"a": 104.0, "b": 104.1, "c": 104.2, "d": 104.5}
SPOTS = {
    "in_a": (104.05, 22.05, 1.0),
    "also_in_a": (104.06, 22.05, 3.0),
    "in_b": (104.15, 22.05, 5.0),
    "on_the_border_of_a_and_b": (104.1, 22.05, 7.0),
    "outside": (104.35, 22.05, 9.0),
}
POSTS = {"west": (104.05, 22.04), "east": (104.25, 22.05)}
WAYS = {
    "through_a_and_b": [(104.05, 22.02), (104.15, 22.02)],
    "in_c": [(104.21, 22.01), (104.21, 22.02)],
}


def square(west: float, south: float = 22.0, size: float = 0.1) -> shapely.Polygon:
    """Neighbours have the same corners to the last bit."""
    return shapely.box(west, south, round(west + size, 6), round(south + size, 6))


def add(database: Database, layer_id: str, shape: shapely.Geometry | None, **values: Any) -> None:
    kinds = {"Polygon": "ST_Multi(g)", "LineString": "ST_Multi(g)"}
    made = kinds.get(shape.geom_type, "g") if shape is not None else "g"
    names = "".join(f", {name}" for name in values)
    marks = "".join(f", :{name}" for name in values)
    with database.writing() as connection:
        connection.execute(
            text(
                f"INSERT INTO layer.{layer_id} (geom, source, source_key{names})"
                f" SELECT {made}, 'test', gen_random_uuid()::text{marks}"
                " FROM ST_GeomFromText(:wkt, 4326) AS g"
            ),
            {"wkt": shape.wkt if shape is not None else None, **values},
        )


def fill(database: Database) -> None:
    with database.writing() as connection:
        sync(connection, CATALOGUE)
    for name, west in SQUARES.items():
        add(database, "squares", square(west), name=name, people=100)
    for name, (lon, lat, size) in SPOTS.items():
        add(database, "spots", shapely.Point(lon, lat), name=name, size=size)
    add(database, "spots", None, name="without_place", size=0.0)
    for name, place in POSTS.items():
        add(database, "posts", shapely.Point(place), name=name)
    for name, places in WAYS.items():
        add(database, "ways", shapely.LineString(places), name=name, kmh=36.0)
    add(database, "closed_spots", shapely.Point(104.05, 22.05), name="secret")


@pytest.fixture(scope="session")
def small_template(postgres: Server, toy_template: str) -> Iterator[str]:
    with template(postgres, toy_template) as (name, database):
        fill(database)
        database.close()
        yield name


@pytest.fixture
def small(postgres: Server, small_template: str) -> Iterator[Database]:
    """A fresh database with the small map, whose communes are those of the toy province."""
    with postgres.opened(small_template) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_map(postgres: Server, small_template: str) -> Iterator[Database]:
    """The same, for tests that add nothing to layers."""
    with postgres.opened(small_template) as opened:
        yield opened


@dataclass(frozen=True)
class Made:
    """An execution and the items of its result, in their order."""

    run: ProcessRun
    layer: Layer
    items: list[dict[str, Any]]

    @property
    def summary(self) -> Mapping[str, Any]:
        return self.run.value or {}

    def column(self, name: str) -> list[Any]:
        return [item[name] for item in self.items]

    def by(self, name: str) -> dict[Any, dict[str, Any]]:
        return {item[name]: item for item in self.items}


def execute(
    database: Database,
    name: str,
    who: Principal = LOCAL_ADMIN,
    catalogue: Catalogue = CATALOGUE,
    rasters: Path | None = None,
    **inputs: Any,
) -> Made:
    """Run a process, and read its result as every reader of a layer does; shapes under `geom`."""
    process = process_of(name)
    parameters = read_parameters(process, inputs)
    run = execute_now(database, catalogue, process, parameters, who, 60_000, rasters=rasters)
    return read_made(database, run, who, catalogue)


def read_made(database: Database, run: UUID, who: Principal, catalogue: Catalogue) -> Made:
    with database.reading() as connection:
        found = find_run(connection, run, who)
        result = readable_result(connection, run, catalogue, who).layer
        source = source_of(result)
        rows = connection.execute(_select(source))
        items = [dict(row._mapping) for row in rows]
    for item in items:
        item["geom"] = None if item["geom"] is None else shapely.from_wkb(bytes(item["geom"]))
    return Made(found, result, items)


def _select(source: ItemSource) -> Select[Any]:
    shape = literal(None) if source.geometry is None else func.ST_AsBinary(source.geometry)
    columns = [each.sql.label(each.name) for each in source.properties]
    return select(shape.label("geom"), *columns).select_from(source.table).order_by(source.id)
