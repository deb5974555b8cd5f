"""Functions of distance: S_DWITHIN, and IN_LAYER, which asks for what lies near another layer.

Distances are geodesic, on the ellipsoid of WGS 84, in metres. The index finds what lies in a box
that is somewhat wider than the distance (gis.reach), and the distance itself decides.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Double, and_, bindparam, func, select
from sqlalchemy.sql.elements import ColumnElement

from gis.errors import BadFilter, GisError
from layers.cql2.operands import OperandKind, Sql
from layers.cql2.scalars import Properties, property_named
from layers.cql2.spatial import geometry_operand, is_number
from layers.items.columns import ItemSource
from layers.items.crs import Crs

Condition = ColumnElement[bool]

S_DWITHIN: Final = "s_dwithin"
IN_LAYER: Final = "in_layer"
FARTHEST_M: Final = 200_000.0  # as far as a province is wide
MOST_LAYERS: Final = 2  # each is a join


@dataclass(frozen=True)
class FilterScope:
    """The layer that is filtered, and the others that its filter may name.

    `readable` gives the source of a layer that the caller may read, and raises an error of ours for
    any other, in the same words whether there is such a layer or not. `used` are those named.
    """

    own: ItemSource
    readable: Callable[[str], ItemSource]
    used: list[str] = field(default_factory=list)


def within_distance(args: Any, properties: Properties, crs: Crs) -> Condition:
    """S_DWITHIN(geometry, geometry, metres): at most so far apart.

    Raises BadFilter for wrong arguments.
    """
    if not isinstance(args, list) or len(args) != 3:
        raise BadFilter("S_DWITHIN takes two geometries and a number of metres")
    metres = _metres("S_DWITHIN", args[2])
    left, right = (geometry_operand(arg, properties, crs) for arg in args[:2])
    is_property = isinstance(args[0], dict) and "property" in args[0]
    near = _within_box(left, right, metres) if is_property else _within_box(right, left, metres)
    return and_(near, func.ST_DWithin(func.geography(left), func.geography(right), metres))


def in_layer(
    args: Any,
    properties: Properties,
    scope: FilterScope | None,
    condition_there: Callable[[Any, ItemSource], Condition],
) -> Condition:
    """IN_LAYER(geometry, layer, metres, predicate): at most so far from any feature of a layer.

    The predicate is on the properties of that layer and may be left out; 0 metres: what shares a
    point with one. Raises BadFilter for wrong arguments, and for a layer that may not be read as
    for one that there is not.
    """
    if scope is None:
        raise BadFilter("IN_LAYER is not offered here: ask items or a summary")
    if not isinstance(args, list) or len(args) not in (3, 4) or not isinstance(args[1], str):
        raise BadFilter(
            "IN_LAYER takes the geometry of this layer, the name of another layer as a text, a "
            "number of metres, and perhaps a predicate on that layer"
        )
    named = args[0].get("property") if isinstance(args[0], dict) else None
    if named is None or property_named(named, properties).kind is not OperandKind.GEOMETRY:
        raise BadFilter("IN_LAYER takes the geometry of this layer first: write IN_LAYER(geom, …)")
    if len(scope.used) == MOST_LAYERS:
        raise BadFilter(f"a filter names at most {MOST_LAYERS} other layers: ask in parts")
    scope.used.append(args[1])
    metres = _metres("IN_LAYER", args[2])
    try:
        other = scope.readable(args[1])
    except GisError as error:
        raise BadFilter(f"IN_LAYER: {error}") from None
    if other.geometry is None:
        raise BadFilter(f"the layer {args[1]} has no geometry: IN_LAYER names one that has")
    conditions = [*other.by_default, *(condition_there(node, other) for node in args[3:])]
    return _near(scope.own, other, conditions, metres)


def _near(own: ItemSource, other: ItemSource, there: list[Condition], metres: Sql) -> Condition:
    """The ids of rows near one of the other layer, as a join: PostgreSQL may begin with either."""
    assert own.geometry is not None and other.geometry is not None
    rows = select(own.id.label("id"), own.geometry.label("geom")).select_from(own.table)
    ours = rows.subquery("near_rows")
    theirs = (
        select(other.geometry.label("geom"))
        .select_from(other.table)
        .where(*there)
        .subquery("other_rows")
    )
    apart = func.ST_DWithin(func.geography(ours.c.geom), func.geography(theirs.c.geom), metres)
    is_near = and_(
        _within_box(ours.c.geom, theirs.c.geom, metres),
        _within_box(theirs.c.geom, ours.c.geom, metres),
        apart,
    )
    return own.id.in_(select(ours.c.id).select_from(ours.join(theirs, is_near)))


def _within_box(geometry: Sql, centre: Sql, metres: Sql) -> Condition:
    return geometry.op("&&", is_comparison=True)(func.gis.reach(centre, metres))


def _metres(name: str, node: Any) -> Sql:
    if not is_number(node) or not 0 <= node <= FARTHEST_M:
        raise BadFilter(f"{name} takes a number of metres from 0 to {FARTHEST_M:g}")
    return bindparam(None, round(float(node), 6), Double())  # the least floats underflow
