"""The stored runs of all methods, listed with how much each found."""

from typing import Any

from sqlalchemy import Connection, text

from layers.detect.methods import METHODS


def list_runs(connection: Connection, layer_id: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest runs of a layer (None: of all), with what each left out and how much it found."""
    statement = text(_RUNS.format(found=_found()))
    rows = connection.execute(statement, {"layer": layer_id, "limit": limit})
    return [{**row._mapping, "until": row.until.isoformat(timespec="seconds"),
             "run_at": row.run_at.isoformat(timespec="seconds")} for row in rows]  # fmt: skip


def _found() -> str:
    """Cases of how much each method found; of alarms only what has a tier, the rest is usual."""
    return "\n".join(
        f"WHEN '{name}' THEN (SELECT count(*) FROM gis.{method.results} WHERE run_id = r.id"  # noqa: S608 (names of the registry)
        f"{' AND tier IS NOT NULL' if method.rule else ''})"
        for name, method in METHODS.items()
    )


_RUNS = """
SELECT r.id AS run, r.layer_id AS layer, r.method, r.input_until AS until, r.run_at,
       r.input_version AS version, r.code_version AS code, r.cleaning AS left_out,
       CASE r.method {found} END AS found
FROM gis.hotspot_run r
WHERE CAST(:layer AS text) IS NULL OR r.layer_id = :layer
ORDER BY r.id DESC LIMIT :limit
"""
