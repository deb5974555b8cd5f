"""Counts of a layer's records by unit, of today or of before the reform."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection, func, select

from api.dependencies import Caller, Reader, UsedCatalogue
from api.ogc.negotiation import only_known
from api.ogc.parameters import query_of
from gis.boundaries.lineage import Key, UnitCount, counts_by_commune, counts_by_old_district
from gis.boundaries.package_units import REFORM
from gis.boundaries.units import Level, UnitHistory
from gis.clock import today
from gis.errors import BadInput
from gis.placing.reference import stored_territory
from layers.items import ItemSource, source_of
from layers.items import Query as ItemQuery
from layers.items.value_errors import computed
from layers.storage.tables import has_unit_shares, table_of, unit_shares_of

router = APIRouter(tags=["counts"])

By = Annotated[
    Literal["commune", "district"],
    Query(description="commune: of today; district: of before 1 July 2025"),
]
_FILTERS = ("datetime", "bbox", "bbox-crs", "filter", "filter-lang", "filter-crs")


@router.get("/counts/{layer_id}")
def counts(
    layer_id: str,
    request: Request,
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    by: By = "commune",
) -> dict[str, Any]:
    """Records by unit; `filter`, `datetime` and `bbox` mean what they do on items.

    `estimated` says that some records of a unit were shared among several. Both ways of counting
    have the same total. A line or area counts in each commune of today that holds a part of it:
    `share` is the sum of these parts, of 1 for a whole one. In districts it counts where its
    largest part lies.
    """
    layer = catalogue.get_readable(layer_id, caller)
    if layer.is_view or not layer.placed:
        raise BadInput(f"the records of {layer_id} are not placed in units")
    source = source_of(layer)
    only_known(request, ("by", *_FILTERS, *source.by_name))
    query = query_of(dict(request.query_params), source)
    history = stored_territory(connection).history
    if has_unit_shares(layer) and by == "commune":
        total, shared = _by_intersection(connection, source, query, history)
        return {"layer": layer_id, "by": by, "total": total, "units": shared}
    by_key = _by_key(connection, source, query)
    if by == "commune":
        units = counts_by_commune(history, by_key, today())
    else:
        units = counts_by_old_district(history, by_key, REFORM - timedelta(days=1))
    return {"layer": layer_id, "by": by, "total": sum(by_key.values()), "units": _as_json(units)}


def _by_key(connection: Connection, source: ItemSource, query: ItemQuery) -> dict[Key, int]:
    columns = table_of(source.layer).c
    day = func.timezone("Asia/Ho_Chi_Minh", columns.valid_at)
    is_old = func.coalesce(day < _start(REFORM), False)
    keys = (columns.unit_then, columns.commune, is_old)
    statement = select(*keys, func.count()).where(*query.conditions(source)).group_by(*keys)
    with computed():
        rows = connection.execute(statement).all()
    return {Key(then, commune, old): count for then, commune, old, count in rows}


def _by_intersection(
    connection: Connection, source: ItemSource, query: ItemQuery, history: UnitHistory
) -> tuple[int, list[dict[str, Any]]]:
    """The number of lines or areas, and those in each commune; last those in none, if any."""
    table, units = table_of(source.layer), unit_shares_of(source.layer)
    rows = select(table.c.id).where(*query.conditions(source)).subquery()
    joined = rows.outerjoin(units, units.c.id == rows.c.id)
    counts = (func.count(), func.coalesce(func.sum(units.c.share), 0))
    by_commune = select(units.c.commune, *counts).select_from(joined).group_by(units.c.commune)
    with computed():
        total = connection.scalar(select(func.count()).select_from(rows)) or 0
        found = connection.execute(by_commune.order_by(units.c.commune.nulls_last())).all()
    names = {unit.code: unit.full_name for unit in history.on(today(), Level.COMMUNE)}
    return total, [
        {
            "code": code,
            "name": names.get(code),
            "count": count,
            "share": round(share, 3),
            "estimated": False,
        }
        for code, count, share in found
    ]


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _as_json(counts: list[UnitCount]) -> list[dict[str, Any]]:
    return [
        {
            "code": count.unit.code if count.unit else None,
            "name": count.unit.full_name if count.unit else None,
            "count": round(count.count, 3),
            "estimated": count.estimated,
        }
        for count in counts
    ]
