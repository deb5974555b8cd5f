"""Records that a program sends: one body is one load, and is loaded once whatever is repeated."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, text

from gis.errors import BadInput, Conflict
from gis.intake.chunks import TableChunks
from gis.intake.tables import read_table
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, LoadReport, load_chunks

# Suffix of the file that a body of a media type would be.
SUFFIXES = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/geo+json": ".geojson",
    "application/json": ".geojson",
    "application/x-ndjson": ".ndjson",
    "application/ndjson": ".ndjson",
    "application/jsonl": ".ndjson",
}
_MAX_KEY = 200
_KEPT_DAYS = 7


@dataclass(frozen=True, slots=True)
class PushedFile:
    """A body: its name, from whose suffix its format is known, and its bytes."""

    name: str
    content: bytes


def load_pushed(
    connection: Connection, layer: Layer, file: PushedFile, options: LoadOptions
) -> LoadReport:
    """Load the records of a body, inside the caller's transaction; raises as `load_file`.

    Lines of JSON are features, or objects with the columns of the source.
    """
    answers = options.answers
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file.name
        path.write_bytes(file.content)
        table = read_table(
            path, encoding=answers.encoding, table=answers.table, layout=answers.layout
        )
    return load_chunks(connection, layer, TableChunks(None, table), options)


def once(
    connection: Connection,
    layer_id: str,
    who: str,
    key: str | None,
    content: bytes,
    load: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """The answer of `load`, which is not called again for a key that came before.

    Who sends the same key at the same time waits for the first. Raises BadInput for an overlong
    key, and Conflict where something else came with it.
    """
    if key is None:
        return load()
    if not 0 < len(key) <= _MAX_KEY:
        raise BadInput(f"an Idempotency-Key has 1 to {_MAX_KEY} characters")
    digest = hashlib.sha256(content).hexdigest()
    values = {"layer": layer_id, "who": who, "key": key, "sha256": digest}
    if not connection.execute(_TAKE, values).rowcount:
        sha256, answer = connection.execute(_ANSWER, values).one()
        if sha256 != digest:
            raise Conflict(
                f"the Idempotency-Key {key!r} came with other records before: give each body a "
                "key of its own"
            )
        return dict(answer)
    answer = load()
    connection.execute(_KEEP, values | {"answer": orjson.dumps(answer).decode()})
    connection.execute(_FORGET, {"days": _KEPT_DAYS})
    return answer


_TAKE = text("""
INSERT INTO gis.pushed (layer_id, who, key, sha256) VALUES (:layer, :who, :key, :sha256)
ON CONFLICT DO NOTHING
""")
_ANSWER = text("""
SELECT sha256, answer FROM gis.pushed WHERE layer_id = :layer AND who = :who AND key = :key
""")
_KEEP = text("""
UPDATE gis.pushed SET answer = CAST(:answer AS jsonb)
WHERE layer_id = :layer AND who = :who AND key = :key
""")
_FORGET = text("DELETE FROM gis.pushed WHERE at < now() - make_interval(days => :days)")
