"""A file as a layer reads it: typed columns, and for each record what is wrong with it."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import shapely

from gis.errors import BadFile
from gis.intake.dates import parse_dates
from gis.intake.numbers import parse_integers, parse_numbers
from gis.intake.tables import RawTable, require_columns, with_full_names
from gis.placing.crs import AS_DECLARED, CheckedPoints, checked_points, parse_crs
from gis.placing.shapes import near_to, points_on, shapes_in_degrees
from gis.text import without_contacts
from gis.values import BBox
from layers.definition.model import FieldType, FileSource, GeometryKind, Layer, LayerField

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]

# What lines and polygons may be in a file; tables hold them as Multi….
SHAPES = {
    GeometryKind.LINE: ("LineString", "MultiLineString"),
    GeometryKind.POLYGON: ("Polygon", "MultiPolygon"),
}
# PostgreSQL indexes at most 2,704 bytes, among them those of the layer and the source.
LONGEST_KEY_BYTES = 2_000
_MOST_BYTES = 4  # of a character in UTF-8
_SHOWN_OF_KEY, _SHOWN_OF_GEOMETRY = 60, 200
# A quarantined record keeps its geometry in these columns.
GEOMETRY, GEOMETRY_CRS = "geometry", "geometry_crs"

_BOOLEANS = {
    **dict.fromkeys(("true", "t", "1", "yes", "y", "có", "co", "x"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n", "không", "khong"), False),
}


@dataclass(frozen=True, slots=True)
class RecordFault:
    """What is wrong with a record: a word for programs, a sentence for people."""

    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What a person answered to questions about a file; None where nothing was asked."""

    crs: str | None = None
    encoding: str | None = None
    table: str | None = None
    date_format: str | None = None
    number_format: str | None = None

    def given(self) -> dict[str, str]:
        """Those that there are, by name."""
        return {name: answer for name, answer in asdict(self).items() if answer is not None}

    def with_others(self, others: Mapping[str, str]) -> Self:
        """These answers and, to questions that they do not answer, others."""
        return replace(self, **{**others, **self.given()})


NO_ANSWERS = FileOptions()


@dataclass(frozen=True, slots=True)
class ProvinceArea:
    """A province: its box, and whether it holds points (longitudes, latitudes → mask)."""

    envelope: BBox
    holds: Callable[[Floats, Floats], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class RecordBatch:
    """n records, column by column.

    `lon`, `lat` are degrees, WGS 84, NaN where there are none; of lines and polygons they are a
    point on them, and `shapes` holds n geometries (EPSG:4326). `precision_m` is NaN where the
    source does not say. `columns` holds the fields that are served, `personal` those that are not.
    `raw` gives what the file said of a record, without personal columns. `faults` maps a record to
    what is wrong.
    `former_keys` has the keys that an earlier version wrote, by record, where they were others.
    """

    keys: list[str]
    former_keys: dict[int, str]
    lines: Sequence[int]
    lon: Floats
    lat: Floats
    shapes: Shapes | None
    address: list[str]
    unit: list[str]
    precision_m: Floats
    valid_at: list[datetime | None]
    columns: dict[str, list[Any]]
    personal: list[dict[str, str]]
    raw: Callable[[int], dict[str, str]]
    faults: dict[int, list[RecordFault]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def days(self) -> list[date | None]:
        return [instant.date() if instant else None for instant in self.valid_at]


class RecordReader:
    """Reads tables by one layer file, whose `source` it also gets.

    `area` is the province, by which a wrong CRS is recognised.
    """

    def __init__(
        self,
        layer: Layer,
        source: FileSource,
        area: ProvinceArea,
        answers: FileOptions = NO_ANSWERS,
    ) -> None:
        self.geometry = layer.geometry
        self.source = source
        self.fields = layer.fields
        self.area = area
        self.answers = answers
        self.settled = answers  # with what the file itself settled, after it was read
        self.near = layer.placed and source.outside != "keep"
        self.faults: dict[int, list[RecordFault]] = {}

    def read(self, table: RawTable) -> RecordBatch:
        """Raises BadFile when a column is missing, Question when a column has two readings."""
        has_geometry = table.geometry is not None
        table = with_full_names(table, _known_columns(self.source, self.fields))
        needed = needed_columns(self.source, self.fields, has_geometry=has_geometry)
        spared = _replaced_by_words(self.source, table)
        require_columns(table, [column for column in needed if column not in spared])
        self.faults = {}
        lon, lat, shapes = self._places(table)
        public = {name: one for name, one in self.fields.items() if not one.personal}
        return RecordBatch(
            keys=self._keys(table),
            former_keys=self._former_keys(table),
            lines=table.lines,
            lon=lon,
            lat=lat,
            shapes=shapes,
            address=self._words(table, self.source.address),
            unit=self._words(table, self.source.commune),
            precision_m=self._precision(table),
            valid_at=self._valid_at(table),
            columns={name: self._column(table, name, one) for name, one in public.items()},
            personal=self._personal(table),
            raw=partial(self._raw, table),
            faults=self.faults,
        )

    def _fault(self, row: int, reason: str, why: str) -> None:
        self.faults.setdefault(int(row), []).append(RecordFault(reason, why))

    def _fault_each(self, faults: dict[int, str], reason: str, column: str) -> None:
        for row, why in faults.items():
            self._fault(row, reason, f"{column}: {why}")

    def _keys(self, table: RawTable) -> list[str]:
        """The key of each record; one without a key, with one that is too long, or whose key comes
        again, is a fault.
        """
        columns = key_columns(self.source)
        records = list(zip(*(table[column] for column in columns), strict=True))
        keys = [key_of(parts) for parts in records]
        last = {key: row for row, key in enumerate(keys)}
        for row, key in enumerate(keys):
            if not any(records[row]):
                keys[row] = _unlike(f"#line {table.lines[row]}", last)
                self._fault(row, "no_key", f"thiếu khóa / no key in {', '.join(columns)}")
            elif last[key] != row:
                keys[row] = _unlike(f"{key}#line {table.lines[row]}", last)
                again = f"line {table.lines[last[key]]}"
                self._fault(row, "repeated_key", f"khóa lặp lại / the key comes again in {again}")
            if len(key) * _MOST_BYTES > LONGEST_KEY_BYTES:
                self._shorten(keys, row, columns)
        return keys

    def _shorten(self, keys: list[str], row: int, columns: Sequence[str]) -> None:
        """A digest in the place of a key that is too long to be one."""
        size = len(keys[row].encode())
        if size > LONGEST_KEY_BYTES:
            digest = hashlib.sha256(keys[row].encode()).hexdigest()
            keys[row] = f"{keys[row][:_SHOWN_OF_KEY]}…#{digest}"
            why = f"{', '.join(columns)}: khóa dài / the key has {size} bytes"
            self._fault(row, "long_key", f"{why}; nhiều nhất / at most {LONGEST_KEY_BYTES}")

    def _former_keys(self, table: RawTable) -> dict[int, str]:
        """Keys of several columns were joined as they are, so that ("a|b", "c") and ("a", "b|c")
        were one.
        """
        columns = key_columns(self.source)
        if len(columns) == 1 or not any(map(_has_signs, (table[one] for one in columns))):
            return {}
        records = enumerate(zip(*(table[column] for column in columns), strict=True))
        return {row: "|".join(parts) for row, parts in records if _has_signs(parts)}

    def _places(self, table: RawTable) -> tuple[Floats, Floats, Shapes | None]:
        """Points (degrees, WGS 84), and the shapes of lines and polygons. What is wrong with one
        is a fault, unless the record says its place in words.
        """
        x, y, crs = self._coordinates(table)
        found = checked_points(
            x, y, crs, self.area.envelope, assume=self.answers.crs, inside=self.area.holds
        )
        if found.crs is not None and self.answers.crs is None:
            self.settled = replace(self.answers, crs=AS_DECLARED)
        if self.geometry in SHAPES and table.geometry is not None:
            return found.lon, found.lat, self._shapes(table, table.geometry, found)
        address = self._words(table, self.source.address)
        unit = self._words(table, self.source.commune)
        unread = {row: _unread(text) for row, text in table.unread.items()}
        for row, why in (found.faults | unread | _not_points(table)).items():
            if not (address[row] or unit[row]):
                self._fault(row, "bad_coordinates", why)
        return found.lon, found.lat, None

    def _shapes(self, table: RawTable, geometry: Shapes, found: CheckedPoints) -> Shapes:
        """Multi-geometries (EPSG:4326), as tables of layers hold them."""
        expected = SHAPES[self.geometry]
        near = near_to(self.area.envelope) if self.near else None
        checked = shapes_in_degrees(geometry, found.crs, near)
        for row, shape in enumerate(geometry):
            if row in table.unread:
                self._fault(row, "bad_geometry", _unread(table.unread[row]))
            elif shape is None:
                self._fault(row, "no_geometry", "không có hình / the record has no geometry")
            elif shape.geom_type not in expected:
                why = f"hình phải là / the geometry is no {expected[0]} but a {shape.geom_type}"
                self._fault(row, "bad_geometry", why)
            elif row in checked.faults:
                self._fault(row, "bad_geometry", checked.faults[row])
            elif row in found.faults:
                self._fault(row, "bad_coordinates", found.faults[row])
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
        at_most = 180 if parse_crs(columns.crs).crs.is_geographic else None
        x = self._numbers(table, columns.x, None, at_most)
        y = self._numbers(table, columns.y, None, at_most)
        return x, y, columns.crs

    def _numbers(
        self, table: RawTable, column: str, declared: str | None, at_most: float | None = None
    ) -> Floats:
        format = self.answers.number_format or declared
        parsed = parse_numbers(table[column], format=format, column=column, at_most=at_most)
        self._fault_each(parsed.faults, "bad_number", column)
        return parsed.numbers

    def _instants(
        self, table: RawTable, column: str, declared: str | None
    ) -> list[datetime | None]:
        zone = self.source.time.zone if self.source.time else "+07:00"
        format = self.answers.date_format or declared
        parsed = parse_dates(table[column], format=format, zone=zone, column=column)
        self._fault_each(parsed.faults, "bad_date", column)
        return parsed.instants

    def _valid_at(self, table: RawTable) -> list[datetime | None]:
        time = self.source.time
        return self._instants(table, time.column, time.format) if time else [None] * len(table)

    def _words(self, table: RawTable, column: str | None) -> list[str]:
        return table.cells.get(column or "", [""] * len(table))

    def _precision(self, table: RawTable) -> Floats:
        declared = self.source.precision
        if declared is None or declared.column not in table.cells:
            return np.full(len(table), np.nan)
        metres = {**declared.metres}
        otherwise = np.nan if declared.otherwise_m is None else declared.otherwise_m
        return np.array([metres.get(word, otherwise) for word in table[declared.column]], float)

    def _column(self, table: RawTable, name: str, one: LayerField) -> list[Any]:
        column = one.column or name
        if column not in table.cells:
            return [None] * len(table)
        values = self._typed(table, column, one)
        if one.required:
            for row, value in enumerate(values):
                if value is None and not self._has_fault(row, column):
                    self._fault(row, "missing", f"{column}: bắt buộc / a value is required")
        return values

    def _has_fault(self, row: int, column: str) -> bool:
        return any(fault.why.startswith(f"{column}:") for fault in self.faults.get(row, ()))

    def _typed(self, table: RawTable, column: str, one: LayerField) -> list[Any]:
        match one.type:
            case FieldType.TEXT:
                return self._texts(table, column, one)
            case FieldType.INTEGER:
                return self._integers(table, column, one)
            case FieldType.NUMBER:
                numbers = self._numbers(table, column, one.format)
                return [None if np.isnan(number) else float(number) for number in numbers]
            case FieldType.BOOLEAN:
                return self._booleans(table, column)
            case FieldType.DATE:
                instants = self._instants(table, column, one.format)
                return [instant.date() if instant else None for instant in instants]
            case FieldType.DATETIME:
                return list(self._instants(table, column, one.format))

    def _texts(self, table: RawTable, column: str, one: LayerField) -> list[str | None]:
        texts = [value or None for value in table[column]]
        if one.values is not None:
            known = ", ".join(one.values)
            for row, value in enumerate(texts):
                if value is not None and value not in one.values:
                    why = f"{column}: giá trị lạ / “{value}” is none of {known}"
                    self._fault(row, "unknown_value", why)
        if one.free_text:
            return [value and without_contacts(value) for value in texts]
        return texts

    def _integers(self, table: RawTable, column: str, one: LayerField) -> list[int | None]:
        format = self.answers.number_format or one.format
        parsed = parse_integers(table[column], format, column=column)
        self._fault_each(parsed.faults, "bad_number", column)
        return parsed.integers

    def _booleans(self, table: RawTable, column: str) -> list[bool | None]:
        for row, value in enumerate(table[column]):
            if value and value.casefold() not in _BOOLEANS:
                self._fault(row, "bad_value", f"{column}: “{value}” is neither true nor false")
        return [_BOOLEANS.get(value.casefold()) for value in table[column]]

    def _personal(self, table: RawTable) -> list[dict[str, str]]:
        columns = {
            name: table[one.column or name]
            for name, one in self.fields.items()
            if one.personal and (one.column or name) in table.cells
        }
        told = [
            {name: values[row] for name, values in columns.items() if values[row]}
            for row in range(len(table))
        ]
        for name, values in self._free_texts(table):
            for row, value in enumerate(values):
                if without_contacts(value) != value:
                    told[row][name] = value
        return told

    def _free_texts(self, table: RawTable) -> Iterator[tuple[str, Sequence[str]]]:
        for name, one in self.fields.items():
            if one.free_text and (one.column or name) in table.cells:
                yield name, table[one.column or name]

    def _raw(self, table: RawTable, row: int) -> dict[str, str]:
        personal = {one.column or name for name, one in self.fields.items() if one.personal}
        kept = [column for column in table.columns if column not in personal]
        raw = {column: table[column][row] for column in kept if table[column][row]}
        free = {one.column or name for name, one in self.fields.items() if one.free_text}
        raw |= {column: without_contacts(raw[column]) for column in free & set(raw)}
        if table.geometry is not None:
            wkt = shapely.to_wkt(table.geometry[row], rounding_precision=-1)
            raw |= {GEOMETRY: table.unread.get(row, wkt or ""), GEOMETRY_CRS: table.crs or ""}
        return raw


def _unread(text: str) -> str:
    shown = text if len(text) <= _SHOWN_OF_GEOMETRY else f"{text[:_SHOWN_OF_GEOMETRY]}…"
    return f"không đọc được hình / the geometry cannot be read: {shown}"


def _not_points(table: RawTable) -> dict[int, str]:
    """Of a layer of points, by row: geometries that are something else."""
    if table.geometry is None or table.points is None:
        return {}
    other = np.isnan(table.points[0]) & ~shapely.is_empty(table.geometry)
    return {
        int(row): f"hình phải là Point / the geometry is no Point but a "
        f"{table.geometry[row].geom_type}"
        for row in np.flatnonzero(other & ~shapely.is_missing(table.geometry))
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
    """The columns without which a file is not one of the layer."""
    yield from key_columns(source)
    if source.coordinates and not has_geometry:
        yield from (source.coordinates.x, source.coordinates.y)
    if source.time:
        yield source.time.column
    for name, one in fields.items():
        if one.required:
            yield one.column or name


def _replaced_by_words(source: FileSource, table: RawTable) -> set[str]:
    """The columns of a point, which a table of addresses or units may go without."""
    if source.coordinates is None or not {source.address, source.commune} & set(table.columns):
        return set()
    point = {source.coordinates.x, source.coordinates.y}
    return set() if point & set(table.columns) else point


def _known_columns(source: FileSource, fields: Mapping[str, LayerField]) -> set[str]:
    """All columns that a layer reads, where they are there."""
    words = {source.address, source.commune} - {None}
    precision = {source.precision.column} if source.precision else set()
    own = {one.column or name for name, one in fields.items()}
    return {*needed_columns(source, fields), *words, *precision, *own}  # type: ignore[arg-type]


def key_columns(source: FileSource) -> tuple[str, ...]:
    return (source.key,) if isinstance(source.key, str) else source.key


def key_of(parts: Sequence[str]) -> str:
    """The key of a record: its only part as it is, or several joined by `|`, each with `\\` before
    the signs `|` and `\\` in it. Different parts never give the same key.
    """
    if len(parts) == 1:
        return parts[0]
    if not _has_signs(parts):
        return "|".join(parts)
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def _has_signs(parts: Iterable[str]) -> bool:
    text = "".join(parts)
    return "|" in text or "\\" in text


def _unlike(key: str, taken: Mapping[str, int]) -> str:
    while key in taken:
        key += "#"
    return key
