"""The statement of a summary, and its answer.

    rows of the layer → parts (communes or hexes of lines and areas) → shares of old units
      → groups → those that are empty → rates → having, order, limit

Weights: a line or area has its share in a unit or hex; a record of which the old unit is not known
has an equal share in each that it may be of. `count` of points is the sum of these shares, of
lines and areas the number that have a part there; `sum` and `mean` go by shares; `median`, `min`
and `max` are of all that have a share.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Connection,
    Date,
    DateTime,
    Double,
    Integer,
    Select,
    Subquery,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    exists,
    false,
    func,
    literal,
    literal_column,
    null,
    nulls_last,
    or_,
    select,
    table,
    true,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import CTE, FromClause
from sqlalchemy.types import TypeEngine

from gis.boundaries.lineage import Key, old_shares
from gis.boundaries.package_units import REFORM
from gis.boundaries.units import Level, UnitHistory
from gis.clock import HERE, today
from gis.errors import BadInput
from gis.hexes import areas_km2, cells_of_resolution
from gis.placing.reference import stored_territory
from gis.population.store import Population, people_of, stored_population
from gis.population.units import (
    UnitSize,
    commune_sizes,
    has_old_polygons,
    mixed_communes,
    old_sizes,
    parts_of_communes,
)
from layers.cql2 import FilterScope, OperandKind, Property, condition, parse
from layers.definition.model import FieldType, GeometryKind
from layers.items.columns import ItemSource
from layers.items.query import Query, property_of
from layers.items.value_errors import computed
from layers.storage.tables import (
    has_unit_shares,
    hex_cover_of,
    size_measure,
    unit_shares_of,
)
from layers.summary.dimensions import (
    ERA,
    OLD,
    Dimension,
    PlaceGrouping,
    Sql,
    dimensions_of,
    key_of_unit,
    local,
)
from layers.summary.parameters import MEASURED, MOST_GROUPS, SummaryParameters

LEAST_PEOPLE: Final = 50  # with fewer inhabitants one record more or less makes another rate
_DIGITS: Final = 12
_UNTIMED: Final = "none"


@dataclass(frozen=True)
class Summary:
    """The answer: rows of `columns`, of `matched` groups in all, over `total` records.

    `counted` is `records`, or `parts` where a line or area counts in each unit that holds a part of
    it. `population` is where inhabitants are from, where rates are asked for.
    """

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    total: int
    matched: int
    counted: str
    population: Population | None = None
    totals: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def summarise(
    connection: Connection,
    source: ItemSource,
    query: Query,
    parameters: SummaryParameters,
    *,
    scope: FilterScope | None = None,
    language: str = "vi",
    most: int = MOST_GROUPS,
) -> Summary:
    """The summary of the rows that a query selects, with at most `most` groups; `scope` has the
    layer of roads that it may name.

    Raises BadInput and BadFilter, which say what would be right.
    """
    has_units = source.layer.placed and not source.layer.is_view and bool(parameters.groupings)
    history = stored_territory(connection).history if has_units else None
    dimensions = dimensions_of(source, parameters, history, scope)
    statement = _Statement(connection, source, query, parameters, dimensions, history)
    summary = statement.answer(language, most)
    if parameters.totals and len(dimensions) > 1:
        alone = parameters.model_copy(update={"totals": False, "having": None, "sortby": None})
        for dimension in dimensions:
            by_one = alone.model_copy(update={"by": dimension.name})
            each = summarise(
                connection, source, query, by_one, scope=scope, language=language, most=most
            )
            summary.totals[dimension.name] = each.rows
    return summary


@dataclass(frozen=True)
class _Statement:
    connection: Connection
    source: ItemSource
    query: Query
    parameters: SummaryParameters
    dimensions: Sequence[Dimension]
    history: UnitHistory | None

    def answer(self, language: str, most: int) -> Summary:
        self._check()
        with computed():
            groups = self._groups().cte("groups")
            answer = self._table(groups)
            rows = self.connection.execute(self._shown(groups, answer, most)).mappings().all()
        found = [row for row in rows if row["matched"] is not None]
        columns = tuple(_answer_columns(self.dimensions, [str(c.name) for c in answer.c]))
        has_people = "per_1000" in self._rates
        return Summary(
            columns=columns,
            rows=[self._row(row, columns, language) for row in found],
            total=round(rows[0]["total"] or 0),
            matched=found[0]["matched"] if found else 0,
            counted="parts" if self._has_parts else "records",
            population=stored_population(self.connection) if has_people else None,
        )

    # -- what is asked --

    @property
    def _places(self) -> list[PlaceGrouping]:
        return [each.place for each in self.dimensions if each.place is not None]

    @property
    def _has_parts(self) -> bool:
        return has_unit_shares(self.source.layer) and bool(self._places)

    @property
    def _old(self) -> PlaceGrouping | None:
        return next((place for place in self._places if place in OLD), None)

    @property
    def _statistics(self) -> tuple[str, ...]:
        """Those asked for; of lines and areas in units or hexes their parts too."""
        names = self.parameters.columns
        if self.parameters.statistics or not self._has_parts:
            return names
        measure = size_measure(self.source.layer)
        assert measure is not None
        return (*names, "share", measure.name)

    @property
    def _rates(self) -> list[str]:
        return [name for name in self._statistics if name in ("per_1000", "per_km2")]

    @property
    def _needs_size(self) -> bool:
        measure = size_measure(self.source.layer)
        return measure is not None and measure.name in self._statistics

    def _check(self) -> None:
        """Raises BadInput for what has no answer."""
        layer, places = self.source.layer, self._places
        measure = size_measure(layer)
        sizes = ("share", measure.name) if measure is not None else ()
        wrong = [
            name
            for name in self._statistics
            if name in ("share", "length_km", "covered_km2") and name not in sizes
        ]
        if wrong:
            raise BadInput(f"there is no {wrong[0]} of {layer.id}: {_of_shapes(layer.geometry)}")
        if set(places) == set(OLD):
            raise BadInput("an old ward lies in one old district: group by one of them")
        if self._has_parts and PlaceGrouping.HEX in places and len(places) > 1:
            raise BadInput(f"{layer.id} has lines or areas: group them by hexes or by units alone")
        if self._rates and not places:
            raise BadInput(f"{self._rates[0]} needs a place: group by commune, hex or an old unit")
        if self._rates and PlaceGrouping.UNIT_THEN in places:
            raise BadInput(
                f"there is no {self._rates[0]} by units of several days: group by commune, "
                "old_ward or old_district"
            )
        if len(places) > 2:
            raise BadInput("group by one or two kinds of places, and by something else")
        if self._rates and len(places) == 2 and PlaceGrouping.HEX in places:
            raise BadInput(f"{self._rates[0]} is of units or of hexes: group by one of them")
        if "per_1000" in self._rates and stored_population(self.connection) is None:
            raise BadInput(
                "there are no inhabitants to divide by: an administrator loads them with `gis "
                "population load FILE`"
            )

    # -- rows, parts and shares --

    def _rows(self) -> Subquery:
        """The rows with what groups and statistics are made of, each computed once."""
        wanted: list[Any] = [
            each.input.label(f"input_{n}")
            for n, each in enumerate(self.dimensions)
            if each.input is not None
        ]
        if self.parameters.measure is not None:
            wanted.append(_measure(self.source, self.parameters.measure).label("x"))
        if self._has_parts:
            wanted.append(self.source.id.label("id"))
        units = {PlaceGrouping.COMMUNE, PlaceGrouping.UNIT_THEN, *OLD}
        if units & set(self._places):
            wanted += [column("commune", Text()), column("unit_then", Text())]
        if self._old is not None:
            wanted += [_is_old().label("is_old"), self._exact().label("exact")]
        if PlaceGrouping.UNIT_THEN in self._places:
            wanted.append(self._era().label("era"))
        if self._needs_size:
            wanted.append(self._size().label("size"))
        statement: Select[Any] = select(*(wanted or [literal_column("1").label("one")]))
        statement = statement.select_from(self.source.table)
        statement = statement.where(*self.query.conditions(self.source))
        if self._needs_size:  # keeps the planner from computing the size for each part
            statement = statement.offset(0)
        return statement.subquery("rows")

    def _size(self) -> Sql:
        """Length (km) or area (km²) of a row."""
        measure = size_measure(self.source.layer)
        assert measure is not None and self.source.geometry is not None
        shape = func.geography(self.source.geometry)
        is_line = self.source.layer.geometry is GeometryKind.LINE
        size = func.ST_Length(shape) if is_line else func.ST_Area(shape)
        return func.coalesce(size, 0) / measure.unit

    def _era(self) -> Sql:
        """The number of days of change that lie before a row's day; `none` without one."""
        day = func.gis.day_of(column("valid_at"), type_=Date())
        parts = [cast(day >= bindparam(None, each, Date()), Integer()) for each in self._days()]
        era: Sql = sum(parts[1:], parts[0]) if parts else literal(0)
        return case((column("valid_at").is_(None), _UNTIMED), else_=cast(era, Text()))

    def _days(self) -> list[date]:
        assert self.history is not None
        communes = [unit for unit in self.history.units if unit.level is Level.COMMUNE]
        ends = {unit.valid_from for unit in communes} | {unit.valid_to for unit in communes}
        return sorted(day for day in ends if day is not None)

    def _exact(self) -> Sql:
        """The old unit of a point by its polygon, where its commune was made of several."""
        old = self._old
        assert old is not None and self.history is not None
        level = OLD[old]
        if self._has_parts or not self.source.has_points:
            return cast(null(), Text())
        if not has_old_polygons(self.connection, level):
            return cast(null(), Text())
        communes = (unit.code for unit in self.history.on(today(), Level.COMMUNE))
        mixed = mixed_communes(self.history, level, communes)
        unknown = and_(
            column("commune", Text()) == any_(bindparam(None, mixed, ARRAY(Text()))),
            ~and_(_is_old(), column("unit_then").is_not(None)),
            ~column("default_point", Boolean()),
        )
        unit = table(
            "admin_unit", *map(column, ("code", "level", "valid_to", "geom")), schema="gis"
        )
        found = (
            select(unit.c.code)
            .where(
                unit.c.level == level.value,
                unit.c.valid_to == bindparam(None, REFORM, Date()),
                func.ST_Intersects(unit.c.geom, self.source.table.c.geom),
            )
            .order_by(unit.c.code)
            .limit(1)
            .correlate(self.source.table)
            .scalar_subquery()
        )
        return cast(case((unknown, found)), Text())

    def _parts(self) -> FromClause:
        """Rows; of lines and areas their parts in communes or hexes: `share`, `part_size`."""
        rows = self._rows()
        if not self._has_parts:
            return rows
        kept = [c for c in rows.c if c.name not in ("commune", "unit_then", "is_old")]
        if PlaceGrouping.HEX in self._places:
            cover = hex_cover_of(self.source.layer)
            span = cells_of_resolution(self.parameters.resolution)
            measure = size_measure(self.source.layer)
            assert measure is not None
            within = and_(cover.c.id == rows.c.id, cover.c.cell.between(span.first, span.last))
            return (
                select(*kept, cover.c.cell, cover.c.share,
                       (cover.c.size / measure.unit).label("part_size"))
                .select_from(rows.outerjoin(cover, within))
                .subquery("parts")
            )  # fmt: skip
        units = unit_shares_of(self.source.layer)
        is_main = units.c.commune.is_not_distinct_from(rows.c.commune)
        size = func.coalesce(units.c.share, 0) * rows.c.size if self._needs_size else literal(0.0)
        is_old = and_(is_main, rows.c.is_old) if self._old is not None else false()
        return (
            select(
                *kept,
                units.c.commune,
                func.coalesce(units.c.share, 0).label("share"),
                size.label("part_size"),
                # The unit of its day is known of the largest part alone.
                case((is_main, rows.c.unit_then)).label("unit_then"),
                is_old.label("is_old"),
            )
            .select_from(rows.outerjoin(units, units.c.id == rows.c.id))
            .subquery("parts")
        )

    def _keyed(self) -> FromClause:
        """Parts with their keys `key_0`, `key_1`, and their weight `w` in the group."""
        parts: FromClause = self._parts()
        weight: Sql = parts.c.share if self._has_parts else literal(1.0)
        joined: FromClause = parts
        keys: list[Sql] = []
        estimated: Sql = false()
        for n, each in enumerate(self.dimensions):
            if each.place in OLD:
                assert each.place is not None
                held = self._old_units(each.place, parts)
                joined = joined.outerjoin(
                    held, and_(held.c.origin == _origin(parts), parts.c.exact.is_(None))
                )
                keys.append(func.coalesce(parts.c.exact, held.c.code))
                weight = weight * func.coalesce(held.c.share, 1.0)
                estimated = func.coalesce(held.c.share < 1, False)
            elif each.place is PlaceGrouping.UNIT_THEN:
                held = self._units_then()
                joined = joined.outerjoin(
                    held, held.c.origin == parts.c.unit_then + ERA + parts.c.era
                )
                keys.append(held.c.code)
            elif each.place is PlaceGrouping.COMMUNE:
                keys.append(parts.c.commune)
            elif each.place is PlaceGrouping.HEX and self._has_parts:
                keys.append(parts.c.cell)
            else:
                keys.append(parts.c[f"input_{n}"])
        columns: list[Any] = [key.label(f"key_{n}") for n, key in enumerate(keys)]
        if self.parameters.measure is not None:
            columns.append(parts.c.x)
        if self._is_weighted:
            columns += [weight.label("w"), estimated.label("estimated")]
        if self._has_parts:
            columns += [parts.c.id, parts.c.part_size.label("size")]
        elif self._needs_size:
            columns.append(parts.c.size)
        if not columns:
            columns.append(literal_column("1").label("one"))
        keyed = select(*columns).select_from(joined).subquery("keyed")
        return self._once_a_row(keyed) if self._has_parts and self._old is not None else keyed

    def _once_a_row(self, keyed: Subquery) -> Subquery:
        """A line through several communes of one old unit is one line there."""
        by = [keyed.c.id, *(c for c in keyed.c if c.name.startswith("key_"))]
        more = [keyed.c.x] if self.parameters.measure is not None else []
        return (
            select(
                *by,
                *more,
                func.sum(keyed.c.w).label("w"),
                func.sum(keyed.c.size).label("size"),
                func.bool_or(keyed.c.estimated).label("estimated"),
            )
            .group_by(*by, *more)
            .subquery("once")
        )

    @property
    def _is_weighted(self) -> bool:
        return self._has_parts or self._old is not None

    def _old_units(self, place: PlaceGrouping, parts: FromClause) -> FromClause:
        """Old units by the units that rows are known by, with shares."""
        assert self.history is not None
        names = ("unit_then", "commune", "is_old")
        keys = [
            Key(*row)
            for row in self.connection.execute(
                select(*(parts.c[name] for name in names)).distinct()
            )
        ]
        rows = [
            (_origin_text(key), code, share)
            for key in keys
            for code, share in old_shares(self.history, key, OLD[place]).items()
        ]
        return _relation("old_unit", {"origin": Text(), "code": Text(), "share": Double()}, rows)

    def _units_then(self) -> FromClause:
        """Units of all days by their code and the era."""
        assert self.history is not None
        rows: dict[str, str] = {}
        communes = [unit for unit in self.history.units if unit.level is Level.COMMUNE]
        for unit in sorted(communes, key=lambda unit: unit.valid_to or date.max):
            rows[f"{unit.code}{ERA}{_UNTIMED}"] = key_of_unit(unit)
            for era, day in enumerate([date.min, *self._days()]):
                if unit.valid_on(day):
                    rows[f"{unit.code}{ERA}{era}"] = key_of_unit(unit)
        return _relation("unit_of_day", {"origin": Text(), "code": Text()}, list(rows.items()))

    # -- groups --

    def _groups(self) -> Select[Any]:
        keyed = self._keyed()
        keys = [keyed.c[f"key_{n}"] for n in range(len(self.dimensions))]
        counted: Sql = func.count()
        if self._is_weighted and not self._has_parts:
            counted = func.sum(keyed.c.w)
        columns: list[Any] = [counted.label("count")]
        columns += [each.label(name) for name, each in self._measured(keyed)]
        if self._has_parts:
            columns.append(func.sum(keyed.c.w).label("share"))
        elif "share" in self._statistics:
            columns.append(func.count().label("share"))
        if self._needs_size:
            columns.append(func.sum(keyed.c.size).label(_name_of_size(self.source)))
        if self._old is not None:
            columns.append(func.bool_or(keyed.c.estimated).label("estimated"))
        return select(*keys, *columns).select_from(keyed).group_by(*keys)

    def _measured(self, keyed: FromClause) -> Iterable[tuple[str, Sql]]:
        if self.parameters.measure is None:
            return
        x = keyed.c.x
        mean: Sql = func.avg(x)
        total: Sql = func.sum(x)
        if self._is_weighted:
            total = func.sum(x * keyed.c.w)
            weights = func.sum(keyed.c.w).filter(x.is_not(None))
            mean = total / func.nullif(weights, 0)
        known = {
            "values": func.count(x),
            "sum": total,
            "mean": mean,
            "median": func.percentile_cont(0.5).within_group(x),
            "min": func.min(x),
            "max": func.max(x),
        }
        yield from ((name, known[name]) for name in MEASURED if name in self._statistics)

    def _with_empty(self, groups: CTE) -> FromClause:
        """The groups with, or alone, those that have no record."""
        if self.parameters.empty == "no" or not self.dimensions:
            return groups
        expected = [self._expected(n, each, groups) for n, each in enumerate(self.dimensions)]
        keys = [each.c[f"key_{n}"] for n, each in enumerate(expected)]
        product: FromClause = expected[0]
        for other in expected[1:]:
            product = product.join(other, true())
        there = exists().where(*(groups.c[f"key_{n}"] == key for n, key in enumerate(keys)))
        zero = {"count", "values", "share", "length_km", "covered_km2"}
        rest = [
            (cast(literal(0), c.type) if c.name in zero else
             false() if c.name == "estimated" else cast(null(), c.type)).label(c.name)
            for c in groups.c
            if not c.name.startswith("key_")
        ]  # fmt: skip
        empty = select(*keys, *rest).select_from(product).where(~there)
        if self.parameters.empty == "only":
            return empty.subquery("all_groups")
        return union_all(select(groups), empty).subquery("all_groups")

    def _expected(self, n: int, dimension: Dimension, groups: CTE) -> FromClause:
        """All keys that a dimension may have, as a relation of `key_<n>`."""
        name = f"key_{n}"
        key = groups.c[name]
        if dimension.values is not None:
            rows = [(value,) for value in dimension.values]
            return _relation(f"expected_{n}", {name: dimension.type}, rows)
        if dimension.step is None:
            return select(key).where(key.is_not(None)).distinct().subquery(f"expected_{n}")
        first, last = self._ends(dimension.name)
        start = func.coalesce(
            _bound(first, dimension.name), select(func.min(key)).scalar_subquery()
        )
        end = func.coalesce(_bound(last, dimension.name), select(func.max(key)).scalar_subquery())
        step: Sql = literal_column(f"interval '{dimension.step}'")
        series = func.generate_series(start, end, step).table_valued(
            column("moment"), name=f"series_{n}"
        )
        series = series.render_derived()
        return select(cast(series.c.moment, Date()).label(name)).subquery(f"expected_{n}")

    def _ends(self, name: str) -> tuple[date | None, date | None]:
        """The days that a query begins and ends with, where the dimension goes by the same time."""
        span = self.query.time
        if span is None or self.parameters.time is not None:
            return None, None
        first, last = (at and at.astimezone(HERE).date() for at in (span.start, span.end))
        return first, last

    # -- the answer --

    def _table(self, groups: CTE) -> Subquery:
        """The columns of the answer, and the keys by which they are named."""
        every = self._with_empty(groups)
        columns: list[Any] = []
        for n, each in enumerate(self.dimensions):
            key = every.c[f"key_{n}"]
            columns += [key.label(f"key_{n}"), each.shown(key).label(each.name)]
            if each.place is PlaceGrouping.UNIT_THEN:
                since = func.nullif(func.split_part(key, ERA, 2, type_=Text()), "")
                columns.append(since.label("unit_then_since"))
        joined = every
        sizes = self._sizes(groups) if self._rates else None
        rates: dict[str, Sql] = {}
        if sizes is not None:
            same = [
                every.c[f"key_{n}"] == sizes.c[f"place_{n}"]
                for n, each in enumerate(self.dimensions)
                if each.place is not None
            ]
            joined = every.outerjoin(sizes, and_(*same))
            many = case((sizes.c.people >= LEAST_PEOPLE, sizes.c.people))
            rates = {
                "per_1000": 1000 * every.c.count / many,
                "per_km2": every.c.count / func.nullif(sizes.c.area_km2, 0),
            }
            columns += [sizes.c.people] if "per_1000" in self._rates else []
            columns += [sizes.c.area_km2] if "per_km2" in self._rates else []
        for name in self._statistics:
            columns.append((rates[name] if name in rates else every.c[name]).label(name))
        estimated: list[Sql] = [every.c.estimated] if self._old is not None else []
        if sizes is not None:
            estimated.append(func.coalesce(sizes.c.estimated, False))
        if self._old is not None:
            columns.append(or_(*estimated).label("estimated"))
        return select(*columns).select_from(joined).subquery("summary")

    def _shown(self, groups: CTE, answer: Subquery, most: int) -> Select[Any]:
        columns = {str(c.name): c for c in answer.c if not str(c.name).startswith("key_")}
        kinds = {each.name: each.kind for each in self.dimensions} | {
            "estimated": OperandKind.BOOLEAN, "unit_then_since": OperandKind.TEXT,
        }  # fmt: skip
        rows = select(answer, func.count().over().label("matched"))
        if self.parameters.having is not None:
            properties = {
                name: Property(kinds.get(name, OperandKind.NUMBER), c)
                for name, c in columns.items()
            }
            try:
                rows = rows.where(condition(parse(self.parameters.having), properties))
            except BadInput as error:
                raise type(error)(f"having: {error}") from None
        order = self._order(columns)
        limit = min(self.parameters.limit or most, most)
        found = rows.order_by(*order).limit(limit).subquery("found")
        total = self._total(groups).subquery("whole")
        return (
            select(total.c.total, found)
            .select_from(total.outerjoin(found, true()))
            .order_by(*self._order({str(c.name): c for c in found.c}))
        )

    def _total(self, groups: CTE) -> Select[Any]:
        if not self._has_parts:
            return select(func.sum(groups.c.count).label("total"))
        return (
            select(func.count().label("total"))
            .select_from(self.source.table)
            .where(*self.query.conditions(self.source))
        )

    def _order(self, columns: dict[str, Any]) -> list[Any]:
        """As asked for, then by the keys, so that the order is always the same."""
        keys: list[Any] = []
        for word in filter(
            None, (part.strip() for part in (self.parameters.sortby or "").split(","))
        ):
            name = word.lstrip("+-").strip()
            if name not in columns or name.startswith("key_") or name == "matched":
                known = ", ".join(n for n in columns if not n.startswith("key_"))
                raise BadInput(f"there is no column {name!r} to sort by: there are {known}")
            keys.append(
                nulls_last(columns[name].desc() if word.startswith("-") else columns[name].asc())
            )
        for each in self.dimensions:
            c = columns[each.name]
            keys.append(nulls_last(c.collate("C") if each.kind is OperandKind.TEXT else c))
        return keys

    def _sizes(self, groups: CTE) -> FromClause:
        """Inhabitants and areas of the places, as a relation of `place_<n>`, people, area_km2."""
        numbers = [n for n, each in enumerate(self.dimensions) if each.place is not None]
        places = self._places
        if places == [PlaceGrouping.HEX]:
            return self._sizes_of_hexes(numbers[0], groups)
        sizes: dict[tuple[str, ...], UnitSize]
        if len(places) == 2:
            assert self._old is not None
            sizes = parts_of_communes(self.connection, OLD[self._old])
            if places[0] is self._old:
                sizes = {(old, commune): size for (commune, old), size in sizes.items()}
        elif self._old is not None:
            sizes = old_sizes(self.connection, OLD[self._old])
        else:
            sizes = commune_sizes(self.connection)
        rows = [(*key, size.people, size.area_km2, size.estimated) for key, size in sizes.items()]
        types: dict[str, TypeEngine[Any]] = {f"place_{n}": Text() for n in numbers}
        return _relation("sizes", types | _SIZE_TYPES, rows)

    def _sizes_of_hexes(self, n: int, groups: CTE) -> FromClause:
        key = groups.c[f"key_{n}"]
        cells = np.array(
            self.connection.scalars(select(key).where(key.is_not(None)).distinct()).all(), np.int64
        )
        people = people_of(self.connection, cells)
        rows = [
            (int(cell), float(some), float(area), False)
            for cell, some, area in zip(cells, people, areas_km2(cells), strict=True)
        ]
        return _relation("sizes", {f"place_{n}": BigInteger()} | _SIZE_TYPES, rows)

    def _row(self, row: Any, columns: Sequence[str], language: str) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for n, each in enumerate(self.dimensions):
            answer[each.name] = row[each.name]
            if each.is_named:
                words = each.names.get(row[f"key_{n}"])
                answer[f"{each.name}_name"] = words and getattr(words, language)
        return {name: answer.get(name, _plain(row.get(name))) for name in columns}


_SIZE_TYPES: Final[dict[str, TypeEngine[Any]]] = {
    "people": Double(), "area_km2": Double(), "estimated": Boolean(),
}  # fmt: skip


def _answer_columns(dimensions: Sequence[Dimension], columns: Sequence[str]) -> Iterable[str]:
    names = {each.name: each for each in dimensions}
    for name in columns:
        if name.startswith("key_"):
            continue
        yield name
        if name in names and names[name].is_named:
            yield f"{name}_name"


def _plain(value: Any) -> Any:
    """Numbers with twelve digits: enough for any sum, without the noise of floats."""
    if value is None or isinstance(value, bool | int | str | date):
        return value
    number = float(f"{float(value):.{_DIGITS}g}")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _measure(source: ItemSource, name: str) -> Sql:
    """The number that is summed: a field, or the hours from one time to another."""
    first, slash, last = name.partition("/")
    if slash:
        since, until = (property_of(source, each.strip()) for each in (first, last))
        for served in (since, until):
            if served.type not in (FieldType.DATE, FieldType.DATETIME):
                raise BadInput(f"measure={name!r} is wrong: {served.name} is no time")
        ends = (cast(local(each), DateTime()) for each in (since, until))
        start, end = ends
        seconds = func.extract("epoch", end - start)
        return cast(seconds, Double()) / 3600
    served = property_of(source, name)
    if served.type not in (FieldType.INTEGER, FieldType.NUMBER):
        raise BadInput(
            f"measure={name!r} is wrong: {name} is a {served.type}; name a field of numbers, or "
            "two times such as received_at/answered_at"
        )
    number: Sql = cast(served.sql, Double())
    return case((func.abs(number) < cast("Infinity", Double()), number))  # NaN is no value


def _name_of_size(source: ItemSource) -> str:
    measure = size_measure(source.layer)
    assert measure is not None
    return measure.name


def _of_shapes(kind: GeometryKind) -> str:
    return {
        GeometryKind.LINE: "lines have share and length_km",
        GeometryKind.POLYGON: "areas have share and covered_km2",
    }.get(kind, "it has neither lines nor areas")


def _is_old() -> ColumnElement[bool]:
    day = func.gis.day_of(column("valid_at"), type_=Date())
    reform = bindparam(None, REFORM, Date())
    return and_(column("valid_at").is_not(None), day < reform)


def _origin(parts: FromClause) -> Sql:
    """The units that a row is known by, as one text, by which it can be joined."""
    flag = case((parts.c.is_old, "|t"), else_="|f")
    return func.coalesce(parts.c.unit_then, "") + "|" + func.coalesce(parts.c.commune, "") + flag


def _origin_text(key: Key) -> str:
    return f"{key.then or ''}|{key.commune or ''}|{'t' if key.is_old else 'f'}"


def _relation(
    name: str, types: dict[str, TypeEngine[Any]], rows: Sequence[Sequence[Any]]
) -> FromClause:
    """Rows as a relation: each column is bound as one array."""
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    arrays = [
        _array(list(values), kind) for values, kind in zip(columns, types.values(), strict=True)
    ]
    names: list[Any] = [column(each, kind) for each, kind in types.items()]
    return func.unnest(*arrays).table_valued(*names, name=name).render_derived()


def _array(values: list[Any], kind: TypeEngine[Any]) -> Sql:
    return cast(bindparam(None, values, ARRAY(kind)), ARRAY(kind))


def _bound(day: date | None, unit: str) -> Sql:
    """The beginning of the year, month or so that holds a day."""
    return cast(func.date_trunc(unit, cast(bindparam(None, day, Date()), Date())), Date())
