"""Runs in the database: what was read, by which parameters, what was found; kept, read, pruned."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
from sqlalchemy import Connection, TextClause, text

import gis.analysis
from gis.clock import HERE
from gis.code_version import code_version
from gis.errors import Conflict, NotFound
from layers.definition.model import HotspotOptions, method_sections
from layers.detect.snapshot import digest_of, pack, unpack

type Rows = Sequence[dict[str, Any]]

# The table of results of any method that has none of its own.
HEX_RESULTS = "hex_result"


def _statements(path: Path) -> dict[str, TextClause]:
    parts = re.split(r"^-- name: (\w+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: text(sql) for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


SQL = _statements(Path(__file__).with_suffix(".sql"))


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run about to be stored."""

    layer_id: str
    method: str
    options: HotspotOptions
    until: datetime
    version: int  # of the layer's rows
    left_out: dict[str, int]
    official: bool
    simulated: bool
    input: pd.DataFrame


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it was stored, with what it read."""

    id: int
    layer_id: str
    method: str
    options: HotspotOptions
    until: datetime
    input_version: int
    code_version: str
    input: pd.DataFrame


def runs_code() -> str:
    """The version of the code that makes runs, such as `0.1.0+1f6f8b2c4d5e`."""
    return code_version(Path(gis.analysis.__file__).parent, Path(__file__).parent)


def store_input(connection: Connection, frame: pd.DataFrame) -> str:
    """The digest under which the input of a run is kept."""
    content = pack(frame)
    digest = digest_of(content)
    connection.execute(SQL["store_input"], {"digest": digest, "content": content})
    return digest


def add_run(connection: Connection, run: NewRun, digest: str) -> int:
    """The number of the run; its rows follow."""
    values = {
        "layer": run.layer_id,
        "method": run.method,
        "parameters": run.options.model_dump_json(),
        "until": run.until,
        "version": run.version,
        "code": runs_code(),
        "cleaning": orjson.dumps(run.left_out).decode(),
        "digest": digest,
        "official": run.official,
        "simulated": run.simulated,
    }
    number: int = connection.execute(SQL["add_run"], values).scalar_one()
    return number


def add_rows(connection: Connection, table: str, run_id: int, rows: Rows) -> None:
    """Store results of a run in a table of results of schema gis."""
    values = orjson.dumps(list(rows), option=orjson.OPT_SERIALIZE_NUMPY).decode()
    connection.execute(SQL[f"add_{table}"], {"run": run_id, "rows": values})


def read_run(connection: Connection, run_id: int) -> StoredRun:
    """Raises NotFound, also for a run whose input was not kept, and Conflict for one of which it
    was deleted, since what it read was closed.
    """
    row = connection.execute(SQL["run"], {"run": run_id}).one_or_none()
    if row is not None and row.redacted_at is not None:
        day = row.redacted_at.astimezone(HERE)
        raise Conflict(
            f"run {run_id} cannot be made again: what it read and found was deleted on "
            f"{day:%d/%m/%Y}, when {row.redacted_why}"
        )
    if row is None or row.content is None:
        raise NotFound(f"there is no run {run_id} with its input: `gis hotspots list` names those")
    return StoredRun(
        id=row.id,
        layer_id=row.layer_id,
        method=row.method,
        options=_options_of(row.parameters),
        until=row.input_until,
        input_version=row.input_version,
        code_version=row.code_version,
        input=unpack(row.content),
    )


def _options_of(parameters: dict[str, Any]) -> HotspotOptions:
    """The options of a run; sections of methods that were removed since say nothing any more."""
    known = HotspotOptions.model_fields.keys() | method_sections().keys()
    return HotspotOptions.model_validate(
        {word: value for word, value in parameters.items() if word in known}
    )


def newest_input(connection: Connection, layer_id: str, method: str) -> pd.DataFrame | None:
    """The input of the newest run of a method, by the end of its window; None before the first."""
    content = connection.scalar(SQL["newest_input"], {"layer": layer_id, "method": method})
    return None if content is None else unpack(content)


def rows_of(connection: Connection, run_id: int, table: str) -> list[dict[str, Any]]:
    """The results of a run in a table of results, in the order in which they were stored."""
    rows = [
        dict(row._mapping) for row in connection.execute(SQL[f"rows_of_{table}"], {"run": run_id})
    ]
    return [{**row, **row.pop("result")} for row in rows] if table == HEX_RESULTS else rows


def prune(connection: Connection, layer_id: str, oldest: datetime, recent: datetime) -> int:
    """Forget runs before `oldest`, and those before `recent` that are not the last of their day.

    The newest run of each method and those that alerts rest on stay. Gives how many are gone.
    """
    span = {"layer": layer_id, "oldest": oldest, "recent": recent}
    gone: int = connection.execute(SQL["prune_runs"], span).rowcount
    connection.execute(SQL["prune_nulls"], {"recent": recent})
    connection.execute(SQL["prune_inputs"])
    return gone
