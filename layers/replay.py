"""Records in quarantine, corrected or with better units and layers, tried again."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
import shapely
from sqlalchemy import Connection, text

from gis.intake.tables import RawTable
from layers.load import LoadOptions, LoadReport, load_table
from layers.model import FileSource, Layer
from layers.quarantine import Waiting, list_waiting
from layers.records import GEOMETRY, GEOMETRY_CRS, NO_ANSWERS, Answers, needed_columns

_MOST = 100_000


def replay(
    connection: Connection, layer: Layer, *, who: str, answers: Answers = NO_ANSWERS
) -> list[LoadReport]:
    """Load what waits for a layer again, source by source; what fails again goes on waiting."""
    waiting = list_waiting(connection, layers=[layer.id], limit=_MOST)
    by_source = groupby(sorted(waiting, key=lambda one: one.source), key=lambda one: one.source)
    return [
        _replay_source(connection, layer, source, list(records), who, answers)
        for source, records in by_source
    ]


def _replay_source(
    connection: Connection,
    layer: Layer,
    source: str,
    records: Sequence[Waiting],
    who: str,
    answers: Answers,
) -> LoadReport:
    """All are marked as replayed first; those that fail again are put back by the load."""
    connection.execute(_MARK, {"ids": [record.id for record in records]})
    simulated = bool(connection.scalar(_WAS_SIMULATED, {"layer": layer.id, "source": source}))
    options = LoadOptions(who=who, source=source, answers=answers, simulated=simulated)
    return load_table(connection, layer, _as_table(layer, source, records), options)


_MARK = text(
    "UPDATE gis.quarantine SET status = 'replayed', changed_at = now() WHERE id = ANY(:ids)"
)
_WAS_SIMULATED = text(
    "SELECT bool_or(simulated) FROM gis.load WHERE layer_id = :layer AND source = :source"
)


def _as_table(layer: Layer, source: str, records: Sequence[Waiting]) -> RawTable:
    """The records as the file that they came from; their numbers stand for its lines.

    Empty values are not kept in quarantine, so a column may be in none of the records.
    """
    assert isinstance(layer.source, FileSource)
    kept = [column for record in records for column in record.raw]
    has_geometry = any(GEOMETRY in record.raw for record in records)
    needed = needed_columns(layer.source, layer.fields, has_geometry=has_geometry)
    columns = tuple(dict.fromkeys([*needed, *kept]))
    return RawTable(
        name=source,
        sha256="",
        columns=columns,
        cells={column: [record.raw.get(column, "") for record in records] for column in columns},
        lines=[record.id for record in records],
        geometry=_geometry(records) if has_geometry else None,
        crs=next((record.raw[GEOMETRY_CRS] for record in records if has_geometry), None) or None,
    )


def _geometry(records: Sequence[Waiting]) -> npt.NDArray[np.object_]:
    """The geometries that the records came with; of one source, they share one CRS."""
    texts = [record.raw.get(GEOMETRY) or None for record in records]
    return np.asarray(shapely.from_wkt(texts), object)
