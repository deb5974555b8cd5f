"""Draft of a layer file from a file of records: types that its values prove, words to fill in.

Columns that look personal are drafted as personal, and the layer is open to its department alone:
a person decides what becomes public.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import yaml

from gis.errors import AmbiguousInput, BadFile
from gis.intake.dates import ISO_8601, parse_dates
from gis.intake.numbers import parse_numbers
from gis.intake.tables import RawTable, column_key
from gis.placing.source_crs import GEOGRAPHIC
from gis.text import search_key, without_contacts
from layers.definition.model import PLACING_COLUMNS, FieldType, GeometryKind

_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_BOOLEAN = {"true", "false", "yes", "no", "có", "không"}
_IDENTITY = re.compile(r"(\d{9}|\d{12})")
# Words of names of columns, without diacritics.
_KEY = re.compile(r"\b(id|ma|code|key|so (dang ky|ho so|hieu|phieu))\b")
_X = re.compile(r"\b(lon|lng|long|longitude|kinh do|easting|x)\b")
_Y = re.compile(r"\b(lat|latitude|vi do|northing|y)\b")
_ADDRESS = re.compile(r"\b(dia chi|address|dia diem|noi xay ra)\b")
_COMMUNE = re.compile(r"\b(xa|phuong|commune|ward)\b")
_TIME = re.compile(r"\b(ngay|thoi gian|luc|date|time|when|happened)\b")
_PERSONAL = re.compile(
    r"\b(ho ten|ho va ten|ten chu|chu ho|chu gieng|nguoi|sdt|dien thoai|phone|mobile|e ?mail|"
    r"thu dien tu|cccd|cmnd|can cuoc|ho chieu|passport|ngay sinh|nam sinh|birth|tai khoan|owner|"
    r"reporter)\b"
)
_LEAST_NORTHING = 1_000_000  # metres; eastings of Vietnam are below
_LOCAL = "EPSG:9208"
_RESERVED = {
    *PLACING_COLUMNS, "bbox", "crs", "datetime", "f", "fields", "filter", "ids", "lang", "limit",
    "offset", "properties", "q", "skipgeometry", "sortby", "geometry", "type",
}  # fmt: skip
_MAX_NAME = 40
_SHAPES = {
    "Point": GeometryKind.POINT, "LineString": GeometryKind.LINE,
    "MultiLineString": GeometryKind.LINE, "Polygon": GeometryKind.POLYGON,
    "MultiPolygon": GeometryKind.POLYGON,
}  # fmt: skip
_HEAD = """\
# Bản thảo từ {name}: hãy sửa những chỗ ghi “?”, đơn vị (unit: m) và nhãn, rồi `gis layers check`.
# Draft from {name}: fill in what says “?”, units (unit: m) and labels, then `gis layers check`.
"""


class _PlainDumper(yaml.SafeDumper):
    """Writes equal values out, where YAML would refer to the first."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def draft_layer(table: RawTable, layer_id: str | None = None) -> tuple[str, str]:
    """The id and the text of a layer file for a table; `layer_id` None: from the file's name.

    Raises BadFile for a table without records, or whose columns all look personal.
    """
    if not len(table):
        raise BadFile(f"{table.name}: không có bản ghi nào / holds no record")
    name = layer_id or identifier(table.name.split(".")[0], set())
    fields = {column: _field(column, table[column]) for column in table.columns}
    types: dict[str, str] = {
        column: "personal" if field.get("personal") else field["type"]
        for column, field in fields.items()
    }
    key = _key(table, types)
    if not key:
        raise BadFile(
            f"{table.name}: cột nào cũng như dữ liệu cá nhân, không có khóa; hãy thêm cột mã / "
            "every column looks personal, and none can be the key: add a column with a code"
        )
    source: dict[str, Any] = {"connector": "file", "key": key, **_place(table, types)}
    dates = [c for c, kind in types.items() if kind in (FieldType.DATE, FieldType.DATETIME)]
    time = next((c for c in dates if _TIME.search(column_key(c))), next(iter(dates), None))
    if time is not None:
        format = fields[time].get("format")
        source["time"] = {"column": time} | ({"format": format} if format else {})
    geometry = _geometry(table, source)
    words = {"vi": f"? {name}", "en": f"? {name}"}
    layer = {
        "id": name,
        "title": words,
        "description": words,
        "department": {"vi": "?", "en": "?"},
        "licence": "?",
        "classification": "internal",
        "geometry": geometry.value,
        **({} if geometry is not GeometryKind.NONE or _has_words(source) else {"placed": False}),
        "source": source,
        "fields": _named(fields, source),
        "access": {"read": "department", "write": "department"},
        **({} if geometry is GeometryKind.NONE else {"tiles": {"min_zoom": 0, "max_zoom": 14}}),
    }
    text = yaml.dump(layer, Dumper=_PlainDumper, allow_unicode=True, sort_keys=False, width=100)
    return name, _HEAD.format(name=_one_line(table.name)) + text


def identifier(words: str, taken: set[str]) -> str:
    """A name of the letters a–z, digits and `_` that is not taken; it is taken then."""
    plain = re.sub(r"[^a-z0-9]+", "_", search_key(words)).strip("_")
    plain = plain if plain[:1].isalpha() else f"c_{plain}".rstrip("_")
    plain = plain[:_MAX_NAME].rstrip("_")
    names = (plain if n == 1 else f"{plain}_{n}" for n in range(1, len(taken) + 2))
    name = next(each for each in names if each not in taken)
    taken.add(name)
    return name


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _field(column: str, values: Sequence[str]) -> dict[str, Any]:
    """Type, format and privacy of a column's values, empty ones left out."""
    given = [value for value in values if value]
    kind, format = _type(column, given)
    field: dict[str, Any] = {"type": kind.value}
    if format is not None:
        field["format"] = format
    if _is_personal(column, given):
        return {"type": FieldType.TEXT.value, "personal": True}
    return field


def _type(column: str, values: Sequence[str]) -> tuple[FieldType, str | None]:
    if not values:
        return FieldType.TEXT, None
    if {value.casefold() for value in values} <= _BOOLEAN:
        return FieldType.BOOLEAN, None
    if all(map(_WHOLE.fullmatch, values)):
        return FieldType.INTEGER, None
    if all(value.isdigit() for value in values):  # codes that begin with 0
        return FieldType.TEXT, None
    for proven in (_number_type, _date_type):
        try:
            if (kind := proven(column, values)) is not None:
                return kind
        except AmbiguousInput:
            return FieldType.TEXT, None
    return FieldType.TEXT, None


def _number_type(column: str, values: Sequence[str]) -> tuple[FieldType, str | None] | None:
    parsed = parse_numbers(values, column=column)
    if parsed.faults or parsed.notation is None:
        return None
    return FieldType.NUMBER, parsed.notation.value


def _date_type(column: str, values: Sequence[str]) -> tuple[FieldType, str | None] | None:
    parsed = parse_dates(values, column=column)
    if parsed.faults:
        return None
    if not parsed.day_precision.all():
        return FieldType.DATETIME, None
    return FieldType.DATE, None if parsed.format == ISO_8601 else parsed.format


def _is_personal(column: str, values: Sequence[str]) -> bool:
    """True where the name says so, or most values are contacts or numbers of identity."""
    if _PERSONAL.search(column_key(column)):
        return True
    hidden = sum(
        without_contacts(value) != value or _IDENTITY.fullmatch(value) is not None
        for value in values
    )
    return bool(values) and 2 * hidden > len(values)


def _key(table: RawTable, types: Mapping[str, str]) -> str | list[str]:
    """The column, else two or all columns, whose values tell the records apart."""
    usable = [c for c in table.columns if types[c] in (FieldType.TEXT, FieldType.INTEGER)]
    usable.sort(key=lambda column: _KEY.search(column_key(column)) is None)
    for column in usable:
        values = table[column]
        if all(values) and len(set(values)) == len(values):
            return column
    for pair in combinations(usable[:8], 2):
        records = list(zip(*(table[column] for column in pair), strict=True))
        if len(set(records)) == len(records) and all(map(any, records)):
            return list(pair)
    return [column for column in table.columns if types[column] != "personal"]


def _place(table: RawTable, types: Mapping[str, str]) -> dict[str, Any]:
    """The words of `source` for the place of a record: columns of a point, address, commune."""
    numeric = [c for c in table.columns if types[c] in (FieldType.NUMBER, FieldType.INTEGER)]
    place: dict[str, Any] = {}
    x, y = _named_like(_X, numeric), _named_like(_Y, numeric)
    if table.geometry is None and x is not None and y is not None and x != y:
        place["coordinates"] = _coordinates(table, x, y)
    text = [c for c in table.columns if types[c] == FieldType.TEXT]
    for use, pattern in (("address", _ADDRESS), ("commune", _COMMUNE)):
        column = _named_like(pattern, text)
        if column is not None and column not in place.values():
            place[use] = column
    return place


def _named_like(pattern: re.Pattern[str], columns: Sequence[str]) -> str | None:
    return next((column for column in columns if pattern.search(column_key(column))), None)


def _coordinates(table: RawTable, x: str, y: str) -> dict[str, str]:
    """Degrees, else metres of the province's VN-2000, where surveyors call the northing X."""
    try:
        east, north = (
            np.nanmedian(np.abs(parse_numbers(table[column], column=column).numbers))
            for column in (x, y)
        )
    except AmbiguousInput:
        return {"x": x, "y": y, "crs": GEOGRAPHIC[0]}
    if east <= 180 and north <= 180:
        return {"x": x, "y": y, "crs": GEOGRAPHIC[0]}
    if east >= _LEAST_NORTHING > north:
        x, y = y, x
    return {"x": x, "y": y, "crs": _LOCAL}


def _geometry(table: RawTable, source: dict[str, Any]) -> GeometryKind:
    if table.geometry is not None:
        kinds = {_SHAPES.get(each.geom_type) for each in table.geometry if each is not None}
        only = kinds.pop() if len(kinds) == 1 else None
        return only or GeometryKind.POINT
    return (
        GeometryKind.POINT if "coordinates" in source or _has_words(source) else GeometryKind.NONE
    )


def _has_words(source: dict[str, Any]) -> bool:
    return bool({"address", "commune"} & set(source))


def _named(fields: dict[str, dict[str, Any]], source: dict[str, Any]) -> dict[str, Any]:
    """Fields by free names, with column and labels to fill in; coordinates are no fields."""
    coordinates = source.get("coordinates", {})
    taken = set(_RESERVED)
    return {
        identifier(column, taken): {
            **field,
            "column": column,
            "label": {"vi": column, "en": f"? {column}"},
        }
        for column, field in fields.items()
        if column not in (coordinates.get("x"), coordinates.get("y"))
    }
