"""A toy province without sources, and a connector that plays a script."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gis.connectors import CONNECTORS
from gis.connectors.connector import Batch, Connector, Cursor
from gis.connectors.folder import FolderOptions
from gis.database.engine import Database
from gis.database.roles import as_owner
from tests.databases import Server
from tests.source_layers import Script

_EMPTIED = (
    "gis.source", "gis.source_seen", "gis.superseded", "gis.load_quality", "gis.layer_mapping",
    "gis.load", "gis.row_history", "gis.quarantine", "private.undeclared", "private.reporter",
    "private.address", "gis.job",
)  # fmt: skip


@pytest.fixture(scope="module")
def toy(postgres: Server, toy_template: str) -> Iterator[Database]:
    with postgres.opened(toy_template) as opened:
        yield opened


@pytest.fixture
def database(toy: Database) -> Database:
    """The toy province without any source, layer `mz`, load or record in quarantine."""
    with toy.writing() as connection, as_owner(connection):
        fed = list(connection.scalars(text("SELECT layer_id FROM gis.source")))
        for layer_id in fed:
            connection.exec_driver_sql(f'DROP TABLE IF EXISTS layer."{layer_id}" CASCADE')
            connection.execute(text("DELETE FROM gis.layer WHERE id = :id"), {"id": layer_id})
        connection.exec_driver_sql("TRUNCATE gis.alert CASCADE")
        for table in _EMPTIED:
            connection.exec_driver_sql(f"DELETE FROM {table}")
    return toy


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """A script that the connector `folder` plays instead of reading a folder."""
    played = Script()

    class Scripted(Connector[FolderOptions]):
        name = "folder"
        label = "Script"
        Options = FolderOptions

        def read(self, cursor: Cursor) -> Iterator[Batch]:
            for step in list(played.batches[cursor.get("next", 0) :]):
                if isinstance(step, Exception):
                    played.batches.remove(step)
                    raise step
                assert isinstance(step, Batch)
                yield step

        def acknowledge(self, cursor: Cursor) -> None:
            played.acknowledged.append(cursor["next"])

    monkeypatch.setitem(CONNECTORS, "folder", Scripted)
    return played


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path
