"""A file → placed rows → the layer's table, in one transaction; what fails is kept in quarantine.

Idempotent: a record is known by (source, source key). Loading a file twice changes nothing, not
even the layer's version.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import shapely
from sqlalchemy import Connection, text

from gis.clock import today
from gis.database.engine import Database
from gis.errors import BadInput
from gis.intake.tables import RawTable, read_table
from gis.placing.default_points import default_points
from gis.placing.placer import Claims, Placements, Reason
from gis.placing.reference import stored_placer, stored_territory
from gis.values import BBox
from layers.definition.model import FileSource, Layer
from layers.ingest import quarantine
from layers.ingest.former_keys import rename_former_keys
from layers.ingest.merge import IncomingRows
from layers.ingest.records import (
    NO_ANSWERS,
    FileOptions,
    ProvinceArea,
    RecordBatch,
    RecordFault,
    RecordReader,
)

Show = Callable[[int, int], None]
_SHOW_EVERY = 2_000


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to load. `source` names the system that the records come from; None: the file's name."""

    who: str
    source: str | None = None
    answers: FileOptions = NO_ANSWERS
    simulated: bool = False
    replace: bool = False  # records of the source that do not come again are removed
    again: bool = False  # the records come from quarantine, not from their source
    today: date | None = None


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of the records: read = added + updated + unchanged + outside + quarantined.

    Those outside are kept in quarantine too, with the reason `outside`.
    """

    layer_id: str
    source: str
    read: int
    added: int
    updated: int
    unchanged: int
    outside: int
    quarantined: int
    removed: int
    default_points: int
    reasons: dict[str, int]  # of those in quarantine, `outside` among them
    notes: tuple[str, ...]  # what was converted to read the file


@dataclass(frozen=True)
class _Sorted:
    """Records with their places, and the rows of those that are kept or failed.

    `answers` are those by which the file was read, given or settled by itself.
    """

    records: RecordBatch
    places: Placements
    default_point: npt.NDArray[np.bool_]
    kept: list[int]
    failed: dict[int, list[RecordFault]]
    answers: FileOptions

    @property
    def reasons(self) -> Counter[str]:
        """Why records failed, each counted by its first fault."""
        return Counter(faults[0].reason for faults in self.failed.values())


def load_file(
    database: Database, layer: Layer, path: Path, options: LoadOptions, show: Show | None = None
) -> LoadReport:
    """Load all records of a file, or none of them.

    `show` is called with (done, total). Raises BadFile, Question (whose answer is an option), and
    BadInput for a layer that takes no files.
    """
    answers = options.answers
    table = read_table(path, encoding=answers.encoding, table=answers.table)
    with database.writing() as connection:
        return load_table(connection, layer, table, options, show)


def load_table(
    connection: Connection,
    layer: Layer,
    table: RawTable,
    options: LoadOptions,
    show: Show | None = None,
) -> LoadReport:
    """Load the records of a table, inside the caller's transaction."""
    if not isinstance(layer.source, FileSource):
        raise BadInput(f"layer {layer.id} is made by the service itself and takes no files")
    sorted_ = _sort(connection, layer, layer.source, table, options)
    source = options.source or table.name.split(".")[0]
    rename_former_keys(connection, layer, layer.source, sorted_.records, source)
    incoming = IncomingRows(connection, layer)
    incoming.fill(_rows(sorted_, incoming.columns, source, options.simulated, show))
    added, updated = incoming.merge()
    came_again = [sorted_.records.keys[row] for row in sorted_.failed]
    removed = incoming.remove_missing(source, came_again) if options.replace else 0
    put = _keep_failed(connection, layer, sorted_, source, options)
    _store_reporters(connection, layer, sorted_, source)
    outside = sorted_.reasons[Reason.OUTSIDE.value]
    report = LoadReport(
        layer_id=layer.id,
        source=source,
        read=len(table),
        added=added,
        updated=updated,
        unchanged=len(sorted_.kept) - added - updated,
        outside=outside,
        quarantined=len(sorted_.failed) - outside,
        removed=removed,
        default_points=int(sorted_.default_point[sorted_.kept].sum()),
        reasons=dict(sorted_.reasons),
        notes=tuple(_notes(layer, table)),
    )
    if added or updated or removed or put:
        _note_load(connection, report, table.sha256, options)
    return report


def _notes(layer: Layer, table: RawTable) -> Iterator[str]:
    """What was converted; examples of personal columns are shown to nobody."""
    personal = {one.column or name for name, one in layer.fields.items() if one.personal}
    return (str(note) for note in table.notes if note.column not in personal)


def _sort(
    connection: Connection,
    layer: Layer,
    source: FileSource,
    table: RawTable,
    options: LoadOptions,
) -> _Sorted:
    territory = stored_territory(connection)
    area = ProvinceArea(BBox.of(territory.outline.bounds), territory.holds)
    reader = RecordReader(layer, source, area, options.answers)
    records = reader.read(table)
    placer = stored_placer(connection, options.today or today())
    keeps_outside = source.outside == "keep"
    places = placer.place(_claims(records), tell_outside=layer.placed and not keeps_outside)
    failed = dict(records.faults)
    if layer.placed:
        for row in np.flatnonzero(places.reason != Reason.NONE.value).tolist():
            place, others = RecordFault(places.reason[row], places.why[row]), failed.get(row, [])
            if place.reason != Reason.OUTSIDE.value:
                failed[row] = [*others, place]
            elif not keeps_outside:  # told first, unless a bad shape is the reason for it
                bad_shape = any(fault.reason == "bad_geometry" for fault in others)
                failed[row] = [*others, place] if bad_shape else [place, *others]
    return _Sorted(
        records=records,
        places=places,
        default_point=_default_points(records),
        kept=[row for row in range(len(records)) if row not in failed],
        failed=failed,
        answers=reader.settled,
    )


def _claims(records: RecordBatch) -> Claims:
    return Claims(
        lon=records.lon,
        lat=records.lat,
        address=records.address,
        unit=records.unit,
        day=records.days,
        precision_m=records.precision_m,
    )


def _default_points(records: RecordBatch) -> npt.NDArray[np.bool_]:
    """Records on a coordinate that a geocoder gives to whatever it does not know."""
    texts = [column for column in records.columns.values() if _is_text(column)]
    subjects = [*texts, records.address]
    return default_points(records.lon, records.lat, *subjects, days=records.days).mask


def _is_text(column: list[Any]) -> bool:
    return any(isinstance(value, str) for value in column)


def _rows(
    found: _Sorted, columns: tuple[str, ...], source: str, simulated: bool, show: Show | None
) -> Iterator[list[Any]]:
    """The rows of a layer's table, in the order of `columns`."""
    geometries = _ewkb(found)
    for done, row in enumerate(found.kept):
        if show and done % _SHOW_EVERY == 0:
            show(done, len(found.kept))
        values = _row(found, row, source, simulated)
        values["geom"] = geometries[row]
        yield [
            values[name] if name in values else found.records.columns[name][row] for name in columns
        ]


def _ewkb(found: _Sorted) -> npt.NDArray[np.object_]:
    """The geometry of each record as hexadecimal EWKB, None where it has no point."""
    shapes = found.records.shapes
    if shapes is None:
        shapes = shapely.points(found.places.lon, found.places.lat)
        shapes[~np.isfinite(found.places.lon)] = None
    return np.asarray(
        shapely.to_wkb(shapely.set_srid(shapes, 4326), hex=True, include_srid=True), object
    )


def _row(found: _Sorted, row: int, source: str, simulated: bool) -> dict[str, Any]:
    place = found.places.row(row)
    provenance = {"line": found.records.lines[row]} | ({"simulated": True} if simulated else {})
    default_point = bool(found.default_point[row])
    return {
        "h3": (place["cell"] or None) if found.records.shapes is None else None,
        "commune": place["commune"],
        "unit_then": place["unit_then"],
        "place_method": place["method"],
        "place_confidence": place["confidence"],
        "place_precision_m": place["precision_m"],
        "default_point": default_point,
        "valid_at": found.records.valid_at[row],
        "source": source,
        "source_key": found.records.keys[row],
        "provenance": orjson.dumps(provenance).decode(),
    }


def _keep_failed(
    connection: Connection, layer: Layer, found: _Sorted, source: str, options: LoadOptions
) -> int:
    """Failed records into quarantine; those there that now have a place out of it. How many of
    them are new or changed.
    """
    keys = found.records.keys
    placed = [keys[row] for row in found.kept]
    quarantine.settle(connection, layer.id, source, placed, again=options.again)
    failed = {keys[row]: (found.records.raw(row), faults) for row, faults in found.failed.items()}
    return quarantine.put(
        connection, layer.id, source, failed, options.who, found.answers, again=options.again
    )


def _store_reporters(connection: Connection, layer: Layer, found: _Sorted, source: str) -> None:
    """Personal fields go to schema private, whether the record was placed or not."""
    rows = [
        {
            "layer": layer.id,
            "source": source,
            "key": found.records.keys[row],
            "details": orjson.dumps(found.records.personal[row]).decode(),
        }
        for row in [*found.kept, *found.failed]
        if found.records.personal[row]
    ]
    if rows:
        connection.execute(_PUT_REPORTER, rows)


_PUT_REPORTER = text("""
INSERT INTO private.reporter AS r (layer_id, source, source_key, details)
VALUES (:layer, :source, :key, CAST(:details AS jsonb))
ON CONFLICT (layer_id, source, source_key) DO UPDATE SET details = excluded.details
WHERE r.details IS DISTINCT FROM excluded.details
""")


def _note_load(
    connection: Connection, report: LoadReport, sha256: str, options: LoadOptions
) -> None:
    values = asdict(report) | {
        "sha256": sha256,
        "who": options.who,
        "simulated": options.simulated,
    }
    connection.execute(_NOTE_LOAD, values)


_NOTE_LOAD = text("""
INSERT INTO gis.load (layer_id, source, sha256, loaded_by, read, added, updated, unchanged,
                      outside, quarantined, simulated)
VALUES (:layer_id, :source, :sha256, :who, :read, :added, :updated, :unchanged,
        :outside, :quarantined, :simulated)
""")
