"""Load of a file: records are placed and merged into the layer's table, in one transaction.

Records that fail go to quarantine. Idempotent: a record is known by (source, source key). Loading
a file twice changes nothing, not even the layer's version.
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

from gis.access import LOCAL_ADMIN
from gis.clock import today
from gis.database.engine import Database
from gis.errors import BadInput
from gis.intake.tables import RawTable, read_table
from gis.placing.default_points import default_points
from gis.placing.placer import COMMUNE_PRECISION_M, Claims, Placements, PlaceMethod, Reason
from gis.placing.reference import stored_placer, stored_territory
from gis.values import BBox
from layers.definition.model import FileSource, Layer
from layers.ingest import quarantine
from layers.ingest.addresses import drop_addresses, keep_addresses
from layers.ingest.corrections import apply_rules
from layers.ingest.former_keys import rename_former_keys
from layers.ingest.merge import IncomingRows
from layers.ingest.place_notes import centre_note, restored_codes_note
from layers.ingest.records import (
    NO_OPTIONS,
    FileOptions,
    ProvinceArea,
    RecordBatch,
    RecordFault,
    RecordReader,
    declared_columns,
)
from layers.ingest.shift import ask_if_shifted
from layers.ingest.undeclared import put_cells

Show = Callable[[int, int], None]
_SHOW_EVERY = 2_000  # rows


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Options of a load.

    `source` names the system that the records come from; None: the file's name.
    """

    who: str
    source: str | None = None
    answers: FileOptions = NO_OPTIONS
    simulated: bool = False
    replace: bool = False  # rows of the source that the file does not hold are removed
    replayed: bool = False  # the records come from quarantine, not from their source
    today: date | None = None


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Counts of records: read = added + updated + unchanged + outside + quarantined.

    Records outside the province are in quarantine too, with the reason `outside`. `address_share`
    is the share of the records placed by address that have a hex; None where there are none.
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
    reasons: dict[str, int]  # of records in quarantine, `outside` among them
    notes: tuple[str, ...]  # conversions that were needed to read the file
    address_share: float | None = None


@dataclass(frozen=True)
class _PlacedBatch:
    """Records with their places, divided into rows that are kept and rows that failed.

    `answers` are those by which the file was read, given or settled by the file itself. `notes`
    are the conversions that placing needed.
    """

    records: RecordBatch
    places: Placements
    default_point: npt.NDArray[np.bool_]
    kept: list[int]
    failed: dict[int, list[RecordFault]]
    answers: FileOptions
    notes: tuple[str, ...]

    @property
    def reasons(self) -> Counter[str]:
        """Counts of failed records by the reason of their first fault."""
        return Counter(faults[0].reason for faults in self.failed.values())


def load_file(
    database: Database, layer: Layer, path: Path, options: LoadOptions, show: Show | None = None
) -> LoadReport:
    """Load all records of a file, or none of them.

    `show` is called with (done, total), in rows. Raises BadFile, AmbiguousInput (whose answer is
    an option), and BadInput for a layer that takes no files.
    """
    answers = options.answers
    table = read_table(path, encoding=answers.encoding, table=answers.table, layout=answers.layout)
    with database.writing() as connection:
        return load_table(connection, layer, table, options, show)


def load_table(
    connection: Connection,
    layer: Layer,
    table: RawTable,
    options: LoadOptions,
    show: Show | None = None,
) -> LoadReport:
    """Load the records of a table, inside the caller's transaction; raises as `load_file`."""
    if not isinstance(layer.source, FileSource):
        raise BadInput(f"layer {layer.id} is made by the service itself and takes no files")
    source = options.source or table.name.split(".")[0]
    table, rule_notes = apply_rules(connection, layer, source, table)
    batch = _place_records(connection, layer, layer.source, table, options)
    rename_former_keys(connection, layer, layer.source, batch.records, source)
    incoming = IncomingRows(connection, layer)
    incoming.fill(_rows(batch, incoming.columns, source, options.simulated, show))
    added, updated = incoming.merge()
    failed_keys = [batch.records.keys[row] for row in batch.failed]
    removed = incoming.remove_missing(source, failed_keys) if options.replace else 0
    quarantined = _quarantine_failed(connection, layer, batch, source, options)
    _store_reporters(connection, layer, batch, source)
    _store_addresses(connection, layer, batch, source)
    if removed:
        drop_addresses(connection, layer)
    outside = batch.reasons[Reason.OUTSIDE.value]
    report = LoadReport(
        layer_id=layer.id,
        source=source,
        read=len(table),
        added=added,
        updated=updated,
        unchanged=len(batch.kept) - added - updated,
        outside=outside,
        quarantined=len(batch.failed) - outside,
        removed=removed,
        default_points=int(batch.default_point[batch.kept].sum()),
        reasons=dict(batch.reasons),
        notes=(*_public_notes(layer, table), *rule_notes, *batch.notes),
        address_share=_address_share(batch),
    )
    if added or updated or removed or quarantined:
        _log_load(connection, report, table.sha256, options)
    return report


def _by_address(batch: _PlacedBatch) -> list[int]:
    return [row for row in batch.kept if batch.places.method[row] == PlaceMethod.ADDRESS.value]


def _address_share(batch: _PlacedBatch) -> float | None:
    rows = _by_address(batch)
    return float((batch.places.cell[rows] != 0).mean()) if rows else None


def _store_addresses(
    connection: Connection, layer: Layer, batch: _PlacedBatch, source: str
) -> None:
    rows = _by_address(batch)
    keys = [batch.records.keys[row] for row in rows]
    addresses = [batch.records.address[row] for row in rows]
    keep_addresses(connection, layer, source, keys, addresses)


def _public_notes(layer: Layer, table: RawTable) -> Iterator[str]:
    """Conversions of the file in columns that are declared and not personal: they quote values."""
    assert isinstance(layer.source, FileSource)
    personal = {
        definition.column or name
        for name, definition in layer.fields.items()
        if definition.personal
    }
    public = declared_columns(layer.source, layer.fields) - personal
    return (str(note) for note in table.notes if note.column is None or note.column in public)


def _place_records(
    connection: Connection,
    layer: Layer,
    source: FileSource,
    table: RawTable,
    options: LoadOptions,
) -> _PlacedBatch:
    territory = stored_territory(connection)
    area = ProvinceArea(BBox.of(territory.outline.bounds), territory.holds)
    reader = RecordReader(layer, source, area, options.answers, asks=not options.replayed)
    records = reader.read(table)
    placer = stored_placer(connection, options.today or today(), LOCAL_ADMIN)
    keeps_outside = source.outside == "keep"
    places = placer.place(_claims(records), report_outside=layer.placed and not keeps_outside)
    if layer.placed and options.answers.crs is None and not options.replayed:
        ask_if_shifted(records, places, placer)
    failed = dict(records.faults)
    if layer.placed:
        for row in np.flatnonzero(places.reason != Reason.NONE.value).tolist():
            place, faults = RecordFault(places.reason[row], places.why[row]), failed.get(row, [])
            if place.reason != Reason.OUTSIDE.value:
                failed[row] = [*faults, place]
            elif not keeps_outside:
                # The first fault is the reason shown: a bad shape may itself be why it is outside.
                bad_shape = any(fault.reason == "bad_geometry" for fault in faults)
                failed[row] = [*faults, place] if bad_shape else [place, *faults]
    on_centres = placer.on_centres(records.lon, records.lat, records.precision_m)
    places.precision_m[on_centres] = COMMUNE_PRECISION_M
    notes = (
        restored_codes_note(source, records.unit, placer.unit_names),
        centre_note(int(on_centres.sum())),
    )
    return _PlacedBatch(
        records=records,
        places=places,
        default_point=_default_points(records) | on_centres,
        kept=[row for row in range(len(records)) if row not in failed],
        failed=failed,
        answers=reader.effective_answers,
        notes=tuple(note for note in notes if note),
    )


def _claims(records: RecordBatch) -> Claims:
    return Claims(
        lon=records.lon,
        lat=records.lat,
        address=records.address,
        unit=records.unit,
        day=records.days,
        precision_m=records.precision_m,
        district=records.district,
        shapes=records.shapes,
    )


def _default_points(records: RecordBatch) -> npt.NDArray[np.bool_]:
    """Mask of the records on a default point: the coordinate a geocoder gives when it fails."""
    columns = records.columns.values()
    texts = [column for column in columns if any(isinstance(value, str) for value in column)]
    subjects = [*texts, records.address]
    return default_points(records.lon, records.lat, *subjects, days=records.days).mask


def _rows(
    batch: _PlacedBatch, columns: tuple[str, ...], source: str, simulated: bool, show: Show | None
) -> Iterator[list[Any]]:
    """The rows of a layer's table, in the order of `columns`."""
    geometries = _ewkb(batch)
    for done, row in enumerate(batch.kept):
        if show and done % _SHOW_EVERY == 0:
            show(done, len(batch.kept))
        values = _row(batch, row, source, simulated)
        values["geom"] = geometries[row]
        yield [
            values[name] if name in values else batch.records.columns[name][row] for name in columns
        ]


def _ewkb(batch: _PlacedBatch) -> npt.NDArray[np.object_]:
    """The geometry of each record as hexadecimal EWKB, None where it has no point."""
    shapes = batch.records.shapes
    if shapes is None:
        shapes = shapely.points(batch.places.lon, batch.places.lat)
        shapes[~np.isfinite(batch.places.lon)] = None
    return np.asarray(
        shapely.to_wkb(shapely.set_srid(shapes, 4326), hex=True, include_srid=True), object
    )


def _row(batch: _PlacedBatch, row: int, source: str, simulated: bool) -> dict[str, Any]:
    place = batch.places.row(row)
    provenance = {"line": batch.records.lines[row]} | ({"simulated": True} if simulated else {})
    default_point = bool(batch.default_point[row])
    return {
        "h3": (place["cell"] or None) if batch.records.shapes is None else None,
        "commune": place["commune"],
        "unit_then": place["unit_then"],
        "place_method": place["method"],
        "place_confidence": place["confidence"],
        "place_precision_m": place["precision_m"],
        "default_point": default_point,
        "valid_at": batch.records.valid_at[row],
        "source": source,
        "source_key": batch.records.keys[row],
        "provenance": orjson.dumps(provenance).decode(),
    }


def _quarantine_failed(
    connection: Connection, layer: Layer, batch: _PlacedBatch, source: str, options: LoadOptions
) -> int:
    """Put failed records into quarantine and take out those that are placed now.

    Gives the number of records in quarantine that are new or changed.
    """
    keys = batch.records.keys
    placed_keys = [keys[row] for row in batch.kept]
    quarantine.settle(connection, layer.id, source, placed_keys, replayed=options.replayed)
    failed = {keys[row]: (batch.records.raw(row), faults) for row, faults in batch.failed.items()}
    undeclared = {keys[row]: batch.records.undeclared(row) for row in batch.failed}
    put_cells(connection, layer.id, source, undeclared, options.who, replayed=options.replayed)
    return quarantine.put(
        connection,
        layer.id,
        source,
        failed,
        options.who,
        batch.answers,
        undeclared=undeclared,
        replayed=options.replayed,
    )


def _store_reporters(
    connection: Connection, layer: Layer, batch: _PlacedBatch, source: str
) -> None:
    """Store personal fields in schema private, whether the record was placed or not."""
    rows = [
        {
            "layer": layer.id,
            "source": source,
            "key": batch.records.keys[row],
            "details": orjson.dumps(batch.records.personal[row]).decode(),
        }
        for row in [*batch.kept, *batch.failed]
        if batch.records.personal[row]
    ]
    if rows:
        connection.execute(_PUT_REPORTER, rows)


_PUT_REPORTER = text("""
INSERT INTO private.reporter AS r (layer_id, source, source_key, details)
VALUES (:layer, :source, :key, CAST(:details AS jsonb))
ON CONFLICT (layer_id, source, source_key) DO UPDATE SET details = excluded.details
WHERE r.details IS DISTINCT FROM excluded.details
""")


def _log_load(
    connection: Connection, report: LoadReport, sha256: str, options: LoadOptions
) -> None:
    values = asdict(report) | {
        "sha256": sha256,
        "who": options.who,
        "simulated": options.simulated,
    }
    load_id = connection.execute(_LOG_LOAD, values).scalar_one()
    quarantine.note_load(connection, report.layer_id, report.source, load_id)


_LOG_LOAD = text("""
INSERT INTO gis.load (layer_id, source, sha256, loaded_by, read, added, updated, unchanged,
                      outside, quarantined, simulated)
VALUES (:layer_id, :source, :sha256, :who, :read, :added, :updated, :unchanged,
        :outside, :quarantined, :simulated)
RETURNING id
""")
