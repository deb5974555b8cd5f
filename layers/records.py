"""A file as a layer reads it: typed columns, and for each record what is wrong with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import shapely

from gis.errors import BadFile
from gis.intake.dates import parse_dates
from gis.intake.numbers import parse_numbers
from gis.intake.tables import RawTable, require_columns, with_full_names
from gis.placing.crs import SourceCrs, checked_points, parse_crs, to_wgs84
from gis.text import without_contacts
from gis.values import BBox
from layers.model import FieldType, FileSource, GeometryKind, Layer, LayerField

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]

# What lines and polygons may be in a file; tables hold them as Multi….
SHAPES = {
    GeometryKind.LINE: ("LineString", "MultiLineString"),
    GeometryKind.POLYGON: ("Polygon", "MultiPolygon"),
}
# A quarantined record keeps its geometry in these columns.
GEOMETRY, GEOMETRY_CRS = "geometry", "geometry_crs"

_BOOLEANS = {
    **dict.fromkeys(("true", "t", "1", "yes", "y", "có", "co", "x"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n", "không", "khong"), False),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a record: a word for programs, a sentence for people."""

    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class Answers:
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


NO_ANSWERS = Answers()


@dataclass(frozen=True, slots=True)
class Area:
    """A province: its box, and whether it holds points (longitudes, latitudes → mask)."""

    envelope: BBox
    holds: Callable[[Floats, Floats], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Records:
    """n records, column by column.

    `lon`, `lat` are degrees, WGS 84, NaN where there are none; of lines and polygons they are a
    point on them, and `shapes` holds n geometries (EPSG:4326). `precision_m` is NaN where the
    source does not say. `columns` holds the fields that are served, `personal` those that are not.
    `raw` is what the file said, without personal columns. `faults` maps a record to what is wrong.
    """

    keys: list[str]
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
    raw: list[dict[str, str]]
    faults: dict[int, list[Fault]] = field(default_factory=dict)

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
        area: Area,
        answers: Answers = NO_ANSWERS,
    ) -> None:
        self.geometry = layer.geometry
        self.source = source
        self.fields = layer.fields
        self.area = area
        self.answers = answers
        self.faults: dict[int, list[Fault]] = {}

    def read(self, table: RawTable) -> Records:
        """Raises BadFile when a column is missing, Question when a column has two readings."""
        has_geometry = table.geometry is not None
        table = with_full_names(table, _known_columns(self.source, self.fields))
        needed = needed_columns(self.source, self.fields, has_geometry=has_geometry)
        spared = _replaced_by_words(self.source, table)
        require_columns(table, [column for column in needed if column not in spared])
        self.faults = {}
        lon, lat, shapes = self._places(table)
        public = {name: one for name, one in self.fields.items() if not one.personal}
        return Records(
            keys=self._keys(table),
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
            raw=self._raw(table),
            faults=self.faults,
        )

    def _fault(self, row: int, reason: str, why: str) -> None:
        self.faults.setdefault(int(row), []).append(Fault(reason, why))

    def _fault_each(self, faults: dict[int, str], reason: str, column: str) -> None:
        for row, why in faults.items():
            self._fault(row, reason, f"{column}: {why}")

    def _keys(self, table: RawTable) -> list[str]:
        """The key of each record; one without a key, or whose key comes again, is a fault."""
        columns = _key_columns(self.source)
        keys = ["|".join(parts) for parts in zip(*(table[c] for c in columns), strict=True)]
        last = {key: row for row, key in enumerate(keys)}
        for row, key in enumerate(keys):
            if not key.strip("|"):
                keys[row] = f"#line {table.lines[row]}"
                self._fault(row, "no_key", f"thiếu khóa / no key in {', '.join(columns)}")
            elif last[key] != row:
                keys[row] = f"{key}#line {table.lines[row]}"
                again = f"line {table.lines[last[key]]}"
                self._fault(row, "repeated_key", f"khóa lặp lại / the key comes again in {again}")
        return keys

    def _places(self, table: RawTable) -> tuple[Floats, Floats, Shapes | None]:
        """Points (degrees, WGS 84), and the shapes of lines and polygons. What is wrong with one
        is a fault, unless the record says its place in words.
        """
        x, y, crs = self._coordinates(table)
        found = checked_points(
            x, y, crs, self.area.envelope, assume=self.answers.crs, inside=self.area.holds
        )
        address = self._words(table, self.source.address)
        unit = self._words(table, self.source.commune)
        for row, why in found.faults.items():
            if not (address[row] or unit[row]):
                self._fault(row, "bad_coordinates", why)
        if self.geometry not in SHAPES or table.geometry is None or found.crs is None:
            return found.lon, found.lat, None
        self._check_shapes(table.geometry)
        return found.lon, found.lat, _in_wgs84(table.geometry, found.crs)

    def _check_shapes(self, geometry: Shapes) -> None:
        expected = SHAPES[self.geometry]
        for row, shape in enumerate(geometry):
            if shape is None:
                self._fault(row, "no_geometry", "không có hình / the record has no geometry")
            elif shape.geom_type not in expected:
                why = f"hình phải là / the geometry is no {expected[0]} but a {shape.geom_type}"
                self._fault(row, "bad_geometry", why)
            elif not shape.is_valid:
                why = shapely.is_valid_reason(shape)
                self._fault(row, "bad_geometry", f"hình không hợp lệ / invalid geometry: {why}")

    def _coordinates(self, table: RawTable) -> tuple[Floats, Floats, str | None]:
        """x, y and the declared CRS: of the file's geometry, else of two columns."""
        columns = self.source.coordinates
        if table.geometry is not None and self.geometry in SHAPES:
            on_them = shapely.point_on_surface(table.geometry)
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
        numbers = self._numbers(table, column, one.format)
        for row in np.flatnonzero(np.isfinite(numbers) & (numbers != np.round(numbers))).tolist():
            why = f"{column}: phải là số nguyên / “{table[column][row]}” is not a whole number"
            self._fault(row, "bad_number", why)
        return [None if np.isnan(number) else int(number) for number in numbers]

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

    def _raw(self, table: RawTable) -> list[dict[str, str]]:
        personal = {one.column or name for name, one in self.fields.items() if one.personal}
        kept = [column for column in table.columns if column not in personal]
        rows = [
            {column: table[column][row] for column in kept if table[column][row]}
            for row in range(len(table))
        ]
        free = {one.column or name for name, one in self.fields.items() if one.free_text}
        for row in rows:
            row |= {column: without_contacts(row[column]) for column in free & set(row)}
        if table.geometry is not None:
            for row, wkt in zip(rows, shapely.to_wkt(table.geometry), strict=True):
                row |= {GEOMETRY: wkt or "", GEOMETRY_CRS: table.crs or ""}
        return rows


def _in_wgs84(geometry: Shapes, crs: SourceCrs) -> Shapes:
    """Multi-geometries, as tables of layers hold them."""
    moved = shapely.transform(
        geometry, lambda xy: np.column_stack(to_wgs84(xy[:, 0], xy[:, 1], crs))
    )
    return np.array([_multi(shape) for shape in moved], object)


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
    yield from _key_columns(source)
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


def _key_columns(source: FileSource) -> tuple[str, ...]:
    return (source.key,) if isinstance(source.key, str) else source.key
