"""Measurements of a load: from the records that it staged to the table of its layer.

Each staged record is one measurement, or one of each quantity. Its station is a row of the layer;
the staged records are reduced to one a station, with which rows are merged as in any layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from layers.definition.model import Layer
from layers.ingest.mode import LoadMode
from layers.series.latest import refresh_latest
from layers.series.partitions import add_months
from layers.storage.tables import measurements_of

# The columns of the place of a station, which go together.
_PLACE = (
    "geom", "h3", "commune", "unit_then", "place_method", "place_confidence", "place_precision_m",
    "default_point",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MeasuredRecords:
    """Counts of records: with a measurement or a station that is new, and with none that is, but
    with one that is corrected.

    `stored` are the measurements of these stations so far, in the time of the load.
    """

    added: int
    updated: int
    stored: int


class StagedMeasurements:
    """Measurements in the table `incoming` (layers.ingest.merge), in the load's transaction.

    `incoming` has, beside the columns of the layer, `#station` (the key of the station) and
    `#record` (a number that rises); its `source_key` is that of the record.
    """

    def __init__(self, connection: Connection, layer: Layer, source: str) -> None:
        assert layer.series is not None
        self.connection = connection
        self.layer = layer
        self.source = source
        self._table = f'layer."{layer.id}"'
        self._measurements = f'layer."{measurements_of(layer).name}"'
        # Loads of one layer store one after the other: the earlier value of a correction is right.
        self._run(_LOCK, layer=f"measurements of {layer.id}")

    def take(self) -> None:
        """Take the measurements out of the staged records, and leave one record a station."""
        assert self.layer.series is not None
        quantities = ", ".join(
            f'(\'{name}\', i."{name}", i."{name}_quality")' for name in self.layer.series.quantities
        )
        self._run("DROP TABLE IF EXISTS pg_temp.measured")
        self._run(_MEASURED.format(quantities=quantities))
        self._run("ANALYZE pg_temp.measured")
        self._run(_KNOWN_STATIONS.format(table=self._table), source=self.source)
        first, last = self.connection.execute(_SPAN).one()
        if first is not None:
            # The bounds of the time let PostgreSQL read these months alone.
            stored = _STORED.format(measurements=self._measurements)
            self._run(stored, first=first, last=last)
        self._run(_ONE_A_STATION)
        self._run('UPDATE pg_temp.incoming SET source_key = "#station"')
        self._complete_stations()

    def _complete_stations(self) -> None:
        """Values of a station that its record does not have stay, and so do newer ones."""
        measured = self.layer.measured_fields
        fields = [name for name in self.layer.public_fields if name not in measured]
        is_late = "i.valid_at < t.valid_at"
        no_place = "i.geom IS NULL AND i.place_method IS NULL"
        kept = {
            **{name: f"CASE WHEN {is_late} OR {no_place} THEN t.{name} ELSE i.{name} END"
               for name in _PLACE},
            **{f'"{name}"': f'CASE WHEN {is_late} OR i."{name}" IS NULL THEN t."{name}"'
               f' ELSE i."{name}" END' for name in fields},
        }  # fmt: skip
        statement = _COMPLETE.format(
            table=self._table, names=", ".join(kept), values=", ".join(kept.values())
        )
        self._run(statement, source=self.source)

    def count(
        self, mode: LoadMode, new_stations: Sequence[int], changed_stations: Sequence[int]
    ) -> MeasuredRecords:
        """Counts of records by what storing would do.

        Of the stations that are new or changed, the numbers of their records are given.
        """
        values = {
            "corrects": mode is not LoadMode.APPEND,
            "new": list(new_stations),
            "changed": list(changed_stations),
        }
        row = self.connection.execute(_COUNT, values).one()
        return MeasuredRecords(row.added, row.updated, row.stored)

    def store(self, mode: LoadMode, load_id: int, who: str) -> None:
        """Store what is new or corrected; the rows of the stations are merged already.

        An earlier value goes to the history of measurements.
        """
        self._run(_KNOWN_STATIONS.format(table=self._table), source=self.source)
        months = self.connection.scalars(_MONTHS).all()
        add_months(self.connection, self.layer, months)
        corrects = mode is not LoadMode.APPEND
        if corrects:
            self._run(_KEEP_EARLIER, layer=self.layer.id, load=load_id, who=who)
        self._run(_STORE.format(measurements=self._measurements), load=load_id, corrects=corrects)

    def refresh(self) -> None:
        """Bring the rows of the stations of this load in line with their measurements."""
        stations = self.connection.scalars(
            text(_STATIONS.format(table=self._table)), {"source": self.source}
        ).all()
        refresh_latest(self.connection, self.layer, stations)

    def _run(self, statement: str, **values: Any) -> None:
        self.connection.execute(text(statement), values)


def newest_time(connection: Connection) -> Any:
    """The time of the newest measurement that this transaction staged, None where there is none."""
    return connection.scalar(text("SELECT max(measured_at) FROM pg_temp.measured"))


_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(:layer, 0))"
# Of two values of one moment the last one counts.
_MEASURED = """
CREATE TEMP TABLE measured ON COMMIT DROP AS
SELECT DISTINCT ON (i."#station", q.quantity, i.valid_at)
       i."#station" AS station_key, i."#record" AS record,
       q.quantity, i.valid_at AS measured_at, q.value, q.quality,
       CAST(NULL AS bigint) AS station, CAST(NULL AS float8) AS earlier,
       CAST(NULL AS text) AS earlier_quality, CAST(NULL AS bigint) AS came_by
FROM pg_temp.incoming i CROSS JOIN LATERAL (VALUES {quantities}) AS q (quantity, value, quality)
WHERE q.value IS NOT NULL AND i.valid_at IS NOT NULL
ORDER BY i."#station", q.quantity, i.valid_at, i."#record" DESC"""
_KNOWN_STATIONS = """
UPDATE pg_temp.measured n SET station = t.id FROM {table} t
WHERE n.station IS NULL AND t.source = :source AND t.source_key = n.station_key"""
_SPAN = text("""
SELECT min(measured_at), max(measured_at) FROM pg_temp.measured WHERE station IS NOT NULL
""")
_STORED = """
UPDATE pg_temp.measured n
SET earlier = m.value, earlier_quality = m.quality, came_by = coalesce(m.load_id, 0)
FROM {measurements} m
WHERE m.station = n.station AND m.quantity = n.quantity AND m.measured_at = n.measured_at
  AND m.measured_at BETWEEN :first AND :last"""
_ONE_A_STATION = """
DELETE FROM pg_temp.incoming WHERE "#record" NOT IN (
  SELECT DISTINCT ON ("#station") "#record" FROM pg_temp.incoming
  ORDER BY "#station", geom IS NULL AND place_method IS NULL, valid_at DESC NULLS LAST,
           "#record" DESC)"""
_COMPLETE = """
UPDATE pg_temp.incoming i SET ({names}) = ROW({values}) FROM {table} t
WHERE t.source = :source AND t.source_key = i."#station" """
_IS_NEW = "earlier IS NULL"
_IS_CORRECTED = """
(earlier IS NOT NULL AND (earlier, earlier_quality) IS DISTINCT FROM (value, quality))"""
_COUNT = text(f"""
SELECT count(*) FILTER (WHERE is_new) AS added,
       count(*) FILTER (WHERE NOT is_new AND is_corrected AND :corrects) AS updated,
       CAST(coalesce(sum(stored), 0) AS bigint) AS stored
FROM (
  SELECT record, bool_or(is_new) AS is_new, bool_or(is_corrected) AS is_corrected,
         count(earlier) AS stored
  FROM (
    SELECT record, {_IS_NEW} AS is_new, {_IS_CORRECTED} AS is_corrected, earlier
    FROM pg_temp.measured
    UNION ALL SELECT unnest(CAST(:new AS bigint[])), true, false, NULL
    UNION ALL SELECT unnest(CAST(:changed AS bigint[])), false, true, NULL) AS each
  GROUP BY record) AS records
""")  # noqa: S608 (words of our own)
_MONTHS = text(f"""
SELECT DISTINCT CAST(date_trunc('month', measured_at AT TIME ZONE interval '7 hours') AS date)
FROM pg_temp.measured WHERE {_IS_NEW}
""")  # noqa: S608
_KEEP_EARLIER = f"""
INSERT INTO gis.measurement_history
  (layer_id, station, quantity, measured_at, value, quality, came_by, load_id, who)
SELECT :layer, station, quantity, measured_at, earlier, earlier_quality, nullif(came_by, 0),
       :load, :who
FROM pg_temp.measured WHERE {_IS_CORRECTED}"""  # noqa: S608
_STORE = f"""
INSERT INTO {{measurements}} (station, quantity, measured_at, value, quality, load_id)
SELECT station, quantity, measured_at, value, quality, :load FROM pg_temp.measured
WHERE {_IS_NEW} OR :corrects AND {_IS_CORRECTED}
ON CONFLICT (station, quantity, measured_at) DO UPDATE
SET value = excluded.value, quality = excluded.quality, load_id = excluded.load_id"""  # noqa: S608
_STATIONS = """
SELECT t.id FROM {table} t JOIN pg_temp.incoming i ON t.source_key = i.source_key
WHERE t.source = :source"""
