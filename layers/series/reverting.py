"""Measurements of a load taken back: those that it brought go, those that it corrected return."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from layers.definition.model import Layer
from layers.series.latest import refresh_latest
from layers.storage.tables import measurements_of


@dataclass(frozen=True, slots=True)
class RevertedMeasurements:
    """Counts of measurements that are gone, that have their earlier values again, and that stay as
    they are since a later load corrected them.
    """

    deleted: int
    restored: int
    kept: int


def revert_measurements(
    connection: Connection, layer: Layer, load_id: int, who: str
) -> RevertedMeasurements:
    """Take back the measurements of a load, and bring the rows of their stations in line.

    What is taken back goes to the history of measurements.
    """
    table = f'layer."{measurements_of(layer).name}"'
    values = {"layer": layer.id, "load": load_id, "who": who}

    def run(statement: str) -> int:
        return connection.execute(text(statement.format(table=table)), values).rowcount

    stations = connection.scalars(text(_STATIONS.format(table=table)), values).all()
    run(_KEEP)
    restored = run(_RESTORE)
    deleted = run(_DELETE)
    kept = connection.scalar(_CORRECTED, values) - restored
    refresh_latest(connection, layer, stations)
    return RevertedMeasurements(deleted, restored, kept)


def measured_changes(
    connection: Connection, layer: Layer, load_id: int, limit: int
) -> Sequence[Row[Any]]:
    """Measurements that a load brought or corrected: station, source_key, before (None: there was
    none), after, changed_since.
    """
    names = {"layer": layer.id, "measurements": measurements_of(layer).name}
    values = {"layer": layer.id, "load": load_id, "limit": max(0, limit)}
    return connection.execute(text(_CHANGES.format(**names)), values).all()


_VALUES = "jsonb_build_object('quantity', {0}.quantity, 'measured_at', {0}.measured_at,"
_VALUES += " 'value', {0}.value, 'quality', {0}.quality)"
_CHANGES = f"""
SELECT s.id AS station, s.source_key, each.before, each.after, each.changed_since
FROM (
  SELECT m.station, m.quantity, m.measured_at,
         CASE WHEN h.id IS NOT NULL THEN {_VALUES.format("h")} END AS before,
         {_VALUES.format("m")} AS after, false AS changed_since
  FROM layer."{{measurements}}" m LEFT JOIN gis.measurement_history h
    ON h.load_id = :load AND h.layer_id = :layer
   AND (h.station, h.quantity, h.measured_at) = (m.station, m.quantity, m.measured_at)
  WHERE m.load_id = :load
  UNION ALL
  SELECT h.station, h.quantity, h.measured_at, {_VALUES.format("h")},
         CASE WHEN m.station IS NOT NULL THEN {_VALUES.format("m")} END, true
  FROM gis.measurement_history h LEFT JOIN layer."{{measurements}}" m
    USING (station, quantity, measured_at)
  WHERE h.load_id = :load AND h.layer_id = :layer AND m.load_id IS DISTINCT FROM :load) AS each
JOIN layer."{{layer}}" s ON s.id = each.station
ORDER BY each.station, each.quantity, each.measured_at LIMIT :limit"""  # noqa: S608 (names of ours)
_STATIONS = """
SELECT DISTINCT station FROM {table} WHERE load_id = :load"""
_KEEP = """
INSERT INTO gis.measurement_history
  (layer_id, station, quantity, measured_at, value, quality, came_by, who)
SELECT :layer, station, quantity, measured_at, value, quality, load_id, :who
FROM {table} WHERE load_id = :load"""
# The load that a restored value came by may be none that is kept; `load_id` then is null.
_RESTORE = """
UPDATE {table} m SET value = h.value, quality = h.quality, load_id = h.came_by
FROM gis.measurement_history h
WHERE h.load_id = :load AND h.layer_id = :layer AND m.load_id = :load
  AND (m.station, m.quantity, m.measured_at) = (h.station, h.quantity, h.measured_at)"""
_DELETE = """
DELETE FROM {table} WHERE load_id = :load"""
_CORRECTED = text("""
SELECT count(*) FROM gis.measurement_history WHERE load_id = :load AND layer_id = :layer
""")
