"""Records of a file, read by a layer file: typed columns, and the faults of each record."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.clock import today
from gis.errors import BadFile
from gis.intake.chunks import joined
from gis.intake.coordinates import (
    HEAD_RECORDS,
    PlaceColumn,
    parse_degrees,
    place_column,
    settle_places,
    with_settled_places,
)
from gis.intake.dates import ImplausibleYear, parse_dates, parse_instants
from gis.intake.layout import FOUND, Layout
from gis.intake.numbers import parse_integers, parse_numbers
from gis.intake.plausible_days import (
    DayBounds,
    ask_about_days,
    days_of,
    implausible_days,
    implausible_instants,
)
from gis.intake.tables import RawTable, require_columns, restore_full_names
from gis.placing.covers import too_many_cells
from gis.placing.crs import AS_DECLARED, CheckedPoints, SourceCrs, check_points, parse_crs
from gis.placing.shapes import plausible_area, points_on, shapes_in_degrees
from gis.text import HIDDEN, without_contacts
from gis.values import BBox
from layers.definition.model import (
    Coordinates,
    FieldType,
    FileSource,
    GeometryKind,
    Layer,
    LayerField,
    PlausibleRange,
    Quality,
)
from layers.ingest.day_bounds import bounds_of_field, bounds_of_time
from layers.ingest.survey import ColumnReading, ColumnType, Survey
from layers.storage.tables import finest_of, has_hex_cover

Floats = NDArray[np.float64]
Shapes = NDArray[np.object_]

# Geometry types that a file may hold for lines and polygons; tables hold them as Multi….
SHAPES = {
    GeometryKind.LINE: ("LineString", "MultiLineString"),
    GeometryKind.POLYGON: ("Polygon", "MultiPolygon"),
}
# PostgreSQL indexes at most 2,704 bytes, among them those of the layer and the source.
MAX_KEY_BYTES = 2_000
_MAX_BYTES_PER_CHARACTER = 4  # of a character in UTF-8
_KEY_EXCERPT, _GEOMETRY_EXCERPT = 60, 200
# A quarantined record keeps its geometry in these columns.
GEOMETRY, GEOMETRY_CRS = "geometry", "geometry_crs"
BAD_RECORD = "bad_record"  # the reason of a record that is not whole
# A person's decision on a record whose coordinates and words contradict each other.
PLACE_BY = "#place_by"


class PlaceBy(StrEnum):
    """What a record is placed by, by the decision of a person."""

    COORDINATES = "coordinates"
    WORDS = "words"


_CLOCKS_DIFFER = np.timedelta64(60, "m")  # of stations, whose measurements are still taken
_READINGS = {
    FieldType.INTEGER: ColumnType.INTEGER,
    FieldType.NUMBER: ColumnType.NUMBER,
    FieldType.DATE: ColumnType.DATE,
    FieldType.DATETIME: ColumnType.DATE,
}
_NONE = ("", HIDDEN)  # a file of failures hides what is personal
_BOOLEANS = {
    **dict.fromkeys(("true", "t", "1", "yes", "y", "có", "co", "x"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n", "không", "khong"), False),
}


@dataclass(frozen=True, slots=True)
class RecordFault:
    """A fault of a record: `reason` is a word for programs, `why` a sentence for people."""

    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Answers of a person to questions about a file (AmbiguousInput); None where there is none.

    `layout` is of the file alone; the others are of its records too, wherever they are kept.
    """

    crs: str | None = None
    encoding: str | None = None
    table: str | None = None
    date_format: str | None = None
    number_format: str | None = None
    layout: Layout = FOUND

    def as_dict(self) -> dict[str, str]:
        """The answers of records that are not None, by name."""
        return {
            name: answer
            for name, answer in asdict(self).items()
            if answer is not None and name != "layout"
        }

    def completed_by(self, defaults: Mapping[str, str]) -> Self:
        """These answers, completed by `defaults` for questions that they leave open."""
        answers: dict[str, Any] = {**defaults, **self.as_dict()}
        return replace(self, **answers)


NO_OPTIONS = FileOptions()


@dataclass(frozen=True, slots=True)
class ProvinceArea:
    """A province: its box (degrees, WGS 84), and `holds`: longitudes, latitudes → mask."""

    envelope: BBox
    holds: Callable[[Floats, Floats], NDArray[np.bool_]]


@dataclass(frozen=True)
class RecordBatch:
    """n records, column by column.

    `lon`, `lat` are degrees, WGS 84, NaN where there are none; of lines and polygons they are a
    point on them, and `shapes` holds n geometries (EPSG:4326). `crs` is that of the source, None
    without a point. `precision_m` is NaN where the source does not say. `valid_at` is in UTC, NaT
    where there is none. `columns` holds the public fields, `personal` the personal ones, by record.
    `raw` gives the cells of a record as they stand in the file, in declared columns that are not
    personal, and `undeclared` those of columns that the layer file does not name. `faults` are by
    record. `former_keys` are keys that an earlier version wrote, by record, where they differ.
    """

    keys: list[str]
    former_keys: dict[int, str]
    lines: Sequence[int]
    lon: Floats
    lat: Floats
    shapes: Shapes | None
    address: list[str]
    unit: list[str]
    district: list[str]
    crs: SourceCrs | None
    precision_m: Floats
    valid_at: NDArray[np.datetime64]
    columns: dict[str, list[Any]]
    personal: dict[int, dict[str, str]]
    raw: Callable[[int], dict[str, str]]
    undeclared: Callable[[int], dict[str, str]]
    faults: dict[int, list[RecordFault]] = field(default_factory=dict)
    stations: list[str] | None = None  # keys of the stations, of a layer of measurements

    @property
    def row_keys(self) -> list[str]:
        """The source key of the row that each record is of."""
        return self.keys if self.stations is None else self.stations

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def days(self) -> list[date | None]:
        """The day of each record in the country, None where it has no time."""
        return days_of(self.valid_at).tolist()  # type: ignore[no-any-return]


class RecordReader:
    """Reads tables by one layer file and its section `source`.

    `area` is the province, by which a wrong CRS is recognised. `effective_answers` are, after
    `read`, the answers given and those that the file itself settled. A reader that was given a
    `survey` reads the chunks of one file, in their order: what a whole column decides is decided
    by the survey. `asks` is false for records whose file was asked about already: a column without
    a date is then a fault of each.
    """

    def __init__(
        self,
        layer: Layer,
        source: FileSource,
        area: ProvinceArea,
        answers: FileOptions = NO_OPTIONS,
        survey: Survey | None = None,
        *,
        asks: bool = True,
    ) -> None:
        self.geometry = layer.geometry
        self.source = source
        self.fields = layer.record_fields
        self.series = layer.series
        self.key_columns = record_key_columns(layer)
        self.area = area
        self.answers = answers
        self.effective_answers = answers
        self.survey = survey
        self.asks = asks
        self.checks_vertices = layer.placed and source.outside != "keep"
        self.covered_at = finest_of(layer) if has_hex_cover(layer) else None
        self.faults: dict[int, list[RecordFault]] = {}
        self._done = 0  # records of the survey's file that are read
        self._is_whole = True  # what is read is a whole file, or a sample of all of it
        self._crs = None if survey is None else self._settled_crs(survey.sample)
        self.crs = self._crs
        if self._crs is not None and answers.crs is None:
            self.effective_answers = replace(answers, crs=AS_DECLARED)

    def read(self, table: RawTable) -> RecordBatch:
        """The records of a table.

        Raises BadFile when a column is missing, AmbiguousInput when a column has two readings.
        """
        self._is_whole = self.survey is None or table is self.survey.sample
        written = self.with_full_names(table)
        table = self._located(written)
        self.require_columns(table)
        self.faults = {row: [RecordFault(BAD_RECORD, why)] for row, why in table.faults.items()}
        table = self._with_quantities(table)
        for row, why in self._hidden_values(table):
            self._fault(row, "bad_value", why)
        for row, why in table.value_faults(sorted(known_columns(self.source, self.fields))):
            self._fault(row, "bad_value", why)
        lon, lat, shapes = self._places(table)
        address, unit, district = (
            self._words(table, column)
            for column in (self.source.address, self.source.commune, self.source.district)
        )
        if PLACE_BY in table.cells:
            by = np.array(table[PLACE_BY], object)
            lon, lat = (np.where(by == PlaceBy.WORDS, np.nan, axis) for axis in (lon, lat))
            address, unit, district = (
                np.where(by == PlaceBy.COORDINATES, "", np.array(words, object)).tolist()
                for words in (address, unit, district)
            )
        public = {
            name: definition for name, definition in self.fields.items() if not definition.personal
        }
        keys = self._keys(table)
        self._done += len(table)
        valid_at = self._valid_at(table)
        columns = {
            name: self._column(table, name, definition) for name, definition in public.items()
        }
        stations = None
        if self.series is not None:
            stations = self._stations(table)
            columns |= self._measured(table, columns, valid_at)
        return RecordBatch(
            keys=keys,
            former_keys=self._former_keys(table),
            lines=table.lines,
            lon=lon,
            lat=lat,
            shapes=shapes,
            address=address,
            unit=unit,
            district=district,
            crs=self.crs,
            precision_m=self._precision(table),
            valid_at=valid_at,
            columns=columns,
            stations=stations,
            personal=self._personal(table),
            raw=partial(self._raw, written),
            undeclared=partial(self._undeclared, written),
            faults=self.faults,
        )

    def _hidden_values(self, table: RawTable) -> Iterator[tuple[int, str]]:
        """Values that a file of failures hides, in columns that are not personal."""
        for name, definition in self.fields.items():
            column = definition.column or name
            hidden = HIDDEN in table.cells.get(column, ())
            if hidden and not (definition.personal or definition.free_text):
                for row, value in enumerate(table[column]):
                    if value == HIDDEN:
                        yield row, f"{column}: giá trị bị ẩn / the value is hidden; write it"

    def with_full_names(self, table: RawTable) -> RawTable:
        """The table with full names of its columns, which a format may have cut."""
        return restore_full_names(table, known_columns(self.source, self.fields))

    def require_columns(self, table: RawTable) -> None:
        """Raises BadFile when a column is missing."""
        has_geometry = table.geometry is not None
        required = needed_columns(self.source, self.fields, has_geometry=has_geometry)
        optional = _optional_coordinates(self.source, table)
        require_columns(table, [column for column in required if column not in optional])

    def places_of(self, chunks: Iterable[RawTable]) -> PlaceColumn | None:
        """The column that holds the places of a file; None where it has other coordinates."""
        head, count = [], 0
        for chunk in chunks:
            head.append(chunk)
            count += len(chunk)
            if count >= HEAD_RECORDS:
                break
        column = self._place_column(joined(head))
        if column is None:
            return None
        crs = self.source.coordinates.crs if self.source.coordinates else "EPSG:4326"
        return settle_places(column, (chunk[column] for chunk in chunks), crs)

    def _place_column(self, table: RawTable) -> str | None:
        columns = self.source.coordinates
        pair = {columns.x, columns.y} if columns else set[str]()
        if table.geometry is not None or self.geometry is GeometryKind.NONE:
            return None
        if len(pair) == 1 and pair <= set(table.columns):
            return pair.pop()
        if pair & set(table.columns) and self.geometry not in SHAPES:
            return None
        time = {self.source.time.column} if self.source.time else set()
        other = {*key_columns(self.source), self.source.address or "", self.source.commune or ""}
        return place_column(table, other | time)

    def _located(self, table: RawTable) -> RawTable:
        """The table with the geometry of a column of places, where it has no other coordinates."""
        places = self.places_of([table]) if self.survey is None else self.survey.places
        return table if places is None else with_settled_places(table, places)

    def _fault(self, row: int, reason: str, why: str) -> None:
        self.faults.setdefault(int(row), []).append(RecordFault(reason, why))

    def _fault_each(self, faults: dict[int, str], reason: str, column: str) -> None:
        for row, why in faults.items():
            self._fault(row, reason, f"{column}: {why}")

    def _keys(self, table: RawTable) -> list[str]:
        """The key of each record, unique in the batch.

        A missing, a repeated and an overlong key are faults. Of records with one key the last
        counts, as it would if they came in one file after the other.
        """
        columns = self.key_columns
        keys = _joined_keys(table, columns)
        last = {key: row for row, key in enumerate(keys)}
        blank = key_of([""] * len(columns))
        repeats = self._repeats(table, keys, last)
        for row in np.flatnonzero(np.fromiter(map(blank.__eq__, keys), np.bool_)).tolist():
            keys[row] = _unused_key(f"#line {table.lines[row]}", last)
            self._fault(row, "no_key", f"thiếu khóa / no key in {', '.join(columns)}")
            repeats.pop(row, None)
        for row, line in repeats.items():
            keys[row] = _unused_key(f"{keys[row]}#line {table.lines[row]}", last)
            self._fault(row, "repeated_key", f"khóa lặp lại / the key comes again in line {line}")
        longest = max(map(len, keys), default=0)
        if longest * _MAX_BYTES_PER_CHARACTER > MAX_KEY_BYTES:
            for row in range(len(keys)):
                self._shorten(keys, row, columns)
        return keys

    def _repeats(
        self, table: RawTable, keys: Sequence[str], last: Mapping[str, int]
    ) -> dict[int, int]:
        """The line of the last record with the same key, by the row of each that is not it."""
        if self.survey is not None:
            rows = range(self._done, self._done + len(table))
            later = self.survey.repeats
            return {row - self._done: later[row] for row in rows if row in later} if later else {}
        if len(last) == len(keys):
            return {}
        return {row: table.lines[last[key]] for row, key in enumerate(keys) if last[key] != row}

    def _shorten(self, keys: list[str], row: int, columns: Sequence[str]) -> None:
        """Replace an overlong key by its beginning and a digest, which stays unique."""
        size = len(keys[row].encode())
        if size > MAX_KEY_BYTES:
            digest = hashlib.sha256(keys[row].encode()).hexdigest()
            keys[row] = f"{keys[row][:_KEY_EXCERPT]}…#{digest}"
            why = f"{', '.join(columns)}: khóa dài / the key has {size} bytes"
            self._fault(row, "long_key", f"{why}; nhiều nhất / at most {MAX_KEY_BYTES}")

    def _former_keys(self, table: RawTable) -> dict[int, str]:
        """Keys as an earlier version joined them, by record, where they differ from today's.

        It did not escape `|`, so that ("a|b", "c") and ("a", "b|c") were one key.
        """
        columns = key_columns(self.source)
        if self.series is not None or len(columns) == 1:
            return {}
        if not any(_needs_escape(table[column]) for column in columns):
            return {}
        records = enumerate(zip(*(table[column] for column in columns), strict=True))
        return {row: "|".join(parts) for row, parts in records if _needs_escape(parts)}

    def _places(self, table: RawTable) -> tuple[Floats, Floats, Shapes | None]:
        """Longitudes, latitudes (degrees, WGS 84), and the shapes of lines and polygons.

        A wrong coordinate is a fault unless the record has an address or a unit instead.
        """
        x, y, crs = self._coordinates(table)
        settled = None if self._crs is None else AS_DECLARED
        points = check_points(
            x,
            y,
            crs,
            self.area.envelope,
            assume=self.answers.crs or settled,
            inside=self.area.holds,
            own_area=self.source.outside == "keep",
        )
        self.crs = self._crs or points.crs
        if points.crs is not None and self.answers.crs is None:
            self.effective_answers = replace(self.answers, crs=AS_DECLARED)
        if self.geometry in SHAPES and table.geometry is not None:
            return points.lon, points.lat, self._shapes(table, table.geometry, points)
        address = self._words(table, self.source.address)
        unit = self._words(table, self.source.commune)
        unread = {row: _unreadable_geometry(text) for row, text in table.unread.items()}
        for row, why in (points.faults | unread | _geometry_type_faults(table)).items():
            if not (address[row] or unit[row]):
                self._fault(row, "bad_coordinates", why)
        return points.lon, points.lat, None

    def _settled_crs(self, sample: RawTable) -> SourceCrs | None:
        """The CRS of a file by a sample of its records, None where they have no point.

        Raises AmbiguousInput, as `check_crs`.
        """
        located = self._located(sample)
        self.require_columns(located)
        x, y, crs = self._coordinates(located)
        self.faults = {}
        return check_points(
            x,
            y,
            crs,
            self.area.envelope,
            assume=self.answers.crs,
            inside=self.area.holds,
            own_area=self.source.outside == "keep",
        ).crs

    def _shapes(self, table: RawTable, geometry: Shapes, points: CheckedPoints) -> Shapes:
        """Multi-geometries (EPSG:4326), as tables of layers hold them."""
        expected = SHAPES[self.geometry]
        area = plausible_area(self.area.envelope) if self.checks_vertices else None
        checked = shapes_in_degrees(geometry, points.crs, area)
        for row, shape in enumerate(geometry):
            if row in table.unread:
                self._fault(row, "bad_geometry", _unreadable_geometry(table.unread[row]))
            elif shape is None:
                self._fault(row, "no_geometry", "không có hình / the record has no geometry")
            elif shape.geom_type not in expected:
                why = f"hình phải là / the geometry is no {expected[0]} but a {shape.geom_type}"
                self._fault(row, "bad_geometry", why)
            elif row in checked.faults:
                self._fault(row, "bad_geometry", checked.faults[row])
            elif row in points.faults:
                self._fault(row, "bad_coordinates", points.faults[row])
        if self.covered_at is not None:
            for row, why in too_many_cells(checked.shapes, self.covered_at).items():
                self._fault(row, "bad_geometry", why)
        return np.array([_multi(shape) for shape in checked.shapes], object)

    def _coordinates(self, table: RawTable) -> tuple[Floats, Floats, str | None]:
        """x, y and the declared CRS: of the file's geometry, else of two columns."""
        columns = self.source.coordinates
        if table.geometry is not None and self.geometry in SHAPES:
            on_them = points_on(table.geometry)
            return shapely.get_x(on_them), shapely.get_y(on_them), table.crs
        if self.geometry in SHAPES:
            raise BadFile(
                f"{table.name} has no geometry: the layer holds {self.geometry}s, give GeoJSON, "
                "GeoPackage or Shapefile"
            )
        if table.points is not None:
            return (*table.points, table.crs)
        if columns is None or not {columns.x, columns.y} & set(table.columns):
            nowhere = np.full(len(table), np.nan)
            return nowhere, nowhere, "EPSG:4326"
        axis = self._axis(columns)
        read = self._degrees if axis is ColumnType.ANGLE else self._numbers
        return read(table, columns.x), read(table, columns.y), columns.crs

    def _axis(self, columns: Coordinates) -> ColumnType:
        """In a column of degrees "21,028" can only be a decimal comma: 21028 is no angle."""
        return ColumnType.ANGLE if parse_crs(columns.crs).crs.is_geographic else ColumnType.NUMBER

    def readings(self) -> list[ColumnReading]:
        """The columns that a whole file decides how to read, each with what it is read as."""
        numbers, dates = self.answers.number_format, self.answers.date_format
        readings = []
        if self.source.coordinates is not None:
            axis = self._axis(self.source.coordinates)
            for column in (self.source.coordinates.x, self.source.coordinates.y):
                readings.append(ColumnReading(column, axis, numbers))
        if self.source.time is not None:
            time = self.source.time
            readings.append(ColumnReading(time.column, ColumnType.DATE, dates or time.format))
        for name, definition in self.fields.items():
            reading = _READINGS.get(definition.type)
            if reading is not None and not definition.personal:
                given = dates if reading is ColumnType.DATE else numbers
                column = definition.column or name
                readings.append(ColumnReading(column, reading, given or definition.format))
        return readings

    def _deciding(self, column: str, kind: ColumnType, format: str | None) -> list[str] | None:
        if self.survey is None:
            return None
        return self.survey.deciding.get(ColumnReading(column, kind, format))

    def _degrees(self, table: RawTable, column: str) -> Floats:
        format = self.answers.number_format
        deciding = self._deciding(column, ColumnType.ANGLE, format)
        parsed = parse_degrees(table[column], format, column=column, deciding=deciding)
        self._fault_each(parsed.faults, "bad_number", column)
        return parsed.numbers

    def _numbers(self, table: RawTable, column: str, declared: str | None = None) -> Floats:
        format = self.answers.number_format or declared
        deciding = self._deciding(column, ColumnType.NUMBER, format)
        parsed = parse_numbers(table[column], format=format, column=column, deciding=deciding)
        self._fault_each(parsed.faults, "bad_number", column)
        return parsed.numbers

    def _instants(
        self, table: RawTable, column: str, definition: LayerField, bounds: DayBounds
    ) -> list[datetime | None]:
        zone = self.source.time.zone if self.source.time else "+07:00"
        format = self.answers.date_format or definition.format
        deciding = self._deciding(column, ColumnType.DATE, format)
        parsed = parse_dates(
            table[column], format, zone, column=column, asks=self.asks, deciding=deciding
        )
        faults = implausible_instants(parsed.instants, bounds)
        self._fault_dates(table, column, parsed.faults, faults, bounds, parsed.format)
        return parsed.instants

    def _valid_at(self, table: RawTable) -> NDArray[np.datetime64]:
        time = self.source.time
        if time is None:
            return np.full(len(table), "NaT", "datetime64[us]")
        format = self.answers.date_format or time.format
        parsed = parse_instants(
            table[time.column],
            format,
            time.zone,
            column=time.column,
            asks=self.asks,
            deciding=self._deciding(time.column, ColumnType.DATE, format),
        )
        bounds = bounds_of_time(time, today())
        faults = implausible_days(days_of(parsed.utc), bounds)
        self._fault_dates(table, time.column, parsed.faults, faults, bounds, parsed.format)
        return parsed.utc

    def _fault_dates(
        self,
        table: RawTable,
        column: str,
        unread: Mapping[int, str],
        implausible: Mapping[int, str],
        bounds: DayBounds,
        format: str,
    ) -> None:
        """Faults of the dates of a column. Raises AmbiguousInput where most are implausible, of a
        whole file that a person has not yet said anything about.
        """
        of_years = [row for row, why in unread.items() if isinstance(why, ImplausibleYear)]
        if self.asks and self._is_whole and self.answers.date_format is None:
            zone = self.source.time.zone if self.source.time else "+07:00"
            ask_about_days(column, table[column], {*of_years, *implausible}, bounds, format, zone)
        self._fault_each({**unread, **implausible}, "bad_date", column)

    def _with_quantities(self, table: RawTable) -> RawTable:
        """The table with a column for each quantity, where one column names them."""
        columns = self.source.measured
        if self.series is None or columns is None or not columns.quantity or not columns.value:
            return table
        named, values = table[columns.quantity], table[columns.value]
        words = [self.fields[name].column or name for name in self.series.quantities]
        for row, word in enumerate(named):
            if word not in words and (word or values[row]):
                why = f"{columns.quantity}: đại lượng lạ / “{word}” is none of {', '.join(words)}"
                self._fault(row, "unknown_value", why)
        pairs = list(zip(named, values, strict=True))
        cells = {
            **table.cells,
            **{word: [value if name == word else "" for name, value in pairs] for word in words},
        }
        return replace(table, columns=tuple(cells), cells=cells)

    def _stations(self, table: RawTable) -> list[str]:
        """The key of the station of each record; one that names none has a fault."""
        columns = key_columns(self.source)
        stations, blank = _joined_keys(table, columns), key_of([""] * len(columns))
        for row, station in enumerate(stations):
            if station == blank and not any(f.reason == "no_key" for f in self.faults.get(row, ())):
                self._fault(row, "no_key", f"thiếu trạm / no station in {', '.join(columns)}")
        return stations

    def _measured(
        self,
        table: RawTable,
        columns: Mapping[str, Sequence[Any]],
        valid_at: NDArray[np.datetime64],
    ) -> dict[str, list[Any]]:
        """The columns that are derived of measurements: their quality, and places for the rest.

        A value without a time, and one from the future, is a fault.
        """
        assert self.series is not None
        assert self.source.time is not None  # layers.definition.checks
        quantities = self.series.quantities
        latest = np.datetime64("now", "us") + _CLOCKS_DIFFER
        has_value = [
            any(columns[name][row] is not None for name in quantities) for row in range(len(table))
        ]
        column = self.source.time.column
        for row in np.flatnonzero(np.isnat(valid_at)).tolist():
            if has_value[row] and not self._has_fault(row, column):
                why = f"{column}: thiếu thời điểm đo / a measurement needs its time"
                self._fault(row, "missing", why)
        for row in np.flatnonzero(valid_at > latest).tolist():
            if has_value[row] and not self._has_fault(row, column):
                why = (
                    f"{column}: thời điểm đo ở tương lai / it was measured in the future: correct "
                    "the clock of the station, or `source.time.zone` in the layer file"
                )
                self._fault(row, "bad_date", why)
        flags = self._quality_flags(table)
        derived: dict[str, list[Any]] = dict.fromkeys(
            self.series.derived_fields(self.fields), [None] * len(table)
        )
        for name, quantity in quantities.items():
            derived[f"{name}_quality"] = [
                None if value is None else _quality(value, flag, quantity.plausible)
                for value, flag in zip(columns[name], flags, strict=True)
            ]
        return derived

    def _quality_flags(self, table: RawTable) -> list[Quality]:
        """The quality of each record, as its source flags it."""
        flagged = self.source.measured.quality if self.source.measured else None
        if flagged is None or flagged.column not in table.cells:
            return ["good"] * len(table)
        words: dict[str, Quality] = {"": "good", **flagged.values}
        return [words.get(word, "suspect") for word in table[flagged.column]]

    def _words(self, table: RawTable, column: str | None) -> list[str]:
        return table.cells.get(column or "", [""] * len(table))

    def _precision(self, table: RawTable) -> Floats:
        declared = self.source.precision
        if declared is None or declared.column not in table.cells:
            return np.full(len(table), np.nan)
        metres = {**declared.metres}
        otherwise = np.nan if declared.otherwise_m is None else declared.otherwise_m
        return np.array([metres.get(word, otherwise) for word in table[declared.column]], float)

    def _column(self, table: RawTable, name: str, definition: LayerField) -> list[Any]:
        column = definition.column or name
        if column not in table.cells:
            return [None] * len(table)
        values = self._typed(table, name, column, definition)
        if definition.required and None in values:
            for row, value in enumerate(values):
                if value is None and not self._has_fault(row, column):
                    self._fault(row, "missing", f"{column}: bắt buộc / a value is required")
        return values

    def _has_fault(self, row: int, column: str) -> bool:
        return any(fault.why.startswith(f"{column}:") for fault in self.faults.get(row, ()))

    def _typed(self, table: RawTable, name: str, column: str, definition: LayerField) -> list[Any]:
        match definition.type:
            case FieldType.TEXT:
                return self._texts(table, column, definition)
            case FieldType.INTEGER:
                return self._integers(table, column, definition)
            case FieldType.NUMBER:
                numbers = self._numbers(table, column, definition.format)
                return [None if number != number else number for number in numbers.tolist()]
            case FieldType.BOOLEAN:
                return self._booleans(table, column)
            case FieldType.DATE | FieldType.DATETIME:
                bounds = bounds_of_field(name, definition, self.source, today())
                instants = self._instants(table, column, definition, bounds)
                if definition.type is FieldType.DATETIME:
                    return list(instants)
                return [instant.date() if instant else None for instant in instants]

    def _texts(self, table: RawTable, column: str, definition: LayerField) -> list[str | None]:
        texts = [value or None for value in table[column]]
        if definition.values is not None and not set(texts) <= {None, *definition.values}:
            allowed = ", ".join(definition.values)
            for row, value in enumerate(texts):
                if value is not None and value not in definition.values:
                    why = f"{column}: giá trị lạ / “{value}” is none of {allowed}"
                    self._fault(row, "unknown_value", why)
        if definition.free_text:
            return [value and without_contacts(value) for value in texts]
        return texts

    def _integers(self, table: RawTable, column: str, definition: LayerField) -> list[int | None]:
        format = self.answers.number_format or definition.format
        deciding = self._deciding(column, ColumnType.INTEGER, format)
        parsed = parse_integers(table[column], format, column=column, deciding=deciding)
        self._fault_each(parsed.faults, "bad_number", column)
        return parsed.integers

    def _booleans(self, table: RawTable, column: str) -> list[bool | None]:
        for row, value in enumerate(table[column]):
            if value and value.casefold() not in _BOOLEANS:
                self._fault(row, "bad_value", f"{column}: “{value}” is neither true nor false")
        return [_BOOLEANS.get(value.casefold()) for value in table[column]]

    def _personal(self, table: RawTable) -> dict[int, dict[str, str]]:
        columns = {
            name: table[definition.column or name]
            for name, definition in self.fields.items()
            if definition.personal and (definition.column or name) in table.cells
        }
        details: dict[int, dict[str, str]] = {}
        for name, values in columns.items():
            for row, value in enumerate(values):
                if value not in _NONE:
                    details.setdefault(row, {})[name] = value
        for name, texts in self._free_texts(table):
            for row, value in enumerate(texts):
                if without_contacts(value) != value:
                    details.setdefault(row, {})[name] = value
        return details

    def _free_texts(self, table: RawTable) -> Iterator[tuple[str, Sequence[str]]]:
        for name, definition in self.fields.items():
            if definition.free_text and (definition.column or name) in table.cells:
                yield name, table[definition.column or name]

    def _raw(self, table: RawTable, row: int) -> dict[str, str]:
        shown = self._shown_columns(table, row)
        columns = [column for column in table.columns if column in shown]
        raw = {column: table[column][row] for column in columns if table[column][row]}
        free = {
            definition.column or name
            for name, definition in self.fields.items()
            if definition.free_text
        }
        raw |= {column: without_contacts(raw[column]) for column in free & set(raw)}
        if table.geometry is not None:
            wkt = shapely.to_wkt(table.geometry[row], rounding_precision=-1)
            raw |= {GEOMETRY: table.unread.get(row, wkt or ""), GEOMETRY_CRS: table.crs or ""}
        return raw

    def _undeclared(self, table: RawTable, row: int) -> dict[str, str]:
        told = declared_columns(self.source, self.fields)
        if row in table.faults:
            told = self._shown_columns(table, row)
        columns = [column for column in table.columns if column not in told]
        return {column: table[column][row] for column in columns if table[column][row] not in _NONE}

    def _shown_columns(self, table: RawTable, row: int) -> set[str]:
        """The columns of a record that quarantine shows.

        In one that is not whole a value may stand in another's column: where a column is personal
        or undeclared, only its key is shown.
        """
        public = public_columns(self.source, self.fields)
        if row in table.faults and not public.issuperset(table.columns):
            return {*key_columns(self.source)}
        return public


def _unreadable_geometry(text: str) -> str:
    excerpt = text if len(text) <= _GEOMETRY_EXCERPT else f"{text[:_GEOMETRY_EXCERPT]}…"
    return f"không đọc được hình / the geometry cannot be read: {excerpt}"


def _geometry_type_faults(table: RawTable) -> dict[int, str]:
    """Faults of a layer of points whose geometry is no point, by row."""
    if table.geometry is None or table.points is None:
        return {}
    mistyped = np.isnan(table.points[0]) & ~shapely.is_empty(table.geometry)
    return {
        int(row): f"hình phải là Point / the geometry is no Point but a "
        f"{table.geometry[row].geom_type}"
        for row in np.flatnonzero(mistyped & ~shapely.is_missing(table.geometry))
    }


def _multi(shape: shapely.Geometry | None) -> shapely.Geometry | None:
    match shape:
        case shapely.LineString():
            return shapely.MultiLineString([shape])
        case shapely.Polygon():
            return shapely.MultiPolygon([shape])
    return shape


def needed_columns(
    source: FileSource, fields: Mapping[str, LayerField], *, has_geometry: bool = False
) -> Iterator[str]:
    """Columns that a file of the layer must have."""
    yield from key_columns(source)
    if source.coordinates and not has_geometry:
        yield from (source.coordinates.x, source.coordinates.y)
    if source.time:
        yield source.time.column
    for name, definition in fields.items():
        if definition.required:
            yield definition.column or name


def _optional_coordinates(source: FileSource, table: RawTable) -> set[str]:
    """Coordinate columns that a table of addresses or units may leave out."""
    if source.coordinates is None or not {source.address, source.commune} & set(table.columns):
        return set()
    point = {source.coordinates.x, source.coordinates.y}
    return set() if point & set(table.columns) else point


def known_columns(source: FileSource, fields: Mapping[str, LayerField]) -> set[str]:
    """All columns that a layer reads, required or not."""
    words = {source.address, source.commune, source.district} - {None}
    precision = {source.precision.column} if source.precision else set()
    measured = source.measured.names if source.measured else set[str]()
    field_columns = {definition.column or name for name, definition in fields.items()}
    return {*needed_columns(source, fields), *words, *precision, *measured, *field_columns}  # type: ignore[arg-type]


def declared_columns(source: FileSource, fields: Mapping[str, LayerField]) -> set[str]:
    """All columns that a layer file names, and those that quarantine adds."""
    return {*known_columns(source, fields), GEOMETRY, GEOMETRY_CRS, PLACE_BY}


def public_columns(source: FileSource, fields: Mapping[str, LayerField]) -> set[str]:
    """The declared columns that are not personal."""
    personal = {field.column or name for name, field in fields.items() if field.personal}
    return declared_columns(source, fields) - personal


def key_columns(source: FileSource) -> tuple[str, ...]:
    """The columns that make the key of a record, in the order of the layer file."""
    return (source.key,) if isinstance(source.key, str) else source.key


def record_key_columns(layer: Layer) -> tuple[str, ...]:
    """The columns that tell records apart: of measurements their station, time and quantity."""
    assert isinstance(layer.source, FileSource)
    columns = key_columns(layer.source)
    if layer.series is None:
        return columns
    time = (layer.source.time.column,) if layer.source.time else ()
    measured = layer.source.measured
    quantity = (measured.quantity,) if measured and measured.quantity else ()
    return tuple(dict.fromkeys((*columns, *time, *quantity)))


def _quality(value: float, flag: Quality, plausible: PlausibleRange | None) -> Quality:
    if plausible is None:
        return flag
    low = plausible.at_least is not None and value < plausible.at_least
    high = plausible.at_most is not None and value > plausible.at_most
    return "implausible" if low or high else flag


def _joined_keys(table: RawTable, columns: Sequence[str]) -> list[str]:
    if len(columns) == 1:
        return list(table[columns[0]])
    return [key_of(parts) for parts in zip(*(table[c] for c in columns), strict=True)]


def key_of(parts: Sequence[str]) -> str:
    """The key of a record: its only part as it is, or several parts joined by `|`.

    In several parts `|` and `\\` are escaped by `\\`: different parts never give the same key.
    """
    if len(parts) == 1:
        return parts[0]
    if not _needs_escape(parts):
        return "|".join(parts)
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def _needs_escape(parts: Iterable[str]) -> bool:
    text = "".join(parts)
    return "|" in text or "\\" in text


def _unused_key(key: str, taken: Mapping[str, int]) -> str:
    while key in taken:
        key += "#"
    return key
