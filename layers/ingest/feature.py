"""A GeoJSON feature that a client writes: read by the layer's schema, all faults told at once."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import shapely
from shapely.geometry import shape
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from gis.errors import BadInput
from gis.intake.numbers import EXACT_IN_DOUBLE, GREATEST_INTEGER, LEAST_INTEGER
from gis.placing.shapes import vertex_fault
from gis.text import without_contacts
from layers.definition.model import FieldType, GeometryKind
from layers.items import CRS84, Crs, ItemSource, ServedColumn
from layers.items.literals import day_of, instant_of

_TYPES = {
    GeometryKind.POINT: ("Point",),
    GeometryKind.LINE: ("LineString", "MultiLineString"),
    GeometryKind.POLYGON: ("Polygon", "MultiPolygon"),
    GeometryKind.NONE: (),
}
_BAD_SHAPE = (
    shapely.errors.ShapelyError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
)


@dataclass(frozen=True, slots=True)
class FeatureFault:
    """What is wrong with one member of a feature."""

    where: str
    what: str


class BadRecord(BadInput):
    """A feature cannot be stored; `faults` holds all that is wrong with it."""

    def __init__(self, faults: Sequence[FeatureFault]) -> None:
        super().__init__("; ".join(f"{fault.where}: {fault.what}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Feature:
    """What is to be stored: geometry in degrees, WGS 84; values of the fields' types."""

    geometry: shapely.Geometry | None
    properties: dict[str, Any]
    has_geometry: bool  # False: the client said nothing of it


class FeatureReader:
    """Reads features for one layer; coordinates are in `crs`."""

    def __init__(self, connection: Connection, source: ItemSource, crs: Crs = CRS84) -> None:
        self.connection = connection
        self.source = source
        self.crs = crs

    def read(self, body: bytes, *, whole: bool, item_id: str | None = None) -> Feature:
        """`whole`: whatever is required must be there. `item_id`: the one in the path.

        Raises BadRecord with all that is wrong.
        """
        document = _document(body)
        faults: list[FeatureFault] = list(_envelope_faults(document, item_id))
        properties = self._properties(document.get("properties"), faults, whole=whole)
        has_geometry = "geometry" in document
        geometry = self._geometry(document.get("geometry"), faults) if has_geometry else None
        if whole and not has_geometry and self.source.geometry is not None:
            faults.append(FeatureFault("geometry", "it is missing: give a geometry, or null"))
        if faults:
            raise BadRecord(faults)
        return Feature(geometry, properties, has_geometry)

    def _properties(self, given: Any, faults: list[FeatureFault], *, whole: bool) -> dict[str, Any]:
        if given is None:
            given = {}
        if not isinstance(given, dict):
            faults.append(FeatureFault("properties", "it must be an object of names and values"))
            return {}
        found: dict[str, Any] = {}
        for name, value in given.items():
            self._property(str(name), value, found, faults)
        if whole:
            faults += _missing(self.source, given)
        return found

    def _property(
        self, name: str, value: Any, found: dict[str, Any], faults: list[FeatureFault]
    ) -> None:
        served = self.source.by_name.get(name)
        where = f"properties.{name}"
        if served is None:
            known = ", ".join(each for each, one in self.source.by_name.items() if one.writable)
            faults.append(FeatureFault(where, f"there is no such property: there are {known}"))
        elif served.writable:  # what the service computes itself may be sent back, and is ignored
            try:
                found[name] = _value(served, value)
            except ValueError as error:
                faults.append(FeatureFault(where, str(error)))

    def _geometry(self, given: Any, faults: list[FeatureFault]) -> shapely.Geometry | None:
        if given is None:
            return None
        try:
            return self._in_degrees(_shape(given, self.source.layer.geometry))
        except ValueError as error:
            faults.append(FeatureFault("geometry", str(error)))
            return None

    def _in_degrees(self, geometry: shapely.Geometry) -> shapely.Geometry:
        if self.crs.yx:
            geometry = shapely.transform(geometry, lambda yx: yx[:, ::-1])
        moved = geometry if self.crs.srid == CRS84.srid else self._transformed(geometry)
        fault = _OFF_EARTH if moved is None else vertex_fault(moved)
        if moved is None or fault is not None:
            raise ValueError(
                f"{fault} in {self.crs.uri}: check the order of the axes, or say the CRS in the "
                "header Content-Crs"
            )
        if not moved.is_valid:
            raise ValueError(f"in degrees it is not valid: {shapely.is_valid_reason(moved)}")
        return moved

    def _transformed(self, geometry: shapely.Geometry) -> shapely.Geometry | None:
        """In degrees, WGS 84; None where PROJ knows no such place."""
        made = func.ST_GeomFromWKB(shapely.to_wkb(geometry), self.crs.srid)
        asked = select(func.ST_AsBinary(func.ST_Transform(made, CRS84.srid)))
        try:
            with self.connection.begin_nested():
                return shapely.from_wkb(bytes(self.connection.scalar(asked) or b""))
        except DBAPIError:
            return None


_OFF_EARTH = "its coordinates are not on the earth"


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRecord([FeatureFault("body", f"it is not JSON: {error.msg}")]) from None
    if not isinstance(document, dict):
        raise BadRecord([FeatureFault("body", "it must be a GeoJSON Feature")])
    return document


def _envelope_faults(document: Mapping[str, Any], item_id: str | None) -> Iterator[FeatureFault]:
    kind = document.get("type", "Feature")
    if kind != "Feature":
        yield FeatureFault("type", f"it is {kind!r}: write one Feature at a time")
    told = document.get("id")
    if item_id is not None and told is not None and str(told) != item_id:
        yield FeatureFault("id", f"it is {told!r}, but the path says {item_id!r}: leave it out")


def _missing(source: ItemSource, given: Mapping[str, Any]) -> list[FeatureFault]:
    return [
        FeatureFault(f"properties.{one.name}", "it is required")
        for one in source.properties
        if one.required and one.writable and given.get(one.name) is None
    ]


def _shape(given: Any, kind: GeometryKind) -> shapely.Geometry:
    allowed = _TYPES[kind]
    named = given.get("type") if isinstance(given, dict) else None
    if named not in allowed:
        right = " or ".join(allowed) or "null"
        raise ValueError(f"it must be {right}, not {named or type(given).__name__}")
    try:
        found = shapely.force_2d(shape(given))
        finite = not found.is_empty and np.isfinite(shapely.get_coordinates(found)).all()
    except _BAD_SHAPE:
        raise ValueError(f"the coordinates of the {named} are wrong") from None
    if not finite:
        raise ValueError(f"the {named} is empty or has coordinates that are no numbers")
    if not found.is_valid:
        raise ValueError(f"the {named} is not valid: {shapely.is_valid_reason(found)}")
    return found


def _value(served: ServedColumn, value: Any) -> Any:
    """The value as the field's type; raises ValueError saying what would be right."""
    if value is None:
        if served.required:
            raise ValueError("it is required and cannot be null")
        return None
    read, right = _READERS[served.type]
    try:
        found = read(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{value!r} is wrong: it must be {right}") from None
    if served.free_text:
        return without_contacts(found)
    if served.values and found not in served.values:
        raise ValueError(f"{value!r} is wrong: it must be one of {', '.join(served.values)}")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError
    return value


def _integer(value: Any) -> int:
    """JSON's parser makes a double of what is beyond 64 bits: such a one is not exact."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_IN_DOUBLE:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    if not LEAST_INTEGER <= value <= GREATEST_INTEGER:
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    if isinstance(value, int) and int(float(value)) != value:
        raise ValueError
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


_READERS: dict[FieldType, tuple[Callable[[Any], Any], str]] = {
    FieldType.TEXT: (_text, "text without a NUL character"),
    FieldType.INTEGER: (
        _integer,
        f"a whole number from {LEAST_INTEGER} to {GREATEST_INTEGER}, with all its digits",
    ),
    FieldType.NUMBER: (_number, "a number, finite, and if it is whole, exact as a double"),
    FieldType.BOOLEAN: (_boolean, "true or false"),
    FieldType.DATE: (day_of, "a day such as 2024-09-10"),
    FieldType.DATETIME: (instant_of, "an instant with its zone, such as 2024-09-10T08:00:00Z"),
}
