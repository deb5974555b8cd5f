"""CQL2 text (OGC 21-065r2, annex B) → the JSON form; each token is read once.

A parser by precedence of operators: its time is in proportion to the text, whatever is nested in
what, and being Python it lets other threads run meanwhile.
"""

from typing import Any

import numpy as np
import orjson
import shapely

from layers.cql2.tokens import FilterToken, fault, tokens_of, too_deep

# Precedence: the greater binds more tightly; operators of equal precedence associate to the left.
_NOT, _TEST, _SUM, _SIGN = 3, 5, 6, 9
_BINDS = (
    {"OR": 1, "AND": 2}
    | dict.fromkeys(("=", "<>", "!=", "<", ">", "<=", ">="), 4)
    | dict.fromkeys(("LIKE", "IN", "BETWEEN", "IS", "NOT"), _TEST)  # NOT LIKE, NOT IN, …
    | {"+": _SUM, "-": _SUM, "*": 7, "/": 7, "%": 7, "DIV": 7, "^": 8}
)
_LITERALS = {"TRUE": True, "FALSE": False, "NULL": None}
# Of expressions in one another, brackets and NOT, minus and right sides together: with four frames
# each for 100 brackets and two for the rest it fits well into the 1,000 that Python allows.
_DEEPEST_CALLS = 250
_EXACT_DIGITS = 18  # a whole number of so many fits into 64 bits


def json_of(text: str) -> Any:
    """The JSON form as nested dicts, lists and scalars.

    Raises BadFilter where the text is not CQL2, with the place of the fault and what could stand
    there.
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._next = 0

    def whole(self) -> Any:
        node = self._expression(0, 1)
        if self._tokens[self._next].kind != "end":
            raise self._expected("an operator such as AND, or the end")
        return node

    def _expression(self, least: int, depth: int) -> Any:
        """An operand, and the operators behind it that bind at least as tightly as `least`."""
        if depth > _DEEPEST_CALLS:
            raise too_deep(self._text, self._tokens[self._next].start)
        node = self._operand(depth)
        while True:
            kind, value, _ = self._tokens[self._next]
            binds = _BINDS.get(value, 0) if kind in ("sign", "keyword") else 0
            if binds == 0 or binds < least:
                return node
            self._next += 1
            if binds == _TEST:
                node = self._test(node, value, depth)
            else:
                node = _operation(value, node, self._expression(binds + 1, depth + 1))

    def _test(self, left: Any, word: str, depth: int) -> Any:
        """Behind an operand: LIKE, IN, BETWEEN, each perhaps after NOT, and IS (NOT) NULL."""
        is_denied = word == "NOT"
        if is_denied:
            word = self._one_of("LIKE", "IN", "BETWEEN")
        if word == "LIKE":
            node = {"op": "like", "args": [left, self._expression(_SUM, depth + 1)]}
        elif word == "IN":
            self._one_of("(")
            node = {"op": "in", "args": [left, self._list(depth)]}
        elif word == "BETWEEN":
            low = self._expression(_SUM, depth + 1)
            self._one_of("AND")
            node = {"op": "between", "args": [left, low, self._expression(_SUM, depth + 1)]}
        else:
            is_denied = self._one_of("NOT", "NULL") == "NOT"
            if is_denied:
                self._one_of("NULL")
            node = {"op": "isNull", "args": [left]}
        return {"op": "not", "args": [node]} if is_denied else node

    def _operand(self, depth: int) -> Any:
        token = self._tokens[self._next]
        self._next += 1
        match token.kind:
            case "text":
                return token.value
            case "number":
                return _number(token.value)
            case "quoted":
                return {"property": token.value}
            case "geometry":
                return self._geometry(token)
            case "word":
                return self._named(token, depth)
            case "keyword" if token.value in _LITERALS:
                return _LITERALS[token.value]
            case "keyword" if token.value == "NOT":
                return {"op": "not", "args": [self._expression(_NOT, depth + 1)]}
        if token.value == "(":
            values = self._list(depth)
            return values[0] if len(values) == 1 else values
        if token.value == "-":
            return _negative(self._expression(_SIGN, depth + 1))
        if token.value == "+" and self._tokens[self._next].kind == "number":
            return self._operand(depth)
        self._next -= 1
        raise self._expected('a value, a property ("…" where its name is a word of CQL2) or (')

    def _named(self, token: FilterToken, depth: int) -> Any:
        """A function or a property."""
        if not self._takes("("):
            return {"property": token.value}
        name = token.value.lower()
        arguments = [] if self._takes(")") else self._list(depth)
        if name in ("interval", "bbox"):
            return {name: arguments}
        if name not in ("date", "timestamp"):
            return {"op": name, "args": arguments}
        if len(arguments) != 1:
            raise fault(self._text, token.start, f"{name.upper()} takes one text")
        return {name: arguments[0]}

    def _list(self, depth: int) -> list[Any]:
        """Expressions up to the closing bracket, which is consumed too."""
        nodes = [self._expression(0, depth + 1)]
        while self._takes(","):
            nodes.append(self._expression(0, depth + 1))
        if not self._takes(")"):
            raise self._expected("an operator, a comma or )")
        return nodes

    def _geometry(self, token: FilterToken) -> Any:
        """WKT → GeoJSON."""
        try:
            with np.errstate(over="ignore"):
                geometry = shapely.from_wkt(token.value)
        except shapely.errors.ShapelyError as error:
            words = f"this geometry has wrong coordinates ({str(error).split(': ')[-1]})"
            raise fault(self._text, token.start, words) from None
        if not np.isfinite(shapely.get_coordinates(geometry, include_z=geometry.has_z)).all():
            words = "this geometry has wrong coordinates (a number is too large)"
            raise fault(self._text, token.start, words)
        return orjson.loads(shapely.to_geojson(geometry))

    def _takes(self, value: str) -> bool:
        """True where the next token is this word or sign; it is consumed then."""
        kind, token_value, _ = self._tokens[self._next]
        is_next = token_value == value and kind in ("sign", "keyword")
        self._next += is_next
        return is_next

    def _one_of(self, *values: str) -> str:
        for value in values:
            if self._takes(value):
                return value
        raise self._expected(" or ".join(values))

    def _expected(self, words: str) -> Exception:
        return fault(self._text, self._tokens[self._next].start, f"write {words} here")


def _number(written: str) -> int | float:
    if written.isdigit() and len(written) <= _EXACT_DIGITS:
        return int(written)
    return float(written)


def _negative(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return -value
    return {"op": "*", "args": [-1, value]}


def _operation(sign: str, left: Any, right: Any) -> dict[str, Any]:
    """`a AND b AND c` becomes one operation, as does OR, so that chains are not deep."""
    name = "<>" if sign == "!=" else sign.lower()
    if name not in ("and", "or"):
        return {"op": name, "args": [left, right]}
    parts = _parts(name, left)
    parts += _parts(name, right)
    return {"op": name, "args": parts}


def _parts(name: str, node: Any) -> list[Any]:
    is_same = isinstance(node, dict) and node.get("op") == name
    return node["args"] if is_same else [node]
