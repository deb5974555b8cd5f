"""Layers whose source the service reads by itself, and the script that a connector plays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from gis.connectors.connector import Batch, Surroundings
from gis.database.engine import Database
from gis.egress import EgressPolicy
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.sources.run import SourceReport, run_source
from layers.sources.state import enter_sources
from layers.storage.sync import sync
from tests.intake_layers import layer_of

FIELDS = {"level": "number", "name": "text"}


def feed_layer(
    layer_id: str = "mz",
    fields: dict[str, Any] | None = None,
    readers: str = "public",
    geometry: str = "point",
    **source: Any,
) -> Layer:
    """A layer of points with a folder of its own name as its source."""
    whole = {
        "connector": "folder",
        "key": "code",
        "coordinates": {"x": "lon", "y": "lat"},
        "read": {"path": layer_id, "settle_s": 0},
        **source,
    }
    made = layer_of(whole, fields or FIELDS).model_dump(mode="json")
    return Layer.model_validate(
        made | {"id": layer_id, "geometry": geometry, "access": {"read": readers}}
    )


def publish(database: Database, *layers: Layer) -> Catalogue:
    catalogue = Catalogue(layers, {layer.id: layer.model_dump_json() for layer in layers})
    with database.writing() as connection:
        sync(connection, catalogue)
        enter_sources(connection, layers)
    return catalogue


def surroundings(inbox: Path) -> Surroundings:
    return Surroundings({}, EgressPolicy(), inbox)


def run(database: Database, layer: Layer, inbox: Path, **options: Any) -> SourceReport:
    return run_source(database, layer, surroundings(inbox), **options)


def station(number: int, level: Any = 1.5, **more: Any) -> dict[str, Any]:
    """A record in the eastern part of the toy province."""
    return {
        "code": f"S{number:03}",
        "lon": 104.11 + number % 50 / 1000,
        "lat": 22.05,
        "level": level,
        "name": f"Trạm {number}",
        **more,
    }


def state(database: Database, layer_id: str = "mz") -> dict[str, Any]:
    with database.reading() as connection:
        row = connection.execute(
            text("SELECT * FROM gis.source WHERE layer_id = :layer"), {"layer": layer_id}
        ).one()
        return dict(row._mapping)


def count(database: Database, what: str) -> int:
    with database.writing() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {what}")) or 0)


@dataclass
class Script:
    """What the scripted connector gives: batches by the number in its cursor, or an error."""

    batches: list[Batch | Exception] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    def add(self, *records: dict[str, Any], **more: Any) -> None:
        self.batches.append(Batch(records, {"next": len(self.batches) + 1}, **more))

    def fail(self, error: Exception) -> None:
        self.batches.append(error)


def levels(database: Database, layer_id: str = "mz") -> dict[str, Any]:
    with database.reading() as connection:
        rows: Sequence[Any] = connection.execute(
            text(f"SELECT source_key, level FROM layer.{layer_id} ORDER BY 1")
        ).all()
        return {row.source_key: row.level for row in rows}
