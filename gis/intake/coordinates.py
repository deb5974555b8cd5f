"""Parser of coordinates in text: degrees with signs, and places in one column of a table.

A column of places holds geometries (WKT, EWKT, hexadecimal WKB, GeoJSON) or two numbers, of which
the values prove which is the latitude.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.intake.numbers import NumberColumn, parse_numbers
from gis.intake.tables import RawTable

MAX_DEGREES = 180.0
LAT_LON = "EPSG:4326:yx"
_LON_LAT = "EPSG:4326"
HEAD_RECORDS = 10_000  # of a column, those that tell whether it holds places
_SAMPLE, _MOST = 200, 0.8
_SOUTH_OR_WEST = ("s", "w", "nam", "tây", "t")
_LATITUDE = ("n", "s", "b", "bắc", "nam")
_LONGITUDE = ("e", "w", "đ", "đông", "tây", "t")
_LETTER = r"(?:[NSEWBĐT]|Bắc|Nam|Đông|Tây|vĩ độ|kinh độ)"
_DECIMAL = r"\d{1,3}(?:[.,]\d{1,15})?"
_ANGLE = re.compile(
    rf"(?P<before>{_LETTER})?\s*(?P<sign>[+-]?)(?P<degrees>{_DECIMAL})\s*"
    rf"(?:(?:[°º˚]|độ|deg|:|\s)\s*"
    rf"(?:(?P<minutes>\d{{1,2}}(?:[.,]\d{{1,12}})?)\s*(?:['′’‘`]|phút|:|\s|$)\s*"
    rf"(?:(?P<seconds>\d{{1,2}}(?:[.,]\d{{1,12}})?)\s*(?:[\"″”“]|''|′′|’’|giây)?)?)?)?\s*"
    rf"(?P<after>{_LETTER})?",
    re.IGNORECASE,
)
_NUMBER = r"[+-]?\d{1,9}(?:\.\d{1,15})?"
_COMMA_NUMBER = r"[+-]?\d{1,9},\d{1,15}"
_PAIR = re.compile(
    rf"[(\[]?\s*(?P<first>{_NUMBER})(?:\s*[,;]\s*|\s+)(?P<second>{_NUMBER})"
    rf"(?:(?:\s*[,;]\s*|\s+){_NUMBER}){{0,2}}\s*[)\]]?"  # height and accuracy, of field forms
)
_COMMA_PAIR = re.compile(rf"(?P<first>{_COMMA_NUMBER})\s*[;\s]\s*(?P<second>{_COMMA_NUMBER})")
_WKT = re.compile(
    r"(?:SRID=(?P<srid>\d{1,6});)?\s*(?P<wkt>(?:MULTI)?(?:POINT|LINESTRING|POLYGON)\b.*"
    r"|GEOMETRYCOLLECTION\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_HEX_WKB = re.compile(r"0[01](?:[0-9A-Fa-f]{2}){8,}")


@dataclass(frozen=True, slots=True)
class PlaceColumn:
    """A column of places: of geometries or of two numbers, and their CRS, None: not known."""

    name: str
    holds_geometries: bool
    crs: str | None


def parse_degrees(
    values: Sequence[str],
    format: str | None = None,
    *,
    column: str = "degrees",
    deciding: Sequence[str] | None = None,
) -> NumberColumn:
    """Angles in degrees of a column of text: `22.48`, `22,48`, `22.48°`, `22°29'08"N`.

    As `parse_numbers` with 180 as the greatest magnitude, whose errors it raises.
    """
    parsed = parse_numbers(values, format, column=column, at_most=MAX_DEGREES, deciding=deciding)
    angles = {row: parse_angle(values[row]) for row in parsed.faults}
    numbers = parsed.numbers.copy()
    for row, angle in angles.items():
        if angle is not None:
            numbers[row] = angle
    faults = {row: why for row, why in parsed.faults.items() if angles[row] is None}
    return replace(parsed, numbers=numbers, faults=faults)


def parse_angle(text: str) -> float | None:
    """The angle in degrees of one value, south and west negative; None for what is none."""
    match = _ANGLE.fullmatch(text.strip())
    if match is None:
        return None
    degrees, minutes, seconds = (
        float((match[part] or "0").replace(",", ".")) for part in ("degrees", "minutes", "seconds")
    )
    whole = match["minutes"] is None or degrees.is_integer()
    if minutes >= 60 or seconds >= 60 or not whole:
        return None
    angle = degrees + minutes / 60 + seconds / 3600
    negative = match["sign"] == "-" or _letter(match) in _SOUTH_OR_WEST
    return None if angle > MAX_DEGREES else -angle if negative else angle


def place_column(table: RawTable, other: Collection[str] = ()) -> str | None:
    """The only column that holds places, none of the `other` ones; geometries before numbers."""
    for is_place in (_is_geometry, _is_pair):
        columns = [
            column
            for column in table.columns
            if column not in other and _mostly(table[column], is_place)
        ]
        if columns:
            return columns[0] if len(columns) == 1 else None
    return None


def settle_places(
    name: str, parts: Iterable[Sequence[str]], crs: str | None = _LON_LAT
) -> PlaceColumn:
    """What a column of places holds, by its values in one or several parts.

    `crs` is that of geometries and numbers that name none. Of two numbers the order is that which
    one of them proves, being no latitude; where none does, the CRS is not known.
    """
    head: list[str] = []
    rest = iter(parts)
    while len(head) < HEAD_RECORDS and (part := next(rest, None)) is not None:
        head += part
    if _mostly(head, _is_geometry):
        codes = {
            srid for part in chain([head], rest) for value in part
            for shape, srid in (_geometry(value.strip()),) if shape is not None and srid
        }  # fmt: skip
        return PlaceColumn(name, True, f"EPSG:{codes.pop()}" if len(codes) == 1 else crs)
    lat_first, lon_first, degrees = False, False, True
    for part in chain([head], rest):
        for a, b, order in filter(None, map(_pair, part)):
            lat_first |= order is True or abs(b) > 90 >= abs(a)
            lon_first |= order is False or abs(a) > 90 >= abs(b)
            degrees &= abs(a) <= MAX_DEGREES and abs(b) <= MAX_DEGREES
    if degrees:
        crs = {(True, False): LAT_LON, (False, True): _LON_LAT}.get((lat_first, lon_first))
    return PlaceColumn(name, False, crs)


def with_places(table: RawTable, column: str, crs: str = _LON_LAT) -> RawTable:
    """The table with the places of a column as its geometry; see `settle_places`."""
    return with_settled_places(table, settle_places(column, [table[column]], crs))


def with_settled_places(table: RawTable, column: PlaceColumn) -> RawTable:
    """The table, or a part of it, with the places of a column as its geometry.

    A place that cannot be read, or names another CRS, is in `unread`.
    """
    values = [value.strip() for value in table[column.name]]
    return (_with_geometries if column.holds_geometries else _with_pairs)(table, values, column.crs)


def _mostly(values: Sequence[str], is_place: Callable[[str], bool]) -> bool:
    given = [value for value in values[:HEAD_RECORDS] if value.strip()][:_SAMPLE]
    return bool(given) and sum(map(is_place, given)) >= _MOST * len(given)


def _is_geometry(value: str) -> bool:
    text = value.strip()
    return bool(
        _WKT.fullmatch(text)
        or _HEX_WKB.fullmatch(text)
        or (text.startswith("{") and '"coordinates"' in text)
    )


def _is_pair(value: str) -> bool:
    pair = _pair(value)
    written = "." in value or _COMMA_PAIR.fullmatch(value.strip()) is not None
    return pair is not None and (pair[2] is not None or written)


def _with_geometries(table: RawTable, values: Sequence[str], crs: str | None) -> RawTable:
    geometry = np.empty(len(values), object)
    unread = {}
    for row, (shape, srid) in enumerate(map(_geometry, values)):
        if shape is None or (srid and f"EPSG:{srid}" != crs):
            if values[row]:
                unread[row] = values[row]
            continue
        geometry[row] = shape
    return replace(table, geometry=geometry, crs=crs, unread={**table.unread, **unread})


def _geometry(value: str) -> tuple[shapely.Geometry | None, int]:
    """The geometry of a value, and the code of its CRS (0: it names none)."""
    if not value:
        return None, 0
    with np.errstate(invalid="ignore"):  # of NaN
        if value.startswith("{"):
            shape = shapely.from_geojson(value, on_invalid="ignore")
            return shapely.force_2d(shape), 0
        if _HEX_WKB.fullmatch(value):
            shape = shapely.from_wkb(value, on_invalid="ignore")
            return shapely.force_2d(shape), int(shapely.get_srid(shape)) if shape else 0
        match = _WKT.fullmatch(value)
        if match is None:
            return None, 0
        shape = shapely.from_wkt(match["wkt"], on_invalid="ignore")
        return shapely.force_2d(shape), int(match["srid"] or 0)


def _with_pairs(table: RawTable, values: Sequence[str], crs: str | None) -> RawTable:
    pairs = [_pair(value) for value in values]
    first, second = _column(pairs, 0), _column(pairs, 1)
    geometry = shapely.points(first, second)
    geometry[np.isnan(first)] = None
    unread = {row: value for row, value in enumerate(values) if value and pairs[row] is None}
    return replace(table, geometry=geometry, crs=crs, unread={**table.unread, **unread})


def _column(
    pairs: Sequence[tuple[float, float, bool | None] | None], i: int
) -> NDArray[np.float64]:
    return np.array([np.nan if pair is None else pair[i] for pair in pairs], np.float64)


def _pair(value: str) -> tuple[float, float, bool | None] | None:
    """Two numbers, and True where the first is a latitude by its letter, None where none says."""
    text = value.strip()
    match = _COMMA_PAIR.fullmatch(text) or _PAIR.fullmatch(text)
    if match is not None:
        first, second = (float(match[part].replace(",", ".")) for part in ("first", "second"))
        return first, second, None
    for cut in re.finditer(r"[,;]\s*|\s+", text):
        left, right = text[: cut.start()].strip(), text[cut.end() :].strip()
        angles, order = (parse_angle(left), parse_angle(right)), _letters(left, right)
        if angles[0] is not None and angles[1] is not None and order is not None:
            return angles[0], angles[1], order
    return None


def _letters(left: str, right: str) -> bool | None:
    """True for a latitude and a longitude by their letters, False for the reverse."""
    letters = [
        _letter(match) if (match := _ANGLE.fullmatch(text)) else "" for text in (left, right)
    ]
    if letters[0] in _LATITUDE and letters[1] in _LONGITUDE:
        return True
    return False if letters[0] in _LONGITUDE and letters[1] in _LATITUDE else None


def _letter(match: re.Match[str]) -> str:
    return (match["before"] or match["after"] or "").lower()
