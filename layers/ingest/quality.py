"""Quality of loads, in the words of ISO 19157: a row a load, so that it is seen over time."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, text

from layers.definition.model import Layer

# Reasons of faults that are of a value, and not of a place or a key.
_INVALID = ("bad_date", "bad_number", "bad_value", "unknown_value", "missing", "bad_record")


def store_quality(
    connection: Connection, layer: Layer, load_id: int, read: int, reasons: Mapping[str, int]
) -> None:
    """Store the quality of the load whose rows this transaction staged, of so many records read."""
    fields = [f'count("{name}")' for name in layer.public_fields if name in layer.record_fields]
    filled = f"({' + '.join(fields)})::float8 / nullif(count(*) * {len(fields)}, 0)"
    measured = connection.execute(text(_MEASURE.format(filled=filled if fields else "NULL"))).one()
    placed = {row.method: row.number for row in connection.execute(_PLACED)}
    values = {
        "load": load_id,
        "layer": layer.id,
        "records": read,
        "completeness": measured.filled,
        "validity": _share(read, read - sum(reasons.get(name, 0) for name in _INVALID)),
        "duplicates": _share(read, reasons.get("repeated_key", 0)),
        "in_hex": _share(measured.number, measured.in_hex) if layer.placed else None,
        "in_commune": _share(measured.number, measured.in_commune) if layer.placed else None,
        "placed": orjson.dumps(placed).decode(),
        "age": measured.age_s,
    }
    connection.execute(_STORE, values)


def qualities(connection: Connection, layer_id: str, limit: int = 100) -> list[dict[str, Any]]:
    """The quality of the last loads of a layer, newest first."""
    rows = connection.execute(_LIST, {"layer": layer_id, "limit": limit})
    return [dict(row._mapping) for row in rows]


def _share(whole: int, part: int) -> float | None:
    return part / whole if whole else None


_MEASURE = """
SELECT count(*) AS number, {filled} AS filled, count(h3) AS in_hex, count(commune) AS in_commune,
       percentile_cont(0.5) WITHIN GROUP (
         ORDER BY extract(epoch FROM now() - valid_at)::float8) AS age_s
FROM pg_temp.incoming"""
_PLACED = text("""
SELECT place_method AS method, count(*) AS number FROM pg_temp.incoming
WHERE place_method IS NOT NULL GROUP BY 1 ORDER BY 1
""")
_STORE = text("""
INSERT INTO gis.load_quality (load_id, layer_id, records, completeness, validity, duplicates,
                              in_hex, in_commune, placed, age_s)
VALUES (:load, :layer, :records, :completeness, :validity, :duplicates, :in_hex, :in_commune,
        CAST(:placed AS jsonb), :age)
""")
_LIST = text("""
SELECT q.load_id, q.at, l.source, q.records, q.completeness, q.validity, q.duplicates, q.in_hex,
       q.in_commune, q.placed, q.age_s
FROM gis.load_quality q JOIN gis.load l ON l.id = q.load_id
WHERE q.layer_id = :layer ORDER BY q.load_id DESC LIMIT :limit
""")
