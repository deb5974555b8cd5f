"""Records in quarantine, corrected or with better units and layers, tried again.

They are read as the file was that they came from: with the answers that were given for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
from layers.ingest.records import GEOMETRY, GEOMETRY_CRS, NO_ANSWERS, FileOptions, needed_columns

_MOST = 100_000


@dataclass(frozen=True, slots=True)
class RetryReport:
    """What became of the records of one source; `question` is why none of them could be tried."""

    source: str
    waited: int
    report: LoadReport | None
    question: str | None = None

    @property
    def still_waiting(self) -> int:
        """How many of them are in quarantine still, those outside the province among them."""
        if self.report is None:
            return self.waited
        return self.report.quarantined + self.report.outside


def replay(
    connection: Connection,
    layer: Layer,
    *,
    who: str,
    source: str | None = None,
    reason: str | None = None,
    answers: FileOptions = NO_ANSWERS,
) -> list[RetryReport]:
    """Load what waits for a layer again, file by file; what fails again goes on waiting.

    `answers` go before those that were given when the records came. A question about one file
    leaves its records waiting, and the others are tried all the same.
    """
    waiting = list_waiting(connection, layers=[layer.id], source=source, reason=reason, limit=_MOST)
    return [
        _replay_file(connection, layer, list(records), who, answers)
        for _, records in groupby(sorted(waiting, key=_file), key=_file)
    ]


def _file(record: QuarantinedRecord) -> tuple[str, str, list[tuple[str, str]]]:
    return record.source, record.raw.get(GEOMETRY_CRS, ""), sorted(record.answers.items())


def _replay_file(
    connection: Connection,
    layer: Layer,
    records: Sequence[QuarantinedRecord],
    who: str,
    answers: FileOptions,
) -> RetryReport:
    source = records[0].source
    try:
        with connection.begin_nested():
            report = _load_again(connection, layer, records, who, answers)
    except AmbiguousInput as question:
        return RetryReport(source, len(records), None, str(question))
    return RetryReport(source, len(records), report)


def _load_again(
    connection: Connection,
    layer: Layer,
    records: Sequence[QuarantinedRecord],
    who: str,
    answers: FileOptions,
) -> LoadReport:
    """All are marked as replayed first; those that fail again are put back by the load."""
    source = records[0].source
    connection.execute(_MARK, {"ids": [record.id for record in records]})
    simulated = bool(connection.scalar(_WAS_SIMULATED, {"layer": layer.id, "source": source}))
    options = LoadOptions(
        who=who,
        source=source,
        answers=answers.with_others(records[0].answers),
        simulated=simulated,
        again=True,
    )
    return load_table(connection, layer, _as_table(layer, source, records), options)


_MARK = text(
    "UPDATE gis.quarantine SET status = 'replayed', changed_at = now() WHERE id = ANY(:ids)"
)
_WAS_SIMULATED = text(
    "SELECT bool_or(simulated) FROM gis.load WHERE layer_id = :layer AND source = :source"
)


def _as_table(layer: Layer, source: str, records: Sequence[QuarantinedRecord]) -> RawTable:
    """The records as the file that they came from; their numbers stand for its lines.

    Empty values are not kept in quarantine, so a column may be in none of the records.
    """
    assert isinstance(layer.source, FileSource)
    kept = [column for record in records for column in record.raw]
    has_geometry = any(GEOMETRY in record.raw for record in records)
    needed = needed_columns(layer.source, layer.fields, has_geometry=has_geometry)
    columns = tuple(dict.fromkeys([*needed, *kept]))
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
    """The geometries that the records came with; of one file, they share one CRS."""
    texts = [record.raw.get(GEOMETRY) or None for record in records]
    with np.errstate(invalid="ignore"):  # of NaN
        return np.asarray(shapely.from_wkt(texts, on_invalid="ignore"), object)
