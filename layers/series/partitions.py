"""Months of the measurements of a layer: made when needed, dropped as its file says."""

from collections.abc import Iterable
from datetime import date

from sqlalchemy import Connection, text

from gis.database.roles import as_owner
from layers.definition.model import Layer
from layers.storage.tables import measurements_of


def add_months(connection: Connection, layer: Layer, months: Iterable[date]) -> None:
    """Make the parts of these months (their first days) where they are missing.

    In the transaction of the load that brings the measurements: without it there is no part.
    """
    known = set(_parts(connection, layer))
    missing = sorted(set(months) - known)
    if missing:
        with as_owner(connection):
            for month in missing:
                connection.execute(_ADD, {"layer": layer.id, "month": month})


def drop_months(connection: Connection, layer: Layer, today: date) -> list[date]:
    """Drop the months that `series.keep_months` keeps no more, with their corrections; gives them.

    None where the layer file keeps all.
    """
    if layer.series is None or layer.series.keep_months is None:
        return []
    months = today.year * 12 + today.month - 1 - layer.series.keep_months
    first_kept = date(months // 12, months % 12 + 1, 1)
    outdated = [month for month in _parts(connection, layer) if month < first_kept]
    if outdated:
        with as_owner(connection):
            for month in outdated:
                connection.exec_driver_sql(f'DROP TABLE layer."{_part_name(layer, month)}"')
        values = {"layer": layer.id, "first": first_kept}
        connection.execute(_FORGET_CORRECTIONS, values)
        connection.execute(_RAISE_VERSION, values)
    return outdated


def _part_name(layer: Layer, month: date) -> str:
    return f"{measurements_of(layer).name}_{month:%Y_%m}"


def _parts(connection: Connection, layer: Layer) -> list[date]:
    """The months that have a part, the first one first."""
    prefix = f"{measurements_of(layer).name}_"
    names = connection.scalars(_PARTS, {"table": f'layer."{measurements_of(layer).name}"'})
    return sorted(
        date.fromisoformat(f"{name.removeprefix(prefix).replace('_', '-')}-01") for name in names
    )


_ADD = text("SELECT gis.add_measurement_month(:layer, :month)")
_PARTS = text("""
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass(:table)
""")
_FORGET_CORRECTIONS = text("""
DELETE FROM gis.measurement_history
WHERE layer_id = :layer
  AND measured_at < CAST(CAST(:first AS date) AS timestamp) AT TIME ZONE interval '7 hours'
""")
_RAISE_VERSION = text("""
UPDATE gis.layer SET version = version + 1, changed_at = now() WHERE id = :layer
""")
