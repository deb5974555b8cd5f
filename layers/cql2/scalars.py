"""Scalars: properties, literals, arithmetic, casei and accenti → operands in SQL."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Numeric,
    Text,
    bindparam,
    cast,
    func,
)

from gis.errors import BadFilter
from layers.cql2.operands import Operand, OperandKind, Property, Sql, same_kind
from layers.items.literals import day_of, instant_of

Properties = Mapping[str, Property]
FOLDS = {"casei": "lower_case", "accenti": "without_accents"}
_EXACT = 2**53  # up to here a double tells integers apart
_LARGEST = 1e300
_ARITHMETIC = ("+", "-", "*", "/", "%", "^", "div")


def scalar(node: Any, properties: Properties) -> Operand:
    """The operand that a node of the JSON form is; raises BadFilter where it is none."""
    if isinstance(node, dict):
        return _of_dict(node, properties)
    if isinstance(node, bool):
        return Operand(OperandKind.BOOLEAN, bindparam(None, node, Boolean()), node)
    if isinstance(node, int | float):
        return number(node)
    if isinstance(node, str):
        return text(node)
    if node is None:
        raise BadFilter("a comparison with NULL is never true: write IS NULL or IS NOT NULL")
    raise BadFilter("a list of values stands only in IN (…); arrays are not supported")


def number(value: float) -> Operand:
    """A number as a bound value; raises BadFilter for one beyond 1e300 or not finite."""
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise BadFilter(f"a number in the filter is too large: write at most {_LARGEST:g}")
    is_exact = abs(value) < (2**63 if isinstance(value, int) else _EXACT)
    if is_exact and float(value).is_integer():
        return Operand(OperandKind.NUMBER, bindparam(None, int(value), BigInteger()), value)
    return Operand(OperandKind.NUMBER, bindparam(None, float(value), Double()), value)


def text(value: str) -> Operand:
    """A text as a bound value; raises BadFilter for a NUL character."""
    if "\x00" in value:
        raise BadFilter("a text in the filter holds a NUL character: leave it out")
    return Operand(OperandKind.TEXT, bindparam(None, value, Text()), value)


def property_named(name: Any, properties: Properties) -> Property:
    """The property of a name; raises BadFilter with those that there are."""
    if not isinstance(name, str) or name not in properties:
        known = ", ".join(properties)
        raise BadFilter(f"there is no property {name!r} to filter by: there are {known}")
    return properties[name]


def date_literal(value: Any) -> Operand:
    """A day such as 2024-09-10; raises BadFilter for anything else."""
    try:
        day = day_of(value)
    except (ValueError, TypeError):
        raise BadFilter(f"DATE({value!r}) is not a day: write DATE('2024-09-10')") from None
    return Operand(OperandKind.DATE, bindparam(None, day, Date()), day)


def timestamp_literal(value: Any) -> Operand:
    """An instant with its zone; raises BadFilter for anything else."""
    try:
        instant = instant_of(value)
    except (ValueError, TypeError, OverflowError):
        raise BadFilter(
            f"TIMESTAMP({value!r}) is not an instant: write TIMESTAMP('2024-09-10T08:00:00Z')"
        ) from None
    return Operand(
        OperandKind.TIMESTAMP, bindparam(None, instant, DateTime(timezone=True)), instant
    )


def _of_dict(node: dict[str, Any], properties: Properties) -> Operand:
    if "property" in node:
        named = property_named(node["property"], properties)
        return Operand(named.kind, named.sql, property=named)
    if "date" in node:
        return date_literal(node["date"])
    if "timestamp" in node:
        return timestamp_literal(node["timestamp"])
    if "interval" in node:
        raise BadFilter("an interval stands only in a temporal function such as T_DURING")
    if "op" in node:
        return _of_function(str(node["op"]), node.get("args"), properties)
    raise BadFilter("a geometry stands only in a spatial function such as S_INTERSECTS")


def _of_function(op: str, args: Any, properties: Properties) -> Operand:
    if op.lower() in FOLDS:
        return _folded(op.lower(), args, properties)
    if op.lower() in _ARITHMETIC:
        return _arithmetic(op.lower(), args, properties)
    raise BadFilter(
        f"{op!r} is not supported here: values can be changed by CASEI and ACCENTI and by "
        + " ".join(_ARITHMETIC)
    )


def _folded(name: str, args: Any, properties: Properties) -> Operand:
    if not isinstance(args, list) or len(args) != 1:
        raise BadFilter(f"{name.upper()} takes one text")
    inner = scalar(args[0], properties)
    if inner.kind is not OperandKind.TEXT:
        raise BadFilter(f"{name.upper()} takes a text, not a {inner.kind}")
    sql = getattr(func.gis, FOLDS[name])(inner.sql, type_=Text())
    return Operand(OperandKind.TEXT, sql, inner.literal, inner.property, inner.folds | {name})


def _arithmetic(op: str, args: Any, properties: Properties) -> Operand:
    if not isinstance(args, list) or len(args) != 2:
        raise BadFilter(f"{op} takes two numbers")
    left, right = (scalar(arg, properties) for arg in args)
    if same_kind(f"{op}", left, right) is not OperandKind.NUMBER:
        raise BadFilter(f"{op} takes numbers, not a {left.kind}")
    return Operand(OperandKind.NUMBER, _CALCULATE[op](_real(left.sql), _real(right.sql)))


def _real(sql: Sql) -> Sql:
    return cast(sql, Double())


def _remainder(left: Sql, right: Sql) -> Sql:
    return func.mod(cast(left, Numeric()), func.nullif(cast(right, Numeric()), 0))


# Division by zero gives NULL, so that a row with a zero matches nothing instead of failing all.
_CALCULATE: dict[str, Callable[[Sql, Sql], Sql]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / func.nullif(right, 0),
    "div": lambda left, right: func.trunc(left / func.nullif(right, 0)),
    "%": _remainder,
    "^": lambda left, right: func.power(left, right),
}
