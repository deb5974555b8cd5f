"""Quarantine: records that could not be understood or placed, with their state and reason.

The state of a record follows from what is stored, and is never kept beside it:

* `quarantined`, `outside`, `contradicting`: it waits, by its reason;
* `stale`: it waits, while its layer goes on serving the row of its earlier version;
* `placed`: it was corrected or replayed, and has left; `dropped`: it was given up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Connection, Row, text

from gis.errors import Conflict, NotFound
from layers.ingest.records import NO_OPTIONS, FileOptions, RecordFault


class State(StrEnum):
    """States of a record."""

    PLACED = "placed"
    QUARANTINED = "quarantined"
    OUTSIDE = "outside"
    CONTRADICTING = "contradicting"
    STALE = "stale"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A record in quarantine.

    `raw` is the record as its source gave it, or as corrected since, in the columns that its layer
    file declares and that are not personal; `undeclared` are the names of others that it has.
    `item` is the id of the row that its layer serves of it, None where there is none.
    `answers` are the answers to questions about its file, by name.
    """

    id: int
    layer_id: str
    source: str
    source_key: str
    raw: dict[str, str]
    undeclared: list[str]
    answers: dict[str, str]
    reason: str
    why: str
    status: str
    state: str
    item: int | None
    load_id: int | None
    created_at: datetime
    changed_at: datetime
    changed_by: str | None


_COLUMNS = ", ".join(field.name for field in fields(QuarantinedRecord))


def put(
    connection: Connection,
    layer_id: str,
    source: str,
    failed: Mapping[str, tuple[dict[str, str], Sequence[RecordFault]]],
    actor: str,
    answers: FileOptions = NO_OPTIONS,
    *,
    undeclared: Mapping[str, Iterable[str]] | None = None,
    replayed: bool = False,
) -> int:
    """Put failed records into quarantine, by their source key; gives how many are new or changed.

    A record that an operator dropped or corrected stays as it is until its source sends something
    else. `undeclared`: names of undeclared columns, by source key. `replayed`: the records come
    from quarantine itself, not from their source.
    """
    if not failed:
        return 0
    faults = [faults for _, faults in failed.values()]
    names = undeclared or {}
    values = {
        "layer": layer_id,
        "source": source,
        "keys": list(failed),
        "raws": [orjson.dumps(raw).decode() for raw, _ in failed.values()],
        "reasons": [each[0].reason for each in faults],
        "whys": ["; ".join(dict.fromkeys(fault.why for fault in each)) for each in faults],
        "undeclared": [orjson.dumps(sorted(names.get(key, ()))).decode() for key in failed],
        "answers": orjson.dumps(answers.as_dict()).decode(),
        "who": actor,
        "replayed": replayed,
    }
    return connection.execute(_PUT, values).rowcount


# `said` is a digest of the record as the source gave it; `raw` may have been corrected since.
_PUT = text("""
INSERT INTO gis.quarantine AS q (layer_id, source, source_key, raw, said, undeclared, answers,
                                 reason, why, changed_by)
SELECT :layer, :source, n.key, CAST(n.raw AS jsonb), md5(CAST(CAST(n.raw AS jsonb) AS text)),
       ARRAY(SELECT jsonb_array_elements_text(CAST(n.undeclared AS jsonb))),
       CAST(:answers AS jsonb), n.reason, n.why, :who
FROM unnest(CAST(:keys AS text[]), CAST(:raws AS text[]), CAST(:reasons AS text[]),
            CAST(:whys AS text[]), CAST(:undeclared AS text[]))
  AS n (key, raw, reason, why, undeclared)
ON CONFLICT (layer_id, source, source_key) DO UPDATE
SET raw = excluded.raw, said = CASE WHEN :replayed THEN q.said ELSE excluded.said END,
    undeclared = excluded.undeclared, answers = excluded.answers, reason = excluded.reason,
    why = excluded.why,
    status = 'waiting', changed_at = now(), changed_by = excluded.changed_by
WHERE :replayed
   OR q.said IS DISTINCT FROM excluded.said
   OR q.raw = excluded.raw AND (q.status = 'replayed' OR q.status = 'waiting'
      AND (q.answers, q.reason, q.why, q.undeclared)
          IS DISTINCT FROM (excluded.answers, excluded.reason, excluded.why, excluded.undeclared))
""")


def settle(connection: Connection, layer_id: str, source: str, *, replayed: bool = False) -> None:
    """Take records out of quarantine that are placed now: those of the table `incoming`
    (`layers.ingest.merge`).

    Unless they were `replayed` from quarantine, their source has sent something new: the earlier
    record and its correction are obsolete.
    """
    values = {"layer": layer_id, "source": source, "replayed": replayed}
    connection.execute(_SETTLE, values)


_SETTLE = text("""
UPDATE gis.quarantine SET status = 'replayed', changed_at = now(),
  said = CASE WHEN :replayed THEN said END
WHERE layer_id = :layer AND source = :source
  AND source_key IN (SELECT source_key FROM pg_temp.incoming)
  AND (status = 'waiting' OR status = 'replayed' AND said IS NOT NULL AND NOT :replayed)
""")


def list_waiting(
    connection: Connection,
    *,
    layers: Sequence[str],
    status: str | None = "waiting",
    state: str | None = None,
    source: str | None = None,
    reason: str | None = None,
    load: int | None = None,
    values: Mapping[str, str] | None = None,
    ids: Sequence[int] | None = None,
    limit: int = 100,
    after: int = 0,
) -> list[QuarantinedRecord]:
    """Records of these layers, in the order in which they came, from the id after `after`.

    The others restrict them where they are given: `status` and `state` (which decides alone where
    it is given), the first fault's `reason`, `values` of columns as the source wrote them, and
    `ids`.
    """
    rows = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM ({_with_state(connection, layers)}) AS record"  # noqa: S608
            " WHERE (CAST(:status AS text) IS NULL OR status = :status)"
            " AND (CAST(:state AS text) IS NULL OR state = :state)"
            " AND (CAST(:source AS text) IS NULL OR source = :source)"
            " AND (CAST(:reason AS text) IS NULL OR reason = :reason)"
            " AND (CAST(:load AS bigint) IS NULL OR load_id = :load)"
            " AND raw @> CAST(:values AS jsonb)"
            " AND (CAST(:ids AS bigint[]) IS NULL OR id = ANY(CAST(:ids AS bigint[])))"
            " AND id > :after ORDER BY id LIMIT :limit"
        ),
        {
            "layers": list(layers),
            "status": None if state else status,
            "state": state,
            "source": source,
            "reason": reason,
            "load": load,
            "values": orjson.dumps(dict(values or {})).decode(),
            "ids": None if ids is None else list(ids),
            "after": after,
            "limit": limit,
        },
    )
    return [_waiting(row) for row in rows]


def get_waiting(connection: Connection, record_id: int) -> QuarantinedRecord:
    """One record, waiting or not; raises NotFound."""
    layer_id = connection.scalar(_LAYER_OF, {"id": record_id})
    found = layer_id and list_waiting(connection, layers=[layer_id], status=None, ids=[record_id])
    if not found:
        raise NotFound(f"there is no record {record_id} in quarantine")
    return found[0]


def newer_versions(
    connection: Connection, layer_id: str, row_ids: Sequence[int]
) -> dict[int, QuarantinedRecord]:
    """The records that wait while the layer serves rows of earlier versions, by id of the row."""
    found = connection.execute(
        text(
            f'SELECT t.id AS row_id, q.id FROM layer."{layer_id}" t JOIN gis.quarantine q'  # noqa: S608
            " USING (source, source_key)"
            " WHERE t.id = ANY(:rows) AND q.layer_id = :layer AND q.status = 'waiting'"
        ),
        {"layer": layer_id, "rows": list(row_ids)},
    )
    rows = {row.id: row.row_id for row in found}
    waiting = list_waiting(
        connection, layers=[layer_id], ids=list(rows), limit=len(rows)
    ) if rows else []  # fmt: skip
    return {rows[record.id]: record for record in waiting}


def count_failed(connection: Connection, layer_id: str, source: str) -> dict[str, int]:
    """Counts of the records that failed in the load of this transaction, by their state."""
    rows = connection.execute(
        text(
            f"SELECT state, count(*) AS number FROM ({_with_state(connection, [layer_id])}) AS r"  # noqa: S608
            " WHERE source = :source AND source_key IN (SELECT source_key FROM incoming_failed)"
            " GROUP BY state ORDER BY state"
        ),
        {"layers": [layer_id], "source": source},
    )
    return {row.state: row.number for row in rows}


def note_load(connection: Connection, layer_id: str, source: str, load_id: int) -> None:
    """Note the load on the records that this transaction put into quarantine."""
    connection.execute(_NOTE_LOAD, {"layer": layer_id, "source": source, "load": load_id})


def _with_state(connection: Connection, layers: Sequence[str]) -> str:
    """A query of the records of `:layers` with the item that is served of each, and their state."""
    tables = connection.execute(_TABLES, {"layers": list(layers)}).scalars()
    items = "".join(
        f"WHEN '{table}' THEN (SELECT t.id FROM layer.\"{table}\" t"  # noqa: S608
        " WHERE t.source = q.source AND t.source_key = q.source_key) "
        for table in tables
    )
    item = f"CASE q.layer_id {items}END" if items else "NULL::bigint"
    return (
        "SELECT r.*, CASE WHEN status = 'replayed' THEN 'placed'"  # noqa: S608
        " WHEN status = 'dropped' THEN 'dropped' WHEN item IS NOT NULL THEN 'stale'"
        " WHEN reason = 'outside' THEN 'outside'"
        " WHEN reason = 'contradiction' THEN 'contradicting' ELSE 'quarantined' END AS state"
        f" FROM (SELECT q.*, {item} AS item FROM gis.quarantine q"
        " WHERE q.layer_id = ANY(:layers)) AS r"
    )


# Names of tables of layers hold letters, digits and `_` alone.
_TABLES = text("""
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'layer'::regnamespace AND c.relkind = 'r' AND c.relname = ANY(:layers)
  AND EXISTS (SELECT FROM gis.quarantine q WHERE q.layer_id = c.relname)
""")
_LAYER_OF = text("SELECT layer_id FROM gis.quarantine WHERE id = :id")
_NOTE_LOAD = text("""
UPDATE gis.quarantine SET load_id = :load
WHERE layer_id = :layer AND source = :source AND changed_at = now() AND status = 'waiting'
""")


def drop(connection: Connection, record_id: int, actor: str) -> None:
    """Drop a record: it is not tried again, but stays listed.

    Raises NotFound, and Conflict for a record that does not wait.
    """
    before = get_waiting(connection, record_id)
    require_waiting(before)
    connection.execute(
        text(
            "UPDATE gis.quarantine SET status = 'dropped', changed_at = now(), changed_by = :who"
            " WHERE id = :id"
        ),
        {"id": record_id, "who": actor},
    )
    audit(connection, actor, "quarantine.drop", {"id": record_id})


def require_waiting(record: QuarantinedRecord) -> None:
    """Raises Conflict for a record that was placed or dropped."""
    if record.status != "waiting":
        raise Conflict(f"record {record.id} is {record.status}, it does not wait any more")


def audit(connection: Connection, actor: str, act: str, details: Mapping[str, Any]) -> None:
    """Write to the audit log who did what."""
    connection.execute(
        text(
            "INSERT INTO private.audit (who, act, what) VALUES (:who, :act, CAST(:what AS jsonb))"
        ),
        {"who": actor, "act": act, "what": orjson.dumps(details).decode()},
    )


def _waiting(row: Row[Any]) -> QuarantinedRecord:
    return QuarantinedRecord(**row._mapping)
