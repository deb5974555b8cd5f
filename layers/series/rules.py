"""Measurements as the SQL of alert rules reads them; names are of a validated layer file."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, text

from layers.definition.model import Layer, LevelRule
from layers.series.latest import USABLE, threshold_sql
from layers.storage.tables import measurements_of


def measured_rows(layer: Layer, quantity: str, of: str) -> str:
    """The usable measurements of a quantity as rows of an ordinary layer, each with the columns of
    its station that rules read; `of` is the field that names it.
    """
    return f"""(
  SELECT s.id, s.geom, s.h3, s.commune, s.default_point, s.provenance, s."{of}",
         m.measured_at AS valid_at, m.value AS "{quantity}"
  FROM layer."{measurements_of(layer).name}" m JOIN layer."{layer.id}" s ON s.id = m.station
  WHERE m.quantity = '{quantity}' AND m.{USABLE}) AS measured"""  # noqa: S608


def level_names(layer: Layer, rule: LevelRule) -> dict[str, str]:
    """The names in the statement of a rule about the thresholds of a quantity."""
    assert layer.series is not None
    quantity = rule.field
    measured = layer.series.quantities[quantity]
    at = f"{quantity}_at" if f"{quantity}_at" in layer.measured_fields else "valid_at"
    thresholds = ", ".join(threshold_sql(each.at) for each in measured.thresholds)
    return {
        "of": f's."{rule.of}"' if rule.of else "s.source_key",
        "level": f'"{quantity}_alarm"',
        "at": f'"{at}"',
        "quantity": f"'{quantity}'",
        "thresholds": f"ARRAY[{thresholds}]",
        "hysteresis": str(measured.hysteresis),
        "measurements": f'layer."{measurements_of(layer).name}"',
    }


def corrected_stations(
    connection: Connection,
    layer: Layer,
    quantity: str,
    since: Mapping[int, datetime],
    after: datetime,
) -> frozenset[int]:
    """Stations of which a measurement was corrected after a moment.

    `since` are, by station, the times from which on their measurements count.
    """
    values = {
        "layer": layer.id,
        "quantity": quantity,
        "stations": list(since),
        "since": list(since.values()),
        "after": after,
    }
    return frozenset(connection.scalars(_CORRECTED, values))


_CORRECTED = text("""
SELECT DISTINCT h.station
FROM unnest(CAST(:stations AS bigint[]), CAST(:since AS timestamptz[])) AS alert (station, since)
JOIN gis.measurement_history h ON h.layer_id = :layer AND h.station = alert.station
  AND h.quantity = :quantity AND h.measured_at >= alert.since
WHERE h.at > :after
""")
