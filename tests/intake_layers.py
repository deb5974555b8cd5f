"""Layers and small files for tests of what becomes of single records."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gis.database.engine import Database
from gis.intake import chunks
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, LoadReport, load_file
from layers.ingest.quarantine import QuarantinedRecord, list_waiting
from layers.storage.sync import sync

FILES = Path(__file__).parent / "fixtures" / "intake"
WORDS = {"vi": "Một", "en": "One"}


def layer_of(source: Mapping[str, Any], fields: Mapping[str, Any], **parts: Any) -> Layer:
    """A layer `mz`; `fields` are names with their types, or with more of their words."""
    return Layer.model_validate(
        {
            "id": "mz",
            "title": WORDS,
            "description": WORDS,
            "department": WORDS,
            "licence": "MIT",
            "geometry": "point",
            "source": {"connector": "file", **source},
            "fields": {
                name: {"label": WORDS, **(given if isinstance(given, dict) else {"type": given})}
                for name, given in fields.items()
            },
            **parts,
        }
    )


POINT = {"x": "lon", "y": "lat"}
WORDY = {"coordinates": POINT, "address": "address", "commune": "commune"}
MZ = layer_of(
    {"key": "id", **WORDY, "time": {"column": "when"}},
    {"val": "number", "n": "integer", "note": "text"},
)


def publish(database: Database, layer: Layer) -> None:
    with database.writing() as connection:
        sync(connection, Catalogue((layer,), {layer.id: "1"}))


def read_in_chunks(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """From now on files of any size are read in chunks of so many records."""
    monkeypatch.setattr(chunks, "STREAMED_FROM_BYTES", 0)
    monkeypatch.setattr(chunks.TableChunks.__init__, "__defaults__", (rows,))
    defaults = {**(chunks.open_chunks.__kwdefaults__ or {}), "rows": rows}
    monkeypatch.setattr(chunks.open_chunks, "__kwdefaults__", defaults)


def load(database: Database, layer: Layer, path: Path, **options: Any) -> LoadReport:
    publish(database, layer)
    given = LoadOptions(**{"who": "tests", "source": "tests", **options})
    return load_file(database, layer, path, given)


def write_csv(path: Path, columns: Iterable[str], *records: Iterable[object]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *records])
    return path


def waiting(database: Database, **which: Any) -> list[QuarantinedRecord]:
    with database.reading() as connection:
        return list_waiting(connection, layers=["mz"], **which)


def rows(database: Database, columns: str, order: str = "source_key") -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        found = connection.execute(text(f"SELECT {columns} FROM layer.mz ORDER BY {order}"))
        return [tuple(row) for row in found]


def execute(database: Database, *statements: str) -> None:
    with database.writing() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
