"""Records that could not be understood or placed: kept with their reason, corrected, replayed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, text

from gis.errors import Conflict, NotFound
from layers.ingest.records import NO_ANSWERS, FileOptions, RecordFault


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A record in quarantine. `raw` is what the source said, without personal columns; `answers`
    is what was answered to questions about its file.
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
    who: str,
    answers: FileOptions = NO_ANSWERS,
    *,
    again: bool = False,
) -> int:
    """Keep failed records, by their source key; how many of them are new or changed.

    A record that an operator dropped or corrected stays as it is until its source says something
    else. `again`: the records come from quarantine itself, and say nothing new of their source.
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
        "answers": orjson.dumps(answers.given()).decode(),
        "who": who,
        "again": again,
    }
    return connection.execute(_PUT, values).rowcount


# `said` is a digest of what the source said; `raw` is the same, as corrected since.
_PUT = text("""
INSERT INTO gis.quarantine AS q (layer_id, source, source_key, raw, said, answers, reason, why,
                                 changed_by)
SELECT :layer, :source, n.key, CAST(n.raw AS jsonb), md5(CAST(CAST(n.raw AS jsonb) AS text)),
       CAST(:answers AS jsonb), n.reason, n.why, :who
FROM unnest(CAST(:keys AS text[]), CAST(:raws AS text[]), CAST(:reasons AS text[]),
            CAST(:whys AS text[])) AS n (key, raw, reason, why)
ON CONFLICT (layer_id, source, source_key) DO UPDATE
SET raw = excluded.raw, said = CASE WHEN :again THEN q.said ELSE excluded.said END,
    answers = excluded.answers, reason = excluded.reason, why = excluded.why,
    status = 'waiting', changed_at = now(), changed_by = excluded.changed_by
WHERE :again
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
    again: bool = False,
) -> None:
    """Records with these keys have found their place.

    Unless they come from quarantine itself, their source has said something new: what it said
    before, and its correction, holds no more.
    """
    connection.execute(
        text(
            "UPDATE gis.quarantine SET status = 'replayed', changed_at = now(),"
            " said = CASE WHEN :again THEN said END"
            " WHERE layer_id = :layer AND source = :source AND source_key = ANY(:keys)"
            " AND (status = 'waiting' OR status = 'replayed' AND said IS NOT NULL AND NOT :again)"
        ),
        {"layer": layer_id, "source": source, "keys": list(keys), "again": again},
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
    """Records of these layers, in the order in which they came, from the number after `after`;
    of one `source` and with one first `reason` where these are given.
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
    """Raises NotFound."""
    row = connection.execute(
        text(f"SELECT {_COLUMNS} FROM gis.quarantine WHERE id = :id"),  # noqa: S608
        {"id": record_id},
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no record {record_id} in quarantine")
    return _waiting(row)


def fix(
    connection: Connection, record_id: int, changes: Mapping[str, str], who: str
) -> QuarantinedRecord:
    """Correct what the source said; what it said before goes to the audit log."""
    before = get_waiting(connection, record_id)
    _require_waiting(before)
    after = {**before.raw, **changes}
    connection.execute(
        text(
            "UPDATE gis.quarantine SET raw = CAST(:raw AS jsonb), changed_at = now(),"
            " changed_by = :who WHERE id = :id"
        ),
        {"id": record_id, "raw": orjson.dumps(after).decode(), "who": who},
    )
    _audit(connection, who, "quarantine.fix", {"id": record_id, "before": before.raw})
    return get_waiting(connection, record_id)


def drop(connection: Connection, record_id: int, who: str) -> None:
    """Give a record up. It stays here, dropped, and can be listed."""
    before = get_waiting(connection, record_id)
    _require_waiting(before)
    connection.execute(
        text(
            "UPDATE gis.quarantine SET status = 'dropped', changed_at = now(), changed_by = :who"
            " WHERE id = :id"
        ),
        {"id": record_id, "who": who},
    )
    _audit(connection, who, "quarantine.drop", {"id": record_id})


def _require_waiting(record: QuarantinedRecord) -> None:
    if record.status != "waiting":
        raise Conflict(f"record {record.id} is {record.status}, it does not wait any more")


def _audit(connection: Connection, who: str, act: str, what: dict[str, Any]) -> None:
    connection.execute(
        text(
            "INSERT INTO private.audit (who, act, what) VALUES (:who, :act, CAST(:what AS jsonb))"
        ),
        {"who": who, "act": act, "what": orjson.dumps(what).decode()},
    )


def _waiting(row: Row[Any]) -> QuarantinedRecord:
    return QuarantinedRecord(**row._mapping)
