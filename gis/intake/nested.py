"""Nested records of JSON as a table: a path such as `station.name` or `values.0` is a column."""

import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from gis.intake.encodings import decode_columns
from gis.intake.tables import RawTable, nul_faults
from gis.intake.texts import number_text

_MOST_UNDECLARED = 200
_BAD_SHAPE = (shapely.errors.ShapelyError, ValueError, TypeError, IndexError, KeyError)

type Nested = Mapping[str, Any]


def nested_table(
    name: str,
    records: Sequence[Nested],
    declared: Collection[str],
    *,
    geometry: str | None = None,
) -> RawTable:
    """The records as text: a column for each declared path, and one for each other member.

    `geometry` names the member that holds a GeoJSON geometry (EPSG:4326, longitude first), None
    where geometries are not read. Raises AmbiguousInput for texts with two readings.
    """
    flat = [_flat(record) for record in records]
    parents = {parent for path in declared for parent in _parents(path)}
    others = dict.fromkeys(
        column
        for leaves in flat
        for column in leaves
        if column not in declared and column not in parents and _top(column) != geometry
    )
    if len(others) > _MOST_UNDECLARED:  # members whose names are values, such as days
        others = dict.fromkeys(
            column
            for record in records
            for column in record
            if column not in declared and column not in parents and column != geometry
        )
    present = [
        path
        for path in declared
        if any(path in leaves or has_path(record, path) for leaves, record in _both(flat, records))
    ]
    columns = [*present, *list(others)[:_MOST_UNDECLARED]]
    cells = [
        _texts(
            [
                leaves[column] if column in leaves else at_path(record, column)
                for leaves, record in _both(flat, records)
            ]
        )
        for column in columns
    ]
    decoded = decode_columns(columns, cells, decoded=True)
    shapes, unread = _shapes(records, geometry)
    table = RawTable(
        name=name,
        sha256=hashlib.sha256(orjson.dumps(records, default=str)).hexdigest(),
        columns=decoded.columns,
        cells=decoded.cells,
        lines=range(1, len(records) + 1),
        notes=decoded.notes,
        geometry=shapes,
        crs=None if shapes is None else "EPSG:4326",
        unread=unread,
    )
    return replace(table, faults=nul_faults(table))


def at_path(record: Any, path: str) -> Any:
    """The value at a path; None where there is none."""
    value = record
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple) and step.lstrip("-").isdecimal():
            place = int(step)
            value = value[place] if -len(value) <= place < len(value) else None
        else:
            return None
    return value


def has_path(record: Any, path: str) -> bool:
    """True where there is something at a path, were it null."""
    above, _, last = path.rpartition(".")
    holder = at_path(record, above) if above else record
    if isinstance(holder, list | tuple):
        return last.isdecimal() and int(last) < len(holder)
    return isinstance(holder, Mapping) and last in holder


def _both(flat: Sequence[Nested], records: Sequence[Nested]) -> Iterator[tuple[Nested, Nested]]:
    return zip(flat, records, strict=True)


def _flat(record: Nested) -> Nested:
    """All that is no object, by its path; most records are flat as they are."""
    if any(isinstance(value, Mapping) for value in record.values()):
        return dict(_leaves(record))
    return record


def _leaves(record: Nested, above: str = "") -> Iterator[tuple[str, Any]]:
    """All that is no object, by its path."""
    for name, value in record.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value


def _parents(path: str) -> Iterator[str]:
    steps = path.split(".")
    yield from (".".join(steps[:length]) for length in range(1, len(steps)))


def _top(path: str) -> str:
    return path.partition(".")[0]


def _shapes(
    records: Sequence[Nested], member: str | None
) -> tuple[NDArray[np.object_] | None, dict[int, str]]:
    """Geometries of the records, where any has one, and the texts of those that are none."""
    found = [None if member is None else record.get(member) for record in records]
    unread: dict[int, str] = {}
    if not any(isinstance(each, Mapping) for each in found):
        return None, unread
    geometry = np.empty(len(records), dtype=object)
    for row, each in enumerate(found):
        if each is None:
            continue
        try:
            geometry[row] = _shape(each)
        except _BAD_SHAPE:
            unread[row] = _text(each)
    return geometry, unread


def _shape(geometry: Mapping[str, Any]) -> shapely.Geometry:
    if geometry.get("type") == "Point":
        x, y = (float(each) for each in geometry["coordinates"][:2])
        return shapely.Point(x, y)
    return shapely.force_2d(shapely.from_geojson(orjson.dumps(geometry)))


def _texts(values: list[Any]) -> list[str]:
    """The values of a column as text; those of one type at once."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int}:
        return ["" if value is None else str(value) for value in values]
    if kinds == {str}:
        texts = [value or "" for value in values]
        with suppress(UnicodeEncodeError):  # half of a letter
            "".join(texts).encode()
            return texts
    return list(map(_text, values))


def _text(value: Any) -> str:
    """A value as text from which it is read back as the same, whatever notation others need."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _decimal(value: float) -> str:
    """A number that cannot be taken for thousands: `12.345` with one more digit."""
    if not math.isfinite(value):
        return ""
    text = number_text(value)
    return f"{text}0" if len(text.partition(".")[2]) == 3 and "e" not in text else text
