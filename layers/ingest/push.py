"""Records that a program sends: one body is one load, and is loaded once whatever is repeated."""

import hashlib
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, text

from gis.errors import BadInput, Conflict
from gis.intake.chunks import TableChunks
from gis.intake.tables import read_table
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, LoadReport, Show, load_chunks

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
_ANSWERED = (
    "load_id", "layer_id", "source", "read", "added", "updated", "unchanged", "removed", "outside",
    "quarantined", "states", "notes", "failed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PushedFile:
    """A body: its name, from whose suffix its format is known, and its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Push:
    """A body as its sender knows it; `said` is all that he says with it, and `key` his
    Idempotency-Key. Raises BadInput for an overlong key.
    """

    layer_id: str
    who: str
    key: str | None
    said: bytes

    def __post_init__(self) -> None:
        if self.key is not None and not 0 < len(self.key) <= _MAX_KEY:
            raise BadInput(f"an Idempotency-Key has 1 to {_MAX_KEY} characters")

    @property
    def values(self) -> dict[str, Any]:
        sha256 = hashlib.sha256(self.said).hexdigest()
        return {"layer": self.layer_id, "who": self.who, "key": self.key, "sha256": sha256}


@dataclass(frozen=True, slots=True)
class EarlierPush:
    """What came before with the same key: its number, and its answer; None while a job loads it."""

    id: int
    answer: dict[str, Any] | None


def load_pushed(
    connection: Connection,
    layer: Layer,
    file: PushedFile,
    options: LoadOptions,
    show: Show | None = None,
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
    return load_chunks(connection, layer, TableChunks(None, table), options, show)


def answer_of(report: LoadReport) -> dict[str, Any]:
    """The answer to a body: counts, and the records that failed by their line."""
    whole = asdict(report)
    answer = {name.removesuffix("_id"): whole[name] for name in _ANSWERED}
    return answer | {"notes": list(report.notes), "failed": list(whole["failed"])}


def take(connection: Connection, push: Push) -> int | EarlierPush:
    """Enter a body; gives its number, or what came before with its key.

    Who sends the same key at the same time waits for the first. What a job could not load is
    forgotten, so that it may be sent again. Raises Conflict where something else came with the key.
    """
    connection.execute(_FORGET_FAILED, push.values)
    number: int | None = connection.scalar(_TAKE, push.values)
    if number is not None:
        return number
    row = connection.execute(_EARLIER, push.values).one()
    if row.sha256 != push.values["sha256"]:
        raise Conflict(
            f"the Idempotency-Key {push.key!r} came with other records before: give each body a "
            "key of its own"
        )
    return EarlierPush(row.id, row.answer)


def keep_answer(connection: Connection, number: int, answer: dict[str, Any]) -> None:
    """Keep the answer to a body for a week, for who sends it again."""
    values = {"id": number, "answer": orjson.dumps(answer).decode()}
    connection.execute(_KEEP, values)


_TAKE = text("""
INSERT INTO gis.pushed (layer_id, who, key, sha256) VALUES (:layer, :who, :key, :sha256)
ON CONFLICT DO NOTHING RETURNING id
""")
_EARLIER = text("""
SELECT id, sha256, answer FROM gis.pushed WHERE layer_id = :layer AND who = :who AND key = :key
""")
_KEEP = text("UPDATE gis.pushed SET answer = CAST(:answer AS jsonb) WHERE id = :id")
_FORGET_FAILED = text("""
DELETE FROM gis.pushed p USING gis.job j
WHERE p.layer_id = :layer AND p.who = :who AND p.key = :key AND p.answer IS NULL
  AND j.id = p.job AND j.state IN ('failed', 'cancelled')
""")
