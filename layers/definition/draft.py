"""Draft of a layer file from a file of records: types that its values prove, words to fill in.

Columns that look personal are drafted as personal, and the layer is open to its department alone:
a person decides what becomes public.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from gis.errors import AmbiguousInput, BadFile
from gis.intake.chunks import TableChunks
from gis.intake.coordinates import parse_angle, place_column, with_places
from gis.intake.dates import ISO_8601, deciding_dates, parse_dates
from gis.intake.numbers import deciding_numbers, parse_numbers
from gis.intake.tables import RawTable, column_key
from gis.placing.source_crs import GEOGRAPHIC
from gis.text import search_key, without_contacts
from layers.definition.model import PLACING_COLUMNS, FieldType, GeometryKind

_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_BOOLEAN = {"true", "false", "yes", "no", "có", "không"}
# Of a column that is a truth, a whole number, or a code that begins with 0: each of its values is.
_PLAIN_TYPES: tuple[Callable[[str], object], ...] = (
    lambda value: value.casefold() in _BOOLEAN, _WHOLE.fullmatch, str.isdigit,
)  # fmt: skip
_IDENTITY = re.compile(r"(\d{9}|\d{12})")
_METRES = re.compile(r"\d{5,8}([.,]\d{1,6})?|\d{1,2}([., ]\d{3}){1,2}([.,]\d{1,3})?")
# Words of names of columns, without diacritics.
_KEY = re.compile(r"\b(id|ma|code|key|so (dang ky|ho so|hieu|phieu))\b")
_ORDINAL = re.compile(r"(s ?t ?t|tt|so thu tu|no|row|fid|ogc fid)")
_DRAWING = {"altitudemode", "draworder", "extrude", "tessellate", "visibility", "icon"}  # of KML
# Columns of a point, those that say degrees before those that may be metres.
_POINTS = (
    (re.compile(r"\b(lon|lng|long|longitude|kinh do)\b"), re.compile(r"\b(lat|latitude|vi do)\b")),
    (re.compile(r"\b(easting|x)\b"), re.compile(r"\b(northing|y)\b")),
)
_ADDRESS = re.compile(r"\b(dia chi|address|dia diem|noi xay ra|vi tri)\b")
_COMMUNE = re.compile(r"\b(xa|phuong|commune|ward)\b")
_CODE_OF_UNIT = re.compile(r"(ma )?(xa|phuong)( phuong)?|commune( code| id)?|ward( code)?")
_DISTRICT = re.compile(r"\b(huyen|district)\b")
_TIME = re.compile(r"\b(ngay|thoi gian|luc|date|time|when|happened)\b")
_PERSONAL = re.compile(
    r"\b(ho ten|ho va ten|ten chu|chu ho|chu gieng|nguoi|sdt|dien thoai|phone|mobile|e ?mail|"
    r"thu dien tu|cccd|cmnd|can cuoc|ho chieu|passport|ngay sinh|nam sinh|birth|tai khoan|owner|"
    r"reporter)\b"
)
_LEAST_NORTHING = 1_000_000  # metres; eastings of Vietnam are below
_MOST_NORTHERLY = 90  # degrees
_LOCAL = "EPSG:9208"
_LOOKED_AT = 2_000  # values of a column that show what it clearly is not, or mostly is
_MOST = 0.8  # of them, that are enough
_MOST_KEYS = 4  # that are held against all records of a large file
_RESERVED = {
    *PLACING_COLUMNS, "bbox", "crs", "datetime", "f", "fields", "filter", "ids", "lang", "limit",
    "offset", "properties", "q", "skipgeometry", "sortby", "geometry", "type",
}  # fmt: skip
_MAX_NAME = 40
_SHAPES = {
    "Point": GeometryKind.POINT, "MultiPoint": GeometryKind.POINT,
    "LineString": GeometryKind.LINE, "MultiLineString": GeometryKind.LINE,
    "Polygon": GeometryKind.POLYGON, "MultiPolygon": GeometryKind.POLYGON,
}  # fmt: skip
# Units as names of columns have them, and in UCUM. The last word of a name may be one of the first.
_LAST_WORDS = {
    "m": "m", "cm": "cm", "mm": "mm", "km": "km", "ha": "har", "m2": "m2", "m²": "m2", "km2": "km2",
    "km²": "km2", "m3": "m3", "m³": "m3", "kg": "kg", "tấn": "t", "kw": "kW", "mw": "MW", "%": "%",
}  # fmt: skip
_UNITS = _LAST_WORDS | {
    "mét": "m", "hecta": "har", "héc ta": "har", "g": "g", "t": "t", "lít": "L", "l": "L",
    "mg": "mg", "s": "s", "giây": "s", "phút": "min", "h": "h", "giờ": "h", "ngày": "d",
    "năm": "a", "°c": "Cel", "oc": "Cel", "độ c": "Cel", "độ": "deg", "°": "deg", "kv": "kV",
    "kwh": "kW.h", "mwh": "MW.h",
}  # fmt: skip
_UNIT_IN_BRACKETS = re.compile(r"(?P<label>.+?)\s*[(\[]\s*(?P<unit>[^()\[\]]+?)\s*[)\]]")
_UNIT_AT_END = re.compile(r"(?P<label>.+?)[\s,_]+(?P<unit>[^\s_]+)")
_HEAD = """\
# Bản thảo từ {name}: hãy sửa những chỗ ghi “?” rồi `gis layers check`.
# Draft from {name}: fill in what says “?”, then `gis layers check`.
# Khóa “{key}” phải giữ nguyên từ kỳ này sang kỳ sau. / The key must stay as it is in later files.
"""
_TWO_READINGS = (
    "đọc được theo hai cách nên để là text; ghi `type` và `format` nếu biết / "
    "has two readings, so it stays text: write `type` and `format` where you know them"
)
_LATER = (
    "các bản ghi đầu là {type}, về sau thì không, nên để text / "
    "the first records are {type}, later ones are not, so it stays text"
)


@dataclass(frozen=True, slots=True)
class _DraftedColumn:
    """What the values of a column prove, and what there is to say of it.

    `nearly_time`: the format of a text that is mostly dates; None inside: ISO 8601.
    """

    type: FieldType
    format: str | None = None
    personal: bool = False
    doubt: str = ""
    is_empty: bool = False
    nearly_time: tuple[str | None] | None = None

    @property
    def is_time(self) -> bool:
        return self.type in (FieldType.DATE, FieldType.DATETIME)


type _Reader = Callable[[str, Sequence[str]], _DraftedColumn | None]


@dataclass(frozen=True, slots=True)
class _Place:
    """Words of `source` for places, the columns that hold points or shapes, and how many shapes
    of each kind there are, the most first.
    """

    words: dict[str, Any]
    columns: frozenset[str]
    kinds: dict[GeometryKind, int]

    @property
    def has_words(self) -> bool:
        return bool({"address", "commune"} & self.words.keys())

    @property
    def geometry(self) -> GeometryKind:
        if self.kinds:
            return next(iter(self.kinds))
        has_point = "coordinates" in self.words or self.has_words
        return GeometryKind.POINT if has_point else GeometryKind.NONE


class _PlainDumper(yaml.SafeDumper):
    """Writes equal values out, where YAML would refer to the first."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def draft_layer(chunks: TableChunks, layer_id: str | None = None) -> tuple[str, str]:
    """The id and the text of a layer file for a file; `layer_id` None: from the file's name.

    All records of the file prove the types. Raises BadFile for a file without records, or whose
    columns all look personal.
    """
    table = chunks.whole if chunks.whole is not None else next(iter(chunks))
    if not len(table):
        raise BadFile(f"{table.name}: không có bản ghi nào / holds no record")
    name = layer_id or identifier(table.name.split(".")[0], set())
    columns = _columns(chunks)
    place = _place(table, columns)
    key = _key(chunks, {n: column for n, column in columns.items() if n not in place.columns})
    if not key:
        raise BadFile(
            f"{table.name}: cột nào cũng như dữ liệu cá nhân, không có khóa; hãy thêm cột mã / "
            "every column looks personal, and none can be the key: add a column with a code"
        )
    geometry = place.geometry
    fields = {n: column for n, column in columns.items() if n != key and n not in place.columns}
    words = {"vi": f"? {name}", "en": f"? {name}"}
    layer = {
        "id": name,
        "title": words,
        "description": words,
        "department": {"vi": "?", "en": "?"},
        "licence": "?",
        "classification": "internal",
        "geometry": geometry.value,
        **({} if geometry is not GeometryKind.NONE else {"placed": False}),
        "source": {"connector": "file", "key": key, **place.words, **_time(columns)},
        "fields": _fields({n: column for n, column in fields.items() if not column.is_empty}),
        "access": {"read": "department", "write": "department"},
        **({} if geometry is GeometryKind.NONE else {"tiles": {"min_zoom": 0, "max_zoom": 14}}),
    }
    text = yaml.dump(layer, Dumper=_PlainDumper, allow_unicode=True, sort_keys=False, width=100)
    return name, _head(table.name, key, fields, place.kinds) + text


def _head(
    name: str,
    key: str | list[str],
    fields: Mapping[str, _DraftedColumn],
    kinds: Mapping[GeometryKind, int],
) -> str:
    """Comments above a draft: what a person is to fill in and to decide."""
    shown = " + ".join([key] if isinstance(key, str) else key)
    lines = [_HEAD.format(name=_one_line(name), key=_one_line(shown))]
    lines += [f"# {_one_line(name)}: {each.doubt}\n" for name, each in fields.items() if each.doubt]
    if empty := [_one_line(name) for name, each in fields.items() if each.is_empty]:
        lines.append(f"# Cột trống, không đưa vào / empty columns, left out: {', '.join(empty)}\n")
    if len(kinds) > 1:
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        lines.append(
            f"# Hình có nhiều loại, một lớp chỉ nhận một loại / several kinds of shapes: {counts}\n"
        )
    return "".join(lines)


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


def _columns(chunks: TableChunks) -> dict[str, _DraftedColumn]:
    """What the values of each column prove, and what its name says."""
    if chunks.whole is not None:
        return _columns_of(chunks.whole)
    head, witnesses = dict[str, _DraftedColumn](), dict[str, list[str]]()
    for part in chunks:
        head = head or _columns_of(part)
        for column in part.columns:
            given = [*witnesses.get(column, ()), *filter(None, part[column])]
            witnesses[column] = _witnesses(given, column)
    return {name: _with_head(_proven(name, witnesses[name]), head[name]) for name in head}


def _columns_of(table: RawTable) -> dict[str, _DraftedColumn]:
    columns = {}
    for name in table.columns:
        if table.geometry is not None and name.casefold() in _DRAWING:
            continue
        given = _given(table, name)
        personal = bool(given) and _is_personal(name, _sample(given))
        columns[name] = (
            _DraftedColumn(FieldType.TEXT, personal=True) if personal else _proven(name, given)
        )
    return columns


def _with_head(column: _DraftedColumn, head: _DraftedColumn) -> _DraftedColumn:
    """A column of a large file, of which `head` are the first records, many enough to show what
    later ones refute.
    """
    if head.personal:
        return head
    if column.type is not FieldType.TEXT or not (head.doubt or head.type is not FieldType.TEXT):
        return replace(column, doubt="")
    nearly = (head.format,) if head.is_time else head.nearly_time
    return replace(column, doubt=head.doubt or _LATER.format(type=head.type), nearly_time=nearly)


def _witnesses(values: Sequence[str], column: str) -> list[str]:
    """A few of a column's values that prove the type of all of them."""
    refuting = (next((v for v in values if not holds(v)), None) for holds in _PLAIN_TYPES)
    kept = [*values[:1], *filter(None, refuting)]
    kept += [*deciding_numbers(values), *deciding_dates(values)]
    with suppress(AmbiguousInput):
        kept += [values[row] for row in list(parse_numbers(values, column=column).faults)[:1]]
    with suppress(AmbiguousInput):
        dates = parse_dates(values, column=column, asks=False)
        timed = np.flatnonzero(~dates.day_precision).tolist()
        kept += [values[row] for row in [*list(dates.faults)[:1], *timed[:1]]]
    return list(dict.fromkeys(kept))


def _proven(column: str, values: Sequence[str]) -> _DraftedColumn:
    """The type of a column's values, empty ones left out, and its format."""
    boolean, whole, digits = (all(map(holds, values)) for holds in _PLAIN_TYPES)
    if not values or (digits and not whole):  # codes that begin with 0
        return _DraftedColumn(FieldType.TEXT, is_empty=not values)
    if boolean or whole:
        return _DraftedColumn(FieldType.BOOLEAN if boolean else FieldType.INTEGER)
    doubtful = _DraftedColumn(FieldType.TEXT)
    for read in (_as_numbers, _as_dates):
        try:
            if _is_clearly_none(read, column, values):
                continue
            found = read(column, values)
        except AmbiguousInput:
            return _DraftedColumn(FieldType.TEXT, doubt=_TWO_READINGS)
        if found is not None and not found.doubt:
            return found
        doubtful = found or doubtful
    return doubtful


def _as_numbers(column: str, values: Sequence[str]) -> _DraftedColumn | None:
    """A column of numbers; a text that is nearly one; None for another."""
    parsed = parse_numbers(values, column=column)
    if _are_few(parsed.faults, values):
        return _DraftedColumn(FieldType.TEXT, doubt=_doubt(parsed.faults, values, "số", "numbers"))
    if parsed.faults or parsed.notation is None:
        return None
    return _DraftedColumn(FieldType.NUMBER, parsed.notation.value)


def _as_dates(column: str, values: Sequence[str]) -> _DraftedColumn | None:
    """A column of days or instants; a text that is nearly one; None for another."""
    parsed = parse_dates(values, column=column, asks=False)
    format = None if parsed.format == ISO_8601 else parsed.format
    if _are_few(parsed.faults, values):
        doubt = _doubt(parsed.faults, values, "ngày", "dates")
        return _DraftedColumn(FieldType.TEXT, doubt=doubt, nearly_time=(format,))
    if parsed.faults:
        return None
    if not parsed.day_precision.all():
        return _DraftedColumn(FieldType.DATETIME)
    return _DraftedColumn(FieldType.DATE, format)


def _is_clearly_none(read: _Reader, column: str, values: Sequence[str]) -> bool:
    """True for a long column of which a sample is neither read nor nearly read."""
    sample = _sample(values)
    if len(sample) == len(values):
        return False
    with suppress(AmbiguousInput):
        return read(column, sample) is None
    return False


def _are_few(faults: Collection[int], values: Sequence[str]) -> bool:
    return 0 < len(faults) <= (1 - _MOST) * len(values)


def _doubt(faults: Collection[int], values: Sequence[str], vi: str, en: str) -> str:
    good = f"{len(values) - len(faults)}/{len(values)}"
    return (
        f"{good} giá trị là {vi}; nếu cột là {vi} hãy sửa `type`, dòng sai sẽ vào khu cách ly / "
        f"{good} values are {en}: correct `type` if all should be, and the others go to quarantine"
    )


def _is_personal(column: str, values: Sequence[str]) -> bool:
    """True where the name says so, or most values are contacts or numbers of identity."""
    if _PERSONAL.search(column_key(column)):
        return True
    hidden = sum(
        without_contacts(value) != value or _IDENTITY.fullmatch(value) is not None
        for value in values
    )
    return bool(values) and 2 * hidden > len(values)


def _key(chunks: TableChunks, columns: Mapping[str, _DraftedColumn]) -> str | list[str]:
    """The column, else two or all columns, whose values tell the records apart."""
    head = chunks.whole if chunks.whole is not None else next(iter(chunks))
    distinct = (key for key in _keys(columns) if _is_distinct(_values(head, key)))
    if chunks.whole is not None:
        key = next(distinct, None)
    else:
        key = next(_distinct_in_all(chunks, list(islice(distinct, _MOST_KEYS))), None)
    if key is None:
        return [name for name, column in columns.items() if not column.personal]
    return key[0] if len(key) == 1 else list(key)


def _keys(columns: Mapping[str, _DraftedColumn]) -> Iterator[tuple[str, ...]]:
    """What may be the key, the likeliest first: numbers of rows, last, change from file to file."""
    usable = [
        name
        for name, column in columns.items()
        if column.type in (FieldType.TEXT, FieldType.INTEGER)
        and not column.personal
        # What is nearly a measure is no key, unless it is named so.
        and (not column.doubt or _KEY.search(column_key(name)))
    ]
    ordinal = [name for name in usable if _ORDINAL.fullmatch(column_key(name))]
    usable = [name for name in usable if name not in ordinal]
    usable.sort(key=lambda name: _KEY.search(column_key(name)) is None)
    usable.sort(key=lambda name: _KEY.fullmatch(column_key(name)) is None)
    yield from ((name,) for name in usable)
    yield from combinations(usable[:8], 2)
    yield from ((name,) for name in ordinal)


def _values(table: RawTable, key: tuple[str, ...]) -> list[tuple[str, ...]]:
    return list(zip(*(table[column] for column in key), strict=True))


def _is_distinct(records: Sequence[tuple[str, ...]]) -> bool:
    """True where no two records are equal, and none has an empty part."""
    return all(map(all, records)) and len(set(records)) == len(records)


def _distinct_in_all(
    chunks: TableChunks, keys: Sequence[tuple[str, ...]]
) -> Iterator[tuple[str, ...]]:
    """Those of the keys that tell all records of a large file apart."""
    hashes: dict[tuple[str, ...], list[NDArray[np.int64]]] = {key: [] for key in keys}
    for part in chunks:
        for key in list(hashes):
            records = _values(part, key)
            if not all(map(all, records)):
                del hashes[key]
                continue
            hashes[key].append(np.fromiter(map(hash, records), np.int64, len(records)))
    for key, parts in hashes.items():
        together = np.concatenate(parts)
        if len(np.unique(together)) == len(together):
            yield key


def _time(columns: Mapping[str, _DraftedColumn]) -> dict[str, Any]:
    """The words of `source` for when a record happened: the column that is named so, else the
    first of dates. A few values that are no date are faults of their records.
    """
    formats = {
        name: (column.format,) if column.is_time else column.nearly_time
        for name, column in columns.items()
    }
    timed = {name: format[0] for name, format in formats.items() if format is not None}
    named = (name for name in timed if _TIME.search(column_key(name)))
    proven = (name for name in timed if columns[name].is_time)
    name = next(named, next(proven, None))
    if name is None:
        return {}
    return {"time": {"column": name} | ({"format": timed[name]} if timed[name] else {})}


def _place(table: RawTable, columns: Mapping[str, _DraftedColumn]) -> _Place:
    """Place of a record: geometries, columns of a point, an address, a commune, a district."""
    usable = [name for name, column in columns.items() if not column.personal]
    words: dict[str, Any] = {}
    shapes, held = table.geometry, frozenset[str]()
    if shapes is None:
        numeric = [name for name in usable if _mostly(_is_coordinate, _given(table, name))]
        pairs = (tuple(_named_like(each, numeric) for each in pair) for pair in _POINTS)
        x, y = next((pair for pair in pairs if all(pair)), (None, None))
        both = place_column(table, [name for name in columns if name not in usable])
        if x is not None and y is not None and x != y:
            words["coordinates"], held = _coordinates(table, x, y), frozenset((x, y))
        elif both is not None:
            shapes, held = with_places(table, both).geometry, frozenset((both,))
    kinds = _kinds(shapes)
    if table.geometry is None and next(iter(kinds), None) is GeometryKind.POINT:
        words["coordinates"] = {"x": both, "y": both, "crs": GEOGRAPHIC[0]}
    texts = [name for name in usable if columns[name].type is FieldType.TEXT and name not in held]
    codes = [name for name in usable if _CODE_OF_UNIT.fullmatch(column_key(name))]
    address = _named_like(_ADDRESS, texts)
    commune = _named_like(_COMMUNE, [name for name in [*codes, *texts] if name != address])
    district = _named_like(_DISTRICT, [n for n in texts if n not in (address, commune)])
    district = district if address or commune else None
    named = {"address": address, "commune": commune, "district": district}
    return _Place(words | {use: name for use, name in named.items() if name}, held, kinds)


def _kinds(shapes: NDArray[np.object_] | None) -> dict[GeometryKind, int]:
    """How many shapes of each kind there are, the most first."""
    if shapes is None:
        return {}
    found = Counter(_SHAPES.get(each.geom_type) for each in shapes if each is not None)
    return {kind: count for kind, count in found.most_common() if kind is not None}


def _named_like(pattern: re.Pattern[str], columns: Sequence[str]) -> str | None:
    return next((column for column in columns if pattern.search(column_key(column))), None)


def _mostly(holds: Callable[[str], object], values: Sequence[str]) -> bool:
    """True where most values hold, and there are any."""
    given = _sample(values)
    return bool(given) and sum(map(bool, map(holds, given))) >= _MOST * len(given)


def _given(table: RawTable, column: str) -> list[str]:
    """The values of a column, empty ones left out."""
    return [value for value in table[column] if value]


def _sample(values: Sequence[str]) -> Sequence[str]:
    """At most `_LOOKED_AT` values, evenly spread."""
    return values[:: len(values) // (_LOOKED_AT + 1) + 1]


def _is_coordinate(value: str) -> bool:
    return _is_angle(value) or _METRES.fullmatch(value.strip()) is not None


def _is_angle(value: str) -> bool:
    return parse_angle(value) is not None


def _coordinates(table: RawTable, x: str, y: str) -> dict[str, str]:
    """Columns of a point: degrees, else metres of the province's VN-2000.

    Surveyors call the northing X, and what lies beyond 90° is no latitude, whatever its name.
    """
    if all(_mostly(_is_angle, _given(table, column)) for column in (x, y)):
        angles = (map(parse_angle, _sample(_given(table, column))) for column in (x, y))
        east, north = (np.median([abs(a) for a in column if a is not None]) for column in angles)
        x, y = (y, x) if east <= _MOST_NORTHERLY < north else (x, y)
        return {"x": x, "y": y, "crs": GEOGRAPHIC[0]}
    with suppress(AmbiguousInput):
        east, north = (
            np.nanmedian(parse_numbers(_sample(_given(table, column)), column=column).numbers)
            for column in (x, y)
        )
        if east >= _LEAST_NORTHING > north:
            x, y = y, x
    return {"x": x, "y": y, "crs": _LOCAL}


def _fields(columns: Mapping[str, _DraftedColumn]) -> dict[str, Any]:
    """Fields by free names, with column, unit, and labels to fill in."""
    taken = set(_RESERVED)
    fields = {}
    for name, column in columns.items():
        is_number = column.type in (FieldType.INTEGER, FieldType.NUMBER)
        label, unit = _unit(name) if is_number else (name, None)
        label = label.replace("_", " ")
        fields[identifier(name, taken)] = {
            "type": column.type.value,
            **({"format": column.format} if column.format else {}),
            **({"personal": True} if column.personal else {}),
            "column": name,
            **({"unit": unit} if unit else {}),
            # A name in plain letters may be of a machine, or have lost its diacritics.
            "label": {"vi": f"? {label}" if label.isascii() else label, "en": f"? {label}"},
        }
    return fields


def _unit(name: str) -> tuple[str, str | None]:
    """The name of a column without its unit, and the unit in UCUM, None where it names none."""
    for pattern, known in ((_UNIT_IN_BRACKETS, _UNITS), (_UNIT_AT_END, _LAST_WORDS)):
        match = pattern.fullmatch(name)
        parts = match["unit"].casefold().split("/") if match else []
        if match and parts[0].strip() in known and all(part.strip() in _UNITS for part in parts):
            return match["label"], "/".join(_UNITS[part.strip()] for part in parts)
    return name, None
