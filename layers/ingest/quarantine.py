"""Quarantine: records that could not be understood or placed, with their reason and correction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, text

from gis.errors import Conflict, NotFound
from layers.ingest.records import NO_OPTIONS, FileOptions, RecordFault


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A record in quarantine.

    `raw` is the record as its source gave it, or as corrected since, without personal columns.
    `answers` are the answers to questions about its file, by name.
    """

    id: int
    layer_id: str
    source: str
    source_key: str
    raw: dict[str, str]
    answers: dict[str, str]
    reason: str
    why: str
    status: str
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
    replayed: bool = False,
) -> int:
    """Put failed records into quarantine, by their source key; gives how many are new or changed.

    A record that an operator dropped or corrected stays as it is until its source sends something
    else. `replayed`: the records come from quarantine itself, not from their source.
    """
    if not failed:
        return 0
    faults = [faults for _, faults in failed.values()]
    values = {
        "layer": layer_id,
        "source": source,
        "keys": list(failed),
        "raws": [orjson.dumps(raw).decode() for raw, _ in failed.values()],
        "reasons": [each[0].reason for each in faults],
        "whys": ["; ".join(fault.why for fault in each) for each in faults],
        "answers": orjson.dumps(answers.as_dict()).decode(),
        "who": actor,
        "replayed": replayed,
    }
    return connection.execute(_PUT, values).rowcount


# `said` is a digest of the record as the source gave it; `raw` may have been corrected since.
_PUT = text("""
INSERT INTO gis.quarantine AS q (layer_id, source, source_key, raw, said, answers, reason, why,
                                 changed_by)
SELECT :layer, :source, n.key, CAST(n.raw AS jsonb), md5(CAST(CAST(n.raw AS jsonb) AS text)),
       CAST(:answers AS jsonb), n.reason, n.why, :who
FROM unnest(CAST(:keys AS text[]), CAST(:raws AS text[]), CAST(:reasons AS text[]),
            CAST(:whys AS text[])) AS n (key, raw, reason, why)
ON CONFLICT (layer_id, source, source_key) DO UPDATE
SET raw = excluded.raw, said = CASE WHEN :replayed THEN q.said ELSE excluded.said END,
    answers = excluded.answers, reason = excluded.reason, why = excluded.why,
    status = 'waiting', changed_at = now(), changed_by = excluded.changed_by
WHERE :replayed
   OR q.said IS DISTINCT FROM excluded.said
   OR q.raw = excluded.raw AND (q.status = 'replayed' OR q.status = 'waiting'
      AND (q.answers, q.reason, q.why)
          IS DISTINCT FROM (excluded.answers, excluded.reason, excluded.why))
""")


def settle(
    connection: Connection,
    layer_id: str,
    source: str,
    keys: Sequence[str],
    *,
    replayed: bool = False,
) -> None:
    """Take records out of quarantine that are placed now, by their source key.

    Unless they were `replayed` from quarantine, their source has sent something new: the earlier
    record and its correction are obsolete.
    """
    connection.execute(
        text(
            "UPDATE gis.quarantine SET status = 'replayed', changed_at = now(),"
            " said = CASE WHEN :replayed THEN said END"
            " WHERE layer_id = :layer AND source = :source AND source_key = ANY(:keys)"
            " AND (status = 'waiting'"
            " OR status = 'replayed' AND said IS NOT NULL AND NOT :replayed)"
        ),
        {"layer": layer_id, "source": source, "keys": list(keys), "replayed": replayed},
    )


def list_waiting(
    connection: Connection,
    *,
    layers: Sequence[str],
    status: str = "waiting",
    source: str | None = None,
    reason: str | None = None,
    limit: int = 100,
    after: int = 0,
) -> list[QuarantinedRecord]:
    """Records of these layers, in the order in which they came, from the id after `after`.

    `source` and `reason` (the first fault's) restrict them where they are given.
    """
    rows = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM gis.quarantine"  # noqa: S608 (names of our own)
            " WHERE layer_id = ANY(:layers) AND status = :status"
            " AND (CAST(:source AS text) IS NULL OR source = :source)"
            " AND (CAST(:reason AS text) IS NULL OR reason = :reason)"
            " AND id > :after ORDER BY id LIMIT :limit"
        ),
        {
            "layers": list(layers),
            "status": status,
            "source": source,
            "reason": reason,
            "after": after,
            "limit": limit,
        },
    )
    return [_waiting(row) for row in rows]


def get_waiting(connection: Connection, record_id: int) -> QuarantinedRecord:
    """One record, waiting or not; raises NotFound."""
    row = connection.execute(
        text(f"SELECT {_COLUMNS} FROM gis.quarantine WHERE id = :id"),  # noqa: S608
        {"id": record_id},
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no record {record_id} in quarantine")
    return _waiting(row)


def fix(
    connection: Connection, record_id: int, changes: Mapping[str, str], actor: str
) -> QuarantinedRecord:
    """Correct values of a record; the values before go to the audit log.

    Raises NotFound, and Conflict for a record that does not wait.
    """
    before = get_waiting(connection, record_id)
    _require_waiting(before)
    after = {**before.raw, **changes}
    connection.execute(
        text(
            "UPDATE gis.quarantine SET raw = CAST(:raw AS jsonb), changed_at = now(),"
            " changed_by = :who WHERE id = :id"
        ),
        {"id": record_id, "raw": orjson.dumps(after).decode(), "who": actor},
    )
    _audit(connection, actor, "quarantine.fix", {"id": record_id, "before": before.raw})
    return get_waiting(connection, record_id)


def drop(connection: Connection, record_id: int, actor: str) -> None:
    """Drop a record: it is not tried again, but stays listed.

    Raises NotFound, and Conflict for a record that does not wait.
    """
    before = get_waiting(connection, record_id)
    _require_waiting(before)
    connection.execute(
        text(
            "UPDATE gis.quarantine SET status = 'dropped', changed_at = now(), changed_by = :who"
            " WHERE id = :id"
        ),
        {"id": record_id, "who": actor},
    )
    _audit(connection, actor, "quarantine.drop", {"id": record_id})


def _require_waiting(record: QuarantinedRecord) -> None:
    if record.status != "waiting":
        raise Conflict(f"record {record.id} is {record.status}, it does not wait any more")


def _audit(connection: Connection, actor: str, act: str, details: dict[str, Any]) -> None:
    connection.execute(
        text(
            "INSERT INTO private.audit (who, act, what) VALUES (:who, :act, CAST(:what AS jsonb))"
        ),
        {"who": actor, "act": act, "what": orjson.dumps(details).decode()},
    )


def _waiting(row: Row[Any]) -> QuarantinedRecord:
    return QuarantinedRecord(**row._mapping)
