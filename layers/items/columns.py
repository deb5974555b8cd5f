"""The columns of a layer that clients see, filter and sort by, and their SQL."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, DateTime, Double, Text, cast, column, func, table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import FromClause
from sqlalchemy.types import TypeEngine

from layers.definition.model import (
    FeedSource,
    FieldType,
    FileSource,
    GeometryKind,
    Layer,
    LocalizedText,
    ViewSource,
)
from layers.items.results import rows_of, run_of
from layers.items.statements import StatementCache

SQL_TYPES: dict[FieldType, TypeEngine[Any]] = {
    FieldType.TEXT: Text(),
    FieldType.INTEGER: BigInteger(),
    FieldType.NUMBER: Double(),
    FieldType.BOOLEAN: Boolean(),
    FieldType.DATE: Date(),
    FieldType.DATETIME: DateTime(timezone=True),
}


@dataclass(frozen=True)
class ServedColumn:
    """One property of an item. `sql` reads it from the layer's table."""

    name: str
    type: FieldType
    label: LocalizedText
    sql: ColumnElement[Any]
    unit: str | None = None
    values: dict[str, LocalizedText] = field(default_factory=dict)
    description: LocalizedText | None = None
    required: bool = False
    writable: bool = False
    free_text: bool = False


@dataclass(frozen=True)
class ItemSource:
    """The table of a layer's items (of a result: its part of one) and the columns served of it."""

    layer: Layer
    table: FromClause
    id: ColumnElement[Any]
    geometry: ColumnElement[Any] | None
    time: ServedColumn | None
    end: ServedColumn | None  # where a row holds for a span of days, that from which it does not
    latest: bool  # unless a time is asked for, only rows that hold still
    properties: tuple[ServedColumn, ...]
    statements: StatementCache = field(default_factory=StatementCache, compare=False, repr=False)

    @property
    def by_default(self) -> list[ColumnElement[bool]]:
        """The conditions on the rows that are served when no time is asked for."""
        return [self.end.sql.is_(None)] if self.latest and self.end is not None else []

    @cached_property
    def by_name(self) -> dict[str, ServedColumn]:
        return {served.name: served for served in self.properties}

    @property
    def has_points(self) -> bool:
        return self.layer.geometry is GeometryKind.POINT


def source_of(layer: Layer) -> ItemSource:
    """The item source of a layer; personal fields are in no layer table and never served."""
    names = ["id", *([] if layer.geometry is GeometryKind.NONE else ["geom"])]
    properties = tuple(_properties(layer))
    by_name = {served.name: served for served in properties}
    run = run_of(layer.id)
    rows = (
        table(layer.id, *(column(name) for name in names), schema="layer")
        if run is None
        else rows_of(run, layer.id, {each.name: SQL_TYPES[each.type] for each in properties})
    )
    return ItemSource(
        layer=layer,
        table=rows,
        id=column("id", BigInteger()),
        geometry=column("geom") if "geom" in names else None,
        time=by_name.get("valid_from" if _has_span(layer) else "valid_at"),
        end=by_name.get("valid_to") if _has_span(layer) else None,
        latest=isinstance(layer.source, ViewSource) and layer.source.latest,
        properties=properties,
    )


def _has_time(layer: Layer) -> bool:
    return layer.source.time is not None and not _has_span(layer)


def _has_span(layer: Layer) -> bool:
    return layer.source.time == "valid_from_to"


def _properties(layer: Layer) -> Iterator[ServedColumn]:
    for name, declared in layer.public_fields.items():
        yield ServedColumn(
            name=name,
            type=declared.type,
            label=declared.label,
            sql=column(name, SQL_TYPES[declared.type]),
            unit=declared.unit,
            values=declared.values or {},
            description=declared.description,
            required=declared.required,
            writable=isinstance(layer.source, FileSource) and name not in layer.measured_fields,
            free_text=declared.free_text,
        )
    taken = set(layer.fields)
    yield from (own for own in _own_columns(layer) if own.name not in taken)


def _own_columns(layer: Layer) -> Iterator[ServedColumn]:
    """The columns that a layer has beside its fields; a view has only its time."""
    if _has_time(layer):
        yield _VALID_AT if layer.series is None else replace(_VALID_AT, writable=False)
    if not layer.is_view:
        if layer.placed:
            yield from _PLACING
        yield from _RECORD
        if isinstance(layer.source, FeedSource) and layer.source.deletions == "mark":
            yield _GONE_AT


def _column(
    name: str, kind: FieldType, vi: str, en: str, unit: str | None = None, *, writable: bool = False
) -> ServedColumn:
    words = LocalizedText(vi=vi, en=en)
    return ServedColumn(name, kind, words, column(name, SQL_TYPES[kind]), unit, writable=writable)


_VALID_AT = _column(
    "valid_at", FieldType.DATETIME, "Thời điểm xảy ra", "When it happened", writable=True
)
_PLACING = (
    ServedColumn(
        "h3",
        FieldType.TEXT,
        LocalizedText(vi="Ô lục giác H3, độ phân giải 11", en="H3 cell, resolution 11"),
        func.gis.h3_text(column("h3", BigInteger()), type_=Text()),
    ),
    _column("commune", FieldType.TEXT, "Mã xã, phường hiện nay", "Code of the commune of today"),
    _column("unit_then", FieldType.TEXT, "Mã xã, phường khi đó", "Code of the commune of its day"),
    _column("place_method", FieldType.TEXT, "Cách xác định vị trí", "How it was placed"),
    _column(
        "place_confidence", FieldType.NUMBER, "Độ tin cậy vị trí", "Confidence of the place", "1"
    ),
    _column("place_precision_m", FieldType.NUMBER, "Độ chính xác vị trí", "Precision", "m"),
)
_RECORD = (
    _column("updated_at", FieldType.DATETIME, "Cập nhật lúc", "Last changed"),
    _column("source", FieldType.TEXT, "Nguồn", "Source"),
    ServedColumn(
        "simulated",
        FieldType.BOOLEAN,
        LocalizedText(vi="Dữ liệu mô phỏng", en="Simulated"),
        func.coalesce(cast(column("provenance", JSONB())["simulated"].astext, Boolean()), False),
    ),
)
_GONE_AT = ServedColumn(
    "gone_at",
    FieldType.DATETIME,
    LocalizedText(vi="Nguồn không còn từ", en="Not at its source since"),
    cast(column("provenance", JSONB())["gone"].astext, DateTime(timezone=True)),
)
