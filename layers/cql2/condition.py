"""The JSON form of CQL2 → one condition in SQL."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, BindParameter, and_, any_, bindparam, false, not_, or_, true
from sqlalchemy.sql.elements import ColumnElement

from gis.errors import BadFilter
from layers.cql2.distance import IN_LAYER, S_DWITHIN, FilterScope, in_layer, within_distance
from layers.cql2.operands import Operand, OperandKind, Sql, same_kind
from layers.cql2.properties import properties_of
from layers.cql2.scalars import Properties, property_named, scalar
from layers.cql2.search import narrowed
from layers.cql2.spatial import RELATIONS as SPATIAL
from layers.cql2.spatial import spatial
from layers.cql2.temporal import RELATIONS as TEMPORAL
from layers.cql2.temporal import temporal
from layers.items.columns import ItemSource
from layers.items.crs import CRS84, Crs

Condition = ColumnElement[bool]
_DEEPEST = 40
_COMPARE: dict[str, Callable[[Sql, Sql], Condition]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}
_ORDERED = ("<", ">", "<=", ">=")


def condition(
    node: Any, properties: Properties, crs: Crs = CRS84, scope: FilterScope | None = None
) -> Condition:
    """The condition that a filter puts on the properties; its coordinates are in `crs`.

    `scope` has the layers that IN_LAYER may name; without it there is no such function.
    Raises BadFilter and names what is wrong or unsupported. The number of bound values is in
    proportion to the text of the filter: at most four for each part of it.
    """
    if _depth(node) > _DEEPEST:
        raise BadFilter(f"the filter is nested more than {_DEEPEST} deep: make it flatter")
    return _Translation(properties, crs, scope).predicate(node)


@dataclass(frozen=True)
class _Translation:
    properties: Properties
    crs: Crs
    scope: FilterScope | None = None

    def predicate(self, node: Any) -> Condition:
        if isinstance(node, bool):
            return true() if node else false()
        if isinstance(node, dict) and "property" in node:
            return self._boolean(node)
        if not isinstance(node, dict) or not isinstance(node.get("op"), str):
            raise BadFilter("the filter is not a predicate: compare a property with something")
        return self._operation(node["op"].lower(), node.get("args"))

    def _operation(self, op: str, args: Any) -> Condition:
        if op in SPATIAL:
            return spatial(op, args, self.properties, self.crs)
        if op == S_DWITHIN:
            return within_distance(args, self.properties, self.crs)
        if op == IN_LAYER:
            return self._in_layer(args)
        if op in TEMPORAL:
            return temporal(op, args, self.properties)
        if op in _COMPARE:
            return self._compare(op, self._scalars(op, args, 2))
        make = {
            "and": self._and,
            "or": self._or,
            "not": self._not,
            "like": self._like,
            "between": self._between,
            "in": self._in,
            "isnull": self._is_null,
        }.get(op)
        if make is None:
            raise BadFilter(_unsupported(op))
        return make(args)

    def _in_layer(self, args: Any) -> Condition:
        def there(node: Any, other: ItemSource) -> Condition:
            return _Translation(properties_of(other), self.crs).predicate(node)

        return in_layer(args, self.properties, self.scope, there)

    def _boolean(self, node: dict[str, Any]) -> Condition:
        operand = property_named(node["property"], self.properties)
        if operand.kind is not OperandKind.BOOLEAN:
            raise BadFilter(
                f"the property {node['property']!r} is a {operand.kind}, not true or false: "
                "compare it with something"
            )
        return operand.sql

    def _and(self, args: Any) -> Condition:
        return and_(*self._predicates("AND", args))

    def _or(self, args: Any) -> Condition:
        return or_(*self._predicates("OR", args))

    def _not(self, args: Any) -> Condition:
        predicates = self._predicates("NOT", args)
        if len(predicates) != 1:
            raise BadFilter("NOT takes one predicate")
        return not_(predicates[0])

    def _predicates(self, name: str, args: Any) -> list[Condition]:
        if not isinstance(args, list) or not args:
            raise BadFilter(f"{name} takes predicates")
        return [self.predicate(arg) for arg in args]

    def _scalars(self, name: str, args: Any, number: int) -> list[Operand]:
        if not isinstance(args, list) or len(args) != number:
            raise BadFilter(f"{name} takes {number} operands")
        return [scalar(arg, self.properties) for arg in args]

    def _compare(self, op: str, sides: list[Operand]) -> Condition:
        left, right = sides
        kind = same_kind(op, left, right)
        if kind is OperandKind.GEOMETRY:
            raise BadFilter(f"{op} does not compare geometries: use S_EQUALS")
        if kind is OperandKind.BOOLEAN and op in _ORDERED:
            raise BadFilter(f"{op} does not compare true and false: use = or <>")
        comparison = _COMPARE[op](*_comparable(op, kind, left, right))
        return narrowed(comparison, left, right) if op == "=" else comparison

    def _like(self, args: Any) -> Condition:
        value, pattern = self._scalars("LIKE", args, 2)
        if same_kind("LIKE", value, pattern) is not OperandKind.TEXT:
            raise BadFilter(f"LIKE takes texts, not a {value.kind}")
        if isinstance(pattern.literal, str) and _ends_within_escape(pattern.literal):
            raise BadFilter(
                "the pattern of LIKE is out of range: behind its last backslash stands nothing; "
                r"write \\ for a backslash in the text"
            )
        return narrowed(value.sql.like(pattern.sql), value, pattern, is_pattern=True)

    def _between(self, args: Any) -> Condition:
        value, low, high = self._scalars("BETWEEN", args, 3)
        return self._compare(">=", [value, low]) & self._compare("<=", [value, high])

    def _in(self, args: Any) -> Condition:
        if not isinstance(args, list) or len(args) != 2 or not isinstance(args[1], list):
            raise BadFilter("IN takes a value and a list of values")
        value = scalar(args[0], self.properties)
        options = [scalar(each, self.properties) for each in args[1]]
        if not options:
            raise BadFilter("IN takes at least one value")
        if same_kind("IN", value, *options) is OperandKind.GEOMETRY:
            raise BadFilter("IN does not compare geometries")
        return _one_of(value.sql, [option.sql for option in options])

    def _is_null(self, args: Any) -> Condition:
        nodes = args if isinstance(args, list) else [args]
        if len(nodes) != 1 or not isinstance(nodes[0], dict) or "property" not in nodes[0]:
            raise BadFilter("IS NULL takes one property")
        return property_named(nodes[0]["property"], self.properties).sql.is_(None)


def _comparable(op: str, kind: OperandKind, left: Operand, right: Operand) -> tuple[Sql, Sql]:
    """Texts are ordered by their code points: the same in every database."""
    if kind is OperandKind.TEXT and op in _ORDERED:
        return left.sql.collate("C"), right.sql.collate("C")
    return left.sql, right.sql


def _one_of(value: Sql, options: list[Sql]) -> Condition:
    """Written values of one type are bound as one array, however many they are."""
    types = {type(option.type) for option in options}
    if len(types) > 1 or not all(isinstance(option, BindParameter) for option in options):
        return value.in_(options)
    values = [option.value for option in options if isinstance(option, BindParameter)]
    return value == any_(bindparam(None, values, ARRAY(options[0].type)))


def _ends_within_escape(pattern: str) -> bool:
    return (len(pattern) - len(pattern.rstrip("\\"))) % 2 == 1


def _unsupported(op: str) -> str:
    if op.startswith("a_"):
        return f"{op.upper()} is not supported: no property of this service is an array"
    known = ", ".join(
        ["AND", "OR", "NOT", "LIKE", "BETWEEN", "IN", "IS NULL", *_COMPARE]
        + [name.upper() for name in (*SPATIAL, S_DWITHIN, IN_LAYER, *TEMPORAL)]
    )
    return f"{op!r} is not supported: predicates are {known}"


def _depth(node: Any) -> int:
    """Depth to which lists and objects are nested; no recursion, since it may exceed the stack."""
    deepest, stack = 0, [(node, 1)]
    while stack:
        each, depth = stack.pop()
        deepest = max(deepest, depth)
        if isinstance(each, dict):
            stack += [(value, depth + 1) for value in each.values()]
        elif isinstance(each, list):  # that of an operation is as deep as what stands in it
            stack += [(value, depth + isinstance(value, list)) for value in each]
    return deepest
