"""Replay of records in quarantine, after a correction or with better units and layers.

They are read as the file that they came from: with the answers that were given for it. One that was
not whole, such as a line with fields too many, waits until somebody has corrected it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import numpy.typing as npt
import shapely
from sqlalchemy import Connection, text

from gis.errors import AmbiguousInput
from gis.intake.tables import RawTable
from layers.definition.model import FileSource, Layer
from layers.ingest.load import LoadOptions, LoadReport, load_table
from layers.ingest.quarantine import QuarantinedRecord, list_waiting
from layers.ingest.records import (
    BAD_RECORD,
    GEOMETRY,
    GEOMETRY_CRS,
    NO_OPTIONS,
    FileOptions,
    needed_columns,
)
from layers.ingest.undeclared import complete

_MAX_RECORDS = 100_000


@dataclass(frozen=True, slots=True)
class RetryReport:
    """Outcome for the records of one source; `question`: why none of them could be replayed."""

    source: str
    waited: int
    report: LoadReport | None
    question: str | None = None

    @property
    def still_waiting(self) -> int:
        """Number of records still in quarantine, with those outside the province."""
        if self.report is None:
            return self.waited
        return self.report.quarantined + self.report.outside


def replay(
    connection: Connection,
    layer: Layer,
    *,
    actor: str,
    source: str | None = None,
    reason: str | None = None,
    ids: Sequence[int] | None = None,
    answers: FileOptions = NO_OPTIONS,
) -> list[RetryReport]:
    """Load the waiting records of a layer, file by file; records that fail again go on waiting.

    `answers` go before those that were given when the records came. A question about one file
    leaves its records waiting; the other files are loaded all the same.
    """
    waiting = list_waiting(
        connection,
        layers=[layer.id],
        source=source,
        reason=reason,
        ids=ids,
        limit=_MAX_RECORDS,
    )
    return [
        _replay_file(connection, layer, list(records), actor, answers)
        for _, records in groupby(sorted(waiting, key=_file_key), key=_file_key)
    ]


def _file_key(record: QuarantinedRecord) -> tuple[str, str, list[tuple[str, str]]]:
    return record.source, record.raw.get(GEOMETRY_CRS, ""), sorted(record.answers.items())


def _replay_file(
    connection: Connection,
    layer: Layer,
    records: Sequence[QuarantinedRecord],
    actor: str,
    answers: FileOptions,
) -> RetryReport:
    source = records[0].source
    try:
        with connection.begin_nested():
            report = _load_records(connection, layer, records, actor, answers)
    except AmbiguousInput as question:
        return RetryReport(source, len(records), None, str(question))
    return RetryReport(source, len(records), report)


def _load_records(
    connection: Connection,
    layer: Layer,
    records: Sequence[QuarantinedRecord],
    actor: str,
    answers: FileOptions,
) -> LoadReport:
    """Mark all records as replayed, then load them: the load puts failed ones back."""
    source = records[0].source
    connection.execute(_MARK_REPLAYED, {"ids": [record.id for record in records]})
    simulated = bool(connection.scalar(_WAS_SIMULATED, {"layer": layer.id, "source": source}))
    options = LoadOptions(
        who=actor,
        source=source,
        answers=answers.completed_by(records[0].answers),
        simulated=simulated,
        replayed=True,
    )
    uncorrected = set(connection.scalars(_UNCORRECTED, {"ids": [record.id for record in records]}))
    table = _as_table(layer, source, complete(connection, records))
    torn = {
        row: record.why
        for row, record in enumerate(records)
        if record.reason == BAD_RECORD and record.id in uncorrected
    }
    table = replace(table, faults=torn)
    return load_table(connection, layer, table, options)


_MARK_REPLAYED = text(
    "UPDATE gis.quarantine SET status = 'replayed', changed_at = now() WHERE id = ANY(:ids)"
)
_UNCORRECTED = text(
    "SELECT id FROM gis.quarantine"
    " WHERE id = ANY(:ids) AND said IS NOT DISTINCT FROM md5(raw::text)"
)
_WAS_SIMULATED = text(
    "SELECT bool_or(simulated) FROM gis.load WHERE layer_id = :layer AND source = :source"
)


def _as_table(layer: Layer, source: str, records: Sequence[QuarantinedRecord]) -> RawTable:
    """The records as the table of the file that they came from; their ids stand for its lines.

    Quarantine stores no empty values, so a required column may be in none of the records.
    """
    assert isinstance(layer.source, FileSource)
    stored = [column for record in records for column in record.raw]
    has_geometry = any(GEOMETRY in record.raw for record in records)
    required = needed_columns(layer.source, layer.fields, has_geometry=has_geometry)
    columns = tuple(dict.fromkeys([*required, *stored]))
    geometry = _geometry(records) if has_geometry else None
    return RawTable(
        name=source,
        sha256="",
        columns=columns,
        cells={column: [record.raw.get(column, "") for record in records] for column in columns},
        lines=[record.id for record in records],
        geometry=geometry,
        crs=next((record.raw[GEOMETRY_CRS] for record in records if has_geometry), None) or None,
        unread={
            row: record.raw[GEOMETRY]
            for row, record in enumerate(records)
            if geometry is not None and geometry[row] is None and record.raw.get(GEOMETRY)
        },
    )


def _geometry(records: Sequence[QuarantinedRecord]) -> npt.NDArray[np.object_]:
    """The geometries of the records, None where there is none; all in one CRS."""
    texts = [record.raw.get(GEOMETRY) or None for record in records]
    with np.errstate(invalid="ignore"):  # of NaN
        return np.asarray(shapely.from_wkt(texts, on_invalid="ignore"), object)
