"""Draft of a layer file from a file of records: types that its values prove, words to fill in.

Hexes and a style are proposed, so that the file is on the map as soon as it is loaded.

Columns that look personal are drafted as personal, and the layer is open to its department alone:
a person decides what becomes public.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import yaml

from gis.errors import BadFile
from gis.intake.chunks import TableChunks
from gis.intake.tables import column_key
from gis.text import search_key
from layers.definition.drafts.columns import DraftedColumn, drafted_columns
from layers.definition.drafts.hexes import draft_resolutions
from layers.definition.drafts.keys import draft_key
from layers.definition.drafts.places import DraftedPlace, draft_place
from layers.definition.drafts.series import DraftedSeries, draft_series
from layers.definition.drafts.themes import draft_themes
from layers.definition.model import PLACING_COLUMNS, FieldType, GeometryKind

_TIME = re.compile(r"\b(ngay|thoi gian|luc|date|time|when|happened)\b")
_RESERVED = {
    *PLACING_COLUMNS, "bbox", "crs", "datetime", "f", "fields", "filter", "ids", "lang", "limit",
    "offset", "properties", "q", "skipgeometry", "sortby", "geometry", "type",
}  # fmt: skip
_MAX_NAME = 40
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
_SERIES_HEAD = """\
# Giờ và ngày lấy trung bình; lượng mưa từng kỳ thì cộng (`aggregate: sum`), mưa cộng dồn thì không.
# Hours and days give means; rain of each interval is summed, and rain that adds up is not.
"""
_RAIN = re.compile(r"\b(mua|rain|rainfall|precipitation)\b")
_ADDS_UP = re.compile(r"\d|\b(tich luy|cong don|cumulative|accumulated|total)\b")


class _PlainDumper(yaml.SafeDumper):
    """Writes equal values out, where YAML would refer to the first."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def draft_layer(
    chunks: TableChunks,
    layer_id: str | None = None,
    source: Mapping[str, Any] | None = None,
) -> tuple[str, str]:
    """The id and the text of a layer file for a file; `layer_id` None: from the file's name.

    `source`: words of that section, None: those of files that somebody loads. All records of the
    file prove the types. Raises BadFile for a file without records, or whose columns all look
    personal.
    """
    table = chunks.whole if chunks.whole is not None else next(iter(chunks))
    if not len(table):
        raise BadFile(f"{table.name}: không có bản ghi nào / holds no record")
    name = layer_id or identifier(table.name.split(".")[0], set())
    columns = drafted_columns(chunks)
    place = draft_place(table, columns)
    time = _time(columns)
    numbers = [name for name, column in columns.items() if _is_measurable(name, column)]
    series = draft_series(table, columns, place.columns, time.get("time", {}), numbers)
    keyed = {n: column for n, column in columns.items() if n not in place.columns}
    key = series.station if series else draft_key(chunks, keyed)
    if not key:
        raise BadFile(
            f"{table.name}: cột nào cũng như dữ liệu cá nhân, không có khóa; hãy thêm cột mã / "
            "every column looks personal, and none can be the key: add a column with a code"
        )
    geometry = place.geometry
    rest = {n: column for n, column in columns.items() if n != key and n not in place.columns}
    if series is not None:  # whose time is that of the measurement, and no field of the station
        del rest[time["time"]["column"]]
        measured = {n: replace(columns[n], type=FieldType.NUMBER) for n in series.quantities}
        columns |= measured
        rest |= measured
    fields = _fields({n: column for n, column in rest.items() if not column.is_empty})
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
        "source": {
            **(source or {"connector": "file"}),
            "key": key,
            **place.words,
            **time,
        },
        "fields": fields,
        "access": {"read": "department", "write": "department"},
    }
    if geometry is not GeometryKind.NONE:
        layer |= _map(chunks, columns, place, fields)
    if series is not None:
        layer.pop("hexes", None)  # they would count stations
        layer["series"] = _series(series, fields)
    text = yaml.dump(layer, Dumper=_PlainDumper, allow_unicode=True, sort_keys=False, width=100)
    head = _head(table.name, key, rest, place.kinds) + (_SERIES_HEAD if series else "")
    return name, head + text


def _series(series: DraftedSeries, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The section `series`: what is measured how often, and rain as sums."""
    return {
        "quantities": {
            name: {"every": series.every, **({"aggregate": "sum"} if _is_rain(field) else {})}
            for name, field in fields.items()
            if field["column"] in series.quantities
        }
    }


def _map(
    chunks: TableChunks,
    columns: Mapping[str, DraftedColumn],
    place: DraftedPlace,
    fields: Mapping[str, Any],
) -> dict[str, Any]:
    """The sections of a layer that is drawn: tiles, hexes and style."""
    served = {words["column"] for words in fields.values() if not words.get("personal")}
    named = {place.words.get(word) for word in ("address", "commune", "district")}
    themes = draft_themes(chunks, {n: columns[n] for n in columns if n in served - named}, fields)
    resolutions = draft_resolutions(chunks, columns, place)
    return {
        "tiles": {"min_zoom": 0, "max_zoom": 14},
        "hexes": {"resolutions": resolutions, **themes.hexes},
        "style": themes.style,
    }


def _head(
    name: str,
    key: str | list[str],
    fields: Mapping[str, DraftedColumn],
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


def _time(columns: Mapping[str, DraftedColumn]) -> dict[str, Any]:
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


def _fields(columns: Mapping[str, DraftedColumn]) -> dict[str, Any]:
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


def _is_measurable(name: str, column: DraftedColumn) -> bool:
    """True of numbers; of whole ones where the name has a unit, as numbers of a list have none."""
    if column.type is FieldType.INTEGER:
        return _unit(name)[1] is not None
    return column.type is FieldType.NUMBER


def _is_rain(words: Mapping[str, Any]) -> bool:
    """True of a drafted field that holds the rain of each interval, in mm."""
    label = column_key(_unit(words["column"])[0])
    return (
        words.get("unit") == "mm"
        and _RAIN.search(label) is not None
        and _ADDS_UP.search(label) is None
    )


def _unit(name: str) -> tuple[str, str | None]:
    """The name of a column without its unit, and the unit in UCUM, None where it names none."""
    for pattern, known in ((_UNIT_IN_BRACKETS, _UNITS), (_UNIT_AT_END, _LAST_WORDS)):
        match = pattern.fullmatch(name)
        parts = match["unit"].casefold().split("/") if match else []
        if match and parts[0].strip() in known and all(part.strip() in _UNITS for part in parts):
            return match["label"], "/".join(_UNITS[part.strip()] for part in parts)
    return name, None
