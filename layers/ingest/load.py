"""Load of a file: records are placed and merged into the layer's table, in one transaction.

Records that fail go to quarantine. Idempotent: a record is known by (source, source key). Loading
a file twice changes nothing, not even the layer's version.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import orjson
import shapely
from sqlalchemy import Connection, text

from gis.access import LOCAL_ADMIN
from gis.clock import today
from gis.database.engine import Database
from gis.errors import BadInput
from gis.intake.chunks import TableChunks, open_chunks
from gis.intake.tables import Note, RawTable
from gis.placing.centres import stand_for_communes
from gis.placing.default_points import DefaultPoints, default_points
from gis.placing.placer import COMMUNE_PRECISION_M, Claims, Placements, PlaceMethod, Placer, Reason
from gis.placing.reference import stored_placer, stored_territory
from gis.values import BBox
from layers.definition.model import FileSource, Layer
from layers.ingest import quarantine
from layers.ingest.addresses import drop_addresses, keep_addresses
from layers.ingest.corrections import MappingRules
from layers.ingest.edit import REPLAYED
from layers.ingest.failures import FailureWriter, failures_file
from layers.ingest.former_keys import rename_former_keys
from layers.ingest.mapped_columns import with_mapped_columns, with_single_measurements
from layers.ingest.mapping_version import mapping_version
from layers.ingest.merge import STATION, IncomingRows, MergeCounts
from layers.ingest.mode import LoadMode
from layers.ingest.overwriting import ask_to_overwrite
from layers.ingest.place_notes import centre_note, restored_codes, restored_codes_note
from layers.ingest.preview import ColumnUse, column_uses
from layers.ingest.quality import store_quality
from layers.ingest.records import (
    NO_OPTIONS,
    FileOptions,
    ProvinceArea,
    RecordBatch,
    RecordFault,
    RecordReader,
    public_columns,
    record_key_columns,
)
from layers.ingest.shift import ShiftCheck
from layers.ingest.superseding import leave_out_superseded, remove_superseded
from layers.ingest.survey import survey
from layers.ingest.undeclared import put_cells
from layers.series.stations import StationCheck
from layers.series.storing import MeasuredRecords, StagedMeasurements
from layers.storage.covers import fill_covers

Floats = npt.NDArray[np.float64]
Show = Callable[[int, int], None]

_EWKB_POINT = "0101000020e6100000"  # little-endian, a point with an SRID, 4326


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Options of a load.

    `source` names the system that the records come from; None: as the layer file says, else the
    file's name. `failures` is a CSV file that is written, with the records that failed.
    """

    who: str
    source: str | None = None
    answers: FileOptions = NO_OPTIONS
    mode: LoadMode = LoadMode.UPSERT
    confirmed: bool = False  # what a load would overwrite or remove is not asked about
    dry_run: bool = False  # nothing is stored
    failures: Path | None = None
    most_failed: int = 0  # of the failed records, those that the report lists
    simulated: bool = False
    replayed: bool = False  # the records come from quarantine, not from their source
    today: date | None = None


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A record that failed: its line, its key, and its first fault."""

    line: int
    key: str
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class PreviewedRecord:
    """A record as it would be placed: method, commune (code), precision in metres, or why not."""

    key: str
    place_method: str | None
    commune: str | None
    precision_m: float | None
    why: str


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Counts of records: read = added + updated + unchanged + outside + quarantined.

    Records outside the province are in quarantine too, with the reason `outside`. `load_id` is
    None where nothing changed. `states` are counts of records by their state after the load;
    `stale`: the layer serves the row of an earlier version. `address_share` is the share of the
    records placed by address that have a hex; None where there are none. `columns` are those of the
    file, of a dry run.
    """

    load_id: int | None
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
    columns: tuple[ColumnUse, ...] = ()
    failed: tuple[FailedRecord, ...] = ()
    states: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _PlacedBatch:
    """Records with their places, divided into rows that are kept and rows that failed.

    `answers` are those by which the file was read, given or settled by the file itself. `centre`
    is the number of the commune on whose centre a point is, -1 on none.
    """

    records: RecordBatch
    places: Placements
    default_point: npt.NDArray[np.bool_]
    centre: npt.NDArray[np.intp]
    kept: list[int]
    failed: dict[int, list[RecordFault]]
    answers: FileOptions

    @property
    def reasons(self) -> Counter[str]:
        """Counts of failed records by the reason of their first fault."""
        return Counter(faults[0].reason for faults in self.failed.values())

    @cached_property
    def by_address(self) -> list[int]:
        """Rows that are kept and placed by their address."""
        method = self.places.method[self.kept]
        by_address = np.flatnonzero(method == PlaceMethod.ADDRESS.value).tolist()
        return [self.kept[n] for n in by_address]

    @property
    def by_words(self) -> list[int]:
        """Rows that are kept and placed by their address, or by a commune beside an address."""
        method, address = self.places.method, self.records.address
        by_commune = PlaceMethod.COMMUNE.value
        return sorted([
            *self.by_address,
            *(row for row in self.kept if address[row] and method[row] == by_commune),
        ])  # fmt: skip


def load_file(
    database: Database, layer: Layer, path: Path, options: LoadOptions, show: Show | None = None
) -> LoadReport:
    """Load all records of a file, or none of them.

    `show` is called with (done, total), in rows. Raises BadFile, AmbiguousInput (whose answer is
    an option), and BadInput for a layer that takes no files.
    """
    answers = options.answers
    chunks = open_chunks(
        path, encoding=answers.encoding, table=answers.table, layout=answers.layout
    )
    with database.writing() as connection:
        report = load_chunks(connection, layer, chunks, options, show)
        if options.dry_run:
            connection.rollback()
    return report


def load_table(
    connection: Connection,
    layer: Layer,
    table: RawTable,
    options: LoadOptions,
    show: Show | None = None,
) -> LoadReport:
    """Load the records of a table, inside the caller's transaction; raises as `load_file`."""
    return load_chunks(connection, layer, TableChunks(None, table), options, show)


def load_chunks(
    connection: Connection,
    layer: Layer,
    chunks: TableChunks,
    options: LoadOptions,
    show: Show | None = None,
) -> LoadReport:
    """Load the records of a file, inside the caller's transaction; raises as `load_file`.

    They are read, placed and staged chunk by chunk, then merged at once.
    """
    if not isinstance(layer.source, FileSource):
        raise BadInput(f"layer {layer.id} is made by the service itself and takes no files")
    if layer.series and options.mode in (LoadMode.REPLACE, LoadMode.MIRROR):
        raise BadInput(
            f"measurements of {layer.id} that do not come again stay: load with mode upsert or "
            "append; what a load brought is taken back by gis loads revert"
        )
    declared = options.source or layer.source_name
    source = declared or _name_of(chunks)
    rules = MappingRules(connection, layer, source)
    ruled = _RuledChunks(chunks, layer, layer.source, rules, options.replayed)
    stations = StationCheck(connection, layer, source) if layer.series else None
    stage = _Stage.of(connection, layer, layer.source, ruled, options, stations)
    load_id = 0  # of a dry run, which leaves no gap in the numbers
    if not options.dry_run:
        beginning = _beginning(layer, source, chunks, options)
        beginning["mapping"] = mapping_version(connection, layer)
        load_id = connection.execute(_BEGIN, beginning).scalar_one()
    load = _Load(
        connection=connection,
        layer=layer,
        source=source,
        declared=declared is not None,
        load_id=load_id,
        options=options,
        incoming=IncomingRows(connection, layer),
        shift=ShiftCheck(stage.placer),
        measurements=StagedMeasurements(connection, layer, source) if layer.series else None,
    )
    with failures_file(options.failures, layer) as failures:
        tally = load.stage(stage, failures, show)
        counts, measured = load.count(tally)
    superseded = 0 if options.dry_run else load.merge(counts, measured)
    notes = (
        *_public_notes(layer, tally.notes),
        *rules.notes(),
        *filter(None, tally.place_notes(layer.source)),
    )
    report = load.report(tally, counts, measured, notes)
    report = replace(report, removed=report.removed + superseded)
    if report.removed or options.mode is LoadMode.APPEND:
        drop_addresses(connection, layer)
    if options.dry_run:
        uses = column_uses(layer, stage.reader, stage.sample)
        return replace(report, load_id=None, columns=tuple(uses))
    if report.added or report.updated or report.removed or tally.new_in_quarantine:
        connection.execute(_END, _ending(report))
        store_quality(connection, layer, load_id, tally.read, tally.reasons)
        quarantine.note_load(connection, layer.id, source, load_id)
        return report
    connection.execute(_FORGET, {"id": load_id})
    return replace(report, load_id=None)


def preview_places(
    connection: Connection, layer: Layer, chunks: TableChunks, limit: int = 5
) -> list[PreviewedRecord]:
    """The first records of a file as they would be placed; the layer needs no table yet.

    Raises as `load_file`.
    """
    assert isinstance(layer.source, FileSource)
    rules = MappingRules(connection, layer, layer.source_name or layer.id)
    ruled = _RuledChunks(chunks, layer, layer.source, rules, replayed=False)
    stage = _Stage.of(connection, layer, layer.source, ruled, LoadOptions(who="preview"))
    batch = stage.place(next(iter(stage.chunks)))
    places = batch.places
    return [
        PreviewedRecord(
            key=key,
            place_method=places.method[row] or None,
            commune=places.commune[row] or None,
            precision_m=None if np.isnan(places.precision_m[row]) else places.precision_m[row],
            why="; ".join(fault.why for fault in batch.failed.get(row, ())),
        )
        for row, key in enumerate(batch.records.keys[:limit])
    ]


def _name_of(chunks: TableChunks) -> str:
    """The name of a file without that of its format; dots may be in it."""
    name = chunks.name.removesuffix(".gz")
    return name.removesuffix(Path(name).suffix) or name


@dataclass(frozen=True)
class _RuledChunks:
    """The chunks of a file as its layer file maps them and the rules of its source change them, as
    often as they are asked for."""

    chunks: TableChunks
    layer: Layer
    source: FileSource
    rules: MappingRules
    replayed: bool

    def __iter__(self) -> Iterator[RawTable]:
        self.rules.records.clear()
        for table in self.chunks:
            mapped = with_mapped_columns(self.source, table, replayed=self.replayed)
            yield self.rules.apply(with_single_measurements(self.layer, mapped))


@dataclass(frozen=True)
class _NamedChunks:
    """The chunks of a file with full names of their columns."""

    chunks: _RuledChunks
    reader: RecordReader

    def __iter__(self) -> Iterator[RawTable]:
        return map(self.reader.with_full_names, self.chunks)


@dataclass
class _Tally:
    """Counts of the chunks that are staged."""

    read: int = 0
    kept: int = 0
    new_in_quarantine: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: dict[Note, None] = field(default_factory=dict)
    restored_codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_address: int = 0
    by_address_in_hex: int = 0
    kept_on_heaps: int = 0
    kept_on_centres: int = 0  # and on no heap
    on_centres: int = 0
    centres: set[int] = field(default_factory=set)
    failed: list[FailedRecord] = field(default_factory=list)

    def add(self, batch: _PlacedBatch, table: RawTable, quarantined: int, most_failed: int) -> None:
        self.read += len(table)
        self.kept += len(batch.kept)
        self.new_in_quarantine += quarantined
        self.reasons += batch.reasons
        self.notes |= dict.fromkeys(table.notes)
        if len(self.failed) < most_failed:
            keys, lines = batch.records.keys, batch.records.lines
            self.failed += [
                FailedRecord(lines[row], keys[row], faults[0].reason, faults[0].why)
                for row, faults in sorted(batch.failed.items())
            ]
        self.by_address += len(batch.by_address)
        self.by_address_in_hex += int((batch.places.cell[batch.by_address] != 0).sum())
        on_centre = batch.centre >= 0
        self.kept_on_heaps += int(batch.default_point[batch.kept].sum())
        self.kept_on_centres += int((on_centre & ~batch.default_point)[batch.kept].sum())
        self.on_centres += int(on_centre.sum())
        self.centres |= set(batch.centre[on_centre].tolist())

    @property
    def stand_for_communes(self) -> bool:
        return stand_for_communes(self.on_centres, len(self.centres))

    @property
    def default_points(self) -> int:
        return self.kept_on_heaps + (self.kept_on_centres if self.stand_for_communes else 0)

    @property
    def address_share(self) -> float | None:
        return self.by_address_in_hex / self.by_address if self.by_address else None

    def place_notes(self, source: FileSource) -> Iterator[str]:
        yield restored_codes_note(source, self.restored_codes)
        yield centre_note(self.on_centres if self.stand_for_communes else 0)


@dataclass(frozen=True)
class _Stage:
    """What places the chunks of one file; `records` is the number of its records.

    `default_points` are the default points of the file (degrees, x + yi), None: those of the one
    chunk that it has.
    """

    layer: Layer
    source: FileSource
    reader: RecordReader
    placer: Placer
    chunks: Iterable[RawTable]
    sample: RawTable
    records: int
    default_points: npt.NDArray[np.complex128] | None = None
    stations: StationCheck | None = None  # of a layer of measurements

    @classmethod
    def of(
        cls,
        connection: Connection,
        layer: Layer,
        source: FileSource,
        chunks: _RuledChunks,
        options: LoadOptions,
        stations: StationCheck | None = None,
    ) -> Self:
        """Raises BadFile for a missing column, AmbiguousInput for one with two readings."""
        territory = stored_territory(connection)
        area = ProvinceArea(BBox.of(territory.outline.bounds), territory.holds)
        asks = not options.replayed
        reader = RecordReader(layer, source, area, options.answers, asks=asks)
        placer = stored_placer(connection, options.today or today(), LOCAL_ADMIN)
        named = _NamedChunks(chunks, reader)
        whole = chunks.chunks.whole
        if whole is not None and len(whole) <= chunks.chunks.rows:
            (table,) = named
            return cls(
                layer, source, reader, placer, (table,), table, len(table), stations=stations
            )
        places = reader.places_of(named)
        found = survey(named, reader.readings(), record_key_columns(layer), places)
        alone = RecordReader(
            layer, source, area, options.answers, replace(found, repeats={}), asks=asks
        )
        sample = alone.read(found.sample)
        points = [complex(point.lon, point.lat) for point in _default_points(sample).found]
        heaps = np.array(points, np.complex128)
        reader = RecordReader(layer, source, area, options.answers, found, asks=asks)
        return cls(layer, source, reader, placer, named, found.sample, found.rows, heaps, stations)

    def place(self, table: RawTable) -> _PlacedBatch:
        """The records of the next chunk, with their places."""
        records = self.reader.read(table)
        keeps_outside = self.source.outside == "keep"
        reports_outside = self.layer.placed and not keeps_outside
        places = self.placer.place(_claims(records), report_outside=reports_outside)
        failed = dict(records.faults)
        misplaced = np.flatnonzero(places.reason != Reason.NONE.value) if self.layer.placed else ()
        excused: set[int] = set()
        if self.stations is not None:
            excused, unknown = self.stations.check(records, places)
            for row, fault in unknown.items():
                failed[row] = [*failed.get(row, []), fault]
            excused |= {*unknown}
        for row in map(int, misplaced):
            if row in excused:
                continue  # it stands where its station does
            place, faults = RecordFault(places.reason[row], places.why[row]), failed.get(row, [])
            if place.reason != Reason.OUTSIDE.value:
                failed[row] = [*faults, place]
            elif not keeps_outside:
                # The first fault is the reason shown: a bad shape may itself be why it is outside.
                bad_shape = any(fault.reason == "bad_geometry" for fault in faults)
                failed[row] = [*faults, place] if bad_shape else [place, *faults]
        if self.stations is not None:  # which come again and again at one point
            mask = np.zeros(len(records), np.bool_)
        elif self.default_points is None:
            mask = _default_points(records).mask
        else:
            mask = np.isin(records.lon + 1j * records.lat, self.default_points)
        return _PlacedBatch(
            records=records,
            places=places,
            default_point=mask,
            centre=self.placer.centres_at(records.lon, records.lat, records.precision_m),
            kept=[row for row in range(len(records)) if row not in failed],
            failed=failed,
            answers=self.reader.effective_answers,
        )


@dataclass(frozen=True)
class _Load:
    """A load of a file from `source`, which is `declared` or has the name of the file."""

    connection: Connection
    layer: Layer
    source: str
    declared: bool
    load_id: int
    options: LoadOptions
    incoming: IncomingRows
    shift: ShiftCheck
    measurements: StagedMeasurements | None  # of a layer of measurements

    def stage(self, stage: _Stage, failures: FailureWriter, show: Show | None) -> _Tally:
        """Place all chunks, and put their rows beside the table or into quarantine."""
        tally = _Tally()
        for table in stage.chunks:
            batch = stage.place(table)
            quarantined = self._store(batch, stage.source)
            failures.add(table, batch.records, batch.failed)
            tally.add(batch, table, quarantined, self.options.most_failed)
            tally.restored_codes += restored_codes(batch.records.unit, stage.placer.unit_names)
            if show:
                show(tally.read, stage.records or tally.read)
        return tally

    def _store(self, batch: _PlacedBatch, source: FileSource) -> int:
        """Gives the number of records that are new in quarantine, or changed there."""
        self.shift.add(batch.records, batch.places)
        rename_former_keys(self.connection, self.layer, source, batch.records, self.source)
        self.incoming.add(_rows(batch, self.source, self.load_id, self.options.simulated))
        if batch.failed:
            self.incoming.add_failed(batch.records.keys[row] for row in batch.failed)
        quarantined = self._quarantine_failed(batch)
        self._store_reporters(batch)
        self._store_addresses(batch)
        return quarantined

    def _quarantine_failed(self, batch: _PlacedBatch) -> int:
        keys, options = batch.records.keys, self.options
        failed = {
            keys[row]: (batch.records.raw(row), faults) for row, faults in batch.failed.items()
        }
        undeclared = {keys[row]: batch.records.undeclared(row) for row in batch.failed}
        target = self.connection, self.layer.id, self.source
        put_cells(*target, undeclared, options.who, replayed=options.replayed)
        return quarantine.put(
            *target,
            failed,
            options.who,
            batch.answers,
            undeclared=undeclared,
            replayed=options.replayed,
        )

    def _store_reporters(self, batch: _PlacedBatch) -> None:
        """Store personal fields in schema private, whether the record was placed or not."""
        personal = batch.records.personal
        if personal:
            # Of the records of a station the last one stands for its row.
            of_rows = {batch.records.row_keys[row]: personal[row] for row in sorted(personal)}
            values = {
                "layer": self.layer.id,
                "source": self.source,
                "keys": list(of_rows),
                "details": [orjson.dumps(details).decode() for details in of_rows.values()],
            }
            self.connection.execute(_PUT_REPORTERS, values)

    def _store_addresses(self, batch: _PlacedBatch) -> None:
        rows = batch.by_words
        keys = [batch.records.row_keys[row] for row in rows]
        addresses = [batch.records.address[row] for row in rows]
        overwrites = self.options.mode is not LoadMode.APPEND
        keep_addresses(
            self.connection, self.layer, self.source, keys, addresses, overwrites=overwrites
        )

    def count(self, tally: _Tally) -> tuple[MergeCounts, MeasuredRecords | None]:
        """Counts of what a merge will do to rows, and to measurements.

        Raises AmbiguousInput for a batch that lies beside its communes, and for a load that
        overwrites or removes much.
        """
        options = self.options
        if self.layer.placed and options.answers.crs is None and not options.replayed:
            self.shift.ask_if_shifted()
        if tally.stand_for_communes:
            self.incoming.mark_centres(COMMUNE_PRECISION_M)
        quarantine.settle(self.connection, self.layer.id, self.source, replayed=options.replayed)
        leave_out_superseded(self.connection, self.layer, self.source, self.load_id)
        measured = None
        if self.measurements is not None:
            self.measurements.take()
        counts = self.incoming.count(self.source, options.mode, declared=self.declared)
        if self.measurements is not None:
            changed = self.incoming.changed_records()
            measured = self.measurements.count(options.mode, *changed)
        if not (options.confirmed or options.replayed or options.dry_run):
            ask_to_overwrite(counts, options.mode, self.source, declared=self.declared)
            if measured is not None:
                corrections = replace(counts, updated=measured.updated, stored=measured.stored)
                ask_to_overwrite(corrections, options.mode, self.source, declared=True)
        return counts, measured

    def merge(self, counts: MergeCounts, measured: MeasuredRecords | None) -> int:
        """Gives the number of rows that are removed because staged ones supersede them."""
        options = self.options
        act = REPLAYED if options.replayed else "update"
        self.incoming.merge(counts, options.mode, options.who, self.load_id, self.source, act)
        superseded = remove_superseded(
            self.connection, self.layer, self.source, options.who, self.load_id
        )
        if self.measurements is not None and measured is not None:
            if measured.added or measured.updated:
                self.measurements.store(options.mode, self.load_id, options.who)
            if measured.added or measured.updated or counts.added or counts.updated:
                self.measurements.refresh()
        fill_covers(self.connection, self.layer)
        return superseded

    def report(
        self,
        tally: _Tally,
        counts: MergeCounts,
        measured: MeasuredRecords | None,
        notes: tuple[str, ...],
    ) -> LoadReport:
        """What the load did, or would do where it is a dry run; of measurements their records."""
        options = self.options
        if measured is not None:
            counts = replace(counts, added=measured.added, updated=measured.updated)
        updated = 0 if options.mode is LoadMode.APPEND else counts.updated
        removes = options.mode in (LoadMode.REPLACE, LoadMode.MIRROR)
        outside = tally.reasons[Reason.OUTSIDE.value]
        states = {quarantine.State.PLACED.value: tally.kept}
        if tally.reasons:
            states |= quarantine.count_failed(self.connection, self.layer.id, self.source)
        return LoadReport(
            load_id=self.load_id,
            layer_id=self.layer.id,
            source=self.source,
            read=tally.read,
            added=counts.added,
            updated=updated,
            unchanged=tally.kept - counts.added - updated,
            outside=outside,
            quarantined=tally.read - tally.kept - outside,
            removed=counts.missing if removes else 0,
            default_points=tally.default_points,
            reasons=dict(tally.reasons),
            notes=notes,
            address_share=tally.address_share,
            failed=tuple(tally.failed[: options.most_failed]),
            states=states,
        )


def _public_notes(layer: Layer, notes: Iterable[Note]) -> Iterator[str]:
    """Conversions of the file in columns that are declared and not personal: they quote values."""
    assert isinstance(layer.source, FileSource)
    public = public_columns(layer.source, layer.fields)
    return (str(note) for note in notes if note.column is None or note.column in public)


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


def _default_points(records: RecordBatch) -> DefaultPoints:
    """The records on a default point: the coordinate a geocoder gives when it fails."""
    columns = records.columns.values()
    texts = [column for column in columns if any(isinstance(value, str) for value in column)]
    subjects = [*texts, records.address]
    return default_points(records.lon, records.lat, *subjects, days=records.days)


def _rows(batch: _PlacedBatch, source: str, load_id: int, simulated: bool) -> dict[str, Any]:
    """The rows of a layer's table, column by column."""
    records, places = batch.records, batch.places
    kept = np.array(batch.kept, np.intp)
    all_kept = len(kept) == len(records)

    def taken[T](values: Sequence[T]) -> Sequence[T]:
        return values if all_kept else [values[row] for row in batch.kept]

    cells = np.ma.masked_equal(places.cell[kept].astype(np.int64), 0)
    more = f',"load":{load_id}' + (',"simulated":true' if simulated else "")
    return {
        "geom": _ewkb_of_points(places.lon[kept], places.lat[kept])
        if records.shapes is None
        else _ewkb(records.shapes[kept]),
        "h3": cells if records.shapes is None else [None] * len(kept),
        "commune": places.commune[kept],
        "unit_then": places.unit_then[kept],
        "place_method": places.method[kept],
        "place_confidence": places.confidence[kept],
        "place_precision_m": places.precision_m[kept],
        "default_point": batch.default_point[kept],
        "on_centre": batch.centre[kept] >= 0,
        "valid_at": records.valid_at[kept],
        "source": [source] * len(kept),
        "source_key": taken(records.keys),
        STATION: taken(records.row_keys),
        "provenance": [f'{{"line":{line}{more}}}' for line in taken(records.lines)],
        **{
            name: _iso(column) if _has_days(column) else column
            for name, values in records.columns.items()
            for column in (taken(values),)
        },
    }


def _has_days(values: Sequence[Any]) -> bool:
    return isinstance(next((value for value in values if value is not None), None), date)


def _iso(days: Iterable[date | None]) -> list[str | None]:
    return [None if day is None else day.isoformat() for day in days]


def _ewkb(shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Geometries (EPSG:4326) as hexadecimal EWKB, None where there is none."""
    return np.asarray(
        shapely.to_wkb(shapely.set_srid(shapes, 4326), hex=True, include_srid=True), object
    )


def _ewkb_of_points(lon: Floats, lat: Floats) -> list[str | None]:
    """Points (degrees, WGS 84) as hexadecimal EWKB, None where there is none.

    Two doubles after the same nine bytes: no geometry need be made of each.
    """
    digits = np.column_stack([lon, lat]).astype("<f8").tobytes().hex()
    points: list[str | None] = [
        _EWKB_POINT + digits[start : start + 32] for start in range(0, len(digits), 32)
    ]
    for row in np.flatnonzero(~np.isfinite(lon)).tolist():
        points[row] = None
    return points


_PUT_REPORTERS = text("""
INSERT INTO private.reporter AS r (layer_id, source, source_key, details)
SELECT :layer, :source, key, CAST(details AS jsonb)
FROM unnest(CAST(:keys AS text[]), CAST(:details AS text[])) AS given (key, details)
ON CONFLICT (layer_id, source, source_key) DO UPDATE SET details = excluded.details
WHERE r.details IS DISTINCT FROM excluded.details
""")


def _beginning(
    layer: Layer, source: str, chunks: TableChunks, options: LoadOptions
) -> dict[str, Any]:
    return {
        "layer_id": layer.id,
        "source": source,
        "sha256": chunks.sha256,
        "who": options.who,
        "file": None if options.replayed else chunks.name,
        "mode": options.mode.value,
        "options": orjson.dumps(options.answers.as_dict()).decode(),
        "simulated": options.simulated,
    }


def _ending(report: LoadReport) -> dict[str, Any]:
    return asdict(report) | {"reasons": orjson.dumps(report.reasons).decode()}


_BEGIN = text("""
INSERT INTO gis.load (layer_id, source, sha256, loaded_by, file, mode, options, started_at, read,
                      added, updated, unchanged, outside, quarantined, simulated, mapping)
VALUES (:layer_id, :source, :sha256, :who, :file, :mode, CAST(:options AS jsonb),
        clock_timestamp(), 0, 0, 0, 0, 0, 0, :simulated, :mapping)
RETURNING id
""")
_END = text("""
UPDATE gis.load SET read = :read, added = :added, updated = :updated, unchanged = :unchanged,
  removed = :removed, outside = :outside, quarantined = :quarantined,
  reasons = CAST(:reasons AS jsonb), ended_at = clock_timestamp()
WHERE id = :load_id
""")
_FORGET = text("DELETE FROM gis.load WHERE id = :id")
