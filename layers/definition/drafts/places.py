"""Places of a draft: which columns hold points, shapes, addresses and units."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import AmbiguousInput
from gis.intake.coordinates import parse_angle, place_column, with_places
from gis.intake.numbers import parse_numbers
from gis.intake.tables import RawTable, column_key
from gis.placing.source_crs import GEOGRAPHIC
from layers.definition.drafts.columns import DraftedColumn, given_values, mostly, sample
from layers.definition.model import FieldType, GeometryKind

_METRES = re.compile(r"\d{5,8}([.,]\d{1,6})?|\d{1,2}([., ]\d{3}){1,2}([.,]\d{1,3})?")
# Columns of a point, those that say degrees before those that may be metres.
_POINTS = (
    (re.compile(r"\b(lon|lng|long|longitude|kinh do)\b"), re.compile(r"\b(lat|latitude|vi do)\b")),
    (re.compile(r"\b(easting|x)\b"), re.compile(r"\b(northing|y)\b")),
)
_ADDRESS = re.compile(r"\b(dia chi|address|dia diem|noi xay ra|vi tri)\b")
_COMMUNE = re.compile(r"\b(xa|phuong|commune|ward)\b")
_CODE_OF_UNIT = re.compile(r"(ma )?(xa|phuong)( phuong)?|commune( code| id)?|ward( code)?")
_DISTRICT = re.compile(r"\b(huyen|district)\b")
_LEAST_NORTHING = 1_000_000  # metres; eastings of Vietnam are below
_MOST_NORTHERLY = 90  # degrees
LOCAL = "EPSG:9208"
_SHAPES = {
    "Point": GeometryKind.POINT, "MultiPoint": GeometryKind.POINT,
    "LineString": GeometryKind.LINE, "MultiLineString": GeometryKind.LINE,
    "Polygon": GeometryKind.POLYGON, "MultiPolygon": GeometryKind.POLYGON,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DraftedPlace:
    """Words of `source` for places, the columns that hold points or shapes, and how many shapes
    of each kind there are, the most first.
    """

    words: dict[str, Any]
    columns: frozenset[str]
    kinds: dict[GeometryKind, int]

    @property
    def place_column(self) -> str | None:
        """The one column that holds the places, where one does."""
        return next(iter(self.columns)) if len(self.columns) == 1 else None

    @property
    def has_words(self) -> bool:
        return bool({"address", "commune"} & self.words.keys())

    @property
    def geometry(self) -> GeometryKind:
        if self.kinds:
            return next(iter(self.kinds))
        has_point = "coordinates" in self.words or self.has_words
        return GeometryKind.POINT if has_point else GeometryKind.NONE


def draft_place(table: RawTable, columns: Mapping[str, DraftedColumn]) -> DraftedPlace:
    """Place of a record: geometries, columns of a point, an address, a commune, a district."""
    usable = [name for name, column in columns.items() if not column.personal]
    words: dict[str, Any] = {}
    shapes, held = table.geometry, frozenset[str]()
    if shapes is None:
        numeric = [name for name in usable if mostly(_is_coordinate, given_values(table, name))]
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
    return DraftedPlace(words | {use: name for use, name in named.items() if name}, held, kinds)


def _kinds(shapes: NDArray[np.object_] | None) -> dict[GeometryKind, int]:
    """How many shapes of each kind there are, the most first."""
    if shapes is None:
        return {}
    found = Counter(_SHAPES.get(each.geom_type) for each in shapes if each is not None)
    return {kind: count for kind, count in found.most_common() if kind is not None}


def _named_like(pattern: re.Pattern[str], columns: Sequence[str]) -> str | None:
    return next((column for column in columns if pattern.search(column_key(column))), None)


def _is_coordinate(value: str) -> bool:
    return _is_angle(value) or _METRES.fullmatch(value.strip()) is not None


def _is_angle(value: str) -> bool:
    return parse_angle(value) is not None


def _coordinates(table: RawTable, x: str, y: str) -> dict[str, str]:
    """Columns of a point: degrees, else metres of the province's VN-2000.

    Surveyors call the northing X, and what lies beyond 90° is no latitude, whatever its name.
    """
    if all(mostly(_is_angle, given_values(table, column)) for column in (x, y)):
        angles = (map(parse_angle, sample(given_values(table, column))) for column in (x, y))
        east, north = (np.median([abs(a) for a in column if a is not None]) for column in angles)
        x, y = (y, x) if east <= _MOST_NORTHERLY < north else (x, y)
        return {"x": x, "y": y, "crs": GEOGRAPHIC[0]}
    with suppress(AmbiguousInput):
        east, north = (
            np.nanmedian(parse_numbers(sample(given_values(table, column)), column=column).numbers)
            for column in (x, y)
        )
        if east >= _LEAST_NORTHING > north:
            x, y = y, x
    return {"x": x, "y": y, "crs": LOCAL}
