"""Stations that a layer of measurements knows: a measurement of another one waits in quarantine."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from gis.placing.placer import Placements, Reason
from layers.definition.model import Layer
from layers.ingest.records import RecordBatch, RecordFault

UNKNOWN_STATION = "unknown_station"


class StationCheck:
    """Checks the records of one source, chunk after chunk, against the stations known so far."""

    def __init__(self, connection: Connection, layer: Layer, source: str) -> None:
        assert layer.series is not None
        self._connection = connection
        self._layer = layer
        self._series = layer.series
        self._source = source
        self._added: set[str] = set()

    def check(
        self, records: RecordBatch, places: Placements
    ) -> tuple[set[int], dict[int, RecordFault]]:
        """Rows without a place of their own whose station has one, and faults of those of a station
        that is not known.

        A station is added by a record with a place; by one with a measurement only where
        `series.new_stations` says so.
        """
        stations = records.row_keys
        rows = range(len(records))
        placed = [not self._layer.placed or not places.reason[row] for row in rows]
        measures = [
            any(records.columns[name][row] is not None for name in self._series.quantities)
            for row in rows
        ]
        self._added |= {
            stations[row]
            for row in rows
            if placed[row]
            and row not in records.faults
            and (self._series.new_stations or not measures[row])
        }
        nowhere = {row for row in rows if places.reason[row] == Reason.NO_PLACE and not placed[row]}
        alone = {row for row in rows if measures[row] and not self._series.new_stations}
        asked = {stations[row] for row in nowhere | alone} - self._added
        known = self._stored(sorted(asked)) | self._added
        excused = {row for row in nowhere if stations[row] in known}
        faults = {
            row: _unknown(stations[row], is_added=row in alone)
            for row in nowhere | alone
            if stations[row] not in known
        }
        return excused, faults

    def _stored(self, stations: Sequence[str]) -> set[str]:
        if not stations:
            return set()
        statement = text(_STORED.format(layer=self._layer.id))
        values = {"source": self._source, "stations": list(stations)}
        return set(self._connection.scalars(statement, values))


def _unknown(station: str, *, is_added: bool) -> RecordFault:
    how = (
        "nạp trạm bằng bản ghi không có số đo / add it by a record without a value"
        if is_added
        else "nạp trạm với vị trí của nó / load it with its place"
    )
    return RecordFault(
        UNKNOWN_STATION,
        f"trạm chưa có / the station “{station}” is not known: {how}, then replay the record",
    )


_STORED = """
SELECT source_key FROM layer."{layer}" WHERE source = :source AND source_key = ANY(:stations)"""
