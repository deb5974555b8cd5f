"""MapLibre's expressions, as far as our styles use them, by its specification.

https://maplibre.org/maplibre-style-spec/expressions/ – written apart from layers.style, so that
both have to be wrong alike for a test to pass wrongly.
"""

from typing import Any


class WrongType(Exception):
    """MapLibre would draw the default instead."""


def evaluate(expression: Any, feature: dict[str, Any]) -> Any:
    if not isinstance(expression, list):
        return expression
    return _OPERATORS[expression[0]](expression[1:], feature)


def _get(arguments: list[Any], feature: dict[str, Any]) -> Any:
    return feature.get(arguments[0])


def _typeof(arguments: list[Any], feature: dict[str, Any]) -> str:
    value = evaluate(arguments[0], feature)
    names = {bool: "boolean", str: "string", int: "number", float: "number", type(None): "null"}
    return names[type(value)]


def _number(arguments: list[Any], feature: dict[str, Any]) -> float:
    value = evaluate(arguments[0], feature)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongType(value)
    return value


def _to_string(arguments: list[Any], feature: dict[str, Any]) -> str:
    value = evaluate(arguments[0], feature)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _equal(arguments: list[Any], feature: dict[str, Any]) -> bool:
    return bool(evaluate(arguments[0], feature) == evaluate(arguments[1], feature))


def _case(arguments: list[Any], feature: dict[str, Any]) -> Any:
    for condition, output in zip(arguments[:-1:2], arguments[1:-1:2], strict=True):
        if evaluate(condition, feature):
            return evaluate(output, feature)
    return evaluate(arguments[-1], feature)


def _match(arguments: list[Any], feature: dict[str, Any]) -> Any:
    value = evaluate(arguments[0], feature)
    for label, output in zip(arguments[1:-1:2], arguments[2:-1:2], strict=True):
        if type(label) is type(value) and label == value:
            return evaluate(output, feature)
    return evaluate(arguments[-1], feature)


def _step(arguments: list[Any], feature: dict[str, Any]) -> Any:
    value = evaluate(arguments[0], feature)
    output = arguments[1]
    for stop, later in zip(arguments[2::2], arguments[3::2], strict=True):
        if value >= stop:
            output = later
    return evaluate(output, feature)


_OPERATORS = {
    "get": _get,
    "typeof": _typeof,
    "number": _number,
    "to-string": _to_string,
    "==": _equal,
    "case": _case,
    "match": _match,
    "step": _step,
}
