"""MapLibre's filters, as far as our styles use them, by its specification.

https://maplibre.org/maplibre-style-spec/expressions/ – written apart from
layers.style.maplibre, so that both have to be wrong alike for a test to pass wrongly.
"""

from typing import Any


class WrongType(Exception):
    """MapLibre warns, and shows no feature by this filter."""


def shows(filter_: Any, feature: dict[str, Any]) -> bool:
    """Whether a style layer with this filter, or without one, draws a feature of these values."""
    try:
        return bool(filter_ is None or _evaluate(filter_, feature))
    except WrongType as error:
        raise AssertionError(f"{filter_} compares {error} for {feature}") from error


def _evaluate(expression: Any, feature: dict[str, Any]) -> Any:
    if not isinstance(expression, list):
        return expression
    return _OPERATORS[expression[0]](expression[1:], feature)


def _get(arguments: list[Any], feature: dict[str, Any]) -> Any:
    return feature.get(arguments[0])


def _has(arguments: list[Any], feature: dict[str, Any]) -> bool:
    return arguments[0] in feature


def _not(arguments: list[Any], feature: dict[str, Any]) -> bool:
    return not _evaluate(arguments[0], feature)


def _all(arguments: list[Any], feature: dict[str, Any]) -> bool:
    return all(_evaluate(argument, feature) for argument in arguments)


def _any(arguments: list[Any], feature: dict[str, Any]) -> bool:
    return any(_evaluate(argument, feature) for argument in arguments)


def _equal(arguments: list[Any], feature: dict[str, Any]) -> bool:
    """Of two types are never equal: 1 is not true."""
    left, right = (_evaluate(argument, feature) for argument in arguments)
    return _type(left) == _type(right) and left == right


def _unequal(arguments: list[Any], feature: dict[str, Any]) -> bool:
    return not _equal(arguments, feature)


def _less(arguments: list[Any], feature: dict[str, Any]) -> bool:
    left, right = _comparable(arguments, feature)
    return left < right


def _at_least(arguments: list[Any], feature: dict[str, Any]) -> bool:
    left, right = _comparable(arguments, feature)
    return left >= right


def _comparable(arguments: list[Any], feature: dict[str, Any]) -> tuple[Any, Any]:
    left, right = (_evaluate(argument, feature) for argument in arguments)
    if _type(left) != _type(right) or _type(left) not in ("number", "string"):
        raise WrongType(f"{left!r} with {right!r}")
    return left, right


def _type(value: Any) -> str:
    names = {bool: "boolean", str: "string", int: "number", float: "number", type(None): "null"}
    return names[type(value)]


_OPERATORS = {
    "get": _get,
    "has": _has,
    "!": _not,
    "all": _all,
    "any": _any,
    "==": _equal,
    "!=": _unequal,
    "<": _less,
    ">=": _at_least,
}
