"""Items as GeoJSON that PostgreSQL writes, so that text stays as it is and nothing is parsed."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause, Select

from gis.access import Principal, may_read
from gis.errors import BadInput, NotFound
from layers.definition.model import GeometryKind
from layers.items.columns import ItemSource, ServedColumn
from layers.items.counting import CAP, Count, CountKind, count, estimate
from layers.items.crs import CRS84, Crs
from layers.items.export_area import check_export_area
from layers.items.paging import Cursor, SortKey, SortOrder
from layers.items.query import Query, property_of
from layers.items.value_errors import computed

_MOST = "most_rows"
_EXACT_IN_JSON = 2**53 - 1  # RFC 8259, section 6: integers beyond it lose digits in most clients


@dataclass(frozen=True)
class PageRequest:
    """A page to be read: which items, in what order, in which CRS.

    `properties` None: all of them. `limit` is in items.
    """

    query: Query = field(default_factory=Query)
    limit: int = 1_000
    sort: tuple[SortKey, ...] = ()
    cursor: str | None = None
    crs: Crs = CRS84
    properties: tuple[str, ...] | None = None
    geometry: bool = True


@dataclass(frozen=True)
class Page:
    """GeoJSON features as text, and the cursors of the pages around them, None at an end."""

    features: list[str]
    count: Count
    next: str | None
    prev: str | None


def read_page(
    connection: Connection,
    source: ItemSource,
    request: PageRequest,
    principal: Principal,
    known_count: Count | None = None,
) -> Page:
    """The page of a request.

    `known_count` spares the counting where the caller knows how many match. Raises NotFound where
    the principal may not read the layer, NotAllowed where he may not take so much of it, BadFilter
    or BadInput for a request that is wrong.
    """
    require_readable(source, principal)
    if request.geometry:
        check_export_area(source.layer, request.query.box, principal)
    order = SortOrder(source, request.sort)
    cursor = Cursor.of(request.cursor, order.name) if request.cursor else None
    number = cursor.count if cursor is not None and cursor.count is not None else known_count
    with computed():
        if number is None and cursor is None:
            rows, number = _first_rows(connection, source, request, order)
        else:
            rows = _rows(connection, source, request, order, cursor)
        number = number or _count(connection, source, request.query)
    return _page(rows, order, number, request.limit, cursor)


def _first_rows(
    connection: Connection, source: ItemSource, request: PageRequest, order: SortOrder
) -> tuple[Sequence[Any], Count]:
    """The rows of the first page, one more where there is one, and how many match.

    Where few match, one statement finds, counts and sorts them.
    """
    expected = estimate(connection, source, request.query)
    if expected <= CAP and not request.query.is_everything:
        rows = _rows(connection, source, request, order, None, counting=True)
        matched = rows[0].matched if rows else 0
        if matched <= CAP:
            return rows, Count(matched, CountKind.EXACT)
    rows = _rows(connection, source, request, order, None)
    if len(rows) <= request.limit:
        return rows, Count(len(rows), CountKind.EXACT)
    return rows, count(connection, source, request.query, expected)


def _count(connection: Connection, source: ItemSource, query: Query) -> Count:
    return count(connection, source, query, estimate(connection, source, query))


def _rows(
    connection: Connection,
    source: ItemSource,
    request: PageRequest,
    order: SortOrder,
    cursor: Cursor | None,
    *,
    counting: bool = False,
) -> Sequence[Any]:
    """The rows of the page in the direction of the cursor, and one more where there is one."""

    def build() -> Select[Any]:
        beyond = [order.beyond(cursor)] if cursor else []
        conditions = [*request.query.conditions(source), *beyond]
        backward = cursor is not None and cursor.backward
        return _select(source, request, order, conditions, backward=backward, counting=counting)

    values = request.query.values(source) | {_MOST: request.limit + 1}
    if cursor is not None:
        values |= order.values(cursor)
    shape = _shape(request, order, cursor, counting=counting)
    return source.statements.run(connection, shape, build, values)


def _shape(
    request: PageRequest, order: SortOrder, cursor: Cursor | None, *, counting: bool
) -> Hashable | None:
    """The key of the statement of a page in the cache; None where a filter makes it unique."""
    if request.query.shape is None:
        return None
    direction = cursor and (cursor.backward, tuple(value is None for value in cursor.values))
    answer = (request.crs, request.properties, request.geometry)
    return "page", request.query.shape, order.name, direction, answer, counting


def read_item(
    connection: Connection, source: ItemSource, item_id: str, crs: Crs, principal: Principal
) -> str:
    """One item as the text of a GeoJSON feature in `crs`.

    Raises NotFound where there is no such item, or the principal may not read the layer.
    """
    require_readable(source, principal)
    request = PageRequest(limit=1, crs=crs)
    row = connection.execute(
        _select(source, request, SortOrder(source), [source.id == id_of(source, item_id)])
    ).one_or_none()
    if row is None:
        raise no_item(source, item_id)
    return str(row[0])


def require_readable(source: ItemSource, principal: Principal) -> None:
    """Raises NotFound where the principal may not read the layer, as if there were none."""
    layer = source.layer
    if not may_read(principal, layer.access.read, layer.id):
        raise NotFound(f"there is no layer {layer.id}, or this key may not read it")


def no_item(source: ItemSource, item_id: str) -> NotFound:
    return NotFound(f"the layer {source.layer.id} has no item {item_id!r}")


def id_of(source: ItemSource, text: str) -> int:
    """An item's id: decimal, or the 15 hexadecimal digits of an H3 cell; raises NotFound."""
    try:
        if len(text) == 15 and text[0] == "8" and text == text.lower():
            return int(text, 16)
        if not (text.isascii() and text.isdigit()) or len(text) > 18:
            raise ValueError(text)
        return int(text)
    except ValueError:
        raise no_item(source, text) from None


def _page(
    rows: Sequence[Any], order: SortOrder, number: Count, limit: int, cursor: Cursor | None
) -> Page:
    backward = cursor is not None and cursor.backward
    more = len(rows) > limit
    rows = rows[:limit][:: -1 if backward else 1]

    def at(row: Any, *, backward: bool) -> str:
        keys = tuple(row[1 : 1 + order.length])
        return Cursor(keys, backward, order.name, number).as_text()

    has_next = bool(rows) and (more or backward)
    has_prev = bool(rows) and (more if backward else cursor is not None)
    return Page(
        features=[row[0] for row in rows],
        count=number,
        next=at(rows[-1], backward=False) if has_next else None,
        prev=at(rows[0], backward=True) if has_prev else None,
    )


def _select(
    source: ItemSource,
    request: PageRequest,
    order: SortOrder,
    conditions: Sequence[ColumnElement[bool]],
    *,
    backward: bool = False,
    counting: bool = False,
) -> Select[Any]:
    """Rows of (feature as text, sort values as text), one more than the limit.

    The page is cut before anything is written as JSON, so that only its rows are. `counting`: all
    rows that match are found first, at most CAP + 1, and their number is in each row as `matched`.
    """
    properties = chosen(source, request.properties)
    rows: FromClause = source.table
    matched: list[ColumnElement[Any]] = []
    if counting:
        rows = _whole_rows(source, conditions).limit(CAP + 1).cte("few")
        matched = [select(func.count()).select_from(rows).scalar_subquery().label("matched")]
        conditions = ()
    geometry = [] if source.geometry is None else [source.geometry.label("geom")]
    values = [served.sql.label(f"p_{served.name}") for served in properties]
    keys = [key.label(f"key_{i}") for i, key in enumerate(order.keys())]
    page = (
        select(source.id.label("id"), *geometry, *values, *keys)
        .select_from(rows)
        .where(*conditions)
        .order_by(*order.by(backward=backward))
        .limit(bindparam(_MOST, request.limit + 1, Integer()))
        .subquery("page")
    )
    feature = _feature(source, properties, request)
    return select(feature, *(page.c[key.name] for key in keys), *matched)


def _whole_rows(source: ItemSource, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    whole: Select[Any] = select(literal_column("*"))
    return whole.select_from(source.table).where(*conditions)


def _feature(
    source: ItemSource, properties: Sequence[ServedColumn], request: PageRequest
) -> ColumnElement[Any]:
    row_id: ColumnElement[Any] = literal_column("page.id", BigInteger())
    geometry: ColumnElement[Any] = literal_column("page.geom")
    if source.layer.geometry is GeometryKind.POLYGON:
        geometry = func.ST_ForcePolygonCCW(geometry)  # RFC 7946, 3.1.6: rows of views may be others
    geometry = literal("null") if source.geometry is None else geometry_json(geometry, request)
    if not properties:
        return feature_json(row_id, geometry, literal("{}"))
    # Safe as literals: the names of fields are plain letters (layers.definition.model.Identifier).
    values: list[Any] = [
        literal_column(f"page.p_{served.name}").label(served.name) for served in properties
    ]
    values_row = select(*values).subquery("_row")  # no field is named so
    properties_json = select(func.row_to_json(values_row.table_valued())).scalar_subquery()
    return feature_json(row_id, geometry, cast(properties_json, Text()))


def feature_json(
    row_id: ColumnElement[Any], geometry: ColumnElement[Any], properties: ColumnElement[Any]
) -> ColumnElement[Any]:
    return func.concat(
        '{"type":"Feature","id":',
        id_json(row_id),
        ',"geometry":',
        geometry,
        ',"properties":',
        properties,
        "}",
    )


def id_json(row_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """A number, or the 15 hexadecimal digits of an H3 cell where a number would lose digits."""
    return case(
        (row_id <= _EXACT_IN_JSON, cast(row_id, Text())),
        else_=func.concat('"', func.gis.h3_text(row_id), '"'),
    )


def geometry_json(geometry: ColumnElement[Any], request: PageRequest) -> ColumnElement[Any]:
    if not request.geometry:
        return literal("null")
    geojson = func.ST_AsGeoJSON(in_crs(geometry, request.crs), request.crs.decimals, 0)
    return func.coalesce(geojson, "null")


def in_crs(geometry: ColumnElement[Any], crs: Crs) -> ColumnElement[Any]:
    """The stored geometry in the CRS, in the order of its axes."""
    moved = geometry if crs.srid == CRS84.srid else func.ST_Transform(geometry, crs.srid)
    return func.ST_FlipCoordinates(moved) if crs.yx else moved


def chosen(source: ItemSource, names: Sequence[str] | None) -> tuple[ServedColumn, ...]:
    if names is None:
        return source.properties
    if len(set(names)) != len(names):
        raise BadInput("properties: a name is given twice")
    return tuple(property_of(source, name) for name in names)
