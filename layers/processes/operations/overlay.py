"""Overlay: what two layers have in common, what one has alone, or all of both."""

from typing import Any, Literal

from sqlalchemy import Subquery, cast, func, literal_column, null, select, true, union_all
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from layers.definition.model import GeometryKind, LayerField, LocalizedText
from layers.items import ItemSource
from layers.items.columns import SQL_TYPES
from layers.processes.context import Context, field_of
from layers.processes.geometry import area_km2, length_km
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Parameters,
    Process,
    number,
    parameter,
)

_ANY = (GeometryKind.POINT, GeometryKind.LINE, GeometryKind.POLYGON)


class OverlayParameters(Parameters):
    """Two layers, and what is wanted of them."""

    layer: LayerInput = parameter(..., "Lớp thứ nhất", "First layer")
    areas: LayerInput = parameter(..., "Lớp thứ hai (vùng)", "Second layer (areas)")
    how: Literal["intersection", "difference", "union"] = parameter(
        "intersection", "Phép chồng lớp", "How",
        extra={"labels_vi": {"intersection": "phần chung", "difference": "phần của lớp thứ nhất "
                             "nằm ngoài lớp thứ hai", "union": "tất cả"}},
    )  # fmt: skip


class Overlay(Process[OverlayParameters]):
    """Intersection, difference or union of two layers, with the properties of both."""

    name = "overlay"
    title = LocalizedText(vi="Chồng lớp", en="Overlay")
    description = LocalizedText(
        vi="Phần chung, phần riêng hoặc tất cả của hai lớp; trường của lớp thứ hai có đầu `b_`.",
        en="What two layers have in common, what the first has alone, or all of both; properties "
        "of the second begin with `b_`. A union asks for areas in both.",
    )
    parameters = OverlayParameters
    examples = ({"layer": "landslides", "areas": "communes"},)

    def run(self, context: Context, parameters: OverlayParameters) -> NewCollection:
        kinds = (GeometryKind.POLYGON,) if parameters.how == "union" else _ANY
        first = context.source(parameters.layer, kinds)
        second = context.source(parameters.areas, (GeometryKind.POLYGON,))
        one = context.rows(parameters.layer, *kinds)
        other = context.rows(parameters.areas, GeometryKind.POLYGON)
        kind = first.layer.geometry
        own = _fields(first, "")
        theirs = _fields(second, "b_") if parameters.how != "difference" else {}
        parts = [
            *([_common(one, other, own, theirs, kind)] if parameters.how != "difference" else []),
            *([_alone(one, other, own, theirs, kind)] if parameters.how != "intersection" else []),
            *([_alone(other, one, theirs, own, kind)] if parameters.how == "union" else []),
        ]
        made = (union_all(*parts) if len(parts) > 1 else parts[0]).subquery()
        size, label = _size(kind, made.c.geom)
        statement = select(made, *([size.label("size")] if size is not None else []))
        statement = statement.where(~func.ST_IsEmpty(made.c.geom))
        fields = {name: field for name, (_, field) in (own | theirs).items()}
        return NewCollection(kind, fields | ({"size": label} if label else {}), statement)


type Named = dict[str, tuple[str, LayerField]]


def _fields(source: ItemSource, prefix: str) -> Named:
    """The properties, by the names that they have in the result: name of the layer, field."""
    return {
        f"{prefix}{each.name}"[:48]: (each.name, field_of(each))
        for each in source.properties
        if f"{prefix}{each.name}" != "size"
    }


def _common(
    one: Subquery, other: Subquery, own: Named, theirs: Named, kind: GeometryKind
) -> Select[Any]:
    shape: ColumnElement[Any] = func.ST_Intersection(one.c.geom, other.c.geom)
    if kind is GeometryKind.POINT:
        shape = one.c.geom
    return select(
        _of(shape, kind).label("geom"),
        *(one.c[name].label(label) for label, (name, _) in own.items()),
        *(other.c[name].label(label) for label, (name, _) in theirs.items()),
    ).select_from(one.join(other, func.ST_Intersects(one.c.geom, other.c.geom)))


def _alone(
    one: Subquery, other: Subquery, own: Named, theirs: Named, kind: GeometryKind
) -> Select[Any]:
    """What of each row of `one` lies in no row of `other`."""
    met = (
        select(func.ST_Union(other.c.geom).label("shape"))
        .where(func.ST_Intersects(one.c.geom, other.c.geom))
        .lateral("met")
    )
    shape = func.coalesce(func.ST_Difference(one.c.geom, met.c.shape), one.c.geom)
    values: dict[str, Any] = {label: one.c[name] for label, (name, _) in own.items()} | {
        label: cast(null(), SQL_TYPES[field.type]) for label, (_, field) in theirs.items()
    }
    names = sorted(values, key=lambda label: label.startswith("b_"))
    return (
        select(_of(shape, kind).label("geom"), *(values[name].label(name) for name in names))
        .select_from(one.join(met, true()))
        .where(~func.ST_IsEmpty(shape))
    )


def _of(shape: Any, kind: GeometryKind) -> Any:
    """The parts of the layer's own dimension: where areas touch they have a line in common."""
    dimension = {GeometryKind.POINT: 1, GeometryKind.LINE: 2, GeometryKind.POLYGON: 3}[kind]
    if kind is GeometryKind.POINT:
        return shape
    return func.ST_Multi(func.ST_CollectionExtract(shape, literal_column(str(dimension))))


def _size(kind: GeometryKind, shape: Any) -> tuple[Any, LayerField | None]:
    if kind is GeometryKind.POLYGON:
        return area_km2(shape), number("Diện tích phần này", "Area of the part", "km2")
    if kind is GeometryKind.LINE:
        return length_km(shape), number("Chiều dài phần này", "Length of the part", "km")
    return None, None
