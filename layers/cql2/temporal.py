"""Temporal functions: Allen's relations of instants and intervals (OGC 21-065r2, 7.9).

A day among instants is the span of that day in Vietnam; among days it stays a day.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Date, DateTime, Text, bindparam, cast, func, literal_column, not_
from sqlalchemy.sql.elements import ColumnElement

from gis.errors import BadFilter
from layers.cql2.operands import Operand, OperandKind, Sql
from layers.cql2.scalars import Properties, date_literal, scalar, timestamp_literal

Condition = ColumnElement[bool]
_ZONE = "Asia/Ho_Chi_Minh"
_NEARLY_A_DAY: Sql = literal_column("interval '1 day' - interval '1 microsecond'")


@dataclass(frozen=True)
class Span:
    """From `start` to `end`, both included; None is an open end. `kind` None: both are open."""

    kind: OperandKind | None
    start: Sql | None
    end: Sql | None


@dataclass(frozen=True)
class _Ends:
    start: Sql
    end: Sql


Relation = Callable[[_Ends, _Ends], Condition]


def temporal(op: str, args: Any, properties: Properties) -> Condition:
    """The condition of a temporal function; raises BadFilter."""
    if not isinstance(args, list) or len(args) != 2:
        raise BadFilter(f"{op.upper()} takes two instants or intervals")
    spans = [_span(arg, properties) for arg in args]
    mixed = {span.kind for span in spans if span.kind} != {OperandKind.DATE}
    left, right = (_ends(span, as_instants=mixed) for span in spans)
    return RELATIONS[op.lower()](left, right)


def _span(node: Any, properties: Properties) -> Span:
    if isinstance(node, dict) and "interval" in node:
        return _interval(node["interval"], properties)
    operand = scalar(node, properties)
    if operand.kind not in (OperandKind.DATE, OperandKind.TIMESTAMP):
        raise BadFilter(
            f"a temporal function takes dates and timestamps, not a {operand.kind}: write "
            "DATE('2024-09-10') or TIMESTAMP('2024-09-10T08:00:00Z')"
        )
    return Span(operand.kind, operand.sql, operand.sql)


def _interval(ends: Any, properties: Properties) -> Span:
    if not isinstance(ends, list) or len(ends) != 2:
        raise BadFilter("INTERVAL takes a start and an end; '..' is an open end")
    start, end = (_end(node, properties) for node in ends)
    kinds = {each.kind for each in (start, end) if each is not None}
    if len(kinds) > 1:
        raise BadFilter("the ends of an INTERVAL must be both dates or both timestamps")
    return Span(
        kinds.pop() if kinds else None, start.sql if start else None, end.sql if end else None
    )


def _end(node: Any, properties: Properties) -> Operand | None:
    if node == "..":
        return None
    if isinstance(node, str):
        return timestamp_literal(node) if "T" in node.upper() else date_literal(node)
    operand = scalar(node, properties)
    if operand.kind not in (OperandKind.DATE, OperandKind.TIMESTAMP):
        raise BadFilter(f"an end of an INTERVAL is a date or a timestamp, not a {operand.kind}")
    return operand


def _ends(span: Span, *, as_instants: bool) -> _Ends:
    kind = DateTime(timezone=True) if as_instants else Date()
    start = cast(bindparam(None, "-infinity", Text()), kind) if span.start is None else span.start
    end = cast(bindparam(None, "infinity", Text()), kind) if span.end is None else span.end
    if as_instants and span.kind is OperandKind.DATE:
        start = start if span.start is None else _midnight(start)
        end = end if span.end is None else _midnight(end) + _NEARLY_A_DAY
    return _Ends(start, end)


def _midnight(day: Sql) -> Sql:
    return func.timezone(_ZONE, cast(day, DateTime()))


def _intersects(a: _Ends, b: _Ends) -> Condition:
    return (a.start <= b.end) & (a.end >= b.start)


RELATIONS: dict[str, Relation] = {
    "t_after": lambda a, b: a.start > b.end,
    "t_before": lambda a, b: a.end < b.start,
    "t_contains": lambda a, b: (a.start < b.start) & (a.end > b.end),
    "t_disjoint": lambda a, b: not_(_intersects(a, b)),
    "t_during": lambda a, b: (a.start > b.start) & (a.end < b.end),
    "t_equals": lambda a, b: (a.start == b.start) & (a.end == b.end),
    "t_finishedby": lambda a, b: (a.start < b.start) & (a.end == b.end),
    "t_finishes": lambda a, b: (a.start > b.start) & (a.end == b.end),
    "t_intersects": _intersects,
    "t_meets": lambda a, b: a.end == b.start,
    "t_metby": lambda a, b: a.start == b.end,
    "t_overlappedby": lambda a, b: (a.start > b.start) & (a.start < b.end) & (a.end > b.end),
    "t_overlaps": lambda a, b: (a.start < b.start) & (a.end > b.start) & (a.end < b.end),
    "t_startedby": lambda a, b: (a.start == b.start) & (a.end > b.end),
    "t_starts": lambda a, b: (a.start == b.start) & (a.end < b.end),
}
