"""Reader of GeoJSON features that clients write, checked by the schema of their layer."""

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
from gis.intake.numbers import EXACT_IN_DOUBLE, MAX_INTEGER, MIN_INTEGER
from gis.placing.shapes import vertex_fault
from gis.text import composed, without_contacts
from layers.definition.model import FieldType, GeometryKind
from layers.items import CRS84, Crs, ItemSource, ServedColumn
from layers.items.literals import day_of, instant_of

_GEOMETRY_TYPES = {
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
    """A fault of one member of a feature: `where` names the member, `what` says what is right."""

    where: str
    what: str


class BadRecord(BadInput):
    """A feature cannot be stored; `faults` holds all its faults."""

    def __init__(self, faults: Sequence[FeatureFault]) -> None:
        super().__init__("; ".join(f"{fault.where}: {fault.what}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Feature:
    """A feature to store: geometry (EPSG:4326), values of the fields' types."""

    geometry: shapely.Geometry | None
    properties: dict[str, Any]
    has_geometry: bool  # False: the document has no member `geometry`


class FeatureReader:
    """Reads features for one layer; coordinates are in `crs`, in its axis order."""

    def __init__(self, connection: Connection, source: ItemSource, crs: Crs = CRS84) -> None:
        self.connection = connection
        self.source = source
        self.crs = crs

    def read(self, body: bytes, *, complete: bool, item_id: str | None = None) -> Feature:
        """The feature in a request's body; raises BadRecord with all its faults.

        `complete`: required members must be present. `item_id`: the id in the path.
        """
        document = _document(body)
        faults: list[FeatureFault] = list(_envelope_faults(document, item_id))
        properties = self._properties(document.get("properties"), faults, complete=complete)
        has_geometry = "geometry" in document
        geometry = self._geometry(document.get("geometry"), faults) if has_geometry else None
        if complete and not has_geometry and self.source.geometry is not None:
            faults.append(FeatureFault("geometry", "it is missing: give a geometry, or null"))
        if faults:
            raise BadRecord(faults)
        return Feature(geometry, properties, has_geometry)

    def _properties(
        self, members: Any, faults: list[FeatureFault], *, complete: bool
    ) -> dict[str, Any]:
        if members is None:
            members = {}
        if not isinstance(members, dict):
            faults.append(FeatureFault("properties", "it must be an object of names and values"))
            return {}
        properties: dict[str, Any] = {}
        for name, value in members.items():
            self._property(str(name), value, properties, faults)
        if complete:
            faults += _missing_properties(self.source, members)
        return properties

    def _property(
        self, name: str, value: Any, properties: dict[str, Any], faults: list[FeatureFault]
    ) -> None:
        served = self.source.by_name.get(name)
        member = f"properties.{name}"
        if served is None:
            writable = ", ".join(
                each for each, column in self.source.by_name.items() if column.writable
            )
            faults.append(FeatureFault(member, f"there is no such property: there are {writable}"))
        elif served.writable:  # clients send back computed properties too: those are ignored
            try:
                properties[name] = _typed_value(served, value)
            except ValueError as error:
                faults.append(FeatureFault(member, str(error)))

    def _geometry(self, document: Any, faults: list[FeatureFault]) -> shapely.Geometry | None:
        if document is None:
            return None
        try:
            return self._in_degrees(_geometry_of(document, self.source.layer.geometry))
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
        """The geometry in EPSG:4326; None where PROJ cannot transform it."""
        value = func.ST_GeomFromWKB(shapely.to_wkb(geometry), self.crs.srid)
        statement = select(func.ST_AsBinary(func.ST_Transform(value, CRS84.srid)))
        try:
            with self.connection.begin_nested():
                return shapely.from_wkb(bytes(self.connection.scalar(statement) or b""))
        except DBAPIError:
            return None


_OFF_EARTH = "its coordinates are not on the earth"


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = composed(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise BadRecord([FeatureFault("body", f"it is not JSON: {error.msg}")]) from None
    if not isinstance(document, dict):
        raise BadRecord([FeatureFault("body", "it must be a GeoJSON Feature")])
    return document


def _envelope_faults(document: Mapping[str, Any], item_id: str | None) -> Iterator[FeatureFault]:
    kind = document.get("type", "Feature")
    if kind != "Feature":
        yield FeatureFault("type", f"it is {kind!r}: write one Feature at a time")
    feature_id = document.get("id")
    if item_id is not None and feature_id is not None and str(feature_id) != item_id:
        yield FeatureFault(
            "id", f"it is {feature_id!r}, but the path says {item_id!r}: leave it out"
        )


def _missing_properties(source: ItemSource, members: Mapping[str, Any]) -> list[FeatureFault]:
    return [
        FeatureFault(f"properties.{column.name}", "it is required")
        for column in source.properties
        if column.required and column.writable and members.get(column.name) is None
    ]


def _geometry_of(document: Any, kind: GeometryKind) -> shapely.Geometry:
    allowed = _GEOMETRY_TYPES[kind]
    geometry_type = document.get("type") if isinstance(document, dict) else None
    if geometry_type not in allowed:
        expected = " or ".join(allowed) or "null"
        raise ValueError(f"it must be {expected}, not {geometry_type or type(document).__name__}")
    try:
        geometry = shapely.force_2d(shape(document))
        finite = not geometry.is_empty and np.isfinite(shapely.get_coordinates(geometry)).all()
    except _BAD_SHAPE:
        raise ValueError(f"the coordinates of the {geometry_type} are wrong") from None
    if not finite:
        raise ValueError(f"the {geometry_type} is empty or has coordinates that are no numbers")
    if not geometry.is_valid:
        raise ValueError(f"the {geometry_type} is not valid: {shapely.is_valid_reason(geometry)}")
    return geometry


def _typed_value(served: ServedColumn, value: Any) -> Any:
    """The value as the field's type; the ValueError raised says what would be right."""
    if value is None:
        if served.required:
            raise ValueError("it is required and cannot be null")
        return None
    parse, expected = _READERS[served.type]
    try:
        typed = parse(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{value!r} is wrong: it must be {expected}") from None
    if served.free_text:
        return without_contacts(typed)
    if served.values and typed not in served.values:
        raise ValueError(f"{value!r} is wrong: it must be one of {', '.join(served.values)}")
    return typed


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError
    return value


def _integer(value: Any) -> int:
    """A whole number; beyond 64 bits the JSON parser gives a double, which is not exact."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_IN_DOUBLE:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    if not MIN_INTEGER <= value <= MAX_INTEGER:
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
        f"a whole number from {MIN_INTEGER} to {MAX_INTEGER}, with all its digits",
    ),
    FieldType.NUMBER: (_number, "a number, finite, and if it is whole, exact as a double"),
    FieldType.BOOLEAN: (_boolean, "true or false"),
    FieldType.DATE: (day_of, "a day such as 2024-09-10"),
    FieldType.DATETIME: (instant_of, "an instant with its zone, such as 2024-09-10T08:00:00Z"),
}
